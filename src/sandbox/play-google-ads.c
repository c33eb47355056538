/* Google Ads: leads by searchStream and search, customers, webhooks that carry their key. */
#include "sandbox/play-google.h"

#define ACCOUNT "1234567890"
#define SEARCH_PAGE 1000
#define DEVELOPER_TOKEN "sandbox-developer-token"

/* errorCode: {"quotaError": "RESOURCE_EXHAUSTED"}, say. */
static int ads_error(struct play_call *c, int status, const char *word, const char *group,
    const char *code, const char *text)
{
	return play_json(c, status,
	    json_pack("{s:{s:i,s:s,s:s,s:[{s:s,s:[{s:{s:s},s:s,s:{s:{s:s,s:s}}}]}]}}", "error",
		"code", status, "message", text, "status", word, "details", "@type",
		"type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure", "errors",
		"errorCode", group, code, "message", text, "details", "quotaErrorDetails",
		"rateScope", "ACCOUNT", "retryDelay", "1s"));
}

static int ads_refuse(struct play_call *c, enum refusal why, const char *text)
{
	if (why == REFUSE_THROTTLED)
		return ads_error(c, 429, "RESOURCE_EXHAUSTED", "quotaError", "RESOURCE_EXHAUSTED",
		    "Resource has been exhausted (e.g. check quota).");
	return google_refuse(c, why, text);
}

/* ---- leads -------------------------------------------------------------------------------- */

/* "2026-01-01 12:32:45+00:00" */
static const char *ads_time(struct play_call *c, int64_t at_us)
{
	char text[CLOCK_TEXT];

	clock_iso(text, at_us - at_us % SECOND_US);
	return arena_printf(c->a, "%.10s %.8s+00:00", text, text + 11);
}

static json_t *ads_lead_put(
    struct play_call *c, const char *id, const char *name, const char *email, int64_t at_us)
{
	return play_put(c, "leads", id,
	    json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:[{s:s,s:s},{s:s,s:s}],s:[{s:s,s:s}]}",
		"resourceName",
		arena_printf(c->a, "customers/" ACCOUNT "/leadFormSubmissionData/%s", id), "id", id,
		"asset", "customers/" ACCOUNT "/assets/40000000000", "campaign",
		"customers/" ACCOUNT "/campaigns/123", "gclid", "Cj0K-sandbox",
		"submissionDateTime", ads_time(c, at_us), "at_us", (json_int_t)at_us,
		"leadFormSubmissionFields", "fieldType", "FULL_NAME", "fieldValue", name,
		"fieldType", "EMAIL", "fieldValue", email, "customLeadFormSubmissionFields",
		"questionText", "When do you want to start?", "fieldValue", "This week"));
}

/* The time behind submission_date_time > or >= in a query; 0 for none. */
static int64_t query_since(const char *query)
{
	const char *at = query != NULL ? strstr(query, "submission_date_time >") : NULL;
	const char *quote = at != NULL ? strchr(at, '\'') : NULL, *end;
	int64_t since;

	if (quote == NULL || (end = strchr(quote + 1, '\'')) == NULL ||
	    !clock_parse_iso((struct str){quote + 1, (size_t)(end - quote) - 1}, &since))
		return 0;
	return since;
}

static int64_t query_until(const char *query)
{
	const char *at = query != NULL ? strstr(query, "submission_date_time <") : NULL;
	const char *quote = at != NULL ? strchr(at, '\'') : NULL, *end;
	int64_t until;

	if (quote == NULL || (end = strchr(quote + 1, '\'')) == NULL ||
	    !clock_parse_iso((struct str){quote + 1, (size_t)(end - quote) - 1}, &until))
		return INT64_MAX;
	return until;
}

static bool ads_lead_passes(const struct play_call *c, const json_t *row, const void *query)
{
	const int64_t at = json_int(row, "at_us");
	const char *wanted = strstr(query, ".id = '"), *id = json_str(row, "id");

	(void)c;
	if (wanted != NULL && strncmp(wanted + 7, id, strlen(id)) != 0)
		return false;
	return at >= query_since(query) && at <= query_until(query);
}

static json_t *ads_results(struct play_call *c, const char *query, json_t *rows)
{
	const char *member = strstr(query, "FROM customer_client") != NULL     ? "customerClient"
			     : strstr(query, "FROM asset") != NULL             ? "asset"
			     : strstr(query, "FROM campaign") != NULL          ? "campaign"
			     : strstr(query, "FROM conversion_action") != NULL ? "conversionAction"
			     : strstr(query, "FROM customer") != NULL          ? "customer"
								      : "leadFormSubmissionData";
	json_t *results = json_array(), *row;
	size_t i;

	(void)c;
	json_array_each(rows, i, row)
		json_array_append_new(results, json_pack("{s:O}", member, row));
	return results;
}

static json_t *ads_rows(struct play_call *c, const char *query)
{
	static const char *const kinds[][2] = {{"FROM customer_client", "clients"},
	    {"FROM asset", "forms"}, {"FROM campaign", "campaigns"},
	    {"FROM conversion_action", "conversions"}, {"FROM customer", "customers"}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(query, kinds[i][0]) != NULL)
			return play_rows(c, kinds[i][1], NULL, NULL);
	return play_rows(c, "leads", ads_lead_passes, query);
}

/* The developer token is asked for by every call; a wrong one never becomes right. */
static bool developer_is_known(struct play_call *c)
{
	const char *token = play_header(c, "developer-token");

	return token != NULL && strcmp(token, DEVELOPER_TOKEN) == 0;
}

static int ads_stranger(struct play_call *c)
{
	return ads_error(c, 403, "PERMISSION_DENIED", "authorizationError",
	    "DEVELOPER_TOKEN_NOT_APPROVED", "The developer token is not valid.");
}

/* customers/:id/googleAds:search and …:searchStream */
static int ads_query(struct play_call *c)
{
	const char *query = json_str(c->body, "query");
	const bool is_stream = str_is(play_param(c, "verb"), "googleAds:searchStream");
	const struct str token = play_arg(c, "pageToken");
	struct play_page page;
	json_t *rows, *out;

	if (!developer_is_known(c))
		return ads_stranger(c);
	if (query == NULL || strstr(query, "FROM ") == NULL)
		return play_refuse(c, REFUSE_INVALID, "Error in query: unexpected end of query.");
	rows = ads_rows(c, query);
	if (is_stream) {
		if (json_array_size(rows) == 0)
			return play_json(c, 200,
			    play_is(c, "empty_batch") ? json_pack("[{s:s}]", "requestId", "1")
						      : json_array());
		return play_json(c, 200,
		    json_pack("[{s:o,s:s}]", "results", ads_results(c, query, rows), "requestId",
			"sandbox"));
	}
	page = play_page(c, rows, token.n > 0 ? play_cursor_place(token) : 0, SEARCH_PAGE);
	out = json_pack("{s:o}", "results", ads_results(c, query, json_own(c->a, page.items)));
	if (page.next > 0)
		json_set_str(out, "nextPageToken", play_cursor(c, page.next));
	return play_json(c, 200, out);
}

static int ads_customers(struct play_call *c)
{
	if (!developer_is_known(c))
		return ads_stranger(c);
	return play_json(c, 200,
	    json_pack("{s:[s,s]}", "resourceNames", "customers/" ACCOUNT, "customers/2345678901"));
}

/* Offline conversions: all are taken. */
static int ads_upload(struct play_call *c)
{
	const json_t *list = json_object_get(c->body, "conversions");

	if (!developer_is_known(c))
		return ads_stranger(c);
	return play_json(c, 200,
	    json_pack("{s:o}", "results", list != NULL ? json_deep_copy(list) : json_array()));
}

/* campaigns:mutate and the like: done. */
static int ads_mutate(struct play_call *c)
{
	if (!developer_is_known(c))
		return ads_stranger(c);
	return play_json(c, 200,
	    json_pack(
		"{s:[{s:s}]}", "results", "resourceName", "customers/" ACCOUNT "/campaigns/123"));
}

static int ads_verb(struct play_call *c)
{
	const struct str verb = play_param(c, "verb");

	if (str_ends(verb, ":mutate"))
		return ads_mutate(c);
	return str_starts(verb, "googleAds:search") ? ads_query(c)
						    : play_refuse(c, REFUSE_NOT_FOUND, NULL);
}

static int ads_customer_verb(struct play_call *c)
{
	return str_ends(play_param(c, "customer"), ":uploadClickConversions")
		   ? ads_upload(c)
		   : play_refuse(c, REFUSE_NOT_FOUND, NULL);
}

static const struct play_route ads_routes[] = {
    {HTTP_GET, "/:version/customers:listAccessibleCustomers", ads_customers, false},
    {HTTP_POST, "/:version/customers/:customer/:verb", ads_verb, false},
    {HTTP_POST, "/:version/customers/:customer", ads_customer_verb, false},
};

/* ---- webhooks ----------------------------------------------------------------------------- */

static int ads_lead_order(struct order *o, bool is_test)
{
	const char *id =
	    arena_printf(o->c.a, "sandbox-%lld", (long long)play_next_number(&o->c, 1000));
	const char *name = order_wish(o, "name", "Ann Example"),
		   *email = order_wish(o, "email", arena_printf(o->c.a, "%s@example.com", id));

	id = order_wish(o, "lead_id", id);
	(void)ads_lead_put(&o->c, id, name, email, o->now_us);
	order_json(
	    o, json_pack("{s:s,s:s,s:I,s:i,s:s,s:s,s:b,s:[{s:s,s:s,s:s},{s:s,s:s}]}", "lead_id", id,
		   "api_version", "1.0", "form_id", (json_int_t)INT64_C(40000000000), "campaign_id",
		   123, "gcl_id", "Cj0K-sandbox", "google_key", o->secret, "is_test", is_test,
		   "user_column_data", "column_id", "FULL_NAME", "column_name", "Full Name",
		   "string_value", name, "column_id", "EMAIL", "string_value", email));
	return 0;
}

static int ads_lead(struct order *o)
{
	return ads_lead_order(o, false);
}

static int ads_test_lead(struct order *o)
{
	return ads_lead_order(o, true);
}

static const struct play_event ads_events[] = {
    {"lead", "a lead form is sent", ads_lead},
    {"test_lead", "the test lead of a form's settings", ads_test_lead},
};

static const struct play_switch ads_switches[] = {
    {"empty_batch", SWITCH_FLAG, "an empty result is a batch without results, not an empty list"},
};

static void ads_seed(struct play_call *c)
{
	for (int i = 1; i <= 3; i++)
		(void)ads_lead_put(c, arena_printf(c->a, "%d", i), arena_printf(c->a, "Lead %d", i),
		    arena_printf(c->a, "ads%d@example.com", i), clock_now_us() - i * DAY_US);
	(void)play_put(c, "customers", ACCOUNT,
	    json_pack("{s:s,s:s,s:s}", "resourceName", "customers/" ACCOUNT, "id", ACCOUNT,
		"descriptiveName", "Sandbox ads"));
	(void)play_put(c, "campaigns", "123",
	    json_pack("{s:s,s:s,s:s}", "resourceName", "customers/" ACCOUNT "/campaigns/123", "id",
		"123", "name", "Sandbox campaign"));
	(void)play_put(c, "conversions", "9",
	    json_pack("{s:s,s:s,s:s}", "resourceName", "customers/" ACCOUNT "/conversionActions/9",
		"id", "9", "name", "Sandbox conversion"));
	(void)play_put(c, "forms", "40000000000",
	    json_pack("{s:s,s:s,s:s,s:{s:s}}", "resourceName",
		"customers/" ACCOUNT "/assets/40000000000", "id", "40000000000", "name",
		"Sandbox form", "leadFormAsset", "headline", "Talk to us"));
}

const struct play play_google_ads = {.name = "google_ads",
    .label = "Google Ads",
    .account = ACCOUNT,
    .secret = "sandbox-google-key",
    PLAY_ROUTES(ads_routes),
    .oauth = &google_oauth,
    PLAY_EVENTS(ads_events),
    PLAY_SWITCHES(ads_switches),
    .refuse = ads_refuse,
    .seed = ads_seed};
