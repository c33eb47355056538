/* QR codes as SVG. */
#ifndef HTML_QR_H
#define HTML_QR_H
#include "base/buf.h"
#include "base/err.h"

/* Appends text as a QR code: an image of that title, dark on white in either colour scheme, with
 * the quiet zone that readers need. ERR_INVALID when the text is too long for one. */
int qr_svg(struct buf *b, const char *title, const char *text, struct err *err);
#endif
