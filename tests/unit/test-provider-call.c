/* What the examples of manifests do not show of calls: what is blotted out of texts, where URLs of
 * answers lead, which origins may be called, and versions that the operator sets. */
#include <string.h>

#include <CUnit/CUnit.h>

#include "base/arena.h"
#include "base/clock.h"
#include "provider/provider-internal.h"
#include "test-base.h"

void suite_provider_call(void);

#define CALLS CONNECT_SRCDIR "/tests/unit/fixtures/provider/calls.json"

static void secrets_are_blotted_out(void)
{
	static const struct {
		int line;
		const char *text, *shown;
	} rows[] = {
	    {__LINE__, "the token a b/c+d1 of ann", "the token *** of ann"},
	    {__LINE__, "https://a.example/?t=a%20b%2Fc%2Bd1&x=1", "https://a.example/?t=***&x=1"},
	    {__LINE__, "t=a+b%2fc%2bd1", "t=***"},
	    {__LINE__, "the key k-1", "the key ***"}, /* short ones, too */
	    {__LINE__, "of the app: s3c", "of the app: ***"},
	    {__LINE__, "ann is a name", "ann is a name"},
	};
	struct arena *a = arena_new();
	const struct access c = {
	    .credentials = json_parse(a,
		STR("{\"accessToken\":\"a b/c+d1\",\"apiKey\":\"k-1\",\"username\":\"ann\"}"),
		NULL),
	    .app = json_parse(a, STR("{\"clientSecret\":\"s3c\",\"clientId\":\"ann\"}"), NULL)};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_AT(rows[i].line, TEXT_EQ(access_redact(a, &c, rows[i].text), rows[i].shown));
	CHECK(TEXT_EQ(url_without_secrets(a, &c, "https://a.example/x?k=k-1&b=2&t=a%20b%2Fc%2Bd1"),
	    "https://a.example/x?b=2"));
	CHECK(TEXT_EQ(
	    url_without_secrets(a, &c, "https://a.example/x?k=k-1#b"), "https://a.example/x"));
	arena_free(a);
}

static void urls_of_answers(void)
{
	static const struct {
		int line;
		const char *reference, *url;
	} rows[] = {
	    {__LINE__, "https://b.example/x", "https://b.example/x"},
	    {__LINE__, "//b.example/x", "https://b.example/x"},
	    {__LINE__, "/y?u=https://b.example", "https://a.example:8443/y?u=https://b.example"},
	    {__LINE__, "y", "https://a.example:8443/v1/y"},
	    {__LINE__, "?page=2", "https://a.example:8443/v1/list?page=2"},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_AT(rows[i].line,
		    TEXT_EQ(
			url_resolve(a, "https://a.example:8443/v1/list?page=1", rows[i].reference),
			rows[i].url));
	arena_free(a);
}

static void origins_match_their_pattern(void)
{
	static const struct {
		int line;
		const char *url;
		bool is_allowed;
	} rows[] = {
	    {__LINE__, "https://a.example.com", true},
	    {__LINE__, "https://A.b.Example.com/x?y", true},
	    {__LINE__, "https://example.com", false},
	    {__LINE__, "https://.example.com", false},
	    {__LINE__, "http://a.example.com", false},
	    {__LINE__, "https://a.example.com:8443", false},
	    {__LINE__, "https://a.example.com.evil.example", false},
	    {__LINE__, "https://evil.example/.example.com", false},
	    {__LINE__, "https://a.example.com@evil.example", false},
	    {__LINE__, "a.example.com", false},
	};
	struct arena *a = arena_new();
	struct provider *p = manifest_load_file(a, CALLS, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_AT(rows[i].line,
		    provider_origin_is_allowed(p, a, rows[i].url) == rows[i].is_allowed);
	arena_free(a);
}

static void versions_that_the_operator_sets(void)
{
	static const struct {
		int line;
		const char *list, *version, *error; /* NULL: taken */
	} rows[] = {
	    {__LINE__, "", "v26.0", NULL},
	    {__LINE__, "calls=v27.0", "v27.0", NULL},
	    {__LINE__, " calls = v28.0 , ", "v28.0", NULL},
	    {__LINE__, "cals=v27.0", "v26.0", "cals is no provider whose API has versions"},
	    {__LINE__, "stripe=v1", "v26.0", "stripe is no provider whose API has versions"},
	    {__LINE__, "calls", "v26.0", "calls needs a version, as in calls=v26.0"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct providers *ps =
		    providers_load(a, CONNECT_SRCDIR "/tests/unit/fixtures/provider", &err);
		int64_t ends_us = 0;

		CU_ASSERT_PTR_NOT_NULL_FATAL(ps);
		int rc = providers_set_versions(a, ps, rows[i].list, &err);
		const struct provider *p = provider_find(ps, STR("calls"));

		CHECK_AT(rows[i].line, rc == (rows[i].error == NULL ? 0 : -1));
		CHECK_AT(
		    rows[i].line, rows[i].error == NULL || strstr(err.msg, rows[i].error) != NULL);
		CHECK_AT(rows[i].line, TEXT_EQ(provider_version(p, &ends_us), rows[i].version));
		CHECK_AT(rows[i].line,
		    (ends_us == TIME_NONE) == (strcmp(rows[i].version, "v26.0") != 0));
		arena_free(a);
	}
}

/* Which input a caller puts nextCursor into. */
static void pages_are_asked_for_by_an_input(void)
{
	struct arena *a = arena_new();
	struct provider *p = manifest_load_file(a, CALLS, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CHECK(TEXT_EQ(provider_page_input(p, "by_cursor"), "after"));
	CHECK(TEXT_EQ(provider_page_input(p, "by_offset"), "start"));
	CHECK(TEXT_EQ(provider_page_input(p, "by_url"), "cursor"));
	CHECK(provider_page_input(p, "all") == NULL);
	CHECK(provider_page_input(p, "get") == NULL);
	arena_free(a);
}

void suite_provider_call(void)
{
	ADD_TESTS("provider/call", {"secrets are blotted out", secrets_are_blotted_out},
	    {"URLs of answers", urls_of_answers},
	    {"origins match their pattern", origins_match_their_pattern},
	    {"versions that the operator sets", versions_that_the_operator_sets},
	    {"pages are asked for by an input", pages_are_asked_for_by_an_input});
}
