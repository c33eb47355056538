#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "crypto/hash.h"
#include "crypto/jwt.h"
#include "test-base.h"

#define NOW (INT64_C(1772893800) * SECOND_US)

static const unsigned char key[32] = "0123456789abcdef0123456789abcdef";
static const unsigned char other_key[32] = "0123456789abcdef0123456789abcdeF";

/* A token made by hand: the parts encoded, and signed with our key unless mac says otherwise. */
static const char *forge(struct arena *a, const char *head, const char *claims, bool is_signed)
{
	struct buf *b = buf_new(a, 4096);
	unsigned char mac[SHA256_SIZE];
	struct str text;

	base64url_encode(b, head, strlen(head));
	buf_chr(b, '.');
	base64url_encode(b, claims, strlen(claims));
	text = (struct str){b->p, b->len};
	hmac_parts(HASH_SHA256, (struct str){(const char *)key, 32}, &text, 1, mac);
	buf_chr(b, '.');
	if (is_signed)
		base64url_encode(b, mac, sizeof(mac));
	return b->p;
}

static void there_and_back(void)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	json_t *claims =
	    json_parse(a, STR("{\"sub\":\"u1\",\"acc\":\"a1\",\"n\":[1,{\"x\":true}]}"), NULL);
	const char *token = jwt_sign(a, key, claims, NOW, 3600, &e);
	json_t *back;

	REQUIRE(token != NULL);
	back = jwt_verify(a, key, token, NOW + 1, &e);
	REQUIRE(back != NULL);
	CHECK(TEXT_EQ(json_text(a, back).p,
	    "{\"acc\":\"a1\",\"exp\":1772897400,\"iat\":1772893800,\"n\":[1,{\"x\":true}],"
	    "\"sub\":\"u1\"}"));
	CHECK(json_object_get(claims, "exp") == NULL);
	token = jwt_sign(a, key, NULL, NOW, 60, &e);
	CHECK(token && jwt_verify(a, key, token, NOW, &e) != NULL);
	arena_free(a);
}

static void expires(void)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	const char *token = jwt_sign(a, key, NULL, NOW, 3600, &e);

	REQUIRE(token != NULL);
	CHECK(jwt_verify(a, key, token, NOW + 3599 * SECOND_US, &e) != NULL);
	CHECK(jwt_verify(a, key, token, NOW + 3600 * SECOND_US, &e) == NULL);
	CHECK(e.code == ERR_UNAUTHORIZED && TEXT_EQ(e.msg, "token has expired"));
	token = forge(a, "{\"alg\":\"HS256\"}", "{\"sub\":\"u\"}", true);
	CHECK(jwt_verify(a, key, token, NOW, NULL) == NULL);
	token = forge(a, "{\"alg\":\"HS256\"}", "{\"exp\":\"9999999999\"}", true);
	CHECK(jwt_verify(a, key, token, NOW, NULL) == NULL);
	token = forge(a, "{\"alg\":\"HS256\"}", "{\"exp\":9999999999,\"nbf\":9999999998}", true);
	CHECK(jwt_verify(a, key, token, NOW, NULL) == NULL);
	token = forge(a, "{\"alg\":\"HS256\"}", "{\"exp\":9999999999}", true);
	CHECK(jwt_verify(a, key, token, NOW, NULL) != NULL);
	arena_free(a);
}

static void other_algorithms_are_refused(void)
{
	static const char *const heads[] = {"{\"alg\":\"none\"}", "{\"alg\":\"None\"}", "{}",
	    "{\"alg\":\"HS512\"}", "{\"alg\":\"HS384\"}", "{\"alg\":\"RS256\"}",
	    "{\"alg\":\"ES256\"}", "{\"typ\":\"JWT\"}", "[]", "", "null"};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(heads); i++) {
		struct err e = ERR_INIT;
		const char *claims = "{\"exp\":9999999999}";

		CHECK(jwt_verify(a, key, forge(a, heads[i], claims, true), NOW, &e) == NULL);
		CHECK(e.code == ERR_UNAUTHORIZED);
		CHECK(jwt_verify(a, key, forge(a, heads[i], claims, false), NOW, NULL) == NULL);
	}
	arena_free(a);
}

static void altered(void)
{
	struct arena *a = arena_new();
	char *token = jwt_sign(a, key, NULL, NOW, 3600, NULL);
	size_t n;
	int accepted = 0;

	REQUIRE(token != NULL);
	n = strlen(token);
	CHECK(jwt_verify(a, other_key, token, NOW, NULL) == NULL);
	/* the last character holds two bits that do not count */
	for (size_t i = 0; i + 1 < n; i++) {
		char before = token[i];

		token[i] = before == 'A' ? 'B' : 'A';
		accepted += jwt_verify(a, key, token, NOW, NULL) != NULL;
		token[i] = before;
	}
	CHECK(accepted == 0);
	CHECK(jwt_verify(a, key, arena_strndup(a, token, n - 5), NOW, NULL) == NULL);
	CHECK(jwt_verify(a, key, arena_strndup(a, token, strcspn(token, ".")), NOW, NULL) == NULL);
	CHECK(jwt_verify(a, key, arena_printf(a, "%s.x", token), NOW, NULL) == NULL);
	CHECK(jwt_verify(a, key, token, NOW, NULL) != NULL);
	arena_free(a);
}

static void nonsense(void)
{
	struct arena *a = arena_new();
	char *large = arena_zalloc(a, 100001);

	memset(large, 'a', 100000);
	CHECK(jwt_verify(a, key, NULL, NOW, NULL) == NULL);
	CHECK(jwt_verify(a, key, "", NOW, NULL) == NULL);
	CHECK(jwt_verify(a, key, ".", NOW, NULL) == NULL);
	CHECK(jwt_verify(a, key, "..", NOW, NULL) == NULL);
	CHECK(jwt_verify(a, key, "a.b.c", NOW, NULL) == NULL);
	CHECK(jwt_verify(a, key, large, NOW, NULL) == NULL);
	arena_free(a);
}

void suite_crypto_jwt(void);
void suite_crypto_jwt(void)
{
	ADD_TESTS("crypto/jwt", {"there and back", there_and_back}, {"expires", expires},
	    {"other algorithms are refused", other_algorithms_are_refused}, {"altered", altered},
	    {"nonsense", nonsense});
}
