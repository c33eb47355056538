/* A write set that can be read is written so that it reads back the same; anything else is refused
 * as malformed. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "intake/write-set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_so)
{
	if (!is_so)
		abort();
}

/* Reads every byte that a text claims to have. */
static size_t touch(struct str s)
{
	size_t sum = 0;

	require(s.p != NULL || s.n == 0);
	for (size_t i = 0; i < s.n; i++)
		sum += (unsigned char)s.p[i];
	return sum;
}

static size_t touch_all(const struct write_set *ws)
{
	size_t sum = touch(ws->provider_type) + touch(ws->reason) + touch(ws->event_type) +
		     touch(ws->remote_addr) + touch(ws->request_id) + touch(ws->url) +
		     touch(ws->headers) + touch(ws->body);

	require(ws->nitems <= LIMIT_ITEMS_PER_COMMIT);
	for (size_t i = 0; i < ws->nitems; i++) {
		const struct write_item *it = &ws->items[i];

		sum += touch(it->resource_type) + touch(it->external_id) + touch(it->data) +
		       touch(it->lead) + touch(it->form_id) + touch(it->ad_id) +
		       touch(it->campaign_id);
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct buf *first = buf_new(a, 1u << 26), *second = buf_new(a, 1u << 26);
	struct write_set ws, back;
	struct err e = ERR_INIT;

	if (write_set_decode(a, (struct str){(const char *)data, size}, &ws, &e) == -1) {
		require(e.code == ERR_MALFORMED && e.msg[0]);
		arena_free(a);
		return 0;
	}
	require(e.code == ERR_NONE);
	write_set_encode(first, &ws);
	require(buf_ok(first) && first->len == size);
	require(write_set_decode(a, (struct str){first->p, first->len}, &back, &e) == 0);
	require(touch_all(&ws) == touch_all(&back));
	write_set_encode(second, &back);
	require(str_eq((struct str){first->p, first->len}, (struct str){second->p, second->len}));
	arena_free(a);
	return 0;
}
