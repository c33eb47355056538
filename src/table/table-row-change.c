/* What people do to one row. */
#include "account/audit.h"
#include "table/table-internal.h"

struct row_acting {
	struct req *r;
	struct table_row_change *c;
	const struct uuid *id; /* of the row to delete */
	struct str slug;
	bool is_found;
};

static int row_change_body(struct db *db, void *arg, struct err *err)
{
	struct row_acting *act = arg;
	struct table_row_change *c = act->c;
	struct table_write w = {.id = c->id,
	    .key = c->key,
	    .ends_key = c->ends_key,
	    .is_new = c->is_new,
	    .data = c->data,
	    .is_lenient = !c->is_strict};
	int found =
	    table_find(db, act->r->a, &act->r->actor.account_id, c->slug, true, &c->table, err);

	act->is_found = false;
	if (found != 1)
		return found;
	if (table_write_rows(db, act->r->a, &c->table, &w, 1, err) == -1)
		return -1;
	act->is_found = w.err.code != ERR_NOT_FOUND;
	if (act->is_found && w.err.code != ERR_NONE)
		return err_field(err, w.err.code, w.err.field, "%s", w.err.msg);
	c->row = w.row;
	return 0;
}

int table_row_change(struct req *r, struct table_row_change *c, struct err *err)
{
	struct row_acting act = {.r = r, .c = c};

	return db_transaction(r->app->db, row_change_body, &act, err) == -1 ? -1 : act.is_found;
}

static int row_delete_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct row_acting *act = arg;
	struct arena *a = act->r->a;
	json_t *details = json_own(a, json_object());
	struct table t;
	int64_t deleted = 0;
	int found = table_find(db, a, &act->r->actor.account_id, act->slug, true, &t, err);

	act->is_found = false;
	if (found != 1)
		return found == 0 ? 1 : -1;
	if (table_delete_rows(db, a, &t, act->id, 1, &deleted, err) == -1)
		return -1;
	act->is_found = deleted == 1;
	if (deleted == 0)
		return 1;
	json_set_strn(details, "table", t.slug);
	audit_fact(log, "table.row_delete", "table_row", act->id, details);
	return 0;
}

int table_row_delete(struct req *r, struct str slug, const struct uuid *id, struct err *err)
{
	struct row_acting act = {.r = r, .slug = slug, .id = id};

	return audit_change(r->app, r, &r->actor.account_id, row_delete_body, &act, err) == -1
		   ? -1
		   : act.is_found;
}
