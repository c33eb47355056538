/* /connect/v1/records/retention: JSON handlers. */
#include "base/limits.h"
#include "record/record-retention.h"

static json_t *rule_json(const struct retention_rule *rule)
{
	json_t *o = json_object();

	json_set_strn(o, "resourceType", rule->resource_type);
	json_set_int(o, "days", rule->days);
	json_set_int(o, "due", rule->due);
	json_set_bool(o, "dueIsExact", rule->due_is_exact);
	return o;
}

int record_api_retention(struct req *r)
{
	struct retention_rule *rules;
	struct err err = ERR_INIT;
	json_t *rows = json_own(r->a, json_array());
	size_t n;

	if (retention_list(r->app, r->a, &r->actor.account_id, &rules, &n, &err) == -1)
		return res_error(r, &err);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(rows, rule_json(&rules[i]));
	return res_whole(r, rows, RETENTION_RULES_MAX);
}

/* The type and body of a rule; 0, or -1 with the answer given. */
static int rule_read(struct req *r, struct retention_rule *out)
{
	static const struct json_member members[] = {
	    {"days", READ_INT, JSON_INTO(struct retention_rule, days), .need = READ_NEEDED,
		.min = 1, .max = RETENTION_DAYS_MAX}};

	*out = (struct retention_rule){.resource_type = req_param(r, "resourceType")};
	if (!req_read_body(r, JSON_MEMBERS(members), out))
		return -1;
	if (!record_type_is_valid(out->resource_type))
		req_invalid(r, "resourceType",
		    "must be 1 to %u letters, digits, dots, dashes or underscores",
		    LIMIT_TYPE_BYTES);
	if (!req_has_invalid(r))
		return 0;
	res_invalid(r);
	return -1;
}

int record_api_retention_set(struct req *r)
{
	struct retention_rule rule;
	struct err err = ERR_INIT;

	if (rule_read(r, &rule) == -1)
		return 0;
	if (retention_set(r, rule.resource_type, rule.days, &err) == -1 ||
	    retention_count_due(r->app, r->a, &r->actor.account_id, &rule, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, rule_json(&rule));
}

int record_api_retention_delete(struct req *r)
{
	struct str type = req_param(r, "resourceType");
	struct err err = ERR_INIT;
	int rc = record_type_is_valid(type) ? retention_set(r, type, 0, &err) : 0;

	if (rc == -1)
		return res_error(r, &err);
	if (rc == 0)
		return res_problem(r, 404, "There is no such rule");
	return res_empty(r, 204);
}
