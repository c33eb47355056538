/* The audit log: GET /audit, its pages and its export. Data of "account/audit": {rows, actions,
 * kinds, who, from, to, object_id, all_href, filter_count, is_filtered, problem, export_href,
 * people} and paging; of "account/audit-row": a row with changes: [{group, name, before, after}],
 * each side as change_side makes it, and rest, what else is told. A row has the words what
 * and object beside the API's members. */
#include <string.h>

#include "account/audit-list.h"
#include "account/people.h"
#include "base/csv.h"
#include "base/limits.h"
#include "html/chrome.h"

#define ADDRESS "/admin/settings/audit"
#define ROWS_SHOWN 50
#define EXPORT_ROWS 500
#define PEOPLE_OFFERED 200

int audit_api_list(struct req *r)
{
	struct audit_filter f = {0};
	struct err err = ERR_INIT;
	struct slice s;

	if (!slice_read(r, &list_of_audit, &f, &s))
		return res_invalid(r);
	if (audit_list(r->app, r->a, &f, &s, &err) == -1)
		return res_error(r, &err);
	return res_slice(r, &s);
}

/* ---- rows as people read them ---------------------------------------------------------------- */

/* An action that has no words yet is shown as it is. */
static void row_add_words(struct arena *a, json_t *row)
{
	const char *action = json_str(row, "action"), *kind = json_str(row, "objectKind");
	const json_t *details = json_object_get(row, "details");
	const char *name = json_str(details, "name");

	if (name == NULL)
		name = json_str(details, "email");
	json_set_str(row, "what", word_label(audit_actions, action));
	json_set_str(row, "object",
	    name != NULL ? arena_printf(a, "%s %s", word_label(audit_kinds, kind), name)
			 : word_label(audit_kinds, kind));
}

/* ---- the list -------------------------------------------------------------------------------- */

/* The people whose acts one may look for. */
static int audit_add_people(struct req *r, json_t *data, struct err *err)
{
	struct slice s = {.limit = PEOPLE_OFFERED};
	json_t *list = json_array();
	struct person *people;
	size_t n;

	json_set(data, "people", list);
	if (people_list(r->app, r->a, &r->actor.account_id, &s, &people, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(people[i].email));
	return 0;
}

static const char *export_href(struct req *r)
{
	const char *here = chrome_link(r, "", (struct str){NULL, 0}), *query = strchr(here, '?');

	return arena_printf(r->a, ADDRESS "/export%s", query == NULL ? "" : query);
}

int audit_page_list(struct req *r)
{
	json_t *data = json_own(r->a, json_object()), *row;
	struct audit_filter f = {0};
	struct err err = ERR_INIT;
	struct slice s;
	size_t i;

	if (!slice_read_page(r, &list_of_audit, &f, ROWS_SHOWN, &s))
		return res_redirect(r, ADDRESS);
	if (audit_list(r->app, r->a, &f, &s, &err) == -1 || audit_add_people(r, data, &err) == -1)
		return res_error(r, &err);
	json_array_each(s.rows, i, row)
		row_add_words(r->a, row);
	chrome_slice(r, &s, data);
	json_set_str(data, "wrong", req_invalid_text(r));
	json_set(data, "actions", chrome_choices(r, "action", audit_actions));
	json_set(data, "kinds", chrome_choices(r, "objectKind", audit_kinds));
	json_set_strn(data, "who", req_query(r, "who"));
	chrome_days(r, f.from, f.to, data);
	json_set_str(
	    data, "object_id", uuid_is_nil(f.object_id) ? NULL : uuid_dup(r->a, f.object_id));
	if (!uuid_is_nil(f.object_id))
		chrome_chip(r, "objectId", "One thing alone", NULL, data);
	chrome_chip_chosen(r, "action", "What", json_object_get(data, "actions"), data);
	chrome_chip_chosen(r, "objectKind", "To what", json_object_get(data, "kinds"), data);
	json_set_int(data, "filter_count",
	    (f.action.n > 0) + (f.kind.n > 0) + f.from.is_given + f.to.is_given);
	json_set_bool(data, "is_filtered", filter_pairs(r->a, &list_of_audit, &f).n > 0);
	json_set_str(data, "export_href", export_href(r));
	return chrome_settings(r, 200, "audit", "Audit log", "account/audit", json_incref(data));
}

/* ---- one row --------------------------------------------------------------------------------- */

/* Members whose texts are the product's own words, and names of credentials. */
static bool is_word_member(const char *key)
{
	static const char *const keys[] = {"status", "kind", "role", "credentials"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

static bool is_plain_list(const json_t *v)
{
	for (size_t i = 0; i < json_array_size(v); i++)
		if (json_is_array(json_array_get(v, i)) || json_is_object(json_array_get(v, i)))
			return false;
	return json_array_size(v) > 0;
}

static const char *scalar_text(struct req *r, const char *key, const json_t *v)
{
	if (json_is_boolean(v))
		return json_is_true(v) ? "Yes" : "No";
	if (!json_is_string(v))
		return json_text(r->a, v).p;
	return strcmp(key, "providerType") == 0 && r->app->hooks.provider_label != NULL
		   ? r->app->hooks.provider_label(r->app, json_string_value(v))
		   : json_string_value(v);
}

/* {words}, {texts} or {more}; null: nothing was there. */
static json_t *change_side(struct req *r, const char *key, const json_t *v)
{
	json_t *o, *values;

	if (v == NULL || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0) ||
	    (json_is_array(v) && json_array_size(v) == 0) ||
	    (json_is_object(v) && json_object_size(v) == 0))
		return json_null();
	o = json_object();
	if (json_is_object(v) || (json_is_array(v) && !is_plain_list(v))) {
		json_set_bool(o, "has_more", true);
		json_set(o, "more", json_deep_copy(v));
		return o;
	}
	values = json_array();
	json_set(o, is_word_member(key) ? "words" : "texts", values);
	if (!json_is_array(v))
		json_array_append_new(values, json_string(scalar_text(r, key, v)));
	for (size_t i = 0; i < json_array_size(v); i++)
		json_array_append_new(
		    values, json_string(scalar_text(r, key, json_array_get(v, i))));
	return o;
}

static void change_add(struct req *r, json_t *changes, const char *group, const char *name,
    const json_t *before, const json_t *after)
{
	json_t *o = json_object();

	json_set_str(o, "group", group);
	json_set_str(o, "name", name);
	json_set(o, "before", change_side(r, name, before));
	json_set(o, "after", change_side(r, name, after));
	json_array_append_new(changes, o);
}

/* Member by member: what was, what is; of an object its members, one deep. */
static void changes_add(
    struct req *r, json_t *changes, const char *group, const json_t *before, const json_t *after)
{
	const json_t *sides[] = {before, after};
	const char *key;
	json_t *v;

	for (size_t i = 0; i < 2; i++) {
		json_object_each((json_t *)sides[i], key, v) {
			const json_t *was = json_object_get(before, key),
				     *is = json_object_get(after, key);

			if (i == 1 && was != NULL)
				continue;
			if (group == NULL && (json_is_object(was) || json_is_object(is)))
				changes_add(r, changes, key, was, is);
			else
				change_add(r, changes, group, key, was, is);
		}
	}
}

int audit_page_row(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	json_t *row, *details, *rest;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = audit_find(r->app, r->a, &r->actor.account_id, &id, &row, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such entry in the audit log");
	row_add_words(r->a, row);
	details = json_object_get(row, "details");
	json_set(row, "changes", json_array());
	changes_add(r, json_object_get(row, "changes"), NULL, json_object_get(details, "before"),
	    json_object_get(details, "after"));
	rest = json_is_object(details) ? json_deep_copy(details) : json_object();
	json_object_del(rest, "before");
	json_object_del(rest, "after");
	json_object_del(rest, "name");
	json_set_bool(row, "has_changes", json_array_size(json_object_get(row, "changes")) > 0);
	json_set_bool(row, "has_rest", json_object_size(rest) > 0);
	json_set_bool(row, "has_details", json_object_size(details) > 0);
	json_set(row, "rest", rest);
	return chrome_page(
	    r, 200, "settings", json_str(row, "what"), "account/audit-row", json_incref(row));
}

/* ---- export ---------------------------------------------------------------------------------- */

static const char *const export_columns[] = {
    "at", "actorKind", "actorName", "action", "objectKind", "objectId", "remoteAddr", "requestId"};
#define EXPORT_COLUMNS (sizeof(export_columns) / sizeof(export_columns[0]))

static void export_head(struct buf *b)
{
	struct csv_writer w = {.b = b};

	for (size_t i = 0; i < EXPORT_COLUMNS; i++)
		csv_write_plain(&w, export_columns[i]);
	csv_write_plain(&w, "details");
	csv_write_end(&w);
}

static void export_row(struct buf *b, struct arena *a, const json_t *row)
{
	struct csv_writer w = {.b = b};
	const json_t *details = json_object_get(row, "details");

	for (size_t i = 0; i < EXPORT_COLUMNS; i++)
		csv_write_text(&w, str_from(json_str(row, export_columns[i])));
	csv_write_json(&w, a, json_is_null(details) ? NULL : details);
	csv_write_end(&w);
}

/* One page in an arena of its own: 1 there are more, 0, -1. */
static int export_page(
    struct req *r, const struct audit_filter *f, struct slice *s, struct err *err)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, LIMIT_PAGE_BYTES);
	json_t *row;
	size_t i;
	int rc = audit_list(r->app, a, f, s, err);

	if (rc == 0 && !s->has_cursor)
		export_head(b);
	json_array_each(s->rows, i, row)
		if (rc == 0)
			export_row(b, a, row);
	if (rc == 0 && !buf_ok(b))
		rc = err_set(err, ERR_INTERNAL, "a page of the audit log is too large");
	if (rc == 0)
		rc = res_stream_write(r, (struct str){b->p, b->len}) == -1 ? 0 : s->has_more;
	arena_free(a);
	*s = (struct slice){.limit = s->limit, .has_cursor = true, .after = s->last};
	return rc;
}

int audit_page_export(struct req *r)
{
	struct slice s = {.limit = EXPORT_ROWS};
	struct audit_filter f = {0};
	struct err err = ERR_INIT;
	char day[CLOCK_TEXT];
	int more = 1;

	filter_read(r, &list_of_audit, &r->query, &f);
	if (req_has_invalid(r))
		return res_invalid(r);
	clock_day_text(day, clock_day(zone_local_us(r->actor.zone, clock_now_us())));
	res_headerf(r, "Content-Disposition", "attachment; filename=\"audit-%s.csv\"", day);
	if (res_stream_start(r, 200, "text/csv; charset=utf-8; header=present") == -1 ||
	    r->method == HTTP_HEAD)
		return 0;
	while (more == 1)
		more = export_page(r, &f, &s, &err);
	return more == -1 ? res_error(r, &err) : 0;
}
