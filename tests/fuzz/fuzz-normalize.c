/* Normalizing texts and leads: any bytes are taken, what comes out has its form, and is its own
 * result. The first two bytes are a region; lines are members of a lead. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/normal-check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_none(const char *fault)
{
	if (fault == NULL)
		return;
	fprintf(stderr, "does not hold: %s\n", fault);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const members[] = {
	    "fullName", "firstName", "lastName", "phoneNumber", "email", "company"};
	struct arena *a = arena_new();
	struct str s = {(const char *)data, size}, line;
	const char *country = size < 2 ? "" : arena_strndup(a, s.p, 2);
	json_t *lead = json_own(a, json_object());

	if (size >= 2)
		s = (struct str){s.p + 2, s.n - 2};
	require_none(normal_text_fault(a, s));
	require_none(normal_phone_fault(a, s, region_of_code(str_from(country))));
	region_of_text(a, s);
	for (size_t i = 0; i < 6 && str_split(&s, '\n', &line); i++) {
		require_none(normal_text_fault(a, line));
		if (line.n > 0)
			json_set_strn(lead, members[i], utf8_clean(a, line, 4096));
	}
	require_none(normal_lead_fault(a, lead, country));
	arena_free(a);
	return 0;
}
