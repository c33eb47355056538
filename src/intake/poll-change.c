/* What people do to polls, whether in the pages or by the API: each act with its row of the audit
 * log. And how both show them. */
#include "intake/poll-change.h"
#include "account/audit.h"
#include "base/clock.h"

#define KIND "connection"

/* ---- as API and pages show them ------------------------------------------------------------ */

json_t *poll_counts_json(const struct poll_counts *c)
{
	json_t *o = json_object();

	json_set_int(o, "seen", c->seen);
	json_set_int(o, "new", c->created);
	json_set_int(o, "changed", c->changed);
	return o;
}

const char *poll_status(const struct poll_row *row)
{
	if (row->is_paused)
		return "paused";
	if (row->failures > 0)
		return "failing";
	return row->place.p != NULL ? "running" : "waiting";
}

int64_t poll_interval_s(const struct poll_row *row, const struct poll_spec *spec)
{
	return row->interval_s > 0 ? row->interval_s : spec->interval_s;
}

static json_t *reconciled_json(const struct poll_row *row)
{
	json_t *o = json_object();

	json_set_time(o, "at", row->reconciled_us);
	json_set_int(o, "compared", row->reconciled_seen);
	json_set_int(o, "missed", row->reconciled_missed);
	json_set_int(o, "missedInAll", row->missed);
	return o;
}

json_t *poll_json(const struct poll_row *row, const struct poll_spec *spec)
{
	int64_t now_us = clock_now_us();
	json_t *o = json_object();

	json_set_str(o, "name", row->name);
	json_set_str(o, "label", spec->label);
	json_set_str(o, "resourceType", spec->resource_type);
	json_set_str(o, "kind", poll_kind_name(spec->cursor.kind));
	json_set_str(o, "status", poll_status(row));
	json_set_int(o, "intervalSeconds", poll_interval_s(row, spec));
	if (spec->page.input != NULL)
		json_set_int(o, "pageSize", row->page_size > 0 ? row->page_size : spec->page.size);
	json_set_time(o, "lastRunAt", row->ended_us);
	json_set_time(o, "nextRunAt", row->is_paused ? 0 : row->next_us);
	json_set_time(o, "upToDateAt", row->covered_us);
	if (row->covered_us != 0)
		json_set_int(o, "lagSeconds", (now_us - row->covered_us) / SECOND_US);
	else
		json_set(o, "lagSeconds", json_null());
	json_set(o, "items", poll_counts_json(&row->all));
	json_set(o, "lastRound", poll_counts_json(&row->round));
	if (spec->has_lead)
		json_set(o, "reconciled", reconciled_json(row));
	json_set_str(o, "error", row->last_error);
	json_set_str(o, "note", row->note);
	return o;
}

/* It rests until its credentials are there. */
static void poll_tell_lacking(
    struct arena *a, const struct connection *c, const struct poll_spec *spec, json_t *poll)
{
	const char *lacking = poll_lacks(a, c->provider, spec, &c->access);

	if (lacking == NULL || strcmp(json_str(poll, "status"), "paused") == 0)
		return;
	json_set_str(poll, "status", "idle");
	json_set(poll, "nextRunAt", json_null());
	json_set_str(poll, "note", arena_printf(a, "Rests until there is a %s", lacking));
}

int polls_json(
    struct app *app, struct arena *a, const struct connection *c, json_t *list, struct err *err)
{
	struct poll_row *rows;
	size_t n;

	if (polls_load(app->db, a, &c->account_id, &c->id, false, &rows, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct poll_spec *spec = provider_find_poll(c->provider, rows[i].name);

		if (spec == NULL)
			continue;
		json_array_append_new(list, poll_json(&rows[i], spec));
		poll_tell_lacking(a, c, spec, json_array_get(list, json_array_size(list) - 1));
	}
	return 0;
}

/* ---- acts ---------------------------------------------------------------------------------- */

struct poll_editing {
	const struct poll_actor *by;
	const struct connection *c;
	const struct poll_spec *spec;
	const struct poll_edit *edit;
	struct poll_row row;
	bool is_found;
};

static json_t *poll_audited(struct arena *a, const struct poll_row *row)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "poll", row->name);
	json_set_bool(o, "isPaused", row->is_paused);
	json_set_int(o, "intervalSeconds", row->interval_s);
	json_set_int(o, "pageSize", row->page_size);
	return o;
}

static int poll_edit_apply(const struct poll_edit *edit, struct poll_row *row, struct err *err)
{
	int64_t now_us = clock_now_us();

	switch (edit->act) {
	case POLL_RUN:
		if (row->is_paused)
			return err_set(err, ERR_CONFLICT, "the poll is paused: resume it first");
		row->next_us = now_us;
		return 0;
	case POLL_PAUSE:
		row->is_paused = true;
		return 0;
	case POLL_RESUME:
		row->is_paused = false;
		row->next_us = now_us;
		return 0;
	case POLL_SET:
		if (edit->has_interval)
			row->interval_s = edit->interval_s;
		if (edit->has_page_size)
			row->page_size = edit->page_size;
		row->next_us = now_us;
		return 0;
	}
	return 0;
}

static struct poll_row *poll_find_row(struct poll_row *rows, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* All rows of the connection are held, as a run that ends holds them: it sees this act, or this
 * brings its job. */
static int poll_edit_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct poll_editing *e = arg;
	struct arena *a = e->by->a;
	struct poll_row *rows, *row;
	json_t *before;
	size_t n;

	if (polls_load(db, a, &e->c->account_id, &e->c->id, true, &rows, &n, err) == -1)
		return -1;
	row = poll_find_row(rows, n, e->spec->name);
	e->is_found = row != NULL;
	if (row == NULL)
		return 1;
	before = poll_audited(a, row);
	if (poll_edit_apply(e->edit, row, err) == -1 || poll_set_row(db, row, err) == -1)
		return -1;
	/* Once more, too, where a call is under way: what it stores would put this off. */
	if (poll_now(db, &e->c->account_id, &e->c->id, row->name, err) == -1)
		return -1;
	e->row = *row;
	if (e->edit->act == POLL_RUN)
		audit_fact(log, "poll.run", KIND, &e->c->id, before);
	else
		audit_note(
		    log, "poll.update", KIND, &e->c->id, e->c->name, before, poll_audited(a, row));
	return 0;
}

int poll_edit(const struct poll_actor *by, const struct connection *c, const struct poll_spec *spec,
    const struct poll_edit *edit, struct poll_row *out, struct err *err)
{
	struct poll_editing e = {.by = by, .c = c, .spec = spec, .edit = edit};
	int rc = audit_change(by->app, by->r, &c->account_id, poll_edit_body, &e, err);

	*out = e.row;
	return rc == -1 ? -1 : e.is_found;
}
