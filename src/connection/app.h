/* Apps at providers: who this installation, or an account, is to a provider. Their credentials are
 * as secret as those of connections, which are handed them as access.app.
 *
 * An app is the installation's (account nil: the operator's, for all accounts), or one account's
 * own. Which one a connection goes by: the one that it was made with (app_id); where it was made
 * with none, the only one that its account may use; where there are several, none. */
#ifndef CONNECTION_APP_H
#define CONNECTION_APP_H
#include "connection/connection.h"
#include "http/slice.h"

struct provider_app {
	struct uuid id, account_id; /* account_id nil: the installation's */
	const struct provider *provider;
	const char *provider_type, *name;
	bool is_configured;  /* it stands in the file that provider_apps names, and is changed there
			      */
	json_t *credentials; /* opened; NULL where they were not asked for, or cannot be */
	bool is_shut;        /* they cannot be opened: their key is missing */
	int64_t created_us, updated_us;
	int64_t connections; /* how many name it, where that was asked for */
};
bool provider_app_is_installations(const struct provider_app *app);
/* Does the provider have apps at all? */
bool provider_app_is_known(const struct provider *p);

/* One that the account may use: its own, or the installation's; account_id NULL: any. Opened. 1, 0,
 * -1. */
int provider_app_get(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct provider_app **out, struct err *err);
/* The same, also of one that cannot be opened: for what shows it, or gives it new credentials. */
int provider_app_get_shown(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct provider_app **out, struct err *err);
/* All of a provider that an account may use, its own first, opened. */
int provider_app_list_usable(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct provider *p, struct provider_app ***out, size_t *n, struct err *err);

/* What apps of a provider can verify by themselves, of all accounts, newest first, at most
 * APPS_ACCESS_MOST: for what reaches the provider's own address before anybody is connected. */
#define APPS_ACCESS_MOST 100
int provider_apps_access(struct app *app, struct arena *a, const struct provider *p,
    const struct access *const **out, size_t *n, struct err *err);

/* What the operator does (account_id nil), or an account (r's): each a transaction with its row of
 * the audit log. body: {providerType, name?, credentials}; of a change {name?, credentials?},
 * credentials merged. ERR_INVALID names the field. */
int provider_app_add(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, const json_t *body, struct provider_app **out, struct err *err);
int provider_app_change(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, const struct uuid *id, const json_t *body,
    struct provider_app **out, struct err *err);
/* Connections keep what they have; what needs the app fails until they are connected by another. */
int provider_app_remove(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, const struct uuid *id, struct err *err);

/* The installation's apps are as the file that the key provider_apps names has them, when this
 * returns: a JSON list of {providerType, name, credentials}, several of a provider by their names.
 * An app of it keeps its id as long as it keeps its name. Without the key nothing is looked at. An
 * error names the file and the place. */
int provider_apps_follow_file(struct app *app, struct arena *a, struct err *err);

struct provider_app_filter {
	struct uuid account_id;
	struct str provider_type;
};
extern const struct list list_of_provider_apps;
/* Those of an account and of the installation, newest first, counted, not opened. */
int provider_app_list(struct app *app, struct arena *a, const struct provider_app_filter *f,
    struct slice *s, struct provider_app ***out, size_t *n, struct err *err);
/* How many connections name it, of the account or (NULL) of all, into it. */
int provider_app_count_uses(struct app *app, struct arena *a, const struct uuid *account_id,
    struct provider_app *v, struct err *err);
/* Its credentials as a row holds them, opened; NULL with err. */
json_t *provider_app_open(
    struct app *app, struct arena *a, const struct uuid *id, struct str blob, struct err *err);
/* {id,providerType,name,owner,connections,createdAt,updatedAt}, opened also the names of its
 * credentials; never a value. A new reference. */
json_t *provider_app_json(const struct provider_app *app);

/* Handlers (product/routes.def). */
int provider_app_api_list(struct req *r);
int provider_app_api_create(struct req *r);
int provider_app_api_get(struct req *r);
int provider_app_api_update(struct req *r);
int provider_app_api_delete(struct req *r);
int provider_app_page_list(struct req *r);
int provider_app_page_new(struct req *r);
int provider_app_page_create(struct req *r);
int provider_app_page_edit(struct req *r);
int provider_app_page_edit_post(struct req *r);
int provider_app_page_remove(struct req *r);
int provider_app_page_remove_post(struct req *r);
#endif
