/* Routing as people set it: all of an account's at once, so that groups agree with their members.
 */
#include "account/audit.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "crm/crm-route.h"

#define GROUPS_MOST 20
#define WEIGHT_MOST 1000

/* Turns begin anew; what is counted of the day stays. */
DB_STMT_ROWS(route_counts_ready,
    "INSERT INTO route_counts (account_id, connection_id, day, taken, credit) VALUES ",
    "(?,?,0,0,0)", " ON DUPLICATE KEY UPDATE credit = 0");

/* ---- read
 * ---------------------------------------------------------------------------------------- */

static json_t *group_of(json_t *groups, const char *name, const char *mode)
{
	json_t *g;
	size_t i;

	json_array_each(groups, i, g)
		if (strcmp(json_str(g, "name"), name) == 0)
			return g;
	g = json_object();
	json_set_str(g, "name", name);
	json_set_str(g, "mode", mode);
	json_set(g, "members", json_array());
	json_array_append_new(groups, g);
	return g;
}

static void group_add_member(
    struct arena *a, json_t *groups, const json_t *group, const struct connection *c)
{
	json_t *members = json_object_get(
		   group_of(groups, json_str(group, "name"), json_str(group, "mode")), "members"),
	       *o = json_object();
	size_t at = 0;

	json_set_str(o, "connectionId", uuid_dup(a, c->id));
	json_set_int(o, "weight", json_int(group, "weight"));
	json_set_int(o, "place", json_int(group, "place"));
	while (at < json_array_size(members) &&
	       json_int(json_array_get(members, at), "place") < json_int(group, "place"))
		at++;
	json_array_insert_new(members, at, o);
}

static void destination_add(struct arena *a, json_t *out, const struct connection *c)
{
	static const char *const keys[] = {"when", "hours", "cap"};
	json_t *o = json_object();
	const json_t *v =
	    c->routing == NULL ? NULL : json_parse_stored(a, str_from(c->routing), NULL);

	json_set_str(o, "connectionId", uuid_dup(a, c->id));
	json_set_str(o, "name", c->name);
	json_set_str(o, "providerType", c->provider_type);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		json_set(o, keys[i], json_deep_copy(json_object_get(v, keys[i])));
	if (json_object_get(v, "when") == NULL)
		json_set(o, "when", json_array());
	json_array_append_new(json_object_get(out, "destinations"), o);
	if (json_object_get(v, "group") != NULL)
		group_add_member(a, json_object_get(out, "groups"), json_object_get(v, "group"), c);
}

static json_t *routing_json(struct arena *a, struct connection *const *to, size_t n)
{
	json_t *out = json_own(a, json_object()), *g, *m;
	size_t i, k;

	json_set(out, "destinations", json_array());
	json_set(out, "groups", json_array());
	for (i = 0; i < n; i++)
		destination_add(a, out, to[i]);
	json_array_each(json_object_get(out, "groups"), i, g)
		json_array_each(json_object_get(g, "members"), k, m)
			json_object_del(m, "place");
	return out;
}

int routing_load(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err)
{
	struct connection **to;
	size_t n;

	if (connection_list_capable(app, a, account_id, "crm_push", &to, &n, err) == -1)
		return -1;
	*out = routing_json(a, to, n);
	return 0;
}

/* ---- checked
 * --------------------------------------------------------------------------------------- */

struct routing_sent {
	struct req *r;
	struct json_reader *in;
	struct connection **to;
	size_t n;
	json_t **route; /* of each; NULL: none */
	json_t *before, *after;
};

static size_t sent_find(const struct routing_sent *s, const char *id)
{
	struct uuid wanted;
	size_t i = 0;

	if (id == NULL || !uuid_parse(str_from(id), &wanted))
		return s->n;
	while (i < s->n && !uuid_eq(s->to[i]->id, wanted))
		i++;
	return i;
}

static json_t *sent_route(struct routing_sent *s, size_t i)
{
	if (s->route[i] == NULL)
		s->route[i] = json_own(s->r->a, json_object());
	return s->route[i];
}

/* The members that say something. */
static bool destination_take(struct routing_sent *s, const json_t *v)
{
	static const char *const keys[] = {
	    "connectionId", "name", "providerType", "when", "hours", "cap", NULL};
	struct loader l = route_loader(s->r->a, NULL);
	struct lead_route route = {.weight = 1};
	size_t i = sent_find(s, json_str(v, "connectionId"));
	bool is_good;

	if (json_read_keys(s->in, v, keys) == -1)
		return false;
	if (i == s->n) {
		(void)json_reader_fail_at(
		    s->in, "connectionId", "is no destination of the account");
		return false;
	}
	l.in = *s->in;
	is_good = route_compile(&l, v, &route) == 0;
	s->in->faults = l.in.faults;
	for (size_t k = 3; is_good && keys[k] != NULL; k++) {
		const json_t *part = json_object_get(v, keys[k]);

		if (part != NULL && !json_is_null(part) &&
		    (!json_is_array(part) || json_array_size(part) > 0))
			json_set(sent_route(s, i), keys[k], json_deep_copy(part));
	}
	return is_good;
}

static bool member_take(struct routing_sent *s, const json_t *v, const json_t *group, size_t place)
{
	static const char *const keys[] = {"connectionId", "weight", NULL};
	const json_t *weight = json_object_get(v, "weight");
	size_t i = sent_find(s, json_str(v, "connectionId"));
	json_t *o;

	if (json_read_keys(s->in, v, keys) == -1)
		return false;
	if (i == s->n || json_object_get(s->route[i], "group") != NULL) {
		(void)json_reader_fail_at(s->in, "connectionId",
		    i == s->n ? "is no destination of the account" : "is in a group already");
		return false;
	}
	if (weight != NULL && !json_is_null(weight) &&
	    (!json_is_integer(weight) || json_integer_value(weight) < 1 ||
		json_integer_value(weight) > WEIGHT_MOST)) {
		(void)json_reader_fail_at(
		    s->in, "weight", "must be a whole number from 1 to %d", WEIGHT_MOST);
		return false;
	}
	o = json_object();
	json_set_str(o, "name", json_str(group, "name"));
	json_set_str(o, "mode", json_str(group, "mode"));
	json_set_int(o, "weight", json_is_integer(weight) ? json_integer_value(weight) : 1);
	json_set_int(o, "place", (int64_t)place);
	json_set(sent_route(s, i), "group", o);
	return true;
}

static bool group_take(struct routing_sent *s, const json_t *v)
{
	struct group_members {
		struct str name;
		const char *mode;
		json_t *members;
	} m = {.mode = NULL};
	static const struct json_member members[] = {
	    {"name", READ_TEXT, .offset = 0, READ_NEEDED, READ_PLAIN, .min = 1, .max = 60},
	    {"mode", READ_WORD, .offset = offsetof(struct group_members, mode), READ_NEEDED,
		.words = route_modes},
	    {"members", READ_LIST, .offset = offsetof(struct group_members, members), READ_NEEDED,
		.min = 1, .max = LIMIT_DB_BATCH}};
	bool is_good = json_read_members(s->in, v, JSON_MEMBERS(members), &m) == 0;
	size_t mark = json_reader_enter(s->in, "members"), i;
	const json_t *one;

	json_array_each(is_good ? m.members : NULL, i, one) {
		size_t at = json_reader_enter_index(s->in, i);

		is_good = member_take(s, one, v, i) && is_good;
		json_reader_leave(s->in, at);
	}
	json_reader_leave(s->in, mark);
	return is_good;
}

static bool names_differ(const struct routing_sent *s, const json_t *groups)
{
	const json_t *x, *y;
	size_t i, k;

	json_array_each(groups, i, x)
		json_array_each(groups, k, y)
			if (k < i && json_str(x, "name") != NULL && json_str(y, "name") != NULL &&
			    strcmp(json_str(x, "name"), json_str(y, "name")) == 0) {
				size_t at = json_reader_enter_index(s->in, i);

				(void)json_reader_fail_at(
				    s->in, "name", "another group has this name");
				json_reader_leave(s->in, at);
				return false;
			}
	return true;
}

static bool list_take(struct routing_sent *s, const json_t *doc, const char *key, size_t most,
    bool take(struct routing_sent *, const json_t *))
{
	const json_t *list = json_object_get(doc, key), *v;
	size_t mark = json_reader_enter(s->in, key), i;
	bool is_good = true;

	if (list != NULL && (!json_is_array(list) || json_array_size(list) > most)) {
		(void)json_reader_fail(s->in, "must be a list of at most %zu", most);
		is_good = false;
	}
	json_array_each(is_good ? list : NULL, i, v) {
		size_t at = json_reader_enter_index(s->in, i);

		is_good = take(s, v) && is_good;
		json_reader_leave(s->in, at);
	}
	if (is_good && strcmp(key, "groups") == 0)
		is_good = names_differ(s, list);
	json_reader_leave(s->in, mark);
	return is_good;
}

/* ---- stored
 * ------------------------------------------------------------------------------------------ */

static int routing_save_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct routing_sent *s = arg;
	struct arena *a = s->r->a;
	const struct uuid *account = &s->r->actor.account_id;
	struct db_val *v = arena_alloc(a, (2 * s->n + 1) * sizeof(*v));

	for (size_t i = 0; i < s->n; i++) {
		struct str text =
		    s->route[i] == NULL ? (struct str){NULL, 0} : json_text(a, s->route[i]);

		v[2 * i] = db_uuid(account);
		v[2 * i + 1] = db_uuid(&s->to[i]->id);
		if (connection_set_routing(db, account, &s->to[i]->id, text, err) == -1)
			return -1;
	}
	if (s->n > 0 && db_exec_rows(db, &route_counts_ready, NULL, 0, v, s->n, 2, NULL, err) == -1)
		return -1;
	audit_note(log, "routing.save", "account", account, NULL, s->before, s->after);
	return 0;
}

bool routing_save(struct req *r, struct json_reader *in, const json_t *doc, struct err *err)
{
	static const char *const keys[] = {"destinations", "groups", NULL};
	struct routing_sent s = {.r = r, .in = in};
	bool is_good;

	if (connection_list_capable(
		r->app, r->a, &r->actor.account_id, "crm_push", &s.to, &s.n, err) == -1)
		return false;
	if (s.n > LIMIT_DB_BATCH)
		s.n = LIMIT_DB_BATCH;
	s.route = arena_array(r->a, s.n + 1, sizeof(*s.route));
	s.before = routing_json(r->a, s.to, s.n);
	if (json_read_keys(in, doc, keys) == -1)
		return false;
	is_good = list_take(&s, doc, "destinations", LIMIT_DB_BATCH, destination_take);
	if (!list_take(&s, doc, "groups", GROUPS_MOST, group_take) || !is_good)
		return false;
	for (size_t i = 0; i < s.n; i++)
		s.to[i]->routing = s.route[i] == NULL ? NULL : json_text(r->a, s.route[i]).p;
	s.after = routing_json(r->a, s.to, s.n);
	return audit_change(r->app, r, &r->actor.account_id, routing_save_body, &s, err) == 0;
}
