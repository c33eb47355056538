/* One account's credentials for one provider. */
#ifndef CONNECTION_CONNECTION_H
#define CONNECTION_CONNECTION_H
#include "base/word.h"
#include "db/personal.h"
#include "provider/provider.h"

/* The provider of what nobody sent; and what people read as the source of its leads, which come by
 * POST /leads and by its form. */
#define PROVIDER_MANUAL "manual"
#define LEAD_BY_HAND "By hand or API"

#define CONNECTION_ACTIVE "active"
#define CONNECTION_EXPIRED "expired"
#define CONNECTION_ERROR "error"       /* its calls fail; it still receives, and is still tried */
#define CONNECTION_DISABLED "disabled" /* by people */
extern const struct word connection_statuses[]; /* best first */

/* What of a connection cannot be opened, since its key is missing: its own credentials, the app
 * that it goes by, its login. */
enum connection_shut { SHUT_CREDENTIALS = 1, SHUT_APP = 2, SHUT_LOGIN = 4 };

struct connection {
	struct uuid id, account_id;
	const struct provider *provider;
	const char *provider_type, *name, *status;
	struct access access; /* what the provider's engine is handed of it */
	bool is_unreadable;   /* what is stored of its settings: they are shown as none */
	bool auto_push;       /* leads of it, or to it, are pushed by themselves */
	int64_t created_us, updated_us, last_used_us;
	int64_t received_us, handshake_us; /* the last that verified, to the minute; 0: none did */
	int64_t ended_us; /* when its provider said that it has ended it; 0: it has not */
	/* The last check of its address that it did not pass, and why; 0 and NULL: none. */
	int64_t challenge_failed_us;
	const char *challenge_error;
	unsigned shut; /* of connection_shut: what is not here, since it cannot be opened */
	const char *last_error;
	bool push_failed; /* that is of a push, and none has passed since */
	const char
	    *routing; /* JSON of the feature that pushes leads (crm/crm-route.h); NULL: none */
	struct uuid app_id;    /* the app that it goes by; nil: none */
	struct uuid app_named; /* the one that it was made with; nil: none */
	int64_t
	    proven_us; /* when the provider said that external_account_id is its own; 0: never */
	/* Its tokens, where a login gave them. They are among access.credentials, unless it has its
	 * own of that name, and are sealed with the grant alone. */
	struct {
		struct uuid id; /* nil: none */
		json_t *tokens;
		int64_t expires_us; /* of the access token; 0: untold */
		int64_t ends_us;    /* of all of it, unless people log in again; 0: untold */
		int64_t dead_us;    /* 0: it lives */
		const char *error;  /* of the last refresh, or NULL */
	} grant;
	int64_t app_updated_us, grant_updated_us;
};
/* What the engine takes; NULL of NULL. */
static inline const struct access *connection_access(const struct connection *c)
{
	return c == NULL ? NULL : &c->access;
}

/* Any status; account_id checked when not NULL. 1, 0, -1. Memory of a. */
int connection_get(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct connection **out, struct err *err);
/* The same, also of one that cannot be opened, as far as it can (shut): for what shows it, and for
 * what gives it new credentials. Such a one is never called with, and verifies nothing.
 * ERR_CONFLICT, for people: its provider has no manifest, or a wrong one. */
int connection_get_shown(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct connection **out, struct err *err);
/* As connection_get_shown, also of one whose provider has no manifest: the provider is NULL. */
int connection_get_told(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct connection **out, struct err *err);
/* What of the credentials an action needs was never given, in words: "private-app token". NULL: all
 * is there, or it comes and goes with a login, or cannot be opened. */
const char *connection_lacks(struct arena *a, const struct connection *c, const char *action);
/* Have its credentials or settings been changed, or has it gone, since c was read? Then what failed
 * with c says nothing, and the next connection_recent is as it is now. Within a transaction it
 * stays as it is until its end: a job that is put back for a later time and new credentials, which
 * bring such jobs forward, do not miss each other. 1, 0, -1. */
int connection_was_changed(
    struct app *app, struct arena *a, const struct connection *c, struct err *err);
/* As connection_get, for jobs, opened once for many of them: as this host left it, and perhaps as
 * it was on another a second ago (CACHE_TTL_US). */
int connection_recent(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct connection **out, struct err *err);
/* Cached look-ups for the intake path (process memory, CACHE_TTL_US and audit_caches_generation):
 * the result lives until the next request at least: see connection_cache_release. Every connection
 * but the disabled: one whose calls fail ("error", "expired") still receives. 1, 0, -1. */
int connection_cached(
    struct app *app, const struct uuid *id, struct connection **out, struct err *err);
/* All such of a provider with an external account id: any account may name it, so each is to be
 * verified. One whose credentials cannot be opened is among them (shut), and costs the others
 * nothing. */
int connection_cached_by_external(struct app *app, const struct provider *p, struct str external,
    struct connection ***out, size_t *n, struct err *err);
/* Those of a provider but the disabled, of every account, newest first: some before an id, which is
 * moved to the last of them. For who looks for one that a request verifies for. 1, 0 there are no
 * more, -1. */
int connection_slice_of_provider(struct app *app, struct arena *a, const struct provider *p,
    struct uuid *before, struct connection ***out, size_t *n, struct err *err);
/* Within a transaction: stores how leads are routed to it; {NULL,0}: no longer. Caches are for the
 * caller to drop. */
int connection_set_routing(struct db *db, const struct uuid *account_id, const struct uuid *id,
    struct str routing, struct err *err);
/* Its provider has ended what it calls with: it is expired, with the reason, until somebody
 * connects it anew, whatever calls still work; with a row of the audit log. One that is disabled,
 * ended before or gone stays as it is. */
int connection_expire(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, const char *reason, struct err *err);
/* Notes that its sender has signed with a scheme that makes others outdated: from then on, on every
 * host within CACHE_TTL_US, those are refused. A fault is logged, and nobody who holds the row is
 * waited for: the next such request notes it. */
void connection_note_strict(struct app *app, struct arena *a, const struct connection *c);
/* Frees cached connections that were replaced or evicted while the last request may have used them:
 * called between requests. Without it they go a minute later. */
void connection_cache_release(void);
/* Connections of an account, but the disabled, that can do capability, e.g. "crm_push"; one in
 * "error" is still tried. Each as connection_recent has it. */
int connection_list_capable(struct app *app, struct arena *a, const struct uuid *account_id,
    const char *capability, struct connection ***out, size_t *n, struct err *err);
/* Of those that can take leads, the ones that have what that needs (connection_lacks). */
int connection_list_destinations(struct app *app, struct arena *a, const struct uuid *account_id,
    struct connection ***out, size_t *n, struct err *err);
/* The account's connections to a provider, but the disabled: *n of them, without credentials. */
int connection_list_of(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct provider *p, struct connection ***out, size_t *n, struct err *err);
/* How many connections the account has to each provider that it has any to: {"stripe": 2}. */
int connection_counts(struct req *r, json_t **out, struct err *err);
/* {"name","providerType","lastError","lastUsedAt"} of each connection of the account by its id's
 * text, as they are stored now; arena-owned. */
int connection_names(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err);
/* Notes that a request, or a handshake, has verified for it: the first of each minute on each host,
 * so that a busy source is no hot row. No reason to fail what came: it logs; and it waits for
 * nobody who holds the row: then the next one notes it. */
void connection_note_received(
    struct app *app, struct arena *a, const struct connection *c, bool is_handshake);
/* Notes why it did not pass a check of its address by its sender, for who sets it up; in the same
 * way, a few times a minute at most, since a stranger decides how many there are. */
struct connection_challenge {
	const struct connection *c;
	const char *reason;
};
void connection_note_challenge(
    struct app *app, struct arena *a, const struct connection_challenge *failed);
/* What people do to a connection of the request's account, each in a transaction of its own with
 * its row of the audit log; from the moment it returns every worker of this host goes by it. */
/* Creates from a connect body {name,credentials,settings}, checked against the manifest (needed
 * credentials, known settings, URL by the egress rules). ERR_INVALID naming the field. */
int connection_add(struct req *r, const struct provider *p, const json_t *body,
    struct connection **out, struct err *err);
/* The same under an id that was reserved for it; NULL: a new one. ERR_CONFLICT when it is taken. */
int connection_add_as(struct req *r, const struct provider *p, const struct uuid *id,
    const json_t *body, struct connection **out, struct err *err);
/* Changes by a PATCH body (name, status active or disabled, settings and credentials merged),
 * checked like a new one. A changed inbound secret leaves the old one good for secretGraceHours
 * (as configured, unless given); given alone it is how long from now the former ones are: 0 ends
 * them. 1, 0 (no such), -1. */
int connection_change(struct req *r, const struct uuid *id, const json_t *body,
    struct connection **out, struct err *err);
/* Removes one with its credentials; p NULL: of any provider. 1, 0 (no such), -1. */
int connection_remove(
    struct req *r, const struct provider *p, const struct uuid *id, struct err *err);
/* Removes all of a provider. */
int connection_remove_all(struct req *r, const struct provider *p, struct err *err);
/* A setting of the type "template" is checked by hooks.connection_template, of the feature that
 * uses it: ERR_INVALID whose field is the place within the template, "" for the whole. */
/* The API's object:
 * {id,providerType,name,status,autoPush,webhookUrl,externalAccountId,settings,createdAt,
 * lastUsedAt,lastError}; of one that was read with its credentials also formerSecrets,
 * [{credential,until}]. */
json_t *connection_json(const struct connection *c);

/* Test: the manifest's test action, or for custom_crm a request to its URL:
 * {"ok","latencyMs","detail"}. *proves: the answer shows that what is sent there would be taken, as
 * one that is no success does not, even where it is a good sign. */
json_t *connection_test(struct app *app, struct arena *a, struct connection *c, bool *proves);

/* Handlers (product/routes.def). */
int connection_api_status(struct req *r);     /* GET /providers/:type/status */
int connection_api_connect(struct req *r);    /* POST /providers/:type/connect */
int connection_api_disconnect(struct req *r); /* DELETE /providers/:type/disconnect */
int connection_api_list(struct req *r);
int connection_api_get(struct req *r);
int connection_api_update(
    struct req *r); /* name, status active|disabled, settings, credentials (merged) */
int connection_api_delete(struct req *r);
int connection_api_test(struct req *r);
int proxy_api_call(struct req *r);   /* POST /proxy/:providerType */
int actions_api_list(struct req *r); /* GET /actions */
int actions_api_run(struct req *r);  /* POST /providers/:providerType/actions/:actionName */
/* Where connections name people (db/personal.h). */
extern const struct personal_table connections_personal_table;
#endif
