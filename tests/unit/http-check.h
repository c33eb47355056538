/* What the suites of src/http share. */
#ifndef TESTS_UNIT_HTTP_CHECK_H
#define TESTS_UNIT_HTTP_CHECK_H

#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "base/arena.h"
#include "http/http.h"

/* An assertion that names the row of a table. */
#define CHECK(line, ok, ...)                                                                       \
	do {                                                                                       \
		char text_[512];                                                                   \
		snprintf(text_, sizeof(text_), __VA_ARGS__);                                       \
		CU_assertImplementation(                                                           \
		    (ok) ? CU_TRUE : CU_FALSE, (unsigned)(line), text_, __FILE__, "", CU_FALSE);   \
	} while (0)

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* For "%.*s". */
#define SHOW(s) (int)(s).n, (s).p != NULL ? (s).p : ""

#endif
