/* Statements: prepared once per connection and number of rows, then run by their handle.
 *
 *	db_stmt, rows ──> slot of the cache ──(first time: prepare, bind the columns)──> handle
 *	parameters ──bind──> execute ──> affected rows, or rows fetched into the caller's arena
 *
 * The cache is a table with open addressing. Its key is the statement's own address, since the
 * text is a constant. Nothing is evicted: a program has a fixed number of statements, and those
 * with rows come in few sizes, so it holds them all. A full one is a bug and an error.
 *
 * Rows of an INSERT go in bulk: one prepared row, executed once with the parameters of all rows
 * (COM_STMT_BULK_EXECUTE). The server binds a row of parameters where it would else have an
 * expression for each cell of each row: at 20 rows of 18 cells that is a third of its work.
 *
 * What cannot go so (a server without it, a column of numbers here and texts there, a statement
 * with parameters before its rows) goes as one text with all rows. Its sizes are the powers of two,
 * and one between each two of them, since each prepared size costs the server memory and the first
 * use of it time. Rows of another number go in two or three statements; a list of single values
 * (IN) is filled up with its last one, which changes nothing.
 *
 * A result is read to its end before the function returns, so the connection is free again,
 * whatever the caller does with the rows; what needs none may be left on its way (db-pipeline.c).
 * Cells up to CELL_BYTES come with the row; a longer one is fetched alone, straight into the arena.
 *
 * That the server has closed an idle connection shows only when it is used. Then the statement
 * is sent once more on a new one, where that cannot do its work twice; and so is one outside a
 * transaction that was the victim of a deadlock, which has undone all of it (statement_run). */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "db/db-internal.h"

#define CELL_BYTES 512u /* cells up to this need no second fetch */

/* ---- statement cache --------------------------------------------------------------------- */

static int statement_fail(struct db *db, MYSQL_STMT *handle, const char *name, struct err *err)
{
	return db_connection_fail(
	    db, mysql_stmt_errno(handle), mysql_stmt_error(handle), name, err);
}

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

static void statement_bind_columns(struct db_cached *c)
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

static int statement_prepare(
    struct db *db, const struct db_stmt *s, size_t rows, struct db_cached *c, struct err *err)
{
	struct buf text;
	int rc = -1;

	if (db_settle(db, err) == -1)
		return -1;
	buf_init(&text, 1u << 20);
	statement_text(s, rows, &text);
	c->handle = mysql_stmt_init(db->conn);
	if (c->handle == NULL)
		abort();
	db->round_trips++;
	if (mysql_stmt_prepare(c->handle, text.p, text.len) != 0) {
		statement_fail(db, c->handle, s->name, err);
		mysql_stmt_close(c->handle);
		*c = (struct db_cached){0};
		goto out;
	}
	c->stmt = s;
	c->rows = rows;
	c->params = mysql_stmt_param_count(c->handle);
	statement_bind_columns(c);
	rc = 0;
out:
	buf_fini(&text);
	return rc;
}

static struct db_cached *statement_get(
    struct db *db, const struct db_stmt *s, size_t rows, struct err *err)
{
	size_t at = (((uintptr_t)s >> 4) * 31 + rows * 0x9e3779b1u) & (DB_CACHE_SLOTS - 1);

	for (size_t probes = 0; probes < DB_CACHE_SLOTS;
	     probes++, at = (at + 1) & (DB_CACHE_SLOTS - 1)) {
		struct db_cached *c = &db->cache[at];

		if (c->stmt == s && c->rows == rows)
			return c;
		if (c->stmt == NULL)
			return statement_prepare(db, s, rows, c, err) == 0 ? c : NULL;
	}
	err_set(err, ERR_INTERNAL, "%s: statement cache full", s->name);
	return NULL;
}

/* ---- sizes ------------------------------------------------------------------------------- */

/* The largest size up to n ≥ 1: 1, 2, 3, 4, 6, 8, 12, … */
static size_t size_below(size_t n)
{
	size_t power = 1;

	while (2 * power <= n)
		power *= 2;
	return power > 1 && power + power / 2 <= n ? power + power / 2 : power;
}

/* The smallest that is n or more. */
static size_t size_above(size_t n)
{
	size_t below = size_below(n);

	if (below == n)
		return n;
	/* from a power of two to the one between, or from that to the next power */
	return (below & (below - 1)) == 0 ? below + below / 2 : below / 3 * 4;
}

/* Keys that are looked for: one of them may be asked for twice. */
static bool is_list(const struct db_stmt *s)
{
	return s->row != NULL && (strcmp(s->row, "?") == 0 || s->tail[0] == ')');
}

/* ---- execution --------------------------------------------------------------------------- */

static void param_bind(MYSQL_BIND *b, const struct db_val *v)
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

static MYSQL_BIND *params_make_room(struct db *db, size_t n)
{
	if (n > db->params_cap) {
		free(db->params);
		db->params_cap = n * 2;
		db->params = array_or_abort(db->params_cap, sizeof(*db->params));
	}
	return db->params;
}

/* A statement with what it is run with. */
struct statement_call {
	const struct db_stmt *stmt;
	size_t rows; /* it is prepared for; 0: it has none */
	size_t bulk; /* rows of vals that go to one prepared row; 0: not in bulk */
	const struct db_val *fixed;
	size_t nfixed;
	const struct db_val *vals;
	size_t n;
	bool is_later; /* its answer is not waited for */
	enum err_code conflict;
};

/* Called by the library for each row of a call in bulk. */
static my_bool bulk_bind_row(void *arg, MYSQL_BIND *b, unsigned row)
{
	const struct statement_call *call = arg;
	const size_t columns = call->n / call->bulk;

	for (size_t i = 0; i < columns; i++) {
		param_bind(&b[i], &call->vals[row * columns + i]);
		b[i].length = &b[i].buffer_length;
	}
	return 0;
}

/* The types of the columns, which the server is told once: of the first value that is none of NULL.
 */
static void bulk_bind_types(const struct statement_call *call, MYSQL_BIND *b)
{
	const size_t columns = call->n / call->bulk;

	for (size_t i = 0; i < columns; i++) {
		struct db_val typed = db_str("");

		for (size_t at = i; at < call->n; at += columns)
			if (call->vals[at].type != DB_NULL) {
				typed = call->vals[at];
				break;
			}
		param_bind(&b[i], &typed);
	}
}

static void bulk_set(MYSQL_STMT *handle, const struct statement_call *call)
{
	unsigned rows = call == NULL ? 0 : (unsigned)call->bulk;

	mysql_stmt_attr_set(handle, STMT_ATTR_ARRAY_SIZE, &rows);
	mysql_stmt_attr_set(handle, STMT_ATTR_CB_USER_DATA, call);
	mysql_stmt_attr_set(handle, STMT_ATTR_CB_PARAM, call == NULL ? NULL : bulk_bind_row);
}

/* Each column has values of one type, or none. */
static bool bulk_takes(const struct db *db, const struct statement_call *call)
{
	const size_t columns = call->n / call->bulk;

	if (!db->takes_bulk || call->nfixed > 0 || call->bulk < 2 ||
	    strncmp(call->stmt->sql, "INSERT", 6) != 0 || call->stmt->row[0] != '(')
		return false;
	for (size_t i = 0; i < columns; i++) {
		enum db_type type = DB_NULL;

		for (size_t at = i; at < call->n; at += columns) {
			enum db_type other = call->vals[at].type;

			if (type != DB_NULL && other != DB_NULL && other != type)
				return false;
			type = other == DB_NULL ? type : other;
		}
	}
	return true;
}

/* How many values it takes: those of a list's last row are repeated until its size is reached. */
static size_t statement_filled(const struct db_cached *c, const struct statement_call *call)
{
	return is_list(call->stmt) && c->params > call->nfixed + call->n ? c->params - call->nfixed
									 : call->n;
}

static int statement_bind(
    struct db *db, struct db_cached *c, const struct statement_call *call, struct err *err)
{
	const size_t filled = statement_filled(c, call);
	const size_t params = call->bulk > 0 ? call->n / call->bulk : call->nfixed + filled;
	const size_t per_row = call->rows > 0 ? filled / call->rows : 0;
	MYSQL_BIND *b = params_make_room(db, params);

	if (c->params != params)
		return err_set(err, ERR_INTERNAL, "%s: takes %zu parameters, %zu given",
		    call->stmt->name, c->params, params);
	if (call->bulk > 0) {
		bulk_bind_types(call, b);
		bulk_set(c->handle, call);
	} else {
		for (size_t i = 0; i < call->nfixed; i++)
			param_bind(&b[i], &call->fixed[i]);
		for (size_t i = 0; i < filled; i++)
			param_bind(&b[call->nfixed + i],
			    &call->vals[i < call->n ? i : call->n - per_row + i % per_row]);
	}
	if (params > 0 && mysql_stmt_bind_param(c->handle, b) != 0)
		return statement_fail(db, c->handle, call->stmt->name, err);
	return 0;
}

static int statement_run_once(
    struct db *db, const struct statement_call *call, struct db_cached **used, struct err *err)
{
	struct db_cached *c;
	int rc;

	if (db_connection_ensure(db, err) == -1 || db_connection_set_commits(db, err) == -1 ||
	    (c = statement_get(db, call->stmt, call->rows, err)) == NULL ||
	    db_sent_answer_of(db, c, err) == -1)
		return -1;
	rc = statement_bind(db, c, call, err);
	if (rc == 0)
		rc = db_send_prepared(db, c, call->is_later ? call->conflict : ERR_CONFLICT, err);
	if (call->bulk > 0)
		bulk_set(c->handle, NULL);
	if (rc == 0 && !call->is_later)
		rc = db_settle(db, err);
	*used = c;
	return rc;
}

/* Runs the statement. When the server had closed an idle connection, that is replaced and the
 * statement is sent again, once. This is safe only where nothing was executed (the send failed) or
 * nothing is changed (it reads). */
static int statement_run(
    struct db *db, const struct statement_call *call, struct db_cached **used, struct err *err)
{
	struct err e = ERR_INIT;
	bool was_open = db->conn != NULL && !db->is_lost;
	bool is_query = strncmp(call->stmt->sql, "SELECT", 6) == 0;
	int rc = statement_run_once(db, call, used, &e);

	if (rc == -1 && was_open && db->is_lost && !db->in_transaction &&
	    (is_query || mysql_errno(db->conn) == CR_SERVER_GONE_ERROR)) {
		err_clear(&e);
		rc = statement_run_once(db, call, used, &e);
	}
	for (int tries = 1;
	     e.code == ERR_RETRY && db->was_victim && !db->in_transaction && tries < DB_TRIES;
	     tries++) {
		db_connection_pause(tries, &e);
		err_clear(&e);
		rc = statement_run_once(db, call, used, &e);
	}
	if (rc == -1)
		return err_set(err, e.code, "%s", e.msg);
	db->commits += !is_query && !db->in_transaction;
	return 0;
}

int db_exec(struct db *db, const struct db_stmt *s, const struct db_val *vals, size_t n,
    uint64_t *affected, struct err *err)
{
	struct db_cached *c;

	if (statement_run(db, &(struct statement_call){.stmt = s, .vals = vals, .n = n}, &c, err) ==
	    -1)
		return -1;
	if (affected != NULL)
		*affected = mysql_stmt_affected_rows(c->handle);
	return 0;
}

/* How many rows go into one statement: at most LIMIT_DB_BATCH, and half of what the server takes in
 * one piece; at least one. */
static size_t rows_of_statement(
    const struct db *db, const struct db_val *vals, size_t nrows, size_t per_row)
{
	size_t most = nrows < LIMIT_DB_BATCH ? nrows : LIMIT_DB_BATCH, n = 0, bytes = 0;

	for (; n < most; n++) {
		for (size_t i = 0; i < per_row; i++)
			bytes += 16 + vals[n * per_row + i].s.n;
		if (n > 0 && bytes > db->packet_bytes / 2)
			break;
	}
	return n;
}

/* Of the next rows as many as one statement takes. */
static struct statement_call call_of_rows(const struct db *db, const struct db_stmt *s,
    const struct db_val *fixed, size_t nfixed, const struct db_val *vals, size_t nrows,
    size_t per_row)
{
	struct statement_call call = {
	    .stmt = s, .fixed = fixed, .nfixed = nfixed, .vals = vals, .rows = 1};
	size_t take = rows_of_statement(db, vals, nrows, per_row);

	call.bulk = take;
	call.n = take * per_row;
	if (bulk_takes(db, &call))
		return call;
	call.bulk = 0;
	if (!is_list(s))
		take = size_below(take);
	call.n = take * per_row;
	call.rows = size_above(take);
	return call;
}

/* Any number of rows of a call that names all but them. */
static int statement_run_rows(struct db *db, const struct statement_call *all, size_t nrows,
    size_t per_row, uint64_t *affected, struct err *err)
{
	const struct db_val *vals = all->vals;
	uint64_t total = 0;

	while (nrows > 0) {
		struct statement_call call;
		struct db_cached *c;

		if (db_connection_ensure(db, err) == -1)
			return -1;
		call = call_of_rows(db, all->stmt, all->fixed, all->nfixed, vals, nrows, per_row);
		call.is_later = all->is_later;
		call.conflict = all->conflict;
		if (statement_run(db, &call, &c, err) == -1)
			return -1;
		total += call.is_later ? 0 : mysql_stmt_affected_rows(c->handle);
		vals += call.n;
		nrows -= call.n / per_row;
	}
	if (affected != NULL)
		*affected = total;
	return 0;
}

int db_exec_rows(struct db *db, const struct db_stmt *s, const struct db_val *fixed, size_t nfixed,
    const struct db_val *vals, size_t nrows, size_t per_row, uint64_t *affected, struct err *err)
{
	return statement_run_rows(db,
	    &(struct statement_call){.stmt = s, .fixed = fixed, .nfixed = nfixed, .vals = vals},
	    nrows, per_row, affected, err);
}

int db_exec_rows_later(struct db *db, const struct db_stmt *s, const struct db_val *vals,
    size_t nrows, size_t per_row, enum err_code conflict, struct err *err)
{
	return statement_run_rows(db,
	    &(struct statement_call){
		.stmt = s, .vals = vals, .is_later = db->in_transaction, .conflict = conflict},
	    nrows, per_row, NULL, err);
}

static int cell_fetch(struct arena *a, struct db_cached *c, size_t i, struct db_val *out)
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

/* What the server says amid the rows (a deadlock of a locking read), the library may keep with the
 * connection alone. */
static int fetch_fail(struct db *db, struct db_cached *c, struct err *err)
{
	if (mysql_stmt_errno(c->handle) != 0)
		return db_connection_fail(db, mysql_stmt_errno(c->handle),
		    mysql_stmt_error(c->handle), c->stmt->name, err);
	return db_connection_fail(
	    db, mysql_errno(db->conn), mysql_error(db->conn), c->stmt->name, err);
}

static int rows_fetch(
    struct db *db, struct arena *a, struct db_cached *c, struct db_rows *out, struct err *err)
{
	size_t cap = out->count;

	for (;;) {
		int rc = mysql_stmt_fetch(c->handle);

		if (rc == MYSQL_NO_DATA)
			return 0;
		if (rc != 0 && rc != MYSQL_DATA_TRUNCATED)
			return fetch_fail(db, c, err);
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
			if (cell_fetch(a, c, i, &out->cells[out->count * c->columns + i]) == -1)
				return err_set(
				    err, ERR_INTERNAL, "%s: fetch failed", c->stmt->name);
		out->count++;
	}
}

static int statement_query(struct db *db, struct arena *a, const struct statement_call *call,
    struct db_rows *out, struct err *err)
{
	struct db_cached *c;
	int rc;

	if (statement_run(db, call, &c, err) == -1)
		return -1;
	out->columns = c->columns;
	rc = rows_fetch(db, a, c, out, err);
	mysql_stmt_free_result(c->handle);
	return rc;
}

int db_query(struct db *db, struct arena *a, const struct db_stmt *s, const struct db_val *vals,
    size_t n, struct db_rows *out, struct err *err)
{
	*out = (struct db_rows){0};
	return statement_query(
	    db, a, &(struct statement_call){.stmt = s, .vals = vals, .n = n}, out, err);
}

int db_query_rows(struct db *db, struct arena *a, const struct db_stmt *s,
    const struct db_val *fixed, size_t nfixed, const struct db_val *vals, size_t nrows,
    size_t per_row, struct db_rows *out, struct err *err)
{
	struct statement_call call = {.stmt = s,
	    .rows = is_list(s) ? size_above(nrows) : nrows,
	    .fixed = fixed,
	    .nfixed = nfixed,
	    .vals = vals,
	    .n = nrows * per_row};

	*out = (struct db_rows){0};
	if (nrows > LIMIT_DB_BATCH)
		return err_set(err, ERR_INTERNAL, "%s: %zu rows in one look-up", s->name, nrows);
	return nrows == 0 ? 0 : statement_query(db, a, &call, out, err);
}

int db_row(struct db *db, struct arena *a, const struct db_stmt *s, const struct db_val *vals,
    size_t n, struct db_rows *out, struct err *err)
{
	if (db_query(db, a, s, vals, n, out, err) == -1)
		return -1;
	return out->count > 0;
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
	if (db_connection_ensure(db, err) == -1)
		return -1;
	return statement_get(db, s, s->row == NULL ? 0 : 1, err) == NULL ? -1 : 0;
}
