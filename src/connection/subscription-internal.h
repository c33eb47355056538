/* What the files of the subscriptions share. */
#ifndef CONNECTION_SUBSCRIPTION_INTERNAL_H
#define CONNECTION_SUBSCRIPTION_INTERNAL_H
#include "connection/connection-internal.h"
#include "connection/subscriptions.h"
#include "provider/subscription.h"

struct subscription_row {
	struct uuid account_id, connection_id;
	const char *name;
	struct str known, former; /* JSON; {NULL,0} */
	int64_t expires_us, checked_us, next_us;
	int failures; /* in a row */
	const char *last_error;
};
/* All of a connection, by name. With lock nobody changes them until the transaction ends. */
int subscriptions_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, bool is_locked, struct subscription_row **out, size_t *n,
    struct err *err);
int subscription_save(struct db *db, const struct subscription_row *row, struct err *err);
/* Within a transaction: all of the connection are looked at now. */
int subscriptions_hasten(struct db *db, const struct uuid *account_id,
    const struct uuid *connection_id, struct err *err);
/* Within a transaction that removes the connection: the job that ends them (subscription-end.c). */
int subscriptions_end(struct app *app, struct arena *a, const struct connection *c,
    const struct subscription_row *rows, size_t n, struct err *err);
/* As the API shows them; adds to the list. */
int subscriptions_json(
    struct app *app, struct arena *a, const struct connection *c, json_t *list, struct err *err);
#endif
