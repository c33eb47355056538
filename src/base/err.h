/* One error value for the whole product. The first error wins; its text names the operation and
 * the object, never a secret, and may be shown to a caller of the API unless code is
 * ERR_INTERNAL or ERR_UNAVAILABLE. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_code {
	ERR_NONE = 0,
	ERR_INTERNAL,     /* a bug or a broken environment: 500 */
	ERR_MALFORMED,    /* not understood: 400 */
	ERR_INVALID,      /* understood, but not acceptable: 422; field may be set */
	ERR_UNAUTHORIZED, /* 401 */
	ERR_DENIED,       /* 403 */
	ERR_NOT_FOUND,    /* 404 */
	ERR_CONFLICT,     /* 409: a constraint says no */
	ERR_LIMIT,        /* a bound was crossed: 413 */
	ERR_RETRY,       /* deadlock, certification failure, lost race: run the transaction again */
	ERR_UNAVAILABLE, /* the database or a peer is away: 503 */
	ERR_TIMEOUT,     /* a foreign server was too slow */
	ERR_REFUSED,     /* the egress policy says no */
	ERR_UNREADABLE,  /* what is stored, and was to be used, cannot be read any more: 409 */
	ERR_LOCKED,      /* others hold what it needs, for longer than was to be waited: 503 */
};

struct err {
	enum err_code code;
	char field[64]; /* the input's field in fault, or "" */
	char msg[384];  /* one sentence, no full stop */
};

#define ERR_INIT ((struct err){0})

/* Records the error unless one is already there; err may be NULL. Always returns -1, so that
 * `return err_set(err, …)` reads well. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a named input field. */
int err_field(struct err *err, enum err_code code, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts "prefix: " before the message that is there (for context on the way up). Returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Forgets the error. */
void err_clear(struct err *err);

#endif
