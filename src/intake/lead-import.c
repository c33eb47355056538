/* Which connections an import of leads reads, and its task. */
#include "intake/lead-import.h"

#include "account/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "intake/poll-fill.h"

const struct task_kind lead_import_task = {.name = "lead_import",
    .job = "lead.import",
    .untitled = "Import of leads",
    .received = {"Read", "leads"},
    .created = {"New", "leads"},
    .updated = {"Changed", "leads"},
    .unchanged = {"Known already", "leads"},
    .failed = {"Left out", "forms"},
    .tell = poll_fill_tell};

int lead_import_job(struct job *j, struct err *err)
{
	static const struct poll_fill_kind kind = {
	    .task = &lead_import_task, .source = RECORD_SOURCE_IMPORT};

	return poll_fill_run(j, &kind, err);
}

/* ---- which connections ---------------------------------------------------------------------- */

DB_STMT(lead_import_form_known,
    "SELECT connection_id FROM leads WHERE account_id = ? AND provider_type = ? AND form_id = ?"
    " AND connection_id IS NOT NULL ORDER BY received_at DESC LIMIT 1");

struct import_sources {
	struct connection **v;
	size_t n;
	const char *lacks; /* what one that cannot be asked has not; or NULL */
};

/* Those of the provider that can be asked. */
static int sources_list(
    struct req *r, const struct lead_import_wish *wish, struct import_sources *out, struct err *err)
{
	struct connection **all;
	size_t n;

	*out = (struct import_sources){0};
	if (connection_list_capable(
		r->app, r->a, &r->actor.account_id, "lead_sync", &all, &n, err) == -1)
		return -1;
	out->v = arena_array(r->a, n + 1, sizeof(*out->v));
	for (size_t i = 0; i < n; i++) {
		const struct poll_spec *spec = provider_lead_poll(all[i]->provider);
		const char *lacks;

		if (!str_is(wish->provider_type, all[i]->provider_type) || spec == NULL ||
		    strcmp(all[i]->status, CONNECTION_DISABLED) == 0 ||
		    (!uuid_is_nil(wish->connection_id) &&
			!uuid_eq(wish->connection_id, all[i]->id)))
			continue;
		lacks = poll_lacks(r->a, all[i]->provider, spec, &all[i]->access);
		if (lacks == NULL)
			out->v[out->n++] = all[i];
		else
			out->lacks = lacks;
	}
	return 0;
}

/* Who sent leads of the form is asked for it first. */
static int sources_put_known_first(
    struct req *r, const struct lead_import_wish *wish, struct import_sources *s, struct err *err)
{
	struct db_rows rows;
	int found = db_row(r->app->db, r->a, &lead_import_form_known,
	    DB_VALS(db_uuid(&r->actor.account_id), db_strn(wish->provider_type),
		db_strn(wish->form_id)),
	    &rows, err);

	for (size_t i = 1; found == 1 && i < s->n; i++) {
		struct connection *first = s->v[0];

		if (!uuid_eq(s->v[i]->id, db_get_uuid(&rows, 0, 0)))
			continue;
		s->v[0] = s->v[i];
		s->v[i] = first;
	}
	return found == -1 ? -1 : 0;
}

static int sources_refuse(struct req *r, const struct lead_import_wish *wish,
    const struct import_sources *s, struct err *err)
{
	const struct provider *p = provider_find(r->app->providers, wish->provider_type);

	if (p == NULL)
		return err_field(
		    err, ERR_INVALID, "providerType", "is not a provider of the catalogue");
	if (provider_lead_poll(p) == NULL)
		return err_field(
		    err, ERR_INVALID, "providerType", "%s has no leads to import", p->display_name);
	if (s->lacks != NULL)
		return err_field(err, ERR_INVALID, "providerType",
		    "the connection to %s has no %s, so its leads cannot be read", p->display_name,
		    s->lacks);
	return err_field(err, ERR_INVALID,
	    uuid_is_nil(wish->connection_id) ? "providerType" : "connectionId",
	    "no active connection to %s", p->display_name);
}

/* ---- the tasks ------------------------------------------------------------------------------- */

struct import_queueing {
	struct req *r;
	const json_t *args;
	struct task task;
};

/* The same words: the one that is under way is what is asked for. */
static bool import_is_same(struct arena *a, const struct task *t, const json_t *args)
{
	struct err ignored = ERR_INIT;

	return strcmp(t->kind, lead_import_task.name) == 0 &&
	       json_equal(json_parse_stored(a, t->args, &ignored), args);
}

static int import_queue_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct import_queueing *q = arg;
	struct req *r = q->r;
	struct tasks open;

	if (task_list_open(db, r->a, &q->task.account_id, &open, err) == -1)
		return -1;
	for (size_t i = 0; i < open.n; i++) {
		if (!import_is_same(r->a, &open.v[i], q->args))
			continue;
		q->task = open.v[i];
		return 1;
	}
	if (task_queue(db, &lead_import_task, &q->task, NULL, err) == -1)
		return -1;
	audit_fact(log, "lead.import", "task", &q->task.id, q->args);
	return 0;
}

static const char *import_title(
    struct req *r, const struct lead_import_wish *wish, const struct connection *c)
{
	const char *of = wish->form_id.p == NULL ? arena_printf(r->a, "Leads of %s", c->name)
						 : arena_printf(r->a, "Leads of form %.60s, %s",
						       wish->form_id.p, c->name);
	char day[CLOCK_TEXT];

	if (wish->since_us == TIME_NONE)
		return of;
	clock_day_text(day, clock_day(wish->since_us));
	return arena_printf(r->a, "%s since %s", of, day);
}

static int import_queue(struct req *r, const struct lead_import_wish *wish,
    struct connection *const *c, size_t n, struct uuid *id, struct err *err)
{
	json_t *args = json_own(r->a, json_object()), *ids = json_array();
	struct import_queueing q = {.r = r, .args = args};

	json_set(args, "connectionIds", ids);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(ids, json_string(uuid_dup(r->a, c[i]->id)));
	json_set_str(args, "poll", provider_lead_poll(c[0]->provider)->name);
	if (wish->since_us != TIME_NONE)
		json_set_time(args, "since", wish->since_us);
	if (wish->form_id.p != NULL)
		json_set_strn(args, "formId", wish->form_id);
	q.task = (struct task){.account_id = r->actor.account_id,
	    .title = str_from(import_title(r, wish, c[0])),
	    .provider_type = str_from(c[0]->provider_type),
	    .resource_type = STR("lead"),
	    .created_by = r->actor.user_id,
	    .args = json_text(r->a, args)};
	if (audit_change(r->app, r, &r->actor.account_id, import_queue_body, &q, err) == -1)
		return -1;
	*id = q.task.id;
	return 0;
}

int lead_import_begin(struct req *r, const struct lead_import_wish *wish, struct uuid *ids,
    size_t max, size_t *n, struct err *err)
{
	struct import_sources s;

	*n = 0;
	if (wish->since_us != TIME_NONE && wish->since_us >= clock_now_us())
		return err_field(err, ERR_INVALID, "since", "must be a time in the past");
	if (sources_list(r, wish, &s, err) == -1)
		return -1;
	if (s.n == 0)
		return sources_refuse(r, wish, &s, err);
	if (wish->form_id.p != NULL) {
		if (sources_put_known_first(r, wish, &s, err) == -1)
			return -1;
		return import_queue(r, wish, s.v, s.n, &ids[(*n)++], err);
	}
	for (size_t i = 0; i < s.n && *n < max; i++, ++*n)
		if (import_queue(r, wish, &s.v[i], 1, &ids[*n], err) == -1)
			return -1;
	return 0;
}

/* ---- POST /leads/import ---------------------------------------------------------------------- */

#define IMPORTS_AT_ONCE 100

struct import_body {
	struct str account, connection, provider_type, form_id;
	struct opt_time since;
};

static int import_answer(struct req *r, const struct uuid *ids, size_t n)
{
	json_t *o = json_object(), *list = json_array();
	const char *first = uuid_dup(r->a, ids[0]);

	json_set_str(o, "importId", first);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(uuid_dup(r->a, ids[i])));
	json_set(o, "importIds", list);
	res_headerf(r, "Location", "/connect/v1/imports/%s", first);
	return res_json(r, 202, o);
}

/* A credential is of one account: it need not be named, but no other is meant. */
static bool account_is_meant(const struct req *r, struct str text)
{
	struct uuid id;

	return text.p == NULL || (uuid_parse(text, &id) && uuid_eq(id, r->actor.account_id));
}

static struct lead_import_wish import_wish(struct req *r, const struct import_body *body)
{
	struct str form = utf8_trim(body->form_id);
	struct lead_import_wish wish = {
	    .provider_type = body->provider_type, .since_us = opt_time_or(body->since, TIME_NONE)};

	if (form.n > 0)
		wish.form_id = str_from(arena_strndup(r->a, form.p, form.n));
	if (body->connection.p != NULL && !uuid_parse(body->connection, &wish.connection_id))
		req_invalid(r, "connectionId", "is not the id of a connection");
	return wish;
}

int lead_import_api(struct req *r)
{
	static const struct json_member members[] = {
	    {"accountId", READ_TEXT, JSON_INTO(struct import_body, account), .need = READ_NULLABLE},
	    {"providerType", READ_TEXT, JSON_INTO(struct import_body, provider_type),
		.need = READ_NEEDED, .max = LIMIT_TYPE_BYTES},
	    {"formId", READ_TEXT, JSON_INTO(struct import_body, form_id), .need = READ_NULLABLE,
		.max = LIMIT_EXTERNAL_ID_BYTES},
	    {"connectionId", READ_TEXT, JSON_INTO(struct import_body, connection),
		.need = READ_NULLABLE},
	    {"since", READ_TIME, JSON_INTO(struct import_body, since), .need = READ_NULLABLE}};
	struct import_body body = {0};
	struct lead_import_wish wish;
	struct uuid ids[IMPORTS_AT_ONCE];
	struct err err = ERR_INIT;
	size_t n;

	if (!req_read_body(r, JSON_MEMBERS(members), &body))
		return 0;
	wish = import_wish(r, &body);
	if (req_has_invalid(r))
		return res_invalid(r);
	if (!account_is_meant(r, body.account))
		return res_problem(r, 404, "There is no such account");
	if (lead_import_begin(r, &wish, ids, IMPORTS_AT_ONCE, &n, &err) == -1)
		return res_error(r, &err);
	return import_answer(r, ids, n);
}
