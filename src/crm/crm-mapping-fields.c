/* The fields that rules can be made of: what leads have here, and what the destination takes. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/path.h"
#include "base/shared.h"
#include "connection/connection-call.h"
#include "crm/crm-mapping.h"
#include "expr/expr-transforms.h"

#define LEADS_LOOKED_AT 300
#define SOURCES_MOST 300
#define EXAMPLE_BYTES 60
#define FIELDS_FRESH_US (5 * 60 * SECOND_US)
#define PATIENCE_MS 3000 /* for what a page waits for: what was kept stays */

DB_STMT(
    mapping_newest_leads, "SELECT lead FROM leads WHERE account_id = ? ORDER BY id DESC LIMIT ?");
DB_STMT(mapping_fields_get,
    "SELECT fields, fetched_at FROM mapping_fields WHERE account_id = ? AND connection_id = ?");
enum { FIELDS_JSON, FIELDS_FETCHED_AT };
DB_STMT(mapping_fields_put,
    "INSERT INTO mapping_fields (account_id, connection_id, fields, fetched_at) VALUES (?,?,?,?)"
    " ON DUPLICATE KEY UPDATE fields = VALUES(fields), fetched_at = VALUES(fetched_at)");

/* ---- here ------------------------------------------------------------------------------------ */

static const struct {
	const char *path, *label;
} known_sources[] = {{"email", "Email"}, {"firstName", "First name"}, {"lastName", "Last name"},
    {"fullName", "Full name"}, {"phoneNumber", "Phone number"}, {"company", "Company"},
    {"providerType", "Where it came from"}, {"providerLeadId", "Lead ID at the source"},
    {"formId", "Form ID"}, {"adId", "Ad ID"}, {"campaignId", "Campaign ID"},
    {"receivedAt", "Received at"}, {"createdAt", "Filled in at"}, {"id", "Lead ID here"},
    {"recordId", "Record ID here"}};

static json_t *source_add(
    json_t *list, const char *path, const char *label, const char *group, const char *example)
{
	json_t *o = json_object();

	json_set_str(o, "path", path);
	json_set_str(o, "label", label);
	json_set_str(o, "group", group);
	json_set_str(o, "example", example);
	json_array_append_new(list, o);
	return o;
}

static bool source_is_listed(const json_t *list, const char *path)
{
	const json_t *o;
	size_t i;

	json_array_each(list, i, o)
		if (strcmp(json_str(o, "path"), path) == 0)
			return true;
	return false;
}

static const char *source_example(struct arena *a, const json_t *v)
{
	const char *text = json_is_array(v) ? json_joined_text(a, v) : json_scalar_text(a, v);
	struct str cut = utf8_cut(str_from(text), EXAMPLE_BYTES);

	return text == NULL || cut.n == 0 ? NULL : arena_strndup(a, cut.p, cut.n);
}

/* The keys of one member of a lead; a key that a rule cannot name is left out. */
static void sources_add_seen(
    struct arena *a, json_t *list, const json_t *lead, const char *member, const char *group)
{
	json_t *v;
	const char *key;

	json_object_each(json_object_get(lead, member), key, v) {
		const char *path = arena_printf(a, "%s.%s", member, key);

		if (json_array_size(list) < SOURCES_MOST && key[0] != '\0' &&
		    strpbrk(key, ":|{}'\"\n") == NULL && !source_is_listed(list, path))
			(void)source_add(list, path, key, group, source_example(a, v));
	}
}

static void sources_take_example(struct arena *a, json_t *list, const json_t *lead)
{
	json_t *o;
	size_t i;

	json_array_each(list, i, o)
		if (json_str(o, "example") == NULL)
			json_set_str(o, "example",
			    source_example(a, json_object_get(lead, json_str(o, "path"))));
}

int mapping_sources(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_array());
	for (size_t i = 0; i < sizeof(known_sources) / sizeof(known_sources[0]); i++)
		(void)source_add(*out, known_sources[i].path, known_sources[i].label, "Lead", NULL);
	if (db_query(app->db, a, &mapping_newest_leads,
		DB_VALS(db_uuid(account_id), db_int(LEADS_LOOKED_AT)), &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *lead = json_parse_stored(a, db_get_str(&rows, i, 0), err);

		if (lead == NULL)
			return -1;
		sources_take_example(a, *out, lead);
		sources_add_seen(a, *out, lead, "customFields", "Answers seen in forms");
		sources_add_seen(a, *out, lead, "rawFieldData", "As the source sent it");
	}
	return 0;
}

int mapping_lead(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, json_t **out, struct err *err)
{
	return lead_get_json(app, a, account_id, lead_id, out, err);
}

/* ---- there ----------------------------------------------------------------------------------- */

static int targets_kept(struct app *app, struct arena *a, const struct connection *c,
    struct mapping_targets *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(app->db, a, &mapping_fields_get,
	    DB_VALS(db_uuid(&c->account_id), db_uuid(&c->id)), &rows, err);

	if (found != 1)
		return found;
	out->fields = json_parse_stored(a, db_get_str(&rows, 0, FIELDS_JSON), err);
	out->fetched_us = db_get_int(&rows, 0, FIELDS_FETCHED_AT);
	return out->fields == NULL ? -1 : 0;
}

static int targets_keep(struct app *app, struct arena *a, const struct connection *c,
    const struct mapping_targets *t, struct err *err)
{
	return db_exec(app->db, &mapping_fields_put,
	    DB_VALS(db_uuid(&c->account_id), db_uuid(&c->id), db_strn(json_text(a, t->fields)),
		db_int(t->fetched_us)),
	    NULL, err);
}

/* What it tells now; what was kept stays where it does not answer. */
static int targets_ask(struct app *app, struct arena *a, struct connection *c,
    struct mapping_targets *out, struct err *err)
{
	struct connection_call call = {.app = app,
	    .a = a,
	    .c = c,
	    .action = provider_push_fields_action(c->provider),
	    .policy = CALL_POLICY_ONCE,
	    .most_ms = PATIENCE_MS};
	json_t *fields;

	if (connection_call(&call, err) == -1)
		return -1;
	if (call.result.class != CALL_OK) {
		out->error = call.result.error;
		return 0;
	}
	fields = provider_push_fields(c->provider, a, call.result.output);
	if (json_array_size(fields) == 0) {
		out->error = "Its answer names no field";
		return 0;
	}
	out->fields = fields;
	out->fetched_us = clock_now_us();
	return targets_keep(app, a, c, out, err);
}

int mapping_targets(struct app *app, struct arena *a, struct connection *c, bool is_fresh,
    struct mapping_targets *out, struct err *err)
{
	int rc;

	*out =
	    (struct mapping_targets){.has_api = provider_push_fields_action(c->provider) != NULL};
	if (!out->has_api)
		return 0;
	if (targets_kept(app, a, c, out, err) == -1)
		return -1;
	if (!is_fresh || clock_now_us() - out->fetched_us < FIELDS_FRESH_US)
		return 0;
	if (app->shared != NULL && !shared_wait_begin(app->shared, uuid_number(c->account_id),
				       config_waiters(app->config))) {
		out->error = "Too many calls wait for answers at the moment";
		return 0;
	}
	rc = targets_ask(app, a, c, out, err);
	if (app->shared != NULL)
		shared_wait_end(app->shared);
	return rc;
}

json_t *mapping_preview(
    struct arena *a, const struct connection *c, const json_t *doc, const json_t *lead)
{
	json_t *o = json_object(), *missing = json_own(a, json_array()), *body;
	struct err err = ERR_INIT;
	struct mapping *m = mapping_compile(a, c, doc, &err);

	body = m == NULL ? NULL : mapping_apply(m, a, c, lead, missing, &err);
	json_set(o, "body", body == NULL ? json_null() : json_incref(body));
	json_set(o, "missing", json_incref(missing));
	json_set_str(o, "error", body == NULL ? err.msg : NULL);
	return o;
}
