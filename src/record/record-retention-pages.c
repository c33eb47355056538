/* The page of how long records are kept. What deletes asks once. */
#include <string.h>

#include "account/account.h"
#include "html/chrome.h"
#include "record/record-pages.h"
#include "record/record-retention.h"

#define ADDRESS "/admin/settings/retention"

#define ROWS_MOST 1000 /* types of one form */

/* What a form wants of one type. */
struct rule_wish {
	struct retention_rule rule; /* days 0: forever */
	struct str sent;            /* as it was typed */
	const char *refused;        /* why it cannot be; NULL: it can */
};
/* All that a form wants to change: the rows of the page, or one type that it names. */
struct rule_wishes {
	struct req *r;
	struct rule_wish *v;
	size_t n;
};

static const char *days_text(struct arena *a, int64_t days)
{
	return arena_printf(a, "%lld day%s", (long long)days, plural_s(days));
}

/* ---- the page ------------------------------------------------------------------------------ */

static void rule_show(struct arena *a, json_t *o, const struct retention_rule *rule)
{
	json_set_str(o, "value", arena_printf(a, "%lld", (long long)rule->days));
	json_set_str(o, "days_text", days_text(a, rule->days));
	json_set_int(o, "due", rule->due);
	json_set_bool(o, "is_one", rule->due == 1);
	json_set_bool(o, "is_exact", rule->due_is_exact);
}

static const struct rule_wish *wish_of_type(const struct rule_wishes *w, struct str type)
{
	for (size_t i = 0; w != NULL && i < w->n; i++)
		if (str_eq(w->v[i].rule.resource_type, type))
			return &w->v[i];
	return NULL;
}

/* rule: NULL where there is none. */
static void retention_add_row(struct req *r, json_t *rows, struct str type, int64_t count,
    const struct retention_rule *rule, const struct rule_wishes *wishes)
{
	const struct rule_wish *wish = wish_of_type(wishes, type);
	json_t *o = json_object();

	json_set_int(o, "index", (int64_t)json_array_size(rows));
	json_set_strn(o, "resource_type", type);
	json_set_int(o, "count", count);
	json_set_str(o, "value", "");
	if (rule != NULL)
		rule_show(r->a, o, rule);
	if (wish != NULL)
		json_set_strn(o, "value", wish->sent);
	json_set_str(o, "wrong", wish == NULL ? NULL : wish->refused);
	json_set_bool(o, "has_rule", rule != NULL);
	json_array_append_new(rows, o);
}

static const struct retention_rule *rule_of_type(
    const struct retention_rule *rules, size_t n, struct str type)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(rules[i].resource_type, type))
			return &rules[i];
	return NULL;
}

/* The types that have records, then those with a rule alone. */
static int retention_show_types(
    struct req *r, json_t *data, const struct rule_wishes *wishes, struct err *err)
{
	struct retention_rule *rules;
	json_t *summary, *types, *count, *rows = json_array();
	const char *type;
	size_t n;

	json_set(data, "rows", rows);
	if (record_summary(r->app, r->a, &r->actor.account_id, &summary, err) == -1 ||
	    retention_list(r->app, r->a, &r->actor.account_id, &rules, &n, err) == -1)
		return -1;
	types = json_object_get(summary, "byResourceType");
	json_object_each(types, type, count) {
		struct str name = str_from(type);

		retention_add_row(
		    r, rows, name, json_integer_value(count), rule_of_type(rules, n, name), wishes);
	}
	for (size_t i = 0; i < n; i++) {
		struct str name = rules[i].resource_type;

		if (json_object_get(types, arena_strndup(r->a, name.p, name.n)) == NULL)
			retention_add_row(r, rows, name, 0, &rules[i], wishes);
	}
	json_set_int(data, "row_count", (int64_t)json_array_size(rows));
	json_set_bool(data, "has_rows", json_array_size(rows) > 0);
	return 0;
}

/* The first that was refused: at its row, or where the form names a type of no row. */
static void retention_show_refused(struct req *r, json_t *data, const struct rule_wishes *wishes)
{
	const struct rule_wish *first = NULL;
	bool is_listed = false;
	json_t *row;
	size_t i;

	for (i = 0; wishes != NULL && i < wishes->n && first == NULL; i++)
		first = wishes->v[i].refused != NULL ? &wishes->v[i] : NULL;
	json_set_bool(data, "is_other_open", false);
	if (first == NULL)
		return;
	json_array_each(json_object_get(data, "rows"), i, row)
		is_listed =
		    is_listed || str_is(first->rule.resource_type, json_str(row, "resource_type"));
	chrome_wrong(r, data, "days", first->refused);
	json_set_bool(data, "is_other_open", !is_listed);
	json_set_strn(data, "other_type", first->rule.resource_type);
	json_set_strn(data, "other_days", first->sent);
}

static int retention_show(struct req *r, int status, const struct rule_wishes *wishes)
{
	json_t *data = json_own(r->a, json_object());
	struct err err = ERR_INIT;

	if (retention_show_types(r, data, wishes, &err) == -1)
		return res_error(r, &err);
	retention_show_refused(r, data, wishes);
	json_set_bool(data, "can_write", (r->actor.permissions & PERMIT(SETTINGS_WRITE)) != 0);
	json_set_bool(data, "can_view", (r->actor.permissions & PERMIT(RECORDS_VIEW)) != 0);
	return chrome_settings(
	    r, status, "retention", "Data retention", "record/retention", json_incref(data));
}

int record_page_retention_moved(struct req *r)
{
	return res_redirect(r, ADDRESS);
}

int record_page_retention(struct req *r)
{
	return retention_show(r, 200, NULL);
}

/* ---- what a form wants --------------------------------------------------------------------- */

static void wish_check(struct req *r, struct rule_wish *w)
{
	if (!record_type_is_valid(w->rule.resource_type))
		w->refused = "A type is 1 to 64 letters, digits, dots, dashes or underscores";
	else if (w->sent.n > 0 && !str_to_i64(w->sent, 1, RETENTION_DAYS_MAX, &w->rule.days))
		w->refused = arena_printf(
		    r->a, "Days must be a whole number from 1 to %d", RETENTION_DAYS_MAX);
}

static struct rule_wish wish_read(struct req *r, const char *type_name, const char *days_name)
{
	struct rule_wish w = {.rule.resource_type = utf8_trim(req_form(r, type_name)),
	    .sent = utf8_trim(req_form(r, days_name))};

	wish_check(r, &w);
	return w;
}

static bool wish_changes(
    const struct rule_wish *w, const struct retention_rule *rules, size_t nrules)
{
	const struct retention_rule *rule = rule_of_type(rules, nrules, w->rule.resource_type);

	return w->refused != NULL || w->rule.days != (rule == NULL ? 0 : rule->days);
}

/* The rows that say something else than what is stored; what names one type is always meant. */
static int wishes_read(struct req *r, struct rule_wishes *w, struct err *err)
{
	struct retention_rule *rules;
	size_t nrules;
	int64_t rows;

	*w = (struct rule_wishes){.r = r};
	if (!str_to_i64(req_form(r, "rows"), 0, ROWS_MOST, &rows)) {
		w->v = arena_array(r->a, 1, sizeof(*w->v));
		w->v[w->n++] = wish_read(r, "resourceType", "days");
		return 0;
	}
	if (retention_list(r->app, r->a, &r->actor.account_id, &rules, &nrules, err) == -1)
		return -1;
	w->v = arena_array(r->a, (size_t)rows + 1, sizeof(*w->v));
	for (int64_t i = 0; i < rows; i++) {
		struct rule_wish one = wish_read(r, arena_printf(r->a, "type_%lld", (long long)i),
		    arena_printf(r->a, "days_%lld", (long long)i));

		if (wish_changes(&one, rules, nrules))
			w->v[w->n++] = one;
	}
	return 0;
}

static bool wishes_are_refused(const struct rule_wishes *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->v[i].refused != NULL)
			return true;
	return false;
}

/* How many records they would delete. */
static int wishes_count_due(struct rule_wishes *w, int64_t *due, struct err *err)
{
	*due = 0;
	for (size_t i = 0; i < w->n; i++) {
		if (w->v[i].rule.days > 0 && retention_count_due(w->r->app, w->r->a,
						 &w->r->actor.account_id, &w->v[i].rule, err) == -1)
			return -1;
		*due += w->v[i].rule.due;
	}
	return 0;
}

/* ---- changes ------------------------------------------------------------------------------- */

static int retention_ask(const struct rule_wishes *w, int64_t due)
{
	struct req *r = w->r;
	json_t *data = json_object(), *list = json_array(), *rest = json_array();
	bool is_exact = true;

	json_set(data, "wishes", list);
	json_set(data, "rest", rest);
	for (size_t i = 0; i < w->n; i++) {
		const struct retention_rule *rule = &w->v[i].rule;
		json_t *o = json_object();

		json_set_int(o, "index", (int64_t)i);
		json_set_strn(o, "resource_type", rule->resource_type);
		json_set_strn(o, "sent", w->v[i].sent);
		json_set_bool(o, "is_lead", str_is(rule->resource_type, "lead"));
		rule_show(r->a, o, rule);
		json_array_append(rest, o);
		if (rule->due > 0) {
			json_array_append(list, o);
			is_exact = is_exact && rule->due_is_exact;
		}
		json_decref(o);
	}
	json_set_int(data, "row_count", (int64_t)w->n);
	json_set_int(data, "due", due);
	json_set_bool(data, "is_one", due == 1);
	json_set_bool(data, "is_exact", is_exact);
	json_set_str(data, "of_type",
	    json_array_size(list) == 1 ? json_str(json_array_get(list, 0), "resource_type") : NULL);
	return chrome_page(r, 200, "settings", "Please confirm", "record/retention-confirm", data);
}

static void retention_flash(const struct rule_wishes *w)
{
	const struct retention_rule *rule = w->n == 1 ? &w->v[0].rule : NULL;

	if (w->n == 0)
		chrome_flash(w->r, "ok", "Nothing was changed.");
	else if (rule == NULL)
		chrome_flash(w->r, "ok", "Saved for %zu types.", w->n);
	else if (rule->days == 0)
		chrome_flash(w->r, "ok", "Records of type %.*s are kept forever.",
		    (int)rule->resource_type.n, rule->resource_type.p);
	else
		chrome_flash(w->r, "ok",
		    "Records of type %.*s are deleted when they were not updated for %s.",
		    (int)rule->resource_type.n, rule->resource_type.p,
		    days_text(w->r->a, rule->days));
}

/* One after the other: each is a change of its own, with its row of the audit log. */
static int retention_save(struct rule_wishes *w)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < w->n; i++) {
		struct rule_wish *one = &w->v[i];

		if (retention_set(w->r, one->rule.resource_type, one->rule.days, &err) == -1) {
			if (err.code != ERR_CONFLICT)
				return res_error(w->r, &err);
			one->refused = err.msg;
			return retention_show(w->r, 409, w);
		}
	}
	retention_flash(w);
	return res_redirect(w->r, ADDRESS);
}

/* Without a number of days a type is kept forever. */
int record_page_retention_post(struct req *r)
{
	struct err err = ERR_INIT;
	struct rule_wishes w;
	int64_t due;

	if (wishes_read(r, &w, &err) == -1)
		return res_error(r, &err);
	if (wishes_are_refused(&w))
		return retention_show(r, 422, &w);
	if (wishes_count_due(&w, &due, &err) == -1)
		return res_error(r, &err);
	return due > 0 && req_form(r, "sure").n == 0 ? retention_ask(&w, due) : retention_save(&w);
}
