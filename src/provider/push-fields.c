/* The fields of what leads become at a destination, as its own API tells them: the manifest's
 * "pushFields". */
#include "base/arena.h"
#include "provider/provider-internal.h"

const char *const push_field_types[] = {"text", "number", "integer", "boolean", "date", "time",
    "email", "phone", "url", "choice", "choices", NULL};

int manifest_push_fields(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("action", struct push_fields, action),
	    LOOPS_MEMBER("for", struct push_fields, loops),
	    EXPR_MEMBER("name", struct push_fields, name),
	    EXPR_MEMBER("label", struct push_fields, label),
	    EXPR_MEMBER("help", struct push_fields, help),
	    EXPR_MEMBER("type", struct push_fields, type),
	    EXPR_MEMBER("values", struct push_fields, values),
	    EXPR_MEMBER("maxLength", struct push_fields, length),
	    COND_MEMBER("needed", struct push_fields, is_needed),
	    COND_MEMBER("readOnly", struct push_fields, is_read_only),
	    COND_MEMBER("closed", struct push_fields, is_closed)};
	const json_t *v = json_object_get(json, "pushFields");
	struct push_fields *f = &p->push_fields;
	size_t nloops = l->nloops, mark;

	if (v == NULL)
		return 0;
	mark = json_reader_enter(&l->in, "pushFields");
	l->roots = ROOT_BIT(ROOT_OUTPUT);
	if (loader_members(l, v, MEMBERS(members), f) == -1)
		return -1;
	l->nloops = nloops;
	if (!provider_can(p, "crm_push") || provider_find_action(p, f->action) == NULL ||
	    f->loops.n == 0 || f->name == NULL)
		return json_reader_fail(&l->in,
		    "goes with the capability crm_push, and needs a known \"action\", \"for\" and "
		    "\"name\"");
	json_reader_leave(&l->in, mark);
	return 0;
}

const char *provider_push_fields_action(const struct provider *p)
{
	return p == NULL ? NULL : p->push_fields.action;
}

struct fields_reading {
	const struct push_fields *f;
	json_t *list;
};

/* A type that is not among them is a text, as most destinations take for most fields. */
static const char *field_type(const struct push_fields *f, struct scope *s)
{
	struct str type = expr_text(f->type, s);
	size_t i = 0;

	while (push_field_types[i] != NULL && !str_is(type, push_field_types[i]))
		i++;
	return push_field_types[i] != NULL ? push_field_types[i] : push_field_types[0];
}

static void field_set_text(json_t *o, const char *key, const struct expr *e, struct scope *s)
{
	struct str text = expr_text(e, s);

	if (text.n > 0)
		json_set_strn(o, key, text);
}

static int field_read(struct scope *s, void *arg)
{
	struct fields_reading *r = arg;
	const struct push_fields *f = r->f;
	struct str name = expr_id(f->name, s), length = expr_id(f->length, s);
	json_t *o, *values = expr_shared(f->values, s);
	int64_t most;

	if (name.n == 0)
		return 0;
	if (json_array_size(r->list) == PUSH_FIELDS_MOST)
		return 1;
	o = json_object();
	json_set_strn(o, "name", name);
	field_set_text(o, "label", f->label, s);
	field_set_text(o, "help", f->help, s);
	json_set_str(o, "type", field_type(f, s));
	json_set_bool(o, "isNeeded", f->is_needed != NULL && cond_holds(f->is_needed, s));
	json_set_bool(o, "isReadOnly", f->is_read_only != NULL && cond_holds(f->is_read_only, s));
	json_set_bool(o, "isClosed", f->is_closed != NULL && cond_holds(f->is_closed, s));
	if (json_array_size(values) > 0)
		json_set(o, "values", json_deep_copy(values));
	if (str_to_i64(length, 1, INT32_MAX, &most))
		json_set_int(o, "maxLength", most);
	json_array_append_new(r->list, o);
	return 0;
}

json_t *provider_push_fields(const struct provider *p, struct arena *a, json_t *output)
{
	struct fields_reading r = {&p->push_fields, json_own(a, json_array())};
	struct scope s = {.a = a};

	s.slot[ROOT_OUTPUT].json = output;
	if (p->push_fields.action != NULL)
		(void)loops_each(&p->push_fields.loops, &s, field_read, &r);
	return r.list;
}
