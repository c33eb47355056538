/* Slack: the Web API, whose errors are answers of 200; events, commands and interactivity. */
#include "sandbox/play.h"
#include "sandbox/signing.h"

#define LIST_MAX 1000
#define HISTORY_FEW 15
#define TEAM "T0SANDBOX"
#define APP "A0SANDBOX"
#define BOT "U0BOT"
#define CHANNEL "C0GENERAL"

static int slack_error(struct play_call *c, const char *error)
{
	return play_json(c, 200, json_pack("{s:b,s:s}", "ok", 0, "error", error));
}

static int slack_refuse(struct play_call *c, enum refusal why, const char *text)
{
	switch (why) {
	case REFUSE_NO_TOKEN:
		return slack_error(c, "invalid_auth");
	case REFUSE_EXPIRED:
		return slack_error(c, "token_expired");
	case REFUSE_THROTTLED:
		res_header(c->r, "Retry-After", "1");
		return play_json(c, 429, json_pack("{s:b,s:s}", "ok", 0, "error", "ratelimited"));
	case REFUSE_FORBIDDEN:
		return slack_error(c, "missing_scope");
	case REFUSE_NOT_FOUND:
		return slack_error(c, "unknown_method");
	case REFUSE_INVALID:
		return slack_error(c, text);
	case REFUSE_BROKEN:
		break;
	}
	return slack_error(c, "internal_error");
}

/* ---- messages ----------------------------------------------------------------------------- */

static const char *slack_ts(struct play_call *c)
{
	const int64_t n = play_next_number(c, clock_now_us());

	return arena_printf(
	    c->a, "%lld.%06lld", (long long)(n / SECOND_US), (long long)(n % SECOND_US));
}

static json_t *slack_message_put(
    struct play_call *c, const char *channel, const char *user, const char *text)
{
	const char *ts = slack_ts(c);

	return play_put(c, "messages", ts,
	    json_pack("{s:s,s:s,s:s,s:s,s:s}", "type", "message", "channel", channel, "user", user,
		"text", text, "ts", ts));
}

static int slack_post(struct play_call *c)
{
	const char *channel = play_text(c, "channel"), *text = play_text(c, "text");
	json_t *message;

	if (channel == NULL || play_get(c, "channels", str_from(channel)) == NULL)
		return slack_error(c, "channel_not_found");
	if (text == NULL && play_arg(c, "blocks").n == 0 &&
	    json_object_get(c->body, "blocks") == NULL)
		return slack_error(c, "no_text");
	message = slack_message_put(c, channel, BOT, text != NULL ? text : "");
	return play_json(c, 200,
	    json_pack("{s:b,s:s,s:s,s:O}", "ok", 1, "channel", channel, "ts",
		json_str(message, "ts"), "message", message));
}

static json_t *slack_message_named(struct play_call *c)
{
	return play_get(c, "messages", play_arg(c, "ts"));
}

static int slack_update(struct play_call *c)
{
	json_t *row = slack_message_named(c);
	const char *text = play_text(c, "text");

	if (row == NULL)
		return slack_error(c, "message_not_found");
	row = json_deep_copy(row);
	json_set_str(row, "text", text != NULL ? text : "");
	row = play_put(c, "messages", json_str(row, "ts"), row);
	return play_json(c, 200,
	    json_pack("{s:b,s:O,s:O,s:O}", "ok", 1, "channel", json_object_get(row, "channel"),
		"ts", json_object_get(row, "ts"), "text", json_object_get(row, "text")));
}

static int slack_delete(struct play_call *c)
{
	json_t *row = slack_message_named(c);

	if (row == NULL)
		return slack_error(c, "message_not_found");
	play_drop(c, "messages", str_from(json_str(row, "ts")));
	return play_json(c, 200,
	    json_pack("{s:b,s:O,s:O}", "ok", 1, "channel", json_object_get(row, "channel"), "ts",
		json_object_get(row, "ts")));
}

/* Done, and nothing to tell of it: reactions, topics, views. */
static int slack_react(struct play_call *c)
{
	return play_json(c, 200, json_pack("{s:b}", "ok", 1));
}

/* ---- lists -------------------------------------------------------------------------------- */

/* A page of rows as the member `name`; an empty cursor at the end. */
static int slack_page(struct play_call *c, const char *name, json_t *rows, int64_t most)
{
	const struct str cursor = play_arg(c, "cursor");
	const int64_t start = cursor.n > 0 ? play_cursor_place(cursor) : 0;
	struct play_page page;

	if (start < 0)
		return slack_error(c, "invalid_cursor");
	page = play_page(c, rows, start, play_number(c, "limit", 100, most));
	return play_json(c, 200,
	    json_pack("{s:b,s:o,s:b,s:{s:s}}", "ok", 1, name, page.items, "has_more", page.next > 0,
		"response_metadata", "next_cursor",
		page.next > 0 ? play_cursor(c, page.next) : ""));
}

struct history {
	struct str channel;
	const char *oldest, *latest;
};

static bool history_passes(const struct play_call *c, const json_t *row, const void *arg)
{
	const struct history *h = arg;
	const char *ts = json_str(row, "ts");

	(void)c;
	return str_is(h->channel, json_str(row, "channel")) &&
	       (h->oldest == NULL || strtod(ts, NULL) > strtod(h->oldest, NULL)) &&
	       (h->latest == NULL || strtod(ts, NULL) < strtod(h->latest, NULL));
}

static int slack_history(struct play_call *c)
{
	const struct history h = {
	    play_arg(c, "channel"), play_text(c, "oldest"), play_text(c, "latest")};
	json_t *rows;

	if (play_get(c, "channels", h.channel) == NULL)
		return slack_error(c, "channel_not_found");
	rows = play_rows(c, "messages", history_passes, &h);
	play_sort(c, rows, "ts", true);
	return slack_page(c, "messages", rows, play_is(c, "few_messages") ? HISTORY_FEW : LIST_MAX);
}

static int slack_channels(struct play_call *c)
{
	return slack_page(c, "channels", play_rows(c, "channels", NULL, NULL), LIST_MAX);
}

static int slack_channel(struct play_call *c)
{
	json_t *row = play_get(c, "channels", play_arg(c, "channel"));

	return row != NULL ? play_json(c, 200, json_pack("{s:b,s:O}", "ok", 1, "channel", row))
			   : slack_error(c, "channel_not_found");
}

static int slack_channel_create(struct play_call *c)
{
	const char *name = play_text(c, "name"), *id = play_random(c, "C0", 9);

	if (name == NULL)
		return slack_error(c, "invalid_name_required");
	if (play_row_by(c, "channels", "name", str_from(name)) != NULL)
		return slack_error(c, "name_taken");
	return play_json(c, 200,
	    json_pack("{s:b,s:O}", "ok", 1, "channel",
		play_put(c, "channels", id,
		    json_pack("{s:s,s:s,s:b}", "id", id, "name", name, "is_channel", 1))));
}

static int slack_users(struct play_call *c)
{
	return slack_page(c, "members", play_rows(c, "users", NULL, NULL), LIST_MAX);
}

static int slack_user(struct play_call *c)
{
	json_t *row = play_get(c, "users", play_arg(c, "user"));

	return row != NULL ? play_json(c, 200, json_pack("{s:b,s:O}", "ok", 1, "user", row))
			   : slack_error(c, "user_not_found");
}

static int slack_user_by_email(struct play_call *c)
{
	json_t *row = play_row_by(c, "users", "email", play_arg(c, "email"));

	return row != NULL ? play_json(c, 200, json_pack("{s:b,s:O}", "ok", 1, "user", row))
			   : slack_error(c, "users_not_found");
}

static int slack_open(struct play_call *c)
{
	return play_json(c, 200, json_pack("{s:b,s:{s:s}}", "ok", 1, "channel", "id", CHANNEL));
}

static int slack_test(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:b,s:s,s:s,s:s,s:s}", "ok", 1, "url", "https://sandbox.slack.com/", "team",
		"Sandbox", "team_id", TEAM, "user_id", BOT));
}

static int slack_revoke(struct play_call *c)
{
	(void)oauth_revoke(c, str_from(json_str(c->bearer, "token")));
	return play_json(c, 200, json_pack("{s:b,s:b}", "ok", 1, "revoked", 1));
}

#define BOTH(path, handler)                                                                        \
	{HTTP_GET, path, handler, false},                                                          \
	{                                                                                          \
		HTTP_POST, path, handler, false                                                    \
	}
static const struct play_route slack_routes[] = {
    BOTH("/api/chat.postMessage", slack_post),
    BOTH("/api/chat.update", slack_update),
    BOTH("/api/chat.delete", slack_delete),
    BOTH("/api/reactions.add", slack_react),
    BOTH("/api/conversations.create", slack_channel_create),
    BOTH("/api/views.open", slack_react),
    BOTH("/api/views.publish", slack_react),
    BOTH("/api/conversations.setTopic", slack_react),
    BOTH("/api/conversations.invite", slack_react),
    BOTH("/api/conversations.history", slack_history),
    BOTH("/api/conversations.replies", slack_history),
    BOTH("/api/conversations.list", slack_channels),
    BOTH("/api/conversations.info", slack_channel),
    BOTH("/api/conversations.join", slack_channel),
    BOTH("/api/conversations.open", slack_open),
    BOTH("/api/users.list", slack_users),
    BOTH("/api/users.info", slack_user),
    BOTH("/api/users.lookupByEmail", slack_user_by_email),
    BOTH("/api/auth.test", slack_test),
    BOTH("/api/auth.revoke", slack_revoke),
};

/* ---- the login ---------------------------------------------------------------------------- */

/* A person's own pair is refreshed on its own. */
static bool is_users(const struct oauth_grant *g)
{
	return g->scope != NULL && strcmp(g->scope, "user") == 0;
}

static void slack_adjust(struct play_call *c, struct oauth_grant *g)
{
	g->access = play_random(c, is_users(g) ? "xoxp-sandbox-" : "xoxb-sandbox-", 32);
	if (play_is(c, "no_rotation")) {
		g->expires_s = 0;
		g->refresh = NULL;
	}
}

/* Who consented; with the switch, a second pair of tokens for that person. */
static json_t *authed_user(struct play_call *c, const struct oauth_grant *g)
{
	struct oauth_grant own = {
	    .account = g->account, .scope = "user", .refresh = oauth_refresh_make(c)};
	json_t *out;

	if (g->is_refresh || !play_is(c, "user_tokens"))
		return json_pack("{s:s}", "id", "U0ADA");
	oauth_make(c, &own);
	out = oauth_answer_json(&own);
	json_set_str(out, "id", "U0ADA");
	json_set_str(out, "token_type", "user");
	return out;
}

static int slack_token(struct play_call *c, const struct oauth_grant *g)
{
	json_t *out = oauth_answer_json(g);

	json_set_bool(out, "ok", true);
	json_set_str(out, "token_type", is_users(g) ? "user" : "bot");
	json_set_str(out, "bot_user_id", BOT);
	json_set_str(out, "app_id", APP);
	json_set(out, "team", json_pack("{s:s,s:s}", "id", g->account, "name", "Sandbox"));
	json_set(out, "authed_user", authed_user(c, g));
	return play_json(c, 200, out);
}

static int slack_oauth_refuse(struct play_call *c, const char *error, const char *text)
{
	(void)text;
	if (strcmp(error, "invalid_grant") == 0)
		return slack_error(c,
		    play_arg(c, "refresh_token").n > 0 ? "invalid_refresh_token" : "invalid_code");
	return slack_error(
	    c, strcmp(error, "invalid_client") == 0 ? "invalid_client_id" : "invalid_grant_type");
}

static const struct play_oauth slack_oauth = {.authorize = "/oauth/v2/authorize",
    .token = "/api/oauth.v2.access",
    .flags = OAUTH_ROTATES,
    .expires_s = 43200,
    .adjust = slack_adjust,
    .answer = slack_token,
    .refuse = slack_oauth_refuse};

/* ---- webhooks ----------------------------------------------------------------------------- */

static void slack_event(struct order *o, json_t *event)
{
	const char *id = arena_printf(
	    o->c.a, "Ev0%08lld", (long long)play_next_number(&o->c, clock_now_us()) % 100000000);

	order_json(o, json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:o}", "token", "sandbox", "team_id",
			  order_wish(o, "team_id", TEAM), "api_app_id", APP, "type",
			  "event_callback", "event_id", order_wish(o, "event_id", id), "event_time",
			  (json_int_t)(o->now_us / SECOND_US), "event", event));
}

static int slack_message(struct order *o)
{
	const char *text = order_wish(o, "text", "Hello from the sandbox"),
		   *user = order_wish(o, "user", "U0ADA");
	json_t *event = json_copy(slack_message_put(&o->c, CHANNEL, user, text));

	json_set_str(event, "channel_type", "channel");
	slack_event(o, event);
	return 0;
}

static int slack_bot_message(struct order *o)
{
	json_t *event = json_copy(slack_message_put(&o->c, CHANNEL, BOT, "I am a bot"));

	json_set_str(event, "bot_id", "B0BOT");
	slack_event(o, event);
	return 0;
}

static int slack_retry(struct order *o)
{
	order_header(o, "X-Slack-Retry-Num", "1");
	order_header(o, "X-Slack-Retry-Reason", "http_timeout");
	return slack_message(o);
}

static int slack_challenge(struct order *o)
{
	o->expects = order_wish(o, "challenge", "sandbox-challenge");
	order_json(o, json_pack("{s:s,s:s,s:s}", "token", "sandbox", "challenge", o->expects,
			  "type", "url_verification"));
	return 0;
}

static int slack_revoked(struct order *o)
{
	slack_event(
	    o, json_pack("{s:s,s:{s:[s]}}", "type", "tokens_revoked", "tokens", "bot", BOT));
	return 0;
}

static int slack_command(struct order *o)
{
	o->fields = json_own(o->c.a,
	    json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "token", "sandbox", "team_id", TEAM,
		"channel_id", CHANNEL, "user_id", "U0ADA", "command", "/connect", "text",
		order_wish(o, "text", "hello"), "trigger_id", play_random(&o->c, "1.2.", 16)));
	return 0;
}

static int slack_view(struct order *o)
{
	json_t *payload =
	    json_own(o->c.a, json_pack("{s:s,s:{s:s},s:{s:s},s:{s:s,s:s}}", "type",
				 "view_submission", "team", "id", TEAM, "user", "id", "U0ADA",
				 "view", "id", play_random(&o->c, "V0", 9), "type", "modal"));

	o->fields = json_own(o->c.a, json_pack("{s:s}", "payload", json_text(o->c.a, payload).p));
	return 0;
}

/* Unsigned, as Slack asks whether a command's address speaks TLS. */
static int slack_ssl_check(struct order *o)
{
	o->fields = json_own(o->c.a, json_pack("{s:s,s:s}", "ssl_check", "1", "token", "sandbox"));
	o->secret = "";
	return 0;
}

static void slack_sign(struct order *o)
{
	const char *now = arena_printf(o->c.a, "%lld", (long long)(o->now_us / SECOND_US));

	if (*o->secret == '\0')
		return;
	order_header(o, "X-Slack-Request-Timestamp", now);
	order_header(o, "X-Slack-Signature", sign_v0(o->c.a, o->secret, now, o->body));
}

static const struct play_event slack_events[] = {
    {"message", "a message in a channel", slack_message},
    {"bot_message", "a message of a bot, which is left alone", slack_bot_message},
    {"retry", "a message, announced a second time", slack_retry},
    {"command", "a slash command", slack_command},
    {"view_submission", "a form is sent", slack_view},
    {"tokens_revoked", "the app is taken away", slack_revoked},
    {"url_verification", "the check of an address", slack_challenge},
    {"ssl_check", "the unsigned check of a command's address", slack_ssl_check},
};

static const struct play_switch slack_switches[] = {
    {"few_messages", SWITCH_FLAG,
	"histories give at most 15 messages, as to apps of no marketplace"},
    {"user_tokens", SWITCH_FLAG, "a login brings a second pair of tokens, of the person"},
    {"no_rotation", SWITCH_FLAG, "tokens live for ever and have no refresh token"},
};

static void slack_seed(struct play_call *c)
{
	static const char *const people[][2] = {{"U0ADA", "ada"}, {"U0GRACE", "grace"}};

	(void)play_put(c, "channels", CHANNEL,
	    json_pack("{s:s,s:s,s:b}", "id", CHANNEL, "name", "general", "is_channel", 1));
	(void)play_put(c, "channels", "C0SALES",
	    json_pack("{s:s,s:s,s:b}", "id", "C0SALES", "name", "sales", "is_channel", 1));
	for (size_t i = 0; i < 2; i++) {
		const char *email = arena_printf(c->a, "%s@example.com", people[i][1]);

		(void)play_put(c, "users", people[i][0],
		    json_pack("{s:s,s:s,s:s,s:b,s:{s:s}}", "id", people[i][0], "name", people[i][1],
			"email", email, "is_bot", 0, "profile", "email", email));
		(void)slack_message_put(c, CHANNEL, people[i][0],
		    arena_printf(c->a, "Good morning from %s", people[i][1]));
	}
}

const struct play play_slack = {.name = "slack",
    .label = "Slack",
    .account = TEAM,
    .secret = "sandbox-slack-secret",
    PLAY_ROUTES(slack_routes),
    .oauth = &slack_oauth,
    PLAY_EVENTS(slack_events),
    .sign = slack_sign,
    PLAY_SWITCHES(slack_switches),
    .refuse = slack_refuse,
    .seed = slack_seed};
