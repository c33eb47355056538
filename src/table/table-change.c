/* What people do to tables, each act with its row of the audit log. */
#include "account/audit.h"
#include "base/clock.h"
#include "table/table-internal.h"

struct table_act {
	struct req *r;
	const struct table_wish *w;
	struct str slug;
	struct table *t; /* comes */
	struct uuid *task_id;
	bool is_delete;
	struct table_alter alter;
};

static json_t *table_audited(struct arena *a, const struct table *t)
{
	json_t *o = json_own(a, json_object()), *columns = json_object(), *c;
	json_t *list = json_own(a, table_columns_json(&t->shape));
	size_t i;

	json_set_strn(o, "name", t->name);
	json_set_strn(o, "slug", t->slug);
	json_array_each(list, i, c) {
		const char *name = json_str(c, "name");

		json_object_set(columns, name, c);
		json_object_del(json_object_get(columns, name), "name");
	}
	json_set(o, "columns", columns);
	return o;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* Indexes of a table without rows have all their cells. */
static void shape_make_ready(struct table_shape *s)
{
	for (size_t i = 0; i < s->n; i++)
		s->columns[i].is_ready = s->columns[i].index != 0;
}

static int create_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct table_act *act = arg;
	struct arena *a = act->r->a;
	struct table *t = act->t;
	int64_t n;

	if (table_count(db, a, &t->account_id, &n, err) == -1)
		return -1;
	if (n >= LIMIT_TABLES)
		return err_set(
		    err, ERR_CONFLICT, "An account may have at most %d tables", LIMIT_TABLES);
	if (act->w->slug.p == NULL &&
	    table_slug_make(db, a, &t->account_id, t->name, &t->slug, err) == -1)
		return -1;
	if (table_insert(db, a, t, &act->r->actor.user_id, err) == -1)
		return -1;
	audit_note(log, "table.create", "table", &t->id, arena_strndup(a, t->name.p, t->name.n),
	    NULL, table_audited(a, t));
	return 0;
}

static int wish_read_columns(struct req *r, const struct table_wish *w,
    const struct table_shape *before, struct table_shape *out)
{
	struct json_reader in = req_reader(r);
	size_t mark = json_reader_enter(&in, "columns");
	int rc = table_shape_read(&in, r->a, w->columns, before, out);

	json_reader_leave(&in, mark);
	return rc;
}

static int wish_fail(struct err *err)
{
	return err_set(err, ERR_INVALID, "the request is not acceptable");
}

int table_create(struct req *r, const struct table_wish *w, struct table *out, struct err *err)
{
	struct table_shape none = {.n = 0};
	struct table_act act = {.r = r, .w = w, .t = out};

	*out = (struct table){.id = uuid_new(),
	    .account_id = r->actor.account_id,
	    .slug = w->slug,
	    .name = w->name,
	    .created_us = clock_now_us(),
	    .rows = 0};
	out->updated_us = out->created_us;
	if (wish_read_columns(r, w, &none, &out->shape) == -1 || req_has_invalid(r))
		return wish_fail(err);
	shape_make_ready(&out->shape);
	return audit_change(r->app, r, &out->account_id, create_body, &act, err);
}

/* ---- changing -------------------------------------------------------------------------------- */

/* Adds the numbers of the indexes that the new shape has no more. */
static void alter_add_drops(
    struct table_alter *w, const struct table_shape *old, const struct table_shape *new)
{
	for (size_t i = 0; i < old->n; i++) {
		bool is_kept = old->columns[i].index == 0;

		for (size_t k = 0; k < new->n && !is_kept; k++)
			is_kept = new->columns[k].index == old->columns[i].index;
		if (!is_kept)
			json_array_append_new(w->drop, json_integer(old->columns[i].index));
	}
}

/* Whether rows that fit the old shape may be none of the new one. */
static bool shape_is_stricter(const struct table_shape *old, const struct table_shape *new)
{
	for (size_t i = 0; i < new->shown; i++) {
		const struct table_column *c = &new->columns[i], *was = NULL;

		for (size_t k = 0; k < old->n; k++)
			if (old->columns[k].no == c->no)
				was = &old->columns[k];
		if (was == NULL ? c->is_required
				: was->type != c->type || (c->is_required && !was->is_required))
			return true;
	}
	return false;
}

static int act_purge(struct table_act *act, struct table_shape *s, struct err *err)
{
	json_t *name;
	size_t i;

	json_array_each(act->w->purge, i, name) {
		struct str text = str_from(json_string_value(name));
		int64_t no = 0;

		for (size_t k = 0; k < s->n; k++)
			if (str_eq(s->columns[k].name, text))
				no = s->columns[k].no;
		if (!table_shape_purge(s, text))
			return err_field(err, ERR_INVALID, "purge",
			    "names \"%.100s\", which is no removed column",
			    text.p == NULL ? "" : text.p);
		json_array_append_new(act->alter.purge, json_integer(no));
	}
	return 0;
}

/* Within this transaction where the rows are few, else by a task. */
static int act_alter(struct db *db, struct table_act *act, struct err *err)
{
	struct arena *a = act->r->a;
	int more = 1;

	if (act->t->rows > LIMIT_TABLE_CHANGE_ROWS)
		return table_alter_queue(
		    db, a, &act->alter, act->t, &act->r->actor.user_id, act->task_id, err);
	while (more == 1)
		more = table_alter_step(db, a, &act->alter, LIMIT_TABLE_CHANGE_ROWS + 1, err);
	if (more == -1 || act->alter.is_gone)
		return more;
	return table_lock(db, a, &act->t->account_id, &act->t->id, act->t, err) == -1 ? -1 : 0;
}

static int act_reshape(struct db *db, struct table_act *act, struct err *err)
{
	struct table *t = act->t;
	struct table_shape new = t->shape;

	new.columns = arena_memdup(act->r->a, new.columns, (new.n + 1) * sizeof(*new.columns));
	if (act->w->columns != NULL && wish_read_columns(act->r, act->w, &t->shape, &new) == -1)
		return wish_fail(err);
	if (act_purge(act, &new, err) == -1)
		return -1;
	alter_add_drops(&act->alter, &t->shape, &new);
	if (t->rows == 0)
		shape_make_ready(&new);
	if (t->rows > 0 && shape_is_stricter(&t->shape, &new))
		t->pending = new;
	else
		t->shape = new;
	return table_store(db, act->r->a, t, err) == -1 ? -1 : act_alter(db, act, err);
}

static bool table_is_changing(const struct table *t)
{
	bool is = t->pending.n > 0;

	for (size_t i = 0; i < t->shape.n; i++)
		is = is || (t->shape.columns[i].index != 0 && !t->shape.columns[i].is_ready);
	return is;
}

/* The table, held, when no other change is under way: 1, 0, -1. */
static int act_begin(struct db *db, struct table_act *act, struct err *err)
{
	const struct uuid *account_id = &act->r->actor.account_id;
	struct arena *a = act->r->a;
	struct table *t = act->t;
	int found = table_find(db, a, account_id, act->slug, false, t, err), open;
	int64_t rows;

	if (found == 1)
		found = table_lock(db, a, account_id, &t->id, t, err);
	if (found != 1 || table_count_rows(db, a, account_id, &t->id, &rows, err) == -1)
		return found == 1 ? -1 : found;
	t->rows = rows;
	act->alter = (struct table_alter){.account_id = *account_id,
	    .table_id = t->id,
	    .purge = json_own(a, json_array()),
	    .drop = json_own(a, json_array()),
	    .problems = json_own(a, json_array())};
	open = table_is_changing(t) && !act->is_delete
		   ? table_alter_is_open(db, a, account_id, &t->id, err)
		   : 0;
	if (open == 1)
		return err_set(err, ERR_CONFLICT,
		    "The table is being changed; see its task under /tasks, which can be stopped");
	t->refused = NULL;
	t->pending = (struct table_shape){.n = 0};
	return open == -1 ? -1 : 1;
}

static int update_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct table_act *act = arg;
	struct table *t = act->t;
	struct arena *a = act->r->a;
	int found = act_begin(db, act, err);
	json_t *before;
	int64_t rows;

	if (found != 1)
		return found == 0 ? 1 : -1;
	before = table_audited(a, t);
	rows = t->rows;
	if (act->w->name.p != NULL)
		t->name = act->w->name;
	if (act->w->slug.p != NULL)
		t->slug = act->w->slug;
	t->updated_us = clock_now_after_us(t->updated_us);
	if ((act->w->columns == NULL && act->w->purge == NULL ? table_store(db, a, t, err)
							      : act_reshape(db, act, err)) == -1)
		return -1;
	t->rows = rows;
	audit_note(log, "table.update", "table", &t->id, arena_strndup(a, t->name.p, t->name.n),
	    before, table_audited(a, t));
	return 0;
}

/* The rows that stand against a change, each a complaint. */
static void act_complain(struct table_act *act)
{
	json_t *text;
	size_t i;

	if (act->alter.misfits > (int64_t)json_array_size(act->alter.problems))
		req_invalid(act->r, "columns",
		    "%lld rows do not fit; the first of them:", (long long)act->alter.misfits);
	json_array_each(act->alter.problems, i, text)
		req_invalid(act->r, "columns", "%s", json_string_value(text));
}

int table_update(struct req *r, struct str slug, const struct table_wish *w, struct table *out,
    struct uuid *task_id, struct err *err)
{
	struct table_act act = {.r = r, .w = w, .slug = slug, .t = out, .task_id = task_id};

	*task_id = (struct uuid){{0}};
	*out = (struct table){.rows = -1};
	if (audit_change(r->app, r, &r->actor.account_id, update_body, &act, err) == 0)
		return !uuid_is_nil(out->id);
	if (err->code == ERR_INVALID)
		act_complain(&act);
	return -1;
}

/* ---- deleting -------------------------------------------------------------------------------- */

static int delete_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct table_act *act = arg;
	struct table *t = act->t;
	struct arena *a = act->r->a;
	int found = act_begin(db, act, err);

	if (found != 1)
		return found == 0 ? 1 : -1;
	act->alter.is_gone = true;
	if (table_remove(db, t, err) == -1 || act_alter(db, act, err) == -1)
		return -1;
	audit_note(log, "table.delete", "table", &t->id, arena_strndup(a, t->name.p, t->name.n),
	    table_audited(a, t), NULL);
	return 0;
}

int table_delete(struct req *r, struct str slug, struct err *err)
{
	struct uuid task_id;
	struct table t = {.rows = -1};
	struct table_act act = {
	    .r = r, .slug = slug, .t = &t, .task_id = &task_id, .is_delete = true};

	return audit_change(r->app, r, &r->actor.account_id, delete_body, &act, err) == -1
		   ? -1
		   : !uuid_is_nil(t.id);
}
