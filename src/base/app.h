/* What every process of the product holds, made once by its main and passed down. Pointers only:
 * base knows none of these types. */
#ifndef BASE_APP_H
#define BASE_APP_H

#include "base/hooks.h"

struct config;
struct db;
struct http_client;
struct keyring;
struct providers;
struct templates;
struct shared;

struct app {
	const struct config *config;
	struct keyring *keys;        /* crypto/aead.h: encrypts credentials, signs tokens */
	struct db *db;               /* this process's connection; reconnects by itself */
	struct http_client *http;    /* net/http-client.h */
	struct providers *providers; /* provider/provider.h: the loaded manifests */
	struct templates *templates; /* html/template.h; NULL in processes without pages */
	struct shared *shared;       /* base/shared.h: what the workers of one host share */
	const char *asset_version;   /* changes whenever a static file does: ?v= of addresses */
	struct hooks hooks;
};

#endif
