/* The "actions", "auth", "errors" and "details" sections of a manifest. */
#include "provider/provider-internal.h"

#define ROOTS_REQUEST (ROOT_BIT(ROOT_SETTINGS) | ROOT_BIT(ROOT_INPUT))
#define ROOTS_ANSWER                                                                               \
	(ROOTS_REQUEST | ROOT_BIT(ROOT_ANSWER) | ROOT_BIT(ROOT_STATUS) | ROOT_BIT(ROOT_HEADER))
#define RETRY_AFTER_MAX_MS INT64_C(86400000)

/* ---- auth --------------------------------------------------------------------------------- */

static int auth_check(struct loader *l, const struct provider *p, const struct auth *auth)
{
	const char *const named[] = {auth->credential, auth->username, auth->password};

	for (size_t i = 0; i < 3; i++)
		if (named[i] != NULL && !manifest_has_credential(p, named[i]))
			return json_reader_fail(
			    &l->in, "%s is not among the credentials", named[i]);
	bool is_named = auth->type == AUTH_HEADER || auth->type == AUTH_QUERY;
	if (is_named && auth->name == NULL)
		return json_reader_fail(&l->in, "needs \"name\"");
	if ((is_named || auth->type == AUTH_BEARER) && auth->credential == NULL)
		return json_reader_fail(&l->in, "needs \"credential\"");
	if (auth->type == AUTH_BASIC && (auth->username == NULL || auth->password == NULL))
		return json_reader_fail(&l->in, "needs \"username\" and \"password\"");
	return 0;
}

static int load_auth(
    struct loader *l, const struct provider *p, const json_t *object, struct auth *out)
{
	static const struct loader_member members[] = {OTHER_MEMBER("type"),
	    TEXT_MEMBER("name", struct auth, name), TEXT_MEMBER("prefix", struct auth, prefix),
	    TEXT_MEMBER("credential", struct auth, credential),
	    TEXT_MEMBER("username", struct auth, username),
	    TEXT_MEMBER("password", struct auth, password)};
	static const char *const types[] = {
	    "none", "bearer", "header", "basic", "query", "settings", NULL};
	const json_t *v = json_object_get(object, "auth");
	int type;

	size_t mark = json_reader_enter(&l->in, "auth");
	if (loader_members(l, v, MEMBERS(members), out) == -1 ||
	    manifest_type(l, v, types, &type) == -1)
		return -1;
	out->type = (enum auth_type)type;
	if (auth_check(l, p, out) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* ---- errors ------------------------------------------------------------------------------- */

static int error_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {COND_MEMBER("when", struct error_rule, when),
	    NEEDED_TEXT_MEMBER("class", struct error_rule, class_name),
	    INT_MEMBER("retryAfterMs", struct error_rule, retry_after_ms, 0, RETRY_AFTER_MAX_MS),
	    TEXT_MEMBER("text", struct error_rule, text)};
	struct error_rule *r = out;
	size_t c = 0;

	(void)p;
	(void)name;
	r->retry_after_ms = -1;
	if (loader_members(l, v, MEMBERS(members), r) == -1)
		return -1;
	while (call_class_names[c] != NULL && strcmp(call_class_names[c], r->class_name) != 0)
		c++;
	if (call_class_names[c] == NULL || r->when == NULL)
		return json_reader_fail(&l->in, "needs \"when\" and a known \"class\"");
	r->class = (enum call_class)c;
	return 0;
}

static int load_errors(
    struct loader *l, struct provider *p, const json_t *object, struct error_rule **out, size_t *n)
{
	static const struct manifest_many errors = {
	    "errors", READ_LIST, sizeof(struct error_rule), error_one};

	l->roots = ROOTS_ANSWER;
	*out = manifest_many(l, p, object, &errors, n);
	return *out == NULL ? -1 : 0;
}

/* ---- actions ------------------------------------------------------------------------------ */

static const char *const input_types[] = {[INPUT_TEXT] = "text",
    [INPUT_INTEGER] = "integer",
    [INPUT_BOOLEAN] = "boolean",
    [INPUT_JSON] = "json",
    [INPUT_DATE] = "date",
    [INPUT_TIME] = "time",
    NULL};

const char *input_type_name(enum input_type type)
{
	return input_types[type];
}

/* What a manifest gives of itself must be what it takes of others. */
static int input_check(struct loader *l, const struct input_spec *in)
{
	struct json_reader quiet = {.err = NULL};

	if (in->nchoices > 0 && in->type != INPUT_TEXT)
		return json_reader_fail_at(&l->in, "choices", "are of texts only");
	if (in->other == NULL)
		return 0;
	if (in->is_needed)
		return json_reader_fail_at(&l->in, "default", "goes with what is not needed");
	return input_check_value(in, in->other, &quiet) == 0
		   ? 0
		   : json_reader_fail_at(&l->in, "default", "is not of the input's type");
}

static int input_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {OTHER_MEMBER("type"),
	    NEEDED_TEXT_MEMBER("label", struct input_spec, label),
	    TEXT_MEMBER("help", struct input_spec, help), OTHER_MEMBER("choices"),
	    OTHER_MEMBER("default"), BOOL_MEMBER("needed", struct input_spec, is_needed)};
	struct input_spec *in = out;
	int type;

	(void)p;
	in->name = name;
	if (loader_members(l, v, MEMBERS(members), in) == -1 ||
	    manifest_type(l, v, input_types, &type) == -1 ||
	    manifest_texts(l, v, "choices", &in->choices, &in->nchoices) == -1)
		return -1;
	in->type = (enum input_type)type;
	in->other = json_object_get(v, "default");
	return input_check(l, in);
}

static int named_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	struct named_expr *e = out;

	(void)p;
	e->name = name;
	return expr_compile(l, v, &e->value);
}

static int load_named(struct loader *l, struct provider *p, const json_t *object, const char *key,
    struct named_expr **out, size_t *n)
{
	const struct manifest_many named = {key, READ_OBJECT, sizeof(**out), named_one};

	*out = manifest_many(l, p, object, &named, n);
	return *out == NULL ? -1 : 0;
}

static const struct loader_member request_members[] = {
    EXPR_MEMBER("method", struct action, method),
    EXPR_MEMBER("url", struct action, url),
    EXPR_MEMBER("path", struct action, path),
    EXPR_MEMBER("moreHeaders", struct action, extra_headers),
    EXPR_MEMBER("json", struct action, json),
    EXPR_MEMBER("text", struct action, text),
    OTHER_MEMBER("query"),
    OTHER_MEMBER("headers"),
    OTHER_MEMBER("form"),
};

static int load_request(
    struct loader *l, struct provider *p, const json_t *action, struct action *act)
{
	const json_t *v = json_object_get(action, "request");
	size_t mark = json_reader_enter(&l->in, "request");

	l->roots = ROOTS_REQUEST;
	if (loader_members(l, v, MEMBERS(request_members), act) == -1)
		return -1;
	l->allows_raw = true;
	if (load_named(l, p, v, "query", &act->query, &act->nquery) == -1)
		return -1;
	l->allows_raw = false;
	if (load_named(l, p, v, "headers", &act->headers, &act->nheaders) == -1 ||
	    load_named(l, p, v, "form", &act->form, &act->nform) == -1)
		return -1;
	if (act->method == NULL || (act->url == NULL) == (act->path == NULL))
		return json_reader_fail(&l->in, "needs \"method\" and either \"url\" or \"path\"");
	if (act->path != NULL && p->origin == NULL)
		return json_reader_fail(&l->in, "a \"path\" needs the manifest's \"apiOrigin\"");
	if ((act->json != NULL) + (act->text != NULL) + (act->nform > 0) > 1)
		return json_reader_fail(&l->in, "has one of \"json\", \"form\" and \"text\"");
	json_reader_leave(&l->in, mark);
	return 0;
}

static int load_paging(struct loader *l, const json_t *action, struct action *act)
{
	static const struct loader_member members[] = {EXPR_MEMBER("items", struct paging, items),
	    EXPR_MEMBER("cursor", struct paging, cursor), COND_MEMBER("more", struct paging, more),
	    NEEDED_TEXT_MEMBER("input", struct paging, input)};
	const json_t *v = json_object_get(action, "paging");
	struct paging *p = &act->paging;
	bool is_input = false;

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "paging");
	if (loader_members(l, v, MEMBERS(members), p) == -1)
		return -1;
	for (size_t i = 0; i < act->ninputs; i++)
		is_input = is_input || strcmp(act->inputs[i].name, p->input) == 0;
	if (p->items == NULL || p->cursor == NULL || !is_input)
		return json_reader_fail(
		    &l->in, "needs \"items\", \"cursor\" and an \"input\" of the action");
	p->is_declared = true;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int load_action_auth(
    struct loader *l, struct provider *p, const json_t *v, struct action *act)
{
	if (json_object_get(v, "auth") == NULL) {
		act->auth = &p->auth;
		return 0;
	}
	struct auth *own = arena_zalloc(l->a, sizeof(*own));
	act->auth = own;
	return load_auth(l, p, v, own);
}

static int action_check(struct loader *l, const struct provider *p, const struct action *act)
{
	if ((act->output != NULL) == act->paging.is_declared)
		return json_reader_fail(&l->in, "needs either \"output\" or \"paging\"");
	for (size_t i = 0; i < act->nneeds; i++)
		if (!manifest_has_credential(p, act->needs[i]))
			return json_reader_fail(
			    &l->in, "%s is not among the credentials", act->needs[i]);
	return 0;
}

/* Others are refused when it is called. */
static const struct expr_language *action_language(struct loader *l, const struct action *act)
{
	struct expr_field *fields = arena_array(l->a, act->ninputs + 1, sizeof(*fields));

	for (size_t i = 0; i < act->ninputs; i++)
		fields[i] = (struct expr_field){act->inputs[i].name, FIELD_ANY};
	return manifest_language(l, ROOT_INPUT, fields);
}

static int action_load(struct loader *l, struct provider *p, const json_t *v, struct action *act)
{
	if (load_request(l, p, v, act) == -1 ||
	    expr_member(l, v, "successWhen", &act->success_when) == -1)
		return -1;
	l->roots = ROOTS_ANSWER;
	if (expr_member(l, v, "output", &act->output) == -1 || load_paging(l, v, act) == -1 ||
	    load_errors(l, p, v, &act->errors, &act->nerrors) == -1)
		return -1;
	return action_check(l, p, act);
}

static int action_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("label", struct action, label),
	    TEXT_MEMBER("help", struct action, help),
	    BOOL_MEMBER("hidden", struct action, is_hidden), OTHER_MEMBER("inputs"),
	    OTHER_MEMBER("needs"), OTHER_MEMBER("request"), OTHER_MEMBER("auth"),
	    OTHER_MEMBER("output"), OTHER_MEMBER("paging"), OTHER_MEMBER("errors"),
	    OTHER_MEMBER("successWhen")};
	static const struct manifest_many inputs = {
	    "inputs", READ_OBJECT, sizeof(struct input_spec), input_one};
	const struct expr_language *language = l->language;
	struct action *act = out;
	int rc;

	act->name = name;
	if (loader_members(l, v, MEMBERS(members), act) == -1)
		return -1;
	act->inputs = manifest_many(l, p, v, &inputs, &act->ninputs);
	if (act->inputs == NULL || manifest_texts(l, v, "needs", &act->needs, &act->nneeds) == -1)
		return -1;
	l->language = action_language(l, act);
	rc = action_load(l, p, v, act);
	l->language = language;
	return rc == -1 ? -1 : load_action_auth(l, p, v, act);
}

static int details_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("action", struct details, action),
	    EXPR_MEMBER("record", struct details, record),
	    EXPR_MEMBER("updatedAt", struct details, updated_at)};
	struct details *d = out;

	d->resource_type = name;
	if (loader_members(l, v, MEMBERS(members), d) == -1)
		return -1;
	const struct action *act = provider_find_action(p, d->action);
	if (act == NULL || d->record == NULL)
		return json_reader_fail(&l->in, "needs a known \"action\" and \"record\"");
	for (size_t i = 0; i < act->ninputs; i++)
		if (act->inputs[i].is_needed && strcmp(act->inputs[i].name, "id") != 0)
			return json_reader_fail(
			    &l->in, "its action may need no other input than \"id\"");
	return 0;
}

static int load_details(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct manifest_many details = {
	    "details", READ_OBJECT, sizeof(struct details), details_one};

	l->roots = ROOT_BIT(ROOT_OUTPUT);
	p->details = manifest_many(l, p, json, &details, &p->ndetails);
	return p->details == NULL ? -1 : 0;
}

int manifest_actions(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct manifest_many actions = {
	    "actions", READ_OBJECT, sizeof(struct action), action_one};
	static const struct json_member test_action = {
	    "testAction", READ_PARSED, .parse = manifest_text};

	l->roots = ROOT_BIT(ROOT_SETTINGS);
	if (expr_member(l, json, "apiOrigin", &p->origin) == -1 ||
	    (json_object_get(json, "auth") != NULL && load_auth(l, p, json, &p->auth) == -1) ||
	    load_errors(l, p, json, &p->errors, &p->nerrors) == -1)
		return -1;
	p->actions = manifest_many(l, p, json, &actions, &p->nactions);
	if (p->actions == NULL || load_details(l, p, json) == -1 ||
	    json_read_member(&l->in, json, &test_action, &p->test_action) == -1)
		return -1;
	if (p->test_action != NULL && provider_find_action(p, p->test_action) == NULL)
		return json_reader_fail_at(&l->in, "testAction", "there is no such action");
	return 0;
}
