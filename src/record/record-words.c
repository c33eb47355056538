/* The words by which a record is found. Those of a search go the same way (record-terms.c), so that
 * they meet.
 *
 *   text -> folded (lower case, no accents) -> words -> " abcdjohn abcdsmith abcd_p_hubspot ... "
 *
 * A word is ASCII letters and digits alone, other characters as uXXXX, so that neither the
 * database's collation nor its word splitter changes it. In front stands the account's code (here
 * "abcd"): the full-text index is one for all accounts, and must not read another's words. The code
 * of an account is short and not secret; statements name the account as well.
 *
 * Around every word stands a space: LIKE '% word %' finds a whole word, LIKE '% word%' its start.
 * Words of a text stand in its order, so a phrase is found as one pattern.
 *
 * Further forms come last: an email, a date or a host's address as one word (their parts may be
 * common), a phone number by all its digits and by the last of them (record-phones.c), a boolean
 * with the key that it stands under. Scripts without spaces have no words to split at: there each
 * pair of neighbours is one.
 *
 * A word is cut at a bound, on both sides alike. A record is not: of a long one each word is kept
 * once, without their order. */
#include "record/record-words.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/number.h"
#include "crypto/hash.h"

#define WORD_MAX 72                   /* below InnoDB's 84, with the code before it */
#define ALL_MAX (48u * 1024u * 1024u) /* a payload's words, at their very longest */
#define KEYS_MOST 256                 /* nested deeper no path leads */
#define CONNECTION_CHARS 12           /* of its id, the last, which are random; the row tells all */
#define BOOLEAN_WORD "_b_%08x%c "

void words_account_code(char out[WORDS_CODE + 1], const struct uuid *id)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char digest[SHA256_SIZE];

	sha256((struct str){(const char *)id->b, sizeof(id->b)}, digest);
	for (size_t i = 0; i < WORDS_CODE; i++)
		out[i] = letters[digest[i] & 31];
	out[WORDS_CODE] = '\0';
}

/* ---- characters ---------------------------------------------------------------------------- */

static bool is_word_char(uint32_t c)
{
	if (c < 0x80)
		return isalnum((int)c);
	return !(c <= 0xbf || c == 0xd7 || c == 0xf7 || (c >= 0x2000 && c <= 0x2bff) ||
		 (c >= 0x3000 && c <= 0x303f) || (c >= 0xfe10 && c <= 0xfe6f) ||
		 (c >= 0xff00 && c <= 0xff0f));
}

/* Scripts written without spaces, or with zero-width ones, which folding drops: each pair of
 * neighbours is a word. */
static bool is_unspaced_char(uint32_t c)
{
	return (c >= 0x3040 && c <= 0x30ff) || (c >= 0x3400 && c <= 0x9fff) ||
	       (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x3ffff) ||
	       (c >= 0x0e00 && c <= 0x0eff) || (c >= 0x1000 && c <= 0x109f) ||
	       (c >= 0x1780 && c <= 0x17ff);
}

static void words_put_char(struct buf *b, uint32_t c)
{
	if (c < 0x80)
		buf_chr(b, (char)c);
	else
		buf_printf(b, "u%04x", c);
}

struct str words_fold(struct arena *a, struct str s)
{
	char *p;
	bool is_ascii = true;

	for (size_t i = 0; i < s.n && is_ascii; i++)
		is_ascii = (unsigned char)s.p[i] < 0x80;
	if (!is_ascii)
		return str_from(utf8_fold(a, s));
	p = arena_alloc(a, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		p[i] = (char)tolower((unsigned char)s.p[i]);
	return (struct str){p, s.n};
}

/* ---- compounds: dates and addresses of hosts ------------------------------------------------ */

/* The last words of a text that begin with a digit, one right behind the other. */
struct word_trail {
	struct str v[4];
	size_t n;
};

static bool is_digits(struct str s, size_t least, size_t most)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isdigit((unsigned char)s.p[i]))
			return false;
	return s.n >= least && s.n <= most;
}

static int digits_value(struct str s)
{
	int v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = 10 * v + (s.p[i] - '0');
	return v;
}

static bool is_between(struct str digits, int least, int most)
{
	int v = digits_value(digits);

	return v >= least && v <= most;
}

/* 2026 03 07 */
static bool trail_is_date(const struct word_trail *t)
{
	const struct str *v = t->v + 1;

	return t->n >= 3 && is_digits(v[0], 4, 4) && is_between(v[0], 1500, 2499) &&
	       is_digits(v[1], 2, 2) && is_between(v[1], 1, 12) && is_digits(v[2], 2, 2) &&
	       is_between(v[2], 1, 31);
}

/* 198.51.100.7 */
static bool trail_is_host(const struct word_trail *t)
{
	if (t->n < 4)
		return false;
	for (size_t i = 0; i < 4; i++)
		if (!is_digits(t->v[i], 1, 3) || !is_between(t->v[i], 0, 255) ||
		    (i > 0 && (t->v[i].p - t->v[i - 1].p != (ptrdiff_t)t->v[i - 1].n + 1 ||
				  t->v[i].p[-1] != '.')))
			return false;
	return true;
}

static void trail_add(struct word_trail *t, struct str word)
{
	if (!isdigit((unsigned char)word.p[0])) {
		t->n = 0;
		return;
	}
	memmove(t->v, t->v + 1, 3 * sizeof(t->v[0]));
	t->v[3] = word;
	t->n += t->n < 4;
}

static size_t trail_compound(const struct word_trail *t, char out[WORDS_COMPOUND])
{
	const struct str *v = t->v;

	if (trail_is_host(t))
		return (size_t)snprintf(out, WORDS_COMPOUND, "%.*s_%.*s_%.*s_%.*s", (int)v[0].n,
		    v[0].p, (int)v[1].n, v[1].p, (int)v[2].n, v[2].p, (int)v[3].n, v[3].p);
	if (trail_is_date(t))
		return (size_t)snprintf(
		    out, WORDS_COMPOUND, "%.4s_%.2s_%.2s", v[1].p, v[2].p, v[3].p);
	return 0;
}

size_t words_compound(struct str run, char out[WORDS_COMPOUND])
{
	struct word_trail t = {.n = 0};
	size_t words = 0;

	for (size_t i = 0; i < run.n;) {
		size_t from = i;

		while (i < run.n && isalnum((unsigned char)run.p[i]))
			i++;
		if (i > from) {
			trail_add(&t, (struct str){run.p + from, i - from});
			words++;
		} else if ((unsigned char)run.p[i++] >= 0x80) {
			return 0;
		}
	}
	return words == (trail_is_host(&t) ? 4 : 3) ? trail_compound(&t, out) : 0;
}

static void words_note_word(struct words_writer *w, struct word_trail *t, struct str word)
{
	char compound[WORDS_COMPOUND];

	trail_add(t, word);
	if (w->extra != NULL && t->n >= 3 && trail_compound(t, compound) > 0)
		buf_printf(w->extra, "%s%s ", w->code, compound);
}

/* ---- words of a text ----------------------------------------------------------------------- */

/* The pair that begins with a character of an unspaced script. */
static void words_put_pair(struct words_writer *w, uint32_t c, struct str behind)
{
	size_t n;
	uint32_t next = behind.n > 0 ? utf8_point(behind, &n) : ' ';

	buf_str(w->words, w->code);
	words_put_char(w->words, c);
	if (is_unspaced_char(next))
		words_put_char(w->words, next);
	buf_chr(w->words, ' ');
}

/* The "t" of 2026-03-07t09:30 joins no word. */
static bool is_time_mark(const char *word, const char *p, const char *end)
{
	return *p == 't' && p - word == 2 && end - p > 2 && isdigit((unsigned char)word[0]) &&
	       isdigit((unsigned char)word[1]) && isdigit((unsigned char)p[1]) &&
	       isdigit((unsigned char)p[2]);
}

/* A letter or digit of ASCII; in line, since all that is stored goes through here. */
static inline bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* How many letters and digits of ASCII, nearly all there is, stand at p, where a word begins
 * (is_first) or goes on. */
static size_t plain_run(const char *p, const char *end, bool is_first)
{
	const char *from = p;

	while (
	    p < end && is_plain(*p) && !(is_first && p - from == 2 && is_time_mark(from, p, end)))
		p++;
	return (size_t)(p - from);
}

void words_put_folded(struct words_writer *w, struct str s)
{
	const char *p = s.p, *end = s.p + s.n, *word = NULL;
	struct word_trail trail = {.n = 0};
	size_t n, length = 0;
	uint32_t c;

	for (; p < end; p += n) {
		size_t plain =
		    length == 2 && is_time_mark(word, p, end) ? 0 : plain_run(p, end, length == 0);

		c = utf8_point((struct str){p, (size_t)(end - p)}, &n);
		n = plain > 0 ? plain : n;
		if (plain > 0 || (c >= 0x80 && is_word_char(c) && !is_unspaced_char(c))) {
			if (length == 0) {
				buf_str(w->words, w->code);
				word = p;
			}
			if (length < WORD_MAX && plain > 0)
				buf_add(w->words, p,
				    plain < WORD_MAX - length ? plain : WORD_MAX - length);
			else if (length < WORD_MAX)
				words_put_char(w->words, c);
			length += plain > 0 ? plain : 6;
			continue;
		}
		if (length > 0) {
			buf_chr(w->words, ' ');
			words_note_word(w, &trail, (struct str){word, (size_t)(p - word)});
		}
		length = 0;
		if (is_unspaced_char(c))
			words_put_pair(w, c, (struct str){p + n, (size_t)(end - p) - n});
	}
	if (length == 0)
		return;
	buf_chr(w->words, ' ');
	words_note_word(w, &trail, (struct str){word, (size_t)(end - word)});
}

void words_put_joined(struct words_writer *w, struct buf *b, struct str run)
{
	const char *p = run.p, *end = run.p + run.n;
	size_t n, length = 0, joiners = 0, start = b->len;
	bool is_pending = false;

	for (; p < end && length < WORD_MAX; p += n) {
		uint32_t c = utf8_point((struct str){p, (size_t)(end - p)}, &n);

		if (is_unspaced_char(c))
			break;
		if (!is_word_char(c)) {
			is_pending = length > 0;
			continue;
		}
		if (length == 0)
			buf_str(b, w->code);
		if (is_pending) {
			buf_chr(b, '_');
			joiners++;
			is_pending = false;
		}
		words_put_char(b, c);
		length += c < 0x80 ? 1 : 6;
	}
	if (joiners == 0 && b->p != NULL && start < b->len) { /* is among the plain words */
		b->len = start;
		b->p[start] = '\0';
	} else if (length > 0) {
		buf_chr(b, ' ');
	}
}

/* ---- emails -------------------------------------------------------------------------------- */

static bool is_email_char(uint32_t c)
{
	return (is_word_char(c) && !is_unspaced_char(c)) ||
	       (c < 0x80 && c != 0 && strchr(".-_+%'", (int)c) != NULL);
}

/* The email around an '@' of a folded text: false when there is none. */
static bool words_email_at(struct str s, const char *at, struct str *out)
{
	const char *from = at, *to = at + 1, *end = s.p + s.n;
	size_t n;

	while (from > s.p) {
		const char *before = from - 1;

		while (before > s.p && ((unsigned char)*before & 0xc0) == 0x80)
			before--;
		if (!is_email_char(utf8_point((struct str){before, (size_t)(from - before)}, &n)))
			break;
		from = before;
	}
	while (to < end && is_email_char(utf8_point((struct str){to, (size_t)(end - to)}, &n)))
		to += n;
	*out = (struct str){from, (size_t)(to - from)};
	return from < at && to > at + 1;
}

/* Wherever they stand in the text, whatever stands around them. */
static void words_put_emails(struct words_writer *w, struct str s)
{
	const char *end = s.p + s.n, *at = s.p;
	struct str email;

	while ((at = memchr(at, '@', (size_t)(end - at))) != NULL) {
		if (words_email_at(s, at, &email))
			words_put_joined(w, w->extra, email);
		at++;
	}
}

bool words_are_one_email(struct str run, struct str *out)
{
	const char *at = memchr(run.p, '@', run.n);
	size_t n;

	if (at == NULL || !words_email_at(run, at, out))
		return false;
	for (const char *p = run.p; p < run.p + run.n; p += n) {
		uint32_t c = utf8_point((struct str){p, (size_t)(run.p + run.n - p)}, &n);

		if (is_word_char(c) && (p < out->p || p >= out->p + out->n))
			return false;
	}
	return true;
}

/* ---- values of a payload ------------------------------------------------------------------- */

static void words_put_text(struct words_writer *w, struct str s)
{
	struct str folded = words_fold(w->a, s);

	if (folded.p == NULL)
		return;
	words_put_folded(w, folded);
	words_put_emails(w, folded);
	words_put_phones(w, folded);
}

/* Where the string that begins at p (a quote) ends: behind its closing quote. */
static const char *json_string_end(const char *p, const char *end, bool *is_escaped)
{
	*is_escaped = false;
	for (p++; p < end && *p != '"'; p++) {
		if (*p == '\\') {
			*is_escaped = true;
			p++;
		}
	}
	return p < end ? p + 1 : end;
}

/* The text between the quotes; {NULL,0} when it cannot be read. */
static struct str json_string_text(struct arena *a, struct str quoted, bool is_escaped)
{
	struct err ignored = ERR_INIT;
	json_t *v;

	if (!is_escaped)
		return (struct str){quoted.p + 1, quoted.n - 2};
	v = json_parse(a, quoted, &ignored);
	return json_is_string(v) ? (struct str){json_string_value(v), json_string_length(v)}
				 : (struct str){NULL, 0};
}

bool words_has_exponent(struct str number)
{
	return memchr(number.p, 'e', number.n) != NULL || memchr(number.p, 'E', number.n) != NULL;
}

/* As it is written; one with an exponent is found as a plain decimal too. */
static void words_put_number(struct words_writer *w, struct str s)
{
	struct words_writer further = {.words = w->extra, .a = w->a};
	struct str plain, folded = words_fold(w->a, s);

	words_put_folded(w, folded);
	plain =
	    words_has_exponent(s) && number_is(s) ? number_plain(w->a, s) : (struct str){NULL, 0};
	if (plain.p == NULL)
		return;
	memcpy(further.code, w->code, sizeof(further.code));
	words_put_folded(&further, plain);
}

/* The key by a hash that no process changes (FNV-1a): others of the same make the word less sure,
 * and the payload tells. */
void words_put_boolean(struct words_writer *w, struct buf *b, struct str key, bool value)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (unsigned char)key.p[i]) * 16777619u;
	buf_printf(b, "%s" BOOLEAN_WORD, w->code, h, value ? 't' : 'f');
}

/* The keys around a place in JSON text; within an array that of the array. */
struct json_keys {
	struct str key, above[KEYS_MOST];
	size_t depth;
};

static void keys_move(struct json_keys *k, char c)
{
	if (c == '{' || c == '[') {
		if (k->depth < KEYS_MOST)
			k->above[k->depth] = k->key;
		k->depth++;
	} else if ((c == '}' || c == ']') && k->depth > 0) {
		k->depth--;
		if (k->depth < KEYS_MOST)
			k->key = k->above[k->depth];
	}
}

/* The strings, numbers and booleans of JSON text, but for keys. The text is the store's own,
 * compact and valid: it is not parsed again for this, which would cost more than all else here. */
static void words_put_values(struct words_writer *w, struct str text)
{
	const char *p = text.p, *end = text.p + text.n;
	struct json_keys keys;

	keys.key = STR("");
	keys.depth = 0;
	while (p < end) {
		const char *from = p;

		if (*p == '"') {
			bool is_escaped;
			struct str s;

			p = json_string_end(p, end, &is_escaped);
			if (p - from < 2)
				continue;
			s = json_string_text(
			    w->a, (struct str){from, (size_t)(p - from)}, is_escaped);
			if (p < end && *p == ':')
				keys.key = s;
			else if (s.p != NULL)
				words_put_text(w, s);
		} else if (*p == '-' || isdigit((unsigned char)*p)) {
			while (p < end && strchr(",]}", *p) == NULL)
				p++;
			words_put_number(w, (struct str){from, (size_t)(p - from)});
		} else if (*p == 't' || *p == 'f') {
			words_put_boolean(w, w->extra, keys.key, *p == 't');
			p += *p == 't' ? 4 : 5;
		} else {
			keys_move(&keys, *p++);
		}
	}
}

void words_put_kind(struct words_writer *w, struct buf *b, char kind, struct str value)
{
	buf_printf(b, "%s_%c_", w->code, kind);
	for (size_t i = 0; i < value.n && i < 64; i++)
		buf_chr(b, isalnum((unsigned char)value.p[i]) ? value.p[i] : '_');
	buf_chr(b, ' ');
}

struct str words_connection(struct arena *a, const struct uuid *id)
{
	const char *text = uuid_dup(a, *id);

	return str_from(text + strlen(text) - CONNECTION_CHARS);
}

/* Digits alone are no phone number here. */
static void words_put_id(struct words_writer *w, struct str id)
{
	if (is_digits(id, 1, LIMIT_EXTERNAL_ID_BYTES))
		words_put_folded(w, id);
	else
		words_put_text(w, id);
}

struct str record_words_all(struct arena *a, const struct record_item *it)
{
	struct words_writer w = {
	    .words = buf_new(a, ALL_MAX), .extra = buf_new(a, ALL_MAX), .a = a};

	words_account_code(w.code, &it->account_id);
	buf_chr(w.words, ' ');
	words_put_kind(&w, w.words, 'p', it->provider_type);
	words_put_kind(&w, w.words, 't', it->resource_type);
	words_put_kind(&w, w.words, 's', str_from(it->source));
	if (!uuid_is_nil(it->connection_id))
		words_put_kind(&w, w.words, 'c', words_connection(a, &it->connection_id));
	words_put_id(&w, it->external_id);
	words_put_values(&w, it->data);
	if (w.extra->len > 0 && buf_ok(w.extra))
		buf_add(w.words, w.extra->p, w.extra->len);
	return (struct str){w.words->p, w.words->len};
}

/* ---- long records -------------------------------------------------------------------------- */

static int word_compare(const void *x, const void *y)
{
	const struct str *a = x, *b = y;
	int order = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);

	return order != 0 ? order : (a->n > b->n) - (a->n < b->n);
}

static struct str words_once(struct arena *a, struct str all)
{
	struct buf *out = buf_new(a, ALL_MAX);
	struct str *v, rest = all, word;
	size_t n = 0, total = 0;

	for (size_t i = 0; i < all.n; i++)
		total += all.p[i] == ' ';
	v = arena_array(a, total + 1, sizeof(*v));
	while (str_split(&rest, ' ', &word))
		if (word.n > 0)
			v[n++] = word;
	qsort(v, n, sizeof(*v), word_compare);
	buf_str(out, WORDS_LONG);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && str_eq(v[i], v[i - 1]))
			continue;
		buf_chr(out, ' ');
		buf_add(out, v[i].p, v[i].n);
		buf_chr(out, ' ');
	}
	return (struct str){out->p, out->len};
}

struct str record_words(struct arena *a, const struct record_item *it)
{
	struct str all = record_words_all(a, it);

	return all.n <= WORDS_ORDERED ? all : words_once(a, all);
}
