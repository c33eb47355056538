/* Where an account's tables hold texts that may name people. Each room lists its own; the privacy
 * room walks all of them (product/personal.c), so that who is erased is found nowhere. A table with
 * such a column that is in no list is found by tests/http/test_privacy.py, which looks through all
 * there are. */
#ifndef DB_PERSONAL_H
#define DB_PERSONAL_H

#include "base/person.h"
#include "db/db.h"

struct app;

#define PERSONAL_COLUMNS 6
struct personal_walk;
enum personal_form {
	PERSONAL_NONE,
	PERSONAL_TEXT,     /* the mentions within it are replaced */
	PERSONAL_JSON,     /* the same, by values; what is no JSON is a text */
	PERSONAL_ALL,      /* where one is named it is theirs: all of it is replaced */
	PERSONAL_ALL_JSON, /* the same by a JSON object */
};

#define PERSONAL_ALSO 2
struct personal_table {
	const char *name;           /* for the API: "auditLog" */
	const char *label;          /* for people: "Rows of the audit log" */
	const struct db_stmt *next; /* account, key, limit → key, columns: those behind the key */
	/* Instead of next, where a key is more than an id, or a column is not as it is stored: at
	 * most n rows behind w->after; none: that was the end. */
	int (*slice)(struct personal_walk *w, struct arena *a, int64_t n, struct db_rows *rows,
	    struct err *err);
	const struct db_stmt *lock; /* account, key → the columns, held */
	const struct db_stmt *put;  /* columns, account, key */
	/* account, key: what follows from a change, one after the other; or NULL */
	const struct db_stmt *also[PERSONAL_ALSO];
	enum personal_form forms[PERSONAL_COLUMNS];
	/* Within a transaction, what is kept of the person in the row goes: 1; 0 nothing did, and
	 * then mentions are replaced where there is put; -1. Or NULL. */
	int (*erase)(struct app *app, struct arena *a, const struct uuid *account_id,
	    struct str key, const struct person_names *p, struct err *err);
	bool has_subjects; /* rows that are about one person: theirs go whole (personal_walk.own) */
};

/* What a column of that form says without the person; the same text where it names nobody. */
struct str personal_scrub(
    struct arena *a, const struct person_names *p, enum personal_form form, struct str text);
/* The id that a key begins with; nil of "". */
static inline struct uuid personal_key_id(struct str key)
{
	struct uuid id = {{0}};

	for (size_t i = 0; i < sizeof(id.b) && i < key.n; i++)
		id.b[i] = (unsigned char)key.p[i];
	return id;
}

/* A walk through one table of one account, a slice at a time. */
struct personal_walk {
	struct app *app;
	struct db *db;
	struct uuid account_id;
	const struct person_names *person;
	const struct personal_table *table;
	struct str after; /* the key behind which to go on; "" at first; set to the last one */
	bool is_dry;      /* nothing is changed, only counted */
	/* Of tables with subjects: erases a row that is the person's own. 0, -1. */
	int (*own)(
	    struct personal_walk *w, struct arena *a, const struct uuid *id, struct err *err);
	/* With is_dry, of each row that names them, or NULL: its columns are cells 1 and more. */
	int (*see)(struct personal_walk *w, struct arena *a, const struct db_rows *rows, size_t row,
	    bool is_own, struct err *err);
	void *arg;     /* for both */
	int64_t found; /* rows, added to */
};
/* The next slice, within a transaction unless is_dry: 1 there may be more, 0 that was the last,
 * -1. */
int personal_walk_on(struct personal_walk *w, struct arena *a, struct err *err);
#endif
