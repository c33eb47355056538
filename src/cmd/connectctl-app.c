/* The installation's apps at providers. */
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "cmd/connectctl.h"
#include "connection/app.h"
#include "http/slice.h"

/* Credentials come by standard input, where no list of processes shows them: a JSON object. */
static json_t *app_credentials_read(struct ctl *c, struct err *err)
{
	char *bytes = arena_alloc(c->a, LIMIT_BODY_FORM);
	ssize_t n = fd_read_full(STDIN_FILENO, bytes, LIMIT_BODY_FORM);
	json_t *v;

	if (n < 0 || (size_t)n == LIMIT_BODY_FORM) {
		err_set(err, ERR_INVALID, "standard input: cannot be read, or is too long");
		return NULL;
	}
	v = json_parse(c->a, (struct str){bytes, (size_t)n}, err);
	if (v == NULL) {
		err_prefix(err, "standard input");
		return NULL;
	}
	if (!json_is_object(v)) {
		err_set(err, ERR_INVALID,
		    "standard input: must be a JSON object such as "
		    "{\"clientId\":\"…\",\"clientSecret\":\"…\"}");
		return NULL;
	}
	return v;
}

static json_t *app_body(struct ctl *c, const char *type, const char *name, struct err *err)
{
	json_t *credentials = app_credentials_read(c, err), *body;

	if (credentials == NULL)
		return NULL;
	body = json_own(c->a, json_object());
	if (type != NULL)
		json_set_str(body, "providerType", type);
	if (name != NULL)
		json_set_str(body, "name", name);
	json_set(body, "credentials", json_incref(credentials));
	return body;
}

int ctl_app_add(struct ctl *c, struct err *err)
{
	const char *name = NULL;
	bool as_json = false;
	const struct ctl_option options[] = {
	    {.name = "name", .value = &name}, {.name = "json", .flag = &as_json}, {.name = NULL}};
	struct ctl_list operands = {0};
	struct provider_app *v;
	json_t *body;

	if (ctl_read(c, options, &operands, 1, 1) != CTL_OK)
		return CTL_USAGE;
	body = app_body(c, operands.v[0], name, err);
	if (body == NULL || provider_app_add(&c->app, c->a, NULL, NULL, body, &v, err) == -1)
		return -1;
	if (as_json)
		ctl_print_json(c, provider_app_json(v));
	else
		printf("%s  %s  %s\n", uuid_dup(c->a, v->id), v->provider_type, v->name);
	return CTL_OK;
}

int ctl_app_change(struct ctl *c, struct err *err)
{
	const char *name = NULL;
	const struct ctl_option options[] = {{.name = "name", .value = &name}, {.name = NULL}};
	struct ctl_list operands = {0};
	struct provider_app *v;
	struct uuid id;
	json_t *body;
	int found;

	if (ctl_read(c, options, &operands, 1, 1) != CTL_OK ||
	    ctl_read_id(c, operands.v[0], "the app", &id) != CTL_OK)
		return CTL_USAGE;
	body = app_body(c, NULL, name, err);
	found =
	    body == NULL ? -1 : provider_app_change(&c->app, c->a, NULL, NULL, &id, body, &v, err);
	if (found == -1)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no such app");
	printf("%s  changed\n", v->name);
	return CTL_OK;
}

int ctl_app_remove(struct ctl *c, struct err *err)
{
	const struct ctl_option options[] = {{.name = NULL}};
	struct ctl_list operands = {0};
	struct provider_app *v;
	struct uuid id;
	int found;

	if (ctl_read(c, options, &operands, 1, 1) != CTL_OK ||
	    ctl_read_id(c, operands.v[0], "the app", &id) != CTL_OK)
		return CTL_USAGE;
	found = provider_app_get_shown(&c->app, c->a, NULL, &id, &v, err);
	if (found == 1 && provider_app_count_uses(&c->app, c->a, NULL, v, err) == -1)
		return -1;
	if (found == 1)
		found = provider_app_remove(&c->app, c->a, NULL, NULL, &id, err);
	if (found == -1)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no such app");
	printf("%s  removed; %lld connections went by it\n", v->name, (long long)v->connections);
	return CTL_OK;
}

int ctl_app_list(struct ctl *c, struct err *err)
{
	bool as_json = false;
	const struct ctl_option options[] = {{.name = "json", .flag = &as_json}, {.name = NULL}};
	struct provider_app_filter nobody = {0};
	struct slice s = {.limit = LIMIT_DB_ROWS - 1};
	struct provider_app **v;
	size_t n;

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	if (provider_app_list(&c->app, c->a, &nobody, &s, &v, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (as_json)
			ctl_print_json(c, provider_app_json(v[i]));
		else
			printf("%s  %s  %s\n", uuid_dup(c->a, v[i]->id), v[i]->provider_type,
			    v[i]->name);
	}
	return CTL_OK;
}
