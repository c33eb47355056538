/* What a search finds: the searched words of a payload against the words of a search, without a
 * database. */
#include <stdlib.h>

#include "base/arena.h"
#include "record/record-words.h"
#include "test-base.h"

#define PAYLOAD                                                                                       \
	"{\"email\":\"Anna.Novak@Example.co.uk\",\"name\":\"Renée Müller-Lüdenscheidt\","          \
	"\"phone\":\"+44 20 7946 0958\",\"local\":\"(02) 555-98-83\",\"city\":\"New York\","          \
	"\"note\":\"the quick brown fox, and a dog\",\"city_jp\":\"東京都庁\",\"amount\":1250.5," \
	"\"nested\":{\"list\":[\"alpha\",{\"deep\":\"omega\"}]},\"date\":\"2026-03-07\",\"ok\":"      \
	"true,"                                                                                       \
	"\"sku\":\"AB-12/34\",\"greek\":\"Ωμέγα\",\"quoted\":\"say \\\"hello\\\" \\\\ world\"}"

static const struct {
	int line;
	const char *search;
	bool is_found;
} cases[] = {
    {__LINE__, "novak", true}, {__LINE__, "NOVAK", true}, {__LINE__, "nov", true},
    {__LINE__, "ovak", false}, {__LINE__, "anna.novak@example.co.uk", true},
    {__LINE__, "Anna.Novak@exam", true}, {__LINE__, "anna.novak@example.com", false},
    {__LINE__, "example.co.uk", true}, {__LINE__, "renee", true}, {__LINE__, "Renée", true},
    {__LINE__, "muller", true}, {__LINE__, "Müller-Lüd", true}, {__LINE__, "+442079460958", true},
    {__LINE__, "020 7946 0958", true}, {__LINE__, "79460958", true},
    {__LINE__, "0044 20 7946 0958", true}, {__LINE__, "+442079460959", false},
    {__LINE__, "02 5559883", true}, {__LINE__, "\"new york\"", true},
    {__LINE__, "\"york new\"", false}, {__LINE__, "york new", true},
    {__LINE__, "new york novak", true}, {__LINE__, "new york nobody", false},
    {__LINE__, "\"quick brown fox\"", true}, {__LINE__, "\"quick fox\"", false},
    {__LINE__, "the", true}, {__LINE__, "a", true}, {__LINE__, "and", true},
    {__LINE__, "東京", true}, {__LINE__, "京都", true}, {__LINE__, "東", true},
    {__LINE__, "庁", true}, {__LINE__, "大阪", false}, {__LINE__, "1250.5", true},
    {__LINE__, "1250", true}, {__LINE__, "alpha omega", true}, {__LINE__, "2026-03-07", true},
    {__LINE__, "2026-03", true}, {__LINE__, "ab-12/34", true}, {__LINE__, "ωμεγα", true},
    {__LINE__, "ext-77", true}, {__LINE__, "\"say hello\"", true}, {__LINE__, "world", true},
    {__LINE__, "quoted", false}, {__LINE__, "email", false},  /* keys are no words */
    {__LINE__, "true", false}, {__LINE__, "p_manual", false}, /* nor are the words of filters */
    {__LINE__, "%", false}, {__LINE__, "no_ak", false},       /* '_' stands for itself */
};

static struct str words(struct arena *a, const struct uuid *account)
{
	struct record_item item = {.account_id = *account,
	    .provider_type = STR("manual"),
	    .resource_type = STR("contact"),
	    .external_id = STR("EXT-77"),
	    .source = RECORD_SOURCE_IMPORT,
	    .data = STR(PAYLOAD)};

	return record_words(a, &item);
}

static bool finds(struct arena *a, const struct uuid *account, struct str text, const char *search)
{
	struct search_terms t = {.n = 0};
	struct err err = ERR_INIT;

	return search_terms_add(&t, a, account, str_from(search), &err) == 0 && !t.is_impossible &&
	       search_terms_fit(&t, text);
}

static void finds_what_people_type(void)
{
	struct arena *a = arena_new();
	struct uuid account = uuid_new();
	struct str text = words(a, &account);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_AT(
		    cases[i].line, finds(a, &account, text, cases[i].search) == cases[i].is_found);
	arena_free(a);
}

static void is_of_one_account(void)
{
	struct arena *a = arena_new();
	struct uuid mine = uuid_new(), other = {{1, 2, 3}};
	struct str text = words(a, &mine);

	CHECK(finds(a, &mine, text, "novak") && !finds(a, &other, text, "novak"));
	arena_free(a);
}

static void refuses_what_is_no_search(void)
{
	struct arena *a = arena_new();
	struct uuid account = uuid_new();
	struct search_terms t = {.n = 0};
	struct err err = ERR_INIT;
	char *much = arena_alloc(a, 10001);

	memset(much, 'x', 10000);
	much[10000] = '\0';
	CHECK(search_terms_add(&t, a, &account, str_from(much), &err) == -1);
	CHECK(err.code == ERR_INVALID && strcmp(err.field, "search") == 0);
	err_clear(&err);
	t = (struct search_terms){.n = 0};
	CHECK(search_terms_add(&t, a, &account, STR("a b c d e f g h i"), &err) == -1);
	CHECK(err.code == ERR_INVALID);
	err_clear(&err);
	t = (struct search_terms){.n = 0};
	CHECK(search_terms_add(&t, a, &account, STR(" ... !? "), &err) == 0 && t.is_impossible);
	t = (struct search_terms){.n = 0};
	CHECK(search_terms_add(&t, a, &account, STR("\xff\xfe"), &err) == -1);
	arena_free(a);
}

static void filters_by_kind_and_value(void)
{
	struct arena *a = arena_new();
	struct uuid account = uuid_new();
	struct str text = words(a, &account);
	struct search_terms t = {.n = 0};

	search_terms_add_kind(&t, a, &account, 'p', STR("manual"));
	search_terms_add_kind(&t, a, &account, 's', STR("import"));
	search_terms_add_value(&t, a, &account, STR("New York"));
	CHECK(t.n == 3 && search_terms_fit(&t, text));
	search_terms_add_kind(&t, a, &account, 'p', STR("hubspot"));
	CHECK(!search_terms_fit(&t, text));
	arena_free(a);
}

void suite_record_words(void);
void suite_record_words(void)
{
	ADD_TESTS("record/words", {"finds what people type", finds_what_people_type},
	    {"is of one account", is_of_one_account},
	    {"refuses what is no search", refuses_what_is_no_search},
	    {"filters by kind and value", filters_by_kind_and_value});
}
