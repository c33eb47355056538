/* HubSpot: CRM objects by id, list, search and batch; OAuth; webhooks of version 3. */
#include "sandbox/play-hubspot.h"
#include "sandbox/signing.h"

#define LIST_MAX 100
#define BATCH_MAX 100

int hubspot_error(struct play_call *c, int status, const char *category, const char *text)
{
	return play_json(c, status,
	    json_pack("{s:s,s:s,s:s,s:s}", "status", "error", "message", text, "category", category,
		"correlationId", play_random(c, "sandbox-", 12)));
}

static int hubspot_refuse(struct play_call *c, enum refusal why, const char *text)
{
	switch (why) {
	case REFUSE_NO_TOKEN:
		return hubspot_error(c, 401, "INVALID_AUTHENTICATION",
		    "Authentication credentials not found. This API supports OAuth 2.0");
	case REFUSE_EXPIRED:
		return hubspot_error(c, 401, "EXPIRED_AUTHENTICATION",
		    "The OAuth token used to make this call expired");
	case REFUSE_THROTTLED:
		return play_json(c, 429,
		    json_pack("{s:s,s:s,s:s,s:s,s:s}", "status", "error", "message",
			"You have reached your ten_secondly_rolling limit.", "errorType",
			"RATE_LIMIT", "policyName", "TEN_SECONDLY_ROLLING", "correlationId",
			play_random(c, "sandbox-", 12)));
	case REFUSE_FORBIDDEN:
		return hubspot_error(c, 403, "MISSING_SCOPES", "This app lacks a scope");
	case REFUSE_NOT_FOUND:
		return hubspot_error(c, 404, "OBJECT_NOT_FOUND", "resource not found");
	case REFUSE_INVALID:
		return hubspot_error(c, 400, "VALIDATION_ERROR", text);
	case REFUSE_BROKEN:
		break;
	}
	return hubspot_error(c, 500, "INTERNAL_ERROR", "internal error");
}

static void hubspot_headers(struct play_call *c)
{
	res_header(c->r, "X-HubSpot-RateLimit-Max", "190");
	res_headerf(
	    c->r, "X-HubSpot-RateLimit-Remaining", "%lld", (long long)(190 - play_used(c, 190)));
	res_header(c->r, "X-HubSpot-RateLimit-Interval-Milliseconds", "10000");
	res_header(c->r, "X-HubSpot-RateLimit-Daily", "650000");
	res_header(c->r, "X-HubSpot-RateLimit-Daily-Remaining", "649000");
}

/* ---- objects ------------------------------------------------------------------------------ */

const char *hubspot_kind(struct play_call *c)
{
	const struct str type = play_param(c, "type");

	return arena_strndup(c->a, type.p, type.n);
}

json_t *hubspot_property(const json_t *row, const char *name)
{
	return json_object_get(json_object_get(row, "properties"), name);
}

/* An object whose properties are those given, over what it had; new for former NULL. */
static json_t *object_put(
    struct play_call *c, const char *kind, const json_t *former, const json_t *given)
{
	const char *now = clock_iso_dup(c->a, clock_now_us()),
		   *id = former != NULL
			     ? json_str(former, "id")
			     : arena_printf(c->a, "%lld", (long long)play_next_number(c, 1000));
	const bool is_contact = strcmp(kind, "contacts") == 0;
	json_t *properties = former != NULL
				 ? json_copy(json_object_get(former, "properties"))
				 : json_pack("{s:s,s:s}", "createdate", now, "hs_object_id", id);

	json_object_update(properties, (json_t *)(uintptr_t)given);
	json_set_str(properties, is_contact ? "lastmodifieddate" : "hs_lastmodifieddate", now);
	return play_put(c, kind, id,
	    json_pack("{s:s,s:o,s:s,s:s,s:b}", "id", id, "properties", properties, "createdAt",
		former != NULL ? json_str(former, "createdAt") : now, "updatedAt", now, "archived",
		0));
}

static json_t *object_by(struct play_call *c, const char *kind, const char *name, const char *value)
{
	if (strcmp(name, "hs_object_id") == 0 || strcmp(name, "id") == 0)
		return play_get(c, kind, str_from(value));
	return play_row_within(c, kind, "properties", name, str_from(value));
}

static int hubspot_list(struct play_call *c)
{
	struct play_page page = play_page(c, play_rows(c, hubspot_kind(c), NULL, NULL),
	    play_number(c, "after", 0, INT64_MAX), play_number(c, "limit", 10, LIST_MAX));
	json_t *out = json_pack("{s:o}", "results", page.items);

	if (page.next > 0)
		json_set(out, "paging",
		    json_pack("{s:{s:s,s:s}}", "next", "after",
			arena_printf(c->a, "%lld", (long long)page.next), "link",
			play_link(c, arena_printf(c->a, "%.*s?after=%lld", (int)c->path.n,
					 c->path.p, (long long)page.next))));
	return play_json(c, 200, out);
}

static int hubspot_create(struct play_call *c)
{
	const json_t *given = json_object_get(c->body, "properties"), *there;
	const char *email = json_str(given, "email");

	if (!json_is_object(given))
		return play_refuse(c, REFUSE_INVALID, "properties are required");
	there = email != NULL ? object_by(c, hubspot_kind(c), "email", email) : NULL;
	if (there != NULL)
		return hubspot_error(c, 409, "CONFLICT",
		    arena_printf(
			c->a, "Contact already exists. Existing ID: %s", json_str(there, "id")));
	return play_json(c, 201, json_incref(object_put(c, hubspot_kind(c), NULL, given)));
}

static json_t *object_named(struct play_call *c)
{
	const char *by = play_text(c, "idProperty");
	const struct str id = play_param(c, "id");

	return object_by(
	    c, hubspot_kind(c), by != NULL ? by : "id", arena_strndup(c->a, id.p, id.n));
}

static int hubspot_get(struct play_call *c)
{
	json_t *row = object_named(c);

	return row != NULL ? play_json(c, 200, json_incref(row))
			   : play_refuse(c, REFUSE_NOT_FOUND, NULL);
}

static int hubspot_update(struct play_call *c)
{
	const json_t *row = object_named(c);

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	return play_json(c, 200,
	    json_incref(
		object_put(c, hubspot_kind(c), row, json_object_get(c->body, "properties"))));
}

static int hubspot_delete(struct play_call *c)
{
	play_drop(c, hubspot_kind(c), play_param(c, "id"));
	return res_empty(c->r, 204);
}

/* ---- batches ------------------------------------------------------------------------------ */

static void batch_fail(json_t *errors, const json_t *input, const char *text)
{
	const char *trace = json_str(input, "objectWriteTraceId");

	json_array_append_new(errors,
	    json_pack("{s:s,s:s,s:s,s:{s:[s]}}", "status", "error", "category", "VALIDATION_ERROR",
		"message", text, "context", "objectWriteTraceId", trace != NULL ? trace : ""));
}

static int batch_answer(struct play_call *c, json_t *results, json_t *errors)
{
	const size_t n = json_array_size(errors);
	json_t *out = json_pack("{s:s,s:o,s:s,s:s}", "status", "COMPLETE", "results", results,
	    "startedAt", clock_iso_dup(c->a, c->r->received_us), "completedAt",
	    clock_iso_dup(c->a, clock_now_us()));

	if (n == 0)
		return play_json(c, 200, out);
	json_set_int(out, "numErrors", (int64_t)n);
	json_set(out, "errors", json_incref(errors));
	return play_json(c, 207, out);
}

static void upsert_one(struct play_call *c, const json_t *input, json_t *results, json_t *errors)
{
	const char *by = json_str(input, "idProperty"), *id = json_str(input, "id"),
		   *trace = json_str(input, "objectWriteTraceId");
	json_t *given, *row, *former, *result;

	if (id == NULL || (by != NULL && strcmp(by, "email") == 0 && !play_email_is_taken(id))) {
		batch_fail(errors, input, "Property values were not valid: email is not valid");
		return;
	}
	former = object_by(c, hubspot_kind(c), by != NULL ? by : "id", id);
	given = json_own(c->a, json_copy(json_object_get(input, "properties")));
	if (by != NULL)
		json_set_str(given, by, id);
	row = object_put(c, hubspot_kind(c), former, given);
	result = json_copy(row);
	json_set_bool(result, "new", former == NULL);
	if (trace != NULL)
		json_set_str(result, "objectWriteTraceId", trace);
	json_array_insert_new(results, 0, result); /* their order is not that of the inputs */
}

static int hubspot_batch_upsert(struct play_call *c)
{
	const json_t *inputs = json_object_get(c->body, "inputs"), *input;
	json_t *results, *errors = json_own(c->a, json_array());
	size_t i;

	if (json_array_size(inputs) == 0 || json_array_size(inputs) > BATCH_MAX)
		return play_refuse(c, REFUSE_INVALID, "inputs must be from 1 to 100");
	results = json_array();
	json_array_each(inputs, i, input)
		upsert_one(c, input, results, errors);
	return batch_answer(c, results, errors);
}

static int hubspot_batch_read(struct play_call *c)
{
	const json_t *inputs = json_object_get(c->body, "inputs"), *input;
	const char *by = play_text(c, "idProperty");
	json_t *results, *errors = json_own(c->a, json_array());
	size_t i;

	if (json_array_size(inputs) == 0 || json_array_size(inputs) > BATCH_MAX)
		return play_refuse(c, REFUSE_INVALID, "inputs must be from 1 to 100");
	results = json_array();
	json_array_each(inputs, i, input) {
		json_t *row = object_by(c, hubspot_kind(c), by != NULL ? by : "id",
		    json_scalar_text(c->a, json_object_get(input, "id")));

		if (row != NULL)
			json_array_append(results, row);
		else
			batch_fail(errors, input, "Could not get some objects");
	}
	return batch_answer(c, results, errors);
}

/* ---- the account -------------------------------------------------------------------------- */

static int hubspot_details(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:i,s:s,s:s,s:s}", "portalId", 62515, "accountType", "DEVELOPER_TEST",
		"timeZone", "US/Eastern", "uiDomain", "app.hubspot.com"));
}

static int hubspot_owners(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:[{s:s,s:s,s:s,s:s,s:b}]}", "results", "id", "41629779", "email",
		"owner@example.com", "firstName", "Olga", "lastName", "Owner", "archived", 0));
}

/* What an account has set up: a pipeline of two stages, a few properties, one form. */
static int hubspot_pipelines(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:[{s:s,s:s,s:[{s:s,s:s},{s:s,s:s}]}]}", "results", "id", "default",
		"label", "Sales pipeline", "stages", "id", "appointmentscheduled", "label",
		"Appointment scheduled", "id", "closedwon", "label", "Closed won"));
}

/* Those of contacts that a new portal has, of each kind one at least. */
static const struct {
	const char *name, *label, *type, *field_type, *options;
	bool is_read_only;
} hubspot_fields[] = {{"email", "Email", "string", "text", NULL, false},
    {"firstname", "First name", "string", "text", NULL, false},
    {"lastname", "Last name", "string", "text", NULL, false},
    {"phone", "Phone number", "string", "phonenumber", NULL, false},
    {"mobilephone", "Mobile phone number", "string", "phonenumber", NULL, false},
    {"company", "Company name", "string", "text", NULL, false},
    {"jobtitle", "Job title", "string", "text", NULL, false},
    {"website", "Website URL", "string", "text", NULL, false},
    {"city", "City", "string", "text", NULL, false},
    {"country", "Country/Region", "string", "text", NULL, false},
    {"message", "Message", "string", "textarea", NULL, false},
    {"date_of_birth", "Date of birth", "string", "text", NULL, false},
    {"closedate", "Close date", "datetime", "date", NULL, false},
    {"annualrevenue", "Annual revenue", "number", "number", NULL, false},
    {"lifecyclestage", "Lifecycle stage", "enumeration", "radio",
	"subscriber,lead,marketingqualifiedlead,salesqualifiedlead,opportunity,customer", false},
    {"hs_lead_status", "Lead status", "enumeration", "radio",
	"NEW,OPEN,IN_PROGRESS,OPEN_DEAL,UNQUALIFIED,CONNECTED", false},
    {"hs_language", "Preferred language", "enumeration", "select", "de,en,es,fr,it", false},
    {"hs_buying_role", "Buying role", "enumeration", "checkbox",
	"BLOCKER,BUDGET_HOLDER,CHAMPION,DECISION_MAKER", false},
    {"hs_content_membership_email_confirmed", "Email confirmed", "bool", "booleancheckbox",
	"true,false", false},
    {"createdate", "Create date", "datetime", "date", NULL, true},
    {"hs_object_id", "Record ID", "number", "number", NULL, true}};

static json_t *hubspot_options(const char *list)
{
	json_t *options = json_array();
	struct str rest = str_from(list), one;

	while (list != NULL && str_split(&rest, ',', &one))
		json_array_append_new(options, json_pack("{s:s%,s:s%,s:b}", "label", one.p, one.n,
						   "value", one.p, one.n, "hidden", 0));
	return options;
}

static int hubspot_properties(struct play_call *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(hubspot_fields) / sizeof(hubspot_fields[0]); i++)
		json_array_append_new(
		    list, json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:o,s:{s:b}}", "name",
			      hubspot_fields[i].name, "label", hubspot_fields[i].label, "type",
			      hubspot_fields[i].type, "fieldType", hubspot_fields[i].field_type,
			      "description", "", "calculated", 0, "options",
			      hubspot_options(hubspot_fields[i].options), "modificationMetadata",
			      "readOnlyValue", hubspot_fields[i].is_read_only));
	return play_json(c, 200, json_pack("{s:o}", "results", list));
}

static int hubspot_associate(struct play_call *c)
{
	const struct str from = play_param(c, "id"), to = play_param(c, "other");

	return play_json(c, 201,
	    json_pack("{s:s%,s:s%,s:[]}", "fromObjectId", from.p, from.n, "toObjectId", to.p, to.n,
		"labels"));
}

static int hubspot_introspect(struct play_call *c)
{
	const json_t *row = play_get(c, "token", play_arg(c, "token"));

	return play_json(c, 200,
	    row != NULL
		? json_pack("{s:b,s:i,s:s,s:s,s:i}", "active", 1, "hub_id", 62515, "user",
		      "admin@example.com", "hub_domain", "sandbox.example.com", "app_id", 54321)
		: json_pack("{s:b}", "active", 0));
}

#define OBJECTS(path)                                                                              \
	{HTTP_POST, path "/:type/search", hubspot_search, false},                                  \
	    {HTTP_POST, path "/:type/batch/upsert", hubspot_batch_upsert, false},                  \
	    {HTTP_POST, path "/:type/batch/read", hubspot_batch_read, false},                      \
	    {HTTP_GET, path "/:type", hubspot_list, false},                                        \
	    {HTTP_POST, path "/:type", hubspot_create, false},                                     \
	    {HTTP_GET, path "/:type/:id", hubspot_get, false},                                     \
	    {HTTP_PATCH, path "/:type/:id", hubspot_update, false},                                \
	{                                                                                          \
		HTTP_DELETE, path "/:type/:id", hubspot_delete, false                              \
	}

static const struct play_route hubspot_routes[] = {
    OBJECTS("/crm/v3/objects"),
    OBJECTS("/crm/objects/:version"),
    {HTTP_PUT, "/crm/v3/objects/:type/:id/associations/:kind/:other/*", hubspot_associate, false},
    {HTTP_PUT, "/crm/v4/objects/:type/:id/associations/:kind/:other/*", hubspot_associate, false},
    {HTTP_PUT, "/crm/v4/objects/:type/:id/associations/default/:kind/:other", hubspot_associate,
	false},
    {HTTP_PUT, "/crm/objects/:version/:type/:id/associations/:kind/:other/*", hubspot_associate,
	false},
    {HTTP_GET, "/crm/v3/pipelines/:type", hubspot_pipelines, false},
    {HTTP_GET, "/crm/pipelines/:version/:type", hubspot_pipelines, false},
    {HTTP_GET, "/crm/v3/properties/:type", hubspot_properties, false},
    {HTTP_GET, "/crm/properties/:version/:type", hubspot_properties, false},
    {HTTP_GET, "/crm/v3/owners", hubspot_owners, false},
    {HTTP_GET, "/crm/owners/:version", hubspot_owners, false},
    {HTTP_GET, "/account-info/v3/details", hubspot_details, false},
    {HTTP_GET, "/account-info/:version/details", hubspot_details, false},
    {HTTP_POST, "/oauth/:version/token/introspect", hubspot_introspect, true},
};

/* ---- the login ---------------------------------------------------------------------------- */

static void hubspot_adjust(struct play_call *c, struct oauth_grant *g)
{
	g->access = play_random(c, "sandbox-hubspot-at-", 300); /* as long as the real ones */
}

static int hubspot_oauth_refuse(struct play_call *c, const char *error, const char *text)
{
	return play_json(c, 400,
	    json_pack("{s:s,s:s,s:s,s:s}", "error", error, "error_description", text, "status",
		strcmp(error, "invalid_grant") == 0 ? "BAD_REFRESH_TOKEN" : "BAD_CLIENT_ID",
		"message", text));
}

static const struct play_oauth hubspot_oauth = {.authorize = "/oauth/authorize",
    .token = "/oauth/:version/token",
    .revoke = "/oauth/:version/token/revoke",
    .flags = OAUTH_TELLS_SAME,
    .expires_s = 1800,
    .adjust = hubspot_adjust,
    .refuse = hubspot_oauth_refuse};

/* ---- webhooks ----------------------------------------------------------------------------- */

static json_t *hubspot_event(struct order *o, const char *type, json_t *row)
{
	return json_pack("{s:I,s:i,s:i,s:i,s:I,s:s,s:i,s:I,s:s}", "eventId",
	    (json_int_t)play_next_number(&o->c, 1000), "subscriptionId", 12345, "portalId",
	    (int)order_wish_number(o, "portalId", 62515), "appId", 54321, "occurredAt",
	    (json_int_t)(o->now_us / 1000), "subscriptionType", type, "attemptNumber", 0,
	    "objectId", (json_int_t)strtoll(json_str(row, "id"), NULL, 10), "changeSource", "CRM");
}

/* The contact that is spoken of: the one of that id, or a new one. */
static json_t *hubspot_contact(struct order *o)
{
	const char *id = order_wish(o, "objectId", NULL);
	json_t *row = id != NULL ? play_get(&o->c, "contacts", str_from(id)) : NULL, *given;
	const long long n = row == NULL ? (long long)play_next_number(&o->c, 1000) : 0;

	if (row != NULL)
		return row;
	given = json_own(
	    o->c.a, json_pack("{s:s,s:s,s:s}", "email",
			order_wish(o, "email", arena_printf(o->c.a, "contact.%lld@example.com", n)),
			"firstname", order_wish(o, "firstname", "Ann"), "lastname",
			order_wish(o, "lastname", "Example")));
	return object_put(&o->c, "contacts", NULL, given);
}

static int hubspot_created(struct order *o)
{
	json_t *event = hubspot_event(o, "contact.creation", hubspot_contact(o));

	json_set_str(event, "changeFlag", "NEW");
	order_json(o, json_pack("[o]", event));
	return 0;
}

static int hubspot_changed(struct order *o)
{
	const char *name = order_wish(o, "propertyName", "firstname"),
		   *value = order_wish(o, "propertyValue", "Anna");
	json_t *row = hubspot_contact(o), *event;

	row = object_put(&o->c, "contacts", row, json_own(o->c.a, json_pack("{s:s}", name, value)));
	event = hubspot_event(o, "contact.propertyChange", row);
	json_set_str(event, "propertyName", name);
	json_set_str(event, "propertyValue", value);
	order_json(o, json_pack("[o]", event));
	return 0;
}

static int hubspot_deleted(struct order *o)
{
	json_t *row = hubspot_contact(o), *event = hubspot_event(o, "contact.deletion", row);

	json_set_str(event, "changeFlag", "DELETED");
	play_drop(&o->c, "contacts", str_from(json_str(row, "id")));
	order_json(o, json_pack("[o]", event));
	return 0;
}

/* A hundred changes of forty contacts in one request. */
static int hubspot_bulk(struct order *o)
{
	json_t *list = json_array(), *rows[40];

	for (size_t i = 0; i < 40; i++)
		rows[i] = hubspot_contact(o);
	for (size_t i = 0; i < 100; i++) {
		json_t *event = hubspot_event(o, "contact.propertyChange", rows[i % 40]);

		json_set_str(event, "propertyName", "lifecyclestage");
		json_set_str(event, "propertyValue", "lead");
		json_array_append_new(list, event);
	}
	order_json(o, list);
	return 0;
}

static void hubspot_sign(struct order *o)
{
	const char *now = arena_printf(o->c.a, "%lld", (long long)(o->now_us / 1000));

	order_header(o, "X-HubSpot-Request-Timestamp", now);
	order_header(o, "X-HubSpot-Signature-v3",
	    sign_hubspot(o->c.a, o->secret, o->method, o->signed_url, o->body, now));
}

static const struct play_event hubspot_events[] = {
    {"contact.creation", "a contact is created", hubspot_created},
    {"contact.propertyChange", "a contact's property changes", hubspot_changed},
    {"contact.deletion", "a contact is deleted", hubspot_deleted},
    {"bulk", "a hundred changes of forty contacts in one request", hubspot_bulk},
};

static void hubspot_seed(struct play_call *c)
{
	static const char *const people[][3] = {{"Ada", "Lovelace", "ada@example.com"},
	    {"Grace", "Hopper", "grace@example.com"}, {"Alan", "Turing", "alan@example.com"}};

	for (size_t i = 0; i < 3; i++)
		(void)object_put(c, "contacts", NULL,
		    json_own(c->a, json_pack("{s:s,s:s,s:s}", "firstname", people[i][0], "lastname",
				       people[i][1], "email", people[i][2])));
	(void)object_put(c, "companies", NULL,
	    json_own(c->a, json_pack("{s:s,s:s}", "name", "Analytical Engines Ltd", "domain",
			       "engines.example.com")));
	(void)object_put(c, "deals", NULL,
	    json_own(c->a, json_pack("{s:s,s:s,s:s}", "dealname", "First engine", "amount", "1200",
			       "dealstage", "appointmentscheduled")));
}

const struct play play_hubspot = {.name = "hubspot",
    .label = "HubSpot",
    .account = "62515",
    .secret = OAUTH_SECRET,
    PLAY_ROUTES(hubspot_routes),
    .oauth = &hubspot_oauth,
    PLAY_EVENTS(hubspot_events),
    .sign = hubspot_sign,
    .refuse = hubspot_refuse,
    .headers = hubspot_headers,
    .seed = hubspot_seed};
