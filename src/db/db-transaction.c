/* Transactions: a body that may be run again, and what waits for its commit.
 *
 *	begin ──> body ──0──> commit ──> hooks run ──> 0
 *	  ^         └──-1──> rollback ──ERR_RETRY──> pause ──┐
 *	  └────────────────── up to DB_TRIES ────────────────┘   any other error: -1
 *
 * A deadlock, a lock time-out or a Galera certification failure is ordinary under load. Only the
 * whole body can be repeated then, since what it read may have changed. A commit that fails in
 * this way is repeated too: the server has rolled it back. A commit that is lost with the
 * connection is not: its outcome is unknown. One that is lost before its commit left nothing, and
 * mostly an idle connection had been closed; so it is repeated, once. Hooks that a try registered
 * are forgotten with it. */
#include <stdlib.h>
#include <string.h>

#include "base/oom.h"
#include "db/db-internal.h"

/* Said to the server, though it would begin one by itself: it forgets a savepoint in one that
 * nothing was written in yet. Nobody waits for the answer. */
static int transaction_begin(struct db *db, struct err *err)
{
	db->in_transaction = true;
	db->nhooks = 0;
	arena_free(db->notes);
	db->notes = NULL;
	if (db_connection_set_commits(db, err) == -1 ||
	    (db->is_snapshot && db_send_text(db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
				    "snapshot", err) == -1))
		return -1;
	return db_send_text(db, "START TRANSACTION", "begin", err);
}

static void transaction_rollback(struct db *db)
{
	struct err ignored = ERR_INIT;

	db_settle(db, &ignored);
	if (!db->is_lost && db_connection_run(db, "ROLLBACK", "rollback", &ignored) == -1)
		db->is_lost = true; /* state unknown: start afresh */
	db->in_transaction = false;
}

/* A hook may start a transaction of its own, so the list is taken first. */
static void hooks_run(struct db *db)
{
	struct db_hook *hooks = db->hooks;
	struct arena *notes = db->notes;
	size_t n = db->nhooks;

	db->hooks = NULL;
	db->nhooks = db->hooks_cap = 0;
	db->notes = NULL;
	for (size_t i = 0; i < n; i++)
		hooks[i].fn(hooks[i].arg);
	free(hooks);
	arena_free(notes);
}

void *db_commit_note(struct db *db, const void *p, size_t n)
{
	if (db->notes == NULL)
		db->notes = arena_new();
	return memcpy(arena_alloc(db->notes, n), p, n);
}

void db_on_commit(struct db *db, void (*fn)(void *arg), void *arg)
{
	for (size_t i = 0; i < db->nhooks; i++)
		if (db->hooks[i].fn == fn && db->hooks[i].arg == arg)
			return;
	if (!db->in_transaction || db->nhooks == DB_COMMIT_HOOKS)
		abort();
	if (db->nhooks == db->hooks_cap) {
		db->hooks_cap = db->hooks_cap == 0 ? 16 : 2 * db->hooks_cap;
		db->hooks = oom_realloc(db->hooks, db->hooks_cap * sizeof(*db->hooks));
	}
	db->hooks[db->nhooks++] = (struct db_hook){fn, arg};
}

/* *is_cut: the connection was lost before the commit was sent. */
static int transaction_try(struct db *db, int (*body)(struct db *, void *, struct err *), void *arg,
    bool *is_cut, struct err *err)
{
	int rc;

	*is_cut = false;
	if (db_connection_ensure(db, err) == -1)
		return -1;
	if (transaction_begin(db, err) == -1 || body(db, arg, err) == -1 ||
	    db_settle(db, err) == -1) {
		*is_cut = db->is_lost;
		transaction_rollback(db);
		return -1;
	}
	rc = db_connection_run(db, "COMMIT", "commit", err);
	if (rc == -1)
		transaction_rollback(db);
	db->in_transaction = false;
	if (rc == 0) {
		db->commits++;
		hooks_run(db);
	}
	return rc;
}

int db_transaction(struct db *db, int (*body)(struct db *db, void *arg, struct err *err), void *arg,
    struct err *err)
{
	if (db->in_transaction)
		return err_set(err, ERR_INTERNAL, "a transaction within a transaction");
	for (int tries = 1;; tries++) {
		struct err e = ERR_INIT;
		bool was_open = db->conn != NULL && !db->is_lost, is_cut;

		if (transaction_try(db, body, arg, &is_cut, &e) == 0)
			return 0;
		if (is_cut && was_open && tries == 1)
			continue;
		if (e.code != ERR_RETRY || tries == DB_TRIES) {
			if (e.code == ERR_RETRY)
				e.code = ERR_UNAVAILABLE;
			if (err != NULL && err->code == ERR_NONE)
				*err = e;
			return -1;
		}
		db_connection_pause(tries, &e);
	}
}

int db_snapshot(struct db *db, int (*body)(struct db *db, void *arg, struct err *err), void *arg,
    struct err *err)
{
	int rc;

	db->is_snapshot = true;
	rc = db_transaction(db, body, arg, err);
	db->is_snapshot = false;
	return rc;
}

/* By depth: a savepoint takes the place of another of the same name. */
static const struct {
	const char *set, *back;
} savepoints[] = {{"SAVEPOINT nested", "ROLLBACK TO SAVEPOINT nested"},
    {"SAVEPOINT nested_twice", "ROLLBACK TO SAVEPOINT nested_twice"}};

/* There is no transaction any more in which one could go back. */
static bool is_whole_lost(const struct err *e)
{
	return e->code == ERR_RETRY || e->code == ERR_UNAVAILABLE;
}

int db_nested(struct db *db, int (*body)(struct db *db, void *arg, struct err *err), void *arg,
    struct err *err)
{
	size_t nhooks = db->nhooks, depth = db->depth;
	struct err e = ERR_INIT, late = ERR_INIT;
	int rc;

	if (!db->in_transaction || depth == sizeof(savepoints) / sizeof(savepoints[0]))
		abort();
	if (db_connection_run(db, savepoints[depth].set, "savepoint", err) == -1)
		return -1;
	db->depth++;
	rc = body(db, arg, &e);
	db->depth--;
	if (db_settle(db, &late) == -1 && (rc == 0 || is_whole_lost(&late))) {
		e = late;
		rc = -1;
	}
	if (rc == 0)
		return 0;
	if (!is_whole_lost(&e)) {
		if (db_connection_run(db, savepoints[depth].back, "rollback to savepoint", err) ==
		    -1)
			return -1;
		db->nhooks = nhooks;
	}
	return err_set(err, e.code, "%s", e.msg);
}

bool db_in_transaction(const struct db *db)
{
	return db->in_transaction;
}
