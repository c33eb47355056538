#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "test-base.h"

static char path[] = "/tmp/connect-log-XXXXXX";
static struct arena *arena;

static int begin(void)
{
	int fd = mkstemp(path);

	if (fd == -1)
		return -1;
	close(fd);
	arena = arena_new();
	return 0;
}

static int end(void)
{
	arena_free(arena);
	log_request_set(NULL);
	log_open("unit-tests", NULL, false, LOG_INFO, NULL);
	return unlink(path);
}

/* Starts the file anew. */
static void start(bool json, enum log_level least)
{
	struct err e = ERR_INIT;

	REQUIRE(truncate(path, 0) == 0);
	REQUIRE(log_open("tester", path, json, least, &e) == 0);
	log_request_set(NULL);
}

static const char *written(void)
{
	FILE *f = fopen(path, "re");
	char *text = arena_alloc(arena, 65536);
	size_t n;

	REQUIRE(f != NULL);
	n = fread(text, 1, 65535, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

/* The one JSON line that was written. */
static json_t *written_json(void)
{
	const char *text = written();
	json_t *line = json_parse(arena, str_from(text), NULL);

	CHECK(line != NULL);
	CHECK(strchr(text, '\n') == text + strlen(text) - 1);
	return line;
}

static void json_lines(void)
{
	int64_t at_us;
	json_t *l;

	start(true, LOG_INFO);
	log_request_set("req-1");
	log_warn("lead.push", LOG_S("crm", "a \"b\"\n\\\x01\x7F"), LOG_I("tries", -3),
	    LOG_B("done", true), LOG_S("none", NULL), LOG_STR("part", ((struct str){"xyz", 2})));
	l = written_json();
	CHECK(clock_parse_iso(str_from(json_str(l, "time")), &at_us));
	CHECK(TEXT_EQ(json_str(l, "level"), "warn") && TEXT_EQ(json_str(l, "process"), "tester"));
	CHECK(
	    TEXT_EQ(json_str(l, "event"), "lead.push") && TEXT_EQ(json_str(l, "request"), "req-1"));
	CHECK(TEXT_EQ(json_str(l, "crm"), "a \"b\"\n\\\x01\x7F") && json_int(l, "tries") == -3);
	CHECK(json_bool(l, "done") && json_is_null(json_object_get(l, "none")));
	CHECK(TEXT_EQ(json_str(l, "part"), "xy"));
}

static void bad_bytes_are_replaced(void)
{
	start(true, LOG_INFO);
	log_info("x", LOG_STR("v", STR("ok\xC3\xA9\xFF\xC3(\xED\xA0\x80\xF0\x9F\x98\x80\xE2\x82")));
	CHECK(TEXT_EQ(json_str(written_json(), "v"),
	    "ok\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
	    "\xF0\x9F\x98\x80\xEF\xBF\xBD\xEF\xBF\xBD"));
	start(true, LOG_INFO);
	log_info("x", LOG_STR("v", STR("a\0b")));
	CHECK(strstr(written(), "\"v\":\"a\\u0000b\"") != NULL);
}

static void key_value_lines(void)
{
	const char *text;

	start(false, LOG_INFO);
	log_error("db.away", LOG_S("host", "db1:3306"), LOG_S("why", "two words"), LOG_S("e", ""),
	    LOG_S("eq", "a=b"), LOG_S("nl", "a\nb=c"), LOG_I("n", INT64_MIN), LOG_B("b", false));
	text = written();
	CHECK(strncmp(text, "time=20", 7) == 0);
	CHECK(strstr(text, " level=error process=tester event=db.away host=db1:3306 "
			   "why=\"two words\" e=\"\" eq=\"a=b\" nl=\"a\\nb=c\" "
			   "n=-9223372036854775808 b=false\n") != NULL);
}

static void levels(void)
{
	enum log_level level;

	start(false, LOG_WARN);
	log_debug("a");
	log_info("b", LOG_I("n", 1));
	CHECK(TEXT_EQ(written(), ""));
	log_warn("c");
	log_error("d");
	CHECK(strstr(written(), "event=c\n") && strstr(written(), "event=d\n"));
	CHECK(log_level_parse("debug", &level) && level == LOG_DEBUG);
	CHECK(log_level_parse("error", &level) && level == LOG_ERROR);
	CHECK(!log_level_parse("ERROR", &level) && !log_level_parse("", &level));
}

static void long_values_are_cut(void)
{
	char text[5001];
	json_t *l;

	for (size_t i = 0; i < 5000; i += 2)
		memcpy(text + i, "\xC3\xA9", 3);
	for (size_t shift = 0; shift < 2; shift++) {
		start(true, LOG_INFO);
		log_info("x", LOG_S("v", text + shift), LOG_I("n", 1));
		l = written_json();
		CHECK(strlen(json_str(l, "v")) <= 1024 + 6);
		CHECK(str_ends(str_from(json_str(l, "v")), "\xC3\xA9\xE2\x80\xA6"));
		CHECK(json_int(l, "n") == 1);
	}
}

static void long_lines_stay_whole(void)
{
	char text[1001];
	json_t *l;

	memset(text, '\x01', 1000); /* six bytes each as they are written */
	text[1000] = '\0';
	start(true, LOG_INFO);
	log_info("x", LOG_I("a", 1), LOG_S("big", text), LOG_I("b", 2));
	CHECK(strlen(written()) <= 4096);
	l = written_json();
	CHECK(json_int(l, "a") == 1 && json_int(l, "b") == 2 && json_bool(l, "cut"));
	CHECK(json_object_get(l, "big") == NULL);

	start(true, LOG_INFO);
	memset(text, 'x', 1000);
	log_info("x", LOG_S("a", text), LOG_S("b", text), LOG_S("c", text), LOG_S("d", text),
	    LOG_S("e", text));
	CHECK(strlen(written()) <= 4096);
	l = written_json();
	CHECK(json_str(l, "c") != NULL && json_str(l, "d") == NULL && json_bool(l, "cut"));
}

static void reopens(void)
{
	char moved[64];

	snprintf(moved, sizeof(moved), "%s.1", path);
	start(false, LOG_INFO);
	log_info("before");
	REQUIRE(rename(path, moved) == 0);
	log_info("between");
	log_reopen();
	log_info("after");
	CHECK(strstr(written(), "event=after") && !strstr(written(), "event=between"));
	REQUIRE(rename(moved, path) == 0);
	CHECK(strstr(written(), "event=before") && strstr(written(), "event=between"));
}

/* Where the new file cannot be made the old one goes on, and says so. */
static void reopen_fails(void)
{
	char dir[] = "/tmp/connect-log-XXXXXX", file[96], moved[64];
	struct err e = ERR_INIT;
	FILE *f;
	char text[4096];
	size_t n;

	REQUIRE(mkdtemp(dir) != NULL);
	snprintf(file, sizeof(file), "%s/log", dir);
	snprintf(moved, sizeof(moved), "%s.moved", dir);
	REQUIRE(log_open("tester", file, false, LOG_INFO, &e) == 0);
	REQUIRE(rename(dir, moved) == 0);
	log_reopen();
	log_info("after");
	log_info("later");
	snprintf(file, sizeof(file), "%s/log", moved);
	f = fopen(file, "re");
	REQUIRE(f != NULL);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	CHECK(strstr(text, "event=log.reopen_failed") != NULL);
	CHECK(strstr(text, "event=after") && strstr(text, "event=later"));
	CHECK(strstr(strstr(text, "event=after"), "reopen_failed") == NULL);
	unlink(file);
	rmdir(moved);
}

static void cannot_open(void)
{
	struct err e = ERR_INIT;

	CHECK(log_open("tester", "/nonexistent/log", true, LOG_INFO, &e) == -1);
	CHECK(strstr(e.msg, "/nonexistent/log: ") != NULL);
}

void suite_base_log(void);
void suite_base_log(void)
{
	CU_pSuite suite = CU_add_suite("base/log", begin, end);

	CU_add_test(suite, "JSON lines", json_lines);
	CU_add_test(suite, "bad bytes are replaced", bad_bytes_are_replaced);
	CU_add_test(suite, "key=value lines", key_value_lines);
	CU_add_test(suite, "levels", levels);
	CU_add_test(suite, "long values are cut", long_values_are_cut);
	CU_add_test(suite, "long lines stay whole", long_lines_stay_whole);
	CU_add_test(suite, "reopens", reopens);
	CU_add_test(suite, "reopening fails", reopen_fails);
	CU_add_test(suite, "cannot open", cannot_open);
}
