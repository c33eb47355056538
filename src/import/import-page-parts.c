/* What the pages of imports have in common. */
#include "import/import-page-parts.h"

#include <string.h>

#include "base/limits.h"

#define CELL_BYTES 80

const char *import_address(struct req *r, const struct task *t)
{
	return arena_printf(r->a,
	    t->status == TASK_DRAFT ? "/admin/records/import/%s" : "/admin/imports/%s",
	    uuid_dup(r->a, t->id));
}

/* A cell cut at the end of a character. */
json_t *import_cell_clipped(struct str s)
{
	if (s.n <= CELL_BYTES)
		return json_stringn(s.n > 0 ? s.p : "", s.n);
	s = utf8_cut(s, CELL_BYTES);
	return json_sprintf("%.*s…", (int)s.n, s.p);
}

json_t *import_choice(const char *value, const char *label, bool is_current)
{
	json_t *o = json_object();

	json_set_str(o, "value", value);
	json_set_str(o, "label", label);
	json_set_bool(o, "is_current", is_current);
	return o;
}

json_t *import_choices_of_delimiter(char now)
{
	json_t *list = json_array();

	json_array_append_new(list, import_choice("auto", "Detect", now == '\0'));
	json_array_append_new(list, import_choice("comma", "Comma", now == ','));
	json_array_append_new(list, import_choice("semicolon", "Semicolon", now == ';'));
	json_array_append_new(list, import_choice("tab", "Tab", now == '\t'));
	json_array_append_new(list, import_choice("pipe", "Vertical bar", now == '|'));
	return list;
}

json_t *import_choices_of_encoding(enum csv_encoding now)
{
	json_t *list = json_array();

	json_array_append_new(list, import_choice("auto", "Detect", now == CSV_ANY_ENCODING));
	json_array_append_new(list, import_choice("utf-8", "UTF-8", now == CSV_UTF8));
	json_array_append_new(
	    list, import_choice("windows-1252", "Windows-1252", now == CSV_WINDOWS_1252));
	json_array_append_new(list, import_choice("utf-16le", "UTF-16", now == CSV_UTF16_LE));
	json_array_append_new(
	    list, import_choice("utf-16be", "UTF-16, big-endian", now == CSV_UTF16_BE));
	return list;
}

json_t *import_choices_of_blank(bool is_cleared)
{
	json_t *list = json_array();

	json_array_append_new(
	    list, import_choice(import_blank_name(false), "Keep what the record has", !is_cleared));
	json_array_append_new(list, import_choice(import_blank_name(true), "Clear it", is_cleared));
	return list;
}

void import_form_read_format(struct req *r, struct csv_format *f)
{
	*f = (struct csv_format){0};
	csv_delimiter_parse(req_form(r, "delimiter"), &f->delimiter);
	csv_encoding_parse(req_form(r, "encoding"), &f->encoding);
}

/* Without a full stop. */
const char *import_error_sentence(struct req *r, const struct err *err)
{
	if (err->code == ERR_INTERNAL || err->code == ERR_UNAVAILABLE)
		return "The file cannot be read at the moment";
	if (strcmp(err->field, "csv") == 0)
		return arena_printf(r->a, "The file %s", err->msg);
	if (strcmp(err->field, "mapping") == 0)
		return arena_printf(r->a, "The mapping %s", err->msg);
	if (strcmp(err->field, "keyColumns") == 0)
		return arena_printf(r->a, "The key columns %s", err->msg);
	return arena_strdup(r->a, err->msg);
}
