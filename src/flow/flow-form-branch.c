/* The ways of a branch in its form: b_n of them, each b_0_name, b_0_was (which way of the stored
 * branch it is, whose steps it keeps; empty: a new one) and a condition of the prefix b_0.
 * "b_else": there is a way for all else. A way that has steps cannot be removed here. */
#include "base/arena.h"
#include "flow/flow-condition.h"
#include "flow/flow-form.h"

#define WAYS_MOST 20

static const char *way_name(struct arena *a, size_t i, const char *what)
{
	return arena_printf(a, "b_%zu%s%s", i, *what == '\0' ? "" : "_", what);
}

static json_t *stored_ways(const struct flow_form *f)
{
	return json_object_get(json_object_get(f->step, "config"), "branches");
}

bool form_has_branches(const struct flow_form *f)
{
	return f->kind == &step_branch && stored_ways(f) != NULL;
}

static size_t way_count(const struct flow_form *f)
{
	int64_t n;

	return str_to_i64(form_text(f, "b_n"), 0, WAYS_MOST, &n) ? (size_t)n : 0;
}

/* The stored way that a row is of; NULL: a new one. */
static json_t *way_stored(const struct flow_form *f, size_t i)
{
	int64_t was;

	return str_to_i64(form_text(f, way_name(f->r->a, i, "was")), 0, WAYS_MOST, &was)
		   ? json_array_get(stored_ways(f), (size_t)was)
		   : NULL;
}

static json_t *way_read(struct flow_form *f, size_t i)
{
	struct arena *a = f->r->a;
	json_t *stored = way_stored(f, i), *o = json_object(),
	       *steps = json_object_get(stored, "steps");
	struct str name = utf8_trim(form_text(f, way_name(a, i, "name")));
	const char *was = json_str(stored, "condition");
	struct str condition =
	    form_read_condition(f, way_name(a, i, ""), was == NULL ? STR("") : str_from(was));

	if (name.n > 0)
		json_set_strn(o, "name", utf8_cut(name, LIMIT_NAME_BYTES));
	json_set_strn(o, "condition", condition.p == NULL ? STR("") : condition);
	json_set(o, "steps", json_is_array(steps) ? json_incref(steps) : json_array());
	if (condition.n == 0)
		form_complain(f, way_name(a, i, ""), "Say when this way is taken.");
	return o;
}

void form_read_branches(struct flow_form *f)
{
	json_t *config = json_object_get(f->step, "config"),
	       *ways = json_own(f->r->a, json_array()), *other = json_object_get(config, "else");
	bool has_else = form_text(f, "b_else").n > 0;

	for (size_t i = 0; i < way_count(f); i++)
		json_array_append_new(ways, way_read(f, i));
	json_set(config, "branches", json_incref(ways));
	if (has_else && other == NULL)
		json_set(config, "else", json_array());
	if (!has_else && json_array_size(other) > 0)
		form_complain(f, "b_else", "Move or remove the steps of this way first.");
	else if (!has_else)
		json_object_del(config, "else");
	if (json_array_size(ways) == 0)
		form_complain(f, "b_else", "A branch needs at least one way.");
}

static size_t way_steps(const json_t *way)
{
	return json_array_size(json_object_get(way, "steps"));
}

static json_t *way_show(struct flow_form *f, size_t i, size_t n)
{
	struct arena *a = f->r->a;
	json_t *way = f->is_posted ? way_stored(f, i) : json_array_get(stored_ways(f), i);
	const char *condition = json_str(way, "condition"), *name = json_str(way, "name");
	json_t *o = form_show_condition(
	    f, way_name(a, i, ""), "Condition", condition == NULL ? STR("") : str_from(condition));
	size_t steps = way_steps(way);

	json_set_int(o, "way", (int64_t)i);
	json_set_int(o, "way_number", (int64_t)i + 1);
	json_set_strn(o, "way_name",
	    f->is_posted ? form_text(f, way_name(a, i, "name"))
			 : str_from(name == NULL ? "" : name));
	json_set_strn(o, "way_was",
	    f->is_posted ? form_text(f, way_name(a, i, "was"))
			 : str_from(arena_printf(a, "%zu", i)));
	json_set_str(o, "way_steps",
	    steps == 0 ? NULL : arena_printf(a, "%zu step%s in it", steps, plural_s(steps)));
	json_set_bool(o, "may_up", i > 0);
	json_set_bool(o, "may_down", i + 1 < n);
	json_set_bool(o, "may_drop", steps == 0 && n > 1);
	return o;
}

void form_show_branches(struct flow_form *f, json_t *data)
{
	json_t *list = json_array(), *o = json_object(),
	       *config = json_object_get(f->step, "config");
	size_t n = f->is_posted ? way_count(f) : json_array_size(stored_ways(f));

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, way_show(f, i, n));
	json_set(o, "ways", list);
	json_set_int(o, "way_count", (int64_t)n);
	json_set_bool(o, "may_add_way", n < WAYS_MOST);
	json_set_bool(o, "has_else",
	    f->is_posted ? form_text(f, "b_else").n > 0 : json_object_get(config, "else") != NULL);
	json_set_str(o, "else_wrong", json_str(f->wrong, "b_else"));
	json_set(data, "branches", o);
}

/* ---- changed
 * -------------------------------------------------------------------------------------- */

/* Fields of a row go by their names; so rows change places by exchanging the numbers in them. */
static void ways_swap(struct flow_form *f, size_t x, size_t y)
{
	const char *of_x = way_name(f->r->a, x, "_"), *of_y = way_name(f->r->a, y, "_");
	size_t nx = strlen(of_x) - 1, ny = strlen(of_y) - 1;

	for (size_t i = 0; i < f->r->form.n; i++) {
		struct http_pair *p = &f->r->form.v[i];
		bool is_x = p->name.n > nx && strncmp(p->name.p, of_x, nx) == 0;
		bool is_y = p->name.n > ny && strncmp(p->name.p, of_y, ny) == 0;
		size_t n = is_x ? nx : ny;

		if (is_x || is_y)
			p->name =
			    str_from(arena_printf(f->r->a, "%.*s%.*s", is_x ? (int)ny : (int)nx,
				is_x ? of_y : of_x, (int)(p->name.n - n), p->name.p + n));
	}
}

static void ways_set_count(struct flow_form *f, size_t n)
{
	form_set_text(f, "b_n", str_from(arena_printf(f->r->a, "%zu", n)));
}

static void way_add(struct flow_form *f, size_t n)
{
	static const struct word fields[] = {
	    {"name", ""}, {"was", ""}, {"mode", "rows"}, {"n", "1"}, {NULL, NULL}};

	for (const struct word *w = fields; w->text != NULL; w++)
		form_set_text(f, way_name(f->r->a, n, w->text), str_from(w->label));
	ways_set_count(f, n + 1);
}

void form_change_branches(struct flow_form *f, struct str act, struct str what)
{
	size_t n = way_count(f);
	int64_t i;

	if (str_is(act, "way-add") && n < WAYS_MOST)
		way_add(f, n);
	if (!str_to_i64(what, 0, (int64_t)n - 1, &i))
		return;
	if (str_is(act, "way-up") && i > 0)
		ways_swap(f, (size_t)i, (size_t)i - 1);
	else if (str_is(act, "way-down") && (size_t)i + 1 < n)
		ways_swap(f, (size_t)i, (size_t)i + 1);
	if (!str_is(act, "way-drop") || n < 2 || way_steps(way_stored(f, (size_t)i)) > 0)
		return;
	for (; (size_t)i + 1 < n; i++)
		ways_swap(f, (size_t)i, (size_t)i + 1);
	ways_set_count(f, n - 1);
}
