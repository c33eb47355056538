/* What an account is called and set to. Its settings are one JSON object: {"zone"}. */
#include "account/account-internal.h"
#include "base/limits.h"

DB_STMT(sql_account_lock, "SELECT name, settings FROM accounts WHERE id = ? FOR UPDATE");
enum { LOCKED_NAME, LOCKED_SETTINGS };
DB_STMT(sql_account_update, "UPDATE accounts SET name = ?, settings = ? WHERE id = ?");

json_t *account_settings_read(struct arena *a, struct str text)
{
	json_t *settings = json_parse(a, text, NULL);

	return json_is_object(settings) ? settings : json_own(a, json_object());
}

int account_name_check(const char *field, struct str name, struct err *err)
{
	if (utf8_trim(name).n == 0 || name.n > LIMIT_NAME_BYTES || !utf8_is_valid(name))
		return err_field(err, ERR_INVALID, field,
		    "must not be empty, nor longer than %u bytes", LIMIT_NAME_BYTES);
	return 0;
}

int account_zone_check(struct str zone, struct err *err)
{
	if (!zone_is_known(zone))
		return err_field(err, ERR_INVALID, "zone",
		    "must be a time zone by its IANA name, such as Europe/Berlin");
	return 0;
}

struct settings_change {
	struct req *r;
	const struct account_settings *s;
};

static json_t *settings_audited(struct arena *a, const char *name, const char *zone)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "name", name);
	json_set_str(o, "zone", zone);
	return o;
}

static int settings_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct settings_change *c = arg;
	const struct uuid *id = &c->r->actor.account_id;
	struct arena *a = c->r->a;
	const char *old_zone, *name = arena_strndup(a, c->s->name.p, c->s->name.n),
			      *zone = arena_strndup(a, c->s->zone.p, c->s->zone.n);
	struct db_rows rows;
	json_t *settings;
	int found = db_row(db, a, &sql_account_lock, DB_VALS(db_uuid(id)), &rows, err);

	if (found != 1)
		return found == -1 ? -1 : err_set(err, ERR_NOT_FOUND, "there is no such account");
	settings = account_settings_read(a, db_get_str(&rows, 0, LOCKED_SETTINGS));
	old_zone = json_str(settings, "zone");
	audit_note(log, "account.update", "account", id, name,
	    settings_audited(
		a, db_get_text(&rows, 0, LOCKED_NAME), old_zone == NULL ? "UTC" : old_zone),
	    settings_audited(a, name, zone));
	json_set_str(settings, "zone", zone);
	return db_exec(db, &sql_account_update,
	    DB_VALS(db_str(name), db_strn(json_text(a, settings)), db_uuid(id)), NULL, err);
}

int account_settings_change(struct req *r, const struct account_settings *s, struct err *err)
{
	struct account_settings trimmed = {utf8_trim(s->name), utf8_trim(s->zone)};
	struct settings_change c = {r, &trimmed};

	if (account_name_check("name", trimmed.name, err) == -1 ||
	    account_zone_check(trimmed.zone, err) == -1)
		return -1;
	return audit_change(r->app, r, &r->actor.account_id, settings_body, &c, err);
}
