/* The ledger of (lead, destination): rows and jobs queued once, statuses. */
#include "crm-check.h"

void suite_crm_ledger(void);

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
	CHECK(crm_queue_lead(&r, &lead, NULL, &n, &err) == -1 && err.code == ERR_CONFLICT);
	RUN(p.db, "UPDATE leads SET stage = 'ready' WHERE id = ?", db_uuid(&lead));
	r.actor.account_id = uuid_new();
	err_clear(&err);
	CHECK(crm_queue_lead(&r, &lead, NULL, &n, &err) == 0);
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

void suite_crm_ledger(void)
{
	ADD_TESTS("crm_ledger", {"queued once", queued_once},
	    {"accounts are apart", accounts_are_apart}, {"statuses", statuses},
	    {"attempts", attempts}, {"stored together", stored_together},
	    {"queued together", queued_together}, {"pushed again by hand", pushed_again_by_hand},
	    {"asked too soon", asked_too_soon}, {"brought forward", brought_forward});
}
