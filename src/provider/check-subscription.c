/* Examples of subscriptions: one call, and what its answer tells. */
#include "base/clock.h"
#include "net/http-client.h"
#include "provider/check.h"
#include "provider/subscription.h"

static const struct call_spec *subscription_example_call(
    const struct subscription_spec *spec, const char *name)
{
	const struct {
		const char *name;
		const struct call_spec *call;
	} calls[] = {{"list", &spec->list}, {"create", &spec->create}, {"renew", &spec->renew},
	    {"delete", &spec->remove}, {"secretFrom", &spec->secret_from}};

	for (size_t i = 0; name != NULL && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, name) == 0 && calls[i].call->action != NULL)
			return calls[i].call;
	return NULL;
}

/* {"found","id","expiresAt","data","secrets"}: what there is of it. */
static json_t *subscription_example_told(const struct subscription_ask *ask,
    const struct call_spec *call, const json_t *output, struct err *err)
{
	struct subscription_told told = {.expires_us = TIME_NONE};
	json_t *o = json_own(ask->a, json_object()), *secrets;
	const json_t *next;
	int found = 1;

	if (call == &ask->spec->list) {
		found = subscription_find(ask, output, &told, &next, err);
		if (found == -1)
			return NULL;
		json_set_bool(o, "found", found == 1);
	} else {
		if (call != &ask->spec->secret_from)
			subscription_read(ask, output, &told);
		secrets = ask->spec->secret_from.action == NULL || call == &ask->spec->secret_from
			      ? subscription_secrets(ask, output)
			      : NULL;
		if (json_object_size(secrets) > 0)
			json_set(o, "secrets", json_incref(secrets));
	}
	if (told.id != NULL)
		json_set_str(o, "id", told.id);
	if (told.expires_us != TIME_NONE && found == 1)
		json_set_known_time(o, "expiresAt", told.expires_us);
	if (json_object_get(told.known, "data") != NULL)
		json_set(o, "data", json_incref(json_object_get(told.known, "data")));
	return o;
}

void check_subscription(struct check_run *t, const json_t *example, const json_t *expect)
{
	const json_t *answer = json_object_get(example, "answer");
	const char *at = json_str(example, "at"), *which = json_str(example, "call");
	struct http_answer ans = {.status = (int)json_int(answer, "status")};
	struct subscription_ask ask = {.a = t->a,
	    .p = t->p,
	    .spec = provider_find_subscription(t->p, json_str(example, "subscription")),
	    .c = example_read_access(t, example),
	    .known = json_object_get(example, "known")};
	const char *form = json_str(example, "form");
	const struct call_spec *call =
	    ask.spec == NULL ? NULL : subscription_example_call(ask.spec, which);
	struct action_call k = {.a = t->a, .p = t->p, .c = ask.c};
	struct action_request req;
	struct call_result res;
	struct err err = ERR_INIT;
	json_t *told;

	if (call == NULL || (at != NULL && !clock_parse_iso(str_from(at), &ask.now_us)) ||
	    example_read_pairs(t, json_object_get(answer, "headers"), true, &ans.headers) == -1) {
		check_report(t, false, "subscription",
		    "no such subscription or call, \"at\" that is no time, or headers that are no "
		    "texts");
		return;
	}
	if (form != NULL) {
		ask.form = json_own(t->a, json_object());
		json_set_str(ask.form, "id", form);
	}
	k.act = call->action;
	check_saw(t, call->action);
	k.now_us = ask.now_us;
	k.inputs = subscription_inputs(&ask, call, NULL);
	if (json_object_get(expect, "inputs") != NULL)
		check_compare(t, "inputs", json_object_get(expect, "inputs"), k.inputs);
	if (action_build(&k, &req, &err) == -1) {
		check_report(t, false, "subscription", "%s", err.msg);
		return;
	}
	if (answer == NULL)
		return;
	ans.body = example_read_body(t, answer);
	action_read(&k, &req.http, &ans, &res);
	check_saw_call(t, k.act, k.inputs, &res);
	if (res.class != CALL_OK) {
		check_report(t, false, "subscription", "%s", res.error);
		return;
	}
	told = subscription_example_told(&ask, call, res.output, &err);
	if (told == NULL)
		check_report(t, false, "subscription", "%s", err.msg);
	else if (json_object_get(expect, "told") != NULL)
		check_compare(t, "what it tells", json_object_get(expect, "told"), told);
}
