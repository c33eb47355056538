/* Times are int64 microseconds since 1970-01-01T00:00:00Z. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define TIME_NONE (INT64_MIN + 1) /* where no time was told: before every time */
/* A time that need not be given: none of its values says "not given", since all are times. */
struct opt_time {
	int64_t us;
	bool is_given;
};
#define SECOND_US INT64_C(1000000)
#define QUARTER_US (15 * 60 * SECOND_US) /* of an hour: days of any zone begin at one */
#define DAY_US (INT64_C(86400) * SECOND_US)
static inline int64_t opt_time_or(struct opt_time t, int64_t otherwise)
{
	return t.is_given ? t.us : otherwise;
}
#define CLOCK_TEXT 32 /* bytes an ISO or HTTP date needs, NUL included */

/* A time as calendar and clock show it. */
struct civil {
	int year, month, day, hour, minute, second;
};

int64_t clock_now_us(void);
int64_t clock_mono_us(void); /* only for differences */
/* Now, but later than before_us: what is changed never looks older than it was, whatever the
 * machine's clock did meanwhile. And the same for who has asked for the time already. */
int64_t clock_now_after_us(int64_t before_us);
static inline int64_t clock_after_us(int64_t now_us, int64_t before_us)
{
	return now_us > before_us ? now_us : before_us + 1;
}
/* In UTC, the proleptic Gregorian calendar; clamped to the years 0 to 9999. And back: month and day
 * of that calendar. */
void clock_civil(int64_t at_us, struct civil *out);
int64_t clock_civil_us(const struct civil *c);
/* How long "1.5s" and "2m30s" are or, as ISO 8601 writes it, "PT1H2M3.5S" and "P2DT12H": weeks,
 * days, hours, minutes, seconds in this order, each once, and at most ten years of it. */
bool clock_parse_duration(struct str s, int64_t *duration_us);
/* "2026-03-07T14:30:00Z", or with .123456 / .123 when there is a fraction. Clamped to the years 0
 * to 9999. */
void clock_iso(char out[CLOCK_TEXT], int64_t at_us);
const char *clock_iso_dup(struct arena *a, int64_t at_us); /* arena-owned */
/* RFC 3339 / ISO 8601: date, or date and time with 'T' or ' ', optional seconds and fraction, Z or
 * ±hh:mm or ±hhmm; a date alone, or no zone, is UTC. A leap second is the one after it. */
bool clock_parse_iso(struct str s, int64_t *at_us);
bool clock_parse_http(struct str s, int64_t *at_us); /* all three forms of RFC 9110 §5.6.7 */
/* RFC 2822, "Sun, 1 Mar 2026 08:00:00 +0100 (CET)", with its obsolete zones and years; the day's
 * name, the seconds and the comment may be left out. */
bool clock_parse_mail(struct str s, int64_t *at_us);
/* A time as people and providers write it: ISO 8601 extended and basic, its days also by week
 * ("2026-W09-7") and year ("2026-060T10Z"), its times to the hour, 24:00, with "+01" or " UTC" for
 * a zone; a valid date of eight digits, and fourteen with its time; RFC 2822 with its obsolete
 * zones and years. */
bool clock_parse_text(struct str s, int64_t *at_us);
/* The same, blanks around it or not, and Unix seconds (below 10^11, with or without a fraction) and
 * milliseconds, also before 1970. */
bool clock_parse_any(struct str s, int64_t *at_us);
/* Retry-After as it occurs in the wild: integer or fractional seconds, an HTTP date or an ISO
 * date; milliseconds from now, never negative, at most ten years. */
bool clock_parse_retry_after(struct str s, int64_t now_us, int64_t *wait_ms);
int32_t clock_day(int64_t at_us);                       /* days since 1970-01-01, floor */
void clock_day_text(char out[CLOCK_TEXT], int32_t day); /* "2026-03-07" */

#endif
