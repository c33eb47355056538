/* Between router.c (which route) and dispatch.c (what happens then). */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "http/http.h"

#define ROUTE_PARAMS_MAX 8u

struct route_match {
	const struct route *route;
	struct {
		struct str name;
		size_t segment; /* its place in the path, from 0 */
	} params[ROUTE_PARAMS_MAX];
	size_t nparams;
};

const struct router_hooks *router_hooks_of(const struct router *rt);
/* Sets r->route and r->params. 0; 404; or 405 with the methods there are (arena-owned). */
int router_match(const struct router *rt, struct req *r, const char **allow);

#endif
