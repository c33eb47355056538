/* The form of one step as a whole. Data of "flow/step" beside the head: title, about, key, in,
 * index, kind, provider, action, name, connection: {choices, is_choice, only, none_href}, fields,
 * more, branches, groups, on_errors, attempts, wait, revision, hash, is_new. */
#include "flow/flow-form.h"
#include "base/arena.h"
#include "base/buf.h"
#include "connection/connection.h"
#include "flow/flow-fields.h"
#include "html/chrome.h"

struct str form_text(const struct flow_form *f, const char *name)
{
	return req_form(f->r, name);
}

void form_set_text(struct flow_form *f, const char *name, struct str value)
{
	struct http_pairs *form = &f->r->form;
	struct http_pair *more;

	for (size_t i = 0; i < form->n; i++)
		if (str_is(form->v[i].name, name)) {
			form->v[i].value = value;
			return;
		}
	more = arena_array(f->r->a, form->n + 1, sizeof(*more));
	if (form->n > 0)
		memcpy(more, form->v, form->n * sizeof(*more));
	more[form->n++] = (struct http_pair){str_from(arena_strdup(f->r->a, name)), value};
	form->v = more;
}

void form_complain(struct flow_form *f, const char *name, const char *why)
{
	if (json_object_get(f->wrong, name) == NULL)
		json_set_str(f->wrong, name, why);
}

void form_show_wrong(struct flow_form *f, json_t *o)
{
	const char *name = json_str(o, "name"), *error = json_str(f->wrong, name),
		   *help = json_str(o, "help");
	bool is_first = error != NULL && json_object_iter_key(json_object_iter(f->wrong)) != NULL &&
			strcmp(json_object_iter_key(json_object_iter(f->wrong)), name) == 0;

	json_set_str(o, "error", error);
	json_set_bool(o, "is_first_wrong", is_first);
	json_set_str(o, "described",
	    error == NULL && help == NULL ? NULL
	    : error == NULL               ? arena_printf(f->r->a, "%s-help", name)
	    : help == NULL                ? arena_printf(f->r->a, "%s-wrong", name)
					  : arena_printf(f->r->a, "%s-wrong %s-help", name, name));
}

/* Which number a step is called by is no part of what it says. */
static const char *name_without_number(void *arg, struct str name)
{
	(void)arg;
	return str_starts(name, "step_") ? "step" : NULL;
}

const char *form_hash(struct arena *a, const json_t *step)
{
	json_t *copy = json_own(a, json_deep_copy(step));
	struct str text;

	references_walk(a, copy, name_without_number, NULL);
	text = json_text(a, copy);
	return arena_printf(a, "%016llx", (unsigned long long)str_hash_long(text.p, text.n));
}

/* ---- reading
 * ---------------------------------------------------------------------------------------- */

static void read_text_member(struct flow_form *f, const char *name, size_t most)
{
	struct str text = utf8_cut(utf8_trim(form_text(f, name)), most);

	if (text.n == 0)
		json_object_del(f->step, name);
	else
		json_set_strn(f->step, name, text);
}

static void read_retry_member(
    struct flow_form *f, json_t *retry, const char *name, const char *label)
{
	struct str text = utf8_trim(form_text(f, name));
	int64_t n;

	if (text.n == 0)
		json_object_del(retry, name);
	else if (str_to_i64(text, 0, INT32_MAX, &n))
		json_set_int(retry, name, n);
	else
		form_complain(f, name, arena_printf(f->r->a, "%s must be a whole number.", label));
}

static void read_retry(struct flow_form *f)
{
	json_t *retry = json_object_get(f->step, "retry");

	retry = json_own(f->r->a, json_is_object(retry) ? json_deep_copy(retry) : json_object());
	read_retry_member(f, retry, "attempts", "How often it is tried");
	read_retry_member(f, retry, "waitSeconds", "The wait");
	if (json_object_size(retry) > 0)
		json_set(f->step, "retry", json_incref(retry));
	else
		json_object_del(f->step, "retry");
}

static void read_on_error(struct flow_form *f)
{
	struct str word = form_text(f, "onError");
	json_t *steps = json_object_get(f->step, "errorSteps");

	if (str_is(word, "branch")) {
		json_set_str(f->step, "onError", "branch");
		if (steps == NULL)
			json_set(f->step, "errorSteps", json_array());
		return;
	}
	if (json_array_size(steps) > 0) {
		form_complain(
		    f, "onError", "Move or remove the steps that are done on errors first.");
		return;
	}
	json_object_del(f->step, "errorSteps");
	if (str_is(word, "continue"))
		json_set_str(f->step, "onError", "continue");
	else
		json_object_del(f->step, "onError");
}

void form_read(struct flow_form *f)
{
	if (json_object_get(f->step, "config") == NULL)
		json_set(f->step, "config", json_object());
	read_text_member(f, "name", LIMIT_NAME_BYTES);
	if (f->act != NULL)
		read_text_member(f, "connectionId", 36);
	form_read_fields(f);
	if (form_has_branches(f))
		form_read_branches(f);
	read_retry(f);
	read_on_error(f);
	if (json_object_size(json_object_get(f->step, "config")) == 0)
		json_object_del(f->step, "config");
	if (json_object_size(json_object_get(f->step, "inputMapping")) == 0)
		json_object_del(f->step, "inputMapping");
}

/* ---- what is wrong of it
 * ------------------------------------------------------------------------------ */

static const struct flow_step *step_of_json(const struct draft *d, const json_t *json)
{
	for (size_t i = 0; i < d->plan.nsteps; i++)
		if (d->plan.all[i]->json == json)
			return d->plan.all[i];
	return NULL;
}

/* The field of the form that a complaint is of: "config.value" is f_value; NULL: none. */
static const char *field_of_fault(const struct flow_form *f, const char *path)
{
	static const char *const places[] = {"config.", "inputMapping."};
	struct arena *a = f->r->a;
	struct str name = {NULL, 0}, rest;
	int64_t way;

	for (size_t i = 0; i < 2; i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			name = str_from(path + strlen(places[i]));
	if (name.p == NULL)
		return strncmp(path, "retry.", 6) == 0 ? path + 6
		       : strcmp(path, "name") == 0 || strcmp(path, "connectionId") == 0 ||
			       strcmp(path, "onError") == 0
			   ? path
			   : NULL;
	if (str_starts(name, "branches[") && form_has_branches(f)) {
		rest = (struct str){name.p + 9, name.n - 9};
		(void)str_split(&rest, ']', &name);
		return str_to_i64(name, 0, INT32_MAX, &way)
			   ? arena_printf(a, "b_%lld", (long long)way)
			   : NULL;
	}
	rest = (struct str){name.p, strcspn(name.p, ".[")};
	name.p = arena_strndup(a, rest.p, rest.n);
	if (f->act != NULL)
		return form_input_name(a, name.p);
	return f->kind->takes_any && strncmp(path, "inputMapping.", 13) == 0
		   ? "m"
		   : form_field_name(a, name.p);
}

int form_check(struct flow_form *f, struct err *err)
{
	struct draft *d = &f->page->d;
	const struct flow_step *s;

	if (f->key == NULL)
		draft_insert(d, &f->at, json_incref(f->step));
	else
		draft_replace(d, &f->at, json_incref(f->step));
	if (draft_check(d, f->r, &f->page->f.id, err) == -1)
		return -1;
	s = step_of_json(d, f->step);
	for (size_t i = 0; i < d->nfaults; i++) {
		const struct draft_fault *fault = &d->faults[i];
		const char *name;

		if (fault->step != s || s == NULL)
			continue;
		name = field_of_fault(f, fault->field);
		if (name == NULL) {
			f->others++;
			f->problem =
			    f->problem != NULL ? f->problem : draft_fault_text(f->r->a, fault);
		} else {
			form_complain(f, name,
			    arena_printf(f->r->a, "%s.", draft_fault_text(f->r->a, fault)));
		}
	}
	return 0;
}

/* ---- shown
 * -------------------------------------------------------------------------------------------- */

static struct str shown_member(const struct flow_form *f, const json_t *o, const char *name)
{
	const char *text;

	if (f->is_posted)
		return form_text(f, name);
	text = json_scalar_text(f->r->a, json_object_get(o, name));
	return text == NULL ? STR("") : str_from(text);
}

static void show_on_errors(struct flow_form *f, json_t *data)
{
	struct str current = shown_member(f, f->step, "onError");
	json_t *list = json_array(), *retry = json_object_get(f->step, "retry");
	bool is_open = current.n > 0 || retry != NULL || json_str(f->wrong, "onError") != NULL ||
		       json_str(f->wrong, "attempts") != NULL ||
		       json_str(f->wrong, "waitSeconds") != NULL;

	for (const struct word *w = flow_on_errors; w->text != NULL; w++) {
		json_t *o = json_object();

		json_set_str(o, "value", w->text);
		json_set_str(o, "label", w->label);
		json_set_bool(o, "is_current",
		    str_is(current, w->text) || (*w->text == '\0' && str_is(current, "stop")));
		json_array_append_new(list, o);
	}
	json_set(data, "on_errors", list);
	json_set_bool(data, "is_error_open", is_open);
	json_set_strn(data, "attempts", shown_member(f, retry, "attempts"));
	json_set_strn(data, "wait_seconds", shown_member(f, retry, "waitSeconds"));
	json_set_str(data, "usual_attempts", f->kind->how == STEP_OUTSIDE ? "3" : "1");
	json_set_str(data, "on_error_wrong", json_str(f->wrong, "onError"));
	json_set_str(data, "attempts_wrong", json_str(f->wrong, "attempts"));
	json_set_str(data, "wait_wrong", json_str(f->wrong, "waitSeconds"));
}

/* Of an action: which connection, where there are several; where there is none, how to get one. */
static int show_connections(struct flow_form *f, json_t *data, struct err *err)
{
	struct str current = shown_member(f, f->step, "connectionId");
	json_t *list = json_array(), *o;
	struct connection **v;
	size_t n;

	json_set(data, "connections", list);
	json_set_bool(data, "is_action", f->act != NULL);
	json_set_str(data, "connection_wrong", json_str(f->wrong, "connectionId"));
	if (f->act == NULL)
		return 0;
	json_set_str(data, "provider", f->p->name);
	json_set_str(data, "action", f->act->name);
	json_set_str(data, "provider_name", f->p->display_name);
	if (connection_list_of(f->r->app, f->r->a, &f->r->actor.account_id, f->p, &v, &n, err) ==
	    -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *id = uuid_dup(f->r->a, v[i]->id);

		o = json_object();
		json_set_str(o, "value", id);
		json_set_str(o, "label", v[i]->name);
		json_set_bool(o, "is_current", str_is(current, id));
		json_array_append_new(list, o);
	}
	json_set_bool(data, "has_connections", n > 0);
	json_set_bool(data, "is_choice", n > 1 || (n == 1 && current.n > 0));
	return 0;
}

static const char *form_title(const struct flow_form *f)
{
	return f->act != NULL ? arena_printf(f->r->a, "%s: %s", f->p->display_name, f->act->label)
			      : f->kind->label;
}

static void show_wrong(struct flow_form *f, json_t *data)
{
	size_t n = json_object_size(f->wrong);

	if (f->problem != NULL)
		chrome_wrong(f->r, data, "problem", f->problem);
	else if (n > 0)
		chrome_wrong(f->r, data, "problem",
		    arena_printf(f->r->a, "Not saved: look at the %s marked below.",
			plural(n, "field", "fields")));
	json_set_bool(data, "may_unfinished", n + f->others > 0 && f->is_posted);
}

/* How a field is written, by the first that is offered. */
static const char *place_example(const struct flow_form *f)
{
	const json_t *choices = json_object_get(json_array_get(f->groups, 0), "choices");

	return json_str(json_array_get(choices, 0), "value");
}

static int show_fields(struct flow_form *f, json_t *data, struct err *err)
{
	json_t *fields = json_array(), *more = json_array(), *o;
	bool is_open = false, takes_places = false;
	size_t i;

	json_set(data, "fields", fields);
	json_set(data, "more", more);
	if (form_show_fields(f, fields, more, err) == -1)
		return -1;
	json_array_each(more, i, o)
		is_open = is_open || json_str(o, "error") != NULL ||
			  (json_str(o, "value") != NULL && *json_str(o, "value") != '\0');
	json_array_each(fields, i, o)
		takes_places = takes_places || json_bool(o, "can_insert");
	json_set_str(data, "place_example", takes_places ? place_example(f) : NULL);
	json_set_bool(data, "has_more", json_array_size(more) > 0);
	json_set_bool(data, "is_more_open", is_open);
	json_set_int(data, "more_count", (int64_t)json_array_size(more));
	if (form_has_branches(f))
		form_show_branches(f, data);
	return 0;
}

int form_show(struct flow_form *f, int status)
{
	struct req *r = f->r;
	json_t *data = flow_page_head(r, &f->page->f, NULL);
	struct err err = ERR_INIT;

	if (show_fields(f, data, &err) == -1 || show_connections(f, data, &err) == -1)
		return res_error(r, &err);
	json_set_str(data, "heading", form_title(f));
	json_set_str(
	    data, "about", f->act != NULL && f->act->help != NULL ? f->act->help : f->kind->help);
	json_set_str(data, "kind", f->kind->name);
	json_set_bool(data, "is_new", f->key == NULL);
	json_set_str(data, "key", f->key);
	json_set_str(data, "in", f->in);
	json_set_int(data, "index", (int64_t)f->at.index);
	json_set_strn(data, "step_name", shown_member(f, f->step, "name"));
	json_set(data, "groups", json_incref(f->groups));
	json_set_bool(data, "has_starts", json_array_size(f->page->types) > 0);
	json_set_int(data, "revision", f->page->revision);
	json_set_str(data, "hash", f->saved_hash);
	show_on_errors(f, data);
	show_wrong(f, data);
	return chrome_page(r, status, "flows", form_title(f), "flow/step", json_incref(data));
}
