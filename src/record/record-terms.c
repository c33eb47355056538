/* What people search for, as conditions on the words of a record (record-words.c).
 *
 *   mia +49 30 23125 012      mia*  AND  (49* OR phone)  AND  (30* OR phone)  AND ...
 *
 * A condition may be met in several ways, because a text may be read in several: what looks like a
 * phone number is one in any spelling, or the words it is made of. A statement has TERMS_MOST
 * places for conditions, with a LIKE for each way and one more for long records, whose words do not
 * stand in the order of their text: there a phrase is at least all of its words. Places that are
 * not used let everything through. */
#include <ctype.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/number.h"
#include "record/record-words.h"

#define LIKE_MAX (16u * WORDS_SEARCH * 6u)
#define RUN_MAX (64u * 1024u) /* words of one search */

struct terms_writer {
	struct search_terms *t;
	struct words_writer w;
	struct arena *a;
	size_t left; /* conditions that may be added */
};

static void writer_begin(struct terms_writer *x, struct search_terms *t, struct arena *a,
    const struct uuid *account_id, size_t most)
{
	const size_t room = TERMS_MOST - t->n;

	*x =
	    (struct terms_writer){.t = t, .w = {.a = a}, .a = a, .left = most < room ? most : room};
	words_account_code(x->w.code, account_id);
}

/* ---- patterns ------------------------------------------------------------------------------ */

/* '_' stands for itself. */
static void like_add_words(struct buf *b, struct str words)
{
	for (size_t i = 0; i < words.n; i++) {
		if (words.p[i] == '_')
			buf_chr(b, '\\');
		buf_chr(b, words.p[i]);
	}
}

static const char *words_like(struct arena *a, struct str words, bool is_prefix)
{
	struct buf *b = buf_new(a, LIKE_MAX);

	buf_str(b, "% ");
	like_add_words(b, words);
	buf_str(b, is_prefix ? "%" : " %");
	return b->p;
}

static int word_compare(const void *x, const void *y)
{
	const struct str *a = x, *b = y;
	int order = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);

	return order != 0 ? order : (a->n > b->n) - (a->n < b->n);
}

static bool word_begins(struct str word, struct str start)
{
	return word.n >= start.n && memcmp(word.p, start.p, start.n) == 0;
}

/* What a long record must have of words in a row: all of them, in the order in which it has them.
 * The start of a word stands where its words would, or is one of the others' and asks for no more.
 * NULL for a single word. */
static const char *long_like(struct arena *a, const char *words, bool is_prefix)
{
	struct str v[WORDS_SEARCH + 1], rest = str_from(words), word, start = {NULL, 0};
	struct buf *b = buf_new(a, LIKE_MAX);
	size_t n = 0;

	while (n < WORDS_SEARCH && str_split(&rest, ' ', &word))
		v[n++] = word;
	if (n < 2)
		return NULL;
	if (is_prefix && rest.n == 0)
		start = v[n - 1];
	qsort(v, n, sizeof(v[0]), word_compare);
	buf_str(b, WORDS_LONG);
	for (size_t i = 0; i < n; i++) {
		const bool is_start = v[i].p == start.p;

		if (i + 1 < n && (is_start ? word_begins(v[i + 1], v[i]) : str_eq(v[i], v[i + 1])))
			continue;
		buf_str(b, "% ");
		like_add_words(b, v[i]);
		buf_str(b, is_start ? "" : " ");
	}
	buf_chr(b, '%');
	return b->p;
}

/* ---- conditions ---------------------------------------------------------------------------- */

/* The place of a word among those of the search; WORDS_INDEXED when there is no room. */
static size_t terms_place_word(
    struct terms_writer *x, const char *match, struct str word, bool is_prefix)
{
	struct search_terms *t = x->t;

	for (size_t i = 0; i < t->nwords; i++)
		if (strcmp(t->words[i].match, match) == 0)
			return i;
	if (t->nwords == WORDS_INDEXED)
		return WORDS_INDEXED;
	t->words[t->nwords] =
	    (struct search_word){.like = words_like(x->a, word, is_prefix), .match = match};
	return t->nwords++;
}

/* One more way to meet a condition: words in a row, the last of them also as the start of one. */
static void term_add_way(
    struct terms_writer *x, struct search_term *term, const char *words, bool is_prefix)
{
	struct search_way *way = &term->ways[term->n];
	struct str rest = str_from(words), word;

	if (term->n == TERM_WAYS)
		return;
	term->n++;
	*way =
	    (struct search_way){.needle = arena_printf(x->a, " %s%s", words, is_prefix ? "" : " "),
		.like = words_like(x->a, rest, is_prefix)};
	if (term->long_like == NULL)
		term->long_like = long_like(x->a, words, is_prefix);
	while (str_split(&rest, ' ', &word)) {
		const bool is_start = is_prefix && rest.n == 0;
		const char *match =
		    arena_printf(x->a, "%.*s%s", (int)word.n, word.p, is_start ? "*" : "");
		size_t at = terms_place_word(x, match, word, is_start);

		if (at < WORDS_INDEXED && way->nwords < WORDS_INDEXED)
			way->words[way->nwords++] = at;
	}
}

/* A new condition, or NULL where there is no room. */
static struct search_term *terms_add(struct terms_writer *x)
{
	struct search_term *term = &x->t->v[x->t->n];

	if (x->left == 0)
		return NULL;
	x->left--;
	x->t->n++;
	*term = (struct search_term){.n = 0};
	return term;
}

static bool terms_add_words(struct terms_writer *x, const char *words, bool is_prefix)
{
	struct search_term *term = terms_add(x);

	if (term != NULL)
		term_add_way(x, term, words, is_prefix);
	return term != NULL;
}

/* ---- what people type ---------------------------------------------------------------------- */

/* The words of a text with no space at the end; "" when it has none. */
static const char *words_of_folded(struct terms_writer *x, struct str folded)
{
	struct words_writer w = x->w;

	w.words = buf_new(x->a, RUN_MAX);
	words_put_folded(&w, folded);
	return arena_strndup(x->a, w.words->p, w.words->len > 0 ? w.words->len - 1 : 0);
}

/* An email, a date or a host's address as the one word that it has; else its words in a row. */
static const char *words_of_run(struct terms_writer *x, struct str run)
{
	struct buf *joined = buf_new(x->a, RUN_MAX);
	char compound[WORDS_COMPOUND];
	struct str email;

	if (words_compound(run, compound) > 0)
		return arena_printf(x->a, "%s%s", x->w.code, compound);
	if (words_are_one_email(run, &email))
		words_put_joined(&x->w, joined, email);
	if (joined->len > 0)
		return arena_strndup(x->a, joined->p, joined->len - 1);
	return words_of_folded(x, run);
}

/* A run of the search between spaces, of a phone number or not. */
static bool terms_add_run(struct terms_writer *x, struct str run, const struct phone_asked *phone)
{
	const char *words = words_of_run(x, run);
	struct search_term *term;

	if (words[0] == '\0')
		return true;
	if ((term = terms_add(x)) == NULL)
		return false;
	term_add_way(x, term, words, true);
	if (phone != NULL) {
		term_add_way(x, term, arena_printf(x->a, "%s%s", x->w.code, phone->digits), true);
		if (phone->national[0] != '\0')
			term_add_way(
			    x, term, arena_printf(x->a, "%s%s", x->w.code, phone->national), true);
	}
	return true;
}

static size_t runs_in(struct str s)
{
	struct str run;
	size_t n = 0;

	while (str_split(&s, ' ', &run))
		n += run.n > 0;
	return n;
}

/* Each of its words, or the number that they are. One with more groups than a search may have words
 * is asked for in a row. */
static bool terms_add_phone(
    struct terms_writer *x, struct str digits, const struct phone_asked *phone)
{
	struct str run;

	if (runs_in(digits) > x->left)
		return terms_add_run(x, digits, phone);
	while (str_split(&digits, ' ', &run))
		if (!terms_add_run(x, run, phone))
			return false;
	return true;
}

/* Takes off *rest the longest beginning that is a phone number with its prefix, spaces and all. */
static bool search_take_phone(struct str *rest, struct str *digits, struct phone_asked *phone)
{
	struct phone_asked longer;
	size_t taken = 0;

	if (rest->p[0] != '+' && rest->p[0] != '0' && rest->p[0] != '(')
		return false;
	for (size_t i = 1; i <= rest->n; i++) {
		if (i < rest->n && rest->p[i] != ' ')
			continue;
		if (phone_is_asked((struct str){rest->p, i}, &longer)) {
			*phone = longer;
			taken = i;
		} else if (taken > 0) {
			break;
		}
	}
	*digits = (struct str){rest->p, taken};
	*rest = (struct str){rest->p + taken, rest->n - taken};
	return taken > 0;
}

/* The next "phrase", phone number or run. */
static bool terms_add_next(struct terms_writer *x, struct str *rest)
{
	struct phone_asked phone;
	struct str part;

	if (search_take_phone(rest, &part, &phone))
		return terms_add_phone(x, part, &phone);
	if (rest->p[0] != '"') {
		str_split(rest, ' ', &part);
		return terms_add_run(x, part, phone_is_asked(part, &phone) ? &phone : NULL);
	}
	*rest = (struct str){rest->p + 1, rest->n - 1};
	if (!str_split(rest, '"', &part))
		return true;
	const char *words = words_of_folded(x, part);

	return words[0] == '\0' || terms_add_words(x, words, false);
}

/* Blanks of any kind are spaces: folding leaves those that control. */
static struct str search_fold(struct arena *a, struct str search)
{
	struct str s = words_fold(a, search);
	char *p = arena_alloc(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = (char)((unsigned char)s.p[i] < ' ' ? ' ' : s.p[i]);
	return str_trim((struct str){p, s.n});
}

int search_terms_add(struct search_terms *t, struct arena *a, const struct uuid *account_id,
    struct str search, struct err *err)
{
	struct terms_writer x;
	struct phone_asked phone;
	struct str rest;
	size_t before = t->n;
	bool fits = true;

	if (search.n > WORDS_SEARCH)
		return err_field(
		    err, ERR_INVALID, "search", "may have at most %d bytes", WORDS_SEARCH);
	if (!utf8_is_valid(search))
		return err_field(err, ERR_INVALID, "search", "is not UTF-8");
	writer_begin(&x, t, a, account_id, WORDS_TERMS);
	rest = search_fold(a, search);
	if (phone_is_asked(rest, &phone)) {
		fits = terms_add_phone(&x, rest, &phone);
		rest.n = 0;
	}
	for (; fits && rest.n > 0; rest = str_trim(rest))
		fits = terms_add_next(&x, &rest);
	if (!fits)
		return err_field(
		    err, ERR_INVALID, "search", "may have at most %d words", WORDS_TERMS);
	for (size_t i = before; i < t->n; i++)
		t->has_order = t->has_order || t->v[i].long_like != NULL;
	t->is_impossible = t->n == before;
	return 0;
}

/* ---- what filters know --------------------------------------------------------------------- */

void search_terms_add_kind(struct search_terms *t, struct arena *a, const struct uuid *account_id,
    char kind, struct str value)
{
	struct terms_writer x;
	struct buf *b = buf_new(a, RUN_MAX);

	writer_begin(&x, t, a, account_id, 1);
	words_put_kind(&x.w, b, kind, value);
	(void)terms_add_words(&x, arena_strndup(a, b->p, b->len - 1), false);
}

/* The key that the last values of a path stand under; NULL where that may be another: the place of
 * an element, or a key that looks like one. */
static const char *where_key(const struct path *path)
{
	size_t n = path_steps(path);
	const char *key;

	while (n > 0 && path_step_key(path, n - 1) == NULL)
		n--;
	key = n == 0 ? NULL : path_step_key(path, n - 1);
	return key == NULL || isdigit((unsigned char)*key) ? NULL : key;
}

/* A boolean, or a text that reads like one. */
static void where_add_boolean(struct terms_writer *x, const struct record_where *where)
{
	const char *key = where_key(where->path);
	struct buf *b = buf_new(x->a, RUN_MAX);
	struct search_term *term = key == NULL ? NULL : terms_add(x);

	if (term == NULL)
		return;
	words_put_boolean(&x->w, b, str_from(key), where->value.p[0] == 't');
	term_add_way(x, term, arena_strndup(x->a, b->p, b->len - 1), false);
	term_add_way(x, term, words_of_folded(x, where->value), false);
}

/* Of a long value the words that are surely whole. */
static const char *where_words(struct terms_writer *x, struct str folded)
{
	struct str most = utf8_cut(folded, WORDS_SEARCH);
	const char *words = words_of_folded(x, most), *last;

	if (most.n == folded.n)
		return words;
	last = strrchr(words, ' ');
	return last == NULL ? "" : arena_strndup(x->a, words, (size_t)(last - words));
}

/* A number is compared by value: of its plain form any number of zeros may follow a fraction, and a
 * fraction of zeros the rest. One with an exponent may stand in many ways, and a text that looks
 * like it only in one: no word says both. Of null there is none. */
void search_terms_add_where(struct search_terms *t, struct arena *a, const struct uuid *account_id,
    const struct record_where *where)
{
	const bool is_number = number_is(where->value);
	struct terms_writer x;
	struct str folded;
	const char *words;

	if (strcmp(where->op, RECORD_WHERE_IS) != 0)
		return;
	writer_begin(&x, t, a, account_id, 1);
	if (str_is(where->value, "true") || str_is(where->value, "false")) {
		where_add_boolean(&x, where);
		return;
	}
	if ((is_number && words_has_exponent(where->value)) || str_is(where->value, "null"))
		return;
	folded = is_number ? number_plain(a, where->value) : words_fold(a, where->value);
	words = folded.p == NULL ? "" : where_words(&x, folded);
	if (words[0] != '\0')
		(void)terms_add_words(
		    &x, words, is_number && memchr(folded.p, '.', folded.n) != NULL);
}

int search_terms_add_filter(
    struct search_terms *t, struct arena *a, const struct record_filter *f, struct err *err)
{
	if (f->search.p != NULL && search_terms_add(t, a, &f->account_id, f->search, err) == -1)
		return -1;
	for (size_t i = 0; i < f->nwhere; i++)
		search_terms_add_where(t, a, &f->account_id, &f->where[i]);
	return 0;
}

/* ---- looking ------------------------------------------------------------------------------- */

static bool term_fits(const struct search_term *term, struct str words)
{
	for (size_t i = 0; i < term->n; i++)
		if (memmem(words.p, words.n, term->ways[i].needle, strlen(term->ways[i].needle)) !=
		    NULL)
			return true;
	return false;
}

bool search_terms_fit(const struct search_terms *t, struct str words)
{
	for (size_t i = 0; i < t->n; i++)
		if (!term_fits(&t->v[i], words))
			return false;
	return true;
}

size_t search_terms_values(const struct search_terms *t, struct db_val v[SEARCH_VALUES])
{
	size_t n = 0;

	for (size_t i = 0; i < TERMS_MOST; i++) {
		for (size_t k = 0; k < TERM_WAYS; k++)
			v[n++] = i >= t->n       ? (k == 0 ? db_str("%") : db_null())
				 : k < t->v[i].n ? db_str(t->v[i].ways[k].like)
						 : db_null();
		v[n++] = i < t->n ? db_str(t->v[i].long_like) : db_null();
	}
	return n;
}

bool search_row_fits(struct arena *a, const struct search_terms *t, enum search_check check,
    const struct record_item *it)
{
	if (check == SEARCH_IS_CHECKED || (check == SEARCH_IS_LONG && !t->has_order))
		return true;
	return search_terms_fit(t, record_words_all(a, it));
}
