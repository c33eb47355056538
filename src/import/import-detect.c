/* What a CSV file is: its encoding, delimiter and quote, looked for in its beginning.
 *
 * Encoding: a mark tells it; else NUL bytes at every other place tell UTF-16; else characters of
 * UTF-8 that are well formed are weighed against bytes that belong to none. By chance bytes of
 * Windows-1252 seldom form a character of two bytes, and hardly one of three, so one of those
 * outweighs some stray bytes: these stand in single rows then, which are read alone as
 * Windows-1252. Only the beginning is looked at; what comes later is judged row by row.
 *
 * Delimiter: what a line of sep= says, else the one that makes the most rows as wide as the header.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "import/import-internal.h"

#define SAMPLE_BYTES (64u * 1024u)
#define SAMPLE_ROWS 20
#define ENCODING_BYTES (INT64_C(16) * 1024 * 1024) /* as far as the encoding is looked at */
#define WEIGHT_TWO 4u                              /* of characters, in stray bytes */
#define WEIGHT_MORE 16u

/* ---- reading ------------------------------------------------------------------------------- */

struct file_look {
	const struct csv_source *source;
	int fd;
};

static void file_look_close(void *arg)
{
	const struct file_look *k = arg;

	close(k->fd);
}

static struct file_look *file_look_new(
    struct arena *a, const struct csv_source *source, struct err *err)
{
	struct file_look *k = arena_zalloc(a, sizeof(*k));

	k->source = source;
	k->fd = -1;
	if (source->path == NULL)
		return k;
	k->fd = open(source->path, O_RDONLY | O_CLOEXEC);
	if (k->fd == -1) {
		err_set(err, ERR_UNAVAILABLE, "cannot open the file: %s", strerror(errno));
		return NULL;
	}
	arena_on_free(a, file_look_close, k);
	return k;
}

/* Up to n bytes from offset on; 0 at the end, -1. */
static int64_t file_look_at(
    const struct file_look *k, int64_t offset, char *out, size_t n, struct err *err)
{
	struct str data = k->source->data;
	size_t got = 0;
	ssize_t more;

	if (k->fd == -1) {
		if ((size_t)offset < data.n)
			got = data.n - (size_t)offset < n ? data.n - (size_t)offset : n;
		if (got > 0)
			memcpy(out, data.p + offset, got);
		return (int64_t)got;
	}
	more = fd_read_full_at(k->fd, out, n, (off_t)offset);
	if (more == -1)
		return err_set(err, ERR_UNAVAILABLE, "cannot read the file: %s", strerror(errno));
	return (int64_t)more;
}

/* ---- encoding ------------------------------------------------------------------------------ */

struct encoding_look {
	struct arena *a; /* of why */
	struct csv_format *format;
	const char *why;
};

static void encoding_is(struct encoding_look *l, enum csv_encoding encoding, const char *why)
{
	l->format->encoding = encoding;
	l->why = why;
}

/* Is it a file of UTF-16, as some program marked it? Marks of UTF-16 go before what anybody says,
 * since no other text begins so. */
static int encoding_check_mark(struct encoding_look *l, struct str s, struct err *err)
{
	static const char marked[] = "it begins with a byte-order mark";
	struct csv_format *f = l->format;

	if (s.n >= 4 &&
	    (memcmp(s.p, "\xFF\xFE\0\0", 4) == 0 || memcmp(s.p, "\0\0\xFE\xFF", 4) == 0))
		return err_field(err, ERR_INVALID, "csv",
		    "is UTF-32 text, which is not read: save the file as UTF-8");
	if (s.n >= 2 && (memcmp(s.p, "\xFF\xFE", 2) == 0 || memcmp(s.p, "\xFE\xFF", 2) == 0)) {
		f->start = 2;
		encoding_is(l, s.p[0] == '\xFF' ? CSV_UTF16_LE : CSV_UTF16_BE, marked);
	} else if (s.n >= 3 && memcmp(s.p, "\xEF\xBB\xBF", 3) == 0) {
		f->start = 3;
		if (f->encoding == CSV_ANY_ENCODING) {
			encoding_is(l, CSV_UTF8, marked);
			f->is_lenient = true;
		}
	}
	return 0;
}

/* What two bytes at a time say. */
struct pair_signs {
	size_t nul[2];    /* NUL bytes by place: 0 the first of a pair, as big-endian has them */
	size_t breaks[2]; /* line breaks whose other byte is such a NUL */
	size_t ends;      /* bytes of line breaks in all */
};

static bool is_break(char c)
{
	return c == '\n' || c == '\r';
}

static struct pair_signs pairs_count(struct str s)
{
	struct pair_signs found = {{0, 0}, {0, 0}, 0};

	for (size_t i = 0; i + 1 < s.n; i += 2) {
		for (size_t at = 0; at < 2; at++) {
			bool is_nul = s.p[i + at] == '\0';

			found.nul[at] += is_nul;
			found.breaks[at] += is_nul && is_break(s.p[i + 1 - at]);
			found.ends += is_break(s.p[i + at]);
		}
	}
	return found;
}

/* NUL stands at one place of the pairs alone: in every other of them, as it does in Latin letters,
 * or at most line breaks, as in any (halves of other letters may look like one). Some NUL bytes in
 * a text of bytes are its rows' fault. */
static bool encoding_is_utf16(struct str s, enum csv_encoding *out)
{
	struct pair_signs found = pairs_count(s);
	size_t at = found.nul[1] > found.nul[0];

	*out = at == 1 ? CSV_UTF16_LE : CSV_UTF16_BE;
	if (found.nul[1 - at] * 20 > found.nul[at])
		return false;
	return found.nul[at] > s.n / 4 || 2 * found.breaks[at] > found.ends;
}

/* "12 characters", "1 byte" */
static const char *number_of(struct arena *a, uint64_t n, const char *what)
{
	return arena_printf(a, "%llu %s%s", (unsigned long long)n, what, plural_s(n));
}

static void encoding_judge(struct encoding_look *l, const struct utf8_signs *signs)
{
	uint64_t wide = signs->two + signs->more;
	const char *characters = number_of(l->a, wide, "character"),
		   *bytes = number_of(l->a, signs->stray, "byte");

	if (wide == 0 && signs->stray == 0)
		encoding_is(l, CSV_UTF8, "all that was looked at is ASCII");
	else if (signs->stray == 0)
		encoding_is(l, CSV_UTF8,
		    arena_printf(
			l->a, "%s outside ASCII, and no byte that UTF-8 has not", characters));
	else if (WEIGHT_TWO * signs->two + WEIGHT_MORE * signs->more >= signs->stray)
		encoding_is(l, CSV_UTF8,
		    arena_printf(l->a,
			"%s of UTF-8 outweigh %s of none: rows with those are read alone as "
			"Windows-1252",
			characters, bytes));
	else
		encoding_is(l, CSV_WINDOWS_1252,
		    arena_printf(l->a, "%s outside ASCII that no UTF-8 has", bytes));
	l->format->is_lenient = l->format->encoding == CSV_UTF8;
}

/* Goes through the beginning of the file. */
static int encoding_weigh(
    struct encoding_look *l, const struct file_look *k, char *p, int64_t got, struct err *err)
{
	struct utf8_signs signs = {0, 0, 0};
	int64_t offset = l->format->start;

	while (got > 0 && offset < ENCODING_BYTES) {
		got = file_look_at(k, offset, p, SAMPLE_BYTES, err);
		if (got <= 0)
			break;
		size_t cut = utf8_count_signs((struct str){p, (size_t)got}, &signs);

		if (cut == (size_t)got) { /* the end of the file cuts it */
			signs.stray += cut;
			break;
		}
		offset += got - (int64_t)cut;
	}
	if (got == -1)
		return -1;
	encoding_judge(l, &signs);
	return 0;
}

/* Of UTF-16 the bytes say the order, whatever was said. */
static int encoding_check_wish(struct csv_format *f, struct str s, struct err *err)
{
	bool is_wished = f->encoding == CSV_UTF16_LE || f->encoding == CSV_UTF16_BE;

	if (!is_wished || f->start > 0 || encoding_is_utf16(s, &f->encoding))
		return 0;
	return err_field(err, ERR_INVALID, "encoding",
	    "cannot be UTF-16: that has NUL bytes between, and this file has none");
}

static int encoding_detect(struct encoding_look *l, const struct file_look *k, struct err *err)
{
	char *p = arena_alloc(l->a, SAMPLE_BYTES);
	int64_t got = file_look_at(k, 0, p, SAMPLE_BYTES, err);
	struct str s = {p, got > 0 ? (size_t)got : 0};
	enum csv_encoding found;

	if (got == -1 || encoding_check_mark(l, s, err) == -1 ||
	    encoding_check_wish(l->format, s, err) == -1)
		return -1;
	if (l->format->encoding != CSV_ANY_ENCODING)
		return 0;
	if (encoding_is_utf16(s, &found)) {
		encoding_is(l, found, "every other byte of many is NUL");
		return 0;
	}
	return encoding_weigh(l, k, p, got, err);
}

/* ---- the line of sep= ---------------------------------------------------------------------- */

static bool str_take_ieq(struct str *s, struct str word)
{
	if (s->n < word.n || !str_ieq((struct str){s->p, word.n}, word))
		return false;
	*s = (struct str){s->p + word.n, s->n - word.n};
	return true;
}

/* sep=; in any case, quoted or not, with delimiters behind it: '\0' for any other line. */
static char separator_of_line(struct str line)
{
	static const char known[] = ",;\t|:^~#";
	bool is_quoted = str_take_ieq(&line, STR("\""));
	char separator;

	if (!str_take_ieq(&line, STR("sep=")) || line.n == 0 ||
	    memchr(known, line.p[0], sizeof(known) - 1) == NULL)
		return '\0';
	separator = line.p[0];
	line = (struct str){line.p + 1, line.n - 1};
	if (is_quoted && !str_take_ieq(&line, STR("\"")))
		return '\0';
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] != ' ' && memchr(known, line.p[i], sizeof(known) - 1) == NULL)
			return '\0';
	/* what a program added behind it is what it has between cells now */
	return line.n > 0 && line.p[0] != ' ' ? line.p[0] : separator;
}

/* A first line of sep= says the delimiter and is no row; one that is a JSON object is of NDJSON. */
static int separator_detect(
    struct arena *a, const struct csv_source *source, struct csv_format *f, struct err *err)
{
	struct csv_format tried = *f;
	struct csv_reader *rd;
	struct csv_row row;
	char separator;
	int rc;

	tried.delimiter = tried.quote = IMPORT_LINES_DELIMITER; /* so that the line is one cell */
	rd = csv_reader_new(a, source, &tried, err);
	rc = rd == NULL ? -1 : csv_reader_next(rd, &row, err);
	if (rc != 1)
		return rc;
	if (f->delimiter == '\0' && row.text.n > 0 && row.text.p[0] == '{' &&
	    import_line_is_object(&row)) {
		f->delimiter = f->quote = IMPORT_LINES_DELIMITER;
		return 0;
	}
	separator = separator_of_line(row.text);
	if (separator == '\0')
		return 0;
	f->start = row.next_offset;
	f->line = row.next_line - 1;
	if (f->delimiter == '\0')
		f->delimiter = separator;
	return 0;
}

/* ---- delimiter and quote ------------------------------------------------------------------- */

/* How well a format explains the sample: rows as wide as the header in thousandths, then width; 0
 * for a single column. */
static int64_t format_score(struct arena *a, struct str sample, const struct csv_format *f)
{
	struct csv_source source = {.data = sample, .size = sample.n};
	struct csv_format tried = *f;
	struct csv_reader *rd;
	struct csv_row row;
	int64_t rows = 0, alike = 0;
	size_t width;

	tried.start = tried.line = 0;
	rd = csv_reader_new(a, &source, &tried, NULL);
	if (csv_reader_next(rd, &row, NULL) != 1 || row.n < 2)
		return 0;
	width = row.n < CSV_COLUMNS ? row.n : CSV_COLUMNS;
	while (rows < SAMPLE_ROWS && csv_reader_next(rd, &row, NULL) == 1) {
		/* what the sample's end cut says nothing */
		if (rows > 0 && row.next_offset == (int64_t)sample.n)
			break;
		rows++;
		alike += row.n == width;
	}
	return (1 + (rows == 0 ? 1000 : alike * 1000 / rows)) * 10000 + (int64_t)width;
}

/* Apostrophes, when every cell of the header stands in them and no quotation mark is seen. */
static char quote_detect(struct str sample, char delimiter)
{
	size_t n = 0;

	if (sample.n < 2 || sample.p[0] != '\'' || memchr(sample.p, '"', sample.n) != NULL)
		return '"';
	while (n < sample.n && sample.p[n] != '\r' && sample.p[n] != '\n')
		n++;
	for (size_t i = 0; i <= n; i++) {
		bool is_edge = i == n || sample.p[i] == delimiter;

		if (is_edge && (i == 0 || sample.p[i - 1] != '\'' ||
				   (i < n && (i + 1 >= n || sample.p[i + 1] != '\''))))
			return '"';
	}
	return n > 1 ? '\'' : '"';
}

static void delimiter_detect(struct arena *a, struct str sample, struct csv_format *f)
{
	static const char candidates[] = ",;\t|";
	struct csv_format tried = *f, best = *f;
	char given[] = {f->delimiter, '\0'};
	int64_t best_score = -1;

	for (const char *c = f->delimiter != '\0' ? given : candidates; *c != '\0'; c++) {
		int64_t s;

		tried.delimiter = *c;
		tried.quote = f->quote != '\0' ? f->quote : quote_detect(sample, *c);
		s = format_score(a, sample, &tried);
		if (s > best_score) {
			best_score = s;
			best = tried;
		}
	}
	f->delimiter = best.delimiter;
	f->quote = best.quote;
}

/* The beginning of the file in UTF-8, or in the bytes that it has; f tells how to read it. */
static struct str sample_text(struct arena *a, struct str raw, struct csv_format *f)
{
	bool is_big_endian = f->encoding == CSV_UTF16_BE;
	size_t used;
	char *p;

	if (f->encoding != CSV_UTF16_LE && !is_big_endian)
		return raw;
	p = arena_alloc(a, 2 * raw.n + 3);
	f->encoding = CSV_UTF8;
	return (struct str){p, utf16_decode(p, raw, is_big_endian, true, &used)};
}

static int separators_detect(
    struct arena *a, const struct file_look *k, struct csv_format *f, struct err *err)
{
	char *p = arena_alloc(a, SAMPLE_BYTES);
	struct csv_format tried;
	int64_t got;

	if (separator_detect(a, k->source, f, err) == -1 ||
	    (got = file_look_at(k, f->start, p, SAMPLE_BYTES, err)) == -1)
		return -1;
	if (import_is_lines(f))
		return 0;
	tried = *f;
	delimiter_detect(a, sample_text(a, (struct str){p, (size_t)got}, &tried), &tried);
	f->delimiter = tried.delimiter;
	f->quote = tried.quote;
	return 0;
}

int import_detect(struct arena *a, const struct csv_source *source, struct csv_format *format,
    const char **why, struct err *err)
{
	struct arena *own = arena_new();
	struct encoding_look l = {.a = own, .format = format, .why = "so it was chosen"};
	struct file_look *k = file_look_new(own, source, err);
	int rc = -1;

	if (source->size == 0)
		err_field(err, ERR_INVALID, "csv", "is empty");
	else if (k != NULL && encoding_detect(&l, k, err) == 0)
		rc = separators_detect(own, k, format, err);
	*why = arena_strdup(a, l.why);
	arena_free(own);
	return rc;
}

int import_count(const struct csv_source *source, const struct csv_format *format, int64_t most,
    int64_t *count, struct err *err)
{
	struct arena *own = arena_new();
	struct csv_reader *rd = csv_reader_new(own, source, format, err);
	struct csv_row row;
	int rc = rd == NULL ? -1 : 1;

	*count = import_is_lines(format) ? 0 : -1; /* the header is none of them */
	if (source->size > IMPORT_DIRECT_BYTES)
		*count = most + 1;
	while (rc == 1 && *count <= most && (rc = csv_reader_next(rd, &row, err)) == 1)
		(*count)++;
	if (*count < 0)
		*count = 0;
	arena_free(own);
	return rc == -1 ? -1 : 0;
}
