/* The job event.effects: what the items of an event ask for besides being stored.
 *
 *	erase   the record and the lead of that type and id, with history and deliveries
 *	status  the connection is expired: its provider has ended what it calls with
 *
 * It is written in the commit of its event, so nothing of it is lost, and it may run twice: each
 * effect leaves what it finds done as it is. Erasures are for good: whatever is still on its way of
 * that record finds it gone. */
#include "account/audit.h"
#include "base/log.h"
#include "intake/erase.h"
#include "intake/intake-internal.h"

void item_add_effects(json_t *effects, const struct write_set *ws, const struct write_item *item)
{
	json_t *o = json_object();

	if (item->erases) {
		json_set_strn(o, "erase", item->external_id);
		json_set_strn(o, "type", item->resource_type);
	}
	/* A replay may come long after the connection was made anew. */
	if (item->status.p != NULL && !ws->is_replay) {
		json_set_strn(o, "status", item->status);
		json_set_strn(o, "reason", item->status_reason);
	}
	if (json_object_size(o) > 0)
		json_array_append(effects, o);
	json_decref(o);
}

struct job event_effects_job(struct arena *a, const struct write_set *ws, json_t *effects)
{
	json_t *args = json_own(a, json_object());

	json_set_str(args, "connectionId", uuid_dup(a, ws->connection_id));
	json_set_strn(args, "providerType", ws->provider_type);
	json_set(args, "effects", json_incref(effects));
	return (struct job){.account_id = ws->account_id,
	    .kind = "event.effects",
	    .subject_id = ws->event_id,
	    .args = json_text(a, args)};
}

struct effect_doing {
	struct job *job;
	struct str provider_type;
	const json_t *effect;
};

static int effect_erase_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct effect_doing *d = arg;
	struct job *j = d->job;
	struct str type = str_from(json_str(d->effect, "type")),
		   id = str_from(json_str(d->effect, "erase"));
	struct erased gone = {.events = 0};
	json_t *details = json_own(j->a, json_object());
	bool had_record;

	(void)db;
	if (erase_external(j->app, j->a, &j->account_id, d->provider_type, type, id, &gone, err) ==
	    -1)
		return -1;
	had_record = !uuid_is_nil(gone.record_id);
	json_set_strn(details, "providerType", d->provider_type);
	json_set_strn(details, "resourceType", type);
	json_set_int(details, "events", gone.events);
	if (!uuid_is_nil(j->subject_id)) /* nil: a poll's */
		json_set_str(details, "eventId", uuid_dup(j->a, j->subject_id));
	if (had_record || !uuid_is_nil(gone.lead_id))
		audit_fact(log, "record.erase", had_record ? "record" : "lead",
		    had_record ? &gone.record_id : &gone.lead_id, details);
	return 0;
}

static int effect_expire(const struct effect_doing *d, const json_t *args, struct err *err)
{
	struct job *j = d->job;
	struct uuid id;

	if (!uuid_parse(str_from(json_str(args, "connectionId")), &id))
		return 0;
	return connection_expire(
	    j->app, j->a, &j->account_id, &id, json_str(d->effect, "reason"), err);
}

static int effect_do(struct effect_doing *d, const json_t *args, struct err *err)
{
	struct job *j = d->job;

	if (json_str(d->effect, "erase") != NULL &&
	    audit_change(j->app, NULL, &j->account_id, effect_erase_body, d, err) == -1)
		return -1;
	if (json_str(d->effect, "status") != NULL && effect_expire(d, args, err) == -1)
		return -1;
	return 0;
}

int event_job_effects(struct job *j, struct err *err)
{
	const json_t *args = job_args(j, err);
	struct effect_doing d = {.job = j};
	size_t i;
	json_t *effect;

	if (args == NULL)
		return -1;
	d.provider_type = str_from(json_str(args, "providerType"));
	json_array_each(json_object_get(args, "effects"), i, effect) {
		d.effect = effect;
		if (effect_do(&d, args, err) == -1)
			return -1;
	}
	return 0;
}
