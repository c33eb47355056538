/* The part of Meta's Graph API that lead ads need: /vNN.N/{id}[/edge], any version. Leads and forms
 * are those of leads.c. */
#include "base/limits.h"
#include "sandbox/play-graph.h"
#include "sandbox/signing.h"

#define LEADS_DEFAULT 25
#define LEADS_MAX 500

#define SECOND_PAGE "153125381134"

struct graph {
	struct play_call *c;
	struct req *r;
	struct sandbox *s;
	struct product p;
	struct str id, edge; /* edge absent: the object itself */
	struct err err;
};

static int unknown_object(struct graph *g)
{
	return graph_error(g->c, 400, 100, 33, "GraphMethodException",
	    arena_printf(g->r->a,
		"Unsupported %s request. Object with ID '%.*s' does not exist, "
		"cannot be loaded due to missing permissions, or does not support this operation",
		g->r->method == HTTP_GET ? "get" : "post", (int)g->id.n, g->id.p));
}

static int graph_failed(struct graph *g)
{
	return res_error(g->r, &g->err);
}

static struct str graph_param(const struct graph *g, const char *name)
{
	return play_arg(g->c, name);
}

/* ---- leads -------------------------------------------------------------------------------- */

/* The members that fields= names; 0, or -1 with the unknown name. */
static int fields_only(const struct graph *g, const json_t *lead, json_t *out, struct str *unknown)
{
	static const char *const known[] = {"id", "created_time", "ad_id", "ad_name", "adset_id",
	    "adset_name", "campaign_id", "campaign_name", "form_id", "is_organic", "platform",
	    "field_data", NULL};
	struct str rest = graph_param(g, "fields"), name;

	if (rest.n == 0)
		rest = STR("created_time,field_data");
	json_object_set(out, "id", json_object_get(lead, "id"));
	while (rest.n > 0 && str_split(&rest, ',', &name)) {
		const char *const *k = known;

		name = str_trim(name);
		while (*k != NULL && !str_is(name, *k))
			k++;
		if (*k == NULL) {
			*unknown = name;
			return -1;
		}
		json_object_set(out, *k, json_object_get(lead, *k));
	}
	return 0;
}

static int fields_unknown(struct graph *g, struct str name)
{
	return graph_error(g->c, 400, 100, 0, "OAuthException",
	    arena_printf(
		g->r->a, "(#100) Tried accessing nonexisting field (%.*s)", (int)name.n, name.p));
}

static int graph_get_lead(struct graph *g)
{
	json_t *lead = NULL, *out;
	struct str unknown;
	const int found = leads_get(g->s->leads, g->r->a, &g->p, g->id, &lead, &g->err);

	if (found == -1)
		return graph_failed(g);
	if (found == 0 || play_switch_use(g->c, "fresh_leads"))
		return unknown_object(g);
	out = json_object();
	if (fields_only(g, lead, out, &unknown) == -1) {
		json_decref(out);
		return fields_unknown(g, unknown);
	}
	return res_json(g->r, 200, out);
}

/* filtering=[{"field":"time_created","operator":"GREATER_THAN","value":1700000000}] */
static bool graph_filter_read(const struct graph *g, int64_t *created_after_s)
{
	const struct str text = graph_param(g, "filtering");
	const json_t *list, *one, *value;
	size_t i;

	*created_after_s = -1;
	if (text.n == 0)
		return true;
	list = json_parse(g->r->a, text, NULL);
	if (!json_is_array(list))
		return false;
	json_array_each(list, i, one) {
		const char *field = json_str(one, "field"), *op = json_str(one, "operator");

		value = json_object_get(one, "value");
		if (field == NULL || strcmp(field, "time_created") != 0 || op == NULL ||
		    !json_is_integer(value))
			return false;
		if (strcmp(op, "GREATER_THAN") == 0)
			*created_after_s = json_integer_value(value);
		else if (strcmp(op, "GREATER_THAN_OR_EQUAL") == 0)
			*created_after_s = json_integer_value(value) - 1;
		else
			return false;
	}
	return true;
}

static char *graph_cursor_text(struct arena *a, int64_t seq)
{
	struct buf *b = buf_new(a, 64);
	char digits[32];
	const int n = snprintf(digits, sizeof(digits), "lead-%lld", (long long)seq);

	base64url_encode(b, digits, (size_t)n);
	return b->p;
}

static bool graph_cursor_seq(struct str text, int64_t *seq)
{
	char digits[64];
	const long n = base64url_decode(digits, sizeof(digits), text);

	return n > 5 && memcmp(digits, "lead-", 5) == 0 &&
	       str_to_i64((struct str){digits + 5, (size_t)n - 5}, 1, INT64_MAX / 2, seq);
}

static const char *graph_next_url(struct graph *g, int64_t limit, const char *after)
{
	struct buf *b = buf_new(g->r->a, LIMIT_URL_BYTES);
	static const char *const kept[] = {"fields", "filtering"};

	buf_printf(b, "%s?limit=%lld&after=%s",
	    play_link(g->c, arena_printf(g->r->a, "%.*s", (int)g->c->path.n, g->c->path.p)),
	    (long long)limit, after);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (graph_param(g, kept[i]).n == 0)
			continue;
		buf_printf(b, "&%s=", kept[i]);
		percent_encode(b, graph_param(g, kept[i]));
	}
	return b->p;
}

static json_t *graph_paging_json(
    struct graph *g, int64_t limit, int64_t first, int64_t last, int64_t next)
{
	json_t *paging = json_object(), *cursors = json_object();

	json_set_str(cursors, "before", graph_cursor_text(g->r->a, first));
	json_set_str(cursors, "after", graph_cursor_text(g->r->a, last));
	json_set(paging, "cursors", cursors);
	if (next > 0)
		json_set_str(
		    paging, "next", graph_next_url(g, limit, graph_cursor_text(g->r->a, next)));
	return paging;
}

static int graph_get_leads(struct graph *g)
{
	struct leads_query q = {.form_id = g->id, .limit = LEADS_DEFAULT};
	const struct str after = graph_param(g, "after"), limit = graph_param(g, "limit");
	int64_t first, last, next;
	json_t *list, *lead, *data, *out, *one;
	struct str unknown;
	size_t i;

	if (limit.n > 0 && !str_to_i64(limit, 1, 100000, &q.limit))
		return graph_error(
		    g->c, 400, 100, 0, "OAuthException", "(#100) limit must be a number");
	if (q.limit > LEADS_MAX)
		q.limit = LEADS_MAX;
	q.limit = play_switch_number(g->c, "page_size", q.limit);
	if (after.n > 0 && !graph_cursor_seq(after, &q.before_seq))
		return graph_error(g->c, 400, 100, 0, "OAuthException", "(#100) Invalid cursor");
	if (!graph_filter_read(g, &q.created_after_s))
		return graph_error(g->c, 400, 100, 0, "OAuthException",
		    "(#100) filtering must be a list of {field,operator,value}");
	if (leads_list(g->s->leads, g->r->a, &q, &list, &first, &last, &next, &g->err) == -1)
		return graph_failed(g);
	out = json_object();
	data = json_array();
	json_set(out, "data", data);
	json_array_each(list, i, lead) {
		one = json_object();
		json_array_append_new(data, one);
		if (fields_only(g, lead, one, &unknown) == -1) {
			json_decref(out);
			return fields_unknown(g, unknown);
		}
	}
	if (first > 0)
		json_set(out, "paging", graph_paging_json(g, q.limit, first, last, next));
	return res_json(g->r, 200, out);
}

/* ---- pages and forms ---------------------------------------------------------------------- */

static json_t *graph_page_object(const struct graph *g)
{
	return json_pack(
	    "{s:s,s:s,s:s}", "id", g->p.page_id, "name", "Sandbox page", "category", "Software");
}

/* A page's account is its id; a user's token has none of a page. */
static bool is_page_token(const struct graph *g)
{
	const char *account = json_str(g->c->bearer, "account");

	return account != NULL && strcmp(account, "user") != 0;
}

/* The form of that id, or NULL. */
static json_t *form_find(struct graph *g, int *rc)
{
	json_t *forms = leads_forms(g->s->leads, g->r->a, &g->p, &g->err), *form;
	size_t i;

	*rc = forms != NULL ? 0 : -1;
	json_array_each(forms, i, form)
		if (str_is(g->id, json_str(form, "id")))
			return form;
	return NULL;
}

static int graph_get_forms(struct graph *g)
{
	json_t *forms = leads_forms(g->s->leads, g->r->a, &g->p, &g->err);

	if (forms == NULL)
		return graph_failed(g);
	return res_json(g->r, 200,
	    json_pack("{s:O,s:{s:{s:s,s:s}}}", "data", forms, "paging", "cursors", "before",
		"Zmlyc3Q", "after", "bGFzdA"));
}

static int graph_make_form(struct graph *g)
{
	const struct str name = graph_param(g, "name");
	json_t *form;

	if (name.n == 0 || name.n > LIMIT_NAME_BYTES || !utf8_is_valid(name))
		return graph_error(
		    g->c, 400, 100, 0, "OAuthException", "(#100) The parameter name is required");
	form = leads_form_make(
	    g->s->leads, g->r->a, &g->p, arena_strndup(g->r->a, name.p, name.n), &g->err);
	if (form == NULL)
		return graph_failed(g);
	return res_json(g->r, 200, json_pack("{s:O}", "id", json_object_get(form, "id")));
}

static int graph_page_edge(struct graph *g)
{
	const bool is_get = g->r->method == HTTP_GET || g->r->method == HTTP_HEAD;

	if (g->edge.p == NULL && is_get)
		return res_json(g->r, 200, graph_page_object(g));
	if (str_is(g->edge, "leadgen_forms"))
		return is_get ? graph_get_forms(g) : graph_make_form(g);
	if (str_is(g->edge, "subscribed_apps")) {
		if (!is_get)
			return res_json(g->r, 200, json_pack("{s:b}", "success", 1));
		return res_json(g->r, 200,
		    json_pack("{s:[{s:s,s:s,s:[s]}]}", "data", "id", "1", "name", "Connect",
			"subscribed_fields", "leadgen"));
	}
	return unknown_object(g);
}

static int graph_get_accounts(struct graph *g)
{
	return res_json(g->r, 200,
	    json_pack("{s:[{s:s,s:s,s:s,s:s,s:[s,s]},{s:s,s:s,s:s,s:s,s:[s]}],s:{s:{s:s,s:s}}}",
		"data", "id", g->p.page_id, "name", "Sandbox page", "category", "Software",
		"access_token", SANDBOX_PAGE_TOKEN, "tasks", "MANAGE_LEADS", "MANAGE", "id",
		SECOND_PAGE, "name", "Second page", "category", "Software", "access_token",
		SANDBOX_PAGE_TOKEN "-2", "tasks", "MANAGE_LEADS", "paging", "cursors", "before",
		"Zmlyc3Q", "after", "bGFzdA"));
}

/* DELETE takes the app's access away. */
static int graph_permissions(struct graph *g)
{
	if (g->r->method == HTTP_DELETE) {
		(void)oauth_revoke(g->c, str_from(json_str(g->c->bearer, "token")));
		return res_json(g->r, 200, json_pack("{s:b}", "success", 1));
	}
	return res_json(g->r, 200,
	    json_pack(
		"{s:[{s:s,s:s}]}", "data", "permission", "leads_retrieval", "status", "granted"));
}

static int graph_me_edge(struct graph *g)
{
	if (str_is(g->edge, "accounts"))
		return graph_get_accounts(g);
	if (str_is(g->edge, "permissions"))
		return graph_permissions(g);
	if (g->edge.p != NULL)
		return unknown_object(g);
	if (is_page_token(g))
		return res_json(g->r, 200, graph_page_object(g));
	return res_json(
	    g->r, 200, json_pack("{s:s,s:s}", "id", "1000000000000001", "name", "Sandbox user"));
}

static int graph_object_edge(struct graph *g)
{
	json_t *form;
	int rc;

	if (str_is(g->id, "me"))
		return graph_me_edge(g);
	if (str_is(g->id, g->p.page_id))
		return graph_page_edge(g);
	form = form_find(g, &rc);
	if (rc != 0)
		return graph_failed(g);
	if (g->r->method != HTTP_GET && g->r->method != HTTP_HEAD)
		return unknown_object(g);
	if (form != NULL && g->edge.p == NULL)
		return res_json(g->r, 200, json_incref(form));
	if (form != NULL && str_is(g->edge, "leads"))
		return graph_get_leads(g);
	if (g->edge.p == NULL)
		return graph_get_lead(g);
	return unknown_object(g);
}

/* ---- the play ----------------------------------------------------------------------------- */

/* The path's segments after the version: an id and perhaps an edge. */
static bool graph_read_path(struct graph *g)
{
	struct str rest = {g->c->path.p + 1, g->c->path.n - 1}, part, parts[3];
	size_t n = 0;
	bool is_first = true;

	while (rest.n > 0 && n < 3 && str_split(&rest, '/', &part)) {
		if (part.n > 0 && !(is_first && graph_is_version(part)))
			parts[n++] = part;
		is_first = false;
	}
	if (n < 1 || n > 2)
		return false;
	g->id = parts[0];
	g->edge = n == 2 ? parts[1] : (struct str){NULL, 0};
	return true;
}

static int meta_handle(struct play_call *c)
{
	struct graph g = {.c = c, .r = c->r, .s = c->s};
	int rc;

	if (!graph_read_path(&g))
		return graph_error(c, 404, 2500, 0, "OAuthException", "Unknown path components");
	if (product_load(g.s, c->a, &g.p, &g.err) == -1)
		return graph_failed(&g);
	if (!graph_let_in(c, &rc))
		return rc;
	return graph_object_edge(&g);
}

static const struct play_route meta_routes[] = {
    {HTTP_GET, "/*", meta_handle, true},
    {HTTP_POST, "/*", meta_handle, true},
    {HTTP_DELETE, "/*", meta_handle, true},
};

/* A long-lived token for another one, as long as that lives. */
static int meta_exchange(struct play_call *c, int *rc)
{
	struct oauth_grant g = {.account = "user"};

	if (!str_is(play_arg(c, "grant_type"), "fb_exchange_token"))
		return 0;
	*rc = play_get(c, "token", play_arg(c, "fb_exchange_token")) != NULL
		  ? oauth_give(c, &g)
		  : graph_error(c, 400, 190, 0, "OAuthException", "Invalid OAuth access token");
	return 1;
}

/* Whoever consents is a user, who has pages. */
static void meta_adjust(struct play_call *c, struct oauth_grant *g)
{
	(void)c;
	g->account = "user";
}

static int meta_oauth_refuse(struct play_call *c, const char *error, const char *text)
{
	if (strcmp(error, "invalid_client") == 0)
		return graph_error(c, 400, 101, 0, "OAuthException",
		    "Missing client_id or client_secret parameter.");
	return graph_error(c, 400, 100, 36008, "OAuthException", text);
}

static const struct play_oauth meta_oauth = {.authorize = "/:version/dialog/oauth",
    .token = "/:version/oauth/access_token",
    .flags = OAUTH_NO_REFRESH,
    .expires_s = 5183944,
    .adjust = meta_adjust,
    .grant = meta_exchange,
    .refuse = meta_oauth_refuse};

/* ---- webhooks ----------------------------------------------------------------------------- */

static int meta_lead(struct order *o)
{
	struct sandbox_hook hook;
	struct product p;
	json_t *lead;

	if (product_load(o->c.s, o->c.a, &p, &o->c.err) == -1)
		return -1;
	p.app_secret = o->secret;
	lead = leads_make(o->c.s->leads, o->c.a, &p, o->wishes, &o->c.err);
	if (lead == NULL || hook_make(o->c.a, &p, lead, &hook, &o->c.err) == -1)
		return -1;
	o->content_type = "application/json";
	o->body = hook.body;
	return 0;
}

static const struct play_event meta_events[] = {
    {"leadgen", "a lead form is sent", meta_lead},
    {"challenge", "the check of an address", graph_challenge},
};

static const struct play_switch meta_switches[] = {
    {"fresh_leads", SWITCH_NUMBER,
	"so many look-ups of a lead say that it does not exist (100/33), as with fresh ones"},
    {"usage", SWITCH_NUMBER, "the headers of usage say so many percent"},
};

static void meta_seed(struct play_call *c)
{
	struct product p;

	if (product_load(c->s, c->a, &p, &c->err) == -1)
		return;
	oauth_token_put(c, SANDBOX_PAGE_TOKEN, p.page_id, 0);
	oauth_token_put(c, SANDBOX_PAGE_TOKEN "-2", SECOND_PAGE, 0);
	oauth_token_put(c, SANDBOX_USER_TOKEN, "user", 0);
}

static const struct play_value meta_values[] = {
    {"accessToken", SANDBOX_PAGE_TOKEN},
};

const struct play play_meta = {.name = "meta_lead_ads",
    .label = "Meta Lead Ads",
    .account = "153125381133",
    .secret = OAUTH_SECRET,
    PLAY_VALUES(meta_values),
    PLAY_ROUTES(meta_routes),
    .oauth = &meta_oauth,
    PLAY_EVENTS(meta_events),
    .sign = graph_sign,
    PLAY_SWITCHES(meta_switches),
    .token = graph_token,
    .refuse = graph_refuse,
    .headers = graph_headers,
    .seed = meta_seed};
