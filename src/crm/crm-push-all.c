/* The task "push": every waiting lead goes to its destinations.
 *
 *	queueing ──page by page──> watching ──nothing is left open──> completed
 *
 * - Pushing again what a filter of deliveries matches is the same, but that it walks those. What a
 *   person has ticked was queued by the request, at once: its task begins by watching.
 * - Queueing: first what no destination has taken, then what one has and another has not. A page is
 *   one transaction, which also moves the task's position, so a run that was cut off goes on where
 *   it stopped. What is pushed are ordinary deliveries with jobs of their own, of the bulk class,
 *   so that live leads and other accounts have their turns; where the destination takes many in one
 *   call, those that are due together go together (crm-batch.c).
 * - Watching: push_items has the deliveries that are not over, and after a while those that failed:
 *   they are looked through a page at a time, again and again. The waits between are rows. */
#include "account/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "crm/crm-internal.h"

#define PUSH_ALL_STEP 200
#define WATCH_STEP 1000
#define WATCH_FIRST_US (SECOND_US / 5)
#define WATCH_MOST_US (5 * SECOND_US)
#define WATCH_ROW_US 100 /* of waiting for each that is open: a walk over many costs */

const struct task_kind crm_push_task = {.name = "push",
    .job = "crm.push_all",
    .untitled = "Waiting leads sent",
    .doing = "Sending",
    .did = "Sent",
    .things = "waiting leads",
    .failed_list = "/admin/deliveries?taskId=",
    .received = {"In all", "deliveries"},
    .updated = {"Delivered", "deliveries"},
    .unchanged = {"Skipped", "deliveries"},
    .failed = {"Failed", "deliveries"}};

DB_STMT_ROWS(push_items_insert,
    "INSERT INTO push_items (account_id, task_id, is_over, delivery_id) VALUES ", "(?,?,FALSE,?)",
    " ON DUPLICATE KEY UPDATE is_over = is_over");
DB_STMT(push_items_open,
    "SELECT i.delivery_id, d.status FROM push_items i LEFT JOIN lead_deliveries d"
    " ON d.id = i.delivery_id AND d.account_id = i.account_id"
    " WHERE i.account_id = ? AND i.task_id = ? AND i.is_over = FALSE AND i.delivery_id > ?"
    " ORDER BY i.delivery_id LIMIT ?");
enum { OPEN_DELIVERY, OPEN_STATUS };
DB_STMT_ROWS(push_items_forget,
    "DELETE push_items FROM push_items FORCE INDEX (PRIMARY) WHERE account_id = ? AND task_id = ? "
    "AND is_over = FALSE"
    " AND delivery_id IN (",
    "?", ")");
DB_STMT_ROWS(push_items_fail,
    "UPDATE push_items SET is_over = TRUE WHERE account_id = ? AND task_id = ? AND is_over = FALSE"
    " AND delivery_id IN (",
    "?", ")");

int push_items_add(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *task_id, const struct uuid *deliveries, size_t n, struct err *err)
{
	enum { VALUES = 3 };
	struct db_val *v = arena_alloc(a, (n + 1) * VALUES * sizeof(*v));

	for (size_t i = 0; i < n; i++) {
		struct db_val row[VALUES] = {
		    db_uuid(account_id), db_uuid(task_id), db_uuid(&deliveries[i])};

		memcpy(v + VALUES * i, row, sizeof(row));
	}
	return db_exec_rows_later(db, &push_items_insert, v, n, VALUES, ERR_CONFLICT, err);
}

/* ---- position ----------------------------------------------------------------------------- */

struct push_all {
	struct task_run *run;
	struct uuid only; /* the one destination meant, or nil */
	bool is_beside, is_watching, has_news;
	const json_t *filter; /* of deliveries that are pushed again, or NULL: leads that wait */
	struct uuid after;
	int64_t left;  /* leads to go, or -1: all */
	int64_t count; /* leads that were queued */
	int64_t wait_us;
	int64_t open; /* deliveries that this walk has found under way */
};

static void push_all_member(const json_t *o, const char *key, struct uuid *out)
{
	if (json_str(o, key) != NULL)
		uuid_parse(str_from(json_str(o, key)), out);
}

static int push_all_read(struct push_all *p, struct err *err)
{
	struct arena *a = p->run->job->a;
	const struct task *t = &p->run->task;
	json_t *args = json_parse_stored(a, t->args, err), *at;

	if (args == NULL)
		return -1;
	p->left = json_object_get(args, "left") == NULL ? -1 : json_int(args, "left");
	p->wait_us = WATCH_FIRST_US;
	push_all_member(args, "connectionId", &p->only);
	p->filter = json_object_get(args, "filter");
	p->is_watching = json_bool(args, "watching");
	if (t->position.p == NULL)
		return 0;
	if ((at = json_parse_stored(a, t->position, err)) == NULL)
		return -1;
	p->left = json_int(at, "left");
	p->is_beside = json_bool(at, "beside");
	p->is_watching = json_bool(at, "watching");
	p->has_news = json_bool(at, "news");
	p->wait_us = json_int(at, "wait");
	p->count = json_int(at, "count");
	p->open = json_int(at, "open");
	push_all_member(at, "after", &p->after);
	return 0;
}

static struct str push_all_position(struct arena *a, const struct push_all *p)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "after", uuid_dup(a, p->after));
	json_set_bool(o, "beside", p->is_beside);
	json_set_bool(o, "watching", p->is_watching);
	json_set_bool(o, "news", p->has_news);
	json_set_int(o, "left", p->left);
	json_set_int(o, "wait", p->wait_us);
	json_set_int(o, "count", p->count);
	json_set_int(o, "open", p->open);
	return json_text(a, o);
}

/* ---- queueing ----------------------------------------------------------------------------- */

/* Those that are ready are pushed; the others get their details first, and then go to all. */
static int push_all_queue(struct push_all *p, struct arena *a, const struct waiting_lead *leads,
    size_t n, size_t *queued, struct err *err)
{
	const struct task *t = &p->run->task;
	struct job *j = p->run->job;
	struct delivery_queueing q = {.app = j->app,
	    .a = a,
	    .how = PUSH_BULK,
	    .account_id = t->account_id,
	    .only = uuid_is_nil(p->only) ? NULL : &p->only,
	    .task = &t->id,
	    .before = p->count};
	struct uuid ids[LIMIT_DB_BATCH];
	size_t nids = 0;

	for (size_t i = 0; i < n; i++) {
		if (leads[i].is_ready)
			ids[nids++] = leads[i].id;
		else if (q.only == NULL &&
			 lead_process_again(j->app->db, a, &t->account_id, &leads[i].id, err) == -1)
			return -1;
	}
	if (deliveries_queue_stored(&q, ids, nids, err) == -1)
		return -1;
	*queued += q.queued;
	p->count += (int64_t)nids;
	return 0;
}

static int push_all_page(const struct push_all *p, struct db *db, struct arena *a, int64_t most,
    struct waiting_lead **leads, size_t *n, struct err *err)
{
	const struct uuid *account_id = &p->run->task.account_id;
	const struct uuid *only = uuid_is_nil(p->only) ? NULL : &p->only;

	return p->is_beside
		   ? deliveries_beside_leads(
			 db, a, account_id, only, &p->after, most, leads, n, err)
		   : deliveries_waiting_leads(db, a, account_id, &p->after, most, leads, n, err);
}

static int push_all_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	struct push_all p = *(const struct push_all *)arg;
	int64_t most = p.left >= 0 && p.left < PUSH_ALL_STEP ? p.left : PUSH_ALL_STEP;
	struct waiting_lead *leads;
	size_t n, queued = 0;

	if (push_all_page(&p, db, a, most, &leads, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i += LIMIT_DB_BATCH)
		if (push_all_queue(&p, a, leads + i,
			n - i < LIMIT_DB_BATCH ? n - i : LIMIT_DB_BATCH, &queued, err) == -1)
			return -1;
	next->counts.received += (int64_t)queued;
	if (next->total < next->counts.received)
		next->total = next->counts.received;
	p.is_watching = p.left == (int64_t)n || (n == 0 && p.is_beside);
	p.left -= p.left < 0 ? 0 : (int64_t)n;
	p.is_beside = p.is_beside || n == 0;
	p.after = n == 0 || p.is_watching ? (struct uuid){{0}} : leads[n - 1].position;
	if (p.is_watching)
		next->total = next->counts.received;
	next->position = push_all_position(a, &p);
	*then = TASK_AGAIN;
	return 0;
}

/* ---- pushing again ------------------------------------------------------------------------ */

/* Failed for good or for now, or given up, of before the task; or of the status that is asked for.
 */
DB_STMT(deliveries_to_push_again,
    "SELECT d.id FROM lead_deliveries d WHERE d.account_id = ? AND d.id > ? AND d.id >= ?"
    " AND d.id < ? AND d.id < ?"
    " AND d.status <> '" DELIVERY_SUCCESS "'"
    " AND (d.status = ? OR (? IS NULL AND d.status IN ('" DELIVERY_FAILED "','" DELIVERY_DEAD "')))"
    " AND (? IS NULL OR d.route = ?)"
    " AND (? IS NULL OR d.connection_id = ?) AND (? IS NULL OR d.lead_id = ?)"
    " AND (? IS NULL OR d.id IN (SELECT i.delivery_id FROM push_items i"
    " WHERE i.account_id = d.account_id AND i.task_id = ?))"
    " AND (? IS NULL OR ? = (SELECT l.provider_type FROM leads l WHERE l.id = d.lead_id"
    " AND l.account_id = d.account_id))" DELIVERY_TRIED " ORDER BY d.id LIMIT ?");

static struct opt_time again_time(const struct push_all *p, const char *name)
{
	struct opt_time t = {.is_given = json_str(p->filter, name) != NULL};

	t.us = t.is_given ? json_time(p->filter, name) : 0;
	return t;
}

static int again_page(const struct push_all *p, struct db *db, struct arena *a,
    const struct task *t, struct db_rows *rows, struct err *err)
{
	struct uuid to = {{0}}, lead = {{0}}, task = {{0}}, until = uuid_at(t->created_us + 1);
	struct db_val status = db_str(json_str(p->filter, "status")),
		      route = db_str(json_str(p->filter, "route")),
		      source = db_str(json_str(p->filter, "providerType"));
	const struct delivery_range range =
	    delivery_range_of(&(struct delivery_filter){.from = again_time(p, "from"),
		.to = again_time(p, "to"),
		.tried_from = again_time(p, "triedFrom"),
		.tried_to = again_time(p, "triedTo")});

	push_all_member(p->filter, "connectionId", &to);
	push_all_member(p->filter, "leadId", &lead);
	push_all_member(p->filter, "taskId", &task);
	return db_query(db, a, &deliveries_to_push_again,
	    DB_VALS(db_uuid(&t->account_id), db_uuid(&p->after), db_uuid(&range.from),
		db_uuid(&range.before), db_uuid(&until), status, status, route, route,
		db_uuid_or_null(&to), db_uuid_or_null(&to), db_uuid_or_null(&lead),
		db_uuid_or_null(&lead), db_uuid_or_null(&task), db_uuid_or_null(&task), source,
		source, range.is_of_attempts ? db_int(1) : db_null(), db_uuid(&range.tried_from),
		db_uuid(&range.tried_before), db_int(LIMIT_DB_BATCH)),
	    rows, err);
}

static int push_again_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	struct push_all p = *(const struct push_all *)arg;
	struct delivery_queueing q = {.app = p.run->job->app,
	    .a = a,
	    .how = PUSH_BULK,
	    .account_id = next->account_id,
	    .task = &next->id};
	struct uuid ids[LIMIT_DB_BATCH];
	struct db_rows rows;

	if (again_page(&p, db, a, next, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++)
		ids[i] = db_get_uuid(&rows, i, 0);
	if (rows.count > 0 && deliveries_queue_again(&q, ids, rows.count, err) == -1)
		return -1;
	next->counts.received += (int64_t)q.queued;
	next->total = next->counts.received;
	p.is_watching = rows.count < LIMIT_DB_BATCH;
	p.after = p.is_watching ? (struct uuid){{0}} : ids[rows.count - 1];
	next->position = push_all_position(a, &p);
	*then = TASK_AGAIN;
	return 0;
}

/* ---- watching ----------------------------------------------------------------------------- */

static int items_close(struct db *db, const struct db_stmt *s, const struct task *t,
    const struct uuid *ids, size_t n, struct err *err)
{
	struct db_val keys[LIMIT_DB_BATCH];

	for (size_t from = 0; from < n; from += LIMIT_DB_BATCH) {
		size_t some = n - from < LIMIT_DB_BATCH ? n - from : LIMIT_DB_BATCH;

		for (size_t i = 0; i < some; i++)
			keys[i] = db_uuid(&ids[from + i]);
		if (db_exec_rows(db, s, DB_VALS(db_uuid(&t->account_id), db_uuid(&t->id)), keys,
			some, 1, NULL, err) == -1)
			return -1;
	}
	return 0;
}

/* Counts those of a page that are over, and closes them; *ended of them. */
static int watch_page(struct db *db, struct arena *a, const struct db_rows *rows, struct task *next,
    size_t *ended, struct err *err)
{
	struct uuid *well = arena_array(a, rows->count + 1, sizeof(*well));
	struct uuid *failed = arena_array(a, rows->count + 1, sizeof(*failed));
	size_t nwell = 0, nfailed = 0;

	for (size_t i = 0; i < rows->count; i++) {
		struct str status = db_get_str(rows, i, OPEN_STATUS);
		struct uuid id = db_get_uuid(rows, i, OPEN_DELIVERY);

		if (str_is(status, DELIVERY_PENDING))
			continue;
		if (str_is(status, DELIVERY_FAILED) || str_is(status, DELIVERY_DEAD)) {
			failed[nfailed++] = id;
			continue;
		}
		well[nwell++] = id;
		next->counts.updated += str_is(status, DELIVERY_SUCCESS);
		next->counts.unchanged += !str_is(status, DELIVERY_SUCCESS);
	}
	next->counts.failed += (int64_t)nfailed;
	*ended = nwell + nfailed;
	next->done += (int64_t)*ended;
	return items_close(db, &push_items_forget, next, well, nwell, err) == -1
		   ? -1
		   : items_close(db, &push_items_fail, next, failed, nfailed, err);
}

/* How long until the next walk: the longer the less happens, and the more it has to look at. */
static int64_t watch_wait_us(struct push_all *p)
{
	int64_t walk_us = p->open * WATCH_ROW_US;

	p->wait_us = p->has_news ? WATCH_FIRST_US : p->wait_us * 2;
	if (p->wait_us < walk_us)
		p->wait_us = walk_us;
	if (p->wait_us > WATCH_MOST_US)
		p->wait_us = WATCH_MOST_US;
	p->after = (struct uuid){{0}};
	p->has_news = false;
	p->open = 0;
	return p->wait_us;
}

/* A page; at the end of the list the next walk is a while later. */
static int push_watch_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	struct push_all p = *(const struct push_all *)arg;
	struct db_rows rows;
	size_t ended = 0;

	if (db_query(db, a, &push_items_open,
		DB_VALS(db_uuid(&next->account_id), db_uuid(&next->id), db_uuid(&p.after),
		    db_int(WATCH_STEP)),
		&rows, err) == -1 ||
	    watch_page(db, a, &rows, next, &ended, err) == -1)
		return -1;
	*then = TASK_GO_ON;
	if (rows.count == 0 && uuid_is_nil(p.after))
		*then = TASK_DONE;
	p.has_news = p.has_news || ended > 0;
	p.open += (int64_t)(rows.count - ended);
	if (rows.count == WATCH_STEP) {
		p.after = db_get_uuid(&rows, rows.count - 1, OPEN_DELIVERY);
	} else if (ended == rows.count && uuid_is_nil(p.after)) {
		*then = TASK_DONE;
	} else {
		p.run->later_us = watch_wait_us(&p);
		*then = TASK_LATER;
	}
	next->position = push_all_position(a, &p);
	return 0;
}

/* ---- the job ------------------------------------------------------------------------------ */

int crm_job_push_all(struct job *j, struct err *err)
{
	struct push_all p = {0};
	int found = task_run_begin(j, &crm_push_task, &p.run, err);

	if (found != 1)
		return found;
	do {
		if (push_all_read(&p, err) == -1 || task_run_step(p.run,
							p.is_watching      ? push_watch_work
							: p.filter != NULL ? push_again_work
									   : push_all_work,
							&p, err) == -1)
			return task_run_fail(p.run, false, err);
	} while (!p.run->is_over);
	return 0;
}

/* ---- the request -------------------------------------------------------------------------- */

struct push_all_queueing {
	struct task *task;
	json_t *args;
	const char *fact;
};

static int push_all_queue_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct push_all_queueing *q = arg;

	if (task_queue(db, &crm_push_task, q->task, NULL, err) == -1)
		return -1;
	audit_fact(log, q->fact, "task", &q->task->id, q->args);
	return 0;
}

static int push_task_queue(struct req *r, struct task *t, json_t *args, const char *fact,
    struct uuid *task_id, struct err *err)
{
	struct push_all_queueing q = {t, args, fact};

	t->account_id = r->actor.account_id;
	t->created_by = r->actor.user_id;
	t->args = json_text(r->a, args);
	if (audit_change(r->app, r, &t->account_id, push_all_queue_body, &q, err) == -1)
		return -1;
	*task_id = t->id;
	return 0;
}

int crm_queue_watch(
    struct req *r, const struct uuid *task_id, const char *title, int64_t n, struct err *err)
{
	json_t *args = json_own(r->a, json_object());
	struct task t = {
	    .id = *task_id, .title = str_from(title), .total = n, .counts = {.received = n}};
	struct uuid same;

	json_set_bool(args, "watching", true);
	json_set_int(args, "deliveries", n);
	return push_task_queue(r, &t, args, "crm.push_again", &same, err);
}

int crm_queue_again(
    struct req *r, const struct delivery_filter *f, struct uuid *task_id, struct err *err)
{
	json_t *args = json_own(r->a, json_object()), *filter = json_object();
	struct http_pairs pairs = filter_pairs(r->a, &list_of_deliveries, f);
	struct task t = {.title = STR("Deliveries sent again")};

	for (size_t i = 0; i < pairs.n; i++)
		json_set_strn(filter, arena_strndup(r->a, pairs.v[i].name.p, pairs.v[i].name.n),
		    pairs.v[i].value);
	json_set(args, "filter", filter);
	return push_task_queue(r, &t, args, "crm.push_all", task_id, err);
}

int crm_queue_all(struct req *r, int64_t limit, const struct uuid *only, struct uuid *task_id,
    int64_t *pending, struct err *err)
{
	json_t *args = json_own(r->a, json_object());
	struct task t = {.total = 0};

	if (deliveries_count_waiting(r->app->db, &r->actor.account_id, only, pending, err) == -1)
		return -1;
	if (limit > 0 && limit < *pending)
		*pending = limit;
	if (limit > 0)
		json_set_int(args, "left", limit);
	if (only != NULL)
		json_set_str(args, "connectionId", uuid_dup(r->a, *only));
	t.total = *pending;
	return push_task_queue(r, &t, args, "crm.push_all", task_id, err);
}
