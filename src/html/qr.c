/* QR codes (ISO/IEC 18004) by libqrencode, drawn as one path of its dark runs. */
#include "html/qr.h"

#include <qrencode.h>

#include "html/html.h"

#define QUIET 4 /* modules of white around it, as the standard asks */

static void qr_draw_row(struct buf *b, const unsigned char *row, int width, int y)
{
	for (int x = 0; x < width; x++) {
		int run = 0;

		while (x + run < width && (row[x + run] & 1) != 0)
			run++;
		if (run > 0)
			buf_printf(b, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, run, run);
		x += run;
	}
}

int qr_svg(struct buf *b, const char *title, const char *text, struct err *err)
{
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
	int side;

	if (code == NULL)
		return err_set(err, ERR_INVALID, "this text cannot be a QR code");
	side = code->width + 2 * QUIET;
	buf_printf(b,
	    "<svg role=\"img\" viewBox=\"0 0 %d %d\" width=\"220\""
	    " height=\"220\" shape-rendering=\"crispEdges\" aria-label=\"",
	    side, side);
	html_attr(b, str_from(title));
	buf_printf(b, "\"><rect width=\"%d\" height=\"%d\" fill=\"#fff\"/><path fill=\"#000\" d=\"",
	    side, side);
	for (int y = 0; y < code->width; y++)
		qr_draw_row(b, code->data + y * code->width, code->width, y);
	buf_str(b, "\"/></svg>");
	QRcode_free(code);
	return 0;
}
