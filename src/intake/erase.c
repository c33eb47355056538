#include "intake/erase.h"

#include "account/audit.h"
#include "flow/flow.h"
#include "intake/intake-internal.h"
#include "lead/lead.h"
#include "record/record.h"

#define EVENTS_AT_ONCE 200

DB_STMT(erase_record_lock,
    "SELECT provider_type, resource_type, external_id, data FROM records WHERE account_id = ?"
    " AND id = ? FOR UPDATE");
enum { RECORD_PROVIDER, RECORD_TYPE, RECORD_EXTERNAL, RECORD_DATA };
DB_STMT(erase_lead_lock,
    "SELECT provider_type, provider_lead_id, record_id, event_id, lead FROM leads"
    " WHERE account_id = ? AND id = ? FOR UPDATE");
enum { LEAD_PROVIDER, LEAD_EXTERNAL, LEAD_RECORD, LEAD_EVENT, LEAD_JSON };
DB_STMT(erase_record_find, "SELECT id FROM records WHERE account_id = ? AND provider_type = ?"
			   " AND resource_type = ? AND external_id = ?");
DB_STMT(erase_lead_find, "SELECT id FROM leads WHERE account_id = ? AND provider_type = ?"
			 " AND provider_lead_id = ?");
DB_STMT(erase_events_of_record,
    "SELECT DISTINCT event_id FROM record_changes WHERE account_id = ? AND record_id = ?"
    " AND event_id > ? ORDER BY event_id LIMIT ?");
DB_STMT(erase_changes_of_record,
    "SELECT COUNT(*) FROM record_changes WHERE account_id = ? AND record_id = ?");
DB_STMT(erase_history,
    "SELECT at, source, changes FROM record_changes WHERE account_id = ? AND record_id = ?"
    " ORDER BY id DESC LIMIT 1000");
enum { HISTORY_AT, HISTORY_SOURCE, HISTORY_CHANGES };
DB_STMT(erase_event_body, "SELECT body, url FROM events WHERE account_id = ? AND id = ?");

/* Who is named in the requests of one thing: whoever is erased, what the thing is called, and the
 * address and number that it has. */
static struct person_names *person_of_thing(struct arena *a, const struct person_names *p,
    struct str external_id, struct str data, struct err *err)
{
	struct person_names *out = arena_alloc(a, sizeof(*out));
	json_t *value = data.n == 0 ? NULL : json_parse_stored(a, data, err);

	if (p != NULL)
		*out = *p;
	else
		memset(out, 0, sizeof(*out));
	person_add_id(out, external_id);
	if (value != NULL)
		person_add_of(a, out, value);
	return out;
}

/* Tells each event that brought the record; 0, -1. */
static int each_event_of_record(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id,
    int (*take)(struct app *app, struct arena *a, const struct uuid *account_id,
	const struct uuid *id, const struct person_names *p, struct err *err),
    const struct person_names *p, int64_t *n, struct err *err)
{
	struct uuid after = {{0}};
	struct db_rows rows = {.count = EVENTS_AT_ONCE};

	while (rows.count == EVENTS_AT_ONCE) {
		if (db_query(app->db, a, &erase_events_of_record,
			DB_VALS(db_uuid(account_id), db_uuid(record_id), db_uuid(&after),
			    db_int(EVENTS_AT_ONCE)),
			&rows, err) == -1)
			return -1;
		for (size_t i = 0; i < rows.count; i++) {
			struct arena *own = arena_new();
			int rc;

			after = db_get_uuid(&rows, i, 0);
			rc = take(app, own, account_id, &after, p, err);
			arena_free(own);
			if (rc == -1)
				return -1;
			*n += rc;
		}
	}
	return 0;
}

/* The lead's row, its deliveries, and its request. */
static int erase_lead_alone(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, const struct person_names *p, struct erased *out,
    struct uuid *record_id, struct err *err)
{
	struct db_rows rows;
	struct uuid event_id, gone;
	struct str provider, external;
	int found = db_row(app->db, a, &erase_lead_lock,
	    DB_VALS(db_uuid(account_id), db_uuid(lead_id)), &rows, err);

	*record_id = (struct uuid){{0}};
	if (found != 1)
		return found;
	provider = db_get_str(&rows, 0, LEAD_PROVIDER);
	external = db_get_str(&rows, 0, LEAD_EXTERNAL);
	event_id = db_get_uuid(&rows, 0, LEAD_EVENT);
	*record_id = db_get_uuid(&rows, 0, LEAD_RECORD);
	p = person_of_thing(a, p, external, db_get_str(&rows, 0, LEAD_JSON), err);
	if (!uuid_is_nil(event_id)) {
		int rc = event_forget(app, a, account_id, &event_id, p, err);

		if (rc == -1)
			return -1;
		out->events += rc;
	}
	if (lead_erase(app, a, account_id, provider, external, &gone, err) == -1 ||
	    erasure_note(app, a, account_id, provider, STR("lead"), external, err) == -1)
		return -1;
	out->lead_id = *lead_id;
	return audit_forget(app->db, account_id, lead_id, err) == -1 ? -1 : 1;
}

static int erase_lead_of_record(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str provider_type, struct str external_id, const struct person_names *p,
    struct erased *out, struct err *err)
{
	struct db_rows rows;
	struct uuid lead_id, record_id;
	int found = db_row(app->db, a, &erase_lead_find,
	    DB_VALS(db_uuid(account_id), db_strn(provider_type), db_strn(external_id)), &rows, err);

	if (found != 1)
		return found;
	lead_id = db_get_uuid(&rows, 0, 0);
	return erase_lead_alone(app, a, account_id, &lead_id, p, out, &record_id, err);
}

int erase_record(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, const struct person_names *p, struct erased *out, struct err *err)
{
	struct db_rows rows;
	struct str provider, type, external;
	int found = db_row(app->db, a, &erase_record_lock,
	    DB_VALS(db_uuid(account_id), db_uuid(record_id)), &rows, err);

	if (found != 1)
		return found;
	provider = db_get_str(&rows, 0, RECORD_PROVIDER);
	type = db_get_str(&rows, 0, RECORD_TYPE);
	external = db_get_str(&rows, 0, RECORD_EXTERNAL);
	p = person_of_thing(a, p, external, db_get_str(&rows, 0, RECORD_DATA), err);
	if (each_event_of_record(
		app, a, account_id, record_id, event_forget, p, &out->events, err) == -1 ||
	    (str_is(type, "lead") &&
		erase_lead_of_record(app, a, account_id, provider, external, p, out, err) == -1) ||
	    flow_erase_of_record(app, a, account_id, record_id, err) == -1 ||
	    record_delete_one(app, a, account_id, record_id, err) == -1 ||
	    erasure_note(app, a, account_id, provider, type, external, err) == -1 ||
	    audit_forget(app->db, account_id, record_id, err) == -1)
		return -1;
	out->record_id = *record_id;
	return 1;
}

int erase_lead(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, const struct person_names *p, struct erased *out, struct err *err)
{
	struct uuid record_id;
	int found = erase_lead_alone(app, a, account_id, lead_id, p, out, &record_id, err);

	if (found != 1 || uuid_is_nil(record_id))
		return found;
	return erase_record(app, a, account_id, &record_id, p, out, err) == -1 ? -1 : 1;
}

int erase_external(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str provider_type, struct str resource_type, struct str external_id, struct erased *out,
    struct err *err)
{
	struct db_rows rows;
	struct uuid record_id;
	int had_record = 0, had_lead,
	    found = db_row(app->db, a, &erase_record_find,
		DB_VALS(db_uuid(account_id), db_strn(provider_type), db_strn(resource_type),
		    db_strn(external_id)),
		&rows, err);

	if (found == 1) {
		record_id = db_get_uuid(&rows, 0, 0);
		had_record = erase_record(app, a, account_id, &record_id, NULL, out, err);
	}
	/* it may come later than what tells that it is to go */
	if (found == -1 || had_record == -1 ||
	    (had_record == 0 && erasure_note(app, a, account_id, provider_type, resource_type,
				    external_id, err) == -1))
		return -1;
	had_lead =
	    erase_lead_of_record(app, a, account_id, provider_type, external_id, NULL, out, err);
	return had_lead == -1 ? -1 : had_record || had_lead || !uuid_is_nil(out->lead_id);
}

/* ---- what would go ------------------------------------------------------------------------- */

static int event_counts(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, const struct person_names *p, struct err *err)
{
	struct db_rows rows;
	int found = db_row(
	    app->db, a, &erase_event_body, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	return !person_is_in(a, p, db_get_str(&rows, 0, 0)) &&
	       !person_is_in(a, p, db_get_str(&rows, 0, 1));
}

int erase_count_of_record(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, const struct person_names *p, int64_t *events, int64_t *changes,
    struct err *err)
{
	struct db_rows rows;

	if (each_event_of_record(app, a, account_id, record_id, event_counts, p, events, err) ==
		-1 ||
	    db_row(app->db, a, &erase_changes_of_record,
		DB_VALS(db_uuid(account_id), db_uuid(record_id)), &rows, err) == -1)
		return -1;
	*changes += db_get_int(&rows, 0, 0);
	return 0;
}

/* ---- what is told -------------------------------------------------------------------------- */

static int history_tell(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, json_t *history, struct err *err)
{
	struct db_rows rows;

	if (db_query(app->db, a, &erase_history, DB_VALS(db_uuid(account_id), db_uuid(record_id)),
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *o = json_object(),
		       *changes = json_parse_stored(a, db_get_str(&rows, i, HISTORY_CHANGES), err);

		json_array_append_new(history, o);
		if (changes == NULL)
			return -1;
		json_set_time(o, "at", db_get_int(&rows, i, HISTORY_AT));
		json_set_strn(o, "source", db_get_str(&rows, i, HISTORY_SOURCE));
		json_set(o, "changes", json_incref(changes));
	}
	return 0;
}

int erase_tell_of_record(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, json_t *o, struct err *err)
{
	json_t *history = json_array(), *requests = json_array();
	struct uuid after = {{0}};
	struct db_rows rows;

	json_set(o, "history", history);
	json_set(o, "requests", requests);
	if (history_tell(app, a, account_id, record_id, history, err) == -1 ||
	    db_query(app->db, a, &erase_events_of_record,
		DB_VALS(db_uuid(account_id), db_uuid(record_id), db_uuid(&after),
		    db_int(EVENTS_AT_ONCE)),
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);
		json_t *event;
		int found = event_get_json(app, a, account_id, &id, &event, err);

		if (found == -1)
			return -1;
		if (found == 1)
			json_array_append(requests, event);
	}
	return 0;
}
