#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "test-base.h"

static void validity(void)
{
	static const struct {
		int line;
		struct str text;
		bool is_valid;
	} rows[] = {
	    {__LINE__, {"", 0}, true},
	    {__LINE__, {"plain ASCII of some length", 26}, true},
	    {__LINE__, {"\x7F\x01", 2}, true},
	    {__LINE__, {"\0", 1}, false},
	    {__LINE__, {"eight678\0", 9}, false},
	    {__LINE__, {"abc\0efghijk", 11}, false},
	    {__LINE__, {"\xC2\x80", 2}, true},
	    {__LINE__, {"\xDF\xBF", 2}, true},
	    {__LINE__, {"\xE0\xA0\x80", 3}, true},
	    {__LINE__, {"\xED\x9F\xBF", 3}, true},
	    {__LINE__, {"\xEE\x80\x80", 3}, true},
	    {__LINE__, {"\xEF\xBF\xBF", 3}, true},
	    {__LINE__, {"\xF0\x90\x80\x80", 4}, true},
	    {__LINE__, {"\xF4\x8F\xBF\xBF", 4}, true},
	    {__LINE__,
		{"12345678\xF0\x9F\x98\x80"
		 "12345678",
		    20},
		true},
	    /* overlong forms */
	    {__LINE__, {"\xC0\x80", 2}, false},
	    {__LINE__, {"\xC1\xBF", 2}, false},
	    {__LINE__, {"\xE0\x9F\xBF", 3}, false},
	    {__LINE__, {"\xF0\x8F\xBF\xBF", 4}, false},
	    /* surrogates */
	    {__LINE__, {"\xED\xA0\x80", 3}, false},
	    {__LINE__, {"\xED\xBF\xBF", 3}, false},
	    /* beyond U+10FFFF, and bytes that never occur */
	    {__LINE__, {"\xF4\x90\x80\x80", 4}, false},
	    {__LINE__, {"\xF5\x80\x80\x80", 4}, false},
	    {__LINE__, {"\xFF", 1}, false},
	    /* stray and missing continuations */
	    {__LINE__, {"\x80", 1}, false},
	    {__LINE__, {"a\xBF", 2}, false},
	    {__LINE__, {"\xC3", 1}, false},
	    {__LINE__, {"\xC3(", 2}, false},
	    {__LINE__, {"\xE2\x82", 2}, false},
	    {__LINE__, {"\xE2\x82(", 3}, false},
	    {__LINE__, {"\xF0\x9F\x98", 3}, false},
	    {__LINE__, {"\xF0\x9F\x98(", 4}, false},
	    {__LINE__, {"12345678\xC3", 9}, false},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		/* A copy of the exact size, so that a sanitizer sees a read past it. */
		char *copy = malloc(rows[i].text.n ? rows[i].text.n : 1);
		struct str text = {copy, rows[i].text.n};

		memcpy(copy, rows[i].text.p, text.n);
		CHECK_AT(rows[i].line, utf8_is_valid(text) == rows[i].is_valid);
		free(copy);
	}
	CHECK(utf8_is_valid((struct str){NULL, 0}));
}

static void cutting(void)
{
	static const struct {
		int line;
		const char *text;
		size_t most, n;
	} rows[] = {
	    {__LINE__, "abc", 3, 3},
	    {__LINE__, "abc", 4, 3},
	    {__LINE__, "abc", 2, 2},
	    {__LINE__, "abc", 0, 0},
	    {__LINE__, "", 0, 0},
	    {__LINE__, "a\xC3\xA9z", 3, 3},
	    {__LINE__, "a\xC3\xA9z", 2, 1},
	    {__LINE__, "\xE2\x82\xAC\xE2\x82\xAC", 6, 6},
	    {__LINE__, "\xE2\x82\xAC\xE2\x82\xAC", 5, 3},
	    {__LINE__, "\xE2\x82\xAC\xE2\x82\xAC", 4, 3},
	    {__LINE__, "\xE2\x82\xAC\xE2\x82\xAC", 3, 3},
	    {__LINE__, "\xE2\x82\xAC", 2, 0},
	    {__LINE__, "\xF0\x9F\x98\x80", 3, 0},
	    {__LINE__, "x\xF0\x9F\x98\x80", 4, 1},
	    {__LINE__, "x\xF0\x9F\x98\x80", 5, 5},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_AT(
		    rows[i].line, utf8_cut(str_from(rows[i].text), rows[i].most).n == rows[i].n);
	CHECK(utf8_cut((struct str){NULL, 0}, 5).n == 0);
}

static void folding(void)
{
	static const struct {
		int line;
		const char *text, *folded;
	} rows[] = {
	    {__LINE__, "", ""},
	    {__LINE__, "Hello, World 42", "hello, world 42"},
	    {__LINE__, "Caf\xC3\xA9", "cafe"},
	    {__LINE__, "CAFE\xCC\x81", "cafe"},
	    {__LINE__, "M\xC3\x9CLLER", "muller"},
	    {__LINE__,
		"Stra\xC3\x9F"
		"e",
		"strasse"},
	    {__LINE__, "STRASSE", "strasse"},
	    {__LINE__, "\xEF\xBC\xA1\xEF\xBC\xA2\xEF\xBC\x91", "ab1"}, /* full width */
	    {__LINE__, "\xEF\xAC\x81n", "fin"},                        /* ligature */
	    {__LINE__, "\xC4\xB0stanbul", "istanbul"},                 /* dotted capital I */
	    {__LINE__, "\xCE\xA3\xCE\xAF\xCF\x82", "\xCF\x83\xCE\xB9\xCF\x83"}, /* final sigma */
	    {__LINE__, "\xD0\x99", "\xD0\xB8"},                                 /* short i */
	    {__LINE__, "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
	    {__LINE__, "Nguy\xE1\xBB\x85n", "nguyen"},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *folded = utf8_fold(a, str_from(rows[i].text));

		CHECK_AT(rows[i].line, folded && TEXT_EQ(folded, rows[i].folded));
	}
	CHECK(utf8_fold(a, STR("a\xFF")) == NULL);
	CHECK(utf8_fold(a, STR("a\0b")) == NULL);
	arena_free(a);
}

/* U+FDFA becomes eighteen characters, three of them blanks: the longest decomposition there is. */
static void folding_makes_room(void)
{
	struct arena *a = arena_new();
	char text[301];

	for (size_t i = 0; i < 100; i++)
		memcpy(text + 3 * i, "\xEF\xB7\xBA", 4);
	CHECK(strlen(utf8_fold(a, str_from(text))) == (15 * 2 + 3) * 100);
	arena_free(a);
}

/* What comes out is text, and no longer than asked. */
static void cleaning(void)
{
	static const struct {
		int line;
		struct str text;
		size_t most;
		const char *clean;
	} rows[] = {
	    {__LINE__, {"", 0}, 10, ""},
	    {__LINE__, {"abc", 3}, 10, "abc"},
	    {__LINE__, {"abc", 3}, 3, "abc"},
	    {__LINE__, {"abcd", 4}, 3, "abc"},
	    {__LINE__, {"ab\xC3\xA4", 4}, 3, "ab"},
	    {__LINE__, {"ab\xC3\xA4", 4}, 4, "ab\xC3\xA4"},
	    {__LINE__, {"a\0b", 3}, 10,
		"a\xEF\xBF\xBD"
		"b"},
	    {__LINE__,
		{"a\xFF"
		 "b",
		    3},
		10,
		"a\xEF\xBF\xBD"
		"b"},
	    {__LINE__,
		{"a\xFF"
		 "b",
		    3},
		4, "a\xEF\xBF\xBD"},
	    {__LINE__,
		{"a\xFF"
		 "b",
		    3},
		3, "a"},
	    {__LINE__, {"\xC3", 1}, 10, "\xEF\xBF\xBD"},
	    {__LINE__, {"\xED\xA0\x80", 3}, 10, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
	    {__LINE__, {"\x80\x80\x80\x80", 4}, 3, "\xEF\xBF\xBD"},
	    {__LINE__, {"\xF0\x9F\x98\x80\xF0\x9F", 6}, 8, "\xF0\x9F\x98\x80\xEF\xBF\xBD"},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str clean = utf8_clean(a, rows[i].text, rows[i].most);

		CHECK_AT(rows[i].line, str_is(clean, rows[i].clean));
		CHECK_AT(rows[i].line, clean.n <= rows[i].most && utf8_is_valid(clean));
	}
	CHECK(utf8_clean(a, (struct str){NULL, 0}, 5).p == NULL);
	arena_free(a);
}

void suite_base_utf8(void);
void suite_base_utf8(void)
{
	ADD_TESTS("base/utf8", {"validity", validity}, {"cutting", cutting}, {"cleaning", cleaning},
	    {"folding", folding}, {"folding makes room", folding_makes_room});
}
