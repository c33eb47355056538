/* The composition of the product: every route, every kind of job, what runs periodically, and who
 * is told of what. The mains take it from here. */
#ifndef PRODUCT_PRODUCT_H
#define PRODUCT_PRODUCT_H

#include "http/http.h"
#include "job/job.h"

const struct route *product_routes(size_t *n);
extern const struct router_hooks product_router_hooks;
const struct job_kind *product_job_kinds(size_t *n);
const struct runner_periodic *product_periodics(size_t *n);
/* For the runner's idle moments: see runner_set_background. */
int product_background(struct app *app, struct err *err);
/* Connects the features that must not know each other: once, at the start of every process. */
void product_wire(void);

/* Reads the static files into memory (a few small ones), makes the version of their addresses.
 * Whatever is not there at the start is never served. */
int product_static_load(struct arena *a, const char *dir, struct err *err);

/* Handlers of routes.def that belong to no feature. */
int product_healthz(struct req *r);
int product_readyz(struct req *r);
int product_static_file(struct req *r);
int product_home(struct req *r);
int product_page_dashboard(struct req *r);
#endif
