/* Committing write sets: the rows of many webhooks in one transaction of multi-row statements.
 *
 *	sets ──> written already? skipped ──> keys claimed ──some were there──> whose? repeats
 *	     ──> records with their history ──> leads, jobs             (of items, not of repeats)
 *	     ──> one event row per set, with its status:
 *	           with a reason  rejected, or failed if it was verified
 *	           without        duplicate (all repeats), failed (none could be stored),
 *	                          else processed
 *	         and how many of what it carried were taken, why the first of the others was not
 *
 * - An event and all that it causes are in one commit, so what was acknowledged is never there by
 *   half.
 * - Providers send again what they think was lost, as a new request. The key of an item belongs to
 *   the event that claimed it first, whichever process commits, so the item is stored once.
 * - A set may reach two committers: its writer was slow, and the worker took it for dead. The set
 *   has its event id from the start; who comes second finds the row, or runs into its primary key
 *   and tries again.
 * - A replay inserts no event and claims no key: somebody asks for it, so nothing in it is a
 *   repeat. If its event went through before, it only adds records that are not there, since newer
 *   events may have followed; and it gives a lead that got stuck another go.
 * - An item that cannot be stored is refused, and the transaction run again without it: it costs
 *   none of its neighbours.
 * - A set of too many items is pending: its event is acknowledged with a job beside it, which takes
 *   the items in parts. Each part moves the event on in its own commit, from where the last one
 *   ended, so a run that is cut goes on there. The last part gives the event its verdict.
 * - The body of the transaction may run again (deadlock), so it makes everything anew.
 * - Rows that are often held (records, leads) are locked without waiting for them, so it is known
 *   whose set is in the way. For all others see write-shared.c.
 *
 * Why: a commit costs most, then the round trips. So both are shared by all who wait. When a batch
 * fails each set is committed alone, so that a bad one harms no other. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "flow/trigger.h"
#include "intake/intake-internal.h"
#include "intake/polls.h"
#include "intake/write-set.h"
#include "job/job.h"
#include "lead/lead.h"
#include "record/record.h"

DB_STMT_ROWS(event_keys_insert,
    "INSERT INTO event_keys (account_id, connection_id, key_hash, event_id) VALUES ", "(?,?,?,?)",
    " ON DUPLICATE KEY UPDATE event_id = event_id");
DB_STMT(event_key_owner,
    "SELECT event_id FROM event_keys WHERE account_id = ? AND connection_id = ? AND key_hash = ?");
DB_STMT_ROWS(events_insert,
    "INSERT INTO events (id, account_id, connection_id, provider_type, status, reason, event_type,"
    " items, received_at, latency_us, remote_addr, request_id, url, headers, body, taken,"
    " left_first, left_reason) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "");
DB_STMT(event_written, "SELECT status FROM events WHERE id = ? AND account_id = ?");
DB_STMT(event_judged,
    "UPDATE events SET status = ?, reason = ?, items = ?, taken = ?, left_first = ?,"
    " left_reason = ? WHERE id = ? AND account_id = ?");
enum { PART_BEFORE, PART_TAKEN, PART_LEFT, PART_LEFT_REASON, PART_NOTES };
DB_STMT(event_part_begin,
    "SELECT items, taken, left_first, left_reason, reason FROM events"
    " WHERE id = ? AND account_id = ? AND status = '" EVENT_VERIFIED "' FOR UPDATE");

#define EVENT_VALUES 18
#define NOTE_BYTES 255u /* of the column reason */

struct group_commit {
	struct write_set *sets;
	size_t n;
	const char *source;    /* of the records and leads */
	enum job_class class;  /* of the leads' jobs */
	int64_t old_before_us; /* items_store.old_before_us */
	struct arena *a;
	bool **is_repeat; /* per set and item: another event had its key already */
	bool *is_skipped; /* per set: written before */
	bool *is_done;    /* per set: a replay of an event that went through before */
	bool *is_left;    /* per set: something of it is in the way of the others */
	bool is_shared;
	struct buf **notes; /* per set: what is to be said of its items; NULL: nothing */
	struct arena *kept; /* over tries */
	size_t tries;
	/* Per set and item: why it cannot be stored, or NULL; a set without such has none. */
	const char ***refused;
	size_t nrefused;
	size_t created, updated; /* records */
	/* Of a part: what came of those before it. */
	size_t taken_before, left_before;
	struct str left_why_before;
};

static bool item_is_refused(const struct group_commit *c, size_t set, size_t item)
{
	return c->refused[set] != NULL && c->refused[set][item] != NULL;
}

static void item_refuse(struct group_commit *c, size_t set, size_t item, const char *why)
{
	if (c->refused[set] == NULL)
		c->refused[set] =
		    arena_array(c->kept, c->sets[set].nitems + 1, sizeof(const char *));
	if (c->refused[set][item] != NULL)
		return;
	c->refused[set][item] = arena_printf(c->kept, "is not stored: %.200s", why);
	c->nrefused++;
}

/* Of the row that event_written has found. */
static bool event_has_status(const struct db_rows *rows, const char *status)
{
	return strcmp(db_get_text(rows, 0, 0), status) == 0;
}

/* What such an event said of its records is in them already, and newer events followed it. */
static int commit_find_done(struct db *db, struct group_commit *c, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct write_set *ws = &c->sets[i];
		struct db_rows rows;
		int found;

		c->is_done[i] = ws->is_only_new;
		if (!ws->is_replay)
			continue;
		found = db_row(db, c->a, &event_written,
		    DB_VALS(db_uuid(&ws->event_id), db_uuid(&ws->account_id)), &rows, err);
		if (found == -1)
			return -1;
		c->is_done[i] = found == 1 && (event_has_status(&rows, EVENT_PROCESSED) ||
						  event_has_status(&rows, EVENT_DUPLICATE));
	}
	return 0;
}

static size_t commit_count_items(const struct group_commit *c)
{
	size_t total = 0;

	for (size_t i = 0; i < c->n; i++)
		total += c->sets[i].nitems;
	return total;
}

static bool write_set_is_live(const struct group_commit *c, size_t i)
{
	return c->sets[i].reason.p == NULL && !c->is_skipped[i];
}

/* Somebody asks for a replay: what went through before is no repeat. */
static bool item_has_key(const struct group_commit *c, size_t set, size_t item)
{
	return write_set_is_live(c, set) && !c->is_done[set] &&
	       c->sets[set].items[item].has_dedupe && !item_is_refused(c, set, item);
}

/* The part goes on where the last one ended; else another run has taken it. */
static int commit_begin_part(struct db *db, struct group_commit *c, struct err *err)
{
	const struct write_set *ws = c->sets;
	struct db_rows rows;
	int found;

	if (c->n != 1 || !ws->is_part)
		return 0;
	found = db_row(db, c->a, &event_part_begin,
	    DB_VALS(db_uuid(&ws->event_id), db_uuid(&ws->account_id)), &rows, err);
	if (found == -1)
		return -1;
	if (found == 0 || db_get_int(&rows, 0, PART_BEFORE) != (int64_t)ws->before)
		return err_set(err, ERR_CONFLICT, "another run has taken this part of the event");
	c->taken_before = (size_t)db_get_int(&rows, 0, PART_TAKEN);
	c->left_before = (size_t)db_get_int(&rows, 0, PART_LEFT);
	c->left_why_before = db_get_str(&rows, 0, PART_LEFT_REASON);
	if (!db_is_null(&rows, 0, PART_NOTES)) {
		c->notes[0] = buf_new(c->a, NOTE_BYTES);
		buf_str(c->notes[0], db_get_text(&rows, 0, PART_NOTES));
	}
	return 0;
}

/* A set sent before to a writer that died may have been committed by it. */
static int commit_skip_written(struct db *db, struct group_commit *c, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		struct write_set *ws = &c->sets[i];
		struct db_rows rows;
		int found;

		ws->is_duplicate = false;
		if (!ws->may_be_written || ws->is_replay || c->is_left[i])
			continue;
		found = db_row(db, c->a, &event_written,
		    DB_VALS(db_uuid(&ws->event_id), db_uuid(&ws->account_id)), &rows, err);
		if (found == -1)
			return -1;
		c->is_skipped[i] = found == 1;
		ws->is_duplicate = found == 1 && event_has_status(&rows, EVENT_DUPLICATE);
	}
	return 0;
}

/* Some keys were there: finds out whose. */
static int commit_find_repeats(struct db *db, struct group_commit *c, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		struct write_set *ws = &c->sets[i];

		for (size_t k = 0; k < ws->nitems; k++) {
			const struct write_item *it = &ws->items[k];
			struct db_rows rows;

			if (!item_has_key(c, i, k))
				continue;
			if (db_row(db, c->a, &event_key_owner,
				DB_VALS(db_uuid(&ws->account_id), db_uuid(&ws->connection_id),
				    db_blob((struct str){(const char *)it->dedupe, DEDUPE_SIZE})),
				&rows, err) == -1)
				return -1;
			c->is_repeat[i][k] =
			    rows.count == 1 && !uuid_eq(db_get_uuid(&rows, 0, 0), ws->event_id);
		}
	}
	return 0;
}

static int commit_claim_keys(struct db *db, struct group_commit *c, struct err *err)
{
	struct db_val *v = arena_alloc(c->a, (commit_count_items(c) + 1) * 4 * sizeof(*v));
	size_t n = 0;
	uint64_t inserted = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct write_set *ws = &c->sets[i];

		c->is_repeat[i] = arena_zalloc(c->a, ws->nitems + 1);
		for (size_t k = 0; k < ws->nitems; k++) {
			if (!item_has_key(c, i, k))
				continue;
			struct db_val row[4] = {db_uuid(&ws->account_id),
			    db_uuid(&ws->connection_id),
			    db_blob((struct str){(const char *)ws->items[k].dedupe, DEDUPE_SIZE}),
			    db_uuid(&ws->event_id)};

			memcpy(v + 4 * n++, row, sizeof(row));
		}
	}
	if (db_exec_rows(db, &event_keys_insert, NULL, 0, v, n, 4, &inserted, err) == -1)
		return -1;
	return inserted < n ? commit_find_repeats(db, c, err) : 0;
}

/* Records, then leads with their records' ids, then jobs for details. */
struct commit_rows {
	struct record_item *records;
	struct write_item **record_of; /* which item each record came from */
	const struct write_set **set_of;
	size_t nrecords;
	struct lead_capture *leads;
	size_t *record_of_lead;
	bool *is_replayed; /* per lead: its event is being replayed */
	size_t nleads;
	struct lead_followers followers; /* plain records of leads that are there */
	struct job *jobs;
	size_t njobs;
};

/* Of its records: when it came, if that was just now. */
static int64_t write_set_record_time(const struct write_set *ws)
{
	int64_t now_us = clock_now_us();

	return ws->is_replay || ws->is_part || ws->received_us < now_us - RECORD_LATE_US
		   ? now_us
		   : ws->received_us;
}

static void commit_collect_records(struct group_commit *c, struct commit_rows *r)
{
	for (size_t i = 0; i < c->n; i++) {
		struct write_set *ws = &c->sets[i];

		for (size_t k = 0; write_set_is_live(c, i) && k < ws->nitems; k++) {
			struct write_item *it = &ws->items[k];

			if (c->is_repeat[i][k] || it->data.p == NULL || item_is_refused(c, i, k))
				continue;
			r->record_of[r->nrecords] = it;
			r->set_of[r->nrecords] = ws;
			r->records[r->nrecords++] =
			    (struct record_item){.account_id = ws->account_id,
				.provider_type = ws->provider_type,
				.resource_type = it->resource_type,
				.external_id = it->external_id,
				.source = c->source,
				.data = it->data,
				.unsaid = it->unsaid,
				.provider_updated_us = it->provider_updated_us,
				.has_provider_time = it->provider_updated_us != TIME_NONE,
				.received_us = ws->is_replay || ws->is_part ? ws->received_us : 0,
				.is_only_new = c->is_done[i],
				.event_id = ws->event_id,
				.connection_id = ws->connection_id,
				.index_later = true,
				.at_us = write_set_record_time(ws)};
		}
	}
}

static size_t item_place(const struct write_set *ws, size_t item)
{
	return ws->items[item].place != 0 ? ws->items[item].place : item + 1;
}

/* What its event says of an item that was taken: a sentence, with the item's place. */
static void commit_note(struct group_commit *c, size_t set, size_t place, const char *what)
{
	struct buf **b = &c->notes[set];

	if (*b == NULL)
		*b = buf_new(c->a, NOTE_BYTES);
	if ((*b)->len + strlen(what) + 32 > NOTE_BYTES)
		return;
	buf_printf(*b, "%sitem %zu %s", (*b)->len > 0 ? "; " : "", place, what);
}

static void commit_note_records(struct group_commit *c, const struct commit_rows *r)
{
	for (size_t i = 0; i < r->nrecords; i++) {
		const struct record_item *rec = &r->records[i];
		size_t set = (size_t)(r->set_of[i] - c->sets);
		size_t place =
		    item_place(&c->sets[set], (size_t)(r->record_of[i] - c->sets[set].items));

		if (r->record_of[i]->is_time_odd)
			commit_note(c, set, place, "tells a time that cannot be read");
		if (rec->was_ahead)
			commit_note(
			    c, set, place, "tells a time to come, which counts as its receipt");
		if (rec->outcome == RECORD_STALE)
			commit_note(c, set, place,
			    "is older than what its record says, and changed nothing");
	}
}

static void commit_note_corrections(struct group_commit *c, const struct commit_rows *r)
{
	for (size_t i = 0; i < r->nleads; i++) {
		size_t record = r->record_of_lead[i];
		size_t set = (size_t)(r->set_of[record] - c->sets);

		if (r->leads[i].is_corrected)
			commit_note(c, set, (size_t)(r->record_of[record] - c->sets[set].items) + 1,
			    "corrects its lead, which goes to its destinations again");
	}
}

static bool item_is_old(const struct group_commit *c, const struct write_item *it)
{
	return c->old_before_us != TIME_NONE &&
	       (it->provider_updated_us == TIME_NONE || it->provider_updated_us < c->old_before_us);
}

/* What flows are to be told of it then goes with the job. */
static struct job record_fetch_job(const struct group_commit *c, const struct write_set *ws,
    const struct write_item *it, const struct record_item *rec)
{
	json_t *args = json_own(c->a, json_object());

	json_set_str(args, "connectionId", uuid_dup(c->a, ws->connection_id));
	json_set_str(args, "source", rec->source);
	if (rec->outcome == RECORD_CREATED || rec->outcome == RECORD_UPDATED)
		json_set_str(args, "was", rec->outcome == RECORD_CREATED ? "created" : "updated");
	if (it->event_type.n > 0 && !ws->is_replay)
		json_set_strn(args, "eventType", it->event_type);
	json_set_bool(args, "isOld", item_is_old(c, it));
	return (struct job){.account_id = ws->account_id,
	    .kind = "record.fetch",
	    .target_id = ws->connection_id,
	    .subject_id = rec->id,
	    .args = json_text(c->a, args)};
}

/* What takes the items of an event that one commit does not; it is there once. */
static struct job event_process_job(const struct write_set *ws, bool is_only_new)
{
	return (struct job){.id = ws->event_id,
	    .account_id = ws->account_id,
	    .class = JOB_BULK,
	    .kind = "event.process",
	    .subject_id = ws->event_id,
	    .args = is_only_new ? STR("{\"onlyNew\":true}") : (struct str){NULL, 0}};
}

/* Of an event that went through before they were done. */
static void commit_collect_effects(struct group_commit *c, struct commit_rows *r)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct write_set *ws = &c->sets[i];
		json_t *effects = json_own(c->a, json_array());

		for (size_t k = 0; write_set_is_live(c, i) && !c->is_done[i] && k < ws->nitems; k++)
			if (!c->is_repeat[i][k] && !item_is_refused(c, i, k))
				item_add_effects(effects, ws, &ws->items[k]);
		if (json_array_size(effects) > 0)
			r->jobs[r->njobs++] = event_effects_job(c->a, ws, effects);
	}
}

static void commit_collect_rest(struct group_commit *c, struct commit_rows *r)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->sets[i].is_pending && write_set_is_live(c, i) && !c->sets[i].is_replay)
			r->jobs[r->njobs++] = event_process_job(&c->sets[i], false);
	for (size_t i = 0; i < r->nrecords; i++) {
		const struct write_item *it = r->record_of[i];
		const struct write_set *ws = r->set_of[i];
		const struct record_item *rec = &r->records[i];

		if (it->is_lead) {
			r->is_replayed[r->nleads] = ws->is_replay || ws->is_only_new;
			r->record_of_lead[r->nleads] = i;
			r->leads[r->nleads++] = (struct lead_capture){.account_id = ws->account_id,
			    .connection_id = ws->connection_id,
			    .record_id = rec->id,
			    .event_id = ws->event_id,
			    .provider_type = ws->provider_type,
			    .provider_lead_id = it->external_id,
			    .form_id = it->form_id,
			    .ad_id = it->ad_id,
			    .campaign_id = it->campaign_id,
			    .lead = it->lead,
			    .record = rec->merged,
			    .has_news = rec->outcome == RECORD_UPDATED,
			    .is_record_new = rec->outcome == RECORD_CREATED,
			    .is_expected_new = rec->outcome == RECORD_CREATED && c->tries == 1,
			    .is_older = c->is_done[ws - c->sets],
			    .unsaid = rec->unsaid,
			    .may_be_there = rec->outcome != RECORD_CREATED,
			    .source = c->source,
			    .class = c->class,
			    .received_us = ws->received_us};
		} else if (it->needs_details) {
			r->jobs[r->njobs++] = record_fetch_job(c, ws, it, rec);
		}
	}
}

/* Plain records whose type is that of leads, as a connection brings them that names no fields of
 * its leads: a lead that is there follows. */
static int commit_find_followers(
    struct db *db, struct group_commit *c, struct commit_rows *r, struct err *err)
{
	struct record_item **plain = arena_array(c->a, r->nrecords + 1, sizeof(*plain));
	size_t n = 0;

	for (size_t i = 0; i < r->nrecords; i++)
		if (!r->record_of[i]->is_lead)
			plain[n++] = &r->records[i];
	return lead_followers_find(db, c->a, plain, n, &r->followers, err);
}

static void commit_collect_followers(struct group_commit *c, struct commit_rows *r)
{
	struct lead_capture *news = arena_array(c->a, r->followers.n + 1, sizeof(*news));
	size_t n = lead_followers_news(&r->followers, news);

	for (size_t i = 0; i < n; i++) {
		size_t record = 0;

		while (!uuid_eq(r->records[record].id, news[i].record_id))
			record++;
		news[i].class = c->class;
		news[i].is_older = c->is_done[r->set_of[record] - c->sets];
		r->record_of_lead[r->nleads] = record;
		r->leads[r->nleads++] = news[i];
	}
}

/* Which items are at fault when it fails is kept for the next try. */
static int commit_upsert(
    struct db *db, struct group_commit *c, struct commit_rows *r, struct err *err)
{
	struct err e = ERR_INIT;
	int rc = c->is_shared ? record_upsert_shared(db, c->a, r->records, r->nrecords, &e)
			      : record_upsert(db, c->a, r->records, r->nrecords, &e);

	if (rc == 0)
		return 0;
	for (size_t i = 0; i < r->nrecords; i++) {
		size_t set = (size_t)(r->set_of[i] - c->sets);

		if (r->records[i].is_in_the_way)
			c->is_left[set] = true;
		if (r->records[i].is_refused)
			item_refuse(c, set, (size_t)(r->record_of[i] - c->sets[set].items), e.msg);
	}
	return err_set(err, e.code, "%s", e.msg);
}

static int commit_capture(
    struct db *db, struct group_commit *c, struct commit_rows *r, struct err *err)
{
	struct err e = ERR_INIT;
	int rc = c->is_shared ? lead_capture_shared(db, c->a, r->leads, r->nleads, &e)
			      : lead_capture(db, c->a, r->leads, r->nleads, &e);

	if (rc == 0)
		return 0;
	for (size_t i = 0; i < r->nleads; i++)
		if (r->leads[i].is_in_the_way)
			c->is_left[r->set_of[r->record_of_lead[i]] - c->sets] = true;
	return err_set(err, e.code, "%s", e.msg);
}

/* Polls that items ask for, each once a set. */
static int commit_ask_polls(struct db *db, struct group_commit *c, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct write_set *ws = &c->sets[i];
		struct str asked = {NULL, 0};

		for (size_t k = 0; write_set_is_live(c, i) && !c->is_done[i] && k < ws->nitems;
		     k++) {
			struct str poll = ws->items[k].poll;

			if (poll.p == NULL || c->is_repeat[i][k] || str_eq(poll, asked))
				continue;
			asked = poll;
			if (poll_now(db, &ws->account_id, &ws->connection_id,
				arena_strndup(c->a, poll.p, poll.n), err) == -1)
				return -1;
		}
	}
	return 0;
}

/* ---- flows ----------------------------------------------------------------------------------- */

/* Of what was stored; one whose details are to come is told of when they are here, a lead when it
 * is whole. */
static int commit_tell_records(
    struct db *db, struct group_commit *c, const struct commit_rows *r, struct err *err)
{
	struct record_news *news = arena_array(c->a, r->nrecords + 1, sizeof(*news));
	size_t n = 0;

	for (size_t i = 0; i < r->nrecords; i++) {
		const struct write_item *it = r->record_of[i];
		const struct write_set *ws = r->set_of[i];

		if (it->needs_details || it->is_lead)
			continue;
		news[n++] = (struct record_news){.item = &r->records[i],
		    .connection_id = ws->connection_id,
		    .event_type = ws->is_replay ? (struct str){NULL, 0} : it->event_type,
		    .is_old = item_is_old(c, it)};
	}
	return triggers_tell(db, c->a, news, n, err);
}

/* Of events of which no record comes. */
static int commit_tell_events(struct db *db, struct group_commit *c, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct write_set *ws = &c->sets[i];
		struct trigger_event e = {.account_id = ws->account_id,
		    .connection_id = ws->connection_id,
		    .event_id = ws->event_id,
		    .provider_type = ws->provider_type,
		    .body = ws->body};

		if (!write_set_is_live(c, i) || ws->is_replay || ws->is_part || ws->is_pending)
			continue;
		e.name = ws->event_type;
		if (ws->nitems == 0 && triggers_tell_event(db, c->a, &e, err) == -1)
			return -1;
		for (size_t k = 0; k < ws->nitems; k++) {
			e.name = ws->items[k].event_type;
			if (!c->is_repeat[i][k] && ws->items[k].data.p == NULL &&
			    triggers_tell_event(db, c->a, &e, err) == -1)
				return -1;
		}
	}
	return 0;
}

static int commit_write_items(struct db *db, struct group_commit *c, struct err *err)
{
	size_t total = commit_count_items(c) + 2 * c->n;
	struct commit_rows r = {.records = arena_array(c->a, total, sizeof(*r.records)),
	    .record_of = arena_array(c->a, total, sizeof(*r.record_of)),
	    .set_of = arena_array(c->a, total, sizeof(*r.set_of)),
	    .leads = arena_array(c->a, total, sizeof(*r.leads)),
	    .record_of_lead = arena_array(c->a, total, sizeof(*r.record_of_lead)),
	    .is_replayed = arena_array(c->a, total, sizeof(*r.is_replayed)),
	    .jobs = arena_array(c->a, total, sizeof(*r.jobs))};

	commit_collect_records(c, &r);
	if (commit_find_followers(db, c, &r, err) == -1 || commit_upsert(db, c, &r, err) == -1)
		return -1;
	commit_note_records(c, &r);
	for (size_t i = 0; i < r.nrecords; i++) {
		c->created += r.records[i].outcome == RECORD_CREATED;
		c->updated += r.records[i].outcome == RECORD_UPDATED;
	}
	if (commit_tell_records(db, c, &r, err) == -1 || commit_tell_events(db, c, err) == -1)
		return -1;
	commit_collect_rest(c, &r);
	commit_collect_followers(c, &r);
	commit_collect_effects(c, &r);
	if (commit_capture(db, c, &r, err) == -1)
		return -1;
	commit_note_corrections(c, &r);
	if (commit_ask_polls(db, c, err) == -1)
		return -1;
	/* A replay gives a lead that got stuck on its way another go. */
	for (size_t i = 0; i < r.nleads; i++)
		if (r.is_replayed[i] && !r.leads[i].is_new &&
		    lead_process_again(db, c->a, &r.leads[i].account_id, &r.leads[i].id, err) == -1)
			return -1;
	for (size_t i = 0; i < c->n; i++) {
		struct job job = event_process_job(&c->sets[i], c->is_done[i]);

		if (c->sets[i].is_pending && c->sets[i].is_replay &&
		    job_run_now(db, &job, err) == -1)
			return -1;
	}
	return job_insert(db, r.jobs, r.njobs, err);
}

/* What became of a set's items. */
struct set_verdict {
	const char *status;
	struct str reason, left_why;
	size_t taken, left;
};

/* The first by its place counts. */
static void verdict_leave(struct set_verdict *v, size_t place, struct str why)
{
	if (place == 0 || (v->left != 0 && v->left <= place))
		return;
	v->left = place;
	v->left_why = why;
}

static void verdict_count(const struct group_commit *c, size_t i, struct set_verdict *v)
{
	struct write_set *ws = &c->sets[i];
	size_t repeats = 0;

	for (size_t k = 0; k < ws->nitems; k++) {
		repeats += c->is_repeat[i][k];
		if (c->is_repeat[i][k])
			verdict_leave(v, item_place(ws, k), STR("was received before"));
		else if (item_is_refused(c, i, k))
			verdict_leave(v, item_place(ws, k), str_from(c->refused[i][k]));
		else
			v->taken += !ws->items[k].is_more;
	}
	ws->is_duplicate = v->taken == 0 && ws->nitems > 0 && repeats == ws->nitems;
}

/* Why it was turned away, or what there is to say of what was taken and what was not. */
static struct str verdict_reason(
    const struct group_commit *c, size_t i, const struct set_verdict *v)
{
	const struct write_set *ws = &c->sets[i];
	struct buf *b;

	if (ws->reason.p != NULL || ws->is_duplicate)
		return ws->reason;
	if (v->left == 0 && ws->notes.n == 0 && c->notes[i] == NULL)
		return (struct str){NULL, 0};
	b = buf_new(c->a, 4u * NOTE_BYTES);
	if (v->left != 0)
		buf_printf(b, "item %zu %.*s", v->left, (int)v->left_why.n, v->left_why.p);
	if (ws->notes.n > 0)
		buf_printf(b, "%s%.*s", b->len > 0 ? "; " : "", (int)ws->notes.n, ws->notes.p);
	if (c->notes[i] != NULL)
		buf_printf(b, "%s%s", b->len > 0 ? "; " : "", c->notes[i]->p);
	return utf8_cut((struct str){b->p, b->len}, NOTE_BYTES);
}

static const char *verdict_status(const struct write_set *ws, const struct set_verdict *v)
{
	if (ws->reason.p != NULL)
		return ws->is_failed ? EVENT_FAILED : EVENT_REJECTED;
	if (ws->is_pending || (ws->is_part && !ws->is_last))
		return EVENT_VERIFIED;
	if (ws->is_duplicate)
		return EVENT_DUPLICATE;
	return v->taken == 0 && (ws->nitems > 0 || v->left != 0) ? EVENT_FAILED : EVENT_PROCESSED;
}

static struct set_verdict commit_judge(const struct group_commit *c, size_t i)
{
	struct write_set *ws = &c->sets[i];
	struct set_verdict v = {.taken = c->taken_before};

	ws->is_duplicate = false;
	verdict_leave(&v, c->left_before, c->left_why_before);
	verdict_leave(&v, ws->left, ws->left_why);
	if (ws->reason.p == NULL)
		verdict_count(c, i, &v);
	v.status = verdict_status(ws, &v);
	ws->has_failed = strcmp(v.status, EVENT_FAILED) == 0;
	v.reason = verdict_reason(c, i, &v);
	/* Until the last part the row keeps the notes alone. */
	if (ws->is_part && !ws->is_last)
		v.reason = c->notes[i] == NULL ? (struct str){NULL, 0}
					       : (struct str){c->notes[i]->p, c->notes[i]->len};
	return v;
}

/* A set that was sent before stands there already: its writer was slow, not dead, and committed it
 * after we had looked. The next try will find it. */
static int commit_insert_events(
    struct db *db, const struct group_commit *c, const struct db_val *v, size_t n, struct err *err)
{
	enum err_code conflict = ERR_CONFLICT;

	for (size_t i = 0; i < c->n; i++)
		if (c->sets[i].may_be_written)
			conflict = ERR_RETRY;
	return db_exec_rows_later(db, &events_insert, v, n, EVENT_VALUES, conflict, err);
}

/* As the row counts them: of a part, how far it got. */
static int64_t write_set_items(const struct write_set *ws)
{
	if (ws->is_pending)
		return 0;
	return (int64_t)(ws->is_part && !ws->is_last ? ws->before + ws->looked_at : ws->carried);
}

static struct db_val left_place(const struct set_verdict *v)
{
	return v->left == 0 ? db_null() : db_int((int64_t)v->left);
}

static int commit_write_events(struct db *db, struct group_commit *c, struct err *err)
{
	struct db_val *v = arena_alloc(c->a, c->n * EVENT_VALUES * sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct write_set *ws = &c->sets[i];
		struct set_verdict verdict;

		if (c->is_skipped[i])
			continue;
		verdict = commit_judge(c, i);
		if (ws->is_replay || ws->is_part) {
			if (db_exec(db, &event_judged,
				DB_VALS(db_str(verdict.status), db_strn(verdict.reason),
				    db_int(write_set_items(ws)), db_int((int64_t)verdict.taken),
				    left_place(&verdict), db_strn(verdict.left_why),
				    db_uuid(&ws->event_id), db_uuid(&ws->account_id)),
				NULL, err) == -1)
				return -1;
			continue;
		}
		struct db_val row[EVENT_VALUES] = {db_uuid(&ws->event_id), db_uuid(&ws->account_id),
		    db_uuid(&ws->connection_id), db_strn(ws->provider_type), db_str(verdict.status),
		    db_strn(verdict.reason), db_strn(ws->event_type), db_int(write_set_items(ws)),
		    db_int(ws->received_us), db_int(ws->latency_us), db_strn(ws->remote_addr),
		    db_strn(ws->request_id), db_strn(ws->url), db_strn(ws->headers),
		    db_blob(ws->body), db_int((int64_t)verdict.taken), left_place(&verdict),
		    db_strn(verdict.left_why)};

		memcpy(v + EVENT_VALUES * n++, row, sizeof(row));
	}
	return commit_insert_events(db, c, v, n, err);
}

/* A repeat after a deadlock begins anew. */
static void commit_begin(struct group_commit *c)
{
	arena_reset(c->a);
	c->is_skipped = arena_array(c->a, c->n, sizeof(*c->is_skipped));
	c->is_done = arena_zalloc(c->a, c->n * sizeof(*c->is_done));
	c->is_repeat = arena_array(c->a, c->n, sizeof(*c->is_repeat));
	c->notes = arena_array(c->a, c->n, sizeof(struct buf *));
	c->created = c->updated = 0;
}

static int commit_body(struct db *db, void *arg, struct err *err)
{
	struct group_commit *c = arg;

	commit_begin(c);
	c->tries++;
	memcpy(c->is_skipped, c->is_left, c->n * sizeof(*c->is_skipped));
	if (commit_begin_part(db, c, err) == -1 || commit_skip_written(db, c, err) == -1 ||
	    commit_find_done(db, c, err) == -1 || commit_claim_keys(db, c, err) == -1 ||
	    commit_write_items(db, c, err) == -1)
		return -1;
	return commit_write_events(db, c, err);
}

int items_store(struct db *db, struct items_store *st, struct err *err)
{
	struct write_set ws = *st->ws;
	struct group_commit c = {.sets = &ws,
	    .n = 1,
	    .source = st->source,
	    .class = st->class,
	    .old_before_us = st->old_before_us,
	    .a = st->a,
	    .kept = st->kept,
	    .refused = &st->refused,
	    .nrefused = st->nrefused};
	int rc;

	commit_begin(&c);
	c.is_repeat[0] = arena_zalloc(c.a, ws.nitems + 1);
	rc = commit_write_items(db, &c, err);
	st->nrefused = c.nrefused;
	st->created = c.created;
	st->updated = c.updated;
	return rc;
}

bool error_is_of_payload(enum err_code code)
{
	return code == ERR_MALFORMED || code == ERR_INVALID || code == ERR_LIMIT ||
	       code == ERR_UNREADABLE;
}

/* An item whose lead cannot be read is at fault, if nobody knew one. */
static void commit_refuse_unreadable(struct group_commit *c)
{
	for (size_t k = 0; c->n == 1 && k < c->sets[0].nitems; k++) {
		struct arena *a = arena_new();
		struct str lead = c->sets[0].items[k].lead;
		struct err err = ERR_INIT;

		if (lead.p != NULL && json_parse(a, lead, &err) == NULL)
			item_refuse(c, 0, k, err.msg);
		arena_free(a);
	}
}

/* One transaction; again without the items that were found to be at fault, and where it is shared,
 * without the sets that were found to be in the way. */
static int commit_sets(struct group_commit *c, struct db *db, struct err *err)
{
	size_t left = 0;

	for (size_t i = 0; i < c->n; i++)
		left += c->is_left[i];
	for (size_t refused = 0;;) {
		size_t now_left = 0;

		if (db_transaction(db, commit_body, c, err) == 0)
			return 0;
		for (size_t i = 0; i < c->n; i++)
			now_left += c->is_left[i];
		if (error_is_of_payload(err->code) && c->nrefused == refused)
			commit_refuse_unreadable(c);
		if (!(error_is_of_payload(err->code) && c->nrefused > refused) &&
		    (err->code != ERR_LOCKED || now_left == left || now_left == c->n))
			return -1;
		left = now_left;
		refused = c->nrefused;
		err_clear(err);
	}
}

/* Away for the first alone as well: then it is for all. */
static void commit_apart(struct db *db, struct write_set *sets, size_t n, bool *alone)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && sets[0].err.code == ERR_UNAVAILABLE)
			sets[i].err = sets[0].err;
		else
			write_sets_take_apart(db, &sets[i], 1, alone == NULL ? NULL : &alone[i]);
	}
}

void write_sets_take_apart(struct db *db, struct write_set *sets, size_t n, bool *alone)
{
	struct arena *kept = arena_new();
	struct group_commit c = {.sets = sets,
	    .n = n,
	    .source = RECORD_SOURCE_WEBHOOK,
	    .old_before_us = TIME_NONE,
	    .a = arena_new(),
	    .kept = kept,
	    .is_left = arena_zalloc(kept, n * sizeof(bool)),
	    .refused = arena_array(kept, n, sizeof(const char **)),
	    .is_shared = alone != NULL};
	struct err err = ERR_INIT;
	bool is_apart;

	if (alone != NULL)
		memcpy(c.is_left, alone, n * sizeof(*alone));
	is_apart = commit_sets(&c, db, &err) == -1 && n > 1 && err.code != ERR_LOCKED;
	arena_free(c.a);
	for (size_t i = 0; alone != NULL && err.code == ERR_LOCKED && i < n; i++)
		alone[i] |= !c.is_left[i];
	if (is_apart)
		commit_apart(db, sets, n, alone);
	for (size_t i = 0; i < n && !is_apart; i++) {
		sets[i].err = err;
		if (err.code == ERR_NONE && c.is_left[i])
			err_set(&sets[i].err, ERR_LOCKED, "others hold a record of it");
	}
	arena_free(kept);
}

void write_sets_commit(struct db *db, struct write_set *sets, size_t n)
{
	db_set_patience(db, true, 0);
	write_sets_take_apart(db, sets, n, NULL);
	db_set_patience(db, false, 0);
}

#define HEAVY_BYTES (256u * 1024u)
#define HEAVY_ITEMS 100u

bool write_set_is_heavy(const struct write_set *ws)
{
	size_t bytes = ws->body.n;

	for (size_t i = 0; i < ws->nitems; i++)
		bytes += ws->items[i].data.n + ws->items[i].lead.n;
	return ws->nitems > HEAVY_ITEMS || bytes > HEAVY_BYTES;
}
