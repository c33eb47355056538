#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES 8192

/* ---- descriptors --------------------------------------------------------------------------- */

int fd_write_full(int fd, struct str text)
{
	while (text.n > 0) {
		ssize_t put = write(fd, text.p, text.n);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return -1;
		text.p += put;
		text.n -= (size_t)put;
	}
	return 0;
}

ssize_t fd_read_full(int fd, void *p, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = read(fd, (char *)p + have, n - have);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

ssize_t fd_read_full_at(int fd, void *p, size_t n, off_t offset)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = pread(fd, (char *)p + have, n - have, offset + (off_t)have);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

/* ---- reading ------------------------------------------------------------------------------- */

static int file_fail(struct err *err, enum err_code code, const char *path)
{
	return err_set(err, code, "%s: %s", path, strerror(errno));
}

static int file_read_open(
    struct arena *a, int fd, const char *path, size_t most, struct str *out, struct err *err)
{
	struct stat st;
	size_t room = PIECE_BYTES;
	ssize_t n;
	char *p;

	if (fstat(fd, &st) == -1)
		return file_fail(err, ERR_INVALID, path);
	/* One more than it is to hold tells of a longer one; the size may grow, and of what is no
	 * regular file it says nothing. */
	if (S_ISREG(st.st_mode) && st.st_size > 0)
		room = (size_t)st.st_size + 1;
	if (room > most + 1)
		room = most + 1;
	p = arena_alloc(a, room + 1);
	n = fd_read_full(fd, p, room);
	if ((size_t)n == room && room < most + 1) {
		char *all = arena_alloc(a, most + 2);
		ssize_t more;

		memcpy(all, p, room);
		more = fd_read_full(fd, all + room, most + 1 - room);
		p = all;
		n = more == -1 ? -1 : n + more;
	}
	if (n == -1)
		return file_fail(err, ERR_INVALID, path);
	if ((size_t)n > most)
		return err_set(err, ERR_LIMIT, "%s: longer than %zu bytes", path, most);
	p[n] = '\0';
	*out = (struct str){p, (size_t)n};
	return 1;
}

int file_find(struct arena *a, const char *path, size_t most, struct str *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;

	*out = (struct str){NULL, 0};
	if (fd == -1)
		return errno == ENOENT ? 0 : file_fail(err, ERR_INVALID, path);
	rc = file_read_open(a, fd, path, most, out, err);
	close(fd);
	return rc;
}

int file_read(struct arena *a, const char *path, size_t most, struct str *out, struct err *err)
{
	int found = file_find(a, path, most, out, err);

	if (found == 0)
		return err_set(err, ERR_INVALID, "%s: %s", path, strerror(ENOENT));
	return found == 1 ? 0 : -1;
}

/* ---- writing ------------------------------------------------------------------------------- */

int dir_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = fd == -1 ? -1 : fsync(fd);

	if (fd != -1)
		close(fd);
	return rc;
}

/* The folder that a name lies in, as text of the same size at most. */
static const char *path_folder(const char *path, char *out, size_t cap)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return ".";
	snprintf(out, cap, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return out;
}

static int file_write_new(const char *path, struct str text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600), rc;

	if (fd == -1)
		return -1;
	rc = fd_write_full(fd, text);
	if (rc == 0)
		rc = fsync(fd);
	return close(fd) == -1 ? -1 : rc;
}

int file_replace(const char *path, struct str text, struct err *err)
{
	char made[PATH_MAX], dir[PATH_MAX];
	int n = snprintf(made, sizeof(made), "%s.%ld.new", path, (long)getpid());

	if (n < 0 || (size_t)n >= sizeof(made))
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", path, strerror(ENAMETOOLONG));
	if (file_write_new(made, text) == 0 && rename(made, path) == 0 &&
	    dir_sync(path_folder(path, dir, sizeof(dir))) == 0)
		return 0;
	file_fail(err, ERR_UNAVAILABLE, path);
	unlink(made);
	return -1;
}

static int dir_make_missing(char *path, mode_t mode)
{
	char *slash;

	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	slash = strrchr(path, '/');
	if (errno != ENOENT || slash == NULL || slash == path)
		return -1;
	*slash = '\0';
	if (dir_make_missing(path, mode) == -1)
		return -1; /* path names the folder that could not be made */
	*slash = '/';
	return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : -1;
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
	char copy[PATH_MAX];
	int n = snprintf(copy, sizeof(copy), "%s", path);

	while (n > 1 && (size_t)n < sizeof(copy) && copy[n - 1] == '/')
		copy[--n] = '\0';
	if (n < 1 || (size_t)n >= sizeof(copy))
		return err_set(err, ERR_UNAVAILABLE, "%s: no name of a folder", path);
	return dir_make_missing(copy, mode) == 0 ? 0 : file_fail(err, ERR_UNAVAILABLE, copy);
}
