/* Payloads: parsing, the accounts they name, and the items in them.
 *
 *   body -> payload -> accounts (whose connection is it? asked before anything is verified)
 *                 \-> items (what the connection stores; asked of a verified webhook only)
 *
 * Rules are expressions over the payload, each run once for every element that its loops reach.
 * What does not have the expected shape is no item, and no error: providers add events at will, and
 * the raw event is kept in any case. The exceptions are the limits (items, weight): a body that
 * exceeds them is refused as a whole, since a part of it would look like all of it.
 *
 * Values are borrowed from the payload where they can be, for one may be large and be named by many
 * items; the weight counts what the items hold together, so a small body cannot be made into much.
 *
 * Items leave in the order of the provider's clock if each has a time, else in that of the body. */
#include "base/clock.h"
#include "base/limits.h"
#include "http/form.h"
#include "provider/provider-internal.h"

#define EVENT_TYPE_BYTES 100

/* ---- parsing ------------------------------------------------------------------------------ */

/* Fields as an object; a repeated name becomes a list. */
static json_t *form_as_object(struct arena *a, struct str body, struct err *err)
{
	struct http_pairs form = {0};
	json_t *o = json_own(a, json_object());

	if (form_parse(a, body, &form, err) == -1)
		return NULL;
	for (size_t i = 0; i < form.n; i++) {
		const char *name = arena_strndup(a, form.v[i].name.p, form.v[i].name.n);
		json_t *v = json_stringn(form.v[i].value.p, form.v[i].value.n);
		json_t *there = json_object_get(o, name);

		if (there == NULL)
			json_set(o, name, v);
		else if (json_is_array(there))
			json_array_append_new(there, v);
		else
			json_set(o, name, json_pack("[O,o]", there, v));
	}
	return o;
}

int webhook_parse(const struct provider *p, struct arena *a, struct webhook *w, struct err *err)
{
	enum body_kind kind = p->body;

	if (kind == BODY_BY_TYPE)
		kind = w->req != NULL &&
			       str_starts(w->req->content_type, "application/x-www-form-urlencoded")
			   ? BODY_FORM
			   : BODY_JSON;
	switch (kind) {
	case BODY_FORM:
		w->payload = form_as_object(a, w->body, err);
		break;
	case BODY_EMPTY:
		w->payload = json_own(a, json_object());
		break;
	case BODY_JSON:
	case BODY_BY_TYPE:
		w->payload = json_parse(a, w->body, err);
		break;
	}
	return w->payload == NULL ? -1 : 0;
}

/* ---- accounts ----------------------------------------------------------------------------- */

struct accounts_found {
	const struct account_rule *rule;
	struct str *ids;
	size_t n, cap;
};

static int accounts_add(struct scope *s, void *arg)
{
	struct accounts_found *out = arg;
	struct str id = expr_id(out->rule->id, s);

	if (id.n == 0 || id.n > LIMIT_EXTERNAL_ID_BYTES || out->n == LIMIT_ITEMS_PER_EVENT)
		return 0;
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->ids[i], id))
			return 0;
	if (out->n == out->cap) {
		size_t cap = out->cap == 0 ? 4 : 2 * out->cap;
		struct str *ids = arena_array(s->a, cap, sizeof(*ids));

		if (out->n > 0)
			memcpy(ids, out->ids, out->n * sizeof(*ids));
		out->ids = ids;
		out->cap = cap;
	}
	out->ids[out->n++] = id;
	return 0;
}

int webhook_accounts(
    const struct provider *p, struct arena *a, const struct webhook *w, struct str **ids, size_t *n)
{
	struct accounts_found out = {0};
	struct scope s;

	scope_of_webhook(&s, a, w, NULL);
	for (size_t i = 0; i < p->naccounts; i++) {
		out.rule = &p->accounts[i];
		loops_each(&out.rule->loops, &s, accounts_add, &out);
	}
	*ids = out.ids;
	*n = out.n;
	return 0;
}

/* ---- items -------------------------------------------------------------------------------- */

struct items_found {
	const struct provider *p;
	const struct access *c;
	const struct item_rule *rule;
	struct webhook_item *v;
	size_t n, cap, weight;
	struct err *err;
};

static json_t *expr_json_shared(const struct expr *e, struct scope *s)
{
	json_t *v = expr_borrow(e, s);

	if (v == NULL) {
		v = expr_json(e, s, false);
		if (v != NULL)
			json_own(s->a, v);
	}
	return v;
}

/* The parts joined by '|'. The first must be there: the others only tell apart what it names. */
static struct str item_dedupe_key(const struct item_rule *r, struct scope *s)
{
	struct str first = r->ndedupe == 0 ? (struct str){NULL, 0} : expr_id(r->dedupe[0], s);

	if (first.n == 0 || r->ndedupe == 1)
		return first.n == 0 ? (struct str){NULL, 0} : first;
	struct buf *b = buf_new(s->a, LIMIT_RECORD_BYTES);
	buf_add(b, first.p, first.n);
	for (size_t i = 1; i < r->ndedupe; i++) {
		struct str part = expr_id(r->dedupe[i], s);

		buf_chr(b, '|');
		if (part.p != NULL)
			buf_add(b, part.p, part.n);
	}
	return (struct str){b->p, b->len};
}

static bool is_record_type(struct str t)
{
	if (t.n == 0 || t.n > LIMIT_TYPE_BYTES)
		return false;
	for (size_t i = 0; i < t.n; i++)
		if (!((t.p[i] >= 'a' && t.p[i] <= 'z') || (t.p[i] >= 'A' && t.p[i] <= 'Z') ||
			(t.p[i] >= '0' && t.p[i] <= '9') || strchr("_.-", t.p[i]) != NULL))
			return false;
	return true;
}

static bool item_wants_details(const struct items_found *f, struct scope *s, struct str type)
{
	const struct item_rule *r = f->rule;

	if (!r->wants_details || !cond_holds(r->details_when, s))
		return false;
	for (size_t i = 0; i < f->p->ndetails; i++) {
		if (!str_is(type, f->p->details[i].resource_type))
			continue;
		const struct action *act = provider_find_action(f->p, f->p->details[i].action);

		return act != NULL && access_lacks(f->c, act->needs, act->nneeds) == NULL;
	}
	return false;
}

static void item_fill_lead(const struct item_rule *r, struct scope *s, struct webhook_item *item)
{
	if (!r->has_lead || !cond_holds(r->lead.when, s))
		return;
	item->is_lead = true;
	item->lead = r->lead.raw == NULL ? NULL : expr_json_shared(r->lead.raw, s);
	item->form_id = utf8_cut(expr_id(r->lead.form_id, s), LIMIT_EXTERNAL_ID_BYTES);
	item->ad_id = utf8_cut(expr_id(r->lead.ad_id, s), LIMIT_EXTERNAL_ID_BYTES);
	item->campaign_id = utf8_cut(expr_id(r->lead.campaign_id, s), LIMIT_EXTERNAL_ID_BYTES);
	expr_time(r->lead.created_at, s, &item->created_us);
}

static struct webhook_item *items_next(struct items_found *f, struct arena *a)
{
	if (f->n == f->cap) {
		size_t cap = f->cap == 0 ? 4 : 2 * f->cap;
		struct webhook_item *v = arena_array(a, cap, sizeof(*v));

		if (f->n > 0)
			memcpy(v, f->v, f->n * sizeof(*v));
		f->v = v;
		f->cap = cap;
	}
	return &f->v[f->n];
}

/* What is not of the expected shape is no item; the raw event is kept all the same. */
static int items_add(struct scope *s, void *arg)
{
	struct items_found *f = arg;
	const struct item_rule *r = f->rule;

	if (!cond_holds(r->when, s))
		return 0;
	struct str account = utf8_trim(expr_id(r->account, s));
	if (f->c->external_account_id != NULL && f->c->external_account_id[0] != '\0' &&
	    account.n > 0 && !str_is(account, f->c->external_account_id))
		return 0;
	struct str type = expr_text(r->resource_type, s),
		   id = utf8_trim(expr_id(r->external_id, s));
	if ((r->resource_type != NULL && !is_record_type(type)) || id.n == 0 ||
	    id.n > LIMIT_EXTERNAL_ID_BYTES)
		return 0;
	json_t *data = expr_json_shared(r->data, s);
	if (!json_is_object(data))
		return 0;
	if (f->n == LIMIT_ITEMS_PER_EVENT)
		return err_set(
		    f->err, ERR_LIMIT, "more than %u items in one webhook", LIMIT_ITEMS_PER_EVENT);
	struct webhook_item *item = items_next(f, s->a);
	*item = (struct webhook_item){
	    .resource_type = type,
	    .external_id = id,
	    .event_type = utf8_cut(expr_text(r->event_type, s), EVENT_TYPE_BYTES),
	    .dedupe_key = item_dedupe_key(r, s),
	    .data = data,
	    .created_us = TIME_NONE,
	};
	item->is_time_odd =
	    expr_time(r->updated_at, s, &item->provider_updated_us) == EXPR_TIME_ODD;
	item_fill_lead(r, s, item);
	f->weight += json_weight(item->data) + (item->lead != NULL ? json_weight(item->lead) : 0);
	if (f->weight > LIMIT_EVENT_WEIGHT)
		return err_set(f->err, ERR_LIMIT, "one webhook makes too much of its body");
	item->needs_details = item_wants_details(f, s, type);
	f->n++;
	return 0;
}

/* Into the provider's own order of time, so that a batch delivered unordered loses nothing to the
 * rule that an older payload does not overwrite. Stable; only when every item has a time. */
static void items_sort(struct items_found *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].provider_updated_us == TIME_NONE)
			return;
	for (size_t i = 1; i < f->n; i++) {
		struct webhook_item item = f->v[i];
		size_t k = i;

		for (; k > 0 && f->v[k - 1].provider_updated_us > item.provider_updated_us; k--)
			f->v[k] = f->v[k - 1];
		f->v[k] = item;
	}
}

int webhook_items(const struct provider *p, struct arena *a, const struct webhook *w,
    const struct access *c, struct webhook_item **items, size_t *n, struct err *err)
{
	struct items_found f = {.p = p, .c = c, .err = err};
	struct scope s;

	scope_of_webhook(&s, a, w, c);
	for (size_t i = 0; i < p->nitems; i++) {
		f.rule = &p->items[i];
		if (loops_each(&f.rule->loops, &s, items_add, &f) == -1)
			return -1;
	}
	items_sort(&f);
	*items = f.v;
	*n = f.n;
	return 0;
}

bool webhook_answer(
    const struct provider *p, int *status, const char **content_type, struct str *body)
{
	if (p->answer.status == 0)
		return false;
	*status = (int)p->answer.status;
	*content_type = p->answer.content_type;
	*body = p->answer.fixed;
	return true;
}
