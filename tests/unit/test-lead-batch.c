/* Leads of one commit: lead.process and crm.push of many at once, what that costs the database, and
 * one among them that cannot be stored. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core-check.h"
#include "crm/crm.h"
#include "lead/lead-internal.h"
#include "net/http-client.h"

void suite_lead_batch(void);

#define LEADS 32

/* ---- a destination ----------------------------------------------------------------------- */

/* What has come to it; shared with its processes. It keeps its answers back until all that come
 * together are there. */
static struct {
	int requests, until;
} * taken;

/* The end of the request at the front of buf, or 0 while it is not whole. */
static size_t request_end(const char *buf, size_t have)
{
	const char *end = strstr(buf, "\r\n\r\n");
	const char *length = end == NULL ? NULL : strcasestr(buf, "\r\ncontent-length:");
	size_t whole = end == NULL ? 0 : (size_t)(end + 4 - buf);

	if (length != NULL && length < end)
		whole += strtoul(length + 17, NULL, 10);
	return whole > 0 && whole <= have ? whole : 0;
}

static void take_requests(int fd)
{
	static const char answer[] = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
				     "Content-Length: 12\r\n\r\n{\"id\":\"c-1\"}";
	char buf[16384];
	size_t have = 0, whole;
	ssize_t n;

	while ((n = recv(fd, buf + have, sizeof(buf) - 1 - have, 0)) > 0) {
		have += (size_t)n;
		buf[have] = '\0';
		if ((whole = request_end(buf, have)) == 0)
			continue;
		__atomic_add_fetch(&taken->requests, 1, __ATOMIC_SEQ_CST);
		if (!AWAIT(__atomic_load_n(&taken->requests, __ATOMIC_SEQ_CST) >= taken->until) ||
		    send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == -1)
			break;
		have -= whole;
		memmove(buf, buf + whole, have);
	}
}

static int serve(void *arg)
{
	const int listen_fd = *(int *)arg;

	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		const int fd = accept(listen_fd, NULL, NULL);

		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			take_requests(fd);
			_exit(0);
		}
		close(fd);
	}
}

static pid_t serve_in_a_child(int *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t n = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) == -1 || listen(fd, 128) == -1 ||
	    getsockname(fd, (struct sockaddr *)&in, &n) == -1)
		abort();
	*port = ntohs(in.sin_port);
	pid = core_fork(serve, &fd);
	close(fd);
	return pid;
}

/* ---- a place ----------------------------------------------------------------------------- */

struct place {
	struct core_app c;
	struct app *app;
	struct db *db;
	struct arena *a;
	struct uuid account;
	pid_t server;
	int port;
};

static bool place_make(struct place *p)
{
	static lead_ready_fn *const told[] = {crm_on_lead_ready, NULL};

	if (!core_app_make(&p->c))
		return false;
	taken = core_shared(sizeof(*taken));
	p->server = serve_in_a_child(&p->port);
	p->app = &p->c.app;
	p->app->hooks.lead_ready = told;
	p->db = p->app->db;
	p->a = p->c.a;
	p->account = uuid_new();
	p->c.cfg.job_concurrency = 8 * LEADS;
	p->c.cfg.http_per_host = 3 * LEADS;
	http_client_free(p->app->http);
	p->app->http = http_client_new(&p->c.cfg, NULL);
	RUN(p->db, "DELETE FROM jobs");
	return true;
}

static void place_remove(struct place *p)
{
	kill(p->server, SIGKILL);
	core_wait(p->server);
	core_unshare(taken, sizeof(*taken));
	core_app_remove(&p->c);
}

static struct uuid destination(struct place *p, const struct uuid *account, const char *name)
{
	struct req r = {.app = p->app, .a = p->a, .actor = {.account_id = *account}};
	const char *body = arena_printf(p->a,
	    "{\"name\":\"%s\",\"credentials\":{},\"settings\":{\"url\":\"http://127.0.0.1:%d/\"}}",
	    name, p->port);
	struct connection *c = NULL;
	struct err err = ERR_INIT;

	OK(connection_add(&r, provider_find(p->app->providers, STR("custom_crm")),
	       json_parse(p->a, str_from(body), NULL), &c, &err),
	    &err);
	return c == NULL ? (struct uuid){{0}} : c->id;
}

struct capturing {
	struct place *p;
	struct lead_capture leads[LEADS];
	size_t n;
};

static int capture_body(struct db *db, void *arg, struct err *err)
{
	struct capturing *c = arg;

	return lead_capture(db, c->p->a, c->leads, c->n, err);
}

/* Leads of no connection, so that no window holds their jobs, and no details to be fetched. */
static void capture(struct place *p, const struct uuid *account, size_t n, const char *email)
{
	static struct capturing c;
	struct err err = ERR_INIT;

	c = (struct capturing){.p = p, .n = n};
	for (size_t i = 0; i < n; i++)
		c.leads[i] = (struct lead_capture){.account_id = *account,
		    .provider_type = STR("manual"),
		    .provider_lead_id = str_from(uuid_dup(p->a, uuid_new())),
		    .lead = str_from(arena_printf(p->a, "{\"email\":\"%zu%s\"}", i, email)),
		    .received_us = clock_now_us()};
	OK(db_transaction(p->db, capture_body, &c, &err), &err);
}

static const struct job_kind kinds[] = {
    {.name = "lead.process", .run = lead_job_process, .load = lead_job_load, .max_attempts = 20},
    {.name = "crm.push", .run = crm_job_push, .load = crm_job_load, .max_attempts = 20},
};

static struct runner *runner(struct place *p)
{
	struct err err = ERR_INIT;
	struct runner *rn = runner_new(p->app, kinds, COUNT(kinds), &err);

	OK(rn == NULL ? -1 : 0, &err);
	return rn;
}

static int run(struct runner *rn)
{
	struct err err = ERR_INIT;
	int ran = runner_once(rn, &err);

	OK(ran == -1 ? -1 : 0, &err);
	return ran;
}

static int64_t leads_that_are(struct place *p, const char *stage, const char *sync_status)
{
	return NUMBER_OF(p->db,
	    "SELECT COUNT(*) FROM leads WHERE account_id = ? AND stage = ? AND sync_status = ?",
	    db_uuid(&p->account), db_str(stage), db_str(sync_status));
}

static int64_t deliveries_taken(struct place *p, const struct uuid *account)
{
	return NUMBER_OF(p->db,
	    "SELECT COUNT(*) FROM lead_deliveries d JOIN lead_delivery_attempts a"
	    " ON a.delivery_id = d.id AND a.account_id = d.account_id AND a.attempt = 1"
	    " JOIN leads l ON l.id = d.lead_id AND l.account_id = d.account_id"
	    " JOIN connections c ON c.id = d.connection_id AND c.account_id = d.account_id"
	    " WHERE d.account_id = ? AND d.status = 'success' AND d.attempts = 1"
	    " AND d.external_id = 'c-1' AND a.status = 201",
	    db_uuid(account));
}

/* ---- what it costs ----------------------------------------------------------------------- */

/* The runner's own counters when nothing is left to do, which another connection sees. */
struct watch {
	struct db *runners, *eyes;
	uint64_t trips, commits;
};

static bool all_done(void *arg)
{
	struct watch *w = arg;

	if (NUMBER_OF(w->eyes, "SELECT COUNT(*) FROM jobs") > 0)
		return false;
	w->trips = db_round_trips(w->runners) - w->trips;
	w->commits = db_commits(w->runners) - w->commits;
	return true;
}

/* Captured, processed and pushed, so that statements are prepared and windows open; then once more,
 * counted, with all pushes under way together. */
static void count_one_round(struct place *p, int destinations, struct watch *w)
{
	struct runner *rn = runner(p);

	for (int round = 1; round <= 4; round++) {
		capture(p, &p->account, LEADS, "@b.co");
		if (round < 4)
			CHECK(run(rn) == LEADS * (1 + destinations));
	}
	taken->until = 4 * LEADS * destinations;
	w->trips = db_round_trips(p->db);
	w->commits = db_commits(p->db);
	CHECK(runner_run(rn, all_done, w) == 0);
	runner_free(rn);
	printf("# %d leads to %d: %llu statements, %llu commits\n", LEADS, destinations,
	    (unsigned long long)w->trips, (unsigned long long)w->commits);
}

/* From rows that wait to rows that are pushed, the claims among them: three commits, and about as
 * many statements as there are leads.
 * How answers fall into groups is up to the machine; one by one it would be twenty statements and
 * three commits for each lead. */
static void statements_and_commits(void)
{
	static const struct {
		int line, destinations;
		uint64_t trips, commits;
	} cases[] = {{__LINE__, 1, 3 * LEADS, 12}, {__LINE__, 3, 5 * LEADS, 16}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const int destinations = cases[i].destinations;
		struct watch w;
		struct place p;

		if (!place_make(&p))
			return;
		for (int k = 0; k < destinations; k++)
			destination(&p, &p.account, arena_printf(p.a, "crm %d", k));
		w = (struct watch){.runners = p.db, .eyes = db_new(&p.c.cfg)};
		count_one_round(&p, destinations, &w);
		CHECK_AT(cases[i].line, w.trips <= cases[i].trips && w.commits <= cases[i].commits);
		CHECK_AT(cases[i].line, leads_that_are(&p, "ready", "success") == 4 * LEADS);
		CHECK_AT(
		    cases[i].line, deliveries_taken(&p, &p.account) == 4 * LEADS * destinations);
		CHECK_AT(cases[i].line, taken->requests == 4 * LEADS * destinations);
		db_free(w.eyes);
		place_remove(&p);
	}
}

/* ---- one by one all the same ------------------------------------------------------------- */

/* Each account's leads go to its own destination, though they are stored in one commit. */
static void two_accounts(void)
{
	struct place p;
	struct uuid other = uuid_new();
	struct runner *rn;

	if (!place_make(&p))
		return;
	destination(&p, &p.account, "mine");
	destination(&p, &other, "theirs");
	capture(&p, &p.account, 8, "@b.co");
	capture(&p, &other, 8, "@c.co");
	rn = runner(&p);
	CHECK(run(rn) == 32);
	runner_free(rn);
	CHECK(deliveries_taken(&p, &p.account) == 8 && deliveries_taken(&p, &other) == 8);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs") == 0 && taken->requests == 16);
	place_remove(&p);
}

static int insert_job(struct db *db, void *arg, struct err *err)
{
	return job_insert(db, arg, 1, err);
}

/* Two jobs of one lead, as a replay of its event makes them: it is made ready and pushed once. */
static void twice_among_them(void)
{
	struct place p;
	struct uuid lead;
	struct job again = {.kind = "lead.process"};
	struct db_rows rows;
	struct err err = ERR_INIT;
	struct runner *rn;

	if (!place_make(&p))
		return;
	destination(&p, &p.account, "crm");
	capture(&p, &p.account, 3, "@b.co");
	rows = ROWS_OF(p.db, p.a, "SELECT id FROM leads WHERE account_id = ?", db_uuid(&p.account));
	REQUIRE(rows.count == 3);
	lead = db_get_uuid(&rows, 0, 0);
	again.account_id = p.account;
	again.subject_id = lead;
	OK(db_transaction(p.db, insert_job, &again, &err), &err);
	rn = runner(&p);
	CHECK(run(rn) == 4 + 3);
	runner_free(rn);
	CHECK(deliveries_taken(&p, &p.account) == 3 && taken->requests == 3);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM record_changes WHERE account_id = ?",
		  db_uuid(&p.account)) == 3);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs") == 0);
	place_remove(&p);
}

/* A lead that cannot be stored has failed and says why, and the others are stored once. */
static void one_that_cannot_be(void)
{
	struct place p;
	struct runner *rn;

	if (!place_make(&p))
		return;
	destination(&p, &p.account, "crm");
	capture(&p, &p.account, LEADS, "@b.co");
	RUN(p.db,
	    "UPDATE leads SET lead = CONCAT('{\"company\":\"', REPEAT('x', 1100000), '\"}')"
	    " WHERE account_id = ? AND email = '17@b.co'",
	    db_uuid(&p.account));
	rn = runner(&p);
	CHECK(run(rn) == LEADS + LEADS - 1);
	runner_free(rn);
	CHECK(leads_that_are(&p, "ready", "success") == LEADS - 1);
	CHECK(leads_that_are(&p, "failed", "none") == 1);
	CHECK(deliveries_taken(&p, &p.account) == LEADS - 1 && taken->requests == LEADS - 1);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM records WHERE account_id = ?",
		  db_uuid(&p.account)) == LEADS - 1);
	CHECK(NUMBER_OF(p.db,
		  "SELECT COUNT(*) FROM leads WHERE account_id = ? AND stage_error LIKE '%bytes%'",
		  db_uuid(&p.account)) == 1);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs") == 0);
	place_remove(&p);
}

void suite_lead_batch(void)
{
	ADD_TESTS("lead_batch", {"statements and commits", statements_and_commits},
	    {"two accounts", two_accounts}, {"twice among them", twice_among_them},
	    {"one that cannot be", one_that_cannot_be});
}
