/* What requests that call a provider share: which connection they mean, leave to wait for an
 * answer, and what they answer when the call has failed. */
#include "base/config.h"
#include "base/limits.h"
#include "base/shared.h"
#include "connection/connection-internal.h"

int connection_list_of(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct provider *p, struct connection ***out, size_t *n, struct err *err)
{
	struct connection_filter f = {
	    .account_id = *account_id, .provider_type = str_from(p->name)};
	struct slice s = {.limit = LIMIT_PAGE_ROWS};
	size_t all, usable = 0;

	if (connection_list(app, a, &f, &s, out, &all, err) == -1)
		return -1;
	for (size_t i = 0; i < all; i++)
		if (strcmp((*out)[i]->status, CONNECTION_DISABLED) != 0)
			(*out)[usable++] = (*out)[i];
	*n = usable;
	return 0;
}

int connection_list_usable(
    struct req *r, const struct provider *p, struct connection ***out, size_t *n, struct err *err)
{
	return connection_list_of(r->app, r->a, &r->actor.account_id, p, out, n, err);
}

int connection_counts(struct req *r, json_t **out, struct err *err)
{
	json_t *names, *o;
	const char *id;

	*out = json_own(r->a, json_object());
	if (connection_names(r->app, r->a, &r->actor.account_id, &names, err) == -1)
		return -1;
	json_object_each(names, id, o) {
		const char *type = json_str(o, "providerType");

		json_set_int(*out, type, json_int(*out, type) + 1);
	}
	return 0;
}

static int choose_among(struct req *r, struct connection *const *v, size_t n)
{
	struct buf *names = buf_new(r->a, LIMIT_HEADER_BYTES);

	for (size_t i = 0; i < n; i++)
		buf_printf(
		    names, "%s%s (%s)", i > 0 ? ", " : "", v[i]->name, uuid_dup(r->a, v[i]->id));
	req_invalid(r, "connectionId", "is needed, since there are several: %s", names->p);
	return res_invalid(r);
}

/* The only one there is; false: answered. */
static bool choose_only(struct req *r, const struct provider *p, struct uuid *id)
{
	struct connection **v;
	struct err err = ERR_INIT;
	size_t n;

	if (connection_list_usable(r, p, &v, &n, &err) == -1) {
		res_error(r, &err);
		return false;
	}
	if (n == 0)
		res_problem(
		    r, 404, "There is no connection to %s: connect it first", p->display_name);
	else if (n > 1)
		choose_among(r, v, n);
	else
		*id = v[0]->id;
	return n == 1;
}

bool connection_choose(struct req *r, const struct provider *p, struct connection **out)
{
	struct str named = req_query_text(r, "connectionId");
	struct err err = ERR_INIT;
	struct uuid id;
	int found = 0;

	if (named.p == NULL && !choose_only(r, p, &id))
		return false;
	if (named.p == NULL || uuid_parse(named, &id))
		found = connection_get(r->app, r->a, &r->actor.account_id, &id, out, &err);
	if (found == -1)
		res_error(r, &err);
	else if (found == 0 || (*out)->provider != p)
		res_problem(r, 404, "There is no such connection to %s", p->display_name);
	else if (strcmp((*out)->status, CONNECTION_DISABLED) == 0)
		res_problem(r, 409, "The connection %s is disabled: enable it first", (*out)->name);
	else
		return true;
	return false;
}

bool connection_wait_begin(struct req *r)
{
	if (r->app->shared == NULL ||
	    shared_wait_begin(
		r->app->shared, uuid_number(r->actor.account_id), config_waiters(r->app->config)))
		return true;
	res_problem(r, 503, "Too many calls wait for providers at the moment: try again shortly");
	return false;
}

void connection_wait_end(struct req *r)
{
	if (r->app->shared != NULL)
		shared_wait_end(r->app->shared);
}

/* ---- when it has failed ---------------------------------------------------------------------- */

static int status_of_class(const struct call_result *res)
{
	switch (res->class) {
	case CALL_OK:
		break;
	case CALL_RETRY:
		return res->status == 0 ? 504 : 502;
	case CALL_RATE_LIMITED:
		return 429;
	case CALL_AUTH: /* 401 and 403 would be of the key that calls us */
	case CALL_REFRESH:
	case CALL_PERMISSION:
	case CALL_CONFLICT:
		return 409;
	case CALL_FATAL:
		return 422;
	case CALL_NOT_YET:
	case CALL_NOT_FOUND:
		return 404;
	}
	return 500;
}

int connection_call_problem(
    struct req *r, const struct connection *c, const struct call_result *res)
{
	json_t *more = json_own(r->a, json_object()), *answer = json_object();

	json_set_bool(more, "success", false);
	json_set_str(more, "class", call_class_names[res->class]);
	json_set_str(more, "connectionId", uuid_dup(r->a, c->id));
	json_set_str(more, "advice", call_class_advice(res->class));
	if (res->retry_after_ms >= 0) {
		json_set_int(more, "retryAfterMs", res->retry_after_ms);
		res_headerf(
		    r, "Retry-After", "%lld", (long long)(res->retry_after_ms + 999) / 1000);
	}
	if (res->status != 0)
		json_set_int(answer, "status", res->status);
	if (res->answer.n > 0)
		json_set_strn(answer, "body", res->answer);
	json_set(more, "providerAnswer", answer);
	return res_problem_with(r, status_of_class(res),
	    arena_printf(r->a, "%s: %s. %s", c->provider->display_name, res->error,
		call_class_advice(res->class)),
	    more);
}
