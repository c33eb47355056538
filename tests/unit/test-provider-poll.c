/* Polls as a machine against providers that are models: pages of many equal times, rows that change
 * while they are read, rounds that are cut anywhere. In the end all is there as it is there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "base/arena.h"
#include "base/clock.h"
#include "provider/poll.h"
#include "provider/provider-internal.h"

void suite_provider_poll(void);

#define EPOCH (INT64_C(1772877600) * SECOND_US) /* 2026-03-07T10:00:00Z */
#define THINGS 400

/* ---- a provider, and who polls it ---------------------------------------------------------- */

struct thing {
	int64_t at_us;
	int version; /* 0: it is not there yet */
};
struct model {
	struct thing *things; /* by id */
	int n;
	int64_t now_us;
	int page_size;
	int *stored; /* the version of each that the poll has brought */
	int writes, seen, calls;
	int token_least; /* tokens below it are refused */
	int log_length;  /* changes so far: a token is how many */
	int *log;        /* which thing each change was of */
};

static struct model model_new(struct arena *a, int n, int page_size)
{
	return (struct model){.things = arena_array(a, (size_t)n, sizeof(struct thing)),
	    .n = n,
	    .now_us = EPOCH,
	    .page_size = page_size,
	    .stored = arena_array(a, (size_t)n, sizeof(int)),
	    .log = arena_array(a, 100000, sizeof(int))};
}

static int number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

static void model_change(struct model *m, int id)
{
	m->things[id] = (struct thing){m->now_us, m->things[id].version + 1};
	m->log[m->log_length++] = id;
}

static json_t *thing_json(const struct model *m, int id)
{
	json_t *o = json_object();
	char at[CLOCK_TEXT];

	clock_iso(at, m->things[id].at_us);
	json_set_int(o, "id", id + 1);
	json_set_str(o, "at", at);
	json_set_int(o, "version", m->things[id].version);
	return o;
}

static int64_t input_time(const json_t *inputs, const char *key, int64_t otherwise)
{
	const char *text = json_str(inputs, key);
	int64_t at_us = 0;

	CU_ASSERT(text == NULL || clock_parse_iso(str_from(text), &at_us));
	return text == NULL ? otherwise : at_us;
}

/* Which of them a call asks for, in the provider's order: by time and id, by id, or by the log. */
struct asked {
	int id, sequence;
};

static int asked_in_order(const void *x, const void *y, void *arg)
{
	const struct model *m = arg;
	const struct asked *a = x, *b = y;

	if (a->sequence != b->sequence)
		return a->sequence < b->sequence ? -1 : 1;
	if (m->things[a->id].at_us != m->things[b->id].at_us && a->sequence == 0)
		return m->things[a->id].at_us < m->things[b->id].at_us ? -1 : 1;
	return a->id - b->id;
}

/* An output as actions give it: the page behind the thing that the cursor names, so that what
 * changes meanwhile moves no other. Cursors are "TIME|ID" in order of time. */
static json_t *model_answer(
    struct model *m, struct arena *a, const struct poll_spec *spec, const json_t *inputs)
{
	bool is_keyset = spec->cursor.kind == POLL_KEYSET;
	int64_t from = input_time(inputs, "since", input_time(inputs, "from", INT64_MIN));
	int64_t to = input_time(inputs, "to", INT64_MAX);
	const char *page = json_str(inputs, "cursor"), *id_after = json_str(inputs, "idAfter");
	long long behind_at = INT64_MIN, behind_id = -1;
	struct asked *v = arena_array(a, (size_t)m->n + 1, sizeof(*v));
	json_t *out = json_own(a, json_object()), *items = json_array();
	int n = 0, taken = 0;

	m->calls++;
	if (page == NULL)
		page = json_str(inputs, "page");
	if (page != NULL)
		CU_ASSERT_EQUAL(sscanf(page, "%lld|%lld", &behind_at, &behind_id), 2);
	if (is_keyset && id_after != NULL)
		behind_id = number(id_after) - 1;
	for (int i = 0; i < m->n; i++) {
		const struct thing *t = &m->things[i];
		bool is_behind =
		    is_keyset ? i > behind_id
			      : t->at_us > behind_at || (t->at_us == behind_at && i > behind_id);
		bool is_late = spec->cursor.is_exclusive ? t->at_us > from : t->at_us >= from;

		if (t->version > 0 && is_behind && is_late && t->at_us <= to)
			v[n++] = (struct asked){i, is_keyset ? i + 1 : 0};
	}
	qsort_r(v, (size_t)n, sizeof(*v), asked_in_order, m);
	for (; taken < n && taken < m->page_size; taken++)
		json_array_append_new(items, thing_json(m, v[taken].id));
	json_set(out, "items", items);
	if (taken < n)
		json_set_str(out, "nextCursor",
		    arena_printf(a, "%lld|%d", (long long)m->things[v[taken - 1].id].at_us,
			v[taken - 1].id));
	else
		json_set(out, "nextCursor", json_null());
	return out;
}

/* The changes since a token, each thing once, as it is now; without one all. */
static json_t *model_answer_log(struct model *m, struct arena *a, const json_t *inputs)
{
	const char *token = json_str(inputs, "token"), *page = json_str(inputs, "page");
	int at = page != NULL ? number(page) : token != NULL ? number(token) : 0, n = 0;
	json_t *out = json_own(a, json_object()), *items = json_array();

	m->calls++;
	for (; at < m->log_length && n < m->page_size; at++, n++)
		json_array_append_new(items, thing_json(m, m->log[at]));
	json_set(out, "items", items);
	json_set_str(
	    out, at < m->log_length ? "nextCursor" : "nextToken", arena_printf(a, "%d", at));
	return out;
}

static void model_store(struct model *m, const struct poll_page *page)
{
	for (size_t i = 0; i < page->found.n; i++) {
		const struct webhook_item *item = &page->found.items[i];
		int64_t id = number(item->external_id.p), version = json_int(item->data, "version");

		m->seen++;
		if (version <= m->stored[id - 1])
			continue;
		m->stored[id - 1] = (int)version;
		m->writes++;
	}
}

struct polling {
	struct arena *a;
	struct model *m;
	struct poll_ask ask;
	struct poll_state st;
	struct err err;
};

static struct polling polling_new(struct arena *a, struct model *m, const char *name)
{
	struct err err = ERR_INIT;
	const struct provider *p =
	    manifest_load_file(a, CONNECT_SRCDIR "/tests/unit/fixtures/provider/polls.json", &err);

	if (p == NULL)
		printf("# %s\n", err.msg);
	CU_ASSERT_FATAL(p != NULL);
	return (struct polling){.a = a,
	    .m = m,
	    .ask = {.a = a,
		.p = p,
		.spec = provider_find_poll(p, name),
		.start_us = EPOCH,
		.page_size = m == NULL ? 0 : m->page_size},
	    .err = ERR_INIT};
}

static bool is_token_refused(struct model *m, const json_t *inputs)
{
	const char *token = json_str(inputs, "token");

	return token != NULL && number(token) < m->token_least;
}

/* One call. With is_cut the process dies before its commit: nothing of it stays. 1 the round is
 * over, 0, -1. */
static int polling_call(struct polling *w, bool is_cut)
{
	struct poll_state st = w->st;
	struct poll_page page;
	json_t *inputs, *output;

	w->ask.now_us = w->m->now_us;
	poll_next(&w->ask, &st, &inputs);
	if (is_token_refused(w->m, inputs)) {
		const struct call_result gone = {.class = CALL_FATAL, .status = 410};

		CU_ASSERT(poll_reset(&w->ask, &st, &gone));
		if (!is_cut)
			w->st = st;
		return 0;
	}
	output = w->ask.spec->cursor.kind == POLL_TOKEN
		     ? model_answer_log(w->m, w->a, inputs)
		     : model_answer(w->m, w->a, w->ask.spec, inputs);
	if (poll_take(&w->ask, &st, output, &page, &w->err) == -1)
		return -1;
	if (is_cut)
		return 0;
	model_store(w->m, &page);
	w->st = page.next;
	return page.is_over;
}

/* A whole round; how many calls it took, -1. */
static int polling_round(struct polling *w)
{
	int calls = 0, rc;

	do {
		rc = polling_call(w, false);
		calls++;
	} while (rc == 0 && calls < 100000);
	return rc == 1 ? calls : -1;
}

static int model_missing(const struct model *m)
{
	int missing = 0;

	for (int i = 0; i < m->n; i++)
		missing += m->stored[i] != m->things[i].version;
	return missing;
}

/* ---- many equal times ---------------------------------------------------------------------- */

static void equal_times(const char *name, int n, int page_size, int calls)
{
	struct arena *a = arena_new();
	struct model m = model_new(a, n, page_size);
	struct polling w = polling_new(a, &m, name);

	for (int i = 0; i < n; i++)
		model_change(&m, i);
	m.now_us += SECOND_US;
	CU_ASSERT_EQUAL(polling_round(&w), calls);
	CU_ASSERT_EQUAL(model_missing(&m), 0);
	CU_ASSERT_EQUAL(m.writes, n);
	CU_ASSERT_EQUAL(m.seen, n);
	/* What is equal to the newest time comes later, and is found by the next round. */
	model_change(&m, 0);
	m.now_us += SECOND_US;
	CU_ASSERT(polling_round(&w) > 0);
	CU_ASSERT_EQUAL(model_missing(&m), 0);
	CU_ASSERT_EQUAL(m.writes, n + 1);
	arena_free(a);
}

static void twenty_five_thousand_of_one_time(void)
{
	equal_times("notes", 25000, 100, 250);
	equal_times("late_notes", 2500, 100, 25);
	equal_times("users", 2500, 100, 25);
	equal_times("events", 2500, 100, 25);
}

/* A search shows no more than 10,000 of its matches; the id goes on where paging cannot. */
static void ten_thousand_and_one(void)
{
	equal_times("contacts", 10001, 100, 101);
	equal_times("contacts", 10000, 100, 100);
}

/* ---- anything may happen ------------------------------------------------------------------- */

/* Things appear and change, several in a second, while rounds are under way and are cut. */
static void random_life(const char *name, unsigned seed)
{
	struct arena *a = arena_new();
	struct model m = model_new(a, THINGS, 1 + rand_r(&seed) % 9);
	struct polling w = polling_new(a, &m, name);
	int rc = 0;

	for (int step = 0; step < 600 && rc != -1; step++) {
		int what = rand_r(&seed) % 10;

		if (what < 4)
			model_change(&m, rand_r(&seed) % THINGS);
		else if (what == 4)
			m.now_us += SECOND_US * (rand_r(&seed) % 3);
		else if (what == 5 && rand_r(&seed) % 20 == 0)
			m.token_least = m.log_length;
		else
			rc = polling_call(&w, rand_r(&seed) % 4 == 0);
	}
	m.now_us += SECOND_US;
	CU_ASSERT(rc != -1 && polling_round(&w) > 0);
	m.now_us += SECOND_US;
	CU_ASSERT(polling_round(&w) > 0);
	if (model_missing(&m) != 0 || w.err.code != ERR_NONE)
		printf("# %s, seed %u: %d missing, %s\n", name, seed, model_missing(&m), w.err.msg);
	CU_ASSERT_EQUAL(model_missing(&m), 0);
	arena_free(a);
}

static void whatever_happens_all_is_found(void)
{
	static const char *const names[] = {
	    "notes", "late_notes", "events", "calls", "contacts", "users"};

	for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
		for (unsigned seed = 1; seed <= 40; seed++)
			random_life(names[k], seed);
}

/* ---- windows, overlap, filters ------------------------------------------------------------- */

static void windows_are_walked(void)
{
	struct arena *a = arena_new();
	struct model m = model_new(a, 100, 10);
	struct polling w = polling_new(a, &m, "calls");

	w.ask.start_us = EPOCH - 100 * DAY_US;
	for (int i = 0; i < 100; i++) {
		m.now_us = w.ask.start_us + i * DAY_US;
		model_change(&m, i);
	}
	m.now_us = EPOCH;
	/* Spans of 30 days: 31, 31, 31 and 10 things, the ones at a seam twice, by tens. */
	CU_ASSERT_EQUAL(polling_round(&w), 4 + 4 + 4 + 1);
	CU_ASSERT_EQUAL(model_missing(&m), 0);
	CU_ASSERT_EQUAL(m.writes, 100);
	CU_ASSERT_EQUAL(m.seen, 103);
	arena_free(a);
}

static void older_ones_are_left_where_only_newer_are_asked_for(void)
{
	struct arena *a = arena_new();
	struct model m = model_new(a, 10, 4);
	struct polling w = polling_new(a, &m, "users");

	for (int i = 0; i < 10; i++) {
		m.now_us = EPOCH + i * SECOND_US;
		model_change(&m, i);
	}
	w.ask.start_us = EPOCH + 5 * SECOND_US;
	w.ask.leaves_older = true;
	CU_ASSERT_EQUAL(polling_round(&w), 3);
	CU_ASSERT_EQUAL(m.writes, 5);
	arena_free(a);
}

/* A provider whose clock is ahead: the cursor does not follow it beyond our own. */
static void the_cursor_stays_in_the_present(void)
{
	struct arena *a = arena_new();
	struct model m = model_new(a, 2, 10);
	struct polling w = polling_new(a, &m, "notes");
	int64_t at_us = 0;

	m.now_us = EPOCH + DAY_US;
	model_change(&m, 0);
	m.now_us = EPOCH;
	CU_ASSERT_EQUAL(polling_round(&w), 1);
	CU_ASSERT(clock_parse_iso(str_from(json_str(w.st.cursor, "at")), &at_us));
	CU_ASSERT_EQUAL(at_us, EPOCH);
	arena_free(a);
}

/* ---- providers that go wrong --------------------------------------------------------------- */

static int take_json(struct polling *w, const char *text)
{
	struct poll_page page;
	json_t *output = json_parse(w->a, str_from(text), &w->err), *inputs;
	struct poll_state st = w->st;

	CU_ASSERT_FATAL(output != NULL);
	w->ask.now_us = EPOCH;
	poll_next(&w->ask, &st, &inputs);
	err_clear(&w->err);
	if (poll_take(&w->ask, &st, output, &page, &w->err) == -1)
		return -1;
	w->st = page.next;
	return page.is_over;
}

/* A ring of any length is met, and soon. */
static void a_cursor_that_repeats_ends_it(void)
{
	for (int ring = 1; ring <= 40; ring += 3) {
		struct arena *a = arena_new();
		struct polling w = polling_new(a, NULL, "users");
		int calls = 0, rc;

		do {
			rc = take_json(&w, arena_printf(a, "{\"items\":[],\"nextCursor\":%d}",
					       calls < 10 ? calls : 10 + calls % ring));
		} while (rc == 0 && ++calls < 1000);
		CU_ASSERT_EQUAL(rc, -1);
		CU_ASSERT(calls < 4 * (ring + 10));
		CU_ASSERT_PTR_NOT_NULL(strstr(w.err.msg, "the cursor repeats"));
		arena_free(a);
	}
}

static void what_no_round_can_be_made_of(void)
{
	static const struct {
		const char *poll, *output, *error;
	} rows[] = {{"users", "{}", "no list of items"},
	    {"users", "{\"items\":{\"a\":1}}", "no list of items"},
	    {"users", "{\"items\":null}", "no list of items"},
	    {"events", "{\"items\":[]}", "gives no token"},
	    {"events", "{\"items\":[],\"nextToken\":\"\"}", "gives no token"},
	    {"contacts", "{\"items\":[{\"a\":1}],\"nextCursor\":\"2\"}", "has no id"},
	    {"users", "{\"items\":[],\"nextCursor\":\"\"}", NULL},
	    {"notes", "{\"items\":[1,{},{\"id\":\"x\"}],\"nextCursor\":null}", NULL}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *a = arena_new();
		struct polling w = polling_new(a, NULL, rows[i].poll);
		int rc = take_json(&w, rows[i].output);

		CU_ASSERT_EQUAL(rc, rows[i].error == NULL ? 1 : -1);
		if (rows[i].error != NULL)
			CU_ASSERT_PTR_NOT_NULL(strstr(w.err.msg, rows[i].error));
		arena_free(a);
	}
}

static void what_cannot_be_taken_is_told(void)
{
	struct arena *a = arena_new();
	struct polling w = polling_new(a, NULL, "notes");
	struct poll_state st = {NULL, NULL};
	struct poll_page page;
	json_t *output =
	    json_parse(a, STR("{\"items\":[{\"id\":1},{\"at\":\"x\"},7,{\"id\":2}]}"), &w.err);
	json_t *inputs;

	poll_next(&w.ask, &st, &inputs);
	CU_ASSERT_EQUAL_FATAL(poll_take(&w.ask, &st, output, &page, &w.err), 0);
	CU_ASSERT_EQUAL(page.found.n, 2);
	CU_ASSERT_EQUAL(page.found.carried, 4);
	CU_ASSERT_EQUAL(page.found.left, 2);
	CU_ASSERT_STRING_EQUAL(page.found.left_why, "has no id");
	arena_free(a);
}

void suite_provider_poll(void)
{
	CU_pSuite s = CU_add_suite("provider_poll", NULL, NULL);

	CU_add_test(s, "25,000 of one time, page by page", twenty_five_thousand_of_one_time);
	CU_add_test(s, "10,001 of one time, by id", ten_thousand_and_one);
	CU_add_test(s, "whatever happens meanwhile all is found", whatever_happens_all_is_found);
	CU_add_test(s, "windows are walked up to now", windows_are_walked);
	CU_add_test(s, "older ones are left where newer are asked for",
	    older_ones_are_left_where_only_newer_are_asked_for);
	CU_add_test(s, "the cursor stays in the present", the_cursor_stays_in_the_present);
	CU_add_test(s, "a cursor that repeats ends it", a_cursor_that_repeats_ends_it);
	CU_add_test(s, "what no round can be made of", what_no_round_can_be_made_of);
	CU_add_test(s, "what cannot be taken is told", what_cannot_be_taken_is_told);
}
