/* JSON handlers of the leads. */
#include "base/clock.h"
#include "base/limits.h"
#include "lead/lead-internal.h"
#include "provider/provider.h"
#include "record/record.h"

static struct str query_text(struct req *r, const char *name)
{
	struct str s = req_query(r, name);

	return s.n == 0 ? (struct str){NULL, 0} : s;
}

static const char *list_scope(struct req *r)
{
	static const char *const names[] = {
	    "providerType", "formId", "status", "search", "receivedAfter"};
	struct buf *b = buf_new(r->a, LIMIT_URL_BYTES);

	buf_printf(b, "leads %s", uuid_dup(r->a, r->actor.account_id));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct str s = query_text(r, names[i]);

		buf_printf(b, "&%zu:", s.n);
		buf_add(b, s.p, s.n);
	}
	return b->p;
}

int lead_api_list(struct req *r)
{
	struct lead_filter f = {.account_id = r->actor.account_id};
	struct lead_page page = {0};
	struct page_query pq;
	struct err err = ERR_INIT;
	const char *scope = list_scope(r), *next = NULL;
	struct str after = query_text(r, "receivedAfter");
	int64_t total;

	if (!req_page_query(r, &pq))
		return res_invalid(r);
	f.provider_type = query_text(r, "providerType");
	f.form_id = query_text(r, "formId");
	f.sync_status = query_text(r, "status");
	f.search = query_text(r, "search");
	if (after.p != NULL && !clock_parse_iso(after, &f.received_after_us))
		req_invalid(r, "receivedAfter", "must be an ISO 8601 time");
	if (pq.cursor.n > 0 && !cursor_read(r, scope, pq.cursor, &page.after_us, &page.after_id))
		req_invalid(r, "cursor", "is not a cursor of this list");
	if (req_has_invalid(r))
		return res_invalid(r);
	page.limit = pq.limit;
	page.offset = pq.page > 1 ? (pq.page - 1) * pq.limit : 0;
	if (lead_list(r->app, r->a, &f, &page, &err) == -1)
		return res_error(r, &err);
	if (page.has_more)
		next = cursor_make(r, scope, page.last_us, page.last_id);
	total = page.offset + (int64_t)json_array_size(page.rows) + page.has_more;
	return res_json(r, 200,
	    page_envelope(
		&pq, json_incref(page.rows), total, !page.has_more && pq.cursor.n == 0, next));
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
		if (!json_is_object(json_object_get(body, keys[i])) &&
		    check_text(body, keys[i], LIMIT_EXTERNAL_ID_BYTES, err) == -1)
			return NULL;
	for (size_t i = 0; copied[i] != NULL; i++) {
		json_t *v = json_object_get(body, copied[i]);

		json_set(lead, copied[i], v == NULL ? json_null() : json_deep_copy(v));
		is_empty = is_empty && (v == NULL || json_is_null(v) ||
					   (json_is_string(v) && json_string_length(v) == 0) ||
					   (json_is_object(v) && json_object_size(v) == 0));
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
	const char *type = json_str(body, "providerType"), *id = json_str(body, "providerLeadId");
	const char *received = json_str(body, "receivedAt");
	int64_t at_us = clock_now_us();

	if (type == NULL)
		type = "manual";
	if (provider_find(r->app->providers, str_from(type)) == NULL)
		req_invalid(r, "providerType", "is not a provider of the catalogue");
	if (received != NULL && !clock_parse_iso(str_from(received), &at_us))
		req_invalid(r, "receivedAt", "must be an ISO 8601 time");
	if (id == NULL || id[0] == '\0')
		id = uuid_dup(r->a, uuid_new());
	lead_normalize(r->a, lead, NULL);
	c->record = (struct record_item){.account_id = r->actor.account_id,
	    .provider_type = str_from(type),
	    .resource_type = STR("lead"),
	    .external_id = str_from(id),
	    .source = RECORD_SOURCE_IMPORT,
	    .data = json_text(r->a, lead),
	    .at_us = clock_now_us()};
	c->lead = (struct lead_capture){.account_id = r->actor.account_id,
	    .provider_type = str_from(type),
	    .provider_lead_id = str_from(id),
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
