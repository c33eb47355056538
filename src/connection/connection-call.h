/* A call of a connection's provider with what belongs to it: a few attempts with waits between
 * them, and the connection's row told how it went. */
#ifndef CONNECTION_CONNECTION_CALL_H
#define CONNECTION_CONNECTION_CALL_H
#include "connection/connection.h"
#include "job/job.h"

struct config;

/* How often, and how long between: see retry_wait_ms. */
struct call_policy {
	int attempts;
	int64_t first_ms, most_ms;
};
#define CALL_POLICY_ONCE ((struct call_policy){.attempts = 1})
struct call_policy call_policy(const struct config *cfg); /* what the operator configured */

struct connection_call {
	struct app *app;
	struct arena *a;
	const struct connection *c; /* after an attempt with the token that it has by then */
	const char *action;
	const json_t *inputs; /* or NULL */
	const char *key;      /* the same in all tries: its Idempotency-Key; NULL: none */
	struct call_policy policy;
	bool is_push; /* of leads: its failure stands until another push passes */
	/* What somebody waits for takes no longer than so many ms, but for a token that has to be
	 * renewed first, since half of that would lose it. What does not come in that time says
	 * nothing of the connection. 0: as long as the manifest says. */
	int64_t most_ms;
	/* Each or NULL; -1 with err ends the call. begin: before each attempt, may set inputs.
	 * wait: after an attempt that another follows, before the wait, which may outlive this
	 * process. Neither is called within a transaction. */
	int (*begin)(struct connection_call *call, void *arg, struct err *err);
	int (*wait)(struct connection_call *call, void *arg, struct err *err);
	void *arg;
	/* Of the last attempt: */
	int attempt;                /* from 1; 0: none yet */
	int64_t at_us, duration_us; /* when it began, how long it took */
	struct call_result result;
	int64_t again_ms; /* the next one is due in so many ms, or -1: that was the last */
	/* It failed, with credentials or settings that have been changed since c was read: it tells
	 * nothing of the connection. */
	bool is_outdated;
};

/* One attempt, without any wait; set `attempt` to those made before. Within it a token that is no
 * longer good is replaced, and the call made once more, so that no result is CALL_REFRESH. When it
 * was the last, or the other side is in trouble, the connection's row is told. 0 with the fields
 * above, or -1 as provider_action or begin. */
int connection_call_attempt(struct connection_call *call, struct err *err);
/* Attempts until one is the last, with sleeps between them, for those who wait for the result (a
 * job lets its row wait: job_retry). Then the connection's row holds the use: "error" where the
 * credentials were refused, the sentence of a failure, "active" again after a call that works (a
 * failure to store that is only logged). 0 whatever came of it, or -1 as above and by wait. */
int connection_call(struct connection_call *call, struct err *err);
/* Milliseconds until the attempt after attempt number `attempt` which ended so; -1: there is none
 * (it succeeded, no repeat helps, or it was the last). */
int64_t call_policy_next_ms(
    const struct call_policy *policy, int attempt, const struct call_result *res);
/* What the call showed of whom it called: no answer, or one of its own trouble, says "dead"; one
 * that refuses the credentials, "not let in". */
enum job_peer connection_call_peer(const struct connection_call *call);
#endif
