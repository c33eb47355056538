/* Salesforce: rows of any object by id, external id, query and collections. It sends no webhooks.
 */
#include "sandbox/play.h"

#define QUERY_PAGE 2000
#define COLLECTION_MAX 200

static int salesforce_errors(struct play_call *c, int status, const char *code, const char *text)
{
	return play_json(c, status, json_pack("[{s:s,s:s}]", "message", text, "errorCode", code));
}

static int salesforce_refuse(struct play_call *c, enum refusal why, const char *text)
{
	switch (why) {
	case REFUSE_NO_TOKEN:
	case REFUSE_EXPIRED:
		return salesforce_errors(
		    c, 401, "INVALID_SESSION_ID", "Session expired or invalid");
	case REFUSE_THROTTLED:
		return salesforce_errors(
		    c, 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
	case REFUSE_FORBIDDEN:
		return salesforce_errors(c, 403, "INSUFFICIENT_ACCESS_OR_READONLY",
		    "insufficient access rights on object id");
	case REFUSE_NOT_FOUND:
		return salesforce_errors(
		    c, 404, "NOT_FOUND", "The requested resource does not exist");
	case REFUSE_INVALID:
		return salesforce_errors(c, 400, "MALFORMED_QUERY", text);
	case REFUSE_BROKEN:
		break;
	}
	return salesforce_errors(c, 500, "UNKNOWN_EXCEPTION", "An unexpected error occurred");
}

static void salesforce_headers(struct play_call *c)
{
	res_headerf(
	    c->r, "Sforce-Limit-Info", "api-usage=%lld/5000000", (long long)play_used(c, 5000000));
}

static const char *salesforce_param(struct play_call *c, const char *name)
{
	const struct str text = play_param(c, name);

	return arena_strndup(c->a, text.p, text.n);
}

/* "2026-03-07T14:30:00.000+0000" */
static const char *salesforce_time(struct play_call *c, int64_t at_us)
{
	char text[CLOCK_TEXT];

	clock_iso(text, at_us - at_us % SECOND_US);
	return arena_printf(c->a, "%.19s.000+0000", text);
}

/* ---- rows --------------------------------------------------------------------------------- */

static const char *salesforce_prefix(const char *type)
{
	static const char *const prefixes[][2] = {{"Lead", "00Q"}, {"Contact", "003"},
	    {"Account", "001"}, {"Opportunity", "006"}, {"Task", "00T"}, {"Case", "500"}};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strcmp(prefixes[i][0], type) == 0)
			return prefixes[i][1];
	return "a00";
}

static json_t *salesforce_put(
    struct play_call *c, const char *type, const json_t *former, const json_t *given)
{
	const char *now = salesforce_time(c, clock_now_us()),
		   *id = former != NULL
			     ? json_str(former, "Id")
			     : arena_printf(c->a, "%s5g%010lldAAA", salesforce_prefix(type),
				   (long long)play_next_number(c, 1000));
	json_t *row = former != NULL ? json_deep_copy(former)
				     : json_pack("{s:s,s:s,s:b}", "Id", id, "CreatedDate", now,
					   "IsDeleted", 0);

	json_object_update(row, (json_t *)(uintptr_t)given);
	json_set_str(row, "LastModifiedDate", now);
	json_set_str(row, "SystemModstamp", now);
	json_set(row, "attributes",
	    json_pack("{s:s,s:s}", "type", type, "url",
		arena_printf(c->a, "/services/data/v67.0/sobjects/%s/%s", type, id)));
	return play_put(c, type, id, row);
}

/* Why a row is not taken. */
struct salesforce_fault {
	const char *code, *text, *field;
};

/* What a Lead must have and has not; NULL: nothing. */
static const char *salesforce_missing(const char *type, const json_t *given)
{
	if (strcmp(type, "Lead") == 0 && json_str(given, "Company") == NULL)
		return "Company";
	if ((strcmp(type, "Lead") == 0 || strcmp(type, "Contact") == 0) &&
	    json_str(given, "LastName") == NULL)
		return "LastName";
	return NULL;
}

/* Is there something against this row, in place of the former one? */
static bool salesforce_is_wrong(struct play_call *c, const char *type, const json_t *former,
    const json_t *given, struct salesforce_fault *f)
{
	const char *missing = former == NULL ? salesforce_missing(type, given) : NULL,
		   *email = json_str(given, "Email");

	if (missing != NULL) {
		*f = (struct salesforce_fault){"REQUIRED_FIELD_MISSING",
		    arena_printf(c->a, "Required fields are missing: [%s]", missing), missing};
		return true;
	}
	if (email == NULL || play_email_is_taken(email))
		return false;
	*f = (struct salesforce_fault){"INVALID_EMAIL_ADDRESS",
	    arena_printf(c->a, "Email: invalid email address: %s", email), "Email"};
	return true;
}

static json_t *salesforce_fault_json(const char *key, const struct salesforce_fault *f)
{
	return json_pack("{s:s,s:s,s:[s]}", key, f->code, "message", f->text, "fields", f->field);
}

static int salesforce_answer_fault(struct play_call *c, const struct salesforce_fault *f)
{
	return play_json(c, 400, json_pack("[o]", salesforce_fault_json("errorCode", f)));
}

static json_t *salesforce_saved_json(const json_t *row)
{
	return json_pack("{s:s,s:b,s:[]}", "id", json_str(row, "Id"), "success", 1, "errors");
}

static int salesforce_create(struct play_call *c)
{
	const char *type = salesforce_param(c, "type");
	struct salesforce_fault fault;

	if (salesforce_is_wrong(c, type, NULL, c->body, &fault))
		return salesforce_answer_fault(c, &fault);
	return play_json(c, 201, salesforce_saved_json(salesforce_put(c, type, NULL, c->body)));
}

static int salesforce_get(struct play_call *c)
{
	json_t *row = play_get(c, salesforce_param(c, "type"), play_param(c, "id"));

	return row != NULL ? play_json(c, 200, json_incref(row))
			   : play_refuse(c, REFUSE_NOT_FOUND, NULL);
}

static int salesforce_update(struct play_call *c)
{
	const char *type = salesforce_param(c, "type");
	const json_t *row = play_get(c, type, play_param(c, "id"));
	struct salesforce_fault fault;

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	if (salesforce_is_wrong(c, type, row, c->body, &fault))
		return salesforce_answer_fault(c, &fault);
	(void)salesforce_put(c, type, row, c->body);
	return res_empty(c->r, 204);
}

static int salesforce_delete(struct play_call *c)
{
	if (play_get(c, salesforce_param(c, "type"), play_param(c, "id")) == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	play_drop(c, salesforce_param(c, "type"), play_param(c, "id"));
	return res_empty(c->r, 204);
}

/* By an external id; its field is not in the body. */
static int salesforce_upsert(struct play_call *c)
{
	const char *type = salesforce_param(c, "type"), *field = salesforce_param(c, "field");
	const json_t *former = play_row_by(c, type, field, play_param(c, "value"));
	json_t *given = json_own(c->a, json_copy(c->body)), *out;
	struct salesforce_fault fault;

	json_set_strn(given, field, play_param(c, "value"));
	if (salesforce_is_wrong(c, type, former, given, &fault))
		return salesforce_answer_fault(c, &fault);
	out = salesforce_saved_json(salesforce_put(c, type, former, given));
	json_set_bool(out, "created", former == NULL);
	if (former != NULL && play_is(c, "no_content")) {
		json_decref(out);
		return res_empty(c->r, 204);
	}
	return play_json(c, former == NULL ? 201 : 200, out);
}

/* ---- collections -------------------------------------------------------------------------- */

static json_t *collection_one(
    struct play_call *c, const char *type, const char *field, const json_t *record)
{
	const char *value =
	    field != NULL ? json_scalar_text(c->a, json_object_get(record, field)) : NULL;
	const json_t *former = value != NULL ? play_row_by(c, type, field, str_from(value)) : NULL;
	struct salesforce_fault fault;
	json_t *out;

	if (salesforce_is_wrong(c, type, former, record, &fault))
		return json_pack("{s:b,s:[o]}", "success", 0, "errors",
		    salesforce_fault_json("statusCode", &fault));
	out = salesforce_saved_json(salesforce_put(c, type, former, record));
	if (field != NULL)
		json_set_bool(out, "created", former == NULL);
	return out;
}

static int collection_save(struct play_call *c, const char *field)
{
	const json_t *records = json_object_get(c->body, "records"), *one;
	json_t *out;
	size_t i;

	if (json_array_size(records) > COLLECTION_MAX)
		return salesforce_errors(c, 400, "EXCEEDED_MAX_SIZE_REQUEST",
		    "record limit reached. cannot submit more than 200 records");
	out = json_array();
	json_array_each(records, i, one) {
		const char *type = json_str(json_object_get(one, "attributes"), "type");

		json_array_append_new(
		    out, collection_one(c, type != NULL ? type : "Lead", field, one));
	}
	return play_json(c, 200, out);
}

static int salesforce_collection(struct play_call *c)
{
	return collection_save(c, NULL);
}

static int salesforce_collection_upsert(struct play_call *c)
{
	return collection_save(c, salesforce_param(c, "field"));
}

/* ---- queries ------------------------------------------------------------------------------ */

/* The words that this little of SOQL knows: FROM type, WHERE field OP time or 'text' (joined by
 * AND), the rest is left out of account. */
struct soql {
	const char *type;
	struct soql_test {
		const char *field, *op, *value;
	} tests[4];
	size_t n;
};

/* The next word; "'…'" is one. */
static const char *soql_word(struct arena *a, struct str *rest)
{
	const char *from;
	size_t n = 0;

	*rest = str_trim(*rest);
	from = rest->p;
	if (rest->n > 0 && *from == '\'') {
		for (n = 1; n < rest->n && from[n] != '\''; n++)
			continue;
		*rest = (struct str){from + n, rest->n - n};
		if (rest->n > 0)
			*rest = (struct str){rest->p + 1, rest->n - 1};
		return arena_strndup(a, from + 1, n - 1);
	}
	while (n < rest->n && strchr(" \t\n()", from[n]) == NULL)
		n++;
	n += n == 0 && rest->n > 0;
	*rest = (struct str){from + n, rest->n - n};
	return n > 0 ? arena_strndup(a, from, n) : NULL;
}

static bool soql_read(struct arena *a, struct str text, struct soql *q)
{
	const char *word;
	bool is_where = false;

	*q = (struct soql){0};
	while ((word = soql_word(a, &text)) != NULL) {
		if (strcasecmp(word, "FROM") == 0) {
			q->type = soql_word(a, &text);
		} else if (strcasecmp(word, "ORDER") == 0 || strcasecmp(word, "LIMIT") == 0) {
			break;
		} else if (strcasecmp(word, "WHERE") == 0) {
			is_where = true;
		} else if (is_where && strcasecmp(word, "AND") != 0 && q->n < 4 &&
			   strchr("()", *word) == NULL) {
			q->tests[q->n].field = word;
			q->tests[q->n].op = soql_word(a, &text);
			q->tests[q->n].value = soql_word(a, &text);
			if (q->tests[q->n++].value == NULL)
				return false;
		}
	}
	return q->type != NULL;
}

static bool soql_passes(const struct play_call *c, const json_t *row, const void *query)
{
	const struct soql *q = query;

	for (size_t i = 0; i < q->n; i++) {
		const struct soql_test *t = &q->tests[i];
		const char *text = json_scalar_text(c->a, json_object_get(row, t->field));
		int64_t x, y;
		int order;

		if (text == NULL)
			return false;
		if (clock_parse_iso(str_from(text), &x) && clock_parse_iso(str_from(t->value), &y))
			order = x < y ? -1 : x > y;
		else
			order = strcmp(text, t->value);
		if (!((strcmp(t->op, "=") == 0 && order == 0) ||
			(strchr(t->op, '>') != NULL && order > 0) ||
			(strchr(t->op, '<') != NULL && order < 0) ||
			(t->op[0] != '\0' && t->op[1] == '=' && order == 0)))
			return false;
	}
	return true;
}

static int query_answer(struct play_call *c, struct str soql, int64_t start)
{
	struct soql q;
	struct play_page page;
	json_t *rows, *out;

	if (!soql_read(c->a, soql, &q))
		return play_refuse(c, REFUSE_INVALID, "unexpected token");
	rows = play_rows(c, q.type, soql_passes, &q);
	play_sort(c, rows, "SystemModstamp", false);
	page = play_page(c, rows, start, QUERY_PAGE);
	out = json_pack("{s:I,s:b,s:o}", "totalSize", (json_int_t)json_array_size(rows), "done",
	    page.next == 0, "records", page.items);
	if (page.next > 0) {
		const char *id = play_random(c, "01g5g0000", 6);

		(void)play_put(c, "query", id,
		    json_pack(
			"{s:s%,s:I}", "soql", soql.p, soql.n, "start", (json_int_t)page.next));
		json_set_str(out, "nextRecordsUrl",
		    arena_printf(c->a, "/services/data/v67.0/query/%s-%lld",
			play_is(c, "repeat_cursor") && start > 0 ? salesforce_param(c, "locator")
								 : id,
			(long long)page.next));
	}
	return play_json(c, 200, out);
}

static int salesforce_query(struct play_call *c)
{
	return query_answer(c, play_arg(c, "q"), 0);
}

static int salesforce_query_more(struct play_call *c)
{
	struct str locator = play_param(c, "locator"), id;
	const json_t *row;

	if (!str_split(&locator, '-', &id) || (row = play_get(c, "query", id)) == NULL)
		return salesforce_errors(c, 400, "INVALID_QUERY_LOCATOR", "invalid query locator");
	return query_answer(c, str_from(json_str(row, "soql")), json_int(row, "start"));
}

/* ---- the org ------------------------------------------------------------------------------ */

#define ORG_ID "00D5g000000SANDBOX"
#define USER_ID "0055g000000SANDBOX"

static int salesforce_userinfo(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:s,s:s,s:s,s:s}", "user_id", USER_ID, "organization_id", ORG_ID,
		"preferred_username", "admin@example.com", "email", "admin@example.com"));
}

static int salesforce_limits(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:{s:i,s:i}}", "DailyApiRequests", "Max", 5000000, "Remaining", 4999887));
}

/* The fields of a Lead in a new organization, of each kind one at least. */
static const struct {
	const char *name, *label, *type;
	int length;
	bool is_nillable, is_createable;
	const char *values;
	bool is_restricted;
} salesforce_fields[] = {{"Id", "Lead ID", "id", 18, false, false, NULL, false},
    {"LastName", "Last Name", "string", 80, false, true, NULL, false},
    {"FirstName", "First Name", "string", 40, true, true, NULL, false},
    {"Salutation", "Salutation", "picklist", 40, true, true, "Mr.,Ms.,Mrs.,Dr.,Prof.", false},
    {"Company", "Company", "string", 255, false, true, NULL, false},
    {"Title", "Title", "string", 128, true, true, NULL, false},
    {"Email", "Email", "email", 80, true, true, NULL, false},
    {"Phone", "Phone", "phone", 40, true, true, NULL, false},
    {"MobilePhone", "Mobile Phone", "phone", 40, true, true, NULL, false},
    {"Website", "Website", "url", 255, true, true, NULL, false},
    {"City", "City", "string", 40, true, true, NULL, false},
    {"Country", "Country", "string", 80, true, true, NULL, false},
    {"Description", "Description", "textarea", 32000, true, true, NULL, false},
    {"LeadSource", "Lead Source", "picklist", 255, true, true,
	"Web,Phone Inquiry,Partner Referral,Purchased List,Other", false},
    {"Status", "Status", "picklist", 255, false, true,
	"Open - Not Contacted,Working - Contacted,Closed - Converted,Closed - Not Converted",
	false},
    {"Rating", "Rating", "picklist", 255, true, true, "Hot,Warm,Cold", true},
    {"AnnualRevenue", "Annual Revenue", "currency", 0, true, true, NULL, false},
    {"NumberOfEmployees", "No. of Employees", "int", 0, true, true, NULL, false},
    {"HasOptedOutOfEmail", "Email Opt Out", "boolean", 0, false, true, NULL, false},
    {"CreatedDate", "Created Date", "datetime", 0, false, false, NULL, false}};

static json_t *salesforce_picklist(const char *list)
{
	json_t *values = json_array();
	struct str rest = str_from(list), one;

	while (list != NULL && str_split(&rest, ',', &one))
		json_array_append_new(values, json_pack("{s:b,s:s%,s:s%}", "active", 1, "label",
						  one.p, one.n, "value", one.p, one.n));
	return values;
}

/* A boolean and a status are filled by themselves. */
static json_t *salesforce_field(size_t i)
{
	bool is_filled = strcmp(salesforce_fields[i].type, "boolean") == 0 ||
			 strcmp(salesforce_fields[i].name, "Status") == 0;

	return json_pack("{s:s,s:s,s:s,s:i,s:b,s:b,s:b,s:b,s:o,s:b}", "name",
	    salesforce_fields[i].name, "label", salesforce_fields[i].label, "type",
	    salesforce_fields[i].type, "length", salesforce_fields[i].length, "nillable",
	    salesforce_fields[i].is_nillable, "createable", salesforce_fields[i].is_createable,
	    "updateable", salesforce_fields[i].is_createable, "defaultedOnCreate", is_filled,
	    "picklistValues", salesforce_picklist(salesforce_fields[i].values),
	    "restrictedPicklist", salesforce_fields[i].is_restricted);
}

static int salesforce_describe(struct play_call *c)
{
	json_t *fields = json_array();

	for (size_t i = 0; i < sizeof(salesforce_fields) / sizeof(salesforce_fields[0]); i++)
		json_array_append_new(fields, salesforce_field(i));
	return play_json(
	    c, 200, json_pack("{s:s,s:o}", "name", salesforce_param(c, "type"), "fields", fields));
}

#define DATA "/services/data/:version"
static const struct play_route salesforce_routes[] = {
    {HTTP_GET, DATA "/query", salesforce_query, false},
    {HTTP_GET, DATA "/query/:locator", salesforce_query_more, false},
    {HTTP_GET, DATA "/limits", salesforce_limits, false},
    {HTTP_POST, DATA "/composite/sobjects", salesforce_collection, false},
    {HTTP_PATCH, DATA "/composite/sobjects/:type/:field", salesforce_collection_upsert, false},
    {HTTP_GET, DATA "/sobjects/:type/describe", salesforce_describe, false},
    {HTTP_POST, DATA "/sobjects/:type", salesforce_create, false},
    {HTTP_GET, DATA "/sobjects/:type/:id", salesforce_get, false},
    {HTTP_PATCH, DATA "/sobjects/:type/:id", salesforce_update, false},
    {HTTP_DELETE, DATA "/sobjects/:type/:id", salesforce_delete, false},
    {HTTP_PATCH, DATA "/sobjects/:type/:field/:value", salesforce_upsert, false},
    {HTTP_GET, "/services/oauth2/userinfo", salesforce_userinfo, false},
    {HTTP_POST, "/services/oauth2/userinfo", salesforce_userinfo, false},
    {HTTP_GET, "/id/:org/:user", salesforce_userinfo, false},
};

/* ---- the login ---------------------------------------------------------------------------- */

/* Without that scope no refresh token comes. */
static bool salesforce_may_refresh(const struct play_call *c, const json_t *authorization)
{
	const char *scope = json_str(authorization, "scope");

	(void)c;
	return authorization == NULL ||
	       (scope != NULL && (strstr(scope, "refresh_token") != NULL ||
				     strstr(scope, "offline_access") != NULL));
}

static int salesforce_token(struct play_call *c, const struct oauth_grant *g)
{
	const char *host = play_is(c, "new_instance_url") && g->is_refresh
			       ? "sandbox-moved.my.salesforce.com"
			       : "sandbox.my.salesforce.com";
	json_t *out = json_pack("{s:s,s:s,s:s,s:s,s:s}", "access_token", g->access, "instance_url",
	    c->host.n > 0 ? arena_printf(c->a, "https://%s", host) : play_link(c, ""), "id",
	    "https://login.salesforce.com/id/" ORG_ID "/" USER_ID, "issued_at",
	    arena_printf(c->a, "%lld", (long long)(clock_now_us() / 1000)), "token_type", "Bearer");

	if (g->refresh != NULL)
		json_set_str(out, "refresh_token", g->refresh);
	json_set_str(out, "scope", g->scope != NULL ? g->scope : "api");
	return play_json(c, 200, out);
}

static const struct play_oauth salesforce_oauth = {.authorize = "/services/oauth2/authorize",
    .token = "/services/oauth2/token",
    .revoke = "/services/oauth2/revoke",
    .flags = OAUTH_CLIENT_GRANT,
    .expires_s = 7200,
    .may_refresh = salesforce_may_refresh,
    .answer = salesforce_token};

static const struct play_switch salesforce_switches[] = {
    {"no_content", SWITCH_FLAG, "an upsert of what is there is answered 204, without a body"},
    {"new_instance_url", SWITCH_FLAG, "a refresh names another instance_url"},
};

static void salesforce_seed(struct play_call *c)
{
	static const char *const people[][3] = {{"Noor", "Haddad", "Blue Harbour Ltd"},
	    {"Jonas", "Berg", "Atlas Foods"}, {"Mei", "Tanaka", "Kite Logistics"}};

	for (size_t i = 0; i < 3; i++)
		(void)salesforce_put(c, "Lead", NULL,
		    json_own(c->a, json_pack("{s:s,s:s,s:s,s:s,s:s}", "FirstName", people[i][0],
				       "LastName", people[i][1], "Company", people[i][2], "Email",
				       arena_printf(c->a, "%s@example.com", people[i][1]), "Status",
				       "Open - Not Contacted")));
	(void)salesforce_put(c, "Contact", NULL,
	    json_own(c->a, json_pack("{s:s,s:s,s:s}", "FirstName", "Ines", "LastName", "Silva",
			       "Email", "ines@example.com")));
	(void)salesforce_put(
	    c, "Account", NULL, json_own(c->a, json_pack("{s:s}", "Name", "Northwind Traders")));
	(void)play_put(c, "Organization", ORG_ID,
	    json_pack("{s:s,s:s,s:s}", "Id", ORG_ID, "Name", "Sandbox", "SystemModstamp",
		salesforce_time(c, clock_now_us())));
}

static const struct play_value salesforce_values[] = {
    {"loginHost", "login.salesforce.com"},
    {"instanceUrl", "https://sandbox.my.salesforce.com"},
};

const struct play play_salesforce = {.name = "salesforce",
    .label = "Salesforce",
    .account = ORG_ID,
    .secret = OAUTH_SECRET,
    PLAY_VALUES(salesforce_values),
    PLAY_ROUTES(salesforce_routes),
    .oauth = &salesforce_oauth,
    PLAY_SWITCHES(salesforce_switches),
    .refuse = salesforce_refuse,
    .headers = salesforce_headers,
    .seed = salesforce_seed};
