/* The oddities of providers, each of which a test or a person can turn on. Those of one provider
 * stand in its own table; these all of them have. What any server may do wrong is a fault
 * (faults.c), with the provider's name, or NAME.token for its token endpoint, as its target. */
#include "sandbox/play.h"

static const struct play_switch of_all[] = {
    {"page_size", SWITCH_NUMBER, "lists give at most so many at a time"},
    {"repeat_cursor", SWITCH_FLAG,
	"from its second page on a list gives the cursor it was asked with"},
    {"per_second", SWITCH_NUMBER, "more calls in a second are too many"},
    {"usage", SWITCH_NUMBER, "its headers say that so many percent of the calls are used"},
    {"expires_in", SWITCH_NUMBER, "access tokens live so many seconds"},
    {"deny_login", SWITCH_FLAG, "whoever is asked for consent says no"},
};

static const struct play_switch *switch_in(
    const struct play_switch *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

static const struct play_switch *switch_find(const struct play *p, const char *name)
{
	const struct play_switch *found =
	    switch_in(of_all, sizeof(of_all) / sizeof(of_all[0]), name);

	return found != NULL ? found : switch_in(p->switches, p->nswitches, name);
}

static const json_t *switch_value(const struct play_call *c, const char *name)
{
	return json_object_get(play_get(c, "switch", str_from(name)), "value");
}

bool play_is(const struct play_call *c, const char *name)
{
	return json_is_true(switch_value(c, name));
}

int64_t play_switch_number(const struct play_call *c, const char *name, int64_t otherwise)
{
	const json_t *value = switch_value(c, name);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

const char *play_switch_text(const struct play_call *c, const char *name)
{
	return json_string_value(switch_value(c, name));
}

int64_t play_used(const struct play_call *c, int64_t limit)
{
	const int64_t percent = play_switch_number(c, "usage", 0);

	return percent > 0 ? limit * percent / 100 : 1;
}

bool play_switch_use(struct play_call *c, const char *name)
{
	const int64_t left = play_switch_number(c, name, 0);

	if (left <= 0)
		return false;
	(void)play_put(c, "switch", name, json_pack("{s:I}", "value", (json_int_t)(left - 1)));
	return true;
}

static json_t *switch_json(const struct play_call *c, const struct play_switch *s)
{
	static const char *const kinds[] = {
	    [SWITCH_FLAG] = "flag", [SWITCH_NUMBER] = "number", [SWITCH_TEXT] = "text"};
	const json_t *value = switch_value(c, s->name);
	json_t *one =
	    json_pack("{s:s,s:s,s:s}", "name", s->name, "kind", kinds[s->kind], "label", s->label);

	if (value != NULL)
		json_object_set(one, "value", (json_t *)(uintptr_t)value);
	json_set_bool(one, s->kind == SWITCH_FLAG ? "is_flag" : "is_value", true);
	return one;
}

json_t *switches_list(const struct play_call *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->play->nswitches; i++)
		json_array_append_new(list, switch_json(c, &c->play->switches[i]));
	for (size_t i = 0; i < sizeof(of_all) / sizeof(of_all[0]); i++)
		json_array_append_new(list, switch_json(c, &of_all[i]));
	return json_pack(
	    "{s:s,s:s,s:o}", "provider", c->play->name, "label", c->play->label, "switches", list);
}

static bool switch_takes(const struct play_switch *s, const json_t *value)
{
	switch (s->kind) {
	case SWITCH_FLAG:
		return json_is_boolean(value);
	case SWITCH_NUMBER:
		return json_is_integer(value) && json_integer_value(value) >= 0;
	case SWITCH_TEXT:
		return json_is_string(value);
	}
	return false;
}

int switches_set(struct play_call *c, const json_t *values, struct err *err)
{
	const char *name;
	json_t *value;

	json_object_each(values, name, value) {
		const struct play_switch *s = switch_find(c->play, name);

		if (s == NULL)
			return err_field(
			    err, ERR_INVALID, name, "%s has no such switch", c->play->label);
		if (!json_is_null(value) && !switch_takes(s, value))
			return err_field(err, ERR_INVALID, name, "is of the wrong type");
	}
	json_object_each(values, name, value) {
		if (json_is_null(value) || json_is_false(value))
			play_drop(c, "switch", str_from(name));
		else
			(void)play_put(c, "switch", name, json_pack("{s:O}", "value", value));
	}
	if (c->err.code == ERR_NONE)
		return 0;
	*err = c->err;
	return -1;
}
