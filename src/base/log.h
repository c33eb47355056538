/* One line per event, to standard error or a file: JSON or key=value. Values are escaped; nobody
 * passes a secret. Format: time, level, process, event, request id when set, then the fields. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
	const char *key;
	enum { LOG_TEXT, LOG_NUMBER, LOG_BOOL } kind;
	struct str text;
	int64_t number;
};

#define LOG_S(k, v) ((struct log_field){.key = (k), .kind = LOG_TEXT, .text = str_from(v)})
#define LOG_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_TEXT, .text = (v)})
#define LOG_I(k, v) ((struct log_field){.key = (k), .kind = LOG_NUMBER, .number = (int64_t)(v)})
#define LOG_B(k, v) ((struct log_field){.key = (k), .kind = LOG_BOOL, .number = (v)})
#define LOG_ERR(e) LOG_S("error", (e)->msg)

/* process names this program in each line; path NULL or "" is standard error. */
int log_open(
    const char *process, const char *path, bool json, enum log_level least, struct err *err);
/* "debug", "info", "warn", "error"; false for anything else. */
bool log_level_parse(const char *text, enum log_level *level);
/* Goes over to a new file of the same path, the old one having been renamed (logrotate). May be
 * called by a signal handler. When that fails the old file stays, and the next line says so. */
void log_reopen(void);
void log_request_set(const char *id); /* copied (≤ 64 bytes); NULL clears */
void log_write(enum log_level level, const char *event, const struct log_field *fields, int n);

#define LOG_FIELDS(...)                                                                            \
	(const struct log_field[]){__VA_ARGS__},                                                   \
	    (int)(sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_debug(event, ...) log_write(LOG_DEBUG, event, LOG_FIELDS(__VA_ARGS__))
#define log_info(event, ...) log_write(LOG_INFO, event, LOG_FIELDS(__VA_ARGS__))
#define log_warn(event, ...) log_write(LOG_WARN, event, LOG_FIELDS(__VA_ARGS__))
#define log_error(event, ...) log_write(LOG_ERROR, event, LOG_FIELDS(__VA_ARGS__))

#endif
