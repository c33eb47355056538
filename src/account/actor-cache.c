/* A small set-associative table of the actors that this process has seen a moment ago. */
#include "account/account-internal.h"
#include "account/audit.h"

#define SETS 128u /* power of two */
#define WAYS 4u

struct cache_entry {
	struct digest key;
	uint64_t generation;
	int64_t filled_mono_us, expires_us;
	struct actor actor;
	char *text; /* of the actor; NULL: the entry is empty */
};

static struct cache_entry cache_table[SETS][WAYS];

/* Digests are uniform: any of their bytes choose a set. */
static struct cache_entry *cache_set(const struct digest *key)
{
	return cache_table[(key->b[0] | (unsigned)key->b[1] << 8) & (SETS - 1)];
}

const struct actor *actor_cache_get(
    const struct digest *credential, uint64_t generation, int64_t mono_us, int64_t now_us)
{
	const struct cache_entry *set = cache_set(credential);

	for (size_t i = 0; i < WAYS; i++) {
		const struct cache_entry *e = &set[i];

		if (e->text == NULL ||
		    !mem_equal_ct(e->key.b, sizeof(e->key.b), credential->b, sizeof(e->key.b)))
			continue;
		if (e->generation != generation || mono_us - e->filled_mono_us >= CACHE_TTL_US ||
		    (e->expires_us != 0 && e->expires_us <= now_us))
			return NULL;
		return &e->actor;
	}
	return NULL;
}

static struct cache_entry *cache_victim(const struct digest *credential)
{
	struct cache_entry *set = cache_set(credential), *oldest = set;

	for (size_t i = 0; i < WAYS; i++) {
		struct cache_entry *e = &set[i];

		if (e->text == NULL || memcmp(e->key.b, credential->b, sizeof(e->key.b)) == 0)
			return e;
		if (e->filled_mono_us < oldest->filled_mono_us)
			oldest = e;
	}
	return oldest;
}

#define TEXTS 5u

static void cache_copy_text(struct cache_entry *e)
{
	const char **texts[TEXTS] = {&e->actor.name, &e->actor.account_name, &e->actor.role,
	    &e->actor.email, &e->actor.csrf};
	size_t sizes[TEXTS], total = 1;
	char *at;

	for (size_t i = 0; i < TEXTS; i++) {
		sizes[i] = *texts[i] == NULL ? 0 : strlen(*texts[i]) + 1;
		total += sizes[i];
	}
	at = malloc(total);
	if (at == NULL)
		abort();
	free(e->text);
	e->text = at;
	for (size_t i = 0; i < TEXTS; i++) {
		if (sizes[i] == 0)
			continue;
		memcpy(at, *texts[i], sizes[i]);
		*texts[i] = at;
		at += sizes[i];
	}
}

void actor_cache_put(const struct digest *credential, uint64_t generation, int64_t mono_us,
    int64_t expires_us, const struct actor *actor)
{
	struct cache_entry *e = cache_victim(credential);
	char *text = e->text;

	e->key = *credential;
	e->generation = generation;
	e->filled_mono_us = mono_us;
	e->expires_us = expires_us;
	e->actor = *actor;
	e->text = NULL;
	cache_copy_text(e);
	free(text);
}

void actor_cache_clear(void)
{
	for (size_t s = 0; s < SETS; s++)
		for (size_t i = 0; i < WAYS; i++) {
			free(cache_table[s][i].text);
			cache_table[s][i] = (struct cache_entry){0};
		}
}
