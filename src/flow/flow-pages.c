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
	json_set_str(data, "status", f->status);
	page_add_status(data, f->status, f->version, f->has_draft);
	json_set_bool(data, "can_write", flow_page_may_write(r));
	json_set_bool(
	    data, "can_publish", flow_page_may_write(r) && (f->has_draft || !is_published));
	json_set_bool(data, "can_run", flow_page_may_write(r) && is_published);
	json_set_bool(data, "can_runs", (r->actor.permissions & PERMIT(TASK_HISTORY_VIEW)) != 0);
	for (size_t i = 0; i < sizeof(tabs) / sizeof(tabs[0]); i++)
		json_set_bool(data, arena_printf(r->a, "on_%s", tabs[i]),
		    tab != NULL && strcmp(tab, tabs[i]) == 0);
	return data;
}

/* ---- the list -------------------------------------------------------------------------------- */

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

/* ---- acts on a whole flow
 * ------------------------------------------------------------------------ */

int flow_page_archive(struct req *r)
{
	struct err err = ERR_INIT;
	struct flow f;

	if (!flow_of_route(r, &f))
		return 0;
	f.status = FLOW_ARCHIVED;
	f.expected_us = f.updated_us;
	if (flow_update(r, &f, "flow.archive", &err) == -1)
		return err.code == ERR_CONFLICT
			   ? res_problem(r, 409, "Somebody changed the flow just now. Try again")
			   : res_error(r, &err);
	chrome_flash(r, "ok",
	    "The flow is archived: nothing starts it any more. Publish it to take it up again.");
	return res_redirect(r, flow_page_path(r->a, &f));
}

int flow_page_duplicate(struct req *r)
{
	struct flow f, copy = flow_new(r->a);
	struct err err = ERR_INIT;

	if (!flow_of_route(r, &f))
		return 0;
	flow_copy(r->a, &f, &copy);
	if (flow_insert(r, &copy, &err) == -1)
		return err.code == ERR_CONFLICT ? res_problem(r, 409, "%s", err.msg)
						: res_error(r, &err);
	chrome_flash(r, "ok", "This is the copy, a draft. It has no triggers yet.");
	return res_redirect(r, flow_page_path(r->a, &copy));
}

int flow_page_delete(struct req *r)
{
	json_t *data, *rows;
	struct err err = ERR_INIT;
	struct flow f;

	if (!flow_of_route(r, &f))
		return 0;
	rows = json_own(r->a, json_array());
	json_array_append_new(rows, flow_json(r->a, &f));
	if (flow_add_stats(r->app, r->a, &r->actor.account_id, FLOW_STATS_DAYS, rows, &err) == -1)
		return res_error(r, &err);
	data = flow_page_head(r, &f, NULL);
	json_set(data, "stats", json_incref(json_object_get(json_array_get(rows, 0), "stats")));
	return chrome_page(r, 200, "flows", "Delete a flow", "flow/delete", json_incref(data));
}

int flow_page_delete_post(struct req *r)
{
	struct err err = ERR_INIT;
	struct flow f;

	if (!flow_of_route(r, &f))
		return 0;
	if (flow_remove(r, &f.id, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "The flow %s was deleted", f.name);
	return res_redirect(r, "/admin/flows");
}

/* ---- settings
 * --------------------------------------------------------------------------------------- */

/* What the form says, or, before it was sent, the flow. */
static void setting_show(struct req *r, json_t *data, const char *name, const char *stored)
{
	json_set_strn(data, name,
	    r->method == HTTP_POST ? req_form(r, name) : str_from(stored == NULL ? "" : stored));
}

static void settings_show(struct req *r, const struct flow *f, json_t *data)
{
	static const char *const names[] = {"orderBy", "timeLimitSeconds", "concurrency"};

	json_set_str(data, "example", "{{trigger.email}}");
	setting_show(r, data, "name", f->name);
	setting_show(r, data, "description", f->description);
	setting_show(r, data, "revision", arena_printf(r->a, "%lld", (long long)f->updated_us));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		setting_show(r, data, names[i],
		    json_scalar_text(r->a, json_object_get(f->settings, names[i])));
}

static int settings_page(
    struct req *r, const struct flow *f, int status, const char *field, const char *problem)
{
	json_t *data = flow_page_head(r, f, "settings");

	settings_show(r, f, data);
	if (problem != NULL) {
		chrome_wrong(r, data, field, problem);
		json_set_str(json_object_get(data, "errors"), "problem",
		    arena_printf(r->a, "Nothing was saved. %s", problem));
	}
	return chrome_page(r, status, "flows", arena_printf(r->a, "Settings of %s", f->name),
	    "flow/settings", json_incref(data));
}

int flow_page_settings(struct req *r)
{
	struct flow f;

	return flow_of_route(r, &f) ? settings_page(r, &f, 200, "", NULL) : 0;
}

static void settings_put(json_t *settings, const char *key, json_t *v)
{
	if (v == NULL)
		json_object_del(settings, key);
	else
		json_set(settings, key, v);
}

/* A number of the form; empty takes the setting away. */
static const char *settings_read_number(
    struct req *r, json_t *settings, const char *key, int64_t most, const char *wrong)
{
	struct str text = utf8_trim(req_form(r, key));
	int64_t n = 0;

	if (text.n > 0 && !str_to_i64(text, 1, most, &n))
		return wrong;
	settings_put(settings, key, text.n == 0 ? NULL : json_integer(n));
	return NULL;
}

/* The settings of the form; NULL, or what is wrong, with *field. What it does not have stays. */
static const char *settings_read_run(
    struct req *r, const struct flow *f, json_t *settings, const char **field)
{
	struct str order = utf8_trim(req_form(r, "orderBy"));
	const char *wrong;
	struct draft d;

	*field = "timeLimitSeconds";
	wrong = settings_read_number(r, settings, *field, 31 * 86400,
	    "The time limit must be a whole number of seconds, at most 31 days.");
	if (wrong != NULL)
		return wrong;
	*field = "concurrency";
	wrong = settings_read_number(r, settings, *field, 1000,
	    "How many may run at a time must be a whole number from 1 to 1,000.");
	if (wrong != NULL)
		return wrong;
	*field = "orderBy";
	settings_put(settings, *field, order.n == 0 ? NULL : json_stringn(order.p, order.n));
	draft_open(&d, r->a, f->steps, settings);
	for (size_t i = 0; i < d.nfaults; i++)
		if (strncmp(d.faults[i].path, "settings.", 9) == 0)
			return arena_printf(r->a, "This %s.", d.faults[i].reason);
	return NULL;
}

/* The form onto f; as above. */
static const char *settings_read(struct req *r, struct flow *f, const char **field)
{
	struct str name = utf8_trim(req_form(r, "name")),
		   about = utf8_trim(req_form(r, "description"));
	json_t *settings = json_own(r->a, json_deep_copy(f->settings));
	const char *wrong;

	*field = "name";
	if (name.n == 0 || name.n > LIMIT_NAME_BYTES)
		return "Give it a name, of at most 200 bytes.";
	*field = "description";
	if (about.n > 1000)
		return "The description may have at most 1,000 bytes.";
	wrong = settings_read_run(r, f, settings, field);
	if (wrong != NULL)
		return wrong;
	f->name = str_copy(r->a, name).p;
	f->description = about.n == 0 ? NULL : str_copy(r->a, about).p;
	f->has_draft = f->has_draft || !json_equal(f->settings, settings);
	f->settings = settings;
	return NULL;
}

/* What was typed, on top of the flow as it is now. */
static int settings_conflict(struct req *r)
{
	struct flow now;

	if (!flow_of_route(r, &now))
		return 0;
	for (size_t i = 0; i < r->form.n; i++)
		if (str_is(r->form.v[i].name, "revision"))
			r->form.v[i].value =
			    str_from(arena_printf(r->a, "%lld", (long long)now.updated_us));
	return settings_page(r, &now, 409, "",
	    "Somebody changed this flow meanwhile. What you typed is still here: look at it in "
	    "another tab, then save again.");
}

int flow_page_settings_post(struct req *r)
{
	struct err err = ERR_INIT;
	const char *problem, *field;
	struct flow f;

	if (!flow_of_route(r, &f))
		return 0;
	problem = settings_read(r, &f, &field);
	if (problem != NULL)
		return settings_page(r, &f, 422, field, problem);
	if (!str_to_i64(req_form(r, "revision"), 1, INT64_MAX, &f.expected_us))
		f.expected_us = 1;
	if (flow_update(r, &f, "flow.update", &err) == -1) {
		if (err.code != ERR_CONFLICT)
			return res_error(r, &err);
		return settings_conflict(r);
	}
	chrome_flash(r, "ok", "The settings were saved.%s",
	    f.has_draft && f.version > 0 ? " Publish the flow for them to count." : "");
	return res_redirect(r, arena_printf(r->a, "%s/settings", flow_page_path(r->a, &f)));
}
