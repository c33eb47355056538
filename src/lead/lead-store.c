/* SQL of the leads. */
#include "base/clock.h"
#include "base/limits.h"
#include "lead/lead-internal.h"

DB_STMT_ROWS(leads_insert,
    "INSERT INTO leads (id, account_id, connection_id, record_id, event_id, provider_type,"
    " provider_lead_id, form_id, ad_id, campaign_id, stage, sync_status, email, phone_number,"
    " full_name, lead, received_at, updated_at) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,'received','none',?,?,?,?,?,?)", " ON DUPLICATE KEY UPDATE id = id");
DB_STMT_ROWS(leads_by_provider_id,
    "SELECT id, provider_lead_id FROM leads WHERE account_id = ? AND provider_type = ?"
    " AND provider_lead_id IN (",
    "?", ")");
DB_STMT(lead_load_row,
    "SELECT connection_id, record_id, event_id, provider_type, provider_lead_id, stage, lead,"
    " received_at FROM leads WHERE account_id = ? AND id = ?");
DB_STMT(lead_make_ready,
    "UPDATE leads SET stage = 'ready', stage_error = NULL, email = ?, phone_number = ?,"
    " full_name = ?, form_id = COALESCE(?, form_id), ad_id = COALESCE(?, ad_id),"
    " campaign_id = COALESCE(?, campaign_id), lead = ?, updated_at = ?"
    " WHERE account_id = ? AND id = ? AND stage <> 'ready'");
DB_STMT(lead_note_problem, "UPDATE leads SET stage = ?, stage_error = ?, updated_at = ?"
			   " WHERE account_id = ? AND id = ? AND stage <> 'ready'");
DB_STMT(lead_update_sync,
    "UPDATE leads SET sync_status = ?, updated_at = ? WHERE account_id = ? AND id = ?");

#define LEAD_COLUMNS                                                                               \
	"id, record_id, connection_id, provider_type, provider_lead_id, form_id, ad_id, "          \
	"campaign_id,"                                                                             \
	" stage, stage_error, sync_status, lead, received_at, updated_at FROM leads "
DB_STMT(lead_by_id, "SELECT " LEAD_COLUMNS "WHERE account_id = ? AND id = ?");
#define LEAD_FILTERS                                                                               \
	" AND received_at <= ? AND (received_at < ? OR id < ?) AND received_at >= ?"               \
	" AND (? IS NULL OR provider_type = ?) AND (? IS NULL OR form_id = ?)"                     \
	" AND (? IS NULL OR CONCAT_WS(' ', email, full_name, phone_number) LIKE"                   \
	" CONCAT('%', ?, '%') COLLATE utf8mb4_general_ci)"                                         \
	" ORDER BY received_at DESC, id DESC LIMIT ? OFFSET ?"
/* Without being forced the server may read the index from its end down to a deep page's key. */
DB_STMT(lead_list_all,
    "SELECT " LEAD_COLUMNS "FORCE INDEX (leads_recent) WHERE account_id = ?" LEAD_FILTERS);
DB_STMT(lead_list_status, "SELECT " LEAD_COLUMNS "FORCE INDEX (leads_sync)"
			  " WHERE account_id = ? AND sync_status = ?" LEAD_FILTERS);

#define INSERT_VALUES 16

/* The columns that lists and searches use, cut to their width. */
static struct str column(const json_t *lead, const char *key, size_t most)
{
	struct str s = utf8_cut(str_from(json_str(lead, key)), most);

	return s.n == 0 ? (struct str){NULL, 0} : s;
}

static struct str or_null(struct str s)
{
	return s.n == 0 ? (struct str){NULL, 0} : s;
}

static int insert_row(struct arena *a, struct lead_capture *l, struct db_val *v, struct err *err)
{
	struct str text = l->lead.p == NULL ? STR("{}") : l->lead;
	json_t *lead = json_parse(a, text, err);

	if (lead == NULL)
		return err_prefix(err, "lead");
	l->id = uuid_new();
	struct db_val row[INSERT_VALUES] = {db_uuid(&l->id), db_uuid(&l->account_id),
	    db_uuid_or_null(&l->connection_id), db_uuid_or_null(&l->record_id),
	    db_uuid_or_null(&l->event_id), db_strn(l->provider_type), db_strn(l->provider_lead_id),
	    db_strn(or_null(l->form_id)), db_strn(or_null(l->ad_id)),
	    db_strn(or_null(l->campaign_id)), db_strn(column(lead, "email", LIMIT_EMAIL_BYTES)),
	    db_strn(column(lead, "phoneNumber", 64)), db_strn(column(lead, "fullName", 255)),
	    db_strn(text), db_int(l->received_us), db_int(l->received_us)};

	memcpy(v, row, sizeof(row));
	return 0;
}

/* Which of the rows were there before: the stored id of such a lead is not ours. */
static int find_existing(
    struct db *db, struct arena *a, struct lead_capture *leads, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct lead_capture *l = &leads[i];
		struct db_val key = db_strn(l->provider_lead_id);
		struct db_rows rows;

		if (db_query_rows(db, a, &leads_by_provider_id,
			DB_VALS(db_uuid(&l->account_id), db_strn(l->provider_type)), &key, 1, 1,
			&rows, err) == -1)
			return -1;
		if (rows.count != 1)
			return err_set(err, ERR_RETRY, "a lead vanished while it was captured");
		l->is_new = uuid_eq(l->id, db_get_uuid(&rows, 0, 0));
		l->id = db_get_uuid(&rows, 0, 0);
	}
	return 0;
}

static int insert_jobs(
    struct db *db, struct arena *a, const struct lead_capture *leads, size_t n, struct err *err)
{
	struct job *jobs = arena_array(a, n, sizeof(*jobs));
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		if (leads[i].is_new)
			jobs[count++] = (struct job){.account_id = leads[i].account_id,
			    .kind = "lead.process",
			    .subject_id = leads[i].id};
	return job_insert(db, jobs, count, err);
}

int lead_capture(
    struct db *db, struct arena *a, struct lead_capture *leads, size_t n, struct err *err)
{
	struct db_val *v = arena_alloc(a, n * INSERT_VALUES * sizeof(*v));
	uint64_t inserted = 0;

	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		leads[i].is_new = true;
		if (insert_row(a, &leads[i], v + i * INSERT_VALUES, err) == -1)
			return -1;
	}
	if (db_exec_rows(db, &leads_insert, NULL, 0, v, n, INSERT_VALUES, &inserted, err) == -1)
		return -1;
	if (inserted < n && find_existing(db, a, leads, n, err) == -1)
		return -1;
	return insert_jobs(db, a, leads, n, err);
}

int lead_load(struct db *db, struct arena *a, const struct uuid *account_id, const struct uuid *id,
    struct lead_row *out, struct err *err)
{
	struct db_rows rows;
	int found =
	    db_row(db, a, &lead_load_row, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	*out = (struct lead_row){.id = *id,
	    .account_id = *account_id,
	    .connection_id = db_get_uuid(&rows, 0, 0),
	    .record_id = db_get_uuid(&rows, 0, 1),
	    .event_id = db_get_uuid(&rows, 0, 2),
	    .provider_type = db_get_text(&rows, 0, 3),
	    .provider_lead_id = db_get_text(&rows, 0, 4),
	    .stage = db_get_text(&rows, 0, 5),
	    .lead = json_parse(a, db_get_str(&rows, 0, 6), err),
	    .received_us = db_get_int(&rows, 0, 7)};
	return out->lead == NULL ? -1 : 1;
}

int lead_store_ready(struct db *db, struct arena *a, const struct lead_row *row, struct err *err)
{
	const json_t *l = row->lead;
	uint64_t n = 0;

	if (db_exec(db, &lead_make_ready,
		DB_VALS(db_strn(column(l, "email", LIMIT_EMAIL_BYTES)),
		    db_strn(column(l, "phoneNumber", 64)), db_strn(column(l, "fullName", 255)),
		    db_strn(column(l, "formId", 255)), db_strn(column(l, "adId", 255)),
		    db_strn(column(l, "campaignId", 255)), db_strn(json_text(a, l)),
		    db_int(clock_now_us()), db_uuid(&row->account_id), db_uuid(&row->id)),
		&n, err) == -1)
		return -1;
	return n > 0;
}

int lead_store_problem(struct db *db, struct arena *a, const struct lead_row *row, bool is_final,
    const char *error, struct err *err)
{
	return db_exec(db, &lead_note_problem,
	    DB_VALS(db_str(is_final ? "failed" : "received"),
		db_strn(utf8_clean(a, str_from(error), 1000)), db_int(clock_now_us()),
		db_uuid(&row->account_id), db_uuid(&row->id)),
	    NULL, err);
}

int lead_set_sync_status(struct db *db, const struct uuid *account_id, const struct uuid *id,
    const char *status, struct err *err)
{
	return db_exec(db, &lead_update_sync,
	    DB_VALS(db_str(status), db_int(clock_now_us()), db_uuid(account_id), db_uuid(id)), NULL,
	    err);
}

/* ---- reading ----------------------------------------------------------------------------- */

static const char *uuid_or_null(struct arena *a, const struct db_rows *rows, size_t i, size_t c)
{
	return db_is_null(rows, i, c) ? NULL : uuid_dup(a, db_get_uuid(rows, i, c));
}

static int lead_row_json(
    struct arena *a, const struct db_rows *rows, size_t i, json_t **out, struct err *err)
{
	static const char *const texts[] = {
	    "email", "firstName", "lastName", "fullName", "phoneNumber", "company"};
	json_t *lead = json_parse(a, db_get_str(rows, i, 11), err), *o;

	if (lead == NULL)
		return err_prefix(err, "stored lead");
	o = json_own(a, json_object());
	json_set_str(o, "id", uuid_dup(a, db_get_uuid(rows, i, 0)));
	json_set_str(o, "providerType", db_get_text(rows, i, 3));
	json_set_str(o, "providerLeadId", db_get_text(rows, i, 4));
	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
		json_set_str(o, texts[k], json_str(lead, texts[k]));
	json_t *raw = json_object_get(lead, "rawFieldData");
	json_t *custom = json_object_get(lead, "customFields");

	json_set(o, "rawFieldData", raw != NULL ? json_incref(raw) : json_object());
	json_set(o, "customFields", custom != NULL ? json_incref(custom) : json_object());
	json_set_time(o, "receivedAt", db_get_int(rows, i, 12));
	json_set_str(o, "recordId", uuid_or_null(a, rows, i, 1));
	json_set_str(o, "connectionId", uuid_or_null(a, rows, i, 2));
	json_set_str(o, "formId", db_get_text(rows, i, 5));
	json_set_str(o, "adId", db_get_text(rows, i, 6));
	json_set_str(o, "campaignId", db_get_text(rows, i, 7));
	json_set_str(o, "stage", db_get_text(rows, i, 8));
	json_set_str(o, "stageError", db_get_text(rows, i, 9));
	json_set_str(o, "syncStatus", db_get_text(rows, i, 10));
	json_set_time(o, "updatedAt", db_get_int(rows, i, 13));
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
	return lead_row_json(a, &rows, 0, out, err) == -1 ? -1 : 1;
}

/* '%', '_' and '\' of a search stand for themselves. */
static struct str like_escape(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, 2 * s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' || s.p[i] == '_' || s.p[i] == '\\')
			p[n++] = '\\';
		p[n++] = s.p[i];
	}
	return s.p == NULL ? s : (struct str){p, n};
}

int lead_list(struct app *app, struct arena *a, const struct lead_filter *f, struct lead_page *page,
    struct err *err)
{
	struct db_val v[16];
	struct db_rows rows;
	struct uuid last = page->after_id;
	int64_t key = page->after_us;
	size_t n = 0;
	const bool has_status = f->sync_status.p != NULL;
	struct str search = like_escape(a, f->search);

	if (key == 0) {
		key = INT64_MAX;
		memset(last.b, 0xff, sizeof(last.b));
	}
	v[n++] = db_uuid(&f->account_id);
	if (has_status)
		v[n++] = db_name(f->sync_status);
	v[n++] = db_int(key);
	v[n++] = db_int(key);
	v[n++] = db_uuid(&last);
	v[n++] = db_int(f->received_after_us);
	v[n++] = db_name(f->provider_type);
	v[n++] = db_name(f->provider_type);
	v[n++] = db_strn(f->form_id);
	v[n++] = db_strn(f->form_id);
	v[n++] = db_strn(search);
	v[n++] = db_strn(search);
	v[n++] = db_int(page->limit + 1);
	v[n++] = db_int(page->offset);
	if (db_query(app->db, a, has_status ? &lead_list_status : &lead_list_all, v, n, &rows,
		err) == -1)
		return -1;
	page->rows = json_own(a, json_array());
	page->has_more = rows.count > (size_t)page->limit;
	for (size_t i = 0; i < rows.count && i < (size_t)page->limit; i++) {
		json_t *o;

		if (lead_row_json(a, &rows, i, &o, err) == -1)
			return -1;
		json_array_append(page->rows, o);
		page->last_us = db_get_int(&rows, i, 12);
		page->last_id = db_get_uuid(&rows, i, 0);
	}
	return 0;
}
