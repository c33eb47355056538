/* The tables one after the other, and what a walk through them finds. */
#include "base/clock.h"
#include "crm/crm.h"
#include "import/import.h"
#include "intake/erase.h"
#include "privacy/privacy-internal.h"

#define PREVIEW_US INT64_C(8000000)

const struct personal_table *privacy_table(const struct app *app, int64_t index)
{
	const struct personal_table *const *tables = app->hooks.personal_tables;

	for (int64_t i = 0; tables != NULL && tables[i] != NULL; i++)
		if (i == index)
			return tables[i];
	return NULL;
}

int64_t privacy_tables(const struct app *app)
{
	int64_t n = 0;

	while (privacy_table(app, n) != NULL)
		n++;
	return n;
}

void privacy_count(json_t *counts, const char *name, int64_t n)
{
	if (n > 0)
		json_set_int(counts, name, json_int(counts, name) + n);
}

/* ---- places -------------------------------------------------------------------------------- */

int privacy_place_read(
    struct arena *a, const struct task *t, struct privacy_place *out, struct err *err)
{
	json_t *o = t->position.p == NULL ? json_own(a, json_object())
					  : json_parse_stored(a, t->position, err);
	struct str hex;
	char *after;
	long n;

	if (o == NULL)
		return -1;
	hex = str_from(json_str(o, "after"));
	after = arena_alloc(a, hex.n / 2 + 1);
	*out = (struct privacy_place){.pass = json_int(o, "pass"),
	    .table = json_int(o, "table"),
	    .found = json_int(o, "found"),
	    .size = json_int(o, "size"),
	    .is_ended = json_bool(o, "isEnded"),
	    .counts = json_object_get(o, "counts")};
	if (out->counts == NULL)
		out->counts = json_own(a, json_object());
	n = hex.n == 0 ? 0 : hex_decode(after, hex.n / 2, hex);
	out->after = (struct str){after, n < 0 ? 0 : (size_t)n};
	return 0;
}

struct str privacy_place_text(struct arena *a, const struct privacy_place *p)
{
	json_t *o = json_own(a, json_object());
	struct buf *hex = buf_new(a, p->after.n * 2 + 1);

	hex_encode(hex, p->after.p, p->after.n);
	json_set_int(o, "pass", p->pass);
	json_set_int(o, "table", p->table);
	json_set_int(o, "found", p->found);
	json_set_int(o, "size", p->size);
	json_set_bool(o, "isEnded", p->is_ended);
	json_set_strn(o, "after", (struct str){hex->len == 0 ? "" : hex->p, hex->len});
	json_set(o, "counts", json_incref(p->counts));
	return json_text(a, o);
}

/* ---- what would go ------------------------------------------------------------------------- */

/* Of a lead or record that is theirs: what goes with it, and need not name them. */
static int preview_see(struct personal_walk *w, struct arena *a, const struct db_rows *rows,
    size_t row, bool is_own, struct err *err)
{
	struct uuid id = db_get_uuid(rows, row, 0);
	int64_t events = 0, changes = 0, deliveries = 0;

	if (!is_own)
		return 0;
	if (w->table == &records_personal_table) {
		if (erase_count_of_record(
			w->app, a, &w->account_id, &id, w->person, &events, &changes, err) == -1)
			return -1;
	} else if (crm_count_of_lead(w->app, a, &w->account_id, &id, &deliveries, err) == -1) {
		return -1;
	}
	privacy_count(w->arg, events_personal_table.name, events);
	privacy_count(w->arg, "recordChanges", changes);
	privacy_count(w->arg, "deliveries", deliveries);
	return 0;
}

/* One table: 1 all of it was seen, 0 time is over, -1. */
static int preview_table(
    struct personal_walk *w, struct arena *a, int64_t until_us, struct err *err)
{
	int more = 1;

	w->after = (struct str){"", 0};
	w->found = 0;
	while (more == 1 && clock_mono_us() < until_us) {
		struct arena *own = arena_new();

		more = personal_walk_on(w, own, err);
		w->after = str_copy(a, w->after);
		arena_free(own);
	}
	privacy_count(w->arg, w->table->name, w->found);
	return more == -1 ? -1 : more == 0;
}

static int preview_files(struct app *app, struct arena *a, const struct privacy_subject *s,
    json_t *counts, struct err *err)
{
	int64_t rows = 0, exports = 0;

	if (import_files_forget(app, a, &s->account_id, &s->person, true, &rows, err) == -1 ||
	    privacy_exports_forget(app, a, &s->account_id, &s->person, true, &exports, err) == -1)
		return -1;
	privacy_count(counts, "importFileRows", rows);
	privacy_count(counts, "exports", exports);
	return 0;
}

int privacy_preview(struct app *app, struct arena *a, const struct privacy_subject *s, json_t **out,
    struct err *err)
{
	json_t *counts = json_object(), *n;
	struct personal_walk w = {.app = app,
	    .db = app->db,
	    .account_id = s->account_id,
	    .person = &s->person,
	    .is_dry = true,
	    .see = preview_see,
	    .arg = counts};
	int64_t until_us = clock_mono_us() + PREVIEW_US, total = 0;
	int whole = 1;
	const char *name;

	*out = json_own(a, json_object());
	json_set(*out, "counts", counts);
	for (int64_t i = 0; whole == 1 && (w.table = privacy_table(app, i)) != NULL; i++)
		whole = preview_table(&w, a, until_us, err);
	if (whole == -1 || preview_files(app, a, s, counts, err) == -1)
		return -1;
	/* one that has neither address nor number is found by its id alone */
	if (!uuid_is_nil(s->record_id) && json_int(counts, "records") == 0)
		json_set_int(counts, "records", 1);
	json_object_each(counts, name, n)
		total += json_integer_value(n);
	json_set_bool(*out, "dryRun", true);
	json_set_bool(*out, "isComplete", whole == 1);
	json_set_int(*out, "total", total);
	return 0;
}
