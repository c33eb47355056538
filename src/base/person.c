/* Finding a person in texts. A text is folded first: capitals, percent escapes and the escapes of
 * JSON fall, and each byte remembers where it stood:
 *
 *	"email=Ann%40X.org&tel=%2B49 (0)30-23 12"
 *	"email=ann@x.org&tel=+49 (0)30-23 12"      ann@x.org stands alone, and so do the digits
 *	                                           49 0 30 2312
 *
 * A number is written with its code or without, behind 00 or 0, and with signs between its digits;
 * each such row of digits is looked for from where a number begins. */
#include "base/person.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/email.h"
#include "base/phone.h"

#define DIGITS_ALONE 8  /* national numbers of fewer may be anything */
#define SIGNS_BETWEEN 4 /* bytes between two digits of a number */
#define DEPTH 64

/* ---- the person ---------------------------------------------------------------------------- */

static bool names_have(const struct str *names, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(names[i], name))
			return true;
	return false;
}

static bool names_add(struct str *names, size_t *n, struct str name)
{
	if (name.n == 0 || names_have(names, *n, name))
		return name.n > 0;
	if (*n == PERSON_NAMES)
		return false;
	names[(*n)++] = name;
	return true;
}

bool person_add_email(struct person_names *p, struct str email)
{
	return memchr(email.n == 0 ? "" : email.p, '@', email.n) != NULL &&
	       names_add(p->emails, &p->nemails, email);
}

static void person_add_digits(
    struct arena *a, struct person_names *p, const char *before, struct str code, struct str nsn)
{
	const char *text = arena_printf(
	    a, "%s%.*s%.*s", before, (int)code.n, code.n == 0 ? "" : code.p, (int)nsn.n, nsn.p);

	if (strlen(text) >= DIGITS_ALONE)
		names_add(p->digits, &p->ndigits, str_from(text));
}

bool person_add_phone(struct arena *a, struct person_names *p, struct str e164)
{
	struct str all, code, nsn, none = {NULL, 0};

	if (e164.n < 2 || e164.p[0] != '+')
		return false;
	all = (struct str){e164.p + 1, e164.n - 1};
	code = (struct str){all.p, phone_calling_code(all)};
	nsn = (struct str){all.p + code.n, all.n - code.n};
	if (code.n == 0 || !names_add(p->phones, &p->nphones, e164))
		return false;
	/* longer ones first: a mention is as much as it may be */
	person_add_digits(a, p, "011", code, nsn);
	person_add_digits(a, p, "00", code, nsn);
	person_add_digits(a, p, "", code, str_from(arena_printf(a, "0%.*s", (int)nsn.n, nsn.p)));
	person_add_digits(a, p, "", code, nsn);
	person_add_digits(a, p, "0", none, nsn);
	person_add_digits(a, p, "8", none, nsn);
	person_add_digits(a, p, "", none, nsn);
	return true;
}

bool person_add_id(struct person_names *p, struct str id)
{
	return names_add(p->ids, &p->nids, id);
}

static void person_add_members(struct arena *a, struct person_names *p, const json_t *o)
{
	static const char *const emails[] = {"email", "Email", "emailAddress", "email_address"};
	static const char *const phones[] = {"phoneNumber", "phone", "Phone", "mobilephone",
	    "mobilePhone", "mobile", "phone_number"};

	for (size_t i = 0; i < sizeof(emails) / sizeof(emails[0]); i++)
		person_add_email(p, email_normal(a, str_from(json_str(o, emails[i]))));
	for (size_t i = 0; i < sizeof(phones) / sizeof(phones[0]); i++) {
		struct str text = str_from(json_str(o, phones[i]));
		const char *e164 = text.n == 0 ? NULL : phone_e164(a, text, NULL);

		if (e164 != NULL)
			person_add_phone(a, p, str_from(e164));
	}
}

void person_add_of(struct arena *a, struct person_names *p, const json_t *data)
{
	person_add_members(a, p, data);
	person_add_members(a, p, json_object_get(data, "properties"));
}

/* ---- folding ------------------------------------------------------------------------------- */

struct folded {
	char *p;
	size_t n;
	uint32_t *at; /* where each byte stood, and one more: the end; NULL when not asked for */
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%40", or the escape of JSON for an ASCII character: its bytes, 0 where there is none. */
static size_t take_escape(struct str s, size_t i, char *c)
{
	size_t from = i + 1;

	if (s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] == '/') {
		*c = '/';
		return 2;
	}
	if (s.p[i] == '\\') {
		if (i + 6 > s.n || memcmp(s.p + i, "\\u00", 4) != 0)
			return 0;
		from = i + 4;
	} else if (s.p[i] != '%' || i + 3 > s.n) {
		return 0;
	}
	if (hex_value(s.p[from]) < 0 || hex_value(s.p[from + 1]) < 0)
		return 0;
	*c = (char)(hex_value(s.p[from]) * 16 + hex_value(s.p[from + 1]));
	return from + 2 - i;
}

static struct folded text_fold(struct arena *a, struct str s, bool with_places)
{
	struct folded f = {arena_alloc(a, s.n + 1), 0, NULL};

	if (with_places)
		f.at = arena_alloc(a, (s.n + 1) * sizeof(uint32_t));
	for (size_t i = 0, step; i < s.n; i += step) {
		char c = s.p[i];

		step = c == '%' || c == '\\' ? take_escape(s, i, &c) : 1;
		step = step == 0 ? 1 : step;
		if (f.at != NULL)
			f.at[f.n] = (uint32_t)i;
		f.p[f.n++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	if (f.at != NULL)
		f.at[f.n] = (uint32_t)s.n;
	return f;
}

/* ---- mentions ------------------------------------------------------------------------------ */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Is the address at i none of a longer one? */
static bool email_stands_alone(const struct folded *f, size_t i, size_t end)
{
	char before = i == 0 ? ' ' : f->p[i - 1], after = end == f->n ? ' ' : f->p[end];

	if (is_word(before) || (before != '\0' && strchr("._+-", before) != NULL))
		return false;
	if (after == '.')
		return end + 1 == f->n || !is_word(f->p[end + 1]);
	return !is_word(after) && after != '-';
}

/* What may stand between the digits of a number: its bytes, 0 for none. */
static size_t sign_length(const struct folded *f, size_t i)
{
	unsigned char c = (unsigned char)f->p[i];

	if (c != '\0' && strchr(" -.()/+\t", c) != NULL)
		return 1;
	if (c == 0xC2 && i + 1 < f->n && (unsigned char)f->p[i + 1] == 0xA0)
		return 2;
	return c == 0xE2 && i + 2 < f->n && (unsigned char)f->p[i + 1] == 0x80 ? 3 : 0;
}

/* Behind a row of digits that begins at i; 0 when it does not stand there. */
static size_t digits_end(const struct folded *f, size_t i, struct str digits)
{
	for (size_t k = 0; k < digits.n; k++) {
		size_t from = i, step;

		while (k > 0 && i < f->n && !is_digit(f->p[i]) && i - from < SIGNS_BETWEEN &&
		       (step = sign_length(f, i)) > 0)
			i += step;
		if (i >= f->n || f->p[i] != digits.p[k])
			return 0;
		i++;
	}
	return i < f->n && is_word(f->p[i]) && sign_length(f, i) == 0 ? 0 : i;
}

static bool number_begins_at(const struct folded *f, size_t i)
{
	if (!is_digit(f->p[i]))
		return false;
	return i == 0 || (!is_word(f->p[i - 1]) && f->p[i - 1] != '_') ||
	       (unsigned char)f->p[i - 1] >= 0x80;
}

struct mention {
	size_t from, end; /* of the folded text */
};

/* The first at or behind `from`. */
static bool find_email(const struct person_names *p, const struct folded *f, size_t from,
    bool is_loose, struct mention *out)
{
	bool is_found = false;

	for (size_t k = 0; k < p->nemails; k++) {
		struct str email = p->emails[k];
		const char *hit = f->p + from;

		while ((hit = memmem(hit, (size_t)(f->p + f->n - hit), email.p, email.n)) != NULL) {
			size_t i = (size_t)(hit - f->p);

			if (is_loose || email_stands_alone(f, i, i + email.n)) {
				if (!is_found || i < out->from)
					*out = (struct mention){i, i + email.n};
				is_found = true;
				break;
			}
			hit++;
		}
	}
	return is_found;
}

static bool find_phone(
    const struct person_names *p, const struct folded *f, size_t from, struct mention *out)
{
	for (size_t i = from; p->ndigits > 0 && i < f->n; i++) {
		if (!number_begins_at(f, i))
			continue;
		for (size_t k = 0; k < p->ndigits; k++) {
			size_t end = digits_end(f, i, p->digits[k]);

			if (end == 0)
				continue;
			*out = (struct mention){i > from && f->p[i - 1] == '+' ? i - 1 : i, end};
			return true;
		}
	}
	return false;
}

static bool find_mention(
    const struct person_names *p, const struct folded *f, size_t from, struct mention *out)
{
	struct mention phone;
	bool has_email = find_email(p, f, from, false, out),
	     has_phone = find_phone(p, f, from, &phone);

	if (has_phone && (!has_email || phone.from < out->from))
		*out = phone;
	return has_email || has_phone;
}

bool person_may_be_in(struct arena *a, const struct person_names *p, struct str text)
{
	struct folded f = text_fold(a, text, false);
	struct mention m;

	return find_email(p, &f, 0, true, &m) || find_phone(p, &f, 0, &m);
}

bool person_is_in(struct arena *a, const struct person_names *p, struct str text)
{
	struct folded f = text_fold(a, text, false);
	struct mention m;

	return find_mention(p, &f, 0, &m);
}

static bool person_is_value(struct arena *a, const struct person_names *p, struct str text)
{
	struct folded f = text_fold(a, utf8_trim_quotes(text), false);
	struct mention m;

	return find_mention(p, &f, 0, &m) && m.from == 0 && m.end == f.n;
}

struct str person_scrub(struct arena *a, const struct person_names *p, struct str text)
{
	struct folded f = text_fold(a, text, true);
	struct buf *b = NULL;
	size_t from = 0;
	struct mention m;

	while (from < f.n && find_mention(p, &f, from, &m)) {
		if (b == NULL)
			b = buf_new(a, text.n + 64);
		buf_add(b, text.p + f.at[from], f.at[m.from] - f.at[from]);
		buf_str(b, PERSON_ERASED);
		from = m.end;
	}
	if (b == NULL)
		return text;
	buf_add(b, text.p + f.at[from], text.n - f.at[from]);
	return (struct str){b->p, b->len};
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static bool scalar_is_value(struct arena *a, const struct person_names *p, const json_t *v)
{
	const char *text = json_scalar_text(a, v);

	return text != NULL && person_is_value(a, p, str_from(text));
}

static bool owns_at(struct arena *a, const struct person_names *p, const json_t *v, int depth)
{
	const char *key;
	json_t *below;
	size_t i;

	if (depth == DEPTH)
		return false;
	json_object_each(v, key, below)
		if (owns_at(a, p, below, depth + 1))
			return true;
	json_array_each(v, i, below)
		if (scalar_is_value(a, p, below))
			return true;
	return scalar_is_value(a, p, v);
}

bool person_owns(struct arena *a, const struct person_names *p, const json_t *data)
{
	return json_is_object(data) && owns_at(a, p, data, 0);
}

static bool is_id_name(const char *key)
{
	size_t n = strlen(key);

	return n >= 2 && (strcmp(key + n - 2, "id") == 0 || strcmp(key + n - 2, "Id") == 0 ||
			     strcmp(key + n - 2, "ID") == 0);
}

static bool is_in_at(
    struct arena *a, const struct person_names *p, const char *name, const json_t *v, int depth)
{
	const char *key, *text;
	json_t *below;
	size_t i;

	if (depth == DEPTH)
		return false;
	json_object_each(v, key, below)
		if (person_is_in(a, p, str_from(key)) || is_in_at(a, p, key, below, depth + 1))
			return true;
	json_array_each(v, i, below)
		if (is_in_at(a, p, name, below, depth + 1))
			return true;
	text = json_scalar_text(a, v);
	return text != NULL &&
	       (person_is_in(a, p, str_from(text)) ||
		   (is_id_name(name) && names_have(p->ids, p->nids, str_from(text))));
}

bool person_is_in_json(struct arena *a, const struct person_names *p, const json_t *value)
{
	return is_in_at(a, p, "", value, 0);
}

static json_t *scrub_at(struct arena *a, const struct person_names *p, const json_t *v, int depth);

static json_t *scrub_object(
    struct arena *a, const struct person_names *p, const json_t *v, int depth)
{
	json_t *out = json_object(), *below;
	const char *key;

	json_object_each(v, key, below) {
		struct str name = person_scrub(a, p, str_from(key));

		json_set(out, arena_strndup(a, name.p, name.n), scrub_at(a, p, below, depth + 1));
	}
	return out;
}

static json_t *scrub_at(struct arena *a, const struct person_names *p, const json_t *v, int depth)
{
	const char *text = json_scalar_text(a, v);
	struct str scrubbed;
	json_t *out, *below;
	size_t i;

	if (depth == DEPTH)
		return json_deep_copy(v);
	if (json_is_object(v))
		return scrub_object(a, p, v, depth);
	if (json_is_array(v)) {
		out = json_array();
		json_array_each(v, i, below)
			json_array_append_new(out, scrub_at(a, p, below, depth + 1));
		return out;
	}
	if (text == NULL)
		return json_deep_copy(v);
	scrubbed = person_scrub(a, p, str_from(text));
	return scrubbed.p == text ? json_deep_copy(v) : json_stringn(scrubbed.p, scrubbed.n);
}

json_t *person_scrub_json(struct arena *a, const struct person_names *p, const json_t *value)
{
	return json_own(a, scrub_at(a, p, value, 0));
}

static size_t cut_at(struct arena *a, const struct person_names *p, json_t *v, int depth)
{
	const char *key;
	json_t *below;
	size_t n = 0;

	if (depth == DEPTH)
		return 0;
	for (size_t i = 0; json_is_array(v) && i < json_array_size(v);) {
		if (person_is_in_json(a, p, json_array_get(v, i))) {
			json_array_remove(v, i);
			n++;
		} else {
			i++;
		}
	}
	json_object_each(v, key, below)
		n += cut_at(a, p, below, depth + 1);
	return n;
}

size_t person_cut_items(struct arena *a, const struct person_names *p, json_t *value)
{
	return cut_at(a, p, value, 0);
}
