/* SQL of flows and their versions, and how runs ended. */
#include "base/arena.h"
#include "base/clock.h"
#include "flow/flow-internal.h"
#include "flow/trigger.h"

#define PUBLISHED_KNOWN 256u
#define FLOW_COLUMNS                                                                               \
	"id, name, description, status, version, versions, has_draft, steps, settings,"            \
	" created_at, updated_at, published_at FROM flows "
enum {
	FLOW_ID,
	FLOW_NAME,
	FLOW_DESCRIPTION,
	FLOW_STATUS,
	FLOW_VERSION,
	FLOW_VERSIONS,
	FLOW_HAS_DRAFT,
	FLOW_STEPS,
	FLOW_SETTINGS,
	FLOW_CREATED_AT,
	FLOW_UPDATED_AT,
	FLOW_PUBLISHED_AT
};
DB_STMT(flow_by_id, "SELECT " FLOW_COLUMNS "WHERE account_id = ? AND id = ?");
DB_STMT(flow_lock, "SELECT " FLOW_COLUMNS "WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(flows_page, "SELECT " FLOW_COLUMNS "WHERE account_id = ? AND (? IS NULL OR status = ?)"
		    " AND (? IS NULL OR LOCATE(?, LOWER(name)) > 0) AND id < ?"
		    " ORDER BY id DESC LIMIT ? OFFSET ?");
DB_STMT(flows_count, "SELECT COUNT(*) FROM flows WHERE account_id = ? AND (? IS NULL OR status = ?)"
		     " AND (? IS NULL OR LOCATE(?, LOWER(name)) > 0)");
DB_STMT(flows_named, "SELECT id, name, status FROM flows WHERE account_id = ? LIMIT 10000");
DB_STMT(flow_put,
    "INSERT INTO flows (id, account_id, name, description, status, version, versions, has_draft,"
    " steps, settings, created_at, updated_at) VALUES (?,?,?,?,?,0,0,1,?,?,?,?)");
DB_STMT(flow_set, "UPDATE flows SET name = ?, description = ?, status = ?, version = ?,"
		  " versions = ?, has_draft = ?, steps = ?, settings = ?, updated_at = ?,"
		  " published_at = ? WHERE account_id = ? AND id = ?");
DB_STMT(flow_erase, "DELETE FROM flows WHERE account_id = ? AND id = ?");
DB_STMT(flow_versions_erase, "DELETE FROM flow_versions WHERE account_id = ? AND flow_id = ?");
DB_STMT(flow_version_put,
    "INSERT INTO flow_versions (account_id, flow_id, version, name, steps, settings,"
    " source_version, published_by, published_at) VALUES (?,?,?,?,?,?,?,?,?)");
DB_STMT(flow_version_by, "SELECT steps, settings FROM flow_versions"
			 " WHERE account_id = ? AND flow_id = ? AND version = ?");
DB_STMT(flow_versions_of,
    "SELECT version, name, source_version, published_by, published_at FROM flow_versions"
    " WHERE account_id = ? AND flow_id = ? ORDER BY version DESC LIMIT 1000");
DB_STMT_ROWS(flows_published,
    "SELECT id, version FROM flows WHERE account_id = ? AND status = '" FLOW_PUBLISHED
    "' AND id IN (",
    "?", ")");
DB_STMT_ROWS(flow_counts_of,
    "SELECT flow_id, SUM(completed), SUM(failed), SUM(filtered), SUM(cancelled), SUM(duration_us),"
    " MAX(last_at) FROM flow_counts WHERE account_id = ? AND day >= ? AND flow_id IN (",
    "?", ") GROUP BY flow_id");
enum {
	COUNTS_FLOW,
	COUNTS_COMPLETED,
	COUNTS_FAILED,
	COUNTS_FILTERED,
	COUNTS_CANCELLED,
	COUNTS_DURATION,
	COUNTS_LAST_AT
};

const struct word flow_statuses[] = {{FLOW_DRAFT, "Draft"}, {FLOW_PUBLISHED, "Published"},
    {FLOW_ARCHIVED, "Archived"}, {NULL, NULL}};

static const struct filter_row flow_filters[] = {
    {"status", FILTER_WORD, offsetof(struct flow_filter, status), flow_statuses, NULL},
    {"search", FILTER_TEXT, offsetof(struct flow_filter, search), NULL, NULL},
    {NULL, 0, 0, NULL, NULL}};
const struct list list_of_flows = {"flows", flow_filters, NULL};

/* ---- rows ------------------------------------------------------------------------------------ */

static int flow_read(
    struct arena *a, const struct db_rows *rows, size_t i, struct flow *out, struct err *err)
{
	*out = (struct flow){.id = db_get_uuid(rows, i, FLOW_ID),
	    .name = db_get_text(rows, i, FLOW_NAME),
	    .description = db_get_text(rows, i, FLOW_DESCRIPTION),
	    .status = db_get_text(rows, i, FLOW_STATUS),
	    .version = (int)db_get_int(rows, i, FLOW_VERSION),
	    .versions = (int)db_get_int(rows, i, FLOW_VERSIONS),
	    .has_draft = db_get_int(rows, i, FLOW_HAS_DRAFT) != 0,
	    .steps = json_parse_stored(a, db_get_str(rows, i, FLOW_STEPS), err),
	    .settings = json_parse_stored(a, db_get_str(rows, i, FLOW_SETTINGS), err),
	    .created_us = db_get_int(rows, i, FLOW_CREATED_AT),
	    .updated_us = db_get_int(rows, i, FLOW_UPDATED_AT),
	    .published_us = db_get_int(rows, i, FLOW_PUBLISHED_AT)};
	return out->steps == NULL || out->settings == NULL ? err_prefix(err, "stored flow") : 0;
}

json_t *flow_json(struct arena *a, const struct flow *f)
{
	json_t *o = json_object();

	json_set_str(o, "id", uuid_dup(a, f->id));
	json_set_str(o, "name", f->name);
	json_set_str(o, "description", f->description);
	json_set_str(o, "status", f->status);
	json_set(o, "version", f->version > 0 ? json_integer(f->version) : NULL);
	json_set_bool(o, "hasDraft", f->has_draft);
	json_set(o, "steps", json_incref(f->steps));
	json_set(o, "settings", json_incref(f->settings));
	json_set(o, "trigger", NULL);
	json_set_time(o, "createdAt", f->created_us);
	json_set_time(o, "updatedAt", f->updated_us);
	json_set_time(o, "publishedAt", f->published_us);
	return o;
}

int flow_load(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct flow *out, struct err *err)
{
	struct db_rows rows;
	int found =
	    db_row(app->db, a, &flow_by_id, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	return flow_read(a, &rows, 0, out, err) == -1 ? -1 : 1;
}

int flow_names(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_object());
	if (db_query(app->db, a, &flows_named, DB_VALS(db_uuid(account_id)), &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *o = json_object();

		json_set_str(o, "name", db_get_text(&rows, i, 1));
		json_set_str(o, "status", db_get_text(&rows, i, 2));
		json_set(*out, uuid_dup(a, db_get_uuid(&rows, i, 0)), o);
	}
	return 0;
}

static int flow_row_json(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    json_t **out, struct err *err)
{
	struct flow f;

	(void)app;
	if (flow_read(a, rows, i, &f, err) == -1)
		return -1;
	*out = json_own(a, flow_json(a, &f));
	return 0;
}

int flow_list_slice(
    struct app *app, struct arena *a, const struct flow_filter *f, struct slice *s, struct err *err)
{
	struct cursor from = slice_from(s);
	struct str search = f->search.p == NULL ? f->search : utf8_lower(a, f->search);
	struct db_rows rows, count;

	if (db_query(app->db, a, &flows_page,
		DB_VALS(db_uuid(&f->account_id), db_name(f->status), db_name(f->status),
		    db_strn(search), db_strn(search), db_uuid(&from.id), db_int(slice_limit(s)),
		    db_int(s->offset)),
		&rows, err) == -1 ||
	    db_row(app->db, a, &flows_count,
		DB_VALS(db_uuid(&f->account_id), db_name(f->status), db_name(f->status),
		    db_strn(search), db_strn(search)),
		&count, err) == -1)
		return -1;
	s->total = db_get_int(&count, 0, 0);
	return slice_take(s, app, a, &rows, SLICE_BY_ID, FLOW_ID, flow_row_json, err);
}

/* ---- how runs ended -------------------------------------------------------------------------- */

static json_t *stats_json(int days, const struct db_rows *rows, size_t i)
{
	json_t *o = json_object();
	int64_t n[4], runs = 0;

	for (size_t k = 0; k < 4; k++) {
		n[k] = rows == NULL ? 0 : db_get_int(rows, i, COUNTS_COMPLETED + k);
		runs += n[k];
	}
	json_set_int(o, "days", days);
	json_set_int(o, "runs", runs);
	json_set_int(o, "completed", n[0]);
	json_set_int(o, "failed", n[1]);
	json_set_int(o, "filtered", n[2]);
	json_set_int(o, "cancelled", n[3]);
	json_set(o, "averageMs",
	    runs == 0 ? NULL : json_integer(db_get_int(rows, i, COUNTS_DURATION) / runs / 1000));
	json_set_time(o, "lastRunAt", rows == NULL ? 0 : db_get_int(rows, i, COUNTS_LAST_AT));
	return o;
}

static int stats_add(struct app *app, struct arena *a, const struct uuid *account_id, int days,
    json_t *const *flows, size_t n, struct err *err)
{
	struct uuid ids[LIMIT_DB_BATCH];
	struct db_val v[LIMIT_DB_BATCH];
	struct db_rows rows;

	for (size_t i = 0; i < n; i++) {
		(void)uuid_parse(str_from(json_str(flows[i], "id")), &ids[i]);
		v[i] = db_uuid(&ids[i]);
	}
	if (db_query_rows(app->db, a, &flow_counts_of,
		(const struct db_val[]){
		    db_uuid(account_id), db_int(clock_day(clock_now_us()) - days)},
		2, v, n, 1, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t row = db_find_uuid(&rows, COUNTS_FLOW, &ids[i]);

		json_set(flows[i], "stats", stats_json(days, row < rows.count ? &rows : NULL, row));
	}
	return 0;
}

int flow_add_stats(struct app *app, struct arena *a, const struct uuid *account_id, int days,
    json_t *rows, struct err *err)
{
	json_t *batch[LIMIT_DB_BATCH], *o;
	size_t n = 0, i;

	json_array_each(rows, i, o) {
		batch[n++] = o;
		if (n < LIMIT_DB_BATCH && i + 1 < json_array_size(rows))
			continue;
		if (stats_add(app, a, account_id, days, batch, n, err) == -1)
			return -1;
		n = 0;
	}
	return 0;
}

/* ---- versions -------------------------------------------------------------------------------- */

int flow_version_load(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *flow_id, int version, json_t **steps, json_t **settings, struct err *err)
{
	struct db_rows rows;
	int found = db_row(app->db, a, &flow_version_by,
	    DB_VALS(db_uuid(account_id), db_uuid(flow_id), db_int(version)), &rows, err);

	if (found != 1)
		return found;
	*steps = json_parse_stored(a, db_get_str(&rows, 0, 0), err);
	*settings = json_parse_stored(a, db_get_str(&rows, 0, 1), err);
	return *steps == NULL || *settings == NULL ? err_prefix(err, "stored version of a flow")
						   : 1;
}

int flow_versions_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *flow_id, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &flow_versions_of, DB_VALS(db_uuid(account_id), db_uuid(flow_id)),
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *o = json_object();
		struct uuid by = db_get_uuid(&rows, i, 3);

		json_set_int(o, "version", db_get_int(&rows, i, 0));
		json_set_str(o, "name", db_get_text(&rows, i, 1));
		json_set(o, "revertedFrom",
		    db_is_null(&rows, i, 2) ? NULL : json_integer(db_get_int(&rows, i, 2)));
		json_set_str(o, "publishedBy", uuid_is_nil(by) ? NULL : uuid_dup(a, by));
		json_set_time(o, "publishedAt", db_get_int(&rows, i, 4));
		json_array_append_new(*out, o);
	}
	return 0;
}

/* Which version is published, remembered for a second and as long as the host's generation stands:
 * runs are begun by the thousand. */
struct published {
	struct uuid account_id, flow_id;
	int version;
	uint64_t generation; /* 0: nothing is known */
	int64_t until_us;
};
static struct published published_known[PUBLISHED_KNOWN];

static struct published *published_slot(const struct uuid *flow_id)
{
	return &published_known[str_hash(flow_id->b, sizeof(flow_id->b)) % PUBLISHED_KNOWN];
}

static bool published_find(const struct uuid *account_id, const struct uuid *flow_id,
    uint64_t generation, int64_t now_us, int *version)
{
	const struct published *k = published_slot(flow_id);

	if (generation == 0 || k->generation != generation || now_us >= k->until_us ||
	    !uuid_eq(k->flow_id, *flow_id) || !uuid_eq(k->account_id, *account_id))
		return false;
	*version = k->version;
	return true;
}

int flow_published_versions(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *ids, size_t n, int *versions, struct err *err)
{
	uint64_t generation = audit_caches_generation(app);
	int64_t now_us = clock_mono_us();
	struct db_val v[LIMIT_DB_BATCH];
	size_t asked[LIMIT_DB_BATCH], nasked = 0;
	struct db_rows rows;

	for (size_t i = 0; i < n; i++) {
		if (published_find(account_id, &ids[i], generation, now_us, &versions[i]))
			continue;
		v[nasked] = db_uuid(&ids[i]);
		asked[nasked++] = i;
	}
	if (nasked == 0)
		return 0;
	if (db_query_rows(app->db, a, &flows_published,
		(const struct db_val[]){db_uuid(account_id)}, 1, v, nasked, 1, &rows, err) == -1)
		return -1;
	for (size_t k = 0; k < nasked; k++) {
		const struct uuid *id = &ids[asked[k]];
		size_t row = db_find_uuid(&rows, 0, id);
		int version = row < rows.count ? (int)db_get_int(&rows, row, 1) : 0;

		versions[asked[k]] = version;
		*published_slot(id) =
		    (struct published){*account_id, *id, version, generation, now_us + SECOND_US};
	}
	return 0;
}

/* ---- what people do -------------------------------------------------------------------------- */

struct flow_change {
	struct req *r;
	struct flow *f;
	const char *act;
	int source; /* of a publication: the version it is made of, 0: the draft */
	bool is_publication;
};

static json_t *flow_audited(struct arena *a, const struct flow *f)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "name", f->name);
	json_set_str(o, "status", f->status);
	json_set_int(o, "version", f->version);
	json_set_int(o, "steps", (int64_t)json_array_size(f->steps));
	return o;
}

static int flow_insert_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct flow_change *c = arg;
	struct arena *a = c->r->a;
	const struct flow *f = c->f;
	struct uuid *account_id = &c->r->actor.account_id;
	struct db_rows rows;

	if (db_row(db, a, &flows_count,
		DB_VALS(db_uuid(account_id), db_null(), db_null(), db_null(), db_null()), &rows,
		err) == -1)
		return -1;
	if (db_get_int(&rows, 0, 0) >= FLOWS_PER_ACCOUNT)
		return err_set(
		    err, ERR_CONFLICT, "An account may have at most %d flows", FLOWS_PER_ACCOUNT);
	if (db_exec(db, &flow_put,
		DB_VALS(db_uuid(&f->id), db_uuid(account_id), db_str(f->name),
		    db_str(f->description), db_str(f->status), db_strn(json_text(a, f->steps)),
		    db_strn(json_text(a, f->settings)), db_int(f->created_us),
		    db_int(f->updated_us)),
		NULL, err) == -1)
		return -1;
	audit_note(log, c->act, "flow", &f->id, f->name, NULL, flow_audited(a, f));
	return 0;
}

int flow_insert(struct req *r, struct flow *f, struct err *err)
{
	struct flow_change c = {r, f, "flow.create", 0, false};

	return audit_change(r->app, r, &r->actor.account_id, flow_insert_body, &c, err);
}

static int flow_put_version(
    struct db *db, const struct flow_change *c, struct flow *f, struct err *err)
{
	struct arena *a = c->r->a;

	f->version = ++f->versions;
	f->status = FLOW_PUBLISHED;
	f->has_draft = false;
	f->published_us = f->updated_us;
	return db_exec(db, &flow_version_put,
	    DB_VALS(db_uuid(&c->r->actor.account_id), db_uuid(&f->id), db_int(f->version),
		db_str(f->name), db_strn(json_text(a, f->steps)),
		db_strn(json_text(a, f->settings)), c->source > 0 ? db_int(c->source) : db_null(),
		db_uuid_or_null(&c->r->actor.user_id), db_int(f->published_us)),
	    NULL, err);
}

/* The numbers are those of the row as it is now, behind its lock. */
static int flow_update_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct flow_change *c = arg;
	struct arena *a = c->r->a;
	struct flow before, *f = c->f;
	struct db_rows rows;
	int found = db_row(db, a, &flow_lock,
	    DB_VALS(db_uuid(&c->r->actor.account_id), db_uuid(&f->id)), &rows, err);

	if (found != 1)
		return found == 0 ? err_set(err, ERR_NOT_FOUND, "There is no such flow") : -1;
	if (flow_read(a, &rows, 0, &before, err) == -1)
		return -1;
	if (f->expected_us != 0 && f->expected_us != before.updated_us)
		return err_set(err, ERR_CONFLICT, "The flow was changed meanwhile");
	f->updated_us = clock_now_after_us(before.updated_us);
	f->version = before.version;
	f->versions = before.versions;
	f->published_us = before.published_us;
	if (c->is_publication && flow_put_version(db, c, f, err) == -1)
		return -1;
	if (db_exec(db, &flow_set,
		DB_VALS(db_str(f->name), db_str(f->description), db_str(f->status),
		    db_int(f->version), db_int(f->versions), db_int(f->has_draft),
		    db_strn(json_text(a, f->steps)), db_strn(json_text(a, f->settings)),
		    db_int(f->updated_us), db_time(f->published_us),
		    db_uuid(&c->r->actor.account_id), db_uuid(&f->id)),
		NULL, err) == -1)
		return -1;
	audit_note(
	    log, c->act, "flow", &f->id, f->name, flow_audited(a, &before), flow_audited(a, f));
	return 0;
}

int flow_update(struct req *r, struct flow *f, const char *act, struct err *err)
{
	struct flow_change c = {r, f, act, 0, false};

	return audit_change(r->app, r, &r->actor.account_id, flow_update_body, &c, err);
}

int flow_publish(struct req *r, struct flow *f, int source, struct err *err)
{
	struct flow_change c = {r, f, source > 0 ? "flow.revert" : "flow.publish", source, true};

	return audit_change(r->app, r, &r->actor.account_id, flow_update_body, &c, err);
}

/* Runs of it stay in the history until their time; those under way end as they would. */
static int flow_remove_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct flow_change *c = arg;
	const struct uuid *account_id = &c->r->actor.account_id;

	if (triggers_remove_of_flow(c->r, db, &c->f->id, err) == -1 ||
	    db_exec(db, &flow_versions_erase, DB_VALS(db_uuid(account_id), db_uuid(&c->f->id)),
		NULL, err) == -1 ||
	    db_exec(db, &flow_erase, DB_VALS(db_uuid(account_id), db_uuid(&c->f->id)), NULL, err) ==
		-1)
		return -1;
	audit_note(
	    log, "flow.delete", "flow", &c->f->id, c->f->name, flow_audited(c->r->a, c->f), NULL);
	return 0;
}

int flow_remove(struct req *r, const struct uuid *id, struct err *err)
{
	struct flow f;
	struct flow_change c = {r, &f, NULL, 0, false};
	int found = flow_load(r->app, r->a, &r->actor.account_id, id, &f, err);

	if (found != 1)
		return found;
	return audit_change(r->app, r, &r->actor.account_id, flow_remove_body, &c, err) == -1 ? -1
											      : 1;
}
