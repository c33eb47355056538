/* What a step can be given: the fields of what starts its flow, as the catalogue of fields knows
 * them, and what the steps before it give. */
#ifndef FLOW_FLOW_FIELDS_H
#define FLOW_FLOW_FIELDS_H
#include "flow/flow-draft.h"
#include "flow/flow-words.h"

/* The triggers of a flow: JSON of the API, and in *types what starts it, each type of records once:
 * [{"resourceType","providerType": that they are of, if only one}]. Arena-owned. */
int flow_fields_triggers(
    struct req *r, const struct uuid *flow_id, json_t **triggers, json_t **types, struct err *err);
/* A filter's copies for the records of such a type: with any source a lead counts once. */
struct str flow_fields_copies(const json_t *starts);
/* [{"heading","choices":[{"place":"trigger.email","value":"{{trigger.email}}","label"}]}] for a
 * step that stands, or is to stand, at a spot; arena-owned. */
int flow_fields_at(struct req *r, const struct flow_words *w, const struct draft *d,
    const struct draft_spot *at, const json_t *types, json_t **out, struct err *err);
#endif
