/* /connect/v1/views: JSON handlers. A view goes by its id or its slug. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/path.h"
#include "record/record-words.h"
#include "record/record.h"
#include "record/view.h"

#define COLUMNS_MAX 50
#define SLUG_BYTES 64

/* ---- what a body may say ------------------------------------------------------------------- */

static bool is_view_slug(struct str s)
{
	struct uuid id;

	if (s.n == 0 || s.n > SLUG_BYTES || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
			s.p[i] == '-'))
			return false;
	return !uuid_parse(s, &id); /* an address must not mean two views */
}

static void view_check_columns(struct json_reader *in, struct arena *a, const json_t *columns)
{
	struct map *seen = map_new(a);
	struct err err = ERR_INIT;
	size_t faults = in->faults, i;
	json_t *v;

	json_array_each(columns, i, v) {
		const char *text = json_string_value(v);

		if (text == NULL || *text == '\0' || path_compile(a, str_from(text), &err) == NULL)
			json_reader_fail_at(in, "columns", "must be paths of fields");
		else if (map_get(seen, str_from(text)) != NULL)
			json_reader_fail_at(in, "columns", "has %.100s twice", text);
		else
			map_put(seen, str_from(text), seen);
		if (in->faults > faults)
			return;
	}
}

/* What a kept filter must be besides. */
static void view_check_filter(
    struct json_reader *in, struct arena *a, const struct record_filter *f)
{
	struct search_terms terms = {0};
	struct err err = ERR_INIT;

	if (record_filter_check(f, &err) == -1 || search_terms_add_filter(&terms, a, f, &err) == -1)
		json_reader_fail_at(in, err.field, "%s", err.msg);
}

/* Sort and columns are the list's own; the rest is what every list takes. */
static void view_check_query(struct req *r, const json_t *query)
{
	static const char *const sorts[] = {"updatedAt", "-updatedAt", NULL};
	static const struct json_member sort = {"sort", READ_WORD, .words = sorts},
					columns = {"columns", READ_LIST, .max = COLUMNS_MAX};
	struct json_reader in = req_reader(r);
	json_t *filter = json_own(r->a, json_copy(JSON_ITER(query))), *list = NULL;
	const char *order;
	struct record_filter f;

	json_reader_enter(&in, "query");
	json_read_member(&in, query, &sort, &order);
	json_read_member(&in, query, &columns, &list);
	view_check_columns(&in, r->a, list);
	json_object_del(filter, "sort");
	json_object_del(filter, "columns");
	if (record_filter_from_body(&in, r->a, filter, &r->actor.account_id, &f) == 0)
		view_check_filter(&in, r->a, &f);
}

/* Reads the body onto v; 0, or -1 with the answer given. */
static int view_read_body(struct req *r, bool is_new, struct view *v)
{
	static const struct json_member members[] = {
	    {"name", READ_TEXT, JSON_INTO(struct view, name), .flags = READ_TRIMMED, .min = 1,
		.max = LIMIT_NAME_BYTES},
	    {"slug", READ_TEXT, JSON_INTO(struct view, slug), .need = READ_CLEARABLE},
	    {"query", READ_OBJECT, JSON_INTO(struct view, query)}};

	if (!req_read_body(r, JSON_MEMBERS(members), v))
		return -1;
	if (is_new && json_object_get(r->json, "name") == NULL)
		req_invalid(r, "name", "is needed");
	if (v->slug.p != NULL && !is_view_slug(v->slug))
		req_invalid(r, "slug", "must be lower-case letters, digits and hyphens, at most %d",
		    SLUG_BYTES);
	if (json_object_get(r->json, "query") != NULL)
		view_check_query(r, v->query);
	v->updated_us = clock_now_after_us(v->updated_us);
	if (!req_has_invalid(r))
		return 0;
	res_invalid(r);
	return -1;
}

/* ---- handlers ------------------------------------------------------------------------------ */

/* The view of the route's :id; 1, or 0 with the answer given. */
static int view_find(struct req *r, struct view *out)
{
	struct str text = req_param(r, "id");
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (uuid_parse(text, &id))
		found = view_load(r, &id, text, out, &err);
	else
		found = is_view_slug(text) ? view_load(r, NULL, text, out, &err) : 0;
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		res_problem(r, 404, "There is no such view");
	return found == 1;
}

int view_api_list(struct req *r)
{
	static const struct list views_list = {"views", filter_none, NULL};
	struct uuid account_id;
	struct slice s;
	struct view *v;
	size_t n;
	int64_t skip;
	struct err err = ERR_INIT;

	if (!slice_read(r, &views_list, &account_id, &s))
		return res_invalid(r);
	if (view_load_all(r, &v, &n, &err) == -1)
		return res_error(r, &err);
	s.rows = json_own(r->a, json_array());
	s.total = (int64_t)n;
	skip = s.offset;
	for (size_t i = 0; i < n && !s.has_more; i++) {
		if (memcmp(v[i].id.b, s.after.id.b, sizeof(v[i].id.b)) <= 0 || skip-- > 0)
			continue;
		s.has_more = json_array_size(s.rows) == (size_t)s.limit;
		if (s.has_more)
			continue;
		json_array_append_new(s.rows, view_json(r->a, &v[i]));
		s.last.id = v[i].id;
	}
	return res_slice(r, &s);
}

int view_api_get(struct req *r)
{
	struct view v;

	return view_find(r, &v) ? res_json(r, 200, view_json(r->a, &v)) : 0;
}

int view_api_create(struct req *r)
{
	struct view v = {
	    .id = uuid_new(), .query = json_own(r->a, json_object()), .created_us = clock_now_us()};
	struct err err = ERR_INIT;

	if (view_read_body(r, true, &v) == -1)
		return 0;
	if (view_write(r, VIEW_CREATE, &v, &err) == -1)
		return res_error(r, &err);
	res_headerf(r, "Location", "/connect/v1/views/%s", uuid_dup(r->a, v.id));
	return res_json(r, 201, view_json(r->a, &v));
}

int view_api_update(struct req *r)
{
	struct view v;
	struct err err = ERR_INIT;
	bool is_built_in;

	if (!view_find(r, &v))
		return 0;
	is_built_in = str_is(v.slug, VIEW_LEADS);
	if (view_read_body(r, false, &v) == -1)
		return 0;
	if (is_built_in && !str_is(v.slug, VIEW_LEADS))
		return res_problem(r, 409, "Every account has this view: its slug stays");
	if (view_write(r, VIEW_UPDATE, &v, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, view_json(r->a, &v));
}

int view_api_delete(struct req *r)
{
	struct view v;
	struct err err = ERR_INIT;

	if (!view_find(r, &v))
		return 0;
	if (str_is(v.slug, VIEW_LEADS))
		return res_problem(r, 409, "Every account has this view");
	if (view_write(r, VIEW_DELETE, &v, &err) == -1)
		return res_error(r, &err);
	return res_empty(r, 204);
}
