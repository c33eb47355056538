#include "base/clock.h"
#include "base/limits.h"
#include "intake/poll-internal.h"
#include "job/retry.h"
#include "record/record.h"

#define LIMITED_FIRST_MS 30000
#define LIMITED_TOLD_MS 1000
#define LIMITED_MOST_MS INT64_C(86400000)

static void take_fill(struct poll_take *t)
{
	size_t n;

	t->ws = (struct write_set){.account_id = t->c->account_id,
	    .connection_id = t->c->id,
	    .provider_type = str_from(t->c->provider_type),
	    .received_us = clock_now_us()};
	n = write_set_fill_part(t->a, t->c, t->found, t->at, &t->ws);
	t->at += n;
	t->is_last = t->at >= t->found->n;
	t->store.refused = NULL;
	t->store.nrefused = t->tried = 0;
}

void poll_take_begin(struct poll_take *t, struct app *app, struct arena *a,
    const struct connection *c, const struct webhook_found *found)
{
	struct arena *tries = arena_new();

	arena_on_free(a, (void (*)(void *))arena_free, tries);
	*t = (struct poll_take){.app = app, .c = c, .a = a, .found = found};
	t->store = (struct items_store){.ws = &t->ws,
	    .source = RECORD_SOURCE_POLL,
	    .old_before_us = TIME_NONE,
	    .a = tries,
	    .kept = a};
	take_fill(t);
}

bool poll_take_next(struct poll_take *t)
{
	if (t->is_last)
		return false;
	take_fill(t);
	return true;
}

int poll_take_write(struct db *db, struct poll_take *t, struct poll_counts *counts, struct err *err)
{
	/* what it finds without a time is of any age */
	if (write_set_leave_erased(t->app, t->a, &t->ws, 0, err) == -1 ||
	    items_store(db, &t->store, err) == -1)
		return -1;
	counts->seen += (int64_t)(t->ws.nitems + t->ws.erased);
	counts->created += (int64_t)t->store.created;
	counts->changed += (int64_t)t->store.updated;
	return 0;
}

bool poll_take_try_again(struct poll_take *t, struct err *err)
{
	if (t->store.nrefused == t->tried)
		return false;
	t->tried = t->store.nrefused;
	err_clear(err);
	return true;
}

int64_t poll_limited_ms(int attempt, int64_t retry_after_ms)
{
	return retry_wait_ms(attempt, retry_after_ms >= 0 ? LIMITED_TOLD_MS : LIMITED_FIRST_MS,
	    LIMITED_MOST_MS, retry_after_ms);
}

int64_t poll_smaller_page(const struct poll_ask *ask, const struct call_result *res)
{
	int64_t now = ask->page_size > 0 ? ask->page_size : ask->spec->page.size;

	return res->is_too_large && ask->spec->page.input != NULL ? now / 2 : 0;
}

const char *poll_take_note(const struct poll_take *t)
{
	for (size_t i = 0; t->store.refused != NULL && i < t->ws.nitems; i++)
		if (t->store.refused[i] != NULL)
			return arena_printf(t->a, "%.*s %s", (int)t->ws.items[i].external_id.n,
			    t->ws.items[i].external_id.p, t->store.refused[i]);
	if (t->ws.left == 0)
		return NULL;
	return arena_printf(
	    t->a, "item %zu of a page %.*s", t->ws.left, (int)t->ws.left_why.n, t->ws.left_why.p);
}
