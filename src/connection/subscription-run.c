/* The job connection.subscribe: each subscription of a connection is looked for, made, renewed.
 *
 *	replaced ones ended ──> looked for ──there──> ends soon? ──renewed──┐
 *	                             │                     └─replaced─┐     ├──> tomorrow, or before
 *	                             └──not there──> made ────────────┴─────┘    it ends
 *	                                             its secret is asked for, once
 *
 * Of one that is of forms each form has a row; how rows come and go with the forms:
 * subscription-forms.c.
 *
 * - It is looked for before it is made: by the provider's list where there is one, else by what the
 *   row knows. So who comes again after a crash makes no second one.
 * - One that cannot be renewed is replaced: the new one is made, then the old one ended, so that
 *   nothing is missed between them.
 * - What fails is told on the connection's page, and tried again later; an event that comes
 *   meanwhile is taken as ever. */
#include "account/audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "connection/connection-call.h"
#include "connection/subscription-internal.h"
#include "crypto/random.h"
#include "job/retry.h"

#define PAGES_MOST 50 /* of a list */
#define TOKEN_BYTES 24
#define RETRY_FIRST_MS 60000
#define RETRY_MOST_MS INT64_C(21600000)
#define REST_LEAST_US (60 * SECOND_US)
#define FORMS_EVERY_US (3600 * SECOND_US) /* new ones are looked for */
#define KNOWN_SECRET_OF "secretOf"        /* the id of the one whose secret the connection has */

/* ---- calls --------------------------------------------------------------------------------- */

static struct subscription_ask ask_of_row(
    const struct subscribing *s, const struct subscription_row *row, json_t *known)
{
	return (struct subscription_ask){.a = s->a,
	    .p = s->c->provider,
	    .spec = s->spec,
	    .c = &s->c->access,
	    .now_us = clock_now_us(),
	    .known = known,
	    .form = subscription_form(s->a, row->form)};
}

static struct subscription_ask subscribing_ask(const struct subscribing *s, json_t *known)
{
	return ask_of_row(s, &s->row, known);
}

int subscribing_call(struct subscribing *s, const struct call_spec *spec,
    const struct subscription_row *row, json_t *known, const json_t *page, struct call_result *out,
    struct err *err)
{
	const struct subscription_ask ask = ask_of_row(s, row, known);
	struct connection_call call = {.app = s->job->app,
	    .a = s->a,
	    .c = s->c,
	    .action = spec->action->name,
	    .inputs = subscription_inputs(&ask, spec, page),
	    .policy = CALL_POLICY_ONCE};

	*out = (struct call_result){.class = CALL_FATAL};
	if (connection_call_attempt(&call, err) == -1) {
		if (err->code != ERR_INVALID)
			return -1;
		s->error = arena_strdup(s->a, err->msg);
		err_clear(err);
		return 0;
	}
	job_note_peer(s->job, connection_call_peer(&call), call.result.error);
	*out = call.result;
	s->wait_ms = call.result.retry_after_ms;
	s->error = call.result.class == CALL_OK ? NULL : call.result.error;
	return call.result.class == CALL_OK;
}

static int subscribing_own_call(struct subscribing *s, const struct call_spec *spec, json_t *known,
    struct call_result *out, struct err *err)
{
	return subscribing_call(s, spec, &s->row, known, NULL, out, err);
}

/* ---- storing ------------------------------------------------------------------------------- */

static int subscribing_save_body(struct db *db, void *arg, struct err *err)
{
	struct subscribing *s = arg;
	struct app *app = s->job->app;
	struct connection *c;
	json_t *body;
	int found;

	if (s->credentials != NULL && json_object_size(s->credentials) > 0) {
		found = connection_lock(
		    app, s->a, &s->row.account_id, &s->row.connection_id, true, &c, err);
		if (found != 1)
			return found == 0 ? err_set(err, ERR_NOT_FOUND, "the connection is gone")
					  : -1;
		body = json_own(s->a, json_object());
		json_set(body, "credentials", json_incref(s->credentials));
		if (connection_update(app, s->a, c, body, err) == -1)
			return -1;
		audit_caches_drop(app);
	}
	if (subscription_save(db, &s->row, err) == -1)
		return -1;
	return job_keep(db, s->job, err);
}

static int subscribing_save(struct subscribing *s, struct err *err)
{
	int found;

	if (job_transaction(s->job, subscribing_save_body, s, err) == -1)
		return -1;
	if (s->credentials == NULL)
		return 0;
	s->credentials = NULL;
	found = connection_get(
	    s->job->app, s->job->a, &s->row.account_id, &s->row.connection_id, &s->c, err);
	return found == 0 ? err_set(err, ERR_NOT_FOUND, "the connection is gone") : found - 1;
}

static void subscribing_set_known(struct subscribing *s, json_t *known)
{
	s->known = known;
	s->row.known = known == NULL ? (struct str){NULL, 0} : json_text(s->a, known);
}

/* The row that stands for those of all forms. */
static bool subscription_is_of_all(const struct subscribing *s)
{
	return s->spec->is_of_forms && s->row.form[0] == '\0';
}

static int subscribing_fail(struct subscribing *s, struct err *err)
{
	if (s->row.failures == 0)
		log_warn("subscription.failed",
		    LOG_S("connection", uuid_dup(s->a, s->row.connection_id)),
		    LOG_S("subscription", s->row.name), LOG_S("error", s->error));
	s->row.failures++;
	s->row.last_error = s->error;
	s->row.next_us = clock_now_us() + 1000 * retry_wait_ms(s->row.failures, RETRY_FIRST_MS,
						     RETRY_MOST_MS, s->wait_ms);
	return subscribing_save(s, err);
}

/* All is well until tomorrow, or until it is to be renewed. */
static int subscribing_rest(struct subscribing *s, struct err *err)
{
	int64_t now_us = clock_now_us();
	int64_t renew_us = s->row.expires_us - s->spec->renew_before_s * SECOND_US;

	s->row.checked_us = now_us;
	s->row.failures = 0;
	s->row.last_error = NULL;
	s->row.next_us = now_us + (subscription_is_of_all(s) ? FORMS_EVERY_US : DAY_US);
	if (s->row.expires_us != 0 && renew_us < s->row.next_us)
		s->row.next_us = renew_us;
	if (s->row.former.p != NULL || s->is_unfinished)
		s->row.next_us = now_us;
	else if (s->row.next_us < now_us + REST_LEAST_US)
		s->row.next_us = now_us + REST_LEAST_US;
	return subscribing_save(s, err);
}

/* ---- steps --------------------------------------------------------------------------------- */

static void subscribing_take(struct subscribing *s, const struct subscription_told *told)
{
	subscribing_set_known(s, told->known);
	s->row.expires_us = told->expires_us == TIME_NONE ? 0 : told->expires_us;
}

/* A page of the list: asked for, or as it came in this run. As a call. */
static int subscribing_page(
    struct subscribing *s, size_t i, const json_t *page, json_t **output, struct err *err)
{
	const struct subscription_ask ask = subscribing_ask(s, s->known);
	struct subscription_pages *pages = s->pages;
	json_t *inputs = subscription_inputs(&ask, &s->spec->list, page);
	struct call_result res;
	int rc;

	if (pages->spec != s->spec)
		*pages = (struct subscription_pages){
		    s->spec, json_own(s->job->a, json_array()), json_own(s->job->a, json_array())};
	*output = json_array_get(pages->outputs, i);
	if (*output != NULL && json_equal(json_array_get(pages->inputs, i), inputs))
		return 1;
	rc = subscribing_call(s, &s->spec->list, &s->row, s->known, page, &res, err);
	if (rc != 1)
		return rc;
	*output = res.output;
	if (s->spec->is_of_forms && json_array_size(pages->outputs) == i) {
		json_array_append(pages->inputs, inputs);
		json_array_append(pages->outputs, res.output);
	}
	return 1;
}

/* 1 it is there, 0 it is not, or s->error says why it cannot be told; -1. */
static int subscribing_look(struct subscribing *s, struct err *err)
{
	const struct subscription_ask ask = subscribing_ask(s, s->known);
	struct subscription_told told;
	const json_t *page = NULL;
	json_t *output;
	int rc;

	if (s->spec->list.action == NULL)
		return json_str(s->known, "id") != NULL &&
		       (s->row.expires_us == 0 || s->row.expires_us > ask.now_us);
	for (size_t i = 0; i < PAGES_MOST; i++) {
		rc = subscribing_page(s, i, page, &output, err);
		if (rc != 1)
			return rc;
		rc = subscription_find(&ask, output, &told, &page, err);
		if (rc == -1) {
			s->error = arena_strdup(s->a, err->msg);
			err_clear(err);
			return 0;
		}
		if (rc == 1)
			subscribing_take(s, &told);
		if (rc == 1 || page == NULL)
			return rc;
	}
	s->error = "the list of subscriptions does not end";
	return 0;
}

/* A secret that we choose is stored before the first event that is signed with it can come. */
static int subscribing_generate(struct subscribing *s, struct err *err)
{
	const char *key = s->spec->generates;

	if (key == NULL || access_credential(&s->c->access, key) != NULL)
		return 0;
	s->credentials = json_own(s->a, json_object());
	json_set_str(s->credentials, key, random_token(s->a, TOKEN_BYTES));
	return subscribing_save(s, err);
}

/* 1, 0, -1 as a call. */
static int subscribing_create(struct subscribing *s, struct err *err)
{
	json_t *known = json_own(s->a, json_object());
	struct subscription_told told;
	struct subscription_ask ask;
	struct call_result res;
	int rc;

	if (subscribing_generate(s, err) == -1)
		return -1;
	json_set_str(known, "key", uuid_dup(s->a, uuid_new()));
	rc = subscribing_own_call(s, &s->spec->create, known, &res, err);
	if (rc != 1)
		return rc;
	ask = subscribing_ask(s, known);
	subscription_read(&ask, res.output, &told);
	if (s->spec->secret_from.action == NULL)
		s->credentials = subscription_secrets(&ask, res.output);
	subscribing_take(s, &told);
	return 1;
}

/* The secret that a call of its own tells: asked for once of each, whoever made it. 1, 0, -1 as a
 * call. */
static int subscribing_learn(struct subscribing *s, struct err *err)
{
	const struct subscription_ask ask = subscribing_ask(s, s->known);
	const char *id = json_str(s->known, "id"), *known_of = json_str(s->known, KNOWN_SECRET_OF);
	struct call_result res;
	json_t *known;
	int rc;

	if (s->spec->secret_from.action == NULL || id == NULL ||
	    (known_of != NULL && strcmp(known_of, id) == 0))
		return 1;
	rc = subscribing_own_call(s, &s->spec->secret_from, s->known, &res, err);
	if (rc != 1)
		return rc;
	s->credentials = subscription_secrets(&ask, res.output);
	if (json_object_size(s->credentials) == 0) {
		s->error = "it is there, but its secret is not told";
		return 0;
	}
	known = json_own(s->a, json_copy(s->known));
	json_set_str(known, KNOWN_SECRET_OF, id);
	subscribing_set_known(s, known);
	return 1;
}

static int subscribing_renew(struct subscribing *s, struct err *err)
{
	struct subscription_told told;
	struct subscription_ask ask;
	struct call_result res;
	int rc;

	if (s->spec->renew.action == NULL) {
		struct str former = s->row.known;

		rc = subscribing_create(s, err);
		if (rc == 1)
			s->row.former = former;
		return rc;
	}
	rc = subscribing_own_call(s, &s->spec->renew, s->known, &res, err);
	if (rc != 1)
		return rc;
	ask = subscribing_ask(s, s->known);
	subscription_read(&ask, res.output, &told);
	subscribing_take(s, &told);
	return 1;
}

/* One that was replaced: ended, or gone by itself. What refuses is left to its end. */
static int subscribing_end_former(struct subscribing *s, struct err *err)
{
	struct call_result res;
	json_t *former;
	int rc = 1;

	if (s->row.former.p == NULL)
		return 1;
	former = json_parse_stored(s->a, s->row.former, err);
	if (former == NULL)
		return -1;
	if (s->spec->remove.action != NULL) {
		rc = subscribing_own_call(s, &s->spec->remove, former, &res, err);
		if (rc == -1 ||
		    (rc == 0 && (res.class == CALL_RETRY || res.class == CALL_RATE_LIMITED)))
			return rc;
	}
	s->error = NULL;
	s->row.former = (struct str){NULL, 0};
	return 1;
}

static bool subscribing_ends_soon(const struct subscribing *s)
{
	return s->row.expires_us != 0 &&
	       s->row.expires_us - s->spec->renew_before_s * SECOND_US <= clock_now_us();
}

/* 1, 0, -1 as a call. */
static int subscribing_keep_one(struct subscribing *s, struct err *err)
{
	int rc = subscribing_look(s, err);

	if (rc == 1 && subscribing_ends_soon(s))
		rc = subscribing_renew(s, err);
	else if (rc == 0 && s->error == NULL)
		rc = subscribing_create(s, err);
	return rc == 1 ? subscribing_learn(s, err) : rc;
}

/* 1, 0, -1 as a call. What was subscribed for all at once, before it was of forms, is ended when
 * those of the forms are there. */
static int subscribing_keep_all(
    struct subscribing *s, struct subscription_row *rows, size_t n, struct err *err)
{
	if (s->row.known.p != NULL) {
		s->row.former = s->row.known;
		subscribing_set_known(s, NULL);
	}
	return subscribing_forms(s, rows, n, err);
}

static int subscribing_keep(
    struct subscribing *s, struct subscription_row *rows, size_t n, struct err *err)
{
	int rc = subscribing_end_former(s, err);

	if (rc == 1)
		rc = subscription_is_of_all(s) ? subscribing_keep_all(s, rows, n, err)
					       : subscribing_keep_one(s, err);
	if (rc == -1)
		return -1;
	return rc == 0 ? subscribing_fail(s, err) : subscribing_rest(s, err);
}

/* ---- the run ------------------------------------------------------------------------------- */

struct subscription_run {
	struct job *job;
	struct connection *c;
	struct subscription_row *rows;
	size_t n;
	struct subscription_pages pages;
	int64_t until_us;
};

/* Is it asked for with these settings? */
static bool is_wanted(const struct connection *c, const struct subscription_row *row)
{
	const struct subscription_spec *spec = provider_find_subscription(c->provider, row->name);

	return spec != NULL && (row->form[0] == '\0' || spec->is_of_forms) &&
	       subscription_is_wanted(spec, &c->access);
}

static int run_row(
    struct subscription_run *run, const struct subscription_row *row, struct err *err)
{
	struct arena *a = arena_new();
	struct subscribing s = {.job = run->job,
	    .a = a,
	    .c = run->c,
	    .spec = provider_find_subscription(run->c->provider, row->name),
	    .row = *row,
	    .wait_ms = -1,
	    .pages = &run->pages,
	    .until_us = run->until_us};
	int rc = 0;

	if (row->known.p != NULL)
		s.known = json_parse_stored(a, row->known, err);
	if (row->known.p != NULL && s.known == NULL)
		rc = -1;
	else
		rc = subscribing_keep(&s, run->rows, run->n, err);
	run->c = s.c;
	arena_free(a);
	return rc;
}

/* Rows are held as those who ask for a look hold them: neither misses the other. */
static int run_rest_body(struct db *db, void *arg, struct err *err)
{
	struct subscription_run *run = arg;
	struct job *j = run->job;
	struct subscription_row *rows;
	struct connection *c = NULL;
	int64_t next_us = INT64_MAX;
	size_t n;

	if (subscriptions_load(db, j->a, &j->account_id, &j->subject_id, true, &rows, &n, err) ==
		-1 ||
	    connection_get(j->app, j->a, &j->account_id, &j->subject_id, &c, err) == -1)
		return -1;
	for (size_t i = 0; c != NULL && i < n; i++)
		if (is_wanted(c, &rows[i]) && rows[i].next_us < next_us)
			next_us = rows[i].next_us;
	if (next_us == INT64_MAX || strcmp(c->status, CONNECTION_DISABLED) == 0)
		return job_finish(db, j, err);
	return job_reschedule(db, j, next_us, (struct str){NULL, 0}, err);
}

int subscription_job_keep(struct job *j, struct err *err)
{
	struct subscription_run run = {.job = j, .until_us = clock_mono_us() + SUBSCRIPTION_RUN_US};
	int found = connection_recent(j->app, j->a, &j->account_id, &j->subject_id, &run.c, err);

	if (found != 1)
		return found;
	if (subscriptions_load(j->app->db, j->a, &j->account_id, &j->subject_id, false, &run.rows,
		&run.n, err) == -1)
		return -1;
	for (size_t i = 0; i < run.n && strcmp(run.c->status, CONNECTION_DISABLED) != 0; i++) {
		if (run.rows[i].next_us > clock_now_us() || !is_wanted(run.c, &run.rows[i]))
			continue;
		if (clock_mono_us() > run.until_us || job_has_to_yield(j))
			break;
		if (run_row(&run, &run.rows[i], err) == -1)
			return -1;
	}
	return job_transaction(j, run_rest_body, &run, err);
}
