/* What was erased does not come back by itself. A provider still has what was erased here: polls
 * overlap, comparisons look back, imports read all there is, and events are replayed. So each id
 * that is erased leaves a hash and the time, and an item whose news is older is left out: by the
 * provider's time, where the item tells one; else by when its request came, and what a poll or an
 * import finds is of any age. News from after the erasure are new data.
 *
 * Most accounts have erased nothing lately, and most news are of now: so when the last erasure was
 * is known to each process for a second (or until the host's caches drop), and asked for no more.
 */
#include "account/audit.h"
#include "account/kept-key.h"
#include "base/app.h"
#include "base/clock.h"
#include "base/limits.h"
#include "crypto/hash.h"
#include "intake/erase.h"
#include "intake/intake-internal.h"
#include "job/periodic.h"

#define ERASURE_HASH_BYTES 16
static const char key_purpose[] = "erasures";
#define ERASURES_KEPT_US (730 * DAY_US)
#define ACCOUNTS_KNOWN 64u

DB_STMT(erasure_put, "INSERT INTO erasures (account_id, id_hash, erased_at) VALUES (?,?,?)"
		     " ON DUPLICATE KEY UPDATE erased_at = VALUES(erased_at)");
DB_STMT(erasures_last, "SELECT MAX(erased_at) FROM erasures WHERE account_id = ?");
DB_STMT_ROWS(erasures_of,
    "SELECT id_hash, erased_at FROM erasures FORCE INDEX (PRIMARY) WHERE account_id = ?"
    " AND id_hash IN (",
    "?", ")");
DB_STMT(erasures_old, "DELETE FROM erasures WHERE erased_at < ?" DB_PURGE_LIMIT);

/* Keyed, so that who reads the table cannot try ids. {NULL,0} and err on failure. */
static struct str erasure_hash(struct app *app, struct arena *a, struct str provider_type,
    struct str resource_type, struct str external_id, struct err *err)
{
	static const char nul[1];
	const struct str end = {nul, 1},
			 parts[] = {provider_type, end, resource_type, end, external_id};
	unsigned char key[KEPT_KEY_BYTES], digest[SHA256_SIZE];

	if (kept_key(app, a, key_purpose, key, err) == -1)
		return (struct str){NULL, 0};
	hmac_parts(HASH_SHA256, (struct str){(const char *)key, sizeof(key)}, parts, 5, digest);
	return (struct str){
	    arena_strndup(a, (const char *)digest, ERASURE_HASH_BYTES), ERASURE_HASH_BYTES};
}

int erasure_note(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str provider_type, struct str resource_type, struct str external_id, struct err *err)
{
	struct str hash = erasure_hash(app, a, provider_type, resource_type, external_id, err);

	if (hash.p == NULL ||
	    db_exec(app->db, &erasure_put,
		DB_VALS(db_uuid(account_id), db_blob(hash), db_int(clock_now_us())), NULL,
		err) == -1)
		return -1;
	audit_caches_drop(app);
	return 0;
}

int erasures_purge(struct app *app, struct err *err)
{
	return db_purge(app->db, &erasures_old, DB_VALS(db_int(clock_now_us() - ERASURES_KEPT_US)),
	    clock_mono_us() + PERIODIC_STEP_US, err);
}

/* ---- items on their way in ------------------------------------------------------------------- */

static int erasures_last_us(struct app *app, struct arena *a, const struct uuid *account_id,
    int64_t *last_us, struct err *err)
{
	static struct known {
		struct uuid account_id;
		uint64_t generation;
		int64_t until_us, last_us;
	} known[ACCOUNTS_KNOWN];
	struct known *k = &known[str_hash(account_id->b, sizeof(account_id->b)) % ACCOUNTS_KNOWN];
	uint64_t generation = audit_caches_generation(app);
	int64_t now_us = clock_mono_us();
	struct db_rows rows;

	if (!uuid_eq(k->account_id, *account_id) || k->generation != generation ||
	    k->until_us <= now_us) {
		if (db_row(app->db, a, &erasures_last, DB_VALS(db_uuid(account_id)), &rows, err) ==
		    -1)
			return -1;
		*k = (struct known){
		    *account_id, generation, now_us + CACHE_TTL_US, db_get_int(&rows, 0, 0)};
	}
	*last_us = k->last_us;
	return 0;
}

static int64_t item_told_us(const struct write_item *it, int64_t told_us)
{
	return it->provider_updated_us != TIME_NONE ? it->provider_updated_us : told_us;
}

static bool item_may_be_older(const struct write_item *it, int64_t told_us, int64_t last_us)
{
	return !it->erases && it->external_id.n > 0 && it->resource_type.n > 0 &&
	       item_told_us(it, told_us) <= last_us;
}

/* Of up to LIMIT_DB_BATCH items from there on: when each was erased; TIME_NONE: it was not. */
static int erased_times(struct app *app, struct arena *a, const struct write_set *ws, size_t from,
    int64_t told_us, int64_t last_us, int64_t *out, struct err *err)
{
	const struct db_val account[] = {db_uuid(&ws->account_id)};
	struct db_val asked[LIMIT_DB_BATCH];
	size_t of[LIMIT_DB_BATCH], n = 0;
	struct db_rows rows;

	for (size_t i = from; i < ws->nitems && i - from < LIMIT_DB_BATCH; i++) {
		const struct write_item *it = &ws->items[i];

		out[i] = TIME_NONE;
		if (!item_may_be_older(it, told_us, last_us))
			continue;
		of[n] = i;
		asked[n] = db_blob(erasure_hash(
		    app, a, ws->provider_type, it->resource_type, it->external_id, err));
		if (asked[n++].s.p == NULL)
			return -1;
	}
	if (n == 0)
		return 0;
	if (db_query_rows(app->db, a, &erasures_of, account, 1, asked, n, 1, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		for (size_t row = 0; row < rows.count; row++)
			if (str_eq(db_get_str(&rows, row, 0), asked[i].s))
				out[of[i]] = db_get_int(&rows, row, 1);
	return 0;
}

int write_set_leave_erased(
    struct app *app, struct arena *a, struct write_set *ws, int64_t told_us, struct err *err)
{
	int64_t *erased = arena_array(a, ws->nitems + 1, sizeof(*erased)), last_us = 0;
	size_t kept = 0, n = ws->nitems;

	if (n > 0 && erasures_last_us(app, a, &ws->account_id, &last_us, err) == -1)
		return -1;
	if (last_us == 0)
		return 0;
	for (size_t from = 0; from < n; from += LIMIT_DB_BATCH)
		if (erased_times(app, a, ws, from, told_us, last_us, erased, err) == -1)
			return -1;
	for (size_t i = 0; i < n; i++)
		if (item_told_us(&ws->items[i], told_us) > erased[i] || erased[i] == TIME_NONE)
			ws->items[kept++] = ws->items[i];
	if (kept == n)
		return 0;
	ws->nitems = kept;
	ws->erased += n - kept;
	write_set_note(a, ws,
	    arena_printf(a, "%zu of it told of what was erased since, and left out", n - kept));
	return 0;
}
