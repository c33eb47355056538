#include "record/record-timeline.h"

#include "base/clock.h"

static void story_add_upserts(const struct record_story *s)
{
	for (size_t i = 0; i < json_array_size(s->history); i++) {
		json_t *o = json_copy(json_array_get(s->history, i));
		bool is_creation = json_array_size(json_object_get(o, "changes")) == 0;

		json_set_str(o, "kind", "upsert");
		json_set_str(o, "outcome", is_creation ? "created" : "updated");
		json_array_append_new(s->entries, o);
	}
}

/* ---- order --------------------------------------------------------------------------------- */

struct timeline_entry {
	json_t *json;
	int64_t at_us;
	size_t rank, index;
};

static size_t entry_rank(const json_t *entry)
{
	static const char *const order[] = {"request", "verdict", "upsert"};
	const char *kind = json_str(entry, "kind");
	size_t i = 0;

	while (
	    i < sizeof(order) / sizeof(order[0]) && (kind == NULL || strcmp(kind, order[i]) != 0))
		i++;
	return i;
}

static int entry_by_time(const void *a, const void *b)
{
	const struct timeline_entry *x = a, *y = b;

	if (x->at_us != y->at_us)
		return x->at_us < y->at_us ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static json_t *entries_in_order(struct arena *a, json_t *entries)
{
	size_t n = json_array_size(entries);
	struct timeline_entry *v = arena_array(a, n + 1, sizeof(*v));
	json_t *out = json_own(a, json_array());

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_array_get(entries, i);

		v[i] = (struct timeline_entry){
		    .json = o, .rank = entry_rank(o), .index = i, .at_us = json_time(o, "at")};
	}
	qsort(v, n, sizeof(*v), entry_by_time);
	for (size_t i = 0; i < n; i++)
		json_array_append(out, v[i].json);
	return out;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* The history is newest first; what is of one moment keeps its order when it is oldest first. */
static json_t *list_reversed(struct arena *a, json_t *list)
{
	json_t *out = json_own(a, json_array());

	for (size_t i = json_array_size(list); i-- > 0;)
		json_array_append(out, json_array_get(list, i));
	return out;
}

int record_timeline(struct app *app, struct arena *a, const struct uuid *account_id,
    uint64_t permissions, const struct uuid *id, json_t **out, struct err *err)
{
	struct record_story s = {
	    .account_id = *account_id, .record_id = *id, .permissions = permissions};
	json_t *record, *history;
	int found = record_get_json(app, a, account_id, id, &record, err);

	if (found != 1)
		return found;
	if (record_history(app, a, account_id, id, &history, err) == -1)
		return -1;
	s.record = record;
	s.history = list_reversed(a, history);
	s.entries = json_own(a, json_array());
	story_add_upserts(&s);
	for (record_timeline_fn *const *add = app->hooks.record_timeline;
	     add != NULL && *add != NULL; add++)
		if ((*add)(app, a, &s, err) == -1)
			return -1;
	*out = entries_in_order(a, s.entries);
	return 1;
}

int record_api_timeline(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	json_t *rows;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = record_timeline(
	    r->app, r->a, &r->actor.account_id, r->actor.permissions, &id, &rows, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such record");
	return res_whole(r, rows, (int64_t)json_array_size(rows));
}
