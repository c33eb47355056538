/* The list of records, as its address says it: filters, order, columns and a position. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "account/permission.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/path.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "http/form.h"
#include "record/lead-status.h"
#include "record/record-bulk.h"
#include "record/record-pages.h"

#define COLUMNS_MAX 12
#define PAGE_CELLS 300
#define ADDRESS_BYTES (8 * LIMIT_URL_BYTES)
#define FORM_FILLED "filled" /* of the form alone */
#define BEFORE "before"      /* of a cursor: how many rows were turned over */

static const struct str nothing;

static const struct filter_row received_filters[] = {
    {"receivedAfter", FILTER_TIME, offsetof(struct received_span, after), NULL, NULL},
    {"receivedBefore", FILTER_TIME, offsetof(struct received_span, before), NULL, NULL},
    {NULL, 0, 0, NULL, NULL}};
static const struct list list_of_received = {"received", received_filters, NULL};

/* ---- the address --------------------------------------------------------------------------- */

/* Parameters of the list, without its position: what forms carry along and links spell out. */
static void pairs_add(json_t *pairs, const char *name, struct str value)
{
	json_t *o;

	if (value.n == 0)
		return;
	o = json_object();
	json_set_str(o, "name", name);
	json_set_strn(o, "value", value);
	json_array_append_new(pairs, o);
}

/* One that is looked up by another status of its own, or by when they came, has no other order. */
static bool browse_implies_received(const struct record_browse *b)
{
	return b->extra.n > 0 || record_browse_has_span(b);
}

static json_t *browse_pairs(const struct record_browse *b)
{
	struct arena *a = b->r->a;
	struct http_pairs filter = filter_pairs(a, &list_of_records, &b->f);
	json_t *pairs = json_own(a, json_array());

	for (size_t i = 0; i < filter.n; i++)
		if (!b->is_type_fixed || (!str_is(filter.v[i].name, "resourceType") &&
					     !str_is(filter.v[i].name, "copies")))
			pairs_add(pairs, filter.v[i].name.p, filter.v[i].value); /* ends with NUL */
	if (b->extra_name.p != NULL)
		pairs_add(pairs, b->extra_name.p, b->extra); /* a literal */
	filter = filter_pairs(a, &list_of_received, &b->received);
	for (size_t i = 0; i < filter.n; i++)
		pairs_add(pairs, filter.v[i].name.p, filter.v[i].value);
	if (b->is_by_received && (b->is_ascending || !browse_implies_received(b)))
		pairs_add(pairs, "sort", b->is_ascending ? STR("receivedAt") : STR("-receivedAt"));
	else if (b->is_ascending)
		pairs_add(pairs, "sort", STR("updatedAt"));
	for (size_t i = 0; i < json_array_size(b->columns); i++)
		pairs_add(pairs, "col", str_from(json_string_value(json_array_get(b->columns, i))));
	pairs_add(pairs, "view", b->view);
	return pairs;
}

static void link_add_query(struct buf *out, const char *name, struct str value)
{
	if (out->len > 0)
		buf_chr(out, '&');
	percent_encode(out, str_from(name));
	buf_chr(out, '=');
	percent_encode(out, value);
}

const char *record_browse_query(const struct record_browse *b)
{
	struct buf *out = buf_new(b->r->a, ADDRESS_BYTES);
	json_t *pairs = browse_pairs(b), *pair;
	size_t i;

	json_array_each(pairs, i, pair)
		link_add_query(out, json_str(pair, "name"), str_from(json_str(pair, "value")));
	return buf_ok(out) ? out->p : "";
}

const char *record_browse_link(const struct record_browse *b)
{
	const char *query = record_browse_query(b);

	return query[0] == '\0' ? b->address : arena_printf(b->r->a, "%s?%s", b->address, query);
}

const char *record_browse_renamed_link(const struct record_browse *b, size_t i, const char *path)
{
	struct record_browse other = *b;
	struct record_where *where = arena_array(b->r->a, b->f.nwhere, sizeof(*where));

	memcpy(where, b->f.where, b->f.nwhere * sizeof(*where));
	where[i].path = path_compile(b->r->a, str_from(path), NULL);
	other.f.where = where;
	return where[i].path == NULL ? NULL : record_browse_link(&other);
}

static const char *browse_link_at(
    const struct record_browse *b, const char *name, const char *value)
{
	const char *query = record_browse_query(b);

	return arena_printf(
	    b->r->a, "%s?%s%s%s=%s", b->address, query, query[0] == '\0' ? "" : "&", name, value);
}

json_t *record_browse_filter_json(const struct record_browse *b)
{
	const struct record_filter *f = &b->f;
	struct http_pairs pairs = filter_pairs(b->r->a, &list_of_records, f);
	json_t *o = json_own(b->r->a, json_object());

	for (size_t i = 0; i < pairs.n; i++)
		if (!str_starts(pairs.v[i].name, "filter["))
			json_set_strn(o, pairs.v[i].name.p, pairs.v[i].value);
	if (f->nwhere > 0)
		json_set(o, "filter", record_where_json(f));
	return o;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* What the address says stands over what b had (a view's filter). */
static void browse_overlay(struct record_browse *b, const struct http_pairs *from)
{
	struct str type = b->f.resource_type, search = b->f.search;

	filter_read(b->r, &list_of_records, from, &b->f);
	if (b->is_type_fixed)
		b->f.resource_type = type;
	if (utf8_trim(b->f.search).n > 0)
		search = utf8_trim(b->f.search);
	b->f.search = search;
}

static void browse_read_columns(struct record_browse *b, const struct http_pairs *from)
{
	struct req *r = b->r;

	for (size_t i = 0; i < from->n; i++) {
		struct str value = utf8_trim(from->v[i].value);
		struct err ignored = ERR_INIT;
		bool is_known = false;

		if (!str_is(from->v[i].name, "col") || value.n == 0 ||
		    path_compile(r->a, value, &ignored) == NULL)
			continue;
		if (b->columns == NULL)
			b->columns = json_own(r->a, json_array());
		for (size_t k = 0; k < json_array_size(b->columns); k++)
			is_known = is_known ||
				   str_is(value, json_string_value(json_array_get(b->columns, k)));
		if (!is_known && json_array_size(b->columns) < COLUMNS_MAX)
			json_array_append_new(b->columns, json_stringn(value.p, value.n));
	}
}

/* What the form's choice is in an address: there "is not empty" is an operator's value. */
static struct str form_operator(struct str op, struct str *value)
{
	if (str_is(op, FORM_FILLED) || str_is(op, RECORD_WHERE_EMPTY)) {
		*value = str_is(op, FORM_FILLED) ? STR("false") : STR("true");
		return STR(RECORD_WHERE_EMPTY);
	}
	return op.n > 0 ? op : STR(RECORD_WHERE_IS);
}

/* The path of a field that was named in words, as the sheet shows them: "Address city". */
static struct str form_path(const struct record_browse *b, struct str field)
{
	const char *named = arena_strndup(b->r->a, field.p, field.n);
	json_t *known;
	struct err ignored = ERR_INIT;

	if (record_fields(
		b->r->app, b->r->a, &b->f.account_id, b->f.resource_type, &known, &ignored) == -1)
		return field;
	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < json_array_size(known); i++) {
			const char *path = json_str(json_array_get(known, i), "path");

			if (pass == 0 ? str_is(field, path) : record_words_are_same(named, path))
				return str_from(path);
		}
	return field;
}

/* A form cannot name filter[path] itself: it says field, operator and value, and is led to that
 * address. */
static bool browse_has_new_filter(struct record_browse *b)
{
	struct str field = utf8_trim(req_query(b->r, "field")),
		   value = utf8_trim(req_query(b->r, "value")),
		   op = form_operator(req_query(b->r, "op"), &value);
	struct record_where *where;
	struct err err = ERR_INIT;

	if (field.n == 0)
		return false;
	where = arena_array(b->r->a, b->f.nwhere + 1, sizeof(*where));
	if (b->f.nwhere > 0)
		memcpy(where, b->f.where, b->f.nwhere * sizeof(*where));
	if (record_where_read(b->r->a, form_path(b, field), op, value, &where[b->f.nwhere], &err) ==
	    -1) {
		b->wrong = path_compile(b->r->a, field, NULL) != NULL
			       ? arena_printf(b->r->a, "The value of %.*s %s",
				     (int)utf8_cut(field, 80).n, field.p, err.msg)
			       : arena_printf(b->r->a,
				     "\"%.*s\" is not the name of a field. One looks like email or "
				     "address.city",
				     (int)utf8_cut(field, 80).n, field.p);
		return false;
	}
	b->f.nwhere++;
	b->f.where = where;
	return true;
}

/* So many that a first view stays light: a row weighs as much as nine cells, and its own. */
static int64_t browse_page_rows(const struct record_browse *b)
{
	const json_t *columns = b->columns != NULL ? b->columns : b->view_columns;
	size_t rows = PAGE_CELLS / (9 + json_array_size(columns));

	return rows < RECORD_PAGE_ROWS ? (int64_t)rows : RECORD_PAGE_ROWS;
}

/* A search goes from the newest on. */
static void browse_read_received(struct record_browse *b, struct str sort)
{
	b->is_by_received =
	    b->has_received && (browse_implies_received(b) || str_is(sort, "receivedAt") ||
				   str_is(sort, "-receivedAt"));
	if (b->is_by_received)
		b->is_ascending = str_is(sort, "receivedAt") && b->f.search.n == 0;
}

/* The list that the pairs of an address tell of, without its position; what is wrong with its
 * filter is noted by req_invalid. */
static void browse_read_list(struct record_browse *b, const struct http_pairs *from)
{
	struct str sort = http_pairs_get(from, "sort"), view = http_pairs_get(from, "view");

	browse_overlay(b, from);
	filter_read(b->r, &list_of_received, from, &b->received);
	browse_read_columns(b, from);
	b->view = view.n > 0 ? view : nothing;
	if (sort.n > 0)
		b->is_ascending = str_is(sort, "updatedAt");
	browse_read_received(b, sort);
	b->slice.s.page = 1;
}

/* The field that a filter of the address names and that none can have; {NULL,0}: there is none. */
static struct str browse_find_wrong_field(const struct record_browse *b)
{
	const size_t before = sizeof("filter[") - 1;

	for (size_t i = 0; i < b->r->query.n; i++) {
		struct str name = b->r->query.v[i].name;
		const char *end;

		if (!str_starts(name, "filter[") ||
		    (end = memchr(name.p + before, ']', name.n - before)) == NULL)
			continue;
		struct str path = {name.p + before, (size_t)(end - name.p) - before};
		if (path_compile(b->r->a, path, NULL) == NULL)
			return path;
	}
	return nothing;
}

static void browse_note_wrong(struct record_browse *b)
{
	struct str field;

	if (!req_has_invalid(b->r))
		return;
	field = browse_find_wrong_field(b);
	b->wrong =
	    field.p != NULL
		? arena_printf(b->r->a,
		      "\"%.*s\" is not the name of a field. One looks like email or "
		      "address.city",
		      (int)utf8_cut(field, 80).n, field.p)
		: arena_printf(b->r->a, "This filter cannot be used. %s", req_invalid_text(b->r));
}

/* The page's own parameter belongs to what cursors are bound to. */
static bool browse_read_position(struct record_browse *b)
{
	struct list own = list_of_records;

	own.name = arena_printf(b->r->a, "%s%s %zu:%.*s %s", b->address,
	    b->is_by_received ? " received" : "", b->extra.n, (int)b->extra.n,
	    b->extra.n > 0 ? b->extra.p : "",
	    filter_query(b->r->a, &list_of_received, &b->received));
	b->slice.s.is_ascending = b->is_ascending;
	return slice_place(b->r, &own, &b->f, browse_page_rows(b), &b->slice.s);
}

int record_browse_read(struct record_browse *b)
{
	struct req *r = b->r;

	browse_read_list(b, &r->query);
	if (browse_has_new_filter(b) && !req_has_invalid(r))
		return res_redirect(r, record_browse_link(b));
	browse_note_wrong(b);
	if (!browse_read_position(b))
		return res_redirect(r, record_browse_link(b));
	b->is_back = b->slice.s.has_cursor && str_is(req_query(r, "dir"), "back");
	b->before = b->slice.s.offset;
	if (b->slice.s.has_cursor &&
	    !str_to_i64(req_query(r, BEFORE), 0, INT64_MAX / 2, &b->before))
		b->before = -1;
	return 1;
}

bool record_browse_of_form(struct req *r, struct record_browse *b)
{
	struct http_pairs pairs;
	struct err err = ERR_INIT;

	*b = (struct record_browse){.r = r, .address = RECORD_PAGE_ADDRESS};
	if (form_parse(r->a, req_form(r, "query"), &pairs, &err) == -1)
		return false;
	browse_read_list(b, &pairs);
	browse_note_wrong(b);
	return b->wrong == NULL;
}

/* ---- the rows ------------------------------------------------------------------------------ */

static void page_reverse(struct arena *a, struct slice *s)
{
	json_t *rows = json_own(a, json_array());

	for (size_t i = json_array_size(s->rows); i-- > 0;)
		json_array_append(rows, json_array_get(s->rows, i));
	s->rows = rows;
}

bool record_browse_note_error(struct record_browse *b, struct err *err)
{
	if (err->code != ERR_INVALID)
		return false;
	b->wrong = err->field[0] == '\0' ? err->msg
					 : arena_printf(b->r->a, "The %s %s", err->field, err->msg);
	b->wrong = arena_strdup(b->r->a, b->wrong);
	err_clear(err);
	return true;
}

int record_browse_load(struct record_browse *b, struct err *err)
{
	b->slice.s.is_ascending = b->is_ascending != b->is_back;
	if (b->wrong == NULL && record_list(b->r->app, b->r->a, &b->f, &b->slice, err) == -1 &&
	    !record_browse_note_error(b, err))
		return -1;
	if (b->wrong != NULL)
		b->slice.s.rows = json_own(b->r->a, json_array());
	if (b->is_back)
		page_reverse(b->r->a, &b->slice.s);
	return 0;
}

bool record_browse_is_beyond(const struct record_browse *b)
{
	size_t n = json_array_size(b->slice.s.rows);

	if (b->wrong != NULL || b->slice.s.has_more)
		return false;
	return b->is_back ? n < (size_t)b->slice.s.limit : b->slice.s.page > 1 && n == 0;
}

/* ---- pages --------------------------------------------------------------------------------- */

static void row_cursor(const json_t *row, struct cursor *out)
{
	clock_parse_iso(str_from(json_str(row, "updatedAt")), &out->at);
	uuid_parse(str_from(json_str(row, "id")), &out->id);
}

/* A link that goes on behind (or, back, before) a row of this page; without rows, from where the
 * page ended. */
static const char *browse_turn_link(const struct record_browse *b, bool is_back)
{
	const int64_t before = is_back ? b->before - b->slice.s.limit
				       : b->before + (int64_t)json_array_size(b->slice.s.rows);
	const json_t *rows = b->slice.s.rows;
	size_t n = json_array_size(rows);
	struct cursor at = b->slice.s.after;
	const char *link;

	if (is_back == b->is_back && b->slice.s.has_more) {
		at = b->slice.s.last;
	} else if (n > 0) {
		row_cursor(json_array_get(rows, is_back ? 0 : n - 1), &at);
	}
	link = browse_link_at(b, "cursor", slice_cursor(b->r, &b->slice.s, &at));
	if (b->before >= 0 && before >= 0)
		link = arena_printf(b->r->a, "%s&" BEFORE "=%" PRId64, link, before);
	return is_back ? arena_printf(b->r->a, "%s&dir=back", link) : link;
}

static void list_show_paging(const struct record_browse *b, json_t *data)
{
	bool is_later = b->slice.s.page != 1;
	bool has_next = b->is_back || b->slice.s.has_more;
	bool has_previous = b->is_back ? b->slice.s.has_more : is_later;
	bool is_short =
	    b->slice.s.has_more && json_array_size(b->slice.s.rows) < (size_t)b->slice.s.limit;

	json_set_bool(data, "is_later_page", is_later);
	json_set_str(data, "first_href", record_browse_link(b));
	json_set_str(data, "next_href", has_next ? browse_turn_link(b, false) : NULL);
	json_set_str(data, "previous_href",
	    !has_previous ? NULL
	    : b->slice.s.page > 2
		? browse_link_at(b, "page", arena_printf(b->r->a, "%" PRId64, b->slice.s.page - 1))
	    : b->slice.s.page > 1 ? record_browse_link(b)
				  : browse_turn_link(b, true));
	json_set_bool(data, "is_ascending", b->is_ascending);
	json_set_bool(data, "is_short", is_short);
	json_set_time(data, "reached_at", is_short ? b->slice.s.last.at : 0);
}

/* How many there are, as well as is known without counting. */
static int list_show_count(const struct record_browse *b, json_t *data, struct err *err)
{
	const int64_t rows = (int64_t)json_array_size(b->slice.s.rows);
	const bool is_end = !b->slice.s.has_more && !b->is_back;
	int64_t total = -1;

	if (!record_browse_has_span(b) && (b->extra_name.p == NULL || b->extra.n == 0) &&
	    record_count(b->r->app, b->r->a, &b->f, &total, err) == -1)
		return -1;
	if (total < 0 && is_end && b->before >= 0)
		total = b->before + rows;
	json_set_bool(data, "is_counted", total >= 0);
	json_set_bool(data, "is_end", total < 0 && is_end);
	json_set_int(
	    data, "total", total >= 0 ? total : rows + (b->before > 0 && !is_end ? b->before : 0));
	json_set_bool(data, "is_one", json_int(data, "total") == 1);
	json_set(data, "range",
	    b->slice.s.has_cursor && b->before >= 0 && rows > 0
		? json_sprintf("%" PRId64 "–%" PRId64, b->before + 1, b->before + rows)
		: chrome_slice_range(&b->slice.s));
	return 0;
}

/* ---- what stands above the rows ------------------------------------------------------------ */

/* The list without what one part of the page decides itself, as hidden inputs. */
static void list_show_hidden(const struct record_browse *b, json_t *data)
{
	struct record_browse searching = *b, choosing = *b;

	searching.f.search = searching.f.provider_type = searching.f.source = nothing;
	searching.extra = nothing;
	if (b->extra_name.p != NULL)
		searching.f.lead_connection = (struct uuid){{0}};
	else
		searching.f.connection = (struct uuid){{0}};
	if (browse_implies_received(b) && !b->is_ascending) /* its order came with that */
		searching.is_by_received = false;
	choosing.columns = NULL;
	choosing.is_ascending = choosing.is_by_received = false;
	json_set(data, "filter_hidden", json_incref(browse_pairs(&searching)));
	json_set(data, "column_hidden", json_incref(browse_pairs(&choosing)));
	json_set_bool(data, "has_own_columns", b->columns != NULL);
	choosing.is_ascending = b->is_ascending;
	choosing.is_by_received = b->is_by_received;
	json_set_str(data, "plain_columns_href", record_browse_link(&choosing));
}

static struct str time_query_text(struct arena *a, struct opt_time t)
{
	return t.is_given ? str_from(clock_iso_dup(a, t.us)) : nothing;
}

static json_t *chips_add(
    json_t *chips, const struct record_browse *without, const char *label, struct str value)
{
	json_t *o = json_object();

	json_set_str(o, "label", label);
	json_set_strn(o, "value", value);
	json_set_str(o, "href", record_browse_link(without));
	json_array_append_new(chips, o);
	return o;
}

/* One of a time, if it is given. */
static void chips_add_time(
    json_t *chips, const struct record_browse *without, const char *label, struct opt_time at)
{
	if (at.is_given)
		json_set_bool(chips_add(chips, without, label, time_query_text(without->r->a, at)),
		    "is_time", true);
}

/* "Amount is more than 100", "Email is empty" */
static void chips_add_where(
    json_t *chips, const struct record_browse *without, const struct record_where *w)
{
	const bool is_empty = strcmp(w->op, RECORD_WHERE_EMPTY) == 0;
	json_t *o = chips_add(
	    chips, without, path_text(w->path), is_empty ? (struct str){NULL, 0} : w->value);

	json_set_str(o, "op", record_where_words(w));
}

const char *record_browse_connection_name(const struct record_browse *b, const struct uuid *of)
{
	const char *id = uuid_dup(b->r->a, *of), *name;
	struct err err = ERR_INIT;
	json_t *names;

	if (connection_names(b->r->app, b->r->a, &b->r->actor.account_id, &names, &err) == -1)
		return id;
	name = json_str(json_object_get(names, id), "name");
	return name != NULL ? name : "a connection that is gone";
}

/* As record_sources, whose leads came by hand as well. */
static const struct word sources_of_leads[] = {{RECORD_SOURCE_WEBHOOK, "Webhook"},
    {RECORD_SOURCE_POLL, "Poll"}, {RECORD_SOURCE_IMPORT, "By hand, file or API"},
    {RECORD_SOURCE_FLOW_STEP, "Flow step"}, {NULL, NULL}};

static const struct word *list_sources(const struct record_browse *b)
{
	return b->is_type_fixed ? sources_of_leads : record_sources;
}

static struct str word_text(const struct word *words, struct str s)
{
	const struct word *w = word_find(words, s);

	return w != NULL ? str_from(w->label) : s;
}

static const char *list_provider_label(const struct record_browse *b)
{
	const char *type = arena_strndup(b->r->a, b->f.provider_type.p, b->f.provider_type.n);

	return b->is_type_fixed ? lead_source_label(b->r->app, type)
				: provider_label(b->r->app, type);
}

/* What is asked for, but by pills and the search beside: each with a link that takes it away. */
static void list_show_chips(const struct record_browse *b, json_t *data)
{
	json_t *chips = json_array();
	struct record_browse without = *b;

	for (size_t i = 0; i < b->f.nwhere; i++) {
		struct record_where *rest = arena_array(b->r->a, b->f.nwhere, sizeof(*rest));
		size_t n = 0;

		for (size_t k = 0; k < b->f.nwhere; k++)
			if (k != i)
				rest[n++] = b->f.where[k];
		without.f.where = rest;
		without.f.nwhere = n;
		chips_add_where(chips, &without, &b->f.where[i]);
	}
	without = *b;
	without.f.provider_type = nothing;
	if (b->f.provider_type.n > 0)
		(void)chips_add(chips, &without, b->is_type_fixed ? "Source" : "Provider",
		    str_from(list_provider_label(b)));
	without = *b;
	without.f.source = nothing;
	if (b->f.source.n > 0)
		(void)chips_add(
		    chips, &without, "How it came", word_text(list_sources(b), b->f.source));
	without = *b;
	without.f.lead_status = nothing;
	if (b->f.lead_status.n > 0)
		(void)chips_add(
		    chips, &without, "Delivery", word_text(lead_sync_statuses, b->f.lead_status));
	without = *b;
	without.f.lead_connection = (struct uuid){{0}};
	if (!uuid_is_nil(b->f.lead_connection))
		(void)chips_add(chips, &without, "Leads from",
		    str_from(record_browse_connection_name(b, &b->f.lead_connection)));
	without = *b;
	without.f.connection = (struct uuid){{0}};
	if (!uuid_is_nil(b->f.connection))
		(void)chips_add(chips, &without, "Connection",
		    str_from(record_browse_connection_name(b, &b->f.connection)));
	without = *b;
	without.f.copies = nothing;
	if (b->f.copies.p != NULL && !b->is_type_fixed)
		(void)chips_add(chips, &without, "Copies of leads",
		    str_from(word_label(record_copies, RECORD_COPIES_NONE)));
	without = *b;
	without.f.updated_after = (struct opt_time){0};
	chips_add_time(chips, &without, "Updated since", b->f.updated_after);
	without = *b;
	without.f.updated_before = (struct opt_time){0};
	chips_add_time(chips, &without, "Updated before", b->f.updated_before);
	without = *b;
	without.received.after = (struct opt_time){0};
	chips_add_time(chips, &without, "Received since", b->received.after);
	without = *b;
	without.received.before = (struct opt_time){0};
	chips_add_time(chips, &without, "Received before", b->received.before);
	json_set_bool(data, "has_chips", json_array_size(chips) > 0);
	json_set(data, "chips", chips);
}

/* Off its own page its parameter goes by the name that every list of records knows. */
static void browse_keep_extra(struct record_browse *b)
{
	if (b->extra_name.p != NULL && b->extra.n > 0)
		b->f.lead_status = b->extra;
	b->extra_name = nothing;
}

const char *record_browse_export_link(const struct record_browse *b, const char *format)
{
	struct record_browse all = *b;

	all.view = nothing;
	if (all.columns == NULL) /* those that are shown */
		all.columns = all.view_columns;
	all.is_type_fixed = false;
	browse_keep_extra(&all);
	all.address = RECORD_PAGE_ADDRESS "/export";
	return browse_link_at(&all, "format", format);
}

/* A head leads to its order, newest first; the one of the list's own order turns it round. */
static json_t *order_of(const struct record_browse *b, bool is_by_received)
{
	const bool is_current = b->is_by_received == is_by_received;
	struct record_browse other = *b;

	other.is_by_received = is_by_received;
	other.is_ascending = is_current && !b->is_ascending;
	return chrome_order(record_browse_link(&other), is_current, b->is_ascending);
}

static void list_show_sort(const struct record_browse *b, json_t *data)
{
	if (!browse_implies_received(b))
		json_set(data, "updated_order", order_of(b, false));
	if (b->has_received && !(b->is_by_received && b->f.search.n > 0))
		json_set(data, "received_order", order_of(b, true));
	json_set_bool(data, "is_by_received", b->is_by_received);
}

/* Where "Clear" leads: this list of all. */
static void list_show_clear(const struct record_browse *b, json_t *data)
{
	struct record_browse all = {.r = b->r,
	    .address = b->address,
	    .is_type_fixed = b->is_type_fixed,
	    .f.resource_type = b->f.resource_type};
	struct record_filter filter = b->f;

	filter.resource_type = nothing;
	if (b->is_type_fixed)
		filter.copies = nothing;
	json_set_str(data, "clear_href", record_browse_link(&all));
	json_set_bool(data, "is_filtered",
	    browse_implies_received(b) || filter_pairs(b->r->a, &list_of_records, &filter).n > 0);
	filter.search = nothing;
	json_set_int(data, "filter_count",
	    (b->extra.n > 0) + (json_int_t)filter_pairs(b->r->a, &list_of_records, &filter).n +
		(json_int_t)filter_pairs(b->r->a, &list_of_received, &b->received).n);
}

int record_browse_show(struct record_browse *b, json_t *data, struct err *err)
{
	struct record_browse saved = *b;

	json_set_str(data, "address", b->address);
	json_set_str(data, "problem", b->wrong);
	json_set_strn(data, "search", b->f.search);
	json_set_strn(data, "resource_type", b->f.resource_type);
	json_set(data, "providers", provider_choices(b->r, "providerType", NULL));
	json_set(data, "sources", chrome_choices(b->r, "source", list_sources(b)));
	json_set_bool(data, "can_write", (b->r->actor.permissions & PERMIT(RECORDS_WRITE)) != 0);
	saved.is_type_fixed = false;
	browse_keep_extra(&saved);
	json_set_str(data, "query", record_browse_query(&saved));
	json_set_str(data, "csv_href", record_browse_export_link(b, "csv"));
	json_set_str(data, "ndjson_href", record_browse_export_link(b, "ndjson"));
	list_show_hidden(b, data);
	list_show_chips(b, data);
	list_show_sort(b, data);
	list_show_clear(b, data);
	list_show_paging(b, data);
	return list_show_count(b, data, err);
}

/* ---- the page of all records --------------------------------------------------------------- */

/* Fields and views belong to one type: another type starts without them. */
static struct record_browse browse_of_type(const struct record_browse *b, struct str type)
{
	struct record_browse other = *b;

	other.f.resource_type = type;
	other.f.nwhere = 0;
	other.columns = NULL;
	other.view = nothing;
	return other;
}

static void pills_add(json_t *pills, const struct record_browse *b, struct str type, int64_t count)
{
	struct record_browse other = browse_of_type(b, type);
	json_t *pill = json_object();

	json_set_strn(pill, "label", type.n > 0 ? type : STR("All"));
	json_set_int(pill, "count", count);
	json_set_str(pill, "href", record_browse_link(&other));
	json_set_bool(pill, "is_current",
	    type.n == 0 ? b->f.resource_type.n == 0 : str_eq(type, b->f.resource_type));
	json_array_append_new(pills, pill);
}

static const char *browse_text(const struct record_browse *b, struct str s)
{
	return arena_strndup(b->r->a, s.p, s.n);
}

/* Bulk work that is under way, with its progress. */
static int list_show_tasks(const struct record_browse *b, json_t *data, struct err *err)
{
	json_t *tasks;

	if (record_bulk_running(b->r->app, b->r->a, &b->f.account_id, &tasks, err) == -1)
		return -1;
	json_set(data, "tasks", json_incref(tasks));
	return 0;
}

static void providers_add(json_t *list, const struct record_browse *b, const char *type,
    const char *label, bool is_current)
{
	json_t *o = json_object();

	json_set_str(o, "value", type);
	json_set_str(o, "label", label != NULL ? label : provider_label(b->r->app, type));
	json_set_bool(o, "is_current", is_current);
	json_array_append_new(list, o);
}

/* Those whose records the account has. */
static void list_show_providers(const struct record_browse *b, json_t *data, const json_t *summary)
{
	json_t *types = json_object_get(summary, "byProviderType"), *list = json_array(), *count;
	struct str now = b->f.provider_type;
	const char *type;

	providers_add(list, b, "", "All providers", now.n == 0);
	json_object_each(types, type, count)
		providers_add(list, b, type, NULL, str_is(now, type));
	if (now.n > 0 && json_object_get(types, browse_text(b, now)) == NULL)
		providers_add(list, b, browse_text(b, now), NULL, true);
	json_set(data, "providers", list);
}

static int text_compare(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* By their names, so that each keeps its place however the counts change. */
static void pills_add_types(json_t *pills, const struct record_browse *b, json_t *counts)
{
	const char **types = arena_array(b->r->a, json_object_size(counts) + 1, sizeof(*types));
	const char *type;
	json_t *count;
	size_t n = 0;

	json_object_each(counts, type, count)
		types[n++] = type;
	if (n > 1)
		qsort(types, n, sizeof(*types), text_compare);
	for (size_t i = 0; i < n; i++)
		pills_add(pills, b, str_from(types[i]), json_int(counts, types[i]));
}

/* One per resource type that the account has, with counts. */
static int list_show_pills(const struct record_browse *b, json_t *data, struct err *err)
{
	json_t *summary, *types, *pills = json_array();

	json_set(data, "pills", pills);
	if (record_summary(b->r->app, b->r->a, &b->f.account_id, &summary, err) == -1)
		return -1;
	types = json_object_get(summary, "byResourceType");
	pills_add(pills, b, nothing, json_int(summary, "total"));
	pills_add_types(pills, b, types);
	if (b->f.resource_type.n > 0 &&
	    json_object_get(types, browse_text(b, b->f.resource_type)) == NULL)
		pills_add(pills, b, b->f.resource_type, 0);
	list_show_providers(b, data, summary);
	json_set_bool(data, "has_pills", json_array_size(pills) > 2 || b->f.resource_type.n > 0);
	json_set_bool(data, "has_any", json_int(summary, "total") > 0);
	return list_show_tasks(b, data, err);
}

int record_rows_tell_source(struct req *r, json_t *rows, struct err *err)
{
	json_t *row;
	size_t i;

	if (r->app->hooks.tell_records != NULL && r->app->hooks.tell_records(r, rows, err) == -1)
		return -1;
	json_array_each(rows, i, row) {
		const char *name = json_str(row, "connectionName"),
			   *label = json_str(row, "sourceLabel");

		if (name == NULL)
			name = json_str(row, "providerName");
		if (!str_is(str_from(json_str(row, "source")), RECORD_SOURCE_WEBHOOK))
			name = str_is(str_from(json_str(row, "providerType")), PROVIDER_MANUAL)
				   ? label
				   : arena_printf(r->a, "%s, %s", name, label);
		json_set_str(row, "sourceText", name);
	}
	return 0;
}

/* The sheet's choice, and what it cannot find: what was stored before connections were noted. */
static int list_show_connections(const struct record_browse *b, json_t *data, struct err *err)
{
	struct req *r = b->r;
	json_t *connections;
	int64_t since_us;
	int has_older;

	if (connection_choices(r, "connectionId", &connections, err) == -1)
		return -1;
	json_set(data, "connections", json_incref(connections));
	json_set_bool(data, "has_connections", json_array_size(connections) > 1);
	if (uuid_is_nil(b->f.connection))
		return 0;
	has_older = record_has_unconnected(r->app, r->a, &b->f.account_id, &since_us, err);
	if (has_older == 1)
		json_set_time(data, "connected_since", since_us);
	return has_older == -1 ? -1 : 0;
}

int record_page_list(struct req *r)
{
	struct record_browse b = {.r = r, .address = RECORD_PAGE_ADDRESS};
	struct err err = ERR_INIT;
	json_t *data;
	int rc = record_browse_read(&b);

	if (rc != 1)
		return rc;
	data = json_own(r->a, json_object());
	if (record_browse_load(&b, &err) == -1)
		return res_error(r, &err);
	if (record_browse_is_beyond(&b))
		return res_redirect(r, record_browse_link(&b));
	provider_label_rows(r->app, b.slice.s.rows);
	if (record_browse_show(&b, data, &err) == -1 || list_show_pills(&b, data, &err) == -1 ||
	    record_columns_show(&b, data, b.slice.s.rows, &err) == -1 ||
	    view_show(&b, data, &err) == -1 ||
	    record_rows_tell_source(r, b.slice.s.rows, &err) == -1 ||
	    record_browse_show_meant(&b, data, &err) == -1 ||
	    list_show_connections(&b, data, &err) == -1 ||
	    (json_array_size(b.slice.s.rows) == 0 &&
		connection_show_waiting(r, NULL, data, &err) == -1))
		return res_error(r, &err);
	json_set(data, "rows", json_incref(b.slice.s.rows));
	json_set_bool(data, "has_rows", json_array_size(b.slice.s.rows) > 0);
	json_set_bool(data, "is_mixed", b.f.resource_type.n == 0);
	json_set_bool(data, "sees_records", true);
	return chrome_page(
	    r, b.wrong != NULL ? 422 : 200, "records", "Records", "record/list", json_incref(data));
}
