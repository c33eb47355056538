/* Connections at the product for all that is played, so that a newcomer has them without typing
 * one. What a provider asks for is read from the product's catalogue; values are the sandbox's. */
#include "base/limits.h"
#include "net/http-client.h"
#include "sandbox/play.h"

#define VERIFY_TOKEN "sandbox-verify-token"
#define DEVELOPER_TOKEN "sandbox-developer-token"

struct connecting {
	struct sandbox *s;
	struct arena *a;
	const char *url, *key;
	struct err *err;
};

/* The status and JSON of the product's answer; -1 with err when there is none. */
static int product_ask(
    const struct connecting *k, const char *method, const char *path, json_t *body, json_t **out)
{
	struct http_pair pairs[] = {
	    {STR("x-api-key"), str_from(k->key)}, {STR("Content-Type"), STR("application/json")}};
	const struct http_call call = {.method = method,
	    .url = arena_printf(k->a, "%s/connect/v1%s", k->url, path),
	    .headers = {pairs, 2},
	    .body = body != NULL ? json_text(k->a, body) : (struct str){NULL, 0},
	    .timeout_ms = 20000};
	struct http_answer ans;

	if (hook_call(k->s, k->a, &call, &ans, k->err) == -1)
		return -1;
	*out = json_parse(k->a, ans.body, NULL);
	return ans.status;
}

static void complain(const struct connecting *k, const struct play *p, int status, json_t *answer)
{
	fprintf(stderr, "connect-sandbox: %s cannot be connected (%d): %s\n", p->label, status,
	    answer != NULL ? json_text(k->a, answer).p : "no JSON");
}

/* ---- what is typed in --------------------------------------------------------------------- */

static const char *own_value(const struct play *p, const char *key)
{
	for (size_t i = 0; i < p->nvalues; i++)
		if (strcmp(p->values[i].key, key) == 0)
			return p->values[i].value;
	return NULL;
}

/* NULL: it is left out. */
static const char *value_of(
    struct arena *a, const struct play *p, const char *key, const char *type)
{
	const struct play_value usual[] = {
	    {"accessToken", arena_printf(a, "sandbox-%s-token", p->name)},
	    {"webhookSecret", p->secret}, {"verifyToken", VERIFY_TOKEN},
	    {"developerToken", DEVELOPER_TOKEN}, {"clientId", OAUTH_CLIENT},
	    {"clientSecret", OAUTH_SECRET}, {"externalAccountId", p->account}};
	const char *own = own_value(p, key);

	if (own != NULL)
		return own;
	if (type != NULL && strcmp(type, "host") == 0)
		return p->site;
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (strcmp(usual[i].key, key) == 0)
			return usual[i].value;
	return NULL;
}

/* Values for [{key,type}] of the catalogue. */
static json_t *values_json(struct arena *a, const struct play *p, const json_t *wanted)
{
	json_t *out = json_object();
	const json_t *one;
	size_t i;

	json_array_each(wanted, i, one) {
		const char *key = json_str(one, "key"), *value;

		value = key != NULL ? value_of(a, p, key, json_str(one, "type")) : NULL;
		if (value != NULL)
			json_set_str(out, key, value);
	}
	return out;
}

/* ---- one provider ------------------------------------------------------------------------- */

/* The id of a connection of before; NULL: there is none. */
static const char *connection_of_before(const struct connecting *k, const struct play *p)
{
	json_t *answer = NULL;
	const json_t *one;
	size_t i;

	if (product_ask(k, "GET",
		arena_printf(k->a, "/connections?limit=200&providerType=%s", p->name), NULL,
		&answer) != 200)
		return NULL;
	json_array_each(json_object_get(answer, "data"), i, one) {
		const char *name = json_str(one, "name"), *type = json_str(one, "providerType");

		if (name != NULL && strncmp(name, "Sandbox", 7) == 0 && type != NULL &&
		    strcmp(type, p->name) == 0)
			return json_str(one, "id");
	}
	return NULL;
}

static const char *connection_make(
    const struct connecting *k, const struct play *p, const json_t *catalogue)
{
	json_t *answer = NULL,
	       *body = json_own(k->a,
		   json_pack("{s:s,s:o,s:o}", "name", arena_printf(k->a, "Sandbox %s", p->label),
		       "credentials",
		       values_json(k->a, p, json_object_get(catalogue, "credentials")), "settings",
		       values_json(k->a, p, json_object_get(catalogue, "settings"))));
	const int status = product_ask(
	    k, "POST", arena_printf(k->a, "/providers/%s/connect", p->name), body, &answer);

	if (status != 201)
		complain(k, p, status, answer);
	return status == 201 ? json_str(answer, "id") : NULL;
}

/* The app by which people sign in, where the provider has one: made once. */
static void app_make(const struct connecting *k, const struct play *p, const json_t *catalogue)
{
	const json_t *wanted = json_object_get(catalogue, "appCredentials");
	json_t *answer = NULL, *body;
	int status;

	if (json_array_size(wanted) == 0 ||
	    product_ask(k, "GET",
		arena_printf(k->a, "/provider-apps?limit=1&providerType=%s", p->name), NULL,
		&answer) != 200 ||
	    json_array_size(json_object_get(answer, "data")) > 0)
		return;
	body = json_own(k->a, json_pack("{s:s,s:s,s:o}", "providerType", p->name, "name",
				  arena_printf(k->a, "Sandbox %s", p->label), "credentials",
				  values_json(k->a, p, wanted)));
	status = product_ask(k, "POST", "/provider-apps", body, &answer);
	if (status != 201)
		complain(k, p, status, answer);
}

json_t *play_connect_all(
    struct sandbox *s, struct arena *a, const char *url, const char *key, struct err *err)
{
	const struct connecting k = {s, a, url, key, err};
	json_t *out = json_own(a, json_object());

	for (size_t i = 0; i < nplays; i++) {
		json_t *catalogue = NULL;
		const char *id;
		const int status = product_ask(
		    &k, "GET", arena_printf(a, "/providers/%s", plays[i]->name), NULL, &catalogue);

		if (status == -1)
			return NULL;
		if (status != 200)
			continue; /* it has no manifest */
		app_make(&k, plays[i], catalogue);
		id = connection_of_before(&k, plays[i]);
		if (id == NULL)
			id = connection_make(&k, plays[i], catalogue);
		if (id != NULL)
			json_set_str(out, plays[i]->name, id);
	}
	return json_incref(out);
}
