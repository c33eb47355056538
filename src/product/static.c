/* The product's own static files, from memory: what the directory held at the start and nothing
 * else. A web server may serve the directory instead; this is for where it does not. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "crypto/hash.h"
#include "html/chrome.h"
#include "product/product.h"

#define FILES_MAX 64
#define FILE_BYTES_MAX (256u * 1024u)
#define VERSION_CHARS 12

struct static_file {
	const char *name, *content_type;
	char etag[2 * 16 + 3];
	struct str data;
};

static struct static_file *static_files;
static size_t static_nfiles;
static char static_version[VERSION_CHARS + 1];

/* The type of a name's ending; NULL: not served. */
static const char *static_type_of(struct str name)
{
	static const struct {
		const char *ending, *type;
	} types[] = {
	    {".css", "text/css; charset=utf-8"},
	    {".js", "text/javascript; charset=utf-8"},
	    {".svg", "image/svg+xml"},
	    {".png", "image/png"},
	    {".ico", "image/x-icon"},
	    {".txt", "text/plain; charset=utf-8"},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_ends(name, types[i].ending))
			return types[i].type;
	return NULL;
}

static int static_file_load(
    struct arena *a, const char *dir, const char *name, struct static_file *out, struct err *err)
{
	const char *path = arena_printf(a, "%s/%s", dir, name);
	char hex[2 * SHA256_SIZE + 1];

	if (file_read(a, path, FILE_BYTES_MAX, &out->data, err) == -1)
		return -1;
	out->name = arena_strdup(a, name);
	sha256_hex(out->data, hex);
	snprintf(out->etag, sizeof(out->etag), "\"%.32s\"", hex);
	return 0;
}

static void static_version_make(struct arena *a)
{
	struct buf *all = buf_new(a, FILES_MAX * 64);
	char hex[2 * SHA256_SIZE + 1];

	for (size_t i = 0; i < static_nfiles; i++)
		buf_str(all, static_files[i].etag);
	sha256_hex((struct str){all->p, all->len}, hex);
	snprintf(static_version, sizeof(static_version), "%.*s", VERSION_CHARS, hex);
}

int product_static_load(
    struct arena *a, const char *dir, const char **asset_version, struct err *err)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, alphasort), rc = 0;

	if (n == -1)
		return err_set(err, ERR_INTERNAL, "%s: %s", dir, strerror(errno));
	static_files = arena_array(a, FILES_MAX, sizeof(*static_files));
	static_nfiles = 0;
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name, *type = static_type_of(str_from(name));
		if (rc == 0 && name[0] != '.' && type != NULL && static_nfiles < FILES_MAX) {
			static_files[static_nfiles].content_type = type;
			rc = static_file_load(a, dir, name, &static_files[static_nfiles], err);
			static_nfiles++;
		}
		free(entries[i]);
	}
	free(entries);
	if (rc == 0)
		static_version_make(a);
	*asset_version = static_version;
	return rc;
}

int product_static_file(struct req *r)
{
	struct str name = req_param(r, "file");

	for (size_t i = 0; i < static_nfiles; i++) {
		const struct static_file *f = &static_files[i];
		if (!str_is(name, f->name))
			continue;
		/* An address with the version of now never changes its content. */
		res_header(r, "Cache-Control",
		    str_is(req_query(r, "v"), static_version)
			? "public, max-age=31536000, immutable"
			: "public, max-age=300");
		res_header(r, "ETag", f->etag);
		if (str_is(req_header(r, "if-none-match"), f->etag))
			return res_empty(r, 304);
		return res_text(r, 200, f->content_type, f->data);
	}
	return res_problem(r, 404, "There is no such file");
}
