/* Rules as rows of a form and back. What a row cannot say (several transforms, a number that is
 * fixed) comes with it as it was, and stays so until somebody chooses otherwise. */
#include "crm/crm-mapping-form.h"

#include "account/account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/zone.h"
#include "html/chrome.h"

#define OPTION_BYTES 20000u

static struct str text_of(struct arena *a, const json_t *v)
{
	return v == NULL || json_is_null(v) ? STR("") : str_from(json_scalar_text(a, v));
}

static struct str text_or_empty(const char *s)
{
	return s == NULL ? STR("") : str_from(s);
}

/* ---- options of transforms as one text ------------------------------------------------------- */

static struct str values_write(struct arena *a, const json_t *transform)
{
	struct buf *b = buf_new(a, OPTION_BYTES);
	const json_t *otherwise = json_object_get(transform, "otherwise");
	const char *key;
	json_t *v;

	json_object_each(json_object_get(transform, "values"), key, v) {
		struct str text = text_of(a, v);

		buf_printf(b, "%s = %.*s\n", key, (int)text.n, text.p);
	}
	if (otherwise != NULL) {
		struct str text = text_of(a, otherwise);

		buf_printf(b, "* = %.*s\n", (int)text.n, text.p);
	}
	return (struct str){b->p, b->len};
}

static struct str fields_write(struct arena *a, const json_t *transform)
{
	struct buf *b = buf_new(a, OPTION_BYTES);
	const json_t *v;
	size_t i;

	json_array_each(json_object_get(transform, "fields"), i, v)
		buf_printf(b, "%s%s", i > 0 ? ", " : "", json_string_value(v));
	return (struct str){b->p, b->len};
}

static struct str option_write(struct arena *a, const struct transform_kind *k, const json_t *v)
{
	const char *zone = json_str(v, "zone");

	switch (k->option) {
	case TRANSFORM_PLAIN:
		break;
	case TRANSFORM_REGION:
		return text_or_empty(json_str(v, "region"));
	case TRANSFORM_FORMAT:
		return str_from(arena_printf(a, "%s%s%s", json_str(v, "format"),
		    zone == NULL ? "" : " ", zone == NULL ? "" : zone));
	case TRANSFORM_LENGTH:
		return text_of(a, json_object_get(v, "length"));
	case TRANSFORM_PART:
		return text_or_empty(json_str(v, "part"));
	case TRANSFORM_VALUES:
		return values_write(a, v);
	case TRANSFORM_VALUE:
		return text_of(a, json_object_get(v, "value"));
	case TRANSFORM_FIELDS:
		return fields_write(a, v);
	}
	return STR("");
}

/* "MQL = lead" a line; a line without a sign is left out of what is read, and told. */
static void values_read(json_t *o, struct str text)
{
	json_t *values = json_object();
	struct str line, key;

	json_set(o, "values", values);
	while (str_split(&text, '\n', &line)) {
		struct str value = line;

		if (utf8_trim(line).n == 0)
			continue;
		(void)str_split(&value, '=', &key);
		key = utf8_trim(key);
		value = utf8_trim(value);
		if (str_is(key, "*"))
			json_set(o, "otherwise",
			    value.n == 0 ? json_null() : json_stringn(value.p, value.n));
		else
			json_object_setn_new(values, key.p, key.n,
			    json_stringn(value.n == 0 ? "" : value.p, value.n));
	}
}

static void fields_read(json_t *o, struct str text)
{
	json_t *list = json_array();
	struct str one;

	json_set(o, "fields", list);
	while (str_split(&text, ',', &one)) {
		one = utf8_trim(one);
		if (one.n > 0)
			json_array_append_new(list, json_stringn(one.p, one.n));
	}
}

/* "DD.MM.YYYY HH:mm Europe/Berlin": a zone is what has a stroke in it, or is UTC. */
static void format_read(json_t *o, struct str text)
{
	const char *blank = memrchr(text.p, ' ', text.n);
	struct str zone = blank == NULL
			      ? STR("")
			      : (struct str){blank + 1, text.n - (size_t)(blank + 1 - text.p)};

	if (blank != NULL && zone_is_known(zone)) {
		json_set_strn(o, "zone", zone);
		text = utf8_trim((struct str){text.p, (size_t)(blank - text.p)});
	}
	json_set_strn(o, "format", text);
}

static json_t *transform_read(const struct transform_kind *k, struct str text)
{
	json_t *o = json_object();
	int64_t n = 0;

	text = utf8_trim(text);
	json_set_str(o, "name", k->name);
	switch (k->option) {
	case TRANSFORM_PLAIN:
		break;
	case TRANSFORM_REGION:
		if (text.n > 0)
			json_set_strn(o, "region", text);
		break;
	case TRANSFORM_FORMAT:
		format_read(o, text.n == 0 ? STR("") : text);
		break;
	case TRANSFORM_LENGTH:
		(void)str_to_i64(text, 0, INT32_MAX, &n);
		json_set_int(o, "length", n);
		break;
	case TRANSFORM_PART:
		json_set_strn(o, "part", text);
		break;
	case TRANSFORM_VALUES:
		values_read(o, text);
		break;
	case TRANSFORM_VALUE:
		json_set_strn(o, "value", text);
		break;
	case TRANSFORM_FIELDS:
		fields_read(o, text);
		break;
	}
	return o;
}

/* ---- from a rule ----------------------------------------------------------------------------- */

static void row_take_transform(struct arena *a, const json_t *v, struct mapping_form_row *row)
{
	const char *name;
	const struct transform_kind *k;

	row->change = row->option = STR("");
	if (json_is_array(v) && json_array_size(v) == 1)
		v = json_array_get(v, 0);
	if (v == NULL || json_is_null(v) || (json_is_array(v) && json_array_size(v) == 0))
		return;
	name = json_is_string(v) ? json_string_value(v) : json_str(v, "name");
	k = name == NULL ? NULL : transform_kind_find(name);
	row->change = k == NULL ? STR(FORM_KEEP) : str_from(name);
	if (k != NULL)
		row->option = option_write(a, k, v);
}

static struct mapping_form_row row_of_rule(struct arena *a, json_t *rule)
{
	const json_t *constant = json_object_get(rule, "const"),
		     *fallback = json_object_get(rule, "default");
	const char *template = json_str(rule, "template");
	struct mapping_form_row row = {.was = rule,
	    .to = text_or_empty(json_str(rule, "to")),
	    .from = template != NULL   ? STR(FORM_TEXT)
		    : constant != NULL ? STR(FORM_FIXED)
				       : text_or_empty(json_str(rule, "from")),
	    .text = template != NULL                                      ? str_from(template)
		    : json_is_object(constant) || json_is_array(constant) ? json_text(a, constant)
									  : text_of(a, constant),
	    .empty = fallback != NULL              ? STR("send")
		     : json_bool(rule, "required") ? STR("fail")
						   : STR("skip"),
	    .instead = text_of(a, fallback)};

	row_take_transform(a, json_object_get(rule, "transform"), &row);
	return row;
}

static void form_take_rules(struct arena *a, json_t *rules, struct mapping_form *f)
{
	struct buf *except = buf_new(a, OPTION_BYTES);
	json_t *rule;
	size_t i;

	f->rows = arena_array(a, json_array_size(rules) + 1, sizeof(*f->rows));
	json_array_each(rules, i, rule) {
		if (json_bool(rule, "exclude"))
			buf_printf(except, "%s\n", json_str(rule, "from"));
		else
			f->rows[f->n++] = row_of_rule(a, rule);
	}
	f->except = (struct str){except->p, except->len};
}

void mapping_form_of_stored(struct req *r, const struct connection *c,
    const struct mapping_stored *m, struct mapping_form *out)
{
	json_t *rules = json_object_get(m->doc, "rules");

	*out = (struct mapping_form){.version = m->version,
	    .is_default = rules == NULL,
	    .includes_unmapped = json_bool(m->doc, "includeUnmapped"),
	    .doc = m->doc};
	form_take_rules(r->a, rules != NULL ? rules : mapping_own_rules(r->a, c->provider), out);
}

/* ---- to a rule ------------------------------------------------------------------------------- */

/* What was fixed as a number stays one as long as its text is the same. */
static void rule_set_text(
    struct arena *a, json_t *rule, const char *key, struct str text, const json_t *was)
{
	const json_t *before = json_object_get(was, key);
	struct str of = json_is_object(before) || json_is_array(before) ? json_text(a, before)
									: text_of(a, before);

	if (before != NULL && str_eq(of, text))
		json_set(rule, key, json_deep_copy(before));
	else
		json_set_strn(rule, key, text);
}

static json_t *rule_of_row(struct arena *a, const struct mapping_form_row *row)
{
	json_t *rule = json_object();
	const char *change = arena_strndup(a, row->change.p, row->change.n);
	const struct transform_kind *k = transform_kind_find(change);

	if (str_is(row->from, FORM_FIXED))
		rule_set_text(a, rule, "const", row->text, row->was);
	else if (str_is(row->from, FORM_TEXT))
		json_set_strn(rule, "template", row->text);
	else if (row->from.n > 0)
		json_set_strn(rule, "from", row->from);
	if (row->to.n > 0)
		json_set_strn(rule, "to", row->to);
	if (str_is(row->change, FORM_KEEP))
		json_set(rule, "transform", json_deep_copy(json_object_get(row->was, "transform")));
	else if (k != NULL)
		json_set(rule, "transform",
		    k->option == TRANSFORM_PLAIN ? json_string(k->name)
						 : transform_read(k, row->option));
	if (str_is(row->empty, "fail"))
		json_set_bool(rule, "required", true);
	else if (str_is(row->empty, "send"))
		rule_set_text(a, rule, "default", row->instead, row->was);
	return rule;
}

/* The rows first, so that a complaint's number is a row's. */
static json_t *form_doc(struct arena *a, const struct mapping_form *f)
{
	json_t *doc = json_own(a, json_object()), *rules = json_array();
	struct str rest = f->except, line;

	for (size_t i = 0; i < f->n; i++)
		json_array_append_new(rules, rule_of_row(a, &f->rows[i]));
	while (str_split(&rest, '\n', &line)) {
		json_t *rule;

		line = utf8_trim(line);
		if (line.n == 0)
			continue;
		rule = json_object();
		json_set_strn(rule, "from", line);
		json_set_bool(rule, "exclude", true);
		json_array_append_new(rules, rule);
	}
	json_set(doc, "rules", rules);
	json_set_bool(doc, "includeUnmapped", f->includes_unmapped);
	return doc;
}

/* ---- from the request ------------------------------------------------------------------------ */

static struct str row_field(struct req *r, const char *name, size_t i)
{
	return req_form(r, arena_printf(r->a, "%s_%zu", name, i));
}

static struct mapping_form_row row_read(struct req *r, size_t i)
{
	struct str was = row_field(r, "was", i);

	return (struct mapping_form_row){.from = utf8_trim(row_field(r, "from", i)),
	    .text = row_field(r, "text", i),
	    .change = row_field(r, "change", i),
	    .option = row_field(r, "option", i),
	    .to = utf8_trim(row_field(r, "to", i)),
	    .empty = row_field(r, "empty", i),
	    .instead = row_field(r, "instead", i),
	    .was = was.n == 0 ? NULL : json_parse(r->a, was, NULL)};
}

void mapping_form_read(struct req *r, struct mapping_form *out)
{
	int64_t n = 0, version = 0;

	(void)str_to_i64(req_form(r, "rows"), 0, MAPPING_RULES_MOST, &n);
	(void)str_to_i64(req_form(r, "version"), 0, INT32_MAX, &version);
	*out = (struct mapping_form){.rows = arena_array(r->a, (size_t)n + 2, sizeof(*out->rows)),
	    .version = version,
	    .includes_unmapped = req_form(r, "includeUnmapped").n > 0,
	    .except = req_form(r, "except")};
	(void)uuid_parse(req_form(r, "lead"), &out->lead_id);
	for (int64_t i = 0; i < n; i++)
		out->rows[out->n++] = row_read(r, (size_t)i);
	out->doc = form_doc(r->a, out);
}

void mapping_form_change(struct req *r, struct mapping_form *f, struct str act, struct str what)
{
	int64_t i = -1;
	struct mapping_form_row row;

	(void)str_to_i64(what, 0, (int64_t)f->n - 1, &i);
	if (str_is(act, "add")) {
		f->rows[f->n++] = (struct mapping_form_row){.empty = STR("skip")};
	} else if (str_is(act, "remove") && i >= 0) {
		memmove(f->rows + i, f->rows + i + 1, (f->n - (size_t)i - 1) * sizeof(*f->rows));
		f->n--;
	} else if ((str_is(act, "up") && i > 0) ||
		   (str_is(act, "down") && i >= 0 && (size_t)i + 1 < f->n)) {
		int64_t other = str_is(act, "up") ? i - 1 : i + 1;

		row = f->rows[i];
		f->rows[i] = f->rows[other];
		f->rows[other] = row;
	}
	f->doc = form_doc(r->a, f);
}

/* ---- complaints ------------------------------------------------------------------------------ */

struct form_complaints {
	struct arena *a;
	struct mapping_form *f;
};

/* "rules[2].transform.format" is of the third row's transform. */
static void form_complain(void *arg, const char *path, const char *reason)
{
	static const struct {
		const char *key;
		enum form_part part;
	} parts[] = {{"from", FORM_FROM}, {"template", FORM_FROM}, {"const", FORM_FROM},
	    {"transform", FORM_CHANGE}, {"to", FORM_TO}, {"default", FORM_EMPTY},
	    {"required", FORM_EMPTY}};
	struct form_complaints *c = arg;
	unsigned row = 0;
	int n = 0;
	enum form_part part = FORM_FROM;
	const char *text = arena_strdup(c->a, reason);

	if (sscanf(path, "rules[%u]%n", &row, &n) != 1 || n == 0) {
		c->f->problem = c->f->problem == NULL ? text : c->f->problem;
		return;
	}
	if (row >= c->f->n) {
		c->f->except_wrong = text;
		return;
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (path[n] == '.' &&
		    strncmp(path + n + 1, parts[i].key, strlen(parts[i].key)) == 0)
			part = parts[i].part;
	if (c->f->rows[row].wrong[part] == NULL)
		c->f->rows[row].wrong[part] = text;
}

bool mapping_form_check(struct req *r, struct mapping_form *f, const struct mapping_targets *t)
{
	struct form_complaints c = {r->a, f};
	struct json_reader in = {.complain = form_complain, .arg = &c};
	bool is_good = mapping_check(&in, r->a, f->doc, t);

	f->faults = in.faults;
	return is_good;
}

/* ---- showing --------------------------------------------------------------------------------- */

static json_t *choice_add(json_t *list, const char *value, const char *label, struct str current)
{
	json_t *o = json_object();

	json_set_str(o, "value", value);
	json_set_str(o, "label", label);
	json_set_bool(o, "is_current", str_is(current, value));
	json_array_append_new(list, o);
	return o;
}

static bool sources_have(const json_t *sources, struct str path)
{
	const json_t *o;
	size_t i;

	json_array_each(sources, i, o)
		if (str_is(path, json_str(o, "path")))
			return true;
	return false;
}

/* Several places say in words which goes first. */
static const char *places_label(struct arena *a, struct str from)
{
	struct buf *b = buf_new(a, 1000);
	const char *bar;

	while ((bar = memmem(from.p, from.n, "||", 2)) != NULL) {
		struct str part = utf8_trim((struct str){from.p, (size_t)(bar - from.p)});

		buf_printf(b, "%.*s, else ", (int)part.n, part.p);
		from = (struct str){bar + 2, from.n - (size_t)(bar + 2 - from.p)};
	}
	from = utf8_trim(from);
	buf_printf(b, "%.*s", (int)from.n, from.p);
	return b->p;
}

/* [{heading, choices[]}] */
static json_t *source_groups(struct arena *a, const json_t *sources, struct str current)
{
	json_t *groups = json_array(), *group = NULL, *choices = NULL;
	const json_t *o;
	size_t i;

	json_array_each(sources, i, o) {
		const char *example = json_str(o, "example"), *label = json_str(o, "label");

		if (group == NULL ||
		    strcmp(json_str(group, "heading"), json_str(o, "group")) != 0) {
			group = json_object();
			choices = json_array();
			json_set_str(group, "heading", json_str(o, "group"));
			json_set(group, "choices", choices);
			json_array_append_new(groups, group);
		}
		(void)choice_add(choices, json_str(o, "path"),
		    example == NULL ? label : arena_printf(a, "%s, such as %s", label, example),
		    current);
	}
	return groups;
}

static const char *change_label(struct arena *a, const json_t *was)
{
	struct buf *b = buf_new(a, 400);
	const json_t *v;
	size_t i;

	json_array_each(json_object_get(was, "transform"), i, v)
		buf_printf(b, "%s%s", i > 0 ? ", then " : "",
		    json_is_string(v) ? json_string_value(v) : json_str(v, "name"));
	return b->len == 0 ? "As it was saved" : b->p;
}

static json_t *change_choices(struct arena *a, const struct mapping_form_row *row)
{
	json_t *list = json_array();

	(void)choice_add(list, "", "As it is", row->change);
	if (str_is(row->change, FORM_KEEP))
		(void)choice_add(list, FORM_KEEP, change_label(a, row->was), row->change);
	for (const struct transform_kind *k = transform_kinds; k->name != NULL; k++)
		json_set_bool(choice_add(list, k->name, k->label, row->change), "asks",
		    k->option != TRANSFORM_PLAIN);
	return list;
}

const char *mapping_target_label(struct arena *a, const json_t *field)
{
	const char *label = json_str(field, "label");

	return arena_printf(a, "%s (%s%s)", label == NULL ? json_str(field, "name") : label,
	    json_str(field, "type"), json_bool(field, "isNeeded") ? ", needed" : "");
}

static const char *target_told(struct arena *a, const struct mapping_targets *t, struct str to)
{
	const json_t *f;
	size_t i;

	json_array_each(t->fields, i, f)
		if (str_is(to, json_str(f, "name")))
			return mapping_target_label(a, f);
	return NULL;
}

static void row_show_wrong(json_t *o, const struct mapping_form_row *row)
{
	static const char *const names[] = {
	    "wrong_from", "wrong_change", "wrong_to", "wrong_empty"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_set_str(o, names[i], row->wrong[i]);
}

static json_t *row_show(struct req *r, const struct mapping_form *f, size_t i,
    const json_t *sources, const struct mapping_targets *t)
{
	const struct mapping_form_row *row = &f->rows[i];
	struct arena *a = r->a;
	json_t *o = json_object(), *empty = json_array();
	const char *change = arena_strndup(a, row->change.p, row->change.n);
	const struct transform_kind *k = transform_kind_find(change);
	bool is_own = row->from.n > 0 && row->from.p[0] != '=' && !sources_have(sources, row->from);

	json_set_int(o, "i", (int64_t)i);
	json_set_int(o, "number", (int64_t)i + 1);
	json_set_bool(o, "is_first", i == 0);
	json_set_bool(o, "is_last", i + 1 == f->n);
	json_set(o, "groups", source_groups(a, sources, row->from));
	json_set_strn(o, "own_from", is_own ? row->from : (struct str){NULL, 0});
	json_set_str(o, "own_label", is_own ? places_label(a, row->from) : NULL);
	json_set_bool(o, "is_text", str_is(row->from, FORM_TEXT));
	json_set_bool(o, "is_fixed", str_is(row->from, FORM_FIXED));
	json_set_strn(o, "text", row->text);
	json_set(o, "changes", change_choices(a, row));
	json_set_strn(o, "option", row->option);
	json_set_str(o, "hint", k == NULL ? NULL : k->hint);
	json_set_strn(o, "to", row->to);
	json_set_str(o, "told", target_told(a, t, row->to));
	(void)choice_add(empty, "skip", "Leave it out", row->empty);
	(void)choice_add(empty, "fail", "Don't send the lead", row->empty);
	json_set_bool(choice_add(empty, "send", "Send this instead:", row->empty), "asks", true);
	json_set(o, "empties", empty);
	json_set_strn(o, "instead", row->instead);
	json_set_str(o, "was", row->was == NULL ? NULL : json_text(a, row->was).p);
	row_show_wrong(o, row);
	return o;
}

/* What the destination takes no lead without and no row fills. */
static void show_unfilled(
    struct arena *a, const struct mapping_form *f, const struct mapping_targets *t, json_t *data)
{
	struct buf *b = buf_new(a, 1000);
	const json_t *field;
	size_t i;

	json_array_each(t->fields, i, field) {
		bool is_filled = !json_bool(field, "isNeeded");

		for (size_t k = 0; k < f->n; k++)
			is_filled = is_filled || str_is(f->rows[k].to, json_str(field, "name"));
		if (!is_filled)
			buf_printf(b, "%s%s", b->len > 0 ? ", " : "", json_str(field, "name"));
	}
	json_set_str(data, "unfilled", b->len > 0 ? b->p : NULL);
}

void mapping_form_show(struct req *r, const struct mapping_form *f, const json_t *sources,
    const struct mapping_targets *t, json_t *data)
{
	json_t *rows = json_array();

	json_set(data, "rows", rows);
	for (size_t i = 0; i < f->n; i++)
		json_array_append_new(rows, row_show(r, f, i, sources, t));
	json_set_int(data, "row_count", (int64_t)f->n);
	json_set_bool(data, "has_rows", f->n > 0);
	json_set_bool(data, "is_default", f->is_default);
	json_set_bool(data, "includes_unmapped", f->includes_unmapped);
	json_set_strn(data, "except", f->except);
	json_set_str(data, "except_wrong", f->except_wrong);
	json_set_bool(data, "may_add", f->n < MAPPING_RULES_MOST);
	show_unfilled(r->a, f, t, data);
	if (f->problem != NULL)
		chrome_wrong(r, data, "problem", f->problem);
	else if (f->faults > 0)
		chrome_wrong(r, data, "rows", "wrong");
}
