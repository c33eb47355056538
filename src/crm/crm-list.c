/* SQL of the ledger as people see it: deliveries with the names of their destinations, attempts. */
#include "base/clock.h"
#include "base/limits.h"
#include "crm/crm-destinations.h"
#include "record/record-search.h"

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
#define ATTEMPTS                                                                                   \
	"SELECT a.at, a.attempt, a.status, a.error, a.duration_us, c.name, d.connection_id,"       \
	" a.answer, a.missing, a.request"                                                          \
	" FROM lead_deliveries d JOIN lead_delivery_attempts a"                                    \
	" ON a.account_id = d.account_id AND a.delivery_id = d.id"                                 \
	" LEFT JOIN connections c ON c.id = d.connection_id AND c.account_id = d.account_id "
DB_STMT(
    attempts_of_lead, ATTEMPTS "WHERE d.account_id = ? AND d.lead_id = ? ORDER BY a.id LIMIT 500");
DB_STMT(attempts_of_delivery,
    ATTEMPTS "WHERE d.account_id = ? AND d.id = ? ORDER BY a.id DESC LIMIT 500");
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
#define DELIVERY_FILTERS                                                                           \
	" AND d.id < ? AND d.id >= ? AND (? IS NULL OR d.status = ?)"                              \
	" AND (? IS NULL OR d.route = ?)"                                                          \
	" AND (? IS NULL OR d.connection_id = ?) AND (? IS NULL OR d.lead_id = ?)"                 \
	" AND (? IS NULL OR d.id IN (SELECT i.delivery_id FROM push_items i"                       \
	" WHERE i.account_id = d.account_id AND i.task_id = ?))"                                   \
	" AND (? IS NULL OR ? = (SELECT l.provider_type FROM leads l WHERE l.id = d.lead_id"       \
	" AND l.account_id = d.account_id))" DELIVERY_TRIED
#define NEWEST " ORDER BY d.id DESC LIMIT ? OFFSET ?"
#define OLDEST " ORDER BY d.id LIMIT ? OFFSET ?"
#define NFILTERS 17
DB_STMT(delivery_page_newest,
    LAST_ATTEMPT_COLUMNS LAST_ATTEMPT_TABLES "WHERE d.account_id = ?" DELIVERY_FILTERS NEWEST);
DB_STMT(delivery_page_oldest,
    LAST_ATTEMPT_COLUMNS LAST_ATTEMPT_TABLES "WHERE d.account_id = ?" DELIVERY_FILTERS OLDEST);
/* Of leads that were found before: a list of their ids in hexadecimal, as JSON. */
#define OF_LEADS                                                                                   \
	"WHERE d.account_id = ? AND d.lead_id IN (SELECT UNHEX(j.id) FROM JSON_TABLE(?, '$[*]'"    \
	" COLUMNS (id CHAR(32) PATH '$')) j)"
DB_STMT(delivery_page_of_leads_newest,
    LAST_ATTEMPT_COLUMNS LAST_ATTEMPT_TABLES OF_LEADS DELIVERY_FILTERS NEWEST);
DB_STMT(delivery_page_of_leads_oldest,
    LAST_ATTEMPT_COLUMNS LAST_ATTEMPT_TABLES OF_LEADS DELIVERY_FILTERS OLDEST);
#define FEW_LEADS_MOST 500
#define CLOCKS_APART_US (60 * SECOND_US) /* of hosts, with room to spare */
DB_STMT(leads_of_source,
    "SELECT id FROM leads FORCE INDEX (leads_provider) WHERE account_id = ? AND provider_type = ?"
    " LIMIT ?");
/* A range of the attempts' own key: what it costs is what was tried then, by all accounts; so it
 * has little time. */
DB_STMT(leads_tried,
    SEARCH_LIMITED "DISTINCT d.lead_id FROM lead_delivery_attempts y FORCE INDEX (PRIMARY)"
		   " JOIN lead_deliveries d ON d.id = y.delivery_id AND d.account_id = y.account_id"
		   " WHERE y.account_id = ? AND y.id >= ? AND y.id < ? LIMIT ?");
DB_STMT(
    delivery_one, LAST_ATTEMPT_COLUMNS LAST_ATTEMPT_TABLES "WHERE d.account_id = ? AND d.id = ?");
#define COUNT_MATCHING "SELECT COUNT(*) FROM (SELECT d.id FROM lead_deliveries d "
DB_STMT(deliveries_matching_count,
    COUNT_MATCHING "WHERE d.account_id = ?" DELIVERY_FILTERS " LIMIT ?) k");
DB_STMT(deliveries_matching_of_leads, COUNT_MATCHING OF_LEADS DELIVERY_FILTERS " LIMIT ?) k");

const struct word delivery_routes[] = {{"wait", "Waits for its time"}, {"skip", "By its routing"},
    {"next", "Next in turn"}, {DELIVERY_LACKS, "For want of a token"}, {NULL, NULL}};
static const struct filter_row delivery_filters[] = {
    {"status", FILTER_WORD, offsetof(struct delivery_filter, status), delivery_statuses, NULL},
    {"route", FILTER_WORD, offsetof(struct delivery_filter, route), delivery_routes, NULL},
    {"connectionId", FILTER_ID, offsetof(struct delivery_filter, connection_id), NULL, NULL},
    {"leadId", FILTER_ID, offsetof(struct delivery_filter, lead_id), NULL, NULL},
    {"taskId", FILTER_ID, offsetof(struct delivery_filter, task_id), NULL, NULL},
    {"providerType", FILTER_TEXT, offsetof(struct delivery_filter, provider_type), NULL, NULL},
    {"from", FILTER_FROM, offsetof(struct delivery_filter, from), NULL, NULL},
    {"to", FILTER_UNTIL, offsetof(struct delivery_filter, to), NULL, NULL},
    {"triedFrom", FILTER_TIME, offsetof(struct delivery_filter, tried_from), NULL, NULL},
    {"triedTo", FILTER_TIME, offsetof(struct delivery_filter, tried_to), NULL, NULL},
    {"search", FILTER_TEXT, offsetof(struct delivery_filter, search), NULL, NULL},
    {NULL, 0, 0, NULL, NULL}};
const struct list list_of_deliveries = {"deliveries", delivery_filters, "createdAt"};

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
	json_set_str(o, "name", name == NULL ? DESTINATION_REMOVED : name);
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

	json_set_time(o, "createdAt", uuid_time_us(db_get_uuid(rows, i, DESTINATION_ID)));
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

static json_t *attempts_json(struct arena *a, const struct db_rows *rows)
{
	json_t *list = json_own(a, json_array());

	for (size_t i = 0; i < rows->count; i++) {
		json_t *o = json_object();

		json_set_time(o, "at", db_get_int(rows, i, ATTEMPT_AT));
		json_set_int(o, "attempt", db_get_int(rows, i, ATTEMPT_NUMBER));
		json_set_int(o, "status", db_get_int(rows, i, ATTEMPT_STATUS));
		json_set_str(o, "error", db_get_text(rows, i, ATTEMPT_ERROR));
		json_set_int(o, "durationUs", db_get_int(rows, i, ATTEMPT_DURATION));
		json_set_str(o, "name", db_get_text(rows, i, ATTEMPT_NAME));
		json_set_str(
		    o, "connectionId", uuid_dup(a, db_get_uuid(rows, i, ATTEMPT_CONNECTION)));
		attempt_tell(a, rows, i, ATTEMPT_ANSWER, ATTEMPT_MISSING, ATTEMPT_REQUEST, o);
		json_array_append_new(list, o);
	}
	return list;
}

int crm_lead_attempts(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, json_t **out, struct err *err)
{
	struct db_rows rows;

	if (db_query(app->db, a, &attempts_of_lead, DB_VALS(db_uuid(account_id), db_uuid(lead_id)),
		&rows, err) == -1)
		return -1;
	*out = attempts_json(a, &rows);
	return 0;
}

struct lead_getting {
	struct app *app;
	struct arena *a;
	const struct uuid *account_id, *lead_id;
	struct crm_lead *out;
	int found;
};

static int lead_get_body(struct db *db, void *arg, struct err *err)
{
	struct lead_getting *g = arg;

	(void)db;
	g->found = lead_get_json(g->app, g->a, g->account_id, g->lead_id, &g->out->lead, err);
	if (g->found != 1)
		return g->found;
	return crm_lead_destinations(
		   g->app, g->a, g->account_id, g->lead_id, &g->out->destinations, err) == -1
		   ? -1
		   : crm_lead_attempts(
			 g->app, g->a, g->account_id, g->lead_id, &g->out->attempts, err);
}

int crm_lead_get(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, struct crm_lead *out, struct err *err)
{
	struct lead_getting g = {app, a, account_id, lead_id, out, 0};

	return db_snapshot(app->db, lead_get_body, &g, err) == -1 ? -1 : g.found;
}

int delivery_get_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, json_t **attempts, struct err *err)
{
	struct db_rows rows;
	int found = db_row(
	    app->db, a, &delivery_one, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	*out = json_own(a, delivery_told(a, &rows, 0));
	if (db_query(app->db, a, &attempts_of_delivery, DB_VALS(db_uuid(account_id), db_uuid(id)),
		&rows, err) == -1)
		return -1;
	*attempts = attempts_json(a, &rows);
	return 1;
}

/* ---- the list -------------------------------------------------------------------------------- */

static int delivery_json(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    json_t **out, struct err *err)
{
	(void)app;
	(void)err;
	*out = json_own(a, delivery_told(a, rows, i));
	return 0;
}

struct delivery_range delivery_range_of(const struct delivery_filter *f)
{
	struct delivery_range range = {
	    .is_of_attempts = f->tried_from.is_given || f->tried_to.is_given};
	struct uuid queued_before; /* nothing is tried before it is there */

	memset(&range.before, 0xff, sizeof(range.before));
	range.tried_before = range.before;
	if (f->from.is_given)
		range.from = uuid_at(f->from.us);
	if (f->to.is_given)
		range.before = uuid_at(f->to.us);
	if (f->tried_from.is_given)
		range.tried_from = uuid_at(f->tried_from.us);
	if (f->tried_to.is_given)
		range.tried_before = uuid_at(f->tried_to.us);
	queued_before = uuid_at(f->tried_to.us + CLOCKS_APART_US);
	if (f->tried_to.is_given &&
	    memcmp(&queued_before, &range.before, sizeof(queued_before)) < 0)
		range.before = queued_before;
	return range;
}

static void found_add(struct arena *a, json_t *ids, const struct uuid *id)
{
	struct buf *hex = buf_new(a, 2 * sizeof(*id) + 1);

	hex_encode(hex, id->b, sizeof(id->b));
	json_array_append_new(ids, json_stringn(hex->p, hex->len));
}

static int found_by_search(
    struct app *app, struct arena *a, const struct delivery_filter *f, json_t *ids, struct err *err)
{
	const struct lead_filter leads = {.account_id = f->account_id,
	    .provider_type = f->provider_type.n > 0 ? f->provider_type : (struct str){NULL, 0},
	    .search = f->search};
	struct slice s = {.limit = FOUND_LEADS_MOST};
	json_t *lead;
	size_t i;

	if (lead_list(app, a, &leads, &s, err) == -1)
		return -1;
	json_array_each(s.rows, i, lead) {
		struct uuid id;

		uuid_parse(str_from(json_str(lead, "id")), &id);
		found_add(a, ids, &id);
	}
	return 1;
}

/* Few leads are listed, so that their deliveries are not looked for among all. */
static int found_few(struct arena *a, const struct db_rows *rows, json_t *ids)
{
	for (size_t i = 0; i < rows->count && rows->count <= FEW_LEADS_MOST; i++) {
		struct uuid id = db_get_uuid(rows, i, 0);

		found_add(a, ids, &id);
	}
	return rows->count <= FEW_LEADS_MOST;
}

static int found_by_source(
    struct app *app, struct arena *a, const struct delivery_filter *f, json_t *ids, struct err *err)
{
	struct db_rows rows;

	if (db_query(app->db, a, &leads_of_source,
		DB_VALS(
		    db_uuid(&f->account_id), db_name(f->provider_type), db_int(FEW_LEADS_MOST + 1)),
		&rows, err) == -1)
		return -1;
	return found_few(a, &rows, ids);
}

static int found_by_tries(
    struct app *app, struct arena *a, const struct delivery_filter *f, json_t *ids, struct err *err)
{
	struct delivery_range range = delivery_range_of(f);
	struct err e = ERR_INIT;
	struct db_rows rows;

	if (db_query(app->db, a, &leads_tried,
		DB_VALS(db_uuid(&f->account_id), db_uuid(&range.tried_from),
		    db_uuid(&range.tried_before), db_int(FEW_LEADS_MOST + 1)),
		&rows, &e) == -1)
		return e.code == ERR_TIMEOUT ? 0 : err_set(err, e.code, "%s", e.msg);
	return found_few(a, &rows, ids);
}

/* The leads that the filter means, as JSON for OF_LEADS: 1, 0 they are not to be listed, -1. */
static int found_leads(struct app *app, struct arena *a, const struct delivery_filter *f,
    struct str *out, struct err *err)
{
	json_t *ids = json_own(a, json_array());
	int found = f->search.n > 0                       ? found_by_search(app, a, f, ids, err)
		    : delivery_range_of(f).is_of_attempts ? found_by_tries(app, a, f, ids, err)
		    : f->provider_type.n > 0              ? found_by_source(app, a, f, ids, err)
							  : 0;

	*out = json_text(a, ids);
	return found;
}

static size_t filters_vals(
    const struct delivery_filter *f, const struct delivery_range *range, struct db_val v[NFILTERS])
{
	const struct db_val vals[NFILTERS] = {db_uuid(&range->before), db_uuid(&range->from),
	    db_name(f->status), db_name(f->status), db_name(f->route), db_name(f->route),
	    db_uuid_or_null(&f->connection_id), db_uuid_or_null(&f->connection_id),
	    db_uuid_or_null(&f->lead_id), db_uuid_or_null(&f->lead_id),
	    db_uuid_or_null(&f->task_id), db_uuid_or_null(&f->task_id), db_name(f->provider_type),
	    db_name(f->provider_type), range->is_of_attempts ? db_int(1) : db_null(),
	    db_uuid(&range->tried_from), db_uuid(&range->tried_before)};

	memcpy(v, vals, sizeof(vals));
	return NFILTERS;
}

/* Account, the leads that were found where there are such, the filters: *n of them. 1 they are of
 * OF_LEADS, 0 not, -1. */
static int matching_vals(struct app *app, struct arena *a, const struct delivery_filter *f,
    struct delivery_range *range, struct db_val v[NFILTERS + 2], size_t *n, struct err *err)
{
	struct str leads;
	int found = found_leads(app, a, f, &leads, err);

	v[0] = db_uuid(&f->account_id);
	*n = 1;
	if (found == 1)
		v[(*n)++] = db_strn(leads);
	*n += filters_vals(f, range, v + *n);
	return found;
}

int deliveries_count_matching(
    struct app *app, struct arena *a, const struct delivery_filter *f, int64_t *n, struct err *err)
{
	struct delivery_range range = delivery_range_of(f);
	struct db_val v[NFILTERS + 3];
	struct db_rows rows;
	size_t k;
	int found = matching_vals(app, a, f, &range, v, &k, err);

	*n = -1;
	if (found == -1 || (found == 0 && (f->provider_type.n > 0 || range.is_of_attempts)))
		return found;
	v[k++] = db_int(BACKLOG_MOST);
	if (db_query(app->db, a,
		found == 1 ? &deliveries_matching_of_leads : &deliveries_matching_count, v, k,
		&rows, err) == -1)
		return -1;
	*n = db_get_int(&rows, 0, 0);
	return 0;
}

int delivery_list(struct app *app, struct arena *a, const struct delivery_filter *f,
    struct slice *s, struct err *err)
{
	static const struct db_stmt *const stmts[] = {&delivery_page_newest, &delivery_page_oldest,
	    &delivery_page_of_leads_newest, &delivery_page_of_leads_oldest};
	struct delivery_range range = delivery_range_of(f);
	struct id_range ids = slice_ids(s);
	struct db_val v[NFILTERS + 4];
	struct db_rows rows;
	size_t n;
	int found;

	if (memcmp(&ids.before, &range.before, sizeof(ids.before)) < 0)
		range.before = ids.before;
	if (memcmp(&ids.from, &range.from, sizeof(ids.from)) > 0)
		range.from = ids.from;
	if ((found = matching_vals(app, a, f, &range, v, &n, err)) == -1)
		return -1;
	v[n++] = db_int(slice_limit(s));
	v[n++] = db_int(s->offset);
	if (db_query(app->db, a, stmts[2 * (found == 1) + s->is_ascending], v, n, &rows, err) == -1)
		return -1;
	return slice_take(s, app, a, &rows, SLICE_BY_ID, DESTINATION_ID, delivery_json, err);
}
