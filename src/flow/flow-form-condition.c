/* A condition in a form: rows of field, comparison and value, or the text itself. Of prefix "c" the
 * fields are c_mode ("rows", "text"), c_text, c_join ("all", "any"), c_n, and for each row
 * c_field_0, c_op_0, c_value_0. */
#include "base/arena.h"
#include "flow/flow-condition.h"
#include "flow/flow-form.h"

static const char *sub(struct arena *a, const char *prefix, const char *name)
{
	return arena_printf(a, "%s_%s", prefix, name);
}

static const char *nth(struct arena *a, const char *prefix, const char *name, size_t i)
{
	return arena_printf(a, "%s_%s_%zu", prefix, name, i);
}

static size_t row_count(const struct flow_form *f, const char *prefix)
{
	int64_t n;

	return str_to_i64(form_text(f, sub(f->r->a, prefix, "n")), 0, CONDITION_ROWS_MOST, &n)
		   ? (size_t)n
		   : 0;
}

static bool is_of_rows(const struct flow_form *f, const char *prefix)
{
	return str_is(form_text(f, sub(f->r->a, prefix, "mode")), "rows");
}

static struct condition rows_of_form(const struct flow_form *f, const char *prefix)
{
	struct arena *a = f->r->a;
	struct condition c = {.is_any = str_is(form_text(f, sub(a, prefix, "join")), "any"),
	    .rows = arena_array(a, CONDITION_ROWS_MOST, sizeof(*c.rows)),
	    .n = row_count(f, prefix)};

	for (size_t i = 0; i < c.n; i++)
		c.rows[i] =
		    (struct condition_row){utf8_trim(form_text(f, nth(a, prefix, "field", i))),
			form_text(f, nth(a, prefix, "op", i)),
			utf8_trim(form_text(f, nth(a, prefix, "value", i)))};
	return c;
}

/* Without rows that nobody filled in. */
static struct condition rows_filled(struct condition c)
{
	size_t n = 0;

	for (size_t i = 0; i < c.n; i++)
		if (c.rows[i].field.n > 0)
			c.rows[n++] = c.rows[i];
	c.n = n;
	return c;
}

struct str form_read_condition(struct flow_form *f, const char *prefix, struct str was)
{
	struct arena *a = f->r->a;
	struct condition rows, before;
	const char *why = NULL;
	struct str text;
	size_t row;

	if (!is_of_rows(f, prefix))
		return utf8_trim(form_text(f, sub(a, prefix, "text")));
	rows = rows_filled(rows_of_form(f, prefix));
	if (condition_read(a, was, &before) && condition_equal(&rows, &before))
		return was;
	text = condition_write(a, &rows, &row, &why);
	if (why != NULL)
		form_complain(f, prefix, arena_printf(a, "Row %zu %s.", row + 1, why));
	return text;
}

/* ---- shown
 * ---------------------------------------------------------------------------------------- */

static json_t *operator_choices(struct str current)
{
	json_t *list = json_array();

	for (const struct word *w = condition_operators; w->text != NULL; w++) {
		json_t *o = json_object();

		json_set_str(o, "value", w->text);
		json_set_str(o, "label", w->label);
		json_set_bool(o, "asks", condition_takes_value(str_from(w->text)));
		json_set_bool(o, "is_current", str_is(current, w->text));
		json_array_append_new(list, o);
	}
	return list;
}

/* The groups with the one that is chosen marked; *is_known when it is among them. */
static json_t *field_groups(const json_t *groups, struct str current, bool *is_known)
{
	json_t *copy = json_deep_copy(groups), *g, *c;
	size_t i, k;

	*is_known = current.n == 0;
	json_array_each(copy, i, g)
		json_array_each(json_object_get(g, "choices"), k, c) {
			bool is_current = str_is(current, json_str(c, "place"));

			json_set_bool(c, "is_current", is_current);
			*is_known = *is_known || is_current;
		}
	return copy;
}

static json_t *row_show(
    struct flow_form *f, const char *prefix, const struct condition_row *row, size_t i)
{
	struct arena *a = f->r->a;
	json_t *o = json_object();
	bool is_known;

	json_set_int(o, "i", (int64_t)i);
	json_set_int(o, "number", (int64_t)i + 1);
	json_set_str(o, "field_name", nth(a, prefix, "field", i));
	json_set_str(o, "op_name", nth(a, prefix, "op", i));
	json_set_str(o, "value_name", nth(a, prefix, "value", i));
	json_set(o, "groups", field_groups(f->groups, row->field, &is_known));
	json_set_strn(o, "own", is_known ? (struct str){NULL, 0} : row->field);
	json_set(o, "operators", operator_choices(row->operator));
	json_set_strn(o, "value", row->value);
	return o;
}

json_t *form_show_condition(
    struct flow_form *f, const char *prefix, const char *label, struct str stored)
{
	struct arena *a = f->r->a;
	json_t *o = json_object(), *rows = json_array();
	struct condition c = {0}, other;
	struct str text = f->is_posted ? form_text(f, sub(a, prefix, "text")) : stored;
	bool is_rows;

	if (f->is_posted) {
		is_rows = is_of_rows(f, prefix);
		c = rows_of_form(f, prefix);
	} else {
		is_rows = condition_read(a, stored, &c);
		if (is_rows && c.n == 0)
			c.n = 1;
	}
	for (size_t i = 0; is_rows && i < c.n; i++)
		json_array_append_new(rows, row_show(f, prefix, &c.rows[i], i));
	json_set_str(o, "name", prefix);
	json_set_str(o, "label", label);
	json_set_bool(o, "is_rows", is_rows);
	json_set_bool(o, "can_rows", is_rows || condition_read(a, text, &other));
	json_set(o, "condition_rows", rows);
	json_set_int(o, "row_count", (int64_t)c.n);
	json_set_bool(o, "is_any", c.is_any);
	json_set_bool(o, "may_add", c.n < CONDITION_ROWS_MOST);
	json_set_strn(o, "text", text.p == NULL ? STR("") : text);
	json_set_str(o, "help", NULL);
	form_show_wrong(f, o);
	return o;
}

/* ---- changed
 * -------------------------------------------------------------------------------------- */

static void rows_put(struct flow_form *f, const char *prefix, const struct condition *c)
{
	struct arena *a = f->r->a;

	for (size_t i = 0; i < c->n; i++) {
		form_set_text(f, nth(a, prefix, "field", i), c->rows[i].field);
		form_set_text(f, nth(a, prefix, "op", i), c->rows[i].operator);
		form_set_text(f, nth(a, prefix, "value", i), c->rows[i].value);
	}
	form_set_text(f, sub(a, prefix, "n"), str_from(arena_printf(a, "%zu", c->n)));
	form_set_text(f, sub(a, prefix, "join"), c->is_any ? STR("any") : STR("all"));
}

static void to_text(struct flow_form *f, const char *prefix)
{
	struct condition c = rows_filled(rows_of_form(f, prefix));
	const char *why = NULL;
	size_t row;
	struct str text = condition_write(f->r->a, &c, &row, &why);

	if (why != NULL) {
		form_complain(f, prefix, arena_printf(f->r->a, "Row %zu %s.", row + 1, why));
		return;
	}
	form_set_text(f, sub(f->r->a, prefix, "text"), text);
	form_set_text(f, sub(f->r->a, prefix, "mode"), STR("text"));
}

static void to_rows(struct flow_form *f, const char *prefix)
{
	struct condition c;

	if (!condition_read(f->r->a, form_text(f, sub(f->r->a, prefix, "text")), &c)) {
		form_complain(f, prefix, "This says more than rows can: it stays an expression.");
		return;
	}
	c.n = c.n == 0 ? 1 : c.n;
	rows_put(f, prefix, &c);
	form_set_text(f, sub(f->r->a, prefix, "mode"), STR("rows"));
}

void form_change_condition(struct flow_form *f, struct str act, struct str what)
{
	struct arena *a = f->r->a;
	struct str rest = what, part;
	const char *prefix;
	struct condition c;
	int64_t i;

	(void)str_split(&rest, ':', &part);
	prefix = arena_strndup(a, part.p, part.n);
	if (str_is(act, "text"))
		to_text(f, prefix);
	else if (str_is(act, "rows"))
		to_rows(f, prefix);
	c = rows_of_form(f, prefix);
	if (str_is(act, "row") && c.n < CONDITION_ROWS_MOST) {
		c.rows[c.n++] = (struct condition_row){STR(""), STR("eq"), STR("")};
		rows_put(f, prefix, &c);
	}
	if (!str_is(act, "drop") || !str_to_i64(rest, 0, (int64_t)c.n - 1, &i))
		return;
	c.n--;
	memmove(&c.rows[i], &c.rows[i + 1], (c.n - (size_t)i) * sizeof(*c.rows));
	rows_put(f, prefix, &c);
}
