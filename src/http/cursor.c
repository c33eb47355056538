/* The conventions of lists: page queries, envelopes, cursors. */
#include <string.h>

#include "base/limits.h"
#include "crypto/hash.h"
#include "http/conn.h"

#define CURSOR_BODY 24u /* int64 big-endian, id */
#define CURSOR_MAC 16u  /* HMAC-SHA256, cut: 128 bits are out of reach for guessing */
#define CURSOR_BYTES (CURSOR_BODY + CURSOR_MAC)

static unsigned char cursor_key[32];

void cursor_key_set(const unsigned char key[32])
{
	memcpy(cursor_key, key, sizeof(cursor_key));
}

bool req_page_query(struct req *r, struct page_query *out)
{
	struct str limit = req_query(r, "limit"), page = req_query(r, "page");
	bool good = true;

	out->limit = LIMIT_PAGE_DEFAULT;
	out->page = 1;
	out->cursor = req_query(r, "cursor");
	if (out->cursor.n == 0)
		out->cursor = (struct str){NULL, 0};
	if (limit.n != 0 && !str_to_i64(limit, 1, LIMIT_PAGE_ROWS, &out->limit)) {
		req_invalid(r, "limit", "must be a number from 1 to %d", LIMIT_PAGE_ROWS);
		good = false;
	}
	if (page.n != 0 && !str_to_i64(page, 1, LIMIT_PAGE_NUMBER, &out->page)) {
		req_invalid(r, "page", "must be a number from 1 to %d; beyond it use nextCursor",
		    LIMIT_PAGE_NUMBER);
		good = false;
	}
	if (out->cursor.p != NULL)
		out->page = 0;
	return good;
}

json_t *page_envelope(
    const struct page_query *q, json_t *data, int64_t total, bool exact, const char *next)
{
	json_t *o = json_object();

	json_set(o, "data", data);
	json_set_int(o, "page", q->page);
	json_set_int(o, "limit", q->limit);
	if (total < 0)
		json_set(o, "total", json_null());
	else
		json_set_int(o, "total", total);
	json_set_bool(o, "totalIsExact", exact && total >= 0);
	json_set_str(o, "nextCursor", next);
	return o;
}

static void seal(
    const char *scope, const unsigned char body[CURSOR_BODY], unsigned char mac[SHA256_SIZE])
{
	/* The body has one length, so body then scope cannot be cut in two ways. */
	const struct str parts[] = {
	    STR("connect cursor 1"), {(const char *)body, CURSOR_BODY}, str_from(scope)};

	hmac_parts(
	    HASH_SHA256, (struct str){(const char *)cursor_key, sizeof(cursor_key)}, parts, 3, mac);
}

const char *cursor_make(struct req *r, const char *scope, int64_t a, struct uuid id)
{
	unsigned char raw[CURSOR_BODY + SHA256_SIZE];
	struct buf *b = buf_new(r->a, 128);
	size_t i;

	for (i = 0; i < 8; i++)
		raw[i] = (unsigned char)((uint64_t)a >> (56 - 8 * i));
	memcpy(raw + 8, id.b, sizeof(id.b));
	seal(scope, raw, raw + CURSOR_BODY);
	base64url_encode(b, raw, CURSOR_BYTES);
	return b->p;
}

bool cursor_read(struct req *r, const char *scope, struct str text, int64_t *a, struct uuid *id)
{
	unsigned char raw[CURSOR_BYTES + 1], mac[SHA256_SIZE];
	uint64_t v = 0;
	size_t i;

	if (base64url_decode(raw, sizeof(raw), text) == (long)CURSOR_BYTES) {
		seal(scope, raw, mac);
		if (mem_equal_ct(mac, CURSOR_MAC, raw + CURSOR_BODY, CURSOR_MAC)) {
			for (i = 0; i < 8; i++)
				v = v << 8 | raw[i];
			*a = (int64_t)v;
			memcpy(id->b, raw + 8, sizeof(id->b));
			return true;
		}
	}
	req_invalid(r, "cursor", "is not a cursor of this list with these filters");
	return false;
}
