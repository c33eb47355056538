/* Polls of forms: a round lists the connection's forms, then asks for each by itself.
 *
 *	list of forms, page by page ──> form ──its own round──> form ──> … ──> over
 *
 * The cursor is one of each form, {"forms": {ID: cursor}}; the position holds the forms that are
 * still to come, and where the round of the first of them stands. A form that is there no more
 * takes its cursor with it; a new one begins where the poll began. */
#include "base/clock.h"
#include "provider/poll-internal.h"

#define FORMS_MOST 2000

/* ---- listing ------------------------------------------------------------------------------- */

static bool forms_are_listed(const json_t *position)
{
	return json_object_get(position, "list") == NULL;
}

static bool forms_have(const json_t *left, const json_t *form)
{
	const json_t *other;
	size_t i;

	json_array_each(left, i, other)
		if (json_equal(json_object_get(other, "id"), json_object_get(form, "id")))
			return true;
	return false;
}

static int forms_add(const struct poll_ask *ask, json_t *left, const json_t *items, struct err *err)
{
	json_t *item;
	size_t i;

	json_array_each(items, i, item) {
		json_t *form = provider_form(ask->p, ask->a, item);

		if (form == NULL || forms_have(left, form))
			continue;
		if (json_array_size(left) == FORMS_MOST)
			return err_set(err, ERR_LIMIT,
			    "the connection has more than %d forms, which are too many for a poll",
			    FORMS_MOST);
		json_array_append(left, form);
	}
	return 0;
}

/* The cursors of forms that are there no more go. */
static json_t *forms_keep_cursors(
    const struct poll_ask *ask, const json_t *cursor, const json_t *left)
{
	json_t *o = json_own(ask->a, json_object()), *kept = json_object(), *form;
	size_t i;

	json_set(o, "forms", kept);
	json_array_each(left, i, form) {
		const char *id = json_str(form, "id");
		json_t *its = json_object_get(json_object_get(cursor, "forms"), id);

		if (its != NULL)
			json_set(kept, id, json_incref(its));
	}
	return o;
}

/* How many there are, and the leads that they say they have: where one of them says nothing, nobody
 * knows. */
static void forms_count(json_t *position, const json_t *left)
{
	int64_t leads = 0;
	const json_t *form;
	size_t i;

	json_set_int(position, "forms", (int64_t)json_array_size(left));
	json_array_each(left, i, form) {
		if (json_object_get(form, "leads") == NULL)
			return;
		leads += json_int(form, "leads");
	}
	json_set_int(position, "leads", leads);
}

/* The one form that is asked for need not be listed. */
static bool forms_is_one(const struct poll_ask *ask)
{
	return ask->only_form.p != NULL;
}

/* The one form, with what is known of it, is all that is left. */
static void forms_begin_one(
    const struct poll_ask *ask, json_t *known, json_t *position, json_t **cursor)
{
	json_t *left = json_object_get(position, "left"), *form = json_object();

	json_object_update(form, known);
	json_set_strn(form, "id", ask->only_form);
	json_array_append_new(left, form);
	json_object_del(position, "list");
	forms_count(position, left);
	*cursor = forms_keep_cursors(ask, *cursor, left);
}

static void forms_begin(const struct poll_ask *ask, struct poll_state *st)
{
	json_t *o = json_own(ask->a, json_object());

	json_set(o, "left", json_array());
	json_set(o, "list", json_object());
	st->position = o;
	if (forms_is_one(ask) && ask->p->forms.one_action == NULL)
		forms_begin_one(ask, NULL, o, &st->cursor);
}

static void forms_take_one(
    const struct poll_ask *ask, const struct poll_state *st, json_t *known, struct poll_page *out)
{
	json_t *position = json_own(ask->a, json_deep_copy(st->position)), *cursor = st->cursor;

	forms_begin_one(ask, known, position, &cursor);
	out->next = (struct poll_state){cursor, position};
}

static int forms_take_list(const struct poll_ask *ask, const struct poll_state *st,
    const json_t *output, struct poll_page *out, struct err *err)
{
	json_t *position = json_own(ask->a, json_deep_copy(st->position));
	json_t *list = json_object_get(position, "list"), *left = json_object_get(position, "left");
	const json_t *next = poll_next_cursor(output);
	struct poll_ring ring = poll_ring_read(list);
	json_t *page;

	if (forms_is_one(ask)) {
		forms_take_one(ask, st,
		    provider_form(ask->p, ask->a, json_own(ask->a, json_deep_copy(output))), out);
		return 0;
	}
	if (forms_add(ask, left, json_object_get(output, "items"), err) == -1)
		return -1;
	out->next = (struct poll_state){st->cursor, position};
	if (next != NULL) {
		page = poll_turn(ask, &ring, json_object_get(list, "page"), next, err);
		if (page == NULL)
			return -1;
		json_set(list, "page", json_incref(page));
		poll_ring_write(list, &ring);
		return 0;
	}
	json_object_del(position, "list");
	forms_count(position, left);
	out->next.cursor = forms_keep_cursors(ask, st->cursor, left);
	out->is_over = json_array_size(left) == 0;
	if (out->is_over)
		out->next.position = NULL;
	return 0;
}

/* ---- each ---------------------------------------------------------------------------------- */

static json_t *forms_first(const json_t *position)
{
	return json_array_get(json_object_get(position, "left"), 0);
}

static struct poll_ask ask_of_form(const struct poll_ask *ask, json_t *form)
{
	struct poll_ask own = *ask;

	own.form = form;
	return own;
}

static struct poll_state state_of_form(const struct poll_state *st, const json_t *form)
{
	return (struct poll_state){
	    json_object_get(json_object_get(st->cursor, "forms"), json_str(form, "id")),
	    json_object_get(st->position, "round")};
}

const struct action *poll_forms_next(
    const struct poll_ask *ask, struct poll_state *st, json_t **inputs)
{
	const struct action *act;
	struct poll_state inner;
	struct poll_ask own;
	json_t *page;

	if (st->position == NULL)
		forms_begin(ask, st);
	if (forms_are_listed(st->position)) {
		own = ask_of_form(ask, forms_first(st->position));
		inner = state_of_form(st, own.form);
		act = poll_round_next(&own, &inner, inputs);
		st->position = json_own(ask->a, json_copy(st->position));
		json_set(st->position, "round", json_incref(inner.position));
		return act;
	}
	*inputs = json_own(ask->a, json_object());
	if (forms_is_one(ask)) {
		json_set_strn(*inputs, ask->p->forms.one_input, ask->only_form);
		return provider_find_action(ask->p, ask->p->forms.one_action);
	}
	act = provider_find_action(ask->p, ask->p->forms.action);
	page = json_object_get(json_object_get(st->position, "list"), "page");
	if (page != NULL)
		json_set(*inputs, paging_input(&act->paging), json_incref(page));
	return act;
}

/* The next form, or the end of the round. */
static void forms_turn(const struct poll_ask *ask, struct poll_page *out)
{
	json_t *position = json_own(ask->a, json_deep_copy(out->next.position));
	json_t *left = json_object_get(position, "left");

	json_array_remove(left, 0);
	json_object_del(position, "round");
	out->is_over = json_array_size(left) == 0;
	out->next.position = out->is_over ? NULL : position;
}

int poll_forms_take(const struct poll_ask *ask, const struct poll_state *st, const json_t *output,
    struct poll_page *out, struct err *err)
{
	struct poll_state inner;
	struct poll_ask own;
	json_t *cursor;

	*out = (struct poll_page){.newest_us = TIME_NONE};
	if (!forms_are_listed(st->position))
		return forms_take_list(ask, st, output, out, err);
	own = ask_of_form(ask, forms_first(st->position));
	inner = state_of_form(st, own.form);
	if (poll_round_take(&own, &inner, output, out, err) == -1)
		return -1;
	inner = out->next;
	out->next = (struct poll_state){st->cursor, st->position};
	if (!out->is_over) {
		out->next.position = json_own(ask->a, json_copy(st->position));
		json_set(out->next.position, "round", json_incref(inner.position));
		return 0;
	}
	cursor = json_own(ask->a, json_deep_copy(st->cursor));
	json_set(
	    json_object_get(cursor, "forms"), json_str(own.form, "id"), json_incref(inner.cursor));
	out->next.cursor = cursor;
	forms_turn(ask, out);
	return 0;
}

bool poll_go_without_form(
    const struct poll_ask *ask, struct poll_page *out, const struct poll_state *st)
{
	if (!ask->spec->is_of_forms || !forms_is_one(ask) || forms_are_listed(st->position))
		return false;
	*out = (struct poll_page){.newest_us = TIME_NONE};
	forms_take_one(ask, st, NULL, out);
	return true;
}

static const char *form_label(const json_t *form)
{
	return json_str(form, json_str(form, "name") != NULL ? "name" : "id");
}

bool poll_skip(const struct poll_ask *ask, struct poll_page *out, const struct poll_state *st,
    const char **what)
{
	*out = (struct poll_page){.newest_us = TIME_NONE, .next = *st};
	if (!ask->spec->is_of_forms || st->position == NULL || !forms_are_listed(st->position))
		return false;
	*what = form_label(forms_first(st->position));
	forms_turn(ask, out);
	return true;
}

/* ---- how far it is --------------------------------------------------------------------------- */

void poll_outlook(const struct poll_ask *ask, const struct poll_state *st, struct poll_outlook *out)
{
	*out = (struct poll_outlook){.percent = -1};
	if (st->position == NULL)
		return;
	if (!ask->spec->is_of_forms) {
		out->percent = poll_round_percent(ask, st);
		return;
	}
	out->forms = json_int(st->position, "forms");
	out->forms_left = (int64_t)json_array_size(json_object_get(st->position, "left"));
	out->leads = json_int(st->position, "leads");
	out->form = form_label(forms_first(st->position));
	if (out->forms > 1)
		out->percent = (int)((out->forms - out->forms_left) * 100 / out->forms);
}
