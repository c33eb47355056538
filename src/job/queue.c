#include "job/queue.h"

#include "base/clock.h"
#include "base/config.h"
#include "job/job-internal.h"

#define TOLD_US (60 * SECOND_US) /* how long what a runner told of a window counts */
#define ID_BYTES (1 + sizeof(struct uuid))

enum { LANE_CLASS, LANE_TARGET, LANE_NUMBER };
DB_STMT(queue_lanes_of, "SELECT class, target_id FROM job_lanes WHERE account_id = ?"
			" ORDER BY seen_at DESC LIMIT 1000");
DB_STMT(queue_lane_one,
    "SELECT class FROM job_lanes WHERE account_id = ? AND class = ? AND target_id = ?");
/* A lane's jobs lie together in their index: it alone is read. */
DB_STMT(queue_count, "SELECT COUNT(*) FROM (SELECT run_at FROM jobs WHERE account_id = ?"
		     " AND class = ? AND target_id = ? AND state = ? LIMIT 100001) j");
DB_STMT(queue_next, "SELECT run_at FROM jobs WHERE account_id = ? AND class = ? AND target_id = ?"
		    " AND state = 'ready' AND lease_id IS NULL ORDER BY run_at LIMIT 1");
/* Few jobs are leased at a time, of all accounts together. */
DB_STMT(queue_running,
    "SELECT class, target_id, COUNT(*) FROM jobs FORCE INDEX (jobs_lease) WHERE lease_id IS NOT"
    " NULL AND account_id = ? AND state = 'ready' AND run_at > ? GROUP BY class, target_id");
DB_STMT(queue_windows, "SELECT class, target_id, SUM(slots) FROM job_windows WHERE account_id = ?"
		       " AND at > ? GROUP BY class, target_id");
DB_STMT(queue_bring_forward,
    "UPDATE jobs SET run_at = ? WHERE account_id = ? AND class = ? AND target_id = ?"
    " AND state = 'ready' AND lease_id IS NULL AND run_at > ? ORDER BY run_at LIMIT ?");
/* Each lane's dead are found by their state, whatever else waits in it. */
enum {
	DEAD_ID,
	DEAD_CLASS,
	DEAD_TARGET,
	DEAD_KIND,
	DEAD_SUBJECT,
	DEAD_ERROR,
	DEAD_ATTEMPTS,
	DEAD_SINCE,
	DEAD_CREATED,
};
#define DEAD_OF_ACCOUNT                                                                            \
	" FROM job_lanes l STRAIGHT_JOIN jobs j ON j.account_id = l.account_id"                    \
	" AND j.class = l.class AND j.target_id = l.target_id AND j.state = 'dead'"                \
	" WHERE l.account_id = ?"
DB_STMT(queue_dead_page,
    "SELECT j.id, j.class, j.target_id, j.kind, j.subject_id, j.last_error, j.attempts, j.run_at,"
    " j.created_at" DEAD_OF_ACCOUNT " AND j.id < ? AND (? IS NULL OR (l.class = ?"
    " AND l.target_id = ?)) ORDER BY j.id DESC LIMIT ? OFFSET ?");
DB_STMT(
    queue_dead_number, "SELECT COUNT(*) FROM (SELECT j.run_at" DEAD_OF_ACCOUNT " LIMIT 100000) d");
const struct word queue_kinds[] = {
    {"live", "Live"}, {"bulk", "Bulk"}, {"periodic", "Periodic"}, {NULL, NULL}};
const struct word queue_states[] = {{"paused", "Paused"}, {"open", "Failing"},
    {"probing", "Being tried"}, {"running", "Running"}, {"waiting", "Waiting"}, {"idle", "Idle"},
    {NULL, NULL}};

/* ---- ids ----------------------------------------------------------------------------------- */

const char *queue_lane_id(struct arena *a, const struct lane_key *key)
{
	unsigned char raw[ID_BYTES];
	struct buf *b = buf_new(a, 2 * ID_BYTES);

	raw[0] = (unsigned char)key->class;
	memcpy(raw + 1, key->target_id.b, sizeof(key->target_id.b));
	base64url_encode(b, raw, sizeof(raw));
	return b->p;
}

bool queue_lane_parse(struct str id, struct lane_key *key)
{
	unsigned char raw[ID_BYTES];

	if (base64url_decode(raw, sizeof(raw), id) != (long)sizeof(raw) || raw[0] >= JOB_CLASSES)
		return false;
	key->class = (enum job_class)raw[0];
	memcpy(key->target_id.b, raw + 1, sizeof(key->target_id.b));
	return true;
}

/* ---- lanes --------------------------------------------------------------------------------- */

struct lanes_read {
	struct app *app;
	struct arena *a;
	struct uuid account_id;
	struct queue_lane *v;
	size_t n;
};

static struct queue_lane *lane_find(
    struct lanes_read *r, int64_t class, const struct uuid *target_id)
{
	for (size_t i = 0; i < r->n; i++)
		if ((int64_t)r->v[i].key.class == class &&
		    uuid_eq(r->v[i].key.target_id, *target_id))
			return &r->v[i];
	return NULL;
}

static void lane_add(struct lanes_read *r, int64_t class, const struct uuid *target_id,
    const struct breaker *breaker)
{
	static const struct breaker well;

	if (r->n < QUEUE_LANES_MOST && class >= 0 && class < JOB_CLASSES)
		r->v[r->n++] =
		    (struct queue_lane){.key = {r->account_id, *target_id, (enum job_class) class},
			.breaker = breaker == NULL ? well : *breaker};
}

static int lanes_known(struct lanes_read *r, struct err *err)
{
	struct db_rows rows;

	if (db_query(r->app->db, r->a, &queue_lanes_of, DB_VALS(db_uuid(&r->account_id)), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid target = db_get_uuid(&rows, i, LANE_TARGET);

		lane_add(r, db_get_int(&rows, i, LANE_CLASS), &target, NULL);
	}
	return 0;
}

/* The class of a lane that shows a breaker whose target has none. */
static enum job_class breaker_class(const struct breaker *b)
{
	int class = JOB_LIVE;

	while (b->opened_us == 0 && class < JOB_PERIODIC &&
	       !breaker_is_paused(b, (enum job_class) class))
		class ++;
	return (enum job_class) class;
}

/* Both lanes of a target share its breaker; one that is not well has a lane to show it. */
static int lanes_breakers(struct lanes_read *r, struct err *err)
{
	struct breaker *v;
	size_t n;

	if (breaker_list_of(r->app->db, r->a, &r->account_id, &v, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		bool is_shown = v[i].opened_us == 0 && v[i].paused == 0;

		for (size_t k = 0; k < r->n; k++) {
			if (!uuid_eq(r->v[k].key.target_id, v[i].target_id))
				continue;
			r->v[k].breaker = v[i];
			is_shown = true;
		}
		if (!is_shown)
			lane_add(r, breaker_class(&v[i]), &v[i].target_id, &v[i]);
	}
	return 0;
}

/* What a runner begins with. */
static int64_t lane_first_window(const struct config *cfg, const struct queue_lane *l)
{
	int64_t slots = (int64_t)job_slots(cfg, l->key.class);

	if (uuid_is_nil(l->key.target_id))
		return (int64_t)job_own_slots(cfg, l->key.class);
	if (l->breaker.opened_us != 0)
		return 1;
	return slots < LANE_WINDOW_FIRST ? slots : LANE_WINDOW_FIRST;
}

static int lanes_at_work(struct lanes_read *r, struct err *err)
{
	struct db_val account = db_uuid(&r->account_id);
	int64_t now_us = clock_now_us();
	struct db_rows running, windows;

	if (db_query(r->app->db, r->a, &queue_running, DB_VALS(account, db_int(now_us)), &running,
		err) == -1 ||
	    db_query(r->app->db, r->a, &queue_windows, DB_VALS(account, db_int(now_us - TOLD_US)),
		&windows, err) == -1)
		return -1;
	for (size_t i = 0; i < r->n; i++)
		r->v[i].window = lane_first_window(r->app->config, &r->v[i]);
	for (size_t i = 0; i < running.count; i++) {
		struct uuid target = db_get_uuid(&running, i, LANE_TARGET);
		struct queue_lane *l = lane_find(r, db_get_int(&running, i, LANE_CLASS), &target);

		if (l != NULL)
			l->running = db_get_int(&running, i, LANE_NUMBER);
	}
	for (size_t i = 0; i < windows.count; i++) {
		struct uuid target = db_get_uuid(&windows, i, LANE_TARGET);
		struct queue_lane *l = lane_find(r, db_get_int(&windows, i, LANE_CLASS), &target);

		/* one that is open is tried by one job of all runners together */
		if (l != NULL && l->breaker.opened_us == 0)
			l->window = db_get_int(&windows, i, LANE_NUMBER);
	}
	return 0;
}

static int lane_count_state(struct lanes_read *r, const struct lane_key *key, const char *state,
    int64_t *out, struct err *err)
{
	struct db_rows rows;

	if (db_row(r->app->db, r->a, &queue_count,
		DB_VALS(db_uuid(&key->account_id), db_int(key->class), db_uuid(&key->target_id),
		    db_str(state)),
		&rows, err) == -1)
		return -1;
	*out = db_get_int(&rows, 0, 0);
	return 0;
}

static int lane_measure(struct lanes_read *r, struct queue_lane *l, struct err *err)
{
	const struct lane_key *key = &l->key;
	struct db_rows rows;
	int found;

	if (lane_count_state(r, key, "ready", &l->depth, err) == -1 ||
	    lane_count_state(r, key, "dead", &l->dead, err) == -1)
		return -1;
	found = db_row(r->app->db, r->a, &queue_next,
	    DB_VALS(db_uuid(&key->account_id), db_int(key->class), db_uuid(&key->target_id)), &rows,
	    err);
	if (found == 1)
		l->next_us = db_get_int(&rows, 0, 0);
	l->depth_is_exact = l->depth <= QUEUE_DEPTH_MOST;
	if (!l->depth_is_exact)
		l->depth = QUEUE_DEPTH_MOST;
	return found == -1 ? -1 : 0;
}

static int lanes_measure(struct lanes_read *r, struct err *err)
{
	if (lanes_at_work(r, err) == -1)
		return -1;
	for (size_t i = 0; i < r->n; i++)
		if (lane_measure(r, &r->v[i], err) == -1)
			return -1;
	return 0;
}

int queue_lanes(struct app *app, struct arena *a, const struct uuid *account_id,
    struct queue_lane **out, size_t *n, struct err *err)
{
	struct lanes_read r = {app, a, *account_id, NULL, 0};

	r.v = arena_array(a, QUEUE_LANES_MOST, sizeof(*r.v));
	if (lanes_known(&r, err) == -1 || lanes_breakers(&r, err) == -1 ||
	    lanes_measure(&r, err) == -1)
		return -1;
	*out = r.v;
	*n = r.n;
	return 0;
}

int queue_breaker(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *target_id, struct breaker *out, struct err *err)
{
	struct breaker *v;
	size_t n;

	*out = (struct breaker){.account_id = *account_id, .target_id = *target_id};
	if (breaker_list_of(db, a, account_id, &v, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (uuid_eq(v[i].target_id, *target_id))
			*out = v[i];
	return 0;
}

int queue_lane(struct app *app, struct arena *a, const struct lane_key *key, struct queue_lane *out,
    struct err *err)
{
	struct lanes_read r = {app, a, key->account_id, out, 1};
	struct db_rows rows;
	int found = db_row(app->db, a, &queue_lane_one,
	    DB_VALS(db_uuid(&key->account_id), db_int(key->class), db_uuid(&key->target_id)), &rows,
	    err);

	*out = (struct queue_lane){.key = *key};
	if (found == -1 ||
	    queue_breaker(app->db, a, &key->account_id, &key->target_id, &out->breaker, err) ==
		-1 ||
	    lanes_measure(&r, err) == -1)
		return -1;
	return found == 1 || out->breaker.opened_us != 0 || out->breaker.paused != 0;
}

/* ---- what people do ------------------------------------------------------------------------ */

static int queue_set_pause(
    struct db *db, const struct lane_key *key, bool is_paused, struct err *err)
{
	if (breaker_pause(db, key, is_paused, clock_now_us(), err) == -1)
		return -1;
	job_wake_targets_on_commit(db);
	return 0;
}

int queue_pause(struct db *db, const struct lane_key *key, struct err *err)
{
	return queue_set_pause(db, key, true, err);
}

int queue_resume(struct db *db, const struct lane_key *key, struct err *err)
{
	return queue_set_pause(db, key, false, err);
}

int queue_hasten(
    struct db *db, const struct lane_key *key, int64_t most, uint64_t *n, struct err *err)
{
	struct db_val now = db_int(clock_now_us());

	return db_exec(db, &queue_bring_forward,
	    DB_VALS(now, db_uuid(&key->account_id), db_int(key->class), db_uuid(&key->target_id),
		now, db_int(most)),
	    n, err);
}

int queue_try(struct db *db, const struct lane_key *key, struct err *err)
{
	bool is_own = uuid_is_nil(key->target_id);

	if (breaker_try(db, key, clock_now_us(), err) == -1)
		return -1;
	for (int class = JOB_LIVE; class < JOB_CLASSES; class ++) {
		struct lane_key one = {key->account_id, key->target_id, (enum job_class) class};

		if ((!is_own || key->class == one.class) &&
		    queue_hasten(db, &one, QUEUE_TRY_MOST, NULL, err) == -1)
			return -1;
	}
	job_wake_targets_on_commit(db);
	return 0;
}

/* ---- dead jobs ----------------------------------------------------------------------------- */

static const struct filter_row dead_filters[] = {
    {"laneId", FILTER_TEXT, offsetof(struct queue_dead_filter, lane_id), NULL, NULL},
    {NULL, 0, 0, NULL, NULL}};
const struct list list_of_dead = {"queue.dead", dead_filters, NULL};

static int dead_json(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    json_t **out, struct err *err)
{
	struct uuid subject = db_get_uuid(rows, i, DEAD_SUBJECT);
	struct lane_key key = {.class = (enum job_class)db_get_int(rows, i, DEAD_CLASS),
	    .target_id = db_get_uuid(rows, i, DEAD_TARGET)};
	json_t *o = *out = json_own(a, json_object());

	(void)app;
	(void)err;
	json_set_str(o, "id", uuid_dup(a, db_get_uuid(rows, i, DEAD_ID)));
	json_set_str(o, "laneId", queue_lane_id(a, &key));
	json_set_str(o, "kind", db_get_text(rows, i, DEAD_KIND));
	json_set_str(o, "subjectId", uuid_is_nil(subject) ? NULL : uuid_dup(a, subject));
	json_set_str(o, "lastError", db_get_text(rows, i, DEAD_ERROR));
	json_set_int(o, "attempts", db_get_int(rows, i, DEAD_ATTEMPTS));
	json_set_time(o, "since", db_get_int(rows, i, DEAD_SINCE));
	json_set_time(o, "createdAt", db_get_int(rows, i, DEAD_CREATED));
	return 0;
}

int queue_dead(struct app *app, struct arena *a, const struct queue_dead_filter *f, struct slice *s,
    struct err *err)
{
	struct cursor from = slice_from(s);
	struct lane_key key = {.class = JOB_CLASSES};
	struct db_rows rows;
	struct db_val class = db_null();

	if (f->lane_id.p != NULL) {
		(void)queue_lane_parse(f->lane_id, &key); /* no lane is of class JOB_CLASSES */
		class = db_int(key.class);
	}
	if (queue_dead_count(app->db, &f->account_id, &s->total, err) == -1 ||
	    db_query(app->db, a, &queue_dead_page,
		DB_VALS(db_uuid(&f->account_id), db_uuid(&from.id), class, class,
		    db_uuid(&key.target_id), db_int(slice_limit(s)), db_int(s->offset)),
		&rows, err) == -1)
		return -1;
	if (f->lane_id.p != NULL || s->total == QUEUE_DEPTH_MOST)
		s->total = -1;
	return slice_take(s, app, a, &rows, SLICE_BY_ID, DEAD_ID, dead_json, err);
}

int queue_dead_count(struct db *db, const struct uuid *account_id, int64_t *n, struct err *err)
{
	struct arena *a = arena_new();
	struct db_rows rows;
	int rc = db_row(db, a, &queue_dead_number, DB_VALS(db_uuid(account_id)), &rows, err);

	*n = rc == 1 ? db_get_int(&rows, 0, 0) : 0;
	arena_free(a);
	return rc == -1 ? -1 : 0;
}
