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
	    {__LINE__, "Anna\xE2\x80\x91Lena\xC2\xA0Kolb", "anna-lena kolb"},
	    {__LINE__, "\xD9\xA0\xD9\xA3\xD9\xA0 \xE0\xA5\xA8", "030 2"},
	    {__LINE__,
		"\xEF\xBB\xBFMi\xE2\x80\x8B"
		"a\xE2\x80\x8D",
		"mia"},
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

/* Blanks and marks at the ends fall, and joiners but for those of a letter. */
static void trimming(void)
{
	static const struct {
		int line;
		const char *text, *trimmed;
	} rows[] = {
	    {__LINE__, "", ""},
	    {__LINE__, " \t\r\na b\v\f ", "a b"},
	    {__LINE__, "\xC2\xA0\xE3\x80\x80x\xE2\x80\xA8\xC2\x85", "x"},
	    {__LINE__, "\xEF\xBB\xBF\xE2\x80\x8B\xE2\x80\xAAx\xE2\x80\xAC\xE2\x81\xA9\xC2\xAD",
		"x"},
	    {__LINE__, "a\xC2\xA0z", "a\xC2\xA0z"},
	    {__LINE__, "\xE2\x80\x8D\xC3\xA4\xE2\x80\x8C", "\xC3\xA4"},
	    {__LINE__, "\xD9\x85\xE2\x80\x8C\xD8\xB1", "\xD9\x85\xE2\x80\x8C\xD8\xB1"},
	    /* Malayalam: na, virama, joiner are one letter */
	    {__LINE__, "\xE0\xB4\xA8\xE0\xB5\x8D\xE2\x80\x8D ",
		"\xE0\xB4\xA8\xE0\xB5\x8D\xE2\x80\x8D"},
	    {__LINE__, " \xC3 ", "\xC3"},
	    {__LINE__, "\x85\xA0", "\x85\xA0"}, /* no UTF-8 */
	    {__LINE__, "\xE2\x80\x8B\xC2\xA0", ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_AT(rows[i].line, str_is(utf8_trim(str_from(rows[i].text)), rows[i].trimmed));
	CHECK(utf8_trim((struct str){NULL, 0}).p == NULL);
}

/* What is kept to be shown, and what is parsed. */
static void folding_signs(void)
{
	static const struct {
		int line;
		const char *text, *shown, *parsed;
		bool has_gap;
	} rows[] = {
	    {__LINE__, "", "", "", false},
	    {__LINE__, "Mia", "Mia", "Mia", false},
	    {__LINE__, " Mia\n\tKolb ", "Mia Kolb", " Mia  Kolb ", true},
	    {__LINE__, "Mia\xE3\x80\x80Kolb", "Mia Kolb", "Mia Kolb", true},
	    {__LINE__,
		"\xE2\x80\xAEMi\xE2\x80\x8B"
		"a\xE2\x80\xAC",
		"Mia", "Mia", true},
	    {__LINE__, "\xD9\x85\xE2\x80\x8C\xD8\xB1", "\xD9\x85\xE2\x80\x8C\xD8\xB1",
		"\xD9\x85\xD8\xB1", true},
	    {__LINE__, "Lena\xE2\x80\x91Marie", "Lena\xE2\x80\x91Marie", "Lena-Marie", false},
	    {__LINE__, "\xE2\x80\x90\xE2\x80\x93\xE2\x80\x94\xE2\x88\x92\xEF\xBC\x8D\xEF\xB9\xA3",
		"\xE2\x80\x90\xE2\x80\x93\xE2\x80\x94\xE2\x88\x92\xEF\xBC\x8D\xEF\xB9\xA3",
		"------", false},
	    /* Arabic, Persian, Devanagari, Bengali, full width, Osmanya, mathematical */
	    {__LINE__,
		"\xD9\xA0\xD9\xA9\xDB\xB7\xE0\xA5\xA6\xE0\xA5\xAF\xE0\xA7\xAD\xEF\xBC\x90\xEF\xBC"
		"\x99\xF0\x90\x92\xA1\xF0\x9D\x9F\x8E\xF0\x9D\x9F\xBF",
		NULL, "09709709109", false},
	    {__LINE__, "\xEF\xBC\x8B\xEF\xBC\x94\xEF\xBC\x99\xEF\xBC\xA0", NULL, "+49@", false},
	    {__LINE__, "\xC3 \x85", "\xC3 \x85", "\xC3 \x85", true},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str s = str_from(rows[i].text);

		CHECK_AT(rows[i].line,
		    rows[i].shown == NULL || str_is(utf8_fold_blanks(a, s), rows[i].shown));
		CHECK_AT(rows[i].line, str_is(utf8_fold_signs(a, s), rows[i].parsed));
		CHECK_AT(rows[i].line, utf8_has_gap(s) == rows[i].has_gap);
	}
	arena_free(a);
}

static void lowering(void)
{
	static const struct {
		int line;
		const char *text, *low;
	} rows[] = {
	    {__LINE__, "Mia@EXAMPLE.com", "mia@example.com"},
	    {__LINE__, "J\xC3\x9CRGEN", "j\xC3\xBCrgen"},
	    {__LINE__, "\xD0\x96\xCE\xA3", "\xD0\xB6\xCF\x83"},
	    {__LINE__, "\xC8\xBA", "\xE2\xB1\xA5"}, /* one byte longer */
	    {__LINE__, "\xE5\xB1\xB1\xFF", "\xE5\xB1\xB1\xFF"},
	};
	struct arena *a = arena_new();
	size_t n;

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_AT(rows[i].line, str_is(utf8_lower(a, str_from(rows[i].text)), rows[i].low));
	CHECK(utf8_point(STR("\xE5\xB1\xB1x"), &n) == 0x5C71 && n == 3);
	CHECK(utf8_point(STR("\xE5\xB1"), &n) == 0xFFFD && n == 1);
	arena_free(a);
}

static void composing(void)
{
	static const struct {
		int line;
		const char *text, *composed, *folded;
	} rows[] = {
	    {__LINE__, "", "", ""},
	    {__LINE__, "Ab c", "Ab c", "ab c"},
	    {__LINE__, "O\xCC\x88", "\xC3\x96", "\xC3\xB6"},
	    {__LINE__, "\xE1\x84\x92\xE1\x85\xA1", "\xED\x95\x98", "\xED\x95\x98"},
	    {__LINE__, "\xEF\xBC\xA1", "\xEF\xBC\xA1", "\xEF\xBD\x81"},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str s = str_from(rows[i].text);

		CHECK_AT(rows[i].line, str_is(utf8_compose(a, s, false), rows[i].composed));
		CHECK_AT(rows[i].line, str_is(utf8_compose(a, s, true), rows[i].folded));
	}
	CHECK(utf8_compose(a, STR("\xC3"), true).p == NULL);
	arena_free(a);
}

static void signs(void)
{
	static const struct {
		int line;
		const char *text;
		uint64_t two, more, stray;
		size_t cut;
	} rows[] = {
	    {__LINE__, "plain text of ASCII", 0, 0, 0, 0},
	    {__LINE__, "K\xC3\xB6ln \xC5\x81 \xE2\x82\xAC \xF0\x9F\x98\x80", 2, 2, 0, 0},
	    {__LINE__, "caf\xE9s na\xEFve", 0, 0, 2, 0},
	    {__LINE__, "\xC3\xB6 caf\xE9 x", 1, 0, 1, 0},
	    {__LINE__, "caf\xE9", 0, 0, 0, 1}, /* more may come */
	    {__LINE__, "x\xF0\x9F\x98", 0, 0, 0, 3},
	    {__LINE__, "x\x9F\x98", 0, 0, 2, 0},
	    {__LINE__, "\xFF\xC0\xC1", 0, 0, 3, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct utf8_signs found = {0, 0, 0};

		CHECK_AT(
		    rows[i].line, utf8_count_signs(str_from(rows[i].text), &found) == rows[i].cut);
		CHECK_AT(rows[i].line, found.two == rows[i].two && found.more == rows[i].more &&
					   found.stray == rows[i].stray);
	}
}

/* However the bytes are cut, the same text comes out, and its length is that of the bytes. */
static void utf16(void)
{
	static const char little[] = "a\0\xE9\0\xAC\x20\x3D\xD8\0\xDEz\0",
			  big[] = "\0a\0\xE9\x20\xAC\xD8\x3D\xDE\0\0z",
			  text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
	char out[64];
	size_t used;

	CHECK(utf16_length(STR("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z")) == 12);
	for (size_t cut = 0; cut <= 12; cut++) {
		size_t n = utf16_decode(out, (struct str){little, cut}, false, false, &used), more;

		CHECK(used <= cut && cut - used < 4);
		n += utf16_decode(
		    out + n, (struct str){little + used, 12 - used}, false, true, &more);
		CHECK(used + more == 12 && str_is((struct str){out, n}, text));
		n = utf16_decode(out, (struct str){big, cut}, true, false, &used);
		n += utf16_decode(out + n, (struct str){big + used, 12 - used}, true, true, &more);
		CHECK(used + more == 12 && str_is((struct str){out, n}, text));
	}
	/* halves of a pair */
	CHECK(str_is(
	    (struct str){out, utf16_decode(out, STR("\x3D\xD8x\0\0\xDE"), false, true, &used)},
	    "\xEF\xBF\xBDx\xEF\xBF\xBD"));
	CHECK(utf16_decode(out, STR("\x3D\xD8"), false, false, &used) == 0 && used == 0);
	CHECK(utf16_decode(out, STR("\x3D\xD8"), false, true, &used) == 3 && used == 2);
}

static void windows_1252(void)
{
	char out[32];

	CHECK(str_is((struct str){out, windows_1252_decode(out, STR("a\x80\x93\xE9\x81"))},
	    "a\xE2\x82\xAC\xE2\x80\x9C\xC3\xA9\xC2\x81"));
	CHECK(windows_1252_is_valid(STR("a\x80\x93\xE9")) && !windows_1252_is_valid(STR("\x81")) &&
	      !windows_1252_is_valid(STR("x\x9D")));
}

void suite_base_utf8(void);
void suite_base_utf8(void)
{
	ADD_TESTS("base/utf8", {"validity", validity}, {"cutting", cutting}, {"cleaning", cleaning},
	    {"folding", folding}, {"folding makes room", folding_makes_room},
	    {"trimming", trimming}, {"folding signs", folding_signs}, {"lowering", lowering},
	    {"composing", composing}, {"signs", signs}, {"UTF-16", utf16},
	    {"Windows-1252", windows_1252});
}
