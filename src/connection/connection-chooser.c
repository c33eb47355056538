/* A field whose values a provider lists: a choice of them, with room for what it does not name. */
#include "connection/connection-chooser.h"

#include "base/arena.h"
#include "connection/connection-values.h"

static const char *chooser_text_name(struct arena *a, const char *name)
{
	return arena_printf(a, "%s_another", name);
}

struct str chooser_read(struct req *r, const char *name)
{
	struct str choice = req_form(r, name);

	return str_is(choice, CHOOSER_OTHER) ? req_form(r, chooser_text_name(r->a, name)) : choice;
}

const char *chooser_text_field(struct req *r, const char *name)
{
	const char *text = chooser_text_name(r->a, name);

	return http_pairs_get(&r->form, text).p != NULL ? text : NULL;
}

/* Those of the provider; true: the current value is among them. */
static bool choices_mark(json_t *values, struct str current)
{
	bool is_known = false;
	json_t *o;
	size_t i;

	json_array_each(values, i, o) {
		bool is_current = str_is(current, json_str(o, "value"));

		is_known = is_known || is_current;
		json_set_bool(o, "is_current", is_current);
	}
	return is_known;
}

/* " C0SALES was #sales." */
static const char *chooser_told(struct arena *a, const struct chooser *c, struct str current)
{
	return c->called == NULL || current.n == 0
		   ? ""
		   : arena_printf(a, " %.*s was %s.", (int)current.n, current.p, c->called);
}

/* Tells why there is no list, or only a part of it, and has the field say so too. */
static void chooser_tell(
    struct req *r, const struct chooser *c, struct str current, const char *why, json_t *o)
{
	const char *name = json_str(o, "name"), *described = json_str(o, "described");

	json_set_str(o, "list_why",
	    arena_printf(r->a,
		"%s does not list them at the moment: %s. Enter the ID, or load this page again.%s",
		provider_display_name(c->p), why, chooser_told(r->a, c, current)));
	if (c->is_of_step)
		json_set_str(o, "described",
		    arena_printf(r->a, "%s%s%s-why", described == NULL ? "" : described,
			described == NULL ? "" : " ", name));
}

/* There is nothing to choose from: for want of a connection? */
static int chooser_show_nothing(struct req *r, const struct chooser *c, json_t *o, struct err *err)
{
	struct connection **v;
	size_t n;

	if (connection_list_of(r->app, r->a, &r->actor.account_id, c->p, &v, &n, err) == -1)
		return -1;
	json_set_str(o, "connect_type", n == 0 ? provider_name(c->p) : NULL);
	json_set_str(o, "connect_name", n == 0 ? provider_display_name(c->p) : NULL);
	return 0;
}

const char *chooser_name(struct req *r, const struct chooser *c, struct str value)
{
	const struct value_list *list = c->p == NULL ? NULL : provider_find_list(c->p, c->list);
	struct err ignored = ERR_INIT;
	const char *why;
	json_t *values, *o;
	size_t i;

	if (list == NULL ||
	    connection_values_of(r, c->p, c->connection_id, list, &values, &why, &ignored) == -1)
		return NULL;
	json_array_each(values, i, o)
		if (str_is(value, json_str(o, "value")))
			return json_str(o, "label");
	return NULL;
}

int chooser_show(
    struct req *r, const struct chooser *c, struct str current, json_t *o, struct err *err)
{
	const struct value_list *list = c->p == NULL ? NULL : provider_find_list(c->p, c->list);
	const char *name = json_str(o, "name"), *why = NULL;
	json_t *values = NULL;
	bool is_known;

	json_set_bool(o, "is_listed", false);
	if (list == NULL || !c->may_ask)
		return 0;
	if (connection_values_of(r, c->p, c->connection_id, list, &values, &why, err) == -1)
		return -1;
	if (why != NULL)
		chooser_tell(r, c, current, why, o);
	if (json_array_size(values) == 0)
		return chooser_show_nothing(r, c, o, err);
	is_known = choices_mark(values, current);
	json_set_bool(o, "is_listed", true);
	json_set(o, "choices", json_incref(values));
	json_set_str(o, "other", CHOOSER_OTHER);
	json_set_bool(o, "is_other", !is_known && current.n > 0);
	json_set_str(o, "other_name", chooser_text_name(r->a, name));
	json_set_bool(o, "is_of_step", c->is_of_step);
	json_set_strn(o, "value", is_known ? STR("") : current);
	return 1;
}
