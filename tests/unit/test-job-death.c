/* Jobs that are given up tell their subjects why, in the same transaction, and live again with
 * them.
 */
#include "base/json.h"
#include "job-check.h"
#include "job/queue.h"

void suite_job_death(void);

/* What died and revived were told: job_effects has a row of 1 for each death. */
static struct {
	char why[400];
	int tries, revived;
	enum err_code fails; /* for the first tries of them */
	int fail_tries;
	struct uuid subjects[4000];
} told;

static int died(struct db *db, struct job *j, const char *why, struct err *err)
{
	CHECK(db_in_transaction(db) && !uuid_is_nil(j->id));
	RUN(db, "INSERT INTO job_effects (what) VALUES (1)");
	snprintf(told.why, sizeof(told.why), "%s", why);
	if (told.tries++ < told.fail_tries)
		return err_set(err, told.fails, "on purpose");
	return 0;
}

static int revived(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *subjects, size_t n, struct err *err)
{
	(void)a;
	(void)err;
	CHECK(db_in_transaction(db) && !uuid_is_nil(*account_id) && n > 0);
	for (size_t i = 0; i < n && told.revived < (int)COUNT(told.subjects); i++)
		told.subjects[told.revived++] = subjects[i];
	return 0;
}

static int failing(struct job *j, struct err *err)
{
	note(j);
	return err_set(err, ERR_UNAVAILABLE, "no luck today");
}

static int failing_inside(struct job *j, struct err *err)
{
	note(j);
	return err_set(err, ERR_INTERNAL, "table jobs, row 7");
}

/* A constraint of its own says no: no word of the lease. */
static int conflicting(struct job *j, struct err *err)
{
	note(j);
	return err_set(err, ERR_CONFLICT, "there is one of this name");
}

static int reading_args(struct job *j, struct err *err)
{
	const json_t *args;

	note(j);
	args = job_args(j, err);
	CHECK((args == NULL) == j->is_hopeless);
	return args == NULL ? -1 : 0;
}

static int effects(struct place *p)
{
	return (int)NUMBER_OF(p->db, "SELECT COUNT(*) FROM job_effects");
}

/* state attempts error */
static const char *job_told(struct place *p)
{
	return TEXT_OF(p->db, p->a, "SELECT CONCAT_WS(' ', state, attempts, last_error) FROM jobs");
}

static const struct job_kind kinds[] = {
    {.name = "failing", .run = failing, .max_attempts = 2, .died = died, .revived = revived},
    {.name = "inside", .run = failing_inside, .max_attempts = 1, .died = died, .revived = revived},
    {.name = "conflicting",
	.run = conflicting,
	.max_attempts = 2,
	.died = died,
	.revived = revived},
    {.name = "args", .run = reading_args, .max_attempts = 20, .died = died, .revived = revived},
    {.name = "silent", .run = failing, .max_attempts = 1}, {.name = NULL}};

static int run_kinds(struct place *p)
{
	RUN(p->db, "UPDATE jobs SET run_at = 1 WHERE lease_id IS NULL");
	return run_once(p, kinds, COUNT(kinds) - 1);
}

static void says_why(void)
{
	static const struct {
		int line;
		const char *kind, *args;
		int deaths, runs;
		const char *job, *subject;
	} cases[] = {
	    {__LINE__, "failing", NULL, 0, 2, "dead 2 no luck today", "no luck today"},
	    {__LINE__, "inside", NULL, 0, 1, "dead 1 table jobs, row 7", "an internal error"},
	    {__LINE__, "conflicting", NULL, 0, 2, "dead 2 there is one of this name",
		"there is one of this name"},
	    {__LINE__, "failing", NULL, 5, 0, "dead 1 gave up: its runner died 5 times",
		"gave up: its runner died 5 times"},
	    {__LINE__, "failing", NULL, 4, 2, "dead 2 no luck today", "no luck today"},
	    {__LINE__, "args", "[1]", 0, 1, "dead 1 its arguments cannot be read: no object",
		"its arguments cannot be read: no object"},
	    {__LINE__, "args", "{\"x", 0, 1, NULL, NULL},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct place p;

		if (!place_make(&p))
			return;
		memset(&told, 0, sizeof(told));
		insert(&p, cases[i].kind, cases[i].args);
		RUN(p.db, "UPDATE jobs SET deaths = ?", db_int(cases[i].deaths));
		for (int k = 0; k < 3; k++) {
			bool is_dead = k + 1 >= cases[i].runs;

			run_kinds(&p);
			CHECK_AT(cases[i].line, effects(&p) == is_dead);
		}
		CHECK_AT(cases[i].line, seen->runs == cases[i].runs && told.tries == 1);
		if (cases[i].job == NULL) {
			CHECK_AT(cases[i].line, strstr(job_told(&p), "cannot be read") != NULL);
		} else {
			CHECK_AT(cases[i].line, TEXT_EQ(job_told(&p), cases[i].job));
			CHECK_AT(cases[i].line, TEXT_EQ(told.why, cases[i].subject));
		}
		place_remove(&p);
	}
}

/* It is dead all the same, once, without what the subject could not store; a deadlock repeats both.
 */
static void a_subject_that_cannot_be_told(void)
{
	static const struct {
		int line;
		enum err_code fails;
		int fail_tries, tries, effects;
	} cases[] = {{__LINE__, ERR_INVALID, 1, 1, 0}, {__LINE__, ERR_CONFLICT, 1, 1, 0},
	    {__LINE__, ERR_RETRY, 1, 2, 1}, {__LINE__, ERR_RETRY, 3, 4, 1}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct place p;

		if (!place_make(&p))
			return;
		memset(&told, 0, sizeof(told));
		told.fails = cases[i].fails;
		told.fail_tries = cases[i].fail_tries;
		insert(&p, "inside", NULL);
		CHECK_AT(cases[i].line, run_kinds(&p) == 1);
		CHECK_AT(cases[i].line, TEXT_EQ(job_told(&p), "dead 1 table jobs, row 7"));
		CHECK_AT(cases[i].line, told.tries == cases[i].tries);
		CHECK_AT(cases[i].line, effects(&p) == cases[i].effects);
		place_remove(&p);
	}
}

/* Deaths beside work of others in one commit: a guilty neighbour undoes neither. */
static int effect_body(struct db *db, void *arg, struct err *err)
{
	RUN(db, "INSERT INTO job_effects (what) VALUES (10)");
	return job_finish(db, arg, err);
}

static int bad_body(struct db *db, void *arg, struct err *err)
{
	(void)arg;
	RUN(db, "INSERT INTO job_effects (what) VALUES (100)");
	return err_set(err, ERR_INVALID, "on purpose");
}

static int storing(struct job *j, struct err *err)
{
	return job_transaction(j, str_is(j->args, "\"bad\"") ? bad_body : effect_body, j, err);
}

static void dies_beside_others(void)
{
	static const struct job_kind mixed[] = {{.name = "inside",
						    .run = failing_inside,
						    .max_attempts = 1,
						    .died = died,
						    .revived = revived},
	    KIND("storing", storing, 9, 0)};
	struct place p;

	if (!place_make(&p))
		return;
	memset(&told, 0, sizeof(told));
	told.fails = ERR_INVALID;
	told.fail_tries = 3; /* of the six deaths, in whatever order */
	for (int i = 0; i < 6; i++) {
		insert(&p, "storing", i == 2 ? "\"bad\"" : NULL);
		insert(&p, "inside", NULL);
	}
	CHECK(run_once(&p, mixed, COUNT(mixed)) == 12);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE state = 'dead'") == 6);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs") == 7); /* and the bad one, put back */
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM job_effects WHERE what = 10") == 5);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM job_effects WHERE what = 100") == 0);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM job_effects WHERE what = 1") >= 3);
	place_remove(&p);
}

/* Who lost the lease tells nothing: another runner has the job. */
static int robbed(struct job *j, struct err *err)
{
	struct db *other = db_new(j->app->config);

	note(j);
	RUN(other, "UPDATE jobs SET lease_id = ?", db_blob(STR("another's lease!")));
	db_free(other);
	return err_set(err, ERR_UNAVAILABLE, "no luck today");
}

static void the_lease_was_lost(void)
{
	static const struct job_kind kind[] = {
	    {.name = "robbed", .run = robbed, .max_attempts = 1, .died = died, .revived = revived}};
	struct place p;

	if (!place_make(&p))
		return;
	memset(&told, 0, sizeof(told));
	insert(&p, "robbed", NULL);
	CHECK(run_once(&p, kind, 1) == 1 && told.tries == 0);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE state = 'ready'"
			      " AND last_error IS NULL AND lease_id IS NOT NULL") == 1);
	place_remove(&p);
}

/* ---- living again --------------------------------------------------------------------------- */

struct reviving {
	struct app *app;
	struct lane_key key;
	int64_t n;
};

static int revive_body(struct db *db, void *arg, struct err *err)
{
	struct reviving *r = arg;

	(void)db;
	return queue_revive_lane(r->app, &r->key, &r->n, err);
}

/* Each subject once, of each kind that has a word for it, however many there are. */
static void subjects_live_again(void)
{
	enum { EACH = 1100 };
	struct place p;
	struct err err = ERR_INIT;
	struct job *jobs;
	int64_t distinct = 0;

	if (!place_make(&p))
		return;
	struct reviving r = {.app = p.app, .key = {.account_id = p.account, .class = JOB_LIVE}};

	memset(&told, 0, sizeof(told));
	p.app->hooks.job_kinds = kinds;
	jobs = arena_array(p.a, 3 * EACH, sizeof(*jobs));
	for (size_t i = 0; i < 3 * EACH; i++)
		jobs[i] = (struct job){.account_id = p.account,
		    .kind = kinds[i % 2 == 0   ? 0
				  : i % 4 == 1 ? 1
					       : 4]
				.name,
		    .subject_id = uuid_new()};
	struct inserting in = {jobs, 3 * EACH, false};

	OK(db_transaction(p.db, insert_body, &in, &err), &err);
	RUN(p.db, "UPDATE jobs SET state = 'dead', deaths = 5, attempts = 7");
	OK(db_transaction(p.db, revive_body, &r, &err), &err);
	CHECK(r.n == 3 * EACH && told.revived == 3 * EACH * 3 / 4);
	CHECK(NUMBER_OF(p.db,
		  "SELECT COUNT(*) FROM jobs WHERE state = 'ready' AND deaths = 0"
		  " AND attempts = 0 AND run_at <= ?",
		  db_int(clock_now_us())) == 3 * EACH);
	for (int i = 0; i < told.revived; i++)
		distinct += NUMBER_OF(p.db,
		    "SELECT COUNT(*) FROM jobs WHERE subject_id = ? AND kind <> 'silent'",
		    db_uuid(&told.subjects[i]));
	CHECK(distinct == told.revived);
	OK(db_transaction(p.db, revive_body, &r, &err), &err);
	CHECK(r.n == 0 && told.revived == 3 * EACH * 3 / 4);
	place_remove(&p);
}

void suite_job_death(void)
{
	ADD_TESTS("job_death", {"says why", says_why},
	    {"a subject that cannot be told", a_subject_that_cannot_be_told},
	    {"dies beside others", dies_beside_others}, {"the lease was lost", the_lease_was_lost},
	    {"subjects live again", subjects_live_again});
}
