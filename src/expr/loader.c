/* Reading manifests: where we are in the file, and members by type. */
#include "expr/expr.h"

#include <stdio.h>

#include "base/arena.h"

static size_t enter(struct loader *l, const char *sep, const char *step)
{
	size_t mark = l->at_len;
	int n = snprintf(
	    l->at + mark, sizeof l->at - mark, "%s%s", mark == 0 && sep[0] == '.' ? "" : sep, step);
	size_t room = sizeof l->at - mark - 1;

	if (n > 0)
		l->at_len = mark + ((size_t)n < room ? (size_t)n : room);
	return mark;
}

size_t loader_enter(struct loader *l, const char *key)
{
	return enter(l, ".", key);
}

size_t loader_enter_index(struct loader *l, size_t i)
{
	char step[24];

	snprintf(step, sizeof step, "%zu]", i);
	return enter(l, "[", step);
}

void loader_leave(struct loader *l, size_t mark)
{
	l->at_len = mark;
	l->at[mark] = '\0';
}

int loader_fail(struct loader *l, const char *fmt, ...)
{
	char reason[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof reason, fmt, ap);
	va_end(ap);
	return err_set(
	    l->err, ERR_INVALID, "%s: %s: %s", l->file, l->at_len == 0 ? "(root)" : l->at, reason);
}

int loader_object(struct loader *l, const json_t *v, const char *const *keys)
{
	const char *key;
	json_t *member;

	if (!json_is_object(v))
		return loader_fail(l, "must be an object");
	json_object_each(v, key, member) {
		size_t i = 0;

		while (keys[i] != NULL && strcmp(keys[i], key) != 0)
			i++;
		if (keys[i] == NULL) {
			loader_enter(l, key);
			return loader_fail(l, "unknown key");
		}
	}
	return 0;
}

int loader_text(
    struct loader *l, const json_t *object, const char *key, bool is_needed, const char **out)
{
	const json_t *v = json_object_get(object, key);

	*out = NULL;
	if (v == NULL && !is_needed)
		return 0;
	size_t mark = loader_enter(l, key);
	if (v == NULL)
		return loader_fail(l, "is needed");
	if (!json_is_string(v))
		return loader_fail(l, "must be text");
	if (is_needed && json_string_length(v) == 0)
		return loader_fail(l, "must not be empty");
	*out = arena_strdup(l->a, json_string_value(v));
	loader_leave(l, mark);
	return 0;
}

int loader_bool(struct loader *l, const json_t *object, const char *key, bool *out)
{
	const json_t *v = json_object_get(object, key);

	if (v == NULL)
		return 0;
	if (!json_is_boolean(v)) {
		loader_enter(l, key);
		return loader_fail(l, "must be true or false");
	}
	*out = json_is_true(v);
	return 0;
}

int loader_int(
    struct loader *l, const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out)
{
	const json_t *v = json_object_get(object, key);

	if (v == NULL)
		return 0;
	int64_t n = json_is_integer(v) ? json_integer_value(v) : 0;
	if (!json_is_integer(v) || n < min || n > max) {
		loader_enter(l, key);
		return loader_fail(
		    l, "must be an integer from %lld to %lld", (long long)min, (long long)max);
	}
	*out = n;
	return 0;
}
