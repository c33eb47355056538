/* What a rule's value goes through: most are functions of the expressions' own, whose options are
 * written as members here; a few need more than a text for an argument. */
#include "crm/crm-mapping-transform.h"
#include "base/zone.h"
#include "expr/expr-transforms.h"

const struct transform_kind transform_kinds[] = {
    {"trim", "Without blanks around it", TRANSFORM_PLAIN, "trim", NULL},
    {"oneLine", "On one line", TRANSFORM_PLAIN, "oneLine", NULL},
    {"lower", "lower case", TRANSFORM_PLAIN, "lower", NULL},
    {"upper", "UPPER CASE", TRANSFORM_PLAIN, "upper", NULL},
    {"title", "Each Word Capital", TRANSFORM_PLAIN, "title", NULL},
    {"e164", "Phone number as +49 30 …", TRANSFORM_REGION, "e164",
	"The country of numbers without one, such as DE"},
    {"date", "Date as", TRANSFORM_FORMAT, "dateAs",
	"DD.MM.YYYY, or iso; with a zone: DD.MM.YYYY HH:mm Europe/Berlin"},
    {"splitName", "Part of a name", TRANSFORM_PART, NULL, "first or last"},
    {"map", "Other words for it", TRANSFORM_VALUES, NULL,
	"One a line: evening = PM. * = for all others"},
    {"number", "As a number", TRANSFORM_PLAIN, "number", NULL},
    {"boolean", "As yes or no", TRANSFORM_PLAIN, "boolean", NULL},
    {"truncate", "Only the beginning", TRANSFORM_LENGTH, "first", "How many characters"},
    {"concat", "Joined with other fields", TRANSFORM_FIELDS, NULL,
	"Their names with commas between: lastName, company"},
    {"default", "If empty, this instead", TRANSFORM_VALUE, NULL, "What is sent instead"},
    {NULL, NULL, TRANSFORM_PLAIN, NULL, NULL}};

const struct transform_kind *transform_kind_find(const char *name)
{
	const struct transform_kind *k = transform_kinds;

	while (k->name != NULL && strcmp(k->name, name) != 0)
		k++;
	return k->name == NULL ? NULL : k;
}

/* ---- compiling ------------------------------------------------------------------------------- */

struct step_options {
	struct str name, region, format, zone, separator;
	const char *part;
	int64_t length;
	json_t *values, *otherwise, *value, *fields;
};

static const char *const step_parts[] = {"first", "last", NULL};
#define OPTION(id, type, ...)                                                                      \
	{                                                                                          \
#id, type, JSON_INTO(struct step_options, id), __VA_ARGS__                         \
	}
static const struct json_member option_region[] = {OPTION(region, READ_TEXT, .max = 2)};
static const struct json_member option_format[] = {
    OPTION(format, READ_TEXT, .need = READ_NEEDED, .min = 1, .max = 80),
    OPTION(zone, READ_TEXT, .max = 64)};
static const struct json_member option_length[] = {
    OPTION(length, READ_INT, .need = READ_NEEDED, .min = 1, .max = 100000)};
static const struct json_member option_part[] = {
    OPTION(part, READ_WORD, .need = READ_NEEDED, .words = step_parts)};
static const struct json_member option_values[] = {
    OPTION(values, READ_OBJECT, .need = READ_NEEDED, .min = 1, .max = 500),
    OPTION(otherwise, READ_ANY, .need = READ_CLEARABLE)};
static const struct json_member option_value[] = {OPTION(value, READ_ANY, .need = READ_NEEDED)};
static const struct json_member option_fields[] = {
    OPTION(fields, READ_LIST, .need = READ_NEEDED, .min = 1, .max = 10),
    OPTION(separator, READ_TEXT, .max = 20)};
static const struct {
	const struct json_member *v;
	size_t n;
} step_members[] = {[TRANSFORM_PLAIN] = {NULL, 0},
    [TRANSFORM_REGION] = {JSON_MEMBERS(option_region)},
    [TRANSFORM_FORMAT] = {JSON_MEMBERS(option_format)},
    [TRANSFORM_LENGTH] = {JSON_MEMBERS(option_length)},
    [TRANSFORM_PART] = {JSON_MEMBERS(option_part)},
    [TRANSFORM_VALUES] = {JSON_MEMBERS(option_values)},
    [TRANSFORM_VALUE] = {JSON_MEMBERS(option_value)},
    [TRANSFORM_FIELDS] = {JSON_MEMBERS(option_fields)}};

static int step_take_argument(
    struct loader *l, struct mapping_step *step, const struct step_options *o)
{
	const char *text = NULL;

	if (step->kind->option == TRANSFORM_LENGTH)
		text = arena_printf(l->a, "%lld", (long long)o->length);
	else if (step->kind->option == TRANSFORM_REGION && o->region.n > 0)
		text = arena_strndup(l->a, o->region.p, o->region.n);
	else if (step->kind->option == TRANSFORM_FORMAT)
		text = arena_printf(l->a, "%.*s%s%.*s", (int)o->format.n, o->format.p,
		    o->zone.n > 0 ? "@" : "", (int)o->zone.n, o->zone.n > 0 ? o->zone.p : "");
	if (step->kind->option == TRANSFORM_REGION && text == NULL)
		step->function = expr_transform_find("phone");
	step->argument = str_from(text);
	if (text == NULL || step->function->accepts == NULL ||
	    step->function->accepts(step->argument))
		return 0;
	return json_reader_fail_at(&l->in,
	    step->kind->option == TRANSFORM_REGION     ? "region"
	    : o->zone.n > 0 && !zone_is_known(o->zone) ? "zone"
						       : "format",
	    "must be %s",
	    o->zone.n > 0 && !zone_is_known(o->zone) ? "a time zone, such as Europe/Berlin"
						     : step->function->argument);
}

/* By what people see as the same word: blanks around it and its case count for nothing. */
static int step_take_values(
    struct loader *l, struct mapping_step *step, const struct step_options *o)
{
	json_t *values = json_own(l->a, json_object()), *v;
	size_t mark = json_reader_enter(&l->in, "values");
	const char *key;

	json_object_each(o->values, key, v) {
		if (json_is_object(v) || json_is_array(v))
			return json_reader_fail_at(
			    &l->in, key, "must be a text, a number, true or false");
		json_set(values, utf8_fold(l->a, utf8_trim(str_from(key))), json_deep_copy(v));
	}
	json_reader_leave(&l->in, mark);
	if (json_is_object(o->otherwise) || json_is_array(o->otherwise))
		return json_reader_fail_at(
		    &l->in, "otherwise", "must be a text, a number, true, false or null");
	step->values = values;
	return 0;
}

static int step_take_fields(
    struct loader *l, struct mapping_step *step, const struct step_options *o)
{
	size_t mark = json_reader_enter(&l->in, "fields"), i;
	json_t *v;

	step->fields = arena_array(l->a, json_array_size(o->fields), sizeof(*step->fields));
	json_array_each(o->fields, i, v) {
		size_t at = json_reader_enter_index(&l->in, i);

		if (!json_is_string(v))
			return json_reader_fail(&l->in, "must be the name of a field");
		if (mapping_compile_place(l, str_from(json_string_value(v)), &step->fields[i]) ==
		    -1)
			return -1;
		step->nfields++;
		json_reader_leave(&l->in, at);
	}
	json_reader_leave(&l->in, mark);
	step->argument = o->separator.p == NULL ? STR(" ") : str_copy(l->a, o->separator);
	return 0;
}

static int step_take_options(
    struct loader *l, struct mapping_step *step, const struct step_options *o, bool has_otherwise)
{
	step->function =
	    step->kind->function == NULL ? NULL : expr_transform_find(step->kind->function);
	switch (step->kind->option) {
	case TRANSFORM_PLAIN:
		return 0;
	case TRANSFORM_REGION:
	case TRANSFORM_FORMAT:
	case TRANSFORM_LENGTH:
		return step_take_argument(l, step, o);
	case TRANSFORM_PART:
		step->argument = str_from(o->part);
		return 0;
	case TRANSFORM_VALUES:
		if (has_otherwise)
			step->otherwise = json_own(l->a,
			    o->otherwise == NULL ? json_null() : json_deep_copy(o->otherwise));
		return step_take_values(l, step, o);
	case TRANSFORM_VALUE:
		step->otherwise = json_own(l->a, json_deep_copy(o->value));
		return 0;
	case TRANSFORM_FIELDS:
		return step_take_fields(l, step, o);
	}
	return 0;
}

static const char *step_names(struct arena *a)
{
	struct buf *b = buf_new(a, 400);

	for (const struct transform_kind *k = transform_kinds; k->name != NULL; k++)
		buf_printf(b, "%s%s", k == transform_kinds ? "" : ", ", k->name);
	return b->p;
}

/* A name, or an object with it. */
static int step_compile(struct loader *l, const json_t *v, struct mapping_step *out)
{
	const char *name = json_is_string(v) ? json_string_value(v) : json_str(v, "name");
	struct json_member members[4] = {
	    {"name", READ_TEXT, JSON_INTO(struct step_options, name), .need = READ_NEEDED}};
	struct step_options o = {0};
	size_t n;

	if (name == NULL || (out->kind = transform_kind_find(name)) == NULL)
		return json_reader_fail(&l->in, "must be one of %s", step_names(l->a));
	n = step_members[out->kind->option].n;
	if (n > 0 && json_is_string(v) && out->kind->option != TRANSFORM_REGION)
		return json_reader_fail(&l->in, "%s needs options: {\"name\": \"%s\", \"%s\": …}",
		    name, name, step_members[out->kind->option].v[0].name);
	if (json_is_object(v)) {
		if (n > 0)
			memcpy(
			    members + 1, step_members[out->kind->option].v, n * sizeof(*members));
		if (json_read_members(&l->in, v, members, n + 1, &o) == -1)
			return -1;
	}
	return step_take_options(l, out, &o, json_object_get(v, "otherwise") != NULL);
}

int mapping_compile_steps(struct loader *l, const json_t *rule, struct mapping_rule *out)
{
	const json_t *v = json_object_get(rule, "transform");
	size_t faults = l->in.faults, mark, n;

	if (v == NULL || json_is_null(v))
		return 0;
	mark = json_reader_enter(&l->in, "transform");
	n = json_is_array(v) ? json_array_size(v) : 1;
	if (n > MAPPING_STEPS_MOST)
		return json_reader_fail(&l->in, "at most %d of them", MAPPING_STEPS_MOST);
	for (size_t i = 0; i < n; i++) {
		size_t at = l->in.at_len;

		if (json_is_array(v))
			at = json_reader_enter_index(&l->in, i);
		if (step_compile(l, json_is_array(v) ? json_array_get(v, i) : v,
			&out->steps[out->nsteps++]) == -1)
			return -1;
		if (json_is_array(v))
			json_reader_leave(&l->in, at);
	}
	json_reader_leave(&l->in, mark);
	return l->in.faults == faults ? 0 : -1;
}

/* ---- applying -------------------------------------------------------------------------------- */

/* A text; what several answers were ticked for is one text. {NULL,0}: neither. */
static struct str step_text(struct arena *a, const struct expr_value *v)
{
	const char *plain;

	if (v->kind == VALUE_TEXT)
		return v->text;
	if (v->kind == VALUE_INT)
		return str_from(arena_printf(a, "%lld", (long long)v->number));
	if (v->kind != VALUE_JSON)
		return (struct str){NULL, 0};
	if (json_is_array(v->json))
		return str_from(json_joined_text(a, v->json));
	plain = json_id_text(a, v->json);
	return str_from(plain != NULL ? plain : json_scalar_text(a, v->json)); /* 1e400 */
}

static void value_take(struct expr_value *v, const json_t *json)
{
	*v = (struct expr_value){
	    .kind = json == NULL || json_is_null(json) ? VALUE_ABSENT : VALUE_JSON,
	    .json = JSON_ITER(json)};
}

static void step_map(const struct mapping_step *t, struct scope *s, struct expr_value *v)
{
	struct str text = step_text(s->a, v);
	const json_t *to =
	    text.p == NULL ? NULL : json_object_get(t->values, utf8_fold(s->a, utf8_trim(text)));

	if (to != NULL)
		value_take(v, to);
	else if (t->otherwise != NULL)
		value_take(v, t->otherwise);
}

static void step_split_name(const struct mapping_step *t, struct scope *s, struct expr_value *v)
{
	struct str text = step_text(s->a, v);
	json_t *name = json_own(s->a, json_object());
	const char *part;

	json_set_strn(name, "fullName", text);
	lead_normalize_names(s->a, name);
	part = json_str(name, str_is(t->argument, "first") ? "firstName" : "lastName");
	*v = (struct expr_value){
	    .kind = part == NULL ? VALUE_ABSENT : VALUE_TEXT, .text = str_from(part)};
}

static void step_concat(const struct mapping_step *t, struct scope *s, struct expr_value *v)
{
	struct buf *b = buf_new(s->a, MAPPING_BYTES_MOST);
	struct str text = step_text(s->a, v);

	buf_add(b, text.p, text.n);
	for (size_t i = 0; i < t->nfields; i++) {
		struct str more = expr_text(t->fields[i], s);

		if (more.n == 0)
			continue;
		buf_add(b, t->argument.p, b->len > 0 ? t->argument.n : 0);
		buf_add(b, more.p, more.n);
	}
	*v = (struct expr_value){
	    .kind = b->len == 0 || !buf_ok(b) ? VALUE_ABSENT : VALUE_TEXT, .text = {b->p, b->len}};
}

static bool value_is_empty(struct arena *a, const struct expr_value *v)
{
	return v->kind == VALUE_ABSENT || (v->kind == VALUE_JSON && json_is_null(v->json)) ||
	       (v->kind != VALUE_INT && (v->kind == VALUE_TEXT || json_is_string(v->json)) &&
		   utf8_trim(step_text(a, v)).n == 0);
}

void mapping_step_apply(const struct mapping_step *t, struct scope *s, struct expr_value *v)
{
	if (t->kind->option == TRANSFORM_VALUE) {
		if (value_is_empty(s->a, v))
			value_take(v, t->otherwise);
		return;
	}
	if (t->kind->option == TRANSFORM_FIELDS)
		return step_concat(t, s, v);
	if (v->kind == VALUE_ABSENT)
		return;
	if (t->kind->option == TRANSFORM_VALUES)
		return step_map(t, s, v);
	if (t->kind->option == TRANSFORM_PART)
		return step_split_name(t, s, v);
	struct str text = step_text(s->a, v);

	if (text.p == NULL)
		v->kind = VALUE_ABSENT;
	else
		t->function->apply(s, v, text, t->argument);
}
