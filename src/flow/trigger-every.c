/* Schedules as people choose them: common ones by name, all others as a cron expression. */
#include "base/arena.h"
#include "flow/trigger-pages.h"

enum every {
	EVERY_QUARTER,
	EVERY_HOUR,
	EVERY_DAY,
	EVERY_WORKDAY,
	EVERY_WEEK,
	EVERY_MONTH,
	EVERY_CRON
};
static const char *const every_names[] = {[EVERY_QUARTER] = "quarter",
    [EVERY_HOUR] = "hour",
    [EVERY_DAY] = "day",
    [EVERY_WORKDAY] = "workday",
    [EVERY_WEEK] = "week",
    [EVERY_MONTH] = "month",
    [EVERY_CRON] = "cron",
    NULL};
static const char *const weekdays[] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

struct every_choice {
	enum every every;
	int64_t hour, minute, weekday, day;
};

/* ---- from the form --------------------------------------------------------------------------- */

static bool form_number(struct req *r, const char *name, int64_t least, int64_t most, int64_t *out)
{
	return str_to_i64(utf8_trim(req_form(r, name)), least, most, out);
}

static bool form_time(struct req *r, const char *name, struct every_choice *c)
{
	struct str rest = utf8_trim(req_form(r, name)), hour, minute;

	return str_split(&rest, ':', &hour) && str_split(&rest, ':', &minute) &&
	       str_to_i64(hour, 0, 23, &c->hour) && str_to_i64(minute, 0, 59, &c->minute);
}

static int every_read(struct req *r, struct every_choice *c, struct err *err)
{
	struct str name = req_form(r, "every");

	*c = (struct every_choice){.every = EVERY_CRON};
	for (size_t i = 0; every_names[i] != NULL; i++)
		if (str_is(name, every_names[i]))
			c->every = (enum every)i;
	if (c->every == EVERY_HOUR && !form_number(r, "minute", 0, 59, &c->minute))
		return err_field(err, ERR_INVALID, "minute", "must be 0 to 59");
	if (c->every >= EVERY_DAY && c->every <= EVERY_MONTH) {
		const char *field = arena_printf(r->a, "time_%s", every_names[c->every]);

		if (!form_time(r, field, c))
			return err_field(err, ERR_INVALID, field, "must be a time such as 09:00");
	}
	if (c->every == EVERY_WEEK && !form_number(r, "weekday", 0, 6, &c->weekday))
		return err_field(err, ERR_INVALID, "weekday", "must be a day");
	if (c->every == EVERY_MONTH && !form_number(r, "monthday", 1, 31, &c->day))
		return err_field(err, ERR_INVALID, "monthday", "must be 1 to 31");
	return 0;
}

const char *trigger_every_cron(struct req *r, struct err *err)
{
	struct every_choice c;
	long long minute, hour;

	if (every_read(r, &c, err) == -1)
		return "";
	minute = c.minute;
	hour = c.hour;
	switch (c.every) {
	case EVERY_QUARTER:
		return "*/15 * * * *";
	case EVERY_HOUR:
		return arena_printf(r->a, "%lld * * * *", minute);
	case EVERY_DAY:
		return arena_printf(r->a, "%lld %lld * * *", minute, hour);
	case EVERY_WORKDAY:
		return arena_printf(r->a, "%lld %lld * * 1-5", minute, hour);
	case EVERY_WEEK:
		return arena_printf(r->a, "%lld %lld * * %lld", minute, hour, (long long)c.weekday);
	case EVERY_MONTH:
		return arena_printf(r->a, "%lld %lld %lld * *", minute, hour, (long long)c.day);
	case EVERY_CRON:
		break;
	}
	return str_copy(r->a, utf8_trim(req_form(r, "cron"))).p;
}

/* ---- from an expression ---------------------------------------------------------------------- */

/* Which choice says the same. */
static struct every_choice every_of(const char *cron)
{
	struct every_choice c = {.every = EVERY_CRON, .hour = 9, .weekday = 1, .day = 1};
	struct str rest = str_from(cron), w[5];
	size_t n = 0;

	while (n < 5 && str_split(&rest, ' ', &w[n]))
		n++;
	if (n < 5 || rest.n > 0 || !str_is(w[3], "*"))
		return c;
	if (str_is(w[0], "*/15") && str_is(w[1], "*") && str_is(w[2], "*") && str_is(w[4], "*")) {
		c.every = EVERY_QUARTER;
		return c;
	}
	if (!str_to_i64(w[0], 0, 59, &c.minute))
		return c;
	if (str_is(w[1], "*") && str_is(w[2], "*") && str_is(w[4], "*"))
		c.every = EVERY_HOUR;
	if (!str_to_i64(w[1], 0, 23, &c.hour))
		return c;
	if (str_is(w[4], "*") && str_to_i64(w[2], 1, 31, &c.day))
		c.every = EVERY_MONTH;
	if (!str_is(w[2], "*"))
		return c;
	if (str_is(w[4], "*"))
		c.every = EVERY_DAY;
	else if (str_is(w[4], "1-5"))
		c.every = EVERY_WORKDAY;
	else if (str_to_i64(w[4], 0, 6, &c.weekday))
		c.every = EVERY_WEEK;
	return c;
}

static void every_show_weekdays(int64_t current, json_t *data)
{
	json_t *list = json_array();

	/* weeks begin on Monday */
	for (int64_t i = 1; i <= 7; i++) {
		json_t *o = json_object();

		json_set_int(o, "value", i % 7);
		json_set_str(o, "label", weekdays[i % 7]);
		json_set_bool(o, "is_current", i % 7 == current);
		json_array_append_new(list, o);
	}
	json_set(data, "weekdays", list);
}

void trigger_every_show(struct req *r, const char *cron, json_t *data)
{
	struct every_choice c = every_of(cron == NULL ? "0 9 * * 1-5" : cron);
	const char *at =
	    arena_printf(r->a, "%02lld:%02lld", (long long)c.hour, (long long)c.minute);

	for (size_t i = 0; every_names[i] != NULL; i++)
		json_set_bool(
		    data, arena_printf(r->a, "every_%s", every_names[i]), i == (size_t)c.every);
	json_set_int(data, "minute", c.every == EVERY_HOUR ? c.minute : 0);
	json_set_str(data, "time", c.every == EVERY_HOUR ? "09:00" : at);
	json_set_int(data, "monthday", c.day);
	json_set_str(data, "cron", cron == NULL ? "" : cron);
	every_show_weekdays(c.weekday, data);
}

const char *trigger_every_words(struct arena *a, const char *cron)
{
	struct every_choice c = every_of(cron);
	const char *at = arena_printf(a, "%lld:%02lld", (long long)c.hour, (long long)c.minute);

	switch (c.every) {
	case EVERY_QUARTER:
		return "Every 15 minutes";
	case EVERY_HOUR:
		return c.minute == 0
			   ? "Every hour"
			   : arena_printf(a, "Every hour at minute %lld", (long long)c.minute);
	case EVERY_DAY:
		return arena_printf(a, "Every day at %s", at);
	case EVERY_WORKDAY:
		return arena_printf(a, "Every weekday at %s", at);
	case EVERY_WEEK:
		return arena_printf(a, "Every %s at %s", weekdays[c.weekday], at);
	case EVERY_MONTH:
		return arena_printf(a, "On day %lld of every month at %s", (long long)c.day, at);
	case EVERY_CRON:
		break;
	}
	return arena_printf(a, "By the schedule %s", cron);
}
