/* Template text → ops. Every value's escaping is decided here, once, from where it stands. */
#include "html/template-private.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

struct open_section {
	size_t op;
	struct str name;
	struct html_context begin;
	unsigned line;
};

struct template_compiler {
	struct arena *a;
	struct template *t;
	struct str text;
	size_t at; /* of what is read now */
	unsigned line;
	size_t line_at; /* bytes already counted into line */
	struct html_context html;
	struct open_section open[TEMPLATE_SECTIONS_MAX];
	size_t nopen;
	struct err *err;
};

static int template_compile_fail(struct template_compiler *c, size_t at, const char *what)
{
	for (; c->line_at < at && c->line_at < c->text.n; c->line_at++)
		c->line += c->text.p[c->line_at] == '\n';
	return err_set(c->err, ERR_INVALID, "%s.html:%u: %s", c->t->name, c->line, what);
}

static unsigned template_compile_line(struct template_compiler *c)
{
	for (; c->line_at < c->at; c->line_at++)
		c->line += c->text.p[c->line_at] == '\n';
	return c->line;
}

static struct template_op *template_compile_op(
    struct template_compiler *c, enum template_op_kind kind)
{
	struct template *t = c->t;

	if (t->nops == t->cap) {
		size_t cap = t->cap == 0 ? 16 : 2 * t->cap;
		struct template_op *ops = arena_array(c->a, cap, sizeof(*ops));
		if (t->nops > 0)
			memcpy(ops, t->ops, t->nops * sizeof(*ops));
		t->ops = ops;
		t->cap = cap;
	}
	struct template_op *op = &t->ops[t->nops++];
	memset(op, 0, sizeof(*op));
	op->kind = kind;
	op->line = template_compile_line(c);
	return op;
}

static int template_compile_literal(struct template_compiler *c, size_t n)
{
	struct buf *out = buf_new(c->a, LIMIT_TEMPLATE_BYTES);
	size_t at = 0;
	const char *wrong = html_context_text(&c->html, c->text.p + c->at, n, out, &at);

	if (wrong != NULL)
		return template_compile_fail(c, c->at + at, wrong);
	if (out->len > 0) {
		struct template_op *op = template_compile_op(c, OP_TEXT);
		op->text = (struct str){out->p, out->len};
	}
	c->at += n;
	return 0;
}

static bool is_key_char(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       ch == '_' || ch == '-';
}

/* `a.b.0`, or `.` for the element itself. */
static int template_compile_path(
    struct template_compiler *c, struct str text, struct template_op *op)
{
	const char *steps[TEMPLATE_STEPS_MAX];
	struct str part;

	if (str_is(text, "."))
		return 0;
	if (text.n == 0 || text.p[text.n - 1] == '.')
		return template_compile_fail(c, c->at, "a path is missing or ends with a dot");
	while (str_split(&text, '.', &part)) {
		if (op->nsteps == TEMPLATE_STEPS_MAX)
			return template_compile_fail(c, c->at, "a path has too many steps");
		if (part.n == 0)
			return template_compile_fail(c, c->at, "a path has an empty step");
		for (size_t i = 0; i < part.n; i++)
			if (!is_key_char(part.p[i]))
				return template_compile_fail(
				    c, c->at, "a path has a character that no key has");
		steps[op->nsteps++] = arena_strndup(c->a, part.p, part.n);
	}
	op->steps = arena_memdup(c->a, steps, op->nsteps * sizeof(*steps));
	return 0;
}

/* `path|filter|default:TEXT` */
static int template_compile_value(struct template_compiler *c, struct str text, bool is_raw)
{
	struct str path, part;
	struct template_op *op = template_compile_op(c, is_raw ? OP_RAW : OP_VALUE);
	const char *wrong = html_context_value(&c->html, &op->escape);

	if (wrong != NULL)
		return template_compile_fail(c, c->at, wrong);
	if (text.n > 0 && text.p[text.n - 1] == '|')
		return template_compile_fail(c, c->at, "a filter is missing after |");
	if (!str_split(&text, '|', &path) || template_compile_path(c, str_trim(path), op) == -1)
		return template_compile_fail(c, c->at, "a value needs a path");
	while (str_split(&text, '|', &part)) {
		part = str_trim(part);
		if (str_starts(part, "default:")) {
			op->fallback =
			    (struct str){arena_strndup(c->a, part.p + 8, part.n - 8), part.n - 8};
			continue;
		}
		if (op->filter != FILTER_NONE || !filter_parse(part, &op->filter))
			return template_compile_fail(
			    c, c->at, "a filter is unknown, or there is more than one");
	}
	if ((op->filter == FILTER_TREE || op->filter == FILTER_BREAKS) &&
	    op->escape != HTML_ESCAPE_TEXT)
		return template_compile_fail(c, c->at, "this filter makes elements");
	if (!is_raw)
		return 0;
	/* Markup made by svg.h goes by names that say so; nothing else is ever raw. */
	if (op->nsteps == 0 || op->filter != FILTER_NONE || op->escape != HTML_ESCAPE_TEXT ||
	    c->html.state != HTML_TEXT || !str_ends(str_from(op->steps[op->nsteps - 1]), "_svg"))
		return template_compile_fail(
		    c, c->at, "only a value whose name ends with _svg may be raw");
	return 0;
}

static int template_compile_section(
    struct template_compiler *c, struct str name, enum template_op_kind kind)
{
	const char *wrong = html_context_boundary(&c->html);

	if (wrong != NULL)
		return template_compile_fail(c, c->at, wrong);
	if (c->nopen == TEMPLATE_SECTIONS_MAX)
		return template_compile_fail(c, c->at, "sections are nested too deeply");
	struct template_op *op = template_compile_op(c, kind);
	c->open[c->nopen++] = (struct open_section){
	    .op = c->t->nops - 1,
	    .name = name,
	    .begin = c->html,
	    .line = op->line,
	};
	return template_compile_path(c, name, op);
}

static int template_compile_section_end(struct template_compiler *c, struct str name)
{
	const char *wrong;

	if (c->nopen == 0)
		return template_compile_fail(c, c->at, "a section ends that did not begin");
	struct open_section *o = &c->open[--c->nopen];
	if (!str_eq(o->name, name))
		return template_compile_fail(c, c->at, "another section ends than began last");
	if ((wrong = html_context_boundary(&c->html)) != NULL ||
	    (wrong = html_context_join(&c->html, &o->begin)) != NULL)
		return template_compile_fail(c, c->at, wrong);
	c->t->ops[o->op].end = c->t->nops;
	return 0;
}

static int template_compile_partial(struct template_compiler *c, struct str name, bool is_dynamic)
{
	struct template_op *op;

	if (c->html.state != HTML_TEXT)
		return template_compile_fail(c, c->at, "a partial stands between elements only");
	c->html.is_line_start = false;
	op = template_compile_op(c, is_dynamic ? OP_DYNAMIC : OP_PARTIAL);
	if (is_dynamic)
		return template_compile_path(c, name, op);
	if (name.n == 0)
		return template_compile_fail(c, c->at, "a partial needs a name");
	op->text = str_copy(c->a, name);
	return 0;
}

/* What stands between {{ and }}. */
static int template_compile_tag(struct template_compiler *c, struct str tag)
{
	struct str rest = tag.n > 0 ? str_trim((struct str){tag.p + 1, tag.n - 1}) : tag;

	switch (tag.n > 0 ? tag.p[0] : '\0') {
	case '!':
		return 0;
	case '#':
		return template_compile_section(c, rest, OP_SECTION);
	case '^':
		return template_compile_section(c, rest, OP_INVERTED);
	case '/':
		return template_compile_section_end(c, rest);
	case '>':
		if (rest.n > 0 && rest.p[0] == '>')
			return template_compile_partial(
			    c, str_trim((struct str){rest.p + 1, rest.n - 1}), true);
		return template_compile_partial(c, rest, false);
	case '&':
		return template_compile_value(c, rest, true);
	default:
		return template_compile_value(c, tag, false);
	}
}

struct template *template_compile(
    struct arena *a, const char *name, struct str text, struct err *err)
{
	struct template *t = arena_zalloc(a, sizeof(*t));
	struct template_compiler *c = arena_zalloc(a, sizeof(*c));

	t->name = arena_strdup(a, name);
	*c = (struct template_compiler){.a = a, .t = t, .text = text, .line = 1, .err = err};
	html_context_init(&c->html);
	if (text.n > LIMIT_TEMPLATE_BYTES) {
		template_compile_fail(c, 0, "the template is too large");
		return NULL;
	}
	while (c->at < text.n) {
		const char *from = text.p + c->at, *open = memmem(from, text.n - c->at, "{{", 2);
		size_t n = open == NULL ? text.n - c->at : (size_t)(open - from);
		if (n > 0 && template_compile_literal(c, n) == -1)
			return NULL;
		if (open == NULL)
			break;
		const char *close = memmem(open, text.n - c->at, "}}", 2);
		if (close == NULL) {
			template_compile_fail(c, c->at, "{{ without }}");
			return NULL;
		}
		if (template_compile_tag(
			c, str_trim((struct str){open + 2, (size_t)(close - open) - 2})) < 0)
			return NULL;
		c->at = (size_t)(close - text.p) + 2;
	}
	if (c->nopen > 0) {
		struct open_section *o = &c->open[c->nopen - 1];
		err_set(err, ERR_INVALID, "%s.html:%u: the section %.*s does not end", t->name,
		    o->line, (int)o->name.n, o->name.p);
		return NULL;
	}
	if (c->html.state != HTML_TEXT) {
		template_compile_fail(
		    c, text.n, "the template ends within a tag, comment or raw text");
		return NULL;
	}
	return t;
}
