/* What the pages of flows share.
 *
 *	flow-pages.c        the list, and what is done to a whole flow
 *	flow-steps-pages.c  the steps of one: shown, moved, removed, published
 *	flow-step-pages.c   one step: its kind, its form (flow-step-form.c)
 *	flow-test-pages.c   trying a draft out
 *	flow-new-pages.c    a new one: empty, ready-made, from a file */
#ifndef FLOW_FLOW_PAGES_H
#define FLOW_FLOW_PAGES_H
#include "flow/flow-draft.h"
#include "flow/flow-words.h"

/* What every page of a flow shows, for the partial "flow/head": id, flow_name, status,
 * status_label, has_edits (published, but changed since), version, can_write, can_publish, and
 * on_steps, on_runs, on_versions, on_settings of tab ("steps", "runs", "versions", "settings";
 * NULL: none of them). Arena-owned; the page adds its own members. Render it with the section
 * "flows". */
json_t *flow_page_head(struct req *r, const struct flow *f, const char *tab);
bool flow_page_may_write(const struct req *r);
/* The page that shows the steps of a flow. */
const char *flow_page_path(struct arena *a, const struct flow *f);

/* Adds to each flow of rows (JSON of the API) what a list shows of it: "starts", what starts it, in
 * words; "last": {status, label, at, id} of the run that began last, or null. */
int flow_add_health(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t *rows, struct err *err);
/* What a trigger waits for, in words, from its JSON of the API: "An order from Shopify is new or
 * changed". Arena-owned. */
const char *flow_trigger_words(struct app *app, struct arena *a, const json_t *trigger);

/* ---- the draft on a page --------------------------------------------------------------------- */

/* A flow whose draft is shown or changed. */
struct flow_page {
	struct req *r;
	struct flow f;
	struct draft d;
	struct flow_words w;
	json_t *triggers, *types; /* flow_fields_triggers */
	int64_t revision;         /* that the form was made of */
};
/* The flow of the route with all of that; false: answered. */
bool flow_page_open(struct req *r, struct flow_page *p);
/* Has it been changed since the form was made? */
bool flow_page_is_stale(const struct flow_page *p);
/* Stores the draft's steps and settings as they are now, as the change of that revision: 0, or -1
 * (ERR_CONFLICT). */
int flow_page_save(struct flow_page *p, struct err *err);
#endif
