/* LinkedIn lead sync: responses by owner, notifications, dated versions, the check of an address.
 */
#include "sandbox/play.h"
#include "sandbox/signing.h"

#define LIST_MAX 100
#define ACCOUNT "522"
#define OLDEST_VERSION 202601 /* older ones are gone */

static int linkedin_error(struct play_call *c, int status, int code, const char *text)
{
	return play_json(c, status,
	    json_pack(
		"{s:i,s:i,s:s}", "status", status, "serviceErrorCode", code, "message", text));
}

static int linkedin_refuse(struct play_call *c, enum refusal why, const char *text)
{
	switch (why) {
	case REFUSE_NO_TOKEN:
		return linkedin_error(c, 401, 65600, "Invalid access token");
	case REFUSE_EXPIRED:
		return linkedin_error(c, 401, 65601, "The token used in the request has expired");
	case REFUSE_THROTTLED:
		return linkedin_error(c, 429, 101,
		    "Resource level throttle APPLICATION_AND_MEMBER DAY limit for calls to this "
		    "resource is reached.");
	case REFUSE_FORBIDDEN:
		return linkedin_error(
		    c, 403, 100, "Not enough permissions to access: leadFormResponses");
	case REFUSE_NOT_FOUND:
		return linkedin_error(c, 404, 0, "Not Found");
	case REFUSE_INVALID:
		return linkedin_error(c, 400, 100, text);
	case REFUSE_BROKEN:
		break;
	}
	return linkedin_error(c, 500, 0, "Internal Server Error");
}

/* Says what is wrong with the version header: false, and it is answered. */
static bool version_is_good(struct play_call *c, int *rc)
{
	const char *version = play_header(c, "linkedin-version");
	int64_t n = 0;

	if (version == NULL) {
		*rc = play_json(c, 400,
		    json_pack("{s:i,s:s,s:s}", "status", 400, "code", "VERSION_MISSING", "message",
			"A version must be present. Please specify a version by adding the "
			"LinkedIn-Version header."));
		return false;
	}
	if (str_to_i64(str_from(version), 200000, 300000, &n) && n >= OLDEST_VERSION &&
	    !play_is(c, "version_gone"))
		return true;
	*rc = play_json(c, 426,
	    json_pack("{s:i,s:s,s:s}", "status", 426, "code", "NONEXISTENT_VERSION", "message",
		arena_printf(c->a, "Requested version %s is not active", version)));
	return false;
}

/* ---- responses ---------------------------------------------------------------------------- */

static json_t *form_json(void)
{
	return json_pack(
	    "{s:i,s:s,s:[],s:{s:[{s:i,s:s,s:s},{s:i,s:s,s:s},{s:i,s:s,s:s},{s:i,s:s}]}}", "id",
	    3162, "name", "Sandbox form", "hiddenFields", "content", "questions", "questionId", 1,
	    "predefinedField", "FIRST_NAME", "name", "First name", "questionId", 2,
	    "predefinedField", "LAST_NAME", "name", "Last name", "questionId", 3, "predefinedField",
	    "EMAIL", "name", "Email address", "questionId", 4, "name",
	    "When do you want to start?");
}

static json_t *answer_json(int question, const char *text)
{
	return json_pack("{s:i,s:{s:{s:s}}}", "questionId", question, "answerDetails",
	    "textQuestionAnswer", "answer", text);
}

static json_t *response_put(
    struct play_call *c, const char *id, const char *first, const char *email, int64_t at_us)
{
	return play_put(c, "responses", id,
	    json_pack("{s:s,s:I,s:s,s:b,s:s,s:{s:{s:s}},s:{s:[o,o,o,o],s:[{s:i,s:b}]},s:o}", "id",
		id, "submittedAt", (json_int_t)(at_us / 1000), "leadType", "SPONSORED", "testLead",
		0, "versionedLeadGenFormUrn",
		"urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)", "leadMetadata",
		"sponsoredLeadMetadata", "campaign", "urn:li:sponsoredCampaign:700", "formResponse",
		"answers", answer_json(1, first), answer_json(2, "Example"), answer_json(3, email),
		answer_json(4, "This week"), "consentResponses", "consentId", 1, "accepted", 1,
		"form", form_json()));
}

/* The number behind "start:" and "end:" of submittedAtTimeRange. */
static int64_t range_end(struct str range, const char *name, int64_t otherwise)
{
	const char *at = range.n > 0 ? memmem(range.p, range.n, name, strlen(name)) : NULL;
	struct str digits;
	int64_t n;

	if (at == NULL)
		return otherwise;
	at += strlen(name);
	digits = (struct str){at, strspn(at, "0123456789")};
	return str_to_i64(digits, 0, INT64_MAX, &n) ? n : otherwise;
}

struct submitted {
	int64_t from, until;
};

static bool submitted_passes(const struct play_call *c, const json_t *row, const void *arg)
{
	const struct submitted *s = arg;
	const int64_t at = json_int(row, "submittedAt");

	(void)c;
	return at >= s->from && at <= s->until;
}

static json_t *elements_json(struct play_call *c, json_t *rows)
{
	const int64_t count = play_number(c, "count", 10, LIST_MAX);
	int64_t start = 0;
	struct play_page page;

	(void)str_to_i64(play_arg(c, "start"), 0, INT64_MAX, &start);
	page = play_page(c, rows, start, count);
	return json_pack("{s:{s:I,s:I,s:I,s:[]},s:o}", "paging", "start", (json_int_t)start,
	    "count", (json_int_t)count, "total", (json_int_t)json_array_size(rows), "links",
	    "elements", page.items);
}

static int linkedin_responses(struct play_call *c)
{
	const struct str range = play_arg(c, "submittedAtTimeRange"), owner = play_arg(c, "owner");
	const struct submitted s = {
	    range_end(range, "start:", 0), range_end(range, "end:", INT64_MAX)};
	int rc;

	if (!version_is_good(c, &rc))
		return rc;
	/* As it came: structure is literal, and only the URN within is encoded. */
	if (!str_starts(owner, "(") ||
	    memmem(c->r->query_string.p, c->r->query_string.n, "owner=(", 7) == NULL)
		return play_refuse(c, REFUSE_INVALID, "Invalid query parameters passed to request");
	return play_json(c, 200, elements_json(c, play_rows(c, "responses", submitted_passes, &s)));
}

static int linkedin_response(struct play_call *c)
{
	json_t *row = play_get(c, "responses", play_param(c, "id"));
	int rc;

	if (!version_is_good(c, &rc))
		return rc;
	return row != NULL ? play_json(c, 200, json_incref(row))
			   : play_refuse(c, REFUSE_NOT_FOUND, NULL);
}

static int linkedin_forms(struct play_call *c)
{
	json_t *rows = json_own(c->a, json_pack("[o]", form_json()));
	int rc;

	return version_is_good(c, &rc) ? play_json(c, 200, elements_json(c, rows)) : rc;
}

static int linkedin_form(struct play_call *c)
{
	int rc;

	return version_is_good(c, &rc) ? play_json(c, 200, form_json()) : rc;
}

static int linkedin_accounts(struct play_call *c)
{
	json_t *rows = json_own(c->a, json_pack("[{s:i,s:s,s:s,s:s}]", "id", 522, "name",
					  "Sandbox ads", "status", "ACTIVE", "type", "BUSINESS"));
	int rc;

	return version_is_good(c, &rc) ? play_json(c, 200, elements_json(c, rows)) : rc;
}

static int linkedin_campaigns(struct play_call *c)
{
	int rc;

	if (!version_is_good(c, &rc))
		return rc;
	return play_json(c, 200,
	    json_pack("{s:[{s:i,s:s,s:s}],s:{}}", "elements", "id", 700, "name", "Sandbox campaign",
		"status", "ACTIVE", "metadata"));
}

static int linkedin_campaign_update(struct play_call *c)
{
	int rc;

	return version_is_good(c, &rc) ? res_empty(c->r, 204) : rc;
}

/* Conversions: all are taken. */
static int linkedin_convert(struct play_call *c)
{
	int rc;

	return version_is_good(c, &rc) ? res_empty(c->r, 201) : rc;
}

static int linkedin_me(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack(
		"{s:s,s:s,s:s}", "id", "sandbox", "sub", "sandbox", "localizedFirstName", "Ada"));
}

/* ---- notifications ------------------------------------------------------------------------ */

static int linkedin_subscribe(struct play_call *c)
{
	const char *id = arena_printf(c->a, "%lld", (long long)play_next_number(c, 1000));
	json_t *row;
	int rc;

	if (!version_is_good(c, &rc))
		return rc;
	if (json_str(c->body, "webhook") == NULL || json_object_get(c->body, "owner") == NULL)
		return play_refuse(c, REFUSE_INVALID, "webhook and owner are required");
	row = json_deep_copy(c->body);
	json_set_int(row, "id", strtoll(id, NULL, 10));
	(void)play_put(c, "notifications", id, row);
	res_header(c->r, "x-restli-id", id);
	return res_empty(c->r, 201);
}

static int linkedin_subscriptions(struct play_call *c)
{
	int rc;

	return version_is_good(c, &rc)
		   ? play_json(c, 200, elements_json(c, play_rows(c, "notifications", NULL, NULL)))
		   : rc;
}

static int linkedin_unsubscribe(struct play_call *c)
{
	if (play_get(c, "notifications", play_param(c, "id")) == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	play_drop(c, "notifications", play_param(c, "id"));
	return res_empty(c->r, 204);
}

static const struct play_route linkedin_routes[] = {
    {HTTP_GET, "/rest/leadFormResponses", linkedin_responses, false},
    {HTTP_GET, "/rest/leadFormResponses/:id", linkedin_response, false},
    {HTTP_GET, "/rest/leadForms", linkedin_forms, false},
    {HTTP_GET, "/rest/adAccounts", linkedin_accounts, false},
    {HTTP_GET, "/rest/leadNotifications", linkedin_subscriptions, false},
    {HTTP_POST, "/rest/leadNotifications", linkedin_subscribe, false},
    {HTTP_DELETE, "/rest/leadNotifications/:id", linkedin_unsubscribe, false},
    {HTTP_GET, "/rest/adAccounts/:account/adCampaigns", linkedin_campaigns, false},
    {HTTP_POST, "/rest/adAccounts/:account/adCampaigns/:id", linkedin_campaign_update, false},
    {HTTP_POST, "/rest/conversionEvents", linkedin_convert, false},
    {HTTP_GET, "/rest/leadForms/:id", linkedin_form, false},
    {HTTP_GET, "/rest/me", linkedin_me, false},
    {HTTP_GET, "/v2/userinfo", linkedin_me, false},
    {HTTP_GET, "/v2/me", linkedin_me, false},
};

/* ---- the login ---------------------------------------------------------------------------- */

/* For approved partners alone. */
static bool linkedin_may_refresh(const struct play_call *c, const json_t *authorization)
{
	(void)authorization;
	return !play_is(c, "no_partner");
}

static const struct play_oauth linkedin_oauth = {.authorize = "/oauth/v2/authorization",
    .token = "/oauth/v2/accessToken",
    .revoke = "/oauth/v2/revoke",
    .flags = OAUTH_TELLS_SAME,
    .expires_s = 5184000,
    .refresh_s = 31536000,
    .may_refresh = linkedin_may_refresh};

/* ---- webhooks ----------------------------------------------------------------------------- */

static int linkedin_lead_order(struct order *o, const char *action)
{
	const char *id = order_wish(o, "id", play_random(&o->c, "249592fc-", 12));

	if (strcmp(action, "CREATED") == 0)
		(void)response_put(&o->c, id, order_wish(o, "first", "Ann"),
		    order_wish(o, "email", arena_printf(o->c.a, "%s@example.com", id)), o->now_us);
	order_json(
	    o, json_pack("{s:s,s:s,s:s,s:{s:s},s:{},s:s,s:s,s:I}", "type", "LEAD_ACTION",
		   "leadGenFormResponse", arena_printf(o->c.a, "urn:li:leadGenFormResponse:%s", id),
		   "leadGenForm", "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)",
		   "owner", "sponsoredAccount",
		   arena_printf(
		       o->c.a, "urn:li:sponsoredAccount:%s", order_wish(o, "account", ACCOUNT)),
		   "associatedEntity", "leadType", "SPONSORED", "leadAction", action, "occurredAt",
		   (json_int_t)(o->now_us / 1000)));
	return 0;
}

static int linkedin_created(struct order *o)
{
	return linkedin_lead_order(o, "CREATED");
}

static int linkedin_deleted(struct order *o)
{
	return linkedin_lead_order(o, "DELETED");
}

/* A GET that wants the code answered with its MAC. */
static int linkedin_challenge(struct order *o)
{
	const char *code = order_wish(o, "challengeCode", "890e4665-4dfe-4ab1-b689-ed553bceeed0");

	o->expects = sign_linkedin_challenge(o->c.a, o->secret, code);
	o->method = "GET";
	o->url = arena_printf(o->c.a, "%s%cchallengeCode=%s&applicationId=%s", o->url,
	    strchr(o->url, '?') == NULL ? '?' : '&', code, OAUTH_CLIENT);
	return 0;
}

static void linkedin_sign(struct order *o)
{
	if (strcmp(o->method, "GET") != 0)
		order_header(o, "X-LI-Signature", sign_linkedin(o->c.a, o->secret, o->body));
}

static const struct play_event linkedin_events[] = {
    {"created", "a lead form is sent", linkedin_created},
    {"deleted", "a lead is to be erased", linkedin_deleted},
    {"challenge", "the check of an address", linkedin_challenge},
};

static const struct play_switch linkedin_switches[] = {
    {"version_gone", SWITCH_FLAG, "the API's version is closed: 426"},
    {"no_partner", SWITCH_FLAG, "there are no refresh tokens (the app is no approved partner's)"},
};

static void linkedin_seed(struct play_call *c)
{
	static const char *const names[] = {"Ann", "Ben", "Chiara"};

	for (int i = 0; i < 3; i++)
		(void)response_put(c, arena_printf(c->a, "249592fc-%d", i + 1), names[i],
		    arena_printf(c->a, "%s@example.com", names[i]),
		    clock_now_us() - (i + 1) * DAY_US);
}

const struct play play_linkedin = {.name = "linkedin_ads",
    .label = "LinkedIn",
    .account = ACCOUNT,
    .secret = OAUTH_SECRET,
    PLAY_ROUTES(linkedin_routes),
    .oauth = &linkedin_oauth,
    PLAY_EVENTS(linkedin_events),
    .sign = linkedin_sign,
    PLAY_SWITCHES(linkedin_switches),
    .refuse = linkedin_refuse,
    .seed = linkedin_seed};
