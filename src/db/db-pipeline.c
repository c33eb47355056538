/* Statements sent ahead of their answers.
 *
 *	send ──> sent ──send──> sent, sent ──send──> …
 *	                          └──settle: the answers in their order──> 0, or the first error
 *
 * Each wait for an answer costs two processes going to sleep and waking, which is more than the
 * server's work for a small statement. So a statement whose answer nobody needs yet is sent and
 * left behind (db_exec_rows_later), and whoever waits next reads its answer on the way.
 *
 * Invariants:
 * - Nothing is committed before all before it has been answered: COMMIT goes out alone.
 * - The server does not stop at a statement that failed: those behind it are executed, and must
 *   leave nothing. A failure that ends the transaction (a deadlock) would have each of them
 *   committed by itself, so within a transaction the server commits nothing unasked
 *   (db_connection_set_commits): they begin another one, which is rolled back.
 * - Only the last that was sent may have rows.
 * - A handle takes one answer at a time, and that is read before the next values are bound to it:
 *   reading it, the library forgets that the server does not know their types yet. */
#include "db/db-internal.h"

static void skip_answers(struct db *db, my_bool is_on)
{
	mysql_optionsv(db->conn, MARIADB_OPT_SKIP_READ_RESPONSE, &is_on);
}

static void sent_add(struct db *db, struct db_cached *c, const char *what, enum err_code conflict)
{
	db->sent[db->nsent++] = (struct db_sent){c, what, conflict};
}

/* db_meanwhile takes one answer at a time: behind the first, others may be in the library's buffer
 * already, where poll does not see them. */
static int sent_make_room(struct db *db, struct err *err)
{
	return db->nsent == DB_SENT_MOST || db->meanwhile != NULL ? db_settle(db, err) : 0;
}

int db_sent_answer_of(struct db *db, const struct db_cached *c, struct err *err)
{
	for (size_t i = 0; i < db->nsent; i++)
		if (db->sent[i].prepared == c)
			return db_settle(db, err);
	return 0;
}

int db_send_text(struct db *db, const char *sql, const char *what, struct err *err)
{
	if (sent_make_room(db, err) == -1)
		return -1;
	if (mysql_send_query(db->conn, sql, strlen(sql)) != 0)
		return db_connection_fail(
		    db, mysql_errno(db->conn), mysql_error(db->conn), what, err);
	sent_add(db, NULL, what, ERR_CONFLICT);
	return 0;
}

int db_send_prepared(struct db *db, struct db_cached *c, enum err_code conflict, struct err *err)
{
	int rc;

	if (sent_make_room(db, err) == -1)
		return -1;
	skip_answers(db, true);
	rc = mysql_stmt_execute(c->handle);
	skip_answers(db, false);
	if (rc != 0)
		return db_connection_fail(db, mysql_stmt_errno(c->handle),
		    mysql_stmt_error(c->handle), c->stmt->name, err);
	sent_add(db, c, c->stmt->name, conflict);
	db->round_trips++;
	return 0;
}

static int answer_read(struct db *db, const struct db_sent *s, struct err *err)
{
	MYSQL_STMT *handle = s->prepared == NULL ? NULL : s->prepared->handle;

	db_connection_await(db);
	if (handle == NULL ? mysql_read_query_result(db->conn) == 0
			   : db->conn->methods->db_read_execute_response(handle) == 0)
		return 0;
	db_connection_fail(db, handle == NULL ? mysql_errno(db->conn) : mysql_stmt_errno(handle),
	    handle == NULL ? mysql_error(db->conn) : mysql_stmt_error(handle), s->what, err);
	if (err != NULL && err->code == ERR_CONFLICT)
		err->code = s->conflict;
	return -1;
}

int db_settle(struct db *db, struct err *err)
{
	struct err first = ERR_INIT;

	for (size_t i = 0; i < db->nsent && !db->is_lost; i++) {
		const struct db_sent *s = &db->sent[i];
		struct err e = ERR_INIT;

		if (answer_read(db, s, &e) == -1) {
			if (first.code == ERR_NONE)
				first = e;
		} else if (first.code != ERR_NONE && s->prepared != NULL) {
			mysql_stmt_free_result(s->prepared->handle);
		}
	}
	db->nsent = 0;
	return first.code == ERR_NONE ? 0 : err_set(err, first.code, "%s", first.msg);
}
