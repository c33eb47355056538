/* Values on their way in and cells on their way out. */
#include <string.h>

#include "base/clock.h"
#include "db/db.h"

struct db_val db_name(struct str v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] >= 0x80)
			return db_strn(STR("\x7f"));
	return db_strn(v);
}

int64_t db_get_int(const struct db_rows *r, size_t row, size_t column)
{
	const struct db_val *v = db_cell(r, row, column);

	return v->type == DB_INT ? v->i : 0;
}

int64_t db_get_time(const struct db_rows *r, size_t row, size_t column)
{
	return db_is_null(r, row, column) ? TIME_NONE : db_get_int(r, row, column);
}

const char *db_get_text(const struct db_rows *r, size_t row, size_t column)
{
	const struct db_val *v = db_cell(r, row, column);

	return v->type == DB_TEXT ? v->s.p : NULL;
}

struct str db_get_str(const struct db_rows *r, size_t row, size_t column)
{
	const struct db_val *v = db_cell(r, row, column);

	return v->type == DB_TEXT ? v->s : STR("");
}

struct uuid db_get_uuid(const struct db_rows *r, size_t row, size_t column)
{
	struct uuid u = {{0}};
	const struct db_val *v = db_cell(r, row, column);

	if (v->type == DB_TEXT && v->s.n == sizeof(u.b))
		memcpy(u.b, v->s.p, sizeof(u.b));
	return u;
}

bool db_is_null(const struct db_rows *r, size_t row, size_t column)
{
	return db_cell(r, row, column)->type == DB_NULL;
}

size_t db_find_uuid(const struct db_rows *r, size_t column, const struct uuid *id)
{
	size_t row = 0;

	while (row < r->count && !uuid_eq(db_get_uuid(r, row, column), *id))
		row++;
	return row;
}
