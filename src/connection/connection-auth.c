/* How calls sign in where the connection itself says so (a manifest's auth of the type settings):
 * the kind is settings.auth.type, and what it is of must be there. Credentials that no kind sends
 * would look as if they were used, so they are taken for their kind, or refused. */
#include "connection/connection-internal.h"

struct sign_in {
	const char *type, *label, *keys[2]; /* the credentials that tell of it */
};

static const struct sign_in sign_ins[] = {
    {"none", "It does not", {NULL, NULL}}, {"header", "API key in a header", {"apiKey", NULL}},
    {"bearer", "Bearer token", {"accessToken", NULL}},
    {"basic", "User name and password", {"username", "password"}},
    {"query", "API key in the address", {NULL, NULL}}, /* an apiKey alone is taken for a header's */
};
#define SIGN_INS (sizeof(sign_ins) / sizeof(*sign_ins))

bool sign_in_is_asked(const struct provider *p)
{
	return p->asks_sign_in;
}

size_t sign_in_kinds(const char **types, const char **labels, size_t max)
{
	size_t n = 0;

	for (; n < SIGN_INS && n < max; n++) {
		types[n] = sign_ins[n].type;
		labels[n] = sign_ins[n].label;
	}
	return n;
}

const char *sign_in_label(const char *type)
{
	for (size_t i = 0; i < SIGN_INS; i++)
		if (type != NULL && strcmp(sign_ins[i].type, type) == 0)
			return sign_ins[i].label;
	return type;
}

const char *sign_in_of_credential(const char *key)
{
	for (size_t i = 0; i < SIGN_INS; i++)
		for (size_t k = 0; k < 2; k++)
			if (sign_ins[i].keys[k] != NULL && strcmp(sign_ins[i].keys[k], key) == 0)
				return sign_ins[i].type;
	return NULL;
}

/* The kind that all of the credentials tell of: 1, 0 there are none, -1 they tell of several. *key
 * is the first of them. */
static int sign_in_find(const json_t *credentials, const char **type, const char **key)
{
	const char *name, *of;
	json_t *v;

	*type = *key = NULL;
	json_object_each(credentials, name, v) {
		of = json_is_string(v) ? sign_in_of_credential(name) : NULL;
		if (of == NULL)
			continue;
		if (*type != NULL && strcmp(*type, of) != 0)
			return -1;
		*type = of;
		if (*key == NULL)
			*key = name;
	}
	return *type != NULL;
}

int sign_in_settle(struct arena *a, const struct provider *p, const json_t *given_credentials,
    const json_t *given_settings, const json_t *credentials, json_t *settings, struct err *err)
{
	json_t *auth = json_object_get(settings, "auth");
	const char *type = json_str(auth, "type"), *kind, *key;
	int found;

	if (!sign_in_is_asked(p) || (auth != NULL && !json_is_object(auth) && !json_is_null(auth)))
		return 0;
	/* What was stored before, and is left as it was, is as it was. */
	if (json_object_size(given_credentials) == 0 &&
	    json_object_get(given_settings, "auth") == NULL)
		return 0;
	if (type != NULL && strcmp(type, "none") != 0)
		return 0;
	if (type != NULL) {
		if (sign_in_find(given_credentials, &kind, &key) == 0)
			return 0;
		return err_field(err, ERR_INVALID, arena_printf(a, "credentials.%s", key),
		    "would not be sent, since settings.auth.type is none: choose %s, or leave it "
		    "out",
		    kind);
	}
	found = sign_in_find(credentials, &kind, &key);
	if (found == -1)
		return err_field(err, ERR_INVALID, "settings.auth.type",
		    "is needed where credentials of several kinds are given: header, bearer or "
		    "basic");
	if (found == 0)
		return 0;
	auth = json_is_object(auth) ? json_deep_copy(auth) : json_object();
	json_set_str(auth, "type", kind);
	json_set(settings, "auth", auth);
	return 0;
}
