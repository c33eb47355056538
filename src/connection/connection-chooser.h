/* A field whose values a provider lists ("connection/chooser" shows it): one of them, or a text of
 * another name for what is not among them, an id that somebody knows or a template. */
#ifndef CONNECTION_CONNECTION_CHOOSER_H
#define CONNECTION_CONNECTION_CHOOSER_H
#include "http/http.h"
#include "provider/provider.h"

#define CHOOSER_OTHER "other:" /* no provider has such an id */

struct chooser {
	const struct provider *p;
	const char *list;         /* of the manifest's "lists"; NULL: it has none */
	struct str connection_id; /* {NULL,0}: the only one there is */
	bool may_ask;             /* who looks at the form may have the provider called */
	bool is_of_step;          /* templates may stand in it, and fields be inserted */
	const char *called;       /* what the current value was when it was chosen; or NULL */
};
/* What was chosen or written in the field of that name, which may be an ordinary one. */
struct str chooser_read(struct req *r, const char *name);
/* The field beside it that takes a text, once CHOOSER_OTHER is chosen; NULL: it was no chooser. */
const char *chooser_text_field(struct req *r, const char *name);
/* Asks the provider, and makes of the field o, which has its "name", one to choose in: 1; 0: it is
 * a text, since there is nothing to choose from, with "list_why" where the provider does not
 * answer, and "connect_type" and "connect_name" where it is not connected; -1. */
int chooser_show(
    struct req *r, const struct chooser *c, struct str current, json_t *o, struct err *err);
/* What the provider calls that value, by asking it: the arena's; NULL: it does not list it, or does
 * not answer, which is no reason to fail anything. */
const char *chooser_name(struct req *r, const struct chooser *c, struct str value);
#endif
