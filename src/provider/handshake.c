/* Handshakes: an echo after a token check, or an answer that proves the secret. */
#include "base/buf.h"
#include "base/clock.h"
#include "provider/provider-internal.h"

/* The first connection whose token is the given one. */
static const struct access *handshake_match_token(
    const struct handshake *h, struct scope *s, const struct access *const *connections, size_t n)
{
	struct str given = expr_text(h->token, s);

	for (size_t i = 0; given.n > 0 && i < n; i++) {
		const char *token;
		int64_t until_us;

		for (size_t k = 0; (token = access_secret(connections[i], h->token_credential, k,
					clock_now_us(), &until_us)) != NULL;
		     k++)
			if (mem_equal_ct(given.p, given.n, token, strlen(token)))
				return connections[i];
	}
	return NULL;
}

static const struct access *handshake_match(const struct provider *p, const struct handshake *h,
    struct scope *s, const struct webhook *w, const struct access *const *connections, size_t n)
{
	const char *reason;

	if (h->token != NULL)
		return handshake_match_token(h, s, connections, n);
	for (size_t i = 0; i < n; i++)
		if ((!h->is_signed || webhook_verify(p, s->a, w, connections[i], &reason) == 1) &&
		    (h->hmac_credential == NULL ||
			access_credential(connections[i], h->hmac_credential) != NULL))
			return connections[i];
	return NULL;
}

/* {output.hmac} of the answer. */
static void handshake_add_hmac(const struct handshake *h, struct scope *s, const struct access *c)
{
	struct str text = expr_text(h->hmac_of, s);
	unsigned char mac[SHA256_SIZE];
	struct buf *hex = buf_new(s->a, 2 * SHA256_SIZE);

	if (text.p == NULL)
		return;
	hmac_parts(HASH_SHA256, str_from(access_credential(c, h->hmac_credential)), &text, 1, mac);
	hex_encode(hex, mac, sizeof(mac));
	s->slot[ROOT_OUTPUT].json = json_own(s->a, json_pack("{s:s}", "hmac", hex->p));
}

static int handshake_answer(const struct answer_spec *spec, struct req *r, struct scope *s)
{
	struct str body;

	if (spec->json != NULL)
		body = json_text(s->a, json_own(s->a, expr_json(spec->json, s, true)));
	else
		body = expr_text(spec->text, s);
	if (body.p == NULL) {
		res_problem(r, 400, "the challenge is missing");
		return -1;
	}
	res_text(r, (int)spec->status, spec->content_type, body);
	return 1;
}

int webhook_handshake(const struct provider *p, struct req *r, struct webhook *w,
    const struct access *const *connections, size_t n, size_t *matched)
{
	struct scope s;
	enum http_method method = r->method == HTTP_HEAD ? HTTP_GET : r->method;

	scope_of_webhook(&s, r->a, w, NULL);
	for (size_t i = 0; i < p->nhandshakes; i++) {
		const struct handshake *h = &p->handshakes[i];

		if (h->method != method || !cond_holds(h->when, &s))
			continue;
		const struct access *c = handshake_match(p, h, &s, w, connections, n);
		if (c == NULL) {
			res_problem(r, 403, "this handshake matches no connection");
			return -1;
		}
		for (size_t k = 0; matched != NULL && k < n; k++)
			if (connections[k] == c)
				*matched = k;
		s.slot[ROOT_SETTINGS].json = c->settings;
		if (h->hmac_of != NULL)
			handshake_add_hmac(h, &s, c);
		return handshake_answer(&h->answer, r, &s);
	}
	return 0;
}
