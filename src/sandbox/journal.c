#include "sandbox/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define BLOCK_BYTES (256u * 1024u)
#define LINE_MAX_BYTES (32u * 1024u * 1024u)

struct journal {
	const char *path, *lock_path;
	struct journal_reader reader;
	int fd, lock_fd;
	off_t offset; /* all before it were seen */
	char *block;
	size_t block_size;
};

static int journal_fail(struct err *err, const char *what, const char *path)
{
	return err_set(err, ERR_UNAVAILABLE, "%s %s: %s", what, path, strerror(errno));
}

static void journal_release(void *object)
{
	struct journal *j = object;

	if (j->fd >= 0)
		close(j->fd);
	if (j->lock_fd >= 0)
		close(j->lock_fd);
	free(j->block);
}

struct journal *journal_new(struct arena *a, const char *path, struct journal_reader reader)
{
	struct journal *j = arena_zalloc(a, sizeof(*j));

	j->path = arena_strdup(a, path);
	j->lock_path = arena_printf(a, "%s.lock", path);
	j->reader = reader;
	j->fd = j->lock_fd = -1;
	arena_on_free(a, journal_release, j);
	return j;
}

static int journal_reopen(struct journal *j, struct err *err)
{
	if (j->fd >= 0)
		close(j->fd);
	j->offset = 0;
	j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return j->fd >= 0 ? 0 : journal_fail(err, "cannot open", j->path);
}

/* Follows the path to a new file after a clear. The old one stays open until then, so that its
 * inode cannot come back as the new one's. */
static int journal_follow(struct journal *j, struct err *err)
{
	struct stat here, there;

	if (j->fd == -1)
		return journal_reopen(j, err);
	if (fstat(j->fd, &here) == -1)
		return journal_fail(err, "cannot read", j->path);
	if (stat(j->path, &there) == 0 && there.st_ino == here.st_ino &&
	    there.st_dev == here.st_dev && here.st_size >= j->offset)
		return 0;
	j->reader.clear(j->reader.arg);
	return journal_reopen(j, err);
}

static void journal_take_lines(struct journal *j, size_t n)
{
	char *p = j->block, *end = p + n, *feed;

	while ((feed = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		if (feed > p)
			j->reader.line(
			    j->reader.arg, j->offset, (struct str){p, (size_t)(feed - p)});
		j->offset += feed + 1 - p;
		p = feed + 1;
	}
}

static int block_grow(struct journal *j, struct err *err)
{
	const size_t size = j->block_size == 0 ? BLOCK_BYTES : 2 * j->block_size;
	char *p;

	if (size > LINE_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "%s has a line that is too long", j->path);
	p = realloc(j->block, size);
	if (p == NULL)
		abort();
	j->block = p;
	j->block_size = size;
	return 0;
}

int journal_sync(struct journal *j, struct err *err)
{
	if (journal_follow(j, err) == -1)
		return -1;
	for (;;) {
		const off_t before = j->offset;
		ssize_t n;

		if (j->block == NULL && block_grow(j, err) == -1)
			return -1;
		n = pread(j->fd, j->block, j->block_size, j->offset);
		if (n < 0)
			return journal_fail(err, "cannot read", j->path);
		journal_take_lines(j, (size_t)n);
		if ((size_t)n < j->block_size)
			return 0;
		if (j->offset == before && block_grow(j, err) == -1)
			return -1;
	}
}

int state_lock(const char *path, struct err *err)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int rc;

	if (fd == -1)
		return journal_fail(err, "cannot open", path);
	do
		rc = flock(fd, LOCK_EX);
	while (rc != 0 && errno == EINTR);
	if (rc != 0) {
		close(fd);
		return journal_fail(err, "cannot lock", path);
	}
	return fd;
}

int journal_lock(struct journal *j, struct err *err)
{
	int rc;

	if (j->lock_fd == -1) {
		j->lock_fd = state_lock(j->lock_path, err);
		if (j->lock_fd == -1)
			return -1;
	} else {
		do
			rc = flock(j->lock_fd, LOCK_EX);
		while (rc != 0 && errno == EINTR);
		if (rc != 0)
			return journal_fail(err, "cannot lock", j->lock_path);
	}
	if (journal_sync(j, err) == 0)
		return 0;
	journal_unlock(j);
	return -1;
}

void journal_unlock(struct journal *j)
{
	(void)flock(j->lock_fd, LOCK_UN);
}

/* Under the lock. */
static int journal_begin_anew(struct journal *j, struct err *err)
{
	return file_replace(j->path, STR(""), err) == -1 ? -1 : journal_follow(j, err);
}

int journal_append(struct journal *j, struct str line, struct err *err)
{
	struct stat st;
	char *whole;
	int rc;

	if (j->reader.most > 0 && j->offset >= j->reader.most && journal_begin_anew(j, err) == -1)
		return -1;
	if (fstat(j->fd, &st) == -1)
		return journal_fail(err, "cannot read", j->path);
	if (st.st_size > j->offset) {
		/* A writer died within its line: end it, so that ours stands alone. */
		if (fd_write_full(j->fd, STR("\n")) == -1)
			return journal_fail(err, "cannot write", j->path);
		j->offset = st.st_size + 1;
	}
	whole = malloc(line.n + 1);
	if (whole == NULL)
		abort();
	memcpy(whole, line.p, line.n);
	whole[line.n] = '\n';
	rc = fd_write_full(j->fd, (struct str){whole, line.n + 1});
	free(whole);
	if (rc != 0)
		return journal_fail(err, "cannot write", j->path);
	j->reader.line(j->reader.arg, j->offset, line);
	j->offset += (off_t)line.n + 1;
	return 0;
}

int journal_clear(struct journal *j, struct err *err)
{
	int rc;

	if (journal_lock(j, err) == -1)
		return -1;
	rc = journal_begin_anew(j, err);
	journal_unlock(j);
	return rc;
}

struct str journal_read(struct journal *j, struct arena *a, off_t at, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	if (j->fd == -1 || pread(j->fd, p, n, at) != (ssize_t)n)
		return (struct str){NULL, 0};
	p[n] = '\0';
	return (struct str){p, n};
}
