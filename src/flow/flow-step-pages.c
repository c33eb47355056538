/* One step of a flow: which kind, then its form. A form is posted with an act: "save", "keep" (as
 * it is, though something is wrong), or one that changes the form alone: "insert:FIELD" (what is
 * chosen beside the field goes into it), "row:…", "way-add" and their like. */
#include "base/arena.h"
#include "connection/connection-chooser.h"
#include "connection/connection-pages.h"
#include "flow/flow-fields.h"
#include "flow/flow-form.h"
#include "html/chrome.h"
#include "provider/provider.h"

/* ---- which kind
 * ------------------------------------------------------------------------------------- */

struct kind_group {
	const char *heading;
	const struct step_kind *kinds[7];
};

static const struct kind_group kind_groups[] = {
    {"Decide and wait", {&step_filter, &step_branch, &step_loop, &step_delay, NULL}},
    {"Values", {&step_formatter, NULL}},
    {"Leads and records", {&step_crm_push, &step_record_upsert, &step_record_to_table, NULL}},
    {"Tables", {&step_table_lookup, &step_table_upsert, &step_table_write, NULL}},
    {"Other flows and systems", {&step_sub_flow, &step_http, NULL}}};

static json_t *kinds_show(void)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < sizeof(kind_groups) / sizeof(kind_groups[0]); i++) {
		json_t *g = json_object(), *kinds = json_array();

		for (const struct step_kind *const *k = kind_groups[i].kinds; *k != NULL; k++) {
			json_t *o = json_object();

			json_set_str(o, "kind", (*k)->name);
			json_set_str(o, "label", (*k)->label);
			json_set_str(o, "help", (*k)->help);
			json_array_append_new(kinds, o);
		}
		json_set_str(g, "heading", kind_groups[i].heading);
		json_set(g, "kinds", kinds);
		json_array_append_new(groups, g);
	}
	return groups;
}

/* Providers that are not connected: they stand apart. */
static void kinds_count_others(const json_t *providers, json_t *data)
{
	json_int_t n = 0;
	json_t *p;
	size_t i;

	json_array_each(providers, i, p)
		n += !json_bool(p, "is_connected");
	json_set_bool(data, "has_others", n > 0);
	json_set_int(data, "others", n);
}

static int kinds_page(struct flow_page *p, const struct draft_spot *at)
{
	struct req *r = p->r;
	struct str search = utf8_trim(req_query(r, "search"));
	struct err err = ERR_INIT;
	json_t *data = flow_page_head(r, &p->f, NULL), *actions = actions_list(r, &err);

	if (actions == NULL)
		return res_error(r, &err);
	json_set_strn(data, "in", req_query(r, "in"));
	json_set_int(data, "index", (int64_t)at->index);
	json_set(data, "kinds", search.n > 0 ? json_array() : kinds_show());
	json_set(data, "providers", actions_grouped(r, actions));
	kinds_count_others(json_object_get(data, "providers"), data);
	json_set_bool(data, "is_found", json_array_size(actions) > 0);
	json_set_strn(data, "search", search);
	return chrome_page(r, 200, "flows", "Add a step", "flow/kinds", json_incref(data));
}

/* ---- the form of one
 * ---------------------------------------------------------------------------------- */

/* Where a new one is to stand: in=step_2.0&at=1; false: answered. */
static bool spot_asked(struct flow_page *p, struct str in, struct str index, struct draft_spot *at)
{
	int64_t n;
	size_t size;

	if (!draft_find_list(&p->d, in, at)) {
		(void)res_problem(
		    p->r, 404, "The flow has no such place any more. Perhaps its steps were moved");
		return false;
	}
	size = json_array_size(at->array);
	at->index = str_to_i64(index, 0, (int64_t)size, &n) ? (size_t)n : size;
	return true;
}

static bool form_fill(struct flow_form *f)
{
	const char *type = json_str(f->step, "providerType"),
		   *action = json_str(f->step, "actionName");
	struct err err = ERR_INIT;

	f->wrong = json_own(f->r->a, json_object());
	if (f->kind == &step_action) {
		f->p = type == NULL ? NULL : provider_find(f->r->app->providers, str_from(type));
		f->act = f->p == NULL || action == NULL
			     ? NULL
			     : provider_find_open_action(f->p, str_from(action));
	}
	if (f->kind == NULL || (f->kind == &step_action && f->act == NULL)) {
		(void)res_problem(f->r, 404, "There is no such kind of step or action");
		return false;
	}
	if (flow_fields_at(
		f->r, &f->page->w, &f->page->d, &f->at, f->page->types, &f->groups, &err) == 0)
		return true;
	(void)res_error(f->r, &err);
	return false;
}

/* As a new step of its kind begins. */
static json_t *step_fresh(const struct step_kind *kind)
{
	json_t *step = json_object(), *config = json_object(), *way;

	json_set_str(step, "kind", kind->name);
	json_set(step, "config", config);
	if (kind == &step_branch) {
		way = json_object();
		json_set_str(way, "condition", "");
		json_set(way, "steps", json_array());
		json_set(config, "branches", json_array());
		json_array_append_new(json_object_get(config, "branches"), way);
		json_set(config, "else", json_array());
	} else if (kind == &step_loop) {
		json_set(config, "steps", json_array());
	}
	return step;
}

/* A new one, from the address or the form; false: answered. */
static bool form_of_new(struct flow_form *f, struct flow_page *p, bool is_posted)
{
	struct req *r = p->r;
	struct str kind = is_posted ? req_form(r, "kind") : req_query(r, "kind"),
		   type = is_posted ? req_form(r, "provider") : req_query(r, "provider"),
		   action = is_posted ? req_form(r, "action") : req_query(r, "action"),
		   in = is_posted ? req_form(r, "in") : req_query(r, "in");

	*f = (struct flow_form){.page = p,
	    .r = r,
	    .kind = step_kind_find(kind),
	    .in = str_copy(r->a, in).p,
	    .saved_hash = "",
	    .is_posted = is_posted};
	if (!spot_asked(p, in, is_posted ? req_form(r, "at") : req_query(r, "at"), &f->at))
		return false;
	f->step = json_own(r->a, f->kind == NULL ? json_object() : step_fresh(f->kind));
	if (f->kind == &step_action) {
		json_set_strn(f->step, "providerType", type);
		json_set_strn(f->step, "actionName", action);
		json_object_del(f->step, "config");
	}
	return form_fill(f);
}

/* One that is there; false: answered. */
static bool form_of_step(struct flow_form *f, struct flow_page *p, struct str key, bool is_posted)
{
	const struct flow_step *s = draft_find(&p->d, key);

	*f = (struct flow_form){.page = p, .r = p->r, .is_posted = is_posted};
	if (s == NULL || !draft_locate(&p->d, s, &f->at)) {
		(void)res_problem(
		    p->r, 404, "The flow has no such step. Perhaps it was moved or removed");
		return false;
	}
	f->kind = s->kind;
	f->key = s->key;
	f->step = json_own(p->r->a, json_deep_copy(s->json));
	f->saved_hash = form_hash(p->r->a, s->json);
	return form_fill(f);
}

int flow_page_step_new(struct req *r)
{
	struct flow_page p;
	struct flow_form f;
	struct draft_spot at;

	if (!flow_page_open(r, &p))
		return 0;
	if (req_query(r, "kind").n == 0)
		return spot_asked(&p, req_query(r, "in"), req_query(r, "at"), &at)
			   ? kinds_page(&p, &at)
			   : 0;
	return form_of_new(&f, &p, false) ? form_show(&f, 200) : 0;
}

/* Who may only look sees what is wrong as well. */
int flow_page_step(struct req *r)
{
	struct flow_page p;
	struct flow_form f;

	if (!flow_page_open(r, &p) || !form_of_step(&f, &p, req_param(r, "step"), false))
		return 0;
	return form_show(&f, 200);
}

/* ---- acts
 * ------------------------------------------------------------------------------------------- */

/* What is chosen beside a field goes to its end. */
static void form_insert(struct flow_form *f, struct str name)
{
	const char *field = arena_strndup(f->r->a, name.p, name.n), *beside;
	struct str text = form_text(f, field),
		   pick = form_text(f, arena_printf(f->r->a, "pick_%s", field)),
		   into = form_text(f, arena_printf(f->r->a, "into_%s", field));

	if (into.n > 0) {
		field = arena_strndup(f->r->a, into.p, into.n);
		text = form_text(f, field);
	}
	beside = chooser_text_field(f->r, field);
	if (beside != NULL) {
		form_set_text(f, field, STR(CHOOSER_OTHER));
		field = beside;
		text = form_text(f, field);
	}
	form_set_text(f, field,
	    str_from(arena_printf(f->r->a, "%.*s%.*s", (int)text.n, text.n == 0 ? "" : text.p,
		(int)pick.n, pick.n == 0 ? "" : pick.p)));
}

/* One more row of names and values. */
static void form_add_pair(struct flow_form *f, struct str prefix)
{
	const char *count = arena_printf(f->r->a, "%.*s_n", (int)prefix.n, prefix.p);
	int64_t n;

	if (str_to_i64(form_text(f, count), 0, 199, &n))
		form_set_text(f, count, str_from(arena_printf(f->r->a, "%lld", (long long)n + 1)));
}

/* The table was changed: its columns take the place of rows that nobody filled in. */
static void form_show_columns(struct flow_form *f)
{
	struct str slug = utf8_trim(form_text(f, "f_tableSlug"));
	int64_t n;
	bool is_filled = false;

	json_set_strn(json_object_get(f->step, "config"), "tableSlug", slug);
	if (!str_to_i64(form_text(f, "f_data_n"), 0, 200, &n))
		return;
	for (int64_t i = 0; i < n; i++)
		is_filled =
		    is_filled ||
		    form_text(f, arena_printf(f->r->a, "f_data_value_%lld", (long long)i)).n > 0;
	if (!is_filled)
		form_set_text(f, "f_data_n", STR("0"));
}

static int form_change(struct flow_form *f, struct str act, struct str what)
{
	if (json_object_get(f->step, "config") == NULL && f->act == NULL)
		json_set(f->step, "config", json_object());
	if (str_is(act, "insert"))
		form_insert(f, what);
	else if (str_is(act, "pair"))
		form_add_pair(f, what);
	else if (str_is(act, "columns"))
		form_show_columns(f);
	else if (str_starts(act, "way-"))
		form_change_branches(f, act, what);
	else
		form_change_condition(f, act, what);
	return form_show(f, 200);
}

static int form_saved(struct flow_form *f)
{
	struct flow_page *p = f->page;
	struct err err = ERR_INIT;
	const char *done = f->key == NULL ? "The step was added." : "The step was saved.";

	if (flow_page_save(p, &err) == -1 && err.code != ERR_CONFLICT)
		return res_error(f->r, &err);
	if (err.code == ERR_CONFLICT) {
		f->problem =
		    "Not saved: somebody changed this flow just now. What you typed is still "
		    "here: save it again.";
		return form_show(f, 409);
	}
	chrome_flash(f->r, "ok", "%s", done);
	return res_redirect(f->r, flow_page_path(f->r->a, &p->f));
}

static int form_post(struct flow_form *f)
{
	struct str what = req_form(f->r, "act"), act;
	struct err err = ERR_INIT;

	(void)str_split(&what, ':', &act);
	if (!str_is(act, "save") && !str_is(act, "keep"))
		return form_change(f, act, what);
	form_read(f);
	if (form_check(f, &err) == -1)
		return res_error(f->r, &err);
	if (json_object_size(f->wrong) + f->others > 0 && !str_is(act, "keep"))
		return form_show(f, 422);
	return form_saved(f);
}

/* ---- a draft that somebody else has changed meanwhile
 * ------------------------------------------------- */

/* The step that the form was made of, wherever it stands now; NULL where it was changed or removed.
 */
static const struct flow_step *step_of_hash(
    const struct flow_page *p, struct str key, struct str hash)
{
	const struct flow_step *s = draft_find(&p->d, key);

	if (s != NULL && str_is(hash, form_hash(p->r->a, s->json)))
		return s;
	for (size_t i = 0; i < p->d.plan.nsteps; i++)
		if (str_is(hash, form_hash(p->r->a, p->d.plan.all[i]->json)))
			return p->d.plan.all[i];
	return NULL;
}

static const char *conflict_words(struct arena *a, const char *now, struct str before, bool is_same)
{
	if (now == NULL)
		return "Not saved: somebody has removed this step meanwhile. What you typed is "
		       "still "
		       "here; saving adds it at the end of the flow.";
	if (!is_same)
		return "Not saved: somebody changed this very step meanwhile. What you typed is "
		       "still "
		       "here. Open the flow in another tab to compare; saving again puts yours in "
		       "its "
		       "place.";
	return arena_printf(a,
	    "Not saved: somebody changed other steps of this flow meanwhile. What you typed is "
	    "still here: save it again.%s",
	    str_is(before, now) ? ""
				: " Steps have other numbers now, so look at the fields that name "
				  "one.");
}

/* What was typed is shown again, on top of the draft as it is now; nothing is saved. */
static int form_conflict(struct flow_page *p, struct str key)
{
	const struct flow_step *s = step_of_hash(p, key, req_form(p->r, "hash"));
	bool is_same = s != NULL, is_there;
	struct flow_form f;

	p->revision = p->f.updated_us;
	is_there = s != NULL || draft_find(&p->d, key) != NULL;
	if (is_there && !form_of_step(&f, p, is_same ? str_from(s->key) : key, true))
		return 0;
	if (is_there && !is_same && !str_is(req_form(p->r, "kind"), f.kind->name))
		is_there = false; /* another step has its number now */
	if (!is_there) {
		form_set_text(&(struct flow_form){.r = p->r}, "in", STR(DRAFT_TOP));
		form_set_text(&(struct flow_form){.r = p->r}, "at", STR(""));
		if (!form_of_new(&f, p, true))
			return 0;
	}
	f.problem = conflict_words(p->r->a, is_there ? f.key : NULL, key, is_same);
	return form_show(&f, 409);
}

static bool is_saving(const struct req *r)
{
	struct str act = req_form(r, "act");

	return str_is(act, "save") || str_is(act, "keep");
}

int flow_page_step_post(struct req *r)
{
	struct str key = req_param(r, "step");
	struct flow_page p;
	struct flow_form f;

	if (!flow_page_open(r, &p))
		return 0;
	if (flow_page_is_stale(&p) && is_saving(r))
		return form_conflict(&p, key);
	if (!form_of_step(&f, &p, key, true))
		return 0;
	f.saved_hash = str_copy(r->a, req_form(r, "hash")).p;
	return form_post(&f);
}

int flow_page_step_new_post(struct req *r)
{
	struct draft_spot at;
	struct flow_page p;
	struct flow_form f;

	if (!flow_page_open(r, &p))
		return 0;
	if (flow_page_is_stale(&p) && is_saving(r)) {
		p.revision = p.f.updated_us;
		if (!draft_find_list(&p.d, req_form(r, "in"), &at))
			form_set_text(&(struct flow_form){.r = r}, "in", STR(DRAFT_TOP));
		if (!form_of_new(&f, &p, true))
			return 0;
		f.problem =
		    "Not saved: somebody changed this flow meanwhile. What you typed is still "
		    "here: save it again.";
		return form_show(&f, 409);
	}
	return form_of_new(&f, &p, true) ? form_post(&f) : 0;
}
