/* The erasure: a task in passes through all tables and files. Each step is a slice of a table in a
 * transaction with its place, so it goes on where it was after a crash; what is erased twice is
 * erased once. What came in while a pass was under way is found by the next. */
#include "account/audit.h"
#include "base/clock.h"
#include "crm/crm.h"
#include "import/import.h"
#include "intake/erase.h"
#include "lead/lead.h"
#include "privacy/privacy-internal.h"
#include "record/record.h"

#define RUN_BUDGET_US 200000
#define PASSES 5 /* somebody may send the person again and again */

const struct task_kind privacy_erase_task = {.name = "privacy.erase",
    .job = "privacy.erase",
    .untitled = "A person erased",
    .received = {"Passed", "tables"},
    .updated = {"Erased", "entries"}};

/* ---- the request --------------------------------------------------------------------------- */

struct privacy_beginning {
	const struct task_kind *kind;
	const struct privacy_subject *s;
	struct task *t;
};

static int privacy_begin_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct privacy_beginning *b = arg;
	struct arena *a = arena_new();
	json_t *details = json_own(a, json_object());
	int rc;

	b->t->args = privacy_args(a, b->s);
	rc = task_queue(db, b->kind, b->t, NULL, err);
	/* how they were named, and never who it is */
	json_set_str(details, "by", b->s->by);
	if (rc == 0)
		audit_fact(log, b->kind->name, "task", &b->t->id, details);
	b->t->args = (struct str){NULL, 0};
	arena_free(a);
	return rc;
}

int privacy_begin(struct app *app, const struct req *r, const struct task_kind *kind,
    const struct privacy_subject *s, struct task *t, struct err *err)
{
	struct privacy_beginning b = {kind, s, t};

	*t = (struct task){.account_id = s->account_id, .total = privacy_tables(app) + 1};
	if (r != NULL)
		t->created_by = r->actor.user_id;
	return audit_change(app, r, &s->account_id, privacy_begin_body, &b, err);
}

/* ---- the job ------------------------------------------------------------------------------- */

struct privacy_erasing {
	struct task_run *run;
	struct privacy_subject subject;
	int64_t until_us;
};

/* What the destinations have of a lead stays theirs to erase; but what they tell of it from before
 * does not come in. */
static int erase_note_copies(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, struct err *err)
{
	struct crm_copy *copies;
	size_t n;

	if (crm_copies_of_lead(app, a, account_id, lead_id, &copies, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (erasure_note(app, a, account_id, copies[i].provider_type,
			copies[i].resource_type, copies[i].external_id, err) == -1)
			return -1;
	return 0;
}

static int erase_note_copies_of_record(struct app *app, struct arena *a,
    const struct uuid *account_id, const struct uuid *record_id, struct err *err)
{
	struct uuid lead_id;
	int found = crm_lead_of_record(app, a, account_id, record_id, &lead_id, err);

	return found == 1 ? erase_note_copies(app, a, account_id, &lead_id, err) : found;
}

/* What is known only while it is there. */
static int erase_own_begin(struct personal_walk *w, struct arena *a, const struct uuid *id,
    int64_t *deliveries, struct err *err)
{
	*deliveries = 0;
	if (w->table == &records_personal_table)
		return erase_note_copies_of_record(w->app, a, &w->account_id, id, err);
	if (erase_note_copies(w->app, a, &w->account_id, id, err) == -1)
		return -1;
	return crm_count_of_lead(w->app, a, &w->account_id, id, deliveries, err);
}

static int erase_own(
    struct personal_walk *w, struct arena *a, const struct uuid *id, struct err *err)
{
	struct erased gone = {.events = 0};
	bool is_record = w->table == &records_personal_table;
	int64_t deliveries;
	int rc;

	if (erase_own_begin(w, a, id, &deliveries, err) == -1)
		return -1;
	rc = is_record ? erase_record(w->app, a, &w->account_id, id, w->person, &gone, err)
		       : erase_lead(w->app, a, &w->account_id, id, w->person, &gone, err);
	privacy_count(w->arg, events_personal_table.name, gone.events);
	privacy_count(w->arg, "deliveries", deliveries);
	/* what goes with it is not met as a row of its own */
	privacy_count(w->arg, leads_personal_table.name, is_record && !uuid_is_nil(gone.lead_id));
	privacy_count(
	    w->arg, records_personal_table.name, !is_record && !uuid_is_nil(gone.record_id));
	return rc == -1 ? -1 : 0;
}

/* The record that was named: it may have no field that is an address. */
static int erase_named(
    struct privacy_erasing *e, struct arena *a, struct privacy_place *place, struct err *err)
{
	struct erased gone = {.events = 0};
	int rc;

	if (place->pass > 0 || place->table > 0 || uuid_is_nil(e->subject.record_id))
		return 0;
	if (erase_note_copies_of_record(
		e->run->job->app, a, &e->subject.account_id, &e->subject.record_id, err) == -1)
		return -1;
	rc = erase_record(e->run->job->app, a, &e->subject.account_id, &e->subject.record_id,
	    &e->subject.person, &gone, err);
	if (rc == 1)
		privacy_count(place->counts, records_personal_table.name, 1);
	privacy_count(place->counts, events_personal_table.name, gone.events);
	place->found += rc == 1;
	return rc == -1 ? -1 : 0;
}

/* A slice of the table that it is at. */
static int erase_slice(struct privacy_erasing *e, struct db *db, struct arena *a,
    struct privacy_place *place, const struct personal_table *table, struct err *err)
{
	struct personal_walk w = {.app = e->run->job->app,
	    .db = db,
	    .account_id = e->subject.account_id,
	    .person = &e->subject.person,
	    .table = table,
	    .after = place->after,
	    .own = erase_own,
	    .arg = place->counts};
	int more = personal_walk_on(&w, a, err);

	if (more == -1)
		return -1;
	place->found += w.found;
	place->after = w.after;
	privacy_count(place->counts, table->name, w.found);
	if (more == 0) {
		place->table++;
		place->after = (struct str){"", 0};
	}
	return 0;
}

static int erase_files(
    struct privacy_erasing *e, struct arena *a, struct privacy_place *place, struct err *err)
{
	struct app *app = e->run->job->app;
	const struct privacy_subject *s = &e->subject;
	int64_t rows = 0, exports = 0;

	if (import_files_forget(app, a, &s->account_id, &s->person, false, &rows, err) == -1 ||
	    privacy_exports_forget(app, a, &s->account_id, &s->person, false, &exports, err) == -1)
		return -1;
	privacy_count(place->counts, "importFileRows", rows);
	privacy_count(place->counts, "exports", exports);
	place->found += rows + exports;
	return 0;
}

/* The pass is over, and perhaps it was the last. */
static void erase_end_pass(struct privacy_place *place)
{
	place->pass++;
	place->is_ended = place->found == 0 || place->pass == PASSES;
	place->table = place->is_ended ? place->table : 0;
	place->found = 0;
}

/* The log says how much went, by table, and never of whom; what was asked is forgotten. */
static int erase_end(
    struct privacy_erasing *e, struct arena *a, const struct privacy_place *place, struct err *err)
{
	struct app *app = e->run->job->app;
	json_t *args = json_own(a, json_object()), *details = json_own(a, json_object());

	json_set_str(args, "by", e->subject.by);
	json_set_str(details, "by", e->subject.by);
	json_set(details, "counts", json_incref(place->counts));
	return task_forget_args(
		   app->db, &e->subject.account_id, &e->run->task.id, json_text(a, args), err) == -1
		   ? -1
		   : audit_fact_within(app, a, &e->subject.account_id, "privacy.erased", "task",
			 &e->run->task.id, details, err);
}

static int64_t counts_sum(const json_t *counts)
{
	const char *name;
	json_t *n;
	int64_t sum = 0;

	json_object_each(counts, name, n)
		sum += json_integer_value(n);
	return sum;
}

static int erase_step(struct privacy_erasing *e, struct db *db, struct arena *a,
    struct privacy_place *place, struct err *err)
{
	const struct personal_table *table;

	if (erase_named(e, a, place, err) == -1)
		return -1;
	table = privacy_table(e->run->job->app, place->table);
	if (table != NULL)
		return erase_slice(e, db, a, place, table, err);
	if (erase_files(e, a, place, err) == -1)
		return -1;
	erase_end_pass(place);
	return 0;
}

static int erase_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	struct privacy_erasing *e = arg;
	struct privacy_place place;

	if (privacy_place_read(a, next, &place, err) == -1)
		return -1;
	if (place.is_ended) {
		next->done = next->total;
		*then = TASK_DONE;
		return erase_end(e, a, &place, err);
	}
	if (erase_step(e, db, a, &place, err) == -1)
		return -1;
	next->counts.updated = counts_sum(place.counts);
	next->counts.received = place.table;
	next->done = place.table;
	next->position = privacy_place_text(a, &place);
	if (!place.is_ended && clock_mono_us() > e->until_us)
		*then = TASK_AGAIN;
	return 0;
}

int privacy_job_erase(struct job *j, struct err *err)
{
	struct privacy_erasing e = {.until_us = clock_mono_us() + RUN_BUDGET_US};
	int rc = task_run_begin(j, &privacy_erase_task, &e.run, err);

	if (rc != 1)
		return rc;
	rc = privacy_args_read(j->a, &e.run->task, &e.subject, err);
	while (rc == 0 && !e.run->is_over)
		rc = task_run_step(e.run, erase_work, &e, err);
	return rc == -1 ? task_run_fail(e.run, false, err) : 0;
}
