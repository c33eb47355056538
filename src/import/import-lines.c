/* NDJSON: a record on each line. Such a file is read as a CSV whose rows have one cell each, so
 * that all about bytes, lines and places is the same; it has no header, no wishes and no blank
 * cells.
 *
 *   {"externalId":"7","providerType":"manual",…,"data":{"a":1}}   ours, as an export has it
 *   {"id":"7","a":1}                                              the payload itself */
#include "base/limits.h"
#include "crypto/hash.h"
#include "import/import-internal.h"

bool import_is_lines(const struct csv_format *f)
{
	return f->delimiter == IMPORT_LINES_DELIMITER;
}

static json_t *line_object(struct arena *a, const struct csv_row *row, struct err *err)
{
	json_t *v = row->problem != NULL || row->n != 1 ? NULL : json_parse(a, row->cells[0], err);

	return json_is_object(v) ? v : NULL;
}

/* Also one that has faults of its own, which is no header. */
bool import_line_is_object(const struct csv_row *row)
{
	struct arena *a = arena_new();
	unsigned repairs;
	bool is = row->problem == NULL && row->n == 1 &&
		  json_is_object(json_parse_lenient(a, row->cells[0], &repairs, NULL));

	arena_free(a);
	return is;
}

static bool is_of_ours(const json_t *line)
{
	return json_is_string(json_object_get(line, "externalId")) &&
	       json_is_object(json_object_get(line, "data"));
}

bool import_line_is_ours(const struct csv_row *row)
{
	struct arena *a = arena_new();
	bool is = is_of_ours(line_object(a, row, NULL));

	arena_free(a);
	return is;
}

/* The id that a payload has; external_id and externalId are no part of it then. */
static const char *line_take_id(struct arena *a, json_t *data)
{
	static const char *const names[] = {"external_id", "externalId"};
	const char *id = NULL;

	for (size_t i = 0; id == NULL && i < sizeof(names) / sizeof(names[0]); i++) {
		id = json_id_text(a, json_object_get(data, names[i]));
		if (id != NULL)
			json_object_del(data, names[i]);
	}
	return id != NULL ? id : json_id_text(a, json_object_get(data, "id"));
}

/* Ids of an export are exact. */
static const char *line_read_id(
    struct arena *a, const char *id, bool is_exact, struct str data, struct str *out)
{
	char hex[2 * SHA256_SIZE + 1];

	if (id == NULL) {
		sha256_hex(data, hex);
		*out = str_from(arena_printf(a, "row-%s", hex));
		return NULL;
	}
	*out = is_exact ? str_from(id) : utf8_trim(str_from(id));
	if (out->n == 0)
		return "the key is empty";
	return out->n > LIMIT_EXTERNAL_ID_BYTES
		   ? arena_printf(a, "the key is longer than %u bytes", LIMIT_EXTERNAL_ID_BYTES)
		   : NULL;
}

static const char *line_read(
    const struct import_map *m, struct arena *a, json_t *line, struct import_row *out)
{
	bool is_ours = m->header.is_export;
	json_t *data = is_ours ? json_object_get(line, "data") : line;
	const char *id, *problem;

	if (is_ours && !is_of_ours(line))
		return "it has not the members of an export: externalId and data";
	id = is_ours ? json_str(line, "externalId") : line_take_id(a, data);
	out->data = json_text(a, data);
	if (out->data.n > LIMIT_RECORD_BYTES)
		return "the record is longer than 1 MiB";
	problem = line_read_id(a, id, is_ours, out->data, &out->external_id);
	if (problem != NULL || !is_ours || !m->has_own_providers)
		return problem;
	out->provider_type = str_from(json_str(line, "providerType"));
	return record_type_is_valid(out->provider_type) ? NULL : "providerType is no name of one";
}

int import_line_row(
    const struct import_map *m, struct arena *a, const struct csv_row *row, struct import_row *out)
{
	struct err err = ERR_INIT;
	json_t *line = line_object(a, row, &err);

	*out = (struct import_row){.problem = row->problem, .is_exact = true};
	if (out->problem == NULL && line == NULL)
		out->problem = err.code == ERR_NONE ? "the line is not a JSON object"
						    : arena_strdup(a, err.msg);
	if (out->problem == NULL)
		out->problem = line_read(m, a, line, out);
	return out->problem == NULL;
}
