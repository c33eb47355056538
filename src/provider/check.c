/* A manifest's own examples, run without a network: see "Examples" in providers/README.md. */
#include "provider/check.h"
#include "base/clock.h"
#include "base/json-reader.h"
#include "base/limits.h"
#include "net/http-client.h"

void check_report(struct check_run *t, bool is_ok, const char *what, const char *fmt, ...)
{
	va_list ap;

	t->failures += !is_ok;
	buf_printf(t->out, "%s %d - %s: %s\n", is_ok ? "ok" : "not ok", ++t->number, t->name, what);
	if (is_ok)
		return;
	buf_str(t->out, "# ");
	va_start(ap, fmt);
	buf_vprintf(t->out, fmt, ap);
	va_end(ap);
	buf_chr(t->out, '\n');
}

void check_compare(struct check_run *t, const char *what, const json_t *expected, const json_t *got)
{
	bool is_ok = got != NULL && json_equal(expected, got);

	check_report(t, is_ok, what, "expected %s\n# got      %s", json_text(t->a, expected).p,
	    got == NULL ? "nothing" : json_text(t->a, got).p);
}

/* ---- pieces of an example ----------------------------------------------------------------- */

int example_read_pairs(
    struct check_run *t, const json_t *object, bool is_header, struct http_pairs *out)
{
	const char *name;
	json_t *v;

	*out = (struct http_pairs){
	    arena_array(t->a, json_object_size(object) + 1, sizeof(struct http_pair)), 0};
	json_object_each(object, name, v) {
		char *key = arena_strdup(t->a, name);

		if (!json_is_string(v))
			return -1;
		for (char *p = key; is_header && *p != '\0'; p++)
			if (*p >= 'A' && *p <= 'Z')
				*p = (char)(*p - 'A' + 'a');
		out->v[out->n++] = (struct http_pair){
		    str_from(key), {json_string_value(v), json_string_length(v)}};
	}
	return 0;
}

struct access *example_read_access(struct check_run *t, const json_t *example)
{
	const json_t *v = json_object_get(example, "connection");
	struct access *c = arena_zalloc(t->a, sizeof(*c));
	json_t *credentials = json_object_get(v, "credentials"),
	       *settings = json_object_get(v, "settings");

	c->credentials = credentials != NULL ? credentials : json_own(t->a, json_object());
	c->settings = settings != NULL ? settings : json_own(t->a, json_object());
	c->app = json_object_get(v, "app");
	c->id = json_str(v, "id");
	c->webhook_url = json_str(v, "webhookUrl");
	const char *external = json_str(c->settings, "externalAccountId");
	c->external_account_id = external != NULL ? external : "";
	return c;
}

struct str example_read_body(struct check_run *t, const json_t *v)
{
	const json_t *text = json_object_get(v, "body"), *json = json_object_get(v, "json");

	if (json != NULL)
		return json_text(t->a, json);
	return (struct str){
	    json_is_string(text) ? json_string_value(text) : "", json_string_length(text)};
}

static int example_read_request(
    struct check_run *t, const json_t *example, struct req *r, struct webhook *w)
{
	const json_t *v = json_object_get(example, "request");
	const char *method = json_str(v, "method"), *at = json_str(example, "at");

	*r = (struct req){.a = t->a,
	    .res = {.status = 200,
		.headers = buf_new(t->a, LIMIT_HEADER_BYTES),
		.body = buf_new(t->a, LIMIT_PAGE_BYTES)}};
	r->method = method != NULL && strcmp(method, "GET") == 0 ? HTTP_GET : HTTP_POST;
	if (example_read_pairs(t, json_object_get(v, "headers"), true, &r->headers) == -1 ||
	    example_read_pairs(t, json_object_get(v, "query"), false, &r->query) == -1)
		return -1;
	r->content_type = req_header(r, "content-type");
	r->body = example_read_body(t, v);
	*w = (struct webhook){.req = r, .body = r->body, .url = json_str(v, "url")};
	if (at != NULL && !clock_parse_iso(str_from(at), &w->now_us))
		return -1;
	return 0;
}

/* ---- webhooks ----------------------------------------------------------------------------- */

static void json_set_part(json_t *o, const char *key, struct str s)
{
	if (s.n > 0)
		json_set_strn(o, key, s);
}

static void json_set_clock(json_t *o, const char *key, int64_t at_us)
{
	if (at_us != TIME_NONE)
		json_set_time(o, key, at_us);
}

json_t *webhook_item_json(const struct webhook_item *i)
{
	json_t *o = json_object();

	json_set_part(o, "resourceType", i->resource_type);
	json_set_part(o, "externalId", i->external_id);
	json_set_part(o, "eventType", i->event_type);
	json_set_part(o, "dedupeKey", i->dedupe_key);
	if (i->data != NULL)
		json_set(o, "data", json_deep_copy(i->data));
	if (i->effects.erases)
		json_set_bool(o, "erase", true);
	if (i->effects.status != NULL)
		json_set(o, "connectionStatus",
		    json_pack(
			"{s:s,s:s}", "status", i->effects.status, "reason", i->effects.reason));
	if (i->effects.poll != NULL)
		json_set_str(o, "poll", i->effects.poll);
	json_set_clock(o, "updatedAt", i->provider_updated_us);
	if (i->needs_details)
		json_set_bool(o, "needsDetails", true);
	if (!i->is_lead)
		return o;
	json_set_bool(o, "isLead", true);
	if (i->lead != NULL)
		json_set(o, "lead", json_deep_copy(i->lead));
	json_set_part(o, "formId", i->form_id);
	json_set_part(o, "adId", i->ad_id);
	json_set_part(o, "campaignId", i->campaign_id);
	json_set_clock(o, "createdAt", i->created_us);
	return o;
}

static void check_accounts(struct check_run *t, const json_t *expected, const struct webhook *w)
{
	json_t *got = json_own(t->a, json_array());
	struct str *ids;
	size_t n;

	webhook_accounts(t->p, t->a, w, &ids, &n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(got, json_stringn(ids[i].p, ids[i].n));
	check_compare(t, "accounts", expected, got);
}

static void check_items(
    struct check_run *t, const json_t *expect, const struct webhook *w, const struct access *c)
{
	json_t *got = json_own(t->a, json_array());
	const json_t *items = json_object_get(expect, "items"),
		     *left = json_object_get(expect, "left"),
		     *nothing = json_object_get(expect, "nothing");
	struct webhook_found found;

	webhook_items(t->p, t->a, w, c, &found);
	for (size_t i = 0; i < found.n; i++)
		json_array_append_new(got, webhook_item_json(&found.items[i]));
	if (items != NULL)
		check_compare(t, "items", items, got);
	if (left != NULL)
		check_compare(t, "what is left", left,
		    json_own(t->a, found.left == 0 ? json_null()
						   : json_string(arena_printf(t->a, "item %zu %s",
							 found.left, found.left_why))));
	if (nothing != NULL)
		check_compare(t, "why there is nothing", nothing,
		    found.nothing == NULL ? NULL : json_own(t->a, json_string(found.nothing)));
}

static void check_handshake(
    struct check_run *t, const json_t *expected, struct req *r, struct webhook *w, struct access *c)
{
	json_t *got = json_own(t->a, json_object());
	const struct handshake *h = handshake_find(t->p, t->a, w);
	const char *reason;
	bool is_for = h != NULL && (handshake_is_open(h) ||
				       handshake_match(t->p, h, t->a, w,
					   (const struct access *const[]){c}, 1, &reason) == 0);

	if (is_for)
		handshake_answer(h, r, w, c);
	if (h != NULL)
		json_set_int(got, "status", is_for ? r->res.status : 403);
	if (is_for && r->res.status < 400)
		json_set_strn(got, "body", (struct str){r->res.body->p, r->res.body->len});
	check_compare(t, "handshake", expected, got);
}

static bool provider_signs_body(const struct provider *p)
{
	for (size_t i = 0; i < p->nsignatures; i++)
		if (p->signatures[i].kind == SIGNATURE_TOKEN)
			return false;
	return true;
}

/* What holds for every signed example is tried without being written down: an altered byte, and a
 * request that comes too late. */
static void check_forgeries(struct check_run *t, const struct webhook *w, const struct access *c)
{
	struct webhook forged = *w;
	const char *reason = NULL;
	struct req bare = *w->req;

	if (provider_signs_body(t->p) && w->body.n > 0) {
		char *body = arena_memdup(t->a, w->body.p, w->body.n);

		body[w->body.n / 2] ^= 1;
		forged.body = (struct str){body, w->body.n};
		check_report(t, webhook_verify(t->p, t->a, &forged, c, &reason) == 0,
		    "altered byte is rejected", "it was verified");
	}
	bare.headers.n = bare.query.n = 0;
	forged = *w;
	forged.req = &bare;
	if (json_object_get(w->payload, "google_key") == NULL)
		check_report(t, webhook_verify(t->p, t->a, &forged, c, &reason) == 0,
		    "without its headers it is rejected", "it was verified");
	forged = *w;
	forged.now_us += 2 * DAY_US;
	if (webhook_verify(t->p, t->a, &forged, c, &reason) == 0)
		check_report(t, strcmp(reason, "stale timestamp") == 0, "late delivery is rejected",
		    "%s", reason);
}

static void check_verdict(
    struct check_run *t, const json_t *expected, const struct webhook *w, const struct access *c)
{
	const char *reason = NULL;
	bool is_verified = webhook_verify(t->p, t->a, w, c, &reason) == 1;
	json_t *got = json_own(t->a, is_verified ? json_true() : json_string(reason));

	check_compare(t, "verdict", expected, got);
	if (is_verified && json_is_true(expected))
		check_forgeries(t, w, c);
}

static void check_webhook(struct check_run *t, const json_t *example, const json_t *expect)
{
	struct req *r = arena_zalloc(t->a, sizeof(*r));
	struct webhook w;
	struct access *c = example_read_access(t, example);
	struct err err = ERR_INIT;

	if (example_read_request(t, example, r, &w) == -1) {
		check_report(
		    t, false, "example", "\"at\" must be a time, headers and query must be texts");
		return;
	}
	if (r->method == HTTP_POST && webhook_parse(t->p, t->a, &w, &err) == -1) {
		check_report(t, json_is_true(json_object_get(expect, "malformed")), "payload", "%s",
		    err.msg);
		return;
	}
	if (json_object_get(expect, "verified") != NULL)
		check_verdict(t, json_object_get(expect, "verified"), &w, c);
	if (json_object_get(expect, "accounts") != NULL)
		check_accounts(t, json_object_get(expect, "accounts"), &w);
	check_items(t, expect, &w, c);
	if (json_object_get(expect, "handshake") != NULL)
		check_handshake(t, json_object_get(expect, "handshake"), r, &w, c);
}

/* ---- leads and actions -------------------------------------------------------------------- */

static void check_lead(struct check_run *t, const json_t *example, const json_t *expect)
{
	struct err err = ERR_INIT;
	json_t *got = provider_lead_fields(t->p, t->a, json_object_get(example, "lead"), &err);

	if (got == NULL)
		check_report(t, false, "lead", "%s", err.msg);
	else
		check_compare(t, "lead", json_object_get(expect, "lead"), got);
}

json_t *http_call_json(struct check_run *t, const struct http_call *call)
{
	json_t *o = json_own(t->a, json_object()), *headers = json_object();
	struct err err = ERR_INIT;

	json_set_str(o, "method", call->method);
	json_set_str(o, "url", call->url);
	for (size_t i = 0; i < call->headers.n; i++)
		json_set_strn(headers,
		    arena_strndup(t->a, call->headers.v[i].name.p, call->headers.v[i].name.n),
		    call->headers.v[i].value);
	json_set(o, "headers", headers);
	if (call->body.p == NULL)
		return o;
	json_t *body = json_parse(t->a, call->body, &err);
	json_set(o, body != NULL ? "json" : "body",
	    body != NULL ? json_incref(body) : json_stringn(call->body.p, call->body.n));
	return o;
}

static json_t *call_result_json(struct check_run *t, const struct call_result *res)
{
	json_t *o = json_own(t->a, json_object());

	json_set_str(o, "class", call_class_names[res->class]);
	if (res->output != NULL)
		json_set(o, "output", json_incref(res->output));
	if (res->error != NULL)
		json_set_str(o, "error", res->error);
	if (res->retry_after_ms >= 0)
		json_set_int(o, "retryAfterMs", res->retry_after_ms);
	if (res->pace_ms > 0)
		json_set_int(o, "paceMs", res->pace_ms);
	if (res->existing_id != NULL)
		json_set_str(o, "existingId", res->existing_id);
	if (res->refused_field != NULL)
		json_set_str(o, "refusedField", res->refused_field);
	return o;
}

/* The request of a call, and what its answer makes of it: 1 with *res, 0 where there is no answer
 * to look at, or the call is refused, -1 where the example is wrong. */
static int check_call(struct check_run *t, const json_t *example, const json_t *expect,
    struct action_call *k, struct call_result *res)
{
	const json_t *v = json_object_get(example, "answer");
	const char *at = json_str(example, "at");
	struct http_answer ans = {.status = (int)json_int(v, "status")};
	struct action_request req;
	struct err err = ERR_INIT;

	if (k->act == NULL || (at != NULL && !clock_parse_iso(str_from(at), &k->now_us)) ||
	    example_read_pairs(t, json_object_get(v, "headers"), true, &ans.headers) == -1) {
		check_report(t, false, "call",
		    "no such action, \"at\" that is no time, or headers that are not texts");
		return -1;
	}
	if (action_build(k, &req, &err) == -1) {
		check_compare(t, "refusal", json_object_get(expect, "refused"),
		    json_own(t->a, json_string(err.field[0] != '\0' ? err.field : err.msg)));
		return 0;
	}
	if (json_object_get(expect, "request") != NULL)
		check_compare(
		    t, "request", json_object_get(expect, "request"), http_call_json(t, &req.http));
	if (v == NULL)
		return 0;
	ans.body = example_read_body(t, v);
	action_read(k, &req.http, &ans, res);
	check_saw_call(t, k->act, k->inputs, res);
	return 1;
}

static void check_action(struct check_run *t, const json_t *example, const json_t *expect)
{
	struct action_call k = {.a = t->a,
	    .p = t->p,
	    .c = example_read_access(t, example),
	    .act = provider_find_action(t->p, json_str(example, "action")),
	    .inputs = json_object_get(example, "inputs")};
	struct call_result res;

	if (check_call(t, example, expect, &k, &res) == 1)
		check_compare(
		    t, "result", json_object_get(expect, "result"), call_result_json(t, &res));
}

static json_t *batch_results_json(const struct batch_result *results, size_t n)
{
	json_t *all = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		json_set_str(o, "class", call_class_names[results[i].class]);
		if (results[i].id != NULL)
			json_set_str(o, "id", results[i].id);
		if (results[i].error != NULL)
			json_set_str(o, "error", results[i].error);
		json_array_append_new(all, o);
	}
	return all;
}

static void check_batch(struct check_run *t, const json_t *example, const json_t *expect)
{
	const char *name = json_str(example, "batch"), *action;
	const json_t *records = json_object_get(example, "records");
	struct access *c = example_read_access(t, example);
	struct action_call k = {.a = t->a, .p = t->p, .c = c};
	struct call_result res;
	size_t max = 0;

	action = name == NULL ? NULL : provider_batch_action(t->p, name, &max);
	if (action == NULL || json_array_size(records) == 0 || json_array_size(records) > max) {
		check_report(
		    t, false, "batch", "no such batch, or too few or too many \"records\"");
		return;
	}
	k.act = provider_find_action(t->p, action);
	k.inputs = provider_batch_inputs(t->p, t->a, c, name, records);
	if (check_call(t, example, expect, &k, &res) == 1)
		check_compare(t, "results", json_object_get(expect, "results"),
		    json_own(t->a, batch_results_json(
				       provider_batch_results(t->p, t->a, c, name, records, &res),
				       json_array_size(records))));
}

/* What is made of the details of a record, fetched alone or from among many. */
static void check_details(struct check_run *t, const json_t *example, const json_t *expect)
{
	const char *type = json_str(example, "details"), *id = json_str(example, "id");
	json_t *output = json_object_get(example, "output"), *got = json_own(t->a, json_object()),
	       *record;
	int64_t updated_us;

	if (type == NULL || output == NULL) {
		check_report(t, false, "details", "\"details\" and \"output\" are needed");
		return;
	}
	if (id != NULL)
		output = provider_details_of(t->p, t->a, type, output, str_from(id));
	record =
	    output == NULL ? NULL : provider_details_record(t->p, t->a, type, output, &updated_us);
	if (record != NULL) {
		json_set(got, "record", json_incref(record));
		json_set_clock(got, "updatedAt", updated_us);
	}
	check_compare(t, "details", json_object_get(expect, "details"), got);
}

static void check_forms(struct check_run *t, const json_t *example, const json_t *expect)
{
	json_t *got = json_own(t->a, json_array()), *form;
	size_t i;

	json_array_each(json_object_get(example, "forms"), i, form) {
		json_t *read = provider_form(t->p, t->a, form);

		json_array_append_new(got, read == NULL ? json_null() : json_incref(read));
	}
	check_compare(t, "forms", json_object_get(expect, "forms"), got);
}

static void check_push_fields(struct check_run *t, const json_t *example, const json_t *expect)
{
	json_t *fields = provider_push_fields(t->p, t->a, json_object_get(example, "fieldsOf"));

	check_compare(t, "fields", json_object_get(expect, "fields"), fields);
}

static void check_values(struct check_run *t, const json_t *example, const json_t *expect)
{
	const char *name = json_str(example, "list");
	const struct value_list *list = provider_find_list(t->p, name);
	json_t *values = json_own(t->a, json_array());

	if (list == NULL) {
		check_report(t, false, "values", "there is no list %s", name);
		return;
	}
	value_list_read(list, t->a, json_object_get(example, "output"), values);
	check_compare(t, "values", json_object_get(expect, "values"), values);
}

/* Examples that are themselves wrong are failures, not silence. */
static bool example_is_valid(struct check_run *t, const json_t *e)
{
	static const char *const keys[] = {"name", "at", "connection", "request", "lead", "action",
	    "inputs", "answer", "batch", "records", "details", "id", "output", "forms", "fieldsOf",
	    "list", "poll", "subscription", "call", "form", "known", "cursor", "answers", "oauth",
	    "expect", NULL};
	static const char *const expect_keys[] = {"verified", "malformed", "accounts", "items",
	    "left", "nothing", "handshake", "lead", "request", "result", "refused", "results",
	    "details", "forms", "fields", "values", "calls", "cursor", "error", "inputs", "told",
	    "url", "callback", "tokens", "identity", "connections", NULL};
	struct err err = ERR_INIT;
	struct json_reader in = {.err = &err};

	t->name = json_str(e, "name");
	if (t->name == NULL)
		t->name = "an example without a name";
	if (json_read_keys(&in, e, keys) == -1 ||
	    (json_object_get(e, "expect") != NULL &&
		json_read_keys(&in, json_object_get(e, "expect"), expect_keys) == -1) ||
	    json_object_size(json_object_get(e, "expect")) == 0) {
		check_report(t, false, "example", "%s",
		    err.msg[0] != '\0' ? err.msg : "nothing is expected");
		return false;
	}
	return true;
}

static void check_examples(struct check_run *t)
{
	size_t i;
	json_t *e;

	json_array_each(t->p->examples, i, e) {
		const json_t *expect = json_object_get(e, "expect");

		if (!example_is_valid(t, e))
			continue;
		if (json_object_get(e, "request") != NULL)
			check_webhook(t, e, expect);
		else if (json_object_get(e, "oauth") != NULL)
			check_oauth(t, e, expect);
		else if (json_object_get(e, "lead") != NULL)
			check_lead(t, e, expect);
		else if (json_object_get(e, "poll") != NULL)
			check_poll(t, e, expect);
		else if (json_object_get(e, "subscription") != NULL)
			check_subscription(t, e, expect);
		else if (json_object_get(e, "batch") != NULL)
			check_batch(t, e, expect);
		else if (json_object_get(e, "details") != NULL)
			check_details(t, e, expect);
		else if (json_object_get(e, "forms") != NULL)
			check_forms(t, e, expect);
		else if (json_object_get(e, "fieldsOf") != NULL)
			check_push_fields(t, e, expect);
		else if (json_object_get(e, "list") != NULL)
			check_values(t, e, expect);
		else
			check_action(t, e, expect);
	}
}

int provider_check(const char *file, struct buf *out, struct err *err)
{
	struct arena *a = arena_new();
	struct check_run t = {.a = a, .out = out, .name = file};
	int rc = -1;

	t.p = manifest_load_file(a, file, err);
	if (t.p == NULL)
		goto out;
	buf_str(out, "TAP version 13\n");
	check_report(&t, true, "loads", " ");
	check_examples(&t);
	check_coverage(&t);
	buf_printf(out, "1..%d\n", t.number);
	rc = t.failures;
out:
	arena_free(a);
	return rc;
}
