/* What the suites of the records' further features share: a place with an account of its own,
 * records put into it. */
#ifndef TESTS_UNIT_RECORD_CHECK_H
#define TESTS_UNIT_RECORD_CHECK_H

#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "core-check.h"
#include "record/record.h"

struct place {
	struct core_app c;
	struct app *app;
	struct db *db;
	struct arena *a;
	struct uuid account;
};

static inline bool place_make(struct place *p)
{
	if (!core_app_make(&p->c))
		return false;
	p->app = &p->c.app;
	p->db = p->app->db;
	p->a = p->c.a;
	p->account = uuid_new();
	return true;
}

static inline void place_remove(struct place *p)
{
	core_app_remove(&p->c);
}

struct putting {
	struct arena *a;
	struct record_item *item;
};

static inline int put_body(struct db *db, void *arg, struct err *err)
{
	struct putting *s = arg;

	return record_upsert(db, s->a, s->item, 1, err);
}

/* One payload of a contact; answers the record's id. */
static inline struct uuid put_at(
    struct place *p, const char *id, const char *data, int64_t at_us, unsigned line)
{
	struct record_item it = {.account_id = p->account,
	    .provider_type = STR("test"),
	    .resource_type = STR("contact"),
	    .external_id = str_from(id),
	    .source = RECORD_SOURCE_WEBHOOK,
	    .data = str_from(data),
	    .at_us = at_us};
	struct putting s = {p->a, &it};
	struct err err = ERR_INIT;

	if (db_transaction(p->db, put_body, &s, &err) == -1)
		core_fail(&err, line, __FILE__);
	return it.id;
}
#define PUT_AT(p, id, data, at_us) put_at(p, id, data, at_us, __LINE__)
#define PUT(p, id, data) put_at(p, id, data, clock_now_us(), __LINE__)

/* As a person of the account; 1, 0, -1. */
static inline int delete_of(struct place *p, struct uuid account, struct uuid id)
{
	struct req r = {.app = p->app, .a = p->a, .actor = {.account_id = account}};
	struct err err = ERR_INIT;
	int found = record_delete(&r, &id, &err);

	if (found == -1)
		printf("# %s\n", err.msg);
	return found;
}

#define ROWS(p, name)                                                                              \
	NUMBER_OF(                                                                                 \
	    (p)->db, "SELECT COUNT(*) FROM " name " WHERE account_id = ?", db_uuid(&(p)->account))

static inline int64_t counted(struct place *p)
{
	return NUMBER_OF(p->db,
	    "SELECT COALESCE(SUM(records), 0) FROM record_counts WHERE account_id = ?",
	    db_uuid(&p->account));
}

#endif
