/* Leads of the played Graph API: one with its fields, and those of a form page by page. */
#include "base/limits.h"
#include "sandbox/play-meta.h"

#define LEADS_DEFAULT 25
#define LEADS_MAX 500

/* The members that fields= names; 0, or -1 with the unknown name. */
static int fields_only(const struct graph *g, const json_t *lead, json_t *out, struct str *unknown)
{
	static const char *const known[] = {"id", "created_time", "ad_id", "ad_name", "adset_id",
	    "adset_name", "campaign_id", "campaign_name", "form_id", "is_organic", "platform",
	    "field_data", "custom_disclaimer_responses", "home_listing", "partner_name", "post",
	    "post_submission_check_result", "retailer_item_id", "vehicle", NULL};
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

int graph_get_lead(struct graph *g)
{
	json_t *lead = NULL, *out;
	struct str unknown;
	const int found = leads_get(g->s->leads, g->r->a, &g->p, g->id, &lead, &g->err);

	if (found == -1)
		return graph_failed(g);
	if (found == 0 || play_switch_use(g->c, "fresh_leads"))
		return graph_unknown_object(g);
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

int graph_get_leads(struct graph *g)
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
