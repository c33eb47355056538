/* A request as the event log kept it, for all that looks at one again: replay, parts, pages. What
 * rules may ask of it (headers, query, address) is as it was when it came. */
#include "account/kept-key.h"
#include "base/limits.h"
#include "crypto/hash.h"
#include "http/form.h"
#include "intake/intake-internal.h"

enum {
	STORED_CONNECTION,
	STORED_STATUS,
	STORED_ITEMS,
	STORED_RECEIVED_AT,
	STORED_URL,
	STORED_HEADERS,
	STORED_BODY
};
DB_STMT(event_as_request,
    "SELECT connection_id, status, items, received_at, url, headers, body FROM events"
    " WHERE id = ? AND account_id = ?");

static void stored_headers(struct req *r, struct str lines)
{
	struct str line, rest = lines;
	size_t n = 1;

	for (size_t i = 0; i < lines.n; i++)
		n += lines.p[i] == '\n';
	r->headers.v = arena_array(r->a, n, sizeof(*r->headers.v));
	while (str_split(&rest, '\n', &line)) {
		struct str value = line, name;

		if (!str_split(&value, ':', &name) || name.n == 0)
			continue;
		r->headers.v[r->headers.n++] = (struct http_pair){name, str_trim(value)};
	}
	r->content_type = req_header(r, "content-type");
}

static struct req *stored_request(struct app *app, struct arena *a, const struct db_rows *rows)
{
	struct req *r = arena_zalloc(a, sizeof(*r));
	struct str url = db_get_str(rows, 0, STORED_URL);
	const char *query = memchr(url.p, '?', url.n);

	r->a = a;
	r->app = app;
	r->method = HTTP_POST;
	r->received_us = db_get_int(rows, 0, STORED_RECEIVED_AT);
	r->body = db_get_str(rows, 0, STORED_BODY);
	if (query != NULL)
		r->query_string = (struct str){query + 1, url.n - (size_t)(query + 1 - url.p)};
	(void)form_parse(a, r->query_string, &r->query, NULL);
	stored_headers(r, db_get_str(rows, 0, STORED_HEADERS));
	return r;
}

int event_load(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct stored_event *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(
	    app->db, a, &event_as_request, DB_VALS(db_uuid(id), db_uuid(account_id)), &rows, err);

	if (found != 1)
		return found;
	*out = (struct stored_event){.id = *id,
	    .account_id = *account_id,
	    .connection_id = db_get_uuid(&rows, 0, STORED_CONNECTION),
	    .status = db_get_text(&rows, 0, STORED_STATUS),
	    .items = db_get_int(&rows, 0, STORED_ITEMS),
	    .received_us = db_get_int(&rows, 0, STORED_RECEIVED_AT),
	    .req = stored_request(app, a, &rows)};
	out->hook = (struct webhook){.req = out->req,
	    .body = out->req->body,
	    .url = db_get_text(&rows, 0, STORED_URL),
	    .now_us = out->received_us};
	return 1;
}

int event_parse(struct arena *a, const struct provider *p, struct stored_event *e, struct err *err)
{
	if (e->hook.payload != NULL)
		return 0;
	return webhook_decode(p, a, &e->hook, err) == -1 ? -1 : webhook_parse(p, a, &e->hook, err);
}

int event_token_key(struct app *app, struct arena *a, const struct uuid *connection_id,
    unsigned char *out, struct err *err)
{
	const struct str id = {(const char *)connection_id->b, sizeof(connection_id->b)};
	unsigned char key[KEPT_KEY_BYTES];

	if (kept_key(app, a, "rejected tokens", key, err) == -1)
		return -1;
	hmac_parts(HASH_SHA256, (struct str){(const char *)key, sizeof(key)}, &id, 1, out);
	explicit_bzero(key, sizeof(key));
	return 0;
}

bool event_verifies(struct arena *a, const struct connection *c, const struct webhook *hook,
    struct str received, const char **reason)
{
	struct webhook as_sent = *hook, decoded = *hook;
	struct err err = ERR_INIT;

	as_sent.body = received;
	if (webhook_verify(c->provider, a, &as_sent, &c->access, reason) == 1)
		return true;
	if (decoded.body.p == received.p && webhook_decode(c->provider, a, &decoded, &err) == -1)
		return false;
	return decoded.body.p != received.p &&
	       webhook_verify(c->provider, a, &decoded, &c->access, reason) == 1;
}
