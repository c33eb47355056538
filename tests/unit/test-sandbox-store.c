/* The sandbox's store: rows found by a text in them, whatever became of the rows. */
#include <stdio.h>
#include <stdlib.h>

#include <CUnit/CUnit.h>

#include "sandbox/store.h"
#include "test-base.h"

void suite_sandbox_store(void);

static const struct store_kind contacts = {"hubspot", "contacts"};
static const struct store_by by_email = {"properties", "email", true}, by_name = {.member = "name"};

static void put(struct store *st, const char *id, const char *email, const char *name)
{
	struct err err = ERR_INIT;
	json_t *row = email == NULL ? NULL
				    : json_pack("{s:s,s:s,s:{s:s}}", "id", id, "name", name,
					  "properties", "email", email);

	REQUIRE(store_lock(st, &err) == 0);
	CHECK(store_put(st, contacts, id, row, &err) == 0);
	store_unlock(st);
}

static void remove_folder(const char *dir)
{
	static const char *const files[] = {"store.ndjson", "store.ndjson.lock"};
	char path[64];

	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		(void)remove(path);
	}
	CHECK(remove(dir) == 0);
}

static const char *find(struct store *st, const struct store_by *by, const char *text)
{
	struct err err = ERR_INIT;
	const json_t *row;

	REQUIRE(store_sync(st, &err) == 0);
	row = store_find(st, contacts, by, str_from(text));
	return row == NULL ? "none" : json_str(row, "id");
}

#define FOUND(by, text, id)                                                                        \
	CHECK(TEXT_EQ(find(one, by, text), id) && TEXT_EQ(find(two, by, text), id))

static void found_by_text(void)
{
	char dir[] = "/tmp/connect-store-XXXXXX";
	struct arena *a = arena_new();
	struct store *one, *two;
	struct err err = ERR_INIT;

	REQUIRE(mkdtemp(dir) != NULL);
	one = store_new(a, dir);
	two = store_new(a, dir);
	FOUND(&by_email, "a@b.co", "none");
	put(one, "1", "A@b.co", "Ann");
	put(two, "2", "a@B.co", "ann");
	put(one, "3", "c@b.co", "Ann");
	FOUND(&by_email, "a@b.co", "1");
	FOUND(&by_email, "C@B.CO", "3");
	FOUND(&by_name, "ann", "2");
	FOUND(&by_name, "Ann", "1");
	put(two, "1", "d@b.co", "Ann"); /* the second has it now */
	FOUND(&by_email, "a@b.co", "2");
	FOUND(&by_email, "d@b.co", "1");
	put(one, "2", NULL, NULL);
	FOUND(&by_email, "a@b.co", "none");
	FOUND(&by_name, "ann", "none");
	put(one, "4", "a@b.co", "Dan");
	put(one, "1", "a@b.co", "Ann"); /* and the first again */
	FOUND(&by_email, "a@b.co", "1");
	put(one, "1", "e@b.co", "Ann");
	FOUND(&by_email, "a@b.co", "4");
	CHECK(store_clear(two, &err) == 0);
	FOUND(&by_email, "a@b.co", "none");
	put(one, "5", "a@b.co", "Eve");
	FOUND(&by_email, "a@b.co", "5");
	arena_free(a);
	remove_folder(dir);
}

void suite_sandbox_store(void)
{
	ADD_TESTS("sandbox_store", {"rows by a text in them", found_by_text});
}
