/* A new access token for a connection whose own is no longer good. */
#ifndef CONNECTION_CONNECTION_REFRESH_H
#define CONNECTION_CONNECTION_REFRESH_H
#include "connection/connection.h"

/* why: what the provider said of the old one. 1: the access token is another now, and c holds it;
 * 0: nothing can refresh it, or the grant is dead (then the connection's status says so); -1 with
 * err: not to be known now, so try later. Outside any transaction. */
int connection_refresh(
    struct app *app, struct arena *a, struct connection *c, const char *why, struct err *err);
#endif
