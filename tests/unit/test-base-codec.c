#include <stdlib.h>

#include "base/buf.h"
#include "base/str.h"
#include "test-base.h"

/* RFC 4648 §10, and the bytes that tell the two alphabets apart. */
static const struct {
	int line;
	struct str plain;
	const char *base64, *base64url, *hex;
} vectors[] = {
    {__LINE__, {"", 0}, "", "", ""},
    {__LINE__, {"f", 1}, "Zg==", "Zg", "66"},
    {__LINE__, {"fo", 2}, "Zm8=", "Zm8", "666f"},
    {__LINE__, {"foo", 3}, "Zm9v", "Zm9v", "666f6f"},
    {__LINE__, {"foob", 4}, "Zm9vYg==", "Zm9vYg", "666f6f62"},
    {__LINE__, {"fooba", 5}, "Zm9vYmE=", "Zm9vYmE", "666f6f6261"},
    {__LINE__, {"foobar", 6}, "Zm9vYmFy", "Zm9vYmFy", "666f6f626172"},
    {__LINE__, {"\xFB\xFF\xFE\0", 4}, "+//+AA==", "-__-AA", "fbfffe00"},
};

static void vectors_both_ways(void)
{
	for (size_t i = 0; i < COUNT(vectors); i++) {
		struct str plain = vectors[i].plain;
		char out[32];
		struct buf b;

		buf_init(&b, 100);
		base64_encode(&b, plain.p, plain.n);
		CHECK_AT(vectors[i].line, TEXT_EQ(b.p, vectors[i].base64));
		CHECK_AT(
		    vectors[i].line, base64_decode(out, plain.n, str_from(b.p)) == (long)plain.n);
		CHECK_AT(vectors[i].line, memcmp(out, plain.p, plain.n) == 0);
		buf_reset(&b);
		base64url_encode(&b, plain.p, plain.n);
		CHECK_AT(vectors[i].line, TEXT_EQ(b.p, vectors[i].base64url));
		CHECK_AT(vectors[i].line,
		    base64url_decode(out, plain.n, str_from(b.p)) == (long)plain.n);
		CHECK_AT(vectors[i].line, memcmp(out, plain.p, plain.n) == 0);
		buf_reset(&b);
		hex_encode(&b, plain.p, plain.n);
		CHECK_AT(vectors[i].line, TEXT_EQ(b.p, vectors[i].hex));
		CHECK_AT(vectors[i].line, hex_decode(out, plain.n, str_from(b.p)) == (long)plain.n);
		CHECK_AT(vectors[i].line, memcmp(out, plain.p, plain.n) == 0);
		buf_fini(&b);
	}
}

static void refusals(void)
{
	static const char *const not_base64[] = {"Z", "Zg",
	    "Zg=", "Zg===", "=Zg=", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n",
	    "Z-==", "Z_8=", "====", "==", "Zg==Zg==", "Zm9vA"};
	static const char *const not_base64url[] = {
	    "Z", "Zg==", "Zh", "Zm9", "Z+8", "Z/8", "Zm9vY"};
	static const char *const not_hex[] = {"6", "6g", "0x66", "66 ", "66\n", "6\xC3\xA9"};
	char out[32];

	for (size_t i = 0; i < COUNT(not_base64); i++)
		CHECK(base64_decode(out, sizeof(out), str_from(not_base64[i])) == -1);
	for (size_t i = 0; i < COUNT(not_base64url); i++)
		CHECK(base64url_decode(out, sizeof(out), str_from(not_base64url[i])) == -1);
	for (size_t i = 0; i < COUNT(not_hex); i++)
		CHECK(hex_decode(out, sizeof(out), str_from(not_hex[i])) == -1);
	CHECK(base64_decode(out, 5, STR("Zm9vYmFy")) == -1);
	CHECK(base64_decode(out, 4, STR("Zm9vYmE=")) == -1);
	CHECK(hex_decode(out, 2, STR("666f6f")) == -1);
	CHECK(hex_decode(out, 3, STR("666F6f")) == 3 && memcmp(out, "foo", 3) == 0);
}

static void long_texts(void)
{
	unsigned char plain[1000], out[1000];
	struct buf b;

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (unsigned char)(i * 7 + i / 256);
	buf_init(&b, 4000);
	for (size_t n = 80; n < sizeof(plain); n += 61) {
		buf_reset(&b);
		base64_encode(&b, plain, n);
		CHECK(b.len == (n + 2) / 3 * 4);
		CHECK(base64_decode(out, sizeof(out), (struct str){b.p, b.len}) == (long)n);
		CHECK(memcmp(out, plain, n) == 0);
		buf_reset(&b);
		hex_encode(&b, plain, n);
		CHECK(b.len == 2 * n);
		CHECK(hex_decode(out, sizeof(out), (struct str){b.p, b.len}) == (long)n);
		CHECK(memcmp(out, plain, n) == 0);
	}
	buf_fini(&b);
}

static void percent(void)
{
	static const struct {
		int line;
		const char *text;
		bool plus;
		const char *plain; /* NULL: refused */
	} rows[] = {
	    {__LINE__, "", false, ""},
	    {__LINE__, "a%20b", false, "a b"},
	    {__LINE__, "a+b", false, "a+b"},
	    {__LINE__, "a+b%2B", true, "a b+"},
	    {__LINE__, "%C3%a9", true, "\xC3\xA9"},
	    {__LINE__, "100%25", true, "100%"},
	    {__LINE__, "%2520", true, "%20"},
	    {__LINE__, "%", false, NULL},
	    {__LINE__, "%2", false, NULL},
	    {__LINE__, "a%2", false, NULL},
	    {__LINE__, "%2g", false, NULL},
	    {__LINE__, "%g2", false, NULL},
	    {__LINE__, "%%20", false, NULL},
	    {__LINE__, "a%00b", false, NULL},
	};
	char out[64], place[] = "x%41y";
	struct buf b;

	for (size_t i = 0; i < COUNT(rows); i++) {
		long n = percent_decode(out, sizeof(out), str_from(rows[i].text), rows[i].plus);

		CHECK_AT(rows[i].line, (n >= 0) == (rows[i].plain != NULL));
		if (n >= 0 && rows[i].plain)
			CHECK_AT(rows[i].line, TEXT_EQ(out, rows[i].plain));
	}
	CHECK(percent_decode(out, sizeof(out), STR("a\0b"), false) == -1);
	CHECK(percent_decode(out, 2, STR("abc"), false) == -1);
	CHECK(percent_decode(out, 3, STR("a%62c"), false) == 3);
	CHECK(percent_decode(place, sizeof(place), str_from(place), false) == 3);
	CHECK(TEXT_EQ(place, "xAy"));

	buf_init(&b, 1000);
	percent_encode(&b, STR("az-AZ_09.~ /?&=+%\xC3\xA9\n"));
	CHECK(TEXT_EQ(b.p, "az-AZ_09.~%20%2F%3F%26%3D%2B%25%C3%A9%0A"));
	buf_fini(&b);
}

void suite_base_codec(void);
void suite_base_codec(void)
{
	ADD_TESTS("base/codec", {"vectors both ways", vectors_both_ways}, {"refusals", refusals},
	    {"long texts", long_texts}, {"percent", percent});
}
