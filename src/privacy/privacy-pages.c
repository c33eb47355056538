/* Settings, Privacy: whom, then what would go, then the erasure or the file. */
#include "account/account.h"
#include "html/chrome.h"
#include "import/import.h"
#include "privacy/privacy-internal.h"

#define ADDRESS "/admin/settings/privacy"
#define TASKS_SHOWN 20
#define TASKS_LOOKED_AT 100

/* What was typed: an address where there is an @, a record's id, else a number. */
static struct privacy_wish wish_of_text(struct str text)
{
	struct uuid id;

	if (text.n > 0 && memchr(text.p, '@', text.n) != NULL)
		return (struct privacy_wish){.email = text};
	if (uuid_parse(text, &id))
		return (struct privacy_wish){.record_id = text};
	return (struct privacy_wish){.phone = text};
}

static const char *count_label(const struct app *app, const char *name)
{
	const struct personal_table *t;

	for (int64_t i = 0; (t = privacy_table(app, i)) != NULL; i++)
		if (strcmp(t->name, name) == 0)
			return t->label;
	return strcmp(name, "importFileRows") == 0 ? "Rows in files of imports"
						   : "Exports of their data";
}

static json_t *counts_rows(const struct app *app, const json_t *counts)
{
	json_t *rows = json_array(), *n;
	const char *name;

	json_object_each(counts, name, n) {
		json_t *o = json_object();

		json_set_str(o, "label", count_label(app, name));
		json_set_int(o, "count", json_integer_value(n));
		json_array_append_new(rows, o);
	}
	return rows;
}

static int tasks_show(struct req *r, json_t *data, struct err *err)
{
	const struct task_filter f = {.account_id = r->actor.account_id};
	struct slice s = {.limit = TASKS_LOOKED_AT};
	struct tasks tasks;
	json_t *rows = json_array();

	json_set(data, "tasks", rows);
	if (task_list(r->app->db, r->a, &f, &s, &tasks, err) == -1)
		return -1;
	for (size_t i = 0; i < tasks.n && json_array_size(rows) < TASKS_SHOWN; i++) {
		const struct task *t = &tasks.v[i];
		bool is_export = strcmp(t->kind, privacy_export_task.name) == 0;
		json_t *o;

		if (!is_export && strcmp(t->kind, privacy_erase_task.name) != 0)
			continue;
		o = task_json(r->app, t);
		json_set_int(o, "entries", is_export ? t->counts.created : t->counts.updated);
		json_set_bool(o, "has_file", is_export && t->status == TASK_COMPLETED);
		json_array_append_new(rows, o);
	}
	json_set_bool(data, "has_tasks", json_array_size(rows) > 0);
	return 0;
}

static int privacy_show(struct req *r, int status, struct str who, const char *wrong)
{
	json_t *data = json_own(r->a, json_object());
	struct err err = ERR_INIT;

	if (tasks_show(r, data, &err) == -1)
		return res_error(r, &err);
	if (wrong != NULL)
		chrome_wrong(r, data, "who", wrong);
	json_set_strn(data, "who", who);
	return chrome_settings(
	    r, status, "privacy", "Privacy", "privacy/privacy", json_incref(data));
}

int privacy_page(struct req *r)
{
	return privacy_show(r, 200, (struct str){"", 0}, NULL);
}

static int privacy_ask(struct req *r, const struct privacy_subject *s, struct str who)
{
	struct err err = ERR_INIT;
	json_t *preview, *data = json_own(r->a, json_object());

	if (privacy_preview(r->app, r->a, s, &preview, &err) == -1)
		return res_error(r, &err);
	json_set(data, "rows", counts_rows(r->app, json_object_get(preview, "counts")));
	json_set_bool(data, "has_rows", json_int(preview, "total") > 0);
	json_set_int(data, "total", json_int(preview, "total"));
	json_set_bool(data, "is_complete", json_bool(preview, "isComplete"));
	json_set_strn(data, "who", who);
	return chrome_page(
	    r, 200, "settings", "What is kept of them", "privacy/preview", json_incref(data));
}

int privacy_page_post(struct req *r)
{
	struct str who = utf8_trim(req_form(r, "who")), action = req_form(r, "action");
	bool is_erase = str_is(action, "erase");
	struct privacy_wish wish = wish_of_text(who);
	struct privacy_subject s;
	struct err err = ERR_INIT;
	struct task t;
	int found = privacy_subject(r->app, r->a, &r->actor.account_id, &wish, &s, &err);

	if (found == -1 && err.code != ERR_INVALID)
		return res_error(r, &err);
	if (found == 0)
		return privacy_show(r, 404, who, "There is no such record");
	if (found == -1)
		return privacy_show(r, 422, who,
		    "Give an email address, a phone number with + and the country's code, or the "
		    "id of "
		    "a record");
	if (!is_erase && !str_is(action, "export"))
		return privacy_ask(r, &s, who);
	if (privacy_begin(r->app, r, is_erase ? &privacy_erase_task : &privacy_export_task, &s, &t,
		&err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok",
	    is_erase ? "The person is being erased. Below is how far it is."
		     : "The file is being made. Below is how far it is.");
	return res_redirect(r, ADDRESS);
}

int privacy_page_file(struct req *r)
{
	return privacy_answer_file(r);
}
