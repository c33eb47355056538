/* Sealing anew with the key that seals now, while the product runs: in slices, and each row only if
 * it is still as it was read, so that nobody's change is undone. Each room lists the columns that
 * it seals, and so whatever is sealed is found. */
#ifndef ACCOUNT_RESEAL_H
#define ACCOUNT_RESEAL_H
#include "db/db.h"

struct app;

#define RESEAL_KEYS_MOST 32
struct reseal {
	bool only_counts; /* nothing is sealed */
	uint64_t sealed;  /* rows that were sealed anew */
	uint64_t failed;  /* that no key here opens */
	struct {
		uint32_t id;
		uint64_t rows;
	} keys[RESEAL_KEYS_MOST]; /* by which rows were found to be sealed */
	size_t nkeys;
};

#define RESEAL_KEY_MOST 2
#define RESEAL_ROWS 100
struct reseal_column {
	const struct db_stmt *next; /* key, blob of RESEAL_ROWS rows behind a key, in its order */
	const struct db_stmt *put;  /* blob, key, the blob that it replaces */
	size_t nkey;                /* parts of the key, all bytes */
	/* As whoever seals it says; NULL: place, a colon and the id's text. */
	struct str (*context)(struct arena *a, const struct db_val *key);
	const char *place;
};
/* All rows of the column; what was found is added to s. */
int reseal_column(
    struct app *app, const struct reseal_column *column, struct reseal *s, struct err *err);
/* The columns of this room. */
int account_reseal(struct app *app, struct reseal *s, struct err *err);
#endif
