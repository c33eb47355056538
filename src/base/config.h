/* Configuration: one file of `key = value` lines (# comments), each key overridable by the
 * environment as CONNECT_<KEY>. The table of keys in config.c is the documentation's source
 * (config_print_doc). */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct arena;

struct config {
	/* database */
	const char *db_socket, *db_host, *db_user, *db_password, *db_name;
	int64_t db_port;
	/* web */
	const char *base_url;            /* public origin, no trailing slash: makes webhookUrl */
	const char *oauth_redirect_uris; /* where logins may end besides, by commas */
	const char *support;             /* whom people ask; "": nobody is named */
	const char *listen;              /* FastCGI socket: path or host:port; "" is fd 0 */
	int64_t workers;
	int64_t worker_requests; /* a worker is replaced after so many; 0 never */
	bool writer;             /* group commit through a writer process */
	int64_t trusted_proxies; /* how many X-Forwarded-For hops to trust */
	/* places */
	const char *state_dir; /* spool, uploads; hosts may share it */
	const char *run_dir;   /* sockets, locks; "": see config_run_path */
	const char *providers_dir, *templates_dir, *static_dir, *migrations_dir;
	const char *provider_apps;     /* a file of the installation's apps, or "" */
	const char *provider_versions; /* provider=version, …: in place of the manifests' */
	const char *key_file;          /* `id:base64` lines of 32-byte keys, newest first */
	/* log */
	const char *log_file, *log_level;
	bool log_json;
	/* egress */
	bool egress_allow_loopback, egress_allow_private;
	const char *egress_allow_hosts; /* comma list of host[:port] exempt from the rule above */
	const char *egress_ca_file;
	int64_t http_timeout_ms, http_connect_timeout_ms;
	int64_t http_per_host; /* parallel calls to one destination */
	/* limits and times */
	int64_t session_idle_s, session_max_s, jwt_ttl_s;
	int64_t rate_api_per_minute;     /* all keys and tokens of an account together */
	int64_t rate_api_key_per_minute; /* one key, or one user's tokens; 0: as the account */
	int64_t rate_login_per_minute;
	int64_t webhook_body_bytes;
	int64_t imports_open, imports_open_bytes;
	int64_t event_retention_days;
	int64_t execution_retention_days;
	int64_t execution_detail_days;
	int64_t secret_grace_hours;
	int64_t runners; /* processes for live jobs; 0: one per processor */
	int64_t job_concurrency, job_lease_s;
	int64_t push_attempts, push_backoff_ms, push_backoff_max_ms;
	/* sandbox (connect-sandbox only) */
	const char *sandbox_url;      /* shown in /admin when set */
	bool sandbox;                 /* offer the send-a-test-lead button */
	const char *provider_origins; /* provider=URL, …: see provider_wire_url */
};

/* Reads path (NULL: environment and defaults only). ERR_INVALID names file, line, key and reason;
 * unknown keys are errors. Strings live in the arena. */
int config_load(struct arena *a, const char *path, struct config *out, struct err *err);
/* The value of name in a list "name=value, name=value"; false when it is not in it. */
bool config_pair(const char *pairs, const char *name, struct str *value);
/* How many workers may wait for others at a time (shared_wait_begin): the rest goes on serving. */
static inline int64_t config_waiters(const struct config *c)
{
	return c->workers > 2 ? c->workers / 2 : 1;
}
/* Where a socket or lock of this host lies: in run_dir, else in a folder of state_dir that bears
 * the host's name, since hosts may share state_dir. Cut at cap. */
#define CONFIG_PATH_BYTES 256u
void config_run_path(const struct config *c, const char *name, char *out, size_t cap);
/* Processes for live jobs. */
int config_runners(const struct config *c);
/* Prints every key with type, default and meaning, as a commented sample file. */
void config_print_doc(void);

#endif
