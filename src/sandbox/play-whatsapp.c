/* WhatsApp Cloud API: messages out and in, statuses, templates; people may have no number. */
#include "sandbox/play-graph.h"

#define WABA "102290129340398"
#define PHONE "106540352242922"

/* ---- messages ----------------------------------------------------------------------------- */

static const char *message_id(struct play_call *c)
{
	return play_random(c, "wamid.SANDBOX", 20);
}

static int whatsapp_send(struct play_call *c)
{
	const char *to = json_str(c->body, "to"), *type = json_str(c->body, "type"), *id;
	const char *status = json_str(c->body, "status");
	json_t *row;

	if (status != NULL) /* "read" of a message that came */
		return play_json(c, 200, json_pack("{s:b}", "success", 1));
	if (to == NULL || json_str(c->body, "messaging_product") == NULL)
		return graph_error(c, 400, 100, 0, "OAuthException",
		    "(#100) The parameter messaging_product and to are required.");
	if (play_is(c, "outside_window") && (type == NULL || strcmp(type, "template") != 0))
		return graph_error(
		    c, 400, 131047, 0, "OAuthException", "(#131047) Re-engagement message");
	id = message_id(c);
	row = json_deep_copy(c->body);
	json_set_str(row, "id", id);
	(void)play_put(c, "sent", id, row);
	return play_json(c, 200,
	    json_pack("{s:s,s:[{s:s,s:s}],s:[{s:s}]}", "messaging_product", "whatsapp", "contacts",
		"input", to, "wa_id", to[0] == '+' ? to + 1 : to, "messages", "id", id));
}

static json_t *phone_json(void)
{
	return json_pack("{s:s,s:s,s:s,s:s}", "id", PHONE, "verified_name", "Sandbox",
	    "display_phone_number", "+1 555-015-0100", "quality_rating", "GREEN");
}

static int whatsapp_object(struct play_call *c)
{
	const struct str id = play_param(c, "id");

	if (str_is(id, PHONE))
		return play_json(c, 200, phone_json());
	if (str_is(id, WABA) || str_is(id, "me"))
		return play_json(c, 200, json_pack("{s:s,s:s}", "id", WABA, "name", "Sandbox"));
	if (id.n > 0 && id.p[0] >= '1' && id.p[0] <= '9')
		return play_json(c, 200,
		    json_pack("{s:s%,s:s,s:s,s:s,s:i}", "id", id.p, id.n, "messaging_product",
			"whatsapp", "url", "https://lookaside.fbsbx.com/whatsapp/sandbox",
			"mime_type", "image/jpeg", "file_size", 1024));
	return graph_error(c, 400, 100, 33, "GraphMethodException",
	    "Unsupported get request. Object does not exist");
}

static int whatsapp_phones(struct play_call *c)
{
	return play_json(c, 200, json_pack("{s:[o]}", "data", phone_json()));
}

static int whatsapp_templates(struct play_call *c)
{
	const struct str after = play_arg(c, "after");
	struct play_page page = play_page(c, play_rows(c, "templates", NULL, NULL),
	    after.n > 0 ? play_cursor_place(after) : 0, play_number(c, "limit", 25, 100));
	json_t *out = json_pack("{s:o}", "data", page.items);

	if (page.next > 0)
		json_set(out, "paging",
		    json_pack("{s:{s:s},s:s}", "cursors", "after", play_cursor(c, page.next),
			"next",
			play_link(c, arena_printf(c->a, "%.*s?after=%s", (int)c->path.n, c->path.p,
					 play_cursor(c, page.next)))));
	return play_json(c, 200, out);
}

static int whatsapp_template_create(struct play_call *c)
{
	const char *name = json_str(c->body, "name"),
		   *id = arena_printf(c->a, "%lld", (long long)play_next_number(c, 1000));
	json_t *row;

	if (name == NULL)
		return play_refuse(c, REFUSE_INVALID, "(#100) The parameter name is required.");
	row = json_deep_copy(c->body);
	json_set_str(row, "id", id);
	json_set_str(row, "status", "PENDING");
	(void)play_put(c, "templates", id, row);
	return play_json(c, 200, json_pack("{s:s,s:s}", "id", id, "status", "PENDING"));
}

static int whatsapp_subscriptions(struct play_call *c)
{
	return play_json(
	    c, 200, json_pack("{s:O}", "data", play_rows(c, "subscribed_apps", NULL, NULL)));
}

static int whatsapp_subscribe(struct play_call *c)
{
	if (c->r->method == HTTP_DELETE)
		play_drop(c, "subscribed_apps", STR("1"));
	else
		(void)play_put(c, "subscribed_apps", "1",
		    json_pack("{s:{s:s,s:s}}", "whatsapp_business_api_data", "id", "1", "name",
			"Connect"));
	return play_json(c, 200, json_pack("{s:b}", "success", 1));
}

static const struct play_route whatsapp_routes[] = {
    {HTTP_POST, "/:version/:id/messages", whatsapp_send, false},
    {HTTP_GET, "/:version/:id/phone_numbers", whatsapp_phones, false},
    {HTTP_GET, "/:version/:id/message_templates", whatsapp_templates, false},
    {HTTP_POST, "/:version/:id/message_templates", whatsapp_template_create, false},
    {HTTP_GET, "/:version/:id/subscribed_apps", whatsapp_subscriptions, false},
    {HTTP_POST, "/:version/:id/subscribed_apps", whatsapp_subscribe, false},
    {HTTP_DELETE, "/:version/:id/subscribed_apps", whatsapp_subscribe, false},
    {HTTP_GET, "/:version/:id", whatsapp_object, false},
};

/* ---- webhooks ----------------------------------------------------------------------------- */

static void whatsapp_hook(struct order *o, json_t *value)
{
	json_set_str(value, "messaging_product", "whatsapp");
	json_set(value, "metadata",
	    json_pack("{s:s,s:s}", "display_phone_number", "15550150100", "phone_number_id",
		order_wish(o, "phone_number_id", PHONE)));
	order_json(o, json_pack("{s:s,s:[{s:s,s:[{s:s,s:o}]}]}", "object",
			  "whatsapp_business_account", "entry", "id", order_wish(o, "waba", WABA),
			  "changes", "field", "messages", "value", value));
}

/* With the switch without_from there is no number, only an id of the business. */
static int whatsapp_text(struct order *o)
{
	const char *from = order_wish(o, "from", "16505551234"),
		   *user = order_wish(o, "from_user_id", "BR.1502");
	json_t *message = json_pack("{s:s,s:s,s:s,s:s,s:{s:s}}", "from_user_id", user, "id",
	    order_wish(o, "id", message_id(&o->c)), "timestamp",
	    arena_printf(o->c.a, "%lld", (long long)(o->now_us / SECOND_US)), "type", "text",
	    "text", "body", order_wish(o, "body", "hi"));
	json_t *contact = json_pack("{s:{s:s},s:s}", "profile", "name",
	    order_wish(o, "name", "Sam Example"), "user_id", user);

	if (!play_is(&o->c, "without_from")) {
		json_set_str(message, "from", from);
		json_set_str(contact, "wa_id", from);
	}
	whatsapp_hook(o, json_pack("{s:[o],s:[o]}", "contacts", contact, "messages", message));
	return 0;
}

static int whatsapp_status(struct order *o)
{
	whatsapp_hook(o, json_pack("{s:[{s:s,s:s,s:s,s:s}]}", "statuses", "id",
			     order_wish(o, "id", message_id(&o->c)), "status",
			     order_wish(o, "status", "delivered"), "timestamp",
			     arena_printf(o->c.a, "%lld", (long long)(o->now_us / SECOND_US)),
			     "recipient_id", "16505551234"));
	return 0;
}

/* A person's id has changed; there are no contacts. */
static int whatsapp_system(struct order *o)
{
	whatsapp_hook(o, json_pack("{s:[{s:s,s:s,s:s,s:s,s:{s:s,s:s,s:s}}]}", "messages", "from",
			     "16505551234", "id", message_id(&o->c), "timestamp",
			     arena_printf(o->c.a, "%lld", (long long)(o->now_us / SECOND_US)),
			     "type", "system", "system", "body", "User changed their number",
			     "type", "user_changed_user_id", "user_changed_user_id", "BR.1503"));
	return 0;
}

static const struct play_event whatsapp_events[] = {
    {"text", "a message comes in", whatsapp_text},
    {"status", "a message was delivered", whatsapp_status},
    {"system", "a person has another id", whatsapp_system},
    {"challenge", "the check of an address", graph_challenge},
};

static const struct play_switch whatsapp_switches[] = {
    {"without_from", SWITCH_FLAG, "who writes has no number (from, wa_id), only a user id"},
    {"outside_window", SWITCH_FLAG,
	"more than a day since the person wrote: only templates go out"},
};

static void whatsapp_seed(struct play_call *c)
{
	(void)play_put(c, "templates", "1",
	    json_pack("{s:s,s:s,s:s,s:s}", "id", "1", "name", "hello_world", "language", "en_US",
		"status", "APPROVED"));
	(void)play_put(c, "templates", "2",
	    json_pack("{s:s,s:s,s:s,s:s}", "id", "2", "name", "order_update", "language", "en_US",
		"status", "APPROVED"));
}

/* Events name the business account; messages are sent from its number. */
static const struct play_value whatsapp_values[] = {{"phoneNumberId", PHONE}};

const struct play play_whatsapp = {.name = "whatsapp",
    .label = "WhatsApp",
    .account = WABA,
    .secret = OAUTH_SECRET,
    PLAY_VALUES(whatsapp_values),
    PLAY_ROUTES(whatsapp_routes),
    PLAY_EVENTS(whatsapp_events),
    .sign = graph_sign,
    PLAY_SWITCHES(whatsapp_switches),
    .token = graph_token,
    .refuse = graph_refuse,
    .headers = graph_headers,
    .seed = whatsapp_seed};
