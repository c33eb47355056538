/* The ledger of (lead, destination): rows and jobs queued once, statuses, pushes by the runner. */
#include "base/arena.h"
#include "core-check.h"
#include "crm/crm-internal.h"
#include "job/queue.h"

void suite_crm_ledger(void);

/* ---- a place ----------------------------------------------------------------------------- */

struct place {
	struct core_app c;
	struct app *app;
	struct db *db;
	struct arena *a;
	struct uuid account;
};

static bool place_make(struct place *p)
{
	if (!core_app_make(&p->c))
		return false;
	p->app = &p->c.app;
	p->db = p->app->db;
	p->a = p->c.a;
	p->account = uuid_new();
	p->c.cfg.push_attempts = 2;
	p->c.cfg.push_backoff_ms = 1;
	p->c.cfg.push_backoff_max_ms = 2;
	RUN(p->db, "DELETE FROM jobs");
	return true;
}

static void place_remove(struct place *p)
{
	core_app_remove(&p->c);
}

/* A destination that nobody listens at. */
static struct uuid destination(struct place *p, const char *name)
{
	struct connection *c = NULL;
	struct err err = ERR_INIT;
	const char *body = arena_printf(p->a,
	    "{\"name\":\"%s\",\"credentials\":{},\"settings\":{\"url\":\"http://127.0.0.1:1/"
	    "crm\"}}",
	    name);

	struct req r = {.app = p->app, .a = p->a, .actor = {.account_id = p->account}};

	OK(connection_add(&r, provider_find(p->app->providers, STR("custom_crm")),
	       json_parse(p->a, str_from(body), NULL), &c, &err),
	    &err);
	return c == NULL ? (struct uuid){{0}} : c->id;
}

/* A lead that is ready to be pushed. */
static struct uuid ready_lead(struct place *p, const char *data)
{
	struct uuid id = uuid_new();

	RUN(p->db,
	    "INSERT INTO leads (id, account_id, provider_type, provider_lead_id, stage,"
	    " sync_status, lead, received_at, updated_at) VALUES "
	    "(?,?,'manual',?,'ready','none',?,1,1)",
	    db_uuid(&id), db_uuid(&p->account), db_str(uuid_dup(p->a, id)), db_str(data));
	return id;
}

static const char *sync_status(struct place *p, struct uuid lead)
{
	return TEXT_OF(p->db, p->a, "SELECT sync_status FROM leads WHERE id = ?", db_uuid(&lead));
}

static int64_t queue(struct place *p, struct uuid lead)
{
	struct req r = {.app = p->app, .a = p->a, .actor = {.account_id = p->account}};
	struct err err = ERR_INIT;
	size_t n = 999;

	if (crm_queue_lead(&r, &lead, &n, &err) != 1)
		core_fail(&err, __LINE__, __FILE__);
	return (int64_t)n;
}

static struct uuid delivery_to(struct place *p, struct uuid lead, struct uuid connection)
{
	struct db_rows rows = ROWS_OF(p->db, p->a,
	    "SELECT id FROM lead_deliveries WHERE account_id = ? AND lead_id = ?"
	    " AND connection_id = ?",
	    db_uuid(&p->account), db_uuid(&lead), db_uuid(&connection));

	CHECK(rows.count == 1);
	return rows.count == 1 ? db_get_uuid(&rows, 0, 0) : (struct uuid){{0}};
}

static int64_t count_rows(struct place *p, struct uuid lead)
{
	return NUMBER_OF(
	    p->db, "SELECT COUNT(*) FROM lead_deliveries WHERE lead_id = ?", db_uuid(&lead));
}

/* Jobs that push a delivery of the lead, with the delivery's own id. */
static int64_t count_jobs(struct place *p, struct uuid lead)
{
	return NUMBER_OF(p->db,
	    "SELECT COUNT(*) FROM jobs j JOIN lead_deliveries d ON d.id = j.id AND d.id = "
	    "j.subject_id"
	    " AND d.account_id = j.account_id WHERE j.kind = 'crm.push' AND j.state = 'ready'"
	    " AND d.lead_id = ?",
	    db_uuid(&lead));
}

struct storing {
	struct place *p;
	struct delivery d;
	const struct delivery_attempt *attempt;
};

static int store_body(struct db *db, void *arg, struct err *err)
{
	struct storing *s = arg;

	return deliveries_store(db, s->p->a,
	    &(struct push_outcome){
		.d = &s->d, .attempts = s->attempt, .nattempts = s->attempt != NULL},
	    1, err);
}

static void store(struct place *p, struct uuid delivery, const char *status,
    const struct delivery_attempt *attempt, const char *error, const char *external_id)
{
	struct storing s = {.p = p, .attempt = attempt};
	struct err err = ERR_INIT;

	REQUIRE(delivery_load(p->db, p->a, &p->account, &delivery, &s.d, &err) == 1);
	s.d.state.status = status;
	s.d.state.error = error;
	s.d.state.external_id = external_id;
	if (attempt != NULL) {
		s.d.state.attempts = attempt->number;
		s.d.state.http_status = attempt->http_status;
	}
	OK(db_transaction(p->db, store_body, &s, &err), &err);
}

/* ---- queueing ---------------------------------------------------------------------------- */

static void queued_once(void)
{
	struct place p;
	struct uuid one, two, three, lead, other, delivery;

	if (!place_make(&p))
		return;
	lead = ready_lead(&p, "{}");
	other = ready_lead(&p, "{}");
	CHECK(queue(&p, lead) == 0 && TEXT_EQ(sync_status(&p, lead), "none"));
	one = destination(&p, "one");
	two = destination(&p, "two");
	CHECK(queue(&p, lead) == 2);
	CHECK(count_rows(&p, lead) == 2 && count_jobs(&p, lead) == 2);
	CHECK(TEXT_EQ(sync_status(&p, lead), "pending"));
	delivery = delivery_to(&p, lead, one);
	/* again: the same rows, the same jobs, brought forward */
	RUN(p.db, "UPDATE jobs SET run_at = run_at + 1000000000");
	CHECK(queue(&p, lead) == 2);
	CHECK(count_rows(&p, lead) == 2 && count_jobs(&p, lead) == 2);
	CHECK(uuid_eq(delivery, delivery_to(&p, lead, one)));
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE run_at <= ?",
		  db_int(clock_now_us())) == 2);
	/* what has it already is left alone; what is new is added */
	store(&p, delivery, "success", NULL, NULL, "crm-1");
	RUN(p.db, "DELETE FROM jobs");
	three = destination(&p, "three");
	CHECK(queue(&p, lead) == 2);
	CHECK(count_rows(&p, lead) == 3 && count_jobs(&p, lead) == 2);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE id = ?", db_uuid(&delivery)) == 0);
	CHECK(TEXT_EQ(sync_status(&p, lead), "success"));
	/* a disabled one is not pushed to */
	RUN(p.db, "UPDATE connections SET status = 'disabled' WHERE id IN (?,?)", db_uuid(&two),
	    db_uuid(&three));
	RUN(p.db, "DELETE FROM jobs");
	CHECK(queue(&p, lead) == 0 && count_jobs(&p, lead) == 0);
	CHECK(queue(&p, other) == 1 && count_rows(&p, other) == 1);
	place_remove(&p);
}

static void accounts_are_apart(void)
{
	struct place p;
	struct uuid lead, mine, delivery, theirs = uuid_new();
	struct delivery d;
	struct err err = ERR_INIT;
	json_t *json;

	if (!place_make(&p))
		return;
	mine = destination(&p, "mine");
	lead = ready_lead(&p, "{}");
	CHECK(queue(&p, lead) == 1);
	delivery = delivery_to(&p, lead, mine);
	CHECK(delivery_load(p.db, p.a, &theirs, &delivery, &d, &err) == 0);
	CHECK(delivery_load(p.db, p.a, &p.account, &delivery, &d, &err) == 1);
	CHECK(delivery_queue(p.db, p.a, &theirs, &delivery, &err) == 0);
	OK(crm_lead_destinations(p.app, p.a, &theirs, &lead, &json, &err), &err);
	CHECK(json_array_size(json) == 0);
	OK(crm_lead_destinations(p.app, p.a, &p.account, &lead, &json, &err), &err);
	CHECK(json_array_size(json) == 1);
	CHECK(TEXT_EQ(json_str(json_array_get(json, 0), "name"), "mine"));
	place_remove(&p);
}

/* ---- statuses ---------------------------------------------------------------------------- */

static void statuses(void)
{
	static const struct {
		int line;
		const char *of[3], *lead;
	} cases[] = {
	    {__LINE__, {"success", "success", "success"}, "success"},
	    {__LINE__, {"dead", "success", "failed"}, "success"},
	    {__LINE__, {"failed", "pending", "dead"}, "pending"},
	    {__LINE__, {"failed", "dead", "skipped"}, "failed"},
	    {__LINE__, {"dead", "skipped", "dead"}, "dead"},
	    {__LINE__, {"skipped", "skipped", "skipped"}, "skipped"},
	    {__LINE__, {"skipped", "pending", "skipped"}, "pending"},
	};
	struct place p;
	struct uuid to[3];

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < 3; i++)
		to[i] = destination(&p, arena_printf(p.a, "crm %zu", i));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct uuid lead = ready_lead(&p, "{}");

		CHECK(queue(&p, lead) == 3);
		for (size_t k = 0; k < 3; k++)
			store(&p, delivery_to(&p, lead, to[k]), cases[i].of[k], NULL, NULL, NULL);
		CHECK_AT(cases[i].line, TEXT_EQ(sync_status(&p, lead), cases[i].lead));
	}
	place_remove(&p);
}

static void attempts(void)
{
	struct place p;
	struct uuid lead, to, delivery;
	struct delivery_attempt attempt = {
	    .number = 1, .http_status = 503, .at_us = 5, .duration_us = 6};
	struct delivery d;
	struct err err = ERR_INIT;
	json_t *json, *first;
	char error[1100];

	if (!place_make(&p))
		return;
	to = destination(&p, "crm");
	lead = ready_lead(&p, "{\"email\":\"a@b.co\"}");
	CHECK(queue(&p, lead) == 1);
	delivery = delivery_to(&p, lead, to);
	memset(error, 'x', sizeof(error));
	memcpy(error + 998, "\xe5\xb1\xb1", 3);
	error[1050] = '\0';
	attempt.error = error; /* wider than its column, a character across the edge */
	store(&p, delivery, "pending", &attempt, error, NULL);
	attempt = (struct delivery_attempt){
	    .number = 2, .http_status = 201, .at_us = 9, .duration_us = 3};
	store(&p, delivery, "success", &attempt, NULL, "crm-7");
	store(&p, delivery, "success", NULL, NULL, NULL); /* what it is called there stays */
	REQUIRE(delivery_load(p.db, p.a, &p.account, &delivery, &d, &err) == 1);
	CHECK(d.state.attempts == 2 && TEXT_EQ(d.state.external_id, "crm-7") &&
	      d.state.error == NULL);
	CHECK(TEXT_EQ(json_str(d.lead, "email"), "a@b.co"));
	OK(crm_lead_attempts(p.app, p.a, &p.account, &lead, &json, &err), &err);
	REQUIRE(json_array_size(json) == 2);
	first = json_array_get(json, 0);
	CHECK(json_int(first, "attempt") == 1 && json_int(first, "status") == 503);
	CHECK(strlen(json_str(first, "error")) == 998);
	CHECK(json_is_null(json_object_get(json_array_get(json, 1), "error")));
	OK(crm_lead_destinations(p.app, p.a, &p.account, &lead, &json, &err), &err);
	CHECK(TEXT_EQ(json_str(json_array_get(json, 0), "externalId"), "crm-7"));
	CHECK(json_str(json_array_get(json, 0), "pushedAt") != NULL);
	place_remove(&p);
}

struct storing_many {
	struct place *p;
	struct push_outcome v[6];
	size_t n;
};

static int store_many_body(struct db *db, void *arg, struct err *err)
{
	struct storing_many *s = arg;

	return deliveries_store(db, s->p->a, s->v, s->n, err);
}

/* What came of six pushes of two leads, in one call: each row is its own, each lead the best of its
 * own; a push whose delivery is gone fails. */
static void stored_together(void)
{
	static const char *const words[] = {
	    "failed", "success", "dead", "dead", "failed", "skipped"};
	struct place p;
	struct storing_many s = {.p = &p, .n = 6};
	struct uuid to[3], leads[2];
	struct delivery d[6];
	struct delivery_attempt attempts[6];
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < 3; i++)
		to[i] = destination(&p, arena_printf(p.a, "crm %zu", i));
	for (size_t i = 0; i < 6; i++) {
		struct uuid id;

		if (i % 3 == 0)
			leads[i / 3] = ready_lead(&p, "{}");
		if (i % 3 == 0)
			CHECK(queue(&p, leads[i / 3]) == 3);
		id = delivery_to(&p, leads[i / 3], to[i % 3]);
		REQUIRE(delivery_load(p.db, p.a, &p.account, &id, &d[i], &err) == 1);
		d[i].state.status = words[i];
		d[i].state.attempts = (int)i + 1;
		d[i].state.external_id = i == 1 ? "crm-1" : NULL;
		attempts[i] = (struct delivery_attempt){
		    .number = (int)i + 1, .http_status = 500, .at_us = 1, .error = words[i]};
		s.v[i] = (struct push_outcome){
		    .d = &d[i], .attempts = &attempts[i], .nattempts = i != 5};
	}
	OK(db_transaction(p.db, store_many_body, &s, &err), &err);
	CHECK(TEXT_EQ(sync_status(&p, leads[0]), "success"));
	CHECK(TEXT_EQ(sync_status(&p, leads[1]), "failed"));
	for (size_t i = 0; i < 6; i++)
		CHECK(NUMBER_OF(p.db,
			  "SELECT COUNT(*) FROM lead_deliveries d LEFT JOIN"
			  " lead_delivery_attempts a ON a.account_id = d.account_id AND"
			  " a.delivery_id = d.id WHERE d.id = ? AND d.status = ? AND d.attempts = ?"
			  " AND (a.error = d.status AND a.attempt = d.attempts OR"
			  " a.id IS NULL AND d.status = 'skipped')"
			  " AND (d.pushed_at IS NULL) = (d.external_id IS NULL)",
			  db_uuid(&d[i].id), db_str(words[i]), db_int((int)i + 1)) == 1);
	d[3].id = uuid_new();
	CHECK(db_transaction(p.db, store_many_body, &s, &err) == -1 && err.code == ERR_NOT_FOUND);
	place_remove(&p);
}

struct queueing_many {
	struct delivery_queueing q;
	struct lead_sync leads[4];
};

static int queue_many_body(struct db *db, void *arg, struct err *err)
{
	struct queueing_many *s = arg;

	(void)db;
	s->q.queued = 0;
	return deliveries_queue(&s->q, s->leads, COUNT(s->leads), err);
}

/* Four leads in one call, to two destinations: new to both, to one, and to none. */
static void queued_together(void)
{
	static const struct {
		int line;
		const char *of[2]; /* as it stands; NULL: nowhere */
		int64_t jobs;
		const char *status;
	} cases[] = {
	    {__LINE__, {NULL, NULL}, 2, "pending"},
	    {__LINE__, {"success", NULL}, 1, "success"},
	    {__LINE__, {"dead", "failed"}, 2, "pending"},
	    {__LINE__, {"success", "success"}, 0, "success"},
	};
	struct place p;
	struct queueing_many s;
	struct uuid to[2];
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < 2; i++)
		to[i] = destination(&p, arena_printf(p.a, "crm %zu", i));
	s = (struct queueing_many){
	    .q = {.app = p.app, .a = p.a, .how = PUSH_LIVE, .account_id = p.account}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		s.leads[i].lead_id = ready_lead(&p, "{}");
		for (size_t k = 0; k < 2 && cases[i].of[k] != NULL; k++) {
			struct uuid id = uuid_new();

			RUN(p.db,
			    "INSERT INTO lead_deliveries (id, account_id, lead_id, connection_id,"
			    " status, attempts, rounds, created_at, updated_at)"
			    " VALUES (?,?,?,?,?,3,2,1,1)",
			    db_uuid(&id), db_uuid(&p.account), db_uuid(&s.leads[i].lead_id),
			    db_uuid(&to[k]), db_str(cases[i].of[k]));
		}
	}
	OK(db_transaction(p.db, queue_many_body, &s, &err), &err);
	CHECK(s.q.queued == 5);
	for (size_t i = 0; i < COUNT(cases); i++) {
		CHECK_AT(cases[i].line, TEXT_EQ(s.leads[i].status, cases[i].status));
		CHECK_AT(cases[i].line, count_rows(&p, s.leads[i].lead_id) == 2);
		CHECK_AT(cases[i].line, count_jobs(&p, s.leads[i].lead_id) == cases[i].jobs);
	}
	place_remove(&p);
}

static int requeue_body(struct db *db, void *arg, struct err *err)
{
	struct storing *s = arg;
	int found = delivery_queue(db, s->p->a, &s->p->account, &s->d.id, err);

	return found == -1 ? -1 : found == 1 ? 0 : err_set(err, ERR_NOT_FOUND, "none");
}

static void pushed_again_by_hand(void)
{
	struct place p;
	struct storing s = {.p = &p};
	struct uuid lead, to;
	struct err err = ERR_INIT;
	struct delivery d;

	if (!place_make(&p))
		return;
	to = destination(&p, "crm");
	lead = ready_lead(&p, "{}");
	CHECK(queue(&p, lead) == 1);
	s.d.id = delivery_to(&p, lead, to);
	RUN(p.db, "DELETE FROM jobs");
	RUN(p.db,
	    "UPDATE lead_deliveries SET status = 'dead', rounds = 9, attempts = 27, next_at = 7");
	OK(db_transaction(p.db, requeue_body, &s, &err), &err);
	REQUIRE(delivery_load(p.db, p.a, &p.account, &s.d.id, &d, &err) == 1);
	CHECK(TEXT_EQ(d.state.status, "pending") && d.state.rounds == 0 && d.state.next_us == 0 &&
	      d.state.attempts == 27);
	CHECK(count_jobs(&p, lead) == 1 && TEXT_EQ(sync_status(&p, lead), "pending"));
	store(&p, s.d.id, "success", NULL, NULL, NULL);
	RUN(p.db, "DELETE FROM jobs");
	CHECK(db_transaction(p.db, requeue_body, &s, &err) == -1 && err.code == ERR_CONFLICT);
	CHECK(count_jobs(&p, lead) == 0 && TEXT_EQ(sync_status(&p, lead), "success"));
	err_clear(&err);
	s.d.id = uuid_new();
	CHECK(db_transaction(p.db, requeue_body, &s, &err) == -1 && err.code == ERR_NOT_FOUND);
	place_remove(&p);
}

static int run_now_body(struct db *db, void *arg, struct err *err)
{
	return job_run_now(db, arg, err);
}

/* A person cannot push what is not known yet, or is another's. */
static void asked_too_soon(void)
{
	struct place p;
	struct req r;
	struct uuid lead;
	struct err err = ERR_INIT;
	size_t n;

	if (!place_make(&p))
		return;
	destination(&p, "crm");
	lead = ready_lead(&p, "{}");
	RUN(p.db, "UPDATE leads SET stage = 'received' WHERE id = ?", db_uuid(&lead));
	r = (struct req){.app = p.app, .a = p.a, .actor = {.account_id = p.account}};
	CHECK(crm_queue_lead(&r, &lead, &n, &err) == -1 && err.code == ERR_CONFLICT);
	RUN(p.db, "UPDATE leads SET stage = 'ready' WHERE id = ?", db_uuid(&lead));
	r.actor.account_id = uuid_new();
	err_clear(&err);
	CHECK(crm_queue_lead(&r, &lead, &n, &err) == 0);
	CHECK(count_rows(&p, lead) == 0 && count_jobs(&p, lead) == 0);
	place_remove(&p);
}

/* Waiting and dead jobs are brought forward, one that runs goes on as it is. */
static void brought_forward(void)
{
	static const struct {
		int line;
		const char *state;
		int attempts;
		bool is_leased, is_moved;
	} cases[] = {
	    {__LINE__, "ready", 0, false, true},
	    {__LINE__, "ready", 7, false, true},
	    {__LINE__, "dead", 20, false, true},
	    {__LINE__, "ready", 2, true, false},
	};
	struct place p;

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct job job = {.id = uuid_new(), .account_id = p.account, .kind = "crm.push"};
		struct uuid lease = uuid_new();
		struct err err = ERR_INIT;
		int64_t later = clock_now_us() + DAY_US;
		struct db_rows rows;

		OK(db_transaction(p.db, run_now_body, &job, &err), &err); /* new: inserted */
		CHECK(NUMBER_OF(p.db,
			  "SELECT COUNT(*) FROM jobs WHERE id = ? AND run_at <= ?"
			  " AND state = 'ready' AND attempts = 0 AND lease_id IS NULL",
			  db_uuid(&job.id), db_int(clock_now_us())) == 1);
		RUN(p.db,
		    "UPDATE jobs SET state = ?, attempts = ?, lease_id = ?, run_at = ? WHERE id = "
		    "?",
		    db_str(cases[i].state), db_int(cases[i].attempts),
		    cases[i].is_leased ? db_uuid(&lease) : db_null(), db_int(later),
		    db_uuid(&job.id));
		OK(db_transaction(p.db, run_now_body, &job, &err), &err);
		rows = ROWS_OF(p.db, p.a,
		    "SELECT state, attempts, lease_id, run_at FROM jobs WHERE id = ?",
		    db_uuid(&job.id));
		REQUIRE(rows.count == 1);
		CHECK_AT(cases[i].line, str_is(db_get_str(&rows, 0, 0), "ready"));
		CHECK_AT(cases[i].line,
		    db_get_int(&rows, 0, 1) == (cases[i].is_moved ? 0 : cases[i].attempts));
		CHECK_AT(cases[i].line, db_is_null(&rows, 0, 2) != cases[i].is_leased);
		CHECK_AT(cases[i].line, (db_get_int(&rows, 0, 3) < later) == cases[i].is_moved);
	}
	place_remove(&p);
}

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

void suite_crm_ledger(void)
{
	ADD_TESTS("crm_ledger", {"queued once", queued_once},
	    {"accounts are apart", accounts_are_apart}, {"statuses", statuses},
	    {"attempts", attempts}, {"stored together", stored_together},
	    {"queued together", queued_together}, {"pushed again by hand", pushed_again_by_hand},
	    {"asked too soon", asked_too_soon}, {"brought forward", brought_forward},
	    {"rounds", rounds}, {"given up", given_up}, {"not to be pushed", not_to_be_pushed},
	    {"push all", push_all}, {"corrected", corrected},
	    {"corrected meanwhile", corrected_meanwhile});
}
