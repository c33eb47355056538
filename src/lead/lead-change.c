/* What people do to one lead: correct it, delete it, say that it is no duplicate. Page and API call
 * the same functions.
 *
 * A correction is a payload like any other (lead-correct.c): the record has the last word, so what
 * the provider says again later of an older time does not undo it, and the destinations that took
 * the old form get the new one. The audit log names the fields; what they said before and after is
 * in the record's history, which goes with the record. */
#include "lead/lead-change.h"

#include "base/clock.h"
#include "base/limits.h"
#include "connection/connection.h"
#include "lead/lead-duplicate.h"
#include "record/record.h"

enum {
	CHANGED_TYPE,
	CHANGED_PROVIDER_ID,
	CHANGED_STAGE,
	CHANGED_LEAD,
	CHANGED_CONNECTION,
	CHANGED_RECORD
};
DB_STMT(lead_to_change,
    "SELECT provider_type, provider_lead_id, stage, lead, connection_id, record_id FROM leads"
    " WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(lead_unlink, "UPDATE leads SET duplicate_of = NULL, duplicate_by = NULL, updated_at = ?"
		     " WHERE account_id = ? AND id = ? AND duplicate_of IS NOT NULL");
enum { UNLINKED_STATUS, UNLINKED_CONNECTION };
DB_STMT(
    lead_unlinked, "SELECT sync_status, connection_id FROM leads WHERE account_id = ? AND id = ?");

/* ---- corrections ----------------------------------------------------------------------------- */

static const char *const plain_members[] = {
    "email", "firstName", "lastName", "fullName", "phoneNumber", "company", NULL};

struct lead_changing {
	struct req *r;
	const struct uuid *id;
	const json_t *wish;
	/* within the transaction */
	struct str provider_type, provider_lead_id;
	json_t *stored;
	struct uuid connection_id;
};

/* Of the three names those that are not given follow those that are. */
static void names_make_way(const json_t *wish, json_t *lead)
{
	bool has_part = json_object_get(wish, "firstName") != NULL ||
			json_object_get(wish, "lastName") != NULL,
	     has_full = json_object_get(wish, "fullName") != NULL;

	if (has_part && !has_full)
		json_object_del(lead, "fullName");
	if (has_full && !has_part) {
		json_object_del(lead, "firstName");
		json_object_del(lead, "lastName");
	}
}

static void object_merge(json_t *lead, const char *key, const json_t *news)
{
	json_t *old = json_object_get(lead, key), *merged;

	if (!json_is_object(news))
		return;
	merged = json_is_object(old) ? json_copy(old) : json_object();
	json_object_update(merged, JSON_ITER(news));
	json_set(lead, key, merged);
}

/* Where a number without a country is at home: as for what the lead's connection brings. One that
 * is not corrected stays as it is. */
static int change_find_country(const struct lead_changing *c, const char **out, struct err *err)
{
	struct req *r = c->r;
	struct connection *from = NULL;

	*out = NULL;
	if (json_str(c->wish, "phoneNumber") == NULL || uuid_is_nil(c->connection_id))
		return 0;
	if (connection_recent(r->app, r->a, &r->actor.account_id, &c->connection_id, &from, err) ==
	    -1)
		return -1;
	*out = access_setting(connection_access(from), "defaultCountry");
	return 0;
}

/* The lead as it is to be: NULL with err, what is wrong by field. */
static json_t *lead_changed(const struct lead_changing *c, struct err *err)
{
	struct arena *a = c->r->a;
	json_t *lead = json_own(a, json_deep_copy(c->stored));
	const char *email = json_str(c->wish, "email"), *country;

	if (change_find_country(c, &country, err) == -1)
		return NULL;
	names_make_way(c->wish, lead);
	for (size_t i = 0; plain_members[i] != NULL; i++)
		if (json_object_get(c->wish, plain_members[i]) != NULL)
			json_set(lead, plain_members[i],
			    json_incref(json_object_get(c->wish, plain_members[i])));
	object_merge(lead, "customFields", json_object_get(c->wish, "customFields"));
	lead_normalize(a, lead, country);
	if (email != NULL && utf8_trim(str_from(email)).n > 0 && json_str(lead, "email") == NULL) {
		err_field(err, ERR_INVALID, "email", "is not an email address");
		return NULL;
	}
	return lead;
}

/* What of it is another than before, for its record; fields are named. */
static json_t *lead_news(const struct lead_changing *c, const json_t *lead, json_t *fields)
{
	json_t *news = json_own(c->r->a, json_object()), *now;
	const char *key;

	for (size_t i = 0; plain_members[i] != NULL; i++) {
		now = json_object_get(lead, plain_members[i]);
		if (json_equal(now, json_object_get(c->stored, plain_members[i])) ||
		    (now == NULL && json_str(c->stored, plain_members[i]) == NULL))
			continue;
		json_set(news, plain_members[i], now != NULL ? json_incref(now) : json_null());
		json_array_append_new(fields, json_string(plain_members[i]));
	}
	json_object_each(json_object_get(lead, "customFields"), key, now) {
		json_t *custom = json_object_get(news, "customFields");

		if (json_equal(
			now, json_object_get(json_object_get(c->stored, "customFields"), key)))
			continue;
		if (custom == NULL) {
			custom = json_object();
			json_set(news, "customFields", custom);
			json_array_append_new(fields, json_string("customFields"));
		}
		json_set(custom, key, json_incref(now));
	}
	return news;
}

static int change_load(struct lead_changing *c, struct err *err)
{
	struct req *r = c->r;
	struct db_rows rows;
	int found = db_row(r->app->db, r->a, &lead_to_change,
	    DB_VALS(db_uuid(&r->actor.account_id), db_uuid(c->id)), &rows, err);

	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "There is no such lead");
	if (found == -1)
		return -1;
	if (strcmp(db_get_text(&rows, 0, CHANGED_STAGE), LEAD_READY) != 0)
		return err_set(err, ERR_CONFLICT,
		    "The lead's details have not been fetched yet, so there is nothing to correct");
	c->provider_type = db_get_str(&rows, 0, CHANGED_TYPE);
	c->provider_lead_id = db_get_str(&rows, 0, CHANGED_PROVIDER_ID);
	c->connection_id = db_get_uuid(&rows, 0, CHANGED_CONNECTION);
	c->stored = json_parse_stored(r->a, db_get_str(&rows, 0, CHANGED_LEAD), err);
	return c->stored == NULL ? -1 : 0;
}

static int change_record(
    struct lead_changing *c, const json_t *news, struct record_item *item, struct err *err)
{
	struct req *r = c->r;

	*item = (struct record_item){.account_id = r->actor.account_id,
	    .provider_type = c->provider_type,
	    .resource_type = STR("lead"),
	    .external_id = c->provider_lead_id,
	    .source = RECORD_SOURCE_IMPORT,
	    .is_correction = true,
	    .data = json_text(r->a, news),
	    .at_us = clock_now_us()};
	return record_upsert(r->app->db, r->a, item, 1, err);
}

static int change_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct lead_changing *c = arg;
	struct req *r = c->r;
	json_t *fields = json_own(r->a, json_array()), *details = json_own(r->a, json_object());
	struct record_item item;
	json_t *lead, *news;

	if (change_load(c, err) == -1 || (lead = lead_changed(c, err)) == NULL)
		return -1;
	news = lead_news(c, lead, fields);
	if (json_object_size(news) == 0)
		return 1;
	if (change_record(c, news, &item, err) == -1)
		return -1;
	struct lead_capture capture = {.account_id = r->actor.account_id,
	    .provider_type = c->provider_type,
	    .provider_lead_id = c->provider_lead_id,
	    .record_id = item.id,
	    .lead = json_text(r->a, lead),
	    .record = item.merged,
	    .has_news = true,
	    .is_record_new = item.outcome == RECORD_CREATED,
	    .received_us = clock_now_us()};
	if (lead_capture(db, r->a, &capture, 1, err) == -1)
		return -1;
	json_set(details, "fields", json_incref(fields));
	audit_fact(log, "lead.update", "lead", c->id, details);
	return 0;
}

int lead_change(struct req *r, const struct uuid *id, const json_t *wish, struct err *err)
{
	struct lead_changing c = {.r = r, .id = id, .wish = wish};

	return audit_change(r->app, r, &r->actor.account_id, change_body, &c, err);
}

/* ---- deletion -------------------------------------------------------------------------------- */

struct lead_deleting {
	struct req *r;
	const struct uuid *id;
};

/* Its record too: that is the same lead. */
static int delete_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct lead_deleting *d = arg;
	struct req *r = d->r;
	const struct uuid *account_id = &r->actor.account_id;
	struct uuid record, lead;
	struct db_rows rows;
	int found = db_row(
	    db, r->a, &lead_to_change, DB_VALS(db_uuid(account_id), db_uuid(d->id)), &rows, err);

	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "There is no such lead");
	if (found == -1)
		return -1;
	record = db_get_uuid(&rows, 0, CHANGED_RECORD);
	if (record_delete_one(r->app, r->a, account_id, &record, err) == -1 ||
	    lead_erase(r->app, r->a, account_id, db_get_str(&rows, 0, CHANGED_TYPE),
		db_get_str(&rows, 0, CHANGED_PROVIDER_ID), &lead, err) == -1)
		return -1;
	audit_fact(log, "lead.delete", "lead", d->id, NULL);
	return 0;
}

int lead_delete(struct req *r, const struct uuid *id, struct err *err)
{
	struct lead_deleting d = {r, id};

	return audit_change(r->app, r, &r->actor.account_id, delete_body, &d, err);
}

/* ---- no duplicate ---------------------------------------------------------------------------- */

/* Its job hands it over, if it was held back (lead-pipeline.c). */
static int release_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct lead_deleting *d = arg;
	struct req *r = d->r;
	const struct uuid *account_id = &r->actor.account_id;
	struct uuid connection_id;
	struct db_rows rows;
	uint64_t n = 0;
	int found;

	if (db_exec(db, &lead_unlink,
		DB_VALS(db_int(clock_now_us()), db_uuid(account_id), db_uuid(d->id)), &n,
		err) == -1)
		return -1;
	found = db_row(
	    db, r->a, &lead_unlinked, DB_VALS(db_uuid(account_id), db_uuid(d->id)), &rows, err);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "There is no such lead");
	if (found == -1)
		return -1;
	if (n == 0)
		return err_set(err, ERR_CONFLICT, "The lead is not marked as a duplicate");
	audit_fact(log, "lead.release", "lead", d->id, NULL);
	if (strcmp(db_get_text(&rows, 0, UNLINKED_STATUS), LEAD_SYNC_DUPLICATE) != 0)
		return 0;
	connection_id = db_get_uuid(&rows, 0, UNLINKED_CONNECTION);
	struct job job = lead_process_job(account_id, d->id, &connection_id);
	return job_run_now(db, &job, err);
}

int lead_release(struct req *r, const struct uuid *id, struct err *err)
{
	struct lead_deleting d = {r, id};

	if (audit_change(r->app, r, &r->actor.account_id, release_body, &d, err) == -1)
		return -1;
	job_wake(r->app->config, JOB_LIVE);
	return 0;
}
