/* What the pages of runs share: execution-pages.c (lists), execution-pages-detail.c (one),
 * execution-repeat-api.c (many again). */
#ifndef FLOW_EXECUTION_PAGES_H
#define FLOW_EXECUTION_PAGES_H
#include "flow/flow-internal.h"

#define RUNS_ADDRESS "/admin/task-history"

/* Adds to each run of rows (JSON of the API): statusLabel, durationUs, href, and "origin"
 * {text, href, note}: what it came of, href and note may be null. */
int execution_add_words(struct req *r, json_t *rows, struct err *err);
bool execution_page_may_write(const struct req *r);
#endif
