/* What the played providers were asked, one line of calls.ndjson for each call. */
#include "base/limits.h"
#include "sandbox/journal.h"
#include "sandbox/play.h"

#define KEPT 5000u       /* the latest calls that can be shown */
#define BODY_BYTES 4096u /* of a call's body that is kept */

struct logged {
	off_t at;
	size_t n;
};

struct play_log {
	struct journal *journal;
	struct logged rows[KEPT]; /* a ring */
	size_t count;             /* of all that came */
};

static void log_line(void *arg, off_t at, struct str text)
{
	struct play_log *l = arg;

	l->rows[l->count++ % KEPT] = (struct logged){at, text.n};
}

static void log_forget(void *arg)
{
	struct play_log *l = arg;

	l->count = 0;
}

struct play_log *play_log_new(struct arena *a, const char *dir)
{
	struct play_log *l = arena_zalloc(a, sizeof(*l));

	l->journal = journal_new(a, arena_printf(a, "%s/calls.ndjson", dir),
	    (struct journal_reader){log_line, log_forget, l, JOURNAL_MOST_BYTES});
	return l;
}

static json_t *headers_json(const struct play_call *c)
{
	json_t *out = json_object();

	for (size_t i = 0; i < c->r->headers.n; i++)
		json_set_strn(out,
		    arena_strndup(c->a, c->r->headers.v[i].name.p, c->r->headers.v[i].name.n),
		    c->r->headers.v[i].value);
	return out;
}

void play_log_add(const struct play_call *c, const char *fault)
{
	struct journal *j = c->s->calls->journal;
	json_t *line = json_own(c->a, json_object());

	json_set_time(line, "at", c->r->received_us);
	json_set_str(line, "provider", c->play->name);
	json_set_str(line, "method", http_method_name(c->r->method));
	json_set_strn(line, "host", c->host);
	json_set_strn(line, "path", c->path);
	json_set_strn(line, "query", c->r->query_string);
	json_set(line, "headers", headers_json(c));
	if (c->r->body.n > 0)
		json_set_strn(line, "body", utf8_clean(c->a, c->r->body, BODY_BYTES));
	json_set_int(line, "status", c->r->res.status);
	if (strcmp(fault, "none") != 0)
		json_set_str(line, "fault", fault);
	/* A call that cannot be noted was answered all the same. */
	if (journal_lock(j, NULL) == -1)
		return;
	(void)journal_append(j, json_text(c->a, line), NULL);
	journal_unlock(j);
}

static bool call_fits(const json_t *line, struct str provider, struct str path)
{
	const struct str at = str_from(json_str(line, "path"));

	return line != NULL && (provider.n == 0 || str_is(provider, json_str(line, "provider"))) &&
	       (path.n == 0 || (at.n > 0 && memmem(at.p, at.n, path.p, path.n) != NULL));
}

json_t *play_log_list(
    struct sandbox *s, struct arena *a, struct str provider, struct str path, size_t limit)
{
	struct play_log *l = s->calls;
	json_t *data = json_array(), *line;
	int64_t count = 0;

	if (journal_sync(l->journal, NULL) == -1)
		return json_pack("{s:o,s:i}", "data", data, "count", 0);
	for (size_t i = l->count; i > 0 && l->count - i < KEPT; i--) {
		const struct logged *row = &l->rows[(i - 1) % KEPT];

		line = json_parse(a, journal_read(l->journal, a, row->at, row->n), NULL);
		if (!call_fits(line, provider, path))
			continue;
		count++;
		if (json_array_size(data) < limit)
			json_array_append(data, line);
	}
	return json_pack("{s:o,s:I}", "data", data, "count", (json_int_t)count);
}

int play_log_clear(struct sandbox *s, struct err *err)
{
	return journal_clear(s->calls->journal, err);
}
