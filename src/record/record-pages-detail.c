/* One record's page: what it says now or said then, how it came to that, and what can be done. */
#include <inttypes.h>
#include <string.h>

#include "account/permission.h"
#include "base/clock.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "record/record-pages.h"
#include "record/record-timeline.h"

#define CHANGES_OPEN 6 /* more are folded */

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

/* Entries link to the record as of then; the one that is shown is marked. The newest is now. */
static void detail_show_history(struct req *r, json_t *data, json_t *history, struct opt_time at)
{
	const char *address = record_address(r, json_object_get(data, "record"));
	bool is_found = false;
	json_t *entry;
	size_t i;

	json_array_each(history, i, entry) {
		json_t *changes = json_object_get(entry, "changes");
		int64_t made_us = 0;
		bool is_shown;

		clock_parse_iso(str_from(json_str(entry, "at")), &made_us);
		is_shown = !is_found && (!at.is_given || made_us <= at.us);
		is_found = is_found || is_shown;
		add_change_texts(r->a, changes);
		json_set_str(entry, "sourceLabel", record_source_label(json_str(entry, "source")));
		json_set_bool(entry, "is_long", json_array_size(changes) > CHANGES_OPEN);
		json_set_bool(entry, "is_creation", json_array_size(changes) == 0);
		json_set_bool(entry, "is_shown", is_shown);
		json_set_str(entry, "then_href",
		    is_shown ? NULL
		    : i == 0 ? address
			     : arena_printf(r->a, "%s?at=%s", address, json_str(entry, "at")));
	}
	json_set(data, "history", json_incref(history));
}

/* ---- timeline ------------------------------------------------------------------------------ */

static void story_tell_request(struct req *r, json_t *e)
{
	json_set_str(e, "text",
	    arena_printf(
		r->a, "Received from %s", provider_label(r->app, json_str(e, "providerType"))));
	json_set_str(e, "detail", json_str(e, "eventType"));
	json_set_str(e, "mark", "received");
}

static void story_tell_verdict(struct req *r, json_t *e)
{
	struct str status = str_from(json_str(e, "status"));
	bool is_bad = str_is(status, "rejected") || str_is(status, "failed");

	json_set_str(e, "text",
	    str_is(status, "rejected")    ? "Refused"
	    : str_is(status, "failed")    ? "Failed"
	    : str_is(status, "duplicate") ? "Signed well, sent before"
					  : "Signed well and taken");
	json_set_str(e, "detail", json_str(e, "reason"));
	json_set_str(e, "mark", is_bad ? "failed" : "success");
	json_set(e, "duration", json_incref(json_object_get(e, "latencyUs")));
	(void)r;
}

static void story_tell_upsert(struct req *r, json_t *e)
{
	const json_t *changes = json_object_get(e, "changes");
	size_t n = json_array_size(changes);
	struct buf *names = buf_new(r->a, 400);

	for (size_t i = 0; i < n && i < 4; i++)
		buf_printf(names, "%s%.80s", i == 0 ? "" : ", ",
		    json_str(json_array_get(changes, i), "path"));
	if (n > 4)
		buf_str(names, " …");
	json_set_str(e, "text",
	    n == 0 ? "Record created"
		   : arena_printf(r->a, "%zu field%s changed", n, n == 1 ? "" : "s"));
	json_set_str(e, "detail", n > 0 && buf_ok(names) ? names->p : NULL);
	json_set_str(e, "mark", n == 0 ? "received" : "change");
	json_set_str(e, "eventId", NULL);
}

static void story_tell_push(struct req *r, json_t *e)
{
	const char *name = json_str(e, "name"), *error = json_str(e, "error");
	int64_t status = json_int(e, "status");

	if (name == NULL)
		name = "a removed destination";
	json_set_str(e, "text",
	    error == NULL ? arena_printf(r->a, "Delivered to %s", name)
			  : arena_printf(r->a, "Attempt %" PRId64 " to %s failed",
				json_int(e, "attempt"), name));
	json_set_str(e, "detail", error);
	json_set_str(e, "note", status > 0 ? arena_printf(r->a, "HTTP %" PRId64, status) : NULL);
	json_set_str(e, "mark", error == NULL ? "success" : "failed");
	json_set(e, "duration", json_incref(json_object_get(e, "durationUs")));
}

/* Of a kind that this page knows nothing of: what its members say. */
static void story_tell_other(struct req *r, json_t *e)
{
	struct str status = str_from(json_str(e, "status"));
	const char *name = json_str(e, "name"), *kind = json_str(e, "kind");

	json_set_str(e, "text",
	    name != NULL ? arena_printf(r->a, "%s: %s", kind, name) : arena_strdup(r->a, kind));
	json_set_str(e, "note", status.p);
	json_set_str(e, "detail", json_str(e, "error"));
	json_set_str(e, "mark",
	    str_is(status, "failed")                                   ? "failed"
	    : str_is(status, "success") || str_is(status, "completed") ? "success"
								       : "change");
	json_set(e, "duration", json_incref(json_object_get(e, "durationUs")));
}

static void detail_show_timeline(struct req *r, json_t *data, json_t *timeline)
{
	static const struct {
		const char *kind;
		void (*tell)(struct req *r, json_t *entry);
	} kinds[] = {{"request", story_tell_request}, {"verdict", story_tell_verdict},
	    {"upsert", story_tell_upsert}, {"push", story_tell_push}};
	json_t *entry;
	size_t i, k;

	json_array_each(timeline, i, entry) {
		struct str kind = str_from(json_str(entry, "kind"));

		for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]) && !str_is(kind, kinds[k].kind);
		     k++)
			;
		if (k < sizeof(kinds) / sizeof(kinds[0]))
			kinds[k].tell(r, entry);
		else
			story_tell_other(r, entry);
	}
	json_set(data, "timeline", json_incref(timeline));
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
	    (found = record_timeline(r->app, r->a, account, id, &timeline, err)) != 1)
		return found == 0 ? 0 : -1;
	json_set(data, "record", json_incref(record));
	/* The timeline tells of the same changes in other words. */
	timeline = json_own(r->a, json_deep_copy(timeline));
	detail_show_history(r, data, json_own(r->a, json_deep_copy(history)), at);
	detail_show_timeline(r, data, timeline);
	return 1;
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
	title = record_title(r->a, record);
	if (title == NULL)
		title = json_str(record, "externalId");
	json_set_str(
	    record, "providerName", provider_label(r->app, json_str(record, "providerType")));
	json_set_str(record, "sourceLabel", record_source_label(json_str(record, "source")));
	json_set_str(data, "heading", title);
	json_set_str(data, "now_href", record_address(r, record));
	json_set_bool(data, "is_past", at.is_given);
	json_set_bool(
	    data, "can_write", !at.is_given && (r->actor.permissions & PERMIT(RECORDS_WRITE)) != 0);
	return chrome_page(
	    r, 200, "records", arena_strdup(r->a, title), "record/detail", json_incref(data));
}
