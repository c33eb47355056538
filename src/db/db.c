/* See db.h. Prepared statements stay on the connection that made them; when it is lost they go with
 * it and are made again on the next one, which is why the client library's own reconnecting is off.
 */
#include "db/db.h"

#include <errmsg.h>
#include <errno.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <poll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/random.h"

#define CACHE_SLOTS 2048u         /* power of two, above what any program prepares */
#define CELL_BYTES 512u           /* cells up to this need no second fetch */
#define RECONNECT_PAUSE_US 200000 /* after a failed connect, answer "away" at once for so long */
#define TRANSACTION_TRIES 8
#define COMMIT_HOOKS 64

struct cached {
	const struct db_stmt *stmt;
	size_t rows;
	MYSQL_STMT *handle;
	size_t params, columns;
	MYSQL_BIND *out; /* columns result binds over the buffers below */
	unsigned long *lengths;
	my_bool *nulls;
	int64_t *numbers;
	char *text; /* columns × CELL_BYTES */
};

struct db {
	const struct config *cfg;
	MYSQL *conn;
	bool in_transaction, is_lost;
	int64_t retry_after_us; /* no new connect before this (monotonic) */
	uint64_t round_trips;
	struct {
		void (*fn)(void *);
		void *arg;
	} hooks[COMMIT_HOOKS];
	size_t nhooks;
	bool (*meanwhile)(void *arg);
	void *meanwhile_arg;
	bool is_waiting; /* for an answer */
	struct cached cache[CACHE_SLOTS];
	MYSQL_BIND *params;
	size_t params_cap;
};

struct db *db_new(const struct config *cfg)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db == NULL)
		abort();
	db->cfg = cfg;
	return db;
}

static void cached_free(struct cached *c)
{
	mysql_stmt_close(c->handle);
	free(c->out);
	free(c->lengths);
	free(c->nulls);
	free(c->numbers);
	free(c->text);
	*c = (struct cached){0};
}

void db_disconnect(struct db *db)
{
	for (size_t i = 0; i < CACHE_SLOTS; i++)
		if (db->cache[i].stmt != NULL)
			cached_free(&db->cache[i]);
	if (db->conn != NULL)
		mysql_close(db->conn);
	db->conn = NULL;
	db->in_transaction = db->is_lost = false;
}

void db_free(struct db *db)
{
	if (db == NULL)
		return;
	db_disconnect(db);
	free(db->params);
	free(db);
}

static bool is_lost_code(unsigned code)
{
	switch (code) {
	case CR_SERVER_GONE_ERROR:
	case CR_SERVER_LOST:
	case CR_CONNECTION_ERROR:
	case CR_CONN_HOST_ERROR:
	case ER_SERVER_SHUTDOWN:
	case ER_UNKNOWN_COM_ERROR: /* a Galera node that is not ready */
	case ER_CON_COUNT_ERROR:
	case 1927: /* connection killed (MariaDB) */
	case 4031: /* disconnected for inactivity (MySQL) */
		return true;
	default:
		return false;
	}
}

/* Turns the library's error into ours. what is a statement's name: never its parameters. */
static int fail(struct db *db, unsigned code, const char *text, const char *what, struct err *err)
{
	if (is_lost_code(code)) {
		db->is_lost = true;
		return err_set(
		    err, ERR_UNAVAILABLE, "%s: the database is away (%u %s)", what, code, text);
	}
	switch (code) {
	case ER_DUP_ENTRY:
		return err_set(err, ERR_CONFLICT, "%s: already exists", what);
	case ER_LOCK_DEADLOCK:
	case ER_LOCK_WAIT_TIMEOUT:
	case ER_CHECKREAD:
		return err_set(err, ERR_RETRY, "%s: %s", what, text);
	case 1969: /* a statement's time limit: MariaDB, MySQL */
	case 3024:
	case 188: /* the full-text index would need more than its memory */
		return err_set(err, ERR_TIMEOUT, "%s: out of time", what);
	case ER_DATA_TOO_LONG:
		return err_set(err, ERR_INVALID, "%s: a value is too long", what);
	case ER_ACCESS_DENIED_ERROR:
	case ER_DBACCESS_DENIED_ERROR:
	case ER_BAD_DB_ERROR:
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", what, text);
	default:
		return err_set(err, ERR_INTERNAL, "%s: database error %u: %s", what, code, text);
	}
}

static int fail_conn(struct db *db, const char *what, struct err *err)
{
	return fail(db, mysql_errno(db->conn), mysql_error(db->conn), what, err);
}

/* ---- waiting for the server -------------------------------------------------------------- */

void db_meanwhile(struct db *db, bool (*fn)(void *arg), void *arg)
{
	db->meanwhile = fn;
	db->meanwhile_arg = arg;
}

/* Makes itself useful until one of the events comes; which ones did. */
static int await(struct db *db, int events)
{
	struct pollfd p = {.fd = mysql_get_socket(db->conn),
	    .events = (short)((events & MYSQL_WAIT_READ ? POLLIN : 0) |
			      (events & MYSQL_WAIT_WRITE ? POLLOUT : 0))};
	int limit_ms = events & MYSQL_WAIT_TIMEOUT ? (int)mysql_get_timeout_value_ms(db->conn) : -1;
	bool is_busy = true;
	int n;

	db->is_waiting = true;
	while ((n = poll(&p, 1, is_busy ? 0 : limit_ms)) <= 0) {
		if (n == -1 && errno != EINTR)
			abort();
		if (n == 0 && !is_busy)
			break;
		is_busy = is_busy && db->meanwhile(db->meanwhile_arg);
	}
	db->is_waiting = false;
	if (n == 0)
		return MYSQL_WAIT_TIMEOUT;
	/* what is wrong with the socket is found by reading */
	return (p.revents & ~POLLOUT ? events & MYSQL_WAIT_READ : 0) |
	       (p.revents & ~POLLIN ? events & MYSQL_WAIT_WRITE : 0);
}

static int run_query(struct db *db, const char *sql)
{
	int rc, events;

	if (db->meanwhile == NULL)
		return mysql_real_query(db->conn, sql, strlen(sql));
	events = mysql_real_query_start(&rc, db->conn, sql, strlen(sql));
	while (events != 0)
		events = mysql_real_query_cont(&rc, db->conn, await(db, events));
	return rc;
}

static int run_statement(struct db *db, MYSQL_STMT *stmt)
{
	int rc, events;

	if (db->meanwhile == NULL)
		return mysql_stmt_execute(stmt);
	events = mysql_stmt_execute_start(&rc, stmt);
	while (events != 0)
		events = mysql_stmt_execute_cont(&rc, stmt, await(db, events));
	return rc;
}

static int run_text(struct db *db, const char *sql, const char *what, struct err *err)
{
	db->round_trips++;
	if (run_query(db, sql) != 0)
		return fail_conn(db, what, err);
	return 0;
}

static const char session_setup[] = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
static const char session_mode[] =
    "SET SESSION sql_mode='STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',"
    "time_zone='+00:00',innodb_lock_wait_timeout=10,autocommit=1";

static int open_connection(struct db *db, struct err *err)
{
	const struct config *c = db->cfg;
	unsigned connect_s = 3, io_s = 120;
	my_bool off = 0;
	bool is_local = c->db_socket != NULL && c->db_socket[0] != '\0';

	db->conn = mysql_init(NULL);
	if (db->conn == NULL)
		abort();
	mysql_options(db->conn, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	mysql_options(db->conn, MYSQL_OPT_READ_TIMEOUT, &io_s);
	mysql_options(db->conn, MYSQL_OPT_WRITE_TIMEOUT, &io_s);
	mysql_options(db->conn, MYSQL_OPT_RECONNECT, &off);
	mysql_options(db->conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(db->conn, MYSQL_OPT_NONBLOCK, NULL); /* for db_meanwhile */
	if (mysql_real_connect(db->conn, is_local ? NULL : c->db_host, c->db_user, c->db_password,
		c->db_name, is_local ? 0 : (unsigned)c->db_port, is_local ? c->db_socket : NULL,
		0) == NULL) {
		err_set(err, ERR_UNAVAILABLE, "connect to the database: %s", mysql_error(db->conn));
		return -1;
	}
	if (run_text(db, session_setup, "session", err) == -1)
		return -1;
	return run_text(db, session_mode, "session", err);
}

/* Makes sure there is a connection; one known to be lost is replaced, outside a transaction. */
static int connected(struct db *db, struct err *err)
{
	if (db->is_waiting)
		return err_set(err, ERR_INTERNAL, "a statement while another is running");
	if (db->conn != NULL && !db->is_lost)
		return 0;
	if (db->in_transaction)
		return err_set(err, ERR_UNAVAILABLE, "the database went away in a transaction");
	db_disconnect(db);
	if (clock_mono_us() < db->retry_after_us)
		return err_set(err, ERR_UNAVAILABLE, "the database is away");
	if (open_connection(db, err) == -1) {
		db_disconnect(db);
		db->retry_after_us = clock_mono_us() + RECONNECT_PAUSE_US;
		return -1;
	}
	return 0;
}

int db_ping(struct db *db, struct err *err)
{
	for (int tries = 0;; tries++) {
		struct err e = ERR_INIT;

		if (connected(db, err) == -1)
			return -1;
		if (run_text(db, "DO 0", "ping", &e) == 0)
			return 0;
		if (tries > 0 || !db->is_lost)
			return err_set(err, e.code, "%s", e.msg);
	}
}

/* ---- statement cache --------------------------------------------------------------------- */

static void *array_or_abort(size_t n, size_t size)
{
	void *p = calloc(n == 0 ? 1 : n, size);

	if (p == NULL)
		abort();
	return p;
}

static bool is_number_type(enum enum_field_types t)
{
	switch (t) {
	case MYSQL_TYPE_TINY:
	case MYSQL_TYPE_SHORT:
	case MYSQL_TYPE_INT24:
	case MYSQL_TYPE_LONG:
	case MYSQL_TYPE_LONGLONG:
	case MYSQL_TYPE_DECIMAL:
	case MYSQL_TYPE_NEWDECIMAL:
	case MYSQL_TYPE_YEAR:
		return true;
	default:
		return false;
	}
}

static void bind_columns(struct cached *c)
{
	MYSQL_RES *meta = mysql_stmt_result_metadata(c->handle);

	if (meta == NULL)
		return;
	c->columns = mysql_num_fields(meta);
	c->out = array_or_abort(c->columns, sizeof(*c->out));
	c->lengths = array_or_abort(c->columns, sizeof(*c->lengths));
	c->nulls = array_or_abort(c->columns, sizeof(*c->nulls));
	c->numbers = array_or_abort(c->columns, sizeof(*c->numbers));
	c->text = array_or_abort(c->columns, CELL_BYTES);
	for (size_t i = 0; i < c->columns; i++) {
		MYSQL_BIND *b = &c->out[i];

		b->is_null = &c->nulls[i];
		b->length = &c->lengths[i];
		if (is_number_type(mysql_fetch_field_direct(meta, (unsigned)i)->type)) {
			b->buffer_type = MYSQL_TYPE_LONGLONG;
			b->buffer = &c->numbers[i];
			b->buffer_length = sizeof(c->numbers[i]);
		} else {
			b->buffer_type = MYSQL_TYPE_STRING;
			b->buffer = c->text + i * CELL_BYTES;
			b->buffer_length = CELL_BYTES;
		}
	}
	mysql_free_result(meta);
	mysql_stmt_bind_result(c->handle, c->out);
}

static void statement_text(const struct db_stmt *s, size_t rows, struct buf *out)
{
	buf_str(out, s->sql);
	if (s->row == NULL)
		return;
	for (size_t i = 0; i < rows; i++) {
		if (i > 0)
			buf_chr(out, ',');
		buf_str(out, s->row);
	}
	if (s->tail != NULL)
		buf_str(out, s->tail);
}

static int prepare(
    struct db *db, const struct db_stmt *s, size_t rows, struct cached *c, struct err *err)
{
	struct buf text;
	int rc = -1;

	buf_init(&text, 1u << 20);
	statement_text(s, rows, &text);
	c->handle = mysql_stmt_init(db->conn);
	if (c->handle == NULL)
		abort();
	db->round_trips++;
	if (mysql_stmt_prepare(c->handle, text.p, text.len) != 0) {
		fail(db, mysql_stmt_errno(c->handle), mysql_stmt_error(c->handle), s->name, err);
		mysql_stmt_close(c->handle);
		*c = (struct cached){0};
		goto out;
	}
	c->stmt = s;
	c->rows = rows;
	c->params = mysql_stmt_param_count(c->handle);
	bind_columns(c);
	rc = 0;
out:
	buf_fini(&text);
	return rc;
}

static struct cached *statement(
    struct db *db, const struct db_stmt *s, size_t rows, struct err *err)
{
	size_t at = (((uintptr_t)s >> 4) * 31 + rows * 0x9e3779b1u) & (CACHE_SLOTS - 1);

	for (size_t probes = 0; probes < CACHE_SLOTS; probes++, at = (at + 1) & (CACHE_SLOTS - 1)) {
		struct cached *c = &db->cache[at];

		if (c->stmt == s && c->rows == rows)
			return c;
		if (c->stmt == NULL)
			return prepare(db, s, rows, c, err) == 0 ? c : NULL;
	}
	err_set(err, ERR_INTERNAL, "%s: statement cache full", s->name);
	return NULL;
}

/* ---- execution --------------------------------------------------------------------------- */

static void bind_value(MYSQL_BIND *b, const struct db_val *v)
{
	static my_bool is_null = 1;

	*b = (MYSQL_BIND){0};
	switch (v->type) {
	case DB_NULL:
		b->buffer_type = MYSQL_TYPE_NULL;
		b->is_null = &is_null;
		break;
	case DB_INT:
		b->buffer_type = MYSQL_TYPE_LONGLONG;
		b->buffer = (void *)(uintptr_t)&v->i;
		break;
	case DB_TEXT:
	case DB_BLOB:
		b->buffer_type = v->type == DB_TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
		b->buffer = (void *)(uintptr_t)v->s.p;
		b->buffer_length = v->s.n;
		b->length = NULL;
		break;
	}
}

struct db_val db_name(struct str v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] >= 0x80)
			return db_strn(STR("\x7f"));
	return db_strn(v);
}

static MYSQL_BIND *param_space(struct db *db, size_t n)
{
	if (n > db->params_cap) {
		free(db->params);
		db->params_cap = n * 2;
		db->params = array_or_abort(db->params_cap, sizeof(*db->params));
	}
	return db->params;
}

static int execute_once(struct db *db, const struct db_stmt *s, size_t rows,
    const struct db_val *fixed, size_t nfixed, const struct db_val *vals, size_t n,
    struct cached **used, struct err *err)
{
	struct cached *c;
	MYSQL_BIND *b;

	if (connected(db, err) == -1 || (c = statement(db, s, rows, err)) == NULL)
		return -1;
	if (c->params != nfixed + n)
		return err_set(err, ERR_INTERNAL, "%s: takes %zu parameters, %zu given", s->name,
		    c->params, nfixed + n);
	b = param_space(db, nfixed + n);
	for (size_t i = 0; i < nfixed; i++)
		bind_value(&b[i], &fixed[i]);
	for (size_t i = 0; i < n; i++)
		bind_value(&b[nfixed + i], &vals[i]);
	if (nfixed + n > 0 && mysql_stmt_bind_param(c->handle, b) != 0)
		return fail(
		    db, mysql_stmt_errno(c->handle), mysql_stmt_error(c->handle), s->name, err);
	db->round_trips++;
	if (run_statement(db, c->handle) != 0)
		return fail(
		    db, mysql_stmt_errno(c->handle), mysql_stmt_error(c->handle), s->name, err);
	*used = c;
	return 0;
}

/* Runs it; an idle connection that the server had closed is replaced and the statement sent again,
 * once. That is safe only where nothing was executed (the send failed) or nothing is changed (it
 * reads). */
static int execute(struct db *db, const struct db_stmt *s, size_t rows, const struct db_val *fixed,
    size_t nfixed, const struct db_val *vals, size_t n, struct cached **used, struct err *err)
{
	struct err e = ERR_INIT;
	bool was_open = db->conn != NULL && !db->is_lost;
	bool is_query;

	if (execute_once(db, s, rows, fixed, nfixed, vals, n, used, &e) == 0)
		return 0;
	is_query = strncmp(s->sql, "SELECT", 6) == 0;
	if (was_open && db->is_lost && !db->in_transaction &&
	    (is_query || mysql_errno(db->conn) == CR_SERVER_GONE_ERROR)) {
		err_clear(&e);
		if (execute_once(db, s, rows, fixed, nfixed, vals, n, used, &e) == 0)
			return 0;
	}
	err_set(err, e.code, "%s", e.msg);
	return -1;
}

int db_exec(struct db *db, const struct db_stmt *s, const struct db_val *vals, size_t n,
    uint64_t *affected, struct err *err)
{
	struct cached *c;

	if (execute(db, s, 0, NULL, 0, vals, n, &c, err) == -1)
		return -1;
	if (affected != NULL)
		*affected = mysql_stmt_affected_rows(c->handle);
	return 0;
}

int db_exec_rows(struct db *db, const struct db_stmt *s, const struct db_val *fixed, size_t nfixed,
    const struct db_val *vals, size_t nrows, size_t per_row, uint64_t *affected, struct err *err)
{
	uint64_t total = 0;

	while (nrows > 0) {
		size_t take = nrows < LIMIT_DB_BATCH ? nrows : LIMIT_DB_BATCH;
		struct cached *c;

		if (execute(db, s, take, fixed, nfixed, vals, take * per_row, &c, err) == -1)
			return -1;
		total += mysql_stmt_affected_rows(c->handle);
		vals += take * per_row;
		nrows -= take;
	}
	if (affected != NULL)
		*affected = total;
	return 0;
}

static int fetch_cell(struct arena *a, struct cached *c, size_t i, struct db_val *out)
{
	char *p;

	if (c->nulls[i]) {
		*out = db_null();
		return 0;
	}
	if (c->out[i].buffer_type == MYSQL_TYPE_LONGLONG) {
		*out = db_int(c->numbers[i]);
		return 0;
	}
	p = arena_alloc(a, c->lengths[i] + 1);
	if (c->lengths[i] <= CELL_BYTES) {
		memcpy(p, c->text + i * CELL_BYTES, c->lengths[i]);
	} else {
		unsigned long length = 0;
		my_bool is_null = 0;
		MYSQL_BIND b = {.buffer_type = MYSQL_TYPE_STRING,
		    .buffer = p,
		    .buffer_length = c->lengths[i],
		    .length = &length,
		    .is_null = &is_null};

		if (mysql_stmt_fetch_column(c->handle, &b, (unsigned)i, 0) != 0)
			return -1;
	}
	p[c->lengths[i]] = '\0';
	*out = (struct db_val){DB_TEXT, 0, {p, c->lengths[i]}};
	return 0;
}

static int fetch_rows(
    struct db *db, struct arena *a, struct cached *c, struct db_rows *out, struct err *err)
{
	size_t cap = out->count;

	for (;;) {
		int rc = mysql_stmt_fetch(c->handle);

		if (rc == MYSQL_NO_DATA)
			return 0;
		if (rc != 0 && rc != MYSQL_DATA_TRUNCATED)
			return fail(db, mysql_stmt_errno(c->handle), mysql_stmt_error(c->handle),
			    c->stmt->name, err);
		if (out->count >= LIMIT_DB_ROWS)
			return err_set(
			    err, ERR_LIMIT, "%s: more than %u rows", c->stmt->name, LIMIT_DB_ROWS);
		if (out->count == cap) {
			size_t bigger = cap == 0 ? 4 : cap * 2;
			struct db_val *cells = arena_alloc(a, bigger * c->columns * sizeof(*cells));

			if (out->count > 0)
				memcpy(cells, out->cells, out->count * c->columns * sizeof(*cells));
			out->cells = cells;
			cap = bigger;
		}
		for (size_t i = 0; i < c->columns; i++)
			if (fetch_cell(a, c, i, &out->cells[out->count * c->columns + i]) == -1)
				return err_set(
				    err, ERR_INTERNAL, "%s: fetch failed", c->stmt->name);
		out->count++;
	}
}

static int query(struct db *db, struct arena *a, const struct db_stmt *s, size_t rows,
    const struct db_val *fixed, size_t nfixed, const struct db_val *vals, size_t n,
    struct db_rows *out, struct err *err)
{
	struct cached *c;
	int rc;

	if (execute(db, s, rows, fixed, nfixed, vals, n, &c, err) == -1)
		return -1;
	out->columns = c->columns;
	rc = fetch_rows(db, a, c, out, err);
	mysql_stmt_free_result(c->handle);
	return rc;
}

int db_query(struct db *db, struct arena *a, const struct db_stmt *s, const struct db_val *vals,
    size_t n, struct db_rows *out, struct err *err)
{
	*out = (struct db_rows){0};
	return query(db, a, s, 0, NULL, 0, vals, n, out, err);
}

int db_query_rows(struct db *db, struct arena *a, const struct db_stmt *s,
    const struct db_val *fixed, size_t nfixed, const struct db_val *vals, size_t nrows,
    size_t per_row, struct db_rows *out, struct err *err)
{
	struct db_rows part = {0};

	*out = part;
	if (nrows > LIMIT_DB_BATCH)
		return err_set(err, ERR_INTERNAL, "%s: %zu rows in one look-up", s->name, nrows);
	if (nrows == 0)
		return 0;
	return query(db, a, s, nrows, fixed, nfixed, vals, nrows * per_row, out, err);
}

int db_row(struct db *db, struct arena *a, const struct db_stmt *s, const struct db_val *vals,
    size_t n, struct db_rows *out, struct err *err)
{
	if (db_query(db, a, s, vals, n, out, err) == -1)
		return -1;
	return out->count > 0;
}

int db_script(struct db *db, const char *sql, struct err *err)
{
	if (connected(db, err) == -1 || run_text(db, sql, "script", err) == -1)
		return -1;
	return 0;
}

/* ---- transactions ------------------------------------------------------------------------ */

static int begin(struct db *db, struct err *err)
{
	for (int tries = 0;; tries++) {
		struct err e = ERR_INIT;

		if (connected(db, err) == -1)
			return -1;
		if (run_text(db, "START TRANSACTION", "begin", &e) == 0) {
			db->in_transaction = true;
			db->nhooks = 0;
			return 0;
		}
		if (tries > 0 || !db->is_lost) /* an idle connection may have been closed */
			return err_set(err, e.code, "%s", e.msg);
	}
}

static void rollback(struct db *db)
{
	struct err ignored = ERR_INIT;

	if (!db->is_lost && run_text(db, "ROLLBACK", "rollback", &ignored) == -1)
		db->is_lost = true; /* state unknown: start afresh */
	db->in_transaction = false;
}

/* A hook may start a transaction of its own, so the list is taken first. */
static void run_hooks(struct db *db)
{
	size_t n = db->nhooks;

	db->nhooks = 0;
	for (size_t i = 0; i < n; i++)
		db->hooks[i].fn(db->hooks[i].arg);
}

void db_on_commit(struct db *db, void (*fn)(void *arg), void *arg)
{
	for (size_t i = 0; i < db->nhooks; i++)
		if (db->hooks[i].fn == fn && db->hooks[i].arg == arg)
			return;
	if (!db->in_transaction || db->nhooks == COMMIT_HOOKS)
		abort();
	db->hooks[db->nhooks].fn = fn;
	db->hooks[db->nhooks++].arg = arg;
}

const struct config *db_config(const struct db *db)
{
	return db->cfg;
}

static int attempt(
    struct db *db, int (*body)(struct db *, void *, struct err *), void *arg, struct err *err)
{
	int rc;

	if (begin(db, err) == -1)
		return -1;
	if (body(db, arg, err) == -1) {
		rollback(db);
		return -1;
	}
	rc = run_text(db, "COMMIT", "commit", err);
	if (rc == -1)
		rollback(db);
	db->in_transaction = false;
	if (rc == 0)
		run_hooks(db);
	return rc;
}

int db_transaction(struct db *db, int (*body)(struct db *db, void *arg, struct err *err), void *arg,
    struct err *err)
{
	if (db->in_transaction)
		return err_set(err, ERR_INTERNAL, "a transaction within a transaction");
	for (int tries = 1;; tries++) {
		struct err e = ERR_INIT;

		if (attempt(db, body, arg, &e) == 0)
			return 0;
		if (e.code != ERR_RETRY || tries == TRANSACTION_TRIES) {
			if (e.code == ERR_RETRY)
				e.code = ERR_UNAVAILABLE;
			if (err != NULL && err->code == ERR_NONE)
				*err = e;
			return -1;
		}
		log_debug("db.retry", LOG_I("tries", tries), LOG_ERR(&e));
		usleep((useconds_t)(500u + random_below(2000u << tries)));
	}
}

bool db_in_transaction(const struct db *db)
{
	return db->in_transaction;
}

uint64_t db_round_trips(const struct db *db)
{
	return db->round_trips;
}

/* ---- cells ------------------------------------------------------------------------------- */

int64_t db_get_int(const struct db_rows *r, size_t row, size_t column)
{
	const struct db_val *v = db_cell(r, row, column);

	return v->type == DB_INT ? v->i : 0;
}

const char *db_get_text(const struct db_rows *r, size_t row, size_t column)
{
	const struct db_val *v = db_cell(r, row, column);

	return v->type == DB_TEXT ? v->s.p : NULL;
}

struct str db_get_str(const struct db_rows *r, size_t row, size_t column)
{
	const struct db_val *v = db_cell(r, row, column);

	return v->type == DB_TEXT ? v->s : STR("");
}

struct uuid db_get_uuid(const struct db_rows *r, size_t row, size_t column)
{
	struct uuid u = {{0}};
	const struct db_val *v = db_cell(r, row, column);

	if (v->type == DB_TEXT && v->s.n == sizeof(u.b))
		memcpy(u.b, v->s.p, sizeof(u.b));
	return u;
}

bool db_is_null(const struct db_rows *r, size_t row, size_t column)
{
	return db_cell(r, row, column)->type == DB_NULL;
}

/* ---- registry ---------------------------------------------------------------------------- */

extern const struct db_stmt *const __start_db_stmts[] __attribute__((weak));
extern const struct db_stmt *const __stop_db_stmts[] __attribute__((weak));

size_t db_stmt_count(void)
{
	return (size_t)(__stop_db_stmts - __start_db_stmts);
}

const struct db_stmt *db_stmt_at(size_t i)
{
	return __start_db_stmts[i];
}

int db_stmt_check(struct db *db, const struct db_stmt *s, struct err *err)
{
	if (connected(db, err) == -1)
		return -1;
	return statement(db, s, s->row == NULL ? 0 : 1, err) == NULL ? -1 : 0;
}
