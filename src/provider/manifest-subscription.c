/* The "subscriptions" section of a manifest: what a connection asks its provider to send. */
#include "base/limits.h"
#include "provider/provider-internal.h"
#include "provider/subscription.h"

#define RENEW_BEFORE_S 86400
#define RENEW_BEFORE_MOST_S (INT64_C(90) * 86400)

static unsigned roots_of_subscription(const struct provider *p, const struct subscription_spec *s)
{
	return manifest_roots_of_connection(p) | ROOT_BIT(ROOT_SUBSCRIPTION) |
	       (s->is_of_forms ? ROOT_BIT(ROOT_FORM) : 0);
}

/* "for": {"forms": true}: one of each form. */
static int subscription_for(
    struct loader *l, const struct provider *p, const json_t *object, struct subscription_spec *s)
{
	static const struct loader_member members[] = {
	    BOOL_MEMBER("forms", struct subscription_spec, is_of_forms)};
	const json_t *v = json_object_get(object, "for");

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "for");
	if (loader_members(l, v, MEMBERS(members), s) == -1)
		return -1;
	if (s->is_of_forms && p->forms.action == NULL)
		return json_reader_fail(&l->in, "needs \"forms\" of the manifest");
	json_reader_leave(&l->in, mark);
	return 0;
}

/* {"action", "inputs"}; absent is none. */
static int subscription_call(struct loader *l, struct provider *p, const json_t *object,
    const struct subscription_spec *s, const char *key, struct call_spec *out)
{
	static const char *const keys[] = {"action", "inputs", NULL};
	const json_t *v = json_object_get(object, key);

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, key);
	l->roots = roots_of_subscription(p, s);
	if (json_read_keys(&l->in, v, keys) == -1 || manifest_call(l, p, v, out) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int subscription_list(
    struct loader *l, struct provider *p, const json_t *object, struct subscription_spec *s)
{
	static const struct loader_member members[] = {
	    COND_MEMBER("match", struct subscription_spec, match),
	    EXPR_MEMBER("id", struct subscription_spec, item_id),
	    EXPR_MEMBER("expiresAt", struct subscription_spec, item_expires_at),
	    OTHER_MEMBER("action"), OTHER_MEMBER("inputs"), OTHER_MEMBER("items")};
	const json_t *v = json_object_get(object, "list");

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "list");
	l->roots = roots_of_subscription(p, s) | ROOT_BIT(ROOT_ITEM);
	if (loader_members(l, v, MEMBERS(members), s) == -1)
		return -1;
	l->roots = roots_of_subscription(p, s);
	if (manifest_call(l, p, v, &s->list) == -1)
		return -1;
	l->roots = ROOT_BIT(ROOT_OUTPUT);
	if (expr_member(l, v, "items", &s->items) == -1)
		return -1;
	if (s->match == NULL)
		return json_reader_fail_at(&l->in, "match", "is needed");
	json_reader_leave(&l->in, mark);
	return 0;
}

static int subscription_secret_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	struct named_expr *e = out;

	e->name = name;
	if (!manifest_has_credential(p, name) || strchr(name, '.') != NULL)
		return json_reader_fail(&l->in, "is not among the credentials of a connection");
	return expr_compile(l, v, &e->value);
}

static int subscription_check(
    struct loader *l, const struct provider *p, const struct subscription_spec *s)
{
	if (strlen(s->name) > LIMIT_TYPE_BYTES)
		return json_reader_fail(
		    &l->in, "its name has more than %u bytes", LIMIT_TYPE_BYTES);
	if (s->create.action == NULL)
		return json_reader_fail_at(&l->in, "create", "is needed");
	for (size_t i = 0; i < s->ncredentials; i++)
		if (!manifest_has_credential(p, s->credentials[i]))
			return json_reader_fail(
			    &l->in, "%s is not among the credentials", s->credentials[i]);
	if (s->generates != NULL &&
	    (!manifest_has_credential(p, s->generates) || strchr(s->generates, '.') != NULL))
		return json_reader_fail_at(&l->in, "generates",
		    "%s is not among the credentials of a connection", s->generates);
	if (s->secret_from.action != NULL && s->nsecrets == 0)
		return json_reader_fail_at(
		    &l->in, "secretFrom", "needs \"secret\": what its answer tells");
	return 0;
}

static int subscription_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("label", struct subscription_spec, label),
	    TEXT_MEMBER("generates", struct subscription_spec, generates),
	    INT_MEMBER("renewBeforeSeconds", struct subscription_spec, renew_before_s, 60,
		RENEW_BEFORE_MOST_S),
	    COND_MEMBER("when", struct subscription_spec, when), OTHER_MEMBER("for"),
	    OTHER_MEMBER("list"), OTHER_MEMBER("create"), OTHER_MEMBER("renew"),
	    OTHER_MEMBER("delete"), OTHER_MEMBER("id"), OTHER_MEMBER("expiresAt"),
	    OTHER_MEMBER("data"), OTHER_MEMBER("credentials"), OTHER_MEMBER("secret"),
	    OTHER_MEMBER("secretFrom")};
	static const struct manifest_many secrets = {
	    "secret", READ_OBJECT, sizeof(struct named_expr), subscription_secret_one};
	struct subscription_spec *s = out;

	s->name = name;
	s->renew_before_s = RENEW_BEFORE_S;
	if (subscription_for(l, p, v, s) == -1)
		return -1;
	l->roots = ROOT_BIT(ROOT_SETTINGS);
	if (loader_members(l, v, MEMBERS(members), s) == -1 ||
	    manifest_texts(l, v, "credentials", &s->credentials, &s->ncredentials) == -1 ||
	    subscription_list(l, p, v, s) == -1 ||
	    subscription_call(l, p, v, s, "create", &s->create) == -1 ||
	    subscription_call(l, p, v, s, "renew", &s->renew) == -1 ||
	    subscription_call(l, p, v, s, "delete", &s->remove) == -1 ||
	    subscription_call(l, p, v, s, "secretFrom", &s->secret_from) == -1)
		return -1;
	l->roots = roots_of_subscription(p, s) | ROOT_BIT(ROOT_OUTPUT);
	if (expr_member(l, v, "id", &s->id) == -1 ||
	    expr_member(l, v, "expiresAt", &s->expires_at) == -1)
		return -1;
	l->roots |= ROOT_BIT(ROOT_ITEM);
	if (expr_member(l, v, "data", &s->data) == -1)
		return -1;
	s->secrets = manifest_many(l, p, v, &secrets, &s->nsecrets);
	return s->secrets == NULL ? -1 : subscription_check(l, p, s);
}

const struct subscription_spec *provider_find_subscription(
    const struct provider *p, const char *name)
{
	for (size_t i = 0; i < p->nsubscriptions; i++)
		if (strcmp(p->subscriptions[i].name, name) == 0)
			return &p->subscriptions[i];
	return NULL;
}

int manifest_subscriptions(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct manifest_many subscriptions = {
	    "subscriptions", READ_OBJECT, sizeof(struct subscription_spec), subscription_one};

	if (json_object_get(json, "subscriptions") != NULL && !p->has_webhook)
		return json_reader_fail_at(&l->in, "subscriptions", "needs \"webhook\"");
	p->subscriptions = manifest_many(l, p, json, &subscriptions, &p->nsubscriptions);
	return p->subscriptions == NULL ? -1 : 0;
}
