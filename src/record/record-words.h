/* What of a record is searched: its values folded into words of ASCII letters, digits and '_', each
 * with the account's code in front, and the same for what people type. */
#ifndef RECORD_RECORD_WORDS_H
#define RECORD_RECORD_WORDS_H
#include "record/record.h"

#define WORDS_CODE 4     /* characters of an account's code */
#define WORDS_TERMS 8    /* that one search may have */
#define WORDS_SEARCH 300 /* bytes of a search */

/* ---- of a record (record-words.c) ---------------------------------------------------------- */

/* All words of a record (of it->data, compact JSON as json_text() makes it): a space, the words in
 * the order of its values, then further forms of some (an email or a date as one word, a phone
 * number by its last digits, booleans with their key), each followed by a space. Pure. */
struct str record_words_all(struct arena *a, const struct record_item *it);
/* What is stored of them: the same while that is short; of a longer record WORDS_LONG, then each
 * word once, in the order of their bytes, with a space before and behind. So nothing of a record is
 * left out, but words in a row are found in it only by looking at the payload. */
#define WORDS_LONG "~"
#define WORDS_ORDERED (16u * 1024u) /* bytes of words that are kept in their order */
struct str record_words(struct arena *a, const struct record_item *it);
/* Payloads above this are indexed behind the answer, whoever writes them. */
#define WORDS_AT_ONCE (16u * 1024u)

/* ---- what both sides share ----------------------------------------------------------------- */

struct words_writer {
	struct buf *words, *extra; /* in order; further forms, or NULL for none */
	char code[WORDS_CODE + 1];
	struct arena *a;
};
void words_account_code(char out[WORDS_CODE + 1], const struct uuid *id);
/* Folded: lower case, no accents, compatibility forms resolved; {NULL,0} when it is no UTF-8. */
struct str words_fold(struct arena *a, struct str s);
/* Every word of a folded text, in order, to w->words; dates and addresses of hosts as one word to
 * w->extra. */
void words_put_folded(struct words_writer *w, struct str s);
/* One run without spaces as one word, what stands between its letters as '_'; nothing where that is
 * among the plain words. */
void words_put_joined(struct words_writer *w, struct buf *b, struct str run);
/* Is a run one email and nothing else but marks around it? */
bool words_are_one_email(struct str run, struct str *out);
/* A date, or an address of a host, as one word without code ("2026_03_07"): the length of what was
 * written to out, 0 when the run is neither, from its first letter to its last. */
#define WORDS_COMPOUND 24
size_t words_compound(struct str run, char out[WORDS_COMPOUND]);
/* The word of a boolean that stands under a key. */
void words_put_boolean(struct words_writer *w, struct buf *b, struct str key, bool value);
/* What the word of kind 'c' says of a connection. */
struct str words_connection(struct arena *a, const struct uuid *id);
void words_put_kind(struct words_writer *w, struct buf *b, char kind, struct str value);
bool words_has_exponent(struct str number);

/* Phone numbers within a text (record-phones.c). */
#define PHONE_DIGITS_LEAST 7
#define PHONE_DIGITS_MOST 15
void words_put_phones(struct words_writer *w, struct str folded);
/* Of a search that is digits and the marks of phone numbers alone: true, with the words (without
 * code) that such a number has, however it is written; the first is also the start of a word. */
struct phone_asked {
	char digits[PHONE_DIGITS_MOST + 3]; /* all of them, without zeros in front */
	char national[PHONE_DIGITS_MOST +
		      6]; /* as the word of one that is written nationally, or "" */
};
bool phone_is_asked(struct str folded, struct phone_asked *out);

/* ---- of a search (record-terms.c) ---------------------------------------------------------- */

#define WORDS_INDEXED 12 /* words of a search that the index may be asked for */
#define TERM_WAYS 3
#define TERMS_MOST (WORDS_TERMS + 4) /* conditions of a statement */

/* One way to meet a condition: a word, the start of one, or words in a row. */
struct search_way {
	const char *needle;                  /* as it stands in the words of a record */
	const char *like;                    /* pattern of LIKE */
	size_t words[WORDS_INDEXED], nwords; /* of struct search_terms */
};
/* One condition: any of its ways. */
struct search_term {
	struct search_way ways[TERM_WAYS];
	size_t n;
	const char
	    *long_like; /* of what WORDS_LONG begins: the least it must have; NULL: as ways say */
};
/* One word of the conditions. */
struct search_word {
	const char *like;
	const char *match; /* of MATCH … AGAINST in boolean mode, without '+' */
};
struct search_terms {
	struct search_term v[TERMS_MOST];
	size_t n;
	struct search_word words[WORDS_INDEXED];
	size_t nwords;
	bool is_impossible; /* a search without any word: nothing matches */
	bool has_order; /* of the search: words in a row, which a long record must be looked at for
			 */
};
/* Words (each also as the start of a word), emails, phone numbers, "phrases". ERR_INVALID on field
 * search when it is too long or has too many words. */
int search_terms_add(struct search_terms *t, struct arena *a, const struct uuid *account_id,
    struct str search, struct err *err);
/* Do all words of a record meet all of them? */
bool search_terms_fit(const struct search_terms *t, struct str words_all);
/* Words that a record of this provider, source, resource type or connection has; kind 'p', 's', 't'
 * or 'c'. */
void search_terms_add_kind(struct search_terms *t, struct arena *a, const struct uuid *account_id,
    char kind, struct str value);
/* Words that a record surely has which has this value at that path: none where no word is sure. */
void search_terms_add_where(struct search_terms *t, struct arena *a, const struct uuid *account_id,
    const struct record_where *where);
/* Those of a filter's search and of its fields' values; its types and source are no part of it.
 * Errors as of search_terms_add. */
int search_terms_add_filter(
    struct search_terms *t, struct arena *a, const struct record_filter *f, struct err *err);

/* ---- in statements -------------------------------------------------------------------------- */

/* Condition on `s`, a row of record_search or none, and `q`, its place in record_search_queue or
 * none: do the stored words fit, as far as they tell? Where there are none yet the payload tells.
 * SEARCH_CHECK says what is left to do with a row that came. Values by search_terms_values. */
#define SEARCH_TERM " AND (s.words LIKE ? OR s.words LIKE ? OR s.words LIKE ? OR s.words LIKE ?)"
#define SEARCH_FITS                                                                                \
	" (q.record_id IS NOT NULL OR s.record_id IS NULL OR (TRUE" SEARCH_TERM SEARCH_TERM        \
	    SEARCH_TERM SEARCH_TERM SEARCH_TERM SEARCH_TERM SEARCH_TERM SEARCH_TERM SEARCH_TERM    \
		SEARCH_TERM SEARCH_TERM SEARCH_TERM "))"
#define SEARCH_CHECK                                                                               \
	" CASE WHEN q.record_id IS NOT NULL OR s.record_id IS NULL THEN 2"                         \
	" WHEN s.words LIKE '" WORDS_LONG "%' THEN 1 ELSE 0 END"
enum search_check {
	SEARCH_IS_CHECKED, /* the words are met */
	SEARCH_IS_LONG,    /* but for their order */
	SEARCH_IS_WAITING  /* nothing is known */
};
#define SEARCH_VALUES (4 * TERMS_MOST)
size_t search_terms_values(const struct search_terms *t, struct db_val v[SEARCH_VALUES]);
/* Has a row that came all words of the search? */
bool search_row_fits(struct arena *a, const struct search_terms *t, enum search_check check,
    const struct record_item *it);
#endif
