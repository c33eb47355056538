/* Saved views on the pages: the bar of them, and the forms that save, rename and delete. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/path.h"
#include "html/chrome.h"
#include "record/record-pages.h"
#include "record/record-words.h"

#define VIEW_WITHOUT_SPAN                                                                          \
	"A view keeps no time of receipt, which would soon be past: take that filter away first"
#define LEFT_OUT_BYTES 400u
#define VIEW_TABS 8 /* beside each other; more are in a menu */

/* ---- a view and the list that it opens ----------------------------------------------------- */

/* What is stored may be of another version, or written by hand: what of it asks for nothing that is
 * known is left out, and told by those that are named in `left`. */
struct view_reading {
	struct req *r;
	struct buf *left;
};

static void view_leave_out(struct view_reading *v, const char *what)
{
	buf_printf(v->left, "%s%.80s", v->left->len > 0 ? ", " : "", what);
}

static bool view_filter_works(struct req *r, const json_t *filter, struct record_filter *f)
{
	struct search_terms terms = {0};
	struct err ignored = ERR_INIT;

	return record_filter_from_json(r->a, filter, &r->actor.account_id, f, &ignored) == 0 &&
	       record_filter_check(f, &ignored) == 0 &&
	       search_terms_add_filter(&terms, r->a, f, &ignored) == 0;
}

/* Its conditions, each on a field. */
static json_t *view_conditions_that_work(
    struct view_reading *v, json_t *kept, const json_t *conditions)
{
	json_t *works = json_object(), *condition;
	struct record_filter f;
	const char *path;

	json_set(kept, "filter", works);
	json_object_each(conditions, path, condition) {
		json_set(works, path, json_incref(condition));
		if (view_filter_works(v->r, kept, &f))
			continue;
		json_object_del(works, path);
		view_leave_out(v, path);
	}
	return kept;
}

static json_t *view_filter_that_works(struct view_reading *v, const json_t *filter)
{
	json_t *kept = json_own(v->r->a, json_object()), *member;
	struct record_filter f;
	const char *key;

	json_object_each(filter, key, member) {
		if (strcmp(key, "filter") == 0 && json_is_object(member)) {
			view_conditions_that_work(v, kept, member);
			continue;
		}
		json_set(kept, key, json_incref(member));
		if (view_filter_works(v->r, kept, &f))
			continue;
		json_object_del(kept, key);
		view_leave_out(v, key);
	}
	return kept;
}

static json_t *view_columns_that_work(struct view_reading *v, const json_t *columns)
{
	json_t *kept = json_own(v->r->a, json_array()), *column;
	size_t i;

	json_array_each(columns, i, column)
		if (json_is_string(column) &&
		    path_compile(v->r->a, str_from(json_string_value(column)), NULL) != NULL)
			json_array_append(kept, column);
		else
			view_leave_out(
			    v, json_is_string(column) ? json_string_value(column) : "a column");
	return json_array_size(kept) > 0 ? kept : NULL;
}

void view_browse(struct req *r, const json_t *query, struct record_browse *b)
{
	json_t *filter = json_own(r->a, json_copy((json_t *)(uintptr_t)query));
	struct view_reading v = {r, buf_new(r->a, LEFT_OUT_BYTES)};
	const char *sort = json_str(query, "sort");

	json_object_del(filter, "columns");
	json_object_del(filter, "sort");
	if (!view_filter_works(r, filter, &b->f))
		(void)view_filter_works(r, view_filter_that_works(&v, filter), &b->f);
	b->r = r;
	b->is_ascending = sort != NULL && strcmp(sort, "updatedAt") == 0;
	b->columns = view_columns_that_work(&v, json_object_get(query, "columns"));
	b->left_out = v.left->len > 0 ? v.left->p : NULL;
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

/* As people have put them; of those that nobody has moved, the older first. */
static int view_by_place(const void *x, const void *y)
{
	const struct view *a = x, *b = y;

	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	return memcmp(a->id.b, b->id.b, sizeof(a->id.b));
}

/* The list that a view opens; false when it is of the other page. */
static bool view_opened(
    const struct record_browse *b, const struct view *v, struct record_browse *opened)
{
	*opened = (struct record_browse){.r = b->r};
	view_browse(b->r, v->query, opened);
	view_go_home(opened);
	if (b->is_type_fixed)
		opened->f.copies = b->f.copies;
	return (str_is(v->slug, VIEW_LEADS) || opened->is_type_fixed) == b->is_type_fixed;
}

static int view_show_one(const struct record_browse *b, const struct view *v, json_t *views,
    json_t *data, struct err *err)
{
	struct record_browse opened;
	json_t *o;
	bool is_leads = str_is(v->slug, VIEW_LEADS), is_current;
	const char *id = uuid_dup(b->r->a, v->id);
	int64_t count = -1;

	if (!view_opened(b, v, &opened))
		return 0;
	if (json_array_size(views) < VIEW_TABS &&
	    record_count(b->r->app, b->r->a, &opened.f, &count, err) == -1)
		return -1;
	is_current = is_leads ? b->is_type_fixed && b->view.n == 0 : str_is(b->view, id);
	o = json_object();
	json_array_append_new(views, o);
	json_set_strn(o, "label", v->name);
	json_set_str(o, "id", id);
	json_set_bool(o, "is_current", is_current);
	json_set_bool(o, "is_leads", is_leads);
	json_set_bool(o, "is_own", !uuid_is_nil(v->owner));
	json_set_bool(o, "has_count", count >= 0);
	json_set_int(o, "count", count);
	json_set_str(o, "left_out", opened.left_out);
	opened.view = str_from(id);
	json_set_str(o, "href", is_leads ? LEADS_PAGE_ADDRESS : record_browse_link(&opened));
	if (is_current)
		json_set(data, "view", json_incref(o));
	return 0;
}

/* The first as tabs, with the one that is open among them; the rest in a menu. */
static void views_fold(json_t *data, json_t *views)
{
	json_t *more = json_array();

	for (size_t i = json_array_size(views); i-- > VIEW_TABS;) {
		json_t *o = json_array_get(views, i);

		if (json_is_true(json_object_get(o, "is_current")) && i >= VIEW_TABS) {
			json_t *last = json_incref(json_array_get(views, VIEW_TABS - 1));

			json_array_insert(more, 0, last);
			json_array_set(views, VIEW_TABS - 1, o);
			json_decref(last);
		} else {
			json_array_insert(more, 0, o);
		}
		json_array_remove(views, i);
	}
	json_set_bool(data, "has_more_views", json_array_size(more) > 0);
	json_set(data, "more_views", more);
}

int view_show(const struct record_browse *b, json_t *data, struct err *err)
{
	json_t *views = json_array();
	struct view *v;
	size_t n;

	json_set(data, "views", views);
	json_set(data, "view", json_null());
	if (view_load_all(b->r, &v, &n, err) == -1)
		return -1;
	if (n > 1)
		qsort(v, n, sizeof(*v), view_by_place);
	for (size_t i = 0; i < n; i++)
		if (view_show_one(b, &v[i], views, data, err) == -1)
			return -1;
	json_set_bool(data, "has_views", json_array_size(views) > (b->is_type_fixed ? 1 : 0));
	json_set_bool(data, "can_move", json_array_size(views) > 1);
	views_fold(data, views);
	return 0;
}

/* One place to the left or right among those of its page: 1, 0 it is at that end, -1. */
static int view_move_by(struct req *r, const struct record_browse *b, const struct view *which,
    int step, struct err *err)
{
	struct record_browse opened;
	struct view *v, kept;
	size_t n, of_page = 0, at = SIZE_MAX;

	if (view_load_all(r, &v, &n, err) == -1)
		return -1;
	if (n > 1)
		qsort(v, n, sizeof(*v), view_by_place);
	for (size_t i = 0; i < n; i++) {
		if (!view_opened(b, &v[i], &opened))
			continue;
		v[of_page] = v[i];
		if (uuid_eq(v[of_page].id, which->id))
			at = of_page;
		of_page++;
	}
	if (at == SIZE_MAX || (step < 0 && at == 0) || (step > 0 && at + 1 == of_page))
		return 0;
	kept = v[at];
	v[at] = step < 0 ? v[at - 1] : v[at + 1];
	v[step < 0 ? at - 1 : at + 1] = kept;
	for (size_t i = 0; i < of_page; i++)
		v[i].place = (int64_t)i + 1;
	return view_write_places(r, v, of_page, err) == -1 ? -1 : 1;
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
	if (record_browse_has_span(&b))
		return res_problem(r, 422, VIEW_WITHOUT_SPAN);
	view_go_home(&b);
	if (req_form(r, "own").n > 0)
		v.owner = r->actor.user_id;
	v.place = INT32_MAX; /* behind those that were put in order */
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
	v->updated_us = clock_now_after_us(v->updated_us);
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
	rc = view_load(r, &id, (struct str){NULL, 0}, &v, &err);
	if (rc == 0)
		return res_problem(r, 404, "There is no such view");
	if (rc == -1)
		return res_error(r, &err);
	if (!record_browse_of_form(r, &b))
		return res_problem(r, 400, "The list to save is not one");
	view_go_home(&b);
	b.view = str_from(uuid_dup(r->a, v.id));
	if (str_is(action, "left") || str_is(action, "right")) {
		struct record_browse page = {
		    .r = r, .address = b.address, .is_type_fixed = b.is_type_fixed};

		if (view_move_by(r, &page, &v, str_is(action, "left") ? -1 : 1, &err) == -1)
			return res_error(r, &err);
		return view_back_to_list(r, &v, &b);
	}
	if (str_is(action, "delete")) {
		if (str_is(v.slug, VIEW_LEADS))
			return res_problem(r, 409, "Every account has this view");
		act = VIEW_DELETE;
		b.view = (struct str){NULL, 0};
	} else if (str_is(action, "save")) {
		if (record_browse_has_span(&b))
			return res_problem(r, 422, VIEW_WITHOUT_SPAN);
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
