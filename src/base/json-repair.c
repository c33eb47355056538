/* One walk over the text that knows no more of JSON than where a string begins and ends:
 *
 *	outside   byte-order marks at the start go, a NUL is a blank
 *	in a      \uD83D alone, \u0000, a NUL, bytes that are no UTF-8 become U+FFFD;
 *	string    raw control characters are escaped, so that they stay
 *
 * Everything else is copied, in runs; the parser judges it. */
#include "base/json-repair.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define ESCAPE_BYTES 6             /* \uXXXX */

struct repair {
	struct buf *b;
	struct str in;
	size_t i, copied; /* read so far, of which this much is copied */
	unsigned done;
};

/* Puts text in the place of the next n bytes. */
static void repair_replace(struct repair *r, size_t n, const char *text, unsigned what)
{
	buf_add(r->b, r->in.p + r->copied, r->i - r->copied);
	buf_str(r->b, text);
	r->i += n;
	r->copied = r->i;
	r->done |= what;
}

/* The code unit of the \uXXXX at i, or -1: there is none. */
static int escape_unit(struct str s, size_t i)
{
	unsigned char bytes[2];

	if (s.n - i < ESCAPE_BYTES || s.p[i] != '\\' || s.p[i + 1] != 'u' ||
	    hex_decode(bytes, 2, (struct str){s.p + i + 2, 4}) != 2)
		return -1;
	return bytes[0] << 8 | bytes[1];
}

static bool is_high_half(int unit)
{
	return unit >= 0xD800 && unit < 0xDC00;
}

static bool is_low_half(int unit)
{
	return unit >= 0xDC00 && unit < 0xE000;
}

static void repair_escape(struct repair *r)
{
	int unit = escape_unit(r->in, r->i), next;

	if (unit == 0) {
		repair_replace(r, ESCAPE_BYTES, REPLACEMENT, JSON_REPAIR_NUL);
	} else if (is_low_half(unit)) {
		repair_replace(r, ESCAPE_BYTES, REPLACEMENT, JSON_REPAIR_SURROGATE);
	} else if (is_high_half(unit)) {
		next = r->in.n - r->i > ESCAPE_BYTES ? escape_unit(r->in, r->i + ESCAPE_BYTES) : -1;
		if (is_low_half(next))
			r->i += 2 * ESCAPE_BYTES;
		else
			repair_replace(r, ESCAPE_BYTES, REPLACEMENT, JSON_REPAIR_SURROGATE);
	} else {
		r->i += r->in.n - r->i > 1 ? 2 : 1;
	}
}

static void repair_in_string(struct repair *r)
{
	unsigned char c = (unsigned char)r->in.p[r->i];
	char escape[ESCAPE_BYTES + 1];
	size_t n;

	if (c == '\\') {
		repair_escape(r);
	} else if (c == '\0') {
		repair_replace(r, 1, REPLACEMENT, JSON_REPAIR_NUL);
	} else if (c < 0x20) {
		snprintf(escape, sizeof(escape), "\\u%04x", c);
		repair_replace(r, 1, escape, JSON_REPAIR_CONTROL);
	} else if (c < 0x80) {
		r->i++;
	} else if (utf8_point((struct str){r->in.p + r->i, r->in.n - r->i}, &n) == 0xFFFD &&
		   n == 1) {
		repair_replace(r, 1, REPLACEMENT, JSON_REPAIR_BYTES);
	} else {
		r->i += n;
	}
}

unsigned json_repair(struct buf *b, struct str text)
{
	struct repair r = {.b = b, .in = text};
	bool is_in_string = false;

	while (str_starts((struct str){text.p + r.i, text.n - r.i}, "\xEF\xBB\xBF"))
		repair_replace(&r, 3, "", JSON_REPAIR_MARK);
	while (r.i < text.n) {
		if (text.p[r.i] == '"') {
			is_in_string = !is_in_string;
			r.i++;
		} else if (is_in_string) {
			repair_in_string(&r);
		} else if (text.p[r.i] == '\0') {
			repair_replace(&r, 1, " ", JSON_REPAIR_NUL);
		} else {
			r.i++;
		}
	}
	buf_add(b, text.p + r.copied, text.n - r.copied);
	return r.done;
}

/* A mark, or the NUL bytes of two characters of ASCII, as JSON begins. */
struct str json_repair_utf16(struct arena *a, struct str text, unsigned *done)
{
	const char *p = text.p;
	bool is_big_endian, is_marked;
	size_t n, used;
	char *out;

	if (text.n < 4 || text.n % 2 != 0)
		return text;
	is_marked = memcmp(p, "\xFF\xFE", 2) == 0 || memcmp(p, "\xFE\xFF", 2) == 0;
	is_big_endian = is_marked ? p[0] == '\xFE' : p[0] == '\0';
	if (!is_marked && (p[0] == '\0') == (p[1] == '\0'))
		return text;
	if (!is_marked && ((p[2] == '\0') != is_big_endian || (p[3] == '\0') == is_big_endian))
		return text;
	out = arena_alloc(a, text.n / 2 * 3 + 1);
	n = utf16_decode(out, text, is_big_endian, true, &used);
	*done |= JSON_REPAIR_UTF16;
	return (struct str){out, n};
}
