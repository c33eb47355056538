/* The sandbox's own JSON API, for tests and scripts. */
#include "base/clock.h"
#include "base/limits.h"
#include "sandbox/sandbox.h"

#define SEND_MAX 1000
#define MAKE_MAX 100000
#define RECEIVED_MAX 10000

static const char *const wish_keys[] = {"email", "full_name", "name", "first_name", "last_name",
    "phone", "phone_number", "company", "company_name", "question", "field_data", "count",
    "same_as", "form_id", "page_id", NULL};

int api_received(struct req *r)
{
	struct sink_query q = {.name = req_query(r, "name"), .limit = 100};
	const struct str since = req_query(r, "since"), limit = req_query(r, "limit");
	struct err err = ERR_INIT;
	int64_t n;
	json_t *out;

	if (limit.p != NULL && !str_to_i64(limit, 0, RECEIVED_MAX, &n))
		req_invalid(r, "limit", "must be from 0 to %d", RECEIVED_MAX);
	else if (limit.p != NULL)
		q.limit = (size_t)n;
	if (since.p != NULL && !clock_parse_iso(since, &q.since_us))
		req_invalid(r, "since", "must be an ISO 8601 time");
	if (req_has_invalid(r))
		return res_invalid(r);
	out = sink_list(sandbox_of(r)->sink, r->a, &q, &err);
	return out != NULL ? res_json(r, 200, out) : res_error(r, &err);
}

int api_received_clear(struct req *r)
{
	struct err err = ERR_INIT;

	if (sink_clear(sandbox_of(r)->sink, &err) == -1)
		return res_error(r, &err);
	return res_empty(r, 204);
}

int api_faults_get(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *out = faults_get(sandbox_of(r)->faults, r->a, &err);

	return out != NULL ? res_json(r, 200, json_incref(out)) : res_error(r, &err);
}

int api_faults_put(struct req *r)
{
	struct err err = ERR_INIT;

	if (r->json == NULL)
		return res_problem(r, 400, "The body must be a JSON object");
	if (faults_put(sandbox_of(r)->faults, r->json, &err) == -1)
		return res_error(r, &err);
	return api_faults_get(r);
}

/* The body as wishes, {} when there is none; count within 1 to max. */
static int wishes_read(struct req *r, int64_t max, json_t **wishes, int64_t *count, struct err *err)
{
	const struct json_member number = {"count", READ_INT, .min = 1, .max = max};
	struct json_reader in = {.err = err};

	*wishes = r->json != NULL ? r->json : json_own(r->a, json_object());
	*count = 1;
	if (!json_is_object(*wishes))
		return err_set(err, ERR_MALFORMED, "the body must be a JSON object");
	if (json_read_keys(&in, *wishes, wish_keys) == -1 ||
	    json_read_member(&in, *wishes, &number, count) == -1)
		return -1;
	return 0;
}

int api_send_lead(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *wishes, *answers, *one;
	int64_t count;

	if (wishes_read(r, SEND_MAX, &wishes, &count, &err) == -1)
		return res_error(r, &err);
	answers = json_own(r->a, json_array());
	for (int64_t i = 0; i < count; i++) {
		one = hook_send_lead(sandbox_of(r), r->a, wishes, &err);
		if (one == NULL)
			return res_error(r, &err);
		json_array_append_new(answers, one);
	}
	return res_json(
	    r, 200, json_pack("{s:I,s:O}", "sent", (json_int_t)count, "answers", answers));
}

/* Leads that no webhook tells of: for imports and polls. */
int api_leads_make(struct req *r)
{
	struct err err = ERR_INIT;
	struct product p;
	json_t *wishes, *lead, *ids;
	int64_t count;

	if (wishes_read(r, MAKE_MAX, &wishes, &count, &err) == -1 ||
	    product_load(sandbox_of(r), r->a, &p, &err) == -1)
		return res_error(r, &err);
	ids = json_own(r->a, json_array());
	for (int64_t i = 0; i < count; i++) {
		lead = leads_make(sandbox_of(r)->leads, r->a, &p, wishes, &err);
		if (lead == NULL)
			return res_error(r, &err);
		json_array_append(ids, json_object_get(lead, "id"));
	}
	return res_json(r, 201, json_pack("{s:I,s:O}", "made", (json_int_t)count, "ids", ids));
}

int api_webhook_body(struct req *r)
{
	struct sandbox *s = sandbox_of(r);
	struct err err = ERR_INIT;
	struct product p;
	struct sandbox_hook hook;
	json_t *wishes, *lead, *out;
	int64_t count;

	if (wishes_read(r, 1, &wishes, &count, &err) == -1 ||
	    product_load(s, r->a, &p, &err) == -1 ||
	    (lead = leads_make(s->leads, r->a, &p, wishes, &err)) == NULL ||
	    hook_make(r->a, &p, lead, &hook, &err) == -1)
		return res_error(r, &err);
	out = json_object();
	json_set_str(out, "leadgen_id", json_str(lead, "id"));
	json_set_str(out, "url", hook.url);
	json_set_strn(out, "body", hook.body);
	json_set_str(out, "signature", hook.signature);
	json_set(out, "headers",
	    json_pack("{s:s,s:s}", "Content-Type", "application/json", "X-Hub-Signature-256",
		hook.signature));
	return res_json(r, 200, out);
}
