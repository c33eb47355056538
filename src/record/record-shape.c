#include "record/record-shape.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"

/* ---- JSON ---------------------------------------------------------------------------------- */

json_t *record_json(const struct record_row *row, bool is_written, struct err *err)
{
	struct arena *a = row->a;
	json_t *data = is_written ? json_verbatim(a, row->data) : NULL, *o;

	if (data == NULL)
		data = json_parse_stored(a, row->data, err);
	if (data == NULL) {
		err_prefix(err, "stored record");
		return NULL;
	}
	o = json_own(a, json_object());
	json_set_str(o, "id", uuid_dup(a, row->id));
	json_set_strn(o, "providerType", row->provider_type);
	json_set_strn(o, "resourceType", row->resource_type);
	json_set_strn(o, "externalId", row->external_id);
	json_set_strn(o, "source", row->source);
	json_set(o, "data", json_incref(data));
	json_set_time(o, "firstSeenAt", row->first_seen_us);
	json_set_time(o, "updatedAt", row->updated_us);
	json_set_known_time(o, "providerUpdatedAt", row->provider_updated_us);
	json_set_str(o, "connectionId",
	    uuid_is_nil(row->connection_id) ? NULL : uuid_dup(a, row->connection_id));
	json_set_str(o, "leadId", uuid_is_nil(row->lead_id) ? NULL : uuid_dup(a, row->lead_id));
	return o;
}

static void shape_write_text(struct buf *b, const char *key, struct str value)
{
	json_t *s = json_stringn(value.p, value.n);

	buf_printf(b, ",\"%s\":", key);
	json_append(b, s);
	json_decref(s);
}

static void shape_write_time(struct buf *b, const char *key, int64_t at_us)
{
	char text[CLOCK_TEXT];

	clock_iso(text, at_us);
	if (at_us == TIME_NONE)
		buf_printf(b, ",\"%s\":null", key);
	else
		buf_printf(b, ",\"%s\":\"%s\"", key, text);
}

static void shape_write_id(struct buf *b, struct arena *a, const char *key, struct uuid id)
{
	if (uuid_is_nil(id))
		buf_printf(b, ",\"%s\":null", key);
	else
		buf_printf(b, ",\"%s\":\"%s\"", key, uuid_dup(a, id));
}

int record_json_write(struct buf *b, const struct record_row *row)
{
	const bool is_readable = json_is_whole(row->data);

	buf_printf(b, "{\"id\":\"%s\"", uuid_dup(row->a, row->id));
	shape_write_text(b, "providerType", row->provider_type);
	shape_write_text(b, "resourceType", row->resource_type);
	shape_write_text(b, "externalId", row->external_id);
	shape_write_text(b, "source", row->source);
	buf_str(b, ",\"data\":");
	if (is_readable)
		buf_add(b, row->data.p, row->data.n);
	else
		buf_str(b, "{},\"isUnreadable\":true");
	shape_write_time(b, "firstSeenAt", row->first_seen_us);
	shape_write_time(b, "updatedAt", row->updated_us);
	shape_write_time(b, "providerUpdatedAt", row->provider_updated_us);
	shape_write_id(b, row->a, "connectionId", row->connection_id);
	shape_write_id(b, row->a, "leadId", row->lead_id);
	buf_chr(b, '}');
	return is_readable ? 0 : -1;
}

/* ---- CSV ----------------------------------------------------------------------------------- */

const char *const record_csv_names[] = {
    "id", "providerType", "resourceType", "externalId", "source", "firstSeenAt", "updatedAt", NULL};

void record_csv_head(struct csv_writer *w, struct arena *a, const struct map *columns)
{
	csv_write_plain(w, w->is_raw ? "\"id\"" : "id");
	for (const char *const *name = record_csv_names + 1; *name != NULL; name++)
		csv_write_plain(w, *name);
	for (size_t i = 0; i < map_count(columns); i++) {
		struct str path = map_key(columns, i);

		csv_write_text(
		    w, str_from(arena_printf(a, RECORD_CSV_DATA "%.*s", (int)path.n, path.p)));
	}
}

static void shape_write_time_cell(struct csv_writer *w, int64_t at_us)
{
	char text[CLOCK_TEXT];

	clock_iso(text, at_us);
	csv_write_plain(w, text);
}

void record_csv_own(struct csv_writer *w, const struct record_row *row)
{
	csv_write_plain(w, uuid_dup(row->a, row->id));
	csv_write_text(w, row->provider_type);
	csv_write_text(w, row->resource_type);
	csv_write_text(w, row->external_id);
	csv_write_text(w, row->source);
	shape_write_time_cell(w, row->first_seen_us);
	shape_write_time_cell(w, row->updated_us);
}
