/* Runs that repeat others: the new run is one of its own, with the payload of the first; the first
 * stays as it was, but for the note that it was run again. */
#ifndef FLOW_FLOW_REPLAY_H
#define FLOW_FLOW_REPLAY_H
#include "flow/flow-internal.h"

struct replay {
	const struct execution *of; /* with its state */
	bool is_from_failed;        /* at the step that failed; else from the start */
	bool is_current;            /* by the version that is published now; else by its own */
	/* came: */
	struct execution x;
	struct str state; /* {NULL,0}: from the start */
	int seq;          /* of the step that failed */
};
/* Makes x of what was asked: 0; -1 with ERR_CONFLICT and a sentence where it cannot be. */
int replay_prepare(struct app *app, struct arena *a, struct replay *p, struct err *err);
/* Within a transaction: n such runs of an account begin, at most LIMIT_DB_BATCH. */
int replays_begin(struct db *db, struct replay *const *ps, size_t n, struct err *err);

/* "from": start or failed, "version": original or current; what is not said is the start, the
 * current one. */
struct replay_words {
	const char *from, *version;
};
extern const char *const replay_froms[], *const replay_versions[];
extern const struct json_member replay_members[2]; /* into struct replay_words */
void replay_ask(struct replay *p, const struct replay_words *words);
/* One, for a request, with its row of the audit log. */
int replay_run(struct req *r, struct replay *p, struct err *err);
#endif
