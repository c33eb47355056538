/* Turns and windows.
 *
 *   class ─► accounts, taking turns ─► lanes, taking turns ─► jobs by time
 *
 * A lane with a target has a window, as a TCP sender has: it starts small, grows by one with each
 * job that its target took well, halves when the target failed or said "slow down", and is never
 * below one. So a new destination is tried carefully, a fast one gets all it can take, and a sick
 * one holds few slots. What counts is calls, not jobs: a job whose call went well makes room for
 * the next, which calls while this one waits for its commit. So that there is a next, a lane whose
 * calls are quick has more jobs, claimed, that wait in memory. A lane that is open (its
 * breaker is) or paused runs nothing and costs nothing: it is passed over, and its jobs are not
 * looked at.
 *
 * Each class has slots of its own, so live work never waits for bulk work, and bulk work moves
 * however much live work there is. Within a class one account gets no more than its share while
 * others have something due. */
#include "job/lane.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/oom.h"
#include "base/str.h"

#define BUCKETS 1024u
#define QUICK_TIMES 4 /* as many as the window, all told, where calls are quick */

/* Calls no longer than that are quick: behind such ones jobs may wait in memory. Bulk work may wait
 * there for longer, since nobody waits for it. */
static const int64_t quick_us[JOB_CLASSES] = {
    [JOB_LIVE] = 50000, [JOB_BULK] = 2500000, [JOB_PERIODIC] = 50000};

struct lane {
	struct lane_key key;
	struct tenant *tenant;
	struct lanes *all;
	int64_t due_us;      /* the earliest known; INT64_MAX: none */
	int64_t probe_at_us; /* while it is open */
	/* running: claimed and not ended; of those: waiting, not begun; calling, begun and not
	 * through with its call */
	size_t running, waiting, calling, failures;
	double window;
	bool is_open, is_paused;
	bool is_asked; /* a claim is on its way: not once more in the same */
	bool is_quick; /* its last call was */
	size_t told_window;
	int64_t told_at_us;
	LIST_ENTRY(lane) bucket;
	TAILQ_ENTRY(lane) turn;
};

/* An account's lanes of one class. */
struct tenant {
	struct uuid account_id;
	size_t running;
	TAILQ_HEAD(turns, lane) lanes;
	TAILQ_ENTRY(tenant) turn;
};
TAILQ_HEAD(tenants, tenant);

struct lanes {
	LIST_HEAD(bucket, lane) buckets[BUCKETS];
	struct tenants tenants[JOB_CLASSES];
	size_t slots[JOB_CLASSES], running[JOB_CLASSES];
	size_t own_slots[JOB_CLASSES], own_running[JOB_CLASSES]; /* of lanes without a target */
	size_t count, window_most;
	bool is_held;
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void *zeroed(size_t n)
{
	return memset(oom_malloc(n), 0, n);
}

struct lanes *lanes_new(const size_t slots[JOB_CLASSES], size_t window_most)
{
	struct lanes *ls = zeroed(sizeof(*ls));

	for (size_t i = 0; i < BUCKETS; i++)
		LIST_INIT(&ls->buckets[i]);
	for (size_t i = 0; i < JOB_CLASSES; i++) {
		TAILQ_INIT(&ls->tenants[i]);
		ls->slots[i] = slots[i];
		ls->own_slots[i] = SIZE_MAX;
	}
	ls->window_most = window_most;
	return ls;
}

void lanes_bound_own(struct lanes *ls, enum job_class class, size_t slots)
{
	ls->own_slots[class] = slots;
}

/* ---- finding ------------------------------------------------------------------------------- */

static struct bucket *bucket_of(struct lanes *ls, const struct lane_key *key)
{
	uint64_t h = str_hash(key->account_id.b, sizeof(key->account_id.b)) ^
		     str_hash(key->target_id.b, sizeof(key->target_id.b)) * 31u ^
		     (uint64_t)key->class;

	return &ls->buckets[(h ^ h >> 32) % BUCKETS];
}

static struct tenant *tenant_get(struct lanes *ls, const struct lane_key *key)
{
	struct tenants *list = &ls->tenants[key->class];
	struct tenant *t;

	TAILQ_FOREACH(t, list, turn)
	if (uuid_eq(t->account_id, key->account_id))
		return t;
	t = zeroed(sizeof(*t));
	t->account_id = key->account_id;
	TAILQ_INIT(&t->lanes);
	TAILQ_INSERT_TAIL(list, t, turn);
	return t;
}

struct lane *lane_get(struct lanes *ls, const struct lane_key *key)
{
	struct bucket *bucket = bucket_of(ls, key);
	struct lane *l;

	LIST_FOREACH(l, bucket, bucket)
	if (l->key.class == key->class && uuid_eq(l->key.target_id, key->target_id) &&
	    uuid_eq(l->key.account_id, key->account_id))
		return l;
	l = zeroed(sizeof(*l));
	l->key = *key;
	l->all = ls;
	l->due_us = INT64_MAX;
	l->window = LANE_WINDOW_FIRST;
	l->tenant = tenant_get(ls, key);
	TAILQ_INSERT_TAIL(&l->tenant->lanes, l, turn);
	LIST_INSERT_HEAD(bucket, l, bucket);
	ls->count++;
	return l;
}

static void lane_free(struct lane *l)
{
	struct tenant *t = l->tenant;

	TAILQ_REMOVE(&t->lanes, l, turn);
	LIST_REMOVE(l, bucket);
	l->all->count--;
	if (TAILQ_EMPTY(&t->lanes)) {
		TAILQ_REMOVE(&l->all->tenants[l->key.class], t, turn);
		free(t);
	}
	free(l);
}

void lanes_free(struct lanes *ls)
{
	if (ls == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (!LIST_EMPTY(&ls->buckets[i]))
			lane_free(LIST_FIRST(&ls->buckets[i]));
	free(ls);
}

const struct lane_key *lane_key_of(const struct lane *l)
{
	return &l->key;
}

/* ---- what is due --------------------------------------------------------------------------- */

void lane_due(struct lane *l, int64_t at_us)
{
	if (at_us < l->due_us)
		l->due_us = at_us;
}

/* ---- windows ------------------------------------------------------------------------------- */

static bool lane_is_own(const struct lane *l)
{
	return uuid_is_nil(l->key.target_id);
}

/* How many of its jobs may call at a time. */
static size_t lane_calls_most(const struct lane *l)
{
	if (l->is_paused)
		return 0;
	if (l->is_open)
		return 1;
	return lane_is_own(l) ? SIZE_MAX / QUICK_TIMES : (size_t)l->window;
}

static size_t lane_own_room(const struct lane *l)
{
	size_t slots = l->all->own_slots[l->key.class], running = l->all->own_running[l->key.class];

	return running < slots ? slots - running : 0;
}

/* How many more of its jobs may be claimed, its class's slots apart. */
static size_t lane_room(const struct lane *l)
{
	size_t most = lane_calls_most(l), claimed = l->calling + l->waiting, room;

	if (l->is_quick && !l->is_open)
		most *= QUICK_TIMES;
	room = claimed < most ? most - claimed : 0;
	return lane_is_own(l) ? least(room, lane_own_room(l)) : room;
}

size_t lanes_room(const struct lanes *ls, enum job_class class)
{
	if (ls->is_held || ls->running[class] >= ls->slots[class])
		return 0;
	return ls->slots[class] - ls->running[class];
}

void lanes_hold(struct lanes *ls, bool is_held)
{
	ls->is_held = is_held;
}

/* When it may run something next, for all that is known. */
static int64_t lane_next_us(const struct lane *l)
{
	if (lane_room(l) == 0)
		return INT64_MAX;
	return l->is_open && l->probe_at_us > l->due_us && l->due_us != INT64_MAX ? l->probe_at_us
										  : l->due_us;
}

/* Those that go before it mostly end in the commit that makes it: the slots may be taken twice. */
bool lane_has_room(const struct lanes *ls, const struct lane *l)
{
	return !ls->is_held && !l->is_open && lane_room(l) > 0 &&
	       ls->running[l->key.class] < 2 * ls->slots[l->key.class];
}

static void lane_count(struct lane *l, size_t more, size_t fewer)
{
	l->running += more - fewer;
	l->tenant->running += more - fewer;
	l->all->running[l->key.class] += more - fewer;
	if (lane_is_own(l))
		l->all->own_running[l->key.class] += more - fewer;
}

static void lane_wait(struct lane *l, size_t more, size_t fewer)
{
	lane_count(l, more, fewer);
	l->waiting += more - fewer;
}

void lane_taken(struct lane *l)
{
	lane_wait(l, 1, 0);
}

void lane_given_back(struct lane *l)
{
	lane_wait(l, 0, 1);
}

bool lane_may_begin(const struct lane *l)
{
	return l->calling < lane_calls_most(l);
}

void lane_begin(struct lane *l)
{
	l->waiting--;
	l->calling++;
}

void lane_called(struct lane *l, int64_t took_us)
{
	l->calling--;
	l->is_quick = took_us < quick_us[l->key.class];
}

void lane_grow(struct lane *l, size_t n)
{
	double most = (double)l->all->window_most;

	if (l->window < most)
		l->window = l->window + (double)n < most ? l->window + (double)n : most;
}

void lane_stored(struct lane *l, enum job_peer peer)
{
	l->calling++;
	lane_ended(l, peer);
}

void lane_ended(struct lane *l, enum job_peer peer)
{
	lane_count(l, 0, 1);
	l->calling--;
	switch (peer) {
	case JOB_PEER_UNKNOWN:
		break;
	case JOB_PEER_OK:
		l->failures = 0;
		lane_grow(l, 1);
		break;
	case JOB_PEER_REFUSED: /* fewer calls at a time would change nothing */
		l->failures++;
		break;
	case JOB_PEER_DEAD:
		l->failures++;
		/* fall through */
	case JOB_PEER_BUSY:
		l->is_quick = false;
		l->window = l->window > 2.0 ? l->window / 2.0 : 1.0;
		break;
	}
}

void lane_open(struct lane *l, int64_t probe_at_us)
{
	l->is_open = true;
	l->probe_at_us = probe_at_us;
	l->window = 1.0;
}

void lane_close(struct lane *l)
{
	if (l->is_open)
		l->failures = 0; /* what was counted has had its effect */
	l->is_open = false;
	l->probe_at_us = 0;
}

bool lane_is_open(const struct lane *l)
{
	return l->is_open;
}

bool lane_is_paused(const struct lane *l)
{
	return l->is_paused;
}

void lane_pause(struct lane *l, bool is_paused)
{
	l->is_paused = is_paused;
}

/* ---- turns --------------------------------------------------------------------------------- */

static bool lane_is_ready(const struct lane *l, int64_t now_us)
{
	return !l->is_asked && lane_next_us(l) <= now_us;
}

static struct lane *tenant_ready(const struct tenant *t, int64_t now_us)
{
	struct lane *l;

	TAILQ_FOREACH(l, &t->lanes, turn)
	if (lane_is_ready(l, now_us))
		return l;
	return NULL;
}

/* Of the tenants with something to run the one that runs least; it and its lane go behind the
 * others. *sharers counts them. */
static struct lane *class_next(
    struct lanes *ls, enum job_class class, int64_t now_us, size_t *sharers)
{
	struct tenants *list = &ls->tenants[class];
	struct lane *next = NULL;
	struct tenant *t, *owner;

	*sharers = 0;
	TAILQ_FOREACH(t, list, turn)
	{
		struct lane *l = tenant_ready(t, now_us);

		*sharers += l != NULL;
		if (l != NULL && (next == NULL || t->running < next->tenant->running))
			next = l;
	}
	if (next == NULL)
		return NULL;
	owner = next->tenant;
	TAILQ_REMOVE(list, owner, turn);
	TAILQ_INSERT_TAIL(list, owner, turn);
	TAILQ_REMOVE(&owner->lanes, next, turn);
	TAILQ_INSERT_TAIL(&owner->lanes, next, turn);
	return next;
}

struct lane *lanes_next(struct lanes *ls, int64_t now_us, size_t most, size_t *n)
{
	for (size_t class = 0; class < JOB_CLASSES; class ++) {
		size_t room = lanes_room(ls, (enum job_class) class), sharers, share;
		struct lane *l =
		    room == 0 ? NULL : class_next(ls, (enum job_class) class, now_us, &sharers);

		if (l == NULL)
			continue;
		share = ls->slots[class];
		if (lane_is_own(l))
			share = least(share, ls->own_slots[class]);
		share /= sharers;
		share = share > l->tenant->running ? share - l->tenant->running : 1;
		*n = least(least(least(share, room), lane_room(l)), most);
		return l;
	}
	return NULL;
}

void lane_reserve(struct lane *l, size_t n)
{
	l->is_asked = true;
	lane_wait(l, n, 0);
}

void lane_claimed(struct lane *l, size_t asked, size_t n, int64_t now_us, int64_t last_us)
{
	l->is_asked = false;
	lane_wait(l, 0, asked - n);
	if (l->due_us > now_us)
		return;
	if (n < asked)
		l->due_us = INT64_MAX;
	else if (last_us > l->due_us)
		l->due_us = last_us;
}

int64_t lanes_next_due_us(const struct lanes *ls)
{
	int64_t next_us = INT64_MAX;
	const struct tenant *t;
	const struct lane *l;

	for (size_t class = 0; class < JOB_CLASSES; class ++) {
		if (lanes_room(ls, (enum job_class) class) == 0)
			continue;
		TAILQ_FOREACH(t, &ls->tenants[class], turn)
		TAILQ_FOREACH(l, &t->lanes, turn)
		if (lane_next_us(l) < next_us)
			next_us = lane_next_us(l);
	}
	return next_us;
}

/* ---- looking ------------------------------------------------------------------------------- */

size_t lanes_running(const struct lanes *ls)
{
	size_t n = 0;

	for (size_t class = 0; class < JOB_CLASSES; class ++)
		n += ls->running[class];
	return n;
}

size_t lane_failures(const struct lane *l)
{
	return l->failures;
}

bool lane_tell(struct lane *l, int64_t now_us, int64_t renew_us, size_t *window)
{
	size_t slots = l->all->slots[l->key.class];

	*window =
	    least(lane_is_own(l) ? l->all->own_slots[l->key.class] : (size_t)l->window, slots);
	if (*window == l->told_window && l->told_at_us > renew_us)
		return false;
	l->told_window = *window;
	l->told_at_us = now_us;
	return true;
}

size_t lane_window(const struct lane *l)
{
	return (size_t)l->window;
}

size_t lane_running(const struct lane *l)
{
	return l->running;
}

size_t lanes_count(const struct lanes *ls)
{
	return ls->count;
}

void lanes_each(struct lanes *ls, void (*each)(struct lane *l, void *arg), void *arg)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct lane *l, *next;

		for (l = LIST_FIRST(&ls->buckets[i]); l != NULL; l = next) {
			next = LIST_NEXT(l, bucket);
			each(l, arg);
		}
	}
}

static void sweep_one(struct lane *l, void *arg)
{
	(void)arg;
	if (l->running == 0 && l->due_us == INT64_MAX && !l->is_open && !l->is_paused)
		lane_free(l);
}

void lanes_sweep(struct lanes *ls)
{
	lanes_each(ls, sweep_one, NULL);
}
