/* The composition of the product: every route, every kind of job, and who is told of what. The
 * mains take it from here. */
#ifndef PRODUCT_PRODUCT_H
#define PRODUCT_PRODUCT_H

#include "http/http.h"
#include "job/job.h"

const struct route *product_routes(size_t *n);
extern const struct router_hooks product_router_hooks;
const struct job_kind *product_job_kinds(size_t *n);
/* For the runner's idle moments: see runner_set_background. */
int product_background(struct app *app, struct err *err);
/* What connects the features that must not know each other: app_open puts it into the app. */
extern const struct hooks product_hooks;

/* ---- app-open.c: start-up, in one order for all programs ------------------------------------ */
/* Parts of struct app that a program wants; the configuration comes with any. */
#define APP_CONFIG 128u
#define APP_LOG 1u /* the log as configured; else warnings, to standard error */
#define APP_KEYS 2u
#define APP_PROVIDERS 4u
#define APP_PAGES 8u    /* templates, static files */
#define APP_HTTP 16u    /* not before a fork: each process makes its own */
#define APP_DB 32u      /* at the schema that this program knows: else ERR_CONFLICT */
#define APP_DB_RAW 64u  /* at any schema, or none */
#define APP_FOLLOW 256u /* rows that the configuration has are as it says: of who serves */
/* Fills app, which is all zeros, for a program of that name from a configuration file (NULL: the
 * environment alone). What can be wrong with a configuration is found here. */
int app_open(struct arena *a, struct app *app, const char *program, const char *file,
    unsigned parts, struct err *err);
/* Ends what the arena does not own; also after app_open has failed. */
void app_close(struct app *app);

/* Reads the static files into memory (a few small ones), makes the version of their addresses
 * (struct app's asset_version).
 * Whatever is not there at the start is never served. */
int product_static_load(
    struct arena *a, const char *dir, const char **asset_version, struct err *err);

/* Handlers of routes.def that belong to no feature. */
int product_healthz(struct req *r);
int product_readyz(struct req *r);
int product_static_file(struct req *r);
int product_home(struct req *r);
int product_page_dashboard(struct req *r);
/* sample-data.c: records to look around with, of a provider of their own. */
#define SAMPLE_PROVIDER "sample"
int product_page_sample(struct req *r);        /* POST /admin/sample-data: makes them */
int product_page_sample_remove(struct req *r); /* POST /admin/sample-data/remove */
int product_sample_count(struct req *r, int64_t *n, struct err *err);
int product_page_settings(struct req *r);   /* GET /admin/settings: their first part */
int product_page_search(struct req *r);     /* GET /admin/search?q= */
int product_page_help(struct req *r);       /* GET /admin/help */
int product_page_styleguide(struct req *r); /* GET /admin/styleguide */
extern const struct personal_table *const product_personal_tables[]; /* product/personal.c */
#endif
