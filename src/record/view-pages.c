/* Saved views on the pages: the bar of them, and the forms that save, rename and delete. */
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "html/chrome.h"
#include "record/record-pages.h"

/* ---- a view and the list that it opens ----------------------------------------------------- */

int view_browse(struct req *r, const json_t *query, struct record_browse *b, struct err *err)
{
	json_t *filter = json_own(r->a, json_copy((json_t *)(uintptr_t)query));
	json_t *columns = json_object_get(query, "columns");
	const char *sort = json_str(query, "sort");

	json_object_del(filter, "columns");
	json_object_del(filter, "sort");
	if (record_filter_from_json(r->a, filter, &r->actor.account_id, &b->f, err) == -1)
		return err_prefix(err, "saved view");
	b->r = r;
	b->is_ascending = sort != NULL && strcmp(sort, "updatedAt") == 0;
	b->columns = json_array_size(columns) > 0 ? columns : NULL;
	return 0;
}

/* The query of a view from a list's address. */
static json_t *view_query_of_list(const struct record_browse *b)
{
	json_t *o = record_browse_filter_json(b);

	json_set_str(o, "sort", b->is_ascending ? "updatedAt" : "-updatedAt");
	if (b->columns != NULL)
		json_set(o, "columns", json_incref(b->columns));
	return o;
}

/* ---- the bar ------------------------------------------------------------------------------- */

/* Leads have a page of their own, where the views of them are. */
static void view_go_home(struct record_browse *b)
{
	b->is_type_fixed = str_is(b->f.resource_type, "lead");
	b->address = b->is_type_fixed ? LEADS_PAGE_ADDRESS : RECORD_PAGE_ADDRESS;
}

static int view_show_one(const struct record_browse *b, const struct view *v, json_t *views,
    json_t *data, struct err *err)
{
	struct record_browse opened = {.r = b->r};
	json_t *o;
	bool is_leads = str_is(v->slug, VIEW_LEADS);
	const char *id = uuid_dup(b->r->a, v->id);
	bool is_current = is_leads ? b->is_type_fixed && b->view.n == 0 : str_is(b->view, id);

	if (view_browse(b->r, v->query, &opened, err) == -1)
		return -1;
	view_go_home(&opened);
	if ((is_leads || opened.is_type_fixed) != b->is_type_fixed)
		return 0;
	o = json_object();
	json_array_append_new(views, o);
	json_set_strn(o, "label", v->name);
	json_set_str(o, "id", id);
	json_set_bool(o, "is_current", is_current);
	json_set_bool(o, "is_leads", is_leads);
	opened.view = str_from(id);
	json_set_str(o, "href", is_leads ? LEADS_PAGE_ADDRESS : record_browse_link(&opened));
	if (is_current)
		json_set(data, "view", json_incref(o));
	return 0;
}

int view_show(const struct record_browse *b, json_t *data, struct err *err)
{
	json_t *views = json_array();
	struct view *v;
	size_t n;

	json_set(data, "views", views);
	json_set(data, "view", json_null());
	if (view_load_all(b->r->app->db, b->r->a, &b->r->actor.account_id, &v, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (view_show_one(b, &v[i], views, data, err) == -1)
			return -1;
	json_set_bool(data, "has_views", json_array_size(views) > (b->is_type_fixed ? 1 : 0));
	return 0;
}

/* ---- forms --------------------------------------------------------------------------------- */

/* 1 changed; 0 it may not be, and the flash says why; -1. */
static int view_change(struct req *r, enum view_act act, const struct view *v, struct err *err)
{
	if (view_write(r, act, v, err) == 0)
		return 1;
	if (err->code != ERR_CONFLICT && err->code != ERR_INVALID)
		return -1;
	chrome_flash(r, "error", "%s.", err->msg);
	return 0;
}

static bool view_read_name(struct req *r, struct view *v)
{
	v->name = utf8_trim(req_form(r, "name"));
	if (v->name.n > 0 && v->name.n <= LIMIT_NAME_BYTES)
		return true;
	chrome_flash(r, "error", "A view needs a name of at most %u letters.", LIMIT_NAME_BYTES);
	return false;
}

int view_page_create(struct req *r)
{
	struct view v = {
	    .id = uuid_new(), .created_us = clock_now_us(), .updated_us = clock_now_us()};
	struct record_browse b;
	struct err err = ERR_INIT;
	int rc;

	if (!record_browse_of_form(r, &b))
		return res_problem(r, 400, "The list to save is not one");
	view_go_home(&b);
	if (!view_read_name(r, &v))
		return res_redirect(r, record_browse_link(&b));
	v.query = view_query_of_list(&b);
	if ((rc = view_change(r, VIEW_CREATE, &v, &err)) == -1)
		return res_error(r, &err);
	if (rc == 1) {
		b.view = str_from(uuid_dup(r->a, v.id));
		chrome_flash(r, "ok", "The view %.*s is saved.", (int)v.name.n, v.name.p);
	}
	return res_redirect(r, record_browse_link(&b));
}

static int view_back_to_list(struct req *r, const struct view *v, const struct record_browse *b)
{
	return res_redirect(
	    r, str_is(v->slug, VIEW_LEADS) ? LEADS_PAGE_ADDRESS : record_browse_link(b));
}

/* The view's new query from the form's list; the leads' own keeps to its type. */
static void view_take_list(struct view *v, const struct record_browse *b)
{
	struct record_browse of = *b;

	if (str_is(v->slug, VIEW_LEADS))
		of.f.resource_type = STR("lead");
	v->query = view_query_of_list(&of);
	v->updated_us = clock_now_us();
}

int view_page_change(struct req *r)
{
	struct str action = req_form(r, "action");
	struct view v;
	enum view_act act = VIEW_UPDATE;
	struct record_browse b;
	struct err err = ERR_INIT;
	struct uuid id;
	int rc;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	rc =
	    view_load(r->app->db, r->a, &r->actor.account_id, &id, (struct str){NULL, 0}, &v, &err);
	if (rc == 0)
		return res_problem(r, 404, "There is no such view");
	if (rc == -1)
		return res_error(r, &err);
	if (!record_browse_of_form(r, &b))
		return res_problem(r, 400, "The list to save is not one");
	view_go_home(&b);
	b.view = str_from(uuid_dup(r->a, v.id));
	if (str_is(action, "delete")) {
		if (str_is(v.slug, VIEW_LEADS))
			return res_problem(r, 409, "Every account has this view");
		act = VIEW_DELETE;
		b.view = (struct str){NULL, 0};
	} else if (str_is(action, "save")) {
		view_take_list(&v, &b);
	} else if (!view_read_name(r, &v)) {
		return view_back_to_list(r, &v, &b);
	}
	if ((rc = view_change(r, act, &v, &err)) == -1)
		return res_error(r, &err);
	if (rc == 1)
		chrome_flash(r, "ok", "The view %.*s is %s.", (int)v.name.n, v.name.p,
		    act == VIEW_DELETE ? "deleted" : "saved");
	return view_back_to_list(r, &v, &b);
}
