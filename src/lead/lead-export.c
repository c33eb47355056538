/* GET /leads/export: the leads that a list's filters let through, newest first, as CSV or NDJSON.
 * Streamed in constant memory, a slice at a time. A line of NDJSON is the lead as the list has it.
 * In CSV the fields of the customer's own questions have columns of their own, those that the first
 * slice knows; what is asked besides stands in the last one, as JSON. */
#include "base/clock.h"
#include "base/csv.h"
#include "base/limits.h"
#include "base/map.h"
#include "lead/lead-internal.h"

#define SLICE_LEADS 200
#define SLICE_BYTES (64u * 1024u * 1024u) /* at its worst */
#define QUESTIONS_MOST 200

static const char *const export_columns[] = {"id", "receivedAt", "providerType", "providerLeadId",
    "source", "formId", "adId", "campaignId", "email", "firstName", "lastName", "fullName",
    "phoneNumber", "company", "stage", "syncStatus", "duplicateOf", "deliveredAt", NULL};

struct lead_exporting {
	struct req *r;
	struct lead_filter f;
	bool is_lines, is_begun;
	struct map *questions; /* names; their values are nothing */
	struct slice s;        /* how far it is */
};

static void export_learn(struct lead_exporting *x, const json_t *leads)
{
	const char *name;
	json_t *lead, *value;
	size_t i;

	json_array_each(leads, i, lead)
		json_object_each(json_object_get(lead, "customFields"), name, value)
			if (map_count(x->questions) < QUESTIONS_MOST &&
			    map_get(x->questions, str_from(name)) == NULL)
				map_put(x->questions, str_from(arena_strdup(x->r->a, name)), x);
}

static void export_head(const struct lead_exporting *x, struct buf *b)
{
	struct csv_writer w = {.b = b};

	for (size_t i = 0; export_columns[i] != NULL; i++)
		csv_write_plain(&w, export_columns[i]);
	for (size_t i = 0; i < map_count(x->questions); i++)
		csv_write_text(&w, map_key(x->questions, i));
	csv_write_plain(&w, "customFields");
	csv_write_end(&w);
}

static void export_line(
    const struct lead_exporting *x, struct arena *a, struct buf *b, const json_t *lead)
{
	json_t *rest = json_own(a, json_copy(json_object_get(lead, "customFields")));
	struct csv_writer w = {.b = b};

	for (size_t i = 0; export_columns[i] != NULL; i++)
		csv_write_json(&w, a, json_object_get(lead, export_columns[i]));
	for (size_t i = 0; i < map_count(x->questions); i++) {
		struct str name = map_key(x->questions, i);

		csv_write_json(&w, a, json_object_getn(rest, name.p, name.n));
		json_object_del(rest, arena_strndup(a, name.p, name.n));
	}
	csv_write_json(&w, a, json_object_size(rest) > 0 ? rest : NULL);
	csv_write_end(&w);
}

static int export_begin(struct lead_exporting *x, const json_t *leads, struct buf *b)
{
	char day[CLOCK_TEXT];

	x->is_begun = true;
	clock_day_text(day, clock_day(clock_now_us()));
	res_headerf(x->r, "Content-Disposition", "attachment; filename=\"leads-%s.%s\"", day,
	    x->is_lines ? "ndjson" : "csv");
	if (res_stream_start(x->r, 200,
		x->is_lines ? "application/x-ndjson" : "text/csv; charset=utf-8; header=present") ==
	    -1)
		return -1;
	if (x->is_lines)
		return 0;
	export_learn(x, leads);
	export_head(x, b);
	return 0;
}

/* 0, 1 the client is gone, -1. */
static int export_slice(struct lead_exporting *x, struct arena *a, struct err *err)
{
	struct slice s = {.limit = SLICE_LEADS, .after = x->s.last, .has_cursor = x->is_begun};
	struct buf *b = buf_new(a, SLICE_BYTES);
	json_t *lead;
	size_t i;

	if (lead_list(x->r->app, a, &x->f, &s, err) == -1)
		return -1;
	if (!x->is_begun && export_begin(x, s.rows, b) == -1)
		return 1;
	json_array_each(s.rows, i, lead) {
		if (x->is_lines) {
			json_append(b, lead);
			buf_chr(b, '\n');
		} else {
			export_line(x, a, b, lead);
		}
	}
	x->s.has_more = s.has_more;
	x->s.last = (struct cursor){.at = s.last.at, .id = s.last.id};
	if (!buf_ok(b))
		return err_set(err, ERR_INTERNAL, "a slice of leads is too long");
	return b->len > 0 && res_stream_write(x->r, (struct str){b->p, b->len}) == -1;
}

int lead_api_export(struct req *r)
{
	struct str format = req_query_text(r, "format");
	struct lead_exporting x = {
	    .r = r, .is_lines = str_is(format, "ndjson"), .questions = map_new(r->a)};
	struct err err = ERR_INIT;
	int rc;

	filter_read(r, &list_of_leads, &r->query, &x.f);
	if (format.p != NULL && !x.is_lines && !str_is(format, "csv"))
		req_invalid(r, "format", "must be csv or ndjson");
	if (req_has_invalid(r))
		return res_invalid(r);
	do {
		struct arena *a = arena_new();

		rc = export_slice(&x, a, &err);
		arena_free(a);
	} while (rc == 0 && x.s.has_more && r->method != HTTP_HEAD);
	return rc == -1 ? res_error(r, &err) : 0;
}
