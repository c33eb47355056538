/* The floor of the web benches: what a FastCGI program costs that does nothing. N processes in the
 * plainest libfcgi loop, each answering every request with the same bytes.
 *
 *   hello-fcgi SOCKET [PROCESSES [BYTES [CONTENT-TYPE]]]
 *
 * SOCKET is a path (mode 0660, replaced when it is there) or :PORT. TERM ends it. Not part of the
 * product: it shows what the web server, the socket and libfcgi leave of the machine. */
#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKLOG 4096
#define PROCESSES_MAX 64
#define BYTES_MAX (16L * 1024 * 1024)

static pid_t children[PROCESSES_MAX];
static volatile sig_atomic_t is_over;

static void on_term(int sig)
{
	(void)sig;
	is_over = 1;
	FCGX_ShutdownPending();
}

static void serve(int fd, const char *answer, int n)
{
	FCGX_Request request;

	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, fd, FCGI_FAIL_ACCEPT_ON_INTR) != 0)
		exit(1);
	while (!is_over && FCGX_Accept_r(&request) == 0) {
		FCGX_PutStr(answer, n, request.out);
		FCGX_Finish_r(&request);
	}
	exit(0);
}

static long number(const char *text, long most, const char *what)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (end == text || *end != '\0' || v < 0 || v > most) {
		fprintf(stderr, "hello-fcgi: %s must be a number up to %ld\n", what, most);
		exit(2);
	}
	return v;
}

/* The whole answer, head and body. */
static char *answer_make(long bytes, const char *type, int *n)
{
	char *p = malloc((size_t)bytes + 512);
	int head;

	if (p == NULL)
		abort();
	head = snprintf(p, 512, "Status: 200 OK\r\nContent-Type: %s\r\nContent-Length: %ld\r\n\r\n",
	    type, bytes);
	if (head < 0 || head >= 512)
		abort();
	memset(p + head, 'x', (size_t)bytes);
	*n = head + (int)bytes;
	return p;
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_term};
	long processes, bytes, i;
	char *answer;
	int fd, n;

	if (argc < 2 || argc > 5) {
		fprintf(stderr, "usage: hello-fcgi SOCKET [PROCESSES [BYTES [CONTENT-TYPE]]]\n");
		return 2;
	}
	processes = argc > 2 ? number(argv[2], PROCESSES_MAX, "PROCESSES") : 4;
	bytes = argc > 3 ? number(argv[3], BYTES_MAX, "BYTES") : 15;
	answer = answer_make(bytes, argc > 4 ? argv[4] : "text/plain", &n);
	/* Ours first: FCGX_Init fills only places that nobody took. */
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (argv[1][0] != ':')
		unlink(argv[1]);
	fd = FCGX_OpenSocket(argv[1], BACKLOG);
	if (fd < 0 || (argv[1][0] != ':' && chmod(argv[1], 0660) != 0)) {
		fprintf(stderr, "hello-fcgi: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (i = 0; i < processes; i++) {
		children[i] = fork();
		if (children[i] == 0)
			serve(fd, answer, n);
	}
	while (!is_over)
		pause();
	for (i = 0; i < processes; i++)
		if (children[i] > 0)
			kill(children[i], SIGTERM);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	if (argv[1][0] != ':')
		unlink(argv[1]);
	free(answer);
	return 0;
}
