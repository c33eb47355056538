/* How a connection stands, in one word for all pages: told from its status, from what holds its
 * calls up, and from how the last one ended. What people did to it comes first, then what keeps it
 * from calling, then what its calls came to. */
#include <string.h>

#include "base/clock.h"
#include "connection/connection-pages.h"
#include "job/queue.h"

static const struct word last_call_failed = {"failed", "Last call failed"};

/* NULL: it is as it should be. */
static const struct word *state_word(const char *status, const char *held, const char *last_error)
{
	const struct word *held_word = word_find(queue_states, str_from(held));

	if (strcmp(status, CONNECTION_DISABLED) == 0)
		return word_find(connection_statuses, str_from(status));
	if (held_word != NULL && strcmp(held, "paused") == 0)
		return held_word;
	if (strcmp(status, CONNECTION_ACTIVE) != 0)
		return word_find(connection_statuses, str_from(status));
	if (held_word != NULL)
		return held_word;
	return last_error != NULL ? &last_call_failed : NULL;
}

void connection_tell_state(json_t *o, const char *status, const char *held, const char *last_error)
{
	const struct word *w = state_word(status, held, last_error);

	json_set_bool(o, "is_usual", w == NULL);
	json_set_str(o, "state", w == NULL ? status : w->text);
	json_set_str(
	    o, "state_label", w == NULL ? word_label(connection_statuses, status) : w->label);
}

const char *breaker_held(const struct breaker *b)
{
	if (breaker_is_paused(b, JOB_LIVE))
		return "paused";
	return b->opened_us == 0 ? NULL : breaker_state(b, clock_now_us());
}

/* Arrays are small: a page's connections, and an account's breakers. */
int connections_tell_states(struct req *r, json_t *rows, struct err *err)
{
	struct breaker *v;
	json_t *row;
	size_t n, i;

	if (breaker_list_of(r->app->db, r->a, &r->actor.account_id, &v, &n, err) == -1)
		return -1;
	json_array_each(rows, i, row) {
		const char *held = NULL;
		struct uuid id;

		uuid_parse(str_from(json_str(row, "id")), &id);
		for (size_t k = 0; k < n && held == NULL; k++)
			if (uuid_eq(v[k].target_id, id))
				held = breaker_held(&v[k]);
		connection_tell_state(
		    row, json_str(row, "status"), held, json_str(row, "lastError"));
	}
	return 0;
}
