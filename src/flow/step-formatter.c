/* formatter: one value in, one out; a row for each operation. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "crypto/hash.h"
#include "expr/expr-transforms.h"
#include "flow/flow-internal.h"

/* Gives a new reference, NULL for null. text is the value's, {NULL,0} of lists and objects. */
typedef json_t *format_fn(struct step_call *c, json_t *v, struct str text, struct err *err);

static json_t *fail(struct err *err, const char *what)
{
	err_set(err, ERR_INVALID, "%s", what);
	return NULL;
}

static json_t *json_of(struct str text)
{
	return json_stringn(text.p, text.n);
}

static struct str option(const struct step_call *c, const char *field, const char *otherwise)
{
	const char *text = step_text(c, field);

	return str_from(text != NULL ? text : otherwise);
}

/* Texts within lists too, one by one. */
static json_t *format_each(struct step_call *c, json_t *v, struct str text,
    struct str (*change)(struct arena *a, struct str text))
{
	json_t *out, *item;
	size_t i;

	if (!json_is_array(v))
		return text.p == NULL ? json_incref(v) : json_of(change(c->a, text));
	out = json_array();
	json_array_each(v, i, item) {
		struct str one = str_from(json_scalar_text(c->a, item));

		json_array_append_new(
		    out, one.p == NULL ? json_incref(item) : json_of(change(c->a, one)));
	}
	return out;
}

static struct str text_upper(struct arena *a, struct str text)
{
	return utf8_upper(a, text);
}

static struct str text_trim(struct arena *a, struct str text)
{
	(void)a;
	return utf8_trim(text);
}

static json_t *format_identity(struct step_call *c, json_t *v, struct str text, struct err *err)
{
	(void)c;
	(void)text;
	(void)err;
	return json_incref(v);
}

static json_t *format_uppercase(struct step_call *c, json_t *v, struct str text, struct err *err)
{
	(void)err;
	return format_each(c, v, text, text_upper);
}

static json_t *format_lowercase(struct step_call *c, json_t *v, struct str text, struct err *err)
{
	(void)err;
	return format_each(c, v, text, utf8_lower);
}

static json_t *format_trim(struct step_call *c, json_t *v, struct str text, struct err *err)
{
	(void)err;
	return format_each(c, v, text, text_trim);
}

/* ---- numbers and dates --------------------------------------------------------------------- */

static json_t *format_to_number(struct step_call *c, json_t *v, struct str text, struct err *err)
{
	json_t *number;

	if (json_is_number(v))
		return json_incref(v);
	if (json_is_boolean(v))
		return json_integer(json_is_true(v));
	if (text.p == NULL)
		return fail(err, "a list or an object is no number");
	number = expr_number_read(c->a, text);
	if (number != NULL)
		return json_incref(number);
	err_set(err, ERR_INVALID, "\"%.100s\" is no number", text.p);
	return NULL;
}

/* "2h", "P1D", "-P7D"; nothing is none. */
static bool date_add_read(struct str add, int64_t *out)
{
	bool is_back = add.n > 0 && add.p[0] == '-';

	*out = 0;
	if (add.n == 0)
		return true;
	if (!clock_parse_duration((struct str){add.p + is_back, add.n - is_back}, out))
		return false;
	*out = is_back ? -*out : *out;
	return true;
}

static json_t *format_date(struct step_call *c, json_t *v, struct str text, struct err *err)
{
	struct str pattern = option(c, "format", "iso"), zone = option(c, "timeZone", "UTC");
	int64_t at_us, add_us;
	bool is_day;
	json_t *out;

	(void)v;
	if (text.p == NULL || !expr_date_read(c->a, text, &at_us, &is_day)) {
		err_set(err, ERR_INVALID, "\"%.100s\" is no date",
		    text.p != NULL ? text.p : "a list or an object");
		return NULL;
	}
	if (!date_add_read(option(c, "add", ""), &add_us))
		return fail(err, "\"add\" is no duration such as 2h or P1D");
	if (!zone_is_known(zone))
		return fail(err, "\"timeZone\" is no time zone such as Europe/Berlin");
	if (str_is(pattern, "date"))
		pattern = STR("YYYY-MM-DD");
	out = expr_date_write(
	    c->a, pattern, zone_find(zone), at_us + add_us, is_day && add_us % DAY_US == 0);
	return out != NULL ? json_incref(out) : fail(err, "the format is too long");
}

/* ---- texts and lists ----------------------------------------------------------------------- */

static json_t *format_split(struct step_call *c, json_t *v, struct str text, struct err *err)
{
	struct str by = option(c, "separator", ",");
	json_t *out;

	if (text.p == NULL)
		return json_is_array(v) ? json_incref(v) : fail(err, "only a text can be split");
	out = json_array();
	for (;;) {
		const char *at = by.n == 0 ? NULL : memmem(text.p, text.n, by.p, by.n);
		size_t n = at == NULL ? text.n : (size_t)(at - text.p);

		json_array_append_new(out, json_of(utf8_trim((struct str){text.p, n})));
		if (at == NULL)
			return out;
		text = (struct str){at + by.n, text.n - n - by.n};
	}
}

static json_t *format_join(struct step_call *c, json_t *v, struct str text, struct err *err)
{
	struct str by = option(c, "separator", ", ");
	struct buf *b = buf_new(c->a, LIMIT_RECORD_BYTES);
	json_t *item;
	size_t i;

	if (!json_is_array(v))
		return text.p != NULL ? json_of(text) : fail(err, "only a list can be joined");
	json_array_each(v, i, item) {
		const char *one = json_scalar_text(c->a, item);

		if (one == NULL && !json_is_null(item))
			one = json_text(c->a, item).p;
		if (i > 0)
			buf_add(b, by.p, by.n);
		if (one != NULL)
			buf_str(b, one);
	}
	return buf_ok(b) ? json_of((struct str){b->p, b->len}) : fail(err, "the text is too long");
}

static json_t *format_replace(struct step_call *c, json_t *v, struct str text, struct err *err)
{
	struct str find = option(c, "find", ""), with = option(c, "with", "");
	struct buf *b = buf_new(c->a, LIMIT_RECORD_BYTES);
	const char *at;

	(void)v;
	if (text.p == NULL)
		return fail(err, "only within a text can be replaced");
	while (find.n > 0 && (at = memmem(text.p, text.n, find.p, find.n)) != NULL) {
		buf_add(b, text.p, (size_t)(at - text.p));
		buf_add(b, with.p, with.n);
		text = (struct str){at + find.n, text.n - (size_t)(at - text.p) - find.n};
	}
	buf_add(b, text.p, text.n);
	return buf_ok(b) ? json_of((struct str){b->p, b->len}) : fail(err, "the text is too long");
}

static json_t *format_default(struct step_call *c, json_t *v, struct str text, struct err *err)
{
	bool is_empty = json_is_null(v) || (json_is_string(v) && utf8_trim(text).n == 0);

	(void)err;
	return json_incref(is_empty ? step_input(c, "fallback") : v);
}

/* A text becomes what it says as JSON, all else its text as JSON. */
static json_t *format_json(struct step_call *c, json_t *v, struct str text, struct err *err)
{
	json_t *parsed;

	if (!json_is_string(v))
		return json_of(json_text(c->a, v));
	parsed = json_parse(c->a, text, err);
	return parsed == NULL ? NULL : json_incref(parsed);
}

static json_t *format_hash(struct step_call *c, json_t *v, struct str text, struct err *err)
{
	unsigned char digest[HASH_SIZE_MAX];
	enum hash_alg alg = HASH_SHA256;
	struct buf *b = buf_new(c->a, 2 * HASH_SIZE_MAX + 1);

	if (text.p == NULL)
		text = json_text(c->a, v);
	if (!hash_by_name(option(c, "algorithm", "sha256"), &alg))
		return fail(err, "\"algorithm\" must be sha1, sha256 or sha512");
	hash_parts(alg, &text, 1, digest);
	hex_encode(b, digest, hash_size(alg));
	return json_of((struct str){b->p, b->len});
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	format_fn *format;
	bool takes_null; /* else null stays null */
} formats[] = {{"identity", format_identity, true}, {"uppercase", format_uppercase, false},
    {"lowercase", format_lowercase, false}, {"trim", format_trim, false},
    {"to_number", format_to_number, false}, {"date", format_date, false},
    {"split", format_split, false}, {"join", format_join, false},
    {"replace", format_replace, false}, {"default", format_default, true},
    {"json", format_json, true}, {"hash", format_hash, false}};

static const char *const format_names[] = {"identity", "uppercase", "lowercase", "trim",
    "to_number", "date", "split", "join", "replace", "default", "json", "hash", NULL};

static int formatter_run(struct step_call *c, struct err *err)
{
	struct str name = str_from(json_string_value(step_given(c->step, "operation")));
	json_t *v = json_object_get(c->input, "value"), *out = NULL;

	if (v == NULL)
		v = json_null();
	c->is_refused = true;
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (str_is(name, formats[i].name) && (formats[i].takes_null || !json_is_null(v)))
			out = formats[i].format(c, v, str_from(json_scalar_text(c->a, v)), err);
	if (out == NULL && err->code != ERR_NONE)
		return -1;
	c->output = json_own(c->a, json_object());
	json_set(c->output, "value", out);
	return 0;
}

static const char *formatter_constant(struct step_check *c, const char *field)
{
	return step_constant(c->a, c->step, field);
}

static void formatter_check_date(struct step_check *c)
{
	const char *format = formatter_constant(c, "format"), *add = formatter_constant(c, "add"),
		   *zone = formatter_constant(c, "timeZone");
	int64_t ignored;

	if (format != NULL && strcmp(format, "date") != 0 && !expr_date_has_parts(str_from(format)))
		step_complain(c, "format",
		    "must be iso, date, unix, unixMs, or have a part such as YYYY, MM, DD or HH");
	if (add != NULL && !date_add_read(str_from(add), &ignored))
		step_complain(c, "add", "is no duration, such as 2h, P1D or -P7D");
	if (zone != NULL && !zone_is_known(str_from(zone)))
		step_complain(c, "timeZone", "is no time zone, such as Europe/Berlin");
}

/* What stands there without a template is known already. */
static int formatter_check(struct step_check *c, struct err *err)
{
	const char *operation = json_string_value(step_given(c->step, "operation")),
		   *algorithm = formatter_constant(c, "algorithm");
	enum hash_alg ignored;

	(void)err;
	if (operation != NULL && strcmp(operation, "date") == 0)
		formatter_check_date(c);
	if (operation != NULL && strcmp(operation, "hash") == 0 && algorithm != NULL &&
	    !hash_by_name(str_from(algorithm), &ignored))
		step_complain(c, "algorithm", "must be sha1, sha256 or sha512");
	return 0;
}

const struct step_kind step_formatter = {.name = "formatter",
    .label = "Formatter",
    .help = "Makes one value of another: upper case, a number, a date, a part of a text.",
    .how = STEP_LOCAL,
    .fields =
	(const struct step_field[]){
	    {"operation", STEP_CHOICE, STEP_NEEDED, "What to do", NULL, 0, 0, format_names},
	    {"value", STEP_VALUE, STEP_INPUT, "Value", "Such as {{trigger.name}}", 0, 0, NULL},
	    {"format", STEP_STRING, STEP_INPUT, "Format",
		"date: iso, date, unix, unixMs, or such as DD.MM.YYYY HH:mm", 0, 0, NULL},
	    {"timeZone", STEP_STRING, STEP_INPUT, "Time zone", "date: such as Europe/Berlin", 0, 0,
		NULL},
	    {"add", STEP_STRING, STEP_INPUT, "Add", "date: such as 2h, P1D or -P7D", 0, 0, NULL},
	    {"separator", STEP_STRING, STEP_INPUT, "Separator", "split, join", 0, 0, NULL},
	    {"find", STEP_STRING, STEP_INPUT, "Find", "replace", 0, 0, NULL},
	    {"with", STEP_STRING, STEP_INPUT, "Replace with", "replace", 0, 0, NULL},
	    {"fallback", STEP_VALUE, STEP_INPUT, "Default", "default: instead of nothing", 0, 0,
		NULL},
	    {"algorithm", STEP_STRING, STEP_INPUT, "Algorithm", "hash: sha1, sha256 or sha512", 0,
		0, NULL},
	    {.name = NULL}},
    .outputs = (const struct step_output[]){{"value", "the result"}, {NULL, NULL}},
    .check = formatter_check,
    .run = formatter_run};
