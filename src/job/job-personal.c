/* Where jobs name people. */
#include "job/job-internal.h"

DB_STMT(jobs_personal, "SELECT id, args, last_error FROM jobs WHERE account_id = ? AND id > ?"
		       " ORDER BY id LIMIT ?");
DB_STMT(jobs_personal_lock,
    "SELECT args, last_error FROM jobs WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(
    jobs_personal_put, "UPDATE jobs SET args = ?, last_error = ? WHERE account_id = ? AND id = ?");
const struct personal_table jobs_personal_table = {.name = "jobs",
    .label = "Jobs",
    .next = &jobs_personal,
    .lock = &jobs_personal_lock,
    .put = &jobs_personal_put,
    .forms = {PERSONAL_JSON, PERSONAL_TEXT}};

DB_STMT(breakers_personal,
    "SELECT target_id, last_error FROM job_breakers WHERE account_id = ? AND target_id > ?"
    " ORDER BY target_id LIMIT ?");
DB_STMT(breakers_personal_lock,
    "SELECT last_error FROM job_breakers WHERE account_id = ? AND target_id = ? FOR UPDATE");
DB_STMT(breakers_personal_put,
    "UPDATE job_breakers SET last_error = ? WHERE account_id = ? AND target_id = ?");
const struct personal_table breakers_personal_table = {.name = "breakers",
    .label = "Troubles of destinations",
    .next = &breakers_personal,
    .lock = &breakers_personal_lock,
    .put = &breakers_personal_put,
    .forms = {PERSONAL_TEXT}};
