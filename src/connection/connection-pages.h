/* Pages of the connections, and what other features' pages want to know of providers. */
#ifndef CONNECTION_CONNECTION_PAGES_H
#define CONNECTION_CONNECTION_PAGES_H

#include "connection/connection.h"

struct breaker;

int connection_page_list(struct req *r); /* GET /admin/connections: connected, and the catalogue */
int connection_page_new(struct req *r);  /* GET /admin/connect/:type */
int connection_page_create(struct req *r);        /* POST /admin/connect/:type */
int connection_page_detail(struct req *r);        /* GET /admin/connections/:id */
int connection_page_activity(struct req *r);      /* GET …/activity: what happened to it last */
int connection_page_subscriptions(struct req *r); /* GET …/subscriptions: polls too */
int connection_page_waiting(struct req *r);       /* GET …/waiting: for the first calls */
int connection_page_edit(struct req *r);          /* GET …/edit */
int connection_page_edit_post(struct req *r);     /* POST …/edit */
int connection_page_test(struct req *r);          /* POST …/test */
int connection_page_status(struct req *r);        /* POST …/status: status=active or disabled */
int connection_page_end_former(struct req *r);    /* ends secrets from before */
int connection_page_disconnect(struct req *r);    /* GET …/disconnect: asks */
int connection_page_disconnect_post(struct req *r);
int actions_page_list(struct req *r); /* GET /admin/actions */
int actions_page_one(struct req *r);  /* GET /admin/actions/:providerType/:actionName */
int actions_page_run(struct req *r);  /* POST to it */

/* What GET /actions lists, by ?providerType= and ?search=: [{providerType,providerName,connected,
 * name,label,help,inputs[]}], those of connected providers first. Arena-owned; NULL: err. */
json_t *actions_list(struct req *r, struct err *err);
/* The same by provider, for pages: [{type,name,initial,is_connected,actions}]; a new reference. */
json_t *actions_grouped(struct req *r, const json_t *rows);

/* The display name of a provider type, or the type itself when the catalogue has none of it. */
const char *provider_label(const struct app *app, const char *type);
/* What people read as the source of leads of that provider type: the provider, or LEAD_BY_HAND. */
const char *lead_source_label(const struct app *app, const char *type);
/* Adds "type" and "initial", which connection/mark.html draws its mark of. */
void provider_show_mark(struct arena *a, const struct provider *p, json_t *o);
/* Adds "providerName" to every object of rows that has a "providerType". */
void provider_label_rows(const struct app *app, json_t *rows);
/* The same, and "connectionName" to each: what the connection of "connectionId" is called, or where
 * that is gone or was none, the provider. */
int connection_label_rows(struct req *r, json_t *rows, struct err *err);
/* Adds "kindName", the provider's name, to what has both names; NULL where they say the same. */
void connection_tell_kind(json_t *row);
/* What a failed call to who (a connection's name, "It" where that stands there already, or NULL)
 * came to: adds "error_words" (what happened, what the other side said of it, what to do) and
 * "has_answer" where the error is what it answered, which pages show whole a click away. Of the
 * push of a lead it says where its values come from. */
void connection_tell_error(struct arena *a, json_t *o, const char *who, const char *error);
void connection_tell_push_error(struct arena *a, json_t *o, const char *who, const char *error);
/* After those, where the words ask for new credentials: adds "credentials_href", which
 * connection/credentials.html draws, for who may enter them; connection_id NULL: for nobody. */
void connection_link_credentials(struct req *r, json_t *o, const char *connection_id);
/* How a connection stands, in one word for all pages: adds "state" (of its chip), "state_label",
 * and "is_usual" where nothing is to be told. held: "paused", "open", "probing", else its calls are
 * made. */
void connection_tell_state(json_t *o, const char *status, const char *held, const char *last_error);
const char *breaker_held(const struct breaker *b); /* such a word, or NULL */
/* The same of rows with "id", "status" and "lastError" of connections. */
int connections_tell_states(struct req *r, json_t *rows, struct err *err);
/* The head of its pages, connection/head.html, with the parts that it has as tabs. current:
 * "overview", "activity", "mapping", "subscriptions", "settings". */
int connection_show_head(
    struct req *r, const struct connection *c, const char *current, json_t *data, struct err *err);
/* The same for who knows what holds its calls up. */
void connection_show_head_held(struct req *r, const struct connection *c, const char *current,
    const struct breaker *b, json_t *data);
/* One more thing that happened to it, by the hook connection_activity: the newest so many of each
 * kind, in any order, for those who may see them. */
#define CONNECTION_HAPPENINGS_MOST 50
/* Asked of each kind, so that the page knows whether there are more. */
#define CONNECTION_HAPPENINGS_READ (CONNECTION_HAPPENINGS_MOST + 1)
struct connection_happening {
	const char *at;   /* as of the API */
	const char *kind; /* "received", "sent"; "changed" is the connection's own */
	const char *mark; /* of the line: "success", "failed", "received", "change" */
	const char *text, *note, *detail; /* note, detail: or NULL */
	const char *again;                /* when it is tried again, as of the API; or NULL */
	const char *href;
};
void connection_add_happening(json_t *data, const struct connection_happening *h);
/* One more figure of its page, by the hook tell_connection. */
struct connection_figure {
	const char *label, *note; /* "Events", "today" */
	int64_t count;
	bool is_least, is_bad; /* there may be more; any is too many */
	const char *href;      /* where those are listed */
};
void connection_add_figure(json_t *data, const struct connection_figure *f);
/* A filter over the account's connections for query parameter name, as chrome_choices makes it. */
int connection_choices(struct req *r, const char *name, json_t **out, struct err *err);
/* The same of those that can do capability, e.g. "crm_push"; NULL: all. */
int connection_choices_of(
    struct req *r, const char *name, const char *capability, json_t **out, struct err *err);
/* Where what comes through the connection becomes no lead, for want of a setting: adds "leadless"
 * {source, source_href} for connection/leadless.html, the address for who may set it. */
bool connection_show_leadless(struct req *r, const struct connection *c, json_t *data);
/* Can leads come through it: does its provider bring such, and lacks it no setting for that? */
bool connection_brings_leads(struct arena *a, const struct connection *c);
/* For lists that are empty: adds "source_name" and, for who may see it, "source_href" of the newest
 * active connection that takes webhooks and can do capability (NULL: any); neither where there is
 * none. And "leadless" of one that was called already. */
int connection_show_waiting(struct req *r, const char *capability, json_t *data, struct err *err);
/* A filter over the catalogue for query parameter name, as chrome_choices makes it; capability
 * NULL: all. Leads ("lead_sync") come by hand as well. */
json_t *provider_choices(struct req *r, const char *name, const char *capability);

#endif
