/* connectctl: what an operator does from the shell. Exit status 0 done, 1 failed, 2 wrongly called.
 */
#include "cmd/connectctl.h"

#include <getopt.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/random.h"
#include "db/db.h"

#define PASSWORD_BYTES 15u /* 20 characters */
#define PASSWORD_OPTIONS "[--password P | --password-stdin]"

static const struct ctl_command commands[] = {
    {"config check", "", "read the configuration, say what is wrong with it", ctl_config_check,
	APP_CONFIG},
    {"config print", "", "print a sample with every key and its meaning", ctl_config_print, 0},
    {"key init", "", "make the key file, unless there is one", ctl_key_init, APP_CONFIG},
    {"rotate-key", "[--prepare | --status | --drop ID]",
	"seal with a new key, and all that is sealed anew, while the product runs", ctl_rotate_key,
	APP_KEYS | APP_DB},
    {"app add", "PROVIDER [--name N] [--json]",
	"add an app at a provider for all accounts; its credentials are read from standard input",
	ctl_app_add, APP_KEYS | APP_PROVIDERS | APP_DB},
    {"app list", "[--json]", "list the installation's apps", ctl_app_list, APP_PROVIDERS | APP_DB},
    {"app change", "ID [--name N]", "give an app other credentials, from standard input",
	ctl_app_change, APP_KEYS | APP_PROVIDERS | APP_DB},
    {"app remove", "ID", "remove an app", ctl_app_remove, APP_KEYS | APP_PROVIDERS | APP_DB},
    {"migrate up", "", "bring the schema up to date", ctl_migrate_up, APP_DB_RAW},
    {"migrate status", "", "compare the schema with this program's", ctl_migrate_status,
	APP_DB_RAW},
    {"account create", "--name N --email E " PASSWORD_OPTIONS " [--json]",
	"make an account and its first admin", ctl_account_create, APP_DB},
    {"account list", "[--json]", "list the accounts", ctl_account_list, APP_DB},
    {"user add", "--account ID --email E --role ROLE [--name N] " PASSWORD_OPTIONS " [--json]",
	"add a person to an account as admin, manager or viewer", ctl_user_add, APP_DB},
    {"user password", "--email E " PASSWORD_OPTIONS,
	"set a password; ends the person's sessions and tokens", ctl_user_password, APP_DB},
    {"user totp", "--email E [--off]", "turn a person's second factor on or off", ctl_user_totp,
	APP_KEYS | APP_DB},
    {"api-key create",
	"--account ID --name N (--all | --permission AREA.VERB …) [--expires TIME] [--json]",
	"make an API key; it is shown once", ctl_api_key_create, APP_DB},
    {"api-key revoke", "ID", "end an API key", ctl_api_key_revoke, APP_DB},
    {"setup-link", "", "print the one-time address that makes the first admin", ctl_setup_link,
	APP_DB},
    {"provider check", "FILE…", "run the examples of provider manifests (prints TAP)",
	ctl_provider_check, 0},
    {"provider list", "[--json]", "list the providers that are loaded", ctl_provider_list,
	APP_PROVIDERS},
    {"poll list", "--account ID CONNECTION [--json]", "list the polls of a connection",
	ctl_poll_list, APP_KEYS | APP_PROVIDERS | APP_DB},
    {"poll run", "--account ID CONNECTION NAME", "begin a round of a poll at once", ctl_poll_run,
	APP_KEYS | APP_PROVIDERS | APP_DB},
    {"poll pause", "--account ID CONNECTION NAME", "let a poll rest", ctl_poll_pause,
	APP_KEYS | APP_PROVIDERS | APP_DB},
    {"poll resume", "--account ID CONNECTION NAME", "let a paused poll go on", ctl_poll_resume,
	APP_KEYS | APP_PROVIDERS | APP_DB},
    {"poll backfill", "--account ID CONNECTION NAME --since TIME [--json]",
	"fetch what is older than the poll, as a task", ctl_poll_backfill,
	APP_KEYS | APP_PROVIDERS | APP_DB},
    {"queue pause", "--account ID LANE [--json]", "let the jobs of a lane wait", ctl_queue_pause,
	APP_DB},
    {"queue resume", "--account ID LANE [--json]", "let a paused lane go on", ctl_queue_resume,
	APP_DB},
    {"queue try", "--account ID LANE [--json]", "try a lane's target at once", ctl_queue_try,
	APP_DB},
    {"queue retry", "--account ID [--lane LANE | --job ID]",
	"run again what was given up: of a lane, one job, or all", ctl_queue_retry, APP_DB},
    {"queue", "[--account ID] [--dead] [--json]",
	"list the lanes of the queue, or the jobs that were given up", ctl_queue, APP_DB},
    {"events replay", "--connection ID --since TIME",
	"take all events of a connection again that failed since then", ctl_events_replay,
	APP_KEYS | APP_PROVIDERS | APP_DB},
    {"privacy erase", "--account ID (--email TEXT | --phone TEXT | --record ID) [--dry-run]",
	"erase a person from an account, as a task; or count what would go", ctl_privacy_erase,
	APP_KEYS | APP_DB},
    {"privacy export", "--account ID (--email TEXT | --phone TEXT | --record ID)",
	"write what an account keeps of a person to a file, as a task", ctl_privacy_export,
	APP_KEYS | APP_DB},
    {"doctor", "[--data]", "look for what keeps the product from working", ctl_doctor, APP_DB_RAW},
    {"partitions", "", "make the event log's coming partitions, drop the outdated", ctl_partitions,
	APP_DB},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* ---- help ------------------------------------------------------------------------------------ */

static void help_print(FILE *to)
{
	fputs("usage: connectctl [-c FILE] COMMAND\n"
	      "\n"
	      "  -c, --config FILE   configuration (default: " CONNECT_CONFDIR
	      "/connect.conf, if it\n"
	      "                      is there; CONNECT_<KEY> in the environment wins over it)\n"
	      "  -h, --help          this text\n"
	      "      --version\n"
	      "\n"
	      "commands:\n",
	    to);
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct ctl_command *k = &commands[i];

		fprintf(to, "  %s%s%s\n        %s\n", k->words, *k->arguments ? " " : "",
		    k->arguments, k->meaning);
	}
}

int ctl_usage(const struct ctl *c, const char *fmt, ...)
{
	va_list ap;

	fputs("connectctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nusage: connectctl [-c FILE] %s %s\n", c->command->words,
	    c->command->arguments);
	return CTL_USAGE;
}

/* ---- what commands share --------------------------------------------------------------------- */

static const struct ctl_option *option_find(const struct ctl_option *options, struct str name)
{
	for (; options->name != NULL; options++)
		if (str_is(name, options->name))
			return options;
	return NULL;
}

/* Reads the option at argv[*i], moving *i over what it takes. */
static int option_read(struct ctl *c, const struct ctl_option *options, int *i)
{
	struct str rest = str_from(c->argv[*i] + 2), name;
	const char *value = strchr(c->argv[*i], '=');
	const struct ctl_option *o;

	str_split(&rest, '=', &name);
	o = option_find(options, name);
	if (o == NULL)
		return ctl_usage(c, "there is no option --%.*s", (int)name.n, name.p);
	if (o->flag != NULL) {
		*o->flag = true;
		return value == NULL ? CTL_OK : ctl_usage(c, "--%s takes no value", o->name);
	}
	value = value != NULL ? value + 1 : c->argv[++*i];
	if (value == NULL)
		return ctl_usage(c, "--%s needs a value", o->name);
	if (o->value != NULL) {
		*o->value = value;
		return CTL_OK;
	}
	o->list->v[o->list->n++] = value;
	while (c->argv[*i + 1] != NULL && c->argv[*i + 1][0] != '-')
		o->list->v[o->list->n++] = c->argv[++*i];
	return CTL_OK;
}

int ctl_read(struct ctl *c, const struct ctl_option *options, struct ctl_list *operands,
    size_t least, size_t most)
{
	struct ctl_list own = {0};
	int rc;

	if (operands == NULL)
		operands = &own;
	operands->v = arena_array(c->a, (size_t)c->argc + 1, sizeof(*operands->v));
	for (const struct ctl_option *o = options; o->name != NULL; o++)
		if (o->list != NULL)
			o->list->v = arena_array(c->a, (size_t)c->argc + 1, sizeof(*o->list->v));
	for (int i = 0; i < c->argc; i++) {
		if (strncmp(c->argv[i], "--", 2) != 0) {
			operands->v[operands->n++] = c->argv[i];
			continue;
		}
		rc = option_read(c, options, &i);
		if (rc != CTL_OK)
			return rc;
	}
	if (operands->n > most)
		return ctl_usage(c, "\"%s\" is too much", operands->v[most]);
	if (operands->n < least)
		return ctl_usage(c, "something is missing");
	return CTL_OK;
}

void ctl_print_json(struct ctl *c, json_t *value)
{
	puts(json_text(c->a, json_own(c->a, value)).p);
}

int ctl_password(struct ctl *c, const char *given, bool from_stdin, const char **text,
    bool *is_made, struct err *err)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	*is_made = false;
	*text = given;
	if (given != NULL)
		return 0;
	if (!from_stdin) {
		*is_made = true;
		*text = random_token(c->a, PASSWORD_BYTES);
		return 0;
	}
	n = getline(&line, &cap, stdin);
	if (n > 0)
		*text = arena_strndup(c->a, line, strcspn(line, "\r\n"));
	if (line != NULL)
		explicit_bzero(line, cap);
	free(line);
	return n > 0 ? 0 : err_set(err, ERR_INVALID, "no password on standard input");
}

/* ---- running --------------------------------------------------------------------------------- */

static const char *config_default_path(void)
{
	static const char path[] = CONNECT_CONFDIR "/connect.conf";

	return access(path, F_OK) == 0 ? path : NULL;
}

/* The command whose words argv begins with; *used counts them. */
static const struct ctl_command *command_find(char **argv, int argc, int *used)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		struct str rest = str_from(commands[i].words), word;
		int n = 0;
		bool is_it = true;

		while (is_it && str_split(&rest, ' ', &word)) {
			is_it = n < argc && str_is(word, argv[n]);
			n++;
		}
		if (is_it) {
			*used = n;
			return &commands[i];
		}
	}
	return NULL;
}

static int command_run(struct ctl *c, int argc, char **argv)
{
	struct err err = ERR_INIT;
	int used = 0, rc;

	c->command = command_find(argv, argc, &used);
	if (c->command == NULL) {
		if (argc > 0)
			fprintf(stderr, "connectctl: there is no command \"%s%s%s\"\n", argv[0],
			    argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
		help_print(stderr);
		return CTL_USAGE;
	}
	c->argc = argc - used;
	c->argv = argv + used;
	rc = c->command->needs == 0
		 ? log_open("connectctl", NULL, false, LOG_WARN, &err)
		 : app_open(c->a, &c->app, "connectctl", c->config_file, c->command->needs, &err);
	if (rc == 0)
		rc = c->command->run(c, &err);
	if (rc == -1) {
		fprintf(
		    stderr, "connectctl: %s%s%s\n", err.field, err.field[0] ? ": " : "", err.msg);
		rc = CTL_FAILED;
	}
	if (fflush(stdout) != 0) {
		perror("connectctl: standard output");
		rc = CTL_FAILED;
	}
	return rc;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'v'},
	    {NULL, 0, NULL, 0}};
	struct ctl c = {.config_file = config_default_path()};
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "+c:h", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			c.config_file = optarg;
			break;
		case 'h':
			help_print(stdout);
			return CTL_OK;
		case 'v':
			puts("connectctl " PACKAGE_VERSION);
			return CTL_OK;
		default:
			help_print(stderr);
			return CTL_USAGE;
		}
	}
	c.a = arena_new();
	rc = command_run(&c, argc - optind, argv + optind);
	app_close(&c.app);
	arena_free(c.a);
	return rc;
}
