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

static bool is_slug(struct str s)
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

static void read_name(struct req *r, const json_t *value, struct view *v)
{
	v->name = (struct str){NULL, 0};
	if (json_is_string(value))
		v->name =
		    str_trim((struct str){json_string_value(value), json_string_length(value)});
	if (v->name.n == 0)
		req_invalid(r, "name", "must be a text that is not empty");
	else if (v->name.n > LIMIT_NAME_BYTES)
		req_invalid(r, "name", "may have at most %u bytes", LIMIT_NAME_BYTES);
}

static void read_slug(struct req *r, const json_t *value, struct view *v)
{
	v->slug = (struct str){NULL, 0};
	if (json_is_null(value))
		return;
	v->slug = str_from(json_string_value(value));
	if (!is_slug(v->slug))
		req_invalid(r, "slug", "must be lower-case letters, digits and hyphens, at most %d",
		    SLUG_BYTES);
}

static void check_columns(struct req *r, const json_t *columns)
{
	struct map *seen = map_new(r->a);
	struct err err = ERR_INIT;

	if (!json_is_array(columns) || json_array_size(columns) > COLUMNS_MAX) {
		req_invalid(r, "query.columns", "must be a list of at most %d paths", COLUMNS_MAX);
		return;
	}
	for (size_t i = 0; i < json_array_size(columns); i++) {
		const char *text = json_string_value(json_array_get(columns, i));

		if (text == NULL || *text == '\0' ||
		    path_compile(r->a, str_from(text), &err) == NULL)
			req_invalid(r, "query.columns", "must be paths of fields");
		else if (map_get(seen, str_from(text)) != NULL)
			req_invalid(r, "query.columns", "has %.100s twice", text);
		else
			map_put(seen, str_from(text), seen);
		if (req_has_invalid(r))
			return;
	}
}

static void check_source(struct req *r, struct str source)
{
	static const char *const sources[] = {RECORD_SOURCE_WEBHOOK, RECORD_SOURCE_POLL,
	    RECORD_SOURCE_IMPORT, RECORD_SOURCE_FLOW_STEP};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (source.p == NULL || str_is(source, sources[i]))
			return;
	req_invalid(r, "query.source", "must be webhook, poll, import or flow_step");
}

/* Sort and columns are the list's own; the rest is what every list takes. */
static void read_query(struct req *r, json_t *value, struct view *v)
{
	json_t *filter = json_own(r->a, json_copy(value)), *sort, *columns;
	struct search_terms terms = {0};
	struct record_filter f;
	struct err err = ERR_INIT;

	if (!json_is_object(value)) {
		req_invalid(r, "query", "must be an object");
		return;
	}
	v->query = value;
	sort = json_object_get(value, "sort");
	columns = json_object_get(value, "columns");
	json_object_del(filter, "sort");
	json_object_del(filter, "columns");
	if (sort != NULL && !str_is(str_from(json_string_value(sort)), "updatedAt") &&
	    !str_is(str_from(json_string_value(sort)), "-updatedAt"))
		req_invalid(r, "query.sort", "must be updatedAt or -updatedAt");
	if (columns != NULL)
		check_columns(r, columns);
	if (record_filter_from_json(r->a, filter, &r->actor.account_id, &f, &err) == -1 ||
	    record_filter_check(&f, &err) == -1 ||
	    search_terms_add_filter(&terms, r->a, &f, &err) == -1) {
		req_invalid(r, arena_printf(r->a, "query.%s", err.field), "%s", err.msg);
		return;
	}
	check_source(r, f.source);
}

/* Reads the body onto v; 0, or -1 with the answer given. */
static int read_body(struct req *r, bool is_new, struct view *v)
{
	static const char *const keys[] = {"name", "slug", "query", NULL};
	struct err err = ERR_INIT;
	json_t *name, *slug, *query;

	if (!json_is_object(r->json)) {
		res_problem(r, 400, "The body must be a JSON object");
		return -1;
	}
	if (json_only_keys(r->json, keys, &err) == -1) {
		res_error(r, &err);
		return -1;
	}
	name = json_object_get(r->json, "name");
	slug = json_object_get(r->json, "slug");
	query = json_object_get(r->json, "query");
	if (name != NULL || is_new)
		read_name(r, name, v);
	if (slug != NULL)
		read_slug(r, slug, v);
	if (query != NULL || is_new)
		read_query(r, query != NULL ? query : json_own(r->a, json_object()), v);
	v->updated_us = clock_now_us();
	if (!req_has_invalid(r))
		return 0;
	res_invalid(r);
	return -1;
}

/* ---- handlers ------------------------------------------------------------------------------ */

/* The view of the route's :id; 1, or 0 with the answer given. */
static int find(struct req *r, struct view *out)
{
	struct str text = req_param(r, "id");
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (uuid_parse(text, &id))
		found = view_load(r->app->db, r->a, &r->actor.account_id, &id, text, out, &err);
	else
		found = is_slug(text) ? view_load(r->app->db, r->a, &r->actor.account_id, NULL,
					    text, out, &err)
				      : 0;
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		res_problem(r, 404, "There is no such view");
	return found == 1;
}

int view_api_list(struct req *r)
{
	static const char *const filters[] = {NULL};
	struct list_query q;
	struct list_end end = {0};
	struct view *v;
	size_t n;
	int64_t skip;
	json_t *rows = json_own(r->a, json_array());
	struct err err = ERR_INIT;

	if (!req_list_query(r, "views", filters, &q))
		return res_invalid(r);
	if (view_load_all(r->app->db, r->a, &r->actor.account_id, &v, &n, &err) == -1)
		return res_error(r, &err);
	skip = q.offset;
	end.total = (int64_t)n;
	for (size_t i = 0; i < n && !end.has_more; i++) {
		if (memcmp(v[i].id.b, q.after.id.b, sizeof(v[i].id.b)) <= 0 || skip-- > 0)
			continue;
		if (json_array_size(rows) == (size_t)q.page.limit) {
			end.has_more = true;
			continue;
		}
		json_array_append_new(rows, view_json(r->a, &v[i]));
		end.last.id = v[i].id;
	}
	return res_list(r, &q, rows, &end);
}

int view_api_get(struct req *r)
{
	struct view v;

	return find(r, &v) ? res_json(r, 200, view_json(r->a, &v)) : 0;
}

int view_api_create(struct req *r)
{
	struct view v = {.id = uuid_new(), .created_us = clock_now_us()};
	struct err err = ERR_INIT;

	if (read_body(r, true, &v) == -1)
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

	if (!find(r, &v))
		return 0;
	is_built_in = str_is(v.slug, VIEW_LEADS);
	if (read_body(r, false, &v) == -1)
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

	if (!find(r, &v))
		return 0;
	if (str_is(v.slug, VIEW_LEADS))
		return res_problem(r, 409, "Every account has this view");
	if (view_write(r, VIEW_DELETE, &v, &err) == -1)
		return res_error(r, &err);
	return res_empty(r, 204);
}
