/* What a lead becomes at a destination that has no mapping of its own: the manifest's "pushBody".
 */
#include "provider/provider-internal.h"

const struct expr_field lead_place_fields[] = {{"email", FIELD_SCALAR}, {"firstName", FIELD_SCALAR},
    {"lastName", FIELD_SCALAR}, {"fullName", FIELD_SCALAR}, {"phoneNumber", FIELD_SCALAR},
    {"company", FIELD_SCALAR}, {"customFields", FIELD_KEYS}, {"rawFieldData", FIELD_KEYS},
    {"id", FIELD_SCALAR}, {"providerType", FIELD_SCALAR}, {"providerLeadId", FIELD_SCALAR},
    {"recordId", FIELD_SCALAR}, {"formId", FIELD_SCALAR}, {"adId", FIELD_SCALAR},
    {"campaignId", FIELD_SCALAR}, {"createdAt", FIELD_SCALAR}, {"receivedAt", FIELD_SCALAR},
    {NULL, FIELD_SCALAR}};

int manifest_push_body(struct loader *l, struct provider *p, const json_t *json)
{
	const struct expr_language *language = l->language;

	l->language = manifest_language(l, ROOT_LEAD, lead_place_fields);
	l->roots = ROOT_BIT(ROOT_LEAD);
	if (expr_member(l, json, "pushBody", &p->push_body) == -1)
		return -1;
	l->language = language;
	if (p->push_body != NULL && !provider_can(p, "crm_push"))
		return json_reader_fail_at(
		    &l->in, "pushBody", "is for what has the capability crm_push");
	return 0;
}

/* A lead says null for what it does not have, where a destination would take it for a value. */
static void body_drop_nulls(json_t *body)
{
	const char *key;
	json_t *v;
	void *next;

	json_object_foreach_safe(body, next, key, v)
		if (json_is_null(v))
			json_object_del(body, key);
}

json_t *provider_push_body(const struct provider *p, struct arena *a, const json_t *lead)
{
	struct scope s = {.a = a};
	json_t *body;

	if (p == NULL || p->push_body == NULL)
		return NULL;
	s.slot[ROOT_LEAD].json = JSON_ITER(lead);
	body = expr_json(p->push_body, &s, false);
	if (body == NULL)
		return NULL;
	body_drop_nulls(body);
	return json_own(a, body);
}
