/* Leads as their providers send them, and what is made of them: a folder of fixtures/leads for each
 * provider, a file for each case. A new case needs no C:
 *
 *	"name"     what it is about
 *	"country"  default of the connection, if it has one
 *	"in"       the lead as its provider tells it; or "text", the same as it was sent, for
 *	           what no strict JSON can hold
 *	"out"      the normalized lead, without what is null or empty
 *
 * "@@1000000@@" in either is as many letters. */
#include <dirent.h>

#include "base/arena.h"
#include "core-check.h"
#include "lead/lead.h"
#include "provider/provider.h"

void suite_lead_fixtures(void);

#define CASES_LEAST 12 /* of each provider */
#define FILE_BYTES (64u * 1024u)

/* The file with its marks replaced; {NULL,0} when it cannot be read. */
static struct str case_text(struct arena *a, const char *path)
{
	static const char mark[] = "@@1000000@@";
	char *text = arena_alloc(a, FILE_BYTES);
	struct buf *b = buf_new(a, 8u << 20);
	FILE *f = fopen(path, "re");
	struct str rest;
	const char *at;

	if (f == NULL)
		return (struct str){NULL, 0};
	rest = (struct str){text, fread(text, 1, FILE_BYTES, f)};
	fclose(f);
	while ((at = memmem(rest.p, rest.n, mark, sizeof(mark) - 1)) != NULL) {
		buf_add(b, rest.p, (size_t)(at - rest.p));
		for (size_t i = 0; i < 1000000; i++)
			buf_chr(b, 'a');
		rest.n -= (size_t)(at - rest.p) + sizeof(mark) - 1;
		rest.p = at + sizeof(mark) - 1;
	}
	buf_add(b, rest.p, rest.n);
	return (struct str){b->p, b->len};
}

static void drop_what_is_nothing(json_t *lead)
{
	for (void *i = json_object_iter(lead), *next; i != NULL; i = next) {
		const json_t *v = json_object_iter_value(i);
		bool is_nothing =
		    json_is_null(v) || (json_is_object(v) && json_object_size(v) == 0);

		next = json_object_iter_next(lead, i);
		if (is_nothing)
			json_object_del(lead, json_object_iter_key(i));
	}
}

static void case_check(struct arena *a, const struct provider *p, const char *path)
{
	struct err err = ERR_INIT;
	unsigned repairs;
	json_t *c = json_parse_large(a, case_text(a, path), 32u << 20, &repairs, &err), *raw, *lead,
	       *out;
	const char *text = json_str(c, "text"), *country = json_str(c, "country");

	raw = text == NULL ? json_object_get(c, "in")
			   : json_parse_lenient(a, str_from(text), &repairs, &err);
	lead = raw == NULL ? NULL : provider_lead_fields(p, a, raw, &err);
	CHECK(lead != NULL);
	if (lead == NULL) {
		printf("# %s: %s\n", path, err.msg);
		return;
	}
	lead_normalize(a, lead, country);
	drop_what_is_nothing(lead);
	out = json_object_get(c, "out");
	drop_what_is_nothing(out);
	CHECK(json_equal(lead, out));
	if (!json_equal(lead, out))
		printf("# %s\n# became %.900s\n# not    %.900s\n", path, json_text(a, lead).p,
		    json_text(a, out).p);
}

static void folder_check(const struct providers *ps, const char *name)
{
	struct arena *a = arena_new();
	const char *path = arena_printf(a, "%s/tests/unit/fixtures/leads/%s", source_dir(), name);
	const struct provider *p = provider_find(ps, str_from(name));
	DIR *dir = opendir(path);
	const struct dirent *entry;
	size_t n = 0;

	REQUIRE(dir != NULL && p != NULL);
	while ((entry = readdir(dir)) != NULL) {
		struct arena *own;

		if (!str_ends(str_from(entry->d_name), ".json"))
			continue;
		own = arena_new();
		case_check(own, p, arena_printf(own, "%s/%s", path, entry->d_name));
		arena_free(own);
		n++;
	}
	closedir(dir);
	CHECK(n >= CASES_LEAST);
	arena_free(a);
}

static void leads_of_providers(void)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	const char *manifests = arena_printf(a, "%s/providers", source_dir());
	struct providers *ps = providers_load(a, manifests, &err);
	DIR *dir = opendir(arena_printf(a, "%s/tests/unit/fixtures/leads", source_dir()));
	const struct dirent *entry;
	size_t n = 0;

	REQUIRE(ps != NULL && dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		folder_check(ps, entry->d_name);
		n++;
	}
	closedir(dir);
	CHECK(n >= 4);
	arena_free(a);
}

void suite_lead_fixtures(void)
{
	ADD_TESTS("lead_fixtures", {"leads of providers", leads_of_providers});
}
