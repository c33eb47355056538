/* Pages of a list: which items an answer holds, and where the next page is.
 *
 *	kind      the next page is asked for by      there is one as long as
 *	cursor    the cursor, in its input           it is there, and `more` holds
 *	offset    the offset behind this page        the page is full (and `total` has more)
 *	page      the number behind this one         the page is full, or, no count known, has any
 *	lastItem  the id of the last item            there is one, and `more` holds
 *	nextUrl   a URL that the answer names        it is there
 *	link      the same, of a Link header         it is there
 *	single                                       never
 *
 * Who walks pages stores cursors, so what would make it walk for ever, or leave unseen things
 * behind, ends here. An answer without a list is no empty list: the call is tried again, unless the
 * manifest says when such an answer is one (emptyWhen). Empty text is no cursor. A page that gives
 * the cursor back with which it was asked for is refused, and so is a next URL at another server,
 * since the credentials go with it. A URL is kept without those that stand in it: they are added
 * when it is called. */
#include "base/link.h"
#include "net/egress.h"
#include "provider/provider-internal.h"

/* What a page is asked for with, and what the next one is, as text; {NULL,0}: none. */
struct page_reading {
	const struct action_call *k;
	const struct paging *p;
	struct scope *s;
	const char *url;
	json_t *items;
	const char *why; /* where it is refused */
};

const char *paging_input(const struct paging *p)
{
	if (!p->is_declared || p->kind == PAGING_SINGLE)
		return NULL;
	return p->input != NULL ? p->input : PAGING_CURSOR_INPUT;
}

const char *provider_page_input(const struct provider *p, const char *action)
{
	const struct action *act = provider_find_action(p, action);

	return act == NULL ? NULL : paging_input(&act->paging);
}

/* The input by which this page was asked for. */
static json_t *page_asked(const struct action_call *k)
{
	const char *name = paging_input(&k->act->paging);

	return name == NULL ? NULL : json_object_get(k->inputs, name);
}

/* ---- URLs --------------------------------------------------------------------------------- */

static bool is_same_origin(struct arena *a, const char *one, const char *other)
{
	return strcmp(egress_origin(a, one), egress_origin(a, other)) == 0;
}

int page_url(const struct action_call *k, const char *own_url, const char **out, struct err *err)
{
	const char *cursor = json_string_value(page_asked(k));

	if (k->act->paging.input != NULL || cursor == NULL || cursor[0] == '\0')
		return 0;
	*out = url_resolve(k->a, own_url, cursor);
	if (is_same_origin(k->a, *out, own_url))
		return 1;
	return err_field(err, ERR_INVALID, PAGING_CURSOR_INPUT,
	    "leads to %s, which is another server than that of %s", egress_origin(k->a, *out),
	    k->act->name);
}

static json_t *page_next_url(struct page_reading *r, struct str target)
{
	struct arena *a = r->k->a;
	const char *url;

	if (target.n == 0)
		return NULL;
	url = url_resolve(a, r->url, arena_strndup(a, target.p, target.n));
	if (!is_same_origin(a, url, r->url)) {
		r->why = arena_printf(a,
		    ", whose next page is said to be at %s: another server, which is not called",
		    egress_origin(a, url));
		return NULL;
	}
	return json_string(url_without_secrets(a, r->k->c, url));
}

static json_t *page_link(struct page_reading *r)
{
	struct str header = http_pairs_get(r->s->slot[ROOT_HEADER].from, "link");

	return page_next_url(r, link_find(header, str_from(r->p->rel)));
}

/* ---- numbers ------------------------------------------------------------------------------ */

/* -1: it is not known. */
static int64_t number_of(const struct expr *e, struct scope *s)
{
	int64_t n;

	return str_to_i64(expr_text(e, s), 0, INT64_MAX / 2, &n) ? n : -1;
}

static int64_t page_number_asked(const struct page_reading *r)
{
	const char *text = json_scalar_text(r->k->a, page_asked(r->k));
	int64_t n;

	return text != NULL && str_to_i64(str_from(text), 0, INT64_MAX / 2, &n) ? n : r->p->first;
}

/* Behind this page: an offset, or the number of a page. */
static json_t *page_next_number(struct page_reading *r)
{
	int64_t n = (int64_t)json_array_size(r->items), at = page_number_asked(r);
	int64_t count = number_of(r->p->count, r->s), total = number_of(r->p->total, r->s);
	bool is_offset = r->p->kind == PAGING_OFFSET;
	int64_t before = is_offset ? at : (at - r->p->first) * count;
	bool is_last =
	    total >= 0 && (is_offset || count > 0) ? before + n >= total : count > 0 && n < count;

	return n == 0 || is_last ? NULL : json_integer(is_offset ? at + n : at + 1);
}

/* ---- cursors ------------------------------------------------------------------------------ */

static json_t *page_last_id(struct page_reading *r)
{
	size_t n = json_array_size(r->items);
	json_t *id;

	if (n == 0)
		return NULL;
	r->s->slot[ROOT_ITEM].json = json_array_get(r->items, n - 1);
	id = expr_json(r->p->cursor, r->s, false);
	r->s->slot[ROOT_ITEM].json = NULL;
	if (id == NULL || json_is_null(id))
		r->why = ", whose last item has no id to ask for the next page with";
	return id;
}

/* A new reference, or NULL. */
static json_t *page_next(struct page_reading *r)
{
	if (!cond_holds(r->p->more, r->s))
		return NULL;
	switch (r->p->kind) {
	case PAGING_CURSOR:
		return expr_json(r->p->cursor, r->s, false);
	case PAGING_OFFSET:
	case PAGING_PAGE:
		return page_next_number(r);
	case PAGING_LAST_ITEM:
		return page_last_id(r);
	case PAGING_NEXT_URL:
		return page_next_url(r, expr_text(r->p->cursor, r->s));
	case PAGING_LINK:
		return page_link(r);
	case PAGING_SINGLE:
		break;
	}
	return NULL;
}

/* A scalar that is not empty; NULL for all else. */
static const char *cursor_text(struct arena *a, const json_t *v)
{
	const char *text = json_scalar_text(a, v);

	return text == NULL || text[0] == '\0' ? NULL : text;
}

static bool is_repeated(const struct page_reading *r, const char *next)
{
	const char *asked = cursor_text(r->k->a, page_asked(r->k));

	if (next == NULL)
		return false;
	if (r->p->input == NULL && strcmp(next, url_without_secrets(r->k->a, r->k->c, r->url)) == 0)
		return true;
	return asked != NULL && strcmp(asked, next) == 0;
}

enum call_class page_read(const struct action_call *k, const char *url, struct scope *s,
    json_t **output, const char **why)
{
	const struct paging *p = &k->act->paging;
	struct page_reading r = {.k = k, .p = p, .s = s, .url = url};
	json_t *out = json_own(k->a, json_object()), *next;

	r.items = expr_json(p->items, s, false);
	if (r.items == NULL || !json_is_array(r.items)) {
		json_decref(r.items);
		if (k->act->answer.empty_when == NULL ||
		    !cond_holds(k->act->answer.empty_when, s)) {
			*why = ", without the list that it should hold";
			return CALL_RETRY;
		}
		r.items = json_array();
	}
	json_set(out, "items", r.items);
	next = page_next(&r);
	if (next != NULL)
		json_own(k->a, next);
	if (is_repeated(&r, cursor_text(k->a, next)))
		r.why = ", where the cursor repeats: this page names itself as the next one";
	if (r.why != NULL) {
		*why = r.why;
		return CALL_FATAL;
	}
	if (cursor_text(k->a, next) == NULL)
		next = NULL;
	json_set(out, "nextCursor", next == NULL ? json_null() : json_incref(next));
	if (p->token != NULL) {
		json_t *token = next == NULL ? expr_json(p->token, s, false) : NULL;

		json_set(out, "nextToken", token != NULL ? token : json_null());
	}
	*output = out;
	return CALL_OK;
}
