/* What the files of this feature share. */
#ifndef INTAKE_INTAKE_INTERNAL_H
#define INTAKE_INTAKE_INTERNAL_H
#include "connection/connection.h"
#include "intake/intake.h"

/* What became of an event: the values of events.status, in the order of a person's interest. */
enum event_status {
	EVENT_PROCESSED,
	EVENT_VERIFIED, /* nothing in it to store */
	EVENT_DUPLICATE,
	EVENT_REJECTED, /* not verified */
	EVENT_FAILED,   /* verified, but it makes no sense: reason says why */
	EVENT_SPOOLED,  /* nobody sets it before there is a spool for when the database is away */
	EVENT_STATUSES
};
struct event_status_text {
	const char *name, *label;
	const char *meaning; /* in a sentence */
};
extern const struct event_status_text event_statuses[EVENT_STATUSES];

/* Processes a stored, verified event again: its records merge, its leads that got stuck go on. */
int intake_replay(struct req *r, const struct connection *c, const struct uuid *event_id,
    struct str body, int64_t received_us, struct err *err);
/* Replays an event of the request's account: 1 done, 0 there is none, -1. */
int event_replay(struct req *r, const struct uuid *id, struct err *err);
#endif
