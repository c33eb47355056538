/* Mappings are compiled once a version and process: a push that follows another pays for none of
 * it. An entry is of a connection as it was saved and of a version of its mapping; whatever changes
 * makes another key, so nothing has to be told. A slot is taken over by the next that falls on it,
 * which compiles anew. Applying waits for nothing, so no entry goes while it is used. */
#include "base/arena.h"
#include "crm/crm-mapping.h"

#define SLOTS 256u

struct cache_key {
	struct uuid connection_id;
	int64_t version, updated_us;
};
static struct {
	struct cache_key key;
	struct arena *a; /* NULL: empty */
	struct mapping *m;
} cache[SLOTS];

static bool key_is_same(const struct cache_key *x, const struct cache_key *y)
{
	return uuid_eq(x->connection_id, y->connection_id) && x->version == y->version &&
	       x->updated_us == y->updated_us;
}

static struct mapping *mapping_open(
    struct arena *a, const struct connection *c, const struct crm_mapping *m, struct err *err)
{
	const json_t *doc = NULL;

	if (m != NULL && m->text.p != NULL && (doc = json_parse_stored(a, m->text, err)) == NULL)
		return NULL;
	return mapping_compile(a, c, doc, err);
}

/* NULL: what cannot be compiled, with the reason. */
static const struct mapping *cache_find(
    const struct connection *c, const struct crm_mapping *m, struct err *err)
{
	struct cache_key key = {c->id, m == NULL ? 0 : m->version, c->updated_us};
	size_t i = str_hash(key.connection_id.b, sizeof(key.connection_id.b)) % SLOTS;
	struct arena *a;
	struct mapping *made;

	if (cache[i].a != NULL && key_is_same(&cache[i].key, &key))
		return cache[i].m;
	a = arena_new();
	made = mapping_open(a, c, m, err);
	if (made == NULL) {
		arena_free(a);
		return NULL;
	}
	if (cache[i].a != NULL)
		arena_free(cache[i].a);
	cache[i].key = key;
	cache[i].a = a;
	cache[i].m = made;
	return made;
}

json_t *crm_map_lead(struct arena *a, const struct connection *c, const struct crm_mapping *mapping,
    const json_t *lead, json_t *missing, struct err *err)
{
	const struct mapping *m =
	    uuid_is_nil(c->id) ? mapping_open(a, c, mapping, err) : cache_find(c, mapping, err);

	return m == NULL ? NULL : mapping_apply(m, a, c, lead, missing, err);
}
