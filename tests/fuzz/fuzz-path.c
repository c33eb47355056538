/* The first line is a path, the rest a document. A path that compiles does so again from its own
 * text; what was set is found. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_so)
{
	if (!is_so)
		abort();
}

static void set(const struct path *p, json_t *root)
{
	struct err e = ERR_INIT;

	if (path_set(p, root, json_string("here"), &e)) {
		require(e.code == ERR_INVALID);
		return;
	}
	require(!path_fans_out(p));
	require(strcmp(json_string_value(path_get(p, root)), "here") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size}, text = {"", 0};
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	struct path *p;
	json_t *root;

	str_split(&rest, '\n', &text);
	p = path_compile(a, text, &e);
	if (p) {
		struct path *again = path_compile(a, str_from(path_text(p)), &e);

		require(e.code == ERR_NONE && again && path_steps(again) == path_steps(p));
		require(strcmp(path_text(again), path_text(p)) == 0);
		root = json_parse(a, rest, NULL);
		if (root) {
			(void)path_get(p, root);
			set(p, root);
		}
		set(p, json_own(a, json_object()));
	} else {
		require(e.code == ERR_INVALID);
	}
	arena_free(a);
	return 0;
}
