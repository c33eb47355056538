/* Runs begin: rows and jobs in the transaction of the fact that they are for. */
#include "base/arena.h"
#include "base/clock.h"
#include "crypto/hash.h"
#include "flow/flow-internal.h"

struct job flow_job(
    const struct uuid *account_id, const struct uuid *flow_id, const struct uuid *execution_id)
{
	return (struct job){.id = *execution_id,
	    .account_id = *account_id,
	    .class = JOB_LIVE,
	    .target_id = *flow_id,
	    .kind = "flow.run",
	    .subject_id = *execution_id};
}

void flow_set_order(struct arena *a, struct execution *x, const struct flow_plan *plan)
{
	json_t *context = json_own(a, json_object());
	struct scope scope = flow_scope(a, context);
	unsigned char digest[SHA256_SIZE];
	struct str parts[2] = {{(const char *)x->flow_id.b, sizeof(x->flow_id.b)}};

	if (plan->settings.order_by == NULL)
		return;
	json_set(context, "trigger", json_incref(x->payload));
	parts[1] = expr_text(plan->settings.order_by, &scope);
	if (parts[1].n == 0)
		return;
	hash_parts(HASH_SHA256, parts, 2, digest);
	memcpy(x->order_key.b, digest, sizeof(x->order_key.b));
	x->has_order = true;
}

static int start_order(struct app *app, struct arena *a, struct execution *x, struct err *err)
{
	const struct flow_plan *plan;
	int found = flow_plan_of(app, a, &x->account_id, &x->flow_id, x->version, &plan, err);

	if (found == 1)
		flow_set_order(a, x, plan);
	return found == -1 ? -1 : 0;
}

int flow_begin(struct db *db, struct execution *const *xs, size_t n, struct err *err)
{
	struct job jobs[LIMIT_DB_BATCH];

	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		jobs[i] = flow_job(&xs[i]->account_id, &xs[i]->flow_id, &xs[i]->id);
		jobs[i].class = xs[i]->class;
	}
	if (executions_insert(db, xs, n, err) == -1)
		return -1;
	return job_insert(db, jobs, n, err);
}

static int start_check(struct arena *a, const struct flow_start *s, struct err *err)
{
	size_t n = json_text(a, s->payload).n;

	if (n > LIMIT_RECORD_BYTES)
		return err_field(err, ERR_LIMIT, "payload",
		    "The payload has %zu bytes, more than the %u that a run takes", n,
		    LIMIT_RECORD_BYTES);
	return 0;
}

static int start_some(struct app *app, struct db *db, struct arena *a, struct flow_start *starts,
    size_t n, struct err *err)
{
	struct uuid ids[LIMIT_DB_BATCH];
	int versions[LIMIT_DB_BATCH];
	struct execution *xs[LIMIT_DB_BATCH];
	size_t nxs = 0;

	for (size_t i = 0; i < n; i++)
		ids[i] = starts[i].flow_id;
	if (flow_published_versions(app, a, &starts[0].account_id, ids, n, versions, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct execution *x = arena_zalloc(a, sizeof(*x));

		starts[i].execution_id = (struct uuid){{0}};
		if (versions[i] == 0)
			continue;
		*x = (struct execution){.account_id = starts[i].account_id,
		    .id = uuid_new(),
		    .flow_id = starts[i].flow_id,
		    .version = versions[i],
		    .status = EXECUTION_PENDING,
		    .kind = starts[i].kind,
		    .trigger_id = starts[i].trigger_id,
		    .record_id = starts[i].record_id,
		    .event_id = starts[i].event_id,
		    .parent_id = starts[i].parent_id,
		    .depth = starts[i].depth,
		    .class = starts[i].class,
		    .payload = starts[i].payload,
		    .created_us = clock_now_us()};
		if (start_check(a, &starts[i], err) == -1 || start_order(app, a, x, err) == -1)
			return -1;
		starts[i].execution_id = x->id;
		xs[nxs++] = x;
	}
	return flow_begin(db, xs, nxs, err);
}

int flow_start(struct app *app, struct db *db, struct arena *a, struct flow_start *starts, size_t n,
    struct err *err)
{
	for (size_t i = 0; i < n; i += LIMIT_DB_BATCH)
		if (start_some(app, db, a, starts + i,
			n - i < LIMIT_DB_BATCH ? n - i : LIMIT_DB_BATCH, err) == -1)
			return -1;
	return 0;
}

json_t *flow_record_payload(struct arena *a, const json_t *record)
{
	json_t *data = json_object_get(record, "data");
	json_t *o = json_own(a, json_is_object(data) ? json_copy(data) : json_object());

	json_set_str(o, "recordId", json_str(record, "id"));
	json_set_str(o, "providerType", json_str(record, "providerType"));
	json_set_str(o, "resourceType", json_str(record, "resourceType"));
	json_set_str(o, "externalId", json_str(record, "externalId"));
	json_set(o, "record", json_incref(JSON_ITER(record)));
	return o;
}
