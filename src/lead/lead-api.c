/* JSON handlers of the leads. */
#include "base/clock.h"
#include "base/limits.h"
#include "connection/connection.h"
#include "lead/lead-internal.h"
#include "provider/provider.h"
#include "record/record.h"

int lead_api_list(struct req *r)
{
	struct lead_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;

	if (!slice_read(r, &list_of_leads, &f, &s))
		return res_invalid(r);
	if (lead_list(r->app, r->a, &f, &s, &err) == -1)
		return res_error(r, &err);
	return res_slice(r, &s);
}

/* ---- POST /leads ------------------------------------------------------------------------- */

/* Texts that only go into the lead are checked, all into one place. */
struct lead_body {
	struct str provider_type, provider_lead_id, form_id, ad_id, campaign_id, text;
	json_t *map;
	struct opt_time received;
};

#define BODY_TEXT(name, field)                                                                     \
	{                                                                                          \
		name, READ_TEXT, JSON_INTO(struct lead_body, field),                               \
		    .need = READ_NULLABLE, .max = LIMIT_EXTERNAL_ID_BYTES                          \
	}

static const struct json_member lead_body_members[] = {BODY_TEXT("providerType", provider_type),
    BODY_TEXT("providerLeadId", provider_lead_id), BODY_TEXT("formId", form_id),
    BODY_TEXT("adId", ad_id), BODY_TEXT("campaignId", campaign_id), BODY_TEXT("email", text),
    BODY_TEXT("firstName", text), BODY_TEXT("lastName", text), BODY_TEXT("fullName", text),
    BODY_TEXT("phoneNumber", text), BODY_TEXT("company", text),
    {"rawFieldData", READ_OBJECT, JSON_INTO(struct lead_body, map), .need = READ_NULLABLE},
    {"customFields", READ_OBJECT, JSON_INTO(struct lead_body, map), .need = READ_NULLABLE},
    {"receivedAt", READ_TIME, JSON_INTO(struct lead_body, received), .need = READ_NULLABLE}};

/* Nothing that anyone would call or write to. */
static bool value_is_blank(const json_t *v)
{
	if (json_is_string(v))
		return utf8_trim((struct str){json_string_value(v), json_string_length(v)}).n == 0;
	return v == NULL || json_is_null(v) || (json_is_object(v) && json_object_size(v) == 0);
}

/* The members that make the lead, or NULL when there is nothing in them. */
static json_t *lead_from_body(struct arena *a, const json_t *body)
{
	static const char *const copied[] = {"email", "firstName", "lastName", "fullName",
	    "phoneNumber", "company", "rawFieldData", "customFields", NULL};
	json_t *lead = json_own(a, json_object());
	bool is_empty = true;

	for (size_t i = 0; copied[i] != NULL; i++) {
		json_t *v = json_object_get(body, copied[i]);

		if (v != NULL)
			json_set(lead, copied[i], json_deep_copy(v));
		is_empty = is_empty && value_is_blank(v);
	}
	return is_empty ? NULL : lead;
}

/* What was sent, where normalizing made something else of it: kept among the raw fields, unless the
 * sender has put one of that name there. */
static void lead_keep_sent(json_t *lead, const json_t *body)
{
	static const char *const members[] = {
	    "email", "firstName", "lastName", "fullName", "phoneNumber", "company"};
	json_t *raw = json_object_get(lead, "rawFieldData");

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		const char *sent = json_str(body, members[i]), *kept = json_str(lead, members[i]);

		if (sent != NULL && utf8_trim(str_from(sent)).n > 0 &&
		    (kept == NULL || strcmp(kept, sent) != 0) &&
		    json_object_get(raw, members[i]) == NULL)
			json_set_str(raw, members[i], sent);
	}
}

struct lead_creating {
	struct req *r;
	struct record_item record;
	struct lead_capture lead;
};

static int lead_create_body(struct db *db, void *arg, struct err *err)
{
	struct lead_creating *c = arg;

	if (record_upsert(db, c->r->a, &c->record, 1, err) == -1)
		return -1;
	c->lead.record_id = c->record.id;
	c->lead.record = c->record.merged;
	c->lead.has_news = c->record.outcome == RECORD_UPDATED;
	c->lead.unsaid = c->record.unsaid;
	c->lead.is_record_new = c->record.outcome == RECORD_CREATED;
	c->lead.may_be_there = c->record.outcome != RECORD_CREATED;
	return lead_capture(db, c->r->a, &c->lead, 1, err);
}

/* Fills what goes to the store: 1, 0 with the answer given, -1. */
static int lead_create_prepare(struct req *r, struct lead_creating *c, struct err *err)
{
	struct lead_body body = {.provider_type = STR(PROVIDER_MANUAL)};
	struct str id;
	json_t *lead;

	if (!req_read_body(r, JSON_MEMBERS(lead_body_members), &body))
		return 0;
	if (provider_find(r->app->providers, body.provider_type) == NULL)
		req_invalid(r, "providerType", "is not a provider of the catalogue");
	lead = lead_from_body(r->a, r->json);
	if (lead == NULL)
		req_invalid(r, "email",
		    "a lead needs at least an email, a phone number, a name or a field");
	if (req_has_invalid(r)) {
		res_invalid(r);
		return 0;
	}
	/* Blanks at its ends are no difference to the database, nor to people. */
	id = utf8_trim(body.provider_lead_id);
	if (id.n == 0)
		id = str_from(uuid_dup(r->a, uuid_new()));
	const json_t *given = json_own(r->a, json_copy(lead));
	struct str unsaid;
	if (lead_normalize_as_known(
		r->app, r->a, &r->actor.account_id, body.provider_type, id, lead, err) == -1)
		return -1;
	lead_keep_sent(lead, r->json);
	c->record = (struct record_item){.account_id = r->actor.account_id,
	    .provider_type = body.provider_type,
	    .resource_type = STR("lead"),
	    .external_id = id,
	    .source = RECORD_SOURCE_IMPORT,
	    .is_correction = true,
	    .data = json_text(r->a, lead_record_data(r->a, NULL, given, lead, &unsaid)),
	    .unsaid = unsaid,
	    .at_us = clock_now_us()};
	c->lead = (struct lead_capture){.account_id = r->actor.account_id,
	    .provider_type = body.provider_type,
	    .provider_lead_id = id,
	    .form_id = body.form_id,
	    .ad_id = body.ad_id,
	    .campaign_id = body.campaign_id,
	    .lead = json_text(r->a, lead),
	    .source = LEAD_SOURCE_MANUAL,
	    .received_us = opt_time_or(body.received, clock_now_us())};
	return 1;
}

int lead_create(struct req *r, struct uuid *id, bool *is_new, struct err *err)
{
	struct lead_creating c = {.r = r};
	int rc = lead_create_prepare(r, &c, err);

	if (rc != 1)
		return rc;
	if (db_transaction(r->app->db, lead_create_body, &c, err) == -1)
		return -1;
	*id = c.lead.id;
	if (is_new != NULL)
		*is_new = c.lead.is_new;
	return 1;
}

int lead_api_create(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	bool is_new;
	json_t *out;
	int rc = lead_create(r, &id, &is_new, &err);

	if (rc == 0)
		return 0;
	if (rc == -1 || lead_get_json(r->app, r->a, &r->actor.account_id, &id, &out, &err) == -1)
		return res_error(r, &err);
	res_headerf(r, "Location", "/connect/v1/leads/%s", uuid_dup(r->a, id));
	return res_json(r, is_new ? 201 : 200, json_incref(out));
}
