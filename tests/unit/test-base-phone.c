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
	const char *iso, *code;
	size_t least, most;
	const char *area, *local, *plan;
} plans[] = {
#define PLAN(iso, code, least, most, area, local, trunk, exits, plan)                              \
	{iso, code, least, most, area, local, plan},
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

/* "21[2-59],7:9,10 4:8" */
static bool is_plan(const char *s)
{
	for (; *s != '\0'; s += *s == ' ') {
		size_t digits = strspn(s, "0123456789-[],"), lengths;

		if (digits == 0 || s[digits] != ':' || s[digits - 1] == '-' || s[digits - 1] == ',')
			return false;
		s += digits + 1;
		lengths = strspn(s, "0123456789,-");
		if (lengths == 0)
			return false;
		s += lengths;
		if (*s != '\0' && *s != ' ')
			return false;
	}
	return true;
}

/* No code is the beginning of another, and those of one code stand together. */
static void plans_are_whole(void)
{
	for (size_t i = 0; i < COUNT(plans); i++) {
		CHECK(
		    is_plan(plans[i].plan) && plans[i].plan[0] != '\0' && is_plan(plans[i].local));
		CHECK(plans[i].least <= plans[i].most);
		CHECK((plans[i].area[0] == '\0') == (plans[i].local[0] == '\0'));
		for (size_t k = 0; k < COUNT(plans); k++)
			CHECK(TEXT_EQ(plans[i].code, plans[k].code) ||
			      !str_starts(str_from(plans[k].code), plans[i].code));
	}
}

/* Each region's code is that of its plan, where it has one of its own. */
static void regions_have_plans(void)
{
	size_t own = 0;

	for (size_t i = 0; i < COUNT(regions); i++) {
		bool has_plan = regions[i].code[0] == '\0';

		for (size_t k = 0; k < COUNT(plans); k++) {
			has_plan = has_plan || TEXT_EQ(plans[k].code, regions[i].code);
			if (!TEXT_EQ(plans[k].iso, regions[i].iso))
				continue;
			own++;
			CHECK(TEXT_EQ(plans[k].code, regions[i].code));
		}
		CHECK(has_plan);
	}
	CHECK(own >= 240);
}

/* A line of phones-of-regions.tsv: how many of its forms are read as they should be; SIZE_MAX when
 * one is read as another number. */
static size_t sample_read(struct arena *a, struct str line)
{
	struct str region, e164, form;
	size_t right = 0;

	str_split(&line, '\t', &region);
	str_split(&line, '\t', &e164);
	while (str_split(&line, '\t', &form)) {
		const char *read = phone_e164(a, form, region_of_code(region));

		if (read != NULL && !str_is(e164, read)) {
			printf("# %.*s: %.*s became %s\n", (int)region.n, region.p, (int)form.n,
			    form.p, read);
			return SIZE_MAX;
		}
		right += read != NULL;
	}
	return right;
}

/* Numbers of all regions, written in three ways; the right answers are others' (build-aux/
 * phone-samples). Of two regions there are some whose national form may be a local number. */
static void phones_of_regions(void)
{
	static char text[1u << 18];
	struct arena *a = arena_new();
	const char *path =
	    arena_printf(a, "%s/tests/unit/fixtures/lead/phones-of-regions.tsv", source_dir());
	FILE *f = fopen(path, "re");
	struct str lines, line, last = {NULL, 0};
	size_t numbers = 0, whole = 0, of_region = 0, full_regions = 0;

	REQUIRE(f != NULL);
	lines = (struct str){text, fread(text, 1, sizeof(text), f)};
	fclose(f);
	while (str_split(&lines, '\n', &line) && line.n > 0) {
		size_t right = sample_read(a, line);

		CHECK(right == 2 || right == 3);
		of_region = last.n > 0 && memcmp(last.p, line.p, 2) == 0 ? of_region : 0;
		of_region += right == 3;
		full_regions += of_region == 3;
		whole += right == 3;
		numbers++;
		last = line;
	}
	CHECK(numbers > 950 && numbers - whole <= 4);
	CHECK(full_regions >= 240);
	arena_free(a);
}

void suite_base_phone(void)
{
	ADD_TESTS("base/phone", {"regions are found", regions_are_found},
	    {"regions of texts", regions_of_texts}, {"plans are whole", plans_are_whole},
	    {"regions have plans", regions_have_plans}, {"phones of regions", phones_of_regions});
}
