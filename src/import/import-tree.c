/* The columns of a file as the tree of members that a row becomes.
 *
 *   paths    address.city , address.zip , note
 *   tree     { address { city, zip }, note }
 *
 * Members stand in the order in which records are stored (by name), so that a row is written as
 * JSON text without building values first, and equal payloads are equal bytes. */
#include "base/limits.h"
#include "import/import-internal.h"

static struct import_node *node_child(struct arena *a, struct import_node *node, struct str name)
{
	struct import_node *child;
	struct buf *key;

	for (size_t i = node->n; i-- > 0;) /* neighbours are often of one object */
		if (str_eq(node->children[i]->name, name))
			return node->children[i];
	if (node->n == node->cap) {
		struct import_node **old = node->children;

		node->cap = node->cap == 0 ? 8 : 2 * node->cap;
		node->children = arena_array(a, node->cap, sizeof(*node->children));
		if (node->n > 0)
			memcpy(node->children, old, node->n * sizeof(*old));
	}
	child = arena_zalloc(a, sizeof(*child));
	key = buf_new(a, 8u * LIMIT_PATH_BYTES);
	import_cell_write_text(key, name);
	buf_chr(key, ':');
	child->name = name;
	child->key = (struct str){key->p, key->len};
	node->children[node->n++] = child;
	return child;
}

static int column_fail(struct err *err, const struct import_column *c)
{
	return err_field(err, ERR_INVALID, "csv",
	    "has the column \"%.100s\" where another column has its value or its members",
	    c->name.p);
}

static int tree_add_column(struct arena *a, struct import_node *node, const struct import_header *h,
    size_t i, struct err *err)
{
	const struct import_column *c = &h->v[i];
	const struct path *p = path_compile(a, str_from(c->to), NULL);

	if (p == NULL || path_fans_out(p) || path_steps(p) == 0)
		return err_field(err, ERR_INVALID, "mapping",
		    "of \"%.100s\": \"%.100s\" cannot be a field; one looks like email or "
		    "address.city",
		    c->name.p, c->to);
	for (size_t k = 0; k < path_steps(p); k++) {
		if (node->column != NULL && !h->is_export)
			return column_fail(err, c);
		node = node_child(a, node, str_from(path_step_key(p, k)));
	}
	if (node->column != NULL || (node->n > 0 && !h->is_export))
		return column_fail(err, c);
	node->column = c;
	node->index = i;
	return 0;
}

static int node_compare(const void *x, const void *y)
{
	const struct import_node *const *a = x, *const *b = y;

	return strcmp((*a)->name.p, (*b)->name.p);
}

static void tree_sort(struct import_node *node)
{
	if (node->n > 1)
		qsort(node->children, node->n, sizeof(struct import_node *), node_compare);
	for (size_t i = 0; i < node->n; i++)
		tree_sort(node->children[i]);
}

struct import_node *import_tree_new(
    struct arena *a, const struct import_header *h, size_t id_column, struct err *err)
{
	struct import_node *root = arena_zalloc(a, sizeof(*root));

	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].to != NULL && i != id_column &&
		    tree_add_column(a, root, h, i, err) == -1)
			return NULL;
	tree_sort(root);
	return root;
}
