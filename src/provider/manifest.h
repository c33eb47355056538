/* A compiled manifest, read only after load: for this room, and for the forms and checks of the
 * connections. */
#ifndef PROVIDER_MANIFEST_H
#define PROVIDER_MANIFEST_H
#include "base/map.h"
#include "crypto/hash.h"
#include "expr/expr.h"
#include "provider/provider.h"

/* What expressions of manifests can name (language.c): slots of a scope. */
enum provider_root {
	ROOT_BODY,
	ROOT_SETTINGS,
	ROOT_CREDENTIALS,
	ROOT_INPUT,
	ROOT_ANSWER,
	ROOT_STATUS,
	ROOT_RAW,
	ROOT_OUTPUT,
	ROOT_HEADER, /* from: struct http_pairs, names in lower case */
	ROOT_QUERY,  /* from: struct http_pairs */
	ROOT_VERSION,
	ROOT_CONNECTION,
	ROOT_NOW, /* microseconds, as a JSON integer: a read time */
	ROOT_ITEM,
	ROOT_FORM,
	ROOT_RECORD,
	ROOT_RECORDS,
	ROOT_PAGE,
	ROOT_SUBSCRIPTION,
	ROOT_POLL, /* poll.c: since, until, cursor, idAfter, export */
	ROOT_LEAD,
};
#define ROOT_BIT(root) EXPR_ROOT_BIT(root)
extern const struct expr_language provider_language;

/* ---- what a connect body may hold --------------------------------------------------------- */
struct credential_spec {
	const char *key, *label, *help;
	bool is_needed;
};
enum setting_type {
	SETTING_TEXT,
	SETTING_INTEGER,
	SETTING_BOOLEAN,
	SETTING_URL,
	SETTING_CHOICE,
	SETTING_PATH,
	SETTING_HEADERS,
	SETTING_PATHS,
	SETTING_TEMPLATE,
	SETTING_OBJECT,
	SETTING_COUNTRY,
	SETTING_TYPE,
	SETTING_HEADER,    /* the name of one */
	SETTING_CONDITION, /* of provider_check_success */
	SETTING_HOST,      /* one below a suffix, in lower case */
};
const char *setting_type_name(enum setting_type type);
struct setting_spec {
	const char *key, *label, *help;
	const char *example; /* shown where nothing is entered yet; NULL: none */
	enum setting_type type;
	bool is_needed;
	int64_t min, max;
	const char **choices;
	size_t nchoices;
	const char *suffix;           /* SETTING_HOST: ".myshopify.com", behind max names */
	struct setting_spec *members; /* SETTING_OBJECT */
	size_t nmembers;
};
/* Under a condition on the settings, these credentials are needed: all, or any one. */
struct credential_rule {
	struct cond *when;
	const char **keys;
	size_t n;
	bool is_any;
};

/* ---- webhooks ----------------------------------------------------------------------------- */
enum signature_kind { SIGNATURE_HMAC, SIGNATURE_HASH, SIGNATURE_TOKEN };
/* Credentials, of the connection or its app, in the order in which they are looked at. */
struct credential_names {
	const char **v;
	size_t n;
};
enum signed_part {
	PART_TEXT,
	PART_BODY,
	PART_URL,
	PART_METHOD,
	PART_TIMESTAMP,
	PART_HEADER,
	PART_FORM,
	PART_SECRET
};
struct signature_part {
	enum signed_part kind;
	struct str text; /* PART_TEXT; PART_HEADER: the name */
};
/* How a sender wrote the query of the URL that it signed. */
enum url_query {
	URL_QUERY_AS_IS,
	URL_QUERY_QUOTE_ENCODED, /* ' is %27 */
	URL_QUERY_REENCODED,     /* decoded, and encoded again: a blank is %20, ' is itself */
	URL_QUERY_FORMS
};
enum time_unit { TIME_SECONDS, TIME_MILLISECONDS, TIME_ISO };
struct signature {
	struct cond *when; /* NULL: when the header is there */
	enum signature_kind kind;
	struct expr *header, *prefix, *algorithm, *encoding, *token;
	struct expr *parameter; /* of the query, that holds the token */
	const char *optional_prefix;
	struct credential_names secrets; /* any of them may have signed */
	const char *secret_prefix;
	bool secret_is_base64;
	/* entries of a header with several, e.g. Stripe's "t=1,v1=ab": separated, signature and
	 * timestamp by their keys */
	char separator;
	const char *signature_key, *timestamp_key;
	const char *signed_text;
	struct signature_part *parts; /* of it */
	size_t nparts;
	const char *timestamp_header;
	enum time_unit timestamp_unit;
	int64_t window_s; /* 0: none */
	bool window_is_past_only;
	/* Credentials that stand in the URL as the sender knows it, "user:password@"; or NULL. */
	const char *url_user, *url_password;
	const char *url_decode; /* characters whose escapes are decoded in the URL before signing */
	bool is_outdated;       /* no longer good once the sender has used one that is not */
	bool url_ports;         /* try the URL as is, without port, with the default port */
	unsigned url_queries;   /* 1 << enum url_query of those to try */
	const char *body_hash_parameter; /* query parameter holding the body's SHA-256 in hex */
};
struct answer_spec {
	struct cond *when; /* of the answers to webhooks: the first for which it holds */
	int64_t status;
	const char *content_type;
	struct expr *text, *json;
	struct str fixed; /* the text where it depends on nothing */
};
struct handshake {
	enum http_method method;
	struct cond *when;
	struct expr *token;
	struct credential_names token_credentials; /* any of them may be the token */
	struct expr *hmac_of;                      /* its hex HMAC-SHA256 is {output.hmac} */
	struct credential_names hmac_credentials;  /* the first that is there is the key */
	struct cond *prefers; /* over a candidate's settings: is it asked first? */
	bool is_signed;
	bool is_open; /* anybody may ask: it answers a constant */
	struct answer_spec answer;
};
struct account_rule {
	struct loops loops;
	struct expr *id;
};
/* What makes a lead of an item. */
struct lead_rule {
	struct cond *when;
	struct expr *raw, *form_id, *ad_id, *campaign_id, *created_at;
};
/* Things that are known, and left alone. */
struct ignore_rule {
	struct loops loops;
	struct cond *when;
};
struct item_rule {
	struct loops loops;
	struct cond *when;
	struct expr *account, *resource_type, *external_id, *event_type, *data, *updated_at;
	struct expr **dedupe;
	size_t ndedupe;
	/* The other ids of the same thing, each an item of its own (a merge); the loop's name for
	 * them is "merged". */
	struct expr **merged_ids;
	size_t nmerged_ids;
	struct expr *merged_data;
	unsigned merged_slot;
	const json_t *walks; /* its "for" as written */
	size_t group;        /* the first rule that walks the same things */
	bool has_lead, wants_details;
	bool stores; /* a record or a lead */
	struct item_effects effects;
	struct cond *details_when;
	struct lead_rule lead;
};
enum body_kind { BODY_JSON, BODY_FORM, BODY_EMPTY, BODY_BY_TYPE };

/* ---- calls -------------------------------------------------------------------------------- */
enum auth_type { AUTH_NONE, AUTH_BEARER, AUTH_HEADER, AUTH_BASIC, AUTH_QUERY, AUTH_SETTINGS };
struct auth {
	enum auth_type type;
	struct cond *when; /* over the settings */
	const char *name, *prefix, *credential;
	/* Each a credential, or a text with credentials in braces: "{username}/token". */
	const char *username, *password;
};
struct auths { /* all that can apply */
	struct auth *v;
	size_t n;
};
/* The hex HMAC of a credential, with the first of others that is there for its key. */
struct hmac_value {
	enum hash_alg algorithm;
	const char *algorithm_name, *of;
	struct credential_names keys;
};
struct named_expr {
	const char *name;
	struct expr *value;
	struct hmac_value *hmac; /* instead of the value; or NULL */
};
enum input_type {
	INPUT_TEXT,
	INPUT_INTEGER,
	INPUT_BOOLEAN,
	INPUT_JSON,
	INPUT_DATE, /* "2026-01-31" */
	INPUT_TIME  /* ISO 8601, with its zone */
};
const char *input_type_name(enum input_type type);
struct input_spec {
	const char *name, *label, *help;
	enum input_type type;
	bool is_needed;
	const char **choices; /* of a text, which is one of them */
	size_t nchoices;
	const char *list; /* of a text: the manifest's list of its values; or NULL */
	json_t *other;    /* what it is where it is not given; NULL: absent */
};
enum wait_unit { WAIT_SECONDS, WAIT_MILLISECONDS, WAIT_MINUTES, WAIT_UNTIL };
struct error_rule {
	struct cond *when;
	enum call_class class;
	int64_t retry_after_ms;   /* -1: not said */
	struct expr *retry_after; /* goes before it, where it is there */
	enum wait_unit retry_after_unit;
	const char *text;  /* for people, in place of the answer; or NULL */
	struct expr *says; /* what is told of the answer, in place of how it begins; or NULL */
	/* What the answer names, or NULL: what is there already and may be changed instead, and the
	 * field whose value is not taken, where the rest may be. */
	struct expr *id, *field;
	const json_t *when_json; /* as written, for people */
};
/* How much of what is allowed is used up: of a limit so many used, or so many that remain. */
struct pace_rule {
	struct expr *used, *limit, *remaining, *reset_ms;
};
enum answer_kind { ANSWER_JSON, ANSWER_CSV, ANSWER_TEXT, ANSWER_NONE, ANSWER_BYTES };
struct answer_wish {
	enum answer_kind kind;
	bool must_exist;
	int64_t max_bytes;       /* 0: LIMIT_HTTP_ANSWER */
	struct cond *empty_when; /* an answer without a list is one of no items */
};
enum paging_kind {
	PAGING_CURSOR,
	PAGING_OFFSET,
	PAGING_PAGE,
	PAGING_LAST_ITEM,
	PAGING_NEXT_URL,
	PAGING_LINK,
	PAGING_SINGLE /* there is one page */
};
struct paging {
	bool is_declared;
	enum paging_kind kind;
	struct expr *items;
	struct expr *cursor; /* also the id of the last item, or the next URL */
	struct cond *more;
	const char
	    *input; /* the input that takes the cursor; NULL: it is a URL (PAGING_CURSOR_INPUT) */
	int64_t first; /* offset or page */
	struct expr *count, *total;
	const char *rel;
	struct expr *token; /* for the next round of a poll: on the last page only */
};
/* The input by which pages are asked for whose cursor is a URL. */
#define PAGING_CURSOR_INPUT "cursor"
enum form_style { FORM_JSON, FORM_BRACKETS, FORM_REPEAT };
struct action {
	const char *name, *label, *help;
	bool is_hidden; /* of the engine alone: people neither see nor run it */
	struct input_spec *inputs;
	size_t ninputs;
	const char **needs; /* credentials */
	size_t nneeds;
	struct expr *method, *url, *path, *extra_headers, *json, *form, *text;
	struct named_expr *query, *headers;
	size_t nquery, nheaders;
	enum form_style form_style;
	int64_t timeout_ms; /* 0: the manifest's */
	bool is_unsigned;   /* it carries no credentials */
	const struct auths *auths;
	struct answer_wish answer;
	struct expr *output;
	struct expr *success_when; /* gives the condition, or nothing */
	struct paging paging;
	struct error_rule *errors;
	size_t nerrors;
	struct pace_rule *pace; /* instead of the manifest's */
	size_t npace;
};
/* What all actions send, unless they name it themselves. */
struct request_defaults {
	struct named_expr *query, *headers;
	size_t nquery, nheaders;
	int64_t timeout_ms;
};
struct details {
	const char *resource_type, *action;
	struct expr *record, *updated_at;
	/* Many at a time, by a list action that takes their "ids"; NULL: one by one. */
	const char *batch_action;
	int64_t batch_max;
	struct expr *batch_key; /* the id, over an item */
};
/* Many records in one call. */
struct batch_result_rule {
	struct loops loops;
	struct expr *key;
	bool is_by_position;
	struct cond *ok, *alone; /* alone: what failed may be mended in a call of its own */
	struct expr *id, *error, *class;
};
struct batch {
	const char *name, *action;
	int64_t max;
	struct cond *when;                        /* it takes a record; NULL: any */
	struct expr *size, *unique, *input, *key; /* size: at most max; unique: once in a call */
	struct batch_result_rule *results;
	size_t nresults;
};
/* The fields of what leads become there, as the destination tells them (push-fields.c). */
struct push_fields {
	const char *action; /* NULL: it does not tell */
	struct loops loops;
	struct expr *name, *label, *help, *type, *values, *length;
	struct cond *is_needed, *is_read_only, *is_closed;
};
/* What an action lists, as values for inputs. */
struct value_list {
	const char *name;
	const struct action *action;
	json_t *inputs; /* as written, or NULL */
	struct expr *value, *label;
};
/* The forms whose leads a connection may have, and how those are listed. */
struct forms {
	const char *action; /* NULL: none are declared */
	struct expr *id, *name, *status, *country, *count;
	const char *one_action, *one_input; /* how one of them is asked for; NULL: it is not */
	const char *leads_action, *leads_input, *leads_since;
};

/* ---- polls (poll.h) ------------------------------------------------------------------------ */
enum poll_kind { POLL_TIME, POLL_TOKEN, POLL_WINDOW, POLL_KEYSET, POLL_EXPORT, POLL_NONE };
/* An action, and what its inputs are given; action NULL: none. */
struct call_spec {
	const struct action *action;
	struct named_expr *inputs;
	size_t ninputs;
};
/* A file is begun to be made, and asked after until it is ready; the poll's own action fetches it.
 */
struct poll_export {
	struct call_spec start, wait;
	struct cond *until, *failed;
	int64_t every_ms, at_most; /* times that it is asked */
};
/* How a round knows what is new: the members that its kind has. */
struct poll_cursor {
	enum poll_kind kind;
	const char *input;                  /* time, token: that takes it */
	const char *from, *to, *id_after;   /* window, keyset: inputs */
	struct expr *format;                /* of times as the inputs take them; NULL: ISO */
	int64_t overlap_s, max_span_s, cap; /* cap 0: none */
	bool is_exclusive;                  /* time: the provider leaves out that very time */
	struct expr *value;                 /* token, of the last page */
	struct cond *reset_when;            /* token: it is good no more */
	struct poll_export export;
};
struct poll_spec {
	const char *name, *label;
	struct call_spec call;
	bool is_of_forms;   /* a round each for all forms of the connection */
	const char **needs; /* credentials */
	size_t nneeds;
	struct expr *items; /* NULL: output.items */
	struct expr *external_id, *updated_at, *data;
	const char *resource_type;
	struct cond *erase;
	bool has_lead;
	struct lead_rule lead;
	int64_t interval_s, start_days, history_days;
	struct {
		const char *input; /* NULL: none */
		int64_t size;
	} page;
	struct poll_cursor cursor;
	/* Of those that people describe (poll_spec_of_wish), else NULL: where the items and the
	 * token are, values for the action's inputs. */
	const struct path *items_path, *cursor_path;
	const json_t *given;
};

/* ---- subscriptions (subscription.h) -------------------------------------------------------- */
struct subscription_spec {
	const char *name, *label;
	bool is_of_forms;  /* one of each of the connection's forms */
	struct cond *when; /* over the settings */
	struct call_spec list, create, renew, remove;
	struct call_spec secret_from;                   /* what tells its secrets, once of each */
	struct expr *items, *item_id, *item_expires_at; /* of the list; items NULL: output.items */
	struct cond *match;                             /* the item that is it */
	struct expr *id, *expires_at;                   /* of what create and renew give */
	struct expr *data;                              /* to be kept for the other calls */
	int64_t renew_before_s;
	const char **credentials; /* that its calls send as values */
	size_t ncredentials;
	const char *generates;      /* a credential that is made up where there is none; or NULL */
	struct named_expr *secrets; /* credentials that its creation tells */
	size_t nsecrets;
};

/* ---- leads -------------------------------------------------------------------------------- */
struct lead_name {
	const char *field; /* compared without case */
	const char *to;    /* a member of the normalized form; NULL: kept raw only */
};
struct lead_group { /* a list of fields */
	struct loops loops;
	struct expr *name, *value;
};
struct lead_rules {
	bool is_declared;
	struct lead_group *groups; /* lists of fields … */
	size_t ngroups;
	struct expr *object; /* … or an object of them */
	struct lead_name *names;
	size_t nnames;
	struct expr *form_id, *ad_id, *campaign_id, *created_at;
	struct cond *lacks_when; /* over settings: without lacks_setting nothing becomes a lead … */
	const char *lacks_setting; /* … and connections say so; NULL: there is no such setting */
};

/* ---- connecting, step by step --------------------------------------------------------------- */
struct guide_step {
	struct cond *when; /* over the settings */
	const char *title, *link, *link_label;
	struct expr *text;   /* over the settings */
	const char **fields; /* "credentials.KEY", "settings.KEY" */
	size_t nfields;
	bool shows_address; /* the webhook address */
};
enum guide_wait_kind { GUIDE_EVENT, GUIDE_HANDSHAKE, GUIDE_POLL, GUIDE_SUBSCRIPTION };
struct guide_wait {
	const char *title, *text;
	enum guide_wait_kind kind;
};
struct guide_preset {
	const char *name, *label, *help;
	json_t *settings;
	const char **generates; /* besides those of the guide */
	size_t ngenerates;
};
struct guide {
	struct guide_step *steps; /* none: the plain form */
	size_t nsteps;
	struct guide_wait *waits; /* what is to come once it is connected */
	size_t nwaits;
	struct guide_preset *presets;
	size_t npresets;
	const char **generates; /* credentials that are made up here and given to the sender */
	size_t ngenerates;
};

struct oauth;
struct provider {
	const char *name, *display_name, *category, *help, *file;
	bool is_available, requires_oauth, has_webhook;
	const char **capabilities;
	size_t ncapabilities;
	struct credential_spec *credentials;
	size_t ncredentials;
	struct credential_spec *app_credentials; /* of the app at the provider, named "app.KEY" */
	size_t napp_credentials;
	struct credential_rule *credential_rules;
	size_t ncredential_rules;
	struct setting_spec *settings;
	size_t nsettings;
	const char *version;     /* of the provider's API: {version}; NULL: none is declared */
	int64_t version_ends_us; /* TIME_NONE: nobody knows */
	struct expr *origin;
	const char **origin_patterns; /* of origins that come from answers */
	size_t norigin_patterns;
	struct auths auths;
	bool asks_sign_in; /* settings.auth decides how calls sign in */
	struct request_defaults defaults;
	struct pace_rule *pace;
	size_t npace;
	enum body_kind body;
	struct signature *signatures;
	size_t nsignatures;
	struct handshake *handshakes;
	size_t nhandshakes;
	struct account_rule *accounts;
	size_t naccounts;
	struct ignore_rule *ignored;
	size_t nignored;
	struct item_rule *items;
	size_t nitems;
	struct answer_spec *answers; /* its own to a 200; none: ours */
	size_t nanswers;
	int64_t webhook_bytes; /* the longest body that it sends */
	struct action *actions;
	size_t nactions;
	struct details *details;
	size_t ndetails;
	struct batch *batches;
	size_t nbatches;
	struct forms forms;
	struct value_list *lists;
	size_t nlists;
	const char *test_action;
	struct error_rule *errors;
	size_t nerrors;
	struct lead_rules lead;
	struct expr *push_body; /* what a lead becomes without a mapping; NULL: crm's own names */
	json_t *push_names;     /* the same as [{"from","to"}], where it can be told so; or NULL */
	const char *pushed_as;  /* the type of record that a lead becomes there; or NULL */
	json_t *push_needed;    /* names that are filled whatever a mapping says; or NULL */
	struct push_fields push_fields;
	struct guide guide;
	struct oauth *oauth; /* provider/oauth.h; NULL: it has none */
	struct poll_spec *polls;
	size_t npolls;
	struct subscription_spec *subscriptions;
	size_t nsubscriptions;
	json_t *examples; /* as written, for provider_check */
};

/* How manifests name a credential of the app. */
#define APP_CREDENTIAL "app."
/* Its label within a sentence: "app secret", but "API key". */
const struct credential_spec *manifest_credential(const struct provider *p, const char *key);
const char *manifest_credential_words(struct arena *a, const struct provider *p, const char *key);
bool manifest_has_setting(const struct provider *p, const char *key);
/* Is it declared, whether the connection's or, "app.KEY", the app's? */
bool manifest_has_credential(const struct provider *p, const char *key);
bool credential_names_have(const struct credential_names *names, const char *key);

/* ---- what others ask of actions ------------------------------------------------------------ */

const struct action *provider_find_action(const struct provider *p, const char *name);
/* The same of those that people may run. */
const struct action *provider_find_open_action(const struct provider *p, struct str name);
/* What an action takes (input.c): complains of each that is none of its inputs, of the wrong type
 * or missing, at its name; 0, -1. */
int action_check_inputs(const struct action *act, const json_t *inputs, struct json_reader *in);
/* May it change something at the provider, going by its method? */
bool action_writes(struct arena *a, const struct action *act);
#endif
