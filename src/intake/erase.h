/* Erasing what came of a person: a record or lead with all that is kept of it, down to the bodies
 * of the requests that brought it. Of providers' requests (item-effects.c) and of people's own
 * (privacy/privacy.h). All of it runs within the caller's transaction. */
#ifndef INTAKE_ERASE_H
#define INTAKE_ERASE_H
#include "base/person.h"
#include "db/personal.h"
#include "http/http.h"

struct erased {
	struct uuid record_id, lead_id; /* nil: there was none */
	int64_t events;                 /* requests that were changed */
};
/* The record with its history and words, the lead that it was made of, with its deliveries and
 * attempts, what runs of flows that began with it were given and gave, the requests that brought
 * either, and what the audit log says of them. In a request
 * that brought others too only what is of this one goes. p: who else may be named there, or NULL.
 * 1, 0 there is none, -1. */
int erase_record(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, const struct person_names *p, struct erased *out,
    struct err *err);
/* The same of a lead, with its record. */
int erase_lead(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, const struct person_names *p, struct erased *out, struct err *err);
/* The same of the record and the lead that a provider calls so. */
int erase_external(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str provider_type, struct str resource_type, struct str external_id, struct erased *out,
    struct err *err);

/* Within a transaction: that this id was erased now, so that older news of it are left out
 * (erasures.c). 0, -1. */
int erasure_note(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str provider_type, struct str resource_type, struct str external_id, struct err *err);
/* Periodic: such notes go after two years. */
int erasures_purge(struct app *app, struct err *err);

/* What would go with it, besides itself: of requests those that do not name the person, since those
 * that do are found anyway. 0, -1. */
int erase_count_of_record(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, const struct person_names *p, int64_t *events, int64_t *changes,
    struct err *err);

/* Adds to a record's object what is told of it: "history", the newest changes, and "requests",
 * those that brought it, as the API shows them. 0, -1. */
int erase_tell_of_record(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, json_t *o, struct err *err);

/* One request: p's ids are what its items are called. 1 it was changed, 0, -1. */
int event_forget(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, const struct person_names *p, struct err *err);
extern const struct personal_table events_personal_table, polls_personal_table;
#endif
