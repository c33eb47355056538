/* Template fixtures: each folder of tests/golden is a case, so that a new one needs no C.
 *   template.html   the text; data.json   its data ("_now" is the present, microseconds)
 *   expected.html   what it renders to, or expected.error   the message that compiling or strict
 *                   rendering ends with */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <CUnit/CUnit.h>

#include "base/arena.h"
#include "base/limits.h"
#include "html/template.h"

static bool read_file(struct arena *a, const char *path, struct str *out)
{
	struct buf *b = buf_new(a, LIMIT_PAGE_BYTES);
	FILE *f = fopen(path, "r");
	char piece[4096];
	size_t n;

	if (f == NULL)
		return false;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(b, piece, n);
	fclose(f);
	*out = (struct str){b->p, b->len};
	return true;
}

static void fail_case(const char *name, const char *what, const char *got)
{
	char *text;

	if (asprintf(&text, "%s: %s: %s", name, what, got) < 0)
		abort();
	CU_assertImplementation(CU_FALSE, 0, text, name, "", CU_FALSE);
	free(text);
}

static void run_case(const char *dir, const char *name)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct str template, text, expected;
	struct buf *out = buf_new(a, LIMIT_PAGE_BYTES);
	json_t *data = NULL;

	if (!read_file(a, arena_printf(a, "%s/template.html", dir), &template)) {
		fail_case(name, "template.html", "missing");
	} else if (read_file(a, arena_printf(a, "%s/data.json", dir), &text) &&
		   (data = json_parse(a, text, &err)) == NULL) {
		fail_case(name, "data.json", err.msg);
	} else {
		if (data == NULL)
			data = json_own(a, json_object());
		int rc = template_render_text(a, template, data, true, out, &err);
		if (read_file(a, arena_printf(a, "%s/expected.html", dir), &expected)) {
			if (rc == -1)
				fail_case(name, "error", err.msg);
			else if (!str_eq((struct str){out->p, out->len}, expected))
				fail_case(name, "rendered", out->p);
		} else if (read_file(a, arena_printf(a, "%s/expected.error", dir), &expected)) {
			expected = str_trim(expected);
			if (rc == 0)
				fail_case(name, "no error, but", out->p);
			else if (!str_is(expected, err.msg))
				fail_case(name, "error", err.msg);
		} else {
			fail_case(name, "expected.html or expected.error", "missing");
		}
	}
	CU_PASS(name);
	arena_free(a);
}

static void test_golden(void)
{
	const char *root = CONNECT_SRCDIR "/tests/golden";
	struct dirent **entries;
	int n = scandir(root, &entries, NULL, alphasort), cases = 0;
	char path[4096];
	struct stat st;

	CU_ASSERT_TRUE_FATAL(n > 0);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", root, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
			run_case(path, entries[i]->d_name);
			cases++;
		}
		free(entries[i]);
	}
	free(entries);
	CU_ASSERT_TRUE(cases > 0);
}

void suite_html_golden(void);
void suite_html_golden(void)
{
	CU_pSuite s = CU_add_suite("html-golden", NULL, NULL);

	CU_add_test(s, "templates render as expected", test_golden);
}
