/* Payloads that come as the cells of a table. */
#include <stdlib.h>

#include "base/arena.h"
#include "record/record-cells.h"
#include "test-base.h"

static void is_so(bool is, const char *what, const char *name)
{
	CU_assertImplementation(is ? CU_TRUE : CU_FALSE, __LINE__, what, name, "", CU_FALSE);
}

/* What is left of a table's row once what prints like the stored value is that value: merged, it
 * changes only what the row says otherwise. */
static void cells(void)
{
	static const struct {
		int line;
		const char *stored, *cells;
		bool has_cleared;
		const char *merged;
	} rows[] = {
	    {__LINE__, "{\"n\":5}", "{\"n\":\"5\"}", false, "{\"n\":5}"},
	    {__LINE__, "{\"n\":5}", "{\"n\":\"5.0\"}", false, "{\"n\":\"5.0\"}"},
	    {__LINE__, "{\"n\":2.50}", "{\"n\":\"2.50\"}", false, "{\"n\":2.50}"},
	    {__LINE__, "{\"n\":18446744073709551001}", "{\"n\":\"18446744073709551001\"}", false,
		"{\"n\":18446744073709551001}"},
	    {__LINE__, "{\"t\":true,\"f\":false}", "{\"t\":\"true\",\"f\":\"no\"}", false,
		"{\"f\":\"no\",\"t\":true}"},
	    {__LINE__, "{\"a\":[1,{\"b\":2}]}", "{\"a\":\"[1,{\\\"b\\\":2}]\"}", false,
		"{\"a\":[1,{\"b\":2}]}"},
	    {__LINE__, "{\"a\":{\"b\":{\"c\":1}}}", "{\"a\":{\"b\":{\"c\":\"1\",\"d\":\"2\"}}}",
		false, "{\"a\":{\"b\":{\"c\":1,\"d\":\"2\"}}}"},
	    {__LINE__, "{\"s\":\"5\"}", "{\"s\":5}", false, "{\"s\":5}"},
	    {__LINE__, "{\"z\":null}", "{\"z\":\"null\"}", false, "{\"z\":\"null\"}"},
	    {__LINE__, "{\"a\":1}", "{\"a\":null,\"b\":null}", false, "{\"a\":null,\"b\":null}"},
	    {__LINE__, "{\"a\":1}", "{\"a\":null,\"b\":null}", true, "{\"a\":null}"},
	    {__LINE__, "{\"a\":\"\",\"b\":null,\"c\":{\"d\":1}}",
		"{\"a\":null,\"b\":null,\"c\":null,\"e\":{\"f\":null}}", true,
		"{\"a\":\"\",\"b\":null,\"c\":{\"d\":1}}"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		json_t *stored = json_parse(a, str_from(rows[i].stored), NULL);
		json_t *patch = json_parse(a, str_from(rows[i].cells), NULL);

		record_keep_printed(a, stored, patch, rows[i].has_cleared);
		json_merge(stored, patch);
		is_so(str_is(json_text(a, stored), rows[i].merged), rows[i].merged,
		    json_text(a, stored).p);
		arena_free(a);
	}
}

/* Paths that base/path.h refuses, too. */
static void others(void)
{
	static const struct {
		int line;
		const char *data, *others, *result;
	} rows[] = {
	    {__LINE__, "{\"a\":1}", "{\"b\":2}", "{\"a\":1,\"b\":2}"},
	    {__LINE__, "{\"a\":1}", "{\"a\":null,\"b.c\":[],\"b.d\\\\.e\":true}",
		"{\"a\":null,\"b\":{\"c\":[],\"d.e\":true}}"},
	    {__LINE__, "{\"a\":1}", "{\"a.b\":2}", "{\"a\":{\"b\":2}}"},
	    {__LINE__, "{}", "{\"a..b\":2}", "{\"a\":{\"\":{\"b\":2}}}"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		json_t *data = json_parse(a, str_from(rows[i].data), NULL);

		record_set_others(a, data, json_parse(a, str_from(rows[i].others), NULL));
		CHECK_AT(rows[i].line, str_is(json_text(a, data), rows[i].result));
		arena_free(a);
	}
}

void suite_record_cells(void);
void suite_record_cells(void)
{
	ADD_TESTS("record/cells", {"cells of a table", cells}, {"others", others});
}
