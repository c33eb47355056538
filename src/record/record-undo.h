/* The way back through a record's history. */
#ifndef RECORD_RECORD_UNDO_H
#define RECORD_RECORD_UNDO_H
#include "base/arena.h"
#include "base/json.h"

/* Undoes changes, [{path,before,after}] as clock_merge made them, on the object they led to, in
 * place. A side that is missing had no such member. */
void record_undo(struct arena *a, json_t *object, const json_t *changes);
#endif
