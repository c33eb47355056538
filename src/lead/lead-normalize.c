/* The normalized form of a lead: pure functions over its JSON.
 *
 *	email        "mailto:Ann@X.org "   ──> "ann@x.org"                     (base/email.h)
 *	             "ask me"              ──> null, and customFields.email keeps it
 *	phoneNumber  "+49 (0)30 123456", "0049 30 123456",
 *	             "030 123456" from DE  ──> "+4930123456"                   (base/phone.h)
 *	             country not known     ──> as it is, trimmed
 *	             "+49 30 123456 x12"   ──> "+4930123456", and customFields.phoneExtension
 *	names        fullName "Doe, Ann"   ──> firstName "Ann", lastName "Doe", fullName "Ann Doe"
 *	             first and last name   ──> fullName of both                (lead-name.c)
 *
 * The country of a phone number is what the lead says (country_code, then country of its raw
 * fields), otherwise the default of its connection. What nothing can be made of stays as it came:
 * a person may still read it, and a guess would be worse than the text.
 *
 * Normalizing twice is the same as once. It is relied upon: intake normalizes what a webhook
 * brings, and the job normalizes the lead again when its details are there. */
#include "base/email.h"
#include "base/phone.h"
#include "lead/lead-internal.h"

/* A string without what nobody sees around it; {NULL,0} when there is none. */
static struct str lead_trimmed(const json_t *lead, const char *key)
{
	struct str s = utf8_trim(str_from(json_str(lead, key)));

	return s.n == 0 ? (struct str){NULL, 0} : s;
}

/* The copy is needed: the text is the member's that is set. */
static void lead_set_text(struct arena *a, json_t *lead, const char *key, struct str s)
{
	json_set_strn(lead, key, s.n == 0 ? (struct str){NULL, 0} : str_copy(a, s));
}

static void lead_normalize_email(struct arena *a, json_t *lead)
{
	struct str given = lead_trimmed(lead, "email"), email = email_normal(a, given);
	json_t *custom = json_object_get(lead, "customFields");

	/* kept, but not where a CRM would take it for an address */
	if (email.n == 0 && given.n > 0 && json_str(custom, "email") == NULL)
		lead_set_text(a, custom, "email", given);
	lead_set_text(a, lead, "email", email);
}

/* The region that the lead itself names: of a field of any case. */
static const struct region *lead_region(struct arena *a, const json_t *raw, const char *name)
{
	const char *key;
	json_t *v;

	json_object_each((json_t *)(uintptr_t)raw, key, v)
		if (json_is_string(v) && str_ieq(str_from(key), str_from(name)))
			return region_of_text(a, str_from(json_string_value(v)));
	return NULL;
}

/* An extension is no part of E.164, and the number does not lead to the person without it. */
static void lead_keep_extension(struct arena *a, json_t *lead, struct str given)
{
	json_t *custom = json_object_get(lead, "customFields");
	struct str extension = phone_extension(a, given);

	if (extension.n > 0 && json_object_get(custom, "phoneExtension") == NULL)
		lead_set_text(a, custom, "phoneExtension", extension);
}

static void lead_normalize_phone(struct arena *a, json_t *lead, const char *default_country)
{
	const json_t *raw = json_object_get(lead, "rawFieldData");
	struct str given = lead_trimmed(lead, "phoneNumber");
	const struct region *home = lead_region(a, raw, "country_code");
	const char *e164;

	if (home == NULL)
		home = lead_region(a, raw, "country");
	if (home == NULL)
		home = region_of_code(str_from(default_country));
	e164 = given.n == 0 ? NULL : phone_e164(a, given, home);
	if (e164 != NULL)
		lead_keep_extension(a, lead, given);
	lead_set_text(a, lead, "phoneNumber", e164 != NULL ? str_from(e164) : given);
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
	lead_set_text(a, lead, "company", lead_trimmed(lead, "company"));
}
