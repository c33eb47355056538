/* Many at a time: records written by one call, and details of many records from one.
 *
 *	records -> inputs -> (the caller's call) -> output -> a result for each record
 *
 * What an answer tells of none, or tells twice, must not get lost: a record without a result is
 * tried again, and the first result of a record counts. A batch that fails as a whole has failed
 * for each; whether it is worth halving is the caller's to know. */
#include "base/limits.h"
#include "provider/provider-internal.h"

static const struct batch *batch_find(const struct provider *p, const char *name)
{
	for (size_t i = 0; i < p->nbatches; i++)
		if (strcmp(p->batches[i].name, name) == 0)
			return &p->batches[i];
	return NULL;
}

const char *provider_batch_action(const struct provider *p, const char *name, size_t *max)
{
	const struct batch *b = batch_find(p, name);

	if (b == NULL)
		return NULL;
	*max = (size_t)b->max;
	return b->action;
}

static void scope_of_batch(
    struct scope *s, struct arena *a, const struct provider *p, const struct access *c)
{
	const struct action_call k = {.a = a, .p = p, .c = c};

	scope_of_call(s, &k);
}

size_t provider_batch_size(
    const struct provider *p, struct arena *a, const struct access *c, const char *name)
{
	const struct batch *b = batch_find(p, name);
	struct scope s;
	struct str text;
	int64_t size;

	if (b == NULL || b->size == NULL)
		return b == NULL ? 0 : (size_t)b->max;
	scope_of_batch(&s, a, p, c);
	text = expr_id(b->size, &s);
	if (!str_to_i64(text, 0, b->max, &size))
		return (size_t)b->max;
	return (size_t)size;
}

bool provider_batch_takes(const struct provider *p, struct arena *a, const struct access *c,
    const char *name, const json_t *record, struct str *unique)
{
	const struct batch *b = batch_find(p, name);
	struct scope s;

	*unique = (struct str){NULL, 0};
	if (b == NULL)
		return false;
	scope_of_batch(&s, a, p, c);
	s.slot[ROOT_RECORD].json = JSON_ITER(record);
	*unique = b->unique == NULL ? (struct str){NULL, 0} : str_copy(a, expr_id(b->unique, &s));
	return b->when == NULL || cond_holds(b->when, &s);
}

json_t *provider_batch_inputs(const struct provider *p, struct arena *a, const struct access *c,
    const char *name, const json_t *records)
{
	const struct batch *b = batch_find(p, name);
	struct scope s;
	json_t *inputs;

	if (b == NULL)
		return NULL;
	scope_of_batch(&s, a, p, c);
	s.slot[ROOT_RECORDS].json = (json_t *)(uintptr_t)records;
	inputs = expr_json(b->input, &s, false);
	return inputs == NULL ? NULL : json_own(a, inputs);
}

/* ---- results ------------------------------------------------------------------------------ */

struct batch_reading {
	const struct batch_result_rule *rule;
	const struct str *keys; /* of the records */
	struct batch_result *results;
	size_t n, position;
};

static void batch_result_tell(
    struct batch_result *out, const struct batch_result_rule *rule, struct scope *s)
{
	bool is_ok = cond_holds(rule->ok, s);
	struct str id = expr_id(rule->id, s), error = expr_text(rule->error, s);

	if (out->is_told)
		return;
	out->is_told = true;
	out->class = is_ok ? CALL_OK : CALL_FATAL;
	if (!is_ok)
		call_class_parse(expr_text(rule->class, s), &out->class);
	out->is_for_alone = !is_ok && rule->alone != NULL && cond_holds(rule->alone, s);
	out->id = id.n == 0 ? NULL : arena_strndup(s->a, id.p, id.n);
	out->error = out->class == CALL_OK ? NULL
		     : error.n == 0        ? "refused, without a reason"
					   : arena_strndup(s->a, error.p, error.n);
}

static int batch_result_one(struct scope *s, void *arg)
{
	struct batch_reading *r = arg;
	size_t position = r->position++;
	struct str key;

	if (r->rule->is_by_position) {
		if (position < r->n)
			batch_result_tell(&r->results[position], r->rule, s);
		return 0;
	}
	key = str_copy(s->a, expr_id(r->rule->key, s));
	for (size_t i = 0; key.n > 0 && i < r->n; i++)
		if (str_eq(r->keys[i], key))
			batch_result_tell(&r->results[i], r->rule, s);
	return 0;
}

static struct str *batch_keys(const struct batch *b, struct scope *s, const json_t *records)
{
	struct str *keys = arena_array(s->a, json_array_size(records) + 1, sizeof(*keys));
	json_t *record;
	size_t i;

	json_array_each(records, i, record) {
		s->slot[ROOT_RECORD].json = record;
		keys[i] = str_copy(s->a, expr_id(b->key, s));
	}
	s->slot[ROOT_RECORD].json = NULL;
	return keys;
}

struct batch_result *provider_batch_results(const struct provider *p, struct arena *a,
    const struct access *c, const char *name, const json_t *records, const struct call_result *res)
{
	const struct batch *b = batch_find(p, name);
	struct batch_reading r = {.n = json_array_size(records)};
	struct scope s;

	r.results = arena_array(a, r.n + 1, sizeof(*r.results));
	for (size_t i = 0; i < r.n; i++)
		r.results[i] = (struct batch_result){
		    .class = res->class == CALL_OK ? CALL_RETRY : res->class,
		    .error = res->class == CALL_OK ? "the answer tells nothing of it" : res->error};
	if (b == NULL || res->class != CALL_OK)
		return r.results;
	scope_of_batch(&s, a, p, c);
	s.slot[ROOT_OUTPUT].json = res->output;
	s.slot[ROOT_STATUS].json = json_own(a, json_integer(res->status));
	r.keys = batch_keys(b, &s, records);
	for (size_t i = 0; i < b->nresults; i++) {
		r.rule = &b->results[i];
		r.position = 0;
		loops_each(&r.rule->loops, &s, batch_result_one, &r);
	}
	for (size_t i = 0; i < r.n; i++)
		if (r.results[i].error != NULL)
			r.results[i].error = access_redact(a, c, r.results[i].error);
	return r.results;
}

/* ---- details ------------------------------------------------------------------------------ */

const char *provider_details_batch(const struct provider *p, const char *resource_type, size_t *max)
{
	for (size_t i = 0; i < p->ndetails; i++)
		if (strcmp(p->details[i].resource_type, resource_type) == 0 &&
		    p->details[i].batch_action != NULL) {
			*max = (size_t)p->details[i].batch_max;
			return p->details[i].batch_action;
		}
	return NULL;
}

bool provider_batches_details(const struct provider *p)
{
	for (size_t i = 0; i < p->ndetails; i++)
		if (p->details[i].batch_action != NULL)
			return true;
	return false;
}

json_t *provider_details_of(const struct provider *p, struct arena *a, const char *resource_type,
    const json_t *output, struct str id)
{
	struct scope s = {.a = a};
	json_t *item;
	size_t i, k;

	for (i = 0; i < p->ndetails; i++)
		if (strcmp(p->details[i].resource_type, resource_type) == 0)
			break;
	if (i == p->ndetails)
		return NULL;
	json_array_each(json_object_get(output, "items"), k, item) {
		s.slot[ROOT_ITEM].json = item;
		if (str_eq(expr_id(p->details[i].batch_key, &s), id))
			return item;
	}
	return NULL;
}

/* ---- forms -------------------------------------------------------------------------------- */

static void form_put(json_t *o, const char *key, const struct expr *e, struct scope *s)
{
	struct str text = expr_id(e, s);

	if (text.n > 0)
		json_set_strn(o, key, text);
}

/* How many leads it has, where it says so. */
static void form_put_count(json_t *o, const struct expr *e, struct scope *s)
{
	int64_t n;

	if (str_to_i64(expr_id(e, s), 0, INT64_MAX / 2, &n))
		json_set_int(o, "leads", n);
}

json_t *provider_form(const struct provider *p, struct arena *a, json_t *form)
{
	struct scope s = {.a = a};
	json_t *o = json_own(a, json_object());

	s.slot[ROOT_FORM].json = form;
	form_put(o, "id", p->forms.id, &s);
	form_put(o, "name", p->forms.name, &s);
	form_put(o, "status", p->forms.status, &s);
	form_put(o, "country", p->forms.country, &s);
	form_put_count(o, p->forms.count, &s);
	return json_str(o, "id") == NULL ? NULL : o;
}
