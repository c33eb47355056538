/* connect-sandbox: stands in for the fourteen providers (play.h) and for a CRM, so that all flows
 * without a credential. State is a folder of small files; there is no database. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "base/config.h"
#include "http/http.h"

struct journal;
struct faults;
struct sink;
struct leads;
struct store;
struct play_log;
struct http_call;
struct http_answer;

#define SANDBOX_PAGE_TOKEN "sandbox-page-token"
#define SANDBOX_USER_TOKEN "sandbox-user-token"

struct sandbox {
	struct app app; /* first: sandbox_of() finds the rest through it */
	struct config config;
	struct arena *a;         /* lives as long as the process */
	const char *dir;         /* where the state is */
	const char *credentials; /* the -c file, or NULL */
	struct sink *sink;
	struct leads *leads;
	struct faults *faults;
	struct store *store;    /* what the played providers hold */
	struct play_log *calls; /* what they were asked */
	struct str css;
};

/* Fills s: state below dir (made when missing), templates and style sheet from templates_dir
 * (NULL: none, for the commands). */
int sandbox_init(struct sandbox *s, struct arena *a, const char *dir, const char *credentials,
    const char *templates_dir, struct err *err);
struct sandbox *sandbox_of(const struct req *r);
extern const struct route sandbox_routes[];
extern const size_t sandbox_nroutes;
extern const struct router_hooks sandbox_hooks;

/* How to reach the running product, read anew at each use since ./dev may write it later. */
struct product {
	const char *url; /* "" when unknown */
	const char *connection_id, *app_secret, *page_id, *form_id;
	json_t *connections; /* ids by provider; or NULL */
	json_t *secrets;     /* where they are not the sandbox's own: by provider; or NULL */
};
int product_load(const struct sandbox *s, struct arena *a, struct product *out, struct err *err);

/* ---- faults on demand (faults.c) ------------------------------------------------------------ */
enum fault_kind {
	FAULT_NONE,
	FAULT_THROTTLE, /* Graph error of a rate limit; 429 with Retry-After from the CRM */
	FAULT_TOKEN,    /* the token is dead */
	FAULT_ERROR,    /* a status, 500 unless said otherwise */
	FAULT_SLOW,     /* the right answer, after `ms` */
	FAULT_TIMEOUT,  /* no answer for `ms`, then an unfinished one */
	FAULT_DRIP,     /* a little each half second for `ms` */
	FAULT_RESET,    /* the connection ends within the answer */
	FAULT_LOST,     /* the request takes effect, but its answer is cut off */
	FAULT_HUGE,     /* 10 MB */
	FAULT_INVALID,  /* JSON that breaks off */
	FAULT_REDIRECT, /* to `location`, 302 unless said otherwise */
	FAULT_ANSWER,   /* 200, or a status, with `body` */
	FAULT_ROWS,     /* of the CRM: leads with the text `match` in them are refused */
};
struct fault {
	enum fault_kind kind;
	int status, code;
	int64_t ms, retry_after_s;
	const char *location, *body, *match;
};
struct faults *faults_new(struct arena *a, const char *dir);
/* Sleeps the latency of target ("graph", "crm"; a provider has none), and what a FAULT_SLOW says,
 * which is never returned; then says what is to go wrong with this request of path. A fault by
 * count is used up by it. One of several targets has a name, else {NULL,0}: a fault may be aimed at
 * "target.name" alone. Text lives until the next call. */
struct fault faults_draw(struct faults *f, const char *target, struct str name, struct str path);
/* Answers as the fault wants. FAULT_NONE and FAULT_LOST are not for it. The handler returns the
 * result. */
int fault_answer(struct req *r, const char *target, const struct fault *fault);
/* Cuts the answer off in its middle. */
int fault_cut(struct req *r);
const char *fault_name(enum fault_kind kind);
/* The settings as JSON: {"latency_ms":{"graph":0,"crm":0},"faults":[{"target","kind",…}]}. */
json_t *faults_get(struct faults *f, struct arena *a, struct err *err);
/* Checks and stores; ERR_INVALID names the field. */
int faults_put(struct faults *f, const json_t *settings, struct err *err);

/* ---- the CRM (sink.c) ----------------------------------------------------------------------- */
struct sink *sink_new(struct arena *a, const char *dir);
int sink_handle(struct req *r); /* any method at /crm/:name */
struct sink_query {
	struct str name; /* absent: all */
	int64_t since_us;
	size_t limit;
};
/* {"data":[newest first],"counts":{"requests","posts","distinct_keys","duplicates","refused"}};
 * a new reference. */
json_t *sink_list(struct sink *s, struct arena *a, const struct sink_query *q, struct err *err);
/* Each CRM that was called, in the order of their first calls: [{"name","counts","at" of the
 * last}]; a new reference. What sink_list has read. */
json_t *sink_names(const struct sink *s, struct arena *a);
int sink_clear(struct sink *s, struct err *err);

/* ---- leads and forms (leads.c) -------------------------------------------------------------- */
struct leads *leads_new(struct arena *a, const char *dir);
/* Makes a lead from what a caller of the API may say
 * ({"email","full_name"|"name","first_name","last_name","phone",
 * "company","question","field_data"}); what is missing is invented. The lead as Graph gives it,
 * with page_id. */
json_t *leads_make(struct leads *l, struct arena *a, const struct product *p, const json_t *wishes,
    struct err *err);
/* A lead made here, or an invented one for any other id of ten digits and more. 1, 0, -1. */
int leads_get(struct leads *l, struct arena *a, const struct product *p, struct str id,
    json_t **out, struct err *err);
struct leads_query {
	struct str form_id;
	int64_t limit, before_seq; /* leads made before this one; 0: from the newest */
	int64_t created_after_s;   /* or -1 */
};
/* Newest first; *next is the before_seq of the next page, 0 on the last one. An arena-owned
 * array. */
int leads_list(struct leads *l, struct arena *a, const struct leads_query *q, json_t **out,
    int64_t *first, int64_t *last, int64_t *next, struct err *err);
/* Notes in each of the forms how many leads it has: leads_count. */
int leads_count(struct leads *l, struct arena *a, json_t *forms, struct err *err);
json_t *leads_forms(struct leads *l, struct arena *a, const struct product *p, struct err *err);
/* Adds a form and returns it. */
json_t *leads_form_make(
    struct leads *l, struct arena *a, const struct product *p, const char *name, struct err *err);

/* ---- webhooks to the product (hook.c) ------------------------------------------------------- */
struct sandbox_hook {
	const char *url;
	struct str body;
	const char *signature; /* "sha256=…" */
};
/* The signed leadgen webhook of a lead. ERR_CONFLICT while the product's secrets are not
 * known. */
int hook_make(struct arena *a, const struct product *p, const json_t *lead,
    struct sandbox_hook *out, struct err *err);
/* A call to the product, and its answer as {"status","body","duration_ms"}, a new reference. */
int hook_call(struct sandbox *s, struct arena *a, const struct http_call *call,
    struct http_answer *ans, struct err *err);
json_t *hook_answer_json(struct arena *a, const struct http_answer *ans);
/* Makes a lead (or takes the one of that id: same_as), signs, sends;
 * {"leadgen_id","status","body","duration_ms"} or {"leadgen_id","status":0,"error"}. A new
 * reference. */
json_t *hook_send_lead(struct sandbox *s, struct arena *a, const json_t *wishes, struct err *err);

/* ---- handlers ------------------------------------------------------------------------------- */
int api_received(struct req *r);
int api_received_clear(struct req *r);
int api_faults_get(struct req *r);
int api_faults_put(struct req *r);
int api_send_lead(struct req *r);
int api_leads_make(struct req *r);
int api_webhook_body(struct req *r);
int api_calls(struct req *r);
int api_calls_clear(struct req *r);
int api_switches(struct req *r);
int api_switches_put(struct req *r);
int api_events(struct req *r);
int api_send_event(struct req *r);
int api_rows(struct req *r);
int api_rows_put(struct req *r);
int api_reset(struct req *r);
int page_providers(struct req *r);
int page_provider(struct req *r);
int page_provider_send(struct req *r);
int page_provider_switches(struct req *r);
int page_calls(struct req *r);
int page_calls_clear(struct req *r);
int page_home(struct req *r);
int page_send(struct req *r);
int page_received(struct req *r);
int page_received_clear(struct req *r);
int page_faults(struct req *r);
int page_faults_add(struct req *r);
int page_faults_latency(struct req *r);
int page_faults_clear(struct req *r);
int page_css(struct req *r);
int page_icon(struct req *r);
/* Renders a template within the frame; data is stolen. */
int sandbox_page(struct req *r, int status, const char *name, const char *title, json_t *data);
/* Was a form sent from another site? Then it is answered. */
bool is_foreign_form(struct req *r);
int page_problem(struct req *r, int status, const char *title, const char *detail);

#endif
