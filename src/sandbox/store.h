/* What the played providers hold: rows of JSON by provider, kind and id, in the order in which they
 * were first put. Every process has all of it in memory and follows one journal (journal.h), so
 * that they agree; what one writes under the lock, the others see at their next look. */
#ifndef SANDBOX_STORE_H
#define SANDBOX_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

struct store;

/* A kind of a provider's things: "hubspot", "contacts". */
struct store_kind {
	const char *provider, *kind;
};

struct store *store_new(struct arena *a, const char *dir);
/* Lets this process see what others wrote. */
int store_sync(struct store *st, struct err *err);
/* Waits for the lock and syncs; what is written until store_unlock is seen as one by those who
 * lock. */
int store_lock(struct store *st, struct err *err);
void store_unlock(struct store *st);
/* Under the lock: a row, new or in place of that of the same id; the value is stolen. NULL: the row
 * goes. */
int store_put(
    struct store *st, struct store_kind k, const char *id, json_t *value, struct err *err);
/* Borrowed until the next store_put or sync; NULL when there is none. */
json_t *store_get(const struct store *st, struct store_kind k, struct str id);
/* Where a row has the text by which it is looked for: its member, or that of the object `within`;
 * folded: in any case of its letters. */
struct store_by {
	const char *within, *member;
	bool is_folded;
};
/* The first row that has it there, borrowed as by store_get; NULL when there is none. */
json_t *store_find(
    struct store *st, struct store_kind k, const struct store_by *by, struct str text);
/* Places 0 … n-1; that of a row that went is NULL. */
size_t store_places(const struct store *st, struct store_kind k);
json_t *store_at(const struct store *st, struct store_kind k, size_t place, const char **id);
/* Forgets all, for every process. Takes the lock itself. */
int store_clear(struct store *st, struct err *err);

#endif
