#include "record/record-paths.h"

#include "base/limits.h"
#include "base/path.h"

static void path_add_step(struct buf *path, const char *key)
{
	if (path->len > 0)
		buf_chr(path, '.');
	path_append_key(path, key);
}

static void path_cut_back(struct buf *path, size_t len)
{
	path->len = len;
	path->p[len] = '\0';
	path->failed = false;
}

struct buf *record_paths_buf(struct arena *a, struct str path)
{
	struct buf *b = buf_new(a, LIMIT_PATH_BYTES);

	buf_chr(b, ' '); /* allocates, so that the text may be cut back to nothing */
	buf_reset(b);
	buf_add(b, path.p, path.n);
	return b;
}

int record_paths_each(
    json_t *data, struct buf *path, bool is_into_arrays, record_path_fn *each, void *arg)
{
	const size_t base = path->len;
	const char *key;
	json_t *value;
	size_t i;
	int rc = 0;

	if (path->failed)
		return 0;
	if (json_is_object(data)) {
		json_object_each(data, key, value) {
			path_add_step(path, key);
			rc = *key == '\0'
				 ? 0
				 : record_paths_each(value, path, is_into_arrays, each, arg);
			path_cut_back(path, base);
			if (rc != 0)
				return rc;
		}
		return 0;
	}
	if (!json_is_array(data) || !is_into_arrays)
		return each(arg, (struct str){path->p, path->len}, data);
	buf_str(path, "[]");
	json_array_each(data, i, value) {
		if (rc == 0)
			rc = record_paths_each(value, path, is_into_arrays, each, arg);
	}
	path_cut_back(path, base);
	return rc;
}

json_t *record_path_value(struct arena *a, const struct path *path, const json_t *data)
{
	json_t *all;

	if (!path_fans_out(path))
		return path_get(path, data);
	all = json_own(a, json_array());
	path_collect(path, data, all);
	return json_array_size(all) > 0 ? all : NULL;
}
