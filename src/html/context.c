/* The state machine behind contextual escaping. Literal text moves it, one step per character:
 *
 *	TEXT ──<──> TAG_OPEN ──letter──> TAG_NAME ──space──> TAG ──letter──> ATTR_NAME
 *	  ^            │ !                  │ >            > │ ^                │ =
 *	  │            v                    v                │ │ quote          v
 *	  │   COMMENT, DECLARATION      tag_finish <─────────┘ └── VALUE <── BEFORE_VALUE
 *	  │                                 │
 *	  └─────────────────────────────────┴──> RCDATA (textarea, title), RAW (script, style)
 *
 * A value of the template does not move it: html_context_value says how to escape the value
 * where it stands, or why it must not stand there. `end` holds what has been seen of a mark that
 * may end the state: an end tag in RCDATA and RAW, the dashes of a comment; in a URL, what may
 * be its scheme.
 *
 * It is stricter than browsers are, since a value that is escaped for the wrong context is a
 * hole. What it cannot place for certain is an error when the program starts: unquoted values, a
 * bare <, and all elements and attributes whose content is another language (event handlers,
 * style, srcdoc). A section may be skipped or repeated, so it must end where it began; where
 * both ways are possible the stricter reading holds (html_context_join). */
#include "html/context.h"

#include <string.h>

#include "base/str.h"

static bool is_html_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_html_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char html_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Adds c to a name; a longer name than fits keeps its first bytes, which no known name equals. */
static void name_add_char(char *name, char c)
{
	size_t n = strlen(name);

	if (n + 1 < HTML_NAME_MAX) {
		name[n] = html_lower(c);
		name[n + 1] = '\0';
	}
}

static bool name_is_one_of(const char *name, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(name, *list) == 0)
			return true;
	return false;
}

void html_context_init(struct html_context *c)
{
	memset(c, 0, sizeof(*c));
	c->is_line_start = true;
}

/* The attribute's name is complete. */
static const char *attr_classify(struct html_context *c)
{
	static const char *const urls[] = {
	    "href", "src", "action", "formaction", "cite", "poster", "xlink:href", NULL};
	static const char *const refused[] = {"style", "srcdoc", "srcset", "background", "ping",
	    "data", "codebase", "manifest", NULL};

	c->url = HTML_URL_START;
	if (strncmp(c->attr, "on", 2) == 0)
		return "inline event handlers are not allowed";
	if (name_is_one_of(c->attr, refused))
		return "this attribute is not allowed";
	if (name_is_one_of(c->attr, urls))
		c->attr_kind = HTML_ATTR_URL;
	else if (strcmp(c->element, "meta") == 0 && strcmp(c->attr, "content") == 0)
		c->attr_kind = HTML_ATTR_LITERAL;
	else
		c->attr_kind = HTML_ATTR_PLAIN;
	return NULL;
}

/* A tag's > has been seen. */
static const char *tag_finish(struct html_context *c)
{
	static const char *const refused[] = {"iframe", "object", "embed", "plaintext", "xmp",
	    "noembed", "noframes", "noscript", "base", "template", "math", NULL};

	c->state = HTML_TEXT;
	c->must_break = false;
	c->end[0] = '\0';
	if (strcmp(c->element, "pre") == 0)
		c->pre_depth += c->is_end_tag ? (c->pre_depth > 0 ? -1 : 0) : 1;
	if (c->is_end_tag)
		return NULL;
	if (name_is_one_of(c->element, refused))
		return "this element is not allowed";
	if (strcmp(c->element, "textarea") == 0 || strcmp(c->element, "title") == 0)
		c->state = HTML_RCDATA;
	else if (strcmp(c->element, "script") == 0 || strcmp(c->element, "style") == 0)
		c->state = HTML_RAW;
	return NULL;
}

/* Within an element whose content ends only at its own end tag. */
static void context_step_rcdata(struct html_context *c, char ch)
{
	size_t n = strlen(c->end);

	if (ch == '<') {
		c->end[0] = '<';
		c->end[1] = '\0';
		return;
	}
	if (n == 0)
		return;
	if (n >= 2 && strcmp(c->end + 2, c->element) == 0 &&
	    (is_html_space(ch) || ch == '/' || ch == '>')) {
		c->end[0] = '\0';
		c->is_end_tag = true;
		c->state = HTML_TAG;
		if (ch == '>')
			(void)tag_finish(c);
		return;
	}
	if ((n == 1 && ch == '/') || (n >= 2 && is_html_letter(ch)))
		name_add_char(c->end, ch);
	else
		c->end[0] = '\0';
}

static void context_step_comment(struct html_context *c, char ch)
{
	size_t n = strlen(c->end);

	if (ch == '>' && n >= 2)
		c->state = HTML_TEXT;
	if (ch == '-' && n < 2)
		name_add_char(c->end, ch);
	else if (ch != '-')
		c->end[0] = '\0';
}

static const char *context_step_tag_open(struct html_context *c, char ch)
{
	if (c->is_bang) {
		if (ch == '-') {
			name_add_char(c->end, '-');
			if (strcmp(c->end, "--") == 0) {
				c->state = HTML_COMMENT;
				c->end[0] = '\0';
			}
			return NULL;
		}
		if (!is_html_letter(ch) || c->end[0] != '\0')
			return "this declaration is not understood";
		c->state = HTML_DECLARATION;
		return NULL;
	}
	if (ch == '!') {
		c->is_bang = true;
	} else if (ch == '/' && !c->is_end_tag) {
		c->is_end_tag = true;
	} else if (is_html_letter(ch)) {
		c->state = HTML_TAG_NAME;
		name_add_char(c->element, ch);
	} else {
		return "a bare < must be written &lt;";
	}
	return NULL;
}

static const char *context_step_tag(struct html_context *c, char ch)
{
	if (is_html_space(ch)) {
		c->must_break = false;
		return NULL;
	}
	if (ch == '>')
		return tag_finish(c);
	if (ch == '/') {
		c->must_break = false;
		return NULL;
	}
	if (c->must_break)
		return "white space is missing between attributes";
	if (!is_html_letter(ch))
		return "an attribute name must begin with a letter";
	c->attr[0] = '\0';
	name_add_char(c->attr, ch);
	c->state = HTML_ATTR_NAME;
	return NULL;
}

static const char *context_step_name(struct html_context *c, char ch)
{
	const char *wrong = NULL;

	if (c->state == HTML_TAG_NAME) {
		if (is_html_space(ch) || ch == '/')
			c->state = HTML_TAG;
		else if (ch == '>')
			wrong = tag_finish(c);
		else if (is_html_letter(ch) || (ch >= '0' && ch <= '9') || ch == '-')
			name_add_char(c->element, ch);
		else
			wrong = "this is no element name";
		return wrong;
	}
	if (c->state == HTML_ATTR_NAME && (is_html_letter(ch) || (ch >= '0' && ch <= '9') ||
					      ch == '-' || ch == ':' || ch == '_')) {
		name_add_char(c->attr, ch);
		return NULL;
	}
	if ((wrong = attr_classify(c)) != NULL)
		return wrong;
	if (ch == '=') {
		c->state = HTML_BEFORE_VALUE;
		return NULL;
	}
	if (is_html_space(ch)) {
		c->state = HTML_AFTER_NAME;
		return NULL;
	}
	if (ch != '>' && ch != '/' && c->state == HTML_ATTR_NAME)
		return "this is no attribute name";
	c->state = HTML_TAG;
	return context_step_tag(c, ch);
}

static const char *context_step_value(struct html_context *c, char ch)
{
	if (c->state == HTML_BEFORE_VALUE) {
		if (ch != '"' && ch != '\'')
			return "attribute values must be quoted";
		c->quote = ch;
		c->state = HTML_VALUE;
		c->end[0] = '\0';
		return NULL;
	}
	if (ch == c->quote) {
		c->state = HTML_TAG;
		c->must_break = true;
		c->end[0] = '\0';
		return NULL;
	}
	if (c->attr_kind != HTML_ATTR_URL)
		return NULL;
	if (c->url == HTML_URL_VALUE && strchr("/?#&", ch) == NULL)
		return "after a value at its beginning a URL goes on with / ? # or &";
	if (c->url == HTML_URL_START || c->url == HTML_URL_MAYBE || c->end[0] != '\0') {
		/* the literal scheme, if it is one */
		if (ch == ':') {
			static const char *const schemes[] = {
			    "http", "https", "mailto", "tel", NULL};
			if (!name_is_one_of(c->end, schemes))
				return "this URL scheme is not allowed";
			c->end[0] = '\0';
		} else if (strchr("/?#", ch) != NULL) {
			c->end[0] = '\0';
		} else {
			name_add_char(c->end, ch);
		}
	}
	c->url = HTML_URL_INSIDE;
	return NULL;
}

static const char *context_step(struct html_context *c, char ch)
{
	switch (c->state) {
	case HTML_TEXT:
		if (ch == '<') {
			c->state = HTML_TAG_OPEN;
			c->is_end_tag = c->is_bang = c->must_break = false;
			c->element[0] = c->end[0] = '\0';
		}
		return NULL;
	case HTML_RCDATA:
	case HTML_RAW:
		context_step_rcdata(c, ch);
		return NULL;
	case HTML_COMMENT:
		context_step_comment(c, ch);
		return NULL;
	case HTML_DECLARATION:
		if (ch == '>')
			c->state = HTML_TEXT;
		return NULL;
	case HTML_TAG_OPEN:
		return context_step_tag_open(c, ch);
	case HTML_TAG:
		return context_step_tag(c, ch);
	case HTML_TAG_NAME:
	case HTML_ATTR_NAME:
	case HTML_AFTER_NAME:
		if (c->state == HTML_AFTER_NAME && is_html_space(ch))
			return NULL;
		return context_step_name(c, ch);
	case HTML_BEFORE_VALUE:
	case HTML_VALUE:
		return context_step_value(c, ch);
	}
	return "unreachable";
}

/* Is white space worth keeping here? Indentation and empty lines of the source are not sent. */
static bool is_needless_space(struct html_context *c, enum html_state before, char ch)
{
	bool is_text = before == HTML_TEXT && c->pre_depth == 0;
	bool is_tag = before == HTML_TAG || before == HTML_AFTER_NAME;

	if (!is_html_space(ch)) {
		c->is_line_start = false;
		return false;
	}
	if ((is_text || is_tag) && c->is_line_start)
		return true;
	c->is_line_start = is_tag || ch == '\n';
	return false;
}

const char *html_context_text(
    struct html_context *c, const char *text, size_t n, struct buf *out, size_t *at)
{
	for (size_t i = 0; i < n; i++) {
		enum html_state before = c->state;
		const char *wrong = context_step(c, text[i]);
		if (wrong != NULL) {
			*at = i;
			return wrong;
		}
		if (!is_needless_space(c, before, text[i]))
			buf_chr(out, text[i]);
	}
	return NULL;
}

const char *html_context_value(struct html_context *c, enum html_escape *escape)
{
	c->is_line_start = false;
	switch (c->state) {
	case HTML_TEXT:
		*escape = HTML_ESCAPE_TEXT;
		return NULL;
	case HTML_RCDATA:
		c->end[0] = '\0';
		*escape = HTML_ESCAPE_TEXT;
		return NULL;
	case HTML_VALUE:
		break;
	case HTML_RAW:
		return "a value must not stand in script or style";
	case HTML_COMMENT:
	case HTML_DECLARATION:
		return "a value must not stand in a comment or declaration";
	case HTML_BEFORE_VALUE:
		return "an attribute value must be quoted";
	default:
		return "a value must not stand within a tag but in a quoted attribute";
	}
	if (c->attr_kind == HTML_ATTR_LITERAL)
		return "a value must not stand in this attribute";
	if (c->attr_kind == HTML_ATTR_PLAIN) {
		*escape = HTML_ESCAPE_ATTR;
		return NULL;
	}
	if (c->end[0] != '\0')
		return "the beginning of a URL must be whole before a value";
	*escape = c->url == HTML_URL_START || c->url == HTML_URL_MAYBE ? HTML_ESCAPE_URL
								       : HTML_ESCAPE_URL_PART;
	if (*escape == HTML_ESCAPE_URL)
		c->url = HTML_URL_VALUE;
	return NULL;
}

const char *html_context_boundary(struct html_context *c)
{
	switch (c->state) {
	case HTML_TEXT:
	case HTML_TAG:
	case HTML_VALUE:
		return NULL;
	case HTML_RCDATA:
		c->end[0] = '\0';
		return NULL;
	case HTML_TAG_NAME:
		c->state = HTML_TAG;
		c->must_break = true;
		return NULL;
	case HTML_ATTR_NAME:
	case HTML_AFTER_NAME: {
		const char *wrong = attr_classify(c);
		c->must_break = c->state == HTML_ATTR_NAME;
		c->state = HTML_TAG;
		return wrong;
	}
	default:
		return "a section must not begin or end here";
	}
}

const char *html_context_join(struct html_context *c, const struct html_context *begin)
{
	if (c->state != begin->state || c->pre_depth != begin->pre_depth)
		return "a section must end in the context where it began";
	if (c->state != HTML_TEXT && strcmp(c->element, begin->element) != 0)
		return "a section must end in the element where it began";
	if (c->state == HTML_VALUE) {
		if (c->quote != begin->quote || strcmp(c->attr, begin->attr) != 0)
			return "a section must end in the attribute where it began";
		if (c->end[0] != '\0' || begin->end[0] != '\0')
			return "the beginning of a URL must be whole around a section";
		/* The strictest reading of both ways: as if a value could be all there is so far.
		 */
		if (c->url != begin->url)
			c->url = c->url == HTML_URL_VALUE || begin->url == HTML_URL_VALUE
				     ? HTML_URL_VALUE
				     : HTML_URL_MAYBE;
	}
	c->must_break = c->must_break || begin->must_break;
	c->is_line_start = c->is_line_start && begin->is_line_start;
	return NULL;
}
