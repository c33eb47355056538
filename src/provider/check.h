/* What the kinds of examples share. */
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
};
void check_report(struct check_run *t, bool is_ok, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void check_compare(
    struct check_run *t, const char *what, const json_t *expected, const json_t *got);
/* Texts by name; -1 where one is none. */
int example_read_pairs(
    struct check_run *t, const json_t *object, bool is_header, struct http_pairs *out);
struct access *example_read_access(struct check_run *t, const json_t *example);
struct str example_read_body(struct check_run *t, const json_t *v);
json_t *http_call_json(struct check_run *t, const struct http_call *call);

/* An example with "oauth" (check-oauth.c). */
void check_oauth(struct check_run *t, const json_t *example, const json_t *expect);
#endif
