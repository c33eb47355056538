/* Connections that were saved before there was a rule: see db/stored-fault.h. */
#ifndef CONNECTION_CONNECTION_FAULTS_H
#define CONNECTION_CONNECTION_FAULTS_H
#include "db/stored-fault.h"

struct app;

/* Those whose settings would be refused now: templates, paths, countries. Needs app->providers. */
int connection_faults_find(const struct app *app, struct stored_fault *out, struct err *err);
#endif
