/* How providers prove that a webhook is theirs, written from what they publish and not from what
 * the product checks: tests/unit/test-sandbox-signing.c has the published vectors, so that the two
 * cannot agree on a mistake. Texts are arena-owned. */
#ifndef SANDBOX_SIGNING_H
#define SANDBOX_SIGNING_H

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"

const char *sign_hub(struct arena *a, const char *secret, struct str body); /* Meta, WhatsApp */
const char *sign_linkedin(struct arena *a, const char *secret, struct str body);
const char *sign_linkedin_challenge(struct arena *a, const char *secret, const char *challenge);
const char *sign_tiktok(struct arena *a, const char *secret, struct str body);
/* The URL in full as called; its escapes of : / ? @ ! $ ' ( ) * , ; are decoded before it is
 * signed. */
const char *sign_hubspot(struct arena *a, const char *secret, const char *method, const char *url,
    struct str body, const char *time_ms);
/* fields: {name: text or list of texts}, as decoded; empty or NULL where the URL is all. */
const char *sign_twilio(struct arena *a, const char *token, const char *url, const json_t *fields);
/* Zoom and Slack: "v0=" of "v0:time:body". */
const char *sign_v0(struct arena *a, const char *secret, const char *time_s, struct str body);
const char *sign_zoom_token(struct arena *a, const char *secret, const char *plain_token);
const char *sign_stripe(struct arena *a, const char *secret, const char *time_s, struct str body);
const char *sign_shopify(struct arena *a, const char *secret, struct str body);
/* Of the callback of a login: the query without hmac, sorted by name. */
const char *sign_shopify_query(struct arena *a, const char *secret, const char *query);
const char *sign_zendesk(struct arena *a, const char *secret, const char *time, struct str body);

#endif
