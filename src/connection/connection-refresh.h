/* New access tokens for old, whoever needs one and however many at a time. */
#ifndef CONNECTION_CONNECTION_REFRESH_H
#define CONNECTION_CONNECTION_REFRESH_H
#include "connection/connection.h"

/* The access token of c was refused, or is about to end: why says so, for the log. 1: c holds
 * another now, that is stored; 0: nothing can refresh it, or its grant is dead, which is stored
 * with the reason, and c is expired; -1: it may work later, err says what failed. Waits for another
 * process that is at it, a few seconds at most; never within a transaction. */
int connection_refresh(
    struct app *app, struct arena *a, struct connection *c, const char *why, struct err *err);
/* Has it no access token yet, or one that is over by now? Then a call begins with a refresh. */
bool connection_needs_refresh(const struct connection *c);

#endif
