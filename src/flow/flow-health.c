/* What a list of flows says of each: what starts it, and how its last run ended. */
#include "base/arena.h"
#include "flow/trigger-pages.h"
#include "provider/provider.h"

DB_STMT_ROWS(flow_last_runs,
    "SELECT x.flow_id, x.id, x.status, x.created_at FROM executions x JOIN (SELECT account_id,"
    " flow_id, MAX(id) AS id FROM executions WHERE account_id = ? AND flow_id IN (",
    "?", ") GROUP BY account_id, flow_id) l ON x.account_id = l.account_id AND x.id = l.id");
enum { LAST_FLOW, LAST_ID, LAST_STATUS, LAST_AT };

static const char *article(const char *word)
{
	return strchr("aeiouAEIOU", *word) != NULL ? "An" : "A";
}

/* "is new", "was changed": what of a record its trigger waits for. */
static const char *record_news_words(const json_t *config)
{
	const char *on = json_str(config, "on");

	if (on == NULL || strcmp(on, "any") == 0)
		return "is new or changed";
	return strcmp(on, "created") == 0 ? "is new" : "was changed";
}

static const char *schedule_words(struct arena *a, const json_t *config)
{
	return arena_printf(a, "%s (%s)", trigger_every_words(a, json_str(config, "cron")),
	    json_str(config, "timeZone"));
}

const char *flow_trigger_words(struct app *app, struct arena *a, const json_t *trigger)
{
	const json_t *config = json_object_get(trigger, "config");
	const char *kind = json_str(trigger, "kind"), *name = json_str(trigger, "triggerName"),
		   *news;
	const char *type = json_str(trigger, "resourceType"),
		   *provider = json_str(trigger, "providerType");
	const struct provider *p = provider_find(app->providers, str_from(provider));
	const bool is_any = provider != NULL && strcmp(provider, TRIGGER_ANY) == 0;
	const char *from = is_any ? "any source" : p != NULL ? provider_display_name(p) : provider;
	char *word;

	if (strcmp(kind, TRIGGER_SCHEDULE) == 0)
		return schedule_words(a, config);
	if (from == NULL || *from == '\0')
		return word_label(trigger_kinds, kind);
	news = record_news_words(config);
	if (type == NULL || *type == '\0' || strcmp(type, "*") == 0)
		return arena_printf(a, "Anything from %s %s", from, news);
	if (strchr(type, '.') != NULL && name != NULL && strcmp(type, name) == 0)
		return arena_printf(a, "%s comes from %s", name, from);
	word = arena_strdup(a, type);
	for (char *c = word; *c != '\0'; c++)
		*c = *c == '_' ? ' ' : *c;
	return arena_printf(a, "%s %s from %s %s%s", article(word), word, from, news,
	    strcmp(kind, TRIGGER_POLL) == 0 ? " on its list" : "");
}

/* ---- what starts them ------------------------------------------------------------------------ */

static int starts_add(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t *flows, struct err *err)
{
	struct trigger_filter f = {.account_id = *account_id};
	struct slice s = {.limit = TRIGGERS_PER_ACCOUNT};
	json_t *flow, *t;
	size_t i, k;

	if (trigger_list(app, a, &f, &s, err) == -1)
		return -1;
	json_array_each(flows, i, flow) {
		const char *id = json_str(flow, "id"), *words = NULL;

		json_array_each(s.rows, k, t) {
			if (!json_bool(t, "enabled") || strcmp(json_str(t, "flowId"), id) != 0)
				continue;
			words = words == NULL ? flow_trigger_words(app, a, t)
					      : arena_printf(a, "%s; %s", words,
						    flow_trigger_words(app, a, t));
		}
		json_set_str(flow, "starts", words);
	}
	return 0;
}

/* ---- how they ended last --------------------------------------------------------------------- */

static json_t *last_json(struct arena *a, const struct db_rows *rows, size_t i)
{
	json_t *o = json_object();
	const char *status = db_get_text(rows, i, LAST_STATUS);

	json_set_str(o, "status", status);
	json_set_str(o, "label", word_label(execution_statuses, status));
	json_set_time(o, "at", db_get_int(rows, i, LAST_AT));
	json_set_str(o, "id", uuid_dup(a, db_get_uuid(rows, i, LAST_ID)));
	return o;
}

static int last_add(struct app *app, struct arena *a, const struct uuid *account_id,
    json_t *const *flows, size_t n, struct err *err)
{
	struct uuid ids[LIMIT_DB_BATCH];
	struct db_val v[LIMIT_DB_BATCH];
	struct db_rows rows;

	for (size_t i = 0; i < n; i++) {
		(void)uuid_parse(str_from(json_str(flows[i], "id")), &ids[i]);
		v[i] = db_uuid(&ids[i]);
	}
	if (db_query_rows(app->db, a, &flow_last_runs, (const struct db_val[]){db_uuid(account_id)},
		1, v, n, 1, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t row = db_find_uuid(&rows, LAST_FLOW, &ids[i]);

		json_set(flows[i], "last", row < rows.count ? last_json(a, &rows, row) : NULL);
	}
	return 0;
}

int flow_add_health(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t *rows, struct err *err)
{
	json_t *batch[LIMIT_DB_BATCH], *o;
	size_t n = 0, i;

	json_array_each(rows, i, o) {
		batch[n++] = o;
		if (n < LIMIT_DB_BATCH && i + 1 < json_array_size(rows))
			continue;
		if (last_add(app, a, account_id, batch, n, err) == -1)
			return -1;
		n = 0;
	}
	return starts_add(app, a, account_id, rows, err);
}
