/* multipart/form-data, RFC 7578 over RFC 2046 §5.1.1: a machine fed piece by piece. What is not yet
 * decided (part of a delimiter, an unfinished header block) waits in `hold`; everything else goes
 * on at once, so a body of any size needs no more memory than a piece and a delimiter. */
#include <string.h>

#include "base/limits.h"
#include "http/conn.h"
#include "http/form.h"

#define BOUNDARY_MAX 70u /* RFC 2046 */
#define HEAD_MAX 4096u   /* one part's headers */
#define PREAMBLE_MAX 4096u
#define PADDING_MAX 256u         /* white space after a delimiter */
#define TEXT_MAX LIMIT_BODY_JSON /* all text fields together: pasted CSV comes this way */
#define HOLD_MAX (256u * 1024u)
#define PIECE_MAX (64u * 1024u)

enum multipart_state { PREAMBLE, DELIMITER, HEAD, BODY, EPILOGUE };

struct multipart {
	struct arena *a;
	const char *tmp_dir;                  /* NULL: of a webhook, see form.h */
	enum multipart_state state, resume;   /* resume: where to go on when it was no delimiter */
	char delimiter[4 + BOUNDARY_MAX + 1]; /* "\r\n--boundary" */
	size_t delimiter_n;
	struct buf *hold;
	size_t preamble;
	/* the part at hand */
	struct str name, filename, type;
	bool is_file;
	struct buf *text;
	struct upload *upload;
	uint64_t file_size; /* of one that is not kept */
	/* what is finished */
	struct http_pair *fields;
	struct http_file *files;
	size_t nfields, nfiles, fields_cap, files_cap, parts, text_total;
	bool is_repaired;
};

/* Room for one more. */
static void *parts_grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size)
{
	void *more;

	if (n < *cap)
		return v;
	*cap = *cap == 0 ? 16 : 2 * *cap;
	more = arena_array(a, *cap, size);
	if (n > 0)
		memcpy(more, v, n * size);
	return more;
}

/* ---- parameters of a header ---------------------------------------------------------------- */

/* The next `; name=value` of *rest: 1 found, 0 at the end, -1 malformed. Only \" and \\ are escapes
 * within quotes: browsers of old sent bare backslashes of paths. */
static int param_next(struct arena *a, struct str *rest, struct str *name, struct str *value)
{
	size_t i = 0, n = 0;
	char *p;

	*rest = str_trim(*rest);
	if (rest->n == 0)
		return 0;
	if (rest->p[0] != ';')
		return -1;
	*rest = str_trim((struct str){rest->p + 1, rest->n - 1});
	if (rest->n == 0)
		return 0;
	while (i < rest->n && rest->p[i] != '=' && rest->p[i] != ';')
		i++;
	*name = str_trim((struct str){rest->p, i});
	if (i == rest->n || rest->p[i] != '=' || name->n == 0)
		return -1;
	*rest = str_trim((struct str){rest->p + i + 1, rest->n - i - 1});
	if (rest->n == 0 || rest->p[0] != '"') {
		for (i = 0; i < rest->n && rest->p[i] != ';'; i++)
			;
		*value = str_trim((struct str){rest->p, i});
		*rest = (struct str){rest->p + i, rest->n - i};
		return 1;
	}
	p = arena_alloc(a, rest->n);
	for (i = 1; i < rest->n && rest->p[i] != '"'; i++) {
		if (rest->p[i] == '\\' && i + 1 < rest->n &&
		    (rest->p[i + 1] == '"' || rest->p[i + 1] == '\\'))
			i++;
		p[n++] = rest->p[i];
	}
	if (i == rest->n)
		return -1;
	*value = (struct str){p, n};
	*rest = (struct str){rest->p + i + 1, rest->n - i - 1};
	return 1;
}

static bool boundary_is_sane(struct str s)
{
	size_t i;

	if (s.n == 0 || s.n > BOUNDARY_MAX || s.p[s.n - 1] == ' ')
		return false;
	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr("'()+_,-./:=? ", c) == NULL))
			return false;
	}
	return true;
}

struct multipart *multipart_new(
    struct arena *a, struct str content_type, const char *tmp_dir, struct err *err)
{
	struct str type = media_type(content_type), rest, name, value, boundary = {NULL, 0};
	struct multipart *m;
	int more;

	if (!str_ieq(type, STR("multipart/form-data"))) {
		err_set(err, ERR_MALFORMED, "the body is not multipart/form-data");
		return NULL;
	}
	rest = content_type;
	if (memchr(rest.p, ';', rest.n) != NULL) {
		const char *semi = memchr(rest.p, ';', rest.n);

		rest = (struct str){semi, rest.n - (size_t)(semi - rest.p)};
	} else {
		rest.n = 0;
	}
	while ((more = param_next(a, &rest, &name, &value)) == 1)
		if (str_ieq(name, STR("boundary")) && boundary.p == NULL)
			boundary = value;
	if (more == -1 || !boundary_is_sane(boundary)) {
		err_set(err, ERR_MALFORMED, "the multipart content type has no usable boundary");
		return NULL;
	}
	m = arena_zalloc(a, sizeof(*m));
	m->a = a;
	m->tmp_dir = tmp_dir;
	m->state = PREAMBLE;
	memcpy(m->delimiter, "\r\n--", 4);
	memcpy(m->delimiter + 4, boundary.p, boundary.n);
	m->delimiter_n = 4 + boundary.n;
	m->hold = buf_new(a, HOLD_MAX);
	/* The first delimiter may open the body, without the line break it otherwise begins with.
	 */
	buf_add(m->hold, "\r\n", 2);
	return m;
}

/* ---- parts --------------------------------------------------------------------------------- */

static int disposition_read(struct multipart *m, struct str value, struct err *err)
{
	const char *semi = value.n != 0 ? memchr(value.p, ';', value.n) : NULL;
	struct str rest = {NULL, 0}, name, text;
	bool has_name = false;
	int more;

	if (!str_ieq(media_type(value), STR("form-data")) || semi == NULL)
		return err_set(err, ERR_MALFORMED, "a part is not form-data");
	rest = (struct str){semi, value.n - (size_t)(semi - value.p)};
	while ((more = param_next(m->a, &rest, &name, &text)) == 1) {
		if (str_ieq(name, STR("name")) && !has_name) {
			has_name = true;
			m->name = str_copy(m->a, text);
		} else if (str_ieq(name, STR("filename")) && !m->is_file) {
			/* filename* must not be used here (RFC 7578 §4.2) and is ignored. */
			m->is_file = true;
			m->filename = text.n != 0 ? filename_clean(m->a, text) : STR("");
		}
	}
	if (more == -1 || !has_name || !utf8_is_valid(m->name))
		return err_set(err, ERR_MALFORMED, "a part has no usable name");
	return 0;
}

static int part_begin(struct multipart *m, struct str head, struct err *err)
{
	struct str rest = head, line;
	bool has_disposition = false;

	if (++m->parts > LIMIT_MULTIPART_PARTS && m->tmp_dir != NULL)
		return err_set(err, ERR_LIMIT, "more than %u parts", LIMIT_MULTIPART_PARTS);
	m->is_file = false;
	m->name = m->filename = STR("");
	m->type = STR("");
	while (str_split(&rest, '\n', &line)) {
		const char *colon;
		struct str name, value;

		line = str_trim(line);
		if (line.n == 0)
			continue;
		colon = memchr(line.p, ':', line.n);
		if (colon == NULL)
			return err_set(err, ERR_MALFORMED, "a part has a broken header");
		name = (struct str){line.p, (size_t)(colon - line.p)};
		value = str_trim((struct str){colon + 1, line.n - name.n - 1});
		if (str_ieq(name, STR("content-disposition")) && !has_disposition) {
			has_disposition = true;
			if (disposition_read(m, value, err) == -1)
				return -1;
		} else if (str_ieq(name, STR("content-type"))) {
			m->type = str_copy(m->a, value);
		}
	}
	if (!has_disposition)
		return err_set(err, ERR_MALFORMED, "a part has no Content-Disposition");
	m->file_size = 0;
	if (m->is_file && m->tmp_dir != NULL)
		m->upload = upload_new(m->a, m->tmp_dir);
	else if (!m->is_file)
		m->text = buf_new(m->a, TEXT_MAX);
	return 0;
}

static int part_data(struct multipart *m, struct str data, struct err *err)
{
	m->file_size += data.n;
	if (m->is_file)
		return m->tmp_dir == NULL ? 0 : upload_add(m->upload, data, err);
	m->text_total += data.n;
	if (m->text_total > TEXT_MAX)
		return err_set(err, ERR_LIMIT, "the form's text is larger than %u bytes", TEXT_MAX);
	buf_add(m->text, data.p, data.n);
	return 0;
}

static void part_repair(struct multipart *m, struct str *value)
{
	struct str clean = utf8_clean(m->a, *value, 3 * value->n);

	m->is_repaired = m->is_repaired || !str_eq(clean, *value);
	*value = clean;
}

static int part_end(struct multipart *m, struct err *err)
{
	struct http_file *f;
	struct http_pair *p;

	if (!m->is_file) {
		m->fields =
		    parts_grow(m->a, m->fields, m->nfields, &m->fields_cap, sizeof(*m->fields));
		p = &m->fields[m->nfields++];
		p->name = m->name;
		p->value = (struct str){m->text->p, m->text->len};
		if (m->tmp_dir == NULL)
			part_repair(m, &p->value);
		if (!utf8_is_valid(p->value))
			return err_set(err, ERR_MALFORMED, "a form field is not UTF-8 text");
		return 0;
	}
	m->files = parts_grow(m->a, m->files, m->nfiles, &m->files_cap, sizeof(*m->files));
	f = &m->files[m->nfiles];
	memset(f, 0, sizeof(*f));
	f->field = m->name;
	f->filename = m->filename;
	f->content_type = m->type;
	f->size = m->file_size;
	if (m->tmp_dir != NULL && upload_end(m->upload, f, err) == -1)
		return -1;
	/* A file field left empty comes as an empty part without a name: no file. */
	if (f->filename.n != 0 || f->size != 0)
		m->nfiles++;
	return 0;
}

/* ---- the machine --------------------------------------------------------------------------- */
/* Each step looks at the unread part of hold: 1 = something was done, look again (*used bytes of it
 * are finished); 0 = more input is needed; -1 failed. */

/* Data up to the next delimiter, in PREAMBLE (dropped) and BODY. */
static int multipart_step_data(struct multipart *m, struct str in, size_t *used, struct err *err)
{
	const char *at = memmem(in.p, in.n, m->delimiter, m->delimiter_n);
	size_t n;

	if (at != NULL)
		n = (size_t)(at - in.p);
	else if (in.n >= m->delimiter_n)
		n = in.n - (m->delimiter_n - 1);
	else
		n = 0;
	if (m->state == PREAMBLE) {
		m->preamble += n;
		if (m->preamble > PREAMBLE_MAX)
			return err_set(
			    err, ERR_MALFORMED, "the multipart body has no boundary line");
	} else if (n != 0 && part_data(m, (struct str){in.p, n}, err) == -1) {
		return -1;
	}
	*used = n;
	if (at == NULL)
		return 0;
	m->resume = m->state;
	m->state = DELIMITER;
	return 1;
}

/* Behind "\r\n--boundary": "--" ends it all, white space and a line break start a part, anything
 * else shows that this was data that happens to begin like a delimiter. */
static int multipart_step_delimiter(
    struct multipart *m, struct str in, size_t *used, struct err *err)
{
	size_t i = m->delimiter_n;

	*used = 0;
	if (in.n < i + 2)
		return 0;
	if (in.p[i] != '-' || in.p[i + 1] != '-') {
		while (i < in.n && (in.p[i] == ' ' || in.p[i] == '\t'))
			i++;
		if (i - m->delimiter_n <= PADDING_MAX && i + 2 > in.n)
			return 0;
		if (i - m->delimiter_n > PADDING_MAX || in.p[i] != '\r' || in.p[i + 1] != '\n') {
			/* One byte on, so that the search does not find it again. */
			m->state = m->resume;
			*used = 1;
			return m->state == PREAMBLE                             ? 1
			       : part_data(m, (struct str){in.p, 1}, err) == -1 ? -1
										: 1;
		}
		*used = i + 2;
	} else {
		*used = i + 2;
	}
	if (m->resume == BODY && part_end(m, err) == -1)
		return -1;
	m->state = in.p[m->delimiter_n] == '-' ? EPILOGUE : HEAD;
	return 1;
}

static int multipart_step_head(struct multipart *m, struct str in, size_t *used, struct err *err)
{
	const char *end = memmem(in.p, in.n, "\r\n\r\n", 4);
	struct str head;

	*used = 0;
	if (end == NULL || end - in.p > HEAD_MAX) {
		if (in.n > HEAD_MAX)
			return err_set(err, ERR_LIMIT, "a part's headers are too large");
		return 0;
	}
	head = (struct str){in.p, (size_t)(end - in.p)};
	if (part_begin(m, head, err) == -1)
		return -1;
	*used = head.n + 4;
	m->state = BODY;
	return 1;
}

static int multipart_run(struct multipart *m, struct err *err)
{
	size_t done = 0, used;
	int rc = 1;

	while (rc == 1) {
		struct str in = {m->hold->p + done, m->hold->len - done};

		used = 0;
		switch (m->state) {
		case PREAMBLE:
		case BODY:
			rc = multipart_step_data(m, in, &used, err);
			break;
		case DELIMITER:
			rc = multipart_step_delimiter(m, in, &used, err);
			break;
		case HEAD:
			rc = multipart_step_head(m, in, &used, err);
			break;
		case EPILOGUE:
			used = in.n;
			rc = 0;
			break;
		}
		done += used;
	}
	memmove(m->hold->p, m->hold->p + done, m->hold->len - done);
	m->hold->len -= done;
	m->hold->p[m->hold->len] = '\0';
	return rc;
}

int multipart_feed(struct multipart *m, struct str piece, struct err *err)
{
	while (piece.n != 0) {
		size_t n = piece.n < PIECE_MAX ? piece.n : PIECE_MAX;

		buf_add(m->hold, piece.p, n);
		if (!buf_ok(m->hold))
			return err_set(err, ERR_INTERNAL, "multipart: hold is full");
		if (multipart_run(m, err) == -1)
			return -1;
		piece = (struct str){piece.p + n, piece.n - n};
	}
	return 0;
}

int multipart_end(struct multipart *m, struct http_pairs *fields, struct http_file **files,
    size_t *nfiles, struct err *err)
{
	if (m->state != EPILOGUE)
		return err_set(err, ERR_MALFORMED, "the multipart body ends early");
	fields->v = m->fields;
	fields->n = m->nfields;
	*files = m->files;
	*nfiles = m->nfiles;
	return 0;
}

bool multipart_is_repaired(const struct multipart *m)
{
	return m->is_repaired;
}
