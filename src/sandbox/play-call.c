/* What a handler of a played provider reads and writes: arguments, rows, pages of lists. */
#include <stdlib.h>

#include "crypto/random.h"
#include "sandbox/play.h"

/* ---- what came ---------------------------------------------------------------------------- */

struct str play_param(const struct play_call *c, const char *name)
{
	return http_pairs_get(&c->params, name);
}

struct str play_arg(const struct play_call *c, const char *name)
{
	struct str value = req_query(c->r, name);

	if (value.p == NULL)
		value = http_pairs_get(&c->form, name);
	if (value.p == NULL)
		value = str_from(json_scalar_text(c->a, json_object_get(c->body, name)));
	return value;
}

const char *play_text(const struct play_call *c, const char *name)
{
	const struct str value = play_arg(c, name);

	return value.n > 0 ? arena_strndup(c->a, value.p, value.n) : NULL;
}

int64_t play_number(const struct play_call *c, const char *name, int64_t otherwise, int64_t most)
{
	int64_t n;

	if (!str_to_i64(play_arg(c, name), 1, INT64_MAX, &n))
		return otherwise;
	return n < most ? n : most;
}

const char *play_header(const struct play_call *c, const char *lower_name)
{
	const struct str value = req_header(c->r, lower_name);

	return value.p != NULL ? arena_strndup(c->a, value.p, value.n) : NULL;
}

/* What follows that word of the Authorization header. */
static struct str authorization(const struct play_call *c, struct str scheme)
{
	const struct str header = req_header(c->r, "authorization");

	if (header.n <= scheme.n || !str_ieq((struct str){header.p, scheme.n}, scheme))
		return (struct str){NULL, 0};
	return str_trim((struct str){header.p + scheme.n, header.n - scheme.n});
}

struct str play_bearer_token(const struct play_call *c)
{
	return authorization(c, STR("bearer "));
}

struct str play_basic_pair(const struct play_call *c)
{
	const struct str coded = authorization(c, STR("basic "));
	char *pair = arena_alloc(c->a, coded.n + 1);
	const long n = coded.p != NULL ? base64_decode(pair, coded.n + 1, coded) : -1;

	return n > 0 ? (struct str){pair, (size_t)n} : (struct str){NULL, 0};
}

/* ---- what is there ------------------------------------------------------------------------ */

static struct store_kind kind_of(const struct play_call *c, const char *kind)
{
	return (struct store_kind){c->play->name, kind};
}

json_t *play_get(const struct play_call *c, const char *kind, struct str id)
{
	json_t *row = store_get(c->s->store, kind_of(c, kind), id);

	return row != NULL ? json_own(c->a, json_incref(row)) : NULL;
}

json_t *play_put(struct play_call *c, const char *kind, const char *id, json_t *row)
{
	json_own(c->a, row);
	(void)store_put(c->s->store, kind_of(c, kind), id, json_incref(row), &c->err);
	return row;
}

void play_drop(struct play_call *c, const char *kind, struct str id)
{
	if (play_get(c, kind, id) != NULL)
		(void)store_put(
		    c->s->store, kind_of(c, kind), arena_strndup(c->a, id.p, id.n), NULL, &c->err);
}

json_t *play_rows(struct play_call *c, const char *kind, play_filter *passes, const void *arg)
{
	const size_t places = store_places(c->s->store, kind_of(c, kind));
	json_t *rows = json_own(c->a, json_array());

	for (size_t i = 0; i < places; i++) {
		json_t *row = store_at(c->s->store, kind_of(c, kind), i, NULL);

		if (row != NULL && (passes == NULL || passes(c, row, arg)))
			json_array_append(rows, row);
	}
	return rows;
}

static json_t *row_by(
    const struct play_call *c, const char *kind, const struct store_by *by, struct str is)
{
	json_t *row = store_find(c->s->store, kind_of(c, kind), by, is);

	return row != NULL ? json_own(c->a, json_incref(row)) : NULL;
}

json_t *play_row_by(const struct play_call *c, const char *kind, const char *member, struct str is)
{
	const struct store_by by = {.member = member};

	return row_by(c, kind, &by, is);
}

json_t *play_row_within(const struct play_call *c, const char *kind, const char *within,
    const char *member, struct str is)
{
	const struct store_by by = {within, member, true};

	return row_by(c, kind, &by, is);
}

bool play_email_is_taken(const char *email)
{
	return strchr(email, '@') != NULL && !str_ends(str_from(email), ".invalid");
}

struct sorted {
	json_t *row;
	const char *text; /* NULL: a number */
	int64_t number;
	size_t place;
};

static int sorted_compare(const void *x, const void *y)
{
	const struct sorted *a = x, *b = y;
	int order = 0;

	if (a->text != NULL && b->text != NULL)
		order = strcmp(a->text, b->text);
	else if (a->number != b->number)
		order = a->number < b->number ? -1 : 1;
	return order != 0 ? order : a->place < b->place ? -1 : a->place > b->place;
}

void play_sort(struct play_call *c, json_t *rows, const char *member, bool is_descending)
{
	const size_t n = json_array_size(rows);
	struct sorted *list = arena_array(c->a, n + 1, sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		const char *text;

		list[i].row = json_incref(json_array_get(rows, i));
		list[i].place = i;
		text = json_scalar_text(c->a, json_object_get(list[i].row, member));
		if (!str_to_i64(str_from(text), INT64_MIN, INT64_MAX, &list[i].number))
			list[i].text = text != NULL ? text : "";
	}
	qsort(list, n, sizeof(*list), sorted_compare);
	for (size_t i = 0; i < n; i++)
		json_array_set_new(rows, is_descending ? n - 1 - i : i, list[i].row);
}

int64_t play_next_number(struct play_call *c, int64_t from)
{
	const json_t *last = play_get(c, "sequence", STR("number"));
	int64_t n = json_int(last, "n");

	n = n < from ? from + 1 : n + 1;
	(void)play_put(c, "sequence", "number", json_pack("{s:I}", "n", (json_int_t)n));
	return n;
}

const char *play_random(struct play_call *c, const char *prefix, size_t n)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	const size_t head = strlen(prefix);
	char *text = arena_alloc(c->a, head + n + 1);

	memcpy(text, prefix, head);
	for (size_t i = head; i < head + n; i++)
		text[i] = letters[random_below(sizeof(letters) - 1)];
	text[head + n] = '\0';
	return text;
}

/* ---- pages of lists ----------------------------------------------------------------------- */

struct play_page play_page(struct play_call *c, json_t *rows, int64_t start, int64_t limit)
{
	const int64_t total = (int64_t)json_array_size(rows),
		      most = play_switch_number(c, "page_size", limit);
	struct play_page page = {.items = json_array()};
	int64_t end;

	start = start < 0 ? 0 : start > total ? total : start;
	limit = most < limit ? most : limit;
	end = limit < total - start ? start + limit : total;
	for (int64_t i = start; i < end; i++)
		json_array_append(page.items, json_array_get(rows, (size_t)i));
	if (end < total)
		page.next = play_is(c, "repeat_cursor") && start > 0 ? start : end;
	return page;
}

static const char cursor_mark[] = "place-";

const char *play_cursor(const struct play_call *c, int64_t place)
{
	const char *text = arena_printf(c->a, "%s%lld", cursor_mark, (long long)place);
	struct buf *b = buf_new(c->a, 64);

	base64url_encode(b, text, strlen(text));
	return b->p;
}

int64_t play_cursor_place(struct str cursor)
{
	const size_t mark = sizeof(cursor_mark) - 1;
	char text[64];
	const long n = base64url_decode(text, sizeof(text), cursor);
	int64_t place;

	if (n <= (long)mark || memcmp(text, cursor_mark, mark) != 0 ||
	    !str_to_i64((struct str){text + mark, (size_t)n - mark}, 1, INT64_MAX, &place))
		return -1;
	return place;
}

const char *play_link(const struct play_call *c, const char *path)
{
	if (c->host.n > 0)
		return arena_printf(c->a, "https://%.*s%s", (int)c->host.n, c->host.p, path);
	return arena_printf(c->a, "%s/%s%s", req_base_url(c->r), c->play->name, path);
}

/* ---- answers ------------------------------------------------------------------------------ */

int play_json(struct play_call *c, int status, json_t *value)
{
	return res_json(c->r, status, value);
}

int play_refuse(struct play_call *c, enum refusal why, const char *text)
{
	return c->play->refuse(c, why, text);
}
