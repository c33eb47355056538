/* The "actions", "errors" and "pace" sections of a manifest. */
#include "provider/provider-internal.h"

#define RETRY_AFTER_MAX_MS INT64_C(86400000)
#define ANSWER_BYTES_MAX (32u * 1024u * 1024u)
#define COUNT_MAX 10000

static unsigned roots_of_answer(const struct provider *p)
{
	return manifest_roots_of_connection(p) | ROOT_BIT(ROOT_INPUT) | ROOT_BIT(ROOT_ANSWER) |
	       ROOT_BIT(ROOT_STATUS) | ROOT_BIT(ROOT_HEADER);
}

/* ---- errors ------------------------------------------------------------------------------- */

/* {"value", "unit"}: a wait, or the time until which to wait. */
static int wait_load(struct loader *l, const json_t *rule, struct error_rule *r)
{
	static const struct loader_member members[] = {
	    EXPR_MEMBER("value", struct error_rule, retry_after), OTHER_MEMBER("unit")};
	static const char *const units[] = {[WAIT_SECONDS] = "s",
	    [WAIT_MILLISECONDS] = "ms",
	    [WAIT_MINUTES] = "min",
	    [WAIT_UNTIL] = "until",
	    NULL};
	const json_t *v = json_object_get(rule, "retryAfter");
	int unit;

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "retryAfter");
	if (loader_members(l, v, MEMBERS(members), r) == -1 ||
	    manifest_word(l, v, "unit", units, &unit) == -1)
		return -1;
	if (r->retry_after == NULL || json_object_get(v, "unit") == NULL)
		return json_reader_fail(&l->in, "needs \"value\" and \"unit\"");
	r->retry_after_unit = (enum wait_unit)unit;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int error_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {COND_MEMBER("when", struct error_rule, when),
	    OTHER_MEMBER("class"), OTHER_MEMBER("retryAfter"),
	    INT_MEMBER("retryAfterMs", struct error_rule, retry_after_ms, 0, RETRY_AFTER_MAX_MS),
	    TEXT_MEMBER("text", struct error_rule, text),
	    EXPR_MEMBER("says", struct error_rule, says), EXPR_MEMBER("id", struct error_rule, id),
	    EXPR_MEMBER("field", struct error_rule, field)};
	const char *class = json_str(v, "class");
	struct error_rule *r = out;

	(void)p;
	(void)name;
	r->retry_after_ms = -1;
	if (loader_members(l, v, MEMBERS(members), r) == -1 || wait_load(l, v, r) == -1)
		return -1;
	if (r->when == NULL || class == NULL || !call_class_parse(str_from(class), &r->class))
		return json_reader_fail(&l->in,
		    "needs \"when\", and a \"class\" of ok, retry, rateLimited, refresh, auth, "
		    "permission, notFound, conflict, notYet, fatal");
	if (r->text != NULL && strchr(r->text, '{') != NULL)
		return json_reader_fail_at(&l->in, "text",
		    "holds no placeholders: it stands in the place of the answer, which is told "
		    "where there is no text");
	r->when_json = json_object_get(v, "when");
	return 0;
}

static int load_errors(
    struct loader *l, struct provider *p, const json_t *object, struct error_rule **out, size_t *n)
{
	static const struct manifest_many errors = {
	    "errors", READ_LIST, sizeof(struct error_rule), error_one};

	l->roots = roots_of_answer(p);
	*out = manifest_many(l, p, object, &errors, n);
	return *out == NULL ? -1 : 0;
}

/* ---- pace --------------------------------------------------------------------------------- */

static int pace_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {EXPR_MEMBER("used", struct pace_rule, used),
	    EXPR_MEMBER("limit", struct pace_rule, limit),
	    EXPR_MEMBER("remaining", struct pace_rule, remaining),
	    EXPR_MEMBER("resetMs", struct pace_rule, reset_ms)};
	struct pace_rule *r = out;

	(void)p;
	(void)name;
	if (loader_members(l, v, MEMBERS(members), r) == -1)
		return -1;
	if (r->limit == NULL || (r->used == NULL) == (r->remaining == NULL))
		return json_reader_fail(
		    &l->in, "needs \"limit\" and either \"used\" or \"remaining\"");
	return 0;
}

static int load_pace(
    struct loader *l, struct provider *p, const json_t *object, struct pace_rule **out, size_t *n)
{
	static const struct manifest_many pace = {
	    "pace", READ_LIST, sizeof(struct pace_rule), pace_one};

	l->roots = roots_of_answer(p);
	*out = manifest_many(l, p, object, &pace, n);
	return *out == NULL ? -1 : 0;
}

/* ---- inputs ------------------------------------------------------------------------------- */

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
	if (in->list != NULL && (in->nchoices > 0 || in->type != INPUT_TEXT))
		return json_reader_fail_at(&l->in, "list", "is of texts without \"choices\"");
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
	    TEXT_MEMBER("list", struct input_spec, list), OTHER_MEMBER("default"),
	    BOOL_MEMBER("needed", struct input_spec, is_needed)};
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

/* ---- answers ------------------------------------------------------------------------------ */

static int load_answer(struct loader *l, const json_t *action, struct answer_wish *out)
{
	static const struct loader_member members[] = {OTHER_MEMBER("expect"),
	    BOOL_MEMBER("mustExist", struct answer_wish, must_exist),
	    INT_MEMBER("maxBytes", struct answer_wish, max_bytes, 1, ANSWER_BYTES_MAX),
	    COND_MEMBER("emptyWhen", struct answer_wish, empty_when)};
	static const char *const kinds[] = {[ANSWER_JSON] = "json",
	    [ANSWER_CSV] = "csv",
	    [ANSWER_TEXT] = "text",
	    [ANSWER_NONE] = "none",
	    [ANSWER_BYTES] = "bytes",
	    NULL};
	const json_t *v = json_object_get(action, "answer");
	int kind;

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "answer");
	if (loader_members(l, v, MEMBERS(members), out) == -1 ||
	    manifest_word(l, v, "expect", kinds, &kind) == -1)
		return -1;
	out->kind = (enum answer_kind)kind;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* What each kind of paging may say, and must. */
static const struct paging_keys {
	const char *keys[8], *needed[3];
} paging_keys[] = {
    [PAGING_CURSOR] = {{"cursor", "input", "more"}, {"cursor", "input"}},
    [PAGING_OFFSET] = {{"start", "first", "count", "total", "more"}, {"start", "count"}},
    [PAGING_PAGE] = {{"page", "first", "count", "total", "more"}, {"page"}},
    [PAGING_LAST_ITEM] = {{"id", "input", "more"}, {"id", "input", "more"}},
    [PAGING_NEXT_URL] = {{"value", "more"}, {"value"}},
    [PAGING_LINK] = {{"rel", "more"}, {NULL}},
};

static int paging_check_keys(struct loader *l, const struct paging_keys *k, const json_t *v)
{
	const char *keys[12] = {"kind", "items", "token"};
	size_t n = 3;

	for (size_t i = 0; k->keys[i] != NULL; i++)
		keys[n++] = k->keys[i];
	if (json_read_keys(&l->in, v, keys) == -1)
		return -1;
	if (json_object_get(v, "items") == NULL)
		return json_reader_fail_at(&l->in, "items", "is needed");
	for (size_t i = 0; i < 3 && k->needed[i] != NULL; i++)
		if (json_object_get(v, k->needed[i]) == NULL)
			return json_reader_fail_at(&l->in, k->needed[i], "is needed for this kind");
	return 0;
}

static int paging_kind(struct loader *l, const json_t *v, enum paging_kind *out)
{
	static const char *const kinds[] = {
	    "cursor", "offset", "page", "lastItem", "nextUrl", "link", NULL};
	int kind;

	if (!json_is_object(v))
		return json_reader_fail(&l->in, "must be an object");
	if (manifest_word(l, v, "kind", kinds, &kind) == -1)
		return -1;
	*out = (enum paging_kind)kind;
	return paging_check_keys(l, &paging_keys[kind], v);
}

/* The cursor comes back into an input of the action, or into a reserved one. */
static int paging_check_input(struct loader *l, const struct paging *p, const struct action *act)
{
	const char *name = p->input != NULL ? p->input : PAGING_CURSOR_INPUT;
	bool is_input = false;

	for (size_t i = 0; i < act->ninputs; i++)
		is_input = is_input || strcmp(act->inputs[i].name, name) == 0;
	if (p->input != NULL && !is_input)
		return json_reader_fail(&l->in, "%s is no input of the action", name);
	if (p->input == NULL && is_input)
		return json_reader_fail(&l->in,
		    "the input \"%s\" is its own: it takes the next URL", PAGING_CURSOR_INPUT);
	return 0;
}

/* The member that gives the cursor. */
static int paging_load_cursor(struct loader *l, const json_t *v, struct paging *p)
{
	static const char *const keys[] = {[PAGING_CURSOR] = "cursor",
	    [PAGING_LAST_ITEM] = "id",
	    [PAGING_NEXT_URL] = "value",
	    [PAGING_LINK] = NULL};
	unsigned roots = l->roots;
	int rc;

	if (keys[p->kind] == NULL)
		return 0;
	if (p->kind == PAGING_LAST_ITEM)
		l->roots |= ROOT_BIT(ROOT_ITEM);
	rc = expr_member(l, v, keys[p->kind], &p->cursor);
	l->roots = roots;
	return rc;
}

static int load_paging(struct loader *l, const json_t *action, struct action *act)
{
	static const struct loader_member members[] = {OTHER_MEMBER("kind"),
	    EXPR_MEMBER("items", struct paging, items), EXPR_MEMBER("token", struct paging, token),
	    OTHER_MEMBER("cursor"), OTHER_MEMBER("value"), OTHER_MEMBER("id"),
	    COND_MEMBER("more", struct paging, more), TEXT_MEMBER("input", struct paging, input),
	    TEXT_MEMBER("start", struct paging, input), TEXT_MEMBER("page", struct paging, input),
	    INT_MEMBER("first", struct paging, first, 0, COUNT_MAX),
	    EXPR_MEMBER("count", struct paging, count), EXPR_MEMBER("total", struct paging, total),
	    TEXT_MEMBER("rel", struct paging, rel)};
	const json_t *v = json_object_get(action, "paging");
	struct paging *p = &act->paging;

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "paging");
	if (paging_kind(l, v, &p->kind) == -1)
		return -1;
	p->first = p->kind == PAGING_PAGE;
	p->rel = "next";
	if (loader_members(l, v, MEMBERS(members), p) == -1 || paging_load_cursor(l, v, p) == -1 ||
	    paging_check_input(l, p, act) == -1)
		return -1;
	p->is_declared = true;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* "single": all of a list comes at once. */
static int load_single(struct loader *l, const json_t *action, struct paging *p)
{
	const json_t *single = json_object_get(action, "single");

	if (single == NULL && json_object_get(action, "items") == NULL)
		return 0;
	if (!json_is_true(single) || p->is_declared)
		return json_reader_fail(
		    &l->in, "has either \"paging\", or \"items\" with \"single\": true");
	p->kind = PAGING_SINGLE;
	p->is_declared = true;
	if (expr_member(l, action, "items", &p->items) == -1)
		return -1;
	return p->items == NULL ? json_reader_fail_at(&l->in, "items", "is needed") : 0;
}

/* ---- actions ------------------------------------------------------------------------------ */

static int load_action_auth(
    struct loader *l, struct provider *p, const json_t *v, struct action *act)
{
	static const struct auths none = {NULL, 0};
	struct auths *own;

	act->auths = act->is_unsigned ? &none : &p->auths;
	if (json_object_get(v, "auth") == NULL)
		return 0;
	if (act->is_unsigned)
		return json_reader_fail(&l->in, "has \"auth\", but its request says \"noAuth\"");
	own = arena_zalloc(l->a, sizeof(*own));
	act->auths = own;
	return manifest_auths(l, p, v, own);
}

static int action_check(struct loader *l, const struct provider *p, const struct action *act)
{
	if ((act->output != NULL) == act->paging.is_declared)
		return json_reader_fail(
		    &l->in, "needs either \"output\", \"paging\", or \"items\" and \"single\"");
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
	if (manifest_request(l, p, v, act) == -1 ||
	    expr_member(l, v, "successWhen", &act->success_when) == -1)
		return -1;
	l->roots = roots_of_answer(p);
	if (load_answer(l, v, &act->answer) == -1 ||
	    expr_member(l, v, "output", &act->output) == -1 || load_paging(l, v, act) == -1 ||
	    load_single(l, v, &act->paging) == -1 ||
	    load_errors(l, p, v, &act->errors, &act->nerrors) == -1 ||
	    load_pace(l, p, v, &act->pace, &act->npace) == -1)
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
	    OTHER_MEMBER("output"), OTHER_MEMBER("paging"), OTHER_MEMBER("items"),
	    OTHER_MEMBER("single"), OTHER_MEMBER("answer"), OTHER_MEMBER("errors"),
	    OTHER_MEMBER("pace"), OTHER_MEMBER("successWhen")};
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

int manifest_actions(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct manifest_many actions = {
	    "actions", READ_OBJECT, sizeof(struct action), action_one};
	static const struct json_member test_action = {
	    "testAction", READ_PARSED, .parse = manifest_text};

	if (load_errors(l, p, json, &p->errors, &p->nerrors) == -1 ||
	    load_pace(l, p, json, &p->pace, &p->npace) == -1)
		return -1;
	p->actions = manifest_many(l, p, json, &actions, &p->nactions);
	if (p->actions == NULL ||
	    json_read_member(&l->in, json, &test_action, &p->test_action) == -1)
		return -1;
	if (p->test_action != NULL && provider_find_action(p, p->test_action) == NULL)
		return json_reader_fail_at(&l->in, "testAction", "there is no such action");
	return 0;
}
