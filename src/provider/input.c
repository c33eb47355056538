/* The inputs of actions: what each takes, and what it is where it is not given. */
#include "base/clock.h"
#include "provider/provider-internal.h"

static const struct input_spec *action_find_input(const struct action *act, const char *name)
{
	for (size_t i = 0; i < act->ninputs; i++)
		if (strcmp(act->inputs[i].name, name) == 0)
			return &act->inputs[i];
	return NULL;
}

static bool input_is_integer(const json_t *v)
{
	int64_t n;

	return json_is_integer(v) ||
	       (json_is_string(v) &&
		   str_to_i64(str_from(json_string_value(v)), INT64_MIN, INT64_MAX, &n));
}

/* A day, written as one: no time behind it. */
static bool input_is_date(const json_t *v)
{
	const char *text = json_string_value(v);
	int64_t at_us;

	return text != NULL && strlen(text) == strlen("2026-01-31") &&
	       clock_parse_iso(str_from(text), &at_us);
}

static bool input_is_time(const json_t *v)
{
	const char *text = json_string_value(v);
	int64_t at_us;

	return text != NULL && strchr(text, 'T') != NULL && clock_parse_iso(str_from(text), &at_us);
}

static bool input_is_choice(const struct input_spec *spec, const json_t *v)
{
	for (size_t i = 0; i < spec->nchoices; i++)
		if (json_is_string(v) && strcmp(spec->choices[i], json_string_value(v)) == 0)
			return true;
	return false;
}

int input_check_value(const struct input_spec *spec, const json_t *v, struct json_reader *in)
{
	switch (spec->type) {
	case INPUT_TEXT:
		if (spec->nchoices > 0 && !input_is_choice(spec, v))
			return json_reader_fail(in, "is none of its choices");
		return json_is_string(v) || json_is_number(v)
			   ? 0
			   : json_reader_fail(in, "must be text");
	case INPUT_INTEGER:
		return input_is_integer(v) ? 0 : json_reader_fail(in, "must be a whole number");
	case INPUT_BOOLEAN:
		return json_is_boolean(v) ? 0 : json_reader_fail(in, "must be true or false");
	case INPUT_DATE:
		return input_is_date(v) ? 0
					: json_reader_fail(in, "must be a day, such as 2026-01-31");
	case INPUT_TIME:
		return input_is_time(v)
			   ? 0
			   : json_reader_fail(
				 in, "must be a time with its zone, such as 2026-01-31T09:00:00Z");
	case INPUT_JSON:
		break;
	}
	return 0;
}

/* Where cursors are URLs they come back by an input that no action declares. */
static const struct input_spec url_cursor = {.name = PAGING_CURSOR_INPUT, .type = INPUT_TEXT};

/* Every fault is told where the reader gathers them; else the first ends it. */
int action_check_inputs(const struct action *act, const json_t *inputs, struct json_reader *in)
{
	const size_t faults = in->faults;
	const char *name, *cursor = paging_input(&act->paging);
	json_t *v;

	if (inputs != NULL && !json_is_object(inputs))
		return json_reader_fail(in, "the inputs of %s must be an object", act->name);
	json_object_each(inputs, name, v) {
		const struct input_spec *spec = action_find_input(act, name);
		size_t mark = json_reader_enter(in, name);

		if (spec == NULL && (cursor == NULL || strcmp(name, cursor) != 0))
			json_reader_fail(in, "%s has no such input", act->name);
		else if (spec == NULL)
			input_check_value(&url_cursor, v, in);
		else if (!json_is_null(v))
			input_check_value(spec, v, in);
		json_reader_leave(in, mark);
		if (in->faults > faults && in->complain == NULL)
			return -1;
	}
	for (size_t i = 0; i < act->ninputs; i++) {
		v = json_object_get(inputs, act->inputs[i].name);
		if (act->inputs[i].is_needed && (v == NULL || json_is_null(v)))
			json_reader_fail_at(in, act->inputs[i].name, "is needed");
		if (in->faults > faults && in->complain == NULL)
			return -1;
	}
	return in->faults > faults ? -1 : 0;
}

json_t *action_inputs(struct arena *a, const struct action *act, const json_t *inputs)
{
	json_t *all = NULL;

	for (size_t i = 0; i < act->ninputs; i++) {
		const struct input_spec *spec = &act->inputs[i];
		const json_t *given = json_object_get(inputs, spec->name);

		if (spec->other == NULL || (given != NULL && !json_is_null(given)))
			continue;
		if (all == NULL)
			all = json_own(
			    a, inputs == NULL ? json_object() : json_copy(JSON_ITER(inputs)));
		json_set(all, spec->name, json_incref(spec->other));
	}
	return all != NULL ? all : JSON_ITER(inputs);
}

bool action_writes(struct arena *a, const struct action *act)
{
	struct scope s = {.a = a};
	struct str method;

	if (!expr_is_constant(act->method))
		return true;
	method = expr_text(act->method, &s);
	return !str_is(method, "GET") && !str_is(method, "HEAD");
}
