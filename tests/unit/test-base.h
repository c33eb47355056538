/* Short forms the suites of base and crypto share. */
#ifndef TESTS_UNIT_TEST_BASE_H
#define TESTS_UNIT_TEST_BASE_H

#include <CUnit/CUnit.h>
#include <CUnit/TestDB.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#ifndef CONNECT_SRCDIR
#define CONNECT_SRCDIR "."
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An assertion about the row of a table that stands in the given line. */
#define CHECK_AT(at, condition)                                                                    \
	CU_assertImplementation(                                                                   \
	    (condition) ? CU_TRUE : CU_FALSE, (unsigned)(at), #condition, __FILE__, "", CU_FALSE)
#define CHECK(condition) CHECK_AT(__LINE__, condition)
/* Ends the test when it does not hold. */
#define REQUIRE(condition)                                                                         \
	CU_assertImplementation(                                                                   \
	    (condition) ? CU_TRUE : CU_FALSE, __LINE__, #condition, __FILE__, "", CU_TRUE)

#define TEXT_EQ(a, b) (strcmp((a), (b)) == 0)

#define ADD_TESTS(name, ...)                                                                       \
	do {                                                                                       \
		static const struct {                                                              \
			const char *title;                                                         \
			void (*run)(void);                                                         \
		} tests_[] = {__VA_ARGS__};                                                        \
		CU_pSuite suite_ = CU_add_suite(name, NULL, NULL);                                 \
		for (size_t i_ = 0; i_ < COUNT(tests_); i_++)                                      \
			CU_add_test(suite_, tests_[i_].title, tests_[i_].run);                     \
	} while (0)

/* The source tree: CONNECT_SRCDIR of the environment, else the one of the build. */
static inline const char *source_dir(void)
{
	const char *dir = getenv("CONNECT_SRCDIR");

	return dir ? dir : CONNECT_SRCDIR;
}

#endif
