/* The event log: reading, replay, partitions. */
#include "base/clock.h"
#include "base/config.h"
#include "base/inflate.h"
#include "base/limits.h"
#include "base/log.h"
#include "intake/intake-internal.h"
#include "provider/token-kept.h"

#define EVENT_COLUMNS                                                                              \
	"id, connection_id, provider_type, status, reason, event_type, items, received_at,"        \
	" latency_us, remote_addr, request_id, url, taken, left_first, left_reason"
enum {
	EVENT_ID,
	EVENT_CONNECTION,
	EVENT_PROVIDER,
	EVENT_STATUS,
	EVENT_REASON,
	EVENT_TYPE,
	EVENT_ITEMS,
	EVENT_RECEIVED_AT,
	EVENT_LATENCY,
	EVENT_REMOTE_ADDR,
	EVENT_REQUEST_ID,
	EVENT_URL,
	EVENT_TAKEN,
	EVENT_LEFT,
	EVENT_LEFT_REASON,
	EVENT_HEADERS, /* event_by_id only */
	EVENT_BODY
};
#define EVENT_RANGE                                                                                \
	" FROM events FORCE INDEX (events_account) WHERE account_id = ? AND id < ? AND id >= ?"
#define NEWEST " ORDER BY id DESC LIMIT ?"
#define OLDEST " ORDER BY id LIMIT ?"
DB_STMT(event_list_newest, "SELECT " EVENT_COLUMNS EVENT_RANGE NEWEST " OFFSET ?");
DB_STMT(event_list_oldest, "SELECT " EVENT_COLUMNS EVENT_RANGE OLDEST " OFFSET ?");
DB_STMT(event_list_count, "SELECT COUNT(*) FROM (SELECT id" EVENT_RANGE " LIMIT ?) k");
/* What has no index is looked for in the first events of the order, a window at a time. */
#define FILTERED(order)                                                                            \
	"SELECT " EVENT_COLUMNS " FROM (SELECT id AS window_id" EVENT_RANGE order ") k"            \
	" STRAIGHT_JOIN events ON id = window_id"                                                  \
	" WHERE (? IS NULL OR status = ?) AND (? IS NULL OR provider_type = ?)"                    \
	" AND (? IS NULL OR connection_id = ?)"                                                    \
	" AND (? IS NULL OR INSTR(CONCAT_WS(' ', event_type, reason, remote_addr, request_id)"     \
	" COLLATE utf8mb4_general_ci, ?) > 0)" order
DB_STMT(event_filtered_newest, FILTERED(NEWEST));
DB_STMT(event_filtered_oldest, FILTERED(OLDEST));
enum { WINDOW_LAST, WINDOW_COUNT };
DB_STMT(event_window_newest, "SELECT MIN(id), COUNT(*) FROM (SELECT id" EVENT_RANGE NEWEST ") k");
DB_STMT(event_window_oldest, "SELECT MAX(id), COUNT(*) FROM (SELECT id" EVENT_RANGE OLDEST ") k");
#define WINDOW 3000
#define BUDGET_US 60000 /* after it a slice ends as far as it got */
DB_STMT(event_by_id,
    "SELECT " EVENT_COLUMNS ", headers, body FROM events WHERE id = ? AND account_id = ?");

const struct word event_statuses[] = {{EVENT_SPOOLED, "Spooled"}, {EVENT_PROCESSED, "Processed"},
    {EVENT_VERIFIED, "Verified"}, {EVENT_DUPLICATE, "Duplicate"}, {EVENT_REJECTED, "Rejected"},
    {EVENT_FAILED, "Failed"}, {NULL, NULL}};

static const struct filter_row event_filters[] = {
    {"status", FILTER_WORD, offsetof(struct event_filter, status), event_statuses, NULL},
    {"providerType", FILTER_TEXT, offsetof(struct event_filter, provider_type), NULL, NULL},
    {"connectionId", FILTER_ID, offsetof(struct event_filter, connection_id), NULL, NULL},
    {"search", FILTER_TEXT, offsetof(struct event_filter, search), NULL, NULL},
    {"from", FILTER_FROM, offsetof(struct event_filter, from), NULL, NULL},
    {"to", FILTER_UNTIL, offsetof(struct event_filter, to), NULL, NULL}, {NULL, 0, 0, NULL, NULL}};
const struct list list_of_events = {"events", event_filters, "receivedAt"};

/* {taken,notTaken,firstNotTaken:{position,reason}}, null where it is not known. */
void event_add_taken(json_t *o, const struct db_rows *rows, size_t i, const struct event_taken *at)
{
	int64_t items = db_get_int(rows, i, at->items);
	json_t *first = json_null();

	if (db_is_null(rows, i, at->taken)) {
		json_set(o, "taken", json_null());
		json_set(o, "notTaken", json_null());
	} else {
		json_set_int(o, "taken", db_get_int(rows, i, at->taken));
		json_set_int(o, "notTaken", items - db_get_int(rows, i, at->taken));
	}
	if (!db_is_null(rows, i, at->left)) {
		first = json_object();
		json_set_int(first, "position", db_get_int(rows, i, at->left));
		json_set_str(first, "reason", db_get_text(rows, i, at->left_reason));
	}
	json_set(o, "firstNotTaken", first);
}

static int event_row_json(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    json_t **out, struct err *err)
{
	json_t *o = *out = json_own(a, json_object());

	(void)app;
	(void)err;
	json_set_str(o, "id", uuid_dup(a, db_get_uuid(rows, i, EVENT_ID)));
	json_set_str(o, "connectionId", uuid_dup(a, db_get_uuid(rows, i, EVENT_CONNECTION)));
	json_set_str(o, "providerType", db_get_text(rows, i, EVENT_PROVIDER));
	json_set_str(o, "status", db_get_text(rows, i, EVENT_STATUS));
	json_set_str(o, "reason", db_get_text(rows, i, EVENT_REASON));
	json_set_str(o, "eventType", db_get_text(rows, i, EVENT_TYPE));
	json_set_int(o, "items", db_get_int(rows, i, EVENT_ITEMS));
	event_add_taken(o, rows, i,
	    &(struct event_taken){EVENT_ITEMS, EVENT_TAKEN, EVENT_LEFT, EVENT_LEFT_REASON});
	json_set_time(o, "receivedAt", db_get_int(rows, i, EVENT_RECEIVED_AT));
	json_set_int(o, "latencyUs", db_get_int(rows, i, EVENT_LATENCY));
	json_set_str(o, "remoteAddr", db_get_text(rows, i, EVENT_REMOTE_ADDR));
	json_set_str(o, "requestId", db_get_text(rows, i, EVENT_REQUEST_ID));
	json_set_strn(o, "url", token_kept_hide(a, db_get_str(rows, i, EVENT_URL)));
	return 0;
}

/* Takes the rows behind those of earlier pages. */
static int event_window_take(struct app *app, struct arena *a, struct slice *s,
    const struct db_rows *rows, int64_t *skip, struct err *err)
{
	size_t n = (uint64_t)*skip < rows->count ? (size_t)*skip : rows->count;
	struct db_rows rest = {rows->count - n, rows->columns, rows->cells + n * rows->columns};

	*skip -= (int64_t)n;
	return slice_take(s, app, a, &rest, SLICE_BY_ID, EVENT_ID, event_row_json, err);
}

/* What is left of the slice's ids within a filter's times: ids begin with theirs. */
static struct id_range event_range_of(const struct event_filter *f, const struct slice *s)
{
	struct id_range range = slice_ids(s);
	struct uuid from = uuid_at(f->from.us), to = uuid_at(f->to.us);

	if (f->from.is_given && memcmp(&from, &range.from, sizeof(from)) > 0)
		range.from = from;
	if (f->to.is_given && memcmp(&to, &range.before, sizeof(to)) < 0)
		range.before = to;
	return range;
}

static bool event_filter_has_index(const struct event_filter *f)
{
	return f->status.n == 0 && f->provider_type.n == 0 && uuid_is_nil(f->connection_id) &&
	       f->search.n == 0;
}

static int event_window_rows(struct app *app, struct arena *a, const struct event_filter *f,
    const struct id_range *range, bool is_ascending, int64_t limit, struct db_rows *out,
    struct err *err)
{
	struct str search =
	    f->search.n == 0 ? f->search : utf8_clean(a, f->search, LIMIT_NAME_BYTES);

	return db_query(app->db, a, is_ascending ? &event_filtered_oldest : &event_filtered_newest,
	    DB_VALS(db_uuid(&f->account_id), db_uuid(&range->before), db_uuid(&range->from),
		db_int(WINDOW), db_name(f->status), db_name(f->status), db_name(f->provider_type),
		db_name(f->provider_type), db_uuid_or_null(&f->connection_id),
		db_uuid_or_null(&f->connection_id), db_strn(search), db_strn(search),
		db_int(limit)),
	    out, err);
}

/* Looks through windows of events of the range until the slice is full, there are no more, or time
 * is up; then the cursor goes on from where it stopped. */
static int event_list_windows(struct app *app, struct arena *a, const struct event_filter *f,
    struct slice *s, struct id_range range, struct err *err)
{
	int64_t until = clock_mono_us() + BUDGET_US, skip = s->offset;
	struct slice rest = {.has_cursor = true, .is_ascending = s->is_ascending};
	struct db_rows rows, end;

	for (;;) {
		if (event_window_rows(app, a, f, &range, s->is_ascending, slice_limit(s) + skip,
			&rows, err) == -1 ||
		    db_row(app->db, a,
			s->is_ascending ? &event_window_oldest : &event_window_newest,
			DB_VALS(db_uuid(&f->account_id), db_uuid(&range.before),
			    db_uuid(&range.from), db_int(WINDOW)),
			&end, err) == -1 ||
		    event_window_take(app, a, s, &rows, &skip, err) == -1)
			return -1;
		if (s->has_more || db_get_int(&end, 0, WINDOW_COUNT) < WINDOW)
			return 0;
		rest.after.id = db_get_uuid(&end, 0, WINDOW_LAST);
		range = event_range_of(f, &rest);
		if (clock_mono_us() > until)
			break;
	}
	s->has_more = true;
	s->last.id = rest.after.id;
	return 0;
}

int event_list(struct app *app, struct arena *a, const struct event_filter *f, struct slice *s,
    struct err *err)
{
	struct id_range range = event_range_of(f, s);
	struct db_rows rows;

	if (!event_filter_has_index(f))
		return event_list_windows(app, a, f, s, range, err);
	if (db_query(app->db, a, s->is_ascending ? &event_list_oldest : &event_list_newest,
		DB_VALS(db_uuid(&f->account_id), db_uuid(&range.before), db_uuid(&range.from),
		    db_int(slice_limit(s)), db_int(s->offset)),
		&rows, err) == -1)
		return -1;
	return slice_take(s, app, a, &rows, SLICE_BY_ID, EVENT_ID, event_row_json, err);
}

int event_count(
    struct app *app, struct arena *a, const struct event_filter *f, int64_t *out, struct err *err)
{
	struct slice beginning = {0};
	struct id_range range = event_range_of(f, &beginning);
	struct db_rows rows;

	*out = -1;
	if (!event_filter_has_index(f))
		return 0;
	if (db_row(app->db, a, &event_list_count,
		DB_VALS(db_uuid(&f->account_id), db_uuid(&range.before), db_uuid(&range.from),
		    db_int(EVENT_COUNT_MOST)),
		&rows, err) == -1)
		return -1;
	*out = db_get_int(&rows, 0, 0);
	return 0;
}

/* "name: value" lines as an object. */
static json_t *event_headers_json(struct str lines)
{
	json_t *o = json_object();
	struct str line;

	while (str_split(&lines, '\n', &line)) {
		struct str rest = line, name;
		char key[256];

		if (!str_split(&rest, ':', &name) || name.n == 0 || name.n >= sizeof(key))
			continue;
		memcpy(key, name.p, name.n);
		key[name.n] = '\0';
		json_set_strn(o, key, str_trim(rest));
	}
	return o;
}

/* As it came; where it came in a coding, the text behind it. */
static struct str event_body_text(struct arena *a, const json_t *headers, struct str body)
{
	struct str coding = str_from(json_str(headers, "content-encoding"));
	struct err err = ERR_INIT;

	if (coding_is_known(coding))
		(void)coding_undo(a, coding, body, LIMIT_BODY_WEBHOOK_MOST, &body, &err);
	return body;
}

/* Kept as it came, since it may be replayed or verified anew; shown without the connection's
 * secrets. */
static void event_show_body(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t *event, struct str body)
{
	struct connection *c = NULL;
	struct err err = ERR_INIT;
	struct uuid id;

	if (uuid_parse(str_from(json_str(event, "connectionId")), &id) &&
	    connection_get(app, a, account_id, &id, &c, &err) == -1) {
		log_warn("event.body", LOG_ERR(&err));
		body = STR("(not shown: the connection's secrets cannot be opened)");
	}
	json_set_strn(event, "body", access_redact_text(a, connection_access(c), body));
}

int event_get_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err)
{
	struct db_rows rows;
	struct str body;
	int found =
	    db_row(app->db, a, &event_by_id, DB_VALS(db_uuid(id), db_uuid(account_id)), &rows, err);

	if (found != 1)
		return found;
	if (event_row_json(app, a, &rows, 0, out, err) == -1)
		return -1;
	json_set(*out, "headers",
	    event_headers_json(token_kept_hide(a, db_get_str(&rows, 0, EVENT_HEADERS))));
	body =
	    event_body_text(a, json_object_get(*out, "headers"), db_get_str(&rows, 0, EVENT_BODY));
	json_set_bool(*out, "bodyIsText", utf8_is_valid(body));
	if (!utf8_is_valid(body)) {
		struct buf *b = buf_new(a, LIMIT_PAGE_BYTES);

		base64_encode(b, body.p, body.n);
		body = (struct str){b->p, b->len};
	}
	event_show_body(app, a, account_id, *out, body);
	return 1;
}
