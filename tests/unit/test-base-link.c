#include "base/link.h"
#include "test-base.h"

void suite_base_link(void);

static void targets(void)
{
	static const struct {
		int line;
		const char *header, *rel, *target; /* NULL: there is none */
	} rows[] = {
	    {__LINE__, "<https://a.example/x?page=2>; rel=\"next\"", "next",
		"https://a.example/x?page=2"},
	    {__LINE__,
		"<https://a.example/1>; rel=\"previous\", <https://a.example/3>; rel=\"next\"",
		"next", "https://a.example/3"},
	    {__LINE__, "</x>;rel=next", "next", "/x"},
	    {__LINE__, "</x> ; title=\"a, b; rel=next\" ; rel=\"last next\"", "next", "/x"},
	    {__LINE__, "</x>; title=\"a \\\" <y>; rel=next\"; rel=last", "next", NULL},
	    {__LINE__, "</x>; REL=\"Next\"", "next", "/x"},
	    {__LINE__, "</x>; rel=last; rel=next", "next", NULL}, /* the first counts */
	    {__LINE__, "</a,b>; rel=last, </c>; rel=next", "next", "/c"},
	    {__LINE__, "</x>; crossorigin; rel=next", "next", "/x"},
	    {__LINE__, "</x>", "next", NULL},
	    {__LINE__, "</x", "next", NULL},
	    {__LINE__, "", "next", NULL},
	    {__LINE__, "</x>; rel=\"next", "next", "/x"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str t = link_find(str_from(rows[i].header), str_from(rows[i].rel));

		CHECK_AT(
		    rows[i].line, rows[i].target == NULL ? t.p == NULL : str_is(t, rows[i].target));
	}
}

void suite_base_link(void)
{
	ADD_TESTS("base/link", {"targets by their relation", targets});
}
