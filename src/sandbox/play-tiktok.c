/* TikTok lead ads: an envelope whose code beats the status, exports as CSV by region, webhooks with
 * answers inline. */
#include "sandbox/play.h"
#include "sandbox/signing.h"

#define ADVERTISER "7123456789012345678"
#define PAGE "6873052183063953666"
#define RUNS 2 /* times that a task is asked for before it is done */

static int tiktok_answer(struct play_call *c, int code, const char *text, json_t *data)
{
	return play_json(c, 200,
	    json_pack("{s:i,s:s,s:s,s:o}", "code", code, "message", text, "request_id",
		play_random(c, "2026sandbox", 12), "data", data != NULL ? data : json_object()));
}

static int tiktok_ok(struct play_call *c, json_t *data)
{
	return tiktok_answer(c, 0, "OK", data);
}

static int tiktok_refuse(struct play_call *c, enum refusal why, const char *text)
{
	switch (why) {
	case REFUSE_NO_TOKEN:
		return tiktok_answer(
		    c, 40105, "Access token is incorrect or has been revoked.", NULL);
	case REFUSE_EXPIRED:
		return tiktok_answer(c, 40102, "Access token is expired.", NULL);
	case REFUSE_THROTTLED:
		return tiktok_answer(c, 40100, "Requests made too frequently.", NULL);
	case REFUSE_FORBIDDEN:
		return tiktok_answer(c, 40001, "No permission to operate.", NULL);
	case REFUSE_NOT_FOUND:
		return play_json(
		    c, 404, json_pack("{s:i,s:s}", "code", 40400, "message", "Not found"));
	case REFUSE_INVALID:
		return tiktok_answer(c, 40002, text, NULL);
	case REFUSE_BROKEN:
		break;
	}
	return tiktok_answer(c, 50000, "System error", NULL);
}

static struct str tiktok_token(const struct play_call *c)
{
	return req_header(c->r, "access-token");
}

/* ---- leads -------------------------------------------------------------------------------- */

static json_t *tiktok_lead_put(
    struct play_call *c, const char *id, const char *name, const char *email, int64_t at_us)
{
	return play_put(c, "leads", id,
	    json_pack("{s:s,s:s,s:s,s:I,s:s}", "id", id, "name", name, "email", email, "at_s",
		(json_int_t)(at_us / SECOND_US), "page_id", PAGE));
}

/* "2026-04-09 10:20:35(UTC+00:00)" */
static const char *tiktok_time(struct play_call *c, int64_t at_s)
{
	char text[CLOCK_TEXT];

	clock_iso(text, at_s * SECOND_US);
	return arena_printf(c->a, "%.10s %.8s(UTC+00:00)", text, text + 11);
}

/* CREATED, then RUNNING, then SUCCEED. */
static int tiktok_task(struct play_call *c)
{
	const char *id = play_text(c, "task_id");
	const json_t *row = id != NULL ? play_get(c, "tasks", str_from(id)) : NULL;
	int64_t asked;

	if (play_arg(c, "advertiser_id").n == 0 && play_arg(c, "library_id").n == 0)
		return play_refuse(
		    c, REFUSE_INVALID, "advertiser_id: Missing data for required field.");
	if (id != NULL && row == NULL)
		return play_refuse(c, REFUSE_INVALID, "task_id: does not exist.");
	if (id == NULL)
		id = arena_printf(
		    c->a, "%lld", (long long)play_next_number(c, INT64_C(7120000000000000000)));
	asked = json_int(row, "asked") + 1;
	(void)play_put(c, "tasks", id, json_pack("{s:I}", "asked", (json_int_t)asked));
	return tiktok_ok(c, json_pack("{s:s,s:s}", "task_id", id, "status",
				play_is(c, "task_fails") && asked > 1 ? "FAILED"
				: asked == 1                          ? "CREATED"
				: asked <= RUNS                       ? "RUNNING"
								      : "SUCCEED"));
}

static const char csv_head[] = "\xef\xbb\xbflead_id,created_time,ad_id,ad_name,adgroup_id,adgroup_"
			       "name,campaign_id,campaign_name,"
			       "form_id,form_name,Full name,Email,\"When do\nyou start?\"\r\n";

/* A wrong region gives a file of its head alone, and no error. */
static bool region_is_right(struct play_call *c)
{
	const char *wanted = play_switch_text(c, "region"),
		   *given = play_header(c, "x-lead-region");

	return wanted == NULL || (given != NULL && strcmp(given, wanted) == 0);
}

static int tiktok_download(struct play_call *c)
{
	const json_t *task = play_get(c, "tasks", play_arg(c, "task_id"));
	json_t *rows = play_rows(c, "leads", NULL, NULL), *row;
	struct buf *csv = buf_new(c->a, 16u * 1024u * 1024u);
	size_t i;

	if (task == NULL || json_int(task, "asked") <= RUNS)
		return tiktok_answer(c, 40201, "The task is not ready.", NULL);
	buf_str(csv, csv_head);
	json_array_each(rows, i, row) {
		if (!region_is_right(c))
			break;
		buf_printf(csv, "%s,%s,4,Ad,3,Ad group,2,Campaign,%s,Form,%s,%s,\"This\nweek\"\r\n",
		    json_str(row, "id"), tiktok_time(c, json_int(row, "at_s")), PAGE,
		    json_str(row, "name"), json_str(row, "email"));
	}
	return res_text(c->r, 200, "text/csv; charset=utf-8", (struct str){csv->p, csv->len});
}

static int tiktok_lead(struct play_call *c)
{
	const json_t *rows = play_rows(c, "leads", NULL, NULL), *row;

	row = json_array_get(rows, json_array_size(rows) - 1);
	if (row == NULL)
		return tiktok_ok(c, json_object());
	return tiktok_ok(
	    c, json_pack("{s:{s:O,s:O},s:{s:O,s:s}}", "lead_data", "Full name",
		   json_object_get(row, "name"), "Email", json_object_get(row, "email"),
		   "meta_data", "lead_id", json_object_get(row, "id"), "create_time",
		   tiktok_time(c, json_int(row, "at_s"))));
}

static int tiktok_pages(struct play_call *c)
{
	return tiktok_ok(c, json_pack("{s:[{s:s,s:s,s:s}],s:{s:i,s:i,s:i,s:i}}", "list", "page_id",
				PAGE, "title", "Sandbox form", "status", "PUBLISHED", "page_info",
				"page", 1, "page_size", 10, "total_number", 1, "total_page", 1));
}

static int tiktok_advertisers(struct play_call *c)
{
	return tiktok_ok(c, json_pack("{s:[{s:s,s:s},{s:s,s:s}]}", "list", "advertiser_id",
				ADVERTISER, "advertiser_name", "Sandbox ads", "advertiser_id",
				"7123456789012345679", "advertiser_name", "Sandbox ads 2"));
}

static int tiktok_user(struct play_call *c)
{
	return tiktok_ok(c, json_pack("{s:s,s:s}", "core_user_id", "1", "display_name", "Sandbox"));
}

/* ---- subscriptions ------------------------------------------------------------------------ */

static int tiktok_subscribe(struct play_call *c)
{
	const char *id = arena_printf(
	    c->a, "%lld", (long long)play_next_number(c, INT64_C(7120000000000000000)));
	const json_t *detail = json_object_get(c->body, "subscription_detail");
	json_t *row;

	if (json_str(c->body, "callback_url") == NULL)
		return play_refuse(
		    c, REFUSE_INVALID, "callback_url: Missing data for required field.");
	if (json_str(detail, "page_id") == NULL)
		return play_refuse(c, REFUSE_INVALID,
		    "subscription_detail.page_id: Missing data for required field.");
	row = json_copy(c->body);
	json_object_del(row, "secret");
	json_set_str(row, "subscription_id", id);
	(void)play_put(c, "subscriptions", id, row);
	return tiktok_ok(c, json_pack("{s:s}", "subscription_id", id));
}

static int tiktok_subscriptions(struct play_call *c)
{
	return tiktok_ok(c, json_pack("{s:O,s:{s:i,s:i,s:i,s:i}}", "subscriptions",
				play_rows(c, "subscriptions", NULL, NULL), "page_info", "page", 1,
				"page_size", 100, "total_number", 1, "total_page", 1));
}

static int tiktok_unsubscribe(struct play_call *c)
{
	play_drop(c, "subscriptions", play_arg(c, "subscription_id"));
	return tiktok_ok(c, NULL);
}

static int tiktok_revoke(struct play_call *c)
{
	(void)oauth_revoke(c, play_arg(c, "access_token"));
	return tiktok_ok(c, NULL);
}

/* Campaigns, ads and the like: what rows there are, by page. */
static int tiktok_list(struct play_call *c)
{
	const struct str kind = play_param(c, "kind");
	const int64_t size = play_number(c, "page_size", 10, 1000),
		      number = play_number(c, "page", 1, 100000);
	json_t *rows = play_rows(c, arena_strndup(c->a, kind.p, kind.n), NULL, NULL);
	const int64_t total = (int64_t)json_array_size(rows);
	struct play_page page = play_page(c, rows, (number - 1) * size, size);

	return tiktok_ok(
	    c, json_pack("{s:o,s:{s:I,s:I,s:I,s:I}}", "list", page.items, "page_info", "page",
		   (json_int_t)number, "page_size", (json_int_t)size, "total_number",
		   (json_int_t)total, "total_page", (json_int_t)((total + size - 1) / size)));
}

/* A write of which a part is not done: code 20001. */
static int tiktok_track(struct play_call *c)
{
	return play_is(c, "partly_ok") ? tiktok_answer(c, 20001, "Partially succeeded", NULL)
				       : tiktok_ok(c, NULL);
}

#define API "/open_api/:version"
static const struct play_route tiktok_routes[] = {
    {HTTP_POST, API "/page/lead/task", tiktok_task, false},
    {HTTP_GET, API "/page/lead/task/download", tiktok_download, false},
    {HTTP_GET, API "/lead/get", tiktok_lead, false},
    {HTTP_GET, API "/page/get", tiktok_pages, false},
    {HTTP_GET, API "/oauth2/advertiser/get", tiktok_advertisers, false},
    {HTTP_GET, API "/user/info", tiktok_user, false},
    {HTTP_POST, API "/subscription/subscribe", tiktok_subscribe, true},
    {HTTP_GET, API "/subscription/get", tiktok_subscriptions, true},
    {HTTP_POST, API "/subscription/unsubscribe", tiktok_unsubscribe, true},
    {HTTP_POST, API "/oauth2/revoke_token", tiktok_revoke, true},
    {HTTP_POST, API "/event/track", tiktok_track, false},
    {HTTP_POST, API "/campaign/status/update", tiktok_track, false},
    {HTTP_GET, API "/:kind/get", tiktok_list, false},
};

/* ---- the login ---------------------------------------------------------------------------- */

static int tiktok_grant_answer(struct play_call *c, const struct oauth_grant *g)
{
	return tiktok_ok(
	    c, json_pack("{s:s,s:[s,s],s:[i,i]}", "access_token", g->access, "advertiser_ids",
		   ADVERTISER, "7123456789012345679", "scope", 4, 300));
}

static int tiktok_oauth_refuse(struct play_call *c, const char *error, const char *text)
{
	return tiktok_answer(c, strcmp(error, "invalid_grant") == 0 ? 40110 : 40002, text, NULL);
}

static const struct play_oauth tiktok_oauth = {.authorize = "/portal/auth",
    .token = "/open_api/:version/oauth2/access_token",
    .client_id = "app_id",
    .client_secret = "secret",
    .code = "auth_code",
    .flags = OAUTH_NO_REFRESH,
    .answer = tiktok_grant_answer,
    .refuse = tiktok_oauth_refuse};

/* ---- webhooks ----------------------------------------------------------------------------- */

static int tiktok_lead_order(struct order *o)
{
	const char *id = arena_printf(
	    o->c.a, "%lld", (long long)play_next_number(&o->c, INT64_C(7126711421177440000)));
	const char *name = order_wish(o, "name", "Ann Example"),
		   *email = order_wish(o, "email", arena_printf(o->c.a, "tt%s@example.com", id));

	id = order_wish(o, "id", id);
	(void)tiktok_lead_put(&o->c, id, name, email, o->now_us);
	order_json(o,
	    json_pack("{s:i,s:i,s:I,s:[{s:s,s:s,s:I,s:I,s:i,s:i,s:i,s:I,s:[{s:s,s:s},{s:s,s:s}]}]}",
		"request_id", 1, "object", 1, "time", (json_int_t)(o->now_us / SECOND_US), "entry",
		"id", id, "lead_source", "INSTANT_FORM", "page_id",
		(json_int_t)strtoll(PAGE, NULL, 10), "advertiser_id",
		(json_int_t)strtoll(order_wish(o, "advertiser_id", ADVERTISER), NULL, 10),
		"campaign_id", 2, "adgroup_id", 3, "ad_id", 4, "create_time",
		(json_int_t)(o->now_us / SECOND_US), "changes", "field", "name", "value", name,
		"field", "email", "value", email));
	return 0;
}

/* An ad group's change, which is no lead. */
static int tiktok_other(struct order *o)
{
	order_json(o, json_pack("{s:i,s:i,s:I,s:[{s:s,s:I,s:[{s:s,s:s}]}]}", "request_id", 2,
			  "object", 2, "time", (json_int_t)(o->now_us / SECOND_US), "entry", "id",
			  "3", "advertiser_id", (json_int_t)strtoll(ADVERTISER, NULL, 10),
			  "changes", "field", "status", "value", "ENABLE"));
	return 0;
}

static void tiktok_sign(struct order *o)
{
	order_header(o, "X-Open-Signature", sign_tiktok(o->c.a, o->secret, o->body));
}

static const struct play_event tiktok_events[] = {
    {"lead", "a lead form is sent", tiktok_lead_order},
    {"adgroup", "an ad group changes, which is left alone", tiktok_other},
};

static const struct play_switch tiktok_switches[] = {
    {"region", SWITCH_TEXT, "leads lie in this region (us, eu): another gets an empty file"},
    {"partly_ok", SWITCH_FLAG, "a write is done in part: code 20001"},
    {"task_fails", SWITCH_FLAG, "exports fail"},
};

static void tiktok_seed(struct play_call *c)
{
	(void)play_put(c, "campaign", "2",
	    json_pack("{s:s,s:s,s:s}", "campaign_id", "2", "campaign_name", "Sandbox campaign",
		"operation_status", "ENABLE"));
	for (int i = 1; i <= 3; i++)
		(void)tiktok_lead_put(c, arena_printf(c->a, "712671142117743%04d", i),
		    arena_printf(c->a, "Lead %d", i), arena_printf(c->a, "tiktok%d@example.com", i),
		    clock_now_us() - i * DAY_US);
}

const struct play play_tiktok = {.name = "tiktok_ads",
    .label = "TikTok",
    .account = ADVERTISER,
    .secret = OAUTH_SECRET,
    PLAY_ROUTES(tiktok_routes),
    .oauth = &tiktok_oauth,
    PLAY_EVENTS(tiktok_events),
    .sign = tiktok_sign,
    PLAY_SWITCHES(tiktok_switches),
    .token = tiktok_token,
    .refuse = tiktok_refuse,
    .seed = tiktok_seed};
