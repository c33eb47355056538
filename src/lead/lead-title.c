/* What people call a lead, on every page the same: the person's name, also where only its record
 * has one; else the email, the phone number, or the id at its source. */
#include "lead/lead-pages.h"
#include "record/record-titles.h"

enum { TITLE_LEAD, TITLE_NAME, TITLE_EMAIL, TITLE_PHONE, TITLE_ID, TITLE_RECORD };
DB_STMT_ROWS(lead_titles_read,
    "SELECT id, full_name, email, phone_number, provider_lead_id, record_id FROM leads"
    " WHERE account_id = ? AND id IN (",
    "?", ")");

/* The records of those that have no name themselves. */
static int titles_of_records(
    struct req *r, const struct db_rows *leads, json_t **out, struct err *err)
{
	struct uuid *ids = arena_array(r->a, leads->count + 1, sizeof(*ids));
	size_t n = 0;

	for (size_t i = 0; i < leads->count; i++)
		if (db_get_str(leads, i, TITLE_NAME).n == 0 && !db_is_null(leads, i, TITLE_RECORD))
			ids[n++] = db_get_uuid(leads, i, TITLE_RECORD);
	return record_titles(r->app, r->a, &r->actor.account_id, ids, n, out, err);
}

static const char *title_of_lead(
    struct req *r, const struct db_rows *leads, size_t i, const json_t *records)
{
	static const size_t columns[] = {TITLE_EMAIL, TITLE_PHONE, TITLE_ID};
	const char *person;

	if (db_get_str(leads, i, TITLE_NAME).n > 0)
		return db_get_text(leads, i, TITLE_NAME);
	person =
	    json_str(json_object_get(records, uuid_dup(r->a, db_get_uuid(leads, i, TITLE_RECORD))),
		"person");
	if (person != NULL)
		return person;
	for (size_t k = 0; k < sizeof(columns) / sizeof(*columns); k++)
		if (db_get_str(leads, i, columns[k]).n > 0)
			return db_get_text(leads, i, columns[k]);
	return "Lead";
}

int lead_add_titles(struct req *r, json_t *rows, const char *key, struct err *err)
{
	size_t n = 0, i;
	struct db_val *v = arena_array(r->a, json_array_size(rows) + 1, sizeof(*v));
	struct uuid *ids = arena_array(r->a, json_array_size(rows) + 1, sizeof(*ids));
	struct db_rows leads;
	json_t *titles = json_own(r->a, json_object()), *records, *row;

	json_array_each(rows, i, row) {
		if (!uuid_parse(str_from(json_str(row, key)), &ids[n]))
			continue;
		v[n] = db_uuid(&ids[n]);
		n++;
	}
	if (n == 0)
		return 0;
	if (db_query_rows(r->app->db, r->a, &lead_titles_read,
		DB_VALS(db_uuid(&r->actor.account_id)), v, n, 1, &leads, err) == -1 ||
	    titles_of_records(r, &leads, &records, err) == -1)
		return -1;
	for (i = 0; i < leads.count; i++)
		json_set_str(titles, uuid_dup(r->a, db_get_uuid(&leads, i, TITLE_LEAD)),
		    title_of_lead(r, &leads, i, records));
	json_array_each(rows, i, row) {
		const char *title =
		    json_str(row, key) == NULL ? NULL : json_str(titles, json_str(row, key));

		if (title != NULL)
			json_set_str(row, "title", title);
	}
	return 0;
}

int lead_add_title(struct req *r, json_t *lead, struct err *err)
{
	json_t *rows = json_own(r->a, json_array());

	json_array_append(rows, lead);
	return lead_add_titles(r, rows, "id", err);
}
