/* The webhook endpoints: route → verify → write set → commit → acknowledge.
 *
 *	/webhook/TYPE/ID ─> its connection ─────────┐
 *	/webhook/TYPE ─> handshake? answered        │
 *	   └─> those that the payload names ────────┴─> verify ─> handshake? answered
 *	         none: 404                                │  └─> sets ─> commit ─> 200
 *	                             none: 401, rejected ─┘        └─ makes no sense: failed
 *
 * - Nothing is acknowledged before its commit: until then the provider's own copy, which it sends
 *   again, is the only other one.
 * - A stranger's body costs little: it is parsed after it was verified. Before that only a small
 *   one (it may be a handshake), and one that names its connections or holds what it is verified
 *   by, of not too many values (webhook_count_values). That it makes no sense is of interest behind
 *   the verification alone; where the payload must name the connections there is nobody to verify
 *   it for, and it is told at once (400).
 * - Where the address names no connection a handshake is for whoever it verifies for, among all of
 *   the provider's: it is how such an address is registered, often before there is an account id.
 * - What is known of a connection's use is noted behind the answer.
 * - A request for several connections is a set, and so an event, for each that verifies it. The
 *   sets go to the writer together.
 * - A rejected request leaves a trace that is cut and limited per minute, since a stranger decides
 *   how many there are. A verified one is kept whole and acknowledged whatever is in it: sent again
 *   it would be the same. Its fault may be in a setting or in our manifest, and it can be replayed
 *   when that is mended.
 * - What authenticates is not stored: such headers are masked, the connection's secrets are
 *   redacted in the others and in the URL.
 *
 * A replay (event-replay.c) takes the second half of the way: the stored body was verified when it
 * came. */
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/shared.h"
#include "connection/app.h"
#include "connection/connection.h"
#include "intake/intake-internal.h"
#include "provider/token-kept.h"

#define SETS_AT_ONCE 64u       /* that go to the writer together */
#define REJECTED_PER_MINUTE 60 /* rows kept of requests that fail verification, per connection */
#define HANDSHAKE_BYTES (16u * 1024u) /* of a body, at most */
#define STRANGER_VALUES 100000u       /* one for ten bytes of the usual limit; senders' have more */
#define SEARCHES_PER_MINUTE                                                                        \
	60 /* of all connections, for a handshake that names none; per client                      \
	    */

struct intake_request {
	struct req *r;
	const struct provider *provider;
	struct webhook hook;  /* its body as decoded */
	struct str received;  /* the body as it came */
	struct err parse_err; /* why the body is not what the manifest says; code ERR_NONE: it is */
	struct connection **connections;
	const char **verified; /* what there is to say of that; NULL: nothing */
	size_t nconnections, cap;
	bool is_named; /* by the payload: who may be behind them is proved by nothing yet */
	bool has_shut; /* one that it names cannot be asked: its credentials cannot be opened */
	bool is_verified;
};

uint64_t intake_body_limit(const struct req *r)
{
	const struct provider *p = provider_find(r->app->providers, req_param(r, "providerType"));

	return p != NULL && provider_can(p, "webhook_receive") ? webhook_body_limit(p)
							       : LIMIT_BODY_WEBHOOK;
}

/* ---- finding the connections ------------------------------------------------------------- */

static void intake_add_connection(struct intake_request *in, struct connection *c)
{
	if (in->nconnections == in->cap) {
		size_t cap = in->cap == 0 ? 4 : 2 * in->cap;
		struct connection **v = arena_array(in->r->a, cap, sizeof(*v));

		if (in->nconnections > 0)
			memcpy(v, in->connections, in->nconnections * sizeof(*v));
		in->connections = v;
		in->cap = cap;
	}
	in->connections[in->nconnections++] = c;
}

/* The sender shall keep it, and come again, as long as what is known of the connection cannot be
 * read. */
static int intake_find_failed(struct intake_request *in, const struct err *err)
{
	struct err later = ERR_INIT;

	if (err->code != ERR_UNREADABLE)
		return res_error(in->r, err);
	err_set(&later, ERR_UNAVAILABLE, "the connection: %s", err->msg);
	return res_error(in->r, &later);
}

static int intake_find_by_id(struct intake_request *in, struct str text)
{
	struct uuid id;
	struct err err = ERR_INIT;
	struct connection *c = NULL;
	int found = 0;

	if (uuid_parse(text, &id))
		found = connection_cached(in->r->app, &id, &c, &err);
	if (found == -1) {
		intake_find_failed(in, &err);
		return -1;
	}
	if (found == 0 || c->provider != in->provider) {
		res_problem(in->r, 404, "There is no such webhook address");
		return -1;
	}
	intake_add_connection(in, c);
	return 0;
}

static int intake_add_external(struct intake_request *in, struct str id, struct err *err)
{
	struct connection **found;
	size_t n;

	if (connection_cached_by_external(in->r->app, in->provider, id, &found, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (found[i]->shut != 0)
			in->has_shut = true;
		else
			intake_add_connection(in, found[i]);
	return 0;
}

/* It may be for one that cannot be asked just now: then the sender shall keep it, and come again.
 */
static int intake_is_shut(struct intake_request *in)
{
	res_header(in->r, "Retry-After", "60");
	return res_problem(in->r, 503,
	    "A connection that this may be for cannot be opened at present: its key is missing");
}

/* The app-level endpoint: the payload names its connections. */
static int intake_find_by_payload(struct intake_request *in)
{
	struct err err = ERR_INIT;
	struct str *ids;
	size_t n;

	in->is_named = true;
	if (webhook_accounts(in->provider, in->r->a, &in->hook, &ids, &n) == -1) {
		res_problem(
		    in->r, 413, "The payload names more than %u accounts", LIMIT_WEBHOOK_ACCOUNTS);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (intake_add_external(in, ids[i], &err) == -1) {
			intake_find_failed(in, &err);
			return -1;
		}
	}
	if (in->nconnections > 0)
		return 0;
	if (in->has_shut)
		intake_is_shut(in);
	else if (n == 0 && in->parse_err.code != ERR_NONE)
		res_error(in->r, &in->parse_err);
	else
		res_problem(in->r, 404, "No connection here belongs to what this payload names");
	return -1;
}

static bool intake_open(struct intake_request *in, struct req *r)
{
	struct str type = req_param(r, "providerType");
	struct buf *url = buf_new(r->a, LIMIT_URL_BYTES);

	*in = (struct intake_request){.r = r, .provider = provider_find(r->app->providers, type)};
	if (in->provider == NULL && provider_is_refused(r->app->providers, type)) {
		res_header(r, "Retry-After", "60");
		res_problem(
		    r, 503, "The manifest of this provider is wrong at present: see the log");
		return false;
	}
	if (in->provider == NULL || !provider_can(in->provider, "webhook_receive")) {
		res_problem(r, 404, "There is no such webhook address");
		return false;
	}
	buf_str(url, req_base_url(r));
	buf_add(url, r->path.p, r->path.n);
	if (r->query_string.n > 0) {
		buf_chr(url, '?');
		buf_add(url, r->query_string.p, r->query_string.n);
	}
	in->received = r->body.p == NULL ? STR("") : r->body;
	in->hook = (struct webhook){
	    .req = r, .body = in->received, .url = url->p, .now_us = r->received_us};
	return true;
}

/* False when the decoded body is too large: answered. One that is not so coded is kept, once it is
 * verified. */
static bool intake_decode(struct intake_request *in)
{
	struct req *r = in->r;

	if (webhook_decode(in->provider, r->a, &in->hook, &in->parse_err) == -1 &&
	    in->parse_err.code == ERR_LIMIT) {
		res_error(r, &in->parse_err);
		return false;
	}
	return true;
}

/* False when it is not looked into before it is verified: answered. */
static bool intake_parse(struct intake_request *in)
{
	struct req *r = in->r;

	if (!in->is_verified && webhook_count_values(in->provider, &in->hook) > STRANGER_VALUES) {
		res_problem(r, 413,
		    "The body has more than %u values, which is too much for one that is not "
		    "verified yet",
		    STRANGER_VALUES);
		return false;
	}
	if (in->parse_err.code == ERR_NONE)
		(void)webhook_parse(in->provider, r->a, &in->hook, &in->parse_err);
	return true;
}

/* Is it for a connection that is known, which can tell without a look into it? */
static bool intake_verifies_first(const struct intake_request *in)
{
	return in->nconnections > 0 && in->hook.body.n > HANDSHAKE_BYTES &&
	       !webhook_verifies_by_body(in->provider);
}

/* ---- write sets -------------------------------------------------------------------------- */

/* Header lines as received, without what authenticates: a token may stand in any of them. */
static struct str intake_kept_headers(
    const struct intake_request *in, const struct connection *c, const unsigned char *token_key)
{
	static const char *const secret[] = {
	    "authorization", "cookie", "x-api-key", "proxy-authorization"};
	struct req *r = in->r;
	struct buf *b = buf_new(r->a, LIMIT_HEADER_BYTES * 2);

	for (size_t i = 0; i < r->headers.n; i++) {
		const struct http_pair *h = &r->headers.v[i];
		const bool is_token =
		    webhook_is_token_header(in->provider, r->a, &in->hook, &c->access, h->name);
		bool is_secret = is_token;

		for (size_t k = 0; k < sizeof(secret) / sizeof(secret[0]); k++)
			is_secret = is_secret || str_is(h->name, secret[k]);
		buf_add(b, h->name.p, h->name.n);
		buf_str(b, ": ");
		if (is_secret)
			token_kept_write(b, is_token ? token_key : NULL, h->value);
		else if (utf8_is_valid(h->value))
			buf_add(b, h->value.p, h->value.n);
		buf_chr(b, '\n');
	}
	return b->len == 0 ? STR("") : str_from(access_redact(r->a, &c->access, b->p));
}

/* token_key: of one that is rejected, or NULL. */
static struct write_set write_set_new(
    struct intake_request *in, const struct connection *c, const unsigned char *token_key)
{
	struct req *r = in->r;

	return (struct write_set){.event_id = uuid_new(),
	    .account_id = c->account_id,
	    .connection_id = c->id,
	    .provider_type = str_from(c->provider_type),
	    .remote_addr = utf8_clean(r->a, str_from(r->remote_addr), 64),
	    .request_id = utf8_clean(r->a, str_from(r->id), 64),
	    .url = utf8_clean(r->a,
		str_from(
		    webhook_redact_url(c->provider, r->a, &c->access, token_key, in->hook.url)),
		2000),
	    .headers = intake_kept_headers(in, c, token_key),
	    .body = in->received,
	    .received_us = r->received_us};
}

/* ---- behind the answer -------------------------------------------------------------------- */

/* Connections are the cache's, or the request's arena's: both last until the next request. */
static void note_strict(struct app *app, struct arena *a, void *connection)
{
	connection_note_strict(app, a, connection);
}

static void note_received(struct app *app, struct arena *a, void *connection)
{
	connection_note_received(app, a, connection, false);
}

static void note_handshake(struct app *app, struct arena *a, void *connection)
{
	connection_note_received(app, a, connection, true);
}

static void note_challenge(struct app *app, struct arena *a, void *failed)
{
	connection_note_challenge(app, a, failed);
}

/* ---- answers ----------------------------------------------------------------------------- */

/* Keeps the trace of a request that is turned away; bounded, since a stranger decides how many
 * there are. */
static void event_keep_rejected(
    struct intake_request *in, const struct connection *c, const char *reason)
{
	struct req *r = in->r;
	const char *key = arena_printf(r->a, "rejected:%s", uuid_dup(r->a, c->id));
	unsigned char token_key[TOKEN_KEY_BYTES];
	struct write_set ws;
	struct err err = ERR_INIT;

	log_info("webhook.rejected", LOG_S("provider", c->provider_type),
	    LOG_S("connection", uuid_dup(r->a, c->id)), LOG_S("reason", reason),
	    LOG_S("remote", r->remote_addr));
	if (shared_rate_take(r->app->shared, str_from(key), REJECTED_PER_MINUTE, 60, r->received_us)
		.is_over)
		return;
	if (event_token_key(r->app, r->a, &c->id, token_key, &err) == -1) {
		log_warn("webhook.reject_log", LOG_ERR(&err));
		return;
	}
	ws = write_set_new(in, c, token_key);
	explicit_bzero(token_key, sizeof(token_key));
	ws.reason = utf8_cut(str_from(reason), 255);
	if (ws.body.n > LIMIT_REJECTED_BODY)
		ws.body.n = LIMIT_REJECTED_BODY;
	ws.headers = utf8_cut(ws.headers, LIMIT_REJECTED_HEADERS);
	ws.latency_us = clock_now_us() - r->received_us;
	if (write_sets_submit(r->app, r->a, &ws, 1, &err) == -1)
		log_warn("webhook.reject_log", LOG_ERR(&err));
}

/* Where a payload named the connections, whoever sent it may be meant for any of them, or for none:
 * that is for the operator's log, without the body, and for no account's. */
static int intake_reject(struct intake_request *in, const char *reason)
{
	if (in->is_named)
		log_info("webhook.rejected", LOG_S("provider", provider_name(in->provider)),
		    LOG_I("connections", in->nconnections), LOG_S("reason", reason),
		    LOG_S("remote", in->r->remote_addr));
	else
		event_keep_rejected(in, in->connections[0], reason);
	return res_problem(in->r, 401, "The request could not be verified: %s", reason);
}

/* For who sets the connection up: its address was checked, and did not pass. */
static void challenge_note_failed(struct intake_request *in, const char *reason)
{
	struct connection_challenge *failed = arena_alloc(in->r->a, sizeof(*failed));

	*failed = (struct connection_challenge){in->connections[0], reason};
	res_after(in->r, note_challenge, failed);
}

/* Keeps the connections that the request verifies for. False when there are none: answered. */
static bool intake_verify(struct intake_request *in, bool is_challenge)
{
	const char *reason = "not verified", *first_reason = NULL;
	struct connection **kept = in->connections; /* those before the one that is looked at */
	size_t n = 0;

	in->verified = arena_array(in->r->a, in->nconnections, sizeof(*in->verified));
	for (size_t i = 0; i < in->nconnections; i++) {
		struct connection *c = in->connections[i];

		if (event_verifies(in->r->a, c, &in->hook, in->received, &reason)) {
			in->verified[n] = reason;
			kept[n++] = c;
			if (!c->access.is_strict &&
			    webhook_is_strict(in->provider, in->r->a, &in->hook, &c->access))
				res_after(in->r, note_strict, c);
		} else if (first_reason == NULL)
			first_reason = reason;
	}
	if (n == 0 && in->has_shut) {
		intake_is_shut(in);
		return false;
	}
	if (n == 0) {
		if (is_challenge && !in->is_named)
			challenge_note_failed(in, first_reason == NULL ? reason : first_reason);
		intake_reject(in, first_reason == NULL ? reason : first_reason);
		return false;
	}
	in->nconnections = n;
	in->is_verified = true;
	return true;
}

static int intake_acknowledge(struct intake_request *in, const struct write_set *sets)
{
	const char *type;
	int status;
	struct str body;
	bool is_duplicate = true;
	json_t *o;

	if (webhook_answer(in->provider, in->r->a, &in->hook, &status, &type, &body))
		return res_text(in->r, status, type, body);
	for (size_t i = 0; i < in->nconnections; i++)
		is_duplicate = is_duplicate && sets[i].is_duplicate;
	o = json_object();
	json_set_bool(o, "received", true);
	json_set_str(o, "eventId", uuid_dup(in->r->a, sets[0].event_id));
	json_set_bool(o, "duplicate", is_duplicate);
	return res_json(in->r, 200, o);
}

/* What was verified is acknowledged whatever is in it: sent again it would be the same. */
static int set_take(struct intake_request *in, size_t i, struct write_set *ws, struct err *err)
{
	const struct connection *c = in->connections[i];
	struct req *r = in->r;

	*ws = write_set_new(in, c, NULL);
	write_set_note(r->a, ws, in->verified[i]);
	if (in->parse_err.code == ERR_NONE)
		write_set_fill(r->a, c, &in->hook, ws);
	else
		write_set_fail(r->a, ws, in->parse_err.msg);
	ws->latency_us = clock_now_us() - r->received_us;
	return write_set_leave_erased(r->app, r->a, ws, ws->received_us, err);
}

static void set_log_failed(struct intake_request *in, const struct write_set *ws)
{
	log_info("webhook.failed", LOG_STR("provider", ws->provider_type),
	    LOG_S("connection", uuid_dup(in->r->a, ws->connection_id)),
	    LOG_STR("reason", ws->reason));
}

/* The store refused the set as a whole: then its event is kept with the reason. */
static int set_keep_refused(struct intake_request *in, struct write_set *ws, struct err *err)
{
	write_set_fail(in->r->a, ws, ws->err.msg);
	ws->err = (struct err)ERR_INIT;
	return write_sets_submit(in->r->app, in->r->a, ws, 1, err);
}

static int intake_store(struct intake_request *in)
{
	struct req *r = in->r;
	struct write_set *sets = arena_array(r->a, in->nconnections, sizeof(*sets));
	struct err err = ERR_INIT;

	for (size_t i = 0; i < in->nconnections; i++)
		if (set_take(in, i, &sets[i], &err) == -1)
			return res_error(r, &err);
	for (size_t i = 0; i < in->nconnections; i += SETS_AT_ONCE) {
		size_t n =
		    in->nconnections - i < SETS_AT_ONCE ? in->nconnections - i : SETS_AT_ONCE;

		if (write_sets_submit(r->app, r->a, sets + i, n, &err) == -1)
			err_clear(&err); /* each says it for itself */
	}
	for (size_t i = 0; i < in->nconnections; i++) {
		if (error_is_of_payload(sets[i].err.code))
			(void)set_keep_refused(in, &sets[i], &err);
		else if (sets[i].err.code != ERR_NONE)
			err_set(&err, sets[i].err.code, "%s", sets[i].err.msg);
		else
			res_after(r, note_received, in->connections[i]);
		if (sets[i].is_failed)
			set_log_failed(in, &sets[i]);
	}
	return err.code != ERR_NONE ? res_error(r, &err) : intake_acknowledge(in, sets);
}

/* ---- handshakes -------------------------------------------------------------------------- */

/* Answered, if it is for one of these. */
static bool handshake_try(struct intake_request *in, const struct handshake *h,
    struct connection *const *connections, size_t n, const char **reason)
{
	const struct access **of = arena_array(in->r->a, n + 1, sizeof(struct access *));
	size_t k;

	for (size_t i = 0; i < n; i++)
		of[i] = &connections[i]->access;
	k = handshake_match(in->provider, h, in->r->a, &in->hook, of, n, reason);
	if (k == n)
		return false;
	handshake_answer(h, in->r, &in->hook, of[k]);
	if (in->r->res.status < 300)
		res_after(in->r, note_handshake, connections[k]);
	else if (in->nconnections > 0)
		challenge_note_failed(in, "its challenge is missing, or is none");
	return true;
}

/* Among all connections of the provider, since the address names none: 1 answered, 0 it is for none
 * of them, -1. The newest first, as it mostly is of one that is being set up. */
static int handshake_search(struct intake_request *in, const struct handshake *h, struct err *err)
{
	struct connection **v;
	struct uuid before;
	const char *reason;
	size_t n;
	int more = 1;

	memset(&before, 0xff, sizeof(before));
	while (more == 1) {
		more = connection_slice_of_provider(
		    in->r->app, in->r->a, in->provider, &before, &v, &n, err);
		if (more == -1 || (n > 0 && handshake_try(in, h, v, n, &reason)))
			return more;
	}
	return 0;
}

/* For an app alone, whose address is tried before anybody is connected. 1, 0, -1. */
static int handshake_try_apps(struct intake_request *in, const struct handshake *h, struct err *err)
{
	const struct access *const *of;
	const char *reason;
	size_t n, k;

	if (provider_apps_access(in->r->app, in->r->a, in->provider, &of, &n, err) == -1)
		return -1;
	k = n == 0 ? 0 : handshake_match(in->provider, h, in->r->a, &in->hook, of, n, &reason);
	if (k == n)
		return 0;
	handshake_answer(h, in->r, &in->hook, of[k]);
	return 1;
}

/* Anybody may ask, and each search opens every connection there is. */
static bool handshake_may_search(struct intake_request *in)
{
	struct req *r = in->r;
	const char *key = arena_printf(r->a, "handshake:%s", r->remote_addr);
	struct rate rate = shared_rate_take(
	    r->app->shared, str_from(key), SEARCHES_PER_MINUTE, 60, r->received_us);

	if (!rate.is_over)
		return true;
	res_header(r, "Retry-After", arena_printf(r->a, "%lld", (long long)rate.reset_s));
	res_problem(r, 429, "Too many handshakes from this address");
	return false;
}

static int intake_handshake(struct intake_request *in, const struct handshake *h)
{
	const char *reason = "it matches no connection";
	struct err err = ERR_INIT;
	int found;

	if (handshake_is_open(h))
		return handshake_answer(h, in->r, &in->hook, NULL);
	if (in->nconnections == 0 && !handshake_may_search(in))
		return 0;
	found = in->nconnections > 0
		    ? handshake_try(in, h, in->connections, in->nconnections, &reason)
		    : handshake_search(in, h, &err);
	if (found == 0 && in->nconnections == 0)
		found = handshake_try_apps(in, h, &err);
	if (found == 1)
		return 0;
	if (found == -1)
		return res_error(in->r, &err);
	log_info("webhook.handshake", LOG_S("provider", provider_name(in->provider)),
	    LOG_S("reason", reason), LOG_S("remote", in->r->remote_addr));
	if (in->nconnections == 0)
		return res_problem(in->r, 403, "This handshake matches no connection");
	challenge_note_failed(in, reason);
	return res_problem(in->r, 403, "This handshake does not match the connection: %s", reason);
}

/* ---- handlers ---------------------------------------------------------------------------- */

int intake_webhook_post(struct req *r)
{
	struct intake_request in;
	struct str id = req_param(r, "connectionId");
	const struct handshake *h;

	if (!intake_open(&in, r) || (id.p != NULL && intake_find_by_id(&in, id) == -1) ||
	    !intake_decode(&in))
		return 0;
	if ((intake_verifies_first(&in) && !intake_verify(&in, false)) || !intake_parse(&in))
		return 0;
	h = in.parse_err.code == ERR_NONE ? handshake_find(in.provider, r->a, &in.hook) : NULL;
	/* Where the address names nobody a handshake need not either. */
	if (h != NULL && (id.p == NULL || handshake_is_open(h)))
		return intake_handshake(&in, h);
	if (id.p == NULL && intake_find_by_payload(&in) == -1)
		return 0;
	if (!in.is_verified && !intake_verify(&in, h != NULL))
		return 0;
	return h != NULL ? intake_handshake(&in, h) : intake_store(&in);
}

int intake_webhook_get(struct req *r)
{
	struct intake_request in;
	struct str id = req_param(r, "connectionId");
	const struct handshake *h;

	if (!intake_open(&in, r))
		return 0;
	if (id.p != NULL && intake_find_by_id(&in, id) == -1)
		return 0;
	h = handshake_find(in.provider, r->a, &in.hook);
	return h != NULL ? intake_handshake(&in, h)
			 : res_problem(r, 400, "This is no verification request of the provider");
}
