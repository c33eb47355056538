/* The subscriptions of a connection, for API and pages. */
#include "account/audit.h"
#include "base/clock.h"
#include "connection/subscription-internal.h"
#include "html/chrome.h"

static const char *subscription_status(const struct subscription_row *row)
{
	if (row->failures > 0)
		return "failing";
	return row->checked_us != 0 ? "active" : "waiting";
}

static json_t *subscription_form_json(const struct subscription_row *row)
{
	json_t *o = json_object();

	json_set_str(o, "id", row->form);
	json_set_str(o, "name", row->form_name);
	return o;
}

/* Of all forms: how many there are, and of how many it is there. */
static void subscription_count_forms(
    json_t *o, const struct subscription_row *of, const struct subscription_row *rows, size_t n)
{
	int64_t total = 0, active = 0;

	for (size_t i = 0; i < n; i++) {
		if (rows[i].form[0] == '\0' || strcmp(rows[i].name, of->name) != 0)
			continue;
		total++;
		active += rows[i].failures == 0 && rows[i].checked_us != 0;
	}
	json_set_int(o, "forms", total);
	json_set_int(o, "formsActive", active);
}

static json_t *subscription_json(
    const struct subscription_row *row, const struct subscription_spec *spec)
{
	json_t *o = json_object();

	json_set_str(o, "name", row->name);
	json_set_str(o, "label", spec->label);
	if (row->form[0] != '\0')
		json_set(o, "form", subscription_form_json(row));
	json_set_str(o, "status", subscription_status(row));
	json_set_time(o, "expiresAt", row->expires_us);
	json_set_time(o, "checkedAt", row->checked_us);
	json_set_time(o, "nextCheckAt", row->next_us);
	json_set_str(o, "error", row->last_error);
	return o;
}

int subscriptions_json(
    struct app *app, struct arena *a, const struct connection *c, json_t *list, struct err *err)
{
	struct subscription_row *rows;
	size_t n;

	if (subscriptions_load(app->db, a, &c->account_id, &c->id, false, &rows, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct subscription_spec *spec =
		    provider_find_subscription(c->provider, rows[i].name);

		json_t *o;

		if (spec == NULL || !subscription_is_wanted(spec, &c->access) ||
		    (rows[i].form[0] != '\0' && !spec->is_of_forms))
			continue;
		o = subscription_json(&rows[i], spec);
		if (spec->is_of_forms && rows[i].form[0] == '\0')
			subscription_count_forms(o, &rows[i], rows, n);
		json_array_append_new(list, o);
	}
	return 0;
}

/* The route's connection; NULL with the answer given. */
static struct connection *subscription_connection(struct req *r)
{
	struct connection *c = NULL;
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return NULL;
	found = connection_get_shown(r->app, r->a, &r->actor.account_id, &id, &c, &err);
	if (found == 1)
		return c;
	(void)(found == -1 ? res_error(r, &err)
			   : res_problem(r, 404, "There is no such connection"));
	return NULL;
}

static int subscription_answer_list(struct req *r, const struct connection *c, int status)
{
	json_t *list = json_own(r->a, json_array()), *o;
	struct err err = ERR_INIT;

	if (subscriptions_json(r->app, r->a, c, list, &err) == -1)
		return res_error(r, &err);
	o = json_object();
	json_set(o, "data", json_incref(list));
	return res_json(r, status, o);
}

int subscription_api_list(struct req *r)
{
	const struct connection *c = subscription_connection(r);

	return c == NULL ? 0 : subscription_answer_list(r, c, 200);
}

static int check_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct connection *c = arg;

	if (subscriptions_hasten(db, &c->account_id, &c->id, err) == -1)
		return -1;
	audit_fact(log, "subscription.check", "connection", &c->id, NULL);
	return 0;
}

static int subscriptions_check(struct req *r, struct connection *c, struct err *err)
{
	return audit_change(r->app, r, &c->account_id, check_body, c, err);
}

int subscription_api_check(struct req *r)
{
	struct connection *c = subscription_connection(r);
	struct err err = ERR_INIT;

	if (c == NULL)
		return 0;
	if (subscriptions_check(r, c, &err) == -1)
		return res_error(r, &err);
	return subscription_answer_list(r, c, 202);
}

int subscription_page_check(struct req *r)
{
	struct connection *c = subscription_connection(r);
	struct err err = ERR_INIT;

	if (c == NULL)
		return 0;
	if (subscriptions_check(r, c, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "The subscriptions are being looked at.");
	return res_redirect(
	    r, arena_printf(r->a, "/admin/connections/%s/subscriptions", uuid_dup(r->a, c->id)));
}
