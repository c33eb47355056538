/* The job crm.push_all: every waiting lead is queued, a page per transaction, which also moves the
 * job's cursor, so a run that was cut off goes on where it stopped. */
#include "base/clock.h"
#include "base/limits.h"
#include "crm/crm-internal.h"

#define PUSH_ALL_STEP 200

/* First what no destination has taken, then what one has and another has not. */
struct push_all {
	struct job *job;
	bool is_beside;
	struct uuid after, only; /* only: the one destination meant, or nil */
	int64_t left;            /* leads to go, or -1: all */
};

static struct str push_all_args(const struct push_all *p)
{
	struct arena *a = p->job->a;
	json_t *args = json_own(a, json_object());

	json_set_str(args, "after", uuid_dup(a, p->after));
	json_set_bool(args, "beside", p->is_beside);
	if (!uuid_is_nil(p->only))
		json_set_str(args, "connectionId", uuid_dup(a, p->only));
	if (p->left >= 0)
		json_set_int(args, "left", p->left);
	return json_text(a, args);
}

/* Those that are ready are pushed; the others get their details first, and then go to all. */
static int push_all_queue(
    const struct push_all *p, const struct waiting_lead *leads, size_t n, struct err *err)
{
	struct job *j = p->job;
	struct delivery_queueing q = {.app = j->app,
	    .a = j->a,
	    .how = PUSH_BULK,
	    .account_id = j->account_id,
	    .only = uuid_is_nil(p->only) ? NULL : &p->only};
	struct uuid ids[LIMIT_DB_BATCH];
	size_t nids = 0;

	for (size_t i = 0; i < n; i++) {
		if (leads[i].is_ready)
			ids[nids++] = leads[i].id;
		else if (q.only == NULL && lead_process_again(j->app->db, j->a, &j->account_id,
					       &leads[i].id, err) == -1)
			return -1;
	}
	return deliveries_queue_stored(&q, ids, nids, err);
}

/* One page in one transaction, which also moves the job's cursor. */
static int push_all_body(struct db *db, void *arg, struct err *err)
{
	struct push_all next = *(struct push_all *)arg;
	struct job *j = next.job;
	const struct uuid *only = uuid_is_nil(next.only) ? NULL : &next.only;
	int64_t most = next.left >= 0 && next.left < PUSH_ALL_STEP ? next.left : PUSH_ALL_STEP;
	struct waiting_lead *leads;
	size_t n;

	if ((next.is_beside ? deliveries_dead_leads(db, j->a, &j->account_id, only, &next.after,
				  most, &leads, &n, err)
			    : deliveries_waiting_leads(db, j->a, &j->account_id, &next.after, most,
				  &leads, &n, err)) == -1)
		return -1;
	for (size_t i = 0; i < n; i += LIMIT_DB_BATCH)
		if (push_all_queue(&next, leads + i,
			n - i < LIMIT_DB_BATCH ? n - i : LIMIT_DB_BATCH, err) == -1)
			return -1;
	if (next.left == (int64_t)n || (n == 0 && next.is_beside))
		return job_finish(db, j, err);
	next.left -= next.left < 0 ? 0 : (int64_t)n;
	next.is_beside = next.is_beside || n == 0;
	next.after = n == 0 ? (struct uuid){{0}} : leads[n - 1].position;
	return job_reschedule(db, j, clock_now_us(), push_all_args(&next), err);
}

int crm_job_push_all(struct job *j, struct err *err)
{
	struct push_all p = {.job = j, .left = -1};
	const json_t *args = job_args(j, err);

	if (args == NULL)
		return -1;
	if (json_str(args, "after") != NULL)
		uuid_parse(str_from(json_str(args, "after")), &p.after);
	if (json_str(args, "connectionId") != NULL)
		uuid_parse(str_from(json_str(args, "connectionId")), &p.only);
	if (json_object_get(args, "left") != NULL)
		p.left = json_int(args, "left");
	p.is_beside = json_bool(args, "beside");
	return db_transaction(j->app->db, push_all_body, &p, err);
}
