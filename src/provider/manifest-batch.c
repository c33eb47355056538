/* What a manifest says of many things at a time: fetching the details of records, one by one or in
 * batches, writing records in batches, and the forms that bring leads. */
#include "provider/provider-internal.h"

#define BATCH_MOST 1000

/* The input must be there, and no other may be needed. */
static int action_check_takes(
    struct loader *l, const struct action *act, const char *input, bool is_alone)
{
	bool has_it = false;

	for (size_t i = 0; i < act->ninputs; i++) {
		bool is_it = strcmp(act->inputs[i].name, input) == 0;

		has_it = has_it || is_it;
		if (is_alone && !is_it && act->inputs[i].is_needed)
			return json_reader_fail(
			    &l->in, "its action may need no other input than \"%s\"", input);
	}
	return has_it ? 0
		      : json_reader_fail(&l->in, "its action must have the input \"%s\"", input);
}

/* ---- details ------------------------------------------------------------------------------ */

static int details_load_batch(
    struct loader *l, const struct provider *p, const json_t *details, struct details *d)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("action", struct details, batch_action),
	    INT_MEMBER("max", struct details, batch_max, 1, BATCH_MOST),
	    EXPR_MEMBER("key", struct details, batch_key)};
	const json_t *v = json_object_get(details, "batch");
	const struct action *act;
	size_t mark;

	if (v == NULL)
		return 0;
	mark = json_reader_enter(&l->in, "batch");
	l->roots = ROOT_BIT(ROOT_ITEM);
	if (loader_members(l, v, MEMBERS(members), d) == -1)
		return -1;
	act = provider_find_action(p, d->batch_action);
	if (act == NULL || !act->paging.is_declared || d->batch_max == 0 || d->batch_key == NULL)
		return json_reader_fail(
		    &l->in, "needs an \"action\" that gives a list, \"max\" and \"key\"");
	if (action_check_takes(l, act, DETAILS_IDS, true) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int details_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("action", struct details, action),
	    EXPR_MEMBER("record", struct details, record),
	    EXPR_MEMBER("updatedAt", struct details, updated_at), OTHER_MEMBER("batch")};
	struct details *d = out;

	d->resource_type = name;
	l->roots = ROOT_BIT(ROOT_OUTPUT);
	if (loader_members(l, v, MEMBERS(members), d) == -1)
		return -1;
	const struct action *act = provider_find_action(p, d->action);
	if (act == NULL || d->record == NULL)
		return json_reader_fail(&l->in, "needs a known \"action\" and \"record\"");
	if (action_check_takes(l, act, "id", true) == -1)
		return -1;
	return details_load_batch(l, p, v, d);
}

/* ---- batches ------------------------------------------------------------------------------ */

static int result_rule_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {
	    LOOPS_MEMBER("for", struct batch_result_rule, loops),
	    EXPR_MEMBER("key", struct batch_result_rule, key),
	    BOOL_MEMBER("position", struct batch_result_rule, is_by_position),
	    COND_MEMBER("ok", struct batch_result_rule, ok),
	    COND_MEMBER("alone", struct batch_result_rule, alone),
	    EXPR_MEMBER("id", struct batch_result_rule, id),
	    EXPR_MEMBER("error", struct batch_result_rule, error),
	    EXPR_MEMBER("class", struct batch_result_rule, class)};
	struct batch_result_rule *r = out;
	size_t nloops = l->nloops;

	(void)p;
	(void)name;
	if (loader_members(l, v, MEMBERS(members), r) == -1)
		return -1;
	l->nloops = nloops;
	if (r->loops.n == 0 || r->ok == NULL || (r->key == NULL) != r->is_by_position)
		return json_reader_fail(
		    &l->in, "needs \"for\", \"ok\" and either \"key\" or \"position\": true");
	return 0;
}

/* One rule, or a list of them: what was taken may stand in another list than what was not. */
static int batch_load_results(
    struct loader *l, struct provider *p, const json_t *batch, struct batch *b)
{
	static const struct manifest_many rules = {
	    "results", READ_LIST, sizeof(struct batch_result_rule), result_rule_one};
	const json_t *v = json_object_get(batch, "results");
	size_t mark;

	l->roots = ROOT_BIT(ROOT_OUTPUT) | ROOT_BIT(ROOT_STATUS) | ROOT_BIT(ROOT_SETTINGS);
	if (json_is_array(v)) {
		b->results = manifest_many(l, p, batch, &rules, &b->nresults);
		return b->results == NULL ? -1 : 0;
	}
	mark = json_reader_enter(&l->in, "results");
	b->results = arena_zalloc(l->a, sizeof(*b->results));
	b->nresults = 1;
	if (result_rule_one(l, p, NULL, v, b->results) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int batch_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("action", struct batch, action),
	    INT_MEMBER("max", struct batch, max, 1, BATCH_MOST), OTHER_MEMBER("input"),
	    OTHER_MEMBER("size"), OTHER_MEMBER("when"), OTHER_MEMBER("unique"), OTHER_MEMBER("key"),
	    OTHER_MEMBER("results")};
	struct batch *b = out;

	b->name = name;
	if (loader_members(l, v, MEMBERS(members), b) == -1)
		return -1;
	l->roots = manifest_roots_of_connection(p) | ROOT_BIT(ROOT_RECORDS);
	if (expr_member(l, v, "input", &b->input) == -1)
		return -1;
	l->roots = manifest_roots_of_connection(p);
	if (expr_member(l, v, "size", &b->size) == -1)
		return -1;
	l->roots = manifest_roots_of_connection(p) | ROOT_BIT(ROOT_RECORD);
	if (expr_member(l, v, "key", &b->key) == -1 ||
	    expr_member(l, v, "unique", &b->unique) == -1 ||
	    cond_member(l, v, "when", &b->when) == -1)
		return -1;
	if (provider_find_action(p, b->action) == NULL || b->max == 0 || b->input == NULL)
		return json_reader_fail(&l->in, "needs a known \"action\", \"max\" and \"input\"");
	if (batch_load_results(l, p, v, b) == -1)
		return -1;
	for (size_t i = 0; i < b->nresults; i++)
		if (b->results[i].key != NULL && b->key == NULL)
			return json_reader_fail(&l->in,
			    "results are found by their \"key\": the records need one, too");
	return 0;
}

/* ---- forms -------------------------------------------------------------------------------- */

static int forms_load_leads(
    struct loader *l, const struct provider *p, const json_t *forms, struct forms *f)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("action", struct forms, leads_action),
	    NEEDED_TEXT_MEMBER("input", struct forms, leads_input),
	    TEXT_MEMBER("since", struct forms, leads_since)};
	const json_t *v = json_object_get(forms, "leads");
	const struct action *act;
	size_t mark;

	if (v == NULL)
		return 0;
	mark = json_reader_enter(&l->in, "leads");
	if (loader_members(l, v, MEMBERS(members), f) == -1)
		return -1;
	act = provider_find_action(p, f->leads_action);
	if (act == NULL || !act->paging.is_declared)
		return json_reader_fail(&l->in, "needs an \"action\" that gives a list");
	if (action_check_takes(l, act, f->leads_input, true) == -1 ||
	    (f->leads_since != NULL && action_check_takes(l, act, f->leads_since, false) == -1))
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int forms_load_one(
    struct loader *l, const struct provider *p, const json_t *forms, struct forms *f)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("action", struct forms, one_action),
	    NEEDED_TEXT_MEMBER("input", struct forms, one_input)};
	const json_t *v = json_object_get(forms, "one");
	const struct action *act;
	size_t mark;

	if (v == NULL)
		return 0;
	mark = json_reader_enter(&l->in, "one");
	if (loader_members(l, v, MEMBERS(members), f) == -1)
		return -1;
	act = provider_find_action(p, f->one_action);
	if (act == NULL)
		return json_reader_fail(&l->in, "needs an \"action\" that gives a form");
	if (action_check_takes(l, act, f->one_input, true) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int manifest_forms(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("action", struct forms, action), EXPR_MEMBER("id", struct forms, id),
	    EXPR_MEMBER("name", struct forms, name), EXPR_MEMBER("status", struct forms, status),
	    EXPR_MEMBER("country", struct forms, country),
	    EXPR_MEMBER("count", struct forms, count), OTHER_MEMBER("leads"), OTHER_MEMBER("one")};
	const json_t *v = json_object_get(json, "forms");
	struct forms *f = &p->forms;
	const struct action *act;
	size_t mark;

	if (v == NULL)
		return 0;
	mark = json_reader_enter(&l->in, "forms");
	l->roots = ROOT_BIT(ROOT_FORM);
	if (loader_members(l, v, MEMBERS(members), f) == -1)
		return -1;
	act = provider_find_action(p, f->action);
	if (act == NULL || !act->paging.is_declared || f->id == NULL)
		return json_reader_fail(
		    &l->in, "needs an \"action\" that gives a list, and \"id\"");
	if (forms_load_leads(l, p, v, f) == -1 || forms_load_one(l, p, v, f) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

int manifest_batches(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct manifest_many details = {
	    "details", READ_OBJECT, sizeof(struct details), details_one};
	static const struct manifest_many batches = {
	    "batches", READ_OBJECT, sizeof(struct batch), batch_one};

	p->details = manifest_many(l, p, json, &details, &p->ndetails);
	if (p->details == NULL)
		return -1;
	p->batches = manifest_many(l, p, json, &batches, &p->nbatches);
	return p->batches == NULL ? -1 : manifest_forms(l, p, json);
}
