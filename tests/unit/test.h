/* What the runner offers to the suites beside CUnit. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

/* Called within a test that cannot run here (no database, say): it is counted as skipped unless one
 * of its assertions fails. reason must outlive the test. */
void test_skip(const char *reason);

#endif
