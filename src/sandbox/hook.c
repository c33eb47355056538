/* Webhooks as Meta sends them to the product. */
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "net/http-client.h"
#include "sandbox/journal.h"
#include "sandbox/sandbox.h"
#include "sandbox/signing.h"

#define DEFAULT_PAGE_ID "153125381133"
#define DEFAULT_FORM_ID "123123123"
#define CREDENTIALS_MAX_BYTES 65536u

/* ---- the product -------------------------------------------------------------------------- */

/* The -c file may be sandbox.json itself or the credentials.json beside it. */
static int secrets_read(const struct sandbox *s, struct arena *a, json_t **out, struct err *err)
{
	const char *path = s->credentials, *slash;
	struct str text;

	*out = NULL;
	if (path == NULL)
		return 0;
	for (int i = 0; i < 2; i++) {
		const int found = file_find(a, path, CREDENTIALS_MAX_BYTES, &text, err);

		if (found == -1)
			return -1;
		if (found == 1) {
			*out = json_parse(a, text, err);
			if (*out == NULL)
				return err_prefix(err, "%s", path);
			if (json_str(*out, "metaAppSecret") != NULL)
				return 0;
		}
		slash = strrchr(s->credentials, '/');
		path = arena_printf(a, "%.*ssandbox.json",
		    slash != NULL ? (int)(slash + 1 - s->credentials) : 0, s->credentials);
	}
	return 0;
}

static const char *text_or(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_str(object, key);

	return text != NULL && *text != '\0' ? text : otherwise;
}

int product_load(const struct sandbox *s, struct arena *a, struct product *out, struct err *err)
{
	json_t *secrets;

	if (secrets_read(s, a, &secrets, err) == -1)
		return -1;
	out->url = text_or(secrets, "productUrl", text_or(secrets, "url", ""));
	out->connection_id = text_or(secrets, "metaConnectionId", "");
	out->app_secret = text_or(secrets, "metaAppSecret", "");
	out->page_id = text_or(secrets, "pageId", DEFAULT_PAGE_ID);
	out->form_id = text_or(secrets, "formId", DEFAULT_FORM_ID);
	out->connections = json_object_get(secrets, "connections");
	out->secrets = json_object_get(secrets, "secrets");
	return 0;
}

/* ---- one webhook -------------------------------------------------------------------------- */

int hook_make(struct arena *a, const struct product *p, const json_t *lead,
    struct sandbox_hook *out, struct err *err)
{
	const char *page_id = json_str(lead, "page_id");
	const int64_t created_s = json_int(lead, "created_s");
	json_t *value, *body;

	if (*p->url == '\0' || *p->app_secret == '\0')
		return err_set(err, ERR_CONFLICT,
		    "the sandbox does not know the product yet: start both with ./dev up");
	value =
	    json_pack("{s:s,s:s,s:s,s:s,s:s,s:I}", "leadgen_id", json_str(lead, "id"), "page_id",
		page_id, "form_id", json_str(lead, "form_id"), "ad_id", json_str(lead, "ad_id"),
		"adgroup_id", json_str(lead, "adset_id"), "created_time", (json_int_t)created_s);
	body = json_pack("{s:s,s:[{s:s,s:I,s:[{s:s,s:o}]}]}", "object", "page", "entry", "id",
	    page_id, "time", (json_int_t)(clock_now_us() / SECOND_US), "changes", "field",
	    "leadgen", "value", value);
	if (body == NULL)
		return err_set(err, ERR_INVALID, "the lead is not complete");
	out->body = json_text(a, json_own(a, body));
	out->signature = sign_hub(a, p->app_secret, out->body);
	out->url = arena_printf(a, "%s/webhook/meta_lead_ads%s%s", p->url,
	    *p->connection_id != '\0' ? "/" : "", p->connection_id);
	return 0;
}

int hook_call(struct sandbox *s, struct arena *a, const struct http_call *call,
    struct http_answer *ans, struct err *err)
{
	/* Made at first use, within the worker: connections are not shared over a fork. */
	if (s->app.http == NULL)
		s->app.http = http_client_new(&s->config, err);
	return s->app.http == NULL ? -1 : http_client_call(s->app.http, a, call, ans, err);
}

static int hook_post(struct sandbox *s, struct arena *a, const struct sandbox_hook *hook,
    struct http_answer *ans, struct err *err)
{
	struct http_pair pairs[] = {{STR("Content-Type"), STR("application/json")},
	    {STR("X-Hub-Signature-256"), str_from(hook->signature)},
	    {STR("User-Agent"), STR("facebookexternalua")}};
	const struct http_call call = {.method = "POST",
	    .url = hook->url,
	    .headers = {pairs, 3},
	    .body = hook->body,
	    .timeout_ms = 10000};

	return hook_call(s, a, &call, ans, err);
}

json_t *hook_answer_json(struct arena *a, const struct http_answer *ans)
{
	json_t *out = json_object(), *body = json_parse(a, ans->body, NULL);

	json_set_int(out, "status", ans->status);
	if (body != NULL)
		json_set(out, "body", json_incref(body));
	else if (utf8_is_valid(ans->body))
		json_set_strn(out, "body", ans->body.n > 0 ? ans->body : STR(""));
	json_set_int(out, "duration_ms", ans->duration_us / 1000);
	return out;
}

json_t *hook_send_lead(struct sandbox *s, struct arena *a, const json_t *wishes, struct err *err)
{
	const char *same_as = json_str(wishes, "same_as"), *id;
	struct product p;
	struct sandbox_hook hook;
	struct http_answer ans;
	struct err call_err = ERR_INIT;
	json_t *lead = NULL, *answer;
	int found;

	if (product_load(s, a, &p, err) == -1)
		return NULL;
	if (same_as != NULL) {
		found = leads_get(s->leads, a, &p, str_from(same_as), &lead, err);
		if (found == 0)
			err_field(err, ERR_INVALID, "same_as", "there is no such lead");
		if (found != 1)
			return NULL;
	} else {
		lead = leads_make(s->leads, a, &p, wishes, err);
	}
	if (lead == NULL || hook_make(a, &p, lead, &hook, err) == -1)
		return NULL;
	id = json_str(lead, "id");
	if (hook_post(s, a, &hook, &ans, &call_err) == -1)
		return json_pack(
		    "{s:s,s:i,s:s}", "leadgen_id", id, "status", 0, "error", call_err.msg);
	answer = hook_answer_json(a, &ans);
	json_set_str(answer, "leadgen_id", id);
	return answer;
}
