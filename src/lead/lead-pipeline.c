/* The job lead.process: what makes a lead of an id or a half-known one.
 *
 *	received ──(details, where it has none yet)──> normalize ──> one transaction ──> ready
 *	   ^   │ not to be had now                                    stored as ready
 *	   ├───┤   stage_error tells, tried again                     record mirrored
 *	   │   │ not permitted, or not shown when the schedule ends   handed over (hook lead_ready)
 *	   └───┼──> incomplete: asked for now and then, or by a replay
 *	       │ not to be had at all, or the job was given up
 *	       └──> failed ──its job is run again (lead-death.c)──> received
 *
 * The details are fetched outside any transaction, since a call may take long. All that follows
 * from them is in one, with the job's end in it: a lead that is ready has its record and its
 * pushes, or it is not ready. Leads of an account that come to this point together are stored
 * together (job_transaction_many), each statement for all of them.
 *
 * Between storing and handing over stands the account's rule of duplicates (lead-duplicate.h): what
 * it holds back is handed over by such a job later, if a person says that it is none.
 *
 * The job may run twice. lead_lock tells whether this run is the first to make the lead ready; only
 * the first one mirrors and hands over. A lead that was ready before and has been sent again with
 * other data (lead-correct.c) has such a job, too: its destinations are told (hook lead_corrected).
 *
 * What a lead is when it becomes ready is what its record says: newer news may have come there
 * while the details were fetched.
 *
 * A wait is a row (job_retry), not a sleep. While a provider is known to be dead, or not to let us
 * in, its jobs wait in their lane, and a probe that finds it so still does not count as a try of
 * this lead. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "connection/connection-call.h"
#include "lead/lead-duplicate.h"
#include "record/record.h"

struct lead_processing {
	struct job *job;
	struct lead_row row;
	const struct connection *connection; /* NULL: the lead came without one, or it is gone */
	const json_t *details;               /* NULL when none were needed */
	struct str record_data;              /* JSON of its record; {NULL,0}: it was ready */
	struct str record_unsaid;            /* of it */
	int64_t record_told_us;              /* by the provider's clock, or TIME_NONE */
};

/* ---- details ----------------------------------------------------------------------------- */

/* What goes on record of details that could not be had: final, or tried again at a time. */
struct details_problem {
	struct lead_processing *p;
	const char *error, *stage;
	bool is_final, is_counted;
	int64_t again_us; /* 0: by the job's own back-off, or never */
};

static int details_problem_body(struct db *db, void *arg, struct err *err)
{
	const struct details_problem *w = arg;
	struct job *j = w->p->job;
	int is_changed = 0;

	if (w->p->connection != NULL)
		is_changed = connection_was_changed(j->app, j->a, w->p->connection, err);
	if (is_changed == -1)
		return -1;
	if (is_changed) { /* the next try, at once, is with what it is now */
		job_note_peer(j, JOB_PEER_UNKNOWN, NULL);
		return job_retry(db, j, clock_now_us(), false, err);
	}
	if (lead_store_problem(db, j->a, &w->p->row, w->stage, w->error, err) == -1)
		return -1;
	if (w->again_us != 0)
		return job_retry(db, j, w->again_us, w->is_counted, err);
	return w->is_final ? job_finish(db, j, err) : 0;
}

/* The provider has none of it, or will not take the question. */
static bool details_are_out_of_reach(enum call_class class)
{
	return class == CALL_FATAL || class == CALL_NOT_FOUND || class == CALL_CONFLICT;
}

/* 1 it goes on without them; 0 when the job has ended or waits; -1 to be tried again by the job's
 * back-off. What is not permitted may be once somebody has changed that, as what is not shown
 * yet. */
static int details_note_problem(
    struct lead_processing *p, const struct connection_call *call, struct err *err)
{
	bool is_ill = job_found_target_ill(p->job);
	struct details_problem w = {.p = p,
	    .error = call->result.error,
	    .is_final = details_are_out_of_reach(call->result.class),
	    .is_counted = !is_ill};
	bool may_be_seen_yet =
	    call->result.class == CALL_NOT_YET || call->result.class == CALL_PERMISSION;

	if (is_ill)
		w.again_us = clock_now_us();
	else if (call->again_ms >= 0)
		w.again_us = clock_now_us() + call->again_ms * 1000;
	w.stage = w.is_final                           ? LEAD_FAILED
		  : w.again_us == 0 && may_be_seen_yet ? LEAD_INCOMPLETE
						       : LEAD_RECEIVED;
	log_warn("lead.details", LOG_S("lead", uuid_dup(p->job->a, p->row.id)),
	    LOG_S("provider", p->row.provider_type), LOG_S("error", w.error),
	    LOG_B("final", w.is_final));
	if (w.again_us == 0 && json_object_size(p->row.lead) > 0)
		return 1; /* people have said what it is, and the provider will not */
	if (job_transaction(p->job, details_problem_body, &w, err) == -1)
		return -1;
	return p->job->is_ended ? 0 : err_set(err, ERR_UNAVAILABLE, "%s", w.error);
}

/* 1 with the details in row.lead, or without what is not to be had; else as
 * details_note_problem. */
static int details_fetch(struct lead_processing *p, struct err *err)
{
	struct arena *a = p->job->a;
	const struct provider *provider = p->connection->provider;
	json_t *inputs = json_own(a, json_object());
	struct connection_call call = {.app = p->job->app,
	    .a = a,
	    .c = p->connection,
	    .action = provider_details_action(provider, "lead"),
	    .inputs = inputs,
	    .policy = call_policy(p->job->app->config),
	    .attempt = p->job->tries};

	json_set_str(inputs, "id", p->row.provider_lead_id);
	if (connection_call_attempt(&call, err) == -1)
		return -1;
	p->connection = call.c;
	job_note_peer(p->job, connection_call_peer(&call), call.result.error);
	if (call.result.class != CALL_OK)
		return details_note_problem(p, &call, err);
	p->details = lead_cut_details(a, call.result.output);
	p->row.fetched_us = clock_now_us();
	p->row.lead = provider_lead_fields(provider, a, p->details, err);
	return p->row.lead == NULL ? -1 : 1;
}

/* What it has before it is ready came with it, or was said of it later, by people. */
static bool lead_needs_details(const struct lead_processing *p)
{
	return p->connection != NULL && p->row.fetched_us == 0 &&
	       (json_object_size(p->row.lead) == 0 || p->row.revision > 1) &&
	       provider_details_action(p->connection->provider, "lead") != NULL;
}

/* ---- storing ----------------------------------------------------------------------------- */

/* The record's share: the provider's own details with the normalized fields beside them. */
static void lead_make_record(struct lead_processing *p, const json_t *given)
{
	struct arena *a = p->job->a;
	json_t *data = NULL;

	p->record_told_us = TIME_NONE;
	if (p->details != NULL)
		data = provider_details_record(
		    p->connection->provider, a, "lead", p->details, &p->record_told_us);
	p->record_data =
	    json_text(a, lead_record_data(a, data, given, p->row.lead, &p->record_unsaid));
}

/* What a transaction does: some leads become ready, some that were held back are let go, others
 * were ready and have another form. */
struct leads_chosen {
	struct lead_processing *first[LIMIT_DB_BATCH], *released[LIMIT_DB_BATCH],
	    *again[LIMIT_DB_BATCH];
	size_t nfirst, nreleased, nagain;
};

/* By their rows as they are now, locked. The job of one that is ready, and as it was made, was
 * repeated after its transaction had gone through. */
static int leads_choose(struct db *db, struct arena *a, void *const *args, size_t n,
    struct leads_chosen *out, struct err *err)
{
	const struct lead_row *rows[LIMIT_DB_BATCH];
	struct lead_state now[LIMIT_DB_BATCH];

	out->nfirst = out->nreleased = out->nagain = 0;
	for (size_t i = 0; i < n; i++)
		rows[i] = &((struct lead_processing *)args[i])->row;
	if (lead_lock(db, a, rows, n, now, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct lead_processing *p = args[i];

		p->row.revision = now[i].revision;
		if (now[i].now == LEAD_UNREADY && p->record_data.p != NULL)
			out->first[out->nfirst++] = p;
		else if (now[i].now == LEAD_READY_NOW && now[i].is_released)
			out->released[out->nreleased++] = p;
		else if (now[i].now == LEAD_READY_NOW && now[i].revision > 1)
			out->again[out->nagain++] = p;
	}
	return 0;
}

static const char *lead_record_source(const struct lead_row *row)
{
	if (row->source == NULL || strcmp(row->source, LEAD_SOURCE_MANUAL) == 0)
		return lead_source(&row->event_id, &row->connection_id);
	return row->source;
}

static int leads_mirror(
    struct db *db, struct arena *a, struct lead_processing *const *ps, size_t n, struct err *err)
{
	struct record_item *items = arena_array(a, n, sizeof(*items));

	for (size_t i = 0; i < n; i++) {
		const struct lead_row *row = &ps[i]->row;

		items[i] = (struct record_item){.account_id = row->account_id,
		    .provider_type = str_from(row->provider_type),
		    .resource_type = STR("lead"),
		    .external_id = str_from(row->provider_lead_id),
		    .source = lead_record_source(row),
		    .event_id = row->event_id,
		    .connection_id = row->connection_id,
		    .data = ps[i]->record_data,
		    .unsaid = ps[i]->record_unsaid,
		    .provider_updated_us = ps[i]->record_told_us,
		    .has_provider_time = ps[i]->record_told_us != TIME_NONE,
		    /* what came with the payload is in the record, or newer news of it */
		    .is_fill = ps[i]->details == NULL,
		    .index_later = true,
		    .at_us = clock_now_us()};
	}
	if (record_upsert(db, a, items, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct lead_row *row = &ps[i]->row;

		row->record_id = items[i].id; /* another, where the first was deleted meanwhile */
		if (items[i].merged != NULL)
			row->lead = lead_of_record(ps[i]->job->a, items[i].merged, row->lead);
	}
	return 0;
}

static bool lead_is_imported(const struct lead_row *row)
{
	return row->source != NULL && strcmp(row->source, RECORD_SOURCE_IMPORT) == 0;
}

static int leads_hand_over(
    struct arena *a, struct lead_processing *const *ps, size_t n, bool is_again, struct err *err)
{
	struct lead_ready *ready = arena_array(a, n, sizeof(*ready));
	struct job *first = ps[0]->job;

	for (size_t i = 0; i < n; i++)
		ready[i] = (struct lead_ready){.account_id = ps[i]->row.account_id,
		    .lead_id = ps[i]->row.id,
		    .connection_id = ps[i]->row.connection_id,
		    .provider_type = ps[i]->row.provider_type,
		    .lead = ps[i]->row.lead,
		    .revision = ps[i]->row.revision,
		    .is_imported = lead_is_imported(&ps[i]->row) ||
				   (is_again && ps[i]->job->class == JOB_BULK)};
	const struct hooks *hooks = &first->app->hooks;
	lead_ready_fn *const *told = is_again ? hooks->lead_corrected : hooks->lead_ready;

	for (; told != NULL && *told != NULL; told++)
		if ((*told)(first, ready, n, err) == -1)
			return -1;
	for (size_t i = 0; i < n; i++)
		ps[i]->row.sync_status = ready[i].sync_status;
	return 0;
}

/* But those that are held back as duplicates. */
static int leads_hand_over_firsts(
    struct arena *a, struct lead_processing *const *ps, size_t n, struct err *err)
{
	struct lead_processing *firsts[LIMIT_DB_BATCH];
	size_t nfirsts = 0;

	for (size_t i = 0; i < n; i++) {
		ps[i]->row.sync_status = LEAD_SYNC_DUPLICATE;
		if (!ps[i]->row.is_held)
			firsts[nfirsts++] = ps[i];
	}
	return nfirsts == 0 ? 0 : leads_hand_over(a, firsts, nfirsts, false, err);
}

static int leads_make_ready(
    struct db *db, struct arena *a, struct lead_processing *const *ps, size_t n, struct err *err)
{
	struct lead_row *rows[LIMIT_DB_BATCH];

	if (n == 0)
		return 0;
	if (leads_mirror(db, a, ps, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		rows[i] = &ps[i]->row;
	if (lead_find_duplicates(ps[0]->job->app, a, rows, n, err) == -1 ||
	    leads_hand_over_firsts(a, ps, n, err) == -1)
		return -1;
	return lead_store_ready(db, a, (const struct lead_row *const *)rows, n, err);
}

/* Those that a person has said to be no duplicates: they go on as if they had been none. */
static int leads_release(
    struct db *db, struct arena *a, struct lead_processing *const *ps, size_t n, struct err *err)
{
	struct lead_sync sync[LIMIT_DB_BATCH];

	if (n == 0)
		return 0;
	if (leads_hand_over(a, ps, n, false, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		sync[i] = (struct lead_sync){ps[i]->row.id,
		    ps[i]->row.sync_status != NULL ? ps[i]->row.sync_status : LEAD_SYNC_NONE};
	return lead_set_sync_statuses(db, &ps[0]->row.account_id, sync, n, err);
}

static int leads_store_body(struct db *db, void *const *args, size_t n, struct err *err)
{
	struct leads_chosen chosen;
	struct job *jobs[LIMIT_DB_BATCH];
	struct arena *a = arena_new();
	int rc = leads_choose(db, a, args, n, &chosen, err);

	for (size_t i = 0; i < n; i++)
		jobs[i] = ((struct lead_processing *)args[i])->job;
	if (rc == 0)
		rc = leads_make_ready(db, a, chosen.first, chosen.nfirst, err);
	if (rc == 0)
		rc = leads_release(db, a, chosen.released, chosen.nreleased, err);
	if (rc == 0 && chosen.nagain > 0)
		rc = leads_hand_over(a, chosen.again, chosen.nagain, true, err);
	if (rc == 0)
		rc = job_finish_many(db, jobs, n, err);
	arena_free(a);
	return rc;
}

/* ---- the job ----------------------------------------------------------------------------- */

static int lead_find(struct job *j, struct lead_row *out, struct err *err)
{
	if (j->loaded == NULL)
		return lead_load(j->app->db, j->a, &j->account_id, &j->subject_id, out, err);
	*out = *(const struct lead_row *)j->loaded;
	return 1;
}

/* What cannot be stored now never can: the lead says why, instead of being tried for days. */
static int lead_store(struct lead_processing *p, struct err *err)
{
	struct details_problem w = {.p = p, .stage = LEAD_FAILED, .is_final = true};

	if (job_transaction_many(p->job, leads_store_body, p, err) == 0)
		return 0;
	if (err->code != ERR_LIMIT && err->code != ERR_UNREADABLE)
		return -1;
	w.error = arena_strdup(p->job->a, err->msg);
	err_clear(err);
	return job_transaction(p->job, details_problem_body, &w, err);
}

int lead_job_process(struct job *j, struct err *err)
{
	struct lead_processing p = {.job = j};
	struct connection *from = NULL;
	int found = lead_find(j, &p.row, err);

	if (found != 1)
		return found;
	if (strcmp(p.row.stage, LEAD_READY) == 0)
		return p.row.revision == 1 && !p.row.is_held
			   ? 0
			   : job_transaction_many(j, leads_store_body, &p, err);
	if (!uuid_is_nil(p.row.connection_id) &&
	    connection_recent(j->app, j->a, &j->account_id, &p.row.connection_id, &from, err) == -1)
		return -1;
	p.connection = from;
	if (lead_needs_details(&p)) {
		int rc = details_fetch(&p, err);

		if (rc != 1)
			return rc;
	}
	/* what came with the payload was normalized then */
	const json_t *given =
	    p.details == NULL ? p.row.lead : json_own(j->a, json_copy(p.row.lead));
	lead_normalize(
	    j->a, p.row.lead, access_setting(connection_access(p.connection), "defaultCountry"));
	lead_make_record(&p, given);
	return lead_store(&p, err);
}
