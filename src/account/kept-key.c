#include "account/kept-key.h"

#include <string.h>

#include "base/app.h"
#include "base/clock.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/uuid.h"
#include "db/db.h"

#define KNOWN_MOST 4

DB_STMT(kept_key_get, "SELECT sealed FROM kept_keys WHERE id = ?");
DB_STMT(kept_key_put, "INSERT IGNORE INTO kept_keys (id, sealed, created_at) VALUES (?,?,?)");

static struct kept {
	const char *purpose;
	unsigned char key[KEPT_KEY_BYTES];
} known[KNOWN_MOST];

static struct kept *kept_known(const char *purpose)
{
	for (size_t i = 0; i < KNOWN_MOST; i++)
		if (known[i].purpose == purpose)
			return &known[i];
	return NULL;
}

static struct uuid kept_id(const char *purpose)
{
	unsigned char digest[SHA256_SIZE];
	struct uuid id;

	sha256(str_from(purpose), digest);
	memcpy(id.b, digest, sizeof(id.b));
	return id;
}

static struct str kept_context(struct arena *a, const struct uuid *id)
{
	return str_from(arena_printf(a, "kept_keys:%s", uuid_dup(a, *id)));
}

/* What was derived before there were rows: hashes of that time stay good. */
static int kept_make(
    struct app *app, struct arena *a, const char *purpose, const struct uuid *id, struct err *err)
{
	unsigned char key[KEPT_KEY_BYTES];
	struct str sealed;

	keyring_derive(app->keys, purpose, key);
	sealed = aead_seal(
	    app->keys, a, kept_context(a, id), (struct str){(const char *)key, sizeof(key)}, err);
	explicit_bzero(key, sizeof(key));
	return sealed.p == NULL
		   ? -1
		   : db_exec(app->db, &kept_key_put,
			 DB_VALS(db_uuid(id), db_blob(sealed), db_int(clock_now_us())), NULL, err);
}

/* 1, 0 there is none, -1. */
static int kept_read(struct app *app, struct arena *a, const struct uuid *id,
    unsigned char out[KEPT_KEY_BYTES], struct err *err)
{
	struct db_rows rows;
	struct str plain;
	int found = db_row(app->db, a, &kept_key_get, DB_VALS(db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	plain = aead_open(app->keys, a, kept_context(a, id), db_get_str(&rows, 0, 0), err);
	if (plain.p == NULL)
		return -1;
	if (plain.n != KEPT_KEY_BYTES)
		return err_set(err, ERR_INTERNAL, "a kept key has %zu bytes", plain.n);
	memcpy(out, plain.p, KEPT_KEY_BYTES);
	return 1;
}

int kept_key(struct app *app, struct arena *a, const char *purpose,
    unsigned char out[KEPT_KEY_BYTES], struct err *err)
{
	const struct uuid id = kept_id(purpose);
	struct kept *k = kept_known(purpose);
	int found;

	if (k != NULL) {
		memcpy(out, k->key, KEPT_KEY_BYTES);
		return 0;
	}
	found = kept_read(app, a, &id, out, err);
	/* One that is just made may be undone with the transaction: it is not remembered. */
	if (found == 0)
		return kept_make(app, a, purpose, &id, err) == -1 ||
			       kept_read(app, a, &id, out, err) != 1
			   ? -1
			   : 0;
	k = found == 1 ? kept_known(NULL) : NULL;
	if (k != NULL) {
		k->purpose = purpose;
		memcpy(k->key, out, KEPT_KEY_BYTES);
	}
	return found == 1 ? 0 : -1;
}
