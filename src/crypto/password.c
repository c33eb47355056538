#include "crypto/password.h"

#include <crypt.h>
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define PREFIX "$y$" /* yescrypt, at the library's default cost */

/* A yescrypt hash of that cost and of no known password. */
static const char password_of_nobody[] =
    "$y$j9T$lSHA8o2wsg7ztUWkMqacc/$iLTefBfevJLw9jFDXpIuxBBmvFeH2kIa5M6gBGRcVNA";

/* The library takes fewer than CRYPT_MAX_PASSPHRASE_SIZE bytes; a longer password is replaced by
 * its digest, which out has room for. */
static const char *password_phrase(const char *password, char out[2 * SHA256_SIZE + 1])
{
	if (strlen(password) < CRYPT_MAX_PASSPHRASE_SIZE)
		return password;
	sha256_hex(str_from(password), out);
	return out;
}

/* The hash of the password by the setting, within data; NULL when crypt fails. */
static const char *password_compute(
    const char *password, const char *setting, struct crypt_data *data)
{
	char digest[2 * SHA256_SIZE + 1] = "";
	const char *hash;

	memset(data, 0, sizeof(*data));
	hash = crypt_rn(password_phrase(password, digest), setting, data, (int)sizeof(*data));
	explicit_bzero(digest, sizeof(digest));
	return hash && hash[0] != '*' ? hash : NULL;
}

char *password_hash(struct arena *a, const char *password, struct err *err)
{
	char salt[16], setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data data;
	const char *hash;
	char *out = NULL;

	if (strlen(password) > LIMIT_PASSWORD_BYTES) {
		err_field(
		    err, ERR_INVALID, "password", "longer than %u bytes", LIMIT_PASSWORD_BYTES);
		return NULL;
	}
	random_bytes(salt, sizeof(salt));
	if (!crypt_gensalt_rn(PREFIX, 0, salt, sizeof(salt), setting, sizeof(setting))) {
		err_set(err, ERR_INTERNAL, "password: the system's crypt lacks yescrypt");
		return NULL;
	}
	hash = password_compute(password, setting, &data);
	if (hash)
		out = arena_strdup(a, hash);
	else
		err_set(err, ERR_INTERNAL, "password: %s", strerror(errno));
	explicit_bzero(&data, sizeof(data));
	return out;
}

bool password_is_right(const char *password, const char *hash)
{
	const char *expected = hash ? hash : password_of_nobody;
	struct crypt_data data;
	const char *computed;
	bool is_right = false;

	if (strlen(password) > LIMIT_PASSWORD_BYTES)
		return false;
	computed = password_compute(password, expected, &data);
	if (computed)
		is_right = mem_equal_ct(computed, strlen(computed), expected, strlen(expected));
	explicit_bzero(&data, sizeof(data));
	return is_right && hash;
}
