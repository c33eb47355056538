/* Who asks: the router's hook.
 *
 *	page: session cookie             known a moment ago ──> the cache ─┐
 *	API:  x-api-key        ──hash──> │                                 ├──> actor
 *	      Authorization              else session, key or token ───────┘
 *
 *	an API request then: rate of the key or user, rate of the account (429), account_id (404)
 *
 * Text that has not the form of a credential is nobody's and costs no look-up. Pages take the
 * cookie alone and API routes never take it, so that no foreign page can use a browser's session
 * on the API.
 *
 * A cached actor holds while the shared generation stands, for CACHE_TTL_US at most and never
 * past the credential's own end. The generation is read before the look-up: what is revoked
 * meanwhile makes the entry stale at once. The cache knows the hash alone, with the kind in it,
 * so that a key sent as a cookie does not find what it is as a key. A cached credential costs no
 * round trip. */
#include "account/account-internal.h"
#include "account/audit.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/shared.h"

#define WINDOW_S 60

enum credential_kind { CREDENTIAL_NONE, CREDENTIAL_SESSION, CREDENTIAL_KEY, CREDENTIAL_TOKEN };

struct credential {
	enum credential_kind kind;
	struct str text;
};

/* Three base64url parts: only then is it worth a look. */
static bool looks_like_token(struct str s)
{
	size_t dots = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.')
			dots++;
		else if (s.p[i] <= ' ')
			return false;
	}
	return dots == 2;
}

static struct credential credential_classify(struct str text)
{
	if (key_looks_right(text))
		return (struct credential){CREDENTIAL_KEY, text};
	if (looks_like_token(text))
		return (struct credential){CREDENTIAL_TOKEN, text};
	return (struct credential){CREDENTIAL_NONE, {NULL, 0}};
}

/* x-api-key: KEY; Authorization: Bearer KEY or TOKEN (RFC 6750 §2.1), or the bare token. */
static struct credential api_credential(const struct req *r)
{
	struct str key = req_header(r, "x-api-key"), auth = req_header(r, "authorization");
	static const struct str bearer = {"Bearer ", 7};
	struct credential c;

	if (key.p != NULL) {
		c = credential_classify(str_trim(key));
		return c.kind == CREDENTIAL_KEY ? c
						: (struct credential){CREDENTIAL_NONE, {NULL, 0}};
	}
	auth = str_trim(auth);
	if (auth.n > bearer.n && str_ieq((struct str){auth.p, bearer.n}, bearer))
		return credential_classify(
		    str_trim((struct str){auth.p + bearer.n, auth.n - bearer.n}));
	c = credential_classify(auth);
	return c.kind == CREDENTIAL_TOKEN ? c : (struct credential){CREDENTIAL_NONE, {NULL, 0}};
}

static struct credential page_credential(const struct req *r)
{
	struct str text = req_cookie(r, session_cookie_name(r, account_session_cookie));

	return (struct credential){
	    session_token_looks_right(text) ? CREDENTIAL_SESSION : CREDENTIAL_NONE, text};
}

static int credential_find_key(struct req *r, const struct digest *id, struct actor *actor,
    int64_t *expires_us, struct err *err)
{
	struct account_key k;
	int found = key_find(r->app, r->a, id, &k, err);

	if (found != 1)
		return found;
	*actor = (struct actor){
	    .kind = ACTOR_KEY,
	    .account_id = k.account_id,
	    .key_id = k.id,
	    .permissions = k.permissions,
	    .name = k.name,
	    .account_name = k.account_name,
	};
	*expires_us = k.expires_us;
	return 1;
}

static int credential_find_token(
    struct req *r, struct str text, struct actor *actor, int64_t *expires_us, struct err *err)
{
	struct token_claims claims;
	struct account_member m;
	const char *version;
	int found;

	if (!token_read(r->app, r->a, text, clock_now_us(), &claims) ||
	    uuid_is_nil(claims.account_id))
		return 0;
	found = store_member(r->app->db, r->a, &claims.account_id, &claims.user_id, &m, err);
	if (found != 1)
		return found;
	version = token_version(r->app, r->a, &m);
	if (!mem_equal_ct(version, strlen(version), claims.version, strlen(claims.version)))
		return 0;
	*actor = (struct actor){.kind = ACTOR_TOKEN};
	actor_of_member(actor, &m);
	*expires_us = claims.expires_us;
	return 1;
}

static int credential_find(struct req *r, const struct credential *c, const struct digest *id,
    struct actor *actor, int64_t *expires_us, struct err *err)
{
	switch (c->kind) {
	case CREDENTIAL_SESSION:
		return session_find(r, id, actor, expires_us, err);
	case CREDENTIAL_KEY:
		return credential_find_key(r, id, actor, expires_us, err);
	case CREDENTIAL_TOKEN:
		return credential_find_token(r, c->text, actor, expires_us, err);
	case CREDENTIAL_NONE:
		break;
	}
	return 0;
}

static int actor_identify(struct req *r, const struct credential *c, struct err *err)
{
	struct digest id = digest_of(c->text), slot = id;
	/* Before the look-up: a change meanwhile makes what is found stale at once. */
	uint64_t generation = audit_caches_generation(r->app);
	int64_t mono_us = clock_mono_us(), expires_us = 0;
	const struct actor *cached;
	int found;

	/* A key sent as a cookie must not find what the same text was as a key. */
	slot.b[SHA256_SIZE - 1] ^= (unsigned char)c->kind;
	cached = actor_cache_get(&slot, generation, mono_us, clock_now_us());
	if (cached != NULL) {
		r->actor = *cached;
		return 1;
	}
	found = credential_find(r, c, &id, &r->actor, &expires_us, err);
	if (found == 1)
		actor_cache_put(&slot, generation, mono_us, expires_us, &r->actor);
	return found;
}

static struct rate rate_take(struct req *r, const char *what, const struct uuid *who, int64_t limit)
{
	char key[8 + sizeof(who->b)] = {0};

	snprintf(key, 8, "%s", what);
	memcpy(key + 8, who->b, sizeof(who->b));
	return shared_rate_take(
	    r->app->shared, (struct str){key, sizeof(key)}, limit, WINDOW_S, clock_now_us());
}

/* The key or the user of the token by itself, then all of the account together; of the two the one
 * that has less left. What is over its own limit takes nothing of what the others may still do. */
static struct rate rate_nearer(struct req *r)
{
	const struct config *cfg = r->app->config;
	const struct uuid *who = r->actor.kind == ACTOR_KEY ? &r->actor.key_id : &r->actor.user_id;
	int64_t of_account = cfg->rate_api_per_minute, own = cfg->rate_api_key_per_minute;
	struct rate mine, all;

	mine = rate_take(r, "key", who, own > 0 && own < of_account ? own : of_account);
	if (mine.is_over)
		return mine;
	all = rate_take(r, "account", &r->actor.account_id, of_account);
	return all.is_over || all.remaining <= mine.remaining ? all : mine;
}

/* RateLimit header fields (draft-ietf-httpapi-ratelimit-headers-03) and 429 (RFC 6585 §4). */
static bool rate_allows(struct req *r)
{
	struct rate rate = rate_nearer(r);

	res_headerf(r, "RateLimit-Limit", "%lld", (long long)rate.limit);
	res_headerf(r, "RateLimit-Remaining", "%lld", (long long)rate.remaining);
	res_headerf(r, "RateLimit-Reset", "%lld", (long long)rate.reset_s);
	if (!rate.is_over)
		return true;
	res_headerf(r, "Retry-After", "%lld", (long long)(rate.reset_s > 0 ? rate.reset_s : 1));
	res_problem(r, 429, "More than %lld requests a minute.", (long long)rate.limit);
	return false;
}

/* account_id in the query, where a client sends it, must be the credential's own. */
static bool account_is_own(struct req *r)
{
	struct str text = req_query(r, "account_id");
	struct uuid id;

	if (text.n == 0 || (uuid_parse(text, &id) && uuid_eq(id, r->actor.account_id)))
		return true;
	res_problem(r, 404, "There is no such account.");
	return false;
}

int account_authenticate(struct req *r)
{
	struct credential c = api_credential(r);
	bool is_page = (r->route->flags & ROUTE_PAGE) != 0 &&
		       ((r->route->flags & ROUTE_KEYED) == 0 || c.kind == CREDENTIAL_NONE);
	struct err err = ERR_INIT;
	int found;

	if (is_page)
		c = page_credential(r);
	if (c.kind == CREDENTIAL_NONE)
		return 0;
	found = actor_identify(r, &c, &err);
	if (found == -1) {
		res_error(r, &err);
		return -1;
	}
	if (found == 0) {
		r->actor = (struct actor){0};
		return 0;
	}
	if (!is_page && (!rate_allows(r) || !account_is_own(r)))
		return -1;
	return 1;
}
