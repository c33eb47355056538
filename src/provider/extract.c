/* Payloads: the accounts they name, and the items in them.
 *
 *   payload -> accounts (whose connection is it? asked before anything is verified)
 *          \-> items    (what the connection stores; asked of a verified webhook only)
 *
 * Rules are expressions over the payload, each run once for every element that its loops reach.
 * Providers add events at will, so what does not have the expected shape is no error; but nothing
 * is left in silence. Each element is a thing with a place, counted from 1, and ends as one of
 *
 *   taken    a rule made an item of it
 *   left     a rule was for it and could make none: why
 *   ignored  no rule was for it, or the manifest knows that it is to be left alone
 *
 * Rules with the same loops speak of the same things. Loops that end without an element are told
 * too: an empty list is nothing to take, a path that finds nothing is a fault, unless it is one
 * within something in which another rule found what it is for: a message has no statuses.
 *
 * Values are borrowed from the payload where they can be, for one may be large and be named by many
 * items; the weight counts what the items hold together, so a small body cannot be made into much:
 * what would be beyond it is left.
 *
 * Items leave in the order of the provider's clock if each has a time, else in that of the body. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "provider/provider-internal.h"

#define EVENT_TYPE_BYTES 100
#define TOLD_BYTES 60u       /* of what is quoted in a reason */
#define WEIGHT_OF_PAYLOAD 4u /* times the payload is what its items may weigh, if that is more */

/* ---- accounts ----------------------------------------------------------------------------- */

struct accounts_found {
	const struct account_rule *rule;
	struct str *ids;
	size_t n, cap;
	struct map *seen;
};

static int accounts_add(struct scope *s, void *arg)
{
	struct accounts_found *out = arg;
	struct str id = expr_id(out->rule->id, s);

	if (id.n == 0 || id.n > LIMIT_EXTERNAL_ID_BYTES || map_get(out->seen, id) != NULL)
		return 0;
	if (out->n == LIMIT_WEBHOOK_ACCOUNTS)
		return -1;
	if (out->n == out->cap) {
		size_t cap = out->cap == 0 ? 4 : 2 * out->cap;
		struct str *ids = arena_array(s->a, cap, sizeof(*ids));

		if (out->n > 0)
			memcpy(ids, out->ids, out->n * sizeof(*ids));
		out->ids = ids;
		out->cap = cap;
	}
	out->ids[out->n++] = id;
	map_put(out->seen, id, out);
	return 0;
}

int webhook_accounts(
    const struct provider *p, struct arena *a, const struct webhook *w, struct str **ids, size_t *n)
{
	struct accounts_found out = {.seen = map_new(a)};
	struct scope s;
	int rc = 0;

	scope_of_webhook(&s, a, w, NULL);
	for (size_t i = 0; i < p->naccounts && rc != -1; i++) {
		out.rule = &p->accounts[i];
		rc = loops_each(&out.rule->loops, &s, accounts_add, &out);
	}
	*ids = out.ids;
	*n = out.n;
	return rc == -1 ? -1 : 0;
}

/* ---- things ------------------------------------------------------------------------------- */

struct thing {
	enum { THING_NEW, THING_IGNORED, THING_LEFT, THING_TAKEN } state;
	const char *why;      /* LEFT */
	const json_t *within; /* LEFT: of this something is missing, if nobody is for it */
};

/* What is known of an element of the payload. */
struct element {
	bool is_ignored; /* by the manifest */
	bool is_walked;  /* and a rule came to it */
};

struct items_found {
	const struct provider *p;
	const struct access *c;
	const struct item_rule *rule;
	struct arena *a;
	const json_t *payload;
	struct webhook_item *v;
	size_t n, cap, weight, weight_max;
	struct thing *things; /* of the groups so far, one behind the other */
	size_t nthings, things_cap;
	const struct loops *loops; /* of the rule at hand */
	const struct cond *ignoring;
	struct map *elements; /* struct element by address: those that a rule is for */
	bool is_nested; /* a rule has a loop within a loop: only then others' elements count */
	size_t base;    /* where those of this rule's group begin */
	size_t at;      /* the one at hand, counted from 1 */
	const char *nothing;
	bool is_nothing_normal;
};

/* The thing that the rule has come to. */
static struct thing *things_next(struct items_found *f)
{
	f->at++;
	if (f->base + f->at > f->things_cap) {
		size_t cap = f->things_cap == 0 ? 8 : 2 * f->things_cap;

		f->things = arena_grow(f->a, f->things, f->nthings, cap, sizeof(*f->things));
		f->things_cap = cap;
	}
	while (f->base + f->at > f->nthings)
		f->things[f->nthings++] = (struct thing){THING_NEW, NULL, NULL};
	return &f->things[f->base + f->at - 1];
}

static int thing_leave(struct thing *t, const char *why)
{
	if (t->state < THING_LEFT)
		*t = (struct thing){THING_LEFT, why, NULL};
	return 0;
}

/* ---- elements ----------------------------------------------------------------------------- */

static struct element *element_find(const struct items_found *f, const json_t *v)
{
	return map_get(f->elements, (struct str){(const char *)&v, sizeof(v)});
}

static struct element *element_note(struct items_found *f, const json_t *v)
{
	struct element *e = element_find(f, v);

	if (e == NULL) {
		e = arena_zalloc(f->a, sizeof(*e));
		map_put(f->elements, (struct str){(const char *)&v, sizeof(v)}, e);
	}
	return e;
}

/* In those around the one at hand a rule has found something. */
static void elements_note_around(struct items_found *f, const struct scope *s)
{
	const struct loops *ls = f->loops;

	for (size_t i = 0; i + 1 < ls->n; i++)
		element_note(f, s->slot[EXPR_ROOTS_MAX + ls->first + i].json);
}

/* A rule is for the one at hand. */
static struct element *elements_note(struct items_found *f, const struct scope *s)
{
	const json_t *v = loops_element(f->loops, s);

	elements_note_around(f, s);
	return element_note(f, v != NULL ? v : f->payload);
}

static int element_ignore(struct scope *s, void *arg)
{
	struct items_found *f = arg;

	if (cond_holds(f->ignoring, s))
		elements_note(f, s)->is_ignored = true;
	return 0;
}

static void elements_ignore(struct items_found *f, struct scope *s)
{
	for (size_t i = 0; i < f->p->nignored; i++) {
		f->loops = &f->p->ignored[i].loops;
		f->ignoring = f->p->ignored[i].when;
		(void)loops_each(f->loops, s, element_ignore, f);
	}
}

/* Is it one that the manifest leaves alone? */
static bool element_is_ignored(struct items_found *f, const struct scope *s)
{
	const json_t *v = loops_element(f->loops, s);
	struct element *e = element_find(f, v != NULL ? v : f->payload);

	if (e != NULL)
		e->is_walked = true;
	return e != NULL && e->is_ignored;
}

/* What the loop looks at, as people know it: the setting's value, else the manifest's path. */
struct loop_place {
	const struct items_found *f;
	const char *path;
};

static int loop_place_note(unsigned slot, const char *path, void *arg)
{
	struct loop_place *out = arg;
	const char *set =
	    slot == ROOT_SETTINGS && out->f->c != NULL ? json_str(out->f->c->settings, path) : NULL;

	if (set != NULL && set[0] != '\0') {
		out->path = set;
		return 1;
	}
	if (slot != ROOT_SETTINGS && path[0] != '\0')
		out->path = path;
	return 0;
}

/* A loop ended without an element. In the outermost it is the payload's shape; within, something of
 * an element: that is a thing which is left, unless its list is empty. */
static int items_missed(struct scope *s, size_t level, enum loops_end end, void *arg)
{
	struct items_found *f = arg;
	struct loop_place place = {f, NULL};
	const char *what;

	expr_each_place(f->rule->loops.source[level], loop_place_note, &place);
	what = place.path == NULL ? "its list" : arena_printf(s->a, "\"%.60s\"", place.path);
	if (level > 0) {
		struct thing *t = end == LOOPS_EMPTY ? NULL : things_next(f);
		bool is_new = t != NULL && t->state < THING_LEFT;

		if (t != NULL)
			thing_leave(t,
			    end == LOOPS_ABSENT
				? arena_printf(s->a, "has no %s", what)
				: arena_printf(s->a, "has something in %s that is no list", what));
		if (is_new && end == LOOPS_ABSENT)
			t->within = s->slot[EXPR_ROOTS_MAX + f->loops->first + level - 1].json;
		return 0;
	}
	if (f->nothing != NULL)
		return 0;
	f->is_nothing_normal = end == LOOPS_EMPTY;
	f->nothing = end == LOOPS_EMPTY    ? "the list of items is empty"
		     : place.path == NULL  ? "the body is neither an object nor a list"
		     : end == LOOPS_ABSENT ? arena_printf(s->a, "the path %s finds nothing", what)
					   : arena_printf(s->a, "what is at %s is no list", what);
	return 0;
}

/* ---- items -------------------------------------------------------------------------------- */

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

bool item_type_is_valid(struct str t)
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

void item_fill_lead(const struct lead_rule *r, struct scope *s, struct webhook_item *item)
{
	if (!cond_holds(r->when, s))
		return;
	item->is_lead = true;
	item->lead = r->raw == NULL ? NULL : expr_shared(r->raw, s);
	item->form_id = utf8_cut(expr_id(r->form_id, s), LIMIT_EXTERNAL_ID_BYTES);
	item->ad_id = utf8_cut(expr_id(r->ad_id, s), LIMIT_EXTERNAL_ID_BYTES);
	item->campaign_id = utf8_cut(expr_id(r->campaign_id, s), LIMIT_EXTERNAL_ID_BYTES);
	expr_time(r->created_at, s, &item->created_us);
}

static struct webhook_item *items_next(struct items_found *f, struct arena *a)
{
	if (f->n == f->cap) {
		size_t cap = f->cap == 0 ? 4 : 2 * f->cap;

		f->v = arena_grow(a, f->v, f->n, cap, sizeof(*f->v));
		f->cap = cap;
	}
	return &f->v[f->n];
}

/* A small body may name one large value many times. */
static bool items_weigh(struct items_found *f, const struct webhook_item *item)
{
	size_t more = (item->data != NULL ? json_weight(item->data) : 0) +
		      (item->lead != NULL ? json_weight(item->lead) : 0);

	if (f->weight + more > f->weight_max && f->weight_max == LIMIT_EVENT_WEIGHT) {
		size_t own = WEIGHT_OF_PAYLOAD * json_weight(f->payload);

		f->weight_max = own > LIMIT_EVENT_WEIGHT ? own : LIMIT_EVENT_WEIGHT + 1;
	}
	if (f->weight + more > f->weight_max)
		return false;
	f->weight += more;
	return true;
}

/* Why it cannot be taken; NULL: it can. */
static const char *item_fault(
    const struct item_rule *r, struct scope *s, struct str type, struct str id)
{
	const json_t *element = loops_element(&r->loops, s);
	struct str kind = utf8_cut(expr_text(r->event_type, s), TOLD_BYTES);

	if (id.n == 0 && element != NULL && !json_is_object(element))
		return "is no object";
	if (r->resource_type != NULL && type.n == 0)
		return kind.n == 0 ? "is of no known type"
				   : arena_printf(s->a, "is of a type that is not known here: %.*s",
					 (int)kind.n, kind.p);
	if (r->resource_type != NULL && !item_type_is_valid(type))
		return "is of a type that is none: 1 to 64 letters, digits, _ . and -";
	if (id.n == 0 && !r->stores && !r->effects.erases)
		return NULL;
	if (id.n == 0)
		return "has no id";
	if (id.n > LIMIT_EXTERNAL_ID_BYTES)
		return arena_printf(s->a, "has an id of %zu bytes, where %u are the most", id.n,
		    LIMIT_EXTERNAL_ID_BYTES);
	return NULL;
}

/* The account that it is of, if that is another one than the connection's. */
static struct str item_other_account(const struct items_found *f, struct scope *s)
{
	struct str account = utf8_trim(expr_id(f->rule->account, s));
	const char *own = f->c->external_account_id;

	if (own == NULL || own[0] == '\0' || str_is(account, own))
		account.n = 0;
	return utf8_cut(account, TOLD_BYTES);
}

static bool items_have(const struct items_found *f, size_t place, struct str id)
{
	for (size_t i = f->n; i > 0 && f->v[i - 1].place == place; i--)
		if (str_eq(f->v[i - 1].external_id, id))
			return true;
	return false;
}

/* A further item of the same thing: what was merged into the first. */
static void items_add_merged_one(
    struct items_found *f, struct scope *s, const struct webhook_item *first, json_t *id_value)
{
	struct str id = utf8_trim(str_from(json_id_text(s->a, id_value))), key = first->dedupe_key;
	struct webhook_item *item;
	json_t *data;

	if (id.n == 0 || id.n > LIMIT_EXTERNAL_ID_BYTES || items_have(f, first->place, id))
		return;
	s->slot[f->rule->merged_slot].json = id_value;
	data = expr_json(f->rule->merged_data, s, false);
	if (data == NULL)
		return;
	json_own(s->a, data);
	if (!json_is_object(data))
		return;
	if (key.n > 0)
		key = str_from(arena_printf(s->a, "%.*s|%.*s", (int)key.n, key.p, (int)id.n, id.p));
	item = items_next(f, s->a);
	*item = (struct webhook_item){.place = first->place,
	    .is_more = true,
	    .resource_type = first->resource_type,
	    .external_id = id,
	    .event_type = first->event_type,
	    .dedupe_key = key,
	    .data = data,
	    .provider_updated_us = first->provider_updated_us,
	    .is_time_odd = first->is_time_odd,
	    .created_us = TIME_NONE};
	f->n += items_weigh(f, item);
}

static void items_add_merged(
    struct items_found *f, struct scope *s, const struct webhook_item *first)
{
	for (size_t i = 0; i < f->rule->nmerged_ids; i++) {
		json_t *ids = expr_json(f->rule->merged_ids[i], s, false), *one;
		size_t k;

		if (ids == NULL)
			continue;
		json_own(s->a, ids);
		if (!json_is_array(ids))
			items_add_merged_one(f, s, first, ids);
		json_array_each(ids, k, one)
			items_add_merged_one(f, s, first, one);
	}
}

/* One element that the rule's loops reach. */
static int items_add(struct scope *s, void *arg)
{
	struct items_found *f = arg;
	const struct item_rule *r = f->rule;
	struct thing *t = things_next(f);
	const json_t *element = loops_element(&r->loops, s);

	if (t->state == THING_NEW)
		t->state = THING_IGNORED;
	elements_note_around(f, s);
	if (element_is_ignored(f, s))
		return 0;
	if (!cond_holds(r->when, s))
		return element == NULL || json_is_object(element) ? 0
								  : thing_leave(t, "is no object");
	if (f->is_nested)
		(void)elements_note(f, s);
	struct str other = item_other_account(f, s);
	if (other.n > 0)
		return thing_leave(
		    t, arena_printf(s->a, "is of another account, %.*s", (int)other.n, other.p));
	struct str type = expr_text(r->resource_type, s),
		   id = utf8_trim(expr_id(r->external_id, s));
	const char *fault = item_fault(r, s, type, id);
	if (fault != NULL)
		return thing_leave(t, fault);
	json_t *data = r->stores ? expr_shared(r->data, s) : NULL;
	if (r->stores && !json_is_object(data))
		return thing_leave(t, "is no object");
	struct webhook_item *item = items_next(f, s->a);
	*item = (struct webhook_item){
	    .place = f->base + f->at,
	    .is_more = t->state == THING_TAKEN,
	    .resource_type = type,
	    .external_id = id,
	    .event_type = utf8_cut(expr_text(r->event_type, s), EVENT_TYPE_BYTES),
	    .dedupe_key = item_dedupe_key(r, s),
	    .data = data,
	    .created_us = TIME_NONE,
	    .effects = r->effects,
	};
	item->is_time_odd =
	    expr_time(r->updated_at, s, &item->provider_updated_us) == EXPR_TIME_ODD;
	if (r->has_lead)
		item_fill_lead(&r->lead, s, item);
	if (!items_weigh(f, item))
		return thing_leave(t, "would make too much of the body");
	item->needs_details = item_wants_details(f, s, type);
	f->n++;
	*t = (struct thing){.state = THING_TAKEN};
	if (r->merged_data != NULL) {
		struct webhook_item first = *item; /* the list may move */

		items_add_merged(f, s, &first);
	}
	return 0;
}

/* Into the provider's own order of time, so that a batch delivered unordered loses nothing to the
 * rule that an older payload does not overwrite. Stable; only when every item has a time. */
static int item_compare(const void *x, const void *y)
{
	const struct webhook_item *a = x, *b = y;

	if (a->provider_updated_us != b->provider_updated_us)
		return a->provider_updated_us < b->provider_updated_us ? -1 : 1;
	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	return a->is_more - b->is_more;
}

static void items_sort(struct items_found *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].provider_updated_us == TIME_NONE)
			return;
	if (f->n > 1)
		qsort(f->v, f->n, sizeof(*f->v), item_compare);
}

/* What one rule misses in an element that another one is for is no thing: those behind it move up.
 */
static void things_drop_missed(struct items_found *f)
{
	size_t *place = arena_array(f->a, f->nthings + 1, sizeof(*place)), n = 0;

	for (size_t i = 0; i < f->nthings; i++) {
		const struct thing *t = &f->things[i];

		if (t->within != NULL && element_find(f, t->within) != NULL)
			continue;
		f->things[n++] = *t;
		place[i + 1] = n;
	}
	f->nthings = n;
	for (size_t i = 0; i < f->n; i++)
		f->v[i].place = place[f->v[i].place];
}

static void things_count(const struct items_found *f, struct webhook_found *out)
{
	for (size_t i = 0; i < f->nthings; i++) {
		const struct thing *t = &f->things[i];

		out->ignored += t->state == THING_IGNORED;
		if (t->state != THING_LEFT || out->left != 0)
			continue;
		out->left = i + 1;
		out->left_why = t->why;
	}
	out->carried = f->nthings;
	/* left alone, and no rule came to them */
	for (size_t i = 0; i < map_count(f->elements); i++) {
		const struct element *e = map_value(f->elements, i);

		out->carried += e->is_ignored && !e->is_walked;
		out->ignored += e->is_ignored && !e->is_walked;
	}
}

/* What nothing is taken of has a name all the same, where the rules find it in the payload itself.
 */
static struct str payload_event_type(const struct provider *p, struct scope *s)
{
	for (size_t i = 0; i < p->nitems; i++) {
		struct str name = expr_text(p->items[i].event_type, s);

		if (name.n > 0)
			return utf8_cut(name, EVENT_TYPE_BYTES);
	}
	return (struct str){NULL, 0};
}

void webhook_items(const struct provider *p, struct arena *a, const struct webhook *w,
    const struct access *c, struct webhook_found *out)
{
	struct items_found f = {.p = p,
	    .c = c,
	    .a = a,
	    .payload = w->payload,
	    .weight_max = LIMIT_EVENT_WEIGHT,
	    .elements = map_new(a)};
	struct scope s;

	scope_of_webhook(&s, a, w, c);
	for (size_t i = 0; i < p->nitems; i++)
		f.is_nested = f.is_nested || p->items[i].loops.n > 1;
	elements_ignore(&f, &s);
	for (size_t group = 0; group < p->nitems; group++) {
		f.base = f.nthings;
		for (size_t i = group; i < p->nitems; i++) {
			if (p->items[i].group != group) /* also where it is no group's first */
				continue;
			f.rule = &p->items[i];
			f.loops = &f.rule->loops;
			f.at = 0;
			loops_each_told(&f.rule->loops, &s, items_add, items_missed, &f);
		}
	}
	things_drop_missed(&f);
	items_sort(&f);
	*out = (struct webhook_found){.items = f.v, .n = f.n};
	things_count(&f, out);
	if (out->n == 0)
		out->event_type = payload_event_type(p, &s);
	if (out->carried == 0) {
		out->nothing = f.nothing != NULL ? f.nothing : "there is nothing in it";
		out->is_nothing_normal = f.is_nothing_normal || f.nothing == NULL;
	}
}

bool webhook_answer(const struct provider *p, struct arena *a, const struct webhook *w, int *status,
    const char **content_type, struct str *body)
{
	struct scope s;

	scope_of_webhook(&s, a, w, NULL);
	for (size_t i = 0; i < p->nanswers; i++) {
		const struct answer_spec *answer = &p->answers[i];

		if (!cond_holds(answer->when, &s))
			continue;
		*status = (int)answer->status;
		*content_type = answer->content_type;
		*body = answer->fixed;
		return true;
	}
	return false;
}
