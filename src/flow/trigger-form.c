/* The form of a trigger: what it shows, and the config that it says. Its fields are words for
 * people; what it makes is what the API takes, so both are checked by one code (trigger_make). */
#include "account/account-pages.h"
#include "base/arena.h"
#include "connection/connection-pages.h"
#include "flow/trigger-pages.h"
#include "provider/poll.h"

/* ---- reading --------------------------------------------------------------------------------- */

static struct str form_text(struct req *r, const char *name)
{
	return utf8_trim(req_form(r, name));
}

static void config_take(struct req *r, json_t *config, const char *field, const char *key)
{
	struct str text = form_text(r, field);

	if (text.n > 0)
		json_set_strn(config, key, text);
}

static void form_read_connection(struct req *r, struct trigger *t)
{
	struct str text = form_text(r, "connection");

	t->connection_id = (struct uuid){{0}};
	if (text.n > 0 && !uuid_parse(text, &t->connection_id))
		req_invalid(r, "connectionId", "is no connection");
}

static void form_read_webhook(struct req *r, struct trigger *t, json_t *config)
{
	if (uuid_is_nil(t->id)) {
		t->provider_type = form_text(r, "provider");
		t->name = form_text(r, "name");
	}
	config_take(r, config, "on", "on");
	json_set_bool(config, "onImport", req_form(r, "on_import").n > 0);
}

/* "hubspot list_contacts" */
static void form_read_action(struct req *r, struct trigger *t, json_t *config)
{
	struct str rest = form_text(r, "action"), provider, action;

	if (!str_split(&rest, ' ', &provider) || !str_split(&rest, ' ', &action)) {
		req_invalid(r, "config.pollAction", "is needed");
		return;
	}
	if (uuid_is_nil(t->id))
		t->provider_type = provider;
	json_set_strn(config, "pollAction", action);
}

static void form_read_inputs(struct req *r, json_t *config)
{
	struct str text = form_text(r, "inputs");
	struct err why = ERR_INIT;
	json_t *inputs;

	if (text.n == 0)
		return;
	inputs = json_parse(r->a, text, &why);
	if (json_is_object(inputs))
		json_set(config, "inputs", json_incref(inputs));
	else
		req_invalid(r, "config.inputs", "must be a JSON object such as {\"limit\": 50}");
}

static void form_read_poll(struct req *r, struct trigger *t, json_t *config)
{
	int64_t interval_s;

	form_read_action(r, t, config);
	if (uuid_is_nil(t->id))
		t->name = form_text(r, "type");
	config_take(r, config, "type", "recordResourceType");
	config_take(r, config, "items", "recordItemsPath");
	config_take(r, config, "item_id", "recordExternalIdPath");
	config_take(r, config, "cursor", "cursorPath");
	config_take(r, config, "cursor_input", "cursorInput");
	config_take(r, config, "first", "firstPoll");
	config_take(r, config, "on", "on");
	form_read_inputs(r, config);
	if (form_text(r, "interval").n == 0)
		return;
	if (str_to_i64(form_text(r, "interval"), 0, INT64_MAX, &interval_s))
		json_set_int(config, "pollIntervalSeconds", interval_s);
}

static void form_read_schedule(struct req *r, json_t *config)
{
	struct err why = ERR_INIT;
	const char *cron = trigger_every_cron(r, &why);

	if (why.code != ERR_NONE)
		req_invalid(r, why.field, "%s", why.msg);
	json_set_str(config, "cron", cron);
	config_take(r, config, "zone", "timeZone");
	if (req_form(r, "skips").n > 0)
		json_set_str(config, "missed", "skip");
}

void trigger_form_read(struct req *r, struct trigger *t)
{
	json_t *was = json_object_get(t->config, "payload");
	json_t *config = json_own(r->a, json_object());

	if (strcmp(t->kind, TRIGGER_SCHEDULE) == 0) {
		form_read_schedule(r, config);
		if (was != NULL) /* not of the form */
			json_set(config, "payload", json_incref(was));
	} else {
		form_read_connection(r, t);
		if (strcmp(t->kind, TRIGGER_POLL) == 0)
			form_read_poll(r, t, config);
		else
			form_read_webhook(r, t, config);
	}
	t->config = config;
}

/* ---- showing --------------------------------------------------------------------------------- */

static json_t *choice_new(const char *value, const char *label, bool is_current)
{
	json_t *o = json_object();

	json_set_str(o, "value", value);
	json_set_str(o, "label", label);
	json_set_bool(o, "is_current", is_current);
	return o;
}

static void show_choices(
    json_t *data, const char *key, const struct word *words, const char *current)
{
	json_t *list = json_array();

	for (; words->text != NULL; words++)
		json_array_append_new(
		    list, choice_new(words->text, words->label,
			      current != NULL && strcmp(current, words->text) == 0));
	json_set(data, key, list);
}

/* Connections of the trigger's provider; of any, where it has none yet. */
static int show_connections(struct req *r, const struct trigger *t, json_t *data, struct err *err)
{
	json_t *names, *list = json_array(), *o;
	const char *id,
	    *current = uuid_is_nil(t->connection_id) ? "" : uuid_dup(r->a, t->connection_id);

	json_set(data, "connections", list);
	if (connection_names(r->app, r->a, &r->actor.account_id, &names, err) == -1)
		return -1;
	json_object_each(names, id, o) {
		const char *type = json_str(o, "providerType");

		if (t->provider_type.n > 0 && !str_is(t->provider_type, type))
			continue;
		json_array_append_new(list, choice_new(id,
						arena_printf(r->a, "%s (%s)", json_str(o, "name"),
						    provider_label(r->app, type)),
						strcmp(id, current) == 0));
	}
	return 0;
}

/* All that there are, connected ones first. */
static int show_providers(struct req *r, const struct trigger *t, json_t *data, struct err *err)
{
	json_t *counts, *first = json_array(), *others = json_array();

	json_set(data, "connected_providers", first);
	json_set(data, "other_providers", others);
	if (connection_counts(r, &counts, err) == -1)
		return -1;
	json_set_bool(data, "is_of_any", str_is(t->provider_type, TRIGGER_ANY));
	for (size_t i = 0; i < providers_count(r->app->providers); i++) {
		const struct provider *p = provider_at(r->app->providers, i);
		const char *name = provider_name(p);

		json_array_append_new(json_int(counts, name) > 0 ? first : others,
		    choice_new(name, provider_display_name(p), str_is(t->provider_type, name)));
	}
	return 0;
}

/* The types that records have here, for who types one. */
static int show_types(struct req *r, json_t *data, struct err *err)
{
	json_t *summary, *list = json_array(), *v;
	const char *type;

	json_set(data, "types", list);
	if (record_summary(r->app, r->a, &r->actor.account_id, &summary, err) == -1)
		return -1;
	json_object_each(json_object_get(summary, "byResourceType"), type, v)
		json_array_append_new(list, json_string(type));
	return 0;
}

/* List actions of connected providers, by provider. */
static int show_actions(struct req *r, const struct trigger *t, json_t *data, struct err *err)
{
	const char *current = json_str(t->config, "pollAction");
	json_t *counts, *groups = json_array(), *act;

	json_set(data, "actions", groups);
	if (connection_counts(r, &counts, err) == -1)
		return -1;
	for (size_t i = 0; i < providers_count(r->app->providers); i++) {
		const struct provider *p = provider_at(r->app->providers, i);
		const char *name = provider_name(p);
		bool is_its = str_is(t->provider_type, name);
		json_t *group, *options, *lists;
		size_t k;

		if (json_int(counts, name) == 0 && !is_its)
			continue;
		lists = provider_list_actions(r->a, p);
		if (json_array_size(lists) == 0 || (!uuid_is_nil(t->id) && !is_its))
			continue;
		group = json_object();
		json_set_str(group, "label", provider_display_name(p));
		json_set(group, "options", options = json_array());
		json_array_each(lists, k, act) {
			const char *action = json_str(act, "name");

			json_array_append_new(options,
			    choice_new(arena_printf(r->a, "%s %s", name, action),
				arena_printf(r->a, "%s: %s", provider_display_name(p),
				    json_str(act, "label")),
				is_its && current != NULL && strcmp(current, action) == 0));
		}
		json_array_append_new(groups, group);
	}
	json_set_bool(data, "has_actions", json_array_size(groups) > 0);
	return 0;
}

static void show_text(json_t *data, const char *key, const json_t *config, const char *member)
{
	const char *text = json_str(config, member);

	json_set_str(data, key, text == NULL ? "" : text);
}

static int show_poll(struct req *r, const struct trigger *t, json_t *data, struct err *err)
{
	static const struct word intervals[] = {{"60", "Every minute"}, {"300", "Every 5 minutes"},
	    {"900", "Every 15 minutes"}, {"3600", "Every hour"}, {"21600", "Every 6 hours"},
	    {"86400", "Every day"}, {NULL, NULL}};
	static const struct word firsts[] = {{"note", "Only take note of them"},
	    {"fire", "Run the flow for each of them too"}, {NULL, NULL}};
	int64_t interval_s = trigger_interval_s(t);
	const json_t *inputs = json_object_get(t->config, "inputs");
	const char *interval =
	    arena_printf(r->a, "%lld", (long long)(interval_s > 0 ? interval_s : 300));

	show_choices(data, "intervals", intervals, interval);
	if (word_find(intervals, str_from(interval)) == NULL)
		json_array_append_new(json_object_get(data, "intervals"),
		    choice_new(interval, arena_printf(r->a, "Every %s seconds", interval), true));
	show_choices(data, "firsts", firsts, json_str(t->config, "firstPoll"));
	json_set_strn(data, "type", t->resource_type.p != NULL ? t->resource_type : STR(""));
	show_text(data, "type", t->config, "recordResourceType");
	show_text(data, "items", t->config, "recordItemsPath");
	show_text(data, "item_id", t->config, "recordExternalIdPath");
	show_text(data, "cursor_path", t->config, "cursorPath");
	show_text(data, "cursor_input", t->config, "cursorInput");
	json_set_strn(data, "inputs", inputs != NULL ? json_text(r->a, inputs) : STR(""));
	json_set_bool(data, "has_paths",
	    inputs != NULL || json_str(t->config, "recordItemsPath") != NULL ||
		json_str(t->config, "cursorPath") != NULL);
	return show_actions(r, t, data, err);
}

static void show_schedule(struct req *r, const struct trigger *t, json_t *data)
{
	const char *zone = json_str(t->config, "timeZone"), *missed = json_str(t->config, "missed");

	trigger_every_show(r, json_str(t->config, "cron"), data);
	account_page_add_zones(
	    r, data, str_from(zone != NULL ? zone : zone_name(r->actor.account_zone)));
	json_set_bool(data, "skips", missed != NULL && strcmp(missed, "skip") == 0);
}

int trigger_form_show(struct req *r, const struct trigger *t, json_t *data, struct err *err)
{
	static const struct word ons[] = {{"any", "It is new or changed"}, {"created", "It is new"},
	    {"updated", "It was there and changed"}, {NULL, NULL}};
	const char *on = json_str(t->config, "on");

	json_set_bool(data, "is_webhook", strcmp(t->kind, TRIGGER_WEBHOOK) == 0);
	json_set_bool(data, "is_poll", strcmp(t->kind, TRIGGER_POLL) == 0);
	json_set_bool(data, "is_schedule", strcmp(t->kind, TRIGGER_SCHEDULE) == 0);
	json_set_bool(data, "is_new", uuid_is_nil(t->id));
	json_set_str(data, "kind", t->kind);
	if (strcmp(t->kind, TRIGGER_SCHEDULE) == 0) {
		show_schedule(r, t, data);
		return 0;
	}
	show_choices(data, "ons", ons, on == NULL ? "any" : on);
	json_set_strn(data, "name", t->name.p != NULL ? t->name : STR(""));
	json_set_bool(data, "on_import", trigger_takes_imports(t));
	if (t->provider_type.n > 0)
		json_set_str(data, "provider_label",
		    str_is(t->provider_type, TRIGGER_ANY)
			? "any source"
			: provider_label(r->app, str_copy(r->a, t->provider_type).p));
	if (show_connections(r, t, data, err) == -1 || show_types(r, data, err) == -1)
		return -1;
	return strcmp(t->kind, TRIGGER_POLL) == 0 ? show_poll(r, t, data, err)
						  : show_providers(r, t, data, err);
}
