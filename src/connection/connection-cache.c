/* Connections in process memory, for the intake path and for jobs. One entry per question asked: an
 * id, or a provider's external account.
 *
 *   asked -> current ------- asked within CACHE_TTL_US, generation unchanged: no query
 *              |  ^
 *    too old, or  +--- the narrow query (ids, times, errors) finds nothing changed
 *    another      |
 *    generation   +--- changed: the entry is retired, a new one is loaded
 *              |
 *              v
 *   retired -> freed by connection_cache_release, or GRACE_US later
 *
 * Opening a connection (decryption, parsing) is what costs: the narrow query is there so that a
 * steady connection is opened once, however often its time is up.
 *
 * Invariants: an entry that can be found is in its bucket and in the order of use, and cache.n
 * counts it; a retired one is in neither, only in the retired list. At most ENTRIES_MAX can be
 * found, and the least recently used goes first. Entries own all that they hold, on the heap:
 * callers keep pointers into them, so none is freed while a caller may still read it. */
#include "account/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "connection/connection-internal.h"

#define ENTRIES_MAX 4096u
#define BUCKETS 4096u
#define GRACE_US (60 * SECOND_US)

#define VERSION_COLUMNS                                                                            \
	"c.id, c.updated_at, c.last_used_at, c.last_error, p.updated_at, g.updated_at,"            \
	" c.push_failed"
enum {
	VERSION_ID,
	VERSION_UPDATED,
	VERSION_LAST_USED_AT,
	VERSION_LAST_ERROR,
	VERSION_APP_UPDATED,
	VERSION_GRANT_UPDATED,
	VERSION_PUSH_FAILED
};
#define ENABLED " c.status <> '" CONNECTION_DISABLED "'"
DB_STMT(
    cache_version_by_id, "SELECT " VERSION_COLUMNS CONNECTION_TABLES " WHERE c.id = ? AND" ENABLED);
DB_STMT(cache_by_id, "SELECT " CONNECTION_COLUMNS CONNECTION_TABLES " WHERE c.id = ? AND" ENABLED);
/* Anybody may name an id: so all of them, in slices, or who came first would shut the others out.
 * Where the provider has said whose it is, it is nobody else's. */
#define BY_EXTERNAL                                                                                \
	" WHERE c.provider_type = ? AND c.external_account_id = ? AND c.id > ? AND" ENABLED        \
	" AND NOT EXISTS (SELECT 1 FROM connections x WHERE x.provider_type = c.provider_type"     \
	" AND x.external_account_id = c.external_account_id AND x.proven_at IS NOT NULL"           \
	" AND x.account_id <> c.account_id) ORDER BY c.id LIMIT 500"
DB_STMT(cache_version_by_external, "SELECT " VERSION_COLUMNS CONNECTION_TABLES BY_EXTERNAL);
DB_STMT(cache_by_external, "SELECT " CONNECTION_COLUMNS CONNECTION_TABLES BY_EXTERNAL);
#define SLICE_ROWS 500u

/* A question: either id, or provider with external. */
struct cache_question {
	const struct uuid *id;
	const struct provider *provider;
	struct str external;
};

struct connection_entry {
	struct connection_entry *next_in_bucket, *newer,
	    *older; /* retired: older chains the retired list */
	uint64_t hash;
	size_t key_n;
	char *key;
	struct connection **v;
	size_t n;
	int64_t checked_us, retired_us; /* monotonic */
	uint64_t generation;
};

static struct {
	struct connection_entry *buckets[BUCKETS];
	struct connection_entry *newest, *oldest;
	struct connection_entry *retired;
	size_t n;
	struct arena *scratch;
} cache;

static void *heap_zalloc(size_t n)
{
	void *p = calloc(1, n);

	if (p == NULL)
		abort();
	return p;
}

static char *heap_text(const char *s)
{
	size_t n = s == NULL ? 0 : strlen(s) + 1;

	return s == NULL ? NULL : memcpy(heap_zalloc(n), s, n);
}

/* ---- owning ------------------------------------------------------------------------------- */

static struct connection *connection_keep(const struct connection *from)
{
	struct connection *c = heap_zalloc(sizeof(*c));

	*c = *from;
	c->provider_type = c->provider->name;
	c->name = heap_text(from->name);
	c->status = heap_text(from->status);
	c->access.external_account_id = heap_text(from->access.external_account_id);
	c->access.id = heap_text(from->access.id);
	c->access.webhook_url = heap_text(from->access.webhook_url);
	c->last_error = heap_text(from->last_error);
	c->routing = heap_text(from->routing);
	c->challenge_error = heap_text(from->challenge_error);
	c->access.settings = json_incref(from->access.settings);
	c->access.credentials = json_incref(from->access.credentials);
	c->access.former = json_incref(from->access.former);
	c->access.app = json_incref(from->access.app);
	c->grant.tokens = json_incref(from->grant.tokens);
	c->grant.error = heap_text(from->grant.error);
	return c;
}

static void connection_drop(struct connection *c)
{
	free((char *)(uintptr_t)c->name);
	free((char *)(uintptr_t)c->status);
	free((char *)(uintptr_t)c->access.external_account_id);
	free((char *)(uintptr_t)c->access.id);
	free((char *)(uintptr_t)c->access.webhook_url);
	free((char *)(uintptr_t)c->last_error);
	free((char *)(uintptr_t)c->routing);
	free((char *)(uintptr_t)c->challenge_error);
	json_decref(c->access.settings);
	json_decref(c->access.credentials);
	json_decref(c->access.former);
	json_decref(c->access.app);
	json_decref(c->grant.tokens);
	free((char *)(uintptr_t)c->grant.error);
	free(c);
}

static void entry_free(struct connection_entry *e)
{
	for (size_t i = 0; i < e->n; i++)
		connection_drop(e->v[i]);
	free(e->v);
	free(e->key);
	free(e);
}

static void cache_free_retired(int64_t before_us)
{
	struct connection_entry **at = &cache.retired;

	while (*at != NULL) {
		struct connection_entry *e = *at;

		if (e->retired_us >= before_us) {
			at = &e->older;
			continue;
		}
		*at = e->older;
		entry_free(e);
	}
}

void connection_cache_release(void)
{
	cache_free_retired(INT64_MAX);
}

/* ---- table and order ---------------------------------------------------------------------- */

static void entry_unlink(struct connection_entry *e)
{
	*(e->newer != NULL ? &e->newer->older : &cache.newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &cache.oldest) = e->newer;
	e->newer = e->older = NULL;
}

static void entry_link_newest(struct connection_entry *e)
{
	e->older = cache.newest;
	e->newer = NULL;
	*(cache.newest != NULL ? &cache.newest->newer : &cache.oldest) = e;
	cache.newest = e;
}

static void entry_retire(struct connection_entry *e)
{
	struct connection_entry **at = &cache.buckets[e->hash % BUCKETS];

	while (*at != e)
		at = &(*at)->next_in_bucket;
	*at = e->next_in_bucket;
	entry_unlink(e);
	cache.n--;
	e->retired_us = clock_mono_us();
	e->older = cache.retired;
	cache.retired = e;
}

static struct str question_key(struct arena *a, const struct cache_question *q)
{
	struct buf *b = buf_new(a, LIMIT_TYPE_BYTES + LIMIT_EXTERNAL_ID_BYTES + 2);

	if (q->id != NULL) {
		buf_chr(b, 'i');
		buf_add(b, q->id->b, sizeof(q->id->b));
	} else {
		buf_chr(b, 'e');
		buf_str(b, q->provider->name);
		buf_chr(b, '\n');
		buf_add(b, q->external.p, q->external.n);
	}
	return buf_ok(b) ? (struct str){b->p, b->len} : (struct str){NULL, 0};
}

static struct connection_entry *entry_find(struct str key, uint64_t hash)
{
	struct connection_entry *e = cache.buckets[hash % BUCKETS];

	while (e != NULL &&
	       !(e->hash == hash && e->key_n == key.n && memcmp(e->key, key.p, key.n) == 0))
		e = e->next_in_bucket;
	return e;
}

static struct connection_entry *entry_add(struct str key, uint64_t hash)
{
	struct connection_entry *e = heap_zalloc(sizeof(*e));

	if (cache.n == ENTRIES_MAX)
		entry_retire(cache.oldest);
	e->hash = hash;
	e->key = heap_zalloc(key.n + 1);
	memcpy(e->key, key.p, key.n);
	e->key_n = key.n;
	e->next_in_bucket = cache.buckets[hash % BUCKETS];
	cache.buckets[hash % BUCKETS] = e;
	entry_link_newest(e);
	cache.n++;
	return e;
}

/* ---- loading ------------------------------------------------------------------------------ */

/* A slice of the answer: behind the id after. */
static int question_query(struct app *app, const struct cache_question *q, bool is_version,
    const struct uuid *after, struct db_rows *rows, struct err *err)
{
	if (q->id != NULL)
		return db_query(app->db, cache.scratch,
		    is_version ? &cache_version_by_id : &cache_by_id, DB_VALS(db_uuid(q->id)), rows,
		    err);
	return db_query(app->db, cache.scratch,
	    is_version ? &cache_version_by_external : &cache_by_external,
	    DB_VALS(db_str(q->provider->name), db_strn(q->external), db_uuid(after)), rows, err);
}

static bool text_is_same(const char *x, const char *y)
{
	return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

static bool slice_is_last(const struct cache_question *q, const struct db_rows *rows)
{
	return q->external.p == NULL || rows->count < SLICE_ROWS;
}

/* Is a connection as the row says? */
static bool version_is_same(struct connection *c, const struct db_rows *rows, size_t row)
{
	struct uuid id = db_get_uuid(rows, row, VERSION_ID);

	if (!uuid_eq(id, c->id) || db_get_int(rows, row, VERSION_UPDATED) != c->updated_us ||
	    db_get_int(rows, row, VERSION_APP_UPDATED) != c->app_updated_us ||
	    db_get_int(rows, row, VERSION_GRANT_UPDATED) != c->grant_updated_us ||
	    !text_is_same(db_get_text(rows, row, VERSION_LAST_ERROR), c->last_error))
		return false;
	c->last_used_us = db_get_int(rows, row, VERSION_LAST_USED_AT);
	c->push_failed = db_get_int(rows, row, VERSION_PUSH_FAILED) != 0;
	return true;
}

static int entry_is_current(struct app *app, const struct cache_question *q,
    const struct connection_entry *e, struct err *err)
{
	struct uuid after = {0};
	struct db_rows rows;
	size_t n = 0;

	do {
		if (question_query(app, q, true, &after, &rows, err) == -1)
			return -1;
		for (size_t i = 0; i < rows.count; i++, n++) {
			if (n == e->n || !version_is_same(e->v[n], &rows, i))
				return 0;
			after = e->v[n]->id;
		}
	} while (!slice_is_last(q, &rows));
	return n == e->n;
}

/* An app signs for all of the provider's accounts. So at an address that is named by an account's
 * id it verifies only for whom the provider itself has said to be that account: anybody can name an
 * id, and would be sent what is another's. */
static void connection_leave_app(struct connection *c)
{
	if (c->proven_us == 0)
		c->access.app = NULL;
}

static int entry_load_slice(struct app *app, const struct cache_question *q,
    struct connection_entry *e, const struct db_rows *rows, struct err *err)
{
	struct connection **v =
	    realloc(e->v, (e->n + rows->count + 1) * sizeof(struct connection *));

	if (v == NULL)
		abort();
	e->v = v;
	for (size_t i = 0; i < rows->count; i++) {
		struct connection *c = connection_from_row(app, cache.scratch, rows, i, err);

		/* Of one among others: what is wrong with it is no fault of theirs. */
		if (c == NULL && q->external.p != NULL) {
			log_error("connection_unreadable", LOG_ERR(err));
			err_clear(err);
			c = connection_from_row_shut(app, cache.scratch, rows, i, err);
		}
		if (c == NULL)
			return -1;
		if (q->external.p != NULL)
			connection_leave_app(c);
		e->v[e->n++] = connection_keep(c);
	}
	return 0;
}

static int entry_load(
    struct app *app, const struct cache_question *q, struct connection_entry *e, struct err *err)
{
	struct uuid after = {0};
	struct db_rows rows;

	do {
		if (question_query(app, q, false, &after, &rows, err) == -1 ||
		    entry_load_slice(app, q, e, &rows, err) == -1)
			return -1;
		if (e->n > 0)
			after = e->v[e->n - 1]->id;
	} while (!slice_is_last(q, &rows));
	return 0;
}

/* The generation is read before the rows: a change in between is seen the next time. */
static int entry_refresh(struct app *app, const struct cache_question *q, struct str key,
    uint64_t hash, uint64_t generation, struct connection_entry **io, struct err *err)
{
	struct connection_entry *e = *io;
	int64_t now = clock_mono_us();

	if (e != NULL) {
		int current = entry_is_current(app, q, e, err);

		if (current == -1)
			return -1;
		if (current == 0) {
			entry_retire(e);
			e = NULL;
		}
	}
	if (e == NULL) {
		e = entry_add(key, hash);
		if (entry_load(app, q, e, err) == -1) {
			entry_retire(e);
			return -1;
		}
	}
	e->checked_us = now;
	e->generation = generation;
	*io = e;
	return 0;
}

static int cache_ask(
    struct app *app, const struct cache_question *q, struct connection_entry **out, struct err *err)
{
	int64_t now = clock_mono_us();
	uint64_t generation = audit_caches_generation(app);
	int rc = 0;

	if (cache.scratch == NULL)
		cache.scratch = arena_new();
	struct str key = question_key(cache.scratch, q);
	uint64_t hash = str_hash(key.p, key.n);
	*out = key.p == NULL ? NULL : entry_find(key, hash);
	if (key.p == NULL) {
		rc = err_set(err, ERR_INVALID, "the external account id is too long");
	} else if (*out == NULL || (*out)->generation != generation ||
		   now - (*out)->checked_us > CACHE_TTL_US) {
		cache_free_retired(now - GRACE_US);
		rc = entry_refresh(app, q, key, hash, generation, out, err);
	}
	if (rc == 0 && *out != cache.newest) {
		entry_unlink(*out);
		entry_link_newest(*out);
	}
	arena_reset(cache.scratch);
	return rc;
}

int connection_cached(
    struct app *app, const struct uuid *id, struct connection **out, struct err *err)
{
	struct cache_question q = {.id = id};
	struct connection_entry *e;

	if (cache_ask(app, &q, &e, err) == -1)
		return -1;
	if (e->n == 0)
		return 0;
	*out = e->v[0];
	return 1;
}

/* In the caller's memory, which outlives the entry. */
static struct connection *connection_copy(struct arena *a, const struct connection *from)
{
	struct connection *c = arena_alloc(a, sizeof(*c));

	*c = *from;
	c->name = arena_strdup(a, from->name);
	c->status = arena_strdup(a, from->status);
	c->access.external_account_id = arena_strdup(a, from->access.external_account_id);
	c->access.id = arena_strdup(a, from->access.id);
	c->access.webhook_url = arena_strdup(a, from->access.webhook_url);
	c->last_error = arena_strdup(a, from->last_error);
	c->routing = arena_strdup(a, from->routing);
	c->challenge_error = arena_strdup(a, from->challenge_error);
	c->access.settings = json_own(a, json_incref(from->access.settings));
	c->access.credentials = json_own(a, json_incref(from->access.credentials));
	if (from->access.former != NULL)
		c->access.former = json_own(a, json_incref(from->access.former));
	if (from->access.app != NULL)
		c->access.app = json_own(a, json_incref(from->access.app));
	if (from->grant.tokens != NULL)
		c->grant.tokens = json_own(a, json_incref(from->grant.tokens));
	c->grant.error = arena_strdup(a, from->grant.error);
	return c;
}

int connection_recent(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct connection **out, struct err *err)
{
	struct connection *c;
	int found = connection_cached(app, id, &c, err);

	if (found == 0) /* disabled, or removed: the row tells which */
		return connection_get(app, a, account_id, id, out, err);
	if (found == -1 || !uuid_eq(c->account_id, *account_id))
		return found == -1 ? -1 : 0;
	*out = connection_copy(a, c);
	return 1;
}

void connection_cache_check(const struct uuid *id)
{
	struct cache_question q = {.id = id};
	struct arena *a = arena_new();
	struct str key = question_key(a, &q);
	struct connection_entry *e = entry_find(key, str_hash(key.p, key.n));

	if (e != NULL)
		e->checked_us = -2 * CACHE_TTL_US;
	arena_free(a);
}

int connection_cached_by_external(struct app *app, const struct provider *p, struct str external,
    struct connection ***out, size_t *n, struct err *err)
{
	struct cache_question q = {.provider = p, .external = external};
	struct connection_entry *e;

	*out = NULL;
	*n = 0;
	if (external.n == 0 || external.n > LIMIT_EXTERNAL_ID_BYTES)
		return 0;
	if (cache_ask(app, &q, &e, err) == -1)
		return -1;
	*out = e->v;
	*n = e->n;
	return 0;
}
