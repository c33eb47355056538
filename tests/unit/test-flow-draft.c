/* A draft: conditions as rows and back, in words; names of steps in texts; moves with their
 * references. */
#include "base/arena.h"
#include "flow/flow-condition.h"
#include "flow/flow-draft.h"
#include "test-base.h"

/* ---- conditions ------------------------------------------------------------------------------ */

static void conditions(void)
{
	static const struct {
		int line;
		const char *text, *written, *words; /* written NULL: rows cannot say it */
	} rows[] = {
	    {__LINE__, "trigger.amount > 500", "trigger.amount > 500", "amount is more than 500"},
	    {__LINE__, "{{trigger.firstName}}=='Ann'", "trigger.firstName == 'Ann'",
		"first name is Ann"},
	    {__LINE__, "trigger.a == \"it's\"", "trigger.a == \"it's\"", "a is it's"},
	    {__LINE__, "trigger.a >= 5 AND trigger.b exists", "trigger.a >= 5 and trigger.b exists",
		"a is at least 5 and b is filled in"},
	    {__LINE__, "trigger.a not contains 'x' or trigger.b not exists",
		"trigger.a not contains 'x' or trigger.b not exists",
		"a does not contain x or b is not filled in"},
	    {__LINE__, "trigger.c in ['DE', 'AT']", "trigger.c in ['DE', 'AT']",
		"c is one of DE, AT"},
	    {__LINE__, "trigger.c not in [1,2]", "trigger.c not in [1, 2]", "c is none of 1, 2"},
	    {__LINE__, "trigger.items[0].sku starts_with 'a'",
		"trigger.items[0].sku starts_with 'a'", "sku begins with a"},
	    {__LINE__, "trigger.a == {{step_1.value}}", "trigger.a == {{step_1.value}}",
		"a is [value]"},
	    {__LINE__, "trigger.a == '0151'", "trigger.a == '0151'", "a is 0151"},
	    {__LINE__, "trigger.a == true", "trigger.a == 'true'", "a is true"},
	    {__LINE__, "", "", ""}, {__LINE__, "not trigger.a", NULL, "not trigger.a"},
	    {__LINE__, "trigger.a", NULL, "trigger.a"},
	    {__LINE__, "(trigger.a == 1)", NULL, "(trigger.a == 1)"},
	    {__LINE__, "trigger.a == 1 and trigger.b == 2 or trigger.c == 3", NULL,
		"trigger.a == 1 and trigger.b == 2 or trigger.c == 3"},
	    {__LINE__, "trigger.a == trigger.b", NULL, "trigger.a == trigger.b"},
	    {__LINE__, "5 < trigger.a", NULL, "5 < trigger.a"},
	    {__LINE__, "trigger.a == 'open", NULL, "trigger.a == 'open"},
	    {__LINE__, "trigger.a == 1 and", NULL, "trigger.a == 1 and"},
	    {__LINE__, "trigger.a in ['a,b']", NULL, "trigger.a in ['a,b']"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *a = arena_new();
		struct condition c, again;
		const char *why = NULL;
		struct str text;
		size_t row;
		bool is = condition_read(a, str_from(rows[i].text), &c);

		CHECK_AT(rows[i].line, is == (rows[i].written != NULL));
		CHECK_AT(rows[i].line,
		    strcmp(condition_words(a, str_from(rows[i].text)), rows[i].words) == 0);
		if (is) {
			text = condition_write(a, &c, &row, &why);
			CHECK_AT(rows[i].line, why == NULL && str_is(text, rows[i].written));
			CHECK_AT(rows[i].line,
			    condition_read(a, text, &again) && condition_equal(&c, &again));
		}
		arena_free(a);
	}
}

/* ---- references ------------------------------------------------------------------------------ */

static const char *renamed(void *arg, struct str name)
{
	(void)arg;
	return str_is(name, "step_2")     ? "step_3"
	       : str_is(name, "step_2_1") ? "step_3_1"
	       : str_is(name, "step_1")   ? DRAFT_GONE
					  : NULL;
}

static void references(void)
{
	static const struct {
		int line;
		const char *condition, *value, *new_condition, *new_value;
	} rows[] = {{__LINE__, "step_2.a == 1", "{{step_2.a}}", "step_3.a == 1", "{{step_3.a}}"},
	    {__LINE__, "{{step_2_1.a}} == 'step_2'", "step_2 {{ step_2 || 'step_2' }} step_2",
		"{{step_3_1.a}} == 'step_2'", "step_2 {{ step_3 || 'step_2' }} step_2"},
	    {__LINE__, "trigger.step_2 == 1", "{{trigger.step_2}} {{trigger[step_2]}}",
		"trigger.step_2 == 1", "{{trigger.step_2}} {{trigger[step_2]}}"},
	    {__LINE__, "trigger.a in [step_2.a, step_1.b]", "{{step_20.a}} {{xstep_2}}",
		"trigger.a in [step_3.a, removed_step.b]", "{{step_20.a}} {{xstep_2}}"},
	    {__LINE__, "step_2", "{{step_2", "step_3", "{{step_3"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *a = arena_new();
		json_t *step = json_own(a, json_object()), *config = json_object(),
		       *mapping = json_object(), *list = json_array();

		json_set_str(step, "kind", "branch");
		json_set_str(config, "condition", rows[i].condition);
		json_array_append_new(list, json_string(rows[i].value));
		json_set(mapping, "condition", list);
		json_set(step, "config", config);
		json_set(step, "inputMapping", mapping);
		references_walk(a, step, renamed, NULL);
		CHECK_AT(rows[i].line,
		    strcmp(json_str(config, "condition"), rows[i].new_condition) == 0);
		CHECK_AT(rows[i].line,
		    strcmp(json_string_value(json_array_get(list, 0)), rows[i].new_value) == 0);
		arena_free(a);
	}
}

static const char draft_text[] =
    "[{\"kind\":\"formatter\",\"name\":\"a\",\"config\":{\"operation\":\"trim\"},\"inputMapping\":{"
    "\"value\":\"{{trigger.x}}\"}},"
    "{\"kind\":\"loop\",\"name\":\"l\",\"config\":{\"items\":\"{{step_1.value}}\",\"steps\":[{"
    "\"kind\":\"formatter\",\"name\":\"b\",\"config\":{\"operation\":\"trim\"},\"inputMapping\":{"
    "\"value\":\"{{item}}{{step_1.value}}\"}}]}},"
    "{\"kind\":\"filter\",\"name\":\"f\",\"config\":{\"condition\":\"step_2.total > 1 and "
    "step_1.value exists\"},"
    "\"onError\":\"branch\",\"errorSteps\":[]}]";

static void moves(void)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	json_t *steps = json_parse(a, str_from(draft_text), &err),
	       *settings = json_own(a, json_object());
	const struct flow_step **others;
	struct draft_spot from, to;
	struct draft d;
	size_t n;

	REQUIRE(steps != NULL);
	draft_open(&d, a, steps, settings);
	CHECK(d.nfaults == 0 && d.plan.nsteps == 4);
	others = draft_referrers(&d, draft_find(&d, STR("step_1")), &n);
	CHECK(n == 3 && strcmp(others[1]->key, "step_2_1") == 0);
	CHECK(!draft_target(&d, draft_find(&d, STR("step_1")), DRAFT_UP, &to));
	CHECK(!draft_target(&d, draft_find(&d, STR("step_1")), DRAFT_IN, &to));
	CHECK(draft_target(&d, draft_find(&d, STR("step_3")), DRAFT_IN, &to));
	CHECK(!draft_find_list(&d, STR("step_1.0"), &to));
	CHECK(!draft_find_list(&d, STR("step_2.7"), &to));
	REQUIRE(draft_find_list(&d, STR("step_3.0"), &to));
	REQUIRE(draft_locate(&d, draft_find(&d, STR("step_2")), &from));
	draft_move(&d, &from, &to); /* the loop goes where its user's errors are handled */
	CHECK(strcmp(draft_find(&d, STR("step_2"))->name, "f") == 0);
	CHECK(strcmp(draft_find(&d, STR("step_2_1"))->name, "l") == 0);
	CHECK(d.nfaults == 1 && strcmp(d.faults[0].step->key, "step_2") == 0);
	REQUIRE(draft_locate(&d, draft_find(&d, STR("step_1")), &from));
	draft_remove(&d, &from);
	CHECK(d.plan.nsteps == 3 && d.nfaults >= 3);
	CHECK(strstr(json_text(a, d.steps).p, "removed_step.value exists") != NULL);
	CHECK(strstr(json_text(a, d.steps).p, "{{item}}{{removed_step.value}}") != NULL);
	arena_free(a);
}

void suite_flow_draft(void);
void suite_flow_draft(void)
{
	ADD_TESTS("flow/draft", {"conditions as rows, and back", conditions},
	    {"names of steps in texts", references}, {"moves, and who is named", moves});
}
