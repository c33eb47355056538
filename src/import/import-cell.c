/* Cells: what a file added to them is taken off, and what is left becomes JSON of its type. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/number.h"
#include "import/import-internal.h"

const char *const import_type_names[IMPORT_TYPES] = {
    "text", "number", "boolean", "date", "json", "number_comma", "date_day_first"};

#define MARK "\xEF\xBB\xBF"

/* ---- what a file added --------------------------------------------------------------------- */

/* A byte-order mark is never data, wherever it stands. */
static struct str cell_without_marks(struct arena *a, struct str s)
{
	const char *mark = s.n > 0 ? memmem(s.p, s.n, MARK, 3) : NULL;
	size_t n = 0;
	char *out;

	if (mark == NULL)
		return s;
	out = arena_alloc(a, s.n + 1);
	for (size_t i = 0; i < s.n;) {
		if (s.n - i >= 3 && memcmp(s.p + i, MARK, 3) == 0)
			i += 3;
		else
			out[n++] = s.p[i++];
	}
	return (struct str){out, n};
}

static bool has_only(struct str s, const char *chars)
{
	size_t i = 0;

	while (i < s.n && strchr(chars, s.p[i]) != NULL)
		i++;
	return s.n > 0 && i == s.n;
}

/* Ad platforms write l:123 for the id 123, and p:+49 30 … for a phone: one or two letters. */
static struct str cell_without_prefix(struct arena *a, const struct import_column *c, struct str s)
{
	struct str t = utf8_trim(s), signs;
	size_t n = 0;

	while (n < 2 && n < t.n && t.p[n] >= 'a' && t.p[n] <= 'z')
		n++;
	if (n == 0 || n >= t.n || t.p[n] != ':')
		return s;
	t = (struct str){t.p + n + 1, t.n - n - 1};
	signs = utf8_fold_signs(a, t);
	return (c->has_id && has_only(signs, "0123456789")) ||
		       (c->has_phone && has_only(signs, "0123456789 +-./()"))
		   ? t
		   : s;
}

/* ="007" is how people keep spreadsheets from taking an id or a phone for a number. */
static struct str cell_without_formula(struct str s)
{
	const struct str t = utf8_trim(s);

	if (t.n < 4 || !str_starts(t, "=\"") || memchr(t.p + 2, '"', t.n - 2) != t.p + t.n - 1)
		return s;
	return (struct str){t.p + 2, t.n - 3};
}

struct str import_cell(
    const struct import_map *m, struct arena *a, const struct csv_row *row, size_t i)
{
	const struct import_column *c = &m->header.v[i];
	struct str cell = i < row->n ? row->cells[i] : STR("");

	for (unsigned k = 0; k < m->header.guards; k++)
		cell = csv_unguarded(cell);
	if (m->header.is_export)
		return cell;
	if (row->has_marks)
		cell = cell_without_marks(a, cell);
	return c->has_id || c->has_phone ? cell_without_prefix(a, c, cell_without_formula(cell))
					 : cell;
}

bool import_cell_is_blank(const struct import_map *m, struct str cell)
{
	return m->header.is_export ? cell.n == 0 : utf8_trim(cell).n == 0;
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/* As base/json.c writes text: equal payloads must be equal bytes. */
void import_cell_write_text(struct buf *b, struct str s)
{
	static const char hex[] = "0123456789abcdef", pairs[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	size_t start = 0;

	buf_chr(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char out[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
		const char *at;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, s.p + start, i - start);
		start = i + 1;
		at = c != '\0' ? strchr(pairs, c) : NULL;
		if (at != NULL)
			out[1] = at[1];
		buf_add(b, out, at != NULL ? 2 : 6);
	}
	if (s.n > start)
		buf_add(b, s.p + start, s.n - start);
	buf_chr(b, '"');
}

/* What JSON takes, and leading zeros, which fall. All digits are kept. */
static bool cell_write_number(struct buf *b, struct str s)
{
	bool is_negative = s.p[0] == '-';
	size_t at = is_negative;

	while (at + 1 < s.n && s.p[at] == '0' && s.p[at + 1] >= '0' && s.p[at + 1] <= '9')
		at++;
	s = (struct str){s.p + at, s.n - at};
	if (!number_is(s) || s.p[0] == '-')
		return false;
	buf_str(b, is_negative ? "-" : "");
	buf_add(b, s.p, s.n);
	return true;
}

static bool cell_write_boolean(struct buf *b, struct str s)
{
	static const char *const yes[] = {"true", "yes", "on", "1", "y", "t"};
	static const char *const no[] = {"false", "no", "off", "0", "n", "f"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (str_ieq(s, str_from(yes[i])) || str_ieq(s, str_from(no[i]))) {
			buf_str(b, str_ieq(s, str_from(yes[i])) ? "true" : "false");
			return true;
		}
	}
	return false;
}

/* A day stays a day; a time is told in UTC. */
static bool cell_write_date(struct buf *b, struct str s)
{
	char text[CLOCK_TEXT];
	int64_t at_us;

	if (!clock_parse_iso(s, &at_us))
		return false;
	if (s.n <= 10)
		clock_day_text(text, clock_day(at_us));
	else
		clock_iso(text, at_us);
	buf_printf(b, "\"%s\"", text);
	return true;
}

static size_t digits_of(struct str s, size_t at)
{
	size_t n = 0;

	while (at + n < s.n && s.p[at + n] >= '0' && s.p[at + n] <= '9')
		n++;
	return n;
}

#define COMMA_LONGEST 64

/* "-1.200,50" as "-1200.50": points stand before three digits, if anywhere, and a comma before the
 * decimals. False when it is not so. */
static bool cell_from_comma(struct str s, char out[COMMA_LONGEST], size_t *len)
{
	size_t at = s.n > 0 && s.p[0] == '-', first = digits_of(s, at), n = 0;

	if (first == 0 || s.n >= COMMA_LONGEST)
		return false;
	memcpy(out, s.p, n = at + first);
	for (at += first; first <= 3 && at < s.n && s.p[at] == '.'; at += 4, n += 3) {
		if (digits_of(s, at + 1) != 3)
			return false;
		memcpy(out + n, s.p + at + 1, 3);
	}
	if (at < s.n && s.p[at] == ',' && digits_of(s, at + 1) == s.n - at - 1 && at + 1 < s.n) {
		out[n++] = '.';
		memcpy(out + n, s.p + at + 1, s.n - at - 1);
		n += s.n - at - 1;
		at = s.n;
	}
	*len = n;
	return at == s.n;
}

static bool cell_write_comma(struct buf *b, struct str s)
{
	char text[COMMA_LONGEST];
	size_t n;

	return cell_from_comma(s, text, &n) && cell_write_number(b, (struct str){text, n});
}

#define DAY_FIRST_LONGEST 64

/* "31.12.2026 14:30" as "2026-12-31 14:30", also with '/' or '-'; false when it is not so. */
static bool cell_from_day_first(struct str s, char out[DAY_FIRST_LONGEST], size_t *len)
{
	size_t day = digits_of(s, 0), month = digits_of(s, day + 1), year = day + month + 2;

	if (day < 1 || day > 2 || month < 1 || month > 2 || digits_of(s, year) != 4 ||
	    s.n >= DAY_FIRST_LONGEST - 2 || memchr("./-", s.p[day], 3) == NULL ||
	    s.p[day] != s.p[year - 1])
		return false;
	*len = (size_t)snprintf(out, DAY_FIRST_LONGEST, "%.4s-%s%.*s-%s%.*s%.*s", s.p + year,
	    month == 1 ? "0" : "", (int)month, s.p + day + 1, day == 1 ? "0" : "", (int)day, s.p,
	    (int)(s.n - year - 4), s.p + year + 4);
	return true;
}

static bool cell_write_day_first(struct buf *b, struct str s)
{
	char text[DAY_FIRST_LONGEST];
	size_t n;

	return cell_from_day_first(s, text, &n) && cell_write_date(b, (struct str){text, n});
}

bool import_cell_shows(enum import_type type, struct str cell)
{
	struct str s = utf8_trim(cell);
	const char *comma = s.n > 0 ? memchr(s.p, ',', s.n) : NULL;
	size_t day = digits_of(s, 0);

	if (type == TYPE_NUMBER_COMMA)
		return comma != NULL && (s.p + s.n - comma != 4 || memchr(s.p, '.', s.n) != NULL);
	if (type == TYPE_DATE_DAY_FIRST)
		return s.p[day] == '.' || (day == 2 && memcmp(s.p, "12", 2) > 0);
	return true;
}

static bool cell_write_json(struct buf *b, struct arena *a, struct str s)
{
	json_t *v = json_parse(a, s, NULL);

	if (v == NULL)
		return false;
	s = json_text(a, v);
	buf_add(b, s.p, s.n);
	return true;
}

bool import_cell_write(struct buf *b, struct arena *a, enum import_type type, struct str cell)
{
	struct str s = type == TYPE_TEXT ? cell : utf8_trim(cell);

	switch (type) {
	case TYPE_NUMBER:
		return cell_write_number(b, utf8_fold_signs(a, s));
	case TYPE_BOOLEAN:
		return cell_write_boolean(b, s);
	case TYPE_DATE:
		return cell_write_date(b, s);
	case TYPE_JSON:
		return cell_write_json(b, a, s);
	case TYPE_NUMBER_COMMA:
		return cell_write_comma(b, s);
	case TYPE_DATE_DAY_FIRST:
		return cell_write_day_first(b, s);
	case TYPE_TEXT:
		import_cell_write_text(b, s);
		break;
	}
	return true;
}
