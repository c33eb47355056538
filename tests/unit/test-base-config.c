#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/config.h"
#include "test-base.h"

static char folder[] = "/tmp/connect-config-XXXXXX";
static char file[64];

/* Loads the text as connect.conf. */
static int load(struct arena *a, const char *text, struct config *c, struct err *e)
{
	FILE *f = fopen(file, "we");

	REQUIRE(f != NULL);
	fputs(text, f);
	fclose(f);
	return config_load(a, file, c, e);
}

/* The CONNECT_ variables the tests were started with; they would win over the files here. */
static char *outer[64];
static size_t n_outer;

static void take_environment(void)
{
	for (char **v = environ; *v; v++)
		if (strncmp(*v, "CONNECT_", 8) == 0 && n_outer < COUNT(outer))
			outer[n_outer++] = strdup(*v);
	for (size_t i = 0; i < n_outer; i++) {
		char name[128];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(outer[i], "="), outer[i]);
		unsetenv(name);
	}
}

static void give_environment_back(void)
{
	while (n_outer) {
		char *v = outer[--n_outer], *equals = strchr(v, '=');

		*equals = '\0';
		setenv(v, equals + 1, 1);
		free(v);
	}
}

static int make_folder(void)
{
	take_environment();
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof(file), "%s/connect.conf", folder);
	return 0;
}

static int remove_folder(void)
{
	give_environment_back();
	unlink(file);
	return rmdir(folder);
}

static void presets(void)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	struct config c;

	REQUIRE(config_load(a, NULL, &c, &e) == 0);
	CHECK(TEXT_EQ(c.db_socket, "/run/mysqld/mysqld.sock") && TEXT_EQ(c.db_name, "connect"));
	CHECK(c.db_port == 3306 && c.workers == 32 && c.worker_requests == 100000 && c.writer);
	CHECK(TEXT_EQ(c.listen, "") && TEXT_EQ(c.base_url, "http://localhost:8080"));
	CHECK(c.http_timeout_ms == 30000 && c.http_connect_timeout_ms == 5000);
	CHECK(c.http_per_host == 16 && c.session_idle_s == 28800 && c.session_max_s == 2592000);
	CHECK(c.jwt_ttl_s == 3600 && c.rate_api_per_minute == 6000);
	CHECK(c.rate_api_key_per_minute == 0);
	CHECK(c.rate_login_per_minute == 10 && c.webhook_body_bytes == 8388608);
	CHECK(c.event_retention_days == 30 && c.job_concurrency == 128 && c.job_lease_s == 120);
	CHECK(c.push_attempts == 3 && c.push_backoff_ms == 1000 && c.push_backoff_max_ms == 15000);
	CHECK(!c.egress_allow_loopback && !c.egress_allow_private && !c.sandbox && !c.log_json);
	CHECK(TEXT_EQ(c.log_level, "info") && c.trusted_proxies == 0);
	CHECK(TEXT_EQ(c.state_dir, CONNECT_STATEDIR));
	CHECK(TEXT_EQ(c.key_file, CONNECT_CONFDIR "/keys"));
	CHECK(TEXT_EQ(c.providers_dir, CONNECT_DATADIR "/providers"));
	CHECK(TEXT_EQ(c.templates_dir, CONNECT_DATADIR "/templates"));
	CHECK(TEXT_EQ(c.static_dir, CONNECT_DATADIR "/static"));
	CHECK(TEXT_EQ(c.migrations_dir, CONNECT_DATADIR "/migrations"));
	arena_free(a);
}

static void files(void)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	struct config c;

	REQUIRE(load(a,
		    "# a comment\n\n  workers = 4\t\r\nwriter=off\n"
		    "db_password = a = b # c \n\tdb_host=\nbase_url = https://x.example/\n"
		    "log_level = debug",
		    &c, &e) == 0);
	CHECK(c.workers == 4 && !c.writer && TEXT_EQ(c.db_password, "a = b # c"));
	CHECK(TEXT_EQ(c.db_host, "") && TEXT_EQ(c.base_url, "https://x.example"));
	CHECK(TEXT_EQ(c.log_level, "debug") && c.jwt_ttl_s == 3600);
	CHECK(load(a, "", &c, &e) == 0);
	arena_free(a);
}

static void mistakes(void)
{
	static const struct {
		int line;
		const char *text, *message;
	} rows[] = {
	    {__LINE__, "\n\nworkers = many",
		"connect.conf:3: workers: must be a number from 1 to 256"},
	    {__LINE__, "workers = 0", "connect.conf:1: workers: must be a number from 1 to 256"},
	    {__LINE__, "workers = 257", "connect.conf:1: workers: must be a number from 1 to 256"},
	    {__LINE__, "workers =", "connect.conf:1: workers: must be a number from 1 to 256"},
	    {__LINE__, "#\nwriter = maybe", "connect.conf:2: writer: must be true or false"},
	    {__LINE__, "worker = 1", "connect.conf:1: unknown key `worker`"},
	    {__LINE__, "Workers = 1", "connect.conf:1: unknown key `Workers`"},
	    {__LINE__, "= 1", "connect.conf:1: unknown key ``"},
	    {__LINE__, "workers 1", "connect.conf:1: not of the form `key = value`"},
	    {__LINE__, "workers = 1\n\nworkers = 2",
		"connect.conf:3: workers: already set in line 1"},
	    {__LINE__, "log_level = loud",
		"connect.conf:1: log_level: must be debug, info, warn or error"},
	    {__LINE__, "base_url = ftp://x",
		"connect.conf:1: base_url: must be http:// or "
		"https:// and a host, without a path"},
	    {__LINE__, "base_url = https://",
		"connect.conf:1: base_url: must be http:// or "
		"https:// and a host, without a path"},
	    {__LINE__, "base_url = https://x/y",
		"connect.conf:1: base_url: must be http:// or "
		"https:// and a host, without a path"},
	    {__LINE__, "db_name = \xFF", "connect.conf:1: db_name: must be UTF-8 text"},
	    {__LINE__, "provider_origins = hubspot",
		"connect.conf:1: provider_origins: must be a list such as "
		"`name=value, name=value`"},
	    {__LINE__, "provider_origins = hubspot=ftp://x",
		"provider_origins: each value must be a URL, as in "
		"hubspot=http://127.0.0.1:8081/hubspot"},
	    {__LINE__, "push_backoff_ms = 20000",
		"push_backoff_max_ms: must not be less than push_backoff_ms"},
	    {__LINE__, "session_idle_s = 2592001",
		"session_max_s: must not be less than session_idle_s"},
	};
	struct arena *a = arena_new();
	struct config c;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;

		CHECK_AT(rows[i].line, load(a, rows[i].text, &c, &e) == -1);
		CHECK_AT(rows[i].line, e.code == ERR_INVALID);
		CHECK_AT(rows[i].line, TEXT_EQ(e.msg, rows[i].message));
	}
	arena_free(a);
}

static void pairs(void)
{
	static const char list[] = "slack = http://x/?a=b ,zoom=y";
	struct str value;

	CHECK(config_pair(list, "slack", &value) && str_is(value, "http://x/?a=b"));
	CHECK(config_pair(list, "zoom", &value) && str_is(value, "y"));
	CHECK(!config_pair(list, "zo", &value) && !config_pair("", "zoom", &value));
}

static void no_file(void)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	struct config c;

	CHECK(config_load(a, "/nonexistent/connect.conf", &c, &e) == -1);
	CHECK(e.code == ERR_INVALID);
	CHECK(TEXT_EQ(e.msg, "/nonexistent/connect.conf: No such file or directory"));
	err_clear(&e);
	CHECK(config_load(a, "/", &c, &e) == -1 && e.code == ERR_INVALID);
	arena_free(a);
}

static void the_environment_wins(void)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	struct config c;

	setenv("CONNECT_WORKERS", "7", 1);
	setenv("CONNECT_DB_SOCKET", "/tmp/other.sock", 1);
	CHECK(load(a, "workers = 4\ndb_name = other\n", &c, &e) == 0);
	CHECK(c.workers == 7 && TEXT_EQ(c.db_socket, "/tmp/other.sock"));
	CHECK(TEXT_EQ(c.db_name, "other"));
	setenv("CONNECT_WORKERS", "-7", 1);
	CHECK(config_load(a, NULL, &c, &e) == -1);
	CHECK(TEXT_EQ(e.msg, "CONNECT_WORKERS: must be a number from 1 to 256"));
	CHECK(TEXT_EQ(e.field, "workers"));
	unsetenv("CONNECT_WORKERS");
	unsetenv("CONNECT_DB_SOCKET");
	arena_free(a);
}

/* The sample, its settings uncommented, is a configuration that equals the presets. */
static void the_sample_is_a_configuration(void)
{
	struct arena *a = arena_new();
	struct config preset, sample;
	struct err e = ERR_INIT;
	int out = dup(STDOUT_FILENO);
	char line[512], text[16384] = "";
	size_t n = 0;
	FILE *f;

	fflush(stdout);
	REQUIRE(freopen(file, "w", stdout) != NULL);
	config_print_doc();
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	f = fopen(file, "re");
	REQUIRE(f != NULL);
	while (fgets(line, sizeof(line), f)) {
		bool is_setting = line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", line + is_setting);
	}
	fclose(f);
	CHECK(strstr(text, "\nworkers = 32\n") != NULL);
	CHECK(config_load(a, NULL, &preset, &e) == 0);
	CHECK(load(a, text, &sample, &e) == 0);
	CHECK(TEXT_EQ(e.msg, ""));
	CHECK(sample.push_attempts == preset.push_attempts && sample.writer == preset.writer);
	CHECK(TEXT_EQ(sample.key_file, preset.key_file));
	arena_free(a);
}

void suite_base_config(void);
void suite_base_config(void)
{
	CU_pSuite suite = CU_add_suite("base/config", make_folder, remove_folder);

	CU_add_test(suite, "presets", presets);
	CU_add_test(suite, "files", files);
	CU_add_test(suite, "mistakes", mistakes);
	CU_add_test(suite, "pairs", pairs);
	CU_add_test(suite, "no file", no_file);
	CU_add_test(suite, "the environment wins", the_environment_wins);
	CU_add_test(suite, "the sample is a configuration", the_sample_is_a_configuration);
}
