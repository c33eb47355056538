/* What a lead becomes at a destination that has no mapping of its own: the manifest's "pushBody".
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "provider/provider-internal.h"

const struct expr_field lead_place_fields[] = {{"email", FIELD_SCALAR}, {"firstName", FIELD_SCALAR},
    {"lastName", FIELD_SCALAR}, {"fullName", FIELD_SCALAR}, {"phoneNumber", FIELD_SCALAR},
    {"company", FIELD_SCALAR}, {"customFields", FIELD_KEYS}, {"rawFieldData", FIELD_KEYS},
    {"id", FIELD_SCALAR}, {"providerType", FIELD_SCALAR}, {"providerLeadId", FIELD_SCALAR},
    {"recordId", FIELD_SCALAR}, {"formId", FIELD_SCALAR}, {"adId", FIELD_SCALAR},
    {"campaignId", FIELD_SCALAR}, {"createdAt", FIELD_SCALAR}, {"receivedAt", FIELD_SCALAR},
    {NULL, FIELD_SCALAR}};

/* "lead.a || lead.b || 'none'" as a mapping writes it: "a || b || 'none'"; NULL where it is more
 * than one placeholder, or looks elsewhere. */
static const char *push_place(struct arena *a, struct str text)
{
	struct buf *b = buf_new(a, LIMIT_PATH_BYTES);
	struct str part;

	if (text.n < 3 || text.p[0] != '{' || text.p[text.n - 1] != '}' ||
	    memchr(text.p + 1, '{', text.n - 1) != NULL)
		return NULL;
	text = (struct str){text.p + 1, text.n - 2};
	while (text.n > 0) {
		const char *bar = memmem(text.p, text.n, "||", 2);

		part =
		    str_trim((struct str){text.p, bar == NULL ? text.n : (size_t)(bar - text.p)});
		text = bar == NULL ? (struct str){text.p, 0}
				   : (struct str){bar + 2, text.n - (size_t)(bar + 2 - text.p)};
		if (!str_starts(part, "lead.") && !str_starts(part, "'"))
			return NULL;
		buf_str(b, b->len > 0 ? " || " : "");
		buf_add(
		    b, part.p + (part.p[0] == '\'' ? 0 : 5), part.n - (part.p[0] == '\'' ? 0 : 5));
	}
	return buf_ok(b) ? b->p : NULL;
}

static json_t *push_names_read(struct arena *a, const json_t *body)
{
	json_t *list = json_own(a, json_array()), *v;
	const char *to;

	if (!json_is_object(body))
		return NULL;
	json_object_each(body, to, v) {
		const char *from = push_place(a, str_from(json_string_value(v)));
		json_t *o;

		if (from == NULL || memchr(to, '{', strlen(to)) != NULL)
			continue;
		o = json_object();
		json_set_str(o, "from", from);
		json_set_str(o, "to", to);
		json_array_append_new(list, o);
	}
	return list;
}

static int push_needed_read(struct loader *l, struct provider *p, const json_t *json)
{
	const json_t *list = json_object_get(json, "pushNeeded"), *v;
	size_t mark = json_reader_enter(&l->in, "pushNeeded"), i;

	if (list == NULL) {
		json_reader_leave(&l->in, mark);
		return 0;
	}
	if (!json_is_array(list) || p->push_body == NULL)
		return json_reader_fail(&l->in, "must be a list of names of \"pushBody\"");
	json_array_each(list, i, v)
		if (!json_is_string(v) || json_object_get(json_object_get(json, "pushBody"),
					      json_string_value(v)) == NULL)
			return json_reader_fail(&l->in, "must be a list of names of \"pushBody\"");
	p->push_needed = json_own(l->a, json_deep_copy(list));
	json_reader_leave(&l->in, mark);
	return 0;
}

int manifest_push_body(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct json_member pushed_as = {
	    "pushedAs", READ_PARSED, .parse = manifest_text};
	const struct expr_language *language = l->language;

	l->language = manifest_language(l, ROOT_LEAD, lead_place_fields);
	l->roots = ROOT_BIT(ROOT_LEAD);
	if (expr_member(l, json, "pushBody", &p->push_body) == -1)
		return -1;
	l->language = language;
	if (p->push_body != NULL && !provider_can(p, "crm_push"))
		return json_reader_fail_at(
		    &l->in, "pushBody", "is for what has the capability crm_push");
	if (p->push_body != NULL)
		p->push_names = push_names_read(l->a, json_object_get(json, "pushBody"));
	if (push_needed_read(l, p, json) == -1 ||
	    json_read_member(&l->in, json, &pushed_as, &p->pushed_as) == -1)
		return -1;
	return manifest_push_fields(l, p, json);
}

const char *provider_pushed_as(const struct provider *p)
{
	return p == NULL ? NULL : p->pushed_as;
}

const json_t *provider_push_needed(const struct provider *p)
{
	return p == NULL ? NULL : p->push_needed;
}

json_t *provider_push_names(const struct provider *p, struct arena *a)
{
	return p->push_names == NULL ? NULL : json_own(a, json_deep_copy(p->push_names));
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
