/* The way back through a record's history. */
#ifndef RECORD_RECORD_UNDO_H
#define RECORD_RECORD_UNDO_H
#include "base/arena.h"
#include "base/json.h"

/* Undoes changes, [{path,before,after}] as clock_merge made them, on the object they led to, in
 * place. A side that is missing had no such member. */
void record_undo(struct arena *a, json_t *object, const json_t *changes);
/* The object that holds the last step of a path, and that step's key; NULL where there is none, but
 * with is_made the objects on the way are made, whatever stands there. Unlike path.h this knows
 * empty keys and paths of any length, and steps into objects alone. */
json_t *record_object_at(
    struct arena *a, json_t *object, const char *path, bool is_made, const char **last);
#endif
