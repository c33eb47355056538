/* The wire form of write sets. */
#include "intake/write-set.h"

#include "base/buf.h"
#include "base/limits.h"

static void put_str(struct buf *b, struct str s)
{
	buf_u32(b, s.p == NULL ? UINT32_MAX : (uint32_t)s.n);
	if (s.p != NULL)
		buf_add(b, s.p, s.n);
}

static void item_encode(struct buf *b, const struct write_item *it)
{
	buf_add(b, it->dedupe, DEDUPE_SIZE);
	buf_chr(b, (char)it->has_dedupe);
	put_str(b, it->resource_type);
	put_str(b, it->external_id);
	put_str(b, it->data);
	buf_u64(b, (uint64_t)it->provider_updated_us);
	buf_chr(b, (char)it->needs_details);
	buf_chr(b, (char)it->is_lead);
	put_str(b, it->lead);
	put_str(b, it->form_id);
	put_str(b, it->ad_id);
	put_str(b, it->campaign_id);
}

void write_set_encode(struct buf *b, const struct write_set *ws)
{
	buf_add(b, ws->event_id.b, 16);
	buf_add(b, ws->account_id.b, 16);
	buf_add(b, ws->connection_id.b, 16);
	put_str(b, ws->provider_type);
	put_str(b, ws->reason);
	put_str(b, ws->event_type);
	put_str(b, ws->remote_addr);
	put_str(b, ws->request_id);
	put_str(b, ws->url);
	put_str(b, ws->headers);
	put_str(b, ws->body);
	buf_u64(b, (uint64_t)ws->received_us);
	buf_u64(b, (uint64_t)ws->latency_us);
	buf_chr(b, (char)ws->may_be_written);
	buf_chr(b, (char)ws->is_replay);
	buf_chr(b, (char)ws->is_failed);
	buf_u32(b, (uint32_t)ws->nitems);
	for (size_t i = 0; i < ws->nitems; i++)
		item_encode(b, &ws->items[i]);
}

/* A cursor over the bytes; once short it stays short and gives zeros. */
struct reader {
	const char *p, *end;
	bool is_short;
};

static const char *reader_take(struct reader *rd, size_t n)
{
	const char *p = rd->p;

	if (rd->is_short || (size_t)(rd->end - rd->p) < n) {
		rd->is_short = true;
		return NULL;
	}
	rd->p += n;
	return p;
}

static uint64_t reader_take_number(struct reader *rd, size_t bytes)
{
	const unsigned char *p = (const unsigned char *)reader_take(rd, bytes);
	uint64_t v = 0;

	for (size_t i = bytes; p != NULL && i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

static struct str reader_take_str(struct reader *rd)
{
	uint64_t n = reader_take_number(rd, 4);
	const char *p;

	if (n == UINT32_MAX)
		return (struct str){NULL, 0};
	p = reader_take(rd, n);
	return p == NULL ? (struct str){NULL, 0} : (struct str){p, n};
}

static void reader_take_bytes(struct reader *rd, void *out, size_t n)
{
	const char *p = reader_take(rd, n);

	if (p != NULL)
		memcpy(out, p, n);
}

static void item_decode(struct reader *rd, struct write_item *it)
{
	reader_take_bytes(rd, it->dedupe, DEDUPE_SIZE);
	it->has_dedupe = reader_take_number(rd, 1) != 0;
	it->resource_type = reader_take_str(rd);
	it->external_id = reader_take_str(rd);
	it->data = reader_take_str(rd);
	it->provider_updated_us = (int64_t)reader_take_number(rd, 8);
	it->needs_details = reader_take_number(rd, 1) != 0;
	it->is_lead = reader_take_number(rd, 1) != 0;
	it->lead = reader_take_str(rd);
	it->form_id = reader_take_str(rd);
	it->ad_id = reader_take_str(rd);
	it->campaign_id = reader_take_str(rd);
}

int write_set_decode(struct arena *a, struct str data, struct write_set *ws, struct err *err)
{
	struct reader rd = {data.p, data.p + data.n, false};

	*ws = (struct write_set){0};
	reader_take_bytes(&rd, ws->event_id.b, 16);
	reader_take_bytes(&rd, ws->account_id.b, 16);
	reader_take_bytes(&rd, ws->connection_id.b, 16);
	ws->provider_type = reader_take_str(&rd);
	ws->reason = reader_take_str(&rd);
	ws->event_type = reader_take_str(&rd);
	ws->remote_addr = reader_take_str(&rd);
	ws->request_id = reader_take_str(&rd);
	ws->url = reader_take_str(&rd);
	ws->headers = reader_take_str(&rd);
	ws->body = reader_take_str(&rd);
	ws->received_us = (int64_t)reader_take_number(&rd, 8);
	ws->latency_us = (int64_t)reader_take_number(&rd, 8);
	ws->may_be_written = reader_take_number(&rd, 1) != 0;
	ws->is_replay = reader_take_number(&rd, 1) != 0;
	ws->is_failed = reader_take_number(&rd, 1) != 0;
	ws->nitems = reader_take_number(&rd, 4);
	if (rd.is_short || ws->nitems > LIMIT_ITEMS_PER_EVENT)
		return err_set(err, ERR_MALFORMED, "write set: broken head");
	ws->items = arena_array(a, ws->nitems == 0 ? 1 : ws->nitems, sizeof(*ws->items));
	for (size_t i = 0; i < ws->nitems; i++)
		item_decode(&rd, &ws->items[i]);
	if (rd.is_short || rd.p != rd.end)
		return err_set(err, ERR_MALFORMED, "write set: broken items");
	return 0;
}
