/* What the suites of the ledger share: an account's place with destinations and leads, what is
 * queued and stored of them. */
#ifndef TESTS_UNIT_CRM_CHECK_H
#define TESTS_UNIT_CRM_CHECK_H

#include "base/arena.h"
#include "core-check.h"
#include "crm/crm-internal.h"

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
	p->c.cfg.push_attempts = 2;
	p->c.cfg.push_backoff_ms = 1;
	p->c.cfg.push_backoff_max_ms = 2;
	RUN(p->db, "DELETE FROM jobs");
	return true;
}

static inline void place_remove(struct place *p)
{
	core_app_remove(&p->c);
}

/* A destination that nobody listens at. */
static inline struct uuid destination(struct place *p, const char *name)
{
	struct connection *c = NULL;
	struct err err = ERR_INIT;
	const char *body = arena_printf(p->a,
	    "{\"name\":\"%s\",\"credentials\":{},\"settings\":{\"url\":\"http://127.0.0.1:1/"
	    "crm\"}}",
	    name);

	struct req r = {.app = p->app, .a = p->a, .actor = {.account_id = p->account}};

	OK(connection_add(&r, provider_find(p->app->providers, STR("custom_crm")),
	       json_parse(p->a, str_from(body), NULL), &c, &err),
	    &err);
	return c == NULL ? (struct uuid){{0}} : c->id;
}

/* A lead that is ready to be pushed. */
static inline struct uuid ready_lead(struct place *p, const char *data)
{
	struct uuid id = uuid_new();

	RUN(p->db,
	    "INSERT INTO leads (id, account_id, provider_type, provider_lead_id, stage,"
	    " sync_status, lead, received_at, updated_at) VALUES "
	    "(?,?,'manual',?,'ready','none',?,1,1)",
	    db_uuid(&id), db_uuid(&p->account), db_str(uuid_dup(p->a, id)), db_str(data));
	return id;
}

static inline const char *sync_status(struct place *p, struct uuid lead)
{
	return TEXT_OF(p->db, p->a, "SELECT sync_status FROM leads WHERE id = ?", db_uuid(&lead));
}

static inline int64_t queue(struct place *p, struct uuid lead)
{
	struct req r = {.app = p->app, .a = p->a, .actor = {.account_id = p->account}};
	struct err err = ERR_INIT;
	size_t n = 999;

	if (crm_queue_lead(&r, &lead, NULL, &n, &err) != 1)
		core_fail(&err, __LINE__, __FILE__);
	return (int64_t)n;
}

static inline struct uuid delivery_to(struct place *p, struct uuid lead, struct uuid connection)
{
	struct db_rows rows = ROWS_OF(p->db, p->a,
	    "SELECT id FROM lead_deliveries WHERE account_id = ? AND lead_id = ?"
	    " AND connection_id = ?",
	    db_uuid(&p->account), db_uuid(&lead), db_uuid(&connection));

	CHECK(rows.count == 1);
	return rows.count == 1 ? db_get_uuid(&rows, 0, 0) : (struct uuid){{0}};
}

static inline int64_t count_rows(struct place *p, struct uuid lead)
{
	return NUMBER_OF(
	    p->db, "SELECT COUNT(*) FROM lead_deliveries WHERE lead_id = ?", db_uuid(&lead));
}

/* Jobs that push a delivery of the lead, with the delivery's own id. */
static inline int64_t count_jobs(struct place *p, struct uuid lead)
{
	return NUMBER_OF(p->db,
	    "SELECT COUNT(*) FROM jobs j JOIN lead_deliveries d ON d.id = j.id AND d.id = "
	    "j.subject_id"
	    " AND d.account_id = j.account_id WHERE j.kind = 'crm.push' AND j.state = 'ready'"
	    " AND d.lead_id = ?",
	    db_uuid(&lead));
}

struct storing {
	struct place *p;
	struct delivery d;
	const struct delivery_attempt *attempt;
};

static inline int store_body(struct db *db, void *arg, struct err *err)
{
	struct storing *s = arg;

	return deliveries_store(db, s->p->a,
	    &(struct push_outcome){
		.d = &s->d, .attempts = s->attempt, .nattempts = s->attempt != NULL},
	    1, err);
}

static inline void store(struct place *p, struct uuid delivery, const char *status,
    const struct delivery_attempt *attempt, const char *error, const char *external_id)
{
	struct storing s = {.p = p, .attempt = attempt};
	struct err err = ERR_INIT;

	REQUIRE(delivery_load(p->db, p->a, &p->account, &delivery, &s.d, &err) == 1);
	s.d.state.status = status;
	s.d.state.error = error;
	s.d.state.external_id = external_id;
	if (attempt != NULL) {
		s.d.state.attempts = attempt->number;
		s.d.state.http_status = attempt->http_status;
	}
	OK(db_transaction(p->db, store_body, &s, &err), &err);
}
struct storing_many {
	struct place *p;
	struct push_outcome v[6];
	size_t n;
};

static inline int store_many_body(struct db *db, void *arg, struct err *err)
{
	struct storing_many *s = arg;

	return deliveries_store(db, s->p->a, s->v, s->n, err);
}

/* What came of six pushes of two leads, in one call: each row is its own, each lead the best of its
 * own; a push whose delivery is gone fails. */

#endif
