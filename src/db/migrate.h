/* Schema migrations: files NNNN-name.sql in one directory, run in order, once each, under an
 * advisory lock; statements end with ';' at a line's end. A file changed after it ran is an error.
 */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H
#include "db/db.h"
struct migrate_status {
	int version; /* newest applied, 0 for none */
	int wanted;  /* newest file */
	int pending;
};
int migrate_status(struct db *db, const char *dir, struct migrate_status *out, struct err *err);
/* Applies what is pending; *applied counts it. */
int migrate_up(struct db *db, const char *dir, int *applied, struct err *err);
/* When that migration was applied, as a time: 1, 0 it was not, -1. */
int migrate_when(struct db *db, struct arena *a, int version, int64_t *at_us, struct err *err);
/* The schema version this program was built for; workers and cron refuse another. */
int migrate_check(struct db *db, const char *dir, struct err *err);
#endif
