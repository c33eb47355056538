/* Inbound secrets that were changed and are still good for a while, so that a sender can be told
 * later than we: access.former is [{"key","value","until"}], oldest first, sealed with the
 * credentials under a name that no credential has. */
#include "base/clock.h"
#include "connection/connection-internal.h"

#define FORMER_MOST 4u  /* of a connection: who changes more often ends the oldest */
#define SECRET_LEAST 8u /* characters of a new one */
#define SEALED_NAME "$former"

json_t *secrets_with_former(struct arena *a, const struct access *c)
{
	json_t *all = json_own(a, json_copy(c->credentials));

	if (json_array_size(c->former) > 0)
		json_object_set(all, SEALED_NAME, c->former);
	return all;
}

void secrets_take_former(struct arena *a, struct access *c)
{
	json_t *former = json_object_get(c->credentials, SEALED_NAME);

	c->former = json_is_array(former) ? json_own(a, json_incref(former)) : NULL;
	json_object_del(c->credentials, SEALED_NAME);
}

/* Is it one that no longer counts: over, or in use again? */
static bool former_is_over(const json_t *f, const json_t *credentials, int64_t now_us)
{
	const char *now = json_str(credentials, json_str(f, "key")), *value = json_str(f, "value");

	return json_int(f, "until") <= now_us || now == NULL || strcmp(now, value) == 0;
}

static void former_add(
    json_t *list, const char *key, const char *value, int64_t until_us, int64_t now_us)
{
	json_t *f = json_object();

	json_set_str(f, "key", key);
	json_set_str(f, "value", value);
	json_set_int(f, "until", until_us);
	if (until_us > now_us)
		json_array_append_new(list, f);
	else
		json_decref(f);
}

void secrets_change(
    struct arena *a, struct connection *c, const json_t *before, const struct secret_grace *grace)
{
	json_t *list = json_own(a, json_array()), *old = c->access.former, *v;
	int64_t now_us = clock_now_us(), until_us = now_us + grace->us;
	bool is_changed = false;
	const char *key;
	size_t i;

	json_object_each(before, key, v)
		is_changed =
		    is_changed || (webhook_has_secret(c->provider, key) &&
				      !json_equal(v, json_object_get(c->access.credentials, key)));
	json_array_each(old, i, v) {
		int64_t until = json_int(v, "until");

		/* Told without a change it is of those that there are; at once is at once. */
		if (grace->is_given && (!is_changed || grace->us == 0))
			until = until_us;
		if (!former_is_over(v, c->access.credentials, now_us))
			former_add(list, json_str(v, "key"), json_str(v, "value"), until, now_us);
	}
	json_object_each(before, key, v) {
		const json_t *now = json_object_get(c->access.credentials, key);

		if (webhook_has_secret(c->provider, key) && now != NULL && !json_equal(v, now))
			former_add(list, key, json_string_value(v), until_us, now_us);
	}
	while (json_array_size(list) > FORMER_MOST)
		json_array_remove(list, 0);
	c->access.former = list;
}

int secrets_check(const struct connection *c, const json_t *before, struct err *err)
{
	static const char key[] = "webhookSecret";
	const json_t *now = json_object_get(c->access.credentials, key);

	if (now == NULL || json_equal(now, json_object_get(before, key)) ||
	    json_string_length(now) >= SECRET_LEAST)
		return 0;
	return err_field(err, ERR_INVALID, "credentials.webhookSecret",
	    "must have at least %u characters, since who guesses it can send anything",
	    SECRET_LEAST);
}

json_t *secrets_json(const struct access *c)
{
	json_t *list = json_array(), *f;
	int64_t now_us = clock_now_us();
	size_t i;

	json_array_each(c->former, i, f) {
		json_t *o;

		if (json_int(f, "until") <= now_us)
			continue;
		o = json_object();
		json_set_str(o, "credential", json_str(f, "key"));
		json_set_time(o, "until", json_int(f, "until"));
		json_array_append_new(list, o);
	}
	return list;
}
