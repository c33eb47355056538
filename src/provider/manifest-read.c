/* Reading manifests: texts, words, and many of a kind; what base/json-reader.h and expr/expr.h do
 * not have. */
#include <string.h>

#include "provider/provider-internal.h"

const struct credential_spec *manifest_credential(const struct provider *p, const char *key)
{
	const size_t prefix = sizeof(APP_CREDENTIAL) - 1;
	bool is_app = strncmp(key, APP_CREDENTIAL, prefix) == 0;
	const struct credential_spec *specs = is_app ? p->app_credentials : p->credentials;
	size_t n = is_app ? p->napp_credentials : p->ncredentials;

	for (size_t i = 0; i < n; i++)
		if (strcmp(specs[i].key, is_app ? key + prefix : key) == 0)
			return &specs[i];
	return NULL;
}

bool manifest_has_credential(const struct provider *p, const char *key)
{
	return manifest_credential(p, key) != NULL;
}

bool manifest_has_setting(const struct provider *p, const char *key)
{
	for (size_t i = 0; i < p->nsettings; i++)
		if (strcmp(p->settings[i].key, key) == 0)
			return true;
	return false;
}

bool manifest_text(struct str text, void *out)
{
	*(const char **)out = text.p;
	return true;
}

int manifest_texts(
    struct loader *l, const json_t *object, const char *key, const char ***out, size_t *n)
{
	static const char rule[] = "must be a list of texts";
	const struct json_member m = {key, READ_LIST, .rule = rule};
	json_t *list = NULL, *v;
	size_t i;

	*out = NULL;
	*n = 0;
	if (json_read_member(&l->in, object, &m, &list) == -1)
		return -1;
	*out = arena_array(l->a, json_array_size(list) + 1, sizeof(char *));
	json_array_each(list, i, v) {
		if (!json_is_string(v))
			return json_reader_fail_at(&l->in, key, rule);
		(*out)[(*n)++] = json_string_value(v);
	}
	return 0;
}

int manifest_credential_names(struct loader *l, const struct provider *p, const json_t *object,
    const char *key, struct credential_names *out)
{
	static const char rule[] = "must be the name of a credential, or a list of them";
	const json_t *v = json_object_get(object, key);
	size_t n = json_is_array(v) ? json_array_size(v) : 1;

	if (v == NULL)
		return 0;
	if (n == 0)
		return json_reader_fail_at(&l->in, key, "%s", rule);
	*out = (struct credential_names){arena_array(l->a, n, sizeof(char *)), n};
	for (size_t i = 0; i < n; i++) {
		out->v[i] = json_string_value(json_is_array(v) ? json_array_get(v, i) : v);
		if (out->v[i] == NULL)
			return json_reader_fail_at(&l->in, key, "%s", rule);
		if (!manifest_has_credential(p, out->v[i]))
			return json_reader_fail_at(
			    &l->in, key, "%s is not among the credentials", out->v[i]);
	}
	return 0;
}

bool credential_names_have(const struct credential_names *names, const char *key)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->v[i], key) == 0)
			return true;
	return false;
}

static int word_index(const char *const *words, const char *text)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return -1;
}

int manifest_word(
    struct loader *l, const json_t *object, const char *key, const char *const *words, int *out)
{
	const struct json_member m = {key, READ_PARSED, .parse = manifest_text};
	const char *text = words[0];

	if (json_read_member(&l->in, object, &m, &text) == -1)
		return -1;
	*out = word_index(words, text);
	return *out == -1 ? json_reader_fail_at(&l->in, key, "unknown word \"%s\"", text) : 0;
}

int manifest_type(struct loader *l, const json_t *object, const char *const *words, int *out)
{
	static const struct json_member m = {
	    "type", READ_PARSED, .need = READ_NEEDED, .min = 1, .parse = manifest_text};
	const char *text = NULL;

	if (json_read_member(&l->in, object, &m, &text) == -1)
		return -1;
	*out = word_index(words, text);
	return *out == -1 ? json_reader_fail(&l->in, "unknown type \"%s\"", text) : 0;
}

/* Its place is the list's or the object's. */
static int many_read(struct loader *l, struct provider *p, const json_t *all,
    const struct manifest_many *many, char *out)
{
	const char *name;
	json_t *v;
	size_t i;

	json_array_each(all, i, v) {
		size_t mark = json_reader_enter_index(&l->in, i);
		if (many->one(l, p, NULL, v, out + i * many->size) == -1)
			return -1;
		json_reader_leave(&l->in, mark);
	}
	json_object_each(all, name, v) {
		size_t mark = json_reader_enter(&l->in, name);
		if (many->one(l, p, name, v, out) == -1)
			return -1;
		json_reader_leave(&l->in, mark);
		out += many->size;
	}
	return 0;
}

void *manifest_many(struct loader *l, struct provider *p, const json_t *object,
    const struct manifest_many *many, size_t *n)
{
	const struct json_member m = {.name = many->key, .kind = many->kind};
	json_t *all = NULL;

	*n = 0;
	if (json_read_member(&l->in, object, &m, &all) == -1)
		return NULL;
	size_t count = json_is_array(all) ? json_array_size(all) : json_object_size(all);
	char *out = arena_zalloc(l->a, (count + 1) * many->size);
	size_t mark = json_reader_enter(&l->in, many->key);
	if (many_read(l, p, all, many, out) == -1)
		return NULL;
	json_reader_leave(&l->in, mark);
	*n = count;
	return out;
}

const struct expr_language *manifest_language(
    struct loader *l, unsigned slot, const struct expr_field *fields)
{
	struct expr_language *own = arena_memdup(l->a, l->language, sizeof(*own));
	struct expr_root *roots = arena_memdup(l->a, own->roots, own->nroots * sizeof(*roots));

	for (size_t i = 0; i < own->nroots; i++)
		if (roots[i].slot == slot)
			roots[i].fields = fields;
	own->roots = roots;
	return own;
}
