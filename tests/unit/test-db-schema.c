/* Every statement of the program is prepared on a schema made by the migrations: a column or table
 * that is not there, or a wrong word, fails here and not in front of a customer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "base/config.h"
#include "db/db.h"
#include "db/migrate.h"
#include "test-db.h"

void suite_db_schema(void);

static const char dir[] = CONNECT_SRCDIR "/db/migrations";

static void migrations_run_once(void)
{
	struct db *db = test_db();
	struct migrate_status status;
	struct err err = ERR_INIT;
	int applied = -1;

	if (db == NULL)
		return;
	CU_ASSERT_EQUAL(migrate_up(db, dir, &applied, &err), 0);
	CU_ASSERT_EQUAL(applied, 0);
	CU_ASSERT_EQUAL(migrate_status(db, dir, &status, &err), 0);
	CU_ASSERT(status.version > 0);
	CU_ASSERT_EQUAL(status.version, status.wanted);
	CU_ASSERT_EQUAL(status.pending, 0);
	CU_ASSERT_EQUAL(migrate_check(db, dir, &err), 0);
	CU_ASSERT_STRING_EQUAL(err.msg, "");
}

static void every_statement_prepares(void)
{
	struct db *db = test_db();

	if (db == NULL)
		return;
	/* The registry lies in an ELF section: an empty one would make this test prove nothing. */
	CU_ASSERT(db_stmt_count() > 50);
	for (size_t i = 0; i < db_stmt_count(); i++) {
		const struct db_stmt *s = db_stmt_at(i);
		struct err err = ERR_INIT;
		if (db_stmt_check(db, s, &err) != 0) {
			printf("# %s: %s\n", s->name, err.msg);
			CU_FAIL("a statement does not prepare");
		}
	}
}

static void wrong_statement_is_found(void)
{
	static const struct db_stmt wrong = {
	    "wrong", "SELECT no_such_column FROM accounts", NULL, NULL};
	struct db *db = test_db();
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	CU_ASSERT_EQUAL(db_stmt_check(db, &wrong, &err), -1);
	CU_ASSERT(strstr(err.msg, "no_such_column") != NULL || err.msg[0] != '\0');
}

static void names_are_unique(void)
{
	for (size_t i = 0; i < db_stmt_count(); i++)
		for (size_t j = i + 1; j < db_stmt_count(); j++)
			if (strcmp(db_stmt_at(i)->name, db_stmt_at(j)->name) == 0) {
				printf("# two statements are called %s\n", db_stmt_at(i)->name);
				CU_FAIL("a statement's name is taken twice");
			}
}

/* Keys begin with the tenant, and every table has a primary key and the agreed text order. */
static void tables_keep_the_rules(void)
{
	static const struct db_stmt no_key = {"no_key",
	    "SELECT t.table_name FROM information_schema.tables t"
	    " LEFT JOIN information_schema.table_constraints c ON c.table_schema = t.table_schema"
	    " AND c.table_name = t.table_name AND c.constraint_type = 'PRIMARY KEY'"
	    " WHERE t.table_schema = DATABASE() AND c.table_name IS NULL",
	    NULL, NULL};
	static const struct db_stmt wrong_kind = {"wrong_kind",
	    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
	    " AND (engine <> 'InnoDB' OR table_collation <> 'utf8mb4_bin')",
	    NULL, NULL};
	const struct db_stmt *const checks[] = {&no_key, &wrong_kind};
	struct db *db = test_db();
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	for (size_t i = 0; i < 2; i++) {
		struct db_rows rows;
		struct err err = ERR_INIT;
		CU_ASSERT_EQUAL(db_query(db, a, checks[i], NULL, 0, &rows, &err), 0);
		for (size_t r = 0; err.code == ERR_NONE && r < rows.count; r++) {
			printf("# %s: %s\n", checks[i]->name, db_get_text(&rows, r, 0));
			CU_FAIL("a table breaks a rule");
		}
	}
	arena_free(a);
}

void suite_db_schema(void)
{
	CU_pSuite s = CU_add_suite("db_schema", NULL, NULL);

	CU_add_test(s, "migrations run once", migrations_run_once);
	CU_add_test(s, "every statement prepares on a fresh schema", every_statement_prepares);
	CU_add_test(s, "a wrong statement is found", wrong_statement_is_found);
	CU_add_test(s, "statement names are unique", names_are_unique);
	CU_add_test(s, "tables have keys, InnoDB and utf8mb4_bin", tables_keep_the_rules);
}
