/* From a normalized lead to the body a destination is sent. */
#include "base/buf.h"
#include "base/limits.h"
#include "base/path.h"
#include "crm/crm-internal.h"

DB_STMT(mapping_by_connection,
    "SELECT mapping FROM mappings WHERE account_id = ? AND connection_id = ?");

static const struct {
	const char *from, *to;
} defaults[] = {{"email", "email"}, {"firstName", "first_name"}, {"lastName", "last_name"},
    {"fullName", "full_name"}, {"phoneNumber", "phone"}, {"company", "company"}};

int mapping_load(
    struct db *db, struct arena *a, const struct connection *c, json_t **out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(db, a, &mapping_by_connection,
	    DB_VALS(db_uuid(&c->account_id), db_uuid(&c->id)), &rows, err);

	*out = NULL;
	if (found != 1)
		return found;
	*out = json_parse(a, db_get_str(&rows, 0, 0), err);
	return *out == NULL ? -1 : 1;
}

/* ---- body template ----------------------------------------------------------------------- */

static json_t *fill(struct arena *a, const json_t *template, const json_t *lead);

/* The whole text is one {{path}}: the value itself, with its type; a missing one is null. */
static json_t *fill_whole(struct arena *a, struct str path, const json_t *lead)
{
	struct str t = str_trim(path);
	json_t *v = path_lookup(a, lead, arena_strndup(a, t.p, t.n));

	return v == NULL ? json_null() : json_deep_copy(v);
}

static json_t *fill_text(struct arena *a, struct str text, const json_t *lead)
{
	struct buf *out = buf_new(a, LIMIT_RECORD_BYTES);

	/* its first end is the end of all */
	if (text.n > 4 && str_starts(text, "{{") &&
	    memmem(text.p, text.n, "}}", 2) == text.p + text.n - 2)
		return fill_whole(a, (struct str){text.p + 2, text.n - 4}, lead);
	while (text.n > 0) {
		const char *open = memmem(text.p, text.n, "{{", 2), *close;
		size_t before = open == NULL ? text.n : (size_t)(open - text.p);
		json_t *v;
		const char *s;

		buf_add(out, text.p, before);
		text = (struct str){text.p + before, text.n - before};
		if (open == NULL)
			break;
		close = memmem(text.p, text.n, "}}", 2);
		if (close == NULL) {
			buf_add(out, text.p, text.n);
			break;
		}
		v = json_own(
		    a, fill_whole(a, (struct str){text.p + 2, (size_t)(close - text.p) - 2}, lead));
		s = json_scalar_text(a, v);
		buf_str(out, s == NULL ? "" : s);
		text = (struct str){close + 2, text.n - (size_t)(close - text.p) - 2};
	}
	return json_stringn(out->p, out->len);
}

static json_t *fill_object(struct arena *a, const json_t *template, const json_t *lead)
{
	json_t *out = json_object(), *v;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t) template, key, v)
	    json_set(out, key, fill(a, v, lead));
	return out;
}

/* A template's strings with their {{path}} placeholders replaced from the lead; a new value. */
static json_t *fill(struct arena *a, const json_t *template, const json_t *lead)
{
	json_t *out;

	if (json_is_string(template))
		return fill_text(a,
		    (struct str){json_string_value(template), json_string_length(template)}, lead);
	if (json_is_object(template))
		return fill_object(a, template, lead);
	if (!json_is_array(template))
		return json_deep_copy(template);
	out = json_array();
	for (size_t i = 0; i < json_array_size(template); i++)
		json_array_append_new(out, fill(a, json_array_get(template, i), lead));
	return out;
}

/* ---- mapping ----------------------------------------------------------------------------- */

static json_t *map_by_default(const json_t *lead)
{
	json_t *out = json_object();

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		json_t *v = json_object_get(lead, defaults[i].from);

		if (v != NULL && !json_is_null(v))
			json_set(out, defaults[i].to, json_deep_copy(v));
	}
	return out;
}

static int map_by_rule(
    struct arena *a, const json_t *rule, const json_t *lead, json_t *out, struct err *err)
{
	const char *to = json_str(rule, "to"), *from = json_str(rule, "from");
	json_t *v = json_object_get(rule, "const");
	struct path *path;

	if (to == NULL || (path = path_compile(a, str_from(to), err)) == NULL)
		return err_set(err, ERR_INVALID, "mapping: a rule without a target");
	if (v == NULL && from != NULL)
		v = path_lookup(a, lead, from);
	if (v == NULL || json_is_null(v)) {
		if (json_bool(rule, "required"))
			return err_set(err, ERR_INVALID, "the lead has no %s, which %s needs",
			    from == NULL ? "value" : from, to);
		return 0;
	}
	return path_set(path, out, json_deep_copy(v), err);
}

json_t *crm_map_lead(struct arena *a, const struct connection *c, const json_t *mapping,
    const json_t *lead, struct err *err)
{
	const json_t *template = json_object_get(c->settings, "bodyTemplate");
	const json_t *rules = json_object_get(mapping, "rules");
	json_t *out;

	if (template != NULL && !json_is_null(template))
		return json_own(a, fill(a, template, lead));
	if (!json_is_array(rules))
		return json_own(a, map_by_default(lead));
	out = json_own(a, json_object());
	for (size_t i = 0; i < json_array_size(rules); i++)
		if (map_by_rule(a, json_array_get(rules, i), lead, out, err) == -1)
			return NULL;
	return out;
}
