/* Subscriptions: what a connection asks its provider to send webhooks for. A pure machine, as
 * poll.h: it says what to call with what, and reads what came. Who runs it, and keeps its rows, is
 * connection/subscription-run.c. */
#ifndef PROVIDER_SUBSCRIPTION_H
#define PROVIDER_SUBSCRIPTION_H
#include "provider/manifest.h"

/* The manifest's subscription of that name; NULL: it has none. */
const struct subscription_spec *provider_find_subscription(
    const struct provider *p, const char *name);
/* Is it asked for with the connection's settings, and has that the credentials to ask with? */
bool subscription_is_wanted(const struct subscription_spec *spec, const struct access *c);

struct subscription_ask {
	struct arena *a; /* owns all that is made */
	const struct provider *p;
	const struct subscription_spec *spec;
	const struct access *c;
	int64_t now_us;
	/* What is known of it, {"id","key","data"}; key is made for each creation: an id that the
	 * provider lets us choose. NULL: nothing. */
	json_t *known;
	json_t *form; /* whose it is, {"id"}, where it is of forms; or NULL */
};
/* The inputs of one of its calls; of the list's next page with its cursor, else NULL. */
json_t *subscription_inputs(
    const struct subscription_ask *ask, const struct call_spec *call, const json_t *page);

/* What a call, or an item of the list, tells of it. */
struct subscription_told {
	const char *id;     /* or NULL */
	int64_t expires_us; /* TIME_NONE: not told */
	json_t *known;      /* as ask->known shall be */
};
/* The item of a page of the list that is it: 1, 0 it is on none so far and *next is the cursor of
 * the next page, or NULL: it is not there; -1 the output has no list (ERR_MALFORMED). */
int subscription_find(const struct subscription_ask *ask, const json_t *output,
    struct subscription_told *out, const json_t **next, struct err *err);
/* After a creation or a renewal. */
void subscription_read(
    const struct subscription_ask *ask, const json_t *output, struct subscription_told *out);
/* Credentials that its creation has told (a signing secret), or the call that tells them where
 * there is one (secret_from), {KEY: TEXT}; empty: none. */
json_t *subscription_secrets(const struct subscription_ask *ask, const json_t *output);
#endif
