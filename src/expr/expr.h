/* Expressions: JSON with texts like "{change.value.leadgen_id}" in it, and conditions and loops
 * over the same values; compiled once, evaluated against a scope. This room knows the grammar. What
 * can be named, what a value may be put through and how it is escaped are the caller's: see
 * docs/internals/expr.md; the grammar for people is in providers/README.md. */
#ifndef EXPR_EXPR_H
#define EXPR_EXPR_H
#include "base/json-reader.h"
#include "base/json.h"
#include "base/path.h"

struct buf;

/* ---- what the caller gives ---------------------------------------------------------------- */

#define EXPR_ROOTS_MAX 32 /* of a language: their slots are the bits of a mask */
#define EXPR_LOOPS_MAX 8  /* one within the other */
#define EXPR_SLOTS (EXPR_ROOTS_MAX + EXPR_LOOPS_MAX)

/* The values that references find, by the slots of the language's roots. */
#define EXPR_PATHS_KEPT 8
struct scope {
	struct arena *a;
	union {
		json_t *json;     /* borrowed; NULL: absent */
		const void *from; /* of a root with a look-up; NULL: absent */
	} slot[EXPR_SLOTS];
	bool is_of_ids; /* texts of numbers are plain decimals (json_id_text), as within expr_id */
	/* Bytes (json_weight) that expressions made of what they found, counted when there is a
	 * most: above it they give nothing more, and the caller refuses the result. */
	size_t weight, weight_max;
	/* A list, or NULL: placeholders of double braces that found nothing are added to it, as
	 * they were written, each once, EXPR_MISSING_MAX at most. */
	json_t *missing;
	/* Configured paths that were compiled: they are the same for each of many items. */
	struct scope_path {
		const struct expr *of;
		struct str text;
		const struct path *compiled; /* NULL: it is none */
	} paths[EXPR_PATHS_KEPT];
	size_t npaths;
};
#define EXPR_MISSING_MAX 20
bool scope_is_over(const struct scope *s);
/* Adds to the scope's list of what is missing, if it has one. */
void scope_note_missing(struct scope *s, struct str what);

/* What lies in a root's JSON, where that is known: a place that begins with another name is refused
 * when it is compiled. Below a FIELD_KEYS lie keys that others chose: all that stands behind its
 * dot is first tried as one key, then as a path. A first row with the name "" speaks of the root
 * itself. */
enum expr_field_kind {
	FIELD_ANY,
	FIELD_SCALAR, /* nothing lies below it */
	FIELD_KEYS,
	FIELD_TIME,  /* a scalar: an integer of microseconds, which is a time that has been read */
	FIELD_LATER, /* it will be there, but not here: who names it is told so */
};
struct expr_field {
	const char *name;
	enum expr_field_kind kind;
};
/* What a reference may start with: JSON, with a path below it, or (with find) something that is
 * looked up by a name, all that stands behind the first dot. The name "" is of the root that a
 * placeholder means which names none. */
struct expr_root {
	const char *name;
	unsigned slot;                                          /* below EXPR_ROOTS_MAX, its own */
	struct str (*find)(const void *from, const char *name); /* {NULL,0}: absent */
	const struct expr_field *fields; /* ends with a row of no name; NULL: anything */
};
#define EXPR_ROOT_BIT(slot) (1u << (slot))

/* What a reference found, and what functions make of it. */
struct expr_value {
	enum { VALUE_ABSENT, VALUE_JSON, VALUE_TEXT, VALUE_INT } kind;
	json_t *json;    /* borrowed */
	struct str text; /* the scope's, or in its arena */
	int64_t number;  /* of functions that read a time: microseconds */
};
/* `:name`, or `:name(argument)`. apply replaces *v, which is there and has this text: that of an id
 * where it is a number. */
struct expr_function {
	const char *name;
	/* In words, for who gives a wrong one: "a number of seconds"; NULL: it takes none. */
	const char *argument;
	void (*apply)(struct scope *s, struct expr_value *v, struct str text, struct str argument);
	/* Is it an argument? NULL: any text that is not empty. */
	bool (*accepts)(struct str argument);
	bool takes_lists; /* it is given lists and objects too, with the text {NULL,0} */
};
/* The usual ones (expr-functions.c); ends with a row of no name. */
extern const struct expr_function expr_functions[];

enum expr_syntax {
	/* {placeholder}; {{ and }} are the braces. Keys are texts too, objects of one key with a
	 * dollar sign are operators; what is absent makes its text absent. */
	EXPR_SINGLE_BRACES,
	/* {{placeholder}} in the texts of data that is otherwise as it stands: keys, dollar signs,
	 * braces. What is absent is null, or nothing within a text. */
	EXPR_DOUBLE_BRACES,
};
struct expr_language {
	enum expr_syntax syntax;
	const struct expr_root *roots;
	size_t nroots;
	const struct expr_function *functions; /* ends with a row of no name */
};

/* ---- compiling ---------------------------------------------------------------------------- */

/* Where JSON is being compiled: the reader knows the place, and tells what is wrong with it. */
struct loader {
	struct json_reader in;
	struct arena *a; /* owns what is made; texts of the JSON are copied */
	const struct expr_language *language;
	unsigned roots; /* EXPR_ROOT_BIT of those that may be used here */
	/* What the enclosing loops are called; of equal names the inner one is meant. */
	const char *loop[EXPR_LOOPS_MAX];
	size_t nloops;
	bool allows_raw; /* $raw may stand here, or in a branch here: it becomes a part of a URL */
	/* A placeholder (of double braces) that is none is absent, as is an alternative that is
	 * none, or text where it is not closed: for what was stored before it was checked. */
	bool is_lenient;
};

struct expr;
/* Compiles a value where the reader stands: 0, or -1 with the complaint made. */
int expr_compile(struct loader *l, const json_t *v, struct expr **out);
/* The named member; absent gives 0 and *out = NULL. */
int expr_member(struct loader *l, const json_t *object, const char *key, struct expr **out);

/* A condition where the reader stands: 0, or -1 with the complaint made. */
struct cond;
int cond_compile(struct loader *l, const json_t *v, struct cond **out);
/* The named member, as expr_member.
 * Conditions: {"ref","equals"|"in"|"exists"|"startsWith"|"endsWith"|"contains"}, {"any":[]},
 * {"all":[]},
 * {"not":{}}; a list is "all". */
int cond_member(struct loader *l, const json_t *object, const char *key, struct cond **out);

/* Loops: [{"entry":"body.entry"},{"change":"entry.changes"}]. Arrays fan out, an object is one,
 * anything else none. The names stay known to the loader until it is given its former nloops back.
 */
struct loops {
	struct expr **source;
	size_t n;
	size_t first; /* the place of the outermost among all loops around what is within */
};
int loops_member(struct loader *l, const json_t *object, const char *key, struct loops *out);

/* What an object may hold, read in this order: members of base/json-reader.h, expressions,
 * conditions, loops, and those that the caller reads itself. */
enum loader_member_kind { MEMBER_PLAIN, MEMBER_EXPR, MEMBER_COND, MEMBER_LOOPS, MEMBER_OTHER };
struct loader_member {
	struct json_member json; /* name and offset are of all kinds */
	enum loader_member_kind kind;
};
int loader_members(struct loader *l, const json_t *object, const struct loader_member *members,
    size_t n, void *out);

/* A condition as people write it: `trigger.amount > 100 and trigger.country in ['DE', 'AT']`. The
 * grammar and what the operators do with unlike values: docs/internals/expr.md. 0, or -1 with the
 * complaint made, which tells the character. */
#define FORMULA_BYTES 4096u
#define FORMULA_NODES 1000u
#define FORMULA_DEPTH 50u
struct formula;
int formula_compile(struct loader *l, struct str text, struct formula **out);
bool formula_holds(const struct formula *f, struct scope *s);

/* ---- evaluating: all may be given NULL for an absent expression ---------------------------- */

/* Text of a scalar; {NULL,0} when it, or a placeholder within text, is absent or null. */
struct str expr_text(const struct expr *e, struct scope *s);
/* The same of what is an id: a number in it is its plain decimal text. */
struct str expr_id(const struct expr *e, struct scope *s);
/* expr_text with every placeholder put through escape; constant parts stay. */
struct str expr_text_escaped(
    const struct expr *e, struct scope *s, void (*escape)(struct buf *b, struct str text));
/* expr_text, all of it put through escape, but the constant parts of $raw. */
struct str expr_text_encoded(
    const struct expr *e, struct scope *s, void (*escape)(struct buf *b, struct str text));
/* The JSON value, a new reference, or NULL when absent. Absent members of objects are left out, or
 * null when keep_absent is set. */
json_t *expr_json(const struct expr *e, struct scope *s, bool keep_absent);
/* A time: by a function that reads one, or a text or number in any form of clock_parse_any. *at_us
 * is TIME_NONE unless it was found; odd: there is something, which is no time. */
enum expr_time { EXPR_TIME_ABSENT, EXPR_TIME_FOUND, EXPR_TIME_ODD };
enum expr_time expr_time(const struct expr *e, struct scope *s, int64_t *at_us);
/* A value borrowed from the scope where the expression merely points at one; NULL otherwise. */
json_t *expr_borrow(const struct expr *e, struct scope *s);
/* The value, borrowed where it can be, else made and given to the arena; NULL when absent. */
json_t *expr_shared(const struct expr *e, struct scope *s);
bool cond_holds(const struct cond *c, struct scope *s); /* NULL holds */
/* Calls each for every combination until it returns non-zero, and returns that. */
int loops_each(
    const struct loops *ls, struct scope *s, int (*each)(struct scope *s, void *arg), void *arg);
/* The same, where ends without an element are told too: of the loop `level` from 0, what stood
 * there was an empty list, nothing, or neither list nor object. missed goes on by 0 as each does.
 */
enum loops_end { LOOPS_EMPTY, LOOPS_ABSENT, LOOPS_NO_LIST };
int loops_each_told(const struct loops *ls, struct scope *s,
    int (*each)(struct scope *s, void *arg),
    int (*missed)(struct scope *s, size_t level, enum loops_end end, void *arg), void *arg);
/* The element of the innermost loop where each is called; NULL where there is no loop. */
const json_t *loops_element(const struct loops *ls, const struct scope *s);

/* Calls each for every place that the expression may look at: the root's slot, and the path or name
 * below it ("": the root itself), until it returns non-zero, and returns that. Literals are none.
 */
int expr_each_place(
    const struct expr *e, int (*each)(unsigned slot, const char *path, void *arg), void *arg);
int cond_each_place(
    const struct cond *c, int (*each)(unsigned slot, const char *path, void *arg), void *arg);
bool expr_is_constant(const struct expr *e); /* looks at no place */

#endif
