/* The one way to read JSON from outside: where we are, what a value must be, what to say if not. */
#include "base/json-reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define REASON_BYTES 240

/* ---- where the reader stands --------------------------------------------------------------- */

/* What has no room is cut after a whole character; behind a cut nothing more is put. */
static size_t step_add(struct json_reader *in, const char *before, const char *step)
{
	size_t mark = in->at_len, skip = strlen(before), room = sizeof(in->at) - 1;

	if (mark + skip < room)
		snprintf(in->at + mark, sizeof(in->at) - mark, "%s%.*s", before,
		    (int)utf8_cut(str_from(step), room - mark - skip).n, step);
	in->at_len = mark + skip + strlen(step);
	return mark;
}

size_t json_reader_enter(struct json_reader *in, const char *key)
{
	return step_add(in, in->at_len == 0 ? "" : ".", key);
}

size_t json_reader_enter_index(struct json_reader *in, size_t i)
{
	char step[24];

	snprintf(step, sizeof(step), "%zu]", i);
	return step_add(in, "[", step);
}

void json_reader_leave(struct json_reader *in, size_t mark)
{
	in->at_len = mark;
	if (mark < sizeof(in->at))
		in->at[mark] = '\0';
}

/* ---- complaints ---------------------------------------------------------------------------- */

static void reason_tell(struct json_reader *in, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void reason_tell(struct json_reader *in, const char *fmt, va_list ap)
{
	char reason[REASON_BYTES + 4]; /* room for the character that the cut goes before */

	vsnprintf(reason, sizeof(reason), fmt, ap);
	reason[utf8_cut(str_from(reason), REASON_BYTES).n] = '\0';
	in->faults++;
	if (in->complain != NULL)
		in->complain(in->arg, in->at, reason);
	else if (in->file != NULL)
		err_set(in->err, ERR_INVALID, "%s: %s: %s", in->file,
		    in->at_len == 0 ? "(root)" : in->at, reason);
	else
		err_field(in->err, ERR_INVALID, in->at, "%s", reason);
}

int json_reader_fail(struct json_reader *in, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reason_tell(in, fmt, ap);
	va_end(ap);
	return -1;
}

int json_reader_fail_at(struct json_reader *in, const char *key, const char *fmt, ...)
{
	size_t mark = json_reader_enter(in, key);
	va_list ap;

	va_start(ap, fmt);
	reason_tell(in, fmt, ap);
	va_end(ap);
	json_reader_leave(in, mark);
	return -1;
}

/* The member's own rule goes before the reader's words. */
#define VALUE_FAIL(in, m, ...)                                                                     \
	((m)->rule != NULL ? json_reader_fail(in, "%s", (m)->rule)                                 \
			   : json_reader_fail(in, __VA_ARGS__))

/* ---- values by kind ------------------------------------------------------------------------ */

static bool is_open(const struct json_member *m)
{
	return m->max == 0 && m->min >= 0;
}

static bool is_within(const struct json_member *m, size_t n)
{
	return (int64_t)n >= m->min && (is_open(m) || (int64_t)n <= m->max);
}

static int container_read(
    struct json_reader *in, json_t *v, const struct json_member *m, json_t **out)
{
	bool is_list = m->kind == READ_LIST;
	const char *what = is_list ? "elements" : "members";

	if (is_list ? !json_is_array(v) : !json_is_object(v))
		return VALUE_FAIL(in, m, is_list ? "must be a list" : "must be an object");
	if (!is_within(m, is_list ? json_array_size(v) : json_object_size(v)))
		return m->max == 0 ? VALUE_FAIL(in, m, "must have at least %lld %s",
					 (long long)m->min, what)
				   : VALUE_FAIL(in, m, "must have %lld to %lld %s",
					 (long long)m->min, (long long)m->max, what);
	*out = v;
	return 0;
}

static struct str member_text(const json_t *v, const struct json_member *m)
{
	struct str s = {json_string_value(v), json_string_length(v)};

	return (m->flags & READ_TRIMMED) != 0 ? utf8_trim(s) : s;
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

static int text_read(
    struct json_reader *in, json_t *v, const struct json_member *m, struct str *out)
{
	struct str s = member_text(v, m);

	if (!json_is_string(v))
		return VALUE_FAIL(in, m, "must be text");
	if (s.n == 0 && m->min > 0)
		return VALUE_FAIL(in, m, "must not be empty");
	if ((int64_t)s.n < m->min)
		return VALUE_FAIL(in, m, "must have at least %lld bytes", (long long)m->min);
	if (!is_within(m, s.n))
		return VALUE_FAIL(in, m, "may have at most %lld bytes", (long long)m->max);
	if ((m->flags & READ_PLAIN) != 0 && has_control(s))
		return VALUE_FAIL(in, m, "must be without control characters");
	*out = s;
	return 0;
}

static int parsed_read(struct json_reader *in, json_t *v, const struct json_member *m, void *out)
{
	struct str s;

	if (text_read(in, v, m, &s) == -1)
		return -1;
	return m->parse(s, out) ? 0 : VALUE_FAIL(in, m, "has not the form it must have");
}

/* "must be a, b or c" */
static int word_fail(struct json_reader *in, const char *const *words)
{
	char list[REASON_BYTES] = "";
	size_t n = 0;

	for (size_t i = 0; words[i] != NULL && n < sizeof(list) - 1; i++) {
		const char *before = i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ";
		int added = snprintf(list + n, sizeof(list) - n, "%s%s", before, words[i]);

		n += added > 0 ? (size_t)added : 0;
	}
	return json_reader_fail(in, "must be %s", list);
}

static int word_read(
    struct json_reader *in, json_t *v, const struct json_member *m, const char **out)
{
	for (size_t i = 0; json_is_string(v) && m->words[i] != NULL; i++)
		if (str_is(member_text(v, m), m->words[i])) {
			*out = m->words[i];
			return 0;
		}
	return m->rule != NULL ? json_reader_fail(in, "%s", m->rule) : word_fail(in, m->words);
}

static int time_read(
    struct json_reader *in, json_t *v, const struct json_member *m, struct opt_time *out)
{
	int64_t at_us;

	if (!json_is_string(v) || !clock_parse_iso(member_text(v, m), &at_us))
		return VALUE_FAIL(in, m, "must be an ISO 8601 time");
	*out = (struct opt_time){at_us, true};
	return 0;
}

static int int_read(struct json_reader *in, json_t *v, const struct json_member *m, int64_t *out)
{
	int64_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < m->min || (!is_open(m) && n > m->max))
		return is_open(m)
			   ? VALUE_FAIL(in, m, "must be an integer from %lld", (long long)m->min)
			   : VALUE_FAIL(in, m, "must be an integer from %lld to %lld",
				 (long long)m->min, (long long)m->max);
	*out = n;
	return 0;
}

static int number_read(struct json_reader *in, json_t *v, const struct json_member *m, double *out)
{
	double n = json_number_value(v);

	if (!json_is_number(v) || n < (double)m->min || (!is_open(m) && n > (double)m->max))
		return is_open(m)
			   ? VALUE_FAIL(in, m, "must be a number from %lld", (long long)m->min)
			   : VALUE_FAIL(in, m, "must be a number from %lld to %lld",
				 (long long)m->min, (long long)m->max);
	*out = n;
	return 0;
}

static int bool_read(struct json_reader *in, json_t *v, const struct json_member *m, bool *out)
{
	if (!json_is_boolean(v))
		return VALUE_FAIL(in, m, "must be true or false");
	*out = json_is_true(v);
	return 0;
}

int json_read_value(struct json_reader *in, json_t *value, const struct json_member *m, void *out)
{
	switch (m->kind) {
	case READ_ANY:
		*(json_t **)out = value;
		return 0;
	case READ_OBJECT:
	case READ_LIST:
		return container_read(in, value, m, out);
	case READ_TEXT:
		return text_read(in, value, m, out);
	case READ_PARSED:
		return parsed_read(in, value, m, out);
	case READ_WORD:
		return word_read(in, value, m, out);
	case READ_TIME:
		return time_read(in, value, m, out);
	case READ_INT:
		return int_read(in, value, m, out);
	case READ_NUMBER:
		return number_read(in, value, m, out);
	case READ_BOOL:
		return bool_read(in, value, m, out);
	}
	return json_reader_fail(in, "is of no known kind");
}

/* ---- members ------------------------------------------------------------------------------- */

/* null as the member's value. */
static void value_clear(const struct json_member *m, void *out)
{
	static const size_t sizes[] = {[READ_ANY] = sizeof(json_t *),
	    [READ_OBJECT] = sizeof(json_t *),
	    [READ_LIST] = sizeof(json_t *),
	    [READ_TEXT] = sizeof(struct str),
	    [READ_PARSED] = 0, /* what it writes is its parser's affair */
	    [READ_WORD] = sizeof(char *),
	    [READ_TIME] = sizeof(struct opt_time),
	    [READ_INT] = sizeof(int64_t),
	    [READ_NUMBER] = sizeof(double),
	    [READ_BOOL] = sizeof(bool)};

	memset(out, 0, sizes[m->kind]);
}

static bool is_null(const json_t *v, const struct json_member *m)
{
	return json_is_null(v) || ((m->flags & READ_EMPTY_IS_NULL) != 0 && json_is_string(v) &&
				      member_text(v, m).n == 0);
}

int json_read_member(
    struct json_reader *in, const json_t *object, const struct json_member *m, void *out)
{
	json_t *v = json_object_get(object, m->name);
	size_t mark;
	int rc;

	if (v == NULL && m->need != READ_NEEDED)
		return 0;
	if (is_null(v, m) && m->need == READ_NULLABLE)
		return 0;
	if (is_null(v, m) && m->need == READ_CLEARABLE) {
		value_clear(m, out);
		return 1;
	}
	mark = json_reader_enter(in, m->name);
	if (m->need == READ_NEEDED && (v == NULL || is_null(v, m)))
		rc = json_reader_fail(in, "is needed");
	else
		rc = json_read_value(in, v, m, out);
	json_reader_leave(in, mark);
	return rc == -1 ? -1 : 1;
}

static bool ends_here(const struct json_reader *in)
{
	return in->complain == NULL && in->faults > 0;
}

/* What an object may hold: the members of a table, or a list of keys. */
struct known_keys {
	const struct json_member *members;
	size_t n;
	const char *const *keys;
};

static bool known_has(const struct known_keys *known, const char *key)
{
	for (size_t i = 0; i < known->n; i++)
		if (strcmp(known->members[i].name, key) == 0)
			return true;
	for (size_t i = 0; known->keys != NULL && known->keys[i] != NULL; i++)
		if (strcmp(known->keys[i], key) == 0)
			return true;
	return false;
}

static int unknown_tell(
    struct json_reader *in, const json_t *object, const struct known_keys *known)
{
	size_t faults = in->faults;
	const char *key;
	json_t *v;

	if (!json_is_object(object))
		return json_reader_fail(in, "must be an object");
	json_object_each(object, key, v) {
		if (known_has(known, key))
			continue;
		json_reader_fail_at(in, key, in->file != NULL ? "unknown key" : "unknown field");
		if (ends_here(in))
			return -1;
	}
	return in->faults == faults ? 0 : -1;
}

int json_read_members(struct json_reader *in, const json_t *object,
    const struct json_member *members, size_t n, void *out)
{
	size_t faults = in->faults;

	if (unknown_tell(in, object, &(struct known_keys){.members = members, .n = n}) == -1 &&
	    (ends_here(in) || !json_is_object(object)))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (json_read_member(in, object, &members[i], (char *)out + members[i].offset) ==
			-1 &&
		    ends_here(in))
			return -1;
	return in->faults == faults ? 0 : -1;
}

int json_read_keys(struct json_reader *in, const json_t *v, const char *const *keys)
{
	return unknown_tell(in, v, &(struct known_keys){.keys = keys});
}
