/* A condition as rows of a form, and back: what most conditions are, "all of these" or "any of
 * these", each a field, an operator and a value. What is no such thing stays a text, which says
 * more (docs/internals/expr.md). */
#ifndef FLOW_FLOW_CONDITION_H
#define FLOW_FLOW_CONDITION_H
#include "base/json.h"
#include "base/word.h"

struct arena;

#define CONDITION_ROWS_MOST 20u

/* Operators, by the words of the form: "eq", "is". */
extern const struct word condition_operators[];
bool condition_takes_value(struct str operator);

struct condition_row {
	struct str field; /* a place: trigger.amount, step_1.row.email */
	struct str operator;
	struct str value; /* a text, a number, {{a.place}}; of "in": one a line or comma */
};
struct condition {
	bool is_any;
	struct condition_row *rows;
	size_t n;
};
/* False when the text is more than rows can say. An empty one has no rows. */
bool condition_read(struct arena *a, struct str text, struct condition *out);
/* The text of rows; {NULL,0} with *wrong (the number of the row, and why) where one cannot be
 * written. Rows without a field are left out. */
struct str condition_write(
    struct arena *a, const struct condition *c, size_t *row, const char **why);
bool condition_equal(const struct condition *x, const struct condition *y);
/* In words: "amount is more than 500 and country is DE"; of what rows cannot say the text itself.
 */
const char *condition_words(struct arena *a, struct str text);
/* A place as people say it: "first name" of trigger.contact.first_name. */
const char *place_words(struct arena *a, struct str place);
/* A text with templates in words, each as [first name]; cut at most bytes. */
const char *template_words(struct arena *a, struct str text, size_t most);
#endif
