/* connect-sandbox: Meta's Graph API and a CRM for newcomers, tests and benches. A FastCGI program;
 * its commands send signed leads from the shell. */
#include <getopt.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "process/process.h"
#include "sandbox/play.h"
#include "sandbox/signing.h"

#define WORKERS_DEFAULT 4
#define SEND_MAX 1000000
#define BODY_MAX (16u * 1024u * 1024u)

static int sandbox_usage(FILE *to)
{
	fputs(
	    "usage: connect-sandbox [-s SOCKET] [-d DIR] [-c FILE] [-t DIR] [-w WORKERS]\n"
	    "       connect-sandbox send-lead [-d DIR] [-c FILE] [--count N] [--email ADDRESS] "
	    "[--name NAME]\n"
	    "                                 [--phone NUMBER] [--company NAME] [--same-as LEAD]\n"
	    "       connect-sandbox connect --url URL --key KEY\n"
	    "       connect-sandbox sign --secret SECRET < BODY\n"
	    "  -s  FastCGI socket, a path or host:port (default: descriptor 0)\n"
	    "  -d  folder of the sandbox's state (default: $CONNECT_STATE/sandbox)\n"
	    "  -c  how to reach the product (default: $CONNECT_STATE/sandbox.json)\n"
	    "  -t  templates of the pages\n"
	    "  -w  worker processes (default: 4)\n",
	    to);
	return to == stdout ? 0 : 2;
}

static int sandbox_complain(const struct err *err)
{
	fprintf(stderr, "connect-sandbox: %s\n", err->msg);
	return 1;
}

/* $CONNECT_STATE/name, below var/ where it is not set. */
static const char *state_path(struct arena *a, const char *name)
{
	const char *state = getenv("CONNECT_STATE");

	return arena_printf(a, "%s/%s", state != NULL && *state != '\0' ? state : "var", name);
}

/* ---- serving ------------------------------------------------------------------------------- */

static int sandbox_worker(void *arg, int index)
{
	(void)index;
	return server_run(arg, 0);
}

struct options {
	const char *socket, *dir, *credentials, *templates;
	int64_t workers;
};

static int sandbox_serve_with(struct arena *a, const struct options *o, char **argv)
{
	static struct sandbox s;
	struct err err = ERR_INIT;
	struct server server = {.app = &s.app};
	struct prefork_group group = {"connect-sandbox", (int)o->workers, sandbox_worker, &server};

	if (log_open("connect-sandbox", NULL, false, LOG_INFO, &err) == -1 ||
	    sandbox_init(&s, a, o->dir, o->credentials, o->templates, &err) == -1 ||
	    (server.router =
		    router_new(a, sandbox_routes, sandbox_nroutes, &sandbox_hooks, &err)) == NULL ||
	    process_listen(o->socket, &server.listen_fd, &err) == -1)
		return sandbox_complain(&err);
	return prefork_run(&(struct prefork){.groups = &group,
	    .ngroups = 1,
	    .argv = argv,
	    .listen_fd = server.listen_fd,
	    .stop_us = 10 * SECOND_US,
	    .reload_us = 10 * SECOND_US});
}

static int serve_main(struct arena *a, int argc, char **argv)
{
	struct options o = {"", state_path(a, "sandbox"), state_path(a, "sandbox.json"),
	    CONNECT_DATADIR "/templates-sandbox", WORKERS_DEFAULT};
	static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "s:d:c:t:w:h", longs, NULL)) != -1) {
		switch (opt) {
		case 's':
			o.socket = optarg;
			break;
		case 'd':
			o.dir = optarg;
			break;
		case 'c':
			o.credentials = optarg;
			break;
		case 't':
			o.templates = optarg;
			break;
		case 'w':
			if (!str_to_i64(str_from(optarg), 1, 256, &o.workers))
				return sandbox_usage(stderr);
			break;
		case 'h':
			return sandbox_usage(stdout);
		default:
			return sandbox_usage(stderr);
		}
	}
	return optind < argc ? sandbox_usage(stderr) : sandbox_serve_with(a, &o, argv);
}

/* ---- commands ------------------------------------------------------------------------------ */

/* Sends count leads, one line of JSON for each answer; fails when any was not taken. */
static int send_leads(struct sandbox *s, const json_t *wishes, int64_t count)
{
	struct arena *a = arena_new();
	int rc = 0;

	for (int64_t i = 0; i < count; i++) {
		struct err err = ERR_INIT;
		json_t *answer;
		int64_t status;

		arena_reset(a);
		answer = hook_send_lead(s, a, wishes, &err);
		if (answer == NULL) {
			rc = sandbox_complain(&err);
			break;
		}
		printf("%s\n", json_text(a, answer).p);
		status = json_int(answer, "status");
		if (status < 200 || status > 299)
			rc = 1;
		json_decref(answer);
	}
	arena_free(a);
	return rc;
}

static int send_lead_main(struct arena *a, int argc, char **argv)
{
	static const struct option longs[] = {{"count", required_argument, NULL, 'n'},
	    {"email", required_argument, NULL, 'E'}, {"name", required_argument, NULL, 'N'},
	    {"phone", required_argument, NULL, 'P'}, {"company", required_argument, NULL, 'C'},
	    {"same-as", required_argument, NULL, 'S'}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	const char *dir = state_path(a, "sandbox"), *credentials = state_path(a, "sandbox.json");
	json_t *wishes = json_own(a, json_object());
	static struct sandbox s; /* the arena releases what it holds */
	struct err err = ERR_INIT;
	int64_t count = 1;
	int opt, at = 0;

	while ((opt = getopt_long(argc, argv, "d:c:h", longs, &at)) != -1) {
		switch (opt) {
		case 'd':
			dir = optarg;
			break;
		case 'c':
			credentials = optarg;
			break;
		case 'n':
			if (!str_to_i64(str_from(optarg), 1, SEND_MAX, &count))
				return sandbox_usage(stderr);
			break;
		case 'S':
			json_set_str(wishes, "same_as", optarg);
			break;
		case 'E':
		case 'N':
		case 'P':
		case 'C':
			if (!utf8_is_valid(str_from(optarg)))
				return sandbox_usage(stderr);
			json_set_str(wishes, longs[at].name, optarg);
			break;
		case 'h':
			return sandbox_usage(stdout);
		default:
			return sandbox_usage(stderr);
		}
	}
	if (optind < argc)
		return sandbox_usage(stderr);
	if (sandbox_init(&s, a, dir, credentials, NULL, &err) == -1)
		return sandbox_complain(&err);
	return send_leads(&s, wishes, count);
}

/* Prints the connections that there are then, {provider: id}. */
static int connect_main(struct arena *a, int argc, char **argv)
{
	static const struct option longs[] = {{"url", required_argument, NULL, 'u'},
	    {"key", required_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	static struct sandbox s; /* the arena releases what it holds */
	const char *url = NULL, *key = NULL;
	struct err err = ERR_INIT;
	json_t *made;
	int opt;

	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (opt == 'h')
			return sandbox_usage(stdout);
		if (opt != 'u' && opt != 'k')
			return sandbox_usage(stderr);
		*(opt == 'u' ? &url : &key) = optarg;
	}
	if (url == NULL || key == NULL || optind < argc)
		return sandbox_usage(stderr);
	if (sandbox_init(&s, a, state_path(a, "sandbox"), NULL, NULL, &err) == -1)
		return sandbox_complain(&err);
	made = play_connect_all(&s, a, url, key, &err);
	if (made == NULL)
		return sandbox_complain(&err);
	printf("%s\n", json_text(a, json_own(a, made)).p);
	return 0;
}

static int sign_main(struct arena *a, int argc, char **argv)
{
	static const struct option longs[] = {{"secret", required_argument, NULL, 's'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct buf *body = buf_new(a, BODY_MAX);
	const char *secret = NULL;
	char block[4096];
	ssize_t n;
	int opt;

	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (opt == 'h')
			return sandbox_usage(stdout);
		if (opt != 's')
			return sandbox_usage(stderr);
		secret = optarg;
	}
	if (secret == NULL || optind < argc)
		return sandbox_usage(stderr);
	while ((n = read(STDIN_FILENO, block, sizeof(block))) > 0)
		buf_add(body, block, (size_t)n);
	if (n < 0 || !buf_ok(body)) {
		fprintf(stderr, "connect-sandbox: the body cannot be read or is too large\n");
		return 1;
	}
	printf("X-Hub-Signature-256: %s\n", sign_hub(a, secret, (struct str){body->p, body->len}));
	return 0;
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	const char *command = argc > 1 ? argv[1] : "";
	int rc;

	if (strcmp(command, "send-lead") == 0)
		rc = send_lead_main(a, argc - 1, argv + 1);
	else if (strcmp(command, "connect") == 0)
		rc = connect_main(a, argc - 1, argv + 1);
	else if (strcmp(command, "sign") == 0)
		rc = sign_main(a, argc - 1, argv + 1);
	else
		rc = serve_main(a, argc, argv);
	arena_free(a);
	return rc;
}
