/* The only includer of jansson.h: the JSON values of the product, and what it adds to them. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct arena;
struct buf;

/* A number keeps its digits: one that is no int64 as programs write them ("18446744073709551616",
 * "2.50", "4e3", "-0") is a real that remembers its text. Jansson's real could not, so such a one
 * is a string of Jansson's that begins with NUL, which no text does; only json.c knows. To all
 * others it is a real: they ask by these names, which go before Jansson's. */
json_type json_kind(const json_t *value);
const char *json_chars(const json_t *value); /* of a string, else NULL */
size_t json_chars_length(const json_t *value);
double json_double(const json_t *value); /* of a number, else 0 */
#undef json_typeof
#define json_typeof(value) json_kind(value)
#define json_string_value(value) json_chars(value)
#define json_string_length(value) json_chars_length(value)
#define json_real_value(value) json_double(value)
#define json_number_value(value) json_double(value)

/* Parses one JSON value of at most LIMIT_JSON_BYTES and LIMIT_JSON_DEPTH levels (depth is checked
 * before parsing); UTF-8 only; duplicate keys refused; \u0000 refused. Numbers that are no int64
 * become reals that keep their digits. The arena owns it. NULL and ERR_MALFORMED with line, column,
 * reason (never a piece of the text); ERR_LIMIT when it is too long. */
json_t *json_parse(struct arena *a, struct str text, struct err *err);
/* Of such an error: where and why, for a sentence that has named what was read already. */
const char *json_parse_reason(const struct err *err);
/* The same for what genuine senders write and a strict reader refuses: byte-order marks fall,
 * UTF-16 is read; half a surrogate pair, \u0000, a NUL, and bytes that are no UTF-8 become U+FFFD;
 * raw control characters in texts stay; of doubled keys the last counts. *repairs says which of
 * these there were (0: it was JSON as it came, and cost nothing more). */
enum {
	JSON_REPAIR_MARK = 1,
	JSON_REPAIR_SURROGATE = 2,
	JSON_REPAIR_NUL = 4,
	JSON_REPAIR_BYTES = 8,
	JSON_REPAIR_CONTROL = 16,
	JSON_REPAIR_DOUBLED = 32,
	JSON_REPAIR_UTF16 = 64,
};
json_t *json_parse_lenient(struct arena *a, struct str text, unsigned *repairs, struct err *err);
/* The same of at most so many bytes, which may be more: for who has asked for as much. */
json_t *json_parse_large(
    struct arena *a, struct str text, size_t most, unsigned *repairs, struct err *err);
/* About how many values a text has that need be no JSON: a look at it, without parsing it. */
size_t json_count_values(struct str text);
/* What was put right, for people: "a byte-order mark fell; …". NULL: nothing. */
const char *json_repairs_text(struct arena *a, unsigned repairs);
/* The same for text that json_text wrote and that was stored: the limits for strangers do not
 * apply, since what was merged, or stands in a history, may be longer and deeper than what came.
 * NULL and ERR_UNREADABLE: nobody's request is at fault. */
json_t *json_parse_stored(struct arena *a, struct str text, struct err *err);
/* The same of what calls are made with: a request that only reads gets the error too, but for
 * rows. */
json_t *json_parse_used(struct arena *a, struct str text, struct err *err);
/* From now on such text that cannot be read is an empty object, which the log tells: for who only
 * removes what it is part of, since nothing may be there for good because it cannot be read. */
void json_forgive_stored(bool is_forgiven);
/* The same for requests that only read. What is read for a row that is shown, between begin and
 * end, which says whether there was such text: then the row says isUnreadable, and the rest of it
 * is shown. May be nested. Beside the rows the whole answer says so. Who reads to change something,
 * and jobs, get the error. */
void json_show_stored(bool is_shown);
bool json_unreadable_beside(void);
void json_row_begin(void);
bool json_row_end(void);
/* Such text as a value that is only written, as it stands: an answer passes on what is stored
 * without taking it apart. It has no members and no kind that means anything. NULL where a look
 * shows that it is not the whole of an object as json_text writes it: json_parse_stored reads it,
 * or says why not. */
json_t *json_verbatim(struct arena *a, struct str text);
bool json_is_whole(struct str text); /* that look */
/* The text of a member of an object, of such text as json_text wrote: 1, 0 there is none, -1 this
 * is no such text. Costs a walk along the text, a tenth of parsing it. */
int json_member_text(struct arena *a, struct str object, const char *key, struct str *out);
/* Gives a fresh value to the arena (decref at its end); returns it. NULL aborts (out of memory). */
json_t *json_own(struct arena *a, json_t *value);
/* Compact text, keys in sorted order so that equal values have equal text; numbers with the digits
 * that were parsed, reals of ours in the fewest that read back the same. Arena-owned, NUL-ended. */
struct str json_text(struct arena *a, const json_t *value);
/* Two-space indented, sorted keys, for people. */
struct str json_pretty(struct arena *a, const json_t *value);
/* Appends compact text, keys in insertion order; the same two-space indented. */
void json_append(struct buf *b, const json_t *value);
void json_append_pretty(struct buf *b, const json_t *value);

/* Loops over the members of an object and the elements of an array, in order; also of const ones,
 * and of NULL, which has none. Within the loop no member may be added or removed. */
#define JSON_ITER(object) ((json_t *)(uintptr_t)(object)) /* walking changes nothing */
#define json_object_each(object, key, value)                                                       \
	for ((key) = json_object_iter_key(json_object_iter(JSON_ITER(object)));                    \
	     (key) != NULL &&                                                                      \
	     ((value) = json_object_iter_value(json_object_key_to_iter(key))) != NULL;             \
	     (key) = json_object_iter_key(                                                         \
		 json_object_iter_next(JSON_ITER(object), json_object_key_to_iter(key))))
#define json_array_each(array, index, value)                                                       \
	for ((index) = 0;                                                                          \
	     (index) < json_array_size(array) && ((value) = json_array_get(array, index)) != NULL; \
	     (index)++)

/* Members of an object; NULL, 0, false when absent or of another type. */
const char *json_str(const json_t *object, const char *key);
int64_t json_int(const json_t *object, const char *key);
bool json_bool(const json_t *object, const char *key);
/* A scalar as text (numbers as written, true/false; null and containers give NULL); arena-owned. */
const char *json_scalar_text(struct arena *a, const json_t *value);
/* The same of what is an id: a number is its plain decimal text (number.h), or NULL where that is
 * too long. */
const char *json_id_text(struct arena *a, const json_t *value);
/* The scalars of a list as one text, "; " between them: what a list is where a text is wanted. NULL
 * for what is no list of scalars, or has none. Arena-owned. */
const char *json_joined_text(struct arena *a, const json_t *list);
/* Sets key to a string; a NULL string sets null. Bytes of a key or value that are not UTF-8 become
 * U+FFFD. */
void json_set_str(json_t *object, const char *key, const char *value);
void json_set_strn(json_t *object, const char *key, struct str value);
void json_set_int(json_t *object, const char *key, int64_t value);
void json_set_bool(json_t *object, const char *key, bool value);
int64_t json_time(const json_t *object, const char *key); /* of ISO text; 0 where there is none */
void json_set_time(json_t *object, const char *key, int64_t at_us); /* ISO text; 0 sets null */
/* The same of a time that may be any: TIME_NONE sets null. */
void json_set_known_time(json_t *object, const char *key, int64_t at_us);
void json_set(json_t *object, const char *key, json_t *value); /* steals value; NULL sets null */

/* RFC 7396-like merge in place with null kept as a
 * value: objects merge recursively, everything else replaces. Returns whether target changed. What
 * it takes over is copied. Both are objects; otherwise nothing happens. */
bool json_merge(json_t *target, const json_t *patch);

/* Roughly the bytes that a value takes when it is copied: its texts and keys, and 32 for every
 * value. For bounding what input can make grow. */
size_t json_weight(const json_t *value);

#endif
