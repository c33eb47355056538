/* Decimal numbers as they are written, of any length: nothing here goes through a double, which
 * would change digits. A number has the form of JSON (RFC 8259): -12, 0.50, 4e3. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H
#include "base/str.h"

struct arena;

/* The length of the number at the beginning of s; 0 where none begins. */
size_t number_length(struct str s);
bool number_is(struct str s); /* all of it */
/* Is it an int64 as programs write one: no fraction, no exponent, no "-0"? s is a number. */
bool number_is_int64(struct str s);
/* By value: 5, 5.0 and 50e-1 are equal. Both are numbers. */
bool number_equals(struct str x, struct str y);
int number_compare(struct str x, struct str y); /* below 0, 0, above 0 */
/* The value without an exponent and without zeros at the end of a fraction (4e3 is 4000, 5.0 is 5):
 * what an id is that came as a number. Arena-owned and NUL-ended; {NULL,0} where it has more than
 * NUMBER_PLAIN_BYTES. s is a number. */
#define NUMBER_PLAIN_BYTES 400u
struct str number_plain(struct arena *a, struct str s);
/* Bytes whose order (memcmp, the shorter first) is the order of the values: the same for equal
 * ones, and for others where they are alike up to the end, since at most `most` (at least 16) are
 * written to out. Returns how many. s is a number. */
size_t number_order(unsigned char *out, size_t most, struct str s);

#endif
