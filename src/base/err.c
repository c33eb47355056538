#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Drops a multi-byte character that the end of the field cut in two. */
static void trim_cut_character(char *s, size_t size)
{
	size_t n = strlen(s), back = 0;
	unsigned char lead;

	if (n + 1 < size)
		return;
	while (back < 3 && back < n && ((unsigned char)s[n - 1 - back] & 0xC0) == 0x80)
		back++;
	if (back == n)
		return;
	lead = (unsigned char)s[n - 1 - back];
	if (lead >= 0xC0 && back < (lead >= 0xF0 ? 3u : lead >= 0xE0 ? 2u : 1u))
		s[n - 1 - back] = '\0';
}

static void err_format(struct err *err, enum err_code code, const char *field, const char *fmt,
    va_list ap) __attribute__((format(printf, 4, 0)));

static void err_format(
    struct err *err, enum err_code code, const char *field, const char *fmt, va_list ap)
{
	if (!err || err->code != ERR_NONE)
		return;
	err->code = code;
	snprintf(err->field, sizeof(err->field), "%s", field ? field : "");
	trim_cut_character(err->field, sizeof(err->field));
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	trim_cut_character(err->msg, sizeof(err->msg));
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_format(err, code, NULL, fmt, ap);
	va_end(ap);
	return -1;
}

int err_field(struct err *err, enum err_code code, const char *field, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_format(err, code, field, fmt, ap);
	va_end(ap);
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char prefix[sizeof(err->msg)], whole[2 * sizeof(err->msg) + 2] = "";
	va_list ap;

	if (!err || err->code == ERR_NONE)
		return -1;
	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof(whole), "%s: %s", prefix, err->msg);
	memcpy(err->msg, whole, sizeof(err->msg) - 1);
	err->msg[sizeof(err->msg) - 1] = '\0';
	trim_cut_character(err->msg, sizeof(err->msg));
	return -1;
}

void err_clear(struct err *err)
{
	if (err)
		*err = ERR_INIT;
}
