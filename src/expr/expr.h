/* Expressions of manifests: JSON with text like "{change.value.leadgen_id}" in it, compiled at
 * load, evaluated against a scope. Private to this folder. The language is described in
 * providers/README.md. */
#ifndef EXPR_EXPR_H
#define EXPR_EXPR_H
#include "base/json.h"
#include "base/path.h"
#include "http/http.h"

struct connection;

/* What a reference may start with. The first ROOT_SLOTS are JSON values of the scope. */
enum root {
	ROOT_BODY,
	ROOT_SETTINGS,
	ROOT_CREDENTIALS,
	ROOT_INPUT,
	ROOT_ANSWER,
	ROOT_STATUS,
	ROOT_RAW,
	ROOT_OUTPUT,
	ROOT_LOOP,
	ROOT_SLOTS = ROOT_LOOP + 4,
	ROOT_HEADER = ROOT_SLOTS,
	ROOT_QUERY,
	ROOT_LITERAL,
};
#define ROOT_BIT(r) (1u << (r))

/* The values that references find. */
struct scope {
	struct arena *a;
	json_t *slot[ROOT_SLOTS]; /* borrowed; NULL: absent */
	const struct http_pairs *headers, *query;
};

/* Where a manifest is being read: file and JSON path for messages, which roots may be used here,
 * and the names that the enclosing "for" gave. */
struct loader {
	struct arena *a;
	const char *file;
	char at[256];
	size_t at_len;
	unsigned roots;
	const char *loop[ROOT_SLOTS - ROOT_LOOP];
	size_t nloops;
	struct err *err;
};
/* Descends into a member or element; answers the mark for loader_leave. */
size_t loader_enter(struct loader *l, const char *key);
size_t loader_enter_index(struct loader *l, size_t i);
void loader_leave(struct loader *l, size_t mark);
/* ERR_INVALID "file: json.path: reason"; -1. */
int loader_fail(struct loader *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* v must be an object with only these keys (NULL-terminated). */
int loader_object(struct loader *l, const json_t *v, const char *const *keys);
/* The named member as text: an absent one gives 0 and *out = NULL unless it is needed. */
int loader_text(
    struct loader *l, const json_t *object, const char *key, bool is_needed, const char **out);
int loader_bool(struct loader *l, const json_t *object, const char *key, bool *out);
/* A member that is an integer within [min,max]; *out stays when absent. */
int loader_int(struct loader *l, const json_t *object, const char *key, int64_t min, int64_t max,
    int64_t *out);

struct expr;
/* Compile the named member; absent gives 0 and *out = NULL. */
int expr_member(struct loader *l, const json_t *object, const char *key, struct expr **out);
int expr_compile(struct loader *l, const json_t *v, struct expr **out);

/* Text of a scalar; {NULL,0} when it, or any placeholder within text, is absent or null. expr may
 * be NULL. */
struct str expr_text(const struct expr *e, struct scope *s);
/* The same with every placeholder percent-encoded. */
struct str expr_text_encoded(const struct expr *e, struct scope *s);
/* The JSON value, a new reference, or NULL when absent. Absent members of objects are left out, or
 * null when keep_absent is set. */
json_t *expr_json(const struct expr *e, struct scope *s, bool keep_absent);
/* Microseconds since the epoch, by a time filter; 0 when absent or unreadable. */
int64_t expr_time_us(const struct expr *e, struct scope *s);
/* A value borrowed from the scope where the expression merely points at one; NULL otherwise. */
json_t *expr_borrow(const struct expr *e, struct scope *s);

/* Calls each for every place that the expression may look at: its root, and the path or name below
 * it ("": the root itself), until it returns non-zero, and returns that. Literals are no places. */
int expr_each_place(
    const struct expr *e, int (*each)(unsigned root, const char *path, void *arg), void *arg);
bool expr_is_constant(const struct expr *e); /* looks at no place */

/* Conditions: {"ref","equals"|"in"|"exists"|"startsWith"|"endsWith"}, {"any":[]}, {"all":[]},
 * {"not":{}}; a list is "all". */
struct cond;
int cond_member(struct loader *l, const json_t *object, const char *key, struct cond **out);
bool cond_holds(const struct cond *c, struct scope *s); /* NULL holds */

/* Loops: [{"entry":"body.entry"},{"change":"entry.changes"}]. Arrays fan out, an object is one,
 * anything else none. The names stay known to the loader until it is given its former nloops back.
 */
struct loops {
	struct expr **source;
	size_t n;
};
int loops_member(struct loader *l, const json_t *object, const char *key, struct loops *out);
/* Calls each for every combination until it answers non-zero, and answers that. */
int loops_each(
    const struct loops *ls, struct scope *s, int (*each)(struct scope *s, void *arg), void *arg);
#endif
