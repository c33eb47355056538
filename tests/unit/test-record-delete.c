/* Deletion by id. */
#include "record-check.h"

void suite_record_delete(void);

static void everything_goes(void)
{
	struct place p;
	struct uuid id, other, nobody = uuid_new();
	int64_t yesterday = clock_now_us() - DAY_US;

	if (!place_make(&p))
		return;
	PUT_AT(&p, "x", "{\"a\":1}", yesterday);
	id = PUT(&p, "x", "{\"a\":2}");
	other = PUT(&p, "y", "{\"a\":1}");
	CHECK(counted(&p) == 2 && ROWS(&p, "record_changes") == 3);
	CHECK(delete_of(&p, nobody, id) == 0);
	CHECK(delete_of(&p, p.account, nobody) == 0);
	CHECK(counted(&p) == 2 && ROWS(&p, "records") == 2);
	CHECK(delete_of(&p, p.account, id) == 1);
	CHECK(delete_of(&p, p.account, id) == 0);
	CHECK(ROWS(&p, "records") == 1 && ROWS(&p, "record_changes") == 1);
	CHECK(ROWS(&p, "record_search") <= 1 && counted(&p) == 1);
	/* off the day on which it was first seen */
	CHECK(NUMBER_OF(p.db,
		  "SELECT SUM(records) FROM record_counts WHERE account_id = ? AND day = ?",
		  db_uuid(&p.account), db_int(clock_day(yesterday))) == 0);
	CHECK(!uuid_eq(PUT(&p, "x", "{\"a\":3}"), id));
	CHECK(counted(&p) == 2 && ROWS(&p, "records") == 2);
	CHECK(delete_of(&p, p.account, other) == 1);
	place_remove(&p);
}

/* Writers and deletions at once: the counters and the rows agree at the end. */
struct racing {
	struct core_app *c;
	struct uuid account;
	bool is_writer;
};

static int race(void *arg)
{
	struct racing *r = arg;
	struct place p = {.c = *r->c, .account = r->account};

	core_app_forked(&p.c);
	p.app = &p.c.app;
	p.db = p.app->db;
	p.a = p.c.a;
	for (int i = 0; i < 150; i++) {
		struct uuid id = PUT(&p, i % 2 ? "x" : "y", arena_printf(p.a, "{\"n\":%d}", i));

		if (!r->is_writer && delete_of(&p, p.account, id) == -1)
			return 1;
	}
	return 0;
}

static void among_writers(void)
{
	struct place p;
	pid_t pids[4];

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < COUNT(pids); i++)
		pids[i] = core_fork(race, &(struct racing){&p.c, p.account, i % 2 == 0});
	for (size_t i = 0; i < COUNT(pids); i++)
		CHECK(core_wait(pids[i]) == 0);
	CHECK(counted(&p) == ROWS(&p, "records"));
	CHECK(NUMBER_OF(p.db,
		  "SELECT COUNT(*) FROM record_changes c LEFT JOIN records r ON r.id = c.record_id"
		  " WHERE c.account_id = ? AND r.id IS NULL",
		  db_uuid(&p.account)) == 0);
	CHECK(NUMBER_OF(p.db,
		  "SELECT COUNT(*) FROM record_search s LEFT JOIN records r ON r.id = s.record_id"
		  " WHERE s.account_id = ? AND r.id IS NULL",
		  db_uuid(&p.account)) == 0);
	place_remove(&p);
}

void suite_record_delete(void)
{
	ADD_TESTS("record_delete", {"everything goes", everything_goes},
	    {"among writers", among_writers});
}
