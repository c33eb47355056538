/* What this room seals, sealed anew: account/reseal.h. */
#ifndef CONNECTION_CONNECTION_RESEAL_H
#define CONNECTION_CONNECTION_RESEAL_H
#include "account/reseal.h"

int connection_reseal(struct app *app, struct reseal *s, struct err *err);
#endif
