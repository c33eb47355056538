/* Files in one piece, and folders. */
#ifndef BASE_FILE_H
#define BASE_FILE_H
#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* The whole file of at most so many bytes, with a NUL that n does not count; arena-owned. 0, or -1
 * with "PATH: reason": ERR_LIMIT when it is longer, else ERR_INVALID. */
int file_read(struct arena *a, const char *path, size_t most, struct str *out, struct err *err);
/* The same for a file that need not be there: 1, 0 absent, -1. */
int file_find(struct arena *a, const char *path, size_t most, struct str *out, struct err *err);
/* Puts a file of this text (mode 0600) in the place of whatever has the name: others see the old
 * one or the new, whole, and so does who looks after a crash. -1: ERR_UNAVAILABLE, "PATH: reason".
 */
int file_replace(const char *path, struct str text, struct err *err);

/* Makes the folder and those above it that are missing; -1: ERR_UNAVAILABLE, "PATH: reason". */
int dir_make(const char *path, mode_t mode, struct err *err);
/* Makes the names in a folder durable: what was made there, renamed or removed. -1 with errno. */
int dir_sync(const char *path);

/* All of it, whatever the kernel takes at once; 0, or -1 with errno. */
int fd_write_full(int fd, struct str text);
/* Up to n bytes, fewer only at the end of the file: how many, or -1 with errno. */
ssize_t fd_read_full(int fd, void *p, size_t n);
ssize_t fd_read_full_at(int fd, void *p, size_t n, off_t offset);
#endif
