/* Going through every record that a filter matches, each exactly once whatever is written
 * meanwhile: by what never changes of a record, its provider, type and external id. For exports and
 * bulk work; memory is bounded by a page of small records and one large one. */
#ifndef RECORD_RECORD_WALK_H
#define RECORD_RECORD_WALK_H
#include "base/limits.h"
#include "record/record-shape.h"
#include "record/record-words.h"
#include "record/record.h"

struct record_walk_kind {
	struct str provider_type, resource_type;
};
struct record_walk {
	struct app *app;
	const struct record_filter *filter;
	struct search_terms terms;
	bool is_counting;       /* payloads are read only where the filter needs them */
	int64_t seen_before_us; /* records first seen later are left out: so there is an end */
	/* the position: what comes next lies behind it */
	struct record_walk_kind *kinds;
	size_t nkinds, kind;
	char after[LIMIT_EXTERNAL_ID_BYTES * 4 + 1]; /* external id */
	size_t nafter;                               /* 0: the kind's beginning */
};

/* For a record that matches, which lives until the call returns, as what its arena gives. 0 go on,
 * 1 stop behind this one, -1. */
typedef int record_walk_fn(void *arg, const struct record_row *row, struct err *err);

/* Starts at the beginning. a must outlive the walk. ERR_INVALID on field search. */
int record_walk_begin(struct record_walk *w, struct app *app, struct arena *a,
    const struct record_filter *filter, struct err *err);
/* Goes on behind a record that may be gone by now. */
void record_walk_seek(struct record_walk *w, struct str provider_type, struct str resource_type,
    struct str external_id);
/* Looks at the next few hundred records: 1 there may be more, 0 that was the end, -1. */
int record_walk_page(struct record_walk *w, record_walk_fn *each, void *arg, struct err *err);
/* Counts what matches, as far as it gets by until_us on the monotonic clock: *is_exact tells
 * whether it got to the end. */
int record_walk_count(
    struct record_walk *w, int64_t until_us, int64_t *n, bool *is_exact, struct err *err);
#endif
