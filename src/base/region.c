#include "base/region.h"

#include <string.h>

#include "base/arena.h"

#define TEXT_BYTES 100 /* of a name; longer texts are none */

static const struct region_row {
	struct region region;
	const char *alpha3, *names;
} regions[] = {
#define REGION(iso, alpha3, code, names) {{iso, code}, alpha3, names},
#include "base/regions.def"
#undef REGION
};

#define REGIONS (sizeof(regions) / sizeof(regions[0]))

static const struct region *region_of_alpha2(const char *iso)
{
	for (size_t i = 0; i < REGIONS; i++)
		if (strcmp(regions[i].region.iso, iso) == 0)
			return &regions[i].region;
	return NULL;
}

const struct region *region_of_code(struct str code)
{
	char iso[3];

	if (code.n != 2)
		return NULL;
	memcpy(iso, code.p, 2);
	iso[2] = '\0';
	return region_of_alpha2(strcmp(iso, "UK") == 0 ? "GB" : iso);
}

static const struct region *region_of_calling_code(struct str digits)
{
	/* the others are in the table's order, as it happens, behind the largest */
	static const char *const largest[][2] = {{"1", "US"}, {"212", "MA"}, {"262", "RE"},
	    {"358", "FI"}, {"39", "IT"}, {"44", "GB"}, {"47", "NO"}, {"590", "GP"}, {"599", "CW"},
	    {"61", "AU"}, {"7", "RU"}};

	for (size_t i = 0; i < sizeof(largest) / sizeof(largest[0]); i++)
		if (str_is(digits, largest[i][0]))
			return region_of_alpha2(largest[i][1]);
	for (size_t i = 0; i < REGIONS; i++)
		if (str_is(digits, regions[i].region.calling_code))
			return &regions[i].region;
	return NULL;
}

/* Letters and digits only; marks of punctuation in UTF-8 begin with E2 80. */
static struct str region_squeeze(struct arena *a, const char *folded)
{
	char *out = arena_alloc(a, strlen(folded) + 1);
	size_t n = 0;

	for (const char *p = folded; *p != '\0'; p++) {
		if (strncmp(p, "\xE2\x80", 2) == 0 && p[2] != '\0')
			p += 2;
		else if ((unsigned char)*p >= 0x80 || (*p >= 'a' && *p <= 'z') ||
			 (*p >= '0' && *p <= '9'))
			out[n++] = *p;
	}
	out[n] = '\0';
	return (struct str){out, n};
}

static bool region_is_called(const struct region_row *r, struct str word)
{
	struct str names = str_from(r->names), name;

	if (str_ieq(word, str_from(r->region.iso)) || str_ieq(word, str_from(r->alpha3)))
		return true;
	while (str_split(&names, ' ', &name))
		if (str_eq(word, name))
			return true;
	return false;
}

const struct region *region_of_text(struct arena *a, struct str text)
{
	const char *folded = text.n > TEXT_BYTES ? NULL : utf8_fold(a, text);
	struct str word;

	if (folded == NULL)
		return NULL;
	word = region_squeeze(a, folded);
	if (str_is(word, "uk"))
		return region_of_alpha2("GB");
	if (str_starts(word, "00"))
		word = (struct str){word.p + 2, word.n - 2};
	for (size_t i = 0; word.n > 0 && i < REGIONS; i++)
		if (region_is_called(&regions[i], word))
			return &regions[i].region;
	return word.n == 0 ? NULL : region_of_calling_code(word);
}
