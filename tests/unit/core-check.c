#include "core-check.h"

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
