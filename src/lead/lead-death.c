/* Leads whose job was given up, and how they get another go. */
#include "base/clock.h"
#include "base/limits.h"
#include "lead/lead-internal.h"

DB_STMT(lead_fail, "UPDATE leads SET stage = '" LEAD_FAILED "', stage_error = ?, updated_at = ?"
		   " WHERE account_id = ? AND id = ? AND stage = '" LEAD_RECEIVED "'");
#define BACK_TO_RECEIVED                                                                           \
	"UPDATE leads SET stage = '" LEAD_RECEIVED "', stage_error = NULL, updated_at = ?"         \
	" WHERE account_id = ? AND stage IN ('" LEAD_FAILED "','" LEAD_INCOMPLETE "')"
DB_STMT_ROWS(leads_receive_again, BACK_TO_RECEIVED " AND id IN (", "?", ")");
DB_STMT(leads_incomplete,
    "SELECT id FROM leads FORCE INDEX (leads_recent) WHERE account_id = ? AND received_at >= ?"
    " AND connection_id = ? AND stage = '" LEAD_INCOMPLETE "' LIMIT ?");
DB_STMT(lead_unready,
    "SELECT connection_id FROM leads WHERE account_id = ? AND id = ? AND stage <> '" LEAD_READY
    "' FOR UPDATE");

struct job lead_process_job(
    const struct uuid *account_id, const struct uuid *lead_id, const struct uuid *connection_id)
{
	return (struct job){.id = *lead_id,
	    .account_id = *account_id,
	    .kind = "lead.process",
	    .target_id = *connection_id,
	    .subject_id = *lead_id};
}

int lead_job_died(struct db *db, struct job *j, const char *why, struct err *err)
{
	return db_exec(db, &lead_fail,
	    DB_VALS(db_strn(utf8_clean(j->a, str_from(why), STAGE_ERROR_BYTES)),
		db_int(clock_now_us()), db_uuid(&j->account_id), db_uuid(&j->subject_id)),
	    NULL, err);
}

int lead_jobs_revived(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *subjects, size_t n, struct err *err)
{
	struct db_val *ids = arena_array(a, n + 1, sizeof(*ids));

	for (size_t i = 0; i < n; i++)
		ids[i] = db_uuid(&subjects[i]);
	return db_exec_rows(db, &leads_receive_again,
	    DB_VALS(db_int(clock_now_us()), db_uuid(account_id)), ids, n, 1, NULL, err);
}

int lead_process_again(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct err *err)
{
	struct db_rows rows;
	int found =
	    db_row(db, a, &lead_unready, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);
	struct uuid connection_id;
	struct job job;

	if (found != 1)
		return found;
	connection_id = db_get_uuid(&rows, 0, 0);
	job = lead_process_job(account_id, id, &connection_id);
	if (lead_jobs_revived(db, a, account_id, id, 1, err) == -1 ||
	    job_run_now(db, &job, err) == -1)
		return -1;
	return 1;
}

int lead_retry_incomplete(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, int64_t since_us, int64_t most, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &leads_incomplete,
		DB_VALS(
		    db_uuid(account_id), db_int(since_us), db_uuid(connection_id), db_int(most)),
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);

		if (lead_process_again(db, a, account_id, &id, err) == -1)
			return -1;
	}
	return 0;
}
