/* connectctl doctor: looks at everything that must be right and says what to do about what is not.
 */
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/connectctl.h"
#include "connection/connection-faults.h"
#include "crypto/aead.h"
#include "db/db.h"
#include "db/migrate.h"
#include "intake/event-faults.h"
#include "intake/intake.h"
#include "job/clock-check.h"
#include "job/periodic.h"
#include "lead/lead-faults.h"
#include "provider/provider.h"
#include "record/stored-faults.h"

#define OVERDUE_US (300 * SECOND_US) /* cron starts the runner each minute */
#define ENTRIES_MOST 1000            /* of a folder whose owners are looked at */

DB_STMT(doctor_users, "SELECT COUNT(*) FROM users");
DB_STMT(doctor_oldest_job,
    "SELECT COALESCE(MIN(due), 0) FROM (SELECT (SELECT MIN(j.run_at) FROM jobs j"
    " WHERE j.account_id = l.account_id AND j.class = l.class AND j.target_id = l.target_id"
    " AND j.state = 'ready') AS due FROM job_lanes l) d");
DB_STMT(doctor_dead_jobs, "SELECT COUNT(*) FROM jobs WHERE state = 'dead'");

struct doctor_visit {
	struct ctl *c;
	int failures;
};

__attribute__((format(printf, 2, 3))) static void fine(struct doctor_visit *v, const char *fmt, ...)
{
	va_list ap;

	(void)v;
	fputs("ok      ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

__attribute__((format(printf, 2, 3))) static void wrong(
    struct doctor_visit *v, const char *fmt, ...)
{
	va_list ap;

	v->failures++;
	fputs("WRONG   ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* Worth knowing, and no failure. */
__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
	va_list ap;

	fputs("note    ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void doctor_keys(struct doctor_visit *v)
{
	const char *path = v->c->app.config->key_file;
	struct err err = ERR_INIT;
	struct stat st;

	if (stat(path, &st) == -1)
		wrong(v, "key file %s: %s; make one with: connectctl key init", path,
		    strerror(errno));
	else if ((st.st_mode & 077) != 0)
		wrong(v, "key file %s: others may read it; run: chmod 600 %s", path, path);
	else if (keyring_load(v->c->a, path, &err) == NULL)
		wrong(v, "key file: %s", err.msg);
	else
		fine(v, "key file %s", path);
}

static void doctor_apps(struct doctor_visit *v)
{
	const char *path = v->c->app.config->provider_apps;
	struct stat st;

	if (path[0] == '\0')
		return;
	if (stat(path, &st) == -1)
		wrong(v, "provider_apps %s: %s", path, strerror(errno));
	else if ((st.st_mode & 077) != 0)
		wrong(v, "provider_apps %s: others may read it; run: chmod 600 %s", path, path);
	else
		fine(v, "provider_apps %s", path);
}

static void doctor_folder(struct doctor_visit *v, const char *key, const char *path, int mode)
{
	struct stat st;

	if (stat(path, &st) == -1)
		wrong(v, "%s %s: %s", key, path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		wrong(v, "%s %s: is no folder", key, path);
	else if (access(path, mode) != 0)
		wrong(v, "%s %s: %s", key, path, strerror(errno));
	else
		fine(v, "%s %s", key, path);
}

/* A version that has ended fails every call of that provider, for everybody on one day. */
static void doctor_version(struct doctor_visit *v, const struct provider *p)
{
	int64_t ends_us, now_us = clock_now_us();
	const char *version = provider_version(p, &ends_us);
	char day[CLOCK_TEXT];

	if (!provider_version_ends_soon(p, now_us, &ends_us))
		return;
	clock_day_text(day, clock_day(ends_us));
	if (ends_us <= now_us)
		wrong(v,
		    "%s: version %s of its API has ended on %s; set a newer one: "
		    "provider_versions = %s=VERSION",
		    provider_display_name(p), version, day, provider_name(p));
	else
		note("%s: version %s of its API ends on %s; before that set a newer one: "
		     "provider_versions = %s=VERSION, or install a newer manifest",
		    provider_display_name(p), version, day, provider_name(p));
}

static void doctor_folders(struct doctor_visit *v)
{
	const struct config *cfg = v->c->app.config;
	struct err err = ERR_INIT;
	struct providers *providers;
	const char *const *why;
	size_t n;

	doctor_folder(v, "state_dir", cfg->state_dir, R_OK | W_OK | X_OK);
	doctor_folder(v, "templates_dir", cfg->templates_dir, R_OK | X_OK);
	doctor_folder(v, "static_dir", cfg->static_dir, R_OK | X_OK);
	doctor_folder(v, "migrations_dir", cfg->migrations_dir, R_OK | X_OK);
	providers = providers_load(v->c->a, cfg->providers_dir, &err);
	if (providers == NULL ||
	    providers_set_versions(v->c->a, providers, cfg->provider_versions, &err) == -1) {
		wrong(v, "providers: %s", err.msg);
		return;
	}
	fine(v, "providers_dir %s: %zu providers", cfg->providers_dir, providers_count(providers));
	n = providers_refused(providers, &why);
	for (size_t i = 0; i < n; i++)
		wrong(v, "a manifest is refused: %s", why[i]);
	for (size_t i = 0; i < providers_count(providers); i++)
		doctor_version(v, provider_at(providers, i));
}

/* ---- who runs it --------------------------------------------------------------------------- */

/* A user's name, or its number. */
static const char *user_name(struct arena *a, uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	return pw != NULL ? arena_strdup(a, pw->pw_name) : arena_printf(a, "%ld", (long)uid);
}

/* The first thing in a folder that is another user's than this; false when there is none. */
static bool folder_has_foreign(
    struct arena *a, const char *dir, uid_t owner, const char **path, uid_t *other)
{
	DIR *d = opendir(dir);
	bool is_found = false;
	struct dirent *e;
	struct stat st;
	int n = 0;

	while (d != NULL && !is_found && n++ < ENTRIES_MOST && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		*path = arena_printf(a, "%s/%s", dir, e->d_name);
		is_found = lstat(*path, &st) == 0 && st.st_uid != owner;
		if (is_found)
			*other = st.st_uid;
	}
	if (d != NULL)
		closedir(d);
	return is_found;
}

/* What connect-fcgi and connect-cron write for each other: both must run as one user. */
static void doctor_owners(struct doctor_visit *v, uid_t owner)
{
	const struct config *cfg = v->c->app.config;
	struct arena *a = v->c->a;
	char run[CONFIG_PATH_BYTES], *slash;
	const char *path;
	uid_t other;

	config_run_path(cfg, "x", run, sizeof(run));
	slash = strrchr(run, '/');
	if (slash != NULL)
		*slash = '\0';
	if (folder_has_foreign(a, run, owner, &path, &other) ||
	    folder_has_foreign(
		a, arena_printf(a, "%s/imports", cfg->state_dir), owner, &path, &other))
		wrong(v,
		    "%s is of %s, state_dir of %s: connect-fcgi and connect-cron must both run as "
		    "%s",
		    path, user_name(a, other), user_name(a, owner), user_name(a, owner));
}

/* All of it belongs to one user: the one of the service, or the web server's that starts Connect.
 */
static void doctor_user(struct doctor_visit *v)
{
	const struct config *cfg = v->c->app.config;
	struct arena *a = v->c->a;
	struct stat state, keys;
	const char *owner;

	if (stat(cfg->state_dir, &state) == -1)
		return; /* it is told of already */
	owner = user_name(a, state.st_uid);
	if (geteuid() != state.st_uid)
		note("this is %s, and state_dir is of %s: run doctor as the user that Connect runs "
		     "as",
		    user_name(a, geteuid()), owner);
	if (stat(cfg->key_file, &keys) == 0 && keys.st_uid != state.st_uid)
		wrong(v,
		    "key file %s is of %s, state_dir of %s: both must be of the user that Connect "
		    "runs as",
		    cfg->key_file, user_name(a, keys.st_uid), owner);
	if (cfg->listen[0] == '\0')
		note("listen is empty: a web server starts connect-fcgi, as its own user. That "
		     "must be "
		     "%s, and connect-cron must run as %s too, by its service or its line for "
		     "cron; see "
		     "README.md",
		    owner, owner);
	doctor_owners(v, state.st_uid);
}

/* With unix_socket the database lets only the user of that name in. */
static void doctor_database_user(struct doctor_visit *v)
{
	const struct config *cfg = v->c->app.config;
	const char *me = user_name(v->c->a, geteuid());

	if (cfg->db_password[0] == '\0' && strcmp(cfg->db_user, me) != 0)
		note("db_user is %s without a password, and this is %s: with unix_socket the "
		     "database "
		     "lets in %s alone. Make that user there and set db_user = %s, or set "
		     "db_password",
		    cfg->db_user, me, me, me);
}

/* One number of a statement without parameters; -1 when it cannot be had. */
static int64_t doctor_number(struct doctor_visit *v, const struct db_stmt *s, struct err *err)
{
	struct db_rows r;

	return db_row(v->c->app.db, v->c->a, s, NULL, 0, &r, err) == 1 ? db_get_int(&r, 0, 0) : -1;
}

static void doctor_clock(struct doctor_visit *v)
{
	struct err err = ERR_INIT;

	if (clock_check(v->c->app.db, &err) == 0)
		fine(v, "clock");
	else
		wrong(v, "clock: %s; no jobs run until it is right", err.msg);
}

static void doctor_event_log(struct doctor_visit *v)
{
	struct err err = ERR_INIT;
	int32_t days;

	if (event_days_ahead(&v->c->app, &days, &err) == -1)
		wrong(v, "event log: %s", err.msg);
	else if (days < EVENT_DAYS_LOW)
		wrong(v,
		    "event log: has partitions for %d more days only; is connect-cron running, "
		    "does "
		    "a long transaction hold the table, may the database's user alter it?",
		    days < 0 ? 0 : (int)days);
	else
		fine(v, "event log: partitions for %d more days", (int)days);
}

/* What periodic work says of its last runs. */
static void doctor_periodic(struct doctor_visit *v)
{
	struct periodic_state *works;
	struct err err = ERR_INIT;
	size_t n;

	if (periodic_list(v->c->app.db, v->c->a, &works, &n, &err) == -1) {
		wrong(v, "periodic work: %s", err.msg);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (works[i].error != NULL)
			wrong(v, "periodic work %s: %s; next try %s", works[i].name, works[i].error,
			    works[i].next_us == 0 ? "now"
						  : clock_iso_dup(v->c->a, works[i].next_us));
}

/* Some periodic work is always due soon: when it waits for long nobody runs it. */
static void doctor_cron(struct doctor_visit *v)
{
	struct err err = ERR_INIT;
	int64_t next_us = 0, oldest_us = doctor_number(v, &doctor_oldest_job, &err);
	int64_t late_us = clock_now_us() - OVERDUE_US, dead;
	int found = periodic_next(v->c->app.db, v->c->a, &next_us, &err);

	if (found == -1 || oldest_us < 0)
		wrong(v, "scheduler: %s", err.msg);
	else if (found == 0)
		wrong(v, "scheduler: connect-cron has never run; start it from cron each minute");
	else if (next_us < late_us)
		wrong(v, "scheduler: connect-cron has not run since %s",
		    clock_iso_dup(v->c->a, next_us));
	else if (oldest_us != 0 && oldest_us < late_us)
		wrong(v,
		    "scheduler: jobs wait since %s; connect-cron does not run or cannot keep up",
		    clock_iso_dup(v->c->a, oldest_us));
	else
		fine(v, "scheduler");
	doctor_periodic(v);
	dead = doctor_number(v, &doctor_dead_jobs, &err);
	if (dead > 0)
		note("%lld job%s failed for good", (long long)dead, plural(dead, " has", "s have"));
}

static void doctor_database(struct doctor_visit *v)
{
	struct err err = ERR_INIT;

	if (db_ping(v->c->app.db, &err) == -1) {
		wrong(v, "database: %s", err.msg);
		doctor_database_user(v);
		return;
	}
	fine(v, "database %s", v->c->app.config->db_name);
	if (migrate_check(v->c->app.db, v->c->app.config->migrations_dir, &err) == -1) {
		wrong(v, "schema: %s", err.msg);
		return;
	}
	fine(v, "schema");
	if (doctor_number(v, &doctor_users, &err) == 0)
		note("nobody can sign in yet; make the first admin with: connectctl setup-link");
	doctor_clock(v);
	doctor_cron(v);
	doctor_event_log(v);
}

static void doctor_tell_faults(struct doctor_visit *v, const struct stored_fault *faults, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct stored_fault *f = &faults[i];

		if (f->count == 0)
			continue;
		wrong(v, "data: %lld %s; %s", (long long)f->count, f->what, f->advice);
		for (size_t k = 0; k < f->nexamples; k++)
			printf("          account %s, %s: %s\n",
			    uuid_dup(v->c->a, f->examples[k].account_id),
			    uuid_dup(v->c->a, f->examples[k].id), f->examples[k].text);
	}
}

/* All that is stored, row by row. */
static void doctor_data(struct doctor_visit *v)
{
	struct stored_fault records[RECORD_FAULTS], leads[LEAD_FAULTS], views, connections, events;
	struct app app = v->c->app;
	int before = v->failures;
	struct err err = ERR_INIT;

	app.providers = providers_load(v->c->a, app.config->providers_dir, &err);
	if (app.providers == NULL || record_faults_find(app.db, records, &err) == -1 ||
	    view_faults_find(app.db, &views, &err) == -1 ||
	    lead_faults_find(app.db, leads, &err) == -1 ||
	    connection_faults_find(&app, &connections, &err) == -1 ||
	    event_faults_find(app.db, &events, &err) == -1) {
		wrong(v, "data: %s", err.msg);
		return;
	}
	doctor_tell_faults(v, records, RECORD_FAULTS);
	doctor_tell_faults(v, &views, 1);
	doctor_tell_faults(v, leads, LEAD_FAULTS);
	doctor_tell_faults(v, &connections, 1);
	doctor_tell_faults(v, &events, 1);
	if (v->failures == before)
		fine(v, "data: nothing that an earlier version stored wrongly");
}

int ctl_doctor(struct ctl *c, struct err *err)
{
	bool has_data = false;
	const struct ctl_option options[] = {{.name = "data", .flag = &has_data}, {.name = NULL}};
	struct doctor_visit v = {.c = c};

	(void)err;
	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	fine(
	    &v, "configuration %s", c->config_file != NULL ? c->config_file : "of the environment");
	doctor_keys(&v);
	doctor_apps(&v);
	doctor_folders(&v);
	doctor_user(&v);
	doctor_database(&v);
	if (has_data)
		doctor_data(&v);
	return v.failures == 0 ? CTL_OK : CTL_FAILED;
}
