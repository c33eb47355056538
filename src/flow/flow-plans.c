/* Compiled versions, kept in this process: a version never changes, so what is kept is right for
 * good. One that a run goes by stays until the run's arena goes, though it be replaced meanwhile.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/oom.h"
#include "flow/flow-internal.h"

#define PLANS_KEPT 128u

struct kept_plan {
	struct flow_plan plan;
	struct uuid account_id;
	size_t users; /* the table itself counts as one */
};
static struct kept_plan *kept[PLANS_KEPT];

static void plan_drop(void *arg)
{
	struct kept_plan *k = arg;

	if (--k->users == 0) {
		arena_free(k->plan.a);
		free(k);
	}
}

static struct kept_plan **plan_slot(const struct uuid *flow_id, int version)
{
	uint64_t h = str_hash(flow_id->b, sizeof(flow_id->b)) + (uint64_t)version * 31u;

	return &kept[(h ^ h >> 32) % PLANS_KEPT];
}

static struct kept_plan *plan_find(
    const struct uuid *account_id, const struct uuid *flow_id, int version)
{
	struct kept_plan *k = *plan_slot(flow_id, version);

	return k != NULL && k->plan.version == version && uuid_eq(k->plan.flow_id, *flow_id) &&
		       uuid_eq(k->account_id, *account_id)
		   ? k
		   : NULL;
}

/* Stored, so it compiled once; a kind that has gone since is told as a fault of the flow. */
static int plan_make(struct arena *a, const json_t *steps, const json_t *settings,
    const struct uuid *flow_id, int version, struct flow_plan *out, struct err *err)
{
	struct err why = ERR_INIT;
	struct json_reader in = {.err = &why};

	if (flow_plan_compile(a, steps, settings, &in, out) == -1)
		return err_set(err, ERR_INVALID, "%s: %s", why.field, why.msg);
	out->flow_id = *flow_id;
	out->version = version;
	return 0;
}

static int plan_load(struct app *app, const struct uuid *account_id, const struct uuid *flow_id,
    int version, struct kept_plan **out, struct err *err)
{
	struct arena *a = arena_new();
	struct kept_plan *k = oom_malloc(sizeof(*k)), **slot = plan_slot(flow_id, version);
	json_t *steps, *settings;
	int found = flow_version_load(app, a, account_id, flow_id, version, &steps, &settings, err);

	if (found == 1 && plan_make(a, steps, settings, flow_id, version, &k->plan, err) == -1)
		found = -1;
	if (found != 1) {
		arena_free(a);
		free(k);
		return found;
	}
	k->account_id = *account_id;
	k->users = 1;
	if (*slot != NULL)
		plan_drop(*slot);
	*slot = *out = k;
	return 1;
}

int flow_plan_of(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *flow_id, int version, const struct flow_plan **out, struct err *err)
{
	struct kept_plan *k = plan_find(account_id, flow_id, version);

	if (k == NULL) {
		int found = plan_load(app, account_id, flow_id, version, &k, err);

		if (found != 1)
			return found;
	}
	k->users++;
	arena_on_free(a, plan_drop, k);
	*out = &k->plan;
	return 1;
}

int flow_plan_of_draft(struct arena *a, const struct uuid *flow_id, const json_t *draft,
    const struct flow_plan **out, struct err *err)
{
	struct flow_plan *plan = arena_zalloc(a, sizeof(*plan));

	*out = plan;
	return plan_make(a, json_object_get(draft, "steps"), json_object_get(draft, "settings"),
	    flow_id, 0, plan, err);
}
