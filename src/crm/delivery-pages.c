/* The list of deliveries, and sending them again. */
#include "account/permission.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "connection/connection-pages.h"
#include "crm/crm-internal.h"
#include "html/chrome.h"

#define PAGE_ROWS 50
#define AGAIN_AT_ONCE 1000 /* deliveries of one form that are sent again */
#define AGAIN_SLICE 200
#define ADDRESS "/admin/deliveries"

enum { TITLE_LEAD, TITLE_TEXT };
DB_STMT_ROWS(delivery_page_titles,
    "SELECT id, COALESCE(NULLIF(full_name, ''), email, phone_number, provider_lead_id) FROM leads"
    " WHERE account_id = ? AND id IN (",
    "?", ")");

#define COUNT_MOST 10000
DB_STMT(deliveries_count_all,
    "SELECT COUNT(*) FROM (SELECT id FROM lead_deliveries FORCE INDEX (lead_deliveries_status)"
    " WHERE account_id = ? LIMIT ?) k");
DB_STMT(deliveries_count_status,
    "SELECT COUNT(*) FROM (SELECT id FROM lead_deliveries FORCE INDEX (lead_deliveries_status)"
    " WHERE account_id = ? AND status = ? LIMIT ?) k");
DB_STMT(deliveries_count_connection,
    "SELECT COUNT(*) FROM (SELECT id FROM lead_deliveries FORCE INDEX (lead_deliveries_connection)"
    " WHERE account_id = ? AND connection_id = ? LIMIT ?) k");

/* Into s->total, by the index of the one filter; two are not counted. */
static int deliveries_count(
    struct req *r, const struct delivery_filter *f, struct slice *s, struct err *err)
{
	struct db *db = r->app->db;
	struct db_rows rows;
	int rc;

	s->total = -1;
	if (!uuid_is_nil(f->lead_id) || !uuid_is_nil(f->task_id) ||
	    (f->status.n > 0 && !uuid_is_nil(f->connection_id)))
		return 0;
	rc = f->status.n > 0
		 ? db_row(db, r->a, &deliveries_count_status,
		       DB_VALS(db_uuid(&f->account_id), db_name(f->status), db_int(COUNT_MOST)),
		       &rows, err)
	     : !uuid_is_nil(f->connection_id)
		 ? db_row(db, r->a, &deliveries_count_connection,
		       DB_VALS(
			   db_uuid(&f->account_id), db_uuid(&f->connection_id), db_int(COUNT_MOST)),
		       &rows, err)
		 : db_row(db, r->a, &deliveries_count_all,
		       DB_VALS(db_uuid(&f->account_id), db_int(COUNT_MOST)), &rows, err);
	if (rc != 1)
		return -1;
	s->total = db_get_int(&rows, 0, 0);
	return 0;
}

/* What each delivery is of: the lead's name. */
static int deliveries_add_titles(struct req *r, json_t *rows, struct err *err)
{
	size_t n = json_array_size(rows);
	struct uuid *ids = arena_array(r->a, n + 1, sizeof(*ids));
	struct db_val *v = arena_array(r->a, n + 1, sizeof(*v));
	struct db_rows titles;

	for (size_t i = 0; i < n; i++) {
		uuid_parse(str_from(json_str(json_array_get(rows, i), "leadId")), &ids[i]);
		v[i] = db_uuid(&ids[i]);
	}
	if (n == 0)
		return 0;
	if (db_query_rows(r->app->db, r->a, &delivery_page_titles,
		DB_VALS(db_uuid(&r->actor.account_id)), v, n, 1, &titles, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < titles.count; k++)
			if (uuid_eq(ids[i], db_get_uuid(&titles, k, TITLE_LEAD)))
				json_set_str(json_array_get(rows, i), "title",
				    db_get_text(&titles, k, TITLE_TEXT));
	return 0;
}

/* The status in words, and when it is tried again; a time that has passed is no promise. */
static void deliveries_tell_status(struct arena *a, json_t *rows)
{
	int64_t now_us = clock_now_us();
	json_t *row;
	size_t i;

	json_array_each(rows, i, row) {
		json_set_str(
		    row, "statusLabel", word_label(delivery_statuses, json_str(row, "status")));
		connection_tell_error(a, row, json_str(row, "lastError"));
		json_set_str(row, "again",
		    json_time(row, "nextAttemptAt") > now_us ? json_str(row, "nextAttemptAt")
							     : NULL);
	}
}

int crm_page_deliveries(struct req *r)
{
	struct delivery_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;
	json_t *data, *connections;

	if (!slice_read_page(r, &list_of_deliveries, &f, PAGE_ROWS, &s))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	if (delivery_list(r->app, r->a, &f, &s, &err) == -1 ||
	    deliveries_count(r, &f, &s, &err) == -1 ||
	    deliveries_add_titles(r, s.rows, &err) == -1 ||
	    connection_choices(r, "connectionId", &connections, &err) == -1)
		return res_error(r, &err);
	deliveries_tell_status(r->a, s.rows);
	data = json_object();
	chrome_slice(r, &s, data);
	chrome_slice_total(&s, COUNT_MOST, "delivery", "deliveries", data);
	json_set(data, "connections", json_incref(connections));
	json_set(data, "statuses", chrome_choices(r, "status", delivery_statuses));
	json_set_strn(data, "status", f.status);
	json_set_str(data, "connection_id",
	    uuid_is_nil(f.connection_id) ? NULL : uuid_dup(r->a, f.connection_id));
	json_set_int(data, "filter_count", !uuid_is_nil(f.connection_id));
	json_set_bool(data, "is_filtered", filter_pairs(r->a, &list_of_deliveries, &f).n > 0);
	json_set_bool(data, "can_push", (r->actor.permissions & PERMIT(CRM_WRITE)) != 0);
	return chrome_page(r, 200, "deliveries", "Deliveries", "crm/deliveries", data);
}

struct delivery_again {
	struct req *r;
	const struct uuid *id;
	int found;
};

static int delivery_again_body(struct db *db, void *arg, struct err *err)
{
	struct delivery_again *t = arg;

	t->found = delivery_queue(db, t->r->a, &t->r->actor.account_id, t->id, err);
	return t->found == -1 ? -1 : 0;
}

/* The ticked ones. */
static size_t deliveries_ticked(const struct req *r, struct uuid *ids, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < r->form.n && n < max; i++)
		n += str_is(r->form.v[i].name, "id") && uuid_parse(r->form.v[i].value, &ids[n]);
	return n;
}

/* All of the list that the form was sent from, at most max. */
static int deliveries_matching(
    struct req *r, struct uuid *ids, size_t max, size_t *n, bool *has_more, struct err *err)
{
	struct delivery_filter f = {0};
	struct slice s = {.limit = AGAIN_SLICE};

	*n = 0;
	filter_read(r, &list_of_deliveries, &r->form, &f);
	f.account_id = r->actor.account_id;
	do {
		s.rows = NULL;
		if (delivery_list(r->app, r->a, &f, &s, err) == -1)
			return -1;
		for (size_t i = 0; i < json_array_size(s.rows) && *n < max; i++)
			*n += uuid_parse(
			    str_from(json_str(json_array_get(s.rows, i), "id")), &ids[*n]);
		s.offset += AGAIN_SLICE;
	} while (s.has_more && *n < max);
	*has_more = s.has_more;
	return 0;
}

static void deliveries_tell_again(struct req *r, size_t n, bool has_more)
{
	if (n == 0)
		chrome_flash(r, "error",
		    "Nothing was sent: what is selected was taken already, or is gone.");
	else
		chrome_flash(r, "ok", "Sending %zu again. Reload to see the result.%s", n,
		    has_more ? " These are the newest; press again for the others." : "");
}

/* The list that the form was sent from. */
static const char *deliveries_address(struct req *r)
{
	struct buf *b = buf_new(r->a, LIMIT_URL_BYTES);

	buf_str(b, ADDRESS "?status=");
	percent_encode(b, req_form(r, "status"));
	buf_str(b, "&connectionId=");
	percent_encode(b, req_form(r, "connectionId"));
	return buf_ok(b) ? b->p : ADDRESS;
}

int crm_page_deliveries_push(struct req *r)
{
	struct uuid *ids = arena_array(r->a, AGAIN_AT_ONCE, sizeof(*ids));
	struct err err = ERR_INIT;
	size_t n, sent = 0;
	bool has_more = false;

	if (!str_is(req_form(r, "scope"), "all"))
		n = deliveries_ticked(r, ids, AGAIN_AT_ONCE);
	else if (deliveries_matching(r, ids, AGAIN_AT_ONCE, &n, &has_more, &err) == -1)
		return res_error(r, &err);
	for (size_t i = 0; i < n; i++) {
		struct delivery_again again = {.r = r, .id = &ids[i]};

		if (db_transaction(r->app->db, delivery_again_body, &again, &err) == -1)
			return res_error(r, &err);
		sent += again.found == 1;
	}
	deliveries_tell_again(r, sent, has_more);
	return res_redirect(r, deliveries_address(r));
}
