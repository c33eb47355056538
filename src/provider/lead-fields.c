/* A provider's raw lead into the normalized form, by the manifest's "lead" section. */
#include "base/clock.h"
#include "base/limits.h"
#include "provider/provider-internal.h"

struct lead_filling {
	const struct lead_rules *rules;
	const struct lead_group *group; /* of those, at hand */
	json_t *lead, *raw, *custom;
	size_t bytes; /* of all texts: several fields may be made of the same large value */
};

/* A field's value: text, or where there are several answers the list of them. A structure is its
 * JSON. NULL for null; a new reference. */
static json_t *field_value(struct arena *a, const json_t *v)
{
	json_t *list, *one;
	const char *text;
	size_t i;

	if (v == NULL || json_is_null(v))
		return NULL;
	if (!json_is_array(v)) {
		text = json_scalar_text(a, v);
		return json_string(text != NULL ? text : json_text(a, v).p);
	}
	list = json_array();
	json_array_each(v, i, one) {
		json_t *answer = field_value(a, one);

		if (answer != NULL)
			json_array_append_new(list, answer);
	}
	if (json_array_size(list) > 1)
		return list;
	one = json_array_size(list) == 1 ? json_incref(json_array_get(list, 0)) : json_string("");
	json_decref(list);
	return one;
}

/* Sets a member; what is there already under that name becomes a list with it. */
static void field_add(json_t *object, const char *name, json_t *value)
{
	json_t *there = json_object_get(object, name), *list;

	if (there == NULL || json_is_null(there)) {
		json_set(object, name, json_incref(value));
		return;
	}
	list = json_is_array(there) ? json_copy(there) : json_pack("[O]", there);
	if (json_is_array(value))
		json_array_extend(list, value);
	else
		json_array_append(list, value);
	json_set(object, name, list);
}

static bool is_given(const json_t *lead, const char *to)
{
	const json_t *v = json_object_get(lead, to);

	return v != NULL && !json_is_null(v);
}

/* The text of a member that takes but one: of several emails or phones the first, since two of them
 * are none; else all of them. */
static struct str field_member_text(struct arena *a, const char *to, const json_t *value)
{
	bool is_address = strcmp(to, "email") == 0 || strcmp(to, "phoneNumber") == 0;

	if (json_is_array(value) && is_address)
		value = json_array_get(value, 0);
	return str_from(
	    json_is_array(value) ? json_joined_text(a, value) : json_string_value(value));
}

static const struct lead_name *lead_name_find(const struct lead_rules *r, const char *field)
{
	for (size_t i = 0; i < r->nnames; i++)
		if (str_ieq(str_from(r->names[i].field), str_from(field)))
			return &r->names[i];
	return NULL;
}

/* A known question goes to its member, or raw only; the rest, and a second answer to the same, to
 * customFields. */
static void lead_put_value(struct lead_filling *f, struct arena *a, const char *name, json_t *value)
{
	const struct lead_name *known = lead_name_find(f->rules, name);
	struct str text;

	field_add(f->raw, name, value);
	if (known != NULL && known->to == NULL)
		return;
	if (known == NULL || is_given(f->lead, known->to)) {
		field_add(f->custom, name, value);
		return;
	}
	text = field_member_text(a, known->to, value);
	json_set_strn(f->lead, known->to, text.n > 0 ? text : (struct str){NULL, 0});
}

/* A question that was left open, or whose answer was taken back: it is told to be nothing, so that
 * no older answer stays. */
static void lead_put_nothing(struct lead_filling *f, const char *name)
{
	const struct lead_name *known = lead_name_find(f->rules, name);

	if (known == NULL && json_object_get(f->custom, name) == NULL)
		json_set(f->custom, name, json_null());
	else if (known != NULL && known->to != NULL && !is_given(f->lead, known->to))
		json_set(f->lead, known->to, json_null());
}

static void lead_put_field(
    struct lead_filling *f, struct arena *a, const char *name, const json_t *value)
{
	json_t *kept;

	if (f->bytes > LIMIT_RECORD_BYTES)
		return;
	if ((kept = field_value(a, value)) == NULL) {
		if (name[0] != '\0')
			lead_put_nothing(f, name);
		return;
	}
	json_own(a, kept);
	f->bytes += strlen(name) + json_weight(kept);
	if (name[0] != '\0')
		lead_put_value(f, a, name, kept);
}

static int lead_put_listed(struct scope *s, void *arg)
{
	struct lead_filling *f = arg;
	struct str name = expr_text(f->group->name, s);
	json_t *value = expr_json(f->group->value, s, false);

	if (value != NULL)
		json_own(s->a, value);
	if (name.p != NULL)
		lead_put_field(f, s->a, arena_strndup(s->a, name.p, name.n), value);
	return 0;
}

static void lead_put_id(json_t *lead, const char *key, const struct expr *e, struct scope *s)
{
	struct str t = expr_id(e, s);

	if (t.n > 0)
		json_set_strn(lead, key, t);
}

json_t *provider_lead_fields(
    const struct provider *p, struct arena *a, const json_t *raw, struct err *err)
{
	const struct lead_rules *r = &p->lead;
	struct scope s = {.a = a};
	struct lead_filling f = {.rules = r,
	    .lead = json_own(a, json_object()),
	    .raw = json_object(),
	    .custom = json_object()};
	const char *name;
	json_t *value;

	json_set(f.lead, "rawFieldData", f.raw);
	json_set(f.lead, "customFields", f.custom);
	if (!r->is_declared) {
		err_set(err, ERR_INVALID, "%s carries no leads", p->name);
		return NULL;
	}
	if (!json_is_object(raw)) {
		err_set(err, ERR_MALFORMED, "the lead of %s is not an object", p->display_name);
		return NULL;
	}
	s.slot[ROOT_RAW].json = (json_t *)(uintptr_t)raw;
	if (r->object != NULL) {
		json_object_each(expr_borrow(r->object, &s), name, value)
			lead_put_field(&f, a, name, value);
	}
	for (size_t i = 0; i < r->ngroups; i++) {
		f.group = &r->groups[i];
		loops_each(&f.group->loops, &s, lead_put_listed, &f);
	}
	if (f.bytes > LIMIT_RECORD_BYTES) {
		err_set(err, ERR_LIMIT, "the fields of a lead may have at most %u bytes",
		    LIMIT_RECORD_BYTES);
		return NULL;
	}
	lead_put_id(f.lead, "formId", r->form_id, &s);
	lead_put_id(f.lead, "adId", r->ad_id, &s);
	lead_put_id(f.lead, "campaignId", r->campaign_id, &s);
	int64_t created_us;
	if (expr_time(r->created_at, &s, &created_us) == EXPR_TIME_FOUND)
		json_set_known_time(f.lead, "createdAt", created_us);
	return f.lead;
}

const char *provider_leads_lack(const struct provider *p, struct arena *a, const struct access *c)
{
	struct scope s = {.a = a};

	if (p->lead.lacks_setting == NULL)
		return NULL;
	s.slot[ROOT_SETTINGS].json = c->settings;
	return cond_holds(p->lead.lacks_when, &s) ? p->lead.lacks_setting : NULL;
}

json_t *provider_details_record(const struct provider *p, struct arena *a,
    const char *resource_type, const json_t *output, int64_t *provider_updated_us)
{
	struct scope s = {.a = a};

	*provider_updated_us = TIME_NONE;
	s.slot[ROOT_OUTPUT].json = (json_t *)(uintptr_t)output;
	for (size_t i = 0; i < p->ndetails; i++) {
		const struct details *d = &p->details[i];

		if (strcmp(d->resource_type, resource_type) != 0)
			continue;
		json_t *record = expr_json(d->record, &s, false);
		if (record != NULL)
			json_own(a, record);
		if (!json_is_object(record))
			return NULL;
		expr_time(d->updated_at, &s, provider_updated_us);
		return record;
	}
	return NULL;
}
