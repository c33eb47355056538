/* What the files of the engine share. */
#ifndef PROVIDER_PROVIDER_INTERNAL_H
#define PROVIDER_PROVIDER_INTERNAL_H
#include "provider/manifest.h"

/* One file; the path names it in messages. */
struct provider *manifest_load_file(struct arena *a, const char *file, struct err *err);
struct provider *manifest_load(
    struct arena *a, const char *file, const json_t *json, struct err *err);
/* The sections, each in its own file. */
int manifest_webhook(struct loader *l, struct provider *p, const json_t *json);
int manifest_actions(struct loader *l, struct provider *p, const json_t *json);
int manifest_settings(struct loader *l, struct provider *p, const json_t *json);
int manifest_credentials(struct loader *l, struct provider *p, const json_t *json);
int manifest_credential_rules(struct loader *l, struct provider *p, const json_t *json);
int manifest_lead(struct loader *l, struct provider *p, const json_t *json);
/* A list of texts; absent is empty. */
int manifest_texts(
    struct loader *l, const json_t *object, const char *key, const char ***out, size_t *n);
const struct action *provider_find_action(const struct provider *p, const char *name);

/* A scope with settings and request of a webhook. */
void scope_of_webhook(
    struct scope *s, struct arena *a, const struct webhook *w, const struct access *c);
/* Do a signature's algorithm and encoding, as the scope has them, have known names? If not, which
 * of its two expressions does not, and the name that it gives. */
bool signature_is_known(
    const struct signature *s, struct scope *scope, const struct expr **wrong, struct str *name);
/* Has it all these credentials? The first missing one, or NULL. */
const char *access_lacks(const struct access *c, const char *const *keys, size_t n);

/* The two halves of provider_action, apart so that examples can run them without a network. */
struct http_call;
struct http_answer;
int action_build(struct arena *a, const struct provider *p, const struct access *c,
    const struct action *act, const json_t *inputs, struct http_call *call, struct err *err);
void action_read(struct arena *a, const struct provider *p, const struct access *c,
    const struct action *act, const json_t *inputs, const struct http_call *call,
    const struct http_answer *ans, struct call_result *out);
#endif
