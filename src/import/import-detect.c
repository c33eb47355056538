/* What a CSV file is: its encoding, delimiter and quote, looked for in its beginning. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "import/import.h"

#define SAMPLE_BYTES (64u * 1024u)
#define SAMPLE_ROWS 20
#define ENCODING_BYTES (INT64_C(16) * 1024 * 1024) /* as far as the encoding is looked at */

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

/* How many bytes at the end of a piece may be the beginning of a character. */
static size_t cut_character_bytes(const char *p, size_t n)
{
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		unsigned char c = (unsigned char)p[n - back];

		if (c >= 0xC0)
			return (c >= 0xF0 ? 4u : c >= 0xE0 ? 3u : 2u) > back ? back : 0;
		if (c < 0x80)
			return 0;
	}
	return 0;
}

/* NUL bytes are a row's fault, not the encoding's. */
static size_t text_blank_nuls(char *p, size_t n)
{
	size_t found = 0;
	char *nul;

	for (size_t at = 0; (nul = memchr(p + at, '\0', n - at)) != NULL; found++) {
		*nul = ' ';
		at = (size_t)(nul - p);
	}
	return found;
}

static int fail_not_read(struct err *err, const char *what)
{
	return err_field(
	    err, ERR_INVALID, "csv", "is %s text, which is not read: save the file as UTF-8", what);
}

static int encoding_check_marks(const char *p, size_t n, struct csv_format *f, struct err *err)
{
	if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) {
		f->start = 3;
		if (f->encoding == CSV_ANY_ENCODING)
			f->encoding = CSV_UTF8;
	}
	if (n >= 4 && (memcmp(p, "\xFF\xFE\0\0", 4) == 0 || memcmp(p, "\0\0\xFE\xFF", 4) == 0))
		return fail_not_read(err, "UTF-32");
	if (n >= 2 && (memcmp(p, "\xFF\xFE", 2) == 0 || memcmp(p, "\xFE\xFF", 2) == 0))
		return fail_not_read(err, "UTF-16");
	return 0;
}

static int encoding_detect(
    struct arena *a, const struct file_look *k, struct csv_format *f, struct err *err)
{
	char *p = arena_alloc(a, SAMPLE_BYTES);
	int64_t offset = 0, got;

	while ((got = file_look_at(k, offset, p, SAMPLE_BYTES, err)) > 0) {
		size_t n = (size_t)got;

		if (offset == 0 && encoding_check_marks(p, n, f, err) == -1)
			return -1;
		if (offset == 0 && text_blank_nuls(p, n) > n / 4)
			return fail_not_read(err, "UTF-16");
		if (f->encoding != CSV_ANY_ENCODING)
			return 0;
		text_blank_nuls(p, n);
		if (n == SAMPLE_BYTES)
			n -= cut_character_bytes(p, n);
		if (!utf8_is_valid((struct str){p, n})) {
			f->encoding = CSV_WINDOWS_1252;
			return 0;
		}
		offset += (int64_t)n;
		if (offset > ENCODING_BYTES)
			break;
	}
	if (got == -1)
		return -1;
	if (f->encoding == CSV_ANY_ENCODING)
		f->encoding = CSV_UTF8;
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

	tried.start = 0;
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
	int64_t best_score = -1;

	for (size_t i = 0; candidates[i] != '\0'; i++) {
		int64_t s;

		if (f->delimiter != '\0' && f->delimiter != candidates[i])
			continue;
		tried.delimiter = candidates[i];
		tried.quote = f->quote != '\0' ? f->quote : quote_detect(sample, candidates[i]);
		s = format_score(a, sample, &tried);
		if (s > best_score) {
			best_score = s;
			best = tried;
		}
	}
	*f = best;
}

int import_detect(const struct csv_source *source, struct csv_format *format, struct err *err)
{
	struct arena *own = arena_new();
	struct file_look *k = file_look_new(own, source, err);
	char *p = arena_alloc(own, SAMPLE_BYTES);
	int64_t got = -1;

	if (source->size == 0)
		err_field(err, ERR_INVALID, "csv", "is empty");
	else if (k != NULL && encoding_detect(own, k, format, err) == 0)
		got = file_look_at(k, format->start, p, SAMPLE_BYTES, err);
	if (got >= 0)
		delimiter_detect(own, (struct str){p, (size_t)got}, format);
	arena_free(own);
	return got >= 0 ? 0 : -1;
}

int import_count(const struct csv_source *source, const struct csv_format *format, int64_t most,
    int64_t *count, struct err *err)
{
	struct arena *own = arena_new();
	struct csv_reader *rd = csv_reader_new(own, source, format, err);
	struct csv_row row;
	int rc = rd == NULL ? -1 : 1;

	*count = -1; /* the header is none of them */
	if (source->size > IMPORT_DIRECT_BYTES)
		*count = most + 1;
	while (rc == 1 && *count <= most && (rc = csv_reader_next(rd, &row, err)) == 1)
		(*count)++;
	if (*count < 0)
		*count = 0;
	arena_free(own);
	return rc == -1 ? -1 : 0;
}
