/* connectctl: what is kept of a person. */
#include "cmd/connectctl.h"
#include "crypto/uuid.h"
#include "privacy/privacy.h"

/* The options that both have, and whom they mean. */
static int privacy_read(struct ctl *c, bool *is_dry, struct privacy_subject *s, struct err *err)
{
	const char *account = NULL, *email = NULL, *phone = NULL, *record = NULL;
	const struct ctl_option options[] = {{.name = "account", .value = &account},
	    {.name = "email", .value = &email}, {.name = "phone", .value = &phone},
	    {.name = "record", .value = &record}, {.name = "dry-run", .flag = is_dry},
	    {.name = NULL}};
	struct uuid account_id;
	struct privacy_wish wish;
	int found;

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK ||
	    ctl_read_id(c, account, "--account", &account_id) != CTL_OK)
		return CTL_USAGE;
	wish = (struct privacy_wish){str_from(email), str_from(phone), str_from(record)};
	found = privacy_subject(&c->app, c->a, &account_id, &wish, s, err);
	if (found == -1 && err->code == ERR_INVALID)
		return ctl_usage(
		    c, "--%s %s", err->field[0] == '\0' ? "email" : err->field, err->msg);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no such record in this account");
	return found == -1 ? -1 : CTL_OK;
}

static int privacy_start(struct ctl *c, const struct task_kind *kind,
    const struct privacy_subject *s, const char *what, struct err *err)
{
	struct task t;

	if (privacy_begin(&c->app, NULL, kind, s, &t, err) == -1)
		return -1;
	printf("task %s %s; connect-cron runs it\n", uuid_dup(c->a, t.id), what);
	return CTL_OK;
}

int ctl_privacy_erase(struct ctl *c, struct err *err)
{
	bool is_dry = false;
	struct privacy_subject s;
	json_t *preview;
	int rc = privacy_read(c, &is_dry, &s, err);

	if (rc != CTL_OK)
		return rc;
	if (!is_dry)
		return privacy_start(c, &privacy_erase_task, &s, "erases the person", err);
	if (privacy_preview(&c->app, c->a, &s, &preview, err) == -1)
		return -1;
	ctl_print_json(c, json_incref(preview));
	return CTL_OK;
}

int ctl_privacy_export(struct ctl *c, struct err *err)
{
	bool is_dry = false;
	struct privacy_subject s;
	int rc = privacy_read(c, &is_dry, &s, err);

	return rc != CTL_OK ? rc
			    : privacy_start(c, &privacy_export_task, &s,
				  "writes exports/TASK.json in the state folder", err);
}
