/* Which route an address means. A tree with a level per segment: a fixed name goes before a
 * parameter, and the search comes back to the parameter where the fixed name leads nowhere. Where
 * it leads to routes, it decides: what they have no method for is 405, and no parameter's value. */
#include "http/router.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "http/conn.h"

#define SEGMENTS_MAX 24u
#define METHODS ((size_t)HTTP_OTHER)

struct route_leaf {
	const struct route *route;
	struct route_match template; /* names and places of its parameters */
};

struct route_node {
	struct str name;
	struct route_node **kids; /* fixed names, ordered by length, then bytes */
	size_t nkids;
	struct route_node *param;
	struct route_leaf *leaves[METHODS];
};

struct router {
	struct route_node *root;
	const struct router_hooks *hooks;
};

const struct router_hooks *router_hooks_of(const struct router *rt)
{
	return rt->hooks;
}

/* ---- building ------------------------------------------------------------------------------ */

static int name_compare(struct str a, struct str b)
{
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return memcmp(a.p, b.p, a.n);
}

/* Where name is among the kids, or belongs. */
static size_t kid_index(const struct route_node *node, struct str name, bool *is_there)
{
	size_t low = 0, high = node->nkids;

	*is_there = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = name_compare(name, node->kids[mid]->name);

		if (c == 0) {
			*is_there = true;
			return mid;
		}
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static struct route_node *kid_make(struct arena *a, struct route_node *node, struct str name)
{
	bool is_there;
	size_t i = kid_index(node, name, &is_there);
	struct route_node **grown;

	if (is_there)
		return node->kids[i];
	grown = arena_array(a, node->nkids + 1, sizeof(struct route_node *));
	memcpy(grown, node->kids, i * sizeof(*grown));
	memcpy(grown + i + 1, node->kids + i, (node->nkids - i) * sizeof(*grown));
	grown[i] = arena_zalloc(a, sizeof(struct route_node));
	grown[i]->name = name;
	grown[i]->kids = grown; /* never read while nkids is 0, and never NULL */
	node->kids = grown;
	node->nkids++;
	return grown[i];
}

/* What is wrong with a row of the table, or NULL. */
static const char *route_contradiction(const struct route *t)
{
	unsigned f = t->flags;
	bool is_unsafe = t->method != HTTP_GET;

	if (t->method == HTTP_HEAD || t->method == HTTP_OPTIONS || t->method >= HTTP_OTHER)
		return "HEAD and OPTIONS are answered by the dispatcher";
	if (t->pattern == NULL || t->pattern[0] != '/')
		return "the pattern must begin with /";
	if (t->handler == NULL)
		return "it has no handler";
	if ((f & ROUTE_PUBLIC) != 0 && (t->permission != 0 || (f & ROUTE_ANY_ACCOUNT) != 0))
		return "it is public and yet wants an account";
	if ((f & (ROUTE_PUBLIC | ROUTE_ANY_ACCOUNT)) == 0 && t->permission == 0)
		return "it names no permission and is neither public nor open to any account";
	if ((f & ROUTE_ANY_ACCOUNT) != 0 && t->permission != 0)
		return "it is open to any account and yet names a permission";
	if ((f & ROUTE_API) != 0 && (f & (ROUTE_PAGE | ROUTE_FORM | ROUTE_CSRF)) != 0)
		return "it is both an API route and a page";
	if ((f & ROUTE_FORM) != 0 && (f & ROUTE_PUBLIC) == 0)
		return "ROUTE_FORM is for public forms";
	if ((f & ROUTE_CSRF) != 0 && (f & (ROUTE_PUBLIC | ROUTE_RAW)) != 0)
		return "a CSRF token needs a session and a form";
	if ((f & ROUTE_PAGE) != 0 && is_unsafe && (f & (ROUTE_CSRF | ROUTE_FORM)) == 0)
		return "an unsafe page route needs ROUTE_CSRF";
	if ((f & ROUTE_CSRF) != 0 && is_unsafe && t->body_limit == 0)
		return "a form's CSRF token needs a body";
	if ((f & ROUTE_KEYED) != 0 && ((f & ROUTE_PAGE) == 0 || is_unsafe))
		return "only a page that is looked at can be opened by a key";
	if ((f & ROUTE_RAW) != 0 && (f & ROUTE_UPLOAD) != 0)
		return "its body is both raw and an upload";
	return NULL;
}

static int route_add(struct arena *a, struct router *rt, const struct route *t, struct err *err)
{
	const char *why = route_contradiction(t);
	struct route_node *node = rt->root;
	struct str rest, segment;
	struct route_leaf *leaf;
	size_t n = 0;

	if (why != NULL)
		return err_set(err, ERR_INTERNAL, "route %s %s: %s", http_method_name(t->method),
		    t->pattern != NULL ? t->pattern : "(none)", why);
	leaf = arena_zalloc(a, sizeof(*leaf));
	leaf->route = leaf->template.route = t;
	rest = str_from(t->pattern + 1);
	while (rest.n != 0 && str_split(&rest, '/', &segment)) {
		struct route_match *m = &leaf->template;

		if (segment.n == 0 || ++n > SEGMENTS_MAX)
			return err_set(
			    err, ERR_INTERNAL, "route %s: empty or too many segments", t->pattern);
		if (segment.p[0] != ':') {
			node = kid_make(a, node, segment);
			continue;
		}
		if (segment.n == 1 || m->nparams == ROUTE_PARAMS_MAX)
			return err_set(err, ERR_INTERNAL,
			    "route %s: nameless or too many parameters", t->pattern);
		m->params[m->nparams].name = (struct str){segment.p + 1, segment.n - 1};
		m->params[m->nparams++].segment = n - 1;
		if (node->param == NULL) {
			node->param = arena_zalloc(a, sizeof(struct route_node));
			node->param->kids = &node->param;
		}
		node = node->param;
	}
	if (t->pattern[1] != '\0' && t->pattern[strlen(t->pattern) - 1] == '/')
		return err_set(err, ERR_INTERNAL, "route %s ends with /", t->pattern);
	if (node->leaves[t->method] != NULL)
		return err_set(err, ERR_INTERNAL, "route %s %s is there twice (as %s)",
		    http_method_name(t->method), t->pattern,
		    node->leaves[t->method]->route->pattern);
	node->leaves[t->method] = leaf;
	return 0;
}

struct router *router_new(struct arena *a, const struct route *routes, size_t n,
    const struct router_hooks *hooks, struct err *err)
{
	struct router *rt = arena_zalloc(a, sizeof(*rt));
	size_t i;

	rt->hooks = hooks;
	rt->root = arena_zalloc(a, sizeof(struct route_node));
	rt->root->kids = &rt->root;
	for (i = 0; i < n; i++) {
		if (route_add(a, rt, &routes[i], err) == -1)
			return NULL;
		if ((routes[i].flags & ROUTE_PUBLIC) == 0 && hooks->authenticate == NULL) {
			err_set(err, ERR_INTERNAL, "route %s needs an authenticator",
			    routes[i].pattern);
			return NULL;
		}
	}
	return rt;
}

/* ---- matching ------------------------------------------------------------------------------ */

struct route_search {
	struct str segments[SEGMENTS_MAX];
	size_t n;
	enum http_method method;
	unsigned allowed; /* bits of the methods of the address; 0: not found yet */
	const struct route_leaf *found;
};

static bool has_percent(struct str s)
{
	return s.n != 0 && memchr(s.p, '%', s.n) != NULL;
}

/* Cuts and decodes. False for what no route can mean: empty segments (a slash at the end or two in
 * a row), "." and "..", broken escapes, NUL, bytes that are not UTF-8. */
static bool path_cut(struct arena *a, struct str path, struct route_search *s)
{
	struct str rest, part;

	if (path.n == 0 || path.p[0] != '/')
		return false;
	rest = (struct str){path.p + 1, path.n - 1};
	if (rest.n == 0)
		return true;
	if (rest.p[rest.n - 1] == '/')
		return false;
	while (str_split(&rest, '/', &part)) {
		if (part.n == 0 || s->n == SEGMENTS_MAX)
			return false;
		if (has_percent(part)) {
			char *p = arena_alloc(a, part.n + 1);
			long n = percent_decode(p, part.n + 1, part, false);

			if (n <= 0)
				return false;
			p[n] = '\0';
			part = (struct str){p, (size_t)n};
		}
		if (str_is(part, ".") || str_is(part, "..") || !utf8_is_valid(part))
			return false;
		s->segments[s->n++] = part;
	}
	return true;
}

/* Visits no node twice: the work is bounded by the table, and in practice by the segments. */
static void node_descend(const struct route_node *node, size_t depth, struct route_search *s)
{
	bool is_there;
	size_t i, m;

	if (depth == s->n) {
		for (m = 0; m < METHODS; m++)
			if (node->leaves[m] != NULL)
				s->allowed |= 1u << m;
		m = s->method == HTTP_HEAD ? HTTP_GET : s->method;
		if (m < METHODS)
			s->found = node->leaves[m];
		return;
	}
	i = kid_index(node, s->segments[depth], &is_there);
	if (is_there)
		node_descend(node->kids[i], depth + 1, s);
	if (s->allowed == 0 && node->param != NULL)
		node_descend(node->param, depth + 1, s);
}

int router_match(const struct router *rt, struct req *r, const char **allow)
{
	struct route_search s = {.method = r->method};
	struct buf *b;
	size_t i;

	*allow = "";
	if (r->path.n > LIMIT_URL_BYTES)
		return 404;
	if (path_cut(r->a, r->path, &s))
		node_descend(rt->root, 0, &s);
	if (s.found != NULL) {
		const struct route_match *m = &s.found->template;

		r->route = m->route;
		r->params.v =
		    m->nparams != 0 ? arena_alloc(r->a, m->nparams * sizeof(*r->params.v)) : NULL;
		r->params.n = m->nparams;
		for (i = 0; i < m->nparams; i++) {
			r->params.v[i].name = m->params[i].name;
			r->params.v[i].value = s.segments[m->params[i].segment];
		}
		return 0;
	}
	if (s.allowed == 0 && rt->hooks->otherwise != NULL) {
		r->route = rt->hooks->otherwise;
		return 0;
	}
	if (s.allowed == 0)
		return 404;
	b = buf_new(r->a, 128);
	for (i = 0; i < METHODS; i++) {
		if ((s.allowed >> i & 1u) == 0)
			continue;
		buf_printf(
		    b, "%s%s", b->len != 0 ? ", " : "", http_method_name((enum http_method)i));
		if (i == HTTP_GET)
			buf_str(b, ", HEAD");
	}
	buf_str(b, ", OPTIONS");
	*allow = b->p;
	return 405;
}
