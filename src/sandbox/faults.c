/* Faults on demand: what is to go wrong stands in faults.json; each request looks whether the file
 * changed. */
#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "crypto/random.h"
#include "process/process.h"
#include "sandbox/journal.h"
#include "sandbox/play.h"
#include "sandbox/sandbox.h"

#define FAULTS_MAX_BYTES 65536u
#define FAULTS_MAX 64u
#define DEFAULT_MS 60000
#define SLOW_MS 3000
#define MS_MAX 600000
#define PIECE_BYTES 8192u
#define UNFINISHED_BYTES                                                                           \
	(3u * 1024u * 1024u) /* less than callers accept: it is not refused for its length */
#define DRIP_PIECES (UNFINISHED_BYTES / PIECE_BYTES - 4)
#define HUGE_BYTES (10u * 1024u * 1024u)

struct faults {
	const char *path, *lock_path;
	struct arena *a; /* of settings */
	json_t *settings;
	struct timespec mtime;
	ino_t ino;
	off_t size;
	bool is_loaded;
};

static const struct {
	const char *name;
	enum fault_kind kind;
} kinds[] = {
    {"throttle", FAULT_THROTTLE},
    {"token", FAULT_TOKEN},
    {"error", FAULT_ERROR},
    {"slow", FAULT_SLOW},
    {"timeout", FAULT_TIMEOUT},
    {"drip", FAULT_DRIP},
    {"reset", FAULT_RESET},
    {"lost", FAULT_LOST},
    {"huge", FAULT_HUGE},
    {"invalid", FAULT_INVALID},
    {"redirect", FAULT_REDIRECT},
    {"answer", FAULT_ANSWER},
    {"rows", FAULT_ROWS},
};

static enum fault_kind fault_kind_of(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].kind;
	return FAULT_NONE;
}

const char *fault_name(enum fault_kind kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind == kind)
			return kinds[i].name;
	return "none";
}

static void faults_release(void *object)
{
	struct faults *f = object;

	arena_free(f->a);
}

struct faults *faults_new(struct arena *a, const char *dir)
{
	struct faults *f = arena_zalloc(a, sizeof(*f));

	f->path = arena_printf(a, "%s/faults.json", dir);
	f->lock_path = arena_printf(a, "%s/faults.lock", dir);
	f->a = arena_new();
	arena_on_free(a, faults_release, f);
	return f;
}

/* ---- the settings ------------------------------------------------------------------------- */

static json_t *faults_none(struct arena *a)
{
	return json_own(
	    a, json_pack("{s:{s:i,s:i},s:[]}", "latency_ms", "graph", 0, "crm", 0, "faults"));
}

static int faults_load(struct faults *f, struct err *err)
{
	struct stat st = {0};
	struct str text = {NULL, 0};
	const bool exists = stat(f->path, &st) == 0;

	if (f->is_loaded && st.st_ino == f->ino && st.st_size == f->size &&
	    st.st_mtim.tv_sec == f->mtime.tv_sec && st.st_mtim.tv_nsec == f->mtime.tv_nsec)
		return 0;
	f->is_loaded = false;
	arena_reset(f->a);
	f->settings = faults_none(f->a);
	if (exists) {
		if (file_find(f->a, f->path, FAULTS_MAX_BYTES, &text, err) == -1)
			return -1;
		if (text.n > 0)
			f->settings = json_parse(f->a, text, err);
		if (f->settings == NULL) {
			f->settings = faults_none(f->a);
			return err_prefix(err, "%s", f->path);
		}
	}
	f->ino = st.st_ino;
	f->size = st.st_size;
	f->mtime = st.st_mtim;
	f->is_loaded = true;
	return 0;
}

json_t *faults_get(struct faults *f, struct arena *a, struct err *err)
{
	if (faults_load(f, err) == -1)
		return NULL;
	return json_own(a, json_deep_copy(f->settings));
}

static int faults_store(struct faults *f, const json_t *settings, struct err *err)
{
	struct arena *a = arena_new();
	const int rc = file_replace(f->path, json_text(a, settings), err);

	arena_free(a);
	return rc;
}

static bool fault_kind_parse(struct str name, void *kind)
{
	*(enum fault_kind *)kind = fault_kind_of(name.p);
	return fault_kind_of(name.p) != FAULT_NONE;
}

/* Checked only: what is stored is the JSON. */
struct fault_body {
	const char *target;
	enum fault_kind kind;
	int64_t number, status; /* status 0: not given */
	double probability;
	struct str path, location, body, match;
};

/* "crm", one of them ("crm.NAME"), "graph" (Meta), another provider, a provider's token endpoint
 * ("slack.token"), "all". */
static bool fault_target_parse(struct str text, void *out)
{
	struct str name = text;

	if (str_starts(text, "crm.") && text.n > sizeof("crm.") - 1)
		return true;
	if (str_ends(name, ".token"))
		name.n -= sizeof(".token") - 1;
	else if (str_is(text, "graph") || str_is(text, "crm") || str_is(text, "all"))
		return true;
	(void)out;
	return play_find(name) != NULL;
}

#define FAULT_NUMBER(name, least, most)                                                            \
	{                                                                                          \
		name, READ_INT, JSON_INTO(struct fault_body, number), .min = (least),              \
								      .max = (most)                \
	}

static const struct json_member fault_members[] = {
    {"target", READ_PARSED, JSON_INTO(struct fault_body, target), .need = READ_NEEDED,
	.parse = fault_target_parse,
	.rule = "must be crm, crm.NAME, graph, another provider's name, NAME.token or all"},
    {"kind", READ_PARSED, JSON_INTO(struct fault_body, kind), .need = READ_NEEDED,
	.parse = fault_kind_parse,
	.rule = "must be throttle, token, error, slow, timeout, drip, reset, lost, huge, invalid, "
		"redirect, answer or rows"},
    {"path", READ_TEXT, JSON_INTO(struct fault_body, path), .need = READ_NULLABLE, .max = 200},
    {"probability", READ_NUMBER, JSON_INTO(struct fault_body, probability), .max = 1},
    {"location", READ_TEXT, JSON_INTO(struct fault_body, location), .need = READ_NULLABLE},
    {"body", READ_TEXT, JSON_INTO(struct fault_body, body), .need = READ_NULLABLE},
    {"match", READ_TEXT, JSON_INTO(struct fault_body, match)}, FAULT_NUMBER("count", 0, 1000000000),
    {"status", READ_INT, JSON_INTO(struct fault_body, status), .min = 200, .max = 599},
    FAULT_NUMBER("code", 1, 1000000), FAULT_NUMBER("ms", 0, MS_MAX),
    FAULT_NUMBER("retry_after_s", 0, 86400)};

static int faults_check(struct json_reader *in, const json_t *list)
{
	const json_t *one;
	size_t i, top = json_reader_enter(in, "faults");

	json_array_each(list, i, one) {
		size_t mark = json_reader_enter_index(in, i);
		struct fault_body body = {.status = 0};

		if (json_read_members(in, one, JSON_MEMBERS(fault_members), &body) == -1)
			return -1;
		if (body.status != 0 && body.status < 400 && body.kind != FAULT_REDIRECT &&
		    body.kind != FAULT_ANSWER)
			return json_reader_fail_at(in, "status", "must be 400 to 599");
		json_reader_leave(in, mark);
	}
	json_reader_leave(in, top);
	return 0;
}

struct latencies {
	int64_t graph, crm;
};

/* A number stands for both targets. */
static int latencies_read(struct json_reader *in, json_t *v, struct latencies *out)
{
	static const struct json_member members[] = {
	    {"graph", READ_INT, JSON_INTO(struct latencies, graph), .max = MS_MAX},
	    {"crm", READ_INT, JSON_INTO(struct latencies, crm), .max = MS_MAX}};
	size_t mark = json_reader_enter(in, "latency_ms");
	int rc = 0;

	if (json_is_object(v)) {
		rc = json_read_members(in, v, JSON_MEMBERS(members), out);
	} else if (v != NULL) {
		rc = json_read_value(in, v, &members[0], &out->graph);
		out->crm = out->graph;
	}
	json_reader_leave(in, mark);
	return rc;
}

struct faults_body {
	json_t *list, *latency;
};

int faults_put(struct faults *f, const json_t *settings, struct err *err)
{
	static const struct json_member members[] = {
	    {"faults", READ_LIST, JSON_INTO(struct faults_body, list), .max = FAULTS_MAX},
	    {"latency_ms", READ_ANY, JSON_INTO(struct faults_body, latency)}};
	struct json_reader in = {.err = err};
	struct faults_body body = {NULL, NULL};
	struct latencies ms = {0, 0};
	json_t *clean;
	int fd, rc;

	if (json_read_members(&in, settings, JSON_MEMBERS(members), &body) == -1 ||
	    faults_check(&in, body.list) == -1 || latencies_read(&in, body.latency, &ms) == -1)
		return -1;
	clean = json_pack("{s:{s:I,s:I},s:o}", "latency_ms", "graph", (json_int_t)ms.graph, "crm",
	    (json_int_t)ms.crm, "faults",
	    body.list != NULL ? json_deep_copy(body.list) : json_array());
	fd = state_lock(f->lock_path, err);
	rc = fd == -1 ? -1 : faults_store(f, clean, err);
	if (fd >= 0)
		close(fd);
	json_decref(clean);
	return rc;
}

/* ---- drawing ------------------------------------------------------------------------------ */

/* Whose request it is. */
struct fault_aim {
	const char *target;
	struct str name, path;
};

/* At the target, or at one of several by name; where a path is said, at addresses that contain it.
 */
static bool fault_is_aimed(const json_t *one, const struct fault_aim *aim)
{
	const char *at = json_str(one, "target"), *part = json_str(one, "path");
	const size_t n = strlen(aim->target);

	if (at == NULL ||
	    (part != NULL && memmem(aim->path.p, aim->path.n, part, strlen(part)) == NULL))
		return false;
	if (strcmp(at, aim->target) == 0 || strcmp(at, "all") == 0)
		return true;
	return aim->name.n > 0 && strncmp(at, aim->target, n) == 0 && at[n] == '.' &&
	       str_is(aim->name, at + n + 1);
}

static bool fault_is_due(const json_t *one)
{
	const json_t *probability = json_object_get(one, "probability"),
		     *count = json_object_get(one, "count");

	if (count != NULL && json_integer_value(count) <= 0)
		return false;
	if (probability == NULL)
		return true;
	return (double)random_below(1u << 30) < json_number_value(probability) * (1u << 30);
}

/* Takes one off the i-th fault's count, if another process was not quicker. */
static bool fault_use_up(struct faults *f, size_t i)
{
	const int fd = state_lock(f->lock_path, NULL);
	bool is_ours = false;
	json_t *one, *count;

	if (fd == -1)
		return false;
	if (faults_load(f, NULL) == 0) {
		one = json_array_get(json_object_get(f->settings, "faults"), i);
		count = json_object_get(one, "count");
		if (count != NULL && json_integer_value(count) > 0) {
			json_integer_set(count, json_integer_value(count) - 1);
			is_ours = faults_store(f, f->settings, NULL) == 0;
		}
	}
	close(fd);
	return is_ours;
}

static void sleep_ms(int64_t ms)
{
	/* In slices, so that a worker told to stop does. */
	for (int64_t left = ms; left > 0 && !process_is_stopping(); left -= 100) {
		const int64_t slice = left < 100 ? left : 100;
		const struct timespec ts = {0, (long)slice * 1000000};

		(void)nanosleep(&ts, NULL);
	}
}

static struct fault fault_read(const json_t *one)
{
	struct fault fault = {.kind = fault_kind_of(json_str(one, "kind"))};

	fault.status = (int)json_int(one, "status");
	fault.code = (int)json_int(one, "code");
	fault.ms = json_object_get(one, "ms") != NULL ? json_int(one, "ms")
		   : fault.kind == FAULT_SLOW         ? SLOW_MS
						      : DEFAULT_MS;
	fault.retry_after_s =
	    json_object_get(one, "retry_after_s") != NULL ? json_int(one, "retry_after_s") : 1;
	fault.location = json_str(one, "location");
	if (fault.location == NULL)
		fault.location = "http://169.254.169.254/latest/meta-data/";
	fault.body = json_str(one, "body");
	if (fault.body == NULL)
		fault.body = "{\"ok\":false}";
	fault.match = json_str(one, "match");
	if (fault.match == NULL)
		fault.match = "bad";
	return fault;
}

struct fault faults_draw(struct faults *f, const char *target, struct str name, struct str path)
{
	const struct fault_aim aim = {target, name, path};
	struct fault fault = {.kind = FAULT_NONE};
	const json_t *one;
	size_t i;

	(void)faults_load(f, NULL);
	if (f->settings == NULL)
		return fault;
	sleep_ms(json_int(json_object_get(f->settings, "latency_ms"), target));
	json_array_each(json_object_get(f->settings, "faults"), i, one) {
		if (!fault_is_aimed(one, &aim) || !fault_is_due(one))
			continue;
		if (json_object_get(one, "count") != NULL) {
			if (!fault_use_up(f, i))
				return fault; /* the list changed meanwhile: this one goes free */
			one = json_array_get(json_object_get(f->settings, "faults"), i);
		}
		fault = fault_read(one);
		if (fault.kind == FAULT_SLOW) {
			sleep_ms(fault.ms);
			fault.kind = FAULT_NONE;
		}
		return fault;
	}
	return fault;
}

/* ---- answering ---------------------------------------------------------------------------- */

/* FastCGI buffers what is written up to this many bytes: less never leaves before the end. */
static int answer_write_piece(struct req *r)
{
	char blanks[PIECE_BYTES];

	memset(blanks, ' ', sizeof(blanks));
	return res_stream_write(r, (struct str){blanks, sizeof(blanks)});
}

/* Promises more than ever comes; the handler's -1 then has the connection closed as it is. */
static int answer_start_unfinished(struct req *r)
{
	res_headerf(r, "Content-Length", "%u", UNFINISHED_BYTES);
	if (res_stream_start(r, 200, "application/json") == -1 ||
	    res_stream_write(r, STR("{\"data\":[")) == -1)
		return -1;
	return answer_write_piece(r) == -1 || answer_write_piece(r) == -1 ? -1 : 0;
}

int fault_cut(struct req *r)
{
	(void)answer_start_unfinished(r);
	return -1;
}

static int answer_throttled(struct req *r, bool is_graph, const struct fault *fault)
{
	const int code = fault->code != 0 ? fault->code : 4;
	json_t *error;

	if (!is_graph) {
		res_headerf(r, "Retry-After", "%lld", (long long)fault->retry_after_s);
		return res_json(r, fault->status != 0 ? fault->status : 429,
		    json_pack("{s:s}", "error", "Too many requests"));
	}
	res_header(r, "X-App-Usage", "{\"call_count\":100,\"total_cputime\":25,\"total_time\":30}");
	res_header(r, "X-Business-Use-Case-Usage",
	    "{\"1\":[{\"type\":\"leadgen\",\"call_count\":100,"
	    "\"total_cputime\":25,\"total_time\":30,\"estimated_time_to_regain_access\":1}]}");
	error = json_pack("{s:{s:s,s:s,s:i,s:s}}", "error", "message",
	    "(#4) Application request limit reached", "type", "OAuthException", "code", code,
	    "fbtrace_id", "Asandbox");
	return res_json(r, fault->status != 0 ? fault->status : code == 4 ? 403 : 400, error);
}

static int answer_dead_token(struct req *r, bool is_graph, const struct fault *fault)
{
	const int status = fault->status != 0 ? fault->status : 401;

	if (!is_graph)
		return res_json(r, status, json_pack("{s:s}", "error", "The token is not valid"));
	return res_json(r, status,
	    json_pack("{s:{s:s,s:s,s:i,s:i,s:s}}", "error", "message",
		"Error validating access token: Session has expired", "type", "OAuthException",
		"code", 190, "error_subcode", 463, "fbtrace_id", "Asandbox"));
}

static int answer_drip(struct req *r, int64_t ms)
{
	if (answer_start_unfinished(r) == -1)
		return -1;
	for (unsigned i = 0; i < DRIP_PIECES && i < ms / 500 && !process_is_stopping(); i++) {
		sleep_ms(500);
		if (answer_write_piece(r) == -1)
			break;
	}
	return -1;
}

static int answer_huge(struct req *r)
{
	char block[65536];

	memset(block, 'x', sizeof(block));
	if (res_stream_start(r, 200, "application/json") == -1)
		return -1;
	if (res_stream_write(r, STR("{\"data\":\"")) == -1)
		return -1;
	for (size_t n = 0; n < HUGE_BYTES; n += sizeof(block))
		if (res_stream_write(r, (struct str){block, sizeof(block)}) == -1)
			return -1;
	return res_stream_write(r, STR("\"}"));
}

int fault_answer(struct req *r, const char *target, const struct fault *fault)
{
	const bool is_graph = strcmp(target, "graph") == 0;

	switch (fault->kind) {
	case FAULT_THROTTLE:
		return answer_throttled(r, is_graph, fault);
	case FAULT_TOKEN:
		return answer_dead_token(r, is_graph, fault);
	case FAULT_TIMEOUT:
		sleep_ms(fault->ms);
		return fault_cut(r);
	case FAULT_DRIP:
		return answer_drip(r, fault->ms);
	case FAULT_HUGE:
		return answer_huge(r);
	case FAULT_INVALID:
		return res_text(r, 200, "application/json", STR("{\"id\":\"1\",\"field_data\":[{"));
	case FAULT_REDIRECT:
		res_header(r, "Location", fault->location);
		return res_empty(r, fault->status != 0 ? fault->status : 302);
	case FAULT_ANSWER:
		return res_text(r, fault->status != 0 ? fault->status : 200,
		    fault->body[0] == '{' ? "application/json" : "text/plain; charset=utf-8",
		    str_from(fault->body));
	case FAULT_ERROR:
		return res_json(r, fault->status != 0 ? fault->status : 500,
		    is_graph ? json_pack("{s:{s:s,s:s,s:i}}", "error", "message",
				   "An unexpected error has occurred", "type", "OAuthException",
				   "code", fault->code != 0 ? fault->code : 2)
			     : json_pack("{s:s}", "error", "Something went wrong"));
	case FAULT_NONE:
	case FAULT_SLOW:
	case FAULT_LOST:
	case FAULT_RESET:
	case FAULT_ROWS:
		break;
	}
	return fault_cut(r);
}
