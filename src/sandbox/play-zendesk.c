/* Zendesk: tickets and users, incremental export, webhooks with a secret of their own; tokens that
 * end only where the request says when. */
#include "sandbox/play.h"
#include "sandbox/signing.h"

#define LIST_MAX 100
#define EXPORT_MAX 1000
#define SUBDOMAIN "sandbox"
#define SECRET "sandbox-zendesk-secret"

static int zendesk_error(struct play_call *c, int status, const char *error, const char *text)
{
	return play_json(c, status, json_pack("{s:s,s:s}", "error", error, "description", text));
}

static int zendesk_refuse(struct play_call *c, enum refusal why, const char *text)
{
	switch (why) {
	case REFUSE_NO_TOKEN:
	case REFUSE_EXPIRED:
		return zendesk_error(c, 401, "invalid_token",
		    "The access token provided is expired, revoked, malformed or invalid for "
		    "another reason.");
	case REFUSE_THROTTLED:
		res_header(c->r, "Retry-After", "1");
		return zendesk_error(c, 429, "APIRateLimitExceeded",
		    "Number of allowed API requests per minute exceeded");
	case REFUSE_FORBIDDEN:
		return zendesk_error(c, 403, "Forbidden", "You do not have access to this page.");
	case REFUSE_NOT_FOUND:
		return zendesk_error(c, 404, "RecordNotFound", "Not found");
	case REFUSE_INVALID:
		return play_json(c, 422,
		    json_pack("{s:s,s:s,s:{s:[{s:s}]}}", "error", "RecordInvalid", "description",
			"Record validation errors", "details", "base", "description", text));
	case REFUSE_BROKEN:
		break;
	}
	return zendesk_error(c, 500, "InternalError", "Internal error");
}

/* A bearer token, or the API token of "email/token:…". */
static struct str zendesk_token(const struct play_call *c)
{
	struct str pair = play_basic_pair(c), user;

	if (pair.n > 0 && str_split(&pair, ':', &user))
		return str_ends(user, "/token") ? pair : (struct str){NULL, 0};
	return play_bearer_token(c);
}

/* ---- rows --------------------------------------------------------------------------------- */

static const char *zendesk_kind(struct play_call *c)
{
	const struct str list = play_param(c, "list");

	return arena_strndup(c->a, list.p, str_ends(list, ".json") ? list.n - 5 : list.n);
}

static const char *zendesk_one(struct play_call *c, const char *kind)
{
	return arena_strndup(c->a, kind, strlen(kind) - 1);
}

static json_t *zendesk_put(
    struct play_call *c, const char *kind, const json_t *former, const json_t *given)
{
	const int64_t n = former != NULL ? json_int(former, "id") : play_next_number(c, 35000);
	const char *now = clock_iso_dup(c->a, clock_now_us());
	json_t *row = former != NULL ? json_deep_copy(former)
				     : json_pack("{s:I,s:s,s:s}", "id", (json_int_t)n, "created_at",
					   now, "status", "open");

	json_object_update(row, (json_t *)(uintptr_t)given);
	json_set_str(row, "updated_at", now);
	json_set_int(row, "updated_us", clock_now_us());
	return play_put(c, kind, arena_printf(c->a, "%lld", (long long)n), row);
}

static int zendesk_list(struct play_call *c)
{
	const char *kind = zendesk_kind(c);
	const struct str after = play_arg(c, "page[after]");
	const int64_t start = after.n > 0 ? play_cursor_place(after) : 0,
		      size = play_number(c, "page[size]", LIST_MAX, LIST_MAX);
	struct play_page page;
	json_t *links;

	if (start < 0)
		return zendesk_error(
		    c, 400, "InvalidPaginationParameter", "page[after] is invalid");
	page = play_page(c, play_rows(c, kind, NULL, NULL), start, size);
	links = json_object();
	if (page.next > 0)
		json_set_str(links, "next",
		    play_link(
			c, arena_printf(c->a, "%.*s?page%%5Bsize%%5D=%lld&page%%5Bafter%%5D=%s",
			       (int)c->path.n, c->path.p, (long long)size,
			       play_cursor(c, page.next))));
	return play_json(c, 200,
	    json_pack("{s:o,s:{s:b,s:s?},s:o}", kind, page.items, "meta", "has_more", page.next > 0,
		"after_cursor", page.next > 0 ? play_cursor(c, page.next) : NULL, "links", links));
}

static bool changed_since(const struct play_call *c, const json_t *row, const void *since)
{
	(void)c;
	return json_int(row, "updated_us") >= *(const int64_t *)since;
}

/* From start_time on, in the order of change; the cursor holds the time and id of the last one. */
static int zendesk_export(struct play_call *c)
{
	const char *kind = zendesk_kind(c);
	const struct str cursor = play_arg(c, "cursor");
	int64_t since_us = 0, start = 0, size = play_number(c, "per_page", EXPORT_MAX, EXPORT_MAX);
	struct play_page page;
	json_t *rows;
	const char *after;

	if (cursor.n > 0)
		start = play_cursor_place(cursor) - 1;
	else if (!str_to_i64(play_arg(c, "start_time"), 0, INT64_MAX / SECOND_US, &since_us))
		return zendesk_error(c, 400, "StartTimeMissing", "Missing parameter: start_time");
	since_us *= SECOND_US;
	if (cursor.n == 0 && since_us > clock_now_us() - 60 * SECOND_US)
		return zendesk_error(c, 400, "StartTimeTooRecent",
		    "Too recent start_time. Use a start_time older than 60 seconds");
	if (start < 0)
		return zendesk_error(c, 400, "InvalidCursor", "The cursor is invalid");
	rows = play_rows(c, kind, changed_since, &since_us);
	play_sort(c, rows, "updated_us", false);
	page = play_page(c, rows, start, size);
	after = play_cursor(c, (page.next > 0 ? page.next : (int64_t)json_array_size(rows)) + 1);
	return play_json(c, 200,
	    json_pack("{s:o,s:s,s:s,s:b}", kind, page.items, "after_cursor", after, "after_url",
		play_link(
		    c, arena_printf(c->a, "%.*s?cursor=%s", (int)c->path.n, c->path.p, after)),
		"end_of_stream", page.next == 0));
}

static int zendesk_create(struct play_call *c)
{
	const char *kind = zendesk_kind(c);
	const json_t *given = json_object_get(c->body, zendesk_one(c, kind));

	if (!json_is_object(given))
		return play_refuse(c, REFUSE_INVALID, "is not an object");
	if (strcmp(kind, "tickets") == 0 && json_object_get(given, "comment") == NULL &&
	    json_str(given, "description") == NULL)
		return play_refuse(c, REFUSE_INVALID, "Description: cannot be blank");
	return play_json(
	    c, 201, json_pack("{s:O}", zendesk_one(c, kind), zendesk_put(c, kind, NULL, given)));
}

static json_t *zendesk_named(struct play_call *c, const char **kind)
{
	struct str id = play_param(c, "id");

	*kind = zendesk_kind(c);
	if (str_ends(id, ".json"))
		id.n -= 5;
	return play_get(c, *kind, id);
}

static int zendesk_get(struct play_call *c)
{
	const char *kind;
	json_t *row = zendesk_named(c, &kind);

	return row != NULL ? play_json(c, 200, json_pack("{s:O}", zendesk_one(c, kind), row))
			   : play_refuse(c, REFUSE_NOT_FOUND, NULL);
}

static int zendesk_update(struct play_call *c)
{
	const char *kind;
	const json_t *row = zendesk_named(c, &kind);

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	return play_json(c, 200,
	    json_pack("{s:O}", zendesk_one(c, kind),
		zendesk_put(c, kind, row, json_object_get(c->body, zendesk_one(c, kind)))));
}

static int zendesk_delete(struct play_call *c)
{
	const char *kind;
	json_t *row = zendesk_named(c, &kind);

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	play_drop(c, kind, str_from(json_scalar_text(c->a, json_object_get(row, "id"))));
	return res_empty(c->r, 204);
}

static int zendesk_comments(struct play_call *c)
{
	const json_t *ticket = play_get(c, "tickets", play_param(c, "id"));

	if (ticket == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	return play_json(c, 200,
	    json_pack("{s:[{s:i,s:s,s:O?,s:b}],s:{s:b}}", "comments", "id", 1, "type", "Comment",
		"body", json_object_get(ticket, "description"), "public", 1, "meta", "has_more",
		0));
}

/* By email: the one that is there, or a new one. */
static int zendesk_user_upsert(struct play_call *c)
{
	const json_t *given = json_object_get(c->body, "user");
	const char *email = json_str(given, "email");
	const json_t *former =
	    email != NULL ? play_row_by(c, "users", "email", str_from(email)) : NULL;

	if (json_str(given, "name") == NULL && former == NULL)
		return play_refuse(c, REFUSE_INVALID, "Name: is too short");
	return play_json(c, former == NULL ? 201 : 200,
	    json_pack("{s:O}", "user", zendesk_put(c, "users", former, given)));
}

static int zendesk_me(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:{s:i,s:s,s:s,s:s}}", "user", "id", 1, "name", "Admin", "email",
		"admin@example.com", "role", "admin"));
}

/* The kind of filter[type] or type: of the query, tickets without. */
static int zendesk_search(struct play_call *c)
{
	const struct str type = play_arg(c, "filter[type]"), query = play_arg(c, "query"),
			 after = play_arg(c, "page[after]");
	const bool is_user = str_is(type, "user") || str_starts(query, "type:user");
	json_t *rows = play_rows(c, is_user ? "users" : "tickets", NULL, NULL);
	struct play_page page = play_page(c, rows, after.n > 0 ? play_cursor_place(after) : 0,
	    play_number(c, "page[size]", LIST_MAX, LIST_MAX));

	return play_json(c, 200,
	    json_pack("{s:o,s:I,s:n,s:{s:b,s:s?}}", "results", page.items, "count",
		(json_int_t)json_array_size(rows), "next_page", "meta", "has_more", page.next > 0,
		"after_cursor", page.next > 0 ? play_cursor(c, page.next) : NULL));
}

/* ---- webhooks of the account -------------------------------------------------------------- */

static int zendesk_webhook_create(struct play_call *c)
{
	const json_t *given = json_object_get(c->body, "webhook");
	const char *id = play_random(c, "01SANDBOX", 16);
	json_t *row;

	if (json_str(given, "endpoint") == NULL)
		return play_refuse(c, REFUSE_INVALID, "endpoint is required");
	row = json_deep_copy(given);
	json_set_str(row, "id", id);
	return play_json(c, 201, json_pack("{s:O}", "webhook", play_put(c, "webhooks", id, row)));
}

static int zendesk_webhook_secret(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:{s:s,s:s}}", "signing_secret", "algorithm", "SHA256", "secret", SECRET));
}

static int zendesk_token_delete(struct play_call *c)
{
	(void)oauth_revoke(c, str_from(json_str(c->bearer, "token")));
	return res_empty(c->r, 204);
}

#define API "/api/v2"
static const struct play_route zendesk_routes[] = {
    {HTTP_GET, API "/incremental/:list/cursor.json", zendesk_export, false},
    {HTTP_GET, API "/incremental/:list/cursor", zendesk_export, false},
    {HTTP_GET, API "/users/me", zendesk_me, false},
    {HTTP_GET, API "/users/me.json", zendesk_me, false},
    {HTTP_POST, API "/users/create_or_update", zendesk_user_upsert, false},
    {HTTP_POST, API "/users/create_or_update.json", zendesk_user_upsert, false},
    {HTTP_GET, API "/tickets/:id/comments", zendesk_comments, false},
    {HTTP_GET, API "/tickets/:id/comments.json", zendesk_comments, false},
    {HTTP_GET, API "/search/export.json", zendesk_search, false},
    {HTTP_GET, API "/search/export", zendesk_search, false},
    {HTTP_GET, API "/search", zendesk_search, false},
    {HTTP_GET, API "/search.json", zendesk_search, false},
    {HTTP_GET, API "/users/search.json", zendesk_search, false},
    {HTTP_POST, API "/webhooks", zendesk_webhook_create, false},
    {HTTP_GET, API "/webhooks/:id/signing_secret", zendesk_webhook_secret, false},
    {HTTP_DELETE, API "/oauth/tokens/:id", zendesk_token_delete, false},
    {HTTP_GET, API "/:list", zendesk_list, false},
    {HTTP_POST, API "/:list", zendesk_create, false},
    {HTTP_GET, API "/:list/:id", zendesk_get, false},
    {HTTP_PUT, API "/:list/:id", zendesk_update, false},
    {HTTP_DELETE, API "/:list/:id", zendesk_delete, false},
};

/* ---- the login ---------------------------------------------------------------------------- */

/* Whoever does not say when the token ends gets one that says nothing, and clients of before April
 * 2026 no refresh token either. */
static bool zendesk_may_refresh(const struct play_call *c, const json_t *authorization)
{
	(void)authorization;
	return !play_is(c, "old_client") || play_arg(c, "expires_in").n > 0;
}

static void zendesk_adjust(struct play_call *c, struct oauth_grant *g)
{
	g->expires_s = play_arg(c, "expires_in").n > 0
			   ? play_number(c, "expires_in", g->expires_s, 172800)
			   : 0;
	g->expires_s = g->expires_s > 0 ? play_switch_number(c, "expires_in", g->expires_s) : 0;
}

static const struct play_oauth zendesk_oauth = {.authorize = "/oauth/authorizations/new",
    .token = "/oauth/tokens",
    .flags = OAUTH_ROTATES | OAUTH_ENDS_ACCESS | OAUTH_CLIENT_GRANT,
    .expires_s = 1800,
    .may_refresh = zendesk_may_refresh,
    .adjust = zendesk_adjust};

/* ---- webhooks ----------------------------------------------------------------------------- */

static void zendesk_hook(struct order *o, const char *type, const json_t *ticket)
{
	const char *id = json_scalar_text(o->c.a, json_object_get(ticket, "id"));

	order_json(
	    o, json_pack("{s:s,s:s,s:i,s:s,s:s,s:{s:s,s:s,s:O,s:O?,s:s,s:s,s:[],s:O,s:O},s:{}}",
		   "id", order_wish(o, "id", play_random(&o->c, "sandbox-", 16)), "type",
		   arena_printf(o->c.a, "zen:event-type:%s", type), "account_id", 12345, "time",
		   clock_iso_dup(o->c.a, o->now_us), "subject",
		   arena_printf(o->c.a, "zen:ticket:%s", id), "detail", "id", id, "status", "OPEN",
		   "subject", json_object_get(ticket, "subject"), "description",
		   json_object_get(ticket, "description"), "priority", "HIGH", "requester_id", "1",
		   "tags", "created_at", json_object_get(ticket, "created_at"), "updated_at",
		   json_object_get(ticket, "updated_at"), "event"));
}

static json_t *zendesk_ticket(struct order *o)
{
	const char *id = order_wish(o, "ticket_id", NULL);
	const json_t *former = id != NULL ? play_get(&o->c, "tickets", str_from(id)) : NULL;

	return zendesk_put(&o->c, "tickets", former,
	    json_own(o->c.a,
		json_pack("{s:s,s:s}", "subject", order_wish(o, "subject", "It does not start"),
		    "description", order_wish(o, "description", "I pressed the button twice."))));
}

static int zendesk_created(struct order *o)
{
	zendesk_hook(o, "ticket.created", zendesk_ticket(o));
	return 0;
}

static int zendesk_updated(struct order *o)
{
	zendesk_hook(o, "ticket.status_changed", zendesk_ticket(o));
	return 0;
}

/* A trigger's JSON, as an administrator wrote it: no type, no id. */
static int zendesk_trigger(struct order *o)
{
	const json_t *ticket = zendesk_ticket(o);

	order_json(o, json_pack("{s:O,s:O}", "ticket_id", json_object_get(ticket, "id"), "title",
			  json_object_get(ticket, "subject")));
	return 0;
}

static void zendesk_sign(struct order *o)
{
	const char *now = clock_iso_dup(o->c.a, o->now_us - o->now_us % SECOND_US);

	order_header(o, "X-Zendesk-Webhook-Signature-Timestamp", now);
	order_header(
	    o, "X-Zendesk-Webhook-Signature", sign_zendesk(o->c.a, o->secret, now, o->body));
	order_header(o, "X-Zendesk-Webhook-Id", "01SANDBOX");
}

static const struct play_event zendesk_events[] = {
    {"ticket.created", "a ticket is made", zendesk_created},
    {"ticket.status_changed", "a ticket changes", zendesk_updated},
    {"trigger", "a trigger's own JSON", zendesk_trigger},
};

static const struct play_switch zendesk_switches[] = {
    {"old_client", SWITCH_FLAG,
	"who does not ask for expires_in gets no refresh token either (clients of before April "
	"2026)"},
};

static void zendesk_seed(struct play_call *c)
{
	for (int i = 1; i <= 3; i++)
		(void)zendesk_put(c, "tickets", NULL,
		    json_own(c->a,
			json_pack("{s:s,s:s,s:s}", "subject", arena_printf(c->a, "Question %d", i),
			    "description", "How does this work?", "priority", "normal")));
	(void)zendesk_put(c, "organizations", NULL,
	    json_own(c->a, json_pack("{s:s}", "name", "Sandbox organization")));
	(void)zendesk_put(c, "users", NULL,
	    json_own(c->a, json_pack("{s:s,s:s,s:s}", "name", "Ada Lovelace", "email",
			       "ada@example.com", "role", "end-user")));
}

const struct play play_zendesk = {.name = "zendesk",
    .label = "Zendesk",
    .account = SUBDOMAIN,
    .secret = SECRET,
    .site = SUBDOMAIN ".zendesk.com",
    PLAY_ROUTES(zendesk_routes),
    .oauth = &zendesk_oauth,
    PLAY_EVENTS(zendesk_events),
    .sign = zendesk_sign,
    PLAY_SWITCHES(zendesk_switches),
    .token = zendesk_token,
    .refuse = zendesk_refuse,
    .seed = zendesk_seed};
