/* The database's floor for the bench `browse`: pages of 25 records read by primary key, on one
 * connection.
 *
 *   floor-browse -c FILE ACCOUNT-ID PAGES    prints {"pages":N,"p50_us":…,"p99_us":…} */
#include <getopt.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "crypto/random.h"
#include "db/db.h"

#define ROWS 25
#define IDS 5000
#define PAGES_MAX 100000

DB_STMT(
    floor_ids, "SELECT id FROM records WHERE account_id = ? ORDER BY updated_at DESC LIMIT 5000");
DB_STMT_ROWS(floor_page,
    "SELECT id, provider_type, resource_type, external_id, source, data, first_seen_at, updated_at,"
    " provider_updated_at FROM records WHERE id IN (",
    "?", ")");

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int measure(
    struct db *db, const struct uuid *account, int64_t pages, int64_t *took, struct err *err)
{
	struct arena *a = arena_new(), *page = arena_new();
	struct db_rows ids, rows;
	struct uuid id[ROWS];
	struct db_val v[ROWS];
	int rc = db_query(db, a, &floor_ids, DB_VALS(db_uuid(account)), &ids, err);

	if (rc == 0 && ids.count == 0)
		rc = err_set(err, ERR_NOT_FOUND, "the account has no records");
	for (int64_t p = 0; rc == 0 && p < pages; p++) {
		for (size_t i = 0; i < ROWS; i++) {
			id[i] = db_get_uuid(&ids, random_below(ids.count), 0);
			v[i] = db_uuid(&id[i]);
		}
		took[p] = clock_mono_us();
		arena_reset(page);
		rc = db_query_rows(db, page, &floor_page, NULL, 0, v, ROWS, 1, &rows, err);
		took[p] = clock_mono_us() - took[p];
	}
	arena_free(page);
	arena_free(a);
	return rc;
}

int main(int argc, char **argv)
{
	static int64_t took[PAGES_MAX];
	struct arena *a = arena_new();
	struct config cfg = {0};
	struct err err = ERR_INIT;
	const char *file = NULL;
	struct uuid account;
	int64_t pages;
	struct db *db;
	int opt;

	while ((opt = getopt(argc, argv, "c:")) != -1)
		file = opt == 'c' ? optarg : NULL;
	if (argc - optind != 2 || !uuid_parse(str_from(argv[optind]), &account) ||
	    !str_to_i64(str_from(argv[optind + 1]), 1, PAGES_MAX, &pages)) {
		fputs("usage: floor-browse -c FILE ACCOUNT-ID PAGES\n", stderr);
		return 2;
	}
	if (config_load(a, file, &cfg, &err) == -1) {
		fprintf(stderr, "floor-browse: %s\n", err.msg);
		return 1;
	}
	db = db_new(&cfg);
	if (measure(db, &account, pages, took, &err) == -1) {
		fprintf(stderr, "floor-browse: %s\n", err.msg);
		return 1;
	}
	qsort(took, (size_t)pages, sizeof(took[0]), compare);
	printf("{\"pages\":%lld,\"p50_us\":%lld,\"p99_us\":%lld}\n", (long long)pages,
	    (long long)took[pages / 2], (long long)took[pages * 99 / 100]);
	db_free(db);
	arena_free(a);
	return 0;
}
