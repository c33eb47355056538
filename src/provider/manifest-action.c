/* The "actions", "auth", "errors" and "details" sections of a manifest. */
#include "provider/provider-internal.h"

#define ROOTS_REQUEST (ROOT_BIT(ROOT_SETTINGS) | ROOT_BIT(ROOT_INPUT))
#define ROOTS_ANSWER                                                                               \
	(ROOTS_REQUEST | ROOT_BIT(ROOT_ANSWER) | ROOT_BIT(ROOT_STATUS) | ROOT_BIT(ROOT_HEADER))
#define RETRY_AFTER_MAX_MS INT64_C(86400000)

const struct action *provider_find_action(const struct provider *p, const char *name)
{
	for (size_t i = 0; i < p->nactions; i++)
		if (strcmp(p->actions[i].name, name) == 0)
			return &p->actions[i];
	return NULL;
}

static int load_auth(struct loader *l, const struct provider *p, const json_t *v, struct auth *out)
{
	static const char *const keys[] = {
	    "type", "name", "prefix", "credential", "username", "password", NULL};
	static const char *const types[] = {
	    "none", "bearer", "header", "basic", "query", "settings", NULL};
	const char *type;
	int t = 0;

	if (loader_object(l, v, keys) == -1 || loader_text(l, v, "type", true, &type) == -1 ||
	    loader_text(l, v, "name", false, &out->name) == -1 ||
	    loader_text(l, v, "prefix", false, &out->prefix) == -1 ||
	    loader_text(l, v, "credential", false, &out->credential) == -1 ||
	    loader_text(l, v, "username", false, &out->username) == -1 ||
	    loader_text(l, v, "password", false, &out->password) == -1)
		return -1;
	while (types[t] != NULL && strcmp(types[t], type) != 0)
		t++;
	if (types[t] == NULL)
		return loader_fail(l, "unknown type \"%s\"", type);
	out->type = (enum auth_type)t;
	const char *const named[] = {out->credential, out->username, out->password};
	for (size_t i = 0; i < 3; i++)
		if (named[i] != NULL && !manifest_has_credential(p, named[i]))
			return loader_fail(l, "%s is not among the credentials", named[i]);
	bool is_named = out->type == AUTH_HEADER || out->type == AUTH_QUERY;
	if (is_named && out->name == NULL)
		return loader_fail(l, "needs \"name\"");
	if ((is_named || out->type == AUTH_BEARER) && out->credential == NULL)
		return loader_fail(l, "needs \"credential\"");
	if (out->type == AUTH_BASIC && (out->username == NULL || out->password == NULL))
		return loader_fail(l, "needs \"username\" and \"password\"");
	return 0;
}

static int load_errors(struct loader *l, const json_t *object, struct error_rule **out, size_t *n)
{
	static const char *const keys[] = {"when", "class", "retryAfterMs", NULL};
	static const char *const classes[] = {[CALL_OK] = "ok",
	    [CALL_RETRY] = "retry",
	    [CALL_RATE_LIMITED] = "rateLimited",
	    [CALL_AUTH] = "auth",
	    [CALL_FATAL] = "fatal",
	    NULL};
	json_t *list = json_object_get(object, "errors"), *v;
	const char *class;
	size_t i;

	if (list == NULL)
		return 0;
	size_t mark = loader_enter(l, "errors");
	if (!json_is_array(list))
		return loader_fail(l, "must be a list");
	l->roots = ROOTS_ANSWER;
	*out = arena_array(l->a, json_array_size(list) + 1, sizeof **out);
	json_array_each(list, i, v) {
		struct error_rule *r = &(*out)[(*n)++];
		size_t inner = loader_enter_index(l, i), c = 0;

		r->retry_after_ms = -1;
		if (loader_object(l, v, keys) == -1 || cond_member(l, v, "when", &r->when) == -1 ||
		    loader_text(l, v, "class", true, &class) == -1 ||
		    loader_int(l, v, "retryAfterMs", 0, RETRY_AFTER_MAX_MS, &r->retry_after_ms) ==
			-1)
			return -1;
		while (classes[c] != NULL && strcmp(classes[c], class) != 0)
			c++;
		if (classes[c] == NULL || r->when == NULL)
			return loader_fail(l, "needs \"when\" and a known \"class\"");
		r->class = (enum call_class)c;
		loader_leave(l, inner);
	}
	loader_leave(l, mark);
	return 0;
}

static int load_inputs(struct loader *l, const json_t *v, struct action *act)
{
	static const char *const keys[] = {"type", "label", "needed", NULL};
	static const char *const types[] = {"text", "integer", "boolean", "json", NULL};
	json_t *all = json_object_get(v, "inputs"), *in;
	const char *name, *type;

	if (all == NULL)
		return 0;
	size_t mark = loader_enter(l, "inputs");
	if (!json_is_object(all))
		return loader_fail(l, "must be an object");
	act->inputs = arena_array(l->a, json_object_size(all) + 1, sizeof *act->inputs);
	json_object_each(all, name, in) {
		struct input_spec *i = &act->inputs[act->ninputs++];
		size_t inner = loader_enter(l, name), t = 0;

		i->name = arena_strdup(l->a, name);
		if (loader_object(l, in, keys) == -1 ||
		    loader_text(l, in, "type", true, &type) == -1 ||
		    loader_text(l, in, "label", true, &i->label) == -1 ||
		    loader_bool(l, in, "needed", &i->is_needed) == -1)
			return -1;
		while (types[t] != NULL && strcmp(types[t], type) != 0)
			t++;
		if (types[t] == NULL)
			return loader_fail(l, "unknown type \"%s\"", type);
		i->type = (enum input_type)t;
		loader_leave(l, inner);
	}
	loader_leave(l, mark);
	return 0;
}

static int load_named(
    struct loader *l, const json_t *object, const char *key, struct named_expr **out, size_t *n)
{
	json_t *all = json_object_get(object, key), *v;
	const char *name;

	if (all == NULL)
		return 0;
	size_t mark = loader_enter(l, key);
	if (!json_is_object(all))
		return loader_fail(l, "must be an object");
	*out = arena_array(l->a, json_object_size(all) + 1, sizeof **out);
	json_object_each(all, name, v) {
		struct named_expr *e = &(*out)[(*n)++];

		e->name = arena_strdup(l->a, name);
		if (expr_member(l, all, name, &e->value) == -1)
			return -1;
	}
	loader_leave(l, mark);
	return 0;
}

static int load_request(
    struct loader *l, const struct provider *p, const json_t *action, struct action *act)
{
	static const char *const keys[] = {
	    "method", "url", "path", "query", "headers", "moreHeaders", "json", "form", NULL};
	const json_t *v = json_object_get(action, "request");
	size_t mark = loader_enter(l, "request");

	l->roots = ROOTS_REQUEST;
	if (loader_object(l, v, keys) == -1 || expr_member(l, v, "method", &act->method) == -1 ||
	    expr_member(l, v, "url", &act->url) == -1 ||
	    expr_member(l, v, "path", &act->path) == -1 ||
	    load_named(l, v, "query", &act->query, &act->nquery) == -1 ||
	    load_named(l, v, "headers", &act->headers, &act->nheaders) == -1 ||
	    expr_member(l, v, "moreHeaders", &act->extra_headers) == -1 ||
	    expr_member(l, v, "json", &act->json) == -1 ||
	    load_named(l, v, "form", &act->form, &act->nform) == -1)
		return -1;
	if (act->method == NULL || (act->url == NULL) == (act->path == NULL))
		return loader_fail(l, "needs \"method\" and either \"url\" or \"path\"");
	if (act->path != NULL && p->origin == NULL)
		return loader_fail(l, "a \"path\" needs the manifest's \"apiOrigin\"");
	if (act->json != NULL && act->nform > 0)
		return loader_fail(l, "has either \"json\" or \"form\"");
	loader_leave(l, mark);
	return 0;
}

static int load_paging(struct loader *l, const json_t *action, struct action *act)
{
	static const char *const keys[] = {"items", "cursor", "more", "input", NULL};
	const json_t *v = json_object_get(action, "paging");
	struct paging *p = &act->paging;
	bool is_input = false;

	if (v == NULL)
		return 0;
	size_t mark = loader_enter(l, "paging");
	if (loader_object(l, v, keys) == -1 || expr_member(l, v, "items", &p->items) == -1 ||
	    expr_member(l, v, "cursor", &p->cursor) == -1 ||
	    cond_member(l, v, "more", &p->more) == -1 ||
	    loader_text(l, v, "input", true, &p->input) == -1)
		return -1;
	for (size_t i = 0; i < act->ninputs; i++)
		is_input = is_input || strcmp(act->inputs[i].name, p->input) == 0;
	if (p->items == NULL || p->cursor == NULL || !is_input)
		return loader_fail(l, "needs \"items\", \"cursor\" and an \"input\" of the action");
	p->is_declared = true;
	loader_leave(l, mark);
	return 0;
}

static int load_action(struct loader *l, struct provider *p, const json_t *v, struct action *act)
{
	static const char *const keys[] = {"label", "help", "inputs", "needs", "request", "auth",
	    "output", "paging", "errors", NULL};
	const json_t *auth = json_object_get(v, "auth");

	act->auth = &p->auth;
	if (loader_object(l, v, keys) == -1 ||
	    loader_text(l, v, "label", true, &act->label) == -1 ||
	    loader_text(l, v, "help", false, &act->help) == -1 || load_inputs(l, v, act) == -1 ||
	    manifest_texts(l, v, "needs", &act->needs, &act->nneeds) == -1 ||
	    load_request(l, p, v, act) == -1)
		return -1;
	l->roots = ROOTS_ANSWER;
	if (expr_member(l, v, "output", &act->output) == -1 || load_paging(l, v, act) == -1 ||
	    load_errors(l, v, &act->errors, &act->nerrors) == -1)
		return -1;
	if ((act->output != NULL) == act->paging.is_declared)
		return loader_fail(l, "needs either \"output\" or \"paging\"");
	for (size_t i = 0; i < act->nneeds; i++)
		if (!manifest_has_credential(p, act->needs[i]))
			return loader_fail(l, "%s is not among the credentials", act->needs[i]);
	if (auth != NULL) {
		struct auth *own = arena_zalloc(l->a, sizeof *own);
		size_t mark = loader_enter(l, "auth");

		if (load_auth(l, p, auth, own) == -1)
			return -1;
		act->auth = own;
		loader_leave(l, mark);
	}
	return 0;
}

static int load_details(struct loader *l, struct provider *p, const json_t *json)
{
	static const char *const keys[] = {"action", "record", "updatedAt", NULL};
	json_t *all = json_object_get(json, "details"), *v;
	const char *type;

	if (all == NULL)
		return 0;
	size_t mark = loader_enter(l, "details");
	if (!json_is_object(all))
		return loader_fail(l, "must be an object");
	l->roots = ROOT_BIT(ROOT_OUTPUT);
	p->details = arena_array(l->a, json_object_size(all) + 1, sizeof *p->details);
	json_object_each(all, type, v) {
		struct details *d = &p->details[p->ndetails++];
		size_t inner = loader_enter(l, type);

		d->resource_type = arena_strdup(l->a, type);
		if (loader_object(l, v, keys) == -1 ||
		    loader_text(l, v, "action", true, &d->action) == -1 ||
		    expr_member(l, v, "record", &d->record) == -1 ||
		    expr_member(l, v, "updatedAt", &d->updated_at) == -1)
			return -1;
		const struct action *act = provider_find_action(p, d->action);
		if (act == NULL || d->record == NULL)
			return loader_fail(l, "needs a known \"action\" and \"record\"");
		for (size_t i = 0; i < act->ninputs; i++)
			if (act->inputs[i].is_needed && strcmp(act->inputs[i].name, "id") != 0)
				return loader_fail(
				    l, "its action may need no other input than \"id\"");
		loader_leave(l, inner);
	}
	loader_leave(l, mark);
	return 0;
}

int manifest_actions(struct loader *l, struct provider *p, const json_t *json)
{
	json_t *all = json_object_get(json, "actions"), *auth = json_object_get(json, "auth"), *v;
	const char *name;
	size_t mark = l->at_len;

	l->roots = ROOT_BIT(ROOT_SETTINGS);
	if (expr_member(l, json, "apiOrigin", &p->origin) == -1)
		return -1;
	if (auth != NULL) {
		loader_enter(l, "auth");
		if (load_auth(l, p, auth, &p->auth) == -1)
			return -1;
		loader_leave(l, mark);
	}
	if (load_errors(l, json, &p->errors, &p->nerrors) == -1)
		return -1;
	if (all != NULL && !json_is_object(all)) {
		loader_enter(l, "actions");
		return loader_fail(l, "must be an object");
	}
	p->actions = arena_array(l->a, json_object_size(all) + 1, sizeof *p->actions);
	json_object_each(all, name, v) {
		struct action *act = &p->actions[p->nactions];

		loader_enter(l, "actions");
		loader_enter(l, name);
		act->name = arena_strdup(l->a, name);
		if (load_action(l, p, v, act) == -1)
			return -1;
		p->nactions++;
		loader_leave(l, mark);
	}
	if (load_details(l, p, json) == -1 ||
	    loader_text(l, json, "testAction", false, &p->test_action) == -1)
		return -1;
	if (p->test_action != NULL && provider_find_action(p, p->test_action) == NULL) {
		loader_enter(l, "testAction");
		return loader_fail(l, "there is no such action");
	}
	return 0;
}
