/* The polls of a connection. */
#include "base/clock.h"
#include "cmd/connectctl.h"
#include "intake/poll-change.h"

struct ctl_poll {
	const char *account, *since;
	bool as_json;
	struct connection *c;
	const struct poll_spec *spec; /* NULL: the command is of the connection */
};

/* CONNECTION, and NAME where a poll is meant. CTL_OK, CTL_USAGE, or -1. */
static int ctl_poll_read(struct ctl *c, struct ctl_poll *p, bool is_of_poll, struct err *err)
{
	const struct ctl_option options[] = {{.name = "account", .value = &p->account},
	    {.name = "since", .value = &p->since}, {.name = "json", .flag = &p->as_json},
	    {.name = NULL}};
	const size_t n = is_of_poll ? 2 : 1;
	struct ctl_list operands = {0};
	struct uuid account_id, id;
	int found;

	if (ctl_read(c, options, &operands, n, n) != CTL_OK ||
	    ctl_read_id(c, p->account, "--account", &account_id) != CTL_OK ||
	    ctl_read_id(c, operands.v[0], "CONNECTION", &id) != CTL_OK)
		return CTL_USAGE;
	found = connection_get(&c->app, c->a, &account_id, &id, &p->c, err);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "the account has no such connection");
	if (found == 1 && is_of_poll) {
		p->spec = provider_find_poll(p->c->provider, operands.v[1]);
		if (p->spec == NULL)
			return err_set(
			    err, ERR_NOT_FOUND, "the connection has no poll \"%s\"", operands.v[1]);
	}
	return found == -1 ? -1 : CTL_OK;
}

static void ctl_poll_print(const json_t *poll)
{
	const json_t *items = json_object_get(poll, "items");
	const char *next = json_str(poll, "nextRunAt"), *at = json_str(poll, "upToDateAt"),
		   *error = json_str(poll, "error");

	printf("%-20s  %-7s  every %6lld s  up to date %-27s  next %-27s  %lld seen, %lld new\n",
	    json_str(poll, "name"), json_str(poll, "status"),
	    (long long)json_int(poll, "intervalSeconds"), at == NULL ? "-" : at,
	    next == NULL ? "-" : next, (long long)json_int(items, "seen"),
	    (long long)json_int(items, "new"));
	if (error != NULL)
		printf("    %s\n", error);
}

int ctl_poll_list(struct ctl *c, struct err *err)
{
	struct ctl_poll p = {0};
	json_t *list = json_own(c->a, json_array()), *poll;
	int rc = ctl_poll_read(c, &p, false, err);
	size_t i;

	if (rc != CTL_OK)
		return rc;
	if (polls_json(&c->app, c->a, p.c, list, err) == -1)
		return -1;
	if (p.as_json)
		ctl_print_json(c, json_incref(list));
	else
		json_array_each(list, i, poll)
			ctl_poll_print(poll);
	return CTL_OK;
}

static int ctl_poll_edit(struct ctl *c, enum poll_act act, struct err *err)
{
	const struct poll_actor by = {&c->app, c->a, NULL};
	const struct poll_edit edit = {.act = act};
	struct ctl_poll p = {0};
	struct poll_row row;
	int rc = ctl_poll_read(c, &p, true, err), found;

	if (rc != CTL_OK)
		return rc;
	found = poll_edit(&by, p.c, p.spec, &edit, &row, err);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND,
		    "the poll has not begun yet: connect-cron makes it within a minute");
	if (found == 1)
		printf("%s: %s\n", p.spec->label, poll_status(&row));
	return found == -1 ? -1 : CTL_OK;
}

int ctl_poll_run(struct ctl *c, struct err *err)
{
	return ctl_poll_edit(c, POLL_RUN, err);
}

int ctl_poll_pause(struct ctl *c, struct err *err)
{
	return ctl_poll_edit(c, POLL_PAUSE, err);
}

int ctl_poll_resume(struct ctl *c, struct err *err)
{
	return ctl_poll_edit(c, POLL_RESUME, err);
}

int ctl_poll_backfill(struct ctl *c, struct err *err)
{
	const struct poll_actor by = {&c->app, c->a, NULL};
	struct ctl_poll p = {0};
	int rc = ctl_poll_read(c, &p, true, err);
	int64_t since_us;
	struct task t;

	if (rc != CTL_OK)
		return rc;
	if (p.since == NULL || !clock_parse_iso(str_from(p.since), &since_us))
		return ctl_usage(c, "--since needs a date, or a date and time");
	if (poll_backfill(&by, p.c, p.spec, since_us, &t, err) == -1)
		return -1;
	if (p.as_json)
		ctl_print_json(c, task_json(&c->app, &t));
	else
		printf("task %s\n", uuid_dup(c->a, t.id));
	return CTL_OK;
}
