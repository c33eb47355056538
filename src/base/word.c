#include "base/word.h"

#include <stddef.h>

const struct word *word_find(const struct word *words, struct str s)
{
	for (; words->text != NULL; words++)
		if (str_is(s, words->text))
			return words;
	return NULL;
}

const char *word_label(const struct word *words, const char *text)
{
	const struct word *w = word_find(words, str_from(text));

	return w != NULL ? w->label : text;
}
