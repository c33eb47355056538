/* A new flow: empty, ready-made or from a file. Data of "flow/new": name, ready: [{id, name,
 * about}], import_text; of "flow/ready": ready, name, starts: [{value, label, is_current}], fields
 * as "flow/ready" shows them. */
#include "account/permission.h"
#include "base/arena.h"
#include "base/clock.h"
#include "connection/connection-chooser.h"
#include "connection/connection.h"
#include "flow/flow-condition.h"
#include "flow/flow-pages.h"
#include "flow/flow-ready.h"
#include "flow/trigger.h"
#include "html/chrome.h"
#include "provider/provider.h"
#include "table/table.h"

#define STARTS_DAYS 365 /* who has sent records since then comes first */

/* ---- which one
 * ---------------------------------------------------------------------------------------- */

static int new_page(struct req *r, int status, const char *field, const char *problem)
{
	json_t *data = json_own(r->a, json_object()), *ready;
	struct err err = ERR_INIT;

	if (flow_ready_list(r->app, r->a, &ready, &err) == -1)
		return res_error(r, &err);
	json_set(data, "ready", json_incref(ready));
	json_set_strn(data, "name", req_form(r, "name"));
	json_set_strn(data, "import_text", req_form(r, "flow"));
	json_set_bool(data, "is_import_open", strcmp(field, "flow") == 0);
	if (problem != NULL) {
		chrome_wrong(r, data, field, problem);
		json_set_str(json_object_get(data, "errors"), "problem",
		    arena_printf(r->a, "Nothing was made: %s", problem));
	}
	return chrome_page(r, status, "flows", "New flow", "flow/new", json_incref(data));
}

int flow_page_new(struct req *r)
{
	return new_page(r, 200, "", NULL);
}

static int new_made(struct req *r, struct flow *f)
{
	struct err err = ERR_INIT;

	if (flow_insert(r, f, &err) == -1)
		return err.code == ERR_CONFLICT ? res_problem(r, 409, "%s", err.msg)
						: res_error(r, &err);
	return res_redirect(r, flow_page_path(r->a, f));
}

/* ---- from a file
 * -------------------------------------------------------------------------------------- */

/* The first complaints about steps, in a sentence. */
static const char *import_faults(struct req *r, const struct draft *d)
{
	const char *text = "";

	for (size_t i = 0; i < d->nfaults && i < 3; i++)
		text = arena_printf(r->a, "%s%s%s: %s", text, i > 0 ? "; " : "", d->faults[i].path,
		    d->faults[i].reason);
	return d->nfaults > 0 ? text : NULL;
}

/* What export gives, onto f; NULL, or what is wrong with it. */
static const char *import_read(struct req *r, struct str text, struct flow *f)
{
	struct err err = ERR_INIT;
	json_t *v = json_parse(r->a, text, &err), *steps, *settings;
	const char *name, *about;
	struct draft d;

	if (v == NULL)
		return arena_printf(r->a, "this cannot be read, see %s", json_parse_reason(&err));
	name = json_str(v, "name");
	about = json_str(v, "description");
	steps = json_object_get(v, "steps");
	settings = json_object_get(v, "settings");
	if (json_int(v, "connectFlow") != 1 || name == NULL || !json_is_array(steps))
		return "this is no flow that was exported here";
	if (*name == '\0' || strlen(name) > LIMIT_NAME_BYTES ||
	    (about != NULL && strlen(about) > 1000))
		return "its name or description is too long, or missing";
	draft_open(&d, r->a, steps, json_is_object(settings) ? settings : f->settings);
	f->name = name;
	f->description = about;
	f->steps = d.steps;
	f->settings = d.settings;
	return import_faults(r, &d);
}

int flow_page_import_post(struct req *r)
{
	struct flow f = flow_new(r->a);
	struct str text = req_form(r, "flow");
	const char *problem;

	for (size_t i = 0; i < r->nfiles; i++)
		if (str_is(r->files[i].field, "file") && r->files[i].data.n > 0)
			text = r->files[i].data;
	problem = utf8_trim(text).n == 0 ? "choose a file, or paste what was exported"
					 : import_read(r, text, &f);
	if (problem != NULL)
		return new_page(r, 422, "flow", problem);
	chrome_flash(
	    r, "ok", "The flow was imported as a draft. Say what starts it, then publish it.");
	return new_made(r, &f);
}

/* ---- ready-made: the form
 * ------------------------------------------------------------------------------ */

struct ready_form {
	struct req *r;
	json_t *ready, *wrong;
	json_t *fields; /* catalogue of the type */
};

static bool could_start(const struct provider *p, const char *type)
{
	return strcmp(type, "lead") == 0
		   ? provider_can(p, "lead_sync")
		   : provider_can(p, "webhook_receive") || provider_can(p, "poll");
}

static void start_add(struct ready_form *f, json_t *list, const char *value, const char *label)
{
	struct str current = req_form(f->r, "start");
	json_t *o = json_object();

	json_set_str(o, "value", value);
	json_set_str(o, "label", label);
	json_set_bool(o, "is_current",
	    f->r->method == HTTP_POST ? str_is(current, value) : json_array_size(list) == 0);
	json_array_append_new(list, o);
}

/* Of the trigger that it begins with: "on", where each change of a record would be too much. */
static json_t *ready_config(const json_t *ready)
{
	json_t *config = json_object();

	if (json_str(ready, "on") != NULL)
		json_set_str(config, "on", json_str(ready, "on"));
	return config;
}

static void start_add_provider(struct ready_form *f, json_t *list, const char *provider)
{
	json_t *trigger = json_own(f->r->a, json_object());

	json_set_str(trigger, "kind", TRIGGER_WEBHOOK);
	json_set_str(trigger, "providerType", provider);
	json_set_str(trigger, "resourceType", json_str(f->ready, "resourceType"));
	json_set(trigger, "config", ready_config(f->ready));
	start_add(f, list, provider, flow_trigger_words(f->r->app, f->r->a, trigger));
}

/* A lead is a lead wherever it comes from. Then who sent such records this year, then the connected
 * ones that could; of other records any source comes last. */
static int starts_show(struct ready_form *f, json_t *data, struct err *err)
{
	const char *type = json_str(f->ready, "resourceType"), *id;
	json_t *connections, *c, *list = json_array(), *seen = json_own(f->r->a, json_object());
	const struct uuid *account_id = &f->r->actor.account_id;
	struct record_day *days;
	size_t n;

	json_set(data, "starts", list);
	if (record_count_days(f->r->app, f->r->a, account_id, type,
		(int32_t)clock_day(clock_now_us()) - STARTS_DAYS, &days, &n, err) == -1 ||
	    connection_names(f->r->app, f->r->a, account_id, &connections, err) == -1)
		return -1;
	if (strcmp(type, "lead") == 0)
		start_add_provider(f, list, TRIGGER_ANY);
	for (size_t i = 0; i < n; i++)
		if (json_object_get(seen, days[i].provider_type) == NULL) {
			json_set_bool(seen, days[i].provider_type, true);
			start_add_provider(f, list, days[i].provider_type);
		}
	json_object_each(connections, id, c) {
		const char *name = json_str(c, "providerType");
		const struct provider *p = provider_find(f->r->app->providers, str_from(name));

		if (p == NULL || !could_start(p, type) || json_object_get(seen, name) != NULL)
			continue;
		json_set_bool(seen, name, true);
		start_add_provider(f, list, name);
	}
	if (strcmp(type, "lead") != 0)
		start_add_provider(f, list, TRIGGER_ANY);
	start_add(f, list, "", "I'll say it later");
	return 0;
}

static void ask_choice(json_t *choices, const char *value, const char *label, struct str current)
{
	json_t *o = json_object();

	json_set_str(o, "value", value);
	json_set_str(o, "label", label);
	json_set_bool(o, "is_current", str_is(current, value));
	json_array_append_new(choices, o);
}

static bool catalogue_has(const struct ready_form *f, const char *path)
{
	json_t *o;
	size_t i;

	json_array_each(f->fields, i, o)
		if (strcmp(json_str(o, "path"), path) == 0)
			return true;
	return false;
}

/* What is offered as the answer. */
static struct str ask_other(const struct ready_form *f, const json_t *ask)
{
	const json_t *other = json_object_get(ask, "other"), *v;
	size_t i;

	json_array_each(other, i, v)
		if (catalogue_has(f, json_string_value(v)))
			return str_from(json_string_value(v));
	if (json_is_array(other))
		other = json_array_get(other, 0);
	return json_is_string(other) ? str_from(json_string_value(other)) : STR("");
}

static json_t *ask_fields(struct ready_form *f, struct str current)
{
	json_t *choices = json_array(), *o;
	struct arena *a = f->r->a;
	bool is_known = false;
	size_t i;

	json_array_each(f->fields, i, o) {
		const char *path = json_str(o, "path"),
			   *example = json_scalar_text(
			       a, json_array_get(json_object_get(o, "examples"), 0));

		if (strpbrk(path, " '\"<>{}()[]") != NULL || i > 200)
			continue;
		is_known = is_known || str_is(current, path);
		ask_choice(choices, path,
		    example == NULL ? path : arena_printf(a, "%s – %.40s", path, example), current);
	}
	if (!is_known && current.n > 0)
		ask_choice(choices, str_copy(a, current).p, str_copy(a, current).p, current);
	return choices;
}

static int ask_tables(struct ready_form *f, struct str current, json_t **out, struct err *err)
{
	struct table *v;
	size_t n;

	*out = json_array();
	if (table_list(f->r->app->db, f->r->a, &f->r->actor.account_id, &v, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		ask_choice(
		    *out, str_copy(f->r->a, v[i].slug).p, str_copy(f->r->a, v[i].name).p, current);
	return 0;
}

static int ask_show(struct ready_form *f, const json_t *ask, json_t *list, struct err *err)
{
	const char *name = arena_printf(f->r->a, "a_%s", json_str(ask, "name")),
		   *type = json_str(ask, "type"), *wrong = json_str(f->wrong, name);
	struct str value = f->r->method == HTTP_POST ? chooser_read(f->r, name) : ask_other(f, ask);
	const char *provider = json_str(ask, "provider");
	struct chooser chooser = {
	    .list = json_str(ask, "list"), .may_ask = flow_page_may_write(f->r)};
	json_t *o = json_object(), *choices = NULL;
	bool is_table = type != NULL && strcmp(type, "table") == 0;

	if (is_table && ask_tables(f, value, &choices, err) == -1)
		return -1;
	if (type != NULL && strcmp(type, "field") == 0)
		choices = ask_fields(f, value);
	json_set_str(o, "name", name);
	json_set_str(o, "label", json_str(ask, "label"));
	json_set_str(o, "help", json_str(ask, "help"));
	json_set_str(o, "id_help", json_str(ask, "idHelp"));
	json_set_strn(o, "value", value);
	json_set_bool(o, "is_select", choices != NULL);
	json_set_bool(o, "is_table", is_table);
	json_set(o, "choices", choices);
	json_set_str(o, "error", wrong);
	json_set_str(o, "described", arena_printf(f->r->a, "%s-notes", name));
	json_set_bool(o, "is_needed", true);
	json_array_append_new(list, o);
	if (provider != NULL)
		chooser.p = provider_find(f->r->app->providers, str_from(provider));
	return chooser_show(f->r, &chooser, value, o, err) == -1 ? -1 : 0;
}

static int ready_page(struct ready_form *f, int status)
{
	struct req *r = f->r;
	json_t *data = json_own(r->a, json_object()), *fields = json_array(), *ask;
	struct err err = ERR_INIT;
	size_t i;

	json_set(data, "asks", fields);
	json_array_each(json_object_get(f->ready, "asks"), i, ask)
		if (ask_show(f, ask, fields, &err) == -1)
			return res_error(r, &err);
	if (starts_show(f, data, &err) == -1)
		return res_error(r, &err);
	json_set_str(data, "ready_id", json_str(f->ready, "id"));
	json_set_str(data, "heading", json_str(f->ready, "name"));
	json_set_str(data, "about", json_str(f->ready, "about"));
	json_set_strn(data, "name",
	    r->method == HTTP_POST ? req_form(r, "name") : str_from(json_str(f->ready, "name")));
	if (json_object_size(f->wrong) > 0)
		chrome_wrong(r, data, "problem", "Nothing was made: look at what is marked below.");
	return chrome_page(
	    r, status, "flows", json_str(f->ready, "name"), "flow/ready", json_incref(data));
}

/* The ready-made one of that name; false: answered. */
static bool ready_asked(struct ready_form *f, struct req *r, struct str id)
{
	struct err err = ERR_INIT;
	int found;

	*f = (struct ready_form){.r = r, .wrong = json_own(r->a, json_object())};
	found = flow_ready_find(r->app, r->a, id, &f->ready, &err);
	if (found == 1 && record_fields(r->app, r->a, &r->actor.account_id,
			      str_from(json_str(f->ready, "resourceType")), &f->fields, &err) == -1)
		found = -1;
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		res_problem(r, 404, "There is no such ready-made flow");
	return found == 1;
}

int flow_page_ready(struct req *r)
{
	struct ready_form f;

	return ready_asked(&f, r, req_param(r, "ready")) ? ready_page(&f, 200) : 0;
}

/* ---- ready-made: made
 * ----------------------------------------------------------------------------------- */

/* Begins with records of that provider, where the person may say so. */
static int ready_start(struct req *r, const struct flow *f, const json_t *ready, struct err *err)
{
	struct str provider = req_form(r, "start");
	const char *type = json_str(ready, "resourceType");
	struct trigger t = {.id = uuid_new(),
	    .account_id = r->actor.account_id,
	    .flow_id = f->id,
	    .kind = TRIGGER_WEBHOOK,
	    .provider_type = provider,
	    .name = str_from(type),
	    .resource_type = str_from(type),
	    .config = json_own(r->a, ready_config(ready)),
	    .is_enabled = true,
	    .created_us = f->created_us,
	    .updated_us = f->created_us};

	if ((!str_is(provider, TRIGGER_ANY) &&
		provider_find(r->app->providers, provider) == NULL) ||
	    (r->actor.permissions & PERMIT(TRIGGERS_WRITE)) == 0)
		return 0;
	return trigger_write(r, TRIGGER_MAKE, &t, err);
}

static int ready_make(struct ready_form *form, struct str name, const json_t *answers)
{
	struct req *r = form->r;
	struct flow f = flow_new(r->a);
	struct err err = ERR_INIT;

	f.name = str_copy(r->a, name).p;
	f.description = json_str(form->ready, "about");
	f.steps = json_own(r->a, flow_ready_steps(r->a, form->ready, answers));
	if (flow_insert(r, &f, &err) == -1 || ready_start(r, &f, form->ready, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "The flow was made. Look it through, try it out, then publish it.");
	return res_redirect(r, flow_page_path(r->a, &f));
}

static int ready_post(struct ready_form *f, struct str name)
{
	json_t *answers = json_own(f->r->a, json_object()), *ask;
	size_t i;

	json_array_each(json_object_get(f->ready, "asks"), i, ask) {
		const char *field = arena_printf(f->r->a, "a_%s", json_str(ask, "name"));
		struct str answer = utf8_trim(chooser_read(f->r, field));
		const char *why = flow_ready_refuses(f->r->app, f->r->a, ask, answer);

		if (why != NULL)
			json_set_str(f->wrong, field, why);
		json_set_str(
		    answers, json_str(ask, "name"), flow_ready_answer(f->r->a, ask, answer));
	}
	return json_object_size(f->wrong) > 0 ? ready_page(f, 422) : ready_make(f, name, answers);
}

int flow_page_new_post(struct req *r)
{
	struct str name = utf8_cut(utf8_trim(req_form(r, "name")), LIMIT_NAME_BYTES);
	struct flow f = flow_new(r->a);
	struct ready_form ready;

	if (req_form(r, "ready").n > 0) {
		if (!ready_asked(&ready, r, req_form(r, "ready")))
			return 0;
		return ready_post(
		    &ready, name.n > 0 ? name : str_from(json_str(ready.ready, "name")));
	}
	if (name.n == 0)
		return new_page(r, 422, "name", "give it a name.");
	f.name = str_copy(r->a, name).p;
	return new_made(r, &f);
}
