/* The job lead.process: what makes a lead of an id or a half-known one.
 *
 *	received ──(details, where it has none yet)──> normalize ──> one transaction ──> ready
 *	   ^   │ not to be had now                                    stored as ready
 *	   └───┤   stage_error tells, tried again                     record mirrored
 *	       │ not to be had at all                                 handed over (hook lead_ready)
 *	       └──> failed ──a replay of its event queues the job again──> as from received
 *
 * The details are fetched outside any transaction, since a call may take long. All that follows
 * from them is in one, with the job's end in it: a lead that is ready has its record and its
 * pushes, or it is not ready.
 *
 * The job may run twice. lead_store_ready tells whether this run was the first to make the lead
 * ready; only the first one mirrors and hands over.
 *
 * A wait is a row (job_retry), not a sleep. While a provider is known to be dead its jobs wait in
 * their lane, and a probe that finds it still dead does not count as a try of this lead. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "connection/connection-call.h"
#include "lead/lead-internal.h"
#include "record/record.h"

struct lead_processing {
	struct job *job;
	struct lead_row row;
	struct connection *connection; /* NULL when the lead came without one, or it is gone */
	const json_t *details;         /* NULL when none were needed */
};

/* ---- details ----------------------------------------------------------------------------- */

/* What goes on record of details that could not be had: final, or tried again at a time. */
struct details_problem {
	struct lead_processing *p;
	const char *error;
	bool is_final, is_counted;
	int64_t again_us; /* 0: by the job's own back-off, or never */
};

static int details_problem_body(struct db *db, void *arg, struct err *err)
{
	const struct details_problem *w = arg;
	struct job *j = w->p->job;

	if (lead_store_problem(db, j->a, &w->p->row, w->is_final, w->error, err) == -1)
		return -1;
	if (w->again_us != 0)
		return job_retry(db, j, w->again_us, w->is_counted, err);
	return w->is_final ? job_finish(db, j, err) : 0;
}

/* 0 when the job has ended or waits; -1 to be tried again by the job's back-off. */
static int details_note_problem(
    struct lead_processing *p, const struct connection_call *call, struct err *err)
{
	enum job_peer peer = connection_call_peer(call);
	bool is_known_dead = p->job->is_probe && peer == JOB_PEER_DEAD;
	struct details_problem w = {.p = p,
	    .error = call->result.error,
	    .is_final = call->result.class == CALL_FATAL,
	    .is_counted = !is_known_dead};

	if (is_known_dead)
		w.again_us = clock_now_us();
	else if (call->again_ms >= 0)
		w.again_us = clock_now_us() + call->again_ms * 1000;
	log_warn("lead.details", LOG_S("lead", uuid_dup(p->job->a, p->row.id)),
	    LOG_S("provider", p->row.provider_type), LOG_S("error", w.error),
	    LOG_B("final", w.is_final));
	if (job_transaction(p->job, details_problem_body, &w, err) == -1)
		return -1;
	return p->job->is_ended ? 0 : err_set(err, ERR_UNAVAILABLE, "%s", w.error);
}

/* 1 with the normalized lead in row.lead; else as details_note_problem. */
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
	job_note_peer(p->job, connection_call_peer(&call), call.result.error);
	if (call.result.class != CALL_OK)
		return details_note_problem(p, &call, err);
	p->details = call.result.output;
	p->row.lead = provider_lead_fields(provider, a, p->details, err);
	return p->row.lead == NULL ? -1 : 1;
}

static bool lead_needs_details(const struct lead_processing *p)
{
	return p->connection != NULL && json_object_size(p->row.lead) == 0 &&
	       provider_details_action(p->connection->provider, "lead") != NULL;
}

/* ---- storing ----------------------------------------------------------------------------- */

/* The record's share: the provider's own details with the normalized fields beside them. */
static int lead_mirror(struct db *db, struct lead_processing *p, struct err *err)
{
	struct arena *a = p->job->a;
	json_t *data = json_own(a, json_object());
	int64_t provider_updated_us = 0;
	struct record_item item = {.account_id = p->row.account_id,
	    .provider_type = str_from(p->row.provider_type),
	    .resource_type = STR("lead"),
	    .external_id = str_from(p->row.provider_lead_id),
	    .source = RECORD_SOURCE_WEBHOOK,
	    .event_id = p->row.event_id,
	    .at_us = clock_now_us()};

	if (p->details != NULL)
		json_object_update(data, provider_details_record(p->connection->provider, a, "lead",
					     p->details, &provider_updated_us));
	json_object_update(data, (json_t *)(uintptr_t)p->row.lead);
	item.data = json_text(a, data);
	return record_upsert(db, a, &item, 1, err);
}

static int lead_hand_over(struct lead_processing *p, struct err *err)
{
	struct lead_ready ready = {.account_id = p->row.account_id,
	    .lead_id = p->row.id,
	    .provider_type = p->row.provider_type,
	    .lead = p->row.lead};

	for (lead_ready_fn *const *told = p->job->app->hooks.lead_ready;
	     told != NULL && *told != NULL; told++)
		if ((*told)(p->job, &ready, err) == -1)
			return -1;
	return 0;
}

static int lead_store_body(struct db *db, void *arg, struct err *err)
{
	struct lead_processing *p = arg;
	int is_first = lead_store_ready(db, p->job->a, &p->row, err);

	if (is_first == -1)
		return -1;
	/* Not the first: a repeat of this job after its transaction had gone through. */
	if (is_first == 1 && (lead_mirror(db, p, err) == -1 || lead_hand_over(p, err) == -1))
		return -1;
	return job_finish(db, p->job, err);
}

int lead_job_process(struct job *j, struct err *err)
{
	struct lead_processing p = {.job = j};
	int found = lead_load(j->app->db, j->a, &j->account_id, &j->subject_id, &p.row, err);

	if (found != 1 || strcmp(p.row.stage, LEAD_READY) == 0)
		return found == -1 ? -1 : 0;
	if (!uuid_is_nil(p.row.connection_id) &&
	    connection_get(
		j->app, j->a, &j->account_id, &p.row.connection_id, &p.connection, err) == -1)
		return -1;
	if (lead_needs_details(&p)) {
		int rc = details_fetch(&p, err);

		if (rc != 1)
			return rc;
	}
	lead_normalize(
	    j->a, p.row.lead, access_setting(connection_access(p.connection), "defaultCountry"));
	return job_transaction(j, lead_store_body, &p, err);
}
