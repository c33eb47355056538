/* What a compiled expression looks at. */
#include "expr/expr-tree.h"

struct expr_walk {
	int (*each)(unsigned slot, const char *path, void *arg);
	void *arg;
};

static int walk_expr(const struct expr *e, const struct expr_walk *w);

static int walk_refs(const struct expr *e, const struct expr_walk *w)
{
	int rc = 0;

	for (size_t i = 0; i < e->nrefs && rc == 0; i++) {
		const struct ref *r = &e->refs[i];

		if (r->kind != REF_LITERAL && r->kind != REF_VALUE)
			rc = w->each(r->slot,
			    r->name != NULL   ? r->name
			    : r->path != NULL ? path_text(r->path)
					      : "",
			    w->arg);
	}
	return rc;
}

static int walk_cond(const struct cond *c, const struct expr_walk *w)
{
	if (c == NULL)
		return 0;
	int rc = walk_expr(c->ref, w);
	for (size_t i = 0; i < c->ntexts && rc == 0; i++)
		rc = walk_expr(c->texts[i], w);
	for (size_t i = 0; i < c->n && rc == 0; i++)
		rc = walk_cond(c->children[i], w);
	return rc;
}

static int walk_expr(const struct expr *e, const struct expr_walk *w)
{
	if (e == NULL)
		return 0;
	int rc = walk_refs(e, w);
	for (size_t i = 0; i < e->n && rc == 0; i++) {
		rc = e->keys != NULL ? walk_expr(e->keys[i], w) : 0;
		if (rc == 0)
			rc = walk_expr(e->parts[i], w);
	}
	for (size_t i = 0; i < e->loops.n && rc == 0; i++)
		rc = walk_expr(e->loops.source[i], w);
	const struct expr *others[] = {e->of, e->in, e->otherwise};
	for (size_t i = 0; i < 3 && rc == 0; i++)
		rc = walk_expr(others[i], w);
	return rc != 0 ? rc : walk_cond(e->when, w);
}

int expr_each_place(
    const struct expr *e, int (*each)(unsigned slot, const char *path, void *arg), void *arg)
{
	return walk_expr(e, &(struct expr_walk){each, arg});
}

int cond_each_place(
    const struct cond *c, int (*each)(unsigned slot, const char *path, void *arg), void *arg)
{
	return walk_cond(c, &(struct expr_walk){each, arg});
}

static int walk_stop(unsigned slot, const char *path, void *arg)
{
	(void)slot;
	(void)path;
	(void)arg;
	return 1;
}

bool expr_is_constant(const struct expr *e)
{
	return expr_each_place(e, walk_stop, NULL) == 0;
}
