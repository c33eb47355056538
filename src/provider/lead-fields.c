/* A provider's raw lead into the normalized form, by the manifest's "lead" section. */
#include "base/clock.h"
#include "base/limits.h"
#include "provider/provider-internal.h"

struct lead_filling {
	const struct lead_rules *rules;
	json_t *lead, *raw, *custom;
	size_t bytes; /* of all texts: several fields may be made of the same large value */
};

/* A field's value as text: several answers are joined; a structure is its JSON. */
static struct str field_text(struct arena *a, const json_t *v)
{
	const char *t;

	if (v == NULL || json_is_null(v))
		return (struct str){NULL, 0};
	if (!json_is_array(v)) {
		t = json_scalar_text(a, v);
		return t != NULL ? str_from(t) : json_text(a, v);
	}
	struct buf *b = buf_new(a, LIMIT_RECORD_BYTES);
	for (size_t i = 0; i < json_array_size(v); i++) {
		t = json_scalar_text(a, json_array_get(v, i));
		if (t == NULL)
			continue;
		if (b->len > 0)
			buf_str(b, ", ");
		buf_str(b, t);
	}
	return (struct str){b->p, b->len};
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
static void lead_put_field(
    struct lead_filling *f, struct arena *a, const char *name, const json_t *value)
{
	const struct lead_name *known = lead_name_find(f->rules, name);
	struct str text;

	if (f->bytes > LIMIT_RECORD_BYTES)
		return;
	text = field_text(a, value);
	f->bytes += strlen(name) + text.n;
	if (name[0] == '\0' || text.p == NULL)
		return;
	json_set_strn(f->raw, name, text);
	if (known != NULL && known->to == NULL)
		return;
	if (known != NULL && json_object_get(f->lead, known->to) == NULL) {
		if (text.n > 0)
			json_set_strn(f->lead, known->to, text);
		return;
	}
	json_set_strn(f->custom, name, text);
}

static int lead_put_listed(struct scope *s, void *arg)
{
	struct lead_filling *f = arg;
	struct str name = expr_text(f->rules->name, s);
	json_t *value = expr_borrow(f->rules->value, s);

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
	} else {
		loops_each(&r->loops, &s, lead_put_listed, &f);
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
		json_set_time(f.lead, "createdAt", created_us);
	return f.lead;
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
