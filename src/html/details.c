/* Any JSON as people read it: a label beside each value, known fields first, lists of objects as
 * small tables, what is empty folded away. The raw form stands elsewhere: this leaves out quotes,
 * nulls, and what is said twice (adId and ad_id of one value).
 *
 *	scalars of the object        dl of label and value, ids last
 *	its objects                  a part with a heading, the same again, to DEPTH; it
 *	                             stands above the scalars where it alone has what is known
 *	its lists of objects         a table of at most COLUMNS and ROWS
 *	what was sent raw beside it  folded, since its answers stand above already
 *	nulls, "", [], {}            counted and named at the end */
#include "html/template-private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/word.h"
#include "html/html.h"

#define DEPTH 5
#define COLUMNS 8
#define ROWS 40
#define MEMBERS_SORTED 400 /* more keep their order */
#define CELL_BYTES 200
#define KEY_BYTES 128
#define LONG_BYTES 4000
#define FIRST_SECOND                                                                               \
	INT64_C(946684800) /* 2000: what a number of seconds is taken for a time from */
#define LAST_SECOND INT64_C(4102444800) /* 2100 */

struct details {
	struct buf *out, *empty; /* empty: names of what has no value, with commas */
	const struct template_when *when;
	size_t nempty;
};

static void details_object(struct details *d, const json_t *o, int depth);

static struct str text_of(const json_t *v)
{
	return (struct str){json_string_value(v), json_string_length(v)};
}

static bool is_empty(const json_t *v)
{
	return json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0) ||
	       (json_is_array(v) && json_array_size(v) == 0) ||
	       (json_is_object(v) && json_object_size(v) == 0);
}

static bool is_scalar(const json_t *v)
{
	return !json_is_array(v) && !json_is_object(v);
}

/* ---- words of keys ------------------------------------------------------------------------- */

/* fullName, full_name and "Full name" are one word: its letters and digits, small. */
static size_t key_plain(const char *key, char out[KEY_BYTES])
{
	size_t n = 0;

	for (; *key != '\0' && n + 1 < KEY_BYTES; key++)
		if (isalnum((unsigned char)*key) || (unsigned char)*key >= 0x80)
			out[n++] = (char)tolower((unsigned char)*key);
	out[n] = '\0';
	return n;
}

/* word: as key_plain makes it; ends: the key's end is enough. */
static bool key_is(const char *key, const char *word, bool ends)
{
	char plain[KEY_BYTES];
	size_t n = key_plain(key, plain), w = strlen(word);

	return ends ? n >= w && strcmp(plain + n - w, word) == 0 : strcmp(plain, word) == 0;
}

/* The place among words, NULL-ended; their number when it is none of them. */
static size_t key_place(const char *key, const char *const *words)
{
	size_t i = 0;

	while (words[i] != NULL && !key_is(key, words[i], false))
		i++;
	return i;
}

static bool key_is_one_of(const char *key, const char *const *words)
{
	return words[key_place(key, words)] != NULL;
}

static const char *const first_words[] = {"name", "fullname", "displayname", "title", "subject",
    "dealname", "firstname", "lastname", "email", "emailaddress", "phone", "phonenumber", "mobile",
    "company", "status", "stage", "dealstage", "amount", "total", "totalprice", "price", "currency",
    "text", "body", "message", NULL};
static const char *const phone_words[] = {
    "phone", "phonenumber", "mobile", "mobilephone", "tel", NULL};
static const char *const amount_words[] = {
    "amount", "total", "totalprice", "subtotal", "price", "balance", "revenue", NULL};
static const char *const status_words[] = {"status", "state", "lifecyclestage", "priority", NULL};
/* What a source sent as it stood, of which the fields beside it were made. */
static const char *const raw_words[] = {"rawfielddata", "fielddata", "raw", "rawdata", NULL};

/* ---- values -------------------------------------------------------------------------------- */

static void escape_words(struct details *d, const char *key)
{
	struct buf words;
	json_t *v = json_string(key);

	buf_init(&words, LIMIT_PAGE_BYTES);
	(void)filter_text(FILTER_WORDS, v, d->when, &words);
	html_text(d->out, (struct str){words.p, words.len});
	buf_fini(&words);
	json_decref(v);
}

static void escape_plain(struct details *d, const json_t *v)
{
	struct buf text;

	buf_init(&text, LIMIT_PAGE_BYTES);
	(void)filter_text(is_scalar(v) ? FILTER_NONE : FILTER_JSON, v, d->when, &text);
	html_breaks(d->out, utf8_cut((struct str){text.p, text.len}, LONG_BYTES));
	buf_fini(&text);
}

static bool chars_are(struct str s, const char *others)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && strchr(others, s.p[i]) == NULL)
			return false;
	return s.n > 0 && memchr(s.p, '\0', s.n) == NULL;
}

static void link_to(struct details *d, const char *scheme, struct str target, struct str text)
{
	buf_printf(d->out, "<a href=\"%s", scheme);
	html_attr(d->out, target);
	buf_str(d->out, "\">");
	html_breaks(d->out, text);
	buf_str(d->out, "</a>");
}

static void link_to_phone(struct details *d, struct str s)
{
	buf_str(d->out, "<a href=\"tel:");
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '+' || isdigit((unsigned char)s.p[i]))
			buf_chr(d->out, s.p[i]);
	buf_str(d->out, "\">");
	html_text(d->out, s);
	buf_str(d->out, "</a>");
}

static bool value_as_link(struct details *d, const char *key, struct str s)
{
	const char *at = s.n > 0 ? memchr(s.p, '@', s.n) : NULL;

	if (at != NULL && at > s.p && chars_are(s, "@._+-") &&
	    memchr(at, '.', s.n - (size_t)(at - s.p)) != NULL)
		link_to(d, "mailto:", s, s);
	else if (key_is_one_of(key, phone_words) && s.n >= 5 && chars_are(s, "+ ()-./") &&
		 strchr("+(0123456789", s.p[0]) != NULL)
		link_to_phone(d, s);
	else if (s.n < LIMIT_URL_BYTES && (str_starts(s, "https://") || str_starts(s, "http://")))
		link_to(d, "", s, s);
	else
		return false;
	return true;
}

/* A key that tells of a time: createdAt, updated_at, createdate, timestamp. */
static bool key_is_time(const char *key)
{
	size_t n = strlen(key);

	return key_is(key, "date", true) || key_is(key, "time", true) ||
	       key_is(key, "timestamp", true) ||
	       (n > 2 && (strcmp(key + n - 2, "At") == 0 || strcmp(key + n - 2, "at") == 0) &&
		   (key[n - 2] == 'A' || key[n - 3] == '_'));
}

/* Seconds or milliseconds since 1970, as programs send them. */
static bool value_as_epoch(struct details *d, const char *key, json_int_t v)
{
	char iso[CLOCK_TEXT];
	json_t *time;

	if (!key_is_time(key))
		return false;
	if (v / 1000 >= FIRST_SECOND && v / 1000 < LAST_SECOND)
		v = v / 1000;
	if (v < FIRST_SECOND || v >= LAST_SECOND)
		return false;
	clock_iso(iso, (int64_t)v * SECOND_US);
	time = json_string(iso);
	(void)filter_markup(FILTER_SECONDS, time, d->when, d->out);
	json_decref(time);
	return true;
}

static bool value_as_time(struct details *d, const json_t *v)
{
	size_t n = json_string_length(v);
	int64_t at_us;

	/* a day, or a moment to the minute: a year or a month may be any number */
	if ((n < 16 && n != sizeof("2026-03-07") - 1) || !clock_parse_iso(text_of(v), &at_us))
		return false;
	return filter_markup(FILTER_SECONDS, v, d->when, d->out);
}

/* The currency that stands beside an amount. */
static struct str currency_of(const json_t *o)
{
	static const char *const words[] = {
	    "currency", "currencycode", "presentmentcurrency", NULL};
	const char *key;
	json_t *v;

	json_object_each((json_t *)o, key, v)
		if (json_string_length(v) == 3 && key_is_one_of(key, words))
			return text_of(v);
	return (struct str){NULL, 0};
}

static void details_value(struct details *d, const json_t *o, const char *key, const json_t *v)
{
	struct str currency;

	if (json_is_boolean(v)) {
		buf_str(d->out, json_is_true(v) ? "Yes" : "No");
	} else if (json_is_string(v) && key_is_one_of(key, status_words) &&
		   json_string_length(v) < 40) {
		buf_str(d->out, "<span class=\"chip chip-plain\">");
		escape_words(d, json_string_value(v));
		buf_str(d->out, "</span>");
	} else if (json_is_string(v) &&
		   (value_as_link(d, key, text_of(v)) || value_as_time(d, v))) {
		return;
	} else if (json_is_integer(v) && value_as_epoch(d, key, json_integer_value(v))) {
		return;
	} else {
		escape_plain(d, v);
		currency =
		    key_is_one_of(key, amount_words) ? currency_of(o) : (struct str){NULL, 0};
		if (currency.n > 0) {
			buf_chr(d->out, ' ');
			html_text(d->out, currency);
		}
	}
}

/* ---- lists --------------------------------------------------------------------------------- */

static bool is_list_of_objects(const json_t *v)
{
	for (size_t i = 0; i < json_array_size(v); i++)
		if (!json_is_object(json_array_get(v, i)))
			return false;
	return json_array_size(v) > 0;
}

static size_t list_columns(const json_t *list, const char **keys)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(list) && i < ROWS; i++) {
		const char *key;
		json_t *v;

		json_object_each(json_array_get(list, i), key, v) {
			size_t k = 0;

			while (k < n && strcmp(keys[k], key) != 0)
				k++;
			if (k == n && n < COLUMNS && !is_empty(v))
				keys[n++] = key;
		}
	}
	return n;
}

/* A list of plain values, or one alone: with commas. */
static void details_list(struct details *d, const json_t *o, const char *key, const json_t *list)
{
	if (!json_is_array(list))
		details_value(d, o, key, list);
	for (size_t i = 0; i < json_array_size(list) && i < ROWS; i++) {
		if (i > 0)
			buf_str(d->out, ", ");
		details_value(d, o, key, json_array_get(list, i));
	}
	if (json_array_size(list) > ROWS)
		buf_printf(d->out, " and %zu more", json_array_size(list) - ROWS);
}

static void list_cell(struct details *d, const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);
	struct buf text;

	if (v == NULL || is_empty(v))
		return;
	if (is_scalar(v) || (json_is_array(v) && is_scalar(json_array_get(v, 0)))) {
		details_list(d, row, key, v);
		return;
	}
	buf_init(&text, LIMIT_PAGE_BYTES);
	json_append(&text, v);
	html_text(d->out, utf8_cut((struct str){text.p, text.len}, CELL_BYTES));
	if (text.len > CELL_BYTES)
		buf_str(d->out, "…");
	buf_fini(&text);
}

static void details_table(struct details *d, const char *label, const json_t *list)
{
	const char *keys[COLUMNS];
	size_t n = list_columns(list, keys), rows = json_array_size(list);

	buf_str(d->out, "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"");
	html_attr(d->out, str_from(label));
	buf_str(d->out, "\"><table class=\"small-table\"><thead><tr>");
	for (size_t k = 0; k < n; k++) {
		buf_str(d->out, json_is_number(json_object_get(json_array_get(list, 0), keys[k]))
				    ? "<th scope=\"col\" class=\"c-number\">"
				    : "<th scope=\"col\">");
		escape_words(d, keys[k]);
		buf_str(d->out, "</th>");
	}
	buf_str(d->out, "</tr></thead><tbody>");
	for (size_t i = 0; i < rows && i < ROWS; i++) {
		buf_str(d->out, "<tr>");
		for (size_t k = 0; k < n; k++) {
			const json_t *row = json_array_get(list, i);

			buf_str(d->out, json_is_number(json_object_get(row, keys[k]))
					    ? "<td class=\"c-number\">"
					    : "<td>");
			list_cell(d, row, keys[k]);
			buf_str(d->out, "</td>");
		}
		buf_str(d->out, "</tr>");
	}
	buf_str(d->out, "</tbody></table></div>");
	if (rows > ROWS)
		buf_printf(d->out, "<p class=\"soft small\">and %zu more, in the raw data</p>",
		    rows - ROWS);
}

/* ---- objects ------------------------------------------------------------------------------- */

struct member {
	const char *key;
	const json_t *value;
	size_t rank, order;
	bool is_again;
};

static int member_by_rank(const void *x, const void *y)
{
	const struct member *a = x, *b = y;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static void note_empty(struct details *d, const char *key)
{
	struct details names = *d;

	if (d->nempty++ > 0)
		buf_str(d->empty, ", ");
	names.out = d->empty;
	escape_words(&names, key);
}

static void details_row(struct details *d, const json_t *o, const struct member *m)
{
	bool is_long = json_is_string(m->value) && (json_string_length(m->value) > 160 ||
						       strchr(json_string_value(m->value), '\n'));

	buf_str(d->out, "<dt>");
	escape_words(d, m->key);
	buf_str(d->out, is_long ? "</dt><dd class=\"long\">" : "</dt><dd>");
	details_list(d, o, m->key, m->value);
	buf_str(d->out, "</dd>");
}

static void details_part(struct details *d, const struct member *m, int depth)
{
	bool is_raw = key_is_one_of(m->key, raw_words);

	buf_str(
	    d->out, is_raw ? "<details class=\"fold part\"><summary>" : "<div class=\"part\"><h3>");
	escape_words(d, m->key);
	buf_str(d->out, is_raw ? ", as it was sent</summary>" : "</h3>");
	if (json_is_array(m->value)) {
		details_table(d, m->key, m->value);
	} else if (depth < DEPTH) {
		details_object(d, m->value, depth + 1);
	} else {
		buf_str(d->out, "<pre class=\"code\">");
		escape_plain(d, m->value);
		buf_str(d->out, "</pre>");
	}
	buf_str(d->out, is_raw ? "</details>" : "</div>");
}

static bool is_part(const json_t *v)
{
	return json_is_object(v) || is_list_of_objects(v);
}

/* Does a member before it say the same under the same word? */
static bool is_said_before(const struct member *v, size_t i)
{
	char word[KEY_BYTES];

	key_plain(v[i].key, word);
	for (size_t k = 0; k < i; k++)
		if (key_is(v[k].key, word, false) && json_equal(v[k].value, v[i].value))
			return true;
	return false;
}

/* leadId, lead_id, id: of use to programs. */
static bool key_is_id(const char *key)
{
	size_t n = strlen(key);

	return n >= 2 && strcasecmp(key + n - 2, "id") == 0 &&
	       (n == 2 || !isalpha((unsigned char)key[n - 3]) ||
		   (key[n - 2] == 'I' && islower((unsigned char)key[n - 3])));
}

#define RANK_ID (SIZE_MAX - 1)

static size_t members_of(const json_t *o, struct member *v)
{
	size_t n = 0;
	const char *key;
	json_t *value;

	json_object_each((json_t *)o, key, value) {
		size_t rank = key_place(key, first_words);

		rank = key_is_one_of(key, raw_words) ? SIZE_MAX : key_is_id(key) ? RANK_ID : rank;
		v[n] = (struct member){key, value, rank, n, false};
		n++;
	}
	if (n < 2 || n > MEMBERS_SORTED)
		return n;
	qsort(v, n, sizeof(*v), member_by_rank);
	for (size_t i = 1; i < n; i++)
		v[i].is_again = is_said_before(v, i);
	return n;
}

static void details_rows(struct details *d, const json_t *o, const struct member *v, size_t n)
{
	size_t rows = 0;

	for (size_t i = 0; i < n; i++) {
		if (is_empty(v[i].value)) {
			note_empty(d, v[i].key);
		} else if (!is_part(v[i].value) && !v[i].is_again) {
			if (rows++ == 0)
				buf_str(d->out, "<dl class=\"facts\">");
			details_row(d, o, &v[i]);
		}
	}
	if (rows > 0)
		buf_str(d->out, "</dl>");
}

static bool object_has_known(const json_t *o)
{
	const char *key;
	json_t *value;

	json_object_each((json_t *)o, key, value)
		if (is_scalar(value) && !is_empty(value) && key_is_one_of(key, first_words))
			return true;
	return false;
}

/* The part that says what people look for, where the object itself has ids and the like alone: the
 * properties of a contact. */
static const struct member *details_main_part(const json_t *o, const struct member *v, size_t n)
{
	if (object_has_known(o))
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (json_is_object(v[i].value) && v[i].rank != SIZE_MAX &&
		    object_has_known(v[i].value))
			return &v[i];
	return NULL;
}

static void details_object(struct details *d, const json_t *o, int depth)
{
	struct member *v = calloc(json_object_size(o) + 1, sizeof(*v));
	const struct member *main_part;
	size_t n;

	if (v == NULL)
		abort();
	n = members_of(o, v);
	main_part = details_main_part(o, v, n);
	if (main_part != NULL)
		details_part(d, main_part, depth);
	if (main_part != NULL)
		buf_str(d->out, "<div class=\"part\">");
	details_rows(d, o, v, n);
	if (main_part != NULL)
		buf_str(d->out, "</div>");
	for (size_t i = 0; i < n; i++)
		if (!is_empty(v[i].value) && is_part(v[i].value) && &v[i] != main_part)
			details_part(d, &v[i], depth);
	free(v);
}

bool details_write(const json_t *v, const struct template_when *when, struct buf *out)
{
	struct buf empty;
	struct details d = {.out = out, .empty = &empty, .when = when};

	buf_init(&empty, LIMIT_PAGE_BYTES);
	buf_str(out, "<div class=\"details\">");
	if (json_is_object(v))
		details_object(&d, v, 0);
	else if (is_list_of_objects(v))
		details_table(&d, "Items", v);
	else if (!is_empty(v))
		escape_plain(&d, v);
	if (d.nempty > 0) {
		buf_printf(out,
		    "<details class=\"fold part\"><summary>%zu empty field%s</summary><p "
		    "class=\"soft small\">",
		    d.nempty, plural_s(d.nempty));
		buf_add(out, empty.p, empty.len);
		buf_str(out, "</p></details>");
	}
	buf_str(out, "</div>");
	buf_fini(&empty);
	return true;
}
