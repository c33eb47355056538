/* What values of people's own data can be put through, beside the functions of every language
 * (expr-functions.c): texts as people write them, in any script. For languages that people write:
 * mappings, body templates. */
#ifndef EXPR_EXPR_TRANSFORMS_H
#define EXPR_EXPR_TRANSFORMS_H
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

#endif
