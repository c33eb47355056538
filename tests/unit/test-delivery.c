/* What an answer makes of a delivery: every (provider, answer) to its attempts, waits, state,
 * words. */
#include <string.h>

#include <CUnit/CUnit.h>

#include "base/arena.h"
#include "base/clock.h"
#include "core-check.h"
#include "delivery/delivery.h"
#include "provider/provider-internal.h"

void suite_delivery(void);

#define START_US (INT64_C(1764500000) * SECOND_US)
#define ROUNDS 8

struct answer_row {
	int line;
	const char *provider;
	int status;
	const char *retry_after, *type, *body;
	/* of the first round: */
	int attempts;
	int64_t wait_least_ms, wait_most_ms; /* between the first two, where there are two */
	const char *status_word;             /* after it */
	bool is_again;                       /* a later round follows, and at last it is dead */
	const char *says;                    /* within what the page says */
};

#define NONE NULL, NULL, NULL
#define PLAIN(p, s, n, word, again, says)                                                          \
	{                                                                                          \
		__LINE__, p, s, NONE, n, 750, 1000, word, again, says                              \
	}

static const struct answer_row rows[] = {
    PLAIN("custom_crm", 201, 1, "success", false, ""),
    PLAIN("custom_crm", 204, 1, "success", false, ""),
    PLAIN("custom_crm", 301, 1, "failed", false, "HTTP 301"),
    PLAIN("custom_crm", 400, 1, "failed", false, "HTTP 400"),
    PLAIN("custom_crm", 401, 1, "failed", true, "HTTP 401"),
    PLAIN("custom_crm", 403, 1, "failed", false, "HTTP 403"),
    PLAIN("custom_crm", 404, 1, "failed", false, "HTTP 404"),
    PLAIN("custom_crm", 409, 1, "failed", false, "HTTP 409"),
    PLAIN("custom_crm", 422, 1, "failed", false, "HTTP 422"),
    PLAIN("custom_crm", 429, 3, "failed", true, "HTTP 429"),
    PLAIN("custom_crm", 500, 3, "failed", true, "HTTP 500"),
    PLAIN("custom_crm", 503, 3, "failed", true, "HTTP 503"),
    {__LINE__, "custom_crm", 429, "2", NULL, NULL, 3, 2000, 2000, "failed", true, "HTTP 429"},
    {__LINE__, "custom_crm", 429, "2.5", NULL, NULL, 3, 2500, 2500, "failed", true, "HTTP 429"},
    {__LINE__, "custom_crm", 429, "900", NULL, NULL, 3, 15000, 15000, "failed", true, "HTTP 429"},
    {__LINE__, "custom_crm", 503, "Sun, 30 Nov 2036 10:53:25 GMT", NULL, NULL, 3, 15000, 15000,
	"failed", true, "HTTP 503"},
    {__LINE__, "custom_crm", 200, NULL, "text/html", "<html>Sign in</html>", 3, 750, 1000, "failed",
	true, "a web page"},
    {__LINE__, "custom_crm", 200, NULL, NULL, "{\"success\":false}", 1, 0, 0, "success", false, ""},
    {__LINE__, "custom_crm", 200, NULL, NULL, "not JSON", 1, 0, 0, "success", false, ""},
    PLAIN("hubspot", 201, 1, "success", false, ""),
    PLAIN("hubspot", 500, 3, "failed", true, "HTTP 500"),
    PLAIN("hubspot", 429, 3, "failed", true, "HTTP 429"),
    PLAIN("hubspot", 400, 1, "failed", false, "HTTP 400"),
    {__LINE__, "hubspot", 429, NULL, NULL,
	"{\"errorType\":\"RATE_LIMIT\",\"policyName\":\"TEN_SECONDLY_ROLLING\"}", 3, 10000, 10000,
	"failed", true, "RATE_LIMIT"},
    {__LINE__, "hubspot", 429, NULL, NULL,
	"{\"errorType\":\"RATE_LIMIT\",\"policyName\":\"DAILY\"}", 3, 15000, 15000, "failed", true,
	"DAILY"},
    {__LINE__, "hubspot", 403, NULL, NULL, "{\"errorType\":\"RATE_LIMIT\"}", 3, 750, 1000, "failed",
	true, "RATE_LIMIT"},
    {__LINE__, "hubspot", 403, NULL, NULL, "{\"category\":\"MISSING_SCOPES\"}", 1, 0, 0, "failed",
	false, "a scope is missing"},
    {__LINE__, "hubspot", 207, NULL, NULL, "{\"errors\":[{\"message\":\"no\"}]}", 1, 0, 0, "failed",
	false, "HTTP 207"},
    PLAIN("salesforce", 201, 1, "success", false, ""),
    PLAIN("salesforce", 500, 3, "failed", true, "HTTP 500"),
    PLAIN("salesforce", 420, 3, "failed", true, "HTTP 420"),
    PLAIN("salesforce", 300, 1, "failed", false, "Several records"),
    {__LINE__, "salesforce", 403, NULL, NULL, "[{\"errorCode\":\"REQUEST_LIMIT_EXCEEDED\"}]", 3,
	15000, 15000, "failed", true, "REQUEST_LIMIT_EXCEEDED"},
    {__LINE__, "salesforce", 403, NULL, NULL, "[{\"errorCode\":\"INSUFFICIENT_ACCESS\"}]", 1, 0, 0,
	"failed", false, "INSUFFICIENT_ACCESS"},
    {__LINE__, "salesforce", 400, NULL, NULL, "[{\"errorCode\":\"UNABLE_TO_LOCK_ROW\"}]", 3, 750,
	1000, "failed", true, "UNABLE_TO_LOCK_ROW"},
    {__LINE__, "salesforce", 400, NULL, NULL, "[{\"errorCode\":\"DUPLICATES_DETECTED\"}]", 1, 0, 0,
	"failed", false, "DUPLICATES_DETECTED"},
    {__LINE__, "salesforce", 400, NULL, NULL, "[{\"errorCode\":\"REQUIRED_FIELD_MISSING\"}]", 1, 0,
	0, "failed", false, "REQUIRED_FIELD_MISSING"},
    PLAIN("salesforce", 401, 1, "failed", true, "HTTP 401"),
};

/* By the manifest's rules; a token that cannot be had anew is refused, as connection_call has it.
 */
static void answer_read(struct arena *a, struct providers *ps, const struct answer_row *row,
    int64_t now_us, struct call_result *res)
{
	struct provider *p = (struct provider *)provider_find(ps, str_from(row->provider));
	const struct access c = {
	    .settings = json_parse(a, STR("{\"url\":\"https://crm.example/in\"}"), NULL)};
	const struct action_call k = {
	    .a = a, .p = p, .c = &c, .act = provider_find_action(p, "push"), .now_us = now_us};
	const struct http_call call = {.method = "POST", .url = "https://crm.example/in"};
	struct http_pair headers[2];
	struct http_answer ans = {.status = row->status,
	    .headers = {headers, 0},
	    .body = str_from(row->body == NULL ? "" : row->body)};

	if (row->retry_after != NULL)
		headers[ans.headers.n++] =
		    (struct http_pair){STR("retry-after"), str_from(row->retry_after)};
	if (row->type != NULL)
		headers[ans.headers.n++] =
		    (struct http_pair){STR("content-type"), str_from(row->type)};
	action_read(&k, &call, &ans, res);
	if (res->class == CALL_REFRESH)
		res->class = CALL_AUTH;
}

/* A round: attempts until none follows at once. */
static int round_run(struct arena *a, struct providers *ps, const struct answer_row *row,
    struct delivery_course *c, int64_t *now_us)
{
	const struct call_policy policy = {.attempts = 3, .first_ms = 1000, .most_ms = 15000};

	for (int n = 1;; n++) {
		struct call_result res;
		int64_t again_ms;

		answer_read(a, ps, row, *now_us, &res);
		again_ms = call_policy_next_ms(&policy, n, &res);
		delivery_after(c, &res, again_ms, false, *now_us);
		if (c->then != DELIVERY_WAIT)
			return n;
		CHECK_AT(row->line, c->again_us == *now_us + again_ms * 1000);
		if (n == 1)
			CHECK_AT(row->line,
			    again_ms >= row->wait_least_ms && again_ms <= row->wait_most_ms);
		*now_us = c->again_us;
	}
}

static void answers(void)
{
	static const int64_t minutes[ROUNDS] = {5, 30, 120, 300, 600, 840, 1200, 1440};
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct providers *ps = providers_load(a, CONNECT_SRCDIR "/providers", &err);
	struct job job = {.a = a};

	REQUIRE(ps != NULL);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct answer_row *row = &rows[i];
		struct delivery_state state = {.status = DELIVERY_PENDING};
		struct delivery_course c = delivery_begin(&job, &job, &state);
		int64_t now_us = START_US;
		int attempts = round_run(a, ps, row, &c, &now_us);

		CHECK_AT(row->line, attempts == row->attempts);
		CHECK_AT(row->line, TEXT_EQ(c.state.status, row->status_word));
		CHECK_AT(row->line, (c.then == DELIVERY_LATER) == row->is_again);
		CHECK_AT(row->line,
		    row->says[0] == '\0'
			? c.state.error == NULL
			: c.state.error != NULL && strstr(c.state.error, row->says) != NULL);
		for (int round = 0; row->is_again && round < ROUNDS; round++) {
			CHECK_AT(
			    row->line, c.state.next_us == now_us + minutes[round] * 60 * SECOND_US);
			now_us = c.state.next_us;
			CHECK_AT(row->line, round_run(a, ps, row, &c, &now_us) == row->attempts);
		}
		if (row->is_again)
			CHECK_AT(row->line, c.then == DELIVERY_GIVEN_UP && c.state.next_us == 0 &&
						TEXT_EQ(c.state.status, "dead"));
	}
	arena_free(a);
}

/* A target that is ill still: no try of the round, and none of its waits. */
static void ill_targets(void)
{
	struct job job = {.id = {{0}}};
	struct delivery_state state = {.status = DELIVERY_PENDING, .rounds = 8};
	struct delivery_course c = delivery_begin(&job, &job, &state);
	const struct call_result res = {.class = CALL_RETRY, .retry_after_ms = -1, .error = "down"};

	delivery_after(&c, &res, -1, true, START_US);
	CHECK(c.then == DELIVERY_WAIT && !c.is_counted && c.again_us == START_US);
	CHECK(c.state.rounds == 8 && TEXT_EQ(c.state.status, "pending"));
	delivery_put_back(&c, START_US + 5);
	CHECK(c.then == DELIVERY_WAIT && !c.is_counted && c.state.next_us == START_US + 5);
}

void suite_delivery(void)
{
	ADD_TESTS("delivery", {"every answer of every provider", answers},
	    {"a target that is ill", ill_targets});
}
