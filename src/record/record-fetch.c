/* The job record.fetch: the whole of a record that an event only named.
 *
 *	one job ──> its record ──> one call ──────────────────────────────> stored, the job done
 *	          ╲ of a type that is fetched in batches:
 *	           ╲ all that are due for the connection ──> a call for many ─> stored, all done
 *
 * Senders tell of a hundred changes in one request, and often of the same few things. Where the
 * manifest has a call for many, the jobs that were claimed together are one job's to do (fetch_load
 * leaves them to the first of them), and it claims all others that are due beside its own. Each id
 * is asked for once. What the answer has none of is gone at the provider. A call for many that is
 * refused may be so for the sake of one: it is halved until it is not.
 *
 * The job and those beside it end in the transaction that stores what came; what could not be had
 * now goes back to be tried again. Whoever dies on the way has stored nothing: the leases of all
 * end, and each is found again. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "connection/connection-call.h"
#include "net/http-client.h"
#include "record/record.h"

#define FETCH_BESIDE_MOST 200u
#define FETCH_AGAIN_US (30 * SECOND_US)

DB_STMT_ROWS(record_fetch_rows,
    "SELECT id, provider_type, resource_type, external_id FROM records WHERE account_id = ?"
    " AND id IN (",
    "?", ")");
enum { FETCH_ID, FETCH_PROVIDER_TYPE, FETCH_RESOURCE_TYPE, FETCH_EXTERNAL_ID };

/* A record, and the job that asked for it first. */
struct fetch_one {
	struct uuid id;
	struct record_item item;
	bool is_done;            /* stored or given up; else it is tried again */
	struct record_news news; /* what flows are told of it then */
};

struct record_fetching {
	struct job *job;
	const struct connection *c;
	struct job *beside; /* jobs that end with it */
	size_t nbeside;
	struct fetch_one *v;
	size_t n;
	bool is_known;     /* v holds all that are there; a job of none of them is done */
	int64_t pace_ms;   /* to wait before the next call */
	const char *error; /* why the rest waits; NULL: nothing does */
	int64_t again_us;
};

/* What fetch_load leaves with the first of several jobs; the others hold `fetch_taken`. */
struct fetch_group {
	struct job *beside;
	size_t n;
};
static char fetch_taken;

/* ---- claimed together --------------------------------------------------------------------- */

static bool fetch_is_in_batches(struct app *app, struct job *j)
{
	struct connection *c;
	struct err ignored = ERR_INIT;

	return connection_recent(app, j->a, &j->account_id, &j->target_id, &c, &ignored) == 1 &&
	       provider_batches_details(c->provider);
}

/* Of another's arena, which goes first: what is needed of it to end it. */
static struct job fetch_companion(const struct job *first, const struct job *other)
{
	struct job j = *first;

	j.id = other->id;
	j.subject_id = other->subject_id;
	j.args = (struct str){arena_strndup(first->a, other->args.p, other->args.n), other->args.n};
	j.attempts = other->attempts;
	j.loaded = NULL;
	return j;
}

int record_job_fetch_load(struct app *app, struct job *const *jobs, size_t n, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < n; i++) {
		struct fetch_group *g;

		if (jobs[i]->loaded != NULL || jobs[i]->is_probe ||
		    !fetch_is_in_batches(app, jobs[i]))
			continue;
		g = arena_zalloc(jobs[i]->a, sizeof(*g));
		g->beside = arena_array(jobs[i]->a, n, sizeof(*g->beside));
		for (size_t k = i + 1; k < n; k++) {
			if (jobs[k]->is_probe || jobs[k]->loaded != NULL ||
			    !uuid_eq(jobs[k]->target_id, jobs[i]->target_id))
				continue;
			g->beside[g->n++] = fetch_companion(jobs[i], jobs[k]);
			jobs[k]->loaded = &fetch_taken;
		}
		jobs[i]->loaded = g;
	}
	return 0;
}

/* Those that were claimed with it. */
static void fetch_take_group(struct record_fetching *f)
{
	const struct fetch_group *g = f->job->loaded;

	f->nbeside = g == NULL ? 0 : g->n;
	f->beside = arena_array(f->job->a, FETCH_BESIDE_MOST + f->nbeside, sizeof(*f->beside));
	for (size_t i = 0; i < f->nbeside; i++)
		f->beside[i] = g->beside[i];
}

/* All that are due beside them. */
static int fetch_gather(struct record_fetching *f, struct err *err)
{
	size_t more;

	if (f->job->is_probe || !provider_batches_details(f->c->provider))
		return 0;
	if (job_claim_beside(f->job, FETCH_BESIDE_MOST, 0, f->beside + f->nbeside, &more, err) ==
	    -1)
		return -1;
	f->nbeside += more;
	return 0;
}

/* ---- the records -------------------------------------------------------------------------- */

/* What the jobs are about, each record once. */
static size_t fetch_subjects(const struct record_fetching *f, struct db_val *ids)
{
	size_t n = 0;

	ids[n++] = db_uuid(&f->job->subject_id);
	for (size_t i = 0; i < f->nbeside; i++) {
		const struct uuid *id = &f->beside[i].subject_id;
		bool is_known = uuid_eq(*id, f->job->subject_id);

		for (size_t k = 0; k < i && !is_known; k++)
			is_known = uuid_eq(*id, f->beside[k].subject_id);
		if (!is_known)
			ids[n++] = db_uuid(id);
	}
	return n;
}

/* How came what asked for it: the arguments of a job say when it was no webhook. */
static const char *fetch_source_of(struct job *j)
{
	struct err ignored = ERR_INIT;
	const json_t *args = job_args(j, &ignored);
	const char *source = args == NULL ? NULL : json_str(args, "source");

	return source == NULL ? RECORD_SOURCE_WEBHOOK : source;
}

/* What came before, of all jobs that ask for the record. */
static void fetch_add_news(struct job *j, struct record_news *w)
{
	struct err ignored = ERR_INIT;
	const json_t *args = job_args(j, &ignored);
	const char *was = args == NULL ? NULL : json_str(args, "was");

	if (args == NULL)
		return;
	w->was_new = w->was_new || (was != NULL && strcmp(was, "created") == 0);
	w->was_change = w->was_change || was != NULL;
	w->is_old = w->is_old && json_bool(args, "isOld");
	if (json_str(args, "eventType") != NULL)
		w->event_type = str_from(json_str(args, "eventType"));
}

static struct record_news fetch_news(const struct record_fetching *f, const struct uuid *record_id)
{
	struct record_news w = {.connection_id = f->c->id, .is_old = true};

	if (uuid_eq(f->job->subject_id, *record_id))
		fetch_add_news(f->job, &w);
	for (size_t i = 0; i < f->nbeside; i++)
		if (uuid_eq(f->beside[i].subject_id, *record_id))
			fetch_add_news(&f->beside[i], &w);
	return w;
}

/* Of the first of the jobs that ask for the record. */
static const char *fetch_source(const struct record_fetching *f, const struct uuid *record_id)
{
	for (size_t i = 0; !uuid_eq(f->job->subject_id, *record_id) && i < f->nbeside; i++)
		if (uuid_eq(f->beside[i].subject_id, *record_id))
			return fetch_source_of(&f->beside[i]);
	return fetch_source_of(f->job);
}

static void fetch_add_record(struct record_fetching *f, const struct db_rows *rows, size_t row)
{
	const struct uuid id = db_get_uuid(rows, row, FETCH_ID);

	f->v[f->n++] = (struct fetch_one){.id = id,
	    .news = fetch_news(f, &id),
	    .item = {.account_id = f->job->account_id,
		.connection_id = f->c->id,
		.provider_type = db_get_str(rows, row, FETCH_PROVIDER_TYPE),
		.resource_type = db_get_str(rows, row, FETCH_RESOURCE_TYPE),
		.external_id = db_get_str(rows, row, FETCH_EXTERNAL_ID),
		.source = fetch_source(f, &id)}};
}

static int fetch_load_records(struct record_fetching *f, struct err *err)
{
	struct job *j = f->job;
	struct db_val *ids = arena_array(j->a, f->nbeside + 1, sizeof(*ids));
	size_t n = fetch_subjects(f, ids);
	struct db_rows rows;

	f->v = arena_array(j->a, n + 1, sizeof(*f->v));
	for (size_t from = 0; from < n; from += LIMIT_DB_BATCH) {
		size_t some = n - from < LIMIT_DB_BATCH ? n - from : LIMIT_DB_BATCH;

		if (db_query_rows(j->app->db, j->a, &record_fetch_rows,
			DB_VALS(db_uuid(&j->account_id)), ids + from, some, 1, &rows, err) == -1)
			return -1;
		for (size_t i = 0; i < rows.count; i++)
			fetch_add_record(f, &rows, i);
	}
	return 0;
}

/* ---- calls -------------------------------------------------------------------------------- */

/* Some records of one type that are asked for together. */
struct fetch_part {
	struct record_fetching *f;
	const char *type, *action;
	bool is_batch;
	struct fetch_one **v;
	size_t n;
};

static void fetch_keep(const struct fetch_part *p, struct fetch_one *one, const json_t *output)
{
	struct job *j = p->f->job;
	json_t *data = output == NULL ? NULL
				      : provider_details_record(p->f->c->provider, j->a, p->type,
					    output, &one->item.provider_updated_us);

	one->is_done = true;
	if (data != NULL)
		one->item.data = json_text(j->a, data);
	one->item.has_provider_time = one->item.provider_updated_us != TIME_NONE;
	one->item.at_us = clock_now_us();
}

/* Deleted at the provider, or never to be had. */
static void fetch_give_up(const struct fetch_part *p, const char *why)
{
	for (size_t i = 0; i < p->n; i++) {
		p->v[i]->is_done = true;
		log_warn("record.fetch", LOG_S("record", uuid_dup(p->f->job->a, p->v[i]->id)),
		    LOG_S("error", why));
	}
}

static const json_t *fetch_inputs(const struct fetch_part *p)
{
	json_t *inputs = json_own(p->f->job->a, json_object()), *ids = json_array();

	for (size_t i = 0; i < p->n; i++) {
		struct str id = p->v[i]->item.external_id;

		json_array_append_new(ids, json_stringn(id.p, id.n));
	}
	json_set(inputs, p->is_batch ? DETAILS_IDS : "id",
	    p->is_batch ? ids : json_incref(json_array_get(ids, 0)));
	if (!p->is_batch)
		json_decref(ids);
	return inputs;
}

static void fetch_take(const struct fetch_part *p, const json_t *output)
{
	struct arena *a = p->f->job->a;

	for (size_t i = 0; i < p->n; i++) {
		struct fetch_one *one = p->v[i];
		const json_t *own = !p->is_batch ? output
						 : provider_details_of(p->f->c->provider, a,
						       p->type, output, one->item.external_id);

		fetch_keep(p, one, own);
		if (own == NULL)
			log_info("record.fetch_none", LOG_S("record", uuid_dup(a, one->id)));
	}
}

static bool fetch_is_refused(enum call_class class)
{
	return class == CALL_FATAL || class == CALL_NOT_FOUND || class == CALL_CONFLICT;
}

/* 0 whatever came of it; what is to be tried again is said in the fetching. */
static int fetch_call(struct fetch_part p, struct err *err)
{
	struct record_fetching *f = p.f;
	struct job *j = f->job;
	struct connection_call call = {.app = j->app,
	    .a = j->a,
	    .c = f->c,
	    .action = p.action,
	    .inputs = fetch_inputs(&p),
	    .policy = CALL_POLICY_ONCE};
	struct fetch_part rest = p;

	if (f->pace_ms > 0)
		http_client_sleep(j->app->http, f->pace_ms);
	if (connection_call_attempt(&call, err) == -1)
		return -1;
	f->c = call.c;
	f->pace_ms = call.result.pace_ms;
	job_note_peer(j, connection_call_peer(&call), call.result.error);
	if (call.result.class == CALL_OK) {
		fetch_take(&p, call.result.output);
	} else if (fetch_is_refused(call.result.class) && p.n > 1) {
		p.n /= 2;
		rest.v += p.n;
		rest.n -= p.n;
		return fetch_call(p, err) == -1 ? -1 : fetch_call(rest, err);
	} else if (fetch_is_refused(call.result.class) || call.result.class == CALL_PERMISSION) {
		fetch_give_up(&p, call.result.error);
	} else {
		f->error = call.result.error;
		f->again_us = clock_now_us() + (call.result.retry_after_ms > 0
						       ? call.result.retry_after_ms * 1000
						       : FETCH_AGAIN_US);
	}
	return 0;
}

/* The next part: all of a type that are not done, as many as one call takes. */
static bool fetch_next_part(struct record_fetching *f, size_t *from, struct fetch_part *p)
{
	size_t max = 1;

	while (*from < f->n && f->v[*from].is_done)
		++*from;
	if (*from == f->n)
		return false;
	*p = (struct fetch_part){.f = f, .type = f->v[*from].item.resource_type.p};
	p->action = provider_details_batch(f->c->provider, p->type, &max);
	p->is_batch = p->action != NULL;
	if (!p->is_batch)
		p->action = provider_details_action(f->c->provider, p->type);
	p->v = arena_array(f->job->a, max + 1, sizeof(struct fetch_one *));
	for (size_t i = *from; i < f->n && p->n < (p->is_batch ? max : 1); i++)
		if (!f->v[i].is_done && str_is(f->v[i].item.resource_type, p->type))
			p->v[p->n++] = &f->v[i];
	return true;
}

static int fetch_all(struct record_fetching *f, struct err *err)
{
	struct fetch_part p;
	size_t from = 0;

	while (f->error == NULL && fetch_next_part(f, &from, &p)) {
		if (p.action == NULL)
			fetch_give_up(&p, "its provider has no call for the details of its type");
		else if (fetch_call(p, err) == -1)
			return -1;
	}
	return 0;
}

/* ---- storing ------------------------------------------------------------------------------ */

static bool fetch_is_done(const struct record_fetching *f, const struct job *j)
{
	if (!f->is_known)
		return false;
	for (size_t i = 0; i < f->n; i++)
		if (uuid_eq(f->v[i].id, j->subject_id))
			return f->v[i].is_done;
	return true;
}

static int fetch_end_beside(struct db *db, const struct record_fetching *f, struct err *err)
{
	struct job **done = arena_array(f->job->a, f->nbeside + 1, sizeof(*done));
	struct job **rest = arena_array(f->job->a, f->nbeside + 1, sizeof(*rest));
	size_t ndone = 0, nrest = 0;

	for (size_t i = 0; i < f->nbeside; i++) {
		struct job *j = &f->beside[i];

		if (fetch_is_done(f, j))
			done[ndone++] = j;
		else
			rest[nrest++] = j;
	}
	if (job_finish_beside(db, done, ndone, err) == -1)
		return -1;
	return job_return_beside(db, rest, nrest, f->again_us, f->error, err);
}

/* Flows that are subscribed: to what was stored, and to what is as it came first, since no more of
 * it can be had. */
static int fetch_tell(
    struct db *db, struct record_fetching *f, struct record_item *stored, struct err *err)
{
	struct job *j = f->job;
	struct record_news *news = arena_array(j->a, f->n + 1, sizeof(*news));
	size_t n = 0, at = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct fetch_one *one = &f->v[i];
		bool is_stored = one->item.data.p != NULL;

		if (!one->is_done)
			continue;
		if (!is_stored) {
			one->item.id = one->id;
			one->item.outcome = RECORD_UNCHANGED;
		}
		news[n] = one->news;
		news[n++].item = is_stored ? &stored[at++] : &one->item;
	}
	if (n == 0 || j->app->hooks.records_stored == NULL)
		return 0;
	return j->app->hooks.records_stored(db, j->a, news, n, err);
}

/* A provider that looked dead, or did not let us in, is so still: that was no try of this record's.
 */
static int fetch_store_body(struct db *db, void *arg, struct err *err)
{
	struct record_fetching *f = arg;
	struct job *j = f->job;
	struct record_item *items = arena_array(j->a, f->n + 1, sizeof(*items));
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].item.data.p != NULL)
			items[n++] = f->v[i].item;
	if ((n > 0 &&
		record_upsert_any(j->app, db, j->a, items, n, j->class == JOB_BULK, err) == -1) ||
	    fetch_tell(db, f, items, err) == -1 || fetch_end_beside(db, f, err) == -1)
		return -1;
	if (fetch_is_done(f, j))
		return job_finish(db, j, err);
	return job_found_target_ill(j) ? job_retry(db, j, clock_now_us(), false, err) : 0;
}

/* ---- the job ------------------------------------------------------------------------------ */

/* 1 with the connection, 0: it is gone. */
static int fetch_find_connection(struct record_fetching *f, struct err *err)
{
	struct job *j = f->job;
	const json_t *args = job_args(j, err);
	struct connection *c = NULL;
	struct uuid id;
	int found;

	if (args == NULL)
		return -1;
	if (!uuid_parse(str_from(json_str(args, "connectionId")), &id)) {
		j->is_hopeless = true;
		return err_set(err, ERR_INVALID, "its arguments name no connection");
	}
	found = connection_get(j->app, j->a, &j->account_id, &id, &c, err);
	f->c = c;
	return found;
}

static int fetch_work(struct record_fetching *f, struct err *err)
{
	int found = fetch_find_connection(f, err);

	if (found == -1)
		return -1;
	if (found == 1 && (fetch_gather(f, err) == -1 || fetch_load_records(f, err) == -1))
		return -1;
	f->is_known = true;
	return fetch_all(f, err);
}

int record_job_fetch(struct job *j, struct err *err)
{
	struct record_fetching f = {.job = j};
	struct err why = ERR_INIT;

	if (j->loaded == &fetch_taken) { /* another does it, and ends it */
		j->is_ended = true;
		return 0;
	}
	fetch_take_group(&f);
	if (fetch_work(&f, &why) == -1) {
		f.error = arena_strdup(j->a, why.msg);
		f.again_us = clock_now_us() + FETCH_AGAIN_US;
	}
	if (job_transaction(j, fetch_store_body, &f, err) == -1)
		return -1;
	return j->is_ended
		   ? 0
		   : err_set(err, why.code != ERR_NONE ? why.code : ERR_UNAVAILABLE, "%s", f.error);
}
