/* Time-based one-time passwords: RFC 6238 over RFC 4226. */
#include "account/account-internal.h"
#include "base/clock.h"

#define STEP_US (30 * SECOND_US)
#define DIGITS 6u
#define MODULUS 1000000u

struct str totp_context(struct arena *a, const struct uuid *user_id)
{
	return str_from(arena_printf(a, "users.totp:%s", uuid_dup(a, *user_id)));
}

unsigned totp_at(struct str secret, int64_t step)
{
	unsigned char counter[8], mac[SHA1_SIZE];
	struct str part = {(const char *)counter, sizeof(counter)};
	size_t at;
	uint32_t value;

	for (size_t i = 0; i < sizeof(counter); i++)
		counter[i] = (unsigned char)((uint64_t)step >> (56 - 8 * i));
	hmac_parts(HASH_SHA1, secret, &part, 1, mac);
	at = mac[SHA1_SIZE - 1] & 0xfu;
	value = (uint32_t)(mac[at] & 0x7fu) << 24 | (uint32_t)mac[at + 1] << 16 |
		(uint32_t)mac[at + 2] << 8 | mac[at + 3];
	return value % MODULUS;
}

bool totp_is_right(struct str secret, struct str code, int64_t now_us, int64_t *step)
{
	int64_t now = now_us / STEP_US, number;
	bool is_right = false;

	code = utf8_trim(code);
	if (code.n != DIGITS || !str_to_i64(code, 0, MODULUS - 1, &number))
		return false;
	for (int64_t s = now - 1; s <= now + 1; s++)
		if (totp_at(secret, s) == (unsigned)number) {
			*step = s;
			is_right = true;
		}
	return is_right;
}
