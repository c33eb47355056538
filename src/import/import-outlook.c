/* What an import would do: its rows are mapped as it would map them, and the ids that come of them
 * are looked for in the store. What is there is compared with them a batch at a time, as much as a
 * page can wait for; of rows after that it is only told whether their records are there. Nothing is
 * written, so what comes meanwhile may change it. */
#include "base/map.h"
#include "import/import-internal.h"

#define COMPARED_BYTES (INT64_C(8) * 1024 * 1024) /* of the file's rows, and of the store's */

void import_outlook_begin(
    struct import_outlook *o, struct arena *a, struct db *db, const struct task *t)
{
	*o = (struct import_outlook){
	    .a = a, .db = db, .task = t, .seen = map_new(a), .batch = arena_new()};
}

/* Compares the rows that wait. */
static int outlook_compare(struct import_outlook *o, struct err *err)
{
	int rc = record_compare(o->db, o->batch, o->items, o->nitems, &o->found, err);

	o->nitems = 0;
	arena_reset(o->batch);
	return rc;
}

static int outlook_add(struct import_outlook *o, const struct import_row *row, struct err *err)
{
	map_put(o->seen, row->external_id, o);
	if (o->found.bytes + o->bytes > COMPARED_BYTES || o->has_others)
		return 0;
	o->compared++;
	o->bytes += (int64_t)row->data.n;
	o->items[o->nitems++] = (struct record_item){.account_id = o->task->account_id,
	    .provider_type = o->task->provider_type,
	    .resource_type = o->task->resource_type,
	    .external_id = str_copy(o->batch, row->external_id),
	    .data = str_copy(o->batch, row->data),
	    .is_of_cells = !row->is_exact,
	    .has_cleared = row->is_cleared};
	return o->nitems < LIMIT_DB_BATCH ? 0 : outlook_compare(o, err);
}

int import_outlook_see(struct import_outlook *o, const struct import_row *row, struct err *err)
{
	o->rows++;
	o->blanks += row->blanks;
	if (row->problem != NULL) {
		o->keyless += row->has_no_key;
		if (o->skipped++ == 0)
			o->problem = arena_strdup(o->a, row->problem);
		return 0;
	}
	o->has_others = o->has_others || row->provider_type.n > 0;
	if (map_get(o->seen, row->external_id) == NULL)
		return outlook_add(o, row, err);
	o->repeated++;
	return 0;
}

/* Of rows that were not compared: are their records there? */
static int outlook_count_rest(struct import_outlook *o, struct err *err)
{
	size_t n = map_count(o->seen) - o->compared;
	struct str *ids = arena_array(o->a, n + 1, sizeof(*ids));
	struct record_item of = {.account_id = o->task->account_id,
	    .provider_type = o->task->provider_type,
	    .resource_type = o->task->resource_type};
	int64_t known;

	for (size_t i = 0; i < n; i++)
		ids[i] = map_key(o->seen, o->compared + i);
	if (record_count_known(o->db, o->a, &of, ids, n, &known, err) == -1)
		return -1;
	o->found.known += known;
	o->found.has_more = o->found.has_more || known > 0;
	return 0;
}

int import_outlook_end(struct import_outlook *o, struct err *err)
{
	int rc = 0;

	if (!o->has_others && outlook_compare(o, err) == 0)
		rc = outlook_count_rest(o, err);
	else if (!o->has_others)
		rc = -1;
	arena_free(o->batch);
	return rc;
}

void import_outlook_show(const struct import_outlook *o, json_t *data)
{
	json_t *told = json_object();

	json_set_int(told, "rows", o->rows);
	json_set_int(told, "fresh", (json_int_t)map_count(o->seen) - o->found.known);
	json_set_int(told, "changed", o->found.known - o->found.same);
	json_set_int(told, "same", o->found.same);
	json_set_bool(told, "is_most", o->found.has_more);
	json_set_int(told, "repeated", o->repeated);
	json_set_int(told, "skipped", o->skipped);
	json_set_bool(told, "has_ids", !o->has_others);
	json_set_int(told, "keyless", o->keyless);
	json_set_bool(told, "is_one_keyless", o->keyless == 1);
	if (o->skipped == o->rows)
		json_set_str(told, "hopeless", o->problem);
	json_set(data, "outlook", told);
}
