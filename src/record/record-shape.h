/* What a record looks like outside: its members as JSON, NDJSON and columns of CSV. */
#ifndef RECORD_RECORD_SHAPE_H
#define RECORD_RECORD_SHAPE_H
#include "base/csv.h"
#include "base/json.h"
#include "base/map.h"
#include "crypto/uuid.h"

/* A stored record; its text belongs to what it was read from. */
struct record_row {
	struct arena *a; /* for what is made of it */
	struct uuid id;
	struct str provider_type, resource_type, external_id, source;
	struct str data; /* compact JSON text of an object */
	int64_t first_seen_us, updated_us,
	    provider_updated_us;   /* the last is TIME_NONE where unknown */
	struct uuid connection_id; /* that it last came by; nil: by none, or it is not known */
	struct uuid lead_id;       /* nil: none */
};
/* The API's object, owned by the row's arena; NULL when the stored payload is no JSON. With
 * is_written its data are json_verbatim: for who only writes it. */
json_t *record_json(const struct record_row *row, bool is_written, struct err *err);
/* The same as compact text, with the payload as it is stored; -1 where a look shows that it is no
 * JSON: then without it. */
int record_json_write(struct buf *b, const struct record_row *row);

/* The members that are columns of CSV, up to NULL. */
extern const char *const record_csv_names[];
#define RECORD_CSV_DATA "data." /* before the path of a column of the payload */
#define RECORD_CSV_OTHER                                                                           \
	"otherData"              /* the last column: what of the payload has none of its own       \
				  */
#define RECORD_CSV_RAW "\"id\"," /* the beginning of a file without the guard of formulas */
/* A line of CSV (a raw writer makes one without guards): the record's own members, then a cell for
 * each path of its payload that columns names (its keys), by record_paths_each. */
void record_csv_head(struct csv_writer *w, struct arena *a, const struct map *columns);
void record_csv_own(struct csv_writer *w, const struct record_row *row);
#endif
