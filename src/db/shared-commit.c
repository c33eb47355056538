#include "db/shared-commit.h"

#include "base/arena.h"
#include "base/clock.h"

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
static void commit_apart(
    const struct shared_commit *c, const size_t *parts, size_t n, struct arena *a)
{
	bool *is_held = arena_zalloc(a, n * sizeof(*is_held));

	db_set_patience(c->db, true, DB_AT_ONCE);
	c->run(c->arg, parts, n, is_held);
	for (size_t i = 0; i < n; i++) {
		bool is_locked = is_held[i] && n == 1;

		if (is_held[i] && n > 1)
			c->run(c->arg, &parts[i], 1, &is_locked);
		if (is_locked)
			account_note_held(c->account(c->arg, parts[i]));
	}
	db_set_patience(c->db, true, SHARED_COMMIT_WAIT_S);
}

void shared_commit(const struct shared_commit *c)
{
	struct arena *a = arena_new();
	size_t *together = arena_array(a, c->n + 1, sizeof(*together)), n = 0;
	size_t *apart = arena_array(a, c->n + 1, sizeof(*apart)), napart = 0;
	bool *is_held = arena_zalloc(a, c->n + 1);

	for (size_t i = 0; i < c->n; i++) {
		if (account_is_held(c->account(c->arg, i)))
			apart[napart++] = i;
		else
			together[n++] = i;
	}
	db_set_patience(c->db, true, SHARED_COMMIT_WAIT_S);
	if (n > 0)
		c->run(c->arg, together, n, is_held);
	for (size_t k = 0; k < n; k++)
		if (is_held[k])
			apart[napart++] = together[k];
	if (napart > 0)
		commit_apart(c, apart, napart, a);
	arena_free(a);
}
