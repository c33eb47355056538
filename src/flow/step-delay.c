/* delay: until a time; the wait is a row, and holds nothing. */
#include "base/arena.h"
#include "base/clock.h"
#include "flow/flow-internal.h"

#define DELAY_MOST_S (365 * INT64_C(86400))

static int delay_until(
    const struct step_call *c, const char *text, int64_t *until_us, struct err *err)
{
	int64_t now = clock_now_us();

	if (!clock_parse_any(str_from(text), until_us))
		return err_set(err, ERR_INVALID, "\"until\" is no time: %.100s", text);
	if (*until_us > now + DELAY_MOST_S * SECOND_US)
		return err_set(
		    err, ERR_INVALID, "\"until\" is more than a year ahead: %.100s", text);
	(void)c;
	if (*until_us < now) /* long past, the epoch too, is no wait */
		*until_us = now;
	return 0;
}

static int delay_run(struct step_call *c, struct err *err)
{
	static const struct {
		const char *field;
		int64_t seconds;
	} units[] = {{"seconds", 1}, {"minutes", 60}, {"hours", 3600}, {"days", 86400}};
	const char *until = step_text(c, "until");
	int64_t wait_s = 0, n;

	c->is_refused = true;
	if (until != NULL)
		return delay_until(c, until, &c->until_us, err);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (step_number(c, units[i].field, 0, &n, err) == -1)
			return -1;
		wait_s += n * units[i].seconds;
	}
	if (wait_s > DELAY_MOST_S)
		return err_set(err, ERR_INVALID, "the delay is longer than a year");
	c->until_us = clock_now_us() + wait_s * SECOND_US;
	return 0;
}

static int delay_check(struct step_check *c, struct err *err)
{
	const char *until = step_constant(c->a, c->step, "until");
	int64_t until_us;

	(void)err;
	if (until != NULL && !clock_parse_any(str_from(until), &until_us))
		step_complain(c, "until", "is no time, such as 2026-03-07T14:30:00Z");
	if (step_given(c->step, "until") == NULL && step_given(c->step, "seconds") == NULL &&
	    step_given(c->step, "minutes") == NULL && step_given(c->step, "hours") == NULL &&
	    step_given(c->step, "days") == NULL)
		json_reader_fail_at(
		    c->in, "config", "needs seconds, minutes, hours, days or until");
	return 0;
}

const struct step_kind step_delay = {.name = "delay",
    .label = "Delay",
    .help = "Waits, without holding anything up: for a while, or until a time.",
    .how = STEP_WAIT,
    .fields =
	(const struct step_field[]){
	    {"seconds", STEP_NUMBER, STEP_INPUT, "Seconds", NULL, 0, DELAY_MOST_S, NULL},
	    {"minutes", STEP_NUMBER, STEP_INPUT, "Minutes", NULL, 0, DELAY_MOST_S / 60, NULL},
	    {"hours", STEP_NUMBER, STEP_INPUT, "Hours", NULL, 0, DELAY_MOST_S / 3600, NULL},
	    {"days", STEP_NUMBER, STEP_INPUT, "Days", NULL, 0, DELAY_MOST_S / 86400, NULL},
	    {"until", STEP_STRING, STEP_INPUT, "Until", "A time, such as {{trigger.dueAt}}", 0, 0,
		NULL},
	    {.name = NULL}},
    .outputs = (const struct step_output[]){{"until", "when it went on"}, {NULL, NULL}},
    .check = delay_check,
    .run = delay_run};
