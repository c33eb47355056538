/* Records deleted by age. */
#include "record-check.h"
#include "record/record-retention.h"

void suite_record_retention(void);

static void by_age(void)
{
	struct place p;
	struct err err = ERR_INIT;
	int64_t now = clock_now_us();

	if (!place_make(&p))
		return;
	for (int i = 0; i < 130; i++)
		PUT_AT(&p, arena_printf(p.a, "old%d", i), "{\"a\":1}", now - 3 * DAY_US);
	PUT_AT(&p, "touched", "{\"a\":1}", now - 3 * DAY_US);
	PUT_AT(&p, "touched", "{\"a\":2}", now);
	PUT_AT(&p, "young", "{\"a\":1}", now - DAY_US);
	RUN(p.db,
	    "INSERT INTO record_retention (account_id, resource_type, days) VALUES (?,'deal',1)",
	    db_uuid(&p.account));
	CHECK(record_retain(p.app, &err) != -1);
	CHECK(ROWS(&p, "records") == 132); /* another type's rule */
	struct retention_rule rule = {.resource_type = STR("contact"), .days = 2};

	OK(retention_count_due(p.app, p.a, &p.account, &rule, &err), &err);
	CHECK(rule.due == 130 && rule.due_is_exact);
	RUN(p.db,
	    "INSERT INTO record_retention (account_id, resource_type, days) VALUES (?,'contact',2)",
	    db_uuid(&p.account));
	while (record_retain(p.app, &err) == 1)
		;
	CHECK_AT(__LINE__, err.code == ERR_NONE);
	CHECK(ROWS(&p, "records") == 2 && counted(&p) == 2);
	CHECK(ROWS(&p, "record_changes") == 3);
	RUN(p.db, "DELETE FROM record_retention WHERE account_id = ?", db_uuid(&p.account));
	place_remove(&p);
}

/* A rule that cannot be followed keeps no other from being followed. */
static void one_fails(void)
{
	struct place p;
	struct err err = ERR_INIT;
	int64_t now = clock_now_us();
	struct uuid bad;

	if (!place_make(&p))
		return;
	bad = PUT_AT(&p, "bad", "{\"a\":1}", now - 3 * DAY_US);
	RUN(p.db, "UPDATE records SET resource_type = 'a' WHERE account_id = ? AND id = ?",
	    db_uuid(&p.account), db_uuid(&bad));
	SCRIPT(p.db, "CREATE TRIGGER keeps BEFORE DELETE ON records FOR EACH ROW"
		     " IF OLD.resource_type = 'a' THEN SIGNAL SQLSTATE '45000'"
		     " SET MESSAGE_TEXT = 'on purpose'; END IF");
	PUT_AT(&p, "good", "{\"a\":1}", now - 3 * DAY_US);
	RUN(p.db,
	    "INSERT INTO record_retention (account_id, resource_type, days)"
	    " VALUES (?,'a',1), (?,'contact',1)",
	    db_uuid(&p.account), db_uuid(&p.account));
	CHECK(record_retain(p.app, &err) == -1);
	CHECK(err.code != ERR_NONE);
	CHECK(ROWS(&p, "records") == 1);
	SCRIPT(p.db, "DROP TRIGGER keeps");
	/* one that cannot be read can be deleted */
	RUN(p.db, "UPDATE records SET data = '{' WHERE account_id = ?", db_uuid(&p.account));
	err_clear(&err);
	while (record_retain(p.app, &err) == 1)
		;
	CHECK(err.code == ERR_NONE && ROWS(&p, "records") == 0);
	RUN(p.db, "DELETE FROM record_retention WHERE account_id = ?", db_uuid(&p.account));
	place_remove(&p);
}

void suite_record_retention(void)
{
	ADD_TESTS("record_retention", {"by age", by_age}, {"one fails", one_fails});
}
