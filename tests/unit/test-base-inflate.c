#include <stdlib.h>

#include "base/arena.h"
#include "base/inflate.h"
#include "test-base.h"

/* {"id":"n5"} in each form, made by other programs. */
#define GZIP                                                                                       \
	"\037\213\010\000\000\000\000\000\002\003\253\126\312\114\121"                             \
	"\262\122\312\063\125\252\005\000\370\262\320\157\013\000\000\000"

static void codings(void)
{
	CHECK(coding_is_none(STR("")) && coding_is_none((struct str){NULL, 0}));
	CHECK(coding_is_none(STR("Identity")) && !coding_is_none(STR("gzip")));
	CHECK(coding_is_known(STR("GZip")) && coding_is_known(STR("x-gzip")));
	CHECK(coding_is_known(STR("DEFLATE")) && !coding_is_known(STR("br")));
	CHECK(!coding_is_known(STR("gzip, gzip")) && !coding_is_known(STR("")));
}

static void undone(void)
{
#define WHOLE(lit)                                                                                 \
	{                                                                                          \
		lit, sizeof(lit) - 1                                                               \
	}
	static const char zlib[] =
	    "\170\234\253\126\312\114\121\262\122\312\063\125\252\005\000\023\205\003\053",
			  raw[] = "\253\126\312\114\121\262\122\312\063\125\252\005\000";
	static const struct {
		int line;
		const char *coding;
		struct str in;
		size_t most;
		const char *out; /* NULL: refused */
		enum err_code code;
	} rows[] = {
	    {__LINE__, "gzip", WHOLE(GZIP), 11, "{\"id\":\"n5\"}", ERR_NONE},
	    {__LINE__, "X-GZIP", WHOLE(GZIP GZIP), 100, "{\"id\":\"n5\"}{\"id\":\"n5\"}", ERR_NONE},
	    {__LINE__, "deflate", WHOLE(zlib), 11, "{\"id\":\"n5\"}", ERR_NONE},
	    {__LINE__, "deflate", WHOLE(raw), 11, "{\"id\":\"n5\"}", ERR_NONE},
	    {__LINE__, "gzip", WHOLE(GZIP), 10, NULL, ERR_LIMIT},
	    {__LINE__, "deflate", WHOLE(raw), 10, NULL, ERR_LIMIT},
	    {__LINE__, "gzip", WHOLE(GZIP "more"), 100, NULL, ERR_MALFORMED},
	    {__LINE__, "gzip", {GZIP, sizeof(GZIP) - 5}, 100, NULL, ERR_MALFORMED},
	    {__LINE__, "gzip", WHOLE(zlib), 100, NULL, ERR_MALFORMED},
	    {__LINE__, "deflate", WHOLE(GZIP), 100, NULL, ERR_MALFORMED},
	    {__LINE__, "deflate", WHOLE("{\"id\":\"n5\"}"), 100, NULL, ERR_MALFORMED},
	    {__LINE__, "gzip", WHOLE(""), 100, NULL, ERR_MALFORMED},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;
		struct str out = {NULL, 0};
		int rc =
		    coding_undo(a, str_from(rows[i].coding), rows[i].in, rows[i].most, &out, &e);

		CHECK_AT(
		    rows[i].line, (rc == 0) == (rows[i].out != NULL) && e.code == rows[i].code);
		if (rc == 0 && rows[i].out != NULL)
			CHECK_AT(rows[i].line, str_is(out, rows[i].out));
	}
	arena_free(a);
}

void suite_base_inflate(void);
void suite_base_inflate(void)
{
	ADD_TESTS("base/inflate", {"codings", codings}, {"undone", undone});
}
