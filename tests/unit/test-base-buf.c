#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "test-base.h"

static void grows_and_ends_with_nul(void)
{
	struct buf b;

	buf_init(&b, 1u << 20);
	CHECK(TEXT_EQ(b.p, "") && b.len == 0 && buf_ok(&b));
	for (int i = 0; i < 100000; i++)
		buf_chr(&b, (char)('a' + i % 26));
	CHECK(b.len == 100000 && b.p[b.len] == '\0');
	CHECK(b.p[0] == 'a' && b.p[99999] == 'a' + 99999 % 26);
	CHECK(b.cap <= b.max + 1);
	buf_fini(&b);
	CHECK(TEXT_EQ(b.p, "") && b.cap == 0);
	buf_fini(&b);
}

static void adds_every_kind(void)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_str(&b, "ab");
	buf_str(&b, NULL);
	buf_add(&b, "c\0d", 3);
	buf_add(&b, NULL, 0);
	buf_chr(&b, 'e');
	buf_printf(&b, "[%d]", 42);
	CHECK(b.len == 10 && memcmp(b.p, "abc\0de[42]", 11) == 0);
	buf_reset(&b);
	buf_u32(&b, 0x04030201u);
	buf_u64(&b, UINT64_C(0x0C0B0A0908070605));
	CHECK(b.len == 12 && memcmp(b.p, "\1\2\3\4\5\6\7\x8\x9\xA\xB\xC", 12) == 0);
	buf_fini(&b);
}

static void stops_at_its_maximum(void)
{
	struct buf b;

	buf_init(&b, 10);
	buf_str(&b, "0123456789");
	CHECK(buf_ok(&b) && b.len == 10 && b.p[10] == '\0');
	buf_chr(&b, 'x');
	CHECK(!buf_ok(&b));
	CHECK(b.len == 10 && TEXT_EQ(b.p, "0123456789"));
	buf_reset(&b);
	CHECK(buf_ok(&b) && b.len == 0 && TEXT_EQ(b.p, ""));
	buf_str(&b, "01234567890"); /* as a whole or not at all */
	CHECK(!buf_ok(&b) && b.len == 0);
	buf_str(&b, "0"); /* and nothing after it */
	CHECK(b.len == 0);
	buf_fini(&b);

	buf_init(&b, 0);
	buf_add(&b, "", 0);
	CHECK(buf_ok(&b));
	buf_chr(&b, 'x');
	CHECK(!buf_ok(&b) && TEXT_EQ(b.p, ""));
	buf_fini(&b);
}

static void formats_up_to_its_maximum(void)
{
	static const struct {
		int line, width;
		size_t max;
		bool is_ok;
	} rows[] = {
	    {__LINE__, 255, 255, true},
	    {__LINE__, 256, 255, false},
	    {__LINE__, 256, 256, true},
	    {__LINE__, 2000, 2000, true},
	    {__LINE__, 2001, 2000, false},
	    {__LINE__, 0, 0, true},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b;

		buf_init(&b, rows[i].max);
		buf_printf(&b, "%*s", rows[i].width, "");
		CHECK_AT(rows[i].line, buf_ok(&b) == rows[i].is_ok);
		CHECK_AT(rows[i].line, b.len == (rows[i].is_ok ? (size_t)rows[i].width : 0));
		CHECK_AT(rows[i].line, strlen(b.p) == b.len);
		buf_fini(&b);
	}
}

static void the_arena_releases_it(void)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 100);

	buf_str(b, "released with the arena");
	CHECK(b->len == 23);
	arena_free(a);
}

static void any_maximum_is_fine(void)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	buf_str(&b, "abc");
	CHECK(buf_ok(&b) && TEXT_EQ(b.p, "abc"));
	buf_add(&b, "abc", SIZE_MAX - 1);
	CHECK(!buf_ok(&b) && b.len == 3);
	buf_fini(&b);
}

void suite_base_buf(void);
void suite_base_buf(void)
{
	ADD_TESTS("base/buf", {"grows and ends with NUL", grows_and_ends_with_nul},
	    {"adds every kind", adds_every_kind}, {"stops at its maximum", stops_at_its_maximum},
	    {"formats up to its maximum", formats_up_to_its_maximum},
	    {"the arena releases it", the_arena_releases_it},
	    {"any maximum is fine", any_maximum_is_fine});
}
