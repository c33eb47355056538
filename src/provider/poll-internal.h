/* What the files of the polls' machine share. */
#ifndef PROVIDER_POLL_INTERNAL_H
#define PROVIDER_POLL_INTERNAL_H
#include "provider/poll.h"
#include "provider/provider-internal.h"

/* Brent's search for a cycle: the page's cursor at step 1, 2, 4, 8 … is remembered, so a ring of
 * any length is met. Kept as members of a position. */
struct poll_ring {
	json_t *mark;
	int64_t steps, limit;
};
struct poll_ring poll_ring_read(const json_t *o);
void poll_ring_write(json_t *o, const struct poll_ring *ring);
/* The cursor of the next page, the arena's; NULL: it came before (ERR_CONFLICT). */
json_t *poll_turn(const struct poll_ask *ask, struct poll_ring *ring, const json_t *page,
    const json_t *next, struct err *err);
/* Of an output; NULL: it was the last page. */
const json_t *poll_next_cursor(const json_t *output);

bool action_takes(const struct action *act, const char *input);
/* Does it give that input by itself? */
bool poll_gives(const struct poll_spec *s, const char *input);

/* A round that is of no form, or of one: poll_next and poll_take of it (poll.c). */
const struct action *poll_round_next(
    const struct poll_ask *ask, struct poll_state *st, json_t **inputs);
int poll_round_take(const struct poll_ask *ask, const struct poll_state *st, const json_t *output,
    struct poll_page *out, struct err *err);
/* How far a round that is of no form is: percent, or -1. */
int poll_round_percent(const struct poll_ask *ask, const struct poll_state *st);
/* A round of all forms, or of the one that is asked for (poll-forms.c). */
const struct action *poll_forms_next(
    const struct poll_ask *ask, struct poll_state *st, json_t **inputs);
int poll_forms_take(const struct poll_ask *ask, const struct poll_state *st, const json_t *output,
    struct poll_page *out, struct err *err);
#endif
