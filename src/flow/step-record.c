/* record.upsert: a record of the store, with the source flow_step. */
#include "base/arena.h"
#include "base/clock.h"
#include "connection/connection.h"
#include "crm/crm.h"
#include "flow/flow-internal.h"

static int upsert_check_texts(struct step_call *c, struct record_item *item, struct err *err)
{
	const char *provider = step_text(c, "providerType"), *type = step_text(c, "resourceType");
	/* as of a webhook: the same id makes the same record by either way */
	struct str id = utf8_trim(str_from(json_id_text(c->a, step_input(c, "externalId"))));

	if (id.n == 0)
		return err_set(err, ERR_INVALID, "\"externalId\" is empty");
	if (id.n > LIMIT_EXTERNAL_ID_BYTES)
		return err_set(err, ERR_INVALID, "\"externalId\" is longer than %u bytes",
		    LIMIT_EXTERNAL_ID_BYTES);
	item->provider_type = provider == NULL ? STR(PROVIDER_MANUAL) : str_from(provider);
	item->resource_type = str_from(type);
	item->external_id = id;
	return 0;
}

/* A lead follows its record. Its destinations are told here, since its job would start the flows
 * that wait for changed leads, this one among them: what a flow writes starts none. */
static int upsert_store(struct step_call *c, struct record_item *item, struct err *err)
{
	struct lead_capture lead;

	if (lead_record_upsert_told(c->db, c->a, item, &lead, err) == -1)
		return -1;
	if (!lead.is_corrected)
		return 0;
	return crm_lead_corrected(c->app, c->a, &c->account_id, &lead.id, lead.revision, err);
}

static int upsert_run(struct step_call *c, struct err *err)
{
	json_t *data = step_input(c, "data");
	struct record_item item = {.account_id = c->account_id,
	    .source = RECORD_SOURCE_FLOW_STEP,
	    .provider_updated_us = TIME_NONE,
	    .index_later = true,
	    .at_us = clock_now_us()};

	c->is_refused = true;
	if (upsert_check_texts(c, &item, err) == -1)
		return -1;
	if (!json_is_object(data))
		return err_set(err, ERR_INVALID, "\"data\" is no object");
	item.data = json_text(c->a, data);
	if (item.data.n > LIMIT_RECORD_BYTES)
		return err_set(err, ERR_INVALID, "\"data\" has more than 1 MiB");
	if (c->is_dry) {
		step_would(c, "write a record", json_incref(JSON_ITER(c->input)));
		return 0;
	}
	if (upsert_store(c, &item, err) == -1)
		return -1;
	c->output = json_own(c->a, json_object());
	json_set_str(c->output, "recordId", uuid_dup(c->a, item.id));
	json_set_bool(c->output, "created", item.outcome == RECORD_CREATED);
	json_set_bool(
	    c->output, "changed", item.outcome == RECORD_CREATED || item.outcome == RECORD_UPDATED);
	return 0;
}

static void check_type(struct step_check *c, const char *field)
{
	const char *type = json_string_value(step_given(c->step, field));

	if (type != NULL && !record_type_is_valid(str_from(type)))
		step_complain(
		    c, field, "must be 1 to %u letters, digits, _ . and -", LIMIT_TYPE_BYTES);
}

static int upsert_check(struct step_check *c, struct err *err)
{
	(void)err;
	check_type(c, "providerType");
	check_type(c, "resourceType");
	return 0;
}

const struct step_kind step_record_upsert = {.name = "record.upsert",
    .label = "Write a record",
    .help = "Makes a record, or merges data into the one of that external id.",
    .how = STEP_STORED,
    .fields = (const struct step_field[]){{"providerType", STEP_WORD_TEXT, 0, "Provider",
					      "manual unless given", 0, 0, NULL},
	{"resourceType", STEP_WORD_TEXT, STEP_NEEDED, "Type", "Such as contact", 0, 0, NULL},
	{"externalId", STEP_STRING, STEP_NEEDED | STEP_INPUT, "External id",
	    "Such as {{trigger.id}}", 0, 0, NULL},
	{"data", STEP_OBJECT, STEP_NEEDED | STEP_INPUT, "Data", NULL, 0, 0, NULL}, {.name = NULL}},
    .outputs = (const struct step_output[]){{"recordId", "its id"},
	{"created", "false: it was there"}, {"changed", "false: nothing was new"}, {NULL, NULL}},
    .check = upsert_check,
    .run = upsert_run};
