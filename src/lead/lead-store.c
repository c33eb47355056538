/* SQL of the leads. */
#include "base/clock.h"
#include "base/limits.h"
#include "connection/connection.h"
#include "lead/lead-internal.h"
#include "record/record.h"

#define LEADS_INSERT                                                                               \
	"INSERT INTO leads (id, account_id, connection_id, record_id, event_id, provider_type,"    \
	" provider_lead_id, form_id, ad_id, campaign_id, stage, sync_status, email, phone_number," \
	" full_name, lead, received_at, updated_at, source) VALUES "
#define LEADS_INSERT_ROW                                                                           \
	"(?,?,?,?,?,?,?,?,?,?,'" LEAD_RECEIVED "','" LEAD_SYNC_NONE "',?,?,?,?,?,?,?)"
DB_STMT_ROWS(leads_insert, LEADS_INSERT, LEADS_INSERT_ROW, " ON DUPLICATE KEY UPDATE id = id");
DB_STMT_ROWS(leads_insert_new, LEADS_INSERT, LEADS_INSERT_ROW, "");
DB_STMT_ROWS(leads_by_provider_id,
    "SELECT id FROM leads WHERE account_id = ? AND provider_type = ?"
    " AND provider_lead_id IN (",
    "?", ")");
DB_STMT_ROWS(leads_lock_at_once,
    "SELECT 1 FROM leads FORCE INDEX (leads_provider) WHERE account_id = ? AND provider_type = ?"
    " AND provider_lead_id IN (",
    "?", ") FOR UPDATE NOWAIT");
enum { LOCKED_ID, LOCKED_STAGE, LOCKED_REVISION, LOCKED_RELEASED };
DB_STMT_ROWS(leads_lock,
    "SELECT id, stage, revision, sync_status = '" LEAD_SYNC_DUPLICATE
    "' AND duplicate_of IS NULL FROM leads FORCE INDEX (PRIMARY) WHERE account_id = ? AND id IN (",
    "?", ") FOR UPDATE");
/* Of rows that are there and locked: what it would insert otherwise are its keys. */
DB_STMT_ROWS(leads_make_ready,
    "INSERT INTO leads (id, account_id, provider_type, provider_lead_id, received_at, stage,"
    " sync_status, email, phone_number, full_name, form_id, ad_id, campaign_id, lead, updated_at,"
    " fetched_at, ready_at, duplicate_of, duplicate_by, record_id) VALUES ",
    "(?,?,?,?,?,'" LEAD_READY "',?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE stage = VALUES(stage), stage_error = NULL,"
    " sync_status = VALUES(sync_status), email = VALUES(email),"
    " phone_number = VALUES(phone_number), full_name = VALUES(full_name),"
    " form_id = COALESCE(VALUES(form_id), form_id), ad_id = COALESCE(VALUES(ad_id), ad_id),"
    " campaign_id = COALESCE(VALUES(campaign_id), campaign_id), lead = VALUES(lead),"
    " updated_at = VALUES(updated_at), fetched_at = VALUES(fetched_at),"
    " ready_at = VALUES(ready_at), duplicate_of = VALUES(duplicate_of),"
    " duplicate_by = VALUES(duplicate_by), record_id = COALESCE(VALUES(record_id), record_id)");
DB_STMT(lead_note_problem, "UPDATE leads SET stage = ?, stage_error = ?, updated_at = ?"
			   " WHERE account_id = ? AND id = ? AND stage <> '" LEAD_READY "'");
DB_STMT_ROWS(leads_update_sync,
    "UPDATE leads FORCE INDEX (PRIMARY) SET sync_status = ?, updated_at = ?,"
    " delivered_at = IF(sync_status = '" LEAD_SYNC_SUCCESS
    "', COALESCE(delivered_at, updated_at), delivered_at)"
    " WHERE account_id = ? AND sync_status <> ?"
    " AND id IN (",
    "?", ")");

DB_STMT(lead_by_id, "SELECT " LEAD_COLUMNS " FROM leads l WHERE account_id = ? AND id = ?");
DB_STMT_ROWS(leads_by_id,
    "SELECT " LEAD_COLUMNS " FROM leads l FORCE INDEX (PRIMARY) WHERE account_id = ? AND id IN (",
    "?", ")");
#define LEAD_FILTERS                                                                               \
	" AND received_at >= ? AND received_at < ?"                                                \
	" AND (? IS NULL OR provider_type = ?) AND (? IS NULL OR form_id = ?)"                     \
	" AND (? IS NULL OR connection_id = ?)"
#define NEWEST                                                                                     \
	" AND received_at <= ? AND (received_at < ? OR id < ?)" LEAD_FILTERS                       \
	" ORDER BY received_at DESC, id DESC LIMIT ? OFFSET ?"
#define OLDEST                                                                                     \
	" AND received_at >= ? AND (received_at > ? OR id > ?)" LEAD_FILTERS                       \
	" ORDER BY received_at, id LIMIT ? OFFSET ?"
/* Without being forced the server may read the index from its end down to a deep page's key. */
#define ALL "SELECT " LEAD_COLUMNS " FROM leads l FORCE INDEX (leads_recent) WHERE account_id = ?"
#define OF_STATUS                                                                                  \
	"SELECT " LEAD_COLUMNS " FROM leads l FORCE INDEX (leads_sync)"                            \
	" WHERE account_id = ? AND sync_status = ?"
DB_STMT(lead_list_newest, ALL NEWEST);
DB_STMT(lead_list_oldest, ALL OLDEST);
DB_STMT(lead_list_status_newest, OF_STATUS NEWEST);
DB_STMT(lead_list_status_oldest, OF_STATUS OLDEST);
DB_STMT(lead_list_partial_newest, "SELECT " LEAD_COLUMNS LEADS_PARTIAL NEWEST);
DB_STMT(lead_list_partial_oldest, "SELECT " LEAD_COLUMNS LEADS_PARTIAL OLDEST);
/* How many of them, and of the deliveries that were looked at by their status. */
DB_STMT(leads_partial_count,
    "SELECT COUNT(DISTINCT l.id), COUNT(m.status = '" LEAD_SYNC_FAILED
    "' OR NULL), COUNT(m.status = '" LEAD_SYNC_DEAD "' OR NULL) FROM " LEADS_MISSED_ROWS
    " m LEFT JOIN leads l FORCE INDEX (PRIMARY) ON l.id = m.lead_id AND m.next_at IS NULL"
    " AND l.account_id = ? AND l.sync_status = '" LEAD_SYNC_SUCCESS "'");
enum { PARTIAL_LEADS, PARTIAL_FAILED, PARTIAL_DEAD };

#define INSERT_VALUES 17
#define READY_VALUES 19

const struct word lead_sources[] = {{RECORD_SOURCE_WEBHOOK, "Webhook"},
    {RECORD_SOURCE_POLL, "Poll"}, {RECORD_SOURCE_IMPORT, "Import"},
    {LEAD_SOURCE_MANUAL, LEAD_BY_HAND}, {NULL, NULL}};

static const struct filter_row lead_filters[] = {
    {"providerType", FILTER_TEXT, offsetof(struct lead_filter, provider_type), NULL, NULL},
    {"connectionId", FILTER_ID, offsetof(struct lead_filter, connection_id), NULL, NULL},
    {"formId", FILTER_TEXT, offsetof(struct lead_filter, form_id), NULL, NULL},
    {"status", FILTER_WORD, offsetof(struct lead_filter, sync_status), lead_sync_statuses, NULL},
    {"search", FILTER_TEXT, offsetof(struct lead_filter, search), NULL, NULL},
    {"receivedAfter", FILTER_TIME, offsetof(struct lead_filter, received_after), NULL, NULL},
    {"receivedBefore", FILTER_TIME, offsetof(struct lead_filter, received_before), NULL, NULL},
    {NULL, 0, 0, NULL, NULL}};
const struct list list_of_leads = {"leads", lead_filters, "receivedAt"};

struct str lead_column(const json_t *lead, const char *key, size_t most)
{
	struct str s = utf8_cut(str_from(json_str(lead, key)), most);

	return s.n == 0 ? (struct str){NULL, 0} : s;
}

static int lead_insert_row(
    struct arena *a, struct lead_capture *l, struct db_val *v, struct err *err)
{
	struct str text = l->lead.p == NULL ? STR("{}") : l->lead;
	json_t *lead = json_parse(a, text, err);

	if (lead == NULL)
		return err_prefix(err, "lead");
	if (l->record != NULL && json_object_size(lead) > 0) { /* newer news may be on record */
		lead = lead_of_record(a, l->record, lead);
		text = json_text(a, lead);
	}
	l->id = uuid_new();
	struct db_val row[INSERT_VALUES] = {db_uuid(&l->id), db_uuid(&l->account_id),
	    db_uuid_or_null(&l->connection_id), db_uuid_or_null(&l->record_id),
	    db_uuid_or_null(&l->event_id), db_strn(l->provider_type), db_strn(l->provider_lead_id),
	    db_strn(str_or_null(l->form_id)), db_strn(str_or_null(l->ad_id)),
	    db_strn(str_or_null(l->campaign_id)),
	    db_strn(lead_column(lead, "email", LIMIT_EMAIL_BYTES)),
	    db_strn(lead_column(lead, "phoneNumber", 64)),
	    db_strn(lead_column(lead, "fullName", 255)), db_strn(text), db_int(l->received_us),
	    db_int(l->received_us), db_name(str_from(l->source))};

	memcpy(v, row, sizeof(row));
	return 0;
}

/* 1 with its id, 0, -1. */
static int lead_look(
    struct db *db, struct arena *a, const struct lead_capture *l, struct uuid *id, struct err *err)
{
	struct db_val key = db_strn(l->provider_lead_id);
	struct db_rows rows;

	if (db_query_rows(db, a, &leads_by_provider_id,
		DB_VALS(db_uuid(&l->account_id), db_strn(l->provider_type)), &key, 1, 1, &rows,
		err) == -1)
		return -1;
	if (rows.count == 1)
		*id = db_get_uuid(&rows, 0, 0);
	return rows.count == 1;
}

static int lead_find_stored(struct db *db, struct arena *a, struct lead_capture *l, struct err *err)
{
	struct uuid id;
	int found = lead_look(db, a, l, &id, err);

	if (found == 0)
		err_set(err, ERR_RETRY, "a lead vanished while it was captured");
	if (found != 1)
		return -1;
	l->is_new = uuid_eq(l->id, id);
	l->id = id;
	return 0;
}

/* One that is there is not inserted: of a double the server locks what lies before it in the index,
 * and where others hold the lead new ones would wait for them too. */
static int lead_find_known(struct db *db, struct arena *a, struct lead_capture *l, struct err *err)
{
	int found = l->is_known || !l->may_be_there ? 0 : lead_look(db, a, l, &l->id, err);

	l->is_found = found == 1;
	l->is_new = !l->is_known && !l->is_found;
	l->is_corrected = false;
	return found;
}

/* Which of the rows were there before: the stored id of such a lead is not ours. */
static int lead_find_existing(
    struct db *db, struct arena *a, struct lead_capture *leads, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct lead_capture *l = &leads[i];

		if (!l->is_known && !l->is_found && lead_find_stored(db, a, l, err) == -1)
			return -1;
		for (size_t k = 0; k < i && !l->is_new && !l->is_record_new; k++)
			l->is_record_new = leads[k].is_record_new && uuid_eq(leads[k].id, l->id);
		if (!l->is_new && (l->has_news || l->is_record_new) &&
		    lead_correct(db, a, l, err) == -1)
			return -1;
	}
	return 0;
}

static int lead_insert_jobs(
    struct db *db, struct arena *a, const struct lead_capture *leads, size_t n, struct err *err)
{
	struct job *jobs = arena_array(a, n, sizeof(*jobs));
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		if (leads[i].is_new)
			jobs[count++] = lead_process_job(
			    &leads[i].account_id, &leads[i].id, &leads[i].connection_id);
	for (size_t i = 0, k = 0; i < n; i++)
		if (leads[i].is_new)
			jobs[k++].class = leads[i].class;
	return job_insert(db, jobs, count, err);
}

/* v has rows of them: those that are not known to be there. */
static int lead_insert_rows(struct db *db, struct arena *a, struct lead_capture *leads, size_t n,
    const struct db_val *v, size_t rows, struct err *err)
{
	uint64_t inserted = 0;
	size_t expected = 0;

	for (size_t i = 0; i < n; i++)
		expected += leads[i].is_expected_new;
	if (expected == n && rows == n)
		return db_exec_rows_later(
		    db, &leads_insert_new, v, rows, INSERT_VALUES, ERR_RETRY, err);
	if (db_exec_rows(db, &leads_insert, NULL, 0, v, rows, INSERT_VALUES, &inserted, err) == -1)
		return -1;
	return inserted < n ? lead_find_existing(db, a, leads, n, err) : 0;
}

int lead_capture(
    struct db *db, struct arena *a, struct lead_capture *leads, size_t n, struct err *err)
{
	struct db_val *v = arena_alloc(a, n * INSERT_VALUES * sizeof(*v));
	size_t rows = 0;

	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (lead_find_known(db, a, &leads[i], err) == -1)
			return -1;
		if (leads[i].is_new &&
		    lead_insert_row(a, &leads[i], v + rows++ * INSERT_VALUES, err) == -1)
			return -1;
	}
	if (lead_insert_rows(db, a, leads, n, v, rows, err) == -1)
		return -1;
	if (lead_counts_add_new(db, a, leads, n, err) == -1)
		return -1;
	return lead_insert_jobs(db, a, leads, n, err);
}

static bool capture_is_same_kind(const struct lead_capture *x, const struct lead_capture *y)
{
	return uuid_eq(x->account_id, y->account_id) && str_eq(x->provider_type, y->provider_type);
}

/* Those of the kind of leads[0] that may be there, at most LIMIT_DB_BATCH in a statement. */
static int capture_lock_kind(
    struct db *db, struct arena *a, const struct lead_capture *leads, size_t n, struct err *err)
{
	struct db_val ids[LIMIT_DB_BATCH];
	size_t taken = 0;

	for (size_t i = 0; i < n; i++) {
		struct db_rows rows;

		if (leads[i].may_be_there && capture_is_same_kind(&leads[0], &leads[i]))
			ids[taken++] = db_strn(leads[i].provider_lead_id);
		if (taken == 0 || (taken < LIMIT_DB_BATCH && i + 1 < n))
			continue;
		if (db_query_rows(db, a, &leads_lock_at_once,
			DB_VALS(db_uuid(&leads[0].account_id), db_strn(leads[0].provider_type)),
			ids, taken, 1, &rows, err) == -1)
			return -1;
		taken = 0;
	}
	return 0;
}

/* Those that others hold; their neighbours are in nobody's way. */
static void captures_mark_held(struct db *db, struct arena *a, struct lead_capture *leads, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct err e = ERR_INIT;

		leads[i].is_in_the_way =
		    leads[i].may_be_there && capture_is_same_kind(&leads[0], &leads[i]) &&
		    capture_lock_kind(db, a, &leads[i], 1, &e) == -1 && e.code == ERR_LOCKED;
	}
}

int lead_capture_shared(
    struct db *db, struct arena *a, struct lead_capture *leads, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		bool is_done = !leads[i].may_be_there;

		if (!is_done && db_settle(db, err) == -1)
			return -1;
		for (size_t k = 0; k < i && !is_done; k++)
			is_done =
			    leads[k].may_be_there && capture_is_same_kind(&leads[k], &leads[i]);
		if (is_done || capture_lock_kind(db, a, leads + i, n - i, err) == 0)
			continue;
		if (err->code == ERR_LOCKED)
			captures_mark_held(db, a, leads + i, n - i);
		return -1;
	}
	return lead_capture(db, a, leads, n, err);
}

/* With copies of its own, since rows that were read for many jobs go before those do. */
static int lead_row_read(struct arena *a, const struct db_rows *rows, size_t i,
    const struct uuid *account_id, struct lead_row *out, struct err *err)
{
	*out = (struct lead_row){.id = db_get_uuid(rows, i, LEAD_ID),
	    .account_id = *account_id,
	    .connection_id = db_get_uuid(rows, i, LEAD_CONNECTION),
	    .record_id = db_get_uuid(rows, i, LEAD_RECORD),
	    .event_id = db_get_uuid(rows, i, LEAD_EVENT),
	    .provider_type = arena_strdup(a, db_get_text(rows, i, LEAD_PROVIDER)),
	    .provider_lead_id = arena_strdup(a, db_get_text(rows, i, LEAD_PROVIDER_LEAD_ID)),
	    .stage = arena_strdup(a, db_get_text(rows, i, LEAD_STAGE)),
	    .revision = (int)db_get_int(rows, i, LEAD_REVISION),
	    .lead = json_parse_stored(a, db_get_str(rows, i, LEAD_JSON), err),
	    .source = arena_strdup(a, db_get_text(rows, i, LEAD_SOURCE)),
	    .fetched_us = db_get_int(rows, i, LEAD_FETCHED_AT),
	    .duplicate_of = db_get_uuid(rows, i, LEAD_DUPLICATE_OF),
	    .is_held = strcmp(db_get_text(rows, i, LEAD_SYNC_STATUS), LEAD_SYNC_DUPLICATE) == 0,
	    .received_us = db_get_int(rows, i, LEAD_RECEIVED_AT)};
	return out->lead == NULL ? -1 : 0;
}

int lead_load(struct db *db, struct arena *a, const struct uuid *account_id, const struct uuid *id,
    struct lead_row *out, struct err *err)
{
	struct db_rows rows;
	int found =
	    db_row(db, a, &lead_by_id, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	return lead_row_read(a, &rows, 0, account_id, out, err) == -1 ? -1 : 1;
}

static int lead_job_read(struct job *j, const struct db_rows *rows, size_t row, struct err *err)
{
	struct lead_row *out = arena_alloc(j->a, sizeof(*out));

	if (lead_row_read(j->a, rows, row, &j->account_id, out, err) == -1)
		return -1;
	j->loaded = out;
	return 0;
}

int lead_job_load(struct app *app, struct job *const *jobs, size_t n, struct err *err)
{
	return job_load_subjects(app, &leads_by_id, LEAD_ID, jobs, n, lead_job_read, err);
}

static bool lead_is_among(const struct lead_row *const *rows, size_t n, const struct uuid *id)
{
	for (size_t i = 0; i < n; i++)
		if (uuid_eq(rows[i]->id, *id))
			return true;
	return false;
}

int lead_lock(struct db *db, struct arena *a, const struct lead_row *const *rows, size_t n,
    struct lead_state *states, struct err *err)
{
	struct db_val *ids = arena_array(a, n, sizeof(*ids));
	struct db_rows found;

	for (size_t i = 0; i < n; i++)
		ids[i] = db_uuid(&rows[i]->id);
	if (db_query_rows(db, a, &leads_lock, DB_VALS(db_uuid(&rows[0]->account_id)), ids, n, 1,
		&found, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t k = db_find_uuid(&found, LOCKED_ID, &rows[i]->id);

		states[i] = (struct lead_state){.now = LEAD_NOWHERE};
		if (k == found.count || lead_is_among(rows, i, &rows[i]->id))
			continue;
		states[i].now = strcmp(db_get_text(&found, k, LOCKED_STAGE), LEAD_READY) == 0
				    ? LEAD_READY_NOW
				    : LEAD_UNREADY;
		states[i].revision = (int)db_get_int(&found, k, LOCKED_REVISION);
		states[i].is_released = db_get_int(&found, k, LOCKED_RELEASED) != 0;
	}
	return 0;
}

int lead_store_ready(
    struct db *db, struct arena *a, const struct lead_row *const *rows, size_t n, struct err *err)
{
	struct db_val *v = arena_alloc(a, n * READY_VALUES * sizeof(*v));
	const int64_t now = clock_now_us();

	for (size_t i = 0; i < n; i++) {
		const struct lead_row *r = rows[i];
		const json_t *l = r->lead;
		struct db_val row[READY_VALUES] = {db_uuid(&r->id), db_uuid(&r->account_id),
		    db_str(r->provider_type), db_str(r->provider_lead_id), db_int(r->received_us),
		    db_str(r->sync_status != NULL ? r->sync_status : LEAD_SYNC_NONE),
		    db_strn(lead_column(l, "email", LIMIT_EMAIL_BYTES)),
		    db_strn(lead_column(l, "phoneNumber", 64)),
		    db_strn(lead_column(l, "fullName", 255)),
		    db_strn(lead_column(l, "formId", 255)), db_strn(lead_column(l, "adId", 255)),
		    db_strn(lead_column(l, "campaignId", 255)), db_strn(json_text(a, l)),
		    db_int(now), db_time(r->fetched_us), db_int(now),
		    db_uuid_or_null(&r->duplicate_of), db_str(r->duplicate_by),
		    db_uuid_or_null(&r->record_id)};

		memcpy(v + i * READY_VALUES, row, sizeof(row));
	}
	return db_exec_rows_later(db, &leads_make_ready, v, n, READY_VALUES, ERR_CONFLICT, err);
}

int lead_store_problem(struct db *db, struct arena *a, const struct lead_row *row,
    const char *stage, const char *error, struct err *err)
{
	return db_exec(db, &lead_note_problem,
	    DB_VALS(db_str(stage), db_strn(utf8_clean(a, str_from(error), STAGE_ERROR_BYTES)),
		db_int(clock_now_us()), db_uuid(&row->account_id), db_uuid(&row->id)),
	    NULL, err);
}

/* One statement for each status among them: mostly one. */
int lead_set_sync_statuses(struct db *db, const struct uuid *account_id, const struct lead_sync *v,
    size_t n, struct err *err)
{
	struct db_val now = db_int(clock_now_us());

	for (const struct word *w = lead_sync_statuses; w->text != NULL; w++) {
		struct db_val ids[LIMIT_DB_BATCH], status = db_str(w->text);
		size_t nids = 0;

		for (size_t i = 0; i < n; i++)
			if (v[i].status != NULL && strcmp(v[i].status, w->text) == 0)
				ids[nids++] = db_uuid(&v[i].lead_id);
		if (nids > 0 && db_exec_rows(db, &leads_update_sync,
				    DB_VALS(status, now, db_uuid(account_id), status), ids, nids, 1,
				    NULL, err) == -1)
			return -1;
	}
	return 0;
}

/* ---- reading ----------------------------------------------------------------------------- */

static const char *lead_uuid_or_null(
    struct arena *a, const struct db_rows *rows, size_t i, size_t c)
{
	return db_is_null(rows, i, c) ? NULL : uuid_dup(a, db_get_uuid(rows, i, c));
}

int lead_stored_json(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    json_t **out, struct err *err)
{
	static const char *const texts[] = {
	    "email", "firstName", "lastName", "fullName", "phoneNumber", "company"};
	json_t *lead = json_parse_stored(a, db_get_str(rows, i, LEAD_JSON), err), *o;

	(void)app;
	if (lead == NULL)
		return err_prefix(err, "stored lead");
	o = json_own(a, json_object());
	json_set_str(o, "id", uuid_dup(a, db_get_uuid(rows, i, LEAD_ID)));
	json_set_str(o, "providerType", db_get_text(rows, i, LEAD_PROVIDER));
	json_set_str(o, "providerLeadId", db_get_text(rows, i, LEAD_PROVIDER_LEAD_ID));
	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
		json_set_str(o, texts[k], json_str(lead, texts[k]));
	json_t *raw = json_object_get(lead, "rawFieldData");
	json_t *custom = json_object_get(lead, "customFields");

	json_set(o, "rawFieldData", raw != NULL ? json_incref(raw) : json_object());
	json_set(o, "customFields", custom != NULL ? json_incref(custom) : json_object());
	json_set_str(o, "receivedAt", clock_iso_dup(a, db_get_int(rows, i, LEAD_RECEIVED_AT)));
	json_set_str(o, "recordId", lead_uuid_or_null(a, rows, i, LEAD_RECORD));
	json_set_str(o, "connectionId", lead_uuid_or_null(a, rows, i, LEAD_CONNECTION));
	json_set_str(o, "formId", db_get_text(rows, i, LEAD_FORM));
	json_set_str(o, "adId", db_get_text(rows, i, LEAD_AD));
	json_set_str(o, "campaignId", db_get_text(rows, i, LEAD_CAMPAIGN));
	json_set_str(o, "stage", db_get_text(rows, i, LEAD_STAGE));
	json_set_str(o, "stageError", db_get_text(rows, i, LEAD_STAGE_ERROR));
	json_set_str(o, "syncStatus", db_get_text(rows, i, LEAD_SYNC_STATUS));
	json_set_time(o, "updatedAt", db_get_int(rows, i, LEAD_UPDATED_AT));
	json_set_str(o, "source", db_get_text(rows, i, LEAD_SOURCE));
	json_set_time(o, "fetchedAt", db_get_int(rows, i, LEAD_FETCHED_AT));
	json_set_time(o, "readyAt", db_get_int(rows, i, LEAD_READY_AT));
	json_set_str(o, "duplicateOf", lead_uuid_or_null(a, rows, i, LEAD_DUPLICATE_OF));
	json_set_str(o, "duplicateBy", db_get_text(rows, i, LEAD_DUPLICATE_BY));
	json_set_time(o, "deliveredAt", db_get_int(rows, i, LEAD_DELIVERED_AT));
	*out = o;
	return 0;
}

int lead_get_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err)
{
	struct db_rows rows;
	int found =
	    db_row(app->db, a, &lead_by_id, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	if (slice_row(app, a, &rows, 0, lead_stored_json, out, err) == -1)
		return -1;
	lead_add_timeline(a, *out);
	return 1;
}

enum lead_kind lead_filter_kind(const struct lead_filter *f)
{
	return f->sync_status.p == NULL                    ? LEADS_OF_ALL
	       : str_is(f->sync_status, LEAD_SYNC_PARTIAL) ? LEADS_OF_PARTIAL
							   : LEADS_OF_STATUS;
}

size_t lead_kind_values(const struct lead_filter *f, struct db_val *v)
{
	const enum lead_kind of = lead_filter_kind(f);
	size_t n = 0;

	v[n++] = db_uuid(&f->account_id);
	if (of == LEADS_OF_STATUS)
		v[n++] = db_name(f->sync_status);
	for (; of == LEADS_OF_PARTIAL && n < 3; n++)
		v[n] = db_uuid(&f->account_id);
	return n;
}

int leads_count_partial(struct app *app, struct arena *a, const struct uuid *account_id, int64_t *n,
    bool *is_cut, struct err *err)
{
	const struct db_val account = db_uuid(account_id);
	struct db_rows rows;

	if (db_row(app->db, a, &leads_partial_count, DB_VALS(account, account, account), &rows,
		err) != 1)
		return -1;
	*n = db_get_int(&rows, 0, PARTIAL_LEADS);
	*is_cut = db_get_int(&rows, 0, PARTIAL_FAILED) >= LEADS_MISSED_MOST ||
		  db_get_int(&rows, 0, PARTIAL_DEAD) >= LEADS_MISSED_MOST;
	return 0;
}

int lead_list(
    struct app *app, struct arena *a, const struct lead_filter *f, struct slice *s, struct err *err)
{
	static const struct db_stmt *const stmts[] = {&lead_list_newest, &lead_list_oldest,
	    &lead_list_status_newest, &lead_list_status_oldest, &lead_list_partial_newest,
	    &lead_list_partial_oldest};
	const size_t of = lead_filter_kind(f);
	struct cursor from = slice_from(s);
	struct db_val v[18];
	struct db_rows rows;
	size_t n = 0;

	if (f->search.p != NULL && s->is_ascending)
		return err_field(err, ERR_INVALID, "sort",
		    "must be -receivedAt with a search, which goes from the newest on");
	if (f->search.p != NULL)
		return lead_search(app, a, f, s, err);
	n = lead_kind_values(f, v);
	v[n++] = db_int(from.at);
	v[n++] = db_int(from.at);
	v[n++] = db_uuid(&from.id);
	v[n++] = db_int(opt_time_or(f->received_after, INT64_MIN));
	v[n++] = db_int(opt_time_or(f->received_before, INT64_MAX));
	v[n++] = db_name(f->provider_type);
	v[n++] = db_name(f->provider_type);
	v[n++] = db_strn(f->form_id);
	v[n++] = db_strn(f->form_id);
	v[n++] = db_uuid_or_null(&f->connection_id);
	v[n++] = db_uuid_or_null(&f->connection_id);
	v[n++] = db_int(slice_limit(s));
	v[n++] = db_int(s->offset);
	if (db_query(app->db, a, stmts[2 * of + s->is_ascending], v, n, &rows, err) == -1)
		return -1;
	return slice_take(s, app, a, &rows, LEAD_RECEIVED_AT, LEAD_ID, lead_stored_json, err);
}
