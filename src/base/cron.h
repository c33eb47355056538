/* Cron expressions: when something is due again and again. Five fields, as crontab(5) of Debian has
 * them: minute, hour, day of the month, month, day of the week.
 *
 *	*  5  1-5  1,15  * /10 (without the blank)  10-30/5  MON-FRI  jan,jul
 *	@hourly @daily @midnight @weekly @monthly @yearly @annually
 *
 * Days of the week are 0 to 7, both ends are Sunday. Where both fields of days are restricted, that
 * is where neither begins with a star, a day that fits either of them fits; else it has to fit
 * both.
 *
 * When clocks are changed (the rule of Debian's cron, whatever the length of the change):
 * - An expression whose minute and hour do not begin with a star tells times of the day, and each
 *   of them comes once a day. What lies in the time that is left out is due at the moment of the
 *   change, once; what the clock shows twice is due the first time.
 * - Any other goes on and on, by what the clock shows: it is due in the doubled time twice, and has
 *   nothing to make up for the time that is left out. */
#ifndef BASE_CRON_H
#define BASE_CRON_H
#include "base/err.h"
#include "base/zone.h"

#define CRON_BYTES 200u

struct cron {
	uint64_t minutes;
	uint32_t hours, days; /* bits: 0 to 23, 1 to 31 */
	uint16_t months;      /* 1 to 12 */
	uint8_t weekdays;     /* 0 (Sunday) to 6 */
	bool has_any_day, has_any_weekday;
	bool is_of_day; /* it tells times of the day */
};

/* ERR_INVALID says which field is wrong, and why. An expression that is well-formed may still never
 * be due: cron_next says so. */
int cron_parse(struct str text, struct cron *out, struct err *err);
/* The first time after that one; false: there is none, as for the 31st of February. */
bool cron_next(const struct cron *c, const struct zone *z, int64_t after_us, int64_t *due_us);

#endif
