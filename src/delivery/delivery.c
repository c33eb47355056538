/* Where a delivery goes after an attempt, and how its job ends thereby. */
#include "delivery/delivery.h"

#include "base/clock.h"
#include "base/limits.h"

const struct word delivery_statuses[] = {{DELIVERY_SUCCESS, "Delivered"},
    {DELIVERY_PENDING, "Pending"}, {DELIVERY_FAILED, "Failed"}, {DELIVERY_DEAD, "Given up"},
    {DELIVERY_SKIPPED, "Skipped"}, {NULL, NULL}};

/* When the tries of one round are used up: minutes until the next round; after the last one the
 * delivery is dead. */
static const int64_t delivery_rounds_minutes[] = {5, 30, 120, 300, 600, 840, 1200, 1440};
#define DELIVERY_ROUNDS (int)(sizeof(delivery_rounds_minutes) / sizeof(delivery_rounds_minutes[0]))

static int64_t delivery_round_wait_us(int round)
{
	return delivery_rounds_minutes[round - 1] * 60 * SECOND_US;
}

/* An answer that will be the same next time, until somebody changes something. */
static bool delivery_is_refusal(enum call_class class)
{
	return class == CALL_FATAL || class == CALL_PERMISSION || class == CALL_CONFLICT ||
	       class == CALL_NOT_FOUND;
}

struct delivery_course delivery_begin(
    struct job *job, struct job *run, const struct delivery_state *state)
{
	return (struct delivery_course){
	    .job = job, .run = run, .state = *state, .rounds = state->rounds};
}

void delivery_end(struct delivery_course *c, const char *status, const char *error)
{
	c->then = DELIVERY_OVER;
	c->again_us = c->state.next_us = 0;
	c->state.status = status;
	c->state.error = error;
}

static void delivery_wait(struct delivery_course *c, int64_t at_us, bool is_counted)
{
	c->then = DELIVERY_WAIT;
	c->is_counted = is_counted;
	c->again_us = c->state.next_us = at_us;
}

void delivery_put_back(struct delivery_course *c, int64_t at_us)
{
	delivery_wait(c, at_us, false);
}

static void delivery_end_round(struct delivery_course *c, const char *error, int64_t now_us)
{
	c->state.rounds++;
	if (c->state.rounds > DELIVERY_ROUNDS) {
		delivery_end(c, DELIVERY_DEAD, error);
		c->then = DELIVERY_GIVEN_UP;
		return;
	}
	c->then = DELIVERY_LATER;
	c->state.status = DELIVERY_FAILED;
	c->state.error = error;
	c->again_us = c->state.next_us = now_us + delivery_round_wait_us(c->state.rounds);
}

void delivery_after(struct delivery_course *c, const struct call_result *res, int64_t again_ms,
    bool is_ill, int64_t now_us)
{
	c->has_failed = res->class != CALL_OK;
	c->state.http_status = res->status;
	c->state.error = c->has_failed ? res->error : NULL;
	if (res->class == CALL_OK)
		delivery_end(c, DELIVERY_SUCCESS, NULL);
	else if (is_ill)
		delivery_wait(c, now_us, false);
	else if (again_ms >= 0)
		delivery_wait(c, now_us + again_ms * 1000, true);
	else if (delivery_is_refusal(res->class))
		delivery_end(c, DELIVERY_FAILED, res->error);
	else
		delivery_end_round(c, res->error, now_us);
}

int delivery_mind_changes(
    struct delivery_course *c, struct arena *a, const struct connection *to, struct err *err)
{
	int is_changed = c->has_failed ? connection_was_changed(c->job->app, a, to, err) : 0;

	if (is_changed != 1)
		return is_changed;
	c->state.status = DELIVERY_PENDING;
	c->state.rounds = c->rounds;
	delivery_wait(c, clock_now_us(), false);
	job_note_peer(c->run, JOB_PEER_UNKNOWN, NULL);
	return 0;
}

static int delivery_go_on(struct db *db, const struct delivery_course *c, struct err *err)
{
	switch (c->then) {
	case DELIVERY_OVER:
		break;
	case DELIVERY_WAIT:
		return job_retry(db, c->job, c->again_us, c->is_counted, err);
	case DELIVERY_LATER:
		return job_reschedule(db, c->job, c->again_us, c->job->args, err);
	case DELIVERY_GIVEN_UP:
		return job_die(db, c->job, c->state.error, err);
	case DELIVERY_ANEW:
		return job_reschedule(db, c->job, clock_now_us(), c->job->args, err);
	}
	return 0;
}

int delivery_end_jobs(
    struct db *db, struct delivery_course *const *courses, size_t n, struct err *err)
{
	struct job *over[LIMIT_DB_BATCH];
	size_t nover = 0;

	for (size_t i = 0; i < n; i++) {
		if (courses[i]->then == DELIVERY_OVER)
			over[nover++] = courses[i]->job;
		else if (delivery_go_on(db, courses[i], err) == -1)
			return -1;
	}
	return job_finish_many(db, over, nover, err);
}
