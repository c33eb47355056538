/* What the files of the login share. */
#ifndef CONNECTION_OAUTH_INTERNAL_H
#define CONNECTION_OAUTH_INTERNAL_H
#include "connection/connection-internal.h"
#include "connection/oauth.h"

#define LOGIN_COOKIE "connect_login"
#define LOGIN_LIFE_S 900   /* from the first click to the callback */
#define CHOICE_LIFE_S 3600 /* from the callback to the choice */

/* The address that providers send browsers back to. */
const char *oauth_redirect_uri(struct arena *a, const struct config *cfg, const struct provider *p);
/* The provider of the address that people can log in at, or NULL after answering. */
const struct provider *oauth_provider_of_route(struct req *r);
/* state: the id of the login and its end, sealed: so that one of ours is told from any other text,
 * and one that is over from one that was used. */
bool login_state_parse(struct req *r, struct str state, struct uuid *id, int64_t *expires_us);
/* Is this the browser that began it? */
bool login_is_of_browser(struct req *r, const struct oauth_login *l);

/* A page about a login that came to nothing: what happened, what was kept, what to do. text may be
 * NULL. again: with a button that begins anew. */
int oauth_problem(struct req *r, int status, const struct provider *p, const char *heading,
    const char *text, bool again);

/* What a login brought, once it is whole. */
struct oauth_found {
	const struct provider *provider;
	struct grant *grant;  /* new: not stored; else locked anew and given its tokens */
	bool grant_is_stored; /* by the page on which people choose */
	const json_t *answer; /* of the exchange */
	/* [{externalAccountId|null, name|null, accessToken?, settings?}] */
	json_t *items;
	bool is_proved;            /* externalAccountId is the provider's word */
	struct uuid connection_id; /* it is logged in again; nil: a new one */
	struct uuid login_id;      /* ended with it, where people chose; nil: ended before */
};
/* Makes or renews the connections, each with its row of the audit log, in one transaction. *id: of
 * the first. ERR_CONFLICT where another account has one of them, or the login is of another account
 * at the provider than the connection; ERR_INVALID where its settings do not do. */
int oauth_store(struct req *r, struct oauth_found *f, struct uuid *id, struct err *err);
/* Leads to where the login was to end. */
int oauth_leave(
    struct req *r, const char *redirect, const struct provider *p, const struct uuid *id, size_t n);
#endif
