/* The list of leads, and what other lists of them show. One lead's page shows its destinations too
 * and so belongs to crm. */
#include "lead/lead-pages.h"

#include <string.h>

#include "account/permission.h"
#include "base/path.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "record/record-pages.h"

#define MATCHING_SLICE 100

enum {
	STAGE_LEAD,
	STAGE_NAME,
	STAGE_RECEIVED_AT,
	STAGE_CONNECTION,
	STAGE_SYNC,
	STAGE_DUPLICATE_OF
};
DB_STMT_ROWS(lead_page_stages,
    "SELECT id, stage, received_at, connection_id, sync_status, duplicate_of FROM leads WHERE "
    "account_id = ? AND id IN (",
    "?", ")");

void lead_hide_answers(const struct req *r, json_t *destinations)
{
	static const char *const told[] = {
	    "lastError", "lastStatus", "externalId", "answer", "request"};
	json_t *d;
	size_t i;

	if ((r->actor.permissions & PERMIT(CRM_VIEW)) != 0)
		return;
	json_array_each(destinations, i, d) {
		for (size_t k = 0; k < sizeof(told) / sizeof(told[0]); k++)
			if (json_object_get(d, told[k]) != NULL)
				json_set(d, told[k], json_null());
		if (json_object_get(d, "missing") != NULL)
			json_set(d, "missing", json_array());
	}
}

/* The ledger belongs to a feature above this one. */
int lead_add_destinations(struct req *r, json_t *leads, struct err *err)
{
	lead_decorate_fn *decorate = r->app->hooks.lead_decorate;
	json_t *lead;
	size_t i;

	if (decorate != NULL && decorate(r->app, r->a, &r->actor.account_id, leads, err) == -1)
		return -1;
	json_array_each(leads, i, lead)
		lead_hide_answers(r, json_object_get(lead, "destinations"));
	return 0;
}

/* ---- what became of a lead, in one chip ------------------------------------------------------ */

struct delivery_sum {
	size_t n, taken, failed, waiting; /* destinations, but those it was not for */
	size_t retrying;                  /* of those that failed */
	const json_t *culprit;            /* the first that failed, for good rather than for now */
	const char *missing;              /* those that failed for good, by their names */
	const char *retried;              /* those that failed and are tried again */
	const json_t *waiter;             /* the last that waits */
	const char *again_at;             /* the next try, where there is one to come */
};

static bool delivery_is(const json_t *destination, const char *status)
{
	return str_is(str_from(json_str(destination, "status")), status);
}

static void names_add(struct arena *a, const char **names, const char *name)
{
	*names = *names == NULL ? name : arena_printf(a, "%s, %s", *names, name);
}

static struct delivery_sum deliveries_sum(struct arena *a, const json_t *destinations)
{
	struct delivery_sum sum = {0};

	for (size_t i = 0; i < json_array_size(destinations); i++) {
		const json_t *d = json_array_get(destinations, i);
		const char *next =
		    json_time(d, "nextAttemptAt") > 0 ? json_str(d, "nextAttemptAt") : NULL;

		if (delivery_is(d, LEAD_SYNC_SKIPPED))
			continue;
		sum.n++;
		sum.taken += delivery_is(d, LEAD_SYNC_SUCCESS);
		if (delivery_is(d, LEAD_SYNC_PENDING)) {
			sum.waiting++;
			sum.waiter = d;
		}
		if (!delivery_is(d, LEAD_SYNC_FAILED) && !delivery_is(d, LEAD_SYNC_DEAD))
			continue;
		sum.failed++;
		sum.retrying += next != NULL;
		names_add(a, next == NULL ? &sum.missing : &sum.retried, json_str(d, "name"));
		if (next == NULL && (sum.culprit == NULL || sum.again_at != NULL)) {
			sum.culprit = d;
			sum.again_at = NULL;
		} else if (sum.culprit == NULL) {
			sum.culprit = d;
			sum.again_at = next;
		}
	}
	return sum;
}

static json_t *delivery_chip(const char *kind, const char *word)
{
	json_t *o = json_object();

	json_set_str(o, "kind", kind);
	json_set_str(o, "word", word);
	return o;
}

/* "Failed" is what nobody took; what one took and another did not, for good, is partly there. */
static json_t *delivery_chip_failed(const struct delivery_sum *sum)
{
	return sum->again_at != NULL ? delivery_chip("retrying", "Retrying")
	       : sum->taken > 0      ? delivery_chip(LEAD_SYNC_PARTIAL, "Partly delivered")
				     : delivery_chip(LEAD_SYNC_FAILED, "Failed");
}

/* How many destinations the word is of, where it is not of all: a bare 2/2 reads as a last try. */
static const char *chip_share(struct arena *a, const char *kind, const struct delivery_sum *sum)
{
	if (sum->n < 2 || sum->taken == sum->n)
		return NULL;
	if (str_is(str_from(kind), LEAD_SYNC_PARTIAL))
		return arena_printf(a, "to %zu of %zu", sum->taken, sum->n);
	if (str_is(str_from(kind), LEAD_SYNC_PENDING))
		return arena_printf(a, "to %zu of %zu", sum->waiting, sum->n);
	return arena_printf(a, "at %zu of %zu",
	    sum->missing == NULL ? sum->retrying : sum->failed - sum->retrying, sum->n);
}

/* Who does not have it, each told as what it is. */
static const char *chip_lackers(struct arena *a, const struct delivery_sum *sum)
{
	const char *text = sum->missing == NULL ? sum->retried
			   : sum->taken == 0    ? sum->missing
						: arena_printf(a, "missing at %s", sum->missing);

	if (sum->missing != NULL && sum->retried != NULL)
		text = arena_printf(a, "%s; retrying %s", text, sum->retried);
	return sum->waiting == 0
		   ? text
		   : arena_printf(a, "%s; sending to %s%s", text, json_str(sum->waiter, "name"),
			 sum->waiting == 1 ? "" : " and others");
}

/* NULL: there was no destination. */
static json_t *delivery_chip_of(struct arena *a, const json_t *destinations)
{
	struct delivery_sum sum = deliveries_sum(a, destinations);
	json_t *chip;

	if (json_array_size(destinations) == 0)
		return NULL;
	if (sum.n == 0)
		return delivery_chip(LEAD_SYNC_SKIPPED, "Skipped");
	chip = sum.failed > 0    ? delivery_chip_failed(&sum)
	       : sum.waiting > 0 ? delivery_chip(LEAD_SYNC_PENDING, "Sending")
				 : delivery_chip(LEAD_SYNC_SUCCESS, "Delivered");
	json_set_str(chip, "share", chip_share(a, json_str(chip, "kind"), &sum));
	if (sum.failed == 0 && sum.waiting == 1 && sum.taken > 0)
		json_set_str(chip, "who", json_str(sum.waiter, "name"));
	if (sum.failed > 0) {
		json_set_str(chip, "who", chip_lackers(a, &sum));
		connection_tell_push_error(
		    a, chip, json_str(sum.culprit, "name"), json_str(sum.culprit, "lastError"));
		json_set_str(chip, "why", json_str(chip, "error_words"));
		/* a time that has passed is no promise: it waits for its turn */
		json_set_str(chip, "at",
		    sum.again_at != NULL && json_time(sum.culprit, "nextAttemptAt") > clock_now_us()
			? sum.again_at
			: NULL);
	}
	return chip;
}

void lead_show_delivery(struct arena *a, json_t *row, struct str stage)
{
	json_t *chip = lead_stage_is_lacking(stage.p) ? delivery_chip(LEAD_FAILED, "No details")
		       : str_is(stage, LEAD_RECEIVED)
			   ? delivery_chip(LEAD_RECEIVED, "Being prepared")
		       : str_is(str_from(json_str(row, "syncStatus")), LEAD_SYNC_DUPLICATE)
			   ? delivery_chip(LEAD_SYNC_SKIPPED, "Duplicate")
			   : delivery_chip_of(a, json_object_get(row, "destinations"));

	json_set(row, "delivery", chip != NULL ? chip : json_null());
}

int lead_page_rows(struct req *r, json_t *rows, struct err *err)
{
	json_t *row;
	size_t i;

	if (lead_add_destinations(r, rows, err) == -1 ||
	    connection_label_rows(r, rows, err) == -1 || lead_add_titles(r, rows, "id", err) == -1)
		return -1;
	json_array_each(rows, i, row) {
		json_set_bool(row, "is_duplicate", json_str(row, "duplicateOf") != NULL);
		lead_show_delivery(r->a, row, str_from(json_str(row, "stage")));
	}
	return 0;
}

/* ---- the list: a saved view over the records of type lead ----------------------------------- */

/* Leads of one delivery status, or in the order in which they were received, are found in their own
 * table, which has an index for it. */
static bool is_of_leads_table(const struct record_browse *b)
{
	return b->extra.n > 0 || b->is_by_received;
}

static struct lead_filter browse_lead_filter(const struct record_browse *b)
{
	struct lead_filter f = {.account_id = b->r->actor.account_id,
	    .provider_type = b->f.provider_type,
	    .sync_status = b->extra.n > 0 ? b->extra : (struct str){NULL, 0},
	    .connection_id = b->f.lead_connection,
	    .search = b->f.search,
	    .received_after = b->received.after,
	    .received_before = b->received.before};

	if (f.sync_status.p == NULL && b->f.lead_status.n > 0)
		f.sync_status = b->f.lead_status;
	return f;
}

static int leads_load_by_status(struct record_browse *b, json_t **leads, struct err *err)
{
	struct lead_filter f = browse_lead_filter(b);

	if (lead_list(b->r->app, b->r->a, &f, &b->slice.s, err) == -1)
		return -1;
	*leads = b->slice.s.rows;
	return 0;
}

/* All that list_of_records can ask for, and that lead_list does not. */
static bool record_fits_where(const struct record_browse *b, const json_t *record)
{
	const int64_t at_us = json_time(record, "updatedAt");

	if (at_us < opt_time_or(b->f.updated_after, INT64_MIN) ||
	    at_us >= opt_time_or(b->f.updated_before, INT64_MAX))
		return false;
	if (b->extra.n > 0 && b->f.lead_status.n > 0 && !str_eq(b->extra, b->f.lead_status) &&
	    !str_eq(lead_status_stored(b->extra), b->f.lead_status))
		return false;
	return record_where_fits_json(b->r->a, &b->f, json_object_get(record, "data")) &&
	       (b->f.source.p == NULL || str_is(b->f.source, json_str(record, "source"))) &&
	       (uuid_is_nil(b->f.connection) || str_is(str_from(json_str(record, "connectionId")),
						    uuid_dup(b->r->a, b->f.connection)));
}

/* A lead whose record was deleted is shown by what it says itself. */
static json_t *lead_as_record(struct arena *a, const json_t *lead)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "id", json_str(lead, "id"));
	json_set_str(o, "providerType", json_str(lead, "providerType"));
	json_set_str(o, "externalId", json_str(lead, "providerLeadId"));
	json_set_str(o, "updatedAt", json_str(lead, "updatedAt"));
	json_set_str(o, "leadId", json_str(lead, "id"));
	json_set(o, "data", json_deep_copy(lead));
	return o;
}

static int records_load_by_status(struct record_browse *b, struct err *err)
{
	struct req *r = b->r;
	json_t *leads, *lead, *record;
	size_t i;

	b->slice.s.rows = json_own(r->a, json_array());
	if (leads_load_by_status(b, &leads, err) == -1)
		return record_browse_note_error(b, err) ? 0 : -1;
	b->slice.s.rows = json_own(r->a, json_array());
	json_array_each(leads, i, lead) {
		struct uuid id;
		int found =
		    !uuid_parse(str_from(json_str(lead, "recordId")), &id)
			? 0
			: record_get_json(r->app, r->a, &r->actor.account_id, &id, &record, err);

		if (found == -1)
			return -1;
		if (found == 0)
			record = lead_as_record(r->a, lead);
		if (record_fits_where(b, record))
			json_array_append(b->slice.s.rows, record);
	}
	return 0;
}

/* Stage and time of the leads behind the rows. */
static int leads_add_stages(struct req *r, json_t *leads, struct err *err)
{
	size_t n = json_array_size(leads);
	struct uuid *ids = arena_array(r->a, n + 1, sizeof(*ids));
	struct db_val *v = arena_array(r->a, n + 1, sizeof(*v));
	struct db_rows rows;

	for (size_t i = 0; i < n; i++) {
		uuid_parse(str_from(json_str(json_array_get(leads, i), "id")), &ids[i]);
		v[i] = db_uuid(&ids[i]);
	}
	if (n == 0)
		return 0;
	if (db_query_rows(r->app->db, r->a, &lead_page_stages,
		DB_VALS(db_uuid(&r->actor.account_id)), v, n, 1, &rows, err) == -1)
		return -1;
	for (size_t k = 0; k < rows.count; k++) {
		for (size_t i = 0; i < n; i++) {
			if (!uuid_eq(ids[i], db_get_uuid(&rows, k, STAGE_LEAD)))
				continue;
			json_set_strn(
			    json_array_get(leads, i), "stage", db_get_str(&rows, k, STAGE_NAME));
			json_set_time(json_array_get(leads, i), "receivedAt",
			    db_get_int(&rows, k, STAGE_RECEIVED_AT));
			json_set_str(json_array_get(leads, i), "connectionId",
			    uuid_dup(r->a, db_get_uuid(&rows, k, STAGE_CONNECTION)));
			json_set_strn(json_array_get(leads, i), "syncStatus",
			    db_get_str(&rows, k, STAGE_SYNC));
			json_set_bool(json_array_get(leads, i), "is_duplicate",
			    !db_is_null(&rows, k, STAGE_DUPLICATE_OF));
		}
	}
	return 0;
}

/* Adds what a lead has beyond its record. A record of this type that is no lead (imported) leads to
 * its own page. */
static int rows_add_lead_parts(struct req *r, json_t *rows, struct err *err)
{
	json_t *leads = json_own(r->a, json_array()), *row;
	size_t i, k = 0;

	json_array_each(rows, i, row) {
		json_t *lead = json_object();

		if (json_str(row, "leadId") != NULL) {
			json_set_str(lead, "id", json_str(row, "leadId"));
			json_array_append(leads, lead);
		}
		json_decref(lead);
	}
	if (leads_add_stages(r, leads, err) == -1 || lead_add_destinations(r, leads, err) == -1 ||
	    lead_add_titles(r, leads, "id", err) == -1)
		return -1;
	json_array_each(rows, i, row) {
		bool is_lead = json_str(row, "leadId") != NULL;
		const json_t *lead = is_lead ? json_array_get(leads, k++) : NULL;
		struct str stage = str_from(json_str(lead, "stage"));

		json_set_str(row, "href",
		    is_lead ? arena_printf(r->a, LEADS_PAGE_ADDRESS "/%s", json_str(row, "leadId"))
			    : arena_printf(r->a, RECORD_PAGE_ADDRESS "/%s", json_str(row, "id")));
		json_set_bool(row, "is_lead", is_lead);
		if (json_str(lead, "title") != NULL)
			json_set_str(row, "title", json_str(lead, "title"));
		json_set(row, "destinations", json_incref(json_object_get(lead, "destinations")));
		json_set_str(row, "connectionId", json_str(lead, "connectionId"));
		json_set_str(row, "syncStatus", json_str(lead, "syncStatus"));
		json_set_bool(
		    row, "is_duplicate", json_is_true(json_object_get(lead, "is_duplicate")));
		lead_show_delivery(r->a, row, stage);
		json_set_str(row, "receivedAt",
		    json_str(lead, "receivedAt") != NULL ? json_str(lead, "receivedAt")
							 : json_str(row, "firstSeenAt"));
	}
	return 0;
}

/* The account's view of that name says columns, order and filter; the address says more. 1, 0 with
 * the answer given, -1. */
static int lead_list_read(struct req *r, struct record_browse *b, struct err *err)
{
	struct view v;
	int rc = view_load(r, NULL, STR(VIEW_LEADS), &v, err), has_copies;

	if (rc == 1)
		view_browse(r, v.query, b);
	if (rc == -1 ||
	    (has_copies = record_has_copies(r->app, r->a, &r->actor.account_id, err)) == -1)
		return -1;
	if (has_copies == 1)
		b->f.copies = STR(RECORD_COPIES_NONE);
	b->f.account_id = r->actor.account_id;
	b->f.resource_type = STR("lead");
	b->view_columns = b->columns;
	b->columns = NULL;
	b->extra_name = STR("status");
	b->extra = req_query_text(r, "status");
	b->has_received = true;
	return record_browse_read(b);
}

/* When leads were received is known to their own export alone; what it does not know is refused. */
static void lead_show_exports(const struct record_browse *b, json_t *data)
{
	static const char *const formats[][2] = {{"csv_href", "csv"}, {"ndjson_href", "ndjson"}};
	struct arena *a = b->r->a;
	struct lead_filter f = browse_lead_filter(b);
	bool is_told = b->f.nwhere == 0 && b->f.source.p == NULL && uuid_is_nil(b->f.connection) &&
		       !b->f.updated_after.is_given && !b->f.updated_before.is_given;

	for (size_t i = 0; record_browse_has_span(b) && i < 2; i++)
		json_set_str(data, formats[i][0],
		    !is_told ? NULL
			     : arena_printf(a, LEADS_PAGE_ADDRESS "/export?format=%s&%s",
				   formats[i][1], filter_query(a, &list_of_leads, &f)));
}

/* Leads that are listed since they were not delivered: with what was said, instead of the usual
 * columns, and to be sent again all at once. */
static void lead_list_show_failures(const struct record_browse *b, json_t *data)
{
	json_t *row;
	size_t i;

	if (!str_is(b->extra, LEAD_SYNC_FAILED) && !str_is(b->extra, LEAD_SYNC_DEAD) &&
	    !str_is(b->extra, LEAD_SYNC_PARTIAL))
		return;
	json_set_bool(data, "has_failed", json_array_size(b->slice.s.rows) > 0);
	if (b->columns != NULL)
		return;
	json_set(data, "columns", json_array());
	json_array_each(b->slice.s.rows, i, row)
		json_set(row, "cells", json_array());
}

/* Leads that arrived at one destination and not at another stand among the delivered ones: whoever
 * looks for what was not delivered is told of them, and of what their own list leaves out. */
static int lead_list_show_partial(const struct record_browse *b, json_t *data, struct err *err)
{
	const bool is_of_partial = str_is(b->extra, LEAD_SYNC_PARTIAL);
	bool is_cut;
	int64_t n;

	if (!is_of_partial && !str_is(b->extra, LEAD_SYNC_FAILED) &&
	    !str_is(b->extra, LEAD_SYNC_DEAD) && !str_is(b->extra, LEAD_SYNC_SUCCESS))
		return 0;
	if (leads_count_partial(b->r->app, b->r->a, &b->r->actor.account_id, &n, &is_cut, err) ==
	    -1)
		return -1;
	json_set_int(data, "partial", is_of_partial ? 0 : n);
	json_set_bool(data, "is_one_partial", n == 1);
	json_set_bool(data, "is_partial_of_these", str_is(b->extra, LEAD_SYNC_SUCCESS));
	json_set_int(data, "partial_most", is_of_partial && is_cut ? LEADS_MISSED_MOST : 0);
	return 0;
}

static int lead_list_show(struct record_browse *b, json_t *data, struct err *err)
{
	struct req *r = b->r;
	json_t *rows = b->slice.s.rows, *connections;

	if (connection_choices_of(r, "leadConnectionId", "lead_sync", &connections, err) == -1 ||
	    record_browse_show(b, data, err) == -1 ||
	    record_columns_show(b, data, rows, err) == -1 || view_show(b, data, err) == -1 ||
	    record_browse_show_meant(b, data, err) == -1 ||
	    rows_add_lead_parts(r, rows, err) == -1 || lead_list_show_partial(b, data, err) == -1 ||
	    connection_label_rows(r, rows, err) == -1 ||
	    (json_array_size(rows) == 0 &&
		connection_show_waiting(r, "lead_sync", data, err) == -1))
		return -1;
	json_set(data, "rows", json_incref(rows));
	json_set_bool(data, "has_rows", json_array_size(rows) > 0);
	json_set_bool(data, "has_any",
	    json_array_size(rows) > 0 || b->slice.s.has_more || b->slice.s.page != 1 ||
		b->wrong != NULL || json_is_true(json_object_get(data, "is_filtered")));
	json_set_bool(data, "is_leads_page", true);
	json_set_bool(data, "may_test_lead", (r->actor.permissions & PERMIT(LEADS_WRITE)) != 0);
	json_set_strn(data, "status", b->extra);
	lead_list_show_failures(b, data);
	if (json_array_size(rows) > 0 && lead_add_figures(r, data, err) == -1)
		return -1;
	json_set_bool(data, "can_add", (r->actor.permissions & PERMIT(LEADS_WRITE)) != 0);
	json_set_bool(data, "can_push", (r->actor.permissions & PERMIT(CRM_WRITE)) != 0);
	json_set_bool(data, "sees_records", (r->actor.permissions & PERMIT(RECORDS_VIEW)) != 0);
	json_set(data, "providers", provider_choices(r, "providerType", "lead_sync"));
	json_set(data, "lead_connections", json_incref(connections));
	json_set_bool(data, "has_lead_connections", json_array_size(connections) > 1);
	json_set(data, "statuses", chrome_choices(r, "status", lead_sync_statuses));
	json_set_bool(data, "is_leads_alone", b->is_by_received && b->extra.n == 0);
	lead_show_exports(b, data);
	if (is_of_leads_table(b)) /* there is no way back by cursor */
		json_set_str(data, "previous_href", NULL);
	return 0;
}

static int leads_load(struct record_browse *b, struct err *err)
{
	return is_of_leads_table(b) && b->wrong == NULL ? records_load_by_status(b, err)
							: record_browse_load(b, err);
}

int lead_page_matching(
    struct req *r, struct uuid *ids, size_t max, size_t *n, bool *has_more, struct err *err)
{
	struct record_browse b;

	*n = 0;
	*has_more = false;
	if (!record_browse_of_form(r, &b))
		return err_set(err, ERR_INVALID, "The list that this was sent from cannot be read");
	b.f.resource_type = STR("lead");
	b.extra = req_form(r, "status");
	b.is_by_received = record_browse_has_span(&b);
	b.slice.s.limit = MATCHING_SLICE;
	do {
		if (leads_load(&b, err) == -1)
			return -1;
		for (size_t i = 0; i < json_array_size(b.slice.s.rows) && *n < max; i++) {
			const char *id = json_str(json_array_get(b.slice.s.rows, i), "leadId");

			*n += id != NULL && uuid_parse(str_from(id), &ids[*n]);
		}
		*has_more = b.slice.s.has_more;
		b.slice.s.offset += MATCHING_SLICE;
	} while (b.slice.s.has_more && *n < max);
	return 0;
}

int lead_page_list(struct req *r)
{
	struct record_browse b = {.r = r, .address = LEADS_PAGE_ADDRESS, .is_type_fixed = true};
	struct err err = ERR_INIT;
	json_t *data = json_own(r->a, json_object());
	int rc = lead_list_read(r, &b, &err);

	if (rc == -1)
		return res_error(r, &err);
	if (rc == 0)
		return 0;
	if (is_of_leads_table(&b) && b.is_back)
		return res_redirect(r, record_browse_link(&b));
	if (leads_load(&b, &err) == -1)
		return res_error(r, &err);
	if (record_browse_is_beyond(&b))
		return res_redirect(r, record_browse_link(&b));
	if (lead_list_show(&b, data, &err) == -1)
		return res_error(r, &err);
	return chrome_page(
	    r, b.wrong != NULL ? 422 : 200, "leads", "Leads", "lead/list", json_incref(data));
}
