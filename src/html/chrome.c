/* The page around every admin page. */
#include "html/chrome.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "html/html.h"
#include "html/template.h"

#define FLASH_COOKIE "connect_flash"
#define FLASH_SECONDS 60
#define FLASH_BYTES 1024
#define FLASH_TEXT_BYTES (FLASH_BYTES - 2) /* beside the kind */
#define MAC_BYTES 16

/* No script and no style but our own files; nothing may frame a page or receive its forms. */
static const char content_security_policy[] =
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/* ---- flash -------------------------------------------------------------------------------- */

static void flash_mac(const struct req *r, struct str message, unsigned char mac[SHA256_SIZE])
{
	unsigned char key[32];
	struct str part = message;

	keyring_derive(r->app->keys, "flash", key);
	hmac_parts(HASH_SHA256, (struct str){(const char *)key, sizeof(key)}, &part, 1, mac);
}

/* The cookie is base64url(MAC, kind byte, text). */
void chrome_flash(struct req *r, const char *kind, const char *fmt, ...)
{
	unsigned char mac[SHA256_SIZE];
	struct buf *message = buf_new(r->a, FLASH_BYTES), *sealed = buf_new(r->a, 2 * FLASH_BYTES),
		   *cookie = buf_new(r->a, LIMIT_COOKIE_BYTES);
	va_list ap;

	if (r->app->keys == NULL)
		return;
	va_start(ap, fmt);
	struct str text =
	    utf8_clean(r->a, str_from(arena_vprintf(r->a, fmt, ap)), FLASH_TEXT_BYTES);
	va_end(ap);
	buf_chr(message, kind[0]);
	buf_add(message, text.p, text.n);
	flash_mac(r, (struct str){message->p, message->len}, mac);
	buf_add(sealed, mac, MAC_BYTES);
	buf_add(sealed, message->p, message->len);
	base64url_encode(cookie, sealed->p, sealed->len);
	res_cookie(r, FLASH_COOKIE, cookie->p, FLASH_SECONDS, true);
}

/* The message that the last answer left, and forgets it. NULL when there is none. */
static json_t *flash_take(struct req *r)
{
	struct str cookie = req_cookie(r, FLASH_COOKIE);
	unsigned char raw[MAC_BYTES + FLASH_BYTES], mac[SHA256_SIZE];
	struct str message;
	json_t *flash;
	long n;

	if (cookie.n == 0 || r->app->keys == NULL)
		return NULL;
	res_cookie(r, FLASH_COOKIE, "", 0, true);
	n = base64url_decode(raw, sizeof(raw), cookie);
	if (n < MAC_BYTES + 2)
		return NULL;
	message = (struct str){(const char *)raw + MAC_BYTES, (size_t)n - MAC_BYTES};
	flash_mac(r, message, mac);
	if (!mem_equal_ct(mac, MAC_BYTES, raw, MAC_BYTES))
		return NULL;
	flash = json_object();
	json_set_bool(flash, "is_error", message.p[0] == 'e');
	json_set_bool(flash, "is_note", message.p[0] == 'n');
	json_set_bool(flash, "is_warning", message.p[0] == 'w');
	json_set_strn(flash, "text", (struct str){message.p + 1, message.n - 1});
	return flash;
}

/* ---- page --------------------------------------------------------------------------------- */

#define BADGES_MOST 8

static void json_set_missing(json_t *data, const char *key, const char *value)
{
	if (json_object_get(data, key) == NULL)
		json_set_str(data, key, value);
}

static bool path_is_below(struct str path, const char *place)
{
	size_t n = strlen(place);

	return str_starts(path, place) && (path.n == n || path.p[n] == '/');
}

struct nav_badges {
	struct chrome_badge v[BADGES_MOST];
	size_t n;
};

static bool nav_may_see(const struct req *r, const struct chrome_nav *e)
{
	return (r->actor.permissions & e->permission) == e->permission;
}

/* Is the address one of the place: "/admin/leads?status=failed" of "/admin/leads"? */
static bool href_is_of(const char *href, const char *path)
{
	size_t n = strlen(path);

	return strncmp(href, path, n) == 0 && (href[n] == '\0' || href[n] == '?');
}

/* What failed of a section, or of one place of it: all of it together, and the list of the first.
 * NULL: nothing. */
static const struct chrome_badge *nav_badge(
    struct arena *a, const struct nav_badges *badges, const char *section, const char *path)
{
	struct chrome_badge *sum = NULL;

	for (size_t i = 0; i < badges->n; i++) {
		const struct chrome_badge *b = &badges->v[i];

		if (strcmp(b->section, section) != 0 ||
		    (path != NULL && !href_is_of(b->href, path)))
			continue;
		if (sum == NULL) {
			sum = arena_zalloc(a, sizeof(*sum));
			*sum = *b;
		} else {
			sum->count += b->count;
		}
	}
	return sum;
}

static const char *badge_text(struct arena *a, const struct chrome_badge *badge)
{
	return badge->count > 99 ? "99+" : arena_printf(a, "%d", (int)badge->count);
}

static json_t *nav_entry_json(const struct req *r, const struct chrome_nav *e, bool is_current,
    const struct chrome_badge *badge)
{
	json_t *entry = json_object();

	json_set_str(entry, "label", e->label);
	json_set_str(entry, "path", e->path);
	json_set_str(entry, "icon", e->icon);
	json_set_bool(entry, "is_current", is_current);
	if (badge != NULL) {
		json_set_str(entry, "badge", badge_text(r->a, badge));
		json_set_str(entry, "badge_href", badge->href);
		json_set_str(entry, "badge_what", badge->what);
	}
	return entry;
}

static json_t *nav_add_group(json_t *groups, const char *heading)
{
	json_t *group = json_object();

	json_set_str(group, "heading", heading);
	json_set_bool(group, "is_open", false);
	json_set(group, "entries", json_array());
	json_array_append_new(groups, group);
	return group;
}

/* A narrow window shows the entries of the group that the page is in; of no group, of all. */
static void nav_open_all(json_t *groups)
{
	for (size_t i = 0; i < json_array_size(groups); i++)
		json_set_bool(json_array_get(groups, i), "is_open", true);
}

static struct nav_badges nav_badges_of(struct req *r)
{
	struct nav_badges badges = {.n = 0};

	if (r->actor.kind != ACTOR_NONE && r->app->hooks.nav_badges != NULL)
		badges.n = r->app->hooks.nav_badges(r, badges.v, BADGES_MOST);
	return badges;
}

/* Groups of what the actor may see, in the table's order: [{heading,is_open,has_badge,entries}]. */
static json_t *nav_json(struct req *r, const char *section, const struct nav_badges *badges)
{
	json_t *groups = json_array(), *group = NULL;
	bool is_one_open = false;
	const char *of = "", *last = "";

	if (r->actor.kind == ACTOR_NONE)
		return groups;
	for (const struct chrome_nav *e = r->app->hooks.nav; e != NULL && e->path != NULL; e++) {
		const char *heading = e->group != NULL ? e->group : "-";
		bool is_current = section != NULL && strcmp(section, e->section) == 0;
		const struct chrome_badge *badge = nav_badge(r->a, badges, e->section, NULL);

		if (e->icon == NULL || !nav_may_see(r, e) || strcmp(e->section, last) == 0)
			continue;
		last = e->section;
		if (group == NULL || strcmp(heading, of) != 0)
			group = nav_add_group(groups, e->group);
		of = heading;
		json_array_append_new(
		    json_object_get(group, "entries"), nav_entry_json(r, e, is_current, badge));
		if (badge != NULL)
			json_set_bool(group, "has_badge", true);
		if (is_current && e->group != NULL)
			is_one_open = true, json_set_bool(group, "is_open", true);
	}
	if (!is_one_open)
		nav_open_all(groups);
	return groups;
}

/* The places of the page's section, where it is one of several: {label,tabs}; else null. */
static json_t *page_tabs_json(struct req *r, const char *section, const struct nav_badges *badges)
{
	json_t *o = json_own(r->a, json_object()), *tabs = json_array();
	bool is_one_of_them = false;

	json_set(o, "tabs", tabs);
	for (const struct chrome_nav *e = r->app->hooks.nav;
	     section != NULL && e != NULL && e->path != NULL; e++) {
		bool is_current = str_is(r->path, e->path);
		const struct chrome_badge *badge;
		json_t *tab;

		if (e->tab == NULL || strcmp(section, e->section) != 0 || !nav_may_see(r, e))
			continue;
		badge = nav_badge(r->a, badges, e->section, e->path);
		tab = json_object();
		json_set_str(tab, "label", e->tab);
		json_set_str(tab, "path", e->path);
		json_set_bool(tab, "is_current", is_current);
		json_set_str(tab, "badge", badge == NULL ? NULL : badge_text(r->a, badge));
		json_array_append_new(tabs, tab);
		json_set_missing(o, "label", e->label);
		is_one_of_them = is_one_of_them || is_current;
	}
	return is_one_of_them && json_array_size(tabs) > 1 ? json_incref(o) : json_null();
}

/* What the page is for, by its place or else by its section: {label,text,api}; null where nothing
 * is said. */
static json_t *help_json(const struct req *r, const char *section)
{
	const struct chrome_nav *best = NULL;
	json_t *o;

	for (const struct chrome_nav *e = r->app->hooks.nav;
	     section != NULL && e != NULL && e->path != NULL; e++) {
		if (e->help == NULL || strcmp(section, e->section) != 0)
			continue;
		if (best == NULL || path_is_below(r->path, e->path))
			best = e;
	}
	if (best == NULL)
		return json_null();
	o = json_object();
	json_set_str(o, "label", best->tab != NULL ? best->tab : best->label);
	json_set_str(o, "text", best->help);
	json_set_str(o, "api", best->api);
	return o;
}

static void json_set_title(struct req *r, json_t *data, const char *title)
{
	bool has_errors = json_object_size(json_object_get(data, "errors")) > 0;

	json_set_str(data, "title", has_errors ? arena_printf(r->a, "Error: %s", title) : title);
}

/* "Europe/Berlin, UTC+1": what the times of a page mean. */
static const char *chrome_zone_text(struct req *r)
{
	char offset[ZONE_TEXT];

	zone_offset_text(offset, r->actor.zone, clock_now_us());
	return r->actor.zone == NULL
		   ? "UTC"
		   : arena_printf(r->a, "%s, %s", zone_name(r->actor.zone), offset);
}

static void chrome_add(
    struct req *r, json_t *data, const char *section, const char *title, const char *template_name)
{
	bool is_signed_in = r->actor.kind != ACTOR_NONE;
	json_t *user = json_object(), *account = json_object();
	const struct nav_badges badges = nav_badges_of(r);

	json_set_title(r, data, title);
	json_set_str(data, "content", template_name);
	json_set_str(data, "assets", r->app->asset_version);
	json_set_bool(data, "is_signed_in", is_signed_in);
	json_set_missing(data, "csrf", req_csrf_token(r));
	json_set_str(user, "name", r->actor.name != NULL ? r->actor.name : "");
	json_set_str(user, "email", r->actor.email != NULL ? r->actor.email : "");
	json_set_str(user, "role", r->actor.role != NULL ? r->actor.role : "");
	json_set(data, "user", user);
	json_set_str(account, "name", r->actor.account_name != NULL ? r->actor.account_name : "");
	json_set_bool(account, "has_others", r->actor.has_other_accounts);
	json_set(data, "account", account);
	json_set_str(data, "_zone", zone_name(r->actor.zone));
	json_set_str(data, "zone", chrome_zone_text(r));
	json_set(data, "nav", nav_json(r, section, &badges));
	json_set(data, "page_tabs", page_tabs_json(r, section, &badges));
	json_set(data, "page_help", is_signed_in ? help_json(r, section) : json_null());
	json_t *flash = flash_take(r);
	json_set(data, "flash", flash != NULL ? flash : json_null());
	json_set_bool(data, "is_part_unreadable", json_unreadable_beside());
}

int chrome_page(struct req *r, int status, const char *section, const char *title,
    const char *template_name, json_t *data)
{
	struct err err = ERR_INIT;
	struct buf *page = buf_new(r->a, LIMIT_PAGE_BYTES);

	json_own(r->a, data);
	chrome_add(r, data, section, title, template_name);
	if (template_render(r->app->templates, "page", data, page, &err) == -1) {
		log_error("page.render", LOG_S("template", template_name), LOG_ERR(&err));
		return -1;
	}
	res_header(r, "Content-Security-Policy", content_security_policy);
	res_header(r, "X-Content-Type-Options", "nosniff");
	res_header(r, "X-Frame-Options", "DENY");
	res_header(r, "Referrer-Policy", "same-origin");
	res_header(r, "Cache-Control", "no-store");
	return res_text(r, status, "text/html; charset=utf-8", (struct str){page->p, page->len});
}

int chrome_settings(struct req *r, int status, const char *part, const char *title,
    const char *template_name, json_t *data)
{
	json_t *tabs = json_array();

	for (const struct chrome_nav *e = r->app->hooks.settings; e != NULL && e->path != NULL;
	     e++) {
		json_t *tab;

		if ((r->actor.permissions & e->permission) != e->permission)
			continue;
		tab = json_object();
		json_set_str(tab, "label", e->label);
		json_set_str(tab, "path", e->path);
		json_set_bool(tab, "is_current", strcmp(part, e->section) == 0);
		json_array_append_new(tabs, tab);
	}
	json_set(data, "tabs", tabs);
	return chrome_page(r, status, "settings", title, template_name, data);
}

/* Labels of fields that their names do not tell. */
static const struct word wrong_labels[] = {{"accountName", "Company or team"},
    {"csv", "CSV or NDJSON file"}, {"days", "Days to keep"}, {"expires", "Last day"},
    {"formId", "Form"}, {"new_password", "New password"}, {"otherType", "Name of the other type"},
    {"permissions", "What it may do"}, {"present", "Current password"},
    {"providerType", "Provider"}, {"resourceType", "Record type"}, {"since", "From"},
    {"totp", "Code of your authenticator"}, {"typed", "The number"}, {"who", "Who"},
    {"zone", "Time zone"}, {NULL, NULL}};

/* Notes a field for the summary above the form, by its last step: "data.email" is "email". */
static void wrong_add_field(json_t *data, const char *field)
{
	const char *step = strrchr(field, '.') != NULL ? strrchr(field, '.') + 1 : field;
	const struct word *known = word_find(wrong_labels, str_from(step));
	json_t *list = json_object_get(data, "wrong_fields"), *o = json_object();

	if (list == NULL) {
		list = json_array();
		json_set(data, "wrong_fields", list);
	}
	json_set_str(o, "label", known != NULL ? known->label : step);
	json_set_bool(o, "is_next", json_array_size(list) > 0);
	json_array_append_new(list, o);
	json_set_int(data, "wrong_count", (int64_t)json_array_size(list));
	json_set_bool(data, "is_one_wrong", json_array_size(list) == 1);
}

void chrome_wrong(struct req *r, json_t *data, const char *field, const char *msg)
{
	json_t *errors = json_object_get(data, "errors");
	char *text = arena_printf(r->a, "%s%s", msg, str_ends(str_from(msg), ".") ? "" : ".");

	if (errors == NULL) {
		errors = json_object();
		json_set(data, "errors", errors);
	}
	if (text[0] >= 'a' && text[0] <= 'z')
		text[0] = (char)(text[0] - 'a' + 'A');
	if (field != NULL && *field != '\0')
		wrong_add_field(data, field);
	json_set_str(errors, field == NULL || *field == '\0' ? "problem" : field, text);
}

/* What a status means to people; the phrase of HTTP for the rest. */
static const char *problem_heading(int status, const char *phrase)
{
	switch (status) {
	case 400:
	case 422:
		return "This cannot be done as it was asked";
	case 403:
		return "You don't have access";
	case 404:
	case 410:
		return "Page not found";
	case 405:
		return "This address does not work that way";
	case 409:
		return "Something else came first";
	case 413:
		return "That is too much at once";
	case 429:
		return "Too many at once";
	case 500:
		return "Something went wrong";
	case 503:
	case 504:
		return "Not available at the moment";
	default:
		return phrase;
	}
}

/* The part of the navigation that the address lies in; NULL for none, or one that the user may not
 * see. Who asks for an address that is no route is not known: the link asks who it is. */
static const struct chrome_nav *chrome_find_nav(const struct req *r)
{
	for (const struct chrome_nav *e = r->app->hooks.nav; e != NULL && e->path != NULL; e++) {
		if ((r->actor.kind == ACTOR_NONE || nav_may_see(r, e)) &&
		    path_is_below(r->path, e->path))
			return e;
	}
	return NULL;
}

int chrome_problem_page(struct req *r, int status, const char *title, const char *detail)
{
	const struct chrome_nav *nav = chrome_find_nav(r);
	const char *heading = problem_heading(status, title);
	const struct str nothing = {NULL, 0};
	json_t *data = json_object();

	json_set_int(data, "status", status);
	json_set_str(data, "detail", detail);
	json_set_str(data, "request_id", r->id);
	json_set_str(data, "support", r->app->config == NULL ? NULL : r->app->config->support);
	json_set_str(data, "heading", heading);
	json_set_str(data, "back_href",
	    nav == NULL         ? "/admin/dashboard"
	    : nav->back != NULL ? nav->back
				: nav->path);
	json_set_bool(data, "is_in_section", nav != NULL);
	json_set_bool(data, "is_away", status == 503 || status == 504);
	json_set_bool(data, "was_sent", r->method == HTTP_POST);
	json_set_str(
	    data, "again_href", r->method == HTTP_POST ? NULL : chrome_link(r, "", nothing));
	json_set_str(data, "back_label", nav != NULL ? nav->label : "Home");
	return chrome_page(r, status, nav != NULL ? nav->section : NULL, heading, "problem", data);
}

/* ---- links -------------------------------------------------------------------------------- */

static void chrome_add_parameter(struct buf *b, bool *is_first, struct str name, struct str value)
{
	buf_chr(b, *is_first ? '?' : '&');
	*is_first = false;
	percent_encode(b, name);
	buf_chr(b, '=');
	percent_encode(b, value);
}

/* without: names that are left out, up to NULL. */
static const char *chrome_link_without(
    struct req *r, const char *const *without, const char *name, struct str value)
{
	struct buf *b = buf_new(r->a, 4 * LIMIT_URL_BYTES);
	bool is_first = true;

	buf_add(b, r->path.p, r->path.n);
	for (size_t i = 0; i < r->query.n; i++) {
		const struct http_pair *p = &r->query.v[i];
		const char *const *w = without;

		while (*w != NULL && !str_is(p->name, *w))
			w++;
		if (p->value.n > 0 && *w == NULL)
			chrome_add_parameter(b, &is_first, p->name, p->value);
	}
	if (value.n > 0)
		chrome_add_parameter(b, &is_first, str_from(name), value);
	return buf_ok(b) ? b->p : "?";
}

/* Browsers know whole seconds only. */
static int refresh_wait_s(int64_t age_us)
{
	static const struct {
		int until_s, wait_s;
	} paces[] = {{10, 1}, {60, 2}, {600, 5}};

	for (size_t i = 0; i < sizeof(paces) / sizeof(*paces); i++)
		if (age_us < paces[i].until_s * SECOND_US)
			return paces[i].wait_s;
	return 10;
}

void chrome_refresh(struct req *r, bool is_running, int64_t since_us, json_t *data)
{
	bool is_live = is_running && !str_is(req_query(r, "live"), "0");

	json_set_bool(data, "is_live", is_live);
	if (is_live)
		res_header(r, "Refresh",
		    arena_printf(r->a, "%d", refresh_wait_s(clock_now_us() - since_us)));
}

const char *chrome_link(struct req *r, const char *name, struct str value)
{
	return chrome_link_without(
	    r, (const char *const[]){name, "cursor", "page", NULL}, name, value);
}

/* ---- days ----------------------------------------------------------------------------------- */

static const char *chrome_day_text(struct req *r, int64_t at_us)
{
	char *text = arena_alloc(r->a, CLOCK_TEXT);

	clock_day_text(text, clock_day(zone_local_us(r->actor.zone, at_us)));
	return text;
}

static json_t *chips_add(json_t *data, const char *label, const char *href)
{
	json_t *chips = json_object_get(data, "chips"), *o = json_object();

	if (chips == NULL) {
		chips = json_array();
		json_set(data, "chips", chips);
		json_set_bool(data, "has_chips", true);
	}
	json_set_str(o, "label", label);
	json_set_str(o, "href", href);
	json_array_append_new(chips, o);
	return o;
}

static json_t *chips_add_span(
    struct req *r, const char *what, const char *from_name, const char *to_name, json_t *data)
{
	return chips_add(data, what,
	    chrome_link_without(r,
		(const char *const[]){from_name, to_name, "cursor", "page", NULL}, "",
		(struct str){NULL, 0}));
}

void chrome_span(struct req *r, const char *what, const char *from_name, const char *to_name,
    struct opt_time from, struct opt_time to, json_t *data)
{
	json_t *chip;

	if (!from.is_given && !to.is_given)
		return;
	chip = chips_add_span(r, what, from_name, to_name, data);
	json_set_known_time(chip, "chip_from", opt_time_or(from, TIME_NONE));
	json_set_known_time(chip, "chip_to", opt_time_or(to, TIME_NONE));
}

void chrome_chip(
    struct req *r, const char *name, const char *label, const char *value, json_t *data)
{
	json_set_str(
	    chips_add(data, label, chrome_link(r, name, (struct str){NULL, 0})), "value", value);
}

void chrome_chip_chosen(
    struct req *r, const char *name, const char *label, const json_t *choices, json_t *data)
{
	struct str asked = req_query(r, name);
	const char *value = arena_strndup(r->a, asked.p, asked.n);
	struct uuid id;
	const json_t *o;
	size_t i;

	if (asked.n == 0)
		return;
	if (uuid_parse(asked, &id)) /* no choice has it */
		value = "one that is gone";
	json_array_each(choices, i, o)
		if (json_is_true(json_object_get(o, "is_current")))
			value = json_str(o, "label");
	chrome_chip(r, name, label, value, data);
}

void chrome_days(struct req *r, struct opt_time from, struct opt_time to, json_t *data)
{
	const size_t day = sizeof("2026-03-07") - 1;
	const bool is_part = (from.is_given && req_query(r, "from").n != day) ||
			     (to.is_given && req_query(r, "to").n != day);
	json_t *chip;

	json_set_str(data, "from", from.is_given ? chrome_day_text(r, from.us) : NULL);
	json_set_str(data, "to", to.is_given ? chrome_day_text(r, to.us - 1) : NULL);
	if (is_part) {
		chrome_span(r, NULL, "from", "to", from, to, data);
	} else if (from.is_given || to.is_given) {
		chip = chips_add_span(r, NULL, "from", "to", data);
		json_set_str(chip, "chip_from", json_str(data, "from"));
		json_set_str(chip, "chip_to", json_str(data, "to"));
	}
}

static void chrome_add_choice(
    struct req *r, json_t *choices, const char *name, const char *value, const char *label)
{
	json_t *choice = json_object();
	struct str now = req_query(r, name);

	json_set_str(choice, "value", value);
	json_set_str(choice, "label", label);
	json_set_str(choice, "href", chrome_link(r, name, str_from(value)));
	json_set_bool(choice, "is_current", now.n == 0 ? value[0] == '\0' : str_is(now, value));
	json_array_append_new(choices, choice);
}

json_t *chrome_choices(struct req *r, const char *name, const struct word *words)
{
	json_t *choices = json_array();

	chrome_add_choice(r, choices, name, "", "All");
	for (; words->text != NULL; words++)
		chrome_add_choice(r, choices, name, words->text, words->label);
	return choices;
}

void chrome_slice(struct req *r, const struct slice *s, json_t *data)
{
	const struct str nothing = {NULL, 0};

	json_set(data, "rows", json_incref(s->rows));
	json_set_bool(data, "has_rows", json_array_size(s->rows) > 0);
	json_set_bool(data, "is_later_page", s->has_cursor || s->page > 1);
	json_set_str(data, "first_href", chrome_link(r, "cursor", nothing));
	json_set_str(data, "next_href",
	    !s->has_more ? NULL : chrome_link(r, "cursor", str_from(slice_cursor(r, s, &s->last))));
}

json_t *chrome_order(const char *href, bool is_current, bool is_ascending)
{
	json_t *o = json_object();

	json_set_str(o, "href", href);
	json_set_str(o, "direction",
	    !is_current    ? NULL
	    : is_ascending ? "ascending"
			   : "descending");
	json_set_str(o, "arrow", !is_current ? NULL : is_ascending ? "↑" : "↓");
	return o;
}

void chrome_slice_order(struct req *r, const struct slice *s, const char *key, json_t *data)
{
	const struct str other = s->is_ascending ? (struct str){NULL, 0} : str_from(key);

	json_set(data, "order", chrome_order(chrome_link(r, "sort", other), true, s->is_ascending));
	json_set_str(data, "sort", s->is_ascending ? key : NULL);
}

json_t *chrome_slice_range(const struct slice *s)
{
	const int64_t n = (int64_t)json_array_size(s->rows);

	if (s->has_cursor || n == 0 || (s->offset == 0 && !s->has_more))
		return json_null();
	return json_sprintf("%" PRId64 "–%" PRId64, s->offset + 1, s->offset + n);
}

void chrome_slice_total(
    const struct slice *s, int64_t most, const char *one, const char *many, json_t *data)
{
	int64_t total = s->total;

	if (total < 0 && !s->has_more && !s->has_cursor && s->page <= 1)
		total = (int64_t)json_array_size(s->rows);
	json_set_bool(data, "has_total", total >= 0);
	json_set_bool(data, "is_over", total >= most);
	json_set_int(data, "total", total < most ? total : most - 1);
	json_set_str(data, "noun", total == 1 ? one : many);
	json_set(data, "range", chrome_slice_range(s));
}
