/* An audited change: its rows, and when caches drop. */
#include "account/audit.h"
#include "base/json.h"
#include "base/shared.h"
#include "core-check.h"

void suite_account_audit(void);

struct place {
	struct core_app c;
	struct app *app;
	struct arena *a;
	struct uuid account, object;
	struct req r;
};

static bool place_make(struct place *p)
{
	if (!core_app_make(&p->c))
		return false;
	p->app = &p->c.app;
	p->a = p->c.a;
	p->account = uuid_new();
	p->object = uuid_new();
	p->r = (struct req){.app = p->app,
	    .a = p->a,
	    .id = "request-1",
	    .remote_addr = "192.0.2.7",
	    .actor = {.kind = ACTOR_SESSION,
		.account_id = p->account,
		.user_id = uuid_new(),
		.email = "ann@example.com"}};
	return true;
}

static void place_remove(struct place *p)
{
	core_app_remove(&p->c);
}

/* JSON with ' for ". */
static json_t *json(struct place *p, const char *text)
{
	char *copy = arena_strdup(p->a, text);

	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	return json_parse(p->a, str_from(copy), NULL);
}

static int64_t rows_of(struct place *p)
{
	return NUMBER_OF(p->app->db, "SELECT COUNT(*) FROM audit_log WHERE account_id = ?",
	    db_uuid(&p->account));
}

/* What one act shall note, and what becomes of its transaction. */
struct act {
	struct place *p;
	const char *before, *after; /* NULL: none */
	int result;                 /* of body */
	int retries;                /* times that body is refused as in a deadlock */
	bool is_fact;
	int runs;
	/* seen within, and right after the commit, by who asked to be told first */
	uint64_t generation, at_commit;
};

static void see_commit(void *arg)
{
	struct act *act = arg;

	act->at_commit = audit_caches_generation(act->p->app);
}

static int act_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct act *act = arg;
	struct place *p = act->p;

	act->runs++;
	db_on_commit(db, see_commit, act);
	if (act->is_fact)
		audit_fact(log, "thing.pushed", "thing", &p->object, NULL);
	else
		audit_note(log, "thing.update", "thing", &p->object, "Shop",
		    act->before != NULL ? json(p, act->before) : NULL,
		    act->after != NULL ? json(p, act->after) : NULL);
	act->generation = audit_caches_generation(p->app);
	if (act->runs <= act->retries)
		return err_set(err, ERR_RETRY, "deadlock");
	return act->result == -1 ? err_set(err, ERR_CONFLICT, "no") : act->result;
}

static int run(struct act *act)
{
	struct err err = ERR_INIT;

	return audit_change(act->p->app, &act->p->r, &act->p->account, act_body, act, &err);
}

static const struct {
	int line;
	const char *before, *after, *details; /* details NULL: no row */
} differences[] = {
    {__LINE__, NULL, "{'a':1}", "{'after':{'a':1},'before':null,'name':'Shop'}"},
    {__LINE__, "{'a':1}", NULL, "{'after':null,'before':{'a':1},'name':'Shop'}"},
    {__LINE__, NULL, NULL, "{'name':'Shop'}"},
    {__LINE__, "{'a':1,'b':2}", "{'a':1,'b':3}",
	"{'after':{'b':3},'before':{'b':2},'name':'Shop'}"},
    {__LINE__, "{'a':1}", "{'a':1,'b':null}", "{'after':{'b':null},'before':{},'name':'Shop'}"},
    {__LINE__, "{'s':{'x':1,'y':[1]},'t':{}}", "{'s':{'x':1,'y':[2],'z':{'q':0}},'t':5}",
	"{'after':{'s':{'y':[2],'z':{'q':0}},'t':5},'before':{'s':{'y':[1]},'t':{}},"
	"'name':'Shop'}"},
    {__LINE__, "{'a':{'b':[1]}}", "{'a':{'b':[1]}}", NULL},
};

static void rows_tell_what_differs(void)
{
	struct place p;

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < COUNT(differences); i++) {
		struct act act = {.p = &p, differences[i].before, differences[i].after};
		const char *details;

		p.object = uuid_new();
		CHECK_AT(run(&act) == 0, differences[i].line);
		details = TEXT_OF(p.app->db, p.a,
		    "SELECT details FROM audit_log WHERE object_id = ?", db_uuid(&p.object));
		if (differences[i].details == NULL)
			CHECK_AT(details == NULL, differences[i].line);
		else
			CHECK_AT(
			    TEXT_EQ(details, json_text(p.a, json(&p, differences[i].details)).p),
			    differences[i].line);
	}
	CHECK(rows_of(&p) == COUNT(differences) - 1);
	place_remove(&p);
}

static void rows_name_the_actor(void)
{
	struct place p;
	struct db_rows rows;
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	CHECK(run(&(struct act){.p = &p}) == 0);
	OK(audit_fact_alone(
	       p.app, NULL, &p.account, "thing.seen", "thing", NULL, json(&p, "{'x':1}"), &err),
	    &err);
	rows = ROWS_OF(p.app->db, p.a,
	    "SELECT actor_kind, actor_name, action, object_kind, object_id, remote_addr,"
	    " request_id, details, actor_id FROM audit_log WHERE account_id = ? ORDER BY id",
	    db_uuid(&p.account));
	CHECK(rows.count == 2);
	if (rows.count == 2) {
		CHECK(TEXT_EQ(db_get_text(&rows, 0, 0), "session"));
		CHECK(TEXT_EQ(db_get_text(&rows, 0, 1), "ann@example.com"));
		CHECK(TEXT_EQ(db_get_text(&rows, 0, 2), "thing.update"));
		CHECK(TEXT_EQ(db_get_text(&rows, 0, 3), "thing"));
		CHECK(uuid_eq(db_get_uuid(&rows, 0, 4), p.object));
		CHECK(TEXT_EQ(db_get_text(&rows, 0, 5), "192.0.2.7"));
		CHECK(TEXT_EQ(db_get_text(&rows, 0, 6), "request-1"));
		CHECK(uuid_eq(db_get_uuid(&rows, 0, 8), p.r.actor.user_id));
		CHECK(TEXT_EQ(db_get_text(&rows, 1, 0), "operator"));
		CHECK(TEXT_EQ(db_get_text(&rows, 1, 1), "connectctl"));
		CHECK(db_is_null(&rows, 1, 4));
		CHECK(TEXT_EQ(db_get_text(&rows, 1, 7), "{\"x\":1}"));
	}
	place_remove(&p);
}

static void caches_drop_after_the_commit(void)
{
	struct place p;
	struct act act = {.p = &p, NULL, "{'a':1}"}, fact = {.p = &p, .is_fact = true};
	struct act equal = {.p = &p, "{'a':1}", "{'a':1}"};
	uint64_t before;

	if (!place_make(&p))
		return;
	before = audit_caches_generation(p.app);
	CHECK(run(&act) == 0);
	CHECK(act.generation == before && act.at_commit == before);
	CHECK(audit_caches_generation(p.app) == before + 1);
	CHECK(run(&fact) == 0 && rows_of(&p) == 2);
	CHECK(audit_caches_generation(p.app) == before + 1);
	/* Without a difference no row, but caches drop: what no row shows may have changed. */
	CHECK(run(&equal) == 0 && rows_of(&p) == 2);
	CHECK(audit_caches_generation(p.app) == before + 2);
	place_remove(&p);
}

static void nothing_to_change(void)
{
	struct place p;
	struct act act = {.p = &p, NULL, "{'a':1}", .result = 1};
	uint64_t before;

	if (!place_make(&p))
		return;
	before = audit_caches_generation(p.app);
	CHECK(run(&act) == 0 && act.runs == 1);
	CHECK(rows_of(&p) == 0);
	CHECK(audit_caches_generation(p.app) == before);
	place_remove(&p);
}

static void a_retry_writes_once(void)
{
	struct place p;
	struct act act = {.p = &p, NULL, "{'a':1}", .retries = 2};
	uint64_t before;

	if (!place_make(&p))
		return;
	before = audit_caches_generation(p.app);
	CHECK(run(&act) == 0 && act.runs == 3);
	CHECK(rows_of(&p) == 1);
	CHECK(act.generation == before);
	CHECK(audit_caches_generation(p.app) == before + 1);
	place_remove(&p);
}

static void a_rollback_leaves_nothing(void)
{
	struct place p;
	struct act act = {.p = &p, NULL, "{'a':1}", .result = -1};
	uint64_t before;

	if (!place_make(&p))
		return;
	before = audit_caches_generation(p.app);
	CHECK(run(&act) == -1 && act.runs == 1);
	CHECK(rows_of(&p) == 0);
	CHECK(audit_caches_generation(p.app) == before);
	place_remove(&p);
}

static int many_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct place *p = arg;

	(void)db;
	(void)err;
	for (int i = 0; i < 300; i++) {
		struct uuid id = uuid_new();

		audit_note(log, "thing.delete", "thing", &id, NULL, json(p, "{'a':1}"), NULL);
	}
	return 0;
}

static void many_rows_of_one_change(void)
{
	struct place p;
	struct err err = ERR_INIT;
	uint64_t before;

	if (!place_make(&p))
		return;
	before = audit_caches_generation(p.app);
	OK(audit_change(p.app, &p.r, &p.account, many_body, &p, &err), &err);
	CHECK(rows_of(&p) == 300);
	CHECK(audit_caches_generation(p.app) == before + 1);
	/* of nobody's account: done, and in no log */
	OK(audit_change(p.app, &p.r, NULL, many_body, &p, &err), &err);
	CHECK(rows_of(&p) == 300);
	CHECK(audit_caches_generation(p.app) == before + 2);
	place_remove(&p);
}

/* What has no row: at once outside a transaction, else after its commit. */
static int drop_body(struct db *db, void *arg, struct err *err)
{
	struct act *act = arg;

	(void)db;
	audit_caches_drop(act->p->app);
	audit_caches_drop(act->p->app);
	act->generation = audit_caches_generation(act->p->app);
	return act->result == -1 ? err_set(err, ERR_CONFLICT, "no") : 0;
}

static void caches_drop_without_a_row(void)
{
	struct place p;
	struct act act = {.p = &p};
	struct err err = ERR_INIT;
	uint64_t before;

	if (!place_make(&p))
		return;
	before = audit_caches_generation(p.app);
	audit_caches_drop(p.app);
	CHECK(audit_caches_generation(p.app) == before + 1);
	OK(db_transaction(p.app->db, drop_body, &act, &err), &err);
	CHECK(act.generation == before + 1);
	CHECK(audit_caches_generation(p.app) == before + 2);
	act.result = -1;
	CHECK(db_transaction(p.app->db, drop_body, &act, &err) == -1);
	CHECK(audit_caches_generation(p.app) == before + 2);
	place_remove(&p);
}

void suite_account_audit(void)
{
	ADD_TESTS("account_audit", {"rows tell what differs", rows_tell_what_differs},
	    {"rows name the actor", rows_name_the_actor},
	    {"caches drop after the commit", caches_drop_after_the_commit},
	    {"nothing to change", nothing_to_change}, {"a retry writes once", a_retry_writes_once},
	    {"a rollback leaves nothing", a_rollback_leaves_nothing},
	    {"many rows of one change", many_rows_of_one_change},
	    {"caches drop without a row", caches_drop_without_a_row});
}
