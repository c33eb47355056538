/* Write sets: their wire form, and what a commit makes of them. */
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "db/shared-commit.h"
#include "intake-check.h"

void suite_intake_write(void);

/* ---- wire form --------------------------------------------------------------------------- */

static bool str_same(struct str a, struct str b)
{
	return (a.p == NULL) == (b.p == NULL) && (a.p == NULL || str_eq(a, b));
}

static bool item_same(const struct write_item *x, const struct write_item *y)
{
	return memcmp(x->dedupe, y->dedupe, DEDUPE_SIZE) == 0 && x->has_dedupe == y->has_dedupe &&
	       str_same(x->resource_type, y->resource_type) &&
	       str_same(x->external_id, y->external_id) && str_same(x->data, y->data) &&
	       x->provider_updated_us == y->provider_updated_us && x->place == y->place &&
	       x->is_more == y->is_more && x->needs_details == y->needs_details &&
	       x->is_lead == y->is_lead && str_same(x->lead, y->lead) &&
	       str_same(x->form_id, y->form_id) && str_same(x->ad_id, y->ad_id) &&
	       str_same(x->campaign_id, y->campaign_id);
}

static bool set_same(const struct write_set *x, const struct write_set *y)
{
	bool is_same =
	    uuid_eq(x->event_id, y->event_id) && uuid_eq(x->account_id, y->account_id) &&
	    uuid_eq(x->connection_id, y->connection_id) &&
	    str_same(x->provider_type, y->provider_type) && str_same(x->reason, y->reason) &&
	    str_same(x->event_type, y->event_type) && str_same(x->remote_addr, y->remote_addr) &&
	    str_same(x->request_id, y->request_id) && str_same(x->url, y->url) &&
	    str_same(x->headers, y->headers) && str_same(x->body, y->body) &&
	    x->received_us == y->received_us && x->latency_us == y->latency_us &&
	    x->may_be_written == y->may_be_written && x->is_replay == y->is_replay &&
	    x->is_failed == y->is_failed && x->nitems == y->nitems && x->carried == y->carried &&
	    x->left == y->left && x->is_pending == y->is_pending &&
	    str_same(x->left_why, y->left_why) && str_same(x->notes, y->notes);

	for (size_t i = 0; is_same && i < x->nitems; i++)
		is_same = item_same(&x->items[i], &y->items[i]);
	return is_same;
}

/* One of each kind: absent, empty and binary texts, negative and large numbers. */
static void make_sets(struct write_set sets[4], struct write_item items[3])
{
	static const char binary[] = {'\0', '\xff', '\n', '"', '\0'};

	for (size_t i = 0; i < 4; i++)
		sets[i] = intake_set(uuid_new(), uuid_new());
	items[0] = intake_item("0123456789abcdef", "id", "{}");
	items[0].provider_updated_us = INT64_MAX;
	items[0].needs_details = true;
	items[0].place = 70000;
	items[0].is_more = true;
	items[1] = intake_lead(NULL, "");
	items[1].lead = STR("{\"email\":\"a@b.co\"}");
	items[1].ad_id = STR("");
	items[1].campaign_id = STR("c");
	items[1].provider_updated_us = -1;
	items[2] = (struct write_item){0};
	intake_give(&sets[1], items, 3);
	sets[1].body = (struct str){binary, sizeof(binary)};
	sets[1].reason = STR("");
	sets[1].is_replay = true;
	sets[2].may_be_written = true;
	sets[2].is_failed = true;
	sets[2].reason = STR("bad signature");
	sets[2].carried = 300;
	sets[2].left = 299;
	sets[2].left_why = STR("has no id");
	sets[2].notes = STR("a note");
	sets[2].is_pending = true;
	sets[2].event_type = (struct str){NULL, 0};
	sets[2].received_us = INT64_MIN;
	sets[3] = (struct write_set){0};
}

static void round_trip(void)
{
	struct write_set sets[4], back;
	struct write_item items[3];

	make_sets(sets, items);
	for (size_t i = 0; i < COUNT(sets); i++) {
		struct arena *a = arena_new();
		struct buf *b = buf_new(a, 1u << 20), *again = buf_new(a, 1u << 20);
		struct err err = ERR_INIT;

		write_set_encode(b, &sets[i]);
		OK(write_set_decode(a, (struct str){b->p, b->len}, &back, &err), &err);
		CHECK(set_same(&sets[i], &back));
		write_set_encode(again, &back);
		CHECK(str_eq((struct str){b->p, b->len}, (struct str){again->p, again->len}));
		arena_free(a);
	}
}

/* A copy of exactly n bytes, so that a sanitizer sees a read past its end. */
static int decode_copy(struct arena *a, const char *p, size_t n, struct err *err)
{
	char *copy = malloc(n == 0 ? 1 : n);
	struct write_set back;
	int rc;

	if (copy == NULL)
		abort();
	memcpy(copy, p, n);
	rc = write_set_decode(a, (struct str){copy, n}, &back, err);
	free(copy);
	return rc;
}

static void broken_anywhere(void)
{
	struct write_set sets[4];
	struct write_item items[3];

	make_sets(sets, items);
	for (size_t i = 0; i < COUNT(sets); i++) {
		struct arena *a = arena_new();
		struct buf *b = buf_new(a, 1u << 20);
		size_t accepted = 0, other = 0;
		struct err err;

		write_set_encode(b, &sets[i]);
		for (size_t n = 0; n < b->len; n++) {
			err = ERR_INIT;
			accepted += decode_copy(a, b->p, n, &err) == 0;
			other += err.code != ERR_MALFORMED;
		}
		CHECK(accepted == 0 && other == 0);
		buf_chr(b, 'x'); /* nor more than a set */
		err = ERR_INIT;
		CHECK(decode_copy(a, b->p, b->len, &err) == -1 && err.code == ERR_MALFORMED);
		/* any byte another: accepted or not, never a crash */
		for (size_t n = 0; n < b->len - 1; n++) {
			char was = b->p[n];

			for (int bit = 0; bit < 8; bit += 7) {
				err = ERR_INIT;
				b->p[n] = (char)(was ^ 1 << bit);
				if (decode_copy(a, b->p, b->len - 1, &err) == -1)
					other += err.code != ERR_MALFORMED;
			}
			b->p[n] = was;
		}
		CHECK(other == 0);
		arena_free(a);
	}
}

static void too_many_items(void)
{
	static const size_t counts[] = {LIMIT_ITEMS_PER_COMMIT, LIMIT_ITEMS_PER_COMMIT + 1};
	struct arena *a = arena_new();
	struct write_item *items = arena_array(a, LIMIT_ITEMS_PER_COMMIT + 1, sizeof(*items));

	for (size_t i = 0; i < COUNT(counts); i++) {
		struct write_set ws = intake_set(uuid_new(), uuid_new());
		struct buf *b = buf_new(a, 1u << 20);
		struct err err = ERR_INIT;

		intake_give(&ws, items, counts[i]);
		write_set_encode(b, &ws);
		CHECK(decode_copy(a, b->p, b->len, &err) == (i == 0 ? 0 : -1));
		CHECK(err.code == (i == 0 ? ERR_NONE : ERR_MALFORMED));
	}
	arena_free(a);
}

/* ---- commits ----------------------------------------------------------------------------- */

static bool all_well(const struct write_set *sets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (sets[i].err.code != ERR_NONE) {
			printf("# set %zu: %s\n", i, sets[i].err.msg);
			return false;
		}
	}
	return true;
}

/* Lists by cursor rely on records that are stored soon after the time that they bear. */
static void time_of_records(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new();
	int64_t now_us = clock_now_us();
	const int64_t received[] = {now_us, now_us - 60 * SECOND_US};

	if (db == NULL)
		return;
	for (size_t i = 0; i < COUNT(received); i++) {
		struct write_set ws = intake_set(account, uuid_new());
		struct write_item item = intake_item(NULL, i == 0 ? "0" : "1", "{}");

		ws.received_us = received[i];
		intake_give(&ws, &item, 1);
		write_sets_commit(db, &ws, 1);
		CHECK(all_well(&ws, 1));
	}
	CHECK(NUMBER_OF(db, "SELECT COUNT(*) FROM records WHERE account_id = ? AND updated_at >= ?",
		  db_uuid(&account), db_int(now_us)) == 2);
	CHECK(NUMBER_OF(db,
		  "SELECT COUNT(*) FROM events WHERE account_id = ? AND received_at IN (?,?)",
		  db_uuid(&account), db_int(received[0]), db_int(received[1])) == 2);
}

static void what_is_stored(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), connection = uuid_new();
	struct write_item items[] = {intake_item("1", "x", "{\"a\":1}"), intake_lead("2", "l"),
	    intake_item("3", "y", "{\"id\":\"y\"}"), {.has_dedupe = true, .dedupe = "4"}};
	struct write_set ws = intake_set(account, connection);
	struct db_rows rows;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	items[2].needs_details = true;
	items[0].provider_updated_us = 77;
	intake_give(&ws, items, COUNT(items));
	write_sets_commit(db, &ws, 1);
	CHECK(all_well(&ws, 1) && !ws.is_duplicate);
	rows = ROWS_OF(db, a,
	    "SELECT connection_id, provider_type, status, reason, event_type, items,"
	    " received_at, latency_us, remote_addr, request_id, url, headers, body"
	    " FROM events WHERE id = ? AND account_id = ?",
	    db_uuid(&ws.event_id), db_uuid(&account));
	REQUIRE(rows.count == 1);
	CHECK(uuid_eq(db_get_uuid(&rows, 0, 0), connection));
	CHECK(str_eq(db_get_str(&rows, 0, 1), ws.provider_type));
	CHECK(str_is(db_get_str(&rows, 0, 2), "processed") && db_is_null(&rows, 0, 3));
	CHECK(str_eq(db_get_str(&rows, 0, 4), ws.event_type) && db_get_int(&rows, 0, 5) == 4);
	CHECK(db_get_int(&rows, 0, 6) == RECEIVED_AT && db_get_int(&rows, 0, 7) == 1234);
	CHECK(str_eq(db_get_str(&rows, 0, 8), ws.remote_addr));
	CHECK(str_eq(db_get_str(&rows, 0, 9), ws.request_id));
	CHECK(str_eq(db_get_str(&rows, 0, 10), ws.url));
	CHECK(str_eq(db_get_str(&rows, 0, 11), ws.headers));
	CHECK(str_eq(db_get_str(&rows, 0, 12), ws.body));
	CHECK(COUNT_IN(db, "records", account) == 3 && COUNT_IN(db, "leads", account) == 1);
	CHECK(COUNT_IN(db, "event_keys", account) == 4);
	CHECK(NUMBER_OF(db,
		  "SELECT provider_updated_at FROM records WHERE account_id = ?"
		  " AND external_id = 'x'",
		  db_uuid(&account)) == 77);
	/* the lead knows its record and event; each of the two that need details has its job */
	CHECK(NUMBER_OF(db,
		  "SELECT COUNT(*) FROM leads l JOIN records r ON r.id = l.record_id"
		  " JOIN events e ON e.id = l.event_id JOIN jobs j ON j.subject_id = l.id"
		  " WHERE l.account_id = ? AND j.kind = 'lead.process'"
		  " AND r.external_id = l.provider_lead_id AND l.received_at = ?"
		  " AND l.connection_id = ?",
		  db_uuid(&account), db_int(RECEIVED_AT), db_uuid(&connection)) == 1);
	CHECK(
	    TEXT_EQ(TEXT_OF(db, a,
			"SELECT CONCAT_WS(' ', JSON_VALUE(args, '$.connectionId'), JSON_VALUE(args,"
			" '$.source'), JSON_VALUE(args, '$.was')) FROM jobs j JOIN records r ON "
			"r.id = j.subject_id"
			" WHERE j.account_id = ? AND j.kind = 'record.fetch'"
			" AND r.external_id = 'y'",
			db_uuid(&account)),
		arena_printf(a, "%s webhook created", uuid_dup(a, connection))));
	CHECK(COUNT_IN(db, "jobs", account) == 2);
	arena_free(a);
}

/* ---- what others hold --------------------------------------------------------------------- */

/* One webhook of each of n accounts, each for a record of its own. */
static void one_each(struct write_set *sets, struct write_item *items, struct uuid *accounts,
    size_t n, const char *data)
{
	for (size_t i = 0; i < n; i++) {
		items[i] = intake_item(NULL, "x", data);
		sets[i] = intake_set(accounts[i], uuid_new());
		intake_give(&sets[i], &items[i], 1);
	}
}

struct holding {
	struct uuid account;
	struct write_set *sets;
	size_t n;
	struct db *writers;
	const struct db_stmt *hold; /* NULL: its records */
};

/* Holds the account's records, and has the sets committed by another connection meanwhile. */
static int hold_and_commit(struct db *db, void *arg, struct err *err)
{
	struct holding *h = arg;

	DB_STMT(hold, "UPDATE records SET source = source WHERE account_id = ?");
	if (db_exec(db, h->hold != NULL ? h->hold : &hold, DB_VALS(db_uuid(&h->account)), NULL,
		err) == -1)
		return -1;
	write_sets_commit_shared(h->writers, h->sets, h->n);
	return 0;
}

/* Who holds one record is in nobody's way who writes others of its kind, however few there are. */
static void neighbours_of_what_is_held(void)
{
	enum { N = 4 };
	static const char *const ids[N] = {"a", "b", "m", "z"};
	struct db *db = test_db(), *writers;
	struct uuid account = uuid_new();
	struct write_item items[N];
	struct write_set sets[N];
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	writers = db_new(test_db_config());
	db_set_patience(writers, true, 1);
	one_each(sets, items, &account, 1, "{\"a\":1}");
	write_sets_commit_shared(writers, sets, 1);
	CHECK(all_well(sets, 1));
	for (size_t i = 0; i < N; i++) {
		items[i] = intake_item(NULL, ids[i], "{\"a\":2}");
		sets[i] = intake_set(account, uuid_new());
		intake_give(&sets[i], &items[i], 1);
	}
	struct holding h = {account, sets, N, writers, NULL};

	OK(db_transaction(db, hold_and_commit, &h, &err), &err);
	CHECK(all_well(sets, N));
	CHECK(COUNT_IN(db, "records", account) == 1 + N);
	db_free(writers);
}

/* The writer leaves out what somebody holds; all others are stored meanwhile. */
static void held_records(void)
{
	enum { N = 5, HELD = 2 };
	struct db *db = test_db(), *writers;
	struct uuid accounts[N];
	struct write_item items[N];
	struct write_set sets[N];
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	writers = db_new(test_db_config());
	db_set_patience(writers, true, 1);
	for (size_t i = 0; i < N; i++)
		accounts[i] = uuid_new();
	one_each(sets, items, accounts, N, "{\"a\":1}");
	write_sets_commit_shared(writers, sets, N);
	CHECK(all_well(sets, N));
	one_each(sets, items, accounts, N, "{\"a\":2}");
	struct holding h = {accounts[HELD], sets, N, writers, NULL};

	OK(db_transaction(db, hold_and_commit, &h, &err), &err);
	for (size_t i = 0; i < N; i++) {
		CHECK((sets[i].err.code == ERR_LOCKED) == (i == HELD));
		CHECK(NUMBER_OF(db,
			  "SELECT COUNT(*) FROM records WHERE account_id = ? AND data ="
			  " '{\"a\":2}'",
			  db_uuid(&accounts[i])) == (i != HELD));
		CHECK(COUNT_IN(db, "events", accounts[i]) == (i == HELD ? 1 : 2));
	}
	/* its worker commits it itself, once it is free */
	sets[HELD].may_be_written = true;
	write_sets_commit(db, &sets[HELD], 1);
	CHECK(all_well(&sets[HELD], 1));
	CHECK(COUNT_IN(db, "events", accounts[HELD]) == 2);
	db_free(writers);
}

/* A row of each table that a commit may wait for. The first webhook of an account made them all;
 * the second is for the same lead, as another event and with news. */
static void held_elsewhere(void)
{
	enum { N = 5, HELD = 2 };
	DB_STMT(leads, "UPDATE leads SET source = source WHERE account_id = ?");
	DB_STMT(keys, "UPDATE event_keys SET event_id = event_id WHERE account_id = ?");
	DB_STMT(queue, "UPDATE record_search_queue SET record_id = record_id"
		       " WHERE account_id = ?");
	DB_STMT(jobs, "UPDATE jobs SET state = state WHERE account_id = ?");
	static const struct db_stmt *const held[] = {&leads, &keys, &queue, &jobs};
	struct db *db = test_db(), *writers;
	struct write_item items[N];
	struct write_set sets[N];
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	writers = db_new(test_db_config());
	for (size_t k = 0; k < COUNT(held); k++) {
		struct uuid accounts[N], connections[N];
		struct err err = ERR_INIT;

		db_set_patience(writers, true, SHARED_COMMIT_WAIT_S);
		for (size_t round = 0; round < 3; round++) {
			for (size_t i = 0; i < N; i++) {
				if (round == 0) {
					accounts[i] = uuid_new();
					connections[i] = uuid_new();
				}
				items[i] = intake_lead("0123456789abcdef", "one");
				items[i].lead = round == 0 ? STR("{\"email\":\"a@example.com\"}")
							   : STR("{\"email\":\"b@example.com\"}");
				items[i].data = items[i].lead;
				items[i].dedupe[0] = (unsigned char)(held[k] == &keys ? 0 : round);
				sets[i] = intake_set(accounts[i], connections[i]);
				intake_give(&sets[i], &items[i], 1);
			}
			struct holding h = {accounts[HELD], sets, N, writers, held[k]};

			if (round == 0)
				write_sets_commit_shared(writers, sets, N);
			else
				OK(db_transaction(db, hold_and_commit, &h, &err), &err);
			for (size_t i = 0; i < N; i++)
				CHECK((sets[i].err.code == ERR_LOCKED) == (round > 0 && i == HELD));
		}
		sets[HELD].may_be_written = true;
		write_sets_commit(db, &sets[HELD], 1);
		CHECK(all_well(&sets[HELD], 1));
		CHECK(COUNT_IN(db, "events", accounts[HELD]) == 2);
		/* free again: its sets share a commit, apart from the others' */
		for (size_t i = 0; i < N; i++) {
			items[i] = intake_lead(arena_printf(a, "after %zu", i), "one");
			items[i].dedupe[0] = (unsigned char)(100 + i);
			sets[i] = intake_set(accounts[HELD], connections[HELD]);
			intake_give(&sets[i], &items[i], 1);
		}
		uint64_t commits = db_commits(writers);

		db_set_patience(writers, true, SHARED_COMMIT_WAIT_S);
		write_sets_commit_shared(writers, sets, N);
		CHECK(all_well(sets, N) && db_commits(writers) == commits + 1);
	}
	arena_free(a);
	db_free(writers);
}

/* Nor does it read much of what is stored for one account while the others wait. */
static void large_records(void)
{
	enum { N = 7 };
	struct db *db = test_db();
	struct uuid accounts[N];
	struct write_item items[N];
	struct write_set sets[N];
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	accounts[0] = uuid_new();
	for (size_t i = 1; i < N; i++)
		accounts[i] = i < N - 1 ? accounts[0] : uuid_new();
	for (size_t i = 0; i < N - 1; i++) {
		struct write_item item = intake_item(NULL, arena_printf(a, "%zu", i),
		    arena_printf(a, "{\"t\":\"%0*d\"}", 900000, 0));
		struct write_set ws = intake_set(accounts[0], uuid_new());

		intake_give(&ws, &item, 1);
		CHECK(write_set_is_heavy(&ws));
		write_sets_commit(db, &ws, 1);
		CHECK(all_well(&ws, 1));
	}
	one_each(sets, items, accounts, N, "{\"a\":2}");
	for (size_t i = 0; i < N - 1; i++)
		items[i].external_id = str_from(arena_printf(a, "%zu", i));
	CHECK(!write_set_is_heavy(&sets[0]));
	write_sets_commit_shared(db, sets, N);
	for (size_t i = 0; i < N; i++)
		CHECK(sets[i].err.code == (i < N - 1 ? ERR_LOCKED : ERR_NONE));
	CHECK(COUNT_IN(db, "events", accounts[N - 1]) == 1);
	arena_free(a);
}

static void statuses(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), connection = uuid_new();
	struct write_item items[3][1] = {{intake_item("1", "x", "{\"a\":1}")},
	    {intake_item("2", "x", "{\"a\":2}")}, {intake_item("3", "x", "{\"a\":3}")}};
	struct write_set sets[4];
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	for (size_t i = 0; i < COUNT(sets); i++)
		sets[i] = intake_set(account, connection);
	intake_give(&sets[1], items[0], 1);
	intake_give(&sets[2], items[1], 1);
	intake_give(&sets[3], items[2], 1);
	sets[2].reason = STR("bad signature"); /* then nothing else happens */
	sets[3].reason = STR("not JSON");
	sets[3].is_failed = true;
	write_sets_commit(db, sets, COUNT(sets));
	CHECK(all_well(sets, COUNT(sets)));
	CHECK(TEXT_EQ(intake_status(db, a, sets[0].event_id), "processed"));
	CHECK(TEXT_EQ(intake_status(db, a, sets[1].event_id), "processed"));
	CHECK(TEXT_EQ(intake_status(db, a, sets[2].event_id), "rejected"));
	CHECK(TEXT_EQ(intake_status(db, a, sets[3].event_id), "failed"));
	CHECK(TEXT_EQ(
	    TEXT_OF(db, a, "SELECT reason FROM events WHERE id = ?", db_uuid(&sets[2].event_id)),
	    "bad signature"));
	CHECK(TEXT_EQ(
	    TEXT_OF(db, a, "SELECT data FROM records WHERE account_id = ?", db_uuid(&account)),
	    "{\"a\":1}"));
	CHECK(COUNT_IN(db, "event_keys", account) == 1);
	arena_free(a);
}

static void duplicates(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), connection = uuid_new(), other = uuid_new();
	struct write_item items[] = {intake_lead("k1", "1"), intake_lead("k2", "2"),
	    intake_lead("k3", "3"), intake_item("k1", "1", "{\"no\":1}")};
	struct write_item twice[] = {
	    intake_item("k9", "9", "{\"a\":1}"), intake_item("k9", "9", "{\"b\":1}")};
	struct write_item keyless[] = {intake_item(NULL, "8", "{\"a\":1}")};
	struct write_set sets[6];
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	for (size_t i = 0; i < COUNT(sets); i++)
		sets[i] = intake_set(account, connection);
	/* within one batch: the first has it; a set of which some is new does the rest */
	intake_give(&sets[0], &items[0], 1);
	intake_give(&sets[1], &items[0], 1);
	intake_give(&sets[2], &items[0], 2);
	intake_give(&sets[3], twice, 2);
	intake_give(&sets[4], keyless, 1);
	intake_give(&sets[5], &items[3], 1);
	write_sets_commit(db, sets, 6);
	CHECK(all_well(sets, 6));
	CHECK(!sets[0].is_duplicate && sets[1].is_duplicate && !sets[2].is_duplicate);
	CHECK(!sets[3].is_duplicate && !sets[4].is_duplicate && sets[5].is_duplicate);
	CHECK(TEXT_EQ(intake_status(db, a, sets[0].event_id), "processed"));
	CHECK(TEXT_EQ(intake_status(db, a, sets[1].event_id), "duplicate"));
	CHECK(TEXT_EQ(intake_status(db, a, sets[2].event_id), "processed"));
	CHECK(TEXT_EQ(intake_status(db, a, sets[5].event_id), "duplicate"));
	CHECK(COUNT_IN(db, "leads", account) == 2 && COUNT_IN(db, "jobs", account) == 2);
	CHECK(
	    NUMBER_OF(db, "SELECT COUNT(*) FROM records WHERE account_id = ? AND data LIKE '%no%'",
		db_uuid(&account)) == 0);
	CHECK(TEXT_EQ(TEXT_OF(db, a,
			  "SELECT data FROM records WHERE account_id = ?"
			  " AND external_id = '9'",
			  db_uuid(&account)),
	    "{\"a\":1,\"b\":1}"));

	/* across batches */
	sets[0] = intake_set(account, connection);
	intake_give(&sets[0], items, 2);
	sets[1] = intake_set(account, connection);
	intake_give(&sets[1], items, 3);
	sets[2] = intake_set(account, other); /* another connection's key is another key */
	intake_give(&sets[2], items, 2);
	sets[3] = intake_set(account, connection);
	intake_give(&sets[3], keyless, 1); /* without a key it is done again */
	write_sets_commit(db, sets, 4);
	CHECK(all_well(sets, 4));
	CHECK(sets[0].is_duplicate && !sets[1].is_duplicate && !sets[2].is_duplicate);
	CHECK(!sets[3].is_duplicate);
	CHECK(COUNT_IN(db, "leads", account) == 3 && COUNT_IN(db, "jobs", account) == 3);
	CHECK(COUNT_IN(db, "events", account) == 10 && COUNT_IN(db, "event_keys", account) == 6);
	arena_free(a);
}

static void accounts_are_apart(void)
{
	struct db *db = test_db();
	struct uuid accounts[2] = {uuid_new(), uuid_new()}, connection = uuid_new();
	struct write_item items[] = {intake_lead("k", "1")};
	struct write_set sets[2];

	if (db == NULL)
		return;
	for (size_t i = 0; i < 2; i++) {
		sets[i] = intake_set(accounts[i], connection);
		intake_give(&sets[i], items, 1);
	}
	write_sets_commit(db, sets, 2);
	CHECK(all_well(sets, 2) && !sets[0].is_duplicate && !sets[1].is_duplicate);
	for (size_t i = 0; i < 2; i++) {
		CHECK(COUNT_IN(db, "records", accounts[i]) == 1);
		CHECK(COUNT_IN(db, "leads", accounts[i]) == 1);
		CHECK(COUNT_IN(db, "jobs", accounts[i]) == 1);
	}
}

static void sent_again(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), connection = uuid_new();
	struct write_item items[] = {intake_lead("k", "1"), intake_item(NULL, "2", "{\"a\":1}")};
	struct write_set sets[4], duplicate;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	for (size_t i = 0; i < COUNT(sets); i++)
		sets[i] = intake_set(account, connection);
	intake_give(&sets[0], items, 2);
	sets[1].reason = STR("bad signature");
	duplicate = intake_set(account, connection);
	intake_give(&duplicate, items, 1);
	write_sets_commit(db, sets, 2);
	write_sets_commit(db, &duplicate, 1);
	CHECK(all_well(sets, 2) && duplicate.is_duplicate);
	/* the writer had committed them but its answer was lost */
	sets[0].may_be_written = sets[1].may_be_written = true;
	sets[2] = duplicate;
	sets[2].may_be_written = true;
	sets[2].is_duplicate = false;
	sets[3].may_be_written = true; /* this one had not been committed */
	RUN(db, "UPDATE records SET data = '{}' WHERE account_id = ?", db_uuid(&account));
	write_sets_commit(db, sets, 4);
	CHECK(all_well(sets, 4));
	CHECK(!sets[0].is_duplicate && !sets[1].is_duplicate && sets[2].is_duplicate);
	CHECK(COUNT_IN(db, "events", account) == 4);
	CHECK(COUNT_IN(db, "leads", account) == 1 && COUNT_IN(db, "jobs", account) == 1);
	CHECK(NUMBER_OF(db, "SELECT COUNT(*) FROM records WHERE account_id = ? AND data <> '{}'",
		  db_uuid(&account)) == 0);
	arena_free(a);
}

static void bad_sets_harm_no_other(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), connection = uuid_new();
	struct write_item good[3], large = intake_item("kl", "l", NULL), broken, wide;
	struct write_set sets[6];
	char *data;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	data = arena_printf(a, "{\"a\":\"%*s\"}", (int)LIMIT_RECORD_BYTES, "");
	memset(data + 6, 'x', LIMIT_RECORD_BYTES);
	large.data = str_from(data);
	broken = intake_lead("kb", "b");
	broken.lead = STR("{not json");
	wide = intake_item("kw", NULL, "{}");
	wide.external_id = (struct str){data, 300};
	for (size_t i = 0; i < COUNT(sets); i++)
		sets[i] = intake_set(account, connection);
	for (size_t i = 0; i < 3; i++) {
		const char *id = arena_printf(a, "%zu", i);

		good[i] = intake_lead(id, id);
		intake_give(&sets[2 * i], &good[i], 1);
	}
	intake_give(&sets[1], &large, 1);
	intake_give(&sets[3], &broken, 1);
	intake_give(&sets[5], &wide, 1);
	write_sets_commit(db, sets, COUNT(sets));
	for (size_t i = 0; i < COUNT(sets); i++) {
		CHECK((sets[i].err.code == ERR_NONE) == (i != 5));
		CHECK(TEXT_EQ(intake_status(db, a, sets[i].event_id), i == 5       ? ""
								      : i % 2 == 0 ? "processed"
										   : "failed"));
	}
	CHECK(sets[5].err.code == ERR_INVALID);
	CHECK(COUNT_IN(db, "events", account) == 5 && COUNT_IN(db, "records", account) == 3);
	CHECK(COUNT_IN(db, "leads", account) == 3 && COUNT_IN(db, "jobs", account) == 3);
	CHECK(COUNT_IN(db, "event_keys", account) == 3);
	/* corrected, it is no duplicate */
	large.data = STR("{}");
	sets[1].is_replay = true;
	write_sets_commit(db, &sets[1], 1);
	CHECK(all_well(&sets[1], 1) && !sets[1].is_duplicate);
	CHECK(TEXT_EQ(intake_status(db, a, sets[1].event_id), "processed"));
	arena_free(a);
}

/* What a set carried, what of it was taken, and why the first of the others was not. */
static void verdicts(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), connection = uuid_new();
	struct write_item items[4] = {intake_item("1", "a", "{}"), intake_item("2", "b", "{}"),
	    intake_lead("3", "c"), intake_item("4", "d", "{}")};
	struct write_set ws = intake_set(account, connection), again;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	for (size_t i = 0; i < COUNT(items); i++)
		items[i].place = i + 2; /* before them stood something without an id */
	items[2].lead = STR("{broken");
	items[3].place = 4; /* of the same thing */
	items[3].is_more = true;
	intake_give(&ws, items, 4);
	ws.carried = 5;
	ws.left = 5;
	ws.left_why = STR("has no id");
	ws.notes = STR("a byte-order mark fell");
	write_sets_commit(db, &ws, 1);
	CHECK(all_well(&ws, 1));
#define TOLD(ws)                                                                                   \
	TEXT_OF(db, a,                                                                             \
	    "SELECT CONCAT_WS('/', status, items, taken, left_first, left_reason, reason)"         \
	    " FROM events WHERE id = ?",                                                           \
	    db_uuid(&(ws).event_id))
	CHECK(str_starts(str_from(TOLD(ws)), "processed/5/2/4/is not stored: JSON"));
	CHECK(str_ends(str_from(TOLD(ws)), "; a byte-order mark fell"));
	/* once more: two are repeats, what was not stored is not */
	again = intake_set(account, connection);
	items[2] = intake_item("3", "c", "{}");
	items[2].place = 4;
	intake_give(&again, items, 3);
	write_sets_commit(db, &again, 1);
	CHECK(all_well(&again, 1));
	CHECK(
	    TEXT_EQ(TOLD(again), "processed/3/1/2/was received before/item 2 was received before"));
	arena_free(a);
}

/* More than one commit takes: acknowledged with a job, taken in parts, each from where the last one
 * ended, whoever does it. */
static void parts(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), connection = uuid_new();
	struct write_item items[4] = {intake_item("1", "a", "{}"), intake_item("2", "b", "{}"),
	    intake_item("3", "c", "{}"), intake_item("4", "d", "{}")};
	struct write_set ws = intake_set(account, connection), part;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	ws.is_pending = true;
	ws.carried = 5;
	write_sets_commit(db, &ws, 1);
	CHECK(all_well(&ws, 1) && TEXT_EQ(TOLD(ws), "verified/0/0"));
	CHECK(NUMBER_OF(db,
		  "SELECT COUNT(*) FROM jobs WHERE kind = 'event.process' AND subject_id = ?",
		  db_uuid(&ws.event_id)) == 1);
	for (size_t i = 0; i < COUNT(items); i++)
		items[i].place = i + 1;
	part = ws;
	part.is_pending = false;
	part.is_part = true;
	part.items = items;
	part.nitems = part.looked_at = 2;
	write_sets_commit(db, &part, 1);
	CHECK(all_well(&part, 1) && TEXT_EQ(TOLD(ws), "verified/2/2"));
	write_sets_commit(db, &part, 1); /* another run with the same part */
	CHECK(part.err.code == ERR_CONFLICT && TEXT_EQ(TOLD(ws), "verified/2/2"));
	part.before = 2;
	part.items = items + 2;
	part.is_last = true;
	part.left = 5;
	part.left_why = STR("has no id");
	write_sets_commit(db, &part, 1);
	CHECK(all_well(&part, 1));
	CHECK(TEXT_EQ(TOLD(ws), "processed/5/4/5/has no id/item 5 has no id"));
	CHECK(COUNT_IN(db, "records", account) == 4 && COUNT_IN(db, "event_keys", account) == 4);
	CHECK(COUNT_IN(db, "record_changes", account) == 4);
	write_sets_commit(db, &part, 1); /* it has its verdict */
	CHECK(part.err.code == ERR_CONFLICT);
	arena_free(a);
}

static void replays(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), connection = uuid_new();
	struct write_item items[] = {intake_lead("k", "1"), intake_item("k2", "2", "{\"a\":1}")};
	struct write_set ws = intake_set(account, connection);
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	intake_give(&ws, items, 2);
	write_sets_commit(db, &ws, 1);
	RUN(db, "DELETE FROM jobs WHERE account_id = ?", db_uuid(&account));
	RUN(db, "UPDATE events SET status = 'failed', reason = 'x' WHERE account_id = ?",
	    db_uuid(&account));
	RUN(db, "DELETE FROM records WHERE account_id = ? AND external_id = '2'",
	    db_uuid(&account));
	ws.is_replay = true;
	for (int i = 1; i <= 3; i++) {
		RUN(db, "UPDATE leads SET stage = ?, stage_error = 'x' WHERE account_id = ?",
		    db_str(i == 3 ? "ready" : "failed"), db_uuid(&account));
		RUN(db, "UPDATE jobs SET state = 'dead', run_at = 5 WHERE account_id = ?",
		    db_uuid(&account));
		write_sets_commit(db, &ws, 1);
		CHECK(all_well(&ws, 1) && !ws.is_duplicate);
		CHECK(COUNT_IN(db, "events", account) == 1);
		CHECK(TEXT_EQ(intake_status(db, a, ws.event_id), "processed"));
		CHECK(TEXT_OF(db, a, "SELECT reason FROM events WHERE account_id = ?",
			  db_uuid(&account)) == NULL);
		CHECK(COUNT_IN(db, "records", account) == 2 && COUNT_IN(db, "leads", account) == 1);
		/* the lead gets another go, by the one job it has, and says so; a ready one does
		 * not */
		CHECK(NUMBER_OF(db,
			  "SELECT SUM(j.state = 'ready' AND j.run_at > 5 AND l.stage = 'received'"
			  " AND l.stage_error IS NULL) FROM jobs j JOIN leads l ON l.id = "
			  "j.subject_id"
			  " WHERE j.account_id = ? AND j.kind = 'lead.process'",
			  db_uuid(&account)) == (i < 3));
		CHECK(NUMBER_OF(db,
			  "SELECT COUNT(*) FROM jobs WHERE account_id = ?"
			  " AND kind = 'lead.process'",
			  db_uuid(&account)) == 1);
	}
	arena_free(a);
}

/* As many as the writer takes at once, and more keys and records than one statement does. */
static void large_batch(void)
{
	enum { SETS = 64, EACH = 5 };
	struct db *db = test_db();
	struct uuid account = uuid_new(), connection = uuid_new();
	struct write_item items[SETS][EACH];
	struct write_set sets[SETS];
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	for (size_t i = 0; i < SETS; i++) {
		sets[i] = intake_set(account, connection);
		for (size_t k = 0; k < EACH; k++) {
			const char *id = arena_printf(a, "%zu/%zu", i, k);

			items[i][k] = k % 2 == 0 ? intake_lead(id, id) : intake_item(id, id, "{}");
		}
		intake_give(&sets[i], items[i], EACH);
	}
	for (int round = 0; round < 2; round++) {
		write_sets_commit(db, sets, SETS);
		CHECK(all_well(sets, SETS));
		for (size_t i = 0; i < SETS; i++) {
			CHECK(sets[i].is_duplicate == (round == 1));
			sets[i].event_id = uuid_new();
		}
		CHECK(COUNT_IN(db, "events", account) == (round + 1) * SETS);
		CHECK(COUNT_IN(db, "records", account) == SETS * EACH);
		CHECK(COUNT_IN(db, "leads", account) == SETS * 3);
		CHECK(COUNT_IN(db, "jobs", account) == SETS * 3);
	}
	arena_free(a);
}

/* ---- against others ---------------------------------------------------------------------- */

/* A writer that is not dead but slow: it commits when this process waits for it. */
struct slow {
	struct write_set ws;
	int ready;
};

static int slow_body(struct db *db, void *arg, struct err *err)
{
	static const struct db_stmt event = {"event",
	    "INSERT INTO events (id, account_id, connection_id, provider_type, status, items,"
	    " received_at, latency_us, remote_addr, request_id, url, headers, body)"
	    " VALUES (?,?,?,'test','processed',0,1,1,'','','','','')",
	    NULL, NULL};
	struct slow *s = arg;

	if (db_exec(db, &event,
		DB_VALS(db_uuid(&s->ws.event_id), db_uuid(&s->ws.account_id),
		    db_uuid(&s->ws.connection_id)),
		NULL, err) == -1 ||
	    write(s->ready, "x", 1) != 1)
		return -1;
	return core_await_lock_wait() ? 0 : err_set(err, ERR_INTERNAL, "nobody waited");
}

static int commit_slowly(void *arg)
{
	struct db *db = db_new(test_db_config());
	struct err err = ERR_INIT;
	int rc = db_transaction(db, slow_body, arg, &err);

	if (rc == -1)
		printf("# the slow one: %s\n", err.msg);
	fflush(stdout);
	db_free(db);
	return rc == 0 ? 0 : 1;
}

static void committed_meanwhile(void)
{
	struct db *db = test_db();
	struct slow s = {.ws = intake_set(uuid_new(), uuid_new())};
	struct write_item items[] = {intake_item("k", "1", "{}")};
	int ends[2];
	pid_t pid;
	char byte;

	if (db == NULL)
		return;
	REQUIRE(pipe(ends) == 0);
	s.ready = ends[1];
	intake_give(&s.ws, items, 1);
	pid = core_fork(commit_slowly, &s);
	CHECK(read(ends[0], &byte, 1) == 1);
	s.ws.may_be_written = true;
	write_sets_commit(db, &s.ws, 1);
	CHECK(all_well(&s.ws, 1));
	CHECK(core_wait(pid) == 0);
	CHECK(COUNT_IN(db, "events", s.ws.account_id) == 1);
	CHECK(COUNT_IN(db, "records", s.ws.account_id) == 0);
	close(ends[0]);
	close(ends[1]);
}

static void no_database(void)
{
	struct config cfg;
	struct write_set sets[2];
	struct db *db;

	if (test_db() == NULL)
		return;
	cfg = *test_db_config();
	cfg.db_socket = "/nonexistent/mariadb.sock";
	db = db_new(&cfg);
	for (size_t i = 0; i < 2; i++)
		sets[i] = intake_set(uuid_new(), uuid_new());
	write_sets_commit(db, sets, 2);
	CHECK(sets[0].err.code == ERR_UNAVAILABLE && sets[1].err.code == ERR_UNAVAILABLE);
	db_free(db);
}

void suite_intake_write(void)
{
	ADD_TESTS("intake_write", {"encoded and decoded", round_trip},
	    {"broken at any byte", broken_anywhere}, {"too many items", too_many_items},
	    {"what is stored", what_is_stored}, {"time of records", time_of_records},
	    {"statuses", statuses}, {"held records", held_records},
	    {"held elsewhere", held_elsewhere},
	    {"neighbours of what is held", neighbours_of_what_is_held},
	    {"large records", large_records}, {"duplicates", duplicates},
	    {"accounts are apart", accounts_are_apart}, {"sent again", sent_again},
	    {"bad sets harm no other", bad_sets_harm_no_other}, {"verdicts", verdicts},
	    {"parts", parts}, {"replays", replays}, {"a large batch", large_batch},
	    {"committed meanwhile", committed_meanwhile}, {"no database", no_database});
}
