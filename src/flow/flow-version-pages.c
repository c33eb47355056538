/* The tab Versions of a flow. Data of "flow/versions", beside the head's: versions (as the API has
 * them, with by, is_current, revert_href), choices_from, choices_to, changes (flow_diff), from, to
 * (words), has_diff. */
#include "account/people.h"
#include "base/arena.h"
#include "flow/flow-diff.h"
#include "flow/flow-pages.h"
#include "html/chrome.h"

#define DRAFT_WORD "draft"

/* ---- who ------------------------------------------------------------------------------------- */

/* Who published each, each person looked for once. */
static int versions_add_people(struct req *r, json_t *versions, struct err *err)
{
	json_t *known = json_own(r->a, json_object()), *v;
	size_t i;

	json_array_each(versions, i, v) {
		const char *id = json_str(v, "publishedBy");
		struct person p;
		struct uuid user;
		int found;

		if (id != NULL && json_object_get(known, id) == NULL &&
		    uuid_parse(str_from(id), &user)) {
			found = person_find(r->app, r->a, &r->actor.account_id, &user, &p, err);
			if (found == -1)
				return -1;
			json_set_str(known, id,
			    found == 0                            ? "somebody who has left"
			    : p.name != NULL && p.name[0] != '\0' ? p.name
								  : p.email);
		}
		json_set_str(v, "by", id == NULL ? "the API" : json_str(known, id));
	}
	return 0;
}

/* ---- two of them ----------------------------------------------------------------------------- */

/* A version, or the draft, as an address names it: 1, 0 there is none, -1. */
static int version_find(struct req *r, const struct flow *f, struct str word, json_t **steps,
    json_t **settings, struct err *err)
{
	int64_t n;

	if (str_is(word, DRAFT_WORD)) {
		*steps = f->steps;
		*settings = f->settings;
		return 1;
	}
	return str_to_i64(word, 1, INT32_MAX, &n)
		   ? flow_version_load(
			 r->app, r->a, &r->actor.account_id, &f->id, (int)n, steps, settings, err)
		   : 0;
}

int flow_diff_of(struct req *r, const struct flow *f, struct str before, struct str after,
    json_t **out, struct err *err)
{
	json_t *steps[2], *settings[2];
	struct flow_words w;
	int found = version_find(r, f, before, &steps[0], &settings[0], err);

	if (found == 1)
		found = version_find(r, f, after, &steps[1], &settings[1], err);
	if (found == 1 && flow_words_open(&w, r, err) == -1)
		return -1;
	if (found == 1)
		*out = flow_diff(&w, steps[0], settings[0], steps[1], settings[1]);
	return found;
}

static const char *version_words(struct arena *a, struct str word)
{
	return str_is(word, DRAFT_WORD) ? "the draft"
					: arena_printf(a, "version %.*s", (int)word.n, word.p);
}

static json_t *version_choices(
    struct arena *a, const struct flow *f, const json_t *versions, struct str chosen)
{
	json_t *list = json_array(), *v;
	size_t i;

	for (i = 0; i <= json_array_size(versions); i++) {
		const char *word;
		json_t *o;

		if (i == 0 && !f->has_draft)
			continue;
		v = i == 0 ? NULL : json_array_get(versions, i - 1);
		word = v == NULL ? DRAFT_WORD
				 : arena_printf(a, "%lld", (long long)json_int(v, "version"));
		o = json_object();
		json_set_str(o, "value", word);
		json_set_str(
		    o, "label", v == NULL ? "The draft" : arena_printf(a, "Version %s", word));
		json_set_bool(o, "is_current", str_is(chosen, word));
		json_array_append_new(list, o);
	}
	return list;
}

/* What is compared unless the address says: the draft with what is published, else the last two. */
static void compare_default(
    struct arena *a, const struct flow *f, struct str *before, struct str *after)
{
	int last = f->versions;

	if (f->has_draft) {
		*before = str_from(arena_printf(a, "%d", f->version > 0 ? f->version : last));
		*after = STR(DRAFT_WORD);
	} else {
		*before = str_from(arena_printf(a, "%d", last > 1 ? last - 1 : last));
		*after = str_from(arena_printf(a, "%d", last));
	}
}

/* The raw form of what a page tells in words: a new list. */
static json_t *changes_show(struct arena *a, const json_t *changes)
{
	json_t *list = json_array(), *change;
	size_t i;

	json_array_each(changes, i, change) {
		const json_t *from = json_object_get(change, "from"),
			     *to = json_object_get(change, "to");
		json_t *o = json_object();

		json_set_str(o, "change", json_str(change, "change"));
		json_set_str(o, "text", json_str(change, "text"));
		json_set_str(o, "field", json_str(change, "field"));
		json_set_str(o, "from", from == NULL ? "null" : json_text(a, from).p);
		json_set_str(o, "to", to == NULL ? "null" : json_text(a, to).p);
		json_array_append_new(list, o);
	}
	return list;
}

static int compare_show(
    struct req *r, const struct flow *f, const json_t *versions, json_t *data, struct err *err)
{
	struct str before = req_query_text(r, "from"), after = req_query_text(r, "to");
	json_t *changes = NULL;
	int found = 0;

	if (before.p == NULL || after.p == NULL)
		compare_default(r->a, f, &before, &after);
	if (json_array_size(versions) > 0)
		found = flow_diff_of(r, f, before, after, &changes, err);
	if (found == -1)
		return -1;
	json_set_bool(data, "can_compare", json_array_size(versions) + (f->has_draft ? 1 : 0) > 1);
	json_set(data, "choices_from", version_choices(r->a, f, versions, before));
	json_set(data, "choices_to", version_choices(r->a, f, versions, after));
	json_set_bool(data, "has_diff", found == 1);
	json_set_bool(data, "is_same", found == 1 && json_array_size(changes) == 0);
	json_set_str(data, "from", version_words(r->a, before));
	json_set_str(data, "to", version_words(r->a, after));
	json_set(data, "changes", found == 1 ? changes_show(r->a, changes) : NULL);
	return 0;
}

/* ---- the page -------------------------------------------------------------------------------- */

static void versions_add_words(struct req *r, const struct flow *f, json_t *versions)
{
	json_t *v;
	size_t i;

	json_array_each(versions, i, v) {
		int64_t n = json_int(v, "version");
		bool is_current = n == f->version && strcmp(f->status, FLOW_PUBLISHED) == 0;

		json_set_bool(v, "is_current", is_current);
		json_set_bool(v, "can_revert", !is_current && flow_page_may_write(r));
		json_set_str(v, "compare_href",
		    n < 2 ? NULL
			  : arena_printf(r->a, "/admin/flows/%s/versions?from=%lld&to=%lld#compare",
				uuid_dup(r->a, f->id), (long long)n - 1, (long long)n));
	}
}

int flow_page_versions(struct req *r)
{
	struct flow f;
	struct err err = ERR_INIT;
	json_t *data, *versions;

	if (!flow_of_route(r, &f))
		return 0;
	data = flow_page_head(r, &f, "versions");
	if (flow_versions_json(r->app, r->a, &r->actor.account_id, &f.id, &versions, &err) == -1 ||
	    versions_add_people(r, versions, &err) == -1 ||
	    compare_show(r, &f, versions, data, &err) == -1)
		return res_error(r, &err);
	versions_add_words(r, &f, versions);
	json_set_bool(data, "has_versions", json_array_size(versions) > 0);
	json_set(data, "versions", json_incref(versions));
	return chrome_page(r, 200, "flows", f.name, "flow/versions", json_incref(data));
}

/* What a version names may be gone by now: then it says what. */
int flow_page_revert(struct req *r)
{
	struct flow f;
	struct err err = ERR_INIT;
	int version = 0, found;

	if (!flow_of_route(r, &f))
		return 0;
	found = flow_revert_to(r, &f, req_param(r, "version"), &version, &err);
	if (found == 0)
		return res_problem(r, 404, "The flow has no such version");
	if (found == -1 && err.code != ERR_CONFLICT && err.code != ERR_INVALID)
		return res_error(r, &err);
	if (found == -1)
		chrome_flash(r, "error", "Not published: %s.", err.msg);
	else
		chrome_flash(r, "ok", "Version %d is published: it is as version %d was.",
		    f.version, version);
	return res_redirect(
	    r, arena_printf(r->a, "/admin/flows/%s/versions", uuid_dup(r->a, f.id)));
}
