/* What the suites of db, job, record, lead, intake and crm share: statements of their own, other
 * processes with connections of their own, and waiting for a condition. */
#ifndef TESTS_UNIT_CORE_CHECK_H
#define TESTS_UNIT_CORE_CHECK_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/app.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/err.h"
#include "db/db.h"
#include "test-base.h"
#include "test-db.h"

/* False for NULL too: a row that is missing fails its test and no other. */
#undef TEXT_EQ
#define TEXT_EQ(a, b) core_text_eq(a, b)

#define AWAIT_US (30 * SECOND_US)

/* True as soon as the condition is; false when it has not become so in a long while. */
#define AWAIT(condition)                                                                           \
	({                                                                                         \
		const int64_t until_ = clock_mono_us() + AWAIT_US;                                 \
		bool is_so_;                                                                       \
		while (!(is_so_ = (condition)) && clock_mono_us() < until_)                        \
			nanosleep(&(struct timespec){0, 2000000}, NULL);                           \
		is_so_;                                                                            \
	})

/* A statement of a test: any text, checked to work. The cache of statements goes by address, so
 * each use has an object of its own. */
#define RUN(db, text, ...)                                                                         \
	({                                                                                         \
		static const struct db_stmt stmt_ = {"a test's", text, NULL, NULL};                \
		core_run(db, &stmt_, DB_VALS(__VA_ARGS__), __LINE__, __FILE__);                    \
	})
/* The first cell of the first row, a number: -1 when there is no row. */
#define NUMBER_OF(db, text, ...)                                                                   \
	({                                                                                         \
		static const struct db_stmt stmt_ = {"a test's", text, NULL, NULL};                \
		core_number(db, &stmt_, DB_VALS(__VA_ARGS__), __LINE__, __FILE__);                 \
	})
/* The same as text of the arena; NULL for NULL and for no row. */
#define TEXT_OF(db, a, text, ...)                                                                  \
	({                                                                                         \
		static const struct db_stmt stmt_ = {"a test's", text, NULL, NULL};                \
		core_text(db, a, &stmt_, DB_VALS(__VA_ARGS__), __LINE__, __FILE__);                \
	})
/* Whole results. */
#define ROWS_OF(db, a, text, ...)                                                                  \
	({                                                                                         \
		static const struct db_stmt stmt_ = {"a test's", text, NULL, NULL};                \
		core_rows(db, a, &stmt_, DB_VALS(__VA_ARGS__), __LINE__, __FILE__);                \
	})

/* A row of a table of kinds of jobs. */
#define KIND(called, does, attempts, seconds)                                                      \
	{                                                                                          \
		.name = called, .run = does, .max_attempts = attempts, .lease_s = seconds          \
	}
/* One of periodic work. */
#define PERIODIC(called, seconds, does)                                                            \
	{                                                                                          \
		.name = called, .every_s = seconds, .work = does                                   \
	}

/* It went well; otherwise says why not. */
#define OK(call, e)                                                                                \
	({                                                                                         \
		const bool is_ok_ = (call) == 0;                                                   \
		if (!is_ok_)                                                                       \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, (e)->msg);                     \
		CHECK(is_ok_);                                                                     \
		is_ok_;                                                                            \
	})

static inline bool core_text_eq(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static inline void core_fail(const struct err *err, unsigned line, const char *file)
{
	printf("# %s:%u: %s\n", file, line, err->msg);
	CU_assertImplementation(CU_FALSE, line, err->msg, file, "", CU_FALSE);
}

static inline uint64_t core_run(struct db *db, const struct db_stmt *s, const struct db_val *v,
    size_t n, unsigned line, const char *file)
{
	struct err err = ERR_INIT;
	uint64_t affected = 0;

	if (db_exec(db, s, v, n, &affected, &err) == -1)
		core_fail(&err, line, file);
	return affected;
}

static inline struct db_rows core_rows(struct db *db, struct arena *a, const struct db_stmt *s,
    const struct db_val *v, size_t n, unsigned line, const char *file)
{
	struct err err = ERR_INIT;
	struct db_rows rows = {0};

	if (db_query(db, a, s, v, n, &rows, &err) == -1)
		core_fail(&err, line, file);
	return rows;
}

static inline int64_t core_number(struct db *db, const struct db_stmt *s, const struct db_val *v,
    size_t n, unsigned line, const char *file)
{
	struct arena *a = arena_new();
	struct db_rows rows = core_rows(db, a, s, v, n, line, file);
	int64_t number = rows.count == 0 ? -1 : db_get_int(&rows, 0, 0);

	arena_free(a);
	return number;
}

static inline const char *core_text(struct db *db, struct arena *a, const struct db_stmt *s,
    const struct db_val *v, size_t n, unsigned line, const char *file)
{
	struct db_rows rows = core_rows(db, a, s, v, n, line, file);

	return rows.count == 0 ? NULL : db_get_text(&rows, 0, 0);
}

static inline void core_script(struct db *db, const char *sql, unsigned line, const char *file)
{
	struct err err = ERR_INIT;

	if (db_script(db, sql, &err) == -1)
		core_fail(&err, line, file);
}
#define SCRIPT(db, sql) core_script(db, sql, __LINE__, __FILE__)

/* A process that runs body(arg) and ends with its result. It must make its own connection, and ends
 * with this one. */
static inline pid_t core_fork(int (*body)(void *arg), void *arg)
{
	pid_t parent = getpid(), pid;

	fflush(NULL);
	pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(99);
	_exit(body(arg));
}

/* The exit status; 128 + n for a signal. */
static inline int core_wait(pid_t pid)
{
	int status = 0;

	if (pid <= 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* True when some transaction of the test's database waits for a lock (the server shows news of
 * transactions to who has not looked for a tenth of a second). Takes a connection of its own. */
bool core_await_lock_wait(void);

/* Memory that forked processes share with this one; zeros. */
void *core_shared(size_t size);
void core_unshare(void *p, size_t size);
/* A fresh folder, removed with all in it by core_rmdir. */
const char *core_mkdir(struct arena *a);
void core_rmdir(const char *path);
/* Writes a file in it. */
void core_write(const char *dir, const char *name, const char *text);

/* An application on the test's database: manifests, keys, an HTTP client that may call this host, a
 * state folder of its own. False (and the test skipped) without a database. */
struct core_app {
	struct app app;
	struct config cfg;
	struct arena *a;
};
bool core_app_make(struct core_app *c);
void core_app_remove(struct core_app *c);
/* The same in a process that was forked: its own connection and HTTP client. */
void core_app_forked(struct core_app *c);

#endif
