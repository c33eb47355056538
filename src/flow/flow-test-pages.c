/* Trying a draft out: with a record that came, with a payload, or with the last records one after
 * the other; and running what is published by hand. Data of "flow/test" and "flow/run-now" beside
 * the head: records: [{value, title, resourceType, at, is_current}], search, payload; of the first
 * result, previews. */
#include "account/permission.h"
#include "base/arena.h"
#include "flow/flow-fields.h"
#include "flow/flow-pages.h"
#include "html/chrome.h"
#include "lead/lead-pages.h"
#include "record/record-pages.h"

#define RECORDS_OFFERED 20
#define PREVIEW_RECORDS 20
#define PAYLOAD_BYTES 65536u

struct testing {
	struct flow_page p;
	json_t *records;
	struct str search; /* for records beside the newest */
	bool is_found;     /* it has found some */
	struct uuid chosen;
	const char *wrong; /* of the payload */
};

static bool may_see_records(const struct req *r)
{
	return (r->actor.permissions & PERMIT(RECORDS_VIEW)) != 0;
}

static int record_newest_first(const void *x, const void *y)
{
	const json_t *a = *(const json_t *const *)x, *b = *(const json_t *const *)y;

	return strcmp(json_str(b, "updatedAt"), json_str(a, "updatedAt"));
}

/* The newest of all that were read of the types. */
static json_t *records_newest(struct arena *a, const json_t *rows, size_t most)
{
	json_t **v = arena_array(a, json_array_size(rows) + 1, sizeof(*v)),
	       *list = json_own(a, json_array()), *row;
	size_t i;

	json_array_each(rows, i, row)
		v[i] = row;
	if (i > 1)
		qsort(v, i, sizeof(*v), record_newest_first);
	for (size_t k = 0; k < i && k < most; k++)
		json_array_append(list, v[k]);
	return list;
}

/* The newest records of the types that start the flow, of any type where none is known; with the
 * words of a search, or all. */
static int records_read(struct testing *t, struct str search, int64_t most, struct err *err)
{
	struct req *r = t->p.r;
	json_t *rows = json_own(r->a, json_array());
	size_t n = json_array_size(t->p.types);

	for (size_t i = 0; i < (n == 0 ? 1 : n) && may_see_records(r); i++) {
		struct record_filter f = {.account_id = r->actor.account_id, .search = search};
		struct record_slice slice = {.s = {.limit = most}};

		if (n > 0) {
			const json_t *type = json_array_get(t->p.types, i);

			f.resource_type = str_from(json_str(type, "resourceType"));
			f.provider_type = str_from(json_str(type, "providerType"));
			f.copies = flow_fields_copies(type);
		}
		if (record_list(r->app, r->a, &f, &slice, err) == -1)
			return -1;
		json_array_extend(rows, slice.s.rows);
	}
	t->records = records_newest(r->a, rows, (size_t)most);
	return 0;
}

static json_t *records_find(const struct testing *t, struct uuid id)
{
	json_t *record;
	size_t i;

	json_array_each(t->records, i, record)
		if (str_is(str_from(json_str(record, "id")), uuid_dup(t->p.r->a, id)))
			return record;
	return NULL;
}

/* What is offered: what the search finds, else the newest; and the one that was chosen, which may
 * be neither. */
static int records_load(struct testing *t, struct err *err)
{
	struct req *r = t->p.r;
	json_t *chosen;
	int found;

	if (records_read(t, t->search, RECORDS_OFFERED, err) == -1)
		return -1;
	t->is_found = json_array_size(t->records) > 0;
	if (!t->is_found && t->search.n > 0 &&
	    records_read(t, (struct str){NULL, 0}, RECORDS_OFFERED, err) == -1)
		return -1;
	if (uuid_is_nil(t->chosen) || !may_see_records(r) || records_find(t, t->chosen) != NULL)
		return 0;
	found = record_get_json(r->app, r->a, &r->actor.account_id, &t->chosen, &chosen, err);
	if (found == 1)
		json_array_insert(t->records, 0, chosen);
	return found == -1 ? -1 : 0;
}

/* By what people know them: of leads, what all pages call the lead. */
static int records_add_titles(struct testing *t, json_t *list, struct err *err)
{
	struct req *r = t->p.r;
	json_t *o;
	size_t i;

	json_array_each(list, i, o) {
		const json_t *record = json_array_get(t->records, i);

		json_set_str(o, "title", record_name(r->a, record));
		json_set_str(o, "leadId", json_str(record, "leadId"));
	}
	return (r->actor.permissions & PERMIT(LEADS_VIEW)) == 0
		   ? 0
		   : lead_add_titles(r, list, "leadId", err);
}

static int records_show(struct testing *t, json_t *data, struct err *err)
{
	json_t *list = json_array(), *record;
	size_t i;

	json_set(data, "records", list);
	json_array_each(t->records, i, record) {
		json_t *o = json_object();

		json_set_str(o, "value", json_str(record, "id"));
		json_set_str(o, "resourceType", json_str(record, "resourceType"));
		json_set_str(o, "at", json_str(record, "updatedAt"));
		json_set_bool(o, "is_current",
		    str_is(str_from(json_str(record, "id")), uuid_dup(t->p.r->a, t->chosen)));
		json_array_append_new(list, o);
	}
	json_set_bool(data, "has_records", json_array_size(list) > 0);
	json_set_strn(data, "search", t->search);
	json_set_bool(data, "is_found", t->is_found);
	return records_add_titles(t, list, err);
}

/* ---- what a try gave
 * ------------------------------------------------------------------------------------ */

static const char *effect_words(struct arena *a, const json_t *output)
{
	const char *would = json_str(output, "would");

	return would == NULL ? NULL : arena_printf(a, "Would %s", would);
}

/* "2", or "2.1" within two loops; NULL: in none. */
static const char *tried_turn(struct arena *a, const json_t *turns)
{
	const char *text = NULL;
	json_t *v;
	size_t i;

	json_array_each(turns, i, v)
		text = arena_printf(a, "%s%s%lld", text == NULL ? "" : text,
		    text == NULL ? "" : ".", (long long)json_integer_value(v) + 1);
	return text;
}

static json_t *tried_step(struct testing *t, const json_t *row)
{
	struct arena *a = t->p.r->a;
	const char *key = json_str(row, "step");
	const struct flow_step *s = draft_find(&t->p.d, str_from(key));
	const json_t *output = json_object_get(row, "output");
	json_t *o = json_object();

	json_set_str(o, "key", key);
	json_set_str(o, "title", s == NULL ? key : flow_words_title(&t->p.w, s));
	json_set_str(o, "turn", tried_turn(a, json_object_get(row, "iteration")));
	json_set_str(o, "status", json_str(row, "status"));
	json_set_str(o, "label", word_label(execution_statuses, json_str(row, "status")));
	json_set(o, "input", json_incref(json_object_get(row, "input")));
	json_set(o, "output", json_incref(json_object_get(row, "output")));
	json_set_str(o, "would", effect_words(a, output));
	json_set(o, "with", json_incref(json_object_get(output, "with")));
	json_set_str(o, "error", json_str(row, "error"));
	return o;
}

static json_t *result_show(struct testing *t, const json_t *tried)
{
	json_t *o = json_object(), *steps = json_array(), *row;
	size_t i;

	json_array_each(json_object_get(tried, "steps"), i, row)
		json_array_append_new(steps, tried_step(t, row));
	json_set_str(o, "status", json_str(tried, "status"));
	json_set_str(o, "label", word_label(execution_statuses, json_str(tried, "status")));
	json_set_str(o, "error", json_str(tried, "error"));
	json_set(o, "steps", steps);
	return o;
}

/* "Slack: Send a message; Waits": what it would have done with a record, in a line. */
static const char *preview_effects(struct testing *t, const json_t *tried)
{
	const char *text = "";
	const json_t *row;
	size_t i;

	json_array_each(json_object_get(tried, "steps"), i, row) {
		const char *would = effect_words(t->p.r->a, json_object_get(row, "output"));
		const struct flow_step *s = draft_find(&t->p.d, str_from(json_str(row, "step")));

		if (would != NULL && strlen(text) < 300)
			text = arena_printf(t->p.r->a, "%s%s%s", text, *text == '\0' ? "" : "; ",
			    s == NULL ? would : flow_words_title(&t->p.w, s));
	}
	return *text == '\0' ? NULL : text;
}

static int previews_show(struct testing *t, json_t *data, struct err *err)
{
	json_t *list = json_array(), *record;
	size_t i, done = 0, ended = 0, failed = 0;

	json_set(data, "previews", list);
	if (records_read(t, (struct str){NULL, 0}, PREVIEW_RECORDS, err) == -1)
		return -1;
	json_array_each(t->records, i, record) {
		struct uuid id = {{0}};
		json_t *tried, *o = json_object();
		const char *status;

		(void)uuid_parse(str_from(json_str(record, "id")), &id);
		tried = flow_try(
		    t->p.r, &t->p.d.plan, &t->p.f.id, flow_record_payload(t->p.r->a, record), id);
		status = json_str(tried, "status");
		failed += strcmp(status, EXECUTION_FAILED) == 0;
		ended += strcmp(status, EXECUTION_FILTERED) == 0;
		done += strcmp(status, EXECUTION_COMPLETED) == 0;
		json_set_str(o, "record_id", json_str(record, "id"));
		json_set_str(o, "resourceType", json_str(record, "resourceType"));
		json_set_str(o, "at", json_str(record, "updatedAt"));
		json_set_str(o, "status", status);
		json_set_str(o, "label", word_label(execution_statuses, status));
		json_set_str(o, "error", json_str(tried, "error"));
		json_set_str(o, "effects", preview_effects(t, tried));
		json_array_append_new(list, o);
	}
	json_set_bool(data, "has_previews", json_array_size(list) > 0);
	json_set_bool(data, "is_preview", true);
	json_set_str(data, "preview_words",
	    arena_printf(t->p.r->a,
		"Of the last %zu record%s %zu would go through, %zu would end at a "
		"filter, %zu would fail. Nothing was done.",
		json_array_size(t->records), plural_s(json_array_size(t->records)), done, ended,
		failed));
	return 0;
}

/* ---- the page
 * --------------------------------------------------------------------------------------------- */

/* What the form says: which record, or what others are looked for. */
static void records_asked(struct testing *t)
{
	if (!str_is(req_form(t->p.r, "act"), "find"))
		(void)uuid_parse(req_form(t->p.r, "record"), &t->chosen);
	t->search = utf8_trim(req_form(t->p.r, "search"));
}

/* What a flow without records of its kind would be given, to be changed: a lead, or any record. */
static const char *payload_sample(const struct testing *t)
{
	const json_t *type;
	size_t i;

	json_array_each(t->p.types, i, type)
		if (str_is(str_from(json_str(type, "resourceType")), "lead"))
			return "{\n  \"email\": \"ann@example.com\",\n  \"fullName\": \"Ann "
			       "Example\",\n  \"firstName\": \"Ann\",\n  \"lastName\": "
			       "\"Example\",\n  \"phoneNumber\": \"+442079460000\",\n  "
			       "\"company\": \"Example Ltd\"\n}";
	return "{\n  \"email\": \"ann@example.com\",\n  \"name\": \"Ann Example\"\n}";
}

/* What it can be given: "flow/given". */
static int given_show(struct testing *t, json_t *data, struct err *err)
{
	struct req *r = t->p.r;

	if (records_load(t, err) == -1 || records_show(t, data, err) == -1)
		return -1;
	json_set_strn(data, "payload", req_form(r, "payload"));
	json_set_bool(data, "is_payload_open", req_form(r, "payload").n > 0);
	json_set_bool(data, "can_records", may_see_records(r));
	if (t->wrong != NULL) {
		chrome_wrong(r, data, "payload", t->wrong);
		json_set_str(json_object_get(data, "errors"), "problem", t->wrong);
	}
	return 0;
}

static int test_page(struct testing *t, int status, const json_t *tried, bool is_preview)
{
	struct req *r = t->p.r;
	json_t *data = flow_page_head(r, &t->p.f, NULL);
	struct err err = ERR_INIT;

	if ((is_preview && previews_show(t, data, &err) == -1) || given_show(t, data, &err) == -1)
		return res_error(r, &err);
	if (json_array_size(t->records) == 0 && r->form.n == 0) {
		json_set_str(data, "payload", payload_sample(t));
		json_set_bool(data, "is_sample", true);
	}
	json_set(data, "result", tried == NULL ? NULL : result_show(t, tried));
	return chrome_page(r, status, "flows", "Try it out", "flow/test", json_incref(data));
}

/* A draft with something wrong cannot be tried: its page says what. */
static bool test_open(struct req *r, struct testing *t)
{
	*t = (struct testing){.p = {.r = r}};
	if (!flow_page_open(r, &t->p))
		return false;
	if (t->p.d.nfaults == 0 && t->p.d.plan.nsteps > 0)
		return true;
	chrome_flash(r, "error",
	    t->p.d.plan.nsteps == 0 ? "There is nothing to try yet: add a step."
				    : "It can be tried as soon as what is marked below is mended.");
	(void)res_redirect(r, flow_page_path(r->a, &t->p.f));
	return false;
}

int flow_page_test(struct req *r)
{
	struct testing t;

	if (!test_open(r, &t))
		return 0;
	(void)uuid_parse(req_query(r, "record"), &t.chosen);
	t.search = utf8_trim(req_query(r, "search"));
	return test_page(&t, 200, NULL, false);
}

/* The payload of the form: that of the record that was chosen, or the pasted one; NULL: t->wrong.
 */
static json_t *payload_asked(struct testing *t)
{
	struct req *r = t->p.r;
	struct str text = utf8_trim(req_form(r, "payload"));
	struct err err = ERR_INIT;
	json_t *v, *record;

	if (text.n > 0) {
		v = json_parse(r->a, text, &err);
		if (json_is_object(v) && text.n <= PAYLOAD_BYTES)
			return v;
		t->wrong = v == NULL ? arena_printf(r->a, "This cannot be read, see %s",
					   json_parse_reason(&err))
				     : "This must be a JSON object, such as {\"email\": "
				       "\"ann@example.com\"}, of at most 64 KiB";
		return NULL;
	}
	record = uuid_is_nil(t->chosen) ? NULL : records_find(t, t->chosen);
	if (record != NULL)
		return flow_record_payload(r->a, record);
	t->wrong = "Choose a record, or paste a payload";
	return NULL;
}

/* For real: the run is shown by its page. */
static int test_run(struct testing *t, json_t *payload)
{
	struct req *r = t->p.r;
	struct err err = ERR_INIT;
	struct uuid id;

	if (flow_test_start(r, &t->p.f, payload, &id, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "The draft runs for real, with all that its steps do.");
	return res_redirect(
	    r, arena_printf(r->a, "/admin/task-history/%s?live=1", uuid_dup(r->a, id)));
}

int flow_page_test_post(struct req *r)
{
	struct str act = req_form(r, "act");
	struct err err = ERR_INIT;
	struct testing t;
	json_t *payload;

	if (!test_open(r, &t))
		return 0;
	records_asked(&t);
	if (str_is(act, "preview") || str_is(act, "find"))
		return test_page(&t, 200, NULL, str_is(act, "preview"));
	if (records_load(&t, &err) == -1)
		return res_error(r, &err);
	payload = payload_asked(&t);
	if (payload == NULL)
		return test_page(&t, 422, NULL, false);
	if (str_is(act, "run"))
		return test_run(&t, payload);
	return test_page(&t, 200, flow_try(r, &t.p.d.plan, &t.p.f.id, payload, t.chosen), false);
}

/* ---- running what is published, now
 * ------------------------------------------------------------------- */

static int run_page(struct testing *t, int status)
{
	struct req *r = t->p.r;
	json_t *data = flow_page_head(r, &t->p.f, NULL);
	struct err err = ERR_INIT;

	if (given_show(t, data, &err) == -1)
		return res_error(r, &err);
	json_set_bool(data, "may_be_nothing", json_array_size(t->p.types) == 0);
	return chrome_page(r, status, "flows", "Run now", "flow/run-now", json_incref(data));
}

/* What is not published cannot be run, only tried. */
static int run_refused(struct testing *t)
{
	chrome_flash(t->p.r, "error", "It can be run as soon as it is published.");
	return res_redirect(t->p.r, flow_page_path(t->p.r->a, &t->p.f));
}

static bool run_open(struct req *r, struct testing *t)
{
	*t = (struct testing){.p = {.r = r}};
	if (!flow_page_open(r, &t->p))
		return false;
	if (strcmp(t->p.f.status, FLOW_PUBLISHED) == 0)
		return true;
	(void)run_refused(t);
	return false;
}

int flow_page_run(struct req *r)
{
	struct testing t;

	if (!run_open(r, &t))
		return 0;
	(void)uuid_parse(req_query(r, "record"), &t.chosen);
	return run_page(&t, 200);
}

int flow_page_run_post(struct req *r)
{
	struct err err = ERR_INIT;
	struct testing t;
	struct uuid id;
	json_t *payload;

	if (!run_open(r, &t))
		return 0;
	records_asked(&t);
	if (str_is(req_form(r, "act"), "find"))
		return run_page(&t, 200);
	if (records_load(&t, &err) == -1)
		return res_error(r, &err);
	payload = req_form(r, "record").n == 0 && utf8_trim(req_form(r, "payload")).n == 0
		      ? json_own(r->a, json_object())
		      : payload_asked(&t);
	if (payload == NULL)
		return run_page(&t, 422);
	if (flow_start_by_hand(r, &t.p.f.id, payload, t.chosen, &id, &err) == -1)
		return res_error(r, &err);
	if (uuid_is_nil(id))
		return run_refused(&t);
	chrome_flash(r, "ok", "It runs. How far it is is shown here.");
	return res_redirect(
	    r, arena_printf(r->a, "/admin/task-history/%s?live=1", uuid_dup(r->a, id)));
}
