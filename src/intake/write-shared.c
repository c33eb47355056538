/* The writer's commits, which all accounts share: what others hold is left to its worker, which
 * waits for it where it holds up nobody. */
#include <string.h>

#include "base/arena.h"
#include "db/shared-commit.h"
#include "intake/intake-internal.h"
#include "intake/write-set.h"

struct sets_shared {
	struct db *db;
	struct write_set *sets;
	size_t n;
};

static const struct uuid *sets_account(const void *arg, size_t i)
{
	const struct sets_shared *s = arg;

	return &s->sets[i].account_id;
}

static void sets_run(void *arg, const size_t *parts, size_t n, bool *is_held)
{
	struct sets_shared *s = arg;
	struct arena *a;
	struct write_set *v;

	if (n == s->n) {
		write_sets_take_apart(s->db, s->sets, n, is_held);
		return;
	}
	a = arena_new();
	v = arena_array(a, n, sizeof(*v));
	for (size_t k = 0; k < n; k++) {
		v[k] = s->sets[parts[k]];
		v[k].err = (struct err)ERR_INIT;
	}
	write_sets_take_apart(s->db, v, n, is_held);
	for (size_t k = 0; k < n; k++)
		s->sets[parts[k]] = v[k];
	arena_free(a);
}

void write_sets_commit_shared(struct db *db, struct write_set *sets, size_t n)
{
	struct sets_shared s = {db, sets, n};

	shared_commit(&(struct shared_commit){
	    .db = db, .n = n, .arg = &s, .account = sets_account, .run = sets_run});
}
