/* The job connection.unsubscribe: ends the subscriptions of a connection that is gone. What it
 * needs of the connection goes with it, sealed: the row and its credentials are erased by then. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "connection/subscription-internal.h"
#include "crypto/aead.h"

#define ARGS_BYTES (1024u * 1024u)

static struct str end_context(struct arena *a, const struct uuid *connection_id)
{
	return str_from(arena_printf(a, "connection.unsubscribe:%s", uuid_dup(a, *connection_id)));
}

/* ---- at disconnect ------------------------------------------------------------------------- */

static json_t *access_json(struct arena *a, const struct access *c)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "externalAccountId", c->external_account_id);
	json_set_str(o, "id", c->id);
	json_set_str(o, "webhookUrl", c->webhook_url);
	json_set(o, "settings", json_incref(c->settings));
	json_set(o, "credentials", json_incref(c->credentials));
	if (c->app != NULL)
		json_set(o, "app", json_incref(c->app));
	return o;
}

/* [{"name","form","known"}] of those that are there. */
static json_t *rows_json(struct arena *a, const struct subscription_row *rows, size_t n)
{
	json_t *list = json_own(a, json_array());
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		const struct str known[] = {rows[i].known, rows[i].former};

		for (size_t k = 0; k < 2; k++) {
			json_t *v =
			    known[k].p == NULL ? NULL : json_parse_stored(a, known[k], &ignored);
			json_t *o;

			if (v == NULL)
				continue;
			o = json_object();
			json_set_str(o, "name", rows[i].name);
			json_set_str(o, "form", rows[i].form);
			json_set(o, "known", json_incref(v));
			json_array_append_new(list, o);
		}
	}
	return list;
}

/* One whose credentials cannot be opened any more leaves its subscriptions to their end. */
int subscriptions_end(struct app *app, struct arena *a, const struct connection *c,
    const struct subscription_row *rows, size_t n, struct err *err)
{
	json_t *list = rows_json(a, rows, n), *args = json_own(a, json_object());
	struct buf *text = buf_new(a, ARGS_BYTES);
	struct err ignored = ERR_INIT;
	struct connection *opened;
	struct str sealed;

	if (json_array_size(list) == 0 ||
	    connection_get(app, a, &c->account_id, &c->id, &opened, &ignored) != 1)
		return 0;
	sealed = aead_seal(app->keys, a, end_context(a, &c->id),
	    json_text(a, access_json(a, &opened->access)), err);
	if (sealed.p == NULL)
		return -1;
	base64_encode(text, sealed.p, sealed.n);
	json_set_str(args, "providerType", c->provider_type);
	json_set(args, "subscriptions", json_incref(list));
	json_set_strn(args, "sealed", (struct str){text->p, text->len});
	struct job job = {.account_id = c->account_id,
	    .class = JOB_BULK,
	    .target_id = c->id,
	    .kind = "connection.unsubscribe",
	    .subject_id = c->id,
	    .args = json_text(a, args)};
	return job_insert(app->db, &job, 1, err);
}

/* ---- the job ------------------------------------------------------------------------------- */

static int end_read_access(struct job *j, const json_t *args, struct access *out, struct err *err)
{
	const char *text = json_str(args, "sealed");
	size_t cap = text == NULL ? 0 : strlen(text);
	char *blob = arena_alloc(j->a, cap + 1);
	long n = text == NULL ? -1 : base64_decode(blob, cap + 1, str_from(text));
	struct str plain = {NULL, 0};
	const json_t *o;

	if (n >= 0)
		plain = aead_open(j->app->keys, j->a, end_context(j->a, &j->subject_id),
		    (struct str){blob, (size_t)n}, err);
	o = plain.p == NULL ? NULL : json_parse_stored(j->a, plain, err);
	if (o == NULL) {
		j->is_hopeless = true;
		return err_set(err, ERR_INTERNAL, "what it needs to know cannot be opened");
	}
	*out = (struct access){.external_account_id = json_str(o, "externalAccountId"),
	    .id = json_str(o, "id"),
	    .webhook_url = json_str(o, "webhookUrl"),
	    .settings = json_object_get(o, "settings"),
	    .credentials = json_object_get(o, "credentials"),
	    .app = json_object_get(o, "app")};
	return 0;
}

/* What refuses, or is not there, is ended as far as we can. */
static int end_one(struct job *j, const struct provider *p, const struct access *c,
    const json_t *subscription, struct err *err)
{
	const char *name = json_str(subscription, "name");
	const struct subscription_spec *spec = provider_find_subscription(p, name);
	struct subscription_ask ask = {.a = j->a,
	    .p = p,
	    .spec = spec,
	    .c = c,
	    .now_us = clock_now_us(),
	    .known = json_object_get(subscription, "known"),
	    .form = subscription_form(j->a, json_str(subscription, "form"))};
	struct call_result res;

	if (spec == NULL || spec->remove.action == NULL)
		return 0;
	if (provider_action(j->app, j->a, p, c, spec->remove.action->name,
		subscription_inputs(&ask, &spec->remove, NULL), &res, err) == -1)
		return -1;
	if (res.class == CALL_RETRY || res.class == CALL_RATE_LIMITED)
		return err_set(err, ERR_UNAVAILABLE, "%s", res.error);
	if (res.class != CALL_OK && res.class != CALL_NOT_FOUND)
		log_warn("subscription.left", LOG_S("connection", uuid_dup(j->a, j->subject_id)),
		    LOG_S("subscription", name), LOG_S("error", res.error));
	return 0;
}

struct ending {
	struct job *job;
	struct str args; /* what is left to be ended */
};

static int end_go_on_body(struct db *db, void *arg, struct err *err)
{
	struct ending *e = arg;

	return job_reschedule(db, e->job, clock_now_us(), e->args, err);
}

/* Others have their turn; then it goes on with what is left. */
static int end_go_on(struct job *j, const json_t *args, json_t *left, struct err *err)
{
	json_t *rest = json_own(j->a, json_copy(JSON_ITER(args)));
	struct ending e = {.job = j};

	json_set(rest, "subscriptions", json_incref(left));
	e.args = json_text(j->a, rest);
	return job_transaction(j, end_go_on_body, &e, err);
}

int subscription_job_end(struct job *j, struct err *err)
{
	const int64_t until_us = clock_mono_us() + SUBSCRIPTION_RUN_US;
	const json_t *args = job_args(j, err);
	json_t *left = json_own(j->a, json_array()), *subscription;
	struct err first = ERR_INIT, own;
	const struct provider *p;
	bool is_over = false;
	size_t i, n = 0;
	struct access c;

	if (args == NULL || end_read_access(j, args, &c, err) == -1)
		return -1;
	p = provider_find(j->app->providers, str_from(json_str(args, "providerType")));
	if (p == NULL)
		return 0;
	json_array_each(json_object_get(args, "subscriptions"), i, subscription) {
		own = ERR_INIT;
		is_over = is_over || clock_mono_us() > until_us || job_has_to_yield(j);
		if (!is_over && end_one(j, p, &c, subscription, &own) == 0) {
			n++;
			continue;
		}
		json_array_append(left, subscription);
		if (first.code == ERR_NONE)
			first = own;
	}
	if (is_over && n > 0)
		return end_go_on(j, args, left, err);
	if (is_over && first.code == ERR_NONE)
		err_set(&first, ERR_UNAVAILABLE, "they take too long to end");
	/* Those that are ended are not there when it comes again. */
	return first.code == ERR_NONE ? 0 : err_set(err, first.code, "%s", first.msg);
}
