/* Conditions as rows of a form, and back. */
#include "flow/flow-condition.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/number.h"

#define CONDITION_BYTES 16384u

/* How an operator is written. */
struct condition_sign {
	const char *name, *words; /* of the form; between field and value in a sentence */
	const char *sign;
	bool is_word, takes_value, is_list;
};
static const struct condition_sign signs[] = {{"eq", "is", "==", false, true, false},
    {"ne", "is not", "!=", false, true, false}, {"gt", "is more than", ">", false, true, false},
    {"lt", "is less than", "<", false, true, false},
    {"ge", "is at least", ">=", false, true, false}, {"le", "is at most", "<=", false, true, false},
    {"contains", "contains", "contains", true, true, false},
    {"lacks", "does not contain", "not contains", true, true, false},
    {"starts", "begins with", "starts_with", true, true, false},
    {"ends", "ends with", "ends_with", true, true, false},
    {"in", "is one of", "in", true, true, true}, {"out", "is none of", "not in", true, true, true},
    {"there", "is filled in", "exists", true, false, false},
    {"empty", "is not filled in", "not exists", true, false, false}};
#define SIGNS (sizeof(signs) / sizeof(signs[0]))

const struct word condition_operators[] = {{"eq", "is"}, {"ne", "is not"}, {"gt", "is more than"},
    {"lt", "is less than"}, {"ge", "is at least"}, {"le", "is at most"}, {"contains", "contains"},
    {"lacks", "does not contain"}, {"starts", "begins with"}, {"ends", "ends with"},
    {"in", "is one of"}, {"out", "is none of"}, {"there", "is filled in"},
    {"empty", "is not filled in"}, {NULL, NULL}};

static const struct condition_sign *sign_named(struct str name)
{
	for (size_t i = 0; i < SIGNS; i++)
		if (str_is(name, signs[i].name))
			return &signs[i];
	return NULL;
}

bool condition_takes_value(struct str operator)
{
	const struct condition_sign *s = sign_named(operator);

	return s != NULL && s->takes_value;
}

/* ---- reading
 * ------------------------------------------------------------------------------------- */

static bool is_place_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-' || (c & 0x80) != 0;
}

static void skip_blanks(struct str *t)
{
	*t = str_trim(*t);
}

static struct str take(struct str *t, size_t n)
{
	struct str part = {t->p, n};

	*t = (struct str){t->p + n, t->n - n};
	skip_blanks(t);
	return part;
}

/* Names with dots, and [n] behind one. */
static struct str take_place(struct str *t)
{
	size_t i = 0;

	while (i < t->n) {
		const char *end;

		if (is_place_char(t->p[i])) {
			i++;
			continue;
		}
		if (t->p[i] != '[' || i == 0)
			break;
		end = memchr(t->p + i, ']', t->n - i);
		if (end == NULL)
			break;
		i = (size_t)(end - t->p) + 1;
	}
	return take(t, i);
}

/* "{{place", and what stands behind it within the braces: a fallback, functions. */
static bool take_template(struct str *t, struct str *place, struct str *rest)
{
	const char *end;
	struct str inner;

	if (!str_starts(*t, "{{"))
		return false;
	end = memmem(t->p, t->n, "}}", 2);
	if (end == NULL)
		return false;
	inner = str_trim((struct str){t->p + 2, (size_t)(end - t->p) - 2});
	(void)take(t, (size_t)(end - t->p) + 2);
	*place = take_place(&inner);
	*rest = inner;
	return place->n > 0;
}

/* The inside of {{…}}: a place alone. */
static bool take_braces(struct str *t, struct str *place)
{
	struct str rest;

	return take_template(t, place, &rest) && rest.n == 0;
}

static bool is_word_end(struct str t, size_t n)
{
	return t.n == n || !is_place_char(t.p[n]);
}

static bool take_word(struct str *t, const char *word)
{
	size_t n = strlen(word);

	if (t->n < n || !str_ieq((struct str){t->p, n}, str_from(word)) || !is_word_end(*t, n))
		return false;
	(void)take(t, n);
	return true;
}

/* One operator, of two words perhaps. */
static const struct condition_sign *take_sign(struct str *t)
{
	bool is_not = take_word(t, "not");

	for (size_t i = 0; i < SIGNS; i++) {
		const struct condition_sign *s = &signs[i];
		const char *word = s->sign;

		if (s->is_word && (strncmp(word, "not ", 4) == 0) != is_not)
			continue;
		word += is_not && s->is_word ? 4 : 0;
		if (s->is_word ? take_word(t, word) : false)
			return s;
		if (s->is_word || is_not || !str_starts(*t, word))
			continue;
		if (strlen(word) == 1 && t->n > 1 && t->p[1] == '=')
			continue; /* ">" of ">=" */
		(void)take(t, strlen(word));
		return s;
	}
	return NULL;
}

/* A literal or {{a place}}, as a form's value. */
static bool take_value(struct arena *a, struct str *t, struct str *out)
{
	struct str place;

	if (t->n > 0 && (*t->p == '\'' || *t->p == '"')) {
		const char *end = memchr(t->p + 1, *t->p, t->n - 1);

		if (end == NULL)
			return false;
		*out = (struct str){t->p + 1, (size_t)(end - t->p) - 1};
		(void)take(t, (size_t)(end - t->p) + 1);
		return true;
	}
	if (take_braces(t, &place)) {
		*out = str_from(arena_printf(a, "{{%.*s}}", (int)place.n, place.p));
		return true;
	}
	*out = take_place(t);
	return number_is(*out) || str_is(*out, "true") || str_is(*out, "false");
}

static bool take_list(struct arena *a, struct str *t, struct str *out)
{
	struct buf *b = buf_new(a, CONDITION_BYTES);
	struct str one;

	if (t->n == 0 || *t->p != '[')
		return false;
	(void)take(t, 1);
	while (t->n > 0 && *t->p != ']') {
		if (!take_value(a, t, &one) || memchr(one.p, ',', one.n) != NULL)
			return false;
		buf_printf(b, "%s%.*s", b->len > 0 ? ", " : "", (int)one.n, one.p);
		if (t->n > 0 && *t->p == ',')
			(void)take(t, 1);
		else if (t->n == 0 || *t->p != ']')
			return false;
	}
	if (t->n == 0)
		return false;
	(void)take(t, 1);
	*out = (struct str){b->p, b->len};
	return buf_ok(b);
}

static bool take_row(struct arena *a, struct str *t, struct condition_row *row)
{
	const struct condition_sign *s;

	if (!take_braces(t, &row->field))
		row->field = take_place(t);
	if (row->field.n == 0 || number_is(row->field))
		return false;
	s = take_sign(t);
	if (s == NULL)
		return false;
	row->operator= str_from(s->name);
	row->value = STR("");
	return !s->takes_value ||
	       (s->is_list ? take_list(a, t, &row->value) : take_value(a, t, &row->value));
}

bool condition_read(struct arena *a, struct str text, struct condition *out)
{
	bool is_and = false, is_or = false;

	*out = (struct condition){.rows = arena_array(a, CONDITION_ROWS_MOST, sizeof(*out->rows))};
	text = str_trim(text);
	while (text.n > 0) {
		if (out->n == CONDITION_ROWS_MOST || !take_row(a, &text, &out->rows[out->n++]))
			return false;
		if (text.n == 0)
			break;
		if (take_word(&text, "and"))
			is_and = true;
		else if (take_word(&text, "or"))
			is_or = true;
		else
			return false;
		if (text.n == 0 || (is_and && is_or))
			return false;
	}
	out->is_any = is_or;
	return true;
}

/* ---- writing
 * ------------------------------------------------------------------------------------- */

/* A number as it is computed with: "0151" is a text. */
static bool is_plain_number(struct str v)
{
	struct str digits = v.n > 0 && *v.p == '-' ? (struct str){v.p + 1, v.n - 1} : v;

	return number_is(v) && (digits.n == 1 || digits.p[0] != '0' || digits.p[1] == '.');
}

static bool write_value(struct buf *b, struct str v)
{
	bool has_quote = memchr(v.p, '\'', v.n) != NULL;
	char quote = has_quote ? '"' : '\'';

	if (is_plain_number(v) || (str_starts(v, "{{") && str_ends(v, "}}"))) {
		buf_add(b, v.p, v.n);
		return true;
	}
	if (has_quote && memchr(v.p, '"', v.n) != NULL)
		return false;
	buf_chr(b, quote);
	buf_add(b, v.p, v.n);
	buf_chr(b, quote);
	return true;
}

static bool write_list(struct buf *b, struct str v)
{
	bool is_ok = true, is_first = true;
	struct str one;

	buf_chr(b, '[');
	while (str_split(&v, ',', &one)) {
		one = utf8_trim(one);
		if (one.n == 0)
			continue;
		if (!is_first)
			buf_str(b, ", ");
		is_first = false;
		is_ok = write_value(b, one) && is_ok;
	}
	buf_chr(b, ']');
	return is_ok && !is_first;
}

static const char *write_row(struct buf *b, const struct condition_row *row)
{
	const struct condition_sign *s = sign_named(row->operator);
	struct str rest = row->field, place = take_place(&rest);

	if (rest.n > 0 || place.n == 0)
		return "is no field: choose one from the list";
	if (s == NULL)
		return "needs a comparison";
	buf_printf(b, "%.*s %s", (int)place.n, place.p, s->sign);
	if (!s->takes_value)
		return NULL;
	buf_chr(b, ' ');
	if (row->value.n == 0 && s->is_list)
		return "needs at least one value";
	if (!(s->is_list ? write_list(b, row->value) : write_value(b, row->value)))
		return "may not have both kinds of quotes in its value";
	return NULL;
}

struct str condition_write(
    struct arena *a, const struct condition *c, size_t *row, const char **why)
{
	struct buf *b = buf_new(a, CONDITION_BYTES);

	for (size_t i = 0; i < c->n; i++) {
		if (c->rows[i].field.n == 0)
			continue;
		if (b->len > 0)
			buf_str(b, c->is_any ? " or " : " and ");
		*row = i;
		*why = write_row(b, &c->rows[i]);
		if (*why != NULL)
			return (struct str){NULL, 0};
	}
	return buf_ok(b) && b->len > 0 ? (struct str){b->p, b->len} : STR("");
}

bool condition_equal(const struct condition *x, const struct condition *y)
{
	if (x->n != y->n || (x->n > 1 && x->is_any != y->is_any))
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (!str_eq(x->rows[i].field, y->rows[i].field) ||
		    !str_eq(x->rows[i].operator, y->rows[i].operator) ||
		    !str_eq(x->rows[i].value, y->rows[i].value))
			return false;
	return true;
}

/* ---- words
 * --------------------------------------------------------------------------------------- */

static struct str last_name(struct str place)
{
	const char *dot = place.n == 0 ? NULL : memrchr(place.p, '.', place.n);

	return dot == NULL || dot + 1 == place.p + place.n
		   ? place
		   : (struct str){dot + 1, (size_t)(place.p + place.n - dot) - 1};
}

const char *place_words(struct arena *a, struct str place)
{
	struct str name = last_name(place);
	struct buf *b = buf_new(a, CONDITION_BYTES);

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool is_upper = c >= 'A' && c <= 'Z';
		bool was_lower = i > 0 && name.p[i - 1] >= 'a' && name.p[i - 1] <= 'z';

		if (is_upper && was_lower)
			buf_chr(b, ' ');
		buf_chr(b, c == '_' || c == '-' ? ' ' : is_upper && was_lower ? (char)(c + 32) : c);
	}
	return buf_ok(b) && b->len > 0 ? b->p : "";
}

/* What a template is about is its first place, whatever stands in for it or is made of it. */
static bool is_value_of(struct str behind)
{
	behind = str_trim(behind);
	return behind.n == 0 || str_starts(behind, "||") || str_starts(behind, ":");
}

const char *template_words(struct arena *a, struct str text, size_t most)
{
	struct buf *b = buf_new(a, 2 * CONDITION_BYTES);
	struct str cut;

	while (text.n > 0 && b->len < most + 4) {
		struct str place, more, behind = text;

		if (take_template(&behind, &place, &more) && is_value_of(more)) {
			/* what is behind it begins with its own blanks */
			const char *end = memmem(text.p, text.n, "}}", 2);

			buf_printf(b, "[%s]", place_words(a, place));
			text = (struct str){end + 2, text.n - (size_t)(end + 2 - text.p)};
			continue;
		}
		buf_chr(b, *text.p == '\n' || *text.p == '\t' ? ' ' : *text.p);
		text = (struct str){text.p + 1, text.n - 1};
	}
	if (!buf_ok(b) || b->len == 0)
		return "";
	cut = utf8_cut((struct str){b->p, b->len}, most);
	return cut.n == b->len && text.n == 0 ? b->p : arena_printf(a, "%.*s…", (int)cut.n, cut.p);
}

const char *condition_words(struct arena *a, struct str text)
{
	struct buf *b = buf_new(a, CONDITION_BYTES);
	struct condition c;

	if (!condition_read(a, text, &c) || c.n == 0)
		return template_words(a, text, 200);
	for (size_t i = 0; i < c.n; i++) {
		const struct condition_row *row = &c.rows[i];
		const struct condition_sign *sign = sign_named(row->operator);

		buf_printf(b, "%s%s %s",
		    i == 0     ? ""
		    : c.is_any ? " or "
			       : " and ",
		    place_words(a, row->field), sign == NULL ? "" : sign->words);
		if (condition_takes_value(row->operator))
			buf_printf(b, " %s", template_words(a, row->value, 80));
	}
	return buf_ok(b) ? b->p : "";
}
