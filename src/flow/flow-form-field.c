/* The fields of a step's form: of its kind "f_NAME", of an action's inputs "i_NAME"; objects are
 * rows of "f_NAME_key_0" and "f_NAME_value_0", "f_NAME_n" of them. */
#include "base/arena.h"
#include "connection/connection-chooser.h"
#include "connection/connection.h"
#include "flow/flow-condition.h"
#include "flow/flow-form.h"
#include "table/table.h"

#define PAIRS_MOST 200
#define MAPPING "m" /* of a kind that takes any names: its rows */

const char *form_field_name(struct arena *a, const char *name)
{
	return arena_printf(a, "f_%s", name);
}

const char *form_input_name(struct arena *a, const char *name)
{
	return arena_printf(a, "i_%s", name);
}

static const char *nth(struct arena *a, const char *prefix, const char *what, size_t i)
{
	return arena_printf(a, "%s_%s_%zu", prefix, what, i);
}

/* ---- values as texts
 * ------------------------------------------------------------------------------ */

static struct str value_text(struct arena *a, const json_t *v)
{
	if (v == NULL || json_is_null(v))
		return STR("");
	if (json_is_object(v) || json_is_array(v))
		return json_pretty(a, v);
	return str_from(json_scalar_text(a, v));
}

/* Browsers send line ends of two characters. */
static struct str text_lines(struct arena *a, struct str text)
{
	char *out = arena_alloc(a, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\r' || i + 1 == text.n || text.p[i + 1] != '\n')
			out[n++] = text.p[i];
	out[n] = '\0';
	return (struct str){out, n};
}

/* A value that says what it said before stays what it was; a new one that is JSON's list or object
 * is that, all else a text. NULL: nothing was given. */
static json_t *value_read(struct arena *a, struct str text, json_t *was)
{
	struct err ignored = ERR_INIT;
	struct str trimmed;
	json_t *v;

	text = text_lines(a, text);
	trimmed = utf8_trim(text);
	if (was != NULL && str_eq(text, value_text(a, was)))
		return json_incref(was);
	if (trimmed.n == 0)
		return NULL;
	if ((*trimmed.p == '[' || (*trimmed.p == '{' && !str_starts(trimmed, "{{")))) {
		v = json_parse(a, trimmed, &ignored);
		if (v != NULL)
			return json_incref(v);
	}
	return json_stringn(text.p, text.n);
}

static bool has_template(const json_t *v)
{
	const char *text = json_chars(v);

	return text != NULL && strstr(text, "{{") != NULL;
}

/* ---- where a field of the kind is stored
 * ----------------------------------------------------------- */

static json_t *member(json_t *step, const char *name)
{
	json_t *o = json_object_get(step, name);

	if (!json_is_object(o)) {
		o = json_object();
		json_set(step, name, o);
	}
	return o;
}

static json_t *field_stored(const struct flow_form *f, const struct step_field *field)
{
	json_t *v = json_object_get(json_object_get(f->step, "config"), field->name);

	return v != NULL || f->kind->takes_any
		   ? v
		   : json_object_get(json_object_get(f->step, "inputMapping"), field->name);
}

/* Where it stands, or as the documents write it: inputs in inputMapping. Steals v; NULL removes. */
static void field_store(struct flow_form *f, const struct step_field *field, json_t *v)
{
	bool is_config = json_object_get(json_object_get(f->step, "config"), field->name) != NULL ||
			 (field->flags & STEP_INPUT) == 0 || f->kind->takes_any;
	json_t *o = member(f->step, is_config ? "config" : "inputMapping");

	if (v == NULL)
		json_object_del(o, field->name);
	else
		json_set(o, field->name, v);
}

/* Is it part of the form? Steps are not, and of a branch either its ways or its one condition. */
static bool is_shown(const struct flow_form *f, const struct step_field *field)
{
	return field->type != STEP_STEPS && field->type != STEP_BRANCHES &&
	       !(field->type == STEP_CONDITION && form_has_branches(f));
}

/* ---- rows of names and values
 * ---------------------------------------------------------------------- */

static size_t pair_count(const struct flow_form *f, const char *prefix)
{
	int64_t n;

	return str_to_i64(form_text(f, arena_printf(f->r->a, "%s_n", prefix)), 0, PAIRS_MOST, &n)
		   ? (size_t)n
		   : 0;
}

/* Was it shown as rows? There may be none of them. */
static bool has_pairs(const struct flow_form *f, const char *prefix)
{
	return http_pairs_get(&f->r->form, arena_printf(f->r->a, "%s_n", prefix)).p != NULL;
}

/* A row with a name that is new and no value is one that nobody filled in. */
static json_t *pairs_read(const struct flow_form *f, const char *prefix, const json_t *was)
{
	struct arena *a = f->r->a;
	json_t *o = json_object();

	for (size_t i = 0; i < pair_count(f, prefix); i++) {
		struct str key = utf8_trim(form_text(f, nth(a, prefix, "key", i)));
		json_t *before, *v;

		if (key.n == 0)
			continue;
		before = json_object_getn(was, key.p, key.n);
		v = value_read(a, form_text(f, nth(a, prefix, "value", i)), before);
		if (v != NULL)
			json_object_setn_new(o, key.p, key.n, v);
	}
	return o;
}

static void pair_add(
    struct flow_form *f, json_t *rows, const char *prefix, struct str key, struct str value)
{
	size_t i = json_array_size(rows);
	json_t *o = json_object();

	json_set_str(o, "key_name", nth(f->r->a, prefix, "key", i));
	json_set_str(o, "value_name", nth(f->r->a, prefix, "value", i));
	json_set_int(o, "number", (int64_t)i + 1);
	json_set_strn(o, "key", key);
	json_set_strn(o, "value", value);
	json_array_append_new(rows, o);
}

/* The columns of the table that the step names, for a row that has nothing yet. */
static int pairs_add_columns(struct flow_form *f, json_t *rows, const char *prefix, struct err *err)
{
	const char *slug = json_str(json_object_get(f->step, "config"), "tableSlug");
	struct table t;
	int found = slug == NULL ? 0
				 : table_find(f->r->app->db, f->r->a, &f->r->actor.account_id,
				       str_from(slug), false, &t, err);

	for (size_t i = 0; found == 1 && i < t.shape.shown; i++)
		pair_add(f, rows, prefix, t.shape.columns[i].name, STR(""));
	return found == -1 ? -1 : 0;
}

static int pairs_show(
    struct flow_form *f, const char *prefix, const json_t *stored, json_t *o, struct err *err)
{
	json_t *rows = json_array(), *v;
	size_t n = f->is_posted ? pair_count(f, prefix) : 0;
	const char *key;

	json_set(o, "pairs", rows);
	json_set_bool(o, "is_pairs", true);
	for (size_t i = 0; i < n; i++)
		pair_add(f, rows, prefix, form_text(f, nth(f->r->a, prefix, "key", i)),
		    form_text(f, nth(f->r->a, prefix, "value", i)));
	if (!f->is_posted)
		json_object_each(stored, key, v)
			pair_add(f, rows, prefix, str_from(key), value_text(f->r->a, v));
	if (json_array_size(rows) == 0 && pairs_add_columns(f, rows, prefix, err) == -1)
		return -1;
	if (json_array_size(rows) == 0)
		pair_add(f, rows, prefix, STR(""), STR(""));
	json_set_int(o, "pair_count", (int64_t)json_array_size(rows));
	json_set_bool(o, "may_add", json_array_size(rows) < PAIRS_MOST);
	return 0;
}

/* ---- reading
 * --------------------------------------------------------------------------------------- */

/* Rows that nobody filled in are no object, unless there was one. */
static json_t *object_read(const struct flow_form *f, const char *name, const json_t *was)
{
	json_t *o = pairs_read(f, name, was);

	if (json_object_size(o) > 0 || was != NULL)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *ids_read(const struct flow_form *f, const char *name)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->r->form.n; i++)
		if (str_is(f->r->form.v[i].name, name))
			json_array_append_new(
			    list, json_stringn(f->r->form.v[i].value.p, f->r->form.v[i].value.n));
	if (json_array_size(list) > 0)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *number_read(struct str text, const json_t *was, struct arena *a)
{
	int64_t n;

	text = utf8_trim(text);
	if (text.n == 0)
		return NULL;
	if (was != NULL && str_eq(text, value_text(a, was)))
		return json_deep_copy(was);
	return str_to_i64(text, INT64_MIN, INT64_MAX, &n) ? json_integer(n)
							  : json_stringn(text.p, text.n);
}

/* NULL: it was left empty. */
static json_t *field_read(struct flow_form *f, const struct step_field *field, json_t *was)
{
	struct arena *a = f->r->a;
	const char *name = form_field_name(a, field->name);
	struct str text = text_lines(a, form_text(f, name)), trimmed = utf8_trim(text);

	switch (field->type) {
	case STEP_CONDITION:
		text = form_read_condition(
		    f, name, json_chars(was) == NULL ? STR("") : str_from(json_chars(was)));
		return text.n == 0 ? NULL : json_stringn(text.p, text.n);
	case STEP_NUMBER:
		return number_read(text, was, a);
	case STEP_BOOLEAN:
		return trimmed.n == 0 ? NULL : json_boolean(str_is(trimmed, "true"));
	case STEP_IDS:
		return ids_read(f, name);
	case STEP_OBJECT:
		return has_pairs(f, name) ? object_read(f, name, was) : value_read(a, text, was);
	case STEP_VALUE:
		return value_read(a, text, was);
	case STEP_STRING:
		return text.n == 0 ? NULL : json_stringn(text.p, text.n);
	default:
		return trimmed.n == 0 ? NULL : json_stringn(trimmed.p, trimmed.n);
	}
}

static json_t *input_read(struct flow_form *f, const struct input_spec *in, json_t *was)
{
	struct arena *a = f->r->a;
	const char *name = form_input_name(a, in->name);
	struct str text = text_lines(a, chooser_read(f->r, name)), trimmed = utf8_trim(text);
	bool is_template = memmem(text.p, text.n, "{{", 2) != NULL;
	struct err ignored = ERR_INIT;
	int64_t n;
	json_t *v;

	if (was != NULL && str_eq(text, value_text(a, was)))
		return json_incref(was);
	if (trimmed.n == 0)
		return NULL;
	if (in->type == INPUT_BOOLEAN && !is_template)
		return json_boolean(str_is(trimmed, "true"));
	if (in->type == INPUT_INTEGER && !is_template) {
		if (str_to_i64(trimmed, INT64_MIN, INT64_MAX, &n))
			return json_integer(n);
		form_complain(f, name, arena_printf(a, "%s must be a whole number.", in->label));
	}
	if (in->type == INPUT_JSON && !str_starts(trimmed, "{{")) {
		v = json_parse(a, trimmed, &ignored);
		if (v != NULL)
			return json_incref(v);
		form_complain(f, name,
		    arena_printf(a, "%s must be JSON, such as {\"key\": \"value\"}.", in->label));
	}
	return json_stringn(text.p, text.n);
}

static bool input_is_ours(const struct input_spec *in)
{
	return strcmp(in->name, "idempotencyKey") == 0;
}

/* The list that an input's values are of, at the chosen connection. */
static struct chooser input_chooser(const struct flow_form *f, const struct input_spec *in)
{
	const char *id = json_str(f->step, "connectionId");

	return (struct chooser){.p = f->p,
	    .list = in->list,
	    .connection_id = f->is_posted ? form_text(f, "connectionId")
			     : id == NULL ? STR("")
					  : str_from(id),
	    .may_ask = flow_page_may_write(f->r),
	    .is_of_step = true,
	    .called = json_str(json_object_get(f->step, STEP_INPUT_NAMES), in->name)};
}

/* What was chosen keeps its name, so that a flow can be read without asking the provider. */
static void input_read_name(
    struct flow_form *f, const struct input_spec *in, const json_t *was, const json_t *v)
{
	json_t *names = json_object_get(f->step, STEP_INPUT_NAMES);
	struct chooser c = input_chooser(f, in);
	const char *name;

	if (in->list == NULL ||
	    (c.called != NULL && was != NULL && v != NULL && json_equal(was, v)))
		return;
	name = v == NULL || !json_is_string(v) || has_template(v)
		   ? NULL
		   : chooser_name(f->r, &c, value_text(f->r->a, v));
	if (name != NULL)
		json_set_str(member(f->step, STEP_INPUT_NAMES), in->name, name);
	else if (names != NULL)
		json_object_del(names, in->name);
	if (names != NULL && json_object_size(names) == 0)
		json_object_del(f->step, STEP_INPUT_NAMES);
}

static void inputs_read(struct flow_form *f)
{
	json_t *mapping = member(f->step, "inputMapping");

	for (size_t i = 0; i < f->act->ninputs; i++) {
		const struct input_spec *in = &f->act->inputs[i];
		json_t *was = json_object_get(mapping, in->name), *v;

		if (input_is_ours(in))
			continue;
		v = input_read(f, in, was);
		input_read_name(f, in, was, v);
		if (v == NULL)
			json_object_del(mapping, in->name);
		else
			json_set(mapping, in->name, v);
	}
}

void form_read_fields(struct flow_form *f)
{
	if (f->act != NULL)
		inputs_read(f);
	for (const struct step_field *field = f->kind->fields; field->name != NULL; field++)
		if (is_shown(f, field))
			field_store(f, field, field_read(f, field, field_stored(f, field)));
	if (f->kind->takes_any && f->act == NULL)
		json_set(f->step, "inputMapping",
		    pairs_read(f, MAPPING, json_object_get(f->step, "inputMapping")));
}

/* ---- shown
 * ------------------------------------------------------------------------------------------ */

static void choice_add(json_t *choices, struct str value, const char *label, struct str current)
{
	json_t *o = json_object();

	json_set_strn(o, "value", value);
	json_set_str(o, "label", label);
	json_set_bool(o, "is_current", str_eq(value, current));
	json_array_append_new(choices, o);
}

/* What is current but no longer there stays a choice, so that nothing changes by itself. */
static void choices_keep(json_t *choices, struct str current)
{
	json_t *c;
	size_t i;

	json_array_each(choices, i, c)
		if (json_bool(c, "is_current"))
			return;
	if (current.n > 0)
		choice_add(choices, current, "(not there any more)", current);
}

static void choices_of_words(json_t *o, const struct step_field *field, struct str current)
{
	json_t *choices = json_array();

	for (size_t i = 0; field->words[i] != NULL; i++)
		choice_add(choices, str_from(field->words[i]),
		    word_label(flow_operations, field->words[i]), current);
	choices_keep(choices, current);
	json_set(o, "choices", choices);
	json_set_bool(o, "is_select", true);
}

static void choices_of_flows(struct flow_form *f, json_t *o, struct str current)
{
	const char *self = uuid_dup(f->r->a, f->page->f.id), *id;
	json_t *choices = json_array(), *flow;

	json_object_each(f->page->w.flows, id, flow)
		if (strcmp(id, self) != 0)
			choice_add(choices, str_from(id), json_str(flow, "name"), current);
	choices_keep(choices, current);
	json_set(o, "choices", choices);
	json_set_bool(o, "is_select", true);
}

static void choices_of_tables(struct flow_form *f, json_t *o, struct str current)
{
	json_t *choices = json_array(), *name;
	const char *slug;

	json_object_each(f->page->w.tables, slug, name)
		choice_add(choices, str_from(slug), json_string_value(name), current);
	choices_keep(choices, current);
	json_set(o, "choices", choices);
	json_set_bool(o, "is_select", true);
	json_set_bool(o, "is_table", true);
}

/* The columns of the chosen table; false where it is not known: then it is a text. */
static int choices_of_columns(struct flow_form *f, json_t *o, struct str current, struct err *err)
{
	json_t *rows = json_own(f->r->a, json_array()), *choices, *row;
	size_t i;

	if (pairs_add_columns(f, rows, "", err) == -1)
		return -1;
	if (json_array_size(rows) == 0)
		return 0;
	choices = json_array();
	json_array_each(rows, i, row) {
		const char *name = json_str(row, "key");

		choice_add(choices, str_from(name), name, current);
	}
	choice_add(choices, STR("externalKey"), "The key of the row", current);
	choice_add(choices, STR("id"), "The ID of the row", current);
	choices_keep(choices, current);
	json_set(o, "choices", choices);
	json_set_bool(o, "is_text", false);
	json_set_bool(o, "is_select", true);
	return 0;
}

/* Fields of the record: what templates know as trigger.NAME. */
static void choices_of_fields(struct flow_form *f, json_t *o, struct str current)
{
	json_t *choices = json_array(), *g, *c;
	size_t i, k;

	json_array_each(f->groups, i, g)
		json_array_each(json_object_get(g, "choices"), k, c) {
			const char *place = json_str(c, "place");

			if (strncmp(place, "trigger.", 8) == 0)
				choice_add(
				    choices, str_from(place + 8), json_str(c, "label"), current);
		}
	choices_keep(choices, current);
	json_set(o, "choices", choices);
	json_set_bool(o, "is_text", false);
	json_set_bool(o, "is_select", true);
}

static int checks_of_destinations(
    struct flow_form *f, json_t *o, const json_t *stored, struct err *err)
{
	const char *name = json_str(o, "name");
	json_t *ids = f->is_posted ? ids_read(f, name) : json_deep_copy(stored),
	       *choices = json_array(), *id;
	struct connection **v;
	size_t n, k;

	if (ids != NULL)
		json_own(f->r->a, ids);
	json_set(o, "choices", choices);
	json_set_bool(o, "is_checks", true);
	if (connection_list_capable(
		f->r->app, f->r->a, &f->r->actor.account_id, "crm_push", &v, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct str text = str_from(uuid_dup(f->r->a, v[i]->id)), current = STR("");

		json_array_each(ids, k, id)
			if (str_is(text, json_string_value(id)))
				current = text;
		choice_add(choices, text, v[i]->name, current);
	}
	return 0;
}

static void show_boolean(json_t *o, struct str current)
{
	json_t *choices = json_array();

	choice_add(choices, STR("true"), "Yes", current);
	choice_add(choices, STR("false"), "No", current);
	json_set(o, "choices", choices);
	json_set_bool(o, "is_select", true);
}

/* Which operations of the formatter a field is for: classes of the style sheet. */
static const char *field_class(const struct flow_form *f, const char *name)
{
	static const struct word of[] = {{"format", "of-op of-date"}, {"timeZone", "of-op of-date"},
	    {"add", "of-op of-date"}, {"separator", "of-op of-split of-join"},
	    {"find", "of-op of-replace"}, {"with", "of-op of-replace"},
	    {"fallback", "of-op of-default"}, {"algorithm", "of-op of-hash"}, {NULL, NULL}};

	return f->kind == &step_formatter && word_find(of, str_from(name)) != NULL
		   ? word_label(of, name)
		   : "";
}

/* All members, since those of a field that has none would be looked for further out. */
static json_t *field_begin(
    struct flow_form *f, const char *name, const char *label, const char *help, bool is_needed)
{
	static const char *const none[] = {"is_text", "is_lines", "is_select", "is_pairs",
	    "is_checks", "is_condition", "is_table", "is_listed", "can_insert"};
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		json_set_bool(o, none[i], false);
	json_set_str(o, "name", name);
	json_set_str(o, "label", label);
	json_set_str(o, "help", help);
	json_set_bool(o, "is_needed", is_needed);
	json_set_str(o, "class", "");
	json_set_str(o, "value", "");
	form_show_wrong(f, o);
	return o;
}

static struct str shown_text(const struct flow_form *f, const char *name, const json_t *stored)
{
	return f->is_posted ? form_text(f, name) : value_text(f->r->a, stored);
}

/* A text, of several lines where it has them or may well have. */
static void show_text(json_t *o, struct str text, bool is_long)
{
	is_long = is_long || memchr(text.p, '\n', text.n) != NULL || text.n > 100;
	json_set_strn(o, "value", text);
	json_set_bool(o, "is_text", !is_long);
	json_set_bool(o, "is_lines", is_long);
}

static int field_fill(struct flow_form *f, const struct step_field *field, const json_t *stored,
    json_t *o, struct err *err)
{
	const char *name = json_str(o, "name");
	struct str text = shown_text(f, name, stored);
	bool is_slug = strcmp(field->name, "tableSlug") == 0,
	     is_column = strcmp(field->name, "column") == 0,
	     is_key = strcmp(field->name, "keyField") == 0;

	switch (field->type) {
	case STEP_CHOICE:
		choices_of_words(o, field, text);
		return 0;
	case STEP_BOOLEAN:
		show_boolean(o, text);
		return 0;
	case STEP_ID:
		choices_of_flows(f, o, text);
		return 0;
	case STEP_IDS:
		return checks_of_destinations(f, o, stored, err);
	case STEP_OBJECT:
		if (f->is_posted ? has_pairs(f, name) : !json_is_string(stored))
			return pairs_show(f, name, stored, o, err);
		break;
	case STEP_WORD_TEXT:
		show_text(o, text, false);
		if (is_slug)
			choices_of_tables(f, o, text);
		if (is_slug)
			json_set_bool(o, "is_text", false);
		if (is_key)
			choices_of_fields(f, o, text);
		return is_column ? choices_of_columns(f, o, text, err) : 0;
	default:
		break;
	}
	show_text(o, text, strcmp(field->name, "body") == 0);
	json_set_bool(o, "can_insert", true);
	return 0;
}

static json_t *condition_field(
    struct flow_form *f, const struct step_field *field, const json_t *stored)
{
	const char *text = json_chars(stored);
	json_t *o = field_begin(f, form_field_name(f->r->a, field->name), field->label, NULL, true),
	       *c = form_show_condition(
		   f, json_str(o, "name"), field->label, text == NULL ? STR("") : str_from(text));

	json_object_update_new(o, c);
	json_set_bool(o, "is_condition", true);
	return o;
}

static int fields_of_kind(struct flow_form *f, json_t *fields, struct err *err)
{
	for (const struct step_field *field = f->kind->fields; field->name != NULL; field++) {
		const json_t *stored = field_stored(f, field);
		json_t *o;

		if (!is_shown(f, field))
			continue;
		if (field->type == STEP_CONDITION) {
			json_array_append_new(fields, condition_field(f, field, stored));
			continue;
		}
		o = field_begin(f, form_field_name(f->r->a, field->name), field->label,
		    strcmp(field->name, "tableSlug") == 0 ? NULL : field->help,
		    (field->flags & STEP_NEEDED) != 0);
		json_set_str(o, "class", field_class(f, field->name));
		json_array_append_new(fields, o);
		if (field_fill(f, field, stored, o, err) == -1)
			return -1;
	}
	return 0;
}

/* Is it what people write, such as the text of a message? */
static bool input_is_message(const struct input_spec *in)
{
	static const char *const names[] = {
	    "text", "message", "body", "description", "content", "note", "comment", "html", NULL};

	for (size_t i = 0; names[i] != NULL; i++)
		if (strcasecmp(in->name, names[i]) == 0)
			return true;
	return false;
}

/* A message is shown at once, though it may be left out in favour of something rare. */
static bool input_is_main(const struct input_spec *in)
{
	return (in->is_needed && in->other == NULL) || input_is_message(in);
}

/* Of the chosen connection's provider: 1 the field offers what it lists, 0, -1. */
static int input_list(struct flow_form *f, const struct input_spec *in, struct str current,
    json_t *o, struct err *err)
{
	struct chooser c = input_chooser(f, in);

	return chooser_show(f->r, &c, current, o, err);
}

static int input_show(
    struct flow_form *f, const struct input_spec *in, json_t *list, struct err *err)
{
	struct arena *a = f->r->a;
	const char *name = form_input_name(a, in->name);
	const json_t *stored = json_object_get(json_object_get(f->step, "inputMapping"), in->name);
	bool is_needed = in->is_needed && in->other == NULL;
	json_t *o = field_begin(f, name, in->label, in->help, is_needed), *choices;
	struct str text = f->is_posted ? chooser_read(f->r, name) : shown_text(f, name, stored);
	int is_listed = input_list(f, in, text, o, err);

	json_array_append_new(list, o);
	if (is_listed == -1)
		return -1;
	if (is_listed == 1) {
		json_set_bool(o, "can_insert", false);
	} else if (in->type == INPUT_BOOLEAN && !has_template(stored)) {
		show_boolean(o, text);
	} else if (in->nchoices > 0 && !has_template(stored)) {
		choices = json_array();
		for (size_t i = 0; i < in->nchoices; i++)
			choice_add(choices, str_from(in->choices[i]), in->choices[i], text);
		choices_keep(choices, text);
		json_set(o, "choices", choices);
		json_set_bool(o, "is_select", true);
	} else {
		show_text(o, text, in->type == INPUT_JSON || input_is_message(in));
		json_set_bool(o, "can_insert", true);
	}
	return 0;
}

int form_show_fields(struct flow_form *f, json_t *fields, json_t *more, struct err *err)
{
	json_t *o;

	for (size_t i = 0; f->act != NULL && i < f->act->ninputs; i++) {
		const struct input_spec *in = &f->act->inputs[i];

		if (!input_is_ours(in) &&
		    input_show(f, in, input_is_main(in) ? fields : more, err) == -1)
			return -1;
	}
	if (fields_of_kind(f, fields, err) == -1)
		return -1;
	if (!f->kind->takes_any || f->act != NULL)
		return 0;
	o = field_begin(f, MAPPING, "What the other flow is given",
	    "Each name is there as {{trigger.name}}", false);
	json_array_append_new(fields, o);
	return pairs_show(f, MAPPING, json_object_get(f->step, "inputMapping"), o, err);
}
