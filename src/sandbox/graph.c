/* The part of Meta's Graph API that lead ads need: /vNN.N/{id}[/edge], any version. */
#include "base/clock.h"
#include "base/limits.h"
#include "http/form.h"
#include "sandbox/sandbox.h"

#define LEADS_DEFAULT 25
#define LEADS_MAX 500

struct graph {
	struct req *r;
	struct sandbox *s;
	struct product p;
	struct str id, edge;    /* edge absent: the object itself */
	struct http_pairs form; /* of an urlencoded body */
	struct err err;
};

static int graph_error(
    struct req *r, int status, int code, int subcode, const char *type, const char *message)
{
	json_t *error = json_object();

	json_set_str(error, "message", message);
	json_set_str(error, "type", type);
	json_set_int(error, "code", code);
	if (subcode != 0)
		json_set_int(error, "error_subcode", subcode);
	json_set_str(error, "fbtrace_id", "Asandbox");
	return res_json(r, status, json_pack("{s:o}", "error", error));
}

static int unknown_object(struct graph *g)
{
	return graph_error(g->r, 400, 100, 33, "GraphMethodException",
	    arena_printf(g->r->a,
		"Unsupported %s request. Object with ID '%.*s' does not exist, "
		"cannot be loaded due to missing permissions, or does not support this operation",
		g->r->method == HTTP_GET ? "get" : "post", (int)g->id.n, g->id.p));
}

static int graph_failed(struct graph *g)
{
	return res_error(g->r, &g->err);
}

/* A parameter of the query, an urlencoded body or a JSON body; or {NULL,0}. */
static struct str graph_param(const struct graph *g, const char *name)
{
	struct str value = req_query(g->r, name);

	if (value.p == NULL)
		value = http_pairs_get(&g->form, name);
	if (value.p == NULL)
		value = str_from(json_str(g->r->json, name));
	return value;
}

/* ---- who asks ----------------------------------------------------------------------------- */

static struct str graph_token(const struct graph *g)
{
	const struct str header = req_header(g->r, "authorization");

	if (header.n > 7 && str_ieq((struct str){header.p, 7}, STR("bearer ")))
		return str_trim((struct str){header.p + 7, header.n - 7});
	return graph_param(g, "access_token");
}

static bool graph_has_token(const struct graph *g, bool *is_missing)
{
	const struct str token = graph_token(g);

	*is_missing = token.n == 0;
	return str_is(token, SANDBOX_PAGE_TOKEN) || str_is(token, SANDBOX_USER_TOKEN);
}

static int graph_refuse_token(struct graph *g, bool is_missing)
{
	if (is_missing)
		return graph_error(g->r, 400, 104, 0, "OAuthException",
		    "An access token is required to request this resource.");
	return graph_error(g->r, 401, 190, 0, "OAuthException",
	    "Invalid OAuth access token - "
	    "Cannot parse access token");
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
	return graph_error(g->r, 400, 100, 0, "OAuthException",
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
	if (found == 0)
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

	buf_printf(b, "%s%.*s?limit=%lld&after=%s", req_base_url(g->r), (int)g->r->path.n,
	    g->r->path.p, (long long)limit, after);
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
		    g->r, 400, 100, 0, "OAuthException", "(#100) limit must be a number");
	if (q.limit > LEADS_MAX)
		q.limit = LEADS_MAX;
	if (after.n > 0 && !graph_cursor_seq(after, &q.before_seq))
		return graph_error(g->r, 400, 100, 0, "OAuthException", "(#100) Invalid cursor");
	if (!graph_filter_read(g, &q.created_after_s))
		return graph_error(g->r, 400, 100, 0, "OAuthException",
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
		    g->r, 400, 100, 0, "OAuthException", "(#100) The parameter name is required");
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
	json_t *page = graph_page_object(g);

	json_set_str(page, "access_token", SANDBOX_PAGE_TOKEN);
	json_set(page, "tasks", json_pack("[s,s]", "MANAGE_LEADS", "MANAGE"));
	return res_json(g->r, 200, json_pack("{s:[o]}", "data", page));
}

static int graph_me_edge(struct graph *g)
{
	if (str_is(g->edge, "accounts"))
		return graph_get_accounts(g);
	if (g->edge.p != NULL)
		return unknown_object(g);
	if (str_is(graph_token(g), SANDBOX_PAGE_TOKEN))
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

/* ---- sign-in ------------------------------------------------------------------------------ */

static int graph_oauth_token(struct graph *g)
{
	const bool is_exchange = str_is(graph_param(g, "grant_type"), "fb_exchange_token");
	const struct str proof = graph_param(g, is_exchange ? "fb_exchange_token" : "code");

	if (graph_param(g, "client_id").n == 0 || graph_param(g, "client_secret").n == 0)
		return graph_error(g->r, 400, 101, 0, "OAuthException",
		    "Missing client_id or client_secret parameter.");
	if (proof.n == 0)
		return graph_error(
		    g->r, 400, 100, 36008, "OAuthException", "Missing authorization code");
	return res_json(g->r, 200,
	    json_pack("{s:s,s:s,s:i}", "access_token", SANDBOX_USER_TOKEN, "token_type", "bearer",
		"expires_in", 5183944));
}

/* ---- routing ------------------------------------------------------------------------------ */

static bool is_graph_version(struct str s)
{
	bool has_digit = false, has_dot = false;

	if (s.n < 2 || s.n > 8 || s.p[0] != 'v')
		return false;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '.' && !has_dot && has_digit)
			has_dot = true;
		else if (s.p[i] >= '0' && s.p[i] <= '9')
			has_digit = true;
		else
			return false;
	}
	return has_digit;
}

/* The path's segments after the version: an id and perhaps an edge. */
static bool graph_read_path(struct graph *g)
{
	static const char *const names[] = {"a", "b", "c"};
	struct str parts[3];
	size_t n = 0;

	for (size_t i = 0; i < 3; i++) {
		parts[n] = req_param(g->r, names[i]);
		if (parts[n].n == 0 || (i == 0 && is_graph_version(parts[n])))
			continue;
		n++;
	}
	if (n < 1 || n > 2)
		return false;
	g->id = parts[0];
	g->edge = n == 2 ? parts[1] : (struct str){NULL, 0};
	return true;
}

static void graph_read_body(struct graph *g)
{
	if (g->r->body.n == 0)
		return;
	if (g->r->body.p[0] == '{')
		g->r->json = json_parse(g->r->a, g->r->body, NULL);
	else
		(void)form_parse(g->r->a, g->r->body, &g->form, NULL);
}

int graph_handle(struct req *r)
{
	struct graph g = {.r = r, .s = sandbox_of(r)};
	struct fault fault;
	bool is_missing;
	int rc;

	if (!graph_read_path(&g))
		return graph_error(r, 404, 2500, 0, "OAuthException", "Unknown path components");
	fault = faults_draw(g.s->faults, "graph");
	if (fault.kind != FAULT_NONE && fault.kind != FAULT_LOST)
		return fault_answer(r, "graph", &fault);
	if (product_load(g.s, r->a, &g.p, &g.err) == -1)
		return graph_failed(&g);
	graph_read_body(&g);
	res_header(r, "X-App-Usage", "{\"call_count\":1,\"total_cputime\":1,\"total_time\":1}");
	if (str_is(g.id, "oauth") && str_is(g.edge, "access_token"))
		return graph_oauth_token(&g);
	if (!graph_has_token(&g, &is_missing))
		return graph_refuse_token(&g, is_missing);
	rc = graph_object_edge(&g);
	return fault.kind == FAULT_LOST ? fault_cut(r) : rc;
}
