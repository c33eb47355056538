#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "crypto/uuid.h"
#include "test-base.h"

/* RFC 9562, appendix A.6. */
static void the_example_of_the_rfc(void)
{
	struct uuid u;
	char text[UUID_TEXT];

	CHECK(uuid_parse(STR("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &u));
	CHECK(uuid_time_us(u) == INT64_C(1645557742000) * 1000);
	CHECK(u.b[6] >> 4 == 7 && u.b[8] >> 6 == 2);
	uuid_text(text, u);
	CHECK(TEXT_EQ(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"));
}

/* Of version 8: stored ids depend on it for ever. */
static void named_for_ever(void)
{
	struct uuid u = uuid_named("periodic work", STR("events.partition"));
	char text[UUID_TEXT];

	uuid_text(text, u);
	CHECK(TEXT_EQ(text, "f6c6b025-b699-85ff-9186-49c312c97fd9"));
	CHECK(!uuid_eq(u, uuid_named("periodic work", STR("events.partitions"))));
	CHECK(!uuid_eq(u, uuid_named("poll.run", STR("events.partition"))));
}

static void layout(void)
{
	int64_t before = clock_now_us() / 1000 * 1000;
	struct uuid u = uuid_new();
	int64_t after = clock_now_us();

	CHECK(u.b[6] >> 4 == 7);
	CHECK(u.b[8] >> 6 == 2);
	CHECK(uuid_time_us(u) >= before && uuid_time_us(u) <= after);
	CHECK(!uuid_is_nil(u));
}

/* Far more than the counter has room for within one millisecond. */
static void rises_strictly(void)
{
	struct uuid last = uuid_new();
	int wrong = 0;

	for (int i = 0; i < 200000; i++) {
		struct uuid u = uuid_new();

		wrong += memcmp(u.b, last.b, 8) <= 0;
		wrong += u.b[6] >> 4 != 7 || u.b[8] >> 6 != 2;
		last = u;
	}
	CHECK(wrong == 0);
	/* what was borrowed of the time to come is little */
	CHECK(uuid_time_us(last) < clock_now_us() + SECOND_US);
}

/* An id, and what the clock said before and after. */
struct made {
	struct uuid id;
	int64_t from_us, to_us;
};

static struct made make_one(void)
{
	struct made m = {.from_us = clock_now_us()};

	m.id = uuid_new();
	m.to_us = clock_now_us();
	return m;
}

/* Two processes that make an id in turns, many within a millisecond: their order is that of the
 * turns, but for two in one microsecond, which no clock of ours tells apart. */
static void follows_the_order_of_processes(void)
{
	enum { TURNS = 300 };
	struct made all[2 * TURNS];
	int to_child[2], to_us[2], wrong = 0, told_apart = 0;
	int64_t borrowed_us = uuid_time_us(uuid_new()) + 1000;
	char byte = 'x';
	pid_t pid;

	while (clock_now_us() < borrowed_us) /* by the test before this one */
		usleep(1000);
	REQUIRE(pipe(to_child) == 0 && pipe(to_us) == 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < TURNS; i++) {
			struct made m;

			if (read(to_child[0], &byte, 1) != 1)
				_exit(1);
			m = make_one();
			if (write(to_us[1], &m, sizeof(m)) != (ssize_t)sizeof(m))
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < TURNS; i++) {
		all[2 * i] = make_one();
		REQUIRE(write(to_child[1], &byte, 1) == 1);
		REQUIRE(read(to_us[0], &all[2 * i + 1], sizeof(all[0])) == (ssize_t)sizeof(all[0]));
	}
	CHECK(waitpid(pid, NULL, 0) == pid);
	for (int i = 1; i < 2 * TURNS; i++) {
		const struct made *x = &all[i - 1], *y = &all[i];

		if (x->to_us >= y->from_us)
			continue;
		told_apart++;
		wrong += memcmp(x->id.b, y->id.b, sizeof(y->id.b)) >= 0;
	}
	CHECK(wrong == 0);
	CHECK(told_apart > TURNS);
	for (int i = 0; i < 2; i++) {
		close(to_child[i]);
		close(to_us[i]);
	}
}

static void bounds_of_a_time(void)
{
	int64_t at_us = INT64_C(1772893800123456);
	struct uuid least = uuid_at(at_us), next = uuid_at(at_us + 1000), old = uuid_at(-5);
	char text[UUID_TEXT];

	uuid_text(text, least);
	CHECK(TEXT_EQ(text, "019cc8b4-86bb-7000-8000-000000000000"));
	CHECK(uuid_time_us(least) == INT64_C(1772893800123000));
	CHECK(memcmp(least.b, next.b, 16) < 0);
	CHECK(uuid_time_us(old) == 0);
	CHECK(memcmp(uuid_at(0).b, uuid_new().b, 16) < 0);
}

static void texts(void)
{
	static const char *const wrong[] = {"", "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
	    "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", "017f22e279b07cc398c4dc0c0c07398f",
	    "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "{17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
	    "017f22e2-79b0-7cc3-98c4+dc0c0c07398f", "017f22e-279b0-7cc3-98c4-dc0c0c07398f",
	    "017f22e2-79b0-7cc3-98c4-dc0c0c0739 f"};
	struct arena *a = arena_new();
	struct uuid u = uuid_new(), back, kept = u;

	CHECK(uuid_parse(str_from(uuid_dup(a, u)), &back) && uuid_eq(u, back));
	for (size_t i = 0; i < COUNT(wrong); i++)
		CHECK(!uuid_parse(str_from(wrong[i]), &kept));
	CHECK(uuid_eq(kept, u));
	CHECK(uuid_parse(STR("00000000-0000-0000-0000-000000000000"), &back) && uuid_is_nil(back));
	CHECK(!uuid_eq(u, back));
	arena_free(a);
}

void suite_crypto_uuid(void);
void suite_crypto_uuid(void)
{
	ADD_TESTS("crypto/uuid", {"the example of the RFC", the_example_of_the_rfc},
	    {"layout", layout}, {"named for ever", named_for_ever},
	    {"rises strictly", rises_strictly},
	    {"follows the order of processes", follows_the_order_of_processes},
	    {"bounds of a time", bounds_of_a_time}, {"texts", texts});
}
