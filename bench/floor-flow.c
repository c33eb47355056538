/* The floor of the bench `flow`: the same statements on a table as its flow of five steps makes, by
 * bare loops: so many processes, each on a connection of its own, look a row up and write another
 * in a transaction, again and again. Writes to a table of the product: give it one of its own.
 *
 *   floor-flow -c FILE -a ACCOUNT -t SLUG -n PROCESSES SECONDS
 *                                       prints {"runs":N,"seconds":S,"per_second":R} */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/app.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/number.h"
#include "db/db.h"
#include "table/table.h"

#define PROCESSES_MOST 64
#define LOOKED_UP "ada@example.com" /* as bench/flow.py sends it */

struct floor_loop {
	struct app app;
	struct arena *a;
	struct uuid account;
	struct str slug;
};

static int floor_body(struct db *db, void *arg, struct err *err)
{
	struct floor_loop *f = arg;
	json_t *email = json_own(f->a, json_string(LOOKED_UP)),
	       *data = json_own(f->a, json_object());
	struct table_op look = {
	    .kind = TABLE_LOOKUP, .slug = f->slug, .column = STR("email"), .value = email};
	struct table_op write = {.kind = TABLE_UPSERT,
	    .slug = f->slug,
	    .key = json_own(f->a, json_string(uuid_dup(f->a, uuid_new()))),
	    .data = data};

	(void)db;
	json_set_str(data, "email", "new@example.com");
	json_set(data, "amount", json_real(120.5));
	if (table_run(&f->app, f->a, &f->account, &look, 1, err) == -1 ||
	    table_run(&f->app, f->a, &f->account, &write, 1, err) == -1)
		return -1;
	return write.err.code == ERR_NONE ? 0 : err_set(err, write.err.code, "%s", write.err.msg);
}

static int floor_run(struct floor_loop *f, const struct config *cfg, int64_t until_us,
    int64_t *count, struct err *err)
{
	int rc = 0;

	f->app.config = cfg;
	f->app.db = db_new(cfg);
	f->a = arena_new();
	while (rc == 0 && clock_mono_us() < until_us) {
		arena_reset(f->a);
		rc = db_transaction(f->app.db, floor_body, f, err);
		*count += rc == 0;
	}
	arena_free(f->a);
	db_free(f->app.db);
	return rc;
}

/* Each in a process of its own, counting in shared memory. */
static int floor_fork(
    struct floor_loop *f, const struct config *cfg, int processes, double seconds, int64_t *counts)
{
	int64_t until_us = clock_mono_us() + (int64_t)(seconds * 1e6);
	int failed = 0, status;

	for (int i = 0; i < processes; i++) {
		struct err err = ERR_INIT;
		pid_t pid = fork();

		if (pid != 0)
			continue;
		if (floor_run(f, cfg, until_us, &counts[i], &err) == -1)
			fprintf(stderr, "floor-flow: %s\n", err.msg);
		_exit(err.code == ERR_NONE ? 0 : 1);
	}
	while (wait(&status) > 0)
		failed += status != 0;
	return failed == 0 ? 0 : -1;
}

static int usage(void)
{
	fputs("usage: floor-flow -c FILE -a ACCOUNT -t SLUG -n PROCESSES SECONDS\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct floor_loop f = {.slug = STR("")};
	struct config cfg = {0};
	struct err err = ERR_INIT;
	const char *file = NULL, *account = "";
	int64_t processes = 16, seconds, total = 0, began_us,
		*counts = mmap(NULL, PROCESSES_MOST * sizeof(*counts), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int opt, rc;

	while ((opt = getopt(argc, argv, "c:a:t:n:")) != -1) {
		file = opt == 'c' ? optarg : file;
		account = opt == 'a' ? optarg : account;
		f.slug = opt == 't' ? str_from(optarg) : f.slug;
		if (opt == 'n' && !str_to_i64(str_from(optarg), 1, PROCESSES_MOST, &processes))
			return usage();
	}
	if (optind != argc - 1 || counts == MAP_FAILED ||
	    !str_to_i64(str_from(argv[optind]), 1, 3600, &seconds) ||
	    !uuid_parse(str_from(account), &f.account))
		return usage();
	rc = config_load(a, file, &cfg, &err);
	if (rc == -1)
		fprintf(stderr, "floor-flow: %s\n", err.msg);
	began_us = clock_mono_us();
	if (rc == 0)
		rc = floor_fork(&f, &cfg, (int)processes, (double)seconds, counts);
	double took = (double)(clock_mono_us() - began_us) / 1e6;
	for (int64_t i = 0; i < processes; i++)
		total += counts[i];
	if (rc == 0)
		printf("{\"runs\":%" PRId64 ",\"seconds\":%.3f,\"per_second\":%.1f}\n", total, took,
		    (double)total / took);
	arena_free(a);
	return rc == 0 ? 0 : 1;
}
