/* What of a record is searched: its values folded into words of ASCII letters, digits and '_', each
 * with the account's code in front, and the same for what people type. */
#ifndef RECORD_RECORD_WORDS_H
#define RECORD_RECORD_WORDS_H
#include "record/record.h"

#define WORDS_CODE 4     /* characters of an account's code */
#define WORDS_TERMS 8    /* that one search may have */
#define WORDS_SEARCH 300 /* bytes of a search */

/* The searched text of a record (of it->data, compact JSON as json_text() makes it): a space, its
 * words in the order of its values, then further forms of some (an email or a date as one word, a
 * phone number by its last digits), each followed by a space. Bounded; what is beyond the bound is
 * not found. */
struct str record_words(struct arena *a, const struct record_item *it);

#define WORDS_INDEXED 12 /* words of a search that the index may be asked for */

/* One condition on the searched text: a word, the start of one, or words in a row. */
struct search_term {
	const char *needle; /* as it stands in the text */
	const char *like;   /* pattern of LIKE */
};
/* One word of the conditions. */
struct search_word {
	const char *like;
	const char *match; /* of MATCH … AGAINST in boolean mode */
};
struct search_terms {
	struct search_term v[WORDS_TERMS + 4];
	size_t n;
	struct search_word words[WORDS_INDEXED];
	size_t nwords;
	bool is_impossible; /* a search without any word: nothing matches */
};
/* Words (each also as the start of a word), emails, phone numbers, "phrases". ERR_INVALID on field
 * search when it is too long or has too many words. */
int search_terms_add(struct search_terms *t, struct arena *a, const struct uuid *account_id,
    struct str search, struct err *err);
/* Does the searched text of a record meet all of them? */
bool search_terms_fit(const struct search_terms *t, struct str words);
/* Words that a record of this provider, source or resource type has; kind 'p', 's' or 't'. */
void search_terms_add_kind(struct search_terms *t, struct arena *a, const struct uuid *account_id,
    char kind, struct str value);
/* Words that a record with this value in some field has (its own words as a phrase). */
void search_terms_add_value(
    struct search_terms *t, struct arena *a, const struct uuid *account_id, struct str value);
/* Those of a filter's search and of its fields' values; its types and source are no part of it.
 * Errors as of search_terms_add. */
int search_terms_add_filter(
    struct search_terms *t, struct arena *a, const struct record_filter *f, struct err *err);
#endif
