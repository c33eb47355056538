/* The part of Meta's Graph API that lead ads need: /vNN.N/{id}[/edge], any version. Leads and forms
 * are those of leads.c. */
#include "sandbox/play-meta.h"
#include "base/limits.h"
#include "sandbox/signing.h"

#define SECOND_PAGE "153125381134"
#define CAMPAIGN "120210000000000003"

int graph_unknown_object(struct graph *g)
{
	return graph_error(g->c, 400, 100, 33, "GraphMethodException",
	    arena_printf(g->r->a,
		"Unsupported %s request. Object with ID '%.*s' does not exist, "
		"cannot be loaded due to missing permissions, or does not support this operation",
		g->r->method == HTTP_GET ? "get" : "post", (int)g->id.n, g->id.p));
}

int graph_failed(struct graph *g)
{
	return res_error(g->r, &g->err);
}

struct str graph_param(const struct graph *g, const char *name)
{
	return play_arg(g->c, name);
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

	if (forms == NULL || leads_count(g->s->leads, g->r->a, forms, &g->err) == -1)
		return graph_failed(g);
	return res_json(g->r, 200,
	    json_pack("{s:O,s:{s:{s:s,s:s}}}", "data", forms, "paging", "cursors", "before",
		"Zmlyc3Q", "after", "bGFzdA"));
}

static int graph_get_form(struct graph *g, json_t *form)
{
	json_t *one = json_own(g->r->a, json_array());

	json_array_append(one, form);
	if (leads_count(g->s->leads, g->r->a, one, &g->err) == -1)
		return graph_failed(g);
	return res_json(g->r, 200, json_incref(form));
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

/* The app is subscribed to a page, or is not. */
static int graph_subscribed_apps(struct graph *g)
{
	const char *page = arena_strndup(g->r->a, g->id.p, g->id.n);
	const struct str fields = graph_param(g, "subscribed_fields");
	json_t *row = play_get(g->c, "subscribed_apps", g->id);

	if (g->r->method == HTTP_DELETE)
		play_drop(g->c, "subscribed_apps", g->id);
	else if (g->r->method == HTTP_POST)
		(void)play_put(g->c, "subscribed_apps", page,
		    json_pack("{s:s,s:s,s:[s%]}", "id", OAUTH_CLIENT, "name", "Connect",
			"subscribed_fields", fields.n > 0 ? fields.p : "leadgen",
			fields.n > 0 ? fields.n : 7));
	else
		return res_json(g->r, 200,
		    row != NULL ? json_pack("{s:[O]}", "data", row) : json_pack("{s:[]}", "data"));
	return res_json(g->r, 200, json_pack("{s:b}", "success", 1));
}

static int graph_page_edge(struct graph *g)
{
	const bool is_get = g->r->method == HTTP_GET || g->r->method == HTTP_HEAD;

	if (g->edge.p == NULL && is_get)
		return res_json(g->r, 200, graph_page_object(g));
	if (str_is(g->edge, "leadgen_forms"))
		return is_get ? graph_get_forms(g) : graph_make_form(g);
	if (str_is(g->edge, "subscribed_apps"))
		return graph_subscribed_apps(g);
	return graph_unknown_object(g);
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
		return graph_unknown_object(g);
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
		return graph_unknown_object(g);
	if (form != NULL && g->edge.p == NULL)
		return graph_get_form(g, form);
	if (form != NULL && str_is(g->edge, "leads"))
		return graph_get_leads(g);
	if (g->edge.p == NULL)
		return graph_get_lead(g);
	return graph_unknown_object(g);
}

/* The one campaign: its list, itself, and a change of it. */
static int graph_campaigns(struct graph *g)
{
	if (g->r->method == HTTP_POST)
		return res_json(g->r, 200, json_pack("{s:b}", "success", 1));
	if (g->edge.p == NULL)
		return res_json(
		    g->r, 200, json_pack("{s:s,s:s}", "id", CAMPAIGN, "name", "Sandbox campaign"));
	return res_json(g->r, 200,
	    json_pack("{s:[{s:s,s:s,s:s}]}", "data", "id", CAMPAIGN, "name", "Sandbox campaign",
		"status", "ACTIVE"));
}

/* The Conversions API: all events are taken. */
static int graph_take_events(struct graph *g)
{
	return res_json(g->r, 200,
	    json_pack("{s:I,s:s}", "events_received",
		(json_int_t)json_array_size(json_object_get(g->c->body, "data")), "fbtrace_id",
		"Asandbox"));
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
	if (str_is(g.edge, "events") && c->r->method == HTTP_POST)
		return graph_take_events(&g);
	if (str_is(g.edge, "campaigns") || str_is(g.id, CAMPAIGN))
		return graph_campaigns(&g);
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
