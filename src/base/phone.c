/* From a text to its digits, from them to every way to read them, and E.164 where there is one way:
 *
 *	"+49 (0)30 23125-012"  ──> international 49030…, a zero in brackets ──> 30 23125012 fits 49
 *	"030/23125012", DE     ──> trunk 0 ──> 3023125012 fits 49
 *	"4930 23125012", DE    ──> bare: twelve digits are too many; with the code: fits
 *	"4931 123456", DE      ──> both fit: as given
 *
 * A guess would look like a number and reach somebody else, so each doubt ends in NULL. */
#include "base/phone.h"

#include <string.h>

#include "base/arena.h"

#define DIGITS_LEAST 8 /* of E.164 with the code, to be worth the name */
#define DIGITS_MOST 15
#define DIGITS_READ 24          /* with exit and trunk prefixes */
#define UNSURE 1000             /* ways */
#define DIGITS_BEHIND_A_SLASH 5 /* fewer may be another number's ending */

static const struct phone_plan {
	const char *code, *trunk, *exits, *lengths;
	size_t bare_least, bare_most;
	const char *free;
} plans[] = {
#define PLAN(code, trunk, exits, lengths, least, most, free)                                       \
	{code, trunk, exits, lengths, least, most, free},
#include "base/phone-plans.def"
#undef PLAN
};

struct phone_text {
	char digits[DIGITS_READ + 1];
	size_t n;
	size_t zero; /* where a zero stands alone in brackets; n when none does */
	bool is_international;
};

/* What it was read as so far. */
struct phone_reading {
	char e164[DIGITS_MOST + 2];
	size_t ways; /* in which it could be read; all the same is one */
};

/* ---- plans --------------------------------------------------------------------------------- */

static const struct phone_plan *plan_of_code(const char *code)
{
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		if (strcmp(plans[i].code, code) == 0)
			return &plans[i];
	return NULL;
}

/* No code is the beginning of another. */
static const struct phone_plan *plan_of_digits(struct str digits)
{
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		if (str_starts(digits, plans[i].code))
			return &plans[i];
	return NULL;
}

size_t phone_calling_code(struct str digits)
{
	const struct phone_plan *plan = plan_of_digits(digits);

	return plan == NULL ? 0 : strlen(plan->code);
}

static size_t plan_take_number(const char **p)
{
	size_t n = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++)
		n = n * 10 + (size_t)(**p - '0');
	return n;
}

/* "7" or "7-9", and the comma behind it. */
static void plan_take_range(const char **p, size_t *from, size_t *to)
{
	*from = plan_take_number(p);
	*to = *from;
	if (**p == '-') {
		(*p)++;
		*to = plan_take_number(p);
	}
	*p += **p == ',';
}

/* A group of a plan: "1-35:8,9". */
static bool group_has(const char *group, struct str nsn)
{
	bool has_digit = false, has_length = false;
	size_t from, to;

	for (; *group != ':'; group++) {
		char first = *group, last = group[1] == '-' ? group[2] : first;

		has_digit = has_digit || (nsn.p[0] >= first && nsn.p[0] <= last);
		group += first == last ? 0 : 2;
	}
	for (group++; *group != '\0' && *group != ' ';) {
		plan_take_range(&group, &from, &to);
		has_length = has_length || (nsn.n >= from && nsn.n <= to);
	}
	return has_digit && has_length;
}

/* Is it a national number, without trunk prefix? */
static bool plan_has(const struct phone_plan *plan, struct str nsn)
{
	const char *group = plan->lengths;

	while (nsn.n > 0 && group != NULL) {
		if (group_has(group, nsn))
			return true;
		group = strchr(group, ' ');
		group += group != NULL;
	}
	return false;
}

/* ---- readings ------------------------------------------------------------------------------ */

static bool digits_take_prefix(struct str digits, struct str prefix, struct str *rest)
{
	if (digits.n < prefix.n || memcmp(digits.p, prefix.p, prefix.n) != 0)
		return false;
	*rest = (struct str){digits.p + prefix.n, digits.n - prefix.n};
	return true;
}

static struct str digits_from(const struct phone_text *t, size_t from)
{
	return (struct str){t->digits + from, t->n - from};
}

static void reading_add(struct phone_reading *r, const struct phone_plan *plan, struct str nsn)
{
	size_t code = strlen(plan->code);
	char e164[DIGITS_MOST + 2] = "+";

	if (code + nsn.n < DIGITS_LEAST || code + nsn.n > DIGITS_MOST || !plan_has(plan, nsn))
		return;
	memcpy(e164 + 1, plan->code, code);
	memcpy(e164 + 1 + code, nsn.p, nsn.n);
	if (r->ways == 0 || strcmp(r->e164, e164) != 0)
		r->ways++;
	memcpy(r->e164, e164, sizeof(e164));
}

/* What is behind a trunk prefix. */
static void reading_add_trunk(
    struct phone_reading *r, const struct phone_plan *plan, struct str digits)
{
	struct str prefixes = str_from(plan->trunk), prefix, nsn;

	while (str_split(&prefixes, ' ', &prefix))
		if (digits_take_prefix(digits, prefix, &nsn))
			reading_add(r, plan, nsn);
}

/* What is behind a calling code, from t->digits[from] on. */
static void reading_add_behind_code(
    struct phone_reading *r, const struct phone_plan *plan, const struct phone_text *t, size_t from)
{
	struct str rest = digits_from(t, from);

	if (t->zero < from || (t->zero > from && t->zero < t->n))
		return;
	if (t->zero == from)
		reading_add(r, plan, digits_from(t, from + 1));
	if (t->zero == from || plan_has(plan, rest))
		reading_add(r, plan, rest);
	else
		reading_add_trunk(r, plan, rest);
}

static void reading_add_international(
    struct phone_reading *r, const struct phone_text *t, size_t from)
{
	const struct phone_plan *plan = plan_of_digits(digits_from(t, from));

	if (plan != NULL)
		reading_add_behind_code(r, plan, t, from + strlen(plan->code));
}

/* Behind the prefixes that one dials to leave a country. */
static void reading_add_exits(
    struct phone_reading *r, const struct phone_plan *home, const struct phone_text *t)
{
	struct str prefixes = str_from(home == NULL ? "" : home->exits), prefix, rest;

	while (str_split(&prefixes, ' ', &prefix))
		if (digits_take_prefix(digits_from(t, 0), prefix, &rest))
			reading_add_international(r, t, prefix.n);
	if (digits_take_prefix(digits_from(t, 0), STR("00"), &rest))
		reading_add_international(r, t, 2);
}

static bool is_free_of_home(const struct phone_plan *home, struct str behind_code)
{
	struct str list = str_from(home->free), free;

	while (str_split(&list, ' ', &free))
		if (str_is(free, "*") ||
		    (behind_code.n >= free.n && memcmp(behind_code.p, free.p, free.n) == 0))
			return true;
	return false;
}

/* May the digits be a national number that has lost its trunk prefix, or is that sure? */
static bool is_bare_number(const struct phone_plan *home, struct str digits, bool is_sure)
{
	if (!plan_has(home, digits))
		return false;
	return home->bare_most == 0 ||
	       (digits.n <= home->bare_most && (!is_sure || digits.n >= home->bare_least));
}

/* A national number with home's code already, or without its trunk prefix. */
static void reading_add_bare(
    struct phone_reading *r, const struct phone_plan *home, const struct phone_text *t)
{
	struct str digits = digits_from(t, 0), behind;
	bool is_free = false;
	size_t before = r->ways;

	if (digits_take_prefix(digits, str_from(home->code), &behind)) {
		reading_add_behind_code(r, home, t, strlen(home->code));
		is_free = is_free_of_home(home, behind);
	}
	if (t->zero == 0 && home->trunk[0] == '\0')
		reading_add(r, home, digits_from(t, 1));
	if (!is_free && (t->zero == 0 || t->zero == t->n) &&
	    is_bare_number(home, digits, r->ways == before))
		reading_add(r, home, digits);
}

/* A national number with its trunk prefix. */
static void reading_add_national(
    struct phone_reading *r, const struct phone_plan *home, const struct phone_text *t)
{
	struct str prefixes = str_from(home->trunk), prefix, nsn, behind;

	if (t->zero != 0 && t->zero != t->n)
		return;
	while (str_split(&prefixes, ' ', &prefix)) {
		if (!digits_take_prefix(digits_from(t, 0), prefix, &nsn))
			continue;
		reading_add(r, home, nsn);
		/* a zero before the code, where the whole is too long for here? */
		if (nsn.n > home->bare_most &&
		    digits_take_prefix(nsn, str_from(home->code), &behind))
			r->ways = UNSURE;
	}
}

/* ---- texts --------------------------------------------------------------------------------- */

/* What is written in front of numbers, in forms and links (RFC 3966). */
static struct str phone_cut_label(struct str s)
{
	static const char *const labels[] = {"tel.:", "tel:", "tel.",
	    "phone:", "p:", "t:", "m:", "mobile:", "mob:", "fon:", "callto:", "sms:", "whatsapp:"};

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		struct str label = str_from(labels[i]);

		if (s.n < label.n || !str_ieq((struct str){s.p, label.n}, label))
			continue;
		s = (struct str){s.p + label.n, s.n - label.n};
		return str_starts(s, "//") ? (struct str){s.p + 2, s.n - 2} : s;
	}
	return s;
}

/* "493023125012.0" is a number that a program took for one; {NULL,0} where that lost digits. */
static struct str phone_cut_fraction(struct str s)
{
	const char *dot = s.n == 0 ? NULL : memchr(s.p, '.', s.n);
	size_t whole = dot == NULL ? 0 : (size_t)(dot - s.p);

	if (whole < DIGITS_LEAST || s.n != whole + 2)
		return s;
	for (size_t i = 0; i < s.n; i++)
		if (i != whole && (s.p[i] < '0' || s.p[i] > '9'))
			return s;
	return s.p[whole + 1] == '0' ? (struct str){s.p, whole} : (struct str){NULL, 0};
}

/* The bytes of a separator that s begins with: 0 for none. */
static size_t separator_length(struct str s)
{
	if (strchr(" -.()[]/", s.p[0]) != NULL)
		return s.p[0] != '\0';
	if (str_starts(s, "\xE3\x83\xBC")) /* the long vowel's mark, a dash in Japan */
		return 3;
	return str_starts(s, "\xC2\xB7") ? 2 : 0; /* middle dot */
}

/* Does "0)" stand at the end of s, within a bracket that has nothing else? */
static bool is_zero_in_brackets(struct str before, struct str after)
{
	before = str_trim(before);
	after = str_trim(after);
	return (str_ends(before, "(") && str_starts(after, ")")) ||
	       (str_ends(before, "[") && str_starts(after, "]"));
}

static bool phone_take_digit(struct phone_text *t, struct str s, size_t i)
{
	if (t->n == DIGITS_READ)
		return false;
	if (s.p[i] == '0' &&
	    is_zero_in_brackets((struct str){s.p, i}, (struct str){s.p + i + 1, s.n - i - 1}) &&
	    t->zero == SIZE_MAX)
		t->zero = t->n;
	t->digits[t->n++] = s.p[i];
	return true;
}

/* The digits of a text; false when there is anything in it that is not of a number. */
static bool phone_read(struct phone_text *t, struct str s)
{
	size_t slash = SIZE_MAX, step;

	*t = (struct phone_text){.zero = SIZE_MAX};
	for (size_t i = 0; i < s.n; i += step) {
		step = 1;
		if (s.p[i] >= '0' && s.p[i] <= '9') {
			if (!phone_take_digit(t, s, i))
				return false;
		} else if (s.p[i] == '+' && t->n == 0 && !t->is_international) {
			t->is_international = true;
		} else if ((step = separator_length((struct str){s.p + i, s.n - i})) == 0) {
			return false;
		} else if (s.p[i] == '/') {
			slash = t->n;
		}
	}
	t->zero = t->zero == SIZE_MAX ? t->n : t->zero;
	return slash == SIZE_MAX || t->n - slash >= DIGITS_BEHIND_A_SLASH;
}

const char *phone_e164(struct arena *a, struct str text, const struct region *home)
{
	const struct phone_plan *plan = home == NULL ? NULL : plan_of_code(home->calling_code);
	struct phone_reading r = {.ways = 0};
	struct phone_text t;
	struct str s = phone_cut_label(utf8_trim_quotes(utf8_fold_signs(a, text)));

	if (!phone_read(&t, phone_cut_fraction(str_trim(s))))
		return NULL;
	if (t.is_international) {
		/* "+0049" has both ways to say it */
		reading_add_international(&r, &t, str_starts(digits_from(&t, 0), "00") ? 2 : 0);
	} else {
		reading_add_exits(&r, plan, &t);
		if (plan != NULL) {
			reading_add_national(&r, plan, &t);
			reading_add_bare(&r, plan, &t);
		}
	}
	return r.ways == 1 ? arena_strdup(a, r.e164) : NULL;
}
