/* JSON handlers of the leads. */
#include "base/clock.h"
#include "base/limits.h"
#include "lead/lead-internal.h"
#include "provider/provider.h"
#include "record/record.h"

int lead_api_list(struct req *r)
{
	static const char *const filters[] = {
	    "providerType", "formId", "status", "search", "receivedAfter", NULL};
	struct lead_filter f = {.account_id = r->actor.account_id,
	    .provider_type = req_query_text(r, "providerType"),
	    .form_id = req_query_text(r, "formId"),
	    .sync_status = req_query_text(r, "status"),
	    .search = req_query_text(r, "search"),
	    .received_after_us = req_query_time(r, "receivedAfter")};
	struct list_query q;
	struct lead_page page = {0};
	struct err err = ERR_INIT;

	if (!req_list_query(r, "leads", filters, &q) || req_has_invalid(r))
		return res_invalid(r);
	page.limit = q.page.limit;
	page.offset = q.offset;
	page.after_us = q.after.at;
	page.after_id = q.after.id;
	if (lead_list(r->app, r->a, &f, &page, &err) == -1)
		return res_error(r, &err);
	return res_list(r, &q, page.rows,
	    &(struct list_end){page.has_more, {.at = page.last_us, .id = page.last_id}, -1});
}

/* ---- POST /leads ------------------------------------------------------------------------- */

static int check_text(const json_t *body, const char *key, size_t most, struct err *err)
{
	const json_t *v = json_object_get(body, key);

	if (v == NULL || json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return err_field(err, ERR_INVALID, key, "must be text");
	if (json_string_length(v) > most)
		return err_field(err, ERR_INVALID, key, "may have at most %zu bytes", most);
	return 0;
}

static int check_map(const json_t *body, const char *key, struct err *err)
{
	const json_t *v = json_object_get(body, key);

	if (v != NULL && !json_is_null(v) && !json_is_object(v))
		return err_field(err, ERR_INVALID, key, "must be an object");
	return 0;
}

/* Nothing that anyone would call or write to. */
static bool is_blank(const json_t *v)
{
	if (json_is_string(v))
		return str_trim((struct str){json_string_value(v), json_string_length(v)}).n == 0;
	return v == NULL || json_is_null(v) || (json_is_object(v) && json_object_size(v) == 0);
}

json_t *lead_from_body(struct arena *a, const json_t *body, struct err *err)
{
	static const char *const keys[] = {"providerType", "providerLeadId", "email", "firstName",
	    "lastName", "fullName", "phoneNumber", "company", "rawFieldData", "customFields",
	    "receivedAt", "formId", "adId", "campaignId", NULL};
	static const char *const copied[] = {"email", "firstName", "lastName", "fullName",
	    "phoneNumber", "company", "rawFieldData", "customFields", NULL};
	json_t *lead = json_own(a, json_object());
	bool is_empty = true;

	if (!json_is_object(body)) {
		err_set(err, ERR_MALFORMED, "the body must be a JSON object");
		return NULL;
	}
	if (json_only_keys(body, keys, err) == -1 || check_map(body, "rawFieldData", err) == -1 ||
	    check_map(body, "customFields", err) == -1)
		return NULL;
	for (size_t i = 0; keys[i] != NULL; i++)
		if (strcmp(keys[i], "rawFieldData") != 0 && strcmp(keys[i], "customFields") != 0 &&
		    check_text(body, keys[i], LIMIT_EXTERNAL_ID_BYTES, err) == -1)
			return NULL;
	for (size_t i = 0; copied[i] != NULL; i++) {
		json_t *v = json_object_get(body, copied[i]);

		json_set(lead, copied[i], v == NULL ? json_null() : json_deep_copy(v));
		is_empty = is_empty && is_blank(v);
	}
	if (is_empty) {
		err_field(err, ERR_INVALID, "email",
		    "a lead needs at least an email, a phone number, a name or a field");
		return NULL;
	}
	return lead;
}

struct creating {
	struct req *r;
	struct record_item record;
	struct lead_capture lead;
};

static int create_body(struct db *db, void *arg, struct err *err)
{
	struct creating *c = arg;

	if (record_upsert(db, c->r->a, &c->record, 1, err) == -1)
		return -1;
	c->lead.record_id = c->record.id;
	return lead_capture(db, c->r->a, &c->lead, 1, err);
}

/* Fills what goes to the store; false after a 422. */
static bool prepare(struct req *r, struct creating *c, json_t *lead)
{
	const json_t *body = r->json;
	const char *type = json_str(body, "providerType");
	/* Spaces at its ends would be no difference to the database. */
	struct str id = str_trim(str_from(json_str(body, "providerLeadId")));
	const char *received = json_str(body, "receivedAt");
	int64_t at_us = clock_now_us();

	if (type == NULL)
		type = "manual";
	if (provider_find(r->app->providers, str_from(type)) == NULL)
		req_invalid(r, "providerType", "is not a provider of the catalogue");
	if (received != NULL && !clock_parse_iso(str_from(received), &at_us))
		req_invalid(r, "receivedAt", "must be an ISO 8601 time");
	if (id.n == 0)
		id = str_from(uuid_dup(r->a, uuid_new()));
	lead_normalize(r->a, lead, NULL);
	c->record = (struct record_item){.account_id = r->actor.account_id,
	    .provider_type = str_from(type),
	    .resource_type = STR("lead"),
	    .external_id = id,
	    .source = RECORD_SOURCE_IMPORT,
	    .data = json_text(r->a, lead),
	    .at_us = clock_now_us(),
	    .is_only_new = true};
	c->lead = (struct lead_capture){.account_id = r->actor.account_id,
	    .provider_type = str_from(type),
	    .provider_lead_id = id,
	    .form_id = str_from(json_str(body, "formId")),
	    .ad_id = str_from(json_str(body, "adId")),
	    .campaign_id = str_from(json_str(body, "campaignId")),
	    .lead = json_text(r->a, lead),
	    .received_us = at_us};
	return !req_has_invalid(r);
}

int lead_api_create(struct req *r)
{
	struct creating c = {.r = r};
	struct err err = ERR_INIT;
	json_t *lead = lead_from_body(r->a, r->json, &err), *out;

	if (lead == NULL)
		return res_error(r, &err);
	if (!prepare(r, &c, lead))
		return res_invalid(r);
	if (db_transaction(r->app->db, create_body, &c, &err) == -1 ||
	    lead_get_json(r->app, r->a, &r->actor.account_id, &c.lead.id, &out, &err) == -1)
		return res_error(r, &err);
	res_headerf(r, "Location", "/connect/v1/leads/%s", uuid_dup(r->a, c.lead.id));
	return res_json(r, c.lead.is_new ? 201 : 200, json_incref(out));
}
