/* Committing write sets: the rows of many webhooks in one transaction of multi-row statements.
 *
 *	sets ──> written already? skipped ──> keys claimed ──some were there──> whose? repeats
 *	     ──> records with their history ──> leads, jobs             (of items, not of repeats)
 *	     ──> one event row per set, with its status:
 *	           with a reason  rejected, or failed if it was verified
 *	           without        verified (no items), duplicate (all repeats), else processed
 *
 * - An event and all that it causes are in one commit, so what was acknowledged is never there by
 *   half.
 * - Providers send again what they think was lost, as a new request. The key of an item belongs to
 *   the event that claimed it first, whichever process commits, so the item is stored once.
 * - A set may reach two committers: its writer was slow, and the worker took it for dead. The set
 *   has its event id from the start; who comes second finds the row, or runs into its primary key
 *   and tries again.
 * - A replay inserts no event and claims no key: somebody asks for it, so nothing in it is a
 *repeat. If its event went through before, it only adds records that are not there, since newer
 *events may have followed; and it gives a lead that got stuck another go.
 * - The body of the transaction may run again (deadlock), so it makes everything anew.
 *
 * Why: a commit costs most, then the round trips. So both are shared by all who wait. When a batch
 * fails each set is committed alone, so that a bad one harms no other. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "intake/intake-internal.h"
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
    " items, received_at, latency_us, remote_addr, request_id, url, headers, body) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "");
DB_STMT(event_written, "SELECT status FROM events WHERE id = ? AND account_id = ?");
DB_STMT(event_replayed,
    "UPDATE events SET status = ?, reason = ?, items = ? WHERE id = ? AND account_id = ?");

#define EVENT_VALUES 15
#define NOTE_BYTES 255u /* of the column reason */

struct group_commit {
	struct write_set *sets;
	size_t n;
	struct arena *a;
	bool **is_repeat; /* per set and item: another event had its key already */
	bool *is_skipped; /* per set: written before */
	bool *is_done;    /* per set: a replay of an event that went through before */
	bool *is_left;    /* per set: something of it is in the way of the others */
	bool is_shared;
	struct buf **notes; /* per set: what is to be said of its items; NULL: nothing */
};

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

		for (size_t k = 0; write_set_is_live(c, i) && !ws->is_replay && k < ws->nitems;
		     k++) {
			const struct write_item *it = &ws->items[k];
			struct db_rows rows;

			if (!it->has_dedupe)
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
		for (size_t k = 0; write_set_is_live(c, i) && !ws->is_replay && k < ws->nitems;
		     k++) {
			if (!ws->items[k].has_dedupe)
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
	struct job *jobs;
	size_t njobs;
};

/* Of its records: when it came, if that was just now. */
static int64_t write_set_record_time(const struct write_set *ws)
{
	int64_t now_us = clock_now_us();

	return ws->is_replay || ws->received_us < now_us - RECORD_LATE_US ? now_us
									  : ws->received_us;
}

static void commit_collect_records(struct group_commit *c, struct commit_rows *r)
{
	for (size_t i = 0; i < c->n; i++) {
		struct write_set *ws = &c->sets[i];

		for (size_t k = 0; write_set_is_live(c, i) && k < ws->nitems; k++) {
			struct write_item *it = &ws->items[k];

			if (c->is_repeat[i][k] || it->resource_type.p == NULL)
				continue;
			r->record_of[r->nrecords] = it;
			r->set_of[r->nrecords] = ws;
			r->records[r->nrecords++] =
			    (struct record_item){.account_id = ws->account_id,
				.provider_type = ws->provider_type,
				.resource_type = it->resource_type,
				.external_id = it->external_id,
				.source = RECORD_SOURCE_WEBHOOK,
				.data = it->data,
				.unsaid = it->unsaid,
				.provider_updated_us = it->provider_updated_us,
				.has_provider_time = it->provider_updated_us != TIME_NONE,
				.received_us = ws->is_replay ? ws->received_us : 0,
				.is_only_new = c->is_done[i],
				.event_id = ws->event_id,
				.index_later = true,
				.at_us = write_set_record_time(ws)};
		}
	}
}

/* What its event says of an item that was taken: a sentence, with the item's place from 1. */
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
		size_t place = (size_t)(r->record_of[i] - c->sets[set].items) + 1;

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

static struct job record_fetch_job(
    struct arena *a, const struct write_set *ws, const struct record_item *rec)
{
	const char *args =
	    arena_printf(a, "{\"connectionId\":\"%s\"}", uuid_dup(a, ws->connection_id));

	return (struct job){.account_id = ws->account_id,
	    .kind = "record.fetch",
	    .target_id = ws->connection_id,
	    .subject_id = rec->id,
	    .args = str_from(args)};
}

static void commit_collect_rest(struct group_commit *c, struct commit_rows *r)
{
	for (size_t i = 0; i < r->nrecords; i++) {
		const struct write_item *it = r->record_of[i];
		const struct write_set *ws = r->set_of[i];
		const struct record_item *rec = &r->records[i];

		if (it->is_lead) {
			r->is_replayed[r->nleads] = ws->is_replay;
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
			    .received_us = ws->received_us};
		} else if (it->needs_details) {
			r->jobs[r->njobs++] = record_fetch_job(c->a, ws, rec);
		}
	}
}

static int commit_write_items(struct db *db, struct group_commit *c, struct err *err)
{
	size_t total = commit_count_items(c) + 1;
	struct commit_rows r = {.records = arena_array(c->a, total, sizeof(*r.records)),
	    .record_of = arena_array(c->a, total, sizeof(*r.record_of)),
	    .set_of = arena_array(c->a, total, sizeof(*r.set_of)),
	    .leads = arena_array(c->a, total, sizeof(*r.leads)),
	    .record_of_lead = arena_array(c->a, total, sizeof(*r.record_of_lead)),
	    .is_replayed = arena_array(c->a, total, sizeof(*r.is_replayed)),
	    .jobs = arena_array(c->a, total, sizeof(*r.jobs))};

	commit_collect_records(c, &r);
	if (!c->is_shared) {
		if (record_upsert(db, c->a, r.records, r.nrecords, err) == -1)
			return -1;
	} else if (record_upsert_shared(db, c->a, r.records, r.nrecords, err) == -1) {
		for (size_t i = 0; i < r.nrecords; i++)
			if (r.records[i].is_in_the_way)
				c->is_left[r.set_of[i] - c->sets] = true;
		return -1;
	}
	commit_note_records(c, &r);
	commit_collect_rest(c, &r);
	if (lead_capture(db, c->a, r.leads, r.nleads, err) == -1)
		return -1;
	commit_note_corrections(c, &r);
	/* A replay gives a lead that got stuck on its way another go. */
	for (size_t i = 0; i < r.nleads; i++)
		if (r.is_replayed[i] && !r.leads[i].is_new &&
		    lead_process_again(db, c->a, &r.leads[i].account_id, &r.leads[i].id, err) == -1)
			return -1;
	return job_insert(db, r.jobs, r.njobs, err);
}

static const char *commit_event_status(const struct group_commit *c, size_t i)
{
	struct write_set *ws = &c->sets[i];
	size_t repeats = 0;

	if (ws->reason.p != NULL)
		return ws->is_failed ? EVENT_FAILED : EVENT_REJECTED;
	for (size_t k = 0; k < ws->nitems; k++)
		repeats += c->is_repeat[i][k];
	ws->is_duplicate = ws->nitems > 0 && repeats == ws->nitems;
	return ws->is_duplicate ? EVENT_DUPLICATE
	       : ws->nitems > 0 ? EVENT_PROCESSED
				: EVENT_VERIFIED;
}

/* Why it was turned away, or what there is to say of what was taken. */
static struct str commit_reason(const struct group_commit *c, size_t i)
{
	const struct buf *notes = c->notes[i];

	if (c->sets[i].reason.p != NULL || notes == NULL)
		return c->sets[i].reason;
	return (struct str){notes->p, notes->len};
}

/* A set that was sent before stands there already: its writer was slow, not dead, and committed it
 * after we had looked. The next try will find it. */
static int commit_insert_events(
    struct db *db, const struct group_commit *c, const struct db_val *v, size_t n, struct err *err)
{
	struct err e = ERR_INIT;

	if (db_exec_rows(db, &events_insert, NULL, 0, v, n, EVENT_VALUES, NULL, &e) == 0)
		return 0;
	for (size_t i = 0; i < c->n; i++)
		if (e.code == ERR_CONFLICT && c->sets[i].may_be_written)
			e.code = ERR_RETRY;
	return err_set(err, e.code, "%s", e.msg);
}

static int commit_write_events(struct db *db, struct group_commit *c, struct err *err)
{
	struct db_val *v = arena_alloc(c->a, c->n * EVENT_VALUES * sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct write_set *ws = &c->sets[i];
		const char *status;

		if (c->is_skipped[i])
			continue;
		status = commit_event_status(c, i);
		if (ws->is_replay) {
			if (db_exec(db, &event_replayed,
				DB_VALS(db_str(status), db_strn(commit_reason(c, i)),
				    db_int((int64_t)ws->nitems), db_uuid(&ws->event_id),
				    db_uuid(&ws->account_id)),
				NULL, err) == -1)
				return -1;
			continue;
		}
		struct db_val row[EVENT_VALUES] = {db_uuid(&ws->event_id), db_uuid(&ws->account_id),
		    db_uuid(&ws->connection_id), db_strn(ws->provider_type), db_str(status),
		    db_strn(commit_reason(c, i)), db_strn(ws->event_type),
		    db_int((int64_t)ws->nitems), db_int(ws->received_us), db_int(ws->latency_us),
		    db_strn(ws->remote_addr), db_strn(ws->request_id), db_strn(ws->url),
		    db_strn(ws->headers), db_blob(ws->body)};

		memcpy(v + EVENT_VALUES * n++, row, sizeof(row));
	}
	return commit_insert_events(db, c, v, n, err);
}

static int commit_body(struct db *db, void *arg, struct err *err)
{
	struct group_commit *c = arg;

	arena_reset(c->a); /* a repeat after a deadlock begins anew */
	c->is_skipped = arena_array(c->a, c->n, sizeof(*c->is_skipped));
	memcpy(c->is_skipped, c->is_left, c->n * sizeof(*c->is_skipped));
	c->is_done = arena_zalloc(c->a, c->n * sizeof(*c->is_done));
	c->is_repeat = arena_array(c->a, c->n, sizeof(*c->is_repeat));
	c->notes = arena_array(c->a, c->n, sizeof(struct buf *));
	if (commit_skip_written(db, c, err) == -1 || commit_find_done(db, c, err) == -1 ||
	    commit_claim_keys(db, c, err) == -1 || commit_write_items(db, c, err) == -1)
		return -1;
	return commit_write_events(db, c, err);
}

/* One transaction; where it is shared, again without what was found to be in the way. */
static int commit_sets(struct group_commit *c, struct db *db, struct err *err)
{
	for (size_t left = 0;;) {
		size_t now_left = 0;

		if (db_transaction(db, commit_body, c, err) == 0)
			return 0;
		for (size_t i = 0; i < c->n; i++)
			now_left += c->is_left[i];
		if (err->code != ERR_LOCKED || now_left == left || now_left == c->n)
			return -1;
		left = now_left;
		err_clear(err);
	}
}

static void commit_or_take_apart(struct db *db, struct write_set *sets, size_t n, bool is_shared);

/* Away for the first alone as well: then it is for all. */
static void commit_apart(struct db *db, struct write_set *sets, size_t n, bool is_shared)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && sets[0].err.code == ERR_UNAVAILABLE)
			sets[i].err = sets[0].err;
		else
			commit_or_take_apart(db, &sets[i], 1, is_shared);
	}
}

static void commit_or_take_apart(struct db *db, struct write_set *sets, size_t n, bool is_shared)
{
	struct arena *kept = arena_new();
	struct group_commit c = {.sets = sets,
	    .n = n,
	    .a = arena_new(),
	    .is_left = arena_zalloc(kept, n * sizeof(bool)),
	    .is_shared = is_shared};
	struct err err = ERR_INIT;
	const bool is_apart = commit_sets(&c, db, &err) == -1 && n > 1 && err.code != ERR_LOCKED;

	arena_free(c.a);
	if (is_apart)
		commit_apart(db, sets, n, is_shared);
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
	commit_or_take_apart(db, sets, n, false);
	db_set_patience(db, false, 0);
}

void write_sets_commit_shared(struct db *db, struct write_set *sets, size_t n)
{
	commit_or_take_apart(db, sets, n, true);
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
