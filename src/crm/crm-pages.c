/* One lead's page: what it says, where it came from, and who has it. */
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "account/permission.h"
#include "base/limits.h"
#include "connection/connection-pages.h"
#include "crm/crm-pages.h"
#include "html/chrome.h"
#include "lead/lead-pages.h"
#include "record/record-pages.h"

DB_STMT(lead_page_event, "SELECT event_id FROM leads WHERE account_id = ? AND id = ?");

/* The members of an object as a list for the template; containers as JSON text. */
static json_t *lead_member_list(struct req *r, const json_t *object)
{
	json_t *list = json_array(), *v;
	const char *key;

	json_object_each(object, key, v) {
		json_t *o = json_object();
		const char *text = json_scalar_text(r->a, v);
		json_set_str(o, "name", key);
		json_set_str(o, "value",
		    text != NULL      ? text
		    : json_is_null(v) ? NULL
				      : json_text(r->a, v).p);
		json_array_append_new(list, o);
	}
	return list;
}

/* ---- timeline ------------------------------------------------------------------------------ */

static json_t *timeline_add_moment(
    json_t *timeline, const char *at, const char *text, const char *kind)
{
	json_t *o = json_object();

	json_set_str(o, "at", at);
	json_set_str(o, "text", text);
	json_set_str(o, "kind", kind);
	json_array_append_new(timeline, o);
	return o;
}

static void timeline_add_attempt(struct req *r, json_t *timeline, const json_t *attempt)
{
	const char *error = json_str(attempt, "error"), *name = json_str(attempt, "name");
	int64_t status = json_int(attempt, "status");
	json_t *o;

	if (name == NULL)
		name = "a removed destination";
	o = timeline_add_moment(timeline, json_str(attempt, "at"),
	    error == NULL ? arena_printf(r->a, "Delivered to %s", name)
			  : arena_printf(r->a, "Attempt %lld to %s failed",
				(long long)json_int(attempt, "attempt"), name),
	    error == NULL ? DELIVERY_SUCCESS : DELIVERY_FAILED);
	json_set_str(o, "detail", error);
	connection_tell_push_error(r->a, o, json_str(attempt, "name"), error);
	json_set_str(o, "request", json_str(attempt, "request"));
	json_set_str(o, "answer", json_str(attempt, "answer"));
	json_set_str(o, "lacking", crm_lacking_text(r->a, attempt));
	json_set(o, "duration", json_incref(json_object_get(attempt, "durationUs")));
	json_set_str(
	    o, "status", status > 0 ? arena_printf(r->a, "HTTP %lld", (long long)status) : NULL);
}

/* As every list of what happened. */
static json_t *timeline_newest_first(json_t *timeline)
{
	json_t *reversed = json_array();

	for (size_t i = json_array_size(timeline); i-- > 0;)
		json_array_append(reversed, json_array_get(timeline, i));
	json_decref(timeline);
	return reversed;
}

static json_t *timeline_make(struct req *r, const json_t *lead, const json_t *attempts)
{
	json_t *timeline = json_array(), *attempt, *stage;
	size_t i;

	json_array_each(json_object_get(lead, "timeline"), i, stage) {
		const char *name = json_str(stage, "stage");
		json_t *o =
		    timeline_add_moment(timeline, json_str(stage, "at"), json_str(stage, "text"),
			strcmp(name, LEAD_INCOMPLETE) == 0 ? LEAD_FAILED : name);

		json_set_str(o, "detail", json_str(stage, "detail"));
		json_set_str(o, "first_lead", json_str(stage, "duplicateOf"));
	}
	json_array_each(attempts, i, attempt)
		timeline_add_attempt(r, timeline, attempt);
	return timeline_newest_first(timeline);
}

/* ---- the page ------------------------------------------------------------------------------ */

static bool lead_has_open_destination(const json_t *destinations)
{
	for (size_t i = 0; i < json_array_size(destinations); i++) {
		const char *status = json_str(json_array_get(destinations, i), "status");
		if (status == NULL || strcmp(status, DELIVERY_SUCCESS) != 0)
			return true;
	}
	return json_array_size(destinations) == 0;
}

/* A time of trying again that has passed is no promise: the lane is held back, or the runner is at
 * it. */
static void show_destinations(struct req *r, json_t *destinations)
{
	int64_t now_us = clock_now_us();
	json_t *destination;
	size_t i;

	json_array_foreach(destinations, i, destination)
	{
		json_set_bool(
		    destination, "is_due", json_time(destination, "nextAttemptAt") <= now_us);
		json_set_str(destination, "statusLabel",
		    word_label(delivery_statuses, json_str(destination, "status")));
		json_set_str(destination, "lacking", crm_lacking_text(r->a, destination));
		crm_tell_error(r->a, destination);
		crm_link_credentials(r, destination);
	}
}

/* Who has just sent it sees what comes of it. */
static void lead_show_live(
    struct req *r, const json_t *lead, const json_t *destinations, json_t *data)
{
	bool is_under_way = str_is(str_from(json_str(lead, "stage")), LEAD_RECEIVED);
	int64_t since_us = json_time(lead, "receivedAt");
	const json_t *d;
	size_t i;

	json_array_each(destinations, i, d) {
		is_under_way = is_under_way || delivery_is_under_way(d);
		if (json_time(d, "updatedAt") > since_us)
			since_us = json_time(d, "updatedAt");
	}
	chrome_refresh(r, is_under_way && str_is(req_query(r, "live"), "1"), since_us, data);
}

/* What only pages tell of a lead: its title, its connection's name, and the event that brought it,
 * for who may see such. */
static int lead_show_origin(struct req *r, const struct uuid *id, json_t *lead, struct err *err)
{
	json_t *leads = json_own(r->a, json_array());
	struct db_rows rows;
	struct uuid event;
	int found;

	json_array_append(leads, lead);
	if (connection_label_rows(r, leads, err) == -1 || lead_add_title(r, lead, err) == -1)
		return -1;
	if ((r->actor.permissions & PERMIT(WEBHOOKS_VIEW)) == 0)
		return 0;
	found = db_row(r->app->db, r->a, &lead_page_event,
	    DB_VALS(db_uuid(&r->actor.account_id), db_uuid(id)), &rows, err);
	event = found == 1 ? db_get_uuid(&rows, 0, 0) : (struct uuid){{0}};
	json_set_str(lead, "eventId", uuid_is_nil(event) ? NULL : uuid_dup(r->a, event));
	return found == -1 ? -1 : 0;
}

int crm_page_lead_detail(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	struct crm_lead of;
	json_t *lead, *destinations, *attempts, *data;
	const char *stage;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = crm_lead_get(r->app, r->a, &r->actor.account_id, &id, &of, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such lead");
	if (found == -1)
		return res_error(r, &err);
	lead = of.lead;
	destinations = of.destinations;
	attempts = of.attempts;
	lead_hide_answers(r, destinations);
	if ((r->actor.permissions & PERMIT(CRM_VIEW)) == 0)
		attempts = NULL;
	if (lead_show_origin(r, &id, lead, &err) == -1 ||
	    lead_complete_timeline(
		r->app, r->a, &r->actor.account_id, r->actor.permissions, lead, &err) == -1)
		return res_error(r, &err);
	stage = json_str(lead, "stage");
	data = json_object();
	json_set_str(data, "heading", json_str(lead, "title"));
	json_set(data, "raw_fields", lead_member_list(r, json_object_get(lead, "rawFieldData")));
	json_set(data, "custom_fields", lead_member_list(r, json_object_get(lead, "customFields")));
	json_set_bool(data, "has_raw", json_array_size(json_object_get(data, "raw_fields")) > 0);
	json_set(lead, "destinations", json_incref(destinations));
	lead_show_delivery(r->a, lead, str_from(stage));
	json_object_del(json_object_get(lead, "delivery"), "who"); /* they stand below it */
	show_destinations(r, destinations);
	json_set(data, "destinations", json_incref(destinations));
	lead_show_live(r, lead, destinations, data);
	json_set_bool(data, "has_destinations", json_array_size(destinations) > 0);
	json_set_bool(data, "stage_failed", lead_stage_is_lacking(stage));
	json_set_bool(data, "stage_waiting", str_is(str_from(stage), LEAD_RECEIVED));
	json_set(data, "timeline", timeline_make(r, lead, attempts));
	json_set_bool(data, "is_ready", stage != NULL && strcmp(stage, LEAD_READY) == 0);
	json_set_bool(data, "can_edit", (r->actor.permissions & PERMIT(LEADS_WRITE)) != 0);
	json_set_bool(data, "is_duplicate", json_str(lead, "duplicateOf") != NULL);
	json_set_bool(
	    data, "is_held", str_is(str_from(json_str(lead, "syncStatus")), LEAD_SYNC_DUPLICATE));
	json_set_str(data, "how", word_label(lead_sources, json_str(lead, "source")));
	json_set_bool(data, "can_push",
	    stage != NULL && strcmp(stage, LEAD_READY) == 0 &&
		(r->actor.permissions & PERMIT(CRM_WRITE)) != 0 &&
		lead_has_open_destination(destinations));
	json_set_bool(data, "sees_deliveries", (r->actor.permissions & PERMIT(CRM_VIEW)) != 0);
	json_set(data, "lead", json_incref(lead));
	return chrome_page(r, 200, "leads", json_str(lead, "title"), "lead/detail", data);
}

int crm_page_lead_push(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	size_t n;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = crm_queue_lead(r, &id, NULL, &n, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such lead");
	if (found == -1 && err.code != ERR_CONFLICT)
		return res_error(r, &err);
	if (found == -1)
		chrome_flash(r, "error", "%s.", err.msg);
	else if (n == 0)
		chrome_flash(
		    r, "error", "There is no active destination that has not taken this lead.");
	else
		chrome_flash(r, "ok",
		    "Sending to %zu destination%s. What comes of it is shown here.", n,
		    plural_s(n));
	return res_redirect(r, arena_printf(r->a, "/admin/leads/%s%s", uuid_dup(r->a, id),
				   found == 1 && n > 0 ? "?live=1" : ""));
}

/* ---- many ---------------------------------------------------------------------------------- */

#define PUSHED_AT_ONCE 500

static size_t leads_ticked(const struct req *r, struct uuid *ids, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < r->form.n && n < max; i++)
		n += str_is(r->form.v[i].name, "id") && uuid_parse(r->form.v[i].value, &ids[n]);
	return n;
}

struct leads_pushing {
	struct uuid task_id;
	size_t asked, sent;
	int64_t deliveries;
	bool has_more;
};

/* A lead that is partly delivered goes where it failed for good, nowhere else: *n destinations. */
static int lead_push_missed(
    struct req *r, const struct uuid *id, const struct uuid *task_id, size_t *n, struct err *err)
{
	json_t *destinations, *d;
	size_t i;

	if (crm_lead_destinations(r->app, r->a, &r->actor.account_id, id, &destinations, err) == -1)
		return -1;
	json_array_each(destinations, i, d) {
		struct str status = str_from(json_str(d, "status"));
		struct uuid delivery;
		int found;

		if ((!str_is(status, DELIVERY_FAILED) && !str_is(status, DELIVERY_DEAD)) ||
		    json_time(d, "nextAttemptAt") > 0 ||
		    !uuid_parse(str_from(json_str(d, "id")), &delivery))
			continue;
		if ((found = delivery_again(r, &delivery, task_id, err)) == -1)
			return -1;
		*n += (size_t)found;
	}
	return 1;
}

/* Those that are not ready, or that every destination has, are left out of what is sent. */
static int leads_push(
    struct req *r, const struct uuid *ids, struct leads_pushing *p, struct err *err)
{
	const bool is_partial = str_is(req_form(r, "status"), LEAD_SYNC_PARTIAL);

	p->task_id = uuid_new();
	for (size_t i = 0; i < p->asked; i++) {
		size_t n = 0;
		int found = is_partial ? lead_push_missed(r, &ids[i], &p->task_id, &n, err)
				       : crm_queue_lead(r, &ids[i], &p->task_id, &n, err);

		if (found == -1 && err->code != ERR_CONFLICT)
			return -1;
		err_clear(err);
		p->sent += found == 1 && n > 0;
		p->deliveries += found == 1 ? (int64_t)n : 0;
	}
	return p->sent == 0
		   ? 0
		   : crm_queue_watch(r, &p->task_id,
			 arena_printf(r->a, "%zu lead%s sent again", p->sent, plural_s(p->sent)),
			 p->deliveries, err);
}

static void flash_set_pushed(struct req *r, const struct leads_pushing *p)
{
	if (p->asked == 0)
		chrome_flash(r, "error", "No lead is selected. Tick some, or all that match.");
	else if (p->sent == 0)
		chrome_flash(r, "error",
		    "None of them was sent: each has no active destination, or is delivered.");
	else
		chrome_flash(r, "ok",
		    "Sending %zu of %zu lead%s again. What comes of it is shown here.%s", p->sent,
		    p->asked, plural_s(p->asked),
		    p->has_more ? " There are more: select all once again for them." : "");
}

static const char *leads_address(struct req *r, struct str status)
{
	struct buf *b = buf_new(r->a, LIMIT_URL_BYTES);

	buf_str(b, LEADS_PAGE_ADDRESS);
	if (status.n > 0)
		buf_str(b, "?status=");
	percent_encode(b, status);
	return buf_ok(b) ? b->p : LEADS_PAGE_ADDRESS;
}

/* All that match are asked for before, as deliveries are (delivery-again-pages.c). */
static int leads_ask(struct req *r, const struct leads_pushing *p)
{
	json_t *data = json_own(r->a, json_object());

	json_set_int(data, "count", (int64_t)p->asked);
	json_set_bool(data, "is_one", p->asked == 1);
	json_set_bool(data, "has_more", p->has_more);
	json_set_strn(data, "query", req_form(r, "query"));
	json_set_strn(data, "status", req_form(r, "status"));
	json_set_str(data, "back_href", leads_address(r, req_form(r, "status")));
	return chrome_page(r, 200, "leads", "Send again", "lead/again", json_incref(data));
}

int crm_page_leads_push(struct req *r)
{
	struct uuid *ids = arena_array(r->a, PUSHED_AT_ONCE, sizeof(*ids));
	struct err err = ERR_INIT;
	struct leads_pushing p = {.sent = 0};
	const bool is_all = str_is(req_form(r, "scope"), "all");

	if (!is_all)
		p.asked = leads_ticked(r, ids, PUSHED_AT_ONCE);
	else if (lead_page_matching(r, ids, PUSHED_AT_ONCE, &p.asked, &p.has_more, &err) == -1)
		return res_error(r, &err);
	if (is_all && req_form(r, "sure").n == 0)
		return leads_ask(r, &p);
	if (leads_push(r, ids, &p, &err) == -1)
		return res_error(r, &err);
	flash_set_pushed(r, &p);
	return p.sent > 0 ? crm_redirect_to_task(r, &p.task_id)
			  : res_redirect(r, leads_address(r, req_form(r, "status")));
}
