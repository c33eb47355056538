/* What the files of this feature share. */
#ifndef INTAKE_INTAKE_INTERNAL_H
#define INTAKE_INTAKE_INTERNAL_H
#include "connection/connection.h"
#include "intake/intake.h"

/* Processes a stored, verified event again: its records merge, its leads that got stuck go on. */
int intake_replay(struct req *r, const struct connection *c, const struct uuid *event_id,
    struct str body, int64_t received_us, struct err *err);
/* Replays an event of the request's account: 1 done, 0 there is none, -1. */
int event_replay(struct req *r, const struct uuid *id, struct err *err);
#endif
