/* /connect/v1/triggers, and those of a flow: JSON handlers. */
#include "base/clock.h"
#include "base/limits.h"
#include "connection/connection.h"
#include "flow/flow.h"
#include "flow/trigger.h"

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
	if (trigger_list(r->app, r->a, &f, &s, &err) == -1 ||
	    triggers_tell_more(r, s.rows, &err) == -1)
		return res_error(r, &err);
	return res_slice(r, &s);
}

int triggers_tell_more(struct req *r, json_t *rows, struct err *err)
{
	const struct hooks *hooks = &r->app->hooks;

	if (hooks->tell_triggers == NULL || json_array_size(rows) == 0)
		return 0;
	return hooks->tell_triggers(r->app, r->a, &r->actor.account_id, rows, err);
}

/* As it is now, with what others know of it. */
static int trigger_answer(struct req *r, int status, const struct trigger *t)
{
	json_t *rows = json_own(r->a, json_array()), *o = trigger_json(r->a, t);
	struct err err = ERR_INIT;

	json_array_append_new(rows, o);
	if (triggers_tell_more(r, rows, &err) == -1)
		return res_error(r, &err);
	return res_json(r, status, json_incref(o));
}

/* ---- bodies ---------------------------------------------------------------------------------- */

struct trigger_body {
	const char *kind;
	struct str provider_type, name;
	struct uuid connection_id;
	json_t *config;
	bool is_enabled;
};

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

/* A record type or an event's name. */
static bool trigger_name_is_valid(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 127)
			return false;
	return name.n > 0 && name.n <= LIMIT_TYPE_BYTES;
}

/* Records of a type are the same whoever sends them; a list is asked of one. */
static bool trigger_is_of_any(const struct trigger *t)
{
	return str_is(t->provider_type, TRIGGER_ANY) && strcmp(t->kind, TRIGGER_WEBHOOK) == 0;
}

/* What goes with the kind: a schedule is of no provider. */
int trigger_check(struct req *r, struct trigger *t, struct err *err)
{
	bool is_schedule = strcmp(t->kind, TRIGGER_SCHEDULE) == 0;

	if (!is_schedule && t->provider_type.n == 0)
		req_invalid(r, "providerType", "is needed");
	else if (!is_schedule && !trigger_is_of_any(t) && !record_type_is_valid(t->provider_type))
		req_invalid(r, "providerType", "is no provider");
	if (!is_schedule && t->name.n == 0)
		req_invalid(r, "triggerName", "is needed");
	else if (!is_schedule && !str_is(t->name, "*") && !trigger_name_is_valid(t->name))
		req_invalid(r, "triggerName", "must be a record type or an event's name");
	if (is_schedule && !uuid_is_nil(t->connection_id))
		req_invalid(r, "connectionId", "goes with the kinds webhook and poll");
	if (req_has_invalid(r))
		return 0;
	if (body_check_connection(r, &t->connection_id, t->provider_type, err) == -1)
		return -1;
	return req_has_invalid(r) ? 0 : trigger_check_config(r, t, err);
}

/* What is not given is empty, as it is stored. */
static struct str text_or_empty(struct str text)
{
	return text.p != NULL ? text : STR("");
}

int trigger_make(struct req *r, struct trigger *t, struct err *err)
{
	t->provider_type = text_or_empty(t->provider_type);
	t->name = text_or_empty(t->name);
	t->resource_type = text_or_empty(t->resource_type);
	t->id = uuid_new();
	t->account_id = r->actor.account_id;
	t->created_us = t->updated_us = clock_now_us();
	if (trigger_check(r, t, err) == -1)
		return -1;
	return req_has_invalid(r) ? 0 : trigger_write(r, TRIGGER_MAKE, t, err);
}

/* One that is only switched off need not be such as can be made today. */
static bool change_only_ends(const struct trigger *was, const struct trigger *t)
{
	return !t->is_enabled && json_equal(was->config, t->config) &&
	       uuid_eq(was->connection_id, t->connection_id);
}

int trigger_change(struct req *r, const struct trigger *was, struct trigger *t, struct err *err)
{
	t->updated_us = clock_now_after_us(t->updated_us);
	if (change_only_ends(was, t))
		t->next_us = 0;
	else if (trigger_check(r, t, err) == -1)
		return -1;
	if (!req_has_invalid(r) && !str_eq(was->resource_type, t->resource_type))
		req_invalid(r, "config.recordResourceType", "stays as it is: make another trigger");
	return req_has_invalid(r) ? 0 : trigger_write(r, TRIGGER_CHANGE, t, err);
}

int trigger_api_create(struct req *r)
{
	static const char *const kinds[] = {TRIGGER_WEBHOOK, TRIGGER_POLL, TRIGGER_SCHEDULE, NULL};
	static const struct json_member members[] = {
	    {"kind", READ_WORD, JSON_INTO(struct trigger_body, kind), .words = kinds,
		.rule = "must be webhook, poll or schedule"},
	    {"providerType", READ_TEXT, JSON_INTO(struct trigger_body, provider_type),
		.need = READ_NULLABLE, .min = 1, .max = LIMIT_TYPE_BYTES},
	    {"triggerName", READ_TEXT, JSON_INTO(struct trigger_body, name), .need = READ_NULLABLE,
		.min = 1, .max = LIMIT_TYPE_BYTES},
	    {"connectionId", READ_PARSED, JSON_INTO(struct trigger_body, connection_id),
		.need = READ_NULLABLE, .parse = uuid_parse_member, .rule = "must be an id"},
	    {"config", READ_OBJECT, JSON_INTO(struct trigger_body, config), .need = READ_NULLABLE},
	    {"enabled", READ_BOOL, JSON_INTO(struct trigger_body, is_enabled)}};
	struct trigger_body b = {
	    .kind = TRIGGER_WEBHOOK, .config = json_own(r->a, json_object()), .is_enabled = true};
	struct err err = ERR_INIT;
	struct trigger t = {.id = {{0}}};

	if (!flow_is_there(r, &t.flow_id) || !req_read_body(r, JSON_MEMBERS(members), &b))
		return 0;
	t.kind = b.kind;
	t.provider_type = b.provider_type;
	t.name = b.name;
	t.connection_id = b.connection_id;
	t.config = b.config;
	t.is_enabled = b.is_enabled;
	if (trigger_make(r, &t, &err) == -1)
		return res_error(r, &err);
	if (req_has_invalid(r))
		return res_invalid(r);
	res_headerf(r, "Location", "/connect/v1/triggers/%s", uuid_dup(r->a, t.id));
	return trigger_answer(r, 201, &t);
}

/* ---- one ------------------------------------------------------------------------------------- */

bool trigger_of_route(struct req *r, struct trigger *out)
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
	struct trigger t, was;

	if (!trigger_of_route(r, &t))
		return 0;
	was = t;
	b = (struct trigger_body){
	    .connection_id = t.connection_id, .config = t.config, .is_enabled = t.is_enabled};
	if (!req_read_body(r, JSON_MEMBERS(members), &b))
		return 0;
	t.connection_id = b.connection_id;
	t.config = b.config;
	t.is_enabled = b.is_enabled;
	if (trigger_change(r, &was, &t, &err) == -1)
		return res_error(r, &err);
	if (req_has_invalid(r))
		return res_invalid(r);
	return trigger_of_route(r, &t) ? trigger_answer(r, 200, &t) : 0;
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
