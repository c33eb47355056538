/* Providers as data: manifests loaded from providers/NAME.json, and what the engine does with them.
 * Compiled once at start; read only afterwards. */
#ifndef PROVIDER_PROVIDER_H
#define PROVIDER_PROVIDER_H
#include "base/app.h"
#include "base/json.h"
#include "crypto/uuid.h"
#include "expr/expr.h"
#include "http/http.h"

struct provider;

/* What the engine is handed of an account's connection; it knows no row. Where it is optional, NULL
 * has neither credentials nor settings. */
struct access {
	const char *external_account_id; /* or "" */
	const char *id, *webhook_url;    /* the connection's, as texts; or NULL */
	bool is_strict; /* the sender has signed with a scheme that makes others outdated */
	json_t *settings;
	json_t *credentials; /* decrypted: never logged, never shown */
	/* Of the provider's app that it came by, named "app.KEY"; decrypted too. NULL: none. */
	json_t *app;
	/* Inbound secrets that were changed and are still good, [{"key","value","until"}], until in
	 * microseconds: as secret as those. NULL: none. */
	json_t *former;
	/* Of a call that may be made again: it goes as Idempotency-Key, unless the manifest names
	 * that header itself. NULL: none. */
	const char *call_key;
	int64_t most_ms; /* a call takes no longer, whatever the manifest says; 0: as it says */
};
/* "accessToken" is the connection's, "app.clientSecret" its app's; or NULL. */
const char *access_credential(const struct access *c, const char *key);
const char *access_setting(const struct access *c, const char *key); /* text or NULL */
/* The text with "***" where it holds one of the credentials, as it is, escaped or in base64: for
 * all that is kept or shown of what others say. */
const char *access_redact(struct arena *a, const struct access *c, const char *text);
struct str access_redact_text(struct arena *a, const struct access *c, struct str text);
/* The first `most` bytes of a foreign body, redacted before it is cut: well-formed text, control
 * characters as spaces, but for the ends of lines and tabs where those are kept. Bytes that are no
 * text are U+FFFD. */
struct str access_redact_body(
    struct arena *a, const struct access *c, struct str body, size_t most, bool keeps_lines);

/* The address that is called in place of one of the provider's own, and shown to a browser in place
 * of its login (wire.c): the last step before the wire of every call that a manifest describes, so
 * that nothing else knows of stand-ins. An https address whose provider the configuration's
 * provider_origins names becomes BASE/HOST/PATH?QUERY; every other is itself. */
const char *provider_wire_url(
    const struct config *cfg, struct arena *a, const struct provider *p, const char *url);

/* Where credentials go (reach.c). Is that one ever sent, with any of the provider's calls? */
bool provider_sends_credential(const struct provider *p, const char *key);
/* The origins that calls may go to with these settings, ["https://crm.example"], each once. */
json_t *provider_origins(const struct provider *p, struct arena *a, json_t *settings);
/* Are calls with those settings answered by the provider itself? Not where baseUrl leads to another
 * server than apiOrigin or originPattern name: what that says of accounts is nobody's word. */
bool provider_answers_itself(const struct provider *p, struct arena *a, json_t *settings);
/* The setting by which calls go to one of them. */
const char *provider_setting_of_origin(
    const struct provider *p, struct arena *a, json_t *settings, const char *origin);
/* How settings.auth sends them, for people: "the header X-API-Key"; "" where it sends none. */
const char *provider_auth_place(struct arena *a, const json_t *settings);

/* The values of an inbound secret that are good at a time: the present one first, then those from
 * before, *until_us then their end (else TIME_NONE). NULL: there are no more. */
const char *access_secret(
    const struct access *c, const char *key, size_t i, int64_t now_us, int64_t *until_us);

/* Loads and compiles every *.json of dir; NULL: the folder cannot be read. A file that is wrong is
 * left out and costs no other: why, with file, JSON path and reason, is among those refused. */
struct providers *providers_load(struct arena *a, const char *dir, struct err *err);
size_t providers_refused(const struct providers *ps, const char *const **why);
/* Is it the name of a file that was refused? Then what comes for it is to come again. */
bool provider_is_refused(const struct providers *ps, struct str name);
/* The operator's versions of APIs in place of the manifests': "meta_lead_ads=v27.0, …", once,
 * before they are used. ERR_INVALID: no such provider, or its manifest has no version. */
int providers_set_versions(
    struct arena *a, struct providers *ps, const char *list, struct err *err);
const struct provider *provider_find(const struct providers *ps, struct str name);
size_t providers_count(const struct providers *ps);
const struct provider *provider_at(const struct providers *ps, size_t i);
const char *provider_name(const struct provider *p);
const char *provider_display_name(const struct provider *p);
/* The version of its API that is called, and when that ends, or TIME_NONE; NULL: it has none. */
const char *provider_version(const struct provider *p, int64_t *ends_us);
/* Does it end within 60 days, or has it? Then *ends_us is when. */
bool provider_version_ends_soon(const struct provider *p, int64_t now_us, int64_t *ends_us);
bool provider_can(const struct provider *p, const char *capability);
/* {name,displayName,category,isAvailable,requiresOAuth,capabilities}; a new reference. */
json_t *provider_json(const struct provider *p);
/* Runs a manifest's own examples; prints TAP to out. Returns the number of failures, -1 when it
 * cannot be loaded. */
int provider_check(const char *file, struct buf *out, struct err *err);

/* ---- webhooks ----------------------------------------------------------------------------- */
struct webhook { /* a received request, as the engine needs it */
	const struct req *req;
	struct str body;
	const char *url; /* full URL as called, for URL-signing schemes */
	int64_t now_us;
	const char *notes; /* what there is to say of how it was read, for people; or NULL */
	json_t *payload;   /* set by webhook_parse */
	/* Of one that was rejected, and is verified anew: what its tokens were hashed with
	 * (token-kept.h); else NULL. */
	const unsigned char *token_key;
};
/* The longest body that it sends, in bytes, whether coded or not. */
uint64_t webhook_body_limit(const struct provider *p);
/* Undoes the request's Content-Encoding: ERR_LIMIT where that makes more than webhook_body_limit,
 * ERR_MALFORMED where the body is not so coded, and stays as it is. */
int webhook_decode(const struct provider *p, struct arena *a, struct webhook *w, struct err *err);
/* Whether what verifies a request stands within its body. */
bool webhook_verifies_by_body(const struct provider *p);
/* About how many values the body has, by a look that costs little. */
size_t webhook_count_values(const struct provider *p, const struct webhook *w);
/* Parses the body as the manifest says (JSON as genuine senders write it, form → object, empty →
 * {}): ERR_MALFORMED, ERR_LIMIT. */
int webhook_parse(const struct provider *p, struct arena *a, struct webhook *w, struct err *err);
/* The handshake that a request is (a GET, or a challenge in a POST body); NULL: it is none. Whom it
 * is for has to be found: among candidates, connections or apps, until one matches. */
struct handshake;
const struct handshake *handshake_find(
    const struct provider *p, struct arena *a, const struct webhook *w);
/* Is it for nobody? Then it is answered without one. */
bool handshake_is_open(const struct handshake *h);
/* The candidate that it is for: the token is its own, or the signature (which a POST always needs);
 * n: none, and *reason says why not of the last that was asked. */
size_t handshake_match(const struct provider *p, const struct handshake *h, struct arena *a,
    const struct webhook *w, const struct access *const *candidates, size_t n, const char **reason);
/* Answers; c is whom it is for, NULL where it is open. */
int handshake_answer(
    const struct handshake *h, struct req *r, const struct webhook *w, const struct access *c);
/* The external account ids a payload names, without repeats (Meta page ids, HubSpot portal ids…).
 * 0, or -1: they are more than LIMIT_WEBHOOK_ACCOUNTS. */
int webhook_accounts(const struct provider *p, struct arena *a, const struct webhook *w,
    struct str **ids, size_t *n);
/* Is that credential one by which requests are verified? */
bool webhook_has_secret(const struct provider *p, const char *key);
/* Checks signature, token and time window with the connection's secret, or one from before that is
 * still good: 1 verified, *reason then NULL or, while there are two, which it was; 0 not, *reason
 * then a short text such as "bad signature", "stale timestamp", "wrong token", "missing signature
 * header X-Hub-Signature-256". */
int webhook_verify(const struct provider *p, struct arena *a, const struct webhook *w,
    const struct access *c, const char **reason);

/* Of a request that verified: was it by a scheme that makes others of the provider outdated? */
bool webhook_is_strict(
    const struct provider *p, struct arena *a, const struct webhook *w, const struct access *c);
/* Does a header of that name (in lower case) carry a token, right or wrong, by these settings? */
bool webhook_is_token_header(const struct provider *p, struct arena *a, const struct webhook *w,
    const struct access *c, struct str name);
/* A URL as called, for the log: without what a manifest takes for a token in its query, of which
 * stays what token-kept.h says, and without the connection's secrets. */
const char *webhook_redact_url(const struct provider *p, struct arena *a, const struct access *c,
    const unsigned char *token_key, const char *url);

/* Whether signatures can be checked with these settings: ERR_INVALID on the field "settings.KEY"
 * that names an algorithm or encoding that there is not. */
int webhook_check_settings(
    const struct provider *p, struct arena *a, json_t *settings, struct err *err);

/* Whether the secret can be a key of a signature that these settings choose: ERR_INVALID on the
 * credential's field. */
int webhook_check_secret(const struct provider *p, struct arena *a, const json_t *credentials,
    json_t *settings, struct err *err);

/* What an item does besides, or instead of being stored. */
struct item_effects {
	bool erases;        /* the record and the lead of its type and id go, with their history */
	const char *status; /* "expired": that of the connection; NULL: it stays */
	const char *reason; /* for people */
	const char *poll;   /* that poll runs now; NULL: none */
};

/* What is made of one thing in a payload. Text is arena-owned. */
struct webhook_item {
	size_t place;             /* of the thing among those that the payload carries, from 1 */
	bool is_more;             /* another item was made of the same thing before */
	struct str resource_type; /* {NULL,0}: no record is made of it */
	struct str external_id;
	struct str event_type;       /* "lead.received", "contact.propertyChange", … */
	struct str dedupe_key;       /* the provider's own event id or parts joined by '|' */
	json_t *data;                /* the record's payload; NULL: it is not stored */
	int64_t provider_updated_us; /* TIME_NONE: not told */
	bool is_time_odd;            /* told as something that is no time */
	bool is_lead;
	json_t *lead; /* when the payload carries the fields themselves: provider's raw form, see
			 lead_normalize */
	struct str form_id, ad_id, campaign_id;
	int64_t created_us; /* the provider's time of the lead, or TIME_NONE */
	bool needs_details; /* and the connection has what the fetch needs */
	struct item_effects effects;
};
/* All that a payload carries for a connection: what is taken, and what is not. */
struct webhook_found {
	struct webhook_item *items; /* in the order of the provider's clock, if each has a time */
	size_t n;
	size_t carried;         /* things in it */
	size_t ignored;         /* of these, such as the manifest leaves alone */
	size_t left;            /* the first that was to be taken and cannot be; 0: none */
	const char *left_why;   /* "has no id": goes behind "item 3" */
	const char *nothing;    /* it carries none: why, for people; else NULL */
	bool is_nothing_normal; /* an empty list, rather than a payload of another shape */
	struct str event_type;  /* without items: what the provider calls it, where that is known */
};
/* Whatever is wrong with a thing costs no other. Of things of other external accounts it is told
 * too that they are not taken, when the connection has an externalAccountId. */
void webhook_items(const struct provider *p, struct arena *a, const struct webhook *w,
    const struct access *c, struct webhook_found *out);
/* The body, status and type a provider wants to its 200 ({"received":…} otherwise): true when it
 * has its own. */
bool webhook_answer(const struct provider *p, struct arena *a, const struct webhook *w, int *status,
    const char **content_type, struct str *body);

/* ---- calls to the provider ---------------------------------------------------------------- */
/* A condition over `status` and `answer` that an action asks for besides 2xx ("successWhen"), as
 * people configure it: ERR_INVALID where it is none; the field is the place within it. */
int provider_check_success(struct arena *a, const json_t *condition, struct err *err);
/* How a call ended, by the manifest's error rules (an error inside a 200, a 403 that is a rate
 * limit…). */
enum call_class {
	CALL_OK,
	CALL_RETRY,
	CALL_RATE_LIMITED,
	CALL_AUTH, /* the credentials are refused */
	CALL_FATAL,
	CALL_NOT_YET,    /* what is asked for is not to be seen so far; nothing ails the peer */
	CALL_REFRESH,    /* the access token is no longer good: a new one may be */
	CALL_PERMISSION, /* who calls may not, until somebody grants it */
	CALL_CONFLICT,   /* it is there already, or was changed by others */
	CALL_NOT_FOUND   /* it is not there, or no longer */
};
/* By class; NULL-terminated: "rateLimited". */
extern const char *const call_class_names[];
/* What to do about it, a sentence for people without its full stop; "" of CALL_OK. */
const char *call_class_advice(enum call_class class);
struct error_rule;
struct call_result {
	enum call_class class;
	const struct error_rule *rule; /* of the manifest, that the answer falls under; or NULL */
	int status;                    /* 0: no answer */
	int64_t retry_after_ms;        /* -1: unknown */
	int64_t pace_ms;    /* the limit is near: so long before the next call; 0: it is not */
	const char *error;  /* a sentence for people; no secret */
	struct str answer;  /* what the body begins with, no secret in it; {NULL,0}: nothing */
	json_t *output;     /* CALL_OK: the action's output … */
	json_t *whole;      /* … and the provider's answer, where it is JSON, else NULL */
	bool is_uncalled;   /* a credential that the action needs is not there */
	bool is_too_large;  /* CALL_FATAL: more came than is taken; less may be asked for */
	const char *method; /* of the call; NULL: none was made */
	struct str request; /* "POST https://…", an empty line, the body: what it begins with, no
			       secret in it; {NULL,0}: none was made */
	/* CALL_CONFLICT: of what is there already and may be changed instead; or NULL */
	const char *existing_id;
	/* The field whose value is not taken, where all else may be; or NULL */
	const char *refused_field;
	const char *signed_in; /* "X-API-Key", "a bearer token"; NULL: without credentials */
};
/* Runs the named action ("fetch_lead", "fetch_contact", …) with inputs; credentials injected, error
 * rules applied. One attempt. Always fills out; 0, or -1 with err when the manifest has no such
 * action or inputs are wrong. A list's output is {items, nextCursor}: the cursor (null: this was
 * the last page) goes into the input that provider_page_input names. A write that was taken and
 * gives nothing has the output null. */
int provider_action(struct app *app, struct arena *a, const struct provider *p,
    const struct access *c, const char *action, const json_t *inputs, struct call_result *out,
    struct err *err);
/* ---- calls that people write whole (proxy.c) */
struct proxy_request {
	const char *method;
	struct str path; /* "/v1/charges?limit=3": below the provider's own address */
	struct http_pairs query, headers;
	struct str body; /* as it is sent; its type is among the headers. {NULL,0}: none */
};
struct proxy_answer {
	struct call_result result; /* its class, and what was wrong; status 0: no answer came */
	struct http_pairs headers; /* those that may be handed on */
	struct str body;           /* whole, without credentials */
};
/* Would it be called? ERR_INVALID on "path" where that could leave the provider's origin, in any
 * decoding of it; on "headers" where one may not be sent. */
int provider_proxy_check(
    struct arena *a, const struct provider *p, const struct proxy_request *in, struct err *err);
/* One attempt, with the connection's credentials. 0 whatever came of it, or -1 as above. */
int provider_proxy(struct app *app, struct arena *a, const struct provider *p,
    const struct access *c, const struct proxy_request *in, struct proxy_answer *out,
    struct err *err);

/* What of the credentials the action needs is not there, in words: "private-app token"; NULL: it
 * can be called. */
const char *provider_action_lacks(
    struct arena *a, const struct provider *p, const struct access *c, const char *action);
/* The input by which the action is asked for its next page: "after"; NULL: it has but one. */
const char *provider_page_input(const struct provider *p, const char *action);
/* Does an origin that an answer has told match the manifest's "originPattern"? Where there is none
 * any does. */
bool provider_origin_is_allowed(const struct provider *p, struct arena *a, const char *url);
/* Fetch-details action of a resource type: name, or NULL. Its input is {"id": the external id}. */
const char *provider_details_action(const struct provider *p, const char *resource_type);
/* Details of many at once: the action that takes their external ids as the input DETAILS_IDS, and
 * how many it takes; NULL: they are fetched one by one. */
const char *provider_details_batch(
    const struct provider *p, const char *resource_type, size_t *max);
#define DETAILS_IDS "ids"
bool provider_batches_details(const struct provider *p); /* of any type */
/* What such an action's output holds of that id: what the single action's output would be. NULL: it
 * has none of it. */
json_t *provider_details_of(const struct provider *p, struct arena *a, const char *resource_type,
    const json_t *output, struct str id);

/* Records written in one call, by the manifest's "batches": the action, and how many it takes at
 * most; NULL: there is no such batch. */
const char *provider_batch_action(const struct provider *p, const char *name, size_t *max);
/* How many a call takes of this connection; 0: there is no such batch. */
size_t provider_batch_size(
    const struct provider *p, struct arena *a, const struct access *c, const char *name);
/* What becomes of the action's answers, for people, by the manifest's rules and without one:
 * [{when,then}]; owned by the arena. */
json_t *provider_rules_told(const struct provider *p, struct arena *a, const char *action);
/* May the record go with others? Of those with one *unique (where that is not empty), one at a
 * time. The batch is there. */
bool provider_batch_takes(const struct provider *p, struct arena *a, const struct access *c,
    const char *name, const json_t *record, struct str *unique);
/* Has the action an input of that name? */
bool provider_action_takes(const struct provider *p, const char *action, const char *input);
/* Its inputs for a list of records. */
json_t *provider_batch_inputs(const struct provider *p, struct arena *a, const struct access *c,
    const char *name, const json_t *records);
/* What came of each of them, by the call's result. A call that failed failed for all. */
struct batch_result {
	enum call_class class;
	const char *id, *error; /* or NULL */
	bool is_told;           /* of this very record */
	bool is_for_alone;      /* a call of its own may mend it, or tell more */
};
struct batch_result *provider_batch_results(const struct provider *p, struct arena *a,
    const struct access *c, const char *name, const json_t *records, const struct call_result *res);

/* {id,name,status,country,leads} of an item of the forms' list, without what it does not tell;
 * NULL: it has no id. */
json_t *provider_form(const struct provider *p, struct arena *a, json_t *form);

/* What can be listed as values for an input: a channel, a sender (the manifest's "lists"). Its
 * action gives pages; NULL: there is no such list. */
struct value_list;
const struct value_list *provider_find_list(const struct provider *p, const char *name);
const char *value_list_action(const struct value_list *list);
const json_t *value_list_inputs(const struct value_list *list); /* or NULL */
/* Adds {value,label} for each item of a page. */
void value_list_read(
    const struct value_list *list, struct arena *a, const json_t *output, json_t *into);

/* The setting without which nothing that comes through the connection becomes a lead, by its key;
 * NULL: it is there, or nothing of the kind is needed. */
const char *provider_leads_lack(const struct provider *p, struct arena *a, const struct access *c);
/* Reads provider's raw lead (a details answer or an inline payload) into the seed's normalized
 * form, by the manifest's lead rules:
 * {email,firstName,lastName,fullName,phoneNumber,company,rawFieldData{},customFields{},formId,
 * adId,campaignId,createdAt}, before lead_normalize polishes it. A new reference owned by the
 * arena. */
json_t *provider_lead_fields(
    const struct provider *p, struct arena *a, const json_t *raw, struct err *err);
/* The record payload and its provider time from a details answer. */
json_t *provider_details_record(const struct provider *p, struct arena *a,
    const char *resource_type, const json_t *output, int64_t *provider_updated_us);

/* [{name,label,help,inputs[]}] of its actions; a new reference. */
json_t *provider_actions_json(const struct provider *p);
/* What a normalized lead becomes at a destination that has no mapping of its own, by the manifest's
 * "pushBody"; NULL where that says nothing. The arena's. */
json_t *provider_push_body(const struct provider *p, struct arena *a, const json_t *lead);
/* The same as rules of a mapping, [{"from": "lastName || fullName", "to": "LastName"}], without
 * what cannot be told so; NULL where it says nothing. The arena's. */
json_t *provider_push_names(const struct provider *p, struct arena *a);
/* The names that a destination takes no lead without: filled by the pushBody whatever a mapping
 * says
 * ("pushNeeded"). A list, or NULL; p may be NULL. */
const json_t *provider_push_needed(const struct provider *p);
/* The type of record that a pushed lead is there, as its polls and webhooks call it ("pushedAs");
 * NULL: it does not say. p may be NULL. */
const char *provider_pushed_as(const struct provider *p);
/* The action by which a destination tells what fields it has ("pushFields"); NULL: it does not. */
const char *provider_push_fields_action(const struct provider *p);
/* The fields in such an action's output: [{name,label,help,type,isNeeded,isReadOnly,isClosed,
 * values,maxLength}], type one of push_field_types. values are those of a list, isClosed when no
 * others are taken. The arena's. */
json_t *provider_push_fields(const struct provider *p, struct arena *a, json_t *output);
#define PUSH_FIELDS_MOST 2000u
/* text, number, integer, boolean, date, time, email, phone, url, choice, choices; NULL-terminated.
 */
extern const char *const push_field_types[];
/* What lies in a lead that is handed over, for all that names places in it. */
extern const struct expr_field lead_place_fields[];

/* Handlers: the catalogue. */
int provider_api_list(struct req *r); /* GET /providers */
int provider_api_get(struct req *r);  /* GET /providers/:type */
/* The provider of the route's :type, or NULL with 404 answered. */
const struct provider *provider_of_route(struct req *r);

/* Where a reference leads that stands in an answer from that URL (url.c). */
const char *url_resolve(struct arena *a, const char *url, const char *reference);

#endif
