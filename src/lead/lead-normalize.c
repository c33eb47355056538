/* The normalized form of a lead: pure functions over its JSON.
 *
 *	email        "mailto:Ann@X.org "   ──> "ann@x.org"
 *	             "ask me"              ──> null, and customFields.email keeps it
 *	phoneNumber  "+49 (0)30 123456", "0049 30 123456",
 *	             "030 123456" from DE  ──> "+4930123456"
 *	             country not known     ──> as it is, trimmed
 *	names        fullName "Doe, Ann"   ──> firstName "Ann", lastName "Doe", fullName "Ann Doe"
 *	             first and last name   ──> fullName of both
 *
 * The country of a phone number is what the lead says (country_code, then country of its raw
 * fields), otherwise the default of its connection. What nothing can be made of stays as it came:
 * a person may still read it, and a guess would be worse than the text.
 *
 * Normalizing twice is the same as once. It is relied upon: intake normalizes what a webhook
 * brings, and the job normalizes the lead again when its details are there. */
#include <ctype.h>

#include "base/buf.h"
#include "base/limits.h"
#include "lead/lead.h"

/* Calling codes and the national trunk prefix that falls away behind them (ITU-T E.164 and national
 * numbering plans). Italy and a few others keep their zero: no prefix. */
static const struct country {
	const char iso[3], code[4], trunk[2];
} countries[] = {{"AE", "971", "0"}, {"AR", "54", "0"}, {"AT", "43", "0"}, {"AU", "61", "0"},
    {"BE", "32", "0"}, {"BG", "359", "0"}, {"BR", "55", "0"}, {"CA", "1", "1"}, {"CH", "41", "0"},
    {"CL", "56", ""}, {"CN", "86", "0"}, {"CO", "57", ""}, {"CZ", "420", ""}, {"DE", "49", "0"},
    {"DK", "45", ""}, {"EE", "372", ""}, {"EG", "20", "0"}, {"ES", "34", ""}, {"FI", "358", "0"},
    {"FR", "33", "0"}, {"GB", "44", "0"}, {"GR", "30", ""}, {"HK", "852", ""}, {"HR", "385", "0"},
    {"HU", "36", ""}, {"ID", "62", "0"}, {"IE", "353", "0"}, {"IL", "972", "0"}, {"IN", "91", "0"},
    {"IS", "354", ""}, {"IT", "39", ""}, {"JP", "81", "0"}, {"KE", "254", "0"}, {"KR", "82", "0"},
    {"LT", "370", "0"}, {"LU", "352", ""}, {"LV", "371", ""}, {"MA", "212", "0"}, {"MT", "356", ""},
    {"MX", "52", ""}, {"MY", "60", "0"}, {"NG", "234", "0"}, {"NL", "31", "0"}, {"NO", "47", ""},
    {"NZ", "64", "0"}, {"PE", "51", "0"}, {"PH", "63", "0"}, {"PK", "92", "0"}, {"PL", "48", ""},
    {"PT", "351", ""}, {"RO", "40", "0"}, {"RS", "381", "0"}, {"SA", "966", "0"}, {"SE", "46", "0"},
    {"SG", "65", ""}, {"SI", "386", "0"}, {"SK", "421", "0"}, {"TH", "66", "0"}, {"TR", "90", "0"},
    {"TW", "886", "0"}, {"UA", "380", "0"}, {"US", "1", "1"}, {"VN", "84", "0"}, {"ZA", "27", "0"}};

static const struct country *country_find(const char *iso)
{
	for (size_t i = 0; iso != NULL && i < sizeof(countries) / sizeof(countries[0]); i++)
		if (str_ieq(str_from(iso), str_from(countries[i].iso)))
			return &countries[i];
	return NULL;
}

/* The digits of a phone number; NULL when it holds anything but digits and the usual punctuation.
 * "(0)" is the trunk prefix that people write between country code and number: no part of it. */
static char *phone_digits(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (str_starts((struct str){s.p + i, s.n - i}, "(0)"))
			i += 2;
		else if (isdigit((unsigned char)s.p[i]))
			p[n++] = s.p[i];
		else if (strchr(" -./()+\t", s.p[i]) == NULL)
			return NULL;
	}
	p[n] = '\0';
	return p;
}

/* E.164 (at most 15 digits, at least 7 to be worth the name) where the country is known; else NULL.
 */
static const char *phone_e164(struct arena *a, struct str s, const char *default_country)
{
	const struct country *c;
	const char *digits = phone_digits(a, s);
	size_t n, trunk;

	if (digits == NULL)
		return NULL;
	n = strlen(digits);
	if (s.n > 0 && s.p[0] == '+')
		return n >= 7 && n <= 15 ? arena_printf(a, "+%s", digits) : NULL;
	if (str_starts(str_from(digits), "00"))
		return n >= 9 && n <= 17 ? arena_printf(a, "+%s", digits + 2) : NULL;
	if ((c = country_find(default_country)) == NULL)
		return NULL;
	trunk = c->trunk[0] != '\0' && digits[0] == c->trunk[0] ? 1 : 0;
	/* 1 is both the trunk prefix and the code of North America: only an eleventh digit makes it
	 * one */
	if (strcmp(c->code, "1") == 0 && n != 11)
		trunk = 0;
	n -= trunk;
	if (n < 5 || n + strlen(c->code) > 15)
		return NULL;
	return arena_printf(a, "+%s%s", c->code, digits + trunk);
}

static bool str_is_email(struct str s)
{
	const char *at = memchr(s.p, '@', s.n);
	size_t local = at == NULL ? 0 : (size_t)(at - s.p);
	struct str domain;

	if (s.n > LIMIT_EMAIL_BYTES || local == 0 || local > 64)
		return false;
	domain = (struct str){at + 1, s.n - local - 1};
	if (domain.n < 3 || memchr(domain.p, '.', domain.n) == NULL ||
	    memchr(domain.p, '@', domain.n) != NULL || domain.p[0] == '.' ||
	    domain.p[domain.n - 1] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || strchr(",;<>\"", s.p[i]) != NULL)
			return false;
	return true;
}

static struct str lead_trimmed(const json_t *lead, const char *key)
{
	const char *s = json_str(lead, key);

	return s == NULL ? (struct str){NULL, 0} : str_trim(str_from(s));
}

/* A string without the white space around it, or null. */
static void lead_set_trimmed(struct arena *a, json_t *lead, const char *key)
{
	struct str s = lead_trimmed(lead, key);

	json_set_str(lead, key, s.n == 0 ? NULL : arena_strndup(a, s.p, s.n));
}

static void lead_normalize_email(struct arena *a, json_t *lead)
{
	struct str s = lead_trimmed(lead, "email");
	char *lower;

	if (str_starts(s, "mailto:"))
		s = (struct str){s.p + 7, s.n - 7};
	if (s.n == 0) {
		json_set_str(lead, "email", NULL);
		return;
	}
	if (!str_is_email(s)) { /* kept, but not where a CRM would take it for an address */
		json_set_strn(json_object_get(lead, "customFields"), "email", s);
		json_set_str(lead, "email", NULL);
		return;
	}
	lower = arena_strndup(a, s.p, s.n);
	for (size_t i = 0; i < s.n; i++)
		lower[i] = (char)tolower((unsigned char)lower[i]);
	json_set_str(lead, "email", lower);
}

static void lead_normalize_phone(struct arena *a, json_t *lead, const char *default_country)
{
	const json_t *raw = json_object_get(lead, "rawFieldData");
	struct str s = lead_trimmed(lead, "phoneNumber");
	const char *own = json_str(raw, "country_code"), *e164;

	if (own == NULL)
		own = json_str(raw, "country");
	if (country_find(own) != NULL)
		default_country = own;
	e164 = s.n == 0 ? NULL : phone_e164(a, s, default_country);
	if (e164 != NULL)
		json_set_str(lead, "phoneNumber", e164);
	else
		lead_set_trimmed(a, lead, "phoneNumber");
}

/* "Doe, John" and "John Van Doe": the first word is the first name unless a comma says otherwise.
 */
static void lead_split_full_name(struct arena *a, json_t *lead, struct str full)
{
	const char *comma = memchr(full.p, ',', full.n);
	const char *space = memchr(full.p, ' ', full.n);
	struct str first = full, last = {NULL, 0};

	if (comma != NULL) {
		size_t n = (size_t)(comma - full.p);

		last = str_trim((struct str){full.p, n});
		first = str_trim((struct str){comma + 1, full.n - n - 1});
	} else if (space != NULL) {
		size_t n = (size_t)(space - full.p);

		first = (struct str){full.p, n};
		last = str_trim((struct str){space + 1, full.n - n - 1});
	}
	if (first.n > 0)
		json_set_str(lead, "firstName", arena_strndup(a, first.p, first.n));
	if (last.n > 0)
		json_set_str(lead, "lastName", arena_strndup(a, last.p, last.n));
	if (comma != NULL && first.n > 0 && last.n > 0)
		json_set_str(lead, "fullName",
		    arena_printf(a, "%.*s %.*s", (int)first.n, first.p, (int)last.n, last.p));
}

static void lead_normalize_names(struct arena *a, json_t *lead)
{
	struct str first, last, full;

	lead_set_trimmed(a, lead, "firstName");
	lead_set_trimmed(a, lead, "lastName");
	lead_set_trimmed(a, lead, "fullName");
	first = str_from(json_str(lead, "firstName"));
	last = str_from(json_str(lead, "lastName"));
	full = str_from(json_str(lead, "fullName"));
	if (full.n == 0 && (first.n > 0 || last.n > 0))
		json_set_str(lead, "fullName",
		    arena_printf(a, "%.*s%s%.*s", (int)first.n, first.p,
			first.n > 0 && last.n > 0 ? " " : "", (int)last.n, last.p));
	else if (full.n > 0 && first.n == 0 && last.n == 0)
		lead_split_full_name(a, lead, full);
}

void lead_normalize(struct arena *a, json_t *lead, const char *default_country)
{
	static const char *const maps[] = {"rawFieldData", "customFields"};

	for (size_t i = 0; i < 2; i++)
		if (!json_is_object(json_object_get(lead, maps[i])))
			json_set(lead, maps[i], json_object());
	lead_normalize_email(a, lead);
	lead_normalize_phone(a, lead, default_country);
	lead_normalize_names(a, lead);
	lead_set_trimmed(a, lead, "company");
}
