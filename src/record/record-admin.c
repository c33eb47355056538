/* Pages of the records. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/path.h"
#include "html/chrome.h"
#include "provider/connection-admin.h"
#include "record/record.h"

#define PAGE_ROWS 50
#define COLUMNS 3 /* picked from the payloads; the first is the title */
#define PATHS_MAX 200
#define PATH_DEPTH 3
#define CELL_BYTES 120

/* ---- columns ------------------------------------------------------------------------------- */

/* Paths people look for first; the better known, the earlier. Compared with a path's last step. */
static const char *const known_fields[] = {"name", "fullName", "full_name", "title", "subject",
    "topic", "email", "phone", "phoneNumber", "firstname", "first_name", "firstName", "lastname",
    "last_name", "lastName", "company", "status", "amount", "total_price", "currency", "text",
    "body", "From", "To", "from", "to", "type", "event", "priority", "created_at"};
#define TITLE_RANK 6 /* a name, title or address */
#define KNOWN (sizeof(known_fields) / sizeof(known_fields[0]))

struct column {
	const char *path;
	int rank;  /* in known_fields; KNOWN: not there */
	int seen;  /* rows that have it */
	int order; /* of first sight */
};
struct picking {
	struct arena *a;
	struct column columns[PATHS_MAX];
	size_t n;
};

static int rank_of(const char *key)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (strcmp(known_fields[i], key) == 0)
			return (int)i;
	return (int)KNOWN;
}

static void see_path(struct picking *p, const char *path, const char *key)
{
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->columns[i].path, path) == 0) {
			p->columns[i].seen++;
			return;
		}
	}
	if (p->n == PATHS_MAX)
		return;
	p->columns[p->n] = (struct column){path, rank_of(key), 1, (int)p->n};
	p->n++;
}

/* A key that a dotted path can name as it is. */
static bool is_plain_key(const char *key)
{
	return key[0] != '\0' && strpbrk(key, ".[]\\") == NULL && strlen(key) < 64;
}

static void see_fields(struct picking *p, const json_t *data, const char *prefix, int depth)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)data, key, v)
	{
		if (!is_plain_key(key))
			continue;
		const char *path = arena_printf(p->a, "%s%s", prefix, key);
		if (json_is_object(v) && depth < PATH_DEPTH)
			see_fields(p, v, arena_printf(p->a, "%s.", path), depth + 1);
		else if ((json_is_string(v) && json_string_length(v) > 0) || json_is_number(v))
			see_path(p, path, key);
	}
}

/* Known before unknown, frequent before rare, as delivered otherwise. */
static int column_compare(const void *x, const void *y)
{
	const struct column *a = x, *b = y;

	if (a->rank != b->rank)
		return a->rank - b->rank;
	if (a->seen != b->seen)
		return b->seen - a->seen;
	return a->order - b->order;
}

/* Long texts are cut, at the end of a character. */
static const char *clip(struct arena *a, const char *text)
{
	size_t n = strlen(text);

	if (n <= CELL_BYTES)
		return text;
	for (n = CELL_BYTES; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
		;
	return arena_printf(a, "%.*s…", (int)n, text);
}

static const char *cell_text(struct arena *a, const json_t *v)
{
	const char *text = json_scalar_text(a, v);

	return text == NULL ? NULL : clip(a, text);
}

static const char *last_step(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot == NULL ? path : dot + 1;
}

/* fullName and full_name are one thing. */
static bool is_same_word(const char *a, const char *b)
{
	for (;;) {
		while (*a == '_')
			a++;
		while (*b == '_')
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (*a == '\0')
			return true;
		a++;
		b++;
	}
}

/* Brings the best columns to the front, each word once; how many there are. */
static size_t pick_columns(struct picking *p)
{
	size_t n = 0;

	if (p->n > 1)
		qsort(p->columns, p->n, sizeof(p->columns[0]), column_compare);
	for (size_t i = 0; i < p->n && n < COLUMNS; i++) {
		bool is_known = false;
		for (size_t k = 0; k < n; k++)
			is_known = is_known || is_same_word(last_step(p->columns[k].path),
						   last_step(p->columns[i].path));
		if (!is_known)
			p->columns[n++] = p->columns[i];
	}
	return n;
}

static const char *column_value(struct arena *a, const json_t *row, const struct column *c)
{
	const json_t *v = path_lookup(a, json_object_get(row, "data"), c->path);

	return v == NULL ? NULL : cell_text(a, v);
}

/* Adds "columns" to data, "title" and "cells" to each row. */
static void add_columns(struct req *r, json_t *data, json_t *rows)
{
	struct picking *p = arena_zalloc(r->a, sizeof(*p));
	json_t *columns = json_array(), *row;
	size_t i, n;

	p->a = r->a;
	json_array_foreach(rows, i, row) see_fields(p, json_object_get(row, "data"), "", 1);
	n = pick_columns(p);
	for (i = 1; i < n; i++)
		json_array_append_new(columns, json_string(last_step(p->columns[i].path)));
	json_set(data, "columns", columns);
	json_array_foreach(rows, i, row)
	{
		const char *title = n > 0 ? column_value(r->a, row, &p->columns[0]) : NULL;
		json_t *cells = json_array();
		for (size_t k = 1; k < n; k++) {
			json_t *cell = json_object();
			json_set_str(cell, "label", last_step(p->columns[k].path));
			json_set_str(cell, "value", column_value(r->a, row, &p->columns[k]));
			json_array_append_new(cells, cell);
		}
		json_set_bool(row, "has_title", title != NULL);
		json_set_str(row, "title", title != NULL ? title : json_str(row, "externalId"));
		json_set(row, "cells", cells);
	}
}

/* ---- list ---------------------------------------------------------------------------------- */

/* Pills: one per resource type that the account has, with counts. */
static void add_pills(struct req *r, json_t *data, const json_t *summary)
{
	json_t *types = json_object_get(summary, "byResourceType"), *pills = json_array(), *count;
	struct str now = req_query(r, "resourceType");
	const char *type;

	json_t *all = json_object();
	json_set_str(all, "label", "All");
	json_set_int(all, "count", json_int(summary, "total"));
	json_set_str(all, "href", chrome_link(r, "resourceType", (struct str){NULL, 0}));
	json_set_bool(all, "is_current", now.n == 0);
	json_array_append_new(pills, all);
	json_object_foreach(types, type, count)
	{
		json_t *pill = json_object();
		json_set_str(pill, "label", type);
		json_set(pill, "count", json_incref(count));
		json_set_str(pill, "href", chrome_link(r, "resourceType", str_from(type)));
		json_set_bool(pill, "is_current", str_is(now, type));
		json_array_append_new(pills, pill);
	}
	json_set(data, "pills", pills);
}

static const char *list_scope(struct req *r, const struct record_filter *f)
{
	struct buf *b = buf_new(r->a, LIMIT_URL_BYTES);
	const struct str parts[] = {f->resource_type, f->provider_type, f->search};

	buf_printf(b, "records page %s", uuid_dup(r->a, r->actor.account_id));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		buf_printf(b, "&%zu:", parts[i].n);
		buf_add(b, parts[i].p != NULL ? parts[i].p : "", parts[i].n);
	}
	return b->p;
}

int record_page_list(struct req *r)
{
	struct record_filter f = {.account_id = r->actor.account_id,
	    .provider_type = chrome_query_text(r, "providerType"),
	    .resource_type = chrome_query_text(r, "resourceType"),
	    .search = chrome_query_text(r, "search")};
	struct record_page page = {.limit = PAGE_ROWS};
	struct err err = ERR_INIT;
	struct str cursor = chrome_query_text(r, "cursor");
	const char *scope = list_scope(r, &f);
	json_t *data, *summary;

	if (cursor.n > 0 && !cursor_read(r, scope, cursor, &page.after_us, &page.after_id))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	if (record_summary(r->app, r->a, &r->actor.account_id, &summary, &err) < 0 ||
	    record_list(r->app, r->a, &f, &page, &err) < 0)
		return res_error(r, &err);
	data = json_object();
	provider_label_rows(r->app, page.rows);
	add_pills(r, data, summary);
	add_columns(r, data, page.rows);
	json_set(data, "rows", json_incref(page.rows));
	json_set_bool(data, "has_rows", json_array_size(page.rows) > 0);
	json_set(data, "providers", provider_choices(r, "providerType", NULL));
	json_set_strn(data, "search", f.search);
	json_set_strn(data, "resource_type", f.resource_type);
	json_set_bool(
	    data, "is_filtered", f.provider_type.n > 0 || f.resource_type.n > 0 || f.search.n > 0);
	json_set_bool(data, "is_later_page", cursor.n > 0);
	json_set_str(data, "first_href", chrome_link(r, "cursor", (struct str){NULL, 0}));
	json_set_str(data, "next_href",
	    !page.has_more ? NULL
			   : chrome_link(r, "cursor",
				 str_from(cursor_make(r, scope, page.last_us, page.last_id))));
	return chrome_page(r, 200, "records", "Records", "record/list", data);
}

/* ---- detail -------------------------------------------------------------------------------- */

/* What a person would call this record. */
static const char *record_title(struct req *r, const json_t *record)
{
	struct picking *p = arena_zalloc(r->a, sizeof(*p));
	const char *title = NULL;

	p->a = r->a;
	see_fields(p, json_object_get(record, "data"), "", 1);
	if (pick_columns(p) > 0 && p->columns[0].rank <= TITLE_RANK)
		title = column_value(r->a, record, &p->columns[0]);
	return title != NULL ? title : json_str(record, "externalId");
}

/* Values of a change as short text; containers as JSON. */
static void add_change_texts(struct req *r, json_t *history)
{
	static const char *const sides[] = {"before", "after"};
	json_t *entry, *change;
	size_t i, k;

	json_array_foreach(history, i, entry)
	{
		json_set_bool(
		    entry, "is_long", json_array_size(json_object_get(entry, "changes")) > 6);
		json_set_bool(
		    entry, "is_creation", json_array_size(json_object_get(entry, "changes")) == 0);
		json_array_foreach(json_object_get(entry, "changes"), k, change)
		{
			for (size_t s = 0; s < 2; s++) {
				const json_t *v = json_object_get(change, sides[s]);
				const char *text = v == NULL ? NULL : json_scalar_text(r->a, v);
				if (v != NULL && text == NULL)
					text = json_text(r->a, v).p;
				if (text != NULL)
					text = clip(r->a, text);
				json_set_bool(change, s == 0 ? "had" : "has", v != NULL);
				json_set_str(change, s == 0 ? "before_text" : "after_text", text);
			}
		}
	}
}

int record_page_detail(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	json_t *record, *history, *data;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = record_get_json(r->app, r->a, &r->actor.account_id, &id, &record, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such record");
	if (found < 0 ||
	    record_history(r->app, r->a, &r->actor.account_id, &id, &history, &err) < 0)
		return res_error(r, &err);
	history = json_own(r->a, json_deep_copy(history));
	add_change_texts(r, history);
	data = json_object();
	json_set_str(
	    record, "providerName", provider_label(r->app, json_str(record, "providerType")));
	json_set(data, "record", json_incref(record));
	json_set(data, "history", json_incref(history));
	json_set_str(data, "heading", record_title(r, record));
	return chrome_page(r, 200, "records",
	    json_str(json_object_get(data, "record"), "externalId"), "record/detail", data);
}
