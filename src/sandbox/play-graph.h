/* What the parts of Meta's Graph API share. */
#ifndef SANDBOX_PLAY_GRAPH_H
#define SANDBOX_PLAY_GRAPH_H

#include "sandbox/play.h"

/* {"error":{…}}; subcode 0: none. */
int graph_error(
    struct play_call *c, int status, int code, int subcode, const char *type, const char *message);
int graph_refuse(struct play_call *c, enum refusal why, const char *text);
bool graph_is_version(struct str segment); /* "v26.0" */
/* A bearer token, or the parameter access_token. */
struct str graph_token(const struct play_call *c);
/* Sets c->bearer: false when nobody knows the token, and *rc is the answer. */
bool graph_let_in(struct play_call *c, int *rc);
void graph_headers(struct play_call *c); /* of usage */
void graph_sign(struct order *o);
int graph_challenge(struct order *o); /* the check of an address, an event */

#endif
