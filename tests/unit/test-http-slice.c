/* Lists in slices: filters by one table, cursors bound to all of it, the envelope. */
#include "base/clock.h"
#include "http-check.h"
#include "http/slice.h"
#include "keys-check.h"

void suite_http_slice(void);

struct thing_filter {
	struct uuid account_id, maker_id;
	struct str name, colour;
	struct opt_time made_after;
	struct str own;
};
static const struct word colours[] = {
    {"red", "Red"}, {"green", "Green"}, {"blue", "Blue"}, {NULL, NULL}};

static void own_read(struct req *r, const struct http_pairs *pairs, void *filter)
{
	(void)r;
	((struct thing_filter *)filter)->own = http_pairs_get(pairs, "own");
}

static void own_write(struct arena *a, const void *filter, struct http_pairs *out)
{
	struct str value = ((const struct thing_filter *)filter)->own;

	(void)a;
	if (value.p != NULL)
		filter_pair_add(out, "own", value);
}

static const struct filter_own own = {own_read, own_write};
static const struct filter_row thing_filters[] = {
    {"name", FILTER_TEXT, offsetof(struct thing_filter, name), NULL, NULL},
    {"colour", FILTER_WORD, offsetof(struct thing_filter, colour), colours, NULL},
    {"makerId", FILTER_ID, offsetof(struct thing_filter, maker_id), NULL, NULL},
    {"madeAfter", FILTER_TIME, offsetof(struct thing_filter, made_after), NULL, NULL},
    {"own", FILTER_OWN, 0, NULL, &own}, {NULL, 0, 0, NULL, NULL}};
static const struct list things = {"things", thing_filters, "madeAt"};
static const struct list others = {"others", thing_filters, "madeAt"};

static struct app app;

/* Names and values by turns; NULL ends them. */
static struct req *ask(struct arena *a, const char *const *query)
{
	struct req *r = arena_zalloc(a, sizeof(*r));

	req_init(r, a, &app);
	r->query.v = arena_array(a, 16, sizeof(*r->query.v));
	for (; query != NULL && query[0] != NULL; query += 2)
		r->query.v[r->query.n++] =
		    (struct http_pair){str_from(query[0]), str_from(query[1])};
	return r;
}
#define ASK(a, ...) ask(a, (const char *const[]){__VA_ARGS__, NULL})

static void test_limits(void)
{
	static const struct {
		int line;
		const char *limit, *page, *cursor;
		const char *wrong; /* NULL: good */
		int64_t want_limit, want_page, want_offset;
	} cases[] = {
	    {__LINE__, "", "", "", NULL, 25, 1, 0},
	    {__LINE__, "1", "3", "", NULL, 1, 3, 2},
	    {__LINE__, "200", "2", "", NULL, 200, 2, 200},
	    {__LINE__, "0", "", "", "limit", 0, 0, 0},
	    {__LINE__, "201", "", "", "limit", 0, 0, 0},
	    {__LINE__, "-1", "", "", "limit", 0, 0, 0},
	    {__LINE__, "x", "", "", "limit", 0, 0, 0},
	    {__LINE__, "1.5", "", "", "limit", 0, 0, 0},
	    {__LINE__, "", "0", "", "page", 0, 0, 0},
	    {__LINE__, "", "1001", "", "page", 0, 0, 0},
	    {__LINE__, "", "99999999999999999999", "", "page", 0, 0, 0},
	    {__LINE__, "10", "3", "abc", "cursor", 0, 0, 0},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct req *r = ASK(
		    a, "limit", cases[i].limit, "page", cases[i].page, "cursor", cases[i].cursor);
		struct thing_filter f = {0};
		struct slice s;
		bool is_good = slice_read(r, &things, &f, &s);

		CHECK(cases[i].line, is_good == (cases[i].wrong == NULL), "good?");
		if (cases[i].wrong != NULL)
			CHECK(cases[i].line,
			    req_invalid_text(r) != NULL &&
				strncmp(req_invalid_text(r), cases[i].wrong,
				    strlen(cases[i].wrong)) == 0,
			    "complaint");
		else
			CHECK(cases[i].line,
			    s.limit == cases[i].want_limit && s.page == cases[i].want_page &&
				s.offset == cases[i].want_offset,
			    "%lld %lld", (long long)s.limit, (long long)s.page);
	}
	arena_free(a);
}

static void test_filters(void)
{
	struct arena *a = arena_new();
	struct uuid id = uuid_new();
	struct req *r = ASK(a, "name", "Ann", "colour", "blue", "makerId", uuid_dup(a, id),
	    "madeAfter", "1970-01-01T00:00:01Z", "own", "mine", "sort", "madeAt");
	struct thing_filter f = {0};
	struct slice s;

	r->actor.account_id = uuid_new();
	CU_ASSERT_FATAL(slice_read(r, &things, &f, &s));
	CU_ASSERT(uuid_eq(f.account_id, r->actor.account_id));
	CU_ASSERT(str_is(f.name, "Ann") && str_is(f.colour, "blue") && str_is(f.own, "mine"));
	CU_ASSERT(uuid_eq(f.maker_id, id));
	CU_ASSERT_EQUAL(f.made_after.us, 1000000);
	CU_ASSERT(s.is_ascending);
	struct http_pairs pairs = filter_pairs(a, &things, &f);
	CU_ASSERT_EQUAL(pairs.n, 5);
	CU_ASSERT(str_is(http_pairs_get(&pairs, "colour"), "blue"));
	arena_free(a);
}

static void test_complaints(void)
{
	static const struct {
		int line;
		const char *name, *value, *want;
	} cases[] = {
	    {__LINE__, "colour", "pink", "colour: must be red, green or blue"},
	    {__LINE__, "makerId", "x", "makerId: must be an id"},
	    {__LINE__, "madeAfter", "now", "madeAfter: must be an ISO 8601 time"},
	    {__LINE__, "sort", "name", "sort: must be madeAt or -madeAt"},
	    {__LINE__, "sort", "-", "sort: must be madeAt or -madeAt"},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct req *r = ASK(a, cases[i].name, cases[i].value);
		struct thing_filter f = {0};
		struct slice s;

		CHECK(cases[i].line, !slice_read(r, &things, &f, &s), "refused");
		CHECK(cases[i].line, strcmp(req_invalid_text(r), cases[i].want) == 0, "%s",
		    req_invalid_text(r));
		/* A page takes it, and finds nothing where the word is none. */
		r = ASK(a, cases[i].name, cases[i].value);
		CHECK(cases[i].line, slice_read_page(r, &things, &f, 10, &s), "a page");
	}
	arena_free(a);
}

/* A cursor is of one list, one account, one order, and of all that filters it. */
static void test_scope(void)
{
	static const char *const others_have[][2] = {{"name", "Ann"}, {"colour", "blue"},
	    {"makerId", "01890000-0000-7000-8000-000000000000"},
	    {"madeAfter", "2026-01-01T00:00:00Z"}, {"own", "mine"}, {"sort", "madeAt"}};
	struct arena *a = arena_new();
	struct req *r = ASK(a, "limit", "3");
	struct thing_filter f = {0};
	struct cursor at = {42, uuid_new(), STR("a note")};
	struct slice s;

	CU_ASSERT_FATAL(slice_read(r, &things, &f, &s));
	const char *cursor = slice_cursor(r, &s, &at);
	r = ASK(a, "cursor", cursor, "sort", "-madeAt", "name", "", "unknown", "x");
	CU_ASSERT(slice_read(r, &things, &f, &s));
	CU_ASSERT(s.has_cursor && s.page == 0 && s.after.at == 42 && uuid_eq(s.after.id, at.id));
	CU_ASSERT(str_is(s.after.note, "a note"));
	CU_ASSERT(slice_read_page(r, &things, &f, 10, &s));
	for (size_t i = 0; i < COUNT(others_have); i++) {
		f = (struct thing_filter){0};
		r = ASK(a, "cursor", cursor, others_have[i][0], others_have[i][1]);
		CHECK(__LINE__, !slice_read(r, &things, &f, &s), "%s", others_have[i][0]);
		CHECK(__LINE__, strncmp(req_invalid_text(r), "cursor:", 7) == 0, "%s",
		    req_invalid_text(r));
		CHECK(__LINE__, !slice_read_page(r, &things, &f, 10, &s), "%s", others_have[i][0]);
	}
	f = (struct thing_filter){0};
	CU_ASSERT(!slice_read(ASK(a, "cursor", cursor), &others, &f, &s));
	r = ASK(a, "cursor", cursor);
	r->actor.account_id = uuid_new();
	CU_ASSERT(!slice_read(r, &things, &f, &s));
	arena_free(a);
}

static const char *envelope(struct arena *a, const struct slice *s)
{
	struct req *r = ASK(a, NULL);

	res_slice(r, s);
	return r->res.body->p;
}

static void test_envelope(void)
{
	struct arena *a = arena_new();
	json_t *rows = json_own(a, json_array()), *got;
	struct slice s = {.limit = 25, .page = 1, .rows = rows, .total = 7, .scope = "x"};
	struct err err = ERR_INIT;

	CU_ASSERT_STRING_EQUAL(envelope(a, &s),
	    "{\"data\":[],\"page\":1,\"limit\":25,\"total\":7,\"totalIsExact\":true,"
	    "\"nextCursor\":null}");
	json_array_append_new(rows, json_integer(1));
	s = (struct slice){.limit = 1, .page = 3, .offset = 2, .rows = rows, .total = -1};
	CU_ASSERT_STRING_EQUAL(envelope(a, &s),
	    "{\"data\":[1],\"page\":3,\"limit\":1,\"total\":3,\"totalIsExact\":true,"
	    "\"nextCursor\":null}");
	s.has_more = true;
	s.scope = "x";
	got = json_parse(a, str_from(envelope(a, &s)), &err);
	CU_ASSERT_EQUAL(json_int(got, "total"), 4);
	CU_ASSERT(!json_bool(got, "totalIsExact") && json_str(got, "nextCursor") != NULL);
	s.has_more = false;
	s.has_cursor = true;
	got = json_parse(a, str_from(envelope(a, &s)), &err);
	CU_ASSERT(!json_bool(got, "totalIsExact"));
	arena_free(a);
}

static void test_fill(void)
{
	struct uuid ids[3] = {uuid_new(), uuid_new(), uuid_new()};
	struct db_val cells[6];
	struct db_rows rows = {3, 2, cells};
	struct slice s = {.limit = 2};

	for (size_t i = 0; i < 3; i++) {
		cells[2 * i] = db_strn((struct str){(const char *)ids[i].b, 16});
		cells[2 * i + 1] = db_int((int64_t)i + 10);
	}
	CU_ASSERT_EQUAL(slice_limit(&s), 3);
	CU_ASSERT_EQUAL(slice_fill(&s, &rows, 1, 0), 2);
	CU_ASSERT(s.has_more && s.last.at == 11 && uuid_eq(s.last.id, ids[1]));
	s = (struct slice){.limit = 3};
	CU_ASSERT_EQUAL(slice_fill(&s, &rows, SLICE_BY_ID, 0), 3);
	CU_ASSERT(!s.has_more && s.last.at == 0 && uuid_eq(s.last.id, ids[2]));
	CU_ASSERT_EQUAL(slice_from(&s).at, INT64_MAX);
	s.has_cursor = true;
	s.after = (struct cursor){.at = 5, .id = ids[0]};
	CU_ASSERT(slice_from(&s).at == 5 && uuid_eq(slice_from(&s).id, ids[0]));
}

static struct arena *keys_arena;

static int begin(void)
{
	keys_arena = arena_new();
	app.keys = keys_made(keys_arena);
	return app.keys == NULL;
}

static int end(void)
{
	arena_free(keys_arena);
	return 0;
}

void suite_http_slice(void)
{
	CU_pSuite s = CU_add_suite("http_slice", begin, end);

	CU_add_test(s, "limits and pages", test_limits);
	CU_add_test(s, "filters", test_filters);
	CU_add_test(s, "complaints", test_complaints);
	CU_add_test(s, "what a cursor is bound to", test_scope);
	CU_add_test(s, "envelope", test_envelope);
	CU_add_test(s, "filling", test_fill);
}
