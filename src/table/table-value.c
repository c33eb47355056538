/* Values of columns: what is taken for one, what it is after its column's type has changed, and
 * where it stands in an index.
 *
 *   type      kept as                                         key in an index (behind a 1)
 *   string    the text                                        folded, cut; 0; hash of the text
 *   number    the number with its digits                      number_order
 *   boolean   true or false                                   0 or 1
 *   date      "2026-03-07", or "2026-03-07T14:30:00Z"         microseconds, biased
 *   json      any value                                       hash of its text
 *
 * The key of no value is a 2 alone, so it stands behind all others. Keys that are the same need not
 * be of equal values: who looks for one compares them too. */
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "crypto/hash.h"
#include "table/table-internal.h"

#define KEY_VALUE 1
#define KEY_NOTHING 2
#define KEY_TEXT_BYTES 40
#define KEY_HASH_BYTES 8

static struct str value_str(const json_t *v)
{
	return (struct str){json_string_value(v), json_string_length(v)};
}

/* ---- forms ----------------------------------------------------------------------------------- */

/* A date stays a date: it is a day, not the moment at which it begins somewhere. */
static json_t *date_of_text(struct arena *a, struct str s, bool is_lenient)
{
	int64_t at_us;
	char day[CLOCK_TEXT];

	if (clock_parse_iso(s, &at_us)) {
		if (s.n != sizeof("2026-03-07") - 1)
			return json_own(a, json_string(clock_iso_dup(a, at_us)));
		clock_day_text(day, clock_day(at_us));
		return json_own(a, json_string(day));
	}
	if (is_lenient && clock_parse_any(s, &at_us))
		return json_own(a, json_string(clock_iso_dup(a, at_us)));
	return NULL;
}

static json_t *text_of(struct arena *a, const json_t *v)
{
	struct str s = table_value_text(a, v);

	return json_own(a, json_stringn(s.p, s.n));
}

/* A text as another type has it; NULL when it reads as none. */
static json_t *value_of_text(struct arena *a, enum table_type type, struct str text)
{
	struct str s = utf8_trim(text);
	bool is;

	switch (type) {
	case TABLE_NUMBER:
		return number_is(s) ? json_parse(a, s, NULL) : NULL;
	case TABLE_BOOLEAN:
		return str_to_bool(s, &is) ? json_own(a, json_boolean(is)) : NULL;
	case TABLE_DATE:
		return date_of_text(a, s, true);
	case TABLE_STRING:
	case TABLE_JSON:
		break;
	}
	return json_own(a, json_stringn(text.p, text.n));
}

/* v itself where it is of the type as it stands; NULL else. */
static json_t *value_of_kind(struct arena *a, enum table_type type, json_t *v)
{
	switch (type) {
	case TABLE_STRING:
		return json_is_string(v) ? v : NULL;
	case TABLE_NUMBER:
		return json_is_number(v) ? v : NULL;
	case TABLE_BOOLEAN:
		return json_is_boolean(v) ? v : NULL;
	case TABLE_DATE:
		return json_is_string(v) ? date_of_text(a, value_str(v), false) : NULL;
	case TABLE_JSON:
		break;
	}
	return v;
}

json_t *table_value_as(struct arena *a, enum table_type type, json_t *v)
{
	json_t *as = v == NULL || json_is_null(v) ? v : value_of_kind(a, type, v);

	if (as != NULL || v == NULL)
		return as;
	if (json_is_string(v))
		return value_of_text(a, type, value_str(v));
	if (type == TABLE_STRING)
		return text_of(a, v);
	if (type == TABLE_BOOLEAN && json_is_integer(v) && json_integer_value(v) >> 1 == 0)
		return json_own(a, json_boolean(json_integer_value(v) == 1));
	return NULL;
}

const char *const table_type_nouns[] = {
    "a text", "a number such as 1200.50", "true or false", "a date such as 2026-04-15", "JSON"};

int table_value_take(struct arena *a, const struct table_column *c, const json_t *v,
    bool is_lenient, json_t **out, struct err *err)
{
	char field[sizeof(err->field)];
	bool is_blank =
	    json_is_string(v) && c->type != TABLE_STRING && utf8_trim(value_str(v)).n == 0;

	*out = NULL;
	if (json_is_null(v) || (is_lenient && is_blank && c->type != TABLE_JSON))
		return 0;
	*out = is_lenient ? table_value_as(a, c->type, JSON_ITER(v))
			  : value_of_kind(a, c->type, JSON_ITER(v));
	if (*out != NULL)
		return 0;
	(void)snprintf(
	    field, sizeof(field), "data.%.*s", c->name.n > 50 ? 50 : (int)c->name.n, c->name.p);
	return err_field(err, ERR_INVALID, field, "must be %s", table_type_nouns[c->type]);
}

struct str table_value_text(struct arena *a, const json_t *v)
{
	const char *text = json_scalar_text(a, v);

	return text != NULL ? str_from(text) : json_text(a, v);
}

bool table_value_equals(struct arena *a, enum table_type type, const json_t *x, const json_t *y)
{
	struct table_key kx, ky;

	if (type == TABLE_NUMBER)
		return number_equals(table_value_text(a, x), table_value_text(a, y));
	if (type == TABLE_STRING || type == TABLE_JSON)
		return str_eq(json_text(a, x), json_text(a, y));
	table_key_of(a, type, x, &kx);
	table_key_of(a, type, y, &ky);
	return kx.n == ky.n && memcmp(kx.b, ky.b, kx.n) == 0;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void key_add(struct table_key *k, const void *p, size_t n)
{
	memcpy(k->b + k->n, p, n);
	k->n += n;
}

static void key_add_hash(struct table_key *k, struct str text)
{
	unsigned char hash[SHA256_SIZE];

	sha256(text, hash);
	key_add(k, hash, KEY_HASH_BYTES);
}

static void key_add_folded(struct arena *a, struct table_key *k, struct str text)
{
	/* folding makes at most some characters of one, and few shorter */
	const char *folded = utf8_fold(a, utf8_cut(text, 4 * KEY_TEXT_BYTES));
	size_t n = folded == NULL ? 0 : strlen(folded);

	key_add(k, folded, n > KEY_TEXT_BYTES ? KEY_TEXT_BYTES : n);
}

static void key_add_time(struct table_key *k, struct str text)
{
	int64_t at_us = 0;
	unsigned char bytes[8];
	uint64_t biased;

	clock_parse_iso(text, &at_us);
	biased = (uint64_t)at_us ^ (UINT64_C(1) << 63);
	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(biased >> (56 - 8 * i));
	key_add(k, bytes, sizeof(bytes));
}

void table_key_of(struct arena *a, enum table_type type, const json_t *v, struct table_key *out)
{
	*out = (struct table_key){.b = {v == NULL ? KEY_NOTHING : KEY_VALUE}, .n = 1};
	if (v == NULL)
		return;
	switch (type) {
	case TABLE_STRING:
		key_add_folded(a, out, value_str(v));
		key_add(out, "", 1);
		key_add_hash(out, value_str(v));
		break;
	case TABLE_NUMBER:
		out->n += number_order(out->b + 1, TABLE_KEY_BYTES - 1, table_value_text(a, v));
		break;
	case TABLE_BOOLEAN:
		key_add(out, json_is_true(v) ? "\1" : "\0", 1);
		break;
	case TABLE_DATE:
		key_add_time(out, value_str(v));
		break;
	case TABLE_JSON:
		key_add_hash(out, json_text(a, v));
		break;
	}
}

void table_key_prefix(struct arena *a, struct str text, struct table_key *out)
{
	*out = (struct table_key){.b = {KEY_VALUE}, .n = 1};
	key_add_folded(a, out, text);
}
