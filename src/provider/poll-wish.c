/* Polls that people describe: a list action of the provider, and paths into what it gives. Where
 * the manifest polls by that very action, what it knows of asking for news is taken from there;
 * else all is read each time, and told apart by who stores it. */
#include "base/limits.h"
#include "provider/poll-internal.h"

#define INTERVAL_DEFAULT_S 300
#define HISTORY_DAYS 3650
#define PAGE_SIZE 100

/* ---- paths ----------------------------------------------------------------------------------- */

/* What may stand in a placeholder as it is. */
static bool wish_path_is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '_' || c == '-' || c == '.'))
			return false;
	}
	return s.n > 0 && s.p[0] != '.' && s.p[s.n - 1] != '.';
}

static const struct path *wish_path(
    struct arena *a, struct json_reader *in, const char *key, struct str text)
{
	struct err why = ERR_INIT;
	const struct path *p;

	if (text.p == NULL)
		return NULL;
	p = path_compile(a, text, &why);
	if (p == NULL)
		json_reader_fail_at(in, key, "is no path, such as data.items: %s", why.msg);
	return p;
}

static struct expr *wish_of_item(
    struct arena *a, struct json_reader *in, const char *key, struct str path, const char *filter)
{
	struct err why = ERR_INIT;
	struct loader l = {.in = {.err = &why},
	    .a = a,
	    .language = &provider_language,
	    .roots = ROOT_BIT(ROOT_ITEM)};
	struct expr *e = NULL;

	if (!wish_path_is_plain(path) ||
	    expr_compile(&l,
		json_own(
		    a, json_string(arena_printf(a, "{item.%.*s%s}", (int)path.n, path.p, filter))),
		&e) == -1)
		json_reader_fail_at(in, key, "is no path of an item, such as properties.id");
	return e;
}

/* Of "results.0.updatedAt", where "results" has the items: "updatedAt"; {NULL,0}: it is no place of
 * an item. */
static struct str wish_cursor_of_item(const struct poll_wish *w)
{
	struct str items = w->items_path.p != NULL ? w->items_path : STR("items"),
		   rest = w->cursor_path;
	size_t digits = 0;

	if (rest.n <= items.n + 1 || memcmp(rest.p, items.p, items.n) != 0 ||
	    rest.p[items.n] != '.')
		return (struct str){NULL, 0};
	rest = (struct str){rest.p + items.n + 1, rest.n - items.n - 1};
	while (digits < rest.n && rest.p[digits] >= '0' && rest.p[digits] <= '9')
		digits++;
	if (digits == 0 || digits + 1 >= rest.n || rest.p[digits] != '.')
		return (struct str){NULL, 0};
	return (struct str){rest.p + digits + 1, rest.n - digits - 1};
}

/* ---- the poll -------------------------------------------------------------------------------- */

/* The manifest's own by that action, of that type where there are several. */
static const struct poll_spec *wish_base(
    const struct provider *p, const struct action *act, const struct poll_wish *w)
{
	const struct poll_spec *found = NULL;
	size_t n = 0;

	for (size_t i = 0; w->cursor_input.p == NULL && i < p->npolls; i++) {
		const struct poll_spec *s = &p->polls[i];

		if (s->call.action != act || s->is_of_forms || s->cursor.kind == POLL_EXPORT)
			continue;
		if (str_is(w->resource_type, s->resource_type))
			return s;
		found = s;
		n++;
	}
	return n == 1 ? found : NULL;
}

static void wish_cursor(
    struct arena *a, const struct poll_wish *w, struct json_reader *in, struct poll_spec *s)
{
	struct str of_item = wish_cursor_of_item(w);
	const char *input = w->cursor_input.p == NULL
				? NULL
				: arena_strndup(a, w->cursor_input.p, w->cursor_input.n);

	if (input != NULL && !action_takes(s->call.action, input))
		json_reader_fail_at(in, "cursorInput", "is no input of %s", s->call.action->name);
	if (input != NULL && w->cursor_path.p == NULL)
		json_reader_fail_at(in, "cursorPath", "is needed with cursorInput");
	s->cursor.kind = POLL_NONE;
	if (of_item.p != NULL) {
		s->updated_at = wish_of_item(a, in, "cursorPath", of_item, ":timeAny");
		s->cursor.kind = POLL_TIME;
		s->cursor.input = input;
	} else if (input != NULL) {
		s->cursor_path = wish_path(a, in, "cursorPath", w->cursor_path);
		s->cursor.kind = POLL_TOKEN;
		s->cursor.input = input;
	} else {
		(void)wish_path(a, in, "cursorPath", w->cursor_path);
	}
}

/* How many items a page has, where the action can be asked for so many, so that fewer can be. */
static void wish_page_size(struct poll_spec *s)
{
	static const char *const names[] = {"limit", "page_size"};
	const struct action *act = s->call.action;

	for (size_t i = 0; i < act->ninputs; i++)
		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
			if (act->inputs[i].type == INPUT_INTEGER &&
			    strcmp(act->inputs[i].name, names[k]) == 0) {
				s->page.input = act->inputs[i].name;
				s->page.size = PAGE_SIZE;
			}
}

/* Inputs that it needs and nobody gives. */
static void wish_check_inputs(struct json_reader *in, const struct poll_spec *s)
{
	const struct action *act = s->call.action;

	for (size_t i = 0; i < act->ninputs; i++)
		if (act->inputs[i].is_needed && !poll_gives(s, act->inputs[i].name) &&
		    json_object_get(s->given, act->inputs[i].name) == NULL)
			json_reader_fail_at(in, "inputs", "lacks \"%s\", which %s needs",
			    act->inputs[i].name, act->name);
}

const struct poll_spec *poll_spec_of_wish(
    struct arena *a, const struct provider *p, const struct poll_wish *w, struct json_reader *in)
{
	const struct action *act = provider_find_open_action(p, w->action);
	struct poll_spec *s = arena_zalloc(a, sizeof(*s));
	const struct poll_spec *base;
	size_t faults = in->faults;

	if (act == NULL) {
		json_reader_fail_at(in, "pollAction", "is no action of %s", p->display_name);
		return NULL;
	}
	base = wish_base(p, act, w);
	if (base != NULL)
		*s = *base;
	else
		*s = (struct poll_spec){.call.action = act,
		    .interval_s = INTERVAL_DEFAULT_S,
		    .history_days = HISTORY_DAYS};
	s->name = s->label = act->label;
	s->has_lead = false;
	s->resource_type = arena_strndup(a, w->resource_type.p, w->resource_type.n);
	s->given = w->inputs;
	s->items_path = wish_path(a, in, "recordItemsPath", w->items_path);
	if (s->items_path != NULL)
		s->items = NULL;
	else if (base == NULL && !act->paging.is_declared)
		json_reader_fail_at(
		    in, "recordItemsPath", "is needed: where in the answer the items are");
	if (w->id_path.p != NULL)
		s->external_id = wish_of_item(a, in, "recordExternalIdPath", w->id_path, "");
	else if (base == NULL)
		s->external_id = wish_of_item(a, in, "recordExternalIdPath", STR("id"), "");
	if (base == NULL) {
		wish_page_size(s);
		wish_cursor(a, w, in, s);
	}
	wish_check_inputs(in, s);
	return in->faults == faults ? s : NULL;
}

/* ---- what came ------------------------------------------------------------------------------- */

/* In the provider's own answer, or else in what the action makes of it. */
static json_t *wish_look(const struct path *p, const struct call_result *res)
{
	json_t *v = path_get(p, res->whole);

	return v != NULL ? v : path_get(p, res->output);
}

const json_t *poll_output(const struct poll_ask *ask, const struct call_result *res)
{
	const struct poll_spec *s = ask->spec;
	json_t *o;

	if (s->items_path == NULL && s->cursor_path == NULL)
		return res->output;
	o = json_own(ask->a, json_is_object(res->output) ? json_copy(res->output) : json_object());
	if (s->items_path != NULL)
		json_set(o, "items", json_incref(wish_look(s->items_path, res)));
	if (s->cursor_path != NULL)
		json_set(o, "nextToken", json_incref(wish_look(s->cursor_path, res)));
	return o;
}

json_t *provider_list_actions(struct arena *a, const struct provider *p)
{
	json_t *list = json_own(a, json_array());

	for (size_t i = 0; i < p->nactions; i++) {
		const struct action *act = &p->actions[i];
		json_t *o;

		if (act->is_hidden || !act->paging.is_declared)
			continue;
		o = json_object();
		json_set_str(o, "name", act->name);
		json_set_str(o, "label", act->label);
		json_array_append_new(list, o);
	}
	return list;
}
