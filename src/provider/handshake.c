/* Handshakes: an echo after a token check, or an answer that proves the secret. */
#include "base/buf.h"
#include "base/clock.h"
#include "provider/provider-internal.h"

#define CHALLENGE_BYTES 200u

const struct handshake *handshake_find(
    const struct provider *p, struct arena *a, const struct webhook *w)
{
	enum http_method method = w->req->method == HTTP_HEAD ? HTTP_GET : w->req->method;
	struct scope s;

	scope_of_webhook(&s, a, w, NULL);
	for (size_t i = 0; i < p->nhandshakes; i++)
		if (p->handshakes[i].method == method && cond_holds(p->handshakes[i].when, &s))
			return &p->handshakes[i];
	return NULL;
}

bool handshake_is_open(const struct handshake *h)
{
	return h->is_open;
}

/* ---- whom it is for ------------------------------------------------------------------------ */

static bool credential_is(const struct access *c, const char *key, struct str given)
{
	const char *token;
	int64_t until_us;

	for (size_t i = 0; (token = access_secret(c, key, i, clock_now_us(), &until_us)) != NULL;
	     i++)
		if (mem_equal_ct(given.p, given.n, token, strlen(token)))
			return true;
	return false;
}

static const char *hmac_secret(const struct handshake *h, const struct access *c)
{
	const char *secret = NULL;

	for (size_t i = 0; i < h->hmac_credentials.n && secret == NULL; i++)
		secret = access_credential(c, h->hmac_credentials.v[i]);
	return secret;
}

/* Is it for the candidate? Else *reason says why not. A POST is for whoever signed it: it could
 * name anybody's token, and be given anybody's proof. */
static bool handshake_is_for(const struct provider *p, const struct handshake *h, struct scope *s,
    const struct webhook *w, const struct access *c, const char **reason)
{
	struct str token = expr_text(h->token, s);
	bool is_token = h->token == NULL;

	for (size_t i = 0; token.n > 0 && i < h->token_credentials.n && !is_token; i++)
		is_token = credential_is(c, h->token_credentials.v[i], token);
	if (!is_token) {
		*reason = token.n == 0
			      ? "it came without a token"
			      : "the token that it came with is not the one of this connection";
		return false;
	}
	if (h->hmac_of != NULL && hmac_secret(h, c) == NULL) {
		*reason = "it asks for a proof of the secret, which this connection does not have";
		return false;
	}
	return (!h->is_signed && h->method != HTTP_POST) ||
	       webhook_verify(p, s->a, w, c, reason) == 1;
}

size_t handshake_match(const struct provider *p, const struct handshake *h, struct arena *a,
    const struct webhook *w, const struct access *const *candidates, size_t n, const char **reason)
{
	struct scope s;

	*reason = "it is for none of the connections there are";

	scope_of_webhook(&s, a, w, NULL);
	for (int round = h->prefers == NULL ? 1 : 0; round < 2; round++)
		for (size_t i = 0; i < n; i++) {
			s.slot[ROOT_SETTINGS].json = candidates[i]->settings;
			if ((round == 1 || cond_holds(h->prefers, &s)) &&
			    handshake_is_for(p, h, &s, w, candidates[i], reason))
				return i;
		}
	return n;
}

/* ---- answers ------------------------------------------------------------------------------- */

/* A challenge is a token: whoever may choose any text would have the MAC of a body of theirs. */
static bool is_challenge(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!((text.p[i] >= 'a' && text.p[i] <= 'z') ||
			(text.p[i] >= 'A' && text.p[i] <= 'Z') ||
			(text.p[i] >= '0' && text.p[i] <= '9') ||
			strchr("-_.~+/=", text.p[i]) != NULL))
			return false;
	return text.n > 0 && text.n <= CHALLENGE_BYTES;
}

/* {output.hmac} of the answer; without it where there is no challenge. */
static void handshake_add_hmac(const struct handshake *h, struct scope *s, const struct access *c)
{
	struct str text = expr_text(h->hmac_of, s);
	unsigned char mac[SHA256_SIZE];
	struct buf *hex = buf_new(s->a, 2 * SHA256_SIZE);

	if (!is_challenge(text))
		return;
	hmac_parts(HASH_SHA256, str_from(hmac_secret(h, c)), &text, 1, mac);
	hex_encode(hex, mac, sizeof(mac));
	s->slot[ROOT_OUTPUT].json = json_own(s->a, json_pack("{s:s}", "hmac", hex->p));
}

int handshake_answer(
    const struct handshake *h, struct req *r, const struct webhook *w, const struct access *c)
{
	const struct answer_spec *spec = &h->answer;
	struct scope s;
	struct str body = {NULL, 0};

	scope_of_webhook(&s, r->a, w, c);
	if (h->hmac_of != NULL)
		handshake_add_hmac(h, &s, c);
	if (h->hmac_of != NULL && s.slot[ROOT_OUTPUT].json == NULL)
		body.p = NULL;
	else if (spec->json != NULL)
		body = json_text(r->a, json_own(r->a, expr_json(spec->json, &s, true)));
	else
		body = expr_text(spec->text, &s);
	if (body.p == NULL)
		return res_problem(r, 400, "the challenge is missing, or is none");
	return res_text(r, (int)spec->status, spec->content_type, body);
}
