#include "base/inflate.h"

#include <string.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/buf.h"

#define PIECE_BYTES (32u * 1024u)
#define WINDOW_GZIP (15 + 16) /* zlib's way to say which form is wanted */
#define WINDOW_ZLIB 15
#define WINDOW_RAW (-15)

bool coding_is_none(struct str coding)
{
	return coding.n == 0 || str_ieq(coding, STR("identity"));
}

static bool coding_is_gzip(struct str coding)
{
	return str_ieq(coding, STR("gzip")) || str_ieq(coding, STR("x-gzip"));
}

bool coding_is_known(struct str coding)
{
	return coding_is_gzip(coding) || str_ieq(coding, STR("deflate"));
}

/* One stream, or several one behind the other: all of z's input. Z_OK, or what is wrong:
 * Z_BUF_ERROR where there would be too much. */
static int inflate_all(z_stream *z, struct buf *b, size_t most)
{
	unsigned char piece[PIECE_BYTES];

	for (;;) {
		int rc;

		z->next_out = piece;
		z->avail_out = sizeof(piece);
		rc = inflate(z, Z_NO_FLUSH);
		if (rc != Z_OK && rc != Z_STREAM_END)
			return Z_DATA_ERROR; /* Z_BUF_ERROR too: it ends early */
		buf_add(b, piece, sizeof(piece) - z->avail_out);
		if (b->len > most)
			return Z_BUF_ERROR;
		if (rc == Z_STREAM_END && z->avail_in == 0)
			return Z_OK;
		if (rc == Z_STREAM_END && inflateReset(z) != Z_OK)
			return Z_DATA_ERROR;
	}
}

static int inflate_form(struct str in, int window, struct buf *b, size_t most)
{
	z_stream z;
	int rc;

	memset(&z, 0, sizeof(z));
	if (in.n > UINT32_MAX || inflateInit2(&z, window) != Z_OK)
		return Z_MEM_ERROR;
	z.next_in = (unsigned char *)(uintptr_t)in.p;
	z.avail_in = (unsigned)in.n;
	rc = inflate_all(&z, b, most);
	inflateEnd(&z);
	return rc;
}

int coding_undo(struct arena *a, struct str coding, struct str in, size_t most, struct str *out,
    struct err *err)
{
	struct buf *b = buf_new(a, most + PIECE_BYTES);
	bool is_gzip = coding_is_gzip(coding);
	int rc = inflate_form(in, is_gzip ? WINDOW_GZIP : WINDOW_ZLIB, b, most);

	if (rc == Z_DATA_ERROR && !is_gzip) {
		buf_reset(b);
		rc = inflate_form(in, WINDOW_RAW, b, most);
	}
	if (rc == Z_BUF_ERROR)
		return err_set(err, ERR_LIMIT, "decoded, the body has more than %zu bytes", most);
	if (rc != Z_OK)
		return err_set(err, ERR_MALFORMED,
		    "the body is not %s, as its Content-Encoding says",
		    is_gzip ? "gzip" : "deflate");
	*out = (struct str){b->p, b->len};
	return 0;
}
