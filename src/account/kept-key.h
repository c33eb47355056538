/* Keys that outlive those of the key file, for hashes that are kept: what keyring_derive gives
 * changes when the oldest key is dropped, and with it whatever was hashed would be lost. */
#ifndef ACCOUNT_KEPT_KEY_H
#define ACCOUNT_KEPT_KEY_H
#include "base/err.h"
struct app;
struct arena;
struct str;
struct uuid;
#define KEPT_KEY_BYTES 32
/* The key of a purpose (a constant text), made and stored when it is first asked for: sealed, so
 * that who reads the database has it not. Within a transaction or outside. 0, -1. */
int kept_key(struct app *app, struct arena *a, const char *purpose,
    unsigned char out[KEPT_KEY_BYTES], struct err *err);
#endif
