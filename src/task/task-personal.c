/* Where tasks name people. Erasures that are under way have to know whom they erase. */
#include "task/task-internal.h"

DB_STMT(tasks_personal, "SELECT id, title, args, position, error FROM tasks WHERE account_id = ? "
			"AND id > ? AND (kind NOT LIKE 'privacy.%' OR finished_at IS NOT NULL)"
			" ORDER BY id LIMIT ?");
DB_STMT(tasks_personal_lock,
    "SELECT title, args, position, error FROM tasks WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(tasks_personal_put, "UPDATE tasks SET title = ?, args = ?, position = ?, error = ? WHERE "
			    "account_id = ? AND id = ?");
DB_STMT(task_args_put, "UPDATE tasks SET args = ? WHERE account_id = ? AND id = ?");

int task_forget_args(struct db *db, const struct uuid *account_id, const struct uuid *id,
    struct str args, struct err *err)
{
	return db_exec(db, &task_args_put, DB_VALS(db_strn(args), db_uuid(account_id), db_uuid(id)),
	    NULL, err);
}

const struct personal_table tasks_personal_table = {.name = "tasks",
    .label = "Tasks",
    .next = &tasks_personal,
    .lock = &tasks_personal_lock,
    .put = &tasks_personal_put,
    .forms = {PERSONAL_TEXT, PERSONAL_JSON, PERSONAL_JSON, PERSONAL_TEXT}};
