/* What parses is written as text that parses to the same value, in each of the three forms, and
 * merging a value into a copy of itself changes nothing. The lenient reader reads all that the
 * strict one does, to the same value, and what it repairs is JSON like any other. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_so)
{
	if (!is_so)
		abort();
}

static void check(struct arena *a, const json_t *value)
{
	struct str text = json_text(a, value), again, pretty = json_pretty(a, value);
	struct buf *appended = buf_new(a, 16u * LIMIT_JSON_BYTES);
	json_t *back = json_parse(a, text, NULL), *copy;

	require(back && json_equal(back, value) == 1);
	again = json_text(a, back);
	require(str_eq(text, again) && utf8_is_valid(text));
	back = json_parse(a, pretty, NULL);
	require(back && json_equal(back, value) == 1);
	json_append(appended, value);
	back = json_parse(a, (struct str){appended->p, appended->len}, NULL);
	require(buf_ok(appended) && back && json_equal(back, value) == 1);

	copy = json_own(a, json_deep_copy(value));
	require(!json_merge(copy, value) && json_equal(copy, value) == 1);
	copy = json_own(a, json_object());
	json_merge(copy, value);
	require(!json_is_object(value) || json_equal(copy, value) == 1);
}

static void check_lenient(struct arena *a, struct str text, const json_t *strict)
{
	struct err e = ERR_INIT;
	unsigned repairs = 0;
	json_t *value = json_parse_lenient(a, text, &repairs, &e);

	require(!strict || (value && repairs == 0 && json_equal(value, strict) == 1));
	require(value || ((e.code == ERR_MALFORMED || e.code == ERR_LIMIT) && e.msg[0]));
	require(!value || (json_repairs_text(a, repairs) != NULL) == (repairs != 0));
	if (value)
		check(a, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	json_t *value = json_parse(a, (struct str){(const char *)data, size}, &e);

	if (value) {
		require(e.code == ERR_NONE);
		check(a, value);
	} else {
		require((e.code == ERR_MALFORMED || e.code == ERR_LIMIT) && e.msg[0]);
	}
	check_lenient(a, (struct str){(const char *)data, size}, value);
	arena_free(a);
	return 0;
}
