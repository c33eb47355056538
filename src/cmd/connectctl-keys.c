/* Keys changed while the product runs. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/str.h"
#include "cmd/connectctl.h"
#include "connection/connection-reseal.h"
#include "crypto/aead.h"

#define PASSES_MOST 30

static int reseal_all(struct ctl *c, struct reseal *s, struct err *err)
{
	return account_reseal(&c->app, s, err) == -1 || connection_reseal(&c->app, s, err) == -1
		   ? -1
		   : 0;
}

static uint64_t rows_of_others(const struct reseal *s, uint32_t id)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->nkeys; i++)
		n += s->keys[i].id != id ? s->keys[i].rows : 0;
	return n;
}

static int keys_status(struct ctl *c, struct err *err)
{
	struct reseal s = {.only_counts = true};

	if (reseal_all(c, &s, err) == -1)
		return -1;
	for (size_t i = 0; i < s.nkeys; i++)
		printf("key %" PRIu32 "  %" PRIu64 " rows%s\n", s.keys[i].id, s.keys[i].rows,
		    s.keys[i].id == keyring_sealing_id(c->app.keys) ? "  seals" : "");
	return CTL_OK;
}

/* Others seal with the former key until they have seen that the file is another, a second at most
 * on this host: so until nothing of it is found any more. */
static int keys_reseal(struct ctl *c, struct err *err)
{
	struct reseal s;
	uint64_t sealed = 0, others = 0;

	for (int pass = 0; pass < PASSES_MOST; pass++) {
		s = (struct reseal){0};
		if (reseal_all(c, &s, err) == -1)
			return -1;
		sealed += s.sealed;
		others = rows_of_others(&s, keyring_sealing_id(c->app.keys));
		if (others == s.failed && pass > 1)
			break;
		nanosleep(&(const struct timespec){.tv_sec = 1}, NULL);
	}
	printf("key %" PRIu32 " seals; %" PRIu64 " rows were sealed anew\n",
	    keyring_sealing_id(c->app.keys), sealed);
	if (others == 0) {
		printf("nothing is sealed with another key any more: take those out with "
		       "connectctl rotate-key --drop ID, and restart the product\n");
		return CTL_OK;
	}
	fprintf(stderr,
	    "%" PRIu64 " rows are still sealed with other keys, %" PRIu64
	    " of them with none that is here\n",
	    others, s.failed);
	return CTL_FAILED;
}

static int keys_drop(struct ctl *c, const char *text, struct err *err)
{
	struct reseal s = {.only_counts = true};
	int64_t id;

	if (!str_to_i64(str_from(text), 1, UINT32_MAX, &id))
		return ctl_usage(c, "%s is no key id", text);
	if (reseal_all(c, &s, err) == -1)
		return -1;
	for (size_t i = 0; i < s.nkeys; i++)
		if (s.keys[i].id == (uint32_t)id && s.keys[i].rows > 0)
			return err_set(err, ERR_CONFLICT,
			    "%" PRIu64 " rows are sealed with key %" PRId64
			    ": run connectctl rotate-key first",
			    s.keys[i].rows, id);
	if (keyring_drop(c->app.keys, (uint32_t)id, err) == -1)
		return -1;
	printf("key %" PRId64 " is out of %s; restart the product on every host\n", id,
	    c->app.config->key_file);
	return CTL_OK;
}

static int keys_prepare(struct ctl *c, struct err *err)
{
	struct keyring *k = c->app.keys;

	if (keyring_newest_id(k) == keyring_sealing_id(k) && keyring_add(k, err) == -1)
		return -1;
	printf("key %" PRIu32 " opens, and does not seal yet: copy %s to all hosts, then run "
	       "connectctl rotate-key\n",
	    keyring_newest_id(k), c->app.config->key_file);
	return CTL_OK;
}

int ctl_rotate_key(struct ctl *c, struct err *err)
{
	bool prepare = false, status = false;
	const char *drop = NULL;
	const struct ctl_option options[] = {{.name = "prepare", .flag = &prepare},
	    {.name = "status", .flag = &status}, {.name = "drop", .value = &drop}, {.name = NULL}};
	struct reseal s = {.only_counts = true};
	struct keyring *k = c->app.keys;

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	if (prepare + status + (drop != NULL) > 1)
		return ctl_usage(c, "one of --prepare, --status and --drop");
	if (status)
		return keys_status(c, err);
	if (drop != NULL)
		return keys_drop(c, drop, err);
	if (prepare)
		return keys_prepare(c, err);
	/* One that was ended half way is finished, before there is another key. */
	if (reseal_all(c, &s, err) == -1 ||
	    (keyring_newest_id(k) == keyring_sealing_id(k) &&
		rows_of_others(&s, keyring_sealing_id(k)) == 0 && keyring_add(k, err) == -1) ||
	    keyring_promote(k, err) == -1)
		return -1;
	return keys_reseal(c, err);
}
