/* Zoom: meetings, recordings by windows of a month, users; signed events and the check of an URL.
 */
#include "sandbox/play.h"
#include "sandbox/signing.h"

#define LIST_MAX 300
#define ACCOUNT "sandbox-account"

static int zoom_error(struct play_call *c, int status, int code, const char *text)
{
	return play_json(c, status, json_pack("{s:i,s:s}", "code", code, "message", text));
}

static int zoom_refuse(struct play_call *c, enum refusal why, const char *text)
{
	switch (why) {
	case REFUSE_NO_TOKEN:
		return zoom_error(c, 401, 124, "Invalid access token.");
	case REFUSE_EXPIRED:
		return zoom_error(c, 401, 124, "Access token is expired.");
	case REFUSE_THROTTLED:
		res_header(c->r, "X-RateLimit-Category", "Medium");
		res_header(
		    c->r, "X-RateLimit-Type", play_is(c, "daily_limit") ? "Daily-limit" : "QPS");
		if (play_is(c, "daily_limit"))
			res_header(c->r, "Retry-After",
			    clock_iso_dup(c->a, clock_now_us() - clock_now_us() % DAY_US + DAY_US));
		return zoom_error(c, 429, 429,
		    "You have reached the maximum per-second rate limit for this API.");
	case REFUSE_FORBIDDEN:
		return zoom_error(c, 400, 4711, "Invalid access token, does not contain scopes.");
	case REFUSE_NOT_FOUND:
		return zoom_error(c, 404, 3001, "The object does not exist.");
	case REFUSE_INVALID:
		return zoom_error(c, 400, 300, text);
	case REFUSE_BROKEN:
		break;
	}
	return zoom_error(c, 500, 500, "Internal error");
}

static void zoom_headers(struct play_call *c)
{
	res_header(c->r, "X-RateLimit-Limit", "60");
	res_headerf(c->r, "X-RateLimit-Remaining", "%lld", (long long)(60 - play_used(c, 60)));
}

/* ---- lists -------------------------------------------------------------------------------- */

/* An empty token ends it. */
static json_t *zoom_page(struct play_call *c, const char *name, json_t *rows)
{
	const struct str token = play_arg(c, "next_page_token");
	const int64_t size = play_number(c, "page_size", 30, LIST_MAX),
		      start = token.n > 0 ? play_cursor_place(token) : 0;
	struct play_page page = play_page(c, rows, start, size);

	return json_pack("{s:I,s:I,s:s,s:o}", "page_size", (json_int_t)size, "total_records",
	    (json_int_t)json_array_size(rows), "next_page_token",
	    page.next > 0 ? play_cursor(c, page.next) : "", name, page.items);
}

static int zoom_me(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:s,s:s,s:s,s:s,s:s,s:i}", "id", "u-sandbox", "account_id",
		c->bearer != NULL ? json_str(c->bearer, "account") : ACCOUNT, "email",
		"host@example.com", "first_name", "Hanna", "last_name", "Host", "type", 2));
}

static int zoom_users(struct play_call *c)
{
	return play_json(c, 200, zoom_page(c, "users", play_rows(c, "users", NULL, NULL)));
}

struct span {
	int64_t from, until;
	const char *member;
};

static bool span_passes(const struct play_call *c, const json_t *row, const void *arg)
{
	const struct span *s = arg;
	int64_t at;

	(void)c;
	return clock_parse_iso(str_from(json_str(row, s->member)), &at) && at >= s->from &&
	       at < s->until;
}

/* from and to are days; a month at most. */
static int zoom_recordings(struct play_call *c)
{
	struct span s = {clock_now_us() - 30 * DAY_US, clock_now_us() + DAY_US, "start_time"};
	const struct str from = play_arg(c, "from"), to = play_arg(c, "to");
	char text[2][CLOCK_TEXT];
	json_t *out;

	if (from.n > 0 && !clock_parse_iso(from, &s.from))
		return play_refuse(c, REFUSE_INVALID, "Invalid field: from");
	if (to.n > 0 && !clock_parse_iso(to, &s.until))
		return play_refuse(c, REFUSE_INVALID, "Invalid field: to");
	if (to.n > 0)
		s.until += DAY_US;
	if (s.until - s.from > 33 * DAY_US)
		return play_refuse(c, REFUSE_INVALID, "The date range must be within a month.");
	out = zoom_page(c, "meetings", play_rows(c, "recordings", span_passes, &s));
	clock_day_text(text[0], clock_day(s.from));
	clock_day_text(text[1], clock_day(s.until - 1));
	json_set_str(out, "from", text[0]);
	json_set_str(out, "to", text[1]);
	return play_json(c, 200, out);
}

static int zoom_meetings(struct play_call *c)
{
	return play_json(c, 200, zoom_page(c, "meetings", play_rows(c, "meetings", NULL, NULL)));
}

static int zoom_meeting_create(struct play_call *c)
{
	const int64_t n = play_next_number(c, INT64_C(87565330000));
	const char *id = arena_printf(c->a, "%lld", (long long)n), *topic = play_text(c, "topic");
	json_t *row = c->body != NULL ? json_deep_copy(c->body) : json_object();

	json_set_int(row, "id", n);
	json_set_str(row, "uuid", play_random(c, "sandbox", 15));
	json_set_str(row, "topic", topic != NULL ? topic : "Zoom Meeting");
	json_set_str(row, "host_id", "u-sandbox");
	json_set_str(row, "created_at", clock_iso_dup(c->a, clock_now_us()));
	json_set_str(row, "join_url", arena_printf(c->a, "https://zoom.us/j/%s", id));
	return play_json(c, 201, json_incref(play_put(c, "meetings", id, row)));
}

static int zoom_meeting(struct play_call *c)
{
	json_t *row = play_get(c, "meetings", play_param(c, "id"));

	return row != NULL ? play_json(c, 200, json_incref(row))
			   : play_refuse(c, REFUSE_NOT_FOUND, NULL);
}

static int zoom_meeting_update(struct play_call *c)
{
	const struct str id = play_param(c, "id");
	json_t *row = play_get(c, "meetings", id);

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	row = json_deep_copy(row);
	json_object_update(row, c->body);
	(void)play_put(c, "meetings", arena_strndup(c->a, id.p, id.n), row);
	return res_empty(c->r, 204);
}

static int zoom_meeting_delete(struct play_call *c)
{
	play_drop(c, "meetings", play_param(c, "id"));
	return res_empty(c->r, 204);
}

static int zoom_meeting_recordings(struct play_call *c)
{
	json_t *row = play_row_by(c, "recordings", "id", play_param(c, "id"));

	if (row == NULL)
		row = play_row_by(c, "recordings", "uuid", play_param(c, "id"));
	return row != NULL ? play_json(c, 200, json_incref(row))
			   : play_refuse(c, REFUSE_NOT_FOUND, NULL);
}

static int zoom_participants(struct play_call *c)
{
	return play_json(
	    c, 200, zoom_page(c, "participants", play_rows(c, "participants", NULL, NULL)));
}

static int zoom_registrants(struct play_call *c)
{
	return play_json(
	    c, 200, zoom_page(c, "registrants", play_rows(c, "registrants", NULL, NULL)));
}

static int zoom_registrant(struct play_call *c)
{
	return play_json(c, 201,
	    json_pack("{s:s,s:s}", "registrant_id", play_random(c, "reg-", 12), "join_url",
		"https://zoom.us/w/1"));
}

static const struct play_route zoom_routes[] = {
    {HTTP_GET, "/v2/users/:user/recordings", zoom_recordings, false},
    {HTTP_GET, "/v2/users/:user/meetings", zoom_meetings, false},
    {HTTP_POST, "/v2/users/:user/meetings", zoom_meeting_create, false},
    {HTTP_GET, "/v2/users/:user", zoom_me, false},
    {HTTP_GET, "/v2/users", zoom_users, false},
    {HTTP_GET, "/v2/meetings/:id", zoom_meeting, false},
    {HTTP_PATCH, "/v2/meetings/:id", zoom_meeting_update, false},
    {HTTP_DELETE, "/v2/meetings/:id", zoom_meeting_delete, false},
    {HTTP_GET, "/v2/meetings/:id/recordings", zoom_meeting_recordings, false},
    {HTTP_GET, "/v2/meetings/:id/registrants", zoom_registrants, false},
    {HTTP_POST, "/v2/meetings/:id/registrants", zoom_registrant, false},
    {HTTP_GET, "/v2/past_meetings/:id/participants", zoom_participants, false},
    {HTTP_GET, "/v2/report/meetings/:id/participants", zoom_participants, false},
};

/* ---- the login ---------------------------------------------------------------------------- */

/* Server to server: no consent, no refresh token. */
static int zoom_grant(struct play_call *c, int *rc)
{
	struct oauth_grant g = {.account = play_text(c, "account_id")};

	if (!str_is(play_arg(c, "grant_type"), "account_credentials"))
		return 0;
	if (g.account == NULL) {
		*rc = play_json(c, 400,
		    json_pack("{s:s,s:s}", "reason", "Bad Request", "error", "invalid_request"));
		return 1;
	}
	*rc = oauth_give(c, &g);
	return 1;
}

static int zoom_oauth_refuse(struct play_call *c, const char *error, const char *text)
{
	return play_json(c, strcmp(error, "invalid_client") == 0 ? 401 : 400,
	    json_pack("{s:s,s:s}", "reason", text, "error", error));
}

static const struct play_oauth zoom_oauth = {.authorize = "/oauth/authorize",
    .token = "/oauth/token",
    .revoke = "/oauth/revoke",
    .flags = OAUTH_ROTATES | OAUTH_BASIC,
    .expires_s = 3599,
    .refresh_s = 7776000,
    .grant = zoom_grant,
    .refuse = zoom_oauth_refuse};

/* ---- webhooks ----------------------------------------------------------------------------- */

static json_t *zoom_recording_put(struct play_call *c, const char *topic, int64_t at_us)
{
	const int64_t n = play_next_number(c, INT64_C(87565330000));
	const char *uuid = arena_printf(c->a, "%s==", play_random(c, "WEz4+/", 16)),
		   *at = clock_iso_dup(c->a, at_us - at_us % SECOND_US);

	return play_put(c, "recordings", uuid,
	    json_pack("{s:s,s:I,s:s,s:s,s:s,s:s,s:i,s:i,s:[{s:s,s:s,s:s,s:i,s:s,s:s}]}", "uuid",
		uuid, "id", (json_int_t)n, "host_id", "u-sandbox", "host_email", "host@example.com",
		"topic", topic, "start_time", at, "duration", 30, "recording_count", 1,
		"recording_files", "id", play_random(c, "f", 12), "recording_start", at,
		"file_type", "MP4", "file_size", 1048576, "download_url",
		"https://zoom.us/rec/download/sandbox", "recording_type",
		"shared_screen_with_speaker_view"));
}

static void zoom_event(struct order *o, const char *event, json_t *object)
{
	order_json(o, json_pack("{s:s,s:I,s:s,s:{s:s,s:o}}", "event", event, "event_ts",
			  (json_int_t)order_wish_number(o, "event_ts", o->now_us / 1000),
			  "download_token", "sandbox-download-token", "payload", "account_id",
			  order_wish(o, "account_id", ACCOUNT), "object", object));
}

static int zoom_recorded(struct order *o)
{
	zoom_event(o, "recording.completed",
	    json_incref(
		zoom_recording_put(&o->c, order_wish(o, "topic", "Weekly meeting"), o->now_us)));
	return 0;
}

static json_t *zoom_meeting_object(struct order *o)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:i}", "uuid", play_random(&o->c, "sandbox", 15),
	    "id",
	    arena_printf(o->c.a, "%lld", (long long)play_next_number(&o->c, INT64_C(87565330000))),
	    "host_id", "u-sandbox", "topic", order_wish(o, "topic", "Weekly meeting"), "start_time",
	    clock_iso_dup(o->c.a, o->now_us - o->now_us % SECOND_US), "duration", 30);
}

static int zoom_started(struct order *o)
{
	zoom_event(o, "meeting.started", zoom_meeting_object(o));
	return 0;
}

static int zoom_ended(struct order *o)
{
	zoom_event(o, "meeting.ended", zoom_meeting_object(o));
	return 0;
}

static int zoom_deauthorized(struct order *o)
{
	order_json(o, json_pack("{s:s,s:I,s:{s:s,s:s,s:s}}", "event", "app_deauthorized",
			  "event_ts", (json_int_t)(o->now_us / 1000), "payload", "account_id",
			  order_wish(o, "account_id", ACCOUNT), "user_id", "u-sandbox", "client_id",
			  OAUTH_CLIENT));
	return 0;
}

static int zoom_url_check(struct order *o)
{
	const char *plain = order_wish(o, "plainToken", "qgg8vlvZRS6UYooatFL8Aw");

	o->expects = sign_zoom_token(o->c.a, o->secret, plain);
	order_json(o, json_pack("{s:s,s:{s:s},s:I}", "event", "endpoint.url_validation", "payload",
			  "plainToken", plain, "event_ts", (json_int_t)(o->now_us / 1000)));
	return 0;
}

static void zoom_sign(struct order *o)
{
	const char *now = arena_printf(o->c.a, "%lld", (long long)(o->now_us / SECOND_US));

	order_header(o, "x-zm-request-timestamp", now);
	order_header(o, "x-zm-signature", sign_v0(o->c.a, o->secret, now, o->body));
}

static const struct play_event zoom_events[] = {
    {"recording.completed", "a recording is ready", zoom_recorded},
    {"meeting.started", "a meeting begins", zoom_started},
    {"meeting.ended", "a meeting ends", zoom_ended},
    {"app_deauthorized", "the app is taken away", zoom_deauthorized},
    {"endpoint.url_validation", "the check of an address, which names no account", zoom_url_check},
};

static const struct play_switch zoom_switches[] = {
    {"daily_limit", SWITCH_FLAG, "too many calls are those of a day: Retry-After is a date"},
};

static void zoom_seed(struct play_call *c)
{
	for (int i = 1; i <= 3; i++)
		(void)zoom_recording_put(
		    c, arena_printf(c->a, "Meeting %d", i), clock_now_us() - i * DAY_US);
	(void)play_put(c, "users", "u-sandbox",
	    json_pack("{s:s,s:s,s:s}", "id", "u-sandbox", "email", "host@example.com", "first_name",
		"Hanna"));
}

const struct play play_zoom = {.name = "zoom",
    .label = "Zoom",
    .account = ACCOUNT,
    .secret = "sandbox-zoom-secret",
    PLAY_ROUTES(zoom_routes),
    .oauth = &zoom_oauth,
    PLAY_EVENTS(zoom_events),
    .sign = zoom_sign,
    PLAY_SWITCHES(zoom_switches),
    .refuse = zoom_refuse,
    .headers = zoom_headers,
    .seed = zoom_seed};
