/* JSON handlers of leads with their destinations, and of pushes. */
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/shared.h"
#include "crm/crm-internal.h"
#include "lead/lead-pages.h"
#include "net/http-client.h"

#define PUSH_WAIT_MS 25000 /* how long a push by hand is waited for */
#define PUSH_WAIT_STEP_MS 20

/* Behind the stages of the lead itself: when each destination took it. */
static void timeline_add_pushes(struct arena *a, json_t *lead, const json_t *destinations)
{
	json_t *timeline = json_object_get(lead, "timeline");
	const json_t *d;
	size_t i;

	json_array_each(destinations, i, d) {
		json_t *o;

		if (json_str(d, "pushedAt") == NULL)
			continue;
		o = json_object();
		json_set_str(o, "stage", "pushed");
		json_set_str(o, "at", json_str(d, "pushedAt"));
		json_set_str(o, "text", arena_printf(a, "Delivered to %s", json_str(d, "name")));
		json_set_str(o, "connectionId", json_str(d, "connectionId"));
		json_array_append_new(timeline, o);
	}
}

int crm_api_lead_get(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	struct crm_lead of;
	int found;

	if (!req_param_uuid(r, "leadId", &id))
		return 0;
	found = crm_lead_get(r->app, r->a, &r->actor.account_id, &id, &of, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such lead");
	if (found == -1)
		return res_error(r, &err);
	lead_hide_answers(r, of.destinations);
	json_set(of.lead, "destinations", json_incref(of.destinations));
	timeline_add_pushes(r->a, of.lead, of.destinations);
	if (lead_complete_timeline(
		r->app, r->a, &r->actor.account_id, r->actor.permissions, of.lead, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, json_incref(of.lead));
}

/* ---- push one ---------------------------------------------------------------------------- */

/* What was queued is pending until its round is over; a destination that is disabled or gone was
 * not queued. */
static bool destinations_are_settled(const json_t *destinations)
{
	for (size_t i = 0; i < json_array_size(destinations); i++)
		if (strcmp(json_str(json_array_get(destinations, i), "status"), DELIVERY_PENDING) ==
		    0)
			return false;
	return true;
}

/* The job makes the attempts and the waits between them; here their end is waited for. */
static int pushes_await(
    struct req *r, const struct uuid *lead_id, json_t **destinations, struct err *err)
{
	int64_t until = clock_mono_us() + PUSH_WAIT_MS * INT64_C(1000);
	/* With too many that wait, nobody would be left to take webhooks: what is pending then
	 * stands so in the answer. */
	bool may_wait = shared_wait_begin(
	    r->app->shared, uuid_number(r->actor.account_id), config_waiters(r->app->config));
	int rc;

	for (;;) {
		rc = crm_lead_destinations(
		    r->app, r->a, &r->actor.account_id, lead_id, destinations, err);
		if (rc == -1 || !may_wait || destinations_are_settled(*destinations) ||
		    clock_mono_us() > until)
			break;
		http_client_sleep(r->app->http, PUSH_WAIT_STEP_MS);
	}
	if (may_wait)
		shared_wait_end(r->app->shared);
	return rc == -1 ? -1 : 0;
}

/* Those that had the lead before are skipped: it is not sent twice. */
static json_t *push_answer_json(const json_t *before, const json_t *after)
{
	json_t *o = json_object(), *results = json_array();
	bool is_success = false;

	for (size_t i = 0; i < json_array_size(after); i++) {
		const json_t *d = json_array_get(after, i);
		const char *status = json_str(d, "status"), *error = json_str(d, "lastError");
		json_t *res = json_object();

		for (size_t k = 0; k < json_array_size(before); k++) {
			const json_t *b = json_array_get(before, k);

			if (strcmp(json_str(b, "id"), json_str(d, "id")) == 0 &&
			    strcmp(json_str(b, "status"), DELIVERY_SUCCESS) == 0)
				status = DELIVERY_SKIPPED;
		}
		is_success = is_success || strcmp(json_str(d, "status"), DELIVERY_SUCCESS) == 0;
		if (strcmp(status, DELIVERY_DEAD) == 0)
			status = DELIVERY_FAILED;
		if (strcmp(status, DELIVERY_PENDING) == 0) { /* not waited for to its end */
			status = DELIVERY_SKIPPED;
			error = "the push goes on in the background";
		}
		json_set_str(res, "connectionId", json_str(d, "connectionId"));
		json_set_str(res, "name", json_str(d, "name"));
		json_set_str(res, "status", status);
		json_set_int(res, "attempts", json_int(d, "attempts"));
		json_set_str(res, "externalId", json_str(d, "externalId"));
		json_set_str(res, "error", error);
		json_array_append_new(results, res);
	}
	json_set_bool(o, "success", is_success);
	json_set(o, "results", results);
	return o;
}

int crm_api_push_lead(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	json_t *before, *after;
	size_t n;
	int found;

	if (!req_param_uuid(r, "leadId", &id))
		return 0;
	if (crm_lead_destinations(r->app, r->a, &r->actor.account_id, &id, &before, &err) == -1)
		return res_error(r, &err);
	found = crm_queue_lead(r, &id, NULL, &n, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such lead");
	if (found == -1 || pushes_await(r, &id, &after, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, push_answer_json(before, after));
}

/* ---- push all ---------------------------------------------------------------------------- */

/* The body of a batch, which may be absent. */
struct push_batch {
	int64_t limit;    /* leads; 0: all */
	struct uuid only; /* the destination; nil: each */
};

/* False with the answer given. */
static bool push_batch_read(struct req *r, struct push_batch *out)
{
	static const struct json_member members[] = {
	    {"limit", READ_INT, JSON_INTO(struct push_batch, limit), .need = READ_NULLABLE,
		.min = 1},
	    {"connectionId", READ_PARSED, JSON_INTO(struct push_batch, only), .need = READ_NULLABLE,
		.parse = uuid_parse_member, .rule = "must be an id"}};

	if (r->json == NULL)
		return true;
	if (!req_read_body(r, JSON_MEMBERS(members), out))
		return false;
	if (req_has_invalid(r))
		res_invalid(r);
	return !req_has_invalid(r);
}

/* 1, 0 when the account has no such destination, -1. */
static int connection_is_destination(struct req *r, const struct uuid *id, struct err *err)
{
	struct connection *c;
	int found = connection_get(r->app, r->a, &r->actor.account_id, id, &c, err);

	return found == 1 ? provider_can(c->provider, "crm_push") : found;
}

int crm_api_push_all(struct req *r)
{
	struct err err = ERR_INIT;
	struct push_batch body = {0};
	struct uuid task_id;
	int64_t pending;
	json_t *o;
	int found = 1;

	if (!push_batch_read(r, &body))
		return 0;
	if (!uuid_is_nil(body.only))
		found = connection_is_destination(r, &body.only, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such destination");
	if (found == -1 || crm_queue_all(r, body.limit, uuid_is_nil(body.only) ? NULL : &body.only,
			       &task_id, &pending, &err) == -1)
		return res_error(r, &err);
	o = json_object();
	json_set_str(o, "jobId", uuid_dup(r->a, task_id));
	json_set_int(o, "pending", pending);
	return res_json(r, 202, o);
}

/* ---- test, deliveries -------------------------------------------------------------------- */

int crm_api_test(struct req *r)
{
	struct uuid id;
	struct connection *c;
	struct err err = ERR_INIT;
	bool proves;
	int found;

	if (!req_param_uuid(r, "connectionId", &id))
		return 0;
	found = connection_get(r->app, r->a, &r->actor.account_id, &id, &c, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0 || !provider_can(c->provider, "crm_push"))
		return res_problem(r, 404, "There is no such destination");
	return res_json(r, 200, connection_test(r->app, r->a, c, &proves));
}

int crm_api_deliveries(struct req *r)
{
	struct delivery_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;

	if (!slice_read(r, &list_of_deliveries, &f, &s))
		return res_invalid(r);
	if (delivery_list(r->app, r->a, &f, &s, &err) == -1)
		return res_error(r, &err);
	return res_slice(r, &s);
}

int crm_api_delivery(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *d, *attempts;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = delivery_get_json(r->app, r->a, &r->actor.account_id, &id, &d, &attempts, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such delivery");
	json_set(d, "attemptList", json_incref(attempts));
	return res_json(r, 200, json_incref(d));
}

/* {"filter":{…}}: the parameters of the list. False with the answer given. */
static bool retry_filter_read(struct req *r, struct delivery_filter *out)
{
	struct retry_body {
		json_t *filter;
	} body = {NULL};
	static const struct json_member members[] = {
	    {"filter", READ_OBJECT, JSON_INTO(struct retry_body, filter), .need = READ_NEEDED}};
	struct http_pair v_of[FILTER_PAIRS];
	struct http_pairs pairs = {v_of, 0};
	const char *name;
	json_t *v;

	if (!req_read_body(r, JSON_MEMBERS(members), &body))
		return false;
	json_object_each(body.filter, name, v) {
		const struct filter_row *row = list_of_deliveries.filters;

		while (row->name != NULL && strcmp(row->name, name) != 0)
			row++;
		if (row->name == NULL || !json_is_string(v))
			req_invalid(r, arena_printf(r->a, "filter.%s", name),
			    row->name == NULL ? "is no filter of deliveries" : "must be text");
		else
			filter_pair_add(&pairs, row->name, str_from(json_string_value(v)));
	}
	filter_read(r, &list_of_deliveries, &pairs, out);
	if (str_is(out->status, DELIVERY_SUCCESS))
		req_invalid(r, "filter.status", "what is delivered is not pushed again");
	if (out->search.n > 0)
		req_invalid(
		    r, "filter.search", "is for looking; push what it finds again by its ids");
	if (req_has_invalid(r))
		res_invalid(r);
	return !req_has_invalid(r);
}

int crm_api_deliveries_retry(struct req *r)
{
	struct delivery_filter f = {0};
	struct uuid task_id;
	struct err err = ERR_INIT;
	json_t *o;

	if (!retry_filter_read(r, &f))
		return 0;
	if (crm_queue_again(r, &f, &task_id, &err) == -1)
		return res_error(r, &err);
	o = json_object();
	json_set_str(o, "jobId", uuid_dup(r->a, task_id));
	return res_json(r, 202, o);
}

struct delivery_retrying {
	struct req *r;
	struct uuid id;
	int found;
};

static int delivery_retry_body(struct db *db, void *arg, struct err *err)
{
	struct delivery_retrying *t = arg;

	t->found = delivery_queue(db, t->r->a, &t->r->actor.account_id, &t->id, err);
	return t->found == -1 ? -1 : 0;
}

int crm_api_delivery_retry(struct req *r)
{
	struct delivery_retrying t = {.r = r};
	struct err err = ERR_INIT;
	json_t *o;

	if (!req_param_uuid(r, "id", &t.id))
		return 0;
	if (db_transaction(r->app->db, delivery_retry_body, &t, &err) == -1)
		return res_error(r, &err);
	if (t.found == 0)
		return res_problem(r, 404, "There is no such delivery");
	o = json_object();
	json_set_str(o, "id", uuid_dup(r->a, t.id));
	json_set_str(o, "status", DELIVERY_PENDING);
	return res_json(r, 202, o);
}
