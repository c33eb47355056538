/* The wire form of write sets. */
#include "intake/write-set.h"

#include "base/buf.h"
#include "base/limits.h"

static void wire_put_str(struct buf *b, struct str s)
{
	buf_u32(b, s.p == NULL ? UINT32_MAX : (uint32_t)s.n);
	if (s.p != NULL)
		buf_add(b, s.p, s.n);
}

static void write_item_encode(struct buf *b, const struct write_item *it)
{
	buf_add(b, it->dedupe, DEDUPE_SIZE);
	buf_chr(b, (char)it->has_dedupe);
	buf_u32(b, (uint32_t)it->place);
	buf_chr(b, (char)it->is_more);
	wire_put_str(b, it->resource_type);
	wire_put_str(b, it->external_id);
	wire_put_str(b, it->data);
	wire_put_str(b, it->unsaid);
	wire_put_str(b, it->event_type);
	buf_u64(b, (uint64_t)it->provider_updated_us);
	buf_chr(b, (char)it->is_time_odd);
	buf_chr(b, (char)it->needs_details);
	buf_chr(b, (char)it->erases);
	wire_put_str(b, it->status);
	wire_put_str(b, it->status_reason);
	wire_put_str(b, it->poll);
	buf_chr(b, (char)it->is_lead);
	wire_put_str(b, it->lead);
	wire_put_str(b, it->form_id);
	wire_put_str(b, it->ad_id);
	wire_put_str(b, it->campaign_id);
}

void write_set_encode(struct buf *b, const struct write_set *ws)
{
	buf_add(b, ws->event_id.b, 16);
	buf_add(b, ws->account_id.b, 16);
	buf_add(b, ws->connection_id.b, 16);
	wire_put_str(b, ws->provider_type);
	wire_put_str(b, ws->reason);
	wire_put_str(b, ws->event_type);
	wire_put_str(b, ws->remote_addr);
	wire_put_str(b, ws->request_id);
	wire_put_str(b, ws->url);
	wire_put_str(b, ws->headers);
	wire_put_str(b, ws->body);
	buf_u64(b, (uint64_t)ws->received_us);
	buf_u64(b, (uint64_t)ws->latency_us);
	buf_chr(b, (char)ws->may_be_written);
	buf_chr(b, (char)ws->is_replay);
	buf_chr(b, (char)ws->is_failed);
	buf_u32(b, (uint32_t)ws->carried);
	buf_u32(b, (uint32_t)ws->left);
	wire_put_str(b, ws->left_why);
	wire_put_str(b, ws->notes);
	buf_chr(b, (char)ws->is_pending);
	buf_u32(b, (uint32_t)ws->nitems);
	for (size_t i = 0; i < ws->nitems; i++)
		write_item_encode(b, &ws->items[i]);
}

/* A cursor over the bytes; once short it stays short and gives zeros. */
struct wire_reader {
	const char *p, *end;
	bool is_short;
};

static const char *wire_take(struct wire_reader *rd, size_t n)
{
	const char *p = rd->p;

	if (rd->is_short || (size_t)(rd->end - rd->p) < n) {
		rd->is_short = true;
		return NULL;
	}
	rd->p += n;
	return p;
}

static uint64_t wire_take_number(struct wire_reader *rd, size_t bytes)
{
	const unsigned char *p = (const unsigned char *)wire_take(rd, bytes);
	uint64_t v = 0;

	for (size_t i = bytes; p != NULL && i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

static struct str wire_take_str(struct wire_reader *rd)
{
	uint64_t n = wire_take_number(rd, 4);
	const char *p;

	if (n == UINT32_MAX)
		return (struct str){NULL, 0};
	p = wire_take(rd, n);
	return p == NULL ? (struct str){NULL, 0} : (struct str){p, n};
}

static void wire_take_bytes(struct wire_reader *rd, void *out, size_t n)
{
	const char *p = wire_take(rd, n);

	if (p != NULL)
		memcpy(out, p, n);
}

static void write_item_decode(struct wire_reader *rd, struct write_item *it)
{
	wire_take_bytes(rd, it->dedupe, DEDUPE_SIZE);
	it->has_dedupe = wire_take_number(rd, 1) != 0;
	it->place = wire_take_number(rd, 4);
	it->is_more = wire_take_number(rd, 1) != 0;
	it->resource_type = wire_take_str(rd);
	it->external_id = wire_take_str(rd);
	it->data = wire_take_str(rd);
	it->unsaid = wire_take_str(rd);
	it->event_type = wire_take_str(rd);
	it->provider_updated_us = (int64_t)wire_take_number(rd, 8);
	it->is_time_odd = wire_take_number(rd, 1) != 0;
	it->needs_details = wire_take_number(rd, 1) != 0;
	it->erases = wire_take_number(rd, 1) != 0;
	it->status = wire_take_str(rd);
	it->status_reason = wire_take_str(rd);
	it->poll = wire_take_str(rd);
	it->is_lead = wire_take_number(rd, 1) != 0;
	it->lead = wire_take_str(rd);
	it->form_id = wire_take_str(rd);
	it->ad_id = wire_take_str(rd);
	it->campaign_id = wire_take_str(rd);
}

int write_set_decode(struct arena *a, struct str data, struct write_set *ws, struct err *err)
{
	struct wire_reader rd = {data.p, data.p + data.n, false};

	*ws = (struct write_set){0};
	wire_take_bytes(&rd, ws->event_id.b, 16);
	wire_take_bytes(&rd, ws->account_id.b, 16);
	wire_take_bytes(&rd, ws->connection_id.b, 16);
	ws->provider_type = wire_take_str(&rd);
	ws->reason = wire_take_str(&rd);
	ws->event_type = wire_take_str(&rd);
	ws->remote_addr = wire_take_str(&rd);
	ws->request_id = wire_take_str(&rd);
	ws->url = wire_take_str(&rd);
	ws->headers = wire_take_str(&rd);
	ws->body = wire_take_str(&rd);
	ws->received_us = (int64_t)wire_take_number(&rd, 8);
	ws->latency_us = (int64_t)wire_take_number(&rd, 8);
	ws->may_be_written = wire_take_number(&rd, 1) != 0;
	ws->is_replay = wire_take_number(&rd, 1) != 0;
	ws->is_failed = wire_take_number(&rd, 1) != 0;
	ws->carried = wire_take_number(&rd, 4);
	ws->left = wire_take_number(&rd, 4);
	ws->left_why = wire_take_str(&rd);
	ws->notes = wire_take_str(&rd);
	ws->is_pending = wire_take_number(&rd, 1) != 0;
	ws->nitems = wire_take_number(&rd, 4);
	if (rd.is_short || ws->nitems > LIMIT_ITEMS_PER_COMMIT)
		return err_set(err, ERR_MALFORMED, "write set: broken head");
	ws->items = arena_array(a, ws->nitems == 0 ? 1 : ws->nitems, sizeof(*ws->items));
	for (size_t i = 0; i < ws->nitems; i++)
		write_item_decode(&rd, &ws->items[i]);
	if (rd.is_short || rd.p != rd.end)
		return err_set(err, ERR_MALFORMED, "write set: broken items");
	return 0;
}
