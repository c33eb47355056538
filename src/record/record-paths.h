/* The plain values of a payload and the dotted paths that lead to them, as base/path.h reads them.
 */
#ifndef RECORD_RECORD_PATHS_H
#define RECORD_RECORD_PATHS_H
#include "base/buf.h"
#include "base/json.h"

/* Calls each for every value within data that is no object, with its path behind what `path` holds
 * already ("" for a whole payload); paths longer than LIMIT_PATH_BYTES are left out. With
 * is_into_arrays the elements of an array are visited, all of them as `path[]`; without, an array
 * is a value. Empty objects (and, with it, empty arrays) are not visited. Ends when each returns
 * non-zero, and returns that. path is as it was afterwards. */
typedef int record_path_fn(void *arg, struct str path, json_t *value);
int record_paths_each(
    json_t *data, struct buf *path, bool is_into_arrays, record_path_fn *each, void *arg);
/* What a payload has at a path: the value, or of one that fans out a list of all values there,
 * arena-owned. NULL when there is none. */
struct path;
json_t *record_path_value(struct arena *a, const struct path *path, const json_t *data);
/* An empty path buffer to walk with, and what a change's path makes of it. */
struct buf *record_paths_buf(struct arena *a, struct str path);
#endif
