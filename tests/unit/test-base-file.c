#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "test-base.h"

static char folder[] = "/tmp/connect-file-XXXXXX";
static struct arena *a;

static int begin(void)
{
	a = arena_new();
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int end(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	arena_free(a);
	return system(command);
}

static const char *at(const char *name)
{
	return arena_printf(a, "%s/%s", folder, name);
}

static void reading(void)
{
	static const struct {
		int line;
		size_t size, most;
		bool fits;
	} rows[] = {
	    {__LINE__, 0, 0, true},
	    {__LINE__, 0, 10, true},
	    {__LINE__, 1, 0, false},
	    {__LINE__, 10, 10, true},
	    {__LINE__, 11, 10, false},
	    {__LINE__, 9000, 100000, true},
	    {__LINE__, 9000, 8999, false},
	};
	const char *path = at("read");
	struct str text;

	for (size_t i = 0; i < COUNT(rows); i++) {
		char *want = arena_zalloc(a, rows[i].size + 1);
		struct err err = ERR_INIT;

		memset(want, 'x', rows[i].size);
		REQUIRE(file_replace(path, (struct str){want, rows[i].size}, &err) == 0);
		CHECK_AT(rows[i].line,
		    file_read(a, path, rows[i].most, &text, &err) == (rows[i].fits ? 0 : -1));
		if (rows[i].fits)
			CHECK_AT(rows[i].line,
			    text.n == rows[i].size && memcmp(text.p, want, text.n + 1) == 0);
		else
			CHECK_AT(rows[i].line, err.code == ERR_LIMIT);
	}
}

/* Its size says nothing of what it holds. */
static void reading_a_pipe(void)
{
	const char *path = at("pipe");
	char *want = arena_zalloc(a, 20000);
	struct str text;
	struct err err = ERR_INIT;
	pid_t child;
	int status = -1;

	memset(want, 'p', 20000);
	REQUIRE(mkfifo(path, 0600) == 0);
	child = fork();
	if (child == 0) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		_exit(fd == -1 || fd_write_full(fd, (struct str){want, 20000}) == -1);
	}
	CHECK(file_read(a, path, 100000, &text, &err) == 0);
	CHECK(text.n == 20000 && memcmp(text.p, want, 20000) == 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	unlink(path);
}

static void what_is_not_there(void)
{
	const char *path = at("absent");
	struct str text;
	struct err err = ERR_INIT;

	CHECK(file_find(a, path, 10, &text, &err) == 0);
	CHECK(text.p == NULL && err.code == ERR_NONE);
	CHECK(file_read(a, path, 10, &text, &err) == -1);
	CHECK(err.code == ERR_INVALID && strstr(err.msg, "absent: No such file") != NULL);
	err_clear(&err);
	CHECK(file_find(a, folder, 10, &text, &err) == -1); /* no file */
	CHECK(err.code == ERR_INVALID);
}

static void replacing(void)
{
	const char *path = at("replace");
	struct str text;
	struct err err = ERR_INIT;
	struct stat st;
	int before;

	CHECK(file_replace(path, STR("first, and longer"), &err) == 0);
	before = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(file_replace(path, STR("second"), &err) == 0);
	CHECK(file_read(a, path, 100, &text, &err) == 0 && str_is(text, "second"));
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	/* Who has the old one open goes on reading it. */
	char old[32];
	CHECK(fd_read_full(before, old, sizeof(old)) == 17);
	close(before);
	CHECK(file_replace(at("none/x"), STR(""), &err) == -1);
	CHECK(err.code == ERR_UNAVAILABLE);
	/* Neither does a failure leave anything behind. */
	err_clear(&err);
	REQUIRE(mkdir(at("taken"), 0700) == 0);
	CHECK(file_replace(at("taken"), STR(""), &err) == -1);
	CHECK(access(arena_printf(a, "%s.%ld.new", at("taken"), (long)getpid()), F_OK) == -1);
}

static void folders(void)
{
	struct err err = ERR_INIT;
	struct stat st;

	CHECK(dir_make(at("one/two//three/"), 0700, &err) == 0);
	CHECK(stat(at("one/two/three"), &st) == 0 && S_ISDIR(st.st_mode));
	CHECK(dir_make(at("one/two/three"), 0700, &err) == 0); /* again */
	CHECK(dir_make("/", 0700, &err) == 0);
	REQUIRE(file_replace(at("file"), STR("x"), &err) == 0);
	CHECK(dir_make(at("file/below/it"), 0700, &err) == -1);
	CHECK(err.code == ERR_UNAVAILABLE);
	err_clear(&err);
	CHECK(dir_make("", 0700, &err) == -1);
	CHECK(dir_sync(folder) == 0);
	CHECK(dir_sync(at("absent")) == -1 && errno == ENOENT);
}

static void pieces(void)
{
	int fd = open(at("pieces"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char got[8];

	REQUIRE(fd != -1);
	CHECK(fd_write_full(fd, STR("0123456789")) == 0);
	CHECK(fd_read_full_at(fd, got, 8, 0) == 8 && memcmp(got, "01234567", 8) == 0);
	CHECK(fd_read_full_at(fd, got, 8, 6) == 4 && memcmp(got, "6789", 4) == 0);
	CHECK(fd_read_full_at(fd, got, 8, 10) == 0);
	CHECK(fd_read_full(fd, got, 8) == 0); /* at the end */
	close(fd);
	CHECK(fd_read_full(-1, got, 8) == -1);
	CHECK(fd_write_full(-1, STR("x")) == -1);
}

void suite_base_file(void);
void suite_base_file(void)
{
	CU_pSuite s = CU_add_suite("base/file", begin, end);

	CU_add_test(s, "reading", reading);
	CU_add_test(s, "reading a pipe", reading_a_pipe);
	CU_add_test(s, "what is not there", what_is_not_there);
	CU_add_test(s, "replacing", replacing);
	CU_add_test(s, "folders", folders);
	CU_add_test(s, "pieces", pieces);
}
