/* crm.push: the run's lead goes to destinations of the flow's own choice. */
#include "base/arena.h"
#include "connection/connection.h"
#include "crm/crm.h"
#include "flow/flow-internal.h"

#define DESTINATIONS_MOST 100

/* The lead that is named, or that of the run's record. */
static int push_find_lead(const struct step_call *c, struct uuid *out, struct err *err)
{
	const char *text = step_text(c, "leadId");
	int found;

	if (text != NULL && !uuid_parse(str_from(text), out))
		return err_field(err, ERR_INVALID, "leadId", "must be the id of a lead");
	if (text != NULL)
		return 0;
	if (uuid_is_nil(c->record_id))
		return err_field(err, ERR_INVALID, "leadId", "is needed: this run has no record");
	found = crm_lead_of_record(c->app, c->a, &c->account_id, &c->record_id, out, err);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "The record of this run has no lead");
	return found == -1 ? -1 : 0;
}

static int push_destinations(const struct step_call *c, struct uuid *to, size_t *n, struct err *err)
{
	json_t *ids = step_input(c, "connectionIds"), *id;
	size_t i;

	*n = 0;
	json_array_each(ids, i, id) {
		if (*n == DESTINATIONS_MOST || !json_is_string(id) ||
		    !uuid_parse(str_from(json_string_value(id)), &to[*n]))
			return err_field(err, ERR_INVALID, "connectionIds",
			    "must be at most %d ids of destinations", DESTINATIONS_MOST);
		++*n;
	}
	return 0;
}

static int push_run(struct step_call *c, struct err *err)
{
	struct uuid lead_id, to[DESTINATIONS_MOST];
	size_t n, queued;
	int found;

	if (push_find_lead(c, &lead_id, err) == -1 || push_destinations(c, to, &n, err) == -1) {
		c->is_refused = err->code == ERR_INVALID || err->code == ERR_NOT_FOUND;
		return -1;
	}
	c->output = json_own(c->a, json_object());
	json_set_str(c->output, "leadId", uuid_dup(c->a, lead_id));
	if (c->is_dry) {
		step_would(c, "push the lead", json_incref(c->output));
		return 0;
	}
	found = crm_push_lead(c->app, c->a, &c->account_id, &lead_id, to, n, &queued, err);
	if (found != 1) {
		c->is_refused = found == 0;
		return found == -1 ? -1 : err_set(err, ERR_NOT_FOUND, "There is no such lead");
	}
	json_set_int(c->output, "queued", (int64_t)queued);
	return 0;
}

/* 1, 0 it is no destination of the account, -1. */
static int find_destination(struct step_check *c, const char *text, struct err *err)
{
	struct connection *to;
	struct uuid id;
	int found = 0;

	if (text != NULL && uuid_parse(str_from(text), &id))
		found = connection_recent(c->app, c->a, &c->account_id, &id, &to, err);
	return found != 1 ? found : provider_can(to->provider, "crm_push");
}

static int push_check(struct step_check *c, struct err *err)
{
	const json_t *ids = step_given(c->step, "connectionIds");
	json_t *id;
	size_t i;

	json_array_each(ids, i, id) {
		int found = find_destination(c, json_string_value(id), err);

		if (found == -1)
			return -1;
		if (found == 0)
			step_complain(c, "connectionIds", "have one that does not exist: %.60s",
			    json_is_string(id) ? json_string_value(id) : "?");
	}
	return 0;
}

const struct step_kind step_crm_push = {.name = "crm.push",
    .label = "Push a lead",
    .help =
	"Sends a lead to destinations, also to those that leads don't go to by themselves. What "
	"has it already is left alone.",
    .how = STEP_STORED,
    .fields =
	(const struct step_field[]){
	    {"leadId", STEP_STRING, STEP_INPUT, "Lead",
		"The id of a lead; the lead of the run's record unless given.", 0, 0, NULL},
	    {"connectionIds", STEP_IDS, 0, "Destinations", "Each that is active unless given.", 0,
		0, NULL},
	    {.name = NULL}},
    .outputs = (const struct step_output[]){{"leadId", "The lead"},
	{"queued", "To how many destinations it is sent"}, {NULL, NULL}},
    .check = push_check,
    .run = push_run};
