/* What the files of the polls share. */
#ifndef INTAKE_POLL_INTERNAL_H
#define INTAKE_POLL_INTERNAL_H
#include "flow/flow.h"
#include "flow/trigger.h"
#include "intake/intake-internal.h"
#include "intake/polls.h"
#include "provider/manifest.h"
#include "provider/poll.h"

/* ---- store (poll-store.c) ----------------------------------------------------------------- */

struct poll_counts {
	int64_t seen, created, changed;
};
struct poll_row {
	struct uuid account_id, connection_id;
	const char *name;
	bool is_paused;
	int64_t interval_s, page_size; /* as people set them; 0: they did not */
	struct str known, place;       /* JSON; {NULL,0} */
	int64_t turn, wanted, served;
	int64_t since_us, next_us, started_us, ended_us, covered_us;
	int64_t held_us; /* not before then: the provider asks for it; poll_save leaves it alone */
	/* lead-reconcile.h: when it ended last, 0: never; what it saw, and what had been missed */
	int64_t reconciled_us, reconciled_seen, reconciled_missed, missed;
	int failures; /* in a row */
	const char *last_error, *note;
	struct poll_counts all, round;
	/* set by polls_know: */
	const struct poll_spec *spec; /* NULL: there is none any more, or it is off */
	int64_t old_before_us;        /* items_store.old_before_us */
};
/* All of a connection, by name. With lock nobody changes them until the transaction ends. */
int polls_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, bool is_locked, struct poll_row **out, size_t *n,
    struct err *err);
/* Those of an account whose names are LIKE that. */
int polls_load_named(struct db *db, struct arena *a, const struct uuid *account_id,
    const char *like, struct poll_row **out, size_t *n, struct err *err);
/* Adds to the rows of a connection what is to be polled. */
int polls_know(struct db *db, struct arena *a, const struct connection *c, struct poll_row *rows,
    size_t n, struct err *err);
/* Within a transaction: the row is there, due as it says; one that was there stays as it is. */
int poll_put_row(struct db *db, const struct poll_row *row, struct err *err);
/* Within a transaction: rows for all triggers that poll the connection; *n: so many. */
int polls_put_triggers(
    struct db *db, struct arena *a, const struct connection *c, size_t *n, struct err *err);
/* Within a transaction: the job of the connection's polls is there and due. */
int poll_job_bring(struct db *db, const struct uuid *account_id, const struct uuid *connection_id,
    struct err *err);
/* "waiting", "running", "failing", "paused"; in lists also "idle": its credentials are not there.
 */
const char *poll_status(const struct poll_row *row);
json_t *poll_counts_json(const struct poll_counts *c);
/* Within a transaction: the row as a run leaves it. Asked for since the round at hand began, it is
 * due at once when that is over. ERR_CONFLICT: another run has gone on with it. */
int poll_save(struct db *db, const struct poll_row *row, bool is_over, struct err *err);
/* Within a transaction: nothing of the connection is called until then. */
int polls_hold(struct db *db, const struct uuid *account_id, const struct uuid *connection_id,
    int64_t until_us, struct err *err);
/* When a call may be made again: in the past mostly. */
int polls_held_until(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, int64_t *until_us, struct err *err);
/* Within a transaction: what people set of it, and when it is due. */
int poll_set_row(struct db *db, const struct poll_row *row, struct err *err);
/* Its page size, smaller than before, where nobody has asked for a smaller one meanwhile. */
int poll_save_page_size(struct db *db, const struct poll_row *row, struct err *err);

/* ---- the items of a page: what a run and a back-fill do alike (poll-take.c) ----------------- */

/* How many a page shall have where one was more than is taken at once; 0: that is not what failed,
 * or it cannot be asked for fewer. */
int64_t poll_smaller_page(const struct poll_ask *ask, const struct call_result *res);
/* On their way into the store, as many a commit as one takes. */
struct poll_take {
	struct app *app;
	const struct connection *c;
	struct arena *a; /* of the page */
	const struct webhook_found *found;
	size_t at; /* of these, before the part at hand */
	bool is_last;
	struct write_set ws;
	struct items_store store;
	size_t tried; /* items that were refused when the part was tried last */
};
void poll_take_begin(struct poll_take *t, struct app *app, struct arena *a,
    const struct connection *c, const struct webhook_found *found);
/* The part at hand is stored: the next one. False: there is none. */
bool poll_take_next(struct poll_take *t);
/* Within a transaction that may be tried again: stores the part at hand. counts are added to. */
int poll_take_write(
    struct db *db, struct poll_take *t, struct poll_counts *counts, struct err *err);
/* The transaction has failed: was it for an item that will be left out now? Then err is cleared. */
bool poll_take_try_again(struct poll_take *t, struct err *err);
/* How long who was asked to call less often waits: as long as it was asked to, where it was told.
 */
int64_t poll_limited_ms(int attempt, int64_t retry_after_ms);
/* Did the call itself fail, rather than whom it called? */
static inline bool poll_refused(const struct call_result *res)
{
	return res->class == CALL_FATAL || res->class == CALL_PERMISSION ||
	       res->class == CALL_NOT_FOUND || res->class == CALL_CONFLICT;
}
/* What is to be said of items that were not taken, for people; NULL: nothing. */
const char *poll_take_note(const struct poll_take *t);
#endif
