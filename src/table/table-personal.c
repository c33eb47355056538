/* Where rows of customers' tables name people. A row one of whose values, or whose key, is the
 * address or number is theirs, and goes; elsewhere the mentions go, with the cells of their
 * indexes. */
#include "db/personal.h"
#include "table/table-internal.h"

DB_STMT(tables_of_account, "SELECT id FROM user_tables WHERE account_id = ? ORDER BY id");
/* Keys: the table's id, then the row's. */
DB_STMT(table_rows_personal,
    "SELECT CAST(CONCAT(table_id, id) AS BINARY), external_key, data FROM table_rows"
    " FORCE INDEX (PRIMARY) WHERE account_id = ? AND table_id = ? AND id > ? ORDER BY id LIMIT ?");

static struct uuid key_row_id(struct str key)
{
	size_t n = key.n < sizeof(struct uuid) ? key.n : sizeof(struct uuid);

	return personal_key_id((struct str){key.p + n, key.n - n});
}

/* Of the first table, from the one of the place on, that has rows behind it. */
static int table_rows_slice(
    struct personal_walk *w, struct arena *a, int64_t n, struct db_rows *rows, struct err *err)
{
	struct uuid at = personal_key_id(w->after), after = key_row_id(w->after);
	struct db_rows tables;

	rows->count = 0;
	if (db_query(
		w->db, a, &tables_of_account, DB_VALS(db_uuid(&w->account_id)), &tables, err) == -1)
		return -1;
	for (size_t i = 0; i < tables.count && rows->count == 0; i++) {
		struct uuid table = db_get_uuid(&tables, i, 0);
		int order = memcmp(table.b, at.b, sizeof(at.b));

		if (order < 0)
			continue;
		if (order > 0)
			after = (struct uuid){{0}};
		if (db_query(w->db, a, &table_rows_personal,
			DB_VALS(
			    db_uuid(&w->account_id), db_uuid(&table), db_uuid(&after), db_int(n)),
			rows, err) == -1)
			return -1;
	}
	return 0;
}

struct row_erasing {
	const struct person_names *person;
	bool is_own;
};

/* As it is behind the lock. */
static bool row_erase_change(struct arena *a, struct table_row *row, void *arg)
{
	struct row_erasing *e = arg;
	bool is_keyed = row->key.p != NULL && person_is_in(a, e->person, row->key);

	e->is_own = is_keyed || person_owns(a, e->person, row->data);
	if (e->is_own || !person_is_in_json(a, e->person, row->data))
		return false;
	row->data = person_scrub_json(a, e->person, row->data);
	return true;
}

static int table_row_erase(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str key, const struct person_names *p, struct err *err)
{
	struct uuid table_id = personal_key_id(key), id = key_row_id(key);
	struct row_erasing e = {.person = p};
	struct table t;
	int64_t gone;
	int found = table_hold(app->db, a, account_id, &table_id, &t, err);

	if (found != 1)
		return found;
	if (table_row_remake(app->db, a, &t, &id, row_erase_change, &e, err) == -1 ||
	    (e.is_own && table_delete_rows(app->db, a, &t, &id, 1, &gone, err) == -1))
		return -1;
	return 1;
}

const struct personal_table table_rows_personal_table = {.name = "tableRows",
    .label = "Rows of tables",
    .slice = table_rows_slice,
    .erase = table_row_erase,
    .forms = {PERSONAL_TEXT, PERSONAL_JSON}};
