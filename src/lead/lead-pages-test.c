/* A test lead by hand: the page that makes one, and says where it goes before it does. */
#include "account/permission.h"
#include "base/config.h"
#include "connection/connection.h"
#include "html/chrome.h"
#include "lead/lead-internal.h"
#include "record/record-pages.h"

static int test_add_destinations(struct req *r, json_t *data, int64_t *count, struct err *err)
{
	json_t *list = json_array(), *o = NULL;
	struct connection **v;
	size_t n;

	json_set(data, "destinations", list);
	if (connection_list_destinations(r->app, r->a, &r->actor.account_id, &v, &n, err) == -1)
		return -1;
	*count = 0;
	for (size_t i = 0; i < n; i++) {
		if (!str_is(str_from(v[i]->status), CONNECTION_ACTIVE))
			continue;
		o = json_object();
		json_set_str(o, "name", v[i]->name);
		json_array_append_new(list, o);
		++*count;
	}
	if (o != NULL)
		json_set_bool(o, "is_last", true);
	return 0;
}

int lead_page_test(struct req *r)
{
	const struct config *cfg = r->app->config;
	json_t *data = json_own(r->a, json_object());
	struct err err = ERR_INIT;
	int64_t n;

	if (test_add_destinations(r, data, &n, &err) == -1)
		return res_error(r, &err);
	json_set_bool(data, "has_destinations", n > 0);
	json_set_str(data, "sandbox_url",
	    cfg->sandbox && cfg->sandbox_url != NULL && cfg->sandbox_url[0] != '\0'
		? cfg->sandbox_url
		: NULL);
	return chrome_page(r, 200, "leads", "Send a test lead", "lead/test", json_incref(data));
}

int lead_page_test_post(struct req *r)
{
	static const char *const fields[] = {"fullName", "email", "phoneNumber", "company"};
	json_t *body = json_own(r->a, json_object());
	struct err err = ERR_INIT;
	struct uuid id;
	int rc;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (req_form(r, fields[i]).n > 0)
			json_set_strn(body, fields[i], req_form(r, fields[i]));
	r->json = body;
	rc = lead_create(r, &id, NULL, &err);
	if (rc == -1)
		return res_error(r, &err);
	if (rc == 0)
		return 0;
	chrome_flash(r, "ok", "The test lead is here. What each destination says is shown below.");
	return res_redirect(
	    r, arena_printf(r->a, LEADS_PAGE_ADDRESS "/%s?live=1", uuid_dup(r->a, id)));
}
