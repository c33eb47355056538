#include "provider/subscription.h"

#include "base/arena.h"
#include "base/clock.h"
#include "provider/provider-internal.h"

bool subscription_is_wanted(const struct subscription_spec *spec, const struct access *c)
{
	struct arena *a = arena_new();
	struct scope s = {.a = a};
	bool is_wanted;

	s.slot[ROOT_SETTINGS].json = c->settings;
	is_wanted = cond_holds(spec->when, &s) && access_lacks(c, spec->create.action->needs,
						      spec->create.action->nneeds) == NULL;
	arena_free(a);
	return is_wanted;
}

/* The credentials that the manifest sends, {"accessToken": …, "app": {"clientSecret": …}}. */
static json_t *subscription_credentials(const struct subscription_ask *ask)
{
	const size_t prefix = sizeof(APP_CREDENTIAL) - 1;
	json_t *o = json_object(), *app = json_object();

	for (size_t i = 0; i < ask->spec->ncredentials; i++) {
		const char *key = ask->spec->credentials[i],
			   *value = access_credential(ask->c, key);
		bool is_app = strncmp(key, APP_CREDENTIAL, prefix) == 0;

		if (value != NULL)
			json_set_str(is_app ? app : o, is_app ? key + prefix : key, value);
	}
	json_set(o, "app", app);
	return o;
}

static void scope_of_subscription(struct scope *s, const struct subscription_ask *ask)
{
	const struct action_call call = {.a = ask->a,
	    .p = ask->p,
	    .c = ask->c,
	    .act = ask->spec->create.action,
	    .now_us = ask->now_us};
	json_t *root = json_own(ask->a, ask->known == NULL ? json_object() : json_copy(ask->known));

	scope_of_call(s, &call);
	json_set(root, "credentials", subscription_credentials(ask));
	s->slot[ROOT_SUBSCRIPTION].json = root;
	s->slot[ROOT_FORM].json = ask->form;
}

json_t *subscription_inputs(
    const struct subscription_ask *ask, const struct call_spec *call, const json_t *page)
{
	const char *cursor = paging_input(&call->action->paging);
	json_t *inputs = json_own(ask->a, json_object());
	struct scope s;

	scope_of_subscription(&s, ask);
	for (size_t i = 0; i < call->ninputs; i++) {
		json_t *v = expr_json(call->inputs[i].value, &s, false);

		if (v != NULL)
			json_set(inputs, call->inputs[i].name, v);
	}
	if (page != NULL && cursor != NULL)
		json_set(inputs, cursor, json_deep_copy(page));
	return inputs;
}

static void told_read(const struct subscription_ask *ask, struct scope *s, const struct expr *id,
    const struct expr *expires_at, struct subscription_told *out)
{
	struct str text = expr_id(id, s);
	json_t *known =
	    json_own(ask->a, ask->known == NULL ? json_object() : json_copy(ask->known));
	json_t *data = expr_json(ask->spec->data, s, false);

	*out = (struct subscription_told){.known = known};
	if (text.n > 0)
		out->id = arena_strndup(ask->a, text.p, text.n);
	expr_time(expires_at, s, &out->expires_us);
	if (out->id != NULL)
		json_set_str(known, "id", out->id);
	if (data != NULL)
		json_set(known, "data", data);
}

int subscription_find(const struct subscription_ask *ask, const json_t *output,
    struct subscription_told *out, const json_t **next, struct err *err)
{
	const struct subscription_spec *spec = ask->spec;
	const json_t *cursor = json_object_get(output, "nextCursor");
	json_t *items, *item;
	struct scope s;
	size_t i;

	scope_of_subscription(&s, ask);
	s.slot[ROOT_OUTPUT].json = JSON_ITER(output);
	items = spec->items != NULL ? expr_json(spec->items, &s, false)
				    : json_incref(json_object_get(output, "items"));
	if (items != NULL)
		json_own(ask->a, items);
	if (!json_is_array(items))
		return err_set(err, ERR_MALFORMED, "the answer of %s has no list of subscriptions",
		    ask->p->display_name);
	*next = cursor == NULL || json_is_null(cursor) ? NULL : cursor;
	json_array_each(items, i, item) {
		s.slot[ROOT_ITEM].json = item;
		if (!cond_holds(spec->match, &s))
			continue;
		told_read(ask, &s, spec->item_id, spec->item_expires_at, out);
		return 1;
	}
	return 0;
}

void subscription_read(
    const struct subscription_ask *ask, const json_t *output, struct subscription_told *out)
{
	struct scope s;

	scope_of_subscription(&s, ask);
	s.slot[ROOT_OUTPUT].json = JSON_ITER(output);
	told_read(ask, &s, ask->spec->id, ask->spec->expires_at, out);
}

json_t *subscription_secrets(const struct subscription_ask *ask, const json_t *output)
{
	json_t *o = json_own(ask->a, json_object());
	struct scope s;

	scope_of_subscription(&s, ask);
	s.slot[ROOT_OUTPUT].json = JSON_ITER(output);
	for (size_t i = 0; i < ask->spec->nsecrets; i++) {
		struct str text = expr_text(ask->spec->secrets[i].value, &s);

		if (text.n > 0)
			json_set_strn(o, ask->spec->secrets[i].name, text);
	}
	return o;
}
