/* multipart/form-data, each body fed whole, byte by byte and in odd pieces. */
#include "http-check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "http/conn.h"
#include "http/form.h"

void suite_http_multipart(void);

#define TYPE "multipart/form-data; boundary=XX"
#define FIELD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define UPLOAD(name, file)                                                                         \
	"Content-Disposition: form-data; name=\"" name "\"; filename=\"" file                      \
	"\"\r\nContent-Type: text/csv\r\n\r\n"

static const char *flat(
    struct arena *a, const struct http_pairs *fields, const struct http_file *files, size_t nfiles)
{
	struct buf *b = buf_new(a, 65536);
	size_t i;

	for (i = 0; i < fields->n; i++)
		buf_printf(b, "%.*s=%.*s|", SHOW(fields->v[i].name), SHOW(fields->v[i].value));
	for (i = 0; i < nfiles; i++)
		buf_printf(b, "%.*s<%.*s,%.*s,%.*s>", SHOW(files[i].field), SHOW(files[i].filename),
		    SHOW(files[i].content_type), SHOW(files[i].data));
	return b->p;
}

/* The outcome as text: "!code" when refused. */
static const char *parse(struct arena *a, const char *type, struct str body, size_t step)
{
	struct err err = ERR_INIT;
	struct multipart *m = multipart_new(a, str_from(type), "/tmp", &err);
	struct http_pairs fields;
	struct http_file *files;
	size_t nfiles, i;

	for (i = 0; m != NULL && i < body.n; i += step) {
		size_t n = body.n - i < step ? body.n - i : step;

		if (multipart_feed(m, (struct str){body.p + i, n}, &err) != 0)
			break;
	}
	if (err.code != ERR_NONE || multipart_end(m, &fields, &files, &nfiles, &err) != 0)
		return arena_printf(a, "!%d", (int)err.code);
	return flat(a, &fields, files, nfiles);
}

#define BAD "!2" /* ERR_MALFORMED */

static const struct {
	int line;
	const char *type;
	struct str body;
	const char *out;
} cases[] = {
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("a") "1\r\n--XX--\r\n"), "a=1|"},
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("a") "1\r\n--XX--"), "a=1|"},
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("a") "\r\n--XX--"), "a=|"},
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("a") "1\r\n--XX\r\n" FIELD("b") "2\r\n--XX--\r\n"),
	"a=1|b=2|"},
    {__LINE__, TYPE, STR("--XX--"), ""},
    /* Preamble, epilogue, padding */
    {__LINE__, TYPE, STR("pre\r\namble\r\n--XX\r\n" FIELD("a") "1\r\n--XX--\r\nepi--XX\r\nx"),
	"a=1|"},
    {__LINE__, TYPE, STR("--XX \t\r\n" FIELD("a") "1\r\n--XX \r\n" FIELD("b") "2\r\n--XX--"),
	"a=1|b=2|"},
    /* What only looks like a delimiter */
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("a") "x\r\n--XY\r\n--XXY\r\n--X\r\n-\r\r\n--XX--"),
	"a=x\r\n--XY\r\n--XXY\r\n--X\r\n-\r|"},
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("a") "--XX\n--XX--\r\n--XX--"), "a=--XX\n--XX--|"},
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("a") "\r\n\r\n--XX--"), "a=\r\n|"},
    {__LINE__, TYPE, STR("--XXX\r\n\r\n--XX\r\n" FIELD("a") "1\r\n--XX--"), "a=1|"},
    /* Files */
    {__LINE__, TYPE, STR("--XX\r\n" UPLOAD("f", "x.csv") "a,b\r\n1,2\r\n\r\n--XX--"),
	"f<x.csv,text/csv,a,b\r\n1,2\r\n>"},
    {__LINE__, TYPE, STR("--XX\r\n" UPLOAD("f", "") "\r\n--XX--"), ""},
    {__LINE__, TYPE, STR("--XX\r\n" UPLOAD("f", "e.csv") "\r\n--XX--"), "f<e.csv,text/csv,>"},
    {__LINE__, TYPE, STR("--XX\r\n" UPLOAD("f", "../../etc/passwd") "x\r\n--XX--"),
	"f<passwd,text/csv,x>"},
    {__LINE__, TYPE, STR("--XX\r\n" UPLOAD("f", "C:\\dir\\x.csv") "x\r\n--XX--"),
	"f<x.csv,text/csv,x>"},
    {__LINE__, TYPE, STR("--XX\r\n" UPLOAD("f", "a\\\"b") "x\r\n--XX--"), "f<a\"b,text/csv,x>"},
    /* Headers in other hands */
    {__LINE__, TYPE, STR("--XX\r\ncontent-disposition:FORM-DATA;NAME=a\r\n\r\n1\r\n--XX--"),
	"a=1|"},
    {__LINE__, TYPE,
	STR("--XX\r\nX: y\r\nContent-Disposition: form-data; name=\"a;b\" ; "
	    "x=y\r\n\r\n1\r\n--XX--"),
	"a;b=1|"},
    {__LINE__, "Multipart/Form-Data;charset=utf-8; boundary=\"XX\"",
	STR("--XX\r\n" FIELD("a") "1\r\n--XX--"), "a=1|"},
    {__LINE__, "multipart/form-data; boundary=\"a b:?\"",
	STR("--a b:?\r\n" FIELD("a") "1\r\n--a b:?--"), "a=1|"},
    /* Refused */
    {__LINE__, TYPE, STR(""), BAD},
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("a") "1"), BAD},
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("a") "1\r\n--XX\r\n"), BAD},
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("a") "1\r\n--XX-"), BAD},
    {__LINE__, TYPE, STR("--XX\r\n\r\n1\r\n--XX--"), BAD},
    {__LINE__, TYPE, STR("--XX\r\nX: y\r\n\r\n1\r\n--XX--"), BAD},
    {__LINE__, TYPE, STR("--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XX--"), BAD},
    {__LINE__, TYPE, STR("--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n--XX--"),
	BAD},
    {__LINE__, TYPE, STR("--XX\r\nContent-Disposition: inline; name=a\r\n\r\n1\r\n--XX--"), BAD},
    {__LINE__, TYPE, STR("--XX\r\nbroken\r\n\r\n1\r\n--XX--"), BAD},
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("a") "\xff\r\n--XX--"), BAD},
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("a") "x\0\r\n--XX--"), BAD},
    {__LINE__, TYPE, STR("--XX\r\n" FIELD("\xff") "x\r\n--XX--"), BAD},
    {__LINE__, "multipart/form-data", STR("--XX--"), BAD},
    {__LINE__, "multipart/form-data; boundary=", STR("--XX--"), BAD},
    {__LINE__, "multipart/form-data; boundary=\"XX", STR("--XX--"), BAD},
    {__LINE__, "multipart/form-data; boundary=\"XX \"", STR("--XX--"), BAD},
    {__LINE__, "multipart/form-data; boundary=a{b", STR("--XX--"), BAD},
    {__LINE__,
	"multipart/form-data; "
	"boundary=01234567890123456789012345678901234567890123456789012345678901234567890",
	STR("--XX--"), BAD},
    {__LINE__, "multipart/mixed; boundary=XX", STR("--XX--"), BAD},
};

static void test_bodies(void)
{
	static const size_t steps[] = {1, 2, 3, 7, 64, 100000};
	struct arena *a = arena_new();
	size_t i, j;

	for (i = 0; i < COUNT(cases); i++) {
		for (j = 0; j < COUNT(steps); j++) {
			const char *got = parse(a, cases[i].type, cases[i].body, steps[j]);

			CHECK(cases[i].line, strcmp(got, cases[i].out) == 0, "by %zu: %s", steps[j],
			    got);
		}
	}
	arena_free(a);
}

static void test_large_file(void)
{
	enum { SIZE = 3 * LIMIT_MULTIPART_MEMORY + 17 };
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	char dir[] = "/tmp/connect-test-XXXXXX", *path;
	struct multipart *m;
	struct http_pairs fields;
	struct http_file *files;
	struct buf *body = buf_new(a, 2 * SIZE);
	struct stat st;
	size_t nfiles = 0, i;
	FILE *f;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	buf_str(body, "--XX\r\n" UPLOAD("f", "big.bin"));
	for (i = 0; i < SIZE; i++)
		buf_chr(body, (char)(i * 7 % 251));
	buf_str(body, "\r\n--XX--\r\n");
	/* The folder is made when it is not there. */
	m = multipart_new(a, STR(TYPE), arena_printf(a, "%s/tmp", dir), &err);
	CU_ASSERT_EQUAL(multipart_feed(m, (struct str){body->p, body->len}, &err), 0);
	CU_ASSERT_EQUAL(multipart_end(m, &fields, &files, &nfiles, &err), 0);
	CU_ASSERT_EQUAL_FATAL(nfiles, 1);
	CU_ASSERT_EQUAL(files[0].size, SIZE);
	CU_ASSERT_PTR_NULL(files[0].data.p);
	CU_ASSERT_PTR_NOT_NULL_FATAL(files[0].path);
	CU_ASSERT_EQUAL(stat(files[0].path, &st), 0);
	CU_ASSERT_EQUAL(st.st_size, SIZE);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
	f = fopen(files[0].path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	for (i = 0; i < SIZE && fgetc(f) == (unsigned char)(i * 7 % 251); i++)
		;
	CU_ASSERT_EQUAL(i, SIZE);
	fclose(f);
	path = strdup(files[0].path);
	arena_free(a);
	CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
	free(path);
	a = arena_new();
	CU_ASSERT_EQUAL(rmdir(arena_printf(a, "%s/tmp", dir)), 0);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	arena_free(a);
}

static void test_bounds(void)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 4 * LIMIT_BODY_JSON);
	unsigned i;

	for (i = 0; i < LIMIT_MULTIPART_PARTS; i++)
		buf_str(b, "--XX\r\n" FIELD("a") "1\r\n");
	CU_ASSERT_NOT_EQUAL(
	    parse(a, TYPE, (struct str){b->p, b->len}, 1000)[0], 'a'); /* not ended yet */
	buf_str(b, "--XX\r\n" FIELD("a") "1\r\n--XX--");
	CU_ASSERT_STRING_EQUAL(parse(a, TYPE, (struct str){b->p, b->len}, 1000),
	    arena_printf(a, "!%d", (int)ERR_LIMIT));

	buf_reset(b);
	buf_str(b, "--XX\r\n" FIELD("a"));
	for (i = 0; i < LIMIT_BODY_JSON + 1; i++)
		buf_chr(b, 'x');
	buf_str(b, "\r\n--XX--");
	CU_ASSERT_STRING_EQUAL(parse(a, TYPE, (struct str){b->p, b->len}, 30000),
	    arena_printf(a, "!%d", (int)ERR_LIMIT));

	buf_reset(b);
	buf_str(b, "--XX\r\nX: ");
	for (i = 0; i < 5000; i++)
		buf_chr(b, 'x');
	CU_ASSERT_STRING_EQUAL(parse(a, TYPE, (struct str){b->p, b->len}, 512),
	    arena_printf(a, "!%d", (int)ERR_LIMIT));

	buf_reset(b);
	for (i = 0; i < 5000; i++)
		buf_chr(b, 'x');
	CU_ASSERT_STRING_EQUAL(parse(a, TYPE, (struct str){b->p, b->len}, 512), BAD);
	arena_free(a);
}

static void test_file_names(void)
{
	static const struct {
		int line;
		const char *in, *out;
	} names[] = {
	    {__LINE__, "a.csv", "a.csv"},
	    {__LINE__, "/a/b.csv", "b.csv"},
	    {__LINE__, "..", "file"},
	    {__LINE__, "../..", "file"},
	    {__LINE__, "a/", "file"},
	    {__LINE__, ".", "file"},
	    {__LINE__, ".hidden", ".hidden"},
	    {__LINE__, "a\tb\x7f", "a_b_"},
	    {__LINE__, "\xc3\xa4.csv", "\xc3\xa4.csv"},
	    {__LINE__, "\xe4.csv", "_.csv"},
	};
	struct arena *a = arena_new();
	char name[300];
	struct str s;
	size_t i;

	for (i = 0; i < COUNT(names); i++) {
		s = filename_clean(a, str_from(names[i].in));
		CHECK(names[i].line, str_is(s, names[i].out), "%.*s", SHOW(s));
	}
	/* A cut never falls within a character. */
	memset(name, 'a', sizeof(name));
	memcpy(name + 254, "\xc3\xa4", 2);
	s = filename_clean(a, (struct str){name, sizeof(name)});
	CU_ASSERT_EQUAL(s.n, 254);
	arena_free(a);
}

void suite_http_multipart(void)
{
	CU_pSuite s = CU_add_suite("http_multipart", NULL, NULL);

	CU_add_test(s, "bodies in pieces of any size", test_bodies);
	CU_add_test(s, "large part goes to a file", test_large_file);
	CU_add_test(s, "bounds", test_bounds);
	CU_add_test(s, "file names", test_file_names);
}
