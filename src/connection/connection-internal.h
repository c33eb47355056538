/* What the files of this feature share. */
#ifndef CONNECTION_CONNECTION_INTERNAL_H
#define CONNECTION_CONNECTION_INTERNAL_H
#include "connection/connection.h"
#include "http/slice.h"
#include "provider/manifest.h"

/* The columns of connection_from_row, and where they come from: a connection with the app and the
 * grant that it goes by, since it is never used without them: so each question stays one query. One
 * that names no app goes by the only one that its account may use. */
#define CONNECTION_COLUMNS                                                                         \
	"c.id, c.account_id, c.provider_type, c.name, c.status, c.external_account_id,"            \
	" c.credentials, c.settings, c.last_error, c.last_used_at, c.created_at, c.updated_at,"    \
	" c.received_at, c.handshake_at, c.strict_at, c.ended_at, c.challenge_failed_at,"          \
	" c.challenge_error, c.app_id, c.proven_at, c.auto_push, p.id, p.credentials,"             \
	" p.updated_at, g.id, g.tokens, g.expires_at, g.ends_at, g.updated_at, g.last_error,"      \
	" g.dead_at, c.routing, c.push_failed"
#define CONNECTION_TABLES                                                                          \
	" FROM connections c LEFT JOIN oauth_grants g ON g.id = c.grant_id"                        \
	" LEFT JOIN provider_apps p ON p.id = COALESCE(c.app_id,"                                  \
	" (SELECT MIN(o.id) FROM provider_apps o WHERE o.provider_type = c.provider_type"          \
	" AND (o.account_id = c.account_id OR o.account_id IS NULL) HAVING COUNT(*) = 1))"
enum {
	CONNECTION_ID,
	CONNECTION_ACCOUNT,
	CONNECTION_PROVIDER,
	CONNECTION_NAME,
	CONNECTION_STATUS,
	CONNECTION_EXTERNAL_ACCOUNT,
	CONNECTION_CREDENTIALS,
	CONNECTION_SETTINGS,
	CONNECTION_LAST_ERROR,
	CONNECTION_LAST_USED_AT,
	CONNECTION_CREATED_AT,
	CONNECTION_UPDATED_AT,
	CONNECTION_RECEIVED_AT,
	CONNECTION_HANDSHAKE_AT,
	CONNECTION_STRICT_AT,
	CONNECTION_ENDED_AT,
	CONNECTION_CHALLENGE_FAILED_AT,
	CONNECTION_CHALLENGE_ERROR,
	CONNECTION_APP_NAMED,
	CONNECTION_PROVEN_AT,
	CONNECTION_AUTO_PUSH,
	CONNECTION_APP,
	CONNECTION_APP_CREDENTIALS,
	CONNECTION_APP_UPDATED_AT,
	CONNECTION_GRANT,
	CONNECTION_GRANT_TOKENS,
	CONNECTION_GRANT_EXPIRES_AT,
	CONNECTION_GRANT_ENDS_AT,
	CONNECTION_GRANT_UPDATED_AT,
	CONNECTION_GRANT_ERROR,
	CONNECTION_GRANT_DEAD_AT,
	CONNECTION_ROUTING,
	CONNECTION_PUSH_FAILED
};

/* A connection from a result row, its credentials opened. ERR_INTERNAL when they cannot be, or the
 * provider's manifest is gone. */
struct connection *connection_from_row(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t row, struct err *err);
/* The same of one that could not be opened, without what cannot be: shut. */
struct connection *connection_from_row_shut(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t row, struct err *err);
/* For its pages. The connection of the address; NULL after answering. */
struct connection *connection_asked(struct req *r);
/* What other features show on them. */
int connection_tell(struct req *r, const struct connection *c, json_t *data, struct err *err);
/* Where what came through it, or went to it, is listed: "sees_events" … */
void connection_show_links(struct req *r, const struct connection *c, json_t *data);
/* What the provider was asked to send; of forms those that fail stand by themselves. */
int connection_show_subscriptions(
    struct req *r, const struct connection *c, json_t *data, struct err *err);
/* What connection-change.c does its acts with, each within a transaction: they note nothing and
 * drop no cache. */
/* The row, nobody else changing it until the end; is_opened: with its credentials, as
 * connection_get_shown. 1, 0, -1. */
int connection_lock(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, bool is_opened, struct connection **out, struct err *err);
/* Creates from a connect body, checked against the manifest (needed credentials, known settings,
 * URL by the egress rules). id: NULL, or one that nobody has. */
int connection_create(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct provider *p, const struct uuid *id, const json_t *body, struct connection **out,
    struct err *err);
/* Changes name, status, settings, credentials of a locked one by a PATCH body, checked like a new
 * one. One whose own cannot be opened needs all of them anew: ERR_INVALID on "credentials". */
int connection_update(
    struct app *app, struct arena *a, struct connection *c, const json_t *body, struct err *err);
/* One that is not stored yet: active, by the provider's name. id: NULL, or one that nobody has. */
struct connection *connection_new(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct provider *p, const struct uuid *id);
/* Stores it as it is: checked by whoever made it so. */
int connection_write(
    struct app *app, struct arena *a, struct connection *c, bool is_new, struct err *err);
/* Within a transaction: has another account proved that this account at the provider is its own?
 * Nobody can until the end. 1, 0, -1. */
int connection_is_proved_elsewhere(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct provider *p, const char *external, struct err *err);
/* Within the transaction of the change: tells hooks.connection_changed. */
int connection_tell_changed(
    struct app *app, struct arena *a, const struct connection *c, bool is_gone, struct err *err);
/* Removes the row, and with it the credentials; 1, 0, -1. */
int connection_delete(
    struct app *app, const struct uuid *account_id, const struct uuid *id, struct err *err);
struct audit;
/* Notes in the log that a login made it, or gave it new tokens. */
void connection_note_login(
    struct arena *a, struct audit *log, const struct connection *c, bool is_new);
/* How long a changed inbound secret stays good; given for this change, or as configured. */
struct secret_grace {
	bool is_given;
	int64_t us;
};
/* The credentials as they are sealed, with the former ones; and what is opened taken apart again.
 */
json_t *secrets_with_former(struct arena *a, const struct access *c);
void secrets_take_former(struct arena *a, struct access *c);
/* Keeps what the present credentials have replaced among those before for its grace. */
void secrets_change(
    struct arena *a, struct connection *c, const json_t *before, const struct secret_grace *grace);
/* A new secret of senders has SECRET_LEAST characters at least: ERR_INVALID on its field. One that
 * is stored stays as it is. */
int secrets_check(const struct connection *c, const json_t *before, struct err *err);
/* [{credential,until}] of those that are still good; a new reference. */
json_t *secrets_json(const struct access *c);
struct connection_filter {
	struct uuid account_id;
	struct str provider_type;
};
extern const struct list list_of_connections;
/* Newest first, counted, without their credentials; *n of them. s->rows is left alone. */
int connection_list(struct app *app, struct arena *a, const struct connection_filter *f,
    struct slice *s, struct connection ***out, size_t *n, struct err *err);
/* The next question for the connection of that id looks at its row, however fresh the answer is. */
void connection_cache_check(const struct uuid *id);
/* Stores the outcome of a use: last_used, last_error, and a status that turned "error" (the
 * credentials were refused) or "active" (a call works); when nothing else is new, last_used once a
 * minute, or once a second while it fails. is_again: its call failed before, which c, read by
 * another process, may not know yet. The error of a push stands until a push passes, or
 * credentials that were refused are good again: what else works does not say that leads are taken.
 * For connection_call; what comes in is noted by connection_note_received. */
struct connection_use {
	const struct call_result *result;
	bool is_again, is_push;
};
int connection_note_use(struct app *app, struct arena *a, const struct connection *c,
    const struct connection_use *use, struct err *err);
/* How calls sign in where the connection says so, in settings.auth.type (connection-auth.c). */
bool sign_in_is_asked(const struct provider *p);
/* The kinds and what people call them, in the order in which they are asked for; how many. */
size_t sign_in_kinds(const char **types, const char **labels, size_t max);
const char *sign_in_label(const char *type);
/* The kind that a credential is of, or NULL. */
const char *sign_in_of_credential(const char *key);
/* Sets the kind that was not given by the credentials there are; ERR_INVALID where those that were
 * now given would not be sent, or tell of several kinds. given_*: of the body, or NULL. */
int sign_in_settle(struct arena *a, const struct provider *p, const json_t *given_credentials,
    const json_t *given_settings, const json_t *credentials, json_t *settings, struct err *err);
/* What to do about one that cannot be opened (shut), in a sentence without its point; NULL: it is
 * not shut. */
const char *connection_shut_words(const struct connection *c);
/* Why it cannot be tested, in a sentence: nothing can be called, or not without a credential that
 * it does not have. NULL: it can. */
const char *connection_untestable(struct arena *a, const struct connection *c);
/* The account's connections to a provider, but the disabled (connection-request.c). */
int connection_list_usable(
    struct req *r, const struct provider *p, struct connection ***out, size_t *n, struct err *err);
/* The one that ?connectionId= names, else the only one; false: answered, 404 where there is none,
 * 422 where there are several, 409 where it is disabled. */
bool connection_choose(struct req *r, const struct provider *p, struct connection **out);
/* A call within a request keeps its worker from others: so many may wait at a time. false: answered
 * (503). */
bool connection_wait_begin(struct req *r);
void connection_wait_end(struct req *r);
/* A call that failed: problem+json with its class, what to do, and what the provider said. */
int connection_call_problem(
    struct req *r, const struct connection *c, const struct call_result *res);

/* One action run by a person or a program (actions-run.c). Audited before it is called where it
 * changes something. 0 with what came in res, or -1: ERR_INVALID by field where the inputs are
 * wrong. An output of more than `most` bytes is not handed on: CALL_FATAL, which says so. */
int actions_run(struct req *r, const struct connection *c, const struct action *act,
    const json_t *inputs, size_t most, struct call_result *res, struct err *err);
/* Checks credentials and settings against the manifest; ERR_INVALID with field "credentials.x" or
 * "settings.x". given: those settings (or NULL) that somebody now wrote; templates of others are as
 * they were stored, and what uses them copes. */
int connection_check(const struct app *app, const struct provider *p, const json_t *credentials,
    json_t *settings, const json_t *given, struct err *err);
/* The settings alone: of one whose credentials come from elsewhere. */
int connection_check_settings(const struct app *app, const struct provider *p, json_t *settings,
    const json_t *given, struct err *err);
/* Stored credentials do not follow a changed address: where settings lead calls to another origin
 * than before, or have credentials sent in another way, each that is sent must be among those given
 * now; ERR_INVALID on the first that is not. c is as it shall be; before->settings NULL: a new one.
 */
int connection_check_moved(struct arena *a, const struct connection *c, const struct access *before,
    const json_t *given, struct err *err);
/* Credentials go nowhere in plain text: ERR_INVALID on the setting that leads there. */
int connection_check_plain(
    const struct app *app, struct arena *a, const struct connection *c, struct err *err);
/* Adds the "origins" to what the audit log shows, where they differ from those of settings. */
void connection_note_moved(
    struct arena *a, const struct connection *c, json_t *settings, json_t *before, json_t *after);
#endif
