/* Polls of flows' triggers: rows beside those of manifests, in the same job, by the same machine. A
 * trigger has one in each connection that it may be of.
 *
 *	name of the row          whose spec
 *	contacts                 the manifest's
 *	trigger:0193…            made of the trigger's config (poll_spec_of_wish)
 *
 * What was there before the first round began is stored and starts nothing, unless the trigger says
 * "firstPoll": "fire". Enabling one anew, or asking for something else, begins a first round. */
#include "base/clock.h"
#include "base/config.h"
#include "base/shared.h"
#include "connection/connection-call.h"
#include "intake/poll-internal.h"

#define PREFIX "trigger:"
#define OF_TRIGGER " WHERE account_id = ? AND name = ?"
DB_STMT(trigger_polls_delete, "DELETE FROM polls" OF_TRIGGER);
DB_STMT(trigger_polls_pause, "UPDATE polls SET is_paused = 1" OF_TRIGGER);
DB_STMT(trigger_poll_anew,
    "UPDATE polls SET known = NULL, place = NULL, turn = turn + 1, since_at = ?, started_at = NULL,"
    " ended_at = NULL, covered_at = NULL, failures = 0, last_error = NULL, note = NULL"
    " WHERE account_id = ? AND connection_id = ? AND name = ?");

static const char *trigger_poll_name(struct arena *a, const struct uuid *id)
{
	return arena_printf(a, PREFIX "%s", uuid_dup(a, *id));
}

/* ---- specs ----------------------------------------------------------------------------------- */

static struct str wish_text(const json_t *config, const char *key)
{
	return str_from(json_str(config, key));
}

static const struct poll_spec *trigger_poll_spec(
    struct arena *a, const struct provider *p, const struct trigger *t, struct json_reader *in)
{
	const json_t *config = t->config;
	const struct poll_wish wish = {.action = wish_text(config, "pollAction"),
	    .resource_type = t->resource_type,
	    .items_path = wish_text(config, "recordItemsPath"),
	    .id_path = wish_text(config, "recordExternalIdPath"),
	    .cursor_path = wish_text(config, "cursorPath"),
	    .cursor_input = wish_text(config, "cursorInput"),
	    .inputs = json_object_get(config, "inputs")};

	return poll_spec_of_wish(a, p, &wish, in);
}

static const struct trigger *trigger_of_row(
    struct arena *a, const struct triggers *known, const struct poll_row *row)
{
	for (size_t i = 0; i < known->n; i++)
		if (strcmp(row->name, trigger_poll_name(a, &known->v[i].id)) == 0)
			return &known->v[i];
	return NULL;
}

static bool trigger_fires_first(const struct trigger *t)
{
	const char *first = json_str(t->config, "firstPoll");

	return first != NULL && strcmp(first, "fire") == 0;
}

/* One that has never been read to its end brings what was there before it was made: begun_us.
 * Providers tell whole seconds. */
static int64_t row_old_before(const struct poll_row *row, int64_t begun_us)
{
	return row->ended_us != 0 ? TIME_NONE : begun_us - begun_us % SECOND_US;
}

static void row_know_own(struct poll_row *row, const struct provider *p)
{
	row->spec = provider_find_poll(p, row->name);
	if (row->spec != NULL) /* since_us: so many days before */
		row->old_before_us =
		    row_old_before(row, row->since_us + row->spec->start_days * DAY_US);
}

static void row_know_trigger(
    struct arena *a, struct poll_row *row, const struct provider *p, const struct trigger *t)
{
	struct err ignored = ERR_INIT;
	struct json_reader in = {.err = &ignored};

	row->spec = trigger_poll_spec(a, p, t, &in);
	row->old_before_us =
	    trigger_fires_first(t) ? TIME_NONE : row_old_before(row, row->since_us);
}

int polls_know(struct db *db, struct arena *a, const struct connection *c, struct poll_row *rows,
    size_t n, struct err *err)
{
	struct triggers known = {NULL, 0};
	bool is_known = false;

	for (size_t i = 0; i < n; i++) {
		const struct trigger *t;

		if (!str_starts(str_from(rows[i].name), PREFIX)) {
			row_know_own(&rows[i], c->provider);
			continue;
		}
		if (!is_known && triggers_polling(db, a, &c->account_id, &known, err) == -1)
			return -1;
		is_known = true;
		t = trigger_of_row(a, &known, &rows[i]);
		if (t != NULL)
			row_know_trigger(a, &rows[i], c->provider, t);
	}
	return 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Where the first round begins to ask, and what is news in it. */
static int64_t trigger_since(const struct trigger *t, const struct poll_spec *spec, int64_t now_us)
{
	return trigger_fires_first(t) ? now_us - spec->history_days * DAY_US : now_us;
}

static bool trigger_is_for(const struct trigger *t, const struct connection *c)
{
	return strcmp(t->kind, TRIGGER_POLL) == 0 && str_is(t->provider_type, c->provider_type) &&
	       (uuid_is_nil(t->connection_id) || uuid_eq(t->connection_id, c->id));
}

static int trigger_put_row(struct db *db, struct arena *a, const struct trigger *t,
    const struct connection *c, bool begins, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct json_reader in = {.err = &ignored};
	const struct poll_spec *spec = trigger_poll_spec(a, c->provider, t, &in);
	int64_t now_us = clock_now_us();
	struct poll_row row = {.account_id = c->account_id,
	    .connection_id = c->id,
	    .name = trigger_poll_name(a, &t->id),
	    .interval_s = trigger_interval_s(t),
	    .next_us = now_us};

	if (spec == NULL)
		return 0;
	row.since_us = trigger_since(t, spec, now_us);
	if (poll_put_row(db, &row, err) == -1)
		return -1;
	if (!begins)
		return 0;
	if (poll_set_row(db, &row, err) == -1)
		return -1;
	return db_exec(db, &trigger_poll_anew,
	    DB_VALS(db_int(row.since_us), db_uuid(&row.account_id), db_uuid(&row.connection_id),
		db_str(row.name)),
	    NULL, err);
}

int polls_put_triggers(
    struct db *db, struct arena *a, const struct connection *c, size_t *n, struct err *err)
{
	struct triggers known;

	*n = 0;
	if (triggers_polling(db, a, &c->account_id, &known, err) == -1)
		return -1;
	for (size_t i = 0; i < known.n; i++) {
		if (!trigger_is_for(&known.v[i], c))
			continue;
		if (trigger_put_row(db, a, &known.v[i], c, false, err) == -1)
			return -1;
		(*n)++;
	}
	return 0;
}

/* ---- the hook trigger_changed ---------------------------------------------------------------- */

/* Does it ask for something else than before? */
static bool trigger_asks_anew(const struct trigger *was, const struct trigger *now)
{
	static const char *const members[] = {"pollAction", "cursorPath", "recordItemsPath",
	    "recordExternalIdPath", "cursorInput", "inputs", "firstPoll"};

	if (was == NULL || !was->is_enabled || !uuid_eq(was->connection_id, now->connection_id))
		return true;
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		const json_t *a = json_object_get(was->config, members[i]),
			     *b = json_object_get(now->config, members[i]);

		if ((a == NULL) != (b == NULL) || (a != NULL && !json_equal(a, b)))
			return true;
	}
	return false;
}

static int trigger_put_all(
    struct app *app, struct arena *a, const struct trigger *t, bool begins, struct err *err)
{
	const struct provider *p = provider_find(app->providers, t->provider_type);
	struct connection **cs = NULL;
	size_t n = 0;

	if (p == NULL || connection_list_of(app, a, &t->account_id, p, &cs, &n, err) == -1)
		return p == NULL ? 0 : -1;
	for (size_t i = 0; i < n; i++)
		if (trigger_is_for(t, cs[i]) &&
		    (trigger_put_row(app->db, a, t, cs[i], begins, err) == -1 ||
			poll_job_bring(app->db, &t->account_id, &cs[i]->id, err) == -1))
			return -1;
	return 0;
}

int polls_follow_trigger(struct app *app, struct arena *a, const struct trigger *was,
    const struct trigger *now, struct err *err)
{
	const struct trigger *t = now != NULL ? now : was;
	const char *name = trigger_poll_name(a, &t->id);
	bool has_moved =
	    was != NULL && now != NULL && !uuid_eq(was->connection_id, now->connection_id);

	if (strcmp(t->kind, TRIGGER_POLL) != 0)
		return 0;
	if ((now == NULL || has_moved) &&
	    db_exec(app->db, &trigger_polls_delete, DB_VALS(db_uuid(&t->account_id), db_str(name)),
		NULL, err) == -1)
		return -1;
	if (now == NULL)
		return 0;
	if (!now->is_enabled)
		return db_exec(app->db, &trigger_polls_pause,
		    DB_VALS(db_uuid(&t->account_id), db_str(name)), NULL, err);
	return trigger_put_all(app, a, now, trigger_asks_anew(was, now), err);
}

/* ---- the hook trigger_poll_check ------------------------------------------------------------- */

/* The first that it may be of; NULL: none. */
static int trigger_connection(struct app *app, struct arena *a, const struct trigger *t,
    const struct provider *p, struct connection **out, struct err *err)
{
	struct connection **cs = NULL;
	struct uuid id = t->connection_id;
	size_t n = 0;
	int found;

	*out = NULL;
	if (uuid_is_nil(id)) {
		if (connection_list_of(app, a, &t->account_id, p, &cs, &n, err) == -1)
			return -1;
		if (n == 0)
			return 0;
		id = cs[0]->id;
	}
	found = connection_get(app, a, &t->account_id, &id, out, err);
	return found == -1 ? -1 : 0;
}

static struct poll_ask trigger_ask(struct arena *a, const struct trigger *t,
    const struct connection *c, const struct poll_spec *spec)
{
	int64_t now_us = clock_now_us();

	return (struct poll_ask){.a = a,
	    .p = c->provider,
	    .spec = spec,
	    .c = &c->access,
	    .now_us = now_us,
	    .start_us = trigger_since(t, spec, now_us)};
}

int poll_trigger_check(struct req *r, struct trigger *t, struct err *err)
{
	const struct provider *p = provider_find(r->app->providers, t->provider_type);
	struct json_reader in = req_reader(r);
	size_t mark = json_reader_enter(&in, "config");
	const struct poll_spec *spec;
	struct connection *c;
	struct poll_state st = {NULL, NULL};
	struct poll_ask ask;
	json_t *inputs;

	if (p == NULL) {
		req_invalid(r, "providerType", "is no provider");
		return 0;
	}
	spec = trigger_poll_spec(r->a, p, t, &in);
	if (spec == NULL)
		return 0;
	if (trigger_connection(r->app, r->a, t, p, &c, err) == -1)
		return -1;
	if (c == NULL) {
		if (t->is_enabled)
			req_invalid(r, "providerType", "%s is not connected: connect it first",
			    p->display_name);
		return 0;
	}
	ask = trigger_ask(r->a, t, c, spec);
	(void)poll_next(&ask, &st, &inputs);
	json_reader_enter(&in, "inputs");
	(void)action_check_inputs(spec->call.action, inputs, &in);
	json_reader_leave(&in, mark);
	return 0;
}

/* ---- the hook trigger_poll_try --------------------------------------------------------------- */

#define TRY_SHOWN 3

static void try_show_items(struct arena *a, const struct poll_page *page, json_t *out)
{
	json_t *list = json_array();

	for (size_t i = 0; i < page->found.n && i < TRY_SHOWN; i++) {
		const struct webhook_item *item = &page->found.items[i];
		json_t *o = json_object();

		json_set_strn(o, "id", item->external_id);
		json_set_known_time(o, "at", item->provider_updated_us);
		json_set(o, "data", json_incref(item->data));
		json_array_append_new(list, o);
	}
	json_set(out, "items", list);
	json_set_int(out, "count", (int64_t)page->found.n);
	json_set_bool(out, "has_more", !page->is_over);
	if (page->found.left != 0)
		json_set_str(out, "note",
		    arena_printf(a, "Item %zu %s", page->found.left, page->found.left_why));
}

static int try_call(
    struct req *r, const struct connection *c, struct poll_ask *ask, json_t *out, struct err *err)
{
	struct connection_call call = {
	    .app = r->app, .a = r->a, .c = c, .policy = CALL_POLICY_ONCE};
	struct poll_state st = {NULL, NULL};
	struct poll_page page;
	json_t *inputs;

	call.action = poll_next(ask, &st, &inputs)->name;
	call.inputs = inputs;
	if (connection_call(&call, err) == -1)
		return -1;
	if (call.result.class != CALL_OK) {
		json_set_str(out, "error", call.result.error);
		json_set_str(out, "advice", call_class_advice(call.result.class));
	} else if (poll_take(ask, &st, poll_output(ask, &call.result), &page, err) == -1) {
		json_set_str(out, "error", err->msg);
		err_clear(err);
	} else {
		try_show_items(r->a, &page, out);
	}
	return 0;
}

/* One page, from the beginning, whatever the trigger would take of it. */
int poll_trigger_try(struct req *r, const struct trigger *t, json_t *out, struct err *err)
{
	const struct provider *p = provider_find(r->app->providers, t->provider_type);
	struct err ignored = ERR_INIT;
	struct json_reader in = {.err = &ignored};
	const struct poll_spec *spec = p == NULL ? NULL : trigger_poll_spec(r->a, p, t, &in);
	struct connection *c;
	struct poll_ask ask;
	int rc;

	if (spec == NULL || trigger_connection(r->app, r->a, t, p, &c, err) == -1)
		return spec == NULL ? 0 : -1;
	if (c == NULL) {
		json_set_str(
		    out, "error", arena_printf(r->a, "%s is not connected", p->display_name));
		return 0;
	}
	json_set_str(out, "connection", c->name);
	if (r->app->shared != NULL && !shared_wait_begin(r->app->shared, uuid_number(c->account_id),
					  config_waiters(r->app->config))) {
		json_set_str(out, "error", "Too many calls wait for providers: try again shortly");
		return 0;
	}
	ask = trigger_ask(r->a, t, c, spec);
	ask.start_us = ask.now_us - spec->history_days * DAY_US;
	rc = try_call(r, c, &ask, out, err);
	if (r->app->shared != NULL)
		shared_wait_end(r->app->shared);
	return rc;
}

/* ---- the hook tell_triggers ------------------------------------------------------------------ */

static json_t *trigger_find_told(json_t *triggers, const char *row_name)
{
	json_t *t;
	size_t i;

	json_array_each(triggers, i, t)
		if (strcmp(json_str(t, "id"), row_name + strlen(PREFIX)) == 0)
			return t;
	return NULL;
}

/* Where it stands with one of its connections. */
static json_t *trigger_poll_json(struct arena *a, const struct poll_row *row)
{
	json_t *o = json_object();
	int64_t next_us = row->next_us > row->held_us ? row->next_us : row->held_us;

	json_set_str(o, "connectionId", uuid_dup(a, row->connection_id));
	json_set_str(o, "status", poll_status(row));
	json_set_time(o, "lastRunAt", row->ended_us);
	json_set_time(o, "nextRunAt", row->is_paused ? 0 : next_us);
	json_set_bool(o, "isFirstRound", row->ended_us == 0);
	json_set(o, "items", poll_counts_json(&row->all));
	json_set(o, "lastRound", poll_counts_json(&row->round));
	json_set_str(o, "error", row->last_error);
	json_set_str(o, "note", row->note);
	return o;
}

/* What fails for want of a login says so. */
static int trigger_poll_error(struct app *app, struct arena *a, const struct poll_row *row,
    const char **error, struct err *err)
{
	struct connection *c;
	int found;

	*error = row->last_error;
	if (row->failures == 0 || row->is_paused)
		return 0;
	found = connection_get(app, a, &row->account_id, &row->connection_id, &c, err);
	if (found == 1 && strcmp(c->status, CONNECTION_EXPIRED) == 0)
		*error = arena_printf(
		    a, "The connection \"%s\" has expired: sign in again on its page", c->name);
	return found == -1 ? -1 : 0;
}

static int trigger_tell_row(
    struct app *app, struct arena *a, const struct poll_row *row, json_t *t, struct err *err)
{
	json_t *polls = json_object_get(t, "polls"), *o = trigger_poll_json(a, row);
	const char *next = json_str(o, "nextRunAt"), *known = json_str(t, "nextDueAt"), *error;

	if (polls == NULL)
		json_set(t, "polls", polls = json_array());
	json_array_append_new(polls, o);
	if (next != NULL && (known == NULL || strcmp(next, known) < 0))
		json_set_str(t, "nextDueAt", next);
	if (trigger_poll_error(app, a, row, &error, err) == -1)
		return -1;
	if (error != NULL && json_str(t, "lastError") == NULL)
		json_set_str(t, "lastError", error);
	return 0;
}

/* An enabled one without a row is of a provider that is not connected. */
static void trigger_tell_missing(const struct app *app, struct arena *a, json_t *t)
{
	const struct provider *p =
	    provider_find(app->providers, str_from(json_str(t, "providerType")));

	if (strcmp(json_str(t, "kind"), TRIGGER_POLL) != 0 || json_object_get(t, "polls") != NULL)
		return;
	json_set(t, "polls", json_array());
	if (json_bool(t, "enabled"))
		json_set_str(t, "lastError",
		    p == NULL ? "There is no such provider"
			      : arena_printf(a, "%s is not connected", p->display_name));
}

int polls_tell_triggers(struct app *app, struct arena *a, const struct uuid *account_id,
    json_t *triggers, struct err *err)
{
	struct poll_row *rows;
	json_t *t;
	size_t n, i;

	if (polls_load_named(app->db, a, account_id, PREFIX "%", &rows, &n, err) == -1)
		return -1;
	for (i = 0; i < n; i++) {
		t = trigger_find_told(triggers, rows[i].name);
		if (t != NULL && trigger_tell_row(app, a, &rows[i], t, err) == -1)
			return -1;
	}
	json_array_each(triggers, i, t)
		trigger_tell_missing(app, a, t);
	return 0;
}
