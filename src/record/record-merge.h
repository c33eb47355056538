/* What changed between two payloads, and the way back. */
#ifndef RECORD_RECORD_MERGE_H
#define RECORD_RECORD_MERGE_H
#include "base/arena.h"
#include "base/json.h"

/* Differences as [{path,before,after}]; a side that has no such key has no such member. Objects on
 * both sides are descended into, unless the paths of all changes could then take more bytes than a
 * record may have: such an object is one change. Paths are those of base/path.h, which can read all
 * but those through an empty key, too long or too deep. A new reference owned by the arena. */
json_t *record_diff(struct arena *a, const json_t *before, const json_t *after);
/* Undoes changes (as record_diff made them) on the object they led to, in place. */
void record_undo(struct arena *a, json_t *object, const json_t *changes);
/* Does them again, in place, on an object that may have become another, as the payload that made
 * them would: the objects on a path are made where there is something else or nothing, and a value
 * that is an object merges into the object that is there. */
void record_redo(struct arena *a, json_t *object, const json_t *changes);
#endif
