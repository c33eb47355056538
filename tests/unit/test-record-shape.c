#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "record/record-shape.h"
#include "test-base.h"

static struct record_row row_of(struct arena *a, bool is_full)
{
	struct record_row row = {.a = a,
	    .provider_type = STR("hubspot"),
	    .resource_type = STR("contact"),
	    .external_id = STR("a\"b,\xC3\xA4"),
	    .source = STR("webhook"),
	    .data = STR("{\"email\":\"a@b.example\",\"n\":[-1,null,\"\\u00e4\"]}"),
	    .first_seen_us = INT64_C(1700000000000000),
	    .updated_us = INT64_C(1700000001234000),
	    .provider_updated_us = TIME_NONE};

	memset(row.id.b, 0x11, sizeof(row.id.b));
	if (is_full) {
		row.provider_updated_us = INT64_C(1600000000000000);
		memset(row.lead_id.b, 0x22, sizeof(row.lead_id.b));
		memset(row.connection_id.b, 0x33, sizeof(row.connection_id.b));
	}
	return row;
}

/* What is written as text is what is made as an object, member by member in the same order. */
static void both_are_the_same(void)
{
	struct arena *a = arena_new();

	for (int is_full = 0; is_full < 2; is_full++) {
		struct record_row row = row_of(a, is_full == 1);
		struct buf *b = buf_new(a, 10000);
		json_t *made = record_json(&row, false, NULL), *read,
		       *written = record_json(&row, true, NULL);

		record_json_write(b, &row);
		read = json_parse(a, (struct str){b->p, b->len}, NULL);
		REQUIRE(made != NULL && read != NULL && written != NULL);
		CHECK(json_object_size(made) == 11);
		CHECK(str_eq(json_text(a, made), json_text(a, read)));
		CHECK(str_eq(
		    json_text(a, made), json_text(a, json_parse(a, json_text(a, written), NULL))));
		CHECK(json_is_null(json_object_get(made, "leadId")) == (is_full == 0));
		CHECK(json_is_null(json_object_get(made, "connectionId")) == (is_full == 0));
		CHECK(json_is_null(json_object_get(made, "providerUpdatedAt")) == (is_full == 0));
	}
	arena_free(a);
}

static void not_json(void)
{
	struct arena *a = arena_new();
	struct record_row row = row_of(a, true);
	struct err err = ERR_INIT;

	row.data = STR("{");
	CHECK(record_json(&row, false, &err) == NULL);
	CHECK(strncmp(err.msg, "stored record: ", 15) == 0);
	CHECK(record_json(&row, true, NULL) == NULL);
	arena_free(a);
}

static void as_csv(void)
{
	struct arena *a = arena_new();
	struct record_row row = row_of(a, true);
	struct csv_writer w = {.b = buf_new(a, 10000)};
	struct map *columns = map_new(a);

	map_put(columns, STR("a.b"), &row);
	map_put(columns, STR("c,d"), &row);
	record_csv_head(&w, a, columns);
	csv_write_end(&w);
	record_csv_own(&w, &row);
	csv_write_end(&w);
	CHECK(str_is((struct str){w.b->p, w.b->len},
	    "id,providerType,resourceType,externalId,source,firstSeenAt,updatedAt,data.a.b,"
	    "\"data.c,d\"\r\n"
	    "11111111-1111-1111-1111-111111111111,hubspot,contact,\"a\"\"b,\xC3\xA4\",webhook,"
	    "2023-11-14T22:13:20Z,2023-11-14T22:13:21.234Z\r\n"));
	arena_free(a);
}

void suite_record_shape(void);
void suite_record_shape(void)
{
	ADD_TESTS("record/shape", {"text and object are the same", both_are_the_same},
	    {"what is no JSON", not_json}, {"as CSV", as_csv});
}
