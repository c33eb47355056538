/* The job record.fetch. */
#include "base/clock.h"
#include "base/log.h"
#include "connection/connection-call.h"
#include "record/record.h"

DB_STMT(record_fetch_row, "SELECT provider_type, resource_type, external_id FROM records WHERE "
			  "account_id = ? AND id = ?");
enum { FETCH_PROVIDER_TYPE, FETCH_RESOURCE_TYPE, FETCH_EXTERNAL_ID };

struct record_fetching {
	struct job *job;
	struct record_item item;
};

static int fetch_store_body(struct db *db, void *arg, struct err *err)
{
	struct record_fetching *f = arg;

	if (f->item.data.p != NULL && record_upsert(db, f->job->a, &f->item, 1, err) == -1)
		return -1;
	return job_finish(db, f->job, err);
}

/* 1 with the connection and the record's name; 0 when either is gone. */
static int fetch_load(struct record_fetching *f, struct connection **c, struct err *err)
{
	struct job *j = f->job;
	const json_t *args = job_args(j, err);
	struct uuid id;
	struct db_rows rows;
	int found;

	if (args == NULL)
		return -1;
	if (!uuid_parse(str_from(json_str(args, "connectionId")), &id)) {
		j->is_hopeless = true;
		return err_set(err, ERR_INVALID, "its arguments name no connection");
	}
	found = connection_get(j->app, j->a, &j->account_id, &id, c, err);
	if (found == 1)
		found = db_row(j->app->db, j->a, &record_fetch_row,
		    DB_VALS(db_uuid(&j->account_id), db_uuid(&j->subject_id)), &rows, err);
	if (found != 1)
		return found;
	f->item = (struct record_item){.account_id = j->account_id,
	    .provider_type = db_get_str(&rows, 0, FETCH_PROVIDER_TYPE),
	    .resource_type = db_get_str(&rows, 0, FETCH_RESOURCE_TYPE),
	    .external_id = db_get_str(&rows, 0, FETCH_EXTERNAL_ID),
	    .source = RECORD_SOURCE_WEBHOOK};
	return 1;
}

/* A provider that looked dead, or did not let us in, is so still: that was no try of this record's.
 */
static int fetch_wait_body(struct db *db, void *arg, struct err *err)
{
	const struct record_fetching *f = arg;

	return job_retry(db, f->job, clock_now_us(), false, err);
}

/* 0 done or pointless, or it waits and is_ended; -1 try later. */
static int fetch_details(struct record_fetching *f, struct connection *c, struct err *err)
{
	struct job *j = f->job;
	const char *type = f->item.resource_type.p;
	const char *action = provider_details_action(c->provider, type);
	struct connection_call call = {
	    .app = j->app, .a = j->a, .c = c, .action = action, .policy = CALL_POLICY_ONCE};
	json_t *inputs = json_own(j->a, json_object()), *data;

	if (action == NULL)
		return 0;
	json_set_strn(inputs, "id", f->item.external_id);
	call.inputs = inputs;
	if (connection_call_attempt(&call, err) == -1)
		return -1;
	job_note_peer(j, connection_call_peer(&call), call.result.error);
	if (call.result.class == CALL_FATAL) { /* deleted at the provider, or never to be had */
		log_warn("record.fetch", LOG_S("record", uuid_dup(j->a, j->subject_id)),
		    LOG_S("error", call.result.error));
		return 0;
	}
	if (job_found_target_ill(j))
		return job_transaction(j, fetch_wait_body, f, err);
	if (call.result.class != CALL_OK)
		return err_set(err, ERR_UNAVAILABLE, "%s", call.result.error);
	data = provider_details_record(
	    c->provider, j->a, type, call.result.output, &f->item.provider_updated_us);
	if (data != NULL)
		f->item.data = json_text(j->a, data);
	f->item.has_provider_time = f->item.provider_updated_us != TIME_NONE;
	f->item.at_us = clock_now_us();
	return 0;
}

int record_job_fetch(struct job *j, struct err *err)
{
	struct record_fetching f = {.job = j};
	struct connection *c;
	int found = fetch_load(&f, &c, err);

	if (found != 1)
		return found;
	if (fetch_details(&f, c, err) == -1)
		return -1;
	if (j->is_ended)
		return 0;
	return job_transaction(j, fetch_store_body, &f, err);
}
