/* Templates: loading a directory, rendering ops over JSON.
 *
 *	NAME.html ──template_compile──> ops ──render_ops──> page
 *
 *	TEXT  VALUE  SECTION  TEXT  VALUE  (end)  TEXT  PARTIAL ──> the ops of another template,
 *	               └─── once per element ──┘                    over the same stack
 *
 * The stack holds the values of the open sections, with the data at its bottom. The first key of
 * a path is sought from the top downwards; the other keys belong to what was found. Each op
 * leaves the stack as deep as it was.
 *
 * How a value is escaped stands in its op: the compiler found it out from the HTML around.
 * Rendering parses nothing and decides nothing, so no data can change the context. It always
 * ends: STACK_MAX and LIMIT_TEMPLATE_DEPTH bound the nesting, TEMPLATE_BUDGET the ops, the
 * buffer the page.
 *
 * The ops are one array and not a tree: a section knows the op after its end, so a false one is
 * skipped by a jump. Partials with constant names are looked for at the start of the program,
 * since a missing one would otherwise show only on the page that needs it. */
#include "html/template.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "html/html.h"
#include "html/template-private.h"

#define STACK_MAX ((TEMPLATE_SECTIONS_MAX + 1) * (LIMIT_TEMPLATE_DEPTH + 1))

/* ---- rendering ---------------------------------------------------------------------------- */

struct template_renderer {
	const struct templates *all;
	const struct template *t; /* the one being rendered, for messages */
	const json_t *stack[STACK_MAX];
	size_t depth;
	unsigned partials;
	unsigned budget;
	bool is_strict;
	struct template_when when;
	struct buf *out, scratch;
	struct err *err;
};

static int render_fail(
    struct template_renderer *r, const struct template_op *op, const char *what, const char *name)
{
	return err_set(r->err, ERR_INVALID, "%s.html:%u: %s%s", r->t->name, op->line, what, name);
}

static const json_t *value_member(const json_t *v, const char *step)
{
	int64_t i;

	if (json_is_object(v))
		return json_object_get(v, step);
	if (json_is_array(v) && str_to_i64(str_from(step), 0, INT32_MAX, &i))
		return json_array_get(v, (size_t)i);
	return NULL;
}

/* The first step is sought from the innermost section outwards; the rest belongs to what it found.
 */
static const json_t *value_look_up(const struct template_renderer *r, const struct template_op *op)
{
	const json_t *v = NULL;

	if (op->nsteps == 0)
		return r->stack[r->depth - 1];
	for (size_t i = r->depth; i > 0 && v == NULL; i--)
		if (json_is_object(r->stack[i - 1]))
			v = json_object_get(r->stack[i - 1], op->steps[0]);
	for (size_t i = 1; i < op->nsteps && v != NULL; i++)
		v = value_member(v, op->steps[i]);
	return v;
}

static bool value_is_true(const json_t *v)
{
	switch (v == NULL ? JSON_NULL : json_typeof(v)) {
	case JSON_NULL:
	case JSON_FALSE:
		return false;
	case JSON_STRING:
		return json_string_length(v) > 0;
	case JSON_INTEGER:
		return json_integer_value(v) != 0;
	case JSON_REAL:
		return json_real_value(v) != 0.0;
	case JSON_ARRAY:
		return json_array_size(v) > 0;
	default:
		return true;
	}
}

static void render_escaped(struct template_renderer *r, enum html_escape how, struct str s)
{
	switch (how) {
	case HTML_ESCAPE_TEXT:
		html_text(r->out, s);
		break;
	case HTML_ESCAPE_ATTR:
		html_attr(r->out, s);
		break;
	case HTML_ESCAPE_URL:
		html_url(r->out, s);
		break;
	case HTML_ESCAPE_URL_PART:
		html_query(r->out, s);
		break;
	}
}

static const char *op_path_name(const struct template_op *op)
{
	return op->nsteps == 0 ? "." : op->steps[op->nsteps - 1];
}

static int render_value(struct template_renderer *r, const struct template_op *op)
{
	const json_t *v = value_look_up(r, op);
	bool is_empty =
	    v == NULL || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0);
	bool ok;

	if (op->fallback.p != NULL && is_empty) {
		render_escaped(r, op->escape, op->fallback);
		return 0;
	}
	if (v == NULL)
		return r->is_strict ? render_fail(r, op, "nothing is called ", op_path_name(op))
				    : 0;
	if (is_empty)
		return 0;
	if (op->kind == OP_RAW) {
		if (!json_is_string(v))
			return render_fail(r, op, "raw is not text: ", op_path_name(op));
		buf_add(r->out, json_string_value(v), json_string_length(v));
		return 0;
	}
	if (op->filter == FILTER_NONE && json_is_string(v)) {
		render_escaped(
		    r, op->escape, (struct str){json_string_value(v), json_string_length(v)});
		return 0;
	}
	if (op->escape == HTML_ESCAPE_TEXT && filter_is_markup(op->filter)) {
		ok = filter_markup(op->filter, v, &r->when, r->out);
	} else {
		buf_reset(&r->scratch);
		ok = filter_text(op->filter, v, &r->when, &r->scratch);
		/* what is percent-encoded already is not encoded again */
		render_escaped(r,
		    op->filter == FILTER_QUERY && op->escape == HTML_ESCAPE_URL_PART
			? HTML_ESCAPE_ATTR
			: op->escape,
		    (struct str){r->scratch.p, r->scratch.len});
		ok = ok && buf_ok(&r->scratch);
	}
	if (!ok && r->is_strict)
		return render_fail(r, op, "has no text in this form: ", op_path_name(op));
	return 0;
}

static int render_ops(struct template_renderer *r, size_t from, size_t to);

static int render_within(struct template_renderer *r, const json_t *v, size_t from, size_t to)
{
	int rc;

	if (r->depth == STACK_MAX)
		return render_fail(r, &r->t->ops[from - 1], "sections are nested too deeply", "");
	r->stack[r->depth++] = v;
	rc = render_ops(r, from, to);
	r->depth--;
	return rc;
}

static int render_section(struct template_renderer *r, const struct template_op *op, size_t at)
{
	const json_t *v = value_look_up(r, op);

	if (op->kind == OP_INVERTED)
		return value_is_true(v) ? 0 : render_ops(r, at + 1, op->end);
	if (!value_is_true(v))
		return 0;
	if (!json_is_array(v))
		return render_within(r, v, at + 1, op->end);
	for (size_t i = 0; i < json_array_size(v); i++)
		if (render_within(r, json_array_get(v, i), at + 1, op->end) == -1)
			return -1;
	return 0;
}

static int render_partial(struct template_renderer *r, const struct template_op *op)
{
	const struct template *outer = r->t;
	struct str name = op->text;
	int rc;

	if (op->kind == OP_DYNAMIC) {
		const json_t *v = value_look_up(r, op);
		if (!json_is_string(v))
			return render_fail(r, op, "names no template: ", op_path_name(op));
		name = (struct str){json_string_value(v), json_string_length(v)};
	}
	const struct template *t = r->all == NULL ? NULL : map_get(r->all->by_name, name);
	if (t == NULL)
		return render_fail(r, op, "no such template: ", name.n < 100 ? name.p : "");
	if (r->partials == LIMIT_TEMPLATE_DEPTH)
		return render_fail(r, op, "partials are nested too deeply", "");
	r->partials++;
	r->t = t;
	rc = render_ops(r, 0, t->nops);
	r->t = outer;
	r->partials--;
	return rc;
}

static int render_ops(struct template_renderer *r, size_t from, size_t to)
{
	for (size_t i = from; i < to;) {
		const struct template_op *op = &r->t->ops[i];
		int rc = 0;
		if (r->budget-- == 0)
			return err_set(r->err, ERR_LIMIT, "%s.html:%u: rendering takes too long",
			    r->t->name, op->line);
		i++;
		switch (op->kind) {
		case OP_TEXT:
			buf_add(r->out, op->text.p, op->text.n);
			break;
		case OP_VALUE:
		case OP_RAW:
			rc = render_value(r, op);
			break;
		case OP_SECTION:
		case OP_INVERTED:
			rc = render_section(r, op, i - 1);
			i = op->end;
			break;
		case OP_PARTIAL:
		case OP_DYNAMIC:
			rc = render_partial(r, op);
			break;
		}
		if (rc == -1)
			return -1;
	}
	return 0;
}

static int template_run(const struct templates *all, const struct template *t, const json_t *data,
    bool is_strict, struct buf *out, struct err *err)
{
	/* "_now": the present of the filter ago, for tests; "_zone": where the page is seen */
	const json_t *now = json_object_get(data, "_now"), *zone = json_object_get(data, "_zone");
	struct template_renderer r = {.all = all,
	    .t = t,
	    .is_strict = is_strict,
	    .out = out,
	    .err = err,
	    .budget = TEMPLATE_BUDGET};
	int rc;

	r.when.now_us = json_is_integer(now) ? json_integer_value(now) : clock_now_us();
	r.when.zone = zone_find(str_from(json_string_value(zone)));
	r.stack[r.depth++] = data;
	buf_init(&r.scratch, LIMIT_PAGE_BYTES);
	rc = render_ops(&r, 0, t->nops);
	buf_fini(&r.scratch);
	if (rc == 0 && !buf_ok(out))
		rc = err_set(err, ERR_LIMIT, "%s.html: the page is too large", t->name);
	return rc;
}

int template_render(const struct templates *ts, const char *name, const json_t *data,
    struct buf *out, struct err *err)
{
	const struct template *t = map_get(ts->by_name, str_from(name));

	if (t == NULL)
		return err_set(err, ERR_INTERNAL, "no such template: %s", name);
	return template_run(ts, t, data, ts->is_strict, out, err);
}

int template_render_text(struct arena *a, struct str text, const json_t *data, bool is_strict,
    struct buf *out, struct err *err)
{
	struct template *t = template_compile(a, "text", text, err);

	return t == NULL ? -1 : template_run(NULL, t, data, is_strict, out, err);
}

/* ---- loading ------------------------------------------------------------------------------ */

static int template_load_file(
    struct templates *ts, struct arena *a, const char *path, const char *name, struct err *err)
{
	struct template *t;
	struct str text;

	if (file_read(a, path, LIMIT_TEMPLATE_BYTES, &text, err) == -1)
		return -1;
	t = template_compile(a, name, text, err);
	if (t == NULL)
		return -1;
	map_put(ts->by_name, str_from(name), t);
	return 0;
}

static int template_load_directory(struct templates *ts, struct arena *a, const char *dir,
    const char *prefix, unsigned depth, struct err *err)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, alphasort), rc = 0;

	if (n < 0)
		return err_set(err, ERR_INTERNAL, "%s: %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		const char *file = entries[i]->d_name;
		struct str s = str_from(file);
		const char *path = arena_printf(a, "%s/%s", dir, file);
		struct stat st;
		if (rc == -1 || file[0] == '.' || stat(path, &st) == -1) {
			/* hidden, gone, or after an error: only released */
		} else if (S_ISDIR(st.st_mode) && depth < 4) {
			rc = template_load_directory(
			    ts, a, path, arena_printf(a, "%s%s/", prefix, file), depth + 1, err);
		} else if (S_ISREG(st.st_mode) && str_ends(s, ".html")) {
			rc = template_load_file(ts, a, path,
			    arena_printf(a, "%s%.*s", prefix, (int)(s.n - 5), file), err);
		}
		free(entries[i]);
	}
	free(entries);
	return rc;
}

/* Every partial that is named must exist. */
static int templates_check_partials(const struct templates *ts, struct err *err)
{
	for (size_t i = 0; i < map_count(ts->by_name); i++) {
		const struct template *t = map_value(ts->by_name, i);
		for (size_t k = 0; k < t->nops; k++) {
			const struct template_op *op = &t->ops[k];
			if (op->kind == OP_PARTIAL && map_get(ts->by_name, op->text) == NULL)
				return err_set(err, ERR_INVALID, "%s.html:%u: no such template: %s",
				    t->name, op->line, op->text.p);
		}
	}
	return 0;
}

struct templates *templates_load(struct arena *a, const char *dir, bool is_strict, struct err *err)
{
	struct templates *ts = arena_zalloc(a, sizeof(*ts));

	ts->by_name = map_new(a);
	ts->is_strict = is_strict;
	if (template_load_directory(ts, a, dir, "", 0, err) == -1 ||
	    templates_check_partials(ts, err) == -1)
		return NULL;
	return ts;
}
