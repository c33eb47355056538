/* The walk through paths, and the catalogue of fields. */
#include "record-check.h"
#include "record/record-paths.h"

void suite_record_fields(void);

/* ---- paths --------------------------------------------------------------------------------- */

static int list_path(void *arg, struct str path, json_t *value)
{
	struct buf *b = arg;

	buf_printf(b, "%.*s=", (int)path.n, path.p);
	json_append(b, value);
	buf_chr(b, ';');
	return 0;
}

static void paths(void)
{
	static const struct {
		int line;
		const char *data;
		bool is_into_arrays;
		const char *wanted;
	} cases[] = {
	    {__LINE__, "{\"a\":1,\"b\":{\"c\":\"x\",\"d\":{}}}", true, "a=1;b.c=\"x\";"},
	    {__LINE__, "{\"a\":[1,{\"b\":2},[3]],\"e\":[]}", true, "a[]=1;a[].b=2;a[][]=3;"},
	    {__LINE__, "{\"a\":[1,{\"b\":2}],\"e\":[]}", false, "a=[1,{\"b\":2}];e=[];"},
	    {__LINE__, "{\"a.b\":1,\"c[\":{\"d\\\\\":2},\"\":3}", true, "a\\.b=1;c\\[.d\\\\=2;"},
	    {__LINE__, "{\"e]\":1,\"[]\":{\"f]g\":[2]}}", true, "e\\]=1;\\[\\].f\\]g[]=2;"},
	    {__LINE__, "{}", true, ""},
	    {__LINE__, "{\"n\":null}", true, "n=null;"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		struct buf *out = buf_new(a, 4096), *path = record_paths_buf(a, STR(""));
		json_t *data = json_parse(a, str_from(cases[i].data), NULL);

		REQUIRE(data != NULL);
		record_paths_each(data, path, cases[i].is_into_arrays, list_path, out);
		CHECK_AT(cases[i].line, TEXT_EQ(out->p, cases[i].wanted));
		CHECK_AT(cases[i].line, path->len == 0);
		arena_free(a);
	}
}

static void long_paths_are_left_out(void)
{
	struct arena *a = arena_new();
	struct buf *out = buf_new(a, 4096), *path = record_paths_buf(a, STR("top"));
	json_t *data = json_own(a, json_object()), *in = json_object();
	char key[600];

	memset(key, 'k', sizeof(key));
	key[sizeof(key) - 1] = '\0';
	json_object_set_new(in, "b", json_integer(2));
	json_object_set_new(data, key, in);
	json_object_set_new(data, "a", json_integer(1));
	record_paths_each(data, path, true, list_path, out);
	CHECK(TEXT_EQ(out->p, "top.a=1;") && TEXT_EQ(path->p, "top"));
	arena_free(a);
}

/* ---- the catalogue ------------------------------------------------------------------------- */

/* Goes on where the newest change is, and takes those from now on for old. */
static void begin(struct place *p)
{
	struct uuid now = uuid_new();

	RUN(p->db,
	    "REPLACE INTO record_field_progress (name, last_change_id) VALUES ('catalogue', ?)",
	    db_uuid(&now));
}

/* Makes the account's changes since `begin` old enough to be read, in their order, and younger than
 * those of the call before. */
static void age(struct place *p)
{
	static int64_t age_us = 10000 * SECOND_US;
	int64_t from_us = clock_now_us() - (age_us -= 100 * SECOND_US);
	struct uuid position = uuid_at(from_us);
	struct db_rows rows = ROWS_OF(p->db, p->a,
	    "SELECT c.id FROM record_changes c WHERE c.account_id = ? AND c.id > (SELECT"
	    " last_change_id FROM record_field_progress WHERE name = 'catalogue') ORDER BY c.id",
	    db_uuid(&p->account));

	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0),
			    old = uuid_at(from_us + (int64_t)(i + 1) * 1000);

		memcpy(old.b + 10, id.b + 10, 6);
		RUN(p->db, "UPDATE record_changes SET id = ? WHERE id = ?", db_uuid(&old),
		    db_uuid(&id));
	}
	RUN(p->db, "UPDATE record_field_progress SET last_change_id = ?", db_uuid(&position));
	/* other suites' changes of that hour are none of this one's */
	RUN(p->db, "DELETE FROM record_changes WHERE account_id <> ?", db_uuid(&p->account));
}

static const json_t *field(struct place *p, const char *path)
{
	struct err err = ERR_INIT;
	json_t *list = NULL;

	OK(record_fields(p->app, p->a, &p->account, STR("contact"), &list, &err), &err);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (TEXT_EQ(json_str(json_array_get(list, i), "path"), path))
			return json_array_get(list, i);
	return NULL;
}

static void is_field(struct place *p, const char *path, const char *types, double rate,
    const char *examples, unsigned line)
{
	const json_t *f = field(p, path);

	CHECK_AT(line, f != NULL);
	if (f == NULL)
		return;
	CHECK_AT(line, TEXT_EQ(json_text(p->a, json_object_get(f, "types")).p, types));
	CHECK_AT(line, json_real_value(json_object_get(f, "fillRate")) == rate);
	CHECK_AT(line, TEXT_EQ(json_text(p->a, json_object_get(f, "examples")).p, examples));
}
#define IS_FIELD(p, path, types, rate, examples) is_field(p, path, types, rate, examples, __LINE__)

static void update(struct place *p)
{
	struct err err = ERR_INIT;

	age(p);
	OK(record_fields_update(p->app, &err), &err);
}

static void counts_payloads(void)
{
	struct place p;

	if (!place_make(&p))
		return;
	begin(&p);
	PUT(&p, "a", "{\"name\":\"Ada\",\"n\":1,\"tags\":[\"x\",\"y\"],\"o\":{\"p\":null}}");
	PUT(&p, "b", "{\"name\":\"Bob\",\"n\":\"two\",\"tags\":[]}");
	PUT(&p, "c", "{\"name\":\"\",\"ok\":true,\"o\":{\"p\":7}}");
	PUT(&p, "d", "{\"name\":\"Ada\"}");
	CHECK(field(&p, "name") == NULL); /* too young */
	update(&p);
	IS_FIELD(&p, "name", "[\"string\"]", 0.75, "[\"Ada\",\"Bob\"]");
	IS_FIELD(&p, "n", "[\"string\",\"number\"]", 0.5, "[\"1\",\"two\"]");
	IS_FIELD(&p, "tags[]", "[\"string\"]", 0.25, "[\"x\"]");
	IS_FIELD(&p, "o.p", "[\"number\",\"null\"]", 0.25, "[\"7\"]");
	IS_FIELD(&p, "ok", "[\"boolean\"]", 0.25, "[\"true\"]");
	CHECK(field(&p, "tags") == NULL && field(&p, "o") == NULL);
	place_remove(&p);
}

/* What is read later is the same as what is read at once. */
static void follows_changes(void)
{
	for (int rounds = 1; rounds <= 2; rounds++) {
		struct place p;

		if (!place_make(&p))
			return;
		begin(&p);
		PUT(&p, "a", "{\"name\":\"Ada\",\"old\":1}");
		PUT(&p, "b", "{\"name\":\"Bob\"}");
		if (rounds == 2) {
			update(&p);
			begin(&p);
		}
		PUT(&p, "a", "{\"phone\":\"1\",\"old\":null}");
		PUT(&p, "a", "{\"phone\":\"2\"}");
		PUT(&p, "b", "{\"phone\":\"\",\"name\":{\"first\":\"Bo\"}}");
		update(&p);
		IS_FIELD(&p, "phone", "[\"string\"]", 0.5, "[\"1\",\"2\"]");
		IS_FIELD(&p, "old", "[\"number\",\"null\"]", 0, "[\"1\"]");
		IS_FIELD(&p, "name", "[\"string\"]", 0.5, "[\"Ada\",\"Bob\"]");
		IS_FIELD(&p, "name.first", "[\"string\"]", 0.5, "[\"Bo\"]");
		CHECK(NUMBER_OF(p.db, "SELECT seen FROM record_field_totals WHERE account_id = ?",
			  db_uuid(&p.account)) == 2);
		place_remove(&p);
	}
}

static void once_only(void)
{
	struct place p;
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	begin(&p);
	for (int i = 0; i < 700; i++) /* more than a page */
		PUT(&p, arena_printf(p.a, "r%d", i), i % 4 ? "{\"a\":1}" : "{\"a\":1,\"b\":2}");
	update(&p);
	for (int i = 0; i < 3; i++)
		OK(record_fields_update(p.app, &err), &err);
	CHECK(NUMBER_OF(p.db, "SELECT seen FROM record_field_totals WHERE account_id = ?",
		  db_uuid(&p.account)) == 700);
	IS_FIELD(&p, "a", "[\"number\"]", 1, "[\"1\"]");
	IS_FIELD(&p, "b", "[\"number\"]", 0.25, "[\"2\"]");
	place_remove(&p);
}

static void bounds(void)
{
	struct place p;
	struct buf *b;
	const json_t *f;

	if (!place_make(&p))
		return;
	begin(&p);
	for (int r = 0; r < 3; r++) {
		b = buf_new(p.a, 1 << 20);
		for (int i = 0; i < 990; i++)
			buf_printf(b, "%c\"r%dk%d\":\"v\"", i == 0 ? '{' : ',', r, i);
		buf_chr(b, '}');
		PUT(&p, arena_printf(p.a, "keys%d", r), b->p);
	}
	b = buf_new(p.a, 1 << 20);
	buf_str(b, "{\"r0k0\":\"");
	for (int i = 0; i < 30000; i++) /* too long to be read with the others */
		buf_str(b, "\xc3\xa9");
	buf_str(b, "\"}");
	PUT(&p, "long", b->p);
	update(&p);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM record_fields WHERE account_id = ?",
		  db_uuid(&p.account)) == 2000);
	f = field(&p, "r0k0");
	REQUIRE(f != NULL);
	CHECK(json_real_value(json_object_get(f, "fillRate")) == 0.5);
	f = json_array_get(json_object_get(f, "examples"), 1);
	CHECK(f != NULL && json_string_length(f) == 60 * 2);
	place_remove(&p);
}

static void forgets(void)
{
	struct place p;
	struct uuid id;

	if (!place_make(&p))
		return;
	begin(&p);
	id = PUT(&p, "a", "{\"name\":\"Ada\",\"tags\":[{\"t\":\"secret\"}]}");
	PUT(&p, "b", "{\"name\":\"Bob\",\"tags\":[{\"t\":\"open\"}]}");
	update(&p);
	PUT(&p, "a", "{\"name\":\"Ida\",\"tags\":[]}"); /* the example is of its past */
	IS_FIELD(&p, "name", "[\"string\"]", 1, "[\"Ada\",\"Bob\"]");
	CHECK(delete_of(&p, p.account, id) == 1);
	IS_FIELD(&p, "name", "[\"string\"]", 1, "[\"Bob\"]");
	IS_FIELD(&p, "tags[].t", "[\"string\"]", 1, "[\"open\"]");
	place_remove(&p);
}

void suite_record_fields(void)
{
	ADD_TESTS("record_fields", {"paths", paths},
	    {"long paths are left out", long_paths_are_left_out},
	    {"payloads are counted", counts_payloads}, {"changes are followed", follows_changes},
	    {"each once", once_only}, {"bounds", bounds}, {"the deleted are forgotten", forgets});
}
