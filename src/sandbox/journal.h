/* A file of lines that several processes add to and each of them follows: the sandbox's only
 * store. A line is one JSON value. Additions happen under a lock on PATH.lock; reading needs
 * none, since lines are whole. */
#ifndef SANDBOX_JOURNAL_H
#define SANDBOX_JOURNAL_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct journal;

struct journal_reader {
	/* A further line, which begins at that byte of the file; the text is borrowed. */
	void (*line)(void *arg, off_t at, struct str text);
	/* The journal was emptied: forget all lines. */
	void (*clear)(void *arg);
	void *arg;
	off_t most; /* bytes, at which it begins anew; 0: none */
};
#define JOURNAL_MOST_BYTES (1024 * 1024 * 1024) /* of what is only looked at */

/* Opens nothing yet: files are opened at first use, so that each forked worker has a lock of its
 * own. */
struct journal *journal_new(struct arena *a, const char *path, struct journal_reader reader);
/* Lets the reader see what was added since. */
int journal_sync(struct journal *j, struct err *err);
/* Waits for the lock and syncs; ended by journal_unlock. -1: not locked. */
int journal_lock(struct journal *j, struct err *err);
void journal_unlock(struct journal *j);
/* Under the lock: adds a line (without its line feed); the reader sees it too. */
int journal_append(struct journal *j, struct str line, struct err *err);
/* Empties the journal for every process. Takes the lock itself. */
int journal_clear(struct journal *j, struct err *err);
/* n bytes at that place: a line seen before. Arena-owned, NUL-ended; {NULL,0} when it is gone. */
struct str journal_read(struct journal *j, struct arena *a, off_t at, size_t n);

/* A descriptor that holds the lock of that file until it is closed; -1. */
int state_lock(const char *path, struct err *err);

#endif
