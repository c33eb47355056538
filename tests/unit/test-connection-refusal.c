/* What pages say of a call that failed: what happened, what the other side said, what to do. */
#include <string.h>

#include <CUnit/CUnit.h>

#include "base/arena.h"
#include "connection/connection-pages.h"
#include "core-check.h"

void suite_connection_refusal(void);

#define MAPPING " A value is refused or missing: look at its field mapping."
#define SENT " A value is refused or missing: look at what is sent."

static const struct told {
	int line;
	const char *error, *words;
	bool is_call, has_answer;
} rows[] = {
#define PUSH(error, words)                                                                         \
	{                                                                                          \
		__LINE__, error, words, false, true                                                \
	}
#define CALL(error, words)                                                                         \
	{                                                                                          \
		__LINE__, error, words, true, true                                                 \
	}
#define PLAIN(error, words)                                                                        \
	{                                                                                          \
		__LINE__, error, words, false, false                                               \
	}
    PUSH("HTTP 422 from crm.example: {\"error\":\"email is <b>taken\"}",
	"Sales did not take the request (422): “email is <b>taken”." MAPPING),
    CALL("HTTP 400 from crm.example: {\"message\": \"no\"}",
	"Sales did not take the request (400): “no”." SENT),
    PUSH("HTTP 400 from crm.example", "Sales did not take the request (400)." MAPPING),
    /* the name that is nearest to people, wherever it stands; escapes are read */
    PUSH("HTTP 400 from crm.example: [{\"errorCode\":\"REQUIRED_FIELD_MISSING\",\"message\":"
	 "\"Missing: \\\"Company\\\"\"}]",
	"Sales did not take the request (400): “Missing: \"Company\"”." MAPPING),
    PUSH("HTTP 403 from crm.example: {\"error\":{\"code\":7,\"message\":\"no scope\"}}",
	"Sales does not permit what was asked for (403): “no scope”. Check there what its user or "
	"key may do, or connect it again with another."),
    /* the answer was cut */
    PUSH("HTTP 422 from crm.example: {\"message\":\"A long te",
	"Sales did not take the request (422): “A long te”." MAPPING),
    PUSH("HTTP 422 from crm.example: {\"what\":{\"x\":1",
	"Sales did not take the request (422): “{\"what\":{\"x\":1”." MAPPING),
    /* which fields it is about */
    PUSH("HTTP 422 from crm.example: {\"message\":\"Invalid.\",\"errors\":{\"email\":[\"is "
	 "taken\"],\"age\":[\"is low\"]}}",
	"Sales did not take the request (422): “Invalid. (email: is taken; age: is low)”." MAPPING),
    PUSH("HTTP 422 from crm.example: {\"why\":\"no company\",\"n\":3}",
	"Sales did not take the request (422): “why: no company; n: 3”." MAPPING),
    PUSH("HTTP 422 from crm.example: {\"message\":\"\"}",
	"Sales did not take the request (422)." MAPPING),
    PUSH("HTTP 422 from crm.example: {}", "Sales did not take the request (422)." MAPPING),
    PUSH("HTTP 422 from crm.example: [1,\"two\"]",
	"Sales did not take the request (422): “1; two”." MAPPING),
    /* plain text, and what is for machines */
    PUSH("HTTP 503 from crm.example:  down \n for today ",
	"Sales had an error (503): “down for today”. The trouble is on its side."),
    PUSH("HTTP 500 from crm.example: <!doctype html><p>",
	"Sales had an error (500). The trouble is on its side."),
    PUSH("HTTP 500 from crm.example: (not text)",
	"Sales had an error (500). The trouble is on its side."),
    PUSH("HTTP 401 from crm.example: the web page \"Sign in\"",
	"Sales refused the credentials (401): “the web page \"Sign in\"”. Connect it again, or "
	"enter new credentials."),
    PUSH("HTTP 404 from crm.example", "Sales did not find what was asked for (404). Check its "
				      "address, and whether what it names is still there."),
    PUSH("HTTP 410 from crm.example", "Sales did not find what was asked for (410). Check its "
				      "address, and whether what it names is still there."),
    PUSH("HTTP 409 from crm.example",
	"Sales says that this is there already (409). Look there at the one that it has."),
    PUSH("HTTP 429 from crm.example: {\"message\":\"slow down\"}",
	"Sales asked to be called less often (429): “slow down”. It passes by itself: wait a "
	"little."),
    PUSH("HTTP 413 from crm.example",
	"Sales did not take the request (413). What was sent is too large for it."),
    PUSH("HTTP 405 from crm.example",
	"Sales did not take the request (405). Check its address and its settings."),
    PUSH("HTTP 301: moved to https://new.example/",
	"Sales has moved to another address (301): “https://new.example/”. Enter its new address "
	"in "
	"the settings."),
    /* a step of a flow */
    CALL("the server answered 422: {\"detail\":\"no\"}",
	"Sales did not take the request (422): “no”." SENT),
    /* no answer */
    PLAIN("crm.example: crm.example has no address",
	"Sales cannot be reached: crm.example has no address. Check the spelling of its address."),
    PLAIN("crm.example port 81 does not accept connections",
	"Sales cannot be reached: crm.example port 81 does not accept connections. Its server is "
	"down, or the port of its address is another."),
    PLAIN("crm.example: no connection to crm.example port 443 in time",
	"Sales cannot be reached: no connection to crm.example port 443 in time. Its server is "
	"down, "
	"or a firewall stands between."),
    PLAIN("crm.example: crm.example did not answer within 10000 ms",
	"Sales cannot be reached: crm.example did not answer within 10000 ms. It is slow or "
	"overloaded at the moment."),
    PLAIN("crm.example: TLS with crm.example failed: the certificate is over",
	"Sales cannot be reached: TLS with crm.example failed: the certificate is over. The "
	"certificate of its server is at fault, or its address: who runs it has to mend that."),
    PLAIN("crm.example: crm.example closed the connection before its answer ended",
	"Sales cannot be reached: crm.example closed the connection before its answer ended. The "
	"trouble is on its side."),
    /* sentences of their own */
    PLAIN("HubSpot says that a scope is missing. Give it", "HubSpot says that a scope is missing. "
							   "Give it"),
    PLAIN("HTTP 207 from crm.example: no", "HTTP 207 from crm.example: no"),
    PLAIN("HTTP", "HTTP"),
    PLAIN("", ""),
};

static void sentences(void)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *o = json_own(a, json_object());

		if (rows[i].is_call)
			connection_tell_error(a, o, "Sales", rows[i].error);
		else
			connection_tell_push_error(a, o, "Sales", rows[i].error);
		CHECK_AT(rows[i].line, TEXT_EQ(json_str(o, "error_words"), rows[i].words));
		CHECK_AT(rows[i].line, json_bool(o, "has_answer") == rows[i].has_answer);
	}
	arena_free(a);
}

/* Whatever was answered, a sentence stays one. */
static void bounds(void)
{
	struct arena *a = arena_new();
	json_t *o = json_own(a, json_object());
	char error[3000] = "HTTP 400 from crm.example: ";

	memset(error + strlen(error), 'x', sizeof(error) - strlen(error) - 1);
	connection_tell_error(a, o, NULL, error);
	CHECK(strlen(json_str(o, "error_words")) < 500);
	CHECK(strstr(json_str(o, "error_words"), "xx…”.") != NULL);
	connection_tell_error(a, o, NULL, NULL);
	CHECK(json_str(o, "error_words") == NULL && !json_bool(o, "has_answer"));
	arena_free(a);
}

void suite_connection_refusal(void)
{
	ADD_TESTS("connection_refusal", {"what happened, what was said, what to do", sentences},
	    {"a sentence is bounded", bounds});
}
