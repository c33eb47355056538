/* What an import would do: its rows are mapped as it would map them, and the ids that come of them
 * are looked for in the store. Nothing is written, so what comes meanwhile may change it. */
#include "base/map.h"
#include "import/import-internal.h"

void import_outlook_begin(struct import_outlook *o, struct arena *a)
{
	*o = (struct import_outlook){.a = a, .seen = map_new(a)};
}

void import_outlook_see(struct import_outlook *o, const struct import_row *row)
{
	o->rows++;
	o->blanks += row->blanks;
	if (row->problem != NULL) {
		o->keyless += row->has_no_key;
		if (o->skipped++ == 0)
			o->problem = arena_strdup(o->a, row->problem);
		return;
	}
	o->has_others = o->has_others || row->provider_type.n > 0;
	if (map_get(o->seen, row->external_id) != NULL)
		o->repeated++;
	else
		map_put(o->seen, row->external_id, o);
}

int import_outlook_end(
    struct import_outlook *o, struct db *db, const struct task *t, struct err *err)
{
	size_t n = map_count(o->seen);
	struct str *ids = arena_array(o->a, n + 1, sizeof(*ids));
	struct record_item of = {.account_id = t->account_id,
	    .provider_type = t->provider_type,
	    .resource_type = t->resource_type};

	if (o->has_others)
		return 0;
	for (size_t i = 0; i < n; i++)
		ids[i] = map_key(o->seen, i);
	return record_count_known(db, o->a, &of, ids, n, &o->known, err);
}

void import_outlook_show(const struct import_outlook *o, json_t *data)
{
	json_t *told = json_object();

	json_set_int(told, "rows", o->rows);
	json_set_int(told, "fresh", (json_int_t)map_count(o->seen) - o->known);
	json_set_int(told, "known", o->known + o->repeated);
	json_set_int(told, "skipped", o->skipped);
	json_set_bool(told, "has_ids", !o->has_others);
	json_set_int(told, "keyless", o->keyless);
	json_set_bool(told, "is_one_keyless", o->keyless == 1);
	if (o->skipped == o->rows)
		json_set_str(told, "hopeless", o->problem);
	json_set(data, "outlook", told);
}
