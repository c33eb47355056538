/* The walk over all that matches, and replays over it. */
#include "record-check.h"

#include "record/record-bulk.h"

void suite_record_replay(void);

/* ---- the walk ------------------------------------------------------------------------------ */

#define N 450

static int see(void *arg, const struct record_row *row, struct err *err)
{
	int64_t n, *seen = arg;

	(void)err;
	if (str_to_i64((struct str){row->external_id.p + 1, row->external_id.n - 1}, 0, N - 1, &n))
		seen[n]++;
	return 0;
}

/* Records that stay are seen once each while others come, go and change. */
static void each_once(void)
{
	struct place p;
	struct record_filter f;
	struct record_walk w;
	struct err err = ERR_INIT;
	int64_t seen[N] = {0};
	size_t wrong = 0, pages = 0;
	int more;

	if (!place_make(&p))
		return;
	for (int i = 0; i < N; i++)
		PUT(&p, arena_printf(p.a, "r%04d", i), "{\"a\":0}");
	f = (struct record_filter){.account_id = p.account};
	OK(record_walk_begin(&w, p.app, p.a, &f, &err), &err);
	do {
		more = record_walk_page(&w, see, seen, &err);
		pages++;
		for (int i = 0; i < N; i += 7)
			PUT(&p, arena_printf(p.a, "r%04d", i),
			    arena_printf(p.a, "{\"a\":%zu}", pages));
		PUT(&p, arena_printf(p.a, "s%zu", pages), "{}");
		PUT(&p, arena_printf(p.a, "a%zu", pages), "{}");
		RUN(p.db, "DELETE FROM records WHERE account_id = ? AND external_id = ?",
		    db_uuid(&p.account), db_str(arena_printf(p.a, "a%zu", pages)));
	} while (more == 1);
	CHECK(more == 0 && pages >= 3);
	for (size_t i = 0; i < N; i++)
		wrong += seen[i] != 1;
	CHECK(wrong == 0);
	place_remove(&p);
}

static int stop_at(void *arg, const struct record_row *row, struct err *err)
{
	int64_t *left = arg;

	(void)row;
	(void)err;
	return --*left == 0;
}

static void goes_on_where_it_stopped(void)
{
	struct place p;
	struct record_filter f;
	struct record_walk w, rest;
	struct err err = ERR_INIT;
	int64_t left = 123, n;
	bool is_exact;

	if (!place_make(&p))
		return;
	for (int i = 0; i < N; i++)
		PUT(&p, arena_printf(p.a, "r%04d", i), "{\"a\":0}");
	f = (struct record_filter){.account_id = p.account};
	OK(record_walk_begin(&w, p.app, p.a, &f, &err), &err);
	CHECK(record_walk_page(&w, stop_at, &left, &err) == 1 && left == 0);
	OK(record_walk_begin(&rest, p.app, p.a, &f, &err), &err);
	record_walk_seek(&rest, w.kinds[w.kind].provider_type, w.kinds[w.kind].resource_type,
	    (struct str){w.after, w.nafter});
	OK(record_walk_count(&rest, INT64_MAX, &n, &is_exact, &err), &err);
	CHECK(n == N - 123 && is_exact);
	OK(record_walk_begin(&rest, p.app, p.a, &f, &err), &err);
	OK(record_walk_count(&rest, 0, &n, &is_exact, &err), &err);
	CHECK(n < N && n > 0 && !is_exact);
	record_walk_seek(&rest, STR("zzz"), STR(""), STR(""));
	CHECK(record_walk_page(&rest, stop_at, &left, &err) == 0);
	place_remove(&p);
}

/* ---- one record ---------------------------------------------------------------------------- */

static struct {
	int64_t runs, fail_at, unavailable_at;
	const char *cancel; /* id of a task to be cancelled at the first run */
	struct db *db;
} doing;

static int dispatch(struct app *app, struct arena *a, const struct record_dispatch *d,
    int64_t *matched, json_t *ids, struct err *err)
{
	(void)app;
	CHECK(json_str(d->record, "id") != NULL && json_object_get(d->record, "data") != NULL);
	doing.runs++;
	if (doing.runs == doing.fail_at)
		return err_set(err, ERR_INVALID, "not this one");
	if (doing.runs == doing.unavailable_at)
		return err_set(err, ERR_UNAVAILABLE, "away");
	if (json_int(json_object_get(d->record, "data"), "a") == 1)
		return 0; /* nobody is subscribed to those */
	*matched = 2;
	json_array_append_new(ids, json_string(uuid_dup(a, uuid_new())));
	return 0;
}

static void one_record(void)
{
	struct place p;
	struct uuid id, nobody = uuid_new();
	struct err err = ERR_INIT;
	json_t *out;

	if (!place_make(&p))
		return;
	id = PUT(&p, "x", "{\"a\":0}");
	CHECK(record_replay(p.app, p.a, &p.account, &id, NULL, &out, &err) == 1);
	CHECK(TEXT_EQ(json_text(p.a, out).p, "{\"executionIds\":[],\"matched\":0,\"ran\":0}"));
	p.app->hooks.record_dispatch = dispatch;
	CHECK(record_replay(p.app, p.a, &p.account, &id, NULL, &out, &err) == 1);
	CHECK(json_int(out, "matched") == 2 && json_int(out, "ran") == 1);
	CHECK(json_array_size(json_object_get(out, "executionIds")) == 1);
	CHECK(record_replay(p.app, p.a, &nobody, &id, NULL, &out, &err) == 0);
	place_remove(&p);
}

/* ---- the job ------------------------------------------------------------------------------- */

static int queue(struct db *db, void *arg, struct err *err)
{
	return task_queue(db, &record_replay_task, arg, NULL, err);
}

static struct uuid start(struct place *p, const char *args)
{
	struct task task = {.account_id = p->account,
	    .args = str_from(arena_printf(
		p->a, "{%s,\"seenBefore\":%lld}", args, (long long)clock_now_us() + 1))};
	struct err err = ERR_INIT;

	OK(db_transaction(p->db, queue, &task, &err), &err);
	doing.runs = doing.fail_at = doing.unavailable_at = 0;
	p->app->hooks.record_dispatch = dispatch;
	return task.id;
}

static void run_jobs(struct place *p)
{
	static const struct job_kind kinds[] = {KIND("record.replay", record_job_replay, 20, 0)};
	struct err err = ERR_INIT;
	struct runner *rn = runner_new(p->app, kinds, 1, &err);

	OK(rn == NULL ? -1 : 0, &err);
	CHECK(runner_once(rn, &err) >= 1);
	runner_free(rn);
}

/* "status received created updated unchanged failed" */
static const char *told(struct place *p, struct uuid id)
{
	return TEXT_OF(p->db, p->a,
	    "SELECT CONCAT_WS(' ', status, received, created, updated, unchanged, failed)"
	    " FROM tasks WHERE id = ?",
	    db_uuid(&id));
}

static void make_records(struct place *p)
{
	RUN(p->db, "DELETE FROM jobs");
	for (int i = 0; i < 250; i++)
		PUT(p, arena_printf(p->a, "r%04d", i), i % 5 ? "{\"a\":0}" : "{\"a\":1}");
}

static void job_runs_all(void)
{
	struct place p;
	struct uuid id;

	if (!place_make(&p))
		return;
	make_records(&p);
	id = start(&p,
	    "\"filter\":{\"resourceType\":\"contact\"},\"flowIds\":null,\"ratePerSecond\":1000");
	doing.fail_at = 2;
	run_jobs(&p);
	CHECK(TEXT_EQ(told(&p, id), "completed 250 199 199 50 1"));
	CHECK(doing.runs == 250);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs") == 0);
	id = start(&p, "\"filter\":{\"filter\":{\"a\":1}},\"ratePerSecond\":1000");
	run_jobs(&p);
	CHECK(TEXT_EQ(told(&p, id), "completed 50 0 0 50 0"));
	place_remove(&p);
}

static void job_keeps_to_its_rate(void)
{
	struct place p;
	struct uuid id;
	int64_t began = clock_mono_us();

	if (!place_make(&p))
		return;
	make_records(&p);
	RUN(p.db, "DELETE FROM records WHERE account_id = ? AND external_id >= 'r0100'",
	    db_uuid(&p.account));
	id = start(&p, "\"filter\":{\"resourceType\":\"contact\"},\"ratePerSecond\":80");
	run_jobs(&p);
	CHECK(TEXT_EQ(told(&p, id), "completed 100 80 80 20 0"));
	CHECK(clock_mono_us() - began >= SECOND_US * 9 / 10);
	place_remove(&p);
}

static void job_stops_when_cancelled(void)
{
	struct place p;
	struct uuid id;

	if (!place_make(&p))
		return;
	make_records(&p);
	id = start(&p, "\"filter\":{\"resourceType\":\"contact\"},\"ratePerSecond\":1000");
	RUN(p.db, "UPDATE tasks SET status = 'cancelled' WHERE id = ?", db_uuid(&id));
	run_jobs(&p);
	CHECK(TEXT_EQ(told(&p, id), "cancelled 0 0 0 0 0"));
	CHECK(doing.runs == 0);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs") == 0);
	place_remove(&p);
}

static void job_comes_back_when_the_database_was_away(void)
{
	struct place p;
	struct uuid id;

	if (!place_make(&p))
		return;
	make_records(&p);
	id = start(&p, "\"filter\":{\"resourceType\":\"contact\"},\"ratePerSecond\":1000");
	doing.unavailable_at = 180; /* in the second batch: the first is on record */
	run_jobs(&p);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE state = 'ready'") == 1);
	CHECK(NUMBER_OF(p.db, "SELECT received FROM tasks WHERE id = ?", db_uuid(&id)) == 125);
	RUN(p.db, "UPDATE jobs SET run_at = ?", db_int(clock_now_us()));
	run_jobs(&p);
	CHECK(TEXT_EQ(told(&p, id), "completed 250 200 200 50 0"));
	place_remove(&p);
}

void suite_record_replay(void)
{
	ADD_TESTS("record_replay", {"the walk: each once", each_once},
	    {"the walk goes on where it stopped", goes_on_where_it_stopped},
	    {"one record", one_record}, {"the job runs all", job_runs_all},
	    {"the job keeps to its rate", job_keeps_to_its_rate},
	    {"the job stops when cancelled", job_stops_when_cancelled},
	    {"the job comes back when the database was away",
		job_comes_back_when_the_database_was_away});
}
