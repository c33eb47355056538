/* One connection, opened when it is first needed and again after a loss.
 *
 *	none ──first use──> open ──the server goes away──> lost ──next use──> open
 *	  └────connect fails────> away: no attempt for RECONNECT_PAUSE_US, each use fails at once
 *
 * A lost connection takes its prepared statements, its session settings and its open transaction
 * with it. So it is replaced outside a transaction only, and the client library's own
 * reconnecting is off: it would go on silently without any of the three.
 *
 * While one waits for an answer, db_meanwhile's function runs; a statement that it sends by mistake
 * is refused (is_waiting). How statements are sent and answered is told in db-pipeline.c. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "crypto/random.h"
#include "db/db-internal.h"

#define RECONNECT_PAUSE_US 200000 /* after a failed connect, say "away" at once for so long */

struct db *db_new(const struct config *cfg)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db == NULL)
		abort();
	db->cfg = cfg;
	return db;
}

static void cached_free(struct db_cached *c)
{
	mysql_stmt_close(c->handle);
	free(c->out);
	free(c->lengths);
	free(c->nulls);
	free(c->numbers);
	free(c->text);
	*c = (struct db_cached){0};
}

static void statements_drop(struct db *db)
{
	for (size_t i = 0; i < DB_CACHE_SLOTS; i++)
		if (db->cache[i].stmt != NULL)
			cached_free(&db->cache[i]);
}

void db_disconnect(struct db *db)
{
	statements_drop(db);
	if (db->conn != NULL)
		mysql_close(db->conn);
	db->conn = NULL;
	db->in_transaction = db->is_lost = db->is_manual = false;
	db->nsent = 0;
}

void db_free(struct db *db)
{
	if (db == NULL)
		return;
	db_disconnect(db);
	free(db->params);
	free(db->hooks);
	arena_free(db->notes);
	free(db);
}

const struct config *db_config(const struct db *db)
{
	return db->cfg;
}

uint64_t db_round_trips(const struct db *db)
{
	return db->round_trips;
}

uint64_t db_commits(const struct db *db)
{
	return db->commits;
}

/* ---- errors ------------------------------------------------------------------------------- */

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

int db_connection_fail(
    struct db *db, unsigned code, const char *text, const char *what, struct err *err)
{
	db->was_victim = code == ER_LOCK_DEADLOCK || code == ER_CHECKREAD;
	if (code == CR_NET_PACKET_TOO_LARGE || code == ER_NET_PACKET_TOO_LARGE) {
		db->is_lost = true; /* the server hangs up on it */
		return err_set(err, ERR_LIMIT,
		    "%s: longer than the database takes in one piece (max_allowed_packet)", what);
	}
	if (is_lost_code(code)) {
		db->is_lost = true;
		return err_set(
		    err, ERR_UNAVAILABLE, "%s: the database is away (%u %s)", what, code, text);
	}
	switch (code) {
	case ER_DUP_ENTRY:
		return err_set(err, ERR_CONFLICT, "%s: already exists", what);
	case ER_LOCK_DEADLOCK:
	case ER_CHECKREAD:
		return err_set(err, ERR_RETRY, "%s: %s", what, text);
	case ER_LOCK_WAIT_TIMEOUT:
	case 3572: /* the same for NOWAIT (MySQL) */
		return err_set(
		    err, db->is_impatient ? ERR_LOCKED : ERR_RETRY, "%s: %s", what, text);
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

void db_connection_pause(int tries, const struct err *why)
{
	log_debug("db.retry", LOG_I("tries", tries), LOG_ERR(why));
	usleep((useconds_t)(500u + random_below(2000u << tries)));
}

/* ---- waiting for the server -------------------------------------------------------------- */

void db_meanwhile(struct db *db, bool (*fn)(void *arg), void *arg)
{
	db->meanwhile = fn;
	db->meanwhile_arg = arg;
}

void db_connection_await(struct db *db)
{
	struct pollfd p = {.fd = mysql_get_socket(db->conn), .events = POLLIN};
	bool is_busy = db->meanwhile != NULL;

	db->is_waiting = true;
	while (is_busy && poll(&p, 1, 0) == 0)
		is_busy = db->meanwhile(db->meanwhile_arg);
	db->is_waiting = false;
}

int db_connection_run(struct db *db, const char *sql, const char *what, struct err *err)
{
	if (db_settle(db, err) == -1 || db_send_text(db, sql, what, err) == -1)
		return -1;
	db->round_trips++;
	return db_settle(db, err);
}

int db_connection_set_commits(struct db *db, struct err *err)
{
	if (db->is_manual == db->in_transaction)
		return 0;
	db->is_manual = db->in_transaction;
	return db_send_text(
	    db, db->is_manual ? "SET autocommit=0" : "SET autocommit=1", "session", err);
}

static const char session_setup[] = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
static const char session_mode[] =
    "SET SESSION sql_mode='STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',"
    "time_zone='+00:00',innodb_lock_wait_timeout=10,autocommit=1";
#define USUAL_LOCK_WAIT_S 10

static unsigned lock_wait_s(const struct db *db)
{
	if (!db->is_impatient || db->lock_wait_s == 0)
		return USUAL_LOCK_WAIT_S;
	return db->lock_wait_s == DB_AT_ONCE ? 0 : db->lock_wait_s;
}

/* The server is told only what it does not know yet. */
static int connection_be_patient(struct db *db, struct err *err)
{
	const unsigned wait_s = lock_wait_s(db);
	char sql[80];

	if (db->session_wait_s == wait_s)
		return 0;
	snprintf(sql, sizeof(sql), "SET SESSION innodb_lock_wait_timeout=%u", wait_s);
	if (db_connection_run(db, sql, "session", err) == -1)
		return -1;
	db->session_wait_s = wait_s;
	return 0;
}

void db_set_patience(struct db *db, bool is_impatient, unsigned wait_s)
{
	struct err err = ERR_INIT;

	db->is_impatient = is_impatient;
	db->lock_wait_s = wait_s;
	if (db->conn != NULL && connection_be_patient(db, &err) == -1)
		db->is_lost = true; /* the next connection is as it should be */
}

#define PACKET_LEAST (1u << 20) /* of a server that does not say */

static int connection_ask_packet(struct db *db, struct err *err)
{
	MYSQL_RES *res;
	MYSQL_ROW row;
	int64_t bytes = 0;

	if (db_connection_run(db, "SELECT @@max_allowed_packet", "session", err) == -1)
		return -1;
	res = mysql_store_result(db->conn);
	row = res == NULL ? NULL : mysql_fetch_row(res);
	if (row == NULL || !str_to_i64(str_from(row[0]), PACKET_LEAST, INT64_MAX, &bytes))
		bytes = PACKET_LEAST;
	mysql_free_result(res);
	db->packet_bytes = (size_t)bytes;
	return 0;
}

/* MariaDB does; of MySQL none does. */
static bool connection_takes_bulk(MYSQL *conn)
{
	unsigned long extended = 0;

	return mariadb_get_infov(
		   conn, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &extended) == 0 &&
	       (extended & (unsigned long)(MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
}

static int connection_open(struct db *db, struct err *err)
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
	if (mysql_real_connect(db->conn, is_local ? NULL : c->db_host, c->db_user, c->db_password,
		c->db_name, is_local ? 0 : (unsigned)c->db_port, is_local ? c->db_socket : NULL,
		0) == NULL) {
		err_set(err, ERR_UNAVAILABLE, "connect to the database: %s", mysql_error(db->conn));
		return -1;
	}
	db->takes_bulk = connection_takes_bulk(db->conn);
	if (db_connection_run(db, session_setup, "session", err) == -1 ||
	    db_connection_run(db, session_mode, "session", err) == -1)
		return -1;
	db->session_wait_s = USUAL_LOCK_WAIT_S;
	return connection_be_patient(db, err) == -1 ? -1 : connection_ask_packet(db, err);
}

int db_connection_ensure(struct db *db, struct err *err)
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
	if (connection_open(db, err) == -1) {
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

		if (db_connection_ensure(db, err) == -1)
			return -1;
		if (db_connection_set_commits(db, &e) == 0 &&
		    db_connection_run(db, "DO 0", "ping", &e) == 0)
			return 0;
		if (tries > 0 || !db->is_lost)
			return err_set(err, e.code, "%s", e.msg);
	}
}

int db_script(struct db *db, const char *sql, struct err *err)
{
	if (db_connection_ensure(db, err) == -1 || db_connection_set_commits(db, err) == -1 ||
	    db_connection_run(db, sql, "script", err) == -1)
		return -1;
	return 0;
}

int db_ddl(struct db *db, const char *sql, struct err *err)
{
	struct err ignored = ERR_INIT;
	int rc;

	if (db_connection_ensure(db, err) == -1 || db_connection_set_commits(db, err) == -1 ||
	    db_connection_run(db, "SET SESSION lock_wait_timeout = 1", "ddl", err) == -1)
		return -1;
	rc = db_connection_run(db, sql, "ddl", err);
	if (db_connection_run(db, "SET SESSION lock_wait_timeout = DEFAULT", "session", &ignored) ==
	    -1)
		db->is_lost = true; /* with its settings */
	return rc;
}
