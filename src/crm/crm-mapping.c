/* From a normalized lead to the body a destination is sent. */
#include "base/limits.h"
#include "base/path.h"
#include "crm/crm-internal.h"
#include "expr/expr.h"

static const struct {
	const char *from, *to;
} mapping_default_names[] = {{"email", "email"}, {"firstName", "first_name"},
    {"lastName", "last_name"}, {"fullName", "full_name"}, {"phoneNumber", "phone"},
    {"company", "company"}};

/* ---- body template ----------------------------------------------------------------------- */

/* JSON in whose texts {{path}} stands for what lies there in the lead: all of these may, whether or
 * not this lead has them. */
enum template_root { TEMPLATE_LEAD };
static const struct expr_root template_roots[] = {{"", TEMPLATE_LEAD, NULL, lead_place_fields}};
static const struct expr_language template_language = {.syntax = EXPR_DOUBLE_BRACES,
    .roots = template_roots,
    .nroots = 1,
    .functions = expr_functions};

static struct loader template_loader(struct arena *a, struct err *err)
{
	return (struct loader){.in = {.err = err},
	    .a = a,
	    .language = &template_language,
	    .roots = EXPR_ROOT_BIT(TEMPLATE_LEAD)};
}

int crm_check_template(struct arena *a, const json_t *template, struct err *err)
{
	struct loader l = template_loader(a, err);
	struct expr *e;

	return expr_compile(&l, template, &e);
}

/* Leniently: a template may have been stored before templates were checked. */
static json_t *template_fill(struct arena *a, const json_t *template, struct scope *s)
{
	struct loader l = template_loader(a, NULL);
	struct expr *e = NULL;

	l.is_lenient = true;
	json_t *out = expr_compile(&l, template, &e) == -1 ? NULL : expr_json(e, s, true);
	return json_own(a, out != NULL ? out : json_null());
}

/* ---- mapping ----------------------------------------------------------------------------- */

/* By the destination's own names, where its manifest has them. */
static json_t *mapping_apply_default(
    struct arena *a, const struct connection *c, const json_t *lead)
{
	json_t *out = provider_push_body(c->provider, a, lead);

	if (out != NULL)
		return out;
	out = json_own(a, json_object());
	for (size_t i = 0; i < sizeof(mapping_default_names) / sizeof(mapping_default_names[0]);
	     i++) {
		json_t *v = json_object_get(lead, mapping_default_names[i].from);

		if (v != NULL && !json_is_null(v))
			json_set(out, mapping_default_names[i].to, json_deep_copy(v));
	}
	return out;
}

/* A rule's value, copied: a later rule may set members of it. NULL once there is too much. */
static json_t *mapping_rule_value(struct scope *s, const json_t *v)
{
	s->weight += json_weight(v);
	return scope_is_over(s) ? NULL : json_deep_copy(v);
}

static int mapping_apply_rule(struct scope *s, const json_t *rule, json_t *out, struct err *err)
{
	const char *to = json_str(rule, "to"), *from = json_str(rule, "from");
	json_t *v = json_object_get(rule, "const");
	struct path *path;

	if (to == NULL || (path = path_compile(s->a, str_from(to), err)) == NULL)
		return err_set(err, ERR_INVALID, "mapping: a rule without a target");
	if (v == NULL && from != NULL)
		v = path_lookup(s->a, s->slot[TEMPLATE_LEAD].json, from);
	if (v == NULL || json_is_null(v)) {
		if (json_bool(rule, "required"))
			return err_set(err, ERR_INVALID, "the lead has no %s, which %s needs",
			    from == NULL ? "value" : from, to);
		scope_note_missing(s, str_from(from));
		return 0;
	}
	v = mapping_rule_value(s, v);
	return v == NULL ? 0 : path_set(path, out, v, err);
}

static json_t *mapping_apply_rules(struct scope *s, const json_t *rules, struct err *err)
{
	json_t *out = json_own(s->a, json_object()), *rule;
	size_t i;

	json_array_each(rules, i, rule)
		if (mapping_apply_rule(s, rule, out, err) == -1)
			return NULL;
	return out;
}

json_t *crm_map_lead(struct arena *a, const struct connection *c, const json_t *mapping,
    const json_t *lead, json_t *missing, struct err *err)
{
	const json_t *template = json_object_get(c->access.settings, "bodyTemplate");
	const json_t *rules = json_object_get(mapping, "rules");
	/* Template and rules may repeat what a lead has, so what they make of it is bounded. */
	struct scope s = {.a = a, .weight_max = LIMIT_JSON_BYTES, .missing = missing};
	json_t *out;

	s.slot[TEMPLATE_LEAD].json = JSON_ITER(lead);
	if (template != NULL && !json_is_null(template))
		out = template_fill(a, template, &s);
	else if (!json_is_array(rules))
		out = mapping_apply_default(a, c, lead);
	else
		out = mapping_apply_rules(&s, rules, err);
	if (out != NULL && scope_is_over(&s)) {
		err_set(err, ERR_INVALID, "the body made of this lead would be too large");
		return NULL;
	}
	return out;
}
