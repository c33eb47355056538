/* The second pass over a flow's steps: fields, templates, conditions, settings (flow-plan.h). */
#include "flow/flow-plan.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/number.h"

#define RETRY_WAIT_S 5
#define RETRY_MOST_S 3600
#define FIXED_FIELDS 4 /* trigger, flow, execution, error */
#define LOOP_FIELDS 3  /* item, index, total */

/* ---- fields --------------------------------------------------------------------------------- */

static const struct expr_root plan_root = {"", 0, NULL, NULL};

/* What templates may name here. */
static struct loader plan_loader(
    struct planning *p, struct expr_root *root, struct expr_language *language)
{
	*root = plan_root;
	root->fields = p->fields;
	*language = (struct expr_language){EXPR_DOUBLE_BRACES, root, 1, expr_functions};
	return (struct loader){
	    .in = *p->in, .a = p->a, .language = language, .roots = EXPR_ROOT_BIT(0)};
}

/* The loader has a reader of its own: what it complained of counts here too. */
static void plan_loader_end(struct planning *p, const struct loader *l)
{
	p->in->faults = l->in.faults;
}

static void compile_template(struct planning *p, const json_t *v, struct expr **out)
{
	struct expr_root root;
	struct expr_language language;
	struct loader l = plan_loader(p, &root, &language);

	(void)expr_compile(&l, v, out);
	plan_loader_end(p, &l);
}

static void compile_condition(struct planning *p, const json_t *v, struct formula **out)
{
	struct expr_root root;
	struct expr_language language;
	struct loader l = plan_loader(p, &root, &language);

	if (!json_is_string(v))
		json_reader_fail(&l.in, "must be a condition, such as trigger.amount > 100");
	else
		(void)formula_compile(
		    &l, (struct str){json_string_value(v), json_string_length(v)}, out);
	plan_loader_end(p, &l);
}

static void compile_number(
    struct planning *p, const struct step_field *f, const json_t *v, struct step_value *out)
{
	const char *text = json_is_string(v) ? json_string_value(v) : NULL;
	int64_t n;

	if (text != NULL && strstr(text, "{{") != NULL)
		;
	else if (!(json_is_integer(v) && json_integer_value(v) >= f->min &&
		     json_integer_value(v) <= f->max) &&
		 !(text != NULL && str_to_i64(str_from(text), f->min, f->max, &n)))
		json_reader_fail(p->in, "must be a whole number from %lld to %lld",
		    (long long)f->min, (long long)f->max);
	compile_template(p, v, &out->expr);
}

static void check_choice(struct planning *p, const struct step_field *f, const json_t *v)
{
	struct buf *b = buf_new(p->a, 400);

	for (size_t i = 0; f->words[i] != NULL; i++) {
		if (json_is_string(v) && strcmp(json_string_value(v), f->words[i]) == 0)
			return;
		buf_printf(b, "%s%s", i > 0 ? ", " : "", f->words[i]);
	}
	json_reader_fail(p->in, "must be one of %s", b->p);
}

static void check_ids(struct planning *p, const json_t *v)
{
	struct uuid id;
	json_t *one;
	size_t i;

	if (!json_is_array(v))
		json_reader_fail(p->in, "must be a list of ids");
	json_array_each(v, i, one)
		if (!json_is_string(one) || !uuid_parse(str_from(json_string_value(one)), &id)) {
			json_reader_fail(p->in, "must be a list of ids");
			return;
		}
}

static void compile_field(
    struct planning *p, const struct step_field *f, json_t *v, struct step_value *out)
{
	static const struct json_member text = {"", READ_TEXT, .min = 1, .max = LIMIT_NAME_BYTES},
					boolean = {.name = "", .kind = READ_BOOL};
	union {
		struct str text;
		bool is;
		struct uuid id;
	} read;

	out->given = v;
	switch (f->type) {
	case STEP_WORD_TEXT:
		(void)json_read_value(p->in, v, &text, &read);
		return;
	case STEP_BOOLEAN:
		(void)json_read_value(p->in, v, &boolean, &read);
		return;
	case STEP_CHOICE:
		check_choice(p, f, v);
		return;
	case STEP_ID:
		if (!json_is_string(v) || !uuid_parse(str_from(json_string_value(v)), &read.id))
			json_reader_fail(p->in, "must be an id");
		return;
	case STEP_IDS:
		check_ids(p, v);
		return;
	case STEP_CONDITION:
		compile_condition(p, v, &out->formula);
		return;
	case STEP_NUMBER:
		compile_number(p, f, v, out);
		return;
	case STEP_STRING:
		if (json_is_array(v) || json_is_object(v))
			json_reader_fail(p->in, "must be a text");
		compile_template(p, v, &out->expr);
		return;
	case STEP_OBJECT:
		if (!json_is_object(v) &&
		    (!json_is_string(v) || strstr(json_string_value(v), "{{") == NULL))
			json_reader_fail(p->in, "must be an object");
		compile_template(p, v, &out->expr);
		return;
	case STEP_VALUE:
		compile_template(p, v, &out->expr);
		return;
	case STEP_STEPS:
	case STEP_BRANCHES:
		return; /* shaped already; compiled in their turn */
	}
}

/* Where a field stands: config, or inputMapping. */
static json_t *field_find(
    struct planning *p, const struct flow_step *s, const struct step_field *f, const char **where)
{
	json_t *config = json_object_get(json_object_get(s->json, "config"), f->name);
	json_t *mapped = (f->flags & STEP_INPUT) == 0 || s->kind->takes_any
			     ? NULL
			     : json_object_get(json_object_get(s->json, "inputMapping"), f->name);

	if (config != NULL && mapped != NULL)
		json_reader_fail_at(p->in, "inputMapping", "%s stands in config too", f->name);
	*where = mapped != NULL ? "inputMapping" : "config";
	return mapped != NULL ? mapped : config;
}

static void compile_one(
    struct planning *p, struct flow_step *s, const struct step_field *f, struct step_value *out)
{
	const char *where;
	json_t *v = field_find(p, s, f, &where);
	size_t outer = json_reader_enter(p->in, where), mark;

	if (json_is_null(v) && f->type != STEP_VALUE)
		v = NULL;
	mark = json_reader_enter(p->in, f->name);
	if (v != NULL)
		compile_field(p, f, v, out);
	else if ((f->flags & STEP_NEEDED) != 0)
		json_reader_fail(p->in, "is needed");
	json_reader_leave(p->in, mark);
	json_reader_leave(p->in, outer);
}

/* Members that no field is for. */
static void check_members(struct planning *p, const struct flow_step *s, const char *where)
{
	bool is_mapping = strcmp(where, "inputMapping") == 0;
	const char *key;
	json_t *v;

	json_object_each(json_object_get(s->json, where), key, v) {
		const struct step_field *f = s->kind->fields;

		while (f->name != NULL &&
		       (strcmp(f->name, key) != 0 || (is_mapping && (f->flags & STEP_INPUT) == 0)))
			f++;
		if (f->name == NULL) {
			size_t mark = json_reader_enter(p->in, where);

			json_reader_fail_at(p->in, key, "is unknown to the step %s", s->kind->name);
			json_reader_leave(p->in, mark);
		}
	}
}

/* ---- retry and errors ----------------------------------------------------------------------- */

struct retry_body {
	int64_t attempts, wait_s, most_wait_s;
};

static void compile_retry(struct planning *p, struct flow_step *s)
{
	static const struct json_member members[] = {
	    {"attempts", READ_INT, JSON_INTO(struct retry_body, attempts), .min = 1, .max = 20},
	    {"waitSeconds", READ_INT, JSON_INTO(struct retry_body, wait_s), .min = 0, .max = 86400},
	    {"maxWaitSeconds", READ_INT, JSON_INTO(struct retry_body, most_wait_s), .min = 0,
		.max = 7 * 86400}};
	struct retry_body retry = {
	    s->kind->how == STEP_OUTSIDE ? 3 : 1, RETRY_WAIT_S, RETRY_MOST_S};
	const json_t *given = json_object_get(s->json, "retry");

	if (given != NULL && !json_is_null(given)) {
		size_t mark = json_reader_enter(p->in, "retry");

		(void)json_read_members(p->in, given, JSON_MEMBERS(members), &retry);
		json_reader_leave(p->in, mark);
	}
	s->attempts = (int)retry.attempts;
	s->wait_s = retry.wait_s;
	s->most_wait_s = retry.most_wait_s;
}

static void compile_on_error(struct planning *p, struct flow_step *s)
{
	static const char *const words[] = {"stop", "continue", "branch", NULL};
	static const struct json_member member = {
	    "onError", READ_WORD, .need = READ_NULLABLE, .words = words};
	const char *word = NULL;

	(void)json_read_member(p->in, s->json, &member, &word);
	s->on_error = word == NULL   ? ERROR_STOPS
		      : *word == 'c' ? ERROR_CONTINUES
		      : *word == 'b' ? ERROR_BRANCHES
				     : ERROR_STOPS;
	if (s->on_error == ERROR_BRANCHES && s->on_error_list == NULL)
		json_reader_fail_at(p->in, "errorSteps", "is needed where onError is \"branch\"");
	if (s->on_error_list != NULL && s->on_error != ERROR_BRANCHES)
		json_reader_fail_at(
		    p->in, "onError", "must be \"branch\" where there are errorSteps");
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void compile_target(struct planning *p, struct flow_step *s)
{
	const char *connection = json_str(s->json, "connectionId");

	s->provider_type = json_str(s->json, "providerType");
	s->action = json_str(s->json, "actionName");
	if (connection != NULL && !uuid_parse(str_from(connection), &s->connection_id))
		json_reader_fail_at(p->in, "connectionId", "must be an id");
}

static void compile_branch_conditions(struct planning *p, struct flow_step *s, size_t field)
{
	json_t *b, *branches = json_object_get(
		       json_object_get(s->json, "config"), s->kind->fields[field].name);
	size_t i, outer = json_reader_enter(p->in, "config"),
		  mark = json_reader_enter(p->in, s->kind->fields[field].name);

	json_array_each(branches, i, b) {
		size_t at = json_reader_enter_index(p->in, i);
		json_t *condition = json_object_get(b, "condition");
		size_t inner = json_reader_enter(p->in, "condition");

		if (i >= s->nlists || condition == NULL)
			json_reader_fail(p->in, "is needed");
		else
			compile_condition(p, condition, &s->lists[i].condition);
		json_reader_leave(p->in, inner);
		json_reader_leave(p->in, at);
	}
	json_reader_leave(p->in, mark);
	json_reader_leave(p->in, outer);
}

static void compile_step(struct planning *p, struct flow_step *s)
{
	size_t n = 0, list = 0;
	const json_t *mapping = json_object_get(s->json, "inputMapping");

	while (s->kind->fields[n].name != NULL)
		n++;
	s->values = arena_array(p->a, n + 1, sizeof(*s->values));
	for (size_t i = 0; i < n; i++) {
		compile_one(p, s, &s->kind->fields[i], &s->values[i]);
		if (s->kind->fields[i].type == STEP_BRANCHES)
			compile_branch_conditions(p, s, i);
	}
	/* "then" is of the field "condition" */
	for (; list < s->nlists; list++)
		if (s->lists[list].name != NULL && strcmp(s->lists[list].name, "then") == 0)
			for (size_t i = 0; i < n; i++)
				if (strcmp(s->kind->fields[i].name, "condition") == 0)
					s->lists[list].condition = s->values[i].formula;
	check_members(p, s, "config");
	if (!s->kind->takes_any)
		check_members(p, s, "inputMapping");
	else if (mapping != NULL && !json_is_null(mapping)) {
		size_t mark = json_reader_enter(p->in, "inputMapping");

		compile_template(p, mapping, &s->mapping);
		json_reader_leave(p->in, mark);
	}
	compile_retry(p, s);
	compile_on_error(p, s);
	compile_target(p, s);
}

static void compile_step_at_place(struct planning *p, struct flow_step *s)
{
	size_t mark = json_reader_enter(p->in, s->place);

	if (s->kind != NULL)
		compile_step(p, s);
	json_reader_leave(p->in, mark);
	p->fields[FIXED_FIELDS + s->number].kind = FIELD_ANY;
}

static void compile_list(struct planning *p, const struct flow_list *list)
{
	struct expr_field *of_loops = &p->fields[FIXED_FIELDS + p->plan->nsteps];

	for (size_t i = 0; i < list->n; i++) {
		struct flow_step *s = &list->steps[i];
		bool is_loop = s->kind != NULL && s->kind->how == STEP_LOOP;

		compile_step_at_place(p, s);
		p->loops += is_loop;
		of_loops->name = p->loops > 0 ? "item" : NULL;
		for (size_t k = 0; k < s->nlists; k++)
			compile_list(p, &s->lists[k]);
		p->loops -= is_loop;
		of_loops->name = p->loops > 0 ? "item" : NULL;
		if (s->on_error_list != NULL)
			compile_list(p, s->on_error_list);
	}
}

static void fields_fill(struct planning *p)
{
	static const char *const fixed[] = {"trigger", "flow", "execution", "error"},
				 *const of_loops[] = {"item", "index", "total"};
	size_t n = p->plan->nsteps;

	p->fields = arena_array(p->a, FIXED_FIELDS + n + LOOP_FIELDS + 1, sizeof(*p->fields));
	for (size_t i = 0; i < FIXED_FIELDS; i++)
		p->fields[i] = (struct expr_field){fixed[i], FIELD_ANY};
	for (size_t i = 0; i < n; i++)
		p->fields[FIXED_FIELDS + i] =
		    (struct expr_field){p->plan->all[i]->key, FIELD_LATER};
	for (size_t i = 0; i < LOOP_FIELDS; i++)
		p->fields[FIXED_FIELDS + n + i] = (struct expr_field){of_loops[i], FIELD_ANY};
	p->fields[FIXED_FIELDS + n].name = NULL; /* outside loops */
}

/* ---- settings ------------------------------------------------------------------------------- */

static void compile_settings(struct planning *p, const json_t *settings)
{
	static const char *const keys[] = {"orderBy", "timeLimitSeconds", "concurrency", NULL};
	static const struct json_member limit = {"timeLimitSeconds", READ_INT,
					    .need = READ_NULLABLE, .min = 1, .max = 31 * 86400},
					concurrency = {"concurrency", READ_INT,
					    .need = READ_NULLABLE, .min = 1,
					    .max = FLOW_CONCURRENCY_MOST};
	json_t *order = json_object_get(settings, "orderBy");
	size_t mark = json_reader_enter(p->in, "settings");

	if (settings != NULL && json_read_keys(p->in, settings, keys) == 0) {
		(void)json_read_member(p->in, settings, &limit, &p->plan->settings.time_limit_s);
		(void)json_read_member(
		    p->in, settings, &concurrency, &p->plan->settings.concurrency);
		if (order != NULL && !json_is_null(order)) {
			size_t inner = json_reader_enter(p->in, "orderBy");

			if (!json_is_string(order))
				json_reader_fail(p->in, "must be a text, such as {{trigger.id}}");
			else
				compile_template(p, order, &p->plan->settings.order_by);
			json_reader_leave(p->in, inner);
		}
	}
	json_reader_leave(p->in, mark);
}

int flow_plan_compile(struct arena *a, const json_t *steps, const json_t *settings,
    struct json_reader *in, struct flow_plan *out)
{
	struct planning p = {.a = a, .in = in, .plan = out};
	size_t faults = in->faults, mark;

	*out = (struct flow_plan){.a = a};
	out->all = arena_array(a, FLOW_STEPS_MOST, sizeof(*out->all));
	mark = json_reader_enter(in, "steps");
	if (json_weight(steps) > 8 * FLOW_JSON_BYTES || json_text(a, steps).n > FLOW_JSON_BYTES)
		return json_reader_fail(
		    in, "must be at most %u KiB together", FLOW_JSON_BYTES / 1024);
	if (flow_plan_shape(&p, steps, &out->top) == -1)
		return -1;
	json_reader_leave(in, mark);
	fields_fill(&p);
	compile_settings(&p, settings);
	compile_list(&p, &out->top);
	return in->faults > faults ? -1 : 0;
}

int flow_plan_check(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *flow_id, const struct flow_plan *plan, struct json_reader *in,
    struct err *err)
{
	for (size_t i = 0; i < plan->nsteps; i++) {
		const struct flow_step *s = plan->all[i];
		size_t mark = json_reader_enter(in, s->place);
		struct step_check c = {app, a, *account_id, *flow_id, in, s};

		if (s->kind != NULL && s->kind->check != NULL && s->kind->check(&c, err) == -1)
			return -1;
		json_reader_leave(in, mark);
	}
	return 0;
}

struct scope flow_scope(struct arena *a, json_t *context)
{
	return (struct scope){.a = a, .slot[0].json = context, .weight_max = FLOW_STATE_WEIGHT};
}
