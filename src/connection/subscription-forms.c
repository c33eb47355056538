/* Subscriptions of forms: the row without a form stands for all. It lists the connection's forms
 * every hour; each has a row of its own, which is kept as any other (subscription-run.c).
 *
 *	list of forms ──new──> its row, looked at now
 *	             └──gone──> what was subscribed is ended, then its row goes */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "connection/connection-call.h"
#include "connection/subscription-internal.h"

#define FORMS_MOST 2000
#define FORM_PAGES_MOST 100

json_t *subscription_form(struct arena *a, const char *id)
{
	json_t *o;

	if (id == NULL || id[0] == '\0')
		return NULL;
	o = json_own(a, json_object());
	json_set_str(o, "id", id);
	return o;
}

static int forms_add(struct subscribing *s, json_t *forms, const json_t *output)
{
	json_t *item, *form;
	size_t i;

	json_array_each(json_object_get(output, "items"), i, item) {
		form = provider_form(s->c->provider, s->a, item);
		if (form == NULL || strlen(json_str(form, "id")) > LIMIT_EXTERNAL_ID_BYTES)
			continue;
		if (json_array_size(forms) == FORMS_MOST) {
			s->error = arena_printf(s->a,
			    "the connection has more than %d forms, which are too many",
			    FORMS_MOST);
			return 0;
		}
		json_array_append(forms, form);
	}
	return 1;
}

/* All forms, in the order of the provider's list. 1, 0, -1 as a call. */
static int forms_list(struct subscribing *s, json_t *forms, struct err *err)
{
	const struct provider *p = s->c->provider;
	const struct call_spec list = {.action = provider_find_action(p, p->forms.action)};
	const json_t *page = NULL, *before;
	struct call_result res;
	int rc;

	for (int i = 0; i < FORM_PAGES_MOST; i++) {
		rc = subscribing_call(s, &list, &s->row, NULL, page, &res, err);
		if (rc == 1)
			rc = forms_add(s, forms, res.output);
		if (rc != 1)
			return rc;
		before = page;
		page = json_object_get(res.output, "nextCursor");
		if (page == NULL || json_is_null(page))
			return 1;
		if (before != NULL && json_equal(before, page))
			break;
	}
	s->error = "the list of forms does not end";
	return 0;
}

static bool forms_have(const json_t *forms, const char *id)
{
	const json_t *form;
	size_t i;

	json_array_each(forms, i, form)
		if (strcmp(json_str(form, "id"), id) == 0)
			return true;
	return false;
}

/* ---- storing ------------------------------------------------------------------------------- */

struct forms_change {
	struct subscribing *s;
	const json_t *added;                /* or NULL */
	const struct subscription_row *row; /* that goes, or NULL */
};

static int forms_change_body(struct db *db, void *arg, struct err *err)
{
	struct forms_change *k = arg;

	if (k->added != NULL && subscription_forms_put(db, &k->s->row, k->added, err) == -1)
		return -1;
	if (k->row != NULL && subscription_drop(db, k->row, err) == -1)
		return -1;
	return job_keep(db, k->s->job, err);
}

/* ---- those that go ------------------------------------------------------------------------- */

/* What refuses is left; whoever is to be asked again keeps the row. 1, 0, -1 as a call. */
static int form_end(struct subscribing *s, const struct subscription_row *row, struct err *err)
{
	const struct str known[] = {row->known, row->former};
	struct forms_change change = {.s = s, .row = row};
	struct call_result res;
	json_t *v;
	int rc;

	for (size_t i = 0; i < 2 && s->spec->remove.action != NULL; i++) {
		if (known[i].p == NULL)
			continue;
		v = json_parse_stored(s->a, known[i], err);
		if (v == NULL)
			return -1;
		rc = subscribing_call(s, &s->spec->remove, row, v, NULL, &res, err);
		if (rc == -1)
			return -1;
		if (rc == 0 && (res.class == CALL_RETRY || res.class == CALL_RATE_LIMITED))
			return 0;
		if (rc == 0 && res.class != CALL_NOT_FOUND)
			log_warn("subscription.left",
			    LOG_S("connection", uuid_dup(s->a, row->connection_id)),
			    LOG_S("subscription", row->name), LOG_S("error", s->error));
		s->error = NULL;
	}
	return job_transaction(s->job, forms_change_body, &change, err) == -1 ? -1 : 1;
}

int subscribing_forms(
    struct subscribing *s, struct subscription_row *rows, size_t n, struct err *err)
{
	json_t *forms = json_own(s->a, json_array());
	struct forms_change change = {.s = s, .added = forms};
	int rc = forms_list(s, forms, err);

	if (rc != 1)
		return rc;
	if (json_array_size(forms) > 0 &&
	    job_transaction(s->job, forms_change_body, &change, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].name, s->row.name) != 0 || rows[i].form[0] == '\0' ||
		    forms_have(forms, rows[i].form))
			continue;
		rows[i].next_us = INT64_MAX; /* in this run it is kept no more */
		s->is_unfinished = clock_mono_us() > s->until_us || job_has_to_yield(s->job);
		if (s->is_unfinished)
			continue;
		rc = form_end(s, &rows[i], err);
		if (rc != 1)
			return rc;
	}
	return 1;
}
