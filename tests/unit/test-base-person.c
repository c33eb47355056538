/* Finding a person in texts: what is one, what is another's, and what is left when they go. */
#include "base/arena.h"
#include "base/person.h"
#include "test-base.h"

void suite_base_person(void);

static struct person_names *ann(struct arena *a)
{
	struct person_names *p = arena_alloc(a, sizeof(*p));

	memset(p, 0, sizeof(*p));
	CHECK(person_add_email(p, STR("ann@x.org")));
	CHECK(person_add_phone(a, p, STR("+493023125012")));
	return p;
}

static void scrubbed_texts(void)
{
	static const struct {
		int line;
		const char *text, *left;
	} rows[] = {
	    {__LINE__, "", ""},
	    {__LINE__, "nobody", "nobody"},
	    {__LINE__, "ann@x.org", "[erased]"},
	    {__LINE__, "to ANN@X.ORG.", "to [erased]."},
	    {__LINE__, "<ann@x.org>, ann@x.org;", "<[erased]>, [erased];"},
	    {__LINE__, "email=ann%40x.org&a=1", "email=[erased]&a=1"},
	    {__LINE__, "mailto:ann@x.org?subject=1", "mailto:[erased]?subject=1"},
	    {__LINE__, "joann@x.org", "joann@x.org"},
	    {__LINE__, "jo.ann@x.org jo+ann@x.org", "jo.ann@x.org jo+ann@x.org"},
	    {__LINE__, "ann@x.org.uk ann@x.organic", "ann@x.org.uk ann@x.organic"},
	    {__LINE__, "+493023125012", "[erased]"},
	    {__LINE__, "call +49 (0)30 23125-012!", "call [erased]!"},
	    {__LINE__, "0049 30 23125012", "[erased]"},
	    {__LINE__, "030/23125012 or 30 23125012", "[erased] or [erased]"},
	    {__LINE__, "tel=%2B49%2030%2023125012", "tel=[erased]"},
	    {__LINE__,
		"+49\xC2\xA0"
		"30\xE2\x80\x91"
		"23125012",
		"[erased]"},
	    {__LINE__, "4930231250123 1493023125012", "4930231250123 1493023125012"},
	    {__LINE__, "a493023125012 493023125012f", "a493023125012 493023125012f"},
	    {__LINE__, "30 23125 013", "30 23125 013"},
	    {__LINE__, "100%", "100%"},
	    {__LINE__, "\\u0061nn\\u0040x.org", "[erased]"},
	};
	struct arena *a = arena_new();
	const struct person_names *p = ann(a);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = str_from(rows[i].text), left = person_scrub(a, p, text);
		bool is_there = strcmp(rows[i].text, rows[i].left) != 0;

		CHECK_AT(rows[i].line, str_is(left, rows[i].left));
		CHECK_AT(rows[i].line, person_is_in(a, p, text) == is_there);
		CHECK_AT(rows[i].line, !is_there || person_may_be_in(a, p, text));
		CHECK_AT(rows[i].line, !person_is_in(a, p, left));
	}
	arena_free(a);
}

static void owned_objects(void)
{
	static const struct {
		int line;
		const char *json;
		bool is_own;
	} rows[] = {
	    {__LINE__, "{\"email\":\"Ann@x.org\"}", true},
	    {__LINE__, "{\"properties\":{\"mail\":\" ann@x.org \"}}", true},
	    {__LINE__, "{\"raw\":{\"tel\":[\"030 23125012\"]}}", true},
	    {__LINE__, "{\"phone\":493023125012}", true},
	    {__LINE__, "{\"note\":\"ask ann@x.org\"}", false},
	    {__LINE__, "{\"attendees\":[{\"email\":\"ann@x.org\"}]}", false},
	    {__LINE__, "{\"email\":\"joann@x.org\"}", false},
	    {__LINE__, "\"ann@x.org\"", false},
	    {__LINE__, "{}", false},
	};
	struct arena *a = arena_new();
	const struct person_names *p = ann(a);

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_AT(
		    rows[i].line, person_owns(a, p, json_parse(a, str_from(rows[i].json), NULL)) ==
				      rows[i].is_own);
	CHECK(!person_owns(a, p, NULL));
	arena_free(a);
}

/* Of a body of several things, those go that name the person, or are theirs by id. */
static void cut_items(void)
{
	static const struct {
		int line;
		const char *json, *left;
	} rows[] = {
	    {__LINE__, "[{\"objectId\":7,\"v\":\"x\"},{\"objectId\":8,\"v\":7}]",
		"[{\"objectId\":8,\"v\":7}]"},
	    {__LINE__, "{\"entry\":[{\"v\":[{\"m\":\"ann@x.org\"}]},{\"v\":[1]}]}",
		"{\"entry\":[{\"v\":[1]}]}"},
	    {__LINE__, "{\"m\":\"ann@x.org\"}", "{\"m\":\"ann@x.org\"}"},
	};
	struct arena *a = arena_new();
	struct person_names *p = ann(a);

	CHECK(person_add_id(p, STR("7")));
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *v = json_parse(a, str_from(rows[i].json), NULL);

		person_cut_items(a, p, v);
		CHECK_AT(rows[i].line, str_is(json_text(a, v), rows[i].left));
	}
	CHECK(
	    str_is(json_text(a,
		       person_scrub_json(a, p,
			   json_parse(a,
			       STR("{\"ann@x.org\":{\"n\":493023125012,\"t\":[\"a ann@x.org\"]}}"),
			       NULL))),
		"{\"[erased]\":{\"n\":\"[erased]\",\"t\":[\"a [erased]\"]}}"));
	arena_free(a);
}

static void of_data(void)
{
	struct arena *a = arena_new();
	struct person_names *p = arena_alloc(a, sizeof(*p));

	memset(p, 0, sizeof(*p));
	person_add_of(a, p,
	    json_parse(a,
		STR("{\"email\":\"Ann@X.org\",\"ownerEmail\":\"boss@x.org\","
		    "\"properties\":{\"mobilephone\":\"+49 30 23125012\"}}"),
		NULL));
	CHECK(p->nemails == 1 && str_is(p->emails[0], "ann@x.org"));
	CHECK(p->nphones == 1 && str_is(p->phones[0], "+493023125012"));
	CHECK(!person_add_email(p, STR("nobody")) && !person_add_phone(a, p, STR("030")));
	for (size_t i = 0; i < PERSON_NAMES + 5; i++)
		person_add_email(p, str_from(arena_printf(a, "a%zu@x.org", i)));
	CHECK(p->nemails == PERSON_NAMES);
	arena_free(a);
}

void suite_base_person(void)
{
	ADD_TESTS("base/person", {"scrubbed texts", scrubbed_texts},
	    {"owned objects", owned_objects}, {"cut items", cut_items}, {"of data", of_data});
}
