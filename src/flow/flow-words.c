/* A flow in words. */
#include "flow/flow-words.h"
#include "base/arena.h"
#include "base/buf.h"
#include "connection/connection.h"
#include "flow/flow-condition.h"
#include "provider/manifest.h"
#include "table/table.h"

#define SHOWN 80u /* of a value in a sentence */
#define LINE_BYTES 2000u

int flow_words_open(struct flow_words *w, struct req *r, struct err *err)
{
	struct table *tables;
	size_t n;

	*w = (struct flow_words){.app = r->app, .a = r->a, .tables = json_own(r->a, json_object())};
	if (connection_names(r->app, r->a, &r->actor.account_id, &w->connections, err) == -1 ||
	    flow_names(r->app, r->a, &r->actor.account_id, &w->flows, err) == -1 ||
	    table_list(r->app->db, r->a, &r->actor.account_id, &tables, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		json_object_setn_new(w->tables, tables[i].slug.p, tables[i].slug.n,
		    json_stringn(tables[i].name.p, tables[i].name.n));
	return 0;
}

/* What was written for a field, in words; "" where nothing was. */
static const char *given(const struct flow_words *w, const struct flow_step *s, const char *field)
{
	const json_t *v = json_object_get(json_object_get(s->json, "config"), field);
	const char *text;

	if (v == NULL)
		v = json_object_get(json_object_get(s->json, "inputMapping"), field);
	text = json_scalar_text(w->a, v);
	return text == NULL ? "" : template_words(w->a, str_from(text), SHOWN);
}

static const char *table_words(const struct flow_words *w, const struct flow_step *s)
{
	const char *slug = json_str(json_object_get(s->json, "config"), "tableSlug");
	const char *name = slug == NULL ? NULL : json_str(w->tables, slug);

	return name != NULL ? name : slug != NULL ? slug : "…";
}

static const char *condition_of(const struct flow_words *w, const json_t *holder)
{
	const char *text = json_str(holder, "condition");

	return text == NULL || *text == '\0' ? "…" : condition_words(w->a, str_from(text));
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static const char *words_filter(const struct flow_words *w, const struct flow_step *s)
{
	return arena_printf(
	    w->a, "Goes on only if %s", condition_of(w, json_object_get(s->json, "config")));
}

static const char *words_branch(const struct flow_words *w, const struct flow_step *s)
{
	return s->nlists == 1 ? "Does the steps below if the condition holds"
			      : arena_printf(w->a, "Takes one of %zu ways", s->nlists);
}

static const char *words_loop(const struct flow_words *w, const struct flow_step *s)
{
	return arena_printf(w->a, "Does the steps below for each of %s", given(w, s, "items"));
}

static const char *words_delay(const struct flow_words *w, const struct flow_step *s)
{
	static const char *const units[] = {"days", "hours", "minutes", "seconds"};
	struct buf *b = buf_new(w->a, LINE_BYTES);

	if (*given(w, s, "until") != '\0')
		return arena_printf(w->a, "Waits until %s", given(w, s, "until"));
	for (size_t i = 0; i < 4; i++) {
		const char *n = given(w, s, units[i]);

		if (*n != '\0')
			buf_printf(b, "%s%s %.*s", b->len > 0 ? " " : "", n,
			    (int)strlen(units[i]) - (strcmp(n, "1") == 0), units[i]);
	}
	return b->len == 0 ? "Waits" : arena_printf(w->a, "Waits %s", b->p);
}

static const char *words_formatter(const struct flow_words *w, const struct flow_step *s)
{
	static const struct word operations[] = {{"identity", "Keeps"},
	    {"uppercase", "Upper case of"}, {"lowercase", "Lower case of"},
	    {"trim", "Cuts blanks off"}, {"to_number", "Number of"}, {"date", "Date of"},
	    {"split", "Splits"}, {"join", "Joins"}, {"replace", "Replaces a text in"},
	    {"default", "Something instead of nothing for"}, {"json", "JSON of"},
	    {"hash", "Fingerprint of"}, {NULL, NULL}};
	const char *name = given(w, s, "operation");

	return arena_printf(w->a, "%s %s", word_label(operations, name), given(w, s, "value"));
}

static const struct action *action_of(
    const struct flow_words *w, const struct flow_step *s, const struct provider **p)
{
	*p = s->provider_type == NULL
		 ? NULL
		 : provider_find(w->app->providers, str_from(s->provider_type));
	return *p == NULL || s->action == NULL ? NULL
					       : provider_find_open_action(*p, str_from(s->action));
}

/* Provider or connection, and the first two inputs that were filled in; what was chosen goes by its
 * name. */
static const char *words_action(const struct flow_words *w, const struct flow_step *s)
{
	const json_t *mapping = json_object_get(s->json, "inputMapping"),
		     *names = json_object_get(s->json, STEP_INPUT_NAMES);
	struct buf *b = buf_new(w->a, LINE_BYTES);
	const struct provider *p;
	const struct action *act = action_of(w, s, &p);
	const char *connection = json_str(s->json, "connectionId"), *name;
	size_t n = 0;

	if (p == NULL)
		return "Something that a provider does";
	name = connection == NULL ? NULL
				  : json_str(json_object_get(w->connections, connection), "name");
	buf_str(b, name != NULL ? name : provider_display_name(p));
	for (size_t i = 0; act != NULL && i < act->ninputs && n < 2; i++) {
		const char *input = act->inputs[i].name,
			   *text = json_scalar_text(w->a, json_object_get(mapping, input)),
			   *called = json_str(names, input);

		if (text == NULL || *text == '\0')
			continue;
		buf_printf(b, "%s%s: %s", n++ == 0 ? " – " : ", ", act->inputs[i].label,
		    called != NULL ? called : template_words(w->a, str_from(text), SHOWN));
	}
	return buf_ok(b) ? b->p : "";
}

static const char *words_http(const struct flow_words *w, const struct flow_step *s)
{
	const char *method = given(w, s, "method");
	bool has_body = json_object_get(json_object_get(s->json, "inputMapping"), "body") != NULL ||
			json_object_get(json_object_get(s->json, "config"), "body") != NULL;

	return arena_printf(w->a, "%s %s",
	    *method != '\0' ? method
	    : has_body      ? "POST"
			    : "GET",
	    given(w, s, "url"));
}

static const char *words_sub_flow(const struct flow_words *w, const struct flow_step *s)
{
	const char *id = given(w, s, "flowId"),
		   *name = json_str(json_object_get(w->flows, id), "name");

	return arena_printf(w->a, "Runs the flow %s", name != NULL ? name : "…");
}

static const char *words_lookup(const struct flow_words *w, const struct flow_step *s)
{
	return arena_printf(w->a, "Finds the row of %s where %s is %s", table_words(w, s),
	    given(w, s, "column"), given(w, s, "value"));
}

static const char *words_upsert(const struct flow_words *w, const struct flow_step *s)
{
	return arena_printf(w->a, "Writes the row of %s with the key %s", table_words(w, s),
	    given(w, s, "externalKey"));
}

static const char *words_write(const struct flow_words *w, const struct flow_step *s)
{
	return arena_printf(w->a, "Adds a row to %s", table_words(w, s));
}

static const char *words_to_table(const struct flow_words *w, const struct flow_step *s)
{
	return arena_printf(w->a, "Copies the record to %s, one row for each %s", table_words(w, s),
	    given(w, s, "keyField"));
}

static const char *words_record(const struct flow_words *w, const struct flow_step *s)
{
	return arena_printf(
	    w->a, "Writes the %s %s", given(w, s, "resourceType"), given(w, s, "externalId"));
}

static const char *words_push(const struct flow_words *w, const struct flow_step *s)
{
	const json_t *ids = json_object_get(json_object_get(s->json, "config"), "connectionIds");
	size_t n = json_array_size(ids);
	const char *name = json_str(json_object_get(w->connections,
					n == 1 ? json_string_value(json_array_get(ids, 0)) : ""),
	    "name");

	return n == 0         ? "Sends the lead to every active destination"
	       : name != NULL ? arena_printf(w->a, "Sends the lead to %s", name)
			      : arena_printf(w->a, "Sends the lead to %zu destinations", n);
}

/* ---- all of them
 * ---------------------------------------------------------------------------------- */

const char *flow_words_of_step(const struct flow_words *w, const struct flow_step *s)
{
	static const struct {
		const struct step_kind *kind;
		const char *(*words)(const struct flow_words *w, const struct flow_step *s);
	} rows[] = {{&step_filter, words_filter}, {&step_branch, words_branch},
	    {&step_loop, words_loop}, {&step_delay, words_delay},
	    {&step_formatter, words_formatter}, {&step_action, words_action},
	    {&step_http, words_http}, {&step_sub_flow, words_sub_flow},
	    {&step_table_lookup, words_lookup}, {&step_table_upsert, words_upsert},
	    {&step_table_write, words_write}, {&step_record_to_table, words_to_table},
	    {&step_record_upsert, words_record}, {&step_crm_push, words_push}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].kind == s->kind)
			return rows[i].words(w, s);
	return s->kind == NULL ? "" : s->kind->help;
}

const char *flow_words_title(const struct flow_words *w, const struct flow_step *s)
{
	const struct provider *p;
	const struct action *act;

	if (s->name != NULL && *s->name != '\0')
		return s->name;
	if (s->kind == NULL)
		return "A step of no kind";
	act = s->kind == &step_action ? action_of(w, s, &p) : NULL;
	return act != NULL ? act->label : s->kind->label;
}

const char *flow_words_of_list(const struct flow_words *w, const struct flow_step *s, size_t n)
{
	const json_t *config = json_object_get(s->json, "config"),
		     *branch = json_array_get(json_object_get(config, "branches"), n);
	const char *name = n < s->nlists ? s->lists[n].name : NULL;

	if (n >= s->nlists)
		return "If it fails";
	if (s->kind->how == STEP_LOOP)
		return "For each item";
	if (branch != NULL) {
		const char *called = json_str(branch, "name");

		return called == NULL || *called == '\0'
			   ? arena_printf(w->a, "If %s", condition_of(w, branch))
			   : arena_printf(w->a, "%s: if %s", called, condition_of(w, branch));
	}
	if (name != NULL && strcmp(name, "then") == 0)
		return arena_printf(w->a, "If %s", condition_of(w, config));
	return "Otherwise";
}
