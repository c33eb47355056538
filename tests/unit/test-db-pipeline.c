/* Statements sent ahead of their answers: what comes of them, and of one that fails among them. */
#include <stdint.h>

#include "core-check.h"
#include "crypto/random.h"

void suite_db_pipeline(void);

static const struct db_stmt put = {
    "put", "INSERT INTO piped (id, n) VALUES ", "(?,?)", " ON DUPLICATE KEY UPDATE n = VALUES(n)"};
static const struct db_stmt add = {"add", "INSERT INTO piped (id, n) VALUES ", "(?,?)", ""};
static const struct db_stmt get = {"get", "SELECT n FROM piped WHERE id = ?", NULL, NULL};

static void make_table(struct db *db)
{
	SCRIPT(db, "DROP TABLE IF EXISTS piped");
	SCRIPT(db, "CREATE TABLE piped (id BIGINT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (id))"
		   " ENGINE=InnoDB");
}

static int later(struct db *db, const struct db_stmt *s, int64_t id, int64_t n,
    enum err_code conflict, struct err *err)
{
	const struct db_val row[2] = {db_int(id), db_int(n)};

	return db_exec_rows_later(db, s, row, 1, 2, conflict, err);
}

/* ---- random transactions against a model ------------------------------------------------------ */

#define IDS 6
#define STEPS 60
#define NONE INT64_MIN

enum step_kind { PUT, ADD, GET, NEST, UNNEST, STEP_KINDS };
struct step {
	enum step_kind kind;
	int64_t id, n;
};

/* One run over the steps, and what the rows must be if it is kept. */
struct run {
	const struct step *at, *end;
	int64_t rows[IDS];
	bool is_broken; /* it added a row that was there */
};

static int run_body(struct db *db, void *arg, struct err *err);

static int run_nested(struct db *db, struct run *r, struct err *err)
{
	struct run inner = *r;
	struct err e = ERR_INIT;
	int rc;

	rc = db_nested(db, run_body, &inner, &e);
	if (r->is_broken) /* what was before it is at fault */
		return err_set(err, e.code, "%s", e.msg);
	CHECK((rc == -1) == inner.is_broken);
	CHECK(rc == 0 || e.code == ERR_CONFLICT);
	if (rc == 0)
		memcpy(r->rows, inner.rows, sizeof(r->rows));
	while (r->at < r->end && r->at++->kind != UNNEST)
		;
	return 0;
}

static int run_get(struct db *db, const struct run *r, const struct step *s, struct err *err)
{
	struct arena *a = arena_new();
	struct db_rows rows;
	int found = db_row(db, a, &get, DB_VALS(db_int(s->id)), &rows, err);

	CHECK((found == -1) == r->is_broken);
	if (found != -1)
		CHECK(r->rows[s->id] == (found == 0 ? NONE : db_get_int(&rows, 0, 0)));
	arena_free(a);
	return found == -1 ? -1 : 0;
}

static int run_body(struct db *db, void *arg, struct err *err)
{
	struct run *r = arg;

	while (r->at < r->end) {
		const struct step *s = r->at++;
		int rc = 0;

		if (s->kind == UNNEST)
			return 0;
		if (s->kind == NEST)
			rc = run_nested(db, r, err);
		else if (s->kind == GET)
			rc = run_get(db, r, s, err);
		else
			rc =
			    later(db, s->kind == PUT ? &put : &add, s->id, s->n, ERR_CONFLICT, err);
		if (rc == -1)
			return -1;
		if (s->kind == ADD && r->rows[s->id] != NONE)
			r->is_broken = true;
		if (s->kind == PUT || s->kind == ADD)
			r->rows[s->id] = s->n;
	}
	return 0;
}

/* Mostly what goes through; pieces within pieces are no part of it. */
static size_t steps_make(struct step *steps)
{
	size_t n = random_below(STEPS);
	bool is_nested = false;

	for (size_t i = 0; i < n; i++) {
		uint64_t dice = random_below(100);

		steps[i] = (struct step){.kind = dice < 55   ? PUT
						 : dice < 70 ? GET
						 : dice < 75 ? ADD
						 : dice < 90 ? PUT
						 : is_nested ? UNNEST
							     : NEST,
		    .id = (int64_t)random_below(IDS),
		    .n = (int64_t)random_below(1000)};
		if (steps[i].kind == NEST || steps[i].kind == UNNEST)
			is_nested = !is_nested;
	}
	return n;
}

static void random_transactions(void)
{
	struct db *db = test_db(), *other;
	int64_t rows[IDS];
	int nkept = 0, nbroken = 0;

	if (db == NULL)
		return;
	other = db_new(test_db_config());
	make_table(db);
	for (size_t i = 0; i < IDS; i++)
		rows[i] = NONE;
	for (int round = 0; round < 300; round++) {
		struct step steps[STEPS];
		size_t n = steps_make(steps);
		struct run r = {.at = steps, .end = steps + n};
		struct err err = ERR_INIT;
		int rc;

		if (round % 10 == 0) {
			RUN(db, "DELETE FROM piped");
			for (size_t i = 0; i < IDS; i++)
				rows[i] = NONE;
		}
		memcpy(r.rows, rows, sizeof(rows));
		rc = db_transaction(db, run_body, &r, &err);
		CHECK((rc == -1) == r.is_broken);
		CHECK(rc == 0 || err.code == ERR_CONFLICT);
		if (rc == 0)
			memcpy(rows, r.rows, sizeof(rows));
		nkept += rc == 0;
		nbroken += rc == -1;
		for (int64_t i = 0; i < IDS; i++) {
			int64_t stored = NUMBER_OF(other,
			    "SELECT COALESCE(MAX(n), -9223372036854775808) FROM piped WHERE id = ?",
			    db_int(i));

			CHECK_AT(round, stored == rows[i]);
		}
	}
	CHECK(nkept > 20 && nbroken > 20);
	SCRIPT(db, "DROP TABLE piped");
	db_free(other);
}

/* ---- one statement after itself -------------------------------------------------------------- */

/* What is bound the second time has other types. */
static int types_body(struct db *db, void *arg, struct err *err)
{
	static const struct db_val ns[] = {
	    {.type = DB_INT, .i = 1}, {.type = DB_NULL}, {.type = DB_TEXT, .s = {"33", 2}}};

	(void)arg;
	for (int64_t i = 0; i < 12; i++)
		if (db_exec_rows_later(db, &put, (const struct db_val[]){db_int(i), ns[i % 3]}, 1,
			2, ERR_CONFLICT, err) == -1)
			return -1;
	return 0;
}

static void types_change(void)
{
	struct db *db = test_db();
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	SCRIPT(db, "DROP TABLE IF EXISTS piped");
	SCRIPT(db, "CREATE TABLE piped (id BIGINT PRIMARY KEY, n BIGINT) ENGINE=InnoDB");
	OK(db_transaction(db, types_body, NULL, &err), &err);
	CHECK(NUMBER_OF(db, "SELECT COUNT(*) FROM piped WHERE id % 3 = 0 AND n = 1") == 4);
	CHECK(NUMBER_OF(db, "SELECT COUNT(*) FROM piped WHERE id % 3 = 1 AND n IS NULL") == 4);
	CHECK(NUMBER_OF(db, "SELECT COUNT(*) FROM piped WHERE id % 3 = 2 AND n = 33") == 4);
	SCRIPT(db, "DROP TABLE piped");
}

/* ---- what failures mean ------------------------------------------------------------------------ */

struct racing {
	int tries;
};

/* The row is there, by another, when it is first added; the next try sees that. */
static int racing_body(struct db *db, void *arg, struct err *err)
{
	struct racing *r = arg;

	if (++r->tries > 1)
		return 0;
	return later(db, &add, 1, 1, ERR_RETRY, err);
}

static void conflicts(void)
{
	struct db *db = test_db();
	struct racing r = {0};
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	make_table(db);
	OK(later(db, &add, 1, 0, ERR_RETRY, &err), &err); /* outside a transaction */
	CHECK(later(db, &add, 1, 0, ERR_CONFLICT, &err) == -1 && err.code == ERR_CONFLICT);
	err_clear(&err);
	OK(db_transaction(db, racing_body, &r, &err), &err);
	CHECK(r.tries == 2);
	SCRIPT(db, "DROP TABLE piped");
}

/* Two that lock the same two rows crosswise. The other has written more, so this one is the victim,
 * with statements behind the one that fails. */
struct crossing {
	int in, out, tries;
};

static int other_body(struct db *db, void *arg, struct err *err)
{
	struct crossing *c = arg;
	char byte = 'x';

	for (int64_t id = 2; id < 200; id += id == 2 ? 50 : 1)
		if (later(db, &put, id, 7, ERR_CONFLICT, err) == -1)
			return -1;
	if (db_settle(db, err) == -1)
		return -1;
	if (write(c->out, &byte, 1) != 1 || read(c->in, &byte, 1) != 1)
		return err_set(err, ERR_INTERNAL, "the other is gone");
	return later(db, &put, 1, 7, ERR_CONFLICT, err);
}

static int other_main(void *arg)
{
	struct db *db = db_new(test_db_config());
	struct err err = ERR_INIT;
	int rc = db_transaction(db, other_body, arg, &err);

	if (rc == -1)
		printf("# crossing: %d %s\n", (int)err.code, err.msg);
	db_free(db);
	return rc == 0 ? 0 : 1;
}

static int victim_body(struct db *db, void *arg, struct err *err)
{
	struct crossing *c = arg;
	char byte = 'x';

	if (++c->tries > 1)
		return later(db, &put, 3, 3, ERR_CONFLICT, err);
	if (later(db, &put, 1, 1, ERR_CONFLICT, err) == -1 || db_settle(db, err) == -1)
		return -1;
	if (read(c->in, &byte, 1) != 1 || write(c->out, &byte, 1) != 1)
		return err_set(err, ERR_INTERNAL, "the other is gone");
	CHECK(core_await_lock_wait());
	if (later(db, &put, 2, 1, ERR_CONFLICT, err) == -1 ||
	    later(db, &add, 1000, 1, ERR_CONFLICT, err) == -1)
		return -1;
	return db_settle(db, err);
}

static void deadlock_amid(void)
{
	struct db *db = test_db();
	struct crossing us, them;
	struct err err = ERR_INIT;
	int to_them[2], to_us[2];
	pid_t pid;

	if (db == NULL)
		return;
	make_table(db);
	REQUIRE(pipe(to_them) == 0 && pipe(to_us) == 0);
	us = (struct crossing){.in = to_us[0], .out = to_them[1]};
	them = (struct crossing){.in = to_them[0], .out = to_us[1]};
	pid = core_fork(other_main, &them);
	OK(db_transaction(db, victim_body, &us, &err), &err);
	CHECK(core_wait(pid) == 0);
	CHECK(us.tries == 2);
	CHECK(NUMBER_OF(db, "SELECT COUNT(*) FROM piped WHERE id = 1000") == 0);
	CHECK(NUMBER_OF(db, "SELECT COUNT(*) FROM piped WHERE id IN (1,2) AND n = 7") == 2);
	CHECK(NUMBER_OF(db, "SELECT COUNT(*) FROM piped WHERE id = 3") == 1);
	for (int i = 0; i < 2; i++) {
		close(to_us[i]);
		close(to_them[i]);
	}
	SCRIPT(db, "DROP TABLE piped");
}

/* Outside a transaction each statement is kept at once, whatever came before. */
static int nothing_body(struct db *db, void *arg, struct err *err)
{
	(void)arg;
	return later(db, &put, 1, 1, ERR_CONFLICT, err);
}

static void commits_outside(void)
{
	struct db *db = test_db(), *other;
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	other = db_new(test_db_config());
	make_table(db);
	OK(db_transaction(db, nothing_body, NULL, &err), &err);
	RUN(db, "INSERT INTO piped (id, n) VALUES (2, 2)");
	CHECK(NUMBER_OF(other, "SELECT COUNT(*) FROM piped") == 2);
	OK(db_transaction(db, nothing_body, NULL, &err), &err);
	SCRIPT(db, "INSERT INTO piped (id, n) VALUES (3, 3)");
	CHECK(NUMBER_OF(other, "SELECT COUNT(*) FROM piped") == 3);
	SCRIPT(db, "DROP TABLE piped");
	db_free(other);
}

void suite_db_pipeline(void)
{
	ADD_TESTS("db_pipeline", {"random transactions, against a model", random_transactions},
	    {"one statement after itself, with other types", types_change},
	    {"a broken unique key, as it is told", conflicts},
	    {"a deadlock amid what was sent leaves nothing of it", deadlock_amid},
	    {"outside a transaction each statement is kept", commits_outside});
}
