#include "lead/lead-faults.h"

#include <string.h>

#include "base/arena.h"
#include "base/email.h"
#include "base/phone.h"
#include "lead/lead-internal.h"

#define PAGE_ROWS 200 /* with their JSON */

enum fault_column { FAULT_ID, FAULT_ACCOUNT, FAULT_EMAIL, FAULT_PHONE, FAULT_LEAD };
DB_STMT(leads_for_faults, "SELECT id, account_id, email, phone_number, lead FROM leads"
			  " WHERE id > ? ORDER BY id LIMIT ?");

static const struct stored_fault lead_faults[LEAD_FAULTS] = {
    {.what = "leads whose email is no address, or has blanks, marks or capitals",
	.advice = "correct the lead by hand, or have its source send it again"},
    {.what = "leads whose phone number looks like E.164 and is none",
	.advice = "compare with rawFieldData, and correct the lead"},
    {.what = "leads whose first or last name is a title or a suffix, or has one",
	.advice = "replay the event that it came with, or correct the lead"}};

static bool email_is_wrong(struct arena *a, struct str email)
{
	return email.n > 0 && !str_eq(email_normal(a, email), email);
}

static bool phone_is_wrong(struct arena *a, struct str phone)
{
	const char *e164;

	if (phone.n == 0 || phone.p[0] != '+')
		return false;
	e164 = phone_e164(a, phone, NULL);
	return e164 == NULL || !str_eq(str_from(e164), phone);
}

static int lead_fault_look(
    void *arg, struct arena *a, const struct db_rows *r, size_t i, struct err *err)
{
	struct stored_fault *out = arg;
	struct uuid id = db_get_uuid(r, i, FAULT_ID), account_id = db_get_uuid(r, i, FAULT_ACCOUNT);
	struct str email = db_get_str(r, i, FAULT_EMAIL), phone = db_get_str(r, i, FAULT_PHONE);
	json_t *lead = json_parse_stored(a, db_get_str(r, i, FAULT_LEAD), err);
	const char *name;

	err_clear(err); /* what cannot be read has no name */
	if (email_is_wrong(a, email))
		stored_fault_note(&out[0], &account_id, &id, email);
	if (phone_is_wrong(a, phone))
		stored_fault_note(&out[1], &account_id, &id, phone);
	if ((name = lead_name_wrong(a, lead)) != NULL)
		stored_fault_note(&out[2], &account_id, &id, str_from(name));
	return 0;
}

int lead_faults_find(struct db *db, struct stored_fault out[LEAD_FAULTS], struct err *err)
{
	memcpy(out, lead_faults, sizeof(lead_faults));
	return stored_faults_walk(db, &leads_for_faults, PAGE_ROWS, lead_fault_look, out, err);
}
