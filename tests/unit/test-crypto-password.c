#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "crypto/password.h"
#include "test-base.h"

static void right_and_wrong(void)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	const char *hash = password_hash(a, "correct horse", &e);

	REQUIRE(hash != NULL);
	CHECK(strncmp(hash, "$y$", 3) == 0 && strstr(hash, "horse") == NULL);
	CHECK(password_is_right("correct horse", hash));
	CHECK(!password_is_right("correct horsE", hash));
	CHECK(!password_is_right("", hash));
	CHECK(!TEXT_EQ(hash, password_hash(a, "correct horse", &e)));
	arena_free(a);
}

static void long_ones(void)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	char text[LIMIT_PASSWORD_BYTES + 2];
	const char *hash;

	memset(text, 'p', sizeof(text));
	text[LIMIT_PASSWORD_BYTES] = '\0';
	hash = password_hash(a, text, &e);
	REQUIRE(hash != NULL);
	CHECK(password_is_right(text, hash));
	text[LIMIT_PASSWORD_BYTES - 1] = 'q'; /* every byte counts */
	CHECK(!password_is_right(text, hash));
	text[LIMIT_PASSWORD_BYTES] = 'p';
	text[LIMIT_PASSWORD_BYTES + 1] = '\0';
	CHECK(password_hash(a, text, &e) == NULL && e.code == ERR_INVALID);
	CHECK(!password_is_right(text, hash));
	arena_free(a);
}

static void broken_hashes(void)
{
	CHECK(!password_is_right("x", ""));
	CHECK(!password_is_right("x", "*0") && !password_is_right("x", "*1"));
	CHECK(!password_is_right("x", "x") && !password_is_right("x", "$y$"));
	CHECK(!password_is_right("x", "$y$j9T$lSHA8o2wsg7ztUWkMqacc/$"));
}

/* The shortest of a few checks, which is what the machine's other work disturbs least. */
static int64_t least_cost(const char *hash)
{
	int64_t least = INT64_MAX;

	for (int i = 0; i < 4; i++) {
		int64_t start = clock_mono_us(), cost;

		CHECK(!password_is_right("y", hash));
		cost = clock_mono_us() - start;
		least = cost < least ? cost : least;
	}
	return least;
}

/* An unknown user costs what a known one does; a fifth of it would tell them apart. */
static void nobody_costs_the_same(void)
{
	struct arena *a = arena_new();
	const char *hash = password_hash(a, "x", NULL);

	REQUIRE(hash != NULL);
	CHECK(least_cost(NULL) > least_cost(hash) / 5);
	arena_free(a);
}

void suite_crypto_password(void);
void suite_crypto_password(void)
{
	ADD_TESTS("crypto/password", {"right and wrong", right_and_wrong}, {"long ones", long_ones},
	    {"broken hashes", broken_hashes}, {"nobody costs the same", nobody_costs_the_same});
}
