/* The steps of a flow: shown, moved, removed, published. Data of "flow/steps" beside the head:
 * starts: [{words, is_on}], items: [{key, number, title, what, words, faults: [{text}], up, down,
 * in, out, lists: [{words, address, items}]}], faults, diagram_svg. */
#include "account/permission.h"
#include "base/arena.h"
#include "base/buf.h"
#include "flow/flow-diagram.h"
#include "flow/flow-fields.h"
#include "flow/flow-pages.h"
#include "html/chrome.h"

#define DIAGRAM_BYTES (1024u * 1024u)
#define DIAGRAM_BESIDE 360 /* a wider one stands below the steps */

/* ---- the draft on a page
 * -------------------------------------------------------------------------- */

bool flow_page_open(struct req *r, struct flow_page *p)
{
	struct err err = ERR_INIT;

	*p = (struct flow_page){.r = r};
	if (!flow_of_route(r, &p->f))
		return false;
	draft_open(&p->d, r->a, p->f.steps, p->f.settings);
	if (!str_to_i64(req_form(r, "revision"), 1, INT64_MAX, &p->revision))
		p->revision = r->method == HTTP_POST ? 0 : p->f.updated_us;
	if (flow_words_open(&p->w, r, &err) == 0 &&
	    flow_fields_triggers(r, &p->f.id, &p->triggers, &p->types, &err) == 0)
		return true;
	(void)res_error(r, &err);
	return false;
}

bool flow_page_is_stale(const struct flow_page *p)
{
	return p->revision != p->f.updated_us;
}

int flow_page_save(struct flow_page *p, struct err *err)
{
	struct flow f = p->f;

	f.has_draft = f.has_draft || !json_equal(f.steps, p->d.steps) ||
		      !json_equal(f.settings, p->d.settings);
	f.steps = p->d.steps;
	f.settings = p->d.settings;
	f.expected_us = p->revision;
	if (json_text(p->r->a, f.steps).n > FLOW_JSON_BYTES)
		return err_set(err, ERR_INVALID, "The steps of a flow may have at most %u KiB",
		    FLOW_JSON_BYTES / 1024);
	if (flow_update(p->r, &f, "flow.update", err) == -1)
		return -1;
	p->f = f;
	return 0;
}

const char *flow_page_path(struct arena *a, const struct flow *f)
{
	return arena_printf(a, "/admin/flows/%s", uuid_dup(a, f->id));
}

/* ---- the steps in words
 * ---------------------------------------------------------------------------- */

static json_t *items_show(const struct flow_page *p, const struct flow_list *l);

static json_t *faults_show(const struct flow_page *p, const struct flow_step *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->d.nfaults; i++) {
		const struct draft_fault *f = &p->d.faults[i];
		json_t *o;

		if (f->step != s)
			continue;
		o = json_object();
		json_set_str(o, "text", draft_fault_text(p->r->a, f));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *lists_show(const struct flow_page *p, const struct flow_step *s)
{
	json_t *lists = json_array();
	size_t n = s->nlists + (s->on_error_list != NULL);

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		json_set_str(o, "words", flow_words_of_list(&p->w, s, i));
		json_set_str(o, "address", draft_address(p->r->a, s, i));
		json_set(o, "items", items_show(p, &s->lists[i]));
		json_set_int(o, "next", (int64_t)s->lists[i].n);
		json_set_bool(o, "is_empty", s->lists[i].n == 0);
		json_array_append_new(lists, o);
	}
	return lists;
}

static void item_show_ways(const struct flow_page *p, const struct flow_step *s, json_t *o)
{
	static const char *const names[] = {"up", "down", "in", "out"};
	static const enum draft_way ways[] = {DRAFT_UP, DRAFT_DOWN, DRAFT_IN, DRAFT_OUT};
	struct draft_spot at;

	for (size_t i = 0; i < 4; i++)
		json_set_bool(o, names[i], draft_target(&p->d, s, ways[i], &at));
	json_set_bool(o, "is_alone", !json_bool(o, "up") && !json_bool(o, "down"));
	if (!draft_locate(&p->d, s, &at))
		return;
	json_set_str(o, "address", draft_address(p->r->a, at.owner, at.list));
	json_set_int(o, "next", (int64_t)at.index + 1);
	json_set_int(o, "index", (int64_t)at.index);
}

static const char *step_number_words(struct arena *a, const char *key)
{
	char *text = arena_strdup(a, key + strlen("step_"));

	for (char *c = text; *c != '\0'; c++)
		*c = *c == '_' ? '.' : *c;
	return text;
}

static json_t *items_show(const struct flow_page *p, const struct flow_list *l)
{
	json_t *items = json_array();

	for (size_t i = 0; i < l->n; i++) {
		const struct flow_step *s = &l->steps[i];
		json_t *o = json_object(), *faults = faults_show(p, s);
		const char *title = flow_words_title(&p->w, s);

		json_set_str(o, "key", s->key);
		json_set_str(o, "number", step_number_words(p->r->a, s->key));
		json_set_str(o, "title", title);
		json_set_str(o, "what",
		    s->kind == NULL || strcmp(s->kind->label, title) == 0 ? NULL : s->kind->label);
		json_set_str(o, "words", flow_words_of_step(&p->w, s));
		json_set_bool(o, "is_faulty", json_array_size(faults) > 0);
		json_set(o, "faults", faults);
		json_set_str(
		    o, "on_error", s->on_error == ERROR_CONTINUES ? "Goes on if it fails" : NULL);
		item_show_ways(p, s, o);
		json_set(o, "lists", lists_show(p, s));
		json_array_append_new(items, o);
	}
	return items;
}

/* ---- the page
 * ---------------------------------------------------------------------------------------- */

static const char *starts_show(const struct flow_page *p, json_t *data)
{
	json_t *list = json_array(), *t;
	const char *first = NULL;
	size_t i;

	json_array_each(p->triggers, i, t) {
		json_t *o = json_object();
		const char *words = flow_trigger_words(p->r->app, p->r->a, t);

		json_set_str(o, "words", words);
		json_set_str(o, "trigger_id", json_str(t, "id"));
		json_set_bool(o, "is_on", json_bool(t, "enabled"));
		json_array_append_new(list, o);
		if (first == NULL && json_bool(t, "enabled"))
			first = words;
	}
	json_set(data, "starts", list);
	json_set_bool(data, "has_starts", json_array_size(list) > 0);
	return first == NULL ? "By hand or by the API" : first;
}

/* Complaints of no step: of the settings, or of all steps together. */
static void steps_show_faults(const struct flow_page *p, json_t *data)
{
	json_t *others = faults_show(p, NULL);

	json_set_int(data, "fault_count", (int64_t)p->d.nfaults);
	json_set_str(data, "fault_words",
	    p->d.nfaults == 0
		? NULL
		: arena_printf(p->r->a, "%zu thing%s to mend before this can be published",
		      p->d.nfaults, plural_s(p->d.nfaults)));
	json_set(data, "other_faults", others);
}

static int steps_page(struct flow_page *p, int status)
{
	struct req *r = p->r;
	json_t *data = flow_page_head(r, &p->f, "steps");
	struct buf *b = buf_new(r->a, DIAGRAM_BYTES);
	struct err err = ERR_INIT;
	const char *start;
	int width;

	if (draft_check(&p->d, r, &p->f.id, &err) == -1)
		return res_error(r, &err);
	json_set_int(data, "revision", p->f.updated_us);
	json_set(data, "items", items_show(p, &p->d.plan.top));
	json_set_int(data, "next", (int64_t)p->d.plan.top.n);
	json_set_bool(data, "has_items", p->d.plan.top.n > 0);
	json_set_bool(data, "can_triggers", (r->actor.permissions & PERMIT(TRIGGERS_WRITE)) != 0);
	start = starts_show(p, data);
	steps_show_faults(p, data);
	width = flow_diagram(b, &p->w, &p->d.plan, p->f.name, start);
	json_set_bool(data, "is_below", width > DIAGRAM_BESIDE);
	json_set_str(data, "diagram_svg", p->d.plan.top.n > 0 && buf_ok(b) ? b->p : NULL);
	return chrome_page(r, status, "flows", p->f.name, "flow/steps", json_incref(data));
}

int flow_page_steps(struct req *r)
{
	struct flow_page p;

	return flow_page_open(r, &p) ? steps_page(&p, 200) : 0;
}

/* ---- acts
 * -------------------------------------------------------------------------------------------- */

static int steps_conflict(struct flow_page *p)
{
	chrome_flash(p->r, "error",
	    "Nothing was changed: somebody has changed this flow meanwhile. Here is how it is "
	    "now.");
	return res_redirect(p->r, flow_page_path(p->r->a, &p->f));
}

static int steps_save(struct flow_page *p, const char *done)
{
	struct err err = ERR_INIT;

	if (flow_page_save(p, &err) == -1)
		return err.code == ERR_CONFLICT ? steps_conflict(p) : res_error(p->r, &err);
	chrome_flash(p->r, "ok", "%s", done);
	return res_redirect(p->r, flow_page_path(p->r->a, &p->f));
}

/* act: "up:step_2" */
int flow_page_move(struct req *r)
{
	static const char *const names[] = {"up", "down", "in", "out"};
	static const enum draft_way ways[] = {DRAFT_UP, DRAFT_DOWN, DRAFT_IN, DRAFT_OUT};
	struct str key = req_form(r, "act"), act;
	const struct flow_step *s;
	struct draft_spot from, to;
	struct flow_page p;
	const char *title;

	if (!flow_page_open(r, &p))
		return 0;
	if (flow_page_is_stale(&p))
		return steps_conflict(&p);
	(void)str_split(&key, ':', &act);
	s = draft_find(&p.d, key);
	for (size_t i = 0; i < 4 && s != NULL; i++) {
		if (!str_is(act, names[i]) || !draft_target(&p.d, s, ways[i], &to) ||
		    !draft_locate(&p.d, s, &from))
			continue;
		title = flow_words_title(&p.w, s);
		draft_move(&p.d, &from, &to);
		return steps_save(&p, arena_printf(r->a, "“%s” was moved.", title));
	}
	return res_problem(r, 422, "This step cannot be moved there");
}

/* The step of the address, and where it stands; false: answered. */
static bool steps_asked(struct flow_page *p, const struct flow_step **s, struct draft_spot *at)
{
	*s = draft_find(&p->d, req_param(p->r, "step"));
	if (*s != NULL && draft_locate(&p->d, *s, at))
		return true;
	(void)res_problem(p->r, 404, "The flow has no such step. Perhaps it was moved or removed");
	return false;
}

static size_t steps_within(const struct flow_page *p, const struct flow_step *s)
{
	size_t n = 0, length = strlen(s->key);

	for (size_t i = 0; i < p->d.plan.nsteps; i++)
		n += strncmp(p->d.plan.all[i]->key, s->key, length) == 0 &&
		     p->d.plan.all[i]->key[length] == '_';
	return n;
}

int flow_page_remove(struct req *r)
{
	const struct flow_step *s, **others;
	struct draft_spot at;
	struct flow_page p;
	json_t *data, *list = json_array();
	size_t n, within;

	if (!flow_page_open(r, &p) || !steps_asked(&p, &s, &at))
		return 0;
	data = flow_page_head(r, &p.f, NULL);
	others = draft_referrers(&p.d, s, &n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(arena_printf(r->a, "%s. %s",
						step_number_words(r->a, others[i]->key),
						flow_words_title(&p.w, others[i]))));
	within = steps_within(&p, s);
	json_set(data, "others", list);
	json_set_bool(data, "has_others", n > 0);
	json_set_str(data, "key", s->key);
	json_set_str(data, "step_title", flow_words_title(&p.w, s));
	json_set_str(data, "words", flow_words_of_step(&p.w, s));
	json_set_str(data, "within",
	    within == 0 ? NULL : arena_printf(r->a, "%zu step%s", within, plural_s(within)));
	json_set_int(data, "revision", p.f.updated_us);
	return chrome_page(r, 200, "flows", "Remove a step", "flow/remove", json_incref(data));
}

int flow_page_remove_post(struct req *r)
{
	const struct flow_step *s;
	struct draft_spot at;
	struct flow_page p;
	const char *title;

	if (!flow_page_open(r, &p))
		return 0;
	if (flow_page_is_stale(&p))
		return steps_conflict(&p);
	if (!steps_asked(&p, &s, &at))
		return 0;
	title = flow_words_title(&p.w, s);
	draft_remove(&p.d, &at);
	return steps_save(&p, arena_printf(r->a, "“%s” was removed.", title));
}

/* What would be refused stands at the steps, on the page that it leads back to. */
int flow_page_publish(struct req *r)
{
	struct err err = ERR_INIT;
	struct flow_page p;

	if (!flow_page_open(r, &p))
		return 0;
	if (draft_check(&p.d, r, &p.f.id, &err) == -1)
		return res_error(r, &err);
	if (p.d.nfaults > 0 || p.d.plan.nsteps == 0) {
		chrome_flash(r, "error",
		    p.d.plan.nsteps == 0 ? "Not published: the flow has no steps yet."
					 : "Not published: look at what is marked below.");
		return res_redirect(r, flow_page_path(r->a, &p.f));
	}
	p.f.expected_us = p.f.updated_us;
	if (flow_publish(r, &p.f, 0, &err) == -1)
		return err.code == ERR_CONFLICT ? steps_conflict(&p) : res_error(r, &err);
	chrome_flash(r, "ok",
	    "Published as version %d. What starts the flow from now on goes through these steps.",
	    p.f.version);
	return res_redirect(r, flow_page_path(r->a, &p.f));
}
