/* What a connection's provider lists as values for an input of an action. */
#include "connection/connection-values.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/shared.h"
#include "connection/connection-call.h"

#define VALUES_PAGES 5
#define VALUES_MOST 2000

static int values_compare(const void *a, const void *b)
{
	const char *one = json_str(*(json_t *const *)a, "label"),
		   *other = json_str(*(json_t *const *)b, "label");

	return strcasecmp(one, other);
}

static json_t *values_sorted(struct arena *a, const json_t *found)
{
	size_t n = json_array_size(found), i;
	json_t **v = arena_array(a, n + 1, sizeof(json_t *)), *o,
	       *sorted = json_own(a, json_array());

	json_array_each(found, i, o)
		v[i] = o;
	qsort(v, n, sizeof(json_t *), values_compare);
	for (i = 0; i < n && i < VALUES_MOST; i++)
		json_array_append(sorted, v[i]);
	return sorted;
}

/* A call of what is left of the time for it; false: there is none. */
static bool values_have_time(struct connection_call *call, int64_t until_us)
{
	call->most_ms = (until_us - clock_now_us()) / 1000;
	return call->most_ms > 0;
}

/* Page by page, until there are no more, it has failed, or the time is up. */
static int values_fetch(struct connection_call *call, const struct value_list *list,
    int64_t until_us, json_t *into, const char **why, struct err *err)
{
	const char *next = provider_page_input(call->c->provider, call->action);
	json_t *inputs = json_own(call->a, json_object()), *cursor;

	json_object_update(inputs, JSON_ITER(value_list_inputs(list)));
	call->inputs = inputs;
	*why = arena_printf(call->a, "it did not answer within %d seconds", VALUES_PATIENCE_S);
	for (int page = 0; page < VALUES_PAGES && values_have_time(call, until_us); page++) {
		call->attempt = 0;
		if (connection_call(call, err) == -1)
			return -1;
		if (call->result.class != CALL_OK && clock_now_us() < until_us)
			*why = call->result.error;
		if (call->result.class != CALL_OK)
			return 0;
		value_list_read(list, call->a, call->result.output, into);
		cursor = json_object_get(call->result.output, "nextCursor");
		if (next == NULL || cursor == NULL || json_is_null(cursor) ||
		    page + 1 == VALUES_PAGES) {
			*why = NULL;
			return 0;
		}
		json_set(inputs, next, json_incref(cursor));
	}
	return 0;
}

static int values_ask(struct req *r, struct connection *c, const struct value_list *list,
    json_t **out, const char **why, struct err *err)
{
	struct shared *shared = r->app->shared;
	json_t *found = json_own(r->a, json_array());
	struct connection_call call = {.app = r->app,
	    .a = r->a,
	    .c = c,
	    .action = value_list_action(list),
	    .policy = CALL_POLICY_ONCE};
	int rc;

	*why = NULL;
	*out = found;
	if (shared != NULL && !shared_wait_begin(shared, uuid_number(c->account_id),
				  config_waiters(r->app->config))) {
		*why = "Too many calls wait for answers at the moment";
		return 0;
	}
	rc = values_fetch(
	    &call, list, r->received_us + VALUES_PATIENCE_S * SECOND_US, found, why, err);
	if (shared != NULL)
		shared_wait_end(shared);
	*out = values_sorted(r->a, found);
	return rc;
}

int connection_values_of(struct req *r, const struct provider *p, struct str connection_id,
    const struct value_list *list, json_t **out, const char **why, struct err *err)
{
	struct connection **v, *c;
	size_t n, at = 0;
	int found;

	*out = json_own(r->a, json_array());
	*why = NULL;
	if (connection_list_of(r->app, r->a, &r->actor.account_id, p, &v, &n, err) == -1)
		return -1;
	while (connection_id.n > 0 && at < n && !str_is(connection_id, uuid_dup(r->a, v[at]->id)))
		at++;
	if (at >= n || (n > 1 && connection_id.n == 0))
		return 0;
	found = connection_get(r->app, r->a, &r->actor.account_id, &v[at]->id, &c, err);
	return found == 1 ? values_ask(r, c, list, out, why, err) : found;
}
