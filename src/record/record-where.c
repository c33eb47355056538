/* Conditions on a field: how they are written, and whether a payload meets them.
 *
 *   filter[address.city]=Paris       one of the values there is Paris; true, false and null are
 *                                    also the values of these names
 *   filter[notes][contains]=café     one has that in it, whatever its case and accents
 *   filter[amount][gt]=100           one is a number above it
 *   filter[start][lt]=2026-03-01     one is a time before that day
 *   filter[email][empty]=true        there is nothing, or nothing but blanks
 *
 * "[" and "]" stand in brackets of their own in a path, so what follows "][" is no path. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "record/record-internal.h"

static const struct where_op {
	const char *op, *of_number,
	    *of_other; /* in words, where they stand between name and value */
} where_ops[] = {{RECORD_WHERE_IS, "is", "is"}, {RECORD_WHERE_CONTAINS, "contains", "contains"},
    {RECORD_WHERE_MORE, "is more than", "is after"},
    {RECORD_WHERE_LESS, "is less than", "is before"}, {RECORD_WHERE_EMPTY, NULL, NULL}};

static const struct where_op *where_op_find(struct str op)
{
	for (size_t i = 0; i < sizeof(where_ops) / sizeof(where_ops[0]); i++)
		if (str_is(op, where_ops[i].op))
			return &where_ops[i];
	return NULL;
}

static bool where_is(const struct record_where *w, const char *op)
{
	return strcmp(w->op, op) == 0;
}

/* A day by itself is all of it: from its beginning until the next. */
struct where_time {
	int64_t from_us, until_us;
};

static bool time_read(struct str s, struct where_time *out)
{
	if (!clock_parse_iso(s, &out->from_us))
		return false;
	out->until_us = out->from_us + (s.n == sizeof("2026-03-01") - 1 ? DAY_US : 1);
	return true;
}

/* ---- writing and reading ------------------------------------------------------------------- */

struct str record_where_name(struct arena *a, const struct record_where *w)
{
	return str_from(where_is(w, RECORD_WHERE_IS)
			    ? arena_printf(a, "filter[%s]", path_text(w->path))
			    : arena_printf(a, "filter[%s][%s]", path_text(w->path), w->op));
}

const char *record_where_words(const struct record_where *w)
{
	const struct where_op *op = where_op_find(str_from(w->op));

	if (where_is(w, RECORD_WHERE_EMPTY))
		return str_is(w->value, "true") ? "is empty" : "is not empty";
	return number_is(w->value) ? op->of_number : op->of_other;
}

void record_where_split(struct str inner, struct str *path, struct str *op)
{
	*path = inner;
	*op = STR(RECORD_WHERE_IS);
	for (size_t i = inner.n; i-- > 1;) {
		if (inner.p[i] != '[' || inner.p[i - 1] != ']' || i + 1 == inner.n ||
		    memchr(inner.p + i, ']', inner.n - i) != NULL)
			continue;
		*path = (struct str){inner.p, i - 1};
		*op = (struct str){inner.p + i + 1, inner.n - i - 1};
		return;
	}
}

/* What is wrong with the condition's value; NULL: nothing. */
static const char *value_wrong(const struct record_where *w)
{
	struct where_time ignored;

	if (where_is(w, RECORD_WHERE_CONTAINS) && utf8_trim(w->value).n == 0)
		return "needs what is to be contained";
	if (where_is(w, RECORD_WHERE_EMPTY) && !str_is(w->value, "true") &&
	    !str_is(w->value, "false"))
		return "must be true or false";
	if ((where_is(w, RECORD_WHERE_MORE) || where_is(w, RECORD_WHERE_LESS)) &&
	    !number_is(w->value) && !time_read(w->value, &ignored))
		return "must be a number such as 12.5, or a date such as 2026-03-01";
	return NULL;
}

/* Names what is at fault as it was written. */
static int where_fail(struct err *err, struct str path, struct str op)
{
	if (err == NULL)
		return -1;
	if (str_is(op, RECORD_WHERE_IS))
		snprintf(err->field, sizeof(err->field), "filter[%.*s]",
		    path.n > 50 ? 50 : (int)path.n, path.p);
	else
		snprintf(err->field, sizeof(err->field), "filter[%.*s][%.*s]",
		    path.n > 40 ? 40 : (int)path.n, path.p, op.n > 10 ? 10 : (int)op.n, op.p);
	return -1;
}

int record_where_read(struct arena *a, struct str path, struct str op, struct str value,
    struct record_where *out, struct err *err)
{
	const struct where_op *known = where_op_find(op);
	const char *wrong;

	if (known == NULL) {
		err_set(err, ERR_INVALID,
		    "may ask for contains, gt, lt or empty; without any, for a value");
		return where_fail(err, path, op);
	}
	if (path.n == 0)
		err_set(err, ERR_INVALID, "path: is empty");
	if (path.n == 0 || (out->path = path_compile(a, path, err)) == NULL)
		return where_fail(err, path, op);
	out->op = known->op;
	out->value = value;
	if ((wrong = value_wrong(out)) != NULL) {
		err_set(err, ERR_INVALID, "%s", wrong);
		return where_fail(err, path, op);
	}
	return 0;
}

/* A plain value, beside other conditions on its path {"is":value}. */
static void where_set(json_t *o, const struct record_where *w)
{
	const char *path = path_text(w->path);
	json_t *of = json_object_get(o, path), *both;

	if (of == NULL && where_is(w, RECORD_WHERE_IS)) {
		json_set_strn(o, path, w->value);
		return;
	}
	if (!json_is_object(of)) {
		both = json_object();
		if (of != NULL)
			json_set(both, RECORD_WHERE_IS, json_incref(of));
		json_set(o, path, both);
		of = both;
	}
	json_set_strn(of, w->op, w->value);
}

json_t *record_where_json(const struct record_filter *f)
{
	json_t *o = json_object();

	for (size_t i = 0; i < f->nwhere; i++)
		where_set(o, &f->where[i]);
	return o;
}

/* ---- payloads ------------------------------------------------------------------------------ */

struct where_value {
	struct arena *a;
	const struct record_where *w;
	const char *folded;      /* what is to be contained */
	bool is_number, is_time; /* what is compared with */
	struct where_time time;
};

static bool text_is_wanted(const json_t *v, struct str text, struct str wanted)
{
	if (json_is_number(v) && number_is(wanted))
		return number_equals(text, wanted);
	return str_eq(text, wanted);
}

static bool text_contains(const struct where_value *x, struct str text)
{
	const char *folded = utf8_fold(x->a, text);

	return folded != NULL && x->folded != NULL && strstr(folded, x->folded) != NULL;
}

/* Texts that are numbers count as such: many files have no other. */
static bool text_compares(const struct where_value *x, struct str text)
{
	const bool is_more = where_is(x->w, RECORD_WHERE_MORE);
	int64_t at_us;

	text = utf8_trim(text);
	if (x->is_number) {
		const int order = number_is(text) ? number_compare(text, x->w->value) : 0;

		return is_more ? order > 0 : order < 0;
	}
	if (!x->is_time || number_is(text) || !clock_parse_text(text, &at_us))
		return false;
	return is_more ? at_us >= x->time.until_us : at_us < x->time.from_us;
}

static bool value_fits(const struct where_value *x, const json_t *v)
{
	const char *text = json_scalar_text(x->a, v);

	for (size_t i = 0; i < json_array_size(v); i++)
		if (value_fits(x, json_array_get(v, i)))
			return true;
	if (json_is_null(v))
		return where_is(x->w, RECORD_WHERE_IS) && str_is(x->w->value, "null");
	if (text == NULL)
		return false;
	if (where_is(x->w, RECORD_WHERE_IS))
		return text_is_wanted(v, str_from(text), x->w->value);
	if (where_is(x->w, RECORD_WHERE_CONTAINS))
		return text_contains(x, str_from(text));
	return text_compares(x, str_from(text));
}

static int value_is_wanted(void *arg, json_t *value)
{
	return value_fits(arg, value);
}

static bool value_is_empty(const json_t *v)
{
	if (json_is_string(v))
		return utf8_trim((struct str){json_string_value(v), json_string_length(v)}).n == 0;
	for (size_t i = 0; i < json_array_size(v); i++)
		if (!value_is_empty(json_array_get(v, i)))
			return false;
	return json_is_null(v) || json_is_array(v) ||
	       (json_is_object(v) && json_object_size(v) == 0);
}

static int value_is_there(void *arg, json_t *value)
{
	(void)arg;
	return !value_is_empty(value);
}

static bool where_fits(struct arena *a, const struct record_where *w, const json_t *data)
{
	struct where_value x = {.a = a, .w = w};

	if (where_is(w, RECORD_WHERE_EMPTY))
		return (path_each(w->path, data, value_is_there, NULL) == 0) ==
		       str_is(w->value, "true");
	if (where_is(w, RECORD_WHERE_CONTAINS))
		x.folded = utf8_fold(a, utf8_trim(w->value));
	x.is_number = number_is(w->value);
	x.is_time = time_read(w->value, &x.time);
	return path_each(w->path, data, value_is_wanted, &x) != 0;
}

bool record_where_fits_json(struct arena *a, const struct record_filter *f, const json_t *data)
{
	for (size_t i = 0; i < f->nwhere; i++)
		if (!where_fits(a, &f->where[i], data))
			return false;
	return true;
}

/* Of the payload what the condition looks at: the member at which its path begins, alone, since
 * parsing a long payload costs more than all else of a search. NULL: it is no JSON. */
static json_t *where_part(struct arena *a, const struct record_where *w, struct str data)
{
	const char *key = path_steps(w->path) == 0 ? NULL : path_step_key(w->path, 0);
	struct err ignored = ERR_INIT;
	struct str text = {NULL, 0};
	int found = key == NULL ? -1 : json_member_text(a, data, key, &text);
	json_t *part, *member;

	if (found == -1)
		return json_parse_stored(a, data, &ignored);
	part = json_own(a, json_object());
	if (found == 0)
		return part;
	member = json_parse_stored(a, text, &ignored);
	if (member == NULL)
		return NULL;
	json_set(part, key, json_incref(member));
	return part;
}

bool record_where_fits(struct arena *a, const struct record_filter *f, struct str data)
{
	for (size_t i = 0; i < f->nwhere; i++) {
		json_t *part = where_part(a, &f->where[i], data);

		if (part == NULL || !where_fits(a, &f->where[i], part))
			return false;
	}
	return true;
}
