/* Phone numbers as people write them. */
#ifndef BASE_PHONE_H
#define BASE_PHONE_H

#include "base/region.h"

/* The number that a text surely is, as E.164 (a + and 7 to 15 digits), arena-owned; else NULL. home
 * is where it was written down, or NULL when that is not known: then only numbers with + or 00 are
 * sure.
 *
 * Read are blanks, marks, dashes, dots, brackets, one + in front, "tel:" and the like, digits of
 * any script, a slash with five digits behind it, a bracketed trunk zero, the ".0" of a number that
 * was one to a program, and behind the number its extension ("ext. 12", "x12", ";ext=12"), which is
 * no part of E.164. The number must fit the plan of its calling code (phone-plans.def), and be
 * readable in one way only: with its trunk prefix, with the code of home already in front, bare, or
 * local where home has but one area. Several numbers in a text, other local numbers and letters
 * give NULL. */
const char *phone_e164(struct arena *a, struct str text, const struct region *home);

/* The digits of the extension that a text ends with: of the text when that is folded already, else
 * arena-owned; {NULL,0} when there is none. */
struct str phone_extension(struct arena *a, struct str text);

/* How many of the digits of an international number (what follows its + or 00) are its calling
 * code; 0 where there is no such code. */
size_t phone_calling_code(struct str digits);

#endif
