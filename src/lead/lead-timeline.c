/* The stages that a lead has passed, with their times: what its row says of itself, then what
 * others know of it. */
#include "base/clock.h"
#include "lead/lead-internal.h"

static json_t *stage_add(json_t *list, const char *stage, const char *at, const char *text)
{
	json_t *o;

	if (at == NULL)
		return NULL;
	o = json_object();
	json_set_str(o, "stage", stage);
	json_set_str(o, "at", at);
	json_set_str(o, "text", text);
	json_array_append_new(list, o);
	return o;
}

static const char *received_text(const char *source)
{
	static const struct word texts[] = {{"webhook", "Received by webhook"},
	    {"poll", "Found by the poll"}, {"import", "Imported"},
	    {LEAD_SOURCE_MANUAL, "Entered by hand or API"}, {NULL, NULL}};
	const struct word *w = source == NULL ? NULL : word_find(texts, str_from(source));

	return w == NULL || w->text == NULL ? "Received" : w->label;
}

static void add_duplicate(struct arena *a, json_t *list, const json_t *lead, const char *at)
{
	const char *first = json_str(lead, "duplicateOf"), *by = json_str(lead, "duplicateBy");
	bool is_held = str_is(str_from(json_str(lead, "syncStatus")), LEAD_SYNC_DUPLICATE);
	json_t *o;

	if (first == NULL)
		return;
	o = stage_add(list, "duplicate", at,
	    arena_printf(a, "Duplicate: the same %s as an earlier lead%s",
		by != NULL && strcmp(by, "phone") == 0 ? "phone number" : "email",
		is_held ? ", so it is not sent" : ""));
	json_set_str(o, "duplicateOf", first);
}

void lead_add_timeline(struct arena *a, json_t *lead)
{
	json_t *list = json_array(), *o;
	const char *received = json_str(lead, "receivedAt"), *ready = json_str(lead, "readyAt"),
		   *source = json_str(lead, "source");

	json_set(lead, "timeline", list);
	(void)stage_add(list, "received", received, received_text(source));
	if (source != NULL && strcmp(source, "webhook") == 0)
		(void)stage_add(list, "verified", received, "Signature verified");
	(void)stage_add(list, "fetched", json_str(lead, "fetchedAt"), "Details fetched");
	if (ready != NULL) {
		(void)stage_add(list, "normalized", ready, "Normalized");
		add_duplicate(a, list, lead, ready);
		(void)stage_add(list, "stored", ready, "Stored");
	} else if (lead_stage_is_lacking(json_str(lead, "stage"))) {
		o = stage_add(list, "incomplete", json_str(lead, "updatedAt"),
		    "Its details could not be fetched");
		json_set_str(o, "detail", json_str(lead, "stageError"));
	}
}

/* ---- what others know ------------------------------------------------------------------------ */

struct lead_moment {
	json_t *stage;
	int64_t at_us;
	size_t place;
};

static int moment_by_time(const void *x, const void *y)
{
	const struct lead_moment *a = x, *b = y;

	if (a->at_us != b->at_us)
		return a->at_us < b->at_us ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static void timeline_order(struct arena *a, json_t *list)
{
	size_t n = json_array_size(list);
	struct lead_moment *v = arena_array(a, n + 1, sizeof(*v));

	for (size_t i = 0; i < n; i++) {
		json_t *stage = json_incref(json_array_get(list, i));

		v[i] = (struct lead_moment){stage, json_time(stage, "at"), i};
	}
	qsort(v, n, sizeof(*v), moment_by_time);
	json_array_clear(list);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, v[i].stage);
}

int lead_complete_timeline(struct app *app, struct arena *a, const struct uuid *account_id,
    uint64_t permissions, json_t *lead, struct err *err)
{
	json_t *list = json_object_get(lead, "timeline");

	for (lead_timeline_fn *const *add = app->hooks.lead_timeline; add != NULL && *add != NULL;
	     add++)
		if ((*add)(app, a, account_id, permissions, lead, list, err) == -1)
			return -1;
	timeline_order(a, list);
	return 0;
}
