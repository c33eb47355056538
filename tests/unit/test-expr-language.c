/* What templates and conditions of flows are: tables of cases in fixtures/expr, one a line, so that
 * a new one needs no C. Each table begins with the values that its cases see. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/json.h"
#include "expr/expr.h"
#include "test-base.h"

void suite_expr_language(void);

static const struct expr_field fields[] = {{"trigger", FIELD_ANY}, {"step_1", FIELD_ANY},
    {"step_2", FIELD_ANY}, {"step_9", FIELD_LATER}, {"item", FIELD_ANY}, {"index", FIELD_SCALAR},
    {"total", FIELD_SCALAR}, {NULL, FIELD_ANY}};
static const struct expr_root roots[] = {{"", 0, NULL, fields}};
static const struct expr_language language = {EXPR_DOUBLE_BRACES, roots, 1, expr_functions};

static void told(bool is_so, struct arena *a, const json_t *c, const char *came)
{
	CU_assertImplementation(is_so ? CU_TRUE : CU_FALSE, __LINE__,
	    arena_printf(a, "%s came %s", json_text(a, c).p, came), __FILE__, "", CU_FALSE);
}

static void check_failure(struct arena *a, const json_t *c, const struct err *err)
{
	const char *expected = json_str(c, "error");

	told(expected != NULL && strstr(err->msg, expected) != NULL, a, c, err->msg);
}

static void check_template(struct loader *l, struct scope *s, const json_t *c)
{
	struct expr *e;
	json_t *given = json_object_get(c, "gives"), *came;

	if (expr_compile(l, json_object_get(c, "template"), &e) == -1) {
		check_failure(l->a, c, l->in.err);
		return;
	}
	came = expr_json(e, s, true);
	came = json_own(l->a, came != NULL ? came : json_null());
	told(given != NULL && str_eq(json_text(l->a, came), json_text(l->a, given)), l->a, c,
	    json_text(l->a, came).p);
}

static void check_condition(struct loader *l, struct scope *s, const json_t *c)
{
	struct formula *f;

	if (formula_compile(l, str_from(json_str(c, "condition")), &f) == -1) {
		check_failure(l->a, c, l->in.err);
		return;
	}
	bool holds = formula_holds(f, s);
	told(json_is_boolean(json_object_get(c, "holds")) && holds == json_bool(c, "holds"), l->a,
	    c, holds ? "true" : "false");
}

static void check_table(const char *name, size_t least,
    void (*check)(struct loader *l, struct scope *s, const json_t *c))
{
	struct arena *a = arena_new();
	const char *path = arena_printf(a, "%s/tests/unit/fixtures/expr/%s", source_dir(), name);
	char *text = arena_alloc(a, 1u << 18);
	FILE *f = fopen(path, "re");
	json_t *table, *c;
	size_t i;

	REQUIRE(f != NULL);
	table = json_parse(a, (struct str){text, fread(text, 1, 1u << 18, f)}, NULL);
	fclose(f);
	CHECK(json_array_size(json_object_get(table, "cases")) >= least);
	json_array_each(json_object_get(table, "cases"), i, c) {
		struct err err = ERR_INIT;
		struct loader l = {
		    .in = {.err = &err}, .a = a, .language = &language, .roots = EXPR_ROOT_BIT(0)};
		struct scope s = {.a = a, .slot[0].json = json_object_get(table, "scope")};

		check(&l, &s, c);
	}
	arena_free(a);
}

static void templates(void)
{
	check_table("templates.json", 80, check_template);
}

static void conditions(void)
{
	check_table("conditions.json", 180, check_condition);
}

void suite_expr_language(void)
{
	ADD_TESTS("expr_language", {"templates", templates}, {"conditions", conditions});
}
