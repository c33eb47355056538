/* What a connection's provider lists as values for an input of an action (the manifest's "lists"):
 * for forms, so that people choose a channel's name and need not know its id. */
#ifndef CONNECTION_CONNECTION_VALUES_H
#define CONNECTION_CONNECTION_VALUES_H
#include "connection/connection.h"

#define VALUES_PATIENCE_S 3 /* since the request came, for all that it asks for */

/* [{value,label}] by label, the arena's, of the account's connection of that id, or of its only one
 * where there is none: empty where there is none to ask, and where it does not answer; then *why
 * says so, else *why is NULL. It calls the provider, and waits, though not for long: for requests.
 * 0, or -1. */
int connection_values_of(struct req *r, const struct provider *p, struct str connection_id,
    const struct value_list *list, json_t **out, const char **why, struct err *err);
#endif
