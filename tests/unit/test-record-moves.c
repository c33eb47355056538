/* Lists by cursor while records change: each that was there from the first page on comes once. */
#include "base/clock.h"
#include "record-check.h"

void suite_record_moves(void);

#define MOST 200

/* A walk through a list, a page at a time. */
struct walk {
	struct place *p;
	struct record_filter f;
	struct record_page page;
	struct record_memory memory;
	char
	    ids[4 * MOST + 1]; /* external ids in the order in which they came, each with a space */
	size_t rows;
};

static void walk_begin(struct walk *w, struct place *p, int64_t limit, bool is_ascending)
{
	*w = (struct walk){.p = p, .f = {.account_id = p->account}};
	w->page = (struct record_page){.limit = limit, .is_ascending = is_ascending};
}

/* The memory goes by way of its text, as in a cursor. Is there another page? */
static bool walk_page(struct walk *w)
{
	struct record_page *page = &w->page;
	struct err err = ERR_INIT;

	record_memory_read(&w->memory, record_memory_text(w->p->a, &w->memory));
	page->memory = &w->memory;
	OK(record_list(w->p->app, w->p->a, &w->f, page, &err), &err);
	CHECK(json_array_size(page->rows) <= (size_t)page->limit);
	for (size_t i = 0; i < json_array_size(page->rows) && w->rows < MOST; i++, w->rows++) {
		snprintf(w->ids + 4 * w->rows, 5, "%.3s ",
		    json_str(json_array_get(page->rows, i), "externalId"));
	}
	page->after_us = page->last_us;
	page->after_id = page->last_id;
	return page->has_more;
}

static const char *name(struct place *p, size_t i)
{
	return arena_printf(p->a, "%03zu", i);
}

static void put(struct place *p, size_t i, int64_t n, int64_t at_us)
{
	PUT_AT(p, name(p, i), arena_printf(p->a, "{\"n\":%lld}", (long long)n), at_us);
}

static void newest_first(void)
{
	struct place p;
	struct walk w;
	int64_t now = clock_now_us();

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < 7; i++)
		put(&p, i, 0, now - (100 - (int64_t)i) * SECOND_US);
	walk_begin(&w, &p, 2, false);
	CHECK(walk_page(&w));
	put(&p, 3, 1, clock_now_us());
	put(&p, 6, 1, clock_now_us()); /* was shown */
	put(&p, 7, 1, clock_now_us()); /* is new */
	CHECK(walk_page(&w));
	put(&p, 3, 2, clock_now_us());
	put(&p, 0, 1, now - SECOND_US); /* began before the first page */
	CHECK(walk_page(&w));
	CHECK(!walk_page(&w));
	CHECK(strcmp(w.ids, "006 005 004 003 002 001 000 ") == 0);
	walk_begin(&w, &p, 9, false);
	CHECK(!walk_page(&w));
	CHECK(strncmp(w.ids, "003 007 006 000 ", 16) == 0);
	place_remove(&p);
}

static void oldest_first(void)
{
	struct place p;
	struct walk w;
	int64_t now = clock_now_us();

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < 6; i++)
		put(&p, i, 0, now - (100 - (int64_t)i) * SECOND_US);
	put(&p, 2, 1, now - 2 * SECOND_US);
	walk_begin(&w, &p, 9, true); /* one page: as it is now */
	CHECK(!walk_page(&w));
	CHECK(strcmp(w.ids, "000 001 003 004 005 002 ") == 0);
	walk_begin(&w, &p, 2, true);
	CHECK(walk_page(&w));
	put(&p, 0, 1, clock_now_us());
	put(&p, 4, 1, now - SECOND_US);
	CHECK(walk_page(&w));
	put(&p, 5, 1, clock_now_us() + 100 * SECOND_US);
	while (walk_page(&w))
		;
	CHECK(strcmp(w.ids, "000 001 002 003 004 005 ") == 0);
	place_remove(&p);
}

/* More recent changes than a cursor can name. */
static void many_recent(void)
{
	struct place p;
	struct walk w;
	int64_t now = clock_now_us();
	size_t n = RECORD_MEMORY + 40;

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < n; i++)
		put(&p, i, 0, now - 5 * SECOND_US + (int64_t)i);
	for (size_t i = 0; i < n; i++)
		put(&p, i, 1, now - SECOND_US + (int64_t)i);
	walk_begin(&w, &p, 25, false);
	while (walk_page(&w))
		;
	CHECK(w.rows == n);
	for (size_t i = 0; i < n; i++)
		CHECK(strncmp(w.ids + 4 * i, name(&p, n - 1 - i), 3) == 0);
	place_remove(&p);
}

/* Any changes between the pages, of any time up to that of the slowest commit. */
static void any_changes(void)
{
	unsigned seed = 1;

	for (int round = 0; round < 16; round++) {
		const size_t n = 24;
		struct place p;
		struct walk w;

		if (!place_make(&p))
			return;
		for (int64_t i = 0; i < 3 * (int64_t)n; i++)
			put(&p, (size_t)i % n, i,
			    clock_now_us() - (30 - rand_r(&seed) % 30) * SECOND_US);
		walk_begin(&w, &p, 1 + rand_r(&seed) % 7, round % 2 == 1);
		while (walk_page(&w) && w.rows < MOST)
			for (int i = rand_r(&seed) % 6; i > 0; i--)
				put(&p, (size_t)rand_r(&seed) % n, 1000 + rand_r(&seed),
				    clock_now_us() - rand_r(&seed) % (9 * SECOND_US));
		CHECK(w.rows == n);
		for (size_t i = 0; i < n; i++) {
			const char *at = strstr(w.ids, name(&p, i));

			CHECK(at != NULL && strstr(at + 1, name(&p, i)) == NULL);
		}
		place_remove(&p);
	}
}

static void forgotten(void)
{
	struct place p;
	struct err err = ERR_INIT;
	int64_t now = clock_now_us();

	if (!place_make(&p))
		return;
	put(&p, 1, 0, now - DAY_US);
	put(&p, 1, 1, now - DAY_US / 2);
	put(&p, 1, 2, now);
	CHECK(ROWS(&p, "record_moves") == 2);
	OK(record_moves_forget(p.app, &err), &err);
	CHECK(ROWS(&p, "record_moves") == 1);
	place_remove(&p);
}

void suite_record_moves(void)
{
	ADD_TESTS("record_moves", {"newest first", newest_first}, {"oldest first", oldest_first},
	    {"more than a cursor can name", many_recent}, {"any changes", any_changes},
	    {"forgotten after an hour", forgotten});
}
