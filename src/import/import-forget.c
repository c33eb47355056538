/* The files of imports, and people who are to be erased. A file is read by its byte offsets,
 * perhaps at this moment, so a line is blanked in place and not taken out; a line of blanks is no
 * row. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "import/import-internal.h"

/* A line as one byte a character: UTF-16 has a zero beside each that matters. */
static struct str line_narrow(struct arena *a, struct str line)
{
	char *out = arena_alloc(a, line.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] != '\0')
			out[n++] = line.p[i];
	return (struct str){out, n};
}

static void line_blank(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != '\0' && p[i] != '\r' && p[i] != '\n')
			p[i] = ' ';
}

static int64_t text_forget(char *text, size_t size, const struct person_names *p, bool is_dry)
{
	struct arena *a = arena_new();
	int64_t found = 0;

	for (size_t from = 0, end; from < size; from = end + 1) {
		const char *stop = memchr(text + from, '\n', size - from);
		struct str line;

		end = stop == NULL ? size : (size_t)(stop - text);
		arena_reset(a);
		line = line_narrow(a, (struct str){text + from, end - from});
		if (!person_may_be_in(a, p, line) || !person_is_in(a, p, line))
			continue;
		found++;
		if (!is_dry)
			line_blank(text + from, end - from);
	}
	arena_free(a);
	return found;
}

/* A file that is gone by now has nobody in it. */
static int file_forget(
    const char *path, const struct person_names *p, bool is_dry, int64_t *n, struct err *err)
{
	int fd = open(path, (is_dry ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	struct stat st;
	char *text;

	if (fd == -1)
		return errno == ENOENT ? 0
				       : err_set(err, ERR_UNAVAILABLE, "%s: cannot be read", path);
	if (fstat(fd, &st) == -1 || st.st_size == 0) {
		close(fd);
		return 0;
	}
	text = mmap(NULL, (size_t)st.st_size, is_dry ? PROT_READ : PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	close(fd);
	if (text == MAP_FAILED)
		return err_set(err, ERR_UNAVAILABLE, "%s: cannot be read", path);
	*n += text_forget(text, (size_t)st.st_size, p, is_dry);
	if (!is_dry)
		msync(text, (size_t)st.st_size, MS_SYNC);
	munmap(text, (size_t)st.st_size);
	return 0;
}

int import_files_forget(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct person_names *p, bool is_dry, int64_t *n, struct err *err)
{
	DIR *dir = opendir(arena_printf(a, "%s/imports", app->config->state_dir));
	const struct dirent *entry;
	int rc = 0;

	while (dir != NULL && rc == 0 && (entry = readdir(dir)) != NULL) {
		struct task t;
		struct uuid id;
		int found;

		if (!uuid_parse((struct str){entry->d_name, strcspn(entry->d_name, ".")}, &id))
			continue;
		found = task_load(app->db, a, account_id, &id, false, &t, err);
		if (found == 1)
			rc = file_forget(import_file_path(app, a, &id), p, is_dry, n, err);
		else if (found == -1)
			rc = -1;
	}
	if (dir != NULL)
		closedir(dir);
	return rc;
}
