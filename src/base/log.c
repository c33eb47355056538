#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* A line is never longer than PIPE_BUF on Linux, so that lines of many workers don't mix within a
 * pipe. */
#define LINE_BYTES 4096
#define VALUE_BYTES 1024 /* of one value's text; the rest is cut */

struct log_line {
	char p[LINE_BYTES];
	size_t len, max;
	bool is_over;
};

static struct {
	char process[32], path[512], request[65];
	int fd;
	bool json;
	enum log_level least;
} state = {.process = "connect", .fd = STDERR_FILENO, .least = LOG_INFO};

/* The errno of a log_reopen that failed, for the next line to tell: a handler cannot. */
static volatile sig_atomic_t reopen_errno;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

bool log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static int file_open(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

int log_open(
    const char *process, const char *path, bool json, enum log_level least, struct err *err)
{
	int fd = STDERR_FILENO;

	if (!path)
		path = "";
	if (strlen(path) >= sizeof(state.path))
		return err_set(err, ERR_INVALID, "log file: path is too long");
	if (path[0]) {
		fd = file_open(path);
		if (fd == -1)
			return err_set(err, ERR_INTERNAL, "log file %s: %s", path, strerror(errno));
	}
	if (state.fd != STDERR_FILENO)
		close(state.fd);
	state.fd = fd;
	snprintf(state.process, sizeof(state.process), "%s", process);
	snprintf(state.path, sizeof(state.path), "%s", path);
	state.json = json;
	state.least = least;
	return 0;
}

/* The new file takes the old one's number in one step, so a line that is being written is whole in
 * one of the two. */
void log_reopen(void)
{
	int saved_errno = errno, fd;

	if (!state.path[0])
		return;
	fd = file_open(state.path);
	if (fd == -1 || dup3(fd, state.fd, O_CLOEXEC) == -1)
		reopen_errno = errno;
	if (fd != -1)
		close(fd);
	errno = saved_errno;
}

void log_request_set(const char *id)
{
	snprintf(state.request, sizeof(state.request), "%s", id ? id : "");
}

static void line_add(struct log_line *l, const void *p, size_t n)
{
	if (l->is_over || n > l->max - l->len) {
		l->is_over = true;
		return;
	}
	memcpy(l->p + l->len, p, n);
	l->len += n;
}

static void line_add_text(struct log_line *l, const char *s)
{
	line_add(l, s, strlen(s));
}

/* The bytes of the well-formed UTF-8 character at the front of s, or 0. */
static size_t utf8_character(struct str s)
{
	for (size_t n = 2; n <= 4 && n <= s.n; n++)
		if (utf8_is_valid((struct str){s.p, n}))
			return n;
	return 0;
}

static void line_add_escaped(struct log_line *l, struct str s)
{
	bool is_cut = s.n > VALUE_BYTES;
	char code[8];

	if (is_cut)
		s.n = VALUE_BYTES;
	while (s.n) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = 1;

		if (c == '"' || c == '\\') {
			line_add(l, (const char[]){'\\', (char)c}, 2);
		} else if (c == '\n') {
			line_add_text(l, "\\n");
		} else if (c < 0x20 || c == 0x7F) {
			snprintf(code, sizeof(code), "\\u%04x", c);
			line_add_text(l, code);
		} else if (c < 0x80) {
			line_add(l, s.p, 1);
		} else if ((n = utf8_character(s)) > 0) {
			line_add(l, s.p, n);
		} else {
			n = 1;
			if (!is_cut || s.n > 3) /* else the cut made it, and "…" follows */
				line_add_text(l, "\xEF\xBF\xBD");
		}
		s.p += n;
		s.n -= n;
	}
	if (is_cut)
		line_add_text(l, "\xE2\x80\xA6");
}

static void line_add_quoted(struct log_line *l, struct str s)
{
	line_add_text(l, "\"");
	line_add_escaped(l, s);
	line_add_text(l, "\"");
}

/* What needs no quotes as the value of key=value. */
static bool value_is_bare(struct str s)
{
	if (s.n == 0 || s.n > VALUE_BYTES)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("\"\\=", s.p[i]))
			return false;
	return true;
}

static void line_add_value(struct log_line *l, const struct log_field *f)
{
	char number[24];

	if (f->kind == LOG_NUMBER) {
		snprintf(number, sizeof(number), "%lld", (long long)f->number);
		line_add_text(l, number);
	} else if (f->kind == LOG_BOOL) {
		line_add_text(l, f->number ? "true" : "false");
	} else if (!f->text.p) {
		line_add_text(l, "null");
	} else if (!state.json && value_is_bare(f->text)) {
		line_add(l, f->text.p, f->text.n);
	} else {
		line_add_quoted(l, f->text);
	}
}

/* A field that has no room any more is left out whole, and said so at the end of the line. */
static bool line_add_field(struct log_line *l, const struct log_field *f)
{
	size_t before = l->len;

	if (before > 1)
		line_add_text(l, state.json ? "," : " ");
	if (state.json) {
		line_add_quoted(l, str_from(f->key));
		line_add_text(l, ":");
	} else {
		line_add_text(l, f->key);
		line_add_text(l, "=");
	}
	line_add_value(l, f);
	if (!l->is_over)
		return true;
	l->len = before;
	l->is_over = false;
	return false;
}

static void line_write(const struct log_line *l)
{
	ssize_t n;

	do
		n = write(state.fd, l->p, l->len);
	while (n < 0 && errno == EINTR);
}

static void reopen_error_tell(void)
{
	int number = reopen_errno;

	if (number == 0)
		return;
	reopen_errno = 0;
	log_error("log.reopen_failed", LOG_S("path", state.path), LOG_S("error", strerror(number)));
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, int n)
{
	const struct log_field cut = LOG_B("cut", true);
	int saved_errno = errno;
	char now[CLOCK_TEXT];
	bool is_whole = true;
	struct log_line l;

	if (level < state.least)
		return;
	reopen_error_tell();
	l.len = 0;
	l.max = sizeof(l.p) - 32; /* room for the last words */
	l.is_over = false;
	clock_iso(now, clock_now_us());
	if (state.json)
		line_add_text(&l, "{");
	line_add_field(&l, &LOG_S("time", now));
	line_add_field(&l, &LOG_S("level", level_names[level]));
	line_add_field(&l, &LOG_S("process", state.process));
	is_whole &= line_add_field(&l, &LOG_S("event", event));
	if (state.request[0])
		line_add_field(&l, &LOG_S("request", state.request));
	for (int i = 0; i < n; i++)
		is_whole &= line_add_field(&l, &fields[i]);
	l.max = sizeof(l.p);
	if (!is_whole)
		line_add_field(&l, &cut);
	line_add_text(&l, state.json ? "}\n" : "\n");
	line_write(&l);
	errno = saved_errno;
}
