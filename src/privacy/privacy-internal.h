/* What the files of this feature share. */
#ifndef PRIVACY_PRIVACY_INTERNAL_H
#define PRIVACY_PRIVACY_INTERNAL_H
#include "db/personal.h"
#include "privacy/privacy.h"

/* A task's arguments: whom it is about. */
struct str privacy_args(struct arena *a, const struct privacy_subject *s);
int privacy_args_read(
    struct arena *a, const struct task *t, struct privacy_subject *out, struct err *err);

/* Where a task is: a pass through all tables, and what it found in which. */
struct privacy_place {
	int64_t pass, table, found; /* found: in this pass */
	struct str after;           /* key of the table's last row that was seen */
	json_t *counts;             /* by table's name, of all passes */
	int64_t size;               /* of an export's file */
	bool is_ended;              /* nothing is left but to say so */
};
int privacy_place_read(
    struct arena *a, const struct task *t, struct privacy_place *out, struct err *err);
struct str privacy_place_text(struct arena *a, const struct privacy_place *p);
/* Adds to a count. */
void privacy_count(json_t *counts, const char *name, int64_t n);
/* The table of that index; NULL behind the last. */
const struct personal_table *privacy_table(const struct app *app, int64_t index);
int64_t privacy_tables(const struct app *app);

/* Answers with the file of the task that the route's :id names. */
int privacy_answer_file(struct req *r);
/* Exports of the account that name the person go: how many; with is_dry they stay. -1. */
int privacy_exports_forget(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct person_names *p, bool is_dry, int64_t *n, struct err *err);
#endif
