#include "product/queue.h"

#include <stdlib.h>

#include "account/audit.h"
#include "base/clock.h"
#include "connection/connection.h"
#include "job/queue.h"

enum { ACT_PAUSE, ACT_RESUME, ACT_TRY };
const struct word queue_acts[] = {
    {"pause", "Pause"}, {"resume", "Resume"}, {"try", "Try now"}, {NULL, NULL}};

/* What jobs do, in the words of pages. */
static const struct word job_words[] = {{"lead.process", "Get a lead ready"},
    {"crm.push", "Push a lead"}, {"crm.push_all", "Push waiting leads"},
    {"record.fetch", "Fetch a record's details"}, {"record.delete", "Delete records"},
    {"record.replay", "Run records again"}, {"record.import", "Import a file"},
    {"connection.subscribe", "Look after subscriptions"},
    {"connection.unsubscribe", "End subscriptions"}, {"poll.run", "Ask for news"},
    {"poll.backfill", "Fetch older items"}, {NULL, NULL}};

/* ---- lanes --------------------------------------------------------------------------------- */

static const char *own_lane_name(enum job_class class)
{
	static const char *const names[JOB_CLASSES] = {[JOB_LIVE] = "Leads and other live work",
	    [JOB_BULK] = "Imports and other bulk work",
	    [JOB_PERIODIC] = "Periodic work"};

	return names[class];
}

/* NULL: the connection is gone. */
static const char *lane_name(struct arena *a, const json_t *names, const struct lane_key *key)
{
	return uuid_is_nil(key->target_id)
		   ? own_lane_name(key->class)
		   : json_str(json_object_get(names, uuid_dup(a, key->target_id)), "name");
}

static json_t *lane_json(struct arena *a, const json_t *names, const struct queue_lane *l)
{
	const struct breaker *b = &l->breaker;
	const char *name = lane_name(a, names, &l->key);
	bool is_open = b->opened_us != 0;
	json_t *o = json_object();

	json_set_str(o, "id", queue_lane_id(a, &l->key));
	json_set_str(o, "kind", queue_kinds[l->key.class].text);
	json_set_str(o, "name", name != NULL ? name : "A connection that was removed");
	json_set_str(o, "connectionId",
	    uuid_is_nil(l->key.target_id) || name == NULL ? NULL : uuid_dup(a, l->key.target_id));
	json_set_int(o, "depth", l->depth);
	json_set_bool(o, "depthIsExact", l->depth_is_exact);
	json_set_time(o, "oldestDueAt", l->next_us);
	json_set_int(o, "window", l->window);
	json_set_int(o, "running", l->running);
	json_set_str(o, "breaker", breaker_state(b, clock_now_us()));
	json_set_bool(o, "isPaused", breaker_is_paused(b, l->key.class));
	json_set_time(o, "openSince", b->opened_us);
	json_set_str(o, "lastError", is_open ? b->last_error : NULL);
	json_set_time(o, "nextProbeAt", is_open ? b->probe_at_us : 0);
	json_set_int(o, "dead", l->dead);
	return o;
}

static int lane_trouble(const struct queue_lane *l)
{
	if (l->breaker.opened_us != 0)
		return 3;
	if (breaker_is_paused(&l->breaker, l->key.class))
		return 2;
	return l->dead > 0;
}

/* What needs a look first, then the fullest; the rest by id, so that they keep their places. */
static int lane_order(const void *one, const void *other)
{
	const struct queue_lane *a = one, *b = other;
	int trouble = lane_trouble(b) - lane_trouble(a);

	if (trouble != 0)
		return trouble;
	if (a->depth != b->depth)
		return a->depth < b->depth ? 1 : -1;
	trouble = memcmp(a->key.target_id.b, b->key.target_id.b, sizeof(a->key.target_id.b));
	return trouble != 0 ? trouble : (int)a->key.class - (int)b->key.class;
}

int queue_json(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err)
{
	struct queue_lane *v;
	json_t *names, *lanes = json_array();
	int64_t dead;
	size_t n;

	*out = json_own(a, json_object());
	json_set(*out, "lanes", lanes);
	if (queue_lanes(app, a, account_id, &v, &n, err) == -1 ||
	    connection_names(app, a, account_id, &names, err) == -1 ||
	    queue_dead_count(app->db, account_id, &dead, err) == -1)
		return -1;
	qsort(v, n, sizeof(*v), lane_order);
	for (size_t i = 0; i < n; i++) {
		/* of a connection that was removed only what is left to do */
		bool is_gone = lane_name(a, names, &v[i].key) == NULL;

		if (!is_gone || v[i].depth > 0 || v[i].dead > 0)
			json_array_append_new(lanes, lane_json(a, names, &v[i]));
	}
	json_set_int(*out, "dead", dead);
	return 0;
}

/* The lane of an id, which has or had jobs, or is of a connection that may have some. 1, 0, -1. */
static int lane_of(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str lane_id, struct queue_lane *out, json_t **names, struct err *err)
{
	struct lane_key key = {.account_id = *account_id};
	int found;

	if (!queue_lane_parse(lane_id, &key))
		return 0;
	if (connection_names(app, a, account_id, names, err) == -1)
		return -1;
	found = queue_lane(app, a, &key, out, err);
	if (found != 0 || uuid_is_nil(key.target_id))
		return found;
	return lane_name(a, *names, &key) != NULL;
}

/* ---- acts ---------------------------------------------------------------------------------- */

struct acting {
	struct arena *a;
	struct queue_lane lane;
	const struct word *act;
};

static json_t *lane_details(struct arena *a, const struct lane_key *key)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "laneId", queue_lane_id(a, key));
	json_set_str(o, "kind", queue_kinds[key->class].text);
	return o;
}

static int act_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct acting *act = arg;
	const struct lane_key *key = &act->lane.key;
	static const char *const actions[] = {
	    [ACT_PAUSE] = "queue.pause", [ACT_RESUME] = "queue.resume", [ACT_TRY] = "queue.try"};
	static int (*const acts[])(struct db * db, const struct lane_key *key, struct err *err) = {
	    [ACT_PAUSE] = queue_pause, [ACT_RESUME] = queue_resume, [ACT_TRY] = queue_try};
	ptrdiff_t i = act->act - queue_acts;

	if (acts[i](db, key, err) == -1)
		return -1;
	audit_fact(log, actions[i], "lane", uuid_is_nil(key->target_id) ? NULL : &key->target_id,
	    lane_details(act->a, key));
	return 0;
}

int queue_act(struct app *app, struct arena *a, const struct req *r, const struct uuid *account_id,
    struct str lane_id, const struct word *act, json_t **lane, struct err *err)
{
	struct acting acting = {.a = a, .act = act};
	struct lane_key key;
	json_t *names;
	int found = lane_of(app, a, account_id, lane_id, &acting.lane, &names, err);

	if (found != 1)
		return found;
	key = acting.lane.key;
	if (audit_change(app, r, account_id, act_body, &acting, err) == -1 ||
	    queue_lane(app, a, &key, &acting.lane, err) == -1)
		return -1;
	*lane = json_own(a, lane_json(a, names, &acting.lane));
	return 1;
}

int queue_act_destination(
    struct req *r, struct str connection_id, const struct word *act, json_t **lane, struct err *err)
{
	const struct uuid *account_id = &r->actor.account_id;
	struct lane_key key = {.account_id = *account_id, .class = JOB_LIVE};
	struct connection *c;
	int found;

	if (!uuid_parse(connection_id, &key.target_id))
		return 0;
	found = connection_get_shown(r->app, r->a, account_id, &key.target_id, &c, err);
	if (found != 1 || c->provider == NULL || !provider_can(c->provider, "crm_push"))
		return found == -1 ? -1 : 0;
	return queue_act(
	    r->app, r->a, r, account_id, str_from(queue_lane_id(r->a, &key)), act, lane, err);
}

/* ---- dead jobs ----------------------------------------------------------------------------- */

struct retrying {
	struct app *app;
	struct arena *a;
	const struct uuid *account_id;
	struct uuid job_id; /* nil: those of the lanes */
	struct queue_lane *lanes;
	size_t nlanes;
	int64_t n;
};

static int retry_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct retrying *t = arg;
	int64_t n = 0;

	(void)db;
	t->n = 0;
	if (!uuid_is_nil(t->job_id)) {
		t->n = queue_revive(t->app, t->account_id, &t->job_id, err);
		if (t->n == 1)
			audit_fact(log, "queue.retry", "job", &t->job_id, NULL);
		return t->n == -1 ? -1 : 0;
	}
	for (size_t i = 0; i < t->nlanes; i++) {
		const struct lane_key *key = &t->lanes[i].key;
		json_t *details = lane_details(t->a, key);

		if (queue_revive_lane(t->app, key, &n, err) == -1)
			return -1;
		t->n += n;
		json_set_int(details, "retried", n);
		if (n > 0)
			audit_fact(log, "queue.retry", "lane",
			    uuid_is_nil(key->target_id) ? NULL : &key->target_id, details);
	}
	return 0;
}

int queue_retry(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, struct str lane_id, struct str job_id, int64_t *n,
    struct err *err)
{
	struct retrying t = {.app = app, .a = a, .account_id = account_id, .nlanes = 1};
	struct queue_lane lane;
	json_t *names;
	int found = 1;

	t.lanes = &lane;
	if (job_id.p != NULL)
		found = uuid_parse(job_id, &t.job_id) && !uuid_is_nil(t.job_id);
	else if (lane_id.p != NULL)
		found = lane_of(app, a, account_id, lane_id, &lane, &names, err);
	else if (queue_lanes(app, a, account_id, &t.lanes, &t.nlanes, err) == -1)
		return -1;
	if (found != 1)
		return found;
	if (audit_change(app, r, account_id, retry_body, &t, err) == -1)
		return -1;
	*n = t.n;
	return job_id.p == NULL || t.n == 1;
}

int queue_dead_named(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str lane_id, struct slice *s, struct err *err)
{
	struct queue_dead_filter f = {*account_id, lane_id};
	json_t *names, *row;
	size_t i;

	if (queue_dead(app, a, &f, s, err) == -1 ||
	    connection_names(app, a, account_id, &names, err) == -1)
		return -1;
	json_array_each(s->rows, i, row) {
		struct lane_key key = {.class = JOB_LIVE};
		const char *name = NULL;

		if (queue_lane_parse(str_from(json_str(row, "laneId")), &key))
			name = lane_name(a, names, &key);
		json_set_str(row, "laneName", name);
		json_set_str(row, "does", word_label(job_words, json_str(row, "kind")));
	}
	return 0;
}
