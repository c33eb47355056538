#include "lead/lead-faults.h"

#include <string.h>

#include "base/arena.h"
#include "base/email.h"
#include "base/phone.h"

#define PAGE_ROWS 2000

enum fault_column { FAULT_ID, FAULT_ACCOUNT, FAULT_EMAIL, FAULT_PHONE };
DB_STMT(leads_for_faults, "SELECT id, account_id, email, phone_number FROM leads"
			  " WHERE id > ? ORDER BY id LIMIT ?");

static const struct stored_fault lead_faults[LEAD_FAULTS] = {
    {.what = "leads whose email is no address, or has blanks, marks or capitals",
	.advice = "correct the lead by hand, or have its source send it again"},
    {.what = "leads whose phone number looks like E.164 and is none",
	.advice = "compare with rawFieldData, and correct the lead"}};

static void lead_fault_look(
    struct arena *a, struct stored_fault *out, const struct db_rows *r, size_t i)
{
	struct uuid id = db_get_uuid(r, i, FAULT_ID), account_id = db_get_uuid(r, i, FAULT_ACCOUNT);
	struct str email = db_get_str(r, i, FAULT_EMAIL), phone = db_get_str(r, i, FAULT_PHONE);
	const char *e164;

	if (email.n > 0 && !str_eq(email_normal(a, email), email))
		stored_fault_note(&out[0], &account_id, &id, email);
	if (phone.n == 0 || phone.p[0] != '+')
		return;
	e164 = phone_e164(a, phone, NULL);
	if (e164 == NULL || !str_eq(str_from(e164), phone))
		stored_fault_note(&out[1], &account_id, &id, phone);
}

int lead_faults_find(struct db *db, struct stored_fault out[LEAD_FAULTS], struct err *err)
{
	struct arena *a = arena_new();
	struct uuid after = {{0}};
	struct db_rows r = {.count = PAGE_ROWS};
	int rc = 0;

	memcpy(out, lead_faults, sizeof(lead_faults));
	while (rc == 0 && r.count == PAGE_ROWS) {
		arena_reset(a);
		rc = db_query(
		    db, a, &leads_for_faults, DB_VALS(db_uuid(&after), db_int(PAGE_ROWS)), &r, err);
		for (size_t i = 0; rc == 0 && i < r.count; i++)
			lead_fault_look(a, out, &r, i);
		if (rc == 0 && r.count > 0)
			after = db_get_uuid(&r, r.count - 1, FAULT_ID);
	}
	arena_free(a);
	return rc;
}
