/* The queue: lanes, dead jobs. */
#include "account/account.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/word.h"
#include "cmd/connectctl.h"
#include "job/periodic.h"
#include "product/queue.h"

/* ---- looking --------------------------------------------------------------------------------- */

struct looking {
	const char *account;
	bool is_dead, as_json;
};

static void lane_print(const json_t *l)
{
	const char *error = json_str(l, "lastError"), *due = json_str(l, "oldestDueAt");

	printf("%s  %-8s  %-7s  %7lld%c  %5lld of %-5lld  %-27s  %s\n", json_str(l, "id"),
	    json_str(l, "kind"), json_bool(l, "isPaused") ? "paused" : json_str(l, "breaker"),
	    (long long)json_int(l, "depth"), json_bool(l, "depthIsExact") ? ' ' : '+',
	    (long long)json_int(l, "running"), (long long)json_int(l, "window"),
	    due == NULL ? "-" : due, json_str(l, "name"));
	if (error != NULL)
		printf("    %s (next try %s)\n", error, json_str(l, "nextProbeAt"));
	if (json_int(l, "dead") > 0)
		printf("    %lld given up\n", (long long)json_int(l, "dead"));
}

static int lanes_show(
    struct ctl *c, const struct uuid *account_id, bool as_json, json_t **out, struct err *err)
{
	json_t *lane;
	size_t i;

	if (queue_json(&c->app, c->a, account_id, out, err) == -1)
		return -1;
	if (as_json)
		return 0;
	json_array_each(json_object_get(*out, "lanes"), i, lane)
		lane_print(lane);
	printf("%lld dead\n", (long long)json_int(*out, "dead"));
	return 0;
}

static void dead_print(const json_t *o)
{
	const char *error = json_str(o, "lastError"), *subject = json_str(o, "subjectId");

	printf("%s  %-14s  %s  %3lld attempts  %s\n    %s\n", json_str(o, "id"),
	    json_str(o, "kind"), json_str(o, "since"), (long long)json_int(o, "attempts"),
	    subject != NULL ? subject : "-", error != NULL ? error : "");
}

/* The newest LIMIT_DB_ROWS of them. */
static int dead_show(
    struct ctl *c, const struct uuid *account_id, bool as_json, json_t **out, struct err *err)
{
	struct slice s = {.limit = LIMIT_DB_ROWS - 1};
	json_t *row;
	size_t i;

	if (queue_dead_named(&c->app, c->a, account_id, (struct str){NULL, 0}, &s, err) == -1)
		return -1;
	*out = json_own(c->a, json_object());
	json_set(*out, "dead", json_incref(s.rows));
	if (as_json)
		return 0;
	json_array_each(s.rows, i, row)
		dead_print(row);
	return 0;
}

/* One account's, under its name. */
static int account_show(
    struct ctl *c, const struct looking *look, const json_t *account, json_t *list, struct err *err)
{
	const char *id = json_str(account, "id");
	struct uuid account_id;
	json_t *o;

	if (!uuid_parse(str_from(id), &account_id))
		return err_set(err, ERR_INTERNAL, "\"%s\" is no id", id);
	if (!look->as_json)
		printf("account %s  %s\n", id, json_str(account, "name"));
	if ((look->is_dead ? dead_show : lanes_show)(c, &account_id, look->as_json, &o, err) == -1)
		return -1;
	json_set_str(o, "accountId", id);
	json_array_append(list, o);
	return 0;
}

static json_t *periodic_json(const struct periodic_state *w)
{
	json_t *o = json_object();

	json_set_str(o, "kind", w->name);
	json_set_bool(o, "isRunning", w->next_us == 0);
	json_set_time(o, "nextAt", w->next_us);
	json_set_str(o, "lastError", w->error);
	return o;
}

/* Work of no account, which comes by the clock. */
static int periodic_show(struct ctl *c, bool as_json, json_t *list, struct err *err)
{
	struct periodic_state *works;
	json_t *all = json_array(), *o = json_object();
	size_t n;

	json_set_str(o, "accountId", NULL);
	json_set(o, "periodic", all);
	json_array_append_new(list, o);
	if (periodic_list(c->app.db, c->a, &works, &n, err) == -1)
		return -1;
	if (!as_json)
		puts("periodic work");
	for (size_t i = 0; i < n; i++) {
		const struct periodic_state *w = &works[i];

		json_array_append_new(all, periodic_json(w));
		if (as_json)
			continue;
		printf("%-18s  %s\n", w->name,
		    w->next_us == 0 ? "running" : clock_iso_dup(c->a, w->next_us));
		if (w->error != NULL)
			printf("    %s\n", w->error);
	}
	return 0;
}

int ctl_queue(struct ctl *c, struct err *err)
{
	struct looking look = {0};
	const struct ctl_option options[] = {{.name = "account", .value = &look.account},
	    {.name = "dead", .flag = &look.is_dead}, {.name = "json", .flag = &look.as_json},
	    {.name = NULL}};
	json_t *list = json_own(c->a, json_array()), *accounts, *account;
	bool is_found;
	size_t i;

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	accounts = account_list_json(&c->app, c->a, err);
	if (accounts == NULL)
		return -1;
	is_found = look.account == NULL;
	json_array_each(accounts, i, account) {
		if (look.account != NULL && strcmp(json_str(account, "id"), look.account) != 0)
			continue;
		is_found = true;
		if (account_show(c, &look, account, list, err) == -1)
			return -1;
	}
	if (!is_found)
		return err_set(err, ERR_NOT_FOUND, "there is no account %s", look.account);
	if (look.account == NULL && !look.is_dead &&
	    periodic_show(c, look.as_json, list, err) == -1)
		return -1;
	if (look.as_json)
		puts(json_text(c->a, list).p);
	return CTL_OK;
}

/* ---- acting ---------------------------------------------------------------------------------- */

static int queue_do(struct ctl *c, const char *act, struct err *err)
{
	const char *account = NULL;
	bool as_json = false;
	const struct ctl_option options[] = {{.name = "account", .value = &account},
	    {.name = "json", .flag = &as_json}, {.name = NULL}};
	struct ctl_list lanes = {0};
	struct uuid account_id;
	json_t *lane;
	int found;

	if (ctl_read(c, options, &lanes, 1, 1) != CTL_OK ||
	    ctl_read_id(c, account, "--account", &account_id) != CTL_OK)
		return CTL_USAGE;
	found = queue_act(&c->app, c->a, NULL, &account_id, str_from(lanes.v[0]),
	    word_find(queue_acts, str_from(act)), &lane, err);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no such lane");
	if (found == -1)
		return -1;
	if (as_json)
		ctl_print_json(c, json_incref(lane));
	else
		lane_print(lane);
	return CTL_OK;
}

int ctl_queue_pause(struct ctl *c, struct err *err)
{
	return queue_do(c, "pause", err);
}

int ctl_queue_resume(struct ctl *c, struct err *err)
{
	return queue_do(c, "resume", err);
}

int ctl_queue_try(struct ctl *c, struct err *err)
{
	return queue_do(c, "try", err);
}

int ctl_queue_retry(struct ctl *c, struct err *err)
{
	const char *account = NULL, *lane = NULL, *job = NULL;
	const struct ctl_option options[] = {{.name = "account", .value = &account},
	    {.name = "lane", .value = &lane}, {.name = "job", .value = &job}, {.name = NULL}};
	struct uuid account_id;
	int64_t n;
	int found;

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK ||
	    ctl_read_id(c, account, "--account", &account_id) != CTL_OK)
		return CTL_USAGE;
	if (lane != NULL && job != NULL)
		return ctl_usage(c, "--lane and --job exclude each other");
	found =
	    queue_retry(&c->app, c->a, NULL, &account_id, str_from(lane), str_from(job), &n, err);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND,
		    job != NULL ? "there is no such dead job" : "there is no such lane");
	if (found == -1)
		return -1;
	printf("%lld run again\n", (long long)n);
	return CTL_OK;
}
