/* Merging by the provider's clock against a simple model: the payloads sorted by their times, those
 * of one time in the order of their arrival, merged one after the other. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "core-check.h"
#include "record/record-clock.h"
#include "record/record-undo.h"

void suite_record_clock(void);

#define MOST 1000

/* ---- random payloads ----------------------------------------------------------------------- */

static uint64_t seed;

static unsigned below(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(seed >> 33) % n;
}

static json_t *random_object(int depth);

static json_t *random_value(int depth)
{
	switch (below(depth > 0 ? 8 : 5)) {
	case 0:
		return json_null();
	case 1:
		return json_string(below(2) ? "x" : "y");
	case 2:
		return json_pack("[i]", (int)below(2));
	case 3:
	case 4:
		return json_integer((json_int_t)below(3));
	default:
		return random_object(depth - 1);
	}
}

/* Few keys, so that payloads meet; the empty one, and one with a dot, among them. */
static json_t *random_object(int depth)
{
	static const char *const keys[] = {"a", "b", "c", "", "d.e"};
	json_t *o = json_object();
	unsigned n = below(4);

	for (unsigned i = 0; i < n; i++)
		json_object_set_new(o, keys[below(COUNT(keys))], random_value(depth));
	return o;
}

struct payload {
	json_t *data;
	int64_t at_us;
	size_t arrival;
};

static int by_time(const void *a, const void *b)
{
	const struct payload *x = a, *y = b;

	if (x->at_us != y->at_us)
		return x->at_us < y->at_us ? -1 : 1;
	return x->arrival < y->arrival ? -1 : x->arrival > y->arrival;
}

/* ---- both ways ----------------------------------------------------------------------------- */

static json_t *by_model(struct arena *a, const struct payload *payloads, size_t n)
{
	struct payload *sorted = arena_alloc(a, n * sizeof(*sorted));
	json_t *data = json_own(a, json_object());

	memcpy(sorted, payloads, n * sizeof(*sorted));
	for (size_t i = 0; i < n; i++)
		sorted[i].arrival = i;
	qsort(sorted, n, sizeof(*sorted), by_time);
	for (size_t i = 0; i < n; i++)
		json_merge(data, sorted[i].data);
	return data;
}

/* What the store has of a record, between two payloads. */
struct kept {
	json_t *data;
	struct str clocks;
	int64_t newest_us;
};

/* One payload, as record_upsert does it; false when what it says of its changes is not so. */
static bool arrive(struct arena *a, struct kept *k, const struct payload *p)
{
	json_t *before = json_own(a, json_deep_copy(k->data)), *back;
	struct clock_merge m = {.a = a, .at_us = p->at_us};
	struct clock_node *clocks = clock_read(a, k->clocks, k->newest_us);

	clock_merge(&m, k->data, clocks, p->data);
	k->newest_us = p->at_us > k->newest_us ? p->at_us : k->newest_us;
	k->clocks = clock_text(a, clocks, k->data, k->newest_us);
	if (json_equal(before, k->data) != (json_array_size(m.changes) == 0))
		return false;
	back = json_own(a, json_deep_copy(k->data));
	record_undo(a, back, m.changes);
	return json_equal(back, before);
}

static struct kept created(struct arena *a, const struct payload *first)
{
	return (struct kept){json_own(a, json_deep_copy(first->data)), {NULL, 0}, first->at_us};
}

/* True when both ways end the same. */
static bool agree(const struct payload *payloads, size_t n, bool is_told)
{
	struct arena *a = arena_new();
	struct kept k = created(a, &payloads[0]);
	json_t *wanted = by_model(a, payloads, n);
	bool is_so = true;

	for (size_t i = 1; i < n && is_so; i++)
		is_so = arrive(a, &k, &payloads[i]);
	is_so = is_so && json_equal(k.data, wanted);
	for (size_t i = 0; i < n && !is_so && is_told; i++)
		printf(
		    "# %lld %s\n", (long long)payloads[i].at_us, json_text(a, payloads[i].data).p);
	if (!is_so && is_told)
		printf("# got %s, wanted %s\n", json_text(a, k.data).p, json_text(a, wanted).p);
	arena_free(a);
	return is_so;
}

static size_t random_history(struct arena *a, struct payload *payloads, size_t most, unsigned times)
{
	size_t n = 1 + below((unsigned)most);

	for (size_t i = 0; i < n; i++)
		payloads[i] = (struct payload){json_own(a, random_object(3)),
		    below(10) == 0 ? TIME_NONE : (int64_t)below(times) * 1000, i};
	return n;
}

/* ---- tests --------------------------------------------------------------------------------- */

static void random_histories(void)
{
	static struct payload payloads[MOST];
	size_t off = 0;

	seed = 20261129;
	for (int round = 0; round < 10000; round++) {
		struct arena *a = arena_new();
		/* few times: many are equal; many times: hardly any */
		size_t n = random_history(
		    a, payloads, round % 500 == 0 ? MOST : 9, round % 2 ? 4 : 100000);

		off += !agree(payloads, n, off < 3);
		arena_free(a);
	}
	CHECK(off == 0);
}

static void swap_payloads(struct payload *x, struct payload *y)
{
	struct payload z = *x;

	*x = *y;
	*y = z;
}

/* Of distinct times: every order ends the same. */
static size_t permute(struct payload *payloads, size_t n, size_t from, size_t *done)
{
	size_t off = 0;

	if (from == n) {
		(*done)++;
		return !agree(payloads, n, true);
	}
	for (size_t i = from; i < n; i++) {
		swap_payloads(&payloads[from], &payloads[i]);
		off += permute(payloads, n, from + 1, done);
		swap_payloads(&payloads[from], &payloads[i]);
	}
	return off;
}

static void all_orders(void)
{
	size_t off = 0, done = 0;

	seed = 7;
	for (int round = 0; round < 60 && off == 0; round++) {
		struct arena *a = arena_new();
		struct payload payloads[5];

		for (size_t i = 0; i < 5; i++)
			payloads[i] =
			    (struct payload){json_own(a, random_object(3)), (int64_t)i * 10, i};
		off += permute(payloads, 5, 0, &done);
		arena_free(a);
	}
	CHECK(off == 0);
	CHECK(done == 60 * 120);
}

/* What is all of one time is told by that time alone, and needs no text. */
static void text_is_short(void)
{
	struct arena *a = arena_new();
	struct payload whole = {
	    json_parse(a, STR("{\"a\":1,\"o\":{\"x\":1,\"y\":{}}}"), NULL), 10, 0};
	struct payload again = {whole.data, 20, 1},
		       part = {json_parse(a, STR("{\"o\":{\"x\":2}}"), NULL), 30, 2},
		       late = {json_parse(a, STR("{\"a\":0}"), NULL), 5, 3},
		       rest = {
			   json_parse(a, STR("{\"a\":3,\"o\":{\"x\":3,\"y\":{}}}"), NULL), 40, 4};
	struct kept k = created(a, &whole);

	CHECK(arrive(a, &k, &again) && k.clocks.p == NULL && k.newest_us == 20);
	CHECK(arrive(a, &k, &part));
	CHECK(str_is(k.clocks, "[{\"o\":[{\"x\":30},20,30,null]},20,30,null]"));
	CHECK(arrive(a, &k, &late) && json_int(k.data, "a") == 1);
	CHECK(str_is(k.clocks, "[{\"o\":[{\"x\":30},20,30,null]},20,30,null]"));
	CHECK(arrive(a, &k, &rest) && k.clocks.p == NULL && k.newest_us == 40);
	arena_free(a);
}

/* A confirmed leaf is as new as what confirmed it. */
static void there_and_back(void)
{
	struct arena *a = arena_new();
	struct payload open8 = {json_parse(a, STR("{\"state\":\"open\"}"), NULL), 8, 0},
		       open10 = {open8.data, 10, 1},
		       held9 = {json_parse(a, STR("{\"state\":\"held\"}"), NULL), 9, 2};
	struct kept k = created(a, &open8);

	CHECK(arrive(a, &k, &open10) && arrive(a, &k, &held9));
	CHECK(strcmp(json_str(k.data, "state"), "open") == 0 && k.newest_us == 10);
	k = created(a, &held9);
	CHECK(arrive(a, &k, &open8) && arrive(a, &k, &open10));
	CHECK(strcmp(json_str(k.data, "state"), "open") == 0 && k.newest_us == 10);
	arena_free(a);
}

/* n members of a number below `levels` keys of that many bytes, with such members at each level. */
static json_t *wide(struct arena *a, size_t bytes, int levels, int n, int value)
{
	char *key = arena_alloc(a, bytes + 1);
	json_t *root = json_own(a, json_object()), *at = root;

	memset(key, 'k', bytes);
	key[bytes] = '\0';
	for (int level = 0; level < levels; level++) {
		json_object_set_new(at, key, json_object());
		at = json_object_get(at, key);
		for (int i = 0; i < n; i++)
			json_object_set_new(at, arena_printf(a, "%d", i), json_integer(value));
	}
	return root;
}

/* Long keys above many members: each change repeats them, and yet all are no flood. */
static void bounded(void)
{
	static const struct {
		int line;
		size_t bytes;
		int levels, n;
		bool is_cut; /* are there fewer changes than members? */
	} cases[] = {
	    {__LINE__, 100000, 1, 20000, true},
	    {__LINE__, 1000, 1, 5000, true},
	    {__LINE__, 10000, 60, 2, true},
	    {__LINE__, 10, 1, 40000, false},
	    {__LINE__, 20, 20, 50, false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		json_t *before = wide(a, cases[i].bytes, cases[i].levels, cases[i].n, 1);
		json_t *data = json_own(a, json_deep_copy(before));
		struct clock_merge m = {.a = a, .at_us = 2};
		struct clock_node *clocks = clock_read(a, (struct str){NULL, 0}, 1);
		size_t members = (size_t)cases[i].levels * (size_t)cases[i].n;

		clock_merge(
		    &m, data, clocks, wide(a, cases[i].bytes, cases[i].levels, cases[i].n, 2));
		CHECK_AT(cases[i].line, json_text(a, m.changes).n < 6 * LIMIT_RECORD_BYTES);
		CHECK_AT(cases[i].line, (json_array_size(m.changes) < members) == cases[i].is_cut);
		record_undo(a, data, m.changes);
		CHECK_AT(cases[i].line, json_equal(data, before));
		arena_free(a);
	}
}

void suite_record_clock(void)
{
	ADD_TESTS("record_clock", {"random histories agree with the model", random_histories},
	    {"all orders end the same", all_orders}, {"the text is short", text_is_short},
	    {"there and back", there_and_back}, {"bounded", bounded});
}
