#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json-repair.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/number.h"
#include "base/oom.h"

#define TEXT_MOST (16u * LIMIT_JSON_BYTES) /* of one text that is written */
#define WRITE_DEPTH 1000                   /* far above what parsing lets in */
#define KEYS_INLINE 48                     /* members sorted without an allocation */
#define SCRATCH_KEEP (1u << 20)            /* a larger write buffer is given back */
#define REPLACEMENT "\xEF\xBF\xBD"         /* U+FFFD */
#define WEIGHT_OF_BYTE 64                  /* what values take for a byte of JSON, at worst */
#define KEPT_MORE 8                        /* bytes that keeping a number's text adds to the JSON */

static void json_release(void *value)
{
	json_decref(value);
}

json_t *json_own(struct arena *a, json_t *value)
{
	if (!value)
		oom_abort();
	arena_on_free(a, json_release, value);
	return value;
}

/* Kinds: what a number keeps of its text stands behind a NUL; so does what is only written. */

static bool is_kept_number(const json_t *value)
{
	const char *p = (json_string_value)(value);

	return p && p[0] == '\0' && (json_string_length)(value) > 0;
}

static struct str kept_digits(const json_t *value)
{
	return (struct str){(json_string_value)(value) + 1, (json_string_length)(value)-1};
}

json_type json_kind(const json_t *value)
{
	return value->type == JSON_STRING && is_kept_number(value) ? JSON_REAL : value->type;
}

const char *json_chars(const json_t *value)
{
	return is_kept_number(value) ? NULL : (json_string_value)(value);
}

size_t json_chars_length(const json_t *value)
{
	return is_kept_number(value) ? 0 : (json_string_length)(value);
}

double json_double(const json_t *value)
{
	return is_kept_number(value) ? strtod(kept_digits(value).p, NULL)
				     : (json_number_value)(value);
}

/* Parsing */

/* What a look at the raw text finds before the parser runs. */
struct text_scan_found {
	size_t depth; /* the deepest nesting */
	size_t kept;  /* numbers whose text is kept */
	bool has_nul; /* \u0000 in a string */
};

/* The index after the string whose opening quote is at i. */
static size_t string_skip(struct str s, size_t i, bool *has_nul)
{
	for (i++; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] != '\\')
			continue;
		*has_nul = *has_nul || str_starts((struct str){s.p + i, s.n - i}, "\\u0000");
		i++;
	}
	return i + 1;
}

/* Walks the text once. With b, copies it there, each number whose text is kept as the string that
 * stands for it (json_kind). */
static struct text_scan_found text_scan(struct str s, struct buf *b)
{
	struct text_scan_found found = {0};
	size_t depth = 0, copied = 0, i = 0;

	while (i < s.n) {
		char c = s.p[i];

		if (c == '"') {
			i = string_skip(s, i, &found.has_nul);
		} else if (c == '[' || c == '{') {
			if (++depth > found.depth)
				found.depth = depth;
			i++;
		} else if (c == ']' || c == '}') {
			depth -= depth > 0;
			i++;
		} else if (c == '-' || (c >= '0' && c <= '9')) {
			size_t n = number_length((struct str){s.p + i, s.n - i});
			struct str number = {s.p + i, n};

			if (n > 0 && !number_is_int64(number)) {
				found.kept++;
				if (b) {
					buf_add(b, s.p + copied, i - copied);
					buf_printf(b, "\"\\u0000%.*s\"", (int)n, number.p);
					copied = i + n;
				}
			}
			i += n > 0 ? n : 1;
		} else {
			i++;
		}
	}
	if (b)
		buf_add(b, s.p + copied, s.n - copied);
	return found;
}

size_t json_count_values(struct str text)
{
	bool has_nul = false;
	size_t n = 1, i = 0;

	while (i < text.n) {
		char c = text.p[i];

		n += c == ',' || c == ':' || c == '[' || c == '{';
		i = c == '"' ? string_skip(text, i, &has_nul) : i + 1;
	}
	return n;
}

/* The parser's complaints in our words: its own quote the input, and name its options. */
static const char *parse_words(const json_error_t *e)
{
	static const struct {
		const char *theirs, *ours;
	} words[] = {
	    {"duplicate object key", "a member is there twice"},
	    {"invalid Unicode '", "half a surrogate pair"},
	    {"invalid Unicode escape", "\\u goes before four hexadecimal digits"},
	    {"unable to decode", "bytes that are no UTF-8"},
	    {"premature end", "it ends in the middle"},
	    {"unexpected newline", "a line break within a text"},
	    {"control character", "a control character within a text"},
	    {"invalid escape", "an escape that there is not"},
	    {"maximum parsing depth", "nested too deep"},
	    {"string or '}' expected", "a key in quotes or a } is wanted"},
	    {"':' expected", "a colon is wanted"},
	    {"'}' expected", "a comma or a } is wanted"},
	    {"']' expected", "a comma or a ] is wanted"},
	    {"end of file expected", "there is something behind its end"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_starts(str_from(e->text), words[i].theirs))
			return words[i].ours;
	return "this is not JSON";
}

#define PARSE_FAILED "JSON: " /* what its errors begin with */

const char *json_parse_reason(const struct err *err)
{
	return strncmp(err->msg, PARSE_FAILED, strlen(PARSE_FAILED)) == 0
		   ? err->msg + strlen(PARSE_FAILED)
		   : err->msg;
}

static int parse_fail(struct err *err, const json_error_t *e)
{
	if (e->line < 1 || e->column < 0)
		return err_set(err, ERR_MALFORMED, PARSE_FAILED "%s", parse_words(e));
	return err_set(err, ERR_MALFORMED, PARSE_FAILED "line %d, column %d: %s", e->line,
	    e->column, parse_words(e));
}

/* NULL with *e. */
static json_t *text_load(struct arena *a, struct str text, const struct text_scan_found *found,
    size_t flags, json_error_t *e)
{
	struct buf rewritten;
	json_t *value;

	flags |= JSON_DECODE_ANY;
	if (found->kept) {
		buf_init(&rewritten, text.n + KEPT_MORE * found->kept);
		text_scan(text, &rewritten);
		value = json_loadb(rewritten.p, rewritten.len, flags | JSON_ALLOW_NUL, e);
		buf_fini(&rewritten);
	} else {
		value = json_loadb(text.p ? text.p : "", text.n, flags, e);
	}
	arena_note_outside(a, WEIGHT_OF_BYTE * text.n);
	return value ? json_own(a, value) : NULL;
}

static int text_check(struct str text, struct text_scan_found *found, struct err *err)
{
	*found = text_scan(text, NULL);
	if (found->depth > LIMIT_JSON_DEPTH)
		return err_set(err, ERR_MALFORMED, PARSE_FAILED "nested deeper than %u levels",
		    LIMIT_JSON_DEPTH);
	if (found->has_nul)
		return err_set(
		    err, ERR_MALFORMED, PARSE_FAILED "the escape \\u0000, which no text may have");
	return 0;
}

static json_t *strict_parse(struct arena *a, struct str text, size_t most, struct err *err)
{
	struct text_scan_found found;
	json_error_t e;
	json_t *value;

	if (text.n > most) {
		err_set(err, ERR_LIMIT, PARSE_FAILED "longer than %zu bytes", most);
		return NULL;
	}
	/* The parser skips one after a number. */
	if (text.n && memchr(text.p, '\0', text.n)) {
		err_set(err, ERR_MALFORMED, PARSE_FAILED "a NUL byte");
		return NULL;
	}
	if (text_check(text, &found, err))
		return NULL;
	value = text_load(a, text, &found, JSON_REJECT_DUPLICATES, &e);
	if (!value)
		parse_fail(err, &e);
	return value;
}

json_t *json_parse(struct arena *a, struct str text, struct err *err)
{
	return strict_parse(a, text, LIMIT_JSON_BYTES, err);
}

static json_t *repaired_parse(struct arena *a, struct str text, unsigned *repairs, struct err *err)
{
	struct text_scan_found found;
	json_error_t e;
	json_t *value;
	struct buf *b;

	*repairs = 0;
	text = json_repair_utf16(a, text, repairs);
	b = buf_new(a, 6 * text.n + 1);
	*repairs |= json_repair(b, text);
	text = (struct str){b->p, b->len};
	if (text_check(text, &found, err))
		return NULL;
	value = text_load(a, text, &found, JSON_REJECT_DUPLICATES, &e);
	if (!value && json_error_code(&e) == json_error_duplicate_key) {
		*repairs |= JSON_REPAIR_DOUBLED;
		value = text_load(a, text, &found, 0, &e);
	}
	if (!value)
		parse_fail(err, &e);
	return value;
}

json_t *json_parse_large(
    struct arena *a, struct str text, size_t most, unsigned *repairs, struct err *err)
{
	struct err strict = ERR_INIT;
	json_t *value = strict_parse(a, text, most, &strict);

	*repairs = 0;
	if (value)
		return value;
	if (strict.code == ERR_MALFORMED)
		return repaired_parse(a, text, repairs, err);
	err_set(err, strict.code, "%s", strict.msg);
	return NULL;
}

json_t *json_parse_lenient(struct arena *a, struct str text, unsigned *repairs, struct err *err)
{
	return json_parse_large(a, text, LIMIT_JSON_BYTES, repairs, err);
}

const char *json_repairs_text(struct arena *a, unsigned repairs)
{
	static const struct {
		unsigned bit;
		const char *words;
	} all[] = {
	    {JSON_REPAIR_UTF16, "it was read as UTF-16"},
	    {JSON_REPAIR_MARK, "a byte-order mark fell"},
	    {JSON_REPAIR_SURROGATE, "half a surrogate pair became U+FFFD"},
	    {JSON_REPAIR_NUL, "a NUL became U+FFFD"},
	    {JSON_REPAIR_BYTES, "bytes that are no UTF-8 became U+FFFD"},
	    {JSON_REPAIR_CONTROL, "raw control characters stayed"},
	    {JSON_REPAIR_DOUBLED, "of a member that is there twice the last counts"},
	};
	const char *text = NULL;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (repairs & all[i].bit)
			text = text ? arena_printf(a, "%s; %s", text, all[i].words) : all[i].words;
	return text;
}

static bool stored_is_forgiven;

/* Rows that requests show. Each text that cannot be read is logged once by a process, whoever looks
 * at it how often. */
#define LOGGED 64u
static struct {
	bool is_shown, is_unreadable, is_unreadable_beside;
	unsigned depth;
	uint64_t logged[LOGGED];
	size_t nlogged;
} shown;

void json_show_stored(bool is_shown)
{
	shown.is_shown = is_shown;
	shown.is_unreadable_beside = false;
	shown.depth = 0;
}

bool json_unreadable_beside(void)
{
	return shown.is_unreadable_beside;
}

void json_row_begin(void)
{
	if (shown.depth++ == 0)
		shown.is_unreadable = false;
}

bool json_row_end(void)
{
	shown.depth--;
	return shown.is_unreadable;
}

static bool text_was_logged(struct str text)
{
	const uint64_t hash = str_hash(text.p, text.n);

	for (size_t i = 0; i < LOGGED; i++)
		if (shown.logged[i] == hash)
			return true;
	shown.logged[shown.nlogged++ % LOGGED] = hash;
	return false;
}

static json_t *stored_as_empty(struct arena *a, struct str text, const json_error_t *e)
{
	struct err words = ERR_INIT;

	parse_fail(&words, e);
	if (stored_is_forgiven)
		log_warn("json.forgiven", LOG_ERR(&words));
	else if (!text_was_logged(text))
		log_warn("json.unreadable", LOG_ERR(&words));
	shown.is_unreadable = true;
	shown.is_unreadable_beside |= shown.depth == 0;
	return json_own(a, json_object());
}

void json_forgive_stored(bool is_forgiven)
{
	stored_is_forgiven = is_forgiven;
}

static json_t *stored_parse(struct arena *a, struct str text, bool is_forgiven, struct err *err)
{
	const struct text_scan_found found = text_scan(text, NULL);
	struct err words = ERR_INIT;
	json_error_t e;
	json_t *value = text_load(a, text, &found, JSON_REJECT_DUPLICATES, &e);

	if (!value && is_forgiven)
		return stored_as_empty(a, text, &e);
	if (!value) {
		parse_fail(&words, &e);
		err_set(err, ERR_UNREADABLE, "stored %s", words.msg);
	}
	return value;
}

json_t *json_parse_stored(struct arena *a, struct str text, struct err *err)
{
	return stored_parse(a, text, stored_is_forgiven || shown.is_shown, err);
}

json_t *json_parse_used(struct arena *a, struct str text, struct err *err)
{
	return stored_parse(
	    a, text, stored_is_forgiven || (shown.is_shown && shown.depth > 0), err);
}

static void json_write_string(struct buf *b, const char *s, size_t n);

/* The following read text as json_text writes it, without a blank, and return the index behind what
 * is at i, or 0 when that is no JSON. */
static size_t escape_end(struct str s, size_t i)
{
	if (i + 1 >= s.n || memchr("\"\\/bfnrtu", s.p[i + 1], 9) == NULL)
		return 0;
	if (s.p[i + 1] != 'u')
		return i + 2;
	for (size_t k = i + 2; k < i + 6; k++)
		if (k >= s.n || strspn((char[]){s.p[k], '\0'}, "0123456789abcdefABCDEF") == 0)
			return 0;
	return i + 6;
}

static size_t string_end(struct str s, size_t i)
{
	if (i >= s.n || s.p[i++] != '"')
		return 0;
	while (i < s.n && s.p[i] != '"') {
		if (s.p[i] != '\\')
			i = (unsigned char)s.p[i] < 0x20 ? 0 : i + 1;
		else
			i = escape_end(s, i);
		if (i == 0)
			return 0;
	}
	return i < s.n ? i + 1 : 0;
}

static size_t key_end(struct str s, size_t i)
{
	i = string_end(s, i);
	return i > 0 && i < s.n && s.p[i] == ':' ? i + 1 : 0;
}

/* A string, a number, true, false or null. */
static size_t scalar_end(struct str s, size_t i)
{
	static const char *const words[] = {"true", "false", "null"};
	const struct str rest = {s.p + i, s.n - i};
	size_t n;

	if (rest.n == 0 || rest.p[0] == '"')
		return string_end(s, i);
	for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
		if (str_starts(rest, words[k]))
			return i + strlen(words[k]);
	n = number_length(rest);
	return n > 0 ? i + n : 0;
}

#define WHOLE_DEPTH 256

/* Past what closes behind a value, to where the next one begins; *depth 0: all is closed. */
static size_t next_value(struct str s, size_t i, const char *open, size_t *depth)
{
	while (*depth > 0 && i < s.n && s.p[i] == (open[*depth - 1] == '{' ? '}' : ']')) {
		(*depth)--;
		i++;
	}
	if (*depth == 0)
		return i;
	if (i >= s.n || s.p[i] != ',')
		return 0;
	return open[*depth - 1] == '{' ? key_end(s, i + 1) : i + 1;
}

/* Is it one value, and nothing behind it? */
static bool text_is_whole(struct str s)
{
	char open[WHOLE_DEPTH];
	size_t depth = 0, i = 0;

	do {
		if (i < s.n && (s.p[i] == '{' || s.p[i] == '[') && depth < WHOLE_DEPTH) {
			open[depth++] = s.p[i++];
			if (i >= s.n || s.p[i] != (open[depth - 1] == '{' ? '}' : ']')) {
				i = open[depth - 1] == '{' ? key_end(s, i) : i;
				continue;
			}
		} else {
			i = scalar_end(s, i);
		}
		i = i == 0 ? 0 : next_value(s, i, open, &depth);
	} while (i > 0 && depth > 0);
	return i > 0 && i == s.n;
}

bool json_is_whole(struct str text)
{
	return text.n > 0 && text.p[0] == '{' && text_is_whole(text);
}

json_t *json_verbatim(struct arena *a, struct str text)
{
	char *kept;
	json_t *value;

	if (!json_is_whole(text))
		return NULL;
	kept = arena_alloc(a, text.n + 1);
	kept[0] = '\0';
	memcpy(kept + 1, text.p, text.n);
	value = json_own(a, (json_stringn_nocheck)(kept, text.n + 1));
	return value;
}

/* The index behind the value that is at i of compact text; s.n: it does not end. */
static size_t value_skip(struct str s, size_t i)
{
	size_t depth = 0;
	bool has_nul = false;

	for (; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"')
			i = string_skip(s, i, &has_nul) - 1;
		else if (c == '{' || c == '[')
			depth++;
		else if (depth == 0 && (c == ',' || c == '}' || c == ']'))
			return i;
		else if (c == '}' || c == ']')
			depth--;
	}
	return s.n;
}

int json_member_text(struct arena *a, struct str object, const char *key, struct str *out)
{
	struct buf *quoted = buf_new(a, TEXT_MOST);
	bool has_nul = false;
	size_t i = 1;

	json_write_string(quoted, key, strlen(key));
	if (object.n < 2 || object.p[0] != '{')
		return -1;
	while (i < object.n && object.p[i] == '"') {
		size_t colon = string_skip(object, i, &has_nul), end = value_skip(object, colon);

		if (end >= object.n || object.p[colon] != ':')
			return -1;
		if (colon - i == quoted->len && memcmp(object.p + i, quoted->p, quoted->len) == 0) {
			*out = (struct str){object.p + colon + 1, end - colon - 1};
			return 1;
		}
		i = end + (object.p[end] == ',');
	}
	return i + 1 == object.n && object.p[i] == '}' ? 0 : -1;
}

/* Writing */

struct json_writer {
	struct buf *b;
	bool is_sorted, is_pretty;
};

struct json_pair {
	const char *key;
	json_t *value;
};

static void json_write_value(const struct json_writer *w, const json_t *value, int depth);

static void json_write_string(struct buf *b, const char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	size_t start = 0;

	buf_chr(b, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		char out[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
		const char *at;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, s + start, i - start);
		start = i + 1;
		at = c ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", c) : NULL;
		if (at) {
			out[1] = at[1];
			buf_add(b, out, 2);
		} else {
			buf_add(b, out, 6);
		}
	}
	buf_add(b, s + start, n - start);
	buf_chr(b, '"');
}

/* The shortest of 15 to 17 digits that reads back the same, always with a point or an exponent. */
static void real_text(char out[40], double v)
{
	char *comma;

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(out, 32, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			break;
	}
	comma = strchr(out, ','); /* some locales */
	if (comma)
		*comma = '.';
	if (!strpbrk(out, ".en"))
		snprintf(out + strlen(out), 3, ".0");
}

static void json_write_real(struct buf *b, const json_t *value)
{
	char number[40];

	if (is_kept_number(value)) {
		buf_add(b, kept_digits(value).p, kept_digits(value).n);
		return;
	}
	real_text(number, json_real_value(value));
	buf_str(b, number);
}

static void json_write_indent(const struct json_writer *w, int depth)
{
	if (!w->is_pretty)
		return;
	buf_chr(w->b, '\n');
	for (int i = 0; i < depth; i++)
		buf_add(w->b, "  ", 2);
}

static void json_write_member(
    const struct json_writer *w, const struct json_pair *m, bool is_first, int depth)
{
	if (!is_first)
		buf_chr(w->b, ',');
	json_write_indent(w, depth + 1);
	json_write_string(w->b, m->key, strlen(m->key));
	buf_add(w->b, ": ", w->is_pretty ? 2 : 1);
	json_write_value(w, m->value, depth + 1);
}

static int member_compare(const void *a, const void *b)
{
	return strcmp(((const struct json_pair *)a)->key, ((const struct json_pair *)b)->key);
}

static void json_write_sorted(const struct json_writer *w, json_t *object, int depth)
{
	struct json_pair few[KEYS_INLINE], *members = few;
	size_t n = json_object_size(object), i = 0;
	json_t *value;
	const char *key;

	if (n > KEYS_INLINE)
		members = oom_malloc(n * sizeof(*members));
	json_object_each(object, key, value)
		members[i++] = (struct json_pair){key, value};
	qsort(members, n, sizeof(*members), member_compare);
	for (i = 0; i < n; i++)
		json_write_member(w, &members[i], i == 0, depth);
	if (members != few)
		free(members);
}

static void json_write_object(const struct json_writer *w, const json_t *value, int depth)
{
	json_t *object = (json_t *)(uintptr_t)value; /* walking does not change it */
	bool is_first = true;
	json_t *member;
	const char *key;

	buf_chr(w->b, '{');
	if (w->is_sorted) {
		json_write_sorted(w, object, depth);
	} else {
		json_object_each(object, key, member) {
			json_write_member(w, &(struct json_pair){key, member}, is_first, depth);
			is_first = false;
		}
	}
	if (json_object_size(object))
		json_write_indent(w, depth);
	buf_chr(w->b, '}');
}

static void json_write_array(const struct json_writer *w, const json_t *array, int depth)
{
	size_t n = json_array_size(array);

	buf_chr(w->b, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_chr(w->b, ',');
		json_write_indent(w, depth + 1);
		json_write_value(w, json_array_get(array, i), depth + 1);
	}
	if (n)
		json_write_indent(w, depth);
	buf_chr(w->b, ']');
}

static void json_write_value(const struct json_writer *w, const json_t *value, int depth)
{
	char number[40];

	if (depth > WRITE_DEPTH) {
		w->b->failed = true;
		return;
	}
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_OBJECT:
		json_write_object(w, value, depth);
		break;
	case JSON_ARRAY:
		json_write_array(w, value, depth);
		break;
	case JSON_STRING:
		json_write_string(w->b, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		buf_str(w->b, number);
		break;
	case JSON_REAL:
		json_write_real(w->b, value);
		break;
	case JSON_TRUE:
		buf_str(w->b, "true");
		break;
	case JSON_FALSE:
		buf_str(w->b, "false");
		break;
	case JSON_NULL:
		buf_str(w->b, "null");
		break;
	}
}

/* Writes into a buffer that is kept between calls, then copies: most texts are small and one
 * process writes many. A text beyond any bound of ours is a bug, treated like lack of memory. */
static struct str json_write_text(struct arena *a, const json_t *value, bool is_pretty)
{
	static struct buf scratch;
	struct json_writer w = {.b = &scratch, .is_sorted = true, .is_pretty = is_pretty};
	struct str text;

	if (!scratch.p)
		buf_init(&scratch, TEXT_MOST);
	buf_reset(&scratch);
	json_write_value(&w, value, 0);
	if (!buf_ok(&scratch))
		oom_abort();
	text.n = scratch.len;
	text.p = arena_strndup(a, scratch.p, scratch.len);
	if (scratch.cap > SCRATCH_KEEP)
		buf_fini(&scratch);
	return text;
}

struct str json_text(struct arena *a, const json_t *value)
{
	return json_write_text(a, value, false);
}

struct str json_pretty(struct arena *a, const json_t *value)
{
	return json_write_text(a, value, true);
}

void json_append(struct buf *b, const json_t *value)
{
	struct json_writer w = {.b = b};

	json_write_value(&w, value, 0);
}

void json_append_pretty(struct buf *b, const json_t *value)
{
	struct json_writer w = {.b = b, .is_pretty = true};

	json_write_value(&w, value, 0);
}

/* Members */

const char *json_str(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int64_t json_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool json_bool(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

const char *json_scalar_text(struct arena *a, const json_t *value)
{
	char number[40];

	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		return arena_strndup(a, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
		return arena_printf(a, "%lld", (long long)json_integer_value(value));
	case JSON_REAL:
		if (is_kept_number(value))
			return str_copy(a, kept_digits(value)).p;
		real_text(number, json_real_value(value));
		return arena_strdup(a, number);
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	return NULL;
}

const char *json_id_text(struct arena *a, const json_t *value)
{
	const char *text = json_scalar_text(a, value);

	return value && json_is_real(value) && number_is(str_from(text))
		   ? number_plain(a, str_from(text)).p
		   : text;
}

const char *json_joined_text(struct arena *a, const json_t *list)
{
	struct buf *b = buf_new(a, TEXT_MOST);
	const json_t *one;
	size_t i;

	json_array_each(list, i, one) {
		const char *text = json_scalar_text(a, one);

		if (json_is_array(one) || json_is_object(one))
			return NULL;
		if (text && b->len)
			buf_str(b, "; ");
		if (text)
			buf_str(b, text);
	}
	return b->len && buf_ok(b) ? b->p : NULL;
}

/* s with every byte that is not UTF-8 replaced by U+FFFD; to be freed. */
static char *utf8_repair(struct str s, size_t *n)
{
	char *out = oom_malloc(s.n * 3 + 1);
	size_t len = 0;

	for (size_t i = 0; i < s.n;) {
		size_t step = 1;

		while (step <= 4 && step <= s.n - i && !utf8_is_valid((struct str){s.p + i, step}))
			step++;
		if (step > 4 || step > s.n - i) {
			memcpy(out + len, REPLACEMENT, 3);
			len += 3;
			i++;
		} else {
			memcpy(out + len, s.p + i, step);
			len += step;
			i += step;
		}
	}
	out[len] = '\0';
	*n = len;
	return out;
}

static json_t *string_new(struct str s)
{
	json_t *value;
	char *good;
	size_t n;

	if (!s.p)
		return json_null();
	if (utf8_is_valid(s))
		return json_stringn_nocheck(s.p, s.n);
	good = utf8_repair(s, &n);
	value = json_stringn_nocheck(good, n);
	free(good);
	return value;
}

void json_set(json_t *object, const char *key, json_t *value)
{
	char *good;
	size_t n;

	if (!value)
		value = json_null();
	if (utf8_is_valid(str_from(key))) {
		if (json_object_set_new_nocheck(object, key, value))
			oom_abort();
		return;
	}
	good = utf8_repair(str_from(key), &n);
	if (json_object_set_new_nocheck(object, good, value))
		oom_abort();
	free(good);
}

void json_set_strn(json_t *object, const char *key, struct str value)
{
	json_set(object, key, string_new(value));
}

void json_set_str(json_t *object, const char *key, const char *value)
{
	json_set_strn(object, key, str_from(value));
}

void json_set_int(json_t *object, const char *key, int64_t value)
{
	json_set(object, key, json_integer(value));
}

void json_set_bool(json_t *object, const char *key, bool value)
{
	json_set(object, key, json_boolean(value));
}

void json_set_known_time(json_t *object, const char *key, int64_t at_us)
{
	char text[CLOCK_TEXT];

	clock_iso(text, at_us);
	json_set_str(object, key, at_us == TIME_NONE ? NULL : text);
}

int64_t json_time(const json_t *object, const char *key)
{
	const char *text = json_str(object, key);
	int64_t at_us = 0;

	return text != NULL && clock_parse_iso(str_from(text), &at_us) ? at_us : 0;
}

void json_set_time(json_t *object, const char *key, int64_t at_us)
{
	json_set_known_time(object, key, at_us == 0 ? TIME_NONE : at_us);
}

/* A value for another tree: containers are copied, since a merge changes them in place. */
static json_t *value_for_target(json_t *value)
{
	json_t *copy;

	if (!json_is_object(value) && !json_is_array(value))
		return json_incref(value);
	copy = json_deep_copy(value);
	if (!copy)
		oom_abort();
	return copy;
}

bool json_merge(json_t *target, const json_t *patch)
{
	bool is_changed = false;
	json_t *theirs, *ours;
	const char *key;

	if (!json_is_object(target))
		return false;
	json_object_each(patch, key, theirs) {
		ours = json_object_get(target, key);
		if (json_is_object(ours) && json_is_object(theirs)) {
			is_changed |= json_merge(ours, theirs);
		} else if (!ours || !json_equal(ours, theirs)) {
			json_set(target, key, value_for_target(theirs));
			is_changed = true;
		}
	}
	return is_changed;
}

size_t json_weight(const json_t *value)
{
	size_t weight = 32;
	const char *key;
	json_t *v;

	if (value && value->type == JSON_STRING)
		return weight + (json_string_length)(value);
	json_object_each(value, key, v)
		weight += strlen(key) + json_weight(v);
	for (size_t i = 0; i < json_array_size(value); i++)
		weight += json_weight(json_array_get(value, i));
	return weight;
}
