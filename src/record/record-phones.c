/* Phone numbers among the words: wherever they stand in a text, however they are written there, and
 * however they are asked for.
 *
 *   in a record                    words behind it
 *   +49 (0)30 23125-012            493023125012, its last seven to eleven digits
 *   030 23125012                   3023125012, its last seven to ten, _n_3023125012
 *   207 946 0958                   2079460958, 9460958 (from a group on), _n_2079460958
 *
 *   asked for                      any of
 *   +49 30 23125 012               493023125012*, _n_3023125012
 *   030 23125012, 23125012         3023125012*, 23125012*
 *
 * One that is written with its calling code must not be found by the national number of another
 * country: so what is written nationally has a word of its own, which the calling code's number
 * asks for. Digits alone are a phone number when they begin with a zero, or when they are all of a
 * value and as long as one with a calling code; else they are a word like others. Dates and
 * addresses of hosts are none. */
#include <ctype.h>

#include "base/buf.h"
#include "base/phone.h"
#include "record/record-words.h"

#define RUN_DIGITS 40 /* read of one run of digits and marks */
#define RUN_GROUPS 20
#define SEPARATORS 3 /* between two groups, at most */
#define LAST_NATIONAL 10
#define LAST_CALLED 11    /* behind a calling code */
#define LAST_BARE_LEAST 9 /* digits behind the code of such a value, at least */
#define BARE_LEAST 11     /* digits of a value that is nothing else */
#define BARE_MOST 13

struct phone_run {
	char digits[RUN_DIGITS + 1];
	size_t n;
	size_t groups[RUN_GROUPS], ngroups; /* where each begins among the digits */
	const char *at[RUN_GROUPS];         /* and in the text */
	bool is_opened[RUN_GROUPS];         /* by a bracket */
	bool has_plus, is_marked, is_cut;   /* cut: there is more of it */
	const char *end;
};

static bool is_separator(char c)
{
	return c != '\0' && strchr(" -./()", c) != NULL;
}

static bool is_letter_at(const char *p, const char *end)
{
	return p < end && (isalnum((unsigned char)*p) || (unsigned char)*p >= 0x80);
}

/* Up to four groups of digits with the same mark between them; none where there are more. */
struct marked_groups {
	struct str v[4];
	size_t n;
	const char *end;
};

static void groups_read(const char *p, const char *end, struct marked_groups *g)
{
	char mark = '\0';

	for (g->n = 0; g->n < 4;) {
		const char *from = p;

		while (p < end && isdigit((unsigned char)*p))
			p++;
		g->v[g->n++] = (struct str){from, (size_t)(p - from)};
		g->end = p;
		if (end - p < 2 || strchr("-./", *p) == NULL || (mark != '\0' && *p != mark) ||
		    !isdigit((unsigned char)p[1]))
			return;
		mark = *p++;
	}
	g->n = 0;
}

static bool group_is(struct str digits, size_t least, size_t most, int64_t from, int64_t to)
{
	int64_t v;

	return digits.n >= least && digits.n <= most && str_to_i64(digits, from, to, &v);
}

/* The length of what is surely no phone number: 2026-03-07, 7.3.2026, 198.51.100.7; else 0. */
static size_t other_number_length(const char *from, const char *end)
{
	struct marked_groups g;
	bool is_host = true;

	groups_read(from, end, &g);
	for (size_t i = 0; i < g.n; i++)
		is_host = is_host && group_is(g.v[i], 1, 3, 0, 255) &&
			  (g.v[i].n == 1 || *g.v[i].p != '0');
	if ((g.n == 4 && is_host && *g.v[0].p != '0' && g.v[3].p[-1] == '.') ||
	    (g.n == 3 && group_is(g.v[0], 4, 4, 1500, 2499) && group_is(g.v[1], 2, 2, 1, 12) &&
		group_is(g.v[2], 2, 2, 1, 31)) ||
	    (g.n == 3 && group_is(g.v[0], 1, 2, 1, 31) && group_is(g.v[1], 1, 2, 1, 31) &&
		group_is(g.v[2], 4, 4, 1500, 2499)))
		return (size_t)(g.end - from);
	return 0;
}

/* "(0)" behind a calling code is not dialled. */
static bool is_trunk_in_brackets(
    const struct phone_run *r, const char *from, const char *to, const char *end)
{
	return r->ngroups > 0 && (r->has_plus || str_starts((struct str){r->digits, r->n}, "00")) &&
	       to - from == 1 && *from == '0' && from[-1] == '(' && to < end && *to == ')';
}

static bool run_add_group(
    struct phone_run *r, const char *from, const char *to, const char *end, bool is_opened)
{
	size_t n = (size_t)(to - from);

	if (is_trunk_in_brackets(r, from, to, end))
		return true;
	r->is_cut = r->n + n > RUN_DIGITS || r->ngroups == RUN_GROUPS;
	if (r->is_cut)
		return false;
	r->at[r->ngroups] = from;
	r->groups[r->ngroups] = r->n;
	r->is_opened[r->ngroups++] = is_opened;
	memcpy(r->digits + r->n, from, n);
	r->n += n;
	r->digits[r->n] = '\0';
	return true;
}

/* Reads digits and marks from p on. What is cut or followed by letters is left out. */
static void run_read(const char *p, const char *end, struct phone_run *r)
{
	const char *begin = p, *from, *next;

	*r = (struct phone_run){.n = 0};
	for (; p < end && (*p == '+' || *p == '(') && r->n == 0; p++) {
		r->has_plus = r->has_plus || *p == '+';
		r->is_marked = true;
	}
	for (;; p = next) {
		size_t other = other_number_length(p, end);

		r->end = other > 0 && r->ngroups == 0 ? p + other : p;
		if (other > 0)
			return;
		from = p;
		while (p < end && isdigit((unsigned char)*p))
			p++;
		if (p == from || is_letter_at(p, end))
			return;
		r->end = p;
		if (!run_add_group(r, from, p, end, from > begin && from[-1] == '('))
			return;
		for (next = p; next < end && next - p < SEPARATORS && is_separator(*next); next++)
			;
		if (next == p || next == end || !isdigit((unsigned char)*next))
			return;
	}
}

static const char *digits_without_zeros(const char *digits)
{
	while (*digits == '0')
		digits++;
	return digits;
}

static void phone_put_last(struct words_writer *w, const char *digits, size_t least, size_t most)
{
	size_t n = strlen(digits);

	for (size_t k = least; k <= most && k < n; k++)
		buf_printf(w->extra, "%s%s ", w->code, digits + n - k);
}

/* From a later group on one may begin that has others before it. */
static void phone_put_groups(struct words_writer *w, const struct phone_run *r, size_t most_last)
{
	for (size_t i = 1; i < r->ngroups; i++) {
		const char *from = r->digits + r->groups[i], *d = digits_without_zeros(from);

		if (r->n - r->groups[i] < PHONE_DIGITS_LEAST || *d == '\0')
			continue;
		if (r->n - r->groups[i] > most_last || *from == '0')
			buf_printf(w->extra, "%s%s ", w->code, d);
		if (*from == '0' || r->is_opened[i])
			buf_printf(w->extra, "%s_n_%s ", w->code, d);
	}
}

static void phone_put_one(struct words_writer *w, const struct phone_run *r)
{
	const char *d = digits_without_zeros(r->digits);
	bool is_called = r->has_plus || str_starts((struct str){r->digits, r->n}, "00");
	size_t most_last = is_called ? LAST_CALLED : *r->digits == '0' ? LAST_NATIONAL : 0;

	if (r->n < PHONE_DIGITS_LEAST || *d == '\0' ||
	    (!r->is_marked && r->ngroups == 1 && *r->digits != '0'))
		return;
	buf_printf(w->extra, "%s%s ", w->code, d);
	phone_put_last(w, d, PHONE_DIGITS_LEAST, most_last);
	if (!is_called)
		buf_printf(w->extra, "%s_n_%s ", w->code, d);
	phone_put_groups(w, r, most_last);
}

/* More digits than one number has: from each group on one may begin, and where it ends is not
 * known.
 */
static void phone_put_several(struct words_writer *w, const struct phone_run *r, size_t until)
{
	for (size_t i = 0; i < until; i++) {
		const char *from = r->digits + r->groups[i], *d = digits_without_zeros(from);
		size_t soon = i + 4 < r->ngroups ? r->groups[i + 4] : r->n;

		if (soon - r->groups[i] < PHONE_DIGITS_LEAST || strlen(d) < PHONE_DIGITS_LEAST)
			continue;
		buf_printf(w->extra, "%s%.*s ", w->code, PHONE_DIGITS_MOST, d);
		if (*from == '0' || r->is_opened[i])
			buf_printf(w->extra, "%s_n_%.*s ", w->code, PHONE_DIGITS_MOST, d);
	}
}

/* Where reading goes on: behind the run, or of one that was cut at its last groups, which may begin
 * a number. */
static const char *phone_put_run(struct words_writer *w, const struct phone_run *r)
{
	size_t until = r->ngroups;

	if (r->n <= PHONE_DIGITS_MOST + 2) {
		phone_put_one(w, r);
		return r->end;
	}
	while (r->is_cut && until > 1 && r->n - r->groups[until - 1] <= PHONE_DIGITS_MOST + 2)
		until--;
	phone_put_several(w, r, until);
	return until < r->ngroups ? r->at[until] : r->end;
}

static size_t digits_in(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += isdigit((unsigned char)s.p[i]) != 0;
	return n;
}

/* Behind a letter no number begins, nor behind a mark that joins it to one: parts of ids. */
static bool may_begin_at(struct str s, const char *p)
{
	if (p == s.p)
		return true;
	if (is_letter_at(p - 1, p))
		return false;
	return p - 1 == s.p || strchr("-_./#", p[-1]) == NULL || !is_letter_at(p - 2, p - 1);
}

void words_put_phones(struct words_writer *w, struct str s)
{
	const char *p = s.p, *end = s.p + s.n, *next;
	struct phone_run r;
	size_t total = digits_in(s);

	if (total < PHONE_DIGITS_LEAST)
		return;
	if (total == s.n) {
		if (*p != '0' && total >= BARE_LEAST && total <= BARE_MOST)
			phone_put_last(
			    w, arena_strndup(w->a, p, s.n), LAST_BARE_LEAST, LAST_CALLED);
		if (*p != '0')
			return;
	}
	while (p < end) {
		if (!isdigit((unsigned char)*p) && *p != '+' && *p != '(') {
			p++;
			continue;
		}
		if (!may_begin_at(s, p)) {
			for (p++; p < end && isdigit((unsigned char)*p); p++)
				;
			continue;
		}
		run_read(p, end, &r);
		next = phone_put_run(w, &r);
		p = next > p ? next : p + 1;
	}
}

/* ---- asked for ----------------------------------------------------------------------------- */

bool phone_is_asked(struct str s, struct phone_asked *out)
{
	char digits[PHONE_DIGITS_MOST + 3];
	size_t n = 0, code;
	bool has_plus = false;
	const char *d;

	s = str_trim(s);
	for (size_t i = 0; i < s.n; i++) {
		if (isdigit((unsigned char)s.p[i])) {
			bool is_trunk =
			    n > 0 && (has_plus || (digits[0] == '0' && digits[1] == '0')) &&
			    i + 1 < s.n && s.p[i] == '0' && s.p[i - 1] == '(' && s.p[i + 1] == ')';

			if (n == PHONE_DIGITS_MOST + 2)
				return false;
			if (!is_trunk)
				digits[n++] = s.p[i];
		} else if (s.p[i] == '+' && n == 0) {
			has_plus = true;
		} else if (!is_separator(s.p[i])) {
			return false;
		}
	}
	digits[n] = '\0';
	d = digits_without_zeros(digits);
	if (n < PHONE_DIGITS_LEAST || *d == '\0')
		return false;
	*out = (struct phone_asked){.national = ""};
	snprintf(out->digits, sizeof(out->digits), "%s", d);
	if (!has_plus && str_starts((struct str){digits, n}, "00"))
		has_plus = true;
	code = has_plus ? phone_calling_code(str_from(d)) : 0;
	if (code > 0 && *digits_without_zeros(d + code) != '\0')
		snprintf(
		    out->national, sizeof(out->national), "_n_%s", digits_without_zeros(d + code));
	return true;
}
