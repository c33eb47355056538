/* Imports of the leads that a provider has already: a task for each connection (poll-fill.h), which
 * reads them page by page. What is here already stays one: provider and provider's id tell. */
#ifndef INTAKE_LEAD_IMPORT_H
#define INTAKE_LEAD_IMPORT_H
#include "http/http.h"
#include "job/job.h"
#include "task/task.h"

#define LEAD_IMPORT_PAGE "/admin/leads/import"

extern const struct task_kind lead_import_task;
int lead_import_job(struct job *j, struct err *err); /* lead.import, subject: the task */

struct lead_import_wish {
	struct str provider_type;
	struct str form_id;        /* {NULL,0}: all forms */
	struct uuid connection_id; /* nil: each of the provider */
	int64_t since_us;          /* TIME_NONE: all that the provider has */
};
/* Begins them for the request's account, with a row of the audit log each: of one form a single
 * task, else one a connection. One that is under way and was asked for with the same words is given
 * again. ERR_INVALID with the field that is wrong. */
int lead_import_begin(struct req *r, const struct lead_import_wish *wish, struct uuid *ids,
    size_t max, size_t *n, struct err *err);

int lead_import_api(struct req *r);         /* POST /leads/import */
int lead_import_page(struct req *r);        /* GET /admin/leads/import */
int lead_import_page_begin(struct req *r);  /* POST /admin/leads/import */
int lead_import_page_cancel(struct req *r); /* POST /admin/leads/import/:id/cancel */
#endif
