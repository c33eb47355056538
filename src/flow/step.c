/* The kinds of steps, and what their functions ask of a call. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/number.h"
#include "flow/flow-internal.h"

const struct step_kind *const step_kinds[] = {&step_action, &step_filter, &step_delay,
    &step_formatter, &step_branch, &step_loop, &step_sub_flow, &step_table_lookup,
    &step_table_upsert, &step_table_write, &step_record_to_table, &step_record_upsert, &step_http,
    &step_crm_push, NULL};

const struct step_kind *step_kind_find(struct str name)
{
	for (size_t i = 0; step_kinds[i] != NULL; i++)
		if (str_is(name, step_kinds[i]->name))
			return step_kinds[i];
	return NULL;
}

static const struct step_value *step_value_of(
    const struct flow_step *s, const char *field, const struct step_field **f)
{
	for (size_t i = 0; s->kind->fields[i].name != NULL; i++)
		if (strcmp(s->kind->fields[i].name, field) == 0) {
			*f = &s->kind->fields[i];
			return &s->values[i];
		}
	*f = NULL;
	return NULL;
}

const json_t *step_given(const struct flow_step *s, const char *field)
{
	const struct step_field *f;
	const struct step_value *v = step_value_of(s, field, &f);

	return v == NULL ? NULL : v->given;
}

const char *step_constant(struct arena *a, const struct flow_step *s, const char *field)
{
	const char *text = json_scalar_text(a, step_given(s, field));

	return text == NULL || strstr(text, "{{") != NULL ? NULL : text;
}

void step_complain(struct step_check *c, const char *field, const char *fmt, ...)
{
	bool is_config = json_object_get(json_object_get(c->step->json, "config"), field) != NULL;
	char message[300];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	json_reader_fail_at(c->in,
	    arena_printf(c->a, "%s.%s", is_config ? "config" : "inputMapping", field), "%s",
	    message);
}

json_t *step_input(const struct step_call *c, const char *field)
{
	json_t *v = json_object_get(c->input, field);

	return json_is_null(v) ? NULL : v;
}

const char *step_text(const struct step_call *c, const char *field)
{
	return json_scalar_text(c->a, step_input(c, field));
}

int step_number(
    const struct step_call *c, const char *field, int64_t otherwise, int64_t *out, struct err *err)
{
	const struct step_field *f;
	json_t *v = step_input(c, field);
	const char *text = json_scalar_text(c->a, v);
	struct str plain;

	*out = otherwise;
	if (v == NULL)
		return 0;
	(void)step_value_of(c->step, field, &f);
	if (text == NULL || !number_is(str_trim(str_from(text))))
		return err_set(err, ERR_INVALID, "\"%s\" must be a number, but is %.100s", field,
		    text != NULL ? text : "a list or an object");
	plain = number_plain(c->a, str_trim(str_from(text)));
	if (plain.p == NULL || !str_to_i64(plain, f->min, f->max, out))
		return err_set(err, ERR_INVALID,
		    "\"%s\" must be a whole number from %lld to %lld, "
		    "but is %.100s",
		    field, (long long)f->min, (long long)f->max, text);
	return 0;
}

bool step_holds(const struct step_call *c, const char *field)
{
	const struct step_field *f;
	const struct step_value *v = step_value_of(c->step, field, &f);

	if (f != NULL && f->type == STEP_BOOLEAN)
		return json_is_true(v->given);
	return v != NULL && v->formula != NULL && formula_holds(v->formula, c->scope);
}

bool step_branch_holds(const struct step_call *c, size_t i)
{
	const struct formula *f = c->step->lists[i].condition;

	return f == NULL || formula_holds(f, c->scope);
}

size_t step_lists(const struct flow_step *s)
{
	return s->nlists;
}

void step_would(struct step_call *c, const char *what, json_t *inputs)
{
	c->output = json_own(c->a, json_object());
	json_set_bool(c->output, "dryRun", true);
	json_set_str(c->output, "would", what);
	json_set(c->output, "with", inputs);
}
