/* Escapers, named by context (after cgit). */
#ifndef HTML_HTML_H
#define HTML_HTML_H
#include "base/buf.h"
#include "base/str.h"
void html_text(struct buf *b, struct str s); /* & < > */
/* As text that may break behind @ . _ and /, where people would break it, but in numbers: for what
 * stands in a narrow place, such as addresses. */
void html_breaks(struct buf *b, struct str s);
void html_attr(struct buf *b, struct str s); /* and " ' ` = */
/* For href, src, action: a URL whose scheme is http, https, mailto or tel, or a relative one;
 * anything else (javascript:, data:) becomes "#". Attribute-escaped as well. */
void html_url(struct buf *b, struct str s);
/* Inside a query string: percent-encoded. */
void html_query(struct buf *b, struct str s);
#endif
