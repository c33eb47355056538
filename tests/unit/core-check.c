#include "core-check.h"

#include "base/arena.h"
#include "base/shared.h"
#include "crypto/aead.h"
#include "net/http-client.h"
#include "provider/provider.h"

#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>

bool core_await_lock_wait(void)
{
	const int64_t until = clock_mono_us() + AWAIT_US;
	struct db *db = db_new(test_db_config());
	bool is_so = false;

	while (!is_so && clock_mono_us() < until) {
		nanosleep(&(struct timespec){0, 120000000}, NULL);
		is_so = NUMBER_OF(db, "SELECT COUNT(*) FROM information_schema.innodb_trx t"
				      " JOIN information_schema.processlist p"
				      " ON p.id = t.trx_mysql_thread_id"
				      " WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()") > 0;
	}
	db_free(db);
	return is_so;
}

void *core_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

void core_unshare(void *p, size_t size)
{
	munmap(p, size);
}

const char *core_mkdir(struct arena *a)
{
	char *path = arena_strdup(a, "/tmp/connect-unit-XXXXXX");

	if (mkdtemp(path) == NULL)
		abort();
	return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void core_rmdir(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void core_write(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (f == NULL || fputs(text, f) == EOF || fclose(f) != 0)
		abort();
}

bool core_app_make(struct core_app *c)
{
	struct err err = ERR_INIT;
	const char *keys;

	*c = (struct core_app){.app = {.db = test_db()}};
	if (c->app.db == NULL)
		return false;
	c->a = arena_new();
	c->cfg = *test_db_config();
	c->cfg.state_dir = core_mkdir(c->a);
	c->cfg.egress_allow_loopback = true;
	c->cfg.base_url = "https://connect.example";
	c->app.config = &c->cfg;
	c->app.shared = shared_new();
	c->app.providers = providers_load(c->a, CONNECT_SRCDIR "/providers", &err);
	keys = arena_printf(c->a, "%s/keys", c->cfg.state_dir);
	if (keyring_create(keys, &err) == 0)
		c->app.keys = keyring_load(c->a, keys, &err);
	c->app.http = http_client_new(&c->cfg, &err);
	if (c->app.providers == NULL || c->app.keys == NULL || c->app.http == NULL) {
		core_fail(&err, __LINE__, __FILE__);
		return false;
	}
	return true;
}

void core_app_remove(struct core_app *c)
{
	http_client_free(c->app.http);
	core_rmdir(c->cfg.state_dir);
	arena_free(c->a);
}

void core_app_forked(struct core_app *c)
{
	c->app.db = db_new(&c->cfg);
	c->app.http = http_client_new(&c->cfg, NULL);
}
