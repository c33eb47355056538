/* What searches share, of records and of what stands for one (leads): their pace, and when the
 * full-text index is asked. docs/internals/search.md tells how. */
#ifndef RECORD_RECORD_SEARCH_H
#define RECORD_RECORD_SEARCH_H
#include "record/record-words.h"

#define SEARCH_ENTERED 2000   /* more that may have come into a window since its end was read */
#define SEARCH_CANDIDATES 201 /* rows one statement returns at most */
#define SEARCH_FEW 3          /* matches in a window below which the index is asked */

/* How long the words of a record are nobody knows before they are read. So windows are as large as
 * the last one allows, and a page ends where it got to in its time. */
struct search_pace {
	int64_t window;   /* rows looked through by the next statement */
	int64_t widest;   /* of windows, by what their words weigh */
	int64_t most;     /* rows it returns */
	int64_t until_us; /* on the monotonic clock */
};
/* wanted: rows that the page still takes, with the one that tells that there are more. */
void search_pace_begin(struct search_pace *p, int64_t wanted);
/* A window was looked through in that time: found matches, taken of them. */
void search_pace_next(
    struct search_pace *p, int64_t took_us, size_t found, int64_t taken, int64_t wanted);
/* One took too long. */
void search_pace_shrink(struct search_pace *p);
bool search_pace_is_over(const struct search_pace *p);
/* Is it worth asking the index now? What the first window holds may be chance. */
bool search_pace_may_ask(const struct search_pace *p, size_t found);
/* How many rows it is asked for first: what it knows fits mostly, and a page needs no more than it
 * holds. wanted: as for search_pace_begin. Then SEARCH_CANDIDATES. */
size_t search_index_first(int64_t wanted);

/* What the index is asked: NULL when it is of no use, because no word is rare or because too many
 * of the account's records wait for it. */
int search_match_text(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct search_terms *t, const struct search_pace *p, const char **out, struct err *err);

/* Time limits in both dialects: MariaDB runs the executable comment, MySQL reads the hint. */
#define SEARCH_LIMITED                                                                             \
	"/*M!100100 SET STATEMENT max_statement_time=0.1 FOR */ SELECT /*+ "                       \
	"MAX_EXECUTION_TIME(100) */ "
#define SEARCH_SHORTLY                                                                             \
	"/*M!100100 SET STATEMENT max_statement_time=0.06 FOR */ SELECT /*+ "                      \
	"MAX_EXECUTION_TIME(60) */ "
/* A record's search words and its place in the queue, for SEARCH_FITS; one value: the account. With
 * few rows in the queue the server would rather read the account's whole queue for each record. */
#define SEARCHED(id)                                                                               \
	" LEFT JOIN record_search_queue q FORCE INDEX (PRIMARY)"                                   \
	" ON q.account_id = ? AND q.record_id = " id                                               \
	" LEFT JOIN record_search s ON s.record_id = " id
/* Records that the index finds, and those that wait for it, as record_id; two values: what
 * search_match_text gave, and the account. */
#define SEARCH_INDEXED                                                                             \
	"(SELECT f.record_id FROM record_search f WHERE MATCH (f.words) AGAINST (? IN BOOLEAN "    \
	"MODE)"                                                                                    \
	" UNION (SELECT w.record_id FROM record_search_queue w WHERE w.account_id = ? LIMIT "      \
	"1000))"
#endif
