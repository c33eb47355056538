/* The sandbox's state and its table of routes. */
#include "sandbox/sandbox.h"

#include "base/file.h"
#include "base/limits.h"
#include "html/template.h"
#include "net/http-client.h"
#include "sandbox/journal.h"
#include "sandbox/play.h"

#define CSS_MAX_BYTES 65536u
#define FORM_BYTES (64u * 1024u)

struct sandbox *sandbox_of(const struct req *r)
{
	return (struct sandbox *)r->app;
}

/* Calls go to the product on this host, so loopback is allowed; nothing else is called. */
static void sandbox_set_config(struct sandbox *s)
{
	s->config = (struct config){.db_host = "",
	    .base_url = "",
	    .listen = "",
	    .state_dir = s->dir,
	    .log_file = "",
	    .log_level = "info",
	    .egress_allow_loopback = true,
	    .egress_allow_private = true,
	    .egress_allow_hosts = "",
	    .egress_ca_file = "",
	    .http_timeout_ms = 10000,
	    .http_connect_timeout_ms = 3000,
	    .http_per_host = 8,
	    .webhook_body_bytes = LIMIT_JSON_BYTES,
	    .sandbox_url = ""};
	s->app.config = &s->config;
}

static void sandbox_release(void *object)
{
	struct sandbox *s = object;

	http_client_free(s->app.http);
}

int sandbox_init(struct sandbox *s, struct arena *a, const char *dir, const char *credentials,
    const char *templates_dir, struct err *err)
{
	*s = (struct sandbox){
	    .a = a, .dir = arena_strdup(a, dir), .credentials = arena_strdup(a, credentials)};
	sandbox_set_config(s);
	arena_on_free(a, sandbox_release, s);
	if (dir_make(dir, 0700, err) == -1)
		return -1;
	s->sink = sink_new(a, dir);
	s->leads = leads_new(a, dir);
	s->faults = faults_new(a, dir);
	s->store = store_new(a, dir);
	s->calls = play_log_new(a, dir);
	if (templates_dir == NULL)
		return 0;
	s->app.templates = templates_load(a, templates_dir, false, err);
	if (s->app.templates == NULL)
		return -1;
	if (file_find(a, arena_printf(a, "%s/sandbox.css", templates_dir), CSS_MAX_BYTES, &s->css,
		err) != 1)
		return err_set(err, ERR_UNAVAILABLE, "%s/sandbox.css is missing", templates_dir);
	return 0;
}

#define PAGE(pattern, handler)                                                                     \
	{                                                                                          \
		HTTP_GET, pattern, handler, 0, ROUTE_PUBLIC | ROUTE_PAGE, 0                        \
	}
#define FORM(pattern, handler)                                                                     \
	{                                                                                          \
		HTTP_POST, pattern, handler, 0, ROUTE_PUBLIC | ROUTE_FORM, FORM_BYTES              \
	}
#define API(method, pattern, handler, bytes)                                                       \
	{                                                                                          \
		method, pattern, handler, 0, ROUTE_PUBLIC | ROUTE_API, bytes                       \
	}
#define RAW(method, pattern, handler)                                                              \
	{                                                                                          \
		method, pattern, handler, 0, ROUTE_PUBLIC | ROUTE_RAW, LIMIT_JSON_BYTES            \
	}

const struct route sandbox_routes[] = {
    PAGE("/", page_home),
    FORM("/send", page_send),
    PAGE("/received", page_received),
    FORM("/received/clear", page_received_clear),
    PAGE("/faults", page_faults),
    FORM("/faults", page_faults_add),
    FORM("/faults/latency", page_faults_latency),
    FORM("/faults/clear", page_faults_clear),
    PAGE("/sandbox.css", page_css),
    PAGE("/favicon.ico", page_icon),

    PAGE("/providers", page_providers),
    PAGE("/providers/:provider", page_provider),
    FORM("/providers/:provider/send", page_provider_send),
    FORM("/providers/:provider/switches", page_provider_switches),
    PAGE("/calls", page_calls),
    FORM("/calls/clear", page_calls_clear),

    API(HTTP_GET, "/sandbox/api/calls", api_calls, 0),
    API(HTTP_DELETE, "/sandbox/api/calls", api_calls_clear, 0),
    API(HTTP_GET, "/sandbox/api/switches/:provider", api_switches, 0),
    API(HTTP_PUT, "/sandbox/api/switches/:provider", api_switches_put, FORM_BYTES),
    API(HTTP_GET, "/sandbox/api/events", api_events, 0),
    API(HTTP_POST, "/sandbox/api/events", api_send_event, FORM_BYTES),
    API(HTTP_GET, "/sandbox/api/rows/:provider/:kind", api_rows, 0),
    API(HTTP_PUT, "/sandbox/api/rows/:provider/:kind", api_rows_put, LIMIT_JSON_BYTES),
    API(HTTP_POST, "/sandbox/api/reset", api_reset, FORM_BYTES),
    API(HTTP_GET, "/sandbox/api/received", api_received, 0),
    API(HTTP_DELETE, "/sandbox/api/received", api_received_clear, 0),
    API(HTTP_GET, "/sandbox/api/faults", api_faults_get, 0),
    API(HTTP_PUT, "/sandbox/api/faults", api_faults_put, FORM_BYTES),
    API(HTTP_POST, "/sandbox/api/send-lead", api_send_lead, FORM_BYTES),
    API(HTTP_POST, "/sandbox/api/leads", api_leads_make, FORM_BYTES),
    API(HTTP_POST, "/sandbox/api/meta/webhook-body", api_webhook_body, FORM_BYTES),

    RAW(HTTP_GET, "/crm/:name", sink_handle),
    RAW(HTTP_POST, "/crm/:name", sink_handle),
    RAW(HTTP_PUT, "/crm/:name", sink_handle),
    RAW(HTTP_PATCH, "/crm/:name", sink_handle),
    RAW(HTTP_DELETE, "/crm/:name", sink_handle),
};
const size_t sandbox_nroutes = sizeof(sandbox_routes) / sizeof(sandbox_routes[0]);

/* Every other address is a provider's: theirs have as many segments as they like, and slashes at
 * their ends. */
static const struct route play_route = {
    HTTP_GET, "/", play_handle, 0, ROUTE_PUBLIC | ROUTE_RAW, LIMIT_JSON_BYTES};

const struct router_hooks sandbox_hooks = {.problem_page = page_problem, .otherwise = &play_route};
