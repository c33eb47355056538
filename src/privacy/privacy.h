/* People who ask what is kept of them, or that it be erased: by email address, phone number, or a
 * record of theirs.
 *
 * Theirs are the leads and records with a field that is their address or number; those go whole,
 * with history, search words, deliveries and attempts, and with what the requests that brought them
 * say of them. Where they are but mentioned (a note, a refused row, a task's arguments, an error),
 * the mention is replaced. All of it is one task, in passes, until a pass finds nothing; what the
 * task was asked is forgotten at its end. The audit log says that it was done and how much went,
 * never whose it was.
 *
 *	wish ──> subject ──┬──> preview: a count for each table, nothing changes
 *	                   ├──> privacy.erase:  record ─> tables, by slices ─> files ─> again,
 *	                   │                    or done
 *	                   └──> privacy.export: tables, by slices ─> exports/TASK.json
 *
 * What a provider told of an id before it was erased does not bring it back (intake/erasures.c);
 * what it tells afterwards is new data. */
#ifndef PRIVACY_PRIVACY_H
#define PRIVACY_PRIVACY_H
#include "base/person.h"
#include "http/http.h"
#include "job/job.h"
#include "task/task.h"

/* Whom: one of them. */
struct privacy_wish {
	struct str email, phone, record_id;
};
struct privacy_subject {
	struct uuid account_id, record_id; /* nil: none was named */
	const char *by;                    /* "email", "phone", "recordId" */
	struct person_names person;
};
/* 1; 0 there is no such record; -1: ERR_INVALID says what is wrong with the wish, err->field
 * where. */
int privacy_subject(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct privacy_wish *wish, struct privacy_subject *out, struct err *err);

/* What would go: {"dryRun", "total", "isComplete", "counts": {"leads": 1, …}}. isComplete is false
 * where time was over before all was seen. 0, -1. */
int privacy_preview(struct app *app, struct arena *a, const struct privacy_subject *s, json_t **out,
    struct err *err);

extern const struct task_kind privacy_erase_task, privacy_export_task;
/* Begins such a task, with a row of the audit log; r NULL is the operator's tool. */
int privacy_begin(struct app *app, const struct req *r, const struct task_kind *kind,
    const struct privacy_subject *s, struct task *t, struct err *err);
int privacy_job_erase(struct job *j, struct err *err);
int privacy_job_export(struct job *j, struct err *err);
/* Periodic: exports of more than a week go, and notes of what was erased of more than two years. */
int privacy_purge(struct app *app, struct err *err);

int privacy_api_erase(struct req *r);
int privacy_api_export(struct req *r);
int privacy_api_file(struct req *r);
int privacy_page(struct req *r);
int privacy_page_post(struct req *r);
int privacy_page_file(struct req *r);
#endif
