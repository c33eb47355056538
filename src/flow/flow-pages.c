/* Pages of flows: the list, and what is done to a whole flow. Data of "flow/list": rows (flows as
 * the API has them, with stats, starts, last, status_label), statuses, search, is_filtered,
 * can_write. */
#include "flow/flow-pages.h"
#include "account/permission.h"
#include "base/arena.h"
#include "html/chrome.h"

#define PAGE_ROWS 50
#define HEALTH_DAYS 7

bool flow_page_may_write(const struct req *r)
{
	return (r->actor.permissions & PERMIT(FLOWS_WRITE)) != 0;
}

static void page_add_status(json_t *o, const char *status, int64_t version, bool has_draft)
{
	json_set_str(o, "status", status);
	json_set_str(o, "status_label", word_label(flow_statuses, status));
	json_set_bool(o, "is_published", strcmp(status, FLOW_PUBLISHED) == 0);
	json_set_bool(o, "is_archived", strcmp(status, FLOW_ARCHIVED) == 0);
	json_set_bool(
	    o, "has_edits", version > 0 && has_draft && strcmp(status, FLOW_PUBLISHED) == 0);
}

json_t *flow_page_head(struct req *r, const struct flow *f, const char *tab)
{
	static const char *const tabs[] = {"steps", "runs", "versions", "settings"};
	json_t *data = json_own(r->a, json_object());
	bool is_published = strcmp(f->status, FLOW_PUBLISHED) == 0;

	json_set_str(data, "id", uuid_dup(r->a, f->id));
	json_set_str(data, "flow_name", f->name);
	json_set_str(data, "flow_about", f->description);
	json_set_int(data, "version", f->version);
	page_add_status(data, f->status, f->version, f->has_draft);
	json_set_bool(data, "can_write", flow_page_may_write(r));
	json_set_bool(
	    data, "can_publish", flow_page_may_write(r) && (f->has_draft || !is_published));
	json_set_bool(data, "can_runs", (r->actor.permissions & PERMIT(TASK_HISTORY_VIEW)) != 0);
	for (size_t i = 0; i < sizeof(tabs) / sizeof(tabs[0]); i++)
		json_set_bool(data, arena_printf(r->a, "on_%s", tabs[i]),
		    tab != NULL && strcmp(tab, tabs[i]) == 0);
	return data;
}

/* ---- the list ----------------------------------------------------------------------------------
 */

static void list_row(json_t *row)
{
	page_add_status(
	    row, json_str(row, "status"), json_int(row, "version"), json_bool(row, "hasDraft"));
	json_set_int(
	    row, "average_us", 1000 * json_int(json_object_get(row, "stats"), "averageMs"));
}

int flow_page_list(struct req *r)
{
	struct flow_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;
	json_t *data = json_own(r->a, json_object()), *row;
	size_t i;

	if (!slice_read_page(r, &list_of_flows, &f, PAGE_ROWS, &s))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	if (flow_list_slice(r->app, r->a, &f, &s, &err) == -1 ||
	    flow_add_stats(r->app, r->a, &r->actor.account_id, HEALTH_DAYS, s.rows, &err) == -1 ||
	    flow_add_health(r->app, r->a, &r->actor.account_id, s.rows, &err) == -1)
		return res_error(r, &err);
	json_array_each(s.rows, i, row)
		list_row(row);
	chrome_slice(r, &s, data);
	chrome_slice_total(&s, INT64_MAX, "flow", "flows", data);
	json_set(data, "statuses", chrome_choices(r, "status", flow_statuses));
	json_set_strn(data, "status", f.status.p == NULL ? STR("") : f.status);
	json_set_strn(data, "search", f.search.p == NULL ? STR("") : f.search);
	json_set_bool(data, "is_filtered", f.status.p != NULL || f.search.p != NULL);
	json_set_bool(data, "can_write", flow_page_may_write(r));
	return chrome_page(r, 200, "flows", "Flows", "flow/list", json_incref(data));
}

/* ---- one
 * ----------------------------------------------------------------------------------------- */

int flow_page_steps(struct req *r)
{
	struct flow f;

	if (!flow_of_route(r, &f))
		return 0;
	return chrome_page(
	    r, 200, "flows", f.name, "flow/steps", json_incref(flow_page_head(r, &f, "steps")));
}
