/* Accounts, people, API keys. */
#include "account/account.h"
#include "base/clock.h"
#include "cmd/connectctl.h"

int ctl_read_id(struct ctl *c, const char *text, const char *what, struct uuid *id)
{
	if (text == NULL)
		return ctl_usage(c, "%s is missing", what);
	return uuid_parse(str_from(text), id) ? CTL_OK : ctl_usage(c, "\"%s\" is no id", text);
}

/* A person as the commands read them. */
struct person {
	const char *email, *name, *given, *password;
	bool from_stdin, is_made, is_known;
};

static int person_find(struct ctl *c, struct person *p, struct err *err)
{
	int found = account_user_exists(&c->app, c->a, p->email, err);

	if (found == -1)
		return -1;
	p->is_known = found == 1;
	return ctl_password(c, p->given, p->from_stdin, &p->password, &p->is_made, err);
}

/* What was made for a person, as JSON or lines. A known person keeps their password. */
static void person_print(struct ctl *c, const struct person *p, const struct uuid *account_id,
    const struct uuid *user_id, bool as_json)
{
	const char *account = uuid_dup(c->a, *account_id), *user = uuid_dup(c->a, *user_id);
	json_t *o;

	if (!as_json) {
		printf("account   %s\nuser      %s\nemail     %s\n", account, user, p->email);
		if (p->is_known)
			printf("password  unchanged: the user was there already\n");
		else if (p->is_made)
			printf("password  %s\n", p->password);
		return;
	}
	o = json_object();
	json_set_str(o, "accountId", account);
	json_set_str(o, "userId", user);
	json_set_str(o, "email", p->email);
	if (p->is_made && !p->is_known)
		json_set_str(o, "password", p->password);
	ctl_print_json(c, o);
}

int ctl_account_create(struct ctl *c, struct err *err)
{
	struct person p = {0};
	const char *name = NULL;
	bool as_json = false;
	const struct ctl_option options[] = {{.name = "name", .value = &name},
	    {.name = "email", .value = &p.email}, {.name = "password", .value = &p.given},
	    {.name = "password-stdin", .flag = &p.from_stdin}, {.name = "json", .flag = &as_json},
	    {.name = NULL}};
	struct uuid account_id, user_id;

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	if (name == NULL || p.email == NULL)
		return ctl_usage(c, "--name and --email are needed");
	if (person_find(c, &p, err) == -1 || account_create(&c->app, c->a, name, p.email,
						 p.password, &account_id, &user_id, err) == -1)
		return -1;
	person_print(c, &p, &account_id, &user_id, as_json);
	return CTL_OK;
}

int ctl_account_list(struct ctl *c, struct err *err)
{
	bool as_json = false;
	const struct ctl_option options[] = {{.name = "json", .flag = &as_json}, {.name = NULL}};
	const json_t *list;
	json_t *item;
	size_t i;

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	list = account_list_json(&c->app, c->a, err);
	if (list == NULL)
		return -1;
	if (as_json) {
		puts(json_text(c->a, list).p);
		return CTL_OK;
	}
	json_array_each(list, i, item)
		printf("%s  %4lld users  %s\n", json_str(item, "id"),
		    (long long)json_int(item, "users"), json_str(item, "name"));
	return CTL_OK;
}

int ctl_user_add(struct ctl *c, struct err *err)
{
	struct person p = {0};
	const char *account = NULL, *role = NULL;
	bool as_json = false, is_new;
	const struct ctl_option options[] = {{.name = "account", .value = &account},
	    {.name = "email", .value = &p.email}, {.name = "role", .value = &role},
	    {.name = "name", .value = &p.name}, {.name = "password", .value = &p.given},
	    {.name = "password-stdin", .flag = &p.from_stdin}, {.name = "json", .flag = &as_json},
	    {.name = NULL}};
	struct uuid account_id, user_id;

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK ||
	    ctl_read_id(c, account, "--account", &account_id) != CTL_OK)
		return CTL_USAGE;
	if (p.email == NULL || role == NULL)
		return ctl_usage(c, "--email and --role are needed");
	if (person_find(c, &p, err) == -1 ||
	    account_user_add(&c->app, c->a, &account_id, p.email, p.name, p.password, role,
		&user_id, &is_new, err) == -1)
		return -1;
	p.is_known = !is_new;
	person_print(c, &p, &account_id, &user_id, as_json);
	return CTL_OK;
}

int ctl_user_password(struct ctl *c, struct err *err)
{
	struct person p = {0};
	const struct ctl_option options[] = {{.name = "email", .value = &p.email},
	    {.name = "password", .value = &p.given},
	    {.name = "password-stdin", .flag = &p.from_stdin}, {.name = NULL}};

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	if (p.email == NULL)
		return ctl_usage(c, "--email is needed");
	if (ctl_password(c, p.given, p.from_stdin, &p.password, &p.is_made, err) == -1 ||
	    account_user_password_set(&c->app, c->a, p.email, p.password, err) == -1)
		return -1;
	if (p.is_made)
		printf("password  %s\n", p.password);
	return CTL_OK;
}

int ctl_user_totp(struct ctl *c, struct err *err)
{
	const char *email = NULL, *uri = NULL;
	bool off = false;
	const struct ctl_option options[] = {
	    {.name = "email", .value = &email}, {.name = "off", .flag = &off}, {.name = NULL}};

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	if (email == NULL)
		return ctl_usage(c, "--email is needed");
	if (account_user_totp_set(&c->app, c->a, email, off ? NULL : &uri, err) == -1)
		return -1;
	if (!off)
		printf("%s\n", uri);
	return CTL_OK;
}

/* ---- API keys -------------------------------------------------------------------------------- */

static int permissions_option_read(
    struct ctl *c, const struct ctl_list *names, bool all, uint64_t *bits, struct err *err)
{
	json_t *list = json_own(c->a, json_array());

	for (size_t i = 0; i < names->n; i++)
		json_array_append_new(list, json_string(names->v[i]));
	*bits = permission_all();
	return all ? 0 : permission_from_json(list, bits, err);
}

int ctl_api_key_create(struct ctl *c, struct err *err)
{
	const char *account = NULL, *name = NULL, *expires = NULL, *key;
	struct ctl_list permissions = {0};
	bool all = false, as_json = false;
	const struct ctl_option options[] = {{.name = "account", .value = &account},
	    {.name = "name", .value = &name}, {.name = "all", .flag = &all},
	    {.name = "permission", .list = &permissions}, {.name = "expires", .value = &expires},
	    {.name = "json", .flag = &as_json}, {.name = NULL}};
	struct uuid account_id, id;
	int64_t expires_us = 0;
	uint64_t bits;
	json_t *o;

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK ||
	    ctl_read_id(c, account, "--account", &account_id) != CTL_OK)
		return CTL_USAGE;
	if (name == NULL || all == (permissions.n > 0))
		return ctl_usage(c, "--name and one of --all and --permission are needed");
	if (expires != NULL && !clock_parse_iso(str_from(expires), &expires_us))
		return ctl_usage(c, "\"%s\" is no ISO 8601 time", expires);
	if (permissions_option_read(c, &permissions, all, &bits, err) == -1 ||
	    account_key_create(
		&c->app, c->a, &account_id, name, bits, expires_us, &id, &key, err) == -1)
		return -1;
	if (!as_json) {
		printf("id   %s\nkey  %s\n", uuid_dup(c->a, id), key);
		return CTL_OK;
	}
	o = json_object();
	json_set_str(o, "id", uuid_dup(c->a, id));
	json_set_str(o, "key", key);
	ctl_print_json(c, o);
	return CTL_OK;
}

int ctl_api_key_revoke(struct ctl *c, struct err *err)
{
	const struct ctl_option options[] = {{.name = NULL}};
	struct ctl_list ids = {0};
	struct uuid id;
	int rc;

	if (ctl_read(c, options, &ids, 1, 1) != CTL_OK ||
	    ctl_read_id(c, ids.v[0], "ID", &id) != CTL_OK)
		return CTL_USAGE;
	rc = account_key_revoke(&c->app, c->a, NULL, NULL, &id, err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no such API key");
	return rc == -1 ? -1 : CTL_OK;
}

int ctl_setup_link(struct ctl *c, struct err *err)
{
	const struct ctl_option options[] = {{.name = NULL}};
	const char *url;

	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	if (account_setup_link(&c->app, c->a, &url, err) == -1)
		return -1;
	printf("%s\n", url);
	return CTL_OK;
}
