/* POST /tables/:slug/import, and its page. Data of "table/import": the table's head, csv, key,
 * names:
 * [{value, is_current}], errors. */
#include "html/chrome.h"
#include "table/table-import.h"
#include "table/table-pages.h"

static struct str parameter(struct req *r, const char *name)
{
	struct str s = r->json != NULL ? str_from(json_str(r->json, name)) : req_form(r, name);

	return s.n > 0 ? s : req_query_text(r, name);
}

static void request_check_json(struct req *r)
{
	static const char *const keys[] = {
	    "csv", "mapping", "keyColumn", "delimiter", "encoding", "blank", "fileName", NULL};
	struct json_reader in = req_reader(r);

	json_read_keys(&in, r->json, keys);
}

/* What is asked of the file; complaints by req_invalid. */
static void request_read(struct req *r, const struct table *t, struct table_file *f)
{
	struct str delimiter = parameter(r, "delimiter"), encoding = parameter(r, "encoding");
	struct str blank = parameter(r, "blank"), key = parameter(r, "keyColumn");
	struct str mapping = r->json != NULL ? (struct str){NULL, 0} : parameter(r, "mapping");

	*f = (struct table_file){.t = t};
	if (r->json != NULL)
		request_check_json(r);
	f->o.mapping = r->json != NULL ? json_object_get(r->json, "mapping") : NULL;
	if (mapping.n > 0 && (f->o.mapping = json_parse(r->a, mapping, NULL)) == NULL)
		req_invalid(r, "mapping", "is not JSON");
	if (f->o.mapping != NULL && !json_is_object(f->o.mapping))
		req_invalid(r, "mapping", "must be an object of columns by the file's headers");
	if (key.n > 0)
		f->key_column = key;
	if (delimiter.n > 0 && !csv_delimiter_parse(delimiter, &f->o.format.delimiter))
		req_invalid(r, "delimiter", "must be a comma, a semicolon, a tab or a pipe");
	if (encoding.n > 0 && !csv_encoding_parse(encoding, &f->o.format.encoding))
		req_invalid(r, "encoding", "must be utf-8, windows-1252, utf-16le or utf-16be");
	f->o.has_blank = blank.n > 0;
	if (blank.n > 0 && !import_blank_parse(blank, &f->o.is_blank_cleared))
		req_invalid(r, "blank", "must be keep or clear");
}

static json_t *import_answer(struct req *r, const struct task *t, json_t *errors)
{
	json_t *o = json_object();

	json_set_str(o, "importId", uuid_dup(r->a, t->id));
	json_set_str(o, "status", task_status_name(t->status));
	if (t->status == TASK_QUEUED)
		return o;
	json_set_int(o, "received", t->counts.received);
	json_set_int(o, "created", t->counts.created);
	json_set_int(o, "updated", t->counts.updated);
	json_set_int(o, "unchanged", t->counts.unchanged);
	json_set_int(o, "failed", t->counts.failed);
	json_set(o, "errors", json_incref(errors));
	return o;
}

int table_api_import(struct req *r)
{
	struct csv_source source;
	struct err err = ERR_INIT;
	struct table_file f;
	struct str name;
	struct table t;
	struct task task;
	json_t *errors;

	if (!table_of_request(r, &t))
		return 0;
	request_read(r, &t, &f);
	if (!import_request_source(r, &source, &name))
		req_invalid(r, "csv", "is needed");
	if (req_has_invalid(r))
		return res_invalid(r);
	if (table_import_run(r, &f, &source, name, &task, &errors, &err) == -1)
		return res_error(r, &err);
	if (task.status == TASK_QUEUED)
		res_headerf(r, "Location", "/connect/v1/imports/%s", uuid_dup(r->a, task.id));
	return res_json(r, task.status == TASK_QUEUED ? 202 : 200, import_answer(r, &task, errors));
}

/* ---- the page -------------------------------------------------------------------------------- */

static int import_form(struct req *r, const struct table *t, int status, const struct err *wrong)
{
	json_t *data = table_page_head(r, t, "import");

	json_set_strn(data, "csv", req_form(r, "csv"));
	json_set_strn(data, "key", req_form(r, "keyColumn"));
	if (wrong != NULL)
		chrome_wrong(r, data, wrong->field, wrong->msg);
	return chrome_page(r, status, "tables", "Import", "table/import", json_incref(data));
}

int table_page_import(struct req *r)
{
	struct table t;

	return table_of_request(r, &t) ? import_form(r, &t, 200, NULL) : 0;
}

int table_page_import_post(struct req *r)
{
	struct csv_source source;
	struct err err = ERR_INIT;
	struct table_file f;
	struct str name;
	struct table t;
	struct task task;
	json_t *errors;

	if (!table_of_request(r, &t))
		return 0;
	request_read(r, &t, &f);
	if (!import_request_source(r, &source, &name) || source.size == 0)
		err_field(&err, ERR_INVALID, "csv", "choose a file, or paste the rows");
	else if (table_import_run(r, &f, &source, name, &task, &errors, &err) == 0)
		return res_redirect(
		    r, arena_printf(r->a, "/admin/imports/%s", uuid_dup(r->a, task.id)));
	if (err.code != ERR_INVALID && err.code != ERR_CONFLICT)
		return res_error(r, &err);
	return import_form(r, &t, err.code == ERR_CONFLICT ? 409 : 422, &err);
}
