/* http: a request to any address that the egress rules allow. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "flow/flow-internal.h"
#include "net/egress.h"
#include "net/http-client.h"
#include "provider/provider.h"

#define HEADERS_MOST 50
#define RETRY_AFTER_CAP_MS 3600000
#define ANSWER_MOST (1024u * 1024u)
#define FAULT_BYTES 200u

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", NULL};

static void pair_put(struct http_pairs *p, const char *name, const char *value)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_ieq(p->v[i].name, str_from(name))) {
			p->v[i].value = str_from(value);
			return;
		}
	p->v[p->n++] = (struct http_pair){str_from(name), str_from(value)};
}

/* Ours first, so that those of people win. */
static int http_headers(struct step_call *c, bool is_json, struct http_pairs *out, struct err *err)
{
	const json_t *given = step_input(c, "headers");
	const char *name;
	json_t *v;

	out->v = arena_array(c->a, HEADERS_MOST + 3, sizeof(*out->v));
	pair_put(out, "Accept", "application/json, */*");
	pair_put(out, "Idempotency-Key", uuid_dup(c->a, c->key));
	if (is_json)
		pair_put(out, "Content-Type", "application/json");
	if (json_object_size(given) > HEADERS_MOST)
		return err_set(err, ERR_INVALID, "more than %d headers", HEADERS_MOST);
	json_object_each(given, name, v) {
		const char *text = json_scalar_text(c->a, v);

		if (text != NULL)
			pair_put(out, name, text);
	}
	return 0;
}

/* The query's members behind the URL. */
static const char *http_url(const struct step_call *c)
{
	const char *url = step_text(c, "url"), *name;
	struct buf *b = buf_new(c->a, LIMIT_URL_BYTES);
	json_t *v;
	bool has_query = url != NULL && strchr(url, '?') != NULL;

	if (url == NULL)
		return NULL;
	buf_str(b, url);
	json_object_each(step_input(c, "query"), name, v) {
		const char *text = json_scalar_text(c->a, v);

		if (text == NULL)
			continue;
		buf_chr(b, has_query ? '&' : '?');
		has_query = true;
		percent_encode(b, str_from(name));
		buf_chr(b, '=');
		percent_encode(b, str_from(text));
	}
	return buf_ok(b) ? b->p : NULL;
}

static json_t *http_body(struct arena *a, const struct http_answer *ans)
{
	struct str type = http_pairs_get(&ans->headers, "content-type");
	bool is_json = type.n > 0 && memmem(type.p, type.n, "json", 4) != NULL;
	json_t *v = is_json ? json_parse(a, ans->body, NULL) : NULL;
	struct str text;

	if (v != NULL)
		return json_incref(v);
	text = utf8_clean(a, ans->body, ANSWER_MOST);
	return json_stringn(text.p, text.n);
}

static json_t *http_output(struct arena *a, const struct http_answer *ans)
{
	json_t *o = json_own(a, json_object()), *headers = json_object();

	for (size_t i = 0; i < ans->headers.n; i++)
		json_set_strn(headers, str_copy(a, ans->headers.v[i].name).p,
		    utf8_clean(a, ans->headers.v[i].value, LIMIT_URL_BYTES));
	json_set_int(o, "status", ans->status);
	json_set(o, "headers", headers);
	json_set(o, "body", http_body(a, ans));
	return o;
}

/* 3xx, and 4xx but 408, 425 and 429, would be the same next time. */
static bool is_refusal(int status)
{
	return status < 500 && status != 408 && status != 425 && status != 429;
}

/* Who sends something is told the new address: it is not sent there by itself. */
static int http_fail_moved(
    struct arena *a, const struct http_call *call, const struct http_answer *ans, struct err *err)
{
	struct str location = http_pairs_get(&ans->headers, "location");
	const char *to;

	if (location.n == 0)
		return err_set(err, ERR_UNAVAILABLE, "the server answered %d", ans->status);
	to = url_resolve(a, call->url, arena_strndup(a, location.p, location.n));
	return err_set(err, ERR_UNAVAILABLE, "HTTP %d: moved to %s", ans->status,
	    utf8_clean(a, str_from(to), FAULT_BYTES).p);
}

static int http_make(struct step_call *c, const struct http_call *call, struct err *err)
{
	struct http_answer ans;

	if (http_client_call(c->app->http, c->a, call, &ans, err) == -1) {
		c->is_refused = err->code == ERR_REFUSED || err->code == ERR_INVALID;
		return -1;
	}
	c->output = http_output(c->a, &ans);
	if (ans.status < 300 || ans.status == 304)
		return 0;
	c->is_refused = is_refusal(ans.status);
	if (ans.status < 400)
		return http_fail_moved(c->a, call, &ans, err);
	c->again_ms = http_answer_retry_after_ms(&ans, clock_now_us(), RETRY_AFTER_CAP_MS);
	return err_set(err, ERR_UNAVAILABLE, "the server answered %d: %s", ans.status,
	    utf8_clean(c->a, ans.body, FAULT_BYTES).p);
}

static int http_run(struct step_call *c, struct err *err)
{
	json_t *body = step_input(c, "body"), *would;
	bool is_text = json_is_string(body);
	struct http_call call = {
	    .method = step_text(c, "method"), .url = http_url(c), .max_answer = ANSWER_MOST};
	struct err why = ERR_INIT;
	int64_t timeout_s;

	c->is_refused = true;
	if (call.url == NULL)
		return err_set(err, ERR_INVALID, "\"url\" is empty or too long");
	if (egress_check_url(c->app->config, call.url, &why) == -1)
		return err_set(err, why.code, "the URL %s", why.msg);
	if (call.method == NULL)
		call.method = body != NULL ? "POST" : "GET";
	call.follow_redirects =
	    body == NULL && (strcmp(call.method, "GET") == 0 || strcmp(call.method, "HEAD") == 0);
	if (step_number(c, "timeoutSeconds", 0, &timeout_s, err) == -1 ||
	    http_headers(c, body != NULL && !is_text, &call.headers, err) == -1)
		return -1;
	call.timeout_ms = timeout_s * 1000;
	if (is_text)
		call.body = (struct str){json_string_value(body), json_string_length(body)};
	else if (body != NULL)
		call.body = json_text(c->a, body);
	c->is_refused = false;
	if (!c->is_dry)
		return http_make(c, &call, err);
	would = json_object();
	json_set_str(would, "url", call.url);
	json_set(would, "body", json_incref(body));
	step_would(c, arena_printf(c->a, "%s %s", call.method, call.url), would);
	return 0;
}

static void check_headers(struct step_check *c)
{
	const char *name, *text;
	json_t *v;

	json_object_each(step_given(c->step, "headers"), name, v) {
		text = json_string_value(v);
		if (!http_header_is_name(str_from(name)))
			step_complain(c, "headers",
			    "have \"%.60s\", which is no name of a header, such as X-API-Key",
			    name);
		if (text != NULL && strpbrk(text, "\r\n") != NULL)
			step_complain(c, "headers", "have a line break in %.60s", name);
	}
}

/* A constant address is judged at once. */
static int http_check(struct step_check *c, struct err *err)
{
	const char *url = step_constant(c->a, c->step, "url");
	struct err why = ERR_INIT;

	(void)err;
	if (url != NULL && egress_check_url(c->app->config, url, &why) == -1)
		step_complain(c, "url", "%s", why.msg);
	check_headers(c);
	return 0;
}

const struct step_kind step_http = {.name = "http",
    .label = "HTTP request",
    .help =
	"Calls any address on the internet. An answer of 400 and above is a failure, and so is a "
	"redirect of what is sent there; one of a GET is followed.",
    .how = STEP_OUTSIDE,
    .fields =
	(const struct step_field[]){{"method", STEP_CHOICE, 0, "Method",
					"GET, or POST where there is a body", 0, 0, methods},
	    {"url", STEP_STRING, STEP_NEEDED | STEP_INPUT, "URL", "https://…", 0, 0, NULL},
	    {"query", STEP_OBJECT, STEP_INPUT, "Query", NULL, 0, 0, NULL},
	    {"headers", STEP_OBJECT, STEP_INPUT, "Headers", NULL, 0, 0, NULL},
	    {"body", STEP_VALUE, STEP_INPUT, "Body",
		"A text is sent as it is, anything else as JSON", 0, 0, NULL},
	    {"timeoutSeconds", STEP_NUMBER, 0, "Time limit, in seconds", NULL, 1, 120, NULL},
	    {.name = NULL}},
    .outputs = (const struct step_output[]){{"status", "such as 200"},
	{"headers", "by lower-case names"}, {"body", "JSON, or a text"}, {NULL, NULL}},
    .check = http_check,
    .run = http_run};
