/* When each leaf of a record was last said, by the provider's clock.
 *
 * A record is what its payloads say, sorted by the provider's clock and merged one after the other:
 * objects member by member, whatever else replaces what is there. Payloads come in another order.
 * So beside the data lies a tree of the same shape, which knows of each leaf which payload said it
 * last; then each payload is merged when it comes, and only where nothing newer has spoken, and no
 * past is ever looked at.
 *
 *   data    {"a":1, "b":{"c":2,"d":3}}
 *   clocks  10:00, but b.d 10:05        all that has one time is told once
 *
 * An object knows besides when a payload last had something else in its place (reset): what was
 * said of its members before that is gone, though it come later. Of equal times the later arrival
 * wins.
 *
 * As text (column records.clocks; NULL: all at the record's provider_updated_at):
 *   clocks = time | [members, rest, said, reset]     members: {key: clocks}, those unlike `rest`
 *   time   = microseconds | null (no payload told a time)
 */
#ifndef RECORD_RECORD_CLOCK_H
#define RECORD_RECORD_CLOCK_H
#include "base/arena.h"
#include "base/json.h"

/* For a merge that fills what nobody has said: older than everything, even what has no time. */
#define CLOCK_FILL INT64_MIN

struct clock_node;

/* Of a record's data; text may be {NULL,0}: all at newest_us, as where it cannot be read any more.
 * Arena-owned. */
struct clock_node *clock_read(struct arena *a, struct str text, int64_t newest_us);
/* A time to come that a payload told counts as its receipt, and does so again when it comes again:
 * a poll that reads the same each round, or a sender that repeats itself, takes back nothing of
 * what was said since. The record remembers the last such time. */
struct clock_ahead {
	int64_t told_us, counted_us;
};
int64_t clock_of_ahead(
    struct arena *a, struct clock_node *root, int64_t told_us, int64_t received_us);
/* {NULL,0} where all of the data is at newest_us. */
struct str clock_text(
    struct arena *a, const struct clock_node *root, const json_t *data, int64_t newest_us);

/* Of a new record some of whose members (names, with commas between them) no payload has told. */
struct str clock_text_unsaid(struct arena *a, struct str unsaid, int64_t newest_us);

/* What a merge does. */
struct clock_merge {
	struct arena *a;
	int64_t at_us;
	/* It has no time of its own: it comes behind all that was said, be that later than at_us,
	 * and what only repeats what is there moves no clock. */
	bool is_last;
	json_t *changes; /* [{path,before,after}], as record-undo.h takes back; a new array */
	bool is_clock_moved;
};
/* Merges a payload of that time into data and clocks, in place: both are objects. What changes is
 * in m->changes, an empty array where nothing does. Costs what the payload touches. */
void clock_merge(struct clock_merge *m, json_t *data, struct clock_node *root, const json_t *patch);
#endif
