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

/* A body in the making: a template may repeat what a lead has, so what it grows to is bounded. */
struct filling {
	struct arena *a;
	const json_t *lead;
	size_t weight;
};

static json_t *fill(struct filling *f, const json_t *template);

static bool is_over(const struct filling *f)
{
	return f->weight > LIMIT_JSON_BYTES;
}

/* A copy for the body; null once there is too much. */
static json_t *copied(struct filling *f, const json_t *v)
{
	f->weight += json_weight(v);
	return is_over(f) ? json_null() : json_deep_copy(v);
}

/* The value that {{path}} names, or NULL. */
static json_t *placeholder(const struct filling *f, struct str path)
{
	struct str t = str_trim(path);

	return path_lookup(f->a, f->lead, arena_strndup(f->a, t.p, t.n));
}

/* The whole text is one {{path}}: the value itself, with its type; a missing one is null. */
static json_t *fill_whole(struct filling *f, struct str path)
{
	json_t *v = placeholder(f, path);

	return v == NULL ? json_null() : copied(f, v);
}

static json_t *fill_text(struct filling *f, struct str text)
{
	struct buf *out = buf_new(f->a, LIMIT_RECORD_BYTES);

	/* its first end is the end of all */
	if (text.n > 4 && str_starts(text, "{{") &&
	    memmem(text.p, text.n, "}}", 2) == text.p + text.n - 2)
		return fill_whole(f, (struct str){text.p + 2, text.n - 4});
	while (text.n > 0 && buf_ok(out)) {
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
		v = placeholder(f, (struct str){text.p + 2, (size_t)(close - text.p) - 2});
		s = v == NULL ? NULL : json_scalar_text(f->a, v);
		buf_str(out, s == NULL ? "" : s);
		text = (struct str){close + 2, text.n - (size_t)(close - text.p) - 2};
	}
	f->weight += buf_ok(out) ? out->len : LIMIT_JSON_BYTES + 1;
	return json_stringn(out->p, out->len);
}

static json_t *fill_object(struct filling *f, const json_t *template)
{
	json_t *out = json_object(), *v;
	const char *key;

	json_object_each(template, key, v)
		json_set(out, key, fill(f, v));
	return out;
}

/* A template's strings with their {{path}} placeholders replaced from the lead; a new value. */
static json_t *fill(struct filling *f, const json_t *template)
{
	json_t *out;

	if (is_over(f))
		return json_null();
	if (json_is_string(template))
		return fill_text(
		    f, (struct str){json_string_value(template), json_string_length(template)});
	if (json_is_object(template))
		return fill_object(f, template);
	if (!json_is_array(template))
		return json_deep_copy(template);
	out = json_array();
	for (size_t i = 0; i < json_array_size(template); i++)
		json_array_append_new(out, fill(f, json_array_get(template, i)));
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

static int map_by_rule(struct filling *f, const json_t *rule, json_t *out, struct err *err)
{
	const char *to = json_str(rule, "to"), *from = json_str(rule, "from");
	json_t *v = json_object_get(rule, "const");
	struct path *path;

	if (to == NULL || (path = path_compile(f->a, str_from(to), err)) == NULL)
		return err_set(err, ERR_INVALID, "mapping: a rule without a target");
	if (v == NULL && from != NULL)
		v = path_lookup(f->a, f->lead, from);
	if (v == NULL || json_is_null(v)) {
		if (json_bool(rule, "required"))
			return err_set(err, ERR_INVALID, "the lead has no %s, which %s needs",
			    from == NULL ? "value" : from, to);
		return 0;
	}
	return path_set(path, out, copied(f, v), err);
}

json_t *crm_map_lead(struct arena *a, const struct connection *c, const json_t *mapping,
    const json_t *lead, struct err *err)
{
	const json_t *template = json_object_get(c->access.settings, "bodyTemplate");
	const json_t *rules = json_object_get(mapping, "rules");
	struct filling f = {a, lead, 0};
	json_t *out;

	if (template != NULL && !json_is_null(template)) {
		out = json_own(a, fill(&f, template));
	} else if (!json_is_array(rules)) {
		out = json_own(a, map_by_default(lead));
	} else {
		out = json_own(a, json_object());
		for (size_t i = 0; i < json_array_size(rules); i++)
			if (map_by_rule(&f, json_array_get(rules, i), out, err) == -1)
				return NULL;
	}
	if (is_over(&f)) {
		err_set(err, ERR_INVALID, "the body made of this lead would be too large");
		return NULL;
	}
	return out;
}
