/* Write sets as the suites of intake make them, and what came of them. */
#ifndef TESTS_UNIT_INTAKE_CHECK_H
#define TESTS_UNIT_INTAKE_CHECK_H

#include "core-check.h"
#include "intake/write-set.h"

#define RECEIVED_AT INT64_C(1772893800000000)

/* A verified event of one account, without items. Its id is made of now, so that it is one of its
 * own. */
static inline struct write_set intake_set(struct uuid account, struct uuid connection)
{
	return (struct write_set){.event_id = uuid_new(),
	    .account_id = account,
	    .connection_id = connection,
	    .provider_type = STR("test"),
	    .event_type = STR("thing.happened"),
	    .remote_addr = STR("127.0.0.1"),
	    .request_id = STR("request"),
	    .url = STR("http://localhost/webhook/test"),
	    .headers = STR("content-type: application/json\n"),
	    .body = STR("{\"a\":1}"),
	    .received_us = RECEIVED_AT,
	    .latency_us = 1234};
}

/* An item that makes the record `id` of it; key NULL: none. */
static inline struct write_item intake_item(const char *key, const char *id, const char *data)
{
	struct write_item it = {.resource_type = STR("contact"),
	    .external_id = str_from(id),
	    .data = str_from(data),
	    .has_dedupe = key != NULL};

	for (size_t i = 0; key != NULL && i < DEDUPE_SIZE && key[i] != '\0'; i++)
		it.dedupe[i] = (unsigned char)key[i];
	return it;
}

/* The same as a lead. */
static inline struct write_item intake_lead(const char *key, const char *id)
{
	struct write_item it = intake_item(key, id, "{\"id\":\"lead\"}");

	it.resource_type = STR("lead");
	it.is_lead = true;
	it.form_id = STR("form");
	return it;
}

static inline void intake_give(struct write_set *ws, struct write_item *items, size_t n)
{
	ws->items = items;
	ws->nitems = ws->carried = n;
}

#define COUNT_IN(db, table, account)                                                               \
	NUMBER_OF(db, "SELECT COUNT(*) FROM " table " WHERE account_id = ?", db_uuid(&(account)))

/* The status of an event, or "" when it is not there. */
static inline const char *intake_status(struct db *db, struct arena *a, struct uuid id)
{
	const char *status = TEXT_OF(db, a, "SELECT status FROM events WHERE id = ?", db_uuid(&id));

	return status == NULL ? "" : status;
}

#endif
