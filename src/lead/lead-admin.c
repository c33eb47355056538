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
static void add_titles(json_t *rows)
{
	static const char *const keys[] = {"fullName", "email", "phoneNumber", "providerLeadId"};
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *title = NULL;
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]) && title == NULL; k++) {
			title = json_str(row, keys[k]);
			if (title != NULL && title[0] == '\0')
				title = NULL;
		}
		json_set_str(row, "title", title != NULL ? title : "Lead");
	}
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
	if (lead_list(r->app, r->a, &f, &page, &err) < 0 ||
	    (decorate != NULL && decorate(r->app, r->a, &r->actor.account_id, page.rows, &err) < 0))
		return res_error(r, &err);
	provider_label_rows(r->app, page.rows);
	add_titles(page.rows);
	data = json_object();
	json_set(data, "rows", json_incref(page.rows));
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
