#include "base/config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"

#define FILE_MOST (64u * 1024u) /* bytes of a configuration file */

enum config_kind { KIND_TEXT, KIND_NUMBER, KIND_BOOL, KIND_URL, KIND_LEVEL, KIND_PAIRS };

struct config_key {
	const char *name;
	enum config_kind kind;
	size_t offset;
	const char *preset; /* as it would stand in the file */
	int64_t min, max;   /* of a number */
	const char *doc;
	const char *group; /* heading in the sample, on the first key of a group */
};

#define AT(member) .name = #member, .offset = offsetof(struct config, member)
#define TEXT(member, value) AT(member), .kind = KIND_TEXT, .preset = (value)
#define FLAG(member, value) AT(member), .kind = KIND_BOOL, .preset = (value)
#define NUMBER(member, value, least, most)                                                         \
	AT(member), .kind = KIND_NUMBER, .preset = #value, .min = (least), .max = (most)

static const struct config_key config_keys[] = {
    {TEXT(db_socket, "/run/mysqld/mysqld.sock"), .group = "Database",
	.doc = "Unix socket of the database server; used while db_host is empty"},
    {TEXT(db_host, ""), .doc = "host of the database server, for TCP"},
    {NUMBER(db_port, 3306, 1, 65535), .doc = "its TCP port"},
    {TEXT(db_user, "connect"), .doc = "database user"},
    {TEXT(db_password, ""), .doc = "its password; empty for socket authentication"},
    {TEXT(db_name, "connect"), .doc = "database"},

    {AT(base_url), .kind = KIND_URL, .preset = "http://localhost:8080", .group = "Web",
	.doc = "public origin of the product, as senders of webhooks reach it"},
    {TEXT(oauth_redirect_uris, ""),
	.doc =
	    "comma list of addresses to which a login at a provider may lead in the end, besides "
	    "those of base_url; one that ends with / allows all below it"},
    {TEXT(support, ""),
	.doc = "whom people ask about this installation: a name, an email, a number; pages of help "
	       "and of problems show it"},
    {TEXT(listen, ""), .doc = "FastCGI socket, a path or host:port; empty when the web server "
			      "starts us with the socket on descriptor 0"},
    {NUMBER(workers, 32, 1, 256),
	.doc = "FastCGI worker processes: as many requests are served, and webhooks committed, "
	       "at once"},
    {NUMBER(worker_requests, 100000, 0, 1000000000),
	.doc = "a worker is replaced after so many requests; 0 is never"},
    {FLAG(writer, "true"), .doc = "commit events of all workers together, in one process"},
    {NUMBER(trusted_proxies, 0, 0, 16),
	.doc = "how many X-Forwarded-For hops before the web server are ours"},

    {TEXT(state_dir, CONNECT_STATEDIR), .group = "Places",
	.doc = "spooled events, uploads; writable; hosts may share it"},
    {TEXT(run_dir, ""),
	.doc = "sockets and locks of this host alone; empty is a folder in state_dir that bears "
	       "the host's name"},
    {TEXT(providers_dir, CONNECT_DATADIR "/providers"), .doc = "provider manifests"},
    {AT(provider_versions), .kind = KIND_PAIRS, .preset = "",
	.doc = "provider=version, …: versions of their APIs in place of the manifests'"},
    {TEXT(provider_apps, ""),
	.doc = "file of the installation's apps at providers: a JSON list of {providerType, name, "
	       "credentials}"},
    {TEXT(templates_dir, CONNECT_DATADIR "/templates"), .doc = "page templates"},
    {TEXT(static_dir, CONNECT_DATADIR "/static"), .doc = "style sheets, scripts, icons"},
    {TEXT(migrations_dir, CONNECT_DATADIR "/migrations"), .doc = "database migrations"},
    {TEXT(key_file, CONNECT_CONFDIR "/keys"),
	.doc = "encryption keys, `id:base64` lines, newest first"},

    {TEXT(log_file, ""), .group = "Log", .doc = "log file; empty is standard error"},
    {AT(log_level), .kind = KIND_LEVEL, .preset = "info",
	.doc = "debug, info, warn or error: the least that is written"},
    {FLAG(log_json, "false"), .doc = "lines of JSON instead of key=value"},

    {FLAG(egress_allow_loopback, "false"), .group = "Calls to other servers",
	.doc = "allow calls to this host itself"},
    {FLAG(egress_allow_private, "false"), .doc = "allow calls to private addresses"},
    {TEXT(egress_allow_hosts, ""),
	.doc = "comma list of host or host:port that are allowed in any case"},
    {TEXT(egress_ca_file, ""), .doc = "certificate authorities; empty is the system's"},
    {NUMBER(http_timeout_ms, 30000, 100, 600000), .doc = "longest whole call"},
    {NUMBER(http_connect_timeout_ms, 5000, 50, 120000), .doc = "longest wait for a connection"},
    {NUMBER(http_per_host, 16, 1, 1024), .doc = "parallel calls of one host to one destination"},

    {NUMBER(session_idle_s, 28800, 60, 31536000), .group = "Limits and times",
	.doc = "a session ends after so long without a request"},
    {NUMBER(session_max_s, 2592000, 60, 31536000), .doc = "and at the latest after so long"},
    {NUMBER(jwt_ttl_s, 3600, 60, 31536000), .doc = "life of an API token"},
    {NUMBER(rate_api_per_minute, 6000, 1, 100000000),
	.doc = "API requests of one account, by all its keys and tokens together"},
    {NUMBER(rate_api_key_per_minute, 0, 0, 100000000),
	.doc = "API requests of one key, or of one user's tokens, so that none uses up what the "
	       "account's others need; 0 is as many as the account's"},
    {NUMBER(rate_login_per_minute, 10, 1, 1000000),
	.doc = "failed sign-ins of one email from one network"},
    {NUMBER(webhook_body_bytes, 8388608, 1024, 8388608),
	.doc = "longest webhook body; each provider has a limit of its own, mostly 1048576"},
    {NUMBER(imports_open, 20, 1, 1000),
	.doc = "imports that an account may have unfinished, drafts included"},
    {NUMBER(imports_open_bytes, 8589934592, 1048576, 1099511627776),
	.doc = "bytes of their files together"},
    {NUMBER(event_retention_days, 30, 1, 3650), .doc = "raw events are kept so long"},
    {NUMBER(execution_retention_days, 30, 1, 3650), .doc = "runs of flows are kept so long"},
    {NUMBER(execution_detail_days, 14, 1, 3650),
	.doc = "what the steps of runs were given and gave is kept so long"},
    {NUMBER(runners, 0, 0, 256),
	.doc = "processes of connect-cron that run what people wait for; 0 is one per processor"},
    {NUMBER(job_concurrency, 128, 1, 1024), .doc = "jobs that they work on at a time, together"},
    {NUMBER(job_lease_s, 120, 10, 86400),
	.doc = "a job whose runner died is taken over after so long"},
    {NUMBER(secret_grace_hours, 24, 0, 720),
	.doc = "a changed webhook secret leaves the former one good so long"},
    {NUMBER(push_attempts, 3, 1, 100), .doc = "tries to deliver to a CRM"},
    {NUMBER(push_backoff_ms, 1000, 1, 3600000), .doc = "wait before the second try; doubles"},
    {NUMBER(push_backoff_max_ms, 15000, 1, 86400000), .doc = "longest wait between tries"},

    {TEXT(sandbox_url, ""), .group = "Sandbox", .doc = "address of connect-sandbox, if it runs"},
    {FLAG(sandbox, "false"), .doc = "offer the button that sends a test lead"},
    {AT(provider_origins), .kind = KIND_PAIRS, .preset = "",
	.doc = "for trial and tests: provider=URL, …: calls of these providers go to a stand-in"},
};

#define KEYS (sizeof(config_keys) / sizeof(config_keys[0]))

/* Where a value came from, for messages: "connect.conf:12: workers" or "CONNECT_WORKERS". */
struct origin {
	const char *path;
	int line;
	const char *variable;
};

static int config_refuse(
    struct err *err, const struct origin *o, const struct config_key *key, const char *must_be)
{
	if (o->variable)
		return err_field(
		    err, ERR_INVALID, key->name, "%s: must be %s", o->variable, must_be);
	return err_field(err, ERR_INVALID, key->name, "%s:%d: %s: must be %s", o->path, o->line,
	    key->name, must_be);
}

/* "https://host[:port]", and nothing after it but slashes, which are cut. */
static bool origin_parse(struct str value, struct str *out)
{
	struct str rest = value;

	while (rest.n && rest.p[rest.n - 1] == '/')
		rest.n--;
	*out = rest;
	if (str_starts(rest, "https://"))
		rest = (struct str){rest.p + 8, rest.n - 8};
	else if (str_starts(rest, "http://"))
		rest = (struct str){rest.p + 7, rest.n - 7};
	else
		return false;
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] <= ' ' || rest.p[i] > '~' || strchr("/?#@\"<>\\", rest.p[i]))
			return false;
	return rest.n > 0;
}

/* "name = value, name = value": the next pair of it; *name is absent where it is not one. */
static bool pairs_next(struct str *rest, struct str *name, struct str *value)
{
	if (rest->n == 0 || !str_split(rest, ',', value))
		return false;
	*name = (struct str){NULL, 0};
	if (memchr(value->p, '=', value->n) != NULL)
		str_split(value, '=', name);
	*name = str_trim(*name);
	*value = str_trim(*value);
	return true;
}

bool config_pair(const char *pairs, const char *name, struct str *value)
{
	struct str rest = str_from(pairs), key;

	while (pairs_next(&rest, &key, value))
		if (str_is(key, name))
			return true;
	return false;
}

static bool pairs_are_whole(struct str rest)
{
	struct str name, value;

	while (pairs_next(&rest, &name, &value))
		if (name.n == 0 || value.n == 0)
			return false;
	return true;
}

static bool pairs_are_urls(const char *pairs)
{
	struct str rest = str_from(pairs), name, value;

	while (pairs_next(&rest, &name, &value))
		if (!str_starts(value, "http://") && !str_starts(value, "https://"))
			return false;
	return true;
}

static int config_set_number(const struct config_key *key, struct str value, struct config *out,
    const struct origin *o, struct err *err)
{
	int64_t *place = (int64_t *)(void *)((char *)out + key->offset);
	char range[96];

	if (str_to_i64(value, key->min, key->max, place))
		return 0;
	snprintf(range, sizeof(range), "a number from %lld to %lld", (long long)key->min,
	    (long long)key->max);
	return config_refuse(err, o, key, range);
}

static int config_set(struct arena *a, const struct config_key *key, struct str value,
    struct config *out, const struct origin *o, struct err *err)
{
	const char **text = (const char **)(void *)((char *)out + key->offset);
	enum log_level level;

	switch (key->kind) {
	case KIND_NUMBER:
		return config_set_number(key, value, out, o, err);
	case KIND_BOOL:
		if (!str_to_bool(value, (bool *)(void *)((char *)out + key->offset)))
			return config_refuse(err, o, key, "true or false");
		return 0;
	case KIND_URL:
		if (!origin_parse(value, &value))
			return config_refuse(
			    err, o, key, "http:// or https:// and a host, without a path");
		break;
	case KIND_LEVEL:
		if (!log_level_parse(arena_strndup(a, value.p, value.n), &level))
			return config_refuse(err, o, key, "debug, info, warn or error");
		break;
	case KIND_PAIRS:
		if (!utf8_is_valid(value) || !pairs_are_whole(value))
			return config_refuse(
			    err, o, key, "a list such as `name=value, name=value`");
		break;
	case KIND_TEXT:
		if (!utf8_is_valid(value))
			return config_refuse(err, o, key, "UTF-8 text");
		break;
	}
	*text = arena_strndup(a, value.p, value.n);
	return 0;
}

static const struct config_key *config_key_find(struct str name)
{
	for (size_t i = 0; i < KEYS; i++)
		if (str_is(name, config_keys[i].name))
			return &config_keys[i];
	return NULL;
}

/* One line of the file; lines[] tells where each key was set before, 0 for nowhere. */
static int config_load_line(struct arena *a, struct str line, struct config *out, int lines[KEYS],
    const struct origin *o, struct err *err)
{
	struct str rest = str_trim(line), name;
	const struct config_key *key;

	if (rest.n == 0 || rest.p[0] == '#')
		return 0;
	if (!memchr(rest.p, '=', rest.n))
		return err_set(
		    err, ERR_INVALID, "%s:%d: not of the form `key = value`", o->path, o->line);
	str_split(&rest, '=', &name);
	name = str_trim(name);
	key = config_key_find(name);
	if (!key)
		return err_set(err, ERR_INVALID, "%s:%d: unknown key `%.*s`", o->path, o->line,
		    (int)(name.n > 64 ? 64 : name.n), name.p);
	if (lines[key - config_keys])
		return err_field(err, ERR_INVALID, key->name, "%s:%d: %s: already set in line %d",
		    o->path, o->line, key->name, lines[key - config_keys]);
	lines[key - config_keys] = o->line;
	return config_set(a, key, str_trim(rest), out, o, err);
}

static int config_load_file(struct arena *a, const char *path, struct config *out, struct err *err)
{
	const char *slash = strrchr(path, '/');
	struct origin o = {.path = slash ? slash + 1 : path};
	int lines[KEYS] = {0};
	struct str text, line;

	if (file_read(a, path, FILE_MOST, &text, err) == -1)
		return -1;
	while (str_split(&text, '\n', &line)) {
		o.line++;
		if (config_load_line(a, line, out, lines, &o, err) == -1)
			return -1;
	}
	return 0;
}

static int config_load_environment(struct arena *a, struct config *out, struct err *err)
{
	for (size_t i = 0; i < KEYS; i++) {
		char name[64];
		struct origin o = {.variable = name};
		const char *value;
		size_t n = (size_t)snprintf(name, sizeof(name), "CONNECT_%s", config_keys[i].name);

		for (size_t j = 0; j < n; j++)
			if (name[j] >= 'a' && name[j] <= 'z')
				name[j] = (char)(name[j] - ('a' - 'A'));
		value = getenv(name);
		if (value &&
		    config_set(a, &config_keys[i], str_trim(str_from(value)), out, &o, err) == -1)
			return -1;
	}
	return 0;
}

int config_load(struct arena *a, const char *path, struct config *out, struct err *err)
{
	const struct origin preset = {.path = "defaults"};

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < KEYS; i++)
		if (config_set(a, &config_keys[i], str_from(config_keys[i].preset), out, &preset,
			err) == -1)
			return -1;
	if (path && config_load_file(a, path, out, err) == -1)
		return -1;
	if (config_load_environment(a, out, err) == -1)
		return -1;
	if (out->push_backoff_max_ms < out->push_backoff_ms)
		return err_field(err, ERR_INVALID, "push_backoff_max_ms",
		    "push_backoff_max_ms: must not be less than push_backoff_ms");
	if (out->session_max_s < out->session_idle_s)
		return err_field(err, ERR_INVALID, "session_max_s",
		    "session_max_s: must not be less than session_idle_s");
	if (!pairs_are_urls(out->provider_origins))
		return err_field(err, ERR_INVALID, "provider_origins",
		    "provider_origins: each value must be a URL, as in "
		    "hubspot=http://127.0.0.1:8081/hubspot");
	return 0;
}

#define HOST_MOST 32 /* of its name: a socket's path has about a hundred bytes */

/* Of the name what is good in a file's name. */
static const char *host_folder(void)
{
	static char name[HOST_MOST + 1];

	if (name[0] != '\0')
		return name;
	if (gethostname(name, sizeof(name)) == -1 || name[0] == '\0' || name[0] == '.')
		snprintf(name, sizeof(name), "host");
	name[HOST_MOST] = '\0';
	for (char *p = name; *p != '\0'; p++)
		if (*p == '/')
			*p = '-';
	return name;
}

void config_run_path(const struct config *c, const char *name, char *out, size_t cap)
{
	if (c->run_dir != NULL && c->run_dir[0] != '\0')
		snprintf(out, cap, "%s/%s", c->run_dir, name);
	else
		snprintf(out, cap, "%s/run/%s/%s", c->state_dir, host_folder(), name);
}

int config_runners(const struct config *c)
{
	long cores = c->runners > 0 ? (long)c->runners : sysconf(_SC_NPROCESSORS_ONLN);

	return cores > 0 ? (int)cores : 1;
}

void config_print_doc(void)
{
	static const char *const types[] = {[KIND_TEXT] = "text",
	    [KIND_NUMBER] = "number",
	    [KIND_BOOL] = "true or false",
	    [KIND_URL] = "origin",
	    [KIND_LEVEL] = "level",
	    [KIND_PAIRS] = "list of name=value"};

	printf("# Configuration of Connect: `key = value` lines. Each key may also be set in the\n"
	       "# environment, as CONNECT_ and its name in capitals, which wins over the file.\n");
	for (size_t i = 0; i < KEYS; i++) {
		const struct config_key *k = &config_keys[i];

		if (k->group)
			printf("\n## %s\n", k->group);
		printf("\n# %s (%s", k->doc, types[k->kind]);
		if (k->kind == KIND_NUMBER)
			printf(", %lld to %lld", (long long)k->min, (long long)k->max);
		printf(")\n#%s =%s%s\n", k->name, k->preset[0] ? " " : "", k->preset);
	}
}
