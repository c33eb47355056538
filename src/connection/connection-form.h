/* A manifest's credentials and settings as an HTML form, and the form as the body of the API. Field
 * names are paths: credentials.apiKey, settings.auth.type. Private to this folder. */
#ifndef CONNECTION_CONNECTION_FORM_H
#define CONNECTION_CONNECTION_FORM_H

#include "connection/connection.h"

/* Adds to data: errors (chrome_wrong), name, sign_in{choices[]} where it is asked, credentials[],
 * settings[], more[] (rarely needed settings): fields {name,label,help,value,is_needed,error,
 * is_<kind>, choices[]}. Values are those posted, else those of c. Credentials are never shown
 * again. */
void connection_form_fields(struct req *r, const struct provider *p, const struct connection *c,
    const struct err *wrong, json_t *data);
/* Is one of those fields marked as wrong? Then what they are folded into is open. */
bool form_fields_are_wrong(const json_t *fields);
/* The posted form as a connect body {name,credentials,settings}; arena-owned. */
json_t *connection_form_body(struct req *r, const struct provider *p);
/* The name of that body: where a new one has none it gets one that is free; of two that people make
 * in pages none may have the name of the other, ERR_INVALID. */
int connection_form_name(struct req *r, const struct provider *p, const struct connection *c,
    json_t *body, struct err *err);
/* Adds "auto_push" {label,is_on} where leads come from it or go to it by themselves. */
void connection_form_auto_push(struct req *r, const struct connection *c, json_t *data);
/* The same as a change of c: empty credentials keep what is stored, empty settings are removed. */
json_t *connection_form_changes(struct req *r, const struct connection *c);
/* Settings that are set, for reading: [{label,value}]. */
json_t *connection_form_values(struct req *r, const struct connection *c);

/* Connecting step by step, where the manifest has a guide (connection-guide.c). */
bool guide_is_there(const struct provider *p);
/* Lays the fields of connection_form_fields out in the guide's steps, and adds action, webhook_url,
 * presets[]. */
void guide_form(struct req *r, const struct provider *p, json_t *data);
/* Where the form stands whose webhook address stays what it is: with an id that is reserved for it.
 * NULL: this request has such an id, or nothing needs it. */
const char *guide_address(struct req *r, const struct provider *p);
/* The id that the request's address reserves; false: none, or for another account, or long ago. */
bool guide_reserved(struct req *r, const struct provider *p, struct uuid *id);
/* The settings of the preset that the query asks for, or NULL. */
const json_t *guide_preset_settings(struct req *r, const struct provider *p);
bool guide_waits(const struct provider *p);
/* Adds "steps" {title,text,link,link_label}, what its guide says of the sender, for who waits for
 * that one's first call. */
void guide_show_steps(struct arena *a, const struct connection *c, json_t *data);
/* Adds {title,text,is_done,at} of what is to come to list: how many are still open. told has the
 * "polls" and "subscriptions" of the connection, as its page shows them. */
size_t guide_waits_json(
    struct arena *a, const struct connection *c, const json_t *told, json_t *list);
#endif
