/* What an answer says.
 *
 *   body -> answer (JSON, CSV, text, bytes) -> class -> output, or what was wrong and how long to
 * wait
 *
 * The class of an answer: the action's error rules first, then the provider's, then the status
 * alone. A read whose output is absent is CALL_RETRY, for a body cut short looks the same. A write
 * that was taken is done, whatever its answer lacks: it must not happen twice, unless the manifest
 * says that something must come back (mustExist). One that is not what people want of it
 * (successWhen) is CALL_FATAL, as a refusal is. Redirects are not followed, with body and key to
 * who knows whom: they fail, and say where to. A wait that a rule finds goes before a Retry-After.
 * Nothing of an error text is stored before the credentials in it are blotted out. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/csv.h"
#include "base/limits.h"
#include "base/number.h"
#include "provider/provider-internal.h"

#define WAIT_CAP_MS INT64_C(86400000)
#define PAGE_HEAD_BYTES 2048 /* in which the title of a web page stands */
#define ERROR_BODY_BYTES 200
#define ERROR_LOCATION_BYTES 400
#define ANSWER_KEPT_BYTES 2048 /* of a body, kept as it came */
#define PACE_FROM 0.8          /* of a limit used up: from here on the caller is to slow down */
#define PACE_MOST_MS 60000
#define PACE_PLAIN_MS 2000 /* at the limit, where nobody says when it is reset */

struct answer_reading {
	const struct action_call *k;
	const struct http_call *call;
	const struct http_answer *ans;
	struct scope s;
	const struct error_rule *rule; /* or NULL */
	const char *unread;            /* why the CSV is none; or NULL */
};

/* ---- bodies ------------------------------------------------------------------------------- */

static struct str csv_header_name(struct arena *a, const struct csv_row *header, size_t i)
{
	struct str name =
	    i < header->n && i < CSV_COLUMNS ? utf8_trim(header->cells[i]) : (struct str){NULL, 0};

	return name.n > 0 ? name : str_from(arena_printf(a, "column%zu", i + 1));
}

/* Names are copied: the reader's cells are the next row's, too. */
static struct str *csv_header_names(struct arena *a, const struct csv_row *header)
{
	struct str *names = arena_array(a, CSV_COLUMNS, sizeof(*names));

	for (size_t i = 0; i < header->n && i < CSV_COLUMNS; i++)
		names[i] = str_copy(a, csv_header_name(a, header, i));
	return names;
}

/* Rows as objects by the header. */
static json_t *answer_read_csv(struct answer_reading *r, struct arena *a)
{
	const struct csv_source source = {.data = r->ans->body, .size = r->ans->body.n};
	struct csv_format format = {
	    .delimiter = ',', .quote = '"', .encoding = CSV_UTF8, .is_lenient = true};
	json_t *rows = json_own(a, json_array());
	struct csv_reader *rd;
	struct csv_row row;
	struct err err = ERR_INIT;
	struct str *names;
	size_t n;
	int rc;

	if (str_starts(r->ans->body, "\xEF\xBB\xBF"))
		format.start = 3;
	rd = csv_reader_new(a, &source, &format, &err);
	rc = rd == NULL ? -1 : csv_reader_next(rd, &row, &err);
	if (rc != 1)
		return rc == 0 ? rows : NULL;
	names = csv_header_names(a, &row);
	n = row.n < CSV_COLUMNS ? row.n : CSV_COLUMNS;
	while ((rc = csv_reader_next(rd, &row, &err)) == 1) {
		json_t *o = json_object();

		for (size_t i = 0; i < row.n && i < n; i++)
			json_set_strn(o, names[i].p, row.cells[i]);
		json_array_append_new(rows, o);
		if (row.problem != NULL)
			r->unread =
			    arena_printf(a, "line %lld: %s", (long long)row.line, row.problem);
	}
	return rc == -1 || r->unread != NULL ? NULL : rows;
}

/* {contentType, size, base64}. */
static json_t *answer_read_bytes(const struct answer_reading *r, struct arena *a)
{
	struct str body = r->ans->body, type = http_pairs_get(&r->ans->headers, "content-type");
	struct buf *text = buf_new(a, 2 * body.n + 8);
	json_t *o = json_own(a, json_object());

	base64_encode(text, body.p, body.n);
	json_set_strn(o, "contentType", type);
	json_set_int(o, "size", (int64_t)body.n);
	json_set_strn(o, "base64", (struct str){text->p, text->len});
	return o;
}

static json_t *answer_read_json(struct answer_reading *r, struct arena *a)
{
	size_t most = r->k->act->answer.max_bytes > 0 ? (size_t)r->k->act->answer.max_bytes
						      : LIMIT_HTTP_ANSWER;
	unsigned repairs;
	struct err err = ERR_INIT;

	return json_parse_large(a, r->ans->body, most, &repairs, &err);
}

/* Is it JSON where something else is wanted? So errors come, also with a 200; and where a table is
 * wanted, also if they do not say what they are. */
static bool answer_is_told_json(const struct answer_reading *r)
{
	struct str type = http_pairs_get(&r->ans->headers, "content-type"), first;

	if (r->k->act->answer.kind == ANSWER_CSV && r->ans->body.p[0] == '{')
		return true;
	return str_split(&type, ';', &first) && str_ends(str_trim(first), "json");
}

static json_t *answer_parse(struct answer_reading *r)
{
	enum answer_kind kind = r->k->act->answer.kind;
	struct arena *a = r->k->a;
	bool is_good = r->ans->status >= 200 && r->ans->status < 300;
	struct str text;

	if (r->ans->body.n == 0)
		return NULL;
	if (kind != ANSWER_JSON && (!is_good || (kind != ANSWER_TEXT && answer_is_told_json(r))))
		kind = ANSWER_JSON;
	switch (kind) {
	case ANSWER_JSON:
		return answer_read_json(r, a);
	case ANSWER_CSV:
		return answer_read_csv(r, a);
	case ANSWER_TEXT:
		text = utf8_clean(a, r->ans->body, LIMIT_RECORD_BYTES);
		return json_own(a, json_stringn(text.p, text.n));
	case ANSWER_BYTES:
		return answer_read_bytes(r, a);
	case ANSWER_NONE:
		break;
	}
	return NULL;
}

/* ---- class -------------------------------------------------------------------------------- */

static enum call_class call_class_of_status(int status)
{
	if (status >= 200 && status < 300)
		return CALL_OK;
	if (status >= 500)
		return CALL_RETRY;
	switch (status) {
	case 401:
		return CALL_REFRESH;
	case 403:
		return CALL_PERMISSION;
	case 404:
	case 410:
		return CALL_NOT_FOUND;
	case 409:
		return CALL_CONFLICT;
	case 429:
		return CALL_RATE_LIMITED;
	}
	return CALL_FATAL;
}

static const struct error_rule *error_rule_find(
    const struct error_rule *rules, size_t n, struct scope *s)
{
	for (size_t i = 0; i < n; i++)
		if (cond_holds(rules[i].when, s))
			return &rules[i];
	return NULL;
}

/* What was wrong with an answer, for people. */
/* The title of a web page, which is what it has to say; {NULL,0} of anything else. */
static struct str page_title(struct arena *a, struct str body)
{
	const char *text =
	    arena_strndup(a, body.p, body.n < PAGE_HEAD_BYTES ? body.n : PAGE_HEAD_BYTES);
	const char *from = strcasestr(text, "<title>");
	struct str title = {NULL, 0};

	if (from == NULL)
		return title;
	from += strlen("<title>");
	title = str_trim((struct str){from, strcspn(from, "<")});
	return title.n > 0 ? title : (struct str){NULL, 0};
}

/* What the rule finds in it, or how it begins, for people. */
static struct str answer_excerpt(struct answer_reading *r)
{
	const struct access *c = r->k->c;
	struct arena *a = r->k->a;
	struct str title,
	    body = r->ans->body,
	    said = r->rule != NULL && r->rule->says != NULL ? expr_text(r->rule->says, &r->s)
							    : (struct str){NULL, 0};

	if (said.n > 0)
		return access_redact_body(a, c, said, ERROR_BODY_BYTES, false);
	if (!utf8_is_valid(utf8_cut(body, ERROR_BODY_BYTES)))
		return STR("(not text)");
	title = body.n > 0 ? page_title(a, body) : (struct str){NULL, 0};
	if (title.p == NULL)
		return access_redact_body(a, c, body, ERROR_BODY_BYTES, false);
	title = access_redact_body(a, c, title, ERROR_BODY_BYTES, false);
	return str_from(arena_printf(a, "the web page \"%.*s\"", (int)title.n, title.p));
}

static const char *answer_error(struct answer_reading *r, const char *why)
{
	const struct access *c = r->k->c;
	struct arena *a = r->k->a;
	const struct http_answer *ans = r->ans;
	struct str location = http_pairs_get(&ans->headers, "location");
	struct str excerpt = answer_excerpt(r);

	if (ans->status >= 300 && ans->status < 400 && location.n > 0) {
		const char *to =
		    url_resolve(a, r->call->url, arena_strndup(a, location.p, location.n));

		return arena_printf(a, "HTTP %d: moved to %s", ans->status,
		    access_redact_body(a, c, str_from(to), ERROR_LOCATION_BYTES, false).p);
	}
	return arena_printf(a, "HTTP %d from %s%s%s%s", ans->status, url_host(a, r->call->url), why,
	    excerpt.n > 0 ? ": " : "", excerpt.n > 0 ? excerpt.p : "");
}

/* ---- waits -------------------------------------------------------------------------------- */

/* What a rule says of how long to wait; -1: nothing. */
static int64_t rule_wait_ms(const struct error_rule *rule, struct scope *s, int64_t now_us)
{
	int64_t ms, until_us;

	if (rule == NULL)
		return -1;
	if (rule->retry_after != NULL && rule->retry_after_unit == WAIT_UNTIL) {
		if (expr_time(rule->retry_after, s, &until_us) == EXPR_TIME_FOUND)
			return until_us > now_us ? (until_us - now_us) / 1000 : 0;
	} else if (rule->retry_after != NULL &&
		   clock_parse_retry_after(expr_text(rule->retry_after, s), now_us, &ms)) {
		if (rule->retry_after_unit == WAIT_MILLISECONDS)
			return ms / 1000;
		return rule->retry_after_unit == WAIT_MINUTES ? ms * 60 : ms;
	}
	return rule->retry_after_ms;
}

static int64_t answer_wait_ms(struct answer_reading *r)
{
	int64_t ms = rule_wait_ms(r->rule, &r->s, r->k->now_us);

	if (ms < 0)
		return http_answer_retry_after_ms(
		    r->ans, r->k->now_us + r->ans->duration_us, WAIT_CAP_MS);
	return ms < WAIT_CAP_MS ? ms : WAIT_CAP_MS;
}

/* A number of any form; below 0: there is none. */
static double pace_number(const struct expr *e, struct scope *s)
{
	struct str text = str_trim(expr_text(e, s));

	return text.n > 0 && number_is(text) ? strtod(arena_strndup(s->a, text.p, text.n), NULL)
					     : -1;
}

/* The rest of a limit is spread over the time until it is new; where that is not known, the nearer
 * the limit the longer. */
static int64_t pace_rule_ms(const struct pace_rule *rule, struct scope *s)
{
	double limit = pace_number(rule->limit, s), reset_ms = pace_number(rule->reset_ms, s);
	double part = pace_number(rule->used != NULL ? rule->used : rule->remaining, s), used, ms;

	if (limit <= 0 || part < 0)
		return 0;
	used = (rule->used != NULL ? part : limit - part) / limit;
	if (used <= PACE_FROM)
		return 0;
	ms = reset_ms >= 0 ? reset_ms / (limit * (used < 1 ? 1 - used : 0) + 1)
			   : PACE_PLAIN_MS * (used - PACE_FROM) / (1 - PACE_FROM);
	return ms < PACE_MOST_MS ? (int64_t)(ms + 0.5) : PACE_MOST_MS;
}

static int64_t answer_pace_ms(struct answer_reading *r)
{
	const struct action *act = r->k->act;
	bool is_own = act->npace > 0;
	const struct pace_rule *rules = is_own ? act->pace : r->k->p->pace;
	size_t n = is_own ? act->npace : r->k->p->npace;
	int64_t most = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t ms = pace_rule_ms(&rules[i], &r->s);

		most = ms > most ? ms : most;
	}
	return most;
}

/* ---- output ------------------------------------------------------------------------------- */

/* Is a 2xx what people want of it, where they have said what? */
static bool answer_is_wanted(struct answer_reading *r)
{
	json_t *condition = expr_json(r->k->act->success_when, &r->s, false);

	if (condition == NULL)
		return true;
	json_own(r->k->a, condition);
	return json_is_null(condition) || answer_is_success(r->k->a, condition, r->ans->status,
					      r->s.slot[ROOT_ANSWER].json, r->ans->body);
}

static bool is_read(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* CALL_OK with the output, or what the call is then, and why. */
static enum call_class answer_output(struct answer_reading *r, json_t **out, const char **why)
{
	const struct action *act = r->k->act;

	*why = "";
	if (!answer_is_wanted(r)) {
		*why = ", which successWhen takes for a failure";
		return CALL_FATAL;
	}
	if (act->paging.is_declared)
		return page_read(r->k, r->call->url, &r->s, out, why);
	*out = expr_json(act->output, &r->s, true);
	if (*out != NULL)
		json_own(r->k->a, *out);
	if (act->answer.must_exist && r->s.slot[ROOT_ANSWER].json == NULL)
		*out = NULL;
	if (*out != NULL)
		return CALL_OK;
	if (is_read(r->call->method) || act->answer.must_exist)
		return CALL_RETRY;
	*out = json_own(r->k->a, json_null());
	return CALL_OK;
}

/* What a rule finds in the answer, or NULL. */
static const char *answer_text(struct answer_reading *r, const struct expr *e)
{
	struct str text = e == NULL ? (struct str){NULL, 0} : expr_id(e, &r->s);

	return text.n == 0 ? NULL : arena_strndup(r->k->a, text.p, text.n);
}

void action_read(const struct action_call *k, const struct http_call *call,
    const struct http_answer *ans, struct call_result *out)
{
	struct answer_reading r = {.k = k, .call = call, .ans = ans};
	const char *why = "";

	scope_of_call(&r.s, k);
	r.s.slot[ROOT_HEADER].from = &ans->headers;
	r.s.slot[ROOT_STATUS].json = json_own(k->a, json_integer(ans->status));
	r.s.slot[ROOT_ANSWER].json = answer_parse(&r);
	r.rule = error_rule_find(k->act->errors, k->act->nerrors, &r.s);
	if (r.rule == NULL)
		r.rule = error_rule_find(k->p->errors, k->p->nerrors, &r.s);
	*out = (struct call_result){.status = ans->status,
	    .retry_after_ms = -1,
	    .rule = r.rule,
	    .pace_ms = answer_pace_ms(&r),
	    .class = r.rule != NULL ? r.rule->class : call_class_of_status(ans->status)};
	if (ans->body.n > 0)
		out->answer = access_redact_body(k->a, k->c, ans->body, ANSWER_KEPT_BYTES, true);
	if (out->class == CALL_OK) {
		out->class = answer_output(&r, &out->output, &why);
		out->whole = r.s.slot[ROOT_ANSWER].json;
		if (out->class == CALL_OK)
			return;
		r.rule = NULL;
	}
	if (out->class == CALL_RETRY && r.unread != NULL)
		why = arena_printf(k->a, ", which is no CSV (%s)", r.unread);
	out->retry_after_ms = answer_wait_ms(&r);
	if (r.rule != NULL) {
		out->existing_id = answer_text(&r, r.rule->id);
		out->refused_field = answer_text(&r, r.rule->field);
	}
	out->error = r.rule != NULL && r.rule->text != NULL ? r.rule->text : answer_error(&r, why);
}
