/* Google Calendar: events by sync token, watch channels, notifications without a body. */
#include "sandbox/play-google.h"

#define LIST_MAX 2500
#define ACCOUNT "calendar@example.com"
#define TOKEN_PREFIX "sync-"

/* ---- events ------------------------------------------------------------------------------- */

static json_t *calendar_event_put(
    struct play_call *c, const json_t *former, const json_t *given, const char *status)
{
	const int64_t now = clock_now_us(), change = play_next_number(c, 1000);
	const char *id = former != NULL ? json_str(former, "id")
					: arena_printf(c->a, "sandbox%lld", (long long)change);
	json_t *row = former != NULL
			  ? json_deep_copy(former)
			  : json_pack("{s:s,s:s,s:s,s:{s:s},s:{s:s}}", "kind", "calendar#event",
				"id", id, "created", clock_iso_dup(c->a, now), "start", "dateTime",
				clock_iso_dup(c->a, now + DAY_US), "end", "dateTime",
				clock_iso_dup(c->a, now + DAY_US + 3600 * SECOND_US));

	json_object_update(row, (json_t *)(uintptr_t)given);
	json_set_str(row, "status", status);
	json_set_str(row, "updated", clock_iso_dup(c->a, now));
	json_set_int(row, "change", change);
	return play_put(c, "events", id, row);
}

static bool changed_after(const struct play_call *c, const json_t *row, const void *arg)
{
	const int64_t since = *(const int64_t *)arg;
	const char *status = json_str(row, "status");

	(void)c;
	/* Who has no token yet is not told what was deleted. */
	if (since == 0)
		return status == NULL || strcmp(status, "cancelled") != 0;
	return json_int(row, "change") > since;
}

static bool sync_read(struct str token, int64_t *since)
{
	*since = 0;
	return token.n == 0 || (str_starts(token, TOKEN_PREFIX) &&
				   str_to_i64((struct str){token.p + sizeof(TOKEN_PREFIX) - 1,
						  token.n - (sizeof(TOKEN_PREFIX) - 1)},
				       1, INT64_MAX, since));
}

/* What a sync token forbids beside it. */
static bool is_forbidden_beside_sync(const struct play_call *c)
{
	static const char *const names[] = {"iCalUID", "orderBy", "privateExtendedProperty", "q",
	    "sharedExtendedProperty", "timeMin", "timeMax", "updatedMin"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (play_arg(c, names[i]).p != NULL)
			return true;
	return false;
}

static int calendar_events(struct play_call *c)
{
	const struct str sync = play_arg(c, "syncToken"), token = play_arg(c, "pageToken");
	const int64_t start = token.n > 0 ? play_cursor_place(token) : 0;
	int64_t since;
	struct play_page page;
	json_t *out;

	if (sync.n > 0 && play_switch_use(c, "sync_gone"))
		return google_error(c, 410, "GONE", "fullSyncRequired",
		    "Sync token is no longer valid, a full sync is required.");
	if (!sync_read(sync, &since) || start < 0 || (sync.n > 0 && is_forbidden_beside_sync(c)))
		return play_refuse(c, REFUSE_INVALID, "Bad Request");
	page = play_page(c, play_rows(c, "events", changed_after, &since), start,
	    play_number(c, "maxResults", 250, LIST_MAX));
	out = json_pack("{s:s,s:s,s:s,s:o}", "kind", "calendar#events", "summary", ACCOUNT,
	    "updated", clock_iso_dup(c->a, clock_now_us()), "items", page.items);
	if (page.next > 0)
		json_set_str(out, "nextPageToken", play_cursor(c, page.next));
	else
		json_set_str(out, "nextSyncToken",
		    arena_printf(c->a, TOKEN_PREFIX "%lld",
			(long long)json_int(play_get(c, "sequence", STR("number")), "n")));
	return play_json(c, 200, out);
}

static int calendar_event(struct play_call *c)
{
	json_t *row = play_get(c, "events", play_param(c, "event"));

	return row != NULL ? play_json(c, 200, json_incref(row))
			   : play_refuse(c, REFUSE_NOT_FOUND, NULL);
}

static int calendar_insert(struct play_call *c)
{
	if (json_object_get(c->body, "start") == NULL)
		return play_refuse(c, REFUSE_INVALID, "Missing start time.");
	return play_json(c, 200, json_incref(calendar_event_put(c, NULL, c->body, "confirmed")));
}

static int calendar_update(struct play_call *c)
{
	const json_t *row = play_get(c, "events", play_param(c, "event"));

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	return play_json(c, 200, json_incref(calendar_event_put(c, row, c->body, "confirmed")));
}

static int calendar_delete(struct play_call *c)
{
	const json_t *row = play_get(c, "events", play_param(c, "event"));

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	(void)calendar_event_put(c, row, NULL, "cancelled");
	return res_empty(c->r, 204);
}

static int calendar_quick_add(struct play_call *c)
{
	const char *text = play_text(c, "text");

	if (text == NULL)
		return play_refuse(c, REFUSE_INVALID, "Missing text.");
	return play_json(c, 200,
	    json_incref(calendar_event_put(
		c, NULL, json_own(c->a, json_pack("{s:s}", "summary", text)), "confirmed")));
}

static json_t *calendar_json(const char *id)
{
	return json_pack("{s:s,s:s,s:s,s:s}", "kind", "calendar#calendarListEntry", "id", id,
	    "summary", "Sandbox calendar", "timeZone", "UTC");
}

static int calendar_get(struct play_call *c)
{
	const struct str id = play_param(c, "calendar");

	return play_json(c, 200,
	    calendar_json(str_is(id, "primary") ? ACCOUNT : arena_strndup(c->a, id.p, id.n)));
}

static int calendar_list(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack(
		"{s:s,s:[o]}", "kind", "calendar#calendarList", "items", calendar_json(ACCOUNT)));
}

static int calendar_free(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack(
		"{s:s,s:{s:{s:[]}}}", "kind", "calendar#freeBusy", "calendars", ACCOUNT, "busy"));
}

/* ---- channels ----------------------------------------------------------------------------- */

static int calendar_watch(struct play_call *c)
{
	const char *id = json_str(c->body, "id"), *address = json_str(c->body, "address"),
		   *token = json_str(c->body, "token"), *resource;
	const json_t *asked = json_object_get(c->body, "expiration");
	const char *until = json_scalar_text(c->a, asked);
	json_t *row;

	if (id == NULL || address == NULL)
		return play_refuse(c, REFUSE_INVALID, "id and address are required");
	if (play_get(c, "channels", str_from(id)) != NULL)
		return google_error(
		    c, 400, "INVALID_ARGUMENT", "channelIdNotUnique", "Channel id not unique");
	if (until == NULL)
		until =
		    arena_printf(c->a, "%lld", (long long)((clock_now_us() + 7 * DAY_US) / 1000));
	resource = play_random(c, "sandbox-resource-", 8);
	row = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s?,s:s}", "kind", "api#channel", "id", id,
	    "resourceId", resource, "resourceUri",
	    "https://www.googleapis.com/calendar/v3/calendars/primary/events?alt=json",
	    "expiration", until, "token", token, "address", address);
	return play_json(c, 200, json_incref(play_put(c, "channels", id, row)));
}

static int calendar_stop(struct play_call *c)
{
	const char *id = json_str(c->body, "id");

	if (play_get(c, "channels", str_from(id)) == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	play_drop(c, "channels", str_from(id));
	return res_empty(c->r, 204);
}

#define API "/calendar/v3"
static const struct play_route calendar_routes[] = {
    {HTTP_POST, API "/calendars/:calendar/events/watch", calendar_watch, false},
    {HTTP_POST, API "/calendars/:calendar/events/quickAdd", calendar_quick_add, false},
    {HTTP_GET, API "/calendars/:calendar/events", calendar_events, false},
    {HTTP_POST, API "/calendars/:calendar/events", calendar_insert, false},
    {HTTP_GET, API "/calendars/:calendar/events/:event", calendar_event, false},
    {HTTP_PATCH, API "/calendars/:calendar/events/:event", calendar_update, false},
    {HTTP_PUT, API "/calendars/:calendar/events/:event", calendar_update, false},
    {HTTP_DELETE, API "/calendars/:calendar/events/:event", calendar_delete, false},
    {HTTP_GET, API "/calendars/:calendar", calendar_get, false},
    {HTTP_GET, API "/users/me/calendarList/:calendar", calendar_get, false},
    {HTTP_GET, API "/users/me/calendarList", calendar_list, false},
    {HTTP_POST, API "/freeBusy", calendar_free, false},
    {HTTP_POST, API "/channels/stop", calendar_stop, false},
};

/* ---- notifications ------------------------------------------------------------------------ */

/* Of the channel that is wished for, else of the newest. */
static const json_t *order_channel(struct order *o)
{
	const char *id = order_wish(o, "channel", NULL);
	const json_t *rows = play_rows(&o->c, "channels", NULL, NULL);

	return id != NULL ? play_get(&o->c, "channels", str_from(id))
			  : json_array_get(rows, json_array_size(rows) - 1);
}

static void calendar_notify(struct order *o, const char *state)
{
	const json_t *channel = order_channel(o);
	const char *token = json_str(channel, "token"), *address = json_str(channel, "address"),
		   *id = json_str(channel, "id"), *resource = json_str(channel, "resourceId");
	const char *number = arena_printf(o->c.a, "%lld",
	    strcmp(state, "sync") == 0 ? 1LL : (long long)play_next_number(&o->c, 1000));

	order_header(o, "X-Goog-Channel-ID", id != NULL ? id : order_wish(o, "channel", "none"));
	order_header(o, "X-Goog-Channel-Token", token != NULL ? token : o->secret);
	order_header(o, "X-Goog-Resource-ID", resource != NULL ? resource : "sandbox-resource");
	order_header(o, "X-Goog-Resource-URI",
	    "https://www.googleapis.com/calendar/v3/calendars/primary/events?alt=json");
	order_header(o, "X-Goog-Resource-State", state);
	order_header(o, "X-Goog-Message-Number", order_wish(o, "number", number));
	o->body = STR("");
	if (address != NULL && json_object_get(o->wishes, "channel") != NULL)
		o->url = address;
}

static int calendar_sync(struct order *o)
{
	calendar_notify(o, "sync");
	return 0;
}

static int calendar_exists(struct order *o)
{
	(void)calendar_event_put(&o->c, NULL,
	    json_own(o->c.a, json_pack("{s:s}", "summary",
				 order_wish(o, "summary", "A meeting from the sandbox"))),
	    "confirmed");
	calendar_notify(o, "exists");
	return 0;
}

static int calendar_cancelled(struct order *o)
{
	const json_t *rows = play_rows(&o->c, "events", NULL, NULL);
	const json_t *row = json_array_get(rows, json_array_size(rows) - 1);

	if (row != NULL)
		(void)calendar_event_put(&o->c, row, NULL, "cancelled");
	calendar_notify(o, "exists");
	return 0;
}

static const struct play_event calendar_orders[] = {
    {"exists", "an event is new, and the channel says that something changed", calendar_exists},
    {"cancelled", "the newest event is cancelled", calendar_cancelled},
    {"sync", "the first message of a channel", calendar_sync},
};

static const struct play_switch calendar_switches[] = {
    {"sync_gone", SWITCH_NUMBER, "so many sync tokens are too old: 410, a full sync is wanted"},
};

static void calendar_seed(struct play_call *c)
{
	for (int i = 1; i <= 3; i++)
		(void)calendar_event_put(c, NULL,
		    json_own(
			c->a, json_pack("{s:s}", "summary", arena_printf(c->a, "Meeting %d", i))),
		    "confirmed");
}

const struct play play_calendar = {.name = "google_calendar",
    .label = "Google Calendar",
    .account = ACCOUNT,
    .secret = "sandbox-calendar-token",
    PLAY_ROUTES(calendar_routes),
    .oauth = &google_oauth,
    PLAY_EVENTS(calendar_orders),
    PLAY_SWITCHES(calendar_switches),
    .refuse = google_refuse,
    .seed = calendar_seed};
