/* The audit log: who did what, when, from where, to which object. */
#include "account/audit.h"

#include "account/account-internal.h"
#include "base/clock.h"
#include "job/board.h"

#define NAME_CHARS 254u
#define ADDRESS_CHARS 64u
#define ROW_CELLS 12

struct audit_row {
	struct audit_row *next;
	struct uuid id, object_id;
	int64_t at_us;
	const char *action, *object_kind;
	struct str details;
};

struct audit {
	struct app *app;
	const struct req *r;
	const struct uuid *account_id;
	struct arena *a;
	int (*body)(struct db *db, struct audit *log, void *arg, struct err *err);
	void *arg;
	/* of this try */
	struct audit_row *first, **last;
	size_t n;
	bool has_changes;
};

DB_STMT_ROWS(audit_insert,
    "INSERT INTO audit_log (id, account_id, at, actor_kind, actor_id, actor_name, action,"
    " object_kind, object_id, remote_addr, request_id, details) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?)", "");

/* Of sign-ins that failed for an email that nobody has. */
DB_STMT(audit_purge_nobody, "DELETE FROM audit_log WHERE account_id = ? AND id < ?" DB_PURGE_LIMIT);

/* ---- noting -------------------------------------------------------------------------------- */

void audit_fact(struct audit *log, const char *action, const char *object_kind,
    const struct uuid *object_id, const json_t *details)
{
	struct audit_row *row = arena_zalloc(log->a, sizeof(*row));

	row->id = uuid_new();
	row->at_us = clock_now_us();
	row->action = action;
	row->object_kind = object_kind;
	if (object_id != NULL)
		row->object_id = *object_id;
	if (details != NULL)
		row->details = json_text(log->a, details);
	*log->last = row;
	log->last = &row->next;
	log->n++;
}

/* The members of one that other lacks or has otherwise. */
static json_t *members_differing(const json_t *one, const json_t *other)
{
	json_t *out = json_object(), *v;
	const char *key;

	json_object_each(one, key, v) {
		const json_t *o = json_object_get(other, key);

		if (o != NULL && json_equal(v, o))
			continue;
		json_set(out, key,
		    json_is_object(v) && json_is_object(o) ? members_differing(v, o)
							   : json_deep_copy(v));
	}
	return out;
}

void audit_note(struct audit *log, const char *action, const char *object_kind,
    const struct uuid *object_id, const char *name, const json_t *before, const json_t *after)
{
	json_t *details = json_own(log->a, json_object());

	log->has_changes = true;
	if (before != NULL && after != NULL && json_equal(before, after))
		return;
	if (name != NULL)
		json_set_str(details, "name", name);
	if (before != NULL || after != NULL) {
		json_set(details, "before", before ? members_differing(before, after) : NULL);
		json_set(details, "after", after ? members_differing(after, before) : NULL);
	}
	audit_fact(
	    log, action, object_kind, object_id, json_object_size(details) > 0 ? details : NULL);
}

/* ---- writing ------------------------------------------------------------------------------- */

struct str account_text_clip(struct arena *a, struct str text, size_t max_chars)
{
	bool is_text = utf8_is_valid(text);
	char *out = arena_strndup(a, text.n == 0 ? "" : text.p, text.n);
	size_t n = 0, chars = 0;

	for (; n < text.n; n++) {
		unsigned char c = (unsigned char)out[n];
		bool starts_char = !is_text || (c & 0xc0) != 0x80;

		if (starts_char && chars++ == max_chars)
			break;
		if (c < ' ' || c == 0x7f || (!is_text && c >= 0x80))
			out[n] = '?';
	}
	out[n] = '\0';
	return (struct str){out, n};
}

static const char *actor_kind(const struct req *r)
{
	if (r == NULL)
		return "operator";
	switch (r->actor.kind) {
	case ACTOR_SESSION:
		return "session";
	case ACTOR_KEY:
		return "key";
	case ACTOR_TOKEN:
		return "token";
	case ACTOR_NONE:
		break;
	}
	return "anonymous";
}

/* People go by their email, keys by their name. */
static const char *actor_name(const struct req *r)
{
	const char *name = r == NULL                ? "connectctl"
			   : r->actor.email != NULL ? r->actor.email
						    : r->actor.name;

	return name == NULL ? "" : name;
}

static int audit_rows_write(struct db *db, const struct audit *log, struct err *err)
{
	static const struct uuid nobody;
	const struct req *r = log->r;
	struct arena *a = log->a;
	struct db_val *cells = arena_array(a, log->n * ROW_CELLS, sizeof(*cells)), *at = cells;
	const struct uuid *actor_id = r == NULL                    ? &nobody
				      : r->actor.kind == ACTOR_KEY ? &r->actor.key_id
								   : &r->actor.user_id;
	struct str name = account_text_clip(a, str_from(actor_name(r)), NAME_CHARS);
	struct str address = {"", 0}, request = {"", 0};

	if (r != NULL) {
		address = account_text_clip(a, str_from(r->remote_addr), ADDRESS_CHARS);
		request = account_text_clip(a, str_from(r->id), ADDRESS_CHARS);
	}
	for (const struct audit_row *row = log->first; row != NULL; row = row->next) {
		const struct db_val of_row[ROW_CELLS] = {db_uuid(&row->id),
		    db_uuid(log->account_id), db_int(row->at_us), db_str(actor_kind(r)),
		    db_uuid_or_null(actor_id), db_strn(name), db_str(row->action),
		    db_str(row->object_kind), db_uuid_or_null(&row->object_id), db_strn(address),
		    db_strn(request), db_strn(row->details)};

		memcpy(at, of_row, sizeof(of_row));
		at += ROW_CELLS;
	}
	return db_exec_rows(db, &audit_insert, NULL, 0, cells, log->n, ROW_CELLS, NULL, err);
}

int audit_purge(struct db *db, int64_t now_us, int64_t until_us, struct err *err)
{
	static const struct uuid nobody;
	struct uuid before = uuid_at(now_us - DAY_US);

	return db_purge(
	    db, &audit_purge_nobody, DB_VALS(db_uuid(&nobody), db_uuid(&before)), until_us, err);
}

/* ---- changing ------------------------------------------------------------------------------ */

uint64_t audit_caches_generation(const struct app *app)
{
	return board_generation(board_of(app->config));
}

static void caches_drop_now(void *arg)
{
	const struct app *app = arg;

	board_generation_bump(board_of(app->config));
}

void audit_caches_drop(struct app *app)
{
	if (db_in_transaction(app->db))
		db_on_commit(app->db, caches_drop_now, app);
	else
		caches_drop_now(app);
}

static int audit_change_body(struct db *db, void *arg, struct err *err)
{
	struct audit *log = arg;
	int rc;

	log->first = NULL;
	log->last = &log->first;
	log->n = 0;
	log->has_changes = false;
	rc = log->body(db, log, log->arg, err);
	if (rc != 0)
		return rc == -1 ? -1 : 0;
	if (log->has_changes)
		audit_caches_drop(log->app);
	return log->n == 0 || log->account_id == NULL ? 0 : audit_rows_write(db, log, err);
}

int audit_change(struct app *app, const struct req *r, const struct uuid *account_id,
    int (*body)(struct db *db, struct audit *log, void *arg, struct err *err), void *arg,
    struct err *err)
{
	struct arena *own = r == NULL ? arena_new() : NULL;
	struct audit log = {.app = app,
	    .r = r,
	    .account_id = account_id,
	    .a = r == NULL ? own : r->a,
	    .body = body,
	    .arg = arg};
	int rc = db_transaction(app->db, audit_change_body, &log, err);

	arena_free(own);
	return rc;
}

int audit_fact_within(struct app *app, struct arena *a, const struct uuid *account_id,
    const char *action, const char *object_kind, const struct uuid *object_id,
    const json_t *details, struct err *err)
{
	struct audit log = {.app = app, .account_id = account_id, .a = a};

	log.last = &log.first;
	audit_fact(&log, action, object_kind, object_id, details);
	return audit_rows_write(app->db, &log, err);
}

struct audit_lone_fact {
	const char *action, *object_kind;
	const struct uuid *object_id;
	const json_t *details;
};

static int audit_fact_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct audit_lone_fact *f = arg;

	(void)db;
	(void)err;
	audit_fact(log, f->action, f->object_kind, f->object_id, f->details);
	return 0;
}

int audit_fact_alone(struct app *app, const struct req *r, const struct uuid *account_id,
    const char *action, const char *object_kind, const struct uuid *object_id,
    const json_t *details, struct err *err)
{
	struct audit_lone_fact f = {action, object_kind, object_id, details};

	return audit_change(app, r, account_id, audit_fact_body, &f, err);
}
