/* What the writer does about rows that others hold, of which nobody knows beforehand whose they
 * are: a key, a counter, a place in a queue.
 *
 *	batch ──> one commit ──the short wait is over──> each alone, at once ──held──> noted
 *	             ^                                        └──> committed             │
 *	             └── but not the sets of such an account: apart from it <─ HELD_US ──┘
 *
 * So a row that is held costs the others one wait in HELD_US. A set that is held goes back to its
 * worker, which waits for it where it holds up nobody. */
#include "base/arena.h"
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

/* Together first, since mostly the row is free again; where it is not, each for itself. */
static void commit_alone(struct db *db, struct write_set *const *sets, size_t n)
{
	struct arena *a = arena_new();
	struct write_set *v = arena_array(a, n, sizeof(*v));
	bool *held = arena_array(a, n, sizeof(*held));

	for (size_t i = 0; i < n; i++) {
		v[i] = *sets[i];
		v[i].err = (struct err)ERR_INIT;
	}
	db_set_patience(db, true, DB_AT_ONCE);
	write_sets_take_apart(db, v, n, held);
	for (size_t i = 0; i < n; i++) {
		bool is_locked = held[i] && n == 1;

		if (held[i] && n > 1) {
			v[i].err = (struct err)ERR_INIT;
			write_sets_take_apart(db, &v[i], 1, &is_locked);
		}
		if (is_locked)
			account_note_held(&v[i].account_id);
		*sets[i] = v[i];
	}
	db_set_patience(db, true, WRITER_LOCK_WAIT_S);
	arena_free(a);
}

void write_sets_commit_shared(struct db *db, struct write_set *sets, size_t n)
{
	struct arena *a = arena_new();
	bool *alone = arena_array(a, n + 1, sizeof(*alone));
	struct write_set **apart = arena_array(a, n + 1, sizeof(*apart));
	size_t nalone = 0, napart = 0;

	for (size_t i = 0; i < n; i++)
		nalone += alone[i] = account_is_held(&sets[i].account_id);
	if (nalone < n)
		write_sets_take_apart(db, sets, n, alone);
	for (size_t i = 0; i < n; i++)
		if (alone[i])
			apart[napart++] = &sets[i];
	if (napart > 0)
		commit_alone(db, apart, napart);
	arena_free(a);
}
