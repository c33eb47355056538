/* The other accounts of a person, and going over to one of them. */
#include "account/account-internal.h"
#include "account/account-pages.h"
#include "html/chrome.h"

int account_page_add_accounts(struct req *r, json_t *data, struct err *err)
{
	json_t *list = json_array(), *o;
	struct account_of_person *v;
	size_t n;

	json_set(data, "accounts", list);
	if (store_accounts_of(r->app->db, r->a, &r->actor.user_id, &v, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		o = json_object();
		json_set_str(o, "id", uuid_dup(r->a, v[i].id));
		json_set_str(o, "name", v[i].name);
		json_set_str(o, "role", v[i].role);
		json_set_bool(o, "is_this", uuid_eq(v[i].id, r->actor.account_id));
		json_array_append_new(list, o);
	}
	json_set_bool(data, "has_accounts", n > 1);
	return 0;
}

/* A session is of one account: another takes its place, with a cookie of its own. */
int account_page_switch(struct req *r)
{
	struct account_member m;
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!uuid_parse(req_form(r, "accountId"), &id))
		return res_problem(r, 404, "There is no such account");
	found = store_member(r->app->db, r->a, &id, &r->actor.user_id, &m, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such account");
	if (found == -1 || session_start(r, &m, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "You are in %s now.", m.account_name);
	return res_redirect(r, "/admin/dashboard");
}
