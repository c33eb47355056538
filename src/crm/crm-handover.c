/* How leads come to be pushed: when they are ready or corrected, and when a person asks. */
#include "account/audit.h"
#include "base/clock.h"
#include "crm/crm-internal.h"

/* Those whose source's leads are pushed by themselves, into sync with their places in `of`. -1, or
 * how many. */
static int leads_to_push(struct delivery_queueing *q, const struct lead_ready *leads, size_t n,
    struct lead_sync *sync, size_t *of, struct err *err)
{
	int to_push = 0;

	for (size_t i = 0; i < n; i++) {
		const struct uuid *from = &leads[i].connection_id;
		struct connection *c = NULL;

		if (!uuid_is_nil(*from) &&
		    connection_recent(q->app, q->a, &q->account_id, from, &c, err) == -1)
			return -1;
		if (c != NULL && !c->auto_push)
			continue;
		sync[to_push].lead_id = leads[i].lead_id;
		of[to_push++] = i;
	}
	return to_push;
}

int crm_on_lead_ready(struct job *j, struct lead_ready *leads, size_t n, struct err *err)
{
	struct delivery_queueing q = {.app = j->app,
	    .a = arena_new(),
	    .parent = j,
	    .how = j->class == JOB_BULK ? PUSH_BULK : PUSH_LIVE,
	    .is_automatic = true,
	    .account_id = j->account_id};
	struct lead_sync *sync = arena_array(q.a, n, sizeof(*sync));
	size_t *of = arena_array(q.a, n, sizeof(*of));
	int to_push = leads_to_push(&q, leads, n, sync, of, err), rc = to_push;

	if (to_push > 0)
		rc = deliveries_queue(&q, sync, (size_t)to_push, err);
	for (int i = 0; i < to_push; i++)
		leads[of[i]].sync_status = sync[i].status;
	arena_free(q.a);
	return rc == -1 ? -1 : 0;
}

int crm_lead_corrected(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, int revision, struct err *err)
{
	struct delivery_queueing q = {
	    .app = app, .a = a, .how = PUSH_LIVE, .account_id = *account_id};

	return deliveries_correct(&q, lead_id, &revision, 1, err);
}

int crm_on_lead_corrected(struct job *j, struct lead_ready *leads, size_t n, struct err *err)
{
	struct delivery_queueing q = {.app = j->app,
	    .a = arena_new(),
	    .how = j->class == JOB_BULK ? PUSH_BULK : PUSH_LIVE,
	    .account_id = j->account_id};
	struct uuid *ids = arena_array(q.a, n, sizeof(*ids));
	int *revisions = arena_array(q.a, n, sizeof(*revisions)), rc;

	for (size_t i = 0; i < n; i++) {
		ids[i] = leads[i].lead_id;
		revisions[i] = leads[i].revision;
	}
	rc = deliveries_correct(&q, ids, revisions, n, err);
	arena_free(q.a);
	return rc;
}

DB_STMT(lead_of_record, "SELECT l.id FROM records r JOIN leads l ON l.account_id = r.account_id"
			" AND l.provider_type = r.provider_type"
			" AND l.provider_lead_id = r.external_id"
			" WHERE r.account_id = ? AND r.id = ?");

int crm_lead_of_record(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, struct uuid *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(app->db, a, &lead_of_record,
	    DB_VALS(db_uuid(account_id), db_uuid(record_id)), &rows, err);

	if (found == 1)
		*out = db_get_uuid(&rows, 0, 0);
	return found;
}

int crm_push_lead(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, const struct uuid *to, size_t n, size_t *queued, struct err *err)
{
	json_t *lead;
	int found = lead_get_json(app, a, account_id, lead_id, &lead, err);

	*queued = 0;
	if (found != 1)
		return found;
	if (strcmp(json_str(lead, "stage"), LEAD_READY) != 0)
		return err_set(err, ERR_CONFLICT,
		    "The lead's details have not been fetched yet, so there is nothing to push");
	for (size_t i = 0; i < n || (n == 0 && i == 0); i++) {
		struct delivery_queueing q = {.app = app,
		    .a = a,
		    .how = PUSH_LIVE,
		    .account_id = *account_id,
		    .only = n == 0 ? NULL : &to[i]};

		if (deliveries_queue_stored(&q, lead_id, 1, err) == -1)
			return -1;
		*queued += q.queued;
	}
	return 1;
}

struct push_queueing {
	struct req *r;
	const struct uuid *lead_id, *task_id;
	size_t n;
};

static int push_queue_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct push_queueing *q = arg;
	struct req *r = q->r;

	struct delivery_queueing to = {.app = r->app,
	    .a = r->a,
	    .how = PUSH_BY_HAND,
	    .account_id = r->actor.account_id,
	    .task = q->task_id};

	(void)db;
	if (deliveries_queue_stored(&to, q->lead_id, 1, err) == -1)
		return -1;
	q->n = to.queued;
	if (q->n == 0)
		return 1;
	audit_fact(log, "lead.push", "lead", q->lead_id, NULL);
	return 0;
}

int crm_queue_lead(struct req *r, const struct uuid *lead_id, const struct uuid *task_id, size_t *n,
    struct err *err)
{
	struct push_queueing q = {r, lead_id, task_id, 0};
	json_t *lead;
	int found = lead_get_json(r->app, r->a, &r->actor.account_id, lead_id, &lead, err);

	if (found != 1)
		return found;
	if (strcmp(json_str(lead, "stage"), LEAD_READY) != 0)
		return err_set(err, ERR_CONFLICT,
		    "The lead's details have not been fetched yet, so there is nothing to push");
	if (audit_change(r->app, r, &r->actor.account_id, push_queue_body, &q, err) == -1)
		return -1;
	*n = q.n;
	return 1;
}
