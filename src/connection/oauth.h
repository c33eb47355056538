/* Logging in at a provider in the browser, and what is made of it: docs/internals/oauth.md. */
#ifndef CONNECTION_OAUTH_H
#define CONNECTION_OAUTH_H
#include "connection/grant.h"

/* What the connect page shows of it, into data: has_oauth, oauth_ready (there is an app),
 * oauth_apps[], oauth_fields[], oauth_href, oauth_name, is_oauth_alone; may_add_app,
 * oauth_app_href. */
int oauth_show(struct req *r, const struct provider *p, json_t *data, struct err *err);

/* Where a connection is logged in again; NULL: it has no login. */
const char *oauth_again_href(
    struct arena *a, const struct app *app, const char *provider_type, const char *id);
/* What a connection's page shows of its login: is_expired, expired_why, again_href, has_login,
 * refresh_error, token_until, login_ends, ends_soon. */
void oauth_show_state(struct req *r, const struct connection *c, json_t *data);

/* Working connections of an account whose login ends within the days that its manifest warns
 * ahead (warnDays), and that nothing renews: [{id,name,providerType,endsAt}], the first to end
 * first. */
int oauth_ending(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err);

/* Handlers (product/routes.def). */
int oauth_login(struct req *r);            /* GET /auth/:type/login */
int oauth_callback(struct req *r);         /* GET /auth/:type/callback */
int oauth_page_choose(struct req *r);      /* GET /admin/connect/:type/choose/:id */
int oauth_page_choose_post(struct req *r); /* its form */
#endif
