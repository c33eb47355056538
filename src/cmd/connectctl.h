/* The operator's tool: its commands, one file per family, and what they share. */
#ifndef CMD_CONNECTCTL_H
#define CMD_CONNECTCTL_H

#include "base/app.h"
#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/json.h"
#include "product/product.h"

enum {
	CTL_OK = 0,
	CTL_FAILED = 1, /* and said why, on standard error or as its result */
	CTL_USAGE = 2,
};

struct ctl_command;

struct ctl {
	struct arena *a;
	struct app app;
	const char *config_file; /* NULL: environment and defaults */
	const struct ctl_command *command;
	int argc; /* what stands after the command's words */
	char **argv;
};

/* run returns an exit status, or -1 with err, which main prints. */
struct ctl_command {
	const char *words, *arguments, *meaning;
	int (*run)(struct ctl *c, struct err *err);
	unsigned needs; /* 0: nothing; else APP_ bits of product/product.h, made ready before run */
};
/* Options of a command: --name VALUE, --name=VALUE, --flag. One of value, flag, list is set. */
struct ctl_list {
	const char **v;
	size_t n;
};
struct ctl_option {
	const char *name;
	const char **value;
	bool *flag;
	struct ctl_list *list; /* takes every argument up to the next option; may be repeated */
};
/* Reads argv by the options, the last of which has no name; the rest goes to *operands, of which
 * there must be least to most. CTL_OK, or CTL_USAGE after saying what is wrong. */
int ctl_read(struct ctl *c, const struct ctl_option *options, struct ctl_list *operands,
    size_t least, size_t most);
/* The id in text, which what names; text NULL: it is missing. CTL_OK, or CTL_USAGE after saying so.
 */
int ctl_read_id(struct ctl *c, const char *text, const char *what, struct uuid *id);
/* Says how the command is used. Always CTL_USAGE. */
int ctl_usage(const struct ctl *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One line of JSON on standard output. Steals value. */
void ctl_print_json(struct ctl *c, json_t *value);
/* A password: given, or the first line of standard input, or NULL with *is_made and a new one in
 * *text. */
int ctl_password(struct ctl *c, const char *given, bool from_stdin, const char **text,
    bool *is_made, struct err *err);

int ctl_config_check(struct ctl *c, struct err *err);
int ctl_config_print(struct ctl *c, struct err *err);
int ctl_key_init(struct ctl *c, struct err *err);
int ctl_rotate_key(struct ctl *c, struct err *err);
int ctl_app_add(struct ctl *c, struct err *err);
int ctl_app_list(struct ctl *c, struct err *err);
int ctl_app_change(struct ctl *c, struct err *err);
int ctl_app_remove(struct ctl *c, struct err *err);
int ctl_migrate_up(struct ctl *c, struct err *err);
int ctl_migrate_status(struct ctl *c, struct err *err);
int ctl_partitions(struct ctl *c, struct err *err);
int ctl_doctor(struct ctl *c, struct err *err);

int ctl_privacy_erase(struct ctl *c, struct err *err);
int ctl_privacy_export(struct ctl *c, struct err *err);
int ctl_account_create(struct ctl *c, struct err *err);
int ctl_account_list(struct ctl *c, struct err *err);
int ctl_user_add(struct ctl *c, struct err *err);
int ctl_user_password(struct ctl *c, struct err *err);
int ctl_user_totp(struct ctl *c, struct err *err);
int ctl_api_key_create(struct ctl *c, struct err *err);
int ctl_api_key_revoke(struct ctl *c, struct err *err);
int ctl_setup_link(struct ctl *c, struct err *err);

int ctl_queue(struct ctl *c, struct err *err);
int ctl_queue_pause(struct ctl *c, struct err *err);
int ctl_queue_resume(struct ctl *c, struct err *err);
int ctl_queue_try(struct ctl *c, struct err *err);
int ctl_queue_retry(struct ctl *c, struct err *err);

int ctl_poll_list(struct ctl *c, struct err *err);
int ctl_poll_run(struct ctl *c, struct err *err);
int ctl_poll_pause(struct ctl *c, struct err *err);
int ctl_poll_resume(struct ctl *c, struct err *err);
int ctl_poll_backfill(struct ctl *c, struct err *err);
int ctl_events_replay(struct ctl *c, struct err *err);

int ctl_provider_check(struct ctl *c, struct err *err);
int ctl_provider_list(struct ctl *c, struct err *err);

#endif
