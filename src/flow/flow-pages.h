/* What the pages of flows share. The pages: flow-pages.c (the list, and what is done to a whole
 * flow). */
#ifndef FLOW_FLOW_PAGES_H
#define FLOW_FLOW_PAGES_H
#include "flow/flow-internal.h"

/* What every page of a flow shows, for the partial "flow/head": id, flow_name, status,
 * status_label, has_edits (published, but changed since), version, can_write, can_publish, and
 * on_steps, on_runs, on_versions, on_settings of tab ("steps", "runs", "versions", "settings";
 * NULL: none of them). Arena-owned; the page adds its own members. Render it with the section
 * "flows". */
json_t *flow_page_head(struct req *r, const struct flow *f, const char *tab);
bool flow_page_may_write(const struct req *r);

/* Adds to each flow of rows (JSON of the API, with its stats of so many days by flow_add_stats)
 * what a list shows of it: "starts", what starts it, in words; "last": {status, label, at, href} of
 * the run that began last, or null. */
int flow_add_health(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t *rows, struct err *err);
/* What a trigger waits for, in words, from its JSON of the API: "An order from Shopify is new or
 * changed". Arena-owned. */
const char *flow_trigger_words(struct app *app, struct arena *a, const json_t *trigger);
#endif
