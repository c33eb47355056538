/* The tables of regions and numbering plans. What is made of texts: test-lead-normalize.c. */
#include "base/arena.h"
#include "base/phone.h"
#include "test-base.h"

void suite_base_phone(void);

static const struct {
	const char *iso, *alpha3, *code, *names;
} regions[] = {
#define REGION(iso, alpha3, code, names) {iso, alpha3, code, names},
#include "base/regions.def"
#undef REGION
};

static const struct {
	const char *code, *plan;
	size_t least, most;
} plans[] = {
#define PLAN(code, trunk, exits, plan, least, most, free) {code, plan, least, most},
#include "base/phone-plans.def"
#undef PLAN
};

/* Each word finds its region and no other. */
static void regions_are_found(void)
{
	struct arena *a = arena_new();

	CHECK(COUNT(regions) == 250); /* ISO 3166-1 and Kosovo */
	for (size_t i = 0; i < COUNT(regions); i++) {
		const struct region *r = region_of_code(str_from(regions[i].iso));
		struct str names = str_from(regions[i].names), name;

		REQUIRE(r != NULL);
		CHECK(TEXT_EQ(r->iso, regions[i].iso) && TEXT_EQ(r->calling_code, regions[i].code));
		CHECK(region_of_text(a, str_from(regions[i].iso)) == r);
		CHECK(region_of_text(a, str_from(regions[i].alpha3)) == r);
		while (str_split(&names, ' ', &name)) {
			CHECK(region_of_text(a, name) == r);
			if (region_of_text(a, name) != r)
				printf("# %s: %.*s\n", r->iso, (int)name.n, name.p);
		}
	}
	arena_free(a);
}

static void regions_of_texts(void)
{
	static const struct {
		int line;
		const char *text, *iso;
	} rows[] = {
	    {__LINE__, "de", "DE"},
	    {__LINE__, " UK\xC2\xA0", "GB"},
	    {__LINE__, "gbr", "GB"},
	    {__LINE__, "+49", "DE"},
	    {__LINE__, "0044", "GB"},
	    {__LINE__, "\xD9\xA4\xD9\xA9", "DE"}, /* 49 */
	    {__LINE__, "1", "US"},
	    {__LINE__, "+7", "RU"},
	    {__LINE__, "United Kingdom", "GB"},
	    {__LINE__, "\xC3\x96STERREICH", "AT"},
	    {__LINE__, "C\xC3\xB4te d\xE2\x80\x99Ivoire", "CI"},
	    {__LINE__, "\xE6\x97\xA5\xE6\x9C\xAC", "JP"},
	    {__LINE__, "U.S.A.", "US"},
	    {__LINE__, "Atlantis", NULL},
	    {__LINE__, "999", NULL},
	    {__LINE__, "", NULL},
	    {__LINE__, "-", NULL},
	    {__LINE__, "\xFF", NULL},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct region *r = region_of_text(a, str_from(rows[i].text));

		CHECK_AT(rows[i].line, r == NULL
					   ? rows[i].iso == NULL
					   : rows[i].iso != NULL && TEXT_EQ(r->iso, rows[i].iso));
	}
	CHECK(region_of_code(STR("UK")) == region_of_code(STR("GB")));
	CHECK(region_of_code(STR("de")) == NULL && region_of_code(STR("XX")) == NULL);
	CHECK(region_of_code(STR("")) == NULL && region_of_code((struct str){NULL, 0}) == NULL);
	arena_free(a);
}

/* "1-35:8,9 4:10" */
static bool is_plan(const char *s)
{
	size_t lengths = 0;

	for (; *s != '\0'; s += *s == ' ') {
		size_t digits = strspn(s, "0123456789-");

		if (digits == 0 || s[digits] != ':' || s[0] == '-' || s[digits - 1] == '-')
			return false;
		s += digits + 1;
		lengths = strspn(s, "0123456789,-");
		if (lengths == 0)
			return false;
		s += lengths;
		if (*s != '\0' && *s != ' ')
			return false;
	}
	return lengths > 0;
}

static void plans_are_whole(void)
{
	for (size_t i = 0; i < COUNT(plans); i++) {
		CHECK(is_plan(plans[i].plan) && plans[i].least <= plans[i].most);
		for (size_t k = 0; k < COUNT(plans); k++)
			CHECK(i == k || !str_starts(str_from(plans[k].code), plans[i].code));
	}
	for (size_t i = 0; i < COUNT(regions); i++) {
		bool has_plan = regions[i].code[0] == '\0';

		for (size_t k = 0; k < COUNT(plans); k++)
			has_plan = has_plan || TEXT_EQ(plans[k].code, regions[i].code);
		CHECK(has_plan);
	}
}

void suite_base_phone(void)
{
	ADD_TESTS("base/phone", {"regions are found", regions_are_found},
	    {"regions of texts", regions_of_texts}, {"plans are whole", plans_are_whole});
}
