/* Requests that change one lead, and the rule of duplicates: JSON and pages. */
#include "account/account.h"
#include "base/email.h"
#include "base/limits.h"
#include "html/chrome.h"
#include "lead/lead-change.h"
#include "lead/lead-duplicate.h"
#include "lead/lead-pages.h"
#include "record/record-pages.h"

#define WHAT "There is no such lead"

/* ---- API ------------------------------------------------------------------------------------- */

/* The lead with its destinations, as GET /leads/:leadId has it. */
static int lead_answer(struct req *r, const struct uuid *id)
{
	struct err err = ERR_INIT;
	json_t *lead, *list = json_own(r->a, json_array());
	int found = lead_get_json(r->app, r->a, &r->actor.account_id, id, &lead, &err);

	if (found == 0)
		return res_problem(r, 404, WHAT);
	if (found == -1)
		return res_error(r, &err);
	json_array_append(list, lead);
	if (lead_add_destinations(r, list, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, json_incref(lead));
}

#define CORRECTED(name)                                                                            \
	{                                                                                          \
		name, READ_TEXT, JSON_INTO(struct lead_correction, text),                          \
		    .need = READ_NULLABLE, .max = LIMIT_EXTERNAL_ID_BYTES                          \
	}
/* Checked here; what is made of them is lead_change's. */
struct lead_correction {
	struct str text;
	json_t *map;
};
static const struct json_member correction_members[] = {CORRECTED("email"), CORRECTED("firstName"),
    CORRECTED("lastName"), CORRECTED("fullName"), CORRECTED("phoneNumber"), CORRECTED("company"),
    {"customFields", READ_OBJECT, JSON_INTO(struct lead_correction, map), .need = READ_NULLABLE}};

int lead_api_change(struct req *r)
{
	struct lead_correction body = {0};
	struct err err = ERR_INIT;
	struct uuid id;

	if (!req_param_uuid(r, "leadId", &id) ||
	    !req_read_body(r, JSON_MEMBERS(correction_members), &body))
		return 0;
	if (req_has_invalid(r))
		return res_invalid(r);
	if (lead_change(r, &id, r->json, &err) == -1)
		return res_error(r, &err);
	return lead_answer(r, &id);
}

int lead_api_delete(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;

	if (!req_param_uuid(r, "leadId", &id))
		return 0;
	if (lead_delete(r, &id, &err) == -1)
		return res_error(r, &err);
	return res_empty(r, 204);
}

int lead_api_release(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;

	if (!req_param_uuid(r, "leadId", &id))
		return 0;
	if (lead_release(r, &id, &err) == -1)
		return res_error(r, &err);
	return lead_answer(r, &id);
}

/* ---- the rule of duplicates ------------------------------------------------------------------ */

static json_t *rule_json(const struct lead_rule_set *rule)
{
	json_t *o = json_object();

	json_set_str(o, "match", rule->match);
	json_set_int(o, "days", rule->days);
	json_set_bool(o, "holdBack", rule->holds);
	return o;
}

int lead_api_rule(struct req *r)
{
	struct lead_rule_set rule;
	struct err err = ERR_INIT;

	if (lead_rule_load(r->app->db, r->a, &r->actor.account_id, &rule, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, rule_json(&rule));
}

int lead_api_rule_set(struct req *r)
{
	static const struct json_member members[] = {
	    {"match", READ_WORD, JSON_INTO(struct lead_rule_set, match), .need = READ_NEEDED,
		.words = lead_rule_matches},
	    {"days", READ_INT, JSON_INTO(struct lead_rule_set, days), .min = 1,
		.max = LEAD_RULE_DAYS_MOST},
	    {"holdBack", READ_BOOL, JSON_INTO(struct lead_rule_set, holds)}};
	struct lead_rule_set rule;
	struct err err = ERR_INIT;

	if (lead_rule_load(r->app->db, r->a, &r->actor.account_id, &rule, &err) == -1)
		return res_error(r, &err);
	if (!req_read_body(r, JSON_MEMBERS(members), &rule))
		return 0;
	if (req_has_invalid(r))
		return res_invalid(r);
	if (lead_rule_save(r, &rule, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, rule_json(&rule));
}

#define RULE_PAGE "/admin/settings/duplicates"

static int rule_page_show(
    struct req *r, int status, const struct lead_rule_set *rule, struct str days, const char *wrong)
{
	static const char *const labels[] = {"No: each lead counts", "The same email",
	    "The same phone number", "The same email or phone number"};
	json_t *data = json_own(r->a, json_object()), *matches = json_array();

	json_set(data, "matches", matches);
	for (size_t i = 0; lead_rule_matches[i] != NULL; i++) {
		json_t *o = json_object();

		json_set_str(o, "value", lead_rule_matches[i]);
		json_set_str(o, "label", labels[i]);
		json_set_bool(o, "is_current", strcmp(rule->match, lead_rule_matches[i]) == 0);
		json_array_append_new(matches, o);
	}
	json_set_strn(data, "days", days);
	json_set_bool(data, "holds", rule->holds);
	json_set_bool(data, "can_write", (r->actor.permissions & PERMIT(SETTINGS_WRITE)) != 0);
	if (wrong != NULL)
		chrome_wrong(r, data, "days", wrong);
	return chrome_settings(
	    r, status, "duplicates", "Duplicate leads", "lead/duplicates", json_incref(data));
}

int lead_page_rule(struct req *r)
{
	struct lead_rule_set rule;
	struct err err = ERR_INIT;

	if (lead_rule_load(r->app->db, r->a, &r->actor.account_id, &rule, &err) == -1)
		return res_error(r, &err);
	return rule_page_show(
	    r, 200, &rule, str_from(arena_printf(r->a, "%lld", (long long)rule.days)), NULL);
}

int lead_page_rule_post(struct req *r)
{
	struct lead_rule_set rule = {.match = lead_rule_matches[0]};
	struct str days = utf8_trim(req_form(r, "days"));
	struct err err = ERR_INIT;

	for (size_t i = 0; lead_rule_matches[i] != NULL; i++)
		if (str_is(req_form(r, "match"), lead_rule_matches[i]))
			rule.match = lead_rule_matches[i];
	rule.holds = str_is(req_form(r, "holds"), "1");
	if (!str_to_i64(days, 1, LEAD_RULE_DAYS_MOST, &rule.days))
		return rule_page_show(
		    r, 422, &rule, days, "must be a whole number of days from 1 to 3650");
	if (lead_rule_save(r, &rule, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "Saved. It holds for leads that arrive from now on.");
	return res_redirect(r, RULE_PAGE);
}

/* ---- pages of one lead ----------------------------------------------------------------------- */

static const struct form_field {
	const char *name, *label, *type;
} form_fields[] = {{"fullName", "Name", "text"}, {"firstName", "First name", "text"},
    {"lastName", "Last name", "text"}, {"email", "Email", "email"}, {"phoneNumber", "Phone", "tel"},
    {"company", "Company", "text"}};
#define FORM_FIELDS (sizeof(form_fields) / sizeof(form_fields[0]))

/* lead NULL: a new one. What was sent goes before what is stored. */
static int edit_page_show(
    struct req *r, int status, const json_t *lead, bool is_sent, const struct err *wrong)
{
	json_t *data = json_own(r->a, json_object()), *fields = json_array();

	json_set(data, "fields", fields);
	for (size_t i = 0; i < FORM_FIELDS; i++) {
		const struct form_field *f = &form_fields[i];
		json_t *o = json_object();

		json_set_str(o, "name", f->name);
		json_set_str(o, "label", f->label);
		json_set_str(o, "type", f->type);
		if (is_sent)
			json_set_strn(o, "value", req_form(r, f->name));
		else
			json_set_str(o, "value", json_str(lead, f->name));
		if (wrong != NULL && strcmp(wrong->field, f->name) == 0)
			json_set_str(
			    o, "wrong", arena_printf(r->a, "%s %s.", f->label, wrong->msg));
		json_set_bool(o, "is_first", i == 0 && wrong != NULL && wrong->field[0] == '\0');
		json_array_append_new(fields, o);
	}
	json_set_str(data, "id", json_str(lead, "id"));
	json_set_str(data, "name", json_str(lead, "title"));
	json_set_str(data, "heading",
	    lead == NULL ? "Add a lead" : arena_printf(r->a, "Edit %s", json_str(lead, "title")));
	if (wrong != NULL)
		chrome_wrong(r, data, wrong->field, wrong->msg);
	return chrome_page(
	    r, status, "leads", json_str(data, "heading"), "lead/edit", json_incref(data));
}

static bool page_lead(struct req *r, struct uuid *id, json_t **lead)
{
	struct err err = ERR_INIT;
	int found;

	if (!req_param_uuid(r, "id", id))
		return false;
	found = lead_get_json(r->app, r->a, &r->actor.account_id, id, lead, &err);
	if (found == 1 && lead_add_title(r, *lead, &err) == -1)
		found = -1;
	if (found == 0)
		res_problem(r, 404, WHAT);
	else if (found == -1)
		res_error(r, &err);
	return found == 1;
}

static int back_to_lead(struct req *r, const struct uuid *id)
{
	return res_redirect(r, arena_printf(r->a, LEADS_PAGE_ADDRESS "/%s", uuid_dup(r->a, *id)));
}

int lead_page_edit(struct req *r)
{
	struct uuid id;
	json_t *lead;

	return page_lead(r, &id, &lead) ? edit_page_show(r, 200, lead, false, NULL) : 0;
}

/* A field that is as it was is not sent on: the names would not follow each other. */
int lead_page_edit_post(struct req *r)
{
	json_t *wish = json_own(r->a, json_object()), *lead;
	struct err err = ERR_INIT;
	struct uuid id;

	if (!page_lead(r, &id, &lead))
		return 0;
	for (size_t i = 0; i < FORM_FIELDS; i++) {
		struct str text = utf8_trim(req_form(r, form_fields[i].name));
		const char *old = json_str(lead, form_fields[i].name);

		if (str_eq(text, str_from(old != NULL ? old : "")))
			continue;
		if (text.n > 0)
			json_set_strn(wish, form_fields[i].name, text);
		else
			json_set(wish, form_fields[i].name, json_null());
	}
	if (lead_change(r, &id, wish, &err) == -1)
		return err.code == ERR_INVALID ? edit_page_show(r, 422, lead, true, &err)
					       : res_error(r, &err);
	chrome_flash(r, "ok",
	    json_object_size(wish) == 0
		? "Nothing was changed."
		: "Saved. Destinations that have the lead get the new form.");
	return back_to_lead(r, &id);
}

int lead_page_new(struct req *r)
{
	return edit_page_show(r, 200, NULL, false, NULL);
}

int lead_page_new_post(struct req *r)
{
	json_t *body = json_own(r->a, json_object());
	struct err err = ERR_INIT;
	struct uuid id;
	int rc;

	for (size_t i = 0; i < FORM_FIELDS; i++) {
		struct str text = utf8_trim(req_form(r, form_fields[i].name));

		if (text.n > 0)
			json_set_strn(body, form_fields[i].name, text);
	}
	if (json_object_size(body) == 0)
		err_set(&err, ERR_INVALID,
		    "Nothing was saved. Enter a name, an email or a phone number: one of them is "
		    "enough");
	else if (json_str(body, "email") != NULL &&
		 email_normal(r->a, str_from(json_str(body, "email"))).n == 0)
		err_field(&err, ERR_INVALID, "email", "is not an email address");
	if (err.code != ERR_NONE)
		return edit_page_show(r, 422, NULL, true, &err);
	r->json = body;
	rc = lead_create(r, &id, NULL, &err);
	if (rc != 1)
		return rc == -1 ? res_error(r, &err) : 0;
	chrome_flash(r, "ok", "The lead is here. It goes to your destinations like any other.");
	return back_to_lead(r, &id);
}

int lead_page_delete(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	if (lead_delete(r, &id, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "The lead is deleted, with its record and its history.");
	return res_redirect(r, LEADS_PAGE_ADDRESS);
}

int lead_page_release(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	if (lead_release(r, &id, &err) == -1) {
		if (err.code != ERR_CONFLICT)
			return res_error(r, &err);
		chrome_flash(r, "error", "%s.", err.msg);
	} else {
		chrome_flash(r, "ok", "It counts as a lead of its own now, and is sent.");
	}
	return back_to_lead(r, &id);
}
