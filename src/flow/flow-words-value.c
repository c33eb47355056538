/* Members of steps in words: what a field is called, and what stands in it, as people chose it in
 * the form: names instead of ids, conditions and templates as sentences have them. */
#include "base/arena.h"
#include "base/buf.h"
#include "connection/connection-pages.h"
#include "flow/flow-condition.h"
#include "flow/flow-words.h"
#include "provider/manifest.h"

#define TEXT_BYTES 120u /* of a value within a sentence */
#define INPUTS "inputMapping."

const struct word flow_on_errors[] = {{"", "Stop: the run has failed"},
    {"continue", "Go on with the next step"}, {"branch", "Do other steps, then go on"},
    {NULL, NULL}};
const struct word flow_operations[] = {{"identity", "Keep it as it is"},
    {"uppercase", "UPPER CASE"}, {"lowercase", "lower case"}, {"trim", "Cut blanks off both ends"},
    {"to_number", "Make it a number"}, {"date", "Write a date another way, or add to it"},
    {"split", "Split a text into a list"}, {"join", "Join a list into a text"},
    {"replace", "Replace a part of the text"}, {"default", "Use something else when it is empty"},
    {"json", "Text to JSON, or JSON to text"}, {"hash", "Fingerprint (hash)"}, {NULL, NULL}};

static const struct step_kind *kind_of(const json_t *step)
{
	const char *kind = json_str(step, "kind");

	return kind == NULL ? NULL : step_kind_find(str_from(kind));
}

static const struct provider *provider_of(const struct flow_words *w, const json_t *step)
{
	const char *type = json_str(step, "providerType");

	return type == NULL ? NULL : provider_find(w->app->providers, str_from(type));
}

static const struct action *action_of_json(const struct flow_words *w, const json_t *step)
{
	const struct provider *p = provider_of(w, step);
	const char *name = json_str(step, "actionName");

	return p == NULL || name == NULL ? NULL : provider_find_open_action(p, str_from(name));
}

const char *flow_words_title_of(const struct flow_words *w, const json_t *step)
{
	const struct flow_step s = {.json = step,
	    .name = json_str(step, "name"),
	    .kind = kind_of(step),
	    .provider_type = json_str(step, "providerType"),
	    .action = json_str(step, "actionName")};

	return flow_words_title(w, &s);
}

/* ---- fields ---------------------------------------------------------------------------------- */

static const struct step_field *field_of(const json_t *step, const char *name)
{
	const struct step_kind *k = kind_of(step);

	for (size_t i = 0; k != NULL && k->fields[i].name != NULL; i++)
		if (strcmp(k->fields[i].name, name) == 0)
			return &k->fields[i];
	return NULL;
}

static const char *last_of(const char *path)
{
	const char *last = strrchr(path, '.');

	return last == NULL ? path : last + 1;
}

static const char *input_label(const struct flow_words *w, const json_t *step, const char *name)
{
	const struct action *act = action_of_json(w, step);

	for (size_t i = 0; act != NULL && i < act->ninputs; i++)
		if (strcmp(act->inputs[i].name, name) == 0)
			return act->inputs[i].label;
	return NULL;
}

const char *flow_words_field(const struct flow_words *w, const json_t *step, const char *path)
{
	static const struct word known[] = {{"name", "Name"}, {"kind", "Kind"},
	    {"providerType", "Provider"}, {"actionName", "Action"}, {"connectionId", "Connection"},
	    {"onError", "When it has failed for good"}, {"retry", "Tries"}, {NULL, NULL}};
	const char *last = last_of(path), *label = NULL;
	const struct step_field *field = field_of(step, last);

	if (strncmp(path, INPUTS, strlen(INPUTS)) == 0)
		label = input_label(w, step, path + strlen(INPUTS));
	if (label != NULL)
		return label;
	if (word_find(known, str_from(path)) != NULL)
		return word_label(known, path);
	if (field != NULL)
		return field->label;
	return strcmp(last, "condition") == 0 ? "Condition" : arena_strdup(w->a, last);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Members and items one after the other; what is deeper as its JSON. */
static const char *many_words(const struct flow_words *w, const json_t *v)
{
	struct buf *b = buf_new(w->a, 4 * TEXT_BYTES);
	const char *key;
	json_t *one;
	size_t i;

	json_object_each(v, key, one) {
		const char *text = json_scalar_text(w->a, one);

		buf_printf(b, "%s%s: %s", b->len > 0 ? ", " : "", key,
		    text != NULL ? template_words(w->a, str_from(text), TEXT_BYTES)
				 : json_text(w->a, one).p);
	}
	json_array_each(v, i, one) {
		const char *text = json_scalar_text(w->a, one);

		buf_printf(b, "%s%s", b->len > 0 ? ", " : "",
		    text != NULL ? template_words(w->a, str_from(text), TEXT_BYTES)
				 : json_text(w->a, one).p);
	}
	return buf_ok(b) ? b->p : json_text(w->a, v).p;
}

static const char *name_in(const json_t *names, const char *id)
{
	const json_t *o = id == NULL ? NULL : json_object_get(names, id);
	const char *name = json_is_string(o) ? json_string_value(o) : json_str(o, "name");

	return name != NULL ? name : "something that is gone";
}

static const char *names_in(const struct flow_words *w, const json_t *names, const json_t *ids)
{
	struct buf *b = buf_new(w->a, 4 * TEXT_BYTES);
	json_t *id;
	size_t i;

	json_array_each(ids, i, id)
		buf_printf(b, "%s%s", i > 0 ? ", " : "", name_in(names, json_string_value(id)));
	return buf_ok(b) ? b->p : "many";
}

/* What is chosen by an id, or one of the product's own words; NULL: it is neither. */
static const char *chosen_words(
    const struct flow_words *w, const json_t *step, const char *path, const json_t *v)
{
	const char *last = last_of(path), *text = json_string_value(v);
	const json_t *called =
	    strncmp(path, INPUTS, strlen(INPUTS)) == 0
		? json_object_get(json_object_get(step, STEP_INPUT_NAMES), path + strlen(INPUTS))
		: NULL;
	const struct step_kind *kind = kind_of(step);
	const struct action *act;

	if (json_is_string(called))
		return json_string_value(called);
	if (strcmp(last, "connectionIds") == 0)
		return names_in(w, w->connections, v);
	if (text == NULL)
		return NULL;
	if (strcmp(path, "kind") == 0)
		return kind != NULL ? kind->label : text;
	if (strcmp(path, "providerType") == 0)
		return provider_label(w->app, text);
	if (strcmp(path, "actionName") == 0)
		return (act = action_of_json(w, step)) != NULL ? act->label : text;
	if (strcmp(path, "connectionId") == 0)
		return name_in(w->connections, text);
	if (strcmp(path, "onError") == 0)
		return word_label(flow_on_errors, text);
	if (strcmp(path, "config.flowId") == 0)
		return name_in(w->flows, text);
	if (strcmp(path, "config.tableSlug") == 0)
		return name_in(w->tables, text);
	if (strcmp(path, "config.operation") == 0)
		return word_label(flow_operations, text);
	return strcmp(last, "condition") == 0 ? condition_words(w->a, str_from(text)) : NULL;
}

const char *flow_words_value(
    const struct flow_words *w, const json_t *step, const char *path, const json_t *v)
{
	const char *text;
	struct str cut;

	if (v == NULL || json_is_null(v))
		return strcmp(path, "onError") == 0 ? "“Stop: the run has failed”" : "nothing";
	text = chosen_words(w, step, path, v);
	if (text == NULL && json_is_boolean(v))
		text = json_is_true(v) ? "Yes" : "No";
	if (text == NULL && json_is_string(v))
		text = template_words(
		    w->a, (struct str){json_string_value(v), json_string_length(v)}, TEXT_BYTES);
	if (text == NULL && (text = json_scalar_text(w->a, v)) == NULL)
		text = many_words(w, v);
	if (*text == '\0')
		return "nothing";
	cut = utf8_cut(str_from(text), TEXT_BYTES);
	return arena_printf(w->a, "“%.*s%s”", (int)cut.n, cut.p, cut.n < strlen(text) ? "…" : "");
}
