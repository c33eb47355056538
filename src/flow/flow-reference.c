/* Names of steps in texts: found and changed where they stand for a step, left alone where they are
 * part of a path, a literal or plain text. */
#include "base/arena.h"
#include "base/buf.h"
#include "flow/flow-draft.h"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9');
}

/* Behind these a name goes on a path: "trigger.step_1", "trigger[step_1]". */
static bool is_within_path(struct str text, size_t at)
{
	char before = at > 0 ? text.p[at - 1] : ' ';

	if (before == '[')
		return at > 1 && (is_name(text.p[at - 2]) || text.p[at - 2] == ']');
	return before == '.' || before == '-' || is_name(before);
}

static size_t skip_quoted(struct str text, size_t at)
{
	const char *end = memchr(text.p + at + 1, text.p[at], text.n - at - 1);

	return end == NULL ? text.n : (size_t)(end - text.p) + 1;
}

static bool opens(struct str text, size_t at, char c)
{
	return at + 1 < text.n && text.p[at] == c && text.p[at + 1] == c;
}

static struct str references_of_text(
    struct arena *a, struct str text, bool is_condition, reference_fn *fn, void *arg)
{
	struct buf *b = buf_new(a, 2 * FLOW_JSON_BYTES);
	bool is_inside = is_condition;
	size_t i = 0, from;

	while (i < text.n) {
		from = i;
		if (!is_condition && (opens(text, i, '{') || opens(text, i, '}'))) {
			is_inside = text.p[i] == '{';
			i += 2;
		} else if (is_inside && (text.p[i] == '\'' || text.p[i] == '"')) {
			i = skip_quoted(text, i);
		} else if (is_inside && is_letter(text.p[i]) && !is_within_path(text, i)) {
			const char *other;

			while (i < text.n && is_name(text.p[i]))
				i++;
			other = fn(arg, (struct str){text.p + from, i - from});
			if (other != NULL) {
				buf_str(b, other);
				continue;
			}
		} else {
			i++;
		}
		buf_add(b, text.p + from, i - from);
	}
	return buf_ok(b) ? (struct str){b->p, b->len} : text;
}

static void walk_text(struct arena *a, json_t *v, bool is_condition, reference_fn *fn, void *arg)
{
	struct str text = {json_chars(v), json_chars_length(v)}, other;

	if (text.p == NULL || text.n == 0)
		return;
	other = references_of_text(a, text, is_condition, fn, arg);
	if (!str_eq(text, other))
		json_string_setn(v, other.p, other.n);
}

/* Data with templates, however deep. */
static void walk_data(struct arena *a, json_t *v, reference_fn *fn, void *arg)
{
	const char *key;
	json_t *member;
	size_t i;

	json_array_each(v, i, member)
		walk_data(a, member, fn, arg);
	if (json_is_object(v))
		json_object_each(v, key, member)
			walk_data(a, member, fn, arg);
	walk_text(a, v, false, fn, arg);
}

static void walk_list(struct arena *a, json_t *steps, reference_fn *fn, void *arg)
{
	json_t *step;
	size_t i;

	json_array_each(steps, i, step)
		references_walk(a, step, fn, arg);
}

static void walk_field(
    struct arena *a, const struct step_field *f, json_t *v, reference_fn *fn, void *arg)
{
	json_t *branch;
	size_t i;

	switch (f->type) {
	case STEP_CONDITION:
		walk_text(a, v, true, fn, arg);
		return;
	case STEP_STEPS:
		walk_list(a, v, fn, arg);
		return;
	case STEP_BRANCHES:
		json_array_each(v, i, branch) {
			walk_text(a, json_object_get(branch, "condition"), true, fn, arg);
			walk_list(a, json_object_get(branch, "steps"), fn, arg);
		}
		return;
	default:
		walk_data(a, v, fn, arg);
	}
}

void references_walk(struct arena *a, json_t *step, reference_fn *fn, void *arg)
{
	const char *name = json_str(step, "kind");
	const struct step_kind *kind = name == NULL ? NULL : step_kind_find(str_from(name));
	json_t *config = json_object_get(step, "config");

	for (size_t i = 0; kind != NULL && kind->fields[i].name != NULL; i++)
		walk_field(
		    a, &kind->fields[i], json_object_get(config, kind->fields[i].name), fn, arg);
	walk_data(a, json_object_get(step, "inputMapping"), fn, arg);
	walk_list(a, json_object_get(step, "errorSteps"), fn, arg);
}
