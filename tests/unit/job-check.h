/* What the suites of jobs share: a place with an empty table of jobs, runners of one round, and
 * what the jobs have done. */
#ifndef TESTS_UNIT_JOB_CHECK_H
#define TESTS_UNIT_JOB_CHECK_H

#include "base/arena.h"
#include "core-check.h"
#include "job/job-internal.h"

struct place {
	struct core_app c;
	struct app *app;
	struct db *db;
	struct arena *a;
	struct uuid account;
};

/* What the jobs of a test have done; shared with other processes. */
struct seen {
	int runs, inside, most_inside, chained, stop;
	int runs_of[256];
	struct uuid last_id;
	int last_attempts;
	bool has_lease;
	char args[64];
};
static struct seen *seen;

static inline bool place_make(struct place *p)
{
	if (!core_app_make(&p->c))
		return false;
	p->app = &p->c.app;
	p->db = p->app->db;
	p->a = p->c.a;
	p->account = uuid_new();
	RUN(p->db, "DELETE FROM jobs");
	SCRIPT(p->db, "DROP TABLE IF EXISTS job_effects");
	SCRIPT(p->db,
	    "CREATE TABLE job_effects (id BIGINT NOT NULL AUTO_INCREMENT, what INT NOT NULL,"
	    " PRIMARY KEY (id)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin");
	seen = core_shared(sizeof(*seen));
	return true;
}

static inline void place_remove(struct place *p)
{
	SCRIPT(p->db, "DROP TABLE job_effects");
	RUN(p->db, "DELETE FROM jobs");
	core_unshare(seen, sizeof(*seen));
	core_app_remove(&p->c);
}

struct inserting {
	struct job *jobs;
	size_t n;
	bool is_rolled_back;
};

static inline int insert_body(struct db *db, void *arg, struct err *err)
{
	struct inserting *i = arg;

	if (job_insert(db, i->jobs, i->n, err) == -1)
		return -1;
	return i->is_rolled_back ? err_set(err, ERR_INVALID, "on purpose") : 0;
}

/* A job that is due at once. */
static inline struct uuid insert(struct place *p, const char *kind, const char *args)
{
	struct job job = {.account_id = p->account, .kind = kind, .args = str_from(args)};
	struct inserting i = {&job, 1, false};
	struct err err = ERR_INIT;

	OK(db_transaction(p->db, insert_body, &i, &err), &err);
	return job.id;
}

static inline struct runner *runner(struct place *p, const struct job_kind *kinds, size_t n)
{
	struct err err = ERR_INIT;
	struct runner *rn = runner_new(p->app, kinds, n, &err);

	OK(rn == NULL ? -1 : 0, &err);
	return rn;
}

/* A runner of its own for one round. */
static inline int run_once(struct place *p, const struct job_kind *kinds, size_t n)
{
	struct err err = ERR_INIT;
	struct runner *rn = runner(p, kinds, n);
	int ran = runner_once(rn, &err);

	if (ran == -1)
		printf("# %s\n", err.msg);
	runner_free(rn);
	return ran;
}
#define RUN_ONCE(p, ...)                                                                           \
	run_once(p, (const struct job_kind[]){__VA_ARGS__},                                        \
	    COUNT(((const struct job_kind[]){__VA_ARGS__})))

static inline int64_t count_jobs(struct place *p)
{
	return NUMBER_OF(p->db, "SELECT COUNT(*) FROM jobs");
}

/* ---- what most jobs do --------------------------------------------------------------------- */

static inline void note(const struct job *j)
{
	seen->runs++;
	seen->last_id = j->id;
	seen->last_attempts = j->attempts;
	seen->has_lease = !uuid_is_nil(j->lease_id);
	snprintf(seen->args, sizeof(seen->args), "%.*s", (int)j->args.n,
	    j->args.p == NULL ? "" : j->args.p);
}

static inline int plain(struct job *j, struct err *err)
{
	(void)err;
	note(j);
	return 0;
}

#endif
