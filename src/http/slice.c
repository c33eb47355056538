/* Lists in slices: their filters by one table, their position, their envelope. */
#include "http/slice.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/zone.h"

/* ---- filters ------------------------------------------------------------------------------- */

const struct filter_row filter_none[] = {{NULL, 0, 0, NULL, NULL}};

static void word_complain(struct req *r, const struct filter_row *f)
{
	struct buf *b = buf_new(r->a, LIMIT_HEADER_BYTES);

	for (const struct word *w = f->words; w->text != NULL; w++)
		buf_printf(b, "%s%s",
		    w == f->words       ? ""
		    : w[1].text == NULL ? " or "
					: ", ",
		    w->text);
	req_invalid(r, f->name, "must be %s", b->p);
}

static void filter_read_day(
    struct req *r, const struct filter_row *f, struct str s, struct opt_time *out)
{
	int64_t at_us;

	if (!clock_parse_iso(s, &at_us)) {
		req_invalid(r, f->name, "must be a date or an ISO 8601 time");
		return;
	}
	if (s.n == sizeof("2026-03-07") - 1)
		at_us =
		    zone_instant_us(r->actor.zone, at_us + (f->kind == FILTER_UNTIL ? DAY_US : 0));
	*out = (struct opt_time){at_us, true};
}

static void filter_read_one(struct req *r, const struct filter_row *f, struct str s, void *member)
{
	struct uuid id;
	int64_t at_us;

	switch (f->kind) {
	case FILTER_WORD:
		if (word_find(f->words, s) == NULL)
			word_complain(r, f);
		*(struct str *)member = s;
		break;
	case FILTER_TEXT:
		*(struct str *)member = s;
		break;
	case FILTER_ID:
		if (!uuid_parse(s, &id))
			req_invalid(r, f->name, "must be an id");
		else
			*(struct uuid *)member = id;
		break;
	case FILTER_TIME:
		if (!clock_parse_iso(s, &at_us))
			req_invalid(r, f->name, "must be an ISO 8601 time");
		else
			*(struct opt_time *)member = (struct opt_time){at_us, true};
		break;
	case FILTER_FROM:
	case FILTER_UNTIL:
		filter_read_day(r, f, s, member);
		break;
	case FILTER_OWN:
		break;
	}
}

void filter_read(struct req *r, const struct list *l, const struct http_pairs *pairs, void *filter)
{
	*(struct uuid *)filter = r->actor.account_id;
	for (const struct filter_row *f = l->filters; f->name != NULL; f++) {
		struct str s = http_pairs_get(pairs, f->name);

		if (f->kind == FILTER_OWN)
			f->own->read(r, pairs, filter);
		else if (s.n > 0)
			filter_read_one(r, f, s, (char *)filter + f->at);
	}
}

void filter_pair_add(struct http_pairs *out, const char *name, struct str value)
{
	if (out->n == FILTER_PAIRS)
		abort();
	out->v[out->n++] = (struct http_pair){str_from(name), value};
}

static bool filter_is_time(enum filter_kind kind)
{
	return kind == FILTER_TIME || kind == FILTER_FROM || kind == FILTER_UNTIL;
}

struct http_pairs filter_pairs(struct arena *a, const struct list *l, const void *filter)
{
	struct http_pairs out = {arena_array(a, FILTER_PAIRS, sizeof(*out.v)), 0};

	for (const struct filter_row *f = l->filters; f->name != NULL; f++) {
		const void *member = (const char *)filter + f->at;

		if (f->kind == FILTER_OWN)
			f->own->write(a, filter, &out);
		else if (f->kind == FILTER_ID && !uuid_is_nil(*(const struct uuid *)member))
			filter_pair_add(
			    &out, f->name, str_from(uuid_dup(a, *(const struct uuid *)member)));
		else if (filter_is_time(f->kind) && ((const struct opt_time *)member)->is_given)
			filter_pair_add(&out, f->name,
			    str_from(clock_iso_dup(a, ((const struct opt_time *)member)->us)));
		else if ((f->kind == FILTER_TEXT || f->kind == FILTER_WORD) &&
			 ((const struct str *)member)->n > 0)
			filter_pair_add(&out, f->name, *(const struct str *)member);
	}
	return out;
}

const char *filter_query(struct arena *a, const struct list *l, const void *filter)
{
	struct http_pairs pairs = filter_pairs(a, l, filter);
	struct buf *b = buf_new(a, LIMIT_URL_BYTES);

	for (size_t i = 0; i < pairs.n; i++) {
		buf_str(b, i == 0 ? "" : "&");
		percent_encode(b, pairs.v[i].name);
		buf_chr(b, '=');
		percent_encode(b, pairs.v[i].value);
	}
	return buf_ok(b) ? b->p : "";
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Lengths stand before the values, so that no two sets of filters read alike. */
static const char *slice_scope(
    struct req *r, const struct list *l, const void *filter, bool is_ascending)
{
	struct buf *b = buf_new(r->a, 4 * LIMIT_URL_BYTES);
	struct http_pairs pairs = filter_pairs(r->a, l, filter);

	buf_printf(b, "%s %s%s", l->name, uuid_dup(r->a, r->actor.account_id),
	    is_ascending ? " ascending" : "");
	for (size_t i = 0; i < pairs.n; i++) {
		buf_printf(b, "&%zu:", pairs.v[i].name.n);
		buf_add(b, pairs.v[i].name.p, pairs.v[i].name.n);
		buf_printf(b, "=%zu:", pairs.v[i].value.n);
		buf_add(b, pairs.v[i].value.p, pairs.v[i].value.n);
	}
	return b->p;
}

/* Whether sort= asks for the oldest first. */
static bool slice_sort(struct req *r, const struct list *l)
{
	struct str s = req_query_text(r, "sort");

	if (l->sort == NULL || s.p == NULL || str_is(s, l->sort))
		return l->sort != NULL && s.p != NULL;
	if (s.p[0] != '-' || !str_is((struct str){s.p + 1, s.n - 1}, l->sort))
		req_invalid(r, "sort", "must be %s or -%s", l->sort, l->sort);
	return false;
}

static void slice_limits(struct req *r, struct slice *out)
{
	struct str limit = req_query_text(r, "limit"), page = req_query_text(r, "page");

	out->limit = LIMIT_PAGE_DEFAULT;
	out->page = 1;
	if (limit.p != NULL && !str_to_i64(limit, 1, LIMIT_PAGE_ROWS, &out->limit))
		req_invalid(r, "limit", "must be a number from 1 to %d", LIMIT_PAGE_ROWS);
	if (page.p != NULL && !str_to_i64(page, 1, LIMIT_PAGE_NUMBER, &out->page))
		req_invalid(r, "page", "must be a number from 1 to %d; beyond it use nextCursor",
		    LIMIT_PAGE_NUMBER);
}

/* The cursor, or the page's offset. */
static bool slice_seek(struct req *r, struct slice *s)
{
	struct str cursor = req_query_text(r, "cursor");

	s->has_cursor = cursor.p != NULL;
	if (!s->has_cursor) {
		s->offset = (s->page - 1) * s->limit;
		return true;
	}
	s->page = 0;
	return cursor_read(r, s->scope, cursor, &s->after);
}

bool slice_read(struct req *r, const struct list *l, void *filter, struct slice *out)
{
	*out = (struct slice){.total = -1};
	filter_read(r, l, &r->query, filter);
	out->is_ascending = slice_sort(r, l);
	slice_limits(r, out);
	out->scope = slice_scope(r, l, filter, out->is_ascending);
	return slice_seek(r, out) && !req_has_invalid(r);
}

bool slice_place(
    struct req *r, const struct list *l, const void *filter, int64_t rows, struct slice *out)
{
	*out = (struct slice){
	    .limit = rows, .page = 1, .total = -1, .is_ascending = out->is_ascending};
	if (!str_to_i64(req_query_text(r, "page"), 1, LIMIT_PAGE_NUMBER, &out->page))
		out->page = 1;
	out->scope = slice_scope(r, l, filter, out->is_ascending);
	return slice_seek(r, out);
}

bool slice_read_page(
    struct req *r, const struct list *l, void *filter, int64_t rows, struct slice *out)
{
	filter_read(r, l, &r->query, filter);
	*out = (struct slice){.is_ascending = slice_sort(r, l)};
	return slice_place(r, l, filter, rows, out);
}

/* ---- filling ------------------------------------------------------------------------------- */

struct cursor slice_from(const struct slice *s)
{
	struct cursor from = s->after;

	if (!s->has_cursor) {
		from.at = s->is_ascending ? INT64_MIN : INT64_MAX;
		memset(from.id.b, s->is_ascending ? 0 : 0xff, sizeof(from.id.b));
	}
	return from;
}

struct id_range slice_ids(const struct slice *s)
{
	struct id_range range = {.from = slice_from(s).id};

	if (!s->is_ascending) {
		range.before = range.from;
		range.from = (struct uuid){{0}};
		return range;
	}
	memset(range.before.b, 0xff, sizeof(range.before.b));
	if (s->has_cursor) /* the one behind it */
		for (size_t i = sizeof(range.from.b); i-- > 0 && ++range.from.b[i] == 0;)
			;
	return range;
}

size_t slice_fill(struct slice *s, const struct db_rows *rows, size_t at_column, size_t id_column)
{
	size_t room = (size_t)s->limit - json_array_size(s->rows), n = rows->count;

	if (n > room) {
		s->has_more = true;
		n = room;
	}
	if (n > 0) {
		s->last = (struct cursor){.id = db_get_uuid(rows, n - 1, id_column)};
		if (at_column != SLICE_BY_ID)
			s->last.at = db_get_int(rows, n - 1, at_column);
	}
	return n;
}

int slice_row(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    slice_json_fn *json, json_t **out, struct err *err)
{
	bool is_unreadable;
	int rc;

	json_row_begin();
	rc = json(app, a, rows, i, out, err);
	is_unreadable = json_row_end();
	if (rc == 0 && is_unreadable)
		json_set_bool(*out, "isUnreadable", true);
	return rc;
}

int slice_take(struct slice *s, struct app *app, struct arena *a, const struct db_rows *rows,
    size_t at_column, size_t id_column, slice_json_fn *json, struct err *err)
{
	size_t n = slice_fill(s, rows, at_column, id_column);

	if (s->rows == NULL)
		s->rows = json_own(a, json_array());
	for (size_t i = 0; i < n; i++) {
		json_t *o;

		if (slice_row(app, a, rows, i, json, &o, err) == -1)
			return -1;
		json_array_append(s->rows, o);
	}
	return 0;
}

/* ---- answers ------------------------------------------------------------------------------- */

const char *slice_cursor(struct req *r, const struct slice *s, const struct cursor *at)
{
	return cursor_make(r, s->scope, at);
}

int res_slice(struct req *r, const struct slice *s)
{
	const bool is_counted = s->total >= 0;
	const bool is_all_seen = !s->has_more && !s->has_cursor;
	json_t *o = json_object();

	json_set(o, "data", s->rows == NULL ? json_array() : json_incref(s->rows));
	json_set_int(o, "page", s->page);
	json_set_int(o, "limit", s->limit);
	json_set_int(o, "total",
	    is_counted ? s->total : s->offset + (int64_t)json_array_size(s->rows) + s->has_more);
	json_set_bool(o, "totalIsExact", is_counted || is_all_seen);
	json_set_str(o, "nextCursor", s->has_more ? slice_cursor(r, s, &s->last) : NULL);
	return res_json(r, 200, o);
}

int res_whole(struct req *r, json_t *rows, int64_t limit)
{
	return res_slice(r,
	    &(struct slice){
		.limit = limit, .page = 1, .rows = rows, .total = (int64_t)json_array_size(rows)});
}
