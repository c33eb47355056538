#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "crypto/aead.h"
#include "crypto/cipher.h"
#include "test-base.h"

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* 0 to 31 */
#define KEY_B "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=" /* 31 to 0 */

static char folder[] = "/tmp/connect-keys-XXXXXX";
static char file[64];

static int make_folder(void)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof(file), "%s/keys", folder);
	return 0;
}

static int remove_folder(void)
{
	unlink(file);
	return rmdir(folder);
}

static struct keyring *load(struct arena *a, const char *text, mode_t mode, struct err *e)
{
	FILE *f = fopen(file, "we");

	REQUIRE(f != NULL);
	fputs(text, f);
	fclose(f);
	REQUIRE(chmod(file, mode) == 0);
	return keyring_load(a, file, e);
}

/* Test case 16 of the GCM specification (McGrew and Viega): AES-256 with additional data. */
static void gcm_vector(void)
{
	unsigned char key[32], nonce[12], aad[20], plain[60], expected[76], out[76], back[60];
	struct str authenticated = {(const char *)aad, sizeof(aad)};
	struct str text = {(const char *)plain, sizeof(plain)};

	hex_decode(
	    key, 32, STR("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
	hex_decode(nonce, 12, STR("cafebabefacedbaddecaf888"));
	hex_decode(aad, 20, STR("feedfacedeadbeeffeedfacedeadbeefabaddad2"));
	hex_decode(plain, 60,
	    STR("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"));
	hex_decode(expected, 76,
	    STR("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
		"76fc6ece0f4e1768cddf8853bb2d551b"));
	cipher_seal(key, nonce, authenticated, text, out);
	CHECK(memcmp(out, expected, sizeof(out)) == 0);
	CHECK(cipher_open(
	    key, nonce, authenticated, (struct str){(const char *)out, sizeof(out)}, back));
	CHECK(memcmp(back, plain, sizeof(back)) == 0);
	CHECK(!cipher_open(key, nonce, authenticated, (struct str){(const char *)out, 15}, back));
}

static void there_and_back(void)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 100, 5000};
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	struct keyring *k = load(a, "7:" KEY_A "\n", 0600, &e);
	char *plain = arena_zalloc(a, 5000);

	REQUIRE(k != NULL);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct str text = {plain, sizes[i]}, blob, back;

		memset(plain, (int)i, sizes[i]);
		blob = aead_seal(k, a, STR("table:1"), text, &e);
		CHECK(blob.p != NULL && blob.n == 1 + 4 + 12 + sizes[i] + 16);
		CHECK(blob.p && memcmp(blob.p, "\1\0\0\0\7", 5) == 0);
		back = aead_open(k, a, STR("table:1"), blob, &e);
		CHECK(back.p != NULL && str_eq(back, text) && e.code == ERR_NONE);
	}
	arena_free(a);
}

static void no_two_blobs_are_alike(void)
{
	struct arena *a = arena_new();
	struct keyring *k = load(a, "1:" KEY_A "\n", 0600, NULL);
	struct str one, two;

	REQUIRE(k != NULL);
	one = aead_seal(k, a, STR("c"), STR("secret"), NULL);
	two = aead_seal(k, a, STR("c"), STR("secret"), NULL);
	CHECK(!str_eq(one, two));
	CHECK(memmem(one.p, one.n, "secret", 6) == NULL);
	arena_free(a);
}

static void any_altered_byte_is_noticed(void)
{
	struct arena *a = arena_new();
	struct keyring *k = load(a, "1:" KEY_A "\n2:" KEY_A "\n", 0600, NULL);
	struct str blob, copy;
	int opened = 0;
	char *bytes;

	REQUIRE(k != NULL);
	blob = aead_seal(k, a, STR("c"), STR("secret"), NULL);
	bytes = arena_memdup(a, blob.p, blob.n);
	copy = (struct str){bytes, blob.n};
	CHECK(aead_open(k, a, STR("c"), copy, NULL).p != NULL);
	for (size_t i = 0; i < blob.n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			struct err e = ERR_INIT;

			bytes[i] = (char)(bytes[i] ^ (1 << bit));
			opened += aead_open(k, a, STR("c"), copy, &e).p != NULL;
			opened += e.code != ERR_INTERNAL;
			bytes[i] = blob.p[i];
		}
	}
	for (size_t n = 0; n < blob.n; n++)
		opened += aead_open(k, a, STR("c"), (struct str){bytes, n}, NULL).p != NULL;
	/* the id of another key of the ring, which even has the same bytes */
	bytes[4] = 2;
	opened += aead_open(k, a, STR("c"), copy, NULL).p != NULL;
	CHECK(opened == 0);
	arena_free(a);
}

static void a_blob_cannot_be_moved(void)
{
	struct arena *a = arena_new();
	struct keyring *k = load(a, "1:" KEY_A "\n", 0600, NULL);
	struct err e = ERR_INIT;
	struct str blob;

	REQUIRE(k != NULL);
	blob = aead_seal(k, a, STR("connections:1"), STR("secret"), NULL);
	CHECK(aead_open(k, a, STR("connections:2"), blob, &e).p == NULL);
	CHECK(e.code == ERR_INTERNAL && strstr(e.msg, "secret") == NULL);
	CHECK(aead_open(k, a, STR(""), blob, NULL).p == NULL);
	arena_free(a);
}

static void keys_rotate(void)
{
	struct arena *a = arena_new();
	struct keyring *before = load(a, "1:" KEY_A "\n", 0600, NULL), *during, *after;
	struct str old, fresh;
	struct err e = ERR_INIT;

	REQUIRE(before != NULL);
	old = aead_seal(before, a, STR("c"), STR("x"), NULL);
	during = load(a, "# the first seals\n\n2:" KEY_B "\n1:" KEY_A, 0640, NULL);
	REQUIRE(during != NULL);
	fresh = aead_seal(during, a, STR("c"), STR("x"), NULL);
	CHECK(memcmp(fresh.p, "\1\0\0\0\2", 5) == 0);
	CHECK(aead_open(during, a, STR("c"), old, NULL).p != NULL);
	CHECK(aead_open(during, a, STR("c"), fresh, NULL).p != NULL);
	after = load(a, "2:" KEY_B "\n", 0600, NULL);
	REQUIRE(after != NULL);
	CHECK(aead_open(after, a, STR("c"), fresh, NULL).p != NULL);
	CHECK(aead_open(after, a, STR("c"), old, &e).p == NULL && e.code == ERR_INTERNAL);
	arena_free(a);
}

/* What runs on while the file is changed: it seals with what is first now, opens what others seal,
 * and goes on with what it has where the file cannot be read. */
static void the_file_is_read_anew(void)
{
	struct arena *a = arena_new();
	struct keyring *k = load(a, "1:" KEY_A "\n", 0600, NULL), *other;
	struct str old, fresh;
	unsigned char one[32], again[32];

	REQUIRE(k != NULL);
	keyring_derive(k, "jwt", one);
	other = load(a, "2:" KEY_B "\n1:" KEY_A "\n", 0600, NULL);
	REQUIRE(other != NULL);
	fresh = aead_seal(other, a, STR("c"), STR("x"), NULL);
	CHECK(aead_open(k, a, STR("c"), fresh, NULL).p != NULL);
	CHECK(keyring_sealing_id(k) == 2);
	keyring_derive(k, "jwt", again);
	CHECK(memcmp(one, again, 32) == 0);
	k = load(a, "1:" KEY_A "\n", 0600, NULL);
	REQUIRE(k != NULL && load(a, "2:" KEY_B "\n1:" KEY_A "\n", 0600, NULL) != NULL);
	old = aead_seal(k, a, STR("c"), STR("x"), NULL);
	CHECK(aead_key_id(old) == 2);
	k = load(a, "1:" KEY_A "\n", 0600, NULL);
	REQUIRE(k != NULL && load(a, "2:" KEY_B "\n", 0600, NULL) != NULL);
	keyring_derive(k, "jwt", again); /* the oldest is gone, for whoever derives */
	CHECK(memcmp(one, again, 32) != 0);
	k = load(a, "1:" KEY_A "\n", 0600, NULL);
	REQUIRE(k != NULL && load(a, "nonsense", 0600, NULL) == NULL);
	CHECK(aead_key_id(aead_seal(k, a, STR("c"), STR("x"), NULL)) == 1);
	arena_free(a);
}

static void the_file_is_changed(void)
{
	struct arena *a = arena_new();
	struct keyring *k = load(a, "1:" KEY_A "\n", 0640, NULL);
	struct err e = ERR_INIT;
	struct stat st;

	REQUIRE(k != NULL);
	CHECK(keyring_add(k, &e) == 0);
	CHECK(keyring_newest_id(k) == 2 && keyring_sealing_id(k) == 1);
	CHECK(keyring_drop(k, 1, &e) == -1 && e.code == ERR_CONFLICT);
	err_clear(&e);
	CHECK(keyring_promote(k, &e) == 0 && keyring_sealing_id(k) == 2);
	CHECK(stat(file, &st) == 0 && (st.st_mode & 07777) == 0640);
	CHECK(keyring_drop(k, 1, &e) == 0);
	k = keyring_load(a, file, &e);
	REQUIRE(k != NULL);
	CHECK(keyring_sealing_id(k) == 2 && keyring_newest_id(k) == 2);
	CHECK(keyring_drop(k, 7, &e) == -1 && e.code == ERR_NOT_FOUND);
	arena_free(a);
}

static void bad_files(void)
{
	static const struct {
		int line;
		const char *text;
		mode_t mode;
	} rows[] = {
	    {__LINE__, "", 0600},
	    {__LINE__, "# nothing\n", 0600},
	    {__LINE__, KEY_A "\n", 0600},
	    {__LINE__, "x:" KEY_A "\n", 0600},
	    {__LINE__, "0:" KEY_A "\n", 0600},
	    {__LINE__, "4294967296:" KEY_A "\n", 0600},
	    {__LINE__, "1:AAAA\n", 0600},
	    {__LINE__, "1:AAAA" KEY_A "\n", 0600},
	    {__LINE__, "1:" KEY_A "\n1:" KEY_B "\n", 0600},
	    {__LINE__, "1:" KEY_A "\n2:nonsense\n", 0600},
	    {__LINE__, "1:" KEY_A "\n", 0604},
	    {__LINE__, "1:" KEY_A "\n", 0620},
	    {__LINE__, "1:" KEY_A "\n", 0602},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;

		CHECK_AT(rows[i].line, load(a, rows[i].text, rows[i].mode, &e) == NULL);
		CHECK_AT(rows[i].line, e.code == ERR_INVALID);
		CHECK_AT(rows[i].line, strstr(e.msg, "AAEC") == NULL);
	}
	CHECK(keyring_load(a, "/nonexistent/keys", NULL) == NULL);
	arena_free(a);
}

static void creates(void)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	struct keyring *k;
	struct stat st;

	unlink(file);
	CHECK(keyring_create(file, &e) == 0);
	CHECK(stat(file, &st) == 0 && (st.st_mode & 07777) == 0600);
	k = keyring_load(a, file, &e);
	REQUIRE(k != NULL);
	CHECK(aead_open(k, a, STR("c"), aead_seal(k, a, STR("c"), STR("x"), &e), &e).p != NULL);
	CHECK(keyring_create(file, &e) == -1 && e.code == ERR_CONFLICT);
	CHECK(keyring_create("/nonexistent/keys", NULL) == -1);
	arena_free(a);
}

/* The expected value was computed from RFC 5869 by other means. */
static void derives(void)
{
	struct arena *a = arena_new();
	struct keyring *k = load(a, "1:" KEY_A "\n", 0600, NULL), *other;
	unsigned char one[32], again[32], two[32];
	struct buf b;

	REQUIRE(k != NULL);
	keyring_derive(k, "jwt", one);
	keyring_derive(k, "jwt", again);
	CHECK(memcmp(one, again, 32) == 0);
	keyring_derive(k, "cursor", two);
	CHECK(memcmp(one, two, 32) != 0);
	other = load(a, "1:" KEY_B "\n", 0600, NULL);
	REQUIRE(other != NULL);
	keyring_derive(other, "jwt", two);
	CHECK(memcmp(one, two, 32) != 0);
	buf_init(&b, 100);
	hex_encode(&b, one, 32);
	CHECK(TEXT_EQ(b.p, "433f9dd36f044faad1fedd4cf6e60002aa05a60bb3578a92563fc492e7cd90cc"));
	buf_fini(&b);
	arena_free(a);
}

void suite_crypto_aead(void);
void suite_crypto_aead(void)
{
	CU_pSuite suite = CU_add_suite("crypto/aead", make_folder, remove_folder);

	CU_add_test(suite, "GCM vector", gcm_vector);
	CU_add_test(suite, "there and back", there_and_back);
	CU_add_test(suite, "no two blobs are alike", no_two_blobs_are_alike);
	CU_add_test(suite, "any altered byte is noticed", any_altered_byte_is_noticed);
	CU_add_test(suite, "a blob cannot be moved", a_blob_cannot_be_moved);
	CU_add_test(suite, "keys rotate", keys_rotate);
	CU_add_test(suite, "the file is read anew", the_file_is_read_anew);
	CU_add_test(suite, "the file is changed", the_file_is_changed);
	CU_add_test(suite, "bad files", bad_files);
	CU_add_test(suite, "creates", creates);
	CU_add_test(suite, "derives", derives);
}
