/* Sending deliveries again, and what waits: how many they are is asked before, since a whole outage
 * may be among them. One, and those that were ticked, go at once. */
#include "account/permission.h"
#include "base/buf.h"
#include "base/limits.h"
#include "connection/connection-pages.h"
#include "crm/crm-destinations.h"
#include "crm/crm-pages.h"
#include "html/chrome.h"

#define AGAIN_AT_ONCE 1000 /* deliveries of one form that are sent again */
#define AGAIN_SLICE 200

/* ---- filters as fields and addresses --------------------------------------------------------- */

json_t *delivery_filter_fields(struct req *r, const struct delivery_filter *f)
{
	struct http_pairs pairs = filter_pairs(r->a, &list_of_deliveries, f);
	json_t *list = json_array();

	for (size_t i = 0; i < pairs.n; i++) {
		json_t *o = json_object();

		json_set_strn(o, "name", pairs.v[i].name);
		json_set_strn(o, "value", pairs.v[i].value);
		json_array_append_new(list, o);
	}
	return list;
}

const char *deliveries_address(struct req *r, const char *path, const struct delivery_filter *f)
{
	const char *query = filter_query(r->a, &list_of_deliveries, f);

	return arena_printf(r->a, "%s%s%s", path, *query == '\0' ? "" : "?", query);
}

const char *delivery_route_words(struct req *r, const struct delivery_filter *f)
{
	return f->route.n == 0
		   ? NULL
		   : word_label(delivery_routes, arena_strndup(r->a, f->route.p, f->route.n));
}

void crm_tell_lacked(struct req *r, struct uuid connection_id, int64_t n, json_t *o)
{
	const struct delivery_filter f = {.connection_id = connection_id,
	    .status = STR(DELIVERY_SKIPPED),
	    .route = STR(DELIVERY_LACKS)};

	if (n == 0)
		return;
	json_set_int(o, "lacked", n);
	json_set_bool(o, "is_one_lacked", n == 1);
	if ((r->actor.permissions & PERMIT(CRM_WRITE)) != 0)
		json_set_str(
		    o, "lacked_href", deliveries_address(r, DELIVERIES_ADDRESS "/again", &f));
}

static struct delivery_filter filter_of(struct req *r, const struct http_pairs *pairs)
{
	struct delivery_filter f = {0};

	filter_read(r, &list_of_deliveries, pairs, &f);
	f.account_id = r->actor.account_id;
	return f;
}

/* A destination's name for sentences; NULL: none is meant, or it is gone. */
static int destination_name(struct req *r, const struct uuid *id, const char **out, struct err *err)
{
	json_t *names;

	*out = NULL;
	if (uuid_is_nil(*id))
		return 0;
	if (connection_names(r->app, r->a, &r->actor.account_id, &names, err) == -1)
		return -1;
	*out = json_str(json_object_get(names, uuid_dup(r->a, *id)), "name");
	return 0;
}

/* ---- one, and those that were ticked --------------------------------------------------------- */

struct delivery_again {
	struct req *r;
	const struct uuid *id, *task_id;
	int found;
};

static int delivery_again_body(struct db *db, void *arg, struct err *err)
{
	struct delivery_again *t = arg;

	t->found = delivery_queue(db, t->r->a, &t->r->actor.account_id, t->id, err);
	if (t->found == 1 && t->task_id != NULL &&
	    push_items_add(db, t->r->a, &t->r->actor.account_id, t->task_id, t->id, 1, err) == -1)
		return -1;
	return t->found == -1 ? -1 : 0;
}

int delivery_again(
    struct req *r, const struct uuid *id, const struct uuid *task_id, struct err *err)
{
	struct delivery_again again = {.r = r, .id = id, .task_id = task_id};

	if (db_transaction(r->app->db, delivery_again_body, &again, err) == 0)
		return again.found;
	if (err->code != ERR_CONFLICT)
		return -1;
	err_clear(err);
	return 0;
}

static size_t deliveries_ticked(const struct req *r, struct uuid *ids, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < r->form.n && n < max; i++)
		n += str_is(r->form.v[i].name, "id") && uuid_parse(r->form.v[i].value, &ids[n]);
	return n;
}

/* What a search finds, at most max. */
static int deliveries_found(struct req *r, const struct delivery_filter *f, struct uuid *ids,
    size_t max, size_t *n, struct err *err)
{
	struct slice s = {.limit = AGAIN_SLICE};

	*n = 0;
	do {
		s.rows = NULL;
		if (delivery_list(r->app, r->a, f, &s, err) == -1)
			return -1;
		for (size_t i = 0; i < json_array_size(s.rows) && *n < max; i++)
			*n += uuid_parse(
			    str_from(json_str(json_array_get(s.rows, i), "id")), &ids[*n]);
		s.offset += AGAIN_SLICE;
	} while (s.has_more && *n < max);
	return 0;
}

/* To what comes of them, or back to the list. */
static int deliveries_sent(
    struct req *r, const struct delivery_filter *f, const struct uuid *task_id, size_t sent)
{
	struct err err = ERR_INIT;

	if (sent == 0) {
		chrome_flash(r, "error",
		    "Nothing was sent: what is selected was taken already, or is gone.");
		return res_redirect(r, deliveries_address(r, DELIVERIES_ADDRESS, f));
	}
	if (crm_queue_watch(r, task_id,
		arena_printf(r->a, "%zu deliver%s sent again", sent, plural(sent, "y", "ies")),
		(int64_t)sent, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "Sending %zu again. What comes of it is shown here.", sent);
	return crm_redirect_to_task(r, task_id);
}

int crm_page_deliveries_push(struct req *r)
{
	struct uuid *ids = arena_array(r->a, AGAIN_AT_ONCE, sizeof(*ids)), task_id = uuid_new();
	struct delivery_filter f = filter_of(r, &r->form);
	struct err err = ERR_INIT;
	size_t n, sent = 0;

	if (str_is(req_form(r, "scope"), "all") && f.search.n == 0)
		return res_redirect(r, deliveries_address(r, DELIVERIES_ADDRESS "/again", &f));
	if (!str_is(req_form(r, "scope"), "all"))
		n = deliveries_ticked(r, ids, AGAIN_AT_ONCE);
	else if (deliveries_found(r, &f, ids, AGAIN_AT_ONCE, &n, &err) == -1)
		return res_error(r, &err);
	for (size_t i = 0; i < n; i++) {
		int found = delivery_again(r, &ids[i], &task_id, &err);

		if (found == -1)
			return res_error(r, &err);
		sent += (size_t)found;
	}
	return deliveries_sent(r, &f, &task_id, sent);
}

int crm_page_delivery_push(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *d, *attempts;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = delivery_get_json(r->app, r->a, &r->actor.account_id, &id, &d, &attempts, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such delivery");
	if (found == -1 || (found = delivery_again(r, &id, NULL, &err)) == -1)
		return res_error(r, &err);
	if (found == 1)
		chrome_flash(r, "ok", "Sending it again. What comes of it is shown here.");
	else
		chrome_flash(
		    r, "error", "Nothing was sent: %s has this lead already.", json_str(d, "name"));
	return res_redirect(r, arena_printf(r->a, DELIVERIES_ADDRESS "/%s%s", uuid_dup(r->a, id),
				   found == 1 ? "?live=1" : ""));
}

/* ---- all that match -------------------------------------------------------------------------- */

/* What is sent again: of the status that is asked for, or all that failed and were given up. */
static int again_count(struct req *r, const struct delivery_filter *f, int64_t *n, struct err *err)
{
	struct delivery_filter g = *f;
	int64_t dead = 0;

	if (f->status.n > 0)
		return deliveries_count_matching(r->app, r->a, f, n, err);
	g.status = STR(DELIVERY_FAILED);
	if (deliveries_count_matching(r->app, r->a, &g, n, err) == -1)
		return -1;
	g.status = STR(DELIVERY_DEAD);
	if (deliveries_count_matching(r->app, r->a, &g, &dead, err) == -1)
		return -1;
	if (*n != -1)
		*n = *n + dead > BACKLOG_MOST ? BACKLOG_MOST : *n + dead;
	return 0;
}

static void again_tell_filter(
    struct req *r, const struct delivery_filter *f, const char *to, json_t *data)
{
	json_set_str(data, "of_status",
	    f->status.n > 0
		? word_label(delivery_statuses, arena_strndup(r->a, f->status.p, f->status.n))
		: "Failed or given up");
	json_set_str(data, "of_route", delivery_route_words(r, f));
	json_set_str(data, "of_destination", to);
	json_set_str(data, "of_source",
	    f->provider_type.n > 0 ? provider_label(r->app, arena_strndup(r->a, f->provider_type.p,
								f->provider_type.n))
				   : NULL);
	json_set_known_time(data, "of_from", opt_time_or(f->from, TIME_NONE));
	json_set_known_time(data, "of_to", opt_time_or(f->to, TIME_NONE));
	json_set_known_time(data, "tried_from", opt_time_or(f->tried_from, TIME_NONE));
	json_set_known_time(data, "tried_to", opt_time_or(f->tried_to, TIME_NONE));
}

int crm_page_again(struct req *r)
{
	struct delivery_filter f = filter_of(r, &r->query);
	struct err err = ERR_INIT;
	json_t *data = json_own(r->a, json_object());
	const char *to;
	int64_t n;

	if (req_has_invalid(r))
		return res_problem(r, 422, "What is to be sent again cannot be told from this");
	f.search = (struct str){NULL, 0};
	if (str_is(f.status, DELIVERY_SUCCESS))
		f.status = (struct str){NULL, 0};
	if (again_count(r, &f, &n, &err) == -1 ||
	    destination_name(r, &f.connection_id, &to, &err) == -1)
		return res_error(r, &err);
	json_set_int(data, "count", n);
	json_set_bool(data, "is_unknown", n == -1);
	json_set_bool(data, "is_more", n == BACKLOG_MOST);
	json_set_bool(data, "is_one", n == 1);
	again_tell_filter(r, &f, to, data);
	json_set(data, "hidden", delivery_filter_fields(r, &f));
	json_set_str(data, "back_href", deliveries_address(r, DELIVERIES_ADDRESS, &f));
	return chrome_page(r, 200, "deliveries", "Send again", "crm/again", json_incref(data));
}

int crm_page_again_post(struct req *r)
{
	struct delivery_filter f = filter_of(r, &r->form);
	struct err err = ERR_INIT;
	struct uuid task_id;

	if (req_has_invalid(r) || f.search.n > 0 || str_is(f.status, DELIVERY_SUCCESS))
		return res_problem(r, 422, "What is to be sent again cannot be told from this");
	if (crm_queue_again(r, &f, &task_id, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "Sending them again. What comes of it is shown here.");
	return crm_redirect_to_task(r, &task_id);
}

/* ---- all that wait --------------------------------------------------------------------------- */

int crm_page_waiting(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *data = json_own(r->a, json_object());
	struct uuid only = {{0}};
	const char *to = NULL;
	int64_t n;

	(void)uuid_parse(req_query(r, "connectionId"), &only);
	if (destination_name(r, &only, &to, &err) == -1)
		return res_error(r, &err);
	if (to == NULL && !uuid_is_nil(only))
		return res_problem(r, 404, "There is no such destination");
	if (deliveries_count_waiting(
		r->app->db, &r->actor.account_id, to == NULL ? NULL : &only, &n, &err) == -1)
		return res_error(r, &err);
	json_set_int(data, "count", n);
	json_set_bool(data, "is_one", n == 1);
	json_set_str(data, "to", to);
	json_set_str(data, "connection_id", to == NULL ? NULL : uuid_dup(r->a, only));
	return chrome_page(
	    r, 200, "deliveries", "Send what waits", "crm/waiting", json_incref(data));
}

int crm_page_push_waiting(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid task_id, only = {{0}};
	const char *to;
	int64_t pending;
	bool is_one = uuid_parse(req_form(r, "connectionId"), &only);

	if (destination_name(r, &only, &to, &err) == -1)
		return res_error(r, &err);
	if (is_one && to == NULL)
		return res_problem(r, 404, "There is no such destination");
	if (crm_queue_all(r, 0, is_one ? &only : NULL, &task_id, &pending, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "Sending about %lld waiting lead%s to %s.", (long long)pending,
	    plural_s(pending), is_one ? to : "every destination");
	return crm_redirect_to_task(r, &task_id);
}
