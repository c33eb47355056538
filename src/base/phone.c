/* From a text to its digits, from them to every way to read them, and E.164 where there is one way:
 *
 *	"+49 (0)30 23125-012"  ──> international 49030…, a zero in brackets ──> 30 23125012 fits 49
 *	"030/23125012", DE     ──> trunk 0 ──> 3023125012 fits 49
 *	"4930 23125012", DE    ──> bare: twelve digits are too many; with the code: fits
 *	"4931 123456", DE      ──> both fit: as given
 *
 * A guess would look like a number and reach somebody else, so each doubt ends in NULL. */
#include "base/phone.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"

#define DIGITS_LEAST 8            /* of E.164 with the code, to be worth the name; */
#define DIGITS_LEAST_OF_ISLANDS 7 /* Niue and Tokelau have four behind a code of three */
#define DIGITS_MOST 15
#define DIGITS_READ 24 /* with exit and trunk prefixes */
#define UNSURE 1000    /* ways */
#define EXTENSION_DIGITS 7
#define DIGITS_BEFORE_EXTENSION 5 /* at least: what is shorter is no number */
#define DIGITS_BEHIND_A_SLASH 5   /* fewer may be another number's ending */

static const struct phone_plan {
	const char *iso, *code;
	size_t bare_least, bare_most;
	const char *area, *local, *trunk, *exits, *numbers;
} plans[] = {
#define PLAN(iso, code, least, most, area, local, trunk, exits, numbers)                           \
	{iso, code, least, most, area, local, trunk, exits, numbers},
#include "base/phone-plans.def"
#undef PLAN
};

#define PLANS (sizeof(plans) / sizeof(plans[0]))

/* In Argentina a mobile's 15 is dialled behind its area; who calls from elsewhere dials a 9 before
 * it instead: 011 15 2345 6789 is +54 9 11 2345 6789. */
static const struct {
	const char *code, *within, *before;
	size_t area_least, area_most;
} mobile_mark = {"54", "15", "9", 2, 4};

struct phone_text {
	char digits[DIGITS_READ + 1];
	size_t n;
	size_t zero; /* where a zero stands alone in brackets; n when none does */
	bool is_international;
};

/* What it was read as so far. Numbers whose first digits are in use count before those that have
 * but the length of such: new areas come up before the plans tell of them. */
struct phone_reading {
	struct phone_ways {
		char e164[DIGITS_MOST + 2];
		size_t n; /* ways to read it; all the same is one */
	} used, likely;
};

/* ---- plans --------------------------------------------------------------------------------- */

/* No code is the beginning of another. The first plan of a code is that of its largest region. */
static const struct phone_plan *plan_of_digits(struct str digits)
{
	for (size_t i = 0; i < PLANS; i++)
		if (str_starts(digits, plans[i].code))
			return &plans[i];
	return NULL;
}

static const struct phone_plan *plan_of_region(const struct region *home)
{
	for (size_t i = 0; home != NULL && i < PLANS; i++)
		if (strcmp(plans[i].iso, home->iso) == 0)
			return &plans[i];
	return home == NULL || home->calling_code[0] == '\0'
		   ? NULL
		   : plan_of_digits(str_from(home->calling_code));
}

size_t phone_calling_code(struct str digits)
{
	const struct phone_plan *plan = plan_of_digits(digits);

	return plan == NULL ? 0 : strlen(plan->code);
}

/* "13-57]", or one digit alone. */
static bool plan_take_digit(const char **p, char digit)
{
	bool is_one_of_many = **p == '[', is_found = false;

	*p += is_one_of_many;
	do {
		char first = **p, last = (*p)[1] == '-' ? (*p)[2] : first;

		is_found = is_found || (digit >= first && digit <= last);
		*p += first == last ? 1 : 3;
	} while (is_one_of_many && **p != ']');
	*p += is_one_of_many;
	return is_found;
}

static bool is_end_of_prefix(char c)
{
	return c == ',' || c == ':';
}

/* Does nsn begin as a prefix says, "21[2-59]", in at most so many digits? */
static bool plan_take_prefix(const char **p, struct str nsn, size_t most)
{
	bool is_so = true;

	if (most > 0 && **p != '[' && (nsn.n == 0 || **p != nsn.p[0])) { /* as nearly all are */
		*p += strcspn(*p, ",:");
		is_so = false;
	}
	for (size_t i = 0; !is_end_of_prefix(**p); i++) {
		bool is_next = plan_take_digit(p, i < nsn.n ? nsn.p[i] : '\0');

		is_so = is_so && (is_next || i >= most);
	}
	*p += **p == ',';
	return is_so;
}

static size_t plan_take_number(const char **p)
{
	size_t n = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++)
		n = n * 10 + (size_t)(**p - '0');
	return n;
}

/* "7" or "7-9", and the comma behind it. */
static bool plan_take_range(const char **p, size_t length)
{
	size_t from = plan_take_number(p), to = from;

	if (**p == '-') {
		(*p)++;
		to = plan_take_number(p);
	}
	*p += **p == ',';
	return length >= from && length <= to;
}

/* A group of a plan: "1[1-35],2:8,9", and the blank behind it. */
static bool plan_take_group(const char **p, struct str nsn, size_t most)
{
	bool has_prefix = false, has_length = false;

	while (**p != ':')
		has_prefix = plan_take_prefix(p, nsn, most) || has_prefix;
	for ((*p)++; **p != '\0' && **p != ' ';)
		has_length = plan_take_range(p, nsn.n) || has_length;
	*p += **p == ' ';
	return has_prefix && has_length;
}

static bool numbers_have(const char *numbers, struct str nsn, size_t most)
{
	while (*numbers != '\0')
		if (plan_take_group(&numbers, nsn, most))
			return true;
	return false;
}

/* Is it a national number without trunk prefix, of any region that has the code? Looked at are at
 * most so many of its first digits. */
static bool code_has(const char *code, struct str nsn, size_t most)
{
	for (size_t i = 0; nsn.n > 0 && i < PLANS; i++)
		if (strcmp(plans[i].code, code) == 0 && numbers_have(plans[i].numbers, nsn, most))
			return true;
	return false;
}

static bool is_used(const struct phone_plan *plan, struct str nsn)
{
	return code_has(plan->code, nsn, SIZE_MAX);
}

/* A 0 in front is mostly a trunk prefix that was left there. */
static bool is_likely(const struct phone_plan *plan, struct str nsn)
{
	return code_has(plan->code, nsn, nsn.n > 0 && nsn.p[0] == '0' ? SIZE_MAX : 1);
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

static void ways_add(struct phone_ways *w, const char *e164)
{
	if (w->n == 0 || strcmp(w->e164, e164) != 0)
		w->n++;
	snprintf(w->e164, sizeof(w->e164), "%s", e164);
}

static void ways_add_all(struct phone_ways *w, const struct phone_ways *more)
{
	if (more->n > 0)
		ways_add(w, more->e164);
	if (more->n > 1)
		w->n += more->n;
}

/* The national number is nsn behind `before`, which may be empty. */
static void reading_add_behind(
    struct phone_reading *r, const struct phone_plan *plan, const char *before, struct str nsn)
{
	char e164[DIGITS_MOST + 2];
	size_t code = strlen(plan->code), n = code + strlen(before) + nsn.n;
	struct str whole;

	if (n < (code > 2 ? DIGITS_LEAST_OF_ISLANDS : DIGITS_LEAST) || n > DIGITS_MOST)
		return;
	snprintf(e164, sizeof(e164), "+%s%s%.*s", plan->code, before, (int)nsn.n, nsn.p);
	whole = (struct str){e164 + 1 + code, n - code};
	if (is_used(plan, whole))
		ways_add(&r->used, e164);
	else if (is_likely(plan, whole))
		ways_add(&r->likely, e164);
}

static void reading_add(struct phone_reading *r, const struct phone_plan *plan, struct str nsn)
{
	reading_add_behind(r, plan, "", nsn);
}

static size_t reading_ways(const struct phone_reading *r)
{
	return r->used.n + r->likely.n;
}

/* NULL where there are several, or none. */
static const char *reading_e164(const struct phone_reading *r)
{
	const struct phone_ways *w = r->used.n > 0 ? &r->used : &r->likely;

	return w->n == 1 ? w->e164 : NULL;
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
	if (t->zero == from || is_likely(plan, rest))
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

/* May the digits be a national number that has lost its trunk prefix, or is that sure? */
static bool is_bare_number(const struct phone_plan *home, struct str digits, bool is_sure)
{
	if (!is_likely(home, digits))
		return false;
	return home->bare_most == 0 || digits.p[0] == '0' ||
	       (digits.n <= home->bare_most && (!is_sure || digits.n >= home->bare_least));
}

/* With home's code already in front, or a national number that begins so: where no number in use is
 * behind the code, but one may be, there is no telling. */
static void reading_add_bare_or_coded(
    struct phone_reading *r, const struct phone_plan *home, const struct phone_text *t)
{
	struct phone_reading coded = {.used = {.n = 0}};
	struct str digits = digits_from(t, 0), behind;
	bool may_be_bare = t->zero == 0 || t->zero == t->n;

	if (digits_take_prefix(digits, str_from(home->code), &behind))
		reading_add_behind_code(&coded, home, t, strlen(home->code));
	may_be_bare = may_be_bare &&
		      is_bare_number(home, digits, reading_ways(r) + reading_ways(&coded) == 0);
	if (may_be_bare && coded.used.n == 0 && coded.likely.n > 0)
		r->used.n = UNSURE;
	else if (may_be_bare)
		reading_add(r, home, digits);
	ways_add_all(&r->used, &coded.used);
	ways_add_all(&r->likely, &coded.likely);
}

/* What is neither behind a code nor behind a trunk prefix. */
static void reading_add_bare(
    struct phone_reading *r, const struct phone_plan *home, const struct phone_text *t)
{
	struct str digits = digits_from(t, 0);

	reading_add_bare_or_coded(r, home, t);
	if (t->zero == 0 && home->trunk[0] == '\0')
		reading_add(r, home, digits_from(t, 1));
	if (t->zero == t->n && numbers_have(home->local, digits, SIZE_MAX))
		reading_add_behind(r, home, home->area, digits);
}

/* A mobile as it is dialled within its country: area, mark, number. */
static void reading_add_marked(
    struct phone_reading *r, const struct phone_plan *home, struct str digits)
{
	char moved[DIGITS_READ + 1];
	struct str behind;

	if (strcmp(home->code, mobile_mark.code) != 0)
		return;
	for (size_t n = mobile_mark.area_least; n <= mobile_mark.area_most && n < digits.n; n++) {
		if (!digits_take_prefix((struct str){digits.p + n, digits.n - n},
			str_from(mobile_mark.within), &behind))
			continue;
		snprintf(
		    moved, sizeof(moved), "%.*s%.*s", (int)n, digits.p, (int)behind.n, behind.p);
		reading_add_behind(r, home, mobile_mark.before, str_from(moved));
	}
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
		reading_add_marked(r, home, nsn);
		/* a zero before the code, where the whole is too long for here? */
		if (nsn.n > home->bare_most &&
		    digits_take_prefix(nsn, str_from(home->code), &behind))
			r->used.n = UNSURE;
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

/* Does an extension begin at s.p[at]? How many bytes its mark has: 0 when none does. Longer marks
 * stand before their beginnings. */
static size_t extension_mark(struct str s, size_t at)
{
	static const char *const marks[] = {";ext=", "extension", "extn", "ext", "xt", "x", "#",
	    "ramal", "anexo", "durchwahl", "dw", "poste", "interno", "int",
	    "\xD0\xB4\xD0\xBE\xD0\xB1" /* Russian: dob */};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		struct str mark = str_from(marks[i]);

		if (s.n - at > mark.n && str_ieq((struct str){s.p + at, mark.n}, mark))
			return mark.n;
	}
	return 0;
}

/* The digits behind a mark, to the end of the text; {NULL,0} where there is anything else. */
static struct str extension_digits(struct str behind)
{
	while (behind.n > 0 && strchr(".: =", behind.p[0]) != NULL)
		behind = (struct str){behind.p + 1, behind.n - 1};
	if (str_ends(behind, ")"))
		behind.n--;
	if (behind.n == 0 || behind.n > EXTENSION_DIGITS)
		return (struct str){NULL, 0};
	for (size_t i = 0; i < behind.n; i++)
		if (behind.p[i] < '0' || behind.p[i] > '9')
			return (struct str){NULL, 0};
	return behind;
}

/* Takes "ext. 12" and what leads up to it off the end of *s; {NULL,0} when it has none. */
static struct str phone_take_extension(struct str *s)
{
	struct str found = {NULL, 0};
	size_t mark = 0, at = DIGITS_BEFORE_EXTENSION;

	for (; at < s->n && mark == 0; at++)
		mark = extension_mark(*s, at);
	if (mark > 0)
		found =
		    extension_digits((struct str){s->p + at - 1 + mark, s->n - (at - 1 + mark)});
	if (found.n == 0)
		return found;
	s->n = at - 1;
	while (s->n > 0 && strchr(" ,;(-", s->p[s->n - 1]) != NULL)
		s->n--;
	return found;
}

/* "493023125012.0" is a number that a program took for one; {NULL,0} where that lost digits. */
static struct str phone_cut_fraction(struct str s)
{
	size_t at = s.n > 0 && s.p[0] == '+';
	const char *dot = s.n == 0 ? NULL : memchr(s.p, '.', s.n);
	size_t whole = dot == NULL ? 0 : (size_t)(dot - s.p);
	bool is_zero = true;

	if (whole < DIGITS_LEAST + at || s.n < whole + 2 || s.n > whole + 3)
		return s;
	for (size_t i = at; i < s.n; i++)
		if (i != whole && (s.p[i] < '0' || s.p[i] > '9'))
			return s;
	for (size_t i = whole + 1; i < s.n; i++)
		is_zero = is_zero && s.p[i] == '0';
	if (is_zero)
		return (struct str){s.p, whole};
	return s.n == whole + 2 ? (struct str){NULL, 0} : s;
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

static struct str phone_plain(struct arena *a, struct str text)
{
	return phone_cut_label(utf8_trim_quotes(utf8_fold_signs(a, text)));
}

struct str phone_extension(struct arena *a, struct str text)
{
	struct str s = phone_plain(a, text);

	return phone_take_extension(&s);
}

const char *phone_e164(struct arena *a, struct str text, const struct region *home)
{
	const struct phone_plan *plan = plan_of_region(home);
	struct phone_reading r = {.used = {.n = 0}};
	const char *e164;
	struct phone_text t;
	struct str s = phone_plain(a, text);

	phone_take_extension(&s);
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
	e164 = reading_e164(&r);
	return e164 == NULL ? NULL : arena_strdup(a, e164);
}
