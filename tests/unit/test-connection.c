/* Connections: what a connect body may hold, and the store and cache on a real database. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "account/audit.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/shared.h"
#include "connection/connection-call.h"
#include "connection/connection-internal.h"
#include "crypto/aead.h"
#include "provider/provider-internal.h"
#include "test-db.h"

void suite_connection(void);

static void check(bool is_right, int line, const char *what)
{
	char text[600];

	snprintf(text, sizeof text, "line %d: %s", line, what);
	CU_assertImplementation(is_right, (unsigned)line, text, __FILE__, "", CU_FALSE);
}

/* JSON with ' for ". */
static json_t *json(struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, text);

	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return json_parse(a, str_from(copy), NULL);
}

static const struct {
	int line;
	const char *provider, *credentials, *settings, *field; /* NULL: accepted */
} bodies[] = {
    {__LINE__, "meta_lead_ads", "{'webhookSecret':'s'}", "{}", NULL},
    {__LINE__, "meta_lead_ads", "{}", "{}", "credentials.webhookSecret"},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':''}", "{}", "credentials.webhookSecret"},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':5}", "{}", "credentials.webhookSecret"},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':'a\\nb'}", "{}", "credentials.webhookSecret"},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':'s','apiKey':'k'}", "{}", "credentials.apiKey"},
    {__LINE__, "meta_lead_ads", "[]", "{}", "credentials"},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':'s'}", "{'colour':1}", "settings.colour"},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':'s'}", "{'externalAccountId':153125381133}",
	NULL},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':'s'}", "{'externalAccountId':{}}",
	"settings.externalAccountId"},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':'s'}", "{'defaultCountry':'de'}",
	"settings.defaultCountry"},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':'s'}", "{'defaultCountry':'XX'}",
	"settings.defaultCountry"},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':'s'}", "{'defaultCountry':'UK'}", NULL},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':'s'}", "{'defaultCountry':'DE','baseUrl':null}",
	NULL},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':'s'}", "{'baseUrl':'ftp://a.example'}",
	"settings.baseUrl"},
    {__LINE__, "meta_lead_ads", "{'webhookSecret':'s'}", "{'baseUrl':'http://127.0.0.1/'}",
	"settings.baseUrl"},
    {__LINE__, "hubspot", "{}", "{}", "credentials.webhookSecret"},
    {__LINE__, "hubspot", "{'accessToken':'t'}", "{}", NULL},
    {__LINE__, "custom_crm", "{}", "{}", "settings.url"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example/x'}", NULL},
    {__LINE__, "custom_crm", "{}", "{'url':'https://u:p@crm.example/x'}", "settings.url"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example','method':'GET'}",
	"settings.method"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example','auth':{'type':'bearer'}}",
	"credentials.accessToken"},
    {__LINE__, "custom_crm", "{'apiKey':'k'}",
	"{'url':'https://crm.example','auth':{'type':'bearer'}}", NULL},
    {__LINE__, "custom_crm", "{'username':'u'}",
	"{'url':'https://crm.example','auth':{'type':'basic'}}", "credentials.password"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example','auth':{'type':'magic'}}",
	"settings.auth.type"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example','auth':{'type':'none','x':1}}",
	"settings.auth.x"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example','auth':5}", "settings.auth"},
    {__LINE__, "custom_crm", "{}",
	"{'url':'https://crm.example','headers':{'authorization':'Bearer x'}}",
	"settings.headers.authorization"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example','headers':{'COOKIE':'x'}}",
	"settings.headers.COOKIE"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example','headers':{'X A':'x'}}",
	"settings.headers.X A"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example','headers':{'X-A':'x\\r\\ny'}}",
	"settings.headers.X-A"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example','batchSize':0}",
	"settings.batchSize"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example','bodyTemplate':'{'}",
	"settings.bodyTemplate"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example','bodyTemplate':'{\\\"a\\\":1}'}",
	NULL},
    {__LINE__, "custom_webhook", "{'webhookSecret':'s'}", "{'externalIdPath':'a..b'}",
	"settings.externalIdPath"},
    {__LINE__, "custom_webhook", "{'webhookSecret':'s'}", "{'leadFields':{'email':'a.b','x':'c'}}",
	NULL},
    {__LINE__, "custom_webhook", "{'webhookSecret':'s'}", "{'leadFields':{'email':''}}",
	"settings.leadFields.email"},
    {__LINE__, "custom_webhook", "{'webhookSecret':'s'}", "{'leadFields':{'email':null}}",
	"settings.leadFields.email"},
    {__LINE__, "custom_crm", "{}", "{'url':'https://crm.example','headers':{'X-A':null}}",
	"settings.headers.X-A"},
    {__LINE__, "custom_webhook", "{'webhookSecret':'s'}", "{'resourceType':'a b'}",
	"settings.resourceType"},
};

static void bodies_are_checked(void)
{
	static const struct config cfg = {.egress_allow_hosts = ""};
	const struct app app = {.config = &cfg};
	struct arena *a = arena_new();
	struct providers *ps = providers_load(a, CONNECT_SRCDIR "/providers", NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(ps);
	for (size_t i = 0; ps != NULL && i < sizeof bodies / sizeof *bodies; i++) {
		struct err err = ERR_INIT;
		json_t *settings = json(a, bodies[i].settings);
		int rc = connection_check(&app, provider_find(ps, str_from(bodies[i].provider)),
		    json(a, bodies[i].credentials), settings, settings, &err);

		if (bodies[i].field == NULL)
			check(rc == 0, bodies[i].line, err.msg);
		else
			check(rc == -1 && err.code == ERR_INVALID &&
				  strcmp(err.field, bodies[i].field) == 0,
			    bodies[i].line, err.field);
	}
	arena_free(a);
}

/* What a webhook's signature is made with may be a setting. */
static void signatures_of_settings_are_checked(void)
{
	static const struct config cfg = {.egress_allow_hosts = ""};
	const struct app app = {.config = &cfg};
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct provider *p = manifest_load_file(
	    a, CONNECT_SRCDIR "/tests/unit/fixtures/provider/sha512_base64url.json", NULL);
	json_t *credentials = json(a, "{'webhookSecret':'s'}");

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(
	    connection_check(&app, p, credentials, json(a, "{'hash':'sha512'}"), NULL, &err), 0);
	CU_ASSERT_EQUAL(
	    connection_check(&app, p, credentials, json(a, "{'hash':'sha-512'}"), NULL, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.field, "settings.hash");
	arena_free(a);
}

/* ---- on a database ------------------------------------------------------------------------ */

static struct app *make_app(struct arena *a)
{
	static struct config cfg;
	struct app *app = arena_zalloc(a, sizeof *app);
	struct err err = ERR_INIT;
	char path[] = "/tmp/connect-keys-XXXXXX";

	app->db = test_db();
	if (app->db == NULL)
		return NULL;
	cfg = *test_db_config();
	cfg.base_url = "https://connect.example";
	cfg.egress_allow_hosts = "";
	app->config = &cfg;
	app->shared = shared_new();
	app->providers = providers_load(a, CONNECT_SRCDIR "/providers", &err);
	int fd = mkstemp(path);
	close(fd);
	unlink(path);
	CU_ASSERT_EQUAL(keyring_create(path, &err), 0);
	app->keys = keyring_load(a, path, &err);
	unlink(path);
	CU_ASSERT_PTR_NOT_NULL_FATAL(app->keys);
	return app;
}

static struct connection *create(
    struct app *app, struct arena *a, const struct uuid *account, const char *page)
{
	struct connection *c = NULL;
	struct err err = ERR_INIT;
	const char *body = arena_printf(a,
	    "{'name':' Shop ','credentials':{'webhookSecret':'canary-1'},"
	    "'settings':{'externalAccountId':'%s'}}",
	    page);

	struct req r = {.app = app, .a = a, .actor = {.account_id = *account}};
	CU_ASSERT_EQUAL(connection_add(&r, provider_find(app->providers, STR("meta_lead_ads")),
			    json(a, body), &c, &err),
	    0);
	CU_ASSERT_STRING_EQUAL(err.msg, "");
	return c;
}

static int remove_of(
    struct app *app, struct arena *a, const struct uuid *account, const struct connection *c)
{
	struct req r = {.app = app, .a = a, .actor = {.account_id = *account}};
	struct err err = ERR_INIT;

	return connection_remove(&r, NULL, &c->id, &err);
}

DB_STMT(test_connection_row, "SELECT credentials, settings FROM connections WHERE id = ?");

static void store_keeps_secrets_sealed(void)
{
	struct arena *a = arena_new();
	struct app *app = make_app(a);
	struct uuid account = uuid_new(), other = uuid_new();
	const struct call_result refused = {.class = CALL_AUTH, .error = "HTTP 401 from x"};
	const struct call_result works = {.class = CALL_OK};
	struct connection *c, *got = NULL;
	struct err err = ERR_INIT;
	struct db_rows rows;

	if (app == NULL)
		goto out;
	c = create(app, a, &account, "p1");
	CU_ASSERT_EQUAL(connection_get(app, a, &other, &c->id, &got, &err), 0);
	CU_ASSERT_EQUAL(connection_get(app, a, &account, &c->id, &got, &err), 1);
	CU_ASSERT_STRING_EQUAL(got->name, "Shop");
	CU_ASSERT_STRING_EQUAL(access_credential(&got->access, "webhookSecret"), "canary-1");
	CU_ASSERT_EQUAL(
	    db_row(app->db, a, &test_connection_row, DB_VALS(db_uuid(&c->id)), &rows, &err), 1);
	struct str blob = db_get_str(&rows, 0, 0);
	CU_ASSERT_PTR_NULL(memmem(blob.p, blob.n, "canary", 6));
	struct str shown = json_text(a, json_own(a, connection_json(got)));
	CU_ASSERT_PTR_NULL(strstr(shown.p, "canary"));
	CU_ASSERT_PTR_NOT_NULL(strstr(shown.p, "https://connect.example/webhook/meta_lead_ads/"));

	CU_ASSERT_EQUAL(
	    connection_note_use(app, a, got, &(struct connection_use){.result = &refused}, &err),
	    0);
	CU_ASSERT_EQUAL(connection_get(app, a, &account, &c->id, &got, &err), 1);
	CU_ASSERT_STRING_EQUAL(got->status, "error");
	CU_ASSERT_STRING_EQUAL(got->last_error, "HTTP 401 from x");
	CU_ASSERT_EQUAL(
	    connection_note_use(app, a, got, &(struct connection_use){.result = &works}, &err), 0);
	CU_ASSERT_EQUAL(connection_get(app, a, &account, &c->id, &got, &err), 1);
	CU_ASSERT_STRING_EQUAL(got->status, "active");
	CU_ASSERT_PTR_NULL(got->last_error);

	CU_ASSERT_EQUAL(remove_of(app, a, &other, c), 0);
	CU_ASSERT_EQUAL(remove_of(app, a, &account, c), 1);
	CU_ASSERT_EQUAL(connection_get(app, a, &account, &c->id, &got, &err), 0);
out:
	arena_free(a);
}

/* A policy of three attempts, 100 ms and then at most 150 ms apart. */
static const struct {
	int line;
	enum call_class class;
	int attempt;
	int64_t retry_after_ms, least, most; /* -1: no further attempt */
} next_attempts[] = {
    {__LINE__, CALL_OK, 1, -1, -1, -1},
    {__LINE__, CALL_AUTH, 1, -1, -1, -1},
    {__LINE__, CALL_FATAL, 1, -1, -1, -1},
    {__LINE__, CALL_PERMISSION, 1, -1, -1, -1},
    {__LINE__, CALL_CONFLICT, 1, -1, -1, -1},
    {__LINE__, CALL_NOT_FOUND, 1, -1, -1, -1},
    {__LINE__, CALL_RETRY, 1, -1, 75, 100},
    {__LINE__, CALL_RATE_LIMITED, 1, -1, 75, 100},
    {__LINE__, CALL_RETRY, 2, -1, 112, 150},
    {__LINE__, CALL_RATE_LIMITED, 1, 130, 130, 130},
    {__LINE__, CALL_RATE_LIMITED, 1, 5000, 150, 150},
    {__LINE__, CALL_RETRY, 3, -1, -1, -1},
    {__LINE__, CALL_RATE_LIMITED, 3, 10, -1, -1},
};

static void policy(void)
{
	const struct call_policy three = {.attempts = 3, .first_ms = 100, .most_ms = 150};

	for (size_t i = 0; i < sizeof(next_attempts) / sizeof(next_attempts[0]); i++) {
		struct call_result res = {.class = next_attempts[i].class,
		    .retry_after_ms = next_attempts[i].retry_after_ms};
		int64_t ms = call_policy_next_ms(&three, next_attempts[i].attempt, &res);

		check(ms >= next_attempts[i].least && ms <= next_attempts[i].most,
		    next_attempts[i].line, "the next attempt");
	}
	check(call_policy_next_ms(&CALL_POLICY_ONCE, 1,
		  &(struct call_result){.class = CALL_RETRY, .retry_after_ms = 5}) == -1,
	    __LINE__, "once");
}

static int refuse(struct connection_call *call, void *arg, struct err *err)
{
	(void)call;
	++*(int *)arg;
	return err_set(err, ERR_INVALID, "not like this");
}

/* What cannot be called is neither repeated nor noted as a use. */
static void uncallable(void)
{
	struct arena *a = arena_new();
	struct app *app = make_app(a);
	struct uuid account = uuid_new();
	struct connection *c;
	struct err err = ERR_INIT;
	int begun = 0;

	if (app == NULL)
		goto out;
	c = create(app, a, &account, "p1");
	struct connection_call call = {
	    .app = app, .a = a, .c = c, .action = "no_such", .policy = {.attempts = 3}};
	CU_ASSERT_EQUAL(connection_call(&call, &err), -1);
	CU_ASSERT_EQUAL(call.attempt, 1);
	call.begin = refuse;
	call.arg = &begun;
	err = (struct err)ERR_INIT;
	CU_ASSERT_EQUAL(connection_call(&call, &err), -1);
	CU_ASSERT_EQUAL(begun, 1);
	CU_ASSERT_STRING_EQUAL(err.msg, "not like this");
	CU_ASSERT_EQUAL(connection_get(app, a, &account, &c->id, &c, &err), 1);
	CU_ASSERT_EQUAL(c->last_used_us, 0);
out:
	arena_free(a);
}

static int change(struct app *app, struct arena *a, struct connection *c, const char *body)
{
	struct req r = {.app = app, .a = a, .actor = {.account_id = c->account_id}};
	struct connection *out;
	struct err err = ERR_INIT;

	return connection_change(&r, &c->id, json(a, body), &out, &err) == 1 ? 0 : -1;
}

static void cache_sees_every_change(void)
{
	struct arena *a = arena_new();
	struct app *app = make_app(a);
	struct uuid account = uuid_new();
	struct connection *c, *got = NULL, *again = NULL, **list;
	struct err err = ERR_INIT;
	size_t n;

	if (app == NULL)
		goto out;
	const struct provider *p = provider_find(app->providers, STR("meta_lead_ads"));
	CU_ASSERT_EQUAL(connection_cached_by_external(app, p, STR("p2"), &list, &n, &err), 0);
	CU_ASSERT_EQUAL(n, 0);
	c = create(app, a, &account, "p2");
	CU_ASSERT_EQUAL(connection_cached(app, &c->id, &got, &err), 1);
	uint64_t trips = db_round_trips(app->db);
	CU_ASSERT_EQUAL(connection_cached(app, &c->id, &again, &err), 1);
	CU_ASSERT_PTR_EQUAL(got, again);
	CU_ASSERT_EQUAL(db_round_trips(app->db), trips);
	audit_caches_drop(app); /* an unrelated change: looked at, not loaded again */
	CU_ASSERT_EQUAL(connection_cached(app, &c->id, &again, &err), 1);
	CU_ASSERT_PTR_EQUAL(got, again);
	CU_ASSERT_EQUAL(connection_cached_by_external(app, p, STR("p2"), &list, &n, &err), 0);
	CU_ASSERT_EQUAL(n, 1);

	CU_ASSERT_EQUAL(change(app, a, c, "{'credentials':{'webhookSecret':'canary-2'}}"), 0);
	CU_ASSERT_EQUAL(connection_cached(app, &c->id, &again, &err), 1);
	CU_ASSERT_STRING_EQUAL(access_credential(&again->access, "webhookSecret"), "canary-2");
	/* What this request held before is still there until the next one. */
	CU_ASSERT_STRING_EQUAL(access_credential(&got->access, "webhookSecret"), "canary-1");
	connection_cache_release();

	CU_ASSERT_EQUAL(change(app, a, c, "{'settings':{'externalAccountId':'p3'}}"), 0);
	CU_ASSERT_EQUAL(connection_cached_by_external(app, p, STR("p2"), &list, &n, &err), 0);
	CU_ASSERT_EQUAL(n, 0);
	CU_ASSERT_EQUAL(connection_cached_by_external(app, p, STR("p3"), &list, &n, &err), 0);
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT_EQUAL(change(app, a, c, "{'status':'disabled'}"), 0);
	CU_ASSERT_EQUAL(connection_cached(app, &c->id, &again, &err), 0);
	CU_ASSERT_EQUAL(change(app, a, c, "{'status':'lost'}"), -1);
	CU_ASSERT_EQUAL(remove_of(app, a, &account, c), 1);
	connection_cache_release();
out:
	arena_free(a);
}

/* Jobs get copies from the cache, and the row itself where the cache has nothing. */
static void recent_for_jobs(void)
{
	struct arena *a = arena_new();
	struct app *app = make_app(a);
	struct uuid account = uuid_new(), other = uuid_new();
	struct connection *c, *got = NULL, *again = NULL;
	struct err err = ERR_INIT;

	if (app == NULL)
		goto out;
	c = create(app, a, &account, "p7");
	CU_ASSERT_EQUAL(connection_recent(app, a, &account, &c->id, &got, &err), 1);
	uint64_t trips = db_round_trips(app->db);
	CU_ASSERT_EQUAL(connection_recent(app, a, &account, &c->id, &again, &err), 1);
	CU_ASSERT_EQUAL(connection_recent(app, a, &other, &c->id, &again, &err), 0);
	CU_ASSERT_EQUAL(db_round_trips(app->db), trips);
	CU_ASSERT_EQUAL(change(app, a, c, "{'credentials':{'webhookSecret':'canary-2'}}"), 0);
	CU_ASSERT_EQUAL(connection_recent(app, a, &account, &c->id, &again, &err), 1);
	CU_ASSERT_STRING_EQUAL(access_credential(&again->access, "webhookSecret"), "canary-2");
	connection_cache_release();
	/* the job that has it still may be at its call */
	CU_ASSERT_STRING_EQUAL(access_credential(&got->access, "webhookSecret"), "canary-1");
	CU_ASSERT_STRING_EQUAL(got->name, "Shop");
	CU_ASSERT_EQUAL(change(app, a, c, "{'status':'disabled'}"), 0);
	CU_ASSERT_EQUAL(connection_recent(app, a, &account, &c->id, &again, &err), 1);
	CU_ASSERT_STRING_EQUAL(again->status, "disabled");
	CU_ASSERT_EQUAL(remove_of(app, a, &account, c), 1);
	CU_ASSERT_EQUAL(connection_recent(app, a, &account, &c->id, &again, &err), 0);
	connection_cache_release();
out:
	arena_free(a);
}

/* A busy connection's row is written when something is new. */
static void uses_are_noted_rarely(void)
{
	static const struct {
		int line;
		enum call_class class;
		const char *error;
		bool is_written;
	} uses[] = {
	    {__LINE__, CALL_OK, NULL, true},
	    {__LINE__, CALL_OK, NULL, false},
	    {__LINE__, CALL_RETRY, "down", true},
	    {__LINE__, CALL_RETRY, "down", false},
	    {__LINE__, CALL_FATAL, "refused", true},
	    {__LINE__, CALL_OK, NULL, true},
	    {__LINE__, CALL_OK, NULL, false},
	    {__LINE__, CALL_AUTH, "who?", true},
	    {__LINE__, CALL_AUTH, "who?", false},
	    {__LINE__, CALL_OK, NULL, true},
	};
	struct arena *a = arena_new();
	struct app *app = make_app(a);
	struct uuid account = uuid_new();
	struct connection *c, *got, *row;
	struct err err = ERR_INIT;

	if (app == NULL)
		goto out;
	c = create(app, a, &account, "p8");
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		struct call_result res = {.class = uses[i].class, .error = uses[i].error};
		uint64_t commits;

		CU_ASSERT_EQUAL(connection_recent(app, a, &account, &c->id, &got, &err), 1);
		commits = db_commits(app->db);
		CU_ASSERT_EQUAL(connection_note_use(
				    app, a, got, &(struct connection_use){.result = &res}, &err),
		    0);
		check(
		    (db_commits(app->db) > commits) == uses[i].is_written, uses[i].line, "written");
		CU_ASSERT_EQUAL(connection_get(app, a, &account, &c->id, &row, &err), 1);
		check(str_eq(str_from(row->last_error), str_from(uses[i].error)), uses[i].line,
		    "the last error");
	}
	CU_ASSERT_EQUAL(remove_of(app, a, &account, c), 1);
	connection_cache_release();
out:
	arena_free(a);
}

/* More questions than the cache holds: the oldest go, all answers stay right. */
static void cache_is_bounded(void)
{
	struct arena *a = arena_new();
	struct app *app = make_app(a);
	struct connection **list, *c;
	struct uuid account = uuid_new();
	struct err err = ERR_INIT;
	size_t n;

	if (app == NULL)
		goto out;
	c = create(app, a, &account, "kept");
	const struct provider *p = provider_find(app->providers, STR("meta_lead_ads"));
	for (int i = 0; i < 4200; i++) {
		char id[16];

		snprintf(id, sizeof id, "q%d", i);
		CU_ASSERT_EQUAL(
		    connection_cached_by_external(app, p, str_from(id), &list, &n, &err), 0);
		CU_ASSERT_EQUAL(n, 0);
		connection_cache_release();
	}
	CU_ASSERT_EQUAL(connection_cached_by_external(app, p, STR("kept"), &list, &n, &err), 0);
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT_EQUAL(remove_of(app, a, &account, c), 1);
out:
	arena_free(a);
}

DB_STMT(test_break_credentials, "UPDATE connections SET credentials = 'lost' WHERE id = ?");

static void one_that_cannot_be_opened_costs_no_other(void)
{
	struct arena *a = arena_new();
	struct app *app = make_app(a);
	struct uuid account = uuid_new(), other = uuid_new();
	struct connection **list, *broken, *sound;
	struct err err = ERR_INIT;
	size_t n;

	if (app == NULL)
		goto out;
	broken = create(app, a, &account, "shared-id");
	sound = create(app, a, &other, "shared-id");
	CU_ASSERT_EQUAL(
	    db_exec(app->db, &test_break_credentials, DB_VALS(db_uuid(&broken->id)), NULL, &err),
	    0);
	const struct provider *p = provider_find(app->providers, STR("meta_lead_ads"));
	for (int i = 0; i < 2; i++) { /* loaded, then looked at */
		CU_ASSERT_EQUAL(
		    connection_cached_by_external(app, p, STR("shared-id"), &list, &n, &err), 0);
		CU_ASSERT_EQUAL_FATAL(n, 2);
		CU_ASSERT_EQUAL(list[0]->shut != 0, uuid_eq(list[0]->id, broken->id));
		CU_ASSERT_NOT_EQUAL(list[0]->shut != 0, list[1]->shut != 0);
		CU_ASSERT_PTR_NULL(
		    access_credential(&list[list[0]->shut != 0 ? 0 : 1]->access, "webhookSecret"));
		CU_ASSERT_STRING_EQUAL(
		    access_credential(&list[list[0]->shut != 0 ? 1 : 0]->access, "webhookSecret"),
		    "canary-1");
		audit_caches_drop(app);
	}
	CU_ASSERT_EQUAL(remove_of(app, a, &account, broken), 1);
	CU_ASSERT_EQUAL(remove_of(app, a, &other, sound), 1);
	connection_cache_release();
out:
	arena_free(a);
}

/* What else works says nothing of a push that failed; a push that passes does, and so do refused
 * credentials that are good again. */
static void errors_of_pushes_stand(void)
{
	static const struct {
		int line;
		enum call_class class;
		const char *error;
		bool is_push;
		const char *stands;
	} uses[] = {
	    {__LINE__, CALL_FATAL, "test failed", false, "test failed"},
	    {__LINE__, CALL_OK, NULL, false, NULL},
	    {__LINE__, CALL_FATAL, "no such list", true, "no such list"},
	    {__LINE__, CALL_OK, NULL, false, "no such list"},
	    {__LINE__, CALL_RETRY, "down", false, "no such list"},
	    {__LINE__, CALL_RETRY, "down", true, "down"},
	    {__LINE__, CALL_OK, NULL, true, NULL},
	    {__LINE__, CALL_FATAL, "same", false, "same"},
	    {__LINE__, CALL_FATAL, "same", true, "same"},
	    {__LINE__, CALL_OK, NULL, false, "same"},
	    {__LINE__, CALL_AUTH, "who?", false, "who?"},
	    {__LINE__, CALL_OK, NULL, false, NULL},
	};
	struct arena *a = arena_new();
	struct app *app = make_app(a);
	struct uuid account = uuid_new();
	struct connection *c, *got, *row;
	struct err err = ERR_INIT;

	if (app == NULL)
		goto out;
	c = create(app, a, &account, "p9");
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		struct call_result res = {.class = uses[i].class, .error = uses[i].error};
		struct connection_use use = {.result = &res, .is_push = uses[i].is_push};

		CU_ASSERT_EQUAL(connection_recent(app, a, &account, &c->id, &got, &err), 1);
		CU_ASSERT_EQUAL(connection_note_use(app, a, got, &use, &err), 0);
		CU_ASSERT_EQUAL(connection_get(app, a, &account, &c->id, &row, &err), 1);
		check(str_eq(str_from(row->last_error), str_from(uses[i].stands)), uses[i].line,
		    "the error that stands");
	}
	CU_ASSERT_EQUAL(remove_of(app, a, &account, c), 1);
	connection_cache_release();
out:
	arena_free(a);
}

void suite_connection(void)
{
	CU_pSuite s = CU_add_suite("connection", NULL, NULL);

	CU_add_test(s, "one that cannot be opened costs no other",
	    one_that_cannot_be_opened_costs_no_other);
	CU_add_test(s, "connect bodies are checked against the manifest", bodies_are_checked);
	CU_add_test(s, "signatures of settings are checked", signatures_of_settings_are_checked);
	CU_add_test(s, "the store keeps secrets sealed", store_keeps_secrets_sealed);
	CU_add_test(s, "when a call has another attempt", policy);
	CU_add_test(s, "what cannot be called is not repeated", uncallable);
	CU_add_test(s, "the cache sees every change", cache_sees_every_change);
	CU_add_test(s, "jobs get copies", recent_for_jobs);
	CU_add_test(s, "uses are noted rarely", uses_are_noted_rarely);
	CU_add_test(s, "errors of pushes stand", errors_of_pushes_stand);
	CU_add_test(s, "the cache is bounded", cache_is_bounded);
}
