/* Idempotency-Key on POST: the first answer is kept a day and given again. The stored body is
 * sealed, since an answer may hold a secret that is shown only once. */
#include "account/account-internal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/aead.h"

#define KEPT_US DAY_US
#define ABANDONED_US (600 * SECOND_US) /* no request runs so long: its worker has died */
#define KEY_BYTES_MOST 255u
#define CLAIM_TRIES 3

/* The request of this process that holds a row; a worker has one at a time. */
static struct claim {
	const struct req *req;
	struct digest key;
	int64_t created_us;
} claim;

/* ---- what a request is ----------------------------------------------------------------------- */

/* Parts are hashed apart and their hashes together, so that no two requests run into one another.
 */
struct hashing {
	struct buf *all;
};

static void hash_add_part(struct hashing *h, struct str part)
{
	struct digest d = digest_of(part.p == NULL ? STR("") : part);

	buf_add(h->all, d.b, sizeof(d.b));
}

static int hash_add_file_at(struct hashing *h, const struct http_file *f, struct err *err)
{
	size_t size = (size_t)f->size;
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);
	void *p = fd == -1 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED)
		return err_set(err, ERR_INTERNAL, "the upload cannot be read");
	madvise(p, size, MADV_SEQUENTIAL);
	hash_add_part(h, (struct str){p, size});
	munmap(p, size);
	return 0;
}

static int hash_add_files(struct hashing *h, const struct req *r, struct err *err)
{
	for (size_t i = 0; i < r->nfiles; i++) {
		const struct http_file *f = &r->files[i];

		hash_add_part(h, f->field);
		hash_add_part(h, f->filename);
		if (f->path == NULL || f->size == 0)
			hash_add_part(h, f->data);
		else if (hash_add_file_at(h, f, err) == -1)
			return -1;
	}
	return 0;
}

int idempotency_request_digest(const struct req *r, struct digest *out, struct err *err)
{
	struct hashing h = {.all = buf_new(r->a, LIMIT_BODY_FORM)};

	hash_add_part(&h, str_from(http_method_name(r->method)));
	hash_add_part(&h, r->path);
	hash_add_part(&h, r->query_string);
	hash_add_part(&h, r->body);
	/* Fields, not bytes: a client makes another multipart boundary for each try. */
	for (size_t i = 0; i < r->form.n; i++) {
		hash_add_part(&h, r->form.v[i].name);
		hash_add_part(&h, r->form.v[i].value);
	}
	if (hash_add_files(&h, r, err) == -1)
		return -1;
	/* What makes access is given again only to whom it was given first. */
	if ((r->route->permission & PERMIT(SETTINGS_WRITE)) != 0) {
		hash_add_part(&h, (struct str){(const char *)r->actor.user_id.b, 16});
		hash_add_part(&h, (struct str){(const char *)r->actor.key_id.b, 16});
	}
	*out = digest_of((struct str){h.all->p, h.all->len});
	return 0;
}

/* ---- before the handler ---------------------------------------------------------------------- */

static bool is_idempotency_key(struct str key)
{
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] < ' ' || key.p[i] > '~')
			return false;
	return key.n > 0 && key.n <= KEY_BYTES_MOST;
}

struct str idempotency_context(
    struct arena *a, const struct uuid *account_id, const struct digest *key)
{
	struct buf *b = buf_new(a, 128);

	buf_str(b, "idempotency_keys:");
	buf_add(b, account_id->b, sizeof(account_id->b));
	buf_add(b, key->b, sizeof(key->b));
	return (struct str){b->p, b->len};
}

static struct str answer_seal_context(struct req *r, const struct digest *key)
{
	return idempotency_context(r->a, &r->actor.account_id, key);
}

static int answer_replay(
    struct req *r, const struct digest *key, const struct idempotency_row *row, struct err *err)
{
	struct str body = {"", 0};

	if (row->body.n > 0) {
		body = aead_open(r->app->keys, r->a, answer_seal_context(r, key), row->body, err);
		if (body.p == NULL)
			return -1;
	}
	if (row->content_type == NULL)
		res_empty(r, (int)row->status);
	else
		res_text(r, (int)row->status, row->content_type, body);
	if (row->headers != NULL)
		buf_str(r->res.headers, row->headers);
	res_header(r, "Idempotency-Replayed", "true");
	return 1;
}

/* Decides by the row that stands under the key: 1 answered, 0 look again, -1 failed. */
static int claim_meet(struct req *r, const struct digest *key, const struct digest *request,
    const struct idempotency_row *row, int64_t now_us, struct err *err)
{
	int64_t age_us = now_us - row->created_us;
	int took;

	if (age_us > KEPT_US || (row->status == 0 && age_us > ABANDONED_US)) {
		took = store_idempotency_take_over(
		    r->app->db, &r->actor.account_id, key, request, row->created_us, now_us, err);
		if (took == 1)
			claim = (struct claim){r, *key, now_us};
		return took == -1 ? -1 : 0;
	}
	if (!mem_equal_ct(row->request.b, sizeof(row->request.b), request->b, sizeof(request->b))) {
		req_invalid(r, "Idempotency-Key", "was used for a different request");
		res_invalid(r);
		return 1;
	}
	if (row->status == 0) {
		res_header(r, "Retry-After", "1");
		res_problem(r, 409, "The first request with this Idempotency-Key is still running");
		return 1;
	}
	return answer_replay(r, key, row, err);
}

static int claim_or_answer(struct req *r, const struct digest *key, struct err *err)
{
	const struct uuid *account = &r->actor.account_id;
	struct digest request;
	struct idempotency_row row;
	int rc;

	if (idempotency_request_digest(r, &request, err) == -1)
		return -1;
	for (int i = 0; i < CLAIM_TRIES; i++) {
		int64_t now_us = clock_now_us();

		rc = store_idempotency_insert(r->app->db, account, key, &request, now_us, err);
		if (rc == 1)
			claim = (struct claim){r, *key, now_us};
		if (rc != 0)
			return rc == -1 ? -1 : 0;
		rc = store_idempotency(r->app->db, r->a, account, key, &row, err);
		if (rc == 1)
			rc = claim_meet(r, key, &request, &row, now_us, err);
		if (rc != 0 || claim.req == r)
			return rc;
	}
	return err_set(err, ERR_RETRY, "the Idempotency-Key is contended");
}

int account_idempotency_before(struct req *r)
{
	struct str text = str_trim(req_header(r, "idempotency-key"));
	struct err err = ERR_INIT;
	struct digest key;
	int rc;

	claim = (struct claim){0};
	if (text.p == NULL || r->method != HTTP_POST || r->actor.kind == ACTOR_NONE)
		return 0;
	if (!is_idempotency_key(text)) {
		req_invalid(r, "Idempotency-Key", "must be 1 to %u printable ASCII characters",
		    KEY_BYTES_MOST);
		res_invalid(r);
		return 1;
	}
	key = digest_of(text);
	rc = claim_or_answer(r, &key, &err);
	if (rc == -1)
		res_error(r, &err);
	return rc;
}

/* ---- after it -------------------------------------------------------------------------------- */

/* The header lines that belong to the answer, not to the moment it was given. */
static const char *answer_kept_headers(struct req *r)
{
	struct str rest = {r->res.headers->p, r->res.headers->len}, line;
	struct buf *b = buf_new(r->a, LIMIT_URL_BYTES);

	while (str_split(&rest, '\n', &line))
		if (str_starts(line, "Location:")) {
			buf_add(b, line.p, line.n);
			buf_chr(b, '\n');
		}
	return b->len > 0 && buf_ok(b) ? b->p : NULL;
}

static int answer_keep(struct req *r, struct err *err)
{
	const struct buf *body = r->res.body;
	struct idempotency_row row = {
	    .status = r->res.status,
	    .content_type = r->res.content_type,
	    .headers = answer_kept_headers(r),
	    .created_us = claim.created_us,
	};

	if (body->len > 0) {
		row.body = aead_seal(r->app->keys, r->a, answer_seal_context(r, &claim.key),
		    (struct str){body->p, body->len}, err);
		if (row.body.p == NULL)
			return -1;
	}
	return store_idempotency_finish(r->app->db, &r->actor.account_id, &claim.key, &row, err);
}

void account_idempotency_after(struct req *r)
{
	struct err err = ERR_INIT;
	int rc;

	if (claim.req != r)
		return;
	/* Failures of ours may be tried again; so may an answer that was streamed and not kept. */
	if (r->res.status >= 500 || r->res.sent)
		rc = store_idempotency_delete(
		    r->app->db, &r->actor.account_id, &claim.key, claim.created_us, &err);
	else
		rc = answer_keep(r, &err);
	if (rc != 0)
		log_error("idempotency.keep", LOG_ERR(&err));
	claim = (struct claim){0};
}
