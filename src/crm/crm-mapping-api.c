/* JSON handlers of mappings. */
#include "account/permission.h"
#include "base/clock.h"
#include "crm/crm-mapping.h"
#include "http/slice.h"

struct connection *mapping_of_route(struct req *r)
{
	struct connection *c = NULL;
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return NULL;
	found = (r->method == HTTP_GET ? connection_get_told : connection_get)(
	    r->app, r->a, &r->actor.account_id, &id, &c, &err);
	if (found == 1 && c->provider != NULL && provider_can(c->provider, "crm_push"))
		return c;
	if (found == -1)
		(void)res_error(r, &err);
	else
		(void)res_problem(r, 404,
		    found == 1 ? "This connection takes no leads: it has no mapping"
			       : "There is no such connection");
	return NULL;
}

/* With the destination's own names as rules where it has no mapping. */
static json_t *mapping_json(
    struct arena *a, const struct connection *c, const struct mapping_stored *m)
{
	json_t *o = json_object(), *rules = json_object_get(m->doc, "rules");

	json_set(
	    o, "rules", json_incref(rules != NULL ? rules : mapping_own_rules(a, c->provider)));
	json_set_bool(o, "includeUnmapped", json_bool(m->doc, "includeUnmapped"));
	json_set_int(o, "version", m->version);
	json_set_bool(o, "isDefault", rules == NULL);
	json_set_str(o, "savedBy", m->author);
	json_set_time(o, "savedAt", m->saved_us);
	return o;
}

static int mapping_answer(struct req *r, const struct connection *c)
{
	struct mapping_stored m;
	struct err err = ERR_INIT;

	if (mapping_load(r->app, r->a, &c->account_id, &c->id, &m, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, mapping_json(r->a, c, &m));
}

int crm_api_mapping_get(struct req *r)
{
	const struct connection *c = mapping_of_route(r);

	return c == NULL ? 0 : mapping_answer(r, c);
}

/* What a client got it may send back: what the answer says beside the mapping is no part of it,
 * but for the version, which tells whether somebody has saved meanwhile. */
static json_t *mapping_sent(struct req *r, int64_t *expected)
{
	static const char *const told[] = {"version", "isDefault", "savedBy", "savedAt"};
	json_t *doc, *version = json_object_get(r->json, "version");

	*expected = -1;
	if (!json_is_object(r->json)) {
		(void)res_problem(r, 400, "The body must be an object: {\"rules\": […]}");
		return NULL;
	}
	if (version != NULL && !json_is_null(version)) {
		if (!json_is_integer(version) || json_integer_value(version) < 0)
			req_invalid(r, "version", "must be a whole number");
		*expected = json_integer_value(version);
	}
	doc = json_own(r->a, json_copy(r->json));
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		json_object_del(doc, told[i]);
	if (json_object_get(doc, "rules") == NULL)
		req_invalid(
		    r, "rules", "is needed: DELETE goes back to the destination's own names");
	return doc;
}

int crm_api_mapping_put(struct req *r)
{
	struct json_reader in = req_reader(r);
	struct connection *c = mapping_of_route(r);
	struct mapping_targets targets;
	struct err err = ERR_INIT;
	int64_t expected, version;
	json_t *doc;

	if (c == NULL || (doc = mapping_sent(r, &expected)) == NULL)
		return 0;
	if (mapping_targets(r->app, r->a, c, true, &targets, &err) == -1)
		return res_error(r, &err);
	if (!mapping_check(&in, r->a, doc, &targets) || req_has_invalid(r))
		return res_invalid(r);
	if (mapping_save(r, c, doc, expected, &version, &err) == -1)
		return res_error(r, &err);
	return mapping_answer(r, c);
}

int crm_api_mapping_delete(struct req *r)
{
	const struct connection *c = mapping_of_route(r);
	struct err err = ERR_INIT;
	int64_t version;

	if (c == NULL)
		return 0;
	if (mapping_save(r, c, NULL, -1, &version, &err) == -1)
		return res_error(r, &err);
	return res_empty(r, 204);
}

/* ---- preview --------------------------------------------------------------------------------- */

struct preview_body {
	struct uuid lead_id;
	json_t *lead, *mapping;
};

/* The lead that was named or given; NULL with the answer made. */
static json_t *preview_lead(struct req *r, const struct preview_body *b)
{
	struct err err = ERR_INIT;
	json_t *lead = b->lead;
	int found;

	if ((lead == NULL) == uuid_is_nil(b->lead_id)) {
		req_invalid(r, "leadId", "either leadId or lead is needed");
		(void)res_invalid(r);
		return NULL;
	}
	if (lead != NULL)
		return lead;
	if ((r->actor.permissions & PERMIT(LEADS_VIEW)) == 0) {
		(void)res_problem(r, 403, "To see one of the account's leads needs leads.view");
		return NULL;
	}
	found = mapping_lead(r->app, r->a, &r->actor.account_id, &b->lead_id, &lead, &err);
	if (found == 1)
		return lead;
	(void)(found == -1 ? res_error(r, &err) : res_problem(r, 404, "There is no such lead"));
	return NULL;
}

/* The body alone, as it would be sent; what cannot be sent says why. */
static int preview_answer(struct req *r, json_t *preview)
{
	const char *error;

	json_own(r->a, preview);
	if ((error = json_str(preview, "error")) != NULL) {
		req_invalid(r, "lead", "%s", error);
		return res_invalid(r);
	}
	return res_json(r, 200, json_incref(json_object_get(preview, "body")));
}

int crm_api_mapping_preview(struct req *r)
{
	static const struct json_member members[] = {
	    {"leadId", READ_PARSED, JSON_INTO(struct preview_body, lead_id), .need = READ_NULLABLE,
		.parse = uuid_parse_member, .rule = "must be an id"},
	    {"lead", READ_OBJECT, JSON_INTO(struct preview_body, lead), .need = READ_NULLABLE},
	    {"mapping", READ_OBJECT, JSON_INTO(struct preview_body, mapping),
		.need = READ_NULLABLE}};
	struct json_reader in = req_reader(r);
	const struct connection *c = mapping_of_route(r);
	struct preview_body body = {.lead = NULL};
	struct mapping_stored m = {0};
	struct err err = ERR_INIT;
	json_t *lead;

	if (c == NULL || !req_read_body(r, JSON_MEMBERS(members), &body))
		return 0;
	if (req_has_invalid(r))
		return res_invalid(r);
	if (body.mapping != NULL && !mapping_check(&in, r->a, body.mapping, NULL))
		return res_invalid(r);
	if ((lead = preview_lead(r, &body)) == NULL)
		return 0;
	m.doc = body.mapping;
	if (body.mapping == NULL &&
	    mapping_load(r->app, r->a, &c->account_id, &c->id, &m, &err) == -1)
		return res_error(r, &err);
	return preview_answer(r, mapping_preview(r->a, c, m.doc, lead));
}

/* ---- fields, versions ------------------------------------------------------------------------ */

int crm_api_mapping_fields(struct req *r)
{
	struct connection *c = mapping_of_route(r);
	struct mapping_targets targets;
	struct err err = ERR_INIT;
	json_t *o, *sources, *transforms;

	if (c == NULL)
		return 0;
	if (mapping_targets(r->app, r->a, c, true, &targets, &err) == -1 ||
	    mapping_sources(r->app, r->a, &c->account_id, &sources, &err) == -1)
		return res_error(r, &err);
	o = json_object();
	json_set(o, "sources", json_incref(sources));
	json_set(o, "targets", json_incref(targets.fields));
	json_set_time(o, "targetsFetchedAt", targets.fetched_us);
	json_set_str(o, "targetsError", targets.error);
	transforms = json_array();
	for (const struct transform_kind *k = transform_kinds; k->name != NULL; k++) {
		json_t *t = json_object();

		json_set_str(t, "name", k->name);
		json_set_str(t, "label", k->label);
		json_array_append_new(transforms, t);
	}
	json_set(o, "transforms", transforms);
	return res_json(r, 200, o);
}

int crm_api_mapping_versions(struct req *r)
{
	const struct connection *c = mapping_of_route(r);
	struct err err = ERR_INIT;
	json_t *list;

	if (c == NULL)
		return 0;
	if (mapping_versions(r->app, r->a, &c->account_id, &c->id, &list, &err) == -1)
		return res_error(r, &err);
	return res_whole(r, json_incref(list), MAPPING_VERSIONS_SHOWN);
}

/* The route's version: 1; 0 with the answer given. */
static int version_of_route(struct req *r, const struct connection *c, struct mapping_stored *m)
{
	struct err err = ERR_INIT;
	int64_t version;
	int found = 0;

	if (str_to_i64(req_param(r, "version"), 1, INT32_MAX, &version))
		found =
		    mapping_load_version(r->app, r->a, &c->account_id, &c->id, version, m, &err);
	if (found == 1)
		return 1;
	(void)(found == -1 ? res_error(r, &err)
			   : res_problem(r, 404, "The mapping has no such version"));
	return 0;
}

int crm_api_mapping_version(struct req *r)
{
	const struct connection *c = mapping_of_route(r);
	struct mapping_stored m;

	if (c == NULL || version_of_route(r, c, &m) == 0)
		return 0;
	return res_json(r, 200, mapping_json(r->a, c, &m));
}

int crm_api_mapping_restore(struct req *r)
{
	const struct connection *c = mapping_of_route(r);
	struct mapping_stored m;
	struct err err = ERR_INIT;
	int64_t version;

	if (c == NULL || version_of_route(r, c, &m) == 0)
		return 0;
	if (mapping_save(r, c, m.doc, -1, &version, &err) == -1)
		return res_error(r, &err);
	return mapping_answer(r, c);
}
