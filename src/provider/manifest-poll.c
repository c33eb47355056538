/* The "polls" section of a manifest: what is asked for now and then, and how a round knows what is
 * new. The machine that runs by it is poll.c. */
#include "base/limits.h"
#include "provider/poll-internal.h"
#include "provider/provider-internal.h"

#define ROOTS_PAGE (ROOT_BIT(ROOT_SETTINGS) | ROOT_BIT(ROOT_OUTPUT))
#define ROOTS_ITEM (ROOTS_PAGE | ROOT_BIT(ROOT_ITEM))
#define ROOTS_FAILURE (ROOT_BIT(ROOT_ANSWER) | ROOT_BIT(ROOT_STATUS))

#define INTERVAL_DEFAULT_S 300
#define START_DAYS_MAX 3650
#define HISTORY_DAYS_DEFAULT 3650
#define EXPORT_EVERY_MS 5000
#define EXPORT_AT_MOST 360
#define SPAN_MAX_S (INT64_C(3650) * 86400)

const struct poll_spec *provider_find_poll(const struct provider *p, const char *name)
{
	for (size_t i = 0; i < p->npolls; i++)
		if (strcmp(p->polls[i].name, name) == 0)
			return &p->polls[i];
	return NULL;
}

static const char *const poll_kinds[] = {[POLL_TIME] = "time",
    [POLL_TOKEN] = "token",
    [POLL_WINDOW] = "window",
    [POLL_KEYSET] = "keyset",
    [POLL_EXPORT] = "export",
    [POLL_NONE] = "none",
    NULL};

const char *poll_kind_name(enum poll_kind kind)
{
	return poll_kinds[kind];
}

/* ---- inputs ------------------------------------------------------------------------------- */

bool action_takes(const struct action *act, const char *input)
{
	for (size_t i = 0; i < act->ninputs; i++)
		if (strcmp(act->inputs[i].name, input) == 0)
			return true;
	return false;
}

/* An input that is named must be one of the action; NULL is none. */
static int input_check(struct loader *l, const struct action *act, const char *input)
{
	if (input == NULL || action_takes(act, input))
		return 0;
	return json_reader_fail(&l->in, "%s has no input \"%s\"", act->name, input);
}

static int call_input_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	struct named_expr *e = out;

	(void)p;
	e->name = name;
	return expr_compile(l, v, &e->value);
}

int manifest_call(struct loader *l, struct provider *p, const json_t *object, struct call_spec *out)
{
	static const struct manifest_many inputs = {
	    "inputs", READ_OBJECT, sizeof(struct named_expr), call_input_one};
	static const struct json_member action = {
	    "action", READ_PARSED, .need = READ_NEEDED, .min = 1, .parse = manifest_text};
	const char *name = NULL;

	if (json_read_member(&l->in, object, &action, &name) == -1)
		return -1;
	out->action = provider_find_action(p, name);
	if (out->action == NULL)
		return json_reader_fail_at(&l->in, "action", "there is no such action");
	out->inputs = manifest_many(l, p, object, &inputs, &out->ninputs);
	if (out->inputs == NULL)
		return -1;
	for (size_t i = 0; i < out->ninputs; i++)
		if (input_check(l, out->action, out->inputs[i].name) == -1)
			return -1;
	return 0;
}

/* Roots of what a poll asks with. */
static unsigned roots_of_poll(const struct provider *p, const struct poll_spec *s)
{
	return manifest_roots_of_connection(p) | ROOT_BIT(ROOT_POLL) |
	       (s->is_of_forms ? ROOT_BIT(ROOT_FORM) : 0);
}

static bool has_pages(const struct action *act)
{
	return act->paging.is_declared && act->paging.kind != PAGING_SINGLE;
}

bool poll_gives(const struct poll_spec *s, const char *input)
{
	const struct poll_cursor *c = &s->cursor;
	const char *const named[] = {c->input, c->from, c->to, s->page.input};

	for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
		if (named[i] != NULL && strcmp(named[i], input) == 0)
			return true;
	for (size_t i = 0; i < s->call.ninputs; i++)
		if (strcmp(s->call.inputs[i].name, input) == 0)
			return true;
	return false;
}

static int poll_check_inputs(struct loader *l, const struct poll_spec *s)
{
	const struct action *act = s->call.action;

	for (size_t i = 0; i < act->ninputs; i++)
		if (act->inputs[i].is_needed && !poll_gives(s, act->inputs[i].name))
			return json_reader_fail(&l->in, "gives no \"%s\", which %s needs",
			    act->inputs[i].name, act->name);
	return 0;
}

/* ---- cursors ------------------------------------------------------------------------------ */

static int export_call_load(struct loader *l, struct provider *p, const struct poll_spec *s,
    const json_t *export, const char *key, struct call_spec *out)
{
	static const char *const keys[] = {
	    "action", "inputs", "until", "failed", "everyMs", "atMost", NULL};
	const json_t *v = json_object_get(export, key);
	size_t mark = json_reader_enter(&l->in, key);

	l->roots = roots_of_poll(p, s);
	if (json_read_keys(&l->in, v, keys) == -1 || manifest_call(l, p, v, out) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int load_export(
    struct loader *l, struct provider *p, const json_t *cursor, struct poll_spec *s)
{
	static const char *const keys[] = {"start", "wait", NULL};
	static const struct json_member times[] = {
	    {"everyMs", READ_INT, .min = 1000, .max = 600000},
	    {"atMost", READ_INT, .min = 1, .max = 10000}};
	const json_t *v = json_object_get(cursor, "export"), *wait = json_object_get(v, "wait");
	struct poll_export *x = &s->cursor.export;
	size_t mark = json_reader_enter(&l->in, "export");

	if (v == NULL) {
		json_reader_leave(&l->in, mark);
		return 0;
	}
	x->every_ms = EXPORT_EVERY_MS;
	x->at_most = EXPORT_AT_MOST;
	if (json_read_keys(&l->in, v, keys) == -1 ||
	    export_call_load(l, p, s, v, "start", &x->start) == -1 ||
	    export_call_load(l, p, s, v, "wait", &x->wait) == -1)
		return -1;
	size_t inner = json_reader_enter(&l->in, "wait");
	l->roots = ROOTS_PAGE;
	if (json_read_member(&l->in, wait, &times[0], &x->every_ms) == -1 ||
	    json_read_member(&l->in, wait, &times[1], &x->at_most) == -1 ||
	    cond_member(l, wait, "until", &x->until) == -1 ||
	    cond_member(l, wait, "failed", &x->failed) == -1)
		return -1;
	if (x->until == NULL)
		return json_reader_fail_at(&l->in, "until", "is needed");
	json_reader_leave(&l->in, inner);
	json_reader_leave(&l->in, mark);
	return 0;
}

/* What its kind needs, and that it has nothing of another kind. */
static int cursor_check(struct loader *l, const struct poll_spec *s)
{
	const struct poll_cursor *c = &s->cursor;
	const bool is_time = c->kind == POLL_TIME, is_token = c->kind == POLL_TOKEN;
	const bool is_span = c->kind == POLL_WINDOW || c->kind == POLL_KEYSET;

	if ((is_time || is_token) != (c->input != NULL))
		return json_reader_fail(
		    &l->in, "\"input\" goes with the kinds time and token, which need it");
	if (is_span != (c->from != NULL && c->to != NULL) ||
	    (!is_span && (c->from != NULL || c->to != NULL)))
		return json_reader_fail(&l->in,
		    "\"from\" and \"to\" go with the kinds window and keyset, which need them");
	if ((c->kind == POLL_KEYSET) != (c->id_after != NULL))
		return json_reader_fail(
		    &l->in, "\"idAfter\" goes with the kind keyset, which needs it");
	if ((c->kind == POLL_WINDOW) != (c->max_span_s > 0))
		return json_reader_fail(
		    &l->in, "\"maxSpanSeconds\" goes with the kind window, which needs it");
	if (c->cap > 0 && (c->kind != POLL_KEYSET || s->page.size > c->cap))
		return json_reader_fail(
		    &l->in, "\"cap\" goes with the kind keyset, and a page has no more than that");
	if (!is_token && (c->value != NULL || c->reset_when != NULL))
		return json_reader_fail(
		    &l->in, "\"value\" and \"resetWhen\" go with the kind token");
	if ((is_time || c->kind == POLL_EXPORT) && s->updated_at == NULL)
		return json_reader_fail(
		    &l->in, "the kinds time and export need the poll's \"updatedAt\"");
	if ((c->kind == POLL_EXPORT) != (c->export.start.action != NULL))
		return json_reader_fail(
		    &l->in, "\"export\" goes with the kind export, which needs it");
	if (c->kind == POLL_KEYSET && !has_pages(s->call.action) && s->page.size == 0)
		return json_reader_fail(&l->in, "tells the last page by \"paging\" of its action, "
						"or by the poll's \"pageSize\"");
	return 0;
}

/* Members that a cursor may have; "inclusive" is true unless it says otherwise. */
static int load_cursor(
    struct loader *l, struct provider *p, const json_t *poll, struct poll_spec *s)
{
	static const struct loader_member members[] = {OTHER_MEMBER("kind"),
	    TEXT_MEMBER("input", struct poll_cursor, input),
	    TEXT_MEMBER("from", struct poll_cursor, from),
	    TEXT_MEMBER("to", struct poll_cursor, to),
	    TEXT_MEMBER("idAfter", struct poll_cursor, id_after),
	    EXPR_MEMBER("format", struct poll_cursor, format),
	    INT_MEMBER("overlapSeconds", struct poll_cursor, overlap_s, 0, SPAN_MAX_S),
	    INT_MEMBER("maxSpanSeconds", struct poll_cursor, max_span_s, 60, SPAN_MAX_S),
	    INT_MEMBER("cap", struct poll_cursor, cap, 1, INT64_MAX), OTHER_MEMBER("inclusive"),
	    OTHER_MEMBER("value"), OTHER_MEMBER("resetWhen"), OTHER_MEMBER("export")};
	static const struct json_member inclusive = {.name = "inclusive", .kind = READ_BOOL};
	const json_t *v = json_object_get(poll, "cursor");
	struct poll_cursor *c = &s->cursor;
	const char *const inputs[] = {"input", "from", "to", "idAfter"};
	bool is_inclusive = true;
	int kind;

	size_t mark = json_reader_enter(&l->in, "cursor");
	l->roots = roots_of_poll(p, s);
	if (loader_members(l, v, MEMBERS(members), c) == -1 ||
	    json_read_member(&l->in, v, &inclusive, &is_inclusive) == -1 ||
	    manifest_word(l, v, "kind", poll_kinds, &kind) == -1)
		return -1;
	if (json_object_get(v, "kind") == NULL)
		return json_reader_fail_at(&l->in, "kind", "is needed");
	c->kind = (enum poll_kind)kind;
	c->is_exclusive = !is_inclusive;
	l->roots = ROOTS_PAGE;
	if (expr_member(l, v, "value", &c->value) == -1)
		return -1;
	l->roots = ROOTS_FAILURE;
	if (cond_member(l, v, "resetWhen", &c->reset_when) == -1)
		return -1;
	for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++)
		if (input_check(l, s->call.action, json_str(v, inputs[i])) == -1)
			return -1;
	if (load_export(l, p, v, s) == -1 || cursor_check(l, s) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* ---- polls -------------------------------------------------------------------------------- */

static int load_page_size(struct loader *l, const json_t *poll, struct poll_spec *s)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("input", struct poll_spec, page.input),
	    INT_MEMBER("default", struct poll_spec, page.size, 1, POLL_PAGE_MOST)};
	const json_t *v = json_object_get(poll, "pageSize");

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "pageSize");
	if (loader_members(l, v, MEMBERS(members), s) == -1 ||
	    input_check(l, s->call.action, s->page.input) == -1)
		return -1;
	if (s->page.size == 0)
		return json_reader_fail_at(&l->in, "default", "is needed");
	json_reader_leave(&l->in, mark);
	return 0;
}

/* true, or what of an item is the lead's. */
static int load_poll_lead(
    struct loader *l, const struct provider *p, const json_t *poll, struct poll_spec *s)
{
	static const struct loader_member members[] = {
	    COND_MEMBER("when", struct poll_spec, lead.when),
	    EXPR_MEMBER("raw", struct poll_spec, lead.raw),
	    EXPR_MEMBER("formId", struct poll_spec, lead.form_id),
	    EXPR_MEMBER("adId", struct poll_spec, lead.ad_id),
	    EXPR_MEMBER("campaignId", struct poll_spec, lead.campaign_id),
	    EXPR_MEMBER("createdAt", struct poll_spec, lead.created_at)};
	const json_t *v = json_object_get(poll, "lead");

	if (v == NULL || json_is_false(v))
		return 0;
	if (!p->lead.is_declared)
		return json_reader_fail_at(&l->in, "lead", "needs \"lead\" of the manifest");
	s->has_lead = true;
	if (json_is_true(v))
		return 0;
	size_t mark = json_reader_enter(&l->in, "lead");
	if (loader_members(l, v, MEMBERS(members), s) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int poll_check(struct loader *l, const struct provider *p, const struct poll_spec *s)
{
	if (strlen(s->name) > LIMIT_TYPE_BYTES)
		return json_reader_fail(
		    &l->in, "its name has more than %u bytes", LIMIT_TYPE_BYTES);
	if (s->external_id == NULL)
		return json_reader_fail(&l->in, "needs \"externalId\"");
	if (!item_type_is_valid(str_from(s->resource_type)))
		return json_reader_fail_at(
		    &l->in, "resourceType", "must be 1 to 64 letters, digits, _ . and -");
	for (size_t i = 0; i < s->nneeds; i++)
		if (!manifest_has_credential(p, s->needs[i]))
			return json_reader_fail(
			    &l->in, "%s is not among the credentials", s->needs[i]);
	return 0;
}

static const struct loader_member poll_members[] = {
    NEEDED_TEXT_MEMBER("label", struct poll_spec, label),
    NEEDED_TEXT_MEMBER("resourceType", struct poll_spec, resource_type),
    EXPR_MEMBER("externalId", struct poll_spec, external_id),
    EXPR_MEMBER("updatedAt", struct poll_spec, updated_at),
    EXPR_MEMBER("data", struct poll_spec, data),
    COND_MEMBER("erase", struct poll_spec, erase),
    INT_MEMBER("intervalSeconds", struct poll_spec, interval_s, POLL_INTERVAL_LEAST_S,
	POLL_INTERVAL_MOST_S),
    INT_MEMBER("startDaysAgo", struct poll_spec, start_days, 0, START_DAYS_MAX),
    INT_MEMBER("historyDays", struct poll_spec, history_days, 1, START_DAYS_MAX),
    OTHER_MEMBER("action"),
    OTHER_MEMBER("for"),
    OTHER_MEMBER("inputs"),
    OTHER_MEMBER("items"),
    OTHER_MEMBER("lead"),
    OTHER_MEMBER("needs"),
    OTHER_MEMBER("pageSize"),
    OTHER_MEMBER("cursor"),
};

/* "for": {"forms": true}: a round for each form. */
static int load_poll_for(
    struct loader *l, const struct provider *p, const json_t *poll, struct poll_spec *s)
{
	static const struct loader_member members[] = {
	    BOOL_MEMBER("forms", struct poll_spec, is_of_forms)};
	const json_t *v = json_object_get(poll, "for");

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "for");
	if (loader_members(l, v, MEMBERS(members), s) == -1)
		return -1;
	if (s->is_of_forms && p->forms.action == NULL)
		return json_reader_fail(&l->in, "needs \"forms\" of the manifest");
	json_reader_leave(&l->in, mark);
	return 0;
}

static int poll_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	struct poll_spec *s = out;

	s->name = name;
	s->interval_s = INTERVAL_DEFAULT_S;
	s->history_days = HISTORY_DAYS_DEFAULT;
	if (load_poll_for(l, p, v, s) == -1)
		return -1;
	l->roots = ROOTS_ITEM | (s->is_of_forms ? ROOT_BIT(ROOT_FORM) : 0);
	if (loader_members(l, v, MEMBERS(poll_members), s) == -1 ||
	    load_poll_lead(l, p, v, s) == -1 ||
	    manifest_texts(l, v, "needs", &s->needs, &s->nneeds) == -1)
		return -1;
	l->roots = ROOTS_PAGE;
	if (expr_member(l, v, "items", &s->items) == -1)
		return -1;
	l->roots = roots_of_poll(p, s);
	if (manifest_call(l, p, v, &s->call) == -1 || load_page_size(l, v, s) == -1 ||
	    load_cursor(l, p, v, s) == -1 || poll_check_inputs(l, s) == -1)
		return -1;
	return poll_check(l, p, s);
}

int manifest_polls(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct manifest_many polls = {
	    "polls", READ_OBJECT, sizeof(struct poll_spec), poll_one};

	p->polls = manifest_many(l, p, json, &polls, &p->npolls);
	return p->polls == NULL ? -1 : 0;
}
