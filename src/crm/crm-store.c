/* SQL of the ledger: one row per lead and destination, one row per attempt.
 *
 *	leads ────────1:n──> lead_deliveries ──1:n──> lead_delivery_attempts
 *	  sync_status ^        status, attempts, rounds, next_at
 *	              └─ the best status of its deliveries
 *	connections ──1:n──> lead_deliveries ── its job crm.push has the same id
 *
 * - A success stays one, as long as the lead has the form that was taken. Whoever pushes again asks
 *   the row as it is now (deliveries_touch), not as it was read.
 * - A lead that is corrected has another form (leads.revision). The ledger says which one each
 *   destination is to have (wanted) and which it took last (taken): a push that ends looks whether
 *   what it has sent is wanted still, behind the lock, and else goes on with the new form.
 * - sync_status changes in the transaction that changes a delivery. It is a copy, since lists of
 *   leads filter by it and need it in an index. Whoever changes deliveries of a lead locks all of
 *   that lead first (ledger_lock), so that none decides by what another is about to change.
 * - What is done for many leads is done by statements for all of them.
 * - A connection may be gone: its deliveries stay on record, and are shown as removed. */
#include "base/clock.h"
#include "base/limits.h"
#include "crm/crm-ledger.h"
#include "crm/crm-outcomes.h"

enum {
	ROW_ID,
	ROW_LEAD,
	ROW_CONNECTION,
	ROW_STATUS,
	ROW_ATTEMPTS,
	ROW_ROUNDS,
	ROW_NEXT_AT,
	ROW_LAST_ERROR,
	ROW_EXTERNAL_ID,
	ROW_UPDATED_AT,
	ROW_LEAD_JSON,
	ROW_MAPPING,
	ROW_MAPPING_VERSION,
	ROW_PROVIDER,
	ROW_PROVIDER_LEAD_ID,
	ROW_RECORD,
	ROW_FORM,
	ROW_AD,
	ROW_CAMPAIGN,
	ROW_RECEIVED_AT,
	ROW_REVISION
};
DB_STMT_ROWS(deliveries_by_id,
    "SELECT d.id, d.lead_id, d.connection_id, d.status, d.attempts, d.rounds, d.next_at,"
    " d.last_error, d.external_id, d.updated_at, l.lead, m.mapping, m.version,"
    " l.provider_type, l.provider_lead_id, l.record_id, l.form_id, l.ad_id, l.campaign_id,"
    " l.received_at, l.revision"
    " FROM lead_deliveries d FORCE INDEX (PRIMARY)"
    " JOIN leads l ON l.id = d.lead_id AND l.account_id = d.account_id"
    " LEFT JOIN mappings m ON m.account_id = d.account_id AND m.connection_id = d.connection_id"
    " WHERE d.account_id = ? AND d.id IN (",
    "?", ")");
/* Of rows that are there and locked: what it would insert otherwise are its keys. */
DB_STMT_ROWS(deliveries_update,
    "INSERT INTO lead_deliveries (id, account_id, lead_id, connection_id, created_at, status,"
    " attempts, rounds, next_at, last_error, last_status, external_id, pushed_at, updated_at,"
    " taken) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE status = VALUES(status), attempts = VALUES(attempts),"
    " rounds = VALUES(rounds), next_at = VALUES(next_at), last_error = VALUES(last_error),"
    " last_status = VALUES(last_status),"
    " external_id = COALESCE(VALUES(external_id), external_id),"
    " pushed_at = COALESCE(VALUES(pushed_at), pushed_at), updated_at = VALUES(updated_at),"
    " taken = GREATEST(taken, VALUES(taken))");
DB_STMT_ROWS(leads_of_deliveries,
    "SELECT lead_id FROM lead_deliveries WHERE account_id = ? AND id IN (", "?", ")");
DB_STMT(deliveries_of_lead, "SELECT id FROM lead_deliveries WHERE account_id = ? AND lead_id = ?");
DB_STMT(
    deliveries_of_lead_erase, "DELETE FROM lead_deliveries WHERE account_id = ? AND lead_id = ?");

DB_STMT_ROWS(lead_copies_put,
    "INSERT INTO lead_copies (account_id, provider_type, external_id, lead_id) VALUES ",
    "(?,?,?,?)", " ON DUPLICATE KEY UPDATE lead_id = VALUES(lead_id)");
DB_STMT(copies_of_lead_erase, "DELETE FROM lead_copies WHERE account_id = ? AND lead_id = ?");

/* ---- one delivery ------------------------------------------------------------------------ */

/* What a mapping can name of a lead beside its normalized form. */
static void lead_complete(struct arena *a, const struct db_rows *rows, size_t i, json_t *lead)
{
	static const struct {
		const char *name;
		size_t column;
	} texts[] = {{"providerType", ROW_PROVIDER}, {"providerLeadId", ROW_PROVIDER_LEAD_ID},
	    {"formId", ROW_FORM}, {"adId", ROW_AD}, {"campaignId", ROW_CAMPAIGN}};

	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
		if (!db_is_null(rows, i, texts[k].column))
			json_set_str(lead, texts[k].name, db_get_text(rows, i, texts[k].column));
	json_set_str(lead, "id", uuid_dup(a, db_get_uuid(rows, i, ROW_LEAD)));
	if (!db_is_null(rows, i, ROW_RECORD))
		json_set_str(lead, "recordId", uuid_dup(a, db_get_uuid(rows, i, ROW_RECORD)));
	json_set_str(lead, "receivedAt", clock_iso_dup(a, db_get_int(rows, i, ROW_RECEIVED_AT)));
}

/* With copies of its own, since rows that were read for many jobs go before those do. */
static int delivery_row_read(struct arena *a, const struct db_rows *rows, size_t i,
    const struct uuid *account_id, struct delivery *out, struct err *err)
{
	*out = (struct delivery){.id = db_get_uuid(rows, i, ROW_ID),
	    .account_id = *account_id,
	    .lead_id = db_get_uuid(rows, i, ROW_LEAD),
	    .connection_id = db_get_uuid(rows, i, ROW_CONNECTION),
	    .state = {.status = arena_strdup(a, db_get_text(rows, i, ROW_STATUS)),
		.attempts = (int)db_get_int(rows, i, ROW_ATTEMPTS),
		.rounds = (int)db_get_int(rows, i, ROW_ROUNDS),
		.next_us = db_get_int(rows, i, ROW_NEXT_AT),
		.error = arena_strdup(a, db_get_text(rows, i, ROW_LAST_ERROR)),
		.external_id = arena_strdup(a, db_get_text(rows, i, ROW_EXTERNAL_ID))},
	    .updated_us = db_get_int(rows, i, ROW_UPDATED_AT),
	    .revision = (int)db_get_int(rows, i, ROW_REVISION),
	    .lead = json_parse_stored(a, db_get_str(rows, i, ROW_LEAD_JSON), err)};
	if (out->lead == NULL)
		return -1;
	lead_complete(a, rows, i, out->lead);
	out->mapping.version = db_get_int(rows, i, ROW_MAPPING_VERSION);
	if (!db_is_null(rows, i, ROW_MAPPING))
		out->mapping.text = str_copy(a, db_get_str(rows, i, ROW_MAPPING));
	return 0;
}

int delivery_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct delivery *out, struct err *err)
{
	struct db_val key = db_uuid(id);
	struct db_rows rows;

	if (db_query_rows(db, a, &deliveries_by_id, DB_VALS(db_uuid(account_id)), &key, 1, 1, &rows,
		err) == -1)
		return -1;
	if (rows.count == 0)
		return 0;
	return delivery_row_read(a, &rows, 0, account_id, out, err) == -1 ? -1 : 1;
}

int deliveries_load(struct db *db, struct arena *a, const struct job *jobs, size_t n,
    struct delivery **out, size_t *nout, struct err *err)
{
	struct db_val keys[LIMIT_DB_BATCH];
	struct db_rows rows;

	for (size_t i = 0; i < n; i++)
		keys[i] = db_uuid(&jobs[i].subject_id);
	if (db_query_rows(db, a, &deliveries_by_id, DB_VALS(db_uuid(&jobs[0].account_id)), keys, n,
		1, &rows, err) == -1)
		return -1;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (*nout = 0; *nout < rows.count; ++*nout)
		if (delivery_row_read(a, &rows, *nout, &jobs[0].account_id, &(*out)[*nout], err) ==
		    -1)
			return -1;
	return 0;
}

static int push_job_read(struct job *j, const struct db_rows *rows, size_t row, struct err *err)
{
	struct delivery *out = arena_alloc(j->a, sizeof(*out));

	if (delivery_row_read(j->a, rows, row, &j->account_id, out, err) == -1)
		return -1;
	j->loaded = out;
	return 0;
}

int crm_job_load(struct app *app, struct job *const *jobs, size_t n, struct err *err)
{
	return job_load_subjects(app, &deliveries_by_id, ROW_ID, jobs, n, push_job_read, err);
}

/* ---- what came of pushes ----------------------------------------------------------------- */

#define UPDATE_VALUES 15

static int attempts_store(
    struct db *db, struct arena *a, const struct push_outcome *v, size_t n, struct err *err)
{
	struct delivery_attempt_row *rows;
	size_t total = 0, k = 0;

	for (size_t i = 0; i < n; i++)
		total += v[i].nattempts;
	rows = arena_array(a, total + 1, sizeof(*rows));
	for (size_t i = 0; i < n; i++)
		for (size_t t = 0; t < v[i].nattempts; t++)
			rows[k++] = (struct delivery_attempt_row){
			    &v[i].d->account_id, &v[i].d->id, &v[i].attempts[t]};
	for (size_t from = 0; from < total; from += LIMIT_DB_BATCH)
		if (delivery_attempts_store(db, a, rows + from,
			total - from < LIMIT_DB_BATCH ? total - from : LIMIT_DB_BATCH, err) == -1)
			return -1;
	return 0;
}

static int deliveries_write(
    struct db *db, struct arena *a, const struct push_outcome *v, size_t n, struct err *err)
{
	struct db_val *vals = arena_alloc(a, n * UPDATE_VALUES * sizeof(*vals));
	struct db_val now = db_int(clock_now_us());

	for (size_t i = 0; i < n; i++) {
		const struct delivery *d = v[i].d;
		bool is_success = strcmp(d->state.status, DELIVERY_SUCCESS) == 0;
		bool is_anew = v[i].is_outdated; /* as if it had just been queued */
		struct db_val row[UPDATE_VALUES] = {db_uuid(&d->id), db_uuid(&d->account_id),
		    db_uuid(&d->lead_id), db_uuid(&d->connection_id), now,
		    db_str(is_anew ? DELIVERY_PENDING : d->state.status), db_int(d->state.attempts),
		    db_int(is_anew ? 0 : d->state.rounds), db_time(is_anew ? 0 : d->state.next_us),
		    db_strn(utf8_clean(a, str_from(d->state.error), 1000)),
		    d->state.http_status == 0 ? db_null() : db_int(d->state.http_status),
		    db_strn(utf8_clean(a, str_from(d->state.external_id), 255)),
		    is_success ? now : db_null(), now, db_int(is_success ? d->revision : 0)};

		memcpy(vals + UPDATE_VALUES * i, row, sizeof(row));
	}
	return db_exec_rows_later(
	    db, &deliveries_update, vals, n, UPDATE_VALUES, ERR_CONFLICT, err);
}

int deliveries_store(
    struct db *db, struct arena *a, struct push_outcome *v, size_t n, struct err *err)
{
	struct ledger l = ledger_new(a, &v[0].d->account_id, n);

	for (size_t i = 0; i < n; i++)
		ledger_add_lead(&l, &v[i].d->lead_id);
	if (ledger_lock(&l, db, a, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t k = db_find_uuid(&l.rows, LEDGER_ID, &v[i].d->id);

		if (k == l.rows.count)
			return err_set(err, ERR_NOT_FOUND, "a delivery is gone from the ledger");
		v[i].is_outdated =
		    v[i].is_end && db_get_int(&l.rows, k, LEDGER_WANTED) > v[i].d->revision;
		l.status[k] = v[i].is_outdated ? DELIVERY_PENDING : v[i].d->state.status;
	}
	if (attempts_store(db, a, v, n, err) == -1 || deliveries_write(db, a, v, n, err) == -1 ||
	    outcomes_count(db, a, v, n, err) == -1)
		return -1;
	return ledger_tell_leads(&l, db, err);
}

int deliveries_note_copies(struct db *db, struct arena *a, const struct delivery *const *v,
    const char *const *provider_types, size_t n, struct err *err)
{
	struct db_val *vals = arena_alloc(a, (n + 1) * 4 * sizeof(*vals));

	for (size_t i = 0; i < n; i++) {
		struct db_val row[4] = {db_uuid(&v[i]->account_id), db_str(provider_types[i]),
		    db_strn(utf8_clean(a, str_from(v[i]->state.external_id), 255)),
		    db_uuid(&v[i]->lead_id)};

		memcpy(vals + 4 * i, row, sizeof(row));
	}
	return db_exec_rows_later(db, &lead_copies_put, vals, n, 4, ERR_CONFLICT, err);
}

int deliveries_revive(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *ids, size_t n, struct err *err)
{
	struct ledger l = ledger_new(a, account_id, n);
	struct db_val keys[LIMIT_DB_BATCH];
	struct db_rows leads;

	for (size_t i = 0; i < n; i++)
		keys[i] = db_uuid(&ids[i]);
	if (db_query_rows(db, a, &leads_of_deliveries, DB_VALS(db_uuid(account_id)), keys, n, 1,
		&leads, err) == -1)
		return -1;
	if (leads.count == 0)
		return 0;
	for (size_t i = 0; i < leads.count; i++) {
		struct uuid lead_id = db_get_uuid(&leads, i, 0);

		ledger_add_lead(&l, &lead_id);
	}
	if (ledger_lock(&l, db, a, err) == -1 ||
	    deliveries_touch(db, account_id, ids, n, NULL, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t k = db_find_uuid(&l.rows, LEDGER_ID, &ids[i]);

		if (k < l.rows.count && strcmp(l.status[k], DELIVERY_SUCCESS) != 0)
			l.status[k] = DELIVERY_PENDING;
	}
	return ledger_tell_leads(&l, db, err);
}

int crm_on_lead_erased(
    struct app *app, const struct uuid *account_id, const struct uuid *lead_id, struct err *err)
{
	struct arena *a = arena_new();
	struct db_rows rows;
	int rc = db_query(app->db, a, &deliveries_of_lead,
	    DB_VALS(db_uuid(account_id), db_uuid(lead_id)), &rows, err);

	for (size_t i = 0; rc != -1 && i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);

		rc = delivery_attempts_erase(app->db, account_id, &id, err);
	}
	arena_free(a);
	if (rc == -1 || db_exec(app->db, &copies_of_lead_erase,
			    DB_VALS(db_uuid(account_id), db_uuid(lead_id)), NULL, err) == -1)
		return -1;
	return db_exec(app->db, &deliveries_of_lead_erase,
	    DB_VALS(db_uuid(account_id), db_uuid(lead_id)), NULL, err);
}
