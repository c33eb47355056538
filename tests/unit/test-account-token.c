/* Bearer tokens: what holds and what does not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "account/account-internal.h"
#include "base/clock.h"
#include "base/config.h"
#include "crypto/jwt.h"
#include "keys-check.h"

void suite_account_token(void);

#define NOW_US (INT64_C(1800000000) * SECOND_US)

static struct arena *a;
static struct config cfg = {.jwt_ttl_s = 3600};
static struct app app = {.config = &cfg};
static struct account_member member = {.password_hash = "$y$j9T$salt$hash"};

static int begin(void)
{
	a = arena_new();
	app.keys = keys_made(a);
	member.account_id = uuid_new();
	member.user_id = uuid_new();
	return app.keys == NULL;
}

static int end(void)
{
	arena_free(a);
	return 0;
}

static char *made(void)
{
	struct err err = ERR_INIT;
	char *token = token_make(&app, a, &member, NOW_US, &err);

	CU_ASSERT_PTR_NOT_NULL_FATAL(token);
	return token;
}

static bool holds(const char *token, int64_t now_us)
{
	struct token_claims c;

	return token_read(&app, a, str_from(token), now_us, &c);
}

static void there_and_back(void)
{
	struct token_claims c;

	CU_ASSERT(token_read(&app, a, str_from(made()), NOW_US, &c));
	CU_ASSERT(uuid_eq(c.user_id, member.user_id));
	CU_ASSERT(uuid_eq(c.account_id, member.account_id));
	CU_ASSERT_EQUAL(c.expires_us, NOW_US + 3600 * SECOND_US);
	CU_ASSERT_STRING_EQUAL(c.version, token_version(&app, a, &member));
	CU_ASSERT_STRING_NOT_EQUAL(c.version,
	    token_version(&app, a, &(struct account_member){.password_hash = "$y$j9T$salt$other"}));
	CU_ASSERT_STRING_NOT_EQUAL(c.version,
	    token_version(&app, a,
		&(struct account_member){.password_hash = member.password_hash, .token_epoch = 1}));
}

static void expiry(void)
{
	const char *token = made();

	CU_ASSERT(holds(token, NOW_US + 3599 * SECOND_US));
	CU_ASSERT_FALSE(holds(token, NOW_US + 3600 * SECOND_US));
}

/* No byte of it can be another. The last of a part may carry bits that decode to nothing, so there
 * only a change of the decoded bytes counts. */
static void altered(void)
{
	const char *token = made();
	size_t n = strlen(token);

	for (size_t i = 0; i < n; i++) {
		char *other = arena_strdup(a, token);

		if (token[i] == '.' || i + 1 == n || token[i + 1] == '.')
			continue;
		other[i] = token[i] == 'A' ? 'B' : 'A';
		if (holds(other, NOW_US)) {
			CU_FAIL("an altered token holds");
			return;
		}
	}
	CU_ASSERT_FALSE(holds(arena_strndup(a, token, n - 4), NOW_US));
	CU_ASSERT_FALSE(holds("", NOW_US));
	CU_ASSERT_FALSE(holds("..", NOW_US));
	CU_ASSERT_FALSE(holds("a.b.c", NOW_US));
}

/* {"alg":"none"} and our own claims, unsigned. */
static void unsigned_token(void)
{
	struct buf *b = buf_new(a, 4096);
	const char *claims = strchr(made(), '.') + 1;

	base64url_encode(b, "{\"alg\":\"none\",\"typ\":\"JWT\"}", 27);
	buf_chr(b, '.');
	buf_add(b, claims, (size_t)(strchr(claims, '.') - claims + 1));
	CU_ASSERT_FALSE(holds(b->p, NOW_US));
}

/* Signed by us, for something else. */
static void incomplete(void)
{
	unsigned char key[32];
	json_t *claims = json_own(a, json_object());
	const char *id = uuid_dup(a, member.user_id);

	keyring_derive(app.keys, "jwt", key);
	CU_ASSERT_FALSE(holds(jwt_sign(a, key, claims, NOW_US, 60, NULL), NOW_US));
	json_set_str(claims, "sub", id);
	json_set_str(claims, "ver", "x");
	CU_ASSERT_FALSE(holds(jwt_sign(a, key, claims, NOW_US, 60, NULL), NOW_US));
	json_set_str(claims, "acc", "not an id");
	CU_ASSERT_FALSE(holds(jwt_sign(a, key, claims, NOW_US, 60, NULL), NOW_US));
	json_set_str(claims, "acc", id);
	CU_ASSERT(holds(jwt_sign(a, key, claims, NOW_US, 60, NULL), NOW_US));
	key[0] ^= 1;
	CU_ASSERT_FALSE(holds(jwt_sign(a, key, claims, NOW_US, 60, NULL), NOW_US));
}

void suite_account_token(void)
{
	CU_pSuite s = CU_add_suite("account_token", begin, end);

	CU_add_test(s, "there and back", there_and_back);
	CU_add_test(s, "expiry", expiry);
	CU_add_test(s, "altered", altered);
	CU_add_test(s, "unsigned", unsigned_token);
	CU_add_test(s, "signed for something else", incomplete);
}
