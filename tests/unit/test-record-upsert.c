/* record_upsert: outcomes, merging, history, counts, late payloads, many writers. */
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "core-check.h"
#include "crypto/random.h"
#include "record/record-undo.h"
#include "record/record.h"

void suite_record_upsert(void);

#define AT INT64_C(1772893800000000)

/* ---- storing ----------------------------------------------------------------------------- */

struct storing {
	struct arena *a;
	struct record_item *items;
	size_t n;
	int tries;
};

static int store_body(struct db *db, void *arg, struct err *err)
{
	struct storing *s = arg;

	s->tries++;
	return record_upsert(db, s->a, s->items, s->n, err);
}

static int store(
    struct db *db, struct arena *a, struct record_item *items, size_t n, struct err *err)
{
	struct storing s = {a, items, n, 0};

	return db_transaction(db, store_body, &s, err);
}

static struct record_item item(struct uuid account, const char *id, const char *data, int64_t t)
{
	return (struct record_item){.account_id = account,
	    .provider_type = STR("test"),
	    .resource_type = STR("contact"),
	    .external_id = str_from(id),
	    .source = RECORD_SOURCE_WEBHOOK,
	    .data = str_from(data),
	    .provider_updated_us = t,
	    .has_provider_time = t != 0,
	    .at_us = AT + t};
}

/* One payload of the record "x"; answers what came of it. */
static enum record_outcome put(
    struct db *db, struct arena *a, struct uuid account, const char *data, int64_t t, unsigned line)
{
	struct record_item it = item(account, "x", data, t);
	struct err err = ERR_INIT;

	if (store(db, a, &it, 1, &err) == -1)
		core_fail(&err, line, __FILE__);
	return it.outcome;
}
#define PUT(data, t) put(db, a, account, data, t, __LINE__)

static const char *data_of(struct db *db, struct arena *a, struct uuid account, const char *id)
{
	const char *text =
	    TEXT_OF(db, a, "SELECT data FROM records WHERE account_id = ? AND external_id = ?",
		db_uuid(&account), db_str(id));

	return text == NULL ? "" : json_text(a, json_parse(a, str_from(text), NULL)).p;
}

static int64_t changes_of(struct db *db, struct uuid account)
{
	return NUMBER_OF(
	    db, "SELECT COUNT(*) FROM record_changes WHERE account_id = ?", db_uuid(&account));
}

/* Goes back from the present through the history: answers what the record was created with. */
static json_t *created_with(struct db *db, struct arena *a, struct uuid account, unsigned line)
{
	struct db_rows rows = ROWS_OF(db, a,
	    "SELECT c.changes, r.data FROM records r JOIN record_changes c"
	    " ON c.account_id = r.account_id AND c.record_id = r.id"
	    " WHERE r.account_id = ? AND r.external_id = 'x' ORDER BY c.id DESC",
	    db_uuid(&account));
	json_t *now;

	CHECK_AT(line, rows.count > 0);
	if (rows.count == 0)
		return NULL;
	now = json_parse(a, db_get_str(&rows, 0, 1), NULL);
	for (size_t i = 0; i < rows.count; i++) {
		const json_t *changes = json_parse(a, db_get_str(&rows, i, 0), NULL);

		/* the oldest is the creation, and no other */
		CHECK_AT(line, (json_array_size(changes) == 0) == (i == rows.count - 1));
		record_undo(a, now, changes);
	}
	return now;
}

static int64_t counted(struct db *db, struct uuid account)
{
	return NUMBER_OF(db,
	    "SELECT COALESCE(SUM(records), 0) FROM record_counts WHERE account_id = ?",
	    db_uuid(&account));
}

static int64_t rows_of(struct db *db, struct uuid account)
{
	return NUMBER_OF(
	    db, "SELECT COUNT(*) FROM records WHERE account_id = ?", db_uuid(&account));
}

/* ---- outcomes ---------------------------------------------------------------------------- */

static void outcomes(void)
{
	static const struct {
		int line;
		const char *data;
		int64_t t;
		enum record_outcome outcome;
		const char *stored;
		int changes;
	} steps[] = {
	    {__LINE__, "{\"a\":1,\"o\":{\"x\":1}}", 10, RECORD_CREATED, "{\"a\":1,\"o\":{\"x\":1}}",
		1},
	    {__LINE__, "{\"a\":1,\"o\":{\"x\":1}}", 10, RECORD_UNCHANGED,
		"{\"a\":1,\"o\":{\"x\":1}}", 1},
	    {__LINE__, "{\"o\":{\"x\":1}, \"a\":1}", 10, RECORD_UNCHANGED,
		"{\"a\":1,\"o\":{\"x\":1}}", 1},
	    {__LINE__, "{\"a\":1}", 0, RECORD_UNCHANGED, "{\"a\":1,\"o\":{\"x\":1}}", 1},
	    {__LINE__, "{\"o\":{\"y\":2}}", 20, RECORD_UPDATED, "{\"a\":1,\"o\":{\"x\":1,\"y\":2}}",
		2},
	    {__LINE__, "{\"a\":9}", 5, RECORD_STALE, "{\"a\":1,\"o\":{\"x\":1,\"y\":2}}", 2},
	    {__LINE__, "{\"a\":null}", 30, RECORD_UPDATED, "{\"a\":null,\"o\":{\"x\":1,\"y\":2}}",
		3},
	    {__LINE__, "{\"a\":null}", 31, RECORD_UNCHANGED, "{\"a\":null,\"o\":{\"x\":1,\"y\":2}}",
		3},
	    {__LINE__, "{\"n\":[1,{\"z\":null}]}", 0, RECORD_UPDATED,
		"{\"a\":null,\"n\":[1,{\"z\":null}],\"o\":{\"x\":1,\"y\":2}}", 4},
	    {__LINE__, "{\"n\":[]}", 40, RECORD_UPDATED,
		"{\"a\":null,\"n\":[],\"o\":{\"x\":1,\"y\":2}}", 5},
	    {__LINE__, "{}", 50, RECORD_UNCHANGED, "{\"a\":null,\"n\":[],\"o\":{\"x\":1,\"y\":2}}",
		5},
	};
	struct db *db = test_db();
	struct uuid account = uuid_new();
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	for (size_t i = 0; i < COUNT(steps); i++) {
		CHECK_AT(steps[i].line, PUT(steps[i].data, steps[i].t) == steps[i].outcome);
		CHECK_AT(steps[i].line, TEXT_EQ(data_of(db, a, account, "x"), steps[i].stored));
		CHECK_AT(steps[i].line, changes_of(db, account) == steps[i].changes);
	}
	CHECK(json_equal(
	    created_with(db, a, account, __LINE__), json_parse(a, str_from(steps[0].data), NULL)));
	CHECK(rows_of(db, account) == 1 && counted(db, account) == 1);
	CHECK(NUMBER_OF(db, "SELECT first_seen_at FROM records WHERE account_id = ?",
		  db_uuid(&account)) == AT + 10);
	CHECK(NUMBER_OF(db, "SELECT updated_at FROM records WHERE account_id = ?",
		  db_uuid(&account)) == AT + 40);
	CHECK(NUMBER_OF(db, "SELECT provider_updated_at FROM records WHERE account_id = ?",
		  db_uuid(&account)) == 50); /* the last one said nothing, and later */
	arena_free(a);
}

static void history_rows(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), event = uuid_new();
	struct record_item it = item(account, "x", "{\"a\":{\"b\":1}}", 0);
	struct err err = ERR_INIT;
	struct db_rows rows;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	it.event_id = event;
	OK(store(db, a, &it, 1, &err), &err);
	it = item(account, "x", "{\"a\":{\"b\":2,\"c\":3}}", 7);
	it.source = RECORD_SOURCE_POLL;
	OK(store(db, a, &it, 1, &err), &err);
	rows = ROWS_OF(db, a,
	    "SELECT at, provider_at, source, event_id, changes, record_id"
	    " FROM record_changes WHERE account_id = ? ORDER BY id",
	    db_uuid(&account));
	REQUIRE(rows.count == 2);
	CHECK(db_get_int(&rows, 0, 0) == AT && db_is_null(&rows, 0, 1));
	CHECK(str_is(db_get_str(&rows, 0, 2), "webhook"));
	CHECK(uuid_eq(db_get_uuid(&rows, 0, 3), event));
	CHECK(str_is(db_get_str(&rows, 0, 4), "[]"));
	CHECK(db_get_int(&rows, 1, 0) == AT + 7 && db_get_int(&rows, 1, 1) == 7);
	CHECK(str_is(db_get_str(&rows, 1, 2), "poll") && db_is_null(&rows, 1, 3));
	CHECK(str_is(db_get_str(&rows, 1, 4),
	    "[{\"after\":2,\"before\":1,\"path\":\"a.b\"},{\"after\":3,\"path\":\"a.c\"}]"));
	CHECK(uuid_eq(db_get_uuid(&rows, 0, 5), it.id) && uuid_eq(db_get_uuid(&rows, 1, 5), it.id));
	arena_free(a);
}

/* ---- several in one call ----------------------------------------------------------------- */

static void same_record_in_one_call(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new();
	struct err err = ERR_INIT;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	for (int round = 0; round < 2; round++) { /* new, then stored */
		struct record_item items[] = {
		    item(account, "x", round == 0 ? "{\"a\":1}" : "{\"a\":5}", 0),
		    item(account, "y", round == 0 ? "{\"q\":1}" : "{\"q\":5}", 0),
		    item(account, "x", round == 0 ? "{\"b\":2}" : "{\"b\":6}", 0),
		    item(account, "x", round == 0 ? "{\"b\":2}" : "{\"b\":6}", 0),
		    item(account, "x", round == 0 ? "{\"a\":3}" : "{\"a\":7}", 0)};
		enum record_outcome first = round == 0 ? RECORD_CREATED : RECORD_UPDATED;

		OK(store(db, a, items, COUNT(items), &err), &err);
		CHECK(items[0].outcome == first && items[1].outcome == first);
		CHECK(items[2].outcome == RECORD_UPDATED && items[3].outcome == RECORD_UNCHANGED);
		CHECK(items[4].outcome == RECORD_UPDATED);
		CHECK(uuid_eq(items[0].id, items[2].id) && uuid_eq(items[0].id, items[4].id));
		CHECK(!uuid_eq(items[0].id, items[1].id));
		CHECK(TEXT_EQ(data_of(db, a, account, "x"),
		    round == 0 ? "{\"a\":3,\"b\":2}" : "{\"a\":7,\"b\":6}"));
		CHECK(
		    TEXT_EQ(data_of(db, a, account, "y"), round == 0 ? "{\"q\":1}" : "{\"q\":5}"));
		CHECK(changes_of(db, account) == (round + 1) * 4);
		CHECK(rows_of(db, account) == 2 && counted(db, account) == 2);
	}
	CHECK(json_equal(
	    created_with(db, a, account, __LINE__), json_parse(a, STR("{\"a\":1}"), NULL)));
	arena_free(a);
}

static void many_in_one_call(void)
{
	enum { N = 3 * LIMIT_DB_BATCH + 7 };
	static const char *const types[] = {"contact", "deal", "lead"};
	struct db *db = test_db();
	struct uuid account = uuid_new(), other = uuid_new();
	struct err err = ERR_INIT;
	struct record_item *items;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	items = arena_array(a, N, sizeof(*items));
	for (int round = 0; round < 3; round++) {
		size_t wrong = 0;

		for (size_t i = 0; i < N; i++) {
			items[i] =
			    item(i % 5 == 0 ? other : account, arena_printf(a, "id-%zu", i / 2),
				arena_printf(a, "{\"n\":%zu,\"round\":%d}", i, round / 2), 0);
			items[i].resource_type = str_from(types[i % 3]);
			items[i].at_us = AT + (int64_t)(i % 4) * DAY_US;
		}
		OK(store(db, a, items, N, &err), &err);
		for (size_t i = 0; i < N; i++)
			wrong += items[i].outcome != (round == 0      ? RECORD_CREATED
							 : round == 1 ? RECORD_UNCHANGED
								      : RECORD_UPDATED);
		CHECK(wrong == 0);
		CHECK(rows_of(db, account) + rows_of(db, other) == N);
		CHECK(rows_of(db, account) == counted(db, account));
		CHECK(rows_of(db, other) == counted(db, other));
		CHECK(changes_of(db, account) + changes_of(db, other) == (round == 2 ? 2 * N : N));
	}
	/* by type and day as well */
	CHECK(
	    NUMBER_OF(db,
		"SELECT COUNT(*) FROM (SELECT resource_type, first_seen_at DIV 86400000000 AS day,"
		" COUNT(*) AS n FROM records WHERE account_id = ? GROUP BY 1, 2) r"
		" LEFT JOIN (SELECT resource_type, day, SUM(records) AS n FROM record_counts"
		" WHERE account_id = ? GROUP BY 1, 2) c"
		" ON c.resource_type = r.resource_type AND c.day = r.day AND c.n = r.n"
		" WHERE c.n IS NULL",
		db_uuid(&account), db_uuid(&account)) == 0);
	arena_free(a);
}

static void accounts_are_apart(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), other = uuid_new();
	struct err err = ERR_INIT;
	struct app app = {.config = test_db_config(), .db = db};
	struct record_item mine, theirs;
	json_t *json;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	app.config = test_db_config();
	mine = item(account, "x", "{\"a\":1}", 0);
	theirs = item(other, "x", "{\"a\":2}", 0);
	OK(store(db, a, &mine, 1, &err), &err);
	OK(store(db, a, &theirs, 1, &err), &err);
	CHECK(theirs.outcome == RECORD_CREATED && !uuid_eq(mine.id, theirs.id));
	CHECK(PUT("{\"b\":1}", 0) == RECORD_UPDATED);
	CHECK(TEXT_EQ(data_of(db, a, other, "x"), "{\"a\":2}"));
	CHECK(record_get_json(&app, a, &account, &mine.id, &json, &err) == 1);
	CHECK(record_get_json(&app, a, &other, &mine.id, &json, &err) == 0);
	CHECK(record_get_json(&app, a, &account, &theirs.id, &json, &err) == 0);
	/* the same for what differs in type or provider only */
	mine = item(account, "x", "{\"a\":3}", 0);
	mine.resource_type = STR("deal");
	OK(store(db, a, &mine, 1, &err), &err);
	CHECK(mine.outcome == RECORD_CREATED);
	mine.provider_type = STR("test2");
	OK(store(db, a, &mine, 1, &err), &err);
	CHECK(mine.outcome == RECORD_CREATED);
	CHECK(rows_of(db, account) == 3 && rows_of(db, other) == 1);
	/* and within one call */
	struct record_item both[] = {
	    item(account, "z", "{\"a\":1}", 0), item(other, "z", "{\"b\":1}", 0)};

	OK(store(db, a, both, 2, &err), &err);
	CHECK(both[1].outcome == RECORD_CREATED);
	CHECK(TEXT_EQ(data_of(db, a, account, "z"), "{\"a\":1}"));
	CHECK(TEXT_EQ(data_of(db, a, other, "z"), "{\"b\":1}"));
	arena_free(a);
}

/* External ids as the database compares them: case and accents matter, blanks at the end do not. */
static void external_ids(void)
{
	static const struct {
		int line;
		const char *id;
		enum record_outcome outcome;
	} cases[] = {{__LINE__, "Abc", RECORD_CREATED}, {__LINE__, "abc", RECORD_CREATED},
	    {__LINE__, "\xc3\xa4", RECORD_CREATED}, {__LINE__, "a", RECORD_CREATED},
	    {__LINE__, " abc", RECORD_CREATED}, {__LINE__, "abc ", RECORD_UPDATED},
	    {__LINE__, "abc  ", RECORD_UPDATED}, {__LINE__, "abc", RECORD_UPDATED},
	    {__LINE__, "a%", RECORD_CREATED}, {__LINE__, "a'\"\\", RECORD_CREATED},
	    {__LINE__, "\xf0\x9f\x98\x80", RECORD_CREATED}};
	struct db *db = test_db();
	struct uuid account = uuid_new();
	struct err err = ERR_INIT;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct record_item it =
		    item(account, cases[i].id, arena_printf(a, "{\"n\":%zu}", i), 0);

		CHECK_AT(cases[i].line, store(db, a, &it, 1, &err) == 0);
		CHECK_AT(cases[i].line, it.outcome == cases[i].outcome);
		err_clear(&err);
	}
	/* and within one call */
	struct record_item both[] = {
	    item(account, "new", "{\"a\":1}", 0), item(account, "new ", "{\"b\":2}", 0)};

	OK(store(db, a, both, 2, &err), &err);
	CHECK(both[1].outcome == RECORD_UPDATED && uuid_eq(both[0].id, both[1].id));
	CHECK(TEXT_EQ(data_of(db, a, account, "new"), "{\"a\":1,\"b\":2}"));
	CHECK(rows_of(db, account) == counted(db, account));
	arena_free(a);
}

static void too_large(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new();
	struct record_item items[2];
	struct err err = ERR_INIT;
	char *half, *whole;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	whole = arena_alloc(a, LIMIT_RECORD_BYTES + 1);
	memset(whole, 'x', LIMIT_RECORD_BYTES);
	whole[LIMIT_RECORD_BYTES] = '\0';
	half = arena_strndup(a, whole, LIMIT_RECORD_BYTES / 2 + 100);
	items[0] = item(account, "y", "{}", 0);
	items[1] = item(account, "x", arena_printf(a, "{\"a\":\"%s\"}", whole), 0);
	CHECK(store(db, a, items, 2, &err) == -1 && err.code == ERR_LIMIT);
	CHECK(rows_of(db, account) == 0 && counted(db, account) == 0);
	err_clear(&err);
	items[1] = item(account, "x", arena_printf(a, "{\"a\":\"%s\"}", half), 0);
	OK(store(db, a, items, 2, &err), &err);
	items[1] = item(account, "x", arena_printf(a, "{\"b\":\"%s\"}", half), 0);
	CHECK(store(db, a, items, 2, &err) == -1 && err.code == ERR_LIMIT);
	CHECK(strlen(data_of(db, a, account, "x")) == strlen(half) + 8);
	CHECK(changes_of(db, account) == 2);
	arena_free(a);
}

/* ---- late payloads ----------------------------------------------------------------------- */

#define UPDATES 4

struct updates {
	int line;
	const char *data[UPDATES]; /* in the order of the provider's clock; NULL: no more */
	const char *expected;
};

static const struct updates late[] = {
    {__LINE__, {"{\"a\":1,\"b\":1,\"c\":1}", "{\"b\":2,\"c\":2}", "{\"c\":3,\"d\":3}"},
	"{\"a\":1,\"b\":2,\"c\":3,\"d\":3}"},
    {__LINE__, {"{\"a\":1}", "{\"a\":2}", "{\"a\":3}"}, "{\"a\":3}"},
    {__LINE__, {"{\"a\":1}", "{\"b\":2}", "{\"c\":3}"}, "{\"a\":1,\"b\":2,\"c\":3}"},
    {__LINE__,
	{"{\"p\":{\"x\":1,\"y\":1}}", "{\"p\":{\"y\":2,\"z\":2}}", "{\"p\":{\"z\":3},\"q\":null}"},
	"{\"p\":{\"x\":1,\"y\":2,\"z\":3},\"q\":null}"},
    {__LINE__, {"{\"a\":1}", "{\"a\":null}", "{\"b\":3}"}, "{\"a\":null,\"b\":3}"},
    {__LINE__, {"{\"l\":[1],\"m\":[1]}", "{\"l\":[2,3]}", "{\"m\":[]}"}, "{\"l\":[2,3],\"m\":[]}"},
    {__LINE__, {"{\"p\":{\"x\":{\"u\":1}}}", "{\"p\":{\"x\":{\"v\":2}}}", "{\"p\":{\"y\":3}}"},
	"{\"p\":{\"x\":{\"u\":1,\"v\":2},\"y\":3}}"},
    {__LINE__, {"{\"p\":5}", "{\"p\":{\"x\":2}}", "{\"p\":{\"y\":3}}"},
	"{\"p\":{\"x\":2,\"y\":3}}"},
    {__LINE__,
	{"{\"a\":1,\"e.f\":1}", "{\"a\":2,\"b\":2}", "{\"b\":3,\"c\":3,\"e.f\":3}",
	    "{\"c\":4,\"d\":{\"n\":4}}"},
	"{\"a\":2,\"b\":3,\"c\":4,\"d\":{\"n\":4},\"e.f\":3}"},
    {__LINE__,
	{"{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"b\":2,\"c\":2}}", "{\"o\":{\"c\":3,\"a\":3}}",
	    "{\"o\":{\"d\":4}}"},
	"{\"o\":{\"a\":3,\"b\":2,\"c\":3,\"d\":4}}"},
};

/* The k-th order of n things. */
static void permutation(size_t *order, size_t n, size_t k)
{
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	for (size_t i = n; i > 1; i--) {
		size_t at = k % i, swap = order[at];

		order[at] = order[i - 1];
		order[i - 1] = swap;
		k /= i;
	}
}

static void check_order(
    struct db *db, struct arena *a, const struct updates *u, size_t n, size_t k, bool is_one_call)
{
	struct uuid account = uuid_new();
	struct record_item items[UPDATES];
	struct err err = ERR_INIT;
	size_t order[UPDATES];
	const char *stored;

	permutation(order, n, k);
	for (size_t i = 0; i < n; i++)
		items[i] = item(account, "x", u->data[order[i]], 100 * (int64_t)(order[i] + 1));
	for (size_t i = 0; i < (is_one_call ? 1 : n); i++)
		OK(store(db, a, items + i, is_one_call ? n : 1, &err), &err);
	stored = data_of(db, a, account, "x");
	CHECK_AT(u->line, TEXT_EQ(stored, u->expected));
	if (!TEXT_EQ(stored, u->expected))
		printf("# order %zu of %zu (%zu %zu %zu%s): %s\n", k, n, order[0], order[1],
		    order[2], is_one_call ? ", one call" : "", stored);
	CHECK_AT(
	    u->line, NUMBER_OF(db, "SELECT provider_updated_at FROM records WHERE account_id = ?",
			 db_uuid(&account)) == 100 * (int64_t)n);
	CHECK_AT(u->line, json_equal(created_with(db, a, account, (unsigned)u->line),
			      json_parse(a, items[0].data, NULL)));
	CHECK_AT(u->line, items[0].outcome == RECORD_CREATED);
}

static void every_order_ends_the_same(void)
{
	struct db *db = test_db();

	if (db == NULL)
		return;
	for (size_t i = 0; i < COUNT(late); i++) {
		struct arena *a = arena_new();
		size_t n = late[i].data[3] == NULL ? 3 : 4, orders = n == 3 ? 6 : 24;

		for (size_t k = 0; k < orders; k++) {
			check_order(db, a, &late[i], n, k, false);
			check_order(db, a, &late[i], n, k, true);
		}
		arena_free(a);
	}
}

/* Among payloads that say no time: those overwrite what is there when they come. */
static void late_among_timeless(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new();
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	CHECK(PUT("{\"a\":1,\"t\":\"created\"}", 100) == RECORD_CREATED);
	CHECK(PUT("{\"a\":\"details\",\"d\":1}", 0) == RECORD_UPDATED);
	CHECK(PUT("{\"a\":\"late\"}", 50) == RECORD_STALE);
	CHECK(PUT("{\"d\":\"late\",\"l\":1}", 50) == RECORD_UPDATED);
	CHECK(TEXT_EQ(
	    data_of(db, a, account, "x"), "{\"a\":\"details\",\"d\":1,\"l\":1,\"t\":\"created\"}"));
	CHECK(PUT("{\"a\":\"newest\"}", 300) == RECORD_UPDATED);
	CHECK(PUT("{\"a\":\"between\",\"d\":\"between\"}", 200) == RECORD_UPDATED);
	CHECK(TEXT_EQ(data_of(db, a, account, "x"),
	    "{\"a\":\"newest\",\"d\":\"between\",\"l\":1,\"t\":\"created\"}"));
	account = uuid_new(); /* created by one without a time */
	CHECK(PUT("{\"a\":1}", 0) == RECORD_CREATED);
	CHECK(PUT("{\"a\":2}", 100) == RECORD_UPDATED);
	CHECK(PUT("{\"a\":3,\"b\":3}", 50) == RECORD_UPDATED);
	CHECK(TEXT_EQ(data_of(db, a, account, "x"), "{\"a\":2,\"b\":3}"));
	CHECK(PUT("{\"a\":4}", 100) == RECORD_UPDATED); /* as old as the newest: not late */
	CHECK(TEXT_EQ(data_of(db, a, account, "x"), "{\"a\":4,\"b\":3}"));
	arena_free(a);
}

/* A time to come counts as the receipt: it keeps nothing as it is until then. */
static void times_to_come(void)
{
	struct db *db = test_db();
	const int64_t far_us = AT + 365 * DAY_US;
	struct uuid account = uuid_new();
	struct record_item it;
	struct arena *a;
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	a = arena_new();
	it = item(account, "x", "{\"plan\":\"old\"}", far_us);
	it.at_us = AT;
	OK(store(db, a, &it, 1, &err), &err);
	CHECK(it.was_ahead && it.outcome == RECORD_CREATED);
	CHECK(NUMBER_OF(db, "SELECT provider_updated_at FROM records WHERE account_id = ?",
		  db_uuid(&account)) == AT);
	it = item(account, "x", "{\"plan\":\"new\"}", AT + 601 * SECOND_US);
	it.at_us = AT + SECOND_US; /* ten minutes ahead are a clock that is a little fast */
	OK(store(db, a, &it, 1, &err), &err);
	CHECK(!it.was_ahead && it.outcome == RECORD_UPDATED);
	it = item(account, "x", "{\"plan\":\"replayed\"}", far_us);
	it.received_us = AT; /* it came first then */
	it.at_us = far_us;
	OK(store(db, a, &it, 1, &err), &err);
	CHECK(it.was_ahead && it.outcome == RECORD_STALE);
	CHECK(TEXT_EQ(data_of(db, a, account, "x"), "{\"plan\":\"new\"}"));
	arena_free(a);
}

/* What is written later than it was said fills what nobody has said. */
static void fills(void)
{
	static const struct {
		int line;
		const char *first, *second;
		int64_t t; /* of the second; 0: none */
	} cases[] = {
	    {__LINE__, "{\"a\":1,\"o\":{\"x\":1}}", "{\"a\":2}", 9},
	    {__LINE__, "{\"a\":1,\"o\":{\"x\":1}}", "{\"a\":2}", 0},
	};
	struct db *db = test_db();
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int is_import = 0; is_import < 2; is_import++) {
			struct uuid account = uuid_new();
			struct record_item it = item(account, "x",
			    "{\"a\":\"late\",\"b\":\"late\",\"o\":{\"x\":\"late\",\"y\":5}}", 0);
			struct err err = ERR_INIT;

			put(db, a, account, cases[i].first, cases[i].t, __LINE__);
			put(db, a, account, cases[i].second, cases[i].t, __LINE__);
			it.is_fill = !is_import;
			if (is_import) { /* its file was there before they came */
				it.received_us = AT - SECOND_US;
				it.source = RECORD_SOURCE_IMPORT;
			}
			it.at_us = AT + SECOND_US;
			OK(store(db, a, &it, 1, &err), &err);
			CHECK_AT(
			    cases[i].line, TEXT_EQ(data_of(db, a, account, "x"),
					       "{\"a\":2,\"b\":\"late\",\"o\":{\"x\":1,\"y\":5}}"));
		}
	}
	arena_free(a);
}

/* What came, in the order of the provider's clock: the store's own result in one statement. */
static json_t *sorted_and_merged(struct arena *a, const struct record_item *items, size_t n)
{
	json_t *data = json_own(a, json_object());
	bool is_done[64] = {false};

	for (size_t left = n; left > 0; left--) {
		size_t next = n;

		for (size_t i = 0; i < n; i++)
			if (!is_done[i] && (next == n || items[i].provider_updated_us <
							     items[next].provider_updated_us))
				next = i;
		is_done[next] = true;
		json_merge(data, json_parse(a, items[next].data, NULL));
	}
	return data;
}

static const char *random_payload(struct arena *a)
{
	static const char *const values[] = {
	    "1", "2", "null", "[1]", "{\"x\":1}", "{\"x\":2,\"y\":1}", "{\"y\":{\"z\":1}}", "{}"};

	return arena_printf(a, "{\"%c\":%s,\"%c\":%s}", "abc"[random_below(3)],
	    values[random_below(COUNT(values))], "def"[random_below(3)],
	    values[random_below(COUNT(values))]);
}

/* Members that stand in a payload for want of a value are older than whatever was said of them,
 * in whatever order that comes; what is there they leave alone. */
static void unsaid_is_older(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new();
	struct err err = ERR_INIT;
	struct record_item it;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	PUT("{\"a\":1,\"b\":1}", 100);
	it = item(account, "x", "{\"a\":2,\"b\":null,\"c\":null,\"d\":null}", 300);
	it.unsaid = STR("b,c,d");
	OK(store(db, a, &it, 1, &err), &err);
	CHECK(it.outcome == RECORD_UPDATED);
	CHECK(TEXT_EQ(data_of(db, a, account, "x"), "{\"a\":2,\"b\":1,\"c\":null,\"d\":null}"));
	CHECK(PUT("{\"a\":0,\"c\":3}", 200) == RECORD_UPDATED);
	CHECK(PUT("{\"d\":4}", 0) == RECORD_UPDATED);
	CHECK(TEXT_EQ(data_of(db, a, account, "x"), "{\"a\":2,\"b\":1,\"c\":3,\"d\":4}"));
	OK(store(db, a, &it, 1, &err), &err);
	CHECK(it.outcome == RECORD_UNCHANGED);
	arena_free(a);
}

/* What was said by then and comes again takes nothing back of a payload without a time; what is
 * newer does. Such a one that only repeats what is there is no word at all, and writes nothing. */
static void repeats_take_nothing_back(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new();
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	PUT("{\"a\":1,\"b\":1,\"o\":{\"x\":1}}", 100);
	CHECK(PUT("{\"b\":1,\"o\":{\"x\":1}}", 0) == RECORD_UNCHANGED);
	CHECK(NUMBER_OF(db, "SELECT clocks IS NULL FROM records WHERE account_id = ?",
		  db_uuid(&account)) == 1);
	CHECK(PUT("{\"a\":2,\"o\":{\"x\":2,\"y\":2}}", 0) == RECORD_UPDATED);
	CHECK(PUT("{\"a\":1,\"b\":1,\"o\":{\"x\":1}}", 100) == RECORD_UNCHANGED);
	CHECK(TEXT_EQ(data_of(db, a, account, "x"), "{\"a\":2,\"b\":1,\"o\":{\"x\":2,\"y\":2}}"));
	CHECK(PUT("{\"a\":3}", 0) == RECORD_UPDATED); /* the later one of two */
	CHECK(PUT("{\"b\":2}", 100) == RECORD_UPDATED);
	CHECK(PUT("{\"a\":1}", 100) == RECORD_UNCHANGED);
	CHECK(PUT("{\"o\":{\"x\":3}}", 200) == RECORD_UPDATED);
	CHECK(TEXT_EQ(data_of(db, a, account, "x"), "{\"a\":3,\"b\":2,\"o\":{\"x\":3,\"y\":2}}"));
	CHECK(NUMBER_OF(db, "SELECT provider_updated_at FROM records WHERE account_id = ?",
		  db_uuid(&account)) == 200);
	account = uuid_new(); /* of which no time is known: one that corrects it is of now */
	PUT("{\"a\":1,\"b\":1}", 0);
	for (int again = 2; again < 4; again++) {
		struct record_item it = item(account, "x", "", 0);
		struct err err = ERR_INIT;

		it.data = str_from(arena_printf(a, "{\"a\":%d}", again));
		it.is_correction = true;
		OK(store(db, a, &it, 1, &err), &err);
		CHECK(it.outcome == RECORD_UPDATED);
		PUT("{\"a\":1,\"b\":2}", AT - SECOND_US);
	}
	CHECK(TEXT_EQ(data_of(db, a, account, "x"), "{\"a\":3,\"b\":2}"));
	CHECK(PUT("{\"a\":4}", AT + 60 * SECOND_US) == RECORD_UPDATED);
	CHECK(PUT("{\"a\":5}", 0) == RECORD_UPDATED);
	arena_free(a);
}

/* Random histories, in transactions of any size: the store agrees with the model, and the record of
 * each moment is what had come by then. */
static void random_histories(void)
{
	enum { ROUNDS = 150, MOST = 24 };
	struct db *db = test_db();
	size_t off = 0;

	if (db == NULL)
		return;
	for (int round = 0; round < ROUNDS; round++) {
		struct arena *a = arena_new();
		struct uuid account = uuid_new();
		struct record_item items[MOST];
		size_t n = 1 + random_below(MOST), done = 0;
		struct err err = ERR_INIT;
		int64_t newest = INT64_MIN;

		for (size_t i = 0; i < n; i++) {
			items[i] = item(account, "x", random_payload(a),
			    1 + (int64_t)random_below(round % 2 ? 5 : 1000000));
			items[i].at_us = AT + (int64_t)i * 10;
			if (items[i].provider_updated_us > newest)
				newest = items[i].provider_updated_us;
		}
		while (done < n) {
			size_t take = 1 + random_below((uint32_t)(n - done));

			OK(store(db, a, items + done, take, &err), &err);
			done += take;
			off +=
			    !json_equal(json_parse(a, str_from(data_of(db, a, account, "x")), NULL),
				sorted_and_merged(a, items, done));
		}
		off += NUMBER_OF(db, "SELECT provider_updated_at FROM records WHERE account_id = ?",
			   db_uuid(&account)) != newest;
		off += !json_equal(
		    created_with(db, a, account, __LINE__), json_parse(a, items[0].data, NULL));
		arena_free(a);
	}
	CHECK(off == 0);
}

/* ---- several writers --------------------------------------------------------------------- */

/* A transaction in another process that goes on when this one waits for its lock. */
struct holding {
	struct uuid account;
	bool is_first_there; /* it holds the new record itself; else another that both need */
	int ready;           /* written to once it holds it */
};

static int hold_body(struct db *db, void *arg, struct err *err)
{
	struct holding *h = arg;
	struct arena *a = arena_new();
	struct record_item it = item(h->account, "x", "{\"first\":1}", 0);
	struct record_item both = item(h->account, "both", "{\"n\":1}", 0);
	bool is_waited_for = false;
	int rc;

	both.resource_type = STR("deal");
	rc = record_upsert(db, a, h->is_first_there ? &it : &both, 1, err);
	if (rc == 0 && write(h->ready, "x", 1) == 1)
		is_waited_for = core_await_lock_wait();
	if (rc == 0 && !h->is_first_there)
		rc = record_upsert(db, a, &it, 1, err);
	arena_free(a);
	return rc == 0 && is_waited_for ? 0 : err_set(err, ERR_INTERNAL, "nobody waited");
}

static int hold(void *arg)
{
	struct db *db = db_new(test_db_config());
	struct err err = ERR_INIT;
	int rc = db_transaction(db, hold_body, arg, &err);

	db_free(db);
	return rc == 0 ? 0 : 1;
}

/* This process looks for a new record while another makes it: it waits for that one, or it has seen
 * nothing and its insertion fails, so that it has to begin anew. */
static void insert_against(struct db *db, bool is_first_there)
{
	struct holding h = {.account = uuid_new(), .is_first_there = is_first_there};
	struct record_item items[] = {
	    item(h.account, "x", "{\"second\":2}", 0), item(h.account, "both", "{\"n\":1}", 0)};
	struct storing s = {.items = items, .n = 2};
	struct err err = ERR_INIT;
	int ends[2];
	pid_t pid;
	char byte;

	s.a = arena_new();
	items[1].resource_type = STR("deal");
	REQUIRE(pipe(ends) == 0);
	h.ready = ends[1];
	pid = core_fork(hold, &h);
	CHECK(read(ends[0], &byte, 1) == 1);
	OK(db_transaction(db, store_body, &s, &err), &err);
	CHECK(core_wait(pid) == 0);
	CHECK(s.tries == (is_first_there ? 1 : 2) && items[0].outcome == RECORD_UPDATED);
	CHECK(items[1].outcome == (is_first_there ? RECORD_CREATED : RECORD_UNCHANGED));
	CHECK(TEXT_EQ(data_of(db, s.a, h.account, "x"), "{\"first\":1,\"second\":2}"));
	CHECK(rows_of(db, h.account) == 2 && counted(db, h.account) == 2);
	CHECK(json_equal(created_with(db, s.a, h.account, __LINE__),
	    json_parse(s.a, STR("{\"first\":1}"), NULL)));
	close(ends[0]);
	close(ends[1]);
	arena_free(s.a);
}

static void two_insert_at_once(void)
{
	struct db *db = test_db();

	if (db == NULL)
		return;
	insert_against(db, true);
	insert_against(db, false);
}

#define WRITERS 16
#define WRITES 6

struct writer {
	struct uuid account;
	int go, other_end; /* all start when the other end is closed everywhere */
	int index;
};

static int write_often(void *arg)
{
	const struct writer *w = arg;
	struct db *db = db_new(test_db_config());
	struct err err = ERR_INIT;
	char byte;
	int rc = db_ping(db, &err);

	close(w->other_end);
	if (read(w->go, &byte, 1) != 0)
		return 1;
	for (int i = 0; rc == 0 && i < WRITES; i++) {
		struct arena *a = arena_new();
		struct record_item it = item(w->account, "x",
		    arena_printf(a, "{\"last\":\"%d/%d\",\"w%d\":%d,\"o\":{\"w%d\":true}}",
			w->index, i, w->index, i, w->index),
		    0);

		rc = store(db, a, &it, 1, &err);
		if (rc == -1)
			printf("# writer %d: %s\n", w->index, err.msg);
		arena_free(a);
	}
	db_free(db);
	fflush(NULL);
	return rc == 0 ? 0 : 1;
}

static void many_writers(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new();
	struct writer writers[WRITERS];
	pid_t pids[WRITERS];
	struct db_rows rows;
	json_t *now, *value;
	const char *key;
	size_t keys = 0, unchained = 0;
	struct arena *a;
	int ends[2];

	if (db == NULL)
		return;
	a = arena_new();
	REQUIRE(pipe(ends) == 0);
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){account, ends[0], ends[1], i};
		pids[i] = core_fork(write_often, &writers[i]);
	}
	close(ends[0]);
	close(ends[1]);
	for (int i = 0; i < WRITERS; i++)
		CHECK(core_wait(pids[i]) == 0);

	CHECK(rows_of(db, account) == 1 && counted(db, account) == 1);
	CHECK(changes_of(db, account) == WRITERS * WRITES);
	now = json_parse(a, str_from(data_of(db, a, account, "x")), NULL);
	json_object_each(now, key, value)
		keys += key[0] == 'w' && json_integer_value(value) == WRITES - 1;
	CHECK(keys == WRITERS && json_object_size(json_object_get(now, "o")) == WRITERS);
	/* each change begins where the one before it ended */
	rows = ROWS_OF(db, a,
	    "SELECT changes FROM record_changes WHERE account_id = ? ORDER BY id DESC",
	    db_uuid(&account));
	for (size_t i = 0; i + 1 < rows.count; i++) {
		json_t *changes = json_parse(a, db_get_str(&rows, i, 0), NULL);

		for (size_t k = 0; k < json_array_size(changes); k++) {
			const json_t *c = json_array_get(changes, k);

			if (!str_is(str_from(json_str(c, "path")), "last"))
				continue;
			unchained +=
			    !json_equal(json_object_get(c, "after"), json_object_get(now, "last"));
		}
		record_undo(a, now, changes);
	}
	CHECK(unchained == 0);
	CHECK(json_object_size(now) == 3);
	arena_free(a);
}

/* ---- the connection ---------------------------------------------------------------------- */

static int64_t came_by(struct db *db, struct uuid account, struct uuid connection)
{
	return NUMBER_OF(db,
	    "SELECT COUNT(*) FROM records WHERE account_id = ? AND connection_id <=> ?",
	    db_uuid(&account), db_uuid_or_null(&connection));
}

static void keeps_its_connection(void)
{
	struct db *db = test_db();
	struct arena *a;
	const struct uuid account = uuid_new(), none = {{0}}, one = uuid_new(), two = uuid_new();
	const struct {
		int line;
		const char *data;
		struct uuid by, then;
		enum record_outcome outcome;
	} steps[] = {{__LINE__, "{\"a\":1}", none, none, RECORD_CREATED},
	    {__LINE__, "{\"a\":1}", one, none, RECORD_UNCHANGED}, /* which is written nowhere */
	    {__LINE__, "{\"a\":2}", one, one, RECORD_UPDATED},
	    {__LINE__, "{\"a\":2}", two, one, RECORD_UNCHANGED},
	    {__LINE__, "{\"a\":3}", none, one, RECORD_UPDATED}, /* by a file, or a flow */
	    {__LINE__, "{\"a\":4}", two, two, RECORD_UPDATED}};
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	a = arena_new();
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct record_item it = item(account, "x", steps[i].data, 0);

		it.connection_id = steps[i].by;
		CHECK_AT(steps[i].line, store(db, a, &it, 1, &err) == 0);
		CHECK_AT(steps[i].line, it.outcome == steps[i].outcome);
		CHECK_AT(steps[i].line, came_by(db, account, steps[i].then) == 1);
	}
	arena_free(a);
}

/* ---- several kinds in a call ----------------------------------------------------------------- */

static const struct {
	bool is_other; /* account */
	const char *provider, *type, *id;
} kinds[] = {{false, "test", "contact", "x"}, {false, "test", "contact", "y"},
    {false, "test", "company", "x"}, {false, "other", "contact", "x"},
    {true, "test", "contact", "x"}, {true, "test", "contact", "y "}};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void kinds_make(
    struct record_item *items, struct uuid account, struct uuid other, const char *data, int64_t t)
{
	for (size_t i = 0; i < KINDS; i++) {
		items[i] = item(kinds[i].is_other ? other : account, kinds[i].id, data, t);
		items[i].provider_type = str_from(kinds[i].provider);
		items[i].resource_type = str_from(kinds[i].type);
	}
}

static uint64_t trips_of(struct db *db, struct arena *a, struct record_item *items, size_t n)
{
	uint64_t before = db_round_trips(db);
	struct err err = ERR_INIT;

	OK(store(db, a, items, n, &err), &err);
	return db_round_trips(db) - before;
}

static void several_kinds(void)
{
	struct db *db = test_db();
	struct arena *a = arena_new();
	struct uuid account = uuid_new(), other = uuid_new();
	struct record_item items[KINDS];
	struct err err = ERR_INIT;
	uint64_t one;

	if (db == NULL)
		return;
	kinds_make(items, account, other, "{\"n\":1}", 1);
	OK(store(db, a, items, KINDS, &err), &err);
	for (size_t i = 0; i < KINDS; i++)
		CHECK_AT(i, items[i].outcome == RECORD_CREATED);
	kinds_make(items, account, other, "{\"n\":2}", 2);
	items[5].external_id = STR("y"); /* blanks behind a key are none */
	items[0].data = STR("{\"n\":1}");
	OK(store(db, a, items, KINDS, &err), &err);
	for (size_t i = 0; i < KINDS; i++)
		CHECK_AT(i, items[i].outcome == (i == 0 ? RECORD_UNCHANGED : RECORD_UPDATED));
	CHECK(rows_of(db, account) == 4 && rows_of(db, other) == 2);
	CHECK(NUMBER_OF(db,
		  "SELECT COUNT(*) FROM records WHERE account_id IN (?,?) AND data = '{\"n\":2}'",
		  db_uuid(&account), db_uuid(&other)) == KINDS - 1);

	/* read by one statement */
	kinds_make(items, account, other, "{\"n\":2}", 2);
	OK(store(db, a, items, KINDS, &err), &err);
	kinds_make(items, account, other, "{\"n\":2}", 2);
	one = trips_of(db, a, items + 1, 1);
	kinds_make(items, account, other, "{\"n\":2}", 2);
	CHECK(trips_of(db, a, items, KINDS) == one);
	arena_free(a);
}

static int shared_body(struct db *db, void *arg, struct err *err)
{
	struct storing *s = arg;

	return record_upsert_shared(db, s->a, s->items, s->n, err);
}

struct a_holder {
	struct db *db;
	struct arena *a;
	struct uuid account;
};

/* Another holds a company of the account: of all kinds that one alone is in the way. */
static int holding_body(struct db *db, void *arg, struct err *err)
{
	const struct a_holder *h = arg;
	struct uuid other = uuid_new();
	struct record_item items[KINDS];
	struct storing s = {h->a, items, KINDS, 0};
	struct err e = ERR_INIT;
	struct db_rows rows;

	if (db_query(db, h->a,
		&(const struct db_stmt){"hold",
		    "SELECT id FROM records WHERE account_id = ? AND resource_type = 'company'"
		    " FOR UPDATE",
		    NULL, NULL},
		DB_VALS(db_uuid(&h->account)), &rows, err) == -1)
		return -1;
	kinds_make(items, h->account, other, "{\"n\":3}", 3);
	CHECK(rows.count == 1);
	CHECK(db_transaction(h->db, shared_body, &s, &e) == -1 && e.code == ERR_LOCKED);
	for (size_t i = 0; i < KINDS; i++)
		CHECK_AT(i, items[i].is_in_the_way == (i == 2));
	return 0;
}

static void a_kind_in_the_way(void)
{
	struct db *db = test_db();
	struct a_holder h = {.a = arena_new(), .account = uuid_new()};
	struct uuid other = uuid_new();
	struct record_item items[KINDS];
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	h.db = db_new(test_db_config());
	db_set_patience(h.db, true, 1);
	kinds_make(items, h.account, other, "{\"n\":1}", 1);
	OK(store(db, h.a, items, KINDS, &err), &err);
	OK(db_transaction(db, holding_body, &h, &err), &err);
	db_free(h.db);
	arena_free(h.a);
}

#define OF_A_KIND 5
#define THE_HELD_ONE 3

static void one_kind_make(
    struct record_item *items, struct uuid account, char (*ids)[8], const char *data)
{
	for (size_t i = 0; i < OF_A_KIND; i++) {
		snprintf(ids[i], sizeof(ids[i]), "n%zu", i);
		items[i] = item(account, ids[i], data, 1);
	}
}

/* Another holds one record: those of its kind that come with it are not in the way, nor is one that
 * is new. */
static int holding_one_body(struct db *db, void *arg, struct err *err)
{
	const struct a_holder *h = arg;
	struct record_item items[OF_A_KIND];
	struct storing s = {h->a, items, OF_A_KIND, 0};
	char ids[OF_A_KIND][8];
	struct err e = ERR_INIT;
	struct db_rows rows;

	if (db_query(db, h->a,
		&(const struct db_stmt){"hold_one",
		    "SELECT id FROM records WHERE account_id = ? AND provider_type = 'test'"
		    " AND resource_type = 'contact' AND external_id = 'n3' FOR UPDATE",
		    NULL, NULL},
		DB_VALS(db_uuid(&h->account)), &rows, err) == -1)
		return -1;
	one_kind_make(items, h->account, ids, "{\"n\":2}");
	items[0].external_id = STR("new");
	CHECK(rows.count == 1);
	CHECK(db_transaction(h->db, shared_body, &s, &e) == -1 && e.code == ERR_LOCKED);
	for (size_t i = 0; i < OF_A_KIND; i++)
		CHECK_AT(i, items[i].is_in_the_way == (i == THE_HELD_ONE));
	return 0;
}

static void one_of_a_kind_in_the_way(void)
{
	struct db *db = test_db();
	struct a_holder h = {.a = arena_new(), .account = uuid_new()};
	struct record_item items[OF_A_KIND];
	char ids[OF_A_KIND][8];
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	h.db = db_new(test_db_config());
	db_set_patience(h.db, true, 1);
	one_kind_make(items, h.account, ids, "{\"n\":1}");
	OK(store(db, h.a, items, OF_A_KIND, &err), &err);
	OK(db_transaction(db, holding_one_body, &h, &err), &err);
	db_free(h.db);
	arena_free(h.a);
}

void suite_record_upsert(void)
{
	ADD_TESTS("record_upsert", {"outcomes", outcomes}, {"rows of history", history_rows},
	    {"one record several times in a call", same_record_in_one_call},
	    {"many in one call, and their counts", many_in_one_call},
	    {"accounts are apart", accounts_are_apart}, {"external ids", external_ids},
	    {"too large", too_large}, {"every order ends the same", every_order_ends_the_same},
	    {"late among payloads without a time", late_among_timeless},
	    {"times to come", times_to_come}, {"what comes late fills", fills},
	    {"unsaid is older than all", unsaid_is_older},
	    {"repeats take nothing back", repeats_take_nothing_back},
	    {"the connection that it last came by", keeps_its_connection},
	    {"random histories agree with the model", random_histories},
	    {"two insert at once", two_insert_at_once}, {"sixteen writers", many_writers},
	    {"several kinds in a call, read at once", several_kinds},
	    {"of several kinds one is in the way", a_kind_in_the_way},
	    {"of one kind one record is in the way", one_of_a_kind_in_the_way});
}
