/* Requests in the event log, and people who are to be erased. A request that brought one thing is
 * that person's, and its body goes whole; of one that brought several, what is theirs is cut out of
 * its lists. That it came, when, and what was made of it stays. */
#include "base/inflate.h"
#include "base/limits.h"
#include "intake/erase.h"
#include "intake/intake-internal.h"

DB_STMT(event_forget_lock,
    "SELECT items, taken, url, headers, body FROM events WHERE account_id = ? AND id = ?"
    " FOR UPDATE");
enum { FORGET_ITEMS, FORGET_TAKEN, FORGET_URL, FORGET_HEADERS, FORGET_BODY };
DB_STMT(event_forget_put,
    "UPDATE events SET url = ?, headers = ?, body = ?, reason = ? WHERE account_id = ? AND id = ?");
DB_STMT(event_personal_rows,
    "SELECT id, url, headers, body, reason FROM events FORCE INDEX (events_account)"
    " WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?");
static int event_row_erase(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str key, const struct person_names *p, struct err *err)
{
	struct uuid id = personal_key_id(key);

	return event_forget(app, a, account_id, &id, p, err);
}

const struct personal_table events_personal_table = {.name = "events",
    .label = "Requests in the event log",
    .next = &event_personal_rows,
    .erase = event_row_erase,
    .forms = {PERSONAL_TEXT, PERSONAL_TEXT, PERSONAL_JSON, PERSONAL_TEXT}};

DB_STMT(polls_personal,
    "SELECT CAST(CONCAT(connection_id, name) AS BINARY), last_error, note FROM polls"
    " WHERE account_id = ? AND CAST(CONCAT(connection_id, name) AS BINARY) > ? ORDER BY 1 LIMIT ?");
DB_STMT(polls_personal_lock, "SELECT last_error, note FROM polls WHERE account_id = ?"
			     " AND CAST(CONCAT(connection_id, name) AS BINARY) = ? FOR UPDATE");
DB_STMT(polls_personal_put, "UPDATE polls SET last_error = ?, note = ? WHERE account_id = ?"
			    " AND CAST(CONCAT(connection_id, name) AS BINARY) = ?");
const struct personal_table polls_personal_table = {.name = "polls",
    .label = "Polls",
    .next = &polls_personal,
    .lock = &polls_personal_lock,
    .put = &polls_personal_put,
    .forms = {PERSONAL_TEXT, PERSONAL_TEXT}};

#define ERASED_REASON "Erased on request"

/* A header's value; {NULL,0} where it has none. */
static struct str header_of_lines(struct str lines, struct str name)
{
	struct str line, key;

	while (str_split(&lines, '\n', &line))
		if (str_split(&line, ':', &key) && str_ieq(str_trim(key), name))
			return str_trim(line);
	return (struct str){NULL, 0};
}

static struct str headers_without(struct arena *a, struct str lines, struct str name)
{
	struct buf *b = buf_new(a, lines.n + 1);
	struct str line;

	while (str_split(&lines, '\n', &line)) {
		struct str rest = line, key;

		if (line.n == 0 || (str_split(&rest, ':', &key) && str_ieq(str_trim(key), name)))
			continue;
		buf_add(b, line.p, line.n);
		buf_chr(b, '\n');
	}
	return (struct str){b->len == 0 ? "" : b->p, b->len};
}

/* The body behind its coding, and the headers without it: false where it cannot be had. */
static bool body_decode(struct arena *a, struct str *headers, struct str *body)
{
	struct str coding = header_of_lines(*headers, STR("content-encoding"));
	struct err err = ERR_INIT;

	if (coding_is_none(coding))
		return true;
	if (!coding_is_known(coding) ||
	    coding_undo(a, coding, *body, LIMIT_BODY_WEBHOOK_MOST, body, &err) == -1)
		return false;
	*headers = headers_without(a, *headers, STR("content-encoding"));
	return true;
}

/* What is left of the body of a request of several. */
static struct str body_cut(struct arena *a, const struct person_names *p, struct str body)
{
	struct err err = ERR_INIT;
	json_t *value = json_parse_stored(a, body, &err);

	if (value == NULL)
		return person_scrub(a, p, body);
	if (person_cut_items(a, p, value) == 0)
		value = person_scrub_json(a, p, value);
	return json_text(a, value);
}

static struct str url_without_query(struct str url)
{
	const char *query = url.n == 0 ? NULL : memchr(url.p, '?', url.n);

	return query == NULL ? url : (struct str){url.p, (size_t)(query - url.p)};
}

int event_forget(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, const struct person_names *p, struct err *err)
{
	struct str url, headers, sent, body;
	struct db_rows rows;
	const char *reason = ERASED_REASON;
	int found = db_row(
	    app->db, a, &event_forget_lock, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	url = url_without_query(db_get_str(&rows, 0, FORGET_URL));
	headers = person_scrub(a, p, db_get_str(&rows, 0, FORGET_HEADERS));
	sent = body = db_get_str(&rows, 0, FORGET_BODY);
	if (str_is(sent, PERSON_ERASED_JSON))
		return 0;
	if (db_get_int(&rows, 0, FORGET_ITEMS) <= 1 && db_get_int(&rows, 0, FORGET_TAKEN) <= 1)
		body = STR(PERSON_ERASED_JSON);
	else if (body_decode(a, &headers, &body))
		body = body_cut(a, p, body);
	else
		body = STR(PERSON_ERASED_JSON);
	return db_exec(app->db, &event_forget_put,
		   DB_VALS(db_strn(url), db_strn(headers), db_blob(body), db_str(reason),
		       db_uuid(account_id), db_uuid(id)),
		   NULL, err) == -1
		   ? -1
		   : !str_eq(body, sent);
}
