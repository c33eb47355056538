/* Leads in the database: captured once, made ready once, texts that are too wide for a column. */
#include "base/clock.h"
#include "base/zone.h"
#include "core-check.h"
#include "lead/lead-internal.h"

void suite_lead_store(void);

#define AT INT64_C(1772893800000000)

struct capturing {
	struct arena *a;
	struct lead_capture *leads;
	size_t n;
};

static int capture_body(struct db *db, void *arg, struct err *err)
{
	struct capturing *c = arg;

	return lead_capture(db, c->a, c->leads, c->n, err);
}

static int capture(
    struct db *db, struct arena *a, struct lead_capture *leads, size_t n, struct err *err)
{
	struct capturing c = {a, leads, n};

	return db_transaction(db, capture_body, &c, err);
}

static struct lead_capture lead_of(struct uuid account, const char *id, const char *lead)
{
	return (struct lead_capture){.account_id = account,
	    .connection_id = uuid_new(),
	    .provider_type = STR("meta_lead_ads"),
	    .provider_lead_id = str_from(id),
	    .form_id = STR("form"),
	    .lead = str_from(lead),
	    .received_us = AT};
}

static int64_t leads_of(struct db *db, struct uuid account)
{
	return NUMBER_OF(db, "SELECT COUNT(*) FROM leads WHERE account_id = ?", db_uuid(&account));
}

static int64_t jobs_of(struct db *db, struct uuid account)
{
	return NUMBER_OF(db,
	    "SELECT COUNT(*) FROM jobs j JOIN leads l ON l.id = j.subject_id"
	    " AND l.account_id = j.account_id WHERE j.account_id = ?"
	    " AND j.kind = 'lead.process' AND j.state = 'ready'",
	    db_uuid(&account));
}

static void captured_once(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), other = uuid_new(), first;
	struct lead_capture l =
	    lead_of(account, "1", "{\"email\":\"a@b.co\",\"fullName\":\"A B\"}");
	struct err err = ERR_INIT;
	struct db_rows rows;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	OK(capture(db, a, &l, 1, &err), &err);
	CHECK(l.is_new && !uuid_is_nil(l.id));
	CHECK(leads_of(db, account) == 1 && jobs_of(db, account) == 1);
	first = l.id;
	l = lead_of(account, "1", "{\"email\":\"other@b.co\"}");
	OK(capture(db, a, &l, 1, &err), &err);
	CHECK(!l.is_new && uuid_eq(l.id, first));
	CHECK(leads_of(db, account) == 1 && jobs_of(db, account) == 1);
	rows = ROWS_OF(db, a,
	    "SELECT email, full_name, phone_number, ad_id, stage, sync_status,"
	    " received_at, form_id FROM leads WHERE account_id = ?",
	    db_uuid(&account));
	REQUIRE(rows.count == 1);
	CHECK(str_is(db_get_str(&rows, 0, 0), "a@b.co") && str_is(db_get_str(&rows, 0, 1), "A B"));
	CHECK(db_is_null(&rows, 0, 2) && db_is_null(&rows, 0, 3));
	CHECK(
	    str_is(db_get_str(&rows, 0, 4), "received") && str_is(db_get_str(&rows, 0, 5), "none"));
	CHECK(db_get_int(&rows, 0, 6) == AT && str_is(db_get_str(&rows, 0, 7), "form"));
	/* the same id elsewhere is another lead */
	l = lead_of(other, "1", "{}");
	OK(capture(db, a, &l, 1, &err), &err);
	CHECK(l.is_new);
	l = lead_of(account, "1", "{}");
	l.provider_type = STR("manual");
	OK(capture(db, a, &l, 1, &err), &err);
	CHECK(l.is_new && leads_of(db, account) == 2 && jobs_of(db, account) == 2);
	arena_free(a);
}

static void several_at_once(void)
{
	enum { N = 150 };
	struct db *db = test_db();
	struct uuid account = uuid_new();
	struct lead_capture leads[N];
	struct err err = ERR_INIT;
	size_t news = 0;
	struct arena *a;

	if (db == NULL)
		return;
	a = arena_new();
	leads[0] = lead_of(account, "7", "{}");
	OK(capture(db, a, leads, 1, &err), &err);
	/* each id twice, 7 a third time */
	for (int i = 0; i < N; i++)
		leads[i] = lead_of(account, arena_printf(a, "%d", i / 2), "{}");
	OK(capture(db, a, leads, N, &err), &err);
	for (int i = 0; i < N; i++) {
		news += leads[i].is_new;
		CHECK(leads[i].is_new == (i % 2 == 0 && i / 2 != 7));
		CHECK(i % 2 == 0 || uuid_eq(leads[i].id, leads[i - 1].id));
	}
	CHECK(news == N / 2 - 1);
	CHECK(leads_of(db, account) == N / 2 && jobs_of(db, account) == N / 2);
	OK(capture(db, a, leads, 0, &err), &err);
	leads[0] = lead_of(account, "broken", "{");
	CHECK(capture(db, a, leads, 1, &err) == -1 && leads_of(db, account) == N / 2);
	arena_free(a);
}

/* Names of every length around the column's width, with characters of one to four bytes. */
static void wide_texts(void)
{
	static const char *const letters[] = {"a", "\xc3\xa4", "\xe5\xb1\xb1", "\xf0\x9f\x98\x80"};
	struct db *db = test_db();
	struct uuid account = uuid_new();
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	for (size_t k = 0; k < COUNT(letters); k++) {
		for (size_t n = 248; n <= 262; n++) {
			struct arena *a = arena_new();
			size_t width = strlen(letters[k]), lead_in = n % width;
			char *name = arena_alloc(a, n + 1);
			struct lead_capture l;
			const char *stored;

			memset(name, 'x', lead_in);
			for (size_t at = lead_in; at < n; at += width)
				memcpy(name + at, letters[k], width);
			name[n] = '\0';
			l = lead_of(account, arena_printf(a, "%zu/%zu", k, n),
			    arena_printf(a, "{\"fullName\":\"%s\"}", name));
			if (!OK(capture(db, a, &l, 1, &err), &err))
				err_clear(&err);
			stored = TEXT_OF(db, a,
			    "SELECT full_name FROM leads WHERE account_id = ? AND id = ?",
			    db_uuid(&account), db_uuid(&l.id));
			CHECK(stored != NULL && strncmp(stored, name, strlen(stored)) == 0);
			CHECK(stored != NULL && strlen(stored) > 255 - 4 - (n < 255 ? 255 - n : 0));
			CHECK(stored != NULL && (n > 255 || strlen(stored) == n));
			arena_free(a);
		}
	}
}

struct readying {
	struct arena *a;
	const struct lead_row *rows[4];
	size_t n;
	bool is_unready[4];
};

static int ready_body(struct db *db, void *arg, struct err *err)
{
	struct readying *r = arg;
	const struct lead_row *unready[4];
	size_t n = 0;

	struct lead_state now[4];

	if (lead_lock(db, r->a, r->rows, r->n, now, err) == -1)
		return -1;
	for (size_t i = 0; i < r->n; i++)
		if ((r->is_unready[i] = now[i].now == LEAD_UNREADY))
			unready[n++] = r->rows[i];
	return n == 0 ? 0 : lead_store_ready(db, r->a, unready, n, err);
}

/* 1 it was made ready, 0 it was it already, -1. */
static int make_ready(struct db *db, struct arena *a, const struct lead_row *row, struct err *err)
{
	struct readying r = {.a = a, .rows = {row}, .n = 1};

	return db_transaction(db, ready_body, &r, err) == -1 ? -1 : r.is_unready[0];
}

static void ready_once(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), other = uuid_new();
	struct lead_capture l = lead_of(account, "1", "{}");
	struct err err = ERR_INIT;
	struct lead_row row;
	struct app app = {.db = db};
	json_t *json;
	struct arena *a;
	char text[1200];

	if (db == NULL)
		return;
	a = arena_new();
	app.config = test_db_config();
	OK(capture(db, a, &l, 1, &err), &err);
	CHECK(lead_load(db, a, &other, &l.id, &row, &err) == 0);
	REQUIRE(lead_load(db, a, &account, &l.id, &row, &err) == 1);
	CHECK(TEXT_EQ(row.stage, "received") && json_object_size(row.lead) == 0);
	CHECK(row.received_us == AT && TEXT_EQ(row.provider_lead_id, "1"));

	/* a problem's text is cut between characters */
	memset(text, 'x', sizeof(text));
	memcpy(text + 999, "\xc3\xa4", 2);
	text[1100] = '\0';
	OK(lead_store_problem(db, a, &row, LEAD_RECEIVED, text, &err), &err);
	CHECK(strlen(TEXT_OF(
		  db, a, "SELECT stage_error FROM leads WHERE id = ?", db_uuid(&l.id))) == 999);
	CHECK(TEXT_EQ(
	    TEXT_OF(db, a, "SELECT stage FROM leads WHERE id = ?", db_uuid(&l.id)), "received"));
	OK(lead_store_problem(db, a, &row, LEAD_FAILED, "gone", &err), &err);
	CHECK(TEXT_EQ(
	    TEXT_OF(db, a, "SELECT stage FROM leads WHERE id = ?", db_uuid(&l.id)), "failed"));

	row.lead = json_parse(a,
	    STR("{\"email\":\"a@b.co\",\"phoneNumber\":\"+491234567\","
		"\"fullName\":\"A B\",\"adId\":\"ad\"}"),
	    NULL);
	CHECK(make_ready(db, a, &row, &err) == 1);
	CHECK(lead_get_json(&app, a, &account, &l.id, &json, &err) == 1);
	CHECK(TEXT_EQ(json_str(json, "stage"), "ready"));
	CHECK(json_is_null(json_object_get(json, "stageError")));
	CHECK(TEXT_EQ(json_str(json, "email"), "a@b.co") && TEXT_EQ(json_str(json, "adId"), "ad"));
	CHECK(TEXT_EQ(json_str(json, "formId"), "form")); /* not overwritten by nothing */
	CHECK(lead_get_json(&app, a, &other, &l.id, &json, &err) == 0);
	/* a second time, and a problem afterwards, change nothing */
	row.lead = json_parse(a, STR("{\"email\":\"z@b.co\"}"), NULL);
	CHECK(make_ready(db, a, &row, &err) == 0);
	OK(lead_store_problem(db, a, &row, LEAD_FAILED, "late", &err), &err);
	CHECK(lead_get_json(&app, a, &account, &l.id, &json, &err) == 1);
	CHECK(TEXT_EQ(json_str(json, "email"), "a@b.co") &&
	      TEXT_EQ(json_str(json, "stage"), "ready"));
	CHECK(err.code == ERR_NONE);
	arena_free(a);
}

/* Several at once: those that are ready already, another account's and repeats are left alone. */
static void ready_together(void)
{
	struct db *db = test_db();
	struct uuid account = uuid_new(), other = uuid_new();
	struct lead_capture leads[3];
	struct lead_row rows[3];
	struct readying r = {.n = 4};
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	r.a = arena_new();
	for (size_t i = 0; i < COUNT(leads); i++) {
		const char *id = arena_printf(r.a, "%zu", i);

		leads[i] = lead_of(i == 2 ? other : account, id, "{}");
		OK(capture(db, r.a, &leads[i], 1, &err), &err);
		REQUIRE(
		    lead_load(db, r.a, &leads[i].account_id, &leads[i].id, &rows[i], &err) == 1);
		rows[i].lead = json_own(r.a, json_pack("{s:s}", "fullName", id));
		rows[i].account_id = account; /* as far as its job knows */
		rows[i].sync_status = "pending";
	}
	CHECK(make_ready(db, r.a, &rows[0], &err) == 1);
	rows[0].lead = json_own(r.a, json_pack("{s:s}", "fullName", "again"));
	r.rows[0] = &rows[0];
	r.rows[1] = r.rows[3] = &rows[1];
	r.rows[2] = &rows[2];
	OK(db_transaction(db, ready_body, &r, &err), &err);
	CHECK(!r.is_unready[0] && r.is_unready[1] && !r.is_unready[2] && !r.is_unready[3]);
	CHECK(NUMBER_OF(db,
		  "SELECT COUNT(*) FROM leads WHERE account_id = ? AND stage = 'ready'"
		  " AND sync_status = 'pending' AND full_name = provider_lead_id",
		  db_uuid(&account)) == 2);
	CHECK(
	    NUMBER_OF(db, "SELECT COUNT(*) FROM leads WHERE account_id = ? AND stage = 'received'",
		db_uuid(&other)) == 1);
	arena_free(r.a);
}

/* ---- given up ------------------------------------------------------------------------------ */

struct dying {
	struct arena *a;
	struct uuid account, lead;
	const char *why; /* NULL: it is to live again */
	bool is_by_job;
	int found;
};

static int dying_body(struct db *db, void *arg, struct err *err)
{
	struct dying *d = arg;
	struct job j = {.account_id = d->account, .subject_id = d->lead, .a = d->a};

	if (d->why != NULL)
		return lead_job_died(db, &j, d->why, err);
	if (d->is_by_job)
		return lead_jobs_revived(db, d->a, &d->account, &d->lead, 1, err);
	d->found = lead_process_again(db, d->a, &d->account, &d->lead, err);
	return d->found == -1 ? -1 : 0;
}

static const char *stage_of(struct db *db, struct arena *a, const struct uuid *lead)
{
	return TEXT_OF(db, a,
	    "SELECT CONCAT_WS(' ', stage, COALESCE(stage_error, '-')) FROM leads WHERE id = ?",
	    db_uuid(lead));
}

static void gives_up_and_goes_again(void)
{
	struct db *db = test_db();
	struct dying d = {.account = uuid_new()}, other;
	struct lead_capture l = lead_of(d.account, "1", "{}");
	struct err err = ERR_INIT;

	if (db == NULL)
		return;
	d.a = arena_new();
	OK(capture(db, d.a, &l, 1, &err), &err);
	d.lead = l.id;
	d.why = "the token was refused";
	OK(db_transaction(db, dying_body, &d, &err), &err);
	CHECK(TEXT_EQ(stage_of(db, d.a, &l.id), "failed the token was refused"));
	RUN(db, "UPDATE jobs SET state = 'dead', run_at = 5, attempts = 9 WHERE account_id = ?",
	    db_uuid(&d.account));
	/* the job that lives again says so; another account's lead is not touched */
	d.why = NULL;
	other = d;
	other.account = uuid_new();
	OK(db_transaction(db, dying_body, &other, &err), &err);
	CHECK(other.found == 0 && jobs_of(db, d.account) == 0);
	d.is_by_job = true;
	OK(db_transaction(db, dying_body, &d, &err), &err);
	CHECK(TEXT_EQ(stage_of(db, d.a, &l.id), "received -") && jobs_of(db, d.account) == 0);
	/* and so does who asks for it: by the job that the lead has */
	d.why = "again";
	OK(db_transaction(db, dying_body, &d, &err), &err);
	d.why = NULL;
	d.is_by_job = false;
	OK(db_transaction(db, dying_body, &d, &err), &err);
	CHECK(d.found == 1 && TEXT_EQ(stage_of(db, d.a, &l.id), "received -"));
	CHECK(jobs_of(db, d.account) == 1);
	CHECK(NUMBER_OF(db,
		  "SELECT COUNT(*) FROM jobs WHERE id = ? AND attempts = 0 AND run_at > 5"
		  " AND target_id = ?",
		  db_uuid(&l.id), db_uuid(&l.connection_id)) == 1);
	/* a ready one is left alone */
	RUN(db, "UPDATE leads SET stage = 'ready' WHERE id = ?", db_uuid(&l.id));
	d.why = "too late";
	OK(db_transaction(db, dying_body, &d, &err), &err);
	d.why = NULL;
	OK(db_transaction(db, dying_body, &d, &err), &err);
	CHECK(d.found == 0 && TEXT_EQ(stage_of(db, d.a, &l.id), "ready -"));
	arena_free(d.a);
}

/* ---- by the day ---------------------------------------------------------------------------- */

static void put_lead_at(
    struct db *db, struct arena *a, struct uuid account, int i, int64_t at_us, const char *provider)
{
	char id[16];
	struct err err = ERR_INIT;

	snprintf(id, sizeof(id), "day-%d", i);
	struct lead_capture twice[2] = {lead_of(account, id, "{}"), lead_of(account, id, "{}")};

	for (int k = 0; k < 2; k++) {
		twice[k].received_us = at_us;
		twice[k].provider_type = str_from(provider);
	}
	CHECK(capture(db, a, twice, 2, &err) == 0);
}

static void counted_by_days_of_a_zone(void)
{
	static const struct {
		int line;
		const char *zone;
		int year, month, day, hour, minute; /* UTC: the first moment of a day there */
	} cases[] = {{__LINE__, "UTC", 2026, 3, 10, 0, 0},
	    {__LINE__, "Asia/Kathmandu", 2026, 3, 9, 18, 15},    /* +5:45 */
	    {__LINE__, "Asia/Kolkata", 2026, 3, 9, 18, 30},      /* +5:30 */
	    {__LINE__, "Pacific/Chatham", 2026, 3, 9, 10, 15},   /* +13:45 */
	    {__LINE__, "Europe/Berlin", 2026, 3, 28, 23, 0},     /* of 23 hours */
	    {__LINE__, "Europe/Berlin", 2026, 10, 24, 22, 0},    /* of 25 */
	    {__LINE__, "America/St_Johns", 2026, 3, 10, 2, 30}}; /* -2:30 */
	struct db *db = test_db();
	struct app app = {.db = db};

	for (size_t i = 0; db != NULL && i < COUNT(cases); i++) {
		const struct zone *zone = zone_find(str_from(cases[i].zone));
		const struct civil c = {.year = cases[i].year,
		    .month = cases[i].month,
		    .day = cases[i].day,
		    .hour = cases[i].hour,
		    .minute = cases[i].minute};
		const int64_t begin = clock_civil_us(&c), end = zone_day_us(zone, begin, 1);
		const int64_t at[] = {begin - 1, begin, begin + SECOND_US, end - 1, end};
		struct uuid account = uuid_new();
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct lead_day *days;
		int64_t of[3] = {0};
		size_t n;

		for (size_t k = 0; k < COUNT(at); k++)
			put_lead_at(
			    db, a, account, (int)k, at[k], k == 1 ? "google_ads" : "meta_lead_ads");
		CHECK_AT(cases[i].line,
		    lead_days(&app, a, &account, zone, end, 3, &days, &n, &err) == 0);
		for (size_t k = 0; k < n; k++)
			of[days[k].day] += days[k].leads;
		CHECK_AT(cases[i].line, of[0] == 1 && of[1] == 3 && of[2] == 1);
		struct uuid id;
		CHECK_AT(cases[i].line,
		    lead_erase(&app, a, &account, STR("google_ads"), STR("day-1"), &id, &err) == 1);
		CHECK_AT(cases[i].line,
		    lead_days(&app, a, &account, zone, end, 2, &days, &n, &err) == 0);
		of[0] = of[1] = 0;
		for (size_t k = 0; k < n; k++)
			of[days[k].day] += days[k].leads;
		CHECK_AT(cases[i].line, of[0] == 2 && of[1] == 1);
		arena_free(a);
	}
}

void suite_lead_store(void)
{
	ADD_TESTS("lead_store", {"captured once", captured_once},
	    {"several at once", several_at_once}, {"texts wider than their columns", wide_texts},
	    {"ready once", ready_once}, {"ready together", ready_together},
	    {"gives up and goes again", gives_up_and_goes_again},
	    {"counted by the days of a zone", counted_by_days_of_a_zone});
}
