/* Pages of the records: what their files share, and what the leads' page builds on. */
#ifndef RECORD_RECORD_PAGES_H
#define RECORD_RECORD_PAGES_H
#include "record/record.h"
#include "record/view.h"

#define RECORD_PAGE_ROWS 25 /* fewer with many columns */
#define RECORD_PAGE_ADDRESS "/admin/records"
#define LEADS_PAGE_ADDRESS "/admin/leads" /* of the records of type lead */

/* ---- record-pages-list.c: a list, as its address says it ----------------------------------- */

/* All of the address of a list; the page's own parts are set before record_browse_read. */
struct record_browse {
	struct req *r;
	const char *address; /* of the page, without query */
	bool is_type_fixed;  /* the page is of one resource type, which its address hides */
	struct record_filter f;
	bool is_ascending;                 /* oldest first */
	bool has_received, is_by_received; /* the page knows that order too; it is in it */
	/* Of leads, when they were received: the first counts, the last does not. It implies that
	 * order; only a page that has it knows it. */
	struct received_span {
		struct uuid account_id;
		struct opt_time after, before;
	} received;
	json_t *columns;              /* paths chosen in the address; NULL: none */
	const char *left_out;         /* of a view: what cannot be used; NULL: nothing */
	json_t *view_columns;         /* what the page's own view chooses; NULL: none */
	struct str view;              /* id of the view that the address was opened from */
	struct str extra_name, extra; /* the page's own parameter: a lead's delivery status */
	struct record_slice slice;    /* the position, and the rows there */
	bool is_back;                 /* the slice before the cursor */
	int64_t before; /* rows of the list before it, by those who turned to it, or -1 */
	const char
	    *wrong; /* a sentence without a full stop: the filter is none, nothing is listed */
};
static inline bool record_browse_has_span(const struct record_browse *b)
{
	return b->received.after.is_given || b->received.before.is_given;
}
/* Reads the query string over what b has. 1 go on, 0 answered (a redirect). */
int record_browse_read(struct record_browse *b);
/* The list that a form was sent from, by its field "query"; false when that is none. */
bool record_browse_of_form(struct req *r, struct record_browse *b);
/* Fills b->slice: rows in the order of the list; none when b->wrong, which it sets where the filter
 * is at fault. */
int record_browse_load(struct record_browse *b, struct err *err);
/* Is it the filter that is at fault? Then b->wrong says so, and the error is none. */
bool record_browse_note_error(struct record_browse *b, struct err *err);
/* Whether the position is past an end of the list: a page number with no rows, or a page back that
 * is not full. The list's beginning shows more. */
bool record_browse_is_beyond(const struct record_browse *b);
/* The address of this list from its beginning, with what b says; arena-owned. */
const char *record_browse_link(const struct record_browse *b);
/* The same with another path in the i-th condition on a field. */
const char *record_browse_renamed_link(const struct record_browse *b, size_t i, const char *path);
/* The query of that address, without "?". */
const char *record_browse_query(const struct record_browse *b);
/* What a connection is called that the list is filtered by. */
const char *record_browse_connection_name(const struct record_browse *b, const struct uuid *id);
/* The address that exports all of the list; format: csv or ndjson. */
const char *record_browse_export_link(const struct record_browse *b, const char *format);
/* Adds what templates/record/ tools, paging and views need: search, providers, sources, chips,
 * hidden inputs, links of the pages, count, exports. */
int record_browse_show(struct record_browse *b, json_t *data, struct err *err);

/* The filter as record_filter_from_json reads it; owned by the arena. */
json_t *record_browse_filter_json(const struct record_browse *b);

/* ---- record-pages-columns.c: what of a payload is shown in a row ---------------------------- */

/* What a person would call this record: its name, what it says, its id, its first value; never a
 * hash. Arena-owned or the record's. */
const char *record_name(struct arena *a, const json_t *record);
/* The name of the person that it is of, where its payload has one at hand; NULL: it has none. */
const char *record_person(struct arena *a, const json_t *record);
/* What an import made of a row that has no id of its own: "row-" or "key-" and a hash. */
bool record_id_is_hash(struct str id);
/* A payload's value as a cell's text, cut; NULL when there is none. */
const char *record_cell_text(struct arena *a, const json_t *value);
/* Adds "columns" (path, label, class) and "fields" (the picker) to data; "title", "subtitle" and
 * "cells" (value, class, whole) to each of rows, which are records. */
int record_columns_show(const struct record_browse *b, json_t *data, json_t *rows, struct err *err);
/* How a record's source is called on pages, in every object that has one: "sourceLabel". What is
 * imported came in a file or by the API; of a lead that nobody sent it is LEAD_BY_HAND. The record
 * NULL: of any. */
const char *record_source_label(const json_t *record, const char *source);
/* Adds "sourceText" to rows, after record_columns_show: who sent a record, by the connection's
 * name; where nobody did, how it came. */
int record_rows_tell_source(struct req *r, json_t *rows, struct err *err);
#define RECORD_FIELDS_NAMED 100 /* fields of a type that pages know by name */
/* fullName, full_name, "Full name" and Full-Name are one word. */
bool record_words_are_same(const char *a, const char *b);
const char *record_path_last_step(const char *path);

/* ---- record-pages-meant.c ------------------------------------------------------------------ */

/* Of a list without rows, after record_columns_show: adds "unknown_field" ({path, meant, href})
 * where its filter asks for a field that no record of the type has. */
int record_browse_show_meant(const struct record_browse *b, json_t *data, struct err *err);

/* ---- view-pages.c: saved views ------------------------------------------------------------- */

/* The view's query as the list it opens, without what of it cannot be used (b->left_out). */
void view_browse(struct req *r, const json_t *query, struct record_browse *b);
/* Adds "views" (label, href, is_current) and "view" (the one that b came from). */
int view_show(const struct record_browse *b, json_t *data, struct err *err);
#endif
