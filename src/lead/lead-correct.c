/* A lead that was sent again with other data.
 *
 *	webhook, POST /leads ──> record, merged ──> lead_capture ──it was there──> lead_correct
 *	                                                                             │ another form
 *	   lead.process, of a lead that is ready ──> hook lead_corrected <──job──────┘ revision + 1
 *	                                             (crm: who took the old one gets the new)
 *
 * - Which payload has the last word on each field is the record's to say (lead-record.c): an older
 *   one changes nothing there, and so nothing here. A repeat makes no other form, and no revision.
 * - All of it is in the transaction of its event, behind the lock on the lead's row: of two at once
 *   the second sees the first.
 * - A lead whose details are being fetched: the job merges them into the record as well, and takes
 *   over what that says then, so neither is lost (lead-pipeline.c). What people say of it meanwhile
 *   is its form, but makes it ready only when the details are here, or are not to be had.
 * - A lead that is read once more, by a poll or an import, is no message that it has changed:
 *   platforms tell more of it there, or in other words, than by webhook. It takes over what is new,
 *   but is another form only where one of its own members (name, email, phone, company) differs. So
 *   a lead that comes by webhook, poll and import is pushed once.
 * - A lead whose record was deleted, by a person or when its time was over: the payload begins
 *   another, which takes over what else the lead says, and is the lead's from then on.
 * - The destinations are the job's to tell, since intake waits for no ledger. */
#include "base/clock.h"
#include "base/limits.h"
#include "lead/lead-internal.h"
#include "record/record.h"

enum { STORED_STAGE, STORED_LEAD, STORED_CONNECTION, STORED_REVISION };
DB_STMT(lead_lock_form,
    "SELECT stage, lead, connection_id, revision FROM leads WHERE account_id = ? AND id = ?"
    " FOR UPDATE");
DB_STMT(lead_set_form,
    "UPDATE leads SET lead = ?, email = ?, phone_number = ?, full_name = ?,"
    " form_id = COALESCE(?, form_id), ad_id = COALESCE(?, ad_id),"
    " campaign_id = COALESCE(?, campaign_id), revision = revision + ?, updated_at = ?,"
    " fetched_at = COALESCE(fetched_at, ?) WHERE account_id = ? AND id = ?");
DB_STMT(lead_set_record, "UPDATE leads SET record_id = ? WHERE account_id = ? AND id = ?");

static bool is_same_text(const json_t *x, const json_t *y, const char *key)
{
	return json_equal(json_object_get(x, key), json_object_get(y, key));
}

/* One of first and last name alone was corrected, without the full name: that one follows. */
static void names_follow(struct arena *a, const json_t *old, const json_t *news, json_t *form)
{
	if (!is_same_text(old, form, "fullName") || is_same_text(news, form, "fullName") ||
	    (is_same_text(old, form, "firstName") && is_same_text(old, form, "lastName")))
		return;
	json_set(form, "fullName", json_null());
	lead_normalize_names(a, form);
}

/* null and nothing are one here. */
static bool says_same(const json_t *x, const json_t *y, const char *key)
{
	const json_t *of_x = json_object_get(x, key), *of_y = json_object_get(y, key);
	const bool has_x = of_x != NULL && !json_is_null(of_x),
		   has_y = of_y != NULL && !json_is_null(of_y);

	return has_x && has_y ? json_equal(of_x, of_y) : has_x == has_y;
}

static struct record_item record_item_of(
    struct arena *a, const struct lead_capture *l, const json_t *data)
{
	return (struct record_item){.account_id = l->account_id,
	    .provider_type = l->provider_type,
	    .resource_type = STR("lead"),
	    .external_id = l->provider_lead_id,
	    .source = l->is_told ? l->source : lead_source(&l->event_id, &l->connection_id),
	    .event_id = l->event_id,
	    .connection_id = l->connection_id,
	    .is_correction = uuid_is_nil(l->event_id) && uuid_is_nil(l->connection_id),
	    .index_later = true,
	    .data = json_text(a, data),
	    .at_us = clock_now_us()};
}

/* What names_follow has made is on record as well. */
static int record_follows(struct db *db, struct arena *a, const struct lead_capture *l,
    const json_t *form, struct err *err)
{
	static const char *const names[] = {"firstName", "lastName", "fullName"};
	json_t *told = json_own(a, json_object());
	struct record_item item;

	for (size_t i = 0; i < 3; i++)
		if (!says_same(l->record, form, names[i]))
			json_set(told, names[i], json_incref(json_object_get(form, names[i])));
	if (json_object_get(told, "fullName") == NULL)
		return 0;
	item = record_item_of(a, l, told);
	return record_upsert(db, a, &item, 1, err);
}

/* Does it carry this member? If not the record has it all the same, as null or made of others. */
static bool payload_says(const struct lead_capture *l, const char *key)
{
	struct str unsaid = l->unsaid, name;

	while (unsaid.n > 0 && str_split(&unsaid, ',', &name))
		if (str_is(name, key))
			return false;
	return true;
}

/* The record that has begun anew: it is the lead's, and says all that the lead does. */
static int record_take_over(
    struct db *db, struct arena *a, struct lead_capture *l, const json_t *old, struct err *err)
{
	json_t *told = json_own(a, json_object()), *beside = json_own(a, json_object()), *v;
	struct record_item items[2];
	const char *key;

	if (db_exec(db, &lead_set_record,
		DB_VALS(db_uuid(&l->record_id), db_uuid(&l->account_id), db_uuid(&l->id)), NULL,
		err) == -1)
		return -1;
	json_object_each((json_t *)(uintptr_t)old, key, v)
		if (!json_is_null(v) && (!json_is_object(v) || json_object_size(v) > 0))
			json_set(l->is_older || !payload_says(l, key) ? told : beside, key,
			    json_incref(v));
	items[0] = record_item_of(a, l, told);
	items[1] = record_item_of(a, l, beside);
	items[1].is_fill = true;
	if (record_upsert(db, a, items, 2, err) == -1)
		return -1;
	l->record = items[1].merged;
	return 0;
}

/* How its new form is stored. */
struct form_kind {
	bool is_revision;
	bool has_details; /* it was waiting for them, and here they are */
};

static int lead_store_form(struct db *db, struct arena *a, const struct lead_capture *l,
    const json_t *form, struct form_kind kind, struct err *err)
{
	const int64_t now = clock_now_us();

	return db_exec(db, &lead_set_form,
	    DB_VALS(db_strn(json_text(a, form)),
		db_strn(lead_column(form, "email", LIMIT_EMAIL_BYTES)),
		db_strn(lead_column(form, "phoneNumber", 64)),
		db_strn(lead_column(form, "fullName", 255)), db_strn(str_or_null(l->form_id)),
		db_strn(str_or_null(l->ad_id)), db_strn(str_or_null(l->campaign_id)),
		db_int(kind.is_revision), db_int(now), kind.has_details ? db_int(now) : db_null(),
		db_uuid(&l->account_id), db_uuid(&l->id)),
	    NULL, err);
}

static bool lead_is_ready(const struct db_rows *stored)
{
	return strcmp(db_get_text(stored, 0, STORED_STAGE), LEAD_READY) == 0;
}

/* A poll or an import of leads brings what the provider has; people bring what they know. */
static bool brings_details(
    const struct lead_capture *l, const json_t *stored, const json_t *news, bool is_ready)
{
	return !is_ready && !l->is_known && !uuid_is_nil(l->connection_id) &&
	       json_object_size(stored) == 0 && json_object_size(news) > 0;
}

static bool is_read_again(const struct lead_capture *l)
{
	return l->source != NULL && (strcmp(l->source, RECORD_SOURCE_POLL) == 0 ||
					strcmp(l->source, RECORD_SOURCE_IMPORT) == 0);
}

static bool members_differ(const json_t *old, const json_t *form)
{
	static const char *const members[] = {
	    "email", "phoneNumber", "company", "firstName", "lastName", "fullName"};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (!is_same_text(old, form, members[i]))
			return true;
	return false;
}

/* One whose details could not be had is another go worth. */
static int lead_run_again(struct db *db, struct arena *a, const struct lead_capture *l,
    const struct db_rows *stored, struct err *err)
{
	struct uuid connection_id = db_get_uuid(stored, 0, STORED_CONNECTION);
	struct job job = lead_process_job(&l->account_id, &l->id, &connection_id);

	job.class = l->class;
	if (l->is_told)
		return 0;
	if (lead_is_ready(stored))
		return job_run_now(db, &job, err);
	return lead_process_again(db, a, &l->account_id, &l->id, err) == -1 ? -1 : 0;
}

int lead_correct(struct db *db, struct arena *a, struct lead_capture *l, struct err *err)
{
	struct db_rows rows;
	json_t *stored, *old, *form, *news = NULL;
	struct form_kind kind = {.is_revision = true};
	int found = db_row(
	    db, a, &lead_lock_form, DB_VALS(db_uuid(&l->account_id), db_uuid(&l->id)), &rows, err);

	if (found == 0 && l->is_found)
		return err_set(err, ERR_RETRY, "a lead vanished while it was corrected");
	if (found != 1 || (l->record == NULL && !l->is_record_new))
		return found == -1 ? -1 : 0;
	if (l->is_known && !lead_is_ready(&rows))
		return 0;
	if ((stored = lead_parse_stored(a, db_get_str(&rows, 0, STORED_LEAD), err)) == NULL ||
	    (l->lead.p != NULL && (news = json_parse(a, l->lead, err)) == NULL))
		return err_prefix(err, "lead");
	old = lead_of_record(a, stored, stored);
	if (l->is_record_new && record_take_over(db, a, l, old, err) == -1)
		return -1;
	if (l->record == NULL)
		return 0;
	kind.has_details = brings_details(l, stored, news, lead_is_ready(&rows));
	/* the ids that it has, and those that it has now */
	json_object_update(stored, news);
	form = lead_of_record(a, l->record, stored);
	names_follow(a, old, news, form);
	if (json_equal(old, form))
		return 0;
	if (record_follows(db, a, l, form, err) == -1)
		return -1;
	kind.is_revision = !is_read_again(l) || !lead_is_ready(&rows) || members_differ(old, form);
	if (!kind.is_revision)
		return lead_store_form(db, a, l, form, kind, err);
	l->is_corrected = true;
	l->revision = (int)db_get_int(&rows, 0, STORED_REVISION) + 1;
	if (lead_store_form(db, a, l, form, kind, err) == -1)
		return -1;
	return lead_run_again(db, a, l, &rows, err);
}
