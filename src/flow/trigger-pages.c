/* Pages of triggers: the list, one of them, a new one, its deletion. Data of "flow/triggers": rows
 * (triggers as the API has them, with flow_name, words, is_overdue). Data of "flow/trigger": the
 * form's (trigger-form.c) and what is known of the trigger. */
#include "flow/trigger-pages.h"
#include "account/permission.h"
#include "base/arena.h"
#include "base/clock.h"
#include "html/chrome.h"

#define PAGE_ROWS 50
#define DUE_SHOWN 5

static bool page_may_write(const struct req *r)
{
	return (r->actor.permissions & PERMIT(TRIGGERS_WRITE)) != 0;
}

/* ---- the list -------------------------------------------------------------------------------- */

static void list_row(struct req *r, const json_t *flows, json_t *row)
{
	const json_t *flow = json_object_get(flows, json_str(row, "flowId"));

	json_set_str(row, "flow_name", json_str(flow, "name"));
	json_set_bool(row, "is_published",
	    flow != NULL && strcmp(json_str(flow, "status"), FLOW_PUBLISHED) == 0);
	json_set_str(row, "words", flow_trigger_words(r->app, r->a, row));
}

int trigger_page_list(struct req *r)
{
	struct trigger_filter f = {.flow_id = {{0}}};
	struct slice s;
	struct err err = ERR_INIT;
	json_t *data = json_own(r->a, json_object()), *flows, *row;
	size_t i;

	if (!slice_read_page(r, &list_of_triggers, &f, PAGE_ROWS, &s))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	if (trigger_list(r->app, r->a, &f, &s, &err) == -1 ||
	    triggers_tell_more(r, s.rows, &err) == -1 ||
	    flow_names(r->app, r->a, &r->actor.account_id, &flows, &err) == -1)
		return res_error(r, &err);
	json_array_each(s.rows, i, row)
		list_row(r, flows, row);
	chrome_slice(r, &s, data);
	if (!uuid_is_nil(f.flow_id))
		chrome_chip(r, "flowId", "Flow",
		    json_str(json_object_get(flows, uuid_dup(r->a, f.flow_id)), "name"), data);
	json_set_bool(data, "can_write", page_may_write(r));
	return chrome_page(r, 200, "flows", "Triggers", "flow/triggers", json_incref(data));
}

/* ---- the form -------------------------------------------------------------------------------- */

/* Where the API's names are not the form's. */
static const char *form_field(const char *field)
{
	static const char *const names[][2] = {{"providerType", "provider"},
	    {"triggerName", "name"}, {"connectionId", "connection"}, {"config.cron", "cron"},
	    {"config.timeZone", "zone"}, {"config.pollAction", "action"},
	    {"config.recordResourceType", "type"}, {"config.recordItemsPath", "items"},
	    {"config.recordExternalIdPath", "item_id"}, {"config.cursorPath", "cursor_path"},
	    {"config.cursorInput", "cursor_input"}, {"config.pollIntervalSeconds", "interval"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(field, names[i][0]) == 0)
			return names[i][1];
	return strncmp(field, "config.inputs", 13) == 0 ? "inputs" : field;
}

static void page_add_wrong(struct req *r, json_t *data)
{
	const json_t *list = req_invalid_list(r), *one;
	size_t i;

	json_array_each(list, i, one)
		chrome_wrong(r, data, form_field(json_str(one, "field")), json_str(one, "message"));
}

static void page_add_due(const struct trigger *t, json_t *data)
{
	json_t *list = json_array();
	int64_t at_us = clock_now_us();

	for (int i = 0; i < DUE_SHOWN && (at_us = trigger_next_us(t, at_us)) != 0; i++) {
		json_t *o = json_object();

		json_set_time(o, "at", at_us);
		json_array_append_new(list, o);
	}
	json_set_bool(data, "has_due", json_array_size(list) > 0);
	json_set(data, "due", list);
}

struct trigger_page {
	struct req *r;
	struct flow f;
	struct trigger t;
	json_t *found; /* what a try has found, or NULL */
	bool shows_due;
};

static int page_show(struct trigger_page *p, int status)
{
	struct req *r = p->r;
	bool is_new = uuid_is_nil(p->t.id);
	json_t *data = flow_page_head(r, &p->f, "steps"), *rows = json_own(r->a, json_array());
	struct err err = ERR_INIT;

	json_set_str(data, "action",
	    is_new ? arena_printf(r->a, "/admin/flows/%s/triggers/new", uuid_dup(r->a, p->f.id))
		   : arena_printf(r->a, "/admin/triggers/%s", uuid_dup(r->a, p->t.id)));
	json_set_bool(data, "can_write", page_may_write(r));
	if (trigger_form_show(r, &p->t, data, &err) == -1)
		return res_error(r, &err);
	if (!is_new) {
		json_array_append_new(rows, trigger_json(r->a, &p->t));
		if (triggers_tell_more(r, rows, &err) == -1)
			return res_error(r, &err);
		json_set(data, "trigger", json_incref(json_array_get(rows, 0)));
		json_set_str(
		    data, "words", flow_trigger_words(r->app, r->a, json_array_get(rows, 0)));
		json_set_str(data, "trigger_id", uuid_dup(r->a, p->t.id));
	}
	if (p->shows_due && strcmp(p->t.kind, TRIGGER_SCHEDULE) == 0)
		page_add_due(&p->t, data);
	if (p->found != NULL)
		json_set(data, "found", json_incref(p->found));
	page_add_wrong(r, data);
	return chrome_page(r, status, "flows", is_new ? "New trigger" : "Trigger", "flow/trigger",
	    json_incref(data));
}

/* Looks whether it can be so, without storing it: what a form shows before it is saved. */
static int page_try(struct trigger_page *p)
{
	struct req *r = p->r;
	struct err err = ERR_INIT;

	p->t.account_id = r->actor.account_id;
	if (!req_has_invalid(r) && trigger_check(r, &p->t, &err) == -1)
		return res_error(r, &err);
	if (req_has_invalid(r))
		return page_show(p, 422);
	p->shows_due = true;
	if (strcmp(p->t.kind, TRIGGER_POLL) == 0 && r->app->hooks.trigger_poll_try != NULL) {
		p->found = json_own(r->a, json_object());
		if (r->app->hooks.trigger_poll_try(r, &p->t, p->found, &err) == -1)
			return res_error(r, &err);
	}
	return page_show(p, 200);
}

static bool page_is_try(struct req *r)
{
	return str_is(req_form(r, "act"), "try");
}

/* ---- a new one ------------------------------------------------------------------------------- */

static bool page_open_new(struct req *r, struct trigger_page *p, struct str kind)
{
	*p = (struct trigger_page){.r = r};
	if (!flow_of_route(r, &p->f))
		return false;
	p->t.flow_id = p->f.id;
	p->t.is_enabled = true;
	p->t.config = json_own(r->a, json_object());
	p->t.kind = str_is(kind, TRIGGER_POLL)       ? TRIGGER_POLL
		    : str_is(kind, TRIGGER_SCHEDULE) ? TRIGGER_SCHEDULE
		    : str_is(kind, TRIGGER_WEBHOOK)  ? TRIGGER_WEBHOOK
						     : NULL;
	return true;
}

int trigger_page_new(struct req *r)
{
	struct trigger_page p;
	json_t *data;

	if (!page_open_new(r, &p, req_query(r, "kind")))
		return 0;
	if (p.t.kind != NULL)
		return page_show(&p, 200);
	data = flow_page_head(r, &p.f, "steps");
	return chrome_page(r, 200, "flows", "New trigger", "flow/trigger-kinds", json_incref(data));
}

int trigger_page_new_post(struct req *r)
{
	struct trigger_page p;
	struct err err = ERR_INIT;

	if (!page_open_new(r, &p, req_form(r, "kind")))
		return 0;
	if (p.t.kind == NULL)
		return res_redirect(r, arena_strndup(r->a, r->path.p, r->path.n));
	trigger_form_read(r, &p.t);
	if (page_is_try(r))
		return page_try(&p);
	if (!req_has_invalid(r) && trigger_make(r, &p.t, &err) == -1)
		return res_error(r, &err);
	if (req_has_invalid(r)) {
		p.t.id = (struct uuid){{0}};
		return page_show(&p, 422);
	}
	chrome_flash(r, "ok", "The trigger was added, and is on.");
	return res_redirect(r, arena_printf(r->a, "/admin/flows/%s", uuid_dup(r->a, p.f.id)));
}

/* ---- one ------------------------------------------------------------------------------------- */

static bool page_open(struct req *r, struct trigger_page *p)
{
	struct err err = ERR_INIT;
	int found;

	*p = (struct trigger_page){.r = r, .shows_due = true};
	if (!trigger_of_route(r, &p->t))
		return false;
	found = flow_load(r->app, r->a, &r->actor.account_id, &p->t.flow_id, &p->f, &err);
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		res_problem(r, 404, "Its flow is gone");
	return found == 1;
}

int trigger_page_one(struct req *r)
{
	struct trigger_page p;

	return page_open(r, &p) ? page_show(&p, 200) : 0;
}

static int page_switch(struct trigger_page *p, bool is_on)
{
	struct req *r = p->r;
	const struct trigger was = p->t;
	struct err err = ERR_INIT;

	p->t.is_enabled = is_on;
	if (trigger_change(r, &was, &p->t, &err) == -1)
		return res_error(r, &err);
	if (req_has_invalid(r))
		return page_show(p, 422);
	chrome_flash(r, "ok", is_on ? "The trigger is on." : "The trigger is off.");
	return res_redirect(r, arena_printf(r->a, "/admin/triggers/%s", uuid_dup(r->a, p->t.id)));
}

int trigger_page_one_post(struct req *r)
{
	struct trigger_page p;
	struct err err = ERR_INIT;
	struct trigger was;

	if (!page_open(r, &p))
		return 0;
	was = p.t;
	if (str_is(req_form(r, "act"), "on") || str_is(req_form(r, "act"), "off"))
		return page_switch(&p, str_is(req_form(r, "act"), "on"));
	trigger_form_read(r, &p.t);
	if (page_is_try(r))
		return page_try(&p);
	if (!req_has_invalid(r) && trigger_change(r, &was, &p.t, &err) == -1)
		return res_error(r, &err);
	if (req_has_invalid(r))
		return page_show(&p, 422);
	chrome_flash(r, "ok", "Saved.");
	return res_redirect(r, arena_printf(r->a, "/admin/triggers/%s", uuid_dup(r->a, p.t.id)));
}

/* ---- its deletion ---------------------------------------------------------------------------- */

int trigger_page_delete(struct req *r)
{
	struct trigger_page p;
	json_t *data;

	if (!page_open(r, &p))
		return 0;
	data = flow_page_head(r, &p.f, "steps");
	json_set_str(data, "trigger_id", uuid_dup(r->a, p.t.id));
	json_set_str(data, "words",
	    flow_trigger_words(r->app, r->a, json_own(r->a, trigger_json(r->a, &p.t))));
	return chrome_page(
	    r, 200, "flows", "Delete a trigger", "flow/trigger-delete", json_incref(data));
}

int trigger_page_delete_post(struct req *r)
{
	struct trigger_page p;
	struct err err = ERR_INIT;

	if (!page_open(r, &p))
		return 0;
	if (trigger_write(r, TRIGGER_REMOVE, &p.t, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "The trigger was deleted.");
	return res_redirect(r, arena_printf(r->a, "/admin/flows/%s", uuid_dup(r->a, p.f.id)));
}
