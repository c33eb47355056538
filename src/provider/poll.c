#include "provider/poll.h"

#include "base/clock.h"
#include "base/limits.h"
#include "provider/poll-internal.h"

/* Where the provider leaves out the very time that it is asked from, times are equal within this.
 */
#define TIME_GRAIN_US SECOND_US

/* A position, as C. */
struct poll_place {
	int64_t at_us;          /* of the cursor, or the start */
	int64_t from_us, to_us; /* what is asked for; TIME_NONE: all */
	int64_t until_us;       /* when the round began: it asks for nothing newer */
	int64_t newest_us;      /* seen in it; TIME_NONE */
	json_t *token, *page;   /* or NULL */
	const char *id_after;   /* or NULL */
	json_t *start, *ready;  /* export: what those calls gave, or NULL */
	int64_t waits;          /* times that it was asked whether it is ready */
	struct poll_ring ring;
};

/* ---- rings -------------------------------------------------------------------------------- */

struct poll_ring poll_ring_read(const json_t *o)
{
	return (struct poll_ring){
	    json_object_get(o, "mark"), json_int(o, "steps"), json_int(o, "limit")};
}

void poll_ring_write(json_t *o, const struct poll_ring *ring)
{
	if (ring->mark != NULL)
		json_set(o, "mark", json_incref(ring->mark));
	json_set_int(o, "steps", ring->steps);
	json_set_int(o, "limit", ring->limit);
}

json_t *poll_turn(const struct poll_ask *ask, struct poll_ring *ring, const json_t *page,
    const json_t *next, struct err *err)
{
	json_t *kept = json_own(ask->a, json_deep_copy(next));

	if (json_equal(page, next) || json_equal(ring->mark, next)) {
		err_set(err, ERR_CONFLICT,
		    "the cursor repeats: %s gives a page that was read before",
		    ask->p->display_name);
		return NULL;
	}
	if (ring->steps >= ring->limit) {
		ring->mark = kept;
		ring->limit = ring->limit == 0 ? 1 : 2 * ring->limit;
		ring->steps = 0;
	}
	ring->steps++;
	return kept;
}

/* ---- positions as JSON -------------------------------------------------------------------- */

static int64_t place_time(const json_t *o, const char *key)
{
	const char *text = json_str(o, key);
	int64_t at_us;

	return text != NULL && clock_parse_iso(str_from(text), &at_us) ? at_us : TIME_NONE;
}

static void place_set_time(json_t *o, const char *key, int64_t at_us)
{
	if (at_us != TIME_NONE)
		json_set_known_time(o, key, at_us);
}

static struct poll_place place_read(const json_t *o)
{
	return (struct poll_place){.at_us = place_time(o, "at"),
	    .from_us = place_time(o, "from"),
	    .to_us = place_time(o, "to"),
	    .until_us = place_time(o, "until"),
	    .newest_us = place_time(o, "newest"),
	    .token = json_object_get(o, "token"),
	    .page = json_object_get(o, "page"),
	    .id_after = json_str(o, "idAfter"),
	    .start = json_object_get(o, "start"),
	    .ready = json_object_get(o, "ready"),
	    .waits = json_int(o, "waits"),
	    .ring = poll_ring_read(o)};
}

static json_t *place_json(struct arena *a, const struct poll_place *pl)
{
	json_t *o = json_own(a, json_object());

	place_set_time(o, "at", pl->at_us);
	place_set_time(o, "from", pl->from_us);
	place_set_time(o, "to", pl->to_us);
	place_set_time(o, "until", pl->until_us);
	place_set_time(o, "newest", pl->newest_us);
	if (pl->token != NULL)
		json_set(o, "token", json_incref(pl->token));
	if (pl->page != NULL)
		json_set(o, "page", json_incref(pl->page));
	if (pl->id_after != NULL)
		json_set_str(o, "idAfter", pl->id_after);
	if (pl->start != NULL)
		json_set(o, "start", json_incref(pl->start));
	if (pl->ready != NULL)
		json_set(o, "ready", json_incref(pl->ready));
	if (pl->waits > 0)
		json_set_int(o, "waits", pl->waits);
	poll_ring_write(o, &pl->ring);
	return o;
}

/* ---- what to ask -------------------------------------------------------------------------- */

static int64_t time_least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t span_end(const struct poll_cursor *c, int64_t from_us, int64_t until_us)
{
	return c->kind == POLL_WINDOW ? time_least(from_us + c->max_span_s * SECOND_US, until_us)
				      : until_us;
}

static struct poll_place place_begin(const struct poll_ask *ask, const json_t *cursor)
{
	const struct poll_cursor *c = &ask->spec->cursor;
	int64_t at_us = place_time(cursor, "at");
	struct poll_place pl = {.at_us = at_us != TIME_NONE ? at_us : ask->start_us,
	    .from_us = TIME_NONE,
	    .to_us = TIME_NONE,
	    .until_us = ask->now_us,
	    .newest_us = TIME_NONE,
	    .token = json_object_get(cursor, "token")};

	if (c->kind == POLL_NONE || pl.token != NULL)
		return pl;
	pl.from_us = at_us != TIME_NONE ? at_us - c->overlap_s * SECOND_US : ask->start_us;
	if (c->is_exclusive)
		pl.from_us -= TIME_GRAIN_US;
	pl.to_us = span_end(c, pl.from_us, pl.until_us);
	return pl;
}

static json_t *poll_root(struct arena *a, const struct poll_place *pl, int64_t since_us)
{
	json_t *o = json_own(a, json_object());

	if (since_us != TIME_NONE)
		json_set_int(o, "since", since_us);
	if (pl->to_us != TIME_NONE)
		json_set_int(o, "until", pl->to_us);
	if (pl->token != NULL)
		json_set(o, "cursor", json_incref(pl->token));
	if (pl->id_after != NULL)
		json_set_str(o, "idAfter", pl->id_after);
	if (pl->start != NULL) {
		json_t *export = json_object();

		json_set(export, "start", json_incref(pl->start));
		if (pl->ready != NULL)
			json_set(export, "wait", json_incref(pl->ready));
		json_set(o, "export", export);
	}
	return o;
}

static void scope_of_poll(struct scope *s, const struct poll_ask *ask)
{
	const struct action_call call = {.a = ask->a,
	    .p = ask->p,
	    .c = ask->c,
	    .act = ask->spec->call.action,
	    .now_us = ask->now_us};

	scope_of_call(s, &call);
	s->slot[ROOT_FORM].json = ask->form;
}

static void inputs_put_time(const struct poll_ask *ask, const struct poll_place *pl, json_t *inputs,
    const char *input, int64_t at_us)
{
	struct scope s;
	json_t *v = NULL;

	if (input == NULL || at_us == TIME_NONE)
		return;
	scope_of_poll(&s, ask);
	s.slot[ROOT_POLL].json = poll_root(ask->a, pl, at_us);
	if (ask->spec->cursor.format != NULL)
		v = expr_json(ask->spec->cursor.format, &s, false);
	json_set(inputs, input, v != NULL ? v : json_string(clock_iso_dup(ask->a, at_us)));
}

static void inputs_put_values(const struct poll_ask *ask, const struct poll_place *pl,
    const struct call_spec *call, json_t *inputs)
{
	struct scope s;

	scope_of_poll(&s, ask);
	s.slot[ROOT_POLL].json = poll_root(ask->a, pl, pl->from_us);
	for (size_t i = 0; i < call->ninputs; i++) {
		json_t *v = expr_json(call->inputs[i].value, &s, false);

		if (v != NULL)
			json_set(inputs, call->inputs[i].name, v);
	}
}

static void inputs_put_own(const struct poll_ask *ask, const struct poll_place *pl, json_t *inputs)
{
	const struct poll_spec *spec = ask->spec;

	inputs_put_values(ask, pl, &spec->call, inputs);
	if (spec->page.input != NULL)
		json_set_int(inputs, spec->page.input,
		    ask->page_size > 0 ? ask->page_size : spec->page.size);
	if (spec->given != NULL)
		json_object_update(inputs, JSON_ITER(spec->given));
}

/* An export that is not ready: what is called until it is; NULL: it is, or there is none. */
static const struct call_spec *place_export_call(
    const struct poll_ask *ask, const struct poll_place *pl)
{
	const struct poll_export *x = &ask->spec->cursor.export;

	if (ask->spec->cursor.kind != POLL_EXPORT || pl->ready != NULL)
		return NULL;
	return pl->start == NULL ? &x->start : &x->wait;
}

const struct action *poll_round_next(
    const struct poll_ask *ask, struct poll_state *st, json_t **out)
{
	const struct action *act = ask->spec->call.action;
	const struct poll_cursor *c = &ask->spec->cursor;
	json_t *inputs = *out = json_own(ask->a, json_object());
	const struct call_spec *export;
	struct poll_place pl;

	if (st->position == NULL) {
		pl = place_begin(ask, st->cursor);
		st->position = place_json(ask->a, &pl);
	}
	pl = place_read(st->position);
	export = place_export_call(ask, &pl);
	if (export != NULL) {
		inputs_put_values(ask, &pl, export, inputs);
		return export->action;
	}
	inputs_put_own(ask, &pl, inputs);
	if (c->kind == POLL_TIME)
		inputs_put_time(ask, &pl, inputs, c->input, pl.from_us);
	inputs_put_time(ask, &pl, inputs, c->from, pl.from_us);
	inputs_put_time(ask, &pl, inputs, c->to, pl.to_us);
	if (c->kind == POLL_TOKEN && pl.token != NULL)
		json_set(inputs, c->input, json_incref(pl.token));
	if (pl.id_after != NULL)
		json_set_str(inputs, c->id_after, pl.id_after);
	if (pl.page != NULL && paging_input(&act->paging) != NULL)
		json_set(inputs, paging_input(&act->paging), json_incref(pl.page));
	return act;
}

/* ---- items -------------------------------------------------------------------------------- */

static void item_leave(struct poll_page *out, const char *why)
{
	if (out->found.left != 0)
		return;
	out->found.left = out->found.carried;
	out->found.left_why = why;
}

/* Is it one of those that are not asked for, though the provider tells them? */
static bool item_is_older(int64_t least_us, const struct webhook_item *item)
{
	return item->provider_updated_us != TIME_NONE && item->provider_updated_us < least_us;
}

/* Where a provider is asked for the leads of all forms at once; else the call itself names it. */
static bool item_is_of_another_form(const struct poll_ask *ask, const struct webhook_item *item)
{
	return ask->only_form.p != NULL && !ask->spec->is_of_forms && item->is_lead &&
	       !str_eq(item->form_id, ask->only_form);
}

static void page_add_item(const struct poll_ask *ask, struct scope *s, int64_t least_us,
    json_t *item, struct poll_page *out)
{
	const struct poll_spec *spec = ask->spec;
	struct webhook_item *to = &out->found.items[out->found.n];
	struct str id;

	out->found.carried++;
	s->slot[ROOT_ITEM].json = item;
	if (!json_is_object(item))
		return item_leave(out, "is no object");
	id = utf8_trim(expr_id(spec->external_id, s));
	if (id.n == 0 || id.n > LIMIT_EXTERNAL_ID_BYTES)
		return item_leave(out, id.n == 0 ? "has no id" : "has an id that is too long");
	*to = (struct webhook_item){.place = out->found.carried,
	    .effects = {.erases = spec->erase != NULL && cond_holds(spec->erase, s)},
	    .resource_type = str_from(spec->resource_type),
	    .external_id = id,
	    .data = spec->data == NULL ? item : expr_json(spec->data, s, false),
	    .created_us = TIME_NONE};
	if (spec->data != NULL && to->data != NULL)
		json_own(s->a, to->data);
	if (!json_is_object(to->data))
		return item_leave(out, "has data that are no object");
	to->is_time_odd = expr_time(spec->updated_at, s, &to->provider_updated_us) == EXPR_TIME_ODD;
	if (to->provider_updated_us > out->newest_us)
		out->newest_us = to->provider_updated_us;
	if (item_is_older(least_us, to)) {
		out->found.ignored++;
		return;
	}
	if (to->effects.erases) {
		to->data = NULL;
	} else if (spec->has_lead) {
		item_fill_lead(&spec->lead, s, to);
		if (to->is_lead && spec->lead.raw == NULL)
			to->lead = item;
	}
	if (item_is_of_another_form(ask, to)) {
		out->found.ignored++;
		return;
	}
	out->found.n++;
}

static const char *last_id(const struct poll_ask *ask, struct scope *s, json_t *items)
{
	s->slot[ROOT_ITEM].json = json_array_get(items, json_array_size(items) - 1);
	struct str id = utf8_trim(expr_id(ask->spec->external_id, s));

	return id.n == 0 ? NULL : arena_strndup(ask->a, id.p, id.n);
}

/* ---- what comes next ---------------------------------------------------------------------- */

const json_t *poll_next_cursor(const json_t *output)
{
	const json_t *v = json_object_get(output, "nextCursor");
	bool is_empty = json_is_string(v) && json_string_length(v) == 0;

	return v == NULL || json_is_null(v) || is_empty ? NULL : v;
}

static int place_turn_page(
    const struct poll_ask *ask, struct poll_place *pl, const json_t *next, struct err *err)
{
	pl->page = poll_turn(ask, &pl->ring, pl->page, next, err);
	return pl->page == NULL ? -1 : 0;
}

/* Of a keyset the id is the page. */
static int place_turn_id(
    const struct poll_ask *ask, struct poll_place *pl, const char *id, struct err *err)
{
	if (id == NULL)
		return err_set(err, ERR_CONFLICT,
		    "the last item of a page has no id, so the next page cannot be asked for");
	if (pl->id_after != NULL && strcmp(pl->id_after, id) == 0)
		return err_set(err, ERR_CONFLICT,
		    "the cursor repeats: %s gives items up to %.60s again", ask->p->display_name,
		    id);
	pl->id_after = id;
	return 0;
}

static void place_next_span(const struct poll_ask *ask, struct poll_place *pl)
{
	pl->from_us = pl->to_us;
	pl->to_us = span_end(&ask->spec->cursor, pl->from_us, pl->until_us);
	pl->page = NULL;
	pl->ring = (struct poll_ring){0};
}

/* The cursor behind a round of the kind time: it never goes back, nor beyond the round's begin,
 * whatever the provider's clock shows. */
static int64_t place_newest(const struct poll_place *pl)
{
	int64_t newest_us;

	if (pl->newest_us == TIME_NONE)
		return pl->at_us;
	newest_us = time_least(pl->newest_us, pl->until_us);
	return newest_us > pl->at_us ? newest_us : pl->at_us;
}

static json_t *page_token(const struct poll_ask *ask, const json_t *output)
{
	struct scope s;
	json_t *v;

	scope_of_poll(&s, ask);
	s.slot[ROOT_OUTPUT].json = JSON_ITER(output);
	v = ask->spec->cursor.value != NULL ? expr_json(ask->spec->cursor.value, &s, false)
					    : json_incref(json_object_get(output, "nextToken"));
	if (v == NULL)
		return NULL;
	json_own(ask->a, v);
	return json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0) ? NULL : v;
}

/* The round is over: its cursor. */
static int cursor_end(const struct poll_ask *ask, const struct poll_place *pl, const json_t *output,
    json_t **out, struct err *err)
{
	json_t *cursor = json_own(ask->a, json_object()), *token;

	*out = cursor;
	switch (ask->spec->cursor.kind) {
	case POLL_TIME:
	case POLL_EXPORT:
		place_set_time(cursor, "at", place_newest(pl));
		return 0;
	case POLL_WINDOW:
	case POLL_KEYSET:
		place_set_time(cursor, "at", pl->to_us);
		return 0;
	case POLL_TOKEN:
		token = page_token(ask, output);
		if (token == NULL)
			return err_set(err, ERR_CONFLICT,
			    "the last page gives no token to go on from next time");
		json_set(cursor, "token", json_incref(token));
		return 0;
	case POLL_NONE:
		break;
	}
	return 0;
}

/* Is there more of the span at hand? Then the place is moved there. 1, 0, -1. */
static int place_go_on(const struct poll_ask *ask, struct scope *s, struct poll_place *pl,
    const json_t *output, json_t *items, struct err *err)
{
	const json_t *next = poll_next_cursor(output);
	const struct paging *paging = &ask->spec->call.action->paging;
	bool has_pages = paging->is_declared && paging->kind != PAGING_SINGLE;
	size_t n = json_array_size(items);
	int64_t full = ask->page_size > 0 ? ask->page_size : ask->spec->page.size;

	if (ask->spec->cursor.kind != POLL_KEYSET) {
		if (next == NULL)
			return 0;
		return place_turn_page(ask, pl, next, err) == -1 ? -1 : 1;
	}
	if (n == 0 || (next == NULL && (has_pages || (int64_t)n < full)))
		return 0;
	return place_turn_id(ask, pl, last_id(ask, s, items), err) == -1 ? -1 : 1;
}

static int page_end(const struct poll_ask *ask, struct scope *s, const struct poll_state *st,
    const json_t *output, json_t *items, struct poll_page *out, struct err *err)
{
	struct poll_place pl = place_read(st->position);
	int more;

	if (out->newest_us > pl.newest_us)
		pl.newest_us = out->newest_us;
	more = place_go_on(ask, s, &pl, output, items, err);
	if (more == -1)
		return -1;
	if (more == 0 && ask->spec->cursor.kind == POLL_WINDOW && pl.to_us < pl.until_us) {
		place_next_span(ask, &pl);
		more = 1;
	}
	out->next.cursor = st->cursor;
	out->is_over = more == 0;
	if (more == 1) {
		out->next.position = place_json(ask->a, &pl);
		return 0;
	}
	return cursor_end(ask, &pl, output, &out->next.cursor, err);
}

/* An export was begun, or asked after. */
static int page_wait(const struct poll_ask *ask, struct poll_place *pl, const struct poll_state *st,
    const json_t *output, struct poll_page *out, struct err *err)
{
	const struct poll_export *x = &ask->spec->cursor.export;
	json_t *kept = json_own(ask->a, json_deep_copy(output));
	struct scope s;

	scope_of_poll(&s, ask);
	s.slot[ROOT_OUTPUT].json = kept;
	if (pl->start == NULL) {
		pl->start = kept;
	} else if (x->failed != NULL && cond_holds(x->failed, &s)) {
		return err_set(
		    err, ERR_CONFLICT, "%s could not make the export", ask->p->display_name);
	} else if (cond_holds(x->until, &s)) {
		pl->ready = kept;
	} else if (++pl->waits >= x->at_most) {
		return err_set(err, ERR_CONFLICT,
		    "the export was not ready when it had been asked for %lld times",
		    (long long)pl->waits);
	}
	out->wait_ms = pl->ready == NULL ? x->every_ms : 0;
	out->next = (struct poll_state){st->cursor, place_json(ask->a, pl)};
	return 0;
}

/* What is older is left: an export tells all, as some lists do. */
static int64_t page_least(const struct poll_ask *ask, const struct poll_place *pl)
{
	if (ask->spec->cursor.kind == POLL_EXPORT)
		return pl->from_us;
	return ask->leaves_older ? ask->start_us : TIME_NONE;
}

int poll_round_take(const struct poll_ask *ask, const struct poll_state *st, const json_t *output,
    struct poll_page *out, struct err *err)
{
	struct poll_place pl = place_read(st->position);
	struct scope s;
	json_t *items, *item;
	size_t i;

	*out = (struct poll_page){.newest_us = TIME_NONE};
	if (place_export_call(ask, &pl) != NULL)
		return page_wait(ask, &pl, st, output, out, err);
	scope_of_poll(&s, ask);
	s.slot[ROOT_OUTPUT].json = JSON_ITER(output);
	items = ask->spec->items != NULL ? expr_json(ask->spec->items, &s, false)
					 : json_incref(json_object_get(output, "items"));
	if (items != NULL)
		json_own(ask->a, items);
	if (!json_is_array(items))
		return err_set(err, ERR_MALFORMED, "the answer of %s has no list of items%s%s",
		    ask->p->display_name, ask->spec->items_path != NULL ? " at " : "",
		    ask->spec->items_path != NULL ? path_text(ask->spec->items_path) : "");
	out->found.items =
	    arena_array(ask->a, json_array_size(items) + 1, sizeof(*out->found.items));
	json_array_each(items, i, item)
		page_add_item(ask, &s, page_least(ask, &pl), item, out);
	return page_end(ask, &s, st, output, items, out, err);
}

const struct poll_spec *provider_lead_poll(const struct provider *p)
{
	for (size_t i = 0; p != NULL && i < p->npolls; i++)
		if (p->polls[i].has_lead)
			return &p->polls[i];
	return NULL;
}

bool poll_reset(const struct poll_ask *ask, struct poll_state *st, const struct call_result *res)
{
	struct err ignored = ERR_INIT;
	struct scope s;

	if (json_object_get(st->position, "token") == NULL || res->class == CALL_OK)
		return false;
	scope_of_poll(&s, ask);
	s.slot[ROOT_STATUS].json = json_own(ask->a, json_integer(res->status));
	if (res->answer.n > 0)
		s.slot[ROOT_ANSWER].json = json_parse(ask->a, res->answer, &ignored);
	if (ask->spec->cursor.reset_when == NULL || !cond_holds(ask->spec->cursor.reset_when, &s))
		return false;
	*st = (struct poll_state){NULL, NULL};
	return true;
}

const char *poll_lacks(
    struct arena *a, const struct provider *p, const struct poll_spec *spec, const struct access *c)
{
	const struct action *act = spec->call.action;
	const char *key = access_lacks(c, spec->needs, spec->nneeds);

	if (key == NULL)
		key = access_lacks(c, act->needs, act->nneeds);
	return key == NULL ? NULL : manifest_credential_words(a, p, key);
}

/* Spans are walked one after the other, so where the one at hand begins tells how far it is. */
int poll_round_percent(const struct poll_ask *ask, const struct poll_state *st)
{
	struct poll_place pl = place_read(st->position);

	if (ask->spec->cursor.kind != POLL_WINDOW || st->position == NULL ||
	    pl.until_us <= ask->start_us)
		return -1;
	return (int)((pl.from_us - ask->start_us) * 100 / (pl.until_us - ask->start_us));
}

/* ---- with forms or without ----------------------------------------------------------------- */

const struct action *poll_next(const struct poll_ask *ask, struct poll_state *st, json_t **inputs)
{
	return ask->spec->is_of_forms ? poll_forms_next(ask, st, inputs)
				      : poll_round_next(ask, st, inputs);
}

int poll_take(const struct poll_ask *ask, const struct poll_state *st, const json_t *output,
    struct poll_page *out, struct err *err)
{
	return ask->spec->is_of_forms ? poll_forms_take(ask, st, output, out, err)
				      : poll_round_take(ask, st, output, out, err);
}
