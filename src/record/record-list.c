/* Reading records: one, lists by keyset, counters, history. */
#include "base/clock.h"
#include "base/limits.h"
#include "db/migrate.h"
#include "record/record-internal.h"

DB_STMT(record_by_id,
    "SELECT " RECORD_COLUMNS " FROM records r" RECORD_LEAD " WHERE r.account_id = ? AND r.id = ?");

#define KEY_BELOW " AND r.updated_at <= ? AND (r.updated_at < ? OR r.id < ?) AND r.updated_at >= ?"
#define KEY_ABOVE " AND r.updated_at >= ? AND (r.updated_at > ? OR r.id > ?) AND r.updated_at < ?"
#define PLACED " AND (r.updated_at <= ? OR r.first_seen_at = r.updated_at)"
#define NEWEST " ORDER BY r.updated_at DESC, r.id DESC LIMIT "
#define OLDEST " ORDER BY r.updated_at, r.id LIMIT "
/* Without being forced the server may read the index from its end down to a deep page's key. */
#define ALL " FROM records r FORCE INDEX (records_recent)"
#define TYPE " FROM records r FORCE INDEX (records_type_recent)"
#define OF_ALL " WHERE r.account_id = ?"
#define OF_TYPE " WHERE r.account_id = ? AND r.resource_type = ?"
#define ROWS "SELECT " RECORD_COLUMNS
#define KEYS "SELECT r.updated_at, r.id"
enum { KEY_UPDATED, KEY_ID };

DB_STMT(record_list_newest, ROWS ALL RECORD_LEAD OF_ALL KEY_BELOW PLACED NEWEST "?");
DB_STMT(record_list_oldest, ROWS ALL RECORD_LEAD OF_ALL KEY_ABOVE PLACED OLDEST "?");
DB_STMT(record_list_type_newest, ROWS TYPE RECORD_LEAD OF_TYPE KEY_BELOW PLACED NEWEST "?");
DB_STMT(record_list_type_oldest, ROWS TYPE RECORD_LEAD OF_TYPE KEY_ABOVE PLACED OLDEST "?");
DB_STMT(record_seek_newest, KEYS ALL OF_ALL KEY_BELOW NEWEST "1 OFFSET ?");
DB_STMT(record_seek_oldest, KEYS ALL OF_ALL KEY_ABOVE OLDEST "1 OFFSET ?");
DB_STMT(record_seek_type_newest, KEYS TYPE OF_TYPE KEY_BELOW NEWEST "1 OFFSET ?");
DB_STMT(record_seek_type_oldest, KEYS TYPE OF_TYPE KEY_ABOVE OLDEST "1 OFFSET ?");

DB_STMT(record_oldest_before,
    "SELECT 1 FROM records FORCE INDEX (records_recent) WHERE account_id = ? AND updated_at < ?"
    " LIMIT 1");
DB_STMT(record_copies_exist, "SELECT 1 FROM lead_copies WHERE account_id = ? LIMIT 1");
#define CONNECTIONS_NOTED 50 /* the migration since which they are */

DB_STMT(record_counts_by_kind,
    "SELECT provider_type, resource_type, SUM(records) FROM record_counts WHERE account_id = ?"
    " GROUP BY provider_type, resource_type");
enum { KIND_PROVIDER_TYPE, KIND_RESOURCE_TYPE, KIND_RECORDS };
DB_STMT(record_counts_by_day,
    "SELECT day, SUM(records) FROM record_counts WHERE account_id = ? AND day >= ?"
    " GROUP BY day ORDER BY day");
enum { COUNTED_DAY, COUNTED_RECORDS };
DB_STMT(record_counts_of_type,
    "SELECT provider_type, day, SUM(records) FROM record_counts WHERE account_id = ?"
    " AND resource_type = ? AND day >= ? GROUP BY provider_type, day");
enum { DAYS_PROVIDER, DAYS_DAY, DAYS_RECORDS };
DB_STMT(record_counts_total,
    "SELECT COALESCE(SUM(records), 0) FROM record_counts WHERE account_id = ?"
    " AND (? IS NULL OR provider_type = ?) AND (? IS NULL OR resource_type = ?)");
DB_STMT(record_changes_list, "SELECT id, at, source, event_id, changes FROM record_changes"
			     " WHERE account_id = ? AND record_id = ? ORDER BY id DESC LIMIT 1000");
enum { CHANGE_ID, CHANGE_AT, CHANGE_SOURCE, CHANGE_EVENT_ID, CHANGE_CHANGES };

void record_row_read(struct arena *a, const struct db_rows *rows, size_t i, struct record_row *out)
{
	*out = (struct record_row){.a = a,
	    .id = db_get_uuid(rows, i, RECORD_ROW_ID),
	    .provider_type = db_get_str(rows, i, RECORD_ROW_PROVIDER_TYPE),
	    .resource_type = db_get_str(rows, i, RECORD_ROW_RESOURCE_TYPE),
	    .external_id = db_get_str(rows, i, RECORD_ROW_EXTERNAL_ID),
	    .source = db_get_str(rows, i, RECORD_ROW_SOURCE),
	    .data = db_get_str(rows, i, RECORD_ROW_DATA),
	    .first_seen_us = db_get_int(rows, i, RECORD_ROW_FIRST_SEEN),
	    .updated_us = db_get_int(rows, i, RECORD_ROW_UPDATED),
	    .provider_updated_us = db_get_time(rows, i, RECORD_ROW_PROVIDER_UPDATED),
	    .connection_id = db_get_uuid(rows, i, RECORD_ROW_CONNECTION),
	    .lead_id = db_get_uuid(rows, i, RECORD_ROW_LEAD_ID)};
}

static int list_row_json(struct arena *a, const struct db_rows *rows, size_t i, bool is_written,
    json_t **out, struct err *err)
{
	struct record_row row;
	bool is_unreadable;

	record_row_read(a, rows, i, &row);
	json_row_begin();
	*out = record_json(&row, is_written, err);
	is_unreadable = json_row_end();
	if (*out != NULL && is_unreadable)
		json_set_bool(*out, "isUnreadable", true);
	return *out == NULL ? -1 : 0;
}

static int record_get(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, bool is_written, json_t **out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(
	    app->db, a, &record_by_id, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	return list_row_json(a, &rows, 0, is_written, out, err) == -1 ? -1 : 1;
}

int record_get_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err)
{
	return record_get(app, a, account_id, id, false, out, err);
}

int record_get_written(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err)
{
	return record_get(app, a, account_id, id, true, out, err);
}

void record_key_range(
    const struct record_filter *f, const struct record_slice *slice, struct key_range *out)
{
	out->from_us = slice->s.after.at;
	out->from_id = slice->s.after.id;
	if (uuid_is_nil(slice->s.after.id) ||
	    (slice->s.is_ascending && slice->s.after.at < record_filter_from(f))) {
		/* from the start of the order */
		memset(out->from_id.b, slice->s.is_ascending ? 0 : 0xff, sizeof(out->from_id.b));
		out->from_us =
		    slice->s.is_ascending ? record_filter_from(f) : record_filter_until(f) - 1;
	}
	out->to_us = slice->s.is_ascending ? record_filter_until(f) : record_filter_from(f);
	if (slice->s.is_ascending && record_moves_end(slice) < out->to_us)
		out->to_us = record_moves_end(slice);
}

/* The statement for newest or oldest first, of all types or one. */
static const struct db_stmt *list_pick_stmt(const struct record_filter *f,
    const struct record_slice *slice, const struct db_stmt *const four[4])
{
	return four[(f->resource_type.p != NULL ? 2 : 0) + slice->s.is_ascending];
}

/* The values of v refer to *k. */
static size_t list_key_values(const struct record_filter *f, const struct record_slice *slice,
    struct key_range *k, struct db_val *v)
{
	size_t n = 0;

	record_key_range(f, slice, k);
	v[n++] = db_uuid(&f->account_id);
	if (f->resource_type.p != NULL)
		v[n++] = db_name(f->resource_type);
	v[n++] = db_int(k->from_us);
	v[n++] = db_int(k->from_us);
	v[n++] = db_uuid(&k->from_id);
	v[n++] = db_int(k->to_us);
	return n;
}

static int list_query_rows(struct app *app, struct arena *a, const struct record_filter *f,
    const struct record_slice *slice, struct db_rows *rows, struct err *err)
{
	static const struct db_stmt *const statements[4] = {&record_list_newest,
	    &record_list_oldest, &record_list_type_newest, &record_list_type_oldest};
	struct key_range k;
	struct db_val v[8];
	size_t n = list_key_values(f, slice, &k, v);

	v[n++] = db_int(record_moves_horizon(slice));
	v[n++] = db_int(slice->s.limit + 1);
	return db_query(app->db, a, list_pick_stmt(f, slice, statements), v, n, rows, err);
}

/* The rows that page= skips are counted along the index and never read. 1, 0 there are not so
 * many, -1. */
static int list_skip_rows(struct app *app, struct arena *a, const struct record_filter *f,
    struct record_slice *slice, struct err *err)
{
	static const struct db_stmt *const statements[4] = {&record_seek_newest,
	    &record_seek_oldest, &record_seek_type_newest, &record_seek_type_oldest};
	struct key_range k;
	struct db_val v[8];
	struct db_rows rows;
	size_t n = list_key_values(f, slice, &k, v);

	v[n++] = db_int(slice->s.offset - 1);
	if (db_query(app->db, a, list_pick_stmt(f, slice, statements), v, n, &rows, err) == -1)
		return -1;
	if (rows.count == 0)
		return 0;
	slice->s.after.at = db_get_int(&rows, 0, KEY_UPDATED);
	slice->s.after.id = db_get_uuid(&rows, 0, KEY_ID);
	return 1;
}

int record_place_read(struct arena *a, const struct record_slice *slice, const struct db_rows *rows,
    size_t i, int64_t at_us, struct record_place *out, struct err *err)
{
	*out = (struct record_place){.at_us = at_us,
	    .id = db_get_uuid(rows, i, RECORD_ROW_ID),
	    .is_first = db_get_int(rows, i, RECORD_ROW_FIRST_SEEN) == at_us};
	return list_row_json(a, rows, i, slice->is_written, &out->row, err);
}

int record_slice_add(struct arena *a, struct record_slice *slice, const struct db_rows *rows,
    size_t i, struct err *err)
{
	struct record_place *p = &slice->places[slice->nplaces++];

	if (record_place_read(a, slice, rows, i, db_get_int(rows, i, RECORD_ROW_UPDATED), p, err) ==
	    -1)
		return -1;
	json_array_append(slice->s.rows, p->row);
	slice->s.last.at = p->at_us;
	slice->s.last.id = p->id;
	return 0;
}

static bool filter_is_searched(const struct record_filter *f)
{
	return f->search.p != NULL || f->provider_type.p != NULL || f->source.p != NULL ||
	       f->lead_status.p != NULL || !uuid_is_nil(f->lead_connection) ||
	       !uuid_is_nil(f->connection) || f->copies.p != NULL || f->nwhere > 0;
}

/* The rows that stand in the page's stretch of the list now. */
static int list_present(struct app *app, struct arena *a, const struct record_filter *f,
    struct record_slice *slice, struct err *err)
{
	struct db_rows rows;
	int rc;

	slice->s.rows = json_own(a, json_array());
	slice->places = arena_array(a, (size_t)slice->s.limit, sizeof(*slice->places));
	slice->nplaces = 0;
	slice->s.has_more = false;
	if (filter_is_searched(f))
		return record_search(app, a, f, slice, err);
	if (slice->s.offset > 0 && (rc = list_skip_rows(app, a, f, slice, err)) != 1)
		return rc;
	if (list_query_rows(app, a, f, slice, &rows, err) == -1)
		return -1;
	slice->s.has_more = rows.count > (size_t)slice->s.limit;
	for (size_t i = 0; i < rows.count && i < (size_t)slice->s.limit; i++)
		if (record_slice_add(a, slice, &rows, i, err) == -1)
			return -1;
	return 0;
}

/* The first page is as of now, so there is nothing to make up for but what moves while it is
 * searched for; and oldest first, if others follow, it already keeps to the places of the horizon,
 * as they will. */
static int list_first(struct app *app, struct arena *a, const struct record_filter *f,
    struct record_slice *slice, struct err *err)
{
	struct record_memory memory;

	record_moves_begin(&memory);
	if (list_present(app, a, f, slice, err) == -1)
		return -1;
	*slice->memory = memory;
	if (!slice->s.is_ascending)
		return filter_is_searched(f) ? record_moves_show(app, a, f, slice, err) : 0;
	if (!slice->s.has_more)
		return 0;
	return list_present(app, a, f, slice, err) == -1 ? -1
							 : record_moves_show(app, a, f, slice, err);
}

int record_list(struct app *app, struct arena *a, const struct record_filter *f,
    struct record_slice *slice, struct err *err)
{
	bool is_first = uuid_is_nil(slice->s.after.id) && slice->s.offset == 0;
	int rc;

	if (slice->memory == NULL || (slice->memory->horizon_us == 0 && !is_first))
		return list_present(app, a, f, slice, err);
	if (is_first)
		rc = list_first(app, a, f, slice, err);
	else if ((rc = list_present(app, a, f, slice, err)) == 0)
		rc = record_moves_show(app, a, f, slice, err);
	if (rc == 0)
		record_moves_remember(slice);
	return rc;
}

static void counts_add(json_t *counts, const char *key, int64_t n)
{
	json_set_int(counts, key, json_int(counts, key) + n);
}

int record_summary(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err)
{
	struct db_rows kinds, days;
	json_t *types = json_object(), *providers = json_object(), *by_day = json_array();
	int64_t total = 0;

	*out = json_own(a, json_object());
	json_set(*out, "byResourceType", types);
	json_set(*out, "byProviderType", providers);
	json_set(*out, "byDay", by_day);
	if (db_query(app->db, a, &record_counts_by_kind, DB_VALS(db_uuid(account_id)), &kinds,
		err) == -1 ||
	    db_query(app->db, a, &record_counts_by_day,
		DB_VALS(db_uuid(account_id), db_int(clock_day(clock_now_us()) - 29)), &days,
		err) == -1)
		return -1;
	for (size_t i = 0; i < kinds.count; i++) {
		int64_t n = db_get_int(&kinds, i, KIND_RECORDS);

		if (n == 0)
			continue;
		counts_add(providers, db_get_text(&kinds, i, KIND_PROVIDER_TYPE), n);
		counts_add(types, db_get_text(&kinds, i, KIND_RESOURCE_TYPE), n);
		total += n;
	}
	for (size_t i = 0; i < days.count; i++) {
		char text[CLOCK_TEXT];
		json_t *day = json_object();

		clock_day_text(text, (int32_t)db_get_int(&days, i, COUNTED_DAY));
		json_set_str(day, "day", text);
		json_set_int(day, "count", db_get_int(&days, i, COUNTED_RECORDS));
		json_array_append_new(by_day, day);
	}
	json_set_int(*out, "total", total);
	return 0;
}

int record_count_days(struct app *app, struct arena *a, const struct uuid *account_id,
    const char *resource_type, int32_t from_day, struct record_day **out, size_t *n,
    struct err *err)
{
	struct db_rows rows;

	if (db_query(app->db, a, &record_counts_of_type,
		DB_VALS(db_uuid(account_id), db_str(resource_type), db_int(from_day)), &rows,
		err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++)
		(*out)[i] =
		    (struct record_day){.provider_type = db_get_text(&rows, i, DAYS_PROVIDER),
			.day = (int32_t)db_get_int(&rows, i, DAYS_DAY),
			.count = db_get_int(&rows, i, DAYS_RECORDS)};
	return 0;
}

int record_count(struct app *app, struct arena *a, const struct record_filter *f, int64_t *total,
    struct err *err)
{
	struct db_rows rows;

	*total = -1;
	if (f->source.p != NULL || f->search.p != NULL || f->lead_status.p != NULL ||
	    !uuid_is_nil(f->lead_connection) || !uuid_is_nil(f->connection) ||
	    f->copies.p != NULL || f->nwhere > 0 || f->updated_after.is_given ||
	    f->updated_before.is_given)
		return 0;
	if (db_row(app->db, a, &record_counts_total,
		DB_VALS(db_uuid(&f->account_id), db_name(f->provider_type),
		    db_name(f->provider_type), db_name(f->resource_type),
		    db_name(f->resource_type)),
		&rows, err) == -1)
		return -1;
	*total = db_get_int(&rows, 0, 0);
	return 0;
}

int record_has_copies(
    struct app *app, struct arena *a, const struct uuid *account_id, struct err *err)
{
	struct db_rows rows;

	return db_row(app->db, a, &record_copies_exist, DB_VALS(db_uuid(account_id)), &rows, err);
}

int record_has_unconnected(struct app *app, struct arena *a, const struct uuid *account_id,
    int64_t *since_us, struct err *err)
{
	struct db_rows rows;
	int found = migrate_when(app->db, a, CONNECTIONS_NOTED, since_us, err);

	if (found != 1)
		return found;
	return db_row(app->db, a, &record_oldest_before,
	    DB_VALS(db_uuid(account_id), db_int(*since_us)), &rows, err);
}

int record_history(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &record_changes_list, DB_VALS(db_uuid(account_id), db_uuid(id)),
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *changes = json_parse_used(a, db_get_str(&rows, i, CHANGE_CHANGES), NULL),
		       *o;
		struct uuid event = db_get_uuid(&rows, i, CHANGE_EVENT_ID);

		o = json_object();
		json_set_str(o, "id", uuid_dup(a, db_get_uuid(&rows, i, CHANGE_ID)));
		json_set_time(o, "at", db_get_int(&rows, i, CHANGE_AT));
		json_set_strn(o, "source", db_get_str(&rows, i, CHANGE_SOURCE));
		json_set_str(o, "eventId", uuid_is_nil(event) ? NULL : uuid_dup(a, event));
		/* one that cannot be read hides no other */
		json_set(o, "changes", changes != NULL ? json_incref(changes) : json_array());
		if (changes == NULL)
			json_set_bool(o, "isUnreadable", true);
		json_array_append_new(*out, o);
	}
	return 0;
}
