/* One program of a kind on a host: who comes last has the place; a service keeps it. */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core-check.h"
#include "process/process.h"

void suite_process_instance(void);

enum { TOOK = 10, ELSE_RUNS = 11, REFUSED = 12 };

struct contender {
	const char *path;
	bool is_service;
	/* shared: how far it has come */
	struct {
		int has_place, rc;
	} * seen;
};

/* Takes the place, keeps it until it is told, gives it back and drains until it is told again. */
static int contend(void *arg)
{
	struct contender *c = arg;
	struct err err = ERR_INIT;
	int rc;

	process_stop_signals(-1);
	rc = instance_take(c->path, c->is_service, &err);
	__atomic_store_n(&c->seen->rc,
	    rc == 1   ? TOOK
	    : rc == 0 ? ELSE_RUNS
		      : REFUSED,
	    __ATOMIC_RELAXED);
	if (rc != 1)
		return rc == 0 ? ELSE_RUNS : err.code == ERR_CONFLICT ? REFUSED : 1;
	__atomic_store_n(&c->seen->has_place, 1, __ATOMIC_RELAXED);
	while (!process_is_stopping())
		usleep(1000);
	instance_give();
	__atomic_store_n(&c->seen->has_place, 0, __ATOMIC_RELAXED);
	return TOOK;
}

static struct contender contender(const char *path, bool is_service)
{
	struct contender c = {path, is_service, NULL};

	c.seen = core_shared(sizeof(*c.seen));
	return c;
}

static bool has_place(const struct contender *c)
{
	return __atomic_load_n(&c->seen->has_place, __ATOMIC_RELAXED) != 0;
}

static void the_last_one_has_it(void)
{
	struct arena *a = arena_new();
	const char *dir = core_mkdir(a), *path = arena_printf(a, "%s/lock", dir);
	struct contender all[4];
	pid_t pids[4];

	for (int i = 0; i < 4; i++) {
		all[i] = contender(path, false);
		pids[i] = core_fork(contend, &all[i]);
		CHECK(AWAIT(has_place(&all[i])));
		if (i > 0)
			CHECK(core_wait(pids[i - 1]) == TOOK && !has_place(&all[i - 1]));
	}
	/* a dead one's place is free at once */
	kill(pids[3], SIGKILL);
	CHECK(core_wait(pids[3]) == 128 + SIGKILL);
	pids[0] = core_fork(contend, &all[0]);
	CHECK(AWAIT(has_place(&all[0])));
	kill(pids[0], SIGTERM);
	CHECK(core_wait(pids[0]) == TOOK);
	for (int i = 0; i < 4; i++)
		core_unshare(all[i].seen, sizeof(*all[i].seen));
	core_rmdir(dir);
	arena_free(a);
}

static void a_service_keeps_it(void)
{
	struct arena *a = arena_new();
	const char *dir = core_mkdir(a), *path = arena_printf(a, "%s/lock", dir);
	struct contender by_cron = contender(path, false), service = contender(path, true),
			 other = contender(path, true), late = contender(path, false);
	pid_t first = core_fork(contend, &by_cron), second;

	CHECK(AWAIT(has_place(&by_cron)));
	second = core_fork(contend, &service); /* takes over from what cron has started */
	CHECK(core_wait(first) == TOOK);
	CHECK(AWAIT(has_place(&service)));
	CHECK(core_wait(core_fork(contend, &late)) == ELSE_RUNS);
	CHECK(core_wait(core_fork(contend, &other)) == REFUSED);
	CHECK(has_place(&service));
	kill(second, SIGTERM);
	CHECK(core_wait(second) == TOOK);
	core_unshare(by_cron.seen, sizeof(*by_cron.seen));
	core_unshare(service.seen, sizeof(*service.seen));
	core_unshare(other.seen, sizeof(*other.seen));
	core_unshare(late.seen, sizeof(*late.seen));
	core_rmdir(dir);
	arena_free(a);
}

void suite_process_instance(void)
{
	ADD_TESTS("process_instance", {"the last one has it", the_last_one_has_it},
	    {"a service keeps it", a_service_keeps_it});
}
