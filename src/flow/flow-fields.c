/* What a step can be given. */
#include "flow/flow-fields.h"
#include "base/arena.h"
#include "flow/flow-condition.h"
#include "flow/trigger.h"
#include "table/table.h"

#define FIELDS_MOST 80u /* of one type, the most filled first */
#define TYPES_MOST 4u
#define EXAMPLE_BYTES 40u
#define TRIGGERS_SHOWN 100

/* ---- what starts the flow
 * ------------------------------------------------------------------------ */

static bool list_has(const json_t *list, const char *text)
{
	const json_t *v;
	size_t i;

	json_array_each(list, i, v)
		if (strcmp(json_string_value(v), text) == 0)
			return true;
	return false;
}

int flow_fields_triggers(
    struct req *r, const struct uuid *flow_id, json_t **triggers, json_t **types, struct err *err)
{
	struct trigger_filter f = {.account_id = r->actor.account_id, .flow_id = *flow_id};
	struct slice s = {.limit = TRIGGERS_SHOWN};
	json_t *t;
	size_t i;

	*types = json_own(r->a, json_array());
	*triggers = json_own(r->a, json_array());
	if (trigger_list(r->app, r->a, &f, &s, err) == -1)
		return -1;
	if (s.rows != NULL)
		*triggers = s.rows;
	json_array_each(*triggers, i, t) {
		const char *type = json_str(t, "resourceType");

		if (type != NULL && *type != '\0' && strcmp(type, "*") != 0 &&
		    !list_has(*types, type))
			json_array_append_new(*types, json_string(type));
	}
	return 0;
}

/* ---- groups
 * --------------------------------------------------------------------------------------- */

static json_t *group_add(json_t *groups, const char *heading)
{
	json_t *o = json_object(), *choices = json_array();

	json_set_str(o, "heading", heading);
	json_set(o, "choices", choices);
	json_array_append_new(groups, o);
	return choices;
}

static void choice_add(struct arena *a, json_t *choices, const char *place, const char *label)
{
	json_t *o = json_object();

	json_set_str(o, "place", place);
	json_set_str(o, "value", arena_printf(a, "{{%s}}", place));
	json_set_str(o, "label", label);
	json_array_append_new(choices, o);
}

static const char *capital(struct arena *a, const char *words)
{
	char *out = arena_strdup(a, words);

	if (*out >= 'a' && *out <= 'z')
		*out = (char)(*out - 32);
	return out;
}

/* "Email – ann@example.com", with the objects that it lies in: "Contact, first name". */
static const char *field_label(struct arena *a, const char *path, const json_t *examples)
{
	const char *words = "", *example = json_scalar_text(a, json_array_get(examples, 0));
	struct str rest = str_from(path), part, cut;

	while (str_split(&rest, '.', &part))
		words = *words == '\0' ? place_words(a, part)
				       : arena_printf(a, "%s, %s", words, place_words(a, part));
	words = capital(a, words);
	if (example == NULL || *example == '\0')
		return words;
	cut = utf8_cut(str_from(example), EXAMPLE_BYTES);
	return arena_printf(
	    a, "%s – %.*s%s", words, (int)cut.n, cut.p, cut.n < strlen(example) ? "…" : "");
}

/* What a template may name as it stands: no key of odd letters, no way through a list. */
static bool is_plain_path(const char *path)
{
	for (const char *c = path; *c != '\0'; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			(*c >= '0' && *c <= '9') || *c == '_' || *c == '.' || *c == '-'))
			return false;
	return *path != '\0';
}

static int group_add_type(struct req *r, json_t *groups, const char *type, struct err *err)
{
	json_t *fields, *f, *choices;
	size_t i, n = 0;

	if (record_fields(r->app, r->a, &r->actor.account_id, str_from(type), &fields, err) == -1)
		return -1;
	if (json_array_size(fields) == 0)
		return 0;
	choices = group_add(groups,
	    arena_printf(r->a, "What starts the flow: %s", place_words(r->a, str_from(type))));
	json_array_each(fields, i, f) {
		const char *path = json_str(f, "path");

		if (!is_plain_path(path) || n++ >= FIELDS_MOST)
			continue;
		choice_add(r->a, choices, arena_printf(r->a, "trigger.%s", path),
		    field_label(r->a, path, json_object_get(f, "examples")));
	}
	return 0;
}

static void group_add_record(struct req *r, json_t *groups)
{
	static const struct word places[] = {{"trigger.recordId", "ID of the record in Connect"},
	    {"trigger.externalId", "ID of the record at its source"},
	    {"trigger.providerType", "Source, such as shopify"},
	    {"trigger.resourceType", "Type, such as order"}, {NULL, NULL}};
	json_t *choices = group_add(groups, "The record itself");

	for (const struct word *p = places; p->text != NULL; p++)
		choice_add(r->a, choices, p->text, p->label);
}

/* ---- steps before
 * --------------------------------------------------------------------------------- */

/* The columns of the row that a step of a table gives. */
static int step_add_columns(
    struct req *r, json_t *choices, const struct flow_step *s, struct err *err)
{
	const char *slug = json_str(json_object_get(s->json, "config"), "tableSlug");
	struct table t;
	int found;

	if (slug == NULL)
		return 0;
	found = table_find(r->app->db, r->a, &r->actor.account_id, str_from(slug), false, &t, err);
	if (found != 1)
		return found;
	for (size_t i = 0; i < t.shape.shown && i < FIELDS_MOST; i++) {
		const char *name = str_copy(r->a, t.shape.columns[i].name).p;

		if (is_plain_path(name))
			choice_add(r->a, choices, arena_printf(r->a, "%s.row.%s", s->key, name),
			    arena_printf(r->a, "Its row: %s", name));
	}
	return 0;
}

static int group_add_step(struct req *r, const struct flow_words *w, json_t *groups,
    const struct flow_step *s, struct err *err)
{
	json_t *choices = group_add(groups,
	    arena_printf(r->a, "Step %s: %s", s->key + strlen("step_"), flow_words_title(w, s)));

	for (const struct step_output *o = s->kind->outputs; o->name != NULL; o++) {
		bool is_all = strcmp(o->name, "*") == 0;

		choice_add(r->a, choices,
		    is_all ? arena_printf(r->a, "%s.output", s->key)
			   : arena_printf(r->a, "%s.%s", s->key, o->name),
		    is_all ? "All that it gives"
			   : arena_printf(r->a, "%s – %s",
				 capital(r->a, place_words(r->a, str_from(o->name))), o->help));
	}
	return step_add_columns(r, choices, s, err);
}

static bool is_around(const struct flow_step *s, const struct draft_spot *at)
{
	size_t n = strlen(s->key);

	return at->owner != NULL && strncmp(at->owner->key, s->key, n) == 0 &&
	       (at->owner->key[n] == '\0' || at->owner->key[n] == '_');
}

/* The number of the first step that is not before the spot. */
static unsigned spot_number(const struct draft *d, const struct draft_spot *at)
{
	const json_t *step = json_array_get(at->array, at->index);
	unsigned before = at->owner == NULL ? 0 : at->owner->number + 1;

	for (unsigned i = 0; i < d->plan.nsteps; i++)
		if (d->plan.all[i]->json == step && step != NULL)
			return i;
	step = at->index == 0 ? NULL : json_array_get(at->array, at->index - 1);
	for (unsigned i = 0; i < d->plan.nsteps && step != NULL; i++)
		if (d->plan.all[i]->json == step) {
			/* and all within it */
			before = i + 1;
			while (before < d->plan.nsteps &&
			       strncmp(d->plan.all[before]->key, d->plan.all[i]->key,
				   strlen(d->plan.all[i]->key)) == 0 &&
			       d->plan.all[before]->key[strlen(d->plan.all[i]->key)] == '_')
				before++;
		}
	return before;
}

static void group_add_around(
    struct req *r, const struct draft *d, json_t *groups, const struct draft_spot *at)
{
	bool is_loop = false, is_error = false;
	const struct flow_step *owner = at->owner;
	size_t list = at->list;
	json_t *choices;

	while (owner != NULL) {
		struct draft_spot out;

		is_loop = is_loop || (owner->kind->how == STEP_LOOP && list < owner->nlists);
		is_error = is_error || list >= owner->nlists;
		if (!draft_locate(d, owner, &out))
			break;
		owner = out.owner;
		list = out.list;
	}
	if (is_loop) {
		choices = group_add(groups, "This turn of the loop");
		choice_add(r->a, choices, "item", "The item");
		choice_add(r->a, choices, "index", "Its number, from 0");
		choice_add(r->a, choices, "total", "How many items there are");
	}
	if (is_error) {
		choices = group_add(groups, "What went wrong");
		choice_add(r->a, choices, "error.message", "The error in words");
		choice_add(r->a, choices, "error.step", "The step that failed");
	}
}

int flow_fields_at(struct req *r, const struct flow_words *w, const struct draft *d,
    const struct draft_spot *at, const json_t *types, json_t **out, struct err *err)
{
	unsigned number = spot_number(d, at);
	json_t *groups = json_own(r->a, json_array());
	const json_t *type;
	size_t i;

	*out = groups;
	group_add_around(r, d, groups, at);
	json_array_each(types, i, type)
		if (i < TYPES_MOST && group_add_type(r, groups, json_string_value(type), err) == -1)
			return -1;
	for (i = number; i-- > 0;) {
		const struct flow_step *s = d->plan.all[i];

		if (s->kind != NULL && !is_around(s, at) &&
		    group_add_step(r, w, groups, s, err) == -1)
			return -1;
	}
	group_add_record(r, groups);
	return 0;
}
