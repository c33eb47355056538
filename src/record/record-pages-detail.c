/* One record's page: what it says now or said then, how it came to that, and what can be done. */
#include <inttypes.h>
#include <string.h>

#include "account/permission.h"
#include "base/clock.h"
#include "base/map.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "record/record-pages.h"
#include "record/record-timeline.h"

#define CHANGES_OPEN 2   /* more are folded */
#define ACTIVITY_OPEN 30 /* older ones are folded */

static const char *record_address(struct req *r, const json_t *record)
{
	return arena_printf(r->a, RECORD_PAGE_ADDRESS "/%s", json_str(record, "id"));
}

/* ---- history ------------------------------------------------------------------------------- */

static const char *change_value_text(struct arena *a, const json_t *v)
{
	const char *text = record_cell_text(a, v);

	if (text != NULL || v == NULL)
		return text;
	return json_is_null(v) ? "null" : "“”";
}

static void add_change_texts(struct arena *a, json_t *changes)
{
	json_t *change;
	size_t i;

	json_array_each(changes, i, change) {
		const json_t *before = json_object_get(change, "before"),
			     *after = json_object_get(change, "after");

		json_set_bool(change, "had", before != NULL);
		json_set_bool(change, "has", after != NULL);
		json_set_str(change, "before_text", change_value_text(a, before));
		json_set_str(change, "after_text", change_value_text(a, after));
	}
}

static const struct word activity_kinds[] = {{"changes", "Changes"}, {NULL, NULL}};

/* ---- activity: one list, newest first, in which what came of one request is one entry -------- */

/* The request that an entry of the history came by; NULL: none, or it is forgotten. */
static const json_t *activity_request(const json_t *timeline, const char *event_id)
{
	for (size_t i = 0; event_id != NULL && i < json_array_size(timeline); i++) {
		const json_t *e = json_array_get(timeline, i);

		if (str_is(str_from(json_str(e, "kind")), "request") &&
		    str_is(str_from(json_str(e, "eventId")), event_id))
			return e;
	}
	return NULL;
}

/* "HubSpot EU changed 5 fields" */
static void activity_tell_change(
    struct req *r, const json_t *record, json_t *entry, const json_t *timeline)
{
	const json_t *request = activity_request(timeline, json_str(entry, "eventId"));
	json_t *changes = json_object_get(entry, "changes");
	size_t n = json_array_size(changes);
	const char *who = request != NULL ? json_str(request, "connectionName")
					  : record_source_label(record, json_str(entry, "source"));

	add_change_texts(r->a, changes);
	json_set_str(entry, "text",
	    n == 0 ? arena_printf(r->a, "%s created it", who)
		   : arena_printf(r->a, "%s changed %zu field%s", who, n, plural_s(n)));
	json_set_str(
	    entry, "detail", n == 0 && request != NULL ? json_str(request, "eventType") : NULL);
	json_set_str(entry, "mark", n == 0 ? "received" : "change");
	json_set_bool(entry, "is_long", n > CHANGES_OPEN);
}

static json_t *change_of_path(json_t *changes, const char *path)
{
	json_t *change;
	size_t i;

	json_array_each(changes, i, change)
		if (strcmp(json_str(change, "path"), path) == 0)
			return change;
	return NULL;
}

/* Takes the changes of an older entry into those of a newer one: of each path what was before both
 * and is after both. */
static void changes_join(json_t *newer, const json_t *older)
{
	for (size_t i = 0; i < json_array_size(older); i++) {
		json_t *change = json_array_get(older, i), *known;

		known = change_of_path(newer, json_str(change, "path"));
		if (known == NULL) {
			json_array_append(newer, change);
			continue;
		}
		json_object_del(known, "before");
		if (json_object_get(change, "before") != NULL)
			json_set(known, "before", json_incref(json_object_get(change, "before")));
	}
}

/* What one request changed bit by bit is one entry, as of the last of them; where it made the
 * record, that. The history is newest first, and its own. */
static json_t *history_by_request(struct arena *a, json_t *history)
{
	json_t *out = json_own(a, json_array()), *entry, *last = NULL;
	size_t i;

	json_array_each(history, i, entry) {
		const char *event_id = json_str(entry, "eventId");
		json_t *changes = json_object_get(entry, "changes");

		if (last == NULL || event_id == NULL || json_str(last, "eventId") == NULL ||
		    strcmp(event_id, json_str(last, "eventId")) != 0) {
			json_array_append(out, entry);
			last = entry;
		} else if (json_array_size(changes) == 0) {
			json_array_clear(json_object_get(last, "changes"));
		} else {
			changes_join(json_object_get(last, "changes"), changes);
		}
	}
	return out;
}

/* What is otherwise now than at a time: of each path the value before its first change since, and
 * the one after its last. */
static json_t *changes_since(struct arena *a, const json_t *history, int64_t at_us)
{
	struct map *by_path = map_new(a);
	json_t *list = json_own(a, json_array());

	for (size_t i = 0; i < json_array_size(history); i++) { /* newest first */
		const json_t *entry = json_array_get(history, i), *change;
		size_t k;

		if (json_time(entry, "at") <= at_us)
			break;
		json_array_each(json_object_get(entry, "changes"), k, change) {
			struct str path = str_from(json_str(change, "path"));
			json_t *o = map_get(by_path, path);

			if (o == NULL) {
				o = json_own(a, json_object());
				json_set_strn(o, "path", path);
				if (json_object_get(change, "after") != NULL)
					json_set(o, "after",
					    json_incref(json_object_get(change, "after")));
				map_put(by_path, path, o);
			}
			json_object_del(o, "before");
			if (json_object_get(change, "before") != NULL)
				json_set(
				    o, "before", json_incref(json_object_get(change, "before")));
		}
	}
	for (size_t i = 0; i < map_count(by_path); i++) {
		json_t *o = map_value(by_path, i), *before = json_object_get(o, "before"),
		       *after = json_object_get(o, "after");

		if (before == NULL || after == NULL || !json_equal(before, after))
			json_array_append(list, o);
	}
	add_change_texts(a, list);
	return list;
}

/* Entries link to the record as of then; the one that is shown is marked. The newest is now. */
static void activity_link_past(
    struct req *r, json_t *history, const char *address, struct opt_time at)
{
	bool is_found = false;
	json_t *entry;
	size_t i;

	json_array_each(history, i, entry) {
		bool is_shown = !is_found && (!at.is_given || json_time(entry, "at") <= at.us);

		is_found = is_found || is_shown;
		json_set_bool(entry, "is_shown", is_shown && at.is_given);
		json_set_str(entry, "then_href",
		    is_shown ? NULL
		    : i == 0 ? address
			     : arena_printf(r->a, "%s?at=%s", address, json_str(entry, "at")));
	}
}

static void activity_tell_push(struct req *r, json_t *e)
{
	const char *name = json_str(e, "name"), *error = json_str(e, "error");
	int64_t status = json_int(e, "status");

	if (name == NULL)
		name = "a removed destination";
	json_set_str(e, "text",
	    error == NULL ? arena_printf(r->a, "Delivered to %s", name)
			  : arena_printf(r->a, "Attempt %" PRId64 " to %s failed",
				json_int(e, "attempt"), name));
	connection_tell_push_error(r->a, e, json_str(e, "name"), error);
	json_set_str(e, "detail", json_str(e, "error_words"));
	json_set_str(e, "note", status > 0 ? arena_printf(r->a, "HTTP %" PRId64, status) : NULL);
	json_set_str(e, "mark", error == NULL ? "success" : "failed");
}

/* Of a kind that this page knows nothing of: what its members say. */
static void activity_tell_other(struct req *r, json_t *e)
{
	struct str status = str_from(json_str(e, "status"));
	const char *name = json_str(e, "name"), *kind = json_str(e, "kind");

	if (json_str(e, "text") == NULL)
		json_set_str(e, "text",
		    name != NULL ? arena_printf(r->a, "%s: %s", kind, name)
				 : arena_strdup(r->a, kind));
	json_set_str(e, "note", status.p);
	json_set_str(e, "detail", json_str(e, "error"));
	json_set_str(e, "mark",
	    str_is(status, "failed")                                   ? "failed"
	    : str_is(status, "success") || str_is(status, "completed") ? "success"
								       : "change");
}

/* Requests, verdicts and upserts are told by the history's own entries. */
static bool activity_is_told(struct str kind)
{
	return str_is(kind, "request") || str_is(kind, "verdict") || str_is(kind, "upsert");
}

/* Both newest first; of one moment what followed stands above. */
static json_t *activity_merge(struct req *r, json_t *history, json_t *timeline)
{
	json_t *list = json_own(r->a, json_array());
	size_t h = 0, n = json_array_size(history);

	for (size_t t = json_array_size(timeline); t-- > 0;) {
		json_t *e = json_array_get(timeline, t);
		struct str kind = str_from(json_str(e, "kind"));

		if (activity_is_told(kind))
			continue;
		if (str_is(kind, "push"))
			activity_tell_push(r, e);
		else
			activity_tell_other(r, e);
		while (h < n && json_time(json_array_get(history, h), "at") > json_time(e, "at"))
			json_array_append(list, json_array_get(history, h++));
		json_array_append(list, e);
	}
	while (h < n)
		json_array_append(list, json_array_get(history, h++));
	return list;
}

static void detail_add_activity(json_t *data, json_t *list)
{
	json_t *newest = json_array(), *older = json_array();

	for (size_t i = 0; i < json_array_size(list); i++)
		json_array_append(i < ACTIVITY_OPEN ? newest : older, json_array_get(list, i));
	json_set(data, "activity", newest);
	json_set(data, "older", older);
	json_set_bool(data, "has_older", json_array_size(older) > 0);
}

static int detail_show_activity(struct req *r, json_t *data, json_t *history, json_t *timeline,
    struct opt_time at, struct err *err)
{
	struct str only = req_query(r, "activity");
	json_t *list, *entry;
	size_t i;

	if (connection_label_rows(r, timeline, err) == -1)
		return -1;
	if (at.is_given) {
		json_t *since = changes_since(r->a, history, at.us);

		json_set(data, "since", json_incref(since));
		json_set_bool(data, "has_since", json_array_size(since) > 0);
	}
	history = history_by_request(r->a, history);
	json_array_each(history, i, entry)
		activity_tell_change(r, json_object_get(data, "record"), entry, timeline);
	activity_link_past(r, history, record_address(r, json_object_get(data, "record")), at);
	list = activity_merge(r, history, timeline);
	json_set_bool(data, "has_deliveries", json_array_size(list) > json_array_size(history));
	if (str_is(only, "changes"))
		list = history;
	detail_add_activity(data, list);
	json_set(data, "activity_kinds", chrome_choices(r, "activity", activity_kinds));
	return 0;
}

/* ---- the page ------------------------------------------------------------------------------ */

/* 1, 0, -1; 0 also when there was no such record then. */
static int detail_load(
    struct req *r, const struct uuid *id, struct opt_time at, json_t *data, struct err *err)
{
	const struct uuid *account = &r->actor.account_id;
	json_t *record, *history, *timeline;
	int found = at.is_given ? record_get_at(r->app, r->a, account, id, at.us, &record, err)
				: record_get_json(r->app, r->a, account, id, &record, err);

	if (found != 1)
		return found;
	if (record_history(r->app, r->a, account, id, &history, err) == -1 ||
	    (found = record_timeline(
		 r->app, r->a, account, r->actor.permissions, id, &timeline, err)) != 1)
		return found == 0 ? 0 : -1;
	json_set(data, "record", json_incref(record));
	/* The timeline tells of the same changes in other words. */
	timeline = json_own(r->a, json_deep_copy(timeline));
	return detail_show_activity(
		   r, data, json_own(r->a, json_deep_copy(history)), timeline, at, err) == -1
		   ? -1
		   : 1;
}

/* The provider, "sender": what its connection is called, or else the provider; and "origin": that,
 * or how it came where nobody sent it. */
static int detail_tell_sender(struct req *r, json_t *record, struct err *err)
{
	const char *source = json_str(record, "source"), *name,
		   *label = record_source_label(record, source);
	bool is_manual = str_is(str_from(json_str(record, "providerType")), PROVIDER_MANUAL);
	json_t *rows = json_own(r->a, json_array());

	json_array_append(rows, record);
	provider_label_rows(r->app, rows);
	if (r->app->hooks.tell_records != NULL && r->app->hooks.tell_records(r, rows, err) == -1)
		return -1;
	name = json_str(record, "connectionName");
	connection_tell_kind(record);
	if (name == NULL && !is_manual)
		name = json_str(record, "providerName");
	json_set_str(record, "sender", name);
	json_set_str(record, "idLabel",
	    is_manual ? "ID" : arena_printf(r->a, "ID in %s", json_str(record, "providerName")));
	json_set_str(record, "origin",
	    str_is(str_from(source), RECORD_SOURCE_WEBHOOK) ? name
	    : is_manual                                     ? label
			: arena_printf(r->a, "%s, %s", json_str(record, "providerName"), label));
	return 0;
}

static int detail_answer_missing(struct req *r, const struct uuid *id, struct opt_time at)
{
	if (!at.is_given)
		return res_problem(r, 404, "There is no such record. It may have been deleted");
	chrome_flash(r, "error", "This record was not there yet at that time.");
	return res_redirect(r, arena_printf(r->a, RECORD_PAGE_ADDRESS "/%s", uuid_dup(r->a, *id)));
}

int record_page_detail(struct req *r)
{
	struct opt_time at = req_query_time(r, "at");
	struct uuid id;
	struct err err = ERR_INIT;
	json_t *record, *data;
	const char *title;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	if (req_has_invalid(r))
		return res_invalid(r);
	data = json_own(r->a, json_object());
	if ((found = detail_load(r, &id, at, data, &err)) == -1)
		return res_error(r, &err);
	if (found == 0)
		return detail_answer_missing(r, &id, at);
	record = json_object_get(data, "record");
	title = record_name(r->a, record);
	if (detail_tell_sender(r, record, &err) == -1)
		return res_error(r, &err);
	json_set_bool(
	    record, "has_own_id", !record_id_is_hash(str_from(json_str(record, "externalId"))));
	json_set_str(data, "heading", title);
	json_set_str(data, "now_href", record_address(r, record));
	json_set_bool(data, "is_past", at.is_given);
	json_set_bool(data, "sees_lead", (r->actor.permissions & PERMIT(LEADS_VIEW)) != 0);
	json_set_bool(
	    data, "can_write", !at.is_given && (r->actor.permissions & PERMIT(RECORDS_WRITE)) != 0);
	return chrome_page(
	    r, 200, "records", arena_strdup(r->a, title), "record/detail", json_incref(data));
}
