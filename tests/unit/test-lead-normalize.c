/* The normalized form of a lead: a table of what comes in and what is made of it. */
#include "base/arena.h"
#include "core-check.h"
#include "normal-check.h"

void suite_lead_normalize(void);

/* One case of a file of fixtures/lead: {"country", "in", "out"}; out is compared without
 * rawFieldData, an empty customFields and nulls. */
static void lead_check_case(const char *file, struct arena *a, const json_t *c)
{
	json_t *lead = json_own(a, json_deep_copy(json_object_get(c, "in")));
	const char *country = json_str(c, "country");
	bool is_so;
	struct str once;

	lead_normalize(a, lead, country);
	once = json_text(a, lead);
	/* normal already: nothing more to do */
	lead_normalize(a, lead, country);
	is_so = str_eq(once, json_text(a, lead)) &&
		json_is_object(json_object_get(lead, "rawFieldData")) &&
		json_is_object(json_object_get(lead, "customFields"));
	json_object_del(lead, "rawFieldData");
	if (json_object_size(json_object_get(lead, "customFields")) == 0)
		json_object_del(lead, "customFields");
	for (void *i = json_object_iter(lead), *next; i != NULL; i = next) {
		next = json_object_iter_next(lead, i);
		if (json_is_null(json_object_iter_value(i)))
			json_object_del(lead, json_object_iter_key(i));
	}
	is_so = is_so && json_equal(lead, json_object_get(c, "out"));
	CU_assertImplementation(
	    is_so ? CU_TRUE : CU_FALSE, __LINE__, json_text(a, c).p, file, "", CU_FALSE);
	if (!is_so)
		printf("# %s\n# became %s\n", json_text(a, c).p, once.p);
}

static void lead_check_file(const char *name, size_t least)
{
	struct arena *a = arena_new();
	const char *path = arena_printf(a, "%s/tests/unit/fixtures/lead/%s", source_dir(), name);
	char *text = arena_alloc(a, 1u << 20);
	FILE *f = fopen(path, "re");
	json_t *cases;

	REQUIRE(f != NULL);
	cases = json_parse(a, (struct str){text, fread(text, 1, 1u << 20, f)}, NULL);
	fclose(f);
	CHECK(json_array_size(cases) >= least);
	for (size_t i = 0; i < json_array_size(cases); i++)
		lead_check_case(name, a, json_array_get(cases, i));
	arena_free(a);
}

static void emails(void)
{
	lead_check_file("emails.json", 70);
}

static void phones(void)
{
	lead_check_file("phones.json", 150);
}

static void names(void)
{
	lead_check_file("names.json", 120);
}

/* 254 bytes are the most of an address, 64 before the sign. */
static void long_emails(void)
{
	static const struct {
		int line;
		size_t local, domain;
		bool is_kept;
	} cases[] = {
	    {__LINE__, 64, 189, true}, {__LINE__, 65, 100, false}, {__LINE__, 64, 190, false}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		char *text = arena_alloc(a, 400);
		json_t *lead = json_own(a, json_object());

		memset(text, 'a', cases[i].local);
		text[cases[i].local] = '@';
		memset(text + cases[i].local + 1, 'b', cases[i].domain);
		memcpy(text + cases[i].local + 1 + cases[i].domain - 3, ".co", 4);
		json_set_str(lead, "email", text);
		lead_normalize(a, lead, NULL);
		CHECK_AT(cases[i].line, (json_str(lead, "email") != NULL) == cases[i].is_kept);
		CHECK_AT(cases[i].line, (json_str(json_object_get(lead, "customFields"), "email") ==
					    NULL) == cases[i].is_kept);
		arena_free(a);
	}
}

/* What is as long as a body may be costs no more than its length, and is left alone. */
static void long_texts(void)
{
	static const char *const members[] = {
	    "fullName", "firstName", "lastName", "phoneNumber", "email", "company"};
	static const char *const pieces[] = {
	    "Jr. ", "Dr. ", "mailto:", "(0) ", "' ", ", ", "\xE2\x80\x8B"};

	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct arena *a = arena_new();
		struct buf *b = buf_new(a, 1u << 20);
		json_t *lead = json_own(a, json_object());

		while (b->len < 900000)
			buf_str(b, pieces[i]);
		for (size_t k = 0; k < COUNT(members); k++)
			json_set_strn(lead, members[k], (struct str){b->p, b->len});
		CHECK(normal_lead_fault(a, lead, "DE") == NULL);
		CHECK(json_str(lead, "email") == NULL);
		arena_free(a);
	}
}

/* All that came is kept as it came. */
static void raw_is_kept(void)
{
	struct arena *a = arena_new();
	json_t *lead = json_parse(a,
	    STR("{\"email\":\" A@B.CO\",\"rawFieldData\":{\"email\":\" A@B.CO\",\"q\":[\" x \"]},"
		"\"customFields\":{\"q\":\" x \"}}"),
	    NULL);

	lead_normalize(a, lead, NULL);
	CHECK(str_is(json_text(a, json_object_get(lead, "rawFieldData")),
	    "{\"email\":\" A@B.CO\",\"q\":[\" x \"]}"));
	CHECK(str_is(json_text(a, json_object_get(lead, "customFields")), "{\"q\":\" x \"}"));
	arena_free(a);
}

/* Texts of pieces that go wrong together, and of any bytes; the seed is fixed. */
static uint64_t random_next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static struct str random_text(struct arena *a, uint64_t *state)
{
	static const char *const pieces[] = {" ", "  ", "\n", ",", ", ", ".", "-", "+", "(0)", "(",
	    ")", "/", "00", "0", "49", "1", "+49", "30", "415", "5550132", "7", "23125012",
	    "tel:", "mailto:", "'", "\"", "@", "@example.com", "?", "%20", "Mia", "KOLB", "ferro",
	    "Dr.", "Dr. med.", "Jr.", "III", "MD", "M. A.", "GmbH", "& Co.", "v", "\xE5\xB1\xB1",
	    "\xE7\x94\xB0", "\xEA\xB9\x80", "\xE3\x80\x80", "\xC2\xA0", "\xE2\x80\x8B",
	    "\xE2\x80\x8D", "\xE2\x80\xAA", "\xEF\xBB\xBF", "\xE2\x80\x91", "\xD9\xA3",
	    "\xEF\xBC\x8B", "\xEF\xBC\xA0", "\xEF\xBC\x87", "\xC4\xB0", "\xE0\xB5\x8D",
	    "\xE3\x80\x81", "\xE6\xA7\x98", "\xC2\xB4", "\xE1\xBF\xAF"};
	struct buf *b = buf_new(a, 4096);

	for (size_t n = random_next(state) % 9; n > 0; n--) {
		uint64_t pick = random_next(state) % (COUNT(pieces) + 2);

		if (pick < COUNT(pieces))
			buf_str(b, pieces[pick]);
		else
			buf_chr(b, (char)(1 + random_next(state) % 255));
	}
	return (struct str){b->len == 0 ? "" : b->p, b->len};
}

static void properties(void)
{
	static const char *const members[] = {
	    "fullName", "firstName", "lastName", "phoneNumber", "email", "company"};
	static const char *const countries[] = {"DE", "US", "IT", "HU", "RU", "HK", "", "XX"};
	uint64_t state = 20260417;

	for (size_t i = 0; i < 20000; i++) {
		struct arena *a = arena_new();
		const char *country = countries[i % COUNT(countries)], *fault = NULL;
		json_t *lead = json_own(a, json_object());
		struct str text = random_text(a, &state);

		fault = normal_text_fault(a, text);
		if (fault == NULL)
			fault = normal_phone_fault(a, text, region_of_code(str_from(country)));
		for (size_t k = 0; k < COUNT(members); k++) {
			text = utf8_clean(a, random_text(a, &state), 4096);
			if (text.n > 0)
				json_set_strn(lead, members[k], text);
		}
		const char *sent = json_text(a, lead).p;

		if (fault == NULL)
			fault = normal_lead_fault(a, lead, country);
		CHECK(fault == NULL);
		if (fault != NULL)
			printf("# %s: %s or %.*s\n", fault, sent, (int)text.n, text.p);
		arena_free(a);
		if (fault != NULL)
			return;
	}
}

void suite_lead_normalize(void)
{
	ADD_TESTS("lead_normalize", {"emails", emails}, {"long emails", long_emails},
	    {"phones", phones}, {"names", names}, {"properties", properties},
	    {"long texts", long_texts}, {"raw fields are kept", raw_is_kept});
}
