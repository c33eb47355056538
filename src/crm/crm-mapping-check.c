/* What is wrong with a mapping that somebody sent: by itself, and with what the destination takes.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/path.h"
#include "crm/crm-mapping.h"
#include "expr/expr-transforms.h"

/* ---- does one fit the other? ----------------------------------------------------------------- */

static const json_t *target_find(const struct mapping_targets *t, const char *name)
{
	const json_t *f;
	size_t i;

	json_array_each(t->fields, i, f)
		if (strcmp(json_str(f, "name"), name) == 0)
			return f;
	return NULL;
}

static bool type_is(const json_t *field, const char *type)
{
	return strcmp(json_str(field, "type"), type) == 0;
}

static bool value_is_listed(const json_t *values, const char *text)
{
	const json_t *v;
	size_t i;

	json_array_each(values, i, v)
		if (json_is_string(v) && strcmp(json_string_value(v), text) == 0)
			return true;
	return false;
}

/* "a, b, c …", as far as there is room. */
static const char *values_text(struct arena *a, const json_t *values)
{
	struct buf *b = buf_new(a, 200);
	const json_t *v;
	size_t i;

	json_array_each(values, i, v) {
		const char *text = json_scalar_text(a, v);

		if (text == NULL || b->len + strlen(text) + 4 > 160) {
			buf_str(b, " …");
			break;
		}
		buf_printf(b, "%s%s", i > 0 ? ", " : "", text);
	}
	return b->p;
}

/* Of several choices each is to be one, between semicolons. */
static bool choices_are_listed(struct arena *a, const json_t *field, const char *text)
{
	const json_t *values = json_object_get(field, "values");
	struct str rest = str_from(text), one;

	if (!type_is(field, "choices"))
		return value_is_listed(values, text);
	while (str_split(&rest, ';', &one))
		if (!value_is_listed(values, arena_strndup(a, one.p, one.n)))
			return false;
	return true;
}

/* What is wrong with a value that is the same for every lead; NULL: nothing. */
static const char *value_misfit(struct arena *a, const json_t *field, const json_t *v)
{
	const char *text = json_scalar_text(a, v), *label = json_str(field, "name");
	const json_t *values = json_object_get(field, "values");
	struct expr_value as;

	if (text == NULL)
		return json_is_null(v) ? NULL
				       : arena_printf(a, "%s takes one value, no list", label);
	as = (struct expr_value){.kind = VALUE_TEXT, .text = str_from(text)};
	if ((type_is(field, "choice") || type_is(field, "choices")) &&
	    json_bool(field, "isClosed") && values != NULL)
		return choices_are_listed(a, field, text)
			   ? NULL
			   : arena_printf(a, "%s takes only: %s", label, values_text(a, values));
	if ((type_is(field, "number") || type_is(field, "integer")) && !json_is_number(v)) {
		struct scope s = {.a = a};

		expr_transform_find("number")->apply(&s, &as, as.text, (struct str){NULL, 0});
		return as.kind == VALUE_ABSENT ? arena_printf(a, "%s takes a number", label) : NULL;
	}
	if (type_is(field, "boolean") && !json_is_boolean(v) && strcmp(text, "true") != 0 &&
	    strcmp(text, "false") != 0)
		return arena_printf(a, "%s takes true or false", label);
	if (json_int(field, "maxLength") > 0 &&
	    (int64_t)strlen(text) > 4 * json_int(field, "maxLength"))
		return arena_printf(a, "%s takes at most %lld characters", label,
		    (long long)json_int(field, "maxLength"));
	return NULL;
}

static void check_value(
    struct json_reader *in, struct arena *a, const char *key, const json_t *field, const json_t *v)
{
	const char *misfit = v == NULL ? NULL : value_misfit(a, field, v);

	if (misfit != NULL)
		(void)json_reader_fail_at(in, key, "%s", misfit);
}

static void check_steps(
    struct json_reader *in, struct arena *a, const struct mapping_rule *rule, const json_t *field)
{
	for (size_t i = 0; i < rule->nsteps; i++) {
		const struct mapping_step *t = &rule->steps[i];
		const json_t *v;
		const char *key;

		if (i + 1 < rule->nsteps && t->kind->option == TRANSFORM_VALUES)
			continue; /* what follows may make another value of it */
		json_object_each(t->values, key, v)
			check_value(in, a, "transform", field, v);
		check_value(in, a, "transform", field, t->otherwise);
	}
}

static void check_rule(struct json_reader *in, struct arena *a, const struct mapping_rule *rule,
    const struct mapping_targets *t)
{
	const json_t *field = target_find(t, rule->to);

	if (field == NULL) {
		(void)json_reader_fail_at(
		    in, "to", "The destination has no field \"%s\"", rule->to);
		return;
	}
	if (json_bool(field, "isReadOnly"))
		(void)json_reader_fail_at(
		    in, "to", "\"%s\" can't be written: the destination fills it itself", rule->to);
	check_value(in, a, "const", field, rule->constant);
	check_value(in, a, "default", field, rule->fallback);
	check_steps(in, a, rule, field);
}

static void mapping_check_targets(struct json_reader *in, struct arena *a, const struct mapping *m,
    const struct mapping_targets *t)
{
	size_t mark = json_reader_enter(in, "rules");

	for (size_t i = 0; t->fields != NULL && i < m->n; i++) {
		size_t at = json_reader_enter_index(in, i);

		if (!m->rules[i].is_excluded)
			check_rule(in, a, &m->rules[i], t);
		json_reader_leave(in, at);
	}
	json_reader_leave(in, mark);
}

/* Each target once, and none within another. */
static void check_targets_apart(struct json_reader *in, const struct mapping *m)
{
	size_t mark = json_reader_enter(in, "rules");

	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; m->rules[i].to != NULL && k < i; k++) {
			const char *to = path_text(m->rules[i].path),
				   *former =
				       m->rules[k].to == NULL ? "" : path_text(m->rules[k].path);
			size_t n = strlen(to), nformer = strlen(former);
			size_t at = json_reader_enter_index(in, i);

			if (nformer > 0 && strcmp(to, former) == 0)
				(void)json_reader_fail_at(
				    in, "to", "rule %zu fills \"%s\" already", k + 1, to);
			else if (nformer > 0 &&
				 ((n > nformer && strncmp(to, former, nformer) == 0 &&
				      to[nformer] == '.') ||
				     (nformer > n && strncmp(to, former, n) == 0 &&
					 former[n] == '.')))
				(void)json_reader_fail_at(in, "to",
				    "can't stand beside \"%s\" of rule %zu: one lies within the "
				    "other",
				    former, k + 1);
			json_reader_leave(in, at);
		}
	json_reader_leave(in, mark);
}

bool mapping_check(
    struct json_reader *in, struct arena *a, const json_t *doc, const struct mapping_targets *t)
{
	struct loader l = mapping_loader(a, NULL);
	struct mapping m = {.n = 0};
	size_t faults = in->faults;

	l.in = *in;
	(void)mapping_compile_rules(&l, doc, &m);
	in->faults = l.in.faults;
	in->at_len = 0;
	in->at[0] = '\0';
	/* the rest names rules by their place, which is theirs only if all were taken */
	if (in->faults == faults) {
		check_targets_apart(in, &m);
		if (t != NULL)
			mapping_check_targets(in, a, &m, t);
	}
	return in->faults == faults;
}
