/* Destinations for API and page: what is known of each, in one place. */
#include "base/clock.h"
#include "base/zone.h"
#include "crm/crm-destinations.h"
#include "crm/crm-outcomes.h"
#include "job/queue.h"

#define WEEK 7

struct destinations {
	struct req *r;
	struct connection **to;
	size_t n;
	struct breaker *breakers;
	size_t nbreakers;
	struct outcome_counts *counts;
	size_t ncounts;
};

static int destinations_load(struct destinations *d, struct err *err)
{
	struct req *r = d->r;
	const struct uuid *account = &r->actor.account_id;
	const int64_t now_us = clock_now_us();

	return connection_list_capable(r->app, r->a, account, "crm_push", &d->to, &d->n, err) ==
			   -1 ||
		       breaker_list_of(
			   r->app->db, r->a, account, &d->breakers, &d->nbreakers, err) == -1 ||
		       outcomes_by_destination(r->app, r->a, account,
			   zone_day_us(r->actor.account_zone, now_us, 1 - WEEK),
			   zone_day_us(r->actor.account_zone, now_us, 0), &d->counts, &d->ncounts,
			   err) == -1
		   ? -1
		   : 0;
}

static const struct breaker *breaker_of(const struct destinations *d, const struct uuid *id)
{
	static const struct breaker well;

	for (size_t i = 0; i < d->nbreakers; i++)
		if (uuid_eq(d->breakers[i].target_id, *id))
			return &d->breakers[i];
	return &well;
}

static void destination_tell_breaker(
    const struct destinations *d, const struct connection *c, json_t *o)
{
	const struct breaker *b = breaker_of(d, &c->id);

	json_set_bool(o, "isPaused", breaker_is_paused(b, JOB_LIVE));
	json_set_str(o, "breaker", breaker_state(b, clock_now_us()));
	json_set_time(o, "openSince", b->opened_us);
	json_set_time(o, "nextProbeAt", b->opened_us == 0 ? 0 : b->probe_at_us);
	json_set_str(o, "laneId",
	    queue_lane_id(d->r->a, &(struct lane_key){c->account_id, c->id, JOB_LIVE}));
}

static void destination_tell_counts(
    const struct destinations *d, const struct connection *c, json_t *o)
{
	static const struct outcome_counts none;
	const struct outcome_counts *x = &none;

	for (size_t i = 0; i < d->ncounts; i++)
		if (uuid_eq(d->counts[i].connection_id, c->id))
			x = &d->counts[i];
	json_set_int(o, "deliveredToday", x->later[OUTCOME_DELIVERED]);
	json_set_int(o, "failedToday", x->later[OUTCOME_FAILED]);
	json_set_int(o, "deliveredWeek", x->n[OUTCOME_DELIVERED]);
	json_set_int(o, "failedWeek", x->n[OUTCOME_FAILED]);
}

static int destination_tell_ledger(
    struct req *r, const struct connection *c, json_t *o, struct err *err)
{
	struct destination_backlog b;
	struct destination_last last;

	if (destination_backlog(r->app, r->a, &c->account_id, &c->id, &b, err) == -1 ||
	    destination_last(r->app, r->a, &c->account_id, &c->id, &last, err) == -1)
		return -1;
	json_set_int(o, "pending", b.pending);
	json_set_int(o, "held", b.held);
	json_set_int(o, "retrying", b.retrying);
	json_set_int(o, "refused", b.refused);
	json_set_int(o, "dead", b.dead);
	json_set_int(o, "skippedLacking", b.lacked);
	json_set_time(o, "nextAttemptAt", b.next_us);
	json_set_time(o, "lastDeliveredAt", last.success_us);
	json_set(o, "medianUs", last.speed_us < 0 ? json_null() : json_integer(last.speed_us));
	json_set_time(o, "lastErrorAt", last.error_us);
	json_set_str(o, "lastError", last.error);
	json_set_str(
	    o, "lastErrorDeliveryId", last.error == NULL ? NULL : uuid_dup(r->a, last.error_id));
	return 0;
}

int destinations_json(struct req *r, json_t **out, struct err *err)
{
	struct destinations d = {.r = r};

	*out = json_own(r->a, json_array());
	if (destinations_load(&d, err) == -1)
		return -1;
	for (size_t i = 0; i < d.n; i++) {
		const struct connection *c = d.to[i];
		json_t *o = json_object();

		json_array_append_new(*out, o);
		json_set_str(o, "connectionId", uuid_dup(r->a, c->id));
		json_set_str(o, "name", c->name);
		json_set_str(o, "providerType", c->provider_type);
		json_set_str(o, "status", c->status);
		json_set_bool(o, "autoPush", c->auto_push);
		json_set_str(o, "lacks", connection_lacks(r->a, c, PUSH_ACTION));
		destination_tell_breaker(&d, c, o);
		destination_tell_counts(&d, c, o);
		if (destination_tell_ledger(r, c, o, err) == -1)
			return -1;
	}
	return 0;
}

int crm_api_destinations(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *list;

	if (destinations_json(r, &list, &err) == -1)
		return res_error(r, &err);
	return res_whole(r, list, DESTINATIONS_MOST);
}
