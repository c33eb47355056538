/* What senders write and take for JSON: the repair behind json_parse_lenient. */
#ifndef BASE_JSON_REPAIR_H
#define BASE_JSON_REPAIR_H

#include "base/str.h"

struct buf;

/* Appends text to b with its repairs made (JSON_REPAIR_… of base/json.h), and returns which those
 * were. At most six bytes for each. What is wrong otherwise stays so. */
unsigned json_repair(struct buf *b, struct str text);

#endif
