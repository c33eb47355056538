#include "lead/lead-duplicate.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"

enum { RULE_MATCH, RULE_DAYS, RULE_HOLDS };
DB_STMT(lead_rule_get, "SELECT match_by, days, holds FROM lead_rules WHERE account_id = ?");
DB_STMT(lead_rule_put,
    "INSERT INTO lead_rules (account_id, match_by, days, holds, updated_at) VALUES (?,?,?,?,?)"
    " ON DUPLICATE KEY UPDATE match_by = VALUES(match_by), days = VALUES(days),"
    " holds = VALUES(holds), updated_at = VALUES(updated_at)");
/* Either way the rows are held until the end of the transaction. */
DB_STMT_ROWS(lead_firsts_claim,
    "INSERT INTO lead_firsts (account_id, key_hash, lead_id, at) VALUES ", "(?,?,?,?)",
    " ON DUPLICATE KEY UPDATE at = at");
enum { FIRST_KEY, FIRST_LEAD, FIRST_AT };
DB_STMT_ROWS(lead_firsts_held,
    "SELECT key_hash, lead_id, at FROM lead_firsts FORCE INDEX (PRIMARY)"
    " WHERE account_id = ? AND key_hash IN (",
    "?", ") FOR UPDATE");
DB_STMT(lead_first_move,
    "UPDATE lead_firsts SET lead_id = ?, at = ? WHERE account_id = ? AND key_hash = ?");
DB_STMT(lead_firsts_forget, "DELETE FROM lead_firsts WHERE account_id = ? AND lead_id = ?");
/* Of the time before there was a rule. */
#define BEFORE                                                                                     \
	" AND id <> ? AND stage = '" LEAD_READY "' AND duplicate_of IS NULL AND received_at >= ?"  \
	" AND received_at <= ? ORDER BY received_at, id LIMIT 1"
DB_STMT(lead_before_email, "SELECT id, received_at FROM leads FORCE INDEX (leads_email)"
			   " WHERE account_id = ? AND email = ?" BEFORE);
DB_STMT(lead_before_phone, "SELECT id, received_at FROM leads FORCE INDEX (leads_phone)"
			   " WHERE account_id = ? AND phone_number = ?" BEFORE);

const char *const lead_rule_matches[] = {"none", "email", "phone", "either", NULL};

/* ---- the rule -------------------------------------------------------------------------------- */

static const char *match_of(struct str text)
{
	for (size_t i = 0; lead_rule_matches[i] != NULL; i++)
		if (str_is(text, lead_rule_matches[i]))
			return lead_rule_matches[i];
	return lead_rule_matches[0];
}

static bool rule_is_on(const struct lead_rule_set *rule)
{
	return rule->match != lead_rule_matches[0];
}

int lead_rule_load(struct db *db, struct arena *a, const struct uuid *account_id,
    struct lead_rule_set *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(db, a, &lead_rule_get, DB_VALS(db_uuid(account_id)), &rows, err);

	*out = (struct lead_rule_set){.match = lead_rule_matches[0], .days = 30, .holds = true};
	if (found == 1)
		*out = (struct lead_rule_set){.match = match_of(db_get_str(&rows, 0, RULE_MATCH)),
		    .days = db_get_int(&rows, 0, RULE_DAYS),
		    .holds = db_get_int(&rows, 0, RULE_HOLDS) != 0};
	return found == -1 ? -1 : 0;
}

static json_t *rule_json(struct arena *a, const struct lead_rule_set *rule)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "match", rule->match);
	json_set_int(o, "days", rule->days);
	json_set_bool(o, "holdBack", rule->holds);
	return o;
}

struct rule_saving {
	struct req *r;
	const struct lead_rule_set *rule;
};

static int rule_save_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct rule_saving *s = arg;
	const struct uuid *account_id = &s->r->actor.account_id;
	struct lead_rule_set before;

	if (lead_rule_load(db, s->r->a, account_id, &before, err) == -1 ||
	    db_exec(db, &lead_rule_put,
		DB_VALS(db_uuid(account_id), db_str(s->rule->match), db_int(s->rule->days),
		    db_int(s->rule->holds), db_int(clock_now_us())),
		NULL, err) == -1)
		return -1;
	audit_note(log, "lead.rule", "account", account_id, NULL, rule_json(s->r->a, &before),
	    rule_json(s->r->a, s->rule));
	return 0;
}

int lead_rule_save(struct req *r, const struct lead_rule_set *rule, struct err *err)
{
	struct rule_saving s = {r, rule};

	return audit_change(r->app, r, &r->actor.account_id, rule_save_body, &s, err);
}

/* Read for each commit of leads, changed once in a blue moon. */
#define RULES_KEPT 64

static int rule_recent(struct app *app, struct arena *a, const struct uuid *account_id,
    struct lead_rule_set *out, struct err *err)
{
	static struct kept_rule {
		struct uuid account_id;
		uint64_t generation;
		int64_t until_us;
		struct lead_rule_set rule;
	} kept[RULES_KEPT];
	struct kept_rule *k = &kept[account_id->b[sizeof(account_id->b) - 1] % RULES_KEPT];
	uint64_t generation = audit_caches_generation(app);
	int64_t now_us = clock_mono_us();

	if (!uuid_eq(k->account_id, *account_id) || k->generation != generation ||
	    now_us >= k->until_us) {
		k->until_us = 0;
		if (lead_rule_load(app->db, a, account_id, &k->rule, err) == -1)
			return -1;
		k->account_id = *account_id;
		k->generation = generation;
		k->until_us = now_us + CACHE_TTL_US;
	}
	*out = k->rule;
	return 0;
}

/* ---- who is first ---------------------------------------------------------------------------- */

/* An email or a number of a lead. */
struct person_key {
	struct uuid hash;
	struct lead_row *row;
	bool is_email, is_first; /* is_first: nobody had it before */
	struct str text;
};
struct finding {
	struct app *app;
	struct arena *a;
	const struct lead_rule_set *rule;
	struct person_key *keys;
	size_t n, from; /* from: those of the kind at hand */
};

static void key_add(struct finding *f, struct lead_row *row, bool is_email, struct str text)
{
	if (text.n == 0)
		return;
	f->keys[f->n++] =
	    (struct person_key){.hash = uuid_named(is_email ? "lead.email" : "lead.phone", text),
		.row = row,
		.is_email = is_email,
		.text = text};
}

/* Keys in one order everywhere, so that no two wait for each other; of one key the lead that came
 * first. */
static int key_compare(const void *x, const void *y)
{
	const struct person_key *a = x, *b = y;
	int order = memcmp(&a->hash, &b->hash, sizeof(a->hash));

	if (order != 0)
		return order;
	if (a->row->received_us != b->row->received_us)
		return a->row->received_us < b->row->received_us ? -1 : 1;
	return memcmp(&a->row->id, &b->row->id, sizeof(a->row->id));
}

/* Keys of a kind, behind those that there are. */
static void keys_collect(struct finding *f, struct lead_row *const *rows, size_t n, bool is_email)
{
	f->from = f->n;
	for (size_t i = 0; i < n; i++)
		key_add(f, rows[i], is_email,
		    is_email ? lead_column(rows[i]->lead, "email", LIMIT_EMAIL_BYTES)
			     : lead_column(rows[i]->lead, "phoneNumber", 64));
	qsort(f->keys + f->from, f->n - f->from, sizeof(*f->keys), key_compare);
}

static int keys_claim(struct finding *f, struct db_rows *held, struct err *err)
{
	struct db *db = f->app->db;
	struct db_val v[4 * LIMIT_DB_BATCH], hashes[LIMIT_DB_BATCH];
	const struct uuid *account_id = &f->keys[f->from].row->account_id;
	size_t n = 0;

	for (size_t i = f->from; i < f->n; i++) {
		const struct person_key *k = &f->keys[i];
		struct db_val row[4] = {db_uuid(account_id), db_uuid(&k->hash),
		    db_uuid(&k->row->id), db_int(k->row->received_us)};

		if (i > f->from && uuid_eq(k->hash, f->keys[i - 1].hash))
			continue;
		hashes[n] = db_uuid(&k->hash);
		memcpy(v + 4 * n++, row, sizeof(row));
	}
	if (db_exec_rows_later(db, &lead_firsts_claim, v, n, 4, ERR_CONFLICT, err) == -1)
		return -1;
	return db_query_rows(
	    db, f->a, &lead_firsts_held, DB_VALS(db_uuid(account_id)), hashes, n, 1, held, err);
}

/* A lead of before there was a row for its email or number: 1 with it, 0, -1. */
static int key_look_before(struct finding *f, const struct person_key *k, struct uuid *first,
    int64_t *at_us, struct err *err)
{
	int64_t span_us = f->rule->days * 86400 * SECOND_US;
	struct db_rows rows;
	int found = db_row(f->app->db, f->a, k->is_email ? &lead_before_email : &lead_before_phone,
	    DB_VALS(db_uuid(&k->row->account_id), db_strn(k->text), db_uuid(&k->row->id),
		db_int(k->row->received_us - span_us), db_int(k->row->received_us)),
	    &rows, err);

	if (found == 1) {
		*first = db_get_uuid(&rows, 0, 0);
		*at_us = db_get_int(&rows, 0, 1);
	}
	return found;
}

static int key_move(struct finding *f, const struct person_key *k, const struct uuid *lead,
    int64_t at_us, struct err *err)
{
	return db_exec(f->app->db, &lead_first_move,
	    DB_VALS(db_uuid(lead), db_int(at_us), db_uuid(&k->row->account_id), db_uuid(&k->hash)),
	    NULL, err);
}

/* The email counts before the number, which families and firms share. */
static void row_link(struct finding *f, const struct person_key *k, struct uuid first)
{
	if (!uuid_is_nil(k->row->duplicate_of) && !k->is_email)
		return;
	k->row->duplicate_of = first;
	k->row->duplicate_by = k->is_email ? "email" : "phone";
	k->row->is_held = f->rule->holds;
}

/* The keys of one email or number, from *i on. */
static int keys_of_one(struct finding *f, const struct db_rows *held, size_t *i, struct err *err)
{
	const struct person_key *k = &f->keys[*i];
	size_t row = db_find_uuid(held, FIRST_KEY, &k->hash);
	int64_t span_us = f->rule->days * 86400 * SECOND_US, at_us;
	struct uuid first;

	if (row == held->count)
		return err_set(err, ERR_RETRY, "a row of who was first vanished");
	first = db_get_uuid(held, row, FIRST_LEAD);
	at_us = db_get_int(held, row, FIRST_AT);
	if (uuid_eq(first, k->row->id)) {
		int found = key_look_before(f, k, &first, &at_us, err);

		if (found == -1 || (found == 1 && key_move(f, k, &first, at_us, err) == -1))
			return -1;
	}
	for (; *i < f->n && uuid_eq(f->keys[*i].hash, k->hash); ++*i) {
		struct person_key *next = &f->keys[*i];
		int64_t apart_us = next->row->received_us - at_us;

		next->is_first = uuid_eq(next->row->id, first);
		if (next->is_first)
			continue;
		if ((apart_us < 0 ? -apart_us : apart_us) <= span_us) {
			row_link(f, next, first);
			continue;
		}
		next->is_first = true;
		first = next->row->id;
		at_us = next->row->received_us;
		if (key_move(f, next, &first, at_us, err) == -1)
			return -1;
	}
	return 0;
}

/* Who is a duplicate by one key is nobody's first by another: those are of the same person. */
static int keys_follow_first(
    struct finding *f, struct lead_row *const *rows, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n && !uuid_is_nil(rows[i]->duplicate_of); k++)
			if (uuid_eq(rows[k]->id, rows[i]->duplicate_of) &&
			    !uuid_is_nil(rows[k]->duplicate_of) &&
			    !uuid_eq(rows[k]->duplicate_of, rows[i]->id))
				rows[i]->duplicate_of = rows[k]->duplicate_of;
	for (size_t i = 0; i < f->n; i++) {
		const struct person_key *k = &f->keys[i];

		if (k->is_first && !uuid_is_nil(k->row->duplicate_of) &&
		    key_move(f, k, &k->row->duplicate_of, k->row->received_us, err) == -1)
			return -1;
	}
	return 0;
}

static int keys_find(
    struct finding *f, struct lead_row *const *rows, size_t n, bool is_email, struct err *err)
{
	struct db_rows held;

	keys_collect(f, rows, n, is_email);
	if (f->n == f->from)
		return 0;
	if (keys_claim(f, &held, err) == -1)
		return -1;
	for (size_t i = f->from; i < f->n;)
		if (keys_of_one(f, &held, &i, err) == -1)
			return -1;
	return 0;
}

int lead_find_duplicates(
    struct app *app, struct arena *a, struct lead_row *const *rows, size_t n, struct err *err)
{
	struct lead_rule_set rule;
	struct finding f = {
	    .app = app, .a = a, .rule = &rule, .keys = arena_array(a, 2 * n, sizeof(*f.keys))};

	for (size_t i = 0; i < n; i++) {
		rows[i]->duplicate_of = (struct uuid){{0}};
		rows[i]->duplicate_by = NULL;
		rows[i]->is_held = false;
	}
	if (rule_recent(app, a, &rows[0]->account_id, &rule, err) == -1)
		return -1;
	if (rule_is_on(&rule) && strcmp(rule.match, "phone") != 0 &&
	    keys_find(&f, rows, n, true, err) == -1)
		return -1;
	if (rule_is_on(&rule) && strcmp(rule.match, "email") != 0 &&
	    keys_find(&f, rows, n, false, err) == -1)
		return -1;
	return keys_follow_first(&f, rows, n, err);
}

int lead_forget_first(
    struct db *db, const struct uuid *account_id, const struct uuid *lead_id, struct err *err)
{
	return db_exec(
	    db, &lead_firsts_forget, DB_VALS(db_uuid(account_id), db_uuid(lead_id)), NULL, err);
}
