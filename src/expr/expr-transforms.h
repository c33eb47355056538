/* What values of people's own data can be put through, beside the functions of every language
 * (expr-functions.c): texts as people write them, in any script. For languages that people write:
 * mappings, body templates. */
#ifndef EXPR_EXPR_TRANSFORMS_H
#define EXPR_EXPR_TRANSFORMS_H
#include "base/zone.h"
#include "expr/expr.h"

/* lower, upper and title of any script (these go before those of expr_functions), oneLine, e164,
 * dateAs, number, boolean, first; then all of expr_functions. Ends with a row of no name.
 *
 * dateAs writes a date or time: "DD.MM.YYYY", "MM/DD/YYYY HH:mm", with the parts YYYY, YY, MM, M,
 * DD, D, HH, mm, ss, or one of iso, unix, unixMs; "@Europe/Berlin" behind it is the zone that a
 * time is shown in. */
const struct expr_function *expr_transforms(void);
/* The function of that name among them; NULL. */
const struct expr_function *expr_transform_find(const char *name);

/* What number and dateAs are made of, for who has options beside the text (a flow's formatter). */

/* A number as people write it: signs and codes of money and what stands between thousands fall,
 * "1.234,50" and "12,5" have a comma for the point; what can be read in two ways, and words, are
 * none: NULL. Arena-owned. */
json_t *expr_number_read(struct arena *a, struct str text);
/* A date or time as people write it; *is_day: it told no time of day. */
bool expr_date_read(struct arena *a, struct str text, int64_t *at_us, bool *is_day);
/* Does a format have a part of a date in it, or is it one of iso, unix, unixMs? */
bool expr_date_has_parts(struct str format);
/* By a format of dateAs without its zone: a text, or a number of unix and unixMs. A day is the same
 * day in every zone (NULL: UTC). Arena-owned; NULL: the text is too long. */
json_t *expr_date_write(
    struct arena *a, struct str format, const struct zone *zone, int64_t at_us, bool is_day);

#endif
