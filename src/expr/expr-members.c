/* Objects that hold plain members and expressions beside each other, read by a table. */
#include "base/arena.h"
#include "expr/expr.h"

static bool is_loader_member(const struct loader_member *members, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(members[i].json.name, key) == 0)
			return true;
	return false;
}

static int loader_member_read(
    struct loader *l, const json_t *object, const struct loader_member *m, void *out)
{
	switch (m->kind) {
	case MEMBER_PLAIN:
		return json_read_member(&l->in, object, &m->json, out);
	case MEMBER_EXPR:
		return expr_member(l, object, m->json.name, out);
	case MEMBER_COND:
		return cond_member(l, object, m->json.name, out);
	case MEMBER_LOOPS:
		return loops_member(l, object, m->json.name, out);
	case MEMBER_OTHER:
		break;
	}
	return 0;
}

int loader_members(struct loader *l, const json_t *object, const struct loader_member *members,
    size_t n, void *out)
{
	const char *key;
	json_t *v;

	if (!json_is_object(object))
		return json_reader_fail(&l->in, "must be an object");
	json_object_each(object, key, v)
		if (!is_loader_member(members, n, key))
			return json_reader_fail_at(&l->in, key, "unknown key");
	for (size_t i = 0; i < n; i++)
		if (loader_member_read(
			l, object, &members[i], (char *)out + members[i].json.offset) == -1)
			return -1;
	return 0;
}
