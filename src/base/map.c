#include "base/map.h"

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/oom.h"

#define SLOTS_FIRST 16u

struct map_entry {
	struct str key;
	uint64_t hash;
	void *value;
};

struct map {
	struct arena *arena;
	struct map_entry *entries; /* in order of insertion; room for three quarters of slots */
	uint32_t *slots;           /* index into entries plus one; 0 is free */
	size_t count, n_slots;     /* n_slots is a power of two */
};

static void map_allocate(struct map *m, size_t n_slots)
{
	if (n_slots > UINT32_MAX)
		oom_abort();
	m->n_slots = n_slots;
	m->slots = arena_array(m->arena, n_slots, sizeof(*m->slots));
	m->entries = arena_array(m->arena, n_slots / 4 * 3, sizeof(*m->entries));
}

struct map *map_new(struct arena *a)
{
	struct map *m = arena_zalloc(a, sizeof(*m));

	m->arena = a;
	map_allocate(m, SLOTS_FIRST);
	return m;
}

/* The slot that holds key, or the free one where it belongs. */
static uint32_t *map_find(const struct map *m, struct str key, uint64_t hash)
{
	size_t i = (size_t)(hash ^ hash >> 32) & (m->n_slots - 1);

	for (; m->slots[i]; i = (i + 1) & (m->n_slots - 1)) {
		const struct map_entry *e = &m->entries[m->slots[i] - 1];

		if (e->hash == hash && str_eq(e->key, key))
			break;
	}
	return &m->slots[i];
}

static void map_grow(struct map *m)
{
	const struct map_entry *before = m->entries;

	map_allocate(m, m->n_slots * 2);
	memcpy(m->entries, before, m->count * sizeof(*before));
	for (size_t i = 0; i < m->count; i++)
		*map_find(m, before[i].key, before[i].hash) = (uint32_t)(i + 1);
}

void map_put(struct map *m, struct str key, void *value)
{
	uint64_t hash = str_hash(key.p, key.n);
	uint32_t *slot = map_find(m, key, hash);

	if (*slot) {
		m->entries[*slot - 1].value = value;
		return;
	}
	if (m->count == m->n_slots / 4 * 3) {
		map_grow(m);
		slot = map_find(m, key, hash);
	}
	m->entries[m->count] = (struct map_entry){
	    .key = {arena_strndup(m->arena, key.p, key.n), key.n},
	    .hash = hash,
	    .value = value,
	};
	*slot = (uint32_t)++m->count;
}

void *map_get(const struct map *m, struct str key)
{
	uint32_t slot = *map_find(m, key, str_hash(key.p, key.n));

	return slot ? m->entries[slot - 1].value : NULL;
}

size_t map_count(const struct map *m)
{
	return m->count;
}

struct str map_key(const struct map *m, size_t i)
{
	return m->entries[i].key;
}

void *map_value(const struct map *m, size_t i)
{
	return m->entries[i].value;
}
