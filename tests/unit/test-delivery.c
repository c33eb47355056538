/* What an answer makes of a delivery: every (provider, answer) to its attempts, waits, state,
 * words. */
#include <string.h>

#include <CUnit/CUnit.h>

#include "base/arena.h"
#include "base/clock.h"
#include "connection/connection-pages.h"
#include "core-check.h"
#include "delivery/delivery.h"
#include "provider/provider-internal.h"

void suite_delivery(void);

#define START_US (INT64_C(1764500000) * SECOND_US)
#define START_PLUS_7 "Sun, 30 Nov 2025 10:53:27 GMT"
#define ROUNDS 8

/* An answer, or none (failure), and what comes of it. */
struct answer_row {
	int line;
	const char *provider;
	int status;
	enum err_code failure; /* with status 0: why no answer came */
	const char *retry_after, *type, *body;
	/* of the first round: */
	int attempts;
	int64_t wait_least_ms, wait_most_ms; /* between the first two, where there are two */
	const char *status_word;             /* after it */
	bool is_again;                       /* a later round follows, and at last it is dead */
	const char *says;                    /* within the error that is kept */
	const char *page;                    /* within what pages say of it */
};

#define RETRIED 3, 750, 1000, "failed", true /* by itself, and in later rounds */
#define REFUSED 1, 0, 0, "failed", false
#define LET_IN_LATER 1, 0, 0, "failed", true /* who looks after it may mend it */
#define TAKEN 1, 0, 0, "success", false, "", ""
#define WAITED(ms) 3, ms, ms, "failed", true

#define ROW(p, ...)                                                                                \
	{                                                                                          \
		__LINE__, p, __VA_ARGS__                                                           \
	}
#define EACH(...)                                                                                  \
	ROW("custom_crm", __VA_ARGS__), ROW("hubspot", __VA_ARGS__), ROW("salesforce", __VA_ARGS__)
#define STATUS(s) s, 0, NULL, NULL, NULL
#define AFTER(s, retry_after) s, 0, retry_after, NULL, NULL
#define BODY(s, body) s, 0, NULL, "application/json", body
#define PAGE(s) s, 0, NULL, "text/html; charset=utf-8", "<html><title>Sign in</title></html>"
#define NO_ANSWER(code) 0, code, NULL, NULL, NULL
#define LESS_OFTEN "The other side asked to be called less often (429)."

static const struct answer_row rows[] = {
    EACH(STATUS(200), TAKEN),
    EACH(STATUS(201), TAKEN),
    EACH(STATUS(202), TAKEN),
    EACH(STATUS(204), TAKEN),
    /* never turned into a GET that counts as a success */
    EACH(STATUS(301), REFUSED, "HTTP 301", "The other side has moved to another address (301)."),
    EACH(STATUS(302), REFUSED, "HTTP 302", "The other side has moved to another address (302)."),
    EACH(STATUS(307), REFUSED, "HTTP 307", "The other side has moved to another address (307)."),
    EACH(STATUS(308), REFUSED, "HTTP 308", "The other side has moved to another address (308)."),
    EACH(STATUS(400), REFUSED, "HTTP 400", "The other side did not take the request (400)."),
    EACH(STATUS(401), LET_IN_LATER, "HTTP 401", "The other side refused the credentials (401)."),
    EACH(STATUS(403), REFUSED, "HTTP 403",
	"The other side does not permit what was asked for (403)."),
    EACH(STATUS(404), REFUSED, "HTTP 404", "The other side did not find what was asked for (404)."),
    EACH(STATUS(409), REFUSED, "HTTP 409", "The other side says that this is there already (409)."),
    EACH(STATUS(413), REFUSED, "HTTP 413", "The other side did not take the request (413)."),
    EACH(STATUS(422), REFUSED, "HTTP 422", "The other side did not take the request (422)."),
    EACH(STATUS(429), RETRIED, "HTTP 429", LESS_OFTEN),
    EACH(AFTER(429, "2"), WAITED(2000), "HTTP 429", LESS_OFTEN),
    EACH(AFTER(429, "2.5"), WAITED(2500), "HTTP 429", LESS_OFTEN),
    EACH(AFTER(429, "900"), WAITED(15000), "HTTP 429", LESS_OFTEN),
    EACH(AFTER(429, START_PLUS_7), WAITED(7000), "HTTP 429", LESS_OFTEN),
    EACH(AFTER(429, "Sun, 30 Nov 2036 10:53:25 GMT"), WAITED(15000), "HTTP 429", LESS_OFTEN),
    EACH(AFTER(429, "soon"), RETRIED, "HTTP 429", LESS_OFTEN),
    EACH(AFTER(503, "3"), WAITED(3000), "HTTP 503", "The other side had an error (503)."),
    EACH(AFTER(503, "Sun, 30 Nov 2036 10:53:25 GMT"), WAITED(15000), "HTTP 503",
	"The other side had an error (503)."),
    EACH(STATUS(500), RETRIED, "HTTP 500", "The other side had an error (500)."),
    EACH(STATUS(502), RETRIED, "HTTP 502", "The other side had an error (502)."),
    EACH(STATUS(503), RETRIED, "HTTP 503", "The other side had an error (503)."),
    EACH(STATUS(504), RETRIED, "HTTP 504", "The other side had an error (504)."),
    EACH(PAGE(200), RETRIED, "a web page", "a web page"),
    EACH(PAGE(503), RETRIED, "Sign in",
	"The other side had an error (503): “the web page \"Sign in\"”."),
    EACH(200, 0, NULL, "text/plain", "not JSON", TAKEN),
    EACH(BODY(200, "{\"id\":"), TAKEN),
    /* slow, reset, unresolved; and what will be so again */
    EACH(NO_ANSWER(ERR_TIMEOUT), RETRIED, "crm.example: too slow", "crm.example: too slow"),
    EACH(NO_ANSWER(ERR_UNAVAILABLE), RETRIED, "crm.example: gone", "crm.example: gone"),
    EACH(NO_ANSWER(ERR_LIMIT), REFUSED, "crm.example: huge", "no more is taken at once"),
    EACH(NO_ANSWER(ERR_REFUSED), REFUSED, "crm.example: not there", "crm.example: not there"),

    /* a custom CRM's 200 means what successWhen says: without it, that it was taken */
    ROW("custom_crm", BODY(200, "{\"success\":false}"), TAKEN),

    ROW("hubspot", BODY(429, "{\"errorType\":\"RATE_LIMIT\",\"policyName\":\"SECONDLY\"}"),
	WAITED(10000), "RATE_LIMIT", "less often (429): “errorType: RATE_LIMIT; policyName: "),
    ROW("hubspot",
	BODY(429, "{\"errorType\":\"RATE_LIMIT\",\"policyName\":\"TEN_SECONDLY_ROLLING\"}"),
	WAITED(10000), "RATE_LIMIT", "less often (429): “errorType: RATE_LIMIT; policyName: "),
    ROW("hubspot", BODY(429, "{\"errorType\":\"RATE_LIMIT\",\"policyName\":\"DAILY\"}"),
	WAITED(15000), "DAILY", "less often (429): “errorType: RATE_LIMIT; policyName: DAILY”."),
    ROW("hubspot", BODY(403, "{\"errorType\":\"RATE_LIMIT\"}"), RETRIED, "RATE_LIMIT",
	"does not permit what was asked for (403): “errorType: RATE_LIMIT”."),
    ROW("hubspot", BODY(403, "{\"category\":\"MISSING_SCOPES\"}"), REFUSED, "a scope is missing",
	"a scope is missing"),
    ROW("hubspot", BODY(207, "{\"errors\":[{\"message\":\"no\"}]}"), REFUSED,
	"HTTP 207 from crm.example: no", "HTTP 207 from crm.example: no"),
    ROW("hubspot", BODY(207, "{\"errors\":[],\"results\":[{\"id\":\"7\"}]}"), TAKEN),

    ROW("salesforce", STATUS(300), REFUSED, "Several records", "Several records"),
    ROW("salesforce", STATUS(410), REFUSED, "no longer answers", "no longer answers"),
    ROW("salesforce", STATUS(420), RETRIED, "HTTP 420",
	"The other side did not take the request (420)."),
    ROW("salesforce", BODY(403, "[{\"errorCode\":\"REQUEST_LIMIT_EXCEEDED\"}]"), WAITED(15000),
	"REQUEST_LIMIT_EXCEEDED", "(403): “errorCode: REQUEST_LIMIT_EXCEEDED”."),
    ROW("salesforce", BODY(403, "[{\"errorCode\":\"INSUFFICIENT_ACCESS\"}]"), REFUSED,
	"INSUFFICIENT_ACCESS",
	"does not permit what was asked for (403): “errorCode: INSUFFICIENT_ACCESS”."),
    ROW("salesforce", BODY(400, "[{\"errorCode\":\"UNABLE_TO_LOCK_ROW\"}]"), RETRIED,
	"UNABLE_TO_LOCK_ROW", "(400): “errorCode: UNABLE_TO_LOCK_ROW”."),
    ROW("salesforce", BODY(400, "[{\"errorCode\":\"DUPLICATES_DETECTED\"}]"), REFUSED,
	"DUPLICATES_DETECTED", "(400): “errorCode: DUPLICATES_DETECTED”."),
    ROW("salesforce", BODY(400, "[{\"errorCode\":\"REQUIRED_FIELD_MISSING\"}]"), REFUSED,
	"REQUIRED_FIELD_MISSING", "(400): “errorCode: REQUIRED_FIELD_MISSING”."),
    ROW("salesforce", BODY(404, "[{\"errorCode\":\"NOT_FOUND\"}]"), REFUSED, "NOT_FOUND",
	"(404): “errorCode: NOT_FOUND”."),
};

static void answer_fail(
    const struct action_call *k, const struct answer_row *row, struct call_result *res)
{
	static const struct {
		enum err_code code;
		const char *text;
	} words[] = {{ERR_TIMEOUT, "too slow"}, {ERR_UNAVAILABLE, "gone"}, {ERR_LIMIT, "huge"},
	    {ERR_REFUSED, "not there"}};
	struct err why = ERR_INIT;

	for (size_t i = 0; i < COUNT(words); i++)
		if (words[i].code == row->failure)
			err_set(&why, row->failure, "%s", words[i].text);
	action_read_failure(k, "https://crm.example/in", &why, res);
}

/* What the pages of deliveries and destinations say of an error. */
static bool page_says(struct arena *a, const char *error, const char *text)
{
	json_t *o = json_own(a, json_object());
	const char *words;

	connection_tell_error(a, o, NULL, error);
	words = json_str(o, "error_words");
	return words != NULL && strstr(words, text) != NULL;
}

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

	if (row->status == 0) {
		answer_fail(&k, row, res);
		return;
	}
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
		if (n == 1 && c->state.rounds == 0)
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
		CHECK_AT(row->line, row->says[0] == '\0'
					? c.state.error == NULL
					: c.state.error != NULL &&
					      strstr(c.state.error, row->says) != NULL &&
					      page_says(a, c.state.error, row->page));
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
