/* The record as it was at a time: the present, with the newer changes taken back. */
#include "base/clock.h"
#include "record/record-undo.h"
#include "record/record.h"

#define PAGE 50 /* changes read at once */

DB_STMT(record_asof_changes,
    "SELECT id, at, source, changes FROM record_changes"
    " WHERE account_id = ? AND record_id = ? AND id < ? ORDER BY id DESC LIMIT 50");
enum { CHANGE_ID, CHANGE_AT, CHANGE_SOURCE, CHANGE_CHANGES };
DB_STMT(record_asof_provider_time,
    "SELECT MAX(provider_at) FROM record_changes WHERE account_id = ? AND record_id = ?"
    " AND id <= ?");

/* A walk from the present into the past. */
struct asof_walk {
	struct app *app;
	struct arena *a;
	const struct uuid *account_id, *id;
	int64_t at_us;
	json_t *data;         /* as far back as the walk got */
	struct uuid position; /* of the last change looked at */
	/* the change that made it so: */
	int64_t made_us;
	const char *source;
};

/* 1: a change that was made by then; 0: none of this page; -1. *n counts the rows. */
static int asof_walk_page(struct asof_walk *w, struct arena *a, size_t *n, struct err *err)
{
	struct db_rows rows;

	*n = 0;
	if (db_query(w->app->db, a, &record_asof_changes,
		DB_VALS(db_uuid(w->account_id), db_uuid(w->id), db_uuid(&w->position)), &rows,
		err) == -1)
		return -1;
	*n = rows.count;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *changes;

		w->position = db_get_uuid(&rows, i, CHANGE_ID);
		w->made_us = db_get_int(&rows, i, CHANGE_AT);
		if (w->made_us <= w->at_us) {
			w->source = arena_strdup(w->a, db_get_text(&rows, i, CHANGE_SOURCE));
			return 1;
		}
		if ((changes = json_parse_stored(a, db_get_str(&rows, i, CHANGE_CHANGES), err)) ==
		    NULL)
			return err_prefix(err, "stored change");
		record_undo(a, w->data, changes);
	}
	return 0;
}

static int asof_walk_back(struct asof_walk *w, struct err *err)
{
	size_t n;
	int found;

	memset(w->position.b, 0xff, sizeof(w->position.b));
	do {
		struct arena *a = arena_new();

		found = asof_walk_page(w, a, &n, err);
		arena_free(a);
	} while (found == 0 && n == PAGE);
	return found;
}

int record_get_at(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, int64_t at_us, json_t **out, struct err *err)
{
	struct asof_walk w = {
	    .app = app, .a = a, .account_id = account_id, .id = id, .at_us = at_us};
	struct db_rows rows;
	int found = record_get_json(app, a, account_id, id, out, err);

	if (found != 1)
		return found;
	w.data = json_object_get(*out, "data");
	if ((found = asof_walk_back(&w, err)) != 1)
		return found;
	found = db_row(app->db, a, &record_asof_provider_time,
	    DB_VALS(db_uuid(account_id), db_uuid(id), db_uuid(&w.position)), &rows, err);
	if (found == -1)
		return -1;
	json_set_str(*out, "source", w.source);
	json_set_time(*out, "updatedAt", w.made_us);
	json_set_known_time(
	    *out, "providerUpdatedAt", found == 1 ? db_get_time(&rows, 0, 0) : TIME_NONE);
	json_set_known_time(*out, "asOf", at_us);
	return 1;
}
