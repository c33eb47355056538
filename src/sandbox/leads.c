/* The leads and forms of the pretended Meta page: those made here stand in leads.ndjson; any other
 * id of ten digits and more is a lead invented from its digits, the same at every look. */
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/map.h"
#include "sandbox/journal.h"
#include "sandbox/sandbox.h"

#define FORMS_MAX 200u
#define FORMS_MAX_BYTES (1024u * 1024u)

struct lead_row {
	off_t at;
	size_t n;
	int64_t created_s;
	struct str id, form_id;
};

struct leads {
	struct journal *journal;
	struct arena *a, *scratch;
	struct map *by_id; /* → place in rows + 1 */
	struct map *forms; /* form ids, each once */
	struct lead_row *rows;
	size_t nrows, cap;
	int64_t last_id;
	const char *forms_path, *forms_lock;
};

/* ---- the index ---------------------------------------------------------------------------- */

static void leads_forget(void *arg)
{
	struct leads *l = arg;

	arena_reset(l->a);
	l->by_id = map_new(l->a);
	l->forms = map_new(l->a);
	l->nrows = 0;
	l->last_id = 0;
}

/* Ids repeat, forms more so: the map's own copy of the key is what is kept. */
static struct str lead_form_text(struct leads *l, struct str id)
{
	void *place = map_get(l->forms, id);

	if (place == NULL) {
		place = (void *)(uintptr_t)(map_count(l->forms) + 1);
		map_put(l->forms, id, place);
	}
	return map_key(l->forms, (size_t)(uintptr_t)place - 1);
}

static void leads_index_line(void *arg, off_t at, struct str text)
{
	struct leads *l = arg;
	const json_t *line;
	const char *id;
	struct lead_row *row;
	int64_t number;

	arena_reset(l->scratch);
	line = json_parse(l->scratch, text, NULL);
	id = json_str(line, "id");
	if (id == NULL || json_str(line, "form_id") == NULL)
		return; /* torn by a crash */
	if (l->nrows == l->cap) {
		const size_t cap = l->cap == 0 ? 1024 : 2 * l->cap;

		l->rows = reallocarray(l->rows, cap, sizeof(*l->rows));
		if (l->rows == NULL)
			abort();
		l->cap = cap;
	}
	row = &l->rows[l->nrows++];
	row->at = at;
	row->n = text.n;
	row->created_s = json_int(line, "created_s");
	map_put(l->by_id, str_from(id), (void *)(uintptr_t)l->nrows);
	row->id = map_key(l->by_id, map_count(l->by_id) - 1);
	row->form_id = lead_form_text(l, str_from(json_str(line, "form_id")));
	if (str_to_i64(row->id, 0, INT64_MAX, &number) && number > l->last_id)
		l->last_id = number;
}

static void leads_release(void *object)
{
	struct leads *l = object;

	arena_free(l->a);
	arena_free(l->scratch);
	free(l->rows);
}

struct leads *leads_new(struct arena *a, const char *dir)
{
	struct leads *l = arena_zalloc(a, sizeof(*l));

	l->a = arena_new();
	l->scratch = arena_new();
	arena_on_free(a, leads_release, l);
	leads_forget(l);
	l->forms_path = arena_printf(a, "%s/forms.json", dir);
	l->forms_lock = arena_printf(a, "%s/forms.lock", dir);
	l->journal = journal_new(a, arena_printf(a, "%s/leads.ndjson", dir),
	    (struct journal_reader){leads_index_line, leads_forget, l, 0});
	return l;
}

/* ---- inventing people --------------------------------------------------------------------- */

static const char *const first_names[] = {"Anna", "Ben", "Chiara", "David", "Elif", "Finn", "Grace",
    "Hugo", "Ines", "Jonas", "Kira", "Liam", "Maya", "Noah", "Olga", "Paul", "Ren\xc3\xa9", "Sofia",
    "Tom", "Zo\xc3\xab"};
static const char *const last_names[] = {"Smith", "Garcia", "M\xc3\xbcller", "Rossi", "Nowak",
    "Kim", "Silva", "Dubois", "Jensen", "Okafor", "Tanaka", "Novak", "Andersson", "Cohen", "Patel",
    "Brown"};
static const char *const companies[] = {"Northwind Traders", "Blue Harbour Ltd", "Solar & Sons",
    "Greenfield GmbH", "Atlas Foods", "Bright Dental", "Kite Logistics", "Old Mill Bakery"};
static const char *const questions[] = {
    "This week", "This month", "Just looking", "As soon as possible"};

#define PICK(list, hash) ((list)[(hash) % (sizeof(list) / sizeof((list)[0]))])

struct person {
	const char *first, *last, *email, *phone, *company, *answer;
};

/* Ids in a row give people in no order; no two ids share an address. */
static struct person person_invent(struct arena *a, struct str id)
{
	const uint64_t h = str_hash(id.p, id.n);
	struct person p = {PICK(first_names, h), PICK(last_names, h >> 8), NULL, NULL,
	    PICK(companies, h >> 16), PICK(questions, h >> 24)};

	p.email = arena_printf(a, "lead.%.*s@example.com", (int)id.n, id.p);
	p.phone = arena_printf(a, "+1202555%04u", (unsigned)((h >> 32) % 10000));
	return p;
}

static void field_add(json_t *fields, const char *name, const char *value)
{
	json_array_append_new(fields, json_pack("{s:s,s:[s]}", "name", name, "values", value));
}

static json_t *fields_invent(struct arena *a, struct str id)
{
	const struct person p = person_invent(a, id);
	json_t *fields = json_array();

	field_add(fields, "email", p.email);
	field_add(fields, "full_name", arena_printf(a, "%s %s", p.first, p.last));
	field_add(fields, "phone_number", p.phone);
	field_add(fields, "company_name", p.company);
	field_add(fields, "when_do_you_want_to_start?", p.answer);
	return fields;
}

/* "2026-02-28T08:49:14+0000" */
static const char *time_as_graph(struct arena *a, int64_t at_s)
{
	char text[CLOCK_TEXT];

	clock_iso(text, at_s * SECOND_US);
	return arena_printf(a, "%.19s+0000", text);
}

static json_t *lead_json(struct arena *a, const char *id, const char *page_id, const char *form_id,
    int64_t created_s, json_t *fields)
{
	json_t *lead = json_object();

	json_set_str(lead, "id", id);
	json_set_str(lead, "created_time", time_as_graph(a, created_s));
	json_set_int(lead, "created_s", created_s);
	json_set_str(lead, "page_id", page_id);
	json_set_str(lead, "form_id", form_id);
	json_set_str(lead, "ad_id", "120210000000000001");
	json_set_str(lead, "ad_name", "Sandbox ad");
	json_set_str(lead, "adset_id", "120210000000000002");
	json_set_str(lead, "adset_name", "Sandbox ad set");
	json_set_str(lead, "campaign_id", "120210000000000003");
	json_set_str(lead, "campaign_name", "Sandbox campaign");
	json_set_bool(lead, "is_organic", false);
	json_set_str(lead, "platform", "fb");
	json_set(lead, "field_data", fields);
	return json_own(a, lead);
}

/* ---- making leads ------------------------------------------------------------------------- */

/* field_data as a list of {name,values}, as Graph has it, or as an object name → value. */
static int fields_take(struct arena *a, const json_t *given, json_t *fields, struct err *err)
{
	const char *name, *text;
	json_t *value;
	size_t i;

	if (json_is_object(given)) {
		json_object_each(given, name, value) {
			text = json_scalar_text(a, value);
			if (text == NULL)
				return err_field(err, ERR_INVALID, "field_data",
				    "each value must be text, a number or a boolean");
			field_add(fields, name, text);
		}
		return 0;
	}
	if (!json_is_array(given))
		return err_field(err, ERR_INVALID, "field_data", "must be a list or an object");
	json_array_each(given, i, value) {
		if (json_str(value, "name") == NULL ||
		    !json_is_array(json_object_get(value, "values")))
			return err_field(err, ERR_INVALID, "field_data",
			    "each entry needs a name and a list of values");
		json_array_append(fields, value);
	}
	return 0;
}

static const char *wish_text(
    const json_t *wishes, const char *key, const char *other_key, const char *otherwise)
{
	const char *text = json_str(wishes, key);

	if (text == NULL && other_key != NULL)
		text = json_str(wishes, other_key);
	return text != NULL ? text : otherwise;
}

static json_t *fields_make(struct arena *a, const char *id, const json_t *wishes)
{
	const struct person p = person_invent(a, str_from(id));
	const char *first = json_str(wishes, "first_name"), *last = json_str(wishes, "last_name");
	json_t *fields = json_array();

	field_add(fields, "email", wish_text(wishes, "email", NULL, p.email));
	if (first != NULL || last != NULL) {
		field_add(fields, "first_name", first != NULL ? first : "");
		field_add(fields, "last_name", last != NULL ? last : "");
	} else {
		field_add(fields, "full_name",
		    wish_text(
			wishes, "full_name", "name", arena_printf(a, "%s %s", p.first, p.last)));
	}
	field_add(fields, "phone_number", wish_text(wishes, "phone", "phone_number", p.phone));
	field_add(fields, "company_name", wish_text(wishes, "company", "company_name", p.company));
	field_add(
	    fields, "when_do_you_want_to_start?", wish_text(wishes, "question", NULL, p.answer));
	return fields;
}

/* Ids rise with the clock and are unique under the lock: 16 digits. */
static int64_t lead_next_id(const struct leads *l)
{
	const int64_t now_us = clock_now_us();

	return now_us > l->last_id ? now_us : l->last_id + 1;
}

json_t *leads_make(struct leads *l, struct arena *a, const struct product *p, const json_t *wishes,
    struct err *err)
{
	const json_t *given = json_object_get(wishes, "field_data");
	json_t *fields = NULL, *lead;
	const char *id;

	if (given != NULL) {
		fields = json_own(a, json_array());
		if (fields_take(a, given, fields, err) == -1)
			return NULL;
	}
	if (journal_lock(l->journal, err) == -1)
		return NULL;
	id = arena_printf(a, "%lld", (long long)lead_next_id(l));
	fields = fields != NULL ? json_incref(fields) : fields_make(a, id, wishes);
	lead = lead_json(a, id, wish_text(wishes, "page_id", NULL, p->page_id),
	    wish_text(wishes, "form_id", NULL, p->form_id), clock_now_us() / SECOND_US, fields);
	if (journal_append(l->journal, json_text(a, lead), err) == -1)
		lead = NULL;
	journal_unlock(l->journal);
	return lead;
}

/* ---- finding leads ------------------------------------------------------------------------ */

static bool lead_is_invented(struct str id)
{
	if (id.n < 10 || id.n > 20)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] < '0' || id.p[i] > '9')
			return false;
	return true;
}

static json_t *lead_row_json(struct leads *l, struct arena *a, const struct lead_row *row)
{
	return json_parse(a, journal_read(l->journal, a, row->at, row->n), NULL);
}

int leads_get(struct leads *l, struct arena *a, const struct product *p, struct str id,
    json_t **out, struct err *err)
{
	size_t place;

	if (journal_sync(l->journal, err) == -1)
		return -1;
	place = (size_t)(uintptr_t)map_get(l->by_id, id);
	if (place != 0) {
		*out = lead_row_json(l, a, &l->rows[place - 1]);
		if (*out != NULL)
			return 1;
	}
	if (!lead_is_invented(id))
		return 0;
	/* some time in the first 90 days of 2026 */
	*out = lead_json(a, arena_strndup(a, id.p, id.n), p->page_id, p->form_id,
	    1767225600 + (int64_t)(str_hash(id.p, id.n) % (90u * 86400u)), fields_invent(a, id));
	return 1;
}

int leads_list(struct leads *l, struct arena *a, const struct leads_query *q, json_t **out,
    int64_t *first, int64_t *last, int64_t *next, struct err *err)
{
	size_t i;
	json_t *list, *lead;

	*first = *last = *next = 0;
	if (journal_sync(l->journal, err) == -1)
		return -1;
	list = json_own(a, json_array());
	i = q->before_seq > 0 && (size_t)q->before_seq - 1 < l->nrows ? (size_t)q->before_seq - 1
	    : q->before_seq > 0                                       ? 0
								      : l->nrows;
	while (i-- > 0) {
		const struct lead_row *row = &l->rows[i];

		if (!str_eq(row->form_id, q->form_id) || row->created_s <= q->created_after_s)
			continue;
		if ((int64_t)json_array_size(list) == q->limit) {
			*next = *last;
			break;
		}
		lead = lead_row_json(l, a, row);
		if (lead == NULL)
			continue;
		json_array_append(list, lead);
		*last = (int64_t)i + 1;
		if (*first == 0)
			*first = *last;
	}
	*out = list;
	return 0;
}

/* ---- forms -------------------------------------------------------------------------------- */

static json_t *form_json(const char *id, const char *name)
{
	json_t *form = json_pack("{s:s,s:s,s:s,s:s,s:[]}", "id", id, "name", name, "status",
	    "ACTIVE", "locale", "en_US", "questions");
	json_t *list = json_object_get(form, "questions");
	static const char *const keys[] = {"EMAIL", "FULL_NAME", "PHONE", "COMPANY_NAME"};
	static const char *const names[] = {"email", "full_name", "phone_number", "company_name"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		json_array_append_new(
		    list, json_pack("{s:s,s:s}", "type", keys[i], "key", names[i]));
	json_array_append_new(
	    list, json_pack("{s:s,s:s,s:s}", "type", "CUSTOM", "key", "when_do_you_want_to_start?",
		      "label", "When do you want to start?"));
	return form;
}

json_t *leads_forms(struct leads *l, struct arena *a, const struct product *p, struct err *err)
{
	json_t *made = NULL, *out = json_own(a, json_array());
	struct str text;
	const int found = file_find(a, l->forms_path, FORMS_MAX_BYTES, &text, err);

	if (found == -1)
		return NULL;
	if (found == 1) {
		made = json_parse(a, text, err);
		if (made == NULL)
			return NULL;
	}
	json_array_append_new(out, form_json(p->form_id, "Sandbox form"));
	json_array_extend(out, made);
	return out;
}

int leads_count(struct leads *l, struct arena *a, json_t *forms, struct err *err)
{
	int64_t *counts;
	json_t *form;
	size_t i;

	if (journal_sync(l->journal, err) == -1)
		return -1;
	counts = arena_array(a, map_count(l->forms) + 1, sizeof(*counts));
	for (i = 0; i < l->nrows; i++)
		counts[(size_t)(uintptr_t)map_get(l->forms, l->rows[i].form_id)]++;
	json_array_each(forms, i, form) {
		const char *id = json_str(form, "id");

		json_set_int(form, "leads_count",
		    counts[(size_t)(uintptr_t)map_get(l->forms, str_from(id))]);
	}
	return 0;
}

json_t *leads_form_make(
    struct leads *l, struct arena *a, const struct product *p, const char *name, struct err *err)
{
	const int fd = state_lock(l->forms_lock, err);
	json_t *form = NULL, *made, *all;

	if (fd == -1)
		return NULL;
	all = leads_forms(l, a, p, err);
	if (all == NULL)
		goto out;
	if (json_array_size(all) >= FORMS_MAX) {
		err_set(err, ERR_LIMIT, "there are %u forms already", FORMS_MAX);
		goto out;
	}
	form = json_own(a, form_json(arena_printf(a, "%lld", (long long)clock_now_us()), name));
	made = json_own(a, json_array());
	for (size_t i = 1; i < json_array_size(all); i++)
		json_array_append(made, json_array_get(all, i));
	json_array_append(made, form);
	if (file_replace(l->forms_path, json_text(a, made), err) == -1)
		form = NULL;
out:
	close(fd);
	return form;
}
