/* Routing: which destination gets which lead, and when. It is set for each destination, and stored
 * with its connection as JSON, so that whoever reads the destinations has it. Its members, each of
 * which may be absent:
 *
 * - "when": [{"source": a provider's type, "if": a condition}], of which one must hold
 * - "hours": {"zone", "days": ["mon"], "from": "09:00", "to": "18:00", "outside": "wait" or "skip"}
 * - "cap": {"limit": leads a day of the account's zone, "over": "wait" or "skip"}
 * - "group": {"name", "mode": "all", "first" or "weighted", "weight", "place"}
 *
 * For a lead each destination can never take it, or now, or later. Of no group, or of one of all,
 * it stays so. In a group "first" the first by place that can gets the lead, and the others stand
 * next in turn; in one "weighted" there are smooth turns among those who can.
 *
 * - It is decided in the transaction that hands the leads over. What is counted (route_counts) is
 *   locked by its primary key there, so that it is right whoever counts at the same time.
 * - A cap that is full makes leads wait for the first day that has room: `day` is the one that is
 *   being filled, those before it are full.
 * - Turns are smooth (each gives its weight, who is served pays the sum): who cannot take leads for
 *   a while gains no credit, so it is not flooded afterwards.
 * - One that has no credential to send leads with, since what it was connected for needs none, gets
 *   none. What its rules would have sent there is told from what they would not (`lacks`), so that
 *   it can be sent once the credential is there; not in a group, where another one has it.
 * - Where no destination of the account has routing, or lacks what to send with, nothing is asked
 *   and nothing is locked. */
#ifndef CRM_CRM_ROUTE_H
#define CRM_CRM_ROUTE_H
#include "crm/crm-internal.h"
#include "expr/expr.h"

enum route_verdict { ROUTE_SEND, ROUTE_WAIT, ROUTE_SKIP, ROUTE_NEXT };
struct route_decision {
	enum route_verdict verdict;
	int64_t at_us;      /* WAIT: until then */
	bool lacks;         /* SKIP: it would have been sent, had there been a credential */
	const char *reason; /* for people */
};
bool routes_are_set(const struct delivery_queueing *q);
/* Within a transaction, of n leads and q->to: out[lead * q->nto + destination]. has: pairs that
 * have a row, which are not decided. */
int route_decide(struct delivery_queueing *q, const struct lead_sync *leads, size_t n,
    const bool *has, struct route_decision *out, struct err *err);
/* Within a transaction: a destination of a group "first" did not take the lead: the next of it is
 * sent the lead. 1, 0 there is none, -1. */
int route_pass_on(struct app *app, struct arena *a, const struct delivery *d,
    const struct connection *from, struct err *err);

/* ---- one destination, compiled: crm-route-rule.c --------------------------------------------- */

enum route_mode { ROUTE_ALL, ROUTE_FIRST, ROUTE_WEIGHTED };
extern const char *const route_modes[];
extern const char *const route_days[]; /* mon … sun */
struct lead_route {
	const struct connection *c;
	const char *lacks; /* a credential that is not there, in words */
	struct {
		const char *source; /* NULL: any */
		struct cond *cond;  /* NULL: any */
		const char *words;
	} * when;
	size_t nwhen;
	struct {
		bool is_set, waits;
		const struct zone *zone;
		unsigned days; /* bits, Monday the first */
		int from, to;  /* minutes of the day; to at or before from: over midnight */
	} hours;
	int64_t limit; /* a day; 0: none */
	bool cap_waits;
	const char *group; /* NULL: none */
	enum route_mode mode;
	int64_t weight, place;
	/* counted: */
	int64_t day, taken, credit;
	bool is_counted, has_changed;
};
enum { ROUTE_LEAD };
/* Where l's reader stands; l of route_loader. 0, or -1 with the complaint made. */
struct loader route_loader(struct arena *a, struct err *err);
int route_compile(struct loader *l, const json_t *v, struct lead_route *out);
/* A condition in words: "company is Acme and email is there". */
const char *route_words(struct arena *a, const json_t *cond);
/* Is it open, and when is it next, at or after at_us? */
bool route_is_open(const struct lead_route *r, int64_t at_us);
int64_t route_next_open_us(const struct lead_route *r, int64_t at_us);

/* ---- set by people: crm-route-store.c
 * ------------------------------------------------------------- */

/* {destinations:[{connectionId,name,providerType,when,hours,cap}],
 * groups:[{name,mode,members:[{connectionId,weight}]}]} */
int routing_load(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err);
/* Checks what was sent, complaints by the reader, which gathers them, and stores it in place of
 * all there was, audited. false: it was refused, or failed (err). */
bool routing_save(struct req *r, struct json_reader *in, const json_t *doc, struct err *err);
#endif
