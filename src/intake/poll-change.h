/* What API and pages of the polls share. */
#ifndef INTAKE_POLL_CHANGE_H
#define INTAKE_POLL_CHANGE_H
#include "http/http.h"
#include "intake/poll-internal.h"

int64_t poll_interval_s(const struct poll_row *row, const struct poll_spec *spec);
/* As the API shows it; a new reference. */
json_t *poll_json(const struct poll_row *row, const struct poll_spec *spec);
/* Adds those of a connection to the list. */
int polls_json(
    struct app *app, struct arena *a, const struct connection *c, json_t *list, struct err *err);

enum poll_act { POLL_RUN, POLL_PAUSE, POLL_RESUME, POLL_SET };
struct poll_edit {
	enum poll_act act;
	bool has_interval, has_page_size;
	int64_t interval_s, page_size; /* 0: as the manifest has it again */
};
/* Who acts: r NULL is the operator's tool. */
struct poll_actor {
	struct app *app;
	struct arena *a;
	const struct req *r;
};
static inline struct poll_actor poll_actor_of(const struct req *r)
{
	return (struct poll_actor){r->app, r->a, r};
}
/* 1 with the row as it is then, 0 there is none, -1 (ERR_CONFLICT: a paused one does not run). */
int poll_edit(const struct poll_actor *by, const struct connection *c, const struct poll_spec *spec,
    const struct poll_edit *edit, struct poll_row *out, struct err *err);

/* Begins a back-fill (poll-backfill.c): ERR_INVALID on "since", ERR_CONFLICT while one is under
 * way. */
int poll_backfill(const struct poll_actor *by, const struct connection *c,
    const struct poll_spec *spec, int64_t since_us, struct task *out, struct err *err);
#endif
