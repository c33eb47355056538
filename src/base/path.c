#include "base/path.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"

struct path_step {
	const char *key; /* NULL fans out over an array */
	size_t index;    /* of an array element, when is_number */
	bool is_number;
};

#define ESCAPED ".[]\\" /* in a key they have a backslash before them */

struct path {
	char *text;
	struct path_step *steps;
	size_t n;
	bool fans_out;
	bool is_bracketed; /* a name was written in brackets */
};

static void step_finish(struct path_step *s, const char *key, size_t n)
{
	int64_t index;

	s->key = key;
	s->is_number = str_to_i64((struct str){key, n}, 0, INT32_MAX, &index) && key[0] != '-';
	s->index = s->is_number ? (size_t)index : 0;
}

/* "[]", "[12]" or "[name]" at *at; *at moves behind it. */
static int path_compile_bracket(
    struct arena *a, struct str text, size_t *at, struct path_step *s, struct err *err)
{
	const char *p = text.p + *at + 1, *end = memchr(p, ']', text.n - *at - 1);
	size_t n = end ? (size_t)(end - p) : 0;

	*s = (struct path_step){0};
	if (!end || memchr(p, '[', n) || memchr(p, '\\', n))
		return err_set(
		    err, ERR_INVALID, "path: [ takes a number, a name or nothing, and a ]");
	if (n)
		step_finish(s, arena_strndup(a, p, n), n);
	if (n && !s->is_number && strspn(s->key, "-.0123456789") == n)
		return err_set(err, ERR_INVALID, "path: what counts in [ begins at 0");
	*at += n + 2;
	if (*at < text.n && text.p[*at] != '.' && text.p[*at] != '[')
		return err_set(err, ERR_INVALID, "path: ] is followed by a dot or a bracket");
	return 0;
}

/* A key up to the next dot or bracket; *at moves behind it. */
static int path_compile_key(
    struct arena *a, struct str text, size_t *at, struct path_step *s, struct err *err)
{
	char *key = arena_alloc(a, text.n - *at + 1);
	bool is_plain = true;
	size_t n = 0, i = *at;

	for (; i < text.n && text.p[i] != '.' && text.p[i] != '['; i++) {
		if (text.p[i] == ']')
			return err_set(err, ERR_INVALID, "path: ] without a [");
		if (text.p[i] == '\\') {
			is_plain = false;
			i++;
			if (i == text.n || !memchr(ESCAPED, text.p[i], sizeof(ESCAPED) - 1))
				return err_set(
				    err, ERR_INVALID, "path: \\ goes before . [ ] or \\");
		}
		key[n++] = text.p[i];
	}
	key[n] = '\0';
	if (n == 0)
		return err_set(err, ERR_INVALID, "path: empty step");
	*at = i;
	*s = (struct path_step){.key = key};
	if (is_plain)
		step_finish(s, key, n);
	return 0;
}

static int path_compile_steps(struct arena *a, struct str text, struct path *p, struct err *err)
{
	struct path_step steps[LIMIT_PATH_STEPS];
	size_t at = 0;

	while (at < text.n) {
		int rc;

		if (p->n == LIMIT_PATH_STEPS)
			return err_set(
			    err, ERR_INVALID, "path: more than %u steps", LIMIT_PATH_STEPS);
		if (text.p[at] == '[') {
			rc = path_compile_bracket(a, text, &at, &steps[p->n], err);
			p->is_bracketed |= steps[p->n].key && !steps[p->n].is_number;
		} else {
			if (p->n)
				at++; /* the dot */
			rc = path_compile_key(a, text, &at, &steps[p->n], err);
		}
		if (rc)
			return -1;
		p->fans_out |= !steps[p->n].key;
		p->n++;
	}
	p->steps = arena_memdup(a, steps, p->n * sizeof(steps[0]));
	return 0;
}

void path_append_key(struct buf *b, const char *key)
{
	for (; *key; key++) {
		if (memchr(ESCAPED, *key, sizeof(ESCAPED) - 1))
			buf_chr(b, '\\');
		buf_chr(b, *key);
	}
}

static char *path_dotted(struct arena *a, const struct path *p)
{
	struct buf *b = buf_new(a, 2 * LIMIT_PATH_BYTES);

	for (size_t i = 0; i < p->n; i++) {
		if (i && p->steps[i].key)
			buf_chr(b, '.');
		if (p->steps[i].key)
			path_append_key(b, p->steps[i].key);
		else
			buf_str(b, "[]");
	}
	return b->p;
}

static struct path *path_refuse_long(struct err *err)
{
	err_set(err, ERR_INVALID, "path: longer than %u bytes", LIMIT_PATH_BYTES);
	return NULL;
}

struct path *path_compile(struct arena *a, struct str text, struct err *err)
{
	struct path *p = arena_zalloc(a, sizeof(*p));

	if (text.n > LIMIT_PATH_BYTES)
		return path_refuse_long(err);
	if (!utf8_is_valid(text)) {
		err_set(err, ERR_INVALID, "path: not UTF-8 text");
		return NULL;
	}
	if (path_compile_steps(a, text, p, err))
		return NULL;
	p->text = p->is_bracketed ? path_dotted(a, p) : arena_strndup(a, text.p, text.n);
	/* With its backslashes it may be longer, and it has to be a path as well. */
	return strlen(p->text) <= LIMIT_PATH_BYTES ? p : path_refuse_long(err);
}

const char *path_text(const struct path *p)
{
	return p->text;
}

size_t path_steps(const struct path *p)
{
	return p->n;
}

const char *path_step_key(const struct path *p, size_t i)
{
	return p->steps[i].key;
}

bool path_fans_out(const struct path *p)
{
	return p->fans_out;
}

/* The value one step down, or NULL: a number is an index of an array and a key of an object. */
static json_t *path_descend(const json_t *value, const struct path_step *s)
{
	if (s->is_number && json_is_array(value))
		return json_array_get(value, s->index);
	return json_object_get(value, s->key);
}

static int path_each_below(
    const struct path_step *s, size_t n, const json_t *value, path_fn *each, void *arg)
{
	for (; value && n; s++, n--) {
		if (!s->key) {
			int rc = 0;

			for (size_t i = 0; rc == 0 && i < json_array_size(value); i++)
				rc = path_each_below(
				    s + 1, n - 1, json_array_get(value, i), each, arg);
			return rc;
		}
		value = path_descend(value, s);
	}
	/* Nothing here changes the tree; the value is borrowed like any member of it. */
	return value ? each(arg, (json_t *)(uintptr_t)value) : 0;
}

int path_each(const struct path *p, const json_t *root, path_fn *each, void *arg)
{
	return path_each_below(p->steps, p->n, root, each, arg);
}

static int path_take_first(void *arg, json_t *value)
{
	json_t **first = arg;

	*first = value;
	return 1;
}

json_t *path_get(const struct path *p, const json_t *root)
{
	json_t *first = NULL;

	(void)path_each(p, root, path_take_first, &first);
	return first;
}

static int path_append_to(void *arg, json_t *value)
{
	json_array_append(arg, value);
	return 0;
}

void path_collect(const struct path *p, const json_t *root, json_t *list)
{
	(void)path_each(p, root, path_append_to, list);
}

json_t *path_lookup(struct arena *a, const json_t *root, const char *text)
{
	struct path *p = path_compile(a, str_from(text), NULL);

	return p ? path_get(p, root) : NULL;
}

static int path_set_below(const struct path *p, json_t *root, json_t *value, struct err *err)
{
	json_t *at = root;

	if (p->n == 0 || p->fans_out || !json_is_object(root))
		return err_set(err, ERR_INVALID, "path %s: cannot be set", p->text);
	for (size_t i = 0; i + 1 < p->n; i++) {
		json_t *next = json_object_get(at, p->steps[i].key);

		if (!next || json_is_null(next)) {
			json_set(at, p->steps[i].key, json_object());
			next = json_object_get(at, p->steps[i].key);
		} else if (!json_is_object(next)) {
			return err_set(err, ERR_INVALID, "path %s: `%s` is no object", p->text,
			    p->steps[i].key);
		}
		at = next;
	}
	json_set(at, p->steps[p->n - 1].key, json_incref(value));
	return 0;
}

int path_set(const struct path *p, json_t *root, json_t *value, struct err *err)
{
	int rc = path_set_below(p, root, value, err);

	json_decref(value);
	return rc;
}
