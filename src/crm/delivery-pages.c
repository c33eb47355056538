/* The list of deliveries, and the page of one. Sending them again is delivery-again-pages.c. */
#include "account/permission.h"
#include "base/clock.h"
#include "connection/connection-pages.h"
#include "crm/crm-destinations.h"
#include "crm/crm-pages.h"
#include "html/chrome.h"
#include "lead/lead-pages.h"

#define PAGE_ROWS 50

/* The status in words, and when it is tried again; a time that has passed is no promise. */
static void deliveries_tell_status(struct arena *a, json_t *rows)
{
	int64_t now_us = clock_now_us();
	const char *said;
	json_t *row;
	size_t i;

	json_array_each(rows, i, row) {
		json_set_str(
		    row, "statusLabel", word_label(delivery_statuses, json_str(row, "status")));
		crm_tell_error_of(a, row, "It"); /* its name stands beside */
		said = json_str(row, "error_words");
		if (said == NULL && str_is(str_from(json_str(row, "status")), DELIVERY_SKIPPED))
			said = json_str(row, "reason"); /* nobody was asked */
		json_set_str(row, "said", said);
		json_set_str(row, "again",
		    json_time(row, "nextAttemptAt") > now_us ? json_str(row, "nextAttemptAt")
							     : NULL);
	}
}

/* A filter that cannot be used is told, and those that can hold. */
static void deliveries_show_filters(struct req *r, const struct delivery_filter *f, json_t *data)
{
	int64_t n = (f->provider_type.n > 0) + !uuid_is_nil(f->connection_id) + f->from.is_given +
		    f->to.is_given;

	json_set(data, "statuses", chrome_choices(r, "status", delivery_statuses));
	json_set(data, "providers", provider_choices(r, "providerType", "lead_sync"));
	json_set_strn(data, "status", f->status);
	json_set_strn(data, "search", f->search);
	chrome_chip_chosen(
	    r, "providerType", "Leads from", json_object_get(data, "providers"), data);
	if (!uuid_is_nil(f->lead_id))
		chrome_chip(r, "leadId", "Of one lead", NULL, data);
	chrome_days(r, f->from, f->to, data);
	chrome_span(r, "Tried", "triedFrom", "triedTo", f->tried_from, f->tried_to, data);
	if (f->route.n > 0)
		chrome_chip(r, "route", delivery_route_words(r, f), NULL, data);
	json_set_strn(data, "route", f->route);
	if (!uuid_is_nil(f->task_id)) {
		chrome_chip(r, "taskId", "Not delivered by one sending", NULL, data);
		json_set_str(data, "task_id", uuid_dup(r->a, f->task_id));
	}
	json_set_int(data, "filter_count", n);
	json_set(data, "hidden", delivery_filter_fields(r, f));
	json_set_str(data, "again_href",
	    f->search.n > 0 ? NULL : deliveries_address(r, DELIVERIES_ADDRESS "/again", f));
	json_set_bool(data, "is_filtered", filter_pairs(r->a, &list_of_deliveries, f).n > 0);
	json_set_str(data, "problem", req_invalid_text(r));
}

/* Where nothing was delivered yet, a destination that is there and waits; choices: of all of them,
 * the first is any. */
static void deliveries_show_waiting(struct req *r, const json_t *choices, json_t *data)
{
	const json_t *first = json_array_get(choices, 1);

	if (first == NULL)
		return;
	json_set_str(data, "destination_name", json_str(first, "label"));
	json_set_bool(data, "can_add", (r->actor.permissions & PERMIT(LEADS_WRITE)) != 0);
}

int crm_page_deliveries(struct req *r)
{
	struct delivery_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;
	json_t *data, *connections;
	bool is_dead;

	if (!slice_read_page(r, &list_of_deliveries, &f, PAGE_ROWS, &s))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	if (delivery_list(r->app, r->a, &f, &s, &err) == -1 ||
	    deliveries_count_matching(r->app, r->a, &f, &s.total, &err) == -1 ||
	    lead_add_titles(r, s.rows, "leadId", &err) == -1 ||
	    connection_choices_of(r, "connectionId", "crm_push", &connections, &err) == -1)
		return res_error(r, &err);
	deliveries_tell_status(r->a, s.rows);
	data = json_object();
	chrome_slice(r, &s, data);
	chrome_slice_order(r, &s, list_of_deliveries.sort, data);
	chrome_slice_total(&s, BACKLOG_MOST, "delivery", "deliveries", data);
	json_set(data, "connections", json_incref(connections));
	deliveries_show_waiting(r, connections, data);
	chrome_chip_chosen(r, "connectionId", "Destination", connections, data);
	deliveries_show_filters(r, &f, data);
	is_dead = str_is(f.status, DELIVERY_DEAD);
	json_set_bool(data, "is_dead", is_dead);
	json_set_bool(data, "is_failed", str_is(f.status, DELIVERY_FAILED));
	json_set_bool(data, "may_have_more", f.search.n > 0);
	json_set_bool(data, "can_push", (r->actor.permissions & PERMIT(CRM_WRITE)) != 0);
	crm_show_tabs(data, is_dead ? CRM_TAB_DEAD : CRM_TAB_DELIVERIES);
	return chrome_page(
	    r, 200, "deliveries", is_dead ? "Given up" : "Deliveries", "crm/deliveries", data);
}

/* ---- one ------------------------------------------------------------------------------------- */

/* "POST https://…", a blank line and the body, as an attempt keeps what was sent. */
static void attempt_show(struct req *r, json_t *attempt)
{
	const int64_t status = json_int(attempt, "status");
	const char *error = json_str(attempt, "error");

	connection_tell_push_error(r->a, attempt, json_str(attempt, "name"), error);
	json_set_bool(attempt, "is_good", error == NULL);
	json_set_str(attempt, "http",
	    status > 0 ? arena_printf(r->a, "HTTP %lld", (long long)status) : NULL);
	json_set_str(attempt, "lacking", crm_lacking_text(r->a, attempt));
}

static int delivery_show(struct req *r, json_t *d, json_t *attempts)
{
	struct err err = ERR_INIT;
	json_t *data = json_object(), *rows = json_own(r->a, json_array()), *attempt;
	const char *status = json_str(d, "status");
	size_t i;

	json_array_append(rows, d);
	if (lead_add_titles(r, rows, "leadId", &err) == -1) {
		json_decref(data);
		return res_error(r, &err);
	}
	deliveries_tell_status(r->a, rows);
	json_set_str(d, "lacking", crm_lacking_text(r->a, d));
	json_array_each(attempts, i, attempt)
		attempt_show(r, attempt);
	crm_link_credentials(r, d);
	json_set(data, "delivery", json_incref(d));
	chrome_refresh(r, delivery_is_under_way(d) && str_is(req_query(r, "live"), "1"),
	    json_time(d, "updatedAt"), data);
	json_set(data, "tries", json_incref(attempts));
	json_set_bool(data, "has_tries", json_array_size(attempts) > 0);
	json_set_bool(
	    data, "is_held", json_str(d, "again") != NULL && json_int(d, "attempts") == 0);
	json_set_bool(data, "can_push",
	    (r->actor.permissions & PERMIT(CRM_WRITE)) != 0 &&
		!str_is(str_from(status), DELIVERY_SUCCESS));
	json_set_bool(data, "sees_lead", (r->actor.permissions & PERMIT(LEADS_VIEW)) != 0);
	json_set_bool(
	    data, "sees_connections", (r->actor.permissions & PERMIT(CONNECTIONS_VIEW)) != 0);
	return chrome_page(r, 200, "deliveries",
	    arena_printf(r->a, "%s to %s",
		json_str(d, "title") != NULL ? json_str(d, "title") : "Lead", json_str(d, "name")),
	    "crm/delivery", data);
}

int crm_page_delivery(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *d, *attempts;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = delivery_get_json(r->app, r->a, &r->actor.account_id, &id, &d, &attempts, &err);
	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? res_problem(r, 404, "There is no such delivery")
			  : delivery_show(r, d, attempts);
}

/* ---- on the page of a connection ------------------------------------------------------------- */

int crm_connection_activity(
    struct req *r, const struct connection *c, json_t *data, struct err *err)
{
	const struct delivery_filter f = {.account_id = c->account_id, .connection_id = c->id};
	struct slice s = {.limit = CONNECTION_HAPPENINGS_READ};
	json_t *d;
	size_t i;

	if ((r->actor.permissions & PERMIT(CRM_VIEW)) == 0 ||
	    !provider_can(c->provider, "crm_push"))
		return 0;
	if (delivery_list(r->app, r->a, &f, &s, err) == -1 ||
	    lead_add_titles(r, s.rows, "leadId", err) == -1)
		return -1;
	deliveries_tell_status(r->a, s.rows);
	json_array_each(s.rows, i, d) {
		const char *title = json_str(d, "title");
		const struct str status = str_from(json_str(d, "status"));

		connection_add_happening(data,
		    &(struct connection_happening){.at = json_str(d, "updatedAt"),
			.kind = "sent",
			.mark = str_is(status, DELIVERY_SUCCESS) ? "success"
				: str_is(status, DELIVERY_FAILED) || str_is(status, DELIVERY_DEAD)
				    ? "failed"
				    : "change",
			.text = title != NULL ? title : "Lead",
			.note = json_str(d, "statusLabel"),
			.detail = json_str(d, "error_words"),
			.again = json_str(d, "again"),
			.href = arena_printf(r->a, DELIVERIES_ADDRESS "/%s", json_str(d, "id"))});
	}
	return 0;
}
