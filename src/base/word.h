/* Words that a status, a kind or a source may be: one table per subject, in its feature's header,
 * each word a constant of its own. Filters, checks and pages read the same table. */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include "base/str.h"

struct word {
	const char *text;  /* as it is stored and asked for; NULL ends a table */
	const char *label; /* what pages call it */
};

/* NULL when s is none of them. */
const struct word *word_find(const struct word *words, struct str s);
/* What pages call text; text itself when it is none of them. */
const char *word_label(const struct word *words, const char *text);

/* A word of which there are n in a sentence, and its ending: "1 lead", "2 leads". Of templates they
 * are the filters s and ies. */
#define plural(n, one, many) ((n) == 1 ? (one) : (many))
#define plural_s(n) plural(n, "", "s")

#endif
