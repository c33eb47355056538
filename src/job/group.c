/* How many transactions become one.
 *
 *   fiber: group_transaction ─► waits ─┐
 *   fiber: group_transaction ─► waits ─┼─► loop: BEGIN, each body, COMMIT ─► each goes on
 *   fiber: group_transaction ─► waits ─┘
 *
 * Bodies run one after the other on the one connection, so they cannot lock each other out. Those
 * that wait with one body for many are run by one call of it, so they share its statements, too.
 * First without savepoints, which would cost a round trip each; when a body fails, the whole is
 * undone and run again with a savepoint before each piece, a body for many too with one at a time,
 * so that only the guilty are left out. A deadlock undoes and repeats all, as db_transaction does.
 * Rows that others hold, of an account, hold up no other account (db/shared-commit.h): its pieces
 * fail with ERR_LOCKED, and their fibers wait.
 * Each class has groups of its own: a bulk body may take long, and live ones shall not wait for its
 * end. Groups form by themselves: while one commits, the answers that the next will store arrive;
 * and where jobs are under way that may soon wait too, they are waited for, as long as the last
 * commit took at most, and some milliseconds where many come (group_is_ripe). So a commit that is
 * dear is shared by more. */
#include "job/group.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/fiber.h"
#include "base/gather.h"
#include "base/limits.h"
#include "base/oom.h"
#include "db/shared-commit.h"

#define GROUP_MOST LIMIT_DB_BATCH /* of one commit: others wait for as long as it takes */
#define GROUP_ENOUGH (GROUP_MOST / 2)
#define GATHER_FROM_PER_SECOND 1500.0
#define GATHER_US 10000
#define SLOW_US 20000 /* bulk bodies may take long: those that begin later are of the next */

struct member {
	struct group_piece *piece;
	struct fiber *fiber;
	int rc;
	struct err err;
	bool is_back; /* it waits again, for the next commit */
	TAILQ_ENTRY(member) link;
};

TAILQ_HEAD(members, member);
struct group {
	struct db *db;
	struct members waiting[JOB_CLASSES];
	size_t nwaiting[JOB_CLASSES];
	int64_t since_us[JOB_CLASSES]; /* monotonic: when the first of them came */
	int64_t took_us[JOB_CLASSES];  /* the last commit */
	struct gather gather;          /* of live bodies */
	/* of the commit at hand */
	struct member *all[GROUP_MOST];
	size_t nall;
	enum job_class class;
	job_body *also; /* NULL once it has run, or failed */
	void *also_arg;
	bool is_also_done, is_also_lost, has_failed;
	struct err err; /* of `also`, or of all */
	/* of its transaction at hand */
	struct member *taken[GROUP_MOST];
	size_t ntaken;
	struct uuid held; /* the account of which others hold a row, if there is one */
	bool is_careful, has_culprit, has_held;
};

struct group *group_new(struct db *db)
{
	struct group *g = oom_malloc(sizeof(*g));

	*g = (struct group){.db = db, .gather = {GATHER_FROM_PER_SECOND, .most_us = GATHER_US}};
	for (size_t class = 0; class < JOB_CLASSES; class ++)
		TAILQ_INIT(&g->waiting[class]);
	return g;
}

void group_free(struct group *g)
{
	free(g);
}

size_t group_waiting(const struct group *g, enum job_class class)
{
	return g->nwaiting[class];
}

/* One piece, or several with one body for many. */
static int pieces_run(struct db *db, struct group_piece *const *ps, size_t n, struct err *err)
{
	void *args[GROUP_MOST];

	for (size_t i = 0; i < n; i++) {
		ps[i]->job->is_ended = ps[i]->was_ended;
		ps[i]->job->is_lost = false;
		args[i] = ps[i]->arg;
	}
	return ps[0]->many != NULL ? ps[0]->many(db, args, n, err) : ps[0]->body(db, args[0], err);
}

static int piece_run(struct db *db, void *arg, struct err *err)
{
	struct group_piece *p = arg;

	return pieces_run(db, &p, 1, err);
}

bool group_is_ripe(const struct group *g, enum job_class class, size_t others)
{
	if (g->nwaiting[class] == 0)
		return false;
	if (others == 0 || g->nwaiting[class] >= GROUP_ENOUGH)
		return true;
	if (class == JOB_LIVE && gather_may_wait(&g->gather, clock_mono_us()))
		return false;
	return clock_mono_us() - g->since_us[class] >= g->took_us[class];
}

int group_transaction(struct group *g, struct group_piece *p, struct err *err)
{
	struct member m = {.piece = p, .fiber = fiber_current()};
	enum job_class class = p->job->class;

	if (g == NULL || m.fiber == NULL)
		return db_transaction(p->job->app->db, piece_run, p, err);
	TAILQ_INSERT_TAIL(&g->waiting[class], &m, link);
	if (g->nwaiting[class]++ == 0) {
		g->since_us[class] = clock_mono_us();
		if (class == JOB_LIVE)
			gather_begin(&g->gather, g->since_us[class]);
	}
	fiber_yield();
	return m.rc == 0 ? 0 : err_set(err, m.err.code, "%s", m.err.msg);
}

/* Does this failure concern the transaction as a whole? */
static bool is_everyones(const struct err *err)
{
	return err->code == ERR_RETRY || err->code == ERR_UNAVAILABLE;
}

/* n members that share a body, or one: careful, it has a savepoint of its own. */
static int members_run(
    struct group *g, struct member *const *ms, size_t n, struct db *db, struct err *err)
{
	struct group_piece *ps[GROUP_MOST];
	struct err e = ERR_INIT;
	int rc;

	for (size_t i = 0; i < n; i++)
		ps[i] = ms[i]->piece;
	rc = g->is_careful ? db_nested(db, piece_run, ps[0], &e) : pieces_run(db, ps, n, &e);
	if (rc == 0 && db_settle(db, &e) == -1) /* whose it is must be known */
		rc = -1;
	for (size_t i = 0; i < n; i++)
		ms[i]->rc = rc;
	ms[0]->err = e;
	if (rc == 0 || (g->is_careful && !is_everyones(&e) && e.code != ERR_LOCKED))
		return 0;
	g->has_culprit = !is_everyones(&e);
	g->has_held = e.code == ERR_LOCKED;
	g->held = ps[0]->job->account_id;
	return err_set(err, e.code, "%s", e.msg);
}

/* Are they run by one call? */
static bool members_are_alike(const struct member *m, const struct member *other)
{
	return m->piece->many != NULL && m->piece->many == other->piece->many &&
	       uuid_eq(m->piece->job->account_id, other->piece->job->account_id);
}

/* How many of the taken from the i-th on are run by one call. */
static size_t members_together(const struct group *g, size_t i)
{
	size_t n = 1;

	while (
	    !g->is_careful && i + n < g->ntaken && members_are_alike(g->taken[i], g->taken[i + n]))
		n++;
	return n;
}

/* Those from the n-th on wait again, before the others. */
static void members_put_back(struct group *g, size_t n)
{
	while (g->ntaken > n) {
		struct member *last = g->taken[--g->ntaken]; /* the macro takes it several times */

		last->is_back = true;
		TAILQ_INSERT_HEAD(&g->waiting[g->class], last, link);
		g->nwaiting[g->class]++;
	}
}

static int group_run(struct db *db, void *arg, struct err *err)
{
	struct group *g = arg;
	const int64_t until_us = g->class == JOB_LIVE ? INT64_MAX : clock_mono_us() + SLOW_US;

	g->has_culprit = g->has_held = false;
	for (size_t i = 0, n; i < g->ntaken; i += n) {
		n = members_together(g, i);
		if (members_run(g, &g->taken[i], n, db, err) == -1)
			return -1;
		if (clock_mono_us() > until_us)
			members_put_back(g, i + n);
	}
	if (g->also == NULL || g->also(db, g->also_arg, err) == 0)
		return 0;
	/* Its own fault is none of the members'. */
	if (!is_everyones(err)) {
		g->has_culprit = g->is_also_lost = true;
		g->also = NULL;
		g->err = *err;
	}
	return -1;
}

/* Those of the account that is held are left out: true when there are some. */
static bool members_set_apart(struct group *g, const struct err *err)
{
	size_t n = 0, before = g->ntaken;

	for (size_t i = 0; i < before; i++) {
		struct member *m = g->taken[i];

		if (!g->has_held || !uuid_eq(m->piece->job->account_id, g->held)) {
			g->taken[n++] = m;
			continue;
		}
		m->rc = -1;
		m->err = *err;
	}
	g->ntaken = n;
	return n < before;
}

/* Those taken, and what is also to be done: again, and each by itself, when one is at fault. */
static int members_commit(struct group *g, struct err *err)
{
	g->is_careful = false;
	while (g->ntaken > 0 || g->also != NULL) {
		struct err e = ERR_INIT;
		bool has_also = g->also != NULL;

		if (db_transaction(g->db, group_run, g, &e) == 0) {
			g->is_also_done = g->is_also_done || g->also != NULL;
			g->also = NULL;
			return 0;
		}
		if (members_set_apart(g, &e))
			continue;
		if (!g->has_culprit || (g->is_careful && (g->also != NULL) == has_also))
			return err_set(err, e.code, "%s", e.msg);
		g->is_careful = true;
	}
	return 0;
}

/* Brings together what is alike; otherwise in their order. */
static void members_gather(struct group *g)
{
	struct member *gathered[GROUP_MOST];
	size_t n = 0;

	for (size_t i = 0; i < g->nall; i++) {
		struct member *m = g->all[i];

		for (size_t k = i; m != NULL && k < g->nall; k++) {
			struct member *other = g->all[k];

			if (k != i && (other == NULL || !members_are_alike(m, other)))
				continue;
			gathered[n++] = other;
			g->all[k] = NULL;
		}
	}
	memcpy(g->all, gathered, n * sizeof(struct member *));
}

static void members_take(struct group *g, enum job_class class)
{
	struct members *waiting = &g->waiting[class];
	struct member *m;

	g->class = class;
	g->nall = 0;
	while (g->nall < GROUP_MOST && (m = TAILQ_FIRST(waiting)) != NULL) {
		TAILQ_REMOVE(waiting, m, link);
		g->nwaiting[class]--;
		m->is_back = false;
		g->all[g->nall++] = m;
	}
	members_gather(g);
}

/* A member lives on its fiber's stack: after it went on it is no more. */
static void members_resume(struct group *g)
{
	struct member *all[GROUP_MOST];
	size_t n = 0;

	for (size_t i = 0; i < g->nall; i++)
		if (!g->all[i]->is_back)
			all[n++] = g->all[i];
	for (size_t i = 0; i < n; i++)
		fiber_resume(all[i]->fiber);
}

static const struct uuid *group_account(const void *arg, size_t i)
{
	const struct group *g = arg;

	return &g->all[i]->piece->job->account_id;
}

static void group_run_parts(void *arg, const size_t *parts, size_t n, bool *is_held)
{
	struct group *g = arg;
	struct err e = ERR_INIT;

	for (size_t k = 0; k < n; k++)
		g->taken[k] = g->all[parts[k]];
	g->ntaken = n;
	if (members_commit(g, &e) == -1) {
		g->has_failed = true;
		g->also = NULL;
		g->err = e;
		for (size_t i = 0; i < g->ntaken; i++) {
			g->taken[i]->rc = -1;
			g->taken[i]->err = e;
		}
	}
	for (size_t k = 0; k < n; k++) {
		const struct member *m = g->all[parts[k]];

		is_held[k] = !m->is_back && m->rc == -1 && m->err.code == ERR_LOCKED;
	}
}

int group_commit(
    struct group *g, enum job_class class, job_body *also, void *also_arg, struct err *err)
{
	const int64_t began_us = clock_mono_us();

	members_take(g, class);
	g->also = also;
	g->also_arg = also_arg;
	g->is_also_done = g->is_also_lost = g->has_failed = false;
	g->err = (struct err)ERR_INIT;
	shared_commit(&(struct shared_commit){
	    .db = g->db, .n = g->nall, .arg = g, .account = group_account, .run = group_run_parts});
	if (g->also != NULL) /* nobody else was there */
		group_run_parts(g, NULL, 0, NULL);
	if (g->nall > 0)
		g->took_us[class] = clock_mono_us() - began_us;
	if (class == JOB_LIVE)
		gather_end(&g->gather, g->nall, clock_mono_us());
	members_resume(g);
	if (g->is_also_done || (!g->has_failed && !g->is_also_lost))
		return 0;
	err_set(err, g->err.code, "%s", g->err.msg);
	return g->has_failed ? -1 : 1;
}
