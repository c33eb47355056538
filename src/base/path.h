/* Dotted paths within JSON: `address.city`, `results.0.id`, `entry[].changes[].value` ([] fans out
 * over an array; `[0]` is `.0`, and `[city]` is `.city`, as forms write it). A dot, bracket or
 * backslash within a key has a backslash before it: `a\.b`. A number is an index of an array and a
 * key of an object. "" is the root. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/json.h"

struct buf;
struct path;

/* Appends a key as a step of such a path (without a dot before it). An empty key is no step that
 * compiles. */
void path_append_key(struct buf *b, const char *key);
/* Compiles; the arena owns it. NULL with ERR_INVALID for an empty step, too many steps or bytes. */
struct path *path_compile(struct arena *a, struct str text, struct err *err);
/* The path with dots, however it was written: `data[id]` is `data.id`. */
const char *path_text(const struct path *p);
bool path_fans_out(const struct path *p);
size_t path_steps(const struct path *p);
const char *path_step_key(const struct path *p, size_t i); /* NULL: fans out */
/* Calls each for every value there, in order, until it returns non-zero; returns that, or 0. */
typedef int path_fn(void *arg, json_t *value);
int path_each(const struct path *p, const json_t *root, path_fn *each, void *arg);
/* The value there, borrowed from root, or NULL. A fan-out path gives its first match. */
json_t *path_get(const struct path *p, const json_t *root);
/* Appends all that is there to the list, in order: one value, or each that a fan-out finds. */
void path_collect(const struct path *p, const json_t *root, json_t *list);
/* Compile and get in one, for text that comes once. NULL if absent or not a path. */
json_t *path_lookup(struct arena *a, const json_t *root, const char *text);
/* Sets the value at a path without fan-out, making objects on the way where nothing or null is (a
 * number step makes an object too); steals value. ERR_INVALID where a scalar or an array is in the
 * way, nothing changed then. */
int path_set(const struct path *p, json_t *root, json_t *value, struct err *err);

#endif
