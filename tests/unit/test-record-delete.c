/* Deletion by id, and of all that a filter matches. */
#include "record-check.h"

#include "record/record-bulk.h"

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

/* Somebody is at indexing it: it was read, and its words are not stored yet. */
static void while_it_is_indexed(void)
{
	struct place p;
	struct db *indexer;
	struct uuid id;

	if (!place_make(&p))
		return;
	id = PUT(&p, "x", "{\"a\":\"of a person\"}");
	RUN(p.db, "DELETE FROM record_search WHERE record_id = ?", db_uuid(&id));
	RUN(p.db, "INSERT IGNORE INTO record_search_queue (record_id, account_id) VALUES (?,?)",
	    db_uuid(&id), db_uuid(&p.account));
	indexer = db_new(&p.c.cfg);
	SCRIPT(indexer, "BEGIN");
	CHECK(NUMBER_OF(indexer,
		  "SELECT COUNT(*) FROM (SELECT 1 FROM record_search_queue WHERE record_id = ?"
		  " FOR UPDATE) q",
		  db_uuid(&id)) == 1);
	SCRIPT(p.db, "SET SESSION innodb_lock_wait_timeout = 1");
	CHECK(delete_of(&p, p.account, id) == -1); /* it waits, and is tried again */
	RUN(indexer, "INSERT INTO record_search (record_id, account_id, words) VALUES (?,?,'x')",
	    db_uuid(&id), db_uuid(&p.account));
	RUN(indexer, "DELETE FROM record_search_queue WHERE record_id = ?", db_uuid(&id));
	SCRIPT(indexer, "COMMIT");
	db_free(indexer);
	CHECK(delete_of(&p, p.account, id) == 1);
	CHECK(ROWS(&p, "record_search") == 0 && ROWS(&p, "record_search_queue") == 0);
	place_remove(&p);
}

/* ---- all that match ------------------------------------------------------------------------ */

#define MANY 230

static void run_jobs(struct place *p)
{
	static const struct job_kind kinds[] = {KIND("record.delete", record_job_delete, 20, 0)};
	struct err err = ERR_INIT;
	struct runner *rn = runner_new(p->app, kinds, 1, &err);

	if (OK(rn == NULL ? -1 : 0, &err))
		CHECK(runner_once(rn, &err) >= 1);
	runner_free(rn);
}

/* "status done total received updated unchanged" of the newest */
static const char *told(struct place *p)
{
	return TEXT_OF(p->db, p->a,
	    "SELECT CONCAT_WS(' ', status, done, total, received, updated, unchanged) FROM tasks"
	    " WHERE account_id = ? ORDER BY id DESC LIMIT 1",
	    db_uuid(&p->account));
}

static struct req *asker(struct place *p)
{
	struct req *r = arena_zalloc(p->a, sizeof(*r));

	req_init(r, p->a, p->app);
	r->actor = (struct actor){.kind = ACTOR_SESSION, .account_id = p->account};
	RUN(p->db, "DELETE FROM jobs");
	for (int i = 0; i < MANY; i++)
		PUT(p, arena_printf(p->a, "r%04d", i), "{\"a\":0}");
	return r;
}

static void delete_all(struct place *p, struct req *r, int64_t asked_us)
{
	json_t *filter = json_parse(p->a, STR("{\"resourceType\":\"contact\"}"), NULL);
	struct err err = ERR_INIT;

	OK(record_delete_all(r, filter, asked_us, MANY, &err), &err);
}

static void all_that_was_there_goes(void)
{
	struct place p;
	struct req *r;
	int64_t asked_us;

	if (!place_make(&p))
		return;
	r = asker(&p);
	asked_us = clock_now_us() + 1;
	for (int i = 0; i < MANY; i += 23) /* changed since */
		PUT_AT(&p, arena_printf(p.a, "r%04d", i), "{\"a\":1}", asked_us + SECOND_US);
	PUT_AT(&p, "s", "{\"a\":1}", asked_us + SECOND_US); /* come since */
	delete_all(&p, r, asked_us);
	CHECK(TEXT_EQ(told(&p), "queued 0 230 0 0 0"));
	run_jobs(&p);
	CHECK(TEXT_EQ(told(&p), "completed 230 230 230 220 10"));
	CHECK(ROWS(&p, "records") == 11 && counted(&p) == 11);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE kind = 'record.delete'") == 0);
	place_remove(&p);
}

/* A run that breaks in its third batch keeps the first two, and the next one counts on from there,
 * also those that were left and are still there. */
static void counts_once(void)
{
	struct place p;
	struct req *r;
	int64_t asked_us;

	if (!place_make(&p))
		return;
	r = asker(&p);
	asked_us = clock_now_us() + 1;
	PUT_AT(&p, "r0000", "{\"a\":1}", asked_us + SECOND_US);
	PUT_AT(&p, "r0060", "{\"a\":1}", asked_us + SECOND_US);
	SCRIPT(p.db, "CREATE TRIGGER records_stuck BEFORE DELETE ON records FOR EACH ROW"
		     " IF OLD.external_id = 'r0120' THEN"
		     " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'stuck'; END IF");
	delete_all(&p, r, asked_us);
	run_jobs(&p);
	CHECK(TEXT_EQ(told(&p), "running 100 230 100 98 2"));
	CHECK(ROWS(&p, "records") == MANY - 98);
	SCRIPT(p.db, "DROP TRIGGER records_stuck");
	RUN(p.db, "UPDATE jobs SET run_at = ?", db_int(clock_now_us()));
	run_jobs(&p);
	CHECK(TEXT_EQ(told(&p), "completed 230 230 230 228 2"));
	CHECK(ROWS(&p, "records") == 2);
	place_remove(&p);
}

static void stops_when_cancelled(void)
{
	struct place p;
	struct req *r;

	if (!place_make(&p))
		return;
	r = asker(&p);
	delete_all(&p, r, clock_now_us());
	RUN(p.db, "UPDATE tasks SET status = 'cancelled' WHERE account_id = ?",
	    db_uuid(&p.account));
	run_jobs(&p);
	CHECK(TEXT_EQ(told(&p), "cancelled 0 230 0 0 0"));
	CHECK(ROWS(&p, "records") == MANY);
	place_remove(&p);
}

void suite_record_delete(void)
{
	ADD_TESTS("record_delete", {"everything goes", everything_goes},
	    {"among writers", among_writers}, {"while it is indexed", while_it_is_indexed},
	    {"all that was there goes", all_that_was_there_goes}, {"all: counts once", counts_once},
	    {"all: stops when cancelled", stops_when_cancelled});
}
