/* A record as of each moment of its past. */
#include "record-check.h"

void suite_record_asof(void);

#define AT INT64_C(1772893800000000)

static const char *data_at(struct place *p, struct uuid id, int64_t at_us, int *found)
{
	struct err err = ERR_INIT;
	json_t *o = NULL;

	*found = record_get_at(p->app, p->a, &p->account, &id, at_us, &o, &err);
	if (*found == -1)
		printf("# %s\n", err.msg);
	return *found == 1 ? json_text(p->a, json_object_get(o, "data")).p : "";
}

/* More changes than are read at once. */
static void every_moment(void)
{
	enum { N = 180 };
	struct place p;
	struct uuid id = {{0}};
	size_t wrong = 0;
	int found;

	if (!place_make(&p))
		return;
	for (int i = 0; i < N; i++)
		id = PUT_AT(&p, "x", arena_printf(p.a, "{\"n\":%d,\"o\":{\"k%d\":true}}", i, i % 7),
		    AT + i * 10);
	for (int i = 0; i < N; i++) {
		const char *wanted = arena_printf(p.a, "{\"n\":%d,", i);

		for (int within = 0; within < 10; within += 9) {
			const char *got = data_at(&p, id, AT + i * 10 + within, &found);

			wrong += found != 1 || strncmp(got, wanted, strlen(wanted)) != 0;
		}
	}
	CHECK(wrong == 0);
	CHECK(TEXT_EQ(data_at(&p, id, AT, &found), "{\"n\":0,\"o\":{\"k0\":true}}"));
	CHECK(
	    TEXT_EQ(data_at(&p, id, AT + 19, &found), "{\"n\":1,\"o\":{\"k0\":true,\"k1\":true}}"));
	data_at(&p, id, AT - 1, &found);
	CHECK(found == 0);
	CHECK(strncmp(data_at(&p, id, INT64_MAX, &found), "{\"n\":179,", 9) == 0);
	place_remove(&p);
}

/* Keys that paths escape, or that are empty: each moment comes back to the letter. */
static void any_key(void)
{
	static const char *const keys[] = {
	    "a]b", "a.b", "a[0]", "[]", "", ".", "\\\\", "x\\\\", "\\\"", "'", "0", " "};
	struct place p;
	struct uuid id = {{0}};
	int found;

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < COUNT(keys); i++) {
		const char *name = arena_printf(p.a, "k%zu", i), *data[4];

		data[0] = "{\"a\":{\"b\":0}}";
		for (int n = 1; n < 4; n++)
			data[n] =
			    arena_printf(p.a, "{\"a\":{\"b\":0,\"%s\":{\"%s\":%d}},\"%s\":[%d]}",
				keys[i], keys[i], n, keys[i], n);
		for (int n = 0; n < 4; n++)
			id = PUT_AT(&p, name, data[n], AT + n * 10);
		for (int n = 0; n < 4; n++) {
			const char *got = data_at(&p, id, AT + n * 10, &found);

			/* the order of an object's members says nothing */
			CU_assertImplementation(json_equal(json_parse(p.a, str_from(got), NULL),
						    json_parse(p.a, str_from(data[n]), NULL)),
			    __LINE__, got, data[n], "", CU_FALSE);
		}
	}
	place_remove(&p);
}

static void its_own_times(void)
{
	struct place p;
	struct uuid id, nobody = uuid_new();
	struct err err = ERR_INIT;
	json_t *o;

	if (!place_make(&p))
		return;
	PUT_AT(&p, "x", "{\"a\":1}", AT);
	id = PUT_AT(&p, "x", "{\"a\":2}", AT + 5 * SECOND_US);
	RUN(p.db,
	    "UPDATE record_changes SET source = 'poll', provider_at = 77 WHERE account_id = ?"
	    " AND at = ?",
	    db_uuid(&p.account), db_int(AT));
	REQUIRE(record_get_at(p.app, p.a, &p.account, &id, AT + SECOND_US, &o, &err) == 1);
	CHECK(TEXT_EQ(json_str(o, "updatedAt"), clock_iso_dup(p.a, AT)));
	CHECK(TEXT_EQ(json_str(o, "asOf"), clock_iso_dup(p.a, AT + SECOND_US)));
	CHECK(TEXT_EQ(json_str(o, "source"), "poll"));
	CHECK(TEXT_EQ(json_str(o, "providerUpdatedAt"), clock_iso_dup(p.a, 77)));
	CHECK(record_get_at(p.app, p.a, &nobody, &id, AT + SECOND_US, &o, &err) == 0);
	CHECK(record_get_at(p.app, p.a, &p.account, &nobody, AT + SECOND_US, &o, &err) == 0);
	place_remove(&p);
}

void suite_record_asof(void)
{
	ADD_TESTS("record_asof", {"every moment", every_moment}, {"any key", any_key},
	    {"its own times", its_own_times});
}
