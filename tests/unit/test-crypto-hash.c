#include <stdlib.h>

#include "base/buf.h"
#include "crypto/hash.h"
#include "test-base.h"

static void hex_of(char *out, size_t cap, const unsigned char *raw, size_t n)
{
	struct buf b;

	buf_init(&b, 128);
	hex_encode(&b, raw, n);
	snprintf(out, cap, "%s", b.p);
	buf_fini(&b);
}

/* FIPS 180-4 examples. */
static void digests(void)
{
	static const struct {
		int line;
		const char *text, *sha1, *sha256, *sha512;
	} rows[] = {
	    {__LINE__, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
		"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
	    {__LINE__, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
	    {__LINE__, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"84983e441c3bd26ebaae4aa1f95129e5e54670f1",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
		"204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c335"
		"96fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = str_from(rows[i].text);
		struct str parts[3] = {
		    {text.p, text.n / 3}, {NULL, 0}, {text.p + text.n / 3, text.n - text.n / 3}};
		unsigned char raw[HASH_SIZE_MAX];
		char hex[2 * HASH_SIZE_MAX + 1];

		hash_parts(HASH_SHA1, parts, 3, raw);
		hex_of(hex, sizeof(hex), raw, SHA1_SIZE);
		CHECK_AT(rows[i].line, TEXT_EQ(hex, rows[i].sha1));
		hash_parts(HASH_SHA256, parts, 3, raw);
		hex_of(hex, sizeof(hex), raw, SHA256_SIZE);
		CHECK_AT(rows[i].line, TEXT_EQ(hex, rows[i].sha256));
		hash_parts(HASH_SHA512, parts, 3, raw);
		hex_of(hex, sizeof(hex), raw, SHA512_SIZE);
		CHECK_AT(rows[i].line, TEXT_EQ(hex, rows[i].sha512));
		sha256_hex(text, hex);
		CHECK_AT(rows[i].line, TEXT_EQ(hex, rows[i].sha256));
	}
	CHECK(hash_size(HASH_SHA1) == 20 && hash_size(HASH_SHA256) == 32);
	CHECK(hash_size(HASH_SHA512) == 64);
}

static void names(void)
{
	enum hash_alg alg = HASH_SHA1;

	CHECK(hash_by_name(STR("sha512"), &alg) && alg == HASH_SHA512);
	CHECK(hash_by_name(STR("sha1"), &alg) && alg == HASH_SHA1);
	CHECK(hash_by_name(STR("sha256"), &alg) && alg == HASH_SHA256);
	CHECK(!hash_by_name(STR("md5"), &alg) && !hash_by_name(STR("SHA256"), &alg));
	CHECK(!hash_by_name((struct str){NULL, 0}, &alg) && alg == HASH_SHA256);
}

static void no_data_at_all(void)
{
	unsigned char a[SHA256_SIZE], b[SHA256_SIZE];

	hash_parts(HASH_SHA256, NULL, 0, a);
	sha256((struct str){NULL, 0}, b);
	CHECK(memcmp(a, b, sizeof(a)) == 0);
}

/* A byte repeated, or text: how both RFCs give keys and data. */
static struct str expand(const char *text, int byte, size_t n, char *room)
{
	if (text)
		return str_from(text);
	memset(room, byte, n);
	return (struct str){room, n};
}

struct mac {
	int line;
	const char *key;
	int key_byte;
	size_t key_n;
	const char *data;
	int data_byte;
	size_t data_n;
	const char *mac;
};

static const char larger_key[] = "Test Using Larger Than Block-Size Key - Hash Key First";
static const char larger_data[] =
    "This is a test using a larger than block-size key and a larger than block-size data. The key "
    "needs to be hashed before being used by the HMAC algorithm.";
static const char counting[] =
    "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11"
    "\x12\x13\x14\x15\x16\x17\x18\x19";

static void check_macs(enum hash_alg alg, const struct mac *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char key_room[256], data_room[256], hex[2 * HASH_SIZE_MAX + 1];
		struct str key = expand(rows[i].key, rows[i].key_byte, rows[i].key_n, key_room);
		struct str data =
		    expand(rows[i].data, rows[i].data_byte, rows[i].data_n, data_room);
		struct str halves[2] = {
		    {data.p, data.n / 2}, {data.p + data.n / 2, data.n - data.n / 2}};
		unsigned char raw[HASH_SIZE_MAX];

		hmac_parts(alg, key, &data, 1, raw);
		hex_of(hex, sizeof(hex), raw, hash_size(alg));
		CHECK_AT(rows[i].line, TEXT_EQ(hex, rows[i].mac));
		hmac_parts(alg, key, halves, 2, raw);
		hex_of(hex, sizeof(hex), raw, hash_size(alg));
		CHECK_AT(rows[i].line, TEXT_EQ(hex, rows[i].mac));
	}
}

static void rfc4231(void)
{
	static const struct mac rows[] = {
	    {__LINE__, NULL, 0x0b, 20, "Hi There", 0, 0,
		"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	    {__LINE__, "Jefe", 0, 0, "what do ya want for nothing?", 0, 0,
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	    {__LINE__, NULL, 0xaa, 20, NULL, 0xdd, 50,
		"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	    {__LINE__, counting, 0, 0, NULL, 0xcd, 50,
		"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	    {__LINE__, NULL, 0xaa, 131, larger_key, 0, 0,
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	    {__LINE__, NULL, 0xaa, 131, larger_data, 0, 0,
		"9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
	};

	check_macs(HASH_SHA256, rows, COUNT(rows));
}

static void rfc4231_sha512(void)
{
	static const struct mac rows[] = {
	    {__LINE__, NULL, 0x0b, 20, "Hi There", 0, 0,
		"87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
		"daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
	    {__LINE__, "Jefe", 0, 0, "what do ya want for nothing?", 0, 0,
		"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
		"9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	    {__LINE__, NULL, 0xaa, 20, NULL, 0xdd, 50,
		"fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
		"bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"},
	    {__LINE__, counting, 0, 0, NULL, 0xcd, 50,
		"b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
		"a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd"},
	    {__LINE__, NULL, 0xaa, 131, larger_key, 0, 0,
		"80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
		"6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
	    {__LINE__, NULL, 0xaa, 131, larger_data, 0, 0,
		"e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
		"b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58"},
	};

	check_macs(HASH_SHA512, rows, COUNT(rows));
}

static void rfc2202(void)
{
	static const struct mac rows[] = {
	    {__LINE__, NULL, 0x0b, 20, "Hi There", 0, 0,
		"b617318655057264e28bc0b6fb378c8ef146be00"},
	    {__LINE__, "Jefe", 0, 0, "what do ya want for nothing?", 0, 0,
		"effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
	    {__LINE__, NULL, 0xaa, 20, NULL, 0xdd, 50, "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
	    {__LINE__, counting, 0, 0, NULL, 0xcd, 50, "4c9007f4026250c6bc8414f9bf50c86c2d7235da"},
	    {__LINE__, NULL, 0xaa, 80, larger_key, 0, 0,
		"aa4ae5e15272d00e95705637ce8a3b55ed402112"},
	    {__LINE__, NULL, 0xaa, 80,
		"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data", 0, 0,
		"e8e99d0f45237d786d6bbaa7965c7808bbff1a91"},
	};

	check_macs(HASH_SHA1, rows, COUNT(rows));
}

static void an_empty_key(void)
{
	unsigned char a[SHA256_SIZE];
	struct str nothing = {NULL, 0};
	char hex[65];

	hmac_parts(HASH_SHA256, nothing, &nothing, 1, a);
	hex_of(hex, sizeof(hex), a, sizeof(a));
	CHECK(TEXT_EQ(hex, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
}

static void comparison(void)
{
	CHECK(mem_equal_ct("abc", 3, "abc", 3) && mem_equal_ct("", 0, "", 0));
	CHECK(mem_equal_ct(NULL, 0, NULL, 0));
	CHECK(!mem_equal_ct("abc", 3, "abd", 3) && !mem_equal_ct("abc", 3, "xbc", 3));
	CHECK(!mem_equal_ct("abc", 3, "abc", 2) && !mem_equal_ct("abc", 3, "", 0));
}

void suite_crypto_hash(void);
void suite_crypto_hash(void)
{
	ADD_TESTS("crypto/hash", {"digests", digests}, {"names", names},
	    {"no data at all", no_data_at_all}, {"HMAC-SHA256 of RFC 4231", rfc4231},
	    {"HMAC-SHA512 of RFC 4231", rfc4231_sha512}, {"HMAC-SHA1 of RFC 2202", rfc2202},
	    {"an empty key", an_empty_key}, {"comparison", comparison});
}
