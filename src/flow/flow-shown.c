/* What the history shows of inputs and outputs: values of what is called like a secret are masked,
 * and what is long is cut. */
#include "base/arena.h"
#include "flow/flow-internal.h"

#define PREVIEW_BYTES 2000u
#define NAME_BYTES 64u
#define MASK "\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2"

/* "X-Api-Key", "client_secret", "accessToken" … */
static bool is_secret_name(const char *name)
{
	static const char *const within[] = {"password", "passwd", "secret", "apikey",
	    "authorization", "credential", "cookie", "signature", NULL};
	char plain[NAME_BYTES];
	size_t n = 0;

	for (; *name != '\0' && n + 1 < sizeof(plain); name++)
		if (*name != '-' && *name != '_')
			plain[n++] = *name >= 'A' && *name <= 'Z' ? (char)(*name + 32) : *name;
	plain[n] = '\0';
	for (size_t i = 0; within[i] != NULL; i++)
		if (strstr(plain, within[i]) != NULL)
			return true;
	return str_ends((struct str){plain, n}, "token");
}

static bool has_secrets(const json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;

	json_object_each(v, key, item)
		if (is_secret_name(key) || has_secrets(item))
			return true;
	if (json_is_array(v))
		json_array_each(v, i, item)
			if (has_secrets(item))
				return true;
	return false;
}

static json_t *masked(json_t *v)
{
	json_t *out, *item;
	const char *key;
	size_t i;

	if (json_is_array(v)) {
		out = json_array();
		json_array_each(v, i, item)
			json_array_append_new(out, masked(item));
		return out;
	}
	if (!json_is_object(v))
		return json_incref(v);
	out = json_object();
	json_object_each(v, key, item)
		json_set(out, key,
		    is_secret_name(key) && !json_is_null(item) ? json_string(MASK) : masked(item));
	return out;
}

struct str flow_shown(struct arena *a, const json_t *v)
{
	struct str text;
	json_t *cut;

	if (v == NULL)
		return (struct str){NULL, 0};
	if (has_secrets(v))
		v = json_own(a, masked(JSON_ITER(v)));
	text = json_text(a, v);
	if (text.n <= FLOW_SHOWN_BYTES)
		return text;
	cut = json_own(a, json_object());
	json_set_bool(cut, "truncated", true);
	json_set_int(cut, "bytes", (int64_t)text.n);
	json_set_strn(cut, "beginsWith", utf8_cut(text, PREVIEW_BYTES));
	return json_text(a, cut);
}
