/* A manifest's credentials and settings as a form, and back. */
#include "connection/connection-form.h"

#include <string.h>

#include "base/config.h"
#include "base/limits.h"
#include "connection/connection-internal.h"

static bool form_is_posted(const struct req *r)
{
	return r->method == HTTP_POST;
}

static const char *form_sent_text(struct req *r, struct str s)
{
	return arena_strndup(r->a, s.n > 0 ? s.p : "", s.n);
}

/* ---- values as text -------------------------------------------------------------------------- */

/* Names and values of an object, one per line. */
static const char *lines_of_object(struct arena *a, const json_t *v)
{
	struct buf *b = buf_new(a, LIMIT_BODY_FORM);
	const char *key;
	json_t *member;

	json_object_each(v, key, member) {
		const char *text = json_scalar_text(a, member);
		buf_printf(b, "%s: %s\n", key, text != NULL ? text : "");
	}
	return b->p;
}

static const char *setting_text(struct arena *a, const struct setting_spec *s, const json_t *v)
{
	if (v == NULL)
		return "";
	if (s->type == SETTING_HEADERS || s->type == SETTING_PATHS)
		return lines_of_object(a, v);
	if (json_is_object(v) || json_is_array(v))
		return json_pretty(a, v).p;
	const char *text = json_scalar_text(a, v);
	return text != NULL ? text : "";
}

/* ---- fields ---------------------------------------------------------------------------------- */

static const char *setting_kind(enum setting_type type)
{
	switch (type) {
	case SETTING_INTEGER:
		return "is_number";
	case SETTING_BOOLEAN:
		return "is_checkbox";
	case SETTING_CHOICE:
		return "is_select";
	case SETTING_HEADERS:
	case SETTING_PATHS:
	case SETTING_TEMPLATE:
	case SETTING_CONDITION:
		return "is_lines";
	default:
		return "is_text";
	}
}

struct form_fields {
	struct req *r;
	const struct err *wrong;
	bool has_shown_error;
};

static json_t *form_add_field(struct form_fields *f, json_t *list, const char *name,
    const char *label, const char *help, bool is_needed)
{
	json_t *o = json_object();
	bool is_wrong = f->wrong != NULL && strcmp(f->wrong->field, name) == 0;

	json_set_str(o, "name", name);
	json_set_str(o, "label", label);
	json_set_str(o, "help", help);
	json_set_bool(o, "is_needed", is_needed);
	json_set_str(o, "error", is_wrong ? f->wrong->msg : NULL);
	f->has_shown_error = f->has_shown_error || is_wrong;
	json_array_append_new(list, o);
	return o;
}

static void field_add_choices(
    struct req *r, json_t *field, const struct setting_spec *s, const char *value)
{
	json_t *choices = json_array();

	(void)r;
	for (size_t i = 0; i < s->nchoices; i++) {
		json_t *o = json_object();
		json_set_str(o, "value", s->choices[i]);
		json_set_bool(o, "is_current", strcmp(s->choices[i], value) == 0);
		json_array_append_new(choices, o);
	}
	json_set(field, "choices", choices);
}

static void form_add_settings(struct form_fields *f, const char *prefix,
    const struct setting_spec *specs, size_t n, const json_t *settings, json_t *list, json_t *more)
{
	struct req *r = f->r;

	for (size_t i = 0; i < n; i++) {
		const struct setting_spec *s = &specs[i];
		const char *name = arena_printf(r->a, "%s.%s", prefix, s->key);
		const json_t *stored = json_object_get(settings, s->key);
		bool is_common =
		    s->is_needed || more == NULL || strcmp(s->key, "externalAccountId") == 0;
		if (s->type == SETTING_OBJECT) {
			form_add_settings(f, name, s->members, s->nmembers, stored,
			    is_common ? list : more, NULL);
			continue;
		}
		json_t *field = form_add_field(
		    f, is_common ? list : more, name, s->label, s->help, s->is_needed);
		const char *value = form_is_posted(r) ? form_sent_text(r, req_form(r, name))
						      : setting_text(r->a, s, stored);
		json_set_bool(field, setting_kind(s->type), true);
		json_set_str(field, "value", value);
		json_set_bool(field, "is_on", strcmp(value, "true") == 0);
		if (s->type == SETTING_CHOICE)
			field_add_choices(r, field, s, value);
	}
}

/* Only where there is a secret to be changed. */
static void form_add_grace(
    struct form_fields *f, const struct provider *p, const struct connection *c, json_t *data)
{
	struct req *r = f->r;
	bool is_wrong = f->wrong != NULL && strcmp(f->wrong->field, "secretGraceHours") == 0;

	json_set_bool(data, "has_grace", c != NULL && p->nsignatures > 0);
	json_set_str(data, "grace_hours",
	    form_is_posted(r)
		? form_sent_text(r, req_form(r, "secretGraceHours"))
		: arena_printf(r->a, "%lld", (long long)r->app->config->secret_grace_hours));
	json_set_str(data, "grace_error", is_wrong ? f->wrong->msg : NULL);
	f->has_shown_error = f->has_shown_error || is_wrong;
}

void connection_form_fields(struct req *r, const struct provider *p, const struct connection *c,
    const struct err *wrong, json_t *data)
{
	struct form_fields f = {.r = r, .wrong = wrong};
	json_t *credentials = json_array(), *settings = json_array(), *more = json_array();

	for (size_t i = 0; i < p->ncredentials; i++) {
		const struct credential_spec *s = &p->credentials[i];
		json_t *field =
		    form_add_field(&f, credentials, arena_printf(r->a, "credentials.%s", s->key),
			s->label, s->help, s->is_needed && c == NULL);
		json_set_bool(field, "is_plain",
		    strcmp(s->key, "username") == 0 || strcmp(s->key, "accountSid") == 0);
		/* marked as wrong it is asked for again: what is stored will not do */
		bool is_stored = access_credential(connection_access(c), s->key) != NULL,
		     is_wrong = json_str(field, "error") != NULL;
		json_set_bool(field, "is_stored", is_stored && !is_wrong);
		if (is_stored && is_wrong)
			json_set_bool(field, "is_needed", true);
	}
	form_add_grace(&f, p, c, data);
	form_add_settings(&f, "settings", p->settings, p->nsettings,
	    c != NULL ? c->access.settings : NULL, settings, more);
	json_set_str(data, "name",
	    form_is_posted(r) ? form_sent_text(r, req_form(r, "name"))
	    : c != NULL       ? c->name
			      : p->display_name);
	json_set_str(data, "error",
	    wrong == NULL       ? NULL
	    : f.has_shown_error ? "Please look at the field marked below."
				: arena_printf(r->a, "%s%s%s", wrong->field,
				      wrong->field[0] != '\0' ? ": " : "", wrong->msg));
	json_set(data, "credentials", credentials);
	json_set(data, "settings", settings);
	json_set_bool(data, "is_more_open", wrong != NULL || c != NULL);
	json_set_bool(data, "has_more", json_array_size(more) > 0);
	json_set(data, "more", more);
}

/* ---- the form as a body ---------------------------------------------------------------------- */

/* "name: value" lines. */
static json_t *object_of_lines(struct req *r, struct str text)
{
	json_t *o = json_object();
	struct str line, name;

	while (str_split(&text, '\n', &line)) {
		struct str rest = utf8_trim(line);
		if (rest.n == 0 || !str_split(&rest, ':', &name))
			continue;
		json_set_strn(
		    o, arena_strndup(r->a, utf8_trim(name).p, utf8_trim(name).n), utf8_trim(rest));
	}
	return o;
}

/* What a field means; NULL when it is empty. What is not of its type stays text, for the check to
 * name. */
static json_t *setting_of_field(struct req *r, const struct setting_spec *s, const char *name)
{
	struct str text = utf8_trim(req_form(r, name));
	int64_t number;

	if (s->type == SETTING_BOOLEAN)
		return text.n > 0 ? json_boolean(str_is(text, "true")) : NULL;
	if (text.n == 0)
		return NULL;
	if (s->type == SETTING_INTEGER && str_to_i64(text, INT64_MIN, INT64_MAX, &number))
		return json_integer(number);
	if (s->type == SETTING_HEADERS || s->type == SETTING_PATHS)
		return object_of_lines(r, text);
	return json_stringn(text.p, text.n);
}

static json_t *settings_of_form(
    struct req *r, const char *prefix, const struct setting_spec *specs, size_t n, bool with_nulls)
{
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++) {
		const char *name = arena_printf(r->a, "%s.%s", prefix, specs[i].key);
		json_t *v;
		if (specs[i].type == SETTING_OBJECT) {
			v = settings_of_form(r, name, specs[i].members, specs[i].nmembers, false);
			if (json_object_size(v) == 0) {
				json_decref(v);
				v = NULL;
			}
		} else {
			v = setting_of_field(r, &specs[i], name);
		}
		if (v != NULL)
			json_set(o, specs[i].key, v);
		else if (with_nulls)
			json_set(o, specs[i].key, json_null());
	}
	return o;
}

static json_t *body_of_form(struct req *r, const struct provider *p, bool with_nulls)
{
	json_t *body = json_own(r->a, json_object()), *credentials = json_object();
	struct str name = utf8_trim(req_form(r, "name"));

	if (name.n > 0)
		json_set_strn(body, "name", name);
	for (size_t i = 0; i < p->ncredentials; i++) {
		struct str value = utf8_trim(
		    req_form(r, arena_printf(r->a, "credentials.%s", p->credentials[i].key)));
		if (value.n > 0)
			json_set_strn(credentials, p->credentials[i].key, value);
	}
	if (json_object_size(credentials) > 0 || !with_nulls)
		json_set(body, "credentials", credentials);
	else
		json_decref(credentials);
	json_set(body, "settings",
	    settings_of_form(r, "settings", p->settings, p->nsettings, with_nulls));
	return body;
}

json_t *connection_form_body(struct req *r, const struct provider *p)
{
	return body_of_form(r, p, false);
}

json_t *connection_form_changes(struct req *r, const struct connection *c)
{
	json_t *body = body_of_form(r, c->provider, true);
	struct str hours = utf8_trim(req_form(r, "secretGraceHours"));
	int64_t n;

	/* With no new secret it would be of those from before. */
	if (hours.n == 0 || json_object_get(body, "credentials") == NULL)
		return body;
	json_set(body, "secretGraceHours",
	    str_to_i64(hours, INT64_MIN, INT64_MAX, &n) ? json_integer(n)
							: json_stringn(hours.p, hours.n));
	return body;
}

/* ---- settings for reading -------------------------------------------------------------------- */

static void form_add_values(
    struct req *r, json_t *list, const struct setting_spec *specs, size_t n, const json_t *settings)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_object_get(settings, specs[i].key);
		if (v == NULL)
			continue;
		if (specs[i].type == SETTING_OBJECT) {
			form_add_values(r, list, specs[i].members, specs[i].nmembers, v);
			continue;
		}
		json_t *o = json_object();
		json_set_str(o, "label", specs[i].label);
		json_set_str(o, "value", setting_text(r->a, &specs[i], v));
		json_array_append_new(list, o);
	}
}

json_t *connection_form_values(struct req *r, const struct connection *c)
{
	json_t *list = json_array();

	form_add_values(r, list, c->provider->settings, c->provider->nsettings, c->access.settings);
	return list;
}
