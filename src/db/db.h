/* The database: one connection per process, prepared statements cached on it, transactions that are
 * run again on deadlock. Works with MariaDB 10.6+ and MySQL 8.0+.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/uuid.h"

struct config;
struct db;

/* A statement's constant text. With row set it takes any number of rows: sql, then row n times with
 * commas between, then tail; each n is prepared once per connection. */
struct db_stmt {
	const char *name, *sql, *row, *tail;
};

/* Declares a statement in a .c file and enters it in the registry that the schema test walks. */
#define DB_STMT(id, text) DB_STMT_ROWS(id, text, NULL, NULL)
#define DB_STMT_ROWS(id, head, each, end)                                                          \
	static const struct db_stmt id = {#id, head, each, end};                                   \
	__attribute__((used, retain,                                                               \
	    section("db_stmts"))) static const struct db_stmt *const id##_entry = &id

/* A parameter or a cell. Cells of integer and DECIMAL columns are DB_INT, all others DB_TEXT. */
enum db_type { DB_NULL, DB_INT, DB_TEXT, DB_BLOB };
struct db_val {
	enum db_type type;
	int64_t i;
	struct str s;
};

#define DB_VALS(...)                                                                               \
	(const struct db_val[]){__VA_ARGS__},                                                      \
	    (sizeof((const struct db_val[]){__VA_ARGS__}) / sizeof(struct db_val))
static inline struct db_val db_null(void)
{
	return (struct db_val){DB_NULL, 0, {NULL, 0}};
}
static inline struct db_val db_int(int64_t v)
{
	return (struct db_val){DB_INT, v, {NULL, 0}};
}
static inline struct db_val db_strn(struct str v) /* {NULL,0} is NULL */
{
	return v.p == NULL ? db_null() : (struct db_val){DB_TEXT, 0, v};
}
static inline struct db_val db_blob(struct str v) /* bytes that are not text: hashes, bodies */
{
	return v.p == NULL ? db_null() : (struct db_val){DB_BLOB, 0, v};
}
static inline struct db_val db_str(const char *v)
{
	return db_strn(str_from(v));
}
/* Text from outside that an ASCII column is compared with: what such a column cannot hold is sent
 * as a text that none holds, so that it equals nothing where the server would refuse to compare. */
struct db_val db_name(struct str v);
/* The 16 bytes are referenced, not copied: *u must live until the call returns. */
static inline struct db_val db_uuid(const struct uuid *u)
{
	return db_blob((struct str){(const char *)u->b, 16});
}
/* nil is NULL */
static inline struct db_val db_uuid_or_null(const struct uuid *u)
{
	return uuid_is_nil(*u) ? db_null() : db_uuid(u);
}
/* 0 is NULL */
static inline struct db_val db_time(int64_t at_us)
{
	return at_us == 0 ? db_null() : db_int(at_us);
}

/* A whole result, in the caller's arena; every text cell ends with a NUL that n does not count. */
struct db_rows {
	size_t count, columns;
	struct db_val *cells;
};
static inline const struct db_val *db_cell(const struct db_rows *r, size_t row, size_t column)
{
	return &r->cells[row * r->columns + column];
}
/* Accessors: 0, "" and nil for NULL, except db_get_text, which returns NULL. */
int64_t db_get_int(const struct db_rows *r, size_t row, size_t column);
const char *db_get_text(const struct db_rows *r, size_t row, size_t column);
struct str db_get_str(const struct db_rows *r, size_t row, size_t column);
struct uuid db_get_uuid(const struct db_rows *r, size_t row, size_t column);
bool db_is_null(const struct db_rows *r, size_t row, size_t column);
/* TIME_NONE for NULL: of times that may be any. */
int64_t db_get_time(const struct db_rows *r, size_t row, size_t column);
/* The first row whose cell in that column is this id; r->count when there is none. */
size_t db_find_uuid(const struct db_rows *r, size_t column, const struct uuid *id);

/* Does not connect yet: the first use does, and each use after a loss outside a transaction. */
struct db *db_new(const struct config *cfg);
void db_free(struct db *db);
/* Closes the connection (a child after fork must not share its parent's). */
void db_disconnect(struct db *db);
/* 0 when a statement can be run now; ERR_UNAVAILABLE otherwise. */
int db_ping(struct db *db, struct err *err);

/* Runs a statement without result. affected may be NULL. A broken unique key is ERR_CONFLICT, a
 * deadlock, lock time-out or certification failure ERR_RETRY, a lost server ERR_UNAVAILABLE, what
 * is longer than the server takes in one piece ERR_LIMIT. */
int db_exec(struct db *db, const struct db_stmt *s, const struct db_val *vals, size_t n,
    uint64_t *affected, struct err *err);
/* Multi-row form: vals holds nrows × (parameters of one row); any nrows, split at LIMIT_DB_BATCH
 * and at half of what the server takes in one piece (max_allowed_packet).
 * fixed/nfixed: parameters of the head, before the rows (may be NULL, 0). */
int db_exec_rows(struct db *db, const struct db_stmt *s, const struct db_val *fixed, size_t nfixed,
    const struct db_val *vals, size_t nrows, size_t per_row, uint64_t *affected, struct err *err);
/* For statements of a transaction whose answer its body does not need: as db_exec_rows, but waits
 * for no answer. An error comes from the next call of the transaction that waits for one, at the
 * latest from db_transaction or db_nested itself; a broken unique key then is conflict:
 * ERR_CONFLICT, or ERR_RETRY where the transaction run again would see the other's row. Outside a
 * transaction it waits. */
int db_exec_rows_later(struct db *db, const struct db_stmt *s, const struct db_val *vals,
    size_t nrows, size_t per_row, enum err_code conflict, struct err *err);
/* Waits for what db_exec_rows_later left: 0, or -1 with the error of the first that failed. For
 * those who must know of the next call's error that it is its own. */
int db_settle(struct db *db, struct err *err);
/* Buffers the whole result (at most LIMIT_DB_ROWS rows, else ERR_LIMIT) in arena a. */
int db_query(struct db *db, struct arena *a, const struct db_stmt *s, const struct db_val *vals,
    size_t n, struct db_rows *out, struct err *err);
int db_query_rows(struct db *db, struct arena *a, const struct db_stmt *s,
    const struct db_val *fixed, size_t nfixed, const struct db_val *vals, size_t nrows,
    size_t per_row, struct db_rows *out, struct err *err);
/* One row expected: 1 found, 0 none, -1. */
int db_row(struct db *db, struct arena *a, const struct db_stmt *s, const struct db_val *vals,
    size_t n, struct db_rows *out, struct err *err);
/* Deletes in slices, each a transaction of its own: runs s, a DELETE that ends with DB_PURGE_LIMIT,
 * until it finds fewer rows or it is until_us (monotonic). 1 there are more, 0 none, -1. */
#define DB_PURGE_ROWS 1000
#define DB_PURGE_LIMIT " LIMIT 1000"
int db_purge(struct db *db, const struct db_stmt *s, const struct db_val *vals, size_t n,
    int64_t until_us, struct err *err);
/* Text that is not a prepared statement: migrations and administration only. */
int db_script(struct db *db, const char *sql, struct err *err);
/* The same for a statement that needs a table for itself, while others use it: waits for that for a
 * second at most, since all who come later wait too: then ERR_RETRY. Outside transactions. */
int db_ddl(struct db *db, const char *sql, struct err *err);

/* Runs body(db, arg, err) in a READ COMMITTED transaction and commits; on ERR_RETRY it rolls back
 * and runs it again (up to 8 times, with jitter); so it does, once, when the connection turns out
 * to be lost before the commit. body must therefore compute its effects anew. A body that returns
 * -1 rolls back. Not nestable. When the commit itself is lost with the connection the outcome is
 * unknown: ERR_UNAVAILABLE, and the caller must be safe to repeat. */
int db_transaction(struct db *db, int (*body)(struct db *db, void *arg, struct err *err), void *arg,
    struct err *err);
/* The same for a body that only reads: all of its statements see the database as it is at the first
 * of them, so that what they say goes together. */
int db_snapshot(struct db *db, int (*body)(struct db *db, void *arg, struct err *err), void *arg,
    struct err *err);
/* Within a transaction, or once within itself: runs body under a savepoint. When it fails only what
 * it did is undone and its db_on_commit calls are forgotten; with ERR_RETRY or ERR_UNAVAILABLE the
 * whole transaction is lost, and its body must fail with the same. */
int db_nested(struct db *db, int (*body)(struct db *db, void *arg, struct err *err), void *arg,
    struct err *err);
/* For those whom others wait for: from now on whatever has to wait for a lock fails with
 * ERR_LOCKED, after wait_s seconds (0: as long as usual; DB_AT_ONCE), and the transaction is not
 * run again. */
#define DB_AT_ONCE UINT_MAX
void db_set_patience(struct db *db, bool is_impatient, unsigned wait_s);
bool db_in_transaction(const struct db *db);
/* Within a transaction: fn(arg) runs right after its commit, and is forgotten when it rolls back or
 * is tried again. The same pair twice is one call. At most 4,096 of them. */
void db_on_commit(struct db *db, void (*fn)(void *arg), void *arg);
/* Within a transaction: a copy of n bytes at p that lives until the transaction's db_on_commit
 * calls have run, or until it is rolled back: for what those are told. */
void *db_commit_note(struct db *db, const void *p, size_t n);
/* What this process has to do anyway while the server works: from now on fn(arg) is called again
 * and again after each statement is sent, until the answer is there or fn says false (nothing left
 * to do). Each call should be short and must not use the connection. NULL ends it. */
void db_meanwhile(struct db *db, bool (*fn)(void *arg), void *arg);
const struct config *db_config(const struct db *db);
/* For tests: statements sent since the connection was made. */
uint64_t db_round_trips(const struct db *db);
/* For tests: durable commits since then, those of statements outside a transaction included. */
uint64_t db_commits(const struct db *db);

/* For tests: every statement of the program, from the registry. */
size_t db_stmt_count(void);
/* For tests: one of them. */
const struct db_stmt *db_stmt_at(size_t i);
/* For tests: prepares one (with one row) to prove its text against the schema. */
int db_stmt_check(struct db *db, const struct db_stmt *s, struct err *err);

#endif
