/* UUID version 7 (RFC 9562 §5.7): 48-bit milliseconds, then 12 bits that are the fraction of the
 * millisecond (§6.2, method 3), so that ids of several processes of a host follow the order in
 * which they were made, or a counter on top of it, so that those of one process rise strictly, then
 * 62 random bits. A counter that is full borrows the next millisecond. */
#ifndef CRYPTO_UUID_H
#define CRYPTO_UUID_H
#include "base/str.h"
#include <stdbool.h>
#include <stdint.h>
#define UUID_TEXT 37
struct uuid {
	unsigned char b[16];
};
struct uuid uuid_new(void);
/* A new id of that time, to the microsecond: such ids are in the order of their times. */
struct uuid uuid_of_time(int64_t at_us);
/* The one of a thing of that kind, wherever and whenever it is made: version 8 (RFC 9562 §5.8), of
 * the SHA-256 of the kind, a space and the name. */
struct uuid uuid_named(const char *kind, struct str name);
struct uuid uuid_at(int64_t at_us); /* the smallest id of that time: a bound for ranges */
int64_t uuid_time_us(struct uuid u);
void uuid_text(char out[UUID_TEXT], struct uuid u);
const char *uuid_dup(struct arena *a, struct uuid u);
bool uuid_parse(struct str s, struct uuid *u); /* the 36-character form, any case */
/* The same, for json_member.parse; u is a struct uuid. */
bool uuid_parse_member(struct str s, void *u);
bool uuid_eq(struct uuid a, struct uuid b);
bool uuid_is_nil(struct uuid u);
uint64_t uuid_number(struct uuid u); /* of its random half: to tell some apart, not to name one */
#endif
