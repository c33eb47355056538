/* The writer process end to end: workers of several processes submit to it, it is killed between,
 * and every event is there once. */
#include <sys/socket.h>
#include <sys/un.h>

#include "base/app.h"
#include "base/arena.h"
#include "base/config.h"
#include "base/limits.h"
#include "intake-check.h"
#include "intake/intake.h"

void suite_intake_writer(void);

#define WORKERS 6

struct host {
	struct arena *a;
	struct db *db;
	struct config cfg;
	struct uuid account;
	pid_t writer;
	struct {
		int64_t submitted[WORKERS], failed[WORKERS];
		int stop;
	} * seen;
};

static bool host_make(struct host *h)
{
	*h = (struct host){.db = test_db(), .account = uuid_new()};
	if (h->db == NULL)
		return false;
	h->a = arena_new();
	h->cfg = *test_db_config();
	h->cfg.writer = true;
	h->cfg.state_dir = core_mkdir(h->a);
	h->seen = core_shared(sizeof(*h->seen));
	return true;
}

static int writer_process(void *arg)
{
	struct host *h = arg;
	struct app app = {.config = &h->cfg, .db = db_new(&h->cfg)};

	return intake_writer_main(&app, 0);
}

static void writer_socket_path(const struct host *h, struct sockaddr_un *to)
{
	char path[CONFIG_PATH_BYTES];

	config_run_path(&h->cfg, "writer.sock", path, sizeof(path));
	REQUIRE(
	    snprintf(to->sun_path, sizeof(to->sun_path), "%s", path) < (int)sizeof(to->sun_path));
}

static bool can_connect(const struct host *h)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	writer_socket_path(h, &to);
	rc = connect(fd, (struct sockaddr *)&to, sizeof(to));
	close(fd);
	return rc == 0;
}

static void writer_start(struct host *h)
{
	h->writer = core_fork(writer_process, h);
	CHECK(AWAIT(can_connect(h)));
}

static void writer_kill(struct host *h)
{
	kill(h->writer, SIGKILL);
	CHECK(core_wait(h->writer) == 128 + SIGKILL);
}

static void host_remove(struct host *h)
{
	core_unshare(h->seen, sizeof(*h->seen));
	core_rmdir(h->cfg.state_dir);
	arena_free(h->a);
}

/* ---- workers ----------------------------------------------------------------------------- */

struct worker {
	struct host *host;
	int index;
	int64_t most;
	bool has_database;
};

/* Submits events of its own until told to stop, each with a lead and a record that all share. */
static int worker_process(void *arg)
{
	const struct worker *w = arg;
	struct host *h = w->host;
	struct config lost = h->cfg;
	struct app app = {.config = &h->cfg};

	lost.db_socket = "/nonexistent/mariadb.sock";
	app.db = db_new(w->has_database ? &h->cfg : &lost);
	for (int64_t i = 0; i < w->most && !__atomic_load_n(&h->seen->stop, __ATOMIC_RELAXED);
	     i++) {
		struct arena *a = arena_new();
		const char *id = arena_printf(a, "%d-%d", w->index, (int)i);
		struct write_item items[] = {
		    intake_lead(id, id), intake_item(arena_printf(a, "r%s", id), "shared",
					     arena_printf(a, "{\"w%d\":%d}", w->index, (int)i))};
		struct write_set ws = intake_set(h->account, h->account);
		struct err err = ERR_INIT;

		intake_give(&ws, items, COUNT(items));
		if (write_sets_submit(&app, a, &ws, 1, &err) == -1 || ws.is_duplicate) {
			printf("# worker %d: %s\n", w->index, err.msg);
			h->seen->failed[w->index]++;
		}
		__atomic_add_fetch(&h->seen->submitted[w->index], 1, __ATOMIC_RELAXED);
		arena_free(a);
	}
	fflush(stdout);
	db_free(app.db);
	return 0;
}

static int64_t submitted(const struct host *h)
{
	int64_t total = 0;

	for (int i = 0; i < WORKERS; i++)
		total += __atomic_load_n(&h->seen->submitted[i], __ATOMIC_RELAXED);
	return total;
}

static void all_there_once(struct host *h)
{
	int64_t total = submitted(h);
	json_t *shared;
	size_t wrong = 0;

	for (int i = 0; i < WORKERS; i++)
		wrong += h->seen->failed[i] != 0;
	CHECK(wrong == 0 && total > 0);
	CHECK(COUNT_IN(h->db, "events", h->account) == total);
	CHECK(NUMBER_OF(h->db,
		  "SELECT COUNT(*) FROM events WHERE account_id = ?"
		  " AND status = 'processed'",
		  db_uuid(&h->account)) == total);
	CHECK(COUNT_IN(h->db, "event_keys", h->account) == 2 * total);
	CHECK(COUNT_IN(h->db, "leads", h->account) == total);
	CHECK(COUNT_IN(h->db, "jobs", h->account) == total);
	CHECK(COUNT_IN(h->db, "records", h->account) == total + 1);
	CHECK(NUMBER_OF(h->db, "SELECT SUM(records) FROM record_counts WHERE account_id = ?",
		  db_uuid(&h->account)) == total + 1);
	/* a creation each, and a change of the shared record by all but its first */
	CHECK(COUNT_IN(h->db, "record_changes", h->account) == 2 * total);
	shared = json_parse(h->a,
	    str_from(TEXT_OF(h->db, h->a,
		"SELECT data FROM records WHERE account_id = ?"
		" AND external_id = 'shared'",
		db_uuid(&h->account))),
	    NULL);
	for (int i = 0; i < WORKERS; i++)
		wrong +=
		    json_int(shared, arena_printf(h->a, "w%d", i)) != h->seen->submitted[i] - 1;
	CHECK(wrong == 0);
}

/* The workers have no database: what is there was written by the writer. */
static void many_workers(void)
{
	struct host h;
	struct worker workers[WORKERS];
	pid_t pids[WORKERS];

	if (!host_make(&h))
		return;
	writer_start(&h);
	for (int i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){&h, i, 30, false};
		pids[i] = core_fork(worker_process, &workers[i]);
	}
	for (int i = 0; i < WORKERS; i++)
		CHECK(core_wait(pids[i]) == 0);
	CHECK(submitted(&h) == WORKERS * 30);
	all_there_once(&h);
	writer_kill(&h);
	host_remove(&h);
}

static void killed_between(void)
{
	struct host h;
	struct worker workers[WORKERS];
	pid_t pids[WORKERS];

	if (!host_make(&h))
		return;
	writer_start(&h);
	for (int i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){&h, i, INT64_MAX, true};
		pids[i] = core_fork(worker_process, &workers[i]);
	}
	for (int round = 0; round < 6; round++) {
		int64_t before = submitted(&h);

		CHECK(AWAIT(submitted(&h) >= before + 20 + round));
		writer_kill(&h);
		before = submitted(&h);
		/* the workers go on without it */
		CHECK(AWAIT(submitted(&h) >= before + 20));
		writer_start(&h);
	}
	__atomic_store_n(&h.seen->stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < WORKERS; i++)
		CHECK(core_wait(pids[i]) == 0);
	all_there_once(&h);
	writer_kill(&h);
	host_remove(&h);
}

/* ---- one worker, in a process of its own, since it keeps its connection to the writer -------- */

static int fails(int line)
{
	printf("# %s:%d\n", __FILE__, line);
	fflush(stdout);
	return 1;
}
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return fails(__LINE__);                                                    \
	} while (0)

/* What the writer answers comes back to the right set: errors, duplicates, several sets at once. */
static int answers_process(void *arg)
{
	struct host *h = arg;
	struct config lost = h->cfg;
	struct app app = {.config = &h->cfg};
	struct arena *a = arena_new();
	struct write_item good = intake_item("k", "1", "{\"a\":1}"), other = good;
	struct write_set sets[3];
	struct err err = ERR_INIT;

	lost.db_socket = "/nonexistent/mariadb.sock";
	app.db = db_new(&lost);
	other.dedupe[0] = 'o';
	for (size_t i = 0; i < 3; i++)
		sets[i] = intake_set(h->account, h->account);
	intake_give(&sets[0], &good, 1);
	intake_give(&sets[1], &other, 1);
	sets[1].event_type = str_from(arena_printf(a, "%0500d", 1));
	intake_give(&sets[2], &good, 1);
	MUST(write_sets_submit(&app, a, sets, 3, &err) == -1);
	MUST(err.code == ERR_INVALID && strstr(err.msg, "too long") != NULL);
	MUST(sets[0].err.code == ERR_NONE && !sets[0].is_duplicate);
	MUST(sets[1].err.code == ERR_INVALID && TEXT_EQ(sets[1].err.msg, err.msg));
	MUST(sets[2].err.code == ERR_NONE && sets[2].is_duplicate);
	/* as many as one request may have connections */
	err_clear(&err);
	struct write_set *many = arena_array(a, 64, sizeof(*many));

	for (size_t i = 0; i < 64; i++)
		many[i] = intake_set(h->account, h->account);
	MUST(write_sets_submit(&app, a, many, 64, &err) == 0);
	arena_free(a);
	db_free(app.db);
	return 0;
}

static void answers(void)
{
	struct host h;

	if (!host_make(&h))
		return;
	writer_start(&h);
	CHECK(core_wait(core_fork(answers_process, &h)) == 0);
	CHECK(COUNT_IN(h.db, "events", h.account) == 66);
	CHECK(NUMBER_OF(h.db,
		  "SELECT COUNT(*) FROM events WHERE account_id = ?"
		  " AND status = 'duplicate'",
		  db_uuid(&h.account)) == 1);
	writer_kill(&h);
	host_remove(&h);
}

static int submit_one(struct app *app, struct host *h, size_t body_bytes)
{
	struct arena *a = arena_new();
	struct write_set ws = intake_set(h->account, h->account);
	struct err err = ERR_INIT;
	char *body = arena_alloc(a, body_bytes + 1);
	int rc;

	memset(body, 'b', body_bytes);
	ws.body = (struct str){body, body_bytes};
	rc = write_sets_submit(app, a, &ws, 1, &err);
	if (rc == -1)
		printf("# %s\n", err.msg);
	arena_free(a);
	return rc;
}

/* Junk on its socket costs the one who sent it the connection, nobody else anything. */
static int junk_process(void *arg)
{
	static const struct {
		char bytes[16];
		size_t n;
	} junk[] = {{"\0\0\0\0", 4}, {"\4\0\0\0zzzz", 8}, {"\377\377\377\177zzzz", 8},
	    {"\10\0\0\0\4\0\0\0zzzz", 12}, {"\10\0\0\0\377\377\377\377zzzz", 12}, {"\1", 1}};
	struct host *h = arg;
	struct config lost = h->cfg;
	struct app app = {.config = &h->cfg};
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	lost.db_socket = "/nonexistent/mariadb.sock";
	app.db = db_new(&lost);
	writer_socket_path(h, &to);
	MUST(submit_one(&app, h, 10) == 0);
	for (size_t i = 0; i < COUNT(junk); i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		char answer[64];

		MUST(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
		MUST(send(fd, junk[i].bytes, junk[i].n, MSG_NOSIGNAL) == (ssize_t)junk[i].n);
		shutdown(fd, SHUT_WR);
		(void)!recv(fd, answer, sizeof(answer), 0);
		MUST(submit_one(&app, h, 10) == 0);
		close(fd);
		MUST(submit_one(&app, h, 10) == 0);
	}
	db_free(app.db);
	return 0;
}

static void junk(void)
{
	struct host h;

	if (!host_make(&h))
		return;
	writer_start(&h);
	CHECK(core_wait(core_fork(junk_process, &h)) == 0);
	CHECK(COUNT_IN(h.db, "events", h.account) == 13);
	CHECK(kill(h.writer, 0) == 0);
	writer_kill(&h);
	host_remove(&h);
}

/* Without a writer, with none wanted, or with a set too large for it, the worker commits. */
static int alone_process(void *arg)
{
	struct host *h = arg;
	struct config without = h->cfg;
	struct app app = {.config = &h->cfg, .db = db_new(&h->cfg)};
	struct app app_without = {.config = &without, .db = app.db};

	without.writer = false;
	MUST(submit_one(&app, h, 10) == 0); /* no socket */
	writer_start(h);
	MUST(submit_one(&app, h, 10) == 0);
	MUST(submit_one(&app, h, 9u << 20) == 0);
	MUST(submit_one(&app, h, 3u << 20) == 0);
	kill(h->writer, SIGSTOP); /* it would never answer */
	MUST(submit_one(&app_without, h, 10) == 0);
	kill(h->writer, SIGKILL);
	core_wait(h->writer);
	MUST(submit_one(&app, h, 10) == 0); /* the connection that it had is gone */
	MUST(submit_one(&app, h, 10) == 0); /* a socket that nobody listens on */
	db_free(app.db);
	return 0;
}

static void alone(void)
{
	struct host h;

	if (!host_make(&h))
		return;
	CHECK(core_wait(core_fork(alone_process, &h)) == 0);
	CHECK(COUNT_IN(h.db, "events", h.account) == 7);
	host_remove(&h);
}

/* The writer's database is away: the worker hears so, and nothing is acknowledged. */
static int away_process(void *arg)
{
	struct host *h = arg;
	struct app app = {.config = &h->cfg, .db = db_new(&h->cfg)};
	struct arena *a = arena_new();
	struct write_set ws = intake_set(h->account, h->account);
	struct err err = ERR_INIT;

	MUST(write_sets_submit(&app, a, &ws, 1, &err) == -1 && err.code == ERR_UNAVAILABLE);
	arena_free(a);
	db_free(app.db);
	return 0;
}

static void database_away(void)
{
	struct host h;

	if (!host_make(&h))
		return;
	h.cfg.db_socket = "/nonexistent/mariadb.sock";
	writer_start(&h);
	CHECK(core_wait(core_fork(away_process, &h)) == 0);
	CHECK(COUNT_IN(h.db, "events", h.account) == 0);
	writer_kill(&h);
	host_remove(&h);
}

void suite_intake_writer(void)
{
	ADD_TESTS("intake_writer", {"many workers", many_workers},
	    {"killed between", killed_between}, {"answers", answers}, {"junk on its socket", junk},
	    {"workers alone", alone}, {"its database is away", database_away});
}
