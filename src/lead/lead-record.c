/* A lead and its record: two views of the same, which say the same.
 *
 *	payload ──> lead, normalized ──what it tells──> record, merged by the provider's clock
 *	                                                   │
 *	            lead as it is now  <──its members──────┘
 *
 * A record is merged leaf by leaf (record/record-clock.h), so it knows which payload has the last
 * word on each of the lead's fields; the lead takes it from there. A payload tells only what it
 * carries: a field that is not in it is no value, and leaves alone what was said before. */
#include "base/buf.h"
#include "base/log.h"
#include "lead/lead-internal.h"
#include "record/record.h"

const char *const lead_texts[LEAD_TEXTS] = {
    "email", "phoneNumber", "company", "firstName", "lastName", "fullName"};
const char *const lead_maps[LEAD_MAPS] = {"rawFieldData", "customFields"};
#define UNSAID_BYTES 100u /* more than all their names */
static const char *const lead_ids[] = {"formId", "adId", "campaignId", "createdAt"};
#define IDS (sizeof(lead_ids) / sizeof(lead_ids[0]))

static bool has_member(const json_t *object, const char *key)
{
	return json_object_get(object, key) != NULL;
}

/* Is a field of the lead told by what came, before it was normalized? The names are one where the
 * full name came, or both others: then what is made of them is told as well. */
static bool lead_tells(const json_t *given, const char *key)
{
	const bool are_all = has_member(given, "fullName") ||
			     (has_member(given, "firstName") && has_member(given, "lastName"));

	return has_member(given, key) || (are_all && strstr(key, "Name") != NULL);
}

json_t *lead_record_data(struct arena *a, const json_t *data, const json_t *given,
    const json_t *lead, struct str *unsaid)
{
	json_t *out = json_own(a, data == NULL ? json_object() : json_copy(JSON_ITER(data)));
	struct buf *b = buf_new(a, UNSAID_BYTES);

	json_object_update(out, JSON_ITER(lead));
	for (size_t i = 0; i < LEAD_TEXTS; i++)
		/* what else the payload calls so is no field of the lead */
		if (!lead_tells(given, lead_texts[i]) && !has_member(data, lead_texts[i]))
			buf_printf(b, "%s%s", b->len > 0 ? "," : "", lead_texts[i]);
	*unsaid = b->len > 0 ? (struct str){b->p, b->len} : (struct str){NULL, 0};
	return out;
}

static void copy_member(json_t *to, const json_t *from, const char *key, json_type type)
{
	json_t *v = json_object_get(from, key);

	if (v != NULL && json_typeof(v) == type)
		json_set(to, key, json_deep_copy(v));
}

const char *lead_source(const struct uuid *event_id, const struct uuid *connection_id)
{
	if (!uuid_is_nil(*event_id))
		return RECORD_SOURCE_WEBHOOK;
	return uuid_is_nil(*connection_id) ? RECORD_SOURCE_IMPORT : RECORD_SOURCE_POLL;
}

json_t *lead_parse_stored(struct arena *a, struct str text, struct err *err)
{
	struct err unread = ERR_INIT;
	json_t *lead = json_parse_stored(a, text, &unread);

	if (lead != NULL)
		return lead;
	if (unread.code != ERR_UNREADABLE) {
		err_set(err, unread.code, "%s", unread.msg);
		return NULL;
	}
	log_warn("lead.unreadable", LOG_ERR(&unread));
	return json_own(a, json_object());
}

json_t *lead_of_record(struct arena *a, const json_t *record, const json_t *lead)
{
	json_t *out = json_own(a, json_object());

	for (size_t i = 0; i < LEAD_TEXTS; i++) {
		json_set(out, lead_texts[i], json_null());
		copy_member(out, record, lead_texts[i], JSON_STRING);
	}
	for (size_t i = 0; i < LEAD_MAPS; i++) {
		json_set(out, lead_maps[i], json_object());
		copy_member(out, record, lead_maps[i], JSON_OBJECT);
	}
	for (size_t i = 0; i < IDS; i++)
		copy_member(out, lead, lead_ids[i], JSON_STRING);
	return out;
}
