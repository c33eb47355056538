/* Twilio: messages and calls of an account by next_page_uri, forms in, SHA-1 signatures over URL
 * and fields. */
#include <time.h>

#include "crypto/hash.h"
#include "sandbox/play.h"
#include "sandbox/signing.h"

#define LIST_MAX 1000
#define ACCOUNT "AC00000000000000000000000000005a9d"
#define TOKEN "sandbox-twilio-token"

static int twilio_error(struct play_call *c, int status, int code, const char *text)
{
	return play_json(c, status,
	    json_pack("{s:i,s:s,s:s,s:i}", "code", code, "message", text, "more_info",
		arena_printf(c->a, "https://www.twilio.com/docs/errors/%d", code), "status",
		status));
}

static int twilio_refuse(struct play_call *c, enum refusal why, const char *text)
{
	switch (why) {
	case REFUSE_NO_TOKEN:
	case REFUSE_EXPIRED:
		return twilio_error(c, 401, 20003, "Authenticate");
	case REFUSE_THROTTLED:
		return twilio_error(c, 429, 20429, "Too Many Requests");
	case REFUSE_FORBIDDEN:
		return twilio_error(c, 403, 20008, "Resource not accessible");
	case REFUSE_NOT_FOUND:
		return twilio_error(c, 404, 20404, "The requested resource was not found");
	case REFUSE_INVALID:
		return twilio_error(c, 400, 21211, text);
	case REFUSE_BROKEN:
		break;
	}
	return twilio_error(c, 500, 20500, "Internal Server Error");
}

/* Account and token by Basic, or a bearer token. */
static struct str twilio_token(const struct play_call *c)
{
	const struct str pair = play_basic_pair(c);

	return pair.n > 0 ? pair : play_bearer_token(c);
}

/* "Fri, 24 May 2019 17:44:46 +0000" */
static const char *twilio_time(struct arena *a, int64_t at_us)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct civil t;

	clock_civil(at_us, &t);
	return arena_printf(a, "%s, %02d %s %04d %02d:%02d:%02d +0000",
	    days[(clock_day(at_us) + 4) % 7], t.day, months[t.month - 1], t.year, t.hour, t.minute,
	    t.second);
}

/* ---- messages ----------------------------------------------------------------------------- */

static json_t *twilio_message_put(
    struct play_call *c, const char *direction, const char *from, const char *to, const char *body)
{
	const int64_t now = clock_now_us();
	const char *sid =
	    arena_printf(c->a, "SM%032llx", (unsigned long long)play_next_number(c, 4096));
	json_t *row = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I}", "sid", sid,
	    "account_sid", ACCOUNT, "from", from, "to", to, "body", body, "direction", direction,
	    "status", strcmp(direction, "inbound") == 0 ? "received" : "queued", "num_media", "0",
	    "date_created", twilio_time(c->a, now), "at_us", (json_int_t)now);

	json_set_str(row, "date_sent", twilio_time(c->a, now));
	json_set_str(row, "date_updated", twilio_time(c->a, now));
	json_set_str(row, "uri",
	    arena_printf(c->a, "/2010-04-01/Accounts/" ACCOUNT "/Messages/%s.json", sid));
	return play_put(c, "messages", sid, row);
}

static int twilio_send(struct play_call *c)
{
	const char *to = play_text(c, "To"), *from = play_text(c, "From"),
		   *body = play_text(c, "Body");

	if (to == NULL || to[0] != '+')
		return twilio_error(
		    c, 400, 21211, arena_printf(c->a, "Invalid 'To' Phone Number: %s", to));
	if (from == NULL && play_arg(c, "MessagingServiceSid").n == 0)
		return twilio_error(c, 400, 21603, "A 'From' phone number is required.");
	if (body == NULL && play_arg(c, "MediaUrl").n == 0)
		return twilio_error(c, 400, 21602, "Message body is required.");
	return play_json(c, 201,
	    json_incref(twilio_message_put(c, "outbound-api", from != NULL ? from : "+15005550006",
		to, body != NULL ? body : "")));
}

static bool sent_since(const struct play_call *c, const json_t *row, const void *since)
{
	(void)c;
	return json_int(row, "at_us") >= *(const int64_t *)since;
}

/* Newest first; the next page by a relative address, null at the end. */
static int twilio_list(struct play_call *c, const char *name, json_t *rows)
{
	const struct str token = play_arg(c, "PageToken");
	const int64_t size = play_number(c, "PageSize", 50, LIST_MAX),
		      start = str_starts(token, "PA")
				  ? play_cursor_place((struct str){token.p + 2, token.n - 2})
				  : 0;
	const struct str since = play_arg(c, "DateSent>");
	struct play_page page;
	const char *next = NULL;

	play_sort(c, rows, "at_us", true);
	page = play_page(c, rows, start, size);
	if (page.next > 0) {
		next = arena_printf(c->a, "%.*s?PageSize=%lld&Page=1&PageToken=PA%s",
		    (int)c->path.n, c->path.p, (long long)size, play_cursor(c, page.next));
		if (since.n > 0)
			next =
			    arena_printf(c->a, "%s&DateSent%%3E=%.*s", next, (int)since.n, since.p);
	}
	return play_json(c, 200,
	    json_pack("{s:o,s:s?,s:I,s:s}", name, page.items, "next_page_uri", next, "page_size",
		(json_int_t)size, "uri", arena_printf(c->a, "%.*s", (int)c->path.n, c->path.p)));
}

static int twilio_messages(struct play_call *c)
{
	struct str since = play_arg(c, "DateSent>");
	int64_t since_us = 0;

	if (since.p == NULL)
		since = play_arg(c, "DateSentAfter");
	if (since.n > 0 && !clock_parse_any(since, &since_us))
		return play_refuse(c, REFUSE_INVALID, "Invalid DateSent");
	return twilio_list(c, "messages", play_rows(c, "messages", sent_since, &since_us));
}

static int twilio_calls(struct play_call *c)
{
	return twilio_list(c, "calls", play_rows(c, "calls", NULL, NULL));
}

static int twilio_recordings(struct play_call *c)
{
	return twilio_list(c, "recordings", play_rows(c, "recordings", NULL, NULL));
}

static int twilio_call_make(struct play_call *c)
{
	const char *sid =
	    arena_printf(c->a, "CA%032llx", (unsigned long long)play_next_number(c, 4096));
	const int64_t now = clock_now_us();

	if (play_arg(c, "To").n == 0 || play_arg(c, "From").n == 0)
		return twilio_error(c, 400, 21201, "No 'To' number specified");
	return play_json(c, 201,
	    json_incref(play_put(c, "calls", sid,
		json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:I}", "sid", sid, "account_sid", ACCOUNT, "to",
		    play_text(c, "To"), "from", play_text(c, "From"), "status", "queued",
		    "date_created", twilio_time(c->a, now), "at_us", (json_int_t)now))));
}

/* "SM….json" → the row of that sid. */
static json_t *twilio_named(struct play_call *c, const char *kind)
{
	struct str sid = play_param(c, "sid");

	if (str_ends(sid, ".json"))
		sid.n -= 5;
	return play_get(c, kind, sid);
}

static int twilio_message(struct play_call *c)
{
	json_t *row = twilio_named(c, "messages");

	return row != NULL ? play_json(c, 200, json_incref(row))
			   : play_refuse(c, REFUSE_NOT_FOUND, NULL);
}

static int twilio_call(struct play_call *c)
{
	json_t *row = twilio_named(c, "calls");

	return row != NULL ? play_json(c, 200, json_incref(row))
			   : play_refuse(c, REFUSE_NOT_FOUND, NULL);
}

static int twilio_message_delete(struct play_call *c)
{
	json_t *row = twilio_named(c, "messages");

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	play_drop(c, "messages", str_from(json_str(row, "sid")));
	return res_empty(c->r, 204);
}

static int twilio_numbers(struct play_call *c)
{
	return twilio_list(c, "incoming_phone_numbers", play_rows(c, "numbers", NULL, NULL));
}

static int twilio_number_update(struct play_call *c)
{
	json_t *row = twilio_named(c, "numbers");

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	row = json_deep_copy(row);
	if (play_arg(c, "SmsUrl").p != NULL)
		json_set_strn(row, "sms_url", play_arg(c, "SmsUrl"));
	return play_json(c, 200, json_incref(play_put(c, "numbers", json_str(row, "sid"), row)));
}

static int twilio_account(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack(
		"{s:s,s:s,s:s}", "sid", ACCOUNT, "friendly_name", "Sandbox", "status", "active"));
}

static int twilio_lookup(struct play_call *c)
{
	const struct str number = play_param(c, "number");

	return play_json(c, 200,
	    json_pack("{s:s%,s:b,s:s}", "phone_number", number.p, number.n, "valid", 1,
		"country_code", "US"));
}

#define OF "/2010-04-01/Accounts/:account"
static const struct play_route twilio_routes[] = {
    {HTTP_GET, OF "/Messages.json", twilio_messages, false},
    {HTTP_POST, OF "/Messages.json", twilio_send, false},
    {HTTP_GET, OF "/Messages/:sid", twilio_message, false},
    {HTTP_DELETE, OF "/Messages/:sid", twilio_message_delete, false},
    {HTTP_GET, OF "/Recordings.json", twilio_recordings, false},
    {HTTP_GET, OF "/Calls.json", twilio_calls, false},
    {HTTP_POST, OF "/Calls.json", twilio_call_make, false},
    {HTTP_GET, OF "/Calls/:sid", twilio_call, false},
    {HTTP_GET, OF "/IncomingPhoneNumbers.json", twilio_numbers, false},
    {HTTP_POST, OF "/IncomingPhoneNumbers/:sid", twilio_number_update, false},
    {HTTP_GET, OF, twilio_account, false},
    {HTTP_GET, "/v2/PhoneNumbers/:number", twilio_lookup, false},
};

static const struct play_oauth twilio_oauth = {
    .token = "/v2/token", .flags = OAUTH_CLIENT_GRANT | OAUTH_NO_REFRESH, .expires_s = 3600};

/* ---- webhooks ----------------------------------------------------------------------------- */

static int twilio_sms(struct order *o)
{
	const char *from = order_wish(o, "From", "+14155550100"),
		   *to = order_wish(o, "To", "+14155550199"),
		   *body = order_wish(o, "Body", "Hello, it's me & you");
	const char *sid = json_str(twilio_message_put(&o->c, "inbound", from, to, body), "sid");

	sid = order_wish(o, "MessageSid", sid);
	o->fields =
	    json_own(o->c.a, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "ToCountry", "US",
				 "MessageSid", sid, "SmsSid", sid, "AccountSid", ACCOUNT, "From",
				 from, "To", to, "Body", body, "NumMedia", "0"));
	return 0;
}

static int twilio_status(struct order *o)
{
	const char *sid =
	    arena_printf(o->c.a, "SM%032llx", (unsigned long long)play_next_number(&o->c, 4096));
	const char *status = order_wish(o, "MessageStatus", "delivered");

	sid = order_wish(o, "MessageSid", sid);
	o->fields =
	    json_own(o->c.a, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "MessageSid", sid, "SmsSid",
				 sid, "AccountSid", ACCOUNT, "MessageStatus", status, "SmsStatus",
				 status, "From", "+14155550199", "To", "+14155550100"));
	return 0;
}

static int twilio_voice(struct order *o)
{
	const char *sid =
	    arena_printf(o->c.a, "CA%032llx", (unsigned long long)play_next_number(&o->c, 4096));

	o->fields = json_own(o->c.a,
	    json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "CallSid", order_wish(o, "CallSid", sid),
		"AccountSid", ACCOUNT, "From", order_wish(o, "From", "+14155550100"), "To",
		order_wish(o, "To", "+14155550199"), "CallStatus",
		order_wish(o, "CallStatus", "completed"), "Direction", "inbound", "SequenceNumber",
		"0"));
	return 0;
}

/* A body of JSON: its hash is in the query, and only the URL is signed. */
static int twilio_json(struct order *o)
{
	char hash[2 * SHA256_SIZE + 1];

	order_json(o,
	    json_pack("{s:s,s:s}", "MessageSid",
		order_wish(o, "MessageSid", play_random(&o->c, "SM", 32)), "AccountSid", ACCOUNT));
	sha256_hex(o->body, hash);
	o->url = o->signed_url = arena_printf(
	    o->c.a, "%s%cbodySHA256=%s", o->url, strchr(o->url, '?') == NULL ? '?' : '&', hash);
	return 0;
}

/* The sender's own forms of an address: its port, and the quotes of its query. */
static const char *url_as_signed(struct order *o)
{
	const char *port = play_switch_text(&o->c, "signed_port"), *url = o->signed_url;
	const char *host = strstr(url, "://"), *slash, *colon;
	struct buf *text;

	if (host == NULL)
		return url;
	if (port != NULL) {
		slash = strchr(host + 3, '/');
		colon = strchr(host + 3, ':');
		if (slash == NULL)
			return url;
		if (colon != NULL && colon < slash)
			url = arena_printf(o->c.a, "%.*s%s%s%s", (int)(colon - url), url,
			    *port != '\0' ? ":" : "", port, slash);
		else
			url = arena_printf(o->c.a, "%.*s%s%s%s", (int)(slash - url), url,
			    *port != '\0' ? ":" : "", port, slash);
	}
	if (!play_is(&o->c, "quote_encoded"))
		return url;
	text = buf_new(o->c.a, 4096);
	for (; *url != '\0'; url++) {
		if (*url == '\'')
			buf_str(text, "%27");
		else
			buf_chr(text, *url);
	}
	return text->p;
}

static void twilio_sign(struct order *o)
{
	order_header(
	    o, "X-Twilio-Signature", sign_twilio(o->c.a, o->secret, url_as_signed(o), o->fields));
}

static const struct play_event twilio_events[] = {
    {"sms", "a text message comes in", twilio_sms},
    {"status", "a message was delivered", twilio_status},
    {"voice", "a call has ended", twilio_voice},
    {"json", "an event whose body is JSON", twilio_json},
};

static const struct play_switch twilio_switches[] = {
    {"signed_port", SWITCH_TEXT, "the address is signed with this port (empty: without any)"},
    {"quote_encoded", SWITCH_FLAG, "a ' in the address is signed as %27"},
};

static void twilio_seed(struct play_call *c)
{
	oauth_token_put(c, ACCOUNT ":" TOKEN, ACCOUNT, 0);
	for (int i = 1; i <= 3; i++)
		(void)twilio_message_put(c, "inbound", arena_printf(c->a, "+1415555010%d", i),
		    "+14155550199", arena_printf(c->a, "Message %d", i));
	(void)play_put(c, "numbers", "PN00000000000000000000000000005a9d",
	    json_pack("{s:s,s:s,s:s,s:I}", "sid", "PN00000000000000000000000000005a9d",
		"phone_number", "+14155550199", "sms_url", "", "at_us", (json_int_t)1));
}

static const struct play_value twilio_values[] = {
    {"accountSid", ACCOUNT},
    {"accessToken", TOKEN},
};

const struct play play_twilio = {.name = "twilio",
    .label = "Twilio",
    .account = ACCOUNT,
    .secret = TOKEN,
    PLAY_VALUES(twilio_values),
    PLAY_ROUTES(twilio_routes),
    .oauth = &twilio_oauth,
    PLAY_EVENTS(twilio_events),
    .sign = twilio_sign,
    PLAY_SWITCHES(twilio_switches),
    .token = twilio_token,
    .refuse = twilio_refuse,
    .seed = twilio_seed};
