/* A keyring of a fresh key, for suites that sign or seal without a place of their own. */
#ifndef TESTS_UNIT_KEYS_CHECK_H
#define TESTS_UNIT_KEYS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "crypto/aead.h"

/* In that arena; NULL on failure. Its file is gone again. */
static inline struct keyring *keys_made(struct arena *a)
{
	char dir[] = "/tmp/connect-unit-XXXXXX", path[64];
	struct keyring *k = NULL;

	if (mkdtemp(dir) == NULL)
		return NULL;
	snprintf(path, sizeof(path), "%s/keys", dir);
	if (keyring_create(path, NULL) == 0)
		k = keyring_load(a, path, NULL);
	unlink(path);
	rmdir(dir);
	return k;
}

#endif
