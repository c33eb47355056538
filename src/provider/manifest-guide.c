/* The guide of a manifest: how people connect the provider, step by step, what they wait for
 * afterwards, and presets of its settings. Pages show it; nothing of it is sent anywhere. */
#include "base/str.h"
#include "provider/provider-internal.h"

static const struct setting_spec *guide_setting(const struct provider *p, const char *key)
{
	for (size_t i = 0; i < p->nsettings; i++)
		if (strcmp(p->settings[i].key, key) == 0)
			return &p->settings[i];
	return NULL;
}

/* "credentials.KEY" or "settings.KEY", of what the manifest declares. */
static bool guide_has_field(const struct provider *p, const char *field)
{
	static const char credentials[] = "credentials.", settings[] = "settings.";

	if (strncmp(field, credentials, sizeof(credentials) - 1) == 0)
		return manifest_has_credential(p, field + sizeof(credentials) - 1);
	return strncmp(field, settings, sizeof(settings) - 1) == 0 &&
	       guide_setting(p, field + sizeof(settings) - 1) != NULL;
}

static bool guide_is_link(const char *link)
{
	return strncmp(link, "https://", sizeof("https://") - 1) == 0;
}

static int guide_step_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {COND_MEMBER("when", struct guide_step, when),
	    NEEDED_TEXT_MEMBER("title", struct guide_step, title),
	    EXPR_MEMBER("text", struct guide_step, text),
	    TEXT_MEMBER("link", struct guide_step, link),
	    TEXT_MEMBER("linkLabel", struct guide_step, link_label),
	    BOOL_MEMBER("showsAddress", struct guide_step, shows_address), OTHER_MEMBER("fields")};
	struct guide_step *s = out;

	(void)name;
	l->roots = ROOT_BIT(ROOT_SETTINGS);
	if (loader_members(l, v, MEMBERS(members), s) == -1 ||
	    manifest_texts(l, v, "fields", &s->fields, &s->nfields) == -1)
		return -1;
	if ((s->link == NULL) != (s->link_label == NULL))
		return json_reader_fail(&l->in, "\"link\" and \"linkLabel\" go together");
	if (s->link != NULL && !guide_is_link(s->link))
		return json_reader_fail_at(&l->in, "link", "must begin with https://");
	if (s->shows_address && !p->has_webhook)
		return json_reader_fail_at(&l->in, "showsAddress", "needs \"webhook\"");
	for (size_t i = 0; i < s->nfields; i++)
		if (!guide_has_field(p, s->fields[i]))
			return json_reader_fail_at(&l->in, "fields",
			    "%s is not credentials.KEY or settings.KEY of this manifest",
			    s->fields[i]);
	return 0;
}

static int guide_wait_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const char *const kinds[] = {[GUIDE_EVENT] = "event",
	    [GUIDE_HANDSHAKE] = "handshake",
	    [GUIDE_POLL] = "poll",
	    [GUIDE_SUBSCRIPTION] = "subscription",
	    NULL};
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("title", struct guide_wait, title),
	    TEXT_MEMBER("text", struct guide_wait, text), OTHER_MEMBER("for")};
	struct guide_wait *w = out;
	int kind;

	(void)name;
	if (loader_members(l, v, MEMBERS(members), w) == -1 ||
	    manifest_word(l, v, "for", kinds, &kind) == -1)
		return -1;
	w->kind = (enum guide_wait_kind)kind;
	if (w->kind == GUIDE_POLL ? p->npolls == 0
	    : w->kind == GUIDE_SUBSCRIPTION
		? p->nsubscriptions == 0
		: !p->has_webhook || (w->kind == GUIDE_HANDSHAKE && p->nhandshakes == 0))
		return json_reader_fail_at(&l->in, "for", "is nothing that this provider has");
	return 0;
}

static bool preset_value_fits(const struct setting_spec *s, const json_t *v)
{
	if (s->type != SETTING_CHOICE)
		return true;
	for (size_t i = 0; json_is_string(v) && i < s->nchoices; i++)
		if (strcmp(s->choices[i], json_string_value(v)) == 0)
			return true;
	return false;
}

/* Of the guide, or of one of its presets. */
static int guide_generates(
    struct loader *l, const struct provider *p, const json_t *object, const char ***out, size_t *n)
{
	if (manifest_texts(l, object, "generates", out, n) == -1)
		return -1;
	for (size_t i = 0; i < *n; i++)
		if (!manifest_has_credential(p, (*out)[i]))
			return json_reader_fail_at(
			    &l->in, "generates", "%s is not among the credentials", (*out)[i]);
	return 0;
}

static int guide_preset_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("label", struct guide_preset, label),
	    TEXT_MEMBER("help", struct guide_preset, help), OTHER_MEMBER("settings"),
	    OTHER_MEMBER("generates")};
	struct guide_preset *g = out;
	const char *key;
	json_t *value;

	g->name = name;
	g->settings = json_object_get(v, "settings");
	if (loader_members(l, v, MEMBERS(members), g) == -1 ||
	    guide_generates(l, p, v, &g->generates, &g->ngenerates) == -1)
		return -1;
	if (!json_is_object(g->settings))
		return json_reader_fail_at(&l->in, "settings", "must be an object");
	json_object_each(g->settings, key, value) {
		const struct setting_spec *s = guide_setting(p, key);

		if (s == NULL || !preset_value_fits(s, value))
			return json_reader_fail_at(&l->in, "settings",
			    "%s is no setting of this manifest, or has no such choice", key);
	}
	return 0;
}

/* Does the field k of step i stand before it too, in step j? */
static bool guide_has_twice(const struct guide *g, size_t i, size_t j, size_t k)
{
	const struct guide_step *s = &g->steps[i], *before = &g->steps[j];
	size_t n = j < i ? before->nfields : k;

	if (j < i && s->when != NULL && before->when != NULL)
		return false;
	for (size_t m = 0; m < n; m++)
		if (strcmp(s->fields[k], before->fields[m]) == 0)
			return true;
	return false;
}

/* Each field stands in one step at most, but for steps that are shown in place of each other. */
static int guide_check_once(struct loader *l, const struct guide *g)
{
	for (size_t i = 0; i < g->nsteps; i++)
		for (size_t k = 0; k < g->steps[i].nfields; k++)
			for (size_t j = 0; j <= i; j++)
				if (guide_has_twice(g, i, j, k))
					return json_reader_fail_at(&l->in, "steps",
					    "%s stands in two of them", g->steps[i].fields[k]);
	return 0;
}

int manifest_guide(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct manifest_many steps = {
	    "steps", READ_LIST, sizeof(struct guide_step), guide_step_one};
	static const struct manifest_many waits = {
	    "waits", READ_LIST, sizeof(struct guide_wait), guide_wait_one};
	static const struct manifest_many presets = {
	    "presets", READ_OBJECT, sizeof(struct guide_preset), guide_preset_one};
	static const char *const keys[] = {"steps", "waits", "presets", "generates", NULL};
	const json_t *v = json_object_get(json, "guide");
	struct guide *g = &p->guide;
	size_t mark;

	if (v == NULL)
		return 0;
	mark = json_reader_enter(&l->in, "guide");
	if (json_read_keys(&l->in, v, keys) == -1 ||
	    (g->steps = manifest_many(l, p, v, &steps, &g->nsteps)) == NULL ||
	    (g->waits = manifest_many(l, p, v, &waits, &g->nwaits)) == NULL ||
	    (g->presets = manifest_many(l, p, v, &presets, &g->npresets)) == NULL ||
	    guide_generates(l, p, v, &g->generates, &g->ngenerates) == -1 ||
	    guide_check_once(l, g) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}
