/* Reads JSON that came from outside: bodies of requests, settings, manifests. A reader knows where
 * it stands, so that each complaint names its place; a table says what an object may hold:
 *
 *	struct key_body { struct str name; int64_t expires_us; json_t *permissions; };
 *	static const struct json_member members[] = {
 *	    {"name", READ_TEXT, JSON_INTO(struct key_body, name), .need = READ_NEEDED, .min = 1},
 *	    {"expiresAt", READ_TIME, JSON_INTO(struct key_body, expires),
 *	     .need = READ_CLEARABLE},
 *	    {"permissions", READ_LIST, JSON_INTO(struct key_body, permissions), .max = 50}};
 *	struct json_reader in = {.err = err};
 *
 *	if (json_read_members(&in, body, JSON_MEMBERS(members), &out) == -1)
 *		return -1;
 *
 * What is not given, or wrong, leaves its place in the struct as it was. */
#ifndef BASE_JSON_READER_H
#define BASE_JSON_READER_H

#include "base/json.h"

/* Complaints go to complain, each with its path, and reading goes on; without it the first goes to
 * err (ERR_INVALID) and reading ends there. A path is "steps[2].config.url", "" for the whole. */
struct json_reader {
	struct err *err; /* field is the path */
	/* A file's name: then err's text is "file: path: reason" and its field "". */
	const char *file;
	void (*complain)(void *arg, const char *path, const char *reason);
	void *arg;
	size_t faults; /* complaints so far */
	char at[256];  /* where the reader stands; too long a path is cut */
	size_t at_len; /* of the whole path */
};

/* Descends to a member or an element; returns the mark for json_reader_leave. */
size_t json_reader_enter(struct json_reader *in, const char *key);
size_t json_reader_enter_index(struct json_reader *in, size_t i);
void json_reader_leave(struct json_reader *in, size_t mark);
/* Complains of the value where the reader stands, or of a member of it. Always returns -1. */
int json_reader_fail(struct json_reader *in, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int json_reader_fail_at(struct json_reader *in, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* What a value must be, and the type that it is read into. A borrowed one lives as long as the
 * JSON; max 0 is no maximum, unless min is below it. */
enum json_kind {
	READ_ANY,    /* json_t *, borrowed */
	READ_OBJECT, /* json_t *, borrowed; min to max members */
	READ_LIST,   /* json_t *, borrowed; min to max elements */
	READ_TEXT,   /* struct str, borrowed; NUL-ended unless READ_TRIMMED; min to max bytes */
	READ_PARSED, /* a text that parse takes; whatever parse writes */
	READ_WORD,   /* const char *, one of words */
	READ_TIME,   /* struct opt_time; an ISO 8601 text */
	READ_INT,    /* int64_t from min to max */
	READ_NUMBER, /* double from min to max; integers too */
	READ_BOOL,   /* bool */
};

/* What it means that a member is absent, or null. */
enum json_need {
	READ_OPTIONAL,  /* it may be absent; null is a wrong value */
	READ_NULLABLE,  /* null is the same as absent */
	READ_CLEARABLE, /* null is a value, all zero; not for READ_PARSED */
	READ_NEEDED,    /* both are complained of */
};

enum json_flag {
	READ_TRIMMED = 1,       /* without blanks and marks at its ends (utf8_trim) */
	READ_PLAIN = 2,         /* a text without control characters */
	READ_EMPTY_IS_NULL = 4, /* "" is taken for null */
};

struct json_member {
	const char *name;
	enum json_kind kind;
	size_t offset; /* of its place in the struct */
	enum json_need need;
	unsigned flags; /* enum json_flag; of texts of any kind */
	int64_t min, max;
	const char *const *words; /* NULL-terminated */
	bool (*parse)(struct str text, void *out);
	const char *rule; /* said instead of the reader's own words for a wrong value */
};
#define JSON_INTO(type, field) .offset = offsetof(type, field)
#define JSON_MEMBERS(table) (table), sizeof(table) / sizeof((table)[0])

/* An object with no other members than those of the table, into a struct: 0, or -1. A complaining
 * reader reads all; it tells every unknown member too. */
int json_read_members(struct json_reader *in, const json_t *object,
    const struct json_member *members, size_t n, void *out);
/* One member of an object, into *out (offset is not looked at): 1, 0 when it is not given, -1. */
int json_read_member(
    struct json_reader *in, const json_t *object, const struct json_member *m, void *out);
/* The value where the reader stands: an element, say. 0, or -1. */
int json_read_value(struct json_reader *in, json_t *value, const struct json_member *m, void *out);
/* v must be an object with none but the named keys (NULL-terminated): 0, or -1. */
int json_read_keys(struct json_reader *in, const json_t *v, const char *const *keys);

#endif
