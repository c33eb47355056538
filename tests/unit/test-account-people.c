/* The rule about the last admin: an account keeps one who can sign in. */
#include <CUnit/CUnit.h>

#include "account/people.h"

void suite_account_people(void);

#define MOST 4

static void last_admin(void)
{
	static const struct {
		int line;
		struct {
			const char *role;
			bool is_disabled;
		} members[MOST];
		size_t who;       /* is changed */
		const char *role; /* to this; NULL: removed */
		bool lacks;
	} rows[] = {
	    {__LINE__, {{"admin", false}}, 0, "admin", false},
	    {__LINE__, {{"admin", false}}, 0, "manager", true},
	    {__LINE__, {{"admin", false}}, 0, NULL, true},
	    {__LINE__, {{"admin", false}, {"viewer", false}}, 0, "viewer", true},
	    {__LINE__, {{"admin", false}, {"viewer", false}}, 1, NULL, false},
	    {__LINE__, {{"admin", false}, {"viewer", false}}, 1, "admin", false},
	    {__LINE__, {{"admin", false}, {"admin", false}}, 0, NULL, false},
	    {__LINE__, {{"admin", false}, {"admin", false}}, 1, "viewer", false},
	    {__LINE__, {{"admin", false}, {"admin", true}}, 0, "viewer", true},
	    {__LINE__, {{"admin", false}, {"admin", true}}, 1, NULL, false},
	    {__LINE__, {{"admin", true}, {"manager", false}}, 1, "admin", false},
	    {__LINE__, {{"admin", true}, {"manager", true}}, 1, "admin", true},
	    {__LINE__, {{"admin", false}, {"manager", false}, {"admin", true}, {"viewer", false}},
		0, NULL, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct member_role members[MOST];
		size_t n = 0;

		for (; n < MOST && rows[i].members[n].role != NULL; n++)
			members[n] = (struct member_role){
			    uuid_new(), rows[i].members[n].role, rows[i].members[n].is_disabled};
		CU_assertImplementation(people_lack_admin(members, n, &members[rows[i].who].user_id,
					    rows[i].role) == rows[i].lacks,
		    (unsigned)rows[i].line, "the last admin", __FILE__, "", CU_FALSE);
	}
}

void suite_account_people(void)
{
	CU_pSuite s = CU_add_suite("account/people", NULL, NULL);

	CU_add_test(s, "last admin", last_admin);
}
