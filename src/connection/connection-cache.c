/* Connections in process memory, for the intake path: one entry per question asked (an id; a
 * provider's external account), bounded, least recently used out first. An entry is trusted for
 * CACHE_TTL_US while shared_generation stands; then one narrow query asks whether anything changed,
 * so that a steady connection is opened once. What is replaced or evicted stays readable until
 * connection_cache_release, or GRACE_US at the latest. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/shared.h"
#include "connection/connection-internal.h"

#define ENTRIES_MAX 4096u
#define BUCKETS 4096u
#define GRACE_US (60 * SECOND_US)

DB_STMT(cache_version_by_id,
    "SELECT id, updated_at FROM connections WHERE id = ? AND status <> '" CONNECTION_DISABLED "'");
DB_STMT(cache_by_id, "SELECT " CONNECTION_COLUMNS
		     " FROM connections WHERE id = ? AND status <> '" CONNECTION_DISABLED "'");
DB_STMT(cache_version_by_external,
    "SELECT id, updated_at FROM connections WHERE provider_type = ? AND external_account_id = ?"
    " AND status <> '" CONNECTION_DISABLED "' ORDER BY id LIMIT 64");
DB_STMT(cache_by_external,
    "SELECT " CONNECTION_COLUMNS " FROM connections WHERE provider_type = ?"
    " AND external_account_id = ? AND status <> '" CONNECTION_DISABLED "' ORDER BY id LIMIT 64");
/* The newest: what asks for any connection is a handshake, and that is of one being set up. */
DB_STMT(cache_version_by_provider, "SELECT id, updated_at FROM connections WHERE provider_type = ? "
				   "AND status <> '" CONNECTION_DISABLED "'"
				   " ORDER BY id DESC LIMIT 64");
DB_STMT(cache_by_provider, "SELECT " CONNECTION_COLUMNS " FROM connections WHERE provider_type = ?"
			   " AND status <> '" CONNECTION_DISABLED "' ORDER BY id DESC LIMIT 64");

/* A question: either id, or provider with external ({NULL,0}: any). */
struct question {
	const struct uuid *id;
	const struct provider *provider;
	struct str external;
};

struct entry {
	struct entry *next_in_bucket, *newer, *older; /* retired: older chains the retired list */
	uint64_t hash;
	size_t key_n;
	char *key;
	struct connection **v;
	size_t n;
	int64_t checked_us, retired_us; /* monotonic */
	uint64_t generation;
};

static struct {
	struct entry *buckets[BUCKETS];
	struct entry *newest, *oldest;
	struct entry *retired;
	size_t n;
	struct arena *scratch;
} cache;

static void *heap(size_t n)
{
	void *p = calloc(1, n);

	if (p == NULL)
		abort();
	return p;
}

static char *heap_text(const char *s)
{
	size_t n = s == NULL ? 0 : strlen(s) + 1;

	return s == NULL ? NULL : memcpy(heap(n), s, n);
}

/* ---- owning ------------------------------------------------------------------------------- */

static struct connection *connection_keep(const struct connection *from)
{
	struct connection *c = heap(sizeof *c);

	*c = *from;
	c->provider_type = c->provider->name;
	c->name = heap_text(from->name);
	c->status = heap_text(from->status);
	c->access.external_account_id = heap_text(from->access.external_account_id);
	c->last_error = heap_text(from->last_error);
	c->access.settings = json_incref(from->access.settings);
	c->access.credentials = json_incref(from->access.credentials);
	return c;
}

static void connection_drop(struct connection *c)
{
	free((char *)(uintptr_t)c->name);
	free((char *)(uintptr_t)c->status);
	free((char *)(uintptr_t)c->access.external_account_id);
	free((char *)(uintptr_t)c->last_error);
	json_decref(c->access.settings);
	json_decref(c->access.credentials);
	free(c);
}

static void entry_free(struct entry *e)
{
	for (size_t i = 0; i < e->n; i++)
		connection_drop(e->v[i]);
	free(e->v);
	free(e->key);
	free(e);
}

static void free_retired(int64_t before_us)
{
	struct entry **at = &cache.retired;

	while (*at != NULL) {
		struct entry *e = *at;

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
	free_retired(INT64_MAX);
}

/* ---- table and order ---------------------------------------------------------------------- */

static void unlink_order(struct entry *e)
{
	*(e->newer != NULL ? &e->newer->older : &cache.newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &cache.oldest) = e->newer;
	e->newer = e->older = NULL;
}

static void link_newest(struct entry *e)
{
	e->older = cache.newest;
	e->newer = NULL;
	*(cache.newest != NULL ? &cache.newest->newer : &cache.oldest) = e;
	cache.newest = e;
}

static void retire(struct entry *e)
{
	struct entry **at = &cache.buckets[e->hash % BUCKETS];

	while (*at != e)
		at = &(*at)->next_in_bucket;
	*at = e->next_in_bucket;
	unlink_order(e);
	cache.n--;
	e->retired_us = clock_mono_us();
	e->older = cache.retired;
	cache.retired = e;
}

static struct str key_of(struct arena *a, const struct question *q)
{
	struct buf *b = buf_new(a, LIMIT_TYPE_BYTES + LIMIT_EXTERNAL_ID_BYTES + 2);

	if (q->id != NULL) {
		buf_chr(b, 'i');
		buf_add(b, q->id->b, sizeof q->id->b);
	} else {
		buf_chr(b, q->external.p != NULL ? 'e' : 'p');
		buf_str(b, q->provider->name);
		buf_chr(b, '\n');
		buf_add(b, q->external.p, q->external.n);
	}
	return buf_ok(b) ? (struct str){b->p, b->len} : (struct str){NULL, 0};
}

static struct entry *find(struct str key, uint64_t hash)
{
	struct entry *e = cache.buckets[hash % BUCKETS];

	while (e != NULL &&
	       !(e->hash == hash && e->key_n == key.n && memcmp(e->key, key.p, key.n) == 0))
		e = e->next_in_bucket;
	return e;
}

static struct entry *add(struct str key, uint64_t hash)
{
	struct entry *e = heap(sizeof *e);

	if (cache.n == ENTRIES_MAX)
		retire(cache.oldest);
	e->hash = hash;
	e->key = heap(key.n + 1);
	memcpy(e->key, key.p, key.n);
	e->key_n = key.n;
	e->next_in_bucket = cache.buckets[hash % BUCKETS];
	cache.buckets[hash % BUCKETS] = e;
	link_newest(e);
	cache.n++;
	return e;
}

/* ---- loading ------------------------------------------------------------------------------ */

static int query(struct app *app, const struct question *q, bool is_version, struct db_rows *rows,
    struct err *err)
{
	if (q->id != NULL)
		return db_query(app->db, cache.scratch,
		    is_version ? &cache_version_by_id : &cache_by_id, DB_VALS(db_uuid(q->id)), rows,
		    err);
	if (q->external.p == NULL)
		return db_query(app->db, cache.scratch,
		    is_version ? &cache_version_by_provider : &cache_by_provider,
		    DB_VALS(db_str(q->provider->name)), rows, err);
	return db_query(app->db, cache.scratch,
	    is_version ? &cache_version_by_external : &cache_by_external,
	    DB_VALS(db_str(q->provider->name), db_strn(q->external)), rows, err);
}

static int is_current(
    struct app *app, const struct question *q, const struct entry *e, struct err *err)
{
	struct db_rows rows;

	if (query(app, q, true, &rows, err) == -1)
		return -1;
	if (rows.count != e->n)
		return 0;
	for (size_t i = 0; i < e->n; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);

		if (!uuid_eq(id, e->v[i]->id) || db_get_int(&rows, i, 1) != e->v[i]->updated_us)
			return 0;
	}
	return 1;
}

static int load(struct app *app, const struct question *q, struct entry *e, struct err *err)
{
	struct db_rows rows;

	if (query(app, q, false, &rows, err) == -1)
		return -1;
	e->v = heap((rows.count + 1) * sizeof(struct connection *));
	for (size_t i = 0; i < rows.count; i++) {
		struct connection *c = connection_from_row(app, cache.scratch, &rows, i, err);

		if (c == NULL)
			return -1;
		e->v[e->n++] = connection_keep(c);
	}
	return 0;
}

/* The generation is read before the rows: a change in between is seen the next time. */
static int refresh(struct app *app, const struct question *q, struct str key, uint64_t hash,
    uint64_t generation, struct entry **io, struct err *err)
{
	struct entry *e = *io;
	int64_t now = clock_mono_us();

	if (e != NULL) {
		int current = is_current(app, q, e, err);

		if (current < 0)
			return -1;
		if (current == 0) {
			retire(e);
			e = NULL;
		}
	}
	if (e == NULL) {
		e = add(key, hash);
		if (load(app, q, e, err) == -1) {
			retire(e);
			return -1;
		}
	}
	e->checked_us = now;
	e->generation = generation;
	*io = e;
	return 0;
}

static int ask(struct app *app, const struct question *q, struct entry **out, struct err *err)
{
	int64_t now = clock_mono_us();
	uint64_t generation = app->shared == NULL ? 0 : shared_generation(app->shared);
	int rc = 0;

	if (cache.scratch == NULL)
		cache.scratch = arena_new();
	struct str key = key_of(cache.scratch, q);
	uint64_t hash = str_hash(key.p, key.n);
	*out = key.p == NULL ? NULL : find(key, hash);
	if (key.p == NULL) {
		rc = err_set(err, ERR_INVALID, "the external account id is too long");
	} else if (*out == NULL || (*out)->generation != generation ||
		   now - (*out)->checked_us > CACHE_TTL_US) {
		free_retired(now - GRACE_US);
		rc = refresh(app, q, key, hash, generation, out, err);
	}
	if (rc == 0 && *out != cache.newest) {
		unlink_order(*out);
		link_newest(*out);
	}
	arena_reset(cache.scratch);
	return rc;
}

int connection_cached(
    struct app *app, const struct uuid *id, struct connection **out, struct err *err)
{
	struct question q = {.id = id};
	struct entry *e;

	if (ask(app, &q, &e, err) == -1)
		return -1;
	if (e->n == 0)
		return 0;
	*out = e->v[0];
	return 1;
}

int connection_cached_by_external(struct app *app, const struct provider *p, struct str external,
    struct connection ***out, size_t *n, struct err *err)
{
	struct question q = {.provider = p, .external = external};
	struct entry *e;

	*out = NULL;
	*n = 0;
	if (external.p != NULL && (external.n == 0 || external.n > LIMIT_EXTERNAL_ID_BYTES))
		return 0;
	if (ask(app, &q, &e, err) == -1)
		return -1;
	*out = e->v;
	*n = e->n;
	return 0;
}
