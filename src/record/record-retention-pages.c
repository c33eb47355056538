/* The page of how long records are kept. What deletes asks once. */
#include <string.h>

#include "account/account.h"
#include "html/chrome.h"
#include "record/record-pages.h"
#include "record/record-retention.h"

#define ADDRESS "/admin/settings/retention"

/* What was sent and is not acceptable: shown again with the reason. */
struct rule_refused {
	struct str resource_type, days;
	const char *reason;
};

static const char *days_text(struct arena *a, int64_t days)
{
	return arena_printf(a, "%lld day%s", (long long)days, days == 1 ? "" : "s");
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

/* rule: NULL where there is none. Returns whether it is the one that was refused. */
static bool retention_add_row(struct req *r, json_t *rows, struct str type, int64_t count,
    const struct retention_rule *rule, const struct rule_refused *refused)
{
	json_t *o = json_object();
	bool is_refused = refused != NULL && str_eq(type, refused->resource_type);

	json_set_strn(o, "resource_type", type);
	json_set_int(o, "count", count);
	if (rule != NULL)
		rule_show(r->a, o, rule);
	if (is_refused)
		json_set_strn(o, "value", refused->days);
	json_set_bool(o, "is_wrong", is_refused);
	json_set_bool(o, "has_rule", rule != NULL);
	json_array_append_new(rows, o);
	return is_refused;
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
    struct req *r, json_t *data, const struct rule_refused *refused, struct err *err)
{
	struct retention_rule *rules;
	json_t *summary, *types, *count, *rows = json_array();
	bool is_listed = false;
	const char *type;
	size_t n;

	json_set(data, "rows", rows);
	if (record_summary(r->app, r->a, &r->actor.account_id, &summary, err) == -1 ||
	    retention_list(r->app, r->a, &r->actor.account_id, &rules, &n, err) == -1)
		return -1;
	types = json_object_get(summary, "byResourceType");
	json_object_each(types, type, count) {
		struct str name = str_from(type);

		is_listed |= retention_add_row(r, rows, name, json_integer_value(count),
		    rule_of_type(rules, n, name), refused);
	}
	for (size_t i = 0; i < n; i++) {
		struct str name = rules[i].resource_type;

		if (json_object_get(types, arena_strndup(r->a, name.p, name.n)) == NULL)
			is_listed |= retention_add_row(r, rows, name, 0, &rules[i], refused);
	}
	json_set_bool(data, "has_rows", json_array_size(rows) > 0);
	json_set_bool(data, "is_other_open", refused != NULL && !is_listed);
	return 0;
}

static int retention_show(struct req *r, int status, const struct rule_refused *refused)
{
	json_t *data = json_own(r->a, json_object());
	struct err err = ERR_INIT;

	if (retention_show_types(r, data, refused, &err) == -1)
		return res_error(r, &err);
	if (refused != NULL) {
		chrome_wrong(r, data, "days", refused->reason);
		json_set_strn(data, "other_type", refused->resource_type);
		json_set_strn(data, "other_days", refused->days);
	}
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

/* ---- changes ------------------------------------------------------------------------------- */

static int retention_ask(struct req *r, const struct retention_rule *rule)
{
	json_t *data = json_object();

	json_set_strn(data, "resource_type", rule->resource_type);
	json_set_bool(data, "is_lead", str_is(rule->resource_type, "lead"));
	rule_show(r->a, data, rule);
	return chrome_page(r, 200, "settings", "Please confirm", "record/retention-confirm", data);
}

static int retention_save(struct req *r, struct str type, int64_t days, struct str sent)
{
	struct err err = ERR_INIT;

	if (retention_set(r, type, days, &err) == -1) {
		if (err.code != ERR_CONFLICT)
			return res_error(r, &err);
		return retention_show(r, 409, &(struct rule_refused){type, sent, err.msg});
	}
	if (days == 0)
		chrome_flash(
		    r, "ok", "Records of type %.*s are kept forever.", (int)type.n, type.p);
	else
		chrome_flash(r, "ok",
		    "Records of type %.*s are deleted when they were not updated for %s.",
		    (int)type.n, type.p, days_text(r->a, days));
	return res_redirect(r, ADDRESS);
}

/* Without a number of days the type is kept forever. */
int record_page_retention_post(struct req *r)
{
	struct retention_rule rule = {.resource_type = utf8_trim(req_form(r, "resourceType"))};
	struct str days = utf8_trim(req_form(r, "days"));
	struct rule_refused refused = {rule.resource_type, days, NULL};
	struct err err = ERR_INIT;

	if (!record_type_is_valid(rule.resource_type)) {
		refused.reason = "A type is 1 to 64 letters, digits, dots, dashes or underscores";
		return retention_show(r, 422, &refused);
	}
	if (days.n == 0 || req_form(r, "forever").n > 0)
		return retention_save(r, rule.resource_type, 0, days);
	if (!str_to_i64(days, 1, RETENTION_DAYS_MAX, &rule.days)) {
		refused.reason = arena_printf(
		    r->a, "Days must be a whole number from 1 to %d", RETENTION_DAYS_MAX);
		return retention_show(r, 422, &refused);
	}
	if (retention_count_due(r->app, r->a, &r->actor.account_id, &rule, &err) == -1)
		return res_error(r, &err);
	if (rule.due > 0 && req_form(r, "sure").n == 0)
		return retention_ask(r, &rule);
	return retention_save(r, rule.resource_type, rule.days, days);
}
