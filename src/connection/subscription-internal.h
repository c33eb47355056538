/* What the files of the subscriptions share. */
#ifndef CONNECTION_SUBSCRIPTION_INTERNAL_H
#define CONNECTION_SUBSCRIPTION_INTERNAL_H
#include "connection/connection-internal.h"
#include "connection/subscriptions.h"
#include "provider/subscription.h"

struct subscription_row {
	struct uuid account_id, connection_id;
	const char *name;
	const char *form;         /* "": it is of none, or stands for those of all forms */
	const char *form_name;    /* or NULL */
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
/* Rows beside that one, of each form ({"id","name"}). */
int subscription_forms_put(
    struct db *db, const struct subscription_row *of, const json_t *forms, struct err *err);
int subscription_drop(struct db *db, const struct subscription_row *row, struct err *err);
/* Within a transaction: all of the connection are looked at now. */
int subscriptions_hasten(struct db *db, const struct uuid *account_id,
    const struct uuid *connection_id, struct err *err);
/* Within a transaction that removes the connection: the job that ends them (subscription-end.c). */
int subscriptions_end(struct app *app, struct arena *a, const struct connection *c,
    const struct subscription_row *rows, size_t n, struct err *err);
/* The form of that id, as subscription_ask has it; NULL: of none. */
json_t *subscription_form(struct arena *a, const char *id);

/* ---- the job that keeps them (subscription-run.c) ------------------------------------------- */

/* The pages of a list that one run has asked for already: those of many forms ask for the same. */
struct subscription_pages {
	const struct subscription_spec *spec;
	json_t *inputs, *outputs; /* of each page, in turn */
};
struct subscribing {
	struct job *job;
	struct arena *a; /* of the one at hand */
	struct connection *c;
	const struct subscription_spec *spec;
	struct subscription_row row;
	json_t *known; /* of the row */
	const char *error;
	int64_t wait_ms;     /* that the provider asks for; -1: it does not */
	json_t *credentials; /* to be stored, or NULL */
	struct subscription_pages *pages;
	int64_t until_us;   /* by the clock that only rises: no call begins later in this run */
	bool is_unfinished; /* it goes on in the next run */
};
/* A run of either job takes so long, and gives others of the account, and of others, their turn. */
#define SUBSCRIPTION_RUN_US (20 * SECOND_US)
/* A call of that row's: 1 it went well, 0 it did not and s->error says why, -1. */
int subscribing_call(struct subscribing *s, const struct call_spec *spec,
    const struct subscription_row *row, json_t *known, const json_t *page, struct call_result *out,
    struct err *err);
/* The row that stands for all forms (subscription-forms.c): rows for new forms are put, and those
 * of forms that are there no more are ended, and their next_us is INT64_MAX. 1, 0, -1 as a call. */
int subscribing_forms(
    struct subscribing *s, struct subscription_row *rows, size_t n, struct err *err);

/* As the API shows them; adds to the list. */
int subscriptions_json(
    struct app *app, struct arena *a, const struct connection *c, json_t *list, struct err *err);
#endif
