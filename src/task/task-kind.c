/* The kinds of tasks that this product has, and the words of their life. */
#include "task/task.h"

static const char *const names[] = {
    [TASK_DRAFT] = "draft",
    [TASK_QUEUED] = "queued",
    [TASK_RUNNING] = "running",
    [TASK_COMPLETED] = "completed",
    [TASK_FAILED] = "failed",
    [TASK_CANCELLED] = "cancelled",
};

const char *task_status_name(enum task_status status)
{
	return names[status];
}

const struct task_kind *task_kind(const struct app *app, const char *name)
{
	const struct task_kind *const *kind = app->hooks.task_kinds;

	for (; kind != NULL && *kind != NULL; kind++)
		if (strcmp((*kind)->name, name) == 0)
			return *kind;
	return NULL;
}

const struct word task_statuses[] = {{"queued", "Queued"}, {"running", "Running"},
    {"completed", "Completed"}, {"failed", "Failed"}, {"cancelled", "Cancelled"}, {NULL, NULL}};

bool task_is_open(const struct task *t)
{
	return t->status == TASK_QUEUED || t->status == TASK_RUNNING;
}
