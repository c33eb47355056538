/* What the writer does about rows that others hold, of which nobody knows beforehand whose they
 * are: a key, a counter, a place in a queue.
 *
 *	batch ──> one commit ──the short wait is over──> each alone, at once ──held──> noted
 *	             ^                                        └──> committed             │
 *	             └── but not the sets of such an account: each alone <─ for HELD_US ─┘
 *
 * So a row that is held costs the others one wait in HELD_US. A set that is held goes back to its
 * worker, which waits for it where it holds up nobody. */
#include <stdlib.h>

#include "base/clock.h"
#include "intake/intake-internal.h"
#include "intake/write-set.h"

/* Accounts of which others held some row lately: the next ones need not wait to find that out. */
#define HELD_US (120 * SECOND_US)
#define HELD_ACCOUNTS 64u
static struct held_account {
	struct uuid id;
	int64_t until_us;
} held_accounts[HELD_ACCOUNTS];

static bool account_is_held(const struct uuid *id)
{
	const int64_t now_us = clock_mono_us();

	for (size_t i = 0; i < HELD_ACCOUNTS; i++)
		if (held_accounts[i].until_us > now_us && uuid_eq(held_accounts[i].id, *id))
			return true;
	return false;
}

/* In its own place, or in that which is free first. */
static void account_note_held(const struct uuid *id)
{
	struct held_account *at = &held_accounts[0];

	for (size_t i = 0; i < HELD_ACCOUNTS && !uuid_eq(at->id, *id); i++)
		if (uuid_eq(held_accounts[i].id, *id) || held_accounts[i].until_us < at->until_us)
			at = &held_accounts[i];
	*at = (struct held_account){*id, clock_mono_us() + HELD_US};
}

static void commit_alone(struct db *db, struct write_set *sets, size_t n, const bool *alone)
{
	db_set_patience(db, true, DB_AT_ONCE);
	for (size_t i = 0; i < n; i++) {
		bool is_locked = false;

		if (!alone[i])
			continue;
		sets[i].err = (struct err)ERR_INIT;
		write_sets_take_apart(db, &sets[i], 1, &is_locked);
		if (is_locked)
			account_note_held(&sets[i].account_id);
	}
	db_set_patience(db, true, WRITER_LOCK_WAIT_S);
}

void write_sets_commit_shared(struct db *db, struct write_set *sets, size_t n)
{
	bool *alone = calloc(n + 1, sizeof(*alone));
	size_t nalone = 0;

	if (alone == NULL)
		abort();
	for (size_t i = 0; i < n; i++)
		nalone += alone[i] = account_is_held(&sets[i].account_id);
	if (nalone < n)
		write_sets_take_apart(db, sets, n, alone);
	if (memchr(alone, true, n) != NULL)
		commit_alone(db, sets, n, alone);
	free(alone);
}
