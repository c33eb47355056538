/* The pages of the played providers: what can be sent, what is odd, what was asked. */
#include "base/limits.h"
#include "sandbox/play.h"

#define SHOWN 50

int page_providers(struct req *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < nplays; i++)
		json_array_append_new(
		    list, json_pack("{s:s,s:s,s:I}", "name", plays[i]->name, "label",
			      plays[i]->label, "events", (json_int_t)plays[i]->nevents));
	return sandbox_page(
	    r, 200, "providers", "Send an event", json_pack("{s:o}", "providers", list));
}

static const struct play *play_of_page(struct req *r, struct play_call *c)
{
	struct err err = ERR_INIT;
	const struct play *p = play_find(req_param(r, "provider"));

	if (p == NULL)
		res_problem(r, 404, "No such provider is played");
	else if (play_seed_all(sandbox_of(r), &err) == -1)
		res_error(r, &err);
	else
		*c = play_call_inside(sandbox_of(r), r->a, p);
	return c->play;
}

/* What became of the events that were sent: "3 sent; Connect answered 200." */
static json_t *sent_json(struct req *r)
{
	int64_t sent = 0, status = 0;

	if (!str_to_i64(req_query(r, "sent"), 1, INT64_MAX, &sent))
		return NULL;
	(void)str_to_i64(req_query(r, "status"), 0, 599, &status);
	return json_pack("{s:s,s:s}", "tone", status >= 200 && status < 300 ? "good" : "bad",
	    "text",
	    status == 0 ? "Connect could not be reached."
			: arena_printf(r->a, "%lld sent; Connect answered %lld.", (long long)sent,
			      (long long)status));
}

static int provider_show(struct req *r, struct play_call *c, int status, const char *problem)
{
	const struct play *p = c->play;
	json_t *data = switches_list(c), *events = json_array(), *sent = sent_json(r);

	for (size_t i = 0; i < p->nevents; i++)
		json_array_append_new(events,
		    json_pack("{s:s,s:s}", "name", p->events[i].name, "label", p->events[i].label));
	json_set(data, "events", events);
	json_set_bool(data, "has_events", p->nevents > 0);
	json_set_str(data, "account", p->account);
	if (sent != NULL)
		json_set(data, "sent", sent);
	if (problem != NULL)
		json_set_str(data, "problem", problem);
	return sandbox_page(r, status, "provider", p->label, data);
}

int page_provider(struct req *r)
{
	struct play_call c = {.play = NULL};

	return play_of_page(r, &c) != NULL ? provider_show(r, &c, 200, NULL) : 0;
}

/* The last answer's status; 0 where there was none. */
static int64_t last_status(const json_t *sent)
{
	const json_t *list = json_object_get(sent, "sent");

	return json_int(json_array_get(list, json_array_size(list) - 1), "status");
}

int page_provider_send(struct req *r)
{
	struct play_call c = {.play = NULL};
	struct err err = ERR_INIT;
	json_t *order, *sent;
	int64_t count;

	if (is_foreign_form(r) || play_of_page(r, &c) == NULL)
		return 0;
	if (!str_to_i64(req_form(r, "count"), 1, 1000, &count))
		return provider_show(r, &c, 422, "How many must be a number from 1 to 1000.");
	order = json_own(r->a, json_pack("{s:s,s:I,s:b}", "provider", c.play->name, "count",
				   (json_int_t)count, "app", req_form(r, "app").n > 0));
	json_set_strn(order, "event", req_form(r, "event"));
	sent = order_send(c.s, r->a, order, &err);
	if (sent == NULL)
		return provider_show(r, &c, 422, err.msg);
	json_own(r->a, sent);
	return res_redirect(r, arena_printf(r->a, "/providers/%s?sent=%lld&status=%lld",
				   c.play->name, (long long)count, (long long)last_status(sent)));
}

/* What a form's field says: nothing takes the switch back. */
static json_t *switch_of_form(struct req *r, const json_t *one)
{
	const struct str text = req_form(r, json_str(one, "name"));
	int64_t n;

	if (json_bool(one, "is_flag"))
		return json_boolean(text.n > 0);
	if (text.n == 0)
		return json_null();
	if (strcmp(json_str(one, "kind"), "number") == 0 && str_to_i64(text, 0, INT64_MAX, &n))
		return json_integer(n);
	return json_stringn(text.p, text.n);
}

int page_provider_switches(struct req *r)
{
	struct play_call c = {.play = NULL};
	struct err err = ERR_INIT;
	json_t *values = json_own(r->a, json_object()), *list, *one;
	size_t i;
	int rc;

	if (is_foreign_form(r) || play_of_page(r, &c) == NULL)
		return 0;
	list = json_own(r->a, switches_list(&c));
	json_array_each(json_object_get(list, "switches"), i, one)
		json_set(values, json_str(one, "name"), switch_of_form(r, one));
	rc = store_lock(c.s->store, &err);
	if (rc == 0) {
		rc = switches_set(&c, values, &err);
		store_unlock(c.s->store);
	}
	if (rc == -1)
		return provider_show(r, &c, 422, arena_printf(r->a, "%s %s.", err.field, err.msg));
	return res_redirect(r, arena_printf(r->a, "/providers/%s", c.play->name));
}

int page_calls(struct req *r)
{
	const struct str provider = req_query(r, "provider");
	json_t *data = play_log_list(sandbox_of(r), r->a, provider, STR(""), SHOWN), *one;
	size_t i;

	json_array_each(json_object_get(data, "data"), i, one) {
		const int64_t status = json_int(one, "status");

		json_set_bool(one, "is_bad", status < 200 || status > 399);
	}
	if (provider.n > 0)
		json_set_strn(data, "provider", provider);
	return sandbox_page(r, 200, "calls", "What providers were asked", data);
}

int page_calls_clear(struct req *r)
{
	struct err err = ERR_INIT;

	if (is_foreign_form(r))
		return 0;
	if (play_log_clear(sandbox_of(r), &err) == -1)
		return res_error(r, &err);
	return res_redirect(r, "/calls");
}
