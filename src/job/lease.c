#include "job/lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/config.h"
#include "base/file.h"
#include "base/oom.h"
#include "base/str.h"

#define PATH_BYTES 320

struct lease {
	struct uuid id;
	int fd; /* locked while we live */
	char path[PATH_BYTES];
};

/* The file gets its name once it is locked: before, another runner would take it for a dead one's.
 */
struct lease *lease_new(const struct config *cfg, struct err *err)
{
	struct lease *l = oom_malloc(sizeof(*l));
	char id[UUID_TEXT], dir[CONFIG_PATH_BYTES], path[PATH_BYTES + 4];

	*l = (struct lease){.id = uuid_new(), .fd = -1};
	uuid_text(id, l->id);
	config_run_path(cfg, "runners", dir, sizeof(dir));
	snprintf(l->path, sizeof(l->path), "%s/%s", dir, id);
	snprintf(path, sizeof(path), "%s.new", l->path);
	if (dir_make(dir, 0770, err) == -1)
		goto fail;
	l->fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0660);
	if (l->fd == -1 || flock(l->fd, LOCK_EX | LOCK_NB) == -1 || rename(path, l->path) == -1) {
		err_set(err, ERR_INTERNAL, "%s: %s", path, strerror(errno));
		goto fail;
	}
	return l;
fail:
	if (l->fd != -1)
		close(l->fd);
	free(l);
	return NULL;
}

const struct uuid *lease_id(const struct lease *l)
{
	return &l->id;
}

void lease_free(struct lease *l, bool is_clean)
{
	if (l == NULL)
		return;
	if (is_clean)
		unlink(l->path);
	close(l->fd);
	free(l);
}

static void lease_try(const char *dir, const struct lease *own, const char *name,
    int (*each)(const struct uuid *dead, void *arg), void *arg)
{
	char path[PATH_BYTES + 256];
	struct uuid dead;
	int fd;

	if (!uuid_parse(str_from(name), &dead) || uuid_eq(dead, own->id))
		return;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && each(&dead, arg) == 0)
		unlink(path);
	close(fd);
}

void lease_each_dead(const struct config *cfg, const struct lease *own,
    int (*each)(const struct uuid *dead, void *arg), void *arg)
{
	char path[CONFIG_PATH_BYTES];
	DIR *d;
	struct dirent *e;

	config_run_path(cfg, "runners", path, sizeof(path));
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL)
		lease_try(path, own, e->d_name, each, arg);
	if (d != NULL)
		closedir(d);
}
