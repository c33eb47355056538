/* Examples of polls: a round from a cursor on, its calls answered one after the other. */
#include "base/clock.h"
#include "net/http-client.h"
#include "provider/check.h"
#include "provider/poll.h"

struct poll_example {
	struct check_run *t;
	struct poll_ask ask;
	struct poll_state st;
	json_t *calls, *items; /* got so far */
	struct err err;
	bool is_over;
};

static bool poll_example_begin(struct poll_example *e, struct check_run *t, const json_t *example)
{
	const char *at = json_str(example, "at");

	*e = (struct poll_example){.t = t,
	    .ask = {.a = t->a,
		.p = t->p,
		.spec = provider_find_poll(t->p, json_str(example, "poll")),
		.c = example_read_access(t, example)},
	    .st = {.cursor = json_object_get(example, "cursor")},
	    .calls = json_own(t->a, json_array()),
	    .items = json_own(t->a, json_array()),
	    .err = ERR_INIT};
	if (e->ask.spec == NULL || at == NULL || !clock_parse_iso(str_from(at), &e->ask.now_us))
		return false;
	e->ask.start_us = e->ask.now_us - e->ask.spec->start_days * DAY_US;
	return true;
}

static int poll_example_take(struct poll_example *e, const json_t *output)
{
	struct poll_page page;

	if (poll_take(&e->ask, &e->st, output, &page, &e->err) == -1)
		return -1;
	for (size_t i = 0; i < page.found.n; i++)
		json_array_append_new(e->items, webhook_item_json(&page.found.items[i]));
	e->st = page.next;
	e->is_over = page.is_over;
	return 0;
}

/* One call, and what comes of its answer. */
static int poll_example_call(struct poll_example *e, const json_t *answer)
{
	struct http_answer ans = {.status = (int)json_int(answer, "status")};
	struct action_call k = {.a = e->t->a, .p = e->t->p, .c = e->ask.c, .now_us = e->ask.now_us};
	struct action_request req;
	struct call_result res;
	json_t *inputs;

	k.act = poll_next(&e->ask, &e->st, &inputs);
	k.inputs = inputs;
	json_array_append(e->calls, inputs);
	if (action_build(&k, &req, &e->err) == -1)
		return -1;
	if (example_read_pairs(e->t, json_object_get(answer, "headers"), true, &ans.headers) == -1)
		return err_set(&e->err, ERR_INVALID, "headers that are not texts");
	ans.body = example_read_body(e->t, answer);
	action_read(&k, &req.http, &ans, &res);
	check_saw_call(e->t, k.act, inputs, &res);
	if (res.class == CALL_OK)
		return poll_example_take(e, res.output);
	if (poll_reset(&e->ask, &e->st, &res))
		return 0;
	return err_set(&e->err, ERR_UNAVAILABLE, "%s", res.error);
}

void check_poll(struct check_run *t, const json_t *example, const json_t *expect)
{
	const json_t *answers = json_object_get(example, "answers"), *answer;
	struct poll_example e;
	int rc = 0;
	size_t i;

	if (!poll_example_begin(&e, t, example)) {
		check_report(t, false, "poll", "no such poll, or \"at\" is no time");
		return;
	}
	json_array_each(answers, i, answer) {
		if (rc == 0 && !e.is_over)
			rc = poll_example_call(&e, answer);
	}
	if (json_object_get(expect, "error") != NULL)
		check_compare(t, "error", json_object_get(expect, "error"),
		    rc == 0 ? NULL : json_own(t->a, json_string(e.err.msg)));
	else if (rc == -1)
		check_report(t, false, "poll", "%s", e.err.msg);
	if (json_object_get(expect, "calls") != NULL)
		check_compare(t, "calls", json_object_get(expect, "calls"), e.calls);
	if (json_object_get(expect, "items") != NULL)
		check_compare(t, "items", json_object_get(expect, "items"), e.items);
	if (json_object_get(expect, "cursor") != NULL)
		check_compare(t, "cursor", json_object_get(expect, "cursor"),
		    e.st.cursor != NULL ? e.st.cursor : json_own(t->a, json_null()));
}
