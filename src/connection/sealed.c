#include "connection/sealed.h"

#include "base/arena.h"
#include "crypto/aead.h"

static struct str sealed_context(struct arena *a, const char *place, const struct uuid *id)
{
	return str_from(arena_printf(a, "%s:%s", place, uuid_dup(a, *id)));
}

struct str sealed_json(struct app *app, struct arena *a, const char *place, const struct uuid *id,
    const json_t *json, struct err *err)
{
	return aead_seal(app->keys, a, sealed_context(a, place, id), json_text(a, json), err);
}

json_t *sealed_open(struct app *app, struct arena *a, const char *place, const struct uuid *id,
    struct str blob, const char *what, struct err *err)
{
	struct err inner = ERR_INIT;
	struct str text = aead_open(app->keys, a, sealed_context(a, place, id), blob, &inner);
	json_t *v = text.p == NULL ? NULL : json_parse_used(a, text, &inner);

	/* Not the inner sentence of the parser: it could quote a secret. */
	if (!json_is_object(v)) {
		err_set(err, ERR_INTERNAL, "%s %s cannot be opened", what, uuid_dup(a, *id));
		return NULL;
	}
	return v;
}
