#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "crypto/random.h"
#include "test-base.h"

/* That any of these happens by chance is as likely as guessing a 128-bit key. */
static void never_twice(void)
{
	enum { N = 2000 };
	static unsigned char seen[N][16];
	int equal = 0;

	for (int i = 0; i < N; i++) {
		random_bytes(seen[i], sizeof(seen[i]));
		for (int j = 0; j < i; j++)
			equal += memcmp(seen[i], seen[j], sizeof(seen[i])) == 0;
	}
	CHECK(equal == 0);
}

static void fills_all_sizes(void)
{
	static const size_t sizes[] = {0, 1, 8, 63, 64, 65, 1000, 1025, 5000};

	for (size_t i = 0; i < COUNT(sizes); i++) {
		size_t n = sizes[i];
		unsigned char *p = calloc(1, n + 1);
		int changed[2] = {0, 0};

		/* every byte is other than zero sooner or later, the one behind never */
		for (int round = 0; round < 64 && n; round++) {
			random_bytes(p, n);
			changed[0] |= p[0];
			changed[1] |= p[n - 1];
		}
		CHECK(n == 0 || (changed[0] && changed[1]));
		CHECK(p[n] == 0);
		free(p);
	}
}

static void below(void)
{
	int seen[7] = {0}, outside = 0;

	for (int i = 0; i < 7000; i++) {
		uint64_t v = random_below(7);

		if (v < 7)
			seen[v]++;
		else
			outside++;
	}
	CHECK(outside == 0);
	for (int i = 0; i < 7; i++)
		CHECK(seen[i] > 700 && seen[i] < 1300); /* ten standard deviations */
	CHECK(random_below(1) == 0 && random_below(0) == 0);
	for (int i = 0; i < 100; i++)
		CHECK(random_below(UINT64_MAX) < UINT64_MAX);
}

static void a_child_has_its_own(void)
{
	unsigned char ours[32], theirs[32];
	int ends[2];
	pid_t child;

	random_u64(); /* so that the pool is filled before the fork */
	REQUIRE(pipe(ends) == 0);
	child = fork();
	if (child == 0) {
		random_bytes(theirs, sizeof(theirs));
		_exit(write(ends[1], theirs, sizeof(theirs)) != sizeof(theirs));
	}
	REQUIRE(child > 0);
	random_bytes(ours, sizeof(ours));
	CHECK(read(ends[0], theirs, sizeof(theirs)) == sizeof(theirs));
	CHECK(memcmp(ours, theirs, sizeof(ours)) != 0);
	CHECK(waitpid(child, NULL, 0) == child);
	close(ends[0]);
	close(ends[1]);
}

static void tokens(void)
{
	struct arena *a = arena_new();
	const char *one = random_token(a, 32), *two = random_token(a, 32);
	unsigned char raw[32];

	CHECK(strlen(one) == 43 && !TEXT_EQ(one, two));
	CHECK(base64url_decode(raw, sizeof(raw), str_from(one)) == 32);
	CHECK(TEXT_EQ(random_token(a, 0), ""));
	CHECK(strlen(random_token(a, 1)) == 2);
	arena_free(a);
}

void suite_crypto_random(void);
void suite_crypto_random(void)
{
	ADD_TESTS("crypto/random", {"never twice", never_twice},
	    {"fills all sizes", fills_all_sizes}, {"below", below},
	    {"a child has its own", a_child_has_its_own}, {"tokens", tokens});
}
