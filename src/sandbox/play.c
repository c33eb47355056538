/* From an address to the handler of the provider that it belongs to. */
#include "sandbox/play.h"

#include "base/limits.h"
#include "http/form.h"

const struct play *const plays[] = {&play_meta, &play_google_ads, &play_linkedin, &play_tiktok,
    &play_hubspot, &play_salesforce, &play_calendar, &play_twilio, &play_zoom, &play_slack,
    &play_whatsapp, &play_stripe, &play_shopify, &play_zendesk};
const size_t nplays = sizeof(plays) / sizeof(plays[0]);

const struct play *play_find(struct str name)
{
	for (size_t i = 0; i < nplays; i++)
		if (str_is(name, plays[i]->name))
			return plays[i];
	return NULL;
}

/* ---- the address -------------------------------------------------------------------------- */

/* A name of the DNS with a top-level domain of letters: "api.hubapi.com", but no "v26.0" nor
 * "Messages.json", which stand in paths. */
static bool is_host(struct str s)
{
	static const char *const top[] = {".com", ".net", ".org", ".us", ".test", ".example", NULL};

	for (const char *const *t = top; *t != NULL; t++)
		if (s.n > strlen(*t) && str_ends(s, *t))
			return true;
	return false;
}

/* Cuts "/first" off the path; the rest keeps its slash. */
static struct str path_take(struct str *path)
{
	struct str first = {path->p + 1, path->n - 1};
	const char *slash = first.n > 0 ? memchr(first.p, '/', first.n) : NULL;

	if (slash != NULL)
		first.n = (size_t)(slash - first.p);
	*path = (struct str){first.p + first.n, path->n - 1 - first.n};
	return first;
}

static bool address_read(struct play_call *c, struct str path)
{
	struct str rest = path, first;

	if (path.n < 2 || path.p[0] != '/')
		return false;
	c->play = play_find(path_take(&rest));
	if (c->play == NULL)
		return false;
	c->path = rest;
	if (rest.n > 1) {
		first = path_take(&rest);
		if (is_host(first)) {
			c->host = first;
			c->path = rest;
		}
	}
	if (c->path.n == 0)
		c->path = STR("/");
	return true;
}

/* ---- the route ---------------------------------------------------------------------------- */

static struct str segment_decode(struct arena *a, struct str s)
{
	char *text = arena_alloc(a, s.n + 1);
	const long n = percent_decode(text, s.n + 1, s, false);

	return n >= 0 ? (struct str){text, (size_t)n} : s;
}

bool play_path_fits(struct play_call *c, const char *pattern)
{
	struct str want = str_from(pattern), have = c->path, w, h;

	c->params = (struct http_pairs){arena_array(c->a, 8, sizeof(*c->params.v)), 0};
	while (want.n > 1 && have.n > 1) {
		w = path_take(&want);
		if (str_is(w, "*")) {
			c->params.v[c->params.n++] = (struct http_pair){STR("rest"),
			    segment_decode(c->a, (struct str){have.p + 1, have.n - 1})};
			return true;
		}
		h = path_take(&have);
		if (w.p[0] != ':') {
			if (!str_eq(w, segment_decode(c->a, h)))
				return false;
			continue;
		}
		c->params.v[c->params.n++] =
		    (struct http_pair){{w.p + 1, w.n - 1}, segment_decode(c->a, h)};
	}
	return want.n <= 1 && have.n <= 1;
}

static const struct play_route *route_find(struct play_call *c)
{
	const enum http_method method = c->r->method == HTTP_HEAD ? HTTP_GET : c->r->method;

	for (size_t i = 0; i < c->play->nroutes; i++)
		if (c->play->routes[i].method == method &&
		    play_path_fits(c, c->play->routes[i].pattern))
			return &c->play->routes[i];
	return NULL;
}

static void body_parse(struct play_call *c)
{
	const struct str type = media_type(c->r->content_type), body = c->r->body;
	bool is_repaired;

	if (body.n == 0)
		return;
	if (body.p[0] == '{' || body.p[0] == '[')
		c->body = c->r->json = json_parse(c->a, body, NULL);
	else if (type.n == 0 || str_ieq(type, STR("application/x-www-form-urlencoded")))
		form_parse_lenient(c->a, body, &c->form, &is_repaired);
}

/* ---- who calls ---------------------------------------------------------------------------- */

/* Lets in whose token is known and lives; 1, or 0 and it is answered. */
static int bearer_check(struct play_call *c, int *rc)
{
	const struct str token = c->play->token != NULL ? c->play->token(c) : play_bearer_token(c);
	int64_t ends_us;

	c->bearer = token.n > 0 ? play_get(c, "token", token) : NULL;
	if (c->bearer == NULL) {
		*rc = play_refuse(c, REFUSE_NO_TOKEN, NULL);
		return 0;
	}
	ends_us = json_int(c->bearer, "ends_us");
	if (ends_us != 0 && ends_us <= c->r->received_us) {
		*rc = play_refuse(c, REFUSE_EXPIRED, NULL);
		return 0;
	}
	return 1;
}

/* Counts the calls of this second, where the switch per_second bounds them. */
static bool is_one_too_many(struct play_call *c)
{
	const int64_t most = play_switch_number(c, "per_second", 0),
		      second = clock_now_us() / SECOND_US;
	const json_t *count = most > 0 ? play_get(c, "count", STR("calls")) : NULL;
	const int64_t n = json_int(count, "second") == second ? json_int(count, "n") : 0;

	if (most <= 0)
		return false;
	(void)play_put(c, "count", "calls",
	    json_pack("{s:I,s:I}", "second", (json_int_t)second, "n", (json_int_t)(n + 1)));
	return n >= most;
}

static int call_answer(struct play_call *c)
{
	const struct play_route *route;
	int rc = 0;

	if (oauth_handle(c, &rc) == 1)
		return rc;
	if (c->play->headers != NULL)
		c->play->headers(c);
	if (is_one_too_many(c))
		return play_refuse(c, REFUSE_THROTTLED, NULL);
	route = route_find(c);
	if (route == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	if (!route->is_open && bearer_check(c, &rc) == 0)
		return rc;
	return route->handler(c);
}

/* ---- a call ------------------------------------------------------------------------------- */

/* Faults in the provider's own words, else as of any server. */
static int call_fail(struct play_call *c, const char *target, const struct fault *fault)
{
	int rc;

	if (c->play == &play_meta || (fault->kind != FAULT_THROTTLE && fault->kind != FAULT_TOKEN &&
					 fault->kind != FAULT_ERROR))
		return fault_answer(c->r, target, fault);
	rc = play_refuse(c,
	    fault->kind == FAULT_THROTTLE ? REFUSE_THROTTLED
	    : fault->kind == FAULT_TOKEN  ? REFUSE_NO_TOKEN
					  : REFUSE_BROKEN,
	    NULL);
	if (fault->status != 0)
		c->r->res.status = fault->status;
	return rc;
}

static int call_run(struct play_call *c)
{
	struct err err = ERR_INIT;
	int rc;

	if (store_lock(c->s->store, &err) == -1)
		return res_error(c->r, &err);
	rc = call_answer(c);
	store_unlock(c->s->store);
	return c->err.code != ERR_NONE ? res_error(c->r, &c->err) : rc;
}

/* Browsers say that they take HTML; programs that call an API do not. */
static bool is_for_person(struct req *r)
{
	const struct str accept = req_header(r, "accept");

	return accept.p != NULL && memmem(accept.p, accept.n, "text/html", 9) != NULL;
}

int play_handle(struct req *r)
{
	struct play_call c = {.r = r, .a = r->a, .s = sandbox_of(r)};
	struct fault fault;
	const char *target;
	struct err err = ERR_INIT;
	int rc;

	if (!address_read(&c, r->path))
		return is_for_person(r)
			   ? page_problem(r, 404, "Page not found",
				 "There is no such page, and nothing is played at this address.")
			   : res_problem(r, 404, "Nothing is played at this address");
	if (play_seed_all(c.s, &err) == -1)
		return res_error(r, &err);
	target = oauth_is_token(&c)     ? arena_printf(r->a, "%s.token", c.play->name)
		 : c.play == &play_meta ? "graph"
					: c.play->name;
	fault = faults_draw(c.s->faults, target, (struct str){NULL, 0}, r->path);
	body_parse(&c);
	rc = fault.kind != FAULT_NONE && fault.kind != FAULT_LOST ? call_fail(&c, target, &fault)
								  : call_run(&c);
	play_log_add(&c, fault_name(fault.kind));
	return fault.kind == FAULT_LOST ? fault_cut(r) : rc;
}

/* ---- the first rows ----------------------------------------------------------------------- */

struct play_call play_call_inside(struct sandbox *s, struct arena *a, const struct play *p)
{
	return (struct play_call){.a = a, .s = s, .play = p};
}

static const struct store_kind seeds_kind = {"sandbox", "state"};

static bool is_seeded(const struct sandbox *s)
{
	return store_get(s->store, seeds_kind, STR("seeded")) != NULL;
}

static int seed_locked(struct sandbox *s, struct arena *a, struct err *err)
{
	for (size_t i = 0; i < nplays; i++) {
		struct play_call c = play_call_inside(s, a, plays[i]);

		oauth_token_put(
		    &c, arena_printf(a, "sandbox-%s-token", plays[i]->name), plays[i]->account, 0);
		if (plays[i]->seed != NULL)
			plays[i]->seed(&c);
		if (c.err.code != ERR_NONE) {
			*err = c.err;
			return -1;
		}
	}
	return store_put(s->store, seeds_kind, "seeded", json_true(), err);
}

int play_seed_all(struct sandbox *s, struct err *err)
{
	struct arena *a;
	int rc;

	if (store_sync(s->store, err) == -1)
		return -1;
	if (is_seeded(s))
		return 0;
	a = arena_new();
	rc = store_lock(s->store, err);
	if (rc == 0) {
		if (!is_seeded(s))
			rc = seed_locked(s, a, err);
		store_unlock(s->store);
	}
	arena_free(a);
	return rc;
}

int play_reset(struct sandbox *s, struct err *err)
{
	return store_clear(s->store, err) == -1 ? -1 : play_seed_all(s, err);
}
