/* Between the parts of the played Graph API of lead ads. */
#ifndef SANDBOX_PLAY_META_H
#define SANDBOX_PLAY_META_H

#include "sandbox/play-graph.h"

struct graph {
	struct play_call *c;
	struct req *r;
	struct sandbox *s;
	struct product p;
	struct str id, edge; /* edge absent: the object itself */
	struct err err;
};

int graph_unknown_object(struct graph *g); /* 100/33 */
int graph_failed(struct graph *g);         /* of the sandbox itself */
struct str graph_param(const struct graph *g, const char *name);
int graph_get_lead(struct graph *g);
int graph_get_leads(struct graph *g);

#endif
