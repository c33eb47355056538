/* What the files of the engine share. */
#ifndef PROVIDER_PROVIDER_INTERNAL_H
#define PROVIDER_PROVIDER_INTERNAL_H
#include "net/http-client.h"
#include "provider/manifest.h"

/* One file; the path names it in messages. */
struct provider *manifest_load_file(struct arena *a, const char *file, struct err *err);
struct provider *manifest_load(
    struct arena *a, const char *file, const json_t *json, struct err *err);
/* The sections, each in its own file. */
int manifest_webhook(struct loader *l, struct provider *p, const json_t *json);
int manifest_guide(struct loader *l, struct provider *p, const json_t *json);
int manifest_version(struct loader *l, struct provider *p, const json_t *json);
int manifest_origin(struct loader *l, struct provider *p, const json_t *json);
/* The member "auth" of an object: one way, or a list of them. */
int manifest_auths(struct loader *l, struct provider *p, const json_t *object, struct auths *out);
int manifest_request_defaults(struct loader *l, struct provider *p, const json_t *json);
int manifest_request(
    struct loader *l, struct provider *p, const json_t *action, struct action *act);
int manifest_actions(struct loader *l, struct provider *p, const json_t *json);
int manifest_oauth(
    struct loader *l, struct provider *p, const json_t *json); /* behind the actions */
int manifest_push_body(struct loader *l, struct provider *p, const json_t *json);
int manifest_push_fields(struct loader *l, struct provider *p, const json_t *json);
int manifest_polls(struct loader *l, struct provider *p, const json_t *json);
int manifest_subscriptions(struct loader *l, struct provider *p, const json_t *json);
/* "action" and "inputs" of an object, by the roots at hand. */
int manifest_call(
    struct loader *l, struct provider *p, const json_t *object, struct call_spec *out);
int manifest_batches(struct loader *l, struct provider *p, const json_t *json);
int manifest_lists(struct loader *l, struct provider *p, const json_t *json);
/* Roots of what goes to a provider before there is an answer, inputs not counted. */
unsigned manifest_roots_of_connection(const struct provider *p);

/* ---- reading manifests (manifest-read.c) -------------------------------------------------- */

/* Rows of struct loader_member (expr/expr.h). Texts and keys are borrowed from the manifest's JSON,
 * which lives as long as the provider. */
#define TEXT_MEMBER(key, type, field)                                                              \
	{                                                                                          \
		{key, READ_PARSED, JSON_INTO(type, field), .parse = manifest_text}, MEMBER_PLAIN   \
	}
#define NEEDED_TEXT_MEMBER(key, type, field)                                                       \
	{                                                                                          \
		{key, READ_PARSED, JSON_INTO(type, field), .need = READ_NEEDED, .min = 1,          \
		    .parse = manifest_text},                                                       \
		    MEMBER_PLAIN                                                                   \
	}
#define BOOL_MEMBER(key, type, field)                                                              \
	{                                                                                          \
		{key, READ_BOOL, JSON_INTO(type, field)}, MEMBER_PLAIN                             \
	}
#define INT_MEMBER(key, type, field, least, most)                                                  \
	{                                                                                          \
		{key, READ_INT, JSON_INTO(type, field), .min = (least), .max = (most)},            \
		    MEMBER_PLAIN                                                                   \
	}
#define EXPR_MEMBER(key, type, field)                                                              \
	{                                                                                          \
		{key, JSON_INTO(type, field)}, MEMBER_EXPR                                         \
	}
#define COND_MEMBER(key, type, field)                                                              \
	{                                                                                          \
		{key, JSON_INTO(type, field)}, MEMBER_COND                                         \
	}
#define LOOPS_MEMBER(key, type, field)                                                             \
	{                                                                                          \
		{key, JSON_INTO(type, field)}, MEMBER_LOOPS                                        \
	}
#define OTHER_MEMBER(key)                                                                          \
	{                                                                                          \
		{.name = (key)}, MEMBER_OTHER                                                      \
	}
#define MEMBERS(table) (table), sizeof(table) / sizeof((table)[0])

bool manifest_text(struct str text, void *out); /* a json_member's parse into a const char * */
/* A list of texts; absent is empty. */
int manifest_texts(
    struct loader *l, const json_t *object, const char *key, const char ***out, size_t *n);
/* The named member, a credential or a list of them, each declared; absent leaves *out as it is. */
int manifest_credential_names(struct loader *l, const struct provider *p, const json_t *object,
    const char *key, struct credential_names *out);
/* The index of the named member in a list of words (NULL-terminated). An absent one is 0; an
 * unknown one is told of at the member. */
int manifest_word(
    struct loader *l, const json_t *object, const char *key, const char *const *words, int *out);
/* The same of the member "type", which is needed; an unknown one is told of at the object. */
int manifest_type(struct loader *l, const json_t *object, const char *const *words, int *out);

/* A member that holds many of a kind: a list, or an object of names. */
struct manifest_many {
	const char *key;
	enum json_kind kind; /* READ_LIST, READ_OBJECT */
	size_t size;         /* of one */
	/* Reads one into zeroed storage of that size; name is NULL in a list. */
	int (*one)(
	    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out);
};
/* An array of them, and how many; absent is none. NULL with the complaint made. */
void *manifest_many(struct loader *l, struct provider *p, const json_t *object,
    const struct manifest_many *many, size_t *n);

/* The language at hand, in which the root of that slot has but these fields. */
const struct expr_language *manifest_language(
    struct loader *l, unsigned slot, const struct expr_field *fields);

/* ------------------------------------------------------------------------------------------- */

/* What items of webhooks and of polls share (extract.c). Is it a resource type as it may be stored?
 */
bool item_type_is_valid(struct str t);
/* Makes a lead of the item, if the rule's condition holds. */
void item_fill_lead(const struct lead_rule *r, struct scope *s, struct webhook_item *item);

/* A scope with settings and request of a webhook. */
void scope_of_webhook(
    struct scope *s, struct arena *a, const struct webhook *w, const struct access *c);
/* Do a signature's algorithm and encoding, as the scope has them, have known names? If not, which
 * of its two expressions does not, and the name that it gives. */
bool signature_is_known(
    const struct signature *s, struct scope *scope, const struct expr **wrong, struct str *name);
/* Has it all these credentials? The first missing one, or NULL. */
const char *access_lacks(const struct access *c, const char *const *keys, size_t n);

/* Does an answer fulfil such a condition (provider_check_success)? answer is its JSON, NULL where
 * it is none: then it is the text that came. */
bool answer_is_success(
    struct arena *a, const json_t *condition, int status, json_t *answer, struct str body);

/* ---- calls -------------------------------------------------------------------------------- */

/* Cuts a text of credentials in braces at the next: what stands before it, and its key, {NULL,0}
 * at the end. False when nothing is left. */
bool auth_text_next(struct str *rest, struct str *text, struct str *key);
/* Is a key the constant {'text'}? */
bool auth_text_constant(struct str key, struct str *text);
/* Where settings.auth sends a key, unless it has a name of its own. */
#define AUTH_HEADER_NAME "X-API-Key"
#define AUTH_QUERY_NAME "api_key"

bool call_class_parse(struct str name, enum call_class *out);

/* One call of an action, in two halves, apart so that examples can run them without a network. */
struct action_call {
	struct arena *a;
	const struct provider *p;
	const struct access *c; /* or NULL */
	const struct action *act;
	const json_t *inputs; /* or NULL */
	int64_t now_us;
	bool is_handed_on; /* the answer as it is, to somebody else: whole, or not at all */
};
/* What goes over the wire. */
struct action_request {
	struct http_call http;
	const char *signed_in;    /* as in struct call_result */
	bool carries_credentials; /* in its URL, headers or body */
};
int action_build(const struct action_call *k, struct action_request *out, struct err *err);
/* An answer to it, in whichever class it is. */
void action_read(const struct action_call *k, const struct http_call *call,
    const struct http_answer *ans, struct call_result *out);
/* That no answer came, and why. */
void action_read_failure(
    const struct action_call *k, const char *url, const struct err *why, struct call_result *out);
/* Both, with the call between them: provider_action of an action at hand. *ans is what came, its
 * status 0 where nothing did. */
int action_run(struct app *app, const struct action_call *k, struct http_answer *ans,
    struct call_result *out, struct err *err);
/* What the request, and with an answer all of its parts, look at; and what an origin does. */
void scope_of_call(struct scope *s, const struct action_call *k);
void scope_of_provider(
    struct scope *s, struct arena *a, const struct provider *p, json_t *settings);
/* apiOrigin as the scope has it, or {NULL,0}. */
struct str provider_origin(const struct provider *p, struct scope *s);
/* The input's name for action_read's next page; see provider_page_input. */
const char *paging_input(const struct paging *p);

/* ---- pages (paging.c) --------------------------------------------------------------------- */

/* The URL that a page's cursor stands for, where cursors are URLs, in place of the action's own:
 * 1, 0 where the inputs have none, -1 where it leads to another server. */
int page_url(const struct action_call *k, const char *own_url, const char **out, struct err *err);
/* The output of a list, {items, nextCursor}, of an answer to that URL: CALL_OK, else *why. */
enum call_class page_read(const struct action_call *k, const char *url, struct scope *s,
    json_t **output, const char **why);

/* ---- URLs (url.c) ------------------------------------------------------------------------- */

const char *url_host(struct arena *a, const char *url);
/* The URL without those parameters that hold one of the credentials. */
const char *url_without_secrets(struct arena *a, const struct access *c, const char *url);

/* One value; null is none of it. */
int input_check_value(const struct input_spec *spec, const json_t *v, struct json_reader *in);
/* The inputs given, and what the others are where they are not given; owned by the arena, or inputs
 * itself. */
json_t *action_inputs(struct arena *a, const struct action *act, const json_t *inputs);
#endif
