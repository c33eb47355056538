/* SQL of mappings: the present one in a row that each push reads, every version beside it. */
#include "account/audit.h"
#include "base/arena.h"
#include "base/clock.h"
#include "crm/crm-mapping.h"

DB_STMT(mapping_present,
    "SELECT m.version, m.mapping, v.author, v.saved_at FROM mappings m LEFT JOIN mapping_versions v"
    " ON v.account_id = m.account_id AND v.connection_id = m.connection_id"
    " AND v.version = m.version WHERE m.account_id = ? AND m.connection_id = ?");
DB_STMT(mapping_version,
    "SELECT version, mapping, author, saved_at FROM mapping_versions WHERE account_id = ?"
    " AND connection_id = ? AND version = ?");
enum { MAPPING_VERSION, MAPPING_TEXT, MAPPING_AUTHOR, MAPPING_SAVED_AT };
DB_STMT(mapping_version_list,
    "SELECT version, mapping, author, saved_at FROM mapping_versions WHERE account_id = ?"
    " AND connection_id = ? ORDER BY version DESC LIMIT ?");
DB_STMT(mapping_lock, "SELECT version, mapping FROM mappings WHERE account_id = ?"
		      " AND connection_id = ? FOR UPDATE");
/* An empty object is no mapping: a push goes by the destination's own names. */
DB_STMT(mapping_put,
    "INSERT INTO mappings (account_id, connection_id, mapping, updated_at, version)"
    " VALUES (?,?,COALESCE(?,'{}'),?,?) ON DUPLICATE KEY UPDATE mapping = VALUES(mapping),"
    " updated_at = VALUES(updated_at), version = VALUES(version)");
DB_STMT(mapping_version_add,
    "INSERT INTO mapping_versions (account_id, connection_id, version, mapping, author, saved_at)"
    " VALUES (?,?,?,?,?,?)");
DB_STMT(mapping_forget, "DELETE FROM mappings WHERE account_id = ? AND connection_id = ?");
DB_STMT(mapping_versions_forget,
    "DELETE FROM mapping_versions WHERE account_id = ? AND connection_id = ?");
DB_STMT(route_counts_forget, "DELETE FROM route_counts WHERE account_id = ? AND connection_id = ?");
DB_STMT(
    mapping_fields_forget, "DELETE FROM mapping_fields WHERE account_id = ? AND connection_id = ?");

static int stored_read(struct arena *a, const struct db_rows *rows, size_t i,
    struct mapping_stored *out, struct err *err)
{
	struct str text = db_get_str(rows, i, MAPPING_TEXT);

	*out = (struct mapping_stored){.version = db_get_int(rows, i, MAPPING_VERSION),
	    .author = db_get_text(rows, i, MAPPING_AUTHOR),
	    .saved_us = db_get_int(rows, i, MAPPING_SAVED_AT)};
	if (db_is_null(rows, i, MAPPING_TEXT) || str_is(text, "{}"))
		return 0;
	out->doc = json_parse_stored(a, text, err);
	return out->doc == NULL ? err_prefix(err, "a stored mapping") : 0;
}

int mapping_load(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, struct mapping_stored *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(app->db, a, &mapping_present,
	    DB_VALS(db_uuid(account_id), db_uuid(connection_id)), &rows, err);

	*out = (struct mapping_stored){0};
	return found == 1 ? stored_read(a, &rows, 0, out, err) : found;
}

int mapping_load_version(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, int64_t version, struct mapping_stored *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(app->db, a, &mapping_version,
	    DB_VALS(db_uuid(account_id), db_uuid(connection_id), db_int(version)), &rows, err);

	if (found != 1)
		return found;
	return stored_read(a, &rows, 0, out, err) == -1 ? -1 : 1;
}

int mapping_versions(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &mapping_version_list,
		DB_VALS(
		    db_uuid(account_id), db_uuid(connection_id), db_int(MAPPING_VERSIONS_SHOWN)),
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct mapping_stored m;
		json_t *o = json_object();

		json_array_append_new(*out, o);
		if (stored_read(a, &rows, i, &m, err) == -1)
			return -1;
		json_set_int(o, "version", m.version);
		json_set_str(o, "savedBy", m.author);
		json_set_time(o, "savedAt", m.saved_us);
		json_set_int(o, "rules", (int64_t)json_array_size(json_object_get(m.doc, "rules")));
		json_set_bool(o, "isDefault", m.doc == NULL);
	}
	return 0;
}

/* ---- saving ---------------------------------------------------------------------------------- */

struct mapping_saving {
	struct req *r;
	const struct connection *c;
	struct str text; /* {NULL,0}: none */
	const json_t *doc;
	int64_t expected, version;
};

/* For the audit log: rules by their targets, so that what differs can be seen. */
static json_t *mapping_told(struct arena *a, const json_t *doc)
{
	json_t *o = json_own(a, json_object()), *rules = json_object(), *rule;
	size_t i;

	json_array_each(json_object_get(doc, "rules"), i, rule) {
		const char *to = json_str(rule, "to");

		json_set_str(rules,
		    to != NULL ? to : arena_printf(a, "(without %s)", json_str(rule, "from")),
		    json_text(a, rule).p);
	}
	json_set(o, "rules", rules);
	json_set_bool(o, "includeUnmapped", json_bool(doc, "includeUnmapped"));
	json_set_bool(o, "isDefault", doc == NULL);
	return o;
}

static int mapping_lock_present(
    struct mapping_saving *s, struct db *db, json_t **before, struct err *err)
{
	struct arena *a = s->r->a;
	struct db_rows rows;
	int found = db_row(db, a, &mapping_lock,
	    DB_VALS(db_uuid(&s->c->account_id), db_uuid(&s->c->id)), &rows, err);
	int64_t version = found == 1 ? db_get_int(&rows, 0, 0) : 0;
	struct str text = found == 1 ? db_get_str(&rows, 0, 1) : STR("{}");

	if (found == -1)
		return -1;
	s->version = version + 1;
	if (s->expected >= 0 && s->expected != version)
		return err_field(err, ERR_CONFLICT, "version",
		    "Somebody has saved this mapping meanwhile: it has version %lld now",
		    (long long)version);
	*before = mapping_told(a, str_is(text, "{}") ? NULL : json_parse_stored(a, text, NULL));
	return str_eq(text, s->text.p == NULL ? STR("{}") : s->text);
}

static int mapping_save_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct mapping_saving *s = arg;
	const struct connection *c = s->c;
	struct db_val account = db_uuid(&c->account_id), connection = db_uuid(&c->id),
		      now = db_int(clock_now_us());
	json_t *before = NULL;
	int same = mapping_lock_present(s, db, &before, err);

	if (same == 1) /* nothing is new: no version */
		s->version--;
	if (same != 0)
		return same;
	if (db_exec(db, &mapping_put,
		DB_VALS(account, connection, db_strn(s->text), now, db_int(s->version)), NULL,
		err) == -1 ||
	    db_exec(db, &mapping_version_add,
		DB_VALS(account, connection, db_int(s->version), db_strn(s->text),
		    db_strn(utf8_clean(s->r->a, str_from(s->r->actor.name), 320)), now),
		NULL, err) == -1)
		return -1;
	audit_note(log, "mapping.save", "connection", &c->id, c->name, before,
	    mapping_told(s->r->a, s->doc));
	return 0;
}

int mapping_save(struct req *r, const struct connection *c, const json_t *doc, int64_t expected,
    int64_t *version, struct err *err)
{
	struct mapping_saving s = {.r = r, .c = c, .doc = doc, .expected = expected};

	if (doc != NULL)
		s.text = json_text(r->a, doc);
	if (s.text.n > MAPPING_BYTES_MOST)
		return err_field(err, ERR_INVALID, "rules", "The mapping is too large");
	if (audit_change(r->app, r, &c->account_id, mapping_save_body, &s, err) == -1)
		return -1;
	*version = s.version;
	return 0;
}

int crm_follow_connection(
    struct app *app, struct arena *a, const struct connection *c, bool is_gone, struct err *err)
{
	struct db_val account = db_uuid(&c->account_id), id = db_uuid(&c->id);

	(void)a;
	if (!is_gone)
		return 0;
	if (db_exec(app->db, &mapping_forget, DB_VALS(account, id), NULL, err) == -1 ||
	    db_exec(app->db, &mapping_versions_forget, DB_VALS(account, id), NULL, err) == -1 ||
	    db_exec(app->db, &mapping_fields_forget, DB_VALS(account, id), NULL, err) == -1 ||
	    db_exec(app->db, &route_counts_forget, DB_VALS(account, id), NULL, err) == -1)
		return -1;
	return 0;
}
