/* Records of leads that come by a door which knows no leads: a file's rows, a flow's step, what is
 * fetched for a record, a webhook that brings plain records of that type.
 *
 *	items ──which have a lead?──> their fields in normal form ──record_upsert──> lead_correct
 *	            └─none: a record as any other, and no lead comes of it
 *
 * - The record is written with what the lead will say, so that both agree and the same file once
 *   more is no news.
 * - A lead that is not ready stays as it is: it takes over what its record says when it becomes
 *   ready.
 * - What an item tells of a lead in a form that no lead can hold, such as a list of addresses, is
 *   the record's alone. */
#include "base/limits.h"
#include "lead/lead-internal.h"
#include "record/record.h"

/* With where a number without a country is at home: as for what the lead's connection brings. */
enum { KNOWN_PROVIDER_ID, KNOWN_ID, KNOWN_LEAD, KNOWN_COUNTRY };
DB_STMT_ROWS(leads_known,
    "SELECT l.provider_lead_id, l.id, l.lead, JSON_VALUE(c.settings, '$.defaultCountry')"
    " FROM leads l FORCE INDEX (leads_provider) LEFT JOIN connections c"
    " ON c.id = l.connection_id AND c.account_id = l.account_id"
    " WHERE l.account_id = ? AND l.provider_type = ? AND l.provider_lead_id IN (",
    "?", ")");

/* ---- normal form ------------------------------------------------------------------------- */

/* With the raw fields that the lead has beside those that are given now: they may name the country
 * of its phone number. */
static int known_normalize(
    struct arena *a, const struct db_rows *known, size_t i, json_t *lead, struct err *err)
{
	const json_t *stored = lead_parse_stored(a, db_get_str(known, i, KNOWN_LEAD), err);
	json_t *given = json_object_get(lead, "rawFieldData"), *raw;

	if (stored == NULL)
		return -1;
	given = json_own(a, json_is_object(given) ? json_incref(given) : json_object());
	raw = json_copy(JSON_ITER(json_object_get(stored, "rawFieldData")));
	if (raw == NULL)
		raw = json_object();
	json_object_update(raw, given);
	json_set(lead, "rawFieldData", raw);
	lead_normalize(a, lead, db_get_text(known, i, KNOWN_COUNTRY));
	json_set(lead, "rawFieldData", json_incref(given));
	return 0;
}

int lead_normalize_as_known(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str provider_type, struct str provider_lead_id, json_t *lead, struct err *err)
{
	struct db_val id = db_strn(provider_lead_id);
	struct db_rows known;

	if (db_query_rows(app->db, a, &leads_known,
		DB_VALS(db_uuid(account_id), db_strn(provider_type)), &id, 1, 1, &known, err) == -1)
		return -1;
	if (known.count == 1)
		return known_normalize(a, &known, 0, lead, err);
	lead_normalize(a, lead, NULL);
	return 0;
}

/* What the data tell of the lead. */
static json_t *item_tells(struct arena *a, const json_t *data)
{
	json_t *given = json_own(a, json_object());

	for (size_t i = 0; i < LEAD_TEXTS; i++) {
		json_t *v = json_object_get(data, lead_texts[i]);
		const char *text = json_scalar_text(a, v);

		if (text != NULL)
			json_set_str(given, lead_texts[i], text);
		else if (json_is_null(v))
			json_set(given, lead_texts[i], json_null());
	}
	for (size_t i = 0; i < LEAD_MAPS; i++) {
		json_t *v = json_object_get(data, lead_maps[i]);

		if (json_is_object(v))
			json_set(given, lead_maps[i], json_deep_copy(v));
	}
	return given;
}

/* Members that are there, but not given to the lead, are the record's alone. */
static void lead_leave_alone(json_t *lead, const json_t *data, const json_t *given)
{
	for (size_t i = 0; i < LEAD_TEXTS; i++)
		if (json_object_get(data, lead_texts[i]) != NULL &&
		    json_object_get(given, lead_texts[i]) == NULL)
			json_object_del(lead, lead_texts[i]);
	for (size_t i = 0; i < LEAD_MAPS; i++)
		if (json_object_get(given, lead_maps[i]) == NULL &&
		    json_object_size(json_object_get(lead, lead_maps[i])) == 0)
			json_object_del(lead, lead_maps[i]);
}

/* The item as a lead's own door would bring it. */
static int item_normalize(
    struct arena *a, const struct db_rows *known, size_t i, struct record_item *it, struct err *err)
{
	struct err unread = ERR_INIT; /* the store says so */
	const json_t *data = json_parse(a, it->data, &unread);
	json_t *given, *lead;

	if (data == NULL)
		return 0;
	given = item_tells(a, data);
	lead = json_own(a, json_deep_copy(given));
	if (known_normalize(a, known, i, lead, err) == -1)
		return -1;
	lead_leave_alone(lead, data, given);
	it->data = json_text(a, lead_record_data(a, data, given, lead, &it->unsaid));
	it->words = (struct str){NULL, 0}; /* they were of what came */
	it->is_correction = uuid_is_nil(it->event_id) && uuid_is_nil(it->connection_id);
	return 0;
}

/* ---- following --------------------------------------------------------------------------- */

static bool item_is_of_a_lead(const struct record_item *it)
{
	return str_is(it->resource_type, "lead");
}

static bool item_is_beside(const struct record_item *x, const struct record_item *y)
{
	return uuid_eq(x->account_id, y->account_id) && str_eq(x->provider_type, y->provider_type);
}

static size_t known_find(const struct db_rows *known, struct str id)
{
	size_t i = 0;

	while (i < known->count && !str_eq(db_get_str(known, i, KNOWN_PROVIDER_ID), id))
		i++;
	return i;
}

static int followers_add(struct arena *a, const struct db_rows *known, struct record_item *it,
    struct lead_followers *out, struct err *err)
{
	size_t i = known_find(known, it->external_id);

	if (i == known->count)
		return 0;
	out->item[out->n] = it;
	out->id[out->n++] = db_get_uuid(known, i, KNOWN_ID);
	return item_normalize(a, known, i, it, err);
}

/* Those of the account and provider of of[0], at most LIMIT_DB_BATCH. */
static int followers_find_some(struct db *db, struct arena *a, struct record_item *const *of,
    size_t n, struct lead_followers *out, struct err *err)
{
	struct db_val ids[LIMIT_DB_BATCH];
	struct db_rows known;

	for (size_t i = 0; i < n; i++)
		ids[i] = db_strn(of[i]->external_id);
	if (db_query_rows(db, a, &leads_known,
		DB_VALS(db_uuid(&of[0]->account_id), db_strn(of[0]->provider_type)), ids, n, 1,
		&known, err) == -1)
		return -1;
	for (size_t i = 0; i < n && known.count > 0; i++)
		if (followers_add(a, &known, of[i], out, err) == -1)
			return -1;
	return 0;
}

int lead_followers_find(struct db *db, struct arena *a, struct record_item *const *items, size_t n,
    struct lead_followers *out, struct err *err)
{
	struct record_item *some[LIMIT_DB_BATCH];
	size_t nsome = 0;

	*out = (struct lead_followers){.item = arena_array(a, n + 1, sizeof(*out->item)),
	    .id = arena_array(a, n + 1, sizeof(*out->id))};
	for (size_t i = 0; i < n; i++) {
		if (!item_is_of_a_lead(items[i]))
			continue;
		if (nsome == LIMIT_DB_BATCH || (nsome > 0 && !item_is_beside(some[0], items[i]))) {
			if (followers_find_some(db, a, some, nsome, out, err) == -1)
				return -1;
			nsome = 0;
		}
		some[nsome++] = items[i];
	}
	return nsome == 0 ? 0 : followers_find_some(db, a, some, nsome, out, err);
}

size_t lead_followers_news(const struct lead_followers *f, struct lead_capture *out)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct record_item *it = f->item[i];

		if (it->outcome == RECORD_CREATED || it->outcome == RECORD_UPDATED)
			out[n++] = (struct lead_capture){.account_id = it->account_id,
			    .connection_id = it->connection_id,
			    .record_id = it->id,
			    .event_id = it->event_id,
			    .provider_type = it->provider_type,
			    .provider_lead_id = it->external_id,
			    .record = it->merged,
			    .has_news = true,
			    .is_record_new = it->outcome == RECORD_CREATED,
			    .unsaid = it->unsaid,
			    .is_known = true,
			    .may_be_there = true,
			    .id = f->id[i]};
	}
	return n;
}

/* What came of them, for items that are still as they came: the transaction may run again. */
static void items_tell(struct record_item *items, const struct record_item *mine, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct record_item came = items[i];

		items[i] = mine[i];
		items[i].data = came.data;
		items[i].unsaid = came.unsaid;
		items[i].is_correction = came.is_correction;
		items[i].words = came.words;
	}
}

static int records_upsert(struct db *db, struct arena *a, struct record_item *items, size_t n,
    struct lead_capture *captures, size_t *ncaptures, struct err *err)
{
	struct record_item *mine = arena_alloc(a, n * sizeof(*mine));
	struct record_item **of = arena_array(a, n + 1, sizeof(*of));
	struct lead_followers followers;
	int rc;

	memcpy(mine, items, n * sizeof(*mine));
	for (size_t i = 0; i < n; i++)
		of[i] = &mine[i];
	if (lead_followers_find(db, a, of, n, &followers, err) == -1)
		return -1;
	rc = record_upsert(db, a, mine, n, err);
	items_tell(items, mine, n);
	*ncaptures = rc == -1 ? 0 : lead_followers_news(&followers, captures);
	return rc;
}

int lead_records_upsert(struct app *app, struct db *db, struct arena *a, struct record_item *items,
    size_t n, bool is_bulk, struct err *err)
{
	struct lead_capture *captures = arena_array(a, n + 1, sizeof(*captures));
	size_t ncaptures;

	(void)app;
	if (records_upsert(db, a, items, n, captures, &ncaptures, err) == -1)
		return -1;
	for (size_t i = 0; i < ncaptures; i++)
		captures[i].class = is_bulk ? JOB_BULK : JOB_LIVE;
	return lead_capture(db, a, captures, ncaptures, err);
}

int lead_record_upsert_told(struct db *db, struct arena *a, struct record_item *item,
    struct lead_capture *lead, struct err *err)
{
	size_t n;

	*lead = (struct lead_capture){.revision = 0};
	if (records_upsert(db, a, item, 1, lead, &n, err) == -1)
		return -1;
	if (n == 0)
		return 0;
	lead->source = item->source;
	lead->is_told = true;
	return lead_capture(db, a, lead, 1, err);
}
