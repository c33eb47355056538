/* The page of routing: a card for each destination, which is a form of its own: what it sends is
 * put into the routing that there is. Plain fields stand in place of JSON; what they cannot say
 * (conditions within conditions) comes with its row as it was, and stays until somebody removes it.
 */
#include "account/account.h"
#include "account/permission.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/zone.h"
#include "connection/connection-pages.h"
#include "crm/crm-mapping.h"
#include "crm/crm-pages.h"
#include "crm/crm-route.h"
#include "html/chrome.h"

#define WHEN_ROWS 8
#define ADDRESS "/admin/routing"

static const struct word route_tests[] = {{"equals", "is"}, {"startsWith", "begins with"},
    {"endsWith", "ends with"}, {"there", "is there"}, {"missing", "is not there"}, {NULL, NULL}};

/* ---- from the form
 * --------------------------------------------------------------------------------- */

static struct str field(struct req *r, const char *name, size_t i)
{
	return utf8_trim(req_form(r, arena_printf(r->a, "%s_%zu", name, i)));
}

static struct str part(struct req *r, const char *name, size_t i, size_t k)
{
	return utf8_trim(req_form(r, arena_printf(r->a, "%s_%zu_%zu", name, i, k)));
}

/* "is" with commas is one of them. */
static json_t *test_json(struct str ref, struct str test, struct str value)
{
	json_t *o = json_object(), *list;
	struct str one;

	json_set_strn(o, "ref", ref);
	if (str_is(test, "there") || str_is(test, "missing")) {
		json_set_bool(o, "exists", str_is(test, "there"));
		return o;
	}
	list = json_array();
	while (str_split(&value, ',', &one)) {
		one = utf8_trim(one);
		if (one.n > 0)
			json_array_append_new(list, json_stringn(one.p, one.n));
	}
	json_set(o,
	    str_is(test, "startsWith") ? "startsWith"
	    : str_is(test, "endsWith") ? "endsWith"
				       : "in",
	    list);
	return o;
}

static json_t *when_read(struct req *r, size_t i)
{
	json_t *list = json_array();

	for (size_t k = 0; k < WHEN_ROWS; k++) {
		struct str source = part(r, "source", i, k), ref = part(r, "ref", i, k),
			   was = part(r, "was", i, k);
		json_t *kept = was.n == 0 ? NULL : json_parse(r->a, was, NULL), *o;

		if (part(r, "drop", i, k).n > 0)
			continue;
		if (kept != NULL) {
			json_array_append(list, kept);
			continue;
		}
		if (source.n == 0 && ref.n == 0)
			continue;
		o = json_object();
		if (source.n > 0)
			json_set_strn(o, "source", source);
		if (ref.n > 0)
			json_set(
			    o, "if", test_json(ref, part(r, "test", i, k), part(r, "value", i, k)));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *hours_read(struct req *r, size_t i)
{
	json_t *o, *days = json_array();

	if (field(r, "hours", i).n == 0)
		return json_decref(days), NULL;
	o = json_object();
	for (size_t d = 0; route_days[d] != NULL; d++)
		if (part(r, "day", i, d).n > 0)
			json_array_append_new(days, json_string(route_days[d]));
	json_set(o, "days", days);
	json_set_strn(o, "zone", field(r, "zone", i));
	json_set_strn(o, "from", field(r, "from", i));
	json_set_strn(o, "to", field(r, "to", i));
	json_set_strn(o, "outside", field(r, "outside", i));
	return o;
}

static json_t *number_or_text(struct str text)
{
	int64_t n;

	return str_to_i64(text, INT64_MIN, INT64_MAX, &n) ? json_integer(n)
							  : json_stringn(text.p, text.n);
}

static json_t *cap_read(struct req *r, size_t i)
{
	struct str limit = field(r, "limit", i);
	json_t *o;

	if (limit.n == 0)
		return NULL;
	o = json_object();
	json_set(o, "limit", number_or_text(limit));
	json_set_strn(o, "over", field(r, "over", i));
	return o;
}

static bool is_member(const json_t *m, struct str id)
{
	return str_is(id, json_str(m, "connectionId"));
}

/* Out of the group that it is in; an empty one is none. */
static void groups_leave(json_t *groups, struct str id)
{
	for (size_t i = json_array_size(groups); i-- > 0;) {
		json_t *members = json_object_get(json_array_get(groups, i), "members");

		for (size_t k = json_array_size(members); k-- > 0;)
			if (is_member(json_array_get(members, k), id))
				json_array_remove(members, k);
		if (json_array_size(members) == 0)
			json_array_remove(groups, i);
	}
}

/* At its place among the members, behind them unless it says one. */
static void groups_join(struct req *r, json_t *groups, size_t i)
{
	struct str name = field(r, "group", i), weight = field(r, "weight", i);
	json_t *g = NULL, *members, *o;
	int64_t place = INT32_MAX;
	size_t k;

	if (name.n == 0)
		return;
	(void)str_to_i64(field(r, "turn", i), 1, INT32_MAX, &place);
	json_array_each(groups, k, g)
		if (str_is(name, json_str(g, "name")))
			break;
	if (k == json_array_size(groups)) {
		g = json_object();
		json_set_strn(g, "name", name);
		json_set(g, "members", json_array());
		json_array_append_new(groups, g);
	}
	json_set_strn(g, "mode", field(r, "mode", i));
	members = json_object_get(g, "members");
	o = json_object();
	json_set_strn(o, "connectionId", field(r, "id", i));
	if (weight.n > 0)
		json_set(o, "weight", number_or_text(weight));
	if ((size_t)place > json_array_size(members))
		json_array_append_new(members, o);
	else
		json_array_insert_new(members, (size_t)place - 1, o);
}

/* The routing that there is with what was sent of the destination of that place; false: it is gone.
 */
static bool routing_read(struct req *r, json_t *doc, size_t i)
{
	json_t *d = NULL, *hours, *cap;
	size_t k;

	json_array_each(json_object_get(doc, "destinations"), k, d)
		if (is_member(d, field(r, "id", i)))
			break;
	if (k == json_array_size(json_object_get(doc, "destinations")))
		return false;
	hours = hours_read(r, i);
	cap = cap_read(r, i);
	json_set(d, "when", when_read(r, i));
	json_set(d, "hours", hours);
	json_set(d, "cap", cap);
	groups_leave(json_object_get(doc, "groups"), field(r, "id", i));
	groups_join(r, json_object_get(doc, "groups"), i);
	return true;
}

/* ---- shown
 * ------------------------------------------------------------------------------------------ */

static void choice_add(json_t *list, const char *value, const char *label, const char *current)
{
	json_t *o = json_object();

	json_set_str(o, "value", value);
	json_set_str(o, "label", label);
	json_set_bool(o, "is_current", current != NULL && strcmp(current, value) == 0);
	json_array_append_new(list, o);
}

static json_t *source_choices(struct req *r, const char *current)
{
	json_t *list = json_array();

	choice_add(list, "", "Any source", current == NULL ? "" : current);
	for (size_t i = 0; i < providers_count(r->app->providers); i++) {
		const struct provider *p = provider_at(r->app->providers, i);

		if (provider_can(p, "lead_sync") ||
		    (current != NULL && strcmp(current, provider_name(p)) == 0))
			choice_add(list, provider_name(p), provider_display_name(p), current);
	}
	choice_add(list, PROVIDER_MANUAL, LEAD_BY_HAND, current);
	return list;
}

static json_t *ref_choices(const json_t *sources, const char *current)
{
	json_t *list = json_array();
	const json_t *o;
	size_t i;
	bool is_listed = current == NULL || current[0] == '\0';

	choice_add(list, "", "Whatever it says", current == NULL ? "" : current);
	json_array_each(sources, i, o) {
		choice_add(list, json_str(o, "path"), json_str(o, "label"), current);
		is_listed = is_listed || strcmp(json_str(o, "path"), current) == 0;
	}
	if (!is_listed)
		choice_add(list, current, current, current);
	return list;
}

/* What a row of fields can say of a condition; false: it is more than that. */
static bool test_of(struct arena *a, const json_t *cond, json_t *o)
{
	static const char *const keys[] = {"in", "equals", "startsWith", "endsWith"};
	struct buf *b = buf_new(a, 2000);
	const json_t *v = NULL, *one;
	const char *test = NULL;
	size_t i;

	if (cond == NULL || json_is_null(cond))
		return true;
	if (json_str(cond, "ref") == NULL)
		return false;
	json_set_str(o, "ref", json_str(cond, "ref"));
	if (json_object_get(cond, "exists") != NULL) {
		json_set_str(o, "test", json_bool(cond, "exists") ? "there" : "missing");
		return true;
	}
	for (i = 0; i < 4 && v == NULL; i++)
		if ((v = json_object_get(cond, keys[i])) != NULL)
			test = i < 2 ? "equals" : keys[i];
	json_array_each(v, i, one) {
		const char *text = json_scalar_text(a, one);

		if (text == NULL || strchr(text, ',') != NULL)
			return false;
		buf_printf(b, "%s%s", i > 0 ? ", " : "", text);
	}
	json_set_str(o, "test", test);
	json_set_str(o, "value", json_is_array(v) ? b->p : json_scalar_text(a, v));
	return v != NULL;
}

static void when_show(
    struct req *r, const json_t *when, const json_t *sources, json_t *rows, size_t place)
{
	for (size_t k = 0; k < WHEN_ROWS && k <= json_array_size(when); k++) {
		const json_t *v = json_array_get(when, k), *cond = json_object_get(v, "if");
		json_t *o = json_object(), *said = json_own(r->a, json_object()),
		       *tests = json_array();

		if (!test_of(r->a, cond, said)) {
			json_set_str(o, "was", json_text(r->a, v).p);
			json_set_str(o, "words", route_words(r->a, cond));
		}
		json_set_int(o, "k", (int64_t)k);
		json_set_int(o, "i", (int64_t)place);
		json_set_int(o, "row", (int64_t)k + 1);
		json_set(o, "sources", source_choices(r, json_str(v, "source")));
		json_set(o, "refs", ref_choices(sources, json_str(said, "ref")));
		for (const struct word *t = route_tests; t->text != NULL; t++)
			choice_add(tests, t->text, t->label, json_str(said, "test"));
		json_set(o, "tests", tests);
		json_set_str(o, "value", json_str(said, "value"));
		json_array_append_new(rows, o);
	}
}

static void hours_show(struct req *r, const json_t *hours, json_t *o, size_t place)
{
	static const char *const labels[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	json_t *days = json_array(), *outside = json_array();
	const char *zone = json_str(hours, "zone");

	for (size_t d = 0; route_days[d] != NULL; d++) {
		json_t *day = json_object();
		const json_t *list = json_object_get(hours, "days"), *v;
		bool is_on = hours == NULL || json_is_null(hours) ? d < 5 : false;
		size_t i;

		json_array_each(list, i, v)
			is_on = is_on || (json_is_string(v) &&
					     strcmp(json_string_value(v), route_days[d]) == 0);
		json_set_int(day, "i", (int64_t)place);
		json_set_int(day, "d", (int64_t)d);
		json_set_str(day, "label", labels[d]);
		json_set_bool(day, "is_on", is_on);
		json_array_append_new(days, day);
	}
	json_set_bool(o, "has_hours", json_is_object(hours));
	json_set(o, "days", days);
	json_set_str(o, "zone", zone != NULL ? zone : zone_name(r->actor.account_zone));
	json_set_str(o, "from", json_is_object(hours) ? json_str(hours, "from") : "09:00");
	json_set_str(o, "to", json_is_object(hours) ? json_str(hours, "to") : "18:00");
	choice_add(outside, "wait", "wait until it opens", json_str(hours, "outside"));
	choice_add(outside, "skip", "are not sent there", json_str(hours, "outside"));
	json_set(o, "outside", outside);
}

static void cap_show(struct arena *a, const json_t *cap, json_t *o)
{
	json_t *over = json_array();

	json_set_str(o, "limit", json_scalar_text(a, json_object_get(cap, "limit")));
	choice_add(over, "wait", "wait for the next day", json_str(cap, "over"));
	choice_add(over, "skip", "are not sent there", json_str(cap, "over"));
	json_set(o, "over", over);
}

static void group_show(struct arena *a, const json_t *groups, const char *id, json_t *o)
{
	json_t *modes = json_array();
	const json_t *g, *m;
	const char *mode = NULL;
	size_t i, k;

	json_array_each(groups, i, g)
		json_array_each(json_object_get(g, "members"), k, m)
			if (json_str(m, "connectionId") != NULL &&
			    strcmp(json_str(m, "connectionId"), id) == 0) {
				json_set_str(o, "group", json_str(g, "name"));
				json_set_str(
				    o, "weight", json_scalar_text(a, json_object_get(m, "weight")));
				json_set_int(o, "turn", (int64_t)k + 1);
				mode = json_str(g, "mode");
			}
	choice_add(modes, "first", "the first of it that takes the lead", mode);
	choice_add(modes, "weighted", "one after the other, by weight", mode);
	choice_add(modes, "all", "all of it", mode);
	json_set(o, "modes", modes);
}

static json_t *destination_show(
    struct req *r, const json_t *d, const json_t *groups, const json_t *sources, size_t i)
{
	json_t *o = json_object(), *rows = json_array();

	json_set_int(o, "i", (int64_t)i);
	json_set_str(o, "id", json_str(d, "connectionId"));
	json_set_str(o, "name", json_str(d, "name"));
	json_set_str(o, "provider", provider_label(r->app, json_str(d, "providerType")));
	when_show(r, json_object_get(d, "when"), sources, rows, i);
	json_set(o, "rows", rows);
	hours_show(r, json_object_get(d, "hours"), o, i);
	cap_show(r->a, json_object_get(d, "cap"), o);
	group_show(r->a, groups, json_str(d, "connectionId"), o);
	return o;
}

/* In words: "Some leads, within hours, at most 100 a day, in the group Sales". */
static const char *destination_words(struct arena *a, const json_t *d, const json_t *shown)
{
	const char *limit = json_str(shown, "limit"), *group = json_str(shown, "group");

	return arena_printf(a, "%s%s%s%s%s",
	    json_array_size(json_object_get(d, "when")) > 0 ? "Some leads" : "All leads",
	    json_is_object(json_object_get(d, "hours")) ? ", within hours" : "",
	    limit == NULL ? "" : arena_printf(a, ", at most %s a day", limit),
	    group == NULL ? "" : ", in the group ", group == NULL ? "" : group);
}

/* doc: what was refused, or NULL; at: whose form it was, and what is wrong there. */
static int routing_show(struct req *r, int status, const json_t *doc, size_t at, const char *wrong)
{
	json_t *data = json_own(r->a, json_object()), *list = json_array(), *routing, *sources;
	const json_t *d;
	struct err err = ERR_INIT;
	size_t i;

	json_set(data, "destinations", list);
	if (routing_load(r->app, r->a, &r->actor.account_id, &routing, &err) == -1 ||
	    mapping_sources(r->app, r->a, &r->actor.account_id, &sources, &err) == -1)
		return res_error(r, &err);
	if (doc != NULL)
		routing = JSON_ITER(doc);
	json_array_each(json_object_get(routing, "destinations"), i, d) {
		json_t *o = destination_show(r, d, json_object_get(routing, "groups"), sources, i);

		json_set_str(o, "words", destination_words(r->a, d, o));
		json_set_str(o, "wrong", i == at ? wrong : NULL);
		json_set_bool(o, "is_open", i == at && wrong != NULL);
		json_array_append_new(list, o);
	}
	json_set_bool(data, "has_destinations", json_array_size(list) > 0);
	json_set_bool(data, "may_write", (r->actor.permissions & PERMIT(CRM_WRITE)) != 0);
	if (wrong != NULL)
		chrome_wrong(
		    r, data, "problem", "Nothing was saved. Look at the destination marked below.");
	crm_show_tabs(data, CRM_TAB_ROUTING);
	return chrome_page(r, status, "deliveries", "Routing", "crm/routing", json_incref(data));
}

int crm_page_routing(struct req *r)
{
	return routing_show(r, 200, NULL, 0, NULL);
}

/* ---- saved ------------------------------------------------------------------------------- */

struct routing_complaint {
	struct arena *a;
	const char *wrong; /* the first */
};

/* Paths without the list that the destination is in: "cap.limit: must be …". */
static void routing_complain(void *arg, const char *path, const char *reason)
{
	struct routing_complaint *c = arg;
	const char *dot = strncmp(path, "destinations[", 13) == 0 ? strchr(path, '.') : NULL;

	if (c->wrong == NULL)
		c->wrong = arena_printf(c->a, "%s: %s", dot == NULL ? path : dot + 1, reason);
}

int crm_page_routing_post(struct req *r)
{
	struct routing_complaint c = {.a = r->a};
	struct json_reader in = {.complain = routing_complain, .arg = &c};
	struct err err = ERR_INIT;
	int64_t place = 0;
	json_t *doc;

	(void)str_to_i64(req_form(r, "place"), 0, INT32_MAX, &place);
	if (routing_load(r->app, r->a, &r->actor.account_id, &doc, &err) == -1)
		return res_error(r, &err);
	if (!routing_read(r, doc, (size_t)place))
		return res_problem(r, 404, "There is no such destination any more");
	if (routing_save(r, &in, doc, &err)) {
		chrome_flash(
		    r, "ok", "The routing is saved. Leads that come from now on go by it.");
		return res_redirect(r, ADDRESS);
	}
	if (err.code != ERR_NONE)
		return res_error(r, &err);
	return routing_show(r, 422, doc, (size_t)place, c.wrong);
}
