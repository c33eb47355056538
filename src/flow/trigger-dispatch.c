/* From a record that was stored, or an event, to the runs of the flows that are subscribed to it.
 *
 *	transaction that stores the fact ──> job flow.dispatch, with the triggers of that moment
 *	job: record, flows ──> runs started, job finished: one transaction
 *
 * Whoever stores asks for the enabled triggers, once for each account of the commit: so none is
 * missed that was enabled before it. What a record's trigger is told:
 *
 *	created, updated   as its "on" says; unchanged nothing
 *	was there before   (an import, a back-fill, a poll's first round) where it says "onImport"
 *	a lead             when it is whole, or has another form; one of an import unless "onImport"
 *	                   is false
 *	a copy of a lead   that we pushed to where it comes from: nothing where it takes any source,
 *	                   since the lead itself was told of; of that source it is a record
 *	an event of its name, of an item that is no record of that type   each time */
#include "base/clock.h"
#include "flow/flow.h"
#include "flow/trigger.h"

#define DISPATCH_KIND "flow.dispatch"

/* ---- leaving jobs ---------------------------------------------------------------------------- */

static bool trigger_is_of(const struct trigger *t, const struct uuid *connection_id)
{
	return uuid_is_nil(t->connection_id) || uuid_eq(t->connection_id, *connection_id);
}

/* "created", "updated", or NULL: it is no news. */
static const char *news_event(const struct record_news *w)
{
	if (w->was_new || w->item->outcome == RECORD_CREATED)
		return "created";
	return w->was_change || w->item->outcome == RECORD_UPDATED ? "updated" : NULL;
}

static bool trigger_waits_for(const struct trigger *t, const char *event)
{
	const char *on = json_str(t->config, "on");

	return on == NULL || strcmp(on, "any") == 0 || strcmp(on, event) == 0;
}

static bool trigger_wants_record(
    const struct trigger *t, const struct record_news *w, const char *event)
{
	return event != NULL && trigger_fits(t, w->item->provider_type, w->item->resource_type) &&
	       trigger_waits_for(t, event) && (!w->is_old || trigger_takes_imports(t));
}

/* Is it one of the event's name, rather than of a type of records? */
static bool trigger_wants_event(const struct trigger *t, struct str provider_type, struct str name)
{
	return name.n > 0 && strcmp(t->kind, TRIGGER_WEBHOOK) == 0 &&
	       str_eq(t->provider_type, provider_type) && str_eq(t->name, name) &&
	       str_eq(t->name, t->resource_type);
}

static bool trigger_wants(
    const struct trigger *t, const struct record_news *w, const char *event, bool is_copy)
{
	if (!trigger_is_of(t, &w->connection_id) ||
	    (is_copy && str_is(t->provider_type, TRIGGER_ANY)))
		return false;
	if (trigger_fits(t, w->item->provider_type, w->item->resource_type))
		return trigger_wants_record(t, w, event);
	return trigger_wants_event(t, w->item->provider_type, w->event_type);
}

/* args: what the job is told besides, an object of the arena. Its class is that of the runs: what
 * an import starts comes behind what has just happened. */
static struct job dispatch_job(struct arena *a, enum job_class class, const struct uuid *account_id,
    const struct uuid *subject_id, json_t *triggers, json_t *args)
{
	json_set(args, "triggers", json_incref(triggers));
	return (struct job){.account_id = *account_id,
	    .kind = DISPATCH_KIND,
	    .class = class,
	    .subject_id = *subject_id,
	    .args = json_text(a, args)};
}

static void ids_add(struct arena *a, json_t *ids, const struct trigger *t)
{
	json_array_append_new(ids, json_string(uuid_dup(a, t->id)));
}

static bool tell_one(struct arena *a, const struct triggers *known, const struct record_news *w,
    bool is_copy, struct job *out)
{
	json_t *ids = json_own(a, json_array()), *args;
	const char *event = news_event(w);

	for (size_t i = 0; i < known->n; i++)
		if (trigger_wants(&known->v[i], w, event, is_copy))
			ids_add(a, ids, &known->v[i]);
	if (json_array_size(ids) == 0)
		return false;
	args = json_own(a, json_object());
	json_set_strn(args, "event", event != NULL ? str_from(event) : w->event_type);
	json_set_strn(args, "eventType", w->event_type);
	if (!uuid_is_nil(w->item->event_id))
		json_set_str(args, "eventId", uuid_dup(a, w->item->event_id));
	*out = dispatch_job(
	    a, w->is_old ? JOB_BULK : JOB_LIVE, &w->item->account_id, &w->item->id, ids, args);
	return true;
}

/* Those of one account. */
static int tell_some(struct db *db, struct arena *a, const struct record_news *news, size_t n,
    struct job *jobs, size_t *njobs, struct err *err)
{
	enum record_lead *leads = arena_array(a, n + 1, sizeof(*leads));
	struct uuid *ids = arena_array(a, n + 1, sizeof(*ids));
	const struct uuid *account_id = &news[0].item->account_id;
	struct triggers known;
	size_t nleads = 0;

	if (triggers_of_account(db, account_id, &known, err) == -1)
		return -1;
	if (known.n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (str_is(news[i].item->resource_type, "lead"))
			ids[nleads++] = news[i].item->id;
	if (record_which_leads(db, a, account_id, ids, nleads, leads, err) == -1)
		return -1;
	nleads = 0;
	for (size_t i = 0; i < n; i++) {
		enum record_lead lead = str_is(news[i].item->resource_type, "lead")
					    ? leads[nleads++]
					    : RECORD_LEAD_NONE;

		if (lead != RECORD_LEAD_OWN)
			*njobs +=
			    tell_one(a, &known, &news[i], lead == RECORD_LEAD_COPY, &jobs[*njobs]);
	}
	return 0;
}

int triggers_tell(
    struct db *db, struct arena *a, const struct record_news *news, size_t n, struct err *err)
{
	struct job *jobs = arena_array(a, n + 1, sizeof(*jobs));
	size_t njobs = 0;

	/* items of an account mostly stand together */
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n; end++)
			if (!uuid_eq(news[end].item->account_id, news[i].item->account_id))
				break;
		if (tell_some(db, a, news + i, end - i, jobs, &njobs, err) == -1)
			return -1;
	}
	return job_insert(db, jobs, njobs, err);
}

/* The body's own members, where it has some, and what is known of the event. */
static json_t *event_payload(struct arena *a, const struct trigger_event *e)
{
	struct err ignored = ERR_INIT;
	unsigned repairs;
	json_t *body = json_parse_lenient(a, e->body, &repairs, &ignored);
	json_t *o = json_own(a, json_is_object(body) ? json_copy(body) : json_object());

	if (!json_is_object(body))
		json_set(o, "body",
		    body != NULL ? json_incref(body) : json_stringn(e->body.p, e->body.n));
	json_set_strn(o, "event", e->name);
	json_set_strn(o, "eventType", e->name);
	json_set_str(o, "eventId", uuid_dup(a, e->event_id));
	json_set_strn(o, "providerType", e->provider_type);
	return o;
}

int triggers_tell_event(
    struct db *db, struct arena *a, const struct trigger_event *e, struct err *err)
{
	json_t *ids = json_own(a, json_array()), *args;
	struct triggers known;
	struct job job;

	if (triggers_of_account(db, &e->account_id, &known, err) == -1)
		return -1;
	for (size_t i = 0; i < known.n; i++)
		if (trigger_wants_event(&known.v[i], e->provider_type, e->name) &&
		    trigger_is_of(&known.v[i], &e->connection_id))
			ids_add(a, ids, &known.v[i]);
	if (json_array_size(ids) == 0)
		return 0;
	args = json_own(a, json_object());
	json_set(args, "payload", json_incref(event_payload(a, e)));
	json_set_str(args, "eventId", uuid_dup(a, e->event_id));
	job = dispatch_job(a, JOB_LIVE, &e->account_id, &e->event_id, ids, args);
	return job_insert(db, &job, 1, err);
}

static bool trigger_wants_lead(
    const struct trigger *t, const struct lead_ready *lead, const char *event)
{
	return trigger_fits(t, str_from(lead->provider_type), STR("lead")) &&
	       trigger_is_of(t, &lead->connection_id) && trigger_waits_for(t, event) &&
	       (!lead->is_imported || trigger_takes_imports(t));
}

static bool tell_lead(struct job *j, const struct triggers *known, const struct lead_ready *lead,
    const char *event, struct job *out)
{
	json_t *ids = json_own(j->a, json_array()), *args;

	for (size_t i = 0; i < known->n; i++)
		if (trigger_wants_lead(&known->v[i], lead, event))
			ids_add(j->a, ids, &known->v[i]);
	if (json_array_size(ids) == 0)
		return false;
	args = json_own(j->a, json_object());
	json_set_str(args, "event", event);
	json_set_str(args, "leadId", uuid_dup(j->a, lead->lead_id));
	*out = dispatch_job(j->a, j->class, &lead->account_id, &lead->lead_id, ids, args);
	return true;
}

static int tell_leads(
    struct job *j, const struct lead_ready *leads, size_t n, const char *event, struct err *err)
{
	struct job *jobs = arena_array(j->a, n + 1, sizeof(*jobs));
	struct triggers known;
	size_t njobs = 0;

	if (n == 0)
		return 0;
	if (triggers_of_account(j->app->db, &leads[0].account_id, &known, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		njobs += tell_lead(j, &known, &leads[i], event, &jobs[njobs]);
	return job_insert(j->app->db, jobs, njobs, err);
}

int triggers_on_lead_ready(struct job *j, struct lead_ready *leads, size_t n, struct err *err)
{
	return tell_leads(j, leads, n, "created", err);
}

int triggers_on_lead_corrected(struct job *j, struct lead_ready *leads, size_t n, struct err *err)
{
	return tell_leads(j, leads, n, "updated", err);
}

/* ---- starting runs --------------------------------------------------------------------------- */

/* event: what became of the record; event_type: what its provider calls that, or NULL. */
static json_t *dispatch_payload(
    struct arena *a, const json_t *record, const char *event, const char *event_type)
{
	json_t *payload = flow_record_payload(a, record);

	json_set_str(payload, "event", event);
	json_set_str(payload, "eventType", event_type);
	return payload;
}

/* What the runs are given: of a record, as the API shows it now, with its id; or what the job
 * brings. 1, 0 it is gone, -1. */
static int dispatch_find(
    struct job *j, const json_t *args, json_t **payload, struct uuid *id, struct err *err)
{
	struct uuid lead_id;
	json_t *record, *lead;
	int found = 1;

	*payload = json_object_get(args, "payload");
	*id = (struct uuid){{0}};
	if (*payload != NULL)
		return 1;
	*id = j->subject_id;
	if (uuid_parse(str_from(json_str(args, "leadId")), &lead_id)) {
		found = lead_get_json(j->app, j->a, &j->account_id, &lead_id, &lead, err);
		if (found == 1 && !uuid_parse(str_from(json_str(lead, "recordId")), id))
			found = 0;
	}
	if (found == 1)
		found = record_get_json(j->app, j->a, &j->account_id, id, &record, err);
	if (found == 1)
		*payload = dispatch_payload(
		    j->a, record, json_str(args, "event"), json_str(args, "eventType"));
	return found;
}

struct dispatching {
	struct job *j;
	struct flow_start *starts;
	size_t n;
};

/* What each trigger has come to: a run, or none since its flow is not published. */
static int dispatch_note(struct db *db, const struct dispatching *d, struct err *err)
{
	struct uuid *fired = arena_array(d->j->a, d->n + 1, sizeof(*fired)),
		    *idle = arena_array(d->j->a, d->n + 1, sizeof(*idle));
	size_t nfired = 0, nidle = 0;

	for (size_t i = 0; i < d->n; i++) {
		if (uuid_is_nil(d->starts[i].execution_id))
			idle[nidle++] = d->starts[i].trigger_id;
		else
			fired[nfired++] = d->starts[i].trigger_id;
	}
	if (triggers_note_fired(db, &d->j->account_id, fired, nfired, NULL, err) == -1)
		return -1;
	return triggers_note_fired(db, &d->j->account_id, idle, nidle, TRIGGER_NOT_PUBLISHED, err);
}

static int dispatch_body(struct db *db, void *arg, struct err *err)
{
	struct dispatching *d = arg;

	if (flow_start(d->j->app, db, d->j->a, d->starts, d->n, err) == -1 ||
	    dispatch_note(db, d, err) == -1)
		return -1;
	return job_finish(db, d->j, err);
}

/* A flow with two triggers that fit runs once. */
static bool dispatch_has_flow(const struct dispatching *d, const struct uuid *flow_id)
{
	for (size_t i = 0; i < d->n; i++)
		if (uuid_eq(d->starts[i].flow_id, *flow_id))
			return true;
	return false;
}

/* Those that were deleted since are gone. */
static int dispatch_collect(struct dispatching *d, const json_t *args, const struct uuid *record_id,
    json_t *payload, struct err *err)
{
	struct job *j = d->j;
	struct triggers found;
	struct uuid event_id = {{0}};

	(void)uuid_parse(str_from(json_str(args, "eventId")), &event_id);
	if (triggers_by_ids(j->app->db, j->a, &j->account_id, json_object_get(args, "triggers"),
		&found, err) == -1)
		return -1;
	d->starts = arena_array(j->a, found.n + 1, sizeof(*d->starts));
	for (size_t i = 0; i < found.n; i++) {
		const struct trigger *t = &found.v[i];

		if (dispatch_has_flow(d, &t->flow_id))
			continue;
		d->starts[d->n++] = (struct flow_start){.account_id = j->account_id,
		    .flow_id = t->flow_id,
		    .kind = t->kind,
		    .payload = payload,
		    .record_id = *record_id,
		    .event_id = event_id,
		    .trigger_id = t->id,
		    .class = j->class};
	}
	return 0;
}

int trigger_job_dispatch(struct job *j, struct err *err)
{
	json_t *args = json_parse_stored(j->a, j->args, err), *payload = NULL;
	struct dispatching d = {.j = j};
	struct uuid record_id;
	int found = args == NULL ? -1 : dispatch_find(j, args, &payload, &record_id, err);

	if (found == -1)
		return -1;
	if (found == 1 && dispatch_collect(&d, args, &record_id, payload, err) == -1)
		return -1;
	return job_transaction(j, dispatch_body, &d, err);
}

/* ---- replay ---------------------------------------------------------------------------------- */

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
	json_t *payload = dispatch_payload(p->a, p->d->record, "replayed", NULL);

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

	if (triggers_of_account(app->db, &d->account_id, &known, err) == -1)
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
