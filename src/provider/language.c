/* The language of manifests: what placeholders and conditions can name. Which of it may be named at
 * a place is said where that place is loaded; credentials may nowhere. */
#include "provider/provider-internal.h"

static struct str http_pairs_find(const void *from, const char *name)
{
	return http_pairs_get(from, name);
}

static const struct expr_field connection_fields[] = {{"id", FIELD_SCALAR},
    {"externalAccountId", FIELD_SCALAR}, {"webhookUrl", FIELD_SCALAR}, {NULL, FIELD_ANY}};

static const struct expr_field time_fields[] = {{"", FIELD_TIME}, {NULL, FIELD_ANY}};

static const struct expr_field poll_fields[] = {{"since", FIELD_TIME}, {"until", FIELD_TIME},
    {"cursor", FIELD_ANY}, {"idAfter", FIELD_SCALAR}, {"export", FIELD_ANY}, {NULL, FIELD_ANY}};

static const struct expr_field subscription_fields[] = {{"id", FIELD_SCALAR}, {"key", FIELD_SCALAR},
    {"data", FIELD_ANY}, {"credentials", FIELD_ANY}, {NULL, FIELD_ANY}};

static const struct expr_root roots[] = {
    {"body", ROOT_BODY, NULL, NULL},
    {"settings", ROOT_SETTINGS, NULL, NULL},
    {"credentials", ROOT_CREDENTIALS, NULL, NULL},
    {"input", ROOT_INPUT, NULL, NULL},
    {"answer", ROOT_ANSWER, NULL, NULL},
    {"status", ROOT_STATUS, NULL, NULL},
    {"raw", ROOT_RAW, NULL, NULL},
    {"output", ROOT_OUTPUT, NULL, NULL},
    {"header", ROOT_HEADER, http_pairs_find, NULL},
    {"query", ROOT_QUERY, http_pairs_find, NULL},
    {"version", ROOT_VERSION, NULL, NULL},
    {"connection", ROOT_CONNECTION, NULL, connection_fields},
    {"now", ROOT_NOW, NULL, time_fields},
    {"item", ROOT_ITEM, NULL, NULL},
    {"form", ROOT_FORM, NULL, NULL},
    {"record", ROOT_RECORD, NULL, NULL},
    {"records", ROOT_RECORDS, NULL, NULL},
    {"page", ROOT_PAGE, NULL, NULL},
    {"poll", ROOT_POLL, NULL, poll_fields},
    {"subscription", ROOT_SUBSCRIPTION, NULL, subscription_fields},
    {"lead", ROOT_LEAD, NULL, NULL},
};

const struct expr_language provider_language = {
    .syntax = EXPR_SINGLE_BRACES,
    .roots = roots,
    .nroots = sizeof(roots) / sizeof(*roots),
    .functions = expr_functions,
};

void scope_of_webhook(
    struct scope *s, struct arena *a, const struct webhook *w, const struct access *c)
{
	*s = (struct scope){.a = a};
	s->slot[ROOT_BODY].json = w->payload;
	s->slot[ROOT_SETTINGS].json = c == NULL ? NULL : c->settings;
	if (w->req != NULL) {
		s->slot[ROOT_HEADER].from = &w->req->headers;
		s->slot[ROOT_QUERY].from = &w->req->query;
	}
}
