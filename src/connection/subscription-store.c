/* SQL of the subscriptions, and the job of each connection that has some. */
#include "base/clock.h"
#include "base/limits.h"
#include "connection/subscription-internal.h"

#define ERROR_BYTES 1000u
#define KEEP_ROWS 100
#define FORM_NAME_BYTES 250u
#define FORM_VALUES 6

#define SUBSCRIPTION_COLUMNS                                                                       \
	"account_id, connection_id, name, form, form_name, known, former, expires_at, checked_at," \
	" next_at, failures, last_error"
enum {
	SUBSCRIPTION_ACCOUNT,
	SUBSCRIPTION_CONNECTION,
	SUBSCRIPTION_NAME,
	SUBSCRIPTION_FORM,
	SUBSCRIPTION_FORM_NAME,
	SUBSCRIPTION_KNOWN,
	SUBSCRIPTION_FORMER,
	SUBSCRIPTION_EXPIRES,
	SUBSCRIPTION_CHECKED,
	SUBSCRIPTION_NEXT,
	SUBSCRIPTION_FAILURES,
	SUBSCRIPTION_ERROR
};
#define OF_CONNECTION " WHERE account_id = ? AND connection_id = ?"
DB_STMT(subscriptions_of_connection,
    "SELECT " SUBSCRIPTION_COLUMNS " FROM subscriptions" OF_CONNECTION
    " ORDER BY name, form LIMIT 10000");
DB_STMT(subscriptions_of_connection_locked,
    "SELECT " SUBSCRIPTION_COLUMNS " FROM subscriptions" OF_CONNECTION
    " ORDER BY name, form LIMIT 10000 FOR UPDATE");
DB_STMT(subscription_update,
    "UPDATE subscriptions SET known = ?, former = ?, expires_at = ?, checked_at = ?, next_at = ?,"
    " failures = ?, last_error = ?" OF_CONNECTION " AND name = ? AND form = ?");
DB_STMT_ROWS(subscriptions_put,
    "INSERT INTO subscriptions (account_id, connection_id, name, next_at) VALUES ", "(?,?,?,?)",
    " ON DUPLICATE KEY UPDATE next_at = VALUES(next_at)");
DB_STMT_ROWS(subscription_forms_insert,
    "INSERT INTO subscriptions (account_id, connection_id, name, form, form_name, next_at) VALUES ",
    "(?,?,?,?,?,?)", " ON DUPLICATE KEY UPDATE form_name = VALUES(form_name)");
DB_STMT(
    subscription_delete, "DELETE FROM subscriptions" OF_CONNECTION " AND name = ? AND form = ?");
DB_STMT(subscriptions_make_due, "UPDATE subscriptions SET next_at = ?" OF_CONNECTION);
DB_STMT(subscriptions_delete, "DELETE FROM subscriptions" OF_CONNECTION);
DB_STMT(subscriptions_lacking,
    "SELECT c.id, c.account_id FROM connections c WHERE c.provider_type = ?"
    " AND c.status <> '" CONNECTION_DISABLED "' AND NOT EXISTS (SELECT 1 FROM subscriptions s"
    " WHERE s.account_id = c.account_id AND s.connection_id = c.id AND s.name = ?"
    " AND s.form = '') LIMIT ?");
enum { KEEP_CONNECTION, KEEP_ACCOUNT };

static struct str row_json(const struct db_rows *rows, size_t i, size_t column)
{
	return db_is_null(rows, i, column) ? (struct str){NULL, 0} : db_get_str(rows, i, column);
}

int subscriptions_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, bool is_locked, struct subscription_row **out, size_t *n,
    struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a,
		is_locked ? &subscriptions_of_connection_locked : &subscriptions_of_connection,
		DB_VALS(db_uuid(account_id), db_uuid(connection_id)), &rows, err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++)
		(*out)[i] = (struct subscription_row){
		    .account_id = db_get_uuid(&rows, i, SUBSCRIPTION_ACCOUNT),
		    .connection_id = db_get_uuid(&rows, i, SUBSCRIPTION_CONNECTION),
		    .name = db_get_text(&rows, i, SUBSCRIPTION_NAME),
		    .form = db_get_text(&rows, i, SUBSCRIPTION_FORM),
		    .form_name = db_get_text(&rows, i, SUBSCRIPTION_FORM_NAME),
		    .known = row_json(&rows, i, SUBSCRIPTION_KNOWN),
		    .former = row_json(&rows, i, SUBSCRIPTION_FORMER),
		    .expires_us = db_get_int(&rows, i, SUBSCRIPTION_EXPIRES),
		    .checked_us = db_get_int(&rows, i, SUBSCRIPTION_CHECKED),
		    .next_us = db_get_int(&rows, i, SUBSCRIPTION_NEXT),
		    .failures = (int)db_get_int(&rows, i, SUBSCRIPTION_FAILURES),
		    .last_error = db_get_text(&rows, i, SUBSCRIPTION_ERROR)};
	return 0;
}

int subscription_save(struct db *db, const struct subscription_row *row, struct err *err)
{
	struct arena *a = arena_new();
	int rc = db_exec(db, &subscription_update,
	    DB_VALS(db_strn(row->known), db_strn(row->former), db_time(row->expires_us),
		db_time(row->checked_us), db_int(row->next_us), db_int(row->failures),
		db_strn(utf8_clean(a, str_from(row->last_error), ERROR_BYTES)),
		db_uuid(&row->account_id), db_uuid(&row->connection_id), db_str(row->name),
		db_str(row->form)),
	    NULL, err);

	arena_free(a);
	return rc;
}

int subscription_forms_put(
    struct db *db, const struct subscription_row *of, const json_t *forms, struct err *err)
{
	struct arena *a = arena_new();
	struct db_val *v = arena_array(a, json_array_size(forms) + 1, FORM_VALUES * sizeof(*v));
	const json_t *form;
	size_t i;
	int rc;

	json_array_each(forms, i, form) {
		struct db_val row[FORM_VALUES] = {db_uuid(&of->account_id),
		    db_uuid(&of->connection_id), db_str(of->name), db_str(json_str(form, "id")),
		    db_strn(utf8_clean(a, str_from(json_str(form, "name")), FORM_NAME_BYTES)),
		    db_int(clock_now_us())};

		memcpy(v + FORM_VALUES * i, row, sizeof(row));
	}
	rc = db_exec_rows(db, &subscription_forms_insert, NULL, 0, v, json_array_size(forms),
	    FORM_VALUES, NULL, err);
	arena_free(a);
	return rc;
}

int subscription_drop(struct db *db, const struct subscription_row *row, struct err *err)
{
	return db_exec(db, &subscription_delete,
	    DB_VALS(db_uuid(&row->account_id), db_uuid(&row->connection_id), db_str(row->name),
		db_str(row->form)),
	    NULL, err);
}

/* One job a connection, the same on all hosts. */
static struct uuid subscription_job_id(const struct uuid *connection_id)
{
	return uuid_named("connection.subscribe", (struct str){(const char *)connection_id->b, 16});
}

static int subscription_job_bring(
    struct db *db, const struct uuid *account_id, const struct uuid *connection_id, struct err *err)
{
	const struct job job = {.id = subscription_job_id(connection_id),
	    .account_id = *account_id,
	    .class = JOB_BULK,
	    .target_id = *connection_id,
	    .kind = "connection.subscribe",
	    .subject_id = *connection_id};

	return job_run_now(db, &job, err);
}

/* Rows that are there are looked at now. */
static int subscriptions_put_rows(struct db *db, struct arena *a, const struct provider *p,
    const struct uuid *account_id, const struct uuid *connection_id, struct err *err)
{
	struct db_val *v = arena_array(a, p->nsubscriptions + 1, 4 * sizeof(*v));

	for (size_t i = 0; i < p->nsubscriptions; i++) {
		struct db_val row[4] = {db_uuid(account_id), db_uuid(connection_id),
		    db_str(p->subscriptions[i].name), db_int(clock_now_us())};

		memcpy(v + 4 * i, row, sizeof(row));
	}
	if (db_exec_rows(db, &subscriptions_put, NULL, 0, v, p->nsubscriptions, 4, NULL, err) == -1)
		return -1;
	return subscription_job_bring(db, account_id, connection_id, err);
}

int subscriptions_hasten(
    struct db *db, const struct uuid *account_id, const struct uuid *connection_id, struct err *err)
{
	if (db_exec(db, &subscriptions_make_due,
		DB_VALS(db_int(clock_now_us()), db_uuid(account_id), db_uuid(connection_id)), NULL,
		err) == -1)
		return -1;
	return subscription_job_bring(db, account_id, connection_id, err);
}

int subscriptions_follow_connection(
    struct app *app, struct arena *a, const struct connection *c, bool is_gone, struct err *err)
{
	struct subscription_row *rows;
	size_t n;

	if (!is_gone)
		return c->provider->nsubscriptions == 0 ||
			       strcmp(c->status, CONNECTION_DISABLED) == 0
			   ? 0
			   : subscriptions_put_rows(
				 app->db, a, c->provider, &c->account_id, &c->id, err);
	if (subscriptions_load(app->db, a, &c->account_id, &c->id, true, &rows, &n, err) == -1 ||
	    (n > 0 && subscriptions_end(app, a, c, rows, n, err) == -1))
		return -1;
	return db_exec(app->db, &subscriptions_delete,
	    DB_VALS(db_uuid(&c->account_id), db_uuid(&c->id)), NULL, err);
}

/* ---- keeping ------------------------------------------------------------------------------- */

struct subscriptions_lack {
	struct arena *a;
	const struct provider *p;
	struct db_rows rows;
};

static int lack_body(struct db *db, void *arg, struct err *err)
{
	struct subscriptions_lack *k = arg;

	for (size_t i = 0; i < k->rows.count; i++) {
		struct uuid connection_id = db_get_uuid(&k->rows, i, KEEP_CONNECTION);
		struct uuid account_id = db_get_uuid(&k->rows, i, KEEP_ACCOUNT);

		if (subscriptions_put_rows(db, k->a, k->p, &account_id, &connection_id, err) == -1)
			return -1;
	}
	return 0;
}

int subscriptions_keep(struct app *app, struct err *err)
{
	struct arena *a = arena_new();
	struct subscriptions_lack k = {.a = a};
	int more = 0, rc = 0;

	for (size_t i = 0; rc == 0 && i < providers_count(app->providers); i++) {
		k.p = provider_at(app->providers, i);
		for (size_t n = 0; rc == 0 && n < k.p->nsubscriptions; n++) {
			rc = db_query(app->db, a, &subscriptions_lacking,
			    DB_VALS(db_str(k.p->name), db_str(k.p->subscriptions[n].name),
				db_int(KEEP_ROWS)),
			    &k.rows, err);
			if (rc == 0 && k.rows.count > 0)
				rc = db_transaction(app->db, lack_body, &k, err);
			more |= rc == 0 && k.rows.count == KEEP_ROWS;
		}
	}
	arena_free(a);
	return rc == -1 ? -1 : more;
}
