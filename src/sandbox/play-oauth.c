/* Logins of the played providers (RFC 6749, RFC 7636), as their tables say:
 *
 *	authorize -> a page with two buttons -> redirect with a code -> token -> refresh … -> revoke
 *
 * Rows: "authorization" by code, "token" by access token, "refresh" by refresh token. Those of one
 * consent are a family and end together. A code is good once, a rotating refresh token too. */
#include "base/limits.h"
#include "crypto/hash.h"
#include "sandbox/play.h"

#define CODE_LIFE_US (INT64_C(600) * SECOND_US)

static const char *name_or(const char *own, const char *usual)
{
	return own != NULL ? own : usual;
}

static const struct play_oauth *oauth_of(const struct play_call *c)
{
	return c->play->oauth;
}

static int oauth_refuse(struct play_call *c, const char *error, const char *text)
{
	if (oauth_of(c)->refuse != NULL)
		return oauth_of(c)->refuse(c, error, text);
	return play_json(c, strcmp(error, "invalid_client") == 0 ? 401 : 400,
	    json_pack("{s:s,s:s}", "error", error, "error_description", text));
}

/* ---- the login ---------------------------------------------------------------------------- */

static int consent_problem(struct play_call *c, const char *text)
{
	return page_problem(c->r, 400, "This login cannot begin", text);
}

/* What is wrong with the address that the product sent the browser to; NULL: nothing. */
static const char *consent_fault(const struct play_call *c)
{
	const char *client = name_or(oauth_of(c)->client_id, "client_id");
	const struct str uri = play_arg(c, "redirect_uri");

	if (!str_starts(play_arg(c, client), OAUTH_CLIENT))
		return arena_printf(c->a,
		    "The parameter %s must be " OAUTH_CLIENT ", the sandbox's app, or begin so.",
		    client);
	if (!str_starts(uri, "http://") && !str_starts(uri, "https://"))
		return "The parameter redirect_uri must be an http or https address.";
	return NULL;
}

static int consent_show(struct play_call *c)
{
	const char *fault = consent_fault(c), *scope = play_text(c, "scope");

	if (fault != NULL)
		return consent_problem(c, fault);
	res_header(c->r, "Cache-Control", "no-store");
	return sandbox_page(c->r, 200, "authorize", arena_printf(c->a, "%s login", c->play->label),
	    json_pack("{s:s,s:s,s:s,s:s}", "provider", c->play->label, "account", c->play->account,
		"scope", scope != NULL ? scope : "nothing in particular", "redirect_uri",
		play_text(c, "redirect_uri")));
}

static json_t *query_json(const struct play_call *c)
{
	json_t *asked = json_object();

	for (size_t i = 0; i < c->r->query.n; i++)
		json_set_strn(asked,
		    arena_strndup(c->a, c->r->query.v[i].name.p, c->r->query.v[i].name.n),
		    c->r->query.v[i].value);
	return asked;
}

static const char *authorization_make(struct play_call *c)
{
	const char *code = play_random(c, "sandbox-code-", 24), *account = play_text(c, "account");

	(void)play_put(c, "authorization", code,
	    json_pack("{s:o,s:s,s:I}", "asked", query_json(c), "account",
		account != NULL ? account : c->play->account, "ends_us",
		(json_int_t)(clock_now_us() + CODE_LIFE_US)));
	return code;
}

static void query_add(struct buf *query, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_printf(query, "%s%s=", query->len > 0 ? "&" : "", name);
	percent_encode(query, str_from(value));
}

static int consent_redirect(struct play_call *c, const struct buf *query)
{
	const char *uri = play_text(c, "redirect_uri");

	return res_redirect(c->r,
	    arena_printf(c->a, "%s%c%s", uri, strchr(uri, '?') == NULL ? '?' : '&', query->p));
}

/* The form of the page: answer is allow or deny; account another than the usual one. */
static int consent_take(struct play_call *c)
{
	const struct play_oauth *o = oauth_of(c);
	struct buf *query = buf_new(c->a, LIMIT_URL_BYTES);
	const char *fault = consent_fault(c), *state = play_text(c, "state"), *code;

	if (fault != NULL)
		return consent_problem(c, fault);
	if (str_is(play_arg(c, "answer"), "deny") || play_is(c, "deny_login")) {
		query_add(query, "error", "access_denied");
		query_add(query, "error_description", "The user denied the request");
		query_add(query, "state", state);
		return consent_redirect(c, query);
	}
	code = authorization_make(c);
	if (o->callback != NULL) {
		o->callback(c, code, state, query);
	} else {
		query_add(query, name_or(o->code, "code"), code);
		query_add(query, "state", state);
	}
	return consent_redirect(c, query);
}

/* ---- tokens ------------------------------------------------------------------------------- */

void oauth_token_put(struct play_call *c, const char *token, const char *account, int64_t ends_us)
{
	(void)play_put(c, "token", token,
	    json_pack("{s:s,s:s,s:I,s:s}", "token", token, "account", account, "ends_us",
		(json_int_t)ends_us, "family", token));
}

static bool is_of_family(const struct play_call *c, const json_t *row, const void *family)
{
	const char *text = json_str(row, "family");

	(void)c;
	return text != NULL && strcmp(text, family) == 0;
}

static void family_drop(struct play_call *c, const char *kind, const char *family)
{
	json_t *rows = play_rows(c, kind, is_of_family, family), *row;
	size_t i;

	json_array_each(rows, i, row)
		play_drop(c, kind, str_from(json_str(row, "token")));
}

bool oauth_revoke(struct play_call *c, struct str token)
{
	const json_t *row = play_get(c, "token", token);
	const char *family;

	if (row == NULL)
		row = play_get(c, "refresh", token);
	if (row == NULL)
		return false;
	family = arena_strdup(c->a, json_str(row, "family"));
	family_drop(c, "token", family);
	family_drop(c, "refresh", family);
	return true;
}

json_t *oauth_answer_json(const struct oauth_grant *g)
{
	json_t *out = json_pack("{s:s,s:s}", "access_token", g->access, "token_type", "bearer");

	if (g->expires_s > 0)
		json_set_int(out, "expires_in", g->expires_s);
	if (g->refresh != NULL)
		json_set_str(out, "refresh_token", g->refresh);
	if (g->refresh != NULL && g->refresh_s > 0)
		json_set_int(out, "refresh_token_expires_in", g->refresh_s);
	if (g->scope != NULL)
		json_set_str(out, "scope", g->scope);
	return out;
}

static int64_t end_of(int64_t seconds)
{
	return seconds > 0 ? clock_now_us() + seconds * SECOND_US : 0;
}

static void grant_keep(struct play_call *c, const struct oauth_grant *g, int64_t lives_s)
{
	(void)play_put(c, "token", g->access,
	    json_pack("{s:s,s:s,s:I,s:s,s:s?}", "token", g->access, "account", g->account,
		"ends_us", (json_int_t)end_of(lives_s), "family", g->family, "scope", g->scope));
	/* One that does not rotate keeps its own end. */
	if (g->refresh != NULL && play_get(c, "refresh", str_from(g->refresh)) == NULL)
		(void)play_put(c, "refresh", g->refresh,
		    json_pack("{s:s,s:s,s:I,s:s,s:s?}", "token", g->refresh, "account", g->account,
			"ends_us", (json_int_t)end_of(g->refresh_s), "family", g->family, "scope",
			g->scope));
}

void oauth_make(struct play_call *c, struct oauth_grant *g)
{
	const struct play_oauth *o = oauth_of(c);
	int64_t lives_s;

	if (g->access == NULL)
		g->access = play_random(c, arena_printf(c->a, "sandbox-%s-at-", c->play->name), 32);
	if (g->family == NULL)
		g->family = g->access;
	g->expires_s = lives_s = play_switch_number(c, "expires_in", o->expires_s);
	if (g->refresh_s == 0)
		g->refresh_s = o->refresh_s;
	if (o->adjust != NULL)
		o->adjust(c, g);
	grant_keep(c, g, lives_s);
	if ((o->flags & OAUTH_TELLS_SAME) == 0 && (o->flags & OAUTH_ROTATES) == 0 && g->is_refresh)
		g->refresh = NULL;
}

int oauth_give(struct play_call *c, struct oauth_grant *g)
{
	oauth_make(c, g);
	return oauth_of(c)->answer != NULL ? oauth_of(c)->answer(c, g)
					   : play_json(c, 200, oauth_answer_json(g));
}

const char *oauth_refresh_make(struct play_call *c)
{
	return play_random(c, arena_printf(c->a, "sandbox-%s-rt-", c->play->name), 32);
}

/* ---- the token endpoint ------------------------------------------------------------------- */

static bool client_is_right(const struct play_call *c, struct str id, struct str secret)
{
	return str_starts(id, OAUTH_CLIENT) &&
	       str_is(secret, arena_printf(c->a, "%.*s" OAUTH_SECRET_END, (int)id.n, id.p));
}

static bool client_is_known(const struct play_call *c)
{
	const struct play_oauth *o = oauth_of(c);
	struct str pair = play_basic_pair(c), id;

	if (pair.n > 0 && str_split(&pair, ':', &id))
		return client_is_right(c, id, pair);
	return (o->flags & OAUTH_BASIC) == 0 &&
	       client_is_right(c, play_arg(c, name_or(o->client_id, "client_id")),
		   play_arg(c, name_or(o->client_secret, "client_secret")));
}

/* RFC 7636, where the login began with a challenge. */
static bool verifier_is_right(const struct play_call *c, const json_t *asked)
{
	const char *challenge = json_str(asked, "code_challenge");
	const char *method = json_str(asked, "code_challenge_method");
	const struct str verifier = play_arg(c, "code_verifier");
	unsigned char hash[SHA256_SIZE];
	struct buf *text = buf_new(c->a, 64);

	if (challenge == NULL)
		return true;
	if (method == NULL || strcmp(method, "S256") != 0)
		return str_is(verifier, challenge);
	sha256(verifier, hash);
	base64url_encode(text, hash, sizeof(hash));
	return strcmp(text->p, challenge) == 0;
}

static int grant_by_code(struct play_call *c)
{
	const struct play_oauth *o = oauth_of(c);
	const struct str code = play_arg(c, name_or(o->code, "code"));
	json_t *row = play_get(c, "authorization", code);
	const json_t *asked = json_object_get(row, "asked");
	const char *uri = json_str(asked, "redirect_uri");
	struct oauth_grant g = {0};

	if (row == NULL || json_int(row, "ends_us") <= clock_now_us())
		return oauth_refuse(
		    c, "invalid_grant", "The authorization code is unknown, used or too old");
	json_own(c->a, json_incref(row));
	play_drop(c, "authorization", code);
	if (play_arg(c, "redirect_uri").p != NULL && !str_is(play_arg(c, "redirect_uri"), uri))
		return oauth_refuse(
		    c, "invalid_grant", "redirect_uri is not the one that the login began with");
	if (!verifier_is_right(c, asked))
		return oauth_refuse(c, "invalid_grant", "code_verifier does not fit");
	g.account = json_str(row, "account");
	g.scope = json_str(asked, "scope");
	if ((o->flags & OAUTH_NO_REFRESH) == 0 &&
	    (o->may_refresh == NULL || o->may_refresh(c, asked)))
		g.refresh = oauth_refresh_make(c);
	return oauth_give(c, &g);
}

/* The former refresh token goes, or stays until the new one is used: then it is the new one's
 * former, and a second use of it ends what the first one gave. */
static const char *refresh_rotate(struct play_call *c, json_t *row, struct str former)
{
	const char *next = oauth_refresh_make(c);
	json_t *kept;

	if ((oauth_of(c)->flags & OAUTH_KEEPS_FORMER) == 0) {
		play_drop(c, "refresh", former);
		return next;
	}
	play_drop(c, "refresh", str_from(json_str(row, "former")));
	play_drop(c, "refresh", str_from(json_str(row, "next")));
	kept = json_copy(row);
	json_object_del(kept, "former");
	json_set_str(kept, "next", next);
	(void)play_put(c, "refresh", arena_strndup(c->a, former.p, former.n), kept);
	return next;
}

static void former_note(struct play_call *c, const char *refresh, struct str former)
{
	json_t *row = json_copy(play_get(c, "refresh", str_from(refresh)));

	json_set_strn(row, "former", former);
	(void)play_put(c, "refresh", refresh, row);
}

static int grant_by_refresh(struct play_call *c)
{
	const struct play_oauth *o = oauth_of(c);
	const struct str former = play_arg(c, "refresh_token");
	json_t *row = play_get(c, "refresh", former);
	struct oauth_grant g = {.is_refresh = true};
	const int64_t ends_us = json_int(row, "ends_us");
	int rc;

	if (row == NULL || (ends_us != 0 && ends_us <= clock_now_us()))
		return oauth_refuse(
		    c, "invalid_grant", "The refresh token is unknown, used or revoked");
	json_own(c->a, json_incref(row));
	g.account = json_str(row, "account");
	g.family = json_str(row, "family");
	g.scope = json_str(row, "scope");
	g.refresh = arena_strndup(c->a, former.p, former.n);
	if ((o->flags & OAUTH_ROTATES) != 0 && (o->may_refresh == NULL || o->may_refresh(c, NULL)))
		g.refresh = refresh_rotate(c, row, former);
	if ((o->flags & OAUTH_ENDS_ACCESS) != 0)
		family_drop(c, "token", g.family);
	rc = oauth_give(c, &g);
	if ((o->flags & OAUTH_KEEPS_FORMER) != 0)
		former_note(c, g.refresh, former);
	return rc;
}

static int token_answer(struct play_call *c)
{
	const struct play_oauth *o = oauth_of(c);
	const struct str type = play_arg(c, "grant_type");
	struct oauth_grant g = {.account = c->play->account};
	int rc;

	if (!client_is_known(c))
		return oauth_refuse(c, "invalid_client", "The client is not known");
	if (o->grant != NULL && o->grant(c, &rc) == 1)
		return rc;
	if (str_is(type, "refresh_token"))
		return grant_by_refresh(c);
	if (str_is(type, "client_credentials") && (o->flags & OAUTH_CLIENT_GRANT) != 0)
		return oauth_give(c, &g);
	if (type.n == 0 || str_is(type, "authorization_code"))
		return grant_by_code(c);
	return oauth_refuse(c, "unsupported_grant_type", "There is no such grant here");
}

static int revoke_answer(struct play_call *c)
{
	if (!oauth_revoke(c, play_arg(c, "token")))
		return oauth_refuse(c, "invalid_token", "The token is not known");
	return play_json(c, 200, json_object());
}

bool oauth_is_token(struct play_call *c)
{
	return oauth_of(c) != NULL && oauth_of(c)->token != NULL &&
	       play_path_fits(c, oauth_of(c)->token);
}

int oauth_handle(struct play_call *c, int *rc)
{
	const struct play_oauth *o = oauth_of(c);
	const bool is_get = c->r->method == HTTP_GET || c->r->method == HTTP_HEAD;

	if (o == NULL)
		return 0;
	if (o->authorize != NULL && play_path_fits(c, o->authorize))
		*rc = is_get ? consent_show(c) : consent_take(c);
	else if (o->token != NULL && play_path_fits(c, o->token))
		*rc = token_answer(c);
	else if (o->revoke != NULL && play_path_fits(c, o->revoke))
		*rc = revoke_answer(c);
	else
		return 0;
	return 1;
}
