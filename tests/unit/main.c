/* Runs every suite of suites.def and prints TAP (https://testanything.org): one line per CUnit
 * test, with each failed assertion as a diagnostic. `unit-tests NAME…` runs only the suites named.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>

#include "test.h"

#define SUITE(x) void suite_##x(void);
#include "suites.def"
#undef SUITE

static const struct {
	const char *name;
	void (*enter)(void);
} suites[] = {
#define SUITE(x) {#x, suite_##x},
#include "suites.def"
#undef SUITE
    {NULL, NULL},
};

static unsigned tests_done, tests_failed, skips_seen;

/* Why the running test could not do its work; NULL while it can. */
static const char *skip_reason;

void test_skip(const char *reason)
{
	skip_reason = reason;
}

static void one_done(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failures)
{
	tests_done++;
	if (failures != NULL)
		tests_failed++;
	else if (skip_reason != NULL)
		skips_seen++;
	printf("%s %u - %s: %s", failures != NULL ? "not ok" : "ok", tests_done, suite->pName,
	    test->pName);
	if (failures == NULL && skip_reason != NULL)
		printf(" # SKIP %s", skip_reason);
	printf("\n");
	for (CU_pFailureRecord f = failures; f != NULL; f = f->pNext)
		printf("# %s:%u: %s\n", f->strFileName != NULL ? f->strFileName : "?",
		    f->uiLineNumber, f->strCondition != NULL ? f->strCondition : "?");
	fflush(stdout);
	skip_reason = NULL;
}

static void suite_could_not_start(const CU_pSuite suite)
{
	tests_done++;
	tests_failed++;
	printf("not ok %u - %s: the suite's initialisation failed\n", tests_done, suite->pName);
}

static int wanted(const char *name, int argc, char **argv)
{
	if (argc < 2)
		return 1;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	size_t entered = 0;

	if (CU_initialize_registry() != CUE_SUCCESS) {
		printf("Bail out! CUnit: %s\n", CU_get_error_msg());
		return 2;
	}
	for (size_t i = 0; suites[i].name != NULL; i++) {
		if (!wanted(suites[i].name, argc, argv))
			continue;
		suites[i].enter();
		entered++;
		if (CU_get_error() != CUE_SUCCESS) {
			printf("Bail out! suite %s: %s\n", suites[i].name, CU_get_error_msg());
			return 2;
		}
	}
	if (argc > 1 && entered == 0) {
		printf("Bail out! no suite of that name\n");
		return 2;
	}
	CU_set_test_complete_handler(one_done);
	CU_set_suite_init_failure_handler(suite_could_not_start);
	CU_set_error_action(CUEA_IGNORE);
	CU_run_all_tests();
	printf("1..%u\n", tests_done);
	if (tests_done == 0)
		printf("# no tests\n");
	CU_cleanup_registry();
	return tests_failed > 0;
}
