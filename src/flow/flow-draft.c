/* The steps of a flow while they are edited. */
#include "flow/flow-draft.h"
#include "base/arena.h"
#include "flow/flow-condition.h"

/* ---- what is wrong --------------------------------------------------------------------------- */

#define FAULTS_MOST 200u

static void draft_complain(void *arg, const char *path, const char *reason)
{
	struct draft *d = arg;

	if (d->nfaults < FAULTS_MOST)
		d->faults[d->nfaults++] = (struct draft_fault){
		    .path = arena_strdup(d->a, path), .reason = arena_strdup(d->a, reason)};
}

/* The innermost step that a path leads into. */
static void fault_place(const struct draft *d, struct draft_fault *f)
{
	size_t best = 0;

	for (size_t i = 0; i < d->plan.nsteps; i++) {
		const struct flow_step *s = d->plan.all[i];
		size_t n = strlen(s->place);

		if (n <= best || strncmp(f->path, s->place, n) != 0)
			continue;
		best = n;
		f->step = s;
	}
	f->field = f->path + best + (best > 0 && f->path[best] == '.');
}

static void draft_compile(struct draft *d)
{
	struct json_reader in = {.complain = draft_complain, .arg = d};

	d->nfaults = 0;
	(void)flow_plan_compile(d->a, d->steps, d->settings, &in, &d->plan);
	for (size_t i = 0; i < d->nfaults; i++)
		fault_place(d, &d->faults[i]);
}

void draft_open(struct draft *d, struct arena *a, const json_t *steps, const json_t *settings)
{
	*d = (struct draft){.a = a,
	    .steps = json_own(a, json_deep_copy(steps)),
	    .settings = json_own(a, json_deep_copy(settings)),
	    .faults = arena_array(a, FAULTS_MOST, sizeof(*d->faults))};
	draft_compile(d);
}

int draft_check(struct draft *d, struct req *r, const struct uuid *flow_id, struct err *err)
{
	struct json_reader in = {.complain = draft_complain, .arg = d};
	size_t before = d->nfaults;

	if (flow_plan_check(r->app, d->a, &r->actor.account_id, flow_id, &d->plan, &in, err) == -1)
		return -1;
	for (size_t i = before; i < d->nfaults; i++)
		fault_place(d, &d->faults[i]);
	return 0;
}

/* The label of the field that a fault is of; its last name where it is none of the kind's. */
static const char *fault_label(struct arena *a, const struct draft_fault *f)
{
	const char *dot = strrchr(f->field, '.'), *name = dot == NULL ? f->field : dot + 1;

	for (size_t i = 0;
	     f->step != NULL && f->step->kind != NULL && f->step->kind->fields[i].name != NULL; i++)
		if (strcmp(f->step->kind->fields[i].name, name) == 0)
			return f->step->kind->fields[i].label;
	return str_starts(str_from(name), "connectionId") ? "Connection"
							  : place_words(a, str_from(name));
}

const char *draft_fault_text(struct arena *a, const struct draft_fault *f)
{
	const char *label = fault_label(a, f);

	return *label == '\0' ? f->reason
			      : arena_printf(a, "%c%s %s",
				    *label >= 'a' && *label <= 'z' ? *label - 32 : *label,
				    label + 1, f->reason);
}

/* ---- places ---------------------------------------------------------------------------------- */

const struct flow_step *draft_find(const struct draft *d, struct str key)
{
	for (size_t i = 0; i < d->plan.nsteps; i++)
		if (str_is(key, d->plan.all[i]->key))
			return d->plan.all[i];
	return NULL;
}

const char *draft_address(struct arena *a, const struct flow_step *owner, size_t list)
{
	return owner == NULL ? DRAFT_TOP : arena_printf(a, "%s.%zu", owner->key, list);
}

static size_t lists_of(const struct flow_step *s)
{
	return s->nlists + (s->on_error_list != NULL);
}

/* As flow-plan.c counts them. */
static json_t *draft_array(const struct draft *d, const struct flow_step *owner, size_t n)
{
	json_t *config;

	if (owner == NULL)
		return d->steps;
	if (n == owner->nlists)
		return json_object_get(owner->json, "errorSteps");
	config = json_object_get(owner->json, "config");
	for (const struct step_field *f = owner->kind->fields; f->name != NULL; f++) {
		json_t *v = json_object_get(config, f->name);

		if (!json_is_array(v) || (f->type != STEP_STEPS && f->type != STEP_BRANCHES))
			continue;
		if (f->type == STEP_STEPS && n-- == 0)
			return v;
		if (f->type != STEP_BRANCHES)
			continue;
		if (n < json_array_size(v))
			return json_object_get(json_array_get(v, n), "steps");
		n -= json_array_size(v);
	}
	return NULL;
}

bool draft_find_list(const struct draft *d, struct str address, struct draft_spot *out)
{
	struct str key;
	int64_t n = 0;

	*out = (struct draft_spot){.array = d->steps};
	if (str_is(address, DRAFT_TOP))
		return true;
	if (!str_split(&address, '.', &key) || !str_to_i64(address, 0, FLOW_STEPS_MOST, &n))
		return false;
	out->owner = draft_find(d, key);
	out->list = (size_t)n;
	if (out->owner == NULL || out->list >= lists_of(out->owner))
		return false;
	out->array = draft_array(d, out->owner, out->list);
	return json_is_array(out->array);
}

static bool locate_in(const struct draft *d, const struct flow_step *owner, size_t list,
    const struct flow_list *l, const struct flow_step *s, struct draft_spot *out)
{
	if (s < l->steps || s >= l->steps + l->n)
		return false;
	*out =
	    (struct draft_spot){owner, list, (size_t)(s - l->steps), draft_array(d, owner, list)};
	return json_is_array(out->array);
}

bool draft_locate(const struct draft *d, const struct flow_step *s, struct draft_spot *out)
{
	if (locate_in(d, NULL, 0, &d->plan.top, s, out))
		return true;
	for (size_t i = 0; i < d->plan.nsteps; i++) {
		const struct flow_step *owner = d->plan.all[i];

		for (size_t k = 0; k < lists_of(owner); k++)
			if (locate_in(d, owner, k, &owner->lists[k], s, out))
				return true;
	}
	return false;
}

/* Beside the step that it stands within. */
static bool target_out(
    const struct draft *d, const struct draft_spot *at, bool is_behind, struct draft_spot *out)
{
	if (at->owner == NULL || !draft_locate(d, at->owner, out))
		return false;
	out->index += is_behind;
	return true;
}

/* Behind the last step of the list of the step before. */
static bool target_in(const struct draft *d, const struct flow_step *s, const struct draft_spot *at,
    struct draft_spot *out)
{
	const struct flow_step *before = at->index == 0 ? NULL : s - 1;

	if (before == NULL || before->nlists == 0)
		return false;
	*out = (struct draft_spot){before, 0, 0, draft_array(d, before, 0)};
	out->index = json_array_size(out->array);
	return json_is_array(out->array);
}

bool draft_target(
    const struct draft *d, const struct flow_step *s, enum draft_way way, struct draft_spot *out)
{
	struct draft_spot at;

	if (!draft_locate(d, s, &at))
		return false;
	*out = at;
	switch (way) {
	case DRAFT_UP:
		out->index--;
		return at.index > 0 || target_out(d, &at, false, out);
	case DRAFT_DOWN:
		out->index++;
		return out->index < json_array_size(at.array) || target_out(d, &at, true, out);
	case DRAFT_IN:
		return target_in(d, s, &at, out);
	case DRAFT_OUT:
		return target_out(d, &at, true, out);
	}
	return false;
}

/* ---- changes
 * ------------------------------------------------------------------------------------- */

struct renaming {
	const json_t *json;
	const char *from, *to;
};
struct renamings {
	struct renaming *v;
	size_t n;
};

static struct renamings names_before(const struct draft *d)
{
	struct renamings r = {arena_array(d->a, d->plan.nsteps + 1, sizeof(*r.v)), d->plan.nsteps};

	for (size_t i = 0; i < r.n; i++)
		r.v[i] = (struct renaming){d->plan.all[i]->json, d->plan.all[i]->key, DRAFT_GONE};
	return r;
}

static const char *name_now(void *arg, struct str name)
{
	const struct renamings *r = arg;

	for (size_t i = 0; i < r->n; i++)
		if (str_is(name, r->v[i].from))
			return r->v[i].to;
	return NULL;
}

/* Each step is the same JSON as before, wherever it stands now. */
static void draft_renamed(struct draft *d, struct renamings r)
{
	json_t *step;
	size_t i;

	draft_compile(d);
	for (i = 0; i < r.n; i++)
		for (size_t k = 0; k < d->plan.nsteps; k++)
			if (d->plan.all[k]->json == r.v[i].json)
				r.v[i].to = d->plan.all[k]->key;
	json_array_each(d->steps, i, step)
		references_walk(d->a, step, name_now, &r);
	draft_compile(d);
}

void draft_insert(struct draft *d, const struct draft_spot *at, json_t *step)
{
	struct renamings r = names_before(d);

	json_array_insert_new(at->array, at->index, step);
	draft_renamed(d, r);
}

void draft_remove(struct draft *d, const struct draft_spot *at)
{
	struct renamings r = names_before(d);
	json_t *step = json_own(d->a, json_incref(json_array_get(at->array, at->index)));

	(void)step; /* as long as it is compared with */
	json_array_remove(at->array, at->index);
	draft_renamed(d, r);
}

void draft_move(struct draft *d, const struct draft_spot *from, const struct draft_spot *to)
{
	struct renamings r = names_before(d);
	json_t *step = json_own(d->a, json_incref(json_array_get(from->array, from->index)));
	size_t n;

	json_array_remove(from->array, from->index);
	n = json_array_size(to->array);
	json_array_insert(to->array, to->index < n ? to->index : n, step);
	draft_renamed(d, r);
}

/* The steps within keep their names: a form changes none of them. */
void draft_replace(struct draft *d, const struct draft_spot *at, json_t *step)
{
	json_own(d->a, json_incref(json_array_get(at->array, at->index)));
	json_array_set_new(at->array, at->index, step);
	draft_compile(d);
}

/* ---- who refers to whom
 * ---------------------------------------------------------------------------- */

struct search {
	const char *key;
	bool is_found;
};

static const char *name_is_of(void *arg, struct str name)
{
	struct search *s = arg;
	size_t n = strlen(s->key);

	s->is_found =
	    s->is_found || (str_starts(name, s->key) && (name.n == n || name.p[n] == '_'));
	return NULL;
}

static bool is_within(const struct flow_step *inner, const struct flow_step *outer)
{
	size_t n = strlen(outer->key);

	return strncmp(inner->key, outer->key, n) == 0 && inner->key[n] == '_';
}

const struct flow_step **draft_referrers(
    const struct draft *d, const struct flow_step *s, size_t *n)
{
	const struct flow_step **out = arena_array(d->a, d->plan.nsteps + 1, sizeof(*out));

	*n = 0;
	for (size_t i = 0; i < d->plan.nsteps; i++) {
		const struct flow_step *other = d->plan.all[i];
		struct search look = {s->key, false};
		struct draft_spot at;

		if (other == s || is_within(other, s) || !draft_locate(d, other, &at))
			continue;
		references_walk_own(d->a, json_array_get(at.array, at.index), name_is_of, &look);
		if (look.is_found)
			out[(*n)++] = other;
	}
	return out;
}
