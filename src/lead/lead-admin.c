/* The list of leads. One lead's page shows its destinations too and so belongs to crm. */
#include "lead/lead-admin.h"

#include "base/limits.h"
#include "html/chrome.h"
#include "provider/connection-admin.h"

#define PAGE_ROWS 50

static lead_decorate_fn *decorate;

void lead_page_set_decorator(lead_decorate_fn *fn)
{
	decorate = fn;
}

static const char *list_scope(struct req *r, const struct lead_filter *f)
{
	struct buf *b = buf_new(r->a, LIMIT_URL_BYTES);
	const struct str parts[] = {f->provider_type, f->sync_status, f->search};

	buf_printf(b, "leads page %s", uuid_dup(r->a, r->actor.account_id));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		buf_printf(b, "&%zu:", parts[i].n);
		buf_add(b, parts[i].p != NULL ? parts[i].p : "", parts[i].n);
	}
	return b->p;
}

/* A lead without a name goes by its email, its phone number, or its id at the provider. */
const char *lead_page_title(const json_t *lead)
{
	static const char *const keys[] = {"fullName", "email", "phoneNumber", "providerLeadId"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *text = json_str(lead, keys[i]);
		if (text != NULL && text[0] != '\0')
			return text;
	}
	return "Lead";
}

int lead_page_rows(struct req *r, json_t *rows, struct err *err)
{
	json_t *row;
	size_t i;

	if (decorate != NULL && decorate(r->app, r->a, &r->actor.account_id, rows, err) < 0)
		return -1;
	provider_label_rows(r->app, rows);
	json_array_foreach(rows, i, row)
	{
		struct str stage = str_from(json_str(row, "stage"));
		json_set_str(row, "title", lead_page_title(row));
		json_set_bool(row, "stage_failed", str_is(stage, "failed"));
		json_set_bool(row, "stage_waiting", str_is(stage, "received"));
	}
	return 0;
}

int lead_page_list(struct req *r)
{
	static const char *const statuses[] = {
	    "pending", "success", "partial", "failed", "dead", "none"};
	static const char *const labels[] = {
	    "Pending", "Delivered", "Partly delivered", "Failed", "Given up", "No destination"};
	struct lead_filter f = {.account_id = r->actor.account_id,
	    .provider_type = chrome_query_text(r, "providerType"),
	    .sync_status = chrome_query_text(r, "status"),
	    .search = chrome_query_text(r, "search")};
	struct lead_page page = {.limit = PAGE_ROWS};
	struct str cursor = chrome_query_text(r, "cursor");
	const char *scope = list_scope(r, &f);
	struct err err = ERR_INIT;
	json_t *data;

	if (cursor.n > 0 && !cursor_read(r, scope, cursor, &page.after_us, &page.after_id))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	if (lead_list(r->app, r->a, &f, &page, &err) < 0 || lead_page_rows(r, page.rows, &err) < 0)
		return res_error(r, &err);
	data = json_object();
	json_set(data, "rows", json_incref(page.rows));
	json_set_bool(data, "has_rows", json_array_size(page.rows) > 0);
	json_set(data, "providers", provider_choices(r, "providerType", "lead_sync"));
	json_set(data, "statuses",
	    chrome_choices(r, "status", statuses, labels, sizeof(statuses) / sizeof(statuses[0])));
	json_set_strn(data, "search", f.search);
	json_set_bool(
	    data, "is_filtered", f.provider_type.n > 0 || f.sync_status.n > 0 || f.search.n > 0);
	json_set_bool(data, "is_later_page", cursor.n > 0);
	json_set_str(data, "first_href", chrome_link(r, "cursor", (struct str){NULL, 0}));
	json_set_str(data, "next_href",
	    !page.has_more ? NULL
			   : chrome_link(r, "cursor",
				 str_from(cursor_make(r, scope, page.last_us, page.last_id))));
	return chrome_page(r, 200, "leads", "Leads", "lead/list", data);
}
