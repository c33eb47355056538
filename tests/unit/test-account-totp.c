/* One-time passwords: the vectors of RFC 6238 appendix B (their last six digits). */
#include <stdio.h>

#include <CUnit/CUnit.h>

#include "account/account-internal.h"
#include "base/clock.h"

void suite_account_totp(void);

static const struct {
	int line;
	int64_t at_s;
	unsigned code;
} vectors[] = {
    {__LINE__, 59, 287082},
    {__LINE__, 1111111109, 81804},
    {__LINE__, 1111111111, 50471},
    {__LINE__, 1234567890, 5924},
    {__LINE__, 2000000000, 279037},
    {__LINE__, 20000000000, 353130},
};
#define SECRET STR("12345678901234567890")

static void check(bool is_right, int line, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "line %d: %s", line, what);
	CU_assertImplementation(is_right, (unsigned)line, text, __FILE__, "", CU_FALSE);
}

static bool is_right(unsigned code, int64_t at_s, int64_t *step)
{
	char text[16];

	snprintf(text, sizeof(text), "%06u", code);
	return totp_is_right(SECRET, str_from(text), at_s * SECOND_US, step);
}

static void codes(void)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		int64_t at = vectors[i].at_s, step = 0;
		unsigned code = vectors[i].code;

		check(totp_at(SECRET, at / 30) == code, vectors[i].line, "the code");
		check(is_right(code, at, &step) && step == at / 30, vectors[i].line, "its step");
		check(is_right(code, at + 30, &step), vectors[i].line, "a step late");
		check(is_right(code, at - 30, &step), vectors[i].line, "a step early");
		check(!is_right(code, at + 90, &step), vectors[i].line, "three steps late");
		check(!is_right(code, at - 90, &step), vectors[i].line, "three steps early");
	}
}

static void forms(void)
{
	const int64_t at_us = 59 * SECOND_US;
	int64_t step;

	CU_ASSERT(totp_is_right(SECRET, STR("287082"), at_us, &step));
	CU_ASSERT(totp_is_right(SECRET, STR(" 287082 "), at_us, &step));
	CU_ASSERT_FALSE(totp_is_right(SECRET, STR("287083"), at_us, &step));
	CU_ASSERT_FALSE(totp_is_right(SECRET, STR("0287082"), at_us, &step));
	CU_ASSERT_FALSE(totp_is_right(SECRET, STR("+28708"), at_us, &step));
	CU_ASSERT_FALSE(totp_is_right(SECRET, STR("28708"), at_us, &step));
	CU_ASSERT_FALSE(totp_is_right(SECRET, STR(""), at_us, &step));
	CU_ASSERT_FALSE(totp_is_right(SECRET, STR("abcdef"), at_us, &step));
	CU_ASSERT_FALSE(totp_is_right(STR("another secret"), STR("287082"), at_us, &step));
}

void suite_account_totp(void)
{
	CU_pSuite s = CU_add_suite("account_totp", NULL, NULL);

	CU_add_test(s, "RFC 6238 appendix B", codes);
	CU_add_test(s, "what is no code", forms);
}
