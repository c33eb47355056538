/* JSON handlers of the records. */
#include "base/clock.h"
#include "base/limits.h"
#include "record/record.h"

int record_api_list(struct req *r)
{
	struct record_filter f = {0};
	struct record_memory memory;
	struct record_slice slice = {.memory = &memory, .is_written = true};
	struct err err = ERR_INIT;

	if (!slice_read(r, &list_of_records, &f, &slice.s))
		return res_invalid(r);
	record_memory_read(&memory, slice.s.after.note);
	if (record_list(r->app, r->a, &f, &slice, &err) == -1 ||
	    record_count(r->app, r->a, &f, &slice.s.total, &err) == -1)
		return res_error(r, &err);
	slice.s.last.note = record_memory_text(r->a, &memory);
	return res_slice(r, &slice.s);
}

int record_api_get(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	json_t *record;
	int found;

	struct opt_time at = req_query_time(r, "at");

	if (!req_param_uuid(r, "id", &id))
		return 0;
	if (req_has_invalid(r))
		return res_invalid(r);
	found = at.is_given
		    ? record_get_at(r->app, r->a, &r->actor.account_id, &id, at.us, &record, &err)
		    : record_get_written(r->app, r->a, &r->actor.account_id, &id, &record, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such record");
	return res_json(r, 200, json_incref(record));
}

int record_api_summary(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *summary;

	if (record_summary(r->app, r->a, &r->actor.account_id, &summary, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, json_incref(summary));
}

int record_api_history(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	json_t *record, *rows;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = record_get_json(r->app, r->a, &r->actor.account_id, &id, &record, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such record");
	if (found == -1 ||
	    record_history(r->app, r->a, &r->actor.account_id, &id, &rows, &err) == -1)
		return res_error(r, &err);
	return res_whole(r, rows, RECORD_HISTORY_ROWS);
}
