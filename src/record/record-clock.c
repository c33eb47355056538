/* See record-clock.h. A node stands for a member of the data; members that are not in its map are
 * all at `rest`, with whatever is below them. Nodes of members that are gone stay in the map
 * without meaning. */
#include "record/record-clock.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "base/path.h"

/* Of a leaf only `said` counts. Of an object: when a payload last had an object here, when one had
 * something else, and the time of the members that are not in the map. */
struct clock_node {
	int64_t said, reset, rest;
	struct map *members;
	struct clock_ahead *ahead; /* of the record's own node; NULL: none */
};

static struct clock_node *node_new(struct arena *a, int64_t at)
{
	struct clock_node *n = arena_zalloc(a, sizeof(*n));

	*n = (struct clock_node){.said = at, .reset = CLOCK_FILL, .rest = at};
	return n;
}

/* The node of a member that is there: made where it is one of the rest. */
static struct clock_node *node_member(struct arena *a, struct clock_node *n, const char *key)
{
	struct str k = str_from(key);
	struct clock_node *m = n->members == NULL ? NULL : map_get(n->members, k);

	if (m != NULL)
		return m;
	if (n->members == NULL)
		n->members = map_new(a);
	m = node_new(a, n->rest);
	map_put(n->members, k, m);
	return m;
}

static const struct clock_node *node_find(const struct clock_node *n, const char *key)
{
	return n->members == NULL ? NULL : map_get(n->members, str_from(key));
}

/* As if it had just been said, whatever it was. */
static void node_say(struct clock_node *n, int64_t at, int64_t reset)
{
	*n = (struct clock_node){.said = at, .reset = reset, .rest = at, .ahead = n->ahead};
}

/* ---- text ---------------------------------------------------------------------------------- */

enum { TEXT_MEMBERS, TEXT_REST, TEXT_SAID, TEXT_RESET, TEXT_AHEAD };

static int64_t time_read(const json_t *v)
{
	return json_is_integer(v) ? json_integer_value(v) : TIME_NONE;
}

static struct clock_node *node_read(struct arena *a, const json_t *v)
{
	struct clock_node *n = node_new(a, time_read(v));
	const char *key;
	json_t *member;

	if (!json_is_array(v))
		return n;
	n->rest = time_read(json_array_get(v, TEXT_REST));
	n->said = time_read(json_array_get(v, TEXT_SAID));
	if (json_is_integer(json_array_get(v, TEXT_RESET)))
		n->reset = time_read(json_array_get(v, TEXT_RESET));
	n->members = map_new(a);
	json_object_each(json_array_get(v, TEXT_MEMBERS), key, member)
		map_put(n->members, str_from(key), node_read(a, member));
	return n;
}

static struct clock_ahead *ahead_read(struct arena *a, const json_t *v)
{
	struct clock_ahead *ahead;

	if (!json_is_array(v))
		return NULL;
	ahead = arena_alloc(a, sizeof(*ahead));
	*ahead =
	    (struct clock_ahead){time_read(json_array_get(v, 0)), time_read(json_array_get(v, 1))};
	return ahead;
}

struct clock_node *clock_read(struct arena *a, struct str text, int64_t newest_us)
{
	struct err err = ERR_INIT;
	struct clock_node *n;
	json_t *v = text.p == NULL ? NULL : json_parse_stored(a, text, &err);

	if (err.code != ERR_NONE)
		log_warn("record.clocks", LOG_ERR(&err));
	if (v == NULL)
		return node_new(a, newest_us);
	n = node_read(a, v);
	n->ahead = ahead_read(a, json_array_get(v, TEXT_AHEAD));
	return n;
}

int64_t clock_of_ahead(
    struct arena *a, struct clock_node *root, int64_t told_us, int64_t received_us)
{
	if (root->ahead == NULL)
		root->ahead = arena_zalloc(a, sizeof(*root->ahead));
	if (root->ahead->told_us != told_us)
		*root->ahead = (struct clock_ahead){told_us, received_us};
	return root->ahead->counted_us;
}

static json_t *time_json(int64_t at)
{
	return at <= TIME_NONE ? json_null() : json_integer(at);
}

static json_t *node_json(const struct clock_node *n, const json_t *value);

/* Which time most direct members have: of two, the one that they began with and the newest. */
static int64_t rest_of(const struct clock_node *n, const json_t *object, int64_t newest)
{
	size_t rest = 0, new = 0;
	const char *key;
	json_t *value;

	json_object_each(object, key, value) {
		const struct clock_node *m = node_find(n, key);
		int64_t said = m == NULL ? n->rest : m->said;

		rest += said == n->rest;
		new += said == newest;
	}
	return new > rest ? newest : n->rest;
}

static json_t *members_json(const struct clock_node *n, const json_t *object, int64_t rest)
{
	json_t *out = json_object();
	const char *key;
	json_t *value;

	json_object_each(object, key, value) {
		const struct clock_node *m = node_find(n, key);
		json_t *told = m == NULL ? time_json(n->rest) : node_json(m, value);

		if (json_is_array(told) || time_read(told) != rest)
			json_object_set_new(out, key, told);
		else
			json_decref(told);
	}
	return out;
}

/* A time where all below it has that one. */
static json_t *node_json(const struct clock_node *n, const json_t *value)
{
	json_t *out, *members;
	int64_t rest;

	if (!json_is_object(value))
		return time_json(n->said);
	rest = rest_of(n, value, n->said);
	members = members_json(n, value, rest);
	if (json_object_size(members) == 0 && n->reset <= TIME_NONE &&
	    (rest == n->said || json_object_size(value) == 0)) {
		json_decref(members);
		return time_json(n->said);
	}
	out = json_array();
	json_array_append_new(out, members);
	json_array_append_new(out, time_json(rest));
	json_array_append_new(out, time_json(n->said));
	json_array_append_new(out, time_json(n->reset));
	return out;
}

struct str clock_text(
    struct arena *a, const struct clock_node *root, const json_t *data, int64_t newest_us)
{
	json_t *v = json_own(a, node_json(root, data));

	if (root->ahead == NULL)
		return !json_is_array(v) && time_read(v) == newest_us ? (struct str){NULL, 0}
								      : json_text(a, v);
	if (!json_is_array(v))
		v = json_own(a, json_pack("[{},O,O,n]", v, v));
	json_array_append_new(v, json_pack("[I,I]", (json_int_t)root->ahead->told_us,
				     (json_int_t)root->ahead->counted_us));
	return json_text(a, v);
}

struct str clock_text_unsaid(struct arena *a, struct str unsaid, int64_t newest_us)
{
	json_t *v, *members = json_object();
	struct str name;

	while (unsaid.n > 0 && str_split(&unsaid, ',', &name))
		json_set(members, arena_strndup(a, name.p, name.n), json_null());
	v = json_own(a, json_array());
	json_array_append_new(v, members);
	json_array_append_new(v, time_json(newest_us));
	json_array_append_new(v, time_json(newest_us));
	json_array_append_new(v, json_null());
	return json_text(a, v);
}

/* ---- merging ------------------------------------------------------------------------------- */

/* A diff may be only a few times as large as its payloads, though each change repeats the keys
 * above it: where the paths of an object's members could take more bytes than are left of these,
 * the object is one change as a whole. */
#define PATHS_BYTES LIMIT_RECORD_BYTES

struct merging {
	struct clock_merge *m;
	struct buf *path; /* to the object at hand */
	size_t room;      /* of PATHS_BYTES */
	bool is_quiet;    /* an object above is told as a whole */
	bool is_changed;
};

static size_t path_push(struct merging *g, int depth, const char *key)
{
	size_t base = g->path->len;

	if (depth > 0)
		buf_chr(g->path, '.');
	path_append_key(g->path, key);
	return base;
}

static void path_pop(struct merging *g, size_t base)
{
	g->path->len = base;
	g->path->p[base] = '\0';
}

static void change_note(struct merging *g, json_t *before, json_t *after)
{
	json_t *c;

	g->is_changed = true;
	if (g->is_quiet)
		return;
	c = json_object();
	json_set_str(c, "path", g->path->p);
	if (before != NULL)
		json_set(c, "before", json_incref(before));
	if (after != NULL)
		json_set(c, "after", json_incref(after));
	json_array_append_new(g->m->changes, c);
}

/* When it says so, over what was said then. */
static int64_t time_over(const struct merging *g, int64_t said)
{
	return g->m->is_last && said > g->m->at_us ? said : g->m->at_us;
}

static void clock_raise(struct merging *g, int64_t *at)
{
	if (*at >= g->m->at_us || g->m->is_last)
		return;
	*at = g->m->at_us;
	g->m->is_clock_moved = true;
}

static void member_set(
    struct merging *g, json_t *object, const char *key, json_t *before, const json_t *value)
{
	json_t *after = json_deep_copy(value);

	change_note(g, before, after);
	json_object_set_new(object, key, after);
	g->m->is_clock_moved = true;
}

static void merge_members(
    struct merging *g, int depth, json_t *data, struct clock_node *n, const json_t *patch);

/* Runs `with` on an object that is there, told member by member if the paths have room, else as one
 * change. */
static void object_change(struct merging *g, int depth, json_t *object, struct clock_node *n,
    const json_t *patch,
    void (*with)(
	struct merging *g, int depth, json_t *object, struct clock_node *n, const json_t *patch))
{
	size_t cost = (g->path->len + 1) * (json_object_size(object) + json_object_size(patch));
	bool was_changed = g->is_changed;
	json_t *before;

	if (g->is_quiet || cost <= g->room) {
		g->room -= g->is_quiet ? 0 : cost;
		with(g, depth, object, n, patch);
		return;
	}
	before = json_own(g->m->a, json_deep_copy(object));
	g->is_quiet = true;
	g->is_changed = false;
	with(g, depth, object, n, patch);
	g->is_quiet = false;
	if (g->is_changed)
		change_note(g, before, json_own(g->m->a, json_deep_copy(object)));
	g->is_changed = g->is_changed || was_changed;
}

/* The newest that was said of it, or below it. */
static int64_t node_newest(const struct clock_node *n, const json_t *value)
{
	int64_t newest = n->said;
	const char *key;
	json_t *member;

	if (!json_is_object(value))
		return newest;
	json_object_each(value, key, member) {
		const struct clock_node *m = node_find(n, key);
		int64_t at = m == NULL ? n->rest : node_newest(m, member);

		newest = at > newest ? at : newest;
	}
	return newest;
}

/* Takes out what was said by then: what is newer stays. */
static void object_prune(
    struct merging *g, int depth, json_t *object, struct clock_node *n, const json_t *patch)
{
	void *next;
	json_t *member;
	const char *key;

	(void)patch;
	json_object_foreach_safe(object, next, key, member) {
		struct clock_node *m = node_member(g->m->a, n, key);
		size_t base = path_push(g, depth, key);

		if (node_newest(m, member) <= g->m->at_us) {
			change_note(g, member, NULL);
			json_object_del(object, key);
		} else if (json_is_object(member)) {
			object_change(g, depth + 1, member, m, NULL, object_prune);
		}
		path_pop(g, base);
	}
}

/* Something that is no object, where an object is: it takes the place of what is older. */
static void merge_over_object(struct merging *g, int depth, json_t *object, const char *key,
    json_t *there, struct clock_node *n, const json_t *value)
{
	const int64_t newest = node_newest(n, there), at = time_over(g, newest);

	if (newest <= at) {
		member_set(g, object, key, there, value);
		node_say(n, at, CLOCK_FILL);
		return;
	}
	clock_raise(g, &n->reset);
	object_change(g, depth, there, n, NULL, object_prune);
}

static void merge_leaf(struct merging *g, json_t *object, const char *key, json_t *there,
    struct clock_node *n, const json_t *value)
{
	const int64_t at = time_over(g, n->said);

	if (at < n->said)
		return;
	if (json_equal(there, value)) {
		clock_raise(g, &n->said);
		return;
	}
	member_set(g, object, key, there, value);
	n->said = at;
}

static void merge_object(struct merging *g, int depth, json_t *object, const char *key,
    json_t *there, struct clock_node *n, const json_t *value)
{
	const int64_t at = time_over(g, n->said);

	if (json_is_object(there)) {
		if (time_over(g, n->reset) < n->reset)
			return;
		clock_raise(g, &n->said);
		object_change(g, depth, there, n, value, merge_members);
	} else if (at >= n->said) {
		const int64_t reset = n->said;

		member_set(g, object, key, there, value);
		node_say(n, at, reset);
	}
}

static void merge_member(struct merging *g, int depth, json_t *object, struct clock_node *n,
    const char *key, const json_t *value)
{
	json_t *there = json_object_get(object, key);
	struct clock_node *m = node_member(g->m->a, n, key);

	if (there == NULL) {
		member_set(g, object, key, NULL, value);
		node_say(m, g->m->at_us, CLOCK_FILL);
	} else if (json_is_object(value)) {
		merge_object(g, depth, object, key, there, m, value);
	} else if (json_is_object(there)) {
		merge_over_object(g, depth, object, key, there, m, value);
	} else {
		merge_leaf(g, object, key, there, m, value);
	}
}

static void merge_members(
    struct merging *g, int depth, json_t *data, struct clock_node *n, const json_t *patch)
{
	const char *key;
	json_t *value;

	json_object_each(patch, key, value) {
		size_t base = path_push(g, depth, key);

		merge_member(g, depth + 1, data, n, key, value);
		path_pop(g, base);
	}
}

void clock_merge(struct clock_merge *m, json_t *data, struct clock_node *root, const json_t *patch)
{
	struct merging g = {.m = m, .path = buf_new(m->a, LIMIT_JSON_BYTES), .room = PATHS_BYTES};

	buf_chr(g.path, ' '); /* allocates, so that the text may be cut back to nothing */
	buf_reset(g.path);
	m->changes = json_own(m->a, json_array());
	m->is_clock_moved = false;
	clock_raise(&g, &root->said);
	merge_members(&g, 0, data, root, patch);
}
