/* A batch of an import: rows as the store takes them, error rows, and where the next batch begins.
 * It is read a row at a time, since that is done while the database works on the batch before. */
#include "import/import.h"
#include "record/record-words.h"

#define BATCH_BYTES (512u * 1024u)

static void import_batch_free(void *arg)
{
	struct import_batch *b = arg;

	arena_free(b->rows);
}

struct import_batch *import_batch_new(struct arena *a)
{
	struct import_batch *b = arena_zalloc(a, sizeof(*b));

	b->rows = arena_new();
	arena_on_free(a, import_batch_free, b);
	return b;
}

void import_batch_reset(struct import_batch *b)
{
	arena_reset(b->rows);
	b->nitems = b->nerrors = 0;
	b->blanks = 0;
	b->is_end = false;
	err_clear(&b->err);
}

static void import_batch_add_row(
    struct import_batch *b, const struct task *t, struct import_map *map, const struct csv_row *row)
{
	struct str text = str_copy(b->rows, row->text);
	struct import_row read;
	struct record_item *it;

	b->next_line = row->next_line;
	b->next_offset = row->next_offset;
	if (import_map_row(map, b->rows, row, &read) == 0) {
		const char *reason = arena_printf(b->rows, "%s%s", read.problem,
		    row->is_cut ? "; only the beginning of the row is kept" : "");

		b->errors[b->nerrors++] =
		    (struct import_error){uuid_new(), row->line, str_from(reason), text};
		return;
	}
	b->blanks += read.blanks;
	b->lines[b->nitems] = row->line;
	b->texts[b->nitems] = text;
	it = &b->items[b->nitems++];
	*it = (struct record_item){.account_id = t->account_id,
	    .received_us = t->created_us,
	    .provider_type = read.provider_type.n > 0 ? read.provider_type : t->provider_type,
	    .resource_type = t->resource_type,
	    .external_id = read.external_id,
	    .source = RECORD_SOURCE_IMPORT,
	    .data = read.data,
	    .is_of_cells = !read.is_exact,
	    .has_cleared = read.is_cleared};
	if (it->data.n <= WORDS_AT_ONCE)
		it->words = record_words(b->rows, it);
}

bool import_batch_read(
    struct import_batch *b, const struct task *t, struct import_map *map, struct csv_reader *rd)
{
	struct csv_row row;
	int rc;

	if (b->is_end || b->err.code != ERR_NONE || b->nitems + b->nerrors == IMPORT_BATCH_ROWS ||
	    arena_used(b->rows) >= BATCH_BYTES)
		return false;
	rc = csv_reader_next(rd, &row, &b->err);
	if (rc == 1)
		import_batch_add_row(b, t, map, &row);
	b->is_end = rc == 0;
	return rc == 1;
}
