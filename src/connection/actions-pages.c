/* Pages of the actions: /admin/actions, and one action's, which runs it. */
#include "account/account.h"
#include "base/log.h"
#include "connection/connection-chooser.h"
#include "connection/connection-internal.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"

#define CURL_BYTES 65536u
#define SHOWN_MOST (1024u * 1024u) /* of an output: the page is several times as much */

/* ---- the list ------------------------------------------------------------------------------ */

/* The rows of one provider follow each other. */
json_t *actions_grouped(struct req *r, const json_t *rows)
{
	json_t *groups = json_array(), *group = NULL, *row;
	const char *last = NULL;
	size_t i;

	json_array_each(rows, i, row) {
		const char *type = json_str(row, "providerType");

		if (last == NULL || strcmp(last, type) != 0) {
			group = json_object();
			provider_show_mark(
			    r->a, provider_find(r->app->providers, str_from(type)), group);
			json_set_str(group, "name", json_str(row, "providerName"));
			json_set_bool(group, "is_connected", json_bool(row, "connected"));
			json_set(group, "actions", json_array());
			json_array_append_new(groups, group);
		}
		last = type;
		json_array_append(json_object_get(group, "actions"), row);
	}
	return groups;
}

int actions_page_list(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *rows = actions_list(r, &err), *data;

	if (rows == NULL)
		return res_error(r, &err);
	data = json_object();
	json_set(data, "groups", actions_grouped(r, rows));
	json_set_bool(data, "is_found", json_array_size(rows) > 0);
	json_set_strn(data, "search", utf8_trim(req_query(r, "search")));
	json_set(data, "provider_choices", provider_choices(r, "providerType", "actions"));
	return chrome_page(r, 200, "connections", "Actions", "connection/actions", data);
}

static bool actions_may_run(const struct req *r)
{
	return (r->actor.permissions & PERMIT(ACTIONS_EXECUTE)) != 0;
}

/* ---- one: the form ------------------------------------------------------------------------- */

struct actions_form {
	struct req *r;
	const struct provider *p;
	const struct action *act;
	struct connection **v; /* those it can be run with */
	size_t n;
	json_t *inputs; /* as they were given, arena-owned; NULL: nothing was posted */
	json_t *wrong;  /* {input: what is wrong with it}, arena-owned */
	const struct connection *chosen; /* NULL: none, or the only one */
};

static const char *actions_field_name(struct arena *a, const struct input_spec *in)
{
	return arena_printf(a, "input.%s", in->name);
}

/* What a field means; NULL where it is empty. What is not of its type stays text, for the check to
 * name. */
static json_t *input_of_field(struct actions_form *f, const struct input_spec *in)
{
	struct str text = utf8_trim(chooser_read(f->r, actions_field_name(f->r->a, in)));
	struct err ignored = ERR_INIT;
	int64_t number;
	bool is_on;

	if (text.n == 0)
		return NULL;
	if (in->type == INPUT_INTEGER && str_to_i64(text, INT64_MIN, INT64_MAX, &number))
		return json_integer(number);
	if (in->type == INPUT_BOOLEAN && str_to_bool(text, &is_on))
		return json_boolean(is_on);
	if (in->type == INPUT_JSON) {
		json_t *v = json_parse(f->r->a, text, &ignored);

		if (v != NULL)
			return json_incref(v);
		json_set_str(f->wrong, in->name, "must be JSON, such as {\"key\": \"value\"}");
	}
	return json_stringn(text.p, text.n);
}

static void actions_read(struct actions_form *f)
{
	f->inputs = json_own(f->r->a, json_object());
	for (size_t i = 0; i < f->act->ninputs; i++) {
		json_t *v = input_of_field(f, &f->act->inputs[i]);

		if (v != NULL)
			json_set(f->inputs, f->act->inputs[i].name, v);
	}
}

static void actions_complain(void *arg, const char *path, const char *reason)
{
	struct actions_form *f = arg;

	if (json_object_get(f->wrong, path) == NULL)
		json_set_str(f->wrong, path, reason);
}

static const char *input_text(struct arena *a, const json_t *v)
{
	if (v == NULL || json_is_null(v))
		return "";
	if (json_is_object(v) || json_is_array(v))
		return json_pretty(a, v).p;
	return json_scalar_text(a, v);
}

/* labels: what people read instead of the words; or NULL. */
static void field_add_words(
    json_t *field, const char *const *words, const char *const *labels, size_t n, const char *value)
{
	json_t *choices = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		json_set_str(o, "value", words[i]);
		json_set_str(o, "choice_label", labels == NULL ? NULL : labels[i]);
		json_set_bool(o, "is_current", strcmp(words[i], value) == 0);
		json_array_append_new(choices, o);
	}
	json_set(field, "choices", choices);
}

/* Makes of a field whose values the provider lists one to choose in. A list that cannot be had is
 * no reason to show no form. */
static void field_add_list(struct actions_form *f, const struct input_spec *in, json_t *field)
{
	const struct chooser c = {.p = f->p,
	    .list = in->list,
	    .may_ask = actions_may_run(f->r) && (f->n == 1 || f->chosen != NULL),
	    .connection_id =
		f->chosen == NULL ? STR("") : str_from(uuid_dup(f->r->a, f->chosen->id))};
	struct str current = str_from(json_str(field, "value"));
	const char *described = json_str(field, "described");
	struct err err = ERR_INIT;
	int is_listed = chooser_show(f->r, &c, current, field, &err);

	if (is_listed == -1)
		log_warn("actions.list", LOG_S("input", in->name), LOG_ERR(&err));
	json_set_bool(field, "is_listed", is_listed == 1);
	if (is_listed == 1) { /* how an ID looks is of no use then */
		json_set_bool(field, "is_text", false);
		json_set_str(field, "help", NULL);
		json_set_str(field, "described",
		    json_str(field, "error") == NULL
			? NULL
			: arena_printf(f->r->a, "%s-wrong", json_str(field, "name")));
		described = json_str(field, "described");
	}
	if (json_str(field, "list_why") != NULL)
		json_set_str(field, "described",
		    arena_printf(f->r->a, "%s %s-why", described == NULL ? "" : described,
			json_str(field, "name")));
}

static json_t *actions_field(struct actions_form *f, const struct input_spec *in)
{
	static const char *const truths[] = {"true", "false"}, *const answers[] = {"Yes", "No"};
	struct arena *a = f->r->a;
	json_t *o = json_object();
	const char *name = actions_field_name(a, in), *wrong = json_str(f->wrong, in->name),
		   *value = input_text(
		       a, f->inputs != NULL ? json_object_get(f->inputs, in->name) : in->other);
	bool is_choice = in->nchoices > 0 || in->type == INPUT_BOOLEAN;

	json_set_str(o, "name", name);
	json_set_str(o, "label", in->label);
	json_set_str(o, "help", in->help);
	json_set_str(o, "value", value);
	json_set_bool(o, "is_needed", in->is_needed);
	json_set_str(
	    o, "error", wrong != NULL ? arena_printf(a, "%s %s.", in->label, wrong) : NULL);
	json_set_bool(o, "is_first_wrong", wrong != NULL);
	if (wrong != NULL || in->help != NULL)
		json_set_str(o, "described",
		    arena_printf(a, "%s%s%s%s", wrong != NULL ? name : "",
			wrong != NULL ? "-wrong " : "", in->help != NULL ? name : "",
			in->help != NULL ? "-help" : ""));
	json_set_bool(o, "is_select", is_choice);
	json_set_bool(o, "is_number", in->type == INPUT_INTEGER);
	json_set_bool(o, "is_lines", in->type == INPUT_JSON);
	json_set_bool(o, "is_date", in->type == INPUT_DATE);
	json_set_bool(
	    o, "is_text", !is_choice && (in->type == INPUT_TEXT || in->type == INPUT_TIME));
	if (in->nchoices > 0)
		field_add_words(o, in->choices, NULL, in->nchoices, value);
	else if (is_choice)
		field_add_words(o, truths, answers, 2, value);
	if (in->list != NULL)
		field_add_list(f, in, o);
	return o;
}

/* ---- one: the call of the API that does the same --------------------------------------------- */

/* Within single quotes of a shell. */
static void shell_quote(struct buf *b, struct str text)
{
	buf_chr(b, '\'');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\'')
			buf_str(b, "'\\''");
		else
			buf_chr(b, text.p[i]);
	}
	buf_chr(b, '\'');
}

/* What stands for a value that is not given. */
static json_t *curl_blank(const struct input_spec *in)
{
	if (in->nchoices > 0)
		return json_string(in->choices[0]);
	switch (in->type) {
	case INPUT_INTEGER:
		return json_integer(1);
	case INPUT_BOOLEAN:
		return json_true();
	case INPUT_JSON:
		return json_object();
	default:
		return json_string("…");
	}
}

/* The inputs as given, or those that are needed, blank. */
static json_t *curl_inputs(const struct actions_form *f)
{
	json_t *o;

	if (f->inputs != NULL)
		return json_incref(f->inputs);
	o = json_object();
	for (size_t i = 0; i < f->act->ninputs; i++)
		if (f->act->inputs[i].is_needed)
			json_set(o, f->act->inputs[i].name, curl_blank(&f->act->inputs[i]));
	return o;
}

static const char *actions_curl(struct actions_form *f, const struct connection *c)
{
	struct arena *a = f->r->a;
	struct buf *b = buf_new(a, CURL_BYTES);
	json_t *inputs = json_own(a, curl_inputs(f));

	buf_printf(b, "curl -X POST '%s/connect/v1/providers/%s/actions/%s", req_base_url(f->r),
	    f->p->name, f->act->name);
	if (c != NULL && f->n > 1)
		buf_printf(b, "?connectionId=%s", uuid_dup(a, c->id));
	buf_str(
	    b, "' \\\n  -H 'x-api-key: YOUR_KEY' -H 'content-type: application/json' \\\n  -d ");
	shell_quote(b, json_text(a, inputs));
	return buf_ok(b) ? b->p : "";
}

/* ---- one: the page --------------------------------------------------------------------------- */

static void actions_show_connections(
    struct actions_form *f, const struct connection *chosen, json_t *data)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->n; i++) {
		json_t *o = json_object();

		json_set_str(o, "value", uuid_dup(f->r->a, f->v[i]->id));
		json_set_str(o, "label", f->v[i]->name);
		json_set_bool(o, "is_current", chosen != NULL && uuid_eq(chosen->id, f->v[i]->id));
		json_array_append_new(list, o);
	}
	json_set(data, "connections", list);
	json_set_bool(data, "has_connections", f->n > 0);
	json_set_bool(data, "is_choice", f->n > 1);
}

/* More of a list: the cursor goes into the input that takes it. */
static void actions_show_next(struct actions_form *f, const struct call_result *res, json_t *data)
{
	const json_t *cursor = json_object_get(res->output, "nextCursor");

	if (cursor != NULL && !json_is_null(cursor))
		json_set_str(data, "next_cursor", input_text(f->r->a, cursor));
}

static void actions_show_result(struct actions_form *f, const struct call_result *res, json_t *data)
{
	json_t *o = json_object();
	bool is_ok = res->class == CALL_OK;

	json_set_bool(o, "is_ok", is_ok);
	json_set_str(o, "class", call_class_names[res->class]);
	json_set_bool(o, "has_output", is_ok && res->output != NULL && !json_is_null(res->output));
	if (is_ok && res->output != NULL)
		json_set(o, "output", json_incref(res->output));
	json_set_str(o, "error", res->error);
	json_set_str(o, "advice", is_ok ? NULL : call_class_advice(res->class));
	if (res->status != 0)
		json_set_int(o, "status", res->status);
	if (!is_ok && res->answer.n > 0)
		json_set_strn(o, "answer", res->answer);
	json_set(data, "result", o);
	if (is_ok)
		actions_show_next(f, res, data);
}

static bool action_has_lists(const struct action *act)
{
	for (size_t i = 0; i < act->ninputs; i++)
		if (act->inputs[i].list != NULL)
			return true;
	return false;
}

static int actions_page(struct actions_form *f, int status, const struct connection *chosen,
    const struct call_result *res)
{
	struct req *r = f->r;
	json_t *data = json_object(), *fields = json_array();

	f->chosen = chosen;
	for (size_t i = 0; i < f->act->ninputs; i++)
		json_array_append_new(fields, actions_field(f, &f->act->inputs[i]));
	json_set_str(data, "provider_type", f->p->name);
	json_set_str(data, "provider_name", f->p->display_name);
	json_set_str(data, "action_name", f->act->name);
	json_set_str(data, "label", f->act->label);
	json_set_str(data, "about", f->act->help);
	json_set_bool(data, "has_fields", f->act->ninputs > 0);
	json_set(data, "fields", fields);
	json_set_bool(data, "writes", action_writes(r->a, f->act));
	json_set_bool(data, "may_run", actions_may_run(r));
	json_set_bool(data, "has_lists", f->n > 1 && action_has_lists(f->act));
	json_set_bool(data, "may_connect", (r->actor.permissions & PERMIT(CONNECTIONS_WRITE)) != 0);
	json_set_str(data, "curl", actions_curl(f, chosen));
	actions_show_connections(f, chosen, data);
	if (json_object_size(f->wrong) > 0)
		chrome_wrong(r, data, NULL,
		    json_object_size(f->wrong) == 1
			? "Check 1 field"
			: arena_printf(r->a, "Check %zu fields", json_object_size(f->wrong)));
	if (res != NULL)
		actions_show_result(f, res, data);
	return chrome_page(r, status, "connections",
	    arena_printf(r->a, "%s: %s", f->p->display_name, f->act->label), "connection/action",
	    data);
}

/* The action of the address, and what it can be run with; false: answered. */
static bool actions_asked(struct req *r, struct actions_form *f)
{
	struct err err = ERR_INIT;

	*f = (struct actions_form){.r = r,
	    .p = provider_find(r->app->providers, req_param(r, "providerType")),
	    .wrong = json_own(r->a, json_object())};
	if (f->p != NULL)
		f->act = provider_find_open_action(f->p, req_param(r, "actionName"));
	if (f->act == NULL) {
		res_problem(r, 404, "There is no such action");
		return false;
	}
	if (connection_list_usable(r, f->p, &f->v, &f->n, &err) == 0)
		return true;
	res_error(r, &err);
	return false;
}

int actions_page_one(struct req *r)
{
	struct actions_form f;

	if (!actions_asked(r, &f))
		return 0;
	return actions_page(&f, 200, NULL, NULL);
}

/* The connection of the form, opened; false: answered. */
static bool actions_chosen(struct actions_form *f, struct connection **out)
{
	struct req *r = f->r;
	struct str text = req_form(r, "connectionId");
	struct err err = ERR_INIT;
	struct uuid id;

	for (size_t i = 0; i < f->n; i++) {
		if (f->n > 1 && (!uuid_parse(text, &id) || !uuid_eq(id, f->v[i]->id)))
			continue;
		if (connection_get(r->app, r->a, &r->actor.account_id, &f->v[i]->id, out, &err) ==
		    1)
			return true;
		break;
	}
	if (err.code != ERR_NONE)
		res_error(r, &err);
	else
		res_problem(r, 422, "Choose the connection to run it with, and run it again");
	return false;
}

static int actions_run_page(struct actions_form *f, const struct connection *c)
{
	struct call_result res;
	struct err err = ERR_INIT;

	if (actions_run(f->r, c, f->act, f->inputs, SHOWN_MOST, &res, &err) == 0)
		return actions_page(f, 200, c, &res);
	if (err.code != ERR_INVALID)
		return res_error(f->r, &err);
	json_set_str(f->wrong, err.field, err.msg);
	return actions_page(f, 422, c, NULL);
}

int actions_page_run(struct req *r)
{
	struct actions_form f;
	struct json_reader in = {.complain = actions_complain, .arg = &f};
	struct connection *c;
	struct str cursor = req_form(r, "cursor");
	const char *page_input;
	int rc;

	if (!actions_asked(r, &f) || !actions_chosen(&f, &c))
		return 0;
	actions_read(&f);
	if (str_is(req_form(r, "act"), "lists")) {
		f.wrong = json_own(r->a, json_object());
		return actions_page(&f, 200, c, NULL);
	}
	page_input = provider_page_input(f.p, f.act->name);
	if (cursor.n > 0 && page_input != NULL)
		json_set_strn(f.inputs, page_input, cursor);
	if (action_check_inputs(f.act, f.inputs, &in) == -1 || json_object_size(f.wrong) > 0)
		return actions_page(&f, 422, c, NULL);
	if (!connection_wait_begin(r))
		return 0;
	rc = actions_run_page(&f, c);
	connection_wait_end(r);
	return rc;
}
