#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/path.h"
#include "test-base.h"

static const char document[] =
    "{\"object\":\"page\",\"entry\":["
    "{\"id\":\"1\",\"changes\":[{\"value\":{\"leadgen_id\":11}},{\"value\":{\"leadgen_id\":12}}]},"
    "{\"id\":\"2\",\"changes\":[]},"
    "{\"id\":\"3\"},"
    "{\"id\":\"4\",\"changes\":[{\"value\":{}},{\"value\":{\"leadgen_id\":41}}]}],"
    "\"address\":{\"city\":\"Rome\",\"0\":\"zero\"},\"matrix\":[[1,2],[3]],"
    "\"a.b\":{\"c[d]\":\"odd\",\"e\\\\f\":\"back\"},\"null\":null,\"\":\"empty\"}";

static void finds(void)
{
	static const struct {
		int line;
		const char *path, *first; /* match; NULL for none */
	} rows[] = {
	    {__LINE__, "object", "\"page\""},
	    {__LINE__, "address.city", "\"Rome\""},
	    {__LINE__, "address.0", "\"zero\""},
	    {__LINE__, "address[0]", "\"zero\""},
	    {__LINE__, "entry.0.id", "\"1\""},
	    {__LINE__, "entry[3].id", "\"4\""},
	    {__LINE__, "entry[].id", "\"1\""},
	    {__LINE__, "entry[].changes[].value.leadgen_id", "11"},
	    {__LINE__, "entry[].changes.0.value", "{\"leadgen_id\":11}"},
	    {__LINE__, "entry.0.changes[].value.leadgen_id", "11"},
	    {__LINE__, "matrix[][]", "1"},
	    {__LINE__, "matrix[][0]", "1"},
	    {__LINE__, "matrix[0][]", "1"},
	    {__LINE__, "matrix.1.0", "3"},
	    {__LINE__, "a\\.b.c\\[d\\]", "\"odd\""},
	    {__LINE__, "a\\.b.e\\\\f", "\"back\""},
	    {__LINE__, "null", "null"},
	    {__LINE__, "null.x", NULL},
	    {__LINE__, "entry.4", NULL},
	    {__LINE__, "entry.id", NULL},
	    {__LINE__, "object[]", NULL},
	    {__LINE__, "address[]", NULL},
	    {__LINE__, "object.x", NULL},
	    {__LINE__, "none.x[]", NULL},
	};
	struct arena *a = arena_new();
	json_t *root = json_parse(a, str_from(document), NULL);

	REQUIRE(root != NULL);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;
		struct path *p = path_compile(a, str_from(rows[i].path), &e);
		struct buf *first = buf_new(a, 1000);
		json_t *value;

		CHECK_AT(rows[i].line, p != NULL && e.code == ERR_NONE);
		if (!p)
			continue;
		CHECK_AT(rows[i].line, TEXT_EQ(path_text(p), rows[i].path));
		CHECK_AT(rows[i].line, path_fans_out(p) == (strstr(rows[i].path, "[]") != NULL));
		value = path_get(p, root);
		CHECK_AT(rows[i].line, (value != NULL) == (rows[i].first != NULL));
		CHECK_AT(rows[i].line, path_lookup(a, root, rows[i].path) == value);
		if (!value || !rows[i].first)
			continue;
		json_append(first, value);
		CHECK_AT(rows[i].line, TEXT_EQ(first->p, rows[i].first));
	}
	arena_free(a);
}

static void collects(void)
{
	static const struct {
		int line;
		const char *path, *all;
	} rows[] = {
	    {__LINE__, "entry[].id", "[\"1\",\"2\",\"3\",\"4\"]"},
	    {__LINE__, "entry[].changes[].value.leadgen_id", "[11,12,41]"},
	    {__LINE__, "matrix[]", "[[1,2],[3]]"},
	    {__LINE__, "matrix[][]", "[1,2,3]"},
	    {__LINE__, "address.city", "[\"Rome\"]"},
	    {__LINE__, "none[]", "[]"},
	    {__LINE__, "object[].x", "[]"},
	};
	struct arena *a = arena_new();
	json_t *root = json_parse(a, str_from(document), NULL);

	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *list = json_own(a, json_array());

		path_collect(path_compile(a, str_from(rows[i].path), NULL), root, list);
		CHECK_AT(rows[i].line, TEXT_EQ(json_text(a, list).p, rows[i].all));
	}
	arena_free(a);
}

static void the_root(void)
{
	struct arena *a = arena_new();
	json_t *list = json_parse(a, STR("[[1],[2]]"), NULL);

	CHECK(path_lookup(a, list, "") == list);
	CHECK(json_integer_value(path_lookup(a, list, "[1][0]")) == 2);
	CHECK(json_integer_value(path_lookup(a, list, "1.0")) == 2);
	CHECK(json_integer_value(path_lookup(a, list, "[][]")) == 1);
	CHECK(path_lookup(a, NULL, "a") == NULL && path_lookup(a, NULL, "") == NULL);
	CHECK(path_lookup(a, list, "a..b") == NULL);
	arena_free(a);
}

/* As forms write names. */
static void names_in_brackets(void)
{
	static const struct {
		int line;
		const char *path, *dotted, *found;
	} rows[] = {
	    {__LINE__, "address[city]", "address.city", "\"Rome\""},
	    {__LINE__, "[address][city]", "address.city", "\"Rome\""},
	    {__LINE__, "entry[0][changes][][value]", "entry.0.changes[].value",
		"{\"leadgen_id\":11}"},
	    {__LINE__, "entry[3].changes[1][value][leadgen_id]",
		"entry.3.changes.1.value.leadgen_id", "41"},
	    {__LINE__, "[a.b].c\\[d\\]", "a\\.b.c\\[d\\]", "\"odd\""},
	    {__LINE__, "address[0]", "address[0]", "\"zero\""},
	    {__LINE__, "address[town]", "address.town", NULL},
	};
	struct arena *a = arena_new();
	json_t *root = json_parse(a, str_from(document), NULL);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;
		struct path *p = path_compile(a, str_from(rows[i].path), &e), *again;
		json_t *value;

		CHECK_AT(rows[i].line, p != NULL && TEXT_EQ(path_text(p), rows[i].dotted));
		if (p == NULL)
			continue;
		again = path_compile(a, str_from(path_text(p)), &e);
		value = path_get(p, root);
		CHECK_AT(rows[i].line, again != NULL && path_get(again, root) == value);
		CHECK_AT(rows[i].line, (value != NULL) == (rows[i].found != NULL));
		if (value != NULL && rows[i].found != NULL)
			CHECK_AT(rows[i].line, TEXT_EQ(json_text(a, value).p, rows[i].found));
	}
	arena_free(a);
}

static void not_paths(void)
{
	static const char *const texts[] = {".", ".a", "a.", "a..b", "a[", "a]", "a[x", "a[[x]]",
	    "a[x\\]]", "a[-1]", "a[0", "a[0]b", "a[]b", "a[].", "[].[]", "a\\", "a\\x", "a.[0]",
	    "[", "]", "a[1.5]", "a[99999999999]", "\xFF"};
	struct arena *a = arena_new();
	char text[LIMIT_PATH_BYTES + 2];

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct err e = ERR_INIT;

		CU_assertImplementation(path_compile(a, str_from(texts[i]), &e) == NULL, __LINE__,
		    texts[i], __FILE__, "", CU_FALSE);
		CHECK(e.code == ERR_INVALID);
	}
	CHECK(path_compile(a, STR("a\0b"), NULL) == NULL);

	memset(text, 'a', sizeof(text));
	CHECK(path_compile(a, (struct str){text, LIMIT_PATH_BYTES}, NULL) != NULL);
	CHECK(path_compile(a, (struct str){text, LIMIT_PATH_BYTES + 1}, NULL) == NULL);
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = '.';
	CHECK(path_compile(a, (struct str){text, 2 * LIMIT_PATH_STEPS - 1}, NULL) != NULL);
	CHECK(path_compile(a, (struct str){text, 2 * LIMIT_PATH_STEPS + 1}, NULL) == NULL);
	arena_free(a);
}

static void sets(void)
{
	static const struct {
		int line;
		const char *before, *path, *after; /* after NULL: refused, nothing changed */
	} rows[] = {
	    {__LINE__, "{}", "a", "{\"a\":1}"},
	    {__LINE__, "{}", "a.b.c", "{\"a\":{\"b\":{\"c\":1}}}"},
	    {__LINE__, "{}", "a.0.b", "{\"a\":{\"0\":{\"b\":1}}}"},
	    {__LINE__, "{}", "a[0]", "{\"a\":{\"0\":1}}"},
	    {__LINE__, "{}", "a\\.b", "{\"a.b\":1}"},
	    {__LINE__, "{\"a\":{\"b\":2,\"c\":3}}", "a.b", "{\"a\":{\"b\":1,\"c\":3}}"},
	    {__LINE__, "{\"a\":{\"b\":[]}}", "a.b", "{\"a\":{\"b\":1}}"},
	    {__LINE__, "{\"a\":null}", "a.b", "{\"a\":{\"b\":1}}"},
	    {__LINE__, "{\"a\":2}", "a.b", NULL},
	    {__LINE__, "{\"a\":\"\"}", "a.b", NULL},
	    {__LINE__, "{\"a\":{\"b\":false}}", "a.b.c.d", NULL},
	    {__LINE__, "{\"a\":[{}]}", "a.0.b", NULL},
	    {__LINE__, "{\"a\":[1]}", "a.0", NULL},
	    {__LINE__, "{\"a\":[{}]}", "a[].b", NULL},
	    {__LINE__, "{}", "", NULL},
	    {__LINE__, "[]", "a", NULL},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *root = json_parse(a, str_from(rows[i].before), NULL);
		struct path *p = path_compile(a, str_from(rows[i].path), NULL);
		const char *after = rows[i].after ? rows[i].after : rows[i].before;
		struct err e = ERR_INIT;
		int rc = path_set(p, root, json_integer(1), &e);

		CHECK_AT(rows[i].line, rc == (rows[i].after ? 0 : -1));
		CHECK_AT(rows[i].line, e.code == (rows[i].after ? ERR_NONE : ERR_INVALID));
		CHECK_AT(rows[i].line, TEXT_EQ(json_text(a, root).p, after));
	}
	arena_free(a);
}

void suite_base_path(void);
void suite_base_path(void)
{
	ADD_TESTS("base/path", {"finds", finds}, {"collects", collects}, {"the root", the_root},
	    {"names in brackets", names_in_brackets}, {"not paths", not_paths}, {"sets", sets});
}
