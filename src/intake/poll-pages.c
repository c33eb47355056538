/* The polls on their connection's page: what is told of them, and the buttons. */
#include "account/account.h"
#include "base/clock.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "intake/lead-reconcile.h"

#define MINUTE_S 60

/* ---- told ---------------------------------------------------------------------------------- */

static const char *every_text(struct arena *a, int64_t seconds)
{
	if (seconds % 3600 == 0)
		return seconds == 3600
			   ? "every hour"
			   : arena_printf(a, "every %lld hours", (long long)seconds / 3600);
	if (seconds % MINUTE_S == 0)
		return seconds == MINUTE_S
			   ? "every minute"
			   : arena_printf(a, "every %lld minutes", (long long)seconds / MINUTE_S);
	return arena_printf(a, "every %lld seconds", (long long)seconds);
}

static void polls_show(struct req *r, const struct connection *c, json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_each(rows, i, row) {
		const char *status = json_str(row, "status");

		json_set_str(row, "chip",
		    strcmp(status, "failing") == 0   ? "failed"
		    : strcmp(status, "idle") == 0    ? "plain"
		    : strcmp(status, "waiting") == 0 ? NULL /* as it should be */
						     : status);
		connection_tell_error(r->a, row, "It", json_str(row, "error"));
		connection_link_credentials(r, row, uuid_dup(r->a, c->id));
		json_set_bool(row, "is_waiting", strcmp(status, "waiting") == 0);
		json_set_bool(row, "is_paused", strcmp(status, "paused") == 0);
		json_set_str(row, "every", every_text(r->a, json_int(row, "intervalSeconds")));
		json_set_int(
		    row, "minutes", (json_int(row, "intervalSeconds") + MINUTE_S - 1) / MINUTE_S);
		json_set_bool(row, "is_late",
		    json_int(row, "lagSeconds") > 3 * json_int(row, "intervalSeconds") + 600);
	}
}

/* Back-fills of the connection that are under way. */
static int backfills_show(struct req *r, const struct connection *c, json_t *list, struct err *err)
{
	const char *id = uuid_dup(r->a, c->id);
	struct tasks open;

	if (task_list_open(r->app->db, r->a, &c->account_id, &open, err) == -1)
		return -1;
	for (size_t i = 0; i < open.n; i++) {
		const json_t *args = json_parse_stored(r->a, open.v[i].args, err);
		const char *of =
		    json_string_value(json_array_get(json_object_get(args, "connectionIds"), 0));

		if (args == NULL)
			return -1;
		if ((strcmp(open.v[i].kind, poll_backfill_task.name) == 0 ||
			strcmp(open.v[i].kind, lead_reconcile_task.name) == 0) &&
		    of != NULL && strcmp(of, id) == 0)
			json_array_append_new(list, task_json(r->app, &open.v[i]));
	}
	return 0;
}

int polls_tell_connection(struct req *r, const struct connection *c, json_t *data, struct err *err)
{
	json_t *rows = json_array(), *backfills = json_array();

	json_set(data, "polls", rows);
	json_set(data, "backfills", backfills);
	if (c->provider->npolls == 0)
		return 0;
	if (polls_json(r->app, r->a, c, rows, err) == -1 ||
	    backfills_show(r, c, backfills, err) == -1)
		return -1;
	polls_show(r, c, rows);
	json_set_bool(data, "has_polls", json_array_size(rows) > 0);
	json_set_bool(data, "has_backfills", json_array_size(backfills) > 0);
	return 0;
}

/* ---- buttons ------------------------------------------------------------------------------- */

struct page_act {
	struct req *r;
	struct poll_actor by;
	struct connection *c;
	const struct poll_spec *spec;
	const char *back;
};

/* What people may have got wrong is told where they were. */
static int page_act_refused(struct page_act *p, const struct err *err)
{
	if (err->code != ERR_INVALID && err->code != ERR_CONFLICT)
		return res_error(p->r, err);
	chrome_flash(p->r, "error", "%s: %s.", p->spec->label, err->msg);
	return res_redirect(p->r, p->back);
}

static int page_edit(struct page_act *p, const struct poll_edit *edit, const char *done)
{
	struct poll_row row;
	struct err err = ERR_INIT;
	int found = poll_edit(&p->by, p->c, p->spec, edit, &row, &err);

	if (found == -1)
		return page_act_refused(p, &err);
	if (found == 0)
		return res_problem(p->r, 404, "The connection has no such poll");
	chrome_flash(p->r, "ok", "%s %s", p->spec->label, done);
	return res_redirect(p->r, p->back);
}

static int page_set(struct page_act *p)
{
	struct poll_edit edit = {.act = POLL_SET, .has_interval = true};
	struct str minutes = utf8_trim(req_form(p->r, "minutes"));

	if (!str_to_i64(minutes, 1, POLL_INTERVAL_MOST_S / MINUTE_S, &edit.interval_s)) {
		chrome_flash(p->r, "error", "%s: minutes must be a whole number from 1 to %d.",
		    p->spec->label, POLL_INTERVAL_MOST_S / MINUTE_S);
		return res_redirect(p->r, p->back);
	}
	edit.interval_s *= MINUTE_S;
	return page_edit(p, &edit, "will be asked for that often.");
}

static int page_backfill(struct page_act *p)
{
	struct str since = utf8_trim(req_form(p->r, "since"));
	struct err err = ERR_INIT;
	int64_t since_us;
	struct task t;

	if (!clock_parse_iso(since, &since_us)) {
		chrome_flash(p->r, "error", "%s: give the date to begin with.", p->spec->label);
		return res_redirect(p->r, p->back);
	}
	if (poll_backfill(&p->by, p->c, p->spec, since_us, &t, &err) == -1)
		return page_act_refused(p, &err);
	chrome_flash(p->r, "ok", "%.*s: begun. It goes on by itself; its progress is below.",
	    (int)t.title.n, t.title.p);
	return res_redirect(p->r, p->back);
}

static int page_reconcile(struct page_act *p)
{
	struct err err = ERR_INIT;
	struct task t;

	if (lead_reconcile(&p->by, p->c, p->spec, TIME_NONE, &t, &err) == -1)
		return page_act_refused(p, &err);
	chrome_flash(p->r, "ok",
	    "The leads of the last seven days are being compared. What was missed is fetched.");
	return res_redirect(p->r, p->back);
}

int poll_page_act(struct req *r)
{
	struct page_act p = {.r = r, .by = poll_actor_of(r)};
	struct str act = req_form(r, "act"), name = req_param(r, "name");
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = connection_get_shown(r->app, r->a, &r->actor.account_id, &id, &p.c, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 1)
		p.spec = provider_find_poll(p.c->provider, arena_strndup(r->a, name.p, name.n));
	if (p.spec == NULL)
		return res_problem(r, 404, "There is no such poll");
	p.back = arena_printf(r->a, "/admin/connections/%s/subscriptions", uuid_dup(r->a, id));
	if (str_is(act, "run"))
		return page_edit(&p, &(struct poll_edit){.act = POLL_RUN}, "are asked for now.");
	if (str_is(act, "pause"))
		return page_edit(
		    &p, &(struct poll_edit){.act = POLL_PAUSE}, "are not asked for any more.");
	if (str_is(act, "resume"))
		return page_edit(
		    &p, &(struct poll_edit){.act = POLL_RESUME}, "are asked for again.");
	if (str_is(act, "reconcile"))
		return page_reconcile(&p);
	return str_is(act, "backfill") ? page_backfill(&p) : page_set(&p);
}

int poll_page_cancel(struct req *r)
{
	struct str connection = req_param(r, "connectionId");

	return task_answer_cancel_page(r, "such back-fill",
	    "The back-fill is cancelled. What it has brought stays.",
	    arena_printf(
		r->a, "/admin/connections/%.*s/subscriptions", (int)connection.n, connection.p));
}
