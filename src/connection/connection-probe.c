#include "connection/connection-probe.h"

#include "base/clock.h"
#include "base/log.h"
#include "connection/connection-call.h"
#include "connection/connection-internal.h"
#include "connection/connection-prove.h"
#include "provider/manifest.h"

#define EVERY_US DAY_US
#define AT_ONCE 64

/* Over all accounts: periodic work serves them together. */
DB_STMT(connections_unprobed,
    "SELECT id, account_id, provider_type FROM connections"
    " WHERE status <> '" CONNECTION_DISABLED "' AND COALESCE(probed_at, created_at) < ?"
    " ORDER BY id LIMIT 64");
DB_STMT(
    connection_set_probed, "UPDATE connections SET probed_at = ? WHERE id = ? AND account_id = ?");

struct probing {
	struct app *app;
	const struct db_rows *rows;
};

static int probes_queue_body(struct db *db, void *arg, struct err *err)
{
	struct probing *q = arg;
	int64_t now_us = clock_now_us();

	for (size_t i = 0; i < q->rows->count; i++) {
		struct uuid id = db_get_uuid(q->rows, i, 0), account = db_get_uuid(q->rows, i, 1);
		const struct provider *p =
		    provider_find(q->app->providers, db_get_str(q->rows, i, 2));
		struct job job = {.account_id = account,
		    .class = JOB_LIVE,
		    .target_id = id,
		    .kind = "connection.probe",
		    .subject_id = id};

		if (db_exec(db, &connection_set_probed,
			DB_VALS(db_int(now_us), db_uuid(&id), db_uuid(&account)), NULL, err) == -1)
			return -1;
		if (p != NULL && p->test_action != NULL && job_insert(db, &job, 1, err) == -1)
			return -1;
	}
	return 0;
}

int connection_probes(struct app *app, struct err *err)
{
	struct arena *a = arena_new();
	struct db_rows rows;
	struct probing q = {app, &rows};
	int rc = db_query(app->db, a, &connections_unprobed,
	    DB_VALS(db_int(clock_now_us() - EVERY_US)), &rows, err);

	if (rc == 0 && rows.count > 0)
		rc = db_transaction(app->db, probes_queue_body, &q, err);
	if (rc == 0 && rows.count == AT_ONCE)
		rc = 1;
	arena_free(a);
	return rc;
}

static int probe_tell(struct job *j, struct connection *c, struct err *err)
{
	connection_probed_fn *const *hook = j->app->hooks.connection_probed;

	for (; hook != NULL && *hook != NULL; hook++)
		if ((*hook)(j, c, err) == -1)
			return -1;
	return 0;
}

int connection_job_probe(struct job *j, struct err *err)
{
	struct connection *c;
	struct connection_call call = {.app = j->app, .a = j->a, .policy = CALL_POLICY_ONCE};
	int found = connection_get(j->app, j->a, &j->account_id, &j->subject_id, &c, err);

	if (found != 1)
		return found;
	if (strcmp(c->status, CONNECTION_DISABLED) == 0)
		return 0;
	if (connection_untestable(j->a, c) == NULL) {
		call.c = c;
		call.action = c->provider->test_action;
		if (connection_call_attempt(&call, err) == -1)
			return -1;
		job_note_peer(j, connection_call_peer(&call), call.result.error);
		if (call.result.class != CALL_OK) {
			log_info("connection.probe", LOG_S("connection", uuid_dup(j->a, c->id)),
			    LOG_S("error", call.result.error));
			return 0; /* the row says so; tomorrow is another day */
		}
		connection_prove(j->app, j->a, call.c, call.action, call.result.output);
	}
	return probe_tell(j, c, err);
}
