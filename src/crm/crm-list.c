/* SQL of the ledger as people see it: deliveries with the names of their destinations, attempts. */
#include "base/clock.h"
#include "base/limits.h"
#include "crm/crm-internal.h"

enum {
	ATTEMPT_AT,
	ATTEMPT_NUMBER,
	ATTEMPT_STATUS,
	ATTEMPT_ERROR,
	ATTEMPT_DURATION,
	ATTEMPT_NAME,
	ATTEMPT_CONNECTION,
	ATTEMPT_ANSWER,
	ATTEMPT_MISSING,
	ATTEMPT_REQUEST
};
DB_STMT(attempts_of_lead,
    "SELECT a.at, a.attempt, a.status, a.error, a.duration_us, c.name, d.connection_id, a.answer,"
    " a.missing, a.request"
    " FROM lead_deliveries d JOIN lead_delivery_attempts a"
    " ON a.account_id = d.account_id AND a.delivery_id = d.id"
    " LEFT JOIN connections c ON c.id = d.connection_id AND c.account_id = d.account_id"
    " WHERE d.account_id = ? AND d.lead_id = ? ORDER BY a.id LIMIT 500");
#define DESTINATION_COLUMNS                                                                        \
	"SELECT d.lead_id, d.id, d.connection_id, c.name, d.status, d.attempts, d.last_error,"     \
	" d.external_id, d.pushed_at, d.next_at, d.last_status, d.updated_at, d.reason"
#define DESTINATION_TABLES                                                                         \
	" FROM lead_deliveries d"                                                                  \
	" LEFT JOIN connections c ON c.id = d.connection_id AND c.account_id = d.account_id "
/* With what the last attempt has to tell, for those who look at one delivery after the other. */
#define LAST_ATTEMPT_COLUMNS DESTINATION_COLUMNS ", t.answer, t.missing, t.request"
#define LAST_ATTEMPT_TABLES                                                                        \
	DESTINATION_TABLES                                                                         \
	"LEFT JOIN lead_delivery_attempts t ON t.account_id = d.account_id AND t.id ="             \
	" (SELECT MAX(x.id) FROM lead_delivery_attempts x WHERE x.account_id = d.account_id"       \
	" AND x.delivery_id = d.id) "
enum {
	DESTINATION_LEAD,
	DESTINATION_ID,
	DESTINATION_CONNECTION,
	DESTINATION_NAME,
	DESTINATION_STATUS,
	DESTINATION_ATTEMPTS,
	DESTINATION_LAST_ERROR,
	DESTINATION_EXTERNAL_ID,
	DESTINATION_PUSHED_AT,
	DESTINATION_NEXT_AT,
	DESTINATION_LAST_STATUS,
	DESTINATION_UPDATED_AT,
	DESTINATION_REASON,
	DESTINATION_ANSWER,
	DESTINATION_MISSING,
	DESTINATION_REQUEST
};
DB_STMT_ROWS(destinations_of_leads,
    DESTINATION_COLUMNS DESTINATION_TABLES "WHERE d.account_id = ? AND d.lead_id IN (", "?",
    ") ORDER BY d.id");
DB_STMT(destinations_of_lead, LAST_ATTEMPT_COLUMNS LAST_ATTEMPT_TABLES
    "WHERE d.account_id = ? AND d.lead_id = ? ORDER BY d.id");
DB_STMT(delivery_page, LAST_ATTEMPT_COLUMNS LAST_ATTEMPT_TABLES
    "WHERE d.account_id = ? AND d.id < ? AND (? IS NULL OR d.status = ?)"
    " AND (? IS NULL OR d.connection_id = ?) AND (? IS NULL OR d.lead_id = ?)"
    " AND (? IS NULL OR d.id IN (SELECT i.delivery_id FROM push_items i"
    " WHERE i.account_id = d.account_id AND i.task_id = ?))"
    " ORDER BY d.id DESC LIMIT ? OFFSET ?");

static const struct filter_row delivery_filters[] = {
    {"status", FILTER_WORD, offsetof(struct delivery_filter, status), delivery_statuses, NULL},
    {"connectionId", FILTER_ID, offsetof(struct delivery_filter, connection_id), NULL, NULL},
    {"leadId", FILTER_ID, offsetof(struct delivery_filter, lead_id), NULL, NULL},
    {"taskId", FILTER_ID, offsetof(struct delivery_filter, task_id), NULL, NULL},
    {NULL, 0, 0, NULL, NULL}};
const struct list list_of_deliveries = {"deliveries", delivery_filters, NULL};

/* Of the last attempt, or of one: what the destination answered, and what the lead lacked. */
static void attempt_tell(struct arena *a, const struct db_rows *rows, size_t i, size_t answer,
    size_t missing, size_t request, json_t *o)
{
	json_t *list = db_is_null(rows, i, missing)
			   ? NULL
			   : json_parse_stored(a, db_get_str(rows, i, missing), NULL);

	json_set_str(o, "request", db_get_text(rows, i, request));
	json_set_str(o, "answer", db_get_text(rows, i, answer));
	json_set(o, "missing", list == NULL ? json_array() : json_incref(list));
}

static json_t *destination_json(struct arena *a, const struct db_rows *rows, size_t i)
{
	json_t *o = json_object();
	const char *name = db_get_text(rows, i, DESTINATION_NAME);

	json_set_str(o, "id", uuid_dup(a, db_get_uuid(rows, i, DESTINATION_ID)));
	json_set_str(o, "leadId", uuid_dup(a, db_get_uuid(rows, i, DESTINATION_LEAD)));
	json_set_str(o, "connectionId", uuid_dup(a, db_get_uuid(rows, i, DESTINATION_CONNECTION)));
	json_set_str(o, "name", name == NULL ? "(removed)" : name);
	json_set_str(o, "status", db_get_text(rows, i, DESTINATION_STATUS));
	json_set_int(o, "attempts", db_get_int(rows, i, DESTINATION_ATTEMPTS));
	json_set_str(o, "lastError", db_get_text(rows, i, DESTINATION_LAST_ERROR));
	json_set_str(o, "externalId", db_get_text(rows, i, DESTINATION_EXTERNAL_ID));
	json_set_time(o, "pushedAt", db_get_int(rows, i, DESTINATION_PUSHED_AT));
	json_set_time(o, "nextAttemptAt", db_get_int(rows, i, DESTINATION_NEXT_AT));
	if (db_is_null(rows, i, DESTINATION_LAST_STATUS))
		json_set(o, "lastStatus", json_null());
	else
		json_set_int(o, "lastStatus", db_get_int(rows, i, DESTINATION_LAST_STATUS));
	json_set_time(o, "updatedAt", db_get_int(rows, i, DESTINATION_UPDATED_AT));
	json_set_str(o, "reason", db_get_text(rows, i, DESTINATION_REASON));
	return o;
}

int crm_add_destinations(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t *leads, struct err *err)
{
	for (size_t from = 0; from < json_array_size(leads); from += LIMIT_DB_BATCH) {
		struct uuid ids[LIMIT_DB_BATCH];
		struct db_val v[LIMIT_DB_BATCH];
		struct db_rows rows;
		size_t n = 0;

		for (size_t i = from; i < json_array_size(leads) && n < LIMIT_DB_BATCH; i++, n++) {
			json_t *lead = json_array_get(leads, i);

			uuid_parse(str_from(json_str(lead, "id")), &ids[n]);
			v[n] = db_uuid(&ids[n]);
			json_set(lead, "destinations", json_array());
		}
		if (db_query_rows(app->db, a, &destinations_of_leads, DB_VALS(db_uuid(account_id)),
			v, n, 1, &rows, err) == -1)
			return -1;
		for (size_t i = 0; i < rows.count; i++) {
			struct uuid of = db_get_uuid(&rows, i, DESTINATION_LEAD);

			for (size_t k = 0; k < n; k++)
				if (uuid_eq(of, ids[k]))
					json_array_append_new(
					    json_object_get(
						json_array_get(leads, from + k), "destinations"),
					    destination_json(a, &rows, i));
		}
	}
	return 0;
}

static json_t *delivery_told(struct arena *a, const struct db_rows *rows, size_t i)
{
	json_t *o = destination_json(a, rows, i);

	attempt_tell(a, rows, i, DESTINATION_ANSWER, DESTINATION_MISSING, DESTINATION_REQUEST, o);
	return o;
}

int crm_lead_destinations(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &destinations_of_lead,
		DB_VALS(db_uuid(account_id), db_uuid(lead_id)), &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++)
		json_array_append_new(*out, delivery_told(a, &rows, i));
	return 0;
}

int crm_lead_attempts(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &attempts_of_lead, DB_VALS(db_uuid(account_id), db_uuid(lead_id)),
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *o = json_object();

		json_set_time(o, "at", db_get_int(&rows, i, ATTEMPT_AT));
		json_set_int(o, "attempt", db_get_int(&rows, i, ATTEMPT_NUMBER));
		json_set_int(o, "status", db_get_int(&rows, i, ATTEMPT_STATUS));
		json_set_str(o, "error", db_get_text(&rows, i, ATTEMPT_ERROR));
		json_set_int(o, "durationUs", db_get_int(&rows, i, ATTEMPT_DURATION));
		json_set_str(o, "name", db_get_text(&rows, i, ATTEMPT_NAME));
		json_set_str(
		    o, "connectionId", uuid_dup(a, db_get_uuid(&rows, i, ATTEMPT_CONNECTION)));
		attempt_tell(a, &rows, i, ATTEMPT_ANSWER, ATTEMPT_MISSING, ATTEMPT_REQUEST, o);
		json_array_append_new(*out, o);
	}
	return 0;
}

static int delivery_json(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    json_t **out, struct err *err)
{
	(void)app;
	(void)err;
	*out = json_own(a, delivery_told(a, rows, i));
	return 0;
}

int delivery_list(struct app *app, struct arena *a, const struct delivery_filter *f,
    struct slice *s, struct err *err)
{
	struct cursor from = slice_from(s);
	struct db_rows rows;

	if (db_query(app->db, a, &delivery_page,
		DB_VALS(db_uuid(&f->account_id), db_uuid(&from.id), db_name(f->status),
		    db_name(f->status), db_uuid_or_null(&f->connection_id),
		    db_uuid_or_null(&f->connection_id), db_uuid_or_null(&f->lead_id),
		    db_uuid_or_null(&f->lead_id), db_uuid_or_null(&f->task_id),
		    db_uuid_or_null(&f->task_id), db_int(slice_limit(s)), db_int(s->offset)),
		&rows, err) == -1)
		return -1;
	return slice_take(s, app, a, &rows, SLICE_BY_ID, DESTINATION_ID, delivery_json, err);
}
