/* From a record that was stored to the runs of the flows that are subscribed to it.
 *
 *   transaction that stores the record ──> job flow.dispatch, with the triggers of that moment
 *   job: record, flows ──> runs started, job finished: one transaction
 *
 * Whoever stores asks for the enabled triggers in its own transaction, once for each account of the
 * commit: so none is missed that was enabled before it. */
#include "base/clock.h"
#include "flow/flow.h"
#include "flow/trigger.h"

#define DISPATCH_KIND "flow.dispatch"

/* ---- leaving jobs -----------------------------------------------------------------------------
 */

static bool trigger_wants(
    const struct trigger *t, const struct record_item *it, const struct uuid *connection_id)
{
	const char *on = json_str(t->config, "on");
	const char *event = it->outcome == RECORD_CREATED ? "created" : "updated";

	return trigger_fits(t, it->provider_type, it->resource_type) &&
	       (uuid_is_nil(t->connection_id) || uuid_eq(t->connection_id, *connection_id)) &&
	       (on == NULL || strcmp(on, "any") == 0 || strcmp(on, event) == 0);
}

static struct job dispatch_job(struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, json_t *triggers, const char *event, const struct uuid *lead_id)
{
	json_t *args = json_own(a, json_object());

	json_set(args, "triggers", json_incref(triggers));
	json_set_str(args, "event", event);
	if (lead_id != NULL)
		json_set_str(args, "leadId", uuid_dup(a, *lead_id));
	return (struct job){.account_id = *account_id,
	    .kind = DISPATCH_KIND,
	    .class = JOB_LIVE,
	    .subject_id = *record_id,
	    .args = json_text(a, args)};
}

static int tell_one(struct db *db, struct arena *a, const struct triggers *known,
    const struct record_item *it, const struct uuid *connection_id, struct err *err)
{
	json_t *ids = json_own(a, json_array());
	struct job job;

	for (size_t i = 0; i < known->n; i++)
		if (trigger_wants(&known->v[i], it, connection_id))
			json_array_append_new(ids, json_string(uuid_dup(a, known->v[i].id)));
	if (json_array_size(ids) == 0)
		return 0;
	job = dispatch_job(a, &it->account_id, &it->id, ids,
	    it->outcome == RECORD_CREATED ? "created" : "updated", NULL);
	return job_insert(db, &job, 1, err);
}

static bool item_is_news(const struct record_item *it)
{
	return (it->outcome == RECORD_CREATED || it->outcome == RECORD_UPDATED) &&
	       !str_is(it->resource_type, "lead");
}

int triggers_tell(struct db *db, struct arena *a, const struct record_item *items,
    const struct uuid *connections, size_t n, struct err *err)
{
	struct triggers known = {NULL, 0};
	const struct uuid *of = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct record_item *it = &items[i];

		if (!item_is_news(it))
			continue;
		/* items of an account mostly stand together */
		if ((of == NULL || !uuid_eq(*of, it->account_id)) &&
		    triggers_of_account(db, a, &it->account_id, &known, err) == -1)
			return -1;
		of = &it->account_id;
		if (tell_one(db, a, &known, it, &connections[i], err) == -1)
			return -1;
	}
	return 0;
}

int triggers_on_lead_ready(struct job *j, struct lead_ready *leads, size_t n, struct err *err)
{
	struct db *db = j->app->db;
	struct triggers known;

	if (n == 0)
		return 0;
	if (triggers_of_account(db, j->a, &leads[0].account_id, &known, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		json_t *ids = json_own(j->a, json_array());
		struct job job;

		for (size_t k = 0; k < known.n; k++)
			if (trigger_fits(
				&known.v[k], str_from(leads[i].provider_type), STR("lead")) &&
			    (uuid_is_nil(known.v[k].connection_id) ||
				uuid_eq(known.v[k].connection_id, leads[i].connection_id)))
				json_array_append_new(
				    ids, json_string(uuid_dup(j->a, known.v[k].id)));
		if (json_array_size(ids) == 0)
			continue;
		job = dispatch_job(j->a, &leads[i].account_id, &leads[i].lead_id, ids, "created",
		    &leads[i].lead_id);
		if (job_insert(db, &job, 1, err) == -1)
			return -1;
	}
	return 0;
}

/* ---- starting runs ----------------------------------------------------------------------------
 */

/* The record of a job, as the API shows it: 1, 0 it is gone, -1. */
static int dispatch_record(
    struct job *j, const json_t *args, json_t **record, struct uuid *id, struct err *err)
{
	struct uuid lead_id;
	json_t *lead;
	int found = 1;

	*id = j->subject_id;
	if (uuid_parse(str_from(json_str(args, "leadId")), &lead_id)) {
		found = lead_get_json(j->app, j->a, &j->account_id, &lead_id, &lead, err);
		if (found == 1 && !uuid_parse(str_from(json_str(lead, "recordId")), id))
			found = 0;
	}
	return found == 1 ? record_get_json(j->app, j->a, &j->account_id, id, record, err) : found;
}

struct dispatching {
	struct job *j;
	struct flow_start *starts;
	struct uuid *fired;
	size_t n;
};

static int dispatch_body(struct db *db, void *arg, struct err *err)
{
	struct dispatching *d = arg;

	if (flow_start(d->j->app, db, d->j->a, d->starts, d->n, err) == -1 ||
	    triggers_note_fired(db, &d->j->account_id, d->fired, d->n, err) == -1)
		return -1;
	return job_finish(db, d->j, err);
}

static json_t *dispatch_payload(struct arena *a, const json_t *record, const char *event)
{
	json_t *payload = flow_record_payload(a, record);

	json_set_str(payload, "event", event);
	return payload;
}

/* A flow with two triggers that fit runs once. */
static bool dispatch_has_flow(const struct dispatching *d, const struct uuid *flow_id)
{
	for (size_t i = 0; i < d->n; i++)
		if (uuid_eq(d->starts[i].flow_id, *flow_id))
			return true;
	return false;
}

static int dispatch_collect(struct dispatching *d, const json_t *args, const struct uuid *record_id,
    json_t *payload, struct err *err)
{
	struct job *j = d->j;
	json_t *text;
	size_t i;

	json_array_each(json_object_get(args, "triggers"), i, text) {
		struct trigger t;
		struct uuid id;
		int found;

		if (!uuid_parse(str_from(json_string_value(text)), &id))
			continue;
		found = trigger_load(j->app->db, j->a, &j->account_id, &id, &t, err);
		if (found == -1)
			return -1;
		if (found == 0 || dispatch_has_flow(d, &t.flow_id))
			continue; /* it was deleted since */
		d->fired[d->n] = t.id;
		d->starts[d->n++] = (struct flow_start){.account_id = j->account_id,
		    .flow_id = t.flow_id,
		    .kind = t.kind,
		    .payload = payload,
		    .record_id = *record_id,
		    .trigger_id = t.id};
	}
	return 0;
}

int trigger_job_dispatch(struct job *j, struct err *err)
{
	json_t *args = json_parse_stored(j->a, j->args, err), *record = NULL;
	size_t most = json_array_size(json_object_get(args, "triggers"));
	struct dispatching d = {.j = j,
	    .starts = arena_array(j->a, most + 1, sizeof(*d.starts)),
	    .fired = arena_array(j->a, most + 1, sizeof(*d.fired))};
	struct uuid record_id;
	int found = args == NULL ? -1 : dispatch_record(j, args, &record, &record_id, err);

	if (found == -1)
		return -1;
	if (found == 1 && dispatch_collect(&d, args, &record_id,
			      dispatch_payload(j->a, record, json_str(args, "event")), err) == -1)
		return -1;
	return job_transaction(j, dispatch_body, &d, err);
}

/* ---- replay -----------------------------------------------------------------------------------
 */

struct replaying {
	struct app *app;
	struct arena *a;
	const struct record_dispatch *d;
	struct flow_start *starts;
	size_t n;
};

static int replay_body(struct db *db, void *arg, struct err *err)
{
	struct replaying *p = arg;

	return flow_start(p->app, db, p->a, p->starts, p->n, err);
}

static bool replay_is_asked(const struct record_dispatch *d, const char *flow_id)
{
	json_t *text;
	size_t i;

	if (d->flow_ids == NULL)
		return true;
	json_array_each(d->flow_ids, i, text)
		if (strcasecmp(json_string_value(text), flow_id) == 0)
			return true;
	return false;
}

/* Each subscribed flow once. */
static void replay_collect(struct replaying *p, const struct triggers *known)
{
	struct str provider = str_from(json_str(p->d->record, "providerType"));
	struct str type = str_from(json_str(p->d->record, "resourceType"));
	json_t *payload = dispatch_payload(p->a, p->d->record, "replayed");

	for (size_t i = 0; i < known->n; i++) {
		const struct trigger *t = &known->v[i];
		bool is_there = false;

		for (size_t k = 0; k < p->n; k++)
			is_there = is_there || uuid_eq(p->starts[k].flow_id, t->flow_id);
		if (is_there || !trigger_fits(t, provider, type) ||
		    !replay_is_asked(p->d, uuid_dup(p->a, t->flow_id)))
			continue;
		p->starts[p->n++] = (struct flow_start){.account_id = p->d->account_id,
		    .flow_id = t->flow_id,
		    .kind = TRIGGER_REPLAY,
		    .payload = payload,
		    .record_id = p->d->record_id,
		    .trigger_id = t->id};
	}
}

int triggers_replay(struct app *app, struct arena *a, const struct record_dispatch *d,
    int64_t *matched, json_t *ids, struct err *err)
{
	struct replaying p = {.app = app, .a = a, .d = d};
	struct triggers known;
	int rc;

	if (triggers_of_account(app->db, a, &d->account_id, &known, err) == -1)
		return -1;
	p.starts = arena_array(a, known.n + 1, sizeof(*p.starts));
	replay_collect(&p, &known);
	rc = p.n == 0                     ? 0
	     : db_in_transaction(app->db) ? replay_body(app->db, &p, err)
					  : db_transaction(app->db, replay_body, &p, err);
	if (rc == -1)
		return -1;
	for (size_t i = 0; i < p.n; i++) {
		if (uuid_is_nil(p.starts[i].execution_id))
			continue; /* it is not published */
		(*matched)++;
		json_array_append_new(ids, json_string(uuid_dup(a, p.starts[i].execution_id)));
	}
	return 0;
}
