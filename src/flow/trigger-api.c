/* /connect/v1/triggers, and those of a flow: JSON handlers. */
#include "base/clock.h"
#include "base/limits.h"
#include "connection/connection.h"
#include "flow/flow.h"
#include "flow/trigger.h"

#define CONFIG_BYTES 4096

/* The flow that the route's :flowId names; false after a 404 or an error. */
static bool flow_is_there(struct req *r, struct uuid *id)
{
	struct err err = ERR_INIT;
	json_t *names;

	if (!req_param_uuid(r, "flowId", id))
		return false;
	if (flow_names(r->app, r->a, &r->actor.account_id, &names, &err) == -1)
		res_error(r, &err);
	else if (json_object_get(names, uuid_dup(r->a, *id)) == NULL)
		res_problem(r, 404, "There is no such flow");
	else
		return true;
	return false;
}

int trigger_api_list(struct req *r)
{
	struct trigger_filter f = {.flow_id = {{0}}};
	struct err err = ERR_INIT;
	struct uuid flow_id = {{0}};
	struct slice s;

	if (req_param(r, "flowId").p != NULL) {
		struct http_pair *query = arena_array(r->a, r->query.n + 1, sizeof(*query));

		if (!flow_is_there(r, &flow_id))
			return 0;
		query[0] = (struct http_pair){STR("flowId"), req_param(r, "flowId")};
		if (r->query.n > 0)
			memcpy(query + 1, r->query.v, r->query.n * sizeof(*query));
		r->query = (struct http_pairs){query, r->query.n + 1};
	}
	if (!slice_read(r, &list_of_triggers, &f, &s))
		return res_invalid(r);
	if (trigger_list(r->app, r->a, &f, &s, &err) == -1)
		return res_error(r, &err);
	return res_slice(r, &s);
}

/* ---- bodies -----------------------------------------------------------------------------------
 */

struct trigger_body {
	const char *kind;
	struct str provider_type, name;
	struct uuid connection_id;
	json_t *config;
	bool is_enabled;
};

/* "on": which news count; "recordResourceType": where the trigger's name is none. */
struct trigger_config {
	const char *on;
	struct str resource_type;
};

static void body_check_config(struct req *r, const json_t *config, struct str *resource_type)
{
	static const char *const ons[] = {"created", "updated", "any", NULL};
	static const struct json_member members[] = {
	    {"on", READ_WORD, JSON_INTO(struct trigger_config, on), .words = ons},
	    {"recordResourceType", READ_TEXT, JSON_INTO(struct trigger_config, resource_type),
		.min = 1, .max = LIMIT_TYPE_BYTES}};
	struct trigger_config c = {.on = NULL};
	struct json_reader in = req_reader(r);

	json_reader_enter(&in, "config");
	if (json_read_members(&in, config, JSON_MEMBERS(members), &c) == -1)
		return;
	if (c.resource_type.p != NULL)
		*resource_type = c.resource_type;
	if (!str_is(*resource_type, "*") && !record_type_is_valid(*resource_type))
		json_reader_fail_at(&in, "recordResourceType", "is no record type");
	if (json_text(r->a, config).n > CONFIG_BYTES)
		json_reader_fail(&in, "may have at most %d bytes", CONFIG_BYTES);
}

/* The connection must be of the account and of that provider. */
static int body_check_connection(
    struct req *r, const struct uuid *id, struct str provider_type, struct err *err)
{
	struct connection *c;
	int found;

	if (uuid_is_nil(*id))
		return 0;
	found = connection_get(r->app, r->a, &r->actor.account_id, id, &c, err);
	if (found == -1)
		return -1;
	if (found == 0 || !str_is(provider_type, c->provider_type))
		req_invalid(r, "connectionId", "is no connection of that provider");
	return 0;
}

int trigger_api_create(struct req *r)
{
	static const char *const kinds[] = {TRIGGER_WEBHOOK, NULL};
	static const struct json_member members[] = {
	    {"kind", READ_WORD, JSON_INTO(struct trigger_body, kind), .words = kinds,
		.rule = "must be webhook"},
	    {"providerType", READ_TEXT, JSON_INTO(struct trigger_body, provider_type),
		.need = READ_NEEDED, .min = 1, .max = LIMIT_TYPE_BYTES},
	    {"triggerName", READ_TEXT, JSON_INTO(struct trigger_body, name), .need = READ_NEEDED,
		.min = 1, .max = LIMIT_TYPE_BYTES},
	    {"connectionId", READ_PARSED, JSON_INTO(struct trigger_body, connection_id),
		.need = READ_NULLABLE, .parse = uuid_parse_member, .rule = "must be an id"},
	    {"config", READ_OBJECT, JSON_INTO(struct trigger_body, config), .need = READ_NULLABLE},
	    {"enabled", READ_BOOL, JSON_INTO(struct trigger_body, is_enabled)}};
	struct trigger_body b = {
	    .kind = TRIGGER_WEBHOOK, .config = json_own(r->a, json_object()), .is_enabled = true};
	struct err err = ERR_INIT;
	struct trigger t = {.id = uuid_new(), .account_id = r->actor.account_id};

	if (!flow_is_there(r, &t.flow_id) || !req_read_body(r, JSON_MEMBERS(members), &b))
		return 0;
	t.resource_type = b.name;
	if (b.provider_type.p != NULL && !record_type_is_valid(b.provider_type))
		req_invalid(r, "providerType", "is no provider");
	if (b.name.p != NULL)
		body_check_config(r, b.config, &t.resource_type);
	if (!req_has_invalid(r) &&
	    body_check_connection(r, &b.connection_id, b.provider_type, &err) == -1)
		return res_error(r, &err);
	if (req_has_invalid(r))
		return res_invalid(r);
	t.kind = b.kind;
	t.provider_type = b.provider_type;
	t.name = b.name;
	t.connection_id = b.connection_id;
	t.config = b.config;
	t.is_enabled = b.is_enabled;
	t.created_us = t.updated_us = clock_now_us();
	if (trigger_write(r, TRIGGER_MAKE, &t, &err) == -1)
		return res_error(r, &err);
	res_headerf(r, "Location", "/connect/v1/triggers/%s", uuid_dup(r->a, t.id));
	return res_json(r, 201, trigger_json(r->a, &t));
}

/* ---- one --------------------------------------------------------------------------------------
 */

static bool trigger_of_route(struct req *r, struct trigger *out)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return false;
	found = trigger_load(r->app->db, r->a, &r->actor.account_id, &id, out, &err);
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		res_problem(r, 404, "There is no such trigger");
	return found == 1;
}

int trigger_api_update(struct req *r)
{
	static const struct json_member members[] = {
	    {"connectionId", READ_PARSED, JSON_INTO(struct trigger_body, connection_id),
		.need = READ_NULLABLE, .parse = uuid_parse_member, .rule = "must be an id"},
	    {"config", READ_OBJECT, JSON_INTO(struct trigger_body, config)},
	    {"enabled", READ_BOOL, JSON_INTO(struct trigger_body, is_enabled)}};
	struct err err = ERR_INIT;
	struct trigger_body b;
	struct str type;
	struct trigger t;

	if (!trigger_of_route(r, &t))
		return 0;
	b = (struct trigger_body){
	    .connection_id = t.connection_id, .config = t.config, .is_enabled = t.is_enabled};
	if (!req_read_body(r, JSON_MEMBERS(members), &b))
		return 0;
	type = t.name;
	body_check_config(r, b.config, &type);
	if (!str_eq(type, t.resource_type))
		req_invalid(r, "config.recordResourceType", "stays as it is: make another trigger");
	if (!req_has_invalid(r) &&
	    body_check_connection(r, &b.connection_id, t.provider_type, &err) == -1)
		return res_error(r, &err);
	if (req_has_invalid(r))
		return res_invalid(r);
	t.connection_id = b.connection_id;
	t.config = b.config;
	t.is_enabled = b.is_enabled;
	t.updated_us = clock_now_us();
	if (trigger_write(r, TRIGGER_CHANGE, &t, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, trigger_json(r->a, &t));
}

int trigger_api_delete(struct req *r)
{
	struct err err = ERR_INIT;
	struct trigger t;

	if (!trigger_of_route(r, &t))
		return 0;
	if (trigger_write(r, TRIGGER_REMOVE, &t, &err) == -1)
		return res_error(r, &err);
	return res_empty(r, 204);
}
