/* What Google's APIs share: error bodies and the login. */
#ifndef SANDBOX_PLAY_GOOGLE_H
#define SANDBOX_PLAY_GOOGLE_H

#include "sandbox/play.h"

int google_refuse(struct play_call *c, enum refusal why, const char *text);
int google_error(
    struct play_call *c, int status, const char *word, const char *reason, const char *text);
extern const struct play_oauth google_oauth;

#endif
