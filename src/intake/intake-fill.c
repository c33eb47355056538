/* From a payload to a write set: what is stored of each item, and what is said of those that are
 * not. The same for a webhook that comes, for one that is replayed, and for the parts of a large
 * one. */
#include "base/limits.h"
#include "crypto/hash.h"
#include "intake/intake-internal.h"
#include "lead/lead.h"

#define WHY_BYTES 200u
#define COLUMN_BYTES 255u

/* 0, or -1 with *why: it cannot be stored. */
static int item_fill(struct arena *a, const struct connection *c, const struct webhook_item *from,
    struct write_item *to, const char **why)
{
	json_t *data = from->data;
	struct err err = ERR_INIT;

	*to = (struct write_item){.place = from->place,
	    .is_more = from->is_more,
	    .resource_type = from->resource_type,
	    .external_id = from->external_id,
	    .event_type = utf8_cut(from->event_type, EVENT_TYPE_BYTES),
	    .provider_updated_us = from->provider_updated_us,
	    .is_time_odd = from->is_time_odd,
	    .needs_details = from->needs_details,
	    .erases = from->effects.erases,
	    .status = str_from(from->effects.status),
	    .status_reason = str_from(from->effects.reason),
	    .poll = str_from(from->effects.poll),
	    .is_lead = from->is_lead,
	    .form_id = utf8_cut(from->form_id, COLUMN_BYTES),
	    .ad_id = utf8_cut(from->ad_id, COLUMN_BYTES),
	    .campaign_id = utf8_cut(from->campaign_id, COLUMN_BYTES)};
	if (from->dedupe_key.n > 0) {
		unsigned char digest[SHA256_SIZE];

		sha256(from->dedupe_key, digest);
		memcpy(to->dedupe, digest, DEDUPE_SIZE);
		to->has_dedupe = true;
	}
	if (from->lead != NULL) {
		json_t *lead = provider_lead_fields(c->provider, a, from->lead, &err);

		if (lead == NULL) {
			*why = arena_printf(a, "has fields that cannot be read: %s", err.msg);
			return -1;
		}
		const json_t *given = json_own(a, json_copy(lead));

		lead_normalize(a, lead, access_setting(&c->access, "defaultCountry"));
		to->lead = json_text(a, lead);
		/* The record shows the normalized fields beside the provider's own; the payload
		 * itself is also what the next connection reads. */
		data = lead_record_data(a, data, given, lead, &to->unsaid);
	}
	if (from->resource_type.p != NULL && data != NULL)
		to->data = json_text(a, data);
	if (to->data.n <= LIMIT_RECORD_BYTES)
		return 0;
	*why = arena_printf(a, "is not stored: a record may have at most %u bytes, and it has %zu",
	    LIMIT_RECORD_BYTES, to->data.n);
	return -1;
}

static void set_leave(struct arena *a, struct write_set *ws, size_t place, const char *why)
{
	if (place == 0 || (ws->left != 0 && ws->left <= place))
		return;
	ws->left = place;
	ws->left_why = utf8_clean(a, str_from(why), WHY_BYTES);
}

size_t write_set_fill_part(struct arena *a, const struct connection *c,
    const struct webhook_found *found, size_t from, struct write_set *ws)
{
	size_t most =
	    found->n - from < LIMIT_ITEMS_PER_COMMIT ? found->n - from : LIMIT_ITEMS_PER_COMMIT;
	size_t bytes = 0, at = from;

	ws->items = arena_array(a, most + 1, sizeof(*ws->items));
	ws->nitems = 0;
	ws->carried = found->carried;
	set_leave(a, ws, found->left, found->left_why);
	ws->event_type = utf8_cut(
	    found->n > 0 ? found->items[0].event_type : found->event_type, EVENT_TYPE_BYTES);
	for (; at < from + most; at++) {
		struct write_item *item = &ws->items[ws->nitems];
		const char *why;

		if (item_fill(a, c, &found->items[at], item, &why) == -1) {
			set_leave(a, ws, found->items[at].place, why);
			continue;
		}
		bytes += item->data.n + item->lead.n;
		if (bytes > LIMIT_COMMIT_BYTES && ws->nitems > 0)
			break;
		ws->nitems++;
	}
	return at - from;
}

void write_set_fail(struct arena *a, struct write_set *ws, const char *why)
{
	/* a copy: errors do not live as long as the set */
	ws->reason = utf8_clean(a, str_from(arena_strdup(a, why)), REASON_BYTES);
	ws->is_failed = true;
	ws->is_pending = false;
	ws->nitems = 0;
}

/* Nothing comes of it: either there was nothing to take, or something is wrong. */
static void set_judge_empty(
    struct arena *a, const struct webhook_found *found, struct write_set *ws)
{
	const char *why = found->nothing;

	if (ws->left != 0)
		return write_set_fail(a, ws,
		    arena_printf(
			a, "item %zu %.*s", ws->left, (int)ws->left_why.n, ws->left_why.p));
	if (found->carried > 0)
		why = "the provider's manifest takes nothing of this kind";
	else if (!found->is_nothing_normal)
		return write_set_fail(a, ws, why);
	write_set_note(a, ws, why);
}

void write_set_note(struct arena *a, struct write_set *ws, const char *note)
{
	if (note == NULL)
		return;
	if (ws->notes.n > 0)
		note = arena_printf(a, "%.*s; %s", (int)ws->notes.n, ws->notes.p, note);
	ws->notes = utf8_clean(a, str_from(note), REASON_BYTES);
}

void write_set_fill(
    struct arena *a, const struct connection *c, const struct webhook *hook, struct write_set *ws)
{
	struct webhook_found found;

	webhook_items(c->provider, a, hook, &c->access, &found);
	write_set_note(a, ws, hook->notes);
	ws->is_pending = write_set_fill_part(a, c, &found, 0, ws) < found.n;
	if (ws->is_pending)
		ws->nitems = 0;
	else if (ws->nitems == 0)
		set_judge_empty(a, &found, ws);
}
