/* The played providers: what all of them share, and what each file play-NAME.c says of its own.
 *
 *	/PROVIDER[/HOST]/PATH  ->  struct play  ->  a row of its table of routes  ->  handler
 *
 * HOST is the provider's own (connect.conf(5), provider_origins), so that one that has several
 * hosts is played whole. Links in answers are what the real one would give, https://HOST/…, or the
 * sandbox's own where no host was named.
 *
 * A call that may change something runs under the store's lock, so that what a handler reads and
 * writes is one act; what went wrong with the store makes the answer a 500 of the sandbox itself.
 */
#ifndef SANDBOX_PLAY_H
#define SANDBOX_PLAY_H

#include "base/clock.h"
#include "sandbox/sandbox.h"
#include "sandbox/store.h"

struct play;
struct play_oauth;

/* One call of a provider's API. */
struct play_call {
	struct req *r;
	struct arena *a;
	struct sandbox *s;
	const struct play *play;
	struct str host, path; /* host absent: the call named none; path from its first slash */
	struct http_pairs form, params;
	json_t *body;         /* of JSON, else NULL */
	const json_t *bearer; /* the row of the token that came; NULL on open routes */
	struct err err;       /* of the store; the first one counts */
};

/* Why a call is refused; each provider has its own words and bodies for it. */
enum refusal {
	REFUSE_NO_TOKEN, /* none, or none that is known */
	REFUSE_EXPIRED,
	REFUSE_THROTTLED,
	REFUSE_FORBIDDEN,
	REFUSE_NOT_FOUND,
	REFUSE_INVALID,
	REFUSE_BROKEN, /* its own trouble */
};

struct play_route {
	enum http_method method;
	const char *pattern; /* "/v2/users/:id": :name is a segment, a last * all that follow */
	int (*handler)(struct play_call *c);
	bool is_open; /* no token is asked for */
};

/* What can be sent to the product, for pages and scripts. */
struct order;
struct play_event {
	const char *name, *label;
	/* Fills body (or fields), content type and what else is signed; -1 with o->err. */
	int (*make)(struct order *o);
};

enum switch_kind { SWITCH_FLAG, SWITCH_NUMBER, SWITCH_TEXT };
struct play_switch {
	const char *name;
	enum switch_kind kind;
	const char *label; /* what happens when it is on */
};

/* A credential or setting by which the product connects. */
struct play_value {
	const char *key, *value;
};

struct play {
	const char *name, *label;
	const char *account; /* the external account id of what it plays */
	const char *secret;  /* of its webhooks, or of its app where that one signs */
	const char *site;    /* its host, where each customer has one of his own; or NULL */
	const struct play_value *values; /* those that are not the usual ones (play-connect.c) */
	size_t nvalues;
	const struct play_route *routes;
	size_t nroutes;
	const struct play_oauth *oauth; /* NULL: none */
	const struct play_event *events;
	size_t nevents;
	void (*sign)(struct order *o); /* adds the headers that prove the sender */
	const struct play_switch *switches;
	size_t nswitches;
	/* The token of a call; absent: none. NULL: a bearer token. */
	struct str (*token)(const struct play_call *c);
	/* Answers in the provider's way; text may be NULL. */
	int (*refuse)(struct play_call *c, enum refusal why, const char *text);
	/* Headers of every answer, such as those of limits; may be NULL. */
	void (*headers)(struct play_call *c);
	void (*seed)(struct play_call *c); /* the first rows */
};
extern const struct play play_meta, play_google_ads, play_linkedin, play_tiktok, play_hubspot,
    play_salesforce, play_calendar, play_twilio, play_zoom, play_slack, play_whatsapp, play_stripe,
    play_shopify, play_zendesk;
extern const struct play *const plays[];
extern const size_t nplays;
const struct play *play_find(struct str name);

#define PLAY_ROUTES(list) .routes = (list), .nroutes = sizeof(list) / sizeof((list)[0])
#define PLAY_EVENTS(list) .events = (list), .nevents = sizeof(list) / sizeof((list)[0])
#define PLAY_VALUES(list) .values = (list), .nvalues = sizeof(list) / sizeof((list)[0])
#define PLAY_SWITCHES(list) .switches = (list), .nswitches = sizeof(list) / sizeof((list)[0])

int play_handle(struct req *r); /* every address that the sandbox's own table has not */
/* A call of the sandbox itself in the name of a provider: for seeds and orders. */
struct play_call play_call_inside(struct sandbox *s, struct arena *a, const struct play *p);
/* Fills the store where nothing was written yet. */
int play_seed_all(struct sandbox *s, struct err *err);
/* Forgets all that was written, and seeds anew. */
int play_reset(struct sandbox *s, struct err *err);

/* Does the path fit the pattern? Sets c->params. A slash at the path's end is nothing. */
bool play_path_fits(struct play_call *c, const char *pattern);

/* ---- what came (play-call.c) ---------------------------------------------------------------- */
struct str play_param(const struct play_call *c, const char *name);
/* An argument of the query, the form or the JSON body (there a scalar); {NULL,0} when absent. */
struct str play_arg(const struct play_call *c, const char *name);
const char *play_text(const struct play_call *c, const char *name); /* NULL when absent or empty */
/* The same as a number within 1 … most; `otherwise` when it is none. */
int64_t play_number(const struct play_call *c, const char *name, int64_t otherwise, int64_t most);
const char *play_header(const struct play_call *c, const char *lower_name); /* or NULL */
struct str play_bearer_token(const struct play_call *c);
struct str play_basic_pair(const struct play_call *c); /* "user:password" of Basic */

/* ---- what is there -------------------------------------------------------------------------- */
json_t *play_get(const struct play_call *c, const char *kind, struct str id); /* or NULL */
/* Steals the row; returns it. All rows are arena-owned, as they are when they are read. */
json_t *play_put(struct play_call *c, const char *kind, const char *id, json_t *row);
void play_drop(struct play_call *c, const char *kind, struct str id);
/* The rows that pass (all without `passes`), in the order of their making; arena-owned. */
typedef bool play_filter(const struct play_call *c, const json_t *row, const void *arg);
json_t *play_rows(struct play_call *c, const char *kind, play_filter *passes, const void *arg);
/* The first row whose member is that text, or NULL. */
json_t *play_row_by(const struct play_call *c, const char *kind, const char *member, struct str is);
/* The same by a member of its object `within`, in any case of the letters. */
json_t *play_row_within(const struct play_call *c, const char *kind, const char *within,
    const char *member, struct str is);
/* Do CRMs take it for an email address? Not without an @, nor of the domain that none is of. */
bool play_email_is_taken(const char *email);
/* Sorted by a member: numbers and texts that are numbers as such. */
void play_sort(struct play_call *c, json_t *rows, const char *member, bool is_descending);
/* A number that no id of this provider has yet, above `from`. */
int64_t play_next_number(struct play_call *c, int64_t from);
/* `prefix` and random letters, to n bytes. */
const char *play_random(struct play_call *c, const char *prefix, size_t n);

/* ---- pages of lists ------------------------------------------------------------------------- */
struct play_page {
	json_t *items; /* a new reference */
	int64_t next;  /* where the next page begins; 0: there is none */
};
/* At most `limit` rows from place `start` on. The switches page_size and repeat_cursor act here. */
struct play_page play_page(struct play_call *c, json_t *rows, int64_t start, int64_t limit);
/* A place as an opaque cursor, and back; -1 for what is none. */
const char *play_cursor(const struct play_call *c, int64_t place);
int64_t play_cursor_place(struct str cursor);
/* An address of this provider, as a link in an answer: https://HOST/path. */
const char *play_link(const struct play_call *c, const char *path);

/* ---- answers -------------------------------------------------------------------------------- */
int play_json(struct play_call *c, int status, json_t *value); /* steals */
int play_refuse(struct play_call *c, enum refusal why, const char *text);

/* ---- switches (play-switch.c) --------------------------------------------------------------- */
bool play_is(const struct play_call *c, const char *name);
int64_t play_switch_number(const struct play_call *c, const char *name, int64_t otherwise);
const char *play_switch_text(const struct play_call *c, const char *name); /* NULL: not set */
/* Of `limit` calls those that are used, as the switch usage has it; else 1. */
int64_t play_used(const struct play_call *c, int64_t limit);
/* A number that counts down to 0 with each use: true while it is above. */
bool play_switch_use(struct play_call *c, const char *name);
/* All of a provider: {"switches":[{name,kind,label,value}]}; a new reference. */
json_t *switches_list(const struct play_call *c);
/* Sets those that `values` names, null takes one back; ERR_INVALID on the name of another. */
int switches_set(struct play_call *c, const json_t *values, struct err *err);

/* ---- logins (play-oauth.c) ------------------------------------------------------------------ */
enum oauth_flag {
	OAUTH_ROTATES = 1, /* a refresh gives a new refresh token, and the former is dead … */
	OAUTH_KEEPS_FORMER = 2, /* … or lives until the new one is used */
	OAUTH_TELLS_SAME = 4,   /* it does not rotate, but is told again */
	OAUTH_ENDS_ACCESS = 8,  /* a refresh ends the former access token */
	OAUTH_BASIC = 16,       /* the client says who it is by Basic alone */
	OAUTH_NO_REFRESH = 32,  /* there are no refresh tokens */
	OAUTH_CLIENT_GRANT = 64 /* client_credentials too */
};
struct oauth_grant {
	const char *access, *refresh; /* refresh NULL: none is told */
	int64_t expires_s, refresh_s; /* 0: it never ends, or it is not told */
	const char *scope, *account, *family;
	bool is_refresh; /* it was asked for by a refresh token */
};
struct play_oauth {
	const char *authorize, *token, *revoke;       /* patterns; NULL: not there */
	const char *client_id, *client_secret, *code; /* names of parameters; NULL: the usual */
	unsigned flags;
	int64_t expires_s, refresh_s; /* 0: never, and not told */
	/* May there be a refresh token? authorization: what was asked for at the login, NULL where
	 * there was none. NULL: yes. */
	bool (*may_refresh)(const struct play_call *c, const json_t *authorization);
	void (*adjust)(struct play_call *c, struct oauth_grant *g); /* before it is kept; or NULL */
	/* Its own answer to a grant, and refusal (words of RFC 6749); NULL: the usual ones. */
	int (*answer)(struct play_call *c, const struct oauth_grant *g);
	int (*refuse)(struct play_call *c, const char *error, const char *text);
	/* Writes the query of the callback; state may be NULL. NULL: the usual one. */
	void (*callback)(
	    struct play_call *c, const char *code, const char *state, struct buf *query);
	/* A grant of its own: 1 answered (*rc), 0 not one. Or NULL. */
	int (*grant)(struct play_call *c, int *rc);
};
/* The app that every played provider knows; others are "sandbox-client-2" and so on. */
#define OAUTH_CLIENT "sandbox-client"
#define OAUTH_SECRET_END "-secret"
#define OAUTH_SECRET OAUTH_CLIENT OAUTH_SECRET_END
/* Answers a call of the login's addresses: 1 it was one (*rc is the handler's), 0 not. */
int oauth_handle(struct play_call *c, int *rc);
/* Is it the token endpoint? Its faults have a target of their own. */
bool oauth_is_token(struct play_call *c);
/* Makes a token that calls are let in with until a time, or for ever (0). */
void oauth_token_put(struct play_call *c, const char *token, const char *account, int64_t ends_us);
/* Makes and keeps the tokens of a grant; its refresh token, where it is to have one, was made
 * before. */
void oauth_make(struct play_call *c, struct oauth_grant *g);
const char *oauth_refresh_make(struct play_call *c);
/* The same, and answers with them. */
int oauth_give(struct play_call *c, struct oauth_grant *g);
/* Ends a token and all of its family: false when it is not known. */
bool oauth_revoke(struct play_call *c, struct str token);
/* The usual answer's object, without what is not told; a new reference. */
json_t *oauth_answer_json(const struct oauth_grant *g);

/* ---- webhooks to order (play-order.c) ------------------------------------------------------- */
struct order {
	struct play_call c;   /* for its store, switches and arena */
	const json_t *wishes; /* what the caller says of it: members of the event; or NULL */
	const char *secret;
	const char *method;
	const char *url,
	    *signed_url; /* where it goes; what a scheme that signs the URL takes it for */
	struct str body;
	json_t *fields; /* of a form, in order, when the body is made of them */
	const char *content_type;
	struct http_pair headers[16];
	size_t nheaders;
	int64_t now_us;
	const char *expects; /* what the answer must hold, of a challenge; or NULL */
};
void order_header(struct order *o, const char *name, const char *value);
void order_json(struct order *o, json_t *body); /* steals */
const char *order_wish(const struct order *o, const char *name, const char *otherwise);
int64_t order_wish_number(const struct order *o, const char *name, int64_t otherwise);
/* The handler of POST /sandbox/api/events and its page share it: makes, signs and sends;
 * {"sent":[{status,body,duration_ms}]}, a new reference, or NULL with err. */
json_t *order_send(struct sandbox *s, struct arena *a, const json_t *order, struct err *err);

/* ---- connections at the product (play-connect.c) --------------------------------------------- */
/* Makes an app and a connection for each played provider that the product at url knows and that has
 * none whose name begins with "Sandbox": {provider: id}, a new reference. What was refused is told
 * on standard error, and costs no other. NULL with err when the product cannot be asked. */
json_t *play_connect_all(
    struct sandbox *s, struct arena *a, const char *url, const char *key, struct err *err);

/* ---- all calls that came (play-log.c) ------------------------------------------------------- */
struct play_log *play_log_new(struct arena *a, const char *dir);
void play_log_add(const struct play_call *c, const char *fault);
/* {"data":[newest first],"count":n}; a new reference. Absent provider: all. */
json_t *play_log_list(
    struct sandbox *s, struct arena *a, struct str provider, struct str path, size_t limit);
int play_log_clear(struct sandbox *s, struct err *err);

#endif
