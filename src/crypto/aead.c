#include "crypto/aead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define VERSION 1
#define HEAD 5 /* version and key id */
#define KEYS_MOST 32
#define FILE_MOST 8192u

struct aead_key {
	uint32_t id;
	unsigned char bytes[CIPHER_KEY];
};

struct keyring {
	struct aead_key keys[KEYS_MOST]; /* as they stand in the file: the first seals */
	size_t n;
	const char *path;
	struct stat read; /* the file as it was when it was read */
	/* monotonic: when it was last looked at, and for the sake of a key that is not known */
	int64_t looked_us, missed_us;
};
#define LOOK_EVERY_US SECOND_US

static void keyring_wipe(void *keyring)
{
	explicit_bzero(keyring, sizeof(struct keyring));
}

/* One `id:base64` line. Messages tell the line, never what it holds. */
static int keyring_load_line(
    struct keyring *k, struct str line, const char *path, int number, struct err *err)
{
	struct aead_key *key = &k->keys[k->n];
	struct str rest = str_trim(line), id;
	int64_t v;

	if (rest.n == 0 || rest.p[0] == '#')
		return 0;
	if (k->n == KEYS_MOST)
		return err_set(err, ERR_INVALID, "%s: more than %d keys", path, KEYS_MOST);
	if (!str_split(&rest, ':', &id) || !str_to_i64(id, 1, UINT32_MAX, &v) ||
	    base64_decode(key->bytes, sizeof(key->bytes), rest) != CIPHER_KEY)
		return err_set(err, ERR_INVALID,
		    "%s:%d: not of the form `id:base64` with a number and 32 bytes", path, number);
	key->id = (uint32_t)v;
	for (size_t i = 0; i < k->n; i++)
		if (k->keys[i].id == key->id)
			return err_set(err, ERR_INVALID, "%s:%d: key %u is there twice", path,
			    number, key->id);
	k->n++;
	return 0;
}

static int keyring_load_text(struct keyring *k, int fd, const char *path, struct err *err)
{
	char bytes[FILE_MOST];
	struct str text = {bytes, 0}, line;
	struct stat st;
	int number = 0, rc = -1;
	ssize_t n;

	if (fstat(fd, &st))
		return err_set(err, ERR_INVALID, "%s: %s", path, strerror(errno));
	k->read = st;
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		return err_set(
		    err, ERR_INVALID, "%s: readable by others or writable by the group", path);
	n = fd_read_full(fd, bytes, sizeof(bytes));
	if (n < 0) {
		err_set(err, ERR_INVALID, "%s: %s", path, strerror(errno));
		goto out;
	}
	if ((size_t)n == sizeof(bytes)) {
		err_set(err, ERR_INVALID, "%s: too long", path);
		goto out;
	}
	text.n = (size_t)n;
	while (str_split(&text, '\n', &line))
		if (keyring_load_line(k, line, path, ++number, err) == -1)
			goto out;
	if (k->n == 0) {
		err_set(err, ERR_INVALID, "%s: holds no key", path);
		goto out;
	}
	rc = 0;
out:
	explicit_bzero(bytes, sizeof(bytes));
	return rc;
}

static int keyring_read(struct keyring *k, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;

	if (fd == -1)
		return err_set(err, ERR_INVALID, "%s: %s", path, strerror(errno));
	rc = keyring_load_text(k, fd, path, err);
	close(fd);
	return rc;
}

struct keyring *keyring_load(struct arena *a, const char *path, struct err *err)
{
	struct keyring *k = arena_zalloc(a, sizeof(*k));

	arena_on_free(a, keyring_wipe, k);
	k->path = arena_strdup(a, path);
	return keyring_read(k, path, err) ? NULL : k;
}

/* What was read before stays until the file can be read whole. */
static int keyring_reload(struct keyring *k, struct err *err)
{
	struct keyring fresh = {
	    .path = k->path, .looked_us = k->looked_us, .missed_us = k->missed_us};
	int rc = keyring_read(&fresh, k->path, err);

	if (rc == 0)
		*k = fresh;
	keyring_wipe(&fresh);
	return rc;
}

static bool keyring_is_time(int64_t *last_us)
{
	int64_t now_us = clock_mono_us();

	if (*last_us != 0 && now_us - *last_us < LOOK_EVERY_US)
		return false;
	*last_us = now_us;
	return true;
}

/* Before a seal: a key that was put first meanwhile is the one to seal with. Before a derivation:
 * all processes derive the same. */
static void keyring_look(struct keyring *k)
{
	struct err ignored = ERR_INIT;
	struct stat st;

	if (!keyring_is_time(&k->looked_us) || stat(k->path, &st) != 0)
		return;
	if (st.st_ino != k->read.st_ino || st.st_size != k->read.st_size ||
	    st.st_mtim.tv_sec != k->read.st_mtim.tv_sec ||
	    st.st_mtim.tv_nsec != k->read.st_mtim.tv_nsec)
		(void)keyring_reload(k, &ignored);
}

int keyring_create(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600), rc = -1;
	unsigned char bytes[CIPHER_KEY];
	struct buf b;

	if (fd == -1)
		return err_set(err, errno == EEXIST ? ERR_CONFLICT : ERR_INVALID, "%s: %s", path,
		    strerror(errno));
	random_bytes(bytes, sizeof(bytes));
	buf_init(&b, 128);
	buf_str(&b, "1:");
	base64_encode(&b, bytes, sizeof(bytes));
	buf_chr(&b, '\n');
	if (fchmod(fd, 0600) == -1 || fd_write_full(fd, (struct str){b.p, b.len}) == -1 ||
	    fsync(fd) == -1) {
		err_set(err, ERR_INTERNAL, "%s: %s", path, strerror(errno));
		unlink(path);
	} else {
		rc = 0;
	}
	close(fd);
	explicit_bzero(bytes, sizeof(bytes));
	explicit_bzero(b.p, b.len);
	buf_fini(&b);
	return rc;
}

/* What is authenticated: the head of the blob, so that it cannot be changed, and the context. */
static struct str aead_authenticated(struct arena *a, const unsigned char *head, struct str context)
{
	unsigned char *p = arena_alloc(a, HEAD + context.n);

	memcpy(p, head, HEAD);
	if (context.n)
		memcpy(p + HEAD, context.p, context.n);
	return (struct str){(const char *)p, HEAD + context.n};
}

struct str aead_seal(
    struct keyring *k, struct arena *a, struct str context, struct str plain, struct err *err)
{
	const struct aead_key *key = &k->keys[0];
	size_t n = HEAD + CIPHER_NONCE + plain.n + CIPHER_TAG;
	unsigned char *blob;

	keyring_look(k);
	if (k->n == 0) {
		err_set(err, ERR_INTERNAL, "encryption: no key");
		return (struct str){NULL, 0};
	}
	blob = arena_alloc(a, n);
	blob[0] = VERSION;
	for (int i = 0; i < 4; i++)
		blob[1 + i] = (unsigned char)(key->id >> (24 - 8 * i));
	random_bytes(blob + HEAD, CIPHER_NONCE);
	cipher_seal(key->bytes, blob + HEAD, aead_authenticated(a, blob, context), plain,
	    blob + HEAD + CIPHER_NONCE);
	return (struct str){(const char *)blob, n};
}

static uint32_t blob_key_id(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static const struct aead_key *keyring_find(const struct keyring *k, uint32_t id)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->keys[i].id == id)
			return &k->keys[i];
	return NULL;
}

/* One that is not known may have come since the file was read, and since it was looked at. */
static const struct aead_key *keyring_find_anew(struct keyring *k, uint32_t id)
{
	const struct aead_key *key = keyring_find(k, id);
	struct err ignored = ERR_INIT;

	if (key != NULL || !keyring_is_time(&k->missed_us) || keyring_reload(k, &ignored) == -1)
		return key;
	return keyring_find(k, id);
}

uint32_t aead_key_id(struct str blob)
{
	return blob.n < HEAD || blob.p[0] != VERSION
		   ? 0
		   : blob_key_id((const unsigned char *)blob.p + 1);
}

struct str aead_open(
    struct keyring *k, struct arena *a, struct str context, struct str blob, struct err *err)
{
	const unsigned char *p = (const unsigned char *)blob.p;
	const struct str nothing = {NULL, 0};
	const struct aead_key *key;
	struct str sealed;
	unsigned char *out;
	size_t n;

	if (blob.n < HEAD + CIPHER_NONCE + CIPHER_TAG || p[0] != VERSION) {
		err_set(err, ERR_INTERNAL, "decryption: not one of our blobs");
		return nothing;
	}
	key = keyring_find_anew(k, blob_key_id(p + 1));
	if (!key) {
		err_set(err, ERR_INTERNAL, "decryption: the key file lacks the key it needs");
		return nothing;
	}
	sealed = (struct str){blob.p + HEAD + CIPHER_NONCE, blob.n - HEAD - CIPHER_NONCE};
	n = sealed.n - CIPHER_TAG;
	out = arena_alloc(a, n + 1);
	if (!cipher_open(key->bytes, p + HEAD, aead_authenticated(a, p, context), sealed, out)) {
		explicit_bzero(out, n);
		err_set(err, ERR_INTERNAL, "decryption: altered, or of another row");
		return nothing;
	}
	out[n] = '\0';
	return (struct str){(const char *)out, n};
}

static const struct aead_key *keyring_extreme(const struct keyring *k, bool is_greatest)
{
	const struct aead_key *key = &k->keys[0];

	for (size_t i = 1; i < k->n; i++)
		if ((k->keys[i].id > key->id) == is_greatest)
			key = &k->keys[i];
	return key;
}

/* HKDF (RFC 5869) without salt, of one output block. */
void keyring_derive(struct keyring *k, const char *purpose, unsigned char out[32])
{
	static const char salt[SHA256_SIZE];
	struct str info[] = {str_from(purpose), {"\1", 1}}, secret;
	unsigned char extracted[SHA256_SIZE];

	keyring_look(k);
	secret = (struct str){(const char *)keyring_extreme(k, false)->bytes, CIPHER_KEY};
	hmac_parts(HASH_SHA256, (struct str){salt, sizeof(salt)}, &secret, 1, extracted);
	hmac_parts(
	    HASH_SHA256, (struct str){(const char *)extracted, sizeof(extracted)}, info, 2, out);
	explicit_bzero(extracted, sizeof(extracted));
}

/* ---- changing keys -------------------------------------------------------------------------- */

uint32_t keyring_sealing_id(const struct keyring *k)
{
	return k->keys[0].id;
}

uint32_t keyring_newest_id(const struct keyring *k)
{
	return keyring_extreme(k, true)->id;
}

/* Whoever reads meanwhile sees the old file or the new; the product's user can read it as before.
 */
static int keyring_write(struct keyring *k, struct err *err)
{
	struct stat st = k->read;
	struct buf b;
	int rc;

	buf_init(&b, FILE_MOST);
	for (size_t i = 0; i < k->n; i++) {
		buf_printf(&b, "%u:", k->keys[i].id);
		base64_encode(&b, k->keys[i].bytes, CIPHER_KEY);
		buf_chr(&b, '\n');
	}
	rc = buf_ok(&b) ? file_replace(k->path, (struct str){b.p, b.len}, err)
			: err_set(err, ERR_LIMIT, "%s: would be too long", k->path);
	if (rc == 0 && (chown(k->path, st.st_uid, st.st_gid) == -1 ||
			   chmod(k->path, st.st_mode & 07777) == -1))
		rc = err_set(err, ERR_UNAVAILABLE, "%s: %s", k->path, strerror(errno));
	explicit_bzero(b.p, b.len);
	buf_fini(&b);
	return rc == -1 ? -1 : keyring_reload(k, err);
}

int keyring_add(struct keyring *k, struct err *err)
{
	struct aead_key *key = &k->keys[k->n];

	if (k->n == KEYS_MOST)
		return err_set(
		    err, ERR_LIMIT, "%s: has %d keys: drop old ones first", k->path, KEYS_MOST);
	key->id = keyring_newest_id(k) + 1;
	random_bytes(key->bytes, sizeof(key->bytes));
	k->n++;
	return keyring_write(k, err);
}

int keyring_promote(struct keyring *k, struct err *err)
{
	const struct aead_key *key = keyring_find(k, keyring_newest_id(k));
	struct aead_key newest;
	size_t at;

	if (key == NULL) /* a ring always has a key */
		return err_set(err, ERR_INTERNAL, "%s: has no key", k->path);
	at = (size_t)(key - k->keys);
	newest = *key;
	memmove(&k->keys[1], &k->keys[0], at * sizeof(k->keys[0]));
	k->keys[0] = newest;
	explicit_bzero(&newest, sizeof(newest));
	return at == 0 ? 0 : keyring_write(k, err);
}

int keyring_drop(struct keyring *k, uint32_t id, struct err *err)
{
	const struct aead_key *key = keyring_find(k, id);
	size_t at;

	if (key == NULL)
		return err_set(err, ERR_NOT_FOUND, "%s: has no key %u", k->path, id);
	if (k->n == 1 || key == &k->keys[0])
		return err_set(
		    err, ERR_CONFLICT, "%s: key %u seals: another has to seal first", k->path, id);
	at = (size_t)(key - k->keys);
	memmove(&k->keys[at], &k->keys[at + 1], (k->n - at - 1) * sizeof(k->keys[0]));
	k->n--;
	explicit_bzero(&k->keys[k->n], sizeof(k->keys[0]));
	return keyring_write(k, err);
}
