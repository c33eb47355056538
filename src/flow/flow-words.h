/* A flow in words: what each step does, what each of its lists of steps is for. */
#ifndef FLOW_FLOW_WORDS_H
#define FLOW_FLOW_WORDS_H
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
/* Of the n-th list: "If amount is more than 500", "Otherwise", "For each item". */
const char *flow_words_of_list(const struct flow_words *w, const struct flow_step *s, size_t n);
#endif
