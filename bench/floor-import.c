/* The database's floor for the bench `import`: a bare client that writes the rows of a CSV file
 * (record, search words, history, counts) with multi-row INSERT … ON DUPLICATE KEY UPDATE in
 * transactions of 500 on one connection. Rows are made ready before the clock runs: what is
 * measured is the database. Writes to the database that the configuration names: give it one of
 * its own. A second run into the account of the first finds a full store, as an import does: words
 * and keys of one account lie together.
 *
 *   floor-import -c FILE -a ACCOUNT CSV    prints {"rows":N,"seconds":S,"per_second":R} */
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/csv.h"
#include "db/db.h"
#include "import/import.h"
#include "record/record-words.h"

#define BATCH 500

DB_STMT_ROWS(floor_records,
    "INSERT INTO records (id, account_id, provider_type, resource_type, external_id, source, data,"
    " first_seen_at, updated_at, provider_updated_at, connection_id) VALUES ",
    "(?,?,?,?,?,'import',?,?,?,NULL,NULL)",
    " ON DUPLICATE KEY UPDATE data = VALUES(data), updated_at = VALUES(updated_at)");
DB_STMT_ROWS(floor_search, "INSERT INTO record_search (record_id, account_id, words) VALUES ",
    "(?,?,?)", " ON DUPLICATE KEY UPDATE words = VALUES(words)");
DB_STMT_ROWS(floor_changes,
    "INSERT INTO record_changes (id, account_id, record_id, at, provider_at, source, event_id,"
    " changes) VALUES ",
    "(?,?,?,?,NULL,'import',NULL,'[]')", " ON DUPLICATE KEY UPDATE at = VALUES(at)");
DB_STMT_ROWS(floor_counts,
    "INSERT INTO record_counts (account_id, provider_type, resource_type, day, slot, records)"
    " VALUES ",
    "(?,?,?,?,0,?)", " ON DUPLICATE KEY UPDATE records = records + VALUES(records)");

struct floor {
	struct arena *a;
	struct csv_reader *rd;
	struct import_map *map;
	struct uuid account;
	int64_t now;
	size_t n;
	struct uuid id[BATCH], change[BATCH];
	struct record_item items[BATCH];
	struct str words[BATCH];
};

static int fill(struct floor *f, struct err *err)
{
	struct csv_row row;
	struct import_row read;
	int rc = 1;

	arena_reset(f->a);
	f->now = clock_now_us();
	f->n = 0;
	while (f->n < BATCH && (rc = csv_reader_next(f->rd, &row, err)) == 1) {
		struct record_item *it = &f->items[f->n];

		*it = (struct record_item){.account_id = f->account,
		    .provider_type = STR("manual"),
		    .resource_type = STR("contact"),
		    .source = RECORD_SOURCE_IMPORT};
		if (!import_map_row(f->map, f->a, &row, &read))
			return err_set(
			    err, ERR_INVALID, "line %lld: %s", (long long)row.line, read.problem);
		it->external_id = read.external_id;
		it->data = read.data;
		f->words[f->n] = record_words(f->a, it);
		f->id[f->n] = uuid_new();
		f->change[f->n++] = uuid_new();
	}
	return rc == -1 ? -1 : 0;
}

static int write_batch(struct db *db, void *arg, struct err *err)
{
	struct floor *f = arg;
	static struct db_val v[BATCH * 8];

	for (size_t i = 0; i < f->n; i++) {
		const struct record_item *it = &f->items[i];
		const struct db_val row[8] = {db_uuid(&f->id[i]), db_uuid(&f->account),
		    db_strn(it->provider_type), db_strn(it->resource_type),
		    db_strn(it->external_id), db_strn(it->data), db_int(f->now), db_int(f->now)};

		memcpy(v + 8 * i, row, sizeof(row));
	}
	if (db_exec_rows(db, &floor_records, NULL, 0, v, f->n, 8, NULL, err) == -1)
		return -1;
	for (size_t i = 0; i < f->n; i++) {
		const struct db_val row[3] = {
		    db_uuid(&f->id[i]), db_uuid(&f->account), db_strn(f->words[i])};

		memcpy(v + 3 * i, row, sizeof(row));
	}
	if (db_exec_rows(db, &floor_search, NULL, 0, v, f->n, 3, NULL, err) == -1)
		return -1;
	for (size_t i = 0; i < f->n; i++) {
		const struct db_val row[4] = {db_uuid(&f->change[i]), db_uuid(&f->account),
		    db_uuid(&f->id[i]), db_int(f->now)};

		memcpy(v + 4 * i, row, sizeof(row));
	}
	if (db_exec_rows(db, &floor_changes, NULL, 0, v, f->n, 4, NULL, err) == -1)
		return -1;
	return db_exec_rows(db, &floor_counts, NULL, 0,
	    (const struct db_val[]){db_uuid(&f->account), db_str("manual"), db_str("contact"),
		db_int(clock_day(f->now)), db_int((int64_t)f->n)},
	    1, 5, NULL, err);
}

static int prepare(struct floor *f, struct arena *a, const char *path, struct err *err)
{
	struct csv_source source = {.path = path};
	struct import_options o = {0};
	struct csv_row header;
	struct stat st;

	if (stat(path, &st) == -1)
		return err_set(err, ERR_NOT_FOUND, "%s: no such file", path);
	source.size = (uint64_t)st.st_size;
	if (import_prepare(a, &source, &o, &f->map, err) == -1 ||
	    (f->rd = csv_reader_new(a, &source, &o.format, err)) == NULL ||
	    csv_reader_next(f->rd, &header, err) != 1)
		return -1;
	f->a = arena_new();
	return 0;
}

static int run(const struct config *cfg, struct floor *f, struct err *err)
{
	struct db *db = db_new(cfg);
	int64_t took_us = 0, rows = 0;
	int rc = db_ping(db, err);

	while (rc == 0 && (rc = fill(f, err)) == 0 && f->n > 0) {
		int64_t started = clock_mono_us();

		rc = db_transaction(db, write_batch, f, err);
		took_us += clock_mono_us() - started;
		rows += (int64_t)f->n;
	}
	double s = (double)took_us / 1e6;

	if (rc == 0)
		printf("{\"rows\":%lld,\"seconds\":%.3f,\"per_second\":%.1f}\n", (long long)rows, s,
		    (double)rows / s);
	db_free(db);
	arena_free(f->a);
	return rc;
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct floor *f = arena_zalloc(a, sizeof(*f));
	struct config cfg = {0};
	struct err err = ERR_INIT;
	const char *file = NULL, *account = "";
	int opt, rc;

	while ((opt = getopt(argc, argv, "c:a:")) != -1) {
		file = opt == 'c' ? optarg : file;
		account = opt == 'a' ? optarg : account;
	}
	if (optind != argc - 1 || !uuid_parse(str_from(account), &f->account)) {
		fputs("usage: floor-import -c FILE -a ACCOUNT CSV\n", stderr);
		return 2;
	}
	rc = config_load(a, file, &cfg, &err);
	if (rc == 0)
		rc = prepare(f, a, argv[optind], &err);
	if (rc == 0)
		rc = run(&cfg, f, &err);
	if (rc == -1)
		fprintf(stderr, "floor-import: %s\n", err.msg);
	arena_free(a);
	return rc == 0 ? 0 : 1;
}
