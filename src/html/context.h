/* Where in an HTML document a template stands: a small state machine over its literal text, after
 * the tokenizer of the HTML standard, that is stricter than browsers are: what it cannot place for
 * certain is an error. The template compiler asks it how a value must be escaped. */
#ifndef HTML_CONTEXT_H
#define HTML_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum html_state {
	HTML_TEXT,
	HTML_RCDATA, /* within textarea, title: text without markup */
	HTML_RAW,    /* within script, style */
	HTML_COMMENT,
	HTML_DECLARATION, /* <!doctype … */
	HTML_TAG_OPEN,    /* after < */
	HTML_TAG_NAME,
	HTML_TAG, /* between attributes */
	HTML_ATTR_NAME,
	HTML_AFTER_NAME,
	HTML_BEFORE_VALUE,
	HTML_VALUE,
};
enum html_attr_kind { HTML_ATTR_PLAIN, HTML_ATTR_URL, HTML_ATTR_LITERAL };
/* What a URL attribute holds so far: nothing; perhaps nothing (a section may have been skipped);
 * something; exactly a value, so that what follows must not turn it into a scheme. */
enum html_url_state { HTML_URL_START, HTML_URL_MAYBE, HTML_URL_INSIDE, HTML_URL_VALUE };
/* How a value is escaped where it stands. */
enum html_escape { HTML_ESCAPE_TEXT, HTML_ESCAPE_ATTR, HTML_ESCAPE_URL, HTML_ESCAPE_URL_PART };

#define HTML_NAME_MAX 24

struct html_context {
	enum html_state state;
	enum html_attr_kind attr_kind;
	enum html_url_state url;
	char element[HTML_NAME_MAX], attr[HTML_NAME_MAX]; /* lower case, cut */
	char end[HTML_NAME_MAX]; /* end tag seen so far in RCDATA, RAW; or "--" of a comment */
	char quote;
	bool is_end_tag, must_break, is_bang;
	bool is_line_start; /* white space here adds nothing */
	int pre_depth;
};

void html_context_init(struct html_context *c);
/* Walks literal text, adding it to out with needless white space left out. NULL, or what is wrong
 * at text + *at: a constant sentence. */
const char *html_context_text(
    struct html_context *c, const char *text, size_t n, struct buf *out, size_t *at);
/* A value stands here. NULL, or why it must not. */
const char *html_context_value(struct html_context *c, enum html_escape *escape);
/* A section begins or ends here. NULL, or why it must not. */
const char *html_context_boundary(struct html_context *c);
/* After a section: begin is the context where it began; c becomes what holds whether it was
 * rendered or not. NULL, or the difference. */
const char *html_context_join(struct html_context *c, const struct html_context *begin);

#endif
