/* Lists by cursor while records change: each that was there from the first page on comes once. */
#include "base/clock.h"
#include "record-check.h"

void suite_record_moves(void);

#define MOST 200

/* A walk through a list, a page at a time. */
struct walk {
	struct place *p;
	struct record_filter f;
	struct record_slice slice;
	struct record_memory memory;
	char
	    ids[4 * MOST + 1]; /* external ids in the order in which they came, each with a space */
	size_t rows;
};

static void walk_begin(struct walk *w, struct place *p, int64_t limit, bool is_ascending)
{
	*w = (struct walk){.p = p, .f = {.account_id = p->account}};
	w->slice = (struct record_slice){.s = {.limit = limit, .is_ascending = is_ascending}};
}

/* The memory goes by way of its text, as in a cursor. Is there another page? */
static bool walk_page(struct walk *w)
{
	struct record_slice *slice = &w->slice;
	struct err err = ERR_INIT;

	record_memory_read(&w->memory, record_memory_text(w->p->a, &w->memory));
	slice->memory = &w->memory;
	OK(record_list(w->p->app, w->p->a, &w->f, slice, &err), &err);
	CHECK(json_array_size(slice->s.rows) <= (size_t)slice->s.limit);
	for (size_t i = 0; i < json_array_size(slice->s.rows) && w->rows < MOST; i++, w->rows++) {
		snprintf(w->ids + 4 * w->rows, 5, "%.3s ",
		    json_str(json_array_get(slice->s.rows, i), "externalId"));
	}
	slice->s.after.at = slice->s.last.at;
	slice->s.after.id = slice->s.last.id;
	return slice->s.has_more;
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
	size_t n = RECORD_MEMORY_FULL + 40;

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

/* A change that was not committed yet when its place was read, behind more than a cursor names. */
static void slow_among_many(void)
{
	struct place p;
	struct walk w;
	int64_t now = clock_now_us();
	size_t n = 150;

	if (!place_make(&p))
		return;
	for (size_t i = 0; i <= n; i++)
		put(&p, i, 0, now - 60 * SECOND_US + (int64_t)i);
	for (size_t i = 0; i < n; i++)
		put(&p, i, 1, now - SECOND_US + 10 * (int64_t)i);
	walk_begin(&w, &p, 100, false);
	CHECK(walk_page(&w));
	put(&p, n, 1, now - SECOND_US + 605);
	put(&p, 3, 2, clock_now_us());
	while (walk_page(&w))
		;
	CHECK(w.rows == n + 1);
	for (size_t i = 0; i <= n; i++)
		CHECK(strstr(w.ids, name(&p, i)) != NULL);
	place_remove(&p);
}

/* Changed just before the first page, and for a long time not before that. */
static void updated_after(void)
{
	struct place p;
	struct walk w;
	int64_t now = clock_now_us();

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < 3; i++)
		put(&p, i, 0, now - (200 - (int64_t)i) * SECOND_US);
	for (size_t i = 3; i < 6; i++)
		put(&p, i, 0, now - (100 - (int64_t)i) * SECOND_US);
	put(&p, 0, 1, now - SECOND_US);
	put(&p, 2, 1, now - 2 * SECOND_US);
	walk_begin(&w, &p, 1, true);
	w.f.updated_after = (struct opt_time){now - 110 * SECOND_US, true};
	while (walk_page(&w) && w.rows < MOST)
		put(&p, 1, (int64_t)w.rows, now - 150 * SECOND_US); /* never comes to match */
	CHECK(strcmp(w.ids, "000 002 003 004 005 ") == 0);
	walk_begin(&w, &p, 1, true);
	w.f.updated_after = (struct opt_time){now - 3 * SECOND_US, true};
	while (walk_page(&w) && w.rows < MOST)
		;
	CHECK(strcmp(w.ids, "000 002 ") == 0);
	place_remove(&p);
}

static void updated_after_newest(void)
{
	struct place p;
	struct walk w;
	int64_t now = clock_now_us();
	size_t n = 120;

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < n; i++) {
		put(&p, i, 0, now - 200 * SECOND_US + (int64_t)i);
		put(&p, i, 1, now - SECOND_US + (int64_t)i);
	}
	walk_begin(&w, &p, 70, false);
	w.f.updated_after = (struct opt_time){now - 100 * SECOND_US, true};
	while (walk_page(&w) && w.rows < MOST)
		;
	CHECK(w.rows == n);
	for (size_t i = 0; i < n; i++)
		CHECK(strstr(w.ids, name(&p, i)) != NULL);
	place_remove(&p);
}

struct many {
	struct place *p;
	struct record_item *items;
	size_t n;
};

static int many_body(struct db *db, void *arg, struct err *err)
{
	struct many *m = arg;

	return record_upsert(db, m->p->a, m->items, m->n, err);
}

/* Contacts from..from+n-1 in one batch. */
static void put_many(struct place *p, size_t from, size_t n, const char *data, int64_t at_us)
{
	struct many m = {p, arena_array(p->a, n, sizeof(*m.items)), n};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < n; i++)
		m.items[i] = (struct record_item){.account_id = p->account,
		    .provider_type = STR("test"),
		    .resource_type = STR("contact"),
		    .external_id = str_from(arena_printf(p->a, "m%zu", from + i)),
		    .source = RECORD_SOURCE_IMPORT,
		    .data = str_from(data),
		    .at_us = at_us};
	OK(db_transaction(p->db, many_body, &m, &err), &err);
}

/* Made and changed in one commit. */
static void changed_as_made(void)
{
	struct place p;
	struct walk w;
	struct err err = ERR_INIT;
	int64_t now = clock_now_us();
	struct record_item items[2];

	if (!place_make(&p))
		return;
	put(&p, 1, 0, now - 100 * SECOND_US);
	put(&p, 2, 0, now - 90 * SECOND_US);
	for (size_t i = 0; i < 2; i++)
		items[i] = (struct record_item){.account_id = p.account,
		    .provider_type = STR("test"),
		    .resource_type = STR("contact"),
		    .external_id = STR("003"),
		    .source = RECORD_SOURCE_WEBHOOK,
		    .data = i == 0 ? STR("{}") : STR("{\"n\":1}"),
		    .at_us = now};
	OK(db_transaction(p.db, many_body, &(struct many){&p, items, 2}, &err), &err);
	for (int i = 0; i < 2; i++) {
		walk_begin(&w, &p, 1, i == 1);
		while (walk_page(&w) && w.rows < MOST)
			;
		CHECK(strcmp(w.ids, i == 1 ? "001 002 003 " : "003 002 001 ") == 0);
	}
	place_remove(&p);
}

/* Another who writes while a search is under way. */
struct intruder {
	struct place other; /* the same but for the connection */
	size_t calls;
};

static bool intrude(void *arg)
{
	struct intruder *in = arg;

	if (++in->calls == 2)
		put(&in->other, 0, 1, clock_now_us());
	return false;
}

/* The search takes several statements even for one page. */
static void moved_within_a_search(void)
{
	struct place p;
	struct walk w;
	struct intruder in;
	int64_t now = clock_now_us();

	if (!place_make(&p))
		return;
	in = (struct intruder){.other = p};
	in.other.db = db_new(db_config(p.db));
	for (size_t i = 0; i < 2100; i += 350)
		put_many(&p, i, 350, "{}", now - 500 * SECOND_US);
	put(&p, 0, 0, now - 600 * SECOND_US);
	walk_begin(&w, &p, 9, false);
	w.f.source = STR(RECORD_SOURCE_WEBHOOK);
	db_meanwhile(p.db, intrude, &in);
	while (walk_page(&w) && w.rows < MOST)
		;
	db_meanwhile(p.db, NULL, NULL);
	CHECK(in.calls >= 2);
	CHECK(strcmp(w.ids, "000 ") == 0);
	db_free(in.other.db);
	place_remove(&p);
}

static bool crowd_in(void *arg)
{
	struct intruder *in = arg;

	if (++in->calls == 1)
		put_many(&in->other, 0, 100, "{\"n\":1}", clock_now_us());
	return false;
}

/* Others come in at the front between two statements of a search. */
static void crowded_within_a_search(void)
{
	struct place p;
	struct walk w;
	struct intruder in;
	int64_t now = clock_now_us();

	if (!place_make(&p))
		return;
	in = (struct intruder){.other = p};
	in.other.db = db_new(db_config(p.db));
	put_many(&p, 0, 350, "{}", now - 500 * SECOND_US);
	put(&p, 0, 0, now - 499 * SECOND_US);
	put_many(&p, 350, 200, "{}", now - 498 * SECOND_US);
	walk_begin(&w, &p, 9, false);
	w.f.source = STR(RECORD_SOURCE_WEBHOOK);
	db_meanwhile(p.db, crowd_in, &in);
	while (walk_page(&w) && w.rows < MOST)
		;
	db_meanwhile(p.db, NULL, NULL);
	CHECK(in.calls >= 1);
	CHECK(strcmp(w.ids, "000 ") == 0);
	db_free(in.other.db);
	place_remove(&p);
}

/* One that fits behind thousands that moved and do not: pages end before it, the list does not. */
static void many_moved(void)
{
	for (int i = 0; i < 2; i++) {
		struct place p;
		struct walk w;
		int64_t now = clock_now_us();
		int pages = 1;

		if (!place_make(&p))
			return;
		put(&p, 0, 0, now - (i == 0 ? 400 : 600) * SECOND_US);
		put(&p, 1, 0, now - (i == 0 ? 600 : 400) * SECOND_US);
		put(&p, 2, 0, now - (i == 0 ? 601 : 399) * SECOND_US);
		for (size_t k = 0; k < 2450; k += 350)
			put_many(&p, k, 350, "{}", now - 500 * SECOND_US);
		walk_begin(&w, &p, 1, i == 1);
		w.f.source = STR(RECORD_SOURCE_WEBHOOK);
		CHECK(walk_page(&w));
		for (size_t k = 0; k < 2450; k += 350)
			put_many(&p, k, 350, "{\"n\":1}", clock_now_us());
		put(&p, 1, 1, clock_now_us());
		while (walk_page(&w) && pages < MOST)
			pages++;
		CHECK(pages == 3);
		CHECK(strcmp(w.ids, "000 001 002 ") == 0);
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
	    {"more than a cursor can name", many_recent},
	    {"a slow one among more than a cursor can name", slow_among_many},
	    {"updated after", updated_after}, {"updated after, newest first", updated_after_newest},
	    {"changed as it was made", changed_as_made},
	    {"moved within a search", moved_within_a_search},
	    {"crowded within a search", crowded_within_a_search},
	    {"thousands that moved", many_moved}, {"any changes", any_changes},
	    {"forgotten after an hour", forgotten});
}
