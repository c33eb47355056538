/* The page of a destination's mapping: a form of rows, each a rule, with a preview beside it. It
 * works without scripts: what adds, moves or removes a row sends the whole form, and gets it back
 * changed, nothing saved. What the form is to a mapping stands in crm-mapping-form.c. */
#include "account/account.h"
#include "account/permission.h"
#include "connection/connection-pages.h"
#include "crm/crm-mapping-form.h"
#include "html/chrome.h"
#include "lead/lead-pages.h"

#define LEADS_OFFERED 20

/* One showing of the page. */
struct mapping_page {
	struct req *r;
	struct connection *c;
	struct mapping_stored stored;
	struct mapping_targets targets;
	json_t *sources;
	struct mapping_form form;
	int status;
};

/* ---- the preview ----------------------------------------------------------------------------- */

/* The newest leads, and the one that is shown. */
static int preview_choose_lead(
    struct mapping_page *p, json_t *data, struct uuid *chosen, struct err *err)
{
	struct req *r = p->r;
	struct lead_filter f = {.account_id = r->actor.account_id};
	struct slice s = {.limit = LEADS_OFFERED};
	json_t *list = json_array(), *lead;
	size_t i;

	json_set(data, "leads", list);
	*chosen = p->form.lead_id;
	if (lead_list(r->app, r->a, &f, &s, err) == -1 ||
	    lead_add_titles(r, s.rows, "id", err) == -1)
		return -1;
	json_array_each(s.rows, i, lead) {
		json_t *o = json_object();
		struct uuid id;

		uuid_parse(str_from(json_str(lead, "id")), &id);
		if (uuid_is_nil(*chosen))
			*chosen = id;
		json_set_str(o, "value", json_str(lead, "id"));
		json_set_str(o, "label", json_str(lead, "title"));
		json_set_str(o, "at", json_str(lead, "receivedAt"));
		json_set_bool(o, "is_current", uuid_eq(id, *chosen));
		json_array_append_new(list, o);
	}
	return 0;
}

static int preview_show(struct mapping_page *p, json_t *data, struct err *err)
{
	struct req *r = p->r;
	struct uuid id;
	json_t *lead, *preview;
	int found;

	if (preview_choose_lead(p, data, &id, err) == -1)
		return -1;
	if (uuid_is_nil(id))
		return 0;
	found = mapping_lead(r->app, r->a, &r->actor.account_id, &id, &lead, err);
	if (found != 1)
		return found;
	if (lead_add_title(r, lead, err) == -1)
		return -1;
	preview = json_own(
	    r->a, mapping_preview(r->a, p->c, p->form.is_default ? NULL : p->form.doc, lead));
	json_set_str(data, "lead_id", uuid_dup(r->a, id));
	json_set_str(data, "lead_title", json_str(lead, "title"));
	json_set(data, "preview", json_incref(json_object_get(preview, "body")));
	json_set_str(data, "preview_error", json_str(preview, "error"));
	json_set(data, "lacking", json_incref(json_object_get(preview, "missing")));
	return 0;
}

/* ---- the page -------------------------------------------------------------------------------- */

static void show_versions(struct mapping_page *p, json_t *data, json_t *versions)
{
	json_t *v;
	size_t i;

	json_array_each(versions, i, v) {
		int64_t rules = json_int(v, "rules");

		json_set_bool(v, "is_current", json_int(v, "version") == p->stored.version);
		json_set_str(v, "what",
		    json_bool(v, "isDefault")
			? "its own names"
			: arena_printf(p->r->a, "%lld rule%s", (long long)rules, plural_s(rules)));
	}
	json_set(data, "versions", json_incref(versions));
	json_set_bool(data, "has_versions", json_array_size(versions) > 0);
}

/* What the destination told of its fields, or why it did not. */
static void show_targets(struct mapping_page *p, json_t *data)
{
	json_t *list = json_array(), *f;
	size_t i;

	json_set(data, "targets", list);
	json_array_each(p->targets.fields, i, f) {
		json_t *o = json_object();

		if (json_bool(f, "isReadOnly")) {
			json_decref(o);
			continue;
		}
		json_set_str(o, "value", json_str(f, "name"));
		json_set_str(o, "label", mapping_target_label(p->r->a, f));
		json_array_append_new(list, o);
	}
	json_set_bool(data, "has_targets", json_array_size(list) > 0);
	json_set_bool(data, "has_api", p->targets.has_api);
	json_set_str(data, "targets_error", p->targets.error);
	json_set_time(data, "targets_at", p->targets.fetched_us);
}

static void show_transforms(json_t *data)
{
	json_t *list = json_array();

	for (const struct transform_kind *k = transform_kinds; k->name != NULL; k++) {
		json_t *o = json_object();

		if (k->hint == NULL) {
			json_decref(o);
			continue;
		}
		json_set_str(o, "label", k->label);
		json_set_str(o, "hint", k->hint);
		json_array_append_new(list, o);
	}
	json_set(data, "hints", list);
}

static int mapping_page_show(struct mapping_page *p)
{
	struct req *r = p->r;
	json_t *data = json_own(r->a, json_object()), *versions;
	const json_t *template = json_object_get(p->c->access.settings, "bodyTemplate");
	struct err err = ERR_INIT;

	if (mapping_versions(r->app, r->a, &p->c->account_id, &p->c->id, &versions, &err) == -1 ||
	    preview_show(p, data, &err) == -1 ||
	    connection_show_head(r, p->c, "mapping", data, &err) == -1)
		return res_error(r, &err);
	json_set_str(data, "id", uuid_dup(r->a, p->c->id));
	json_set_str(data, "name", p->c->name);
	json_set_str(data, "provider", provider_display_name(p->c->provider));
	json_set_bool(data, "may_write", (r->actor.permissions & PERMIT(MAPPING_WRITE)) != 0);
	json_set_bool(data, "has_template", template != NULL && !json_is_null(template));
	json_set_int(data, "version", p->form.version);
	show_versions(p, data, versions);
	show_targets(p, data);
	show_transforms(data);
	mapping_form_show(r, &p->form, p->sources, &p->targets, data);
	return chrome_page(r, p->status, "connections",
	    arena_printf(r->a, "Field mapping of %s", p->c->name), "crm/mapping",
	    json_incref(data));
}

/* false: the answer is made. */
static bool mapping_page_begin(struct mapping_page *p, struct req *r, bool is_fresh)
{
	struct err err = ERR_INIT;

	*p = (struct mapping_page){.r = r, .c = mapping_of_route(r), .status = 200};
	if (p->c == NULL)
		return false;
	if (mapping_load(r->app, r->a, &p->c->account_id, &p->c->id, &p->stored, &err) == 0 &&
	    mapping_targets(r->app, r->a, p->c, is_fresh, &p->targets, &err) == 0 &&
	    mapping_sources(r->app, r->a, &p->c->account_id, &p->sources, &err) == 0)
		return true;
	(void)res_error(r, &err);
	return false;
}

int crm_page_mapping(struct req *r)
{
	struct mapping_page p;

	if (!mapping_page_begin(&p, r, true))
		return 0;
	mapping_form_of_stored(r, p.c, &p.stored, &p.form);
	(void)uuid_parse(req_query(r, "lead"), &p.form.lead_id);
	return mapping_page_show(&p);
}

/* ---- acts ------------------------------------------------------------------------------------ */

static int mapping_page_saved(struct mapping_page *p, const json_t *doc, int64_t expected)
{
	struct req *r = p->r;
	struct err err = ERR_INIT;
	int64_t version;

	if (mapping_save(r, p->c, doc, expected, &version, &err) == -1) {
		if (err.code != ERR_CONFLICT)
			return res_error(r, &err);
		p->status = 409;
		p->form.problem =
		    "Somebody has saved this mapping meanwhile. Open it in another tab to "
		    "compare, then save again to put yours in its place";
		p->form.version = p->stored.version;
		return mapping_page_show(p);
	}
	chrome_flash(r, "ok",
	    doc == NULL
		? "Leads go there under the destination's own names now."
		: "The mapping is saved as version %lld. Leads that come from now on go by it.",
	    (long long)version);
	return res_redirect(
	    r, arena_printf(r->a, "/admin/connections/%s/mapping", uuid_dup(r->a, p->c->id)));
}

static int mapping_page_restore(struct mapping_page *p, struct str version)
{
	struct mapping_stored m = {0};
	struct err err = ERR_INIT;
	int64_t number;
	int found = str_to_i64(version, 1, INT32_MAX, &number)
			? mapping_load_version(
			      p->r->app, p->r->a, &p->c->account_id, &p->c->id, number, &m, &err)
			: 0;

	if (found == -1)
		return res_error(p->r, &err);
	if (found == 0)
		return res_problem(p->r, 404, "The mapping has no such version");
	return mapping_page_saved(p, m.doc, -1);
}

int crm_page_mapping_post(struct req *r)
{
	struct str act = req_form(r, "act"), what = act;
	struct mapping_page p;

	if (!mapping_page_begin(&p, r, str_is(act, "save")))
		return 0;
	(void)str_split(&what, ':', &act);
	if (str_is(act, "restore"))
		return mapping_page_restore(&p, what);
	if (str_is(act, "default"))
		return mapping_page_saved(&p, NULL, -1);
	mapping_form_read(r, &p.form);
	if (!str_is(act, "save")) {
		mapping_form_change(r, &p.form, act, what);
		return mapping_page_show(&p);
	}
	if (!mapping_form_check(r, &p.form, &p.targets)) {
		p.status = 422;
		return mapping_page_show(&p);
	}
	return mapping_page_saved(&p, p.form.doc, p.form.version);
}
