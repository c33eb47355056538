/* A manifest's credentials and settings as a form, and back. */
#include "connection/connection-form.h"

#include <string.h>

#include "base/config.h"
#include "base/limits.h"
#include "connection/connection-internal.h"
#include "html/chrome.h"

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

/* ---- its name -------------------------------------------------------------------------------- */

/* Does another connection than c (NULL: a new one) go by it? By case they are not told apart. */
static bool name_is_taken(
    struct arena *a, const json_t *names, const struct connection *c, const char *name)
{
	const char *id, *own = c == NULL ? "" : uuid_dup(a, c->id);
	json_t *o;

	json_object_each(names, id, o)
		if (strcmp(id, own) != 0 && strcasecmp(json_str(o, "name"), name) == 0)
			return true;
	return false;
}

/* "Custom CRM", or where one is called so "Custom CRM 2". */
static const char *form_free_name(struct req *r, const struct provider *p, const json_t *names)
{
	const char *name = p->display_name;

	for (int i = 2; name_is_taken(r->a, names, NULL, name); i++)
		name = arena_printf(r->a, "%s %d", p->display_name, i);
	return name;
}

/* Without the others' names any is free. */
static const char *form_proposed_name(struct req *r, const struct provider *p)
{
	struct err ignored = ERR_INIT;
	json_t *names;

	if (connection_names(r->app, r->a, &r->actor.account_id, &names, &ignored) == -1)
		return p->display_name;
	return form_free_name(r, p, names);
}

int connection_form_name(struct req *r, const struct provider *p, const struct connection *c,
    json_t *body, struct err *err)
{
	const char *name = json_str(body, "name");
	json_t *names;

	if (c != NULL && (name == NULL || strcmp(name, c->name) == 0))
		return 0;
	if (connection_names(r->app, r->a, &r->actor.account_id, &names, err) == -1)
		return -1;
	if (name == NULL)
		json_set_str(body, "name", form_free_name(r, p, names));
	else if (name_is_taken(r->a, names, c, name))
		return err_field(err, ERR_INVALID, "name",
		    "is taken by another connection: choose one that tells them apart");
	return 0;
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
	const struct provider *p;
	const struct connection *c; /* NULL: a new one */
	const struct err *wrong;
	const char *shown; /* the label of the field that is marked; NULL: none is */
};

/* ---- what is wrong, in words ----------------------------------------------------------------- */

static bool text_begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* The other credential of "is needed (or KEY)", or NULL. */
static const char *form_other_credential(struct form_fields *f)
{
	const char *at = strstr(f->wrong->msg, "(or ");

	if (at == NULL || sign_in_is_asked(f->p)) /* the other one is of another choice */
		return NULL;
	at += 4;
	return manifest_credential_words(
	    f->r->a, f->p, arena_strndup(f->r->a, at, strcspn(at, ")")));
}

/* "Enter the client secret or the private-app token." Errors are written to follow the name of
 * their field, which is what the API says. */
static const char *form_error_words(
    struct form_fields *f, const char *label, const char *member, bool is_address)
{
	struct arena *a = f->r->a;
	const char *msg = f->wrong->msg, *key = strrchr(f->wrong->field, '.'), *name = label,
		   *other;

	if (text_begins(msg, "is needed")) {
		if (text_begins(f->wrong->field, "credentials.") && key != NULL)
			name = manifest_credential_words(a, f->p, key + 1);
		other = form_other_credential(f);
		return arena_printf(a, "Enter the %s%s%s.", name, other != NULL ? " or the " : "",
		    other != NULL ? other : "");
	}
	if (is_address)
		return arena_printf(a,
		    "Enter a full address such as https://crm.example.com/leads: this one %s.",
		    msg);
	return arena_printf(
	    a, "%s%s%s %s.", label, member != NULL ? ": " : "", member != NULL ? member : "", msg);
}

/* Where the field's value is an object, the member of it that the error is of; NULL: all of it. */
static const char *form_wrong_member(const struct form_fields *f, const char *name)
{
	size_t n = strlen(name);

	return text_begins(f->wrong->field, name) && f->wrong->field[n] == '.'
		   ? f->wrong->field + n + 1
		   : NULL;
}

static json_t *form_add_field(struct form_fields *f, json_t *list, const char *name,
    const char *label, const char *help, bool is_needed)
{
	json_t *o = json_object();
	const char *member = f->wrong != NULL ? form_wrong_member(f, name) : NULL;
	bool is_wrong = f->wrong != NULL && (member != NULL || strcmp(f->wrong->field, name) == 0);

	json_set_str(o, "name", name);
	json_set_str(o, "label", label);
	json_set_str(o, "help", help);
	json_set_bool(o, "is_needed", is_needed);
	json_set_str(o, "error", is_wrong ? form_error_words(f, label, member, false) : NULL);
	json_set_str(o, "described",
	    is_wrong || help != NULL
		? arena_printf(f->r->a, "%s%s%s%s%s", is_wrong ? name : "",
		      is_wrong ? "-wrong" : "", is_wrong && help != NULL ? " " : "",
		      help != NULL ? name : "", help != NULL ? "-help" : "")
		: NULL);
	json_set_bool(o, "is_first_wrong", is_wrong);
	if (is_wrong)
		f->shown = label;
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

/* What was asked step by step is found again without a fold. */
static bool guide_asks(const struct provider *p, const char *name)
{
	for (size_t i = 0; i < p->guide.nsteps; i++)
		for (size_t k = 0; k < p->guide.steps[i].nfields; k++)
			if (strcmp(p->guide.steps[i].fields[k], name) == 0)
				return true;
	return false;
}

static void form_add_settings(struct form_fields *f, const char *prefix,
    const struct setting_spec *specs, size_t n, const json_t *settings, json_t *list, json_t *more)
{
	struct req *r = f->r;

	for (size_t i = 0; i < n; i++) {
		const struct setting_spec *s = &specs[i];
		const char *name = arena_printf(r->a, "%s.%s", prefix, s->key);
		const json_t *stored = json_object_get(settings, s->key);
		if (sign_in_is_asked(f->p) && strcmp(name, "settings.auth") == 0)
			continue; /* asked first: form_add_sign_in */
		bool is_common = s->is_needed || more == NULL ||
				 strcmp(s->key, "externalAccountId") == 0 || guide_asks(f->p, name);
		if (s->type == SETTING_OBJECT) {
			form_add_settings(f, name, s->members, s->nmembers, stored,
			    is_common ? list : more, NULL);
			continue;
		}
		json_t *field = form_add_field(
		    f, is_common ? list : more, name, s->label, s->help, s->is_needed);
		if (s->type == SETTING_URL && json_str(field, "error") != NULL)
			json_set_str(field, "error", form_error_words(f, s->label, NULL, true));
		const char *value = form_is_posted(r) ? form_sent_text(r, req_form(r, name))
						      : setting_text(r->a, s, stored);
		json_set_bool(field, setting_kind(s->type), true);
		json_set_str(field, "value", value);
		json_set_str(field, "example", s->example);
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
	if (is_wrong)
		f->shown = "Hours that the former secret stays good";
}

static void form_add_credential(
    struct form_fields *f, json_t *list, const struct credential_spec *s)
{
	json_t *field =
	    form_add_field(f, list, arena_printf(f->r->a, "credentials.%s", s->key), s->label,
		s->help, s->is_needed && (f->c == NULL || (f->c->shut & SHUT_CREDENTIALS) != 0));

	json_set_bool(field, "is_plain",
	    strcmp(s->key, "username") == 0 || strcmp(s->key, "accountSid") == 0);
	/* marked as wrong it is asked for again: what is stored will not do */
	bool is_stored = access_credential(connection_access(f->c), s->key) != NULL,
	     is_wrong = json_str(field, "error") != NULL;
	json_set_bool(field, "is_stored", is_stored && !is_wrong);
	if (is_stored && is_wrong)
		json_set_bool(field, "is_needed", true);
	json_set_bool(field, "is_lost",
	    form_is_posted(f->r) && !is_wrong && req_form(f->r, json_str(field, "name")).n > 0);
	json_set_bool(field, "is_credential", true);
}

#define SIGN_INS_MOST 8

/* The kind that the form shows as chosen: NULL before somebody chose. */
static const char *form_sign_in(struct req *r, const struct connection *c)
{
	const json_t *auth = c == NULL ? NULL : json_object_get(c->access.settings, "auth");
	const char *type = json_str(auth, "type");

	if (form_is_posted(r))
		return form_sent_text(r, req_form(r, "settings.auth.type"));
	return c != NULL && type == NULL ? "none" : type;
}

/* "How does it sign in?", with the fields that each answer needs. */
static void form_add_sign_in(struct form_fields *f, json_t *data)
{
	struct req *r = f->r;
	const char *types[SIGN_INS_MOST], *labels[SIGN_INS_MOST], *now = form_sign_in(r, f->c);
	const json_t *auth = f->c == NULL ? NULL : json_object_get(f->c->access.settings, "auth");
	json_t *choices = json_array(), *choice, *fields, *field, *name;
	size_t n = sign_in_kinds(types, labels, SIGN_INS_MOST), k;

	for (size_t i = 0; i < n; i++) {
		/* for those who need it, by API */
		if (strcmp(types[i], "query") == 0 && (now == NULL || strcmp(now, "query") != 0))
			continue;
		choice = json_object();
		fields = json_array();
		json_set_str(choice, "value", types[i]);
		json_set_str(choice, "label", labels[i]);
		json_set_bool(choice, "is_current", now != NULL && strcmp(now, types[i]) == 0);
		for (k = 0; k < f->p->ncredentials; k++) {
			const char *of = sign_in_of_credential(f->p->credentials[k].key);
			if (of != NULL && strcmp(of, types[i]) == 0)
				form_add_credential(f, fields, &f->p->credentials[k]);
		}
		json_array_each(fields, k, field)
			json_set_bool(field, "is_expected", true); /* by this answer */
		if (strcmp(types[i], "header") == 0) {
			name = form_add_field(f, fields, "settings.auth.name",
			    "Header that carries the key", "X-API-Key unless set.", false);
			json_set_bool(name, "is_text", true);
			json_set_str(name, "value",
			    form_is_posted(r) ? form_sent_text(r, req_form(r, "settings.auth.name"))
					      : json_str(auth, "name"));
		}
		json_array_each(fields, k, field)
			json_set_str(field, "of", types[i]);
		json_set(choice, "fields", fields);
		json_array_append_new(choices, choice);
	}
	json_set(data, "sign_in", json_pack("{s:o}", "choices", choices));
	if (f->wrong != NULL && strcmp(f->wrong->field, "settings.auth.type") == 0) {
		f->shown = "How does it sign in?";
		json_set_str(json_object_get(data, "sign_in"), "error", "Choose one.");
	}
}

/* What the head of the page says of a form that was not taken. */
static void form_tell_wrong(struct form_fields *f, json_t *data)
{
	struct arena *a = f->r->a;

	if (f->wrong == NULL)
		return;
	if (f->shown != NULL)
		chrome_wrong(f->r, data, NULL, arena_printf(a, "Check 1 field: %s", f->shown));
	else
		chrome_wrong(f->r, data, NULL,
		    arena_printf(a, "%s%s%s", f->wrong->field,
			f->wrong->field[0] != '\0' ? ": " : "", f->wrong->msg));
}

bool form_fields_are_wrong(const json_t *fields)
{
	json_t *field;
	size_t i;

	json_array_each(fields, i, field)
		if (json_str(field, "error") != NULL)
			return true;
	return false;
}

static void form_add_name_error(struct form_fields *f, json_t *data)
{
	if (f->wrong == NULL || strcmp(f->wrong->field, "name") != 0)
		return;
	f->shown = "Name";
	json_set_str(data, "name_error", form_error_words(f, f->shown, NULL, false));
}

void connection_form_fields(struct req *r, const struct provider *p, const struct connection *c,
    const struct err *wrong, json_t *data)
{
	struct form_fields f = {.r = r, .p = p, .c = c, .wrong = wrong};
	json_t *credentials = json_array(), *settings = json_array(), *more = json_array();

	if (sign_in_is_asked(p))
		form_add_sign_in(&f, data);
	for (size_t i = 0; i < p->ncredentials; i++)
		if (!sign_in_is_asked(p) || sign_in_of_credential(p->credentials[i].key) == NULL)
			form_add_credential(&f, credentials, &p->credentials[i]);
	form_add_grace(&f, p, c, data);
	form_add_settings(&f, "settings", p->settings, p->nsettings,
	    c != NULL ? c->access.settings : guide_preset_settings(r, p), settings, more);
	json_set_str(data, "name",
	    form_is_posted(r) ? form_sent_text(r, req_form(r, "name"))
	    : c != NULL       ? c->name
			      : form_proposed_name(r, p));
	form_add_name_error(&f, data);
	form_tell_wrong(&f, data);
	json_set(data, "credentials", credentials);
	json_set(data, "settings", settings);
	json_set_bool(data, "is_more_open", form_fields_are_wrong(more));
	json_set_bool(data, "has_more", json_array_size(more) > 0);
	json_set(data, "more", more);
}

/* ---- the form as a body ---------------------------------------------------------------------- */

/* "name: value" or "name=value"; of a name alone the value is null, for the check to refuse. */
static void line_add(struct req *r, json_t *o, struct str line)
{
	size_t n = 0;
	struct str name, value = {NULL, 0};

	while (n < line.n && line.p[n] != ':' && line.p[n] != '=')
		n++;
	name = utf8_trim((struct str){line.p, n});
	if (n < line.n)
		value = utf8_trim((struct str){line.p + n + 1, line.n - n - 1});
	json_set(o, arena_strndup(r->a, name.p, name.n),
	    n < line.n ? json_stringn(value.n > 0 ? value.p : "", value.n) : json_null());
}

/* A line for each member; or the object as JSON, as the API takes it. */
static json_t *object_of_lines(struct req *r, struct str text)
{
	json_t *o = text.p[0] == '{' ? json_parse(r->a, text, NULL) : NULL;
	struct str line;

	if (json_is_object(o))
		return json_incref(o);
	o = json_object();
	while (str_split(&text, '\n', &line))
		if ((line = utf8_trim(line)).n > 0)
			line_add(r, o, line);
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

/* What was typed for another answer than the one that was chosen stays out. */
static bool credential_is_meant(struct req *r, const struct provider *p, const char *key)
{
	struct str chosen = req_form(r, "settings.auth.type");
	const char *of = sign_in_is_asked(p) ? sign_in_of_credential(key) : NULL;

	return of == NULL || chosen.n == 0 || str_is(chosen, of);
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
		if (value.n > 0 && credential_is_meant(r, p, p->credentials[i].key))
			json_set_strn(credentials, p->credentials[i].key, value);
	}
	if (json_object_size(credentials) > 0 || !with_nulls)
		json_set(body, "credentials", credentials);
	else
		json_decref(credentials);
	json_t *settings = settings_of_form(r, "settings", p->settings, p->nsettings, with_nulls);
	if (sign_in_is_asked(p) && !str_is(req_form(r, "settings.auth.type"), "header"))
		json_object_del(json_object_get(settings, "auth"), "name");
	json_set(body, "settings", settings);
	return body;
}

json_t *connection_form_body(struct req *r, const struct provider *p)
{
	return body_of_form(r, p, false);
}

void connection_form_auto_push(struct req *r, const struct connection *c, json_t *data)
{
	const bool is_to = provider_can(c->provider, "crm_push"),
		   is_from = provider_can(c->provider, "lead_sync"),
		   is_posted = req_form(r, "autoPushAsked").n > 0;
	json_t *o;

	if (!is_to && !is_from)
		return;
	o = json_object();
	json_set(data, "auto_push", o);
	json_set_bool(o, "is_on", is_posted ? req_form(r, "autoPush").n > 0 : c->auto_push);
	json_set_str(o, "label",
	    is_to && is_from ? "Send leads that come from it, and leads to it, as soon as they come"
	    : is_to          ? "Send leads to it as soon as they come"
			     : "Send its leads to the destinations as soon as they come");
}

json_t *connection_form_changes(struct req *r, const struct connection *c)
{
	json_t *body = body_of_form(r, c->provider, true);
	struct str hours = utf8_trim(req_form(r, "secretGraceHours"));
	int64_t n;

	if (req_form(r, "autoPushAsked").n > 0)
		json_set_bool(body, "autoPush", req_form(r, "autoPush").n > 0);
	/* With no new secret it would be of those from before. */
	if (hours.n == 0 || json_object_get(body, "credentials") == NULL)
		return body;
	json_set(body, "secretGraceHours",
	    str_to_i64(hours, INT64_MIN, INT64_MAX, &n) ? json_integer(n)
							: json_stringn(hours.p, hours.n));
	return body;
}

/* ---- settings for reading -------------------------------------------------------------------- */

static void form_add_values(struct req *r, const struct provider *p, json_t *list,
    const struct setting_spec *specs, size_t n, const json_t *settings)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_object_get(settings, specs[i].key);
		if (v == NULL || json_is_null(v) ||
		    strcmp(specs[i].key, "externalAccountId") == 0 ||
		    ((json_is_object(v) || json_is_array(v)) &&
			json_object_size(v) + json_array_size(v) == 0))
			continue; /* not set, or shown with the status */
		if (sign_in_is_asked(p) && strcmp(specs[i].key, "auth") == 0)
			continue; /* told in words */
		if (specs[i].type == SETTING_OBJECT) {
			form_add_values(r, p, list, specs[i].members, specs[i].nmembers, v);
			continue;
		}
		json_t *o = json_object();
		json_set_str(o, "label", specs[i].label);
		json_set_str(o, "value", setting_text(r->a, &specs[i], v));
		json_array_append_new(list, o);
	}
}

static const char *form_sign_in_words(struct arena *a, const json_t *auth)
{
	const char *type = json_str(auth, "type"), *name = json_str(auth, "name");

	if (type == NULL || strcmp(type, "none") == 0)
		return "Nothing: it is called without credentials";
	if (strcmp(type, "header") == 0)
		return arena_printf(
		    a, "API key in the header %s", name != NULL ? name : "X-API-Key");
	return sign_in_label(type);
}

json_t *connection_form_values(struct req *r, const struct connection *c)
{
	json_t *list = json_array(), *o;
	const json_t *auth = json_object_get(c->access.settings, "auth");

	if (sign_in_is_asked(c->provider)) {
		o = json_object();
		json_set_str(o, "label", "Signs in with");
		json_set_str(o, "value", form_sign_in_words(r->a, auth));
		json_array_append_new(list, o);
	}
	form_add_values(r, c->provider, list, c->provider->settings, c->provider->nsettings,
	    c->access.settings);
	return list;
}
