/* Payloads that come as the cells of a table: texts, paths. */
#ifndef RECORD_RECORD_CELLS_H
#define RECORD_RECORD_CELLS_H
#include "base/arena.h"
#include "base/json.h"

/* Of a patch whose texts are cells of a table: one that prints (as base/csv.h writes it) like the
 * value that is stored becomes that value, so that merging it changes nothing. With has_cleared a
 * null goes where what is stored prints as nothing. In place. */
void record_keep_printed(struct arena *a, const json_t *stored, json_t *patch, bool has_cleared);
/* Sets what an export has of a payload without columns of its own: {path: value}, any path that
 * record_paths_each tells. */
void record_set_others(struct arena *a, json_t *data, const json_t *others);
#endif
