/* Text forms of bytes: hex, base64, base64url (RFC 4648) and percent encoding (RFC 3986). */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";
static const char alphabet_std[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void hex_encode(struct buf *b, const void *p, size_t n)
{
	const unsigned char *in = p;
	char out[128];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		out[len++] = hex_lower[in[i] >> 4];
		out[len++] = hex_lower[in[i] & 15];
		if (len == sizeof(out)) {
			buf_add(b, out, len);
			len = 0;
		}
	}
	buf_add(b, out, len);
}

long hex_decode(void *out, size_t cap, struct str s)
{
	unsigned char *o = out;

	if (s.n % 2 || s.n / 2 > cap)
		return -1;
	for (size_t i = 0; i < s.n; i += 2) {
		int high = hex_digit(s.p[i]), low = hex_digit(s.p[i + 1]);

		if (high < 0 || low < 0)
			return -1;
		*o++ = (unsigned char)(high << 4 | low);
	}
	return (long)(s.n / 2);
}

static void base64_encode_with(
    struct buf *b, const unsigned char *in, size_t n, const char *alphabet, bool is_padded)
{
	char out[128];
	size_t len = 0;

	for (; n >= 3; in += 3, n -= 3) {
		unsigned v = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];

		out[len++] = alphabet[v >> 18];
		out[len++] = alphabet[v >> 12 & 63];
		out[len++] = alphabet[v >> 6 & 63];
		out[len++] = alphabet[v & 63];
		if (len == sizeof(out)) {
			buf_add(b, out, len);
			len = 0;
		}
	}
	if (n) {
		unsigned v = (unsigned)in[0] << 16 | (n == 2 ? (unsigned)in[1] << 8 : 0);

		out[len++] = alphabet[v >> 18];
		out[len++] = alphabet[v >> 12 & 63];
		if (n == 2)
			out[len++] = alphabet[v >> 6 & 63];
		else if (is_padded)
			out[len++] = '=';
		if (is_padded)
			out[len++] = '=';
	}
	buf_add(b, out, len);
}

void base64_encode(struct buf *b, const void *p, size_t n)
{
	base64_encode_with(b, p, n, alphabet_std, true);
}

void base64url_encode(struct buf *b, const void *p, size_t n)
{
	base64_encode_with(b, p, n, alphabet_url, false);
}

/* The six bits a character stands for, or -1; c62 and c63 are what the two alphabets differ in. */
static int base64_digit(char c, char c62, char c63)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == c62 ? 62 : c == c63 ? 63 : -1;
}

/* Digits without padding. Bits left over at the end must be zero: one value, one text. */
static long base64_decode_with(unsigned char *out, size_t cap, struct str s, char c62, char c63)
{
	uint32_t v = 0;
	size_t len = 0;
	unsigned bits = 0;

	if (s.n % 4 == 1 || s.n / 4 * 3 + (s.n % 4 ? s.n % 4 - 1 : 0) > cap)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		int d = base64_digit(s.p[i], c62, c63);

		if (d < 0)
			return -1;
		v = v << 6 | (uint32_t)d;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[len++] = (unsigned char)(v >> bits);
			v &= (1u << bits) - 1;
		}
	}
	return v == 0 ? (long)len : -1;
}

long base64_decode(void *out, size_t cap, struct str s)
{
	if (s.n % 4)
		return -1;
	for (int i = 0; i < 2 && s.n && s.p[s.n - 1] == '='; i++)
		s.n--;
	return base64_decode_with(out, cap, s, '+', '/');
}

long base64url_decode(void *out, size_t cap, struct str s)
{
	return base64_decode_with(out, cap, s, '-', '_');
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void percent_encode(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char out[3] = {'%', hex_upper[c >> 4], hex_upper[c & 15]};

		if (is_unreserved(s.p[i]))
			buf_chr(b, s.p[i]);
		else
			buf_add(b, out, sizeof(out));
	}
}

long percent_decode(char *out, size_t cap, struct str s, bool plus)
{
	size_t len = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			int high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
			int low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -1;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c == '\0' || len == cap)
			return -1;
		out[len++] = c;
	}
	if (len < cap)
		out[len] = '\0';
	return (long)len;
}
