/* Whose account at the provider a connection is of, by the provider's own word. */
#ifndef CONNECTION_CONNECTION_PROVE_H
#define CONNECTION_CONNECTION_PROVE_H
#include "connection/connection.h"

/* After a call that worked: has it tokens that were given by hand, and does the manifest say how
 * the provider is asked whose they are (oauth.identify), then the id is noted as proven; one that
 * the connection names otherwise, or that another account has proved, is left as it is. action,
 * output: of the call, which may have told already. What fails is logged: it fails nothing. */
void connection_prove(struct app *app, struct arena *a, const struct connection *c,
    const char *action, json_t *output);
#endif
