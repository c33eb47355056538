/* A finished write set: all rows of one webhook for one connection, made by a worker, committed by
 * the writer (or by the worker itself when there is none). */
#ifndef INTAKE_WRITE_SET_H
#define INTAKE_WRITE_SET_H
#include "db/db.h"
#include "job/job.h"

#define DEDUPE_SIZE 16

struct write_item {
	unsigned char dedupe[DEDUPE_SIZE];
	bool has_dedupe;
	/* The thing of the payload that it was made of, from 1; another item was made of it too. */
	size_t place;
	bool is_more;
	/* record; resource_type {NULL,0}: none */
	struct str resource_type, external_id, data;
	struct str unsaid;           /* record_item.unsaid */
	struct str event_type;       /* the provider's name of what has happened; empty: none */
	int64_t provider_updated_us; /* TIME_NONE: not told */
	bool is_time_odd;            /* told as something that is no time */
	bool needs_details;
	/* What it does besides: struct item_effects. */
	bool erases;
	struct str status, status_reason, poll;
	/* lead */
	bool is_lead;
	struct str lead, form_id, ad_id, campaign_id;
};

struct write_set {
	struct uuid event_id, account_id, connection_id;
	struct str provider_type;
	struct str reason; /* {NULL,0}: to be processed; else why not, and only the event is kept */
	struct str event_type, remote_addr, request_id, url, headers, body;
	int64_t received_us, latency_us;
	bool may_be_written; /* sent before with unknown outcome: look first */
	bool is_replay;      /* of a stored event: no new row, no duplicate check */
	bool is_failed;      /* with a reason: it was verified, but nothing can be made of it */
	/* What the payload carried; the first thing that is no item, 0: none, and why: "has no id".
	 */
	size_t carried, left;
	struct str left_why;
	struct str notes; /* what else there is to say of it, {NULL,0}: nothing */
	struct write_item *items;
	size_t nitems;
	size_t erased; /* items that were taken out: told before their erasure */
	/* Of more items than one commit takes: only the event, and the job that takes them in parts
	 * (event-process.c). */
	bool is_pending;
	/* Such a part: of its event, of which so many items went before; behind the last one the
	 * event has its verdict. */
	bool is_part, is_last;
	size_t before, looked_at; /* items before it, and its own, those it could not take too */
	bool is_only_new;         /* part of a replay of what went through before */
	/* set on return: */
	bool is_duplicate;
	bool has_failed; /* nothing came of it; told by write_sets_commit alone */
	struct err err;  /* code ERR_NONE: committed */
};

/* The wire form between worker and writer of one host (one binary, so no versions). */
void write_set_encode(struct buf *b, const struct write_set *ws);
/* Text points into data. ERR_MALFORMED. */
int write_set_decode(struct arena *a, struct str data, struct write_set *out, struct err *err);

/* Commits the sets in one transaction; when that fails, each alone, so that a bad one harms no
 * other. Fills is_duplicate and err of each; ERR_UNAVAILABLE when the first alone finds the
 * database away too. Waits for locks that others hold: ERR_LOCKED after a while. */
void write_sets_commit(struct db *db, struct write_set *sets, size_t n);
/* The same for the writer, on whom all workers wait: whatever would hold it up (a record that
 * or lead that others hold, much that is stored) is left out, with ERR_LOCKED: its worker commits
 * it itself. The connection is left impatient (SHARED_COMMIT_WAIT_S). */
void write_sets_commit_shared(struct db *db, struct write_set *sets, size_t n);
/* The items of a set that is of no event (a poll's page): records of that source, and leads, by the
 * same code. Within a transaction that may be tried again; a is emptied before each try. When one
 * of them cannot be stored it fails with nrefused grown: tried again, it is left out. */
struct items_store {
	const struct write_set *ws;
	const char *source;
	enum job_class class; /* of what it causes */
	/* Records that were changed at the provider before then, or nobody knows when, were there
	 * before: they start flows only where a trigger says so. TIME_NONE: all are news. */
	int64_t old_before_us;
	struct arena *a, *kept; /* kept: over tries */
	const char **refused;   /* per item: why, or NULL; NULL: none so far */
	size_t nrefused;
	size_t created, updated; /* set on return: records */
};
int items_store(struct db *db, struct items_store *st, struct err *err);
/* Is the payload at fault, not we? Sent again it would fail again. */
bool error_is_of_payload(enum err_code code);
/* Is it so large that it is its worker's own work? */
bool write_set_is_heavy(const struct write_set *ws);

/* Hands the sets of one request to the writer and waits for the commit; without a writer commits
 * here. 0 or -1 with the first set's error. */
struct app;
int write_sets_submit(
    struct app *app, struct arena *a, struct write_set *sets, size_t n, struct err *err);
#endif
