/* What the files of this feature share. */
#ifndef INTAKE_INTAKE_INTERNAL_H
#define INTAKE_INTAKE_INTERNAL_H
#include "connection/connection.h"
#include "intake/intake.h"
#include "intake/write-set.h"
#include "job/job.h"

#define EVENT_TYPE_BYTES 100u
#define REASON_BYTES 255u

/* ---- payload to write set (intake-fill.c) ------------------------------------------------- */

/* Fills the set with all that the parsed hook carries for the connection, and what is to be said of
 * the rest. Where nothing comes of it the set fails, or notes why that is in order. Too much for
 * one commit: it is pending, without items. */
void write_set_fill(
    struct arena *a, const struct connection *c, const struct webhook *hook, struct write_set *ws);
/* The items from this index on, as many as one commit takes: how many were looked at. */
size_t write_set_fill_part(struct arena *a, const struct connection *c,
    const struct webhook_found *found, size_t from, struct write_set *ws);
/* Takes out what tells of something that was erased since (erasures.c), and notes that. told_us:
 * when an item without a time of its own was told. 0, -1. */
int write_set_leave_erased(
    struct app *app, struct arena *a, struct write_set *ws, int64_t told_us, struct err *err);
/* Nothing can be made of it: why, for people. */
void write_set_fail(struct arena *a, struct write_set *ws, const char *why);
/* Something more to be said of it; NULL: nothing. */
void write_set_note(struct arena *a, struct write_set *ws, const char *note);

/* ---- committing write sets (write-commit.c) ------------------------------------------------ */

/* Commits the sets in one transaction, or each by itself where that fails: each has its result in
 * its err. alone: of sets that are shared by many: those that stay out of it for now, and behind it
 * those that are to be tried alone, since others hold a row that they, or nobody knows which of
 * them, need; NULL where nothing is shared. */
void write_sets_take_apart(struct db *db, struct write_set *sets, size_t n, bool *alone);

/* The columns that say what of an event was taken, as members of its JSON. */
struct event_taken {
	size_t items, taken, left, left_reason;
};
void event_add_taken(json_t *o, const struct db_rows *rows, size_t i, const struct event_taken *at);

/* ---- what items do besides being stored (item-effects.c) --------------------------------- */

/* Adds what an item of the set asks for to the list. */
void item_add_effects(json_t *effects, const struct write_set *ws, const struct write_item *item);
/* The job that does it all, for the commit of the event. */
struct job event_effects_job(struct arena *a, const struct write_set *ws, json_t *effects);

/* ---- requests in the event log ------------------------------------------------------------ */

/* A row of the log as the request that it was. */
struct stored_event {
	struct uuid id, account_id, connection_id;
	const char *status;
	int64_t items, received_us;
	struct req *req; /* its method, address, headers and body: no connection to answer to */
	struct webhook hook;
};
/* 1, 0 there is none, -1. */
int event_load(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct stored_event *out, struct err *err);
/* With what the tokens of a connection's rejected requests are hashed, which are verified anew once
 * its secret is right (provider/token-kept.h): TOKEN_KEY_BYTES. 0, -1. */
int event_token_key(struct app *app, struct arena *a, const struct uuid *connection_id,
    unsigned char *out, struct err *err);
/* Is the request verified for the connection? hook->body may be decoded; received is as it came. A
 * MAC is of what was sent: mostly that is the coded body, with some senders the text behind it.
 * *reason as of webhook_verify. */
bool event_verifies(struct arena *a, const struct connection *c, const struct webhook *hook,
    struct str received, const char **reason);
/* Its body decoded, and parsed as the manifest says: 0, or -1 as webhook_parse. */
int event_parse(struct arena *a, const struct provider *p, struct stored_event *e, struct err *err);
/* Replays an event of the request's account: verified already, it is parsed and taken again; its
 * records merge, its leads that got stuck go on, and the event tells what came of it. 1 done, 0
 * there is none, -1. */
int event_replay(struct req *r, const struct uuid *id, struct err *err);
struct event_replay_wish { /* the body of POST /events/replay */
	struct str connection;
	struct opt_time since;
};
#endif
