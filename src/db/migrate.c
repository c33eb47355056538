/* See migrate.h. DDL commits by itself in MariaDB and MySQL, so a migration that fails half way
 * leaves what ran; files are therefore small and the failing statement is named. */
#include "db/migrate.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "crypto/hash.h"

#define MIGRATION_BYTES (1u << 20)
#define MIGRATIONS_MAX 1000

static const char create_table[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    "version INT NOT NULL, name VARCHAR(200) NOT NULL, checksum CHAR(64) NOT NULL,"
    "applied_at BIGINT NOT NULL, PRIMARY KEY (version)"
    ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";

DB_STMT(migrate_list, "SELECT version, checksum FROM schema_migrations ORDER BY version");
DB_STMT(migrate_insert,
    "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?,?,?,?)");
DB_STMT(migrate_applied, "SELECT applied_at FROM schema_migrations WHERE version = ?");
DB_STMT(migrate_table_exists,
    "SELECT COUNT(*) FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = 'schema_migrations'");
DB_STMT(migrate_lock, "SELECT GET_LOCK(CONCAT('connect-migrate-', DATABASE()), 60)");
DB_STMT(migrate_unlock, "SELECT RELEASE_LOCK(CONCAT('connect-migrate-', DATABASE()))");

struct migration {
	int version;
	char name[256];
	const char *text;
	char checksum[2 * SHA256_SIZE + 1];
};

struct migrations {
	struct migration *v;
	size_t n;
};

static int migration_compare(const void *a, const void *b)
{
	return ((const struct migration *)a)->version - ((const struct migration *)b)->version;
}

static int migration_read(struct arena *a, const char *dir, struct migration *m, struct err *err)
{
	const char *path = arena_printf(a, "%s/%s", dir, m->name);
	struct str text;

	if (file_read(a, path, MIGRATION_BYTES, &text, err) == -1)
		return -1;
	m->text = text.p;
	sha256_hex(text, m->checksum);
	return 0;
}

static int migrations_read(
    struct arena *a, const char *dir, struct migrations *out, struct err *err)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = -1;

	if (d == NULL)
		return err_set(err, ERR_INTERNAL, "migrations %s: %s", dir, strerror(errno));
	out->v = arena_array(a, MIGRATIONS_MAX, sizeof(*out->v));
	out->n = 0;
	while ((e = readdir(d)) != NULL) {
		struct migration *m = &out->v[out->n];
		int64_t version;

		if (!str_ends(str_from(e->d_name), ".sql"))
			continue;
		if (out->n == MIGRATIONS_MAX || strlen(e->d_name) < 6 ||
		    !str_to_i64((struct str){e->d_name, 4}, 1, 9999, &version)) {
			err_set(
			    err, ERR_INTERNAL, "%s/%s: not named NNNN-name.sql", dir, e->d_name);
			goto out;
		}
		m->version = (int)version;
		snprintf(m->name, sizeof(m->name), "%s", e->d_name);
		if (migration_read(a, dir, m, err) == -1)
			goto out;
		out->n++;
	}
	qsort(out->v, out->n, sizeof(*out->v), migration_compare);
	rc = 0;
out:
	closedir(d);
	return rc;
}

/* Marks with a NULL text what is applied already; a changed file is an error. */
static int migrations_skip_applied(
    struct db *db, struct arena *a, struct migrations *ms, int *newest, struct err *err)
{
	struct db_rows rows;

	*newest = 0;
	if (db_row(db, a, &migrate_table_exists, NULL, 0, &rows, err) == -1)
		return -1;
	if (db_get_int(&rows, 0, 0) == 0)
		return 0;
	if (db_query(db, a, &migrate_list, NULL, 0, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		int version = (int)db_get_int(&rows, i, 0);

		*newest = version;
		for (size_t k = 0; k < ms->n; k++) {
			if (ms->v[k].version != version)
				continue;
			if (!str_is(db_get_str(&rows, i, 1), ms->v[k].checksum))
				return err_set(err, ERR_CONFLICT,
				    "migration %s was changed after it ran", ms->v[k].name);
			ms->v[k].text = NULL;
		}
	}
	return 0;
}

static int migrations_status(struct db *db, struct arena *a, const char *dir, struct migrations *ms,
    struct migrate_status *out, struct err *err)
{
	*out = (struct migrate_status){0};
	if (migrations_read(a, dir, ms, err) == -1 ||
	    migrations_skip_applied(db, a, ms, &out->version, err) == -1)
		return -1;
	for (size_t i = 0; i < ms->n; i++) {
		out->wanted = ms->v[i].version;
		if (ms->v[i].text != NULL)
			out->pending++;
	}
	return 0;
}

int migrate_status(struct db *db, const char *dir, struct migrate_status *out, struct err *err)
{
	struct arena *a = arena_new();
	struct migrations ms;
	int rc = migrations_status(db, a, dir, &ms, out, err);

	arena_free(a);
	return rc;
}

/* Runs each statement of the text; they end with ';' at a line's end, and lines that begin with --
 * are comments. */
static int migration_run(struct db *db, struct arena *a, const struct migration *m, struct err *err)
{
	struct str rest = str_from(m->text), line;
	struct buf *sql = buf_new(a, MIGRATION_BYTES);

	while (str_split(&rest, '\n', &line)) {
		struct str t = str_trim(line);

		if (t.n == 0 || str_starts(t, "--"))
			continue;
		buf_add(sql, line.p, line.n);
		buf_chr(sql, '\n');
		if (!str_ends(t, ";"))
			continue;
		if (db_script(db, sql->p, err) == -1)
			return err_prefix(err, "migration %s", m->name);
		buf_reset(sql);
	}
	if (sql->len > 0)
		return err_set(
		    err, ERR_INTERNAL, "migration %s: last statement has no ';'", m->name);
	return 0;
}

static int migrations_apply(
    struct db *db, struct arena *a, const struct migrations *ms, int *applied, struct err *err)
{
	for (size_t i = 0; i < ms->n; i++) {
		const struct migration *m = &ms->v[i];

		if (m->text == NULL)
			continue;
		if (migration_run(db, a, m, err) == -1 ||
		    db_exec(db, &migrate_insert,
			DB_VALS(db_int(m->version), db_str(m->name), db_str(m->checksum),
			    db_int(clock_now_us())),
			NULL, err) == -1)
			return -1;
		log_info("db.migrated", LOG_S("name", m->name));
		(*applied)++;
	}
	return 0;
}

int migrate_when(struct db *db, struct arena *a, int version, int64_t *at_us, struct err *err)
{
	struct db_rows rows;
	int found = db_row(db, a, &migrate_applied, DB_VALS(db_int(version)), &rows, err);

	if (found == 1)
		*at_us = db_get_int(&rows, 0, 0);
	return found;
}

int migrate_up(struct db *db, const char *dir, int *applied, struct err *err)
{
	struct arena *a = arena_new();
	struct migrations ms;
	struct migrate_status st;
	struct db_rows rows;
	int rc = -1;

	*applied = 0;
	if (db_row(db, a, &migrate_lock, NULL, 0, &rows, err) == -1)
		goto out;
	if (db_get_int(&rows, 0, 0) != 1) {
		err_set(err, ERR_CONFLICT, "another migration is running");
		goto out;
	}
	if (db_script(db, create_table, err) == 0 &&
	    migrations_status(db, a, dir, &ms, &st, err) == 0)
		rc = migrations_apply(db, a, &ms, applied, err);
	db_query(db, a, &migrate_unlock, NULL, 0, &rows, NULL);
out:
	arena_free(a);
	return rc;
}

int migrate_check(struct db *db, const char *dir, struct err *err)
{
	struct migrate_status st;

	if (migrate_status(db, dir, &st, err) == -1)
		return -1;
	if (st.pending > 0)
		return err_set(err, ERR_CONFLICT,
		    "the schema is at version %d and this program needs %d: run `connectctl "
		    "migrate up`",
		    st.version, st.wanted);
	if (st.version > st.wanted)
		return err_set(err, ERR_CONFLICT,
		    "the schema is at version %d, newer than this program's %d: install the newer "
		    "Connect",
		    st.version, st.wanted);
	return 0;
}
