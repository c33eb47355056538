/* Mappings from JSON to what is applied; also the check of what people send. */
#include "base/limits.h"
#include "base/path.h"
#include "crm/crm-mapping-transform.h"
#include "expr/expr-transforms.h"
#include "lead/lead.h"

static const struct {
	const char *from, *to;
} mapping_default_names[] = {{"email", "email"}, {"firstName", "first_name"},
    {"lastName", "last_name"}, {"fullName", "full_name"}, {"phoneNumber", "phone"},
    {"company", "company"}};

/* Texts in which {{path}} stands for what lies there in the lead: all of these may, whether or not
 * this lead has them. */
static const struct expr_root mapping_roots[] = {{"", MAPPING_LEAD, NULL, lead_place_fields}};

struct loader mapping_loader(struct arena *a, struct err *err)
{
	static struct expr_language language = {
	    .syntax = EXPR_DOUBLE_BRACES, .roots = mapping_roots, .nroots = 1};

	language.functions = expr_transforms();
	return (struct loader){.in = {.err = err},
	    .a = a,
	    .language = &language,
	    .roots = EXPR_ROOT_BIT(MAPPING_LEAD)};
}

int crm_check_template(struct arena *a, const json_t *template, struct err *err)
{
	struct loader l = mapping_loader(a, err);
	struct expr *e;

	return expr_compile(&l, template, &e);
}

/* ---- rules ----------------------------------------------------------------------------------- */

int mapping_compile_place(struct loader *l, struct str place, struct expr **out)
{
	place = utf8_trim(place);
	if (place.n == 0)
		return json_reader_fail(&l->in, "must be the name of a field of the lead");
	if (memmem(place.p, place.n, "{{", 2) != NULL || memmem(place.p, place.n, "}}", 2) != NULL)
		return json_reader_fail(&l->in, "is the name of a field, without braces");
	return expr_compile(l,
	    json_own(l->a, json_string(arena_printf(l->a, "{{%.*s}}", (int)place.n, place.p))),
	    out);
}

struct rule_members {
	struct str from, template, to;
	json_t *constant, *transform, *fallback;
	bool is_needed, is_excluded;
};
static const struct json_member rule_members[] = {
    {"from", READ_TEXT, JSON_INTO(struct rule_members, from), READ_NULLABLE, READ_TRIMMED, .min = 1,
	.max = 1000},
    {"template", READ_TEXT, JSON_INTO(struct rule_members, template), READ_NULLABLE, .min = 1,
	.max = 10000},
    {"const", READ_ANY, JSON_INTO(struct rule_members, constant), READ_NULLABLE},
    {"to", READ_TEXT, JSON_INTO(struct rule_members, to), READ_NULLABLE, READ_TRIMMED, .min = 1,
	.max = LIMIT_PATH_BYTES},
    {"transform", READ_ANY, JSON_INTO(struct rule_members, transform), READ_NULLABLE},
    {"default", READ_ANY, JSON_INTO(struct rule_members, fallback), READ_NULLABLE},
    {"required", READ_BOOL, JSON_INTO(struct rule_members, is_needed), READ_NULLABLE},
    {"exclude", READ_BOOL, JSON_INTO(struct rule_members, is_excluded), READ_NULLABLE}};

static const char *text_or_null(struct arena *a, struct str s)
{
	return s.p == NULL ? NULL : arena_strndup(a, s.p, s.n);
}

static int rule_take_target(struct loader *l, struct str to, struct mapping_rule *out)
{
	struct err why = ERR_INIT;

	if (to.p == NULL)
		return json_reader_fail_at(
		    &l->in, "to", "is needed: what the destination calls the field");
	out->to = text_or_null(l->a, to);
	out->path = path_compile(l->a, str_from(out->to), &why);
	if (out->path == NULL)
		return json_reader_fail_at(&l->in, "to", "%s", why.msg);
	if (path_fans_out(out->path))
		return json_reader_fail_at(&l->in, "to", "must be one place: [] names many");
	return 0;
}

static int rule_take_source(
    struct loader *l, const struct rule_members *m, struct mapping_rule *out)
{
	size_t mark;
	int rc;

	if ((m->from.p != NULL) + (m->template.p != NULL) + (m->constant != NULL) > 1 &&
	    !l->is_lenient)
		return json_reader_fail(
		    &l->in, "takes one of from, template and const, not several");
	out->from = text_or_null(l->a, m->template.p != NULL ? m->template : m->from);
	out->is_template = m->template.p != NULL;
	if (m->constant != NULL) {
		out->constant = json_own(l->a, json_deep_copy(m->constant));
		return 0;
	}
	if (m->template.p == NULL && m->from.p == NULL)
		return l->is_lenient ? 0
				     : json_reader_fail_at(&l->in, "from",
					   "is needed: a field of the lead, or template or const");
	mark = json_reader_enter(&l->in, m->template.p != NULL ? "template" : "from");
	rc = m->template.p != NULL
		 ? expr_compile(
		       l, json_own(l->a, json_stringn(m->template.p, m->template.n)), &out->value)
		 : mapping_compile_place(l, m->from, &out->value);
	if (rc == 0)
		json_reader_leave(&l->in, mark);
	return rc;
}

static int rule_compile(struct loader *l, const json_t *v, struct mapping_rule *out)
{
	struct rule_members m = {.from = {NULL, 0}};

	*out = (struct mapping_rule){.to = NULL};
	if (json_read_members(&l->in, v, JSON_MEMBERS(rule_members), &m) == -1)
		return -1;
	out->is_needed = m.is_needed;
	out->is_excluded = m.is_excluded;
	if (m.fallback != NULL)
		out->fallback = json_own(l->a, json_deep_copy(m.fallback));
	if (rule_take_source(l, &m, out) == -1)
		return -1;
	if (out->is_excluded && (m.from.p == NULL || m.to.p != NULL) && !l->is_lenient)
		return json_reader_fail_at(&l->in, "exclude", "goes with from alone");
	if (!out->is_excluded && rule_take_target(l, m.to, out) == -1)
		return -1;
	return mapping_compile_steps(l, v, out);
}

static int rules_compile(struct loader *l, const json_t *list, struct mapping *out)
{
	size_t mark = json_reader_enter(&l->in, "rules"), i;
	json_t *v;

	if (!json_is_array(list))
		return json_reader_fail(&l->in, "must be a list");
	if (json_array_size(list) > MAPPING_RULES_MOST)
		return json_reader_fail(&l->in, "at most %d", MAPPING_RULES_MOST);
	out->has_rules = true;
	out->rules = arena_array(l->a, json_array_size(list) + 1, sizeof(*out->rules));
	json_array_each(list, i, v) {
		size_t at = json_reader_enter_index(&l->in, i);

		if (rule_compile(l, v, &out->rules[out->n]) == 0)
			out->n++;
		else if (l->in.complain == NULL)
			return -1;
		json_reader_leave(&l->in, at);
	}
	json_reader_leave(&l->in, mark);
	return 0;
}

/* ---- what rules read ------------------------------------------------------------------------- */

struct reading {
	struct arena *a;
	struct mapping *m;
	size_t most;
};

static int reading_note(unsigned slot, const char *path, void *arg)
{
	struct reading *r = arg;

	(void)slot;
	if (r->m->nread == r->most) {
		const char **more = arena_array(r->a, r->most * 2, sizeof(*more));

		memcpy(more, r->m->read, r->most * sizeof(*more));
		r->m->read = more;
		r->most *= 2;
	}
	r->m->read[r->m->nread++] = arena_strdup(r->a, path);
	return 0;
}

/* Names with a value of their own beside them count as sent: what is joined to another is, too. */
static void mapping_note_reading(struct arena *a, struct mapping *m)
{
	struct reading r = {a, m, 64};

	m->read = arena_array(a, r.most, sizeof(*m->read));
	for (size_t i = 0; i < m->n; i++) {
		(void)expr_each_place(m->rules[i].value, reading_note, &r);
		for (size_t k = 0; k < m->rules[i].nsteps; k++)
			for (size_t f = 0; f < m->rules[i].steps[k].nfields; f++)
				(void)expr_each_place(
				    m->rules[i].steps[k].fields[f], reading_note, &r);
	}
}

/* ---- the whole ------------------------------------------------------------------------------- */

int mapping_compile_rules(struct loader *l, const json_t *doc, struct mapping *out)
{
	static const struct json_member members[] = {
	    {"rules", READ_ANY, .offset = 0, READ_NULLABLE},
	    {"includeUnmapped", READ_BOOL, .offset = sizeof(json_t *), READ_NULLABLE}};
	struct {
		json_t *rules;
		bool includes_unmapped;
	} m = {NULL, false};

	if (json_read_members(&l->in, doc, JSON_MEMBERS(members), &m) == -1)
		return -1;
	out->includes_unmapped = m.includes_unmapped;
	if (m.rules != NULL && rules_compile(l, m.rules, out) == -1)
		return -1;
	mapping_note_reading(l->a, out);
	return 0;
}

json_t *mapping_own_rules(struct arena *a, const struct provider *p)
{
	json_t *list = p == NULL ? NULL : provider_push_names(p, a);

	if (list != NULL)
		return list;
	list = json_own(a, json_array());
	for (size_t i = 0; i < sizeof(mapping_default_names) / sizeof(mapping_default_names[0]);
	     i++) {
		json_t *o = json_object();

		json_set_str(o, "from", mapping_default_names[i].from);
		json_set_str(o, "to", mapping_default_names[i].to);
		json_array_append_new(list, o);
	}
	return list;
}

static int mapping_compile_own(struct loader *l, const struct provider *p, struct mapping *m)
{
	struct mapping own = {.n = 0};

	if (rules_compile(l, mapping_own_rules(l->a, p), &own) == -1)
		return -1;
	m->own = own.rules;
	m->nown = own.n;
	return 0;
}

struct mapping *mapping_compile(
    struct arena *a, const struct connection *c, const json_t *doc, struct err *err)
{
	const json_t *template = json_object_get(c->access.settings, "bodyTemplate");
	struct mapping *m = arena_zalloc(a, sizeof(*m));
	struct loader l = mapping_loader(a, err);

	l.is_lenient = true;
	if (template != NULL && !json_is_null(template)) {
		/* Leniently: a template may have been stored before templates were checked. */
		struct loader quiet = mapping_loader(a, NULL);

		quiet.is_lenient = true;
		if (expr_compile(&quiet, template, &m->template) == -1)
			(void)expr_compile(&quiet, json_own(a, json_null()), &m->template);
		return m;
	}
	if (doc != NULL && mapping_compile_rules(&l, doc, m) == -1)
		return NULL;
	return mapping_compile_own(&l, c->provider, m) == -1 ? NULL : m;
}
