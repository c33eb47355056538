/* The connection: cells, many rows, errors, transactions, hooks, loss of the server. */
#include <stdint.h>

#include "base/config.h"
#include "base/limits.h"
#include "core-check.h"
#include "crypto/random.h"

void suite_db_core(void);

#define TABLE_OPTIONS " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"

static void make_table(struct db *db)
{
	SCRIPT(db, "DROP TABLE IF EXISTS core_cells");
	SCRIPT(db, "CREATE TABLE core_cells (id BIGINT NOT NULL, small TINYINT NULL, n BIGINT NULL,"
		   " t MEDIUMTEXT NULL, b MEDIUMBLOB NULL, short VARCHAR(10) NULL,"
		   " PRIMARY KEY (id))" TABLE_OPTIONS);
}

static void drop_table(struct db *db)
{
	SCRIPT(db, "DROP TABLE IF EXISTS core_cells");
}

static int64_t count_rows(struct db *db)
{
	return NUMBER_OF(db, "SELECT COUNT(*) FROM core_cells");
}

static int insert_id(struct db *db, int64_t id, struct err *err)
{
	static const struct db_stmt insert = {
	    "insert", "INSERT INTO core_cells (id) VALUES (?)", NULL, NULL};

	return db_exec(db, &insert, DB_VALS(db_int(id)), NULL, err);
}

/* ---- cells and rows ---------------------------------------------------------------------- */

static void numbers(void)
{
	static const int64_t cases[] = {0, 1, -1, 127, INT64_MAX, INT64_MIN, INT64_C(1) << 40};
	struct db *db = test_db();
	struct arena *a;
	struct db_rows rows;

	if (db == NULL)
		return;
	a = arena_new();
	make_table(db);
	for (size_t i = 0; i < COUNT(cases); i++)
		RUN(db, "INSERT INTO core_cells (id, n, small) VALUES (?,?,?)", db_int((int64_t)i),
		    db_int(cases[i]), i == 3 ? db_int(127) : db_null());
	rows = ROWS_OF(db, a, "SELECT n, small FROM core_cells ORDER BY id");
	CHECK(rows.count == COUNT(cases) && rows.columns == 2);
	for (size_t i = 0; i < rows.count; i++) {
		CHECK(db_cell(&rows, i, 0)->type == DB_INT);
		CHECK(db_get_int(&rows, i, 0) == cases[i]);
		CHECK(db_is_null(&rows, i, 1) == (i != 3));
		CHECK(db_get_int(&rows, i, 1) == (i == 3 ? 127 : 0));
	}
	/* a sum is a DECIMAL, of nothing NULL */
	rows = ROWS_OF(db, a,
	    "SELECT SUM(n), SUM(small), COUNT(*), MAX(n), SUM(n = 1)"
	    " FROM core_cells WHERE id IN (1,3,6)");
	CHECK(db_cell(&rows, 0, 0)->type == DB_INT);
	CHECK(db_get_int(&rows, 0, 0) == 1 + 127 + (INT64_C(1) << 40));
	CHECK(db_get_int(&rows, 0, 1) == 127);
	CHECK(db_get_int(&rows, 0, 2) == 3);
	CHECK(db_get_int(&rows, 0, 3) == INT64_C(1) << 40);
	CHECK(db_get_int(&rows, 0, 4) == 1);
	rows = ROWS_OF(db, a, "SELECT SUM(n) FROM core_cells WHERE id < 0");
	CHECK(rows.count == 1 && db_is_null(&rows, 0, 0) && db_get_int(&rows, 0, 0) == 0);
	drop_table(db);
	arena_free(a);
}

/* Every length around the buffer that needs no second fetch, in one result, long and short mixed.
 */
static void texts(void)
{
	static const size_t lengths[] = {0, 1, 70000, 511, 512, 513, 2, 1024, 1000000, 3};
	struct db *db = test_db();
	struct arena *a;
	struct db_rows rows;

	if (db == NULL)
		return;
	a = arena_new();
	make_table(db);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		char *text = arena_alloc(a, lengths[i] + 1);

		memset(text, 'a' + (int)i, lengths[i]);
		RUN(db, "INSERT INTO core_cells (id, t, short) VALUES (?,?,?)", db_int((int64_t)i),
		    db_strn((struct str){text, lengths[i]}),
		    i % 2 == 0 ? db_str("even") : db_null());
	}
	rows = ROWS_OF(db, a, "SELECT t, short FROM core_cells ORDER BY id");
	REQUIRE(rows.count == COUNT(lengths));
	for (size_t i = 0; i < rows.count; i++) {
		struct str s = db_get_str(&rows, i, 0);
		size_t wrong = 0;

		CHECK(s.n == lengths[i]);
		for (size_t k = 0; k < s.n; k++)
			wrong += s.p[k] != 'a' + (int)i;
		CHECK(wrong == 0 && s.p[s.n] == '\0');
		CHECK(db_cell(&rows, i, 0)->type == DB_TEXT); /* an empty text is no NULL */
		CHECK(db_is_null(&rows, i, 1) == (i % 2 != 0));
		CHECK((db_get_text(&rows, i, 1) == NULL) == (i % 2 != 0));
		CHECK(str_is(db_get_str(&rows, i, 1), i % 2 == 0 ? "even" : ""));
	}
	RUN(db, "UPDATE core_cells SET t = ?", db_str("Zoë \xf0\x9f\x98\x80 \\ ' \" %"));
	CHECK(TEXT_EQ(
	    TEXT_OF(db, a, "SELECT t FROM core_cells LIMIT 1"), "Zoë \xf0\x9f\x98\x80 \\ ' \" %"));
	drop_table(db);
	arena_free(a);
}

static void bytes(void)
{
	struct db *db = test_db();
	struct arena *a;
	struct db_rows rows;
	struct uuid id = uuid_new();
	char all[2048];

	if (db == NULL)
		return;
	a = arena_new();
	make_table(db);
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)i;
	RUN(db, "INSERT INTO core_cells (id, b) VALUES (1,?),(2,?),(3,?),(4,?),(5,?)",
	    db_blob((struct str){all, sizeof(all)}), db_uuid(&id), db_blob(STR("")),
	    db_uuid_or_null(&(struct uuid){{0}}), db_time(0));
	rows = ROWS_OF(db, a, "SELECT b FROM core_cells ORDER BY id");
	REQUIRE(rows.count == 5);
	CHECK(db_get_str(&rows, 0, 0).n == sizeof(all));
	CHECK(memcmp(db_get_str(&rows, 0, 0).p, all, sizeof(all)) == 0);
	CHECK(uuid_eq(db_get_uuid(&rows, 1, 0), id));
	CHECK(uuid_is_nil(db_get_uuid(&rows, 0, 0)));
	CHECK(!db_is_null(&rows, 2, 0) && db_get_str(&rows, 2, 0).n == 0);
	CHECK(db_is_null(&rows, 3, 0) && db_is_null(&rows, 4, 0));
	CHECK(uuid_is_nil(db_get_uuid(&rows, 3, 0)));
	drop_table(db);
	arena_free(a);
}

static const struct db_stmt insert_many = {"insert_many", "INSERT INTO core_cells (id, n) VALUES ",
    "(?,?)", " ON DUPLICATE KEY UPDATE id = id"};

static void fill(struct db *db, size_t n, uint64_t *affected)
{
	struct arena *a = arena_new();
	struct db_val *v = arena_array(a, 2 * n + 1, sizeof(*v));
	struct err err = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		v[2 * i] = db_int((int64_t)i);
		v[2 * i + 1] = db_int((int64_t)i * 3);
	}
	OK(db_exec_rows(db, &insert_many, NULL, 0, v, n, 2, affected, &err), &err);
	arena_free(a);
}

static void many_rows(void)
{
	static const size_t counts[] = {
	    0, 1, LIMIT_DB_BATCH - 1, LIMIT_DB_BATCH, LIMIT_DB_BATCH + 1, 3 * LIMIT_DB_BATCH + 5};
	struct db *db = test_db();

	if (db == NULL)
		return;
	for (size_t i = 0; i < COUNT(counts); i++) {
		uint64_t affected = 77, before = 0;

		make_table(db);
		fill(db, counts[i], &affected);
		CHECK(affected == counts[i]);
		CHECK(count_rows(db) == (int64_t)counts[i]);
		CHECK(counts[i] == 0 || NUMBER_OF(db, "SELECT SUM(n) FROM core_cells") ==
					    (int64_t)(counts[i] * (counts[i] - 1) / 2 * 3));
		/* what was there counts for nothing */
		RUN(db, "DELETE FROM core_cells WHERE id % 3 = 0");
		before = (uint64_t)count_rows(db);
		fill(db, counts[i], &affected);
		CHECK(affected == counts[i] - before);
	}
	drop_table(db);
}

/* Every number of rows and of listed values works, and few sizes are prepared for them. */
static void few_sizes(void)
{
	static const struct db_stmt in = {
	    "in", "SELECT SUM(n) FROM core_cells WHERE id IN (", "?", ")"};
	static const struct db_stmt out = {"out", "DELETE FROM core_cells WHERE id IN (", "?", ")"};
	struct db *db = test_db();
	int64_t before, prepared;

	if (db == NULL)
		return;
	make_table(db);
	before = NUMBER_OF(db, "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM"
			       " information_schema.SESSION_STATUS"
			       " WHERE VARIABLE_NAME = 'COM_STMT_PREPARE'");
	for (size_t n = 1; n <= LIMIT_DB_BATCH; n++) {
		struct arena *a = arena_new();
		struct db_val *ids = arena_array(a, n, sizeof(*ids));
		struct err err = ERR_INIT;
		struct db_rows rows;
		uint64_t affected = 0;

		fill(db, n, &affected);
		CHECK_AT((int)n, affected == n);
		for (size_t i = 0; i < n; i++)
			ids[i] = db_int((int64_t)i);
		OK(db_query_rows(db, a, &in, NULL, 0, ids, n, 1, &rows, &err), &err);
		CHECK_AT((int)n, db_get_int(&rows, 0, 0) == (int64_t)(n * (n - 1) / 2 * 3));
		OK(db_exec_rows(db, &out, NULL, 0, ids, n, 1, &affected, &err), &err);
		CHECK_AT((int)n, affected == n && count_rows(db) == 0);
		arena_free(a);
	}
	prepared = NUMBER_OF(db, "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM"
				 " information_schema.SESSION_STATUS"
				 " WHERE VARIABLE_NAME = 'COM_STMT_PREPARE'") -
		   before;
	CHECK(prepared <= 3 * 12 + 2);
	drop_table(db);
}

/* Some value for the column, or none. A number for a text now and then, which makes the column one of
 * two types. */
static struct db_val any_value(struct arena *a, size_t column)
{
	static const size_t lengths[] = {0, 1, 9, 250, 251, 252, 65535, 65536};
	size_t n = lengths[random_below(COUNT(lengths))];
	char *p = arena_alloc(a, n + 1);

	if (random_below(4) == 0)
		return db_null();
	if (column == 0)
		return db_int((int64_t)random_u64());
	if (column == 1 && random_below(200) == 0)
		return db_int((int64_t)random_below(1000000));
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(column == 1 ? 'a' + random_below(26) : random_below(256));
	return column == 1 ? db_strn((struct str){p, n}) : db_blob((struct str){p, n});
}

static bool is_value(struct arena *a, const struct db_val *sent, const struct db_rows *rows,
    size_t row, size_t column)
{
	struct str s;

	if (sent->type == DB_NULL || db_is_null(rows, row, column))
		return sent->type == DB_NULL && db_is_null(rows, row, column);
	if (column == 0)
		return db_get_int(rows, row, column) == sent->i;
	s = db_get_str(rows, row, column);
	if (sent->type == DB_INT)
		return str_is(s, arena_printf(a, "%lld", (long long)sent->i));
	return s.n == sent->s.n && memcmp(s.p, sent->s.p, s.n) == 0;
}

/* However they go to the server: what was sent is what is there. */
static void rows_of_any_values(void)
{
	static const struct db_stmt put = {
	    "put", "INSERT INTO core_cells (id, n, t, b) VALUES ", "(?,?,?,?)", ""};
	struct db *db = test_db();

	if (db == NULL)
		return;
	for (int round = 0; round < 60; round++) {
		struct arena *a = arena_new();
		size_t n = 1 + random_below(LIMIT_DB_BATCH + 10);
		struct db_val *v = arena_array(a, 4 * n, sizeof(*v));
		struct err err = ERR_INIT;
		struct db_rows rows;
		uint64_t affected = 0;

		make_table(db);
		for (size_t i = 0; i < 4 * n; i++)
			v[i] = i % 4 == 0 ? db_int((int64_t)i) : any_value(a, i % 4 - 1);
		OK(db_exec_rows(db, &put, NULL, 0, v, n, 4, &affected, &err), &err);
		CHECK_AT(round, affected == n);
		rows = ROWS_OF(db, a, "SELECT n, t, b FROM core_cells ORDER BY id");
		REQUIRE(rows.count == n);
		for (size_t i = 0; i < 3 * n; i++)
			CHECK_AT(
			    round, is_value(a, &v[4 * (i / 3) + 1 + i % 3], &rows, i / 3, i % 3));
		arena_free(a);
	}
	drop_table(db);
}

static void rows_with_a_head(void)
{
	static const struct db_stmt in = {
	    "in", "SELECT id, n FROM core_cells WHERE n >= ? AND id IN (", "?", ") ORDER BY id"};
	static const struct db_stmt set = {
	    "set", "UPDATE core_cells SET n = ? WHERE id IN (", "?", ")"};
	struct db *db = test_db();
	struct db_val ids[2 * LIMIT_DB_BATCH];
	struct err err = ERR_INIT;
	struct db_rows rows;
	uint64_t affected = 0;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	make_table(db);
	fill(db, 200, NULL);
	for (size_t i = 0; i < COUNT(ids); i++)
		ids[i] = db_int((int64_t)i * 2);
	OK(db_query_rows(db, a, &in, DB_VALS(db_int(12)), ids, LIMIT_DB_BATCH, 1, &rows, &err),
	    &err);
	CHECK(rows.count == LIMIT_DB_BATCH - 2 && db_get_int(&rows, 0, 0) == 4);
	OK(db_query_rows(db, a, &in, DB_VALS(db_int(12)), ids, 0, 1, &rows, &err), &err);
	CHECK(rows.count == 0);
	CHECK(db_query_rows(
		  db, a, &in, DB_VALS(db_int(0)), ids, LIMIT_DB_BATCH + 1, 1, &rows, &err) == -1);
	CHECK(err.code == ERR_INTERNAL);
	err_clear(&err);
	/* the head's parameter is repeated for each piece; of 128 ids 100 are there */
	OK(db_exec_rows(db, &set, DB_VALS(db_int(-5)), ids, COUNT(ids), 1, &affected, &err), &err);
	CHECK(affected == 100);
	CHECK(NUMBER_OF(db, "SELECT COUNT(*) FROM core_cells WHERE n = -5") == 100);
	drop_table(db);
	arena_free(a);
}

/* More than the server takes in one piece goes in several; one row that is more is an error, and
 * the connection goes on. */
static void large_rows(void)
{
	static const struct db_stmt put = {
	    "put", "INSERT INTO core_cells (id, t) VALUES ", "(?,?)", ""};
	struct db *db = test_db();
	int64_t most;
	struct db_val v[LIMIT_DB_BATCH * 2];
	struct err err = ERR_INIT;
	uint64_t affected = 0;
	struct str text;
	char *p;

	if (db == NULL)
		return;
	most = NUMBER_OF(db, "SELECT @@max_allowed_packet");
	make_table(db);
	p = malloc((size_t)most + 100);
	REQUIRE(p != NULL);
	memset(p, 'x', (size_t)most + 100);
	text = (struct str){p, (size_t)most / 20};
	for (size_t i = 0; i < LIMIT_DB_BATCH; i++) {
		v[2 * i] = db_int((int64_t)i);
		v[2 * i + 1] = db_strn(text);
	}
	OK(db_exec_rows(db, &put, NULL, 0, v, LIMIT_DB_BATCH, 2, &affected, &err), &err);
	CHECK(affected == LIMIT_DB_BATCH && count_rows(db) == LIMIT_DB_BATCH);
	v[0] = db_int(-1);
	v[1] = db_strn((struct str){p, (size_t)most + 100});
	CHECK(db_exec_rows(db, &put, NULL, 0, v, 1, 2, &affected, &err) == -1);
	CHECK(err.code == ERR_LIMIT);
	CHECK(count_rows(db) == LIMIT_DB_BATCH);
	free(p);
	drop_table(db);
}

static void too_many_rows(void)
{
	static const struct db_stmt cross = {
	    "cross", "SELECT x.id FROM core_cells x, core_cells y", NULL, NULL};
	static const struct db_stmt most = {
	    "most", "SELECT x.id FROM core_cells x, core_cells y LIMIT 10000", NULL, NULL};
	struct db *db = test_db();
	struct err err = ERR_INIT;
	struct db_rows rows;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	make_table(db);
	fill(db, 101, NULL);
	CHECK(db_query(db, a, &cross, NULL, 0, &rows, &err) == -1 && err.code == ERR_LIMIT);
	err_clear(&err);
	OK(db_query(db, a, &most, NULL, 0, &rows, &err), &err);
	CHECK(rows.count == LIMIT_DB_ROWS);
	CHECK(count_rows(db) == 101);
	drop_table(db);
	arena_free(a);
}

static void errors(void)
{
	static const struct db_stmt short_text = {
	    "short_text", "INSERT INTO core_cells (id, short) VALUES (?,?)", NULL, NULL};
	static const struct db_stmt none = {
	    "none", "SELECT id FROM core_cells WHERE id = ?", NULL, NULL};
	static const struct db_stmt wrong = {"wrong", "SELECT no_such FROM core_cells", NULL, NULL};
	struct db *db = test_db();
	struct err err = ERR_INIT;
	struct db_rows rows;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	make_table(db);
	OK(insert_id(db, 1, &err), &err);
	CHECK(insert_id(db, 1, &err) == -1 && err.code == ERR_CONFLICT);
	CHECK(strstr(err.msg, "insert") != NULL);
	err_clear(&err);
	CHECK(db_exec(db, &short_text, DB_VALS(db_int(2), db_str("secret secret")), NULL, &err) ==
	      -1);
	CHECK(err.code == ERR_INVALID && strstr(err.msg, "secret") == NULL);
	err_clear(&err);
	CHECK(db_exec(db, &short_text, DB_VALS(db_int(2)), NULL, &err) == -1);
	CHECK(err.code == ERR_INTERNAL && strstr(err.msg, "short_text") != NULL);
	err_clear(&err);
	CHECK(db_query(db, a, &wrong, NULL, 0, &rows, &err) == -1 && err.code == ERR_INTERNAL);
	err_clear(&err);
	CHECK(db_row(db, a, &none, DB_VALS(db_int(9)), &rows, &err) == 0 && rows.count == 0);
	CHECK(db_row(db, a, &none, DB_VALS(db_int(1)), &rows, &err) == 1 && rows.count == 1);
	CHECK(err.code == ERR_NONE);
	CHECK(count_rows(db) == 1);
	drop_table(db);
	arena_free(a);
}

/* ---- deletion in slices ------------------------------------------------------------------ */

static void purging(void)
{
	static const struct db_stmt purge = {
	    "purge", "DELETE FROM core_cells WHERE id <= ?" DB_PURGE_LIMIT, NULL, NULL};
	struct db *db = test_db();
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	make_table(db);
	RUN(db, "INSERT INTO core_cells (id) VALUES (1)");
	for (int64_t n = 1; n < 3 * DB_PURGE_ROWS; n *= 2)
		RUN(db,
		    "INSERT INTO core_cells (id) SELECT id + ? FROM core_cells WHERE id + ? <= ?",
		    db_int(n), db_int(n), db_int(3 * DB_PURGE_ROWS));
	/* out of time: one slice, so that the next run goes on */
	CHECK(db_purge(db, &purge, DB_VALS(db_int(3 * DB_PURGE_ROWS - 1)), 0, &err) == 1);
	CHECK(count_rows(db) == 2 * DB_PURGE_ROWS);
	CHECK(db_purge(db, &purge, DB_VALS(db_int(3 * DB_PURGE_ROWS - 1)), INT64_MAX, &err) == 0);
	CHECK(count_rows(db) == 1);
	CHECK(db_purge(db, &purge, DB_VALS(db_int(0)), 0, &err) == 0 && count_rows(db) == 1);
	drop_table(db);
}

/* ---- transactions ------------------------------------------------------------------------ */

struct body {
	int tries, fail_tries;
	enum err_code code;
	int hooked; /* how often the hook ran */
	struct db *other;
	int64_t seen_by_other; /* in the hook: rows that another connection sees */
};

static void hook(void *arg)
{
	struct body *b = arg;

	b->hooked++;
	b->seen_by_other = count_rows(b->other);
}

static int insert_body(struct db *db, void *arg, struct err *err)
{
	struct body *b = arg;

	b->tries++;
	CHECK(db_in_transaction(db));
	if (insert_id(db, 100 + b->tries, err) == -1)
		return -1;
	db_on_commit(db, hook, b);
	db_on_commit(db, hook, b);
	CHECK(count_rows(b->other) == 0 && b->hooked == 0);
	if (b->tries <= b->fail_tries)
		return err_set(err, b->code, "on purpose");
	return 0;
}

static void transactions(void)
{
	static const struct {
		int line, fail_tries;
		enum err_code code;
		int rc, tries, rows, hooked;
		enum err_code answered;
	} cases[] = {
	    {__LINE__, 0, ERR_NONE, 0, 1, 1, 1, ERR_NONE},
	    {__LINE__, 1, ERR_INVALID, -1, 1, 0, 0, ERR_INVALID},
	    {__LINE__, 1, ERR_CONFLICT, -1, 1, 0, 0, ERR_CONFLICT},
	    {__LINE__, 1, ERR_RETRY, 0, 2, 1, 1, ERR_NONE},
	    {__LINE__, 3, ERR_RETRY, 0, 4, 1, 1, ERR_NONE},
	    {__LINE__, 99, ERR_RETRY, -1, 8, 0, 0, ERR_UNAVAILABLE},
	};
	struct db *db = test_db(), *other;

	if (db == NULL)
		return;
	other = db_new(test_db_config());
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct body b = {
		    .fail_tries = cases[i].fail_tries, .code = cases[i].code, .other = other};
		struct err err = ERR_INIT;

		make_table(db);
		CHECK_AT(cases[i].line, db_transaction(db, insert_body, &b, &err) == cases[i].rc);
		CHECK_AT(cases[i].line, err.code == cases[i].answered);
		CHECK_AT(cases[i].line, b.tries == cases[i].tries);
		CHECK_AT(cases[i].line, count_rows(other) == cases[i].rows);
		CHECK_AT(cases[i].line, b.hooked == cases[i].hooked);
		CHECK_AT(cases[i].line, b.seen_by_other == cases[i].rows);
		CHECK_AT(cases[i].line, !db_in_transaction(db));
	}
	drop_table(db);
	db_free(other);
}

static int empty_body(struct db *db, void *arg, struct err *err)
{
	(void)db;
	(void)arg;
	(void)err;
	return 0;
}

static int nesting_body(struct db *db, void *arg, struct err *err)
{
	struct err e = ERR_INIT;

	(void)arg;
	CHECK(db_transaction(db, empty_body, NULL, &e) == -1 && e.code == ERR_INTERNAL);
	CHECK(db_in_transaction(db));
	return insert_id(db, 1, err);
}

static void hook_with_transaction(void *arg)
{
	struct err err = ERR_INIT;

	OK(db_transaction(arg, empty_body, NULL, &err), &err);
	OK(insert_id(arg, 2, &err), &err);
}

static int hooking_body(struct db *db, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	db_on_commit(db, hook_with_transaction, db);
	return 0;
}

static void nesting(void)
{
	struct db *db = test_db();
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	make_table(db);
	OK(db_transaction(db, nesting_body, NULL, &err), &err);
	CHECK(count_rows(db) == 1);
	OK(db_transaction(db, hooking_body, NULL, &err), &err);
	CHECK(count_rows(db) == 2);
	drop_table(db);
}

/* What fails within a nested piece undoes that; what fails around it undoes both, whatever the
 * inner one was. */
struct nest {
	bool inner_fails, outer_fails;
};

static int inner_body(struct db *db, void *arg, struct err *err)
{
	const struct nest *n = arg;

	if (insert_id(db, 3, err) == -1)
		return -1;
	return n->inner_fails ? err_set(err, ERR_INVALID, "on purpose") : 0;
}

static int outer_body(struct db *db, void *arg, struct err *err)
{
	const struct nest *n = arg;
	struct err e = ERR_INIT;

	if (insert_id(db, 2, err) == -1)
		return -1;
	CHECK(db_nested(db, inner_body, arg, &e) == (n->inner_fails ? -1 : 0));
	CHECK(count_rows(db) == (n->inner_fails ? 2 : 3));
	return n->outer_fails ? err_set(err, ERR_INVALID, "on purpose") : 0;
}

static int nested_twice_body(struct db *db, void *arg, struct err *err)
{
	const struct nest *n = arg;
	struct err e = ERR_INIT;

	if (insert_id(db, 1, err) == -1)
		return -1;
	CHECK(db_nested(db, outer_body, arg, &e) == (n->outer_fails ? -1 : 0));
	return 0;
}

static void nested_twice(void)
{
	struct db *db = test_db();

	if (db == NULL)
		return;
	for (int i = 0; i < 4; i++) {
		struct nest n = {i & 1, i & 2};
		struct err err = ERR_INIT;

		make_table(db);
		OK(db_transaction(db, nested_twice_body, &n, &err), &err);
		CHECK(count_rows(db) == (n.outer_fails ? 1 : n.inner_fails ? 2 : 3));
	}
	drop_table(db);
}

/* Two processes that lock the same two rows crosswise, so that one must be the victim. */
struct crossing {
	int in, out;
	int64_t first, second;
	struct {
		int tries[2], hooked[2];
	} * seen;
	int me;
};

static void count_hook(void *arg)
{
	struct crossing *c = arg;

	c->seen->hooked[c->me]++;
}

static int crossing_body(struct db *db, void *arg, struct err *err)
{
	static const struct db_stmt add = {
	    "add", "UPDATE core_cells SET n = n + 1 WHERE id = ?", NULL, NULL};
	struct crossing *c = arg;
	char byte = 'x';

	db_on_commit(db, count_hook, c);
	if (db_exec(db, &add, DB_VALS(db_int(c->first)), NULL, err) == -1)
		return -1;
	if (++c->seen->tries[c->me] == 1 &&
	    (write(c->out, &byte, 1) != 1 || read(c->in, &byte, 1) != 1))
		return err_set(err, ERR_INTERNAL, "the other is gone");
	return db_exec(db, &add, DB_VALS(db_int(c->second)), NULL, err);
}

static int cross(void *arg)
{
	struct db *db = db_new(test_db_config());
	struct err err = ERR_INIT;
	int rc = db_transaction(db, crossing_body, arg, &err);

	if (rc == -1)
		printf("# crossing: %d %s\n", (int)err.code, err.msg);
	db_free(db);
	return rc == 0 ? 0 : 1;
}

struct looking {
	struct db *other;
	int64_t seen[2];
};

static int look_twice_body(struct db *db, void *arg, struct err *err)
{
	static const struct db_stmt look = {
	    "look", "SELECT COALESCE(SUM(n), 0) FROM core_cells", NULL, NULL};
	static const struct db_stmt change = {
	    "change", "INSERT INTO core_cells (id, n) VALUES (?, 1)", NULL, NULL};
	struct looking *l = arg;
	struct arena *a = arena_new();

	for (int i = 0; i < 2; i++) {
		struct db_rows rows;

		if (db_query(db, a, &look, NULL, 0, &rows, err) == -1 ||
		    (i == 0 &&
			db_exec(l->other, &change, DB_VALS(db_int((int64_t)random_below(1u << 30))),
			    NULL, err) == -1)) {
			arena_free(a);
			return -1;
		}
		l->seen[i] = db_get_int(&rows, 0, 0);
	}
	arena_free(a);
	return 0;
}

/* What others commit between two looks is seen by both or by none; the next transaction is as any. */
static void snapshots(void)
{
	struct db *db = test_db();
	struct looking l;
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	make_table(db);
	l.other = db_new(test_db_config());
	OK(db_snapshot(db, look_twice_body, &l, &err), &err);
	CHECK(l.seen[0] == l.seen[1]);
	OK(db_transaction(db, look_twice_body, &l, &err), &err);
	CHECK(l.seen[1] == l.seen[0] + 1);
	db_free(l.other);
	drop_table(db);
}

static void deadlocks(void)
{
	struct db *db = test_db();
	struct crossing us, them;
	int to_them[2], to_us[2];
	pid_t pid;

	if (db == NULL)
		return;
	make_table(db);
	RUN(db, "INSERT INTO core_cells (id, n) VALUES (1,0),(2,0)");
	REQUIRE(pipe(to_them) == 0 && pipe(to_us) == 0);
	us = (struct crossing){.in = to_us[0], .out = to_them[1], .first = 1, .second = 2};
	us.seen = core_shared(sizeof(*us.seen));
	them = (struct crossing){.in = to_them[0], .out = to_us[1], .first = 2, .second = 1};
	them.seen = (void *)us.seen;
	them.me = 1;
	pid = core_fork(cross, &them);
	CHECK(cross(&us) == 0);
	CHECK(core_wait(pid) == 0);
	CHECK(us.seen->tries[0] + us.seen->tries[1] == 3);
	CHECK(us.seen->hooked[0] == 1 && us.seen->hooked[1] == 1);
	CHECK(NUMBER_OF(db, "SELECT COUNT(*) FROM core_cells WHERE n = 2") == 2);
	for (int i = 0; i < 2; i++) {
		close(to_us[i]);
		close(to_them[i]);
	}
	core_unshare(us.seen, sizeof(*us.seen));
	drop_table(db);
}

/* Holds row 2 and has done much, so that the other is the victim; wants row 1 once the other waits. */
static int heavy_body(struct db *db, void *arg, struct err *err)
{
	static const struct db_stmt heavy = {
	    "heavy", "UPDATE core_cells SET n = n + 1 WHERE id >= 2", NULL, NULL};
	static const struct db_stmt first = {
	    "first", "UPDATE core_cells SET n = n + 1 WHERE id = 1", NULL, NULL};
	const int *tell = arg;
	struct db *look = db_new(test_db_config());
	int rc = db_exec(db, &heavy, NULL, 0, NULL, err);

	if (rc == 0 && write(*tell, "x", 1) != 1)
		rc = err_set(err, ERR_INTERNAL, "the other is gone");
	for (int i = 0; rc == 0 && i < 5000 &&
			NUMBER_OF(look, "SELECT COUNT(*) FROM information_schema.processlist"
					" WHERE info LIKE 'UPDATE core_cells%ORDER BY id'"
					" AND time_ms > 50") == 0;
	     i++)
		usleep(1000);
	db_free(look);
	return rc == -1 ? -1 : db_exec(db, &first, NULL, 0, NULL, err);
}

static int hold_heavy(void *arg)
{
	struct db *db = db_new(test_db_config());
	struct err err = ERR_INIT;
	int rc = db_transaction(db, heavy_body, arg, &err);

	db_free(db);
	return rc == 0 ? 0 : 1;
}

static void lone_victim(void)
{
	static const struct db_stmt both = {
	    "both", "UPDATE core_cells SET n = n + 1 WHERE id IN (1, 2) ORDER BY id", NULL, NULL};
	struct db *db = test_db();
	struct err err = ERR_INIT;
	int64_t before;
	int tell[2];
	char byte;
	pid_t pid;

	if (db == NULL)
		return;
	make_table(db);
	RUN(db, "INSERT INTO core_cells (id, n) SELECT seq, 0 FROM seq_1_to_200");
	REQUIRE(pipe(tell) == 0);
	pid = core_fork(hold_heavy, &tell[1]);
	REQUIRE(read(tell[0], &byte, 1) == 1);
	before =
	    NUMBER_OF(db, "SELECT CAST(VARIABLE_VALUE AS INT) FROM information_schema.global_status"
			  " WHERE VARIABLE_NAME = 'INNODB_DEADLOCKS'");
	OK(db_exec(db, &both, NULL, 0, NULL, &err), &err);
	CHECK(core_wait(pid) == 0);
	CHECK(
	    NUMBER_OF(db, "SELECT CAST(VARIABLE_VALUE AS INT) FROM information_schema.global_status"
			  " WHERE VARIABLE_NAME = 'INNODB_DEADLOCKS'") > before);
	CHECK(NUMBER_OF(db, "SELECT COUNT(*) FROM core_cells WHERE id < 3 AND n = 2") == 2);
	close(tell[0]);
	close(tell[1]);
	drop_table(db);
}

/* ---- loss of the server ------------------------------------------------------------------ */

static int64_t connection_id(struct db *db)
{
	return NUMBER_OF(db, "SELECT CONNECTION_ID()");
}

/* Kills the connection of the one by the other, and waits until the server has closed it. */
static void kill_connection(struct db *killer, int64_t id)
{
	struct arena *a = arena_new();

	SCRIPT(killer, arena_printf(a, "KILL %lld", (long long)id));
	CHECK(AWAIT(
	    NUMBER_OF(killer, "SELECT COUNT(*) FROM information_schema.processlist WHERE id = ?",
		db_int(id)) == 0));
	arena_free(a);
}

static void idle_connection_is_replaced(void)
{
	struct db *killer = test_db(), *db;
	struct err err = ERR_INIT;
	int64_t id;

	if (killer == NULL)
		return;
	db = db_new(test_db_config());
	make_table(killer);
	id = connection_id(db);
	kill_connection(killer, id);
	CHECK(connection_id(db) != id); /* a query */
	CHECK(count_rows(db) == 0);

	OK(insert_id(db, 1, &err), &err);
	kill_connection(killer, connection_id(db));
	OK(insert_id(db, 2, &err), &err); /* a change: sent again only if it was not received */
	CHECK(count_rows(killer) == 2);

	kill_connection(killer, connection_id(db));
	RUN(killer, "DELETE FROM core_cells");
	OK(db_transaction(db, nesting_body, NULL, &err), &err);
	CHECK(count_rows(killer) == 1);
	kill_connection(killer, connection_id(db));
	OK(db_ping(db, &err), &err);
	db_free(db);
	drop_table(killer);
}

struct suicide {
	struct db *killer;
	int tries;
	int hooked;
};

static void suicide_hook(void *arg)
{
	((struct suicide *)arg)->hooked++;
}

static int suicide_body(struct db *db, void *arg, struct err *err)
{
	struct suicide *s = arg;
	struct err e = ERR_INIT;

	s->tries++;
	db_on_commit(db, suicide_hook, s);
	if (insert_id(db, 1, err) == -1)
		return -1;
	kill_connection(s->killer, connection_id(db));
	CHECK(insert_id(db, 2, &e) == -1 && e.code == ERR_UNAVAILABLE);
	/* and it does not go on by itself on another connection, outside the transaction */
	return insert_id(db, 3, err);
}

static int killed_before_commit_body(struct db *db, void *arg, struct err *err)
{
	struct suicide *s = arg;

	s->tries++;
	db_on_commit(db, suicide_hook, s);
	if (insert_id(db, 1, err) == -1)
		return -1;
	kill_connection(s->killer, connection_id(db));
	return 0;
}

/* As when the server has closed an idle connection: that shows within the body. */
static int killed_once_body(struct db *db, void *arg, struct err *err)
{
	struct suicide *s = arg;

	if (++s->tries == 1)
		kill_connection(s->killer, connection_id(db));
	return insert_id(db, 5, err);
}

static void killed_within_a_transaction(void)
{
	struct suicide s = {.killer = test_db()};
	struct err err = ERR_INIT;
	struct db *db;

	if (s.killer == NULL)
		return;
	db = db_new(test_db_config());
	make_table(s.killer);
	CHECK(db_transaction(db, suicide_body, &s, &err) == -1 && err.code == ERR_UNAVAILABLE);
	err_clear(&err);
	CHECK(db_transaction(db, killed_before_commit_body, &s, &err) == -1);
	CHECK(err.code == ERR_UNAVAILABLE);
	CHECK(s.tries == 2 && s.hooked == 0);
	CHECK(!db_in_transaction(db));
	CHECK(count_rows(s.killer) == 0);
	err_clear(&err);
	OK(insert_id(db, 4, &err), &err);
	CHECK(count_rows(s.killer) == 1);
	s.tries = 0; /* nothing of it can be there, so it is run again, once */
	OK(db_transaction(db, killed_once_body, &s, &err), &err);
	CHECK(s.tries == 2 && count_rows(s.killer) == 2);
	db_free(db);
	drop_table(s.killer);
}

struct meanwhile {
	struct db *db;
	size_t calls, most;
	int inner_rc;
};

/* Work that ends after `most` calls, and once tries what must not be done. */
static bool work(void *arg)
{
	struct meanwhile *m = arg;

	if (m->calls == 0)
		m->inner_rc = insert_id(m->db, 1000, NULL);
	return ++m->calls < m->most;
}

static int meanwhile_body(struct db *db, void *arg, struct err *err)
{
	(void)arg;
	return insert_id(db, 2, err);
}

/* Answers, errors and large values come through whatever is done while the server works. */
static void meanwhile(void)
{
	struct db *db = test_db();
	struct meanwhile m = {.db = db, .most = SIZE_MAX};
	struct arena *a;
	struct db_rows rows;
	struct err err = ERR_INIT;
	char *big;

	if (db == NULL)
		return;
	a = arena_new();
	make_table(db);
	db_meanwhile(db, work, &m);
	rows = ROWS_OF(db, a, "SELECT SLEEP(0.05), 7");
	CHECK(db_get_int(&rows, 0, 1) == 7);
	CHECK(m.calls > 1);
	CHECK(m.inner_rc == -1);
	OK(insert_id(db, 1, &err), &err);
	CHECK(insert_id(db, 1, &err) == -1 && err.code == ERR_CONFLICT);
	err_clear(&err);
	OK(db_transaction(db, meanwhile_body, NULL, &err), &err);
	big = arena_zalloc(a, 8u << 20);
	memset(big, 'x', 8u << 20);
	RUN(db, "UPDATE core_cells SET t = ? WHERE id = 2", db_strn((struct str){big, 8u << 20}));
	rows = ROWS_OF(db, a, "SELECT t FROM core_cells WHERE id = 2");
	CHECK(str_eq(db_get_str(&rows, 0, 0), (struct str){big, 8u << 20}));
	/* nothing left to do: the answer is waited for */
	m = (struct meanwhile){.db = db, .most = 1};
	rows = ROWS_OF(db, a, "SELECT SLEEP(0.05), 8");
	CHECK(db_get_int(&rows, 0, 1) == 8);
	CHECK(m.calls == 1);
	db_meanwhile(db, NULL, NULL);
	rows = ROWS_OF(db, a, "SELECT 9");
	CHECK(m.calls == 1);
	CHECK(count_rows(db) == 2);
	drop_table(db);
	arena_free(a);
}

static void no_server(void)
{
	struct config cfg;
	struct db *db;
	struct err err = ERR_INIT;

	if (test_db() == NULL)
		return;
	cfg = *test_db_config();
	cfg.db_socket = "/nonexistent/mariadb.sock";
	db = db_new(&cfg);
	CHECK(db_ping(db, &err) == -1 && err.code == ERR_UNAVAILABLE);
	err_clear(&err);
	CHECK(db_transaction(db, empty_body, NULL, &err) == -1 && err.code == ERR_UNAVAILABLE);
	/* not connected yet, and a while of answering at once; then it tries again */
	cfg.db_socket = test_db_config()->db_socket;
	CHECK(AWAIT(db_ping(db, NULL) == 0));
	db_free(db);
}

void suite_db_core(void)
{
	ADD_TESTS("db_core", {"numbers and sums", numbers}, {"texts of any length", texts},
	    {"bytes and ids", bytes}, {"many rows in pieces", many_rows}, {"few sizes", few_sizes},
	    {"rows of any values", rows_of_any_values}, {"rows behind a head", rows_with_a_head},
	    {"large rows", large_rows}, {"too many rows are an error", too_many_rows},
	    {"errors by kind", errors}, {"transactions and hooks", transactions},
	    {"nested transactions", nesting}, {"nested twice", nested_twice},
	    {"deletion in slices", purging}, {"a deadlock is tried again", deadlocks},
	    {"so is a statement by itself", lone_victim}, {"looks that go together", snapshots},
	    {"an idle connection that was closed is replaced", idle_connection_is_replaced},
	    {"a connection lost within a transaction", killed_within_a_transaction},
	    {"work done while the server works", meanwhile}, {"no server, then one", no_server});
}
