/* Apps of the configuration: a file of the operator's, for installations that are made by tools
 * rather than by hand. Each program that serves reads it when it starts, so a change is there after
 * a reload; what is as it was is not written. */
#include "base/config.h"
#include "base/file.h"
#include "base/limits.h"
#include "connection/app-internal.h"
#include "crypto/uuid.h"

#define FILE_MOST LIMIT_BODY_JSON
#define APPS_MOST 200

/* The same on all hosts. */
static struct uuid app_id_of(struct arena *a, const char *type, const char *name)
{
	return uuid_named("provider_apps", str_from(arena_printf(a, "%s\n%s", type, name)));
}

/* One app of the list; its id among those that are there. */
static int file_take_one(struct app *app, struct arena *a, const json_t *one, struct uuid *ids,
    size_t n, struct err *err)
{
	const char *type = json_str(one, "providerType"), *name = json_str(one, "name");

	if (type == NULL || name == NULL || !json_is_object(json_object_get(one, "credentials")))
		return err_set(err, ERR_INVALID,
		    "must be an object of \"providerType\", \"name\" and \"credentials\"");
	ids[n] = app_id_of(a, type, name);
	for (size_t i = 0; i < n; i++)
		if (uuid_eq(ids[i], ids[n]))
			return err_set(
			    err, ERR_INVALID, "%s has another app named %s before it", type, name);
	return provider_app_configure(app, a, &ids[n], one, err);
}

/* Where in the file, and which member. */
static int file_wrong(const char *path, size_t i, struct err *err)
{
	const struct err why = *err;

	err_clear(err);
	return err_set(err, why.code, "%s: [%zu]%s%s: %s", path, i, why.field[0] != '\0' ? "." : "",
	    why.field, why.msg);
}

int provider_apps_follow_file(struct app *app, struct arena *a, struct err *err)
{
	const char *path = app->config->provider_apps;
	struct uuid *ids = arena_array(a, APPS_MOST, sizeof(*ids));
	struct str text;
	const json_t *list;
	json_t *one;
	size_t i;

	if (path[0] == '\0')
		return 0;
	if (file_read(a, path, FILE_MOST, &text, err) == -1)
		return -1;
	list = json_parse(a, text, err);
	if (list == NULL)
		return err_prefix(err, "%s", path);
	if (!json_is_array(list) || json_array_size(list) > APPS_MOST)
		return err_set(
		    err, ERR_INVALID, "%s: must be a list of at most %d apps", path, APPS_MOST);
	json_array_each(list, i, one)
		if (file_take_one(app, a, one, ids, i, err) == -1)
			return file_wrong(path, i, err);
	return provider_apps_unconfigure(app, a, ids, json_array_size(list), err);
}
