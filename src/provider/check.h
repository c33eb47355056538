/* What the kinds of examples share: see "Examples" in providers/README.md. */
#ifndef PROVIDER_CHECK_H
#define PROVIDER_CHECK_H
#include "provider/provider-internal.h"

struct http_call;
struct check_run {
	struct arena *a;
	const struct provider *p;
	struct buf *out;
	int number, failures;
	const char *name; /* of the example */
	/* What the examples have shown so far (check-coverage.c): lists' paging, error rules,
	 * actions that subscriptions call. */
	const void **seen;
	size_t nseen, seen_cap;
};
/* A line of TAP; what was wrong goes below it. */
void check_report(struct check_run *t, bool is_ok, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void check_compare(
    struct check_run *t, const char *what, const json_t *expected, const json_t *got);

/* Pieces of an example: its connection; headers or a query, -1 where they are no texts; a body: the
 * text as it is, or "json" in its compact form (for what is not signed). */
struct access *example_read_access(struct check_run *t, const json_t *example);
int example_read_pairs(
    struct check_run *t, const json_t *object, bool is_header, struct http_pairs *out);
struct str example_read_body(struct check_run *t, const json_t *v);
/* An item as examples write it: what it does not have is left out. A new reference. */
json_t *webhook_item_json(const struct webhook_item *i);

/* Examples of the kinds poll and subscription (check-poll.c, check-subscription.c). */
void check_poll(struct check_run *t, const json_t *example, const json_t *expect);
void check_subscription(struct check_run *t, const json_t *example, const json_t *expect);
/* What an example shows. */
void check_saw(struct check_run *t, const void *what);
/* The second page of a list, going by its inputs, and the error rule of an answer. */
void check_saw_call(struct check_run *t, const struct action *act, const json_t *inputs,
    const struct call_result *res);
/* Is all shown that has to be? A failure for each that is not. */
void check_coverage(struct check_run *t);
json_t *http_call_json(struct check_run *t, const struct http_call *call);
/* An example with "oauth" (check-oauth.c). */
void check_oauth(struct check_run *t, const json_t *example, const json_t *expect);
#endif
