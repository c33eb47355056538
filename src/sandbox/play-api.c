/* The JSON API of the played providers, for tests and scripts. */
#include "base/limits.h"
#include "sandbox/play.h"

#define CALLS_MAX 5000
#define FILL_MAX 100000

int api_calls(struct req *r)
{
	int64_t limit = 100;
	const struct str text = req_query(r, "limit");

	if (text.p != NULL && !str_to_i64(text, 0, CALLS_MAX, &limit))
		return res_problem(r, 422, "limit must be from 0 to %d", CALLS_MAX);
	return res_json(r, 200,
	    play_log_list(sandbox_of(r), r->a, req_query(r, "provider"), req_query(r, "path"),
		(size_t)limit));
}

int api_calls_clear(struct req *r)
{
	struct err err = ERR_INIT;

	return play_log_clear(sandbox_of(r), &err) == -1 ? res_error(r, &err) : res_empty(r, 204);
}

/* A call in the name of the provider in the address; false, and it is answered, when there is
 * none. */
static bool play_of(struct req *r, struct play_call *c)
{
	const struct play *p = play_find(req_param(r, "provider"));
	struct err err = ERR_INIT;

	if (p == NULL)
		res_problem(r, 404, "No such provider is played");
	else if (play_seed_all(sandbox_of(r), &err) == -1)
		res_error(r, &err);
	else
		*c = play_call_inside(sandbox_of(r), r->a, p);
	return c->play != NULL;
}

int api_switches(struct req *r)
{
	struct play_call c = {.play = NULL};

	return play_of(r, &c) ? res_json(r, 200, switches_list(&c)) : 0;
}

int api_switches_put(struct req *r)
{
	struct play_call c = {.play = NULL};
	struct err err = ERR_INIT;
	int rc;

	if (!play_of(r, &c))
		return 0;
	if (!json_is_object(r->json))
		return res_problem(r, 400, "The body must be an object of switches");
	rc = store_lock(c.s->store, &err);
	if (rc == 0) {
		rc = switches_set(&c, r->json, &err);
		store_unlock(c.s->store);
	}
	return rc == -1 ? res_error(r, &err) : res_json(r, 200, switches_list(&c));
}

/* ---- events ------------------------------------------------------------------------------- */

static json_t *play_json_of(const struct play *p)
{
	json_t *events = json_array();

	for (size_t i = 0; i < p->nevents; i++)
		json_array_append_new(events,
		    json_pack("{s:s,s:s}", "name", p->events[i].name, "label", p->events[i].label));
	return json_pack("{s:s,s:s,s:s,s:s,s:o}", "provider", p->name, "label", p->label, "account",
	    p->account, "secret", p->secret, "events", events);
}

int api_events(struct req *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < nplays; i++)
		json_array_append_new(list, play_json_of(plays[i]));
	return res_json(r, 200, json_pack("{s:o}", "data", list));
}

int api_send_event(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *sent = order_send(sandbox_of(r), r->a, r->json, &err);

	return sent != NULL ? res_json(r, 200, sent) : res_error(r, &err);
}

/* ---- rows --------------------------------------------------------------------------------- */

static struct store_kind kind_of(struct req *r, const struct play_call *c)
{
	const struct str kind = req_param(r, "kind");

	return (struct store_kind){c->play->name, arena_strndup(r->a, kind.p, kind.n)};
}

int api_rows(struct req *r)
{
	struct play_call c = {.play = NULL};
	json_t *rows;

	if (!play_of(r, &c))
		return 0;
	rows = json_object();
	for (size_t i = 0; i < store_places(c.s->store, kind_of(r, &c)); i++) {
		const char *id = "";
		json_t *row = store_at(c.s->store, kind_of(r, &c), i, &id);

		if (row != NULL)
			json_object_set(rows, id, row);
	}
	return res_json(r, 200, json_pack("{s:o}", "rows", rows));
}

static const char *number_put(struct arena *a, struct str text, int64_t n)
{
	struct buf *out = buf_new(a, LIMIT_JSON_BYTES);

	while (text.n > 0) {
		if (str_starts(text, "{n}")) {
			buf_printf(out, "%lld", (long long)n);
			text = (struct str){text.p + 3, text.n - 3};
		} else {
			buf_chr(out, *text.p);
			text = (struct str){text.p + 1, text.n - 1};
		}
	}
	return out->p;
}

struct fill {
	int64_t from, count;
	struct str id;
	json_t *row;
};

/* {"fill":{"from","count","id":"c-{n}","row":{…}}}: so many rows with the number for {n}. */
static int rows_fill(struct play_call *c, struct store_kind kind, json_t *body, struct err *err)
{
	static const struct json_member members[] = {
	    {"from", READ_INT, JSON_INTO(struct fill, from), .max = INT64_MAX / 2},
	    {"count", READ_INT, JSON_INTO(struct fill, count), .max = FILL_MAX,
		.need = READ_NEEDED},
	    {"id", READ_TEXT, JSON_INTO(struct fill, id), .need = READ_NEEDED, .max = 200},
	    {"row", READ_OBJECT, JSON_INTO(struct fill, row), .need = READ_NEEDED, .max = 1000}};
	struct json_reader in = {.err = err};
	struct fill fill = {.from = 1};
	struct str text;

	if (json_read_members(&in, body, JSON_MEMBERS(members), &fill) == -1)
		return -1;
	text = json_text(c->a, fill.row);
	for (int64_t n = fill.from; n < fill.from + fill.count; n++) {
		struct arena *a = arena_new();
		json_t *row = json_parse(a, str_from(number_put(a, text, n)), NULL);
		const int rc =
		    store_put(c->s->store, kind, number_put(a, fill.id, n), json_incref(row), err);

		arena_free(a);
		if (rc == -1)
			return -1;
	}
	return 0;
}

/* {"rows":{id: row or null}} */
static int rows_set(struct play_call *c, struct store_kind kind, json_t *rows, struct err *err)
{
	const char *id;
	json_t *row;

	json_object_each(rows, id, row)
		if (store_put(c->s->store, kind, id, json_is_null(row) ? NULL : json_incref(row),
			err) == -1)
			return -1;
	return 0;
}

int api_rows_put(struct req *r)
{
	struct play_call c = {.play = NULL};
	struct err err = ERR_INIT;
	json_t *fill = json_object_get(r->json, "fill");
	int rc;

	if (!play_of(r, &c))
		return 0;
	rc = store_lock(c.s->store, &err);
	if (rc == 0) {
		rc = fill != NULL
			 ? rows_fill(&c, kind_of(r, &c), fill, &err)
			 : rows_set(&c, kind_of(r, &c), json_object_get(r->json, "rows"), &err);
		store_unlock(c.s->store);
	}
	return rc == -1 ? res_error(r, &err) : res_empty(r, 204);
}

int api_reset(struct req *r)
{
	struct err err = ERR_INIT;

	return play_reset(sandbox_of(r), &err) == -1 ? res_error(r, &err) : res_empty(r, 204);
}
