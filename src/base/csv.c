/* The reader of CSV: libcsv fed line by line, so that every record's end is a place in the file
 * that a later run can go on from. libcsv runs strict; where it complains this file decides what
 * was meant: a quote within an unquoted cell is a character like any other, blanks behind a closing
 * quote are dropped, any other text there spoils the row.
 *
 *   bytes of the file -> buffer -> lines -> record -> cells in UTF-8
 *           (UTF-16 becomes UTF-8)   (libcsv)   (Windows-1252 becomes UTF-8: all of the file, or a
 * row)
 *
 * A record that spans lines may be one whose quote was never meant to open. Where it turns out
 * broken (its quote is not closed within QUOTE_BYTES, or closed before other text) only its first
 * line is lost, and reading starts anew behind it. So that this costs no more than reading twice,
 * the reader remembers how far it got: a record that is within quotes at the beginning of a line up
 * to there would end as that one did. */
#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/csv.h"
#include "base/limits.h"
#include "base/oom.h"

#define PIECE_BYTES (64u * 1024u)
#define ROW_BYTES (LIMIT_RECORD_BYTES + 64u * 1024u) /* cells, with room for what is no data */
#define QUOTE_BYTES (16 * 1024 * 1024)               /* looked through for the end of a quote */
#define CTRL_Z '\x1A'
#define MARK "\xEF\xBB\xBF"

/* A place between lines. */
struct csv_place {
	int64_t offset, line;
	size_t text; /* bytes kept of the record's text up to there */
};

struct csv_reader {
	struct csv_format format;
	struct csv_parser parser;
	int fd;          /* -1: memory */
	struct str data; /* of memory */
	const char *buf; /* data itself, or own */
	char *own;       /* the buffer of a file, and of UTF-16 */
	size_t at, end;
	size_t lf; /* where the next \n of the buffer is; its end when there is none */
	bool is_lf_known, is_eof;
	int64_t offset, line; /* of buf[at] */
	int64_t read_offset;  /* of what stands behind buf[end] */
	/* the record at hand */
	bool is_begun, is_complete, is_skipped; /* skipped: to the end of its line */
	bool is_open;                           /* its quote is the problem */
	int64_t begin_line, begin_offset;
	int64_t line_offset;     /* of the line at hand */
	bool has_second;         /* it has more lines than one: */
	struct csv_place second; /* behind the first */
	const char *problem;
	struct buf *bytes; /* of the cells, a line break after each */
	size_t ends[CSV_COLUMNS];
	struct str cells[CSV_COLUMNS];
	size_t n;
	struct buf *text;
	bool is_text_cut;
	char *converted; /* the row from Windows-1252 */
	size_t converted_n, converted_cap;
	int64_t doomed; /* within quotes at a line before it: never closed as it should be */
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
			rd->is_skipped = rd->is_open = true;
		}
	}
	/* A cell of any length takes this much memory and no more. */
	if (rd->parser.entry_pos > LIMIT_RECORD_BYTES) {
		rd->problem = rd->problem != NULL ? rd->problem : too_long;
		rd->parser.entry_pos = 1;
	}
}

/* ---- names --------------------------------------------------------------------------------- */

static const struct {
	const char *name; /* the first of an encoding is the one to show */
	enum csv_encoding encoding;
} encoding_names[] = {{"utf-8", CSV_UTF8}, {"utf8", CSV_UTF8}, {"us-ascii", CSV_UTF8},
    {"windows-1252", CSV_WINDOWS_1252}, {"cp1252", CSV_WINDOWS_1252},
    {"iso-8859-1", CSV_WINDOWS_1252}, {"latin1", CSV_WINDOWS_1252}, {"utf-16le", CSV_UTF16_LE},
    {"utf-16be", CSV_UTF16_BE}, {"utf-16", CSV_UTF16_LE}, {"auto", CSV_ANY_ENCODING}};

const char *csv_encoding_name(enum csv_encoding encoding)
{
	size_t i = 0;

	while (encoding_names[i].encoding != encoding)
		i++;
	return encoding_names[i].name;
}

bool csv_encoding_parse(struct str name, enum csv_encoding *out)
{
	for (size_t i = 0; i < sizeof(encoding_names) / sizeof(encoding_names[0]); i++) {
		if (str_ieq(name, str_from(encoding_names[i].name))) {
			*out = encoding_names[i].encoding;
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

/* Up to n bytes of the file from offset on: how many, 0 at its end, -1. */
static ssize_t source_read(
    const struct csv_reader *rd, char *out, size_t n, int64_t offset, struct err *err)
{
	ssize_t got;

	if (rd->fd == -1) {
		size_t left = (size_t)offset < rd->data.n ? rd->data.n - (size_t)offset : 0;

		n = n < left ? n : left;
		if (n > 0)
			memcpy(out, rd->data.p + offset, n);
		return (ssize_t)n;
	}
	do {
		got = pread(rd->fd, out, n, (off_t)offset);
	} while (got == -1 && errno == EINTR);
	if (got == -1)
		err_set(err, ERR_UNAVAILABLE, "cannot read the file: %s", strerror(errno));
	return got;
}

static bool is_utf16(const struct csv_format *f)
{
	return f->encoding == CSV_UTF16_LE || f->encoding == CSV_UTF16_BE;
}

/* Half a character at the end of the file is none. */
static int source_refill_utf16(struct csv_reader *rd, struct err *err)
{
	char raw[PIECE_BYTES / 2];
	size_t room = (PIECE_BYTES - rd->end) / 3 * 2, used;
	bool is_big_endian = rd->format.encoding == CSV_UTF16_BE;
	ssize_t got;

	got = source_read(
	    rd, raw, room < sizeof(raw) ? room & ~(size_t)1 : sizeof(raw), rd->read_offset, err);
	if (got == -1)
		return -1;
	rd->end += utf16_decode(
	    rd->own + rd->end, (struct str){raw, (size_t)got}, is_big_endian, false, &used);
	if (used == 0 && got > 0) /* what is left is half a character */
		rd->end += utf16_decode(
		    rd->own + rd->end, (struct str){raw, (size_t)got}, is_big_endian, true, &used);
	rd->is_eof = used == 0;
	rd->read_offset += (int64_t)used;
	return 0;
}

/* Moves what is left to the front and reads more behind it; notes the end of the file. */
static int source_refill(struct csv_reader *rd, struct err *err)
{
	ssize_t got;

	if (rd->is_eof || rd->own == NULL) {
		rd->is_eof = true;
		return 0;
	}
	memmove(rd->own, rd->own + rd->at, rd->end - rd->at);
	rd->end -= rd->at;
	rd->at = 0;
	rd->is_lf_known = false;
	if (is_utf16(&rd->format))
		return source_refill_utf16(rd, err);
	got = source_read(rd, rd->own + rd->end, PIECE_BYTES - rd->end, rd->read_offset, err);
	if (got == -1)
		return -1;
	rd->is_eof = got == 0;
	rd->end += (size_t)got;
	rd->read_offset += got;
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

	while (n == 0 && !rd->is_eof && (rd->own == NULL || rd->end - rd->at < PIECE_BYTES - 8)) {
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

/* Behind n bytes of the buffer. */
static void source_skip(struct csv_reader *rd, size_t n)
{
	struct str skipped = {rd->buf + rd->at, n};

	rd->at += n;
	rd->offset += (int64_t)(is_utf16(&rd->format) ? utf16_length(skipped) : n);
}

static bool line_is_blank(struct str piece)
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
	free(rd->converted);
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
	rd->bytes = buf_new(a, ROW_BYTES);
	rd->text = buf_new(a, CSV_TEXT_BYTES);
	if (source->path == NULL)
		rd->data = source->data;
	if (source->path != NULL || is_utf16(format))
		rd->buf = rd->own = arena_alloc(a, PIECE_BYTES);
	else
		rd->buf = rd->data.p;
	csv_reader_seek(rd, format->start, format->line + 1);
	return rd;
}

static void source_seek(struct csv_reader *rd, int64_t offset, int64_t line)
{
	rd->offset = rd->read_offset = offset;
	rd->line = line;
	rd->is_eof = rd->is_lf_known = false;
	rd->at = rd->end = 0;
	if (rd->own == NULL) {
		rd->end = rd->data.n;
		rd->at = (size_t)offset < rd->end ? (size_t)offset : rd->end;
	}
	parser_reset(rd);
}

void csv_reader_seek(struct csv_reader *rd, int64_t offset, int64_t line)
{
	rd->doomed = 0;
	source_seek(rd, offset, line);
}

static void row_keep_text(struct csv_reader *rd, struct str piece)
{
	size_t room = CSV_TEXT_BYTES - rd->text->len;

	if (room > 0)
		buf_add(rd->text, piece.p, piece.n < room ? piece.n : room);
	rd->is_text_cut = rd->is_text_cut || piece.n > room;
}

/* ---- records: their text in UTF-8 ----------------------------------------------------------- */

/* Room for n bytes and the row's text, each of which may become three. */
static void row_convert_begin(struct csv_reader *rd, size_t n)
{
	size_t need = 3 * (n + CSV_TEXT_BYTES);

	rd->converted_n = 0;
	if (need <= rd->converted_cap)
		return;
	rd->converted = oom_realloc(rd->converted, need);
	rd->converted_cap = need;
}

static struct str row_convert(struct csv_reader *rd, struct str s)
{
	char *out = rd->converted + rd->converted_n;
	size_t n = windows_1252_decode(out, s);

	rd->converted_n += n;
	return (struct str){out, n};
}

/* Is the row to be read as Windows-1252, since that is the file's encoding or it is no UTF-8? One
 * that has both stray bytes and well-formed characters is neither. */
static bool row_is_converted(struct csv_reader *rd, struct str bytes)
{
	struct utf8_signs signs = {0, 0, 0};

	if (rd->problem != NULL || memchr(bytes.p, '\0', bytes.n) != NULL)
		return false;
	if (rd->format.encoding == CSV_WINDOWS_1252)
		return true;
	if (!rd->format.is_lenient || !windows_1252_is_valid(bytes))
		return false;
	return utf8_count_signs(bytes, &signs) > 0 || signs.two + signs.more == 0;
}

static const char *bytes_problem(const struct csv_reader *rd, struct str bytes)
{
	if (memchr(bytes.p, '\0', bytes.n) != NULL)
		return "there is a NUL byte in the row";
	return rd->format.is_lenient ? "the row is neither UTF-8 nor Windows-1252 text"
				     : "the row is not UTF-8 text";
}

/* The cells, each converted by itself if need be. */
static void row_cut_cells(struct csv_reader *rd, bool is_converted)
{
	size_t kept = rd->n < CSV_COLUMNS ? rd->n : CSV_COLUMNS, at = 0;

	for (size_t i = 0; i < kept; i++) {
		struct str cell = {rd->bytes->p + at, rd->ends[i] - at};

		rd->cells[i] = is_converted ? row_convert(rd, cell) : cell;
		at = rd->ends[i] + 1;
	}
}

static void row_emit(struct csv_reader *rd, struct csv_row *out)
{
	struct str bytes = {rd->bytes->p, rd->bytes->len}, text = {rd->text->p, rd->text->len};
	bool is_text = utf8_is_valid(bytes);
	bool is_1252 = rd->format.encoding == CSV_WINDOWS_1252,
	     is_converted = (!is_text || is_1252) && row_is_converted(rd, bytes);

	if (is_converted || is_1252)
		row_convert_begin(rd, bytes.n);
	if (rd->problem == NULL && !is_text && !is_converted)
		rd->problem = bytes_problem(rd, bytes);
	if (rd->problem == NULL)
		row_cut_cells(rd, is_converted);
	while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	if (is_converted || is_1252)
		text = row_convert(rd, text);
	*out = (struct csv_row){.line = rd->begin_line,
	    .next_line = rd->line,
	    .next_offset = rd->offset,
	    .cells = rd->cells,
	    .n = rd->problem == NULL ? rd->n : 0,
	    .problem = rd->problem,
	    .text = text,
	    .is_cut = rd->is_text_cut,
	    .has_marks = memchr(bytes.p, MARK[0], bytes.n) != NULL &&
			 memmem(bytes.p, bytes.n, MARK, 3) != NULL};
}
/* ---- records: one after the other ----------------------------------------------------------- */

static const char never_closed[] = "the quote that opens in this row is never closed";

static void record_begin(struct csv_reader *rd)
{
	rd->is_begun = rd->is_complete = rd->is_skipped = rd->is_open = rd->is_text_cut = false;
	rd->has_second = false;
	rd->problem = NULL;
	rd->n = 0;
	rd->begin_line = rd->line;
	rd->begin_offset = rd->line_offset = rd->offset;
	buf_reset(rd->bytes);
	buf_reset(rd->text);
}

/* Behind a line that did not end the record, so within quotes: given up where they are known, or
 * likely, never to be closed. */
static void record_note_line(struct csv_reader *rd)
{
	rd->line_offset = rd->offset;
	if (!rd->has_second)
		rd->second = (struct csv_place){rd->offset, rd->line, rd->text->len};
	rd->has_second = true;
	if (rd->offset <= rd->doomed || rd->offset - rd->begin_offset > QUOTE_BYTES)
		rd->is_open = rd->is_complete = true;
}

/* Of a record whose quote is the problem only the first line is lost. */
static void record_give_up(struct csv_reader *rd)
{
	if (rd->problem == NULL || rd->has_second)
		rd->problem = never_closed;
	if (!rd->has_second)
		return;
	if (rd->line_offset > rd->doomed)
		rd->doomed = rd->line_offset;
	rd->is_text_cut = rd->is_text_cut && rd->second.text == CSV_TEXT_BYTES;
	rd->text->len = rd->second.text;
	source_seek(rd, rd->second.offset, rd->second.line);
}

/* At the end of the file: what has begun ends too. */
static void record_finish(struct csv_reader *rd)
{
	if (!rd->is_skipped && csv_fini(&rd->parser, csv_on_cell, csv_on_row, rd) != 0) {
		if (csv_error(&rd->parser) != CSV_EPARSE)
			oom_abort();
		rd->is_open = true;
	}
	parser_reset(rd);
	rd->is_complete = true;
}

static void record_take(struct csv_reader *rd, struct str piece, bool is_line_end)
{
	struct str text = piece;

	/* a Ctrl-Z at the end of the file is not part of its last row */
	while (!is_line_end && rd->is_eof && rd->at + piece.n == rd->end && text.n > 0 &&
	       text.p[text.n - 1] == CTRL_Z)
		text.n--;
	rd->is_begun = true;
	row_keep_text(rd, text);
	if (!rd->is_skipped)
		parser_feed(rd, text.p, text.n);
	if (rd->is_skipped && is_line_end) {
		parser_reset(rd);
		rd->is_complete = true;
	}
	source_skip(rd, piece.n);
	rd->line += is_line_end;
	if (is_line_end && !rd->is_complete)
		record_note_line(rd);
}

static int64_t source_size(const struct csv_reader *rd)
{
	off_t size = rd->fd == -1 ? (off_t)rd->data.n : lseek(rd->fd, 0, SEEK_END);

	return size > 0 ? (int64_t)size : 0;
}

/* A Ctrl-Z ends the file. What stands behind it is told, unless it is padding. */
static int record_take_end(struct csv_reader *rd, struct err *err)
{
	static const char padding[] = "\x1A\0 \t\r\n";
	bool is_line_end, is_padding = true;
	struct str piece = {"", 1};

	while (is_padding && piece.n > 0) {
		if (piece_next(rd, &piece, &is_line_end, err) == -1)
			return -1;
		for (size_t i = 0; i < piece.n && is_padding; i++)
			is_padding = memchr(padding, piece.p[i], sizeof(padding) - 1) != NULL;
		if (!is_padding)
			row_keep_text(rd, piece);
		source_skip(rd, piece.n);
	}
	if (is_padding)
		return 0;
	rd->problem = "a Ctrl-Z ends the file here: what stands behind it was not read";
	rd->is_begun = rd->is_complete = true;
	source_seek(rd, source_size(rd), rd->line + 1);
	return 1;
}

/* How many bytes at the beginning of a record are none of it: marks, or a line break. */
static size_t line_idle_bytes(struct str piece)
{
	size_t n = 0;

	while (piece.n - n >= 3 && memcmp(piece.p + n, MARK, 3) == 0)
		n += 3;
	return n > 0 ? n : line_is_blank(piece) ? piece.n : 0;
}

/* One record: 1, 0 at the end, -1. */
static int record_read(struct csv_reader *rd, struct err *err)
{
	bool is_line_end;
	struct str piece;
	size_t idle;

	record_begin(rd);
	while (!rd->is_complete) {
		if (piece_next(rd, &piece, &is_line_end, err) == -1)
			return -1;
		idle = rd->is_begun ? 0 : line_idle_bytes(piece);
		if (piece.n == 0 && !rd->is_begun)
			return 0;
		if (!rd->is_begun && piece.p[0] == CTRL_Z)
			return record_take_end(rd, err);
		if (piece.n == 0) {
			record_finish(rd);
		} else if (idle > 0) {
			source_skip(rd, idle);
			rd->line += is_line_end && idle == piece.n;
			record_begin(rd);
		} else {
			record_take(rd, piece, is_line_end);
		}
	}
	if (rd->is_open)
		record_give_up(rd);
	return 1;
}

/* Nothing but blanks. */
static bool record_is_nothing(const struct csv_reader *rd)
{
	size_t at = 0;

	if (rd->problem != NULL || rd->n > CSV_COLUMNS)
		return false;
	for (size_t i = 0; i < rd->n; i++) {
		if (utf8_trim((struct str){rd->bytes->p + at, rd->ends[i] - at}).n > 0)
			return false;
		at = rd->ends[i] + 1;
	}
	return true;
}

int csv_reader_next(struct csv_reader *rd, struct csv_row *out, struct err *err)
{
	int rc;

	do {
		rc = record_read(rd, err);
	} while (rc == 1 && record_is_nothing(rd));
	if (rc == 1)
		row_emit(rd, out);
	return rc;
}

/* ---- writing ------------------------------------------------------------------------------- */

static struct buf *writer_next_cell(struct csv_writer *w)
{
	if (w->has_cell)
		buf_chr(w->b, ',');
	w->has_cell = true;
	return w->b;
}

void csv_write_plain(struct csv_writer *w, const char *cell)
{
	struct buf *b = writer_next_cell(w);

	if (cell != NULL)
		buf_str(b, cell);
}

/* A sign behind any number of apostrophes: each guard is one more, so that it can be taken back. */
static bool is_formula(struct str cell)
{
	size_t i = 0;

	while (i < cell.n && cell.p[i] == '\'')
		i++;
	return i < cell.n && memchr("=+-@\t\r\n", cell.p[i], 7) != NULL;
}

struct str csv_unguarded(struct str cell)
{
	return cell.n > 0 && cell.p[0] == '\'' && is_formula(cell)
		   ? (struct str){cell.p + 1, cell.n - 1}
		   : cell;
}

void csv_write_text(struct csv_writer *w, struct str cell)
{
	struct buf *b = writer_next_cell(w);
	bool is_quoted = false;

	for (size_t i = 0; i < cell.n && !is_quoted; i++)
		is_quoted = memchr("\",;\r\n\t\x1A", cell.p[i], 7) != NULL;
	if (is_quoted)
		buf_chr(b, '"');
	if (!w->is_raw && is_formula(cell))
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
