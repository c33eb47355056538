/* What the files of providers' apps share. */
#ifndef CONNECTION_APP_INTERNAL_H
#define CONNECTION_APP_INTERNAL_H
#include "connection/app.h"

/* The checked parts of a body into *v, whose credentials they are merged with. A new one (of no
 * type yet) is of the provider that the body names. ERR_INVALID names the field. */
int provider_app_take_body(
    struct app *app, struct arena *a, const json_t *json, struct provider_app *v, struct err *err);
/* The installation's app of that id as the configuration has it: made, or changed where it is not
 * so. body: {providerType, name, credentials}. */
int provider_app_configure(
    struct app *app, struct arena *a, const struct uuid *id, const json_t *body, struct err *err);
/* Those that the configuration had, but the n that it has, go. */
int provider_apps_unconfigure(
    struct app *app, struct arena *a, const struct uuid *kept, size_t n, struct err *err);
#endif
