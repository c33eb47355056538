/* Connecting step by step, as a manifest's guide says: the form laid out in its steps, an address
 * that is there before the connection is, and what is waited for afterwards.
 *
 * The sender wants the address first, so its id is made before the form is shown, and stands in the
 * query of all its addresses: what was copied stays right when the page is loaded again. It is
 * sealed for the account: nobody can make a connection under an id that was never his, where the
 * calls of another's former connection may still arrive. */
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "connection/connection-form.h"
#include "connection/connection-internal.h"
#include "crypto/aead.h"
#include "html/chrome.h"

#define TOKEN_BYTES 24
#define RESERVED "reserved"           /* the query parameter */
#define RESERVED_FOR_US (30 * DAY_US) /* who comes later gets another */

/* ---- the reserved id ------------------------------------------------------------------------- */

static struct str reserved_context(struct req *r, const struct provider *p)
{
	return str_from(arena_printf(
	    r->a, "connection.reserved:%s:%s", uuid_dup(r->a, r->actor.account_id), p->name));
}

bool guide_reserved(struct req *r, const struct provider *p, struct uuid *id)
{
	struct str text = req_query(r, RESERVED), blob, open;
	char *bytes = arena_alloc(r->a, text.n + 1);
	struct err ignored = ERR_INIT;
	long n = base64url_decode(bytes, text.n + 1, text);

	if (text.n == 0 || n <= 0)
		return false;
	blob = (struct str){bytes, (size_t)n};
	open = aead_open(r->app->keys, r->a, reserved_context(r, p), blob, &ignored);
	return open.p != NULL && uuid_parse(open, id) &&
	       uuid_time_us(*id) > clock_now_us() - RESERVED_FOR_US;
}

static const char *guide_seal(struct req *r, const struct provider *p, const struct uuid *id)
{
	struct err ignored = ERR_INIT;
	struct str sealed = aead_seal(
	    r->app->keys, r->a, reserved_context(r, p), str_from(uuid_dup(r->a, *id)), &ignored);
	struct buf *text = buf_new(r->a, LIMIT_HEADER_BYTES);

	if (sealed.p == NULL)
		return NULL;
	base64url_encode(text, sealed.p, sealed.n);
	return text->p;
}

/* The id of the request's address, else a new one; and that address with it, as it was. NULL: no
 * key seals it. */
static const char *guide_reserve(struct req *r, const struct provider *p, struct uuid *id)
{
	const char *sealed;

	if (guide_reserved(r, p, id))
		return chrome_link(r, RESERVED, req_query(r, RESERVED));
	*id = uuid_new();
	sealed = guide_seal(r, p, id);
	return sealed == NULL ? NULL : chrome_link(r, RESERVED, str_from(sealed));
}

const char *guide_address(struct req *r, const struct provider *p)
{
	struct uuid id;

	for (size_t i = 0; !guide_reserved(r, p, &id) && i < p->guide.nsteps; i++)
		if (p->guide.steps[i].shows_address)
			return guide_reserve(r, p, &id);
	return NULL;
}

/* ---- the form in steps ----------------------------------------------------------------------- */

static const struct guide_preset *guide_preset_asked(struct req *r, const struct provider *p)
{
	struct str name = req_query(r, "preset");

	for (size_t i = 0; i < p->guide.npresets; i++)
		if (str_is(name, p->guide.presets[i].name))
			return &p->guide.presets[i];
	return NULL;
}

const json_t *guide_preset_settings(struct req *r, const struct provider *p)
{
	const struct guide_preset *preset = guide_preset_asked(r, p);

	return preset == NULL ? NULL : preset->settings;
}

/* Takes the field of that name out of one of the form's lists; NULL: it is in none. */
static json_t *guide_take_field(json_t *data, const char *name)
{
	static const char *const lists[] = {"credentials", "settings", "more"};
	json_t *field;
	size_t i;

	for (size_t k = 0; k < sizeof(lists) / sizeof(*lists); k++) {
		json_t *list = json_object_get(data, lists[k]);

		json_array_each(list, i, field) {
			if (strcmp(json_str(field, "name"), name) != 0)
				continue;
			json_incref(field);
			json_array_remove(list, i);
			return field;
		}
	}
	return NULL;
}

/* The same for the same address, however often the form is shown. */
static const char *guide_token(struct req *r, const struct uuid *id, const char *name)
{
	unsigned char bytes[32];
	struct buf *text = buf_new(r->a, 2 * sizeof(bytes));

	keyring_derive(r->app->keys,
	    arena_printf(r->a, "connection.generated:%s:%s", uuid_dup(r->a, *id), name), bytes);
	base64url_encode(text, (const char *)bytes, TOKEN_BYTES);
	explicit_bzero(bytes, sizeof(bytes));
	return text->p;
}

/* Is the field a credential of that list? */
static bool field_is_among(struct arena *a, const char *field, const char *const *keys, size_t n)
{
	while (n > 0 && strcmp(arena_printf(a, "credentials.%s", keys[n - 1]), field) != 0)
		n--;
	return n > 0;
}

static void guide_generate(
    struct req *r, const struct provider *p, const struct uuid *id, json_t *field)
{
	const struct guide_preset *preset = guide_preset_asked(r, p);
	const char *name = json_str(field, "name");

	if (!field_is_among(r->a, name, p->guide.generates, p->guide.ngenerates) &&
	    (preset == NULL || !field_is_among(r->a, name, preset->generates, preset->ngenerates)))
		return;
	json_set_bool(field, "is_generated", true);
	json_set_bool(field, "is_lost", false);
	json_set_bool(field, "is_expected", true); /* it is there already */
	json_set_bool(field, "is_plain", true);
	if (r->method == HTTP_POST)
		json_set_strn(field, "value", req_form(r, name));
	else
		json_set_str(field, "value", guide_token(r, id, name));
}

/* In the words that are right with these settings. */
static json_t *guide_step_words(struct scope *settings, const struct guide_step *s)
{
	struct str text = expr_text(s->text, settings);
	json_t *o = json_object();

	json_set_str(o, "title", s->title);
	if (text.n > 0)
		json_set_strn(o, "text", text);
	json_set_str(o, "link", s->link);
	json_set_str(o, "link_label", s->link_label);
	return o;
}

static json_t *guide_step_json(struct req *r, const struct provider *p, const struct uuid *id,
    struct scope *settings, const struct guide_step *s, json_t *data)
{
	json_t *o = guide_step_words(settings, s), *fields = json_array();

	json_set_bool(o, "shows_address", s->shows_address);
	json_set(o, "fields", fields);
	json_set(o, "sign_in", json_null());
	for (size_t i = 0; i < s->nfields; i++) {
		json_t *field = guide_take_field(data, s->fields[i]);

		if (field != NULL) {
			guide_generate(r, p, id, field);
			json_array_append_new(fields, field);
		} else if (strcmp(s->fields[i], "settings.auth") == 0 &&
			   json_object_get(data, "sign_in") != NULL) {
			json_set(o, "sign_in", json_incref(json_object_get(data, "sign_in")));
			json_object_del(data, "sign_in");
		}
	}
	return o;
}

/* What the form has in it: as it was posted, else of the preset. */
static json_t *guide_settings(struct req *r, const struct provider *p)
{
	const struct guide_preset *preset = guide_preset_asked(r, p);

	return r->method == HTTP_POST ? json_object_get(connection_form_body(r, p), "settings")
				      : (preset == NULL ? NULL : preset->settings);
}

static json_t *guide_presets_json(struct req *r, const struct provider *p, json_t *data)
{
	const struct guide_preset *now = guide_preset_asked(r, p);
	json_t *list = json_array();

	for (size_t i = 0; i < p->guide.npresets; i++) {
		const struct guide_preset *preset = &p->guide.presets[i];
		json_t *o = json_object();

		json_set_str(o, "label", preset->label);
		json_set_str(o, "href", chrome_link(r, "preset", str_from(preset->name)));
		json_set_bool(o, "is_current", preset == now);
		json_array_append_new(list, o);
	}
	json_set_str(data, "preset_help", now == NULL ? NULL : now->help);
	json_set_str(data, "preset", now == NULL ? NULL : now->name);
	json_set_str(data, "no_preset_href", chrome_link(r, "preset", (struct str){NULL, 0}));
	return list;
}

/* Of those that stand in no step, what can be left out is rarely needed. */
static void guide_fold_rest(json_t *data, const char *list)
{
	json_t *fields = json_object_get(data, list), *rest = json_array(), *field;
	size_t i;

	json_array_each(fields, i, field)
		json_array_append(
		    json_bool(field, "is_needed") ? rest : json_object_get(data, "more"), field);
	json_set(data, list, rest);
}

bool guide_is_there(const struct provider *p)
{
	return p->guide.nsteps > 0;
}

void guide_form(struct req *r, const struct provider *p, json_t *data)
{
	json_t *steps = json_array();
	struct scope settings = {.a = r->a};
	const char *address;
	struct uuid id;

	settings.slot[ROOT_SETTINGS].json = guide_settings(r, p);
	if ((address = guide_reserve(r, p, &id)) != NULL)
		json_set_str(data, "action", address);
	json_set_str(data, "webhook_url",
	    p->has_webhook ? arena_printf(r->a, "%s/webhook/%s/%s", r->app->config->base_url,
				 p->name, uuid_dup(r->a, id))
			   : NULL);
	for (size_t i = 0; i < p->guide.nsteps; i++)
		if (cond_holds(p->guide.steps[i].when, &settings))
			json_array_append_new(
			    steps, guide_step_json(r, p, &id, &settings, &p->guide.steps[i], data));
	json_set(data, "steps", steps);
	guide_fold_rest(data, "settings");
	guide_fold_rest(data, "credentials");
	json_set_bool(data, "is_more_open", form_fields_are_wrong(json_object_get(data, "more")));
	json_set(data, "presets", guide_presets_json(r, p, data));
	json_set_bool(data, "has_presets", p->guide.npresets > 0);
	json_set_bool(data, "has_more", json_array_size(json_object_get(data, "more")) > 0);
}

/* ---- what is waited for ---------------------------------------------------------------------- */

void guide_show_steps(struct arena *a, const struct connection *c, json_t *data)
{
	const struct guide *g = &c->provider->guide;
	json_t *steps = json_array();
	struct scope settings = {.a = a};

	settings.slot[ROOT_SETTINGS].json = c->access.settings;
	for (size_t i = 0; i < g->nsteps; i++)
		if (cond_holds(g->steps[i].when, &settings))
			json_array_append_new(steps, guide_step_words(&settings, &g->steps[i]));
	json_set(data, "steps", steps);
	json_set_bool(data, "has_steps", g->nsteps > 0);
}

bool guide_waits(const struct provider *p)
{
	return p->guide.nwaits > 0;
}

/* A poll that rests, for want of a credential, and never ran. */
static bool guide_row_rests(const json_t *row)
{
	return json_object_get(row, "nextRunAt") != NULL && json_str(row, "nextRunAt") == NULL &&
	       json_str(row, "lastRunAt") == NULL;
}

/* When all of these rows but those that rest have that time, the last of them; else NULL. */
static const char *guide_last_time(const json_t *rows, const char *key)
{
	const char *last = NULL;
	json_t *row;
	size_t i;

	json_array_each(rows, i, row) {
		const char *at = json_str(row, key);

		if (guide_row_rests(row))
			continue;
		if (at == NULL)
			return NULL;
		if (last == NULL || strcmp(at, last) > 0)
			last = at;
	}
	return last;
}

/* When what is waited for came, as ISO text; NULL: it has not. */
static const char *guide_wait_time(
    const struct connection *c, const json_t *told, enum guide_wait_kind kind, struct arena *a)
{
	int64_t at_us;

	if (kind == GUIDE_POLL)
		return guide_last_time(json_object_get(told, "polls"), "lastRunAt");
	if (kind == GUIDE_SUBSCRIPTION)
		return guide_last_time(json_object_get(told, "subscriptions"), "checkedAt");
	at_us = kind == GUIDE_HANDSHAKE ? c->handshake_us : c->received_us;
	return at_us == 0 ? NULL : clock_iso_dup(a, at_us);
}

/* What it has not the credentials for is not waited for. */
static bool guide_can_come(const json_t *told, enum guide_wait_kind kind)
{
	const char *key = kind == GUIDE_POLL ? "polls" : "subscriptions";
	json_t *row;
	size_t i;

	if (kind != GUIDE_POLL && kind != GUIDE_SUBSCRIPTION)
		return true;
	json_array_each(json_object_get(told, key), i, row)
		if (!guide_row_rests(row))
			return true;
	return false;
}

/* Why the address did not pass its last check, until it passes one. */
static void guide_tell_failed(
    const struct connection *c, enum guide_wait_kind kind, struct arena *a, json_t *wait)
{
	bool has_failed = kind == GUIDE_HANDSHAKE && c->challenge_failed_us > c->handshake_us;

	json_set_str(wait, "failed_why", has_failed ? c->challenge_error : NULL);
	json_set_str(
	    wait, "failed_at", has_failed ? clock_iso_dup(a, c->challenge_failed_us) : NULL);
}

size_t guide_waits_json(
    struct arena *a, const struct connection *c, const json_t *told, json_t *list)
{
	const struct guide *g = &c->provider->guide;
	size_t open = 0;

	for (size_t i = 0; i < g->nwaits; i++) {
		const struct guide_wait *w = &g->waits[i];
		const char *at = guide_wait_time(c, told, w->kind, a);
		json_t *o;

		if (!guide_can_come(told, w->kind))
			continue;
		o = json_object();
		json_set_str(o, "title", w->title);
		json_set_str(o, "text", w->text);
		json_set_bool(o, "is_done", at != NULL);
		json_set_str(o, "at", at);
		guide_tell_failed(c, w->kind, a, o);
		json_array_append_new(list, o);
		open += at == NULL;
	}
	return open;
}
