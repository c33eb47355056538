/* The sandbox's journal: followed by several holders, emptied under them, torn by a crash. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "sandbox/journal.h"

void suite_sandbox_journal(void);

struct holder {
	struct journal *journal;
	char seen[64][32];
	off_t at[64];
	size_t n;
	int clears;
};

static struct arena *a;
static char dir[64];
static const char *path;

static void see(void *arg, off_t at, struct str text)
{
	struct holder *h = arg;

	if (h->n < 64)
		snprintf(h->seen[h->n], sizeof(h->seen[0]), "%.*s", (int)text.n, text.p);
	h->at[h->n % 64] = at;
	h->n++;
}

static void forget(void *arg)
{
	struct holder *h = arg;

	h->n = 0;
	h->clears++;
}

static void hold(struct holder *h)
{
	*h = (struct holder){0};
	h->journal = journal_new(a, path, (struct journal_reader){see, forget, h, 0});
}

static void begin(void)
{
	a = arena_new();
	snprintf(dir, sizeof(dir), "/tmp/connect-journal-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	path = arena_printf(a, "%s/j.ndjson", dir);
}

static void end(void)
{
	unlink(path);
	unlink(arena_printf(a, "%s.lock", path));
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	arena_free(a);
}

static int add(struct holder *h, const char *text)
{
	int rc;

	if (journal_lock(h->journal, NULL) != 0)
		return -1;
	rc = journal_append(h->journal, str_from(text), NULL);
	journal_unlock(h->journal);
	return rc;
}

static void test_follow(void)
{
	struct holder one, two;

	begin();
	hold(&one);
	hold(&two);
	CU_ASSERT_EQUAL(journal_sync(one.journal, NULL), 0);
	CU_ASSERT_EQUAL(one.n, 0);
	CU_ASSERT_EQUAL(add(&one, "a"), 0);
	CU_ASSERT_EQUAL(add(&two, "bb"), 0);
	CU_ASSERT_EQUAL(journal_sync(one.journal, NULL), 0);
	CU_ASSERT_EQUAL(one.n, 2);
	CU_ASSERT_EQUAL(two.n, 2);
	CU_ASSERT_STRING_EQUAL(one.seen[1], "bb");
	CU_ASSERT_EQUAL(one.at[1], 2);
	CU_ASSERT(str_is(journal_read(one.journal, a, one.at[1], 2), "bb"));
	CU_ASSERT_PTR_NULL(journal_read(one.journal, a, 100, 2).p);
	end();
}

static void test_clear(void)
{
	struct holder one, two;

	begin();
	hold(&one);
	hold(&two);
	CU_ASSERT_EQUAL(add(&one, "a"), 0);
	CU_ASSERT_EQUAL(journal_sync(two.journal, NULL), 0);
	CU_ASSERT_EQUAL(journal_clear(one.journal, NULL), 0);
	CU_ASSERT_EQUAL(one.n, 0);
	/* the other notices, even when as much was added since */
	CU_ASSERT_EQUAL(add(&one, "c"), 0);
	CU_ASSERT_EQUAL(journal_sync(two.journal, NULL), 0);
	CU_ASSERT_EQUAL(two.clears, 1);
	CU_ASSERT_EQUAL(two.n, 1);
	CU_ASSERT_STRING_EQUAL(two.seen[0], "c");
	end();
}

static void test_torn(void)
{
	struct holder one, two;
	int fd;

	begin();
	hold(&one);
	hold(&two);
	CU_ASSERT_EQUAL(add(&one, "a"), 0);
	fd = open(path, O_WRONLY | O_APPEND);
	CU_ASSERT_EQUAL(write(fd, "tor", 3), 3);
	close(fd);
	CU_ASSERT_EQUAL(journal_sync(one.journal, NULL), 0);
	CU_ASSERT_EQUAL(one.n, 1);
	CU_ASSERT_EQUAL(add(&one, "b"), 0);
	CU_ASSERT_STRING_EQUAL(one.seen[one.n - 1], "b");
	CU_ASSERT_EQUAL(journal_sync(two.journal, NULL), 0);
	CU_ASSERT_EQUAL(two.n, 3);
	CU_ASSERT_STRING_EQUAL(two.seen[1], "tor");
	CU_ASSERT_STRING_EQUAL(two.seen[2], "b");
	CU_ASSERT_EQUAL(two.at[2], one.at[one.n - 1]);
	end();
}

static void test_long_lines(void)
{
	struct holder one, two;
	char *text;

	begin();
	hold(&one);
	hold(&two);
	text = arena_alloc(a, 600001);
	memset(text, 'x', 600000);
	text[600000] = '\0';
	CU_ASSERT_EQUAL(add(&one, text), 0);
	CU_ASSERT_EQUAL(add(&one, "short"), 0);
	CU_ASSERT_EQUAL(journal_sync(two.journal, NULL), 0);
	CU_ASSERT_EQUAL(two.n, 2);
	CU_ASSERT_STRING_EQUAL(two.seen[1], "short");
	end();
}

/* Several processes add at once: no line is lost, none is mixed with another. */
static void test_processes(void)
{
	struct holder one;
	size_t wrong = 0;

	begin();
	hold(&one);
	fflush(NULL);
	for (int p = 0; p < 4; p++) {
		if (fork() != 0)
			continue;
		for (int i = 0; i < 10; i++)
			if (add(&one, arena_printf(a, "%d-%d-abcdefghij", p, i)) != 0)
				_exit(1);
		_exit(0);
	}
	for (int p = 0; p < 4; p++) {
		int status = -1;

		CU_ASSERT(wait(&status) > 0);
		CU_ASSERT_EQUAL(status, 0);
	}
	CU_ASSERT_EQUAL(journal_sync(one.journal, NULL), 0);
	CU_ASSERT_EQUAL(one.n, 40);
	for (size_t i = 0; i < one.n && i < 64; i++)
		wrong += strlen(one.seen[i]) != 14;
	CU_ASSERT_EQUAL(wrong, 0);
	end();
}

void suite_sandbox_journal(void)
{
	CU_pSuite s = CU_add_suite("sandbox_journal", NULL, NULL);

	CU_add_test(s, "two holders follow each other", test_follow);
	CU_add_test(s, "emptied under another holder", test_clear);
	CU_add_test(s, "a line torn by a crash", test_torn);
	CU_add_test(s, "long lines", test_long_lines);
	CU_add_test(s, "several processes at once", test_processes);
}
