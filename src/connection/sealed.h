/* JSON as this room's tables hold what is secret: sealed, and bound to its row. */
#ifndef CONNECTION_SEALED_H
#define CONNECTION_SEALED_H
#include "base/app.h"
#include "base/json.h"
#include "crypto/uuid.h"

/* {NULL,0} with err. place: "connections", "oauth_grants.answer": the same for both ways. */
struct str sealed_json(struct app *app, struct arena *a, const char *place, const struct uuid *id,
    const json_t *json, struct err *err);
/* An object of the arena; NULL with err, whose text holds nothing of it. what: for people, such as
 * "the credentials of connection". */
json_t *sealed_open(struct app *app, struct arena *a, const char *place, const struct uuid *id,
    struct str blob, const char *what, struct err *err);

#endif
