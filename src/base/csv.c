/* The reader of CSV: libcsv fed line by line, so that every record's end is a place in the file
 * that a later run can go on from. libcsv runs strict; where it complains this file decides what
 * was meant: a quote within an unquoted cell is a character like any other, blanks behind a closing
 * quote are dropped, any other text there spoils the row up to the end of its line. */
#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/csv.h"
#include "base/limits.h"
#include "base/oom.h"

#define PIECE_BYTES (64u * 1024u)

struct csv_reader {
	struct csv_format format;
	struct csv_parser parser;
	int fd; /* -1: memory, all of which is the buffer */
	const char *buf;
	char *own; /* the buffer of a file */
	size_t at, end;
	size_t lf; /* where the next \n of the buffer is; its end when there is none */
	bool is_lf_known, is_eof;
	int64_t offset, line; /* of buf[at] */
	char *converted;      /* a piece in UTF-8 */
	/* the record at hand */
	bool is_begun, is_complete, is_skipped; /* skipped: to the end of its line */
	int64_t begin_line;
	const char *problem;
	struct buf *bytes; /* of the cells, a line break after each */
	size_t ends[CSV_COLUMNS];
	struct str cells[CSV_COLUMNS];
	size_t n;
	struct buf *text;
};

/* ---- libcsv's side ------------------------------------------------------------------------- */

static const char too_long[] = "the row is longer than 1 MiB";
_Static_assert(LIMIT_RECORD_BYTES == 1024u * 1024u, "too_long names the limit");

/* Blanks are part of a cell (RFC 4180). */
static int is_never_space(unsigned char c)
{
	(void)c;
	return 0;
}

static void csv_on_cell(void *p, size_t n, void *arg)
{
	struct csv_reader *rd = arg;

	if (rd->problem != NULL)
		return;
	if (rd->n < CSV_COLUMNS) {
		if (n > 0)
			buf_add(rd->bytes, p, n);
		rd->ends[rd->n] = rd->bytes->len;
		buf_chr(rd->bytes, '\n');
		if (!buf_ok(rd->bytes))
			rd->problem = too_long;
	}
	rd->n++;
}

static void csv_on_row(int c, void *arg)
{
	struct csv_reader *rd = arg;

	(void)c;
	rd->is_complete = true;
}

static void csv_drop_cell(void *p, size_t n, void *arg)
{
	(void)p, (void)n, (void)arg;
}

static void csv_drop_row(int c, void *arg)
{
	(void)c, (void)arg;
}

static void parser_init(struct csv_reader *rd)
{
	if (csv_init(&rd->parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
		oom_abort();
	csv_set_delim(&rd->parser, (unsigned char)rd->format.delimiter);
	csv_set_quote(&rd->parser, (unsigned char)rd->format.quote);
	csv_set_space_func(&rd->parser, is_never_space);
	csv_set_blk_size(&rd->parser, 16384);
}

static void parser_reset(struct csv_reader *rd)
{
	csv_fini(&rd->parser, csv_drop_cell, csv_drop_row, NULL);
	/* after an unclosed quote it returns without starting anew */
	csv_free(&rd->parser);
	parser_init(rd);
}

/* How many blanks stand at p before a delimiter or line break; 0 when something else does. */
static size_t line_blanks_before_end(const struct csv_reader *rd, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] == ' ' || p[i] == '\t') && p[i] != rd->format.delimiter)
		i++;
	if (i < n && p[i] != rd->format.delimiter && p[i] != '\r' && p[i] != '\n')
		return 0;
	return i;
}

static void quote_literal_byte(struct csv_reader *rd, const char *p)
{
	csv_set_opts(&rd->parser, CSV_STRICT_FINI);
	csv_parse(&rd->parser, p, 1, csv_on_cell, csv_on_row, rd);
	csv_set_opts(&rd->parser, CSV_STRICT | CSV_STRICT_FINI);
}

static void parser_feed(struct csv_reader *rd, const char *p, size_t n)
{
	while (n > 0 && !rd->is_skipped) {
		size_t used = csv_parse(&rd->parser, p, n, csv_on_cell, csv_on_row, rd), blanks;

		if (used < n && csv_error(&rd->parser) != CSV_EPARSE)
			oom_abort();
		p += used;
		n -= used;
		if (n == 0)
			break;
		if (!rd->parser.quoted) {
			quote_literal_byte(rd, p++);
			n--;
		} else if ((blanks = line_blanks_before_end(rd, p, n)) > 0) {
			p += blanks;
			n -= blanks;
		} else {
			rd->problem = "there is text behind a closing quote";
			rd->is_skipped = true;
		}
	}
	/* A cell of any length takes this much memory and no more. */
	if (rd->parser.entry_pos > LIMIT_RECORD_BYTES) {
		rd->problem = rd->problem != NULL ? rd->problem : too_long;
		rd->parser.entry_pos = 1;
	}
}

/* ---- encodings ----------------------------------------------------------------------------- */

static const uint16_t windows_1252[32] = {0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020,
    0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D, 0x8F, 0x90, 0x2018, 0x2019,
    0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D, 0x017E,
    0x0178};

/* The piece in UTF-8: at most three times as long. */
static struct str piece_convert(struct csv_reader *rd, struct str piece)
{
	char *out = rd->converted;

	for (size_t i = 0; i < piece.n; i++) {
		unsigned char c = (unsigned char)piece.p[i];
		unsigned u = c >= 0x80 && c < 0xA0 ? windows_1252[c - 0x80] : c;

		if (u < 0x80) {
			*out++ = (char)u;
		} else if (u < 0x800) {
			*out++ = (char)(0xC0 | u >> 6);
			*out++ = (char)(0x80 | (u & 0x3F));
		} else {
			*out++ = (char)(0xE0 | u >> 12);
			*out++ = (char)(0x80 | (u >> 6 & 0x3F));
			*out++ = (char)(0x80 | (u & 0x3F));
		}
	}
	return (struct str){rd->converted, (size_t)(out - rd->converted)};
}

const char *csv_encoding_name(enum csv_encoding encoding)
{
	return encoding == CSV_WINDOWS_1252 ? "windows-1252" : "utf-8";
}

bool csv_encoding_parse(struct str name, enum csv_encoding *out)
{
	static const struct {
		const char *name;
		enum csv_encoding encoding;
	} names[] = {{"utf-8", CSV_UTF8}, {"utf8", CSV_UTF8}, {"us-ascii", CSV_UTF8},
	    {"windows-1252", CSV_WINDOWS_1252}, {"cp1252", CSV_WINDOWS_1252},
	    {"iso-8859-1", CSV_WINDOWS_1252}, {"latin1", CSV_WINDOWS_1252},
	    {"auto", CSV_ANY_ENCODING}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_ieq(name, str_from(names[i].name))) {
			*out = names[i].encoding;
			return true;
		}
	}
	return false;
}

bool csv_delimiter_parse(struct str name, char *out)
{
	static const struct {
		const char *name;
		char c;
	} names[] = {{",", ','}, {";", ';'}, {"\t", '\t'}, {"|", '|'}, {"comma", ','},
	    {"semicolon", ';'}, {"tab", '\t'}, {"\\t", '\t'}, {"pipe", '|'}, {"auto", '\0'}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_ieq(name, str_from(names[i].name))) {
			*out = names[i].c;
			return true;
		}
	}
	return false;
}

/* ---- lines --------------------------------------------------------------------------------- */

/* Moves what is left to the front and reads more behind it: false at the end of the file. */
static int source_refill(struct csv_reader *rd, struct err *err)
{
	ssize_t got;

	if (rd->is_eof || rd->fd == -1) {
		rd->is_eof = true;
		return 0;
	}
	memmove(rd->own, rd->own + rd->at, rd->end - rd->at);
	rd->end -= rd->at;
	rd->at = 0;
	rd->is_lf_known = false;
	do {
		got = pread(rd->fd, rd->own + rd->end, PIECE_BYTES - rd->end,
		    (off_t)(rd->offset + (int64_t)rd->end));
	} while (got == -1 && errno == EINTR);
	if (got == -1)
		return err_set(err, ERR_UNAVAILABLE, "cannot read the file: %s", strerror(errno));
	rd->is_eof = got == 0;
	rd->end += (size_t)got;
	return 0;
}

/* The length of the line at `at`, its break included; 0 when the buffer does not hold its end. A
 * break is \n, \r\n or a \r alone: what stands behind a \r decides. */
static size_t piece_line_length(struct csv_reader *rd)
{
	const char *p = rd->buf + rd->at, *cr, *lf;
	size_t left = rd->end - rd->at, n;

	if (left == 0)
		return 0;
	if (!rd->is_lf_known || rd->lf < rd->at) {
		lf = memchr(p, '\n', left);
		rd->lf = lf != NULL ? (size_t)(lf - rd->buf) : rd->end;
		rd->is_lf_known = true;
	}
	n = rd->lf - rd->at;
	cr = memchr(p, '\r', n);
	if (cr == NULL)
		return n < left ? n + 1 : 0;
	if ((size_t)(cr - p) + 1 == n && n < left)
		return n + 1;
	if ((size_t)(cr - p) + 1 < left || rd->is_eof)
		return (size_t)(cr - p) + 1;
	return 0;
}

/* The next line, or what of a long one the buffer holds. Empty at the end of the file. */
static int piece_next(struct csv_reader *rd, struct str *out, bool *is_line_end, struct err *err)
{
	size_t n = piece_line_length(rd);

	while (n == 0 && !rd->is_eof && (rd->fd == -1 || rd->end - rd->at < PIECE_BYTES)) {
		if (source_refill(rd, err) == -1)
			return -1;
		n = piece_line_length(rd);
	}
	*is_line_end = n > 0;
	if (n == 0) {
		n = rd->end - rd->at;
		/* a \r at the end waits for what is behind it */
		if (n > 1 && !rd->is_eof && rd->buf[rd->end - 1] == '\r')
			n--;
		if (n > PIECE_BYTES)
			n = PIECE_BYTES;
	} else if (n > PIECE_BYTES) { /* only memory holds so long a line */
		n = PIECE_BYTES;
		*is_line_end = false;
		if (rd->buf[rd->at + n - 1] == '\r')
			n--;
	}
	*out = (struct str){rd->buf + rd->at, n};
	return 0;
}

static bool row_is_blank(struct str piece)
{
	for (size_t i = 0; i < piece.n; i++)
		if (piece.p[i] != '\r' && piece.p[i] != '\n')
			return false;
	return true;
}

/* ---- records ------------------------------------------------------------------------------- */

static void csv_release(void *arg)
{
	struct csv_reader *rd = arg;

	csv_free(&rd->parser);
	if (rd->fd != -1)
		close(rd->fd);
}

struct csv_reader *csv_reader_new(struct arena *a, const struct csv_source *source,
    const struct csv_format *format, struct err *err)
{
	struct csv_reader *rd = arena_zalloc(a, sizeof(*rd));

	rd->fd = -1;
	if (source->path != NULL && (rd->fd = open(source->path, O_RDONLY | O_CLOEXEC)) == -1) {
		err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE,
		    "cannot open the file: %s", strerror(errno));
		return NULL;
	}
	rd->format = *format;
	parser_init(rd);
	arena_on_free(a, csv_release, rd);
	rd->bytes = buf_new(a, LIMIT_RECORD_BYTES);
	rd->text = buf_new(a, CSV_TEXT_BYTES);
	if (source->path == NULL) {
		rd->buf = source->data.p;
	} else {
		rd->own = arena_alloc(a, PIECE_BYTES);
		rd->buf = rd->own;
	}
	rd->end = source->path == NULL ? source->data.n : 0;
	if (format->encoding == CSV_WINDOWS_1252)
		rd->converted = arena_alloc(a, 3u * PIECE_BYTES);
	csv_reader_seek(rd, format->start, 1);
	return rd;
}

void csv_reader_seek(struct csv_reader *rd, int64_t offset, int64_t line)
{
	rd->offset = offset;
	rd->line = line;
	rd->is_eof = rd->is_lf_known = false;
	if (rd->fd == -1)
		rd->at = (size_t)offset < rd->end ? (size_t)offset : rd->end;
	else
		rd->at = rd->end = 0;
	parser_reset(rd);
}

static void row_keep_text(struct csv_reader *rd, struct str piece)
{
	size_t room = CSV_TEXT_BYTES - rd->text->len;

	if (room > 0)
		buf_add(rd->text, piece.p, piece.n < room ? piece.n : room);
}

/* At the end of the file: what has begun ends too. */
static void row_finish(struct csv_reader *rd)
{
	if (!rd->is_skipped && csv_fini(&rd->parser, csv_on_cell, csv_on_row, rd) != 0) {
		if (csv_error(&rd->parser) != CSV_EPARSE)
			oom_abort();
		rd->problem = "the quote that opens in this row is never closed";
	}
	parser_reset(rd);
	rd->is_complete = true;
}

static void row_emit(struct csv_reader *rd, struct csv_row *out)
{
	struct str bytes = {rd->bytes->p, rd->bytes->len}, text = {rd->text->p, rd->text->len};
	size_t kept = rd->n < CSV_COLUMNS ? rd->n : CSV_COLUMNS, at = 0;

	if (rd->problem == NULL && !utf8_is_valid(bytes))
		rd->problem = memchr(bytes.p, '\0', bytes.n) != NULL
				  ? "there is a NUL byte in the row"
				  : "the row is not UTF-8 text";
	for (size_t i = 0; i < kept && rd->problem == NULL; i++) {
		rd->cells[i] = (struct str){bytes.p + at, rd->ends[i] - at};
		at = rd->ends[i] + 1;
	}
	while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	*out = (struct csv_row){.line = rd->begin_line,
	    .next_line = rd->line,
	    .next_offset = rd->offset,
	    .cells = rd->cells,
	    .n = rd->problem == NULL ? rd->n : 0,
	    .problem = rd->problem,
	    .text = text};
}

static void reader_begin(struct csv_reader *rd)
{
	rd->is_begun = rd->is_complete = rd->is_skipped = false;
	rd->problem = NULL;
	rd->n = 0;
	buf_reset(rd->bytes);
	buf_reset(rd->text);
}

static void reader_take(struct csv_reader *rd, struct str piece, bool is_line_end)
{
	struct str text = rd->converted != NULL ? piece_convert(rd, piece) : piece;

	if (!rd->is_begun)
		rd->begin_line = rd->line;
	rd->is_begun = true;
	row_keep_text(rd, text);
	if (!rd->is_skipped)
		parser_feed(rd, text.p, text.n);
	if (rd->is_skipped && is_line_end) {
		parser_reset(rd);
		rd->is_complete = true;
	}
}

int csv_reader_next(struct csv_reader *rd, struct csv_row *out, struct err *err)
{
	reader_begin(rd);
	while (!rd->is_complete) {
		bool is_line_end;
		struct str piece;

		if (piece_next(rd, &piece, &is_line_end, err) == -1)
			return -1;
		if (piece.n == 0 && !rd->is_begun)
			return 0;
		if (piece.n == 0)
			row_finish(rd);
		else if (rd->is_begun || !row_is_blank(piece))
			reader_take(rd, piece, is_line_end);
		rd->at += piece.n;
		rd->offset += (int64_t)piece.n;
		rd->line += is_line_end;
	}
	row_emit(rd, out);
	return 1;
}

/* ---- writing ------------------------------------------------------------------------------- */

static struct buf *reader_next_cell(struct csv_writer *w)
{
	if (w->has_cell)
		buf_chr(w->b, ',');
	w->has_cell = true;
	return w->b;
}

void csv_write_plain(struct csv_writer *w, const char *cell)
{
	struct buf *b = reader_next_cell(w);

	if (cell != NULL)
		buf_str(b, cell);
}

void csv_write_text(struct csv_writer *w, struct str cell)
{
	struct buf *b = reader_next_cell(w);
	bool is_formula = cell.n > 0 && memchr("=+-@\t\r", cell.p[0], 6) != NULL, is_quoted = false;

	for (size_t i = 0; i < cell.n && !is_quoted; i++)
		is_quoted = memchr("\",;\r\n\t", cell.p[i], 6) != NULL;
	if (is_quoted)
		buf_chr(b, '"');
	if (is_formula)
		buf_chr(b, '\'');
	for (size_t i = 0; i < cell.n; i++) {
		if (cell.p[i] == '"')
			buf_chr(b, '"');
		buf_chr(b, cell.p[i]);
	}
	if (is_quoted)
		buf_chr(b, '"');
}

void csv_write_json(struct csv_writer *w, struct arena *a, const json_t *v)
{
	if (v == NULL || json_is_null(v))
		csv_write_plain(w, NULL);
	else if (json_is_string(v))
		csv_write_text(w, (struct str){json_string_value(v), json_string_length(v)});
	else if (json_is_array(v) || json_is_object(v))
		csv_write_text(w, json_text(a, v));
	else
		csv_write_plain(w, json_scalar_text(a, v));
}

void csv_write_end(struct csv_writer *w)
{
	buf_str(w->b, "\r\n");
	w->has_cell = false;
}
