/* Tables of a customer's own: values and their keys, and random lives of rows against a model. */
#include "base/number.h"
#include "core-check.h"
#include "record-check.h"
#include "table/table-internal.h"

void suite_table(void);

/* ---- values --------------------------------------------------------------------------------- */

static int key_order(const struct table_key *x, const struct table_key *y)
{
	size_t n = x->n < y->n ? x->n : y->n;
	int order = memcmp(x->b, y->b, n);

	return order != 0 ? order : x->n < y->n ? -1 : x->n > y->n;
}

/* Each is before the next. */
static void keys_rise(void)
{
	static const struct {
		int line;
		enum table_type type;
		const char *values[10];
	} rows[] = {
	    {__LINE__, TABLE_NUMBER,
		{"-1e30", "-10.5", "-10", "-9", "-0.5", "0", "0.05", "0.5", "9", "10"}},
	    {__LINE__, TABLE_NUMBER,
		{"10", "10.000000000000000000001", "11", "18446744073709551615",
		    "18446744073709551616", "1e999"}},
	    {__LINE__, TABLE_STRING,
		{"\"\"", "\"-\"", "\"5\"", "\"Ann\"", "\"anna\"", "\"Émile\"", "\"fo\"",
		    "\"Zoe\""}},
	    {__LINE__, TABLE_DATE,
		{"\"0001-01-01\"", "\"1969-12-31T23:59:59Z\"", "\"1970-01-01\"",
		    "\"2026-03-07T00:00:01Z\"", "\"2026-03-08\""}},
	    {__LINE__, TABLE_BOOLEAN, {"false", "true"}},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct table_key last = {.n = 0}, nothing;

		for (size_t k = 0; k < 10 && rows[i].values[k] != NULL; k++) {
			struct table_key key;

			table_key_of(a, rows[i].type,
			    json_parse(a, str_from(arena_printf(a, "[%s]", rows[i].values[k])),
				NULL) == NULL
				? NULL
				: json_array_get(
				      json_parse(a,
					  str_from(arena_printf(a, "[%s]", rows[i].values[k])),
					  NULL),
				      0),
			    &key);
			CHECK_AT(rows[i].line, key_order(&last, &key) < 0);
			last = key;
		}
		table_key_of(a, rows[i].type, NULL, &nothing);
		CHECK_AT(rows[i].line, key_order(&last, &nothing) < 0);
	}
	arena_free(a);
}

static void values_convert(void)
{
	static const struct {
		int line;
		enum table_type type;
		const char *kept, *as; /* as NULL: it cannot be */
	} rows[] = {
	    {__LINE__, TABLE_STRING, "5.50", "\"5.50\""},
	    {__LINE__, TABLE_STRING, "true", "\"true\""},
	    {__LINE__, TABLE_STRING, "{\"a\":1}", "\"{\\\"a\\\":1}\""},
	    {__LINE__, TABLE_NUMBER, "\" 5.50 \"", "5.50"},
	    {__LINE__, TABLE_NUMBER, "\"five\"", NULL},
	    {__LINE__, TABLE_NUMBER, "true", NULL},
	    {__LINE__, TABLE_BOOLEAN, "\"Yes\"", "true"},
	    {__LINE__, TABLE_BOOLEAN, "\"maybe\"", NULL},
	    {__LINE__, TABLE_BOOLEAN, "0", "false"},
	    {__LINE__, TABLE_BOOLEAN, "2", NULL},
	    {__LINE__, TABLE_DATE, "\"2026-03-07T14:00:00+02:00\"", "\"2026-03-07T12:00:00Z\""},
	    {__LINE__, TABLE_DATE, "\"2026-03-07\"", "\"2026-03-07\""},
	    {__LINE__, TABLE_DATE, "\"soon\"", NULL},
	    {__LINE__, TABLE_DATE, "5", NULL},
	    {__LINE__, TABLE_JSON, "[1]", "[1]"},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *v = json_parse(a, str_from(arena_printf(a, "[%s]", rows[i].kept)), NULL);
		json_t *as = table_value_as(a, rows[i].type, json_array_get(v, 0));

		CHECK_AT(rows[i].line, (as == NULL) == (rows[i].as == NULL));
		if (as != NULL && rows[i].as != NULL)
			CHECK_AT(
			    rows[i].line, str_is(json_text(a, json_own(a, json_pack("[O]", as))),
					      arena_printf(a, "[%s]", rows[i].as)));
	}
	arena_free(a);
}

/* ---- lives of rows --------------------------------------------------------------------------- */

#define LIFE_KEYS 8
#define LIFE_TURNS 60

struct life {
	struct place p;
	struct uuid table_id;
	json_t *model[LIFE_KEYS];      /* data by column; NULL: no row */
	struct table_op ops[6], *more; /* these where there are more */
	size_t n;
};

static unsigned dice(unsigned n)
{
	static uint64_t state = 20260308;

	state = state * UINT64_C(6364136223846793005) + 1;
	return (unsigned)(state >> 33) % n;
}

static int life_make_body(struct db *db, void *arg, struct err *err)
{
	struct life *l = arg;
	struct table_column columns[] = {{.no = 1, .name = STR("a"), .index = 3, .is_ready = true},
	    {.no = 2, .name = STR("n"), .type = TABLE_NUMBER, .index = 4, .is_ready = true}};
	struct table t = {.id = l->table_id,
	    .account_id = l->p.account,
	    .slug = STR("life"),
	    .name = STR("Life"),
	    .shape = {columns, 2, 2, 5}};

	return table_insert(db, l->p.a, &t, &l->p.account, err);
}

static int life_run_body(struct db *db, void *arg, struct err *err)
{
	struct life *l = arg;

	(void)db;
	return table_run(
	    l->p.app, l->p.a, &l->p.account, l->more != NULL ? l->more : l->ops, l->n, err);
}

/* Some upserts at once, some of them of one key, and what they should leave. */
static void life_turn(struct life *l)
{
	struct err err = ERR_INIT;

	l->n = 1 + dice(6);
	for (size_t i = 0; i < l->n; i++) {
		unsigned key = dice(LIFE_KEYS);
		json_t *data = json_own(l->p.a, json_object());

		if (dice(3) > 0)
			json_set_str(
			    data, "a", dice(4) == 0 ? NULL : arena_printf(l->p.a, "v%u", dice(5)));
		if (dice(3) > 0)
			json_set_int(data, "n", (int64_t)dice(9) - 4);
		l->ops[i] = (struct table_op){.kind = TABLE_UPSERT,
		    .slug = STR("life"),
		    .key = json_own(l->p.a, json_string(arena_printf(l->p.a, "k%u", key))),
		    .data = data};
		if (l->model[key] == NULL)
			l->model[key] = json_own(l->p.a, json_object());
		json_object_update(l->model[key], data);
		if (json_is_null(json_object_get(l->model[key], "a")))
			json_object_del(l->model[key], "a");
	}
	OK(db_transaction(l->p.db, life_run_body, l, &err), &err);
	for (size_t i = 0; i < l->n; i++)
		CHECK(l->ops[i].err.code == ERR_NONE && l->ops[i].output != NULL);
}

/* Each row is found by its key, and what it has by each index. */
static void life_check(struct life *l)
{
	struct err err = ERR_INIT;
	int64_t rows = 0;

	for (unsigned k = 0; k < LIFE_KEYS; k++) {
		const json_t *row;

		l->n = 1;
		l->ops[0] = (struct table_op){.slug = STR("life"),
		    .column = STR("externalKey"),
		    .value = json_own(l->p.a, json_string(arena_printf(l->p.a, "k%u", k)))};
		OK(db_transaction(l->p.db, life_run_body, l, &err), &err);
		row = json_object_get(l->ops[0].output, "row");
		CHECK(json_bool(l->ops[0].output, "found") == (l->model[k] != NULL));
		if (l->model[k] == NULL)
			continue;
		rows++;
		CHECK(json_equal(json_object_get(row, "data"), l->model[k]));
		l->ops[0].column = STR("a");
		l->ops[0].value = json_object_get(l->model[k], "a");
		OK(db_transaction(l->p.db, life_run_body, l, &err), &err);
		CHECK(json_bool(l->ops[0].output, "found") == (l->ops[0].value != NULL));
	}
	CHECK(ROWS(&l->p, "table_rows") == rows);
	CHECK(ROWS(&l->p, "table_cells") == 2 * rows);
	CHECK(NUMBER_OF(l->p.db, "SELECT SUM(filled) FROM table_counts WHERE account_id = ?",
		  db_uuid(&l->p.account)) == rows);
}

static void lives(void)
{
	struct life l = {.n = 0};
	struct err err = ERR_INIT;

	if (!place_make(&l.p))
		return;
	l.table_id = uuid_new();
	OK(db_transaction(l.p.db, life_make_body, &l, &err), &err);
	for (int turn = 0; turn < LIFE_TURNS; turn++) {
		life_turn(&l);
		if (turn % 10 == 9)
			life_check(&l);
	}
	place_remove(&l.p);
}

/* ---- many at once ---------------------------------------------------------------------------- */

static struct table_op life_op(struct life *l, const char *column, const char *value)
{
	return (struct table_op){.slug = STR("life"),
	    .column = str_from(column),
	    .value = json_own(l->p.a, json_string(value))};
}

/* More than one statement takes. */
static void many_more(struct life *l)
{
	struct table_op ops[150];
	struct err err = ERR_INIT;

	for (size_t i = 0; i < COUNT(ops); i++)
		ops[i] = (struct table_op){.kind = i % 3 == 2 ? TABLE_LOOKUP : TABLE_UPSERT,
		    .slug = STR("life"),
		    .column = STR("externalKey"),
		    .value = json_own(l->p.a, json_string(arena_printf(l->p.a, "m%zu", i - 1))),
		    .key = json_own(l->p.a, json_string(arena_printf(l->p.a, "m%zu", i)))};
	l->more = ops;
	l->n = COUNT(ops);
	OK(db_transaction(l->p.db, life_run_body, l, &err), &err);
	for (size_t i = 0; i < COUNT(ops); i++)
		CHECK(json_bool(ops[i].output, i % 3 == 2 ? "found" : "created"));
}

/* What is wrong with one costs no other; what is alike goes in the same statements. */
static void many(void)
{
	struct life l = {.n = 6};
	struct err err = ERR_INIT;
	struct uuid record;
	uint64_t before;

	if (!place_make(&l.p))
		return;
	l.table_id = uuid_new();
	OK(db_transaction(l.p.db, life_make_body, &l, &err), &err);
	record = PUT(&l.p, "r1", "{\"mail\":\"a@b\",\"a\":\"of record\",\"n\":\"7\"}");
	l.ops[0] = (struct table_op){.kind = TABLE_FROM_RECORD,
	    .slug = STR("life"),
	    .key_field = STR("mail"),
	    .record_id = record};
	l.ops[1] = l.ops[0];
	l.ops[1].key_field = STR("nothing");
	l.ops[2] = (struct table_op){.kind = TABLE_APPEND,
	    .slug = STR("life"),
	    .data = json_own(l.p.a, json_pack("{s:s}", "n", "no number"))};
	l.ops[3] = life_op(&l, "a", "of record");
	l.ops[4] = life_op(&l, "none", "x");
	l.ops[5] = life_op(&l, "a", "x");
	l.ops[5].slug = STR("other");
	OK(db_transaction(l.p.db, life_run_body, &l, &err), &err);
	CHECK(json_bool(l.ops[0].output, "created"));
	CHECK(l.ops[1].output == NULL && l.ops[1].err.code == ERR_INVALID);
	CHECK(TEXT_EQ(l.ops[1].err.field, "keyField"));
	CHECK(l.ops[2].output == NULL && TEXT_EQ(l.ops[2].err.field, "data.n"));
	CHECK(json_bool(l.ops[3].output, "found"));
	CHECK(json_int(json_object_get(json_object_get(l.ops[3].output, "row"), "data"), "n") == 7);
	CHECK(TEXT_EQ(l.ops[4].err.field, "column"));
	CHECK(l.ops[5].err.code == ERR_NOT_FOUND);
	for (size_t i = 0; i < 6; i++)
		l.ops[i] = life_op(&l, "a", i % 2 == 0 ? "of record" : "x");
	OK(db_transaction(l.p.db, life_run_body, &l, &err), &err); /* prepares */
	before = db_round_trips(l.p.db);
	OK(db_transaction(l.p.db, life_run_body, &l, &err), &err);
	CHECK(db_round_trips(l.p.db) - before <= 3); /* table, rows, commit */
	for (size_t i = 0; i < 6; i++)
		CHECK(json_bool(l.ops[i].output, "found") == (i % 2 == 0));
	many_more(&l);
	place_remove(&l.p);
}

void suite_table(void)
{
	ADD_TESTS("table", {"keys rise", keys_rise}, {"values convert", values_convert},
	    {"lives", lives}, {"many", many});
}
