/* The cache of actors: when it may answer and when it must not. */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "account/account-internal.h"
#include "base/clock.h"
#include "base/shared.h"

void suite_account_cache(void);

static struct digest key_of(unsigned i)
{
	char text[32];

	snprintf(text, sizeof(text), "credential %u", i);
	return digest_of(str_from(text));
}

static void put(unsigned i, int64_t mono_us, int64_t expires_us)
{
	char name[32];
	struct actor actor = {.kind = ACTOR_KEY, .permissions = i, .name = name, .csrf = NULL};
	struct digest key = key_of(i);

	snprintf(name, sizeof(name), "key %u", i);
	actor_cache_put(&key, 1, mono_us, expires_us, &actor);
	memset(name, 'x', sizeof(name));
}

static const struct actor *get(unsigned i, uint64_t generation, int64_t mono_us, int64_t now_us)
{
	struct digest key = key_of(i);

	return actor_cache_get(&key, generation, mono_us, now_us);
}

static void answers(void)
{
	const struct actor *actor;

	actor_cache_clear();
	CU_ASSERT_PTR_NULL(get(1, 1, 0, 0));
	put(1, 1000, 0);
	actor = get(1, 1, 1000, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(actor);
	CU_ASSERT_EQUAL(actor->permissions, 1);
	CU_ASSERT_STRING_EQUAL(actor->name, "key 1");
	CU_ASSERT_PTR_NULL(actor->csrf);
	CU_ASSERT_PTR_NULL(actor->email);
	CU_ASSERT_PTR_NULL(get(2, 1, 1000, 0));
	actor_cache_clear();
	CU_ASSERT_PTR_NULL(get(1, 1, 1000, 0));
}

static void forgets(void)
{
	actor_cache_clear();
	put(1, 1000, 5000);
	CU_ASSERT_PTR_NOT_NULL(get(1, 1, 1000 + CACHE_TTL_US - 1, 4999));
	CU_ASSERT_PTR_NULL(get(1, 1, 1000 + CACHE_TTL_US, 4999));
	CU_ASSERT_PTR_NULL(get(1, 2, 1000, 4999));
	CU_ASSERT_PTR_NULL(get(1, 1, 1000, 5000));
	/* and what was put again holds again */
	put(1, 1000 + CACHE_TTL_US, 0);
	CU_ASSERT_PTR_NOT_NULL(get(1, 1, 1000 + CACHE_TTL_US, 5000));
}

/* Many more than it holds: the newest stay, nothing is mixed up. */
static void is_bounded(void)
{
	unsigned kept = 0;

	actor_cache_clear();
	for (unsigned i = 1; i <= 5000; i++)
		put(i, i, 0);
	for (unsigned i = 1; i <= 5000; i++) {
		const struct actor *actor = get(i, 1, 5000, 0);

		if (actor == NULL)
			continue;
		kept++;
		if (actor->permissions != i)
			CU_FAIL("another's actor");
	}
	CU_ASSERT(kept > 100 && kept <= 512);
	CU_ASSERT_PTR_NOT_NULL(get(5000, 1, 5000, 0));
	actor_cache_clear();
}

void suite_account_cache(void)
{
	CU_pSuite s = CU_add_suite("account_cache", NULL, NULL);

	CU_add_test(s, "answers with copies", answers);
	CU_add_test(s, "forgets in time", forgets);
	CU_add_test(s, "is bounded", is_bounded);
}
