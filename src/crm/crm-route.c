/* What becomes of each lead at each destination: crm-route.h. */
#include "crm/crm-route.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/zone.h"
#include "crm/crm-ledger.h"

#define DAYS_AHEAD_MOST 366

DB_STMT_ROWS(route_leads,
    "SELECT id, provider_type, form_id, ad_id, campaign_id, lead FROM leads WHERE account_id = ?"
    " AND id IN (",
    "?", ")");
enum { ROUTED_ID, ROUTED_PROVIDER, ROUTED_FORM, ROUTED_AD, ROUTED_CAMPAIGN, ROUTED_LEAD };
/* Rows that are counted in are there since the routing was saved. */
DB_STMT_ROWS(route_counts_lock,
    "SELECT connection_id, day, taken, credit, (SELECT settings FROM accounts WHERE id = ?)"
    " FROM route_counts WHERE account_id = ? AND connection_id IN (",
    "?", ") ORDER BY connection_id FOR UPDATE");
enum { COUNTED_CONNECTION, COUNTED_DAY, COUNTED_TAKEN, COUNTED_CREDIT, COUNTED_SETTINGS };
DB_STMT_ROWS(route_counts_put,
    "INSERT INTO route_counts (account_id, connection_id, day, taken, credit) VALUES ",
    "(?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE day = VALUES(day), taken = VALUES(taken), credit = VALUES(credit)");
DB_STMT(route_next_rows, "SELECT id, connection_id FROM lead_deliveries WHERE account_id = ?"
			 " AND lead_id = ? AND route = 'next' FOR UPDATE");
DB_STMT(route_take_turn,
    "UPDATE lead_deliveries SET status = '" DELIVERY_PENDING
    "', route = NULL, reason = ?, next_at = NULL, updated_at = ? WHERE account_id = ? AND id = ?");

/* One deciding. */
struct routing {
	struct delivery_queueing *q;
	struct arena *a;
	struct lead_route *routes; /* of q->to */
	size_t n;
	bool has_rules;          /* any of them */
	const struct zone *zone; /* the account's */
	int64_t now_us;
	/* of the lead in hand: */
	const json_t *lead;
	struct {
		enum route_verdict verdict; /* SEND, WAIT, SKIP */
		bool lacks;
		int64_t at_us;
		const char *reason;
	} * can;
};

bool routes_are_set(const struct delivery_queueing *q)
{
	for (size_t i = 0; i < q->nto; i++)
		if (q->to[i]->routing != NULL ||
		    connection_lacks(q->a, q->to[i], PUSH_ACTION) != NULL)
			return true;
	return false;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* What cannot be read any more holds up nobody: such a destination takes all. */
static struct lead_route route_open(struct arena *a, const struct connection *c)
{
	struct lead_route r = {.c = c, .weight = 1}, none = r;
	struct err err = ERR_INIT;
	struct loader l = route_loader(a, &err);
	const json_t *v =
	    c->routing == NULL ? NULL : json_parse_stored(a, str_from(c->routing), NULL);

	return v == NULL || route_compile(&l, v, &r) == -1 ? none : r;
}

static bool route_counts(const struct lead_route *r)
{
	return r->limit > 0 || (r->group != NULL && r->mode == ROUTE_WEIGHTED);
}

static int routing_lock_counts(struct routing *g, struct err *err)
{
	struct db_val ids[LIMIT_DB_BATCH];
	const struct uuid *account = &g->q->account_id;
	struct db_rows rows;
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		if (route_counts(&g->routes[i]))
			ids[n++] = db_uuid(&g->routes[i].c->id);
	if (n == 0)
		return 0;
	if (db_query_rows(g->q->app->db, g->a, &route_counts_lock,
		DB_VALS(db_uuid(account), db_uuid(account)), ids, n, 1, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < g->n; i++) {
		size_t k = db_find_uuid(&rows, COUNTED_CONNECTION, &g->routes[i].c->id);

		if (k == rows.count)
			continue;
		g->routes[i].day = db_get_int(&rows, k, COUNTED_DAY);
		g->routes[i].taken = db_get_int(&rows, k, COUNTED_TAKEN);
		g->routes[i].credit = db_get_int(&rows, k, COUNTED_CREDIT);
	}
	if (rows.count > 0) {
		const json_t *settings =
		    json_parse_stored(g->a, db_get_str(&rows, 0, COUNTED_SETTINGS), NULL);

		g->zone = zone_find(str_from(json_str(settings, "zone")));
	}
	return 0;
}

static int routing_store_counts(const struct routing *g, struct err *err)
{
	struct db_val *v = arena_alloc(g->a, g->n * 5 * sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		const struct lead_route *r = &g->routes[i];
		struct db_val row[5] = {db_uuid(&g->q->account_id), db_uuid(&r->c->id),
		    db_int(r->day), db_int(r->taken), db_int(r->credit)};

		if (r->has_changed)
			memcpy(v + 5 * n++, row, sizeof(row));
	}
	return n == 0 ? 0
		      : db_exec_rows_later(
			    g->q->app->db, &route_counts_put, v, n, 5, ERR_CONFLICT, err);
}

static const json_t *lead_read(struct arena *a, const struct db_rows *rows, size_t i)
{
	static const struct {
		const char *name;
		size_t column;
	} texts[] = {{"providerType", ROUTED_PROVIDER}, {"formId", ROUTED_FORM},
	    {"adId", ROUTED_AD}, {"campaignId", ROUTED_CAMPAIGN}};
	json_t *lead = json_parse_stored(a, db_get_str(rows, i, ROUTED_LEAD), NULL);

	for (size_t k = 0; lead != NULL && k < sizeof(texts) / sizeof(texts[0]); k++)
		if (!db_is_null(rows, i, texts[k].column))
			json_set_str(lead, texts[k].name, db_get_text(rows, i, texts[k].column));
	return lead;
}

/* ---- can it take the lead?
 * ----------------------------------------------------------------------- */

static void can_be(
    struct routing *g, size_t i, enum route_verdict verdict, int64_t at_us, const char *reason)
{
	g->can[i].verdict = verdict;
	g->can[i].lacks = false;
	g->can[i].at_us = at_us;
	g->can[i].reason = reason;
}

/* The first of its conditions that holds; nwhen: none does. */
static size_t route_holds(const struct lead_route *r, struct routing *g)
{
	struct scope s = {.a = g->a};
	const char *source = json_str(g->lead, "providerType");
	size_t i = 0;

	s.slot[ROUTE_LEAD].json = JSON_ITER(g->lead);
	while (i < r->nwhen && !((r->when[i].source == NULL ||
				     (source != NULL && strcmp(source, r->when[i].source) == 0)) &&
				   cond_holds(r->when[i].cond, &s)))
		i++;
	return i;
}

static const char *route_why(struct routing *g, const struct lead_route *r, size_t held)
{
	if (r->nwhen == 0)
		return "Every lead goes there";
	if (r->when[held].words != NULL)
		return arena_printf(g->a, "Its condition holds: %s", r->when[held].words);
	return r->when[held].source == NULL
		   ? "Every lead goes there"
		   : arena_printf(g->a, "Leads from %s go there", r->when[held].source);
}

static const char *time_words(struct routing *g, const struct zone *zone, int64_t at_us)
{
	struct civil c;

	clock_civil(zone_local_us(zone, at_us), &c);
	return arena_printf(g->a, "%04d-%02d-%02d %02d:%02d (%s)", c.year, c.month, c.day, c.hour,
	    c.minute, zone_name(zone));
}

static int64_t day_of(const struct routing *g, int64_t at_us)
{
	return clock_day(zone_local_us(g->zone, at_us));
}

/* The day whose count a lead of that time goes into, and whether there is room on it. */
static int64_t cap_day(const struct routing *g, const struct lead_route *r, int64_t at_us)
{
	int64_t day = day_of(g, at_us);

	if (r->day < day)
		return day;
	return r->day + (r->taken >= r->limit);
}

static void route_ask_rules(struct routing *g, size_t i)
{
	const struct lead_route *r = &g->routes[i];
	size_t held = route_holds(r, g);
	int64_t at_us = g->now_us, day;
	const char *why;

	if (r->nwhen > 0 && held == r->nwhen)
		return can_be(g, i, ROUTE_SKIP, 0, "None of its conditions holds for this lead");
	why = g->has_rules ? route_why(g, r, held) : NULL;
	if (!route_is_open(r, at_us)) {
		if (!r->hours.waits)
			return can_be(
			    g, i, ROUTE_SKIP, 0, "It came outside the hours of this destination");
		at_us = route_next_open_us(r, at_us);
		why = arena_printf(g->a, "%s. It came outside its hours, which begin %s", why,
		    time_words(g, r->hours.zone, at_us));
	}
	day = r->limit > 0 ? cap_day(g, r, at_us) : 0;
	if (r->limit > 0 && day > day_of(g, at_us)) {
		if (!r->cap_waits || day > day_of(g, g->now_us) + DAYS_AHEAD_MOST)
			return can_be(g, i, ROUTE_SKIP, 0,
			    arena_printf(g->a, "It had its %lld lead%s of the day",
				(long long)r->limit, plural_s(r->limit)));
		at_us = zone_instant_us(g->zone, day * DAY_US);
		if (r->hours.is_set)
			at_us = route_next_open_us(r, at_us);
		why = arena_printf(g->a, "%s. It had its %lld lead%s of the day, and waits for %s",
		    why, (long long)r->limit, plural_s(r->limit), time_words(g, g->zone, at_us));
	}
	can_be(g, i, at_us > g->now_us ? ROUTE_WAIT : ROUTE_SEND, at_us, why);
}

static void route_look(struct routing *g, size_t i)
{
	const char *lacks = g->routes[i].lacks;

	route_ask_rules(g, i);
	if (lacks == NULL || g->can[i].verdict == ROUTE_SKIP)
		return;
	can_be(g, i, ROUTE_SKIP, 0,
	    arena_printf(g->a, "It has no %s, so leads cannot be sent there", lacks));
	g->can[i].lacks = true;
}

/* It is given the lead. */
static void route_count(struct routing *g, size_t i)
{
	struct lead_route *r = &g->routes[i];
	int64_t day;

	if (r->limit == 0)
		return;
	day = cap_day(g, r, g->can[i].at_us);
	r->taken = day == r->day ? r->taken + 1 : 1;
	r->day = day;
	r->has_changed = true;
}

/* ---- groups
 * -------------------------------------------------------------------------------------- */

static bool is_in_group(const struct lead_route *r, const char *group)
{
	return r->group != NULL && strcmp(r->group, group) == 0;
}

/* The best of the group by place: who can now, else who can soonest; n: nobody. */
static size_t group_first(const struct routing *g, const char *group)
{
	size_t best = g->n;

	for (size_t i = 0; i < g->n; i++) {
		if (!is_in_group(&g->routes[i], group) || g->can[i].verdict == ROUTE_SKIP)
			continue;
		if (best == g->n || g->can[i].at_us < g->can[best].at_us ||
		    (g->can[i].at_us == g->can[best].at_us &&
			g->routes[i].place < g->routes[best].place))
			best = i;
	}
	return best;
}

/* Smooth turns among those who can now, or else among those who can later. */
static size_t group_turn(struct routing *g, const char *group)
{
	enum route_verdict who = ROUTE_WAIT;
	int64_t sum = 0;
	size_t best = g->n;

	for (size_t i = 0; i < g->n; i++)
		if (is_in_group(&g->routes[i], group) && g->can[i].verdict == ROUTE_SEND)
			who = ROUTE_SEND;
	for (size_t i = 0; i < g->n; i++) {
		struct lead_route *r = &g->routes[i];

		if (!is_in_group(r, group) || g->can[i].verdict != who)
			continue;
		sum += r->weight;
		r->credit += r->weight;
		r->has_changed = true;
		if (best == g->n || r->credit > g->routes[best].credit ||
		    (r->credit == g->routes[best].credit && r->place < g->routes[best].place))
			best = i;
	}
	if (best < g->n)
		g->routes[best].credit -= sum;
	return best;
}

static void group_decide(
    struct routing *g, size_t member, const bool *has, bool is_anew, struct route_decision *out)
{
	const struct lead_route *of = &g->routes[member];
	size_t chosen = !is_anew                  ? g->n
			: of->mode == ROUTE_FIRST ? group_first(g, of->group)
						  : group_turn(g, of->group);

	for (size_t i = 0; i < g->n; i++) {
		const char *name = chosen == g->n ? NULL : g->routes[chosen].c->name;

		if (!is_in_group(&g->routes[i], of->group) || has[i])
			continue;
		out[i] = (struct route_decision){
		    g->can[i].verdict, g->can[i].at_us, false, g->can[i].reason};
		if (i == chosen) {
			route_count(g, i);
			out[i].reason = arena_printf(g->a,
			    of->mode == ROUTE_FIRST ? "%s. It is the first of “%s” that takes it"
						    : "%s. It was its turn in “%s”",
			    g->can[i].reason, of->group);
		} else if (g->can[i].verdict != ROUTE_SKIP) {
			out[i].verdict =
			    of->mode == ROUTE_FIRST && name != NULL ? ROUTE_NEXT : ROUTE_SKIP;
			out[i].reason =
			    name == NULL
				? arena_printf(g->a, "“%s” had decided on it before", of->group)
			    : of->mode == ROUTE_FIRST
				? arena_printf(g->a, "%s takes it first, in “%s”", name, of->group)
				: arena_printf(
				      g->a, "It was the turn of %s, in “%s”", name, of->group);
		}
	}
}

/* ---- all of it
 * ------------------------------------------------------------------------------------- */

static bool group_is_before(const struct routing *g, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (is_in_group(&g->routes[k], g->routes[i].group))
			return true;
	return false;
}

/* A lead that has rows was decided on before: what has come since gets it, but no turn. */
static void lead_decide(struct routing *g, const bool *has, struct route_decision *out)
{
	bool is_anew = true;

	for (size_t i = 0; i < g->n; i++) {
		is_anew = is_anew && !has[i];
		route_look(g, i);
	}
	for (size_t i = 0; i < g->n; i++) {
		const struct lead_route *r = &g->routes[i];

		if (r->group != NULL && r->mode != ROUTE_ALL) {
			if (!group_is_before(g, i))
				group_decide(g, i, has, is_anew, out);
			continue;
		}
		if (has[i])
			continue;
		out[i] = (struct route_decision){
		    g->can[i].verdict, g->can[i].at_us, g->can[i].lacks, g->can[i].reason};
		if (out[i].verdict != ROUTE_SKIP)
			route_count(g, i);
	}
}

int route_decide(struct delivery_queueing *q, const struct lead_sync *leads, size_t n,
    const bool *has, struct route_decision *out, struct err *err)
{
	struct routing g = {.q = q,
	    .a = q->a,
	    .n = q->nto,
	    .now_us = clock_now_us(),
	    .routes = arena_array(q->a, q->nto, sizeof(struct lead_route)),
	    .can = arena_zalloc(q->a, q->nto * sizeof(*g.can))};
	struct db_val ids[LIMIT_DB_BATCH];
	struct db_rows rows;

	for (size_t i = 0; i < g.n; i++) {
		g.routes[i] = route_open(q->a, q->to[i]);
		g.routes[i].lacks = connection_lacks(q->a, q->to[i], PUSH_ACTION);
		g.has_rules = g.has_rules || q->to[i]->routing != NULL;
	}
	for (size_t i = 0; i < n; i++)
		ids[i] = db_uuid(&leads[i].lead_id);
	if (db_query_rows(q->app->db, q->a, &route_leads, DB_VALS(db_uuid(&q->account_id)), ids, n,
		1, &rows, err) == -1 ||
	    routing_lock_counts(&g, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t k = db_find_uuid(&rows, ROUTED_ID, &leads[i].lead_id);

		g.lead = k == rows.count ? NULL : lead_read(q->a, &rows, k);
		lead_decide(&g, has + i * q->nto, out + i * q->nto);
	}
	return routing_store_counts(&g, err);
}

/* ---- the next in turn
 * ------------------------------------------------------------------------------ */

/* The row of the member behind `from`; rows.count: there is none. */
static size_t next_in_turn(struct arena *a, const struct db_rows *rows,
    struct connection *const *to, size_t nto, const struct lead_route *from,
    const struct connection **out)
{
	size_t best = rows->count;
	int64_t place = INT64_MAX;

	for (size_t i = 0; i < nto; i++) {
		struct lead_route r = route_open(a, to[i]);
		size_t k = db_find_uuid(rows, 1, &to[i]->id);

		if (k == rows->count || !is_in_group(&r, from->group) || r.place <= from->place ||
		    r.place >= place)
			continue;
		best = k;
		place = r.place;
		*out = to[i];
	}
	return best;
}

int route_pass_on(struct app *app, struct arena *a, const struct delivery *d,
    const struct connection *from, struct err *err)
{
	struct lead_route of = route_open(a, from);
	const struct connection *next = NULL;
	struct connection **to;
	struct db_rows rows;
	size_t nto, k;
	struct uuid id;

	if (of.group == NULL || of.mode != ROUTE_FIRST)
		return 0;
	if (db_query(app->db, a, &route_next_rows,
		DB_VALS(db_uuid(&d->account_id), db_uuid(&d->lead_id)), &rows, err) == -1 ||
	    connection_list_capable(app, a, &d->account_id, "crm_push", &to, &nto, err) == -1)
		return -1;
	k = next_in_turn(a, &rows, to, nto, &of, &next);
	if (k == rows.count)
		return 0;
	id = db_get_uuid(&rows, k, 0);
	if (db_exec(app->db, &route_take_turn,
		DB_VALS(db_str(arena_printf(
			    a, "%s did not take it, so it is next in “%s”", from->name, of.group)),
		    db_int(clock_now_us()), db_uuid(&d->account_id), db_uuid(&id)),
		NULL, err) == -1)
		return -1;
	return delivery_job_now(app->db, &d->account_id, &id, &next->id, err) == -1 ? -1 : 1;
}
