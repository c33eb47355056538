/* What holds of normalizing whatever comes in; of the unit tests, which throw random texts at it,
 * and of fuzz-normalize. */
#ifndef TESTS_UNIT_NORMAL_CHECK_H
#define TESTS_UNIT_NORMAL_CHECK_H

#include <string.h>

#include "base/arena.h"
#include "base/email.h"
#include "base/phone.h"
#include "lead/lead.h"

/* Bytes that may be no text: NULL, or what does not hold. */
static inline const char *normal_text_fault(struct arena *a, struct str s)
{
	struct str trimmed = utf8_trim(s), shown = utf8_fold_blanks(a, s);
	struct str parsed = utf8_fold_signs(a, s), email = email_normal(a, s);

	if (!str_eq(utf8_trim(trimmed), trimmed) || trimmed.n > s.n)
		return "trimming";
	if (!str_eq(utf8_fold_blanks(a, shown), shown) || !str_eq(utf8_trim(shown), shown))
		return "folding blanks";
	if (!str_eq(utf8_fold_signs(a, parsed), parsed) || parsed.n > s.n)
		return "folding signs";
	if (email.n > 0 && (utf8_has_gap(email) || !str_eq(email_normal(a, email), email)))
		return "an email";
	return NULL;
}

static inline bool is_e164(struct str s)
{
	if (s.n < 8 || s.n > 16 || s.p[0] != '+' || s.p[1] == '0')
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

/* The last four digits of a text; a number that a program took for one has ".0" behind them. */
static inline struct str last_digits(struct arena *a, struct str s)
{
	struct str folded = utf8_trim_quotes(utf8_fold_signs(a, s));
	char *digits = arena_alloc(a, folded.n + 1);
	size_t n = 0;

	if (phone_extension(a, s).n > 0) /* what is before it, is looked at in fixtures */
		return (struct str){"", 0};
	if (str_ends(folded, ".0"))
		folded.n -= 2;
	for (size_t i = 0; i < folded.n; i++)
		if (folded.p[i] >= '0' && folded.p[i] <= '9')
			digits[n++] = folded.p[i];
	return (struct str){digits + (n > 4 ? n - 4 : 0), n > 4 ? 4 : n};
}

/* A number is its own E.164, and ends with the digits of the text. */
static inline const char *normal_phone_fault(
    struct arena *a, struct str s, const struct region *home)
{
	struct str end;
	const char *e164 = phone_e164(a, s, home), *again;

	if (e164 == NULL)
		return NULL;
	again = phone_e164(a, str_from(e164), home);
	end = last_digits(a, s);
	if (strlen(e164) < end.n || memcmp(e164 + strlen(e164) - end.n, end.p, end.n) != 0)
		return "the digits of a phone";
	return is_e164(str_from(e164)) && again != NULL && strcmp(again, e164) == 0 ? NULL
										    : "a phone";
}

/* The lead may be anything; it is normalized. */
static inline const char *normal_lead_fault(struct arena *a, json_t *lead, const char *country)
{
	static const char *const names[] = {"firstName", "lastName", "fullName"};
	struct str given = utf8_trim(str_from(json_str(lead, "phoneNumber"))), phone, email, once;

	given = str_copy(a, given);
	lead_normalize(a, lead, country);
	phone = str_from(json_str(lead, "phoneNumber"));
	email = str_from(json_str(lead, "email"));
	once = json_text(a, lead);
	if (phone.n > 0 && !is_e164(phone) && !str_eq(phone, given))
		return "the phone of a lead";
	if (utf8_has_gap(email))
		return "the email of a lead";
	for (size_t i = 0; i < 3; i++) {
		struct str name = str_from(json_str(lead, names[i]));

		if (!str_eq(utf8_fold_blanks(a, name), name))
			return "a name of a lead";
	}
	lead_normalize(a, lead, country);
	return str_eq(json_text(a, lead), once) ? NULL : "normalizing twice";
}

#endif
