/* How many transactions become one.
 *
 *   fiber: group_transaction ─► waits ─┐
 *   fiber: group_transaction ─► waits ─┼─► loop: BEGIN, each body, COMMIT ─► each goes on
 *   fiber: group_transaction ─► waits ─┘
 *
 * Bodies run one after the other on the one connection, so they cannot lock each other out. First
 * without savepoints, which would cost a round trip each; when a body fails, the whole is undone
 * and run again with a savepoint before each, so that only the guilty are left out. A deadlock
 * undoes and repeats all, as db_transaction does. Each class has groups of its own: a bulk body may
 * take long, and live ones shall not wait for its end. Groups form by themselves: while one
 * commits, the answers that the next will store arrive. */
#include "job/group.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/fiber.h"
#include "base/oom.h"

#define GROUP_MOST 64u /* of one commit: others wait for as long as it takes */
#define SLOW_US 20000  /* bulk bodies may take long: those that begin later are of the next */

struct member {
	group_body *body;
	void *arg;
	struct fiber *fiber;
	int rc;
	struct err err;
	TAILQ_ENTRY(member) link;
};

TAILQ_HEAD(members, member);
struct group {
	struct db *db;
	struct members waiting[JOB_CLASSES];
	size_t nwaiting[JOB_CLASSES];
	/* of the commit at hand */
	struct member *taken[GROUP_MOST];
	size_t ntaken;
	enum job_class class;
	group_body *also;
	void *also_arg;
	bool is_careful, has_culprit;
};

struct group *group_new(struct db *db)
{
	struct group *g = oom_malloc(sizeof(*g));

	*g = (struct group){.db = db};
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

int group_transaction(
    struct group *g, enum job_class class, group_body *body, void *arg, struct err *err)
{
	struct member m = {.body = body, .arg = arg, .fiber = fiber_current()};

	if (g == NULL || m.fiber == NULL)
		return db_transaction(g == NULL ? NULL : g->db, body, arg, err);
	TAILQ_INSERT_TAIL(&g->waiting[class], &m, link);
	g->nwaiting[class]++;
	fiber_yield();
	return m.rc == 0 ? 0 : err_set(err, m.err.code, "%s", m.err.msg);
}

/* Does this failure concern the transaction as a whole? */
static bool is_everyones(const struct err *err)
{
	return err->code == ERR_RETRY || err->code == ERR_UNAVAILABLE;
}

static int member_run(struct group *g, struct member *m, struct db *db, struct err *err)
{
	m->err = (struct err)ERR_INIT;
	m->rc =
	    g->is_careful ? db_nested(db, m->body, m->arg, &m->err) : m->body(db, m->arg, &m->err);
	if (m->rc == 0 || (g->is_careful && !is_everyones(&m->err)))
		return 0;
	g->has_culprit = !is_everyones(&m->err);
	return err_set(err, m->err.code, "%s", m->err.msg);
}

/* Those from the n-th on wait again, before the others. */
static void members_put_back(struct group *g, size_t n)
{
	while (g->ntaken > n) {
		TAILQ_INSERT_HEAD(&g->waiting[g->class], g->taken[--g->ntaken], link);
		g->nwaiting[g->class]++;
	}
}

static int group_run(struct db *db, void *arg, struct err *err)
{
	struct group *g = arg;
	const int64_t until_us = g->class == JOB_LIVE ? INT64_MAX : clock_mono_us() + SLOW_US;

	g->has_culprit = false;
	for (size_t i = 0; i < g->ntaken; i++) {
		if (member_run(g, g->taken[i], db, err) == -1)
			return -1;
		if (clock_mono_us() > until_us)
			members_put_back(g, i + 1);
	}
	if (g->also == NULL || g->also(db, g->also_arg, err) == 0)
		return 0;
	/* Its own fault is none of the members'. */
	if (err == NULL || !is_everyones(err)) {
		g->has_culprit = true;
		g->also = NULL;
	}
	return -1;
}

static void members_take(struct group *g, enum job_class class)
{
	struct members *waiting = &g->waiting[class];
	struct member *m;

	g->class = class;
	g->ntaken = 0;
	while (g->ntaken < GROUP_MOST && (m = TAILQ_FIRST(waiting)) != NULL) {
		TAILQ_REMOVE(waiting, m, link);
		g->nwaiting[class]--;
		g->taken[g->ntaken++] = m;
	}
}

/* A member lives on its fiber's stack: after it went on it is no more. */
static void members_resume(struct group *g, int rc, const struct err *err)
{
	struct member *taken[GROUP_MOST];
	size_t n = g->ntaken;

	memcpy(taken, g->taken, n * sizeof(struct member *));
	for (size_t i = 0; i < n; i++) {
		if (rc == -1) {
			taken[i]->rc = -1;
			taken[i]->err = *err;
		}
		fiber_resume(taken[i]->fiber);
	}
}

int group_commit(
    struct group *g, enum job_class class, group_body *also, void *also_arg, struct err *err)
{
	struct err e = ERR_INIT;
	bool is_also_lost;
	int rc;

	members_take(g, class);
	g->also = also;
	g->also_arg = also_arg;
	g->is_careful = false;
	rc = db_transaction(g->db, group_run, g, &e);
	if (rc == -1 && g->has_culprit) {
		struct err again = ERR_INIT;

		g->is_careful = true;
		rc = db_transaction(g->db, group_run, g, &again);
		if (rc == -1)
			e = again;
	}
	is_also_lost = also != NULL && g->also == NULL;
	members_resume(g, rc, &e);
	if (rc == 0 && !is_also_lost)
		return 0;
	err_set(err, e.code, "%s", e.msg);
	return rc == 0 ? 1 : -1;
}
