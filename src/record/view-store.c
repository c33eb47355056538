/* The store of the saved views. */
#include "account/audit.h"
#include "base/clock.h"
#include "record/record.h"
#include "record/view.h"

#define VIEW_COLUMNS                                                                               \
	"id, name, slug, definition, created_at, updated_at, owner_id, place FROM views "
#define VIEW_SEEN " AND (owner_id IS NULL OR owner_id = ?)"
enum {
	VIEW_ID,
	VIEW_NAME,
	VIEW_SLUG,
	VIEW_QUERY,
	VIEW_CREATED_AT,
	VIEW_UPDATED_AT,
	VIEW_OWNER,
	VIEW_PLACE
};
DB_STMT(
    views_all, "SELECT " VIEW_COLUMNS "WHERE account_id = ?" VIEW_SEEN " ORDER BY id LIMIT 1000");
DB_STMT(view_by_id, "SELECT " VIEW_COLUMNS "WHERE account_id = ? AND id = ?" VIEW_SEEN);
DB_STMT(view_by_slug, "SELECT " VIEW_COLUMNS "WHERE account_id = ? AND slug = ?");
DB_STMT(view_lock, "SELECT " VIEW_COLUMNS "WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(views_count, "SELECT COUNT(*) FROM views WHERE account_id = ?");
DB_STMT(view_same_name, "SELECT id FROM views WHERE account_id = ? AND name = ? AND id <> ?");
DB_STMT(view_same_slug, "SELECT id FROM views WHERE account_id = ? AND slug = ? AND id <> ?");
DB_STMT_ROWS(view_put,
    "INSERT INTO views (id, account_id, name, slug, definition, created_by, created_at, updated_at,"
    " owner_id, place) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?)", "");
DB_STMT_ROWS(view_put_once,
    "INSERT INTO views (id, account_id, name, slug, definition, created_by, created_at, updated_at,"
    " owner_id, place) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?)", " ON DUPLICATE KEY UPDATE id = id");
DB_STMT(view_change, "UPDATE views SET name = ?, slug = ?, definition = ?, updated_at = ?"
		     " WHERE account_id = ? AND id = ?");
DB_STMT(view_move, "UPDATE views SET place = ? WHERE account_id = ? AND id = ?");
DB_STMT(view_remove, "DELETE FROM views WHERE account_id = ? AND id = ?");

static const char leads_query[] =
    "{\"resourceType\":\"lead\",\"sort\":\"-updatedAt\","
    "\"columns\":[\"fullName\",\"email\",\"phoneNumber\",\"company\"]}";

json_t *view_json(struct arena *a, const struct view *v)
{
	json_t *o = json_object();

	json_set_str(o, "id", uuid_dup(a, v->id));
	json_set_strn(o, "name", v->name);
	if (v->slug.p == NULL)
		json_set(o, "slug", NULL);
	else
		json_set_strn(o, "slug", v->slug);
	json_set(o, "query", json_incref(v->query));
	json_set_time(o, "createdAt", v->created_us);
	json_set_time(o, "updatedAt", v->updated_us);
	return o;
}

static int view_read_row(
    struct arena *a, const struct db_rows *rows, size_t i, struct view *out, struct err *err)
{
	*out = (struct view){.id = db_get_uuid(rows, i, VIEW_ID),
	    .name = db_get_str(rows, i, VIEW_NAME),
	    .slug = db_is_null(rows, i, VIEW_SLUG) ? (struct str){NULL, 0}
						   : db_get_str(rows, i, VIEW_SLUG),
	    .query = json_parse_stored(a, db_get_str(rows, i, VIEW_QUERY), err),
	    .created_us = db_get_int(rows, i, VIEW_CREATED_AT),
	    .updated_us = db_get_int(rows, i, VIEW_UPDATED_AT),
	    .owner = db_get_uuid(rows, i, VIEW_OWNER),
	    .place = db_get_int(rows, i, VIEW_PLACE)};
	return out->query == NULL ? err_prefix(err, "stored view") : 0;
}

static int view_write_query(struct db *db, const struct db_stmt *s, const struct uuid *account_id,
    const struct uuid *created_by, const struct view *v, struct str query, struct err *err)
{
	return db_exec_rows(db, s, NULL, 0,
	    (const struct db_val[]){db_uuid(&v->id), db_uuid(account_id), db_strn(v->name),
		db_strn(v->slug), db_strn(query), db_uuid_or_null(created_by),
		db_int(v->created_us), db_int(v->updated_us), db_uuid_or_null(&v->owner),
		db_int(v->place)},
	    1, 10, NULL, err);
}

/* Makes the views that every account has, if they are not there. */
static int view_ensure(
    struct db *db, struct arena *a, const struct uuid *account_id, struct err *err)
{
	static const struct uuid nobody;
	struct db_rows rows;
	int64_t now = clock_now_us();
	struct view v = {.id = uuid_new(),
	    .name = STR("Leads"),
	    .slug = STR(VIEW_LEADS),
	    .created_us = now,
	    .updated_us = now};
	int found = db_row(
	    db, a, &view_by_slug, DB_VALS(db_uuid(account_id), db_str(VIEW_LEADS)), &rows, err);

	if (found != 0)
		return found == -1 ? -1 : 0;
	return view_write_query(
	    db, &view_put_once, account_id, &nobody, &v, str_from(leads_query), err);
}

int view_load_all(struct req *r, struct view **out, size_t *n, struct err *err)
{
	const struct uuid *account_id = &r->actor.account_id;
	struct db *db = r->app->db;
	struct arena *a = r->a;
	struct db_rows rows;

	if (view_ensure(db, a, account_id, err) == -1 ||
	    db_query(db, a, &views_all, DB_VALS(db_uuid(account_id), db_uuid(&r->actor.user_id)),
		&rows, err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++)
		if (view_read_row(a, &rows, i, &(*out)[i], err) == -1)
			return -1;
	return 0;
}

int view_load(
    struct req *r, const struct uuid *id, struct str slug, struct view *out, struct err *err)
{
	const struct uuid *account_id = &r->actor.account_id;
	struct db *db = r->app->db;
	struct arena *a = r->a;
	struct db_rows rows;
	int found;

	if (view_ensure(db, a, account_id, err) == -1)
		return -1;
	found = id != NULL
		    ? db_row(db, a, &view_by_id,
			  DB_VALS(db_uuid(account_id), db_uuid(id), db_uuid(&r->actor.user_id)),
			  &rows, err)
		    : db_row(db, a, &view_by_slug, DB_VALS(db_uuid(account_id), db_strn(slug)),
			  &rows, err);
	if (found != 1)
		return found;
	return view_read_row(a, &rows, 0, out, err) == -1 ? -1 : 1;
}

static int view_check_unique(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct view *v, struct err *err)
{
	struct db_rows rows;
	int found = db_row(db, a, &view_same_name,
	    DB_VALS(db_uuid(account_id), db_strn(v->name), db_uuid(&v->id)), &rows, err);

	if (found == 1)
		return err_field(err, ERR_CONFLICT, "name", "There is a view of this name");
	if (found == -1 || v->slug.p == NULL)
		return found;
	found = db_row(db, a, &view_same_slug,
	    DB_VALS(db_uuid(account_id), db_strn(v->slug), db_uuid(&v->id)), &rows, err);
	return found == 1 ? err_field(err, ERR_CONFLICT, "slug", "There is a view with this slug")
			  : found;
}

/* ---- changes ------------------------------------------------------------------------------- */

struct view_change {
	struct req *r;
	const struct view *v;
	enum view_act act;
};

static int view_insert(struct db *db, const struct view_change *c, struct err *err)
{
	const struct uuid *account_id = &c->r->actor.account_id;
	struct arena *a = c->r->a;
	struct db_rows rows;

	if (view_ensure(db, a, account_id, err) == -1 ||
	    view_check_unique(db, a, account_id, c->v, err) == -1 ||
	    db_row(db, a, &views_count, DB_VALS(db_uuid(account_id)), &rows, err) == -1)
		return -1;
	if (db_get_int(&rows, 0, 0) >= VIEWS_PER_ACCOUNT)
		return err_set(
		    err, ERR_CONFLICT, "An account may have at most %d views", VIEWS_PER_ACCOUNT);
	return view_write_query(
	    db, &view_put, account_id, &c->r->actor.user_id, c->v, json_text(a, c->v->query), err);
}

static int view_update(struct db *db, const struct view_change *c, struct err *err)
{
	const struct uuid *account_id = &c->r->actor.account_id;
	const struct view *v = c->v;

	if (view_check_unique(db, c->r->a, account_id, v, err) == -1)
		return -1;
	return db_exec(db, &view_change,
	    DB_VALS(db_strn(v->name), db_strn(v->slug), db_strn(json_text(c->r->a, v->query)),
		db_int(v->updated_us), db_uuid(account_id), db_uuid(&v->id)),
	    NULL, err);
}

static int delete (struct db *db, const struct view_change *c, struct err *err)
{
	return db_exec(db, &view_remove,
	    DB_VALS(db_uuid(&c->r->actor.account_id), db_uuid(&c->v->id)), NULL, err);
}

/* A view as the audit log shows it. */
static json_t *view_audited(struct arena *a, const struct view *v)
{
	json_t *o = json_own(a, json_object());

	json_set_strn(o, "name", v->name);
	json_set(o, "slug", NULL);
	if (v->slug.p != NULL)
		json_set_strn(o, "slug", v->slug);
	json_set(o, "query", json_incref(v->query));
	return o;
}

/* The view before the act, locked: 1, 0, -1. */
static int view_before(struct db *db, const struct view_change *c, json_t **out, struct err *err)
{
	struct arena *a = c->r->a;
	struct db_rows rows;
	struct view old;
	int found = db_row(db, a, &view_lock,
	    DB_VALS(db_uuid(&c->r->actor.account_id), db_uuid(&c->v->id)), &rows, err);

	if (found != 1)
		return found;
	if (view_read_row(a, &rows, 0, &old, err) == -1)
		return -1;
	*out = view_audited(a, &old);
	return 1;
}

static int view_write_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	static const struct {
		int (*make)(struct db *db, const struct view_change *c, struct err *err);
		const char *audited;
	} acts[] = {[VIEW_CREATE] = {view_insert, "view.create"},
	    [VIEW_UPDATE] = {view_update, "view.update"},
	    [VIEW_DELETE] = {delete, "view.delete"}};
	const struct view_change *c = arg;
	struct arena *a = c->r->a;
	json_t *before = NULL;
	int found = c->act == VIEW_CREATE ? 1 : view_before(db, c, &before, err);

	if (found != 1)
		return found == 0 ? 1 : -1;
	if (acts[c->act].make(db, c, err) == -1)
		return -1;
	audit_note(log, acts[c->act].audited, "view", &c->v->id,
	    arena_strndup(a, c->v->name.p, c->v->name.n), before,
	    c->act == VIEW_DELETE ? NULL : view_audited(a, c->v));
	return 0;
}

int view_write(struct req *r, enum view_act act, const struct view *v, struct err *err)
{
	struct view_change c = {r, v, act};

	return audit_change(r->app, r, &r->actor.account_id, view_write_body, &c, err);
}

struct views_moved {
	struct req *r;
	const struct view *v;
	size_t n;
};

static int view_places_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct views_moved *m = arg;

	for (size_t i = 0; i < m->n; i++)
		if (db_exec(db, &view_move,
			DB_VALS(db_int(m->v[i].place), db_uuid(&m->r->actor.account_id),
			    db_uuid(&m->v[i].id)),
			NULL, err) == -1)
			return -1;
	audit_fact(log, "view.move", "view", NULL, NULL);
	return 0;
}

int view_write_places(struct req *r, const struct view *v, size_t n, struct err *err)
{
	struct views_moved m = {r, v, n};

	return audit_change(r->app, r, &r->actor.account_id, view_places_body, &m, err);
}
