/* Pushes by the runner: rounds, what is given up, many at once, leads that are corrected. */
#include "account/audit.h"
#include "crm-check.h"
#include "job/queue.h"

void suite_crm_push(void);

/* ---- pushes ------------------------------------------------------------------------------ */

static const struct job_kind kinds[] = {
    {.name = "crm.push",
	.run = crm_job_push,
	.max_attempts = 1000,
	.lease_s = 300,
	.died = crm_push_died,
	.revived = crm_pushes_revived},
    {.name = NULL},
};

static int revive_body(struct db *db, void *arg, struct err *err)
{
	struct place *p = arg;
	struct lane_key own = {.account_id = p->account, .class = JOB_LIVE};
	int64_t n;

	(void)db;
	CHECK(queue_revive_lane(p->app, &own, &n, err) == 0 && n == 1);
	return 0;
}

/* The one dead push of the account is run again. */
static void revive(struct place *p)
{
	struct err err = ERR_INIT;

	p->app->hooks.job_kinds = kinds;
	OK(db_transaction(p->db, revive_body, p, &err), &err);
}

static void run_jobs(struct place *p)
{
	struct err err = ERR_INIT;
	struct runner *rn = runner_new(p->app, kinds, COUNT(kinds) - 1, &err);

	REQUIRE(rn != NULL);
	CHECK(runner_once(rn, &err) >= 0);
	CHECK(err.code == ERR_NONE);
	runner_free(rn);
}

/* Nobody answers: the attempts of a round, then the next round on a schedule, dead at last. */
static void rounds(void)
{
	static const int minutes[] = {5, 30, 120, 300, 600, 840, 1200, 1440};
	struct place p;
	struct uuid lead, to, delivery;
	struct delivery d;
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	p.c.cfg.push_backoff_ms = p.c.cfg.push_backoff_max_ms = 60000;
	to = destination(&p, "crm");
	lead = ready_lead(&p, "{\"email\":\"a@b.co\"}");
	CHECK(queue(&p, lead) == 1);
	delivery = delivery_to(&p, lead, to);
	for (size_t round = 0; round <= COUNT(minutes); round++) {
		int64_t now = clock_now_us();
		bool is_last = round == COUNT(minutes);
		int64_t due = is_last ? 0 : now + minutes[round] * 60 * SECOND_US;

		run_jobs(&p);
		/* the wait for the round's second attempt is a row with a time, and no more */
		REQUIRE(delivery_load(p.db, p.a, &p.account, &delivery, &d, &err) == 1);
		CHECK(d.state.attempts == 2 * (int)round + 1 && d.state.rounds == (int)round);
		CHECK(NUMBER_OF(p.db,
			  "SELECT run_at FROM jobs WHERE id = ? AND tries = 1 AND attempts = 0"
			  " AND lease_id IS NULL AND run_at > ?",
			  db_uuid(&delivery), db_int(now)) == d.state.next_us);
		RUN(p.db, "UPDATE jobs SET run_at = 1");
		run_jobs(&p);
		REQUIRE(delivery_load(p.db, p.a, &p.account, &delivery, &d, &err) == 1);
		CHECK(
		    TEXT_EQ(d.state.status, is_last ? "dead" : "failed") && d.state.error != NULL);
		CHECK(d.state.attempts == 2 * ((int)round + 1) && d.state.rounds == (int)round + 1);
		CHECK(TEXT_EQ(sync_status(&p, lead), d.state.status));
		CHECK(is_last ? d.state.next_us == 0
			      : d.state.next_us >= due && d.state.next_us < due + 30 * SECOND_US);
		CHECK(NUMBER_OF(p.db,
			  "SELECT state = 'dead' AND last_error = ? FROM jobs WHERE id = ?",
			  db_str(d.state.error), db_uuid(&delivery)) == (is_last ? 1 : is_last));
		CHECK(is_last || NUMBER_OF(p.db,
				     "SELECT run_at FROM jobs WHERE id = ? AND tries = 0"
				     " AND attempts = 0 AND lease_id IS NULL",
				     db_uuid(&delivery)) == d.state.next_us);
		RUN(p.db, "UPDATE jobs SET run_at = 1");
	}
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM lead_delivery_attempts WHERE delivery_id = ?",
		  db_uuid(&delivery)) == 2 * ((int)COUNT(minutes) + 1));
	/* run again, it has all its rounds before it */
	revive(&p);
	REQUIRE(delivery_load(p.db, p.a, &p.account, &delivery, &d, &err) == 1);
	CHECK(TEXT_EQ(d.state.status, "pending") && d.state.rounds == 0 && d.state.next_us == 0);
	CHECK(TEXT_EQ(sync_status(&p, lead), "pending") && count_jobs(&p, lead) == 1);
	run_jobs(&p);
	CHECK(NUMBER_OF(p.db, "SELECT tries FROM jobs WHERE id = ?", db_uuid(&delivery)) == 1);
	place_remove(&p);
}

/* A push whose job was given up is dead and says why; the lead follows, unless another destination
 * has it. */
static void given_up(void)
{
	struct place p;
	struct uuid a, b, lead, delivery;
	struct delivery d;
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	a = destination(&p, "a");
	lead = ready_lead(&p, "{\"email\":\"a@b.co\"}");
	CHECK(queue(&p, lead) == 1);
	delivery = delivery_to(&p, lead, a);
	for (int has_other = 0; has_other <= 1; has_other++) {
		if (has_other) {
			b = destination(&p, "b");
			RUN(p.db,
			    "INSERT INTO lead_deliveries (id, account_id, lead_id, connection_id, "
			    "status,"
			    " attempts, rounds, created_at, updated_at) VALUES "
			    "(?,?,?,?,'success',1,0,1,1)",
			    db_uuid(&b), db_uuid(&p.account), db_uuid(&lead), db_uuid(&b));
		}
		RUN(p.db, "UPDATE jobs SET deaths = 5, run_at = 1");
		run_jobs(&p);
		REQUIRE(delivery_load(p.db, p.a, &p.account, &delivery, &d, &err) == 1);
		CHECK(TEXT_EQ(d.state.status, "dead") && d.state.attempts == 0 &&
		      d.state.next_us == 0);
		CHECK(TEXT_EQ(d.state.error, "gave up: its runner died 5 times"));
		CHECK(TEXT_EQ(sync_status(&p, lead), has_other ? "success" : "dead"));
		revive(&p);
		REQUIRE(delivery_load(p.db, p.a, &p.account, &delivery, &d, &err) == 1);
		CHECK(TEXT_EQ(d.state.status, "pending"));
		CHECK(TEXT_EQ(sync_status(&p, lead), has_other ? "success" : "pending"));
	}
	/* one that a destination took meanwhile stays so */
	store(&p, delivery, "success", NULL, NULL, NULL);
	RUN(p.db, "UPDATE jobs SET state = 'dead'");
	revive(&p);
	REQUIRE(delivery_load(p.db, p.a, &p.account, &delivery, &d, &err) == 1);
	CHECK(TEXT_EQ(d.state.status, "success"));
	place_remove(&p);
}

static void not_to_be_pushed(void)
{
	struct place p;
	struct uuid removed, disabled, demanding, lead;
	struct delivery d;
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	removed = destination(&p, "removed");
	disabled = destination(&p, "disabled");
	demanding = destination(&p, "demanding");
	RUN(p.db,
	    "INSERT INTO mappings (account_id, connection_id, mapping, updated_at)"
	    " VALUES (?,?,?,1)",
	    db_uuid(&p.account), db_uuid(&demanding),
	    db_str("{\"rules\":[{\"from\":\"phoneNumber\",\"to\":\"p\",\"required\":true}]}"));
	lead = ready_lead(&p, "{\"email\":\"a@b.co\"}");
	CHECK(queue(&p, lead) == 3);
	RUN(p.db, "DELETE FROM connections WHERE id = ?", db_uuid(&removed));
	RUN(p.db, "UPDATE connections SET status = 'disabled' WHERE id = ?", db_uuid(&disabled));
	audit_caches_drop(p.app);
	run_jobs(&p);
	for (size_t i = 0; i < 3; i++) {
		struct uuid to = i == 0 ? removed : i == 1 ? disabled : demanding;
		struct uuid id = delivery_to(&p, lead, to);

		REQUIRE(delivery_load(p.db, p.a, &p.account, &id, &d, &err) == 1);
		CHECK(TEXT_EQ(d.state.status, i == 2 ? "failed" : "skipped") &&
		      d.state.attempts == 0);
		CHECK(d.state.next_us == 0 && d.state.error != NULL);
		CHECK(i != 2 || strstr(d.state.error, "phoneNumber") != NULL);
	}
	CHECK(count_jobs(&p, lead) == 0 && TEXT_EQ(sync_status(&p, lead), "failed"));
	place_remove(&p);
}

static int count_only(struct job *j, struct err *err)
{
	(void)j;
	(void)err;
	return 0;
}

/* More leads than a page has; one that a destination took already is not among them. */
static int insert_task(struct db *db, void *arg, struct err *err)
{
	return task_queue(db, &crm_push_task, arg, NULL, err);
}

static void push_all(void)
{
	enum { LEADS = 250, FAILED = 30 };
	static const struct job_kind all[] = {
	    {.name = "crm.push", .run = count_only, .max_attempts = 5},
	    {.name = "lead.process", .run = count_only, .max_attempts = 5},
	    {.name = "crm.push_all",
		.run = crm_job_push_all,
		.max_attempts = 5,
		.died = task_job_died,
		.revived = task_jobs_revived},
	};
	struct place p;
	struct uuid taken, failed[FAILED], beside, other;
	struct task task = {.args = STR("{}")};
	struct err err = ERR_INIT;
	struct runner *rn;
	int64_t waiting = 0;

	if (!place_make(&p))
		return;
	task.account_id = p.account;
	other = destination(&p, "crm");
	for (int i = 0; i < LEADS; i++)
		taken = ready_lead(&p, "{}");
	RUN(p.db, "UPDATE leads SET sync_status = 'success' WHERE id = ?", db_uuid(&taken));
	/* those whose details could not be had, one that has not got them yet */
	for (int i = 0; i < FAILED; i++) {
		failed[i] = ready_lead(&p, "{}");
		RUN(p.db, "UPDATE leads SET stage = ?, stage_error = 'x' WHERE id = ?",
		    db_str(i == 0 ? "received" : "failed"), db_uuid(&failed[i]));
	}
	/* one that a destination took, and another gave up */
	beside = ready_lead(&p, "{}");
	RUN(p.db, "UPDATE leads SET sync_status = 'success' WHERE id = ?", db_uuid(&beside));
	RUN(p.db,
	    "INSERT INTO lead_deliveries (id, account_id, lead_id, connection_id, status, attempts,"
	    " rounds, created_at, updated_at) VALUES (?,?,?,?,'dead',9,9,1,1)",
	    db_uuid(&other), db_uuid(&p.account), db_uuid(&beside), db_uuid(&other));
	OK(deliveries_count_waiting(p.db, &p.account, NULL, &waiting, &err), &err);
	CHECK(waiting == LEADS - 1 + FAILED - 1 + 1);
	OK(db_transaction(p.db, insert_task, &task, &err), &err);
	rn = runner_new(p.app, all, COUNT(all), &err);
	REQUIRE(rn != NULL);
	/* two pages and the empty third, one of those beside and the empty one, a look at what came
	 * of them, and more while some are under way; each push, each lead that failed */
	CHECK(runner_once(rn, &err) >= 3 + 2 + 1 + LEADS - 1 + FAILED - 1 + 1);
	runner_free(rn);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM lead_deliveries WHERE account_id = ?",
		  db_uuid(&p.account)) == LEADS);
	CHECK(NUMBER_OF(p.db,
		  "SELECT COUNT(*) FROM lead_deliveries WHERE status = 'pending'"
		  " AND rounds = 0 AND account_id = ?",
		  db_uuid(&p.account)) == LEADS);
	CHECK(NUMBER_OF(p.db,
		  "SELECT COUNT(*) FROM leads WHERE account_id = ?"
		  " AND stage = 'received' AND stage_error IS NULL",
		  db_uuid(&p.account)) == FAILED - 1);
	CHECK(TEXT_EQ(sync_status(&p, beside), "pending"));
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM lead_deliveries WHERE lead_id = ?",
		  db_uuid(&taken)) == 0);
	/* the pushes that were but counted are watched on */
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE kind <> 'crm.push_all'") == 0);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM push_items WHERE task_id = ?",
		  db_uuid(&task.id)) == LEADS);
	place_remove(&p);
}

/* ---- corrected leads --------------------------------------------------------------------- */

struct correcting {
	struct place *p;
	struct uuid lead;
	int revision;
	size_t queued;
};

static int correct_body(struct db *db, void *arg, struct err *err)
{
	struct correcting *c = arg;
	struct delivery_queueing q = {
	    .app = c->p->app, .a = c->p->a, .how = PUSH_LIVE, .account_id = c->p->account};
	int rc;

	RUN(db, "UPDATE leads SET revision = ? WHERE id = ?", db_int(c->revision),
	    db_uuid(&c->lead));
	rc = deliveries_correct(&q, &c->lead, &c->revision, 1, err);
	c->queued = q.queued;
	return rc;
}

static int64_t correct(struct place *p, struct uuid lead, int revision)
{
	struct correcting c = {p, lead, revision, 0};
	struct err err = ERR_INIT;

	OK(db_transaction(p->db, correct_body, &c, &err), &err);
	return (int64_t)c.queued;
}

/* Who took another form, refused one or was given up gets the new one; what waits goes on. */
static void corrected(void)
{
	static const struct {
		int line;
		const char *status;
		int64_t next_us;
		bool is_pushed;
	} cases[] = {{__LINE__, "success", 0, true}, {__LINE__, "failed", 0, true},
	    {__LINE__, "failed", 1, false}, {__LINE__, "dead", 0, true},
	    {__LINE__, "pending", 0, false}, {__LINE__, "skipped", 0, false}};
	struct place p;

	if (!place_make(&p))
		return;
	destination(&p, "crm");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct uuid lead = ready_lead(&p, "{}");

		CHECK_AT(cases[i].line, queue(&p, lead) == 1);
		RUN(p.db, "DELETE FROM jobs WHERE kind = 'crm.push'");
		RUN(p.db,
		    "UPDATE lead_deliveries SET status = ?, rounds = 3, next_at = ?"
		    " WHERE lead_id = ?",
		    db_str(cases[i].status), db_time(cases[i].next_us), db_uuid(&lead));
		CHECK_AT(cases[i].line, correct(&p, lead, 2) == cases[i].is_pushed);
		CHECK_AT(cases[i].line, count_jobs(&p, lead) == cases[i].is_pushed);
		CHECK_AT(cases[i].line,
		    NUMBER_OF(p.db,
			"SELECT COUNT(*) FROM lead_deliveries WHERE lead_id = ? AND wanted = 2"
			" AND status = ?",
			db_uuid(&lead),
			db_str(cases[i].is_pushed ? "pending" : cases[i].status)) == 1);
		/* told again: what is under way is not queued once more */
		CHECK_AT(cases[i].line, correct(&p, lead, 2) == 0);
	}
	place_remove(&p);
}

/* A push that ends with a form that is no longer the lead's goes on; the next end is one. */
static void corrected_meanwhile(void)
{
	static const char *const ends[] = {"success", "failed", "dead"};
	struct place p;
	struct uuid to;

	if (!place_make(&p))
		return;
	to = destination(&p, "crm");
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct uuid lead = ready_lead(&p, "{}"), id;
		struct delivery_attempt attempt = {.number = 1, .http_status = 200, .at_us = 1};
		struct storing_many s = {.p = &p};
		struct delivery d;
		struct err err = ERR_INIT;

		CHECK(queue(&p, lead) == 1);
		id = delivery_to(&p, lead, to);
		for (int end = 1; end <= 2; end++) {
			REQUIRE(delivery_load(p.db, p.a, &p.account, &id, &d, &err) == 1);
			CHECK(d.revision == end);
			if (end == 1)
				CHECK(correct(&p, lead, 2) == 0);
			d.state.status = ends[i];
			s.v[0] = (struct push_outcome){
			    .d = &d, .attempts = &attempt, .nattempts = 1, .is_end = true};
			s.n = 1;
			OK(db_transaction(p.db, store_many_body, &s, &err), &err);
			CHECK(s.v[0].is_outdated == (end == 1));
			CHECK(TEXT_EQ(sync_status(&p, lead), end == 1 ? "pending" : ends[i]));
		}
		CHECK(NUMBER_OF(p.db, "SELECT taken FROM lead_deliveries WHERE id = ?",
			  db_uuid(&id)) == (i == 0 ? 2 : 1));
		/* what it has is what it should have */
		CHECK(correct(&p, lead, 2) == (i == 0 ? 0 : 1));
	}
	place_remove(&p);
}

void suite_crm_push(void)
{
	ADD_TESTS("crm_push", {"rounds", rounds}, {"given up", given_up},
	    {"not to be pushed", not_to_be_pushed}, {"push all", push_all},
	    {"corrected", corrected}, {"corrected meanwhile", corrected_meanwhile});
}
