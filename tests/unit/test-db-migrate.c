/* Migrations of a folder of this test's own into a database of its own, and daily partitions. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/config.h"
#include "core-check.h"
#include "db/migrate.h"
#include "db/partition.h"

void suite_db_migrate(void);

/* ---- migrations -------------------------------------------------------------------------- */

struct place {
	struct arena *a;
	struct db *server, *db;
	struct config cfg;
	const char *dir;
};

static bool place_make(struct place *p)
{
	*p = (struct place){.server = test_db()};
	if (p->server == NULL)
		return false;
	p->a = arena_new();
	p->cfg = *test_db_config();
	p->cfg.db_name = arena_printf(p->a, "%s_migrate", p->cfg.db_name);
	SCRIPT(p->server, arena_printf(p->a, "DROP DATABASE IF EXISTS %s", p->cfg.db_name));
	SCRIPT(p->server,
	    arena_printf(p->a, "CREATE DATABASE %s CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
		p->cfg.db_name));
	p->db = db_new(&p->cfg);
	p->dir = core_mkdir(p->a);
	return true;
}

static void place_remove(struct place *p)
{
	db_free(p->db);
	SCRIPT(p->server, arena_printf(p->a, "DROP DATABASE %s", p->cfg.db_name));
	core_rmdir(p->dir);
	arena_free(p->a);
}

#define FIRST                                                                                      \
	"-- a comment; with a semicolon\n"                                                         \
	"CREATE TABLE one (\n  id INT NOT NULL,\n  PRIMARY KEY (id)\n);\n\n"                       \
	"INSERT INTO one VALUES (1), (2);\n"
#define SECOND "INSERT INTO one VALUES (3);\n"

static void up_and_up_again(void)
{
	struct place p;
	struct migrate_status st;
	struct err err = ERR_INIT;
	int applied = -1;

	if (!place_make(&p))
		return;
	OK(migrate_up(p.db, p.dir, &applied, &err), &err); /* nothing to do */
	CHECK(applied == 0);
	core_write(p.dir, "0002-second.sql", SECOND);
	core_write(p.dir, "0001-first.sql", FIRST);
	core_write(p.dir, "README", "not a migration");
	CHECK(migrate_check(p.db, p.dir, &err) == -1 && err.code == ERR_CONFLICT);
	CHECK(strstr(err.msg, "migrate up") != NULL);
	err_clear(&err);
	OK(migrate_up(p.db, p.dir, &applied, &err), &err);
	CHECK(applied == 2);
	OK(migrate_up(p.db, p.dir, &applied, &err), &err);
	CHECK(applied == 0);
	OK(migrate_check(p.db, p.dir, &err), &err);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM one") == 3);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM schema_migrations") == 2);
	core_write(p.dir, "0003-third.sql", "DELETE FROM one;\n");
	OK(migrate_status(p.db, p.dir, &st, &err), &err);
	CHECK(st.version == 2 && st.wanted == 3 && st.pending == 1);
	OK(migrate_up(p.db, p.dir, &applied, &err), &err);
	CHECK(applied == 1 && NUMBER_OF(p.db, "SELECT COUNT(*) FROM one") == 0);
	/* a program that is older than the schema */
	core_rmdir(p.dir);
	p.dir = core_mkdir(p.a);
	core_write(p.dir, "0001-first.sql", FIRST);
	CHECK(migrate_check(p.db, p.dir, &err) == -1 && err.code == ERR_CONFLICT);
	CHECK(strstr(err.msg, "newer") != NULL);
	place_remove(&p);
}

static void changed_file_is_refused(void)
{
	struct place p;
	struct err err = ERR_INIT;
	int applied;

	if (!place_make(&p))
		return;
	core_write(p.dir, "0001-first.sql", FIRST);
	OK(migrate_up(p.db, p.dir, &applied, &err), &err);
	core_write(p.dir, "0001-first.sql", FIRST "\n");
	core_write(p.dir, "0002-second.sql", SECOND);
	CHECK(migrate_up(p.db, p.dir, &applied, &err) == -1);
	CHECK(err.code == ERR_CONFLICT && strstr(err.msg, "0001-first.sql") != NULL);
	CHECK(applied == 0 && NUMBER_OF(p.db, "SELECT COUNT(*) FROM one") == 2);
	err_clear(&err);
	CHECK(migrate_check(p.db, p.dir, &err) == -1);
	err_clear(&err);
	core_write(p.dir, "0001-first.sql", FIRST); /* put back: goes on, so no lock was left */
	OK(migrate_up(p.db, p.dir, &applied, &err), &err);
	CHECK(applied == 1);
	place_remove(&p);
}

static void broken_files(void)
{
	static const struct {
		int line;
		const char *name, *text, *says;
	} cases[] = {
	    {__LINE__, "0002-broken.sql", SECOND "INSERT INTO nowhere VALUES (1);\n",
		"0002-broken.sql"},
	    {__LINE__, "0002-open.sql", "INSERT INTO one VALUES (9)\n", "0002-open.sql"},
	    {__LINE__, "second.sql", SECOND, "second.sql"},
	    {__LINE__, "2.sql", SECOND, "2.sql"},
	    {__LINE__, "0000-zero.sql", SECOND, "0000-zero.sql"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct place p;
		struct migrate_status st;
		struct err err = ERR_INIT;
		int applied = -1;

		if (!place_make(&p))
			return;
		core_write(p.dir, "0001-first.sql", FIRST);
		core_write(p.dir, cases[i].name, cases[i].text);
		CHECK_AT(cases[i].line, migrate_up(p.db, p.dir, &applied, &err) == -1);
		CHECK_AT(cases[i].line, strstr(err.msg, cases[i].says) != NULL);
		if (i < 2) { /* what stood before it has been applied, itself not */
			err_clear(&err);
			OK(migrate_status(p.db, p.dir, &st, &err), &err);
			CHECK_AT(cases[i].line, applied == 1 && st.version == 1 && st.pending == 1);
		}
		place_remove(&p);
	}
}

static int up_in_a_child(void *arg)
{
	struct place *p = arg;
	struct db *db = db_new(&p->cfg);
	struct err err = ERR_INIT;
	int applied;
	int rc = migrate_up(db, p->dir, &applied, &err);

	db_free(db);
	return rc == -1 ? 100 : applied;
}

static void several_at_once(void)
{
	struct place p;
	pid_t pids[4];
	int applied = 0;

	if (!place_make(&p))
		return;
	core_write(p.dir, "0001-first.sql", FIRST);
	core_write(p.dir, "0002-second.sql", "DO SLEEP(0.05);\n" SECOND);
	for (size_t i = 0; i < COUNT(pids); i++)
		pids[i] = core_fork(up_in_a_child, &p);
	for (size_t i = 0; i < COUNT(pids); i++)
		applied += core_wait(pids[i]);
	CHECK(applied == 2);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM one") == 3);
	place_remove(&p);
}

/* ---- what the product's own migrations carry over ----------------------------------------- */

static void copy_migration(struct place *p, const char *name)
{
	const char *path = arena_printf(p->a, "%s/db/migrations/%s", source_dir(), name);
	char *text = arena_zalloc(p->a, 1 << 16);
	FILE *f = fopen(path, "re");

	REQUIRE(f != NULL);
	CHECK(fread(text, 1, (1 << 16) - 1, f) > 0);
	fclose(f);
	core_write(p->dir, name, text);
}

static const char *task_told(struct place *p, const char *id)
{
	return TEXT_OF(p->db, p->a,
	    "SELECT CONCAT_WS('|', kind, status, title, provider_type, resource_type, args,"
	    " COALESCE(position, '-'), done, total, received, created, updated, unchanged, failed,"
	    " COALESCE(error, '-'), LOWER(HEX(COALESCE(created_by, ''))), created_at,"
	    " COALESCE(started_at, '-'), COALESCE(finished_at, '-')) FROM tasks"
	    " WHERE id = UNHEX(?) AND account_id = REPEAT('a', 16)",
	    db_str(id));
}

#define IMPORTS                                                                                    \
	"INSERT INTO imports (id, account_id, kind, status, provider_type, resource_type,"         \
	" file_name, path, options, received, created, updated, unchanged, failed, line,"          \
	" bytes_done, bytes_total, error, created_by, created_at, started_at, finished_at) VALUES"

/* 0006: imports, deletions and replays, in all their states. */
static void tasks_are_carried_over(void)
{
	static const char *const ids[] = {"01000000000000000000000000000000",
	    "02000000000000000000000000000000", "03000000000000000000000000000000",
	    "04000000000000000000000000000000", "05000000000000000000000000000000",
	    "06000000000000000000000000000000", "07000000000000000000000000000000"};
	static const char *const wanted[] = {
	    "import|draft|a "
	    "\"b\".csv|manual|contact|{\"delimiter\":\",\",\"start\":0}|-|0|100|0|0|0|0|0"
	    "|-|62620000000000000000000000000000|5|-|-",
	    "import|running||manual|contact|{\"delimiter\":\";\"}|{\"line\":9}|50|100|8|4|2|1|1|-||"
	    "5|6|-",
	    "import|completed|c.csv|manual|deal|{}|{\"line\":11}|100|100|10|1|2|3|4|-||5|6|7",
	    "delete|running|||contact|{\"before\":3,\"filter\":{}}|{\"externalId\": \"x\\\\\\\"é\"}"
	    "|5|40|5|0|4|1|0|-||5|6|-",
	    "delete|failed||||{\"before\":3,\"filter\":{}}|-|5|40|5|0|4|1|0|it broke||5|6|7",
	    "replay|queued||meta||{\"filter\":{},\"flowIds\":null}|-|0|0|0|0|0|0|0|-||5|-|-",
	    "replay|cancelled||meta||{\"filter\":{}}|-|9|0|9|8|7|2|0|-||5|6|7"};
	struct place p;
	struct err err = ERR_INIT;
	int applied;

	if (!place_make(&p))
		return;
	copy_migration(&p, "0001-initial.sql");
	copy_migration(&p, "0002-records.sql");
	copy_migration(&p, "0003-search-queue.sql");
	copy_migration(&p, "0004-job-accounts.sql");
	copy_migration(&p, "0005-record-moves.sql");
	OK(migrate_up(p.db, p.dir, &applied, &err), &err);
	SCRIPT(p.db, IMPORTS
	    " (UNHEX('01000000000000000000000000000000'), REPEAT('a', 16), 'records', 'draft', "
	    "'manual',"
	    "  'contact', 'a \"b\".csv', '/s/imports/1.csv', '{\"delimiter\":\",\",\"start\":0}',"
	    "  0, 0, 0, 0, 0, 0, 0, 100, NULL, 'bb', 5, NULL, NULL),"
	    " (UNHEX('02000000000000000000000000000000'), REPEAT('a', 16), 'records', 'running',"
	    "  'manual', 'contact', '', '/s/imports/2.csv', '{\"delimiter\":\";\"}',"
	    "  8, 4, 2, 1, 1, 9, 50, 100, NULL, NULL, 5, 6, NULL),"
	    " (UNHEX('03000000000000000000000000000000'), REPEAT('a', 16), 'records', 'completed',"
	    "  'manual', 'deal', 'c.csv', '', '{}', 10, 1, 2, 3, 4, 11, 100, 100, NULL, NULL, 5, "
	    "6, 7),"
	    " (UNHEX('04000000000000000000000000000000'), REPEAT('a', 16), 'delete', 'running', '',"
	    "  'contact', '', '', '{\"before\":3,\"filter\":{}}',"
	    "  5, 0, 4, 1, 0, 0, 0, 40, NULL, NULL, 5, 6, NULL),"
	    " (UNHEX('05000000000000000000000000000000'), REPEAT('a', 16), 'delete', 'failed', '', "
	    "'',"
	    "  '', '', '{\"before\":3,\"filter\":{}}',"
	    "  5, 0, 4, 1, 0, 0, 0, 40, 'it broke', NULL, 5, 6, 7),"
	    " (UNHEX('06000000000000000000000000000000'), REPEAT('a', 16), 'replay', 'queued', "
	    "'meta',"
	    "  '', '', '', '{\"filter\":{},\"flowIds\":null}',"
	    "  0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, 5, NULL, NULL),"
	    " (UNHEX('07000000000000000000000000000000'), REPEAT('a', 16), 'replay', 'cancelled',"
	    "  'meta', '', '', '', '{\"filter\":{}}', 9, 8, 7, 2, 0, 0, 0, 0, NULL, NULL, 5, 6, "
	    "7)");
	SCRIPT(p.db,
	    "INSERT INTO jobs (id, account_id, kind, subject_id, state, run_at, attempts, args,"
	    " created_at) VALUES (REPEAT('1', 16), REPEAT('a', 16), 'record.delete',"
	    "  UNHEX('04000000000000000000000000000000'), 'ready', 5, 0, "
	    "'{\"before\":3,\"filter\":{},"
	    "\"position\":{\"externalId\":\"x\\\\\\\\\\\\\"é\"}}', 5),"
	    " (REPEAT('2', 16), REPEAT('a', 16), 'record.replay',"
	    "  UNHEX('06000000000000000000000000000000'), 'ready', 5, 0, '{\"filter\":{}}', 5),"
	    " (REPEAT('3', 16), REPEAT('a', 16), 'record.fetch',"
	    "  UNHEX('09000000000000000000000000000000'), 'ready', 5, 0, '{\"position\":1}', 5)");
	SCRIPT(p.db, "INSERT INTO import_errors VALUES (REPEAT('e', 16), REPEAT('a', 16),"
		     " UNHEX('03000000000000000000000000000000'), 4, 'too long', 'x,y')");
	copy_migration(&p, "0006-tasks.sql");
	OK(migrate_up(p.db, p.dir, &applied, &err), &err);
	CHECK(applied == 1);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM tasks") == COUNT(ids));
	for (size_t i = 0; i < COUNT(ids); i++) {
		const char *told = task_told(&p, ids[i]);

		if (!TEXT_EQ(told, wanted[i]))
			printf("# %s\n", told == NULL ? "no such task" : told);
		CHECK(TEXT_EQ(told, wanted[i]));
	}
	CHECK(NUMBER_OF(p.db, "SELECT line FROM import_errors WHERE task_id ="
			      " UNHEX('03000000000000000000000000000000')") == 4);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE args IS NULL") == 2);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM information_schema.TABLES"
			      " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'imports'") == 0);
	place_remove(&p);
}

/* ---- partitions -------------------------------------------------------------------------- */

/* The names, in order, without their p: "19800,19801,_rest". */
static const char *names(struct db *db, struct arena *a)
{
	return TEXT_OF(db, a,
	    "SELECT GROUP_CONCAT(PARTITION_NAME ORDER BY PARTITION_ORDINAL_POSITION)"
	    " FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = DATABASE()"
	    " AND TABLE_NAME = 'core_days'");
}

static const char *expected_names(struct arena *a, int32_t from, int32_t to)
{
	struct buf *b = buf_new(a, 4096);

	for (int32_t day = from; day <= to; day++)
		buf_printf(b, "p%06d,", day);
	buf_str(b, "p_rest");
	return b->p;
}

static void make_days(struct db *db)
{
	SCRIPT(db, "DROP TABLE IF EXISTS core_days");
	SCRIPT(db,
	    "CREATE TABLE core_days (id BINARY(16) NOT NULL, PRIMARY KEY (id)) ENGINE=InnoDB"
	    " DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
	    " PARTITION BY RANGE COLUMNS (id) (PARTITION p_rest VALUES LESS THAN (MAXVALUE))");
}

/* A row in the middle of a day, and one at its very beginning. */
static void put_rows(struct db *db, int32_t day)
{
	struct uuid noon = uuid_at((int64_t)day * DAY_US + DAY_US / 2);
	struct uuid first = uuid_at((int64_t)day * DAY_US);

	RUN(db, "INSERT INTO core_days VALUES (?),(?)", db_uuid(&noon), db_uuid(&first));
}

static int64_t rows_of_day(struct db *db, int32_t day)
{
	struct uuid from = uuid_at((int64_t)day * DAY_US);
	struct uuid to = uuid_at((int64_t)(day + 1) * DAY_US);

	return NUMBER_OF(db, "SELECT COUNT(*) FROM core_days WHERE id >= ? AND id < ?",
	    db_uuid(&from), db_uuid(&to));
}

/* How many rows lie in a partition. */
static int64_t rows_within(struct db *db, struct arena *a, int32_t day)
{
	static struct db_stmt within[8]; /* the cache goes by address, so one use each */
	static size_t used;
	struct db_stmt *s = &within[used++];
	struct db_rows rows;
	struct err err = ERR_INIT;
	static char texts[COUNT(within)][100];

	snprintf(texts[used - 1], sizeof(texts[0]),
	    "SELECT COUNT(*) FROM core_days PARTITION (p%06d)", day);
	*s = (struct db_stmt){"within", texts[used - 1], NULL, NULL};
	return OK(db_query(db, a, s, NULL, 0, &rows, &err), &err) ? db_get_int(&rows, 0, 0) : -1;
}

/* What a server looks like that last ran some days ago, with the days before that. */
static void make_old_days(struct db *db, struct arena *a, int32_t from, int32_t to)
{
	for (int32_t day = from; day <= to; day++) {
		struct uuid bound = uuid_at((int64_t)(day + 1) * DAY_US);
		struct buf *hex = buf_new(a, 64);

		memset(bound.b + 6, 0, 10);
		hex_encode(hex, bound.b, 16);
		SCRIPT(db, arena_printf(a,
			       "ALTER TABLE core_days REORGANIZE PARTITION p_rest INTO ("
			       "PARTITION p%06d VALUES LESS THAN (x'%s'),"
			       "PARTITION p_rest VALUES LESS THAN (MAXVALUE))",
			       day, hex->p));
		put_rows(db, day);
	}
}

static void partitions_of_a_new_table(void)
{
	struct db *db = test_db();
	struct err err = ERR_INIT;
	int32_t today = clock_day(clock_now_us()), ahead;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	make_days(db);
	put_rows(db, today - 1);
	put_rows(db, today);
	put_rows(db, today + 1);
	OK(partition_days_ahead(db, "core_days", &ahead, &err), &err);
	CHECK(ahead < 0);
	OK(partition_make_ahead(db, "core_days", 1, 2, &err), &err);
	CHECK(TEXT_EQ(names(db, a), expected_names(a, today, today + 2)));
	CHECK(rows_within(db, a, today) == 4); /* and whatever is older */
	CHECK(rows_within(db, a, today + 1) == 2);
	CHECK(rows_within(db, a, today + 2) == 0);
	/* enough are there */
	OK(partition_make_ahead(db, "core_days", 2, 9, &err), &err);
	CHECK(TEXT_EQ(names(db, a), expected_names(a, today, today + 2)));
	OK(partition_make_ahead(db, "core_days", 3, 14, &err), &err);
	CHECK(TEXT_EQ(names(db, a), expected_names(a, today, today + 14)));
	OK(partition_days_ahead(db, "core_days", &ahead, &err), &err);
	CHECK(ahead == 14);
	CHECK(NUMBER_OF(db, "SELECT COUNT(*) FROM core_days") == 6);
	SCRIPT(db, "DROP TABLE core_days");
	arena_free(a);
}

static void old_partitions_go(void)
{
	struct db *db = test_db();
	struct err err = ERR_INIT;
	int32_t today = clock_day(clock_now_us());
	struct arena *a;
	size_t left;

	if (db == NULL)
		return;
	a = arena_new();
	make_days(db);
	make_old_days(db, a, today - 9, today - 2);
	put_rows(db, today);
	OK(partition_make_ahead(db, "core_days", 1, 1, &err), &err);
	/* yesterday's share is in today's, since nobody made it in time */
	CHECK(rows_of_day(db, today) == 2 && rows_within(db, a, today) == 2);
	/* few at a time, the oldest first, and none that is to be kept */
	for (int32_t gone = 2; gone <= 6; gone += 2) {
		OK(partition_drop_old(db, "core_days", 4, 2, &left, &err), &err);
		CHECK(left == (gone == 2 ? 3 : gone == 4 ? 1 : 0));
		for (int32_t day = today - 9; day <= today - 2; day++)
			CHECK(rows_of_day(db, day) ==
			      (day < today - 9 + gone && day < today - 4 ? 0 : 2));
	}
	CHECK(strncmp(names(db, a), expected_names(a, today - 4, today - 2), 23) == 0);
	CHECK(strstr(names(db, a), expected_names(a, today, today + 1)) != NULL);
	OK(partition_drop_old(db, "core_days", 4, 2, &left, &err), &err);
	CHECK(left == 0 && NUMBER_OF(db, "SELECT COUNT(*) FROM core_days") == 8);
	CHECK(partition_make_ahead(db, "no_such_table", 4, 5, &err) == -1);
	SCRIPT(db, "DROP TABLE core_days");
	arena_free(a);
}

static int64_t patience(struct db *db)
{
	return NUMBER_OF(db, "SELECT @@lock_wait_timeout = @@GLOBAL.lock_wait_timeout");
}

/* While somebody's transaction has read the table, DDL gives up soon and leaves all as it was. */
static void a_busy_table_is_left_alone(void)
{
	struct db *db = test_db(), *other;
	struct err err = ERR_INIT;
	int32_t today = clock_day(clock_now_us());
	const char *before;
	struct arena *a;
	size_t left;

	if (db == NULL)
		return;
	a = arena_new();
	other = db_new(test_db_config());
	make_days(db);
	make_old_days(db, a, today - 9, today - 2);
	before = names(db, a);
	SCRIPT(other, "START TRANSACTION");
	CHECK(NUMBER_OF(other, "SELECT COUNT(*) FROM core_days") == 16);
	CHECK(partition_make_ahead(db, "core_days", 1, 2, &err) == -1 && err.code == ERR_RETRY);
	CHECK(strstr(err.msg, "core_days") != NULL);
	err_clear(&err);
	CHECK(partition_drop_old(db, "core_days", 4, 2, &left, &err) == -1);
	CHECK(err.code == ERR_RETRY && patience(db) == 1);
	CHECK(TEXT_EQ(names(db, a), before));
	put_rows(other, today); /* it goes on */
	SCRIPT(other, "COMMIT");
	err_clear(&err);
	OK(partition_make_ahead(db, "core_days", 1, 2, &err), &err);
	OK(partition_drop_old(db, "core_days", 4, 2, &left, &err), &err);
	CHECK(left == 3 && patience(db) == 1);
	CHECK(rows_of_day(db, today) == 2 && rows_of_day(db, today - 9) == 0);
	SCRIPT(db, "DROP TABLE core_days");
	db_free(other);
	arena_free(a);
}

static int make_in_a_child(void *arg)
{
	struct db *db = db_new(test_db_config());
	struct err err = ERR_INIT;
	int rc = partition_make_ahead(db, "core_days", 1, *(const int32_t *)arg, &err);

	db_free(db);
	return rc == -1 ? 1 : 0;
}

/* The scheduler and an operator's command: each finds what the other has made. */
static void made_by_several_at_once(void)
{
	struct db *db = test_db();
	int32_t today = clock_day(clock_now_us()), most = 9;
	pid_t pids[4];
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	make_days(db);
	for (size_t i = 0; i < COUNT(pids); i++)
		pids[i] = core_fork(make_in_a_child, &most);
	for (size_t i = 0; i < COUNT(pids); i++)
		CHECK(core_wait(pids[i]) == 0);
	CHECK(TEXT_EQ(names(db, a), expected_names(a, today, today + most)));
	SCRIPT(db, "DROP TABLE core_days");
	arena_free(a);
}

void suite_db_migrate(void)
{
	ADD_TESTS("db_migrate", {"up, and up again", up_and_up_again},
	    {"a changed file is refused", changed_file_is_refused},
	    {"a broken file is named", broken_files}, {"several at once", several_at_once},
	    {"tasks are carried over", tasks_are_carried_over},
	    {"partitions of a new table", partitions_of_a_new_table},
	    {"old partitions go", old_partitions_go},
	    {"made by several at once", made_by_several_at_once},
	    {"a busy table is left alone", a_busy_table_is_left_alone});
}
