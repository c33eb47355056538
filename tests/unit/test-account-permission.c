/* Permissions and roles. */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "account/permission.h"
#include "base/arena.h"

void suite_account_permission(void);

static void check(bool is_right, int line, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "line %d: %s", line, what);
	CU_assertImplementation(is_right, (unsigned)line, text, __FILE__, "", CU_FALSE);
}

static void names(void)
{
	for (unsigned i = 0; i < PERMISSION_COUNT; i++) {
		uint64_t bit = UINT64_C(1) << i;

		check(permission_parse(str_from(permission_name(bit))) == bit, __LINE__,
		    permission_name(bit));
	}
	CU_ASSERT_STRING_EQUAL(permission_name(0), "");
	CU_ASSERT_STRING_EQUAL(permission_name(UINT64_C(1) << 63), "");
	CU_ASSERT_STRING_EQUAL(
	    permission_name(PERMIT(RECORDS_WRITE) | PERMIT(AUDIT_VIEW)), "records.write");
	CU_ASSERT_EQUAL(permission_parse(STR("")), 0);
	CU_ASSERT_EQUAL(permission_parse(STR("records")), 0);
	CU_ASSERT_EQUAL(permission_parse(STR("records.views")), 0);
	CU_ASSERT_EQUAL(permission_parse(STR("Records.view")), 0);
}

static const struct {
	int line;
	uint64_t bit;
	bool viewer, manager;
} roles[] = {
    {__LINE__, PERMIT(RECORDS_VIEW), true, true},
    {__LINE__, PERMIT(RECORDS_WRITE), false, true},
    {__LINE__, PERMIT(TASK_HISTORY_VIEW), true, true},
    {__LINE__, PERMIT(ACTIONS_EXECUTE), false, true},
    {__LINE__, PERMIT(PROXY_EXECUTE), false, true},
    {__LINE__, PERMIT(CONNECTIONS_WRITE), false, true},
    {__LINE__, PERMIT(SETTINGS_VIEW), false, false},
    {__LINE__, PERMIT(SETTINGS_WRITE), false, false},
    {__LINE__, PERMIT(AUDIT_VIEW), false, false},
};

static void bundles(void)
{
	uint64_t viewer = permission_of_role("viewer"), manager = permission_of_role("manager");

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		check(((viewer & roles[i].bit) != 0) == roles[i].viewer, roles[i].line, "viewer");
		check(
		    ((manager & roles[i].bit) != 0) == roles[i].manager, roles[i].line, "manager");
		check((permission_of_role("admin") & roles[i].bit) != 0, roles[i].line, "admin");
	}
	CU_ASSERT_EQUAL(viewer & ~manager, 0);
	CU_ASSERT_EQUAL(permission_of_role("admin"), permission_all());
	CU_ASSERT_EQUAL(permission_of_role("Admin"), 0);
	CU_ASSERT_EQUAL(permission_of_role(""), 0);
	CU_ASSERT_EQUAL(permission_of_role(NULL), 0);
}

static const struct {
	int line;
	const char *json;
	uint64_t bits; /* 0: refused */
} lists[] = {
    {__LINE__, "[\"records.view\"]", PERMIT(RECORDS_VIEW)},
    {__LINE__, "[\"records.view\",\"leads.view\",\"records.view\"]",
	PERMIT(RECORDS_VIEW) | PERMIT(LEADS_VIEW)},
    {__LINE__, "[\"*\"]", (UINT64_C(1) << PERMISSION_COUNT) - 1},
    {__LINE__, "[\"records.view\",\"no.such\"]", 0},
    {__LINE__, "[1]", 0},
    {__LINE__, "[null]", 0},
    {__LINE__, "\"records.view\"", 0},
    {__LINE__, "{}", 0},
};

static void from_json(void)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct err err = ERR_INIT;
		uint64_t bits = 0;
		int rc =
		    permission_from_json(json_parse(a, str_from(lists[i].json), NULL), &bits, &err);

		if (lists[i].bits == 0) {
			check(rc == -1 && err.code == ERR_INVALID, lists[i].line, "refused");
			check(strcmp(err.field, "permissions") == 0, lists[i].line, "the field");
		} else {
			check(rc == 0 && bits == lists[i].bits, lists[i].line, "taken");
		}
	}
	arena_free(a);
}

static void there_and_back(void)
{
	struct arena *a = arena_new();
	uint64_t bits = 0;
	json_t *list = json_own(a, permission_list_json(permission_of_role("viewer")));

	CU_ASSERT_EQUAL(permission_from_json(list, &bits, NULL), 0);
	CU_ASSERT_EQUAL(bits, permission_of_role("viewer"));
	CU_ASSERT_EQUAL(json_array_size(json_own(a, permission_list_json(0))), 0);
	arena_free(a);
}

void suite_account_permission(void)
{
	CU_pSuite s = CU_add_suite("account_permission", NULL, NULL);

	CU_add_test(s, "names and bits", names);
	CU_add_test(s, "what the roles bundle", bundles);
	CU_add_test(s, "lists from JSON", from_json);
	CU_add_test(s, "to JSON and back", there_and_back);
}
