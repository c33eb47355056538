/* URLs that stand in answers: where they lead, and what of them may be kept. */
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "provider/provider-internal.h"

const char *url_host(struct arena *a, const char *url)
{
	const char *host = strstr(url, "://");

	host = host == NULL ? url : host + 3;
	return arena_strndup(a, host, strcspn(host, "/?#"));
}

const char *url_resolve(struct arena *a, const char *url, const char *reference)
{
	const char *host = strstr(url, "://");
	size_t scheme = host == NULL ? 0 : (size_t)(host - url) + 1;
	size_t origin = host == NULL ? 0 : scheme + 2 + strcspn(host + 3, "/?#");
	size_t path = origin + strcspn(url + origin, "?#");

	if (host == NULL || (strstr(reference, "://") != NULL &&
				strcspn(reference, "/?#") > strcspn(reference, ":")))
		return reference;
	if (strncmp(reference, "//", 2) == 0)
		return arena_printf(a, "%.*s%s", (int)scheme, url, reference);
	if (reference[0] == '?')
		return arena_printf(a, "%.*s%s", (int)path, url, reference);
	while (path > origin && url[path - 1] != '/')
		path--;
	if (reference[0] == '/' || path == origin)
		return arena_printf(
		    a, "%.*s%s%s", (int)origin, url, reference[0] == '/' ? "" : "/", reference);
	return arena_printf(a, "%.*s%s", (int)path, url, reference);
}

const char *url_without_secrets(struct arena *a, const struct access *c, const char *url)
{
	size_t path = strcspn(url, "?#");
	struct str rest = str_from(url + path), pair;
	struct buf *b = buf_new(a, rest.n + path + 1);
	char before = '?';

	buf_add(b, url, path);
	rest.n = strcspn(rest.p, "#");
	rest = rest.n > 0 ? (struct str){rest.p + 1, rest.n - 1} : rest;
	while (str_split(&rest, '&', &pair)) {
		if (!str_eq(access_redact_text(a, c, pair), pair))
			continue;
		buf_chr(b, before);
		buf_add(b, pair.p, pair.n);
		before = '&';
	}
	return b->p;
}
