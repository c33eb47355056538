/* The event log: reading, replay, partitions. */
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/partition.h"
#include "intake/intake-internal.h"

#define DAYS_AHEAD 3
#define PURGE_ROWS 5000

#define EVENT_COLUMNS                                                                              \
	"id, connection_id, provider_type, status, reason, event_type, items, received_at,"        \
	" latency_us, remote_addr, request_id, url"
DB_STMT(event_list_all, "SELECT " EVENT_COLUMNS " FROM events FORCE INDEX (events_account)"
			" WHERE account_id = ? AND id < ? ORDER BY id DESC LIMIT ? OFFSET ?");
/* Filters have no index: they look through the newest events, a window at a time. */
#define EVENT_WINDOW                                                                               \
	" FROM events FORCE INDEX (events_account) WHERE account_id = ? AND id < ?"                \
	" ORDER BY id DESC LIMIT ?"
DB_STMT(event_list_filtered,
    "SELECT " EVENT_COLUMNS " FROM (SELECT id AS window_id" EVENT_WINDOW ") k"
    " STRAIGHT_JOIN events ON id = window_id"
    " WHERE (? IS NULL OR status = ?) AND (? IS NULL OR provider_type = ?)"
    " AND (? IS NULL OR connection_id = ?) ORDER BY id DESC LIMIT ?");
DB_STMT(event_window_end, "SELECT MIN(id), COUNT(*) FROM (SELECT id" EVENT_WINDOW ") k");
#define WINDOW 3000
#define BUDGET_US 60000 /* then a page is answered as far as it got */
DB_STMT(event_by_id,
    "SELECT " EVENT_COLUMNS ", headers, body FROM events WHERE id = ? AND account_id = ?");
DB_STMT(event_keys_purge, "DELETE FROM event_keys WHERE event_id < ? LIMIT 5000");

const struct event_status_text event_statuses[EVENT_STATUSES] = {
    [EVENT_PROCESSED] = {"processed", "Processed",
	"This event was verified, stored and processed."},
    [EVENT_VERIFIED] = {"verified", "Verified",
	"This event was verified; there was nothing in it to store."},
    [EVENT_DUPLICATE] = {"duplicate", "Duplicate",
	"This event had been received before: it was acknowledged and not processed again."},
    [EVENT_REJECTED] = {"rejected", "Rejected",
	"This request failed verification: it was answered with 401 and nothing else happened."},
    [EVENT_FAILED] = {"failed", "Failed", "This event was verified, but could not be processed."},
    [EVENT_SPOOLED] = {"spooled", "Spooled",
	"The database was away: this event was kept on disk and written later."},
};

static json_t *event_row_json(struct arena *a, const struct db_rows *rows, size_t i)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "id", uuid_dup(a, db_get_uuid(rows, i, 0)));
	json_set_str(o, "connectionId", uuid_dup(a, db_get_uuid(rows, i, 1)));
	json_set_str(o, "providerType", db_get_text(rows, i, 2));
	json_set_str(o, "status", db_get_text(rows, i, 3));
	json_set_str(o, "reason", db_get_text(rows, i, 4));
	json_set_str(o, "eventType", db_get_text(rows, i, 5));
	json_set_int(o, "items", db_get_int(rows, i, 6));
	json_set_time(o, "receivedAt", db_get_int(rows, i, 7));
	json_set_int(o, "latencyUs", db_get_int(rows, i, 8));
	json_set_str(o, "remoteAddr", db_get_text(rows, i, 9));
	json_set_str(o, "requestId", db_get_text(rows, i, 10));
	json_set_str(o, "url", db_get_text(rows, i, 11));
	return o;
}

/* Takes rows until the page is full, passing over those of earlier pages: is it? */
static bool event_rows_take(
    struct arena *a, struct event_page *page, const struct db_rows *rows, int64_t *skip)
{
	for (size_t i = 0; i < rows->count; i++) {
		if (*skip > 0) {
			(*skip)--;
			continue;
		}
		if (json_array_size(page->rows) == (size_t)page->limit) {
			page->has_more = true;
			return true;
		}
		json_array_append(page->rows, event_row_json(a, rows, i));
		page->last_id = db_get_uuid(rows, i, 0);
	}
	return false;
}

/* Looks through windows of events before *before until the page is full, there are no more, or time
 * is up; then the page's cursor goes on from where it stopped. */
static int event_list_windows(struct app *app, struct arena *a, const struct event_filter *f,
    struct event_page *page, struct uuid before, struct err *err)
{
	int64_t until = clock_mono_us() + BUDGET_US, skip = page->offset;
	struct db_rows rows, end;

	for (;;) {
		if (db_query(app->db, a, &event_list_filtered,
			DB_VALS(db_uuid(&f->account_id), db_uuid(&before), db_int(WINDOW),
			    db_name(f->status), db_name(f->status), db_name(f->provider_type),
			    db_name(f->provider_type), db_uuid_or_null(&f->connection_id),
			    db_uuid_or_null(&f->connection_id), db_int(page->limit + skip + 1)),
			&rows, err) == -1 ||
		    db_row(app->db, a, &event_window_end,
			DB_VALS(db_uuid(&f->account_id), db_uuid(&before), db_int(WINDOW)), &end,
			err) == -1)
			return -1;
		if (event_rows_take(a, page, &rows, &skip) || db_get_int(&end, 0, 1) < WINDOW)
			return 0;
		before = db_get_uuid(&end, 0, 0);
		if (clock_mono_us() > until)
			break;
	}
	page->has_more = true;
	page->last_id = before;
	return 0;
}

int event_list(struct app *app, struct arena *a, const struct event_filter *f,
    struct event_page *page, struct err *err)
{
	struct uuid before = page->after_id;
	struct db_rows rows;
	int64_t none = 0;

	if (uuid_is_nil(before))
		memset(before.b, 0xff, sizeof(before.b));
	page->rows = json_own(a, json_array());
	page->has_more = false;
	if (f->status.p != NULL || f->provider_type.p != NULL || !uuid_is_nil(f->connection_id))
		return event_list_windows(app, a, f, page, before, err);
	if (db_query(app->db, a, &event_list_all,
		DB_VALS(db_uuid(&f->account_id), db_uuid(&before), db_int(page->limit + 1),
		    db_int(page->offset)),
		&rows, err) == -1)
		return -1;
	event_rows_take(a, page, &rows, &none);
	return 0;
}

/* "name: value" lines as an object. */
static json_t *headers_json(struct str lines)
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

int event_get_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err)
{
	struct db_rows rows;
	struct str body;
	int found =
	    db_row(app->db, a, &event_by_id, DB_VALS(db_uuid(id), db_uuid(account_id)), &rows, err);

	if (found != 1)
		return found;
	*out = event_row_json(a, &rows, 0);
	json_set(*out, "headers", headers_json(db_get_str(&rows, 0, 12)));
	body = db_get_str(&rows, 0, 13);
	json_set_bool(*out, "bodyIsText", utf8_is_valid(body));
	if (utf8_is_valid(body)) {
		json_set_strn(*out, "body", body);
	} else {
		struct buf *b = buf_new(a, LIMIT_PAGE_BYTES);

		base64_encode(b, body.p, body.n);
		json_set_strn(*out, "body", (struct str){b->p, b->len});
	}
	return 1;
}

int event_replay(struct req *r, const struct uuid *id, struct err *err)
{
	struct db_rows rows;
	struct uuid connection_id;
	struct connection *c;
	int found = db_row(r->app->db, r->a, &event_by_id,
	    DB_VALS(db_uuid(id), db_uuid(&r->actor.account_id)), &rows, err);

	if (found != 1)
		return found;
	if (strcmp(db_get_text(&rows, 0, 3), event_statuses[EVENT_REJECTED].name) == 0)
		return err_set(
		    err, ERR_CONFLICT, "This event failed verification and is never processed");
	connection_id = db_get_uuid(&rows, 0, 1);
	found = connection_get(r->app, r->a, &r->actor.account_id, &connection_id, &c, err);
	if (found == 0)
		return err_set(err, ERR_CONFLICT, "The connection of this event is gone");
	if (found == -1 ||
	    intake_replay(r, c, id, db_get_str(&rows, 0, 13), db_get_int(&rows, 0, 7), err) == -1)
		return -1;
	return 1;
}

/* ---- retention --------------------------------------------------------------------------- */

static int event_keys_purge_before(struct app *app, int32_t before_day, struct err *err)
{
	struct uuid bound = uuid_at((int64_t)before_day * DAY_US);
	uint64_t n;

	do {
		if (db_exec(app->db, &event_keys_purge, DB_VALS(db_uuid(&bound)), &n, err) == -1)
			return -1;
	} while (n == PURGE_ROWS);
	return 0;
}

int event_partitions(struct app *app, struct err *err)
{
	int32_t keep = (int32_t)app->config->event_retention_days;

	if (partition_maintain(app->db, "events", keep, DAYS_AHEAD, err) == -1)
		return -1;
	return event_keys_purge_before(app, clock_day(clock_now_us()) - keep, err);
}
