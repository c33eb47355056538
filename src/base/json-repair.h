/* What senders write and take for JSON: the repair behind json_parse_lenient. */
#ifndef BASE_JSON_REPAIR_H
#define BASE_JSON_REPAIR_H

#include "base/str.h"

struct arena;
struct buf;

/* Appends text to b with its repairs made (JSON_REPAIR_… of base/json.h), and returns which those
 * were. At most six bytes for each. What is wrong otherwise stays so. */
unsigned json_repair(struct buf *b, struct str text);
/* The text in UTF-8 where it is UTF-16, marked or not (RFC 4627 §3), and that it was; else as it
 * is. The arena owns it. */
struct str json_repair_utf16(struct arena *a, struct str text, unsigned *done);

#endif
