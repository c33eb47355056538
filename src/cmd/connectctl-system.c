/* Configuration, keys, schema, partitions. */
#include "cmd/connectctl.h"
#include "crypto/aead.h"
#include "db/migrate.h"
#include "intake/intake.h"

static const struct ctl_option no_options[] = {{.name = NULL}};

int ctl_config_check(struct ctl *c, struct err *err)
{
	(void)err;
	if (ctl_read(c, no_options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	/* It was loaded before this ran, or this would not run. */
	printf("%s: in order\n", c->config_file != NULL ? c->config_file : "the environment");
	return CTL_OK;
}

int ctl_config_print(struct ctl *c, struct err *err)
{
	(void)err;
	if (ctl_read(c, no_options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	config_print_doc();
	return CTL_OK;
}

/* Safe to repeat: a key file that is there is never touched, since without it nothing sealed opens.
 */
int ctl_key_init(struct ctl *c, struct err *err)
{
	const char *path = c->app.config->key_file;
	struct err made = ERR_INIT;

	if (ctl_read(c, no_options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	if (keyring_create(path, &made) == 0) {
		printf("%s: made; keep a copy of it apart from the database\n", path);
		return CTL_OK;
	}
	if (made.code != ERR_CONFLICT)
		return err_set(err, made.code, "%s", made.msg);
	if (keyring_load(c->a, path, err) == NULL)
		return -1;
	printf("%s: is there already\n", path);
	return CTL_OK;
}

int ctl_migrate_up(struct ctl *c, struct err *err)
{
	int applied = 0;

	if (ctl_read(c, no_options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	if (migrate_up(c->app.db, c->app.config->migrations_dir, &applied, err) == -1)
		return -1;
	printf("%d migration%s applied\n", applied, plural_s(applied));
	return CTL_OK;
}

int ctl_migrate_status(struct ctl *c, struct err *err)
{
	struct migrate_status s;

	if (ctl_read(c, no_options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	if (migrate_status(c->app.db, c->app.config->migrations_dir, &s, err) == -1)
		return -1;
	printf("version  %d\nwanted   %d\npending  %d\n", s.version, s.wanted, s.pending);
	return CTL_OK;
}

int ctl_partitions(struct ctl *c, struct err *err)
{
	int rc;

	if (ctl_read(c, no_options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	if (event_partitions(&c->app, err) == -1 || event_retain(&c->app, err) == -1)
		return -1;
	do {
		rc = event_keys_forget(&c->app, err);
	} while (rc == 1);
	return rc;
}
