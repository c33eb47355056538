/* Bytes that come in: small ones stay in memory, large ones go to a file that nobody else can read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "http/conn.h"

#define FILENAME_MAX_BYTES 255u

struct upload {
	struct arena *a;
	const char *tmp_dir;
	struct buf *memory;
	char *path;
	int fd;
	uint64_t size;
};

static void upload_release(void *p)
{
	struct upload *u = p;

	if (u->fd >= 0)
		close(u->fd);
	if (u->path != NULL)
		unlink(u->path);
}

struct upload *upload_new(struct arena *a, const char *tmp_dir)
{
	struct upload *u = arena_zalloc(a, sizeof(*u));

	u->a = a;
	u->tmp_dir = tmp_dir;
	u->fd = -1;
	u->memory = buf_new(a, LIMIT_MULTIPART_MEMORY);
	return u;
}

static int upload_write(struct upload *u, struct str piece, struct err *err)
{
	if (fd_write_full(u->fd, piece) == 0)
		return 0;
	return err_set(
	    err, ERR_UNAVAILABLE, "cannot write an upload to %s: %s", u->path, strerror(errno));
}

static int upload_spill(struct upload *u, struct err *err)
{
	char *path = arena_printf(u->a, "%s/upload-XXXXXX", u->tmp_dir);

	u->fd = mkostemp(path, O_CLOEXEC); /* mode 0600 */
	if (u->fd == -1 && errno == ENOENT && mkdir(u->tmp_dir, 0700) == 0) {
		path = arena_printf(u->a, "%s/upload-XXXXXX", u->tmp_dir);
		u->fd = mkostemp(path, O_CLOEXEC);
	}
	if (u->fd == -1)
		return err_set(err, ERR_UNAVAILABLE, "cannot make an upload file in %s: %s",
		    u->tmp_dir, strerror(errno));
	u->path = path;
	arena_on_free(u->a, upload_release, u);
	return upload_write(u, (struct str){u->memory->p, u->memory->len}, err);
}

int upload_add(struct upload *u, struct str piece, struct err *err)
{
	u->size += piece.n;
	if (u->fd == -1 && u->size <= LIMIT_MULTIPART_MEMORY) {
		buf_add(u->memory, piece.p, piece.n);
		return 0;
	}
	if (u->fd == -1 && upload_spill(u, err) == -1)
		return -1;
	return upload_write(u, piece, err);
}

int upload_end(struct upload *u, struct http_file *out, struct err *err)
{
	int fd = u->fd;

	out->size = u->size;
	if (u->path == NULL) {
		out->data = (struct str){u->memory->p, u->memory->len};
		return 0;
	}
	out->path = u->path;
	u->fd = -1;
	/* A full disk may show only here. */
	if (close(fd) == -1)
		return err_set(err, ERR_UNAVAILABLE, "cannot finish the upload %s: %s", u->path,
		    strerror(errno));
	return 0;
}

struct str filename_clean(struct arena *a, struct str name)
{
	size_t i, start = 0;
	struct str s;
	char *p;

	/* Browsers of old sent the whole path, in either notation. */
	for (i = 0; i < name.n; i++)
		if (name.p[i] == '/' || name.p[i] == '\\')
			start = i + 1;
	if (start == name.n)
		return STR("file");
	p = arena_strndup(a, name.p + start, name.n - start);
	s = (struct str){p, name.n - start};
	for (i = 0; i < s.n; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			p[i] = '_';
	s = utf8_cut(s, FILENAME_MAX_BYTES);
	p[s.n] = '\0';
	if (!utf8_is_valid(s))
		for (i = 0; i < s.n; i++)
			if ((unsigned char)p[i] >= 0x80)
				p[i] = '_';
	if (s.n == 0 || str_is(s, ".") || str_is(s, ".."))
		return STR("file");
	return s;
}
