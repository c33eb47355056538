/* The page of the imports of leads: one is begun here, and watched. */
#include "account/account.h"
#include "base/clock.h"
#include "base/limits.h"
#include "html/chrome.h"
#include "intake/lead-import.h"
#include "intake/poll-fill.h"

#define SHOWN 50
#define BEGUN_MOST 100

/* ---- what is told ---------------------------------------------------------------------------- */

static int page_add_sources(struct req *r, json_t *data, struct err *err)
{
	json_t *list = json_array();
	struct connection **v;
	size_t n;

	json_set(data, "sources", list);
	if (connection_list_capable(r->app, r->a, &r->actor.account_id, "lead_sync", &v, &n, err) ==
	    -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct poll_spec *spec = provider_lead_poll(v[i]->provider);
		const char *id = uuid_dup(r->a, v[i]->id);
		json_t *o;

		if (spec == NULL || strcmp(v[i]->status, CONNECTION_DISABLED) == 0)
			continue;
		o = json_object();
		json_set_str(o, "value", id);
		json_set_str(o, "label", v[i]->name);
		json_set_str(o, "lacks", poll_lacks(r->a, v[i]->provider, spec, &v[i]->access));
		json_set_bool(o, "is_current", str_is(req_form(r, "connection"), id));
		json_array_append_new(list, o);
	}
	json_set_bool(data, "has_sources", json_array_size(list) > 0);
	return 0;
}

static const char *eta_text(struct arena *a, int64_t seconds)
{
	if (seconds < 60)
		return "less than a minute left";
	if (seconds < 2 * 3600)
		return arena_printf(a, "about %lld min left", (long long)(seconds + 59) / 60);
	return arena_printf(a, "about %lld hours left", (long long)(seconds + 3599) / 3600);
}

static json_t *import_row(struct req *r, const struct task *t)
{
	json_t *o = task_json(r->app, t);
	int64_t eta_s = json_int(o, "etaSeconds");

	json_set_bool(o, "is_open", task_is_open(t));
	json_set_bool(o, "has_percent", json_is_integer(json_object_get(o, "percent")));
	json_set_bool(o, "has_total", t->total > 0);
	if (json_is_integer(json_object_get(o, "etaSeconds")))
		json_set_str(o, "eta", eta_text(r->a, eta_s));
	json_set_bool(o, "has_forms", json_int(o, "forms") > 1);
	json_set_int(o, "form_now", json_int(o, "formsDone") + 1);
	json_set_bool(o, "has_left_out", json_array_size(json_object_get(o, "leftOut")) > 0);
	if (t->started_us != 0 && t->finished_us != 0)
		json_set_int(o, "took", t->finished_us - t->started_us);
	return o;
}

static int page_add_imports(struct req *r, json_t *data, struct err *err)
{
	json_t *list = json_array();
	struct tasks tasks;
	bool is_running = false;

	json_set(data, "imports", list);
	if (task_list_of_kind(r->app->db, r->a, &r->actor.account_id, &lead_import_task, SHOWN,
		&tasks, err) == -1)
		return -1;
	for (size_t i = 0; i < tasks.n; i++) {
		json_array_append_new(list, import_row(r, &tasks.v[i]));
		if (!is_running && task_is_open(&tasks.v[i]))
			json_set_int(data, "begun_us", tasks.v[i].created_us);
		is_running = is_running || task_is_open(&tasks.v[i]);
	}
	json_set_bool(data, "has_imports", tasks.n > 0);
	json_set_bool(data, "is_running", is_running);
	return 0;
}

/* problem NULL: nothing is wrong with what was sent. */
static int import_page_show(struct req *r, int status, const struct err *problem)
{
	json_t *data = json_own(r->a, json_object());
	struct err err = ERR_INIT;

	if (page_add_sources(r, data, &err) == -1 || page_add_imports(r, data, &err) == -1)
		return res_error(r, &err);
	json_set_strn(data, "formId", req_form(r, "formId"));
	json_set_strn(data, "since", req_form(r, "since"));
	json_set_bool(data, "can_import", (r->actor.permissions & PERMIT(LEADS_WRITE)) != 0);
	chrome_refresh(r, problem == NULL && json_is_true(json_object_get(data, "is_running")),
	    json_int(data, "begun_us"), data);
	if (problem != NULL)
		chrome_wrong(r, data, problem->field, problem->msg);
	return chrome_page(r, status, "leads", "Import leads", "lead/import", json_incref(data));
}

int lead_import_page(struct req *r)
{
	return import_page_show(r, 200, NULL);
}

/* ---- what people do -------------------------------------------------------------------------- */

/* A day, as the form gives it, begins where the account's days do. */
static bool form_since(struct req *r, int64_t *since_us, struct err *err)
{
	struct str text = utf8_trim(req_form(r, "since"));

	*since_us = TIME_NONE;
	if (text.n == 0 || clock_parse_iso(text, since_us))
		return true;
	err_field(err, ERR_INVALID, "since", "must be a date, such as 2026-01-31");
	return false;
}

static int import_begin_of_form(struct req *r, size_t *n, struct err *err)
{
	struct lead_import_wish wish = {0};
	struct uuid ids[BEGUN_MOST];
	struct str form = utf8_trim(req_form(r, "formId"));
	struct connection *c = NULL;
	int found = 0;

	if (!form_since(r, &wish.since_us, err))
		return -1;
	if (form.n > LIMIT_EXTERNAL_ID_BYTES)
		return err_field(err, ERR_INVALID, "formId", "is too long");
	if (form.n > 0)
		wish.form_id = str_from(arena_strndup(r->a, form.p, form.n));
	if (uuid_parse(req_form(r, "connection"), &wish.connection_id))
		found = connection_get(
		    r->app, r->a, &r->actor.account_id, &wish.connection_id, &c, err);
	if (found == -1)
		return -1;
	if (found == 0)
		return err_field(err, ERR_INVALID, "connection", "choose where the leads are");
	wish.provider_type = str_from(c->provider_type);
	return lead_import_begin(r, &wish, ids, BEGUN_MOST, n, err);
}

int lead_import_page_begin(struct req *r)
{
	struct err err = ERR_INIT;
	size_t n;

	if (import_begin_of_form(r, &n, &err) == -1) {
		if (err.code != ERR_INVALID)
			return res_error(r, &err);
		if (strcmp(err.field, "providerType") == 0 ||
		    strcmp(err.field, "connectionId") == 0)
			(void)snprintf(err.field, sizeof(err.field), "connection");
		return import_page_show(r, 422, &err);
	}
	chrome_flash(
	    r, "ok", "The import has begun. It goes on by itself; you may leave this page.");
	return res_redirect(r, LEAD_IMPORT_PAGE);
}

int lead_import_page_cancel(struct req *r)
{
	return task_answer_cancel_page(r, "such import",
	    "The import is cancelled. What it has brought stays.", LEAD_IMPORT_PAGE);
}
