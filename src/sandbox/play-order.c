/* Webhooks to order: an event of a provider is made, with what it speaks of, signed as the provider
 * signs, and sent to the product. Nothing is locked while the product answers, since it may ask
 * back. */
#include "base/limits.h"
#include "net/http-client.h"
#include "sandbox/play.h"

#define COUNT_MAX 10000

struct order_wishes {
	struct str provider, event, url, secret, connection_id;
	int64_t count;
	bool is_app;
	json_t *data;
};

void order_header(struct order *o, const char *name, const char *value)
{
	if (o->nheaders < sizeof(o->headers) / sizeof(o->headers[0]) && value != NULL)
		o->headers[o->nheaders++] = (struct http_pair){str_from(name), str_from(value)};
}

void order_json(struct order *o, json_t *body)
{
	o->content_type = "application/json";
	o->body = json_text(o->c.a, json_own(o->c.a, body));
}

const char *order_wish(const struct order *o, const char *name, const char *otherwise)
{
	const char *text = json_scalar_text(o->c.a, json_object_get(o->wishes, name));

	return text != NULL ? text : otherwise;
}

int64_t order_wish_number(const struct order *o, const char *name, int64_t otherwise)
{
	int64_t n;

	return str_to_i64(str_from(order_wish(o, name, NULL)), 0, INT64_MAX, &n) ? n : otherwise;
}

/* ---- making ------------------------------------------------------------------------------- */

/* A form's body: fields as they stand, a list as several fields of one name. */
static void order_write_form(struct order *o)
{
	struct buf *text = buf_new(o->c.a, LIMIT_RECORD_BYTES);
	const char *name;
	json_t *value;

	json_object_each(o->fields, name, value) {
		const size_t n = json_is_array(value) ? json_array_size(value) : 1;

		for (size_t i = 0; i < n; i++) {
			const json_t *one = json_is_array(value) ? json_array_get(value, i) : value;

			buf_printf(text, "%s%s=", text->len > 0 ? "&" : "", name);
			percent_encode(text, str_from(json_string_value(one)));
		}
	}
	o->content_type = "application/x-www-form-urlencoded";
	o->body = (struct str){text->p, text->len};
}

static int order_make(struct order *o, const struct play_event *event)
{
	struct play_call *c = &o->c;
	int rc = store_lock(c->s->store, &c->err);

	if (rc == -1)
		return -1;
	rc = event->make(o);
	if (rc == 0 && o->fields != NULL)
		order_write_form(o);
	if (rc == 0 && c->play->sign != NULL)
		c->play->sign(o);
	store_unlock(c->s->store);
	return rc == 0 && c->err.code == ERR_NONE ? 0 : -1;
}

/* ---- sending ------------------------------------------------------------------------------ */

static json_t *order_post(struct order *o)
{
	struct http_call call = {
	    .method = o->method, .url = o->url, .body = o->body, .timeout_ms = 10000};
	struct err err = ERR_INIT;
	struct http_answer ans;
	json_t *out;

	if (o->content_type != NULL)
		order_header(o, "Content-Type", o->content_type);
	call.headers = (struct http_pairs){o->headers, o->nheaders};
	if (hook_call(o->c.s, o->c.a, &call, &ans, &err) == -1)
		return json_pack("{s:i,s:s}", "status", 0, "error", err.msg);
	out = hook_answer_json(o->c.a, &ans);
	if (o->expects != NULL)
		json_set_bool(out, "isAnswered",
		    memmem(ans.body.p, ans.body.n, o->expects, strlen(o->expects)) != NULL);
	return out;
}

static const struct play_event *event_find(const struct play *p, struct str name)
{
	for (size_t i = 0; i < p->nevents; i++)
		if (str_is(name, p->events[i].name))
			return &p->events[i];
	return NULL;
}

static const char *str_or(struct arena *a, struct str s, const char *otherwise)
{
	return s.n > 0 ? arena_strndup(a, s.p, s.n) : otherwise;
}

/* The address at the product: one that is given, the connection's, or the provider's own. */
static const char *order_url(struct arena *a, const struct product *product, const struct play *p,
    const struct order_wishes *w)
{
	const char *id = str_or(a, w->connection_id, json_str(product->connections, p->name));

	if (w->url.n > 0)
		return arena_strndup(a, w->url.p, w->url.n);
	if (w->is_app || id == NULL)
		return arena_printf(a, "%s/webhook/%s", product->url, p->name);
	return arena_printf(a, "%s/webhook/%s/%s", product->url, p->name, id);
}

static json_t *order_send_all(struct sandbox *s, struct arena *a, const struct order_wishes *w,
    const struct play *p, const struct play_event *event, const struct product *product,
    struct err *err)
{
	const char *url = order_url(a, product, p, w), *own = json_str(product->secrets, p->name),
		   *secret = str_or(a, w->secret, own != NULL ? own : p->secret);
	json_t *sent = json_own(a, json_array());

	for (int64_t i = 0; i < (w->count > 0 ? w->count : 1); i++) {
		struct order o = {.c = play_call_inside(s, a, p),
		    .wishes = w->data,
		    .secret = secret,
		    .method = "POST",
		    .url = url,
		    .signed_url = url,
		    .now_us = clock_now_us()};

		if (order_make(&o, event) == -1) {
			err_set(err, o.c.err.code != ERR_NONE ? o.c.err.code : ERR_INVALID, "%s",
			    o.c.err.msg);
			return NULL;
		}
		json_array_append_new(sent, order_post(&o));
	}
	return json_pack("{s:s,s:O}", "url", url, "sent", sent);
}

json_t *order_send(struct sandbox *s, struct arena *a, const json_t *order, struct err *err)
{
	static const struct json_member members[] = {
	    {"provider", READ_TEXT, JSON_INTO(struct order_wishes, provider), .max = 100},
	    {"event", READ_TEXT, JSON_INTO(struct order_wishes, event), .max = 100},
	    {"url", READ_TEXT, JSON_INTO(struct order_wishes, url), .max = 2000},
	    {"secret", READ_TEXT, JSON_INTO(struct order_wishes, secret), .max = 1000},
	    {"connectionId", READ_TEXT, JSON_INTO(struct order_wishes, connection_id), .max = 100},
	    {"count", READ_INT, JSON_INTO(struct order_wishes, count), .max = COUNT_MAX},
	    {"app", READ_BOOL, JSON_INTO(struct order_wishes, is_app)},
	    {"data", READ_ANY, JSON_INTO(struct order_wishes, data)}};
	struct json_reader in = {.err = err};
	struct order_wishes w = {0};
	const struct play_event *event;
	const struct play *p;
	struct product product;

	if (json_read_members(&in, order, JSON_MEMBERS(members), &w) == -1 ||
	    product_load(s, a, &product, err) == -1 || play_seed_all(s, err) == -1)
		return NULL;
	p = play_find(w.provider);
	if (p == NULL) {
		err_field(err, ERR_INVALID, "provider", "is none that is played");
		return NULL;
	}
	event = event_find(p, w.event);
	if (event == NULL) {
		err_field(err, ERR_INVALID, "event", "%s has no such event", p->label);
		return NULL;
	}
	if (*product.url == '\0' && w.url.n == 0) {
		err_set(err, ERR_CONFLICT,
		    "the sandbox does not know the product yet: start both with ./dev up");
		return NULL;
	}
	return order_send_all(s, a, &w, p, event, &product, err);
}
