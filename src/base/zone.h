/* Time zones: what the clock on the wall shows. Zones are those of the system's tz database, read
 * from its files (RFC 8536) and not through the C library, which knows one zone a process. A zone
 * that was read is kept by the process for good, so a pointer may be kept too; a newer database is
 * seen after a restart. NULL stands for UTC everywhere, which needs no file. */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/clock.h"

struct zone;

#define ZONE_NAME_BYTES 64u
#define ZONE_TEXT 16 /* bytes the text of an offset needs, NUL included */

/* The zone of an IANA name ("Europe/Berlin"); NULL for UTC, and for what is no zone. */
const struct zone *zone_find(struct str name);
/* Is it UTC or the name of a zone that is there? */
bool zone_is_known(struct str name);
const char *zone_name(const struct zone *z); /* "UTC" for NULL */
/* The names that people choose from, by the alphabet, UTC first; arena-owned. Without a database:
 * UTC alone. */
size_t zone_names(struct arena *a, struct str **out);

/* Seconds east of Greenwich at that time. */
int32_t zone_offset_s(const struct zone *z, int64_t at_us);
/* "UTC", "UTC+1", "UTC-3:30" */
void zone_offset_text(char out[ZONE_TEXT], const struct zone *z, int64_t at_us);
/* What the clock shows, as if it were UTC: for clock_civil and clock_day. */
int64_t zone_local_us(const struct zone *z, int64_t at_us);
/* The time at which the clock shows local_us. What it shows twice is the first of them; what it
 * leaves out is as late after the jump as it would have been after the time before it. */
int64_t zone_instant_us(const struct zone *z, int64_t local_us);
/* When the day that at_us lies in began, or another so many days after it. Days have 23 to 25
 * hours, and need not begin at 00:00. */
int64_t zone_day_us(const struct zone *z, int64_t at_us, int days);

/* The zone that a file's bytes are; NULL when they are none. Arena-owned. */
struct zone *zone_parse(struct arena *a, const char *name, struct str file);

#endif
