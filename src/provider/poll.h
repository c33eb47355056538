/* Polls: what to ask a provider next, and what its answer comes to. A pure machine: it calls
 * nobody and stores nothing.
 *
 *	cursor ──begin──> position ──inputs──> (call) ──take──> position … ──last page──> cursor
 *	                      └───────────── items of each page ─────────────┘
 *
 * The cursor is what is known between rounds, the position where a round stands; NULL: none is
 * under way. Both are JSON objects that the caller stores in the commit of the items, so whoever
 * goes on after a crash loses and doubles nothing.
 *
 *	kind     asks                                      its cursor then
 *	time     from the newest time seen, less overlap   the newest time seen
 *	token    by the token; without one for all         the token of the last page
 *	window   span after span, until the round began    where the last span ended
 *	keyset   one fixed span, each page by the last id  where the span ended
 *	export   has a file made, waits, fetches it        the newest time seen
 *	none     for all                                   nothing
 *
 * Equal times are normal: what comes again is told apart by who stores it (external id, content).
 */
#ifndef PROVIDER_POLL_H
#define PROVIDER_POLL_H
#include "provider/manifest.h"

#define POLL_INTERVAL_LEAST_S 30
#define POLL_INTERVAL_MOST_S (7 * 86400)
#define POLL_PAGE_MOST 10000

/* The manifest's poll of that name; NULL: it has none. */
const struct poll_spec *provider_find_poll(const struct provider *p, const char *name);

/* The one that brings its leads; NULL: none does. */
const struct poll_spec *provider_lead_poll(const struct provider *p);

/* As manifests spell it. */
const char *poll_kind_name(enum poll_kind kind);

/* A poll as people describe it: {NULL,0}, NULL where they do not say. Paths are of the provider's
 * own answer, or else of what the action makes of it. */
struct poll_wish {
	struct str action, resource_type;
	struct str items_path, id_path; /* id_path: within an item */
	/* What is newest: "results.0.updatedAt" is of an item, so of each; elsewhere it is a token,
	 * for the input of that name. */
	struct str cursor_path, cursor_input;
	const json_t *inputs; /* values for the action's inputs */
};
/* It points into w. Complaints go to in, at the names of a trigger's config ("pollAction" …); NULL:
 * there were some. */
const struct poll_spec *poll_spec_of_wish(
    struct arena *a, const struct provider *p, const struct poll_wish *w, struct json_reader *in);

/* The actions that give lists, for people to choose from: [{name,label}]; the arena's. */
json_t *provider_list_actions(struct arena *a, const struct provider *p);

struct poll_state {
	json_t *cursor, *position; /* NULL: nothing is known yet; no round is under way */
};
struct poll_ask {
	struct arena *a; /* owns all that is made */
	const struct provider *p;
	const struct poll_spec *spec;
	const struct access *c;
	int64_t now_us;
	int64_t start_us;     /* where the first round begins */
	int64_t page_size;    /* as people set it; 0: as the manifest has it */
	bool leaves_older;    /* items that tell a time before start_us are left alone */
	struct str only_form; /* the one form whose leads are asked for; {NULL,0}: all */
	json_t *form;         /* within poll.c: whose round it is, as provider_form has it */
};
/* What to call next, and with what; begins a round where none is under way, in st. */
const struct action *poll_next(const struct poll_ask *ask, struct poll_state *st, json_t **inputs);

struct poll_page {
	struct webhook_found found; /* the items, in the order in which they came */
	int64_t newest_us;          /* the newest time that they tell; TIME_NONE */
	struct poll_state next;
	bool is_over;    /* the round */
	int64_t wait_ms; /* before the next call: an export is being made; 0: none */
};
/* Of a call that went well, what poll_take takes. */
const json_t *poll_output(const struct poll_ask *ask, const struct call_result *res);
/* What the output of that call comes to: 0, or -1 when nothing can be: no list of items
 * (ERR_MALFORMED), a cursor that repeats or is missing, an export that fails (ERR_CONFLICT). */
int poll_take(const struct poll_ask *ask, const struct poll_state *st, const json_t *output,
    struct poll_page *out, struct err *err);
/* A call that was refused: where it was of one form of many, the round goes on with the next, in
 * out; *what names the form. */
bool poll_skip(const struct poll_ask *ask, struct poll_page *out, const struct poll_state *st,
    const char **what);
/* A call that was refused: where it was to tell of the one form that is asked for, its leads can be
 * read without that. */
bool poll_go_without_form(
    const struct poll_ask *ask, struct poll_page *out, const struct poll_state *st);
/* How far a round is, for people. */
struct poll_outlook {
	int64_t forms,
	    forms_left;   /* of so many so many are to come; 0: of none, or not known yet */
	const char *form; /* the one at hand: its name, else its id; or NULL */
	int64_t leads;    /* that the forms say they have; 0: they do not say */
	int percent;      /* of it; -1: it cannot be told */
};
void poll_outlook(
    const struct poll_ask *ask, const struct poll_state *st, struct poll_outlook *out);
/* What of the credentials that the poll or its action needs is not there, in words; NULL: it can be
 * asked. */
const char *poll_lacks(struct arena *a, const struct provider *p, const struct poll_spec *spec,
    const struct access *c);
/* A call that failed: does it say that the token is good no more? Then the round begins anew,
 * without it. Never twice in a row. */
bool poll_reset(const struct poll_ask *ask, struct poll_state *st, const struct call_result *res);
#endif
