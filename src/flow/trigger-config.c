/* What people say of a trigger beside its kind, provider and name: its config, whose members the
 * kind decides. It is kept as it was given, so that it is shown as it was given. */
#include "base/cron.h"
#include "base/limits.h"
#include "flow/flow.h"
#include "flow/trigger.h"

#define CONFIG_BYTES (16u * 1024u)

const struct word trigger_made_kinds[] = {{TRIGGER_WEBHOOK, "A record or an event arrives"},
    {TRIGGER_POLL, "A list is asked for new items"}, {TRIGGER_SCHEDULE, "By the clock"},
    {NULL, NULL}};

static const char *const ons[] = {"created", "updated", "any", NULL};
static const char *const firsts[] = {"note", "fire", NULL};
static const char *const misses[] = {"run", "skip", NULL};

struct trigger_config {
	const char *on, *first, *missed;
	struct str type, action, cursor, items, id, input, cron, zone;
	json_t *inputs, *payload;
	int64_t interval_s;
	bool on_import;
};
#define OF(member) JSON_INTO(struct trigger_config, member)

/* ---- records and events ---------------------------------------------------------------------- */

/* The type is the name, unless it is given. */
static void check_type(struct json_reader *in, const struct trigger_config *c, struct trigger *t)
{
	t->resource_type = c->type.p != NULL ? c->type : t->name;
	if (c->type.p != NULL && !str_is(c->type, "*") && !record_type_is_valid(c->type))
		json_reader_fail_at(in, "recordResourceType", "is no record type");
}

static void check_webhook(struct json_reader *in, struct trigger *t)
{
	static const struct json_member members[] = {{"on", READ_WORD, OF(on), .words = ons},
	    {"recordResourceType", READ_TEXT, OF(type), .min = 1, .max = LIMIT_TYPE_BYTES},
	    {"onImport", READ_BOOL, OF(on_import)}};
	struct trigger_config c = {.on = NULL};

	if (json_read_members(in, t->config, JSON_MEMBERS(members), &c) == 0)
		check_type(in, &c, t);
}

/* ---- polls ----------------------------------------------------------------------------------- */

int64_t trigger_interval_s(const struct trigger *t)
{
	return json_int(t->config, "pollIntervalSeconds");
}

/* The members are read here; whether they can be done by the provider is said by who polls. */
static int check_poll(struct req *r, struct json_reader *in, struct trigger *t, struct err *err)
{
	static const struct json_member members[] = {
	    {"pollAction", READ_TEXT, OF(action), .need = READ_NEEDED, .min = 1, .max = 100},
	    {"cursorPath", READ_TEXT, OF(cursor), .min = 1, .max = 200},
	    {"recordResourceType", READ_TEXT, OF(type), .min = 1, .max = LIMIT_TYPE_BYTES},
	    {"recordItemsPath", READ_TEXT, OF(items), .min = 1, .max = 200},
	    {"recordExternalIdPath", READ_TEXT, OF(id), .min = 1, .max = 200},
	    {"pollIntervalSeconds", READ_INT, OF(interval_s), .min = 30, .max = 7 * 86400},
	    {"cursorInput", READ_TEXT, OF(input), .min = 1, .max = 100},
	    {"inputs", READ_OBJECT, OF(inputs)},
	    {"firstPoll", READ_WORD, OF(first), .words = firsts},
	    {"on", READ_WORD, OF(on), .words = ons}, {"onImport", READ_BOOL, OF(on_import)}};
	struct trigger_config c = {.on = NULL};

	if (json_read_members(in, t->config, JSON_MEMBERS(members), &c) == -1)
		return 0;
	check_type(in, &c, t);
	if (str_is(t->resource_type, "*"))
		json_reader_fail_at(
		    in, "recordResourceType", "is what the items become: name a type");
	if (str_is(t->resource_type, "lead"))
		json_reader_fail_at(in, "recordResourceType",
		    "leads come by their connection's own polling: make a trigger of the kind "
		    "webhook "
		    "for them");
	if (in->faults > 0 || r->app->hooks.trigger_poll_check == NULL)
		return 0;
	return r->app->hooks.trigger_poll_check(r, t, err);
}

/* ---- schedules ------------------------------------------------------------------------------- */

/* Kept with the zone that it means, so that it stays when the account moves. */
static void schedule_set_zone(struct req *r, struct trigger *t)
{
	t->config = json_own(r->a, json_copy(t->config));
	json_set_str(t->config, "timeZone", zone_name(r->actor.account_zone));
}

static void check_schedule(struct req *r, struct json_reader *in, struct trigger *t)
{
	static const struct json_member members[] = {
	    {"cron", READ_TEXT, OF(cron), .need = READ_NEEDED, .min = 1, .max = CRON_BYTES},
	    {"timeZone", READ_TEXT, OF(zone), .min = 1, .max = ZONE_NAME_BYTES},
	    {"missed", READ_WORD, OF(missed), .words = misses},
	    {"payload", READ_OBJECT, OF(payload)}};
	struct trigger_config c = {.on = NULL};
	struct err why = ERR_INIT;
	struct cron cron;

	if (t->provider_type.n > 0)
		req_invalid(r, "providerType", "goes with the kinds webhook and poll");
	if (json_read_members(in, t->config, JSON_MEMBERS(members), &c) == -1)
		return;
	if (c.zone.p == NULL)
		schedule_set_zone(r, t);
	else if (!zone_is_known(c.zone))
		json_reader_fail_at(in, "timeZone", "is no time zone, such as Europe/Berlin");
	if (cron_parse(c.cron, &cron, &why) == -1)
		json_reader_fail_at(in, "cron", "%s", why.msg);
	if (in->faults > 0)
		return;
	t->next_us = trigger_next_us(t, clock_now_us());
	if (t->next_us == 0)
		json_reader_fail_at(in, "cron", "is never due: there is no such day");
	if (!t->is_enabled)
		t->next_us = 0;
}

int trigger_check_config(struct req *r, struct trigger *t, struct err *err)
{
	struct json_reader in = req_reader(r);

	json_reader_enter(&in, "config");
	if (json_text(r->a, t->config).n > CONFIG_BYTES) {
		json_reader_fail(&in, "may have at most %u bytes", CONFIG_BYTES);
		return 0;
	}
	t->next_us = 0;
	if (strcmp(t->kind, TRIGGER_POLL) == 0)
		return check_poll(r, &in, t, err);
	if (strcmp(t->kind, TRIGGER_SCHEDULE) == 0)
		check_schedule(r, &in, t);
	else
		check_webhook(&in, t);
	return 0;
}
