/* Lists: a list is answered in slices, of so many rows from a position on. What filters a list is
 * one table, from which its parameters are read and to which its cursors are bound, so that no
 * filter can be forgotten in the cursor. docs/internals/lists.md tells how to add one. */
#ifndef HTTP_SLICE_H
#define HTTP_SLICE_H

#include <stddef.h>

#include "base/word.h"
#include "db/db.h"
#include "http/http.h"

/* ---- filters ------------------------------------------------------------------------------- */

enum filter_kind {
	FILTER_TEXT,  /* struct str: any text; {NULL,0} when absent or empty */
	FILTER_WORD,  /* struct str: one of words, else 422 */
	FILTER_ID,    /* struct uuid: nil when absent */
	FILTER_TIME,  /* struct opt_time */
	FILTER_FROM,  /* the same; a bare date is the beginning of that day of the viewer's */
	FILTER_UNTIL, /* the same; a bare date is the end of it */
	FILTER_OWN    /* parameters with functions of the list's own */
};
struct filter_own {
	/* Puts what pairs have of it over what the filter holds; complaints by req_invalid. */
	void (*read)(struct req *r, const struct http_pairs *pairs, void *filter);
	/* Writes it as parameters, by filter_pair_add. */
	void (*write)(struct arena *a, const void *filter, struct http_pairs *out);
};
/* One filter of a list: the parameter and the member of the list's filter struct that takes it. */
struct filter_row {
	const char *name; /* NULL ends a table */
	enum filter_kind kind;
	size_t at;                /* offsetof the member */
	const struct word *words; /* of FILTER_WORD; of FILTER_TEXT what pages offer */
	const struct filter_own *own;
};
extern const struct filter_row filter_none[]; /* of a list without filters: its struct is the id */
/* A list: every filter struct begins with the account's id. */
struct list {
	const char *name; /* of no other list */
	const struct filter_row *filters;
	const char
	    *sort; /* key of sort=: "-key" is newest first and the default; NULL: no choice */
};

/* Puts what pairs have over what *filter holds, and the request's account. Complaints are noted by
 * req_invalid; a word that is none is kept, and matches nothing. */
void filter_read(struct req *r, const struct list *l, const struct http_pairs *pairs, void *filter);
/* The filter as parameters, without those that are absent: what its cursors are bound to, and what
 * links carry on. At most FILTER_PAIRS. */
#define FILTER_PAIRS 32
struct http_pairs filter_pairs(struct arena *a, const struct list *l, const void *filter);
/* The same as the query of an address: "status=failed&search=ada", or "". */
const char *filter_query(struct arena *a, const struct list *l, const void *filter);
void filter_pair_add(struct http_pairs *out, const char *name, struct str value);

/* ---- cursors ------------------------------------------------------------------------------- */

/* A position in a list: the key of a row, and a note of the list's own. */
#define CURSOR_NOTE 1600u /* bytes a note may have */
struct cursor {
	int64_t at;
	struct uuid id;
	struct str note;
};
/* Sealed with an HMAC over position, note and scope, so that a broken, altered or foreign one is
 * 422: cursor_read adds the complaint itself. */
const char *cursor_make(struct req *r, const char *scope, const struct cursor *c);
bool cursor_read(struct req *r, const char *scope, struct str text, struct cursor *out);

/* ---- slices -------------------------------------------------------------------------------- */

struct slice {
	/* asked: */
	int64_t limit;       /* most rows */
	int64_t page;        /* of page=; 0 with a cursor */
	int64_t offset;      /* rows to skip, of page= */
	struct cursor after; /* the row before the slice: 0 and nil at the beginning */
	bool has_cursor;
	bool is_ascending; /* of sort= */
	const char *scope; /* what cursors are bound to: account, list, filters, order */
	/* came: */
	json_t *rows; /* arena-owned array; NULL until there are any */
	bool has_more;
	struct cursor last; /* of the last row, or how far was looked */
	int64_t total;      /* exact, or -1: then what is known without counting is told */
};

/* Reads an API request: filters, limit, page, sort and cursor. False after req_invalid: answer
 * res_invalid. */
bool slice_read(struct req *r, const struct list *l, void *filter, struct slice *out);
/* Reads the address of a page of so many rows, which takes anything: a filter that cannot be used
 * is noted by req_invalid and may be ignored. False when the cursor is not of this list: lead to
 * its beginning. */
bool slice_read_page(
    struct req *r, const struct list *l, void *filter, int64_t rows, struct slice *out);
/* The same for a filter and an order (out->is_ascending) that were read already. */
bool slice_place(
    struct req *r, const struct list *l, const void *filter, int64_t rows, struct slice *out);
/* The cursor of a position of this list. */
const char *slice_cursor(struct req *r, const struct slice *s, const struct cursor *at);
/* Answers {"data","page","limit","total","totalIsExact","nextCursor"}. */
int res_slice(struct req *r, const struct slice *s);
/* The same for a list that is always answered whole: rows is not stolen; limit is what it may be
 * at most. */
int res_whole(struct req *r, json_t *rows, int64_t limit);

/* For statements. The position that a list goes on from: s->after, or at the beginning one that is
 * newer than any, or older where the oldest come first. */
struct cursor slice_from(const struct slice *s);
/* Of a list by id: what is left of it, from `from` on and before `before`, for statements that go
 * either way. */
struct id_range {
	struct uuid from, before;
};
struct id_range slice_ids(const struct slice *s);
/* What "LIMIT ?" asks for: one row more than is taken tells whether there are more. */
static inline int64_t slice_limit(const struct slice *s)
{
	return s->limit + 1;
}
/* How many of the rows that came still belong to the slice; notes has_more and, from the columns,
 * the last position. SLICE_BY_ID: the list has no time in its order. */
#define SLICE_BY_ID SIZE_MAX
size_t slice_fill(struct slice *s, const struct db_rows *rows, size_t at_column, size_t id_column);
/* One row as JSON, of a list or by itself: whatever of it cannot be read, it is there with the
 * rest, and says isUnreadable (json_row_begin). */
typedef int slice_json_fn(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    json_t **out, struct err *err);
int slice_row(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    slice_json_fn *json, json_t **out, struct err *err);
/* The same, and appends each row as JSON to s->rows. json gives an arena-owned object. */
int slice_take(struct slice *s, struct app *app, struct arena *a, const struct db_rows *rows,
    size_t at_column, size_t id_column, slice_json_fn *json, struct err *err);

#endif
