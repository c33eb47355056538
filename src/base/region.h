/* The regions of ISO 3166-1. */
#ifndef BASE_REGION_H
#define BASE_REGION_H

#include "base/str.h"

struct region {
	char iso[3];              /* alpha-2, capitals */
	const char *calling_code; /* digits; "" where nobody is called */
};

/* By its alpha-2 code in capitals; "UK" is GB. NULL when there is no such region. */
const struct region *region_of_code(struct str code);
/* By what a person or a form writes for it: alpha-2 or alpha-3 in any case, a name in English or in
 * a language of the region, or a calling code ("+49", "0049"), which gives the largest of the
 * regions that share it. NULL when that is not known. */
const struct region *region_of_text(struct arena *a, struct str text);

#endif
