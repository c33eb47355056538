/* Details that are too much for a record. A person who writes a book into a form is a lead all the
 * same: its long answers are cut, each with a word of how long it was, and the rest is as it came.
 * A record has the details three times at most (its own, raw and custom fields), and escaped. */
#include "base/limits.h"
#include "lead/lead-internal.h"

#define DETAILS_BYTES (LIMIT_RECORD_BYTES / 4u)
#define DEPTH 64

static json_t *texts_cut(struct arena *a, const json_t *v, size_t most, int depth)
{
	struct str text = {json_string_value(v), json_string_length(v)}, head;
	json_t *out, *below;
	const char *key;
	size_t i;

	if (json_is_string(v) && text.n > most) {
		head = utf8_cut(text, most);
		return json_string(
		    arena_printf(a, "%.*s … (cut: it had %zu bytes)", (int)head.n, head.p, text.n));
	}
	if (depth == DEPTH || (!json_is_object(v) && !json_is_array(v)))
		return json_deep_copy(v);
	out = json_is_object(v) ? json_object() : json_array();
	json_object_each(v, key, below)
		json_set(out, key, texts_cut(a, below, most, depth + 1));
	if (json_is_array(v))
		json_array_each(v, i, below)
			json_array_append_new(out, texts_cut(a, below, most, depth + 1));
	return out;
}

const json_t *lead_cut_details(struct arena *a, const json_t *details)
{
	static const size_t longest[] = {32768, 4096, 512};

	for (size_t i = 0; i < sizeof(longest) / sizeof(longest[0]); i++) {
		if (json_text(a, details).n <= DETAILS_BYTES)
			return details;
		details = json_own(a, texts_cut(a, details, longest[i], 0));
	}
	return details;
}
