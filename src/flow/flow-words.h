/* A flow in words: what each step does, what each of its lists of steps is for. */
#ifndef FLOW_FLOW_WORDS_H
#define FLOW_FLOW_WORDS_H
#include "base/word.h"
#include "flow/flow-internal.h"

/* Names of what steps refer to by id. */
struct flow_words {
	struct app *app;
	struct arena *a;
	json_t *connections, *flows; /* {id: {"name"}} */
	json_t *tables;              /* {slug: name} */
};
int flow_words_open(struct flow_words *w, struct req *r, struct err *err);
/* "Goes on only if amount is more than 500". Arena-owned, as all below. */
const char *flow_words_of_step(const struct flow_words *w, const struct flow_step *s);
/* Its name, or what its kind or action is called. */
const char *flow_words_title(const struct flow_words *w, const struct flow_step *s);
/* The same of a step as it is stored. */
const char *flow_words_title_of(const struct flow_words *w, const json_t *step);
/* What a member of a stored step is called, by its dotted path: "inputMapping.channel" is
 * "Channel". */
const char *flow_words_field(const struct flow_words *w, const json_t *step, const char *path);
/* What stands in it, for a sentence: “#sales”, “amount is more than 500”, nothing. What was chosen
 * goes by its name, where the step or the account has that. */
const char *flow_words_value(
    const struct flow_words *w, const json_t *step, const char *path, const json_t *v);
/* What is chosen in a step's form by words of our own. */
extern const struct word flow_on_errors[], flow_operations[];
/* Of the n-th list: "If amount is more than 500", "Otherwise", "For each item". */
const char *flow_words_of_list(const struct flow_words *w, const struct flow_step *s, size_t n);
#endif
