#include "connection/connection-reseal.h"

DB_STMT(reseal_connections_next,
    "SELECT id, credentials FROM connections WHERE id > ? ORDER BY id LIMIT 100");
DB_STMT(reseal_connections_put,
    "UPDATE connections SET credentials = ? WHERE id = ? AND credentials = ?");
DB_STMT(reseal_apps_next,
    "SELECT id, credentials FROM provider_apps WHERE id > ? ORDER BY id LIMIT 100");
DB_STMT(
    reseal_apps_put, "UPDATE provider_apps SET credentials = ? WHERE id = ? AND credentials = ?");
DB_STMT(
    reseal_tokens_next, "SELECT id, tokens FROM oauth_grants WHERE id > ? ORDER BY id LIMIT 100");
DB_STMT(reseal_tokens_put, "UPDATE oauth_grants SET tokens = ? WHERE id = ? AND tokens = ?");
DB_STMT(reseal_token_answers_next,
    "SELECT id, answer FROM oauth_grants WHERE id > ? AND answer IS NOT NULL ORDER BY id"
    " LIMIT 100");
DB_STMT(reseal_token_answers_put, "UPDATE oauth_grants SET answer = ? WHERE id = ? AND answer = ?");
DB_STMT(
    reseal_logins_next, "SELECT id, payload FROM oauth_logins WHERE id > ? ORDER BY id LIMIT 100");
DB_STMT(reseal_logins_put, "UPDATE oauth_logins SET payload = ? WHERE id = ? AND payload = ?");

int connection_reseal(struct app *app, struct reseal *s, struct err *err)
{
	static const struct reseal_column columns[] = {
	    {&reseal_connections_next, &reseal_connections_put, 1, NULL, "connections"},
	    {&reseal_apps_next, &reseal_apps_put, 1, NULL, "provider_apps"},
	    {&reseal_tokens_next, &reseal_tokens_put, 1, NULL, "oauth_grants.tokens"},
	    {&reseal_token_answers_next, &reseal_token_answers_put, 1, NULL, "oauth_grants.answer"},
	    {&reseal_logins_next, &reseal_logins_put, 1, NULL, "oauth_logins"}};

	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
		if (reseal_column(app, &columns[i], s, err) == -1)
			return -1;
	return 0;
}
