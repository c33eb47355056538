/* What connection, statements and transactions share: the client library's state. The only file
 * that includes the library's headers. */
#ifndef DB_DB_INTERNAL_H
#define DB_DB_INTERNAL_H

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>

#include "db/db.h"

#define DB_CACHE_SLOTS 2048u /* power of two, above what any program prepares */
#define DB_COMMIT_HOOKS 4096 /* of one transaction; more is a loop gone wild */
#define DB_SENT_MOST 32u     /* statements on their way at a time */
#define DB_TRIES 8           /* of a transaction, or of a statement that is one by itself */

/* A statement as prepared for so many rows on this connection, with the memory its cells come into.
 */
struct db_cached {
	const struct db_stmt *stmt; /* NULL: a free slot */
	size_t rows;
	MYSQL_STMT *handle;
	size_t params, columns;
	MYSQL_BIND *out; /* columns result binds over the buffers below */
	unsigned long *lengths;
	my_bool *nulls;
	int64_t *numbers;
	char *text; /* columns × CELL_BYTES */
};

/* A statement that was sent, and whose answer is yet to be read. */
struct db_sent {
	struct db_cached *prepared; /* NULL: plain text */
	const char *what;           /* names it in errors */
	enum err_code conflict;     /* what a broken unique key means */
};

struct db {
	const struct config *cfg;
	MYSQL *conn; /* NULL: none is open */
	bool in_transaction, is_lost, is_impatient;
	bool was_victim;  /* of a deadlock, by the last failure */
	bool is_snapshot; /* of the next transaction */
	bool is_manual;   /* the server commits when it is told to (autocommit = 0) */
	struct db_sent sent[DB_SENT_MOST]; /* in their order */
	size_t nsent;
	bool takes_bulk;      /* the parameters of many rows for one prepared row */
	unsigned lock_wait_s; /* when impatient; 0: as usual; or DB_AT_ONCE */
	unsigned session_wait_s;
	size_t packet_bytes;    /* max_allowed_packet */
	size_t depth;           /* of db_nested */
	int64_t retry_after_us; /* no new connect before this (monotonic) */
	uint64_t round_trips, commits;
	struct db_hook {
		void (*fn)(void *arg);
		void *arg;
	} * hooks; /* of the transaction at hand */
	size_t nhooks, hooks_cap;
	struct arena *notes; /* of the same: what the hooks are told */
	bool (*meanwhile)(void *arg);
	void *meanwhile_arg;
	bool is_waiting; /* for the server */
	struct db_cached cache[DB_CACHE_SLOTS];
	MYSQL_BIND *params; /* of the statement being run; kept, since most take few */
	size_t params_cap;
};

/* Makes sure there is a connection: one known to be lost is replaced, but not in a transaction. */
int db_connection_ensure(struct db *db, struct err *err);
/* Within a transaction nothing is kept before it commits; outside, each statement is. */
int db_connection_set_commits(struct db *db, struct err *err);
/* Sends plain text, behind what is on its way, and waits for its answer; what names it in errors.
 * The connection must be there. */
int db_connection_run(struct db *db, const char *sql, const char *what, struct err *err);
/* Turns the library's error into ours: -1. what is a statement's name, never its parameters. */
int db_connection_fail(
    struct db *db, unsigned code, const char *text, const char *what, struct err *err);
/* Before the next of several tries: a little, and more each time. */
void db_connection_pause(int tries, const struct err *why);
/* Waits until there is an answer to read, while db_meanwhile's function runs. */
void db_connection_await(struct db *db);

/* db-pipeline.c: sending without waiting. */
/* Sends plain text. */
int db_send_text(struct db *db, const char *sql, const char *what, struct err *err);
/* Before anything is bound to c: reads the answer to what was sent by it. -1: something failed. */
int db_sent_answer_of(struct db *db, const struct db_cached *c, struct err *err);
/* Sends a statement with what is bound to it. -1: it was not sent, or one before it failed. */
int db_send_prepared(struct db *db, struct db_cached *c, enum err_code conflict, struct err *err);

#endif
