/* The stages that a lead has passed, with their times: what its row says of itself. Who keeps a
 * ledger of pushes adds those. */
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
	    {"manual", "Entered by hand or by a tool"}, {NULL, NULL}};
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
