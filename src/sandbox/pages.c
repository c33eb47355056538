/* The pages: plain HTML, no script. Each form posts and is redirected, so that a reload repeats
 * nothing. */
#include "base/clock.h"
#include "base/limits.h"
#include "html/template.h"
#include "sandbox/play.h"

#define SHOWN 50

static const char content_security_policy[] =
    "default-src 'none'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'";

/* A login's form leads back to whoever asked for it. */
static const char login_security_policy[] =
    "default-src 'none'; style-src 'self'; form-action 'self' http: https:; "
    "base-uri 'none'; frame-ancestors 'none'";

static const struct {
	const char *kind, *text;
} kind_texts[] = {
    {"error", "an error (500, or the status below)"},
    {"throttle", "too many requests (429, or Meta's rate limit)"},
    {"token", "the token is dead (401)"},
    {"slow", "the right answer, after three seconds"},
    {"timeout", "no answer for a minute"},
    {"drip", "an answer in drops"},
    {"reset", "the connection breaks off"},
    {"lost", "it is done, but the answer is lost"},
    {"huge", "an answer of 10 MB"},
    {"invalid", "JSON that breaks off"},
    {"redirect", "a redirect to a private address"},
    {"answer", "200 with {\"ok\":false}"},
    {"rows", "some leads are refused, the others taken (the CRM)"},
};

/* ---- the frame ---------------------------------------------------------------------------- */

static int64_t faults_count_active(const json_t *settings)
{
	const json_t *one, *latency = json_object_get(settings, "latency_ms");
	int64_t n = 0;
	size_t i;

	json_array_each(json_object_get(settings, "faults"), i, one)
		if (json_object_get(one, "count") == NULL || json_int(one, "count") > 0)
			n++;
	return n + (json_int(latency, "graph") > 0) + (json_int(latency, "crm") > 0);
}

int sandbox_page(struct req *r, int status, const char *name, const char *title, json_t *data)
{
	struct sandbox *s = sandbox_of(r);
	struct buf *out = buf_new(r->a, LIMIT_PAGE_BYTES);
	struct err err = ERR_INIT;
	struct product p;

	json_own(r->a, data);
	json_set_str(data, "content", name);
	json_set_str(data, "title", title);
	json_set_bool(data, arena_printf(r->a, "is_%s", name), true);
	json_set_int(data, "faults_active", faults_count_active(faults_get(s->faults, r->a, NULL)));
	if (product_load(s, r->a, &p, NULL) == 0)
		json_set_str(data, "product_url", p.url);
	if (template_render(s->app.templates, "page", data, out, &err) == -1)
		return res_error(r, &err);
	res_header(r, "Content-Security-Policy",
	    strcmp(name, "authorize") == 0 ? login_security_policy : content_security_policy);
	res_header(r, "Referrer-Policy", "same-origin");
	res_header(r, "Cache-Control", "no-store");
	return res_text(r, status, "text/html; charset=utf-8", (struct str){out->p, out->len});
}

int page_problem(struct req *r, int status, const char *title, const char *detail)
{
	return sandbox_page(r, status, "problem", title, json_pack("{s:s}", "detail", detail));
}

/* Forms of other sites have no business here; browsers say where a form came from (Fetch Metadata).
 */
bool is_foreign_form(struct req *r)
{
	const struct str site = req_header(r, "sec-fetch-site");

	if (site.p == NULL || str_is(site, "same-origin") || str_is(site, "none"))
		return false;
	res_problem(r, 403, "This form was sent from another site");
	return true;
}

int page_css(struct req *r)
{
	res_header(r, "Cache-Control", "max-age=60");
	return res_text(r, 200, "text/css; charset=utf-8", sandbox_of(r)->css);
}

int page_icon(struct req *r)
{
	res_header(r, "Cache-Control", "max-age=86400");
	return res_empty(r, 204);
}

/* ---- sending ------------------------------------------------------------------------------ */

static json_t *sent_json(struct req *r, const struct product *p, struct str lead)
{
	const struct str status = req_query(r, "status");
	json_t *sent = json_object();
	int64_t n = 0;

	(void)str_to_i64(status, 0, 599, &n);
	json_set_bool(sent, "is_ok", n >= 200 && n < 300);
	json_set_str(sent, "tone", n >= 200 && n < 300 ? "good" : "bad");
	json_set_str(sent, "text",
	    n == 0 ? arena_printf(r->a, "Connect could not be reached at %s.", p->url)
		   : arena_printf(r->a, "Lead %.*s was sent; Connect answered %d.", (int)lead.n,
			 lead.p, (int)n));
	return sent;
}

static bool is_decimal_text(struct str s)
{
	int64_t n;

	return str_to_i64(s, 1, INT64_MAX, &n);
}

int page_home(struct req *r)
{
	const struct str lead = req_query(r, "lead");
	struct err err = ERR_INIT;
	struct product p;
	json_t *data;

	if (product_load(sandbox_of(r), r->a, &p, &err) == -1)
		return res_error(r, &err);
	data = json_pack("{s:{s:s,s:s,s:s,s:s,s:s}}", "example", "name", "Ada Lovelace", "email",
	    arena_printf(
		r->a, "ada.%lld@example.com", (long long)(clock_now_us() / SECOND_US % 100000)),
	    "phone", "+1 202 555 0143", "company", "Analytical Engines Ltd", "question",
	    "This week");
	json_set_bool(data, "is_ready", *p.url != '\0' && *p.app_secret != '\0');
	json_set_str(data, "base_url", req_base_url(r));
	if (is_decimal_text(lead)) {
		json_set_strn(data, "last_lead", lead);
		json_set(data, "sent", sent_json(r, &p, lead));
	}
	return sandbox_page(r, 200, "home", "Send a lead", data);
}

int page_send(struct req *r)
{
	static const char *const keys[] = {
	    "name", "email", "phone", "company", "question", "same_as"};
	json_t *wishes = json_own(r->a, json_object()), *answer;
	struct err err = ERR_INIT;

	if (is_foreign_form(r))
		return 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (req_form(r, keys[i]).n > 0)
			json_set_strn(wishes, keys[i], req_form(r, keys[i]));
	answer = hook_send_lead(sandbox_of(r), r->a, wishes, &err);
	if (answer == NULL)
		return res_error(r, &err);
	json_own(r->a, answer);
	return res_redirect(
	    r, arena_printf(r->a, "/?lead=%s&status=%lld", json_str(answer, "leadgen_id"),
		   (long long)json_int(answer, "status")));
}

/* ---- what came ---------------------------------------------------------------------------- */

static void request_describe(struct req *r, json_t *one)
{
	const int64_t status = json_int(one, "status");
	const json_t *body = json_object_get(one, "body");
	const bool is_stored = status >= 200 && status < 300;

	json_set_bool(one, "is_refused", !is_stored);
	json_set_bool(one, "is_new",
	    is_stored && json_str(one, "id") != NULL && !json_bool(one, "duplicate"));
	json_set_str(one, "status_text",
	    status == 0 ? "with nothing" : arena_printf(r->a, "%lld", (long long)status));
	if (json_is_string(body))
		json_object_set(one, "body_text", (json_t *)(uintptr_t)body);
	else if (body != NULL)
		json_set_strn(one, "body_text", json_pretty(r->a, body));
}

int page_received(struct req *r)
{
	const struct sink_query q = {.name = req_query(r, "name"), .limit = SHOWN};
	struct err err = ERR_INIT;
	json_t *data = sink_list(sandbox_of(r)->sink, r->a, &q, &err), *one;
	size_t i;

	if (data == NULL)
		return res_error(r, &err);
	json_array_each(json_object_get(data, "data"), i, one)
		request_describe(r, one);
	if (q.name.n > 0)
		json_set_strn(data, "name", q.name);
	else
		json_set(data, "crms", sink_names(sandbox_of(r)->sink, r->a));
	json_set_strn(data, "host", req_header(r, "host"));
	json_set_int(data, "shown", SHOWN);
	json_set_bool(
	    data, "is_cut", json_int(json_object_get(data, "counts"), "requests") > SHOWN);
	return sandbox_page(r, 200, "received", "What the CRM received", data);
}

int page_received_clear(struct req *r)
{
	struct err err = ERR_INIT;

	if (is_foreign_form(r))
		return 0;
	if (sink_clear(sandbox_of(r)->sink, &err) == -1)
		return res_error(r, &err);
	return res_redirect(r, "/received");
}

/* ---- faults ------------------------------------------------------------------------------- */

static const char *fault_kind_text(const char *kind)
{
	for (size_t i = 0; i < sizeof(kind_texts) / sizeof(kind_texts[0]); i++)
		if (strcmp(kind_texts[i].kind, kind) == 0)
			return kind_texts[i].text;
	return kind;
}

static const char *fault_target_text(struct arena *a, const char *target)
{
	const size_t name = strcspn(target, ".");
	const struct play *p = play_find((struct str){target, name});

	if (strcmp(target, "crm") == 0)
		return "CRM";
	if (strncmp(target, "crm.", 4) == 0)
		return arena_printf(a, "CRM %s", target + 4);
	if (strcmp(target, "graph") == 0)
		return "Meta";
	if (p == NULL)
		return "All";
	return target[name] == '\0' ? p->label : arena_printf(a, "%s, tokens", p->label);
}

static json_t *fault_targets_json(struct arena *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < nplays; i++) {
		const char *token = arena_printf(a, "%s.token", plays[i]->name);

		if (plays[i] != &play_meta)
			json_array_append_new(list, json_pack("{s:s,s:s}", "target", plays[i]->name,
							"text", plays[i]->label));
		if (plays[i]->oauth != NULL)
			json_array_append_new(list, json_pack("{s:s,s:s}", "target", token, "text",
							fault_target_text(a, token)));
	}
	return list;
}

/* With the status that it has, where another one than the usual was asked for. */
static const char *fault_text(struct arena *a, const json_t *fault)
{
	const char *text = fault_kind_text(json_str(fault, "kind"));
	const int64_t status = json_int(fault, "status");
	const char *usual = strstr(text, " (");

	if (str_is(str_from(json_str(fault, "kind")), "error"))
		return arena_printf(a, "%s (%lld)",
		    status >= 400 && status < 500 ? "the request is refused" : "server error",
		    (long long)(status > 0 ? status : 500));
	if (status == 0)
		return text;
	return arena_printf(a, "%.*s (%lld)",
	    (int)(usual == NULL ? strlen(text) : (size_t)(usual - text)), text, (long long)status);
}

static void fault_describe(struct req *r, json_t *one, size_t index)
{
	const char *target = json_str(one, "target");
	const json_t *count = json_object_get(one, "count"),
		     *probability = json_object_get(one, "probability");
	const char *often = "Every request";

	if (probability != NULL)
		often = arena_printf(
		    r->a, "%.3g %% of the requests", 100 * json_number_value(probability));
	json_set_int(one, "index", (int64_t)index);
	json_set_str(one, "kind_text", fault_text(r->a, one));
	json_set_str(one, "target_text", fault_target_text(r->a, target));
	if (count == NULL)
		json_set_str(one, "when_text", often);
	else if (json_integer_value(count) == 0)
		json_set_str(one, "when_text", "Used up");
	else
		json_set_str(one, "when_text",
		    arena_printf(
			r->a, "%s, %lld more", often, (long long)json_integer_value(count)));
}

static int faults_show(struct req *r, int status, const char *problem)
{
	struct err err = ERR_INIT;
	json_t *data = faults_get(sandbox_of(r)->faults, r->a, &err), *kinds, *one;
	size_t i;

	if (data == NULL)
		return res_error(r, &err);
	json_array_each(json_object_get(data, "faults"), i, one)
		fault_describe(r, one, i);
	kinds = json_array();
	for (i = 0; i < sizeof(kind_texts) / sizeof(kind_texts[0]); i++)
		json_array_append_new(kinds,
		    json_pack("{s:s,s:s}", "kind", kind_texts[i].kind, "text", kind_texts[i].text));
	json_set(data, "kinds", kinds);
	json_set(data, "targets", fault_targets_json(r->a));
	if (problem != NULL)
		json_set_str(data, "problem", problem);
	return sandbox_page(r, status, "faults", "Faults", json_incref(data));
}

int page_faults(struct req *r)
{
	return faults_show(r, 200, NULL);
}

/* Stores what a form changed, or shows the form again with the reason why not. */
static int faults_take(struct req *r, const json_t *settings)
{
	struct err err = ERR_INIT;

	if (faults_put(sandbox_of(r)->faults, settings, &err) == 0)
		return res_redirect(r, "/faults");
	if (err.code != ERR_INVALID)
		return res_error(r, &err);
	return faults_show(r, 422,
	    *err.field != '\0' ? arena_printf(r->a, "%s %s.", err.field, err.msg) : err.msg);
}

/* What the form says beside how often. */
static void fault_form_read(struct req *r, json_t *one)
{
	const struct str target = req_form(r, "target"), of = req_form(r, "of"),
			 match = req_form(r, "match");
	int64_t status;

	if (str_is(target, "crm") && of.n > 0)
		json_set_str(one, "target", arena_printf(r->a, "crm.%.*s", (int)of.n, of.p));
	else
		json_set_strn(one, "target", target);
	json_set_strn(one, "kind", req_form(r, "kind"));
	if (match.n > 0)
		json_set_strn(one, "match", match);
	if (req_form(r, "status").n > 0 && str_to_i64(req_form(r, "status"), 0, 999, &status))
		json_set_int(one, "status", status);
}

int page_faults_add(struct req *r)
{
	const struct str count = req_form(r, "count"), percent = req_form(r, "percent");
	struct err err = ERR_INIT;
	json_t *settings = faults_get(sandbox_of(r)->faults, r->a, &err), *one;
	int64_t n;

	if (is_foreign_form(r))
		return 0;
	if (settings == NULL)
		return res_error(r, &err);
	one = json_object();
	json_array_append_new(json_object_get(settings, "faults"), one);
	fault_form_read(r, one);
	if (count.n > 0 && !str_to_i64(count, 1, 1000000, &n))
		return faults_show(r, 422, "How many times must be a number from 1.");
	if (count.n > 0)
		json_set_int(one, "count", n);
	if (percent.n > 0 && !str_to_i64(percent, 1, 100, &n))
		return faults_show(r, 422, "The share must be from 1 to 100 percent.");
	if (percent.n > 0 && n < 100)
		json_set(one, "probability", json_real((double)n / 100));
	return faults_take(r, settings);
}

int page_faults_latency(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *settings = faults_get(sandbox_of(r)->faults, r->a, &err);
	int64_t crm, graph;

	if (is_foreign_form(r))
		return 0;
	if (settings == NULL)
		return res_error(r, &err);
	if (!str_to_i64(req_form(r, "crm"), 0, 60000, &crm) ||
	    !str_to_i64(req_form(r, "graph"), 0, 60000, &graph))
		return faults_show(r, 422, "Waits must be from 0 to 60000 milliseconds.");
	json_set(settings, "latency_ms",
	    json_pack("{s:I,s:I}", "crm", (json_int_t)crm, "graph", (json_int_t)graph));
	return faults_take(r, settings);
}

int page_faults_clear(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *settings = faults_get(sandbox_of(r)->faults, r->a, &err);
	int64_t index;

	if (is_foreign_form(r))
		return 0;
	if (settings == NULL)
		return res_error(r, &err);
	if (req_form(r, "index").n == 0)
		settings = json_own(r->a, json_object());
	else if (str_to_i64(req_form(r, "index"), 0, 1000, &index))
		json_array_remove(json_object_get(settings, "faults"), (size_t)index);
	return faults_take(r, settings);
}
