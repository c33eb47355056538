/* Neither leads nor changes of records have a key by event: each webhook would pay for it. But ids
 * begin with their time, and what an event causes is written with it. So a few narrow ranges of the
 * primary keys hold it all. They are read from their beginning, a stretch at a time and so many at
 * most: events whose range was not read to its end say so ("isCut"). */
#include "intake/event-effects.h"

#include <string.h>

#include "account/permission.h"
#include "base/clock.h"
#include "base/map.h"
#include "intake/intake-internal.h"
#include "lead/lead-pages.h"
#include "record/record-titles.h"

/* Clocks of the hosts and processes that write differ by so much at most. */
#define EFFECT_BEFORE_US SECOND_US
#define RANGES 10    /* looked through in one statement */
#define STRETCH 5000 /* rows of all accounts that are read at a time */
#define STRETCHES 6  /* of all ranges of a page, in each table */

#define RANGE "(id >= ? AND id < ?)"
#define RANGES_TEXT                                                                                \
	RANGE " OR " RANGE " OR " RANGE " OR " RANGE " OR " RANGE " OR " RANGE " OR " RANGE        \
	      " OR " RANGE " OR " RANGE " OR " RANGE
enum { EFFECT_EVENT, EFFECT_ID, EFFECT_LEAD_NAME, EFFECT_LEAD_SYNC_STATUS };
/* The first row behind a stretch. */
DB_STMT(event_effect_leads_end,
    "SELECT id FROM leads FORCE INDEX (PRIMARY) WHERE id >= ? AND (" RANGES_TEXT
    ") ORDER BY id LIMIT 1 OFFSET ?");
DB_STMT(event_effect_records_end,
    "SELECT id FROM record_changes FORCE INDEX (PRIMARY) WHERE id >= ? AND (" RANGES_TEXT
    ") ORDER BY id LIMIT 1 OFFSET ?");
DB_STMT(event_effect_leads,
    "SELECT event_id, id, full_name, IF(" LEAD_IS_PARTIAL ", '" LEAD_SYNC_PARTIAL
    "', sync_status) FROM leads l FORCE INDEX (PRIMARY) WHERE id >= ? "
    "AND id < ? AND (" RANGES_TEXT ") AND account_id = ? AND event_id IS NOT NULL ORDER BY id");
DB_STMT(event_effect_records,
    "SELECT event_id, record_id FROM record_changes FORCE INDEX (PRIMARY)"
    " WHERE id >= ? AND id < ? AND (" RANGES_TEXT ") AND account_id = ? AND event_id IS NOT NULL"
    " GROUP BY event_id, record_id ORDER BY MIN(id)");
static const struct uuid uuid_last = {
    {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}};

static int uuid_order(struct uuid x, struct uuid y)
{
	return memcmp(x.b, y.b, sizeof(x.b));
}

struct effects {
	struct req *r;
	struct map *events;  /* id → its JSON */
	struct uuid *bounds; /* from and to of each range, in pairs */
	size_t nranges;
	json_t *titled;   /* the records that are shown, to be read */
	json_t *nameless; /* leads, to be asked for their titles */
};

/* The ranges of time that the events' effects lie in, those that touch as one. */
static void effects_find_ranges(struct effects *e, const json_t *events, int64_t after_us)
{
	size_t n = json_array_size(events);
	int64_t from_us = INT64_MAX;

	e->bounds = arena_array(e->r->a, 2 * (n + RANGES), sizeof(*e->bounds));
	for (size_t i = 0; i < n; i++) {
		json_t *event = json_array_get(events, i);
		const char *text = json_str(event, "id");
		struct uuid id;
		int64_t at_us;

		if (!uuid_parse(str_from(text), &id))
			continue;
		map_put(e->events, str_from(text), event);
		at_us = uuid_time_us(id);
		if (at_us + after_us < from_us) /* newest first: it lies before those that were */
			e->bounds[2 * e->nranges++ + 1] = uuid_at(at_us + after_us);
		from_us = at_us - EFFECT_BEFORE_US;
		e->bounds[2 * e->nranges - 2] = uuid_at(from_us);
	}
}

typedef void effect_fn(struct effects *e, const struct db_rows *rows, size_t i, json_t *event);

struct effect_table {
	const struct db_stmt *rows, *end;
	effect_fn *add;
};

/* Rows of the ranges (RANGES pairs) from id *from on, a stretch of them; *from is where the next
 * one begins, all ones behind the last. */
static int effects_read_stretch(struct effects *e, const struct effect_table *t,
    const struct uuid *ranges, struct uuid *from, struct err *err)
{
	struct db_val v[2 * RANGES + 3];
	struct db_rows rows, end;
	struct db *db = e->r->app->db;
	size_t n = 0;

	v[n++] = db_uuid(from);
	for (size_t i = 0; i < 2 * RANGES; i++)
		v[n++] = db_uuid(&ranges[i]);
	v[n++] = db_int(STRETCH);
	if (db_query(db, e->r->a, t->end, v, n, &end, err) == -1)
		return -1;
	const struct uuid until = end.count > 0 ? db_get_uuid(&end, 0, 0) : uuid_last;

	n = 0;
	v[n++] = db_uuid(from);
	v[n++] = db_uuid(&until);
	for (size_t i = 0; i < 2 * RANGES; i++)
		v[n++] = db_uuid(&ranges[i]);
	v[n++] = db_uuid(&e->r->actor.account_id);
	if (db_query(db, e->r->a, t->rows, v, n, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		const char *id = uuid_dup(e->r->a, db_get_uuid(&rows, i, EFFECT_EVENT));
		json_t *event = map_get(e->events, str_from(id));

		if (event != NULL)
			t->add(e, &rows, i, event);
	}
	*from = until;
	return 0;
}

/* Of those whose effects may stand between `from` and the end of the ranges. */
static void effects_note_cut(
    struct effects *e, const struct uuid *ranges, struct uuid from, int64_t after_us)
{
	for (size_t i = 0; i < map_count(e->events); i++) {
		json_t *event = map_value(e->events, i);
		struct uuid id;

		if (!uuid_parse(str_from(json_str(event, "id")), &id))
			continue;
		const struct uuid until = uuid_at(uuid_time_us(id) + after_us);

		for (size_t k = 0; k < RANGES; k++)
			if (uuid_order(id, ranges[2 * k]) >= 0 &&
			    uuid_order(until, ranges[2 * k + 1]) <= 0 &&
			    uuid_order(from, until) < 0)
				json_set_bool(event, "isCut", true);
	}
}

/* Looks through all ranges, so many at a time; what is over asks for nothing. */
static int effects_query(
    struct effects *e, const struct effect_table *t, int64_t after_us, struct err *err)
{
	size_t left = STRETCHES + e->nranges / RANGES; /* each set of them has one to itself */

	for (size_t at = 0; at < e->nranges; at += RANGES) {
		const struct uuid *ranges = &e->bounds[2 * at];
		struct uuid from = {{0}};

		do {
			if (effects_read_stretch(e, t, ranges, &from, err) == -1)
				return -1;
			left--;
		} while (uuid_order(from, uuid_last) != 0 && left > (e->nranges - at) / RANGES);
		if (uuid_order(from, uuid_last) != 0)
			effects_note_cut(e, ranges, from, after_us);
	}
	return 0;
}

static void effect_add_lead(struct effects *e, const struct db_rows *rows, size_t i, json_t *event)
{
	json_t *o = json_object();

	json_set_str(o, "id", uuid_dup(e->r->a, db_get_uuid(rows, i, EFFECT_ID)));
	if (db_get_str(rows, i, EFFECT_LEAD_NAME).n > 0)
		json_set_str(o, "title", db_get_text(rows, i, EFFECT_LEAD_NAME));
	else if (json_array_size(e->nameless) < EVENT_EFFECTS_MOST)
		json_array_append(e->nameless, o);
	json_set_str(o, "syncStatus", db_get_text(rows, i, EFFECT_LEAD_SYNC_STATUS));
	json_set_str(o, "syncLabel", word_label(lead_sync_statuses, json_str(o, "syncStatus")));
	json_array_append_new(json_object_get(event, "leads"), o);
}

static void effect_add_record(
    struct effects *e, const struct db_rows *rows, size_t i, json_t *event)
{
	json_t *records = json_object_get(event, "records"), *o;
	const char *id = uuid_dup(e->r->a, db_get_uuid(rows, i, EFFECT_ID));

	for (size_t k = 0; k < json_array_size(records); k++) /* in a stretch before */
		if (strcmp(json_str(json_array_get(records, k), "id"), id) == 0)
			return;
	o = json_object();
	json_set_str(o, "id", id);
	json_array_append_new(records, o);
}

static const struct effect_table of_leads = {
    &event_effect_leads, &event_effect_leads_end, effect_add_lead};
static const struct effect_table of_records = {
    &event_effect_records, &event_effect_records_end, effect_add_record};

/* The first of each event before the second of any: a list shows no more than that. */
static void effects_choose_titled(struct effects *e)
{
	for (size_t k = 0; k < EVENT_EFFECTS_MOST; k++)
		for (size_t i = 0; i < map_count(e->events); i++) {
			json_t *event = map_value(e->events, i),
			       *o = json_array_get(json_object_get(event, "records"), k);

			if (o != NULL && json_array_size(e->titled) < EVENT_EFFECTS_MOST)
				json_array_append(e->titled, o);
		}
}

/* Reads what the chosen records are called. */
static int effects_tell_records(struct effects *e, struct err *err)
{
	size_t n = json_array_size(e->titled), i;
	struct uuid ids[EVENT_EFFECTS_MOST];
	json_t *titles, *o;

	for (i = 0; i < n; i++)
		uuid_parse(str_from(json_str(json_array_get(e->titled, i), "id")), &ids[i]);
	if (record_titles(e->r->app, e->r->a, &e->r->actor.account_id, ids, n, &titles, err) == -1)
		return -1;
	json_array_each(e->titled, i, o) {
		const json_t *told = json_object_get(titles, json_str(o, "id"));

		if (told == NULL)
			continue;
		json_set_str(o, "resourceType", json_str(told, "resourceType"));
		json_set_str(o, "title", json_str(told, "title"));
	}
	return 0;
}

/* Those that have no title: deleted since, too many, or the mirror of a lead that is shown. What is
 * too many counts. */
static void effects_drop_untold(struct effects *e)
{
	for (size_t i = 0; i < map_count(e->events); i++) {
		json_t *event = map_value(e->events, i),
		       *records = json_object_get(event, "records");
		size_t leads = json_array_size(json_object_get(event, "leads")),
		       found = json_array_size(records);

		for (size_t k = found; k-- > 0;) {
			const char *type = json_str(json_array_get(records, k), "resourceType");

			if (type == NULL || (leads > 0 && str_is(str_from(type), "lead")))
				json_array_remove(records, k);
		}
		json_set_int(event, "effects",
		    (json_int_t)(leads + (leads > 0 ? json_array_size(records) : found)));
	}
}

int event_effects_add(struct req *r, json_t *events, int64_t after_us, struct err *err)
{
	struct effects e = {.r = r,
	    .events = map_new(r->a),
	    .titled = json_own(r->a, json_array()),
	    .nameless = json_own(r->a, json_array())};
	uint64_t may = r->actor.permissions;
	json_t *event;
	size_t i;

	json_array_each(events, i, event) {
		json_set(event, "leads", json_array());
		json_set(event, "records", json_array());
	}
	effects_find_ranges(&e, events, after_us);
	if (((may & PERMIT(LEADS_VIEW)) != 0 &&
		effects_query(&e, &of_leads, after_us, err) == -1) ||
	    ((may & PERMIT(RECORDS_VIEW)) != 0 &&
		effects_query(&e, &of_records, after_us, err) == -1))
		return -1;
	effects_choose_titled(&e);
	if (effects_tell_records(&e, err) == -1 || lead_add_titles(r, e.nameless, "id", err) == -1)
		return -1;
	effects_drop_untold(&e);
	return 0;
}
