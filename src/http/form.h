/* Parsers of request text: each takes untrusted bytes, is bounded and fuzzed. */
#ifndef HTTP_FORM_H
#define HTTP_FORM_H
#include "http/http.h"
/* application/x-www-form-urlencoded (WHATWG) and query strings: broken escapes, NUL or invalid
 * UTF-8 are ERR_MALFORMED, more than LIMIT_FORM_FIELDS ERR_LIMIT. */
int form_parse(struct arena *a, struct str text, struct http_pairs *out, struct err *err);
/* The same as genuine senders write it, of any number of fields: a broken escape stays as it is; a
 * NUL and bytes that are no UTF-8 become U+FFFD, which *is_repaired tells. */
void form_parse_lenient(
    struct arena *a, struct str text, struct http_pairs *out, bool *is_repaired);
/* A Content-Type without its parameters; compare it without case. */
struct str media_type(struct str content_type);
/* The last that it names, without quotes; {NULL,0}: none. */
struct str media_charset(struct str content_type);
/* RFC 6265 Cookie header; malformed pairs are skipped. */
void cookie_parse(struct arena *a, struct str header, struct http_pairs *out);
/* multipart/form-data (RFC 7578), fed in pieces as they arrive; more than LIMIT_MULTIPART_PARTS are
 * ERR_LIMIT. Without a tmp_dir, as genuine senders of webhooks write it: of any number of parts; no
 * file is kept, only its field, name and size; what is no text in a field becomes U+FFFD, which
 * multipart_is_repaired tells. */
struct multipart;
struct multipart *multipart_new(
    struct arena *a, struct str content_type, const char *tmp_dir, struct err *err);
int multipart_feed(struct multipart *m, struct str piece, struct err *err);
int multipart_end(struct multipart *m, struct http_pairs *fields, struct http_file **files,
    size_t *nfiles, struct err *err);
bool multipart_is_repaired(const struct multipart *m);
#endif
