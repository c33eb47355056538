/* From a normalized lead to the body a destination is sent. */
#include "crm/crm-mapping.h"

#include "base/limits.h"
#include "base/path.h"
#include "crm/crm-mapping-transform.h"

static json_t *template_fill(const struct mapping *m, struct scope *s)
{
	json_t *out = expr_json(m->template, s, true);

	return json_own(s->a, out != NULL ? out : json_null());
}

/* By the destination's own names, where its manifest has them. */
static json_t *mapping_apply_default(
    const struct mapping *m, struct scope *s, const struct connection *c)
{
	json_t *lead = s->slot[MAPPING_LEAD].json;
	json_t *out = provider_push_body(c->provider, s->a, lead);

	if (out != NULL)
		return out;
	out = json_own(s->a, json_object());
	for (size_t i = 0; i < m->nown; i++) {
		json_t *v = json_object_get(lead, m->own[i].from);

		if (v != NULL && !json_is_null(v))
			json_set(out, m->own[i].to, json_deep_copy(v));
	}
	return out;
}

/* ---- rules ----------------------------------------------------------------------------------- */

static void value_of_source(const struct mapping_rule *rule, struct scope *s, struct expr_value *v)
{
	json_t *json =
	    rule->constant != NULL ? JSON_ITER(rule->constant) : expr_shared(rule->value, s);

	*v = (struct expr_value){
	    .kind = json == NULL || json_is_null(json) ? VALUE_ABSENT : VALUE_JSON, .json = json};
	/* a text made of what the lead has not is no text */
	if (rule->is_template && json_is_string(json) &&
	    utf8_trim(str_from(json_string_value(json))).n == 0)
		v->kind = VALUE_ABSENT;
}

/* A new reference of its own: a later rule may set members of it. NULL: there is none, or too much.
 */
static json_t *value_json(struct scope *s, const struct expr_value *v)
{
	switch (v->kind) {
	case VALUE_ABSENT:
		return NULL;
	case VALUE_TEXT:
		s->weight += v->text.n;
		return scope_is_over(s) ? NULL : json_stringn(v->text.p, v->text.n);
	case VALUE_INT:
		return json_integer(v->number);
	case VALUE_JSON:
		s->weight += json_weight(v->json);
		return scope_is_over(s) || json_is_null(v->json) ? NULL : json_deep_copy(v->json);
	}
	return NULL;
}

static json_t *mapping_rule_value(const struct mapping_rule *rule, struct scope *s)
{
	json_t *missing = s->missing;
	struct expr_value v;

	if (rule->fallback != NULL) /* then nothing is missing */
		s->missing = NULL;
	value_of_source(rule, s, &v);
	for (size_t i = 0; i < rule->nsteps; i++)
		mapping_step_apply(&rule->steps[i], s, &v);
	s->missing = missing;
	if (v.kind == VALUE_ABSENT && rule->fallback != NULL)
		v = (struct expr_value){.kind = VALUE_JSON, .json = JSON_ITER(rule->fallback)};
	return value_json(s, &v);
}

static int mapping_apply_rule(
    struct scope *s, const struct mapping_rule *rule, json_t *out, struct err *err)
{
	json_t *v = mapping_rule_value(rule, s);

	if (v != NULL)
		return path_set(rule->path, out, v, err);
	if (scope_is_over(s))
		return 0;
	if (rule->is_needed)
		return err_field(err, ERR_INVALID, rule->to, "the lead has no %s, which %s needs",
		    rule->from == NULL ? "value" : rule->from, rule->to);
	if (!rule->is_template)
		scope_note_missing(s, str_from(rule->from));
	return 0;
}

/* ---- what no rule names ---------------------------------------------------------------------- */

static bool mapping_reads(const struct mapping *m, const char *place)
{
	for (size_t i = 0; i < m->nread; i++)
		if (strcmp(m->read[i], place) == 0)
			return true;
	return false;
}

/* A destination's name goes by its first place: "lastName || fullName" is sent unless lastName is.
 */
static bool mapping_reads_first(const struct mapping *m, const struct mapping_rule *own)
{
	const char *end = strstr(own->from, "||");

	for (size_t i = 0; i < m->nread; i++) {
		struct str first = {
		    own->from, end == NULL ? strlen(own->from) : (size_t)(end - own->from)};

		if (str_is(utf8_trim(first), m->read[i]))
			return true;
	}
	return false;
}

static void mapping_add_answers(const struct mapping *m, struct scope *s, json_t *out)
{
	json_t *answers = json_object_get(s->slot[MAPPING_LEAD].json, "customFields"), *v;
	const char *key;

	json_object_each(answers, key, v) {
		const char *text = json_is_array(v) ? json_joined_text(s->a, v) : NULL;

		if (json_is_null(v) || json_object_get(out, key) != NULL ||
		    mapping_reads(m, arena_printf(s->a, "customFields.%s", key)))
			continue;
		s->weight += json_weight(v);
		if (scope_is_over(s))
			return;
		json_set(out, key, text != NULL ? json_string(text) : json_deep_copy(v));
	}
}

static int mapping_add_unmapped(
    const struct mapping *m, struct scope *s, json_t *out, struct err *err)
{
	s->missing = NULL; /* nobody has asked for them */
	for (size_t i = 0; i < m->nown; i++)
		if (!mapping_reads_first(m, &m->own[i]) && path_get(m->own[i].path, out) == NULL &&
		    mapping_apply_rule(s, &m->own[i], out, err) == -1)
			return -1;
	mapping_add_answers(m, s, out);
	return 0;
}

/* What the destination takes no lead without, as its manifest fills it. */
static void mapping_add_needed(const struct connection *c, struct scope *s, json_t *out)
{
	const json_t *needed = provider_push_needed(c->provider), *name;
	json_t *own = NULL;
	size_t i;

	json_array_each(needed, i, name) {
		const char *key = json_string_value(name);
		json_t *v;

		if (json_object_get(out, key) != NULL)
			continue;
		if (own == NULL)
			own = provider_push_body(c->provider, s->a, s->slot[MAPPING_LEAD].json);
		v = json_object_get(own, key);
		if (v != NULL)
			json_set(out, key, json_incref(v));
	}
}

static json_t *mapping_apply_rules(
    const struct mapping *m, struct scope *s, const struct connection *c, struct err *err)
{
	json_t *out = json_own(s->a, json_object());

	for (size_t i = 0; i < m->n; i++)
		if (!m->rules[i].is_excluded && mapping_apply_rule(s, &m->rules[i], out, err) == -1)
			return NULL;
	if (m->includes_unmapped && mapping_add_unmapped(m, s, out, err) == -1)
		return NULL;
	mapping_add_needed(c, s, out);
	return out;
}

json_t *mapping_apply(const struct mapping *m, struct arena *a, const struct connection *c,
    const json_t *lead, json_t *missing, struct err *err)
{
	/* Template and rules may repeat what a lead has, so what they make of it is bounded. */
	struct scope s = {.a = a, .weight_max = LIMIT_JSON_BYTES, .missing = missing};
	json_t *out;

	s.slot[MAPPING_LEAD].json = JSON_ITER(lead);
	if (m->template != NULL)
		out = template_fill(m, &s);
	else if (!m->has_rules)
		out = mapping_apply_default(m, &s, c);
	else
		out = mapping_apply_rules(m, &s, c, err);
	if (out != NULL && scope_is_over(&s)) {
		err_set(err, ERR_INVALID, "the body made of this lead would be too large");
		return NULL;
	}
	return out;
}
