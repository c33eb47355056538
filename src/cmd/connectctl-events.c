/* connectctl: the event log. */
#include "base/clock.h"
#include "cmd/connectctl.h"
#include "crypto/uuid.h"
#include "intake/intake.h"
#include "task/task.h"

int ctl_events_replay(struct ctl *c, struct err *err)
{
	const char *connection = NULL, *since = NULL;
	const struct ctl_option options[] = {{.name = "connection", .value = &connection},
	    {.name = "since", .value = &since}, {.name = NULL}};
	struct uuid id;
	struct task task;
	int64_t since_us;
	int found;

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK ||
	    ctl_read_id(c, connection, "--connection", &id) != CTL_OK)
		return CTL_USAGE;
	if (since == NULL || !clock_parse_iso(str_from(since), &since_us))
		return ctl_usage(c, "--since must be a time such as 2026-01-31T08:00:00Z");
	found = event_replay_failed(&c->app, c->a, NULL, NULL, &id, since_us, &task, err);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no connection %s", connection);
	if (found == -1)
		return -1;
	printf("task %s replays them; connect-cron runs it\n", uuid_dup(c->a, task.id));
	return CTL_OK;
}
