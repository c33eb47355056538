/* The words by which records are found, of a record and of a search: both go the same way, so that
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
 * Further forms come last: an email as one word (its parts may be common), a phone number
 * by all its digits and by the last seven to ten (prefixes are written in many ways). Scripts
 * without spaces have no words to split at: there each pair of neighbours is one.
 *
 * The exception is length: a word is cut, and the text of a record ends, at a bound; what is beyond
 * it is not found. */
#include "record/record-words.h"

#include <ctype.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/number.h"
#include "crypto/hash.h"

#define WORD_MAX 72            /* below InnoDB's 84, with the code before it */
#define TEXT_MAX (64u * 1024u) /* words of one record */
#define DIGITS_MIN 7           /* a phone number has that many at least */
#define DIGITS_MAX 15

struct words_writer {
	struct buf *words, *extra; /* in order; further forms */
	char code[WORDS_CODE + 1];
	struct arena *a;
};

static void account_code(char out[WORDS_CODE + 1], const struct uuid *id)
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

/* ---- words of a text ----------------------------------------------------------------------- */

/* Folded: lower case, no accents, compatibility forms resolved. */
static struct str text_fold(struct arena *a, struct str s)
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

static void words_begin_word(struct buf *b, const struct words_writer *w)
{
	buf_str(b, w->code);
}

/* Every word of a folded text, in order. */
static void words_put_folded(struct words_writer *w, struct buf *b, struct str s)
{
	const char *p = s.p, *end = s.p + s.n;
	size_t n, length = 0;
	uint32_t c;

	for (; p < end; p += n) {
		c = utf8_point((struct str){p, (size_t)(end - p)}, &n);
		if (is_unspaced_char(c)) {
			size_t m = 0;
			uint32_t next =
			    p + n < end ? utf8_point((struct str){p + n, (size_t)(end - p) - n}, &m)
					: ' ';

			if (length > 0)
				buf_chr(b, ' ');
			length = 0;
			words_begin_word(b, w);
			words_put_char(b, c);
			if (is_unspaced_char(next))
				words_put_char(b, next);
			buf_chr(b, ' ');
		} else if (is_word_char(c)) {
			if (length == 0)
				words_begin_word(b, w);
			if (length < WORD_MAX)
				words_put_char(b, c);
			length += c < 0x80 ? 1 : 6;
		} else if (length > 0) {
			buf_chr(b, ' ');
			length = 0;
		}
	}
	if (length > 0)
		buf_chr(b, ' ');
}

/* The digits of something that looks like a phone number as a whole; 0 when it does not. */
static size_t phone_digits_of_text(struct str s, char out[DIGITS_MAX + 3], bool *is_marked)
{
	size_t n = 0;

	*is_marked = false;
	s = str_trim(s);
	for (size_t i = 0; i < s.n; i++) {
		if (isdigit((unsigned char)s.p[i])) {
			if (n == DIGITS_MAX + 2)
				return 0;
			out[n++] = s.p[i];
		} else if (strchr(" +-./()", s.p[i]) != NULL) {
			*is_marked = true;
		} else {
			return 0;
		}
	}
	out[n] = '\0';
	*is_marked = *is_marked || (n > 0 && out[0] == '0');
	return n < DIGITS_MIN ? 0 : n;
}

/* Without the zeros of an international or national prefix. */
static const char *digits_without_zeros(const char *digits)
{
	while (*digits == '0')
		digits++;
	return digits;
}

/* A phone number is found by all its digits and by the last seven to ten. */
static void words_put_phone(struct words_writer *w, struct str s)
{
	char digits[DIGITS_MAX + 3];
	bool is_marked;
	size_t n = phone_digits_of_text(s, digits, &is_marked);
	const char *d = digits_without_zeros(digits);

	if (n == 0 || !is_marked)
		return;
	n = strlen(d);
	buf_printf(w->extra, "%s%s ", w->code, d);
	for (size_t k = DIGITS_MIN; k <= 10 && k < n; k++)
		buf_printf(w->extra, "%s%s ", w->code, d + n - k);
}

/* One run without spaces as one word, what stands between its letters as '_'. */
static void words_put_joined(struct words_writer *w, struct buf *b, struct str run)
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
			words_begin_word(b, w);
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

/* Emails are found as one word too: each of their parts may be common. */
static void words_put_emails(struct words_writer *w, struct str s)
{
	struct str rest = s, run;

	while (str_split(&rest, ' ', &run))
		if (memchr(run.p, '@', run.n) != NULL)
			words_put_joined(w, w->extra, run);
}

static void words_put_text(struct words_writer *w, struct str s)
{
	struct str folded = text_fold(w->a, s);

	if (folded.p == NULL || w->words->len > TEXT_MAX)
		return;
	words_put_folded(w, w->words, folded);
	words_put_emails(w, folded);
	words_put_phone(w, folded);
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

static void words_put_string(struct words_writer *w, struct str quoted, bool is_escaped)
{
	struct err ignored = ERR_INIT;
	json_t *v;

	if (!is_escaped) {
		words_put_text(w, (struct str){quoted.p + 1, quoted.n - 2});
		return;
	}
	v = json_parse(w->a, quoted, &ignored);
	if (json_is_string(v))
		words_put_text(w, (struct str){json_string_value(v), json_string_length(v)});
}

static bool has_exponent(struct str number)
{
	return memchr(number.p, 'e', number.n) != NULL || memchr(number.p, 'E', number.n) != NULL;
}

/* As it is written; one with an exponent is found as a plain decimal too. */
static void words_put_number(struct words_writer *w, struct str s)
{
	struct str plain;

	words_put_text(w, s);
	plain = has_exponent(s) && number_is(s) ? number_plain(w->a, s) : (struct str){NULL, 0};
	if (plain.p != NULL)
		words_put_folded(w, w->extra, plain);
}

/* The strings and numbers of JSON text, but for keys. The text is the store's own, compact and
 * valid: it is not parsed again for this, which would cost more than all else here. */
static void words_put_values(struct words_writer *w, struct str text)
{
	const char *p = text.p, *end = text.p + text.n;

	while (p < end) {
		const char *from = p;
		bool is_escaped;

		if (*p == '"') {
			p = json_string_end(p, end, &is_escaped);
			if ((p == end || *p != ':') && p - from >= 2)
				words_put_string(
				    w, (struct str){from, (size_t)(p - from)}, is_escaped);
		} else if (*p == '-' || isdigit((unsigned char)*p)) {
			while (p < end && strchr(",]}", *p) == NULL)
				p++;
			words_put_number(w, (struct str){from, (size_t)(p - from)});
		} else {
			p++;
		}
	}
}

static void words_put_kind(struct words_writer *w, struct buf *b, char kind, struct str value)
{
	buf_printf(b, "%s_%c_", w->code, kind);
	for (size_t i = 0; i < value.n && i < 64; i++)
		buf_chr(b, isalnum((unsigned char)value.p[i]) ? value.p[i] : '_');
	buf_chr(b, ' ');
}

struct str record_words(struct arena *a, const struct record_item *it)
{
	struct words_writer w = {
	    .words = buf_new(a, 4 * TEXT_MAX), .extra = buf_new(a, 4 * TEXT_MAX), .a = a};

	account_code(w.code, &it->account_id);
	buf_chr(w.words, ' ');
	words_put_kind(&w, w.words, 'p', it->provider_type);
	words_put_kind(&w, w.words, 't', it->resource_type);
	words_put_kind(&w, w.words, 's', str_from(it->source));
	words_put_text(&w, it->external_id);
	words_put_values(&w, it->data);
	if (w.extra->len > 0 && buf_ok(w.extra))
		buf_add(w.words, w.extra->p, w.extra->len);
	return (struct str){w.words->p, w.words->len};
}

/* ---- searches ------------------------------------------------------------------------------ */

/* A LIKE pattern of words as they stand in the text; '_' stands for itself. */
static const char *words_like_pattern(struct arena *a, const char *words, bool is_prefix)
{
	struct buf *b = buf_new(a, 8 * WORDS_SEARCH * 6);

	buf_str(b, "% ");
	for (const char *p = words; *p != '\0'; p++) {
		if (*p == '_')
			buf_chr(b, '\\');
		buf_chr(b, *p);
	}
	buf_str(b, is_prefix ? "%" : " %");
	return b->p;
}

static void terms_add_word(
    struct search_terms *t, struct arena *a, const char *word, bool is_prefix)
{
	if (t->nwords == WORDS_INDEXED)
		return;
	t->words[t->nwords++] = (struct search_word){.like = words_like_pattern(a, word, is_prefix),
	    .match = arena_printf(a, "+%s%s", word, is_prefix ? "*" : "")};
}

/* Words in a row, the last of them also as the start of a word if is_prefix. */
static bool terms_add_phrase(
    struct search_terms *t, struct arena *a, const char *words, bool is_prefix)
{
	struct str rest = str_from(words), word;

	if (t->n == sizeof(t->v) / sizeof(t->v[0]))
		return false;
	t->v[t->n++] =
	    (struct search_term){.needle = arena_printf(a, " %s%s", words, is_prefix ? "" : " "),
		.like = words_like_pattern(a, words, is_prefix)};
	while (str_split(&rest, ' ', &word))
		terms_add_word(t, a, arena_strndup(a, word.p, word.n), is_prefix && rest.n == 0);
	return true;
}

/* The words of a text with no space at the end; "" when it has none. */
static char *words_of_folded(struct words_writer *w, struct str folded)
{
	struct buf *b = buf_new(w->a, TEXT_MAX);

	words_put_folded(w, b, folded);
	return arena_strndup(w->a, b->p, b->len > 0 ? b->len - 1 : 0);
}

/* A run of the search between spaces. */
static bool terms_add_run(struct search_terms *t, struct words_writer *w, struct str run)
{
	struct buf *joined = buf_new(w->a, TEXT_MAX);
	char digits[DIGITS_MAX + 3];
	bool is_marked;
	char *words;

	if (phone_digits_of_text(run, digits, &is_marked) > 0)
		return terms_add_phrase(t, w->a,
		    arena_printf(w->a, "%s%s", w->code, digits_without_zeros(digits)), true);
	if (memchr(run.p, '@', run.n) != NULL)
		words_put_joined(w, joined, run);
	if (joined->len > 0)
		return terms_add_phrase(
		    t, w->a, arena_strndup(w->a, joined->p, joined->len - 1), true);
	words = words_of_folded(w, run);
	return words[0] == '\0' || terms_add_phrase(t, w->a, words, true);
}

/* Takes the next "phrase" or run off *rest. */
static bool search_next_part(struct str *rest, struct str *part, bool *is_phrase)
{
	*rest = str_trim(*rest);
	if (rest->n == 0)
		return false;
	*is_phrase = rest->p[0] == '"';
	if (*is_phrase) {
		*rest = (struct str){rest->p + 1, rest->n - 1};
		return str_split(rest, '"', part);
	}
	return str_split(rest, ' ', part);
}

int search_terms_add(struct search_terms *t, struct arena *a, const struct uuid *account_id,
    struct str search, struct err *err)
{
	struct words_writer w = {.a = a};
	struct str rest, part;
	char digits[DIGITS_MAX + 3];
	bool is_phrase, is_marked;
	size_t before = t->n;

	if (search.n > WORDS_SEARCH)
		return err_field(
		    err, ERR_INVALID, "search", "may have at most %d bytes", WORDS_SEARCH);
	if (!utf8_is_valid(search))
		return err_field(err, ERR_INVALID, "search", "is not UTF-8");
	account_code(w.code, account_id);
	rest = text_fold(a, search);
	if (phone_digits_of_text(rest, digits, &is_marked) > 0) { /* with spaces inside */
		terms_add_run(t, &w, rest);
		return 0;
	}
	while (search_next_part(&rest, &part, &is_phrase)) {
		bool fits;

		if (is_phrase) {
			char *words = words_of_folded(&w, part);

			fits = words[0] == '\0' || terms_add_phrase(t, a, words, false);
		} else {
			fits = terms_add_run(t, &w, part);
		}
		if (!fits || t->n - before > WORDS_TERMS)
			return err_field(
			    err, ERR_INVALID, "search", "may have at most %d words", WORDS_TERMS);
	}
	t->is_impossible = t->n == before;
	return 0;
}

void search_terms_add_kind(struct search_terms *t, struct arena *a, const struct uuid *account_id,
    char kind, struct str value)
{
	struct words_writer w = {.a = a};
	struct buf *b = buf_new(a, TEXT_MAX);

	account_code(w.code, account_id);
	words_put_kind(&w, b, kind, value);
	terms_add_phrase(t, a, arena_strndup(a, b->p, b->len - 1), false);
}

/* A number is compared by value: of its plain form any number of zeros may follow a fraction, and a
 * fraction of zeros the rest. One with an exponent may stand in many ways, and a text that looks
 * like it only in one: no word says both. */
void search_terms_add_value(
    struct search_terms *t, struct arena *a, const struct uuid *account_id, struct str value)
{
	struct words_writer w = {.a = a};
	bool is_number = number_is(value);
	struct str folded = is_number ? number_plain(a, value) : text_fold(a, value);
	char *words;

	if (is_number && has_exponent(value))
		return;
	account_code(w.code, account_id);
	words = folded.p == NULL || folded.n > WORDS_SEARCH ? arena_strdup(a, "")
							    : words_of_folded(&w, folded);
	if (words[0] != '\0')
		terms_add_phrase(t, a, words, is_number && memchr(folded.p, '.', folded.n) != NULL);
}

int search_terms_add_filter(
    struct search_terms *t, struct arena *a, const struct record_filter *f, struct err *err)
{
	if (f->search.p != NULL && search_terms_add(t, a, &f->account_id, f->search, err) == -1)
		return -1;
	for (size_t i = 0; i < f->nwhere; i++)
		search_terms_add_value(t, a, &f->account_id, f->where[i].value);
	return 0;
}

bool search_terms_fit(const struct search_terms *t, struct str words)
{
	for (size_t i = 0; i < t->n; i++)
		if (memmem(words.p, words.n, t->v[i].needle, strlen(t->v[i].needle)) == NULL)
			return false;
	return true;
}
