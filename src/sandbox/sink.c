/* The CRM that takes everything: each request becomes a line of sink.ndjson. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "sandbox/journal.h"
#include "sandbox/sandbox.h"

struct sink_row {
	off_t at;
	size_t n;
	int64_t at_us;
	size_t name; /* its place in names */
	bool is_post, is_stored, is_duplicate, has_key;
};

struct sink {
	struct journal *journal;
	struct arena *a;       /* of the index: names and keys */
	struct arena *scratch; /* of one line */
	struct map *names;     /* → place + 1 */
	struct map *keys;      /* "name\nkey" → number of its first request */
	struct sink_row *rows;
	size_t nrows, cap;
	uintptr_t last; /* number of the newest stored request */
};

/* ---- the index ---------------------------------------------------------------------------- */

static void sink_forget(void *arg)
{
	struct sink *s = arg;

	arena_reset(s->a);
	s->names = map_new(s->a);
	s->keys = map_new(s->a);
	s->nrows = 0;
	s->last = 0;
}

static size_t name_place(struct sink *s, struct str name)
{
	void *place = map_get(s->names, name);

	if (place == NULL) {
		place = (void *)(uintptr_t)(map_count(s->names) + 1);
		map_put(s->names, name, place);
	}
	return (size_t)(uintptr_t)place - 1;
}

static struct str sink_key_text(struct arena *a, struct str name, struct str key)
{
	return str_from(arena_printf(a, "%.*s\n%.*s", (int)name.n, name.p, (int)key.n, key.p));
}

static struct sink_row *row_add(struct sink *s)
{
	if (s->nrows == s->cap) {
		const size_t cap = s->cap == 0 ? 1024 : 2 * s->cap;

		s->rows = reallocarray(s->rows, cap, sizeof(*s->rows));
		if (s->rows == NULL)
			abort();
		s->cap = cap;
	}
	s->rows[s->nrows] = (struct sink_row){0};
	return &s->rows[s->nrows++];
}

static void sink_index_line(void *arg, off_t at, struct str text)
{
	struct sink *s = arg;
	const json_t *line;
	const char *name, *key, *method;
	struct sink_row *row;
	int64_t status;

	arena_reset(s->scratch);
	line = json_parse(s->scratch, text, NULL);
	name = json_str(line, "name");
	method = json_str(line, "method");
	if (name == NULL || method == NULL)
		return; /* torn by a crash */
	row = row_add(s);
	row->at = at;
	row->n = text.n;
	(void)clock_parse_iso(str_from(json_str(line, "at")), &row->at_us);
	row->name = name_place(s, str_from(name));
	row->is_post = strcmp(method, "GET") != 0;
	status = json_int(line, "status");
	row->is_stored = row->is_post && status >= 200 && status < 300;
	row->is_duplicate = json_bool(line, "duplicate");
	key = json_str(line, "idempotencyKey");
	row->has_key = key != NULL;
	if (!row->is_stored || row->is_duplicate)
		return;
	s->last = (uintptr_t)json_int(line, "n");
	if (key != NULL)
		map_put(s->keys, sink_key_text(s->scratch, str_from(name), str_from(key)),
		    (void *)s->last);
}

static void sink_release(void *object)
{
	struct sink *s = object;

	arena_free(s->a);
	arena_free(s->scratch);
	free(s->rows);
}

struct sink *sink_new(struct arena *a, const char *dir)
{
	struct sink *s = arena_zalloc(a, sizeof(*s));

	s->a = arena_new();
	s->scratch = arena_new();
	arena_on_free(a, sink_release, s);
	sink_forget(s);
	s->journal = journal_new(a, arena_printf(a, "%s/sink.ndjson", dir),
	    (struct journal_reader){sink_index_line, sink_forget, s, JOURNAL_MOST_BYTES});
	return s;
}

/* ---- taking a request --------------------------------------------------------------------- */

/* The value's scheme stays, the rest does not. */
static json_t *secret_masked(struct str value)
{
	const char *space = value.n > 0 ? memchr(value.p, ' ', value.n) : NULL;

	if (space == NULL)
		return json_string("***");
	return json_sprintf("%.*s ***", (int)(space - value.p), value.p);
}

static bool is_secret_header(struct str name)
{
	return str_is(name, "authorization") || str_is(name, "cookie") ||
	       str_is(name, "proxy-authorization") || str_ends(name, "api-key") ||
	       str_ends(name, "token") || str_ends(name, "secret");
}

static json_t *call_headers_json(const struct req *r)
{
	json_t *out = json_object();

	for (size_t i = 0; i < r->headers.n; i++) {
		const struct http_pair *h = &r->headers.v[i];
		char *name = arena_strndup(r->a, h->name.p, h->name.n);

		if (!utf8_is_valid(h->name) || !utf8_is_valid(h->value))
			continue;
		if (is_secret_header(h->name))
			json_set(out, name, secret_masked(h->value));
		else
			json_set_strn(out, name, h->value);
	}
	return out;
}

/* JSON as the value it is, other text as a string, other bytes in base64. */
static void call_set_body(json_t *line, const struct req *r)
{
	json_t *value = r->body.n > 0 ? json_parse(r->a, r->body, NULL) : NULL;
	struct buf *text;

	if (value != NULL) {
		json_set(line, "body", json_incref(value));
	} else if (utf8_is_valid(r->body)) {
		json_set_strn(line, "body", r->body.n > 0 ? r->body : STR(""));
	} else {
		text = buf_new(r->a, 4 * LIMIT_JSON_BYTES);
		base64_encode(text, r->body.p, r->body.n);
		json_set_str(line, "bodyBase64", text->p);
	}
}

static void call_set_header(json_t *line, const char *key, struct str value)
{
	if (value.n > 0 && utf8_is_valid(value))
		json_set_strn(line, key, value);
	else
		json_set_str(line, key, NULL);
}

static struct str delivery_id(const struct req *r)
{
	static const char *const names[] = {
	    "x-connect-delivery", "x-connect-delivery-id", "webhook-id", "x-delivery-id"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct str value = req_header(r, names[i]);

		if (value.n > 0)
			return value;
	}
	return (struct str){NULL, 0};
}

static json_t *line_json(const struct req *r, struct str name)
{
	json_t *line = json_object();

	json_set_time(line, "at", clock_now_us());
	json_set_strn(line, "name", name);
	json_set_str(line, "method", http_method_name(r->method));
	json_set_strn(line, "path", r->path);
	json_set(line, "headers", call_headers_json(r));
	call_set_body(line, r);
	call_set_header(line, "idempotencyKey", req_header(r, "idempotency-key"));
	call_set_header(line, "deliveryId", delivery_id(r));
	return line;
}

/* Under the lock: gives the request its number, and notes whether its key was here before. */
static bool number_line(struct sink *s, struct arena *a, json_t *line, uintptr_t *n)
{
	const char *key = json_str(line, "idempotencyKey");
	void *first = key != NULL
			  ? map_get(s->keys,
				sink_key_text(a, str_from(json_str(line, "name")), str_from(key)))
			  : NULL;

	*n = first != NULL ? (uintptr_t)first : s->last + 1;
	json_set_int(line, "n", (int64_t)*n);
	json_set(line, "id", json_sprintf("crm-%llu", (unsigned long long)*n));
	json_set_bool(line, "duplicate", first != NULL);
	return first != NULL;
}

/* One line per request; status is what it is answered with, 0 for none at all. */
static int sink_note(struct sink *s, struct req *r, json_t *line, int status, const char *fault,
    bool *is_duplicate, uintptr_t *n, struct err *err)
{
	struct buf *text = buf_new(r->a, 8 * LIMIT_JSON_BYTES);
	int rc = -1;

	if (journal_lock(s->journal, err) == -1)
		return -1;
	*is_duplicate = false;
	if (status >= 200 && status < 300 && r->method != HTTP_GET && r->method != HTTP_HEAD) {
		*is_duplicate = number_line(s, r->a, line, n);
		if (*is_duplicate)
			status = 200;
	}
	json_set_int(line, "status", status);
	if (fault != NULL)
		json_set_str(line, "fault", fault);
	json_append(text, line);
	if (!buf_ok(text))
		err_set(err, ERR_LIMIT, "the request is too large to keep");
	else
		rc = journal_append(s->journal, (struct str){text->p, text->len}, err);
	journal_unlock(s->journal);
	return rc;
}

static int status_of_fault(const struct fault *f)
{
	switch (f->kind) {
	case FAULT_LOST:
		return 201;
	case FAULT_THROTTLE:
		return f->status != 0 ? f->status : 429;
	case FAULT_TOKEN:
		return f->status != 0 ? f->status : 401;
	case FAULT_ERROR:
		return f->status != 0 ? f->status : 500;
	case FAULT_REDIRECT:
		return f->status != 0 ? f->status : 302;
	case FAULT_ANSWER:
		return f->status != 0 ? f->status : 200;
	default:
		return 0;
	}
}

/* What is to become of one request. */
struct sink_call {
	struct req *r;
	struct sink *sink;
	struct str name;
	struct fault fault;
	const char *refuses; /* leads with this text in them, or NULL */
};

static bool is_refused(const struct sink_call *c, struct arena *a, const json_t *lead)
{
	return c->refuses != NULL && strstr(json_text(a, lead).p, c->refuses) != NULL;
}

/* One of many that came in one call, as if it had come alone. */
static json_t *many_take_one(
    const struct sink_call *c, json_t *one, int status_of_all, struct err *err)
{
	struct arena *a = c->r->a;
	json_t *line = json_own(a, line_json(c->r, c->name)), *lead = json_object_get(one, "lead");
	const bool is_bad = is_refused(c, a, lead);
	json_t *row = json_object();
	bool is_duplicate;
	uintptr_t n = 0;

	json_set(line, "body", lead != NULL ? json_incref(lead) : json_null());
	json_set_str(line, "idempotencyKey", json_str(one, "idempotencyKey"));
	json_set_str(line, "deliveryId", json_str(one, "deliveryId"));
	if (sink_note(c->sink, c->r, line, is_bad ? 422 : status_of_all, is_bad ? "rows" : NULL,
		&is_duplicate, &n, err) == -1) {
		json_decref(row);
		return NULL;
	}
	json_set_str(row, "idempotencyKey", json_str(one, "idempotencyKey"));
	if (is_bad)
		json_set_str(row, "error", "This lead is not taken");
	else
		json_set(row, "id", json_incref(json_object_get(line, "id")));
	return row;
}

/* {"leads":[{"idempotencyKey","deliveryId","lead"}]}, answered lead by lead. */
static int sink_take_many(const struct sink_call *c, const json_t *leads)
{
	json_t *results = json_own(c->r->a, json_array()), *one, *row;
	struct err err = ERR_INIT;
	size_t i;

	json_array_each(leads, i, one) {
		row = many_take_one(c, one, 201, &err);
		if (row == NULL)
			return res_error(c->r, &err);
		json_array_append_new(results, row);
	}
	if (c->fault.kind == FAULT_LOST)
		return fault_cut(c->r);
	return res_json(c->r, 200, json_pack("{s:O}", "results", results));
}

static int sink_take_one(const struct sink_call *c)
{
	struct req *r = c->r;
	const bool is_read = r->method == HTTP_GET || r->method == HTTP_HEAD;
	const bool is_faulty = c->fault.kind != FAULT_NONE;
	json_t *line = json_own(r->a, line_json(r, c->name));
	const bool is_bad = !is_read && is_refused(c, r->a, json_object_get(line, "body"));
	struct err err = ERR_INIT;
	bool is_duplicate;
	uintptr_t n = 0;
	int status = is_faulty ? status_of_fault(&c->fault) : is_bad ? 422 : is_read ? 200 : 201;

	if (sink_note(c->sink, r, line, status,
		is_faulty ? fault_name(c->fault.kind)
		: is_bad  ? "rows"
			  : NULL,
		&is_duplicate, &n, &err) == -1)
		return res_error(r, &err);
	if (c->fault.kind == FAULT_LOST)
		return fault_cut(r);
	if (is_faulty)
		return fault_answer(r, "crm", &c->fault);
	if (is_bad)
		return res_json(r, 422, json_pack("{s:s}", "error", "This lead is not taken"));
	if (is_read)
		return res_json(r, 200, json_pack("{s:b}", "ok", 1));
	return res_json(
	    r, is_duplicate ? 200 : 201, json_pack("{s:O}", "id", json_object_get(line, "id")));
}

int sink_handle(struct req *r)
{
	struct sandbox *s = sandbox_of(r);
	struct sink_call c = {.r = r, .sink = s->sink, .name = req_param(r, "name")};
	const json_t *leads;

	c.fault = faults_draw(s->faults, "crm", c.name, r->path);
	if (c.fault.kind == FAULT_ROWS) {
		c.refuses = c.fault.match;
		c.fault.kind = FAULT_NONE;
	}
	leads = r->body.n > 0 ? json_object_get(json_parse(r->a, r->body, NULL), "leads") : NULL;
	if (json_is_array(leads) && (c.fault.kind == FAULT_NONE || c.fault.kind == FAULT_LOST))
		return sink_take_many(&c, leads);
	return sink_take_one(&c);
}

/* ---- looking at what came ----------------------------------------------------------------- */

static bool row_is_asked(
    const struct sink *s, const struct sink_query *q, const struct sink_row *row)
{
	return (q->name.p == NULL || str_eq(map_key(s->names, row->name), q->name)) &&
	       row->at_us >= q->since_us;
}

static json_t *counts_json(const struct sink *s, const struct sink_query *q)
{
	int64_t requests = 0, posts = 0, distinct = 0, duplicates = 0, refused = 0;

	for (size_t i = 0; i < s->nrows; i++) {
		const struct sink_row *row = &s->rows[i];

		if (!row_is_asked(s, q, row))
			continue;
		requests++;
		posts += row->is_stored;
		distinct += row->is_stored && row->has_key && !row->is_duplicate;
		duplicates += row->is_duplicate;
		refused += row->is_post && !row->is_stored;
	}
	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "requests", (json_int_t)requests, "posts",
	    (json_int_t)posts, "distinct_keys", (json_int_t)distinct, "duplicates",
	    (json_int_t)duplicates, "refused", (json_int_t)refused);
}

json_t *sink_list(struct sink *s, struct arena *a, const struct sink_query *q, struct err *err)
{
	json_t *data, *out, *line;

	if (journal_sync(s->journal, err) == -1)
		return NULL;
	data = json_array();
	for (size_t i = s->nrows; i-- > 0 && json_array_size(data) < q->limit;) {
		const struct sink_row *row = &s->rows[i];

		if (!row_is_asked(s, q, row))
			continue;
		line = json_parse(a, journal_read(s->journal, a, row->at, row->n), NULL);
		if (line != NULL)
			json_array_append(data, line);
	}
	out = json_object();
	json_set(out, "data", data);
	json_set(out, "counts", counts_json(s, q));
	return out;
}

json_t *sink_names(const struct sink *s, struct arena *a)
{
	const size_t n = map_count(s->names);
	int64_t *last_us = arena_zalloc(a, (n + 1) * sizeof(*last_us));
	json_t *out = json_array(), *one;

	for (size_t i = 0; i < s->nrows; i++)
		if (s->rows[i].at_us > last_us[s->rows[i].name])
			last_us[s->rows[i].name] = s->rows[i].at_us;
	for (size_t i = 0; i < n; i++) {
		const struct sink_query q = {.name = map_key(s->names, i)};

		one = json_object();
		json_set_strn(one, "name", q.name);
		json_set(one, "counts", counts_json(s, &q));
		json_set_time(one, "at", last_us[i]);
		json_array_append_new(out, one);
	}
	return out;
}

int sink_clear(struct sink *s, struct err *err)
{
	return journal_clear(s->journal, err);
}
