#include "crypto/uuid.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define COUNTER_MOST 0xFFFu
#define MS_MOST ((INT64_C(1) << 48) - 1)

/* What the last id was made of. */
static struct {
	int64_t ms;
	unsigned counter;
} last = {-1, 0};

static void uuid_put_ms(struct uuid *u, int64_t ms)
{
	for (int i = 0; i < 6; i++)
		u->b[i] = (unsigned char)(ms >> (40 - 8 * i));
}

static int64_t uuid_clamp_ms(int64_t ms)
{
	return ms < 0 ? 0 : ms > MS_MOST ? MS_MOST : ms;
}

/* Of a millisecond, in the counter's unit. */
static unsigned uuid_fraction(int64_t at_us)
{
	return at_us < 0 ? 0 : (unsigned)(at_us % 1000 * (COUNTER_MOST + 1) / 1000);
}

static struct uuid uuid_make(int64_t ms, unsigned counter)
{
	struct uuid u;

	random_bytes(u.b + 8, 8);
	uuid_put_ms(&u, ms);
	u.b[6] = (unsigned char)(0x70 | counter >> 8);
	u.b[7] = (unsigned char)(counter & 0xFF);
	u.b[8] = (unsigned char)(0x80 | (u.b[8] & 0x3F));
	return u;
}

struct uuid uuid_named(const char *kind, struct str name)
{
	const struct str parts[] = {str_from(kind), STR(" "), name};
	unsigned char digest[SHA256_SIZE];
	struct uuid u;

	hash_parts(HASH_SHA256, parts, sizeof(parts) / sizeof(parts[0]), digest);
	memcpy(u.b, digest, sizeof(u.b));
	u.b[6] = (unsigned char)(0x80 | (u.b[6] & 0x0F));
	u.b[8] = (unsigned char)(0x80 | (u.b[8] & 0x3F));
	return u;
}

struct uuid uuid_of_time(int64_t at_us)
{
	return uuid_make(uuid_clamp_ms(at_us / 1000), uuid_fraction(at_us));
}

struct uuid uuid_new(void)
{
	int64_t now_us = clock_now_us(), ms = uuid_clamp_ms(now_us / 1000);
	unsigned fraction = uuid_fraction(now_us);

	if (ms > last.ms || (ms == last.ms && fraction > last.counter)) {
		last.ms = ms;
		last.counter = fraction;
	} else if (last.counter < COUNTER_MOST) {
		last.counter++; /* also while the clock stands or was set back */
	} else {
		last.ms++; /* borrowed from the time to come */
		last.counter = 0;
	}
	return uuid_make(last.ms, last.counter);
}

struct uuid uuid_at(int64_t at_us)
{
	struct uuid u = {{0}};

	uuid_put_ms(&u, uuid_clamp_ms(at_us / 1000));
	u.b[6] = 0x70;
	u.b[8] = 0x80;
	return u;
}

int64_t uuid_time_us(struct uuid u)
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | u.b[i];
	return ms * 1000;
}

void uuid_text(char out[UUID_TEXT], struct uuid u)
{
	static const char hex[] = "0123456789abcdef";

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = hex[u.b[i] >> 4];
		*out++ = hex[u.b[i] & 15];
	}
	*out = '\0';
}

const char *uuid_dup(struct arena *a, struct uuid u)
{
	char *text = arena_alloc(a, UUID_TEXT);

	uuid_text(text, u);
	return text;
}

bool uuid_parse(struct str s, struct uuid *u)
{
	struct uuid parsed;

	if (s.n != UUID_TEXT - 1)
		return false;
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10) {
			if (*s.p++ != '-')
				return false;
		}
		if (hex_decode(&parsed.b[i], 1, (struct str){s.p, 2}) != 1)
			return false;
		s.p += 2;
	}
	*u = parsed;
	return true;
}

bool uuid_parse_member(struct str s, void *u)
{
	return uuid_parse(s, u);
}

bool uuid_eq(struct uuid a, struct uuid b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

uint64_t uuid_number(struct uuid u)
{
	uint64_t n;

	memcpy(&n, u.b + sizeof(u.b) - sizeof(n), sizeof(n));
	return n;
}

bool uuid_is_nil(struct uuid u)
{
	return uuid_eq(u, (struct uuid){{0}});
}
