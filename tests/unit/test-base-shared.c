#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/shared.h"
#include "test-base.h"

#define NOW (INT64_C(1772893800) * SECOND_US) /* a whole minute */

static void counts_in_a_window(void)
{
	struct shared *s = shared_new();
	struct rate r;

	r = shared_rate_take(s, STR("k"), 3, 60, NOW);
	CHECK(r.limit == 3 && r.remaining == 2 && r.reset_s == 60 && !r.is_over);
	shared_rate_take(s, STR("k"), 3, 60, NOW + SECOND_US);
	r = shared_rate_take(s, STR("k"), 3, 60, NOW + 20 * SECOND_US + 5);
	CHECK(r.remaining == 0 && r.reset_s == 40 && !r.is_over);
	r = shared_rate_take(s, STR("k"), 3, 60, NOW + 59 * SECOND_US);
	CHECK(r.remaining == 0 && r.reset_s == 1 && r.is_over);
	r = shared_rate_take(s, STR("k"), 3, 60, NOW + 60 * SECOND_US);
	CHECK(r.remaining == 2 && !r.is_over);
}

static void keys_and_windows_are_apart(void)
{
	struct shared *s = shared_new();

	shared_rate_take(s, STR("a"), 1, 60, NOW);
	CHECK(shared_rate_take(s, STR("a"), 1, 60, NOW).is_over);
	CHECK(!shared_rate_take(s, STR("b"), 1, 60, NOW).is_over);
	CHECK(!shared_rate_take(s, STR("a"), 1, 3600, NOW).is_over);
	CHECK(shared_rate_take(s, STR("x"), 0, 60, NOW).is_over);
}

/* A flood of keys costs some of the least used counters, and never one that stands out. */
static void a_flood_of_keys(void)
{
	struct shared *s = shared_new();
	char key[32];
	int over = 0;

	for (int i = 0; i < 50; i++)
		shared_rate_take(s, STR("attacker"), 10, 60, NOW);
	for (int i = 0; i < 100000; i++) {
		int n = snprintf(key, sizeof(key), "key %d", i);

		over += shared_rate_take(s, (struct str){key, (size_t)n}, 10, 60, NOW).is_over;
	}
	CHECK(over == 0);
	CHECK(shared_rate_take(s, STR("attacker"), 10, 60, NOW).is_over);
}

static void many_processes_count_together(void)
{
	enum { CHILDREN = 4, EACH = 5000 };
	struct shared *s = shared_new();
	pid_t children[CHILDREN];

	shared_rate_take(s, STR("k"), 1000000, 60, NOW);
	for (int c = 0; c < CHILDREN; c++) {
		children[c] = fork();
		if (children[c] == 0) {
			for (int i = 0; i < EACH; i++)
				shared_rate_take(s, STR("k"), 1000000, 60, NOW);
			_exit(0);
		}
		REQUIRE(children[c] > 0);
	}
	for (int c = 0; c < CHILDREN; c++)
		CHECK(waitpid(children[c], NULL, 0) == children[c]);
	CHECK(shared_rate_take(s, STR("k"), 1000000, 60, NOW).remaining ==
	      1000000 - 2 - CHILDREN * EACH);
}

static void no_account_takes_all_places(void)
{
	struct shared *s = shared_new();

	for (int i = 0; i < 6; i++)
		CHECK(shared_wait_begin(s, 1, 8));
	CHECK(!shared_wait_begin(s, 1, 8));
	CHECK(shared_wait_begin(s, 2, 8));
	CHECK(shared_wait_begin(s, 0, 8));
	CHECK(!shared_wait_begin(s, 3, 8)); /* all are taken */
	shared_wait_end(s);
	CHECK(shared_wait_begin(s, 1, 8));
	s = shared_new();
	CHECK(shared_wait_begin(s, 1, 1)); /* of one place it is all */
	s = shared_new();
	CHECK(shared_wait_begin(s, 1, 2));
	CHECK(shared_wait_begin(s, 1, 2)); /* few are not shared out */
	CHECK(!shared_wait_begin(s, 2, 2));
	s = shared_new();
	for (int i = 0; i < 3; i++)
		CHECK(shared_wait_begin(s, 1, 4));
	CHECK(!shared_wait_begin(s, 1, 4));
	CHECK(shared_wait_begin(s, 2, 4));
}

void suite_base_shared(void);
void suite_base_shared(void)
{
	ADD_TESTS("base/shared", {"counts in a window", counts_in_a_window},
	    {"keys and windows are apart", keys_and_windows_are_apart},
	    {"a flood of keys", a_flood_of_keys},
	    {"many processes count together", many_processes_count_together},
	    {"no account takes all places to wait", no_account_takes_all_places});
}
