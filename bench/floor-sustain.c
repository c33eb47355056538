/* The floor of the bench `sustain`: a bare loop over the same leads. One libcurl multi handle with
 * as many leads in hand as the product's runner has jobs and as many kept-alive connections to a
 * host; for each lead it fetches the details from the Graph, makes the normalized fields by naming
 * them, posts the body to each destination, and then writes the rows, 32 leads a commit, in
 * multi-row statements on one connection. No webhook is taken, nothing is looked up or looked at.
 *
 * The rows are those that the product leaves of a webhook whose lead was pushed, in their last
 * form; what only passes through (jobs, record_search_queue) and states on the way are left out:
 *
 *   events                  1     the raw webhook
 *   event_keys              1
 *   records                 1     details and normalized fields
 *   record_search           1     the words of the product's own record_words(), full text included
 *   record_changes          2     the creation, and the details with all their paths
 *   record_moves            1
 *   record_counts           1 for all 32
 *   lead_counts             1 for all 32
 *   push_counts             1 a destination for all 32
 *   leads                   1
 *   lead_deliveries         1 a destination
 *   lead_delivery_attempts  1 a destination
 *
 * Writes to the database that the configuration names: give it one of its own.
 *
 *   floor-sustain -c FILE SECONDS GRAPH-URL TOKEN CRM-URL…    prints {"leads":N,"seconds":S,
 *                                                             "per_second":R} */
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/json.h"
#include "crypto/random.h"
#include "db/db.h"
#include "record/record-words.h"

#define BATCH 32
#define QUARTER_US INT64_C(900000000)
#define DESTINATIONS_MAX 8
#define SLOTS_MAX 1024
#define ANSWER_MAX 16384u
#define BODY_BYTES 277 /* what the bench's webhooks have on average */
#define HEADER_BYTES 157
#define FIELDS                                                                                     \
	"id,created_time,ad_id,ad_name,adset_id,adset_name,campaign_id,campaign_name,form_id,"     \
	"is_organic,platform,field_data"

DB_STMT_ROWS(floor_events,
    "INSERT INTO events (id, account_id, connection_id, provider_type, status, reason, event_type,"
    " items, received_at, latency_us, remote_addr, request_id, url, headers, body, taken) VALUES ",
    "(?,?,?,'meta_lead_ads','processed',NULL,'lead.received',1,?,500,'127.0.0.1',?,?,?,?,1)", "");
DB_STMT_ROWS(floor_keys,
    "INSERT INTO event_keys (account_id, connection_id, key_hash, event_id) VALUES ", "(?,?,?,?)",
    "");
DB_STMT_ROWS(floor_records,
    "INSERT INTO records (id, account_id, provider_type, resource_type, external_id, source, data,"
    " first_seen_at, updated_at, provider_updated_at, connection_id) VALUES ",
    "(?,?,'meta_lead_ads','lead',?,'webhook',?,?,?,?,?)", "");
DB_STMT_ROWS(floor_search, "INSERT INTO record_search (record_id, account_id, words) VALUES ",
    "(?,?,?)", "");
DB_STMT_ROWS(floor_changes,
    "INSERT INTO record_changes (id, account_id, record_id, at, provider_at, source, event_id,"
    " changes) VALUES ",
    "(?,?,?,?,?,'webhook',?,?)", "");
DB_STMT_ROWS(floor_moves,
    "INSERT INTO record_moves (account_id, from_at, record_id, moved_at) VALUES ", "(?,?,?,?)", "");
DB_STMT_ROWS(floor_counts,
    "INSERT INTO record_counts (account_id, provider_type, resource_type, day, slot, records)"
    " VALUES ",
    "(?,'meta_lead_ads','lead',?,0,?)",
    " ON DUPLICATE KEY UPDATE records = records + VALUES(records)");
DB_STMT_ROWS(floor_lead_counts,
    "INSERT INTO lead_counts (account_id, at, provider_type, slot, leads) VALUES ",
    "(?,?,'meta_lead_ads',0,?)", " ON DUPLICATE KEY UPDATE leads = leads + VALUES(leads)");
DB_STMT_ROWS(floor_leads,
    "INSERT INTO leads (id, account_id, connection_id, record_id, event_id, provider_type,"
    " provider_lead_id, form_id, ad_id, campaign_id, stage, sync_status, email, phone_number,"
    " full_name, lead, received_at, updated_at, source, fetched_at, ready_at, delivered_at) "
    "VALUES ",
    "(?,?,?,?,?,'meta_lead_ads',?,?,?,?,'ready','success',?,?,?,?,?,?,'webhook',?,?,?)", "");
DB_STMT_ROWS(floor_deliveries,
    "INSERT INTO lead_deliveries (id, account_id, lead_id, connection_id, status, attempts, rounds,"
    " last_status, external_id, created_at, updated_at, pushed_at) VALUES ",
    "(?,?,?,?,'success',1,0,201,?,?,?,?)", "");
DB_STMT_ROWS(floor_attempts,
    "INSERT INTO lead_delivery_attempts (id, account_id, delivery_id, attempt, at, duration_us,"
    " status, error, answer, request) VALUES ",
    "(?,?,?,1,?,?,201,NULL,?,?)", "");
DB_STMT_ROWS(floor_push_counts,
    "INSERT INTO push_counts (account_id, at, connection_id, slot, delivered, retried, failed)"
    " VALUES ",
    "(?,?,?,0,?,0,0)", " ON DUPLICATE KEY UPDATE delivered = delivered + VALUES(delivered)");

struct push {
	struct uuid id, attempt;
	const char *external_id;
	struct str answer;
	int64_t at, took;
};

/* All that is known of a lead; lives in the arena of its batch or, on the way, of its slot. */
struct lead {
	struct uuid id, event, record, change[2];
	unsigned char key[16];
	char external[24], request[UUID_TEXT];
	int64_t received;
	const char *form_id, *ad_id, *campaign_id, *email, *phone, *name;
	struct str data, changes, lead, words, body;
	struct push pushes[DESTINATIONS_MAX];
};

struct slot {
	CURL *easy;
	struct arena *a;
	struct buf answer;
	struct curl_slist *headers;
	struct lead *lead;
	size_t step; /* 0: details; n: the n-th destination */
};

struct floor {
	struct db *db;
	CURLM *multi;
	struct uuid account, connection, destination[DESTINATIONS_MAX];
	const char *graph, *token, *crm[DESTINATIONS_MAX];
	size_t ncrm, nslots, in_hand;
	struct slot slots[SLOTS_MAX];
	struct slot *done[BATCH]; /* their leads are to be written */
	size_t ndone;
	uint64_t next_id;
	int64_t written, stop_us;
	char headers[HEADER_BYTES + 1], body[BODY_BYTES + 1];
};

static void __attribute__((noreturn)) die(const char *what, const char *why)
{
	fprintf(stderr, "floor-sustain: %s: %s\n", what, why);
	exit(1);
}

/* ---- rows -------------------------------------------------------------------------------- */

#define ROW(...)                                                                                   \
	do {                                                                                       \
		const struct db_val row_[] = {__VA_ARGS__};                                        \
		memcpy(v + n * (sizeof(row_) / sizeof(row_[0])), row_, sizeof(row_));              \
		n++;                                                                               \
	} while (0)
#define EACH_LEAD(l)                                                                               \
	for (struct lead **at_ = leads, *l; at_ < leads + f->ndone && (l = *at_, true); at_++)

static int write_events(struct db *db, struct floor *f, struct lead **leads, struct err *err)
{
	static const char url[] =
	    "http://127.0.0.1:8080/webhook/meta_lead_ads/0195d7a2-7c1e-7a3b-9d55-0123456789ab";
	struct db_val v[BATCH * 8];
	size_t n = 0;

	EACH_LEAD(l)
	ROW(db_uuid(&l->event), db_uuid(&f->account), db_uuid(&f->connection), db_int(l->received),
	    db_str(l->request), db_str(url), db_str(f->headers),
	    db_blob((struct str){f->body, BODY_BYTES}));
	if (db_exec_rows(db, &floor_events, NULL, 0, v, n, 8, NULL, err) == -1)
		return -1;
	n = 0;
	EACH_LEAD(l)
	ROW(db_uuid(&f->account), db_uuid(&f->connection),
	    db_blob((struct str){(char *)l->key, 16}), db_uuid(&l->event));
	return db_exec_rows(db, &floor_keys, NULL, 0, v, n, 4, NULL, err);
}

static int write_records(
    struct db *db, struct floor *f, struct lead **leads, int64_t now, struct err *err)
{
	struct db_val v[BATCH * 8];
	size_t n = 0;

	EACH_LEAD(l)
	ROW(db_uuid(&l->record), db_uuid(&f->account), db_str(l->external), db_strn(l->data),
	    db_int(l->received), db_int(now), db_int(l->received), db_uuid(&f->connection));
	if (db_exec_rows(db, &floor_records, NULL, 0, v, n, 8, NULL, err) == -1)
		return -1;
	n = 0;
	EACH_LEAD(l)
	ROW(db_uuid(&l->record), db_uuid(&f->account), db_strn(l->words));
	if (db_exec_rows(db, &floor_search, NULL, 0, v, n, 3, NULL, err) == -1)
		return -1;
	n = 0;
	EACH_LEAD(l)
	ROW(db_uuid(&f->account), db_int(l->received), db_uuid(&l->record), db_int(now));
	if (db_exec_rows(db, &floor_moves, NULL, 0, v, n, 4, NULL, err) == -1)
		return -1;
	return db_exec_rows(db, &floor_counts, NULL, 0,
	    (const struct db_val[]){
		db_uuid(&f->account), db_int(clock_day(now)), db_int((int64_t)f->ndone)},
	    1, 3, NULL, err);
}

static int write_changes(
    struct db *db, struct floor *f, struct lead **leads, int64_t now, struct err *err)
{
	struct db_val v[2 * BATCH * 7];
	size_t n = 0;

	EACH_LEAD(l)
	{
		ROW(db_uuid(&l->change[0]), db_uuid(&f->account), db_uuid(&l->record),
		    db_int(l->received), db_int(l->received), db_uuid(&l->event), db_str("[]"));
		ROW(db_uuid(&l->change[1]), db_uuid(&f->account), db_uuid(&l->record), db_int(now),
		    db_null(), db_uuid(&l->event), db_strn(l->changes));
	}
	return db_exec_rows(db, &floor_changes, NULL, 0, v, n, 7, NULL, err);
}

static int write_leads(
    struct db *db, struct floor *f, struct lead **leads, int64_t now, struct err *err)
{
	struct db_val v[BATCH * 18];
	size_t n = 0;

	EACH_LEAD(l)
	ROW(db_uuid(&l->id), db_uuid(&f->account), db_uuid(&f->connection), db_uuid(&l->record),
	    db_uuid(&l->event), db_str(l->external), db_str(l->form_id), db_str(l->ad_id),
	    db_str(l->campaign_id), db_str(l->email), db_str(l->phone), db_str(l->name),
	    db_strn(l->lead), db_int(l->received), db_int(now), db_int(now), db_int(now),
	    db_int(now));
	if (db_exec_rows(db, &floor_leads, NULL, 0, v, n, 18, NULL, err) == -1)
		return -1;
	return db_exec_rows(db, &floor_lead_counts, NULL, 0,
	    (const struct db_val[]){
		db_uuid(&f->account), db_int(now - now % QUARTER_US), db_int((int64_t)f->ndone)},
	    1, 3, NULL, err);
}

static int write_pushes(
    struct db *db, struct floor *f, struct lead **leads, int64_t now, struct err *err)
{
	static struct db_val v[BATCH * DESTINATIONS_MAX * 8];
	size_t n = 0;

	EACH_LEAD(l)
	for (size_t i = 0; i < f->ncrm; i++)
		ROW(db_uuid(&l->pushes[i].id), db_uuid(&f->account), db_uuid(&l->id),
		    db_uuid(&f->destination[i]), db_str(l->pushes[i].external_id),
		    db_int(l->received), db_int(now), db_int(now));
	if (db_exec_rows(db, &floor_deliveries, NULL, 0, v, n, 8, NULL, err) == -1)
		return -1;
	n = 0;
	EACH_LEAD(l)
	for (size_t i = 0; i < f->ncrm; i++)
		ROW(db_uuid(&l->pushes[i].attempt), db_uuid(&f->account), db_uuid(&l->pushes[i].id),
		    db_int(l->pushes[i].at), db_int(l->pushes[i].took),
		    db_strn(l->pushes[i].answer), db_strn(l->body));
	if (db_exec_rows(db, &floor_attempts, NULL, 0, v, n, 7, NULL, err) == -1)
		return -1;
	n = 0;
	for (size_t i = 0; i < f->ncrm; i++)
		ROW(db_uuid(&f->account), db_int(now - now % QUARTER_US),
		    db_uuid(&f->destination[i]), db_int((int64_t)f->ndone));
	return db_exec_rows(db, &floor_push_counts, NULL, 0, v, n, 4, NULL, err);
}

static int write_batch(struct db *db, void *arg, struct err *err)
{
	struct floor *f = arg;
	struct lead *leads[BATCH];
	const int64_t now = clock_now_us();

	for (size_t i = 0; i < f->ndone; i++)
		leads[i] = f->done[i]->lead;
	if (write_events(db, f, leads, err) == -1 || write_records(db, f, leads, now, err) == -1 ||
	    write_changes(db, f, leads, now, err) == -1)
		return -1;
	return write_leads(db, f, leads, now, err) == -1 ? -1
							 : write_pushes(db, f, leads, now, err);
}

/* ---- a lead's fields --------------------------------------------------------------------- */

static const char *answer_of(const json_t *details, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_each(json_object_get(details, "field_data"), i, one)
		if (strcmp(json_str(one, "name"), name) == 0)
			return json_string_value(json_array_get(json_object_get(one, "values"), 0));
	return "";
}

static void set_changes(struct arena *a, struct lead *l, const json_t *data)
{
	json_t *list = json_own(a, json_array()), *value;
	const char *key;

	json_object_each(data, key, value)
		json_array_append_new(list, json_pack("{s:O,s:s}", "after", value, "path", key));
	l->changes = json_text(a, list);
}

/* The provider's details with the normalized fields beside them, and what is pushed. */
static void take_details(struct floor *f, struct slot *s)
{
	struct err err = ERR_INIT;
	struct arena *a = s->a;
	struct lead *l = s->lead;
	json_t *data = json_parse(a, (struct str){s->answer.p, s->answer.len}, &err), *lead;
	struct record_item item = {.account_id = f->account,
	    .provider_type = STR("meta_lead_ads"),
	    .resource_type = STR("lead"),
	    .external_id = str_from(l->external),
	    .source = RECORD_SOURCE_WEBHOOK,
	    .connection_id = f->connection};
	const char *space;

	if (data == NULL || json_object_get(data, "field_data") == NULL)
		die("details", data == NULL ? err.msg : s->answer.p);
	l->form_id = json_str(data, "form_id");
	l->ad_id = json_str(data, "ad_id");
	l->campaign_id = json_str(data, "campaign_id");
	l->email = answer_of(data, "email");
	l->phone = answer_of(data, "phone_number");
	l->name = answer_of(data, "full_name");
	space = strchr(l->name, ' ');
	lead = json_own(
	    a, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s#,s:s,s:s,s:{s:s}}", "adId", l->ad_id,
		   "campaignId", l->campaign_id, "formId", l->form_id, "email", l->email,
		   "fullName", l->name, "phoneNumber", l->phone, "firstName", l->name,
		   space == NULL ? (int)strlen(l->name) : (int)(space - l->name), "lastName",
		   space == NULL ? "" : space + 1, "company", answer_of(data, "company_name"),
		   "customFields", "when_do_you_want_to_start?",
		   answer_of(data, "when_do_you_want_to_start?")));
	l->body = json_text(a, lead);
	json_set(lead, "rawFieldData",
	    json_pack("{s:s,s:s,s:s,s:s,s:s}", "company_name", answer_of(data, "company_name"),
		"email", l->email, "full_name", l->name, "phone_number", l->phone,
		"when_do_you_want_to_start?", answer_of(data, "when_do_you_want_to_start?")));
	l->lead = json_text(a, lead);
	json_object_update(data, lead);
	l->data = item.data = json_text(a, data);
	l->words = record_words(a, &item);
	set_changes(a, l, data);
}

/* ---- exchanges --------------------------------------------------------------------------- */

static size_t on_answer(char *p, size_t size, size_t n, void *arg)
{
	struct slot *s = arg;

	buf_add(&s->answer, p, size * n);
	return buf_ok(&s->answer) ? size * n : 0;
}

static void header_add(struct slot *s, const char *text)
{
	s->headers = curl_slist_append(s->headers, text);
}

static void exchange_start(struct floor *f, struct slot *s, const char *url)
{
	CURL *e = s->easy;

	buf_reset(&s->answer);
	curl_easy_reset(e);
	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_PRIVATE, s);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, 30000L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, s->headers);
	if (s->step > 0) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)s->lead->body.n);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, s->lead->body.p);
		s->lead->pushes[s->step - 1].at = clock_now_us();
	}
	curl_multi_add_handle(f->multi, e);
}

static void headers_begin(struct slot *s)
{
	curl_slist_free_all(s->headers);
	s->headers = NULL;
	header_add(s, "Accept: application/json");
}

static void lead_start(struct floor *f, struct slot *s)
{
	struct lead *l;

	arena_reset(s->a);
	l = s->lead = arena_zalloc(s->a, sizeof(*l));
	l->id = uuid_new();
	l->event = uuid_new();
	l->record = uuid_new();
	l->change[0] = uuid_new();
	l->change[1] = uuid_new();
	random_bytes(l->key, sizeof(l->key));
	uuid_text(l->request, l->event);
	snprintf(l->external, sizeof(l->external), "%llu", (unsigned long long)f->next_id++);
	l->received = clock_now_us();
	s->step = 0;
	headers_begin(s);
	header_add(s, arena_printf(s->a, "Authorization: Bearer %s", f->token));
	f->in_hand++;
	exchange_start(
	    f, s, arena_printf(s->a, "%s/v25.0/%s?fields=" FIELDS, f->graph, l->external));
}

static void push_start(struct floor *f, struct slot *s)
{
	struct push *p = &s->lead->pushes[s->step++];
	char key[UUID_TEXT], delivery[UUID_TEXT];

	p->id = uuid_new();
	p->attempt = uuid_new();
	uuid_text(key, p->id);
	uuid_text(delivery, p->attempt);
	headers_begin(s);
	header_add(s, "Content-Type: application/json");
	header_add(s, arena_printf(s->a, "Idempotency-Key: %s", key));
	header_add(s, arena_printf(s->a, "X-Connect-Delivery: %s", delivery));
	exchange_start(f, s, f->crm[s->step - 1]);
}

static void batch_write(struct floor *f)
{
	struct err err = ERR_INIT;
	const size_t n = f->ndone;

	if (db_transaction(f->db, write_batch, f, &err) == -1)
		die("write", err.msg);
	f->ndone = 0;
	f->in_hand -= n;
	f->written += (int64_t)n;
	for (size_t i = 0; i < n && clock_mono_us() < f->stop_us; i++)
		lead_start(f, f->done[i]);
}

static void exchange_ended(struct floor *f, struct slot *s)
{
	struct err err = ERR_INIT;
	struct push *p;
	json_t *answer;
	long status = 0;

	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != (s->step == 0 ? 200 : 201))
		die(s->step == 0 ? "details" : "push", s->answer.p);
	if (s->step == 0) {
		take_details(f, s);
	} else {
		p = &s->lead->pushes[s->step - 1];
		p->took = clock_now_us() - p->at;
		answer = json_parse(s->a, (struct str){s->answer.p, s->answer.len}, &err);
		p->external_id = json_str(answer, "id");
		p->answer = str_copy(s->a, (struct str){s->answer.p, s->answer.len});
	}
	if (s->step < f->ncrm) {
		push_start(f, s);
		return;
	}
	f->done[f->ndone++] = s;
	if (f->ndone == BATCH)
		batch_write(f);
}

static void loop(struct floor *f)
{
	int running, left;
	CURLMsg *m;

	for (size_t i = 0; i < f->nslots; i++)
		lead_start(f, &f->slots[i]);
	while (f->in_hand > 0) {
		if (curl_multi_perform(f->multi, &running) != CURLM_OK)
			die("curl", "multi");
		while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
			const CURLcode code = m->data.result;
			CURL *easy = m->easy_handle;
			struct slot *s;

			curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&s);
			curl_multi_remove_handle(f->multi, easy);
			if (code != CURLE_OK)
				die("curl", curl_easy_strerror(code));
			exchange_ended(f, s);
		}
		/* the rest, when nothing more comes to fill a batch */
		if (f->ndone > 0 && f->ndone == f->in_hand)
			batch_write(f);
		if (f->in_hand > 0)
			curl_multi_poll(f->multi, NULL, 0, 100, NULL);
	}
}

/* ---- main -------------------------------------------------------------------------------- */

static void prepare(struct floor *f, const struct config *cfg, char **crm, size_t ncrm)
{
	f->account = uuid_new();
	f->connection = uuid_new();
	f->ncrm = ncrm;
	for (size_t i = 0; i < ncrm; i++) {
		f->crm[i] = crm[i];
		f->destination[i] = uuid_new();
	}
	memset(f->headers, 'h', HEADER_BYTES);
	memset(f->body, 'b', BODY_BYTES);
	f->next_id = (uint64_t)clock_now_us();
	f->db = db_new(cfg);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	f->multi = curl_multi_init();
	curl_multi_setopt(f->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)cfg->http_per_host);
	curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, 256L);
	f->nslots = (size_t)cfg->job_concurrency;
	for (size_t i = 0; i < f->nslots; i++) {
		f->slots[i].easy = curl_easy_init();
		f->slots[i].a = arena_new();
		buf_init(&f->slots[i].answer, ANSWER_MAX);
	}
}

static void finish(struct floor *f)
{
	for (size_t i = 0; i < f->nslots; i++) {
		curl_easy_cleanup(f->slots[i].easy);
		curl_slist_free_all(f->slots[i].headers);
		arena_free(f->slots[i].a);
		buf_fini(&f->slots[i].answer);
	}
	curl_multi_cleanup(f->multi);
	curl_global_cleanup();
	db_free(f->db);
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct config cfg = {0};
	struct floor *f = arena_zalloc(a, sizeof(*f));
	struct err err = ERR_INIT;
	const char *file = NULL;
	int64_t seconds, started;
	double took;
	int opt;

	while ((opt = getopt(argc, argv, "c:")) != -1)
		file = opt == 'c' ? optarg : NULL;
	argc -= optind;
	argv += optind;
	if (argc < 4 || argc > 3 + DESTINATIONS_MAX ||
	    !str_to_i64(str_from(argv[0]), 1, 600, &seconds)) {
		fputs("usage: floor-sustain -c FILE SECONDS GRAPH-URL TOKEN CRM-URL…\n", stderr);
		return 2;
	}
	if (config_load(a, file, &cfg, &err) == -1)
		die("configuration", err.msg);
	f->graph = argv[1];
	f->token = argv[2];
	prepare(f, &cfg, argv + 3, (size_t)argc - 3);
	started = clock_mono_us();
	f->stop_us = started + seconds * SECOND_US;
	loop(f);
	took = (double)(clock_mono_us() - started) / 1e6;
	printf("{\"leads\":%lld,\"seconds\":%.3f,\"per_second\":%.1f}\n", (long long)f->written,
	    took, (double)f->written / took);
	finish(f);
	arena_free(a);
	return 0;
}
