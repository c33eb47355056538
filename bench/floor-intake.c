/* The database's floor for the bench `intake`: a bare writer that commits the rows of the same
 * webhooks (event, key, record, history, counts, its place in the search queue, and for every
 * second one a lead and its job) in batches of 32 on one connection, with nothing before or after.
 * Writes to the database that the configuration names: give it one of its own.
 *
 *   floor-intake -c FILE SECONDS    prints {"events":N,"seconds":S,"per_second":R} */
#include <getopt.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "crypto/random.h"
#include "db/db.h"

#define BATCH 32
#define BODY_BYTES 210 /* what the bench's webhooks have on average */
#define HEADER_BYTES 330

DB_STMT_ROWS(floor_keys,
    "INSERT INTO event_keys (account_id, connection_id, key_hash, event_id) VALUES ", "(?,?,?,?)",
    " ON DUPLICATE KEY UPDATE event_id = event_id");
DB_STMT_ROWS(floor_records,
    "INSERT INTO records (id, account_id, provider_type, resource_type, external_id, source, data,"
    " first_seen_at, updated_at, provider_updated_at, connection_id) VALUES ",
    "(?,?,?,?,?,'webhook',?,?,?,?,?)", "");
DB_STMT_ROWS(floor_queue, "INSERT INTO record_search_queue (record_id, account_id) VALUES ",
    "(?,?)", " ON DUPLICATE KEY UPDATE record_id = record_id");
DB_STMT_ROWS(floor_changes,
    "INSERT INTO record_changes (id, account_id, record_id, at, provider_at, source, event_id,"
    " changes) VALUES ",
    "(?,?,?,?,?,'webhook',?,'[]')", "");
DB_STMT_ROWS(floor_counts,
    "INSERT INTO record_counts (account_id, provider_type, resource_type, day, slot, records)"
    " VALUES ",
    "(?,?,?,?,0,?)", " ON DUPLICATE KEY UPDATE records = records + VALUES(records)");
DB_STMT_ROWS(floor_lead_counts,
    "INSERT INTO lead_counts (account_id, at, provider_type, slot, leads) VALUES ", "(?,?,?,0,?)",
    " ON DUPLICATE KEY UPDATE leads = leads + VALUES(leads)");
DB_STMT_ROWS(floor_leads,
    "INSERT INTO leads (id, account_id, connection_id, record_id, event_id, provider_type,"
    " provider_lead_id, form_id, ad_id, campaign_id, stage, sync_status, email, phone_number,"
    " full_name, lead, received_at, updated_at) VALUES ",
    "(?,?,?,?,?,?,?,'123123123',NULL,NULL,'received','none',NULL,NULL,NULL,'{}',?,?)",
    " ON DUPLICATE KEY UPDATE id = id");
DB_STMT_ROWS(floor_jobs,
    "INSERT INTO jobs (id, account_id, kind, subject_id, state, run_at, attempts, lease_id, args,"
    " created_at) VALUES ",
    "(?,?,'lead.process',?,'ready',?,0,NULL,NULL,?)", "");
DB_STMT_ROWS(floor_events,
    "INSERT INTO events (id, account_id, connection_id, provider_type, status, reason, event_type,"
    " items, received_at, latency_us, remote_addr, request_id, url, headers, body) VALUES ",
    "(?,?,?,?,'processed',NULL,'lead.received',1,?,500,'127.0.0.1',?,?,?,?)", "");

struct floor {
	struct uuid account, connection;
	char headers[HEADER_BYTES + 1], body[BODY_BYTES + 1];
	/* of the batch at hand */
	struct uuid event[BATCH], record[BATCH], change[BATCH], lead[BATCH], job[BATCH];
	unsigned char key[BATCH][16];
	char external[BATCH][32], data[BATCH][160], request[BATCH][UUID_TEXT];
	int64_t now;
};

static const char *provider_of(size_t i)
{
	return i % 2 == 0 ? "meta_lead_ads" : "hubspot";
}

static const char *resource_of(size_t i)
{
	return i % 2 == 0 ? "lead" : "contact";
}

static void fill(struct floor *f)
{
	f->now = clock_now_us();
	for (size_t i = 0; i < BATCH; i++) {
		f->event[i] = uuid_new();
		f->record[i] = uuid_new();
		f->change[i] = uuid_new();
		f->lead[i] = uuid_new();
		f->job[i] = uuid_new();
		random_bytes(f->key[i], 16);
		snprintf(f->external[i], sizeof(f->external[i]), "%016llu",
		    (unsigned long long)random_u64() % 10000000000000000ull);
		snprintf(f->data[i], sizeof(f->data[i]),
		    "{\"ad_id\":\"1\",\"created_time\":1440120384,\"form_id\":\"123123123\","
		    "\"leadgen_id\":\"%s\",\"page_id\":\"153125381133\"}",
		    f->external[i]);
		uuid_text(f->request[i], f->event[i]);
	}
}

#define ROW(...)                                                                                   \
	do {                                                                                       \
		const struct db_val row_[] = {__VA_ARGS__};                                        \
		memcpy(v + n * (sizeof(row_) / sizeof(row_[0])), row_, sizeof(row_));              \
		n++;                                                                               \
	} while (0)

static int write_records(struct db *db, struct floor *f, struct err *err)
{
	struct db_val v[BATCH * 10];
	size_t n = 0;

	for (size_t i = 0; i < BATCH; i++)
		ROW(db_uuid(&f->account), db_uuid(&f->connection),
		    db_blob((struct str){(char *)f->key[i], 16}), db_uuid(&f->event[i]));
	if (db_exec_rows(db, &floor_keys, NULL, 0, v, n, 4, NULL, err) == -1)
		return -1;
	n = 0;
	for (size_t i = 0; i < BATCH; i++)
		ROW(db_uuid(&f->record[i]), db_uuid(&f->account), db_str(provider_of(i)),
		    db_str(resource_of(i)), db_str(f->external[i]), db_str(f->data[i]),
		    db_int(f->now), db_int(f->now), db_null(), db_uuid(&f->connection));
	if (db_exec_rows(db, &floor_records, NULL, 0, v, n, 10, NULL, err) == -1)
		return -1;
	n = 0;
	for (size_t i = 0; i < BATCH; i++)
		ROW(db_uuid(&f->record[i]), db_uuid(&f->account));
	if (db_exec_rows(db, &floor_queue, NULL, 0, v, n, 2, NULL, err) == -1)
		return -1;
	n = 0;
	for (size_t i = 0; i < BATCH; i++)
		ROW(db_uuid(&f->change[i]), db_uuid(&f->account), db_uuid(&f->record[i]),
		    db_int(f->now), db_null(), db_uuid(&f->event[i]));
	if (db_exec_rows(db, &floor_changes, NULL, 0, v, n, 6, NULL, err) == -1)
		return -1;
	n = 0;
	for (size_t i = 0; i < 2; i++)
		ROW(db_uuid(&f->account), db_str(provider_of(i)), db_str(resource_of(i)),
		    db_int(clock_day(f->now)), db_int(BATCH / 2));
	return db_exec_rows(db, &floor_counts, NULL, 0, v, n, 5, NULL, err);
}

/* All of its leads are of one provider and one moment. */
static int write_lead_counts(struct db *db, const struct floor *f, struct err *err)
{
	const int64_t quarter_us = 15 * 60 * SECOND_US;
	const struct db_val row[] = {db_uuid(&f->account), db_int(f->now - f->now % quarter_us),
	    db_str(provider_of(0)), db_int(BATCH / 2)};

	return db_exec_rows(db, &floor_lead_counts, NULL, 0, row, 1, 4, NULL, err);
}

static int write_leads(struct db *db, struct floor *f, struct err *err)
{
	struct db_val v[BATCH * 9];
	size_t n = 0;

	for (size_t i = 0; i < BATCH; i += 2)
		ROW(db_uuid(&f->lead[i]), db_uuid(&f->account), db_uuid(&f->connection),
		    db_uuid(&f->record[i]), db_uuid(&f->event[i]), db_str(provider_of(i)),
		    db_str(f->external[i]), db_int(f->now), db_int(f->now));
	if (db_exec_rows(db, &floor_leads, NULL, 0, v, n, 9, NULL, err) == -1 ||
	    write_lead_counts(db, f, err) == -1)
		return -1;
	n = 0;
	for (size_t i = 0; i < BATCH; i += 2)
		ROW(db_uuid(&f->job[i]), db_uuid(&f->account), db_uuid(&f->lead[i]), db_int(f->now),
		    db_int(f->now));
	return db_exec_rows(db, &floor_jobs, NULL, 0, v, n, 5, NULL, err);
}

static int write_batch(struct db *db, void *arg, struct err *err)
{
	struct floor *f = arg;
	struct db_val v[BATCH * 9];
	size_t n = 0;
	static const char url[] =
	    "http://127.0.0.1:8080/webhook/meta_lead_ads/0195d7a2-7c1e-7a3b-9d55-0123456789ab";

	fill(f);
	if (write_records(db, f, err) == -1 || write_leads(db, f, err) == -1)
		return -1;
	for (size_t i = 0; i < BATCH; i++)
		ROW(db_uuid(&f->event[i]), db_uuid(&f->account), db_uuid(&f->connection),
		    db_str(provider_of(i)), db_int(f->now), db_str(f->request[i]), db_str(url),
		    db_str(f->headers), db_blob((struct str){f->body, BODY_BYTES}));
	return db_exec_rows(db, &floor_events, NULL, 0, v, n, 9, NULL, err);
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct config cfg = {0};
	struct floor *f = arena_zalloc(a, sizeof(*f));
	struct err err = ERR_INIT;
	const char *file = NULL;
	int64_t seconds, started, events = 0;
	struct db *db;
	int opt;

	while ((opt = getopt(argc, argv, "c:")) != -1)
		file = opt == 'c' ? optarg : NULL;
	if (optind != argc - 1 || !str_to_i64(str_from(argv[optind]), 1, 600, &seconds)) {
		fputs("usage: floor-intake -c FILE SECONDS\n", stderr);
		return 2;
	}
	if (config_load(a, file, &cfg, &err) == -1) {
		fprintf(stderr, "floor-intake: %s\n", err.msg);
		return 1;
	}
	f->account = uuid_new();
	f->connection = uuid_new();
	memset(f->headers, 'h', HEADER_BYTES);
	memset(f->body, 'b', BODY_BYTES);
	db = db_new(&cfg);
	started = clock_mono_us();
	while (clock_mono_us() - started < seconds * SECOND_US) {
		if (db_transaction(db, write_batch, f, &err) == -1) {
			fprintf(stderr, "floor-intake: %s\n", err.msg);
			return 1;
		}
		events += BATCH;
	}
	double took = (double)(clock_mono_us() - started) / 1e6;

	printf("{\"events\":%lld,\"seconds\":%.3f,\"per_second\":%.1f}\n", (long long)events, took,
	    (double)events / took);
	db_free(db);
	arena_free(a);
	return 0;
}
