#include "flow/flow-diff.h"
#include "flow/flow-internal.h"

struct diffing {
	const struct flow_words *w;
	struct arena *a;
	json_t *changes;
};

/* A step of a list, with its key: step_2_1. */
struct diff_step {
	const json_t *json;
	const char *key;
	size_t pair; /* of the other list, or NONE */
	bool has_stayed;
};
#define NONE SIZE_MAX
struct diff_list {
	struct diff_step *v;
	size_t n;
};

/* ---- words ----------------------------------------------------------------------------------- */

/* "step_2_1" as people count: "step 2.1". */
static const char *key_words(struct arena *a, const char *key)
{
	char *text = arena_strdup(a, key);

	for (char *p = strchr(text, '_'); p != NULL; p = strchr(p, '_'))
		*p = p - text == 4 ? ' ' : '.';
	return text;
}

static json_t *change_add(struct diffing *d, const char *change, const json_t *step,
    const char *key, const char *key_before)
{
	json_t *o = json_object();

	json_set_str(o, "change", change);
	json_set_str(o, "step", key);
	json_set_str(o, "stepBefore",
	    key_before != NULL && strcmp(key, key_before) != 0 ? key_before : NULL);
	json_set_str(o, "kind", json_str(step, "kind"));
	json_set_str(o, "name", json_str(step, "name"));
	json_set_str(o, "label", flow_words_title_of(d->w, step));
	if (json_array_size(d->changes) == FLOW_DIFF_CHANGES)
		json_set_str(o, "text", "There are more changes than are told");
	if (json_array_size(d->changes) <= FLOW_DIFF_CHANGES)
		json_array_append_new(d->changes, o);
	else
		json_decref(o);
	return json_array_size(d->changes) <= FLOW_DIFF_CHANGES ? o : NULL;
}

static void change_tell(json_t *o, const char *text)
{
	if (o != NULL)
		json_set_str(o, "text", text);
}

/* ---- pairing --------------------------------------------------------------------------------- */

static struct diff_list list_of(
    struct arena *a, const json_t *steps, const char *owner, size_t *count)
{
	struct diff_list list = {
	    arena_array(a, json_array_size(steps) + 1, sizeof(*list.v)), json_array_size(steps)};

	for (size_t i = 0; i < list.n; i++)
		list.v[i] = (struct diff_step){.json = json_array_get(steps, i),
		    .key = arena_printf(a, "%s_%zu", owner == NULL ? "step" : owner, ++*count),
		    .pair = NONE};
	return list;
}

static bool texts_equal(const char *x, const char *y)
{
	return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

static bool steps_equal(const json_t *x, const json_t *y)
{
	return json_equal(JSON_ITER(x), JSON_ITER(y)) != 0;
}

static bool steps_alike(const json_t *x, const json_t *y)
{
	return json_str(x, "name") != NULL &&
	       texts_equal(json_str(x, "name"), json_str(y, "name")) &&
	       texts_equal(json_str(x, "kind"), json_str(y, "kind"));
}

static bool steps_same_kind(const json_t *x, const json_t *y)
{
	return texts_equal(json_str(x, "kind"), json_str(y, "kind"));
}

static void pair_by(
    struct diff_list *before, struct diff_list *after, bool (*fits)(const json_t *, const json_t *))
{
	for (size_t i = 0; i < after->n; i++)
		for (size_t k = 0; after->v[i].pair == NONE && k < before->n; k++)
			if (before->v[k].pair == NONE &&
			    fits(before->v[k].json, after->v[i].json)) {
				after->v[i].pair = k;
				before->v[k].pair = i;
			}
}

/* Of the pairs the longest that kept their order have stayed (by dynamic programming: a list has at
 * most FLOW_STEPS_MOST). */
static void mark_stayed(struct diff_list *after)
{
	size_t length[FLOW_STEPS_MOST], from[FLOW_STEPS_MOST], best = NONE;

	for (size_t i = 0; i < after->n && i < FLOW_STEPS_MOST; i++) {
		length[i] = 0;
		from[i] = NONE;
		if (after->v[i].pair == NONE)
			continue;
		length[i] = 1;
		for (size_t k = 0; k < i; k++)
			if (length[k] > 0 && after->v[k].pair < after->v[i].pair &&
			    length[k] + 1 > length[i]) {
				length[i] = length[k] + 1;
				from[i] = k;
			}
		if (best == NONE || length[i] > length[best])
			best = i;
	}
	for (; best != NONE; best = from[best])
		after->v[best].has_stayed = true;
}

/* ---- members --------------------------------------------------------------------------------- */

static bool is_absent(const json_t *v)
{
	return v == NULL || json_is_null(v);
}

/* Compared by the steps that stand in it. */
static bool member_is_list(const char *path)
{
	static const char *const lists[] = {
	    "config.steps", "config.then", "config.else", "config.branches", "errorSteps", NULL};

	for (size_t i = 0; lists[i] != NULL; i++)
		if (strcmp(lists[i], path) == 0)
			return true;
	return false;
}

static bool member_is_object(const char *path)
{
	return strcmp(path, "config") == 0 || strcmp(path, "inputMapping") == 0;
}

static void field_tell(struct diffing *d, const struct diff_step *x, const struct diff_step *y,
    const char *path, const json_t *from, const json_t *to)
{
	const char *label = flow_words_field(d->w, y->json, path);
	json_t *o = change_add(d, "changed", y->json, y->key, x->key);

	if (o == NULL)
		return;
	json_set_str(o, "field", path);
	json_set_str(o, "fieldLabel", label);
	json_set(o, "from", from == NULL ? NULL : json_incref(JSON_ITER(from)));
	json_set(o, "to", to == NULL ? NULL : json_incref(JSON_ITER(to)));
	change_tell(o,
	    arena_printf(d->a, "%s: %s changed from %s to %s", flow_words_title_of(d->w, y->json),
		label, flow_words_value(d->w, x->json, path, from),
		flow_words_value(d->w, y->json, path, to)));
}

static void members_compare(struct diffing *d, const struct diff_step *x, const struct diff_step *y,
    const char *within, const json_t *from, const json_t *to)
{
	json_t *keys = json_own(d->a, json_object()), *v;
	const char *key;

	json_object_each(from, key, v)
		json_set_bool(keys, key, true);
	json_object_each(to, key, v)
		json_set_bool(keys, key, true);
	json_object_each(keys, key, v) {
		const json_t *a = json_object_get(from, key), *b = json_object_get(to, key);
		const char *path = *within == '\0' ? key : arena_printf(d->a, "%s.%s", within, key);

		if ((is_absent(a) && is_absent(b)) || strcmp(path, STEP_INPUT_NAMES) == 0 ||
		    (a != NULL && b != NULL && steps_equal(a, b)) || member_is_list(path))
			continue;
		if (member_is_object(path))
			members_compare(d, x, y, path, a, b);
		else
			field_tell(d, x, y, path, a, b);
	}
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void lists_compare(struct diffing *d, const json_t *before, const char *owner_before,
    size_t *count_before, const json_t *after, const char *owner_after, size_t *count_after);

/* Branches are paired by their names, else by their places. */
static const json_t *branch_before(const json_t *branches, const json_t *b, size_t i)
{
	const char *name = json_str(b, "name");
	json_t *one;
	size_t k;

	json_array_each(branches, k, one)
		if (name != NULL && texts_equal(json_str(one, "name"), name))
			return one;
	one = json_array_get(branches, i);
	return name == NULL || json_str(one, "name") == NULL ? one : NULL;
}

static void branches_compare(struct diffing *d, const struct diff_step *x,
    const struct diff_step *y, size_t *count_x, size_t *count_y)
{
	const json_t *before = json_object_get(json_object_get(x->json, "config"), "branches"),
		     *after = json_object_get(json_object_get(y->json, "config"), "branches");
	size_t n = json_array_size(before) > json_array_size(after) ? json_array_size(before)
								    : json_array_size(after);

	for (size_t i = 0; i < n; i++) {
		const json_t *b = json_array_get(after, i), *a = b == NULL
								     ? json_array_get(before, i)
								     : branch_before(before, b, i);
		const char *path = arena_printf(d->a, "config.branches[%zu].condition", i);
		const json_t *from = json_object_get(a, "condition"),
			     *to = json_object_get(b, "condition");

		if (!(is_absent(from) && is_absent(to)) &&
		    (from == NULL || to == NULL || !steps_equal(from, to)))
			field_tell(d, x, y, path, from, to);
		lists_compare(d, json_object_get(a, "steps"), x->key, count_x,
		    json_object_get(b, "steps"), y->key, count_y);
	}
}

/* The lists within a pair, in the order in which their steps are numbered: by the fields that hold
 * them, then the steps of a failure (flow-plan.c). */
static void inner_compare(struct diffing *d, const struct diff_step *x, const struct diff_step *y)
{
	static const char *const lists[] = {"steps", "then", "else"};
	const json_t *before = json_object_get(x->json, "config"),
		     *after = json_object_get(y->json, "config");
	size_t count_x = 0, count_y = 0;

	branches_compare(d, x, y, &count_x, &count_y);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		lists_compare(d, json_object_get(before, lists[i]), x->key, &count_x,
		    json_object_get(after, lists[i]), y->key, &count_y);
	lists_compare(d, json_object_get(x->json, "errorSteps"), x->key, &count_x,
	    json_object_get(y->json, "errorSteps"), y->key, &count_y);
}

static void pair_compare(struct diffing *d, const struct diff_step *x, const struct diff_step *y)
{
	if (!y->has_stayed)
		change_tell(change_add(d, "moved", y->json, y->key, x->key),
		    arena_printf(d->a, "%s moved from %s to %s", flow_words_title_of(d->w, y->json),
			key_words(d->a, x->key), key_words(d->a, y->key)));
	if (steps_equal(x->json, y->json))
		return;
	members_compare(d, x, y, "", x->json, y->json);
	inner_compare(d, x, y);
}

static void lists_compare(struct diffing *d, const json_t *before, const char *owner_before,
    size_t *count_before, const json_t *after, const char *owner_after, size_t *count_after)
{
	struct diff_list x = list_of(d->a, before, owner_before, count_before),
			 y = list_of(d->a, after, owner_after, count_after);

	pair_by(&x, &y, steps_equal);
	pair_by(&x, &y, steps_alike);
	pair_by(&x, &y, steps_same_kind);
	mark_stayed(&y);
	for (size_t i = 0; i < x.n; i++)
		if (x.v[i].pair == NONE)
			change_tell(change_add(d, "removed", x.v[i].json, x.v[i].key, NULL),
			    arena_printf(d->a, "%s was removed (it was %s)",
				flow_words_title_of(d->w, x.v[i].json),
				key_words(d->a, x.v[i].key)));
	for (size_t i = 0; i < y.n; i++)
		if (y.v[i].pair != NONE)
			pair_compare(d, &x.v[y.v[i].pair], &y.v[i]);
		else
			change_tell(change_add(d, "added", y.v[i].json, y.v[i].key, NULL),
			    arena_printf(d->a, "%s was added as %s",
				flow_words_title_of(d->w, y.v[i].json),
				key_words(d->a, y.v[i].key)));
}

/* ---- settings -------------------------------------------------------------------------------- */

static void settings_compare(struct diffing *d, const json_t *before, const json_t *after)
{
	static const struct {
		const char *key, *label;
	} known[] = {{"orderBy", "Runs in turn by"}, {"timeLimitSeconds", "Time limit in seconds"},
	    {"concurrency", "Runs at a time"}};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		const json_t *from = json_object_get(before, known[i].key),
			     *to = json_object_get(after, known[i].key);
		json_t *o;

		if ((is_absent(from) && is_absent(to)) ||
		    (from != NULL && to != NULL && steps_equal(from, to)))
			continue;
		o = json_object();
		json_set_str(o, "change", "changed");
		json_set_str(o, "field", arena_printf(d->a, "settings.%s", known[i].key));
		json_set_str(o, "fieldLabel", known[i].label);
		json_set(o, "from", from == NULL ? NULL : json_incref(JSON_ITER(from)));
		json_set(o, "to", to == NULL ? NULL : json_incref(JSON_ITER(to)));
		json_set_str(o, "text",
		    arena_printf(d->a, "%s changed from %s to %s", known[i].label,
			flow_words_value(d->w, NULL, "", from),
			flow_words_value(d->w, NULL, "", to)));
		json_array_append_new(d->changes, o);
	}
}

json_t *flow_diff(const struct flow_words *w, const json_t *steps_before,
    const json_t *settings_before, const json_t *steps_after, const json_t *settings_after)
{
	struct diffing d = {.w = w, .a = w->a, .changes = json_own(w->a, json_array())};
	size_t count_before = 0, count_after = 0;

	lists_compare(&d, steps_before, NULL, &count_before, steps_after, NULL, &count_after);
	settings_compare(&d, settings_before, settings_after);
	return d.changes;
}
